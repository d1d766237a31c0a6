/* libedit in strict hand-off (contracts 7), with functions of ours bound over its own.  The one
 * file that knows libedit.
 *
 * The editor's thread sleeps inside the character callback whenever the UI thread runs, so the UI
 * thread may then look at and change libedit's line directly; and libedit's functions that read
 * further keys (^V, numeric arguments, vi operators) work as on a terminal. */
#include "config.h"

#include "ui/editor.h"

#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/text.h"
#include "src/base/utf8.h"
#include "ui/editor_keys.h"
#include "ui/editor_parts.h"

enum { DEFAULT_COLS = 78 };

/* ---- characters between UTF-8 and libedit ---------------------------------------------------- */

static wchar_t *to_wide(Str text)
{
    wchar_t *wide = xcalloc(text.len + 1, sizeof *wide);
    size_t n = 0;
    for (size_t pos = 0; pos < text.len;) {
        unsigned cp = utf8_next(text, &pos);
        wide[n++] = (wchar_t)(cp ? cp : UTF8_REPLACEMENT);
    }
    return wide;
}

/* Reads libedit's line into text and cursor. */
void editor_sync(Editor *editor)
{
    const LineInfoW *line = el_wline(editor->el);
    buf_reset(&editor->text);
    editor->cursor = 0;
    for (const wchar_t *p = line->buffer; p < line->lastchar; p++) {
        if (p == line->cursor)
            editor->cursor = editor->text.len;
        buf_put_utf8(&editor->text, (unsigned)*p);
    }
    if (line->cursor >= line->lastchar)
        editor->cursor = editor->text.len;
}

static void cursor_to(Editor *editor, size_t chars)
{
    const LineInfoW *line = el_wline(editor->el);
    el_cursor(editor->el, (int)((ptrdiff_t)chars - (line->cursor - line->buffer)));
}

/* Replaces bytes [from, to) of the synced text; cursor is a byte of the new text. */
void editor_change(Editor *editor, size_t from, size_t to, Str insert, size_t cursor)
{
    Str text = buf_str(&editor->text);
    size_t first = utf8_count(str_sub(text, 0, from)),
           n = utf8_count(str_sub(text, from, to - from));
    if (n > 0) {
        cursor_to(editor, first + n);
        el_deletestr(editor->el, (int)n);
    }
    if (insert.len > 0) {
        wchar_t *wide = to_wide(insert);
        cursor_to(editor, first);
        el_winsertstr(editor->el, wide);
        free(wide);
    }
    editor_sync(editor);
    cursor_to(editor, utf8_count(str_sub(buf_str(&editor->text), 0, cursor)));
    editor_sync(editor);
}

/* ---- the functions bound to keys ------------------------------------------------------------- */

static unsigned char run_from_libedit(EditLine *el, EditOp op)
{
    Editor *editor = NULL;
    el_wget(el, EL_CLIENTDATA, &editor);
    return editor_run(editor, op) ? CC_REFRESH : CC_ERROR;
}

/* libedit's functions carry no data, so each operation has a door of its own. */
#define DOOR(name, op)                                                                             \
    static unsigned char name(EditLine *el, int ch)                                                \
    {                                                                                              \
        (void)ch;                                                                                  \
        return run_from_libedit(el, op);                                                           \
    }
DOOR(door_left, EDIT_LEFT)
DOOR(door_right, EDIT_RIGHT)
DOOR(door_up, EDIT_UP)
DOOR(door_down, EDIT_DOWN)
DOOR(door_line_start, EDIT_LINE_START)
DOOR(door_line_end, EDIT_LINE_END)
DOOR(door_text_start, EDIT_TEXT_START)
DOOR(door_text_end, EDIT_TEXT_END)
DOOR(door_word_left, EDIT_WORD_LEFT)
DOOR(door_word_right, EDIT_WORD_RIGHT)
DOOR(door_delete_left, EDIT_DELETE_LEFT)
DOOR(door_delete_right, EDIT_DELETE_RIGHT)
DOOR(door_delete_word_left, EDIT_DELETE_WORD_LEFT)
DOOR(door_delete_word_right, EDIT_DELETE_WORD_RIGHT)
DOOR(door_kill_line, EDIT_KILL_LINE)
DOOR(door_kill_start, EDIT_KILL_START)
DOOR(door_yank, EDIT_YANK)
DOOR(door_transpose, EDIT_TRANSPOSE)
DOOR(door_newline, EDIT_NEWLINE)
DOOR(door_undo, EDIT_UNDO)
DOOR(door_search, EDIT_SEARCH)
DOOR(door_accept, EDIT_ACCEPT)
#undef DOOR

