/* The one table of the editor's keys: bindings, F1 and the man page come from it. */
#include "config.h"

#include "ui/editor_keys.h"

#include <string.h>

#include "src/base/i18n.h"

static const EditorFunction table[] = {
    { EDIT_ACCEPT, "kaiwa-accept", "Enter", N_("send, or apply"), true },
    { EDIT_NEWLINE, "kaiwa-newline", "^J Alt-Enter", N_("new line"), true },
    { EDIT_LEFT, "kaiwa-left", "^B Left", N_("one character back"), false },
    { EDIT_RIGHT, "kaiwa-right", "^F Right", N_("one character on"), false },
    { EDIT_UP, "kaiwa-up", "^P Up", N_("row up; at the first one, earlier input"), false },
    { EDIT_DOWN, "kaiwa-down", "^N Down", N_("row down; at the last one, later input"), false },
    { EDIT_WORD_LEFT, "kaiwa-word-left", "Alt-b Ctrl-Left", N_("one word back"), false },
    { EDIT_WORD_RIGHT, "kaiwa-word-right", "Alt-f Ctrl-Right", N_("one word on"), false },
    { EDIT_LINE_START, "kaiwa-line-start", "^A Home", N_("start of the line"), false },
    { EDIT_LINE_END, "kaiwa-line-end", "^E End", N_("end of the line"), false },
    { EDIT_TEXT_START, "kaiwa-text-start", "", N_("start of the text"), false },
    { EDIT_TEXT_END, "kaiwa-text-end", "", N_("end of the text"), false },
    { EDIT_DELETE_LEFT, "kaiwa-delete-left", "^H Backspace",
      N_("delete the character before the cursor"), true },
    { EDIT_DELETE_RIGHT, "kaiwa-delete-right", "^D Delete",
      N_("delete the character at the cursor"), false },
    { EDIT_DELETE_WORD_LEFT, "kaiwa-delete-word-left", "^W Alt-Backspace",
      N_("cut the word before the cursor"), true },
    { EDIT_DELETE_WORD_RIGHT, "kaiwa-delete-word-right", "Alt-d",
      N_("cut the word after the cursor"), false },
    { EDIT_KILL_LINE, "kaiwa-kill-line", "^K", N_("cut to the end of the line"), false },
    { EDIT_KILL_START, "kaiwa-kill-start", "^U", N_("cut to the start of the line"), true },
    { EDIT_YANK, "kaiwa-yank", "^Y", N_("put back what was cut"), false },
    { EDIT_TRANSPOSE, "kaiwa-transpose", "^T", N_("swap two characters"), false },
    { EDIT_UNDO, "kaiwa-undo", "^_", N_("undo"), true },
    { EDIT_SEARCH, "kaiwa-search", "^R", N_("search earlier input"), true },
};

/* xterm's sequences, which libedit knows from no terminfo entry; they are given in one burst. */
static const struct {
    Key key;
    const char *bytes;
} sequence[] = {
    { { INPUT_UP, 0 }, "\033[A" },
    { { INPUT_DOWN, 0 }, "\033[B" },
    { { INPUT_RIGHT, 0 }, "\033[C" },
    { { INPUT_LEFT, 0 }, "\033[D" },
    { { INPUT_HOME, 0 }, "\033[H" },
    { { INPUT_END, 0 }, "\033[F" },
    { { INPUT_DELETE, 0 }, "\033[3~" },
    { { INPUT_LEFT, MOD_CTRL }, "\033[1;5D" },
    { { INPUT_RIGHT, MOD_CTRL }, "\033[1;5C" },
    { { INPUT_ENTER, MOD_SHIFT }, "\n" },
};

const EditorFunction *editor_functions(size_t *n)
{
    *n = ARRAY_LEN(table);
    return table;
}

bool editor_next_key(Str *keys, Key *key)
{
    size_t end = 0;
    *keys = str_trim(*keys);
    while (end < keys->len && keys->data[end] != ' ')
        end++;
    bool good = end > 0 && key_parse(str_sub(*keys, 0, end), key);
    *keys = str_from_offset(*keys, end);
    return good;
}

size_t editor_key_bytes(Key key, char out[EDITOR_KEY_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(sequence); i++)
        if (key_eq(sequence[i].key, key)) {
            n = strlen(sequence[i].bytes);
            memcpy(out, sequence[i].bytes, n);
            return n;
        }
    if (key.code >= 0x80 || (key.mods & ~(unsigned)MOD_ALT))
        return 0;
    if (key.mods & MOD_ALT)
        out[n++] = 0x1B;
    out[n++] = (char)key.code;
    return n;
}

EditOp editor_key_op(Key key)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        Str keys = str_from(table[i].keys);
        Key bound;
        while (editor_next_key(&keys, &bound))
            if (key_eq(bound, key))
                return table[i].op;
    }
    return EDIT_COUNT;
}
