/* Attention over the KV cache: [layer][K, V][kv head][context][head_dim] in fp16. */
#ifndef KERNELS_CUDA_ATTENTION_CUH
#define KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/common.cuh"

enum { MAX_SLICES = 32 };

/* Into how many slices the positions of a kv head are dealt (attention_task.cuh): enough for some
 * 128 SMs. */
static __host__ __device__ inline int attention_slices(int n_kv_heads)
{
    int n = 1;
    while (2 * n * n_kv_heads <= 128 && n < MAX_SLICES)
        n *= 2;
    return n;
}

typedef struct {
    int layer, n_heads, n_kv_heads, head_dim;
    float *qkv; /* [token][stride]: q, k, v side by side, before rope */
    int stride;
    const float *q_norm, *k_norm; /* per head RMS weights, or NULL */
    float eps;
    const float2 *rope; /* [context][rope_dims / 2]: cos, sin */
    int rope_dims;
    bool interleaved;
    int window;     /* 0: none */
    float *partial; /* decode: [kv head][slice][token * group][head_dim + 2] */
    int *arrived;   /* decode: [kv head], zero between launches */
    float *out;     /* [token][n_heads * head_dim] */
    int out_stride;
    RunState *run;
    int tokens;  /* prefill: how many; decode: ignored */
    __half *q16; /* prefill: [token][n_heads * head_dim] */
} AttentionCall;

size_t attention_partial_floats(int n_heads, int n_kv_heads, int head_dim);
/* Shared memory of a block of attention_decode. */
size_t attention_shared_bytes(const AttentionCall *call, int tokens);
/* run->n == tokens <= DECODE_TOKENS: appends k and v, attends, writes out. */
cudaError_t attention_decode(const AttentionCall *call, int tokens, bool pdl, cudaStream_t stream);
/* call->tokens tokens at once: rope in place, appends k and v, attends.  head_dim 64 or 128. */
bool attention_can_prefill(int head_dim);
/* The first part of it: rope, q to q16, k and v to the cache. */
cudaError_t attention_rope(const AttentionCall *call, bool pdl, cudaStream_t stream);
cudaError_t attention_prefill(const AttentionCall *call, cudaStream_t stream);
cudaError_t attention_setup(int shared_limit);

#endif
