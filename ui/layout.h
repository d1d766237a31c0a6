/* Text to rows: where lines break.
 *
 * A pure function of the text, the width and the width of ambiguous characters.  Breaks are ICU's
 * strict Japanese ones with corrections of our own; a run without one is broken between graphemes.
 * Offsets are bytes.  UI thread only. */
#ifndef UI_LAYOUT_H
#define UI_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"

enum { LAYOUT_TAB = 8 };

/* Bytes [from, to) are on the row: a newline belongs to no row, blanks before a break hang over the
 * right edge and are not counted in cols. */
typedef struct {
    size_t from, to;
    int cols;
} LayoutRow;

typedef struct {
    LayoutRow *row;
    size_t n, cap;
} Layout;

#define LAYOUT_INIT                                                                                \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

void layout_release(Layout *layout);
/* Appends the rows of text; always at least one row for each line, also for an empty one.  cols < 1
 * counts as 1. */
void layout_text(Str text, int cols, int tab, Layout *out);
/* Row that shows byte pos (a position at a soft break belongs to the later row); *col gets its
 * column on it. */
size_t layout_find(const Layout *layout, Str text, size_t pos, int tab, int *col);
/* Byte on a row at or before a column. */
size_t layout_byte_at(const Layout *layout, Str text, size_t row, int col, int tab);
/* Columns of one line without newlines, tabs expanded. */
int layout_cols(Str line, int tab);

/* Rows of a text that mostly grows at its end: only the last paragraph is laid out again. */
typedef struct {
    Layout layout;
    size_t text_len;  /* of the text when it was laid out */
    size_t last_line; /* byte at which its last line starts */
    size_t last_row;  /* and that line's first row */
    int cols, tab, ambiguous;
    size_t n_relaid; /* bytes laid out by the last update: for tests */
} LayoutCache;

void layout_cache_release(LayoutCache *cache);
void layout_cache_reset(LayoutCache *cache); /* the text is another one */
const Layout *layout_cache_update(LayoutCache *cache, Str text, int cols, int tab);

#endif
