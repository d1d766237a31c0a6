/* GPTQ on one matrix (Frantar et al. 2022): columns are rounded one after the other, and what each
 * rounding did wrong is taken out of the columns that follow, as the inverse of the Hessian of the
 * calibration text says. */
#ifndef ENGINE_QUANTIZE_SOLVE_H
#define ENGINE_QUANTIZE_SOLVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/quantize_lapack.h"
#include "kernels/cpu/dense.h"
#include "src/base/error.h"

typedef struct {
    int bits;       /* 4 */
    int group_size; /* -1: one group a column of the file, that is a row of the weights */
    bool act_order, symmetric;
    double damp; /* share of the mean of the diagonal that is added to it */
} GptqSettings;

/* The sums of products of a matrix's inputs, made ready to solve with. */
typedef struct {
    int n;
    double *h;    /* (n, n); see hessian_prepare */
    int *order;   /* [n]: which input stands at a place: by falling diagonal with act-order */
    int *place;   /* [n]: the inverse */
    bool *dead;   /* [n], by input: never anything but 0 */
    double *diag; /* [n] */
} Hessian;

bool hessian_init(Hessian *hessian, int64_t n, Error *err);
void hessian_release(Hessian *hessian);
/* After dense_gram over n_rows of inputs into h.  h becomes the upper Cholesky factor of the
 * inverse, by place, which hessian_factor_row reads. */
bool hessian_prepare(Hessian *hessian, int64_t n_rows, const GptqSettings *settings,
                     const Lapack *lapack, Error *err);

typedef struct {
    int64_t n_out, n_in;
    int group_size, n_groups;
    uint8_t *codes;   /* (n_out, n_in), by place */
    uint16_t *scales; /* (n_out, n_groups), binary16 */
    uint8_t *zeros;   /* (n_out, n_groups) */
} GptqMatrix;

/* w (n_out, n_in) becomes what the codes stand for.  cancel may be NULL. */
typedef struct {
    Dense *dense;
    const Hessian *hessian;
    const GptqSettings *settings;
    const atomic_bool *cancel;
} GptqWork;
bool gptq_solve(const GptqWork *work, float *w, int64_t n_out, GptqMatrix *out, Error *err);
void gptq_release(GptqMatrix *matrix);

/* AutoGPTQ's tensors, version 1.  Sizes: n_in / 8 * n_out and n_groups * n_out / 8 words,
 * n_groups * n_out halves, n_in integers. */
void gptq_pack_words(const GptqMatrix *matrix, const Hessian *hessian, uint32_t *qweight);
void gptq_pack_zeros(const GptqMatrix *matrix, uint32_t *qzeros);
void gptq_pack_scales(const GptqMatrix *matrix, uint16_t *scales);
void gptq_pack_order(const GptqMatrix *matrix, const Hessian *hessian, int32_t *g_idx);

/* How one group of n values is rounded: value = scale * (code - zero). */
typedef struct {
    float scale;
    int zero;
} GptqGrid;
typedef struct {
    const float *w;
    const float *weight; /* what a mistake in each costs; NULL: all the same */
    int n;
} GptqGroup;
/* The grid that does least damage.  False where the values do not fit binary16 scales. */
bool gptq_grid(const GptqGroup *group, bool symmetric, GptqGrid *out);
int gptq_code(GptqGrid grid, float value);

#endif
