/* The reference backend: the same model in plain float64, one thread, weights unpacked as they are read.
 *
 * It shares nothing with the other backends but the seam and the definition of sampling, so that a mistake in one cannot
 * hide in the other.  Used by tests only; it is as slow as it looks.  float32 appears in two places: the logits that go
 * out, and the logits that are sampled from. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/half.h"
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

/* One batch on its way through the layers; (n, …) each. */
typedef struct {
    RefTimeline *timeline;
    const RefLoaded *loaded;
    int n;
    double *x, *h, *q, *attn, *gate, *up, *delta;
} RefPass;

static KStatus fault(const Loaded *loaded, KStatus status, int layer, const char *what)
{
    RefBackend *backend = (RefBackend *)loaded->backend;
    backend->fault = (KFault){.layer = layer};
    snprintf(backend->fault.device, sizeof backend->fault.device, "reference");
    snprintf(backend->fault.what, sizeof backend->fault.what, "%s", what);
    return status;
}

/* ---- weights ------------------------------------------------------------------------------------------------------ */

static uint32_t word_at(const void *base, int64_t index)
{
    uint32_t word;
    memcpy(&word, (const uint8_t *)base + index * 4, sizeof word);
    return word;
}

static double block_value(const uint8_t *block, DType type, int i)
{
    if (type == DTYPE_Q8_0)
        return (double)(int8_t)block[2 + i] * (double)half_load(block);
    const uint8_t *codes = block + (type == DTYPE_Q4_1 ? 4 : 2);
    int code = i < 16 ? codes[i] & 15 : codes[i - 16] >> 4;
    if (type == DTYPE_Q4_1)
        return code * (double)half_load(block) + (double)half_load(block + 2);
    return (code - 8) * (double)half_load(block);
}

static double tensor_value(const Tensor *tensor, int64_t row, int64_t col)
{
    const DTypeInfo *info = dtype_info(tensor->dtype);
    int64_t blocks = tensor->cols / info->block;
    const uint8_t *at = (const uint8_t *)tensor->data + (row * blocks + col / info->block) * info->block_bytes;
    double value;
    float single;
    switch (tensor->dtype) {
    case DTYPE_F64:
        memcpy(&value, at, sizeof value);
        return value;
    case DTYPE_F32:
    case DTYPE_F16:
    case DTYPE_BF16:
        info->to_float(at, &single, 1);
        return (double)single;
    default:
        return block_value(at, tensor->dtype, (int)(col % info->block));
    }
}

/* Where column n of a packed row of 8 stands in its word. */
static int nibble_of(QuantPacking packing, int64_t n)
{
    static const int awq[8] = {0, 4, 1, 5, 2, 6, 3, 7};
    return packing == PACK_AWQ ? awq[n % 8] : (int)(n % 8);
}

static double quant_value(const QuantSource *quant, int64_t n_out, int64_t n, int64_t k)
{
    int64_t group = quant->g_idx ? (int64_t)word_at(quant->g_idx, k) : k / quant->group_size;
    uint32_t zeros = word_at(quant->qzeros, group * (n_out / 8) + n / 8);
    int zero = (int)(zeros >> 4 * nibble_of(quant->packing, n) & 15);
    if (quant->zero_rule == ZERO_STORED_PLUS_ONE)
        zero = (zero + 1) % 16;
    int code = quant->packing == PACK_AWQ
                   ? (int)(word_at(quant->qweight, k * (n_out / 8) + n / 8) >> 4 * nibble_of(PACK_AWQ, n) & 15)
                   : (int)(word_at(quant->qweight, k / 8 * n_out + n) >> 4 * (k % 8) & 15);
    Tensor scales = {.dtype = quant->scale_type, .rows = quant->n_groups, .cols = n_out, .data = quant->scales};
    return tensor_value(&scales, group, n) * (code - zero);
}

