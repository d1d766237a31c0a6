/* The reference backend: the same model in plain float64, one thread, weights unpacked as they are
 * read.
 *
 * It shares nothing with the other backends but the seam and the definition of sampling, so that a
 * mistake in one cannot hide in the other.  Used by tests only; it is as slow as it looks.  float32
 * appears in two places: the logits that go out, and the logits that are sampled from. */
#include "config.h"

#include "kernels/cpu/reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/half.h"

/* One batch on its way through the layers; (n, …) each. */
typedef struct {
    RefTimeline *timeline;
    const RefLoaded *loaded;
    int n;
    double *x, *h, *q, *attn, *gate, *up, *delta;
} RefPass;

KStatus reference_fault(const Loaded *loaded, KStatus status, int layer, const char *what)
{
    RefBackend *backend = (RefBackend *)loaded->backend;
    backend->fault = (KFault){ .layer = layer };
    snprintf(backend->fault.device, sizeof backend->fault.device, "reference");
    snprintf(backend->fault.what, sizeof backend->fault.what, "%s", what);
    return status;
}

/* ---- weights ---- */

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
    const uint8_t *at =
        (const uint8_t *)tensor->data + (row * blocks + col / info->block) * info->block_bytes;
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
    static const int awq[8] = { 0, 4, 1, 5, 2, 6, 3, 7 };
    return packing == PACK_AWQ ? awq[n % 8] : (int)(n % 8);
}

static double quant_value(const QuantSource *quant, int64_t n_out, int64_t n, int64_t k)
{
    int64_t group = quant->g_idx ? (int64_t)word_at(quant->g_idx, k) : k / quant->group_size;
    uint32_t zeros = word_at(quant->qzeros, group * (n_out / 8) + n / 8);
    int zero = (int)(zeros >> 4 * nibble_of(quant->packing, n) & 15);
    if (quant->zero_rule == ZERO_STORED_PLUS_ONE)
        zero = (zero + 1) % 16;
    int code =
        quant->packing == PACK_AWQ
            ? (int)(word_at(quant->qweight, k * (n_out / 8) + n / 8) >> 4 * nibble_of(PACK_AWQ, n) &
                    15)
            : (int)(word_at(quant->qweight, k / 8 * n_out + n) >> 4 * (k % 8) & 15);
    Tensor scales = {
        .dtype = quant->scale_type, .rows = quant->n_groups, .cols = n_out, .data = quant->scales
    };
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
            row[k] = linear->quant.packing == PACK_NONE
                         ? tensor_value(&linear->dense, out, k)
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

/* ---- the pass ---- */

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
        norm(pass->x + (int64_t)t * shape->hidden, weight, shape->hidden, shape->rms_eps,
             out + (int64_t)t * shape->hidden);
}

static void prepare_head(const RefLoaded *loaded, double *head, int position, const Tensor *weight)
{
    const ModelShape *shape = &loaded->shape;
    int half = shape->rope_dims / 2;
    if (shape->has_qk_norm && weight->data)
        norm(head, weight, shape->head_dim, shape->rms_eps, head);
    for (int i = 0; i < half; i++) {
        double angle = position * loaded->inv_freq[i];
        double c = cos(angle) * (double)shape->rope_scale,
               s = sin(angle) * (double)shape->rope_scale;
        double *a = shape->rope_pairing == ROPE_HALF ? head + i : head + 2 * i;
        double *b = shape->rope_pairing == ROPE_HALF ? head + i + half : head + 2 * i + 1;
        double first = *a * c - *b * s, second = *a * s + *b * c;
        *a = first;
        *b = second;
    }
}

/* One head of one token over positions [first, position]; weights: room for them. */
static void attend(const ModelShape *shape, const double *q, const double *keys,
                   const double *values, int first, int position, double *weights, double *out)
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
    int64_t kv = (int64_t)shape->n_kv_heads * shape->head_dim,
            heads = (int64_t)shape->n_heads * shape->head_dim;
    double *keys = t->keys + (int64_t)layer * t->context * kv,
           *values = t->values + (int64_t)layer * t->context * kv;
    double *weights = malloc((size_t)t->context * sizeof *weights);
    norm_rows(pass, &w->attn_norm, pass->h);
    bool ok = weights && multiply(&w->q, pass->h, pass->n, pass->q) &&
              multiply(&w->k, pass->h, pass->n, keys + t->length * kv) &&
              multiply(&w->v, pass->h, pass->n, values + t->length * kv);
    for (int i = 0; ok && i < pass->n; i++)
        for (int head = 0; head < shape->n_kv_heads; head++)
            prepare_head(pass->loaded,
                         keys + (t->length + i) * kv + (int64_t)head * shape->head_dim,
                         t->length + i, &w->k_norm);
    for (int i = 0; ok && i < pass->n; i++)
        for (int head = 0; head < shape->n_heads; head++) {
            int64_t at = i * heads + (int64_t)head * shape->head_dim;
            int64_t kv_at =
                (int64_t)(head / (shape->n_heads / shape->n_kv_heads)) * shape->head_dim;
            int position = t->length + i, window = shape->sliding_window;
            int first = window > 0 && position - window + 1 > 0 ? position - window + 1 : 0;
            prepare_head(pass->loaded, pass->q + at, position, &w->q_norm);
            attend(shape, pass->q + at, keys + kv_at, values + kv_at, first, position, weights,
                   pass->attn + at);
        }
    free(weights);
    return ok && multiply(&w->o, pass->attn, pass->n, pass->delta);
}

