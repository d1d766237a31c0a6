/* The Hessian of a matrix: scaled, damped, ordered, and turned into the factor that the solver
 * walks along.
 *
 * Wanted is R, upper, with R^T R = H^-1.  With the order of rows and columns turned round, H is
 * L L^T with a lower L; turned back, L^-1 is R: one factorisation and one inversion of a triangle
 * instead of AutoGPTQ's two factorisations and one inversion of the whole, and no loss of digits in
 * between. */
#include "config.h"

#include "engine/quantize_solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"

enum { DAMP_TRIES = 4 };

bool hessian_init(Hessian *hessian, int64_t n, Error *err)
{
    *hessian = (Hessian){ .n = (int)n };
    hessian->h = mem_try_alloc((size_t)n * (size_t)n, sizeof *hessian->h);
    if (!hessian->h)
        return error_set(err, ERR_MEMORY,
                         _("out of memory: the inputs of a matrix of %lld columns need %lld MB; "
                           "close other programs or take a machine with more memory"),
                         (long long)n, (long long)(n * n >> 17));
    hessian->order = xcalloc((size_t)n, sizeof *hessian->order);
    hessian->place = xcalloc((size_t)n, sizeof *hessian->place);
    hessian->dead = xcalloc((size_t)n, sizeof *hessian->dead);
    hessian->diag = xcalloc((size_t)n, sizeof *hessian->diag);
    return true;
}

void hessian_release(Hessian *hessian)
{
    free(hessian->h);
    free(hessian->order);
    free(hessian->place);
    free(hessian->dead);
    free(hessian->diag);
    *hessian = (Hessian){ 0 };
}

typedef struct {
    double diag;
    int at;
} Ranked;

/* Falling; equal ones as they stood, so that the order does not depend on the library's sort. */
static int compare_ranked(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;

    if (x->diag != y->diag)
        return x->diag > y->diag ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void choose_order(Hessian *hessian, bool act_order)
{
    Ranked *ranked = xcalloc((size_t)hessian->n, sizeof *ranked);

    for (int i = 0; i < hessian->n; i++)
        ranked[i] = (Ranked){ hessian->diag[i], i };
    if (act_order)
        qsort(ranked, (size_t)hessian->n, sizeof *ranked, compare_ranked);
    for (int i = 0; i < hessian->n; i++) {
        hessian->order[i] = ranked[i].at;
        hessian->place[ranked[i].at] = i;
    }
    free(ranked);
}

/* Lower triangle to both, scaled as AutoGPTQ does; inputs that were always 0 get a 1. */
static bool complete(Hessian *hessian, double scale)
{
    int64_t n = hessian->n;
    double *h = hessian->h;

    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double value = h[i * n + j] * scale;
            h[i * n + j] = h[j * n + i] = value;
        }
    for (int64_t i = 0; i < n; i++) {
        hessian->dead[i] = h[i * n + i] == 0;
        if (hessian->dead[i])
            h[i * n + i] = 1;
        hessian->diag[i] = h[i * n + i];
        if (!isfinite(hessian->diag[i]))
            return false;
    }
    return true;
}

/* Row and column i become row and column from[i], in place: cycles of rows, then every row. */
static void permute(double *h, int n, const int *from)
{
    size_t bytes = (size_t)n * sizeof *h;
    double *spare = xcalloc((size_t)n, sizeof *spare);
    bool *done = xcalloc((size_t)n, sizeof *done);

    for (int start = 0; start < n; start++) {
        int at = start;
        if (done[start] || from[start] == start)
            continue;
        memcpy(spare, h + (int64_t)start * n, bytes);
        while (from[at] != start) {
            memcpy(h + (int64_t)at * n, h + (int64_t)from[at] * n, bytes);
            done[at] = true;
            at = from[at];
        }
        memcpy(h + (int64_t)at * n, spare, bytes);
        done[at] = true;
    }
    for (int i = 0; i < n; i++) {
        double *row = h + (int64_t)i * n;
        memcpy(spare, row, bytes);
        for (int j = 0; j < n; j++)
            row[j] = spare[from[j]];
    }
    free(done);
    free(spare);
}

/* The factorisation works on the half of h that LAPACK calls lower; the other half still holds what
 * it came from. */
static void restore(double *h, int n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            h[j * n + i] = h[i * n + j];
}

bool hessian_prepare(Hessian *hessian, int64_t n_rows, const GptqSettings *settings,
                     const Lapack *lapack, Error *err)
{
    int n = hessian->n;
    double mean = 0, damp;
    int *turned;

    if (!complete(hessian, 2.0 / (double)n_rows))
        return error_set(err, ERR_FORMAT,
                         _("the activations of the calibration text are not finite; the model file "
                           "may be damaged"));
    choose_order(hessian, settings->act_order);
    turned = xcalloc((size_t)n, sizeof *turned);
    for (int i = 0; i < n; i++) {
        turned[i] = hessian->order[n - 1 - i];
        mean += hessian->diag[i] / n;
    }
    permute(hessian->h, n, turned);
    damp = settings->damp * mean;
    for (int try = 0; try < DAMP_TRIES; try++, damp *= 10) {
        for (int64_t i = 0; i < n; i++)
            hessian->h[i * n + i] = hessian->diag[turned[i]] + damp;
        if (lapack_inverse_factor(lapack, hessian->h, n) == 0) {
            free(turned);
            return true;
        }
        restore(hessian->h, n);
    }
    free(turned);
    return error_set(err, ERR_FORMAT,
                     _("the calibration text does not determine the weights even when damped; give "
                       "a longer or more varied text"));
}
