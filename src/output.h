/* Text from models and files on standard output. */
#ifndef SRC_OUTPUT_H
#define SRC_OUTPUT_H

#include <stdbool.h>

#include "src/base/buf.h"

/* Writes and flushes.  A terminal gets no control characters, which a text might hold to play
 * tricks with it; files and pipes get the text as it is.  False (errno tells) when it cannot be
 * written. */
bool output_text(Str text);

#endif
