/* A loaded model on the device and its forward passes. */
#ifndef KERNELS_CUDA_FORWARD_CUH
#define KERNELS_CUDA_FORWARD_CUH

#include "kernels/cuda/attention_wgmma.cuh"
#include "kernels/cuda/layout.cuh"
#include "kernels/cuda/linear.cuh"
#include "kernels/cuda/persistent.cuh"
#include "kernels/cuda/prefill_wgmma.cuh"
#include "kernels/cuda/sample.cuh"

/* Hands an error on. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        cudaError_t try_error = (call);                                                            \
        if (try_error != cudaSuccess)                                                              \
            return try_error;                                                                      \
    } while (0)

typedef enum { DRIVER_AUTO, DRIVER_GRAPH, DRIVER_PERSISTENT } DecodeDriver;

typedef struct {
    Backend base;
    int device, n_sms, shared_limit;
    bool pdl;            /* programmatic dependent launch: compute capability 9.0 on */
    bool wgmma;          /* prefill by wgmma: compute capability 9.0 alone */
    DecodeDriver driver; /* asked for */
    bool persistent;     /* what the model loaded last decodes with */
    size_t memory_budget;
    bool tap;
    cudaDeviceProp prop;
    cudaStream_t stream;
    KFault fault;
} CudaBackend;

/* Events between the phases of a token, when somebody asks for its times (profile.cu). */
typedef struct {
    cudaEvent_t *event;
    int n, room;
} PhaseMarks;

typedef struct {
    Loaded base;
    ModelShape shape;
    DevArena arena;
    DevLayer *layers; /* host array of device pointers */
    DevLinear embedding, head;
    const float *output_norm;
    const float2 *rope; /* [max_context][rope_dims / 2] */
    bool can_prefill, wgmma;
    bool wide_h;        /* SiLU(gate) * up stays in float: it may exceed what fp16 holds */
    int prefill_tokens; /* at once */
    int prefill_from;   /* as few tokens are worth it */
    int decode_tokens;  /* at once: as many as shared memory holds */
    PersistentCall plan[DECODE_TOKENS + 1];
    size_t plan_shared[DECODE_TOKENS + 1]; /* 0: the persistent kernel cannot take so many tokens */
    bool persistent[DECODE_TOKENS + 1];
    char driver_why[128]; /* why one token is decoded as it is */
    PhaseMarks *marks;    /* NULL but while a token is timed */
    /* work space, [prefill_tokens] rows where not said otherwise */
    float *x, *xn, *qkv, *attn, *h;
    float *logits; /* [DECODE_TOKENS][n_vocab] */
    __half *q16, *x16;
    float *x16_scale, *partial;
    float *flash_partial; /* of attention by wgmma over sliced positions */
    int *arrived;
    RunState *run;
    unsigned long long *best;                /* [64] of the argmax */
    int *count;                              /* [n_vocab]: sampling */
    float *penalised;                        /* [n_vocab] */
    StepResult *result, *dev_result;         /* pinned; the device's address of it */
    cudaGraphExec_t core[DECODE_TOKENS + 1]; /* embedding and layers for 1..4 tokens */
    cudaGraphExec_t eval;                    /* one token, with the head */
    size_t kv_held;      /* bytes of all timelines' caches */
    const void *owner;   /* the timeline that ran last: run, logits and result are its */
    float *tap_x, *taps; /* taps: [layer][4][hidden] of the last token */
} CudaLoaded;

static inline CudaBackend *backend_of(const CudaLoaded *m)
{
    return (CudaBackend *)m->base.backend;
}

cudaError_t forward_setup(CudaBackend *b);
/* How many tokens the decode kernels of this model take at once on this card. */
int forward_decode_tokens(const CudaLoaded *m);
/* A graph of embedding and layers for `tokens` tokens, by either driver; and the one of a step
 * (forward_core(1) and the head). */
cudaError_t forward_capture_core(CudaLoaded *m, int tokens, bool persistent, cudaGraphExec_t *out);
cudaError_t forward_capture_eval(CudaLoaded *m);
/* Notes the moment in m->marks, where there are any; in a graph too. */
cudaError_t forward_mark(CudaLoaded *m);
AttentionCall forward_attention(const CudaLoaded *m, int layer, int tokens);
cudaError_t forward_set_run(CudaLoaded *m, const RunState *run);
/* run->n tokens (1..decode_tokens) through the layers. */
cudaError_t forward_core(CudaLoaded *m, int tokens);
/* Final norm and head of `tokens` rows of x from row `first`; to out [token][n_vocab]. */
cudaError_t forward_head(CudaLoaded *m, int first, int tokens, float *out);
/* Best id of logits to run->ids[0] and result; run->pos moves on by one. */
cudaError_t forward_argmax(CudaLoaded *m);
/* Up to prefill_tokens tokens whose ids are in dev_ids; positions: of the context with them. */
cudaError_t forward_prefill(CudaLoaded *m, const int *dev_ids, int tokens, int positions);
/* x of `tokens` tokens from the embedding; dev_ids NULL: the ids of run. */
cudaError_t forward_embed(CudaLoaded *m, const int *dev_ids, int tokens);
/* Keeps the activations of the last of `tokens` tokens where taps are on; minus: what they were at
 * the last tap is subtracted. */
cudaError_t forward_tap(CudaLoaded *m, int layer, TapPoint point, int tokens, bool minus);

#endif
