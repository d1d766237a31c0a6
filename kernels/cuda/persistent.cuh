/* The persistent decode driver: all layers of one to four tokens in one kernel (sm_90 on). */
#ifndef KERNELS_CUDA_PERSISTENT_CUH
#define KERNELS_CUDA_PERSISTENT_CUH

#include "kernels/cuda/attention.cuh"

/* What a layer is made of, as the kernel sees it.  Index of a matrix: q, k, v, o, gate, up, down.
 */
typedef struct {
    const uint8_t *blocks[7];
    const float *bias[7];
    const float *norm[2]; /* of attention, of the feed-forward part; in the order of columns of q
                             and of gate */
    /* act-order: where value n of the input of q, o, gate, down lies; which value lies at n, -1:
     * none.  NULL: n */
    const int *place[4], *value[4];
    const float *q_norm, *k_norm;
} PersistentLayer;

/* A phase: the matrices that share one input (q, k, v; o; gate, up; down). */
typedef struct {
    int pairs, k_blocks, n_in;
} PersistentPhase;

/* Results that SMs exchange, each written once a token: floats of one token and layer, and where
 * each kind starts. */
typedef struct {
    float *base;
    int layer_floats;
    int qkv, attn, x_ffn, h, x_attn, partial;
} Exchange;

/* Where an SM's consumers spend a launch, when somebody asks: waiting for and taking in x of a
 * phase, and meeting it with weights; attention until q, k, v are there, and the rest of it. */
enum { CLOCK_TAKE, CLOCK_MEET = 4, CLOCK_HEADS = 8, CLOCK_ATTEND, N_CLOCKS };

typedef struct {
    const PersistentLayer *layers; /* device */
    int n_layers, group, block_bytes;
    ZeroKind zero;
    PersistentPhase phase[4];
    int part_pairs[2]; /* pairs of q; of q and k */
    int n_out[7];
    int line_floats,
        line_blocks; /* longest input that has an act-order of its own, and its blocks */
    int slices;
    float eps;
    float *x, *x0; /* [token][hidden]: residual stream; input of layer 0 in the order of its q */
    Exchange exchange;
    AttentionCall attention; /* constants; pointers of a layer come from `layers` */
    RunState *run;
    unsigned long long *clocks; /* [SM][N_CLOCKS] cycles, added up; NULL: nobody asks */
    /* of a launch */
    int ring, low,
        high;     /* stages: in all; asked for at once while an exchange waits, and otherwise */
    int x_blocks; /* of room for x: those of the longest phase, or of the line as well */
    int x_at, ring_at; /* in shared memory: x, or what attention needs; the ring */
    /* x before it is brought into act-order, behind the blocks that are made of it and in the place
     * of those of longer phases; 0: values were published in order */
    int line_at;
} PersistentCall;

/* Shared memory for `tokens`; fills the call's sizes.  0: it does not fit. */
size_t persistent_plan(PersistentCall *call, int tokens, int n_sms, int shared_limit);
/* Empties the exchange and embeds run->ids: the kernel in front of every persistent_launch. */
cudaError_t persistent_begin(const PersistentCall *call, const DevLinear *embedding, int tokens,
                             cudaStream_t stream);
cudaError_t persistent_launch(const PersistentCall *call, int tokens, int n_sms, size_t shared,
                              cudaStream_t stream);
/* Raises shared memory limits; false if the device cannot keep all blocks resident. */
bool persistent_possible(const PersistentCall *call, int device, int tokens, size_t shared,
                         int shared_limit);

#endif
