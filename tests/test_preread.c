/* Reading ahead while a message is typed: what is read, that sending it computes only the rest,
 * that nothing else ever waits for it, and when it begins.  The provider is the local one on a tiny
 * model, with a watch around it that tells the test when reading ahead has ended. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "src/base/clock.h"
#include "src/base/mem.h"
#include "src/chat.h"
#include "tests/provider_rig.h"
#include "tests/tiny_model.h"

enum { PATIENCE_MS = 20000, UNSETTLED = 4 };

static const char
    DRAFT[] = "Hello there, this is a message that is still being written",
    FULL[] = "Hello there, this is a message that is still being written and is now whole.",
    EDITED[] = "Hello there, this was another text from its third word on, a longer one";

/* ---- the watch ---- */

typedef struct {
    Provider base; /* first */
    Provider *inner;
    bool holds; /* reading ahead goes on until it is stopped */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int begun, ended, stopped; /* guarded by lock */
    char *last;                /* the draft */
} Watch;

static bool watch_open_model(Provider *base, const Request *r, const EventSink *sink,
                             const atomic_bool *cancel)
{
    Provider *inner = ((Watch *)base)->inner;
    return inner->kind->open_model(inner, r, sink, cancel);
}

static bool watch_generate(Provider *base, const Request *r, const EventSink *sink,
                           const atomic_bool *cancel)
{
    Provider *inner = ((Watch *)base)->inner;
    return inner->kind->generate(inner, r, sink, cancel);
}

static bool watch_plan(Provider *base, const Request *r, const EventSink *sink)
{
    Provider *inner = ((Watch *)base)->inner;
    return inner->kind->plan(inner, r, sink);
}

static void watch_close_model(Provider *base)
{
    Provider *inner = ((Watch *)base)->inner;
    inner->kind->close_model(inner);
}

static void watch_note(Watch *w, int *count)
{
    pthread_mutex_lock(&w->lock);
    ++*count;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void watch_preread(Provider *base, const Request *r, const EventSink *sink,
                          const atomic_bool *cancel)
{
    Watch *w = (Watch *)base;
    pthread_mutex_lock(&w->lock);
    free(w->last);
    w->last = xstrdup(r->message[r->n_messages - 1].text);
    pthread_mutex_unlock(&w->lock);
    watch_note(w, &w->begun);
    while (w->holds && !atomic_load(cancel))
        sink->poll(sink->arg);
    if (!w->holds)
        w->inner->kind->preread(w->inner, r, sink, cancel);
    if (atomic_load(cancel))
        watch_note(w, &w->stopped);
    watch_note(w, &w->ended);
}

static void watch_close(Provider *base)
{
    Watch *w = (Watch *)base;
    provider_close(w->inner);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w->last);
    free(w);
}

static const ProviderKind watch_kind = {
    .name = "watch",
    .close = watch_close,
    .open_model = watch_open_model,
    .generate = watch_generate,
    .plan = watch_plan,
    .close_model = watch_close_model,
    .preread = watch_preread,
};

