/* The chat: what is asked, what is kept, and what happens when things end early. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "src/base/attributes.h"
#include "tests/chat_rig.h"

/* ---- turns ---- */

static void a_turn_is_asked_streamed_and_stored(void **state)
{
    Stage *s = *state;
    const Conversation *c = chat_conversation(s->chat);
    const Message *reply;
    Error err = ERROR_INIT;

    assert_true(chat_set_system(s->chat, STR("sys"), &err));
    assert_int_equal(c->id, 0); /* nothing said yet: nothing stored */
    send_text(s, "こんにちは、元気？");
    assert_int_equal(chat_status(s->chat)->state, CHAT_READING);
    last_is(s, "u:こんにちは、元気？/complete");
    stored_last_is(s, "こんにちは、元気？", MESSAGE_COMPLETE);
    give_text(s, "元気", 5);
    assert_int_equal(chat_status(s->chat)->state, CHAT_REPLYING);
    assert_true(s->changes & CHAT_CHANGED_PATH);
    assert_string_equal(asked(s), "s:sys|u:こんにちは、元気？");
    last_is(s, "a:元気/streaming");
    stored_last_is(s, "元気", MESSAGE_STREAMING); /* at the first token */
    give_text(s, "です", 6);
    stored_last_is(s, "元気", MESSAGE_STREAMING); /* not at each */
    give_end(s, DONE_EOS);
    last_is(s, "a:元気です/complete");
    stored_last_is(s, "元気です", MESSAGE_COMPLETE);
    assert_int_equal(chat_status(s->chat)->state, CHAT_IDLE);
    assert_string_equal(c->title, "こんにちは、元気？");
    assert_int_equal(c->title_by, TITLE_FIRST_WORDS);
    assert_string_equal(c->model, "tiny");
    reply = conversation_last(c);
    assert_int_equal(reply->ids.n, 3);
    assert_int_equal(reply->ids.ids[2], 2);
    assert_int_equal(reply->end_id, 2);
    assert_string_equal(reply->tokenizer_key, "key-a");
    assert_string_equal(reply->system, "sys");
    assert_string_equal(reply->model, "tiny");
    assert_int_equal(reply->n_reused, 4);
    assert_int_equal(reply->n_computed, 6);
    assert_int_equal(reply->first_ms, 20);
    assert_int_equal(reply->total_ms, 120);
    assert_int_equal(chat_status(s->chat)->context_used, 12);
    assert_int_equal(chat_status(s->chat)->context_size, 100);
    assert_true(chat_status(s->chat)->tokens_per_second == 10.0);
    assert_int_equal(chat_prompt_ids(s->chat)->n, 3);
}

static void the_next_turn_carries_the_ids_of_the_last(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;

    send_text(s, "a");
    give_reply(s, "b");
    assert_true(chat_set_max_tokens(s->chat, 9, &err));
    send_text(s, "c");
    give_text(s, "d", 8);
    assert_string_equal(asked(s), "u:a|a:b|u:c max 9");
    give_end(s, DONE_LENGTH);
    last_is(s, "a:d/length");
    s->changes = 0;
    assert_true(chat_continue(s->chat, &err));
    give_text(s, "e", 9);
    assert_int_equal(s->puppet->n_ids, 1);
    give_end(s, DONE_EOS);
    last_is(s, "a:de/complete");
}

static void ends_have_their_statuses(void **state)
{
    static const struct {
        DoneReason reason;
        const char *last;
    } cases[] = { { DONE_EOS, "a:x/complete" },
                  { DONE_STOP, "a:x/complete" },
                  { DONE_LENGTH, "a:x/length" },
                  { DONE_CONTEXT, "a:x/context" },
                  { DONE_CANCELLED, "a:x/stopped" } };
    Stage *s = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        send_text(s, "q");
        give_text(s, "x", 3);
        give_end(s, cases[i].reason);
        last_is(s, cases[i].last);
        assert_int_equal(chat_status(s->chat)->reason, cases[i].reason);
    }
}

