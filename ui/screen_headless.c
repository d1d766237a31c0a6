/* A screen in memory, driven by a replay file: keys, sizes, events of the script provider, a clock
 * that stands still.  The same program runs above it as above curses, and nothing sleeps.  One
 * command a line:
 *
 *   key NAMES       keys by name, separated by blanks
 *   text WORDS      each character as a key
 *   paste WORDS     a bracketed paste (\n, \t, \\)
 *   size COLSxROWS  another window
 *   events N        lets N events of the script happen
 *   advance MS      the clock goes on
 *   wait idle       until no request is being worked on
 *   wait settled    and no timer is about to act
 *   screen NAME     prints what is shown
 *   # ...           a remark
 *
 * The end of the file quits.  A wait that takes ten real seconds is an error. */
#include "config.h"

#include "ui/screen.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/base/utf8.h"
#include "src/provider_script.h"

enum { REPLAY_MAX = 16 << 20, PATIENCE_MS = 10000, KEYS_MAX = 4096 };

typedef struct {
    Screen screen;
    Buf replay, paste, dump_name;
    Str rest; /* of the replay */
    int line;
    int rows, cols;
    int64_t now_us;
    Key waiting[KEYS_MAX];
    size_t first, n;
    bool wants_dump; /* the next frame is printed */
    uint64_t until;  /* events to be taken before going on; 0: none */
    enum { UNTIL_NOTHING, UNTIL_IDLE, UNTIL_SETTLED } until_state;
} Headless;

static void headless_close(Screen *screen)
{
    Headless *self = (Headless *)screen;
    if (!self)
        return;
    clock_set_virtual(NULL);
    provider_script_gate(false);
    buf_release(&self->replay);
    buf_release(&self->paste);
    buf_release(&self->dump_name);
    free(self);
}

static Screen *headless_open(const ScreenOptions *options, Error *err)
{
    Headless *self = xcalloc(1, sizeof *self);
    self->screen.kind = &screen_headless;
    self->rows = options->rows;
    self->cols = options->cols;
    self->now_us = INT64_C(1704067200000000); /* 2024-01-01 00:00 UTC */
    if (!options->replay) {
        error_set(err, ERR_USAGE, _("--headless needs --keys FILE"));
    } else if (path_read_file(options->replay, REPLAY_MAX, &self->replay, err)) {
        self->rest = buf_str(&self->replay);
        clock_set_virtual(&self->now_us);
        return &self->screen;
    }
    headless_close(&self->screen);
    return NULL;
}

static void headless_size(const Screen *screen, int *rows, int *cols)
{
    *rows = ((const Headless *)screen)->rows;
    *cols = ((const Headless *)screen)->cols;
}

static void headless_show(Screen *screen, const Grid *grid, int row, int col)
{
    Headless *self = (Headless *)screen;
    if (!self->wants_dump)
        return;
    self->wants_dump = false;
    Buf out = BUF_INIT;
    buf_printf(&out, "== %s %dx%d ", buf_cstr(&self->dump_name), grid->cols, grid->rows);
    if (row >= 0)
        buf_printf(&out, "cursor %d,%d\n", row, col);
    else
        buf_puts(&out, "no cursor\n");
    grid_dump(grid, &out);
    fwrite(out.data, 1, out.len, stdout);
    buf_release(&out);
}

/* ---- the replay ------------------------------------------------------------------------------ */

static void push_key(Headless *self, Key key)
{
    if (self->n < KEYS_MAX)
        self->waiting[(self->first + self->n++) % KEYS_MAX] = key;
}

static bool bad_line(const Headless *self, Str line, Error *err)
{
    return error_set(err, ERR_FORMAT, _("replay file, line %d: cannot read “%.*s”"), self->line,
                     (int)line.len, line.data);
}

static bool take_number(const Headless *self, Str text, long long *out, Error *err)
{
    return (str_to_long(str_trim(text), out) && *out >= 0) || bad_line(self, text, err);
}

static bool run_key(Headless *self, Str names, Error *err)
{
    while (names.len > 0) {
        size_t end = 0;
        Key key;
        while (end < names.len && names.data[end] != ' ')
            end++;
        if (!key_parse(str_sub(names, 0, end), &key))
            return bad_line(self, names, err);
        push_key(self, key);
        names = str_trim(str_from_offset(names, end));
    }
    return true;
}

static bool run_text(Headless *self, Str text, Error *err)
{
    (void)err;
    for (size_t pos = 0; pos < text.len;)
        push_key(self, (Key){ utf8_next(text, &pos), 0 });
    return true;
}

static bool run_paste(Headless *self, Str text, Error *err)
{
    (void)err;
    buf_reset(&self->paste);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\\' && i + 1 < text.len) {
            c = text.data[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        buf_putc(&self->paste, c);
    }
    push_key(self, (Key){ INPUT_PASTE, 0 });
    return true;
}

