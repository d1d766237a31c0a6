/* The directory of tensors that the readers of both containers fill. */
#ifndef ENGINE_TENSORS_H
#define ENGINE_TENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/modelfile.h"
#include "src/base/error.h"

/* Far beyond any model (the largest published ones have some 100,000), small enough for a hostile
 * header to stay cheap. */
enum { TENSORS_MAX = 1000000 };

typedef struct {
    FileTensor *tensors; /* in the order of the files */
    size_t n, cap;
    uint32_t *by_name; /* [n], after tensor_table_finish */
    char **owned;      /* names that had to be decoded */
    size_t n_owned, cap_owned;
} TensorTable;

/* Room for one more, zeroed; false when the file holds more than TENSORS_MAX. */
FileTensor *tensor_table_add(TensorTable *table, const char *file_name, Error *err);
/* Keeps a copy of name for as long as the table lives. */
Str tensor_table_keep(TensorTable *table, Str name);
/* Sorts; two tensors with one name are an error. */
bool tensor_table_finish(TensorTable *table, const char *file_name, Error *err);
const FileTensor *tensor_table_find(const TensorTable *table, Str name);
void tensor_table_release(TensorTable *table);

/* The ranges [data, data + bytes) of tensors from..n, sorted by address: false and the index of the
 * offender in *at when two overlap.  With `gapless`, also when they do not follow each other
 * exactly from `start` to `end`. */
typedef struct {
    size_t from;
    const uint8_t *start, *end;
    bool gapless;
} TensorSpan;
bool tensor_table_check_ranges(const TensorTable *table, const TensorSpan *span,
                               const FileTensor **at);

/* Multiplies the sizes; false on overflow past INT64_MAX. */
bool tensor_count(const FileTensor *tensor, uint64_t *out);

#endif
