/* ICU for tokenizers: the one file of the engine that includes it.  Classes of characters,
 * normal forms with the origin of every byte kept, and regular expressions for the patterns that
 * split_rules.c does not know. */
#include "config.h"

#include "engine/split.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uregex.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"

/* ---- characters ---- */

unsigned char_class(unsigned cp)
{
    uint32_t mask = U_MASK(u_charType((UChar32)cp));
    unsigned class = 0;
    if (mask & U_GC_L_MASK)
        class |= CHAR_LETTER;
    if (mask & U_GC_M_MASK)
        class |= CHAR_MARK;
    if (mask & U_GC_N_MASK)
        class |= CHAR_NUMBER;
    if (u_isUWhiteSpace((UChar32)cp))
        class |= CHAR_SPACE;
    if (cp == '\r' || cp == '\n')
        class |= CHAR_NEWLINE;
    bool ascii = cp < 0x80 && cp > ' ' && cp != 0x7F && !(mask & (U_GC_L_MASK | U_GC_N_MASK));
    if (ascii || (mask & U_GC_P_MASK))
        class |= CHAR_PUNCTUATION;
    return class;
}

bool char_is_word(unsigned cp)
{
    uint32_t mask = U_MASK(u_charType((UChar32)cp));
    return (mask & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0 ||
           u_hasBinaryProperty((UChar32)cp, UCHAR_ALPHABETIC) ||
           u_hasBinaryProperty((UChar32)cp, UCHAR_JOIN_CONTROL);
}

unsigned char_at(Str s, size_t pos, size_t *len)
{
    const uint8_t *p = (const uint8_t *)s.data;
    size_t i = pos;
    UChar32 c;
    U8_NEXT_OR_FFFD(p, i, s.len, c);
    *len = i - pos;
    return (unsigned)c;
}

unsigned char_before(Str s, size_t pos, size_t *len)
{
    size_t start = pos - 1;
    while (start > 0 && pos - start < 4 && ((unsigned char)s.data[start] & 0xC0) == 0x80)
        start--;
    *len = pos - start;
    size_t ignored;
    return char_at(str_sub(s, 0, pos), start, &ignored);
}

/* ---- UTF-16 ---- */

/* The length that ICU takes is an int32_t: pieces above 256 MiB are refused before this. */
static UChar *to_utf16(Str s, int32_t *len, Error *err)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar *text = s.len < (1u << 28) ? mem_try_alloc(s.len + 1, sizeof(*text)) : NULL;
    if (text)
        u_strFromUTF8(text, (int32_t)s.len + 1, len, s.data ? s.data : "", (int32_t)s.len, &status);
    if (!text || U_FAILURE(status)) {
        free(text);
        error_set(err, ERR_MEMORY, _("text is too long to be split into tokens (%zu bytes)"),
                  s.len);
        return NULL;
    }
    return text;
}

static void append_utf16(Buf *out, const UChar *text, int32_t len)
{
    for (int32_t i = 0; i < len;) {
        UChar32 c;
        U16_NEXT(text, i, len, c);
        buf_put_utf8(out, (unsigned)c);
    }
}

/* Bytes of UTF-8 that text[from..to) takes. */
static size_t utf8_bytes(const UChar *text, int32_t from, int32_t to)
{
    size_t bytes = 0;
    while (from < to) {
        UChar32 c;
        U16_NEXT(text, from, to, c);
        bytes += (size_t)U8_LENGTH(c);
    }
    return bytes;
}

/* ---- normal forms ---- */

static const UNormalizer2 *normalizer_of(NormalForm form)
{
    UErrorCode status = U_ZERO_ERROR;
    switch (form) {
    case FORM_NFC:
        return unorm2_getNFCInstance(&status);
    case FORM_NFD:
        return unorm2_getNFDInstance(&status);
    case FORM_NFKC:
        return unorm2_getNFKCInstance(&status);
    default:
        return unorm2_getNFKDInstance(&status);
    }
}

/* The end of the stretch that starts at `from` and can be normalised alone. */
static int32_t stretch_end(const UNormalizer2 *normalizer, const UChar *text, int32_t from,
                           int32_t len)
{
    int32_t i = from;
    while (i < len) {
        int32_t next = i;
        UChar32 c;
        U16_NEXT(text, next, len, c);
        if (i > from && unorm2_hasBoundaryBefore(normalizer, c))
            break;
        i = next;
    }
    return i;
}

typedef struct {
    UChar *text; /* scratch */
    int32_t cap;
} Wide;

