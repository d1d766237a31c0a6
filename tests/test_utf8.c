/* UTF-8 at the level of bytes, checked against the standard's own examples and by brute force. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "src/base/utf8.h"

static void every_code_point_survives_a_round_trip(void **state)
{
    (void)state;
    for (unsigned cp = 0; cp <= 0x10FFFF; cp++) {
        char bytes[4];
        size_t n = utf8_encode(cp, bytes), pos = 0;
        bool valid;

        if (cp >= 0xD800 && cp <= 0xDFFF) {
            assert_int_equal(n, 0);
            continue;
        }
        assert_int_equal(utf8_next_checked(str_of(bytes, n), &pos, &valid), cp);
        assert_true(valid);
        assert_int_equal(pos, n);
    }
}

static void what_is_not_a_code_point_encodes_to_nothing(void **state)
{
    char bytes[4];

    (void)state;
    assert_int_equal(utf8_encode(0x110000, bytes), 0);
    assert_int_equal(utf8_encode(0xFFFFFFFF, bytes), 0);
}

/* Byte strings and the U+FFFD count that the standard's table 3-8 and following give. */
static const struct {
    const char *bytes;
    size_t len, replacements, chars;
} broken[] = {
    { "\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", 9, 8, 9 }, /* table 3-8 */
    { "\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", 9, 8, 9 }, /* table 3-9: surrogates */
    { "\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", 9, 7, 9 }, /* table 3-10 */
    { "\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 9, 4, 5 }, /* table 3-11: truncated sequences */
    { "\xE6\x97", 2, 1, 1 },
    { "\xF0\x9F\x98", 3, 1, 1 },
    { "\x80", 1, 1, 1 },
    { "a\xFE"
      "b",
      3, 1, 3 },
};

static void broken_bytes_are_cut_in_maximal_subparts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        Str s = str_of(broken[i].bytes, broken[i].len);
        size_t bad = 0;

        for (size_t pos = 0; pos < s.len;) {
            bool valid;

            utf8_next_checked(s, &pos, &valid);
            bad += !valid;
        }
        assert_int_equal(bad, broken[i].replacements);
        assert_int_equal(utf8_count(s), broken[i].chars);
        assert_false(utf8_valid(s));
    }
}

static void an_encoded_replacement_character_is_valid(void **state)
{
    size_t pos = 0;
    bool valid = false;

    (void)state;
    assert_int_equal(utf8_next_checked(STR("\xEF\xBF\xBD"), &pos, &valid), UTF8_REPLACEMENT);
    assert_true(valid);
}

static void repairing_replaces_only_what_is_broken(void **state)
{
    Buf out = BUF_INIT;

    (void)state;
    utf8_append_valid(&out, STR("日\xE6\x97"
                                "本\xFF"));
    assert_string_equal(buf_cstr(&out), "日\xEF\xBF\xBD本\xEF\xBF\xBD");
    assert_true(utf8_valid(buf_str(&out)));
    buf_release(&out);
}

static void a_tail_that_may_still_grow_is_held_back(void **state)
{
    static const char text[] = "a\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80";

    (void)state;
    /* Borders of the four characters: 0, 1, 3, 6, 10. */
    static const size_t complete[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10 };

    for (size_t n = 0; n <= 10; n++)
        assert_int_equal(utf8_complete(str_of(text, n)), complete[n]);
    assert_int_equal(utf8_complete(STR("a\xE0\x80")), 3); /* can never become valid */
    assert_int_equal(utf8_complete(STR("a\x80\x80\x80\x80")), 5);
    assert_int_equal(utf8_complete(STR("a\xFF")), 2);
}

static void floor_finds_the_border_before(void **state)
{
    static const size_t border[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };

    (void)state;
    for (size_t at = 0; at < 12; at++)
        assert_int_equal(utf8_floor(STR("a\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80"), at), border[at]);
    assert_int_equal(utf8_floor(STR("\x80\x80\x80\x80\x80"), 4), 4);
}

static void floor_agrees_with_walking_on_any_bytes(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        static const unsigned char alphabet[] = { 'a',  0x80, 0xBF, 0xC3, 0xE3, 0xE0,
                                                  0xED, 0xF0, 0xF4, 0xFF, 0x90 };
        char bytes[12];
        Str s = str_of(bytes, sizeof bytes);

        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (char)alphabet[(seed >> 16) % sizeof alphabet];
        }
        for (size_t pos = 0; pos < s.len;) {
            size_t start = pos;

            utf8_next(s, &pos);
            for (size_t at = start; at < pos; at++)
                assert_int_equal(utf8_floor(s, at), start);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_survives_a_round_trip),
        cmocka_unit_test(what_is_not_a_code_point_encodes_to_nothing),
        cmocka_unit_test(broken_bytes_are_cut_in_maximal_subparts),
        cmocka_unit_test(an_encoded_replacement_character_is_valid),
        cmocka_unit_test(repairing_replaces_only_what_is_broken),
        cmocka_unit_test(a_tail_that_may_still_grow_is_held_back),
        cmocka_unit_test(floor_finds_the_border_before),
        cmocka_unit_test(floor_agrees_with_walking_on_any_bytes),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
