/* Binds the tensors of a file to the weights of a model: finds each by its family's name, checks
 * type and shape against the configuration, and describes it for a backend.  Nothing is converted
 * and no weight is read, but for biases (an all-zero one is dropped) and what quant.c checks. */
#include "config.h"

#include "engine/model.h"

#include <stdlib.h>

#include "engine/arch.h"
#include "engine/quant.h"
#include "src/base/i18n.h"
#include "src/base/log.h"
#include "src/base/mem.h"
#include "src/base/path.h"

struct Model {
    ArchShape read;
    ModelShape shape;
    ModelWeights weights;
    LayerWeights *layers; /* NULL without weights */
    ModelTraits traits;
    char **names; /* of the linears, in the file */
    size_t n_names, cap_names;
};

typedef struct {
    Model *model;
    const ModelFile *file;
    QuantSpec quant;
    int by_type[DTYPE_COUNT]; /* dense linears of each type, the head left out */
    int packed;
    Error *err;
} Binding;

/* ---- single tensors ---- */

static const char *keep_name(Model *model, const char *name)
{
    model->names =
        mem_grow(model->names, &model->cap_names, model->n_names + 1, sizeof *model->names);
    model->names[model->n_names] = xstrdup(name);
    return model->names[model->n_names++];
}

static bool missing(const Binding *b, const char *name)
{
    return error_set(b->err, ERR_NOT_FOUND, _("%s: tensor %s is missing"), modelfile_path(b->file),
                     name);
}

static bool unsupported_type(const Binding *b, const FileTensor *tensor)
{
    return error_set(b->err, ERR_UNSUPPORTED,
                     modelfile_container(b->file) == CONTAINER_GGUF
                         ? _("%s: tensor %.*s is %s, which is not supported; take a file in Q4_0, "
                             "Q4_1, Q8_0, F16, "
                             "BF16 or F32")
                         : _("%s: tensor %.*s is %s, which is not supported; supported are F16, "
                             "BF16, F32 and 4-bit "
                             "GPTQ or AWQ"),
                     path_base(modelfile_path(b->file)), (int)tensor->name.len, tensor->name.data,
                     tensor->dtype);
}

static bool is_float(int type)
{
    return type == DTYPE_F32 || type == DTYPE_F16 || type == DTYPE_BF16;
}

static bool is_weight(int type)
{
    return is_float(type) || type == DTYPE_Q4_0 || type == DTYPE_Q4_1 || type == DTYPE_Q8_0;
}

/* A vector of n values: a norm or a bias. */
static bool bind_vector(const Binding *b, const FileTensor *tensor, int64_t n, Tensor *out)
{
    if (tensor->n_dims != 1 || tensor->dims[0] != n)
        return error_set(b->err, ERR_FORMAT, _("%s: tensor %.*s should have %lld values"),
                         modelfile_path(b->file), (int)tensor->name.len, tensor->name.data,
                         (long long)n);
    if (!is_float(tensor->kernel_dtype))
        return unsupported_type(b, tensor);
    *out = (Tensor){
        .dtype = (DType)tensor->kernel_dtype, .rows = 1, .cols = n, .data = tensor->data
    };
    return true;
}

static bool bind_norm(const Binding *b, WeightName which, int layer, int64_t n, Tensor *out)
{
    const FileTensor *tensor;
    Buf name = BUF_INIT;
    bool ok;

    arch_tensor_name(which, modelfile_container(b->file), layer, &name);
    buf_puts(&name, ".weight");
    tensor = modelfile_find(b->file, buf_cstr(&name));
    ok = tensor ? bind_vector(b, tensor, n, out) : missing(b, buf_cstr(&name));
    buf_release(&name);
    return ok;
}

static bool bind_matrix(const Binding *b, const FileTensor *tensor, int64_t rows, int64_t cols,
                        Tensor *out)
{
    if (tensor->n_dims != 2 || tensor->dims[0] != rows || tensor->dims[1] != cols)
        return error_set(b->err, ERR_FORMAT,
                         _("%s: the shape of tensor %.*s is %lld x %lld; it should be %lld x %lld"),
                         modelfile_path(b->file), (int)tensor->name.len, tensor->name.data,
                         (long long)(tensor->n_dims > 0 ? tensor->dims[0] : 1),
                         (long long)(tensor->n_dims > 1 ? tensor->dims[1] : 1), (long long)rows,
                         (long long)cols);
    if (!is_weight(tensor->kernel_dtype))
        return unsupported_type(b, tensor);
    *out = (Tensor){
        .dtype = (DType)tensor->kernel_dtype, .rows = rows, .cols = cols, .data = tensor->data
    };
    return true;
}

