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
#include "ui/view.h"

enum { ASK_AFTER_MS = 200 };

typedef struct {
    View view;
    Editor *editor;
    InputBox box;
    int64_t ask_us; /* when to ask what it costs; 0: asked */
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

static void system_tick(View *view)
{
    SystemView *self = system_view(view);
    if (self->ask_us == 0 || clock_mono_us() < self->ask_us)
        return;
    self->ask_us = 0;
    if (!chat_status(view->app->chat)->model)
        return;
    Buf text = BUF_INIT;
    text_clean_input(editor_text(self->editor), &text);
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
    else if (self->ask_us != 0 || !status->plan_valid)
        buf_puts(out, _("looking at what a change costs"));
    else
        /* TRANSLATORS: tokens that the next reply reads again, of all in its prompt, and how long
         * that takes */
        buf_printf(out, _("the next reply re-reads %d of %d tokens (about %.1f s)"),
                   status->plan.computed, status->plan.prompt, status->plan_ms / 1000);
}

static void draw_system(View *view, Grid *grid, Rect area)
{
    SystemView *self = system_view(view);
    Buf cost = BUF_INIT;
    bool roomy = area.rows >= 8;
    grid_fill(grid, area, STYLE_TEXT);
    grid_text_cut(grid, area, area.row, area.col + 1, area.cols - 2, str_from(_("System prompt")),
                  STYLE_HEADING);
    if (roomy)
        grid_text_cut(
            grid, area, area.row + 1, area.col + 1, area.cols - 2,
            str_from(_("Enter applies it, ^J begins a new line, Esc leaves it as it was.")),
            STYLE_MARK);
    Rect box = { area.row + (roomy ? 3 : 1), area.col + 1, area.rows - (roomy ? 5 : 2),
                 area.cols - 2 };
    self->box_rows = box.rows;
    inputbox_draw(&self->box, grid, box, STR(""), STYLE_PROMPT);
    write_cost(self, &cost);
    grid_text_cut(grid, area, area.row + area.rows - 1, area.col + 1, area.cols - 2, buf_str(&cost),
                  STYLE_NOTICE);
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
    .deadline_ms = system_deadline,
    .tick = system_tick,
    .draw = draw_system,
    .cursor = system_cursor,
};
