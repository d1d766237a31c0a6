/* Which decode driver a model gets: whether the persistent kernel can take it, its tables, and the
 * measurement that chooses. */
#include "kernels/cuda/driver.cuh"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One group size and one kind of zero everywhere, and one order of columns for matrices that share
 * their input. */
static bool layer_is_uniform(const DevLayer *l, const DevLinear *like)
{
    const DevLinear *w[7] = { &l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down };
    for (int i = 0; i < 7; i++)
        if (!w[i]->blocks || w[i]->group != like->group || w[i]->zero != like->zero ||
            w[i]->n_in % 4)
            return false;
    return l->k.perm == l->q.perm && l->v.perm == l->q.perm && l->up.perm == l->gate.perm &&
           l->k.k_blocks == l->q.k_blocks && l->v.k_blocks == l->q.k_blocks &&
           l->up.k_blocks == l->gate.k_blocks && l->gate.tiles == l->up.tiles &&
           l->o.tiles == l->down.tiles;
}

/* NULL: it can. */
static const char *why_not_persistent(const CudaLoaded *m)
{
    const CudaBackend *b = backend_of(m);
    const ModelShape *s = &m->shape;
    const DevLinear *q = &m->layers[0].q;
    if (b->driver == DRIVER_GRAPH)
        return "asked for";
    if (b->prop.major < 9)
        return "the persistent kernel needs compute capability 9.0";
    if (b->tap)
        return "activations are kept";
    if (s->head_dim != 64 && s->head_dim != 128)
        return "the persistent kernel takes heads of 64 or 128";
    if (!q->blocks || q->group < 32)
        return "the persistent kernel takes 4-bit matrices in groups of 32 or more";
    for (int i = 0; i < s->n_layers; i++) {
        const DevLayer *l = &m->layers[i], *first = &m->layers[0];
        if (!layer_is_uniform(l, q) || l->q.k_blocks != q->k_blocks ||
            l->o.k_blocks != first->o.k_blocks || l->gate.k_blocks != q->k_blocks ||
            l->down.k_blocks != first->down.k_blocks)
            return "the persistent kernel wants matrices of one kind";
    }
    return NULL;
}

static cudaError_t upload(CudaLoaded *m, const void *src, size_t bytes, const void **out)
{
    void *dst;
    TRY(arena_alloc(&m->arena, &dst, bytes));
    *out = dst;
    return cudaMemcpy(dst, src, bytes, cudaMemcpyHostToDevice);
}

/* Where each input of w lies in its order of columns.  *possible: false where the order has holes.
 */
static cudaError_t place_inputs(CudaLoaded *m, const DevLinear *w, const int **out, bool *possible)
{
    *out = NULL;
    if (!w->perm)
        return cudaSuccess;
    size_t n = (size_t)w->k_blocks * BLOCK_COLS;
    int *perm = (int *)malloc(2 * n * sizeof *perm), *place = perm + n;
    if (!perm)
        return cudaErrorMemoryAllocation;
    cudaError_t e = cudaMemcpy(perm, w->perm, n * sizeof *perm, cudaMemcpyDeviceToHost);
    for (int i = 0; e == cudaSuccess && i < w->n_in; i++)
        if (perm[i] >= 0)
            place[perm[i]] = i;
        else
            *possible = false;
    if (e == cudaSuccess && *possible)
        e = upload(m, place, (size_t)w->n_in * sizeof *place, (const void **)out);
    free(perm);
    return e;
}

static cudaError_t sort_norm(CudaLoaded *m, const DevLinear *w, const float *norm,
                             const float **out)
{
    *out = norm;
    if (!w->perm)
        return cudaSuccess;
    size_t n = (size_t)w->n_in, padded = (size_t)w->k_blocks * BLOCK_COLS;
    float *host = (float *)malloc(2 * n * sizeof *host + padded * sizeof(int)), *sorted = host + n;
    if (!host)
        return cudaErrorMemoryAllocation;
    int *perm = (int *)(sorted + n);
    cudaError_t e = cudaMemcpy(perm, w->perm, padded * sizeof *perm, cudaMemcpyDeviceToHost);
    if (e == cudaSuccess)
        e = cudaMemcpy(host, norm, n * sizeof *host, cudaMemcpyDeviceToHost);
    for (size_t i = 0; e == cudaSuccess && i < n; i++)
        sorted[i] = perm[i] >= 0 ? host[perm[i]] : 0.f;
    if (e == cudaSuccess)
        e = upload(m, sorted, n * sizeof *sorted, (const void **)out);
    free(host);
    return e;
}

