/* Loading: every matrix goes up as it lies in the file and is repacked on the GPU (layout.cu); then
 * the work space is reserved and the decode graphs are captured.  Nothing allocates afterwards but
 * timelines. */
#include "kernels/cuda/load.cuh"
#include "kernels/cuda/driver.cuh"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

KStatus cuda_status(CudaBackend *b, cudaError_t e, const char *what)
{
    if (e == cudaSuccess)
        return KS_OK;
    b->fault.code = (int)e;
    b->fault.layer = -1;
    snprintf(b->fault.device, sizeof b->fault.device, "%s", b->prop.name);
    if (e == cudaErrorMemoryAllocation) /* which the status says */
        snprintf(b->fault.what, sizeof b->fault.what, "%s", what);
    else
        snprintf(b->fault.what, sizeof b->fault.what, "%s: %s", what, cuda_reason(e));
    cudaGetLastError(); /* clears what is not sticky */
    return e == cudaErrorMemoryAllocation ? KS_MEMORY
           : e == cudaErrorNotSupported   ? KS_UNSUPPORTED
                                          : KS_DEVICE;
}

static KStatus refuse(CudaBackend *b, const char *why)
{
    b->fault.code = 0, b->fault.layer = -1;
    snprintf(b->fault.device, sizeof b->fault.device, "%s", b->prop.name);
    snprintf(b->fault.what, sizeof b->fault.what, "%s", why);
    return KS_UNSUPPORTED;
}

typedef struct {
    CudaBackend *b;
    CudaLoaded *m;
    Layout layout;
    const KCall *call;
    int done, total;
} Loading;

static bool cancelled(const Loading *l)
{
    return l->call && l->call->cancel && l->call->cancel->load();
}

static KStatus load_linear(Loading *l, const Linear *in, const int *rows, DevLinear *out)
{
    if (cancelled(l))
        return KS_CANCELLED;
    cudaError_t e = layout_linear(&l->layout, in, rows, out);
    if (e == cudaErrorNotSupported) {
        char text[160];
        snprintf(text, sizeof text, "%.80s: %.70s", in->name ? in->name : "?", l->layout.why);
        return refuse(l->b, text);
    }
    if (l->call && l->call->progress)
        l->call->progress(l->call->arg, ++l->done, l->total);
    return cuda_status(l->b, e, in->name ? in->name : "weights");
}

static KStatus load_layer(Loading *l, const LayerWeights *in, DevLayer *out)
{
    const Tensor *norm[4] = { &in->attn_norm, &in->ffn_norm, &in->q_norm, &in->k_norm };
    const float **dst[4] = { &out->attn_norm, &out->ffn_norm, &out->q_norm, &out->k_norm };
    for (int i = 0; i < 4; i++) {
        KStatus s = cuda_status(l->b, layout_float(&l->layout, norm[i], dst[i]), "norm weights");
        if (s != KS_OK)
            return s;
    }
    const Linear *from[7] = { &in->q, &in->k, &in->v, &in->o, &in->gate, &in->up, &in->down };
    DevLinear *to[7] = { &out->q, &out->k, &out->v, &out->o, &out->gate, &out->up, &out->down };
    /* act-order of down: gate and up make its input in that order, so nothing is left to do */
    int *order = in->gate.quant.packing != PACK_NONE && in->up.quant.packing != PACK_NONE &&
                         in->gate.n_out == in->down.n_in && in->up.n_out == in->down.n_in
                     ? layout_order(&in->down)
                     : NULL;
    KStatus s = KS_OK;
    for (int i = 0; s == KS_OK && i < 7; i++)
        s = load_linear(l, from[i], i == 4 || i == 5 ? order : NULL, to[i]);
    if (order)
        out->down.perm = NULL;
    free(order);
    return s;
}

/* q, k, v and gate, up see one input, so in real files their act-order is one: equal orders become
 * the same pointer, and x is brought into order once. */
static cudaError_t share_perm(DevLinear *a, const DevLinear *b, cudaStream_t stream)
{
    if (!a->perm || !b->perm || a->perm == b->perm || a->k_blocks != b->k_blocks)
        return cudaSuccess;
    size_t bytes = (size_t)a->k_blocks * BLOCK_COLS * sizeof(int);
    int *x = (int *)malloc(2 * bytes), *y = x + bytes / sizeof(int);
    if (!x)
        return cudaErrorMemoryAllocation;
    cudaError_t e = cudaMemcpyAsync(x, a->perm, bytes, cudaMemcpyDeviceToHost, stream);
    if (e == cudaSuccess)
        e = cudaMemcpyAsync(y, b->perm, bytes, cudaMemcpyDeviceToHost, stream);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(stream);
    if (e == cudaSuccess && memcmp(x, y, bytes) == 0)
        a->perm = b->perm;
    free(x);
    return e;
}

