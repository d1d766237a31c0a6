/* A loaded model on the device and its forward passes. */
#ifndef KERNELS_CUDA_FORWARD_CUH
#define KERNELS_CUDA_FORWARD_CUH

#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/layout.cuh"
#include "kernels/cuda/linear.cuh"
#include "kernels/cuda/prefill.cuh"
#include "kernels/cuda/sample.cuh"

typedef struct {
    Backend base;
    int device, n_sms, shared_limit;
    bool pdl; /* programmatic dependent launch: compute capability 9.0 on */
    size_t memory_budget;
    bool tap;
    cudaDeviceProp prop;
    cudaStream_t stream;
    KFault fault;
} CudaBackend;

typedef struct {
    Loaded base;
    ModelShape shape;
    DevArena arena;
    DevLayer *layers;          /* host array of device pointers */
    DevLinear embedding, head;
    const float *output_norm;
    const float2 *rope;        /* [max_context][rope_dims / 2] */
    bool can_prefill;
    /* work space, [PREFILL_TOKENS] rows where not said otherwise */
    float *x, *xn, *qkv, *attn, *h;
    float *logits;             /* [DECODE_TOKENS][n_vocab] */
    __half *q16, *x16;
    float *x16_scale, *partial;
    int *arrived;
    RunState *run;
    unsigned long long *best;  /* [64] of the argmax */
    int *count;                /* [n_vocab]: sampling */
    float *penalised;          /* [n_vocab] */
    StepResult *result, *dev_result; /* pinned; the device's address of it */
    cudaGraphExec_t core[DECODE_TOKENS + 1]; /* embedding and layers for 1..4 tokens */
    cudaGraphExec_t eval;      /* one token, with the head */
    const void *owner;         /* the timeline that ran last: run, logits and result are its */
    float *tap_x, *taps;       /* taps: [layer][4][hidden] of the last token */
} CudaLoaded;

cudaError_t forward_setup(CudaBackend *b);
/* Captures the graphs.  Called once at load, when everything is in place. */
cudaError_t forward_capture(CudaLoaded *m);
cudaError_t forward_set_run(CudaLoaded *m, const RunState *run);
/* run->n tokens (1..4) through the layers; the graph if there is one. */
cudaError_t forward_core(CudaLoaded *m, int tokens, bool capture);
/* Final norm and head of `tokens` rows of x from row `first`; to out [token][n_vocab]. */
cudaError_t forward_head(CudaLoaded *m, int first, int tokens, float *out);
/* Best id of logits to run->ids[0] and result; run->pos moves on by one. */
cudaError_t forward_argmax(CudaLoaded *m);
/* Up to PREFILL_TOKENS tokens whose ids are in dev_ids. */
cudaError_t forward_prefill(CudaLoaded *m, const int *dev_ids, int tokens);

#endif
