/* The schedule of a forward pass: which kernels run in which order.
 *
 * Decode: five kernels a layer (norm + q, k, v; attention; o + residual; norm + gate, up + SiLU;
 * down + residual), captured once into a graph; what varies lies in RunState.  Layers whose
 * matrices are not all 4-bit of one kind take a plainer path of one kernel a matrix.  Prefill:
 * prefill_pass.cu. */
#include "kernels/cuda/forward.cuh"
#include "kernels/cuda/embedding.cuh"

#include <limits.h>
#include <math.h>
#include <string.h>

/* ids NULL: those of run. */
static __global__ void k_embed(const __grid_constant__ DevLinear e, const int *ids,
                               const RunState *run, float *x)
{
    pdl_launch();
    pdl_wait();
    int row = ids ? ids[blockIdx.x] : run->ids[blockIdx.x];
    for (int k = threadIdx.x; k < e.n_in; k += blockDim.x)
        x[(size_t)blockIdx.x * e.n_in + k] = embedding_value(e, row, k);
}

static __global__ void __launch_bounds__(256)
    k_norm(const float *x, const float *w, float eps, int n, float *out, RunState *run, int layer)
{
    __shared__ float share[8];
    const float *row = x + (size_t)blockIdx.x * n;
    float ss = 0;
    for (int k = threadIdx.x; k < n; k += 256)
        ss += row[k] * row[k];
    ss = warp_sum(ss);
    if (threadIdx.x % 32 == 0)
        share[threadIdx.x / 32] = ss;
    __syncthreads();
    ss = 0;
    for (int i = 0; i < 8; i++)
        ss += share[i];
    if (!isfinite(ss) && threadIdx.x == 0)
        atomicMin(&run->nan_layer, layer);
    float r = rsqrtf(ss / n + eps);
    for (int k = threadIdx.x; k < n; k += 256)
        out[(size_t)blockIdx.x * n + k] = row[k] * r * w[k];
}

static __global__ void k_silu(float *gate, const float *up, size_t n)
{
    size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (i < n)
        gate[i] = gate[i] / (1.f + __expf(-gate[i])) * up[i];
}

static __global__ void k_set_run(RunState *run, RunState value)
{
    *run = value;
}

/* One warp copies the activations of the last token; minus: subtract (residual sums to outputs). */
static __global__ void k_tap(const float *x, const float *minus, float *out, int n)
{
    for (int k = threadIdx.x; k < n; k += blockDim.x)
        out[k] = x[k] - (minus ? minus[k] : 0.f);
}

static __device__ unsigned long long block_best(unsigned long long v)
{
    __shared__ unsigned long long share[8];
    for (int o = 16; o; o >>= 1) {
        unsigned long long w = __shfl_xor_sync(~0u, v, o);
        v = w > v ? w : v;
    }
    if (threadIdx.x % 32 == 0)
        share[threadIdx.x / 32] = v;
    __syncthreads();
    for (int i = 0; i < 8; i++)
        v = share[i] > v ? share[i] : v;
    return v;
}

/* NaN and +inf rank above everything, so that they are found. */
static __global__ void __launch_bounds__(256)
    k_argmax(const float *logits, int n, unsigned long long *best)
{
    unsigned long long v = 0;
    for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256) {
        float l = logits[i];
        unsigned long long r = l <= 3.402823466e38f ? rank_of(l, i) : ~0ull;
        v = r > v ? r : v;
    }
    v = block_best(v);
    if (threadIdx.x == 0)
        best[blockIdx.x] = v;
}

static __global__ void __launch_bounds__(256)
    k_argmax_end(const unsigned long long *best, int n, RunState *run, StepResult *result)
{
    unsigned long long v = block_best(threadIdx.x < n ? best[threadIdx.x] : 0);
    if (threadIdx.x)
        return;
    int id = v == ~0ull ? -1 : INT_MAX - (int)(v & 0xffffffffu);
    result->id = id;
    result->nan_layer = run->nan_layer;
    run->ids[0] = id < 0 ? 0 : id;
    run->pos += 1;
    run->n = 1;
    __threadfence_system();
}

