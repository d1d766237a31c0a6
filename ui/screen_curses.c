/* The terminal, through ncursesw: the only file that knows curses.  Owns the screen's modes between
 * open and close, the decoding of keys, and the order of a frame: changed cells first, the cursor
 * last. */
#include "config.h"

#include "ui/screen.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/base/text.h"
#include "src/base/utf8.h"
#include "ui/terminal.h"

enum { KEYS_WAITING = 256, PASTE_PATIENCE_MS = 1000, PROBE_MS = 200, ESC_MS = 30 };
enum {
    CODE_FIRST = KEY_MAX + 1,
    CODE_PASTE_START = CODE_FIRST,
    CODE_PASTE_END,
    CODE_SPECIAL
}; /* define_key */

typedef struct {
    Screen screen;
    SCREEN *curses;
    WINDOW *keys; /* never shown: reading keys must not refresh what is */
    const Theme *theme;
    attr_t attribute[STYLE_COUNT];
    short pair[STYLE_COUNT];
    bool has_sync;
    Key waiting[KEYS_WAITING];
    size_t first, n;
    bool pasting;
    int64_t paste_us;  /* when its last character came */
    Buf pasted, paste; /* being read; complete */
} Curses;

/* Modified keys have no common terminfo names; these are what terminals send (xterm's scheme). */
static const struct {
    const char *bytes;
    Key key;
} sequence[] = {
    { "\033[1;2A", { INPUT_UP, MOD_SHIFT } },
    { "\033[1;2B", { INPUT_DOWN, MOD_SHIFT } },
    { "\033[1;3A", { INPUT_UP, MOD_ALT } },
    { "\033[1;3B", { INPUT_DOWN, MOD_ALT } },
    { "\033[1;3C", { INPUT_RIGHT, MOD_ALT } },
    { "\033[1;3D", { INPUT_LEFT, MOD_ALT } },
    { "\033[1;5A", { INPUT_UP, MOD_CTRL } },
    { "\033[1;5B", { INPUT_DOWN, MOD_CTRL } },
    { "\033[1;5C", { INPUT_RIGHT, MOD_CTRL } },
    { "\033[1;5D", { INPUT_LEFT, MOD_CTRL } },
    { "\033[1;5H", { INPUT_HOME, MOD_CTRL } },
    { "\033[1;5F", { INPUT_END, MOD_CTRL } },
    { "\033[5;2~", { INPUT_PAGE_UP, MOD_SHIFT } },
    { "\033[6;2~", { INPUT_PAGE_DOWN, MOD_SHIFT } },
    { "\033[13;2u", { INPUT_ENTER, MOD_SHIFT } },
    { "\033[27;2;13~", { INPUT_ENTER, MOD_SHIFT } },
    { "\033[13;3u", { INPUT_ENTER, MOD_ALT } },
    { "\033[27;3;13~", { INPUT_ENTER, MOD_ALT } },
    { "\033[I", { INPUT_IGNORED, 0 } },
    { "\033[O", { INPUT_IGNORED, 0 } },
};

static const struct {
    int code;
    Key key;
} curses_key[] = {
    { KEY_UP, { INPUT_UP, 0 } },
    { KEY_DOWN, { INPUT_DOWN, 0 } },
    { KEY_LEFT, { INPUT_LEFT, 0 } },
    { KEY_RIGHT, { INPUT_RIGHT, 0 } },
    { KEY_HOME, { INPUT_HOME, 0 } },
    { KEY_END, { INPUT_END, 0 } },
    { KEY_PPAGE, { INPUT_PAGE_UP, 0 } },
    { KEY_NPAGE, { INPUT_PAGE_DOWN, 0 } },
    { KEY_IC, { INPUT_INSERT, 0 } },
    { KEY_DC, { INPUT_DELETE, 0 } },
    { KEY_BACKSPACE, { INPUT_BACKSPACE, 0 } },
    { KEY_ENTER, { INPUT_ENTER, 0 } },
    { KEY_BTAB, { INPUT_BACKTAB, 0 } },
    { KEY_SR, { INPUT_UP, MOD_SHIFT } },
    { KEY_SF, { INPUT_DOWN, MOD_SHIFT } },
    { KEY_RESIZE, { INPUT_RESIZE, 0 } },
    { KEY_SPREVIOUS, { INPUT_PAGE_UP, MOD_SHIFT } },
    { KEY_SNEXT, { INPUT_PAGE_DOWN, MOD_SHIFT } },
};

