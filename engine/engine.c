/* Opening a model: file, tokenizer, shapes, chat format and backend become one object that never
 * changes after; and the short questions about it.  What was found wrong on the way is said
 * here, in a sentence. */
#include "config.h"

#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/engine_parts.h"
#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/log.h"
#include "src/base/mem.h"

/* ---- what backends say ---- */

/* Why a backend cannot be opened, in the user's language where it is one of these. */
static const char *translate_why(const char *why)
{
    static const char *const known[] = {
        N_("no NVIDIA driver"),
        N_("no NVIDIA GPU"),
        N_("another process has the card for itself"),
        N_("this build has no code for the card"),
        N_("the driver's parts are of different versions"),
        N_("the driver does not fit the card"),
        N_("the card is not ready"),
    };

    for (size_t i = 0; why && i < ARRAY_LEN(known); i++)
        if (strcmp(why, known[i]) == 0)
            return _(known[i]);
    return why ? why : _("no reason given");
}

/* ops may have nothing to say. */
static bool backend_error(const char *name, const KFault *fault, KStatus status, Error *err)
{
    static const KFault nothing = { .layer = -1 };
    const KFault *f = fault ? fault : &nothing;
    const char *device = f->device[0] ? f->device : name, *what = f->what;

    log_write(LOG_WARN, "%s: status %d, code %d, layer %d: %s", device, status, f->code, f->layer,
              what);
    switch (status) {
    case KS_CANCELLED:
        return error_set(err, ERR_CANCELLED, _("stopped"));
    case KS_MEMORY:
        return error_set(
            err, ERR_MEMORY,
            _("%s: out of memory (%s); close other programs, take a smaller --context or a "
              "smaller model"),
            device, what);
    case KS_UNSUPPORTED:
        return error_set(err, ERR_UNSUPPORTED,
                         _("%s: cannot run this model (%s); try another --backend"), device, what);
    case KS_CONTEXT:
        return error_set(err, ERR_CONTEXT, _("the context is full; take a larger --context"));
    case KS_NAN:
        return error_set(err, ERR_FORMAT,
                         _("%s: the numbers of layer %d are no longer finite (%s); the model file "
                           "may be damaged"),
                         device, f->layer, what);
    case KS_RANGE:
        return error_set(err, ERR_USAGE, _("%s: a value is out of range (%s)"), device, what);
    case KS_DEVICE:
    case KS_OK:
        break;
    }
    return error_set(err, ERR_DEVICE,
                     _("%s: the device failed (%s, code %d); start kaiwa again, or try "
                       "--backend cpu"),
                     device, what, f->code);
}

bool engine_fault(const Engine *engine, KStatus status, Error *err)
{
    return backend_error(engine->ops->name, engine->ops->fault(engine->backend), status, err);
}

/* ---- progress ---- */

void engine_report(void *arg, int done, int total)
{
    const Progress *progress = arg;
    if (progress && progress->report)
        progress->report(progress->arg, done, total);
}

/* The backend keeps bytes of its own: those of the mapped file need not stay in memory. */
static void drop_copied(void *arg, const void *data, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)data, to = from + bytes;
    (void)arg;
    from = (from + page - 1) / page * page;
    to = to / page * page;
    if (from < to && engine_mapped_file(data))
        madvise((void *)from, to - from, MADV_DONTNEED);
}

KCall engine_call(const Progress *progress)
{
    return (KCall){
        .cancel = progress ? progress->cancel : NULL,
        .progress = engine_report,
        .arg = (void *)progress,
        .copied = drop_copied,
    };
}

/* ---- ids that end a reply ---- */

static void add_end(Engine *engine, int64_t id)
{
    if (id < 0 || id >= tokenizer_size(engine->tokenizer) || engine_is_end(engine, (int32_t)id))
        return;
    tokens_push(&engine->end_ids, (int32_t)id);
}

static void add_ends_of(Engine *engine, const json_t *config)
{
    const json_t *eos = json_object_get(config, "eos_token_id");
    if (json_is_integer(eos))
        add_end(engine, json_integer_value(eos));
    for (size_t i = 0; i < json_array_size(eos); i++)
        if (json_is_integer(json_array_get(eos, i)))
            add_end(engine, json_integer_value(json_array_get(eos, i)));
}

/* The model's eos ids, bos (the seed model ends some replies with it), and the format's stop
 * tokens. */
