/* Writes safetensors and GGUF files, also broken ones: what is written is what was added, in that
 * order. */
#ifndef TESTS_TENSOR_WRITER_H
#define TESTS_TENSOR_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"

typedef struct {
    char *name;
    const char *dtype; /* "F16", "I32", "Q4_0", … */
    int n_dims;
    int64_t dims[4]; /* row-major */
    Buf data;
} WriterTensor;

typedef struct {
    WriterTensor *tensors;
    size_t n, cap;
    Buf meta; /* GGUF: key-value pairs */
    uint64_t n_meta;
    bool narrow; /* GGUF version 1: lengths of four bytes; set before anything is added */
} TensorWriter;

/* A vector when rows is 0.  The data is empty: append to ->data.  Borrowed until the next call. */
WriterTensor *writer_add(TensorWriter *writer, const char *name, const char *dtype, int64_t rows,
                         int64_t cols);
void writer_release(TensorWriter *writer);

/* Tensors from..n as a safetensors file. */
bool writer_safetensors(const TensorWriter *writer, size_t from, size_t n, const char *path);
bool writer_gguf(const TensorWriter *writer, uint32_t version, const char *path);

void put_int(Buf *out, uint64_t value, int bytes); /* little endian */
void put_f32(Buf *out, float value);
void put_f16(Buf *out, float value); /* values that are exact in it */
void put_bf16(Buf *out, float value);
void put_float(Buf *out, const char *dtype, float value); /* F32, F16 or BF16 */
void put_string(Buf *out, Str value, int count_bytes);    /* length, then bytes */

void meta_u32(TensorWriter *writer, const char *key, uint32_t value);
void meta_f32(TensorWriter *writer, const char *key, float value);
void meta_bool(TensorWriter *writer, const char *key, bool value);
void meta_string(TensorWriter *writer, const char *key, const char *value);
/* Begins an array of `count` elements of GGUF type `type`: append them to writer->meta. */
void meta_array(TensorWriter *writer, const char *key, uint32_t type, uint64_t count);

#endif
