/* The schedule of a forward pass: what is computed in which order for a batch of tokens.
 *
 * The calling thread walks through the layers and shares each step out over the pool: matrices by
 * rows, everything else by tokens.  For a single token the small steps run on the calling thread
 * alone. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cpu/forward.h"
#include "kernels/half.h"

enum { NOT_FINITE = 0x7f800000 };

/* What the items of the small steps are told. */
typedef struct {
    CpuTimeline *timeline;
    CpuLoaded *loaded;
    const CpuBackend *backend;
    const CpuLayer *layer;
    int layer_index;
    const int32_t *ids;
    /* norm_item, quantise_item */
    const float *from;
    size_t from_stride;
    const float *norm_weight;
    float *norm_to;
    size_t norm_to_stride;
    const MatrixInput *input;
} Pass;

KStatus cpu_fault(CpuBackend *backend, KStatus status, int layer, const char *what)
{
    backend->fault = (KFault){ .layer = layer };
    snprintf(backend->fault.device, sizeof backend->fault.device, "cpu");
    snprintf(backend->fault.what, sizeof backend->fault.what, "%s", what);
    return status;
}

static void raise_worst(atomic_uint *worst, uint32_t bits)
{
    unsigned seen = atomic_load_explicit(worst, memory_order_relaxed);
    while (bits > seen && !atomic_compare_exchange_weak(worst, &seen, bits))
        continue;
}

/* ---- steps by token ---- */

static void embed_item(void *arg, int token, int thread)
{
    const Pass *pass = arg;
    CpuLoaded *loaded = pass->loaded;
    const Tensor *table = &loaded->embedding;
    const DTypeInfo *info = dtype_info(table->dtype);
    size_t row_bytes = (size_t)(table->cols / info->block) * (size_t)info->block_bytes;
    float *x = loaded->scratch.x + (size_t)token * loaded->scratch.hidden;
    (void)thread;
    info->to_float((const uint8_t *)table->data + (size_t)pass->ids[token] * row_bytes, x,
                   table->cols);
    int angles = loaded->shape.rope_dims / 2;
    float *cosine = loaded->scratch.cosine + (size_t)token * (size_t)angles;
    float *sine = loaded->scratch.sine + (size_t)token * (size_t)angles;
    for (int i = 0; i < angles; i++) {
        double angle = (double)(pass->timeline->length + token) * loaded->inv_freq[i];
        cosine[i] = (float)(cos(angle) * (double)loaded->shape.rope_scale);
        sine[i] = (float)(sin(angle) * (double)loaded->shape.rope_scale);
    }
}

static void quantise_input(const Pass *pass, const float *x, int token)
{
    CpuLoaded *loaded = pass->loaded;
    for (int i = 0; i < pass->input->n_sets; i++)
        raise_worst(&loaded->scratch.worst,
                    pass->backend->isa->quantise(x, &loaded->scratch.act[i], token));
}

static void norm_item(void *arg, int token, int thread)
{
    const Pass *pass = arg;
    NormInput in = { .x = pass->from + (size_t)token * pass->from_stride,
                     .weight = pass->norm_weight,
                     .n = pass->loaded->shape.hidden,
                     .eps = pass->loaded->shape.rms_eps };
    float *to = pass->norm_to + (size_t)token * pass->norm_to_stride;
    (void)thread;
    float sum = pass->backend->isa->norm(&in, to);
    raise_worst(&pass->loaded->scratch.worst_norm, bits_of_float(sum) & 0x7fffffff);
    if (pass->input)
        quantise_input(pass, to, token);
}

static void quantise_item(void *arg, int token, int thread)
{
    const Pass *pass = arg;
    (void)thread;
    quantise_input(pass, pass->from + (size_t)token * pass->from_stride, token);
}

static void silu_item(void *arg, int token, int thread)
{
    const Pass *pass = arg;
    const Scratch *scratch = &pass->loaded->scratch;
    float *gate = scratch->gate + (size_t)token * scratch->inner;
    (void)thread;
    pass->backend->isa->silu_mul(gate, scratch->up + (size_t)token * scratch->inner,
                                 pass->loaded->shape.intermediate);
    quantise_input(pass, gate, token);
}

