/* The table of number formats: how values lie in files and how they become floats.
 *
 * Everything here is plain C and slow: rows of an embedding, biases, norms and tests go through it.
 * Matrices have kernels of their own in cpu/ and cuda/.  Block layouts: ggml-common.h of llama.cpp.
 */
#include "config.h"

#include <string.h>

#include "kernels/half.h"
#include "kernels/kernels.h"

static void f32_to_float(const void *src, float *dst, int64_t n)
{
    memcpy(dst, src, (size_t)n * sizeof *dst);
}

static void f16_to_float(const void *src, float *dst, int64_t n)
{
    const unsigned char *bytes = src;
    for (int64_t i = 0; i < n; i++)
        dst[i] = half_load(bytes + 2 * i);
}

static void bf16_to_float(const void *src, float *dst, int64_t n)
{
    const unsigned char *bytes = src;
    for (int64_t i = 0; i < n; i++)
        dst[i] = bfloat_load(bytes + 2 * i);
}

static void f64_to_float(const void *src, float *dst, int64_t n)
{
    const unsigned char *bytes = src;
    for (int64_t i = 0; i < n; i++) {
        double value;
        memcpy(&value, bytes + 8 * i, sizeof value);
        dst[i] = (float)value;
    }
}

/* d, qs[16]: element j is the low nibble of qs[j], element j + 16 the high one; (q - 8) * d */
static void q4_0_to_float(const void *src, float *dst, int64_t n)
{
    const unsigned char *block = src;
    for (int64_t i = 0; i < n; i += 32, block += 18) {
        float d = half_load(block);
        for (int j = 0; j < 16; j++) {
            dst[i + j] = (float)((block[2 + j] & 15) - 8) * d;
            dst[i + 16 + j] = (float)((block[2 + j] >> 4) - 8) * d;
        }
    }
}

/* d, m, qs[16]: q * d + m */
static void q4_1_to_float(const void *src, float *dst, int64_t n)
{
    const unsigned char *block = src;
    for (int64_t i = 0; i < n; i += 32, block += 20) {
        float d = half_load(block), m = half_load(block + 2);
        for (int j = 0; j < 16; j++) {
            dst[i + j] = (float)(block[4 + j] & 15) * d + m;
            dst[i + 16 + j] = (float)(block[4 + j] >> 4) * d + m;
        }
    }
}

/* d, int8 qs[32]: q * d */
static void q8_0_to_float(const void *src, float *dst, int64_t n)
{
    const unsigned char *block = src;
    for (int64_t i = 0; i < n; i += 32, block += 34) {
        float d = half_load(block);
        for (int j = 0; j < 32; j++)
            dst[i + j] = (float)(int8_t)block[2 + j] * d;
    }
}

static const DTypeInfo dtypes[DTYPE_COUNT] = {
    [DTYPE_F32] = { "F32", 1, 4, f32_to_float },
    [DTYPE_F16] = { "F16", 1, 2, f16_to_float },
    [DTYPE_BF16] = { "BF16", 1, 2, bf16_to_float },
    [DTYPE_F64] = { "F64", 1, 8, f64_to_float },
    [DTYPE_I32] = { "I32", 1, 4, NULL },
    [DTYPE_Q4_0] = { "Q4_0", 32, 18, q4_0_to_float },
    [DTYPE_Q4_1] = { "Q4_1", 32, 20, q4_1_to_float },
    [DTYPE_Q8_0] = { "Q8_0", 32, 34, q8_0_to_float },
};

const DTypeInfo *dtype_info(DType type)
{
    return &dtypes[type];
}
