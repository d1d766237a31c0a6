/* tokenizer.json: vocabulary, merges, added tokens, and what the post-processor says of BOS.
 * The pipeline's parts are read in tokenizer_pipeline.c. */
#include "config.h"

#include <string.h>

#include "engine/tokenizer_parts.h"
#include "src/base/i18n.h"
#include "src/base/log.h"

#define MAX_JSON ((size_t)512 << 20)

static bool flag(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* ---- model ---- */

static bool read_vocab(Tokenizer *t, const json_t *vocab, Error *err)
{
    if (!json_is_object(vocab) || json_object_size(vocab) == 0)
        return error_set(err, ERR_FORMAT, _("model.vocab is not an object with tokens"));
    json_t *object = (json_t *)(uintptr_t)vocab; /* iterating changes nothing */
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        Str piece = str_of(json_object_iter_key(at), json_object_iter_key_len(at));
        const json_t *id = json_object_iter_value(at);
        if (!json_is_integer(id))
            return error_set(err, ERR_FORMAT,
                             _("model.vocab: the id of token \"%.80s\" is not a whole number"),
                             piece.data);
        if (!vocab_add(&t->vocab, piece, json_integer_value(id), PIECE_NORMAL, 0, err))
            return error_note(err, "model.vocab");
    }
    return true;
}

/* "a b", cut at the first space from the second byte on, or ["a", "b"]. */
static bool read_merge(const json_t *merge, Str *left, Str *right)
{
    if (json_is_array(merge)) {
        *left = json_str(json_array_get(merge, 0));
        *right = json_str(json_array_get(merge, 1));
        return json_array_size(merge) == 2 && left->data && right->data;
    }
    Str s = json_str(merge);
    ptrdiff_t space = s.len > 1 ? str_find(str_from_offset(s, 1), STR(" ")) : -1;
    if (space < 0)
        return false;
    *left = str_sub(s, 0, (size_t)space + 1);
    *right = str_from_offset(s, (size_t)space + 2);
    return true;
}

static bool read_merges(Tokenizer *t, const json_t *merges, Error *err)
{
    size_t n = json_array_size(merges), skipped = 0;
    if (!json_is_array(merges) || n > UINT32_MAX)
        return error_set(err, ERR_FORMAT, _("model.merges is not a list"));
    bpe_reserve(&t->bpe, n);
    for (size_t i = 0; i < n; i++) {
        Str left, right;
        if (!read_merge(json_array_get(merges, i), &left, &right))
            return error_set(err, ERR_FORMAT, _("model.merges: entry %zu is not a pair"), i);
        skipped += !bpe_add_merge_text(&t->bpe, left, right, (uint32_t)i);
    }
    if (skipped)
        log_write(LOG_WARN, "tokenizer.json: %zu merges name pieces that are not in the vocabulary",
                  skipped);
    return true;
}

static bool read_model(Tokenizer *t, const json_t *model, Error *err)
{
    Str type = json_str(json_object_get(model, "type"));
    if (!json_is_object(model))
        return error_set(err, ERR_FORMAT, _("there is no model in it"));
    bool untyped = !type.data && json_object_get(model, "merges");
    if (!untyped && !str_eq_c(type, "BPE"))
        return error_set(err, ERR_UNSUPPORTED,
                         _("tokenizer model \"%.40s\" is not supported; kaiwa reads BPE"),
                         type.data ? type.data : "?");
    static const char *const affixes[] = { "continuing_subword_prefix", "end_of_word_suffix" };
    for (size_t i = 0; i < ARRAY_LEN(affixes); i++)
        if (json_str(json_object_get(model, affixes[i])).len)
            return error_set(err, ERR_UNSUPPORTED, _("BPE with %s is not supported"), affixes[i]);
    t->bpe.byte_fallback = flag(model, "byte_fallback");
    t->bpe.fuse_unknown = flag(model, "fuse_unk");
    t->bpe.ignore_merges = flag(model, "ignore_merges");
    if (!read_vocab(t, json_object_get(model, "vocab"), err) ||
        !read_merges(t, json_object_get(model, "merges"), err))
        return false;
    Str unknown = json_str(json_object_get(model, "unk_token"));
    if (unknown.data)
        t->bpe.unknown = t->unk = vocab_find(&t->vocab, unknown);
    return true;
}

/* ---- added tokens ---- */

