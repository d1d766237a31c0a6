/* Widths, graphemes, words, folding and character sets, on the cases that break other programs. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

#include "src/base/text.h"
#include "src/base/utf8.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
    unsigned cp;
    int cols;
} widths[] = {
    { 'a', 1 },      { 0x7F, -1 },     { 0x1B, -1 },   { 0x9B, -1 },   { 0x3042, 2 },
    { 0x3099, 0 },   { 0x309B, 2 },    { 0xFF76, 1 },  { 0xFF9E, 1 },  { 0x301C, 2 },
    { 0xFF5E, 2 },   { 0x3000, 2 },    { 0x00AD, 0 },  { 0x200B, 0 },  { 0x200D, 0 },
    { 0xFEFF, 0 },   { 0xFE0F, 0 },    { 0xE0100, 0 }, { 0x1F44D, 2 }, { 0x1F3FD, 2 },
    { 0x1F1EF, 1 },  { 0x1FAE8, 2 },   { 0x2764, 1 },  { 0x1160, 0 },  { 0x1100, 2 },
    { 0xAC00, 2 },   { 0x0600, 1 },    { 0x20D0, 0 },  { 0x7F8E, 2 },  { 0x20000, 2 },
    { 0x10FFFF, 1 }, { 0x110000, -1 }, { 0xD800, -1 }, { 0x3164, 2 },  { 0x2028, 0 },
    { 0x303F, 1 },   { 0x231A, 2 },
};

static void characters_have_the_columns_terminals_give_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(widths); i++)
        if (text_width(widths[i].cp) != widths[i].cols)
            fail_msg("U+%04X: %d, not %d", widths[i].cp, text_width(widths[i].cp), widths[i].cols);
}

static void ambiguous_characters_follow_the_setting(void **state)
{
    static const unsigned ambiguous[] = { 0x2026, 0x25CB, 0x2460, 0x203B,
                                          0x2500, 0x0416, 0x00D7, 0xFFFD };

    (void)state;
    for (int cols = 1; cols <= 2; cols++) {
        text_set_ambiguous(cols);
        assert_int_equal(text_ambiguous(), cols);
        for (size_t i = 0; i < N(ambiguous); i++)
            assert_int_equal(text_width(ambiguous[i]), cols);
        assert_int_equal(text_width('a'), 1);
        assert_int_equal(text_width(0xE9), cols); /* é is ambiguous too */
        assert_int_equal(text_width(0x3042), 2);
    }
    text_set_ambiguous(7); /* nonsense is narrow */
    assert_int_equal(text_ambiguous(), 1);
}

static void the_program_replaces_wcwidth(void **state)
{
    (void)state;
    assert_int_equal(wcwidth(L'\0'), 0);
    assert_int_equal(wcwidth(0x1FAE8), 2); /* newer than glibc 2.36 */
    text_set_ambiguous(2);
    assert_int_equal(wcwidth(0x2026), 2); /* glibc never says this */
    text_set_ambiguous(1);
    assert_int_equal(wcwidth(0x2026), 1);
}

static const struct {
    const char *text, *shown;
    int cols;
} clusters[] = {
    { "か\xE3\x82\x99", "か\xE3\x82\x99", 2 },
    { "ｶﾞ", "ｶﾞ", 2 },
    { "葛\xF3\xA0\x84\x80", "葛\xF3\xA0\x84\x80", 2 },
    { "❤️", "❤", 1 },
    { "1️⃣", "1\xE2\x83\xA3", 1 },
    { "👍🏽", "👍", 2 },
    { "👨‍👩‍👧‍👦", "👨", 2 },
    { "🏳️‍🌈", "\xF0\x9F\x8F\xB3", 1 },
    { "🇯🇵", "🇯🇵", 2 },
    { "🏽", "🏽", 2 },
    { "क्‍ष", "क्ष", 2 },
    { "\xC2\xAD", "", 0 },
    { "\xE2\x80\xAE", "", 0 },
    { "\xE3\x82\x99", " \xE3\x82\x99", 1 },
    { "\t", " ", 1 },
    { "\x1B", "^[", 2 },
    { "\x7F", "^?", 2 },
    { "\xC2\x9B", "\xEF\xBF\xBD", 1 },
    { "\xFF", "\xEF\xBF\xBD", 1 },
    { "e\xCC\x80\xCC\x81\xCC\x82\xCC\x83\xCC\x84\xCC\x85", "e\xCC\x80\xCC\x81\xCC\x82\xCC\x83", 1 },
};

