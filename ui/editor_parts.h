/* The editor's inside, shared by editor.c (libedit, its thread) and editor_function.c (what keys
 * do). */
#ifndef UI_EDITOR_PARTS_H
#define UI_EDITOR_PARTS_H

#include <pthread.h>
#include <stdio.h>
#include <wchar.h>

#include "ui/edit.h"
#include "ui/editor.h"
#include "ui/recall.h"
#include "ui/undo.h"

struct Editor {
    EditorOptions options;
    struct editline *el;
    struct historyW *history_el; /* for libedit's own history functions */
    FILE *in, *out, *null;
    int master;
    bool is_vi;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t turn_changed;
    enum { TURN_UI, TURN_EDITOR } turn;
    bool has_thread, quit;
    wint_t next;      /* character handed over */
    wchar_t *restore; /* line that el_wgets returned: it goes back into the buffer */
    bool accepted;

    Buf text; /* libedit's line as UTF-8, after the last key */
    size_t cursor;
    int cols, goal_col;
    bool goal_kept, kill_kept, last_was_kill; /* set by the function that ran in this key press */
    Buf kill;

    Undo undo;
    bool undoing;
    Recall recall;
    Buf search_prompt, query;
    wchar_t *name[EDIT_COUNT]; /* of the functions */
};

/* Reads libedit's line into text and cursor. */
void editor_sync(Editor *editor);
/* Replaces bytes [from, to) of the synced text; cursor is a byte of the new text. */
void editor_change(Editor *editor, size_t from, size_t to, Str insert, size_t cursor);
/* Gives one character and waits until libedit asks for the next. */
void editor_hand_over(Editor *editor, wint_t wc);
/* The next character, for a function that reads keys itself (on the editor's thread); false: give
 * up. */
bool editor_read(Editor *editor, wchar_t *wc);

/* Runs an operation; false: there was nothing to do. */
bool editor_run(Editor *editor, EditOp op);
void editor_replace_all(Editor *editor, Str text);
/* Around everything that one key does. */
UndoStep editor_step_begin(Editor *editor);
EditorResult editor_step_end(Editor *editor, UndoStep before, bool typed);

#endif