/* ---- linears ---- */

static bool all_zero(const Tensor *bias)
{
    const DTypeInfo *info = dtype_info(bias->dtype);
    const char *bytes = bias->data;

    for (int64_t i = 0; i < bias->cols; i++) {
        float value;
        info->to_float(bytes + i * info->block_bytes, &value, 1);
        if (value != 0)
            return false;
    }
    return true;
}

/* Biases are used wherever a file has them, whatever the config says: AutoGPTQ up to 0.5 wrote one
 * for every linear. */
static bool bind_bias(Binding *b, Buf *name, size_t prefix, Linear *linear)
{
    const FileTensor *tensor;

    buf_truncate(name, prefix);
    buf_puts(name, ".bias");
    tensor = modelfile_find(b->file, buf_cstr(name));
    if (!tensor)
        return true;
    if (!bind_vector(b, tensor, linear->n_out, &linear->bias))
        return false;
    if (all_zero(&linear->bias))
        linear->bias = (Tensor){ 0 };
    else
        b->model->traits.has_bias = true;
    return true;
}

/* Packed or dense, whichever the file has.  linear has n_out and n_in. */
static bool bind_linear(Binding *b, WeightName which, int layer, Linear *linear)
{
    const FileTensor *dense;
    Buf name = BUF_INIT;
    size_t prefix;
    bool ok;

    arch_tensor_name(which, modelfile_container(b->file), layer, &name);
    prefix = name.len;
    buf_puts(&name, ".weight");
    dense = modelfile_find(b->file, buf_cstr(&name));
    if (dense) {
        ok = bind_matrix(b, dense, linear->n_out, linear->n_in, &linear->dense);
        if (ok && which != W_HEAD)
            b->by_type[linear->dense.dtype]++;
    } else {
        buf_truncate(&name, prefix);
        buf_puts(&name, ".qweight");
        ok = modelfile_find(b->file, buf_cstr(&name)) || b->quant.packing != PACK_NONE;
        buf_truncate(&name, prefix);
        if (ok) {
            ok = quant_describe(b->file, &b->quant, buf_cstr(&name), linear, b->err);
            buf_puts(&name, ".qweight");
        } else {
            buf_puts(&name, ".weight");
            ok = missing(b, buf_cstr(&name));
        }
        b->packed++;
    }
    linear->name = keep_name(b->model, buf_cstr(&name));
    if (linear->quant.g_idx)
        b->model->traits.act_order = true;
    ok = ok && bind_bias(b, &name, prefix, linear);
    buf_release(&name);
    return ok;
}

static bool bind_layer(Binding *b, int layer, LayerWeights *w)
{
    const ModelShape *s = &b->model->shape;
    int64_t q = (int64_t)s->n_heads * s->head_dim, kv = (int64_t)s->n_kv_heads * s->head_dim;

    w->q = (Linear){ .n_out = q, .n_in = s->hidden };
    w->k = w->v = (Linear){ .n_out = kv, .n_in = s->hidden };
    w->o = (Linear){ .n_out = s->hidden, .n_in = q };
    w->gate = w->up = (Linear){ .n_out = s->intermediate, .n_in = s->hidden };
    w->down = (Linear){ .n_out = s->hidden, .n_in = s->intermediate };
    if (!bind_norm(b, W_ATTN_NORM, layer, s->hidden, &w->attn_norm) ||
        !bind_linear(b, W_Q, layer, &w->q) || !bind_linear(b, W_K, layer, &w->k) ||
        !bind_linear(b, W_V, layer, &w->v) || !bind_linear(b, W_O, layer, &w->o) ||
        !bind_norm(b, W_FFN_NORM, layer, s->hidden, &w->ffn_norm) ||
        !bind_linear(b, W_GATE, layer, &w->gate) || !bind_linear(b, W_UP, layer, &w->up) ||
        !bind_linear(b, W_DOWN, layer, &w->down))
        return false;
    if (s->has_qk_norm && (!bind_norm(b, W_Q_NORM, layer, s->head_dim, &w->q_norm) ||
                           !bind_norm(b, W_K_NORM, layer, s->head_dim, &w->k_norm)))
        return false;
    return true;
}

