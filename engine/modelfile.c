/* Opens models: a directory as Hugging Face lays it out, a GGUF file, or the files of a tokenizer
 * alone.
 *
 * Which weight file a directory means, and what its JSON files say, is decided in directory.c; the
 * containers are read in safetensors.c and gguf.c. */
#include "config.h"

#include "engine/modelfile.h"

#include <stdlib.h>
#include <string.h>

#include "engine/directory.h"
#include "engine/engine.h"
#include "engine/gguf.h"
#include "engine/mapping.h"
#include "engine/safetensors.h"
#include "engine/tensors.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"

struct ModelFile {
    char *path;
    Container container;
    Directory directory; /* unused for GGUF */
    Mapping *maps;
    size_t *counts; /* tensors of each map */
    size_t n_maps;
    TensorTable table;
    Gguf *gguf;
};

const char *modelfile_at(const void *address)
{
    return mapping_path_at(address);
}

const char *engine_mapped_file(const void *address)
{
    return mapping_path_at(address);
}

static bool map_file(ModelFile *file, const char *path, Error *err)
{
    file->maps = xreallocarray(file->maps, file->n_maps + 1, sizeof *file->maps);
    file->counts = xreallocarray(file->counts, file->n_maps + 1, sizeof *file->counts);
    if (!mapping_open(&file->maps[file->n_maps], path, err))
        return false;
    file->counts[file->n_maps++] = 0;
    return true;
}

static bool open_gguf(ModelFile *file, const char *path, Error *err)
{
    if (!map_file(file, path, err))
        return false;
    file->gguf = gguf_read(&file->maps[0], &file->table, err);
    file->container = CONTAINER_GGUF;
    file->counts[0] = file->table.n;
    return file->gguf != NULL;
}

/* Checks one shard's tensors (from..n) against the index: each that the index names must be here.
 */
static bool check_shard(const ModelFile *file, size_t from, const char *shard, Error *err)
{
    const json_t *map = file->directory.weight_map;

    for (size_t i = from; i < file->table.n; i++) {
        Str name = file->table.tensors[i].name;
        const char *wanted = json_string_value(json_object_getn(map, name.data, name.len));
        if (wanted && strcmp(wanted, shard) != 0)
            return error_set(err, ERR_FORMAT, _("%s: tensor %.*s is here, but the index says %s"),
                             shard, (int)name.len, name.data, wanted);
    }
    return true;
}

static bool check_index(const ModelFile *file, Error *err)
{
    const char *name;
    json_t *shard;

    json_object_foreach(file->directory.weight_map, name, shard)
    {
        if (!tensor_table_find(&file->table, str_from(name)))
            return error_set(err, ERR_FORMAT, _("%s: no tensor %s, which the index says is here"),
                             json_string_value(shard), name);
    }
    return true;
}

/* Says how many are missing and which is the first. */
static bool check_present(const Directory *directory, Error *err)
{
    const char *first = NULL;
    Buf path = BUF_INIT;
    size_t n = 0;

    for (size_t i = 0; i < directory->n_weights; i++) {
        path_join(&path, directory->path, directory->weights[i]);
        if (path_exists(buf_cstr(&path)))
            continue;
        if (n++ == 0)
            first = directory->weights[i];
    }
    buf_release(&path);
    return n == 0 || error_set(err, ERR_NOT_FOUND,
                               P_("%s: %zu of %zu weight files is missing: %s",
                                  "%s: %zu of %zu weight files are missing, first %s", n),
                               directory->path, n, directory->n_weights, first);
}

static bool open_shard(ModelFile *file, const char *name, Error *err)
{
    size_t from = file->table.n;
    Buf path = BUF_INIT;
    bool ok;

    path_join(&path, file->directory.path, name);
    ok = map_file(file, buf_cstr(&path), err) &&
         safetensors_read(&file->maps[file->n_maps - 1], &file->table, err) &&
         (!file->directory.weight_map || check_shard(file, from, name, err));
    if (ok)
        file->counts[file->n_maps - 1] = file->table.n - from;
    buf_release(&path);
    return ok;
}

static bool open_weights(ModelFile *file, Error *err)
{
    const Directory *directory = &file->directory;

    if (!check_present(directory, err))
        return false;
    for (size_t i = 0; i < directory->n_weights; i++)
        if (!open_shard(file, directory->weights[i], err))
            return false;
    file->container = directory->n_weights ? CONTAINER_SAFETENSORS : CONTAINER_NONE;
    return tensor_table_finish(&file->table, directory->path, err) &&
           (!directory->weight_map || check_index(file, err));
}

