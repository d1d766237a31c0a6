/* What the editor's keys do, in words: for F1 and the man page.  Names equal those in editor.c's table (a test compares). */
#include "config.h"

#include "ui/editor.h"

#include "src/base/i18n.h"

static const EditorFunction table[] = {
    { "kaiwa-accept", "Enter", N_("send, or apply") },
    { "kaiwa-newline", "^J Alt-Enter", N_("new line") },
    { "kaiwa-left", "^B Left", N_("one character back") },
    { "kaiwa-right", "^F Right", N_("one character on") },
    { "kaiwa-up", "^P Up", N_("row up; at the first one, earlier input") },
    { "kaiwa-down", "^N Down", N_("row down; at the last one, later input") },
    { "kaiwa-word-left", "Alt-b Ctrl-Left", N_("one word back") },
    { "kaiwa-word-right", "Alt-f Ctrl-Right", N_("one word on") },
    { "kaiwa-line-start", "^A Home", N_("start of the line") },
    { "kaiwa-line-end", "^E End", N_("end of the line") },
    { "kaiwa-text-start", "", N_("start of the text") },
    { "kaiwa-text-end", "", N_("end of the text") },
    { "kaiwa-delete-left", "^H Backspace", N_("delete the character before the cursor") },
    { "kaiwa-delete-right", "^D Delete", N_("delete the character at the cursor") },
    { "kaiwa-delete-word-left", "^W Alt-Backspace", N_("cut the word before the cursor") },
    { "kaiwa-delete-word-right", "Alt-d", N_("cut the word after the cursor") },
    { "kaiwa-kill-line", "^K", N_("cut to the end of the line") },
    { "kaiwa-kill-start", "^U", N_("cut to the start of the line") },
    { "kaiwa-yank", "^Y", N_("put back what was cut") },
    { "kaiwa-transpose", "^T", N_("swap two characters") },
    { "kaiwa-undo", "^_", N_("undo") },
    { "kaiwa-search", "^R", N_("search earlier input") },
};

const EditorFunction *editor_functions(size_t *n)
{
    *n = ARRAY_LEN(table);
    return table;
}
