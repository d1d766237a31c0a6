/* Earlier input: a list, oldest first, a place in it, and the draft that waits at its end. */
#ifndef UI_RECALL_H
#define UI_RECALL_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"

typedef struct {
    char **line;
    size_t n, cap;
    size_t at; /* n: at the draft */
    Buf draft;
} Recall;

void recall_release(Recall *recall);
/* False when it is empty or the newest already. */
bool recall_add(Recall *recall, Str text);
/* One step to older (-1) or newer (+1) input; `present` is what is being edited.  False at the
 * ends. */
bool recall_move(Recall *recall, int step, Str present, Str *out);
/* Goes to a line found by a search; `present` becomes the draft if none waits. */
void recall_jump(Recall *recall, size_t index, Str present);
/* Largest index below `below` whose folded text holds the folded query; n: none. */
size_t recall_find(const Recall *recall, Str query, size_t below);

#endif
