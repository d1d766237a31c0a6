/* Versions of a message, undoing, leaving out and forking. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/chat_rig.h"

static void regenerating_makes_a_version(void **state)
{
    Stage *s = *state;
    const Conversation *c = chat_conversation(s->chat);
    Error err = ERROR_INIT;
    int64_t leaf;

    send_text(s, "a");
    give_reply(s, "b");
    assert_true(chat_regenerate(s->chat, &err));
    give_reply(s, "c");
    assert_string_equal(asked(s), "u:a");
    last_is(s, "a:c/complete");
    leaf = c->leaf;
    assert_false(chat_switch(s->chat, leaf, 1, &err));
    assert_int_equal(err.kind, ERR_NONE); /* no further version is no error */
    assert_true(chat_switch(s->chat, leaf, -1, &err));
    last_is(s, "a:b/complete");
    stored_last_is(s, "b", MESSAGE_COMPLETE);
    send_text(s, "d");
    give_reply(s, "e");
    assert_string_equal(asked(s), "u:a|a:b|u:d");
    assert_true(chat_switch(s->chat, leaf, 0, &err));
    last_is(s, "a:c/complete");
    assert_false(chat_switch(s->chat, 999, 1, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void editing_makes_a_version_with_a_fresh_reply(void **state)
{
    Stage *s = *state;
    const Conversation *c = chat_conversation(s->chat);
    Error err = ERROR_INIT;

    send_text(s, "first");
    give_reply(s, "b");
    send_text(s, "second");
    give_reply(s, "d");
    assert_true(chat_edit(s->chat, c->message[2]->id, STR("other"), &err));
    give_reply(s, "e");
    assert_string_equal(asked(s), "u:first|a:b|u:other");
    assert_true(chat_edit(s->chat, c->message[0]->id, STR("begin anew"), &err));
    give_reply(s, "f");
    assert_string_equal(asked(s), "u:begin anew");
    assert_string_equal(c->title, "begin anew");
    assert_int_equal(conversation_path(c, NULL, 0), 2);
    assert_true(chat_switch(s->chat, c->leaf, 0, &err));
    assert_true(chat_switch(s->chat, conversation_find(c, c->leaf)->parent_id, -1, &err));
    last_is(s, "a:e/complete");
    assert_int_equal(c->n_messages, 8);
}

static void undo_steps_back_and_redo_forth(void **state)
{
    Stage *s = *state;
    const Conversation *c = chat_conversation(s->chat);
    Error err = ERROR_INIT;

    send_text(s, "a");
    give_reply(s, "b");
    send_text(s, "c");
    give_reply(s, "d");
    assert_true(chat_undo(s->chat, 1, &err));
    last_is(s, "a:b/complete");
    stored_last_is(s, "b", MESSAGE_COMPLETE);
    assert_true(chat_undo(s->chat, 5, &err));
    assert_int_equal(c->leaf, 0);
    assert_int_equal(c->n_messages, 4);
    assert_true(chat_redo(s->chat, &err));
    last_is(s, "a:d/complete");
    assert_true(chat_undo(s->chat, 1, &err));
    send_text(s, "e");
    give_reply(s, "f");
    assert_string_equal(asked(s), "u:a|a:b|u:e");
}

static void excluded_messages_are_not_sent(void **state)
{
    Stage *s = *state;
    const Conversation *c = chat_conversation(s->chat);
    Error err = ERROR_INIT;

    send_text(s, "a");
    give_reply(s, "b");
    assert_true(chat_exclude(s->chat, c->message[0]->id, true, &err));
    assert_true(chat_exclude(s->chat, c->message[1]->id, true, &err));
    send_text(s, "c");
    give_reply(s, "d");
    assert_string_equal(asked(s), "u:c");
    assert_true(chat_exclude(s->chat, c->message[1]->id, false, &err));
    send_text(s, "e");
    give_reply(s, "f");
    assert_string_equal(asked(s), "a:b|u:c|a:d|u:e");
    assert_false(chat_exclude(s->chat, 999, true, &err));
}

static void a_fork_goes_on_by_itself(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;
    int64_t original, reply;

    send_text(s, "a");
    give_reply(s, "b");
    send_text(s, "c");
    give_text(s, "d", 6);
    original = chat_conversation(s->chat)->id;
    reply = chat_conversation(s->chat)->message[1]->id;
    assert_true(chat_fork(s->chat, reply, &err)); /* stops the reply first */
    assert_int_not_equal(chat_conversation(s->chat)->id, original);
    last_is(s, "a:b/complete");
    send_text(s, "x");
    give_reply(s, "y");
    assert_string_equal(asked(s), "u:a|a:b|u:x");
    assert_true(chat_open_conversation(s->chat, original, &err));
    last_is(s, "a:d/stopped");
    assert_int_equal(chat_conversation(s->chat)->n_messages, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(regenerating_makes_a_version),
        TEST(editing_makes_a_version_with_a_fresh_reply),
        TEST(undo_steps_back_and_redo_forth),
        TEST(excluded_messages_are_not_sent),
        TEST(a_fork_goes_on_by_itself),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
