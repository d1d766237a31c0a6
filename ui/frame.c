/* Where the title, the list, the view in use and the hints go on a screen of any size. */
#include "config.h"

#include "ui/frame.h"

#include "src/base/i18n.h"
#include "src/base/text.h"
#include "ui/layout.h"
#include "ui/status.h"

/* Returns the column after the hint; what does not fit is left out. */
static int draw_hint(const App *app, Grid *grid, Rect line, int col, const ActionRow *action)
{
    Buf words = BUF_INIT;
    keymap_first_name(&app->keymap, action, &words);
    bool has_key = words.len > 0;
    buf_printf(&words, " %s", _(action->hint));
    if (has_key && col + text_cols(buf_str(&words)) < line.col + line.cols)
        col = grid_text(grid, line, line.row, col, buf_str(&words), STYLE_HINT) + 2;
    buf_release(&words);
    return col;
}

/* What belongs to the view in use alone comes first. */
static void draw_hints(const App *app, Grid *grid, Rect line)
{
    size_t n;
    const ActionRow *table = action_table(&n);
    unsigned context = app->focus->kind->context;
    int col = line.col + 1;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < n; i++) {
            bool own = table[i].contexts == context || context == IN_CHAT;
            bool here = table[i].hint && (table[i].contexts & context) && own == (pass == 0);
            if (here && (!table[i].available || table[i].available(app)))
                col = draw_hint(app, grid, line, col, &table[i]);
        }
}

/* Rows at the bottom: one of hints, or as many as the notice needs, but not much of a small
 * window. */
static int bottom_rows(const App *app, const Grid *grid, Layout *notice)
{
    int most = grid->rows / 4 > 1 ? grid->rows / 4 : 1;
    if (app->notice.len == 0)
        return 1;
    layout_text(buf_str(&app->notice), grid->cols - 2, LAYOUT_TAB, notice);
    return (int)notice->n < most ? (int)notice->n : most;
}

static void draw_notice(const App *app, Grid *grid, Rect area, const Layout *notice)
{
    Style style = app->notice_is_error ? STYLE_ERROR : STYLE_NOTICE;
    for (int i = 0; i < area.rows; i++) {
        LayoutRow row = notice->row[i];
        Str text = str_sub(buf_str(&app->notice), row.from, row.to - row.from);
        if (i + 1 < area.rows || (size_t)area.rows == notice->n)
            grid_text(grid, area, area.row + i, area.col + 1, text, style);
        else /* all that is left, so that an ellipsis shows that there is more */
            grid_text_cut(grid, area, area.row + i, area.col + 1, area.cols - 2,
                          str_from_offset(buf_str(&app->notice), row.from), style);
    }
}

static void draw_pane(App *app, Grid *grid, Rect body)
{
    Rect pane = { body.row, body.col, body.rows, PANE_COLS };
    app->list_view->kind->draw(app->list_view, grid, pane);
    for (int row = body.row; row < body.row + body.rows; row++)
        grid_text(grid, body, row, body.col + PANE_COLS, STR("|"), STYLE_FRAME);
}

static void draw_too_small(Grid *grid)
{
    Rect all = { 0, 0, grid->rows, grid->cols };
    grid_text(grid, all, 0, 0, str_from(_("window too small")), STYLE_TEXT);
}

static void draw_all(App *app, Grid *grid)
{
    Layout notice = LAYOUT_INIT;
    int rows = bottom_rows(app, grid, &notice);
    Rect title = { 0, 0, 1, grid->cols }, bottom = { grid->rows - rows, 0, rows, grid->cols };
    Rect body = { 1, 0, grid->rows - 1 - rows, grid->cols };
    status_draw_title(app->chat, grid, title);
    if (notice.n > 0)
        draw_notice(app, grid, bottom, &notice);
    else
        draw_hints(app, grid, bottom);
    layout_release(&notice);
    if (app_has_pane(app)) {
        draw_pane(app, grid, body);
        body.col += PANE_COLS + 1;
        body.cols -= PANE_COLS + 1;
    } else if (app->focus == app->list_view && app->list_view) {
        app->list_view->kind->draw(app->list_view, grid, body);
        return;
    }
    View *view = app->over ? app->over : app->chat_view;
    view->kind->draw(view, grid, body);
}

void frame_paint(App *app)
{
    int rows, cols, row = -1, col = -1;
    app->screen->kind->size(app->screen, &rows, &cols);
    grid_resize(&app->grid, rows, cols);
    if (rows < SMALLEST_ROWS || cols < SMALLEST_COLS)
        draw_too_small(&app->grid);
    else
        draw_all(app, &app->grid);
    bool has_cursor = rows >= SMALLEST_ROWS && cols >= SMALLEST_COLS && app->focus->kind->cursor &&
                      app->focus->kind->cursor(app->focus, &row, &col);
    app->screen->kind->show(app->screen, &app->grid, has_cursor ? row : -1, has_cursor ? col : -1);
}
