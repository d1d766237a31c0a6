/* The seam between the engine and the arithmetic: every type that crosses it, and nothing else of
 * ours.
 *
 * The unit is a whole forward pass over a loaded model, never a single operation: each backend owns
 * its schedule (cpu/forward.c, cuda/forward.cu) over its own kernels.  Kernels open no files, print
 * nothing, translate nothing and decide no policy; what goes wrong is a KStatus and a KFault, and
 * the engine makes the sentence.
 *
 * Threads: a Backend, what was loaded on it and its timelines are used by one thread at a time. */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifndef __cplusplus
#include <stdatomic.h>
typedef atomic_bool KCancel;
#else
#include <atomic>
typedef std::atomic<bool> KCancel;
extern "C" {
#endif

/* ---- what happened ---- */

typedef enum {
    KS_OK,
    KS_CANCELLED,   /* *cancel became true; the timeline is as after the last whole batch */
    KS_MEMORY,      /* out of host or device memory; the timeline is as before, or as after the
                       last whole batch */
    KS_UNSUPPORTED, /* the backend cannot do this shape, type or call */
    KS_CONTEXT,     /* more tokens than the timeline was opened for */
    KS_RANGE,       /* an id outside the embedding, a bad position: a bug above the seam */
    KS_NAN,         /* NaN or infinite activations or logits; KFault.layer says where */
    KS_DEVICE       /* the device or its driver failed */
} KStatus;

typedef struct {
    char device[96]; /* "cpu", "NVIDIA H200" */
    int code;        /* errno or cudaError_t, 0 if none */
    int layer;       /* -1 if none */
    char what[160];  /* what was being done, in English, for the sentence and the log */
} KFault;

/* Polled at least once a layer.  Any member may be NULL. */
typedef struct {
    const KCancel *cancel;
    void (*progress)(void *arg, int done, int total); /* load: tensors; feed: tokens */
    void *arg;
    /* load: the backend holds these bytes of the source in a form of its own and reads them no more
     * (they may be dropped from memory, not unmapped).  Called on the calling thread. */
    void (*copied)(void *arg, const void *data, size_t bytes);
    /* feed, step: between layers where a layer takes long; on the calling thread. */
    void (*poll)(void *arg);
} KCall;

/* ---- numbers as they lie in files ---- */

typedef enum {
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_F64, /* test data only */
    DTYPE_I32,
    DTYPE_Q4_0, /* GGUF block layouts (ggml-common.h): 32 values a block */
    DTYPE_Q4_1,
    DTYPE_Q8_0,
    DTYPE_COUNT
} DType;

typedef struct {
    const char *name;
    int block;       /* values a block */
    int block_bytes; /* bytes a block */
    /* n: a multiple of block; src may be unaligned */
    void (*to_float)(const void *src, float *dst, int64_t n);
} DTypeInfo;

const DTypeInfo *dtype_info(DType type); /* dtype.c: one row a type; to_float is NULL for I32 */

/* A matrix, rows x cols, row-major, rows contiguous.  data is borrowed (usually a mapped file),
 * outlives what was loaded from it, and MAY BE UNALIGNED.  data == NULL: absent. */
typedef struct {
    DType dtype;
    int64_t rows, cols;
    const void *data;
} Tensor;

/* Packed 4-bit weights as a file holds them, described and validated by engine/quant.c (lengths,
 * g_idx range, finite scales), repacked by each backend.  W[k,n] = scale[g,n] * (q[k,n] -
 * zero[g,n]), g = g_idx[k] or k / group_size. */
typedef enum {
    PACK_NONE,
    /* qweight I32 [K/8, N] packed along K, nibble j of word r = row 8r+j; qzeros I32 [G, N/8] along
       N */
    PACK_GPTQ,
    /* qweight I32 [K, N/8], qzeros I32 [G, N/8], nibble order 0,2,4,6,1,3,5,7 */
    PACK_AWQ
} QuantPacking;

typedef enum {
    ZERO_STORED_PLUS_ONE, /* GPTQ v1: zero = (stored + 1) mod 16 */
    ZERO_AS_STORED        /* GPTQ v2, AWQ */
} QuantZero;

typedef struct {
    QuantPacking packing;
    int bits;       /* 4 */
    int group_size; /* > 0; K for a single group */
    int n_groups;   /* ceil(K / group_size) */
    QuantZero zero_rule;
    DType scale_type;    /* F16, BF16 or F32 */
    const void *qweight; /* all pointers borrowed, may be unaligned */
    const void *qzeros;
    const void *scales; /* [G, N] */
    const void *g_idx;  /* I32 [K]; NULL when it is k / group_size */
} QuantSource;

/* y[n] = sum_k W[n,k] x[k] + bias[n].  Either dense or quant. */
typedef struct {
    const char *name; /* the tensor's name in the file, for faults; borrowed */
    int64_t n_out, n_in;
    Tensor dense;      /* rows = n_out, cols = n_in; data NULL when quantised */
    QuantSource quant; /* packing PACK_NONE when dense */
    Tensor bias;       /* rows = 1, cols = n_out; data NULL when there is none */
} Linear;

/* ---- a model ---- */

typedef enum {
    ROPE_HALF,       /* pairs (i, i + d/2): Hugging Face layout */
    ROPE_INTERLEAVED /* pairs (2i, 2i + 1): GGUF `llama`, whose q and k rows are permuted */
} RopePairing;

typedef struct {
    int n_layers, hidden, n_heads, n_kv_heads, head_dim, intermediate;
    int n_vocab;  /* rows of the embedding and of the logits */
    int n_tokens; /* the tokenizer's size: ids at or past it never come out of sampling; logits()
                     gives -inf there */
    int max_context;
    float rms_eps;
    RopePairing rope_pairing;
    int rope_dims;               /* leading dimensions of a head that are rotated; even */
    const double *rope_inv_freq; /* [rope_dims / 2], scaling already folded in by the engine */
    float rope_scale;            /* factor on cos and sin (YaRN); 1 otherwise */
    int sliding_window;          /* 0: none */
    bool has_qk_norm;            /* RMS norm over head_dim on q and k before rope (Qwen3) */
} ModelShape;

typedef struct {
    Tensor attn_norm; /* 1 x hidden */
    Linear q, k, v,
        o; /* (heads*head_dim, hidden), (kv*head_dim, hidden) x2, (hidden, heads*head_dim) */
    Tensor q_norm, k_norm; /* 1 x head_dim, or absent */
    Tensor ffn_norm;       /* 1 x hidden */
    Linear gate, up, down; /* (intermediate, hidden) x2, (hidden, intermediate) */
} LayerWeights;

typedef struct {
    Tensor embedding;           /* n_vocab x hidden */
    Tensor output_norm;         /* 1 x hidden */
    Linear head;                /* n_vocab x hidden; a tied model's head.dense is its embedding */
    const LayerWeights *layers; /* [n_layers] */
} ModelWeights;

/* ---- choosing a token ---- */

/* One definition for every backend, in kernels/sample.h: repetition, frequency and presence
 * penalties, then temperature, top-k, top-p, min-p in Hugging Face's order; ties by lower id.
 * temperature 0 is argmax (after penalties). */
typedef struct {
    float temperature;       /* >= 0 */
    int top_k;               /* 0: off */
    float top_p;             /* 1: off */
    float min_p;             /* 0: off */
    float repeat_penalty;    /* 1: off; Hugging Face's rule over the window */
    float frequency_penalty; /* 0: off */
    float presence_penalty;  /* 0: off */
    int repeat_window;       /* last tokens that penalties look at; 0: the whole timeline */
    uint64_t seed;           /* random numbers are a function of (seed, position of the token) */
    const int32_t *end_ids;  /* step() returns early after one of these; borrowed for the call */
    int n_end_ids;
} SampleSpec;

/* ---- devices ---- */

typedef enum {
    WANT_NONE, /* fill the cache only */
    WANT_LAST, /* logits after the last token */
    WANT_ALL   /* logits after each token of this feed (evaluation) */
} Want;

typedef enum {
    TAP_INPUT,    /* residual stream before the layer (hidden) */
    TAP_ATTN_OUT, /* output of o (hidden) */
    TAP_FFN_OUT,  /* output of down (hidden) */
    TAP_OUTPUT    /* residual stream after the layer (hidden) */
} TapPoint;

typedef struct {
    int threads;     /* CPU: 0 = one per physical core */
    const char *isa; /* CPU: NULL, "auto", "generic", "avx2", "avxvnni" or "avx512" */
    /* CUDA: NULL, "auto", or words: decode driver "graph" or "persistent", "mma": no wgmma */
    const char *decoder;
    int device;      /* CUDA: ordinal */
    size_t memory_budget; /* bytes on the device; 0: what is free */
    bool tap;             /* keep the activations of the last token of each feed for tap() */
} BackendOptions;

/* The kinds of work of a token, in their order. */
typedef enum {
    KPHASE_INPUT,
    KPHASE_QKV,
    KPHASE_ATTENTION,
    KPHASE_O,
    KPHASE_GATE_UP,
    KPHASE_DOWN,
    KPHASE_HEAD,
    KPHASE_SAMPLING,
    K_PHASES
} KPhaseKind;

/* "q, k, v": English; backend.c. */
extern const char *const k_phase_name[K_PHASES];

/* One kind of work of a token, over all layers. */
typedef struct {
    const char *name;   /* of k_phase_name */
    double ms;          /* mean of a token */
    double exchange_ms; /* of ms: waiting for, and taking in, what other parts of the device made */
    double bytes;       /* weights and cached keys and values that it reads */
} KPhase;

typedef struct {
    double read_rate; /* bytes a second that a plain read of the device's memory reaches, measured
                         by this call; 0: not measured */
    double ms;        /* a token while the clocks run */
    int n_phases;
    KPhase phase[K_PHASES];
    char driver[192]; /* how decoding is driven and why, in English; "": there is one way only */
} KProfile;

typedef struct Backend Backend;
typedef struct Loaded Loaded; /* weights on a device; may be shared by several timelines */
typedef struct Timeline
    Timeline; /* one sequence of tokens: its KV cache, its logits, the tokens themselves */

typedef struct BackendOps {
    const char *name; /* "cpu", "cuda", "reference" */
    /* KS_UNSUPPORTED with *why (static or in the ops' own storage, English) when this machine
     * cannot. */
    KStatus (*open)(const BackendOptions *, Backend **, const char **why);
    void (*close)(Backend *);
    /* One line for --version, bench and inspect: "avx512-vnni, 2 threads". */
    void (*describe)(const Backend *, char *out, size_t size);
    KStatus (*load)(Backend *, const ModelShape *, const ModelWeights *, const KCall *, Loaded **);
    void (*unload)(Loaded *);
    /* Bytes that loaded weights and a timeline of `context` take on the device. */
    size_t (*weight_bytes)(const Loaded *);
    size_t (*kv_bytes)(const Loaded *, int context);
    /* Bytes that all its timelines hold on the device now; pages that they share count once. */
    size_t (*kv_held)(const Loaded *);
    /* Bytes that are free on the device now; 0: not known. */
    size_t (*free_bytes)(const Backend *);
    /* KS_MEMORY also when there is no room for the whole context now, although it is taken only as
     * it fills: feed, step and restore then give KS_MEMORY, and go on when another timeline has
     * been closed. */
    KStatus (*timeline_open)(Loaded *, int context, Timeline **);
    /* A timeline of the first `keep` tokens; the cache is shared until one of the two writes. */
    KStatus (*timeline_fork)(Timeline *, int keep, Timeline **);
    void (*timeline_close)(Timeline *);
    /* Evaluates ids after what is there.  A token that step() sampled but did not evaluate is
     * forgotten first. n >= 1; ids in [0, n_vocab).  On KS_CANCELLED the tokens before
     * timeline_length() are in the cache. */
    KStatus (*feed)(Timeline *, const int32_t *ids, int n, Want, const KCall *);
    /* Up to max times: evaluates the pending token if there is one, then samples the next from the
     * logits; that one is now pending (returned in ids, not in the cache).  Stops after an id of
     * end_ids and on cancel between tokens (KS_CANCELLED with *n tokens valid).  Needs logits: feed
     * with WANT_LAST or WANT_ALL before. */
    KStatus (*step)(Timeline *, const SampleSpec *, int max, int32_t *ids, int *n, const KCall *);
    /* After feed(WANT_LAST) or step: n_vocab floats.  After WANT_ALL: n x n_vocab. */
    KStatus (*logits)(Timeline *, float *out);
    KStatus (*rewind)(Timeline *,
                      int keep);     /* logits are gone afterwards, also when keep is the length */
    int (*length)(const Timeline *); /* tokens in the cache */
    size_t (*saved_bytes)(const Timeline *, int n); /* bytes of n positions as save() writes them */
    KStatus (*save)(Timeline *, int from, int n, void *out);
    KStatus (*restore)(Timeline *, int from, int n, const int32_t *ids, const void *in);
    KStatus (*tap)(Timeline *, int layer, TapPoint, float *out);
    /* Where the time of a token goes: generates `tokens` of them, greedily, after what is there
     * (logits must follow it, as for step) with the device's clocks running.  0: read_rate alone.
     * NULL: this backend keeps no clocks. */
    KStatus (*profile)(Timeline *, int tokens, KProfile *);
    const KFault *(*fault)(const Backend *); /* of the last call that failed */
} BackendOps;

/* Each backend's structs start with these, so that the wrappers below can find the table. */
struct Backend {
    const BackendOps *ops;
};
struct Loaded {
    const BackendOps *ops;
    Backend *backend;
};
struct Timeline {
    const BackendOps *ops;
    Loaded *loaded;
};

/* backend.c: the table of backends that this build has, best first ("cuda", "cpu"); the float64
 * reference is in the table for tests and is never chosen by itself. */
const BackendOps *const *backend_table(int *n);
const BackendOps *backend_find(const char *name); /* NULL if this build lacks it */
/* Tests: a backend of their own before all others, while nothing is open; NULL takes it away. */
void backend_put_first(const BackendOps *ops);

/* The rows: cpu/backend.c, cpu/reference.c, cuda/backend.cu (only where HAVE_CUDA). */
extern const BackendOps backend_cpu;
extern const BackendOps backend_reference;
extern const BackendOps backend_cuda;

#ifdef __cplusplus
}
#endif
#endif
