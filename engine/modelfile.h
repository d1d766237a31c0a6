/* A container-independent directory of tensors and metadata: Hugging Face directories (safetensors,
 * one or several shards) and GGUF files.  Files are mapped (MAP_PRIVATE, read only), never copied.
 *
 * Everything that a file says is checked before use; errors name the file and the tensor or key
 * (formats.md 2.6, 2.7, 4.2). Immutable once open; any thread may read. */
#ifndef ENGINE_MODELFILE_H
#define ENGINE_MODELFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernels/kernels.h"
#include "src/base/buf.h"
#include "src/base/error.h"

typedef struct ModelFile ModelFile;

typedef enum { CONTAINER_NONE, CONTAINER_SAFETENSORS, CONTAINER_GGUF } Container;

/* A tensor as its file describes it; any dtype the container knows, also those no kernel reads. */
typedef struct {
    Str name;          /* borrowed from the file's directory */
    const char *dtype; /* the container's name: "F16", "I32", "Q4_1", … */
    int kernel_dtype;  /* DType, or -1 when kernels have none */
    int n_dims;
    int64_t dims[8];  /* row-major, slowest first (GGUF's order is reversed on reading) */
    const void *data; /* mapped, possibly unaligned */
    uint64_t bytes;
} FileTensor;

typedef enum { META_NONE, META_BOOL, META_INT, META_FLOAT, META_STRING, META_ARRAY } MetaType;
typedef struct {
    MetaType type;
    MetaType element; /* arrays: META_BOOL, META_INT, META_FLOAT or META_STRING */
    bool boolean;
    int64_t integer; /* u64 above INT64_MAX are an error at reading */
    double real;
    Str string;        /* borrowed from the mapping */
    uint64_t count;    /* arrays */
    const void *array; /* opaque: read with modelfile_meta_at */
    int raw_type;      /* GGUF type number of the value or element */
} Meta;

/* path: a directory, a .gguf file, or (tokenizers only) a tokenizer.json, tokenizer.model or *.gguf
 * without tensors. need_weights false: a directory without weight files is fine. */
ModelFile *modelfile_open(const char *path, bool need_weights, Error *err);
void modelfile_close(ModelFile *file);

Container modelfile_container(const ModelFile *file);
const char *modelfile_path(const ModelFile *file);
/* Base name of the first weight file, or "". */
const char *modelfile_weights_name(const ModelFile *file);
uint64_t modelfile_bytes(const ModelFile *file); /* sum of the weight files' sizes */
/* The weight files one by one; i from 0 to modelfile_n_files - 1. */
typedef struct {
    const char *name; /* base name */
    uint64_t bytes;
    size_t n_tensors;
} WeightFile;
size_t modelfile_n_files(const ModelFile *file);
WeightFile modelfile_file_at(const ModelFile *file, size_t i);
size_t modelfile_n_tensors(const ModelFile *file);
const FileTensor *modelfile_tensor_at(const ModelFile *file, size_t i);
const FileTensor *modelfile_find(const ModelFile *file, const char *name); /* NULL if absent */

/* Directories: parsed JSON files, or NULL when absent; a file that is there but broken failed
 * modelfile_open. A file with a number beyond 64 bits (transformers' 1e30 for "no limit") has all
 * its integers as reals. */
const json_t *modelfile_config(const ModelFile *file); /* config.json */
/* quantize_config.json, quant_config.json or config's */
const json_t *modelfile_quant_config(const ModelFile *file);
const json_t *modelfile_generation_config(const ModelFile *file);
const json_t *modelfile_tokenizer_config(const ModelFile *file); /* tokenizer_config.json */
/* A further file of the directory, whole.  ERR_NOT_FOUND when absent.  name must be a plain base
 * name. */
bool modelfile_read(const ModelFile *file, const char *name, size_t max, Buf *out, Error *err);
bool modelfile_has(const ModelFile *file, const char *name);

/* Path of the mapped file that holds an address, or NULL.  Async-signal-safe, for a SIGBUS handler.
 */
const char *modelfile_at(const void *address);

/* GGUF: metadata. */
bool modelfile_meta(const ModelFile *file, const char *key, Meta *out); /* false if absent */
/* Element i of an array; i < count. */
void modelfile_meta_at(const Meta *array, uint64_t i, Meta *out);

#endif
