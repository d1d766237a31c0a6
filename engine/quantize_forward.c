/* The layer, step by step: the order of the operations is that of kernels/cpu/reference.c. */
#include "config.h"

#include "engine/quantize_forward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"

enum { CHUNK_TOKENS = 1024, QUERY_ROWS = 96, NORM_ROWS = 16 };

/* ---- weights ---- */

static float *to_floats(const Tensor *tensor)
{
    size_t n = (size_t)tensor->rows * (size_t)tensor->cols;
    float *out = mem_try_alloc(n, sizeof *out);

    if (out)
        dtype_info(tensor->dtype)->to_float(tensor->data, out, (int64_t)n);
    return out;
}

static bool all_finite(const float *x, int64_t n)
{
    bool bad = false;

    for (int64_t i = 0; i < n; i++)
        bad |= !(fabsf(x[i]) <= 3.4e38f);
    return !bad;
}

static bool take_norms(LayerFloats *layer, const LayerWeights *weights)
{
    layer->attn_norm = to_floats(&weights->attn_norm);
    layer->ffn_norm = to_floats(&weights->ffn_norm);
    if (weights->q_norm.data)
        layer->q_norm = to_floats(&weights->q_norm);
    if (weights->k_norm.data)
        layer->k_norm = to_floats(&weights->k_norm);
    return layer->attn_norm && layer->ffn_norm && (layer->q_norm || !weights->q_norm.data) &&
           (layer->k_norm || !weights->k_norm.data);
}

static bool no_memory(Error *err)
{
    return error_set(err, ERR_MEMORY,
                     _("out of memory: a layer and the activations of the text do not fit; close "
                       "other programs, or take fewer or shorter --samples"));
}

bool layer_floats_init(LayerFloats *layer, const LayerWeights *w, Error *err)
{
    const Linear *linears[L_COUNT] = { &w->q, &w->k, &w->v, &w->o, &w->gate, &w->up, &w->down };

    *layer = (LayerFloats){ 0 };
    if (!take_norms(layer, w))
        return no_memory(err);
    for (int i = 0; i < L_COUNT; i++) {
        layer->n_out[i] = linears[i]->n_out;
        layer->n_in[i] = linears[i]->n_in;
        layer->matrix[i] = to_floats(&linears[i]->dense);
        if (linears[i]->bias.data)
            layer->bias[i] = to_floats(&linears[i]->bias);
        if (!layer->matrix[i] || (linears[i]->bias.data && !layer->bias[i]))
            return no_memory(err);
        if (!all_finite(layer->matrix[i], layer->n_out[i] * layer->n_in[i]))
            return error_set(err, ERR_FORMAT,
                             _("%s: it holds infinite values or no numbers; the model file may be "
                               "damaged"),
                             linears[i]->name);
    }
    return true;
}

void layer_floats_release(LayerFloats *layer)
{
    for (int i = 0; i < L_COUNT; i++) {
        free(layer->matrix[i]);
        free(layer->bias[i]);
    }
    free(layer->attn_norm);
    free(layer->ffn_norm);
    free(layer->q_norm);
    free(layer->k_norm);
    *layer = (LayerFloats){ 0 };
}

/* ---- lifetime ---- */

static void fill_rope(Forward *f)
{
    int half = f->shape->rope_dims / 2;

    for (int t = 0; t < f->longest; t++)
        for (int i = 0; i < half; i++) {
            double angle = t * f->shape->rope_inv_freq[i];
            f->cos[(int64_t)t * half + i] = (float)(cos(angle) * (double)f->shape->rope_scale);
            f->sin[(int64_t)t * half + i] = (float)(sin(angle) * (double)f->shape->rope_scale);
        }
}

bool forward_init(Forward *f, Dense *dense, const ModelShape *s, int longest, Error *err)
{
    size_t n, half = (size_t)s->rope_dims / 2 + 1, head = (size_t)s->head_dim;
    bool ok;

    *f = (Forward){ .dense = dense, .shape = s, .longest = longest };
    f->chunk = longest > CHUNK_TOKENS ? longest : CHUNK_TOKENS;
    n = (size_t)f->chunk * sizeof(float);
    f->cos = mem_try_alloc((size_t)longest * half, sizeof(float));
    f->sin = mem_try_alloc((size_t)longest * half, sizeof(float));
    f->h = mem_try_alloc(n, (size_t)s->hidden);
    f->q = mem_try_alloc(n, (size_t)s->n_heads * head);
    f->k = mem_try_alloc(n, (size_t)s->n_kv_heads * head);
    f->v = mem_try_alloc(n, (size_t)s->n_kv_heads * head);
    f->gate = mem_try_alloc(n, (size_t)s->intermediate);
    f->up = mem_try_alloc(n, (size_t)s->intermediate);
    f->scores = xcalloc((size_t)dense_threads(dense), sizeof *f->scores);
    ok = f->cos && f->sin && f->h && f->q && f->k && f->v && f->gate && f->up;
    for (int i = 0; ok && i < dense_threads(dense); i++) {
        f->scores[i] = mem_try_alloc((size_t)longest * QUERY_ROWS, sizeof(float));
        ok = f->scores[i] != NULL;
    }
    if (!ok)
        return no_memory(err);
    fill_rope(f);
    return true;
}

