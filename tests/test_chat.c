/* The chat: what is asked, what is kept, and what happens when things end early.  The worker is the real
 * one, the provider a puppet: each reply waits until the test lets it have its next piece. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "src/base/attributes.h"
#include "src/base/clock.h"
#include "src/base/mem.h"
#include "src/chat.h"

/* ---- the puppet ---- */

typedef enum { CUE_TEXT, CUE_THINKING, CUE_HELD, CUE_END, CUE_FAIL } CueKind;

typedef struct {
    CueKind kind;
    const char *text; /* CUE_FAIL: the error */
    int32_t id;
    DoneReason reason;
    ErrorKind error;
} Cue;

typedef struct {
    Provider base; /* first */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    Cue cue[64]; /* guarded by lock, as all below */
    size_t n_cues, next;
    bool open_fails, open_waits;
    size_t window_from;
    const char *key;
    Buf asked; /* the last request in words */
    Sampling sampling;
    size_t n_ids; /* of the last reply in the request */
} Puppet;

static void describe(Puppet *p, const Request *r)
{
    buf_reset(&p->asked);
    for (size_t i = 0; i < r->n_messages; i++)
        buf_printf(&p->asked, "%s%c:%s%s", i ? "|" : "", "sua"[r->message[i].role],
                   r -> message[i].text, i &&i == r->window_from ? "<" : "");
    if (r->continue_last)
        buf_puts(&p->asked, "+");
    if (r->max_tokens)
        buf_printf(&p->asked, " max %d", r->max_tokens);
    p->sampling = r->sampling;
    p->n_ids = r->n_messages ? r->message[r->n_messages - 1].ids.n : 0;
}

static bool puppet_open_model(Provider *base, const Request *request, const EventSink *sink,
                              const atomic_bool *cancel)
{
    Puppet *p = (Puppet *)base;
    Event *event;
    bool fails;

    for (;;) {
        pthread_mutex_lock(&p->lock);
        bool waits = p->open_waits;
        pthread_mutex_unlock(&p->lock);
        if (!waits || atomic_load(cancel))
            break;
        usleep(200);
    }
    fails = p->open_fails || atomic_load(cancel);
    event = event_new(fails ? EVENT_FAILED : EVENT_OPENED);
    if (fails) {
        error_set(&event->error, ERR_NOT_FOUND, "%s: no such model", request->model);
    } else {
        event->model.name = xstrdup(request->model);
        event->model.tokenizer_key = xstrdup(p->key);
        event->model.context = 100;
    }
    sink->emit(sink->arg, event);
    return !fails;
}

static bool take_cue(Puppet *p, const atomic_bool *cancel, Cue *cue)
{
    bool got = false;

    while (!got && !atomic_load(cancel)) {
        pthread_mutex_lock(&p->lock);
        got = p->next < p->n_cues;
        if (got)
            *cue = p->cue[p->next++];
        pthread_mutex_unlock(&p->lock);
        if (!got)
            usleep(200);
    }
    return got;
}

static void emit_piece(const EventSink *sink, const Cue *cue, Usage *usage)
{
    Event *event = event_new(EVENT_TEXT);

    usage->generated++;
    event->usage = *usage;
    event->thinking = cue->kind == CUE_THINKING;
    if (cue->kind != CUE_HELD)
        buf_puts(&event->text, cue->text);
    tokens_push(&event->ids, cue->id);
    sink->emit(sink->arg, event);
}

static bool emit_failed(const EventSink *sink, const Cue *cue)
{
    Event *event = event_new(EVENT_FAILED);

    error_set(&event->error, cue->error, "%s", cue->text);
    sink->emit(sink->arg, event);
    return false;
}

