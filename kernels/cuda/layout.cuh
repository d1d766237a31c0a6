/* Weights from a file's layout to the device's. */
#ifndef KERNELS_CUDA_LAYOUT_CUH
#define KERNELS_CUDA_LAYOUT_CUH

#include "kernels/cuda/common.cuh"

/* Copies of host memory to the device through pinned buffers, filled by several threads. */
typedef struct Uploader Uploader;
cudaError_t uploader_new(Uploader **out, cudaStream_t stream);
void uploader_free(Uploader *up);
/* dst on the device.  Returns when src may not be read any more; ordered in the stream. */
cudaError_t uploader_copy(Uploader *up, void *dst, const void *src, size_t bytes);

/* All device memory of a model, freed together. */
typedef struct {
    void **ptr;
    size_t n, cap, bytes;
} DevArena;
cudaError_t arena_alloc(DevArena *arena, void **out, size_t bytes);
void arena_free(DevArena *arena);

typedef struct {
    DevArena *arena;
    Uploader *up;
    cudaStream_t stream;
    void *scratch[4]; /* device: raw tensors of one matrix */
    size_t scratch_bytes[4];
    const char *why; /* set with cudaErrorNotSupported */
} Layout;

/* Describes and repacks one matrix.  rows: which of its rows comes n-th ([n_out], of the host;
 * NULL: as they lie).  cudaErrorNotSupported: layout->why says what the backend lacks. */
cudaError_t layout_linear(Layout *layout, const Linear *in, const int *rows, DevLinear *out);
/* The order in which layout_linear takes the columns of a 4-bit matrix ([n_in], to be freed); NULL
 * where it is as they lie, or has holes. */
int *layout_order(const Linear *in);
/* A vector or matrix as float. */
cudaError_t layout_float(Layout *layout, const Tensor *in, const float **out);
void layout_release(Layout *layout);

#endif