static void rotate(const Pass *pass, float *head, int token)
{
    const ModelShape *shape = &pass->loaded->shape;
    int half = shape->rope_dims / 2;
    const float *cosine = pass->loaded->scratch.cosine + (size_t)token * (size_t)half;
    const float *sine = pass->loaded->scratch.sine + (size_t)token * (size_t)half;
    int step = shape->rope_pairing == ROPE_HALF ? 1 : 2;
    int apart = shape->rope_pairing == ROPE_HALF ? half : 1;
    for (int i = 0; i < half; i++) {
        float a = head[i * step], b = head[i * step + apart];
        head[i * step] = a * cosine[i] - b * sine[i];
        head[i * step + apart] = a * sine[i] + b * cosine[i];
    }
}

static void norm_head(const Pass *pass, float *head, const float *weight)
{
    if (!weight)
        return;
    NormInput in = { .x = head,
                     .weight = weight,
                     .n = pass->loaded->shape.head_dim,
                     .eps = pass->loaded->shape.rms_eps };
    pass->backend->isa->norm(&in, head);
}

static void query_head(const Pass *pass, int token, int head)
{
    CpuLoaded *loaded = pass->loaded;
    Scratch *scratch = &loaded->scratch;
    int head_dim = loaded->shape.head_dim;
    float *q = scratch->q + (size_t)token * scratch->heads + (size_t)head * (size_t)head_dim;
    size_t at = (size_t)token * (size_t)loaded->shape.n_heads + (size_t)head;
    int16_t *high = scratch->query + at * 2 * (size_t)head_dim, *low = high + head_dim;
    norm_head(pass, q, pass->layer->q_norm);
    rotate(pass, q, token);
    raise_worst(&scratch->worst,
                pass->backend->isa->quantise_head(q, head_dim, low, &scratch->query_scale[at]));
    for (int d = 0; d < head_dim; d++) {
        high[d] = (int16_t)((low[d] + 128) >> 8);
        low[d] = (int16_t)(low[d] - high[d] * 256);
    }
}

static void cache_head(const Pass *pass, int token, int head)
{
    CpuLoaded *loaded = pass->loaded;
    Scratch *scratch = &loaded->scratch;
    const Isa *isa = pass->backend->isa;
    size_t head_dim = (size_t)loaded->shape.head_dim;
    float *k = scratch->k + (size_t)token * scratch->kv + (size_t)head * head_dim;
    float *v = scratch->v + (size_t)token * scratch->kv + (size_t)head * head_dim;
    int position = pass->timeline->length + token, place = position % KV_PAGE;
    KvBlock block =
        kv_block(loaded, pass->timeline->pages[position / KV_PAGE], pass->layer_index, head);
    int16_t row[512];
    norm_head(pass, k, pass->layer->k_norm);
    rotate(pass, k, token);
    raise_worst(&scratch->worst, isa->quantise_head(k, (int)head_dim, row, &block.k_scale[place]));
    int16_t *to = block.k + (size_t)(place / 16) * 16 * head_dim + (size_t)(place % 16) * 2;
    for (size_t d = 0; d < head_dim; d += 2)
        memcpy(to + d / 2 * 32, row + d, 2 * sizeof *row);
    int16_t *value = block.v + (size_t)place * loaded->value_stride;
    raise_worst(&scratch->worst,
                isa->quantise_head(v, (int)head_dim, value, &block.v_scale[place]));
}

static void heads_item(void *arg, int token, int thread)
{
    const Pass *pass = arg;
    (void)thread;
    for (int head = 0; head < pass->loaded->shape.n_heads; head++)
        query_head(pass, token, head);
    for (int head = 0; head < pass->loaded->shape.n_kv_heads; head++)
        cache_head(pass, token, head);
}

/* ---- steps of a layer ---- */

static void set_forms(Scratch *scratch, const MatrixInput *input, int n)
{
    for (int i = 0; i < input->n_sets; i++) {
        scratch->act[i].form = input->form[i];
        scratch->act[i].n_tokens = n;
    }
}

static void run_norm(Pass *pass, const float *weight, const MatrixInput *input, int n)
{
    Scratch *scratch = &pass->loaded->scratch;
    pass->from = scratch->x;
    pass->from_stride = scratch->hidden;
    pass->norm_weight = weight;
    pass->norm_to = scratch->h;
    pass->norm_to_stride = scratch->hidden;
    pass->input = input;
    set_forms(scratch, input, n);
    pool_run(pass->backend->pool, n, norm_item, pass);
}

