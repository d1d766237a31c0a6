/* The small kernel of float32 products in plain C. */
#include "config.h"

#include "kernels/cpu/cpu.h"

enum { ROWS = PRODUCT_ROWS_GENERIC, COLS = PRODUCT_COLS_GENERIC };

void product_generic(const float *a, const float *b, int k, float *c)
{
    float sum[ROWS][COLS] = { { 0 } };
    for (int i = 0; i < k; i++, a += ROWS, b += COLS)
        for (int r = 0; r < ROWS; r++)
            for (int j = 0; j < COLS; j++)
                sum[r][j] += a[r] * b[j];
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < COLS; j++)
            c[r * COLS + j] = sum[r][j];
}

void subtract_generic(float *y, const float *x, float factor, int n)
{
    for (int i = 0; i < n; i++)
        y[i] -= factor * x[i];
}