static bool normalize_stretch(const UNormalizer2 *normalizer, const UChar *text, int32_t len,
                              Wide *wide, Buf *out)
{
    for (;;) {
        UErrorCode status = U_ZERO_ERROR;
        int32_t n = unorm2_normalize(normalizer, text, len, wide->text, wide->cap, &status);
        if (U_SUCCESS(status)) {
            append_utf16(out, wide->text, n);
            return true;
        }
        if (status != U_BUFFER_OVERFLOW_ERROR)
            return false;
        wide->text = xreallocarray(wide->text, (size_t)n + 16, sizeof(*wide->text));
        wide->cap = n + 16;
    }
}

static char smallest(const char *marks, size_t n)
{
    char least = n ? marks[0] : 0;
    for (size_t i = 1; i < n; i++)
        least = marks[i] < least ? marks[i] : least;
    return least;
}

bool text_normalize(NormalForm form, Str s, const char *marks, Buf *out, Buf *marks_out, Error *err)
{
    int32_t len = 0;
    UChar *text = to_utf16(s, &len, err);
    if (!text)
        return false;
    const UNormalizer2 *normalizer = normalizer_of(form);
    Wide wide = { NULL, 0 };
    bool ok = normalizer != NULL;
    size_t byte = 0;
    for (int32_t i = 0; ok && i < len;) {
        UErrorCode status = U_ZERO_ERROR;
        int32_t same = unorm2_spanQuickCheckYes(normalizer, text + i, len - i, &status);
        size_t bytes = utf8_bytes(text, i, i + same);
        buf_append(out, s.data + byte, bytes);
        buf_append(marks_out, marks + byte, bytes);
        byte += bytes;
        i += same;
        if (i >= len || U_FAILURE(status))
            break;
        int32_t end = stretch_end(normalizer, text, i, len);
        size_t before = out->len;
        bytes = utf8_bytes(text, i, end);
        ok = normalize_stretch(normalizer, text + i, end - i, &wide, out);
        char mark = smallest(marks + byte, bytes);
        for (size_t k = before; k < out->len; k++)
            buf_putc(marks_out, mark);
        byte += bytes;
        i = end;
    }
    free(wide.text);
    free(text);
    return ok || error_set(err, ERR_MEMORY, _("text cannot be brought into a Unicode normal form"));
}

/* ---- regular expressions ---- */

struct SplitRegex {
    URegularExpression *compiled; /* cloned for every use */
};

enum {
    REGEX_TIME_LIMIT = 5000, /* in ICU's steps of about a millisecond each */
    REGEX_STACK_LIMIT = 64 << 20
};

/* ICU runs x+ without a backtracking state for each step when x is a set, but not when it is \s or
 * its like; so those are written as sets: [\s]. */
static void shorthand_to_sets(Str regex, Buf *out)
{
    int depth = 0; /* of [ ] */
    for (size_t i = 0; i < regex.len; i++) {
        char c = regex.data[i], next = i + 1 < regex.len ? regex.data[i + 1] : '\0';
        if (c == '\\' && next) {
            bool alone = depth == 0 && strchr("sSwWdD", next);
            buf_puts(out, alone ? "[" : "");
            buf_append(out, regex.data + i++, 2);
            buf_puts(out, alone ? "]" : "");
            continue;
        }
        depth += c == '[';
        depth -= c == ']' && depth > 0;
        buf_putc(out, c);
    }
}

SplitRegex *split_regex_new(Str regex, Error *err)
{
    int32_t len = 0;
    Buf sets = BUF_INIT;
    shorthand_to_sets(regex, &sets);
    UChar *wide = to_utf16(buf_str(&sets), &len, err);
    buf_release(&sets);
    if (!wide)
        return NULL;
    UParseError where;
    UErrorCode status = U_ZERO_ERROR;
    /* Hugging Face's expressions are Oniguruma's, where ^ and $ match at lines. */
    URegularExpression *compiled = uregex_open(wide, len, UREGEX_MULTILINE, &where, &status);
    free(wide);
    if (U_FAILURE(status)) {
        error_set(err, ERR_UNSUPPORTED,
                  _("pattern \"%.*s\" is not a regular expression that can be read: %s"),
                  (int)(regex.len > 200 ? 200 : regex.len), regex.data, u_errorName(status));
        return NULL;
    }
    SplitRegex *out = xmalloc(sizeof(*out));
    out->compiled = compiled;
    return out;
}

void split_regex_free(SplitRegex *regex)
{
    if (!regex)
        return;
    uregex_close(regex->compiled);
    free(regex);
}

static void matches_add(Matches *out, size_t start, size_t end)
{
    if (start == end)
        return;
    if (out->n == out->cap)
        out->items = mem_grow(out->items, &out->cap, out->n + 1, sizeof(*out->items));
    out->items[out->n++] = (Match){ start, end };
}

