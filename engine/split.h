/* What tokenizers ask Unicode: classes of characters, normal forms, regular expressions; and the
 * rules that split a text into pieces before byte-pair encoding.
 *
 * All text is valid UTF-8.  The common rules are matched by hand in linear time; any other
 * pattern runs through ICU's regular expressions under a time limit. */
#ifndef ENGINE_SPLIT_H
#define ENGINE_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/error.h"

/* ---- characters ---- */

enum {
    CHAR_LETTER = 1,       /* \p{L} */
    CHAR_MARK = 2,         /* \p{M} */
    CHAR_NUMBER = 4,       /* \p{N} */
    CHAR_SPACE = 8,        /* White_Space, as \s */
    CHAR_NEWLINE = 16,     /* \r or \n */
    CHAR_PUNCTUATION = 32, /* \p{P} or ASCII punctuation */
};

unsigned char_class(unsigned cp);
bool char_is_word(unsigned cp); /* \w */
/* The character at pos of valid UTF-8; *len gets its bytes. */
unsigned char_at(Str s, size_t pos, size_t *len);
/* The character that ends before pos (> 0). */
unsigned char_before(Str s, size_t pos, size_t *len);

/* ---- normal forms ---- */

typedef enum { FORM_NFC, FORM_NFD, FORM_NFKC, FORM_NFKD } NormalForm;

/* Appends s in the form.  marks has one byte for each byte of s; marks_out gets one for each
 * byte appended: of a changed stretch the smallest of its marks. */
bool text_normalize(NormalForm form, Str s, const char *marks, Buf *out, Buf *marks_out,
                    Error *err);

/* ---- patterns ---- */

/* The end of the match at pos, or pos when there is none.  pos < s.len. */
typedef size_t (*MatchFn)(Str s, size_t pos);

typedef struct {
    const char *name; /* for people and for tokenizer_kind: "gpt2", "llama3", … */
    MatchFn match;
} SplitRule;

const SplitRule *split_rule_named(const char *name); /* asserts that it exists */
/* The rule for a regular expression as tokenizer.json files spell it, or NULL for an unknown
 * one. */
const SplitRule *split_rule_of_regex(Str regex);

typedef struct SplitRegex SplitRegex; /* compiled; immutable */
SplitRegex *split_regex_new(Str regex, Error *err);
void split_regex_free(SplitRegex *regex);

/* One of rule, regex and literal is set. */
typedef struct {
    const SplitRule *rule;
    SplitRegex *regex;
    char *literal;
    size_t literal_len;
} Pattern;

void pattern_release(Pattern *pattern);

typedef struct {
    size_t start, end;
} Match;

typedef struct {
    Match *items;
    size_t n, cap;
} Matches;

/* One pattern at work on one text; it serves many stretches of the text, in rising order. */
typedef struct PatternRun PatternRun;
PatternRun *pattern_run_new(const Pattern *pattern, Str text, Error *err);
void pattern_run_free(PatternRun *run);
/* All matches in text[start..end) as if that were the whole text, left to right, none empty, as
 * offsets into the text. Fails when a regular expression takes too long. */
bool pattern_run_find(PatternRun *run, size_t start, size_t end, Matches *out, Error *err);

#endif