static void send_text(const char *text)
{
    fputs(text, stdout);
    fflush(stdout); /* curses writes past stdio */
}

/* ---- looks ----------------------------------------------------------------------------------- */

static void set_looks(Curses *curses)
{
    bool colours = has_colors() && !path_env("NO_COLOR");
    if (colours) {
        start_color();
        use_default_colors();
    }
    for (int i = 0; i < STYLE_COUNT; i++) {
        Look look = curses->theme->look[i];
        attr_t attribute = A_NORMAL;
        attribute |= look.attributes & LOOK_BOLD ? A_BOLD : 0;
        attribute |= look.attributes & LOOK_DIM ? A_DIM : 0;
        attribute |= look.attributes & LOOK_REVERSE ? A_REVERSE : 0;
        attribute |= look.attributes & LOOK_UNDERLINE ? A_UNDERLINE : 0;
        curses->attribute[i] = attribute;
        curses->pair[i] = 0;
        if (!colours || (look.fg < 0 && look.bg < 0))
            continue;
        short fg = look.fg, bg = look.bg;
        if (fg >= 8 && COLORS < 16) {
            fg -= 8;
            curses->attribute[i] |= A_BOLD;
        }
        if (bg >= 8 && COLORS < 16)
            bg -= 8;
        if (init_pair((short)(i + 1), fg, bg) != ERR)
            curses->pair[i] = (short)(i + 1);
    }
}

/* ---- modes ----------------------------------------------------------------------------------- */

static void modes_on(void)
{
    raw(); /* ^C, ^Z, ^S, ^Q, ^V are keys */
    noecho();
    nonl();
    send_text("\033[?2004h"); /* bracketed paste */
    terminal_guard_on();
}

static void modes_off(void)
{
    send_text("\033[?2004l");
}

static void set_keys(Curses *curses)
{
    define_key("\033[200~", CODE_PASTE_START);
    define_key("\033[201~", CODE_PASTE_END);
    for (size_t i = 0; i < ARRAY_LEN(sequence); i++)
        define_key(sequence[i].bytes, CODE_SPECIAL + (int)i);
    set_escdelay(ESC_MS);
    curses->keys = newwin(1, 1, 0, 0);
    keypad(curses->keys, TRUE);
    nodelay(curses->keys, TRUE);
}

static void curses_close(Screen *screen)
{
    Curses *curses = (Curses *)screen;
    if (!curses)
        return;
    if (curses->curses) {
        if (curses->keys)
            delwin(curses->keys);
        modes_off();
        endwin();
        terminal_guard_off();
        terminal_stderr_back();
        delscreen(curses->curses);
    }
    buf_release(&curses->pasted);
    buf_release(&curses->paste);
    free(curses);
}

static Screen *curses_open(const ScreenOptions *options, Error *err)
{
    Curses *curses = xcalloc(1, sizeof *curses);
    curses->screen.kind = &screen_curses;
    curses->theme = options->theme;
    curses->has_sync = options->has_sync;
    terminal_guard();
    curses->curses = newterm(NULL, stdout, stdin);
    if (!curses->curses) {
        const char *term = path_env("TERM");
        error_set(err, ERR_SYSTEM,
                  _("cannot use this terminal: TERM is %s; set TERM, or use --plain"),
                  term ? term : "?");
        curses_close(&curses->screen);
        return NULL;
    }
    set_term(curses->curses);
    modes_on();
    set_looks(curses);
    set_keys(curses);
    leaveok(stdscr, FALSE);
    scrollok(stdscr, FALSE);
    return &curses->screen;
}