static unsigned char (*const door[EDIT_COUNT])(EditLine *, int) = {
    [EDIT_LEFT] = door_left,
    [EDIT_RIGHT] = door_right,
    [EDIT_UP] = door_up,
    [EDIT_DOWN] = door_down,
    [EDIT_LINE_START] = door_line_start,
    [EDIT_LINE_END] = door_line_end,
    [EDIT_TEXT_START] = door_text_start,
    [EDIT_TEXT_END] = door_text_end,
    [EDIT_WORD_LEFT] = door_word_left,
    [EDIT_WORD_RIGHT] = door_word_right,
    [EDIT_DELETE_LEFT] = door_delete_left,
    [EDIT_DELETE_RIGHT] = door_delete_right,
    [EDIT_DELETE_WORD_LEFT] = door_delete_word_left,
    [EDIT_DELETE_WORD_RIGHT] = door_delete_word_right,
    [EDIT_KILL_LINE] = door_kill_line,
    [EDIT_KILL_START] = door_kill_start,
    [EDIT_YANK] = door_yank,
    [EDIT_TRANSPOSE] = door_transpose,
    [EDIT_NEWLINE] = door_newline,
    [EDIT_UNDO] = door_undo,
    [EDIT_SEARCH] = door_search,
    [EDIT_ACCEPT] = door_accept,
};

bool editor_read(Editor *editor, wchar_t *wc)
{
    return el_wgetc(editor->el, wc) == 1;
}

/* ---- the editor's thread --------------------------------------------------------------------- */

/* libedit wants a character: hands control to the UI thread and waits until it has one. */
static int next_character(EditLine *el, wchar_t *out)
{
    Editor *editor = NULL;
    el_wget(el, EL_CLIENTDATA, &editor);
    if (editor->restore) {
        el_winsertstr(el, editor->restore);
        free(editor->restore);
        editor->restore = NULL;
    }
    pthread_mutex_lock(&editor->lock);
    editor->turn = TURN_UI;
    pthread_cond_broadcast(&editor->turn_changed);
    while (editor->turn != TURN_EDITOR)
        pthread_cond_wait(&editor->turn_changed, &editor->lock);
    *out = (wchar_t)editor->next;
    bool quit = editor->quit;
    pthread_mutex_unlock(&editor->lock);
    return quit ? 0 : 1;
}

/* Ours end a line only by a flag; a key that the user bound to one of libedit's own enders comes
 * back here, and the line is put back, because whether it is taken is not the editor's to
 * decide. */
static void *editor_main(void *arg)
{
    Editor *editor = arg;
    while (!editor->quit) {
        int n = 0;
        const wchar_t *line = el_wgets(editor->el, &n);
        if (editor->quit || !line)
            continue;
        while (n > 0 && (line[n - 1] == L'\n' || line[n - 1] == L'\r'))
            n--;
        editor->restore = xcalloc((size_t)n + 1, sizeof(wchar_t));
        wmemcpy(editor->restore, line, (size_t)n);
        editor->accepted = true;
    }
    pthread_mutex_lock(&editor->lock);
    editor->turn = TURN_UI;
    pthread_cond_broadcast(&editor->turn_changed);
    pthread_mutex_unlock(&editor->lock);
    return NULL;
}

/* Gives one character, or none at the start, and waits until libedit asks again. */
void editor_hand_over(Editor *editor, wint_t wc)
{
    pthread_mutex_lock(&editor->lock);
    editor->next = wc;
    editor->turn = TURN_EDITOR;
    pthread_cond_broadcast(&editor->turn_changed);
    while (editor->turn != TURN_UI)
        pthread_cond_wait(&editor->turn_changed, &editor->lock);
    pthread_mutex_unlock(&editor->lock);
}

/* ---- making one ------------------------------------------------------------------------------ */

static wchar_t *no_prompt(EditLine *el)
{
    static wchar_t empty[] = L"";
    (void)el;
    return empty;
}

