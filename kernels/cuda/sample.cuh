/* Sampling on the GPU: the definition of kernels/sample.h, so that only an id comes back. */
#ifndef KERNELS_CUDA_SAMPLE_CUH
#define KERNELS_CUDA_SAMPLE_CUH

#include "kernels/cuda/common.cuh"

#ifdef __CUDACC__
#include <limits.h>

typedef unsigned long long Rank;

/* Order of candidates as a number: logit descending, id ascending is rank descending. */
static __device__ __forceinline__ Rank rank_of(float v, int id)
{
    unsigned u = __float_as_uint(__fadd_rn(v, 0.f)); /* -0 is 0 */
    u = u & 0x80000000u ? ~u : u | 0x80000000u;
    return (Rank)u << 32 | (unsigned)(INT_MAX - id);
}
#endif

enum { SAMPLE_LIST = 2048 }; /* candidates that the kernel can sort */

typedef struct {
    int id; /* -1: the logits hold NaN or infinity; -2: more candidates than the kernel holds, ask
               the host */
    int nan_layer;
} StepResult;

typedef struct {
    const float *logits;
    int n_tokens;
    const int32_t *history; /* device: tokens of the timeline */
    int n_history;
    SampleSpec spec;
    int *count;       /* [n_tokens], zero between calls */
    float *penalised; /* [n_tokens] */
    RunState *run;
    StepResult *result; /* mapped */
} SampleCall;

/* True when the kernel knows how: greedy with penalties, or a top-k that fits. */
bool sample_on_device(const SampleSpec *spec);
/* Picks, and leaves the id in run->ids[0] and result; run->pos moves on by one. */
cudaError_t sample_launch(const SampleCall *call, cudaStream_t stream);

#endif