static void curses_size(const Screen *screen, int *rows, int *cols)
{
    (void)screen;
    getmaxyx(stdscr, *rows, *cols);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void put_cell(const Curses *curses, int row, int col, const Cell *cell)
{
    wchar_t wide[CCHARW_MAX + 1] = { 0 };
    size_t n = 0;
    Str text = str_of(cell->text, cell->len);
    for (size_t pos = 0; pos < text.len && n < CCHARW_MAX;)
        wide[n++] = (wchar_t)utf8_next(text, &pos);
    cchar_t character;
    if (setcchar(&character, wide, curses->attribute[cell->style], curses->pair[cell->style],
                 NULL) == ERR) {
        wide[1] = L'\0';
        if (setcchar(&character, wide, curses->attribute[cell->style], curses->pair[cell->style],
                     NULL) == ERR)
            return;
    }
    mvwadd_wch(stdscr, row, col,
               &character); /* ERR in the last cell of the screen: it is drawn all the same */
}

static void curses_show(Screen *screen, const Grid *grid, int row, int col)
{
    Curses *curses = (Curses *)screen;
    int rows, cols;
    curses_size(screen, &rows, &cols);
    for (int r = 0; r < grid->rows && r < rows; r++)
        for (int c = 0; c < grid->cols && c < cols; c++) {
            const Cell *cell = grid_at(grid, r, c);
            if (cell->len > 0 && c + cell->cols <= cols)
                put_cell(curses, r, c, cell);
        }
    curs_set(row >= 0 ? 1 : 0);
    if (row >= 0)
        wmove(stdscr, row < rows ? row : rows - 1, col < cols ? col : cols - 1);
    wnoutrefresh(stdscr);
    if (curses->has_sync)
        send_text("\033[?2026h");
    doupdate();
    if (curses->has_sync)
        send_text("\033[?2026l");
}

static void curses_repaint(Screen *screen)
{
    (void)screen;
    clearok(stdscr, TRUE);
}

static void curses_bell(Screen *screen)
{
    (void)screen;
    beep();
}

/* raw() makes ^Z a key, so stopping is ours to do: give the terminal back, stop the whole group,
 * take it again. */
static void curses_suspend(Screen *screen)
{
    modes_off();
    def_prog_mode();
    endwin();
    terminal_guard_off();
    struct sigaction stop = { .sa_handler = SIG_DFL },
                     former; /* curses' own handler would do this half again */
    sigaction(SIGTSTP, &stop, &former);
    kill(0, SIGTSTP);
    sigaction(SIGTSTP, &former, NULL);
    reset_prog_mode();
    modes_on();
    flushinp();
    curses_repaint(screen);
    ungetch(KEY_RESIZE); /* the window may have another size now */
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void push_key(Curses *curses, Key key)
{
    if (curses->n < KEYS_WAITING)
        curses->waiting[(curses->first + curses->n++) % KEYS_WAITING] = key;
}

static void end_paste(Curses *curses)
{
    curses->pasting = false;
    buf_reset(&curses->paste);
    buf_append_str(&curses->paste, buf_str(&curses->pasted));
    buf_reset(&curses->pasted);
    push_key(curses, (Key){ INPUT_PASTE, 0 });
}

static void take_code(Curses *curses, int code)
{
    if (code == CODE_PASTE_START) {
        curses->pasting = true;
        curses->paste_us = clock_mono_us();
    } else if (code == CODE_PASTE_END) {
        if (curses->pasting)
            end_paste(curses);
    } else if (code >= CODE_SPECIAL && code < CODE_SPECIAL + (int)ARRAY_LEN(sequence)) {
        push_key(curses, sequence[code - CODE_SPECIAL].key);
    } else if (code >= KEY_F(1) && code <= KEY_F(12)) {
        push_key(curses, (Key){ INPUT_F1 + (unsigned)(code - KEY_F(1)), 0 });
    } else {
        for (size_t i = 0; i < ARRAY_LEN(curses_key); i++)
            if (curses_key[i].code == code)
                push_key(curses, curses_key[i].key);
    }
}

/* After Esc [ : a sequence that curses does not know (a late answer to the width probe, a mouse or
 * focus report).  Swallowed whole, so that none of it is typed. */
static void swallow_sequence(Curses *curses)
{
    wint_t wc;
    for (int i = 0; i < 64; i++)
        if (wget_wch(curses->keys, &wc) == ERR || (wc >= 0x40 && wc <= 0x7E))
            break;
}

/* Esc: alone, as the first half of Alt-x, or the start of something that is not for us. */
static void take_escape(Curses *curses)
{
    wint_t wc;
    int kind = wget_wch(curses->keys, &wc);
    if (kind == ERR) {
        push_key(curses, (Key){ INPUT_ESC, 0 });
    } else if (kind == KEY_CODE_YES) {
        size_t before = curses->n;
        take_code(curses, (int)wc);
        if (curses->n > before)
            curses->waiting[(curses->first + curses->n - 1) % KEYS_WAITING].mods |= MOD_ALT;
    } else if (wc == '[') {
        swallow_sequence(curses);
    } else if (wc == 0x1B) {
        push_key(curses, (Key){ INPUT_ESC, 0 });
        take_escape(curses);
    } else {
        push_key(curses, (Key){ (unsigned)wc, MOD_ALT });
    }
}

/* Everything that ncurses holds: it buffers input, so poll() alone does not tell. */
static void read_keys(Curses *curses)
{
    wint_t wc;
    int kind;
    while (curses->n < KEYS_WAITING && (kind = wget_wch(curses->keys, &wc)) != ERR) {
        curses->paste_us = clock_mono_us();
        if (kind == KEY_CODE_YES)
            take_code(curses, (int)wc);
        else if (curses->pasting)
            buf_put_utf8(&curses->pasted, (unsigned)wc);
        else if (wc == 0x1B)
            take_escape(curses);
        else
            push_key(curses, (Key){ (unsigned)wc, 0 });
        if (curses->n > 0 &&
            curses->waiting[(curses->first + curses->n - 1) % KEYS_WAITING].code == INPUT_PASTE)
            break; /* its text must be taken before another paste can come */
    }
    if (curses->pasting && clock_mono_us() - curses->paste_us > PASTE_PATIENCE_MS * 1000)
        end_paste(curses); /* the end mark got lost */
}

static bool curses_key_next(Screen *screen, Key *key)
{
    Curses *curses = (Curses *)screen;
    if (curses->n == 0)
        read_keys(curses);
    if (curses->n == 0)
        return false;
    *key = curses->waiting[curses->first];
    curses->first = (curses->first + 1) % KEYS_WAITING;
    curses->n--;
    return true;
}

static Str curses_paste(const Screen *screen)
{
    return buf_str(&((const Curses *)screen)->paste);
}

static ScreenWake curses_wait(Screen *screen, const ScreenWait *wait, Error *err)
{
    Curses *curses = (Curses *)screen;
    struct pollfd fds[] = {
        { STDIN_FILENO, POLLIN, 0 },
        { wait->worker_fd, POLLIN, 0 },
        { wait->signal_fd, POLLIN, 0 },
    };
    int timeout = wait->timeout_ms;
    (void)err;
    if (curses->n > 0)
        timeout = 0;
    else if (curses->pasting && (timeout < 0 || timeout > PASTE_PATIENCE_MS))
        timeout = PASTE_PATIENCE_MS;
    poll(fds, ARRAY_LEN(fds), timeout); /* EINTR: a new size; the next key says so */
    if ((fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) && !(fds[0].revents & POLLIN))
        return SCREEN_END; /* the terminal has gone */
    return SCREEN_WOKE;
}

const ScreenKind screen_curses = {
    .name = "curses",
    .open = curses_open,
    .close = curses_close,
    .size = curses_size,
    .show = curses_show,
    .wait = curses_wait,
    .key = curses_key_next,
    .paste = curses_paste,
    .repaint = curses_repaint,
    .bell = curses_bell,
    .suspend = curses_suspend,
};
