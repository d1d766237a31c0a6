/* Where lines break: kinsoku, graphemes, blanks that hang, runs without a break, and the cache of
 * growing texts. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/base/text.h"
#include "src/base/utf8.h"
#include "ui/layout.h"

typedef struct {
    const char *what;
    int cols;
    const char *text;
    const char *rows; /* joined by | ; blanks at row ends are part of a row */
} Case;

static void join_rows(Str text, const Layout *layout, Buf *out)
{
    for (size_t i = 0; i < layout->n; i++) {
        if (i)
            buf_putc(out, '|');
        buf_append_str(out,
                       str_sub(text, layout->row[i].from, layout->row[i].to - layout->row[i].from));
    }
}

static void check_cases(const Case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Layout layout = LAYOUT_INIT;
        Buf got = BUF_INIT;
        Str text = str_from(cases[i].text);
        layout_text(text, cases[i].cols, LAYOUT_TAB, &layout);
        join_rows(text, &layout, &got);
        if (strcmp(buf_cstr(&got), cases[i].rows) != 0)
            fail_msg("%s (%d): got “%s”, want “%s”", cases[i].what, cases[i].cols, buf_cstr(&got),
                     cases[i].rows);
        buf_release(&got);
        layout_release(&layout);
    }
}

static void rows_never_start_or_end_with_what_japanese_forbids(void **state)
{
    static const Case cases[] = {
        { "full stop", 6, "日本語。", "日本|語。" },
        { "comma", 6, "日本語、だ", "日本|語、だ" },
        { "closing bracket", 6, "「日本」だ", "「日|本」だ" },
        { "opening bracket", 6, "日本「語」", "日本|「語」" },
        { "two brackets", 10, "あ（「い」）う", "あ|（「い」）|う" },
        { "small kana", 6, "きょうしょう", "きょう|しょう" },
        { "small kana pushed", 4, "あいしょう", "あい|しょ|う" },
        { "long vowel", 4, "ラーメン", "ラー|メン" },
        { "long vowel pushed", 6, "あラーメン", "あラー|メン" },
        { "long vowel pushed over", 4, "あラーメン", "あ|ラー|メン" },
        { "repetition mark", 4, "人々と", "人々|と" },
        { "repetition mark pushed", 4, "あ人々", "あ|人々" },
        { "iteration kana", 4, "あいすゞ", "あい|すゞ" },
        { "wave dash", 4, "あい～う", "あ|い～|う" },
        { "wave dash U+301C", 4, "あい〜う", "あ|い〜|う" },
        { "middle dot", 4, "あい・う", "あ|い・|う" },
        { "exclamation", 4, "あい！？", "あ|い！|？" },
        { "half-width full stop", 3, "ｱｲｳ｡ｴ", "ｱｲ|ｳ｡ｴ" },
        { "half-width sound mark", 2, "ｱｶﾞ", "ｱ|ｶﾞ" },
        { "half-width long vowel", 2, "ｱｶｰ", "ｱ|ｶｰ" },
    };
    (void)state;
    check_cases(cases, ARRAY_LEN(cases));
}

static void blanks_hang_over_the_edge(void **state)
{
    static const Case cases[] = {
        { "space", 3, "abc def", "abc |def" },
        { "spaces", 3, "abc   def", "abc   |def" },
        { "full-width space", 4, "日本　語", "日本　|語" },
        { "trailing", 3, "abc  ", "abc  " },
        { "words", 7, "the quick brown", "the |quick |brown" },
    };
    (void)state;
    check_cases(cases, ARRAY_LEN(cases));
}

static void a_run_without_a_break_is_cut_between_graphemes(void **state)
{
    static const Case cases[] = {
        { "ascii", 4, "abcdefghij", "abcd|efgh|ij" },
        { "word then long word", 4, "a bcdefgh", "a |bcde|fgh" },
        { "wide in one column", 1, "日本", "日|本" },
        { "decomposed kana", 2, "か\u3099き\u3099", "か\u3099|き\u3099" },
        { "family stays whole", 2, "👨‍👩‍👧‍👦a", "👨‍👩‍👧‍👦|a" },
        { "flags stay whole", 2, "🇯🇵🇯🇵", "🇯🇵|🇯🇵" },
        { "only stops", 4, "。。。。。", "。。|。。|。" },
        { "skin tone", 2, "👍🏽👍🏽", "👍🏽|👍🏽" },
        { "ideographic variant", 2, "葛\U000E0100城", "葛\U000E0100|城" },
        { "url", 12, "https://example.org/abc/def", "https://|example.org/|abc/def" },
    };
    (void)state;
    check_cases(cases, ARRAY_LEN(cases));
}

static void newlines_and_empty_lines_are_rows(void **state)
{
    static const Case cases[] = {
        { "empty", 10, "", "" },         { "two", 10, "a\nb", "a|b" },
        { "gap", 10, "a\n\nb", "a||b" }, { "end", 10, "a\n", "a|" },
        { "tab", 10, "a\tbc", "a\tbc" }, { "tab too wide", 9, "a\tbc", "a\t|bc" },
    };
    (void)state;
    check_cases(cases, ARRAY_LEN(cases));
}

static void ambiguous_characters_take_the_width_that_is_set(void **state)
{
    static const Case narrow[] = { { "narrow", 4, "①②③④⑤", "①②③④|⑤" } };
    static const Case wide[] = { { "wide", 4, "①②③④⑤", "①②|③④|⑤" } };
    (void)state;
    check_cases(narrow, 1);
    text_set_ambiguous(2);
    check_cases(wide, 1);
    text_set_ambiguous(1);
}