static void a_cluster_is_shown_in_as_many_columns_as_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(clusters); i++) {
        Str cluster = str_from(clusters[i].text);
        Buf shown = BUF_INIT;
        int sum = 0;

        text_cluster_shown(cluster, &shown);
        assert_string_equal(buf_cstr(&shown), clusters[i].shown);
        assert_int_equal(text_cluster_cols(cluster), clusters[i].cols);
        for (size_t pos = 0; pos < shown.len;)
            sum += text_width(utf8_next(buf_str(&shown), &pos));
        assert_int_equal(sum, clusters[i].cols);
        assert_int_equal(text_next_grapheme(cluster, 0), cluster.len);
        assert_int_equal(text_prev_grapheme(cluster, cluster.len), 0);
        buf_release(&shown);
    }
}

static void text_is_cut_at_whole_graphemes(void **state)
{
    Str s = STR("aか\xE3\x82\x99👨‍👩‍👧z");
    static const size_t lengths[] = { 0, 1, 1, 7, 7, 25, 26, 26 };
    static const int cols[] = { 0, 1, 1, 3, 3, 5, 6, 6 };

    (void)state;
    for (int width = 0; width < 8; width++) {
        int used;

        assert_int_equal(text_cut(s, width, &used).len, lengths[width]);
        assert_int_equal(used, cols[width]);
    }
    assert_int_equal(text_cut(s, -1, NULL).len, 0);
    assert_int_equal(text_cols(s), 6);
    assert_int_equal(text_cols(STR_NULL), 0);
    assert_int_equal(text_cols(STR("plain ASCII")), 11);
    assert_int_equal(text_cols(STR("e\xCC\x81")), 1); /* a mark on the last of a plain run */
    assert_int_equal(text_cut(STR("abe\xCC\x81z"), 3, NULL).len, 5);
    assert_int_equal(text_cut(STR("abc"), 2, NULL).len, 2);
}

static void graphemes_step_both_ways_over_the_same_borders(void **state)
{
    Str s = STR("ｶﾞか\xE3\x82\x99🇯🇵🇺🇸x\r\n葛\xF3\xA0\x84\x80\xE6\x97!");
    static const size_t borders[] = { 0, 6, 12, 20, 28, 29, 31, 38, 40, 41 };
    size_t at = 0;

    (void)state;
    for (size_t i = 1; i < N(borders); i++) {
        at = text_next_grapheme(s, at);
        assert_int_equal(at, borders[i]);
    }
    assert_int_equal(at, s.len);
    assert_int_equal(text_next_grapheme(s, s.len), s.len);
    for (size_t i = N(borders) - 1; i-- > 0;) {
        at = text_prev_grapheme(s, at);
        assert_int_equal(at, borders[i]);
    }
    assert_int_equal(text_prev_grapheme(s, 0), 0);
}

static void words_follow_the_japanese_dictionary(void **state)
{
    Str s = STR("私は東京特許、GPUで 働く。");
    static const char *const forward[] = {
        "私", "は", "東京", "特許", "、GPU", "で", " 働く", "。"
    };
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < N(forward); i++) {
        size_t next = text_next_word(s, at);

        assert_true(str_eq_c(str_sub(s, at, next - at), forward[i]));
        at = next;
    }
    assert_int_equal(at, s.len);
    static const char *const back[] = { "働く。", "で ", "GPU", "特許、", "東京", "は", "私" };

    for (size_t i = 0; i < N(back); i++) {
        size_t start = text_prev_word(s, at);

        assert_true(str_eq_c(str_sub(s, start, at - start), back[i]));
        at = start;
    }
    assert_int_equal(at, 0);
    assert_int_equal(text_prev_word(STR("  、"), 5), 0);
    assert_int_equal(text_next_word(STR_NULL, 0), 0);
    assert_int_equal(text_next_word(STR("word"), 2), 4);
}

