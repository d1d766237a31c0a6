/* Typed, range-checked values out of config.json objects and GGUF metadata.  An absent key, or
 * null, leaves the default that the caller put there; a value of the wrong type or out of range is
 * an error that names it. */
#ifndef ENGINE_FIELDS_H
#define ENGINE_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/modelfile.h"
#include "src/base/error.h"

/* Where values come from: a JSON object, or GGUF keys that begin with "prefix.". */
typedef struct {
    const char *source;    /* for sentences: "config.json", or the file's path */
    const json_t *object;  /* NULL for GGUF */
    const ModelFile *file; /* GGUF */
    const char *prefix;    /* GGUF: "llama" */
    Error *err;
} Fields;

typedef struct {
    int64_t min, max;
} IntRange;

typedef struct {
    double min, max; /* inclusive; NaN never passes */
} RealRange;

/* GGUF: an array with one value a layer counts as that value when all are the same. */
bool field_int(const Fields *fields, const char *key, IntRange range, int *inout);
bool field_real(const Fields *fields, const char *key, RealRange range, double *inout);
bool field_bool(const Fields *fields, const char *key, bool *inout);
/* *inout is borrowed from the object or the file; GGUF strings are not NUL-terminated, hence Str.
 */
bool field_string(const Fields *fields, const char *key, Str *inout);
bool field_has(const Fields *fields, const char *key);

#endif
