/* UTF-8 at the level of bytes and code points.  No tables: what needs Unicode properties is text.h.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"

#define UTF8_REPLACEMENT 0xFFFDu

/* Decodes the character at s[pos] and advances *pos.  A byte that is not part of a valid sequence
 * gives UTF8_REPLACEMENT and advances by the maximal invalid prefix (at least 1).  Requires *pos <
 * s.len. */
unsigned utf8_next(Str s, size_t *pos);
/* Same, but *valid tells an encoded U+FFFD from a replacement. */
unsigned utf8_next_checked(Str s, size_t *pos, bool *valid);
size_t utf8_encode(unsigned cp,
                   char out[4]); /* bytes written, 0 if cp is a surrogate or > 0x10FFFF */
bool utf8_valid(Str s);          /* strict: no overlong forms, surrogates or > U+10FFFF */
size_t utf8_count(Str s);        /* code points; each invalid piece counts 1 */
/* Length of the longest prefix that does not end in an incomplete but so far valid sequence (hold
 * back <= 3). */
size_t utf8_complete(Str s);
/* Appends s with every invalid piece replaced by U+FFFD. */
void utf8_append_valid(Buf *out, Str s);
/* Largest character border <= at. */
size_t utf8_floor(Str s, size_t at);

#endif
