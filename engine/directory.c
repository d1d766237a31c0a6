/* Finds the files of a model's directory.
 *
 * Of several weight files, the one that the quantisation config names counts, then gptq_model-*,
 * then model*.  Symbolic links are followed (the Hugging Face cache consists of them), but names
 * that come from a file must be plain base names. */
#include "config.h"

#include "engine/directory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/log.h"
#include "src/base/mem.h"
#include "src/base/path.h"

/* A tree of JSON takes up to 40 times its text: these keep a hostile file below 200 MB. */
enum {
    CONFIG_MAX = 1 << 20,
    TOKENIZER_CONFIG_MAX = 4 << 20,
    INDEX_MAX = 4 << 20,
    BASE_NAME_MAX = 255
};
enum { FILES_MAX = 100000 };

#define WEIGHTS ".safetensors"
#define INDEX ".safetensors.index.json"

typedef struct {
    char **name; /* sorted */
    size_t n, cap;
} Names;

static void names_release(Names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
    *names = (Names){ 0 };
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool names_read(Names *names, const char *path, Error *err)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    if (!dir)
        return error_errno(err, "%s", path);
    while ((entry = readdir(dir)) && names->n < FILES_MAX) {
        if (entry->d_name[0] == '.')
            continue;
        names->name = mem_grow(names->name, &names->cap, names->n + 1, sizeof *names->name);
        names->name[names->n++] = xstrdup(entry->d_name);
    }
    closedir(dir);
    if (names->n > 1)
        qsort(names->name, names->n, sizeof *names->name, compare_strings);
    return true;
}

static bool names_has(const Names *names, const char *name)
{
    return names->n && bsearch(&name, names->name, names->n, sizeof *names->name, compare_strings);
}

static bool ends_with(const char *name, const char *tail)
{
    return str_ends(str_from(name), str_from(tail));
}

static bool is_plain_name(const char *name)
{
    return *name && *name != '.' && strlen(name) <= BASE_NAME_MAX && !strchr(name, '/') &&
           !strchr(name, '\\');
}

/* ---- JSON files ---- */

/* transformers writes 10^30 for "no limit"; a file with such a number has its integers read as
 * reals. */
static json_t *parse_json(Str text, json_error_t *why)
{
    const char *bytes = text.len ? text.data : "";
    json_t *json = json_loadb(bytes, text.len, JSON_REJECT_DUPLICATES, why);

    if (!json && json_error_code(why) == json_error_numeric_overflow)
        json = json_loadb(bytes, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, why);
    return json;
}

/* The object in a file; leaves *out alone when there is no such file. */
static bool read_json(const Directory *directory, const char *name, size_t max, json_t **out,
                      Error *err)
{
    json_error_t why;
    Buf text = BUF_INIT, path = BUF_INIT;
    bool ok = true;

    path_join(&path, directory->path, name);
    if (path_exists(buf_cstr(&path))) {
        ok = path_read_file(buf_cstr(&path), max, &text, err);
        if (ok) {
            *out = parse_json(buf_str(&text), &why);
            if (!*out)
                ok = error_set(err, ERR_FORMAT, _("%s: line %d: %s"), name, why.line, why.text);
            else if (!json_is_object(*out))
                ok = error_set(err, ERR_FORMAT, _("%s: should hold a JSON object"), name);
        }
    }
    buf_release(&path);
    buf_release(&text);
    return ok;
}

static bool read_configs(Directory *d, Error *err)
{
    if (!read_json(d, "config.json", CONFIG_MAX, &d->config, err) ||
        !read_json(d, "generation_config.json", CONFIG_MAX, &d->generation_config, err) ||
        !read_json(d, "tokenizer_config.json", TOKENIZER_CONFIG_MAX, &d->tokenizer_config, err) ||
        !read_json(d, "quantize_config.json", CONFIG_MAX, &d->quant_config, err))
        return false;
    if (!d->quant_config && !read_json(d, "quant_config.json", CONFIG_MAX, &d->quant_config, err))
        return false;
    if (!d->quant_config) {
        json_t *inner = json_object_get(d->config, "quantization_config");
        if (inner && !json_is_null(inner) && !json_is_object(inner))
            return error_set(err, ERR_FORMAT,
                             _("config.json: quantization_config should be an object"));
        if (json_is_object(inner))
            d->quant_config = json_incref(inner);
    }
    return true;
}