static LinearCall linear_call(const CudaLoaded *m, const float *x, int stride, const float *norm,
                              float *out, int out_stride, Epilogue epilogue, int tokens, int layer)
{
    LinearCall c;
    memset(&c, 0, sizeof c);
    c.x = x, c.x_stride = stride, c.norm = norm, c.eps = m->shape.rms_eps;
    c.out = out, c.out_stride = out_stride, c.epilogue = epilogue, c.run = m->run,
    c.tokens = tokens, c.layer = layer;
    return c;
}

static void add_part(LinearCall *c, const DevLinear *w, int offset)
{
    c->out_offset[c->n_parts] = offset;
    c->part[c->n_parts++] = *w;
}

/* One matrix without a norm. */
static cudaError_t plain_linear(CudaLoaded *m, const DevLinear *w, const float *x, int stride,
                                float *out, int out_stride, int offset, Epilogue epilogue,
                                int tokens, int layer)
{
    CudaBackend *b = backend_of(m);
    LinearCall c = linear_call(m, x, stride, NULL, out, out_stride, epilogue, tokens, layer);
    add_part(&c, w, offset);
    return w->blocks ? linear_quantised(&c, b->n_sms, b->shared_limit, false, b->stream)
                     : linear_dense(&c, b->n_sms, b->stream);
}

/* Several matrices of one normed input: one kernel where they are alike. */
static cudaError_t normed_linears(CudaLoaded *m, LinearCall *c, const float *norm)
{
    CudaBackend *b = backend_of(m);
    if (linear_is_fusible(c) && linear_fits(c, c->tokens, b->shared_limit))
        return linear_quantised(c, b->n_sms, b->shared_limit, b->pdl, b->stream);
    const int hidden = m->shape.hidden;
    k_norm<<<c->tokens, 256, 0, b->stream>>>(c->x, norm, c->eps, hidden, m->xn, m->run, c->layer);
    TRY(cudaGetLastError());
    if (c->epilogue != EPILOGUE_SILU) {
        for (int p = 0; p < c->n_parts; p++)
            TRY(plain_linear(m, &c->part[p], m->xn, hidden, c->out, c->out_stride, c->out_offset[p],
                             c->epilogue, c->tokens, c->layer));
        return cudaSuccess;
    }
    float *up = c->out + (size_t)DECODE_TOKENS * c->out_stride;
    TRY(plain_linear(m, &c->part[0], m->xn, hidden, c->out, c->out_stride, 0, EPILOGUE_STORE,
                     c->tokens, c->layer));
    TRY(plain_linear(m, &c->part[1], m->xn, hidden, up, c->out_stride, 0, EPILOGUE_STORE, c->tokens,
                     c->layer));
    size_t n = (size_t)c->tokens * c->out_stride;
    k_silu<<<div_up((long)n, 256), 256, 0, b->stream>>>(c->out, up, n);
    return cudaGetLastError();
}

cudaError_t forward_mark(CudaLoaded *m)
{
    PhaseMarks *marks = m->marks;
    cudaStream_t stream = backend_of(m)->stream;
    cudaStreamCaptureStatus capturing;
    if (!marks || marks->n == marks->room)
        return cudaSuccess;
    TRY(cudaStreamIsCapturing(stream, &capturing));
    return cudaEventRecordWithFlags(marks->event[marks->n++], stream,
                                    capturing == cudaStreamCaptureStatusActive
                                        ? cudaEventRecordExternal
                                        : cudaEventRecordDefault);
}

cudaError_t forward_embed(CudaLoaded *m, const int *dev_ids, int tokens)
{
    k_embed<<<tokens, 256, 0, backend_of(m)->stream>>>(m->embedding, dev_ids, m->run, m->x);
    return cudaGetLastError();
}

AttentionCall forward_attention(const CudaLoaded *m, int layer, int tokens)
{
    const ModelShape *s = &m->shape;
    AttentionCall a;
    memset(&a, 0, sizeof a);
    a.layer = layer, a.n_heads = s->n_heads, a.n_kv_heads = s->n_kv_heads, a.head_dim = s->head_dim;
    a.qkv = m->qkv, a.stride = (s->n_heads + 2 * s->n_kv_heads) * s->head_dim;
    a.q_norm = m->layers[layer].q_norm, a.k_norm = m->layers[layer].k_norm, a.eps = s->rms_eps;
    a.rope = m->rope, a.rope_dims = s->rope_dims,
    a.interleaved = s->rope_pairing == ROPE_INTERLEAVED;
    a.window = s->sliding_window;
    a.partial = m->partial, a.arrived = m->arrived, a.out = m->attn,
    a.out_stride = s->n_heads * s->head_dim;
    a.run = m->run, a.tokens = tokens, a.q16 = m->q16;
    return a;
}

