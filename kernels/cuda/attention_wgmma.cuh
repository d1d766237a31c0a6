/* Prefill attention on Hopper. */
#ifndef KERNELS_CUDA_ATTENTION_WGMMA_CUH
#define KERNELS_CUDA_ATTENTION_WGMMA_CUH

#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/prefill_wgmma.cuh"

enum {
    SLICE_POSITIONS = 512, /* of a block where queries are few, at least */
    FLASH_SLICES = 16,     /* at most */
    SLICED_TOKENS = 128    /* as many tokens at most are sliced */
};

typedef struct {
    AttentionCall attention;
    WgmmaX x;       /* x.x not NULL: the output goes there, in the order of columns, else to out */
    bool roped;     /* attention_rope's work is done */
    float *partial; /* flash_partial_floats() of them */
    int positions;  /* of the context after this feed */
    int slice;      /* flash_slice() of the model */
} FlashCall;

/* Positions of a slice: a matter of the model alone, so that rounding is too. */
static inline int flash_slice(int max_context)
{
    return div_up(div_up(max_context, FLASH_SLICES), SLICE_POSITIONS) * SLICE_POSITIONS;
}

static inline size_t flash_partial_floats(int n_heads, int head_dim, int max_context)
{
    return (size_t)div_up(max_context, flash_slice(max_context)) * n_heads * SLICED_TOKENS *
           (head_dim + 2);
}

static __host__ __device__ inline float *flash_partial(const FlashCall &c, int slice, int head,
                                                       int token)
{
    return c.partial + (((size_t)slice * c.attention.n_heads + head) * SLICED_TOKENS + token) *
                           (c.attention.head_dim + 2);
}

/* Rope, append to the cache, attend.  head_dim 64 or 128. */
cudaError_t flash_attention(const FlashCall *call, int n_sms, bool pdl, cudaStream_t stream);
cudaError_t flash_setup(int shared_limit);

#endif
