/* `kaiwa inspect`: what a model is made of, for people or as JSON.  One table for both. */
#include "config.h"

#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/text.h"
#include "src/cmd.h"
#include "src/start.h"

enum { LABEL_COLS = 26 };

typedef enum { FIELD_TEXT, FIELD_INT, FIELD_BOOL, FIELD_REAL, FIELD_BYTES } FieldType;

typedef struct {
    const char *key;   /* in JSON */
    const char *label; /* N_() */
    FieldType type;
    size_t offset; /* into ModelInfo */
} Field;

#define FIELD(member, label, type)                                                                 \
    {                                                                                              \
#member, label, type, offsetof(ModelInfo, member)                                          \
    }

static const Field fields[] = {
    FIELD(family, N_("family"), FIELD_TEXT),
    FIELD(container, N_("container"), FIELD_TEXT),
    FIELD(weights_file, N_("weights"), FIELD_TEXT),
    FIELD(quant, N_("quantisation"), FIELD_TEXT),
    FIELD(bits, N_("bits"), FIELD_INT),
    FIELD(group_size, N_("group size"), FIELD_INT),
    FIELD(act_order, N_("act-order"), FIELD_BOOL),
    FIELD(symmetric, N_("symmetric"), FIELD_BOOL),
    FIELD(zero_rule, N_("zero points"), FIELD_TEXT),
    FIELD(has_bias, N_("biases"), FIELD_BOOL),
    FIELD(tied, N_("tied embeddings"), FIELD_BOOL),
    FIELD(n_layers, N_("layers"), FIELD_INT),
    FIELD(hidden, N_("hidden size"), FIELD_INT),
    FIELD(n_heads, N_("heads"), FIELD_INT),
    FIELD(n_kv_heads, N_("key/value heads"), FIELD_INT),
    FIELD(head_dim, N_("head size"), FIELD_INT),
    FIELD(intermediate, N_("feed-forward size"), FIELD_INT),
    FIELD(n_vocab, N_("vocabulary"), FIELD_INT),
    FIELD(max_context, N_("longest context"), FIELD_INT),
    FIELD(rope_theta, N_("RoPE base"), FIELD_REAL),
    FIELD(rope_scaling, N_("RoPE scaling"), FIELD_TEXT),
    FIELD(tokenizer, N_("tokenizer"), FIELD_TEXT),
    FIELD(n_tokens, N_("tokens"), FIELD_INT),
    FIELD(bos_id, N_("BOS id"), FIELD_INT),
    FIELD(adds_bos, N_("BOS before plain text"), FIELD_BOOL),
    FIELD(tokenizer_key, N_("tokenizer key"), FIELD_TEXT),
    FIELD(chat_format, N_("chat format"), FIELD_TEXT),
    FIELD(chat_format_why, N_("because"), FIELD_TEXT),
    FIELD(file_bytes, N_("file size"), FIELD_BYTES),
    FIELD(memory_bytes, N_("memory needed"), FIELD_BYTES),
};

static json_t *json_of(const ModelInfo *info, const Field *field)
{
    const char *at = (const char *)info + field->offset;

    switch (field->type) {
    case FIELD_INT:
        return json_integer(*(const int *)(const void *)at);
    case FIELD_BOOL:
        return json_boolean(*(const bool *)(const void *)at);
    case FIELD_REAL:
        return json_real(*(const double *)(const void *)at);
    case FIELD_BYTES:
        return json_integer((json_int_t) * (const uint64_t *)(const void *)at);
    case FIELD_TEXT:
        break;
    }
    at = *(const char *const *)(const void *)at;
    return json_string(at ? at : "");
}

static void print_json(const ModelInfo *info, const char *path)
{
    json_t *object = json_pack("{s:s}", "path", path);
    char *text;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        json_object_set_new(object, fields[i].key, json_of(info, &fields[i]));
    text = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    printf("%s\n", text ? text : "{}");
    free(text);
    json_decref(object);
}

static void print_row(const char *label, const Buf *value)
{
    printf("%s", label);
    for (int cols = text_cols(str_from(label)); cols < LABEL_COLS; cols++)
        putchar(' ');
    printf("%s\n", buf_cstr(value));
}

static void print_field(const ModelInfo *info, const Field *field)
{
    json_t *value = json_of(info, field);
    Buf text = BUF_INIT;

    if (field->type == FIELD_BOOL)
        buf_puts(&text, json_is_true(value) ? _("yes") : _("no"));
    else if (field->type == FIELD_INT)
        buf_printf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (field->type == FIELD_REAL)
        buf_printf(&text, "%g", json_real_value(value));
    else if (field->type == FIELD_BYTES)
        buf_printf(&text, _("%.1f MB"), (double)json_integer_value(value) / 1e6);
    else
        buf_puts(&text, *json_string_value(value) ? json_string_value(value) : "-");
    print_row(_(field->label), &text);
    buf_release(&text);
    json_decref(value);
}

static bool locate(const CommandContext *context, Buf *path, Error *err)
{
    return context->n_args ? engine_locate(context->args[0], path, err)
                           : start_locate_model(context->options, path, err);
}

int cmd_inspect(CommandContext *context)
{
    const char *format = options_string(context->options, "chat-format");
    EngineOptions wanted = { .chat_format = format && *format ? format : NULL,
                             .without_weights = true,
                             .describe = true };
    Buf path = BUF_INIT;
    Error err = ERROR_INIT;
    ModelInfo info;
    Engine *engine = NULL;

    if (locate(context, &path, &err)) {
        wanted.model = buf_cstr(&path);
        engine = engine_open(&wanted, NULL, &err);
    }
    if (engine) {
        engine_info(engine, &info);
        if (options_flag(context->options, "json"))
            print_json(&info, buf_cstr(&path));
        else
            for (size_t i = 0; i < ARRAY_LEN(fields); i++)
                print_field(&info, &fields[i]);
    }
    engine_close(engine);
    buf_release(&path);
    return engine ? EXIT_OK : command_fail(&err);
}