static void every_reply_has_a_seed_of_its_own(void **state)
{
    Stage *s = *state;
    Sampling sampling = chat_conversation(s->chat)->sampling;
    uint64_t first;
    Error err = ERROR_INIT;

    send_text(s, "a");
    give_reply(s, "b");
    first = conversation_last(chat_conversation(s->chat))->sampling.seed;
    assert_true(first != 0 && first <= UINT32_MAX);
    assert_true(s->puppet->sampling.seed == first);
    assert_true(chat_regenerate(s->chat, &err));
    give_reply(s, "c");
    assert_true(conversation_last(chat_conversation(s->chat))->sampling.seed != first);
    sampling.seed = 42;
    sampling.temperature = 0.25;
    assert_true(chat_set_sampling(s->chat, &sampling, &err));
    send_text(s, "d");
    give_reply(s, "e");
    assert_true(s->puppet->sampling.seed == 42 && s->puppet->sampling.temperature == 0.25);
    assert_true(conversation_last(chat_conversation(s->chat))->sampling.seed == 42);
    assert_true(chat_conversation(s->chat)->sampling.seed == 42);
}

static void thinking_is_kept_apart(void **state)
{
    Stage *s = *state;

    send_text(s, "a");
    s->changes = 0;
    cue(s, (Cue){ .kind = CUE_THINKING, .text = "hm", .id = 4 });
    wait_for(s, CHAT_CHANGED_TEXT);
    give_reply(s, "b");
    last_is(s, "a:b/complete");
    assert_string_equal(buf_cstr(&conversation_last(chat_conversation(s->chat))->thinking), "hm");
}

static void ids_whose_text_is_held_back_are_not_lost(void **state)
{
    Stage *s = *state;
    const Message *reply;

    send_text(s, "a");
    cue(s, (Cue){ .kind = CUE_HELD, .id = 100 });
    cue(s, (Cue){ .kind = CUE_HELD, .id = 101 });
    give_reply(s, "日");
    reply = conversation_last(chat_conversation(s->chat));
    assert_int_equal(reply->ids.n, 4);
    assert_int_equal(reply->ids.ids[0], 100);
    assert_int_equal(reply->ids.ids[3], 2);
}

static void an_empty_reply_is_a_reply(void **state)
{
    Stage *s = *state;

    send_text(s, "a");
    give_end(s, DONE_EOS);
    last_is(s, "a:/complete");
    assert_int_equal(conversation_last(chat_conversation(s->chat))->ids.n, 1);
}

static void what_cannot_be_done_now_is_refused(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;
    int64_t id;

    refused(chat_regenerate(s->chat, &err), &err);
    refused(chat_continue(s->chat, &err), &err);
    refused(chat_undo(s->chat, 1, &err), &err);
    refused(chat_redo(s->chat, &err), &err);
    refused(chat_fork(s->chat, 0, &err), &err);
    refused(chat_send(s->chat, STR(" \n\t"), &err), &err);
    refused(chat_set_max_tokens(s->chat, -1, &err), &err);
    refused(chat_rename(s->chat, STR("  "), &err), &err);
    assert_int_equal(chat_conversation(s->chat)->n_messages, 0);
    send_text(s, "a");
    give_text(s, "b", 5);
    id = chat_conversation(s->chat)->message[0]->id;
    refused(chat_send(s->chat, STR("x"), &err), &err);
    refused(chat_regenerate(s->chat, &err), &err);
    refused(chat_continue(s->chat, &err), &err);
    refused(chat_edit(s->chat, id, STR("x"), &err), &err);
    refused(chat_undo(s->chat, 1, &err), &err);
    refused(chat_switch(s->chat, id, 1, &err), &err);
    refused(chat_exclude(s->chat, chat_conversation(s->chat)->leaf, true, &err), &err);
    give_end(s, DONE_EOS);
    refused(chat_continue(s->chat, &err), &err); /* complete */
    refused(chat_edit(s->chat, chat_conversation(s->chat)->leaf, STR("x"), &err), &err);
    assert_int_equal(chat_conversation(s->chat)->n_messages, 2);
}

/* ---- stopping and failing ---- */

