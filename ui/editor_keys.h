/* Which keys do what in an editor, and as which bytes libedit reads them. */
#ifndef UI_EDITOR_KEYS_H
#define UI_EDITOR_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/edit.h"
#include "ui/key.h"

typedef struct {
    EditOp op;
    const char *name; /* "kaiwa-word-left", as in ~/.editrc */
    const char *keys; /* "Alt-b Ctrl-Left": its bindings */
    const char *help; /* N_() */
    bool in_vi;       /* bound in vi's insert mode too, but for keys that begin with Esc */
} EditorFunction;

const EditorFunction *editor_functions(size_t *n);
/* The next key of a `keys` list; false at its end. */
bool editor_next_key(Str *keys, Key *key);

enum { EDITOR_KEY_BYTES = 8 };
/* What a terminal sends for a key, and libedit binds; returns its length, 0 when an editor has no
 * use for it. */
size_t editor_key_bytes(Key key, char out[EDITOR_KEY_BYTES]);
/* The operation bound to a key by the table; EDIT_COUNT: none. */
EditOp editor_key_op(Key key);

#endif
