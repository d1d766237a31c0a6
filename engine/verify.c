/* Looks a model over without loading its weights: files, tokenizer, shapes.  Goes on after a fault
 * where that can still tell something, so that one look shows all that is wrong. */
#include "config.h"

#include "engine/engine.h"

#include "engine/model.h"
#include "engine/modelfile.h"
#include "engine/tokenizer.h"
#include "src/base/i18n.h"

static void report_files(const ModelFile *file, Buf *report)
{
    for (size_t i = 0; i < modelfile_n_files(file); i++) {
        WeightFile part = modelfile_file_at(file, i);
        buf_printf(report,
                   P_("%s: %llu bytes, %zu tensor", "%s: %llu bytes, %zu tensors", part.n_tensors),
                   part.name, (unsigned long long)part.bytes, part.n_tensors);
        buf_putc(report, '\n');
    }
}

/* Files that a model can do without, but whose absence shows. */
static void report_absent(const ModelFile *file, Buf *report)
{
    if (modelfile_container(file) == CONTAINER_GGUF)
        return;
    if (!modelfile_generation_config(file)) {
        buf_puts(report, _("generation_config.json: missing; kaiwa's own sampling settings apply"));
        buf_putc(report, '\n');
    }
    if (!modelfile_tokenizer_config(file)) {
        buf_puts(report,
                 _("tokenizer_config.json: missing; control tokens and chat format are guessed"));
        buf_putc(report, '\n');
    }
}

static bool report_tokenizer(const ModelFile *file, Buf *report, int *n_tokens, Error *err)
{
    Tokenizer *tokenizer = tokenizer_open(file, err);

    *n_tokens = 0;
    if (!tokenizer) {
        buf_printf(report, _("tokenizer: %s"), err->text);
        buf_putc(report, '\n');
        return false;
    }
    *n_tokens = tokenizer_size(tokenizer);
    buf_printf(report, P_("tokenizer: %s, %d token", "tokenizer: %s, %d tokens", *n_tokens),
               tokenizer_kind(tokenizer), *n_tokens);
    buf_puts(report, tokenizer_chat_template(tokenizer).len ? "\n" : _(", no chat template"));
    if (!tokenizer_chat_template(tokenizer).len)
        buf_putc(report, '\n');
    tokenizer_close(tokenizer);
    return true;
}

static void report_quantisation(const ModelTraits *t, Buf *report)
{
    buf_printf(report, _("weights: %s, %d bits"), t->quant, t->bits);
    if (t->group_size == -1)
        buf_puts(report, _(", one group a column"));
    else if (t->group_size > 0)
        buf_printf(report, _(", groups of %d"), t->group_size);
    if (t->act_order)
        buf_puts(report, _(", act-order"));
    if (t->has_bias)
        buf_puts(report, _(", with biases"));
    if (t->tied)
        buf_puts(report, _(", embedding and head shared"));
    buf_putc(report, '\n');
}

static bool report_model(const ModelFile *file, int n_tokens, Buf *report, Error *err)
{
    Model *model = model_bind(file, n_tokens, true, err);
    const ModelShape *s;

    if (!model) {
        buf_printf(report, _("weights: %s"), err->text);
        buf_putc(report, '\n');
        return false;
    }
    s = model_shape(model);
    buf_printf(
        report,
        _("shape: %s, %d layers of %d, %d heads (%d for keys and values) of %d, feed-forward %d, "
          "vocabulary %d, context %d"),
        model_traits(model)->family, s->n_layers, s->hidden, s->n_heads, s->n_kv_heads, s->head_dim,
        s->intermediate, s->n_vocab, s->max_context);
    buf_putc(report, '\n');
    report_quantisation(model_traits(model), report);
    if (n_tokens > s->n_vocab) {
        buf_printf(report,
                   P_("tokenizer: %d token has no row in the embedding",
                      "tokenizer: %d tokens have no row in the embedding", n_tokens - s->n_vocab),
                   n_tokens - s->n_vocab);
        buf_putc(report, '\n');
    }
    model_free(model);
    return true;
}

bool engine_verify(const char *path, Buf *report, Error *err)
{
    ModelFile *file = modelfile_open(path, true, err);
    Error second = ERROR_INIT;
    int n_tokens;
    bool tokenizer, model;

    if (!file)
        return false;
    report_files(file, report);
    tokenizer = report_tokenizer(file, report, &n_tokens, err);
    model = report_model(file, n_tokens, report, tokenizer ? err : &second);
    report_absent(file, report);
    modelfile_close(file);
    return tokenizer && model;
}