static void stopping_keeps_what_came(void **state)
{
    Stage *s = *state;

    send_text(s, "a");
    give_text(s, "half", 5);
    s->changes = 0;
    chat_stop(s->chat);
    wait_for(s, CHAT_ENDED);
    last_is(s, "a:half/stopped");
    stored_last_is(s, "half", MESSAGE_STOPPED);
    assert_int_equal(chat_error(s->chat)->kind, ERR_NONE);
}

static void stopping_before_the_first_text_leaves_the_question(void **state)
{
    Stage *s = *state;

    send_text(s, "a");
    s->changes = 0;
    chat_stop(s->chat);
    wait_for(s, CHAT_ENDED);
    last_is(s, "u:a/complete");
    assert_int_equal(chat_conversation(s->chat)->n_messages, 1);
    assert_int_equal(chat_status(s->chat)->state, CHAT_IDLE);
}

static void a_failure_keeps_the_question_and_the_error(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;

    send_text(s, "a");
    s->changes = 0;
    cue(s, (Cue){ .kind = CUE_FAIL, .text = "too long", .error = ERR_CONTEXT });
    wait_for(s, CHAT_ENDED | CHAT_CHANGED_ERROR);
    last_is(s, "u:a/complete");
    assert_int_equal(chat_error(s->chat)->kind, ERR_CONTEXT);
    assert_string_equal(chat_error(s->chat)->text, "too long");
    assert_true(chat_regenerate(s->chat, &err)); /* tries again */
    assert_int_equal(chat_error(s->chat)->kind, ERR_NONE);
    give_text(s, "b", 5);
    s->changes = 0;
    cue(s, (Cue){ .kind = CUE_FAIL, .text = "gpu", .error = ERR_DEVICE });
    wait_for(s, CHAT_ENDED);
    last_is(s, "a:b/failed");
    stored_last_is(s, "b", MESSAGE_FAILED);
    assert_true(chat_continue(s->chat, &err));
    give_reply(s, "c");
    last_is(s, "a:bc/complete");
}

static void a_regeneration_that_never_came_shows_the_old_reply(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;

    send_text(s, "a");
    give_reply(s, "b");
    assert_true(chat_regenerate(s->chat, &err));
    last_is(s, "u:a/complete");
    assert_true(chat_set_max_tokens(s->chat, 5, &err)); /* a save in between */
    stored_last_is(s, "b", MESSAGE_COMPLETE);
    s->changes = 0;
    chat_stop(s->chat);
    wait_for(s, CHAT_ENDED | CHAT_CHANGED_PATH);
    last_is(s, "a:b/complete");
}

static void events_of_an_older_reply_are_ignored(void **state)
{
    Stage *s = *state;
    Event *late = event_new(EVENT_TEXT);

    send_text(s, "a");
    give_text(s, "b", 5);
    chat_new_conversation(s->chat); /* interrupts */
    assert_int_equal(chat_conversation(s->chat)->n_messages, 0);
    buf_puts(&late->text, "ghost");
    late->serial = 2;
    chat_event(s->chat, late);
    event_free(late);
    for (int i = 0; i < 20; i++) {
        has_news(s);
        worker_wait(s->worker, 1);
    }
    assert_int_equal(chat_conversation(s->chat)->n_messages, 0);
    send_text(s, "new");
    give_reply(s, "fresh");
    last_is(s, "a:fresh/complete");
    assert_int_equal(chat_conversation(s->chat)->n_messages, 2);
}

static void leaving_a_conversation_keeps_its_partial_reply(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;
    int64_t id;

    send_text(s, "a");
    give_text(s, "partial", 5);
    id = chat_conversation(s->chat)->id;
    chat_new_conversation(s->chat);
    assert_true(chat_open_conversation(s->chat, id, &err));
    last_is(s, "a:partial/stopped");
    assert_true(chat_continue(s->chat, &err));
    give_reply(s, " done");
    assert_string_equal(asked(s), "u:a|a:partial+");
    last_is(s, "a:partial done/complete");
    stored_last_is(s, "partial done", MESSAGE_COMPLETE);
    assert_int_equal(conversation_last(chat_conversation(s->chat))->ids.n, 3);
}

