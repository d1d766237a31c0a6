/* Random models in every format; see the header. */
#include "config.h"

#include "tests/random_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One shape that is awkward in every way, and one that is plain. */
#define ODD .layers = 3, .hidden = 192, .heads = 3, .kv_heads = 1, .head_dim = 64, .intermediate = 320, .vocab = 331, .context = 300
#define EVEN .layers = 2, .hidden = 256, .heads = 4, .kv_heads = 2, .head_dim = 64, .intermediate = 512, .vocab = 512, .context = 300
#define GPTQ .packing = PACK_GPTQ, .embedding = DTYPE_F16

const RandomSpec random_specs[] = {
    { .name = "gptq g128 sym", EVEN, GPTQ, .group = 128, .symmetric = true, .seed = 1 },
    { .name = "gptq g128 sym, head_dim 128, bias", .layers = 2, .hidden = 512, .heads = 4, .kv_heads = 4, .head_dim = 128,
      .intermediate = 1376, .vocab = 1043, .context = 300, GPTQ, .group = 128, .symmetric = true, .bias = true, .seed = 2 },
    { .name = "gptq g128 act-order", EVEN, GPTQ, .group = 128, .symmetric = true, .act_order = true, .seed = 3 },
    { .name = "gptq g64 act-order, own order a matrix", ODD, GPTQ, .group = 64, .symmetric = true, .act_order = true,
      .own_order = true, .seed = 4 },
    { .name = "gptq g64 asym v1", ODD, GPTQ, .group = 64, .seed = 5 },
    { .name = "gptq g32 asym v2, act-order", ODD, GPTQ, .group = 32, .zero_rule = ZERO_AS_STORED, .act_order = true, .seed = 6 },
    { .name = "gptq g16 asym v1", ODD, GPTQ, .group = 16, .seed = 7 },
    { .name = "gptq one group", ODD, GPTQ, .group = -1, .symmetric = true, .seed = 8 },
    { .name = "gptq g128, a last group of 64", ODD, GPTQ, .group = 128, .act_order = true, .seed = 9 },
    { .name = "awq g128", EVEN, .packing = PACK_AWQ, .embedding = DTYPE_F16, .zero_rule = ZERO_AS_STORED, .group = 128, .seed = 10 },
    { .name = "q4_0", ODD, .dense = DTYPE_Q4_0, .embedding = DTYPE_Q8_0, .tied = true, .interleaved = true, .seed = 11 },
    { .name = "q4_1, embedding q4_0", ODD, .dense = DTYPE_Q4_1, .embedding = DTYPE_Q4_0, .interleaved = true, .seed = 12 },
    { .name = "q8_0", ODD, .dense = DTYPE_Q8_0, .embedding = DTYPE_Q8_0, .interleaved = true, .seed = 13 },
    { .name = "f16, tied", ODD, .dense = DTYPE_F16, .embedding = DTYPE_F16, .tied = true, .seed = 14 },
    { .name = "bf16, q and k norm", ODD, .dense = DTYPE_BF16, .embedding = DTYPE_BF16, .qk_norm = true, .seed = 15 },
    { .name = "f32, window, biases", ODD, .dense = DTYPE_F32, .embedding = DTYPE_F32, .window = 40, .bias = true, .seed = 16 },
};
const int n_random_specs = sizeof random_specs / sizeof *random_specs;

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

uint32_t random_model_below(uint64_t *state, uint32_t n) { return (uint32_t)((next(state) >> 32) * n >> 32); }

/* Roughly normal, variance 1. */
static float normal(uint64_t *state)
{
    float sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (float)(next(state) >> 40) * 0x1p-24f - 0.5f;
    return sum * 1.7320508f;
}

static void *keep(RandomModel *m, size_t bytes)
{
    if (m->n_blocks == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 64;
        m->block = realloc(m->block, m->cap * sizeof *m->block);
    }
    /* one byte off, as files may be */
    char *p = calloc(1, bytes + 64);
    m->block[m->n_blocks++] = p;
    return p;
}

