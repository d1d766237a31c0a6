/* The table of families, and the reading of a model's shape from config.json or GGUF keys. */
#include "config.h"

#include "engine/arch.h"

#include <string.h>

#include "engine/fields.h"
#include "src/base/i18n.h"
#include "src/base/log.h"

static const Arch *const table[] = { &arch_llama, &arch_mistral, &arch_qwen2, &arch_qwen3 };

/* Generous bounds: beyond them a number is a mistake, within them no product of two overflows. */
enum {
    LAYERS_MAX = 1024,
    WIDTH_MAX = 1 << 20,
    HEADS_MAX = 4096,
    HEAD_DIM_MAX = 4096,
    CONTEXT_MAX = 1 << 30
};
enum { VOCAB_MAX = 1 << 24 };

static const struct {
    const char *huggingface, *gguf;
} names[W_COUNT] = {
    [W_EMBEDDING] = { "model.embed_tokens", "token_embd" },
    [W_OUTPUT_NORM] = { "model.norm", "output_norm" },
    [W_HEAD] = { "lm_head", "output" },
    [W_ATTN_NORM] = { "model.layers.%d.input_layernorm", "blk.%d.attn_norm" },
    [W_Q] = { "model.layers.%d.self_attn.q_proj", "blk.%d.attn_q" },
    [W_K] = { "model.layers.%d.self_attn.k_proj", "blk.%d.attn_k" },
    [W_V] = { "model.layers.%d.self_attn.v_proj", "blk.%d.attn_v" },
    [W_O] = { "model.layers.%d.self_attn.o_proj", "blk.%d.attn_output" },
    [W_Q_NORM] = { "model.layers.%d.self_attn.q_norm", "blk.%d.attn_q_norm" },
    [W_K_NORM] = { "model.layers.%d.self_attn.k_norm", "blk.%d.attn_k_norm" },
    [W_FFN_NORM] = { "model.layers.%d.post_attention_layernorm", "blk.%d.ffn_norm" },
    [W_GATE] = { "model.layers.%d.mlp.gate_proj", "blk.%d.ffn_gate" },
    [W_UP] = { "model.layers.%d.mlp.up_proj", "blk.%d.ffn_up" },
    [W_DOWN] = { "model.layers.%d.mlp.down_proj", "blk.%d.ffn_down" },
};

void arch_tensor_name(WeightName which, Container container, int layer, Buf *out)
{
    const char *name = container == CONTAINER_GGUF ? names[which].gguf : names[which].huggingface;
    const char *mark = strstr(name, "%d");

    if (!mark) {
        buf_puts(out, name);
        return;
    }
    buf_append(out, name, (size_t)(mark - name));
    buf_printf(out, "%d%s", layer, mark + 2);
}

/* ---- which family ---- */

static bool unknown_family(const ModelFile *file, Str name, Error *err)
{
    Buf known = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        buf_printf(&known, "%s%s", i ? ", " : "", table[i]->name);
    error_set(err, ERR_UNSUPPORTED,
              _("%s: models of the family \"%.*s\" are not supported; supported are %s"),
              modelfile_path(file), (int)(name.len < 60 ? name.len : 60), name.data,
              buf_cstr(&known));
    buf_release(&known);
    return false;
}

static const Arch *family_of_gguf(const ModelFile *file, Error *err)
{
    Meta meta;

    if (!modelfile_meta(file, "general.architecture", &meta) || meta.type != META_STRING) {
        error_set(err, ERR_FORMAT, _("%s: general.architecture is missing"), modelfile_path(file));
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i]->gguf && str_eq_c(meta.string, table[i]->gguf))
            return table[i];
    unknown_family(file, meta.string, err);
    return NULL;
}

