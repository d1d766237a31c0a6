/* Models of random weights in any storage format, in memory: what the kernels' tests run on. */
#ifndef TESTS_TINY_SHAPE_H
#define TESTS_TINY_SHAPE_H

#include "kernels/kernels.h"

typedef enum { TINY_DENSE, TINY_GPTQ, TINY_AWQ } TinyPacking;

/* Zero means the plain choice, so that a row of a table says only what is special about it. */
typedef struct {
    const char *name;
    int n_layers, hidden, n_heads, n_kv_heads, head_dim, intermediate, n_vocab, n_tokens;
    TinyPacking packing;
    DType dtype;      /* TINY_DENSE: of the linears (DTYPE_F32 is 0) */
    DType head_dtype; /* of the embedding, and of the head */
    int group_size;   /* packed: 0 is the whole column */
    /* One permutation for all matrices of a width; input_order: for those of one input, as AutoGPTQ
     * has it; own_order: for every matrix. */
    bool act_order, input_order, own_order;
    bool asymmetric, as_stored;
    DType scale_type; /* packed: F32, F16, BF16 */
    DType bias_type;
    bool bias, untied, qk_norm, interleaved;
    int rope_dims, sliding_window, context;
    bool unaligned; /* every tensor at an odd address */
    bool loud;      /* SiLU(gate) * up reaches a million in the last layer */
} TinySpec;

typedef struct TinyModel TinyModel;

TinyModel *tiny_new(const TinySpec *spec, uint64_t seed);
void tiny_free(TinyModel *model);
const ModelShape *tiny_shape(const TinyModel *model);
/* May be changed by a test. */
ModelWeights *tiny_weights(TinyModel *model);
LayerWeights *tiny_layers(TinyModel *model);

/* Uniform in [0, n). */
uint32_t tiny_random(uint64_t *state, uint32_t n);

#endif
