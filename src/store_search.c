/* Search: the index of pairs of characters, queries on it, and the part of a message that is
 * shown.
 * A run of folded text without white space, c1 c2 … cn, is indexed as the tokens c1c2, c2c3, …,
 * cn.  A word of two or more characters is the phrase of its pairs, one character is the prefix
 * of a token (that is why the last character stands alone once).  White space ends a run: the
 * lone token between two runs keeps phrases from crossing it.  Characters are written as four
 * digits of base 36, so that neither tokenizer nor query language of sqlite can find a meaning
 * in them. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/text.h"
#include "src/base/utf8.h"
#include "src/record.h"
#include "src/store_db.h"

enum {
    CODE_CHARS = 4,
    QUERY_WORDS = 32,    /* more are checked in the text alone */
    QUERY_PAIRS = 64,    /* of a word; the rest is checked in the text alone */
    SNIPPET_BEFORE = 24, /* columns before the hit */
    SNIPPET_COLS = 120
};

static void put_code(unsigned cp, Buf *out)
{
    char code[CODE_CHARS];

    for (int i = CODE_CHARS; i > 0; i--, cp /= 36)
        code[i - 1] = "0123456789abcdefghijklmnopqrstuvwxyz"[cp % 36];
    buf_append(out, code, sizeof code);
}

static bool is_space(unsigned cp)
{
    return cp <= 0x20 || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F ||
           cp == 0x205F || cp == 0x3000;
}

/* Appends the tokens of a folded text. */
static void put_tokens(Str folded, Buf *out)
{
    for (size_t pos = 0; pos < folded.len;) {
        unsigned cp = utf8_next(folded, &pos), next;
        size_t after = pos;

        if (is_space(cp))
            continue;
        put_code(cp, out);
        next = pos < folded.len ? utf8_next(folded, &after) : ' ';
        if (!is_space(next))
            put_code(next, out);
        buf_putc(out, ' ');
    }
}

/* The index */

static bool index_text(Store *store, sqlite3_stmt *s, int64_t message, Str text, Error *err)
{
    Buf folded = BUF_INIT, tokens = BUF_INIT;
    bool ok;

    if (!s)
        return false;
    text_fold(text, &folded);
    put_tokens(buf_str(&folded), &tokens);
    sqlite3_bind_int64(s, 1, message);
    bind_str(s, 2, buf_str(&tokens));
    ok = store_run(store, s, err);
    buf_release(&folded);
    buf_release(&tokens);
    return ok;
}

bool search_change(Store *store, int64_t message, Str before, Str after, Error *err)
{
    if (before.len == after.len && str_eq(before, after))
        return true;
    if (before.len && !index_text(store,
                                  store_statement(store,
                                                  "INSERT INTO search (search, rowid, text) "
                                                  "VALUES ('delete', ?, ?)",
                                                  err),
                                  message, before, err))
        return false;
    return after.len == 0 ||
           index_text(store,
                      store_statement(store, "INSERT INTO search (rowid, text) VALUES (?, ?)", err),
                      message, after, err);
}

bool search_rebuild(Store *store, Error *err)
{
    sqlite3_stmt *s;
    int row;

    if (!store_exec(store, "INSERT INTO search (search) VALUES ('delete-all')", err))
        return false;
    s = store_statement(
        store, "SELECT id, text FROM message WHERE status <> 'streaming' ORDER BY id", err);
    if (!s)
        return false;
    while ((row = store_row(store, s, err)) == 1)
        if (!search_change(store, sqlite3_column_int64(s, 0), STR_NULL, column_str(s, 1), err)) {
            sqlite3_reset(s);
            return false;
        }
    return row == 0;
}

/* Queries */

typedef struct {
    Buf folded; /* the query */
    Str *word;  /* into folded */
    size_t n;
    Buf match;    /* for sqlite */
    bool partial; /* match says less than the query: texts are looked at */
} Query;

static bool next_word(Str text, size_t *pos, Str *word)
{
    size_t start = *pos, end;

    for (; *pos < text.len; start = *pos)
        if (!is_space(utf8_next(text, pos)))
            break;
    end = *pos;
    if (start >= text.len)
        return false;
    while (*pos < text.len && !is_space(utf8_next(text, pos)))
        end = *pos;
    *word = str_sub(text, start, end - start);
    return true;
}

