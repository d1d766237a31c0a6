/* GGUF: the keys tokenizer.ggml.* and tokenizer.chat_template.  "llama" is SentencePiece's BPE
 * by scores, "gpt2" byte-level BPE.  Llama files made from a tokenizer.json alone have the same
 * score everywhere; their merges count if there are any. */
#include "config.h"

#include <string.h>

#include "engine/tokenizer_parts.h"
#include "src/base/i18n.h"
#include "src/base/log.h"

#define KEY(name) "tokenizer.ggml." name

typedef struct {
    Meta tokens, scores, types, merges;
    bool has_scores, has_types, has_merges;
} Lists;

static bool get_list(const ModelFile *file, const char *key, MetaType element, Meta *out, bool *has,
                     Error *err)
{
    *has = modelfile_meta(file, key, out);
    if (*has && (out->type != META_ARRAY || (out->element != element && out->count > 0)))
        return error_set(err, ERR_FORMAT, _("%s is not a list of the right type"), key);
    return true;
}

static bool get_lists(const ModelFile *file, Lists *lists, Error *err)
{
    bool has_tokens;
    if (!get_list(file, KEY("tokens"), META_STRING, &lists->tokens, &has_tokens, err) ||
        !get_list(file, KEY("scores"), META_FLOAT, &lists->scores, &lists->has_scores, err) ||
        !get_list(file, KEY("token_type"), META_INT, &lists->types, &lists->has_types, err) ||
        !get_list(file, KEY("merges"), META_STRING, &lists->merges, &lists->has_merges, err))
        return false;
    if (!has_tokens || lists->tokens.count == 0)
        return error_set(err, ERR_FORMAT, _("there are no tokens in it (%s)"), KEY("tokens"));
    if (lists->tokens.count > VOCAB_MAX_IDS)
        return error_set(err, ERR_FORMAT, _("%s has too many entries"), KEY("tokens"));
    if (lists->has_scores && lists->scores.count != lists->tokens.count)
        return error_set(err, ERR_FORMAT, _("%s and %s differ in length"), KEY("scores"),
                         KEY("tokens"));
    if (lists->has_types && lists->types.count != lists->tokens.count)
        return error_set(err, ERR_FORMAT, _("%s and %s differ in length"), KEY("token_type"),
                         KEY("tokens"));
    return true;
}

static bool read_tokens(Tokenizer *t, const Lists *lists, Error *err)
{
    for (uint64_t i = 0; i < lists->tokens.count; i++) {
        Meta token, score = { .real = 0 }, type = { .integer = PIECE_NORMAL };
        modelfile_meta_at(&lists->tokens, i, &token);
        if (lists->has_scores)
            modelfile_meta_at(&lists->scores, i, &score);
        if (lists->has_types)
            modelfile_meta_at(&lists->types, i, &type);
        if (type.integer < 0 || type.integer > PIECE_BYTE || score.real != score.real)
            return error_set(err, ERR_FORMAT,
                             _("token %llu has an unknown type or no number as its score"),
                             (unsigned long long)i);
        PieceType kind = type.integer == 0 ? PIECE_NORMAL : (PieceType)type.integer;
        if (!vocab_add_again(&t->vocab, token.string, (int64_t)i, kind, (float)score.real, err))
            return false;
    }
    return true;
}

static bool read_merges(Tokenizer *t, const Meta *merges)
{
    uint64_t skipped = 0;
    bpe_reserve(&t->bpe, merges->count);
    for (uint64_t i = 0; i < merges->count && i < UINT32_MAX; i++) {
        Meta merge;
        modelfile_meta_at(merges, i, &merge);
        ptrdiff_t space =
            merge.string.len > 1 ? str_find(str_from_offset(merge.string, 1), STR(" ")) : -1;
        if (space < 0 ||
            !bpe_add_merge_text(&t->bpe, str_sub(merge.string, 0, (size_t)space + 1),
                                str_from_offset(merge.string, (size_t)space + 2), (uint32_t)i))
            skipped++;
    }
    if (skipped)
        log_write(LOG_WARN, "GGUF: %llu merges name pieces that are not in the vocabulary",
                  (unsigned long long)skipped);
    return t->bpe.n_merges > 0;
}

/* An optional token id; absent and 0xFFFFFFFF: `otherwise`. */
static bool read_id(const Tokenizer *t, const ModelFile *file, const char *key, int32_t otherwise,
                    int32_t *out, Error *err)
{
    Meta meta;
    *out = vocab_has(&t->vocab, otherwise) ? otherwise : -1;
    if (!modelfile_meta(file, key, &meta))
        return true;
    if (meta.type != META_INT)
        return error_set(err, ERR_FORMAT, _("%s is not a whole number"), key);
    if (meta.integer == UINT32_MAX || meta.integer == -1)
        *out = -1;
    else if (!vocab_has(&t->vocab, meta.integer))
        return error_set(err, ERR_FORMAT, _("%s: token %lld is not in the vocabulary"), key,
                         (long long)meta.integer);
    else
        *out = (int32_t)meta.integer;
    return true;
}

static bool read_bool(const ModelFile *file, const char *key, bool otherwise)
{
    Meta meta;
    return modelfile_meta(file, key, &meta) && meta.type == META_BOOL ? meta.boolean : otherwise;
}

