/* The system prompt: an editor of several lines that says beforehand what a change costs. */
#include "config.h"

#include <stdlib.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/text.h"
#include "ui/app.h"
#include "ui/editor.h"
#include "ui/inputbox.h"
#include "ui/layout.h"
#include "ui/view.h"

enum { ASK_AFTER_MS = 200 };

typedef struct {
    View view;
    Editor *editor;
    InputBox box;
    int64_t ask_us; /* when to ask what it costs; 0: asked */
    bool asked;     /* and not yet answered */
    int box_rows;
} SystemView;

static SystemView *system_view(View *view)
{
    return (SystemView *)view;
}

static void ask_later(SystemView *self, int ms)
{
    self->ask_us = clock_mono_us() + (int64_t)ms * 1000;
}

static View *open_system(App *app, Str argument)
{
    Error err = ERROR_INIT;
    EditorOptions options = { .one_line = false };
    Editor *editor = editor_new(&options, &err);
    if (!editor) {
        app_error(app, &err);
        return NULL;
    }
    SystemView *self = xcalloc(1, sizeof *self);
    self->view = (View){ &view_system, app };
    self->editor = editor;
    inputbox_init(&self->box, editor);
    editor_set(editor, argument.len ? argument : buf_str(&chat_conversation(app->chat)->system),
               false);
    ask_later(self, 0);
    return &self->view;
}

static void close_system(View *view)
{
    SystemView *self = system_view(view);
    inputbox_release(&self->box);
    editor_free(self->editor);
    free(self);
}

static void apply(SystemView *self)
{
    App *app = self->view.app;
    Error err = ERROR_INIT;
    Buf text = BUF_INIT;
    text_clean_input(editor_text(self->editor), &text);
    if (chat_set_system(app->chat, buf_str(&text), &err)) {
        app_close_view(app); /* frees self */
        app_notice(app, text.len ? _("the next reply is made under this system prompt")
                                 : _("there is no system prompt now"));
    } else {
        app_error(app, &err);
    }
    buf_release(&text);
}

static bool system_edit(View *view, Key key)
{
    SystemView *self = system_view(view);
    if (key.code == INPUT_PASTE) {
        editor_insert(self->editor, view->app->screen->kind->paste(view->app->screen));
        ask_later(self, ASK_AFTER_MS);
        return true;
    }
    EditorResult result = editor_press(self->editor, key);
    if (result == EDITOR_ACCEPTED)
        apply(self);
    else if (result == EDITOR_DONE)
        ask_later(self, ASK_AFTER_MS);
    return result != EDITOR_PASSED;
}

static int system_deadline(const View *view)
{
    const SystemView *self = (const SystemView *)view;
    if (self->ask_us == 0)
        return -1;
    int64_t left = self->ask_us - clock_mono_us();
    return left <= 0 ? 0 : (int)(left / 1000) + 1;
}

/* No prompt and no message: nothing would be read. */
static bool is_nothing(const SystemView *self)
{
    return editor_is_empty(self->editor) &&
           !conversation_last(chat_conversation(self->view.app->chat));
}

static bool system_is_waiting(const View *view)
{
    return ((const SystemView *)view)->asked;
}

static void system_event(View *view, unsigned changes)
{
    if (changes & CHAT_CHANGED_PLAN)
        system_view(view)->asked = false;
}

static void system_tick(View *view)
{
    SystemView *self = system_view(view);
    if (self->ask_us == 0 || clock_mono_us() < self->ask_us)
        return;
    self->ask_us = 0;
    if (!chat_status(view->app->chat)->model)
        return;
    if (is_nothing(self))
        return;
    Buf text = BUF_INIT;
    text_clean_input(editor_text(self->editor), &text);
    self->asked = true;
    chat_plan(view->app->chat, buf_cstr(&text), STR(""));
    buf_release(&text);
}

void view_system_page(View *view, int pages)
{
    SystemView *self = system_view(view);
    Key key = { pages < 0 ? INPUT_UP : INPUT_DOWN, 0 };
    for (int i = 0; i + 1 < self->box_rows; i++)
        editor_press(self->editor, key);
}

static void write_cost(const SystemView *self, Buf *out)
{
    const ChatStatus *status = chat_status(self->view.app->chat);
    if (!status->model)
        buf_puts(out, _("no model is open, so the cost is not known"));
    else if (is_nothing(self))
        buf_puts(out, _("there is nothing to read yet"));
    else if (self->ask_us != 0 || self->asked)
        buf_puts(out, _("looking at what a change costs"));
    else if (!status->plan_valid)
        buf_puts(out, _("the cost could not be found out"));
    else
        /* TRANSLATORS: tokens that the next reply reads again, of all in its prompt, and how long
         * that takes */
        buf_printf(out, _("the next reply re-reads %d of %d tokens (about %.1f s)"),
                   status->plan.computed, status->plan.prompt, status->plan_ms / 1000);
}

/* Draws text in as many rows as it needs, at most `most`; returns how many. */
static int draw_lines(Grid *grid, Rect area, int row, int most, Str text, Style style)
{
    Layout layout = LAYOUT_INIT;
    layout_text(text, area.cols, LAYOUT_TAB, &layout);
    int rows = (int)layout.n < most ? (int)layout.n : most;
    for (int i = 0; i < rows; i++)
        grid_text(grid, area, row + i, area.col,
                  str_sub(text, layout.row[i].from, layout.row[i].to - layout.row[i].from), style);
    layout_release(&layout);
    return rows;
}

static void draw_system(View *view, Grid *grid, Rect area)
{
    SystemView *self = system_view(view);
    Rect inner = { area.row, area.col + 1, area.rows, area.cols - 2 };
    Buf cost = BUF_INIT;
    int most = area.rows >= 8 ? 3 : 1, row = area.row + 1;
    grid_fill(grid, area, STYLE_TEXT);
    grid_text_cut(grid, inner, area.row, inner.col, inner.cols, str_from(_("System prompt")),
                  STYLE_HEADING);
    if (area.rows >= 8)
        row += draw_lines(grid, inner, row, most,
                          str_from(_("Enter applies it, ^J begins a new line, Esc leaves it as it "
                                     "was.")),
                          STYLE_MARK);
    write_cost(self, &cost);
    row += draw_lines(grid, inner, row, most, buf_str(&cost), STYLE_NOTICE);
    row += area.rows >= 10;
    Rect box = { row, inner.col, area.row + area.rows - row, inner.cols };
    if (box.rows < 1)
        box = (Rect){ area.row + area.rows - 1, inner.col, 1, inner.cols };
    self->box_rows = box.rows;
    inputbox_draw(&self->box, grid, box, STR(""), STYLE_PROMPT);
    buf_release(&cost);
}

static bool system_cursor(const View *view, int *row, int *col)
{
    const SystemView *self = (const SystemView *)view;
    *row = self->box.row;
    *col = self->box.col;
    return true;
}

const ViewKind view_system = {
    .name = "system",
    .title = N_("system prompt"),
    .context = IN_SYSTEM,
    .open = open_system,
    .close = close_system,
    .edit = system_edit,
    .event = system_event,
    .deadline_ms = system_deadline,
    .is_waiting = system_is_waiting,
    .tick = system_tick,
    .draw = draw_system,
    .cursor = system_cursor,
};