/* Qwen2 without its biases would run and talk nonsense. */
static bool check_biases(const Binding *b)
{
    static const WeightName needed[] = { W_Q, W_K, W_V };
    Buf name = BUF_INIT;
    bool ok = true;

    for (size_t i = 0; ok && b->model->read.arch->needs_qkv_bias && i < ARRAY_LEN(needed); i++) {
        buf_reset(&name);
        arch_tensor_name(needed[i], modelfile_container(b->file), 0, &name);
        buf_puts(&name, ".bias");
        ok = modelfile_find(b->file, buf_cstr(&name)) || missing(b, buf_cstr(&name));
    }
    buf_release(&name);
    return ok;
}

/* ---- the model ---- */

static const FileTensor *find_plain(const Binding *b, WeightName which)
{
    const FileTensor *tensor;
    Buf name = BUF_INIT;

    arch_tensor_name(which, modelfile_container(b->file), 0, &name);
    buf_puts(&name, ".weight");
    tensor = modelfile_find(b->file, buf_cstr(&name));
    buf_release(&name);
    return tensor;
}

/* A tied model's head is its embedding, also where the file holds a lm_head.weight.  A GGUF file is
 * tied when it has no output.weight. */
static bool bind_ends(Binding *b)
{
    Model *m = b->model;
    const FileTensor *embedding = find_plain(b, W_EMBEDDING);
    bool gguf = modelfile_container(b->file) == CONTAINER_GGUF;
    Buf name = BUF_INIT;
    bool ok;

    if (gguf)
        m->traits.tied = !find_plain(b, W_HEAD);
    if (!embedding && m->traits.tied)
        embedding = find_plain(b, W_HEAD);
    arch_tensor_name(W_EMBEDDING, modelfile_container(b->file), 0, &name);
    buf_puts(&name, ".weight");
    ok = embedding
             ? bind_matrix(b, embedding, m->shape.n_vocab, m->shape.hidden, &m->weights.embedding)
             : missing(b, buf_cstr(&name));
    m->weights.head = (Linear){ .n_out = m->shape.n_vocab, .n_in = m->shape.hidden };
    if (ok && m->traits.tied) {
        m->weights.head.dense = m->weights.embedding;
        m->weights.head.name = keep_name(m, buf_cstr(&name));
    } else if (ok) {
        ok = bind_linear(b, W_HEAD, 0, &m->weights.head);
    }
    buf_release(&name);
    return ok && bind_norm(b, W_OUTPUT_NORM, 0, m->shape.hidden, &m->weights.output_norm);
}

static bool bind_weights(Binding *b)
{
    Model *m = b->model;
    int n = m->shape.n_layers;

    /* Fewer tensors than layers: a config that promises 1024 layers costs nothing. */
    if ((size_t)n > modelfile_n_tensors(b->file))
        return error_set(b->err, ERR_FORMAT, _("%s: %d layers, but only %zu tensors"),
                         modelfile_path(b->file), n, modelfile_n_tensors(b->file));
    m->layers = xcalloc((size_t)n, sizeof *m->layers);
    m->weights.layers = m->layers;
    if (!check_biases(b) || !bind_ends(b))
        return false;
    for (int i = 0; i < n; i++)
        if (!bind_layer(b, i, &m->layers[i]))
            return false;
    return true;
}

/* The rows of the embedding, where the metadata does not state the size of the vocabulary or states
 * another one (added tokens): the tensor is what will be used. */
static int gguf_vocab(const Binding *b)
{
    const FileTensor *embedding = find_plain(b, W_EMBEDDING);
    Meta tokens;

    if (embedding && embedding->n_dims == 2 && embedding->dims[0] <= INT32_MAX)
        return (int)embedding->dims[0];
    if (b->model->read.vocab == 0 && modelfile_meta(b->file, "tokenizer.ggml.tokens", &tokens) &&
        tokens.count <= INT32_MAX)
        return (int)tokens.count;
    return b->model->read.vocab;
}

