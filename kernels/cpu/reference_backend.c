/* The reference backend's row of the table: timelines, feeding, stepping, saving.  The arithmetic
 * is in reference.c. */
#include "config.h"

#include "kernels/cpu/reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static KStatus ref_open(const BackendOptions *options, Backend **out, const char **why)
{
    RefBackend *backend = calloc(1, sizeof *backend);
    *why = "out of memory";
    if (!backend)
        return KS_MEMORY;
    backend->base.ops = &backend_reference;
    backend->tap = options->tap;
    *out = &backend->base;
    return KS_OK;
}

static void ref_close(Backend *backend)
{
    free(backend);
}

static void ref_describe(const Backend *backend, char *out, size_t size)
{
    (void)backend;
    snprintf(out, size, "reference: float64, 1 thread");
}

static void ref_unload(Loaded *base)
{
    RefLoaded *loaded = (RefLoaded *)base;
    if (!loaded)
        return;
    free(loaded->layers);
    free(loaded->inv_freq);
    free(loaded);
}

static KStatus ref_load(Backend *backend, const ModelShape *shape, const ModelWeights *weights,
                        const KCall *call, Loaded **out)
{
    RefLoaded *loaded = calloc(1, sizeof *loaded);
    size_t angles = (size_t)(shape->rope_dims / 2);
    Loaded nameless = { .backend = backend };
    if (!loaded)
        return reference_fault(&nameless, KS_MEMORY, -1, "loading weights");
    loaded->base = (Loaded){ .ops = backend->ops, .backend = backend };
    loaded->shape = *shape;
    loaded->weights = *weights;
    loaded->layers = malloc((size_t)shape->n_layers * sizeof *loaded->layers);
    loaded->inv_freq = malloc((angles + 1) * sizeof *loaded->inv_freq);
    if (!loaded->layers || !loaded->inv_freq) {
        ref_unload(&loaded->base);
        return reference_fault(&nameless, KS_MEMORY, -1, "loading weights");
    }
    memcpy(loaded->layers, weights->layers, (size_t)shape->n_layers * sizeof *loaded->layers);
    if (angles)
        memcpy(loaded->inv_freq, shape->rope_inv_freq, angles * sizeof *loaded->inv_freq);
    if (call && call->progress)
        call->progress(call->arg, shape->n_layers, shape->n_layers);
    *out = &loaded->base;
    return KS_OK;
}

static int64_t kv_width(const Loaded *loaded)
{
    const ModelShape *shape = &((const RefLoaded *)loaded)->shape;
    return (int64_t)shape->n_kv_heads * shape->head_dim;
}

static size_t ref_kv_bytes(const Loaded *loaded, int context)
{
    return 2 * (size_t)((const RefLoaded *)loaded)->shape.n_layers * (size_t)context *
           (size_t)kv_width(loaded) * sizeof(double);
}

static size_t ref_kv_held(const Loaded *loaded)
{
    return ((const RefLoaded *)loaded)->kv_held;
}

static size_t ref_free_bytes(const Backend *backend)
{
    (void)backend;
    return 0;
}

static size_t ref_weight_bytes(const Loaded *loaded)
{
    (void)loaded;
    return 0; /* it has none of its own */
}

static void ref_timeline_close(Timeline *base)
{
    RefTimeline *t = (RefTimeline *)base;
    if (!t)
        return;
    ((RefLoaded *)base->loaded)->kv_held -= ref_kv_bytes(base->loaded, t->context);
    free(t->ids);
    free(t->keys);
    free(t->values);
    free(t->logits);
    free(t->taps);
    free(t->sample.candidate);
    free(t->sample.count);
    free(t);
}

