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

static bool is_blank_cluster(Str cluster)
{
    size_t pos = 0;
    return is_blank(utf8_next(cluster, &pos)) && pos == cluster.len;
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

/* Columns of the characters that make up most text and stand alone as graphemes unless a mark
 * follows: printable ASCII, kana, common kanji, Japanese punctuation.  0: ask ICU. */
static int plain_cols(unsigned cp)
{
    if (cp < 0x7F)
        return cp >= 0x20;
    bool wide = (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3041 && cp <= 0x3096) ||
                (cp >= 0x30A0 && cp <= 0x30FF) || (cp >= 0x3000 && cp <= 0x3020) ||
                (cp >= 0xFF01 && cp <= 0xFF60);
    return wide ? 2 : 0;
}

/* End of the grapheme at pos; *cols gets its columns when it starts at column `col`. */
static size_t next_cluster(Str line, size_t pos, int col, int tab, int *cols)
{
    size_t next = pos, after;
    unsigned cp = utf8_next(line, &next);
    *cols = plain_cols(cp);
    after = next;
    if (*cols > 0 && (next >= line.len || plain_cols(utf8_next(line, &after)) > 0))
        return next;
    next = text_next_grapheme(line, pos);
    *cols = cp == '\t' && next == pos + 1 && tab > 0
                ? tab - col % tab
                : text_cluster_cols(str_sub(line, pos, next - pos));
    return next;
}

int layout_cols(Str line, int tab)
{
    int col = 0, cols;
    for (size_t pos = 0; pos < line.len; col += cols)
        pos = next_cluster(line, pos, col, tab, &cols);
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

/* Starts a new row at a break before pos, or at pos itself; what stands between is carried over. */
static void wrap_before(Fill *fill, size_t pos, size_t at)
{
    end_row(fill, at);
    fill->col = layout_cols(str_sub(fill->line, at, pos - at), fill->tab);
}

/* Puts the cluster at pos on the row, ending rows before it as needed; returns its end. */
static size_t fill_cluster(Fill *fill, size_t pos)
{
    int cols;
    size_t next = next_cluster(fill->line, pos, fill->col, fill->tab, &cols);
    Str cluster = str_sub(fill->line, pos, next - pos);
    if (pos > fill->from && icu_breaks_at(fill, pos) && may_break(fill->line, pos))
        fill->at = pos;
    if (fill->col + cols > fill->cols && pos > fill->from && !is_blank_cluster(cluster)) {
        wrap_before(fill, pos, fill->at > fill->from ? fill->at : pos);
        next_cluster(fill->line, pos, fill->col, fill->tab, &cols);
        if (fill->col + cols > fill->cols && pos > fill->from) {
            wrap_before(fill, pos, pos); /* what was carried over leaves no room either */
            next_cluster(fill->line, pos, fill->col, fill->tab, &cols);
        }
    }
    fill->col += cols;
    return next;
}

static void layout_line(Fill *fill)
{
    for (size_t pos = 0; pos < fill->line.len;)
        pos = fill_cluster(fill, pos);
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
    int at = 0, cols;
    for (size_t pos = r.from; pos < r.to; at += cols) {
        size_t next = next_cluster(text, pos, at, tab, &cols);
        if (at + cols > col ||
            (soft && next >= r.to)) /* the end of a soft row is on the next one */
            return pos;
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