static const char *const pieces[] = {
    "日本", "。",     "「",     "」",          "abc",  " ",  "　", "か\u3099", "👨‍👩‍👧",
    "\t",   "\n",     "ー",     "\xE3\x81",    "\xFF", "ｶﾞ", "～", "a\u0301",  "🇯",
    "！",   "\u200D", "\u3099", "http://a.b/c"
};

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* Every byte but the newlines is on exactly one row, rows fit (blanks aside), and borders are those
 * of graphemes. */
static void check_rows(Str text, int cols)
{
    Layout layout = LAYOUT_INIT;
    size_t at = 0;
    layout_text(text, cols, LAYOUT_TAB, &layout);
    for (size_t i = 0; i < layout.n; i++) {
        LayoutRow row = layout.row[i];
        if (i > 0 && row.from == at + 1)
            assert_int_equal(text.data[at], '\n');
        else
            assert_int_equal(row.from, at);
        assert_true(row.to >= row.from && row.to <= text.len);
        Str line = str_sub(text, row.from, row.to - row.from);
        size_t first = line.len ? text_next_grapheme(line, 0) : 0;
        bool one = text_cols(str_sub(line, 0, first)) == row.cols;
        if (row.cols > cols && !one)
            fail_msg("row %zu takes %d of %d columns: “%.*s”", i, row.cols, cols, (int)line.len,
                     line.data);
        int col;
        assert_int_equal(layout_find(&layout, text, row.from, LAYOUT_TAB, &col), i);
        assert_int_equal(col, 0);
        at = row.to;
    }
    assert_int_equal(at, text.len);
    layout_release(&layout);
}

static void every_byte_is_on_one_row_whatever_the_text(void **state)
{
    unsigned seed = 7;
    (void)state;
    for (int round = 0; round < 600; round++) {
        Buf text = BUF_INIT;
        unsigned n = next_random(&seed) % 30;
        for (unsigned i = 0; i < n; i++)
            buf_puts(&text, pieces[next_random(&seed) % ARRAY_LEN(pieces)]);
        check_rows(buf_str(&text), 1 + (int)(next_random(&seed) % 20));
        buf_release(&text);
    }
}

static void a_growing_text_is_laid_out_as_a_whole_one(void **state)
{
    unsigned seed = 11;
    LayoutCache cache = { 0 };
    Buf text = BUF_INIT;
    (void)state;
    for (int i = 0; i < 300; i++) {
        Layout whole = LAYOUT_INIT;
        buf_puts(&text, pieces[next_random(&seed) % ARRAY_LEN(pieces)]);
        const Layout *grown = layout_cache_update(&cache, buf_str(&text), 11, LAYOUT_TAB);
        layout_text(buf_str(&text), 11, LAYOUT_TAB, &whole);
        assert_int_equal(grown->n, whole.n);
        for (size_t row = 0; row < whole.n; row++) {
            assert_int_equal(grown->row[row].from, whole.row[row].from);
            assert_int_equal(grown->row[row].to, whole.row[row].to);
            assert_int_equal(grown->row[row].cols, whole.row[row].cols);
        }
        layout_release(&whole);
    }
    buf_release(&text);
    layout_cache_release(&cache);
}

static void only_the_last_line_of_a_growing_text_is_laid_out_again(void **state)
{
    LayoutCache cache = { 0 };
    Buf text = BUF_INIT;
    (void)state;
    for (int i = 0; i < 100; i++)
        buf_puts(&text, "吾輩は猫である。名前はまだ無い。\n");
    layout_cache_update(&cache, buf_str(&text), 20, LAYOUT_TAB);
    buf_puts(&text, "どこで");
    layout_cache_update(&cache, buf_str(&text), 20, LAYOUT_TAB);
    assert_int_equal(cache.n_relaid, strlen("どこで"));
    layout_cache_update(&cache, buf_str(&text), 30, LAYOUT_TAB);
    assert_int_equal(cache.n_relaid, text.len);
    buf_release(&text);
    layout_cache_release(&cache);
}

static void columns_and_bytes_map_both_ways(void **state)
{
    Str text = STR("日本語abc\n語");
    Layout layout = LAYOUT_INIT;
    int col;
    (void)state;
    layout_text(text, 6, LAYOUT_TAB, &layout);
    assert_int_equal(layout.n, 3);
    assert_int_equal(layout_find(&layout, text, 3, LAYOUT_TAB, &col), 0);
    assert_int_equal(col, 2);
    assert_int_equal(layout_find(&layout, text, 9, LAYOUT_TAB, &col),
                     1); /* the soft break: the later row */
    assert_int_equal(col, 0);
    assert_int_equal(layout_find(&layout, text, 12, LAYOUT_TAB, &col), 1); /* before the newline */
    assert_int_equal(col, 3);
    assert_int_equal(layout_byte_at(&layout, text, 0, 3, LAYOUT_TAB), 3);
    assert_int_equal(layout_byte_at(&layout, text, 1, 99, LAYOUT_TAB), 12);
    assert_int_equal(layout_byte_at(&layout, text, 2, 99, LAYOUT_TAB), 16);
    layout_release(&layout);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_never_start_or_end_with_what_japanese_forbids),
        cmocka_unit_test(blanks_hang_over_the_edge),
        cmocka_unit_test(a_run_without_a_break_is_cut_between_graphemes),
        cmocka_unit_test(newlines_and_empty_lines_are_rows),
        cmocka_unit_test(ambiguous_characters_take_the_width_that_is_set),
        cmocka_unit_test(every_byte_is_on_one_row_whatever_the_text),
        cmocka_unit_test(a_growing_text_is_laid_out_as_a_whole_one),
        cmocka_unit_test(only_the_last_line_of_a_growing_text_is_laid_out_again),
        cmocka_unit_test(columns_and_bytes_map_both_ways),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