static cudaError_t fill_layer(CudaLoaded *m, const DevLayer *l, PersistentLayer *out,
                              bool *possible)
{
    const DevLinear *w[7] = { &l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down };
    const DevLinear *input[4] = { &l->q, &l->o, &l->gate, &l->down };
    for (int i = 0; i < 7; i++)
        out->blocks[i] = w[i]->blocks, out->bias[i] = w[i]->bias;
    for (int i = 0; i < 4; i++) {
        TRY(place_inputs(m, input[i], &out->place[i], possible));
        out->value[i] = input[i]->perm;
    }
    out->q_norm = l->q_norm, out->k_norm = l->k_norm;
    TRY(sort_norm(m, &l->q, l->attn_norm, &out->norm[0]));
    return sort_norm(m, &l->gate, l->ffn_norm, &out->norm[1]);
}

static int round4(size_t n)
{
    return (int)((n + 3) / 4 * 4);
}

static cudaError_t fill_call(CudaLoaded *m, PersistentCall *c)
{
    const ModelShape *s = &m->shape;
    const DevLayer *l = &m->layers[0];
    const DevLinear *w[7] = { &l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down };
    const int q_dim = s->n_heads * s->head_dim, kv_dim = s->n_kv_heads * s->head_dim;
    c->n_layers = s->n_layers, c->group = l->q.group, c->zero = l->q.zero,
    c->block_bytes = l->q.block_bytes;
    c->part_pairs[0] = l->q.tiles / 2, c->part_pairs[1] = c->part_pairs[0] + l->k.tiles / 2;
    c->phase[0] = (PersistentPhase){ c->part_pairs[1] + l->v.tiles / 2, l->q.k_blocks, s->hidden };
    c->phase[1] = (PersistentPhase){ l->o.tiles / 2, l->o.k_blocks, q_dim };
    c->phase[2] = (PersistentPhase){ l->gate.tiles, l->gate.k_blocks, s->hidden };
    c->phase[3] = (PersistentPhase){ l->down.tiles / 2, l->down.k_blocks, s->intermediate };
    for (int i = 0; i < 7; i++)
        c->n_out[i] = w[i]->n_out;
    for (int i = 0; i < s->n_layers; i++) {
        const DevLinear *in[4] = { &m->layers[i].q, &m->layers[i].o, &m->layers[i].gate,
                                   &m->layers[i].down };
        for (int j = 0; j < 4; j++)
            if (in[j]->perm) {
                c->line_floats = in[j]->n_in > c->line_floats ? in[j]->n_in : c->line_floats;
                c->line_blocks =
                    in[j]->k_blocks > c->line_blocks ? in[j]->k_blocks : c->line_blocks;
            }
    }
    c->slices = attention_slices(s->n_kv_heads);
    c->eps = s->rms_eps;
    c->attention = forward_attention(m, 0, 1);
    c->x = m->x, c->run = m->run;
    Exchange *e = &c->exchange;
    e->qkv = 0;
    e->attn = round4(q_dim + 2 * kv_dim);
    e->x_ffn = e->attn + round4(q_dim);
    e->h = e->x_ffn + round4(s->hidden);
    e->x_attn = e->h + round4(s->intermediate);
    e->partial = e->x_attn + round4(s->hidden);
    e->layer_floats = e->partial + round4((size_t)s->n_heads * c->slices * (s->head_dim + 2));
    TRY(arena_alloc(&m->arena, (void **)&c->x0, (size_t)DECODE_TOKENS * s->hidden * sizeof(float)));
    size_t bytes = (size_t)e->layer_floats * s->n_layers * DECODE_TOKENS * sizeof(float);
    TRY(arena_alloc(&m->arena, (void **)&e->base, bytes));
    return cudaMemsetAsync(e->base, 0xff, bytes, backend_of(m)->stream);
}

cudaError_t driver_prepare(CudaLoaded *m)
{
    CudaBackend *b = backend_of(m);
    const char *why = why_not_persistent(m);
    snprintf(m->driver_why, sizeof m->driver_why, "%s",
             why ? why : "the persistent kernel does not fit this card or this act-order");
    if (why)
        return cudaSuccess;
    PersistentLayer *layers = (PersistentLayer *)calloc((size_t)m->shape.n_layers, sizeof *layers);
    bool possible = layers != NULL;
    cudaError_t e = cudaSuccess;
    for (int i = 0; e == cudaSuccess && possible && i < m->shape.n_layers; i++)
        e = fill_layer(m, &m->layers[i], &layers[i], &possible);
    PersistentCall call;
    memset(&call, 0, sizeof call);
    if (e == cudaSuccess && possible)
        e = upload(m, layers, (size_t)m->shape.n_layers * sizeof *layers,
                   (const void **)&call.layers);
    if (e == cudaSuccess && possible)
        e = fill_call(m, &call);
    free(layers);
    for (int n = 1; e == cudaSuccess && possible && n <= DECODE_TOKENS; n++) {
        m->plan[n] = call;
        size_t shared = persistent_plan(&m->plan[n], n, b->n_sms, b->shared_limit);
        if (shared && persistent_possible(&m->plan[n], b->device, n, shared, b->shared_limit))
            m->plan_shared[n] = shared;
    }
    cudaGetLastError(); /* what persistent_possible may have left */
    return e;
}

