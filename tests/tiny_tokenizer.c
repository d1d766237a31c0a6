/* Builds small vocabularies: Llama-style with byte fallback, and byte-level BPE.  Both know the
 * same pieces. */
#include "config.h"

#include "tests/tiny_tokenizer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/base/utf8.h"

#define CHATML                                                                                     \
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "                   \
    "message['content'] + "                                                                        \
    "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ "                          \
    "'<|im_start|>assistant\\n' "                                                                  \
    "}}{% endif %}"
#define LLAMA2                                                                                     \
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set "        \
    "system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% "    \
    "set "                                                                                         \
    "system_message = false %}{% endif %}{% for message in loop_messages %}{% if loop.index0 == "  \
    "0 and "                                                                                       \
    "system_message != false %}{% set content = '<<SYS>>\\n' + system_message + "                  \
    "'\\n<</SYS>>\\n\\n' + "                                                                       \
    "message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if "       \
    "message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% "    \
    "elif "                                                                                        \
    "message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% " \
    "endfor %}"

static const char kanji[] =
    "日本語会話人何今天気私山川水火東京学生先大小中国言葉時間不可達、。「」ー…？！・";

/* Best first; "_" is a space.  Each is two earlier ones (or characters) joined. */
static const char *const merged[] = {
    "_t",   "he",   "_the",   "_a",   "in",   "ing",  "er",       "on",         "or",   "_w",
    "ld",   "_wor", "_world", "_h",   "_he",  "ll",   "llo",      "_hello",     "_y",   "ou",
    "_you", "_i",   "_is",    "an",   "_an",  "_and", "re",       "_m",         "_my",  "_s",
    "ea",   "_sea", "です",   "ます", "こん", "にち", "こんにち", "こんにちは", "日本", "日本語",
    "会話", "した", "して",   "ない", "くだ", "さい", "ください", "天気",       "今日", "これ",
    "私は", "言葉", "時間",   "東京", "学生", "先生",
};
static const char unreachable[] =
    "不可達"; /* no merge leads to it, as some pieces of real vocabularies */

typedef struct {
    TinyVocab *v;
    size_t cap, cap_types, cap_merges;
} Builder;

static int find_piece(const TinyVocab *v, const char *piece, size_t len)
{
    for (int i = 0; i < v->n; i++)
        if (strlen(v->piece[i]) == len && memcmp(v->piece[i], piece, len) == 0)
            return i;
    return -1;
}

static int add_piece(Builder *b, const char *piece, TokenType type)
{
    TinyVocab *v = b->v;
    size_t n = (size_t)v->n + 1;

    v->piece = mem_grow(v->piece, &b->cap, n, sizeof *v->piece);
    v->type = mem_grow(v->type, &b->cap_types, n, sizeof *v->type);
    v->piece[v->n] = xstrdup(piece);
    v->type[v->n] = type;
    return v->n++;
}

static void add_merge(Builder *b, Str left, Str right)
{
    Buf text = BUF_INIT;

    buf_append_str(&text, left);
    buf_putc(&text, ' ');
    buf_append_str(&text, right);
    b->v->merge =
        mem_grow(b->v->merge, &b->cap_merges, (size_t)b->v->n_merges + 1, sizeof *b->v->merge);
    b->v->merge[b->v->n_merges++] = buf_take(&text);
}

/* Each single character in turn: ASCII, kana, the list above. */
static void each_character(Builder *b, void (*add)(Builder *, const char *))
{
    static const unsigned ranges[][2] = { { 0x21, 0x7e }, { 0x3041, 0x3093 }, { 0x30a1, 0x30f4 } };
    Str list = str_from(kanji);
    char bytes[5] = { 0 };

    for (size_t r = 0; r < ARRAY_LEN(ranges); r++)
        for (unsigned cp = ranges[r][0]; cp <= ranges[r][1]; cp++) {
            bytes[utf8_encode(cp, bytes)] = '\0';
            add(b, bytes);
        }
    for (size_t at = 0; at < list.len;) {
        bytes[utf8_encode(utf8_next(list, &at), bytes)] = '\0';
        add(b, bytes);
    }
}

/* ---- Llama's kind ---- */

static void with_spaces(const char *text, const char *space, Buf *out)
{
    buf_reset(out);
    for (; *text; text++)
        if (*text == '_')
            buf_puts(out, space);
        else
            buf_putc(out, *text);
}