/* y (n, n_out) = x (n, n_in) times the matrix, plus the bias. */
static bool multiply(const Linear *linear, const double *x, int n, double *y)
{
    double *row = malloc((size_t)linear->n_in * sizeof *row);
    if (!row)
        return false;
    for (int64_t out = 0; out < linear->n_out; out++) {
        for (int64_t k = 0; k < linear->n_in; k++)
            row[k] = linear->quant.packing == PACK_NONE ? tensor_value(&linear->dense, out, k)
                                                        : quant_value(&linear->quant, linear->n_out, out, k);
        double bias = linear->bias.data ? tensor_value(&linear->bias, 0, out) : 0;
        for (int t = 0; t < n; t++) {
            double sum = 0;
            for (int64_t k = 0; k < linear->n_in; k++)
                sum += row[k] * x[t * linear->n_in + k];
            y[t * linear->n_out + out] = sum + bias;
        }
    }
    free(row);
    return true;
}

/* ---- the pass ------------------------------------------------------------------------------------------------------ */

static void norm(const double *x, const Tensor *weight, int n, double eps, double *out)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    double factor = 1 / sqrt(sum / n + eps);
    for (int i = 0; i < n; i++)
        out[i] = x[i] * factor * tensor_value(weight, 0, i);
}

static void norm_rows(const RefPass *pass, const Tensor *weight, double *out)
{
    const ModelShape *shape = &pass->loaded->shape;
    for (int t = 0; t < pass->n; t++)
        norm(pass->x + (int64_t)t * shape->hidden, weight, shape->hidden, shape->rms_eps, out + (int64_t)t * shape->hidden);
}

static void prepare_head(const RefLoaded *loaded, double *head, int position, const Tensor *weight)
{
    const ModelShape *shape = &loaded->shape;
    int half = shape->rope_dims / 2;
    if (shape->has_qk_norm && weight->data)
        norm(head, weight, shape->head_dim, shape->rms_eps, head);
    for (int i = 0; i < half; i++) {
        double angle = position * loaded->inv_freq[i];
        double c = cos(angle) * (double)shape->rope_scale, s = sin(angle) * (double)shape->rope_scale;
        double *a = shape->rope_pairing == ROPE_HALF ? head + i : head + 2 * i;
        double *b = shape->rope_pairing == ROPE_HALF ? head + i + half : head + 2 * i + 1;
        double first = *a * c - *b * s, second = *a * s + *b * c;
        *a = first;
        *b = second;
    }
}

/* One head of one token over positions [first, position]; weights: room for them. */
static void attend(const ModelShape *shape, const double *q, const double *keys, const double *values, int first,
                   int position, double *weights, double *out)
{
    int64_t stride = (int64_t)shape->n_kv_heads * shape->head_dim;
    double max = -INFINITY, sum = 0;
    for (int p = first; p <= position; p++) {
        double dot = 0;
        for (int d = 0; d < shape->head_dim; d++)
            dot += q[d] * keys[p * stride + d];
        weights[p] = dot / sqrt(shape->head_dim);
        max = fmax(max, weights[p]);
    }
    for (int d = 0; d < shape->head_dim; d++)
        out[d] = 0;
    for (int p = first; p <= position; p++) {
        double weight = exp(weights[p] - max);
        sum += weight;
        for (int d = 0; d < shape->head_dim; d++)
            out[d] += weight * values[p * stride + d];
    }
    for (int d = 0; d < shape->head_dim; d++)
        out[d] /= sum;
}

