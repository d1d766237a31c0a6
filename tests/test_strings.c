/* Strings and buffers. */
#include "config.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/base/buf.h"

/* Strings */

static void strings_are_compared_by_bytes(void **state)
{
    (void)state;
    assert_true(str_eq(STR_NULL, STR("")));
    assert_true(str_eq_c(STR("ab"), "ab"));
    assert_false(str_eq_c(STR("ab"), "abc"));
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("\xFF"), STR("a")) > 0);
    assert_int_equal(str_cmp(STR_NULL, STR_NULL), 0);
    assert_true(str_starts(STR("abc"), STR("ab")) && str_starts(STR("abc"), STR("")));
    assert_true(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")));
    assert_true(str_eq_c(str_from(NULL), ""));
}

static void strings_are_searched_from_both_ends(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("abab"), STR("ab")), 0);
    assert_int_equal(str_rfind(STR("abab"), STR("ab")), 2);
    assert_int_equal(str_find(STR("a\0b"), STR("b")), 2);
    assert_int_equal(str_find(STR("ab"), STR("abc")), -1);
    assert_int_equal(str_rfind(STR("ab"), STR("x")), -1);
    assert_int_equal(str_find(STR_NULL, STR("")), 0);
    assert_int_equal(str_rfind(STR("ab"), STR("")), 2);
}

static void parts_of_strings_are_clamped(void **state)
{
    (void)state;
    assert_true(str_eq_c(str_sub(STR("abc"), 1, SIZE_MAX), "bc"));
    assert_int_equal(str_sub(STR("abc"), 9, 1).len, 0);
    assert_true(str_eq_c(str_from_offset(STR("abc"), 2), "c"));
    assert_true(str_eq_c(str_trim(STR(" \t a b\r\n")), "a b"));
    assert_int_equal(str_trim(STR("  ")).len, 0);
}

static void lines_lose_either_kind_of_end(void **state)
{
    Str rest = STR("a\r\n\nb\rc\nd"), line;
    static const char *const lines[] = { "a", "", "b\rc", "d" };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_true(str_line(&rest, &line));
        assert_true(str_eq_c(line, lines[i]));
    }
    assert_false(str_line(&rest, &line));
}

static void numbers_are_taken_whole_or_not_at_all(void **state)
{
    static const char *const bad[] = { "",    " 1",  "1 ",  "0x10",  "1e", "nan",
                                       "inf", "1,5", "--1", "1e999", "１" };
    long long n = 0;
    double x = 0;

    (void)state;
    assert_true(str_to_long(STR("-9223372036854775808"), &n) && n == LLONG_MIN);
    assert_false(str_to_long(STR("9223372036854775808"), &n));
    assert_false(str_to_long(STR("1.5"), &n));
    assert_true(str_to_long(str_of("123456", 3), &n) && n == 123);
    assert_true(str_to_double(STR("-1.5e2"), &x) && x == -150.0);
    assert_true(str_to_double(STR(".5"), &x) && x == 0.5);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(str_to_double(str_from(bad[i]), &x));
        assert_false(str_to_long(str_from(bad[i]), &n));
    }
}

/* Buffers */

static void a_buffer_is_always_terminated(void **state)
{
    Buf b = BUF_INIT;

    (void)state;
    assert_string_equal(buf_cstr(&b), "");
    buf_puts(&b, "ac");
    buf_insert(&b, 1, STR("b"));
    buf_insert(&b, 99, STR("d"));
    buf_insert(&b, 0, STR(">"));
    assert_string_equal(buf_cstr(&b), ">abcd");
    buf_remove(&b, 0, 1);
    buf_remove(&b, 2, SIZE_MAX);
    buf_remove(&b, 9, 1);
    assert_string_equal(buf_cstr(&b), "ab");
    buf_printf(&b, "%d%s", 12, "x");
    buf_put_utf8(&b, 0x3042);
    buf_put_utf8(&b, 0xD800);
    assert_string_equal(buf_cstr(&b), "ab12xあ\xEF\xBF\xBD");
    buf_truncate(&b, 99);
    buf_truncate(&b, 1);
    assert_string_equal(buf_cstr(&b), "a");
    buf_reset(&b);
    assert_string_equal(buf_cstr(&b), "");
    buf_release(&b);
    assert_null(b.data);
}

static void a_buffer_grows_to_any_length(void **state)
{
    Buf b = BUF_INIT;

    (void)state;
    for (int i = 0; i < 100000; i++)
        buf_putc(&b, (char)('a' + i % 26));
    assert_int_equal(b.len, 100000);
    assert_int_equal(strlen(b.data), 100000);
    assert_int_equal(b.data[99999], 'a' + 99999 % 26);
    buf_release(&b);
}

static void a_limited_buffer_keeps_a_clean_prefix(void **state)
{
    Buf b;

    (void)state;
    buf_init_max(&b, 4);
    buf_puts(&b, "abc");
    assert_false(b.overflowed);
    buf_puts(&b, "de");
    assert_true(b.overflowed);
    buf_puts(&b, "f"); /* would fit, but what came before it is missing */
    assert_string_equal(buf_cstr(&b), "abc");
    buf_reset(&b);
    buf_printf(&b, "%s", "wxyz");
    assert_false(b.overflowed);
    buf_printf(&b, "%d", 1);
    assert_true(b.overflowed);
    buf_release(&b);
    assert_int_equal(b.max, 4);
}

static void a_taken_buffer_belongs_to_the_taker(void **state)
{
    Buf b = BUF_INIT;
    char *text = buf_take(&b);

    (void)state;
    assert_string_equal(text, "");
    free(text);
    buf_puts(&b, "x");
    text = buf_take(&b);
    assert_string_equal(text, "x");
    assert_int_equal(b.len, 0);
    buf_puts(&b, "again");
    buf_release(&b);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_compared_by_bytes),
        cmocka_unit_test(strings_are_searched_from_both_ends),
        cmocka_unit_test(parts_of_strings_are_clamped),
        cmocka_unit_test(lines_lose_either_kind_of_end),
        cmocka_unit_test(numbers_are_taken_whole_or_not_at_all),
        cmocka_unit_test(a_buffer_is_always_terminated),
        cmocka_unit_test(a_buffer_grows_to_any_length),
        cmocka_unit_test(a_limited_buffer_keeps_a_clean_prefix),
        cmocka_unit_test(a_taken_buffer_belongs_to_the_taker),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
