/* Products of float32 matrices: packing into panels, and the loops around the instruction set's
 * small kernel.  For each piece of k the columns of b are packed once for all threads; then the
 * blocks of c are the items, each with the packing of its own rows of a. */
#include "config.h"

#include "kernels/cpu/dense.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

enum { BLOCK_ROWS = 96, BLOCK_COLS = 512, PANELS_MAX = 12 * 32 };

struct Dense {
    const Isa *isa;
    Pool *pool;
    float **rows_pack; /* [threads][BLOCK_ROWS * DENSE_DEPTH] */
    float **cols_pack; /* [threads][DENSE_DEPTH * BLOCK_COLS], for products of one thread */
    float *shared;     /* packed b of one piece of k, for all */
    size_t shared_cap;
};

/* One piece of k of a product. */
typedef struct {
    Dense *dense;
    const DenseProduct *product;
    double *gram; /* instead of product->c */
    int64_t k0, n_col_blocks;
    int kn;
} Piece;

static int smaller(int64_t a, int64_t b)
{
    return (int)(a < b ? a : b);
}

/* ---- packing: panels of `width` rows or columns, k after k, zeros at the edge ---- */

/* n of at most `width` lines; stride: from line to line; step: from one k to the next. */
typedef struct {
    const float *from;
    int64_t stride, step;
    int kn, n, width;
} Panel;

static void pack_panel(Panel p, float *to)
{
    if (p.n < p.width)
        memset(to, 0, (size_t)p.kn * (size_t)p.width * sizeof *to);
    if (p.stride == 1) {
        for (int k = 0; k < p.kn; k++)
            memcpy(to + (int64_t)k * p.width, p.from + k * p.step, (size_t)p.n * sizeof *to);
        return;
    }
    for (int i = 0; i < p.n; i++)
        for (int k = 0; k < p.kn; k++)
            to[(int64_t)k * p.width + i] = p.from[i * p.stride + k * p.step];
}

static void pack_rows(const Piece *p, int64_t i0, int n, float *to)
{
    const DenseView *a = &p->product->a;
    int width = p->dense->isa->product_rows;
    for (int i = 0; i < n; i += width, to += (int64_t)p->kn * width)
        pack_panel((Panel){ a->data + (i0 + i) * a->row + p->k0 * a->col, a->row, a->col, p->kn,
                            smaller(n - i, width), width },
                   to);
}

static void pack_cols(const Piece *p, int64_t j0, int n, float *to)
{
    const DenseView *b = &p->product->b;
    int width = p->dense->isa->product_cols;
    for (int j = 0; j < n; j += width, to += (int64_t)p->kn * width)
        pack_panel((Panel){ b->data + (j0 + j) * b->col + p->k0 * b->row, b->col, b->row, p->kn,
                            smaller(n - j, width), width },
                   to);
}

/* ---- one block of c ---- */

static void store_float(const Piece *p, int64_t i, int64_t j, int n, const float *from)
{
    float *to = p->product->c + i * p->product->c_row + j;
    DenseStore store = p->product->store;
    if (store == DENSE_SET && p->k0 == 0)
        memcpy(to, from, (size_t)n * sizeof *to);
    else if (store == DENSE_SUBTRACT)
        for (int x = 0; x < n; x++)
            to[x] -= from[x];
    else
        for (int x = 0; x < n; x++)
            to[x] += from[x];
}

static void store_gram(const Piece *p, int64_t i, int64_t j, int n, const float *from)
{
    double *to = p->gram + i * p->product->n + j;
    n = smaller(n, i - j + 1);
    for (int x = 0; x < n; x++)
        to[x] += (double)from[x];
}

typedef struct {
    int64_t i0, j0; /* first row and column */
    int in, jn;
} Region;

/* rows and cols: packed. */
static void block(const Piece *p, Region at, const float *rows, const float *cols)
{
    const Isa *isa = p->dense->isa;
    int mr = isa->product_rows, nr = isa->product_cols;
    _Alignas(64) float tile[PANELS_MAX];
    for (int j = 0; j < at.jn; j += nr)
        for (int i = 0; i < at.in; i += mr) {
            isa->product(rows + (int64_t)i * p->kn, cols + (int64_t)j * p->kn, p->kn, tile);
            for (int r = 0; r < mr && i + r < at.in; r++) {
                int n = smaller(at.jn - j, nr);
                if (p->gram)
                    store_gram(p, at.i0 + i + r, at.j0 + j, n, tile + r * nr);
                else
                    store_float(p, at.i0 + i + r, at.j0 + j, n, tile + r * nr);
            }
        }
}

static void pack_item(void *arg, int item, int thread)
{
    const Piece *p = arg;
    int64_t j0 = (int64_t)item * BLOCK_COLS;
    (void)thread;
    pack_cols(p, j0, smaller(p->product->n - j0, BLOCK_COLS), p->dense->shared + j0 * p->kn);
}