static void run_quantise(Pass *pass, PoolItem *item, const MatrixInput *input, int n)
{
    pass->input = input;
    set_forms(&pass->loaded->scratch, input, n);
    pool_run(pass->backend->pool, n, item, pass);
}

/* The product of `input` that is added to the residual stream. */
static void run_residual(Pass *pass, const MatrixInput *input, const float *from, size_t stride,
                         int n)
{
    Scratch *scratch = &pass->loaded->scratch;
    LinearJob job = {
        .n_products = 1, .n_tokens = n, .add_to = scratch->x, .add_stride = scratch->hidden
    };
    job.product[0] = linear_product(input, 0, scratch->act, from, stride);
    job.product[0].out = scratch->delta;
    job.product[0].out_stride = scratch->hidden;
    linear_run(pass->backend, &job);
}

static void tap(const Pass *pass, TapPoint point, const float *rows, int n)
{
    if (!pass->timeline->taps)
        return;
    size_t hidden = (size_t)pass->loaded->shape.hidden;
    memcpy(pass->timeline->taps + ((size_t)pass->layer_index * 4 + (size_t)point) * hidden,
           rows + (size_t)(n - 1) * pass->loaded->scratch.hidden, hidden * sizeof *rows);
}

static void run_attention(Pass *pass, int n)
{
    Scratch *scratch = &pass->loaded->scratch;
    const CpuLayer *layer = pass->layer;
    float *outs[3] = { scratch->q, scratch->k, scratch->v };
    size_t strides[3] = { scratch->heads, scratch->kv, scratch->kv };
    LinearJob job = { .n_products = 3, .n_tokens = n };
    run_norm(pass, layer->attn_norm, &layer->to_qkv, n);
    for (int i = 0; i < 3; i++) {
        job.product[i] =
            linear_product(&layer->to_qkv, i, scratch->act, scratch->h, scratch->hidden);
        job.product[i].out = outs[i];
        job.product[i].out_stride = strides[i];
    }
    linear_run(pass->backend, &job);
    phase_done(pass->backend, KPHASE_QKV);
    pool_run(pass->backend->pool, n, heads_item, pass);
    attention_run(pass->timeline, pass->layer_index, n);
    phase_done(pass->backend, KPHASE_ATTENTION);
    pass->from = scratch->attn;
    pass->from_stride = scratch->heads;
    run_quantise(pass, quantise_item, &layer->to_o, n);
    run_residual(pass, &layer->to_o, scratch->attn, scratch->heads, n);
    phase_done(pass->backend, KPHASE_O);
    tap(pass, TAP_ATTN_OUT, scratch->delta, n);
}

static void run_feed_forward(Pass *pass, int n)
{
    Scratch *scratch = &pass->loaded->scratch;
    const CpuLayer *layer = pass->layer;
    LinearJob job = { .n_products = 2, .n_tokens = n };
    run_norm(pass, layer->ffn_norm, &layer->to_gate_up, n);
    for (int i = 0; i < 2; i++) {
        job.product[i] =
            linear_product(&layer->to_gate_up, i, scratch->act, scratch->h, scratch->hidden);
        job.product[i].out = i == 0 ? scratch->gate : scratch->up;
        job.product[i].out_stride = scratch->inner;
    }
    linear_run(pass->backend, &job);
    phase_done(pass->backend, KPHASE_GATE_UP);
    run_quantise(pass, silu_item, &layer->to_down, n);
    run_residual(pass, &layer->to_down, scratch->gate, scratch->inner, n);
    phase_done(pass->backend, KPHASE_DOWN);
    tap(pass, TAP_FFN_OUT, scratch->delta, n);
}

/* KS_NAN when the layer saw a number that is not finite; what it received was made by the layer
 * before. */
static KStatus check_layer(Pass *pass, bool received)
{
    Scratch *scratch = &pass->loaded->scratch;
    atomic_uint *worst = received ? &scratch->worst_norm : &scratch->worst;
    if (atomic_load(worst) < NOT_FINITE)
        return KS_OK;
    int layer = received && pass->layer_index > 0 ? pass->layer_index - 1 : pass->layer_index;
    return cpu_fault((CpuBackend *)pass->loaded->base.backend, KS_NAN, layer,
                     "activations are not finite");
}