static void set_shape(Binding *b, int n_tokens)
{
    const ArchShape *read = &b->model->read;
    bool gguf = modelfile_container(b->file) == CONTAINER_GGUF;
    ModelShape *s = &b->model->shape;

    *s = (ModelShape){
        .n_layers = read->layers,
        .hidden = read->hidden,
        .n_heads = read->heads,
        .n_kv_heads = read->kv_heads,
        .head_dim = read->head_dim,
        .intermediate = read->intermediate,
        .n_vocab = gguf ? gguf_vocab(b) : read->vocab,
        .max_context = read->max_context,
        .rms_eps = (float)read->eps,
        .rope_pairing = gguf ? read->arch->gguf_pairing : ROPE_HALF,
        .rope_dims = read->rope.dims,
        .rope_inv_freq = read->rope.inv_freq,
        .rope_scale = read->rope.scale,
        .sliding_window = read->window,
        .has_qk_norm = read->arch->has_qk_norm,
    };
    s->n_tokens = n_tokens > 0 && n_tokens < s->n_vocab ? n_tokens : s->n_vocab;
    if (n_tokens > s->n_vocab)
        log_write(LOG_WARN,
                  "%s: the tokenizer has %d tokens, the embedding %d rows: the rest cannot be used",
                  modelfile_path(b->file), n_tokens, s->n_vocab);
}

/* What most linears are; ties go to the smaller type. */
static void set_dense_traits(const Binding *b, ModelTraits *t)
{
    static const struct {
        DType type;
        int bits;
    } rows[] = { { DTYPE_Q4_0, 4 }, { DTYPE_Q4_1, 4 },  { DTYPE_Q8_0, 8 },
                 { DTYPE_F16, 16 }, { DTYPE_BF16, 16 }, { DTYPE_F32, 32 } };
    size_t best = ARRAY_LEN(rows);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (b->by_type[rows[i].type] > (best < ARRAY_LEN(rows) ? b->by_type[rows[best].type] : 0))
            best = i;
    t->quant = "none";
    if (best == ARRAY_LEN(rows))
        return;
    t->bits = rows[best].bits;
    t->symmetric = rows[best].type == DTYPE_Q4_0 || rows[best].type == DTYPE_Q8_0;
    if (rows[best].bits <= 8) {
        t->quant = dtype_info(rows[best].type)->name;
        t->group_size = dtype_info(rows[best].type)->block;
    }
}

static void set_traits(const Binding *b)
{
    ModelTraits *t = &b->model->traits;
    const LayerWeights *first = b->model->layers;

    t->family = b->model->read.arch->name;
    t->zero_rule = "";
    t->rope_theta = b->model->read.rope.theta;
    t->rope_scaling = b->model->read.rope.type;
    if (b->quant.packing == PACK_NONE || (first && b->packed == 0)) {
        set_dense_traits(b, t);
        return;
    }
    t->quant = b->quant.packing == PACK_GPTQ ? "gptq" : "awq";
    t->bits = 4;
    t->symmetric = b->quant.symmetric;
    if (b->quant.packing == PACK_GPTQ)
        t->zero_rule = b->quant.zero_rule == ZERO_STORED_PLUS_ONE ? "v1" : "v2";
    t->group_size = b->quant.group_size;
    if (t->group_size == 0 && first)
        t->group_size = first->q.quant.n_groups == 1 ? -1 : first->q.quant.group_size;
}

Model *model_bind(const ModelFile *file, int n_tokens, bool with_weights, Error *err)
{
    Model *model = xcalloc(1, sizeof *model);
    Binding b = { .model = model, .file = file, .err = err };

    if (!arch_read(file, &model->read, err) || !quant_spec_read(file, &b.quant, err)) {
        model_free(model);
        return NULL;
    }
    model->traits.tied = model->read.tied;
    set_shape(&b, n_tokens);
    if (model->shape.n_vocab < 1) {
        error_set(err, ERR_FORMAT, _("%s: the size of the vocabulary is not stated"),
                  modelfile_path(file));
        model_free(model);
        return NULL;
    }
    if (with_weights && !bind_weights(&b)) {
        model_free(model);
        return NULL;
    }
    set_traits(&b);
    return model;
}

void model_free(Model *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->n_names; i++)
        free(model->names[i]);
    free(model->names);
    free(model->layers);
    arch_shape_release(&model->read);
    free(model);
}

const ModelShape *model_shape(const Model *model)
{
    return &model->shape;
}

const ModelWeights *model_weights(const Model *model)
{
    return model->layers ? &model->weights : NULL;
}

const ModelTraits *model_traits(const Model *model)
{
    return &model->traits;
}