/* ---- which weights ---- */

static void add_weights(Directory *d, const char *name)
{
    for (size_t i = 0; i < d->n_weights; i++)
        if (strcmp(d->weights[i], name) == 0)
            return;
    d->weights = xreallocarray(d->weights, d->n_weights + 1, sizeof *d->weights);
    d->weights[d->n_weights++] = xstrdup(name);
}

/* A shard's name as an index gives it. */
static bool check_shard_name(const char *index, const char *tensor, const json_t *shard, Error *err)
{
    const char *name = json_string_value(shard);

    if (!name)
        return error_set(err, ERR_FORMAT, _("%s: the file of tensor %s should be a string"), index,
                         tensor);
    if (!is_plain_name(name))
        return error_set(err, ERR_FORMAT, _("%s: \"%s\" is not a plain file name"), index, name);
    if (!ends_with(name, WEIGHTS))
        return error_set(err, ERR_UNSUPPORTED, _("%s: %s is not a safetensors file"), index, name);
    return true;
}

static int compare_shards(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool use_index(Directory *d, const char *name, Error *err)
{
    const char *tensor, **shards;
    json_t *shard, *total;
    size_t n = 0;
    bool ok = true;

    if (!read_json(d, name, INDEX_MAX, &d->index, err))
        return false;
    d->weight_map = json_object_get(d->index, "weight_map");
    if (!json_is_object(d->weight_map) || json_object_size(d->weight_map) == 0)
        return error_set(err, ERR_FORMAT, _("%s: weight_map is missing or empty"), name);
    /* total_size is often wrong in honest files and nothing here depends on it; but it is a number.
     */
    total = json_object_get(json_object_get(d->index, "metadata"), "total_size");
    if (total && (!json_is_number(total) || json_number_value(total) < 0))
        return error_set(err, ERR_FORMAT, _("%s: total_size should be a number"), name);
    shards = xreallocarray(NULL, json_object_size(d->weight_map), sizeof *shards);
    json_object_foreach(d->weight_map, tensor, shard)
    {
        ok = ok && check_shard_name(name, tensor, shard, err);
        shards[n++] = ok ? json_string_value(shard) : "";
    }
    qsort(shards, n, sizeof *shards, compare_shards);
    for (size_t i = 0; ok && i < n; i++)
        if (i == 0 || strcmp(shards[i], shards[i - 1]) != 0)
            add_weights(d, shards[i]);
    free(shards);
    return ok;
}

/* Takes NAME.safetensors or else NAME.safetensors.index.json; *found tells whether there was one.
 */
static bool try_stem(Directory *d, const Names *names, const char *stem, bool *found, Error *err)
{
    Buf name = BUF_INIT;
    bool ok = true;

    buf_printf(&name, "%s%s", stem, WEIGHTS);
    *found = names_has(names, buf_cstr(&name));
    if (*found) {
        add_weights(d, buf_cstr(&name));
    } else {
        buf_reset(&name);
        buf_printf(&name, "%s%s", stem, INDEX);
        *found = names_has(names, buf_cstr(&name));
        ok = !*found || use_index(d, buf_cstr(&name), err);
    }
    buf_release(&name);
    return ok;
}

static bool try_declared(Directory *d, const Names *names, bool *found, Error *err)
{
    const char *declared =
        json_string_value(json_object_get(d->quant_config, "model_file_base_name"));
    Str stem = str_from(declared);
    char *name;
    bool ok;

    *found = false;
    if (stem.len == 0)
        return true;
    if (!is_plain_name(declared))
        return error_set(
            err, ERR_FORMAT,
            _("quantize_config.json: model_file_base_name \"%s\" is not a plain file name"),
            declared);
    if (str_ends(stem, STR(WEIGHTS)))
        stem.len -= sizeof WEIGHTS - 1;
    name = xstrndup(stem.data, stem.len);
    ok = try_stem(d, names, name, found, err);
    if (ok && !*found)
        log_write(LOG_WARN, "%s: no weight file %s, which the quantisation config names", d->path,
                  name);
    free(name);
    return ok;
}

/* "-00001-of-00003" before the extension. */
static bool is_shard(const char *name)
{
    size_t len = strlen(name), tail = sizeof WEIGHTS - 1;
    const char *end;

    if (len < tail + 15)
        return false;
    end = name + len - tail - 15;
    return end[0] == '-' && memcmp(end + 6, "-of-", 4) == 0 && strspn(end + 1, "0123456789") == 5 &&
           strspn(end + 10, "0123456789") == 5;
}

/* The first file or index, by name, that begins with prefix. */
static bool try_prefix(Directory *d, const Names *names, const char *prefix, bool *found,
                       Error *err)
{
    *found = false;
    for (size_t i = 0; i < names->n && !*found; i++) {
        const char *name = names->name[i];
        if (!str_starts(str_from(name), str_from(prefix)))
            continue;
        if (ends_with(name, INDEX)) {
            *found = true;
            return use_index(d, name, err);
        }
        if (ends_with(name, WEIGHTS) && !is_shard(name)) {
            *found = true;
            add_weights(d, name);
        }
    }
    return true;
}

static bool no_weights(const Directory *d, const Names *names, Error *err)
{
    static const char *const torch[] = { ".pt", ".bin", ".pth", ".ckpt", ".pickle" };

    for (size_t i = 0; i < names->n; i++) {
        if (ends_with(names->name[i], WEIGHTS) && is_shard(names->name[i]))
            return error_set(err, ERR_NOT_FOUND,
                             _("%s: %s is one of several, but the index (%s) is missing"), d->path,
                             names->name[i], "model" INDEX);
        for (size_t k = 0; k < ARRAY_LEN(torch); k++)
            if (ends_with(names->name[i], torch[k]))
                return error_set(
                    err, ERR_UNSUPPORTED,
                    _("%s: %s is a PyTorch pickle; get or convert the model as safetensors"),
                    d->path, names->name[i]);
    }
    return error_set(err, ERR_NOT_FOUND, _("%s: no weight file; wanted is *.safetensors or *.gguf"),
                     d->path);
}

static bool find_weights(Directory *d, const Names *names, bool need_weights, Error *err)
{
    bool found;

    if (d->only && ends_with(d->only, WEIGHTS)) {
        add_weights(d, d->only);
        return true;
    }
    if (!try_declared(d, names, &found, err) ||
        (!found && !try_prefix(d, names, "gptq_model-", &found, err)) ||
        (!found && !try_stem(d, names, "model", &found, err)) ||
        (!found && !try_prefix(d, names, "model", &found, err)) ||
        (!found && !try_prefix(d, names, "", &found, err)))
        return false;
    return found || !need_weights || no_weights(d, names, err);
}

/* ---- the directory ---- */

/* A directory without config.json or safetensors but with GGUF files, as their repositories are. */
static bool find_gguf(Directory *d, const Names *names, bool need_weights, DirectoryKind *kind,
                      Error *err)
{
    const char *found = NULL;
    size_t n = 0;

    if (!need_weights && !names_has(names, "config.json") &&
        (names_has(names, "tokenizer.json") || names_has(names, "tokenizer.model")))
        return true;
    for (size_t i = 0; i < names->n; i++) {
        if (ends_with(names->name[i], WEIGHTS))
            return true;
        if (ends_with(names->name[i], ".gguf") && n++ == 0)
            found = names->name[i];
    }
    if (n == 0)
        return true;
    if (n > 1)
        return error_set(err, ERR_UNSUPPORTED,
                         _("%s: %zu GGUF files; name one of them, such as %s/%s"), d->path, n,
                         d->path, found);
    add_weights(d, found);
    *kind = DIRECTORY_GGUF;
    return true;
}

static bool open_listed(Directory *d, const Names *names, bool need_weights, DirectoryKind *kind,
                        Error *err)
{
    *kind = DIRECTORY_MODEL;
    if (!d->only && !find_gguf(d, names, need_weights, kind, err))
        return false;
    if (*kind == DIRECTORY_GGUF)
        return true;
    if (!read_configs(d, err))
        return false;
    if (d->only && !ends_with(d->only, WEIGHTS) && !need_weights)
        return true;
    if (need_weights && !d->config)
        return error_set(err, ERR_NOT_FOUND,
                         _("%s: no config.json; this is not a model's directory"), d->path);
    return find_weights(d, names, need_weights, err);
}

static bool check_single(const Directory *d, bool need_weights, Error *err)
{
    bool is_weights = ends_with(d->only, WEIGHTS);

    if (is_weights ||
        (!need_weights && (ends_with(d->only, ".json") || ends_with(d->only, ".model"))))
        return true;
    return error_set(err, ERR_UNSUPPORTED,
                     _("%s: not a model; wanted is a directory, a GGUF file or a safetensors file"),
                     d->only);
}

bool directory_open(Directory *d, const char *path, bool need_weights, DirectoryKind *kind,
                    Error *err)
{
    Names names = { 0 };
    bool ok;

    *d = (Directory){ 0 };
    if (path_is_dir(path)) {
        d->path = xstrdup(path);
    } else {
        const char *base = path_base(path);
        d->only = xstrdup(base);
        d->path = base == path ? xstrdup(".")
                               : xstrndup(path, base - path > 1 ? (size_t)(base - path) - 1 : 1);
    }
    ok = (!d->only || check_single(d, need_weights, err)) && names_read(&names, d->path, err) &&
         open_listed(d, &names, need_weights, kind, err);
    names_release(&names);
    return ok;
}

void directory_release(Directory *d)
{
    for (size_t i = 0; i < d->n_weights; i++)
        free(d->weights[i]);
    free(d->weights);
    json_decref(d->index);
    json_decref(d->config);
    json_decref(d->generation_config);
    json_decref(d->tokenizer_config);
    json_decref(d->quant_config);
    free(d->only);
    free(d->path);
    *d = (Directory){ 0 };
}

/* Files that hold a vocabulary.  When one of them was asked for by name, the others are not there.
 */
static bool is_vocabulary(const char *name)
{
    static const char *const names[] = { "tokenizer.json", "tokenizer.model", "vocab.json",
                                         "encoder.json",   "merges.txt",      "vocab.bpe" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* The name that a wanted file really has: a tokenizer that was asked for by a name of its own
 * stands for its kind. */
static const char *real_name(const Directory *d, const char *name)
{
    bool alone = d->only && !ends_with(d->only, WEIGHTS) && !strstr(d->only, "vocab") &&
                 !strstr(d->only, "encoder");

    if (!alone || !is_vocabulary(name))
        return name;
    if (strcmp(name, ends_with(d->only, ".model") ? "tokenizer.model" : "tokenizer.json") == 0)
        return d->only;
    return NULL;
}

bool directory_has(const Directory *d, const char *name)
{
    const char *real = real_name(d, name);
    Buf path = BUF_INIT;
    bool has;

    if (!real || !is_plain_name(real) || !d->path)
        return false;
    path_join(&path, d->path, real);
    has = path_exists(buf_cstr(&path)) && !path_is_dir(buf_cstr(&path));
    buf_release(&path);
    return has;
}

bool directory_read(const Directory *d, const char *name, size_t max, Buf *out, Error *err)
{
    const char *real = real_name(d, name);
    Buf path = BUF_INIT;
    bool ok;

    if (!real || !is_plain_name(real) || !d->path)
        return error_set(err, ERR_NOT_FOUND, _("%s: no file %s"), d->path ? d->path : "", name);
    path_join(&path, d->path, real);
    ok = path_read_file(buf_cstr(&path), max, out, err);
    buf_release(&path);
    return ok;
}
