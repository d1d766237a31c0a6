/* Products of float32 matrices on all threads, for quantising: there the activations must not be
 * rounded as the decoder's kernels round them.
 *
 * A result depends on shapes and instruction set, never on the number of threads: each element is
 * the sum over pieces of DENSE_DEPTH of k in order, and a piece is summed by one thread. */
#ifndef KERNELS_CPU_DENSE_H
#define KERNELS_CPU_DENSE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/cpu/pool.h"

enum { DENSE_DEPTH = 256 };

typedef struct Dense Dense;

/* Element (i, j) is data[i * row + j * col]; one of the two strides is 1. */
typedef struct {
    const float *data;
    int64_t row, col;
} DenseView;

typedef enum { DENSE_SET, DENSE_ADD, DENSE_SUBTRACT } DenseStore;

/* c (m, n), rows c_row apart, becomes, gains or loses a (m, k) times b (k, n). */
typedef struct {
    DenseView a, b;
    float *c;
    int64_t c_row, m, n, k;
    DenseStore store;
} DenseProduct;

/* isa, threads: as BackendOptions.  NULL: *why says so, in English. */
Dense *dense_new(const char *isa, int threads, const char **why);
void dense_free(Dense *dense);
int dense_threads(const Dense *dense);
void dense_run(Dense *dense, int n, PoolItem *run, void *arg);

/* False when out of memory. */
bool dense_multiply(Dense *dense, const DenseProduct *product);
/* The same on the calling thread alone, inside an item of dense_run. */
void dense_multiply_here(Dense *dense, const DenseProduct *product, int thread);
/* h (n, n), lower triangle, gains the products of every two columns of x (rows, n). */
bool dense_gram(Dense *dense, const float *x, int64_t rows, int64_t n, double *h);
/* y -= factor * x */
void dense_subtract(const Dense *dense, float *y, const float *x, float factor, int n);

#endif
