/* quantize_config.json has the keys that AutoGPTQ has known since its early versions and no other:
 * those refuse what they do not know.  config.json says the same under quantization_config, with
 * the two keys by which transformers and others recognise it. */
#include "config.h"

#include "engine/quantize_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/path.h"

enum { FILE_MAX = 1 << 28 };

/* What goes along as it is, where it is there. */
static const char *const others[] = {
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "encoder.json",
    "merges.txt",
    "vocab.bpe",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "special_tokens_map.json",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "NOTICE",
    "USE_POLICY.md",
};

void quantize_base_name(const GptqSettings *settings, char *out, size_t size)
{
    snprintf(out, size, "gptq_model-%dbit-%dg", settings->bits, settings->group_size);
}

static json_t *describe(const GptqSettings *s)
{
    char name[48];

    quantize_base_name(s, name, sizeof name);
    return json_pack("{s:i, s:i, s:f, s:b, s:b, s:b, s:b, s:n, s:s}", "bits", s->bits, "group_size",
                     s->group_size, "damp_percent", s->damp, "desc_act", s->act_order,
                     "static_groups", 0, "sym", s->symmetric, "true_sequential", 1,
                     "model_name_or_path", "model_file_base_name", name);
}

static bool write_file(const char *dir, const char *name, Str bytes, Error *err)
{
    Buf path = BUF_INIT;
    bool ok;

    path_join(&path, dir, name);
    ok = path_write_file(buf_cstr(&path), bytes, err);
    buf_release(&path);
    return ok;
}

static bool write_json(const char *dir, const char *name, const json_t *json, Error *err)
{
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(16));
    Buf bytes = BUF_INIT;
    bool ok;

    if (!text)
        return error_set(err, ERR_MEMORY, _("out of memory: %s"), name);
    buf_puts(&bytes, text);
    buf_putc(&bytes, '\n');
    ok = write_file(dir, name, buf_str(&bytes), err);
    buf_release(&bytes);
    free(text);
    return ok;
}

/* The type under either of its names becomes that of the tensors that were not quantised. */
static void set_dtype(json_t *config)
{
    static const char *const keys[] = { "torch_dtype", "dtype" };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (json_object_get(config, keys[i]))
            json_object_set_new(config, keys[i], json_string("float16"));
}

static bool write_config(const ModelFile *file, const GptqSettings *settings, const char *dir,
                         Error *err)
{
    Buf text = BUF_INIT;
    json_error_t why;
    json_t *config, *quant;
    bool ok;

    if (!modelfile_read(file, "config.json", FILE_MAX, &text, err))
        return false;
    config = json_loadb(text.len ? text.data : "", text.len, 0, &why);
    if (!config) {
        /* Numbers that this reader cannot keep: the file goes along as it is. */
        ok = write_file(dir, "config.json", buf_str(&text), err);
        buf_release(&text);
        return ok;
    }
    quant = describe(settings);
    json_object_set_new(quant, "quant_method", json_string("gptq"));
    json_object_set_new(quant, "checkpoint_format", json_string("gptq"));
    json_object_set_new(config, "quantization_config", quant);
    set_dtype(config);
    ok = write_json(dir, "config.json", config, err);
    json_decref(config);
    buf_release(&text);
    return ok;
}

bool quantize_write_configs(const ModelFile *file, const GptqSettings *settings, const char *dir,
                            Error *err)
{
    json_t *quant = describe(settings);
    bool ok = write_json(dir, "quantize_config.json", quant, err) &&
              write_config(file, settings, dir, err);

    json_decref(quant);
    for (size_t i = 0; ok && i < ARRAY_LEN(others); i++) {
        Buf text = BUF_INIT;
        if (modelfile_has(file, others[i]))
            ok = modelfile_read(file, others[i], FILE_MAX, &text, err) &&
                 write_file(dir, others[i], buf_str(&text), err);
        buf_release(&text);
    }
    return ok;
}
