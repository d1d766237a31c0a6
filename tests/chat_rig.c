/* A chat for tests.  The worker is the real one, the provider a puppet: each reply waits until the
 * test lets it have its next piece. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "src/base/attributes.h"
#include "src/base/clock.h"
#include "src/base/mem.h"
#include "tests/chat_rig.h"

/* ---- the puppet ---- */

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

void open_chat(Stage *s)
{
    const ChatOptions options = { .store = s->store, .worker = s->worker, .want_ids = true };

    s->chat = chat_new(&options);
}

bool has_news(Stage *s)
{
    Event *event = worker_take(s->worker);

    if (event)
        s->changes |= chat_event(s->chat, event);
    event_free(event);
    return event != NULL;
}

/* Until all of `changes` has been seen. */
void wait_for(Stage *s, unsigned changes)
{
    for (int i = 0; (s->changes & changes) != changes; i++) {
        if (i == 5000)
            fail_msg("waited in vain for %u, saw %u", changes, s->changes);
        if (!has_news(s))
            worker_wait(s->worker, 2);
        s->changes |= chat_tick(s->chat);
    }
}

void cue(Stage *s, Cue next)
{
    pthread_mutex_lock(&s->puppet->lock);
    s->puppet->cue[s->puppet->n_cues++] = next;
    pthread_mutex_unlock(&s->puppet->lock);
}

void give_text(Stage *s, const char *text, int32_t id)
{
    s->changes = 0;
    cue(s, (Cue){ .kind = CUE_TEXT, .text = text, .id = id });
    wait_for(s, CHAT_CHANGED_TEXT);
}

void give_end(Stage *s, DoneReason reason)
{
    s->changes = 0;
    cue(s, (Cue){ .kind = CUE_END, .id = reason == DONE_EOS ? 2 : -1, .reason = reason });
    wait_for(s, CHAT_ENDED);
}

void give_reply(Stage *s, const char *text)
{
    give_text(s, text, 7);
    give_end(s, DONE_EOS);
}

const char *asked(Stage *s)
{
    return buf_cstr(&s->puppet->asked); /* only while the puppet waits or has ended */
}

void ask_model(Stage *s, const char *name)
{
    Request open = { .kind = REQUEST_OPEN, .model = (char *)name };

    chat_open_model(s->chat, &open);
}

void open_model(Stage *s, const char *name)
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

int set_up(void **state)
{
    return set_up_with(state, true);
}

int set_up_private(void **state)
{
    return set_up_with(state, false);
}

int tear_down(void **state)
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

void send_text(Stage *s, const char *text)
{
    Error err = ERROR_INIT;

    if (!chat_send(s->chat, str_from(text), &err))
        fail_msg("%s", err.text);
}

/* The last message of the path, as "a:text/status". */
void last_is(Stage *s, const char *expected)
{
    const Message *last = conversation_last(chat_conversation(s->chat));
    char shown[200];

    snprintf(shown, sizeof shown, "%c:%s/%s", last ? "sua"[last->role] : '-',
             last ? buf_cstr(&last->text) : "", last ? message_status_name(last->status) : "");
    assert_string_equal(shown, expected);
}

/* The last message as the store has it. */
void stored_last_is(Stage *s, const char *text, MessageStatus status)
{
    Error err = ERROR_INIT;
    Conversation *c = store_load(s->store, chat_conversation(s->chat)->id, &err);

    assert_non_null(c);
    assert_string_equal(buf_cstr(&conversation_last(c)->text), text);
    assert_string_equal(message_status_name(conversation_last(c)->status),
                        message_status_name(status));
    conversation_free(c);
}

void refused(bool done, Error *err)
{
    assert_false(done);
    assert_int_equal(err->kind, ERR_USAGE);
    assert_true(err->text[0]);
    *err = (Error)ERROR_INIT;
}
