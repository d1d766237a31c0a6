/* What the chat stores by itself: titles, drafts, nothing at all, and what another kaiwa writes. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/chat_rig.h"

/* ---- keeping ---- */

static void titles_of_a_person_stay(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;

    assert_true(chat_rename(s->chat, STR(" 私の題 "), &err));
    send_text(s, "a");
    give_reply(s, "b");
    assert_string_equal(chat_conversation(s->chat)->title, "私の題");
    assert_int_equal(chat_conversation(s->chat)->title_by, TITLE_USER);
}

static void drafts_are_kept_until_sent(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;
    int64_t id;

    assert_true(chat_set_draft(s->chat, STR("never sent"), &err));
    chat_new_conversation(s->chat);
    id = store_newest(s->store);
    assert_true(id > 0);
    assert_true(chat_open_conversation(s->chat, id, &err));
    assert_string_equal(buf_cstr(&chat_conversation(s->chat)->draft), "never sent");
    send_text(s, "sent");
    give_reply(s, "b");
    assert_int_equal(chat_conversation(s->chat)->draft.len, 0);
    assert_true(chat_set_draft(s->chat, STR("more"), &err));
    chat_new_conversation(s->chat);
    assert_true(chat_open_conversation(s->chat, id, &err));
    assert_string_equal(buf_cstr(&chat_conversation(s->chat)->draft), "more");
}

static void empty_conversations_are_not_stored(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;

    assert_true(chat_set_draft(s->chat, STR(" \n"), &err));
    chat_new_conversation(s->chat);
    chat_new_conversation(s->chat);
    chat_save_now(s->chat);
    assert_int_equal(store_newest(s->store), 0);
}

static void a_private_chat_works_the_same_and_stores_nothing(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;

    send_text(s, "a");
    give_reply(s, "b");
    assert_true(chat_regenerate(s->chat, &err));
    give_reply(s, "c");
    assert_true(chat_fork(s->chat, 0, &err));
    send_text(s, "d");
    give_reply(s, "e");
    assert_string_equal(asked(s), "u:a|a:c|u:d");
    assert_true(chat_undo(s->chat, 1, &err));
    last_is(s, "a:c/complete");
    refused(chat_open_conversation(s->chat, 1, &err), &err);
    assert_int_not_equal(access(s->path, F_OK), 0);
}

/* ---- two kaiwas ---- */

static void a_reply_of_another_kaiwa_is_watched_and_left_alone(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;
    Store *other = store_open(s->path, &err);
    Conversation *theirs;
    Message *reply = message_new(ROLE_ASSISTANT);

    send_text(s, "a");
    give_reply(s, "b");
    theirs = store_load(other, chat_conversation(s->chat)->id, &err);
    reply->parent_id = theirs->leaf;
    reply->status = MESSAGE_STREAMING;
    buf_puts(&reply->text, "theirs");
    assert_true(store_save_message(other, theirs, reply, &err));
    assert_true(chat_tick(s->chat) & CHAT_CHANGED_PATH);
    last_is(s, "a:theirs/streaming");
    assert_true(chat_deadline_ms(s->chat) > 0); /* looks again */
    refused(chat_send(s->chat, STR("x"), &err), &err);
    refused(chat_exclude(s->chat, reply->id, true, &err), &err);
    chat_save_now(s->chat);
    stored_last_is(s, "theirs", MESSAGE_STREAMING);
    buf_puts(&reply->text, " done");
    reply->status = MESSAGE_COMPLETE;
    assert_true(store_save_message(other, theirs, reply, &err));
    assert_true(chat_tick(s->chat) & CHAT_CHANGED_TEXT);
    last_is(s, "a:theirs done/complete");
    assert_int_equal(chat_deadline_ms(s->chat), -1);
    buf_puts(&theirs->system, "set there");
    theirs->leaf = reply->id;
    assert_true(store_save_conversation(other, theirs, &err));
    send_text(s, "x"); /* does not overwrite what was set there */
    give_reply(s, "y");
    assert_string_equal(asked(s), "s:set there|u:a|a:b|a:theirs done|u:x");
    message_free(reply);
    conversation_free(theirs);
    store_close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(titles_of_a_person_stay),
        TEST(drafts_are_kept_until_sent),
        TEST(empty_conversations_are_not_stored),
        cmocka_unit_test_setup_teardown(a_private_chat_works_the_same_and_stores_nothing,
                                        set_up_private, tear_down),
        TEST(a_reply_of_another_kaiwa_is_watched_and_left_alone),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
