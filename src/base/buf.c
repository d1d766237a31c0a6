/* Borrowed and owned byte strings.  Nothing here knows Unicode but buf_put_utf8. */
#include "config.h"

#include "src/base/buf.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"
#include "src/base/utf8.h"

#ifdef TEST_SMALL
enum { FIRST_CAP = 1 };
#else
enum { FIRST_CAP = 32 };
#endif

Str str_from(const char *cstr)
{
    return cstr ? (Str){ cstr, strlen(cstr) } : STR_NULL;
}

Str str_of(const char *data, size_t len)
{
    return (Str){ data, len };
}

bool str_eq(Str a, Str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool str_eq_c(Str a, const char *b)
{
    return str_eq(a, str_from(b));
}

int str_cmp(Str a, Str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.data, b.data, n) : 0;

    if (order)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_starts(Str s, Str prefix)
{
    return s.len >= prefix.len && str_eq(str_of(s.data, prefix.len), prefix);
}

bool str_ends(Str s, Str suffix)
{
    return s.len >= suffix.len && str_eq(str_from_offset(s, s.len - suffix.len), suffix);
}

ptrdiff_t str_find(Str s, Str needle)
{
    const char *at;

    if (needle.len == 0)
        return 0;
    if (needle.len > s.len)
        return -1;
    at = memmem(s.data, s.len, needle.data, needle.len);
    return at ? at - s.data : -1;
}

ptrdiff_t str_rfind(Str s, Str needle)
{
    if (needle.len > s.len)
        return -1;
    for (size_t at = s.len - needle.len + 1; at-- > 0;)
        if (str_eq(str_sub(s, at, needle.len), needle))
            return (ptrdiff_t)at;
    return -1;
}

Str str_sub(Str s, size_t from, size_t len)
{
    if (from > s.len)
        from = s.len;
    if (len > s.len - from)
        len = s.len - from;
    return (Str){ s.data ? s.data + from : NULL, len };
}

Str str_from_offset(Str s, size_t from)
{
    return str_sub(s, from, s.len);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

Str str_trim(Str s)
{
    size_t from = 0;

    while (s.len && is_space(s.data[s.len - 1]))
        s.len--;
    while (from < s.len && is_space(s.data[from]))
        from++;
    return str_from_offset(s, from);
}

bool str_line(Str *rest, Str *line)
{
    const char *end;
    size_t len, used;

    if (rest->len == 0)
        return false;
    end = memchr(rest->data, '\n', rest->len);
    len = end ? (size_t)(end - rest->data) : rest->len;
    used = end ? len + 1 : len;
    if (end && len && rest->data[len - 1] == '\r')
        len--;
    *line = str_of(rest->data, len);
    *rest = str_from_offset(*rest, used);
    return true;
}

/* Numbers are short; a longer run of digits is refused, not truncated. */
enum { NUMBER_MAX = 400 };

static bool number_text(Str s, const char *allowed, char text[NUMBER_MAX + 1])
{
    if (s.len == 0 || s.len > NUMBER_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] == '\0' || !strchr(allowed, s.data[i]))
            return false;
    memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    return true;
}

bool str_to_long(Str s, long long *out)
{
    char text[NUMBER_MAX + 1], *end;
    long long value;

    if (!number_text(s, "+-0123456789", text))
        return false;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno || end == text || *end)
        return false;
    *out = value;
    return true;
}

static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void c_locale_make(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool str_to_double(Str s, double *out)
{
    char text[NUMBER_MAX + 1], *end;
    double value;

    if (!number_text(s, "+-.0123456789eE", text))
        return false;
    pthread_once(&c_locale_once, c_locale_make);
    value = c_locale ? strtod_l(text, &end, c_locale) : strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return false;
    *out = value;
    return true;
}

void buf_init_max(Buf *b, size_t max)
{
    *b = (Buf)BUF_INIT;
    b->max = max;
}

void buf_release(Buf *b)
{
    size_t max = b->max;

    free(b->data);
    buf_init_max(b, max);
}

void buf_reset(Buf *b)
{
    b->overflowed = false;
    buf_truncate(b, 0);
}

/* Makes room and says whether n more bytes may come; once a limit was hit nothing more is taken,
 * so that what is there stays a prefix of what was sent. */
static bool room(Buf *b, size_t n)
{
    size_t need, cap;

    if (b->overflowed || (b->max && n > b->max - b->len)) {
        b->overflowed = true;
        return false;
    }
    if (!mem_add(b->len, n, &need) || !mem_add(need, 1, &need))
        need = SIZE_MAX; /* mem.c turns it into the out-of-memory line */
    if (need <= b->cap)
        return true;
    cap = b->cap ? b->cap : FIRST_CAP;
    while (cap < need && mem_mul(cap, 2, &cap))
        ;
    if (cap < need)
        cap = need;
    b->data = xrealloc(b->data, cap);
    b->cap = cap;
    b->data[b->len] = '\0';
    return true;
}

void buf_reserve(Buf *b, size_t n)
{
    bool overflowed = b->overflowed;

    room(b, n);
    b->overflowed = overflowed; /* a reservation is a wish, not content */
}

void buf_append(Buf *b, const void *bytes, size_t n)
{
    if (n == 0 || !room(b, n))
        return;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_append_str(Buf *b, Str s)
{
    buf_append(b, s.data, s.len);
}

void buf_puts(Buf *b, const char *cstr)
{
    buf_append_str(b, str_from(cstr));
}

void buf_putc(Buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_put_utf8(Buf *b, unsigned cp)
{
    char bytes[4];
    size_t n = utf8_encode(cp, bytes);

    if (n == 0)
        n = utf8_encode(UTF8_REPLACEMENT, bytes);
    buf_append(b, bytes, n);
}

void buf_printf(Buf *b, const char *format, ...)
{
    va_list args, again;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    if (n > 0 && room(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void buf_insert(Buf *b, size_t at, Str s)
{
    if (at > b->len)
        at = b->len;
    if (s.len == 0 || !room(b, s.len))
        return;
    memmove(b->data + at + s.len, b->data + at, b->len - at + 1);
    memcpy(b->data + at, s.data, s.len);
    b->len += s.len;
}

void buf_remove(Buf *b, size_t at, size_t n)
{
    if (at >= b->len)
        return;
    if (n > b->len - at)
        n = b->len - at;
    memmove(b->data + at, b->data + at + n, b->len - at - n + 1);
    b->len -= n;
}

void buf_truncate(Buf *b, size_t len)
{
    if (len > b->len)
        return;
    b->len = len;
    if (b->data)
        b->data[len] = '\0';
}

Str buf_str(const Buf *b)
{
    return (Str){ b->data, b->len };
}

const char *buf_cstr(const Buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(Buf *b)
{
    char *data = b->data ? b->data : xstrdup("");
    size_t max = b->max;

    buf_init_max(b, max);
    return data;
}