static void add_single(Builder *b, const char *character)
{
    if (find_piece(b->v, character, strlen(character)) < 0)
        add_piece(b, character, TOKEN_NORMAL);
}

/* Every way in which two known pieces make this one, as Hugging Face derives merges from
 * SentencePiece models. */
static void add_all_merges(Builder *b, Str piece)
{
    for (size_t at = 1; at < piece.len; at++) {
        if (utf8_floor(piece, at) != at || find_piece(b->v, piece.data, at) < 0 ||
            find_piece(b->v, piece.data + at, piece.len - at) < 0)
            continue;
        add_merge(b, str_sub(piece, 0, at), str_from_offset(piece, at));
    }
}

static void build_spm(Builder *b)
{
    Buf text = BUF_INIT;
    int first;

    b->v->unk = add_piece(b, "<unk>", TOKEN_UNKNOWN);
    b->v->bos = add_piece(b, "<s>", TOKEN_CONTROL);
    b->v->eos = add_piece(b, "</s>", TOKEN_CONTROL);
    for (int i = 0; i < 256; i++) {
        buf_reset(&text);
        buf_printf(&text, "<0x%02X>", (unsigned)i);
        add_piece(b, buf_cstr(&text), TOKEN_BYTE);
    }
    first = b->v->n;
    for (size_t i = 0; i < ARRAY_LEN(merged); i++) {
        with_spaces(merged[i], "▁", &text);
        add_piece(b, buf_cstr(&text), TOKEN_NORMAL);
    }
    add_piece(b, "▁", TOKEN_NORMAL);
    each_character(b, add_single);
    add_piece(b, unreachable, TOKEN_NORMAL);
    for (size_t i = 0; i < ARRAY_LEN(merged); i++)
        add_all_merges(b, str_from(b->v->piece[first + (int)i]));
    buf_release(&text);
}

/* ---- bytes ---- */

/* GPT-2's printable stand-in for a byte. */
static unsigned byte_character(int byte)
{
    int next = 256;

    for (int i = 0; i <= byte; i++) {
        bool printable =
            (i >= '!' && i <= '~') || (i >= 0xa1 && i <= 0xac) || (i >= 0xae && i <= 0xff);
        if (i == byte)
            return printable ? (unsigned)byte : (unsigned)next;
        next += !printable;
    }
    return 0;
}

static void map_bytes(Str bytes, Buf *out)
{
    buf_reset(out);
    for (size_t i = 0; i < bytes.len; i++)
        buf_put_utf8(out, byte_character((unsigned char)bytes.data[i]));
}

/* Joins the known pieces `left` and `right` (bytes). */
static void join(Builder *b, Str left, Str right)
{
    Buf l = BUF_INIT, r = BUF_INIT, both = BUF_INIT;

    map_bytes(left, &l);
    map_bytes(right, &r);
    buf_append_str(&both, buf_str(&l));
    buf_append_str(&both, buf_str(&r));
    if (find_piece(b->v, both.data, both.len) < 0) {
        add_piece(b, buf_cstr(&both), TOKEN_NORMAL);
        add_merge(b, buf_str(&l), buf_str(&r));
    }
    buf_release(&l);
    buf_release(&r);
    buf_release(&both);
}

static void add_character(Builder *b, const char *character)
{
    Str s = str_from(character);

    for (size_t at = 1; at < s.len; at++)
        join(b, str_sub(s, 0, at), str_sub(s, at, 1));
}

static void add_word(Builder *b, Str word)
{
    for (size_t at = 0, next; at < word.len; at = next) {
        next = at;
        utf8_next(word, &next);
        if (at > 0)
            join(b, str_sub(word, 0, at), str_sub(word, at, next - at));
    }
}

static void build_bpe(Builder *b, TinyChat chat)
{
    Buf text = BUF_INIT;

    b->v->unk = -1;
    b->v->bos = b->v->eos = add_piece(b, "<|endoftext|>", TOKEN_CONTROL);
    if (chat == TINY_LLAMA2) {
        b->v->bos = add_piece(b, "<s>", TOKEN_CONTROL);
        b->v->eos = add_piece(b, "</s>", TOKEN_CONTROL);
    }
    for (int i = 0; i < 256; i++) {
        buf_reset(&text);
        buf_put_utf8(&text, byte_character(i));
        add_piece(b, buf_cstr(&text), TOKEN_NORMAL);
    }
    each_character(b, add_character);
    for (size_t i = 0; i < ARRAY_LEN(merged); i++) {
        with_spaces(merged[i], " ", &text);
        add_word(b, buf_str(&text));
    }
    buf_release(&text);
}

