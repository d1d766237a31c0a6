/* The hand-written splits against the regular expressions they stand for, and merging against
 * the plain definition of it, on random texts. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/bpe.h"
#include "engine/pretokenize.h"
#include "engine/split.h"
#include "src/base/utf8.h"

static uint64_t seed;

static unsigned roll(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

/* Characters of every class that a split asks for. */
static void random_text(Buf *out, unsigned most)
{
    static const char *const parts[] = {
        "a",
        "B",
        "z",
        "'s",
        "'S",
        "'\xC5\xBF",
        "'ll",
        "'Re",
        "'",
        "1",
        "2",
        "9",
        " ",
        " ",
        "  ",
        "\n",
        "\r",
        "\r\n",
        "\t",
        ".",
        ",",
        "!?",
        "_",
        "\x01",
        "\xC2\xA0",
        "\xE3\x80\x80",
        "\xE2\x80\xA8",
        "\xC2\x85",
        "\xE6\x97\xA5",
        "\xE6\x9C\xAC",
        "\xE3\x81\x8B",
        "\xE3\x82\x99",
        "\xCC\x81",
        "\xC3\xA9",
        "\xD9\xA3",
        "\xC2\xBD",
        "\xE2\x85\xA7",
        "\xF0\x9F\x99\x82",
        "\xE2\x80\x8D",
        "\xE0\xA4\xB9\xE0\xA4\xBF",
        "\xC7\x85",
    };
    buf_reset(out);
    for (unsigned n = roll(most); n > 0; n--)
        buf_puts(out, parts[roll(ARRAY_LEN(parts))]);
}

static void put_matches(const Matches *matches, Buf *out)
{
    buf_reset(out);
    for (size_t i = 0; i < matches->n; i++)
        buf_printf(out, "%zu-%zu ", matches->items[i].start, matches->items[i].end);
}

/* Matches of the pattern in text[start..end). */
static void find(const Pattern *pattern, Str text, size_t start, size_t end, Buf *out)
{
    Matches matches = { 0 };
    Error err = ERROR_INIT;
    PatternRun *run = pattern_run_new(pattern, text, &err);
    if (!run || !pattern_run_find(run, start, end, &matches, &err))
        fail_msg("%s", err.text);
    put_matches(&matches, out);
    free(matches.items);
    pattern_run_free(run);
}

static void known_expressions_are_matched_as_icu_matches_them(void **state)
{
    (void)state;
    static const char *const regexes[] = {
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
        "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
        "\\s+(?!\\S)|\\s+",
        "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| "
        "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|"
        "\\s+(?!\\S)|\\s+",
        "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
        "\\p{N}{1,3}|"
        " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
        "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
        "\\s+(?!\\S)|\\s+",
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
        "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|"
        "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "\\p{N}",
        "\\s",
        "\\w+|[^\\w\\s]+",
        "[0-9][0-9][0-9]",
    };
    Buf text = BUF_INIT, by_hand = BUF_INIT, by_icu = BUF_INIT;
    seed = 1;
    for (size_t i = 0; i < ARRAY_LEN(regexes); i++) {
        Error err = ERROR_INIT;
        Pattern hand = { .rule = split_rule_of_regex(str_from(regexes[i])) };
        Pattern icu = { .regex = split_regex_new(str_from(regexes[i]), &err) };
        assert_non_null(hand.rule);
        assert_non_null(icu.regex);
        for (int k = 0; k < 1000; k++) {
            random_text(&text, 24);
            find(&hand, buf_str(&text), 0, text.len, &by_hand);
            find(&icu, buf_str(&text), 0, text.len, &by_icu);
            if (strcmp(buf_cstr(&by_hand), buf_cstr(&by_icu)) != 0)
                fail_msg("%s on \"%s\": %s, ICU: %s", hand.rule->name, buf_cstr(&text),
                         buf_cstr(&by_hand), buf_cstr(&by_icu));
        }
        pattern_release(&icu);
    }
    buf_release(&text);
    buf_release(&by_hand);
    buf_release(&by_icu);
}

