/* What is typed: libedit turned inside out, so that the screen's one loop stays the only loop.
 *
 * Each editor runs el_wgets on a thread of its own in strict hand-off: editor_press gives it a key
 * and returns when libedit asks for the next one; exactly one of the two threads runs at any time.
 * libedit sees a private pty and never the terminal.  Motion and deletion go by grapheme and by
 * Japanese word; texts may have several lines.  Keys of the user's ~/.editrc under `kaiwa:` apply.
 * All functions are called on the UI thread. */
#ifndef UI_EDITOR_H
#define UI_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/error.h"
#include "ui/key.h"

typedef struct Editor Editor;

typedef struct {
    bool one_line;    /* newlines become blanks; up and down are not handled */
    bool has_history; /* up at the first row and down at the last go through it; ^R searches it */
    bool skip_user_file; /* tests: do not read ~/.editrc */
} EditorOptions;

typedef enum {
    EDITOR_PASSED, /* not a key for an editor */
    EDITOR_DONE,
    EDITOR_ACCEPTED /* Enter: the text is complete, and kept until editor_set */
} EditorResult;

Editor *editor_new(const EditorOptions *options, Error *err);
void editor_free(Editor *editor);

EditorResult editor_press(Editor *editor, Key key);
/* One character, as libedit reads it.  editor_press is made of these. */
EditorResult editor_key(Editor *editor, wchar_t wc);
/* Inserts at the cursor as one step of undo; the text is cleaned (text_clean_input). */
void editor_insert(Editor *editor, Str text);
/* Replaces everything; the cursor goes to the end.  Undo does not go back past it unless
 * undoable. */
void editor_set(Editor *editor, Str text, bool undoable);
/* Replaces bytes [from, to) and puts the cursor behind the new text: completion. */
void editor_replace(Editor *editor, size_t from, size_t to, Str text);

/* UTF-8; borrowed until the next call that changes the editor. */
Str editor_text(const Editor *editor);
size_t editor_cursor(const Editor *editor); /* byte offset */
bool editor_is_empty(const Editor *editor);
/* What stands before the text while a history search runs, else empty; borrowed likewise. */
Str editor_search_prompt(const Editor *editor);
/* Columns that rows of the text have on the screen: up and down move by what is seen. */
void editor_set_cols(Editor *editor, int cols);
/* True when the user's file chose the vi keys: Esc is then a key for the editor. */
bool editor_is_vi(const Editor *editor);

void editor_history_add(Editor *editor, Str text);

#endif
