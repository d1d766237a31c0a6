/* Writes small models.  Every weight of a linear is scale * (q - zero) with scales of four
 * significant bits and |q - zero| below 16: eight bits in all, so that the product is exact in
 * float, half, bfloat and all block types alike. */
#include "config.h"

#include "tests/tiny_model.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"
#include "src/base/path.h"
#include "tests/tensor_writer.h"
#include "tests/tiny_tokenizer.h"

enum { TRAITS_HF = 1, TRAITS_GGUF = 2, TRAITS_PACKED = 4, TRAITS_BLOCKS = 8 };

static const struct {
    const char *name, *dtype; /* of the linears */
    int traits;
} kinds[TINY_KINDS] = {
    [TINY_HF_F32] = { "f32", "F32", TRAITS_HF },
    [TINY_HF_F16] = { "f16", "F16", TRAITS_HF },
    [TINY_HF_BF16] = { "bf16", "BF16", TRAITS_HF },
    [TINY_GPTQ_V1] = { "gptq-v1", "I32", TRAITS_HF | TRAITS_PACKED },
    [TINY_GPTQ_V2] = { "gptq-v2", "I32", TRAITS_HF | TRAITS_PACKED },
    [TINY_AWQ] = { "awq", "I32", TRAITS_HF | TRAITS_PACKED },
    [TINY_GGUF_F32] = { "gguf-f32", "F32", TRAITS_GGUF },
    [TINY_GGUF_F16] = { "gguf-f16", "F16", TRAITS_GGUF },
    [TINY_GGUF_Q4_0] = { "gguf-q4_0", "Q4_0", TRAITS_GGUF | TRAITS_BLOCKS },
    [TINY_GGUF_Q4_1] = { "gguf-q4_1", "Q4_1", TRAITS_GGUF | TRAITS_BLOCKS },
    [TINY_GGUF_Q8_0] = { "gguf-q8_0", "Q8_0", TRAITS_GGUF | TRAITS_BLOCKS },
};

/* A spec with its zeros filled in. */
typedef struct {
    TinySpec spec;
    TinyVocab vocab;
    int head_dim;
    bool gguf;
    const char *plain; /* dtype of what is not a linear of a layer */
    TensorWriter writer;
} Tiny;

/* One linear: W[k][n] = scale[g][n] * (q[k][n] - zero[g][n]), g = group[k]. */
typedef struct {
    int n_in, n_out, n_groups, group_size;
    uint8_t *q;    /* [n_in][n_out] */
    float *scale;  /* [n_groups][n_out] */
    uint8_t *zero; /* likewise */
    int *group;    /* [n_in] */
    int heads;     /* GGUF: rows are permuted in this many heads; 0: not */
} Matrix;

const char *tiny_kind_name(TinyKind kind)
{
    return kinds[kind].name;
}

/* ---- numbers ---- */