static void a_stretch_is_matched_as_if_it_were_the_whole_text(void **state)
{
    (void)state;
    Error err = ERROR_INIT;
    Pattern icu = { .regex = split_regex_new(STR("\\s+(?!\\S)|^a|a$|b+"), &err) };
    Buf got = BUF_INIT;
    assert_non_null(icu.regex);
    find(&icu,
         STR("\xE3\x81\x82"
             "bb  a \xE3\x81\x82"),
         5, 9, &got);
    assert_string_equal(buf_cstr(&got), "5-6 8-9 ");
    find(&icu,
         STR("\xE3\x81\x82"
             "bb  a \xE3\x81\x82"),
         3, 7, &got);
    assert_string_equal(buf_cstr(&got), "3-5 5-7 ");
    buf_release(&got);
    pattern_release(&icu);
}

static void an_expression_that_explodes_is_stopped(void **state)
{
    (void)state;
    Error err = ERROR_INIT;
    Pattern icu = { .regex = split_regex_new(STR("(a|aa)+$"), &err) };
    Matches matches = { 0 };
    Str text =
        STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
    PatternRun *run = pattern_run_new(&icu, text, &err);
    assert_non_null(run);
    assert_false(pattern_run_find(run, 0, text.len, &matches, &err));
    assert_non_null(strstr(err.text, "pattern"));
    free(matches.items);
    pattern_run_free(run);
    pattern_release(&icu);
}

static void every_byte_has_a_character_and_back(void **state)
{
    (void)state;
    Buf out = BUF_INIT;
    for (int byte = 0; byte < 256; byte++) {
        size_t at = 0;
        buf_reset(&out);
        byte_level_put((unsigned char)byte, &out);
        assert_true(utf8_valid(buf_str(&out)));
        assert_int_equal(utf8_count(buf_str(&out)), 1);
        assert_int_equal(byte_level_byte(utf8_next(buf_str(&out), &at)), byte);
    }
    assert_int_equal(byte_level_byte(0x120), ' ');
    assert_int_equal(byte_level_byte(0x10A), '\n');
    assert_int_equal(byte_level_byte(0x144), -1);
    assert_int_equal(byte_level_byte(' '), -1);
    buf_release(&out);
}

static void normal_forms_keep_the_marks_of_what_they_change(void **state)
{
    (void)state;
    Error err = ERROR_INIT;
    Buf out = BUF_INIT, marks = BUF_INIT;
    /* x か ◌゙ y: the base is ours, the mark that it composes with is not. */
    assert_true(text_normalize(FORM_NFC, STR("x\xE3\x81\x8B\xE3\x82\x99y"), "\1\1\1\1\0\0\0\1",
                               &out, &marks, &err));
    assert_string_equal(buf_cstr(&out), "x\xE3\x81\x8Cy");
    assert_int_equal(marks.len, out.len);
    assert_memory_equal(marks.data, "\1\0\0\0\1", 5);
    buf_release(&out);
    buf_release(&marks);
}

/* ---- merging ---- */

enum { LETTERS = 3, MOST_PIECES = 40 };

/* Random pieces over a few letters; by rank, some pairs of them become merges. */
static void random_vocab(Vocab *vocab, Bpe *bpe, bool by_score)
{
    Error err = ERROR_INIT;
    *vocab = (Vocab){ 0 };
    *bpe = (Bpe){ .vocab = vocab, .by_score = by_score, .unknown = -1 };
    for (int i = 0; i < LETTERS; i++)
        assert_true(vocab_add(vocab, str_of(&"abc"[i], 1), i, PIECE_NORMAL, -100, &err));
    uint32_t rank = 0;
    for (int tries = 0; tries < 200 && vocab->n < MOST_PIECES; tries++) {
        int32_t left = (int32_t)roll((unsigned)vocab->n), right = (int32_t)roll((unsigned)vocab->n);
        Buf joined = BUF_INIT;
        buf_append_str(&joined, vocab->pieces[left]);
        buf_append_str(&joined, vocab->pieces[right]);
        if (vocab_find(vocab, buf_str(&joined)) < 0)
            assert_true(
                vocab_add(vocab, buf_str(&joined), vocab->n, PIECE_NORMAL, -(float)roll(8), &err));
        if (!by_score && roll(2))
            assert_true(bpe_add_merge_text(bpe, vocab->pieces[left], vocab->pieces[right], rank++));
        buf_release(&joined);
    }
    bpe_finish(bpe);
}

