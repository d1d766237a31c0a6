/* What stands beside a tokenizer in a model's directory: tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json and the chat template's own files.  As Hugging Face
 * transformers, tokenization_utils_base.py. */
#include "config.h"

#include "engine/tokenizer_parts.h"
#include "src/base/i18n.h"
#include "src/base/log.h"

#define MAX_FILE ((size_t)16 << 20)

/* A small JSON file of the directory, or NULL when it is absent; *ok is false when it is broken. */
static json_t *load_json(const ModelFile *file, const char *name, bool *ok, Error *err)
{
    Buf text = BUF_INIT;
    json_error_t where;
    *ok = true;
    if (!modelfile_has(file, name))
        return NULL;
    *ok = modelfile_read(file, name, MAX_FILE, &text, err);
    json_t *root =
        *ok ? json_loadb(text.data ? text.data : "", text.len, JSON_ALLOW_NUL, &where) : NULL;
    buf_release(&text);
    if (*ok && !root)
        *ok = error_set(err, ERR_FORMAT, _("%s/%s: not valid JSON: line %d: %s"),
                        modelfile_path(file), name, where.line, where.text);
    return root;
}

/* A token is a string, or an object with its content. */
static Str token_text(const json_t *value)
{
    return json_is_object(value) ? json_str(json_object_get(value, "content")) : json_str(value);
}