/* False: only the beginning. */
static bool put_phrase(Str word, Buf *out)
{
    size_t pos = 0;
    unsigned cp = utf8_next(word, &pos);

    buf_puts(out, out->len ? " AND \"" : "\"");
    if (pos == word.len) {
        put_code(cp, out);
        buf_puts(out, "\"*");
        return true;
    }
    for (int pairs = 0; pos < word.len && pairs < QUERY_PAIRS; pairs++) {
        unsigned next = utf8_next(word, &pos);

        put_code(cp, out);
        put_code(next, out);
        buf_putc(out, ' ');
        cp = next;
    }
    buf_putc(out, '"');
    return pos == word.len;
}

static void query_init(Query *query, Str text)
{
    size_t pos = 0, cap = 0;
    Str word;

    *query = (Query){ .folded = BUF_INIT, .match = BUF_INIT };
    text_fold(text, &query->folded);
    while (next_word(buf_str(&query->folded), &pos, &word)) {
        query->word = mem_grow(query->word, &cap, query->n + 1, sizeof *query->word);
        query->word[query->n++] = word;
        if (query->n > QUERY_WORDS || !put_phrase(word, &query->match))
            query->partial = true;
    }
}

static void query_release(Query *query)
{
    buf_release(&query->folded);
    buf_release(&query->match);
    free(query->word);
}

static bool query_fits(const Query *query, Str text)
{
    Buf folded = BUF_INIT;
    bool fits = true;

    text_fold(text, &folded);
    for (size_t i = 0; fits && i < query->n; i++)
        fits = str_find(buf_str(&folded), query->word[i]) >= 0;
    buf_release(&folded);
    return fits;
}

/* Where a hit is in the text that was not folded */

static size_t folded_len(Str text)
{
    Buf folded = BUF_INIT;
    size_t len;

    text_fold(text, &folded);
    len = folded.len;
    buf_release(&folded);
    return len;
}

/* The first border at or after pos (which starts a character) between pieces that fold alone as
 * they fold together: graphemes, where a voice mark of its own width belongs to the kana before
 * it. */
static size_t border_at(Str text, size_t pos)
{
    size_t peek;
    unsigned cp;

    if (pos > 0 && pos < text.len)
        pos = text_next_grapheme(text, text_prev_grapheme(text, pos));
    for (; pos < text.len; pos = text_next_grapheme(text, pos)) {
        peek = pos;
        cp = utf8_next(text, &peek);
        if (cp != 0x309B && cp != 0x309C)
            break;
    }
    return pos;
}

/* The last border with at most `want` folded bytes before it; round_up: the first with at least so
 * many.  By halves: each step folds only what is still in question. */
static size_t unfold(Str text, size_t want, bool round_up)
{
    size_t low = 0, high = text.len + 1, before = 0;

    while (high - low > 1) {
        size_t middle = border_at(text, utf8_floor(text, low + (high - low) / 2)), len;

        if (middle <= low || middle >= high)
            middle = border_at(text, text_next_grapheme(text, low));
        if (middle <= low || middle >= high)
            break;
        len = before + folded_len(str_sub(text, low, middle - low));
        if (len > want) {
            high = middle;
        } else {
            low = middle;
            before = len;
        }
    }
    if (round_up && before < want && low < text.len)
        low = border_at(text, text_next_grapheme(text, low));
    return low;
}

/* First place of a folded word in a text.  Words have no white space in them, so runs between
 * white space are looked at one by one. */
static bool find_hit(Str text, Str word, size_t *at, size_t *len)
{
    Buf folded = BUF_INIT;
    ptrdiff_t found = -1;
    size_t pos = 0;
    Str run = STR_NULL;

    while (found < 0 && next_word(text, &pos, &run)) {
        buf_reset(&folded);
        text_fold(run, &folded);
        found = str_find(buf_str(&folded), word);
    }
    buf_release(&folded);
    if (found >= 0) {
        size_t start = (size_t)(run.data - text.data);
        size_t from = unfold(run, (size_t)found, false);
        size_t to = unfold(run, (size_t)found + word.len, true);

        *at = start + from;
        *len = to - from;
    }
    return found >= 0;
}