static bool puppet_generate(Provider *base, const Request *request, const EventSink *sink,
                            const atomic_bool *cancel)
{
    Puppet *p = (Puppet *)base;
    Usage usage = { .prompt = 10, .reused = 4, .computed = 6, .context = 100 };
    Event *event = event_new(EVENT_STARTED);
    Cue cue = { .kind = CUE_END, .id = -1, .reason = DONE_CANCELLED };

    pthread_mutex_lock(&p->lock);
    describe(p, request);
    event->window_from = p->window_from;
    pthread_mutex_unlock(&p->lock);
    event->usage = usage;
    sink->emit(sink->arg, event);
    while (take_cue(p, cancel, &cue) && cue.kind != CUE_END && cue.kind != CUE_FAIL) {
        emit_piece(sink, &cue, &usage);
        sink->poll(sink->arg);
    }
    if (cue.kind == CUE_FAIL)
        return emit_failed(sink, &cue);
    event = event_new(EVENT_DONE);
    event->reason = cue.kind == CUE_END ? cue.reason : DONE_CANCELLED;
    event->end_id = event->reason == DONE_EOS ? cue.id : -1;
    if (cue.kind == CUE_END && cue.id >= 0)
        tokens_push(&event->ids, cue.id);
    if (request->want_ids)
        tokens_append(&event->prompt_ids, (int32_t[]){ 1, 5, 6 }, 3);
    event->usage = usage;
    event->timing = (Timing){ .first = 20, .prefill = 15, .decode = 100 };
    sink->emit(sink->arg, event);
    return true;
}

static bool puppet_plan(Provider *base, const Request *request, const EventSink *sink)
{
    Puppet *p = (Puppet *)base;
    Event *event = event_new(EVENT_PLAN);

    pthread_mutex_lock(&p->lock);
    describe(p, request);
    pthread_mutex_unlock(&p->lock);
    event->usage = (Usage){ .prompt = 40, .reused = 30, .computed = 10 };
    event->timing.prefill = 12.5;
    sink->emit(sink->arg, event);
    return true;
}

static void puppet_close_model(Provider *base)
{
    (void)base;
}

static void puppet_close(Provider *base)
{
    Puppet *p = (Puppet *)base;

    buf_release(&p->asked);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static const ProviderKind puppet_kind = {
    .name = "puppet",
    .close = puppet_close,
    .open_model = puppet_open_model,
    .generate = puppet_generate,
    .plan = puppet_plan,
    .close_model = puppet_close_model,
};

/* ---- the stage ---- */

typedef struct {
    Puppet *puppet;
    Worker *worker;
    Store *store;
    Chat *chat;
    unsigned changes; /* all that happened since the last look */
    char path[64];
    int64_t now_us;
} Stage;

static void open_chat(Stage *s)
{
    const ChatOptions options = { .store = s->store, .worker = s->worker, .want_ids = true };

    s->chat = chat_new(&options);
}

static bool has_news(Stage *s)
{
    Event *event = worker_take(s->worker);

    if (event)
        s->changes |= chat_event(s->chat, event);
    event_free(event);
    return event != NULL;
}

/* Until all of `changes` has been seen. */
static void wait_for(Stage *s, unsigned changes)
{
    for (int i = 0; (s->changes & changes) != changes; i++) {
        if (i == 5000)
            fail_msg("waited in vain for %u, saw %u", changes, s->changes);
        if (!has_news(s))
            worker_wait(s->worker, 2);
        s->changes |= chat_tick(s->chat);
    }
}

static void cue(Stage *s, Cue next)
{
    pthread_mutex_lock(&s->puppet->lock);
    s->puppet->cue[s->puppet->n_cues++] = next;
    pthread_mutex_unlock(&s->puppet->lock);
}

static void give_text(Stage *s, const char *text, int32_t id)
{
    s->changes = 0;
    cue(s, (Cue){ .kind = CUE_TEXT, .text = text, .id = id });
    wait_for(s, CHAT_CHANGED_TEXT);
}

static void give_end(Stage *s, DoneReason reason)
{
    s->changes = 0;
    cue(s, (Cue){ .kind = CUE_END, .id = reason == DONE_EOS ? 2 : -1, .reason = reason });
    wait_for(s, CHAT_ENDED);
}

static void give_reply(Stage *s, const char *text)
{
    give_text(s, text, 7);
    give_end(s, DONE_EOS);
}

static const char *asked(Stage *s)
{
    return buf_cstr(&s->puppet->asked); /* only while the puppet waits or has ended */
}

static void ask_model(Stage *s, const char *name)
{
    Request open = { .kind = REQUEST_OPEN, .model = (char *)name };

    chat_open_model(s->chat, &open);
}

static void open_model(Stage *s, const char *name)
{
    s->changes = 0;
    ask_model(s, name);
    s->changes = 0;
    wait_for(s, CHAT_CHANGED_MODEL);
    while (chat_status(s->chat)->state == CHAT_LOADING)
        wait_for(s, CHAT_CHANGED_MODEL), s->changes = 0;
}

static int set_up_with(void **state, bool stored)
{
    Stage *s = xcalloc(1, sizeof *s);
    Error err = ERROR_INIT;

    s->puppet = xcalloc(1, sizeof *s->puppet);
    s->puppet->base.kind = &puppet_kind;
    s->puppet->key = "key-a";
    pthread_mutex_init(&s->puppet->lock, NULL);
    s->worker = worker_start(&s->puppet->base, &err);
    snprintf(s->path, sizeof s->path, "/tmp/kaiwa-test-chat-%ld.db", (long)getpid());
    if (stored)
        s->store = store_open(s->path, &err);
    if (!s->worker || (stored && !s->store))
        fail_msg("%s", err.text);
    open_chat(s);
    open_model(s, "tiny");
    s->now_us = 1800000000000000;
    clock_set_virtual(&s->now_us);
    *state = s;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, true);
}