static bool attention(RefPass *pass, int layer)
{
    const ModelShape *shape = &pass->loaded->shape;
    const LayerWeights *w = &pass->loaded->layers[layer];
    RefTimeline *t = pass->timeline;
    int64_t kv = (int64_t)shape->n_kv_heads * shape->head_dim, heads = (int64_t)shape->n_heads * shape->head_dim;
    double *keys = t->keys + (int64_t)layer * t->context * kv, *values = t->values + (int64_t)layer * t->context * kv;
    double *weights = malloc((size_t)t->context * sizeof *weights);
    norm_rows(pass, &w->attn_norm, pass->h);
    bool ok = weights && multiply(&w->q, pass->h, pass->n, pass->q) &&
              multiply(&w->k, pass->h, pass->n, keys + t->length * kv) &&
              multiply(&w->v, pass->h, pass->n, values + t->length * kv);
    for (int i = 0; ok && i < pass->n; i++)
        for (int head = 0; head < shape->n_kv_heads; head++)
            prepare_head(pass->loaded, keys + (t->length + i) * kv + (int64_t)head * shape->head_dim, t->length + i, &w->k_norm);
    for (int i = 0; ok && i < pass->n; i++)
        for (int head = 0; head < shape->n_heads; head++) {
            int64_t at = i * heads + (int64_t)head * shape->head_dim;
            int64_t kv_at = (int64_t)(head / (shape->n_heads / shape->n_kv_heads)) * shape->head_dim;
            int position = t->length + i, window = shape->sliding_window;
            int first = window > 0 && position - window + 1 > 0 ? position - window + 1 : 0;
            prepare_head(pass->loaded, pass->q + at, position, &w->q_norm);
            attend(shape, pass->q + at, keys + kv_at, values + kv_at, first, position, weights, pass->attn + at);
        }
    free(weights);
    return ok && multiply(&w->o, pass->attn, pass->n, pass->delta);
}

static bool feed_forward(RefPass *pass, int layer)
{
    const ModelShape *shape = &pass->loaded->shape;
    const LayerWeights *w = &pass->loaded->layers[layer];
    norm_rows(pass, &w->ffn_norm, pass->h);
    if (!multiply(&w->gate, pass->h, pass->n, pass->gate) || !multiply(&w->up, pass->h, pass->n, pass->up))
        return false;
    for (int64_t i = 0; i < (int64_t)pass->n * shape->intermediate; i++)
        pass->gate[i] = pass->gate[i] / (1 + exp(-pass->gate[i])) * pass->up[i];
    return multiply(&w->down, pass->gate, pass->n, pass->delta);
}

static void add_delta(RefPass *pass)
{
    for (int64_t i = 0; i < (int64_t)pass->n * pass->loaded->shape.hidden; i++)
        pass->x[i] += pass->delta[i];
}

static void tap(const RefPass *pass, int layer, TapPoint point, const double *rows)
{
    int64_t hidden = pass->loaded->shape.hidden;
    if (pass->timeline->taps)
        memcpy(pass->timeline->taps + ((int64_t)layer * 4 + (int)point) * hidden, rows + (pass->n - 1) * hidden,
               (size_t)hidden * sizeof *rows);
}

