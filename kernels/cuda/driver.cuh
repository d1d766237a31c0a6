/* Choosing and capturing the decode driver of a model. */
#ifndef KERNELS_CUDA_DRIVER_CUH
#define KERNELS_CUDA_DRIVER_CUH

#include "kernels/cuda/forward.cuh"

/* Fills m->plan for the token counts that the persistent kernel can take (none: plan_shared stays
 * 0). */
cudaError_t driver_prepare(CudaLoaded *m);
/* Captures the graphs of 1 to m->decode_tokens tokens, each with the driver that was asked for or
 * is faster here. */
cudaError_t driver_capture(CudaLoaded *m);

#endif
