/* The kinds of tokenizers whose files name no pipeline: GGUF's tokenizer.ggml.pre, vocabulary
 * and merges in plain files, and SentencePiece models.  The expressions are those of llama.cpp's
 * llama-vocab.cpp, one after another, each isolating its matches; a new kind is a new row. */
#include "config.h"

#include <string.h>

#include "engine/tokenizer_parts.h"
#include "src/base/mem.h"

static const char *const deepseek_llm[] = {
    "[\\r\\n]",
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-"
    "ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐ"
    "ῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-"
    "𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+",
    "\\s?[!-/:-~！-／：-～‘-‟　-。]+",
    "\\s+$",
    "[一-龥ࠀ-一가-퟿]+",
    "\\p{N}+",
    NULL,
};
static const char *const deepseek_coder[] = {
    "[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-퟿]+", "\\p{N}", NULL,
};
static const char *const deepseek_v3[] = {
    "\\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./"
    ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
    " ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    NULL,
};
#define GPT2_REGEX                                                                                 \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
static const char *const falcon[] = { "[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2_REGEX, "[0-9][0-9][0-9]",
                                      NULL };
static const char *const bloom[] = { " ?[^(\\s|.,!?…。，、।۔،)]+", NULL };
static const char *const viking[] = { " ?[^(\\s|.,!?…。，、।۔،)]+", "\\p{N}", NULL };

#define UPPER       "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER       "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define NO_WORD     "[^\\r\\n\\p{L}\\p{N}]?"
#define CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
#define O200K_TAIL  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
static const char *const tekken[] = {
    NO_WORD UPPER "*" LOWER "+|" NO_WORD UPPER "+" LOWER "*|\\p{N}" O200K_TAIL,
    NULL,
};
static const char *const gpt4o[] = {
    NO_WORD UPPER "*" LOWER "+" CONTRACTION "|" NO_WORD UPPER "+" LOWER "*" CONTRACTION
                  "|\\p{N}{1,3}" O200K_TAIL,
    NULL,
};

static const SplitKind kinds[] = {
    { .name = "gpt-2", .kind = "bpe-gpt2", .rule = "gpt2" },
    { .name = "gpt2", .kind = "bpe-gpt2", .rule = "gpt2" },
    { .name = "phi-2", .kind = "bpe-gpt2", .rule = "gpt2" },
    { .name = "mpt", .kind = "bpe-gpt2", .rule = "gpt2" },
    { .name = "olmo", .kind = "bpe-gpt2", .rule = "gpt2" },
    { .name = "jais", .kind = "bpe-gpt2", .rule = "gpt2" },
    { .name = "roberta-bpe", .kind = "bpe-gpt2", .rule = "gpt2" },
    { .name = "smollm", .kind = "bpe-smollm", .rule = "gpt2", .digits = true },
    { .name = "starcoder", .kind = "bpe-smollm", .rule = "gpt2", .digits = true },
    { .name = "refact", .kind = "bpe-smollm", .rule = "gpt2", .digits = true },
    { .name = "command-r", .kind = "bpe-smollm", .rule = "gpt2", .digits = true, .nfc = true },
    { .name = "codeshell", .kind = "bpe-smollm", .rule = "gpt2", .digits = true },
    { .name = "exaone", .kind = "bpe-smollm", .rule = "gpt2", .digits = true },
    { .name = "minerva-7b", .kind = "bpe-smollm", .rule = "gpt2", .digits = true },
    { .name = "llama-bpe",
      .kind = "bpe-llama3",
      .rule = "llama3",
      .ignore_merges = true,
      .adds_bos = true },
    { .name = "llama3",
      .kind = "bpe-llama3",
      .rule = "llama3",
      .ignore_merges = true,
      .adds_bos = true },
    { .name = "llama-v3",
      .kind = "bpe-llama3",
      .rule = "llama3",
      .ignore_merges = true,
      .adds_bos = true },
    { .name = "falcon3",
      .kind = "bpe-llama3",
      .rule = "llama3",
      .ignore_merges = true,
      .adds_bos = true },
    { .name = "dbrx", .kind = "bpe-llama3", .rule = "llama3" },
    { .name = "smaug-bpe", .kind = "bpe-llama3", .rule = "llama3" },
    { .name = "chatglm-bpe", .kind = "bpe-llama3", .rule = "llama3" },
    { .name = "qwen2", .kind = "bpe-qwen2", .rule = "qwen2", .nfc = true },
    { .name = "deepseek-r1-qwen", .kind = "bpe-qwen2", .rule = "qwen2", .nfc = true },
    { .name = "megrez", .kind = "bpe-qwen2", .rule = "qwen2", .nfc = true },
    { .name = "stablelm2", .kind = "bpe-qwen2", .rule = "qwen2", .nfc = true },
    { .name = "qwen35", .kind = "bpe-qwen35", .rule = "qwen35", .nfc = true },
    { .name = "falcon", .kind = "bpe-falcon", .regexes = falcon },
    { .name = "deepseek-llm", .kind = "bpe-deepseek", .regexes = deepseek_llm },
    { .name = "deepseek-coder", .kind = "bpe-deepseek", .regexes = deepseek_coder },
    { .name = "deepseek-v3", .kind = "bpe-deepseek", .regexes = deepseek_v3 },
    { .name = "tekken", .kind = "bpe-tekken", .regexes = tekken, .ignore_merges = true },
    { .name = "gpt-4o", .kind = "bpe-gpt4o", .regexes = gpt4o },
    { .name = "bloom", .kind = "bpe-bloom", .regexes = bloom },
    { .name = "poro-chat", .kind = "bpe-bloom", .regexes = bloom },
    { .name = "gpt3-finnish", .kind = "bpe-bloom", .regexes = bloom },
    { .name = "viking", .kind = "bpe-bloom", .regexes = viking },
};