void forward_release(Forward *f)
{
    float *rows[] = { f->cos, f->sin, f->h, f->q, f->k, f->v, f->gate, f->up };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        free(rows[i]);
    for (int i = 0; f->scores && i < dense_threads(f->dense); i++)
        free(f->scores[i]);
    free(f->scores);
    *f = (Forward){ 0 };
}

bool forward_next(const Forward *f, const Windows *windows, int from, Batch *out)
{
    const int *start = windows->start;
    int to = from + 1;

    if (from >= windows->n)
        return false;
    while (to < windows->n && start[to + 1] - start[from] <= f->chunk)
        to++;
    *out = (Batch){ windows, from, to, start[to] - start[from], start[from] };
    return true;
}

/* ---- pieces ---- */

static void norm_row(const float *x, const float *weight, int n, float eps, float *out)
{
    double sum = 0;
    float factor;

    for (int i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    factor = (float)(1 / sqrt(sum / n + (double)eps));
    for (int i = 0; i < n; i++)
        out[i] = x[i] * factor * weight[i];
}

typedef struct {
    const Forward *f;
    const float *weight, *x;
    float *out;
    int64_t n;
} NormJob;

static void norm_item(void *arg, int item, int thread)
{
    const NormJob *job = arg;
    int width = job->f->shape->hidden;
    int64_t end = (int64_t)(item + 1) * NORM_ROWS;

    (void)thread;
    for (int64_t row = (int64_t)item * NORM_ROWS; row < end && row < job->n; row++)
        norm_row(job->x + row * width, job->weight, width, job->f->shape->rms_eps,
                 job->out + row * width);
}

void forward_norm(const Forward *f, const float *weight, const float *x, int64_t n, float *out)
{
    NormJob job = { f, weight, x, out, n };

    dense_run(f->dense, (int)((n + NORM_ROWS - 1) / NORM_ROWS), norm_item, &job);
}

/* out (n, n_out) becomes, or gains, matrix * in and the bias. */
typedef struct {
    const float *in;
    int64_t n;
    float *out;
    DenseStore store;
} Application;

static bool apply(const Forward *f, const LayerFloats *layer, LayerMatrix which, Application to)
{
    int64_t n_out = layer->n_out[which], n_in = layer->n_in[which];
    const float *bias = layer->bias[which];
    DenseProduct product = { .a = { to.in, n_in, 1 },
                             .b = { layer->matrix[which], 1, n_in },
                             .c = to.out,
                             .c_row = n_out,
                             .m = to.n,
                             .n = n_out,
                             .k = n_in,
                             .store = to.store };

    if (!dense_multiply(f->dense, &product))
        return false;
    for (int64_t row = 0; bias && row < to.n; row++)
        for (int64_t i = 0; i < n_out; i++)
            to.out[row * n_out + i] += bias[i];
    return true;
}

bool forward_add(Forward *f, const LayerFloats *layer, LayerMatrix which, const float *in,
                 int64_t n, float *x)
{
    return apply(f, layer, which, (Application){ in, n, x, DENSE_ADD });
}

/* ---- attention ---- */

typedef struct {
    Forward *f;
    const LayerFloats *layer;
    const Batch *batch;
    float *out;
} AttentionJob;

static void rotate(const Forward *f, float *head, int position)
{
    int half = f->shape->rope_dims / 2;
    const float *c = f->cos + (int64_t)position * half, *s = f->sin + (int64_t)position * half;
    bool halves = f->shape->rope_pairing == ROPE_HALF;

    for (int i = 0; i < half; i++) {
        float *a = halves ? head + i : head + 2 * i,
              *b = halves ? head + i + half : head + 2 * i + 1;
        float first = *a * c[i] - *b * s[i], second = *a * s[i] + *b * c[i];
        *a = first;
        *b = second;
    }
}

static void prepare_heads(const Forward *f, float *rows, int n_heads, int n, const float *weight)
{
    int size = f->shape->head_dim;

    for (int t = 0; t < n; t++)
        for (int head = 0; head < n_heads; head++) {
            float *at = rows + ((int64_t)t * n_heads + head) * size;
            if (weight)
                norm_row(at, weight, size, f->shape->rms_eps, at);
            rotate(f, at, t);
        }
}

static void prepare_item(void *arg, int item, int thread)
{
    const AttentionJob *job = arg;
    const ModelShape *s = job->f->shape;
    const int *start = job->batch->windows->start + job->batch->from + item;
    int64_t at = start[0] - job->batch->at;

    (void)thread;
    prepare_heads(job->f, job->f->q + at * s->n_heads * s->head_dim, s->n_heads,
                  start[1] - start[0], job->layer->q_norm);
    prepare_heads(job->f, job->f->k + at * s->n_kv_heads * s->head_dim, s->n_kv_heads,
                  start[1] - start[0], job->layer->k_norm);
}

/* Weights of the positions that a query sees, out of its scores; the others get 0. */
static void weigh(const ModelShape *s, float *scores, int position, int n)
{
    float scale = (float)(1 / sqrt(s->head_dim)), max = -INFINITY, by;
    int window = s->sliding_window;
    int first = window > 0 && position - window + 1 > 0 ? position - window + 1 : 0;
    double sum = 0;

    for (int i = first; i <= position; i++)
        max = fmaxf(max, scores[i]);
    for (int i = first; i <= position; i++) {
        scores[i] = expf((scores[i] - max) * scale);
        sum += (double)scores[i];
    }
    by = (float)(1 / sum);
    for (int i = 0; i < n; i++)
        scores[i] = i < first || i > position ? 0 : scores[i] * by;
}

/* One head of one window. */
static void attention_item(void *arg, int item, int thread)
{
    const AttentionJob *job = arg;
    Forward *f = job->f;
    const ModelShape *s = f->shape;
    int head = item % s->n_heads, kv = head / (s->n_heads / s->n_kv_heads);
    const int *start = job->batch->windows->start + job->batch->from + item / s->n_heads;
    int64_t at = start[0] - job->batch->at;
    int64_t q_row = (int64_t)s->n_heads * s->head_dim,
            kv_row = (int64_t)s->n_kv_heads * s->head_dim;
    const float *q = f->q + at * q_row + (int64_t)head * s->head_dim;
    int64_t kv_at = at * kv_row + (int64_t)kv * s->head_dim;
    float *out = job->out + at * q_row + (int64_t)head * s->head_dim, *scores = f->scores[thread];
    int n = start[1] - start[0];

    for (int row = 0; row < n; row += QUERY_ROWS) {
        int rows = n - row < QUERY_ROWS ? n - row : QUERY_ROWS, seen = row + rows;
        DenseProduct qk = { .a = { q + row * q_row, q_row, 1 },
                            .b = { f->k + kv_at, 1, kv_row },
                            .c = scores,
                            .c_row = seen,
                            .m = rows,
                            .n = seen,
                            .k = s->head_dim };
        DenseProduct wv = { .a = { scores, seen, 1 },
                            .b = { f->v + kv_at, kv_row, 1 },
                            .c = out + row * q_row,
                            .c_row = q_row,
                            .m = rows,
                            .n = s->head_dim,
                            .k = seen };

        dense_multiply_here(f->dense, &qk, thread);
        for (int i = 0; i < rows; i++)
            weigh(s, scores + (int64_t)i * seen, row + i, seen);
        dense_multiply_here(f->dense, &wv, thread);
    }
}

bool forward_attention(Forward *f, const LayerFloats *layer, const Batch *batch, const float *x,
                       float *out)
{
    AttentionJob job = { f, layer, batch, out };
    int n = batch->n;

    forward_norm(f, layer->attn_norm, x, n, f->h);
    if (!apply(f, layer, L_Q, (Application){ f->h, n, f->q, DENSE_SET }) ||
        !apply(f, layer, L_K, (Application){ f->h, n, f->k, DENSE_SET }) ||
        !apply(f, layer, L_V, (Application){ f->h, n, f->v, DENSE_SET }))
        return false;
    dense_run(f->dense, batch->to - batch->from, prepare_item, &job);
    dense_run(f->dense, (batch->to - batch->from) * f->shape->n_heads, attention_item, &job);
    return true;
}

/* ---- feed-forward ---- */

static void silu_item(void *arg, int item, int thread)
{
    Forward *f = arg;
    int64_t width = f->shape->intermediate;
    float *gate = f->gate + item * width;
    const float *up = f->up + item * width;

    (void)thread;
    for (int64_t i = 0; i < width; i++)
        gate[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
}

bool forward_inner(Forward *f, const LayerFloats *layer, const float *x, int n, const float **out)
{
    forward_norm(f, layer->ffn_norm, x, n, f->h);
    if (!apply(f, layer, L_GATE, (Application){ f->h, n, f->gate, DENSE_SET }) ||
        !apply(f, layer, L_UP, (Application){ f->h, n, f->up, DENSE_SET }))
        return false;
    dense_run(f->dense, n, silu_item, f);
    *out = f->gate;
    return true;
}

bool forward_layer(Forward *f, const LayerFloats *layer, const Windows *windows, float *x,
                   float *attn)
{
    const float *inner;
    Batch batch;

    for (int from = 0; forward_next(f, windows, from, &batch); from = batch.to) {
        float *rows = x + batch.at * f->shape->hidden;
        if (!forward_attention(f, layer, &batch, rows, attn) ||
            !forward_add(f, layer, L_O, attn, batch.n, rows) ||
            !forward_inner(f, layer, rows, batch.n, &inner) ||
            !forward_add(f, layer, L_DOWN, inner, batch.n, rows))
            return false;
    }
    return true;
}