static bool open_pty(Editor *editor, Error *err)
{
    struct winsize size = { .ws_row = 100, .ws_col = 200 };
    int slave;
    if (openpty(&editor->master, &slave, NULL, NULL, &size) != 0)
        return error_errno(err, _("cannot open a pseudo terminal for the input line"));
    fcntl(editor->master, F_SETFD, FD_CLOEXEC);
    fcntl(slave, F_SETFD, FD_CLOEXEC);
    int copy = fcntl(slave, F_DUPFD_CLOEXEC, 3);
    editor->in = fdopen(slave, "r");
    editor->out = copy >= 0 ? fdopen(copy, "w") : NULL;
    editor->null = fopen("/dev/null", "we");
    if (!editor->in || !editor->out || !editor->null)
        return error_errno(err, _("cannot open a pseudo terminal for the input line"));
    return true;
}

/* Binds the table's keys.  In vi's insert mode Esc is a key of its own, so nothing that begins with
 * it is bound. */
static void bind_keys(Editor *editor)
{
    size_t n;
    const EditorFunction *function = editor_functions(&n);
    for (size_t i = 0; i < n; i++) {
        Str keys = str_from(function[i].keys);
        wchar_t *name = to_wide(str_from(function[i].name));
        Key key;
        while (editor_next_key(&keys, &key)) {
            char bytes[EDITOR_KEY_BYTES];
            wchar_t wide[EDITOR_KEY_BYTES + 1] = { 0 };
            size_t len = editor_key_bytes(key, bytes);
            for (size_t k = 0; k < len; k++)
                wide[k] = (wchar_t)bytes[k];
            if (!editor->is_vi || (function[i].in_vi && bytes[0] != 0x1B))
                el_wset(editor->el, EL_BIND, wide, name, NULL);
        }
        free(name);
    }
}

static void add_functions(Editor *editor)
{
    size_t n;
    const EditorFunction *function = editor_functions(&n);
    for (size_t i = 0; i < n; i++) {
        editor->name[i] = to_wide(str_from(function[i].name)); /* libedit keeps the pointer */
        el_wset(editor->el, EL_ADDFN, editor->name[i], L"kaiwa", door[function[i].op]);
    }
}

static bool uses_vi(Editor *editor)
{
    const wchar_t *map = NULL;
    return el_wget(editor->el, EL_EDITOR, &map) == 0 && map && wcscmp(map, L"vi") == 0;
}

static bool open_libedit(Editor *editor, Error *err)
{
    editor->el = el_init("kaiwa", editor->in, editor->out, editor->null);
    if (!editor->el)
        return error_set(err, ERR_SYSTEM, _("cannot start the line editor"));
    el_wset(editor->el, EL_SETFP, 1,
            editor->null); /* it has seen a terminal; from now on it draws nowhere */
    el_wset(editor->el, EL_SETFP, 2, editor->null);
    el_wset(editor->el, EL_CLIENTDATA, editor);
    el_wset(editor->el, EL_SIGNAL, 0);
    el_wset(editor->el, EL_PROMPT, no_prompt);
    el_wset(editor->el, EL_EDITOR, L"emacs");
    el_wset(editor->el, EL_GETCFN, next_character);
    add_functions(editor);
    bind_keys(editor);
    if (!editor->options.skip_user_file)
        el_source(editor->el, NULL);
    editor->is_vi = uses_vi(editor);
    if (editor->is_vi)
        bind_keys(editor); /* `bind -v` has begun a fresh map */
    editor->history_el = history_winit();
    if (editor->history_el) {
        HistEventW event;
        history_w(editor->history_el, &event, H_SETSIZE, 1000);
        el_wset(editor->el, EL_HIST, history_w, editor->history_el);
    }
    return true;
}

Editor *editor_new(const EditorOptions *options, Error *err)
{
    Editor *editor = xcalloc(1, sizeof *editor);
    editor->options = *options;
    editor->master = -1;
    editor->cols = DEFAULT_COLS;
    editor->goal_col = -1;
    pthread_mutex_init(&editor->lock, NULL);
    pthread_cond_init(&editor->turn_changed, NULL);
    if (!open_pty(editor, err) || !open_libedit(editor, err)) {
        editor_free(editor);
        return NULL;
    }
    editor->turn = TURN_EDITOR;
    int failed = pthread_create(&editor->thread, NULL, editor_main, editor);
    if (failed) {
        errno = failed;
        error_errno(err, _("cannot start the line editor"));
        editor_free(editor);
        return NULL;
    }
    editor->has_thread = true;
    pthread_mutex_lock(&editor->lock);
    while (editor->turn != TURN_UI)
        pthread_cond_wait(&editor->turn_changed, &editor->lock);
    pthread_mutex_unlock(&editor->lock);
    return editor;
}

