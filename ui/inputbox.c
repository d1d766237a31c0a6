/* Draws what is typed.  Two columns stay free at the right: a cursor there leaves room for what an
 * input method shows. */
#include "config.h"

#include "ui/inputbox.h"

#include "src/base/text.h"

enum { FREE_COLS = 2 };

void inputbox_init(InputBox *box, Editor *editor)
{
    *box = (InputBox){ .editor = editor, .layout = LAYOUT_INIT };
}

void inputbox_release(InputBox *box)
{
    layout_release(&box->layout);
}

/* A search prompt takes the place of the usual one, at most half the width. */
static Str shown_prompt(const InputBox *box, Str prompt, int cols)
{
    Str search = editor_search_prompt(box->editor);
    return text_cut(search.len ? search : prompt, cols / 2, NULL);
}

static int lay_out(InputBox *box, Str prompt, int cols)
{
    int width = cols - text_cols(prompt) - FREE_COLS;
    if (width < 1)
        width = 1;
    box->layout.n = 0;
    layout_text(editor_text(box->editor), width, LAYOUT_TAB, &box->layout);
    editor_set_cols(box->editor, width);
    return (int)box->layout.n;
}

int inputbox_rows(InputBox *box, Str prompt, int cols)
{
    return lay_out(box, shown_prompt(box, prompt, cols), cols);
}

void inputbox_draw(InputBox *box, Grid *grid, Rect area, Str prompt, Style prompt_style)
{
    Str text = editor_text(box->editor), label = shown_prompt(box, prompt, area.cols);
    int rows = lay_out(box, label, area.cols), indent = text_cols(label), col;
    int cursor_row =
        (int)layout_find(&box->layout, text, editor_cursor(box->editor), LAYOUT_TAB, &col);
    if (box->top > cursor_row)
        box->top = cursor_row;
    if (cursor_row >= box->top + area.rows)
        box->top = cursor_row - area.rows + 1;
    if (box->top > rows - area.rows)
        box->top = rows > area.rows ? rows - area.rows : 0;
    grid_fill(grid, area, STYLE_INPUT);
    for (int i = 0; i < area.rows && box->top + i < rows; i++) {
        LayoutRow row = box->layout.row[box->top + i];
        if (box->top + i == 0)
            grid_text(grid, area, area.row + i, area.col, label, prompt_style);
        grid_text_tabs(grid, area, area.row + i, area.col + indent,
                       str_sub(text, row.from, row.to - row.from), LAYOUT_TAB, STYLE_INPUT);
    }
    box->row = area.row + cursor_row - box->top;
    box->col = area.col + indent + col;
    if (box->col > area.col + area.cols - 1) /* behind blanks that hang over the edge */
        box->col = area.col + area.cols - 1;
}
