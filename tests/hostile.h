/* Makes broken files from one-line recipes, so that a table of them can be read. */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include "src/base/buf.h"

/* A recipe is a list of items, separated by blanks:
 *   'text'     these bytes
 *   s'text'    a GGUF string: eight bytes of length, then the bytes (s4'text': four bytes of
 * length) h'text'    a safetensors header: eight bytes of length, then the bytes N:W        the
 * number N (decimal, may be negative) in W bytes, little endian zN         N zero bytes p zero
 * bytes up to a multiple of 32 rN'text'   the text N times Appends to out.  A recipe that is not
 * understood ends the test program. */
void hostile_assemble(const char *recipe, Buf *out);
/* Assembles into dir/name, replacing what is there. */
void hostile_write(const char *dir, const char *name, const char *recipe);

/* These bytes as the file's content. */
void hostile_put(const char *path, Str bytes);

#endif