static KStatus load_weights_all(Loading *l, const ModelWeights *w)
{
    CudaLoaded *m = l->m;
    Linear embedding;
    memset(&embedding, 0, sizeof embedding);
    embedding.name = "embedding";
    embedding.n_out = w->embedding.rows, embedding.n_in = w->embedding.cols,
    embedding.dense = w->embedding;
    KStatus s = load_linear(l, &embedding, NULL, &m->embedding);
    if (s != KS_OK)
        return s;
    bool tied = w->head.quant.packing == PACK_NONE && w->head.dense.data == w->embedding.data;
    if (tied) {
        m->head = m->embedding;
        s = cuda_status(l->b, layout_float(&l->layout, &w->head.bias, &m->head.bias), "head bias");
    } else {
        s = load_linear(l, &w->head, NULL, &m->head);
    }
    if (s == KS_OK)
        s = cuda_status(l->b, layout_float(&l->layout, &w->output_norm, &m->output_norm),
                        "norm weights");
    for (int i = 0; s == KS_OK && i < m->shape.n_layers; i++) {
        DevLayer *d = &m->layers[i];
        s = load_layer(l, &w->layers[i], d);
        if (s == KS_OK)
            s = cuda_status(l->b, share_perm(&d->k, &d->q, l->b->stream), "act-order");
        if (s == KS_OK)
            s = cuda_status(l->b, share_perm(&d->v, &d->q, l->b->stream), "act-order");
        if (s == KS_OK)
            s = cuda_status(l->b, share_perm(&d->up, &d->gate, l->b->stream), "act-order");
    }
    return s;
}

static cudaError_t load_rope(CudaLoaded *m)
{
    const ModelShape *s = &m->shape;
    size_t half = (size_t)s->rope_dims / 2, n = (size_t)s->max_context * half;
    float2 *host = (float2 *)malloc(n * sizeof *host);
    if (!host)
        return cudaErrorMemoryAllocation;
    for (int p = 0; p < s->max_context; p++)
        for (size_t i = 0; i < half; i++) {
            double angle = p * s->rope_inv_freq[i];
            host[p * half + i] = make_float2((float)(cos(angle) * s->rope_scale),
                                             (float)(sin(angle) * s->rope_scale));
        }
    void *dev;
    cudaError_t e = arena_alloc(&m->arena, &dev, n * sizeof *host);
    if (e == cudaSuccess)
        e = cudaMemcpy(dev, host, n * sizeof *host, cudaMemcpyHostToDevice);
    m->rope = (const float2 *)dev;
    free(host);
    return e;
}

static int widest_input(const CudaLoaded *m)
{
    int blocks = 1;
    for (int i = 0; i < m->shape.n_layers; i++) {
        const DevLayer *l = &m->layers[i];
        const DevLinear *w[7] = { &l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down };
        for (int j = 0; j < 7; j++)
            blocks = w[j]->k_blocks > blocks ? w[j]->k_blocks : blocks;
    }
    return blocks * BLOCK_COLS;
}

static cudaError_t reserve(CudaLoaded *m)
{
    const ModelShape *s = &m->shape;
    const CudaBackend *backend = (const CudaBackend *)m->base.backend;
    const size_t T = m->can_prefill ? m->prefill_tokens : DECODE_TOKENS,
                 q_dim = (size_t)s->n_heads * s->head_dim;
    const size_t kv_dim = (size_t)s->n_kv_heads * s->head_dim;
    struct {
        void **p;
        size_t bytes;
    } want[] = {
        { (void **)&m->x, T * s->hidden * 4 },
        { (void **)&m->xn, (size_t)DECODE_TOKENS * s->hidden * 4 },
        { (void **)&m->qkv, T * (q_dim + 2 * kv_dim) * 4 },
        { (void **)&m->attn, T * q_dim * 4 },
        { (void **)&m->h, 2 * T * s->intermediate * 4 },
        { (void **)&m->logits, (size_t)DECODE_TOKENS * s->n_vocab * 4 },
        { (void **)&m->q16, T * q_dim * 2 },
        { (void **)&m->x16, T * (size_t)widest_input(m) * 2 },
        { (void **)&m->x16_scale, T * 4 },
        { (void **)&m->partial,
          attention_partial_floats(s->n_heads, s->n_kv_heads, s->head_dim) * 4 },
        { (void **)&m->arrived, (size_t)s->n_kv_heads * 4 },
        { (void **)&m->flash_partial,
          m->wgmma ? flash_partial_floats(s->n_heads, s->head_dim, s->max_context) * 4 : 0 },
        { (void **)&m->run, sizeof(RunState) },
        { (void **)&m->best, 64 * 8 },
        { (void **)&m->count, (size_t)s->n_vocab * 4 },
        { (void **)&m->penalised, (size_t)s->n_vocab * 4 },
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        cudaError_t e = arena_alloc(&m->arena, want[i].p, want[i].bytes);
        if (e == cudaSuccess)
            e = cudaMemsetAsync(*want[i].p, 0, want[i].bytes, backend->stream);
        if (e != cudaSuccess)
            return e;
    }
    if (backend->tap) {
        cudaError_t e =
            arena_alloc(&m->arena, (void **)&m->taps, (size_t)s->n_layers * 4 * s->hidden * 4);
        if (e == cudaSuccess)
            e = arena_alloc(&m->arena, (void **)&m->tap_x, (size_t)s->hidden * 4);
        if (e != cudaSuccess)
            return e;
    }
    cudaError_t e = cudaHostAlloc((void **)&m->result, sizeof *m->result, cudaHostAllocMapped);
    if (e == cudaSuccess)
        e = cudaHostGetDevicePointer((void **)&m->dev_result, m->result, 0);
    return e;
}

