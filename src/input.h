/* What commands read: standard input and files in whatever character set they come, and lists of
 * ids. */
#ifndef SRC_INPUT_H
#define SRC_INPUT_H

#include "src/base/buf.h"
#include "src/base/error.h"
#include "src/base/tokens.h"

/* Reads all of fd and makes it UTF-8.  encoding NULL: it is recognised, and said on standard error
 * when it is not UTF-8. */
bool input_read(int fd, const char *encoding, Buf *out, Error *err);
/* Bytes that were read already.  *recognised (may be NULL) gets the name of the character set. */
bool input_decode(Str bytes, const char *encoding, Buf *out, const char **recognised, Error *err);
/* CRLF becomes LF, and one newline at the end goes: it belongs to the pipe, not to the message. */
void input_unify_lines(Buf *text);
/* Decimal ids between white space, commas or brackets. */
bool input_parse_ids(Str text, Tokens *out, Error *err);

#endif