/* splitmix64 of a name and an index: the order in which tensors are made does not matter. */
static uint64_t noise(const Tiny *t, const char *name, uint64_t i)
{
    uint64_t x = t->spec.seed * 0x9e3779b97f4a7c15u + 0x1234567;

    for (; *name; name++)
        x = (x ^ (unsigned char)*name) * 0x100000001b3u;
    x += (i + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static int noise_in(const Tiny *t, const char *name, uint64_t i, int low, int high)
{
    return low + (int)(noise(t, name, i) % (uint64_t)(high - low + 1));
}

/* The power of two at or above x. */
static float power_above(double x)
{
    float p = 1;

    while ((double)p < x)
        p *= 2;
    return p;
}

static Matrix matrix_new(const Tiny *t, const char *name, int n_out, int n_in)
{
    int size = t->spec.group_size == -1 ? n_in : t->spec.group_size,
        groups = (n_in + size - 1) / size;
    Matrix m = { n_in, n_out, groups, size, NULL, NULL, NULL, NULL, 0 };
    /* Weights of standard deviation 1 / sqrt(n_in): 4.6 is that of 0..15, 11.5 the mean of 8..15.
     */
    float unit = 1 / power_above(11.5 * 4.6 * sqrt(n_in));
    size_t cells = (size_t)groups * (size_t)n_out;

    m.q = xmalloc((size_t)n_in * (size_t)n_out);
    m.scale = xmalloc(cells * sizeof *m.scale);
    m.zero = xmalloc(cells);
    m.group = xmalloc((size_t)n_in * sizeof *m.group);
    for (size_t i = 0; i < (size_t)n_in * (size_t)n_out; i++)
        m.q[i] = (uint8_t)(noise(t, name, i) >> 8 & 15);
    for (size_t i = 0; i < cells; i++) {
        m.scale[i] = unit * (float)(8 + (noise(t, name, i) >> 16 & 7));
        m.zero[i] = (uint8_t)(t->spec.asymmetric ? 1 + (noise(t, name, i) >> 24) % 14 : 8);
    }
    for (int k = 0; k < n_in; k++)
        m.group[k] = k / size;
    for (int k = n_in - 1; t->spec.act_order && k > 0; k--) {
        int other = noise_in(t, name, (uint64_t)k + 1000000, 0, k), kept = m.group[k];
        m.group[k] = m.group[other];
        m.group[other] = kept;
    }
    return m;
}

static void matrix_release(Matrix *m)
{
    free(m->q);
    free(m->scale);
    free(m->zero);
    free(m->group);
}

static int level(const Matrix *m, int k, int n)
{
    return (int)m->q[(size_t)k * (size_t)m->n_out + (size_t)n] -
           (int)m->zero[(size_t)m->group[k] * (size_t)m->n_out + (size_t)n];
}

static float scale_of(const Matrix *m, int k, int n)
{
    return m->scale[(size_t)m->group[k] * (size_t)m->n_out + (size_t)n];
}

/* The output that stands in row `row` of the file: GGUF's llama swaps [2][half] for [half][2]
 * within each head. */
static int source_row(const Matrix *m, int row)
{
    int head_dim, within;

    if (!m->heads)
        return row;
    head_dim = m->n_out / m->heads;
    within = row % head_dim;
    return row - within + within % 2 * (head_dim / 2) + within / 2;
}

/* ---- linears in each format ---- */

static WriterTensor *add(Tiny *t, const char *name, const char *suffix, const char *dtype,
                         int64_t rows, int64_t cols)
{
    WriterTensor *tensor;
    Buf full = BUF_INIT;

    buf_printf(&full, "%s%s", name, suffix);
    tensor = writer_add(&t->writer, buf_cstr(&full), dtype, rows, cols);
    buf_release(&full);
    return tensor;
}

static void put_dense(Tiny *t, const char *name, const Matrix *m)
{
    const char *dtype = kinds[t->spec.kind].dtype;
    Buf *out = &add(t, name, ".weight", dtype, m->n_out, m->n_in)->data;

    for (int row = 0; row < m->n_out; row++)
        for (int k = 0, n = source_row(m, row); k < m->n_in; k++)
            put_float(out, dtype, scale_of(m, k, n) * (float)level(m, k, n));
}

static void put_block(Buf *out, TinyKind kind, const Matrix *m, int n, int k)
{
    float scale = scale_of(m, k, n);
    int zero = m->zero[(size_t)m->group[k] * (size_t)m->n_out + (size_t)n];

    put_f16(out, scale);
    if (kind == TINY_GGUF_Q8_0) {
        for (int i = 0; i < 32; i++)
            put_int(out, (uint64_t)(int64_t)level(m, k + i, n), 1);
        return;
    }
    if (kind == TINY_GGUF_Q4_1)
        put_f16(out, -scale * (float)zero);
    for (int i = 0; i < 16; i++)
        put_int(out,
                (uint64_t)(level(m, k + i, n) + zero) | (uint64_t)(level(m, k + i + 16, n) + zero)
                                                            << 4,
                1);
}

static void put_blocks(Tiny *t, const char *name, const Matrix *m)
{
    Buf *out = &add(t, name, ".weight", kinds[t->spec.kind].dtype, m->n_out, m->n_in)->data;

    for (int row = 0; row < m->n_out; row++)
        for (int k = 0; k < m->n_in; k += 32)
            put_block(out, t->spec.kind, m, source_row(m, row), k);
}

/* Eight values of a row of bytes, a nibble each: element at nibble i is column 8 * c + order[i]. */
static void put_words(Buf *out, const uint8_t *row, int n, const int order[8], int less)
{
    for (int c = 0; c < n; c += 8) {
        uint32_t word = 0;
        for (int i = 0; i < 8; i++)
            word |= (uint32_t)(row[c + order[i]] - less) << 4 * i;
        put_int(out, word, 4);
    }
}

static void put_packed(Tiny *t, const char *name, const Matrix *m)
{
    static const int natural[8] = { 0, 1, 2, 3, 4, 5, 6, 7 },
                     awq_order[8] = { 0, 2, 4, 6, 1, 3, 5, 7 };
    bool awq = t->spec.kind == TINY_AWQ;
    const int *order = awq ? awq_order : natural;
    Buf *out =
        &add(t, name, ".qweight", "I32", awq ? m->n_in : m->n_in / 8, awq ? m->n_out / 8 : m->n_out)
             ->data;

    for (int k = 0; awq && k < m->n_in; k++)
        put_words(out, m->q + (size_t)k * (size_t)m->n_out, m->n_out, order, 0);
    for (int k = 0; !awq && k < m->n_in; k += 8)
        for (int n = 0; n < m->n_out; n++) {
            uint8_t column[8];
            for (int i = 0; i < 8; i++)
                column[i] = m->q[(size_t)(k + i) * (size_t)m->n_out + (size_t)n];
            put_words(out, column, 8, order, 0);
        }
    out = &add(t, name, ".qzeros", "I32", m->n_groups, m->n_out / 8)->data;
    for (int g = 0; g < m->n_groups; g++)
        put_words(out, m->zero + (size_t)g * (size_t)m->n_out, m->n_out, order,
                  t->spec.kind == TINY_GPTQ_V1);
    out = &add(t, name, ".scales", "F16", m->n_groups, m->n_out)->data;
    for (size_t i = 0; i < (size_t)m->n_groups * (size_t)m->n_out; i++)
        put_f16(out, m->scale[i]);
    if (awq || t->spec.no_g_idx)
        return;
    out = &add(t, name, ".g_idx", "I32", 0, m->n_in)->data;
    for (int k = 0; k < m->n_in; k++)
        put_int(out, t->spec.zero_g_idx ? 0 : (uint64_t)m->group[k], 4);
}

static void put_bias(Tiny *t, const char *name, const char *key, const Matrix *m)
{
    const char *dtype = t->gguf ? "F32" : t->plain;
    Buf *out = &add(t, name, ".bias", dtype, 0, m->n_out)->data;

    for (int row = 0; row < m->n_out; row++)
        put_float(out, dtype,
                  t->spec.zero_bias
                      ? 0
                      : (float)noise_in(t, key, 5000000 + (uint64_t)source_row(m, row), -8, 8) /
                            64);
}

/* ---- the model ---- */

typedef struct {
    const char *huggingface, *gguf;
} Name;

static void name_of(const Tiny *t, Name name, int layer, Buf *out)
{
    const char *format = t->gguf ? name.gguf : name.huggingface, *mark = strstr(format, "%d");

    buf_reset(out);
    if (!mark) {
        buf_puts(out, format);
        return;
    }
    buf_append(out, format, (size_t)(mark - format));
    buf_printf(out, "%d%s", layer, mark + 2);
}

static void put_linear(Tiny *t, Name name, int layer, int n_out, int n_in, int heads)
{
    bool qkv = strstr(name.huggingface, "q_proj") || strstr(name.huggingface, "k_proj") ||
               strstr(name.huggingface, "v_proj");
    bool qwen2 = t->spec.family && strcmp(t->spec.family, "qwen2") == 0;
    Buf file = BUF_INIT, key = BUF_INIT;
    Matrix m;

    name_of(t, name, layer, &file);
    buf_printf(&key, "%d %s", layer, name.huggingface);
    m = matrix_new(t, buf_cstr(&key), n_out, n_in);
    if (t->gguf && !(t->spec.family && strncmp(t->spec.family, "qwen", 4) == 0))
        m.heads = heads;
    if (kinds[t->spec.kind].traits & TRAITS_PACKED)
        put_packed(t, buf_cstr(&file), &m);
    else if (kinds[t->spec.kind].traits & TRAITS_BLOCKS)
        put_blocks(t, buf_cstr(&file), &m);
    else
        put_dense(t, buf_cstr(&file), &m);
    if (t->spec.bias || t->spec.zero_bias || (qwen2 && qkv))
        put_bias(t, buf_cstr(&file), buf_cstr(&key), &m);
    matrix_release(&m);
    buf_release(&file);
    buf_release(&key);
}

/* 1 + k / 128 */
static void put_norm(Tiny *t, Name name, int layer, int n)
{
    const char *dtype = t->gguf ? "F32" : t->plain;
    Buf file = BUF_INIT, key = BUF_INIT;
    Buf *out;

    name_of(t, name, layer, &file);
    buf_printf(&key, "%d %s", layer, name.huggingface);
    out = &add(t, buf_cstr(&file), ".weight", dtype, 0, n)->data;
    for (int i = 0; i < n; i++)
        put_float(out, dtype, 1 + (float)noise_in(t, buf_cstr(&key), (uint64_t)i, -32, 32) / 128);
    buf_release(&file);
    buf_release(&key);
}

/* Rows of tokens that must not be generated are zero in the head, and faint where the head is the
 * embedding. */
static void put_rows(Tiny *t, Name name, float unit, bool is_head)
{
    Buf file = BUF_INIT;
    Buf *out;

    name_of(t, name, 0, &file);
    out = &add(t, buf_cstr(&file), ".weight", t->plain, t->vocab.n, t->spec.hidden)->data;
    for (int id = 0; id < t->vocab.n; id++) {
        bool control = t->vocab.type[id] == TOKEN_CONTROL || t->vocab.type[id] == TOKEN_UNKNOWN;
        bool wanted = control ? t->spec.ends : t->spec.bytes || tiny_vocab_readable(&t->vocab, id);
        float row = wanted ? unit : is_head ? 0 : t->spec.tied ? unit / 16 : unit;
        for (int i = 0; i < t->spec.hidden; i++)
            put_float(out, t->plain,
                      row * (float)noise_in(t, name.huggingface,
                                            (uint64_t)id * (uint64_t)t->spec.hidden + (uint64_t)i,
                                            -15, 15));
    }
    buf_release(&file);
}

#define LAYER(hf, gguf) ((Name){ "model.layers.%d." hf, "blk.%d." gguf })

static void put_layer(Tiny *t, int layer)
{
    const TinySpec *s = &t->spec;
    int kv = s->kv_heads * t->head_dim;

    put_norm(t, LAYER("input_layernorm", "attn_norm"), layer, s->hidden);
    put_linear(t, LAYER("self_attn.q_proj", "attn_q"), layer, s->heads * t->head_dim, s->hidden,
               s->heads);
    put_linear(t, LAYER("self_attn.k_proj", "attn_k"), layer, kv, s->hidden, s->kv_heads);
    put_linear(t, LAYER("self_attn.v_proj", "attn_v"), layer, kv, s->hidden, 0);
    put_linear(t, LAYER("self_attn.o_proj", "attn_output"), layer, s->hidden,
               s->heads * t->head_dim, 0);
    if (s->family && strcmp(s->family, "qwen3") == 0) {
        put_norm(t, LAYER("self_attn.q_norm", "attn_q_norm"), layer, t->head_dim);
        put_norm(t, LAYER("self_attn.k_norm", "attn_k_norm"), layer, t->head_dim);
    }
    put_norm(t, LAYER("post_attention_layernorm", "ffn_norm"), layer, s->hidden);
    put_linear(t, LAYER("mlp.gate_proj", "ffn_gate"), layer, s->intermediate, s->hidden, 0);
    put_linear(t, LAYER("mlp.up_proj", "ffn_up"), layer, s->intermediate, s->hidden, 0);
    put_linear(t, LAYER("mlp.down_proj", "ffn_down"), layer, s->hidden, s->intermediate, 0);
}

static void put_tensors(Tiny *t)
{
    put_rows(t, (Name){ "model.embed_tokens", "token_embd" }, t->spec.tied ? 1.0f / 32 : 1.0f / 8,
             false);
    for (int i = 0; i < t->spec.layers; i++)
        put_layer(t, i);
    put_norm(t, (Name){ "model.norm", "output_norm" }, 0, t->spec.hidden);
    if (!t->spec.tied)
        put_rows(t, (Name){ "lm_head", "output" }, 1 / power_above(3 * sqrt(t->spec.hidden)), true);
}

/* ---- configuration ---- */

static json_t *quantisation(const TinySpec *s)
{
    if (s->kind == TINY_AWQ)
        return json_pack("{s:s,s:i,s:i,s:b,s:s}", "quant_method", "awq", "bits", 4, "group_size",
                         s->group_size, "zero_point", 1, "version", "gemm");
    return json_pack("{s:i,s:i,s:b,s:b,s:s,s:s}", "bits", 4, "group_size", s->group_size,
                     "desc_act", s->act_order, "sym", !s->asymmetric, "quant_method", "gptq",
                     "checkpoint_format", s->kind == TINY_GPTQ_V2 ? "gptq_v2" : "gptq");
}

static bool write_config(const Tiny *t, const char *dir)
{
    const TinySpec *s = &t->spec;
    const char *family = s->family ? s->family : "llama";
    const char *type = strcmp(t->plain, "F32") == 0   ? "float32"
                       : strcmp(t->plain, "F16") == 0 ? "float16"
                                                      : "bfloat16";
    bool packed = kinds[s->kind].traits & TRAITS_PACKED, ok = true;
    json_t *config = json_pack("{s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:f,s:s,s:b,s:i,s:i}",
                               "model_type", family, "hidden_size", s->hidden, "intermediate_size",
                               s->intermediate, "num_hidden_layers", s->layers,
                               "num_attention_heads", s->heads, "num_key_value_heads", s->kv_heads,
                               "max_position_embeddings", s->context, "vocab_size", t->vocab.n,
                               "rms_norm_eps", 1e-5, "hidden_act", "silu", "tie_word_embeddings",
                               s->tied, "bos_token_id", t->vocab.bos, "eos_token_id", t->vocab.eos);

    json_object_set_new(config, "head_dim", json_integer(t->head_dim));
    json_object_set_new(config, "sliding_window", json_null());
    json_object_set_new(config, s->v5 ? "dtype" : "torch_dtype", json_string(type));
    if (s->v5)
        json_object_set_new(config, "rope_parameters",
                            json_pack("{s:s,s:f}", "rope_type", "default", "rope_theta", 10000.0));
    else
        json_object_set_new(config, "rope_theta", json_real(10000.0));
    if (packed && s->config_in_json)
        json_object_set_new(config, "quantization_config", quantisation(s));
    else if (packed)
        ok =
            tiny_json_write(dir, s->kind == TINY_AWQ ? "quant_config.json" : "quantize_config.json",
                            quantisation(s));
    ok = tiny_json_write(dir, "config.json", config) && ok;
    return tiny_json_write(dir, "generation_config.json",
                           json_pack("{s:i,s:i,s:b,s:f,s:f}", "bos_token_id", t->vocab.bos,
                                     "eos_token_id", t->vocab.eos, "do_sample", 1, "temperature",
                                     0.6, "top_p", 0.9)) &&
           ok;
}

static bool write_weights(const Tiny *t, const char *dir)
{
    static const char *const shards[] = { "model-00001-of-00002.safetensors",
                                          "model-00002-of-00002.safetensors" };
    size_t half = t->writer.n / 2, total = 0;
    json_t *map = json_object();
    Buf path = BUF_INIT;
    bool ok;

    if (!t->spec.sharded) {
        json_decref(map);
        path_join(&path, dir, "model.safetensors");
        ok = writer_safetensors(&t->writer, 0, t->writer.n, buf_cstr(&path));
        buf_release(&path);
        return ok;
    }
    path_join(&path, dir, shards[0]);
    ok = writer_safetensors(&t->writer, 0, half, buf_cstr(&path));
    path_join(&path, dir, shards[1]);
    ok &= writer_safetensors(&t->writer, half, t->writer.n, buf_cstr(&path));
    buf_release(&path);
    for (size_t i = 0; i < t->writer.n; i++) {
        json_object_set_new(map, t->writer.tensors[i].name, json_string(shards[i >= half]));
        total += t->writer.tensors[i].data.len;
    }
    return ok & tiny_json_write(dir, "model.safetensors.index.json",
                                json_pack("{s:{s:I},s:o}", "metadata", "total_size",
                                          (json_int_t)total, "weight_map", map));
}

static bool write_gguf(Tiny *t, const char *dir)
{
    const TinySpec *s = &t->spec;
    const char *arch = s->family && strcmp(s->family, "mistral") != 0 ? s->family : "llama";
    struct {
        const char *key;
        uint32_t value;
    } rows[] = { { "block_count", (uint32_t)s->layers },
                 { "embedding_length", (uint32_t)s->hidden },
                 { "feed_forward_length", (uint32_t)s->intermediate },
                 { "context_length", (uint32_t)s->context },
                 { "attention.head_count", (uint32_t)s->heads },
                 { "attention.head_count_kv", (uint32_t)s->kv_heads },
                 { "attention.key_length", (uint32_t)t->head_dim },
                 { "attention.value_length", (uint32_t)t->head_dim },
                 { "rope.dimension_count", (uint32_t)t->head_dim },
                 { "vocab_size", (uint32_t)t->vocab.n } };
    Buf key = BUF_INIT, path = BUF_INIT;
    bool ok;

    meta_string(&t->writer, "general.architecture", arch);
    meta_string(&t->writer, "general.name", "tiny");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&key);
        buf_printf(&key, "%s.%s", arch, rows[i].key);
        meta_u32(&t->writer, buf_cstr(&key), rows[i].value);
    }
    buf_reset(&key);
    buf_printf(&key, "%s.attention.layer_norm_rms_epsilon", arch);
    meta_f32(&t->writer, buf_cstr(&key), 1e-5f);
    buf_reset(&key);
    buf_printf(&key, "%s.rope.freq_base", arch);
    meta_f32(&t->writer, buf_cstr(&key), 10000);
    tiny_vocab_meta(&t->vocab, s, &t->writer);
    path_join(&path, dir, "model.gguf");
    ok = writer_gguf(&t->writer, 3, buf_cstr(&path));
    buf_release(&path);
    buf_release(&key);
    return ok;
}