static void ending_the_program_keeps_the_partial_reply(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;
    int64_t id;

    send_text(s, "a");
    give_text(s, "partial", 5);
    id = chat_conversation(s->chat)->id;
    chat_free(s->chat);
    open_chat(s);
    assert_true(chat_open_conversation(s->chat, id, &err));
    last_is(s, "a:partial/stopped");
}

static void replies_are_saved_about_once_a_second(void **state)
{
    Stage *s = *state;

    assert_int_equal(chat_deadline_ms(s->chat), -1);
    send_text(s, "a");
    give_text(s, "one", 5);
    assert_in_range(chat_deadline_ms(s->chat), 990, 1000);
    give_text(s, " two", 6);
    stored_last_is(s, "one", MESSAGE_STREAMING);
    s->now_us += 1000000;
    assert_int_equal(chat_deadline_ms(s->chat), 0);
    chat_tick(s->chat);
    stored_last_is(s, "one two", MESSAGE_STREAMING);
    /* Long silence: others still see that somebody is at work. */
    for (int i = 0; i < 9; i++) {
        s->now_us += 1000000;
        chat_tick(s->chat);
    }
    stored_last_is(s, "one two", MESSAGE_STREAMING);
    give_end(s, DONE_EOS);
    assert_int_equal(chat_deadline_ms(s->chat), -1);
}

static void the_speed_is_that_of_the_last_second(void **state)
{
    Stage *s = *state;

    send_text(s, "a");
    for (int i = 0; i < 30; i++) {
        give_text(s, "x", 5);
        s->now_us += i < 10 ? 500000 : 100000;
    }
    assert_true(chat_status(s->chat)->tokens_per_second > 9.5);
    assert_true(chat_status(s->chat)->tokens_per_second < 10.5);
    give_end(s, DONE_EOS);
}

static void a_reply_that_cannot_be_saved_is_kept_and_saved_later(void **state)
{
    Stage *s = *state;
    sqlite3 *db;
    Error err = ERROR_INIT;
    const Message *reply;

    send_text(s, "a");
    assert_int_equal(sqlite3_open(s->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    give_text(s, "kept", 5);
    assert_non_null(strstr(chat_error(s->chat)->text, "another program"));
    last_is(s, "a:kept/streaming");
    give_end(s, DONE_EOS);
    last_is(s, "a:kept/complete");
    assert_false(chat_send(s->chat, STR("next"), &err)); /* nothing can be said on top of it yet */
    last_is(s, "a:kept/complete");
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    send_text(s, "next");
    give_reply(s, "b");
    assert_int_equal(chat_conversation(s->chat)->n_messages, 4);
    reply = chat_conversation(s->chat)->message[1];
    assert_string_equal(buf_cstr(&reply->text), "kept");
    assert_true(reply->id < 100);
    assert_int_equal(chat_conversation(s->chat)->message[0]->selected_child, reply->id);
    assert_int_equal(chat_conversation(s->chat)->message[2]->parent_id, reply->id);
    stored_last_is(s, "b", MESSAGE_COMPLETE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_turn_is_asked_streamed_and_stored),
        TEST(the_next_turn_carries_the_ids_of_the_last),
        TEST(ends_have_their_statuses),
        TEST(every_reply_has_a_seed_of_its_own),
        TEST(thinking_is_kept_apart),
        TEST(ids_whose_text_is_held_back_are_not_lost),
        TEST(an_empty_reply_is_a_reply),
        TEST(what_cannot_be_done_now_is_refused),
        TEST(stopping_keeps_what_came),
        TEST(stopping_before_the_first_text_leaves_the_question),
        TEST(a_failure_keeps_the_question_and_the_error),
        TEST(a_regeneration_that_never_came_shows_the_old_reply),
        TEST(events_of_an_older_reply_are_ignored),
        TEST(leaving_a_conversation_keeps_its_partial_reply),
        TEST(ending_the_program_keeps_the_partial_reply),
        TEST(replies_are_saved_about_once_a_second),
        TEST(the_speed_is_that_of_the_last_second),
        TEST(a_reply_that_cannot_be_saved_is_kept_and_saved_later),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