const SplitKind *split_kind_named(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq_c(name, kinds[i].name))
            return &kinds[i];
    return NULL;
}

const SplitKind *split_kind_guess(const Vocab *vocab)
{
    static const struct {
        int32_t least, most; /* ids */
        const char *token;   /* that must be there too, or NULL */
        const char *kind;
    } guesses[] = {
        { 128000, 128512, NULL, "llama-bpe" },
        { 151640, 152100, NULL, "qwen2" },
        { 49000, 49280, "<repo_name>", "smollm" },
        { 49000, 49280, "<fim_prefix>", "starcoder" },
    };
    for (size_t i = 0; i < ARRAY_LEN(guesses); i++) {
        bool size_fits = vocab->n >= guesses[i].least && vocab->n <= guesses[i].most;
        if (size_fits && (!guesses[i].token || vocab_find(vocab, str_from(guesses[i].token)) >= 0))
            return split_kind_named(str_from(guesses[i].kind));
    }
    return split_kind_named(STR("gpt-2"));
}

bool pattern_from_regex(Pattern *out, Str regex, Error *err)
{
    *out = (Pattern){ .rule = split_rule_of_regex(regex) };
    if (!out->rule)
        out->regex = split_regex_new(regex, err);
    return out->rule || out->regex;
}

static PreStep *push_rule(Tokenizer *t, const char *rule)
{
    PreStep *step = pre_steps_push(&t->pre, PRE_SPLIT);
    step->pattern.rule = split_rule_named(rule);
    step->behavior = SPLIT_ISOLATED;
    return step;
}

bool byte_level_setup(Tokenizer *t, const SplitKind *kind, Error *err)
{
    if (kind->nfc)
        normal_steps_push(&t->normal, NORMAL_FORM, STR(""))->form = FORM_NFC;
    if (kind->digits)
        push_rule(t, "digit");
    if (kind->rule)
        push_rule(t, kind->rule);
    for (const char *const *regex = kind->regexes; regex && *regex; regex++) {
        PreStep *step = pre_steps_push(&t->pre, PRE_SPLIT);
        step->behavior = SPLIT_ISOLATED;
        if (!pattern_from_regex(&step->pattern, str_from(*regex), err))
            return false;
    }
    pre_steps_push(&t->pre, PRE_BYTES);
    decode_steps_push(&t->decode, DECODE_BYTE_LEVEL, NULL, NULL);
    t->bpe.ignore_merges = kind->ignore_merges;
    memcpy(t->kind, kind->kind, strlen(kind->kind) + 1);
    return true;
}

void spm_setup(Tokenizer *t, PrefixRule prefix, bool squeeze_spaces)
{
    if (squeeze_spaces)
        normal_steps_push(&t->normal, NORMAL_SPACES, STR(""));
    if (prefix != PREFIX_NEVER)
        normal_steps_push(&t->normal, prefix == PREFIX_EACH ? NORMAL_PREPEND : NORMAL_PREPEND_FIRST,
                          STR(META_SYMBOL));
    NormalStep *spaces = normal_steps_push(&t->normal, NORMAL_REPLACE, STR(META_SYMBOL));
    spaces->pattern = (Pattern){ .literal = xstrdup(" "), .literal_len = 1 };
    decode_steps_push(&t->decode, DECODE_REPLACE, META_SYMBOL, " ");
    decode_steps_push(&t->decode, DECODE_BYTE_FALLBACK, NULL, NULL);
    decode_steps_push(&t->decode, DECODE_FUSE, NULL, NULL);
    if (prefix != PREFIX_NEVER)
        decode_steps_push(&t->decode, DECODE_STRIP, NULL, " ")->start = 1;
    memcpy(t->kind, "spm", 4);
}

bool add_llama3_tokens(Tokenizer *t, Error *err)
{
    static const struct {
        int id;
        const char *name;
    } named[] = {
        { 0, "<|begin_of_text|>" },
        { 1, "<|end_of_text|>" },
        { 4, "<|finetune_right_pad_id|>" },
        { 6, "<|start_header_id|>" },
        { 7, "<|end_header_id|>" },
        { 8, "<|eom_id|>" },
        { 9, "<|eot_id|>" },
        { 10, "<|python_tag|>" },
    };
    int reserved = 0;
    Buf name = BUF_INIT;
    bool ok = true;
    for (int i = 0; ok && i < 256; i++) {
        buf_reset(&name);
        for (size_t k = 0; k < ARRAY_LEN(named); k++)
            if (named[k].id == i)
                buf_puts(&name, named[k].name);
        if (name.len == 0)
            buf_printf(&name, "<|reserved_special_token_%d|>", reserved++);
        ok = tokenizer_add_token(
            t, (AddedToken){ .content = buf_str(&name), .id = 128000 + i, .special = true }, err);
    }
    buf_release(&name);
    t->bos = 128000;
    t->eos = 128001;
    return ok;
}
