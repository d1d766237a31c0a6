/* The tokenizer as others see it: choosing the loader, the pipeline from text to ids and back,
 * and the questions that have short answers.
 *
 * Text goes through added tokens, normalizer, added tokens of the normal form, pre-tokenizer and
 * merging.  Input that is not valid UTF-8 counts as U+FFFD for each invalid piece. */
#include "config.h"

#include "engine/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "engine/tokenizer_parts.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/utf8.h"

#define MAX_TEXT ((size_t)1 << 28)

/* ---- opening ---- */

Str json_str(const json_t *value)
{
    return json_is_string(value) ? str_of(json_string_value(value), json_string_length(value))
                                 : STR_NULL;
}

bool tokenizer_add_token(Tokenizer *t, AddedToken token, Error *err)
{
    if (token.content.len == 0)
        return true;
    if (token.content.len > ADDED_MAX_LEN)
        return error_set(err, ERR_FORMAT, _("added token %d is longer than %d bytes"), token.id,
                         ADDED_MAX_LEN);
    int32_t id = vocab_find(&t->vocab, token.content);
    if (id < 0) {
        PieceType type = token.special ? PIECE_CONTROL : PIECE_USER;
        if (!vocab_add(&t->vocab, token.content, token.id, type, 0, err))
            return false;
        id = token.id;
    }
    if (added_find(&t->added, id))
        return true;
    token.id = id;
    token.content = vocab_piece(&t->vocab, id);
    if (t->vocab.types[id] != PIECE_UNKNOWN)
        t->vocab.types[id] = token.special ? PIECE_CONTROL : PIECE_USER;
    added_push(&t->added, token);
    return true;
}

/* Sets what token i is looked for as, and decodes to. */
static bool index_token(Tokenizer *t, size_t i, MarkedText *text, MarkedText *spare, Error *err)
{
    AddedToken *token = &t->added.items[i];
    token->shown = token->content;
    if (!token->normalized || t->spells_literally) {
        added_index(&t->added, i, token->content, 0);
        return true;
    }
    buf_reset(&text->bytes);
    buf_reset(&text->marks);
    buf_append_str(&text->bytes, token->content);
    buf_append_str(&text->marks, token->content);
    if (!normalize(&t->normal, true, text, spare, err))
        return false;
    token->shown = vocab_keep(&t->vocab, buf_str(&text->bytes));
    added_index(&t->added, i, token->shown, normal_prefix_len(&t->normal));
    return true;
}

/* Among equal spellings control tokens come first, as in Hugging Face's list. */
static bool index_added(Tokenizer *t, Error *err)
{
    MarkedText text = { .bytes = BUF_INIT }, spare = { .bytes = BUF_INIT };
    bool ok = true;
    for (int special = 1; special >= 0; special--)
        for (size_t i = 0; ok && i < t->added.n; i++)
            if (t->added.items[i].special == (special == 1))
                ok = index_token(t, i, &text, &spare, err);
    marked_text_release(&text);
    marked_text_release(&spare);
    return ok;
}

/* 128 bits in two lanes in the manner of FNV-1a; says which vocabulary ids belong to, nothing
 * secret. */
typedef struct {
    uint64_t a, b;
} KeyHash;

static void key_number(KeyHash *h, uint64_t n)
{
    h->a = (h->a ^ n) * 0x100000001B3u;
    h->a ^= h->a >> 32;
    h->b = (h->b ^ n ^ (h->b >> 47)) * 0x9E3779B97F4A7C15u;
}

/* Eight bytes at a time, little-endian on every machine. */
static void key_bytes(KeyHash *h, Str s)
{
    for (size_t i = 0; i < s.len; i += 8) {
        uint64_t word = 0;
        for (size_t k = 0; k < 8 && i + k < s.len; k++)
            word |= (uint64_t)(unsigned char)s.data[i + k] << (8 * k);
        key_number(h, word);
    }
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93u;
    x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93u;
    return x ^ (x >> 32);
}

static void set_key(Tokenizer *t)
{
    KeyHash h = { 0xCBF29CE484222325u, 0x84222325CBF29CE4u };
    key_number(&h, (uint64_t)t->vocab.n);
    for (int32_t i = 0; i < t->vocab.n; i++) {
        uint32_t score;
        memcpy(&score, &t->vocab.scores[i], sizeof(score));
        key_number(&h, (uint64_t)t->vocab.types[i] << 32 | t->vocab.pieces[i].len);
        key_number(&h, score);
        key_bytes(&h, t->vocab.pieces[i]);
    }
    /* The table's order depends on how it grew, so merges are added up. */
    uint64_t sum = 0, other = 0;
    for (uint32_t i = 0; i < t->bpe.n_slots; i++) {
        const Merge *merge = &t->bpe.merges[i];
        if (merge->pair == UINT64_MAX)
            continue;
        uint64_t one = mix(merge->pair + mix((uint64_t)merge->rank << 32 | (uint32_t)merge->id));
        sum += one;
        other += mix(one);
    }
    key_number(&h, sum);
    key_number(&h, other);
    for (size_t i = 0; i < t->added.n; i++) {
        const AddedToken *a = &t->added.items[i];
        key_number(&h, (uint64_t)a->id << 8 | a->special | a->normalized << 1 |
                           a->single_word << 2 | a->lstrip << 3 | a->rstrip << 4);
    }
    Buf hex = BUF_INIT;
    buf_printf(&hex, "%016llx%016llx", (unsigned long long)mix(h.a),
               (unsigned long long)mix(h.b ^ h.a));
    memcpy(t->key, buf_cstr(&hex), sizeof(t->key));
    buf_release(&hex);
}