void tiny_vocab_init(TinyVocab *vocab, const TinySpec *spec)
{
    Builder b = { .v = vocab };

    *vocab = (TinyVocab){ 0 };
    if (spec->tokenizer == TINY_SPM)
        build_spm(&b);
    else
        build_bpe(&b, spec->chat);
    if (spec->chat == TINY_CHATML) {
        int start = add_piece(&b, "<|im_start|>", TOKEN_CONTROL);
        vocab->eos = add_piece(&b, "<|im_end|>", TOKEN_CONTROL);
        if (spec->tokenizer == TINY_BPE)
            vocab->bos = start;
    }
    vocab->chat_template = spec->chat_template         ? spec->chat_template
                           : spec->chat == TINY_CHATML ? CHATML
                           : spec->chat == TINY_LLAMA2 ? LLAMA2
                                                       : NULL;
}

void tiny_vocab_release(TinyVocab *vocab)
{
    for (int i = 0; i < vocab->n; i++)
        free(vocab->piece[i]);
    for (int i = 0; i < vocab->n_merges; i++)
        free(vocab->merge[i]);
    free(vocab->piece);
    free(vocab->type);
    free(vocab->merge);
    *vocab = (TinyVocab){ 0 };
}

/* Whole characters only: the bytes that a byte-level piece stands for must be valid by themselves.
 */
static bool bytes_are_text(const char *piece)
{
    Str s = str_from(piece);
    Buf bytes = BUF_INIT;
    bool ok = true;

    for (size_t at = 0; at < s.len;) {
        unsigned cp = utf8_next(s, &at);
        for (int i = 0; i < 256; i++)
            if (byte_character(i) == cp) {
                ok = ok && i >= ' ' && i != 0x7f;
                buf_putc(&bytes, (char)i);
            }
    }
    ok = ok && utf8_valid(buf_str(&bytes));
    buf_release(&bytes);
    return ok;
}

bool tiny_vocab_readable(const TinyVocab *vocab, int id)
{
    return vocab->type[id] == TOKEN_NORMAL && (vocab->unk >= 0 || bytes_are_text(vocab->piece[id]));
}

/* ---- files ---- */

static json_t *added_tokens(const TinyVocab *v)
{
    json_t *list = json_array();

    for (int i = 0; i < v->n; i++)
        if (v->type[i] == TOKEN_CONTROL || v->type[i] == TOKEN_UNKNOWN)
            json_array_append_new(list,
                                  json_pack("{s:i,s:s,s:b,s:b,s:b,s:b,s:b}", "id", i, "content",
                                            v->piece[i], "single_word", 0, "lstrip", 0, "rstrip", 0,
                                            "normalized", 0, "special", 1));
    return list;
}

static json_t *bpe_model(const TinyVocab *v, bool spm)
{
    json_t *vocab = json_object(), *merges = json_array();

    for (int i = 0; i < v->n; i++)
        json_object_set_new(vocab, v->piece[i], json_integer(i));
    for (int i = 0; i < v->n_merges; i++)
        json_array_append_new(merges, json_string(v->merge[i]));
    return json_pack("{s:s,s:n,s:o,s:b,s:b,s:o,s:o}", "type", "BPE", "dropout", "unk_token",
                     spm ? json_string("<unk>") : json_null(), "fuse_unk", spm, "byte_fallback",
                     spm, "vocab", vocab, "merges", merges);
}

static json_t *spm_json(const TinyVocab *v)
{
    const char *bos = v->piece[v->bos];

    return json_pack(
        "{s:s,s:o,s:{s:s,s:[{s:s,s:s},{s:s,s:{s:s},s:s}]},s:n,s:{s:s,s:[{s:{s:s,s:i}},{s:{s:s,s:i}}"
        "],"
        "s:{s:{s:s,s:[i],s:[s]}}},s:{s:s,s:[{s:s,s:{s:s},s:s},{s:s},{s:s},{s:s,s:s,s:i,s:i}]},s:o}",
        "version", "1.0", "added_tokens", added_tokens(v), "normalizer", "type", "Sequence",
        "normalizers", "type", "Prepend", "prepend", "▁", "type", "Replace", "pattern", "String",
        " ", "content", "▁", "pre_tokenizer", "post_processor", "type", "TemplateProcessing",
        "single", "SpecialToken", "id", bos, "type_id", 0, "Sequence", "id", "A", "type_id", 0,
        "special_tokens", bos, "id", bos, "ids", v->bos, "tokens", bos, "decoder", "type",
        "Sequence", "decoders", "type", "Replace", "pattern", "String", "▁", "content", " ", "type",
        "ByteFallback", "type", "Fuse", "type", "Strip", "content", " ", "start", 1, "stop", 0,
        "model", bpe_model(v, true));
}