static void collect_ends(Engine *engine)
{
    const ChatFormat *format = &engine->format;
    add_end(engine, tokenizer_eos(engine->tokenizer));
    add_ends_of(engine, modelfile_config(engine->file));
    add_ends_of(engine, modelfile_generation_config(engine->file));
    add_end(engine, tokenizer_bos(engine->tokenizer));
    for (size_t i = 0; i < ARRAY_LEN(format->row->stops) && format->row->stops[i]; i++)
        add_end(engine, tokenizer_find(engine->tokenizer, str_from(format->row->stops[i])));
}

bool engine_is_end(const Engine *engine, int32_t id)
{
    for (size_t i = 0; i < engine->end_ids.n; i++)
        if (engine->end_ids.ids[i] == id)
            return true;
    return false;
}

const int32_t *engine_end_ids(const Engine *engine, size_t *n)
{
    *n = engine->end_ids.n;
    return engine->end_ids.ids;
}

int32_t engine_bos(const Engine *engine)
{
    return tokenizer_adds_bos(engine->tokenizer) ? tokenizer_bos(engine->tokenizer) : -1;
}

/* ---- opening ---- */

/* A tokenizer alone, or a vocabulary in a GGUF without tensors, has no shape to bind. */
static bool bind_model(Engine *engine, const EngineOptions *options, Error *err)
{
    bool has_weights = modelfile_n_tensors(engine->file) > 0;
    Error ignored = ERROR_INIT;
    engine->model = model_bind(engine->file, tokenizer_size(engine->tokenizer),
                               !options->without_weights || (options->describe && has_weights),
                               has_weights || !options->without_weights ? err : &ignored);
    return engine->model || (options->without_weights && !has_weights);
}

static const char *family_of(const Engine *engine)
{
    const json_t *config = modelfile_config(engine->file);
    if (engine->model)
        return model_traits(engine->model)->family;
    return json_string_value(json_object_get(config, "model_type"));
}

static bool choose_format(Engine *engine, const EngineOptions *options, Error *err)
{
    FormatChoice choice = {
        .wanted = options->chat_format,
        .config = modelfile_config(engine->file),
        .family = family_of(engine),
        .tokenizer = engine->tokenizer,
    };
    if (choice.wanted && (!*choice.wanted || strcmp(choice.wanted, "auto") == 0))
        choice.wanted = NULL;
    return format_choose(&engine->format, &choice, err);
}

static bool is_auto(const char *name)
{
    return !name || !*name || strcmp(name, "auto") == 0;
}

static bool open_on(Engine *engine, const BackendOps *ops, const EngineOptions *options,
                    const Progress *progress, Error *err)
{
    BackendOptions wanted = {
        .threads = options->threads,
        .isa = is_auto(options->isa) ? NULL : options->isa,
        .decoder = is_auto(options->decoder) ? NULL : options->decoder,
        .memory_budget = options->memory_budget,
        .tap = options->tap,
    };
    const char *why = NULL;
    KStatus status = ops->open(&wanted, &engine->backend, &why);
    if (status != KS_OK) {
        engine->backend = NULL;
        return error_set(err, status == KS_MEMORY ? ERR_MEMORY : ERR_UNSUPPORTED,
                         _("%s: this backend cannot be used here: %s; try --backend auto"),
                         ops->name, translate_why(why));
    }
    KCall call = engine_call(progress);
    status = ops->load(engine->backend, model_shape(engine->model), model_weights(engine->model),
                       &call, &engine->loaded);
    if (status == KS_OK) {
        engine->ops = ops;
        ops->describe(engine->backend, engine->backend_text, sizeof engine->backend_text);
        return true;
    }
    backend_error(ops->name, ops->fault(engine->backend), status, err);
    ops->close(engine->backend);
    engine->backend = NULL;
    engine->loaded = NULL;
    return false;
}

/* The first of the table that works, as it stands there best first; the float64 reference only
 * by name. */
static bool open_any(Engine *engine, const EngineOptions *options, const Progress *progress,
                     Error *err)
{
    int n;
    const BackendOps *const *table = backend_table(&n);
    error_set(err, ERR_UNSUPPORTED, _("this build has no backend"));
    for (int i = 0; i < n; i++) {
        if (strcmp(table[i]->name, "reference") == 0)
            continue;
        if (open_on(engine, table[i], options, progress, err))
            return true;
        if (err->kind != ERR_UNSUPPORTED && err->kind != ERR_MEMORY && err->kind != ERR_DEVICE)
            return false;
        log_write(LOG_INFO, "backend %s: %s", table[i]->name, err->text);
        if (err->kind != ERR_UNSUPPORTED)
            snprintf(engine->passed_over, sizeof engine->passed_over, "%s", err->text);
    }
    return false;
}

