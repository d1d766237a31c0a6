/* The schedule of a prefill: up to CudaLoaded.prefill_tokens tokens at once through the layers.
 *
 * On Hopper q, k, v are one launch and gate, up another, and each kernel is a programmatic
 * dependent of the one in front (prefill_wgmma.cu); elsewhere a launch a matrix (prefill.cu). */
#include "kernels/cuda/forward.cuh"

#include <string.h>

static cudaError_t prefill_group(CudaLoaded *m, PrefillPrepare *p, const DevLinear *w[3], int n,
                                 float *out, int stride, const int *offset, bool add)
{
    CudaBackend *b = backend_of(m);
    PrefillX x = { m->x16, m->x16_scale };
    for (int i = 0; i < n; i++) {
        if (i == 0 || w[i]->perm != w[i - 1]->perm || w[i]->k_blocks != w[i - 1]->k_blocks) {
            p->perm = w[i]->perm, p->k_blocks = w[i]->k_blocks;
            TRY(prefill_prepare(p, &x, b->stream));
        }
        TRY(prefill_linear(w[i], &x, out + offset[i], stride, add, p->tokens, b->stream));
    }
    return cudaSuccess;
}

static cudaError_t prefill_layer(CudaLoaded *m, int layer, int tokens)
{
    const ModelShape *s = &m->shape;
    const DevLayer *l = &m->layers[layer];
    const int q_dim = s->n_heads * s->head_dim, kv_dim = s->n_kv_heads * s->head_dim;
    CudaBackend *b = backend_of(m);
    PrefillPrepare p;
    memset(&p, 0, sizeof p);
    p.eps = s->rms_eps, p.tokens = tokens, p.layer = layer, p.run = m->run;
    TRY(forward_tap(m, layer, TAP_INPUT, tokens, false));

    const DevLinear *qkv[3] = { &l->q, &l->k, &l->v };
    const int at[3] = { 0, q_dim, q_dim + kv_dim };
    p.src = m->x, p.stride = s->hidden, p.n_in = s->hidden, p.norm = l->attn_norm;
    TRY(prefill_group(m, &p, qkv, 3, m->qkv, q_dim + 2 * kv_dim, at, false));
    AttentionCall a = forward_attention(m, layer, tokens);
    TRY(attention_prefill(&a, b->stream));
    const DevLinear *o[3] = { &l->o };
    p.src = m->attn, p.stride = q_dim, p.n_in = q_dim, p.norm = NULL;
    TRY(prefill_group(m, &p, o, 1, m->x, s->hidden, at, true));
    TRY(forward_tap(m, layer, TAP_ATTN_OUT, tokens, true));

    const DevLinear *gu[3] = { &l->gate, &l->up };
    const int half[3] = { 0, s->intermediate };
    p.src = m->x, p.stride = s->hidden, p.n_in = s->hidden, p.norm = l->ffn_norm;
    TRY(prefill_group(m, &p, gu, 2, m->h, 2 * s->intermediate, half, false));
    const DevLinear *down[3] = { &l->down };
    p.src = m->h, p.stride = 2 * s->intermediate, p.n_in = s->intermediate, p.norm = NULL,
    p.up = m->h + s->intermediate;
    TRY(prefill_group(m, &p, down, 1, m->x, s->hidden, at, true));
    TRY(forward_tap(m, layer, TAP_FFN_OUT, tokens, true));
    return forward_tap(m, layer, TAP_OUTPUT, tokens, false);
}

/* ---- Hopper ---- */

static WgmmaX x_of(const CudaLoaded *m)
{
    WgmmaX x = { (uint8_t *)m->x16, m->x16_scale };
    return x;
}

/* x of down where gate and up write it themselves, in the room of h: two bytes of its eight a
 * column, and the scales behind them. */
static WgmmaX narrow_x_of(const CudaLoaded *m)
{
    const size_t bytes = (size_t)m->shape.intermediate * WGMMA_TOKENS * sizeof(__half);
    WgmmaX x = { (uint8_t *)m->h, (float *)((uint8_t *)m->h + bytes) };
    return x;
}

static cudaError_t prepare(CudaLoaded *m, PrefillPrepare *p, const DevLinear *w)
{
    const CudaBackend *b = backend_of(m);
    const WgmmaX x = x_of(m);
    p->perm = w->perm, p->k_blocks = w->k_blocks;
    return wgmma_prepare(p, &x, b->pdl, b->stream);
}

static cudaError_t multiply(CudaLoaded *m, WgmmaCall *c)
{
    const CudaBackend *b = backend_of(m);
    if (!c->x.x)
        c->x = x_of(m);
    WgmmaPlan plan = wgmma_plan(c, b->n_sms);
    return wgmma_linear(c, &plan, b->n_sms, b->pdl, b->stream);
}

/* Matrices of one input, in one launch where they are alike; else each with its own order of
 * columns. */
static cudaError_t multiply_parts(CudaLoaded *m, PrefillPrepare *p, const WgmmaCall *c)
{
    WgmmaCall one = *c;
    if (wgmma_is_fusible(c)) {
        TRY(prepare(m, p, &c->part[0]));
        return multiply(m, &one);
    }
    for (int i = 0; i < c->n_parts; i++) {
        one.part[0] = c->part[i], one.n_parts = 1, one.offset[0] = c->offset[i];
        TRY(prepare(m, p, &one.part[0]));
        TRY(multiply(m, &one));
    }
    return cudaSuccess;
}