static bool load(Tokenizer *t, const ModelFile *file, Error *err)
{
    if (modelfile_container(file) == CONTAINER_GGUF)
        return tokenizer_load_gguf(t, file, err);
    bool from_json = modelfile_has(file, "tokenizer.json");
    if (from_json) {
        if (!tokenizer_load_json(t, file, err))
            return false;
    } else if (modelfile_has(file, "tokenizer.model")) {
        if (!tokenizer_load_spm(t, file, err))
            return false;
    } else if (tokenizer_has_files(file)) {
        if (!tokenizer_load_files(t, file, err))
            return false;
    } else {
        return error_set(err, ERR_NOT_FOUND,
                         _("%s: no tokenizer; wanted is tokenizer.json, tokenizer.model, or "
                           "vocab.json and merges.txt"),
                         modelfile_path(file));
    }
    return tokenizer_apply_config(t, file, from_json, err);
}

static bool finish(Tokenizer *t, const ModelFile *file, Error *err)
{
    const int32_t ids[] = { t->bos, t->eos, t->unk };
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        if (ids[i] != -1 && !vocab_has(&t->vocab, ids[i]))
            return error_set(err, ERR_FORMAT, _("%s: special token %d is not in the vocabulary"),
                             modelfile_path(file), ids[i]);
    if (t->bos < 0)
        t->adds_bos = false;
    bpe_finish(&t->bpe);
    if (!index_added(t, err))
        return false;
    set_key(t);
    return true;
}

Tokenizer *tokenizer_open(const ModelFile *file, Error *err)
{
    Tokenizer *t = xcalloc(1, sizeof(*t));
    t->bos = t->eos = t->unk = -1;
    t->bpe.vocab = &t->vocab;
    t->bpe.unknown = -1;
    if (load(t, file, err) && finish(t, file, err))
        return t;
    tokenizer_close(t);
    return NULL;
}

void tokenizer_close(Tokenizer *t)
{
    if (!t)
        return;
    bpe_release(&t->bpe);
    added_release(&t->added);
    normal_steps_release(&t->normal);
    pre_steps_release(&t->pre);
    decode_steps_release(&t->decode);
    vocab_release(&t->vocab);
    buf_release(&t->chat_template);
    free(t);
}

/* ---- questions ---- */

const char *tokenizer_kind(const Tokenizer *t)
{
    return t->kind;
}

const char *tokenizer_key(const Tokenizer *t)
{
    return t->key;
}

int tokenizer_size(const Tokenizer *t)
{
    return t->vocab.n;
}

int32_t tokenizer_bos(const Tokenizer *t)
{
    return t->bos;
}

int32_t tokenizer_eos(const Tokenizer *t)
{
    return t->eos;
}

int32_t tokenizer_unk(const Tokenizer *t)
{
    return t->unk;
}

bool tokenizer_adds_bos(const Tokenizer *t)
{
    return t->adds_bos;
}

int32_t tokenizer_find(const Tokenizer *t, Str spelling)
{
    return vocab_find(&t->vocab, spelling);
}

bool tokenizer_is_special(const Tokenizer *t, int32_t id)
{
    if (!vocab_has(&t->vocab, id))
        return false;
    const AddedToken *added = added_find(&t->added, id);
    return added ? added->special : t->vocab.types[id] == PIECE_CONTROL;
}

Str tokenizer_spelling(const Tokenizer *t, int32_t id)
{
    return vocab_piece(&t->vocab, id);
}

Str tokenizer_chat_template(const Tokenizer *t)
{
    return buf_str(&t->chat_template);
}

/* ---- encoding ---- */

/* The working memory of one call. */
typedef struct {
    const Tokenizer *t;
    MarkedText text, spare;
    AddedSplits splits; /* of the text after normalisation */
    Pieces pieces, spare_pieces;
    BpeScratch bpe;
    Tokens *out;
} Encoder;

static void encoder_release(Encoder *e)
{
    marked_text_release(&e->text);
    marked_text_release(&e->spare);
    free(e->splits.items);
    pieces_release(&e->pieces);
    pieces_release(&e->spare_pieces);
    bpe_scratch_release(&e->bpe);
}

