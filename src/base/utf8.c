/* UTF-8 by the table of well-formed sequences in the Unicode Standard, section 3.9 (table 3-7);
 * invalid input is cut in maximal subparts as the same section recommends. */
#include "config.h"

#include "src/base/utf8.h"

typedef struct {
    unsigned len;       /* bytes of the sequence; 0: not a first byte */
    unsigned low, high; /* range of the second byte */
} Lead;

static Lead lead_of(unsigned char c)
{
    if (c < 0x80)
        return (Lead){ 1, 0, 0 };
    if (c < 0xC2)
        return (Lead){ 0, 0, 0 };
    if (c < 0xE0)
        return (Lead){ 2, 0x80, 0xBF };
    if (c < 0xF0)
        return (Lead){ 3, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF };
    if (c < 0xF5)
        return (Lead){ 4, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF };
    return (Lead){ 0, 0, 0 };
}

/* Bytes at `at` that begin a well-formed sequence; *wanted gets its full length. */
static size_t sequence(Str s, size_t at, unsigned *wanted)
{
    const unsigned char *p = (const unsigned char *)s.data + at;
    size_t left = s.len - at, n = 1;
    Lead lead = lead_of(p[0]);

    *wanted = lead.len;
    if (lead.len < 2)
        return lead.len;
    if (left < 2 || p[1] < lead.low || p[1] > lead.high)
        return 1;
    for (n = 2; n < lead.len; n++)
        if (n >= left || (p[n] & 0xC0) != 0x80)
            break;
    return n;
}

unsigned utf8_next_checked(Str s, size_t *pos, bool *valid)
{
    const unsigned char *p = (const unsigned char *)s.data + *pos;
    unsigned wanted;
    size_t n = sequence(s, *pos, &wanted);

    *valid = n > 0 && n == wanted;
    *pos += n ? n : 1;
    if (!*valid)
        return UTF8_REPLACEMENT;
    switch (n) {
    case 1:
        return p[0];
    case 2:
        return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    case 3:
        return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    default:
        return (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    }
}

unsigned utf8_next(Str s, size_t *pos)
{
    bool valid;

    return utf8_next_checked(s, pos, &valid);
}

size_t utf8_encode(unsigned cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        if (cp >= 0xD800 && cp <= 0xDFFF)
            return 0;
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    if (cp > 0x10FFFF)
        return 0;
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

bool utf8_valid(Str s)
{
    bool valid = true;

    for (size_t pos = 0; valid && pos < s.len;)
        utf8_next_checked(s, &pos, &valid);
    return valid;
}

size_t utf8_count(Str s)
{
    size_t n = 0;

    for (size_t pos = 0; pos < s.len; n++)
        utf8_next(s, &pos);
    return n;
}

size_t utf8_complete(Str s)
{
    for (size_t back = 1; back <= 3 && back <= s.len; back++) {
        size_t at = s.len - back;
        unsigned wanted;

        if (((unsigned char)s.data[at] & 0xC0) == 0x80)
            continue;
        /* Incomplete only if every byte to the end belongs to the sequence. */
        if (sequence(s, at, &wanted) == back && wanted > back)
            return at;
        break;
    }
    return s.len;
}

void utf8_append_valid(Buf *out, Str s)
{
    size_t done = 0;

    for (size_t pos = 0; pos < s.len;) {
        size_t start = pos;
        bool valid;

        utf8_next_checked(s, &pos, &valid);
        if (valid)
            continue;
        buf_append_str(out, str_sub(s, done, start - done));
        buf_put_utf8(out, UTF8_REPLACEMENT);
        done = pos;
    }
    buf_append_str(out, str_from_offset(s, done));
}

size_t utf8_floor(Str s, size_t at)
{
    if (at >= s.len)
        return s.len;
    for (size_t back = 1; back <= 3 && back <= at; back++) {
        size_t start = at - back;
        unsigned wanted;

        if (((unsigned char)s.data[start] & 0xC0) == 0x80)
            continue;
        /* Inside the (possibly cut) sequence that begins at start? */
        return sequence(s, start, &wanted) > back ? start : at;
    }
    return at;
}
