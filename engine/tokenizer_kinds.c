/* The kinds of tokenizers whose files name no pipeline: GGUF's tokenizer.ggml.pre, vocabulary
 * and merges in plain files, and SentencePiece models.  The expressions are those of llama.cpp's
 * llama-vocab.cpp, one after another, each isolating its matches; a new kind is a new row. */
#include "config.h"

#include <string.h>

#include "engine/tokenizer_parts.h"
#include "src/base/mem.h"

/* Letters with case, spelled out: DeepSeek lists them by hand. */
static const char *const deepseek_llm[] = {
    "[\\r\\n]",
    "\\s?[A-Za-z\\u00B5\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u01BA\\u01BC-\\u01BF\\u01C4-"
    "\\u0293\\u0295-\\u02AF\\u0370-\\u0373\\u0376\\u0377\\u037B-\\u037D\\u037F\\u0386\\u0388-"
    "\\u038A\\u038C\\u038E-\\u03A1\\u03A3-\\u03F5\\u03F7-\\u0481\\u048A-\\u052F\\u0531-"
    "\\u0556\\u10A0-\\u10C5\\u13A0-\\u13F5\\u13F8-\\u13FD\\u1C90-\\u1CBA\\u1CBD-\\u1CBF"
    "\\u1D00-\\u1D2B\\u1D6B-\\u1D77\\u1D79-\\u1D9A\\u1E00-\\u1F15\\u1F18-\\u1F1D\\u1F20-"
    "\\u1F45\\u1F48-\\u1F4D\\u1F50-\\u1F57\\u1F59\\u1F5B\\u1F5D\\u1F5F-\\u1F7D\\u1F80-\\u1FB4"
    "\\u1FB6-\\u1FBC\\u1FBE\\u1FC2-\\u1FC4\\u1FC6-\\u1FCC\\u1FD0-\\u1FD3\\u1FD6-\\u1FDB"
    "\\u1FE0-\\u1FEC\\u1FF2-\\u1FF4\\u1FF6-\\u1FFC\\u2102\\u2107\\u210A-\\u2113\\u2115\\u2119"
    "-\\u211D\\u2124\\u2126\\u2128\\u212A-\\u212D\\u212F-\\u2134\\u2139\\u213C-\\u213F\\u2145"
    "-\\u2149\\u214E\\u2183\\u2184\\u2C00-\\u2C7B\\u2C7E-\\u2CE4\\u2CEB-\\u2CEE\\u2CF2\\u2CF3"
    "\\uA640-\\uA66D\\uA680-\\uA69B\\uA722-\\uA76F\\uA771-\\uA787\\uA78B-\\uA78E\\uAB70-"
    "\\uABBF\\uFB00-\\uFB06\\uFB13-\\uFB17\\uFF21-\\uFF3A\\uFF41-\\uFF5A\\U00010400-"
    "\\U0001044F\\U000104B0-\\U000104D3\\U000104D8-\\U000104FB\\U00010C80-\\U00010CB2"
    "\\U00010CC0-\\U00010CF2\\U000118A0-\\U000118DF\\U0001E900-\\U0001E943]+",
    "\\s?[!-/:-~\\uFF01-\\uFF0F\\uFF1A-\\uFF5E\\u2018-\\u201F\\u3000-\\u3002]+",
    "\\s+$",
    "[\\u4E00-\\u9FA5\\u0800-\\u4E00\\uAC00-\\uD7FF]+",
    "\\p{N}+",
    NULL,
};
static const char *const deepseek_coder[] = {
    "[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[\\u4E00-\\u9FA5\\u0800-\\u4E00\\uAC00-\\uD7FF]+",
    "\\p{N}",   NULL,
};
static const char *const deepseek_v3[] = {
    "\\p{N}{1,3}",
    "[\\u4E00-\\u9FA5\\u3040-\\u309F\\u30A0-\\u30FF]+",
    "[!\"#$%&'()*+,\\-./"
    ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
    " ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    NULL,
};
#define GPT2_REGEX                                                                                 \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
static const char *const falcon[] = { "[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2_REGEX, "[0-9][0-9][0-9]",
                                      NULL };
static const char *const bloom[] = {
    " ?[^(\\s|.,!?\\u2026\\u3002\\uFF0C\\u3001\\u0964\\u06D4\\u060C)]+", NULL
};
static const char *const viking[] = {
    " ?[^(\\s|.,!?\\u2026\\u3002\\uFF0C\\u3001\\u0964\\u06D4\\u060C)]+", "\\p{N}", NULL
};

#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define NO_WORD "[^\\r\\n\\p{L}\\p{N}]?"
#define CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
#define O200K_TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
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
    { .name = "trillion", .kind = "bpe-gpt2", .rule = "gpt2" },
    { .name = "granite-docling", .kind = "bpe-gpt2", .rule = "gpt2" },
    { .name = "gigachat", .kind = "bpe-gpt2", .rule = "gpt2" },
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
    { .name = "falcon-h1",
      .kind = "bpe-llama3",
      .rule = "llama3",
      .ignore_merges = true,
      .adds_bos = true },
    { .name = "pixtral",
      .kind = "bpe-llama3",
      .rule = "llama3",
      .ignore_merges = true,
      .adds_bos = true },
    { .name = "lfm2",
      .kind = "bpe-llama3",
      .rule = "llama3",
      .ignore_merges = true,
      .adds_bos = true },
    { .name = "dbrx", .kind = "bpe-llama3", .rule = "llama3" },
    { .name = "smaug-bpe", .kind = "bpe-llama3", .rule = "llama3" },
    { .name = "glm4", .kind = "bpe-llama3", .rule = "llama3" },
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
    { .name = "hunyuan-dense", .kind = "bpe-deepseek", .regexes = deepseek_v3 },
    { .name = "tekken", .kind = "bpe-tekken", .regexes = tekken, .ignore_merges = true },
    { .name = "gpt-4o", .kind = "bpe-gpt4o", .regexes = gpt4o },
    { .name = "llama4", .kind = "bpe-gpt4o", .regexes = gpt4o },
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
