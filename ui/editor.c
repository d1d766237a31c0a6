/* libedit in strict hand-off (contracts 7), with functions of ours bound over its own.  The one file that knows libedit.
 *
 * The editor's thread sleeps inside the character callback whenever the UI thread runs, so the UI thread may then look at
 * and change libedit's line directly; and libedit's functions that read further keys (^V, numeric arguments, vi operators)
 * work as on a terminal. */
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
#include "ui/edit.h"
#include "ui/recall.h"
#include "ui/undo.h"

enum { DEFAULT_COLS = 78 };

struct Editor {
    EditorOptions options;
    EditLine *el;
    HistoryW *history_el; /* for libedit's own history functions */
    FILE *in, *out, *null;
    int master;
    bool is_vi;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t turn_changed;
    enum { TURN_UI, TURN_EDITOR } turn;
    bool has_thread, quit;
    wint_t next;        /* character handed over */
    wchar_t *restore;   /* line that el_wgets returned: it goes back into the buffer */
    bool accepted;

    Buf text;           /* libedit's line as UTF-8, after the last key */
    size_t cursor;
    int cols, goal_col;
    bool goal_kept, kill_kept, last_was_kill; /* set by the function that ran in this key press */
    Buf kill;

    Undo undo;
    bool undoing;
    Recall recall;
    Buf search_prompt, query;
};

/* ---- characters between UTF-8 and libedit ---------------------------------------------------------------------- */

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
static void sync_text(Editor *editor)
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
static void change_line(Editor *editor, size_t from, size_t to, Str insert, size_t cursor)
{
    Str text = buf_str(&editor->text);
    size_t first = utf8_count(str_sub(text, 0, from)), n = utf8_count(str_sub(text, from, to - from));
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
    sync_text(editor);
    cursor_to(editor, utf8_count(str_sub(buf_str(&editor->text), 0, cursor)));
    sync_text(editor);
}

static void replace_all(Editor *editor, Str text)
{
    sync_text(editor);
    change_line(editor, 0, editor->text.len, text, text.len);
}

/* ---- undo and history ---------------------------------------------------------------------------------------------- */

static unsigned char run_undo(Editor *editor)
{
    UndoStep step;
    if (!undo_take(&editor->undo, &step))
        return CC_ERROR;
    sync_text(editor);
    change_line(editor, 0, editor->text.len, str_of(step.text, step.len), step.cursor);
    free(step.text);
    editor->undoing = true;
    return CC_REFRESH;
}

static bool history_move(Editor *editor, int step)
{
    Str line;
    if (!editor->options.has_history || !recall_move(&editor->recall, step, buf_str(&editor->text), &line))
        return false;
    replace_all(editor, line);
    return true;
}

static void search_show(Editor *editor, bool failed)
{
    buf_reset(&editor->search_prompt);
    /* TRANSLATORS: in front of the input while the history is searched backwards */
    buf_printf(&editor->search_prompt, failed ? _("not in the history “%s”: ") : _("history “%s”: "),
               buf_cstr(&editor->query));
}

/* The next place to look below, after a key in a search.  False: the key ends the search. */
static bool search_key(Editor *editor, wchar_t wc, size_t at, size_t *below)
{
    size_t n = editor->recall.n;
    Str query = buf_str(&editor->query);
    *below = at;
    if (wc == 0x12)
        return true;
    if (wc == 0x7F || wc == 0x08) {
        buf_truncate(&editor->query, text_prev_grapheme(query, query.len));
        *below = n;
        return true;
    }
    if (wc < 0x20)
        return false;
    buf_put_utf8(&editor->query, (unsigned)wc);
    *below = at < n ? at + 1 : n;
    return true;
}

/* ^R: reads keys until one ends the search.  Written straight on, as libedit's own functions are: el_wgetc hands control
 * back to the screen.  (libedit's own search ends at 一, U+4E00: it looks at the low byte alone.) */
