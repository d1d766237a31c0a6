/* The solver: blocks of 128 places; inside a block every row on its own, the columns to the right
 * of the block corrected afterwards in one product (the algorithm's lazy batches).
 *
 * Scales are rounded to the binary16 that the file will hold before they are used, so that codes
 * and scales fit each other. */
#include "config.h"

#include "engine/quantize_solve.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/half.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"

enum { BLOCK = 128, ROWS_ITEM = 16 };

typedef struct {
    const GptqWork *work;
    GptqMatrix *matrix;
    float *w;      /* (n_out, n_in), by place */
    float *wrong;  /* (n_out, BLOCK): what each rounding did wrong, over the diagonal */
    float *cost;   /* [n_in]: of a mistake at a place: 1 over the square of R's diagonal */
    float *factor; /* (BLOCK, n_in - from): rows of R from the block's first place on */
    int from, to;  /* the block's places */
    atomic_bool *unfit;
} Solve;

/* ---- one row ---- */

static void solve_row(const Solve *s, int64_t row)
{
    int64_t n_in = s->matrix->n_in, n_groups = s->matrix->n_groups;
    int size = s->matrix->group_size, width = (int)n_in - s->from;
    float *w = s->w + row * n_in, *wrong = s->wrong + row * BLOCK;
    GptqGrid grid = { 0, 0 };

    for (int i = s->from; i < s->to; i++) {
        const float *factor = s->factor + (int64_t)(i - s->from) * width + (i - s->from);
        int64_t group = row * n_groups + i / size;
        int n = (int)(i + size < n_in ? size : n_in - i), code;
        float value;

        if (i % size == 0) {
            const GptqGroup members = { w + i, s->cost + i, n };
            if (!gptq_grid(&members, s->work->settings->symmetric, &grid))
                atomic_store(s->unfit, true);
            s->matrix->scales[group] = float_to_half(grid.scale);
            s->matrix->zeros[group] = (uint8_t)grid.zero;
        } else if (i == s->from) {
            grid = (GptqGrid){ half_to_float(s->matrix->scales[group]), s->matrix->zeros[group] };
        }
        code = gptq_code(grid, w[i]);
        value = grid.scale * (float)(code - grid.zero);
        s->matrix->codes[row * n_in + i] = (uint8_t)code;
        wrong[i - s->from] = (w[i] - value) / factor[0];
        dense_subtract(s->work->dense, w + i + 1, factor + 1, wrong[i - s->from], s->to - i - 1);
        w[i] = value;
    }
}

static void solve_item(void *arg, int item, int thread)
{
    const Solve *s = arg;
    int64_t end = (int64_t)(item + 1) * ROWS_ITEM;

    (void)thread;
    for (int64_t row = (int64_t)item * ROWS_ITEM; row < end && row < s->matrix->n_out; row++)
        solve_row(s, row);
}

/* ---- blocks ---- */

/* Row i of R from place `from` on: R(i, j) lies at the mirror image of (j, i). */
static void take_factor(const Solve *s)
{
    int64_t n = s->matrix->n_in, width = n - s->from;
    const double *h = s->work->hessian->h, *last = h + n * n - 1;

    for (int64_t j = s->from; j < n; j++)
        for (int64_t i = s->from; i < s->to; i++)
            s->factor[(i - s->from) * width + j - s->from] =
                j >= i ? (float)*(last - (j * n + i)) : 0;
}

static void take_costs(const Solve *s)
{
    int64_t n = s->matrix->n_in;

    for (int64_t i = 0; i < n; i++) {
        double diagonal = s->work->hessian->h[n * n - 1 - (i * n + i)];
        s->cost[i] = (float)(1 / (diagonal * diagonal));
    }
}