cudaError_t forward_tap(CudaLoaded *m, int layer, TapPoint point, int tokens, bool minus)
{
    if (!m->taps)
        return cudaSuccess;
    CudaBackend *b = backend_of(m);
    int n = m->shape.hidden;
    const float *last = m->x + (size_t)(tokens - 1) * n;
    k_tap<<<1, 256, 0, b->stream>>>(last, minus ? m->tap_x : NULL,
                                    m->taps + ((size_t)layer * 4 + point) * n, n);
    return cudaMemcpyAsync(m->tap_x, last, (size_t)n * sizeof(float), cudaMemcpyDeviceToDevice,
                           b->stream);
}

static cudaError_t decode_layer(CudaLoaded *m, int layer, int tokens)
{
    const ModelShape *s = &m->shape;
    const DevLayer *l = &m->layers[layer];
    CudaBackend *b = backend_of(m);
    const int q_dim = s->n_heads * s->head_dim, kv_dim = s->n_kv_heads * s->head_dim;
    TRY(forward_tap(m, layer, TAP_INPUT, tokens, false));
    LinearCall qkv = linear_call(m, m->x, s->hidden, l->attn_norm, m->qkv, q_dim + 2 * kv_dim,
                                 EPILOGUE_STORE, tokens, layer);
    add_part(&qkv, &l->q, 0);
    add_part(&qkv, &l->k, q_dim);
    add_part(&qkv, &l->v, q_dim + kv_dim);
    TRY(normed_linears(m, &qkv, l->attn_norm));
    TRY(forward_mark(m));
    AttentionCall a = forward_attention(m, layer, tokens);
    TRY(attention_decode(&a, tokens, b->pdl, b->stream));
    TRY(forward_mark(m));
    LinearCall o =
        linear_call(m, m->attn, q_dim, NULL, m->x, s->hidden, EPILOGUE_ADD, tokens, layer);
    add_part(&o, &l->o, 0);
    TRY(l->o.blocks ? linear_quantised(&o, b->n_sms, b->shared_limit, b->pdl, b->stream)
                    : linear_dense(&o, b->n_sms, b->stream));
    TRY(forward_mark(m));
    TRY(forward_tap(m, layer, TAP_ATTN_OUT, tokens, true));
    LinearCall up = linear_call(m, m->x, s->hidden, l->ffn_norm, m->h, s->intermediate,
                                EPILOGUE_SILU, tokens, layer);
    add_part(&up, &l->gate, 0);
    add_part(&up, &l->up, 0);
    TRY(normed_linears(m, &up, l->ffn_norm));
    TRY(forward_mark(m));
    LinearCall down =
        linear_call(m, m->h, s->intermediate, NULL, m->x, s->hidden, EPILOGUE_ADD, tokens, layer);
    add_part(&down, &l->down, 0);
    TRY(l->down.blocks ? linear_quantised(&down, b->n_sms, b->shared_limit, b->pdl, b->stream)
                       : linear_dense(&down, b->n_sms, b->stream));
    TRY(forward_mark(m));
    TRY(forward_tap(m, layer, TAP_FFN_OUT, tokens, true));
    return forward_tap(m, layer, TAP_OUTPUT, tokens, false);
}

static cudaError_t launch_layers(CudaLoaded *m, int tokens, bool persistent)
{
    CudaBackend *b = backend_of(m);
    TRY(forward_mark(m));
    if (persistent) {
        TRY(persistent_begin(&m->plan[tokens], &m->embedding, tokens, b->stream));
        TRY(forward_mark(m));
        TRY(persistent_launch(&m->plan[tokens], tokens, b->n_sms, m->plan_shared[tokens],
                              b->stream));
        return forward_mark(m);
    }
    TRY(forward_embed(m, NULL, tokens));
    TRY(forward_mark(m));
    for (int layer = 0; layer < m->shape.n_layers; layer++)
        TRY(decode_layer(m, layer, tokens));
    return cudaSuccess;
}

cudaError_t forward_core(CudaLoaded *m, int tokens)
{
    return cudaGraphLaunch(m->core[tokens], backend_of(m)->stream);
}

