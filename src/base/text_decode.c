/* Which character set are these bytes in, and what do they say?
 *
 * Recognition is an order of strict questions, not a statistical guess over all the world's
 * encodings: a byte order mark; escapes of ISO-2022-JP; valid UTF-8; then UTF-16, Shift_JIS and
 * EUC-JP, of those that decode without a single error the one whose text looks most like Japanese.
 */
#include "config.h"

#include <string.h>
#include <strings.h>
#include <unicode/uchar.h>
#include <unicode/ucnv.h>

#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/text.h"
#include "src/base/utf8.h"

typedef struct {
    const char *name;      /* what the user is told */
    const char *converter; /* ICU's name */
} Charset;

/* Converts all of bytes; on an error *bad gets the offset of the byte after what did not fit. */
static bool convert(Str bytes, UConverter *from, Buf *out, size_t *bad)
{
    UErrorCode status = U_ZERO_ERROR;
    UConverter *to = ucnv_open("UTF-8", &status);
    UChar pivot[1024], *pivot_source = pivot, *pivot_target = pivot;
    const char *source = bytes.data ? bytes.data : "", *end = source + bytes.len;
    bool reset = true;

    ucnv_setToUCallBack(from, UCNV_TO_U_CALLBACK_STOP, NULL, NULL, NULL, &status);
    do {
        char chunk[4096], *target = chunk;

        if (status == U_BUFFER_OVERFLOW_ERROR)
            status = U_ZERO_ERROR;
        ucnv_convertEx(to, from, &target, chunk + sizeof chunk, &source, end, pivot, &pivot_source,
                       &pivot_target, pivot + ARRAY_LEN(pivot), reset, true, &status);
        reset = false;
        buf_append(out, chunk, (size_t)(target - chunk));
    } while (status == U_BUFFER_OVERFLOW_ERROR);
    *bad = bytes.len - (size_t)(end - source);
    ucnv_close(to);
    return U_SUCCESS(status);
}

/* Appends to out, or leaves it as it was and returns false. */
static bool try_charset(Str bytes, const char *converter, Buf *out)
{
    UErrorCode status = U_ZERO_ERROR;
    UConverter *from = ucnv_open(converter, &status);
    size_t before = out->len, bad;
    bool ok = U_SUCCESS(status) && convert(bytes, from, out, &bad);

    ucnv_close(from);
    if (!ok)
        buf_truncate(out, before);
    return ok;
}

static void drop_bom(Buf *out, size_t at)
{
    if (str_starts(str_from_offset(buf_str(out), at), STR("\xEF\xBB\xBF")))
        buf_remove(out, at, 3);
}

/* Is a kanji of the first level (the 2,965 common ones)?  Their lead bytes in Shift_JIS are 88
 * to 98. */
static bool is_common_kanji(UConverter *sjis, UChar32 cp)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar unit = (UChar)cp;
    char bytes[8];
    int32_t n = ucnv_fromUChars(sjis, bytes, sizeof bytes, &unit, 1, &status);
    unsigned code = n == 2 ? ((unsigned)(unsigned char)bytes[0] << 8 | (unsigned char)bytes[1]) : 0;

    return U_SUCCESS(status) && code >= 0x889F && code <= 0x9872;
}

static int plausibility(UConverter *sjis, unsigned cp)
{
    if (cp == '\t' || cp == '\n' || cp == '\r' || (cp >= 0x20 && cp < 0x7F))
        return 3;
    if (cp < 0xA0)
        return -10;
    if (cp >= 0x3041 && cp <= 0x309F)
        return 4;
    if ((cp >= 0x3000 && cp <= 0x3020) || (cp >= 0x30A0 && cp <= 0x30FF) ||
        (cp >= 0xFF01 && cp <= 0xFF60))
        return 3;
    if (cp >= 0x4E00 && cp <= 0x9FFF)
        return is_common_kanji(sjis, (UChar32)cp) ? 3 : 0;
    if (cp >= 0xFF61 && cp <= 0xFF9F)
        return -1; /* half-width kana: what EUC-JP looks like when read as Shift_JIS */
    if (cp == UTF8_REPLACEMENT || !u_isdefined((UChar32)cp) ||
        u_charType((UChar32)cp) == U_PRIVATE_USE_CHAR)
        return -10;
    return -1;
}

/* Mean plausibility of the first part of a text, in thousandths. */
static long score_text(Str text)
{
    UErrorCode status = U_ZERO_ERROR;
    UConverter *sjis = ucnv_open("Shift_JIS", &status);
    long sum = 0, n = 0;

    if (U_SUCCESS(status))
        ucnv_setFromUCallBack(sjis, UCNV_FROM_U_CALLBACK_STOP, NULL, NULL, NULL, &status);
    if (U_SUCCESS(status))
        for (size_t pos = 0; pos < text.len && n < 16384; n++)
            sum += plausibility(sjis, utf8_next(text, &pos));
    ucnv_close(sjis);
    return n ? sum * 1000 / n : 0;
}