static unsigned char run_search(Editor *editor)
{
    sync_text(editor);
    UndoStep before = undo_step(buf_str(&editor->text), editor->cursor);
    size_t n = editor->recall.n, at = n, below;
    bool failed = false;
    wchar_t wc = 0;
    buf_reset(&editor->query);
    for (;;) {
        search_show(editor, failed);
        if (el_wgetc(editor->el, &wc) != 1 || !search_key(editor, wc, at, &below))
            break;
        size_t found = editor->query.len ? recall_find(&editor->recall, buf_str(&editor->query), below) : n;
        failed = found == n && editor->query.len > 0;
        if (found < n) {
            at = found;
            replace_all(editor, str_from(editor->recall.line[at]));
        }
    }
    buf_reset(&editor->search_prompt);
    if (wc == 0x07 || wc == 0x1B) {
        sync_text(editor);
        change_line(editor, 0, editor->text.len, str_of(before.text, before.len), before.cursor);
    } else if (at < n) {
        recall_jump(&editor->recall, at, str_of(before.text, before.len));
    }
    free(before.text);
    editor->accepted = wc == '\r';
    return CC_REFRESH;
}

/* ---- the functions bound to keys ---------------------------------------------------------------------------------- */

static unsigned char run_edit(Editor *editor, EditOp op)
{
    sync_text(editor);
    if (op == EDIT_NEWLINE && editor->options.one_line)
        return CC_ERROR;
    EditInput in = { buf_str(&editor->text), editor->cursor, editor->cols, editor->goal_col, &editor->kill,
                     editor->last_was_kill };
    EditResult out;
    edit_run(&in, op, &out);
    if (out.done) {
        change_line(editor, out.from, out.to, buf_str(&out.insert), out.cursor);
        editor->goal_kept = out.goal_col >= 0;
        editor->goal_col = out.goal_col;
        editor->kill_kept = out.is_kill;
    } else if (op == EDIT_UP || op == EDIT_DOWN) {
        out.done = history_move(editor, op == EDIT_UP ? -1 : 1);
    }
    buf_release(&out.insert);
    return out.done ? CC_REFRESH : CC_ERROR;
}

static unsigned char run_function(Editor *editor, EditOp op)
{
    switch (op) {
    case EDIT_UNDO:
        return run_undo(editor);
    case EDIT_SEARCH:
        return editor->options.has_history ? run_search(editor) : CC_ERROR;
    case EDIT_ACCEPT:
        editor->accepted = true;
        return CC_REFRESH;
    default:
        return run_edit(editor, op);
    }
}

static unsigned char run_from_libedit(EditLine *el, EditOp op)
{
    Editor *editor = NULL;
    el_wget(el, EL_CLIENTDATA, &editor);
    return run_function(editor, op);
}