static bool open_directory(ModelFile *file, bool need_weights, Error *err)
{
    DirectoryKind kind;

    if (!directory_open(&file->directory, file->path, need_weights, &kind, err))
        return false;
    if (kind == DIRECTORY_GGUF) {
        Buf path = BUF_INIT;
        bool ok;
        path_join(&path, file->directory.path, file->directory.weights[0]);
        ok = open_gguf(file, buf_cstr(&path), err);
        buf_release(&path);
        return ok;
    }
    return open_weights(file, err);
}

/* A file: GGUF by its first bytes, else one file out of a directory. */
static bool open_single(ModelFile *file, bool need_weights, Error *err)
{
    Mapping probe;
    bool is_gguf;

    if (!mapping_open(&probe, file->path, err))
        return false;
    is_gguf = gguf_is(&probe) || str_ends(str_from(file->path), STR(".gguf"));
    mapping_close(&probe);
    return is_gguf ? open_gguf(file, file->path, err) : open_directory(file, need_weights, err);
}

ModelFile *modelfile_open(const char *path, bool need_weights, Error *err)
{
    ModelFile *file = xcalloc(1, sizeof *file);
    bool ok;

    file->path = xstrdup(path);
    ok = path_is_dir(path) ? open_directory(file, need_weights, err)
                           : open_single(file, need_weights, err);
    if (ok && need_weights && file->table.n == 0)
        ok =
            error_set(err, ERR_FORMAT, _("%s: no tensors; a vocabulary alone cannot be run"), path);
    if (ok)
        return file;
    modelfile_close(file);
    return NULL;
}

void modelfile_close(ModelFile *file)
{
    if (!file)
        return;
    gguf_free(file->gguf);
    tensor_table_release(&file->table);
    for (size_t i = 0; i < file->n_maps; i++)
        mapping_close(&file->maps[i]);
    free(file->maps);
    free(file->counts);
    directory_release(&file->directory);
    free(file->path);
    free(file);
}

Container modelfile_container(const ModelFile *file)
{
    return file->container;
}

const char *modelfile_path(const ModelFile *file)
{
    return file->path;
}

const char *modelfile_weights_name(const ModelFile *file)
{
    return file->n_maps ? file->maps[0].name : "";
}

uint64_t modelfile_bytes(const ModelFile *file)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < file->n_maps; i++)
        bytes += file->maps[i].bytes;
    return bytes;
}

size_t modelfile_n_files(const ModelFile *file)
{
    return file->n_maps;
}

WeightFile modelfile_file_at(const ModelFile *file, size_t i)
{
    return (WeightFile){ file->maps[i].name, file->maps[i].bytes, file->counts[i] };
}

size_t modelfile_n_tensors(const ModelFile *file)
{
    return file->table.n;
}

const FileTensor *modelfile_tensor_at(const ModelFile *file, size_t i)
{
    return &file->table.tensors[i];
}

const FileTensor *modelfile_find(const ModelFile *file, const char *name)
{
    return tensor_table_find(&file->table, str_from(name));
}

const json_t *modelfile_config(const ModelFile *file)
{
    return file->directory.config;
}

const json_t *modelfile_quant_config(const ModelFile *file)
{
    return file->directory.quant_config;
}

const json_t *modelfile_generation_config(const ModelFile *file)
{
    return file->directory.generation_config;
}

const json_t *modelfile_tokenizer_config(const ModelFile *file)
{
    return file->directory.tokenizer_config;
}

bool modelfile_read(const ModelFile *file, const char *name, size_t max, Buf *out, Error *err)
{
    if (file->container == CONTAINER_GGUF)
        return error_set(err, ERR_NOT_FOUND, _("%s: a GGUF file has no file %s beside it"),
                         file->path, name);
    return directory_read(&file->directory, name, max, out, err);
}

bool modelfile_has(const ModelFile *file, const char *name)
{
    return file->container != CONTAINER_GGUF && directory_has(&file->directory, name);
}

bool modelfile_meta(const ModelFile *file, const char *key, Meta *out)
{
    return file->gguf && gguf_meta(file->gguf, str_from(key), out);
}

void modelfile_meta_at(const Meta *array, uint64_t i, Meta *out)
{
    gguf_meta_at(array, i, out);
}
