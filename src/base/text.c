/* Columns, graphemes and words, over ICU.
 *
 * The width of a character is a class (zero, narrow, wide, ambiguous, control) cached in pages of
 * 256 code points that are made when first asked for.  Break iterators belong to a thread: the
 * first use in a thread clones nothing and locks nothing, and the thread's end closes them. */
#include "config.h"

#include "src/base/text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>

#include "src/base/attributes.h"
#include "src/base/mem.h"
#include "src/base/utf8.h"

/* Width */

enum { CLASS_ZERO, CLASS_NARROW, CLASS_WIDE, CLASS_AMBIGUOUS, CLASS_CONTROL };
enum { PAGE = 256, N_PAGES = 0x110000 / PAGE };

static _Atomic(uint8_t *) pages[N_PAGES];
static atomic_int ambiguous_cols = 1;

const char *text_library_version(void)
{
    return U_ICU_VERSION;
}

void text_set_ambiguous(int cols)
{
    atomic_store(&ambiguous_cols, cols == 2 ? 2 : 1);
}

int text_ambiguous(void)
{
    return atomic_load(&ambiguous_cols);
}

/* Visible although of category Cf: signs that enclose the digits after them. */
static bool is_visible_format(UChar32 cp)
{
    return u_hasBinaryProperty(cp, UCHAR_PREPENDED_CONCATENATION_MARK);
}

