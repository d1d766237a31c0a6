/* Launchers of the linear layers.  Everything runs on the given stream and may be captured into a
 * graph. */
#ifndef KERNELS_CUDA_LINEAR_CUH
#define KERNELS_CUDA_LINEAR_CUH

#include "kernels/cuda/common.cuh"

typedef enum {
    EPILOGUE_STORE, /* out = y + bias */
    EPILOGUE_ADD,   /* out += y + bias: the residual stream */
    EPILOGUE_SILU   /* out = silu(gate) * up: part[0] is gate, part[1] is up */
} Epilogue;

/* Up to three matrices that read the same x. */
typedef struct {
    DevLinear part[3];
    int n_parts;
    const float *x; /* [token][x_stride] */
    int x_stride;
    const float *norm; /* RMS weight applied to x, or NULL */
    float eps;
    float *out; /* [token][out_stride]; part p writes at out_offset[p] */
    int out_stride, out_offset[3];
    Epilogue epilogue;
    RunState *run; /* run->n tokens when tokens is 0; nan_layer is set here */
    int tokens;
    int layer;
    int stages; /* filled in by linear_quantised */
} LinearCall;

/* True when linear_quantised can take all parts of the call in one kernel. */
bool linear_is_fusible(const LinearCall *call);
/* 4-bit: tokens <= DECODE_TOKENS.  pdl: launched as a programmatic dependent of the kernel in
 * front. */
cudaError_t linear_quantised(const LinearCall *call, int n_sms, int shared_limit, bool pdl,
                             cudaStream_t stream);
/* Dense types, one part, no norm, epilogue STORE or ADD; any number of tokens (in batches of
 * DECODE_TOKENS). */
cudaError_t linear_dense(const LinearCall *call, int n_sms, cudaStream_t stream);
/* Raises shared memory limits; once a device. */
cudaError_t linear_setup(int shared_limit);
/* True when the shared memory of a block holds the call at `tokens`. */
bool linear_fits(const LinearCall *call, int tokens, int shared_limit);

#endif