static KStatus ref_timeline_open(Loaded *loaded, int context, Timeline **out)
{
    const ModelShape *shape = &((const RefLoaded *)loaded)->shape;
    bool taps = ((const RefBackend *)loaded->backend)->tap;
    if (context < 1)
        return reference_fault(loaded, KS_RANGE, -1, "a context must hold a token");
    RefTimeline *t = calloc(1, sizeof *t);
    if (!t)
        return reference_fault(loaded, KS_MEMORY, -1, "reserving the KV cache");
    t->base = (Timeline){ .ops = loaded->ops, .loaded = loaded };
    t->context = context;
    ((RefLoaded *)loaded)->kv_held += ref_kv_bytes(loaded, context);
    t->pending = -1;
    t->ids = malloc((size_t)context * sizeof *t->ids);
    t->keys = malloc(ref_kv_bytes(loaded, context) / 2);
    t->values = malloc(ref_kv_bytes(loaded, context) / 2);
    t->sample.candidate = malloc((size_t)shape->n_vocab * sizeof *t->sample.candidate);
    t->sample.count = calloc((size_t)shape->n_vocab, sizeof *t->sample.count);
    t->taps =
        taps ? calloc((size_t)shape->n_layers * 4 * (size_t)shape->hidden, sizeof *t->taps) : NULL;
    if (t->ids && t->keys && t->values && t->sample.candidate && t->sample.count &&
        (t->taps || !taps)) {
        *out = &t->base;
        return KS_OK;
    }
    ref_timeline_close(&t->base);
    return reference_fault(loaded, KS_MEMORY, -1, "reserving the KV cache");
}

static KStatus ref_feed(Timeline *base, const int32_t *ids, int n, Want want, const KCall *call)
{
    RefTimeline *t = (RefTimeline *)base;
    const ModelShape *shape = &((const RefLoaded *)base->loaded)->shape;
    t->pending = -1;
    if (n < 1)
        return reference_fault(base->loaded, KS_RANGE, -1, "feeding no tokens");
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= shape->n_vocab)
            return reference_fault(base->loaded, KS_RANGE, -1, "a token outside the vocabulary");
    if (n > t->context - t->length)
        return reference_fault(base->loaded, KS_CONTEXT, -1, "more tokens than the context holds");
    t->n_logits = 0;
    KStatus status = reference_evaluate(t, ids, n, want, call);
    if (status == KS_OK && call && call->progress)
        call->progress(call->arg, n, n);
    return status;
}

static int real_tokens(const ModelShape *shape)
{
    return shape->n_tokens > 0 && shape->n_tokens < shape->n_vocab ? shape->n_tokens
                                                                   : shape->n_vocab;
}

static KStatus ref_step(Timeline *base, const SampleSpec *spec, int max, int32_t *ids, int *n,
                        const KCall *call)
{
    RefTimeline *t = (RefTimeline *)base;
    const ModelShape *shape = &((const RefLoaded *)base->loaded)->shape;
    bool ended = false;
    for (*n = 0; *n < max && !ended;) {
        if (call && call->cancel && atomic_load_explicit(call->cancel, memory_order_relaxed))
            return KS_CANCELLED;
        if (t->pending >= 0) {
            int32_t id = t->pending;
            if (t->length >= t->context)
                return reference_fault(base->loaded, KS_CONTEXT, -1, "the context is full");
            KStatus status = reference_evaluate(t, &id, 1, WANT_LAST, call);
            if (status != KS_OK)
                return status;
            t->pending = -1;
        }
        if (t->n_logits == 0)
            return reference_fault(base->loaded, KS_RANGE, -1,
                                   "there are no logits to sample from");
        const float *last = t->logits + (size_t)(t->n_logits - 1) * (size_t)shape->n_vocab;
        t->pending = sample_pick(last, real_tokens(shape), t->ids, t->length, spec,
                                 (uint64_t)t->length, &t->sample);
        if (t->pending < 0)
            return reference_fault(base->loaded, KS_NAN, shape->n_layers, "logits are not finite");
        ids[(*n)++] = t->pending;
        for (int i = 0; i < spec->n_end_ids; i++)
            ended = ended || spec->end_ids[i] == t->pending;
    }
    return KS_OK;
}

static KStatus ref_logits(Timeline *base, float *out)
{
    RefTimeline *t = (RefTimeline *)base;
    const ModelShape *shape = &((const RefLoaded *)base->loaded)->shape;
    if (t->n_logits == 0)
        return reference_fault(base->loaded, KS_RANGE, -1, "there are no logits");
    memcpy(out, t->logits, (size_t)t->n_logits * (size_t)shape->n_vocab * sizeof *out);
    for (int row = 0; row < t->n_logits; row++)
        for (int i = real_tokens(shape); i < shape->n_vocab; i++)
            out[(size_t)row * (size_t)shape->n_vocab + (size_t)i] = -INFINITY;
    return KS_OK;
}

static KStatus ref_rewind(Timeline *base, int keep)
{
    RefTimeline *t = (RefTimeline *)base;
    if (keep < 0 || keep > t->length)
        return reference_fault(base->loaded, KS_RANGE, -1, "rewinding past the end");
    t->length = keep;
    t->pending = -1;
    t->n_logits = 0;
    return KS_OK;
}

