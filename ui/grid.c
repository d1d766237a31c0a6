/* Cells, clipping, and the one place where text becomes what is sent to a terminal: graphemes are
 * taken apart into spacing characters with their marks, because that is what a terminal's cell
 * holds. */
#include "config.h"

#include "ui/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"
#include "src/base/text.h"
#include "src/base/utf8.h"

void grid_init(Grid *grid)
{
    *grid = (Grid){ 0, 0, NULL };
}

void grid_release(Grid *grid)
{
    free(grid->cell);
    grid_init(grid);
}

static const Cell blank = { " ", 1, 1, STYLE_TEXT };

void grid_resize(Grid *grid, int rows, int cols)
{
    grid->rows = rows > 0 ? rows : 0;
    grid->cols = cols > 0 ? cols : 0;
    size_t n = (size_t)grid->rows * (size_t)grid->cols;
    grid->cell = xreallocarray(grid->cell, n ? n : 1, sizeof(Cell));
    for (size_t i = 0; i < n; i++)
        grid->cell[i] = blank;
}

Rect rect_cut(Rect area, Rect within)
{
    int row = area.row > within.row ? area.row : within.row;
    int col = area.col > within.col ? area.col : within.col;
    int bottom = area.row + area.rows, right = area.col + area.cols;
    if (bottom > within.row + within.rows)
        bottom = within.row + within.rows;
    if (right > within.col + within.cols)
        right = within.col + within.cols;
    return (Rect){ row, col, bottom > row ? bottom - row : 0, right > col ? right - col : 0 };
}

static Rect whole(const Grid *grid)
{
    return (Rect){ 0, 0, grid->rows, grid->cols };
}

static Cell *cell_at(Grid *grid, int row, int col)
{
    return &grid->cell[(size_t)row * (size_t)grid->cols + (size_t)col];
}

/* Writing over half of a wide character leaves a blank for its other half. */
static void clear_halves(Grid *grid, int row, int col)
{
    Cell *cell = cell_at(grid, row, col);
    if (cell->len == 0 && col > 0) {
        unsigned char style = cell[-1].style;
        cell[-1] = blank;
        cell[-1].style = style;
    } else if (cell->cols == 2 && col + 1 < grid->cols) {
        unsigned char style = cell[1].style;
        cell[1] = blank;
        cell[1].style = style;
    }
}

static void cell_put(Grid *grid, int row, int col, const Cell *new)
{
    clear_halves(grid, row, col);
    if (new->cols == 2) {
        clear_halves(grid, row, col + 1);
        *cell_at(grid, row, col + 1) = (Cell){ "", 0, 0, new->style };
    }
    *cell_at(grid, row, col) = *new;
}

void grid_fill(Grid *grid, Rect area, Style style)
{
    area = rect_cut(area, whole(grid));
    Cell cell = blank;
    cell.style = (unsigned char)style;
    for (int row = area.row; row < area.row + area.rows; row++)
        for (int col = area.col; col < area.col + area.cols; col++)
            cell_put(grid, row, col, &cell);
}

void grid_paint(Grid *grid, Rect area, Style style)
{
    area = rect_cut(area, whole(grid));
    for (int row = area.row; row < area.row + area.rows; row++)
        for (int col = area.col; col < area.col + area.cols; col++)
            cell_at(grid, row, col)->style = (unsigned char)style;
}

const Cell *grid_at(const Grid *grid, int row, int col)
{
    if (row < 0 || col < 0 || row >= grid->rows || col >= grid->cols)
        return NULL;
    return &grid->cell[(size_t)row * (size_t)grid->cols + (size_t)col];
}

/* Where a cluster goes: the cell that is being made and the columns that are left for it. */
typedef struct {
    Grid *grid;
    Rect clip;
    int row, col;
    Style style;
    bool has_cell;
    Cell cell;
    Buf *shown; /* scratch */
} Pen;

