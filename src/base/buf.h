/* Str: borrowed bytes.  Buf: owned, growing bytes.  Both hold UTF-8 unless a function says
 * otherwise.
 *
 * A Buf is always NUL-terminated after its length, so buf_cstr() is free.  Small allocations abort
 * when memory is out (mem.h); a Buf with a maximum marks itself `overflowed` instead of growing
 * past it. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/attributes.h"

typedef struct {
    const char *data; /* may be NULL when len is 0; not NUL-terminated */
    size_t len;
} Str;

#define STR(literal) ((Str){ "" literal, sizeof(literal) - 1 })
#define STR_NULL ((Str){ NULL, 0 })

Str str_from(const char *cstr); /* NULL gives an empty Str */
Str str_of(const char *data, size_t len);
bool str_eq(Str a, Str b);
bool str_eq_c(Str a, const char *b);
int str_cmp(Str a, Str b); /* bytewise, as memcmp */
bool str_starts(Str s, Str prefix);
bool str_ends(Str s, Str suffix);
ptrdiff_t str_find(Str s, Str needle); /* first offset, or -1; an empty needle is found at 0 */
ptrdiff_t str_rfind(Str s, Str needle);
Str str_sub(Str s, size_t from, size_t len); /* clamps to s */
Str str_from_offset(Str s, size_t from);
Str str_trim(Str s); /* ASCII white space at both ends */
/* Cuts the next line (without \n or \r\n) off *rest; false when nothing is left. */
bool str_line(Str *rest, Str *line);
/* Decimal integer or real over the whole of s; false on anything else or out of range.
 * Reads '.' as the decimal point whatever the locale is. */
bool str_to_long(Str s, long long *out);
bool str_to_double(Str s, double *out);

typedef struct {
    char *data;
    size_t len, cap;
    size_t max; /* 0: no limit */
    bool overflowed;
} Buf;

#define BUF_INIT                                                                                   \
    {                                                                                              \
        NULL, 0, 0, 0, false                                                                       \
    }

void buf_init_max(Buf *b, size_t max);
void buf_release(Buf *b);           /* frees; b is empty and usable again */
void buf_reset(Buf *b);             /* empties; keeps memory */
void buf_reserve(Buf *b, size_t n); /* room for n more bytes */
void buf_append(Buf *b, const void *bytes, size_t n);
void buf_append_str(Buf *b, Str s);
void buf_puts(Buf *b, const char *cstr);
void buf_putc(Buf *b, char c);
void buf_put_utf8(Buf *b, unsigned cp); /* invalid code points become U+FFFD */
void buf_printf(Buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_insert(Buf *b, size_t at, Str s);
void buf_remove(Buf *b, size_t at, size_t n);
void buf_truncate(Buf *b, size_t len);
Str buf_str(const Buf *b);          /* borrowed until the next change */
const char *buf_cstr(const Buf *b); /* never NULL */
char *buf_take(Buf *b);             /* caller owns and frees; b is empty */

#endif
