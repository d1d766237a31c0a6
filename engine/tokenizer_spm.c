/* tokenizer.model: SentencePiece's protobuf (sentencepiece_model.proto), read by hand: pieces
 * with scores and types, and the few fields of trainer and normalizer that say how to use them. */
#include "config.h"

#include <string.h>

#include "engine/tokenizer_parts.h"
#include "src/base/i18n.h"

#define MAX_MODEL ((size_t)256 << 20)

/* ---- protobuf ---- */

typedef struct {
    uint32_t number;
    int wire;       /* 0 varint, 1 fixed64, 2 bytes, 5 fixed32 */
    uint64_t value; /* varint and fixed ones */
    Str bytes;
} Field;

static bool read_varint(Str *rest, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; rest->len && shift < 64; shift += 7) {
        unsigned char byte = (unsigned char)rest->data[0];
        *rest = str_from_offset(*rest, 1);
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool read_fixed(Str *rest, size_t n, uint64_t *out)
{
    *out = 0;
    if (rest->len < n)
        return false;
    for (size_t i = 0; i < n; i++)
        *out |= (uint64_t)(unsigned char)rest->data[i] << (8 * i);
    *rest = str_from_offset(*rest, n);
    return true;
}

/* The next field; false at the end and on broken bytes, which *broken tells apart. */
static bool next_field(Str *rest, Field *out, bool *broken)
{
    uint64_t tag, len;
    if (rest->len == 0)
        return false;
    *broken = true;
    if (!read_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF)
        return false;
    *out = (Field){ .number = (uint32_t)(tag >> 3), .wire = (int)(tag & 7) };
    bool ok = false;
    switch (out->wire) {
    case 0:
        ok = read_varint(rest, &out->value);
        break;
    case 1:
        ok = read_fixed(rest, 8, &out->value);
        break;
    case 2:
        ok = read_varint(rest, &len) && len <= rest->len;
        if (ok) {
            out->bytes = str_sub(*rest, 0, (size_t)len);
            *rest = str_from_offset(*rest, (size_t)len);
        }
        break;
    case 5:
        ok = read_fixed(rest, 4, &out->value);
        break;
    default:
        break;
    }
    *broken = !ok;
    return ok;
}

/* ---- the model ---- */

typedef struct {
    int64_t model_type, unknown, bos, eos; /* TrainerSpec 3, 40, 41, 42 */
    bool byte_fallback, suffix;            /* 35, 24 */
    bool dummy_prefix, squeeze, escape;    /* NormalizerSpec 3, 4, 5 */
    bool charsmap;                         /* 2 is there and not empty */
} SpmSpec;

static bool read_trainer(Str rest, SpmSpec *spec)
{
    Field f;
    bool broken = false;
    while (next_field(&rest, &f, &broken)) {
        if (f.wire != 0)
            continue;
        int64_t value = (int32_t)(uint32_t)f.value;
        if (f.number == 3)
            spec->model_type = value;
        else if (f.number == 24)
            spec->suffix = f.value != 0;
        else if (f.number == 35)
            spec->byte_fallback = f.value != 0;
        else if (f.number == 40)
            spec->unknown = value;
        else if (f.number == 41)
            spec->bos = value;
        else if (f.number == 42)
            spec->eos = value;
    }
    return !broken;
}

static bool read_normalizer(Str rest, SpmSpec *spec)
{
    Field f;
    bool broken = false;
    while (next_field(&rest, &f, &broken)) {
        if (f.number == 2 && f.wire == 2)
            spec->charsmap = f.bytes.len > 0;
        else if (f.number == 3 && f.wire == 0)
            spec->dummy_prefix = f.value != 0;
        else if (f.number == 4 && f.wire == 0)
            spec->squeeze = f.value != 0;
        else if (f.number == 5 && f.wire == 0)
            spec->escape = f.value != 0;
    }
    return !broken;
}

static bool read_piece(Tokenizer *t, Str rest, int64_t id, Error *err)
{
    Field f;
    Str piece = STR_NULL;
    float score = 0;
    uint64_t type = PIECE_NORMAL;
    bool broken = false;
    while (next_field(&rest, &f, &broken)) {
        if (f.number == 1 && f.wire == 2)
            piece = f.bytes;
        else if (f.number == 2 && f.wire == 5) {
            uint32_t bits = (uint32_t)f.value;
            memcpy(&score, &bits, sizeof(score));
        } else if (f.number == 3 && f.wire == 0)
            type = f.value;
    }
    if (broken || !piece.len || type < PIECE_NORMAL || type > PIECE_BYTE || score != score)
        return error_set(err, ERR_FORMAT, _("piece %lld is broken"), (long long)id);
    return vocab_add(&t->vocab, piece, id, (PieceType)type, score, err);
}

static bool read_model(Tokenizer *t, Str rest, SpmSpec *spec, Error *err)
{
    Field f;
    bool broken = false;
    int64_t id = 0;
    while (next_field(&rest, &f, &broken)) {
        bool ok = true;
        if (f.wire != 2)
            continue;
        if (f.number == 1) {
            if (!read_piece(t, f.bytes, id++, err))
                return false;
        } else if (f.number == 2)
            ok = read_trainer(f.bytes, spec);
        else if (f.number == 3)
            ok = read_normalizer(f.bytes, spec);
        if (!ok)
            return error_set(err, ERR_FORMAT, _("not a SentencePiece model"));
    }
    if (broken || id == 0)
        return error_set(err, ERR_FORMAT, _("not a SentencePiece model, or cut short"));
    return true;
}

static bool check_spec(const SpmSpec *spec, Error *err)
{
    static const char *const names[] = { "?", "unigram", "BPE", "word", "char" };
    if (spec->model_type != 2)
        return error_set(err, ERR_UNSUPPORTED,
                         _("SentencePiece model of type %s is not supported; kaiwa reads BPE"),
                         spec->model_type >= 1 && spec->model_type <= 4 ? names[spec->model_type]
                                                                        : "?");
    if (spec->charsmap)
        return error_set(err, ERR_UNSUPPORTED,
                         _("SentencePiece model with a normalization table is not supported"));
    if (spec->suffix || !spec->escape)
        return error_set(err, ERR_UNSUPPORTED,
                         _("SentencePiece model with white space as a suffix is not supported"));
    return true;
}

/* Control tokens are matched in the raw text, user-defined pieces in the normal form, where
 * SentencePiece freezes them. */
static void add_tokens(Tokenizer *t)
{
    t->spells_literally = true;
    for (int32_t id = 0; id < t->vocab.n; id++) {
        unsigned char type = t->vocab.types[id];
        bool wanted = type == PIECE_CONTROL || type == PIECE_UNKNOWN || type == PIECE_USER;
        if (wanted && t->vocab.pieces[id].len <= ADDED_MAX_LEN)
            added_push(&t->added, (AddedToken){ .content = t->vocab.pieces[id],
                                                .id = id,
                                                .special = type != PIECE_USER,
                                                .normalized = type == PIECE_USER });
    }
}

/* Llama 3's original tokenizer.model is a list of lines "BASE64 RANK" that begins with "!". */
static bool is_tiktoken(Str bytes, Error *err)
{
    if (!str_starts(bytes, STR("IQ== 0\n")))
        return false;
    error_set(
        err, ERR_UNSUPPORTED,
        _("it is a tiktoken file, not SentencePiece's; the model's tokenizer.json is wanted"));
    return true;
}

static int32_t known(const Tokenizer *t, int64_t id)
{
    return vocab_has(&t->vocab, id) ? (int32_t)id : -1;
}

/* Hugging Face's slow tokenizer with "legacy": false sets ▁ only at the very start; with true,
 * after control tokens too. */
static PrefixRule prefix_rule(const ModelFile *file, const SpmSpec *spec)
{
    const json_t *config = modelfile_tokenizer_config(file);
    if (!spec->dummy_prefix || json_is_false(json_object_get(config, "add_prefix_space")))
        return PREFIX_NEVER;
    return json_is_false(json_object_get(config, "legacy")) ? PREFIX_FIRST : PREFIX_EACH;
}

bool tokenizer_load_spm(Tokenizer *t, const ModelFile *file, Error *err)
{
    SpmSpec spec = {
        .model_type = 1, .bos = 1, .eos = 2, .dummy_prefix = true, .squeeze = true, .escape = true
    };
    Buf bytes = BUF_INIT;
    if (!modelfile_read(file, "tokenizer.model", MAX_MODEL, &bytes, err))
        return false;
    bool ok = !is_tiktoken(buf_str(&bytes), err) && read_model(t, buf_str(&bytes), &spec, err) &&
              check_spec(&spec, err);
    buf_release(&bytes);
    if (!ok)
        return error_note(err, "%s/tokenizer.model", modelfile_path(file));
    t->bpe.by_score = true;
    t->bpe.byte_fallback = spec.byte_fallback;
    t->bos = known(t, spec.bos);
    t->eos = known(t, spec.eos);
    t->unk = t->bpe.unknown = known(t, spec.unknown);
    t->adds_bos = true;
    add_tokens(t);
    spm_setup(t, prefix_rule(file, &spec), spec.squeeze);
    return true;
}
