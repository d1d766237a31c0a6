/* The tree of messages: paths, versions, copies, titles. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/base/mem.h"
#include "src/base/text.h"
#include "src/conversation.h"

static Message *add(Conversation *c, int64_t id, int64_t parent, Role role, const char *text)
{
    Message *m = message_new(role);

    m->id = id;
    m->parent_id = parent;
    buf_puts(&m->text, text);
    conversation_add(c, m);
    return m;
}

/* 1 user, 2 and 3 replies to it, 4 user after 2, 5 reply; 6 another first message, 7 its reply. */
static Conversation *tree(void)
{
    Conversation *c = conversation_new();

    add(c, 1, 0, ROLE_USER, "first");
    add(c, 5, 4, ROLE_ASSISTANT, "e");
    add(c, 3, 1, ROLE_ASSISTANT, "c");
    add(c, 2, 1, ROLE_ASSISTANT, "b");
    add(c, 4, 2, ROLE_USER, "d");
    add(c, 7, 6, ROLE_ASSISTANT, "g");
    add(c, 6, 0, ROLE_USER, "f");
    c->leaf = 5;
    return c;
}

static void path_is(const Conversation *c, const int64_t *ids, size_t n)
{
    Message *path[16];

    assert_int_equal(conversation_path(c, NULL, 0), n);
    assert_int_equal(conversation_path(c, path, 16), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(path[i]->id, ids[i]);
}

static void messages_stay_in_order_of_id_and_are_found(void **state)
{
    Conversation *c = tree();

    (void)state;
    for (size_t i = 0; i < c->n_messages; i++)
        assert_int_equal(c->message[i]->id, (int64_t)i + 1);
    assert_string_equal(buf_cstr(&conversation_find(c, 4)->text), "d");
    assert_null(conversation_find(c, 8));
    assert_null(conversation_find(c, 0));
    assert_null(conversation_find(c, -1));
    conversation_free(c);
}

static void a_path_runs_from_the_first_message_to_the_leaf(void **state)
{
    Conversation *c = tree();
    Message *two[2];

    (void)state;
    path_is(c, (int64_t[]){ 1, 2, 4, 5 }, 4);
    assert_int_equal(conversation_path(c, two, 2), 4); /* cut, not overrun */
    assert_int_equal(two[1]->id, 2);
    assert_int_equal(conversation_last(c)->id, 5);
    c->leaf = 0;
    path_is(c, NULL, 0);
    assert_null(conversation_last(c));
    conversation_free(c);
}

static void a_circle_of_parents_ends(void **state)
{
    Conversation *c = conversation_new();

    (void)state;
    add(c, 1, 2, ROLE_USER, "a")->selected_child = 2;
    add(c, 2, 1, ROLE_ASSISTANT, "b")->selected_child = 1;
    c->leaf = 2;
    assert_int_equal(conversation_path(c, NULL, 0), 2);
    conversation_show(c, conversation_find(c, 1));
    assert_true(c->leaf == 1 || c->leaf == 2);
    conversation_free(c);
}

static void siblings_share_parent_and_role(void **state)
{
    Conversation *c = tree();
    Message *out[4];
    size_t index;

    (void)state;
    assert_int_equal(conversation_siblings(c, conversation_find(c, 3), out, 4, &index), 2);
    assert_int_equal(index, 1);
    assert_int_equal(out[0]->id, 2);
    assert_int_equal(conversation_siblings(c, conversation_find(c, 6), out, 4, &index), 2);
    assert_int_equal(index, 1);
    assert_int_equal(out[0]->id, 1);
    assert_int_equal(conversation_siblings(c, conversation_find(c, 4), NULL, 0, &index), 1);
    assert_int_equal(index, 0);
    conversation_free(c);
}

static void switching_follows_what_was_shown_last(void **state)
{
    Conversation *c = tree();

    (void)state;
    assert_true(conversation_switch(c, conversation_find(c, 2), 1));
    path_is(c, (int64_t[]){ 1, 3 }, 2);
    assert_int_equal(conversation_find(c, 1)->selected_child, 3);
    assert_false(conversation_switch(c, conversation_find(c, 3), 1));
    path_is(c, (int64_t[]){ 1, 3 }, 2);
    assert_true(conversation_switch(c, conversation_find(c, 3), -1));
    path_is(c, (int64_t[]){ 1, 2, 4, 5 }, 4);
    /* Another first message, and back: there the second reply was shown last. */
    assert_true(conversation_switch(c, conversation_find(c, 2), 1));
    assert_true(conversation_switch(c, conversation_find(c, 1), 1));
    path_is(c, (int64_t[]){ 6, 7 }, 2);
    assert_true(conversation_switch(c, conversation_find(c, 6), -1));
    path_is(c, (int64_t[]){ 1, 3 }, 2);
    assert_false(conversation_switch(c, conversation_find(c, 1), -1));
    assert_false(conversation_switch(c, conversation_find(c, 1), INT32_MIN));
    conversation_free(c);
}

static void step_zero_shows_what_came_after_a_message(void **state)
{
    Conversation *c = tree();

    (void)state;
    c->leaf = 1;
    conversation_find(c, 1)->selected_child = 2;
    assert_true(conversation_switch(c, conversation_find(c, 1), 0));
    path_is(c, (int64_t[]){ 1, 2, 4, 5 }, 4);
    conversation_free(c);
}

static void a_copy_holds_the_path_alone(void **state)
{
    Conversation *c = tree(), *copy;
    Message *reply = conversation_find(c, 2);

    (void)state;
    c->title = xstrdup("話");
    c->id = 9;
    c->pinned = true;
    buf_puts(&c->system, "short");
    buf_puts(&c->draft, "not copied");
    reply->status = MESSAGE_STREAMING;
    reply->tokenizer_key = xstrdup("key");
    tokens_append(&reply->ids, (int32_t[]){ 7, 8, 2 }, 3);
    copy = conversation_fork(c, 4);
    assert_int_equal(copy->id, 0);
    assert_int_equal(copy->n_messages, 3);
    path_is(copy, (int64_t[]){ 1, 2, 3 }, 3);
    assert_string_equal(copy->title, "話");
    assert_string_equal(buf_cstr(&copy->system), "short");
    assert_int_equal(copy->draft.len, 0);
    assert_false(copy->pinned);
    assert_int_equal(copy->message[1]->status, MESSAGE_STOPPED);
    assert_int_equal(copy->message[1]->ids.n, 3);
    assert_int_equal(copy->message[1]->ids.ids[1], 8);
    assert_string_equal(copy->message[1]->tokenizer_key, "key");
    assert_int_equal(copy->message[0]->selected_child, 2);
    assert_int_equal(copy->message[2]->selected_child, 0);
    conversation_free(c);
    assert_string_equal(buf_cstr(&copy->message[2]->text), "d"); /* nothing is shared */
    conversation_free(copy);
}

static void statuses_have_names_that_read_back(void **state)
{
    (void)state;
    for (int i = MESSAGE_COMPLETE; i <= MESSAGE_FAILED; i++) {
        MessageStatus back = MESSAGE_COMPLETE;

        assert_true(message_status_parse(str_from(message_status_name((MessageStatus)i)), &back));
        assert_int_equal(back, i);
    }
    assert_false(message_status_parse(STR("Complete"), &(MessageStatus){ 0 }));
}

static void title_is(const char *text, int cols, const char *expected)
{
    Conversation *c = conversation_new();
    Buf title = BUF_INIT;

    add(c, 1, 0, ROLE_USER, text);
    c->leaf = 1;
    conversation_make_title(c, cols, &title);
    assert_string_equal(buf_cstr(&title), expected);
    assert_true(text_cols(buf_str(&title)) <= cols);
    buf_release(&title);
    conversation_free(c);
}

static void a_title_is_the_first_words_of_the_first_message(void **state)
{
    (void)state;
    title_is("Hello there", 20, "Hello there");
    title_is("\n \n  Hello\tthere \nmore", 20, "Hello there");
    title_is("東京の天気を教えてください", 10, "東京の天…");
    title_is("abcdefghij", 5, "abcd…");
    title_is("a\033[31mb", 20, "a [31mb");
    title_is("　全角　空白　", 20, "全角 空白");
    title_is("", 20, "");
    title_is("   \n\t", 20, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_stay_in_order_of_id_and_are_found),
        cmocka_unit_test(a_path_runs_from_the_first_message_to_the_leaf),
        cmocka_unit_test(a_circle_of_parents_ends),
        cmocka_unit_test(siblings_share_parent_and_role),
        cmocka_unit_test(switching_follows_what_was_shown_last),
        cmocka_unit_test(step_zero_shows_what_came_after_a_message),
        cmocka_unit_test(a_copy_holds_the_path_alone),
        cmocka_unit_test(statuses_have_names_that_read_back),
        cmocka_unit_test(a_title_is_the_first_words_of_the_first_message),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