static int ref_length(const Timeline *base)
{
    return ((const RefTimeline *)base)->length;
}

static size_t ref_saved_bytes(const Timeline *base, int n)
{
    return ref_kv_bytes(base->loaded, n);
}

/* Copies positions between the cache and a buffer: by layer, keys then values. */
static void move_positions(RefTimeline *t, int from, int n, double *buffer, bool out)
{
    int n_layers = ((const RefLoaded *)t->base.loaded)->shape.n_layers;
    int64_t width = kv_width(t->base.loaded);
    size_t bytes = (size_t)n * (size_t)width * sizeof(double);
    for (int layer = 0; layer < n_layers; layer++)
        for (int which = 0; which < 2; which++, buffer += n * width) {
            double *cache =
                (which ? t->values : t->keys) + ((int64_t)layer * t->context + from) * width;
            if (bytes)
                memcpy(out ? buffer : cache, out ? cache : buffer, bytes);
        }
}

static KStatus ref_save(Timeline *base, int from, int n, void *out)
{
    RefTimeline *t = (RefTimeline *)base;
    if (from < 0 || n < 0 || from > t->length || n > t->length - from)
        return reference_fault(base->loaded, KS_RANGE, -1, "saving positions that are not there");
    move_positions(t, from, n, out, true);
    return KS_OK;
}

static KStatus ref_restore(Timeline *base, int from, int n, const int32_t *ids, const void *in)
{
    RefTimeline *t = (RefTimeline *)base;
    if (from < 0 || n < 0 || from > t->length)
        return reference_fault(base->loaded, KS_RANGE, -1, "restoring after a gap");
    if (n > t->context - from)
        return reference_fault(base->loaded, KS_CONTEXT, -1,
                               "restoring more tokens than the context holds");
    ref_rewind(base, from);
    move_positions(t, from, n, (double *)(uintptr_t)in, false); /* only reads it */
    memcpy(t->ids + from, ids, (size_t)n * sizeof *ids);
    t->length = from + n;
    return KS_OK;
}

static KStatus ref_fork(Timeline *base, int keep, Timeline **out)
{
    RefTimeline *from = (RefTimeline *)base;
    if (keep < 0 || keep > from->length)
        return reference_fault(base->loaded, KS_RANGE, -1, "forking past the end");
    KStatus status = ref_timeline_open(base->loaded, from->context, out);
    if (status != KS_OK)
        return status;
    RefTimeline *t = (RefTimeline *)*out;
    memcpy(t->keys, from->keys, ref_kv_bytes(base->loaded, from->context) / 2);
    memcpy(t->values, from->values, ref_kv_bytes(base->loaded, from->context) / 2);
    memcpy(t->ids, from->ids, (size_t)keep * sizeof *t->ids);
    t->length = keep;
    return KS_OK;
}

static KStatus ref_tap(Timeline *base, int layer, TapPoint point, float *out)
{
    RefTimeline *t = (RefTimeline *)base;
    const ModelShape *shape = &((const RefLoaded *)base->loaded)->shape;
    if (!t->taps || layer < 0 || layer >= shape->n_layers)
        return reference_fault(base->loaded, t->taps ? KS_RANGE : KS_UNSUPPORTED, layer,
                               "no activations were kept");
    for (int i = 0; i < shape->hidden; i++)
        out[i] = (float)t->taps[((int64_t)layer * 4 + (int)point) * shape->hidden + i];
    return KS_OK;
}

static const KFault *ref_fault(const Backend *backend)
{
    return &((const RefBackend *)backend)->fault;
}

const BackendOps backend_reference = {
    .name = "reference",
    .open = ref_open,
    .close = ref_close,
    .describe = ref_describe,
    .load = ref_load,
    .unload = ref_unload,
    .weight_bytes = ref_weight_bytes,
    .kv_bytes = ref_kv_bytes,
    .kv_held = ref_kv_held,
    .free_bytes = ref_free_bytes,
    .timeline_open = ref_timeline_open,
    .timeline_fork = ref_fork,
    .timeline_close = ref_timeline_close,
    .feed = ref_feed,
    .step = ref_step,
    .logits = ref_logits,
    .rewind = ref_rewind,
    .length = ref_length,
    .saved_bytes = ref_saved_bytes,
    .save = ref_save,
    .restore = ref_restore,
    .tap = ref_tap,
    .fault = ref_fault,
};
