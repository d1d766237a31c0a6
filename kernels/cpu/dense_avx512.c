/* The small kernel of float32 products for AVX-512: 12 rows by two vectors in registers. */
#include "config.h"

#include <immintrin.h>

#include "kernels/cpu/cpu.h"

enum { ROWS = PRODUCT_ROWS_AVX512, COLS = PRODUCT_COLS_AVX512, LANES = 16 };

void product_avx512(const float *a, const float *b, int k, float *c)
{
    __m512 sum[ROWS][2];
    for (int r = 0; r < ROWS; r++)
        sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (int i = 0; i < k; i++, a += ROWS, b += COLS) {
        __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + LANES);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) {
            __m512 value = _mm512_set1_ps(a[r]);
            sum[r][0] = _mm512_fmadd_ps(value, b0, sum[r][0]);
            sum[r][1] = _mm512_fmadd_ps(value, b1, sum[r][1]);
        }
    }
    for (int r = 0; r < ROWS; r++) {
        _mm512_storeu_ps(c + r * COLS, sum[r][0]);
        _mm512_storeu_ps(c + r * COLS + LANES, sum[r][1]);
    }
}

void subtract_avx512(float *y, const float *x, float factor, int n)
{
    __m512 by = _mm512_set1_ps(factor);
    for (int i = 0; i < n; i += LANES) {
        __mmask16 mask = n - i >= LANES ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
        __m512 old = _mm512_maskz_loadu_ps(mask, y + i), times = _mm512_maskz_loadu_ps(mask, x + i);
        _mm512_mask_storeu_ps(y + i, mask, _mm512_fnmadd_ps(by, times, old));
    }
}