static bool all_packed(const CudaLoaded *m)
{
    for (int i = 0; i < m->shape.n_layers; i++) {
        const DevLayer *l = &m->layers[i];
        const DevLinear *w[7] = { &l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down };
        for (int j = 0; j < 7; j++)
            if (!w[j]->blocks)
                return false;
    }
    return true;
}

KStatus cuda_load(Backend *backend, const ModelShape *shape, const ModelWeights *weights,
                  const KCall *call, Loaded **out)
{
    CudaBackend *b = (CudaBackend *)backend;
    if (shape->head_dim % 8 || shape->head_dim > 256 || shape->rope_dims % 2)
        return refuse(b, "heads of this size");
    KStatus s = cuda_status(b, cudaSetDevice(b->device), "choosing the device");
    if (s != KS_OK)
        return s;
    CudaLoaded *m = (CudaLoaded *)calloc(1, sizeof *m);
    if (!m)
        return KS_MEMORY;
    m->base.ops = backend->ops, m->base.backend = backend, m->shape = *shape;
    m->layers = (DevLayer *)calloc((size_t)shape->n_layers, sizeof *m->layers);
    Loading l;
    memset(&l, 0, sizeof l);
    l.b = b, l.m = m, l.call = call, l.total = 2 + 7 * shape->n_layers;
    l.layout.arena = &m->arena, l.layout.stream = b->stream;
    s = m->layers ? cuda_status(b, uploader_new(&l.layout.up, b->stream), "pinned memory")
                  : KS_MEMORY;
    if (s == KS_OK)
        s = load_weights_all(&l, weights);
    if (s == KS_OK)
        s = cuda_status(b, cudaStreamSynchronize(b->stream), "repacking weights");
    uploader_free(l.layout.up);
    layout_release(&l.layout);
    m->decode_tokens = s == KS_OK ? forward_decode_tokens(m) : 1;
    m->can_prefill = s == KS_OK && all_packed(m) && attention_can_prefill(shape->head_dim);
    m->wgmma = m->can_prefill && b->wgmma;
    m->prefill_tokens = m->wgmma ? (int)WGMMA_TOKENS : (int)PREFILL_TOKENS;
    m->prefill_from = m->wgmma ? (int)WGMMA_FROM : (int)PREFILL_FROM;
    if (s == KS_OK)
        s = cuda_status(b, load_rope(m), "rope table");
    if (s == KS_OK)
        s = cuda_status(b, reserve(m), "work space");
    if (s == KS_OK)
        s = cuda_status(b, driver_prepare(m), "work space");
    /* What cudaMemcpy sent up may still be on its way, on a stream that ours does not wait for. */
    if (s == KS_OK)
        s = cuda_status(b, cudaDeviceSynchronize(), "work space");
    if (s == KS_OK)
        s = cuda_status(b, driver_capture(m), "capturing the decode graph");
    if (s != KS_OK) {
        cuda_unload(&m->base);
        return s;
    }
    *out = &m->base;
    return KS_OK;
}

void cuda_unload(Loaded *loaded)
{
    if (!loaded)
        return;
    CudaLoaded *m = (CudaLoaded *)loaded;
    cudaStreamSynchronize(((CudaBackend *)loaded->backend)->stream);
    for (int i = 0; i <= DECODE_TOKENS; i++)
        if (m->core[i])
            cudaGraphExecDestroy(m->core[i]);
    if (m->eval)
        cudaGraphExecDestroy(m->eval);
    arena_free(&m->arena);
    cudaFreeHost(m->result);
    free(m->layers);
    free(m);
}

size_t cuda_kv_bytes(const Loaded *loaded, int context)
{
    const ModelShape *s = &((const CudaLoaded *)loaded)->shape;
    return (size_t)s->n_layers * 2 * s->n_kv_heads * context * s->head_dim * sizeof(__half);
}