void editor_free(Editor *editor)
{
    if (!editor)
        return;
    if (editor->has_thread) {
        editor->quit = true; /* read by the other thread after the hand-over only */
        editor_hand_over(editor, 0);
        pthread_join(editor->thread, NULL);
    }
    if (editor->history_el)
        history_wend(editor->history_el);
    if (editor->el)
        el_end(editor->el);
    FILE *files[] = { editor->in, editor->out, editor->null };
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (files[i])
            fclose(files[i]);
    if (editor->master >= 0)
        close(editor->master);
    undo_release(&editor->undo);
    recall_release(&editor->recall);
    free(editor->restore);
    for (size_t i = 0; i < EDIT_COUNT; i++)
        free(editor->name[i]);
    Buf *bufs[] = { &editor->text, &editor->kill, &editor->search_prompt, &editor->query };
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_release(bufs[i]);
    pthread_cond_destroy(&editor->turn_changed);
    pthread_mutex_destroy(&editor->lock);
    free(editor);
}

/* ---- keys ------------------------------------------------------------------------------------ */

EditorResult editor_key(Editor *editor, wchar_t wc)
{
    UndoStep before = editor_step_begin(editor);
    editor_hand_over(editor, (wint_t)wc);
    return editor_step_end(editor, before, wc >= 0x20 && wc != 0x7F);
}

EditorResult editor_press(Editor *editor, Key key)
{
    char bytes[EDITOR_KEY_BYTES];
    if (key.mods == 0 && key.code >= 0x80 && key.code < INPUT_FIRST)
        return editor_key(editor, (wchar_t)key.code);
    size_t n = editor_key_bytes(key, bytes);
    if (n == 0)
        return EDITOR_PASSED;
    EditOp op = n > 1 && editor->is_vi ? editor_key_op(key) : EDIT_COUNT;
    UndoStep before = editor_step_begin(editor);
    if (op < EDIT_COUNT)
        editor_run(editor, op); /* in the vi keys a burst would begin with the command Esc */
    else
        for (size_t i = 0; i < n; i++)
            editor_hand_over(editor, (wint_t)bytes[i]);
    return editor_step_end(editor, before, n == 1 && bytes[0] >= 0x20 && bytes[0] != 0x7F);
}

void editor_insert(Editor *editor, Str text)
{
    Buf clean = BUF_INIT;
    text_clean_input(text, &clean);
    for (size_t i = 0; editor->options.one_line && i < clean.len; i++)
        if (clean.data[i] == '\n')
            clean.data[i] = ' ';
    UndoStep before = editor_step_begin(editor);
    editor_change(editor, editor->cursor, editor->cursor, buf_str(&clean),
                  editor->cursor + clean.len);
    editor_step_end(editor, before, false);
    buf_release(&clean);
}

void editor_replace(Editor *editor, size_t from, size_t to, Str text)
{
    UndoStep before = editor_step_begin(editor);
    editor_change(editor, from, to, text, from + text.len);
    editor_step_end(editor, before, false);
}

void editor_set(Editor *editor, Str text, bool undoable)
{
    UndoStep before = editor_step_begin(editor);
    editor_replace_all(editor, text);
    editor_step_end(editor, before, false);
    editor->recall.at = editor->recall.n;
    if (!undoable)
        undo_reset(&editor->undo);
}

/* ---- what it holds --------------------------------------------------------------------------- */

Str editor_text(const Editor *editor)
{
    return buf_str(&editor->text);
}

size_t editor_cursor(const Editor *editor)
{
    return editor->cursor;
}

bool editor_is_empty(const Editor *editor)
{
    return editor->text.len == 0;
}

Str editor_search_prompt(const Editor *editor)
{
    return buf_str(&editor->search_prompt);
}

void editor_set_cols(Editor *editor, int cols)
{
    editor->cols = cols < 1 ? 1 : cols;
}

bool editor_is_vi(const Editor *editor)
{
    return editor->is_vi;
}

void editor_history_add(Editor *editor, Str text)
{
    if (!recall_add(&editor->recall, text) || !editor->history_el)
        return;
    HistEventW event;
    wchar_t *wide = to_wide(text);
    history_w(editor->history_el, &event, H_ENTER, wide);
    free(wide);
}
