/* The reference backend's structs, and what its two files share. */
#ifndef KERNELS_CPU_REFERENCE_H
#define KERNELS_CPU_REFERENCE_H

#include "kernels/kernels.h"
#include "kernels/sample.h"

typedef struct {
    Backend base;
    KFault fault;
    bool tap;
} RefBackend;

typedef struct {
    Loaded base;
    ModelShape shape;
    ModelWeights weights;
    LayerWeights *layers;
    double *inv_freq;
    size_t kv_held; /* bytes of all timelines' caches */
} RefLoaded;

typedef struct {
    Timeline base;
    int context, length, n_logits;
    int32_t pending;
    int32_t *ids;
    double *keys, *values; /* [n_layers][context][n_kv_heads * head_dim] */
    float *logits;         /* [n_logits][n_vocab], n_logits > 0 */
    double *taps;          /* [n_layers][4][hidden] or NULL */
    SampleScratch sample;
} RefTimeline;

/* Leaves the fault for the engine to read; returns status. */
KStatus reference_fault(const Loaded *loaded, KStatus status, int layer, const char *what);
/* Evaluates n tokens after timeline->length and moves it; logits as wanted. */
KStatus reference_evaluate(RefTimeline *t, const int32_t *ids, int n, Want want, const KCall *call);

#endif