static KStatus run_layer(Pass *pass, int layer, int n)
{
    Scratch *scratch = &pass->loaded->scratch;
    pass->layer = &pass->loaded->layers[layer];
    pass->layer_index = layer;
    atomic_store(&scratch->worst, 0);
    atomic_store(&scratch->worst_norm, 0);
    tap(pass, TAP_INPUT, scratch->x, n);
    run_attention(pass, n);
    bool input_ok = atomic_load(&scratch->worst_norm) < NOT_FINITE;
    KStatus status = check_layer(pass, !input_ok);
    if (status != KS_OK)
        return status;
    run_feed_forward(pass, n);
    tap(pass, TAP_OUTPUT, scratch->x, n);
    raise_worst(&scratch->worst, atomic_load(&scratch->worst_norm));
    return check_layer(pass, false);
}

/* ---- the head ---- */

KStatus forward_head(CpuLoaded *loaded, const float *hidden, size_t stride, int n, float *out)
{
    CpuBackend *backend = (CpuBackend *)loaded->base.backend;
    Scratch *scratch = &loaded->scratch;
    size_t out_stride = (size_t)loaded->head.n_tiles * TILE_ROWS;
    Pass pass = { .loaded = loaded, .backend = backend, .from = hidden, .from_stride = stride };
    LinearJob job = { .n_products = 1, .n_tokens = n };
    run_quantise(&pass, quantise_item, &loaded->to_head, n);
    job.product[0] = linear_product(&loaded->to_head, 0, scratch->act, hidden, stride);
    job.product[0].out = out;
    job.product[0].out_stride = out_stride;
    linear_run(backend, &job);
    for (int row = 0; row < n; row++) {
        uint32_t worst = 0;
        for (int i = 0; i < loaded->shape.n_vocab; i++) {
            uint32_t bits = bits_of_float(out[(size_t)row * out_stride + (size_t)i]) & 0x7fffffff;
            worst = bits > worst ? bits : worst;
        }
        if (worst >= NOT_FINITE)
            return cpu_fault(backend, KS_NAN, loaded->shape.n_layers, "logits are not finite");
    }
    return KS_OK;
}

static KStatus finish_batch(Pass *pass, int n, Want want)
{
    CpuTimeline *timeline = pass->timeline;
    CpuLoaded *loaded = pass->loaded;
    Scratch *scratch = &loaded->scratch;
    size_t hidden = scratch->hidden;
    int rows = want == WANT_ALL ? n : 1;
    if (want == WANT_NONE)
        return KS_OK;
    pass->from = scratch->x + (size_t)(n - rows) * scratch->hidden;
    pass->from_stride = scratch->hidden;
    pass->norm_weight = loaded->output_norm;
    pass->input = NULL;
    pass->norm_to =
        want == WANT_ALL ? timeline->hidden + (size_t)timeline->n_all * hidden : scratch->h;
    pass->norm_to_stride = hidden;
    atomic_store(&scratch->worst_norm, 0);
    pool_run(pass->backend->pool, rows, norm_item, pass);
    pass->layer_index = loaded->shape.n_layers;
    KStatus status = check_layer(pass, true);
    if (status != KS_OK)
        return status;
    if (want == WANT_ALL) {
        timeline->n_all += n;
        return KS_OK;
    }
    status = forward_head(loaded, scratch->h, scratch->hidden, 1, timeline->logits);
    phase_done(pass->backend, KPHASE_HEAD);
    return status;
}

KStatus forward_batch(CpuTimeline *timeline, const int32_t *ids, int n, Want want,
                      const KCall *call)
{
    CpuLoaded *loaded = (CpuLoaded *)timeline->base.loaded;
    Pass pass = { .timeline = timeline, .loaded = loaded, .ids = ids };
    pass.backend = (const CpuBackend *)loaded->base.backend;
    KStatus room = timeline_make_room(timeline, n);
    if (room != KS_OK)
        return room;
    pool_run(pass.backend->pool, n, embed_item, &pass);
    phase_done(pass.backend, KPHASE_INPUT);
    for (int layer = 0; layer < loaded->shape.n_layers; layer++) {
        if (call && call->poll)
            call->poll(call->arg);
        if (call && call->cancel && atomic_load_explicit(call->cancel, memory_order_relaxed))
            return KS_CANCELLED;
        KStatus status = run_layer(&pass, layer, n);
        if (status != KS_OK)
            return status;
    }
    KStatus status = finish_batch(&pass, n, want);
    if (status != KS_OK)
        return status;
    memcpy(timeline->ids + timeline->length, ids, (size_t)n * sizeof *ids);
    timeline->length += n;
    return KS_OK;
}
