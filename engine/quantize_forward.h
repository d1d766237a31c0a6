/* A layer of a model in float32 over many windows of text at once, for calibration: nothing but the
 * products is rounded away, and every matrix may be replaced between two steps. */
#ifndef ENGINE_QUANTIZE_FORWARD_H
#define ENGINE_QUANTIZE_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/cpu/dense.h"
#include "kernels/kernels.h"
#include "src/base/error.h"

/* The matrices of a layer in the order in which they are quantised. */
typedef enum { L_Q, L_K, L_V, L_O, L_GATE, L_UP, L_DOWN, L_COUNT } LayerMatrix;

typedef struct {
    float *matrix[L_COUNT]; /* (n_out, n_in) */
    float *bias[L_COUNT];   /* [n_out] or NULL */
    int64_t n_out[L_COUNT], n_in[L_COUNT];
    float *attn_norm, *ffn_norm; /* [hidden] */
    float *q_norm, *k_norm;      /* [head_dim] or NULL */
} LayerFloats;

bool layer_floats_init(LayerFloats *layer, const LayerWeights *weights, Error *err);
void layer_floats_release(LayerFloats *layer);

/* Texts of at most `longest` tokens, one after the other. */
typedef struct {
    int32_t *ids;
    int *start; /* [n + 1]: where each begins; start[n] is the number of all tokens */
    int n;
} Windows;

typedef struct {
    Dense *dense;
    const ModelShape *shape;
    int longest, chunk; /* tokens of a window, and of all windows that are computed together */
    float *cos, *sin;   /* (longest, rope_dims / 2) */
    float *h, *q, *k, *v, *gate, *up; /* (chunk, ...) */
    float **scores;                   /* [threads] */
} Forward;

/* longest: of all windows that will come. */
bool forward_init(Forward *forward, Dense *dense, const ModelShape *shape, int longest, Error *err);
void forward_release(Forward *forward);

/* Windows [from, to), which are computed together: n tokens from row `at` on. */
typedef struct {
    const Windows *windows;
    int from, to;
    int n;
    int64_t at;
} Batch;

/* The batch that begins with window `from`; false when there are no more. */
bool forward_next(const Forward *forward, const Windows *windows, int from, Batch *out);

/* x (n, hidden) through a norm. */
void forward_norm(const Forward *forward, const float *weight, const float *x, int64_t n,
                  float *out);
/* The heads' outputs of a batch, before o; x and out: its first row. */
bool forward_attention(Forward *forward, const LayerFloats *layer, const Batch *batch,
                       const float *x, float *out);
/* silu(gate) * up of n <= chunk tokens, in *out, until the next call. */
bool forward_inner(Forward *forward, const LayerFloats *layer, const float *x, int n,
                   const float **out);
/* x += matrix * in, with its bias. */
bool forward_add(Forward *forward, const LayerFloats *layer, LayerMatrix which, const float *in,
                 int64_t n, float *x);
/* All of it; x (all tokens, hidden), attn (chunk, heads * head_dim) for its own use. */
bool forward_layer(Forward *forward, const LayerFloats *layer, const Windows *windows, float *x,
                   float *attn);

#endif
