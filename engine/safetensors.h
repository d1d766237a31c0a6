/* The safetensors container: https://github.com/huggingface/safetensors (README and src/tensor.rs).
 */
#ifndef ENGINE_SAFETENSORS_H
#define ENGINE_SAFETENSORS_H

#include "engine/mapping.h"
#include "engine/tensors.h"

/* Appends the tensors of a mapped file to the table.  Checks every rule of the format; the table is
 * not yet finished. */
bool safetensors_read(const Mapping *file, TensorTable *table, Error *err);

#endif
