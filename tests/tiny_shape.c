/* Random models in memory.  Weights are drawn so that activations stay near one; nothing is
 * quantised from floats, the codes themselves are random, because tests compare backends with each
 * other and never with a meaning. */
#include "config.h"

#include "tests/tiny_shape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct TinyModel {
    TinySpec spec;
    ModelShape shape;
    ModelWeights weights;
    LayerWeights *layers;
    double *inv_freq;
    void **blocks; /* everything allocated */
    int n_blocks;
    uint64_t random, order; /* states of random numbers; order: of permutations */
};

uint32_t tiny_random(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((*state >> 32) * n >> 32);
}

static double uniform(TinyModel *model)
{
    return tiny_random(&model->random, 1u << 30) / (double)(1u << 29) - 1.0;
}

static uint8_t *take(TinyModel *model, size_t bytes)
{
    size_t shift = model->spec.unaligned ? 1 : 0;
    model->blocks = realloc(model->blocks, ((size_t)model->n_blocks + 1) * sizeof *model->blocks);
    uint8_t *memory = malloc(bytes + shift);
    model->blocks[model->n_blocks++] = memory;
    return memory + shift;
}

static uint16_t half_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = (int)(bits >> 23 & 255) - 112;
    if (exponent <= 0)
        return (uint16_t)(bits >> 16 & 0x8000);
    return (uint16_t)((bits >> 16 & 0x8000) | (uint32_t)exponent << 10 | (bits >> 13 & 1023));
}

static void store(uint8_t *to, DType type, float value)
{
    uint32_t bits;
    uint16_t half = half_of(value);
    memcpy(&bits, &value, sizeof bits);
    if (type == DTYPE_F32)
        memcpy(to, &value, 4);
    else if (type == DTYPE_BF16)
        memcpy(to, (uint8_t *)&bits + 2, 2);
    else
        memcpy(to, &half, 2);
}

static Tensor dense_tensor(TinyModel *model, DType type, int64_t rows, int64_t cols, double scale,
                           double offset)
{
    const DTypeInfo *info = dtype_info(type);
    size_t bytes = (size_t)(rows * (cols / info->block)) * (size_t)info->block_bytes;
    uint8_t *data = take(model, bytes);
    if (info->block == 1) {
        for (int64_t i = 0; i < rows * cols; i++)
            store(data + i * info->block_bytes, type, (float)(scale * uniform(model) + offset));
        return (Tensor){ type, rows, cols, data };
    }
    double step = scale / (type == DTYPE_Q8_0 ? 100 : 7);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)tiny_random(&model->random, 256);
    for (size_t at = 0; at < bytes; at += (size_t)info->block_bytes) {
        store(data + at, DTYPE_F16,
              (float)(step * (0.5 + tiny_random(&model->random, 1024) / 1024.0)));
        if (type == DTYPE_Q4_1)
            store(data + at + 2, DTYPE_F16,
                  (float)(-step * 8 * (0.5 + tiny_random(&model->random, 1024) / 1024.0)));
    }
    return (Tensor){ type, rows, cols, data };
}

static uint8_t *random_words(TinyModel *model, int64_t n)
{
    uint8_t *data = take(model, (size_t)n * 4);
    for (int64_t i = 0; i < n * 4; i++)
        data[i] = (uint8_t)tiny_random(&model->random, 256);
    return data;
}