/* ---- choosing ---- */

static cudaError_t time_graph(CudaLoaded *m, cudaGraphExec_t graph, float *ms)
{
    enum { RUNS = 5 };
    cudaStream_t stream = backend_of(m)->stream;
    cudaEvent_t from, to;
    TRY(cudaEventCreate(&from));
    TRY(cudaEventCreate(&to));
    cudaError_t e = cudaGraphLaunch(graph, stream);
    if (e == cudaSuccess)
        e = cudaEventRecord(from, stream);
    for (int i = 0; e == cudaSuccess && i < RUNS; i++)
        e = cudaGraphLaunch(graph, stream);
    if (e == cudaSuccess)
        e = cudaEventRecord(to, stream);
    if (e == cudaSuccess)
        e = cudaEventSynchronize(to);
    if (e == cudaSuccess)
        e = cudaEventElapsedTime(ms, from, to);
    *ms /= RUNS;
    cudaEventDestroy(from);
    cudaEventDestroy(to);
    return e;
}

/* Both drivers on tokens 0 at position 0 of a small cache of its own. */
static cudaError_t race(CudaLoaded *m, int tokens, cudaGraphExec_t graph,
                        cudaGraphExec_t persistent, bool *persistent_wins, char *why, size_t size)
{
    enum { CONTEXT = 8 };
    const ModelShape *s = &m->shape;
    RunState run;
    memset(&run, 0, sizeof run);
    run.context = CONTEXT, run.n = tokens, run.nan_layer = INT_MAX;
    size_t bytes = (size_t)s->n_layers * 2 * s->n_kv_heads * CONTEXT * s->head_dim * sizeof(__half);
    TRY(cudaMalloc((void **)&run.kv, bytes));
    float a = 0, b = 0;
    cudaError_t e = cudaMemsetAsync(run.kv, 0, bytes, backend_of(m)->stream);
    if (e == cudaSuccess)
        e = forward_set_run(m, &run);
    if (e == cudaSuccess)
        e = time_graph(m, graph, &a);
    if (e == cudaSuccess)
        e = time_graph(m, persistent, &b);
    cudaFree(run.kv);
    *persistent_wins = b < a;
    snprintf(why, size, "measured: graph %.3f ms, persistent %.3f ms", a, b);
    return e;
}

static cudaError_t choose(CudaLoaded *m, int tokens, cudaGraphExec_t *out, bool *use_persistent)
{
    CudaBackend *b = backend_of(m);
    cudaGraphExec_t persistent = NULL;
    TRY(forward_capture_core(m, tokens, false, out));
    *use_persistent = false;
    if (!m->plan_shared[tokens])
        return cudaSuccess;
    TRY(forward_capture_core(m, tokens, true, &persistent));
    cudaError_t e = cudaSuccess;
    *use_persistent = true;
    char why[sizeof m->driver_why] = "asked for";
    if (b->driver == DRIVER_AUTO)
        e = race(m, tokens, *out, persistent, use_persistent, why, sizeof why);
    if (tokens == 1)
        memcpy(m->driver_why, why, sizeof why);
    cudaGraphExecDestroy(*use_persistent ? *out : persistent);
    if (*use_persistent)
        *out = persistent;
    return e;
}

cudaError_t driver_capture(CudaLoaded *m)
{
    TRY(choose(m, 1, &m->core[1], &m->persistent[1]));
    if (m->decode_tokens > 1)
        TRY(choose(m, m->decode_tokens, &m->core[m->decode_tokens],
                   &m->persistent[m->decode_tokens]));
    for (int n = 2; n < m->decode_tokens; n++) {
        m->persistent[n] = m->persistent[m->decode_tokens] && m->plan_shared[n];
        TRY(forward_capture_core(m, n, m->persistent[n], &m->core[n]));
    }
    backend_of(m)->persistent = m->persistent[1];
    return forward_capture_eval(m);
}