static void pen_flush(Pen *pen)
{
    if (!pen->has_cell)
        return;
    Rect clip = pen->clip;
    bool visible = pen->row >= clip.row && pen->row < clip.row + clip.rows &&
                   pen->col >= clip.col && pen->col + pen->cell.cols <= clip.col + clip.cols;
    if (visible)
        cell_put(pen->grid, pen->row, pen->col, &pen->cell);
    pen->col += pen->cell.cols;
    pen->has_cell = false;
}

static void pen_spacing(Pen *pen, unsigned cp, int cols)
{
    pen_flush(pen);
    pen->cell = (Cell){ "", 0, (unsigned char)cols, (unsigned char)pen->style };
    pen->cell.len = (unsigned char)utf8_encode(cp, pen->cell.text);
    pen->has_cell = true;
}

static void pen_mark(Pen *pen, unsigned cp)
{
    char bytes[4];
    size_t n = utf8_encode(cp, bytes);
    if (pen->has_cell && pen->cell.len + n <= CELL_BYTES) {
        memcpy(pen->cell.text + pen->cell.len, bytes, n);
        pen->cell.len = (unsigned char)(pen->cell.len + n);
    }
}

/* text.c decides what of a cluster is shown; here it is taken apart into cells. */
static void pen_cluster(Pen *pen, Str cluster)
{
    buf_reset(pen->shown);
    text_cluster_shown(cluster, pen->shown);
    Str shown = buf_str(pen->shown);
    for (size_t pos = 0; pos < shown.len;) {
        unsigned cp = utf8_next(shown, &pos);
        int width = text_width(cp);
        if (width > 0)
            pen_spacing(pen, cp, width);
        else if (width == 0)
            pen_mark(pen, cp);
    }
    pen_flush(pen);
}

int grid_text_tabs(Grid *grid, Rect area, int row, int col, Str text, int tab, Style style)
{
    Buf shown = BUF_INIT;
    Pen pen = { grid, rect_cut(area, whole(grid)), row, col, style, false, blank, &shown };
    int right = area.col + area.cols;
    for (size_t pos = 0; pos < text.len;) {
        size_t next = text_next_grapheme(text, pos);
        Str cluster = str_sub(text, pos, next - pos);
        bool is_tab = cluster.len == 1 && cluster.data[0] == '\t';
        int cols = is_tab ? 1 : text_cluster_cols(cluster);
        if (is_tab && tab > 0)
            cols = tab - (pen.col - col) % tab;
        if (pen.col + cols > right)
            break;
        if (is_tab)
            for (int i = 0; i < cols; i++) {
                pen_spacing(&pen, ' ', 1);
                pen_flush(&pen);
            }
        else
            pen_cluster(&pen, cluster);
        pos = next;
    }
    buf_release(&shown);
    return pen.col;
}

int grid_text(Grid *grid, Rect area, int row, int col, Str text, Style style)
{
    return grid_text_tabs(grid, area, row, col, text, 0, style);
}

const char *grid_ellipsis(void)
{
    return text_ambiguous() == 2 ? "..." : "…";
}

int grid_text_cut(Grid *grid, Rect area, int row, int col, int cols, Str text, Style style)
{
    if (cols > area.col + area.cols - col)
        cols = area.col + area.cols - col;
    if (cols <= 0)
        return col;
    if (text_cols(text) <= cols)
        return grid_text(grid, area, row, col, text, style);
    Str dots = str_from(grid_ellipsis());
    int dots_cols = text_cols(dots);
    if (cols <= dots_cols)
        return grid_text(grid, area, row, col, text_cut(text, cols, NULL), style);
    col = grid_text(grid, area, row, col, text_cut(text, cols - dots_cols, NULL), style);
    return grid_text(grid, area, row, col, dots, style);
}

void grid_dump(const Grid *grid, Buf *out)
{
    for (int row = 0; row < grid->rows; row++) {
        size_t end = out->len; /* after the last character that is no blank */
        for (int col = 0; col < grid->cols; col++) {
            const Cell *cell = grid_at(grid, row, col);
            buf_append(out, cell->text, cell->len);
            if (cell->len > 0 && !(cell->len == 1 && cell->text[0] == ' '))
                end = out->len;
        }
        buf_truncate(out, end);
        buf_putc(out, '\n');
    }
}