static bool feed_forward(RefPass *pass, int layer)
{
    const ModelShape *shape = &pass->loaded->shape;
    const LayerWeights *w = &pass->loaded->layers[layer];
    norm_rows(pass, &w->ffn_norm, pass->h);
    if (!multiply(&w->gate, pass->h, pass->n, pass->gate) ||
        !multiply(&w->up, pass->h, pass->n, pass->up))
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
        memcpy(pass->timeline->taps + ((int64_t)layer * 4 + (int)point) * hidden,
               rows + (pass->n - 1) * hidden, (size_t)hidden * sizeof *rows);
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
        if (call && call->poll)
            call->poll(call->arg);
        if (call && call->cancel && atomic_load_explicit(call->cancel, memory_order_relaxed))
            return KS_CANCELLED;
        tap(pass, layer, TAP_INPUT, pass->x);
        if (!attention(pass, layer))
            return reference_fault(&pass->loaded->base, KS_MEMORY, layer, "evaluating tokens");
        tap(pass, layer, TAP_ATTN_OUT, pass->delta);
        add_delta(pass);
        if (!feed_forward(pass, layer))
            return reference_fault(&pass->loaded->base, KS_MEMORY, layer, "evaluating tokens");
        tap(pass, layer, TAP_FFN_OUT, pass->delta);
        add_delta(pass);
        tap(pass, layer, TAP_OUTPUT, pass->x);
        if (!all_finite(pass->x, (int64_t)pass->n * shape->hidden))
            return reference_fault(&pass->loaded->base, KS_NAN, layer,
                                   "activations are not finite");
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
    KStatus status = wide && logits
                         ? KS_OK
                         : reference_fault(&pass->loaded->base, KS_MEMORY, -1, "evaluating tokens");
    if (status == KS_OK) {
        norm_rows(pass, &pass->loaded->weights.output_norm, pass->h);
        if (!multiply(&pass->loaded->weights.head,
                      pass->h + (int64_t)(pass->n - rows) * shape->hidden, rows, wide))
            status = reference_fault(&pass->loaded->base, KS_MEMORY, -1, "evaluating tokens");
        else if (!all_finite(wide, (int64_t)values))
            status = reference_fault(&pass->loaded->base, KS_NAN, shape->n_layers,
                                     "logits are not finite");
    }
    for (size_t i = 0; status == KS_OK && i < values; i++)
        logits[i] = (float)wide[i];
    t->n_logits = status == KS_OK ? rows : 0;
    free(wide);
    return status;
}

static void pass_release(RefPass *pass)
{
    double *rows[] = { pass->x, pass->h, pass->q, pass->attn, pass->gate, pass->up, pass->delta };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        free(rows[i]);
}

static bool pass_reserve(RefPass *pass)
{
    const ModelShape *shape = &pass->loaded->shape;
    size_t n = (size_t)pass->n * sizeof(double), hidden = (size_t)shape->hidden;
    size_t heads = (size_t)shape->n_heads * (size_t)shape->head_dim,
           inner = (size_t)shape->intermediate;
    pass->x = malloc(n * hidden);
    pass->h = malloc(n * hidden);
    pass->delta = malloc(n * hidden);
    pass->q = malloc(n * heads);
    pass->attn = malloc(n * heads);
    pass->gate = malloc(n * inner);
    pass->up = malloc(n * inner);
    return pass->x && pass->h && pass->delta && pass->q && pass->attn && pass->gate && pass->up;
}

KStatus reference_evaluate(RefTimeline *t, const int32_t *ids, int n, Want want, const KCall *call)
{
    RefPass pass = { .timeline = t, .loaded = (const RefLoaded *)t->base.loaded, .n = n };
    int64_t hidden = pass.loaded->shape.hidden;
    KStatus status = pass_reserve(&pass)
                         ? KS_OK
                         : reference_fault(t->base.loaded, KS_MEMORY, -1, "evaluating tokens");
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
