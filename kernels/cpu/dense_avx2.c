/* The small kernel of float32 products for AVX2 with FMA: 6 rows by two vectors in registers. */
#include "config.h"

#include <immintrin.h>
#include <math.h>

#include "kernels/cpu/cpu.h"

enum { ROWS = PRODUCT_ROWS_AVX2, COLS = PRODUCT_COLS_AVX2, LANES = 8 };

void product_avx2(const float *a, const float *b, int k, float *c)
{
    __m256 sum[ROWS][2];
    for (int r = 0; r < ROWS; r++)
        sum[r][0] = sum[r][1] = _mm256_setzero_ps();
    for (int i = 0; i < k; i++, a += ROWS, b += COLS) {
        __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + LANES);
#pragma GCC unroll 6
        for (int r = 0; r < ROWS; r++) {
            __m256 value = _mm256_broadcast_ss(a + r);
            sum[r][0] = _mm256_fmadd_ps(value, b0, sum[r][0]);
            sum[r][1] = _mm256_fmadd_ps(value, b1, sum[r][1]);
        }
    }
    for (int r = 0; r < ROWS; r++) {
        _mm256_storeu_ps(c + r * COLS, sum[r][0]);
        _mm256_storeu_ps(c + r * COLS + LANES, sum[r][1]);
    }
}

void subtract_avx2(float *y, const float *x, float factor, int n)
{
    __m256 by = _mm256_set1_ps(factor);
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(y + i,
                         _mm256_fnmadd_ps(by, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
    for (; i < n; i++)
        y[i] = fmaf(-factor, x[i], y[i]);
}
