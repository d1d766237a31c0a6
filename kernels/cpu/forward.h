/* The CPU backend's own structs, and the passes over them.  See cpu.h for matrices and kernels. */
#ifndef KERNELS_CPU_FORWARD_H
#define KERNELS_CPU_FORWARD_H

#include <stdatomic.h>

#include "kernels/cpu/cpu.h"
#include "kernels/sample.h"

enum {
    QUERIES_MAX = 16, /* heads times tokens that one attention item works on */
    LOGIT_ROWS = 8    /* rows of WANT_ALL that are multiplied with the head together */
};

/* Time since the end of one phase belongs to the one that ends next. */
typedef struct {
    double last, ms[K_PHASES];
} PhaseClock;

typedef struct {
    Backend base;
    const Isa *isa;
    Pool *pool;
    PhaseClock *clock; /* NULL but while profile() runs */
    bool tap;
    size_t memory_budget; /* of weights and KV pages; 0: none */
    KFault fault;
} CpuBackend;

/* Up to three matrices with the same input, and the forms in which they want it. */
typedef struct {
    int n_matrices, n_sets;
    const Matrix *matrix[3];
    int set[3];      /* of matrix[i]; -1: dense */
    ActForm form[3]; /* [n_sets] */
} MatrixInput;

typedef struct {
    Matrix q, k, v, o, gate, up, down;
    MatrixInput to_qkv, to_o, to_gate_up, to_down;
    const float *attn_norm, *ffn_norm; /* [hidden] */
    const float *q_norm, *k_norm;      /* [head_dim] or NULL */
} CpuLayer;

/* Room for one batch.  Rows are padded to whole tiles.  Its size is (batch, stride) where not said.
 */
typedef struct {
    int batch;
    size_t hidden, heads, kv, inner; /* strides in floats */
    float *x;                        /* residual stream */
    float *h;                        /* normalised; (batch, hidden) */
    float *q, *k, *v;
    float *attn;      /* (batch, heads) */
    float *gate, *up; /* (batch, inner) */
    float *delta;     /* output of o and down before it is added (batch, hidden) */
    Activations act[3];
    float *cosine, *sine;   /* (batch, rope_dims / 2) */
    int16_t *query;         /* (batch, n_heads, 2, head_dim) */
    float *query_scale;     /* (batch, n_heads) */
    int16_t *gathered;      /* (threads, QUERIES_MAX, 2, head_dim) */
    float *score;           /* (threads, QUERIES_MAX, KV_PAGE) */
    float *value;           /* (threads, 2 * QUERIES_MAX, value_stride): of a page, and so far */
    atomic_uint worst;      /* largest magnitude's bits since it was last cleared */
    atomic_uint worst_norm; /* the same at the entrance of a layer: the fault of the layer before */
    uint8_t *memory;
    size_t bytes;
} Scratch;

typedef struct {
    Loaded base;
    ModelShape shape; /* rope_inv_freq points to inv_freq */
    double *inv_freq;
    Tensor embedding; /* borrowed */
    CpuLayer *layers;
    Matrix head;
    MatrixInput to_head;
    const float *output_norm;
    float *norms;    /* all norm weights */
    uint8_t *packed; /* all tiles */
    size_t packed_bytes, borrowed_bytes;
    size_t value_stride; /* head_dim in whole vectors of 16 */
    size_t block_bytes;  /* of a KvBlock */
    size_t kv_held;      /* bytes of all pages and of what timelines have beside them */
    Scratch scratch;
} CpuLoaded;

/* Positions [256 i, 256 i + 256) of all layers; shared by forked timelines, written only by one
 * that has it alone. */
typedef struct {
    int refs;
    uint8_t *memory; /* [n_layers][n_kv_heads] blocks */
} KvPage;