static bool is_zero_width(UChar32 cp)
{
    int hangul = u_getIntPropertyValue(cp, UCHAR_HANGUL_SYLLABLE_TYPE);

    switch (u_charType(cp)) {
    case U_NON_SPACING_MARK:
    case U_ENCLOSING_MARK:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
        return true;
    case U_FORMAT_CHAR:
        return !is_visible_format(cp);
    case U_UNASSIGNED:
        return u_hasBinaryProperty(cp, UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
    default:
        return hangul == U_HST_VOWEL_JAMO || hangul == U_HST_TRAILING_JAMO;
    }
}

static uint8_t class_of(UChar32 cp)
{
    int type = u_charType(cp);

    if (type == U_CONTROL_CHAR || type == U_SURROGATE)
        return CLASS_CONTROL;
    if (is_zero_width(cp))
        return CLASS_ZERO;
    /* Regional indicators count one each, so that a flag takes the two columns it is drawn in. */
    if (u_hasBinaryProperty(cp, UCHAR_REGIONAL_INDICATOR))
        return CLASS_NARROW;
    if (u_hasBinaryProperty(cp, UCHAR_EMOJI_PRESENTATION))
        return CLASS_WIDE;
    switch (u_getIntPropertyValue(cp, UCHAR_EAST_ASIAN_WIDTH)) {
    case U_EA_WIDE:
    case U_EA_FULLWIDTH:
        return CLASS_WIDE;
    case U_EA_AMBIGUOUS:
        return CLASS_AMBIGUOUS;
    default:
        return CLASS_NARROW;
    }
}

static const uint8_t *page_of(unsigned cp)
{
    _Atomic(uint8_t *) *slot = &pages[cp / PAGE];
    uint8_t *page = atomic_load_explicit(slot, memory_order_acquire), *mine;

    if (page)
        return page;
    mine = xmalloc(PAGE);
    for (unsigned i = 0; i < PAGE; i++)
        mine[i] = class_of((UChar32)(cp / PAGE * PAGE + i));
    if (atomic_compare_exchange_strong(slot, &page, mine))
        return mine;
    free(mine); /* another thread was first; page holds its work */
    return page;
}

int text_width(unsigned cp)
{
    if (cp >= 0x20 && cp < 0x7F)
        return 1;
    if (cp > 0x10FFFF)
        return -1;
    switch (page_of(cp)[cp % PAGE]) {
    case CLASS_ZERO:
        return 0;
    case CLASS_WIDE:
        return 2;
    case CLASS_AMBIGUOUS:
        return text_ambiguous();
    case CLASS_CONTROL:
        return -1;
    default:
        return 1;
    }
}

/* What the screen sends for a cluster */

enum { MARKS_MAX = 4 }; /* ncurses keeps five characters in a cell */

/* Never sent: their width is a matter of taste among terminals, and some turn the text around. */
static bool is_dropped(unsigned cp)
{
    if (cp == 0xFE0E || cp == 0xFE0F || cp == 0x2028 || cp == 0x2029)
        return true;
    if (text_width(cp) != 0 ||
        !u_hasBinaryProperty((UChar32)cp, UCHAR_DEFAULT_IGNORABLE_CODE_POINT))
        return u_charType((UChar32)cp) == U_FORMAT_CHAR && text_width(cp) == 0;
    return !u_hasBinaryProperty((UChar32)cp, UCHAR_VARIATION_SELECTOR);
}

typedef struct {
    unsigned base; /* last spacing character; 0: none yet */
    int n_marks;
    bool is_emoji;
    Buf *out; /* NULL: only measure */
    int cols;
} Shown;

static void show(Shown *shown, unsigned cp)
{
    shown->cols += text_width(cp);
    if (shown->out)
        buf_put_utf8(shown->out, cp);
}

static void show_control(Shown *shown, unsigned cp)
{
    if (cp == '\t') {
        show(shown, ' ');
    } else if (cp < 0x20 || cp == 0x7F) {
        show(shown, '^');
        show(shown, cp ^ 0x40);
    } else {
        show(shown, UTF8_REPLACEMENT);
    }
}

static void show_mark(Shown *shown, unsigned cp)
{
    if (is_dropped(cp))
        return;
    if (!shown->base) {
        show(shown, ' ');
        shown->base = ' ';
    }
    if (shown->n_marks++ < MARKS_MAX)
        show(shown, cp);
}

static int show_cluster(Str cluster, Buf *out)
{
    Shown shown = { .out = out };

    for (size_t pos = 0; pos < cluster.len;) {
        unsigned cp = utf8_next(cluster, &pos);
        int width = text_width(cp);

        if (width < 0) {
            show_control(&shown, cp);
            continue;
        }
        if (cp == 0x200D && shown.is_emoji)
            break;
        if (width == 0) {
            show_mark(&shown, cp);
            continue;
        }
        if (shown.base && u_hasBinaryProperty((UChar32)cp, UCHAR_EMOJI_MODIFIER))
            continue;
        if (!shown.base)
            shown.is_emoji =
                cp > 0xA8 && u_hasBinaryProperty((UChar32)cp, UCHAR_EXTENDED_PICTOGRAPHIC);
        shown.base = cp;
        shown.n_marks = 0;
        show(&shown, cp);
    }
    return shown.cols;
}

void text_cluster_shown(Str cluster, Buf *out)
{
    show_cluster(cluster, out);
}

int text_cluster_cols(Str cluster)
{
    return show_cluster(cluster, NULL);
}

/* Break iterators */

typedef struct {
    UBreakIterator *graphemes, *words;
    UText text;
} Breakers;

static pthread_once_t breakers_once = PTHREAD_ONCE_INIT;
static pthread_key_t breakers_key;

static void breakers_free(void *p)
{
    Breakers *b = p;

    ubrk_close(b->graphemes);
    ubrk_close(b->words);
    utext_close(&b->text);
    free(b);
}

/* The main thread runs no key destructors. */
static void breakers_at_exit(void)
{
    Breakers *b = pthread_getspecific(breakers_key);

    if (b) {
        pthread_setspecific(breakers_key, NULL);
        breakers_free(b);
    }
}

static void breakers_make_key(void)
{
    pthread_key_create(&breakers_key, breakers_free);
    atexit(breakers_at_exit);
}

static Breakers *breakers(void)
{
    static const UText empty = UTEXT_INITIALIZER;
    Breakers *b;

    pthread_once(&breakers_once, breakers_make_key);
    b = pthread_getspecific(breakers_key);
    if (!b) {
        b = xcalloc(1, sizeof *b);
        b->text = empty;
        pthread_setspecific(breakers_key, b);
    }
    return b;
}

/* The iterator of one kind over s, or NULL when ICU has no data or s is too long for its offsets.
 */
static UBreakIterator *break_over(Str s, UBreakIteratorType type)
{
    Breakers *b = breakers();
    UBreakIterator **slot = type == UBRK_WORD ? &b->words : &b->graphemes;
    UErrorCode status = U_ZERO_ERROR;

    if (s.len > INT32_MAX)
        return NULL;
    if (!*slot)
        *slot = ubrk_open(type, "ja", NULL, 0, &status);
    utext_openUTF8(&b->text, s.data ? s.data : "", (int64_t)s.len, &status);
    if (*slot)
        ubrk_setUText(*slot, &b->text, &status);
    return U_SUCCESS(status) ? *slot : NULL;
}

static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7F;
}

