/* Undo for one text: what it was before each change, newest last, within a budget. */
#ifndef UI_UNDO_H
#define UI_UNDO_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"

typedef struct {
    char *text; /* owned by whoever holds the step */
    size_t len, cursor;
} UndoStep;

typedef struct {
    UndoStep *step;
    size_t n, cap, bytes;
    int typed_run; /* characters typed in a row that count as one step */
} Undo;

#define UNDO_INIT                                                                                  \
    {                                                                                              \
        NULL, 0, 0, 0, 0                                                                           \
    }

void undo_release(Undo *undo);
void undo_reset(Undo *undo);
UndoStep undo_step(Str text, size_t cursor);
/* Takes the step that was the state before a key.  Letters typed in a row become one step. */
void undo_note(Undo *undo, UndoStep before, Str after, bool typed);
/* The last state; the caller frees its text.  False: none left. */
bool undo_take(Undo *undo, UndoStep *out);

#endif