static bool load(Engine *engine, const EngineOptions *options, const Progress *progress, Error *err)
{
    Error failed = ERROR_INIT; /* err stays untouched when a later backend works */
    const BackendOps *ops;
    if (is_auto(options->backend)) {
        if (open_any(engine, options, progress, &failed))
            return true;
        *err = failed;
        return false;
    }
    ops = backend_find(options->backend);
    if (!ops)
        return error_set(err, ERR_USAGE,
                         _("%s: this build has no such backend; --version names those it has"),
                         options->backend);
    return open_on(engine, ops, options, progress, err);
}

Engine *engine_open(const EngineOptions *options, const Progress *progress, Error *err)
{
    Engine *engine = xcalloc(1, sizeof *engine);
    engine->kv_budget = options->kv_budget;
    bool good =
        (engine->file = modelfile_open(options->model, !options->without_weights, err)) != NULL &&
        (engine->tokenizer = tokenizer_open(engine->file, err)) != NULL &&
        bind_model(engine, options, err) && choose_format(engine, options, err);
    if (good)
        collect_ends(engine);
    if (good && !options->without_weights)
        good = load(engine, options, progress, err);
    if (good)
        return engine;
    engine_close(engine);
    return NULL;
}

void engine_close(Engine *engine)
{
    if (!engine)
        return;
    if (engine->loaded)
        engine->ops->unload(engine->loaded);
    if (engine->backend)
        engine->ops->close(engine->backend);
    if (engine->model)
        model_free(engine->model);
    format_release(&engine->format);
    tokens_release(&engine->end_ids);
    tokenizer_close(engine->tokenizer);
    if (engine->file)
        modelfile_close(engine->file);
    free(engine);
}

/* ---- what is known of it ---- */

static void add_shape(const Engine *engine, ModelInfo *out)
{
    const ModelShape *shape = model_shape(engine->model);
    const ModelTraits *traits = model_traits(engine->model);
    out->family = traits->family;
    out->quant = traits->quant;
    out->bits = traits->bits;
    out->group_size = traits->group_size;
    out->act_order = traits->act_order;
    out->symmetric = traits->symmetric;
    out->has_bias = traits->has_bias;
    out->tied = traits->tied;
    out->zero_rule = traits->zero_rule;
    out->rope_theta = traits->rope_theta;
    out->rope_scaling = traits->rope_scaling;
    out->n_layers = shape->n_layers;
    out->hidden = shape->hidden;
    out->n_heads = shape->n_heads;
    out->n_kv_heads = shape->n_kv_heads;
    out->head_dim = shape->head_dim;
    out->intermediate = shape->intermediate;
    out->n_vocab = shape->n_vocab;
    out->max_context = shape->max_context;
}

/* Keys and values in 16 bits and the weights about as the file has them; a backend that is open
 * knows better. */
static uint64_t memory_of(const Engine *engine)
{
    const ModelShape *shape = model_shape(engine->model);
    int context = shape->max_context < 4096 ? shape->max_context : 4096;
    if (engine->loaded)
        return (uint64_t)engine->ops->weight_bytes(engine->loaded) +
               engine->ops->kv_bytes(engine->loaded, context);
    return modelfile_bytes(engine->file) + (uint64_t)shape->n_layers * 2 *
                                               (uint64_t)shape->n_kv_heads *
                                               (uint64_t)shape->head_dim * 2 * (uint64_t)context;
}

/* All weights but an embedding of which a token reads one row only. */
static uint64_t token_bytes_of(const Engine *engine)
{
    const ModelWeights *weights = model_weights(engine->model);
    uint64_t bytes = modelfile_bytes(engine->file), embedding;
    const DTypeInfo *type;

    if (!weights)
        return 0;
    type = dtype_info(weights->embedding.dtype);
    embedding = (uint64_t)(weights->embedding.rows * weights->embedding.cols / type->block) *
                (uint64_t)type->block_bytes;
    return model_traits(engine->model)->tied || embedding > bytes ? bytes : bytes - embedding;
}

void engine_info(const Engine *engine, ModelInfo *out)
{
    Container container = modelfile_container(engine->file);
    *out = (ModelInfo){
        .family = "",
        .container = container == CONTAINER_GGUF          ? "gguf"
                     : container == CONTAINER_SAFETENSORS ? "safetensors"
                                                          : "",
        .weights_file = modelfile_weights_name(engine->file),
        .quant = "",
        .zero_rule = "",
        .rope_scaling = "",
        .tokenizer = tokenizer_kind(engine->tokenizer),
        .n_tokens = tokenizer_size(engine->tokenizer),
        .bos_id = tokenizer_bos(engine->tokenizer),
        .adds_bos = tokenizer_adds_bos(engine->tokenizer),
        .chat_format = engine->format.row->name,
        .chat_format_why = engine->format.why,
        .file_bytes = modelfile_bytes(engine->file),
        .backend = engine->backend_text,
        .passed_over = engine->passed_over,
        .tokenizer_key = tokenizer_key(engine->tokenizer),
    };
    if (!engine->model)
        return;
    add_shape(engine, out);
    out->token_bytes = token_bytes_of(engine);
    out->memory_bytes = memory_of(engine);
}