static void wait_until(Watch *w, const int *count, int wanted)
{
    pthread_mutex_lock(&w->lock);
    while (*count < wanted)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static int read_count(Watch *w, const int *count)
{
    pthread_mutex_lock(&w->lock);
    int n = *count;
    pthread_mutex_unlock(&w->lock);
    return n;
}

/* ---- the stage ---- */

typedef struct {
    Watch *watch;
    Worker *worker;
    Chat *chat;
    Engine *engine; /* of the same model: what the numbers must be */
    char dir[256];
    int64_t now_us;
    int n_events;
} Stage;

static Event *next(Stage *s)
{
    Event *event;
    while (!(event = worker_take(s->worker)))
        if (!worker_wait(s->worker, PATIENCE_MS))
            fail_msg("no event came");
    s->n_events++;
    return event;
}

static void run_until(Stage *s, unsigned change)
{
    unsigned seen = 0;
    while (!(seen & change)) {
        Event *event = next(s);
        seen |= chat_event(s->chat, event);
        event_free(event);
    }
}

static int open_stage(void **state, const TinySpec *spec, int context)
{
    Stage *s = xcalloc(1, sizeof *s);
    Error err = ERROR_INIT;
    EngineOptions options = { .backend = "cpu", .threads = 1, .without_weights = true };
    snprintf(s->dir, sizeof s->dir, "%s", tiny_temp_dir());
    assert_true(tiny_model_write(s->dir, spec));
    options.model = tiny_model_path(s->dir, spec);
    s->engine = engine_open(&options, NULL, &err);
    s->watch = xcalloc(1, sizeof *s->watch);
    s->watch->base.kind = &watch_kind;
    s->watch->inner = provider_open("local", &err);
    pthread_mutex_init(&s->watch->lock, NULL);
    pthread_cond_init(&s->watch->changed, NULL);
    s->worker = worker_start(&s->watch->base, &err);
    if (!s->engine || !s->worker)
        fail_msg("%s", err.text);
    s->chat = chat_new(&(ChatOptions){ .worker = s->worker, .want_ids = true });
    s->now_us = 1800000000000000;
    clock_set_virtual(&s->now_us);
    Request open = { .kind = REQUEST_OPEN,
                     .model = (char *)options.model,
                     .backend = "cpu",
                     .threads = 1,
                     .context = context };
    chat_open_model(s->chat, &open);
    while (chat_status(s->chat)->state == CHAT_LOADING)
        run_until(s, CHAT_CHANGED_STATE);
    assert_non_null(chat_status(s->chat)->model);
    Sampling greedy = { .top_p = 1, .repeat_penalty = 1, .seed = 1 };
    assert_true(chat_set_sampling(s->chat, &greedy, &err));
    assert_true(chat_set_max_tokens(s->chat, 8, &err));
    s->n_events = 0;
    *state = s;
    return 0;
}

static int open_chatml(void **state)
{
    const TinySpec spec = { .kind = TINY_HF_F16, .chat = TINY_CHATML, .seed = 5 };
    return open_stage(state, &spec, 0);
}

static int open_llama2(void **state)
{
    const TinySpec spec = { .kind = TINY_HF_F16, .chat = TINY_LLAMA2, .seed = 5 };
    return open_stage(state, &spec, 0);
}

static int open_small(void **state)
{
    const TinySpec spec = { .kind = TINY_HF_F16, .chat = TINY_CHATML, .seed = 5 };
    return open_stage(state, &spec, 100);
}

static int close_stage(void **state)
{
    Stage *s = *state;
    s->watch->holds = false;
    chat_free(s->chat);
    worker_stop(s->worker);
    engine_close(s->engine);
    clock_set_virtual(NULL);
    tiny_remove_dir(s->dir);
    free(s);
    return 0;
}

/* ---- helpers ---- */

static void render(Stage *s, const char *text, Tokens *out)
{
    const ChatMessage message = { .role = ROLE_USER, .text = str_from(text) };
    Error err = ERROR_INIT;
    if (!engine_render(s->engine, &message, 1, false, out, &err))
        fail_msg("%s", err.text);
}

/* Tokens that the prompts of two first messages start with. */
static int common(Stage *s, const char *a, const char *b)
{
    Tokens one = TOKENS_INIT, other = TOKENS_INIT;
    render(s, a, &one);
    render(s, b, &other);
    int n = (int)tokens_common(one.ids, one.n, other.ids, other.n);
    tokens_release(&one);
    tokens_release(&other);
    return n;
}

/* What is to be read of a first message: all up to its end, less the last four. */
static int settled(Stage *s, const char *draft)
{
    char longer[2000];
    snprintf(longer, sizeof longer, "%s x", draft);
    return common(s, draft, longer) - UNSETTLED;
}

static void type(Stage *s, const char *text)
{
    chat_draft_changed(s->chat, str_from(text));
}

/* The pause passes, and what is to be read is read. */
static void pause_typing(Stage *s)
{
    int before = read_count(s->watch, &s->watch->ended);
    s->now_us += 300000;
    assert_int_equal(chat_deadline_ms(s->chat), 0);
    chat_tick(s->chat);
    wait_until(s->watch, &s->watch->ended, before + 1);
}

static Usage send(Stage *s, const char *text)
{
    Error err = ERROR_INIT;
    if (!chat_send(s->chat, str_from(text), &err))
        fail_msg("%s", err.text);
    run_until(s, CHAT_ENDED);
    return chat_status(s->chat)->usage;
}

static char *reply_of(Stage *s)
{
    const Message *last = conversation_last(chat_conversation(s->chat));
    assert_int_equal(last->role, ROLE_ASSISTANT);
    Buf out = BUF_INIT;
    for (size_t i = 0; i < last->ids.n; i++)
        buf_printf(&out, "%d ", last->ids.ids[i]);
    return buf_take(&out);
}

/* What the same message gets as its reply from a cache that holds nothing of it. */
static char *cold_reply(Stage *s, const char *text)
{
    chat_new_conversation(s->chat);
    Error err = ERROR_INIT;
    Sampling greedy = { .top_p = 1, .repeat_penalty = 1, .seed = 1 };
    assert_true(chat_set_sampling(s->chat, &greedy, &err) && chat_set_max_tokens(s->chat, 8, &err));
    send(s, "9");
    chat_new_conversation(s->chat);
    assert_true(chat_set_sampling(s->chat, &greedy, &err) && chat_set_max_tokens(s->chat, 8, &err));
    send(s, text);
    return reply_of(s);
}

/* ---- tests ---- */

static void sending_computes_only_what_was_not_read(void **state)
{
    Stage *s = *state;
    int read = settled(s, DRAFT);

    assert_true(read > 32); /* more than one batch */
    type(s, DRAFT);
    pause_typing(s);
    assert_int_equal(s->n_events, 0);
    Usage usage = send(s, FULL);
    assert_int_equal(usage.reused, read);
    assert_int_equal(usage.computed, usage.prompt - read);
    char *warm = reply_of(s), *cold = cold_reply(s, FULL);
    assert_string_equal(warm, cold);
    free(warm);
    free(cold);
}

static void nothing_is_read_before_the_pause(void **state)
{
    Stage *s = *state;

    assert_int_equal(chat_deadline_ms(s->chat), -1);
    type(s, "Hello there my");
    assert_int_equal(chat_deadline_ms(s->chat), 300);
    s->now_us += 299000;
    type(s, DRAFT); /* a key: the pause begins anew */
    assert_int_equal(chat_deadline_ms(s->chat), 300);
    s->now_us += 299000;
    chat_tick(s->chat);
    type(s, DRAFT); /* the same text is no key */
    assert_int_equal(chat_deadline_ms(s->chat), 1);
    assert_int_equal(read_count(s->watch, &s->watch->begun), 0);
    s->now_us += 1000;
    chat_tick(s->chat);
    wait_until(s->watch, &s->watch->ended, 1);
    assert_string_equal(s->watch->last, DRAFT);
    assert_int_equal(chat_deadline_ms(s->chat), -1); /* once */
    s->now_us += 10000000;
    chat_tick(s->chat);
    type(s, DRAFT);
    assert_int_equal(chat_deadline_ms(s->chat), -1);
    type(s, " \n ");
    assert_int_equal(chat_deadline_ms(s->chat), -1);
    assert_int_equal(read_count(s->watch, &s->watch->begun), 1);
}

static void editing_rewinds_what_was_read(void **state)
{
    Stage *s = *state;

    type(s, DRAFT);
    pause_typing(s);
    type(s, EDITED);
    pause_typing(s);
    Usage usage = send(s, EDITED);
    assert_int_equal(usage.reused, settled(s, EDITED));
    char *warm = reply_of(s), *cold = cold_reply(s, EDITED);
    assert_string_equal(warm, cold);
    free(warm);
    free(cold);
}

/* Reading the start of what is there already would only throw the rest away. */
static void a_draft_that_shrinks_keeps_what_was_read(void **state)
{
    Stage *s = *state;

    type(s, DRAFT);
    pause_typing(s);
    type(s, "Hello there, this is a message that");
    pause_typing(s);
    assert_int_equal(send(s, FULL).reused, settled(s, DRAFT));
}

static void an_edit_that_was_not_read_costs_what_differs(void **state)
{
    Stage *s = *state;

    type(s, DRAFT);
    pause_typing(s);
    type(s, EDITED);
    assert_int_equal(send(s, EDITED).reused, common(s, DRAFT, EDITED));
    assert_int_equal(chat_deadline_ms(s->chat), -1); /* sent: nothing is left to read */
}

static void later_turns_are_read_ahead_too(void **state)
{
    Stage *s = *state;

    send(s, "Hello");
    Usage first = chat_status(s->chat)->usage;
    type(s, DRAFT);
    pause_typing(s);
    Usage second = send(s, DRAFT);
    assert_true(second.reused > first.prompt + first.generated);
    /* the end of the format and the last words are all that is left */
    Tokens alone = TOKENS_INIT;
    render(s, DRAFT, &alone);
    assert_int_equal(second.computed, (int)alone.n - settled(s, DRAFT));
    tokens_release(&alone);
}

/* Nothing of the draft itself is settled: only what every message starts with may be read. */
static void a_draft_of_one_letter_reads_none_of_it(void **state)
{
    Stage *s = *state;

    type(s, "H");
    pause_typing(s);
    assert_true(settled(s, "H") <= common(s, "H", "9"));
    Usage usage = send(s, "9");
    assert_int_equal(usage.reused, settled(s, "H") > 0 ? settled(s, "H") : 0);
}

static void a_draft_during_a_reply_is_read_after_it(void **state)
{
    Stage *s = *state;
    Error err = ERROR_INIT;

    assert_true(chat_send(s->chat, STR("Hello"), &err));
    type(s, DRAFT);
    s->now_us += 300000;
    chat_tick(s->chat);
    assert_int_equal(read_count(s->watch, &s->watch->begun), 0);
    run_until(s, CHAT_ENDED);
    assert_int_equal(chat_deadline_ms(s->chat), 0);
    chat_tick(s->chat);
    wait_until(s->watch, &s->watch->ended, 1);
    assert_string_equal(s->watch->last, DRAFT);
}

static void messages_that_would_leave_the_window_stay_in_the_cache(void **state)
{
    Stage *s = *state;
    char huge[1000];

    Usage first = send(s, "Hello");
    memset(huge, 'y', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    type(s, huge); /* does not fit at all */
    pause_typing(s);
    chat_plan(s->chat, NULL, STR(""));
    run_until(s, CHAT_CHANGED_PLAN);
    assert_true(chat_status(s->chat)->plan.reused >= first.prompt);
}

static void ask_kind(Stage *s, RequestKind kind, const char *text)
{
    Request *request = request_new(kind);
    request->model = kind == REQUEST_OPEN ? xstrdup("/nonexistent/model") : NULL;
    request->max_tokens = 1;
    if (text)
        request_add(request, ROLE_USER, str_from(text));
    worker_ask(s->worker, request);
}

static void any_request_but_a_plan_ends_it_at_once(void **state)
{
    Stage *s = *state;
    Watch *w = s->watch;
    const RequestKind kinds[] = { REQUEST_GENERATE, REQUEST_OPEN, REQUEST_PREREAD, REQUEST_CLOSE };

    w->holds = true; /* it ends only when it is stopped */
    for (int i = 0; i < 4; i++) {
        ask_kind(s, REQUEST_PREREAD, DRAFT);
        wait_until(w, &w->begun, i == 3 ? 5 : i + 1);
        ask_kind(s, REQUEST_PLAN, "Hello");
        Event *plan = next(s);
        assert_int_equal(plan->kind, EVENT_PLAN);
        event_free(plan);
        assert_int_equal(read_count(w, &w->ended), i == 3 ? 4 : i);
        ask_kind(s, kinds[i],
                 kinds[i] == REQUEST_GENERATE || kinds[i] == REQUEST_PREREAD ? "Hello" : NULL);
        wait_until(w, &w->stopped, i == 3 ? 5 : i + 1);
        EventKind kind = EVENT_STARTED;
        while (kinds[i] != REQUEST_PREREAD && kind != EVENT_DONE && kind != EVENT_FAILED &&
               kind != EVENT_CLOSED) {
            Event *event = next(s);
            kind = event->kind;
            event_free(event);
        }
        if (kinds[i] == REQUEST_PREREAD) { /* the newer one runs */
            wait_until(w, &w->begun, i + 2);
            worker_cancel(s->worker);
            wait_until(w, &w->stopped, i + 2);
        }
    }
}

/* ---- stopping half way, provider alone ---- */

static void stopped_at_any_layer_it_leaves_a_cache_that_is_right(void **state)
{
    Stage *s = *state;
    Provider *provider = s->watch->inner;
    Request *draft = request_new(REQUEST_PREREAD), *other = generate_request("9", 6),
            *full = generate_request(FULL, 6);
    Record *r = xcalloc(1, sizeof *r);
    Tokens cold = TOKENS_INIT, warm = TOKENS_INIT;
    Buf text = BUF_INIT;
    int last_reused = 0, most = settled(s, DRAFT);
    bool has_finished = false;

    record_init(r, provider);
    request_add(draft, ROLE_USER, str_from(DRAFT));
    assert_true(generate(r, full));
    join(r, &text, &cold);
    for (int stop_at = 1; !has_finished; stop_at++) {
        assert_true(generate(r, other));
        forget(r);
        r->stop_at_poll = stop_at;
        provider->kind->preread(provider, draft, &r->sink, &r->cancel);
        assert_int_equal(r->n, 0);
        has_finished = r->polls < stop_at;
        r->stop_at_poll = 0;
        assert_true(generate(r, full));
        Usage usage = last(r)->usage;
        assert_int_equal(usage.computed, usage.prompt - usage.reused);
        assert_true(usage.reused >= last_reused && usage.reused <= most);
        last_reused = usage.reused;
        tokens_truncate(&warm, 0);
        join(r, &text, &warm);
        assert_int_equal(warm.n, cold.n);
        assert_memory_equal(warm.ids, cold.ids, warm.n * sizeof *warm.ids);
    }
    assert_int_equal(last_reused, most);
    forget(r);
    free(r);
    tokens_release(&cold);
    tokens_release(&warm);
    buf_release(&text);
    request_free(draft);
    request_free(other);
    request_free(full);
}

#define CHATML(test) cmocka_unit_test_setup_teardown(test, open_chatml, close_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHATML(sending_computes_only_what_was_not_read),
        cmocka_unit_test_setup_teardown(sending_computes_only_what_was_not_read, open_llama2,
                                        close_stage),
        CHATML(nothing_is_read_before_the_pause),
        CHATML(editing_rewinds_what_was_read),
        CHATML(a_draft_that_shrinks_keeps_what_was_read),
        CHATML(an_edit_that_was_not_read_costs_what_differs),
        CHATML(later_turns_are_read_ahead_too),
        CHATML(a_draft_of_one_letter_reads_none_of_it),
        CHATML(a_draft_during_a_reply_is_read_after_it),
        cmocka_unit_test_setup_teardown(messages_that_would_leave_the_window_stay_in_the_cache,
                                        open_small, close_stage),
        CHATML(any_request_but_a_plan_ends_it_at_once),
        CHATML(stopped_at_any_layer_it_leaves_a_cache_that_is_right),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