size_t text_next_grapheme(Str s, size_t pos)
{
    UBreakIterator *it;
    int32_t next;

    if (pos >= s.len)
        return s.len;
    if (is_plain(s.data[pos]) && (pos + 1 == s.len || is_plain(s.data[pos + 1])))
        return pos + 1;
    it = break_over(s, UBRK_CHARACTER);
    next = it ? ubrk_following(it, (int32_t)pos) : UBRK_DONE;
    if (next == UBRK_DONE || (size_t)next <= pos) {
        utf8_next(s, &pos);
        return pos;
    }
    return (size_t)next;
}

size_t text_prev_grapheme(Str s, size_t pos)
{
    UBreakIterator *it;
    int32_t prev;

    if (pos > s.len)
        pos = s.len;
    if (pos == 0)
        return 0;
    if (pos >= 2 && is_plain(s.data[pos - 1]) && is_plain(s.data[pos - 2]))
        return pos - 1;
    it = break_over(s, UBRK_CHARACTER);
    prev = it ? ubrk_preceding(it, (int32_t)pos) : UBRK_DONE;
    if (prev == UBRK_DONE || (size_t)prev >= pos)
        return utf8_floor(s, pos - 1);
    return (size_t)prev;
}

size_t text_next_word(Str s, size_t pos)
{
    UBreakIterator *it;

    if (pos >= s.len || !(it = break_over(s, UBRK_WORD)))
        return s.len;
    for (int32_t at = ubrk_following(it, (int32_t)pos); at != UBRK_DONE; at = ubrk_next(it))
        if (ubrk_getRuleStatus(it) >= UBRK_WORD_NONE_LIMIT)
            return (size_t)at;
    return s.len;
}

size_t text_prev_word(Str s, size_t pos)
{
    UBreakIterator *it;
    int32_t at;

    if (pos > s.len)
        pos = s.len;
    if (pos == 0 || !(it = break_over(s, UBRK_WORD)))
        return 0;
    at = (int32_t)pos;
    while (at > 0) {
        /* The status belongs to the segment before a border: step back, look from its end. */
        int32_t start = ubrk_preceding(it, at);

        if (start == UBRK_DONE)
            return 0;
        ubrk_following(it, start);
        if (ubrk_getRuleStatus(it) >= UBRK_WORD_NONE_LIMIT)
            return (size_t)start;
        at = start;
    }
    return 0;
}

/* Columns of text */

/* Length of the run of printable ASCII at pos, less a last character that a mark may follow. */
static size_t plain_run(Str s, size_t pos)
{
    size_t end = pos;

    while (end < s.len && is_plain(s.data[end]))
        end++;
    return end == s.len || end == pos ? end - pos : end - pos - 1;
}

Str text_cut(Str s, int cols, int *used)
{
    UBreakIterator *it = NULL;
    size_t pos = 0;
    int total = 0;

    while (pos < s.len) {
        size_t run = plain_run(s, pos), next;
        int width;

        if (run) {
            size_t fit = cols > total ? (size_t)(cols - total) : 0;

            pos += run < fit ? run : fit;
            total += (int)(run < fit ? run : fit);
            if (run > fit)
                break;
            continue;
        }
        if (!it)
            it = break_over(s, UBRK_CHARACTER);
        if (it) {
            int32_t border = ubrk_following(it, (int32_t)pos);

            next = border == UBRK_DONE ? s.len : (size_t)border;
        } else {
            next = text_next_grapheme(s, pos);
        }
        width = text_cluster_cols(str_sub(s, pos, next - pos));
        if (width > cols - total)
            break;
        total += width;
        pos = next;
    }
    if (used)
        *used = total;
    return str_sub(s, 0, pos);
}

int text_cols(Str s)
{
    int used;

    text_cut(s, INT32_MAX, &used);
    return used;
}
