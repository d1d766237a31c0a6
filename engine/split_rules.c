/* The splits that models really use, matched by hand in linear time.  Each function gives the
 * end of the match at a place: it is one regular expression's alternatives, tried in their
 * order.  formats.md-like notes on the expressions stand at the table below, which also knows
 * their usual spellings. */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "engine/split.h"

static unsigned class_at(Str s, size_t pos, size_t *len)
{
    return char_class(char_at(s, pos, len));
}

/* The end of the run of characters from pos whose class has a bit of `any` and none of `none`;
 * any 0: every class. */
static size_t run_end(Str s, size_t pos, unsigned any, unsigned none)
{
    size_t len;
    while (pos < s.len) {
        unsigned class = class_at(s, pos, &len);
        if ((any && !(class & any)) || (class & none))
            break;
        pos += len;
    }
    return pos;
}

/* \s+(?!\S)|\s+: a run of white space, less its last character when something follows it. */
static size_t match_space(Str s, size_t pos)
{
    size_t end = run_end(s, pos, CHAR_SPACE, 0), len;
    if (end == pos || end == s.len)
        return end;
    char_before(s, end, &len);
    return end - len > pos ? end - len : end;
}

/* 's|'t|'re|'ve|'m|'ll|'d after the apostrophe at pos; without regard to case also 'ſ (U+017F
 * folds to s). */
static size_t match_contraction(Str s, size_t pos, bool any_case, bool long_s)
{
    static const char *const endings[] = { "s", "t", "re", "ve", "m", "ll", "d" };
    if (s.data[pos] != '\'')
        return pos;
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        size_t n = strlen(endings[i]), k = 0;
        if (pos + 1 + n > s.len)
            continue;
        for (; k < n; k++) {
            char c = s.data[pos + 1 + k];
            if (any_case && c >= 'A' && c <= 'Z')
                c = (char)(c + 32);
            if (c != endings[i][k])
                break;
        }
        if (k == n)
            return pos + 1 + n;
    }
    if (long_s && str_starts(str_from_offset(s, pos + 1), STR("\xC5\xBF")))
        return pos + 3;
    return pos;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t match_gpt2(Str s, size_t pos)
{
    size_t end = match_contraction(s, pos, false, false), len;
    if (end > pos)
        return end;
    size_t at = pos + (s.data[pos] == ' ');
    if (at < s.len) {
        unsigned class = class_at(s, at, &len);
        if (class & CHAR_LETTER)
            return run_end(s, at, CHAR_LETTER, 0);
        if (class & CHAR_NUMBER)
            return run_end(s, at, CHAR_NUMBER, 0);
        if (!(class & CHAR_SPACE))
            return run_end(s, at, 0, CHAR_SPACE | CHAR_LETTER | CHAR_NUMBER);
    }
    return match_space(s, pos);
}

/* What the family of Llama 3's expression differs in. */
typedef struct {
    bool long_s;
    int digits;       /* at most so many to a piece */
    unsigned letters; /* classes that make words */
} WordRule;

/* \s*[\r\n]+: white space up to the last line end of its run. */
static size_t match_lines(Str s, size_t pos)
{
    size_t end = pos, len;
    for (size_t at = pos; at < s.len; at += len) {
        unsigned class = class_at(s, at, &len);
        if (!(class & CHAR_SPACE))
            break;
        if (class & CHAR_NEWLINE)
            end = at + len;
    }
    return end;
}

static size_t match_digits(Str s, size_t pos, int most)
{
    size_t len;
    while (most-- > 0 && pos < s.len && (class_at(s, pos, &len) & CHAR_NUMBER))
        pos += len;
    return pos;
}

