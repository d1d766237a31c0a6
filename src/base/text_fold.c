/* Text made comparable (search keys, command words) and text made harmless (input), over ICU's
 * normalisation tables.  What is stored and shown never passes through the first two. */
#include "config.h"

#include <stdlib.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>

#include "src/base/mem.h"
#include "src/base/text.h"
#include "src/base/utf8.h"

/* ICU counts in int32_t; longer text is folded up to here. */
static const size_t FOLD_MAX = (size_t)1 << 28;

enum {
    DAKUTEN = 0x3099,
    HANDAKUTEN = 0x309A,
    SPACING_DAKUTEN = 0x309B,
    SPACING_HANDAKUTEN = 0x309C
};

static bool is_kana(unsigned cp)
{
    return (cp >= 0x3041 && cp <= 0x3096) || cp == 0x309D || (cp >= 0x30A1 && cp <= 0x30FA) ||
           cp == 0x30FD || (cp >= 0xFF66 && cp <= 0xFF9D);
}

typedef struct {
    UChar *units;
    int32_t n;
} Utf16;

/* With join_marks a spacing voice mark after kana becomes the combining one, so that か゛ is が. */
static Utf16 utf16_of(Str s, bool join_marks)
{
    Utf16 wide = { xmalloc((s.len + 1) * sizeof(UChar)), 0 };
    unsigned before = 0;

    for (size_t pos = 0; pos < s.len;) {
        unsigned cp = utf8_next(s, &pos);

        if (join_marks && is_kana(before) && cp == SPACING_DAKUTEN)
            cp = DAKUTEN;
        else if (join_marks && is_kana(before) && cp == SPACING_HANDAKUTEN)
            cp = HANDAKUTEN;
        U16_APPEND_UNSAFE(wide.units, wide.n, cp);
        before = cp;
    }
    return wide;
}

static Utf16 normalized(const UNormalizer2 *form, Utf16 in)
{
    UErrorCode status = U_ZERO_ERROR;
    Utf16 out = { NULL, 0 };
    int32_t need = unorm2_normalize(form, in.units, in.n, NULL, 0, &status);

    if (status != U_BUFFER_OVERFLOW_ERROR && U_FAILURE(status))
        need = 0;
    out.units = xmalloc(((size_t)need + 1) * sizeof(UChar));
    status = U_ZERO_ERROR;
    if (need)
        out.n = unorm2_normalize(form, in.units, in.n, out.units, need + 1, &status);
    if (U_FAILURE(status))
        out.n = 0;
    return out;
}

static unsigned to_hiragana(unsigned cp)
{
    return (cp >= 0x30A1 && cp <= 0x30F6) || cp == 0x30FD || cp == 0x30FE ? cp - 0x60 : cp;
}

static void append_normalized(Str s, const UNormalizer2 *form, bool as_key, Buf *out)
{
    Utf16 in, key;

    if (s.len > FOLD_MAX)
        s.len = utf8_floor(s, FOLD_MAX);
    in = utf16_of(s, as_key);
    key = normalized(form, in);
    for (int32_t i = 0; i < key.n;) {
        UChar32 cp;

        U16_NEXT(key.units, i, key.n, cp);
        buf_put_utf8(out, as_key ? to_hiragana((unsigned)cp) : (unsigned)cp);
    }
    free(in.units);
    free(key.units);
}

void text_fold(Str s, Buf *out)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *form = unorm2_getNFKCCasefoldInstance(&status);

    if (U_SUCCESS(status))
        append_normalized(s, form, true, out);
    else
        utf8_append_valid(out, s); /* ICU without its data: unfolded still finds exact words */
}

void text_nfkc(Str s, Buf *out)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *form = unorm2_getNFKCInstance(&status);

    if (U_SUCCESS(status))
        append_normalized(s, form, false, out);
    else
        utf8_append_valid(out, s);
}

/* The kana that `before` and the mark after it make, or 0. */
static unsigned composed(unsigned before, unsigned mark)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfc;
    UChar32 pair;

    if ((mark != DAKUTEN && mark != HANDAKUTEN) || !is_kana(before))
        return 0;
    nfc = unorm2_getNFCInstance(&status);
    if (U_FAILURE(status))
        return 0;
    pair = unorm2_composePair(nfc, (UChar32)before, (UChar32)mark);
    return pair < 0 ? 0 : (unsigned)pair;
}

void text_clean_input(Str s, Buf *out)
{
    unsigned before = 0;
    size_t before_at = out->len;

    for (size_t pos = 0; pos < s.len;) {
        bool first = pos == 0;
        unsigned cp = utf8_next(s, &pos), pair;

        if (cp == '\r') {
            if (pos < s.len && s.data[pos] == '\n')
                continue;
            cp = '\n';
        }
        if ((first && cp == 0xFEFF) || (cp < 0x20 && cp != '\t' && cp != '\n') ||
            (cp >= 0x7F && cp < 0xA0))
            continue;
        pair = composed(before, cp);
        if (pair) {
            buf_truncate(out, before_at);
            cp = pair;
        }
        before = cp;
        before_at = out->len;
        buf_put_utf8(out, cp);
    }
}