static bool run_size(Headless *self, Str text, Error *err)
{
    long long cols, rows;
    ptrdiff_t x = str_find(text, STR("x"));
    if (x < 0 || !str_to_long(str_sub(text, 0, (size_t)x), &cols) ||
        !str_to_long(str_from_offset(text, (size_t)x + 1), &rows) || cols < 1 || rows < 1 ||
        cols > 1000 || rows > 1000)
        return bad_line(self, text, err);
    self->cols = (int)cols;
    self->rows = (int)rows;
    push_key(self, (Key){ INPUT_RESIZE, 0 });
    return true;
}

static bool run_advance(Headless *self, Str text, Error *err)
{
    long long ms;
    if (!take_number(self, text, &ms, err))
        return false;
    self->now_us += ms * 1000;
    return true;
}

static bool run_wait(Headless *self, Str text, Error *err)
{
    if (str_eq_c(text, "idle"))
        self->until_state = UNTIL_IDLE;
    else if (str_eq_c(text, "settled"))
        self->until_state = UNTIL_SETTLED;
    else
        return bad_line(self, text, err);
    return true;
}

static bool run_screen(Headless *self, Str text, Error *err)
{
    (void)err;
    buf_reset(&self->dump_name);
    buf_append_str(&self->dump_name, text);
    self->wants_dump = true;
    return true;
}

static bool run_events(Headless *self, Str text, Error *err)
{
    long long n;
    if (!take_number(self, text, &n, err))
        return false;
    provider_script_release((int)n);
    self->until = (uint64_t)n; /* relative here; headless_wait makes it absolute */
    return true;
}

static const struct {
    const char *word;
    bool (*run)(Headless *, Str, Error *);
} command[] = {
    { "key", run_key },       { "text", run_text },       { "paste", run_paste },
    { "size", run_size },     { "advance", run_advance }, { "wait", run_wait },
    { "screen", run_screen }, { "events", run_events },
};

static bool run_line(Headless *self, Str line, Error *err)
{
    size_t end = 0;
    while (end < line.len && line.data[end] != ' ')
        end++;
    Str rest = str_from_offset(line, end < line.len ? end + 1 : end); /* text keeps its blanks */
    for (size_t i = 0; i < ARRAY_LEN(command); i++)
        if (str_eq_c(str_sub(line, 0, end), command[i].word))
            return command[i].run(self, rest, err);
    return bad_line(self, line, err);
}

/* Waits for the worker; a real clock, because another thread really works. */
static ScreenWake wait_for_worker(Headless *self, const ScreenWait *wait, Error *err)
{
    struct pollfd fds[] = { { wait->worker_fd, POLLIN, 0 }, { wait->signal_fd, POLLIN, 0 } };
    if (poll(fds, ARRAY_LEN(fds), PATIENCE_MS) != 0)
        return SCREEN_WOKE;
    error_set(err, ERR_FORMAT, _("replay file, line %d: waited in vain"), self->line);
    return SCREEN_END;
}

static bool must_wait(Headless *self, const ScreenWait *wait)
{
    if (self->until != 0) {
        if (wait->n_events < self->until)
            return true;
        self->until = 0;
    }
    if ((self->until_state == UNTIL_IDLE && !wait->is_idle) ||
        (self->until_state == UNTIL_SETTLED && !wait->is_settled))
        return true;
    self->until_state = UNTIL_NOTHING;
    return false;
}

static ScreenWake headless_wait(Screen *screen, const ScreenWait *wait, Error *err)
{
    Headless *self = (Headless *)screen;
    Str line;
    if (must_wait(self, wait))
        return wait->timeout_ms == 0 ? SCREEN_WOKE /* a timer is due */
                                     : wait_for_worker(self, wait, err);
    do {
        if (!str_line(&self->rest, &line))
            return SCREEN_END;
        self->line++;
    } while (line.len == 0 || line.data[0] == '#');
    if (!run_line(self, line, err))
        return SCREEN_END;
    if (self->until != 0)
        self->until += wait->n_events;
    return self->wants_dump ? SCREEN_PAINT : SCREEN_WOKE;
}

static bool headless_key(Screen *screen, Key *key)
{
    Headless *self = (Headless *)screen;
    if (self->n == 0)
        return false;
    *key = self->waiting[self->first];
    self->first = (self->first + 1) % KEYS_MAX;
    self->n--;
    return true;
}

static Str headless_paste(const Screen *screen)
{
    return buf_str(&((const Headless *)screen)->paste);
}

static void headless_nothing(Screen *screen)
{
    (void)screen;
}

const ScreenKind screen_headless = {
    .name = "headless",
    .open = headless_open,
    .close = headless_close,
    .size = headless_size,
    .show = headless_show,
    .wait = headless_wait,
    .key = headless_key,
    .paste = headless_paste,
    .repaint = headless_nothing,
    .bell = headless_nothing,
    .suspend = headless_nothing,
};