static bool flag(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* ---- added tokens ---- */

/* The content's flags replace those of a token that came from tokenizer.model, which has none. */
static void update_flags(Tokenizer *t, const AddedToken *token)
{
    AddedToken *known = added_find(&t->added, vocab_find(&t->vocab, token->content));
    if (!known || (known->normalized && !known->special))
        return;
    known->lstrip = token->lstrip;
    known->rstrip = token->rstrip;
    known->single_word = token->single_word;
}

static bool add_one(Tokenizer *t, Str content, int64_t id, const json_t *flags, Error *err)
{
    if (!content.len)
        return true;
    if (id < 0 || id >= VOCAB_MAX_IDS)
        return error_set(err, ERR_FORMAT, _("added token \"%.80s\" has id %lld, outside 0 to %d"),
                         content.data, (long long)id, VOCAB_MAX_IDS - 1);
    if (vocab_find(&t->vocab, content) < 0 && vocab_has(&t->vocab, id)) {
        log_write(LOG_WARN, "added token %.80s: id %lld has another spelling; left out",
                  content.data, (long long)id);
        return true;
    }
    AddedToken token = {
        .content = content,
        .id = (int32_t)id,
        .special = flag(flags, "special"),
        .normalized = flag(flags, "normalized") && !t->spells_literally,
        .single_word = flag(flags, "single_word"),
        .lstrip = flag(flags, "lstrip"),
        .rstrip = flag(flags, "rstrip"),
    };
    if (t->spells_literally && flags)
        update_flags(t, &token);
    return tokenizer_add_token(t, token, err);
}

/* "added_tokens_decoder": { "ID": { "content": …, flags } } */
static bool add_decoder_list(Tokenizer *t, const json_t *config, Error *err)
{
    json_t *list = json_object_get(config, "added_tokens_decoder");
    for (void *at = json_object_iter(list); at; at = json_object_iter_next(list, at)) {
        long long id;
        const json_t *entry = json_object_iter_value(at);
        if (!str_to_long(str_from(json_object_iter_key(at)), &id))
            return error_set(err, ERR_FORMAT, _("added_tokens_decoder: \"%.40s\" is not an id"),
                             json_object_iter_key(at));
        if (!add_one(t, token_text(entry), id, entry, err))
            return false;
    }
    return true;
}

/* added_tokens.json: { "content": id } */
static bool add_file_list(Tokenizer *t, const ModelFile *file, Error *err)
{
    bool ok;
    json_t *list = load_json(file, "added_tokens.json", &ok, err);
    for (void *at = json_object_iter(list); ok && at; at = json_object_iter_next(list, at)) {
        const json_t *id = json_object_iter_value(at);
        if (json_is_integer(id))
            ok = add_one(t, str_from(json_object_iter_key(at)), json_integer_value(id), NULL, err);
    }
    json_decref(list);
    return ok;
}

/* ---- bos, eos, unk and the other control tokens ---- */

/* Makes sure that a token named as special is looked for. */
static bool name_special(Tokenizer *t, const json_t *value, Error *err)
{
    Str text = token_text(value);
    int32_t id = vocab_find(&t->vocab, text);
    if (id < 0)
        return true;
    AddedToken *known = added_find(&t->added, id);
    if (known)
        return true;
    AddedToken token = { .content = text, .id = id, .special = true };
    token.lstrip = json_is_object(value) && flag(value, "lstrip");
    token.rstrip = json_is_object(value) && flag(value, "rstrip");
    return tokenizer_add_token(t, token, err);
}

static bool name_specials(Tokenizer *t, const json_t *config, Error *err)
{
    static const char *const names[] = { "bos_token", "eos_token", "unk_token", "pad_token",
                                         "sep_token", "cls_token", "mask_token" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!name_special(t, json_object_get(config, names[i]), err))
            return false;
    const json_t *more = json_object_get(config, "additional_special_tokens");
    for (size_t i = 0; i < json_array_size(more); i++)
        if (!name_special(t, json_array_get(more, i), err))
            return false;
    return true;
}

/* The id that the first file which has the key gives it: null there means none. */
static void set_id(const Tokenizer *t, const char *key, const json_t *config, const json_t *map,
                   int32_t *id)
{
    const json_t *value = json_object_get(config, key);
    if (!value)
        value = json_object_get(map, key);
    if (!value)
        return;
    Str text = token_text(value);
    if (json_is_null(value))
        *id = -1;
    else if (text.len && vocab_find(&t->vocab, text) >= 0)
        *id = vocab_find(&t->vocab, text);
}

/* config.json's number, where nothing else says. */
static void set_id_from_model(const Tokenizer *t, const ModelFile *file, const char *key,
                              int32_t *id)
{
    const json_t *value = json_object_get(modelfile_config(file), key);
    if (json_is_array(value))
        value = json_array_get(value, 0);
    if (*id < 0 && json_is_integer(value) && vocab_has(&t->vocab, json_integer_value(value)))
        *id = (int32_t)json_integer_value(value);
}

/* ---- chat template ---- */

static void read_template(Tokenizer *t, const json_t *value)
{
    if (json_is_string(value)) {
        buf_append_str(&t->chat_template, json_str(value));
        return;
    }
    const json_t *chosen = json_array_get(value, 0);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (str_eq_c(json_str(json_object_get(json_array_get(value, i), "name")), "default"))
            chosen = json_array_get(value, i);
    buf_append_str(&t->chat_template, json_str(json_object_get(chosen, "template")));
}

static bool find_template(Tokenizer *t, const ModelFile *file, const json_t *config, Error *err)
{
    bool ok;
    if (modelfile_has(file, "chat_template.jinja"))
        return modelfile_read(file, "chat_template.jinja", MAX_FILE, &t->chat_template, err);
    json_t *alone = load_json(file, "chat_template.json", &ok, err);
    if (alone)
        read_template(t, json_object_get(alone, "chat_template"));
    json_decref(alone);
    if (ok && t->chat_template.len == 0)
        read_template(t, json_object_get(config, "chat_template"));
    return ok;
}

/* ---- the whole ---- */

/* An end token by its usual names, where no file says. */
static void guess_eos(Tokenizer *t)
{
    static const char *const names[] = { "</s>", "<|endoftext|>", "<|end_of_text|>", "<|im_end|>",
                                         "<|eot_id|>" };
    for (size_t i = 0; i < ARRAY_LEN(names) && t->eos < 0; i++) {
        int32_t id = vocab_find(&t->vocab, str_from(names[i]));
        if (tokenizer_is_special(t, id))
            t->eos = id;
    }
}

/* Said outright, or by the class: transformers' Llama classes add BOS whatever tokenizer.json says.
 */
static void set_adds_bos(Tokenizer *t, const json_t *config)
{
    static const char *const classes[] = { "LlamaTokenizer",     "LlamaTokenizerFast",
                                           "CodeLlamaTokenizer", "CodeLlamaTokenizerFast",
                                           "GemmaTokenizer",     "GemmaTokenizerFast" };
    const json_t *adds = json_object_get(config, "add_bos_token");
    if (json_is_boolean(adds)) {
        t->adds_bos = json_is_true(adds);
        return;
    }
    Str class = json_str(json_object_get(config, "tokenizer_class"));
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (str_eq_c(class, classes[i]))
            t->adds_bos = true;
}

static void set_ids(Tokenizer *t, const ModelFile *file, const json_t *config, const json_t *map)
{
    bool told_bos = json_object_get(config, "bos_token") || json_object_get(map, "bos_token");
    bool told_eos = json_object_get(config, "eos_token") || json_object_get(map, "eos_token");
    set_id(t, "bos_token", config, map, &t->bos);
    set_id(t, "eos_token", config, map, &t->eos);
    set_id(t, "unk_token", config, map, &t->unk);
    if (!told_bos)
        set_id_from_model(t, file, "bos_token_id", &t->bos);
    if (!told_eos) {
        set_id_from_model(t, file, "eos_token_id", &t->eos);
        guess_eos(t);
    }
}

bool tokenizer_apply_config(Tokenizer *t, const ModelFile *file, bool from_json, Error *err)
{
    const json_t *config = modelfile_tokenizer_config(file);
    bool ok;
    json_t *map = load_json(file, "special_tokens_map.json", &ok, err);
    ok = ok && add_decoder_list(t, config, err) && (from_json || add_file_list(t, file, err)) &&
         name_specials(t, config, err) && name_specials(t, map, err) &&
         find_template(t, file, config, err);
    if (ok) {
        set_ids(t, file, config, map);
        set_adds_bos(t, config);
    }
    json_decref(map);
    return ok;
}