static uint8_t *random_order(TinyModel *model, int n_in, int group)
{
    uint64_t shared = model->order, *state = model->spec.own_order ? &model->random : &shared;
    int32_t *order = malloc((size_t)n_in * sizeof *order);
    for (int i = 0; i < n_in; i++)
        order[i] = i / group;
    for (int i = n_in - 1; i > 0; i--) {
        int j = (int)tiny_random(state, (uint32_t)i + 1);
        int32_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    uint8_t *data = take(model, (size_t)n_in * 4);
    memcpy(data, order, (size_t)n_in * 4);
    free(order);
    return data;
}

static QuantSource packed(TinyModel *model, int64_t n_out, int64_t n_in, double scale)
{
    const TinySpec *spec = &model->spec;
    int group = spec->group_size > 0 ? spec->group_size : (int)n_in;
    QuantSource quant = { .packing = spec->packing == TINY_AWQ ? PACK_AWQ : PACK_GPTQ,
                          .bits = 4,
                          .group_size = group,
                          .n_groups = (int)((n_in + group - 1) / group),
                          .zero_rule = spec->as_stored || spec->packing == TINY_AWQ
                                           ? ZERO_AS_STORED
                                           : ZERO_STORED_PLUS_ONE,
                          .scale_type = spec->scale_type };
    int64_t zeros = quant.n_groups * (n_out / 8);
    quant.qweight = random_words(model, n_in * n_out / 8);
    uint8_t *words = random_words(model, zeros);
    if (!spec->asymmetric)
        memset(words, quant.zero_rule == ZERO_AS_STORED ? 0x88 : 0x77, (size_t)zeros * 4);
    quant.qzeros = words;
    int size = dtype_info(spec->scale_type)->block_bytes;
    uint8_t *scales = take(model, (size_t)(quant.n_groups * n_out) * (size_t)size);
    for (int64_t i = 0; i < quant.n_groups * n_out; i++)
        store(scales + i * size, spec->scale_type,
              (float)(scale / 7 * (0.75 + 0.25 * uniform(model))));
    quant.scales = scales;
    if (spec->act_order)
        quant.g_idx = random_order(model, (int)n_in, group);
    return quant;
}

static Linear linear(TinyModel *model, const char *name, int64_t n_out, int64_t n_in)
{
    Linear out = { .name = name, .n_out = n_out, .n_in = n_in };
    double scale = 1.7 / sqrt((double)n_in);
    if (model->spec.packing == TINY_DENSE)
        out.dense = dense_tensor(model, model->spec.dtype, n_out, n_in, scale, 0);
    else
        out.quant = packed(model, n_out, n_in, scale);
    if (model->spec.bias)
        out.bias = dense_tensor(model, model->spec.bias_type, 1, n_out, 0.2, 0);
    return out;
}

/* What follows multiplies another input. */
static void next_input(TinyModel *model)
{
    if (model->spec.input_order)
        model->order = tiny_random(&model->random, 1u << 30);
}

static void fill_layer(TinyModel *model, LayerWeights *layer, bool loud)
{
    const ModelShape *s = &model->shape;
    int64_t heads = (int64_t)s->n_heads * s->head_dim, kv = (int64_t)s->n_kv_heads * s->head_dim;
    layer->attn_norm = dense_tensor(model, DTYPE_F32, 1, s->hidden, 0.2, 1);
    const double gain = loud ? 400 : 1;
    layer->ffn_norm = dense_tensor(model, DTYPE_F16, 1, s->hidden, 0.2 * gain, gain);
    next_input(model);
    layer->q = linear(model, "q", heads, s->hidden);
    layer->k = linear(model, "k", kv, s->hidden);
    layer->v = linear(model, "v", kv, s->hidden);
    next_input(model);
    layer->o = linear(model, "o", s->hidden, heads);
    next_input(model);
    layer->gate = linear(model, "gate", s->intermediate, s->hidden);
    layer->up = linear(model, "up", s->intermediate, s->hidden);
    next_input(model);
    layer->down = linear(model, "down", s->hidden, s->intermediate);
    if (s->has_qk_norm) {
        layer->q_norm = dense_tensor(model, DTYPE_BF16, 1, s->head_dim, 0.2, 1);
        layer->k_norm = dense_tensor(model, DTYPE_BF16, 1, s->head_dim, 0.2, 1);
    }
}

static void fill_shape(TinyModel *model)
{
    const TinySpec *spec = &model->spec;
    ModelShape *s = &model->shape;
    *s = (ModelShape){ .n_layers = spec->n_layers ? spec->n_layers : 2,
                       .hidden = spec->hidden,
                       .n_heads = spec->n_heads,
                       .n_kv_heads = spec->n_kv_heads ? spec->n_kv_heads : spec->n_heads,
                       .head_dim = spec->head_dim,
                       .intermediate = spec->intermediate,
                       .n_vocab = spec->n_vocab,
                       .n_tokens = spec->n_tokens ? spec->n_tokens : spec->n_vocab,
                       .max_context = spec->context ? spec->context : 2048,
                       .rms_eps = 1e-5f,
                       .rope_pairing = spec->interleaved ? ROPE_INTERLEAVED : ROPE_HALF,
                       .rope_dims = spec->rope_dims ? spec->rope_dims : spec->head_dim,
                       .rope_scale = 1,
                       .sliding_window = spec->sliding_window,
                       .has_qk_norm = spec->qk_norm };
    model->inv_freq = malloc((size_t)s->rope_dims / 2 * sizeof *model->inv_freq);
    for (int i = 0; i < s->rope_dims / 2; i++)
        model->inv_freq[i] = pow(10000.0, -2.0 * i / s->rope_dims);
    s->rope_inv_freq = model->inv_freq;
}

TinyModel *tiny_new(const TinySpec *spec, uint64_t seed)
{
    TinyModel *model = calloc(1, sizeof *model);
    model->spec = *spec;
    model->random = seed * 0x9e3779b97f4a7c15ULL + 1;
    model->order = 99;
    fill_shape(model);
    const ModelShape *s = &model->shape;
    model->layers = calloc((size_t)s->n_layers, sizeof *model->layers);
    for (int i = 0; i < s->n_layers; i++)
        fill_layer(model, &model->layers[i], spec->loud && i + 1 == s->n_layers);
    model->weights.layers = model->layers;
    model->weights.output_norm = dense_tensor(model, DTYPE_F32, 1, s->hidden, 0.2, 1);
    model->weights.embedding = dense_tensor(model, spec->head_dtype, s->n_vocab, s->hidden, 1, 0);
    model->weights.head = (Linear){ .name = "head", .n_out = s->n_vocab, .n_in = s->hidden };
    model->weights.head.dense = model->weights.embedding;
    if (spec->untied)
        model->weights.head.dense =
            dense_tensor(model, spec->head_dtype, s->n_vocab, s->hidden, 0.2, 0);
    return model;
}

void tiny_free(TinyModel *model)
{
    for (int i = 0; i < model->n_blocks; i++)
        free((uint8_t *)model->blocks[i]);
    free(model->blocks);
    free(model->layers);
    free(model->inv_freq);
    free(model);
}

const ModelShape *tiny_shape(const TinyModel *model)
{
    return &model->shape;
}

ModelWeights *tiny_weights(TinyModel *model)
{
    return &model->weights;
}

LayerWeights *tiny_layers(TinyModel *model)
{
    return model->layers;
}