static json_t *bpe_json(const TinyVocab *v)
{
    return json_pack("{s:s,s:o,s:n,s:{s:s,s:b,s:b,s:b},s:n,s:{s:s,s:b,s:b,s:b},s:o}", "version",
                     "1.0", "added_tokens", added_tokens(v), "normalizer", "pre_tokenizer", "type",
                     "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex", 1,
                     "post_processor", "decoder", "type", "ByteLevel", "add_prefix_space", 1,
                     "trim_offsets", 1, "use_regex", 1, "model", bpe_model(v, false));
}

bool tiny_json_write(const char *dir, const char *name, json_t *json)
{
    Buf path = BUF_INIT;
    bool ok;

    path_join(&path, dir, name);
    ok = json && json_dump_file(json, buf_cstr(&path), JSON_INDENT(1)) == 0;
    json_decref(json);
    buf_release(&path);
    return ok;
}

bool tiny_vocab_write(const TinyVocab *v, const TinySpec *spec, const char *dir)
{
    bool spm = spec->tokenizer == TINY_SPM;
    json_t *map =
        json_pack("{s:s,s:s}", "bos_token", v->piece[v->bos], "eos_token", v->piece[v->eos]);
    json_t *config = json_pack("{s:s,s:s,s:b,s:s}", "bos_token", v->piece[v->bos], "eos_token",
                               v->piece[v->eos], "clean_up_tokenization_spaces", 0,
                               "tokenizer_class", spm ? "LlamaTokenizer" : "GPT2Tokenizer");

    if (spm) {
        json_object_set_new(map, "unk_token", json_string("<unk>"));
        json_object_set_new(config, "unk_token", json_string("<unk>"));
    }
    if (v->chat_template)
        json_object_set_new(config, "chat_template", json_string(v->chat_template));
    /* Each is written, since writing releases it. */
    bool good = tiny_json_write(dir, "tokenizer.json", spm ? spm_json(v) : bpe_json(v));
    good = tiny_json_write(dir, "tokenizer_config.json", config) && good;
    return tiny_json_write(dir, "special_tokens_map.json", map) && good;
}

void tiny_vocab_meta(const TinyVocab *v, const TinySpec *spec, TensorWriter *w)
{
    enum { F32 = 6, I32 = 5, STRING = 8 };
    bool spm = spec->tokenizer == TINY_SPM;
    int rank = 0;

    meta_string(w, "tokenizer.ggml.model", spm ? "llama" : "gpt2");
    if (!spm)
        meta_string(w, "tokenizer.ggml.pre", "gpt-2");
    meta_array(w, "tokenizer.ggml.tokens", STRING, (uint64_t)v->n);
    for (int i = 0; i < v->n; i++)
        put_string(&w->meta, str_from(v->piece[i]), w->narrow ? 4 : 8);
    meta_array(w, "tokenizer.ggml.token_type", I32, (uint64_t)v->n);
    for (int i = 0; i < v->n; i++)
        put_int(&w->meta, v->type[i], 4);
    if (spm) {
        meta_array(w, "tokenizer.ggml.scores", F32, (uint64_t)v->n);
        for (int i = 0; i < v->n; i++)
            put_f32(&w->meta, v->type[i] == TOKEN_NORMAL ? (float)-rank++ : 0);
        meta_u32(w, "tokenizer.ggml.unknown_token_id", (uint32_t)v->unk);
    } else {
        meta_array(w, "tokenizer.ggml.merges", STRING, (uint64_t)v->n_merges);
        for (int i = 0; i < v->n_merges; i++)
            put_string(&w->meta, str_from(v->merge[i]), w->narrow ? 4 : 8);
    }
    meta_u32(w, "tokenizer.ggml.bos_token_id", (uint32_t)v->bos);
    meta_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t)v->eos);
    meta_bool(w, "tokenizer.ggml.add_bos_token", spm);
    if (v->chat_template)
        meta_string(w, "tokenizer.chat_template", v->chat_template);
}