/* What two neighbours merge into, or -1; *order: smaller is better. */
static int32_t joined_by_score(const Bpe *bpe, int32_t left, int32_t right, double *order)
{
    Buf joined = BUF_INIT;
    buf_append_str(&joined, bpe->vocab->pieces[left]);
    buf_append_str(&joined, bpe->vocab->pieces[right]);
    int32_t id = vocab_find(bpe->vocab, buf_str(&joined));
    *order = id < 0 ? 0 : -(double)bpe->vocab->scores[id];
    buf_release(&joined);
    return id;
}

static int32_t joined_by_rank(const Bpe *bpe, int32_t left, int32_t right, double *order)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    for (uint32_t k = 0; k < bpe->n_slots; k++) {
        if (bpe->merges[k].pair == pair) {
            *order = bpe->merges[k].rank;
            return bpe->merges[k].id;
        }
    }
    return -1;
}

/* Merges the best pair of the list, the leftmost of equals; false when no pair merges. */
static bool merge_once(const Bpe *bpe, Tokens *ids)
{
    size_t best = 0;
    double best_order = 0;
    int32_t best_id = -1;
    for (size_t i = 0; i + 1 < ids->n; i++) {
        double order = 0;
        int32_t id = bpe->by_score ? joined_by_score(bpe, ids->ids[i], ids->ids[i + 1], &order)
                                   : joined_by_rank(bpe, ids->ids[i], ids->ids[i + 1], &order);
        if (id < 0 || (best_id >= 0 && order >= best_order))
            continue;
        best = i;
        best_id = id;
        best_order = order;
    }
    if (best_id < 0)
        return false;
    ids->ids[best] = best_id;
    memmove(ids->ids + best + 1, ids->ids + best + 2, (ids->n - best - 2) * sizeof(*ids->ids));
    ids->n--;
    return true;
}

/* The definition of byte-pair encoding. */
static void merge_plainly(const Bpe *bpe, Str text, Tokens *out)
{
    for (size_t i = 0; i < text.len; i++)
        tokens_push(out, vocab_find(bpe->vocab, str_sub(text, i, 1)));
    while (merge_once(bpe, out)) {}
}

static void compare_merging(bool by_score)
{
    char text[64];
    seed = by_score ? 7 : 8;
    for (int round = 0; round < 60; round++) {
        Vocab vocab;
        Bpe bpe;
        BpeScratch scratch = { 0 };
        random_vocab(&vocab, &bpe, by_score);
        for (int k = 0; k < 60; k++) {
            Tokens got = TOKENS_INIT, wanted = TOKENS_INIT;
            size_t n = roll(sizeof(text));
            for (size_t i = 0; i < n; i++)
                text[i] = "abc"[roll(LETTERS)];
            bpe_encode(&bpe, &scratch, str_of(text, n), &got);
            merge_plainly(&bpe, str_of(text, n), &wanted);
            if (got.n != wanted.n ||
                (got.n && memcmp(got.ids, wanted.ids, got.n * sizeof(*got.ids)) != 0))
                fail_msg("round %d: \"%.*s\" comes out otherwise", round, (int)n, text);
            tokens_release(&got);
            tokens_release(&wanted);
        }
        bpe_scratch_release(&scratch);
        bpe_release(&bpe);
        vocab_release(&vocab);
    }
}

static void merging_by_score_follows_its_definition(void **state)
{
    (void)state;
    compare_merging(true);
}

static void merging_by_rank_follows_its_definition(void **state)
{
    (void)state;
    compare_merging(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_expressions_are_matched_as_icu_matches_them),
        cmocka_unit_test(a_stretch_is_matched_as_if_it_were_the_whole_text),
        cmocka_unit_test(an_expression_that_explodes_is_stopped),
        cmocka_unit_test(every_byte_has_a_character_and_back),
        cmocka_unit_test(normal_forms_keep_the_marks_of_what_they_change),
        cmocka_unit_test(merging_by_score_follows_its_definition),
        cmocka_unit_test(merging_by_rank_follows_its_definition),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