static bool read_added(Tokenizer *t, const json_t *list, Error *err)
{
    size_t n = json_array_size(list);
    if (list && !json_is_array(list) && !json_is_null(list))
        return error_set(err, ERR_FORMAT, _("added_tokens is not a list"));
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(list, i), *id = json_object_get(entry, "id");
        Str content = json_str(json_object_get(entry, "content"));
        if (!content.data || !json_is_integer(id))
            return error_set(err, ERR_FORMAT, _("added_tokens: entry %zu has no content or no id"),
                             i);
        json_int_t number = json_integer_value(id);
        if (number < 0 || number >= VOCAB_MAX_IDS)
            return error_set(err, ERR_FORMAT,
                             _("added_tokens: entry %zu has id %lld, outside 0 to %d"), i,
                             (long long)number, VOCAB_MAX_IDS - 1);
        AddedToken token = {
            .content = content,
            .id = (int32_t)number,
            .special = flag(entry, "special"),
            .normalized = flag(entry, "normalized"),
            .single_word = flag(entry, "single_word"),
            .lstrip = flag(entry, "lstrip"),
            .rstrip = flag(entry, "rstrip"),
        };
        if (!tokenizer_add_token(t, token, err))
            return error_note(err, "added_tokens");
    }
    return true;
}

/* ---- post-processor ---- */

/* TemplateProcessing that puts a control token before the text: that token is BOS. */
static void read_template(Tokenizer *t, const json_t *processor)
{
    const json_t *first = json_array_get(json_object_get(processor, "single"), 0);
    Str name = json_str(json_object_get(json_object_get(first, "SpecialToken"), "id"));
    if (!name.data)
        return;
    const json_t *entry = json_object_get(json_object_get(processor, "special_tokens"), name.data);
    const json_t *id = json_array_get(json_object_get(entry, "ids"), 0);
    json_int_t number = json_is_integer(id) ? json_integer_value(id) : vocab_find(&t->vocab, name);
    if (!vocab_has(&t->vocab, number))
        return;
    t->bos = (int32_t)number;
    t->adds_bos = true;
}

static void read_post_processor(Tokenizer *t, const json_t *processor)
{
    Str type = json_str(json_object_get(processor, "type"));
    if (str_eq_c(type, "TemplateProcessing"))
        read_template(t, processor);
    const json_t *list =
        str_eq_c(type, "Sequence") ? json_object_get(processor, "processors") : NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (str_eq_c(json_str(json_object_get(one, "type")), "TemplateProcessing"))
            read_template(t, one);
    }
}

/* ---- the whole ---- */

static void name_kind(Tokenizer *t)
{
    const char *kind = t->bpe.byte_fallback ? "spm" : "bpe", *rule = NULL;
    bool digits = false, bytes = false;
    for (size_t i = 0; i < t->pre.n; i++) {
        const PreStep *step = &t->pre.items[i];
        bytes |= step->kind == PRE_BYTES;
        if (step->kind != PRE_SPLIT || rule)
            continue;
        if (step->pattern.rule && strcmp(step->pattern.rule->name, "digit") == 0)
            digits = true;
        else
            rule = step->pattern.rule ? step->pattern.rule->name : "regex";
    }
    Buf name = BUF_INIT;
    if (!bytes)
        buf_puts(&name, kind);
    else if (digits && rule && strcmp(rule, "gpt2") == 0)
        buf_puts(&name, "bpe-smollm");
    else
        buf_printf(&name, "bpe-%.*s", rule ? (int)strcspn(rule, "-") : 5, rule ? rule : "bytes");
    buf_truncate(&name, sizeof(t->kind) - 1);
    memcpy(t->kind, buf_cstr(&name), name.len + 1);
    buf_release(&name);
}

static bool read_all(Tokenizer *t, const json_t *root, Error *err)
{
    if (!json_is_object(root))
        return error_set(err, ERR_FORMAT, _("it is not a JSON object"));
    if (!read_model(t, json_object_get(root, "model"), err) ||
        !read_added(t, json_object_get(root, "added_tokens"), err))
        return false;
    read_post_processor(t, json_object_get(root, "post_processor"));
    if (!json_normalizer(t, json_object_get(root, "normalizer"), err) ||
        !json_pre_tokenizer(t, json_object_get(root, "pre_tokenizer"), err) ||
        !json_decoder(t, json_object_get(root, "decoder"), err))
        return false;
    name_kind(t);
    return true;
}

bool tokenizer_load_json(Tokenizer *t, const ModelFile *file, Error *err)
{
    Buf text = BUF_INIT;
    json_error_t where;
    if (!modelfile_read(file, "tokenizer.json", MAX_JSON, &text, err))
        return false;
    json_t *root = json_loadb(text.data ? text.data : "", text.len,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    buf_release(&text);
    bool ok =
        root ? read_all(t, root, err)
             : error_set(err, ERR_FORMAT, _("not valid JSON: line %d: %s"), where.line, where.text);
    json_decref(root);
    return ok || error_note(err, "%s/tokenizer.json", modelfile_path(file));
}