static const Charset guesses[] = {
    { "Shift_JIS", "Shift_JIS" },
    { "EUC-JP", "EUC-JP" },
    { "UTF-16LE", "UTF-16LE" },
    { "UTF-16BE", "UTF-16BE" },
};

/* Text with less than this is noise that happens to decode. */
enum { SCORE_LEAST = 1000 };

static const char *guess(Str bytes, Buf *out)
{
    const char *best = NULL;
    long best_score = SCORE_LEAST - 1;
    Buf text = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(guesses); i++) {
        long score;

        buf_reset(&text);
        if (!try_charset(bytes, guesses[i].converter, &text))
            continue;
        score = score_text(buf_str(&text));
        if (score <= best_score)
            continue;
        best_score = score;
        best = guesses[i].name;
        buf_reset(out);
        buf_append_str(out, buf_str(&text));
    }
    buf_release(&text);
    return best;
}

static bool has_jis_escape(Str bytes)
{
    static const char *const escapes[] = { "\033$B", "\033$@", "\033$(D", "\033(I", "\033(J" };

    for (size_t i = 0; i < bytes.len; i++)
        if ((unsigned char)bytes.data[i] >= 0x80)
            return false;
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
        if (str_find(bytes, str_from(escapes[i])) >= 0)
            return true;
    return false;
}

/* Longest mark first: that of UTF-32LE begins with that of UTF-16LE. */
static const struct {
    const char *mark;
    size_t len;
    Charset charset;
} boms[] = {
    { "\xFF\xFE\0\0", 4, { "UTF-32LE", "UTF-32LE" } },
    { "\0\0\xFE\xFF", 4, { "UTF-32BE", "UTF-32BE" } },
    { "\xEF\xBB\xBF", 3, { "UTF-8", "UTF-8" } },
    { "\xFF\xFE", 2, { "UTF-16LE", "UTF-16LE" } },
    { "\xFE\xFF", 2, { "UTF-16BE", "UTF-16BE" } },
};

/* What the bytes were taken for, with the text in out (empty before); NULL when nothing fits. */
static const char *recognise(Str bytes, Buf *out)
{
    const char *name;

    for (size_t i = 0; i < ARRAY_LEN(boms); i++)
        if (str_starts(bytes, str_of(boms[i].mark, boms[i].len)) &&
            try_charset(bytes, boms[i].charset.converter, out))
            return boms[i].charset.name;
    /* The second takes the escapes for half-width kana that mail programs wrote. */
    if (has_jis_escape(bytes) && (try_charset(bytes, "ISO-2022-JP", out) ||
                                  try_charset(bytes, "ISO_2022,locale=ja,version=3", out)))
        return "ISO-2022-JP";
    /* UTF-16 of ASCII is valid UTF-8 too, full of NULs. */
    if (bytes.len && memchr(bytes.data, '\0', bytes.len) && (name = guess(bytes, out)))
        return name;
    buf_reset(out);
    if (utf8_valid(bytes)) {
        buf_append_str(out, bytes);
        return "UTF-8";
    }
    return guess(bytes, out);
}

/* A name that outlives the converter. */
static const char *static_name(const char *encoding)
{
    UErrorCode status = U_ZERO_ERROR;
    const char *name = ucnv_getStandardName(encoding, "MIME", &status);

    if (!name) {
        status = U_ZERO_ERROR;
        name = ucnv_getAlias(encoding, 0, &status);
    }
    return name ? name : "?";
}

static bool decode_as(Str bytes, const char *encoding, Buf *out, const char **used, Error *err)
{
    UErrorCode status = U_ZERO_ERROR;
    UConverter *from = ucnv_open(encoding, &status);
    size_t bad = 0;
    bool ok;

    if (U_FAILURE(status) || !*encoding) {
        ucnv_close(from);
        return error_set(err, ERR_USAGE,
                         _("unknown encoding %s: use UTF-8, UTF-16, Shift_JIS, EUC-JP, ISO-2022-JP "
                           "or another name that ICU knows"),
                         encoding);
    }
    *used = static_name(encoding);
    ok = convert(bytes, from, out, &bad);
    ucnv_close(from);
    return ok ||
           error_set(err, ERR_FORMAT,
                     _("not %s: the bytes before offset %zu do not fit; try another --encoding"),
                     *used, bad);
}

bool text_decode(Str bytes, const char *encoding, Buf *out, const char **used, Error *err)
{
    const char *name = NULL;
    Buf text = BUF_INIT;
    bool ok;

    if (encoding && strcasecmp(encoding, "auto") != 0)
        ok = decode_as(bytes, encoding, &text, &name, err);
    else
        ok =
            (name = recognise(bytes, &text)) ||
            error_set(err, ERR_FORMAT,
                      _("cannot tell the character set: it is not UTF-8, UTF-16, Shift_JIS, EUC-JP "
                        "or ISO-2022-JP; name it with --encoding"));
    if (ok) {
        drop_bom(&text, 0);
        buf_append_str(out, buf_str(&text));
        if (used)
            *used = name;
    }
    buf_release(&text);
    return ok;
}