static const Arch *family_of_config(const ModelFile *file, Error *err)
{
    const json_t *config = modelfile_config(file);
    const char *type = json_string_value(json_object_get(config, "model_type"));
    const char *architecture =
        json_string_value(json_array_get(json_object_get(config, "architectures"), 0));

    if (!type && !architecture) {
        error_set(err, ERR_FORMAT, _("%s: config.json says neither model_type nor architectures"),
                  modelfile_path(file));
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (type ? strcmp(type, table[i]->model_type) == 0
                 : strcmp(architecture, table[i]->architecture) == 0)
            return table[i];
    unknown_family(file, str_from(type ? type : architecture), err);
    return NULL;
}

/* ---- the sliding window ---- */

/* Layers that differ are not supported, but up to the window's length a window changes nothing: so
 * the context is. */
static void mixed_window(ArchShape *out, int window)
{
    out->window = 0;
    if (out->max_context > window)
        out->max_context = window;
    log_write(LOG_WARN, "only some layers have a sliding window: the context is limited to %d",
              window);
}

static bool layer_types_window(const Fields *f, const json_t *types, int window, ArchShape *out)
{
    int sliding = 0;

    if (!json_is_array(types) || json_array_size(types) != (size_t)out->layers)
        return error_set(f->err, ERR_FORMAT, _("%s: layer_types should name every layer"),
                         f->source);
    for (int i = 0; i < out->layers; i++) {
        const char *type = json_string_value(json_array_get(types, (size_t)i));
        if (!type ||
            (strcmp(type, "full_attention") != 0 && strcmp(type, "sliding_attention") != 0))
            return error_set(f->err, ERR_UNSUPPORTED, _("%s: layer type \"%s\" is not supported"),
                             f->source, type ? type : "");
        sliding += type[0] == 's';
    }
    if (sliding == out->layers)
        out->window = window;
    else if (sliding > 0)
        mixed_window(out, window);
    return true;
}

static bool read_window(const Fields *f, ArchShape *out)
{
    const Arch *arch = out->arch;
    const json_t *types = json_object_get(f->object, "layer_types");
    const json_t *stated = json_object_get(f->object, "sliding_window");
    bool on = arch->window == WINDOW_STATED;
    int window = arch->defaults.window, full_layers = 28;

    out->window = 0;
    if (arch->window == WINDOW_NEVER || (stated && json_is_null(stated)))
        return true;
    if (!field_int(f, "sliding_window", (IntRange){ 1, CONTEXT_MAX }, &window) ||
        !field_bool(f, "use_sliding_window", &on) ||
        !field_int(f, "max_window_layers", (IntRange){ 0, CONTEXT_MAX }, &full_layers))
        return false;
    if (!on)
        return true;
    if (types && !json_is_null(types))
        return layer_types_window(f, types, window, out);
    if (arch->window == WINDOW_STATED || full_layers == 0)
        out->window = window;
    else if (full_layers < out->layers)
        mixed_window(out, window);
    return true;
}

/* ---- shapes ---- */

static bool check_shape(const Fields *f, const ArchShape *s)
{
    if (s->heads % s->kv_heads != 0)
        return error_set(f->err, ERR_FORMAT,
                         _("%s: %d attention heads do not share %d key-value heads evenly"),
                         f->source, s->heads, s->kv_heads);
    if (s->head_dim < 2 || s->head_dim > HEAD_DIM_MAX || s->head_dim % 2 != 0)
        return error_set(f->err, ERR_FORMAT, _("%s: a head of %d dimensions is impossible"),
                         f->source, s->head_dim);
    return true;
}

static bool read_rope(const Fields *f, int max_positions, ArchShape *out)
{
    RopeBase base = { .head_dim = out->head_dim,
                      .max_positions = max_positions,
                      .theta = out->arch->defaults.theta };

    if (!rope_read(f, &base, &out->rope))
        return false;
    out->max_context = out->rope.max_context;
    return true;
}

static bool check_activation(const Fields *f)
{
    Str act = STR("silu");

    if (!field_string(f, "hidden_act", &act))
        return false;
    if (str_eq_c(act, "silu") || str_eq_c(act, "swish"))
        return true;
    return error_set(f->err, ERR_UNSUPPORTED,
                     _("%s: hidden_act \"%.*s\" is not supported; supported is silu"), f->source,
                     (int)(act.len < 40 ? act.len : 40), act.data);
}

/* Divides only where that gives a whole number of dimensions a head. */
static bool default_head_dim(const Fields *f, ArchShape *s)
{
    if (s->head_dim != 0)
        return true;
    s->head_dim = s->hidden / s->heads;
    if (s->hidden % s->heads != 0)
        return error_set(f->err, ERR_FORMAT, _("%s: hidden size %d is not a multiple of %d heads"),
                         f->source, s->hidden, s->heads);
    return true;
}

static bool read_config(const ModelFile *file, ArchShape *out, Error *err)
{
    const Fields f = { .source = "config.json", .object = modelfile_config(file), .err = err };
    const IntRange width = { 1, WIDTH_MAX }, heads = { 1, HEADS_MAX };
    const Arch *arch = family_of_config(file, err);
    int max_positions;

    if (!arch)
        return false;
    *out = (ArchShape){ .arch = arch,
                        .layers = arch->defaults.layers,
                        .hidden = arch->defaults.hidden,
                        .heads = arch->defaults.heads,
                        .head_dim = arch->defaults.head_dim,
                        .intermediate = arch->defaults.intermediate,
                        .vocab = arch->defaults.vocab,
                        .eps = arch->defaults.eps };
    max_positions = arch->defaults.max_positions;
    if (!field_int(&f, "num_hidden_layers", (IntRange){ 1, LAYERS_MAX }, &out->layers) ||
        !field_int(&f, "hidden_size", width, &out->hidden) ||
        !field_int(&f, "num_attention_heads", heads, &out->heads))
        return false;
    /* null means that every head has its own, also where leaving the key out does not. */
    out->kv_heads = arch->defaults.kv_heads && !json_object_get(f.object, "num_key_value_heads")
                        ? arch->defaults.kv_heads
                        : out->heads;
    return field_int(&f, "num_key_value_heads", heads, &out->kv_heads) &&
           field_int(&f, "head_dim", (IntRange){ 2, HEAD_DIM_MAX }, &out->head_dim) &&
           default_head_dim(&f, out) &&
           field_int(&f, "intermediate_size", width, &out->intermediate) &&
           field_int(&f, "vocab_size", (IntRange){ 1, VOCAB_MAX }, &out->vocab) &&
           field_int(&f, "max_position_embeddings", (IntRange){ 1, CONTEXT_MAX }, &max_positions) &&
           field_real(&f, "rms_norm_eps", (RealRange){ 1e-12, 1 }, &out->eps) &&
           field_bool(&f, "tie_word_embeddings", &out->tied) && check_activation(&f) &&
           check_shape(&f, out) && read_rope(&f, max_positions, out) && read_window(&f, out);
}

static bool need(const Fields *f, const char *key)
{
    return field_has(f, key) ||
           error_set(f->err, ERR_FORMAT, _("%s: %s.%s is missing"), f->source, f->prefix, key);
}

/* One file for many families: llama covers mixtures of experts as well. */
static bool check_experts(const Fields *f)
{
    int experts = 0;

    if (!field_int(f, "expert_count", (IntRange){ 0, CONTEXT_MAX }, &experts))
        return false;
    return experts == 0 || error_set(f->err, ERR_UNSUPPORTED,
                                     _("%s: mixtures of experts are not supported"), f->source);
}

static bool read_gguf(const ModelFile *file, ArchShape *out, Error *err)
{
    const Arch *arch = family_of_gguf(file, err);
    const IntRange width = { 1, WIDTH_MAX }, heads = { 1, HEADS_MAX };
    int max_positions, value_dim;
    Fields f = { .source = modelfile_path(file), .file = file, .err = err };

    if (!arch)
        return false;
    f.prefix = arch->gguf;
    *out = (ArchShape){ .arch = arch, .eps = arch->defaults.eps };
    max_positions = arch->defaults.max_positions;
    if (!need(&f, "block_count") || !need(&f, "embedding_length") ||
        !need(&f, "attention.head_count") || !need(&f, "feed_forward_length") ||
        !need(&f, "attention.layer_norm_rms_epsilon") || !check_experts(&f) ||
        !field_int(&f, "block_count", (IntRange){ 1, LAYERS_MAX }, &out->layers) ||
        !field_int(&f, "embedding_length", width, &out->hidden) ||
        !field_int(&f, "attention.head_count", heads, &out->heads))
        return false;
    out->kv_heads = out->heads;
    if (!field_int(&f, "attention.head_count_kv", heads, &out->kv_heads) ||
        !field_int(&f, "attention.key_length", (IntRange){ 2, HEAD_DIM_MAX }, &out->head_dim) ||
        !default_head_dim(&f, out))
        return false;
    value_dim = out->head_dim;
    if (!field_int(&f, "attention.value_length", (IntRange){ 2, HEAD_DIM_MAX }, &value_dim))
        return false;
    if (value_dim != out->head_dim)
        return error_set(err, ERR_UNSUPPORTED,
                         _("%s: keys and values of different length are not supported"), f.source);
    return field_int(&f, "feed_forward_length", width, &out->intermediate) &&
           field_int(&f, "vocab_size", (IntRange){ 1, VOCAB_MAX }, &out->vocab) &&
           field_int(&f, "context_length", (IntRange){ 1, CONTEXT_MAX }, &max_positions) &&
           field_real(&f, "attention.layer_norm_rms_epsilon", (RealRange){ 1e-12, 1 }, &out->eps) &&
           (arch->window == WINDOW_SWITCHED ||
            field_int(&f, "attention.sliding_window", (IntRange){ 0, CONTEXT_MAX },
                      &out->window)) &&
           check_shape(&f, out) && read_rope(&f, max_positions, out);
}

bool arch_read(const ModelFile *file, ArchShape *out, Error *err)
{
    *out = (ArchShape){ 0 };
    if (modelfile_container(file) == CONTAINER_GGUF ? read_gguf(file, out, err)
        : modelfile_config(file)
            ? read_config(file, out, err)
            : error_set(err, ERR_NOT_FOUND, _("%s: no config.json"), modelfile_path(file)))
        return true;
    arch_shape_release(out);
    return false;
}

void arch_shape_release(ArchShape *shape)
{
    rope_release(&shape->rope);
}