static uint16_t half_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    uint32_t sign = u >> 16 & 0x8000;
    int exponent = (int)(u >> 23 & 255) - 127 + 15;
    if (exponent <= 0)
        return (uint16_t)sign;
    return (uint16_t)(sign | (uint32_t)exponent << 10 | (u >> 13 & 1023));
}

static void put(void *at, DType type, float f)
{
    uint16_t h;
    uint32_t u;
    memcpy(&u, &f, 4);
    switch (type) {
    case DTYPE_F32: memcpy(at, &f, 4); break;
    case DTYPE_BF16: h = (uint16_t)(u >> 16); memcpy(at, &h, 2); break;
    default: h = half_of(f); memcpy(at, &h, 2); break;
    }
}

static void put_blocks(RandomModel *m, char *data, DType type, size_t n_blocks, int bytes, float size)
{
    for (size_t b = 0; b < n_blocks; b++, data += bytes) {
        for (int i = 0; i < bytes; i++)
            data[i] = (char)next(&m->state);
        float scale = size / (type == DTYPE_Q8_0 ? 73.f : 4.6f) * (0.7f + 0.6f * random_model_below(&m->state, 1000) / 1000.f);
        put(data, DTYPE_F16, scale);
        if (type == DTYPE_Q4_1)
            put(data + 2, DTYPE_F16, -7.3f * scale);
    }
}

static Tensor tensor(RandomModel *m, DType type, int64_t rows, int64_t cols, float mean, float size)
{
    const DTypeInfo *info = dtype_info(type);
    size_t n = (size_t)(rows * cols), blocks = n / (size_t)info->block;
    char *data = (char *)keep(m, blocks * (size_t)info->block_bytes) + 2;
    if (info->block > 1)
        put_blocks(m, data, type, blocks, info->block_bytes, size);
    else
        for (size_t i = 0; i < n; i++)
            put(data + i * (size_t)info->block_bytes, type, mean + size * normal(&m->state));
    return (Tensor){ type, rows, cols, data };
}

static void put_word(char *base, size_t word, uint32_t value) { memcpy(base + 4 * word, &value, 4); }

/* g_idx: a random order of the columns, groups of exactly `group`. */
static const void *random_order(RandomModel *m, uint64_t seed, int k, int group)
{
    int32_t *idx = (int32_t *)keep(m, 4 * (size_t)k);
    for (int i = 0; i < k; i++)
        idx[i] = i / group;
    for (int i = k - 1; i > 0; i--) {
        int j = (int)random_model_below(&seed, (uint32_t)i + 1);
        int32_t t = idx[i];
        idx[i] = idx[j], idx[j] = t;
    }
    return idx;
}

static QuantSource quantised(RandomModel *m, const RandomSpec *spec, int64_t n, int64_t k, uint64_t order_seed)
{
    QuantSource q = { .packing = spec->packing, .bits = 4, .zero_rule = spec->zero_rule, .scale_type = DTYPE_F16 };
    q.group_size = spec->group < 0 ? (int)k : spec->group;
    q.n_groups = (int)((k + q.group_size - 1) / q.group_size);
    size_t words = (size_t)(n * k / 8), zwords = (size_t)q.n_groups * (size_t)n / 8, nscale = (size_t)q.n_groups * (size_t)n;
    char *w = (char *)keep(m, 4 * words) + 4, *z = (char *)keep(m, 4 * zwords) + 4, *s = (char *)keep(m, 2 * nscale) + 2;
    for (size_t i = 0; i < words; i++)
        put_word(w, i, (uint32_t)next(&m->state));
    for (size_t i = 0; i < zwords; i++) {
        uint32_t random = 0;
        for (int j = 0; j < 8; j++) /* around 7, as real zeros are; 15 is left to a test of its own */
            random |= (4 + random_model_below(&m->state, 8)) << 4 * j;
        put_word(z, i, !spec->symmetric ? random : spec->zero_rule == ZERO_AS_STORED ? 0x88888888u : 0x77777777u);
    }
    float size = 0.9f / sqrtf((float)k) / 4.6f;
    for (size_t i = 0; i < nscale; i++)
        put(s + 2 * i, DTYPE_F16, size * (0.7f + 0.6f * (float)random_model_below(&m->state, 1000) / 1000.f));
    q.qweight = w, q.qzeros = z, q.scales = s;
    if (spec->act_order)
        q.g_idx = random_order(m, order_seed, (int)k, q.group_size);
    return q;
}