static WgmmaCall wgmma_call(float *out, int stride, Epilogue epilogue, int tokens)
{
    WgmmaCall c;
    memset(&c, 0, sizeof c);
    c.out = out, c.stride = stride, c.epilogue = epilogue, c.tokens = tokens;
    return c;
}

static void add_part(WgmmaCall *c, const DevLinear *w, int offset)
{
    c->offset[c->n_parts] = offset;
    c->part[c->n_parts++] = *w;
}

static PrefillPrepare prepare_call(const CudaLoaded *m, int layer, int tokens, const float *src,
                                   int n_in, const float *norm)
{
    PrefillPrepare p;
    memset(&p, 0, sizeof p);
    p.src = src, p.stride = p.n_in = n_in, p.norm = norm, p.eps = m->shape.rms_eps,
    p.tokens = tokens, p.layer = layer, p.run = m->run;
    return p;
}

static cudaError_t attention_part(CudaLoaded *m, int layer, int tokens, int positions)
{
    const ModelShape *s = &m->shape;
    const DevLayer *l = &m->layers[layer];
    const CudaBackend *b = backend_of(m);
    const int q_dim = s->n_heads * s->head_dim, kv_dim = s->n_kv_heads * s->head_dim;
    WgmmaCall qkv = wgmma_call(m->qkv, q_dim + 2 * kv_dim, EPILOGUE_STORE, tokens);
    add_part(&qkv, &l->q, 0);
    add_part(&qkv, &l->k, q_dim);
    add_part(&qkv, &l->v, q_dim + kv_dim);
    PrefillPrepare p = prepare_call(m, layer, tokens, m->x, s->hidden, l->attn_norm);
    FlashCall f;
    memset(&f, 0, sizeof f);
    f.attention = qkv.attention = forward_attention(m, layer, tokens);
    f.roped = qkv.rope = wgmma_can_rope(&qkv);
    TRY(multiply_parts(m, &p, &qkv));

    f.partial = m->flash_partial, f.positions = positions, f.slice = flash_slice(s->max_context);
    const bool direct = !l->o.perm && q_dim % BLOCK_COLS == 0;
    if (direct) /* straight to the input of o */
        f.x = x_of(m);
    TRY(flash_attention(&f, b->n_sms, b->pdl, b->stream));
    if (!direct) {
        p = prepare_call(m, layer, tokens, m->attn, q_dim, NULL);
        TRY(prepare(m, &p, &l->o));
    }
    WgmmaCall o = wgmma_call(m->x, s->hidden, EPILOGUE_ADD, tokens);
    add_part(&o, &l->o, 0);
    return multiply(m, &o);
}

static cudaError_t ffn_part(CudaLoaded *m, int layer, int tokens)
{
    const ModelShape *s = &m->shape;
    const DevLayer *l = &m->layers[layer];
    const int n = s->intermediate;
    WgmmaCall gu = wgmma_call(m->h, n, EPILOGUE_SILU, tokens);
    add_part(&gu, &l->gate, 0);
    add_part(&gu, &l->up, 0);
    PrefillPrepare p = prepare_call(m, layer, tokens, m->x, s->hidden, l->ffn_norm);
    const bool fused = wgmma_is_fusible(&gu);
    const bool narrow = fused && !m->wide_h && !l->down.perm && n % BLOCK_COLS == 0;
    WgmmaCall down = wgmma_call(m->x, s->hidden, EPILOGUE_ADD, tokens);
    if (narrow)
        gu.to = down.x = narrow_x_of(m);
    if (!fused) /* gate and up side by side; SiLU when x of down is made */
        gu.epilogue = EPILOGUE_STORE, gu.stride = 2 * n, gu.offset[1] = n;
    TRY(multiply_parts(m, &p, &gu));
    if (!narrow) {
        p = prepare_call(m, layer, tokens, m->h, n, NULL);
        if (!fused)
            p.up = m->h + n, p.stride = 2 * n;
        TRY(prepare(m, &p, &l->down));
    }
    add_part(&down, &l->down, 0);
    return multiply(m, &down);
}

static cudaError_t prefill_layer_wgmma(CudaLoaded *m, int layer, int tokens, int positions)
{
    TRY(forward_tap(m, layer, TAP_INPUT, tokens, false));
    TRY(attention_part(m, layer, tokens, positions));
    TRY(forward_tap(m, layer, TAP_ATTN_OUT, tokens, true));
    TRY(ffn_part(m, layer, tokens));
    TRY(forward_tap(m, layer, TAP_FFN_OUT, tokens, true));
    return forward_tap(m, layer, TAP_OUTPUT, tokens, false);
}

cudaError_t forward_prefill(CudaLoaded *m, const int *dev_ids, int tokens, int positions)
{
    TRY(forward_embed(m, dev_ids, tokens));
    for (int layer = 0; layer < m->shape.n_layers; layer++)
        TRY(m->wgmma ? prefill_layer_wgmma(m, layer, tokens, positions)
                     : prefill_layer(m, layer, tokens));
    return cudaSuccess;
}
