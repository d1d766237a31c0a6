/* Line breaking over ICU's opportunities, filled greedily by our own widths.  Owns the corrections
 * that ICU's strict Japanese rules need (ui.md 3.4); knows nothing of messages or cells. */
#include "config.h"

#include "ui/layout.h"

#include <stdlib.h>

#include <unicode/ubrk.h>
#include <unicode/utext.h>

#include "src/base/mem.h"
#include "src/base/text.h"
#include "src/base/utf8.h"

void layout_release(Layout *layout)
{
    free(layout->row);
    *layout = (Layout)LAYOUT_INIT;
}

static void add_row(Layout *out, size_t from, size_t to, int cols)
{
    out->row = mem_grow(out->row, &out->cap, out->n + 1, sizeof *out->row);
    out->row[out->n++] = (LayoutRow){ from, to, cols };
}

/* Characters that never start a row.  ICU's strict rules know most of them; some they let through
 * in some place (～ is an ideograph to them), and a table is what a reader can check. */
static const unsigned short not_first[] = {
    0x3001, 0x3002, 0x3005, 0x3009, 0x300B, 0x300D, 0x300F, 0x3011, 0x3015, 0x3017,
    0x3019, 0x301C, 0x303B, 0x309B, 0x309C, 0x309D, 0x309E, 0x30FB, 0x30FC, 0x30FD,
    0x30FE, 0xFF01, 0xFF09, 0xFF0C, 0xFF0E, 0xFF1A, 0xFF1B, 0xFF1F, 0xFF3D, 0xFF5D,
    0xFF5E, 0xFF61, 0xFF63, 0xFF64, 0xFF65, 0xFF70, 0xFF9E, 0xFF9F,
};

/* Characters that never end a row: opening brackets. */
static const unsigned short not_last[] = {
    0x3008, 0x300A, 0x300C, 0x300E, 0x3010, 0x3014, 0x3016, 0x3018, 0xFF08, 0xFF3B, 0xFF5B, 0xFF62,
};

static bool is_among(unsigned cp, const unsigned short *list, size_t n)
{
    for (size_t i = 0; cp >= 0x3000 && i < n; i++)
        if (list[i] == cp)
            return true;
    return false;
}

static bool bars_start(unsigned cp)
{
    return is_among(cp, not_first, ARRAY_LEN(not_first));
}

static bool bars_end(unsigned cp)
{
    return is_among(cp, not_last, ARRAY_LEN(not_last));
}

/* Blanks may hang over the right edge; a row does not start with one that a break left behind. */
static bool is_blank(unsigned cp)
{
    return cp == ' ' || cp == '\t' || cp == 0x3000;
}

static unsigned char_before(Str text, size_t pos)
{
    if (pos == 0)
        return 0;
    size_t start = utf8_floor(text, pos - 1);
    return utf8_next(text, &start);
}

static unsigned char_at(Str text, size_t pos)
{
    return pos < text.len ? utf8_next(text, &pos) : 0;
}

/* True when a row may end at pos, given that ICU allows it. */
static bool may_break(Str line, size_t pos)
{
    unsigned before = char_before(line, pos), after = char_at(line, pos);
    if (is_blank(after))
        return false; /* the blank hangs on the row before */
    return is_blank(before) || (!bars_start(after) && !bars_end(before));
}

static int cluster_cols(Str cluster, int col, int tab)
{
    if (cluster.len == 1 && cluster.data[0] == '\t' && tab > 0)
        return tab - col % tab;
    return text_cluster_cols(cluster);
}

/* Between two printable ASCII bytes there is always a border, so ICU is asked only where it
 * matters. */
static size_t next_cluster(Str line, size_t pos)
{
    unsigned char c = (unsigned char)line.data[pos];
    if (c < 0x80 && (pos + 1 >= line.len || (unsigned char)line.data[pos + 1] < 0x80))
        return pos + 1;
    return text_next_grapheme(line, pos);
}

int layout_cols(Str line, int tab)
{
    int col = 0;
    for (size_t pos = 0; pos < line.len;) {
        size_t next = next_cluster(line, pos);
        col += cluster_cols(str_sub(line, pos, next - pos), col, tab);
        pos = next;
    }
    return col;
}

typedef struct {
    Str line;
    size_t base; /* offset of line in the whole text */
    int cols, tab;
    UBreakIterator *breaks; /* NULL: only blanks break (ICU failed) */
    Layout *out;
    size_t from; /* first byte of the row that is filled */
    int col;     /* columns on it */
    size_t at;   /* last break seen on it; == from: none */
    int at_cols; /* columns before that break's blanks */
} Fill;

static bool icu_breaks_at(const Fill *fill, size_t pos)
{
    if (!fill->breaks)
        return is_blank(char_before(fill->line, pos));
    return ubrk_isBoundary(fill->breaks, (int32_t)pos);
}

/* Columns of [from, to) without the blanks at its end. */
static int tight_cols(const Fill *fill, size_t from, size_t to)
{
    while (to > from && is_blank(char_before(fill->line, to)))
        to = utf8_floor(fill->line, to - 1);
    return layout_cols(str_sub(fill->line, from, to - from), fill->tab);
}

static void end_row(Fill *fill, size_t to)
{
    add_row(fill->out, fill->base + fill->from, fill->base + to, tight_cols(fill, fill->from, to));
    fill->from = fill->at = to;
}