static bool take_number(const json_t *config, const char *name, double *out)
{
    const json_t *value = json_object_get(config, name);
    if (!json_is_number(value) || json_number_value(value) < 0)
        return false;
    *out = json_number_value(value);
    return true;
}

/* As transformers reads generation_config.json: without do_sample a model answers greedily;
 * top_k is 50 unless given. */
bool engine_default_sampling(const Engine *engine, Sampling *inout)
{
    const json_t *config = modelfile_generation_config(engine->file);
    double number;
    if (!config || !json_object_get(config, "do_sample"))
        return false;
    if (!json_is_true(json_object_get(config, "do_sample"))) {
        inout->temperature = 0;
        return true;
    }
    inout->temperature = 1;
    inout->top_p = 1;
    inout->top_k = 50;
    take_number(config, "temperature", &inout->temperature);
    if (take_number(config, "top_p", &number) && number > 0 && number <= 1)
        inout->top_p = number;
    if (take_number(config, "top_k", &number) && number < 1e6)
        inout->top_k = (int)number;
    if (take_number(config, "min_p", &number) && number <= 1)
        inout->min_p = number;
    if (take_number(config, "repetition_penalty", &number) && number > 0)
        inout->repeat_penalty = number;
    return true;
}

void engine_describe_backends(Buf *out)
{
    int n;
    const BackendOps *const *table = backend_table(&n);
    for (int i = 0; i < n; i++) {
        BackendOptions options = { 0 };
        Backend *backend = NULL;
        const char *why = NULL;
        char text[128];
        if (strcmp(table[i]->name, "reference") == 0)
            continue;
        if (table[i]->open(&options, &backend, &why) != KS_OK) {
            buf_printf(out, "%s: %s\n", table[i]->name, why ? why : "cannot be used here");
            continue;
        }
        table[i]->describe(backend, text, sizeof text);
        table[i]->close(backend);
        buf_printf(out, "%s\n", text);
    }
}

/* ---- text and ids ---- */

bool engine_tokenize(const Engine *engine, Str text, bool special, Tokens *out, Error *err)
{
    TextSpan span = { text, special };
    return tokenizer_encode(engine->tokenizer, &span, 1, out, err);
}

bool engine_detokenize(const Engine *engine, const int32_t *ids, size_t n, bool skip_special,
                       Buf *out, Error *err)
{
    return tokenizer_decode(engine->tokenizer, ids, n, skip_special, out, err);
}

const ChatFormatName *engine_formats(size_t *n)
{
    static ChatFormatName names[16];
    const FormatRow *rows = format_rows(n);
    for (size_t i = 0; i < *n && i < ARRAY_LEN(names); i++)
        names[i] = (ChatFormatName)
        {
            rows[i].name, _(rows[i].summary)
        };
    return names;
}

/* Ids of a reply without the token that ended it; those of the vocabulary only. */
static bool take_ids(const Engine *engine, ChatMessage *message, Error *err)
{
    size_t n = message->ids ? message->n_ids : 0;
    if (!n) {
        message->ids = NULL;
        return true;
    }
    if (engine_is_end(engine, message->ids[n - 1]))
        n--;
    for (size_t i = 0; i < n; i++)
        if (message->ids[i] < 0 || message->ids[i] >= tokenizer_size(engine->tokenizer))
            return error_set(err, ERR_FORMAT,
                             _("a stored reply has token %d, which the model does not have"),
                             message->ids[i]);
    message->n_ids = n;
    return true;
}

bool engine_render(const Engine *engine, const ChatMessage *messages, size_t n, bool continue_last,
                   Tokens *out, Error *err)
{
    Rendering rendering = RENDERING_INIT;
    ChatMessage *copy = xcalloc(n + 1, sizeof *copy);
    bool good = true;
    for (size_t i = 0; good && i < n; i++) {
        copy[i] = messages[i];
        good = take_ids(engine, &copy[i], err);
    }
    if (good) {
        format_render(&engine->format, copy, n, continue_last, &rendering);
        good = rendering_encode(&rendering, engine->tokenizer, out, err);
    }
    rendering_release(&rendering);
    free(copy);
    return good;
}