static bool all_finite(const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static KStatus run_layers(RefPass *pass, const KCall *call)
{
    const ModelShape *shape = &pass->loaded->shape;
    for (int layer = 0; layer < shape->n_layers; layer++) {
        if (call && call->cancel && atomic_load_explicit(call->cancel, memory_order_relaxed))
            return KS_CANCELLED;
        tap(pass, layer, TAP_INPUT, pass->x);
        if (!attention(pass, layer))
            return fault(&pass->loaded->base, KS_MEMORY, layer, "evaluating tokens");
        tap(pass, layer, TAP_ATTN_OUT, pass->delta);
        add_delta(pass);
        if (!feed_forward(pass, layer))
            return fault(&pass->loaded->base, KS_MEMORY, layer, "evaluating tokens");
        tap(pass, layer, TAP_FFN_OUT, pass->delta);
        add_delta(pass);
        tap(pass, layer, TAP_OUTPUT, pass->x);
        if (!all_finite(pass->x, (int64_t)pass->n * shape->hidden))
            return fault(&pass->loaded->base, KS_NAN, layer, "activations are not finite");
    }
    return KS_OK;
}

static KStatus make_logits(RefPass *pass, Want want)
{
    RefTimeline *t = pass->timeline;
    const ModelShape *shape = &pass->loaded->shape;
    int rows = want == WANT_ALL ? pass->n : 1;
    size_t values = (size_t)rows * (size_t)shape->n_vocab;
    double *wide = malloc(values * sizeof *wide);
    float *logits = realloc(t->logits, values * sizeof *logits);
    t->logits = logits ? logits : t->logits;
    KStatus status = wide && logits ? KS_OK : fault(&pass->loaded->base, KS_MEMORY, -1, "evaluating tokens");
    if (status == KS_OK) {
        norm_rows(pass, &pass->loaded->weights.output_norm, pass->h);
        if (!multiply(&pass->loaded->weights.head, pass->h + (int64_t)(pass->n - rows) * shape->hidden, rows, wide))
            status = fault(&pass->loaded->base, KS_MEMORY, -1, "evaluating tokens");
        else if (!all_finite(wide, (int64_t)values))
            status = fault(&pass->loaded->base, KS_NAN, shape->n_layers, "logits are not finite");
    }
    for (size_t i = 0; status == KS_OK && i < values; i++)
        logits[i] = (float)wide[i];
    t->n_logits = status == KS_OK ? rows : 0;
    free(wide);
    return status;
}

static void pass_release(RefPass *pass)
{
    double *rows[] = {pass->x, pass->h, pass->q, pass->attn, pass->gate, pass->up, pass->delta};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        free(rows[i]);
}

static bool pass_reserve(RefPass *pass)
{
    const ModelShape *shape = &pass->loaded->shape;
    size_t n = (size_t)pass->n * sizeof(double), hidden = (size_t)shape->hidden;
    size_t heads = (size_t)shape->n_heads * (size_t)shape->head_dim, inner = (size_t)shape->intermediate;
    pass->x = malloc(n * hidden);
    pass->h = malloc(n * hidden);
    pass->delta = malloc(n * hidden);
    pass->q = malloc(n * heads);
    pass->attn = malloc(n * heads);
    pass->gate = malloc(n * inner);
    pass->up = malloc(n * inner);
    return pass->x && pass->h && pass->delta && pass->q && pass->attn && pass->gate && pass->up;
}

static KStatus evaluate(RefTimeline *t, const int32_t *ids, int n, Want want, const KCall *call)
{
    RefPass pass = {.timeline = t, .loaded = (const RefLoaded *)t->base.loaded, .n = n};
    int64_t hidden = pass.loaded->shape.hidden;
    KStatus status = pass_reserve(&pass) ? KS_OK : fault(t->base.loaded, KS_MEMORY, -1, "evaluating tokens");
    if (status == KS_OK) {
        for (int i = 0; i < n; i++)
            for (int64_t d = 0; d < hidden; d++)
                pass.x[i * hidden + d] = tensor_value(&pass.loaded->weights.embedding, ids[i], d);
        status = run_layers(&pass, call);
    }
    if (status == KS_OK && want != WANT_NONE)
        status = make_logits(&pass, want);
    if (status == KS_OK) {
        memcpy(t->ids + t->length, ids, (size_t)n * sizeof *ids);
        t->length += n;
    }
    pass_release(&pass);
    return status;
}

/* ---- the seam ------------------------------------------------------------------------------------------------------ */

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

static KStatus ref_load(Backend *backend, const ModelShape *shape, const ModelWeights *weights, const KCall *call,
                        Loaded **out)
{
    RefLoaded *loaded = calloc(1, sizeof *loaded);
    size_t angles = (size_t)(shape->rope_dims / 2);
    Loaded nameless = {.backend = backend};
    if (!loaded)
        return fault(&nameless, KS_MEMORY, -1, "loading weights");
    loaded->base = (Loaded){.ops = backend->ops, .backend = backend};
    loaded->shape = *shape;
    loaded->weights = *weights;
    loaded->layers = malloc((size_t)shape->n_layers * sizeof *loaded->layers);
    loaded->inv_freq = malloc((angles + 1) * sizeof *loaded->inv_freq);
    if (!loaded->layers || !loaded->inv_freq) {
        ref_unload(&loaded->base);
        return fault(&nameless, KS_MEMORY, -1, "loading weights");
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
    return 2 * (size_t)((const RefLoaded *)loaded)->shape.n_layers * (size_t)context * (size_t)kv_width(loaded) *
           sizeof(double);
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
        return fault(loaded, KS_RANGE, -1, "a context must hold a token");
    RefTimeline *t = calloc(1, sizeof *t);
    if (!t)
        return fault(loaded, KS_MEMORY, -1, "reserving the KV cache");
    t->base = (Timeline){.ops = loaded->ops, .loaded = loaded};
    t->context = context;
    t->pending = -1;
    t->ids = malloc((size_t)context * sizeof *t->ids);
    t->keys = malloc(ref_kv_bytes(loaded, context) / 2);
    t->values = malloc(ref_kv_bytes(loaded, context) / 2);
    t->sample.candidate = malloc((size_t)shape->n_vocab * sizeof *t->sample.candidate);
    t->sample.count = calloc((size_t)shape->n_vocab, sizeof *t->sample.count);
    t->taps = taps ? calloc((size_t)shape->n_layers * 4 * (size_t)shape->hidden, sizeof *t->taps) : NULL;
    if (t->ids && t->keys && t->values && t->sample.candidate && t->sample.count && (t->taps || !taps)) {
        *out = &t->base;
        return KS_OK;
    }
    ref_timeline_close(&t->base);
    return fault(loaded, KS_MEMORY, -1, "reserving the KV cache");
}

static KStatus ref_feed(Timeline *base, const int32_t *ids, int n, Want want, const KCall *call)
{
    RefTimeline *t = (RefTimeline *)base;
    const ModelShape *shape = &((const RefLoaded *)base->loaded)->shape;
    t->pending = -1;
    if (n < 1)
        return fault(base->loaded, KS_RANGE, -1, "feeding no tokens");
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= shape->n_vocab)
            return fault(base->loaded, KS_RANGE, -1, "a token outside the vocabulary");
    if (n > t->context - t->length)
        return fault(base->loaded, KS_CONTEXT, -1, "more tokens than the context holds");
    t->n_logits = 0;
    KStatus status = evaluate(t, ids, n, want, call);
    if (status == KS_OK && call && call->progress)
        call->progress(call->arg, n, n);
    return status;
}

static int real_tokens(const ModelShape *shape)
{
    return shape->n_tokens > 0 && shape->n_tokens < shape->n_vocab ? shape->n_tokens : shape->n_vocab;
}

static KStatus ref_step(Timeline *base, const SampleSpec *spec, int max, int32_t *ids, int *n, const KCall *call)
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
                return fault(base->loaded, KS_CONTEXT, -1, "the context is full");
            KStatus status = evaluate(t, &id, 1, WANT_LAST, call);
            if (status != KS_OK)
                return status;
            t->pending = -1;
        }
        if (t->n_logits == 0)
            return fault(base->loaded, KS_RANGE, -1, "there are no logits to sample from");
        const float *last = t->logits + (size_t)(t->n_logits - 1) * (size_t)shape->n_vocab;
        t->pending = sample_pick(last, real_tokens(shape), t->ids, t->length, spec, (uint64_t)t->length, &t->sample);
        if (t->pending < 0)
            return fault(base->loaded, KS_NAN, shape->n_layers, "logits are not finite");
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
        return fault(base->loaded, KS_RANGE, -1, "there are no logits");
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
        return fault(base->loaded, KS_RANGE, -1, "rewinding past the end");
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
            double *cache = (which ? t->values : t->keys) + ((int64_t)layer * t->context + from) * width;
            if (bytes)
                memcpy(out ? buffer : cache, out ? cache : buffer, bytes);
        }
}

static KStatus ref_save(Timeline *base, int from, int n, void *out)
{
    RefTimeline *t = (RefTimeline *)base;
    if (from < 0 || n < 0 || from > t->length || n > t->length - from)
        return fault(base->loaded, KS_RANGE, -1, "saving positions that are not there");
    move_positions(t, from, n, out, true);
    return KS_OK;
}

static KStatus ref_restore(Timeline *base, int from, int n, const int32_t *ids, const void *in)
{
    RefTimeline *t = (RefTimeline *)base;
    if (from < 0 || n < 0 || from > t->length)
        return fault(base->loaded, KS_RANGE, -1, "restoring after a gap");
    if (n > t->context - from)
        return fault(base->loaded, KS_CONTEXT, -1, "restoring more tokens than the context holds");
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
        return fault(base->loaded, KS_RANGE, -1, "forking past the end");
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
        return fault(base->loaded, t->taps ? KS_RANGE : KS_UNSUPPORTED, layer, "no activations were kept");
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
