/* Editing steps as pure functions on UTF-8: what a key does to a text and its cursor.  No libedit,
 * no screen. */
#ifndef UI_EDIT_H
#define UI_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"

typedef enum {
    EDIT_LEFT,
    EDIT_RIGHT,
    EDIT_UP,
    EDIT_DOWN,
    EDIT_LINE_START,
    EDIT_LINE_END,
    EDIT_TEXT_START,
    EDIT_TEXT_END,
    EDIT_WORD_LEFT,
    EDIT_WORD_RIGHT,
    EDIT_DELETE_LEFT,
    EDIT_DELETE_RIGHT,
    EDIT_DELETE_WORD_LEFT,
    EDIT_DELETE_WORD_RIGHT,
    EDIT_KILL_LINE,
    EDIT_KILL_START,
    EDIT_YANK,
    EDIT_TRANSPOSE,
    EDIT_NEWLINE,
    /* The rest needs more than the text; the editor does it. */
    EDIT_UNDO,
    EDIT_SEARCH,
    EDIT_ACCEPT,
    EDIT_COUNT
} EditOp;

typedef struct {
    Str text;        /* borrowed */
    size_t cursor;   /* byte */
    int cols;        /* columns of a row on the screen */
    int goal_col;    /* where up and down want to stay; -1: where the cursor is */
    Buf *kill;       /* what ^Y brings back */
    bool kill_grows; /* the step before was a kill too */
} EditInput;

typedef struct {
    bool done;       /* false: nothing to do there (the edge of the text) */
    size_t from, to; /* bytes to be replaced by `insert` */
    Buf insert;      /* owned by the caller */
    size_t cursor;   /* in the new text */
    int goal_col;
    bool is_kill;
} EditResult;

void edit_run(const EditInput *in, EditOp op, EditResult *out);

#endif