/* ---- specs ---- */

static void or_default(int *value, int otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static TinySpec filled(const TinySpec *spec)
{
    TinySpec s = *spec;

    or_default(&s.layers, 2);
    or_default(&s.hidden, 64);
    or_default(&s.heads, 4);
    or_default(&s.kv_heads, 2);
    or_default(&s.intermediate, 128);
    or_default(&s.context, 512);
    or_default(&s.group_size, 32);
    return s;
}

static const char *contradiction(const TinySpec *s)
{
    bool blocks = kinds[s->kind].traits & TRAITS_BLOCKS;

    if (s->hidden % s->heads || s->hidden / s->heads % 2 || s->heads % s->kv_heads)
        return "heads do not divide the hidden size";
    if (s->hidden % 8 || s->intermediate % 8 || s->kv_heads * (s->hidden / s->heads) % 8)
        return "sizes are not multiples of 8";
    if (s->act_order && (s->no_g_idx || s->zero_g_idx || s->kind == TINY_AWQ))
        return "act_order needs a g_idx";
    if (blocks && (s->act_order || (s->group_size != -1 && s->group_size % 32) || s->hidden % 32 ||
                   s->intermediate % 32))
        return "blocks of 32 cannot hold these groups";
    if (s->kind == TINY_GGUF_Q4_0 && s->asymmetric)
        return "Q4_0 is symmetric";
    if (s->kind == TINY_AWQ && s->group_size != -1 &&
        (s->hidden % s->group_size || s->intermediate % s->group_size))
        return "AWQ needs whole groups";
    return NULL;
}

int tiny_vocab_size(const TinySpec *spec)
{
    TinyVocab vocab;
    int n;

    tiny_vocab_init(&vocab, spec);
    n = vocab.n;
    tiny_vocab_release(&vocab);
    return n;
}

bool tiny_model_write(const char *dir, const TinySpec *spec)
{
    Tiny t = { .spec = filled(spec) };
    const char *why = contradiction(&t.spec);
    Error err = ERROR_INIT;
    bool ok;

    if (why || !path_mkdirs(dir, &err)) {
        fprintf(stderr, "tiny model in %s: %s\n", dir, why ? why : err.text);
        return false;
    }
    t.head_dim = t.spec.hidden / t.spec.heads;
    t.gguf = kinds[t.spec.kind].traits & TRAITS_GGUF;
    t.plain = kinds[t.spec.kind].traits & (TRAITS_PACKED | TRAITS_BLOCKS)
                  ? "F16"
                  : kinds[t.spec.kind].dtype;
    tiny_vocab_init(&t.vocab, &t.spec);
    put_tensors(&t);
    ok = t.gguf ? write_gguf(&t, dir)
                : write_weights(&t, dir) && write_config(&t, dir) &&
                      tiny_vocab_write(&t.vocab, &t.spec, dir);
    if (!ok)
        fprintf(stderr, "tiny model in %s: cannot be written\n", dir);
    writer_release(&t.writer);
    tiny_vocab_release(&t.vocab);
    return ok;
}

const char *tiny_model_path(const char *dir, const TinySpec *spec)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s%s", dir,
             kinds[spec->kind].traits & TRAITS_GGUF ? "/model.gguf" : "");
    return path;
}
