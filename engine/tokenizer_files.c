/* Byte-level BPE from plain files: vocab.json or encoder.json (token to id), merges.txt or
 * vocab.bpe (a pair a line).  They do not say how to split; tokenizer_config.json's class or the
 * vocabulary's size does. */
#include "config.h"

#include <string.h>

#include "engine/tokenizer_parts.h"
#include "src/base/i18n.h"
#include "src/base/log.h"

#define MAX_FILE ((size_t)256 << 20)

static const char *find_file(const ModelFile *file, const char *one, const char *other)
{
    return modelfile_has(file, one) ? one : modelfile_has(file, other) ? other : NULL;
}

static const char *vocab_name(const ModelFile *file)
{
    return find_file(file, "vocab.json", "encoder.json");
}

static const char *merges_name(const ModelFile *file)
{
    return find_file(file, "merges.txt", "vocab.bpe");
}

bool tokenizer_has_files(const ModelFile *file)
{
    return vocab_name(file) && merges_name(file);
}

static bool read_object(Tokenizer *t, json_t *object, Error *err)
{
    if (!json_is_object(object) || json_object_size(object) == 0)
        return error_set(err, ERR_FORMAT, _("it is not an object with tokens"));
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        Str piece = str_of(json_object_iter_key(at), json_object_iter_key_len(at));
        const json_t *id = json_object_iter_value(at);
        if (!json_is_integer(id))
            return error_set(err, ERR_FORMAT, _("the id of token \"%.80s\" is not a whole number"),
                             piece.data);
        if (!vocab_add(&t->vocab, piece, json_integer_value(id), PIECE_NORMAL, 0, err))
            return false;
    }
    return true;
}

static bool read_vocab(Tokenizer *t, const ModelFile *file, const char *name, Error *err)
{
    Buf text = BUF_INIT;
    json_error_t where;
    if (!modelfile_read(file, name, MAX_FILE, &text, err))
        return false;
    json_t *root = json_loadb(text.data ? text.data : "", text.len, JSON_REJECT_DUPLICATES, &where);
    buf_release(&text);
    bool ok =
        root ? read_object(t, root, err)
             : error_set(err, ERR_FORMAT, _("not valid JSON: line %d: %s"), where.line, where.text);
    json_decref(root);
    return ok || error_note(err, "%s/%s", modelfile_path(file), name);
}

static bool read_merges(Tokenizer *t, const ModelFile *file, const char *name, Error *err)
{
    Buf text = BUF_INIT;
    size_t skipped = 0;
    uint32_t rank = 0;
    if (!modelfile_read(file, name, MAX_FILE, &text, err))
        return false;
    Str rest = buf_str(&text), line;
    bpe_reserve(&t->bpe, text.len / 12); /* most lines are longer */
    while (str_line(&rest, &line)) {
        ptrdiff_t space = line.len > 1 ? str_find(str_from_offset(line, 1), STR(" ")) : -1;
        if (line.len == 0 || str_starts(line, STR("#version")))
            continue;
        Str left = str_sub(line, 0, (size_t)(space + 1)),
            right = str_from_offset(line, (size_t)(space + 2));
        if (space < 0 || !bpe_add_merge_text(&t->bpe, left, right, rank++))
            skipped++;
    }
    buf_release(&text);
    if (skipped)
        log_write(LOG_WARN, "%s: %zu lines are no merges of known pieces", name, skipped);
    return t->bpe.n_merges > 0 || error_set(err, ERR_FORMAT, _("%s/%s: there are no merges in it"),
                                            modelfile_path(file), name);
}

static const SplitKind *choose_kind(const Tokenizer *t, const ModelFile *file)
{
    static const struct {
        const char *class, *kind;
    } classes[] = { { "Qwen2Tokenizer", "qwen2" }, { "Qwen2TokenizerFast", "qwen2" } };
    Str class = json_str(json_object_get(modelfile_tokenizer_config(file), "tokenizer_class"));
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (str_eq_c(class, classes[i].class))
            return split_kind_named(str_from(classes[i].kind));
    return split_kind_guess(&t->vocab);
}

bool tokenizer_load_files(Tokenizer *t, const ModelFile *file, Error *err)
{
    if (!read_vocab(t, file, vocab_name(file), err) ||
        !read_merges(t, file, merges_name(file), err))
        return false;
    const SplitKind *kind = choose_kind(t, file);
    log_write(LOG_INFO, "%s: plain vocabulary and merges; splitting as \"%s\"",
              modelfile_path(file), kind->name);
    if (!byte_level_setup(t, kind, err))
        return false;
    t->adds_bos = kind->adds_bos;
    if (t->vocab.n == 128000 && strcmp(kind->kind, "bpe-llama3") == 0)
        return add_llama3_tokens(t, err);
    int32_t end = vocab_find(&t->vocab, STR("<|endoftext|>"));
    if (end < 0)
        return true;
    t->bos = t->eos = t->unk = end;
    return tokenizer_add_token(
        t, (AddedToken){ .content = STR("<|endoftext|>"), .id = end, .special = true }, err);
}