/* ---- patterns ---- */

void pattern_release(Pattern *pattern)
{
    split_regex_free(pattern->regex);
    free(pattern->literal);
    *pattern = (Pattern){ 0 };
}

struct PatternRun {
    const Pattern *pattern;
    Str text;
    /* Regular expressions only: */
    URegularExpression *regex;
    UChar *wide;
    int32_t wide_len, wide_at; /* wide_at and byte_at are the same place */
    size_t byte_at;
};

PatternRun *pattern_run_new(const Pattern *pattern, Str text, Error *err)
{
    PatternRun *run = xcalloc(1, sizeof(*run));
    run->pattern = pattern;
    run->text = text;
    if (pattern->rule || pattern->literal)
        return run;
    UErrorCode status = U_ZERO_ERROR;
    run->wide = to_utf16(text, &run->wide_len, err);
    if (!run->wide)
        goto fail;
    run->regex = uregex_clone(pattern->regex->compiled, &status);
    uregex_setText(run->regex, run->wide, run->wide_len, &status);
    uregex_setTimeLimit(run->regex, REGEX_TIME_LIMIT, &status);
    uregex_setStackLimit(run->regex, REGEX_STACK_LIMIT, &status);
    if (U_SUCCESS(status))
        return run;
    error_set(err, ERR_MEMORY, _("a tokenizer's pattern cannot be set up: %s"),
              u_errorName(status));
fail:
    pattern_run_free(run);
    return NULL;
}

void pattern_run_free(PatternRun *run)
{
    if (!run)
        return;
    if (run->regex)
        uregex_close(run->regex);
    free(run->wide);
    free(run);
}

/* Moves to `to` in UTF-16, which is not before where we are; gives the byte. */
static size_t run_advance(PatternRun *run, int32_t to)
{
    run->byte_at += utf8_bytes(run->wide, run->wide_at, to);
    run->wide_at = to;
    return run->byte_at;
}

/* Moves to the byte `to`; gives the place in UTF-16. */
static int32_t run_seek(PatternRun *run, size_t to)
{
    while (run->byte_at < to && run->wide_at < run->wide_len) {
        UChar32 c;
        U16_NEXT(run->wide, run->wide_at, run->wide_len, c);
        run->byte_at += (size_t)U8_LENGTH(c);
    }
    return run->wide_at;
}

static bool regex_find(PatternRun *run, size_t start, size_t end, Matches *out, Error *err)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t from = run_seek(run, start), at = from;
    /* The end is as many characters away as the bytes say. */
    size_t byte = start;
    int32_t to = from;
    while (byte < end && to < run->wide_len) {
        UChar32 c;
        U16_NEXT(run->wide, to, run->wide_len, c);
        byte += (size_t)U8_LENGTH(c);
    }
    uregex_setRegion(run->regex, from, to, &status);
    while (U_SUCCESS(status) && uregex_findNext(run->regex, &status)) {
        int32_t first = uregex_start(run->regex, 0, &status);
        int32_t last = uregex_end(run->regex, 0, &status);
        if (U_FAILURE(status) || first < at)
            break;
        size_t first_byte = run_advance(run, first);
        matches_add(out, first_byte, run_advance(run, last));
        at = last;
    }
    if (U_SUCCESS(status))
        return true;
    return error_set(
        err, ERR_UNSUPPORTED,
        _("text cannot be split into tokens: the tokenizer's pattern fails on it (%s)"),
        u_errorName(status));
}

static void literal_find(Str literal, Str text, size_t at, size_t end, Matches *out)
{
    while (at + literal.len <= end) {
        const char *found = memmem(text.data + at, end - at, literal.data, literal.len);
        if (!found)
            break;
        at = (size_t)(found - text.data) + literal.len;
        matches_add(out, at - literal.len, at);
    }
}

static void rule_find(MatchFn match, Str text, size_t start, size_t end, Matches *out)
{
    Str s = str_sub(text, start, end - start);
    size_t at = 0;
    while (at < s.len) {
        size_t stop = match(s, at), len;
        if (stop > at) {
            matches_add(out, start + at, start + stop);
            at = stop;
        } else {
            char_at(s, at, &len);
            at += len;
        }
    }
}

bool pattern_run_find(PatternRun *run, size_t start, size_t end, Matches *out, Error *err)
{
    const Pattern *pattern = run->pattern;
    out->n = 0;
    if (start >= end)
        return true;
    if (pattern->rule)
        rule_find(pattern->rule->match, run->text, start, end, out);
    else if (pattern->literal)
        literal_find(str_of(pattern->literal, pattern->literal_len), run->text, start, end, out);
    else
        return regex_find(run, start, end, out, err);
    return true;
}