/* llama.cpp looks for control, unknown and user-defined tokens in the raw text. */
static void add_tokens(Tokenizer *t)
{
    for (int32_t id = 0; id < t->vocab.n; id++) {
        unsigned char type = t->vocab.types[id];
        bool wanted = type == PIECE_CONTROL || type == PIECE_UNKNOWN || type == PIECE_USER;
        Str piece = t->vocab.pieces[id];
        if (wanted && piece.len <= ADDED_MAX_LEN && vocab_find(&t->vocab, piece) == id)
            added_push(&t->added, (AddedToken){ .content = t->vocab.pieces[id],
                                                .id = id,
                                                .special = type != PIECE_USER });
    }
}

/* ---- SentencePiece ---- */

static bool scores_are_equal(const Vocab *vocab)
{
    float first = 0;
    int seen = 0;
    for (int32_t id = 0; id < vocab->n; id++) {
        if (vocab->types[id] != PIECE_NORMAL)
            continue;
        if (seen++ == 0)
            first = vocab->scores[id];
        else if (vocab->scores[id] != first)
            return false;
    }
    return true;
}

static bool load_llama(Tokenizer *t, const ModelFile *file, const Lists *lists, Error *err)
{
    if (!read_id(t, file, KEY("bos_token_id"), 1, &t->bos, err) ||
        !read_id(t, file, KEY("eos_token_id"), 2, &t->eos, err) ||
        !read_id(t, file, KEY("unknown_token_id"), 0, &t->unk, err))
        return false;
    t->bpe.by_score = true;
    t->bpe.byte_fallback = t->bpe.fuse_unknown = true;
    t->bpe.unknown = t->unk;
    if (scores_are_equal(&t->vocab)) {
        if (lists->has_merges && read_merges(t, &lists->merges)) {
            t->bpe.by_score = false;
        } else {
            log_write(LOG_WARN, "GGUF: all tokens have the same score and there are no merges; "
                                "lower ids merge first");
            for (int32_t id = 0; id < t->vocab.n; id++)
                t->vocab.scores[id] = -(float)id;
        }
    }
    t->adds_bos = read_bool(file, KEY("add_bos_token"), true);
    add_tokens(t);
    spm_setup(t, read_bool(file, KEY("add_space_prefix"), true) ? PREFIX_EACH : PREFIX_NEVER,
              read_bool(file, KEY("remove_extra_whitespaces"), false));
    return true;
}

/* ---- byte-level BPE ---- */

static const SplitKind *choose_kind(const Tokenizer *t, const ModelFile *file, Error *err)
{
    Meta pre;
    bool named = modelfile_meta(file, KEY("pre"), &pre) && pre.type == META_STRING;
    if (!named || str_eq_c(pre.string, "default") || pre.string.len == 0) {
        const SplitKind *guess = split_kind_guess(&t->vocab);
        log_write(LOG_WARN, "GGUF: no tokenizer.ggml.pre; taking \"%s\" by the vocabulary",
                  guess->name);
        return guess;
    }
    const SplitKind *kind = split_kind_named(pre.string);
    if (!kind)
        error_set(err, ERR_UNSUPPORTED, _("%s \"%.*s\" is not supported"), KEY("pre"),
                  (int)(pre.string.len > 60 ? 60 : pre.string.len), pre.string.data);
    return kind;
}

static bool load_gpt2(Tokenizer *t, const ModelFile *file, const Lists *lists, Error *err)
{
    const SplitKind *kind = choose_kind(t, file, err);
    if (!kind || !byte_level_setup(t, kind, err))
        return false;
    if (!lists->has_merges || !read_merges(t, &lists->merges))
        return error_set(err, ERR_FORMAT, _("there are no merges in it (%s)"), KEY("merges"));
    if (!read_id(t, file, KEY("bos_token_id"), -1, &t->bos, err) ||
        !read_id(t, file, KEY("eos_token_id"), -1, &t->eos, err) ||
        !read_id(t, file, KEY("unknown_token_id"), -1, &t->unk, err))
        return false;
    t->adds_bos = read_bool(file, KEY("add_bos_token"), kind->adds_bos);
    add_tokens(t);
    if (read_bool(file, KEY("add_space_prefix"), false)) {
        normal_steps_push(&t->normal, NORMAL_PREPEND_FIRST, STR(" "));
        decode_steps_push(&t->decode, DECODE_STRIP, NULL, " ")->start = 1;
    }
    return true;
}

bool tokenizer_load_gguf(Tokenizer *t, const ModelFile *file, Error *err)
{
    Lists lists;
    Meta meta;
    bool ok = modelfile_meta(file, KEY("model"), &meta) && meta.type == META_STRING;
    if (!ok)
        error_set(err, ERR_FORMAT, _("there is no tokenizer in it (%s)"), KEY("model"));
    ok = ok && get_lists(file, &lists, err) && read_tokens(t, &lists, err);
    if (ok && str_eq_c(meta.string, "llama"))
        ok = load_llama(t, file, &lists, err);
    else if (ok && str_eq_c(meta.string, "gpt2"))
        ok = load_gpt2(t, file, &lists, err);
    else if (ok)
        ok = error_set(err, ERR_UNSUPPORTED,
                       _("tokenizer model \"%.*s\" is not supported; kaiwa reads llama and gpt2"),
                       (int)(meta.string.len > 60 ? 60 : meta.string.len),
                       meta.string.data ? meta.string.data : "");
    if (!ok)
        return error_note(err, "%s", modelfile_path(file));
    if (modelfile_meta(file, "tokenizer.chat_template", &meta) && meta.type == META_STRING)
        buf_append_str(&t->chat_template, meta.string);
    return true;
}
