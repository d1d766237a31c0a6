/* The GGUF container, versions 1 to 3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
 */
#ifndef ENGINE_GGUF_H
#define ENGINE_GGUF_H

#include "engine/mapping.h"
#include "engine/tensors.h"

typedef struct Gguf Gguf;

bool gguf_is(const Mapping *file); /* by its first bytes */
/* Reads and checks everything but the tensors' data; appends the tensors to the table and finishes
 * it.  The mapping must outlive the result. */
Gguf *gguf_read(const Mapping *file, TensorTable *table, Error *err);
void gguf_free(Gguf *gguf);
bool gguf_meta(const Gguf *gguf, Str key, Meta *out);
/* See modelfile_meta_at: needs the array alone, in constant time. */
void gguf_meta_at(const Meta *array, uint64_t i, Meta *out);

#endif
