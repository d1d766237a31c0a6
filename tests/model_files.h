/* What the tests of model files share: a folder, good models with one thing changed, and what a
 * refusal must look like. */
#ifndef TESTS_MODEL_FILES_H
#define TESTS_MODEL_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/model.h"
#include "engine/modelfile.h"
#include "src/base/error.h"

/* Of processor time, so that other work does not count; instrumented code is slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LIMIT_MS = 10000 };
#else
enum { LIMIT_MS = 1000 };
#endif
double processor_ms(void);

/* A row of a table of broken files: a recipe (see hostile.h), and what the refusal must say. */
typedef struct {
    const char *name, *recipe;
    ErrorKind kind;
    const char *words;
} BadFile;

/* The folder of the running test: setup and teardown of cmocka. */
extern char dir[4096];
int make_dir(void **state);
int drop_dir(void **state);
const char *in_dir(const char *name); /* in static storage until the next call */

/* Under 200 MB so far; not with sanitizers, whose own memory would count. */
void check_memory(void);

typedef struct {
    ModelFile *file;
    Model *model; /* NULL, and *err set, when either failed */
} Bound;

Bound bind_at(const char *path, bool with_weights, Error *err);
void unbind(Bound *bound);

/* Opening, or binding, must fail with this kind and one line that has these words; opening within a
 * second. */
void expect_unopened(const char *what, const char *path, ErrorKind kind, const char *words);
void expect_unbound(const char *what, const char *path, ErrorKind kind, const char *words);

/* Merges JSON text into a file of the folder; a null removes the key. */
void edit_json(const char *name, const char *text);
/* Replaces text in a file by other text of the same length, wherever it is. */
void edit_bytes(const char *name, const char *from, const char *to);
/* Overwrites data of a tensor in model.safetensors. */
void edit_tensor(const char *tensor, size_t offset, const void *data, size_t bytes);

#endif