static void block_item(void *arg, int item, int thread)
{
    const Piece *p = arg;
    int64_t i0 = item / p->n_col_blocks * BLOCK_ROWS, j0 = item % p->n_col_blocks * BLOCK_COLS;
    int in = smaller(p->product->m - i0, BLOCK_ROWS);
    float *rows = p->dense->rows_pack[thread];
    if (p->gram && j0 > i0 + in - 1)
        return;
    pack_rows(p, i0, in, rows);
    block(p, (Region){ i0, j0, in, smaller(p->product->n - j0, BLOCK_COLS) }, rows,
          p->dense->shared + j0 * p->kn);
}

/* ---- whole products ---- */

static bool reserve_shared(Dense *dense, int64_t n)
{
    size_t want = round_up((size_t)n, (size_t)dense->isa->product_cols) * DENSE_DEPTH;
    if (want <= dense->shared_cap)
        return true;
    free(dense->shared);
    dense->shared = aligned_alloc(ALIGNMENT, round_up(want * sizeof(float), ALIGNMENT));
    dense->shared_cap = dense->shared ? want : 0;
    return dense->shared != NULL;
}

static bool multiply(Dense *dense, const DenseProduct *product, double *gram)
{
    int64_t n_row_blocks = (product->m + BLOCK_ROWS - 1) / BLOCK_ROWS;
    Piece p = { .dense = dense, .product = product, .gram = gram };
    if (!reserve_shared(dense, product->n))
        return false;
    p.n_col_blocks = (product->n + BLOCK_COLS - 1) / BLOCK_COLS;
    for (p.k0 = 0; p.k0 < product->k; p.k0 += DENSE_DEPTH) {
        p.kn = smaller(product->k - p.k0, DENSE_DEPTH);
        pool_run(dense->pool, (int)p.n_col_blocks, pack_item, &p);
        pool_run(dense->pool, (int)(n_row_blocks * p.n_col_blocks), block_item, &p);
    }
    return true;
}

bool dense_multiply(Dense *dense, const DenseProduct *product)
{
    return multiply(dense, product, NULL);
}

void dense_multiply_here(Dense *dense, const DenseProduct *product, int thread)
{
    Piece p = { .dense = dense, .product = product };
    float *rows = dense->rows_pack[thread], *cols = dense->cols_pack[thread];
    for (p.k0 = 0; p.k0 < product->k; p.k0 += DENSE_DEPTH) {
        p.kn = smaller(product->k - p.k0, DENSE_DEPTH);
        for (int64_t j0 = 0; j0 < product->n; j0 += BLOCK_COLS) {
            int jn = smaller(product->n - j0, BLOCK_COLS);
            pack_cols(&p, j0, jn, cols);
            for (int64_t i0 = 0; i0 < product->m; i0 += BLOCK_ROWS) {
                int in = smaller(product->m - i0, BLOCK_ROWS);
                pack_rows(&p, i0, in, rows);
                block(&p, (Region){ i0, j0, in, jn }, rows, cols);
            }
        }
    }
}

bool dense_gram(Dense *dense, const float *x, int64_t rows, int64_t n, double *h)
{
    DenseProduct product = { .a = { x, 1, n }, .b = { x, n, 1 }, .m = n, .n = n, .k = rows };
    return multiply(dense, &product, h);
}

void dense_subtract(const Dense *dense, float *y, const float *x, float factor, int n)
{
    dense->isa->subtract(y, x, factor, n);
}

/* ---- lifetime ---- */

Dense *dense_new(const char *isa, int threads, const char **why)
{
    const Isa *chosen = cpu_choose_isa(isa, why);
    Dense *dense = chosen ? calloc(1, sizeof *dense) : NULL;
    bool ok = dense != NULL;
    if (!chosen)
        return NULL;
    *why = "out of memory or threads";
    if (!dense)
        return NULL;
    dense->isa = chosen;
    dense->pool = pool_new(cpu_count_threads(threads));
    ok = dense->pool != NULL;
    threads = ok ? pool_threads(dense->pool) : 0;
    dense->rows_pack = calloc((size_t)threads + 1, sizeof *dense->rows_pack);
    dense->cols_pack = calloc((size_t)threads + 1, sizeof *dense->cols_pack);
    ok = ok && dense->rows_pack && dense->cols_pack;
    for (int i = 0; ok && i < threads; i++) {
        dense->rows_pack[i] = aligned_alloc(ALIGNMENT, BLOCK_ROWS * DENSE_DEPTH * sizeof(float));
        dense->cols_pack[i] = aligned_alloc(ALIGNMENT, DENSE_DEPTH * BLOCK_COLS * sizeof(float));
        ok = dense->rows_pack[i] && dense->cols_pack[i];
    }
    if (ok)
        return dense;
    dense_free(dense);
    return NULL;
}

void dense_free(Dense *dense)
{
    if (!dense)
        return;
    for (int i = 0; dense->pool && i < pool_threads(dense->pool); i++) {
        if (dense->rows_pack)
            free(dense->rows_pack[i]);
        if (dense->cols_pack)
            free(dense->cols_pack[i]);
    }
    free(dense->rows_pack);
    free(dense->cols_pack);
    free(dense->shared);
    pool_free(dense->pool);
    free(dense);
}

int dense_threads(const Dense *dense)
{
    return pool_threads(dense->pool);
}

void dense_run(Dense *dense, int n, PoolItem *run, void *arg)
{
    pool_run(dense->pool, n, run, arg);
}