/* Snippets */

/* One line, nothing that a terminal would obey. */
static void put_line(Str text, Buf *out)
{
    for (size_t pos = 0; pos < text.len;) {
        unsigned cp = utf8_next(text, &pos);

        if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0x2028 || cp == 0x2029)
            cp = ' ';
        buf_put_utf8(out, cp);
    }
}

static size_t snippet_start(Str text, size_t hit)
{
    size_t start = hit;
    int cols = 0;

    while (start > 0) {
        size_t before = text_prev_grapheme(text, start);

        cols += text_cluster_cols(str_sub(text, before, start - before));
        if (cols > SNIPPET_BEFORE)
            break;
        start = before;
    }
    return start;
}

static void make_snippet(const Query *query, Str text, StoreHit *hit)
{
    size_t at = 0, len = 0, start;
    Buf out = BUF_INIT;
    Str tail;

    if (!find_hit(text, query->word[0], &at, &len))
        at = len = 0;
    start = snippet_start(text, at);
    if (start > 0)
        buf_puts(&out, "…");
    put_line(str_sub(text, start, at - start), &out);
    hit->hit = out.len;
    tail = str_sub(text, at, len);
    put_line(tail, &out);
    hit->hit_len = out.len - hit->hit;
    tail = text_cut(str_from_offset(text, at + len), SNIPPET_COLS, NULL);
    put_line(tail, &out);
    if (at + len + tail.len < text.len)
        buf_puts(&out, "…");
    hit->snippet = buf_take(&out);
}

static void hit_of_row(const Query *query, sqlite3_stmt *s, Str text, StoreHit *hit)
{
    Str uid = column_str(s, 2);

    *hit = (StoreHit){ .message_id = sqlite3_column_int64(s, 0),
                       .conversation_id = sqlite3_column_int64(s, 1) };
    if (uid.len < sizeof hit->uid)
        memcpy(hit->uid, uid.len ? uid.data : "", uid.len);
    hit->title = column_copy(s, 3);
    role_parse(column_str(s, 4), &hit->role);
    hit->created_ms = sqlite3_column_int64(s, 6);
    make_snippet(query, text, hit);
}

static bool run_query(Store *store, const Query *query, size_t limit, StoreHits *out, Error *err)
{
    sqlite3_stmt *s = store_statement(
        store,
        "SELECT m.id, m.conversation_id, c.uid, coalesce(c.title, ''), m.role, m.text, m.created_ms"
        " FROM search CROSS JOIN message m ON m.id = search.rowid CROSS JOIN conversation c"
        " ON c.id = m.conversation_id WHERE search MATCH ? AND c.deleted_ms IS NULL"
        " ORDER BY search.rowid DESC",
        err);
    size_t cap = 0;
    int row = 1;

    if (!s)
        return false;
    bind_str(s, 1, buf_str(&query->match));
    while ((limit == 0 || out->n < limit) && (row = store_row(store, s, err)) == 1) {
        Str text = column_str(s, 5);

        if (query->partial && !query_fits(query, text))
            continue;
        out->hit = mem_grow(out->hit, &cap, out->n + 1, sizeof *out->hit);
        hit_of_row(query, s, text, &out->hit[out->n++]);
    }
    sqlite3_reset(s);
    return row >= 0;
}

bool store_search(Store *store, Str query_text, size_t limit, StoreHits *out, Error *err)
{
    Query query;
    bool ok;

    *out = (StoreHits){ NULL, 0 };
    query_init(&query, query_text);
    ok = query.n == 0 || run_query(store, &query, limit, out, err);
    if (!ok)
        store_hits_release(out);
    query_release(&query);
    return ok;
}

void store_hits_release(StoreHits *hits)
{
    for (size_t i = 0; i < hits->n; i++) {
        free(hits->hit[i].title);
        free(hits->hit[i].snippet);
    }
    free(hits->hit);
    *hits = (StoreHits){ NULL, 0 };
}