static int set_up_private(void **state)
{
    return set_up_with(state, false);
}

static int tear_down(void **state)
{
    Stage *s = *state;
    static const char *const endings[] = { "", "-wal", "-shm" };

    chat_free(s->chat);
    worker_stop(s->worker);
    store_close(s->store);
    clock_set_virtual(NULL);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        char name[80];

        snprintf(name, sizeof name, "%s%s", s->path, endings[i]);
        unlink(name);
    }
    free(s);
    return 0;
}

static void send_text(Stage *s, const char *text)
{
    Error err = ERROR_INIT;

    if (!chat_send(s->chat, str_from(text), &err))
        fail_msg("%s", err.text);
}

/* The last message of the path, as "a:text/status". */
static void last_is(Stage *s, const char *expected)
{
    const Message *last = conversation_last(chat_conversation(s->chat));
    char shown[200];

    snprintf(shown, sizeof shown, "%c:%s/%s", last ? "sua"[last->role] : '-',
             last ? buf_cstr(&last->text) : "", last ? message_status_name(last->status) : "");
    assert_string_equal(shown, expected);
}

/* The last message as the store has it. */
static void stored_last_is(Stage *s, const char *text, MessageStatus status)
{
    Error err = ERROR_INIT;
    Conversation *c = store_load(s->store, chat_conversation(s->chat)->id, &err);

    assert_non_null(c);
    assert_string_equal(buf_cstr(&conversation_last(c)->text), text);
    assert_string_equal(message_status_name(conversation_last(c)->status),
                        message_status_name(status));
    conversation_free(c);
}

static void refused(bool done, Error *err)
{
    assert_false(done);
    assert_int_equal(err->kind, ERR_USAGE);
    assert_true(err->text[0]);
    *err = (Error)ERROR_INIT;
}

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

/* ---- the tree ---- */

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

/* ---- models, windows, plans ---- */

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
        TEST(regenerating_makes_a_version),
        TEST(editing_makes_a_version_with_a_fresh_reply),
        TEST(undo_steps_back_and_redo_forth),
        TEST(excluded_messages_are_not_sent),
        TEST(a_fork_goes_on_by_itself),
        TEST(another_tokenizer_drops_the_ids_of_a_continued_reply),
        TEST(a_message_sent_while_the_model_loads_waits_for_it),
        TEST(stopping_a_waiting_message_does_not_stop_the_loading),
        TEST(a_model_that_cannot_be_opened_is_an_error),
        TEST(what_has_left_the_window_stays_out),
        TEST(a_new_system_prompt_is_saved_and_used_from_the_next_turn),
        TEST(plans_tell_what_a_prompt_would_cost),
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
