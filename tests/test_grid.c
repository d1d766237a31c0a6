/* Cells: clipping, wide characters, marks, what is never sent to a terminal. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/base/text.h"
#include "ui/grid.h"

static void expect_dump(const Grid *grid, const char *want)
{
    Buf got = BUF_INIT;
    grid_dump(grid, &got);
    assert_string_equal(buf_cstr(&got), want);
    buf_release(&got);
}

static Grid new_grid(int rows, int cols)
{
    Grid grid;
    grid_init(&grid);
    grid_resize(&grid, rows, cols);
    return grid;
}

static Rect all(const Grid *grid)
{
    return (Rect){ 0, 0, grid->rows, grid->cols };
}

static void text_is_cut_at_the_edge_never_through_a_character(void **state)
{
    Grid grid = new_grid(2, 5);
    (void)state;
    assert_int_equal(grid_text(&grid, all(&grid), 0, 0, STR("日本語"), STYLE_TEXT), 4);
    assert_int_equal(grid_text(&grid, all(&grid), 1, 3, STR("abc"), STYLE_TEXT), 5);
    expect_dump(&grid, "日本\n   ab\n");
    grid_release(&grid);
}

static void an_area_clips_on_all_sides(void **state)
{
    Grid grid = new_grid(3, 8);
    Rect area = { 1, 2, 1, 4 };
    (void)state;
    grid_text(&grid, area, 0, 2, STR("no"), STYLE_TEXT);
    grid_text(&grid, area, 1, 0, STR("abcdefgh"), STYLE_TEXT);
    grid_text(&grid, area, 2, 2, STR("no"), STYLE_TEXT);
    grid_text(&grid, area, -1, 2, STR("no"), STYLE_TEXT);
    expect_dump(&grid, "\n  cdef\n\n");
    grid_text(&grid, area, 1, 1, STR("日本"), STYLE_TEXT); /* its first half lies outside */
    expect_dump(&grid, "\n  c本f\n\n");
    grid_release(&grid);
}

static void writing_over_half_a_wide_character_leaves_a_blank(void **state)
{
    Grid grid = new_grid(1, 6);
    (void)state;
    grid_text(&grid, all(&grid), 0, 0, STR("日本語"), STYLE_TEXT);
    grid_text(&grid, all(&grid), 0, 1, STR("x"), STYLE_TEXT);
    expect_dump(&grid, " x本語\n");
    grid_text(&grid, all(&grid), 0, 2, STR("y"), STYLE_TEXT);
    expect_dump(&grid, " xy 語\n");
    grid_text(&grid, all(&grid), 0, 3, STR("漢"), STYLE_TEXT);
    expect_dump(&grid, " xy漢\n");
    for (int col = 0; col < 6; col++) {
        const Cell *cell = grid_at(&grid, 0, col);
        assert_true(cell->len > 0 || (col > 0 && grid_at(&grid, 0, col - 1)->cols == 2));
    }
    grid_release(&grid);
}

static void marks_share_the_cell_of_their_base(void **state)
{
    Grid grid = new_grid(1, 8);
    (void)state;
    assert_int_equal(grid_text(&grid, all(&grid), 0, 0, STR("か\u3099a\u0301"), STYLE_TEXT), 3);
    assert_int_equal(grid_at(&grid, 0, 0)->len, 6);
    assert_int_equal(grid_at(&grid, 0, 0)->cols, 2);
    assert_int_equal(grid_at(&grid, 0, 2)->len, 3);
    grid_release(&grid);
}

static void a_pile_of_marks_stays_within_a_cell(void **state)
{
    Grid grid = new_grid(1, 8);
    Buf pile = BUF_INIT;
    (void)state;
    buf_puts(&pile, "a");
    for (int i = 0; i < 1000; i++)
        buf_puts(&pile, "\u0301");
    assert_int_equal(grid_text(&grid, all(&grid), 0, 0, buf_str(&pile), STYLE_TEXT), 1);
    assert_true(grid_at(&grid, 0, 0)->len <= CELL_BYTES);
    buf_release(&pile);
    grid_release(&grid);
}

