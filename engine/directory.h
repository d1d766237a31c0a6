/* A model's directory as Hugging Face lays it out: which files there are, which of them hold the
 * weights, and the parsed JSON files beside them. */
#ifndef ENGINE_DIRECTORY_H
#define ENGINE_DIRECTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/error.h"

typedef enum {
    DIRECTORY_MODEL, /* config.json, tokenizer files, safetensors */
    DIRECTORY_GGUF   /* nothing of that, but one GGUF file: weights[0] */
} DirectoryKind;

typedef struct {
    char *path;
    char *only;     /* the file in it that was asked for, or NULL: hides the others of its kind */
    char **weights; /* base names of the weight files, each once */
    size_t n_weights;
    json_t *index;      /* the whole index file, or NULL */
    json_t *weight_map; /* borrowed from index: tensor name to base name */
    json_t *config, *generation_config, *tokenizer_config;
    json_t *quant_config; /* a reference of its own, also when it is part of config */
} Directory;

/* path: a directory, or a file in one.  Opens no weight file. */
bool directory_open(Directory *directory, const char *path, bool need_weights, DirectoryKind *kind,
                    Error *err);
void directory_release(Directory *directory);
/* As modelfile_read and modelfile_has. */
bool directory_read(const Directory *directory, const char *name, size_t max, Buf *out, Error *err);
bool directory_has(const Directory *directory, const char *name);

#endif