/* [^\r\n\p{L}\p{N}]?\p{L}+, or pos. */
static size_t match_word(Str s, size_t pos, unsigned letters)
{
    size_t len, next_len;
    unsigned class = class_at(s, pos, &len);
    if (!(class & (CHAR_NEWLINE | CHAR_LETTER | CHAR_NUMBER)) && pos + len < s.len &&
        (class_at(s, pos + len, &next_len) & letters))
        return run_end(s, pos + len, letters, 0);
    return (class & letters) ? run_end(s, pos, letters, 0) : pos;
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
 * ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t match_words(Str s, size_t pos, const WordRule *rule)
{
    size_t end = match_contraction(s, pos, true, rule->long_s), len;
    if (end == pos)
        end = match_word(s, pos, rule->letters);
    if (end == pos)
        end = match_digits(s, pos, rule->digits);
    if (end > pos)
        return end;
    size_t at = pos + (s.data[pos] == ' ');
    unsigned not_symbol = CHAR_SPACE | rule->letters | CHAR_NUMBER;
    if (at < s.len && !(class_at(s, at, &len) & not_symbol))
        return run_end(s, run_end(s, at, 0, not_symbol), CHAR_NEWLINE, 0);
    end = match_lines(s, pos);
    return end > pos ? end : match_space(s, pos);
}

static size_t match_llama3(Str s, size_t pos)
{
    return match_words(s, pos, &(WordRule){ true, 3, CHAR_LETTER });
}

static size_t match_llama3_ascii(Str s, size_t pos)
{
    return match_words(s, pos, &(WordRule){ false, 3, CHAR_LETTER });
}

static size_t match_qwen2(Str s, size_t pos)
{
    return match_words(s, pos, &(WordRule){ true, 1, CHAR_LETTER });
}

static size_t match_qwen2_ascii(Str s, size_t pos)
{
    return match_words(s, pos, &(WordRule){ false, 1, CHAR_LETTER });
}

static size_t match_qwen35(Str s, size_t pos)
{
    return match_words(s, pos, &(WordRule){ true, 1, CHAR_LETTER | CHAR_MARK });
}

static size_t match_qwen35_ascii(Str s, size_t pos)
{
    return match_words(s, pos, &(WordRule){ false, 1, CHAR_LETTER | CHAR_MARK });
}

/* One character of a class. */
static size_t match_one(Str s, size_t pos, unsigned any)
{
    size_t len;
    return class_at(s, pos, &len) & any ? pos + len : pos;
}

static size_t match_digit(Str s, size_t pos)
{
    return match_one(s, pos, CHAR_NUMBER);
}

static size_t match_punctuation(Str s, size_t pos)
{
    return match_one(s, pos, CHAR_PUNCTUATION);
}

static size_t match_white(Str s, size_t pos)
{
    return match_one(s, pos, CHAR_SPACE);
}

/* \w+|[^\w\s]+ */
static size_t match_words_or_symbols(Str s, size_t pos)
{
    size_t at = pos, len;
    bool word = false;
    while (at < s.len) {
        unsigned cp = char_at(s, at, &len);
        bool is_word = char_is_word(cp);
        if ((!is_word && (char_class(cp) & CHAR_SPACE)) || (at > pos && is_word != word))
            break;
        word = is_word;
        at += len;
    }
    return at;
}

static size_t match_three_digits(Str s, size_t pos)
{
    for (size_t i = 0; i < 3; i++)
        if (pos + i >= s.len || s.data[pos + i] < '0' || s.data[pos + i] > '9')
            return pos;
    return pos + 3;
}

static const SplitRule rules[] = {
    { "gpt2", match_gpt2 },
    { "llama3", match_llama3 },
    { "llama3-ascii", match_llama3_ascii },
    { "qwen2", match_qwen2 },
    { "qwen2-ascii", match_qwen2_ascii },
    { "qwen35", match_qwen35 },
    { "qwen35-ascii", match_qwen35_ascii },
    { "digit", match_digit },
    { "punctuation", match_punctuation },
    { "space", match_white },
    { "words-or-symbols", match_words_or_symbols },
    { "three-digits", match_three_digits },
};

const SplitRule *split_rule_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (strcmp(rules[i].name, name) == 0)
            return &rules[i];
    assert(!"a rule of that name");
    return NULL;
}

/* Expressions by head (contractions), and what follows it. */
#define ANY_CASE         "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
#define ANY_CASE_SHORT   "'(?i:[sdmt]|ll|ve|re)|"
#define ANY_CASE_ASCII   "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|"
#define TAIL             "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define TAIL_TIKTOKEN    "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
#define WORDS            "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define WORDS_TIKTOKEN   "[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|"
#define WORDS_MARKS      "[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|"
#define THREE            "\\p{N}{1,3}|"
#define ONE              "\\p{N}|"
#define SYMBOLS          " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define SYMBOLS_TIKTOKEN " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*"
#define SYMBOLS_MARKS    " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"

static const struct {
    const char *regex, *rule;
} spellings[] = {
    { "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
      "gpt2" },
    { "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", "gpt2" },
    { ANY_CASE WORDS THREE SYMBOLS TAIL, "llama3" },
    { ANY_CASE_SHORT WORDS THREE SYMBOLS TAIL, "llama3" },
    { ANY_CASE_SHORT WORDS_TIKTOKEN THREE SYMBOLS_TIKTOKEN TAIL_TIKTOKEN, "llama3" },
    { ANY_CASE_ASCII WORDS THREE SYMBOLS TAIL, "llama3-ascii" },
    { ANY_CASE WORDS ONE SYMBOLS TAIL, "qwen2" },
    { ANY_CASE_SHORT WORDS ONE SYMBOLS TAIL, "qwen2" },
    { ANY_CASE_ASCII WORDS ONE SYMBOLS TAIL, "qwen2-ascii" },
    { ANY_CASE WORDS_MARKS ONE SYMBOLS_MARKS TAIL, "qwen35" },
    { ANY_CASE_ASCII WORDS_MARKS ONE SYMBOLS_MARKS TAIL, "qwen35-ascii" },
    { "\\p{N}", "digit" },
    { "\\s", "space" },
    { "\\w+|[^\\w\\s]+", "words-or-symbols" },
    { "[0-9][0-9][0-9]", "three-digits" },
};

const SplitRule *split_rule_of_regex(Str regex)
{
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++)
        if (str_eq_c(regex, spellings[i].regex))
            return split_rule_named(spellings[i].rule);
    return NULL;
}