typedef struct {
    Timeline base;
    int context, length;
    int32_t pending;  /* sampled and not yet evaluated; -1: none */
    int32_t *ids;     /* [context] */
    int n_pages;      /* of the whole context */
    KvPage **pages;   /* [n_pages]; NULL where nothing has been written yet */
    size_t own_bytes; /* beside the pages */
    Want have;        /* which logits there are */
    int n_all;        /* WANT_ALL: rows of hidden */
    float *logits;    /* [LOGIT_ROWS][n_tiles of head * 16] */
    float *hidden; /* [context][stride of Scratch.hidden]: WANT_ALL, normalised, multiplied with the
                      head when asked for */
    float *partial; /* [n_heads][n_pages][2 + value_stride]: attention of one token by page */
    float *taps;    /* [n_layers][4][hidden] or NULL */
    SampleScratch sample;
} CpuTimeline;

/* ---- linear.c ---- */

typedef struct {
    Product product[3];
    int n_products, n_tokens;
    float *add_to; /* residual stream that the (only) product is added to; NULL: none */
    size_t add_stride;
} LinearJob;

void linear_run(const CpuBackend *backend, const LinearJob *job);
/* The product of an input's matrix i with quantised (act) or plain (dense) activations. */
Product linear_product(const MatrixInput *input, int i, const Activations *act, const float *dense,
                       size_t stride);

/* ---- attention.c ---- */

KvBlock kv_block(const CpuLoaded *loaded, const KvPage *page, int layer, int kv_head);
/* Rotated and quantised queries in scratch->query, keys and values of the batch in the cache:
 * writes scratch->attn. */
void attention_run(CpuTimeline *timeline, int layer, int n_tokens);

/* ---- forward.c ---- */

/* Evaluates up to scratch.batch tokens after timeline->length and moves it.  want: WANT_LAST leaves
 * logits, WANT_ALL appends to hidden. */
KStatus forward_batch(CpuTimeline *timeline, const int32_t *ids, int n, Want want,
                      const KCall *call);
/* logits of n rows of normalised hidden states; out: (n, head tiles * 16); n <= scratch.batch */
KStatus forward_head(CpuLoaded *loaded, const float *hidden, size_t stride, int n, float *out);
KStatus cpu_fault(CpuBackend *backend, KStatus status, int layer, const char *what);

/* ---- profile.c ---- */

void phase_note(PhaseClock *clock, KPhaseKind phase);
KStatus cpu_profile(Timeline *timeline, int tokens, KProfile *out);

static inline void phase_done(const CpuBackend *backend, KPhaseKind phase)
{
    if (backend->clock)
        phase_note(backend->clock, phase);
}

/* ---- timeline.c ---- */

/* Before n positions are written after length (they fit the context): pages of this timeline's own
 * for all of them.  KS_MEMORY leaves the timeline as it was. */
KStatus timeline_make_room(CpuTimeline *timeline, int n);
KStatus timeline_open(Loaded *loaded, int context, Timeline **out);
KStatus timeline_fork(Timeline *timeline, int keep, Timeline **out);
void timeline_close(Timeline *timeline);
KStatus timeline_rewind(Timeline *timeline, int keep);
size_t timeline_saved_bytes(const Timeline *timeline, int n);
KStatus timeline_save(Timeline *timeline, int from, int n, void *out);
KStatus timeline_restore(Timeline *timeline, int from, int n, const int32_t *ids, const void *in);
size_t timeline_kv_bytes(const Loaded *loaded, int context);
size_t timeline_kv_held(const Loaded *loaded);

/* ---- host_memory.c ---- */

size_t host_free_bytes(void);

/* ---- loading.c ---- */

KStatus cpu_load(Backend *backend, const ModelShape *shape, const ModelWeights *weights,
                 const KCall *call, Loaded **out);
void cpu_unload(Loaded *loaded);
size_t cpu_weight_bytes(const Loaded *loaded);
/* Zeroed memory that becomes resident when it is touched; huge: ask for huge pages.  NULL when
 * there is none. */
void *region_map(size_t bytes, bool huge);
void region_unmap(void *region, size_t bytes);

#endif
