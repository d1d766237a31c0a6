/* F1: made from the tables of actions, editor functions and commands, so that it cannot be out of
 * date. */
#include "config.h"

#include <stdlib.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/text.h"
#include "ui/app.h"
#include "ui/editor_keys.h"
#include "ui/layout.h"
#include "ui/status.h"
#include "ui/view.h"

typedef struct {
    Buf keys; /* "F2, ^X l" */
    Str help; /* borrowed from gettext; empty: `keys` is a heading */
} HelpLine;

typedef struct {
    View view;
    HelpLine *line;
    size_t n, cap;
    int keys_cols; /* widest keys column */
    int top, rows, total;
    size_t first; /* the line to begin with, until it was shown; 0: none */
} HelpView;

static HelpView *help_view(View *view)
{
    return (HelpView *)view;
}

static HelpLine *add_line(HelpView *self, Str help)
{
    self->line = mem_grow(self->line, &self->cap, self->n + 1, sizeof *self->line);
    self->line[self->n] = (HelpLine){ BUF_INIT, help };
    return &self->line[self->n++];
}

static void add_heading(HelpView *self, const char *words)
{
    buf_puts(&add_line(self, STR_NULL)->keys, words);
}

static void add_actions(HelpView *self, const char *heading, unsigned context)
{
    size_t n;
    const ActionRow *table = action_table(&n);
    add_heading(self, heading);
    for (size_t i = 0; i < n; i++) {
        Buf names = BUF_INIT;
        keymap_names(&self->view.app->keymap, &table[i], &names);
        bool here =
            (table[i].contexts & context) && (context == IN_CHAT || !(table[i].contexts & IN_CHAT));
        if (here && names.len > 0)
            buf_append_str(&add_line(self, str_from(_(table[i].help)))->keys, buf_str(&names));
        buf_release(&names);
    }
}

static void add_editor(HelpView *self)
{
    size_t n;
    const EditorFunction *table = editor_functions(&n);
    add_heading(self, _("Typing (~/.editrc can bind these: kaiwa:bind KEY NAME)"));
    for (size_t i = 0; i < n; i++)
        if (*table[i].keys)
            buf_puts(&add_line(self, str_from(_(table[i].help)))->keys, table[i].keys);
}

static void add_commands(HelpView *self)
{
    size_t n;
    const SlashRow *table = slash_table(&n);
    add_heading(self, _("Commands"));
    for (size_t i = 0; i < n; i++) {
        HelpLine *line = add_line(self, str_from(_(table[i].help)));
        buf_printf(&line->keys, "/%s", table[i].name);
        if (table[i].synopsis && *table[i].synopsis)
            buf_printf(&line->keys, " %s", _(table[i].synopsis));
    }
}

static View *open_help(App *app, Str argument)
{
    HelpView *self = xcalloc(1, sizeof *self);
    self->view = (View){ &view_help, app };
    add_actions(self, _("Keys"), IN_CHAT);
    add_actions(self, _("In the list of conversations"), IN_LIST);
    add_editor(self);
    if (str_eq_c(argument, "commands"))
        self->first = self->n;
    add_commands(self);
    for (size_t i = 0; i < self->n; i++) {
        int cols = self->line[i].help.len ? text_cols(buf_str(&self->line[i].keys)) : 0;
        if (cols > self->keys_cols && cols <= 24)
            self->keys_cols = cols;
    }
    return &self->view;
}

static void close_help(View *view)
{
    HelpView *self = help_view(view);
    for (size_t i = 0; i < self->n; i++)
        buf_release(&self->line[i].keys);
    free(self->line);
    free(self);
}

void view_help_scroll(View *view, int rows, bool pages)
{
    HelpView *self = help_view(view);
    if (pages)
        rows *= self->rows > 1 ? self->rows - 1 : 1;
    self->top += rows;
    if (self->top > self->total - self->rows)
        self->top = self->total - self->rows;
    if (self->top < 0)
        self->top = 0;
}

/* Draws one line at `row` (which may lie outside) and returns the rows it took. */
static int draw_line(const HelpView *self, Grid *grid, Rect area, int row, const HelpLine *line)
{
    Str keys = buf_str(&line->keys);
    if (line->help.len == 0) {
        grid_text_cut(grid, area, row, area.col, area.cols, keys, STYLE_HEADING);
        return 1;
    }
    int half = area.cols / 2, column = (self->keys_cols < half ? self->keys_cols : half) + 4,
        used = 0;
    grid_text_cut(grid, area, row, area.col + 2, area.cols - 2, keys, STYLE_PROMPT);
    if (text_cols(keys) + 2 > column - 2)
        used = 1; /* long keys have a row of their own */
    Layout layout = LAYOUT_INIT;
    layout_text(line->help, area.cols - column, LAYOUT_TAB, &layout);
    for (size_t i = 0; i < layout.n; i++, used++)
        grid_text(grid, area, row + used, area.col + column,
                  str_sub(line->help, layout.row[i].from, layout.row[i].to - layout.row[i].from),
                  STYLE_TEXT);
    layout_release(&layout);
    return used;
}

static void draw_help(View *view, Grid *grid, Rect area)
{
    HelpView *self = help_view(view);
    Rect text = { area.row, area.col + 1, area.rows, area.cols - 2 };
    grid_fill(grid, area, STYLE_TEXT);
    self->rows = text.rows;
    int row = text.row - self->top, top = self->top, wanted = top;
    for (size_t i = 0; i < self->n; i++) {
        if (i > 0 && self->line[i].help.len == 0)
            row++;
        if (i == self->first && i > 0)
            wanted = row - text.row + top;
        row += draw_line(self, grid, text, row, &self->line[i]);
    }
    self->total = row - text.row + top;
    self->top = wanted;
    self->first = 0;
    view_help_scroll(view, 0, false);
    if (top != self->top)
        draw_help(view, grid, area); /* once more from where it is now */
    else if (self->total - top > self->rows)
        status_draw_more(grid, text, self->total - top - self->rows);
}

const ViewKind view_help = {
    .name = "help",
    .title = N_("help"),
    .context = IN_HELP,
    .open = open_help,
    .close = close_help,
    .draw = draw_help,
};