static const struct {
    const char *text, *key;
} folds[] = {
    { "ﾗｰﾒﾝ", "らーめん" },
    { "ラーメン", "らーめん" },
    { "か゛", "が" },
    { "ハ゜", "ぱ" },
    { "ｶﾞ", "が" },
    { "か\xE3\x82\x99", "が" },
    { "ＧＰＵ", "gpu" },
    { "Straße", "strasse" },
    { "葛\xF3\xA0\x84\x80", "葛" },
    { "①", "1" },
    { "ヽヾ", "ゝゞ" },
    { "ヴ", "ゔ" },
    { "か ゛", "か  \xE3\x82\x99" },
    { "東京", "東京" },
};

static void searching_does_not_see_width_case_or_kana(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(folds); i++) {
        Buf key = BUF_INIT;

        text_fold(str_from(folds[i].text), &key);
        assert_string_equal(buf_cstr(&key), folds[i].key);
        buf_release(&key);
    }
}

static void folding_twice_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(folds); i++) {
        Buf key = BUF_INIT;

        text_fold(str_from(folds[i].key), &key);
        assert_string_equal(buf_cstr(&key), folds[i].key);
        buf_release(&key);
    }
}

static void full_width_commands_are_commands(void **state)
{
    Buf out = BUF_INIT;

    (void)state;
    text_nfkc(STR("／ｈｅｌｐ"), &out);
    assert_string_equal(buf_cstr(&out), "/help");
    buf_release(&out);
}

static void pasted_text_is_made_harmless(void **state)
{
    Buf out = BUF_INIT;

    (void)state;
    text_clean_input(STR("\xEF\xBB\xBFか\xE3\x82\x99\r\nは\rハ\xE3\x82\x9A\t\x1B[31m\x01\xC2\x9B"
                         "m\x7F終"),
                     &out);
    assert_string_equal(buf_cstr(&out), "が\nは\nパ\t[31mm終");
    buf_reset(&out);
    text_clean_input(STR("\xEF\xA8\x90 a\xEF\xBB\xBF か゛"), &out); /* nothing else is normalised */
    assert_string_equal(buf_cstr(&out), "\xEF\xA8\x90 a\xEF\xBB\xBF か゛");
    buf_reset(&out);
    text_clean_input(STR("x\xFFy"), &out);
    assert_string_equal(buf_cstr(&out), "x\xEF\xBF\xBDy");
    buf_release(&out);
}

#define B(literal) literal, sizeof(literal) - 1

static const struct {
    const char *bytes;
    size_t len;
    const char *encoding, *text, *used;
} decoded[] = {
    { B(""), NULL, "", "UTF-8" },
    { B("日本"), NULL, "日本", "UTF-8" },
    { B("\xEF\xBB\xBF日"), NULL, "日", "UTF-8" },
    { B("\x93\xFA\x96{\x8C\xEA\x82\xCC\x95\xB6"), NULL, "日本語の文", "Shift_JIS" },
    { B("\xC6\xFC\xCB\xDC\xB8\xEC\xA4\xCE\xCA\xB8"), NULL, "日本語の文", "EUC-JP" },
    { B("\x1B$BF|K\\8l\x1B(B!"), NULL, "日本語!", "ISO-2022-JP" },
    { B("\xFF\xFE\xE5\x65\x2C\x67"), NULL, "日本", "UTF-16LE" },
    { B("\xFE\xFF\x65\xE5\x67\x2C"), NULL, "日本", "UTF-16BE" },
    { B("\xE5\x65\x2C\x67\x6E\x30\x87\x65"), NULL, "日本の文", "UTF-16LE" },
    { B("\x65\xE5\x67\x2C\x30\x6E\x65\x87"), NULL, "日本の文", "UTF-16BE" },
    { B("H\0i\0\n\0"), NULL, "Hi\n", "UTF-16LE" },
    { B("\0H\0i\0\n"), NULL, "Hi\n", "UTF-16BE" },
    { B("\x82\xA0\x82\xA2"), NULL, "あい", "Shift_JIS" },
    { B("\xA4\xA2\xA4\xA4"), "auto", "あい", "EUC-JP" },
    { B("ls --color: \x1B[31mred\x1B[0m"), NULL, "ls --color: \x1B[31mred\x1B[0m", "UTF-8" },
    { B("\xB1\xB2\xB3"), "Shift_JIS", "ｱｲｳ", "Shift_JIS" },
    { B("caf\xE9"), "iso-8859-1", "café", "ISO-8859-1" },
    { B("\xEF\xBB\xBF日"), "utf8", "日", "UTF-8" },
};