static bool solve_blocks(Solve *s)
{
    const GptqMatrix *m = s->matrix;
    int64_t n_in = m->n_in;

    take_costs(s);
    for (s->from = 0; s->from < n_in; s->from = s->to) {
        DenseProduct rest = { .m = m->n_out, .store = DENSE_SUBTRACT, .c_row = n_in };

        if (s->work->cancel && atomic_load(s->work->cancel))
            return false;
        s->to = (int)(s->from + BLOCK < n_in ? s->from + BLOCK : n_in);
        take_factor(s);
        dense_run(s->work->dense, (int)((m->n_out + ROWS_ITEM - 1) / ROWS_ITEM), solve_item, s);
        rest.n = n_in - s->to;
        rest.k = s->to - s->from;
        rest.a = (DenseView){ s->wrong, BLOCK, 1 };
        rest.b = (DenseView){ s->factor + rest.k, n_in - s->from, 1 };
        rest.c = s->w + s->to;
        if (rest.n > 0 && !dense_multiply(s->work->dense, &rest))
            return false;
    }
    return true;
}

/* Columns of w from input order into places, or back; inputs that are always 0 take no part. */
static void reorder(const Hessian *hessian, float *w, int64_t n_out, bool back)
{
    int64_t n = hessian->n;
    float *spare = xcalloc((size_t)n, sizeof *spare);

    for (int64_t row = 0; row < n_out; row++) {
        float *at = w + row * n;
        memcpy(spare, at, (size_t)n * sizeof *spare);
        for (int64_t i = 0; i < n; i++) {
            int64_t input = hessian->order[i];
            if (back)
                at[input] = spare[i];
            else
                at[i] = hessian->dead[input] ? 0 : spare[input];
        }
    }
    free(spare);
}

static bool reserve(Solve *s, const GptqSettings *settings)
{
    GptqMatrix *m = s->matrix;
    size_t n_out = (size_t)m->n_out, n_in = (size_t)m->n_in;

    m->group_size = settings->group_size < 0 || settings->group_size > m->n_in
                        ? (int)m->n_in
                        : settings->group_size;
    m->n_groups = (int)((m->n_in + m->group_size - 1) / m->group_size);
    m->codes = mem_try_alloc(n_out, n_in);
    m->scales = mem_try_alloc(n_out * (size_t)m->n_groups, sizeof *m->scales);
    m->zeros = mem_try_alloc(n_out, (size_t)m->n_groups);
    s->wrong = mem_try_alloc(n_out * BLOCK, sizeof *s->wrong);
    s->factor = mem_try_alloc(n_in * BLOCK, sizeof *s->factor);
    s->cost = mem_try_alloc(n_in, sizeof *s->cost);
    return m->codes && m->scales && m->zeros && s->wrong && s->factor && s->cost;
}

bool gptq_solve(const GptqWork *work, float *w, int64_t n_out, GptqMatrix *out, Error *err)
{
    atomic_bool unfit = false;
    Solve s = { .work = work, .matrix = out, .w = w, .unfit = &unfit };
    bool ok;

    *out = (GptqMatrix){ .n_out = n_out, .n_in = work->hessian->n };
    ok = reserve(&s, work->settings);
    if (ok) {
        reorder(work->hessian, w, n_out, false);
        ok = solve_blocks(&s);
        reorder(work->hessian, w, n_out, true);
    }
    free(s.wrong);
    free(s.factor);
    free(s.cost);
    if (work->cancel && atomic_load(work->cancel))
        return error_set(err, ERR_CANCELLED, "%s", _("stopped"));
    if (!ok)
        return error_set(err, ERR_MEMORY,
                         _("out of memory: a matrix of %lld x %lld; close other programs or take a "
                           "machine with more memory"),
                         (long long)n_out, (long long)out->n_in);
    if (atomic_load(&unfit))
        return error_set(err, ERR_UNSUPPORTED,
                         _("its weights are too large for scales of 16 bits"));
    return true;
}

void gptq_release(GptqMatrix *matrix)
{
    free(matrix->codes);
    free(matrix->scales);
    free(matrix->zeros);
    *matrix = (GptqMatrix){ 0 };
}
