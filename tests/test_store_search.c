/* The search of the store: what is found, what is shown of it, and how fast. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/base/attributes.h"
#include "src/base/clock.h"
#include "tests/store_rig.h"

/* ---- search ---- */

typedef struct {
    const char *query;
    size_t hits;
} SearchCase;

static const char *const search_texts[] = {
    "東京都の天気を教えて。ラーメンも食べたい",
    "か゛っこうへ行く葛\xF3\xA0\x84\x80城市",
    "Hello, World! C++ and x86-64 \"OR\" NEAR(a, b)*",
    "ｶﾞｷﾞｸﾞ\n改行の　あと",
    "a b",
    "😀 emoji 👨‍👩‍👧",
    "100% _under_ -dash ^caret {col}: text:x",
};

static const SearchCase search_cases[] = {
    { "東京", 1 },       { "京都", 1 },
    { "東京都", 1 },     { "都", 1 },
    { "い", 1 },         { "東都", 0 },
    { "らーめん", 1 },   { "ﾗｰﾒﾝ", 1 },
    { "ラーメン", 1 },   { "がっこう", 1 },
    { "葛城市", 1 },     { "ガギグ", 1 },
    { "がぎぐ", 1 },     { "hello", 1 },
    { "ＨＥＬＬＯ", 1 }, { "hello,", 1 },
    { "c++", 1 },        { "x86-64", 1 },
    { "\"or\"", 1 },     { "near(a", 1 },
    { "b)*", 1 },        { "*", 1 },
    { "\"", 1 },         { "'", 0 },
    { "a b", 2 },        { "ab", 0 },
    { "😀", 1 },          { "👨‍👩‍👧", 1 },
    { "100%", 1 },       { "%", 1 },
    { "_", 1 },          { "__", 0 },
    { "-dash", 1 },      { "^caret", 1 },
    { "{col}:", 1 },     { "text:x", 1 },
    { "NOT hello", 0 },  { "東京 ラーメン", 1 },
    { "東京　天気", 1 }, { "東京 改行", 0 },
    { "行のあと", 0 },   { "", 0 },
    { " 　\n", 0 },
};

static void search_finds_words_of_any_length_and_obeys_no_operator(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(search_texts); i++)
        say(store, c, ROLE_USER, search_texts[i]);
    for (size_t i = 0; i < ARRAY_LEN(search_cases); i++) {
        size_t n = hits_of(store, search_cases[i].query);

        if (n != search_cases[i].hits)
            fail_msg("%s: %zu hits", search_cases[i].query, n);
    }
    conversation_free(c);
    store_close(store);
}

static void snippet_is(Store *store, const char *query, const char *hit, const char *start_of)
{
    StoreHits hits;
    Error err = ERROR_INIT;

    assert_true(store_search(store, str_from(query), 1, &hits, &err));
    assert_int_equal(hits.n, 1);
    assert_int_equal(hits.hit[0].hit_len, strlen(hit));
    assert_memory_equal(hits.hit[0].snippet + hits.hit[0].hit, hit, strlen(hit));
    assert_null(strpbrk(hits.hit[0].snippet, "\n\r\t\033"));
    if (strncmp(hits.hit[0].snippet, start_of, strlen(start_of)) != 0)
        fail_msg("%s", hits.hit[0].snippet);
    store_hits_release(&hits);
}

static void snippets_point_at_the_hit_in_the_text_as_written(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    Buf text = BUF_INIT;

    (void)state;
    say(store, c, ROLE_USER, "一行目\n\033[31mか゛っこう\tｶﾞｷﾞｸﾞのＷｏｒｌｄ");
    snippet_is(store, "がっ", "か゛っ", "一行目  [31mか゛");
    snippet_is(store, "ぎぐ", "ｷﾞｸﾞ", "…目  [31mか゛");
    snippet_is(store, "world", "Ｗｏｒｌｄ", "");
    for (int i = 0; i < 200; i++)
        buf_puts(&text, "長い文章");
    buf_puts(&text, "目印");
    for (int i = 0; i < 200; i++)
        buf_puts(&text, "が続く");
    say(store, c, ROLE_USER, buf_cstr(&text));
    snippet_is(store, "目印が", "目印が", "…長い文章");
    buf_release(&text);
    conversation_free(c);
    store_close(store);
}

static void long_queries_are_searched_whole(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    Buf text = BUF_INIT;

    (void)state;
    for (int i = 0; i < 300; i++)
        buf_printf(&text, "語%d", i);
    say(store, c, ROLE_USER, buf_cstr(&text));
    assert_int_equal(hits_of(store, buf_cstr(&text)), 1);
    buf_putc(&text, 'x');
    assert_int_equal(hits_of(store, buf_cstr(&text)), 0);
    buf_reset(&text);
    for (int i = 0; i < 299; i++)
        buf_printf(&text, "語%d ", i);
    assert_int_equal(hits_of(store, buf_cstr(&text)), 1);
    buf_puts(&text, "無い");
    assert_int_equal(hits_of(store, buf_cstr(&text)), 0);
    buf_release(&text);
    conversation_free(c);
    store_close(store);
}