static Linear linear(RandomModel *m, const RandomSpec *spec, const char *name, int64_t n, int64_t k, uint64_t order_seed)
{
    Linear l = { .name = name, .n_out = n, .n_in = k };
    if (spec->own_order)
        order_seed = next(&m->state);
    if (spec->group)
        l.quant = quantised(m, spec, n, k, order_seed);
    else
        l.dense = tensor(m, spec->dense, n, k, 0, 0.9f / sqrtf((float)k));
    if (spec->bias)
        l.bias = tensor(m, spec->group ? DTYPE_F16 : DTYPE_F32, 1, n, 0, 0.1f);
    return l;
}

static void random_layer(RandomModel *m, const RandomSpec *s, LayerWeights *l)
{
    int64_t h = s->hidden, q = (int64_t)s->heads * s->head_dim, kv = (int64_t)s->kv_heads * s->head_dim;
    uint64_t a = next(&m->state), b = next(&m->state), c = next(&m->state), d = next(&m->state);
    l->attn_norm = tensor(m, DTYPE_F16, 1, h, 1, 0.2f);
    l->ffn_norm = tensor(m, DTYPE_F16, 1, h, 1, 0.2f);
    if (s->qk_norm) {
        l->q_norm = tensor(m, DTYPE_F32, 1, s->head_dim, 1, 0.2f);
        l->k_norm = tensor(m, DTYPE_F32, 1, s->head_dim, 1, 0.2f);
    }
    l->q = linear(m, s, "q", q, h, a);
    l->k = linear(m, s, "k", kv, h, a);
    l->v = linear(m, s, "v", kv, h, a);
    l->o = linear(m, s, "o", h, q, b);
    l->gate = linear(m, s, "gate", s->intermediate, h, c);
    l->up = linear(m, s, "up", s->intermediate, h, c);
    l->down = linear(m, s, "down", h, s->intermediate, d);
}

void random_model_init(RandomModel *m, const RandomSpec *s)
{
    memset(m, 0, sizeof *m);
    m->state = s->seed * 0x9e3779b97f4a7c15ULL + 1;
    double *inv_freq = keep(m, (size_t)s->head_dim / 2 * sizeof *inv_freq);
    for (int i = 0; i < s->head_dim / 2; i++)
        inv_freq[i] = pow(10000.0, -2.0 * i / s->head_dim);
    m->shape = (ModelShape){ .n_layers = s->layers, .hidden = s->hidden, .n_heads = s->heads, .n_kv_heads = s->kv_heads,
                             .head_dim = s->head_dim, .intermediate = s->intermediate, .n_vocab = s->vocab,
                             .n_tokens = s->vocab - 3, .max_context = s->context, .rms_eps = 1e-6f,
                             .rope_pairing = s->interleaved ? ROPE_INTERLEAVED : ROPE_HALF, .rope_dims = s->head_dim,
                             .rope_inv_freq = inv_freq, .rope_scale = 1, .sliding_window = s->window,
                             .has_qk_norm = s->qk_norm };
    LayerWeights *layers = keep(m, (size_t)s->layers * sizeof *layers);
    for (int i = 0; i < s->layers; i++)
        random_layer(m, s, &layers[i]);
    m->weights.layers = layers;
    m->weights.embedding = tensor(m, s->embedding, s->vocab, s->hidden, 0, 1);
    m->weights.output_norm = tensor(m, DTYPE_F32, 1, s->hidden, 1, 0.2f);
    m->weights.head = (Linear){ .name = "head", .n_out = s->vocab, .n_in = s->hidden };
    m->weights.head.dense = s->tied ? m->weights.embedding
                                    : tensor(m, s->embedding, s->vocab, s->hidden, 0, 3 / sqrtf((float)s->hidden));
}

void random_model_release(RandomModel *m)
{
    for (size_t i = 0; i < m->n_blocks; i++)
        free(m->block[i]);
    free(m->block);
    memset(m, 0, sizeof *m);
}
