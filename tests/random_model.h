/* Random models in memory, in every format that a backend can be given: what kernel tests compare backends on.
 *
 * Weights are scaled so that activations stay of ordinary size through the layers. */
#ifndef TESTS_RANDOM_MODEL_H
#define TESTS_RANDOM_MODEL_H

#include "kernels/kernels.h"

typedef struct {
    const char *name;
    int layers, hidden, heads, kv_heads, head_dim, intermediate, vocab, context;
    DType dense;          /* of the linears where group is 0; DTYPE_Q4_0, … too */
    int group;            /* GPTQ or AWQ; 0: dense; -1: one group */
    QuantPacking packing;
    QuantZero zero_rule;
    bool symmetric, act_order, own_order; /* own_order: each matrix has its own g_idx */
    DType embedding;      /* of the embedding, and of the head when not tied */
    bool tied, bias, qk_norm, interleaved;
    int window;
    uint64_t seed;
} RandomSpec;

typedef struct {
    ModelShape shape;
    ModelWeights weights;
    /* private */
    void **block;
    size_t n_blocks, cap;
    uint64_t state;
} RandomModel;

void random_model_init(RandomModel *model, const RandomSpec *spec);
void random_model_release(RandomModel *model);
/* Uniform in [0, n). */
uint32_t random_model_below(uint64_t *state, uint32_t n);

/* The zoo: one row a format and shape that must work. */
extern const RandomSpec random_specs[];
extern const int n_random_specs;

#endif