/* A stretch of normal text without added tokens. */
static bool encode_plain(Encoder *e, Str text, bool at_start, Error *err)
{
    if (e->t->pre.n == 0) {
        bpe_encode(&e->t->bpe, &e->bpe, text, e->out);
        return true;
    }
    pieces_reset(&e->pieces);
    buf_append_str(&e->pieces.text, text);
    pieces_push(&e->pieces, 0, text.len);
    if (!pretokenize(&e->t->pre, at_start, &e->pieces, &e->spare_pieces, err))
        return false;
    for (size_t i = 0; i < e->pieces.n; i++) {
        const Piece *piece = &e->pieces.items[i];
        bpe_encode(&e->t->bpe, &e->bpe,
                   str_of(e->pieces.text.data + piece->start, piece->end - piece->start), e->out);
    }
    return true;
}

/* A stretch between two added tokens of the raw text. */
static bool encode_stretch(Encoder *e, Str text, const char *marks, bool at_start, Error *err)
{
    buf_reset(&e->text.bytes);
    buf_reset(&e->text.marks);
    buf_append_str(&e->text.bytes, text);
    buf_append(&e->text.marks, marks, text.len);
    if (!normalize(&e->t->normal, at_start, &e->text, &e->spare, err))
        return false;
    Str normal = buf_str(&e->text.bytes);
    added_split(&e->t->added, e->t->added.normal, normal, e->text.marks.data, &e->splits);
    for (size_t i = 0; i < e->splits.n; i++) {
        const AddedSplit *split = &e->splits.items[i];
        if (split->id >= 0)
            tokens_push(e->out, split->id);
        else if (!encode_plain(e, str_sub(normal, split->start, split->end - split->start),
                               at_start && split->start == 0, err))
            return false;
    }
    return true;
}

static bool join_spans(const TextSpan *spans, size_t n, MarkedText *joined, Error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (spans[i].text.len > MAX_TEXT || joined->bytes.len + spans[i].text.len > MAX_TEXT)
            return error_set(err, ERR_MEMORY,
                             _("text is too long to be split into tokens (more than %zu bytes)"),
                             MAX_TEXT);
        utf8_append_valid(&joined->bytes, spans[i].text);
        buf_reserve(&joined->marks, joined->bytes.len - joined->marks.len);
        while (joined->marks.len < joined->bytes.len)
            buf_putc(&joined->marks, spans[i].special);
    }
    return true;
}

bool tokenizer_encode(const Tokenizer *t, const TextSpan *spans, size_t n, Tokens *out, Error *err)
{
    Encoder e = { .t = t, .out = out };
    MarkedText joined = { .bytes = BUF_INIT };
    AddedSplits splits = { 0 };
    size_t before = out->n;
    bool ok = join_spans(spans, n, &joined, err);
    if (ok)
        added_split(&t->added, t->added.raw, buf_str(&joined.bytes), joined.marks.data, &splits);
    for (size_t i = 0; ok && i < splits.n; i++) {
        const AddedSplit *split = &splits.items[i];
        if (split->id >= 0)
            tokens_push(out, split->id);
        else
            ok = encode_stretch(
                &e, str_sub(buf_str(&joined.bytes), split->start, split->end - split->start),
                joined.marks.data + split->start, split->start == 0, err);
    }
    if (!ok)
        tokens_truncate(out, before);
    free(splits.items);
    marked_text_release(&joined);
    encoder_release(&e);
    return ok;
}

/* ---- decoding ---- */

static Str shown(const Tokenizer *t, int32_t id)
{
    const AddedToken *added = added_find(&t->added, id);
    return added ? added->shown : vocab_piece(&t->vocab, id);
}

void tokenizer_token_bytes(const Tokenizer *t, int32_t id, bool with_special, Buf *out)
{
    if (!vocab_has(&t->vocab, id))
        return;
    if (!tokenizer_is_special(t, id))
        decode_one(&t->decode, shown(t, id), out);
    else if (with_special)
        buf_append_str(out, vocab_piece(&t->vocab, id));
}

bool tokenizer_strips_first_space(const Tokenizer *t)
{
    return decode_strips_first_space(&t->decode);
}

bool tokenizer_decode(const Tokenizer *t, const int32_t *ids, size_t n, bool skip_special, Buf *out,
                      Error *err)
{
    Pieces pieces = { .text = BUF_INIT }, spare = { .text = BUF_INIT };
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= t->vocab.n) {
            pieces_release(&pieces);
            return error_set(err, ERR_USAGE, _("token id %d is outside the vocabulary (0 to %d)"),
                             ids[i], t->vocab.n - 1);
        }
        if (skip_special && tokenizer_is_special(t, ids[i]))
            continue;
        size_t start = pieces.text.len;
        buf_append_str(&pieces.text, shown(t, ids[i]));
        pieces_push(&pieces, start, pieces.text.len);
    }
    decode_pieces(&t->decode, &pieces, &spare, out);
    pieces_release(&pieces);
    pieces_release(&spare);
    return true;
}