static void files_in_japanese_encodings_are_recognised(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(decoded); i++) {
        Error err = ERROR_INIT;
        Buf out = BUF_INIT;
        const char *used = NULL;

        buf_puts(&out, "kept ");
        if (!text_decode(str_of(decoded[i].bytes, decoded[i].len), decoded[i].encoding, &out, &used,
                         &err))
            fail_msg("%s: %s", decoded[i].text, err.text);
        assert_string_equal(buf_cstr(&out) + 5, decoded[i].text);
        assert_string_equal(used, decoded[i].used);
        buf_release(&out);
    }
}

static const struct {
    const char *bytes;
    size_t len;
    const char *encoding;
    ErrorKind kind;
} refused[] = {
    { B("\xFF\xFF\xFF"), NULL, ERR_FORMAT },
    { B("\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\x01\0\xF8\xFF\xFF"), NULL, ERR_FORMAT },
    { B("\x82"), "Shift_JIS", ERR_FORMAT }, /* half a character */
    { B("caf\xE9"), "UTF-8", ERR_FORMAT },
    { B("abc"), "no-such-set", ERR_USAGE },
    { B("abc"), "", ERR_USAGE },
};

static void bytes_that_do_not_fit_are_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(refused); i++) {
        Error err = ERROR_INIT;
        Buf out = BUF_INIT;

        assert_false(text_decode(str_of(refused[i].bytes, refused[i].len), refused[i].encoding,
                                 &out, NULL, &err));
        assert_int_equal(err.kind, refused[i].kind);
        assert_int_equal(out.len, 0);
        assert_true(err.text[0]);
        buf_release(&out);
    }
}

static void long_files_decode_whole(void **state)
{
    Buf in = BUF_INIT, out = BUF_INIT;
    Error err = ERROR_INIT;
    const char *used;

    (void)state;
    for (int i = 0; i < 50000; i++)
        buf_append(&in, "\x82\xA0\x93\xFA", 4);
    assert_true(text_decode(buf_str(&in), NULL, &out, &used, &err));
    assert_string_equal(used, "Shift_JIS");
    assert_int_equal(out.len, 50000 * 6);
    assert_true(str_ends(buf_str(&out), STR("あ日")));
    buf_release(&in);
    buf_release(&out);
}

static void *measure(void *p)
{
    int *ok = p;
    Str s = STR("私は東京で👍🏽を見た。");

    *ok = 1;
    for (int i = 0; i < 200; i++) {
        *ok &= text_cols(s) == 20;
        *ok &= text_next_grapheme(s, 15) == 23;
        *ok &= text_next_word(s, 6) == 12;
        for (unsigned cp = 0; cp < 0x20000; cp += 0x101)
            text_width(cp);
    }
    return NULL;
}

static void any_thread_may_measure(void **state)
{
    pthread_t threads[4];
    int ok[4];

    (void)state;
    for (size_t i = 0; i < N(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, measure, &ok[i]), 0);
    for (size_t i = 0; i < N(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_true(ok[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_thread_may_measure),
        cmocka_unit_test(characters_have_the_columns_terminals_give_them),
        cmocka_unit_test(ambiguous_characters_follow_the_setting),
        cmocka_unit_test(the_program_replaces_wcwidth),
        cmocka_unit_test(a_cluster_is_shown_in_as_many_columns_as_it_says),
        cmocka_unit_test(text_is_cut_at_whole_graphemes),
        cmocka_unit_test(graphemes_step_both_ways_over_the_same_borders),
        cmocka_unit_test(words_follow_the_japanese_dictionary),
        cmocka_unit_test(searching_does_not_see_width_case_or_kana),
        cmocka_unit_test(folding_twice_changes_nothing),
        cmocka_unit_test(full_width_commands_are_commands),
        cmocka_unit_test(pasted_text_is_made_harmless),
        cmocka_unit_test(files_in_japanese_encodings_are_recognised),
        cmocka_unit_test(bytes_that_do_not_fit_are_errors),
        cmocka_unit_test(long_files_decode_whole),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
