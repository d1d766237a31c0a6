/* Many tokens at once: fp16 tensor cores over the same blocks of weights. */
#ifndef KERNELS_CUDA_PREFILL_CUH
#define KERNELS_CUDA_PREFILL_CUH

#include "kernels/cuda/common.cuh"

/* x of a matrix product: fp16 in the matrix's order of columns, divided by a power of two per token
 * so that nothing overflows (real models reach 14,000 before down). */
typedef struct {
    __half *x;    /* [token][k_blocks * 128] */
    float *scale; /* [token] */
} PrefillX;

typedef struct {
    const float *src; /* [token][stride] */
    int stride, n_in;
    const float *norm; /* RMS weight, or NULL */
    float eps;
    const float *up; /* SiLU(src) * up, same stride; or NULL */
    const int *perm;
    int k_blocks, tokens, layer;
    RunState *run;
} PrefillPrepare;

cudaError_t prefill_prepare(const PrefillPrepare *call, const PrefillX *x, cudaStream_t stream);
/* out[token][stride] = or += W x (+ bias) */
cudaError_t prefill_linear(const DevLinear *w, const PrefillX *x, float *out, int stride, bool add,
                           int tokens, cudaStream_t stream);
cudaError_t prefill_setup(void);

#endif