static bool decode_fits(const CudaLoaded *m, const DevLayer *l, int tokens)
{
    const size_t limit = (size_t)backend_of(m)->shared_limit;
    const DevLinear *w[7] = { &l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down };
    for (int i = 0; i < 7; i++) {
        LinearCall c = linear_call(m, NULL, 0, NULL, NULL, 0, EPILOGUE_STORE, tokens, 0);
        add_part(&c, w[i], 0);
        if (w[i]->blocks ? !linear_fits(&c, tokens, (int)limit)
                         : (size_t)tokens * (w[i]->n_in + 32) * sizeof(float) > limit)
            return false;
    }
    AttentionCall a = forward_attention(m, 0, tokens);
    return attention_shared_bytes(&a, tokens) + 1024 <= limit;
}

int forward_decode_tokens(const CudaLoaded *m)
{
    int tokens = DECODE_TOKENS;
    for (int i = 0; i < m->shape.n_layers; i++)
        while (tokens > 1 && !decode_fits(m, &m->layers[i], tokens))
            tokens--;
    return tokens;
}

cudaError_t forward_head(CudaLoaded *m, int first, int tokens, float *out)
{
    CudaBackend *b = backend_of(m);
    const ModelShape *s = &m->shape;
    for (int t = 0; t < tokens; t += m->decode_tokens) {
        int n = tokens - t < m->decode_tokens ? tokens - t : m->decode_tokens;
        const float *x = m->x + (size_t)(first + t) * s->hidden;
        k_norm<<<n, 256, 0, b->stream>>>(x, m->output_norm, s->rms_eps, s->hidden, m->xn, m->run,
                                         s->n_layers);
        TRY(cudaGetLastError());
        TRY(plain_linear(m, &m->head, m->xn, s->hidden, out + (size_t)t * s->n_vocab, s->n_vocab, 0,
                         EPILOGUE_STORE, n, s->n_layers));
    }
    return cudaSuccess;
}

cudaError_t forward_argmax(CudaLoaded *m)
{
    CudaBackend *b = backend_of(m);
    k_argmax<<<64, 256, 0, b->stream>>>(m->logits, m->shape.n_tokens, m->best);
    k_argmax_end<<<1, 256, 0, b->stream>>>(m->best, 64, m->run, m->dev_result);
    return cudaGetLastError();
}

cudaError_t forward_set_run(CudaLoaded *m, const RunState *run)
{
    k_set_run<<<1, 1, 0, backend_of(m)->stream>>>(m->run, *run);
    return cudaGetLastError();
}

static cudaError_t capture(CudaLoaded *m, int tokens, bool persistent, bool with_head,
                           cudaGraphExec_t *out)
{
    CudaBackend *b = backend_of(m);
    cudaGraph_t graph = NULL;
    TRY(cudaStreamBeginCapture(b->stream, cudaStreamCaptureModeThreadLocal));
    cudaError_t e = launch_layers(m, tokens, persistent);
    if (e == cudaSuccess && with_head)
        e = forward_head(m, 0, 1, m->logits);
    cudaError_t end = cudaStreamEndCapture(b->stream, &graph);
    if (e == cudaSuccess)
        e = end;
    if (e == cudaSuccess)
        e = cudaGraphInstantiate(out, graph, 0);
    if (graph)
        cudaGraphDestroy(graph);
    return e;
}

cudaError_t forward_capture_core(CudaLoaded *m, int tokens, bool persistent, cudaGraphExec_t *out)
{
    return capture(m, tokens, persistent, false, out);
}

cudaError_t forward_capture_eval(CudaLoaded *m)
{
    return capture(m, 1, m->persistent[1], true, &m->eval);
}

cudaError_t forward_setup(CudaBackend *b)
{
    TRY(linear_setup(b->shared_limit));
    TRY(attention_setup(b->shared_limit));
    const void *small[] = { (const void *)k_embed,      (const void *)k_norm,
                            (const void *)k_silu,       (const void *)k_argmax,
                            (const void *)k_argmax_end, (const void *)k_set_run };
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        TRY(prefer_shared(small[i]));
    TRY(prefill_setup());
    if (!b->wgmma)
        return cudaSuccess;
    TRY(wgmma_setup(b->shared_limit));
    return flash_setup(b->shared_limit);
}