static void search_follows_changes_of_a_message(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    Message *m;
    Error err = ERROR_INIT;

    (void)state;
    say(store, c, ROLE_USER, "質問");
    m = say(store, c, ROLE_ASSISTANT, "前半");
    m->status = MESSAGE_STOPPED;
    assert_true(store_save_message(store, c, m, &err));
    assert_int_equal(hits_of(store, "前半"), 1);
    m->status = MESSAGE_STREAMING; /* it goes on */
    buf_puts(&m->text, "後半");
    assert_true(store_save_message(store, c, m, &err));
    assert_int_equal(hits_of(store, "前半"), 0);
    m->status = MESSAGE_COMPLETE;
    assert_true(store_save_message(store, c, m, &err));
    assert_int_equal(hits_of(store, "前半後半"), 1);
    assert_true(store_save_message(store, c, m, &err));
    assert_int_equal(hits_of(store, "前半"), 1);
    store_close(store);
    run_sql("INSERT INTO search (search) VALUES ('integrity-check')");
    store = must_open();
    assert_int_equal(hits_of(store, "後半"), 1);
    conversation_free(c);
    store_close(store);
}

static void hits_come_newest_first_and_limited(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "題名");
    StoreHits hits;
    Error err = ERROR_INIT;

    (void)state;
    for (int i = 0; i < 10; i++)
        say(store, c, i % 2 ? ROLE_ASSISTANT : ROLE_USER, "同じ言葉");
    assert_true(store_search(store, STR("言葉"), 3, &hits, &err));
    assert_int_equal(hits.n, 3);
    assert_int_equal(hits.hit[0].message_id, c->leaf);
    assert_true(hits.hit[0].message_id > hits.hit[1].message_id);
    assert_int_equal(hits.hit[0].role, ROLE_ASSISTANT);
    assert_string_equal(hits.hit[0].title, "題名");
    assert_string_equal(hits.hit[0].uid, c->uid);
    assert_int_equal(hits.hit[0].conversation_id, c->id);
    store_hits_release(&hits);
    conversation_free(c);
    store_close(store);
}

/* ---- speed ---- */

static double best_ms(Store *store, const char *query, size_t limit, size_t *n)
{
    double best = 1e9;

    for (int i = 0; i < 7; i++) {
        StoreHits hits;
        Error err = ERROR_INIT;
        int64_t start_us, us;

        clock_set_virtual(NULL);
        start_us = clock_mono_us();
        assert_true(store_search(store, str_from(query), limit, &hits, &err));
        us = clock_mono_us() - start_us;
        clock_set_virtual(&now_us);
        *n = hits.n;
        store_hits_release(&hits);
        if ((double)us / 1000 < best)
            best = (double)us / 1000;
    }
    return best;
}

/* Sentences of common and rare words in an order that repeats late. */
static void make_text(unsigned i, Buf *out)
{
    static const char *const words[] = { "東京", "の",   "天気", "は",   "晴れ", "です", "明日",
                                         "雨",   "料理", "本",   "読む", "私",   "日本", "model" };
    unsigned seed = i * 2654435761u;

    buf_reset(out);
    for (int k = 0; k < 40; k++) {
        seed = seed * 1664525u + 1013904223u;
        buf_puts(out, words[(seed >> 16) % ARRAY_LEN(words)]);
        if (k % 9 == 8)
            buf_puts(out, "。");
    }
    if (i % 5000 == 4999)
        buf_puts(out, "珍しい単語");
}

static void searching_many_messages_does_not_read_them_all(void **state)
{
    static const struct {
        const char *query;
        size_t limit;
    } queries[] = { { "珍しい単語", 10 }, { "珍し", 10 }, { "珍", 10 },          { "東京", 10 },
                    { "の", 10 },         { "m", 10 },    { "東京 珍しい", 10 }, { "無い語", 10 } };
    const char *size = getenv("KAIWA_TEST_ROWS");
    unsigned n_rows = size ? (unsigned)strtoul(size, NULL, 10) : 20000;
    Store *store = must_open();
    Conversation *c = conversation_new();
    Buf text = BUF_INIT;
    Error err = ERROR_INIT;

    (void)state;
    for (unsigned i = 0; i < n_rows; i++) {
        Message *m = message_new(i % 2 ? ROLE_ASSISTANT : ROLE_USER);

        make_text(i, &text);
        buf_append_str(&m->text, buf_str(&text));
        m->id = (int64_t)i + 1;
        m->parent_id = i;
        conversation_add(c, m);
        c->leaf = m->id;
    }
    assert_true(store_save_all(store, c, &err));
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        size_t n;
        double ms = best_ms(store, queries[i].query, queries[i].limit, &n);

        printf("# %u messages, %s: %zu hits, %.3f ms\n", n_rows, queries[i].query, n, ms);
        assert_int_equal(n > 0, strcmp(queries[i].query, "無い語") != 0);
        /* Fifty times what it takes; a scan of the texts would be far beyond that. */
        assert_true(ms < 50);
    }
    buf_release(&text);
    conversation_free(c);
    store_close(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(search_finds_words_of_any_length_and_obeys_no_operator),
        TEST(snippets_point_at_the_hit_in_the_text_as_written),
        TEST(long_queries_are_searched_whole),
        TEST(search_follows_changes_of_a_message),
        TEST(hits_come_newest_first_and_limited),
        TEST(searching_many_messages_does_not_read_them_all),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_store_folder, remove_store_folder);
}