static void nothing_that_upsets_a_terminal_is_drawn(void **state)
{
    static const char *const bad[] = { "\033[31m", "\a",       "\r",     "\x7F",
                                       "\xC2\x9B", "\u202E",   "\u200B", "\u00AD",
                                       "\uFEFF",   "\xFF\xFE", "\u2028", "👨‍👩‍👧",
                                       "❤️" };
    Grid grid = new_grid(1, 40);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        grid_fill(&grid, all(&grid), STYLE_TEXT);
        int end = grid_text(&grid, all(&grid), 0, 0, str_from(bad[i]), STYLE_TEXT);
        assert_int_equal(end, text_cols(str_from(bad[i])));
        Buf got = BUF_INIT;
        grid_dump(&grid, &got);
        for (size_t at = 0; at + 1 < got.len; at++)
            assert_true((unsigned char)got.data[at] >= 0x20 && got.data[at] != 0x7F);
        static const char *const hidden[] = { "\u202E", "\u200B", "\u00AD", "\uFEFF",
                                              "\u2028", "\u200D", "\uFE0F", "\xC2\x9B" };
        for (size_t j = 0; j < ARRAY_LEN(hidden); j++)
            assert_int_equal(str_find(buf_str(&got), str_from(hidden[j])), -1);
        buf_release(&got);
    }
    grid_release(&grid);
}

static void what_is_drawn_takes_the_columns_that_were_measured(void **state)
{
    static const char *const texts[] = { "ｶﾞｷﾞ",     "🇯🇵旗", "👍🏽", "葛\U000E0100", "1️⃣",
                                         "e\u0301é", "①…—",  "한국어",   "नमस्ते" };
    (void)state;
    for (int ambiguous = 1; ambiguous <= 2; ambiguous++) {
        Grid grid = new_grid(1, 40);
        text_set_ambiguous(ambiguous);
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
            assert_int_equal(grid_text(&grid, all(&grid), 0, 0, str_from(texts[i]), STYLE_TEXT),
                             text_cols(str_from(texts[i])));
        grid_release(&grid);
    }
    text_set_ambiguous(1);
}

static void long_text_is_cut_with_an_ellipsis_that_fits(void **state)
{
    Grid grid = new_grid(1, 20);
    (void)state;
    grid_text_cut(&grid, all(&grid), 0, 0, 8, STR("京都旅行の計画"), STYLE_TEXT);
    expect_dump(&grid, "京都旅…\n");
    text_set_ambiguous(2);
    grid_fill(&grid, all(&grid), STYLE_TEXT);
    grid_text_cut(&grid, all(&grid), 0, 0, 8, STR("京都旅行の計画"), STYLE_TEXT);
    expect_dump(&grid, "京都...\n");
    text_set_ambiguous(1);
    grid_fill(&grid, all(&grid), STYLE_TEXT);
    grid_text_cut(&grid, all(&grid), 0, 0, 8, STR("京都旅行"), STYLE_TEXT);
    expect_dump(&grid, "京都旅行\n");
    grid_release(&grid);
}

static void tabs_go_to_the_next_stop(void **state)
{
    Grid grid = new_grid(1, 20);
    (void)state;
    assert_int_equal(grid_text_tabs(&grid, all(&grid), 0, 2, STR("日\tx"), 8, STYLE_TEXT), 11);
    expect_dump(&grid, "  日      x\n");
    grid_release(&grid);
}

static void themes_are_read_word_by_word(void **state)
{
    Theme theme;
    Error err = ERROR_INIT;
    (void)state;
    theme_init(&theme);
    assert_true(theme_set(&theme, STR("title"), STR("bright-white on  blue bold underline"), &err));
    assert_int_equal(theme.look[STYLE_TITLE].fg, 15);
    assert_int_equal(theme.look[STYLE_TITLE].bg, 4);
    assert_int_equal(theme.look[STYLE_TITLE].attributes, LOOK_BOLD | LOOK_UNDERLINE);
    assert_false(theme_set(&theme, STR("title"), STR("mauve"), &err));
    assert_false(theme_set(&theme, STR("nowhere"), STR("red"), &err));
    theme_drop_colours(&theme);
    assert_int_equal(theme.look[STYLE_TITLE].fg, -1);
    assert_int_equal(theme.look[STYLE_TITLE].attributes, LOOK_BOLD | LOOK_UNDERLINE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cut_at_the_edge_never_through_a_character),
        cmocka_unit_test(an_area_clips_on_all_sides),
        cmocka_unit_test(writing_over_half_a_wide_character_leaves_a_blank),
        cmocka_unit_test(marks_share_the_cell_of_their_base),
        cmocka_unit_test(a_pile_of_marks_stays_within_a_cell),
        cmocka_unit_test(nothing_that_upsets_a_terminal_is_drawn),
        cmocka_unit_test(what_is_drawn_takes_the_columns_that_were_measured),
        cmocka_unit_test(long_text_is_cut_with_an_ellipsis_that_fits),
        cmocka_unit_test(tabs_go_to_the_next_stop),
        cmocka_unit_test(themes_are_read_word_by_word),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
