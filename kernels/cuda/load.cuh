/* Loading a model onto the device, and dropping it. */
#ifndef KERNELS_CUDA_LOAD_CUH
#define KERNELS_CUDA_LOAD_CUH

#include "kernels/cuda/forward.cuh"

/* Notes the error in the backend's fault and turns it into a status. */
KStatus cuda_status(CudaBackend *b, cudaError_t e, const char *what);
/* What an error means for whoever uses the program, in English. */
const char *cuda_reason(cudaError_t e);
KStatus cuda_load(Backend *backend, const ModelShape *shape, const ModelWeights *weights,
                  const KCall *call, Loaded **out);
void cuda_unload(Loaded *loaded);
size_t cuda_kv_bytes(const Loaded *loaded, int context);

#endif
