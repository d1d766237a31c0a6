/* Attention over the KV cache: [layer][K, V][kv head][context][head_dim] in fp16. */
#ifndef KERNELS_CUDA_ATTENTION_CUH
#define KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/common.cuh"

typedef struct {
    int layer, n_heads, n_kv_heads, head_dim;
    float *qkv;            /* [token][stride]: q, k, v side by side, before rope */
    int stride;
    const float *q_norm, *k_norm; /* per head RMS weights, or NULL */
    float eps;
    const float2 *rope;    /* [context][rope_dims / 2]: cos, sin */
    int rope_dims;
    bool interleaved;
    int window;            /* 0: none */
    float *partial;        /* decode: [kv head][chunk][token * group][head_dim + 2] */
    int *arrived;          /* decode: [kv head], zero between launches */
    float *out;            /* [token][n_heads * head_dim] */
    int out_stride;
    RunState *run;
    int tokens;            /* prefill: how many; decode: ignored */
    __half *q16;           /* prefill: [token][n_heads * head_dim] */
} AttentionCall;

size_t attention_partial_floats(int n_heads, int head_dim, int context);
/* run->n <= DECODE_TOKENS tokens: appends k and v, attends, writes out. */
cudaError_t attention_decode(const AttentionCall *call, int n_sms, bool pdl, cudaStream_t stream);
/* call->tokens tokens at once: rope in place, appends k and v, attends.  head_dim 64 or 128. */
bool attention_can_prefill(int head_dim);
cudaError_t attention_prefill(const AttentionCall *call, cudaStream_t stream);
cudaError_t attention_setup(int shared_limit);

#endif
