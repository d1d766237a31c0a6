/* The chat and its model: loading, changing, the window, the system prompt and plans. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/chat_rig.h"

static void another_tokenizer_drops_the_ids_of_a_continued_reply(void **state)
{
    Stage *s = *state;
    const Message *reply;
    Error err = ERROR_INIT;

    send_text(s, "a");
    give_text(s, "b", 5);
    give_end(s, DONE_LENGTH);
    s->puppet->key = "key-b";
    open_model(s, "other");
    assert_true(chat_continue(s->chat, &err));
    give_reply(s, "c");
    reply = conversation_last(chat_conversation(s->chat));
    last_is(s, "a:bc/complete");
    assert_int_equal(reply->ids.n, 0);
    assert_null(reply->tokenizer_key);
    send_text(s, "d");
    give_reply(s, "e");
    reply = conversation_last(chat_conversation(s->chat));
    assert_string_equal(reply->tokenizer_key, "key-b");
    assert_string_equal(reply->model, "other");
    assert_string_equal(chat_conversation(s->chat)->model, "other");
}

static void a_message_sent_while_the_model_loads_waits_for_it(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;

    s->puppet->open_waits = true;
    ask_model(s, "slow");
    assert_int_equal(chat_status(s->chat)->state, CHAT_LOADING);
    assert_null(chat_status(s->chat)->model);
    send_text(s, "early");
    assert_int_equal(chat_status(s->chat)->state, CHAT_LOADING);
    refused(chat_send(s->chat, STR("more"), &err), &err);
    pthread_mutex_lock(&s->puppet->lock);
    s->puppet->open_waits = false;
    pthread_mutex_unlock(&s->puppet->lock);
    give_reply(s, "here");
    last_is(s, "a:here/complete");
    assert_string_equal(conversation_last(chat_conversation(s->chat))->model, "slow");
}

static void stopping_a_waiting_message_does_not_stop_the_loading(void **state)
{
    Stage *s = *state;

    s->puppet->open_waits = true;
    ask_model(s, "slow");
    send_text(s, "early");
    s->changes = 0;
    chat_stop(s->chat);
    wait_for(s, CHAT_ENDED);
    assert_int_equal(chat_status(s->chat)->state, CHAT_LOADING);
    last_is(s, "u:early/complete");
    pthread_mutex_lock(&s->puppet->lock);
    s->puppet->open_waits = false;
    pthread_mutex_unlock(&s->puppet->lock);
    s->changes = 0;
    wait_for(s, CHAT_CHANGED_MODEL);
    assert_non_null(chat_status(s->chat)->model);
}

static void a_model_that_cannot_be_opened_is_an_error(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;

    s->puppet->open_waits = true;
    s->puppet->open_fails = true;
    ask_model(s, "bad");
    send_text(s, "early");
    pthread_mutex_lock(&s->puppet->lock);
    s->puppet->open_waits = false;
    pthread_mutex_unlock(&s->puppet->lock);
    s->changes = 0;
    wait_for(s, CHAT_CHANGED_ERROR | CHAT_ENDED | CHAT_CHANGED_MODEL);
    assert_string_equal(chat_error(s->chat)->text, "bad: no such model");
    assert_int_equal(chat_status(s->chat)->state, CHAT_IDLE);
    last_is(s, "u:early/complete");
    refused(chat_send(s->chat, STR("x"), &err), &err);
    assert_int_equal(chat_conversation(s->chat)->n_messages, 1);
    s->puppet->open_fails = false;
    open_model(s, "good");
    assert_true(chat_regenerate(s->chat, &err));
    give_reply(s, "late");
    last_is(s, "a:late/complete");
}

static void what_has_left_the_window_stays_out(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;

    assert_true(chat_set_system(s->chat, STR("sys"), &err));
    send_text(s, "a");
    give_reply(s, "b");
    send_text(s, "c");
    give_reply(s, "d");
    assert_int_equal(chat_status(s->chat)->window_from, 0);
    s->puppet->window_from = 3; /* s a b | c … */
    send_text(s, "e");
    give_reply(s, "f");
    assert_int_equal(chat_status(s->chat)->window_from, 2);
    s->puppet->window_from = 0;
    send_text(s, "g");
    give_reply(s, "h");
    assert_string_equal(asked(s), "s:sys|u:a|a:b|u:c<|a:d|u:e|a:f|u:g");
    assert_int_equal(chat_status(s->chat)->window_from, 2);
    assert_true(chat_undo(s->chat, 3, &err)); /* before the window began */
    assert_int_equal(chat_status(s->chat)->window_from, 0);
    send_text(s, "i");
    give_reply(s, "j");
    assert_string_equal(asked(s), "s:sys|u:a|a:b|u:i");
}

static void a_new_system_prompt_is_saved_and_used_from_the_next_turn(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;
    Conversation *stored;

    assert_true(chat_set_system(s->chat, STR("one"), &err));
    send_text(s, "a");
    give_text(s, "b", 5);
    assert_true(chat_set_system(s->chat, STR("二つ目"), &err)); /* while replying */
    give_end(s, DONE_EOS);
    stored = store_load(s->store, chat_conversation(s->chat)->id, &err);
    assert_string_equal(buf_cstr(&stored->system), "二つ目");
    assert_string_equal(stored->message[1]->system, "one");
    conversation_free(stored);
    send_text(s, "c");
    give_reply(s, "d");
    assert_string_equal(asked(s), "s:二つ目|u:a|a:b|u:c");
    assert_string_equal(conversation_last(chat_conversation(s->chat))->system, "二つ目");
}

static void plans_tell_what_a_prompt_would_cost(void **state)
{
    Stage *s = *state;

    send_text(s, "a");
    give_text(s, "b", 5);
    s->changes = 0;
    chat_plan(s->chat, "another", STR("draft")); /* while replying */
    chat_plan(s->chat, "newer", STR("draft"));
    assert_false(chat_status(s->chat)->plan_valid);
    cue(s, (Cue){ .kind = CUE_TEXT, .text = "c", .id = 6 });
    wait_for(s, CHAT_CHANGED_PLAN | CHAT_CHANGED_TEXT);
    assert_true(chat_status(s->chat)->plan_valid);
    assert_int_equal(chat_status(s->chat)->plan.computed, 10);
    assert_true(chat_status(s->chat)->plan_ms == 12.5);
    give_end(s, DONE_EOS);
    s->changes = 0;
    chat_plan(s->chat, NULL, STR(""));
    wait_for(s, CHAT_CHANGED_PLAN);
    assert_string_equal(asked(s), "u:a|a:bc");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_tokenizer_drops_the_ids_of_a_continued_reply),
        TEST(a_message_sent_while_the_model_loads_waits_for_it),
        TEST(stopping_a_waiting_message_does_not_stop_the_loading),
        TEST(a_model_that_cannot_be_opened_is_an_error),
        TEST(what_has_left_the_window_stays_out),
        TEST(a_new_system_prompt_is_saved_and_used_from_the_next_turn),
        TEST(plans_tell_what_a_prompt_would_cost),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
