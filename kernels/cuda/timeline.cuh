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

/* What the next pass is about: n tokens of t, the first at position pos; the ids of as many as
 * decode at once.  The model's row of logits becomes t's. */
cudaError_t timeline_set_run(CudaTimeline *t, const int32_t *ids, int pos, int n);

#endif
