/* One sequence of tokens on the device. */
#ifndef KERNELS_CUDA_TIMELINE_CUH
#define KERNELS_CUDA_TIMELINE_CUH

#include "kernels/cuda/forward.cuh"
#include "kernels/sample.h"

typedef struct {
    Timeline base;
    __half *kv;
    int context, length;
    int32_t *history; /* [context + 1]: evaluated tokens, then the pending one */
    bool pending;     /* history[length] was sampled but not evaluated */
    bool ahead; /* the device has evaluated the pending token and picked the next by ahead_spec */
    SampleSpec ahead_spec;
    int n_dev_history;    /* how many of history are in dev_history */
    int32_t *dev_history; /* [context + 1] */
    int n_logits;         /* rows that logits() gives; 0: none */
    bool in_all;          /* they lie in all, else in the model's one row */
    float *all;           /* WANT_ALL: [n][n_vocab] on the device */
    size_t all_rows;
    float *host_logits; /* sampling on the host: pinned */
    SampleScratch scratch;
    int32_t *dev_ids; /* [prefill_tokens] */
} CudaTimeline;

#endif