/* Puts one cluster on the row; ends rows before it as needed. */
static void fill_cluster(Fill *fill, size_t pos, size_t next)
{
    Str cluster = str_sub(fill->line, pos, next - pos);
    if (pos > fill->from && icu_breaks_at(fill, pos) && may_break(fill->line, pos))
        fill->at = pos;
    int cols = cluster_cols(cluster, fill->col, fill->tab);
    bool hangs = is_blank(char_at(cluster, 0)) && utf8_count(cluster) == 1;
    if (fill->col + cols > fill->cols && !hangs && pos > fill->from) {
        end_row(fill, fill->at > fill->from ? fill->at : pos);
        fill->col = layout_cols(str_sub(fill->line, fill->from, pos - fill->from), fill->tab);
        cols = cluster_cols(cluster, fill->col, fill->tab);
        if (fill->col + cols > fill->cols &&
            pos > fill->from) { /* what was carried over leaves no room either */
            end_row(fill, pos);
            fill->col = 0;
            cols = cluster_cols(cluster, 0, fill->tab);
        }
    }
    fill->col += cols;
}

static void layout_line(Fill *fill)
{
    for (size_t pos = 0; pos < fill->line.len;) {
        size_t next = next_cluster(fill->line, pos);
        fill_cluster(fill, pos, next);
        pos = next;
    }
    end_row(fill, fill->line.len);
}

/* A cheap upper bound of a line's columns: no character takes more than two, and none of one byte
 * more than one. */
static bool surely_fits(Str line, int cols)
{
    if (line.len > (size_t)cols)
        return false;
    for (size_t i = 0; i < line.len; i++)
        if (line.data[i] == '\t')
            return false;
    return true;
}

void layout_text(Str text, int cols, int tab, Layout *out)
{
    UErrorCode status = U_ZERO_ERROR;
    UBreakIterator *breaks = NULL;
    cols = cols < 1 ? 1 : cols;
    for (size_t start = 0; start <= text.len;) {
        size_t end = start;
        while (end < text.len && text.data[end] != '\n')
            end++;
        Fill fill = { .line = str_sub(text, start, end - start),
                      .base = start,
                      .cols = cols,
                      .tab = tab,
                      .out = out };
        if (surely_fits(fill.line, cols)) {
            add_row(out, start, end, tight_cols(&fill, 0, fill.line.len));
        } else {
            if (!breaks)
                breaks = ubrk_open(UBRK_LINE, "ja@lb=strict", NULL, 0, &status);
            UText *utext = utext_openUTF8(NULL, fill.line.data, (int64_t)fill.line.len, &status);
            if (breaks && U_SUCCESS(status)) {
                ubrk_setUText(breaks, utext, &status);
                fill.breaks = U_SUCCESS(status) ? breaks : NULL;
            }
            layout_line(&fill);
            utext_close(utext);
            status = U_ZERO_ERROR;
        }
        start = end + 1;
    }
    if (breaks)
        ubrk_close(breaks);
}

size_t layout_find(const Layout *layout, Str text, size_t pos, int tab, int *col)
{
    size_t low = 0, high = layout->n;
    while (low + 1 < high) { /* last row that starts at or before pos */
        size_t middle = (low + high) / 2;
        if (layout->row[middle].from <= pos)
            low = middle;
        else
            high = middle;
    }
    if (col) {
        size_t from = layout->n ? layout->row[low].from : 0;
        *col = pos > from ? layout_cols(str_sub(text, from, pos - from), tab) : 0;
    }
    return low;
}

size_t layout_byte_at(const Layout *layout, Str text, size_t row, int col, int tab)
{
    if (row >= layout->n)
        return text.len;
    LayoutRow r = layout->row[row];
    bool soft = row + 1 < layout->n && layout->row[row + 1].from == r.to;
    int at = 0;
    for (size_t pos = r.from; pos < r.to;) {
        size_t next = next_cluster(text, pos);
        int cols = cluster_cols(str_sub(text, pos, next - pos), at, tab);
        if (at + cols > col ||
            (soft && next >= r.to)) /* the end of a soft row is shown on the next one */
            return pos;
        at += cols;
        pos = next;
    }
    return r.to;
}

void layout_cache_release(LayoutCache *cache)
{
    layout_release(&cache->layout);
    layout_cache_reset(cache);
}

void layout_cache_reset(LayoutCache *cache)
{
    cache->layout.n = 0;
    cache->text_len = cache->last_line = cache->last_row = cache->n_relaid = 0;
    cache->cols = 0;
}

const Layout *layout_cache_update(LayoutCache *cache, Str text, int cols, int tab)
{
    bool same_shape =
        cache->cols == cols && cache->tab == tab && cache->ambiguous == text_ambiguous();
    if (!same_shape || text.len < cache->text_len)
        layout_cache_reset(cache);
    else if (text.len == cache->text_len && cache->layout.n > 0)
        return &cache->layout;
    Str tail = str_from_offset(text, cache->last_line);
    size_t first = cache->last_row;
    cache->layout.n = first;
    layout_text(tail, cols, tab, &cache->layout);
    for (size_t i = first; i < cache->layout.n; i++) {
        cache->layout.row[i].from += cache->last_line;
        cache->layout.row[i].to += cache->last_line;
    }
    cache->n_relaid = tail.len;
    ptrdiff_t newline = str_rfind(tail, STR("\n"));
    if (newline >= 0)
        cache->last_line += (size_t)newline + 1;
    cache->last_row = layout_find(&cache->layout, text, cache->last_line, tab, NULL);
    cache->text_len = text.len;
    cache->cols = cols;
    cache->tab = tab;
    cache->ambiguous = text_ambiguous();
    return &cache->layout;
}
