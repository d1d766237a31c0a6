/* A rectangle of cells: what a frame looks like before any terminal sees it.
 *
 * A cell holds one spacing character and the marks on it, as a terminal does; a character of two
 * columns owns its cell and an empty one to the right.  Rows and columns count from 0.  Drawing
 * outside is clipped.  UI thread only. */
#ifndef UI_GRID_H
#define UI_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"
#include "ui/theme.h"

enum { CELL_BYTES = 20 }; /* a base and up to four marks, at most 4 bytes each */

typedef struct {
    char text[CELL_BYTES]; /* UTF-8, not terminated */
    unsigned char len;     /* 0: the right half of the cell before */
    unsigned char cols;    /* 1 or 2; 0: right half */
    unsigned char style;   /* Style */
} Cell;

typedef struct {
    int row, col, rows, cols;
} Rect;

typedef struct Grid {
    int rows, cols;
    Cell *cell; /* rows * cols */
} Grid;

void grid_init(Grid *grid);
void grid_release(Grid *grid);
/* New size, all blank. */
void grid_resize(Grid *grid, int rows, int cols);
void grid_fill(Grid *grid, Rect area, Style style);
/* Draws one line of text from (row, col) within `area`; what does not fit is cut at a grapheme's
 * border, never half a character.  Controls become visible signs; nothing that could upset a
 * terminal gets through.  Returns the column after the last one drawn. */
int grid_text(Grid *grid, Rect area, int row, int col, Str text, Style style);
/* The same, with tabs expanded to stops of `tab` columns counted from `col`. */
int grid_text_tabs(Grid *grid, Rect area, int row, int col, Str text, int tab, Style style);
/* Like grid_text, with an ellipsis when it had to be cut at `cols` columns. */
int grid_text_cut(Grid *grid, Rect area, int row, int col, int cols, Str text, Style style);
/* Changes only the style. */
void grid_paint(Grid *grid, Rect area, Style style);
const Cell *grid_at(const Grid *grid, int row, int col); /* NULL outside */
/* Rows as text lines without trailing blanks: for tests. */
void grid_dump(const Grid *grid, Buf *out);
Rect rect_cut(Rect area, Rect within);
/* "…", or "..." where an ambiguous character takes two columns. */
const char *grid_ellipsis(void);

#endif