/* libedit's functions carry no data, so each operation has a door of its own. */
#define DOOR(name, op) \
    static unsigned char name(EditLine *el, int ch) \
    { \
        (void)ch; \
        return run_from_libedit(el, op); \
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

typedef struct {
    const wchar_t *name;
    unsigned char (*door)(EditLine *, int);
    const wchar_t *bind[5];    /* in libedit's notation */
    bool in_vi;                /* also in vi's insert mode */
} Function;

static const Function function[EDIT_COUNT] = {
    [EDIT_LEFT] = { L"kaiwa-left", door_left, { L"^B", L"\\e[D", L"\\eOD" }, false },
    [EDIT_RIGHT] = { L"kaiwa-right", door_right, { L"^F", L"\\e[C", L"\\eOC" }, false },
    [EDIT_UP] = { L"kaiwa-up", door_up, { L"^P", L"\\e[A", L"\\eOA" }, false },
    [EDIT_DOWN] = { L"kaiwa-down", door_down, { L"^N", L"\\e[B", L"\\eOB" }, false },
    [EDIT_LINE_START] = { L"kaiwa-line-start", door_line_start, { L"^A", L"\\e[H", L"\\eOH" }, false },
    [EDIT_LINE_END] = { L"kaiwa-line-end", door_line_end, { L"^E", L"\\e[F", L"\\eOF" }, false },
    [EDIT_TEXT_START] = { L"kaiwa-text-start", door_text_start, { NULL }, false },
    [EDIT_TEXT_END] = { L"kaiwa-text-end", door_text_end, { NULL }, false },
    [EDIT_WORD_LEFT] = { L"kaiwa-word-left", door_word_left, { L"\\eb", L"\\e[1;5D", L"\\e[1;3D" }, false },
    [EDIT_WORD_RIGHT] = { L"kaiwa-word-right", door_word_right, { L"\\ef", L"\\e[1;5C", L"\\e[1;3C" }, false },
    [EDIT_DELETE_LEFT] = { L"kaiwa-delete-left", door_delete_left, { L"^H", L"^?" }, true },
    [EDIT_DELETE_RIGHT] = { L"kaiwa-delete-right", door_delete_right, { L"^D", L"\\e[3~" }, false },
    [EDIT_DELETE_WORD_LEFT] = { L"kaiwa-delete-word-left", door_delete_word_left, { L"^W", L"\\e^H", L"\\e^?" }, true },
    [EDIT_DELETE_WORD_RIGHT] = { L"kaiwa-delete-word-right", door_delete_word_right, { L"\\ed" }, false },
    [EDIT_KILL_LINE] = { L"kaiwa-kill-line", door_kill_line, { L"^K" }, false },
    [EDIT_KILL_START] = { L"kaiwa-kill-start", door_kill_start, { L"^U" }, true },
    [EDIT_YANK] = { L"kaiwa-yank", door_yank, { L"^Y" }, false },
    [EDIT_TRANSPOSE] = { L"kaiwa-transpose", door_transpose, { L"^T" }, false },
    [EDIT_NEWLINE] = { L"kaiwa-newline", door_newline, { L"^J", L"\\e^M", L"\\e^J" }, true },
    [EDIT_UNDO] = { L"kaiwa-undo", door_undo, { L"^_" }, true },
    [EDIT_SEARCH] = { L"kaiwa-search", door_search, { L"^R" }, true },
    [EDIT_ACCEPT] = { L"kaiwa-accept", door_accept, { L"^M" }, true },
};

/* What terminals send for keys with names; given to libedit in one burst, so that ~/.editrc can bind them. */
static const struct {
    unsigned code, mods;
    const char *bytes;
    EditOp op; /* what to run in the vi keys, where Esc is a command */
} special[] = {
    { INPUT_UP, 0, "\033[A", EDIT_UP },
    { INPUT_DOWN, 0, "\033[B", EDIT_DOWN },
    { INPUT_RIGHT, 0, "\033[C", EDIT_RIGHT },
    { INPUT_LEFT, 0, "\033[D", EDIT_LEFT },
    { INPUT_HOME, 0, "\033[H", EDIT_LINE_START },
    { INPUT_END, 0, "\033[F", EDIT_LINE_END },
    { INPUT_DELETE, 0, "\033[3~", EDIT_DELETE_RIGHT },
    { INPUT_LEFT, MOD_CTRL, "\033[1;5D", EDIT_WORD_LEFT },
    { INPUT_RIGHT, MOD_CTRL, "\033[1;5C", EDIT_WORD_RIGHT },
    { INPUT_ENTER, MOD_ALT, "\033\r", EDIT_NEWLINE },
    { '\n', MOD_ALT, "\033\n", EDIT_NEWLINE },
    { INPUT_ENTER, MOD_SHIFT, "\n", EDIT_NEWLINE },
};

/* ---- the editor's thread ------------------------------------------------------------------------------------------- */

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

/* Ours end a line only by a flag; a key that the user bound to one of libedit's own enders comes back here, and the line is
 * put back, because whether it is taken is not the editor's to decide. */
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
static void hand_over(Editor *editor, wint_t wc)
{
    pthread_mutex_lock(&editor->lock);
    editor->next = wc;
    editor->turn = TURN_EDITOR;
    pthread_cond_broadcast(&editor->turn_changed);
    while (editor->turn != TURN_UI)
        pthread_cond_wait(&editor->turn_changed, &editor->lock);
    pthread_mutex_unlock(&editor->lock);
}

/* ---- making one ------------------------------------------------------------------------------------------------------ */

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

static void bind_keys(Editor *editor)
{
    for (size_t i = 0; i < EDIT_COUNT; i++)
        for (const wchar_t *const *key = function[i].bind; *key; key++)
            if (!editor->is_vi || (function[i].in_vi && **key != L'\\')) /* there, Esc is a key of its own */
                el_wset(editor->el, EL_BIND, *key, function[i].name, NULL);
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
    el_wset(editor->el, EL_SETFP, 1, editor->null); /* it has seen a terminal; from now on it draws nowhere */
    el_wset(editor->el, EL_SETFP, 2, editor->null);
    el_wset(editor->el, EL_CLIENTDATA, editor);
    el_wset(editor->el, EL_SIGNAL, 0);
    el_wset(editor->el, EL_PROMPT, no_prompt);
    el_wset(editor->el, EL_EDITOR, L"emacs");
    el_wset(editor->el, EL_GETCFN, next_character);
    for (size_t i = 0; i < EDIT_COUNT; i++)
        el_wset(editor->el, EL_ADDFN, function[i].name, L"kaiwa", function[i].door);
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
        hand_over(editor, 0);
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
    Buf *bufs[] = { &editor->text, &editor->kill, &editor->search_prompt, &editor->query };
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_release(bufs[i]);
    pthread_cond_destroy(&editor->turn_changed);
    pthread_mutex_destroy(&editor->lock);
    free(editor);
}

/* ---- keys ------------------------------------------------------------------------------------------------------------ */

static UndoStep step_begin(Editor *editor)
{
    sync_text(editor);
    editor->goal_kept = editor->kill_kept = editor->accepted = editor->undoing = false;
    return undo_step(buf_str(&editor->text), editor->cursor);
}

static EditorResult step_end(Editor *editor, UndoStep before, bool typed)
{
    sync_text(editor);
    if (editor->undoing)
        free(before.text);
    else
        undo_note(&editor->undo, before, buf_str(&editor->text), typed);
    if (!editor->goal_kept)
        editor->goal_col = -1;
    editor->last_was_kill = editor->kill_kept;
    return editor->accepted ? EDITOR_ACCEPTED : EDITOR_DONE;
}

EditorResult editor_key(Editor *editor, wchar_t wc)
{
    UndoStep before = step_begin(editor);
    hand_over(editor, (wint_t)wc);
    return step_end(editor, before, wc >= 0x20 && wc != 0x7F);
}

EditorResult editor_press(Editor *editor, Key key)
{
    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        if (special[i].code != key.code || special[i].mods != key.mods)
            continue;
        UndoStep before = step_begin(editor);
        if (editor->is_vi)
            run_function(editor, special[i].op);
        else
            for (const char *p = special[i].bytes; *p; p++)
                hand_over(editor, (wint_t)*p);
        return step_end(editor, before, false);
    }
    if (key.code >= INPUT_FIRST || (key.mods & ~(unsigned)MOD_ALT))
        return EDITOR_PASSED;
    if (!(key.mods & MOD_ALT))
        return editor_key(editor, (wchar_t)key.code);
    UndoStep before = step_begin(editor);
    hand_over(editor, 0x1B);
    hand_over(editor, (wint_t)key.code);
    return step_end(editor, before, false);
}

void editor_insert(Editor *editor, Str text)
{
    Buf clean = BUF_INIT;
    text_clean_input(text, &clean);
    for (size_t i = 0; editor->options.one_line && i < clean.len; i++)
        if (clean.data[i] == '\n')
            clean.data[i] = ' ';
    UndoStep before = step_begin(editor);
    change_line(editor, editor->cursor, editor->cursor, buf_str(&clean), editor->cursor + clean.len);
    step_end(editor, before, false);
    buf_release(&clean);
}

void editor_replace(Editor *editor, size_t from, size_t to, Str text)
{
    UndoStep before = step_begin(editor);
    change_line(editor, from, to, text, from + text.len);
    step_end(editor, before, false);
}

void editor_set(Editor *editor, Str text, bool undoable)
{
    UndoStep before = step_begin(editor);
    replace_all(editor, text);
    step_end(editor, before, false);
    editor->recall.at = editor->recall.n;
    if (!undoable)
        undo_reset(&editor->undo);
}

/* ---- what it holds --------------------------------------------------------------------------------------------------- */

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
