/* Stop strings in a stream of text: what could begin one is held back, and nothing from one on
 * comes out. */
#ifndef SRC_STOP_FILTER_H
#define SRC_STOP_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"

typedef struct {
    char *const *stop; /* borrowed; empty strings count for nothing */
    size_t n;
    Buf held;
} StopFilter;

void stop_filter_init(StopFilter *filter, char *const *stop, size_t n);
void stop_filter_release(StopFilter *filter);
/* Appends to out what is certain.  True when a stop string is complete: then out has the text
 * before it. */
bool stop_filter_push(StopFilter *filter, Str text, Buf *out);
/* The end of the reply: what was held back comes out. */
void stop_filter_flush(StopFilter *filter, Buf *out);

#endif
