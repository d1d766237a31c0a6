/* The worker thread: events carry their request's serial and come in order; stopping ends what was asked before and nothing
 * else; plans are answered during a reply; it quits at any moment. */
#include "config.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/base/mem.h"
#include "src/provider_script.h"
#include "src/worker.h"
#include "tests/tiny_model.h"

enum { PATIENCE_MS = 20000 };

static const char SCRIPT[] = "open tiny 4096\n"
                             "progress 1 1\n"
                             "reply\n"
                             "text one\n"
                             "text two\n"
                             "text three\n"
                             "done eos\n";

/* ---- helpers ---- */

static Worker *start(const char *spec)
{
    Error err = ERROR_INIT;
    Provider *provider = provider_open(spec, &err);
    Worker *worker;
    if (!provider)
        fail_msg("%s", err.text);
    worker = worker_start(provider, &err);
    if (!worker)
        fail_msg("%s", err.text);
    return worker;
}

static Worker *start_script(const char *text)
{
    char path[] = "/tmp/kaiwa-script-XXXXXX", spec[64];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    snprintf(spec, sizeof spec, "script:%s", path);
    Worker *worker = start(spec);
    unlink(path);
    return worker;
}

static uint64_t ask(Worker *worker, RequestKind kind, const char *text)
{
    Request *request = request_new(kind);
    request->sampling = (Sampling){ .top_p = 1, .repeat_penalty = 1 };
    if (kind == REQUEST_OPEN)
        request->model = xstrdup(text);
    else if (text)
        request_add(request, ROLE_USER, str_from(text));
    return worker_ask(worker, request);
}

static Event *next(Worker *worker)
{
    Event *event;
    while (!(event = worker_take(worker)))
        if (!worker_wait(worker, PATIENCE_MS))
            fail_msg("no event came");
    return event;
}

/* Takes events until one of the kind and serial comes; others are dropped. */
static Event *wait_for(Worker *worker, EventKind kind, uint64_t serial)
{
    for (;;) {
        Event *event = next(worker);
        if (event->kind == kind && event->serial == serial)
            return event;
        event_free(event);
    }
}

static void drop(Event *event)
{
    event_free(event);
}

static int open_gate(void **state)
{
    (void)state;
    provider_script_gate(false);
    return 0;
}

/* ---- tests ---- */

static void expect(Worker *worker, EventKind kind, uint64_t serial, RequestKind answers)
{
    Event *event = next(worker);
    assert_int_equal(event->kind, kind);
    assert_int_equal(event->serial, serial);
    assert_int_equal(event->answers, answers);
    event_free(event);
}

static void events_carry_the_serial_of_what_they_answer(void **state)
{
    Worker *worker = start_script(SCRIPT);
    uint64_t open = ask(worker, REQUEST_OPEN, "x"), reply = ask(worker, REQUEST_GENERATE, "Hi"),
             plan = ask(worker, REQUEST_PLAN, "Hi");
    (void)state;

    assert_true(open < reply && reply < plan);
    expect(worker, EVENT_PROGRESS, open, REQUEST_OPEN);
    expect(worker, EVENT_OPENED, open, REQUEST_OPEN);
    expect(worker, EVENT_STARTED, reply, REQUEST_GENERATE);
    drop(wait_for(worker, EVENT_DONE, reply));
    worker_stop(worker);
}

static void closing_the_model_ends_the_reply(void **state)
{
    Worker *worker = start_script(SCRIPT);
    (void)state;

    drop(wait_for(worker, EVENT_OPENED, ask(worker, REQUEST_OPEN, "x")));
    provider_script_gate(true);
    uint64_t reply = ask(worker, REQUEST_GENERATE, "Hi"), waiting = ask(worker, REQUEST_GENERATE, "Hi"),
             close_it = ask(worker, REQUEST_CLOSE, NULL), late = ask(worker, REQUEST_GENERATE, "Hi");
    for (int i = 0; i < 2; i++) {
        Event *done = wait_for(worker, EVENT_DONE, i ? waiting : reply);
        assert_int_equal(done->reason, DONE_CANCELLED);
        drop(done);
    }
    expect(worker, EVENT_CLOSED, close_it, REQUEST_CLOSE);
    provider_script_release(1);
    expect(worker, EVENT_FAILED, late, REQUEST_GENERATE);
    worker_stop(worker);
}

static void the_descriptor_is_readable_when_events_wait(void **state)
{
    Worker *worker = start_script(SCRIPT);
    struct pollfd fd = { worker_fd(worker), POLLIN, 0 };
    (void)state;

    assert_int_equal(poll(&fd, 1, 0), 0);
    assert_false(worker_wait(worker, 0));
    uint64_t open = ask(worker, REQUEST_OPEN, "x");
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    drop(wait_for(worker, EVENT_OPENED, open));
    assert_null(worker_take(worker));
    assert_int_equal(poll(&fd, 1, 0), 0);
    worker_stop(worker);
}

static void a_stop_ends_what_was_asked_before_and_nothing_after(void **state)
{
    Worker *worker = start_script(SCRIPT);
    (void)state;

    drop(wait_for(worker, EVENT_OPENED, ask(worker, REQUEST_OPEN, "x")));
    provider_script_gate(true);
    uint64_t running = ask(worker, REQUEST_GENERATE, "a"), waiting = ask(worker, REQUEST_GENERATE, "b");
    provider_script_release(2);
    drop(wait_for(worker, EVENT_TEXT, running));
    worker_cancel(worker);
    uint64_t later = ask(worker, REQUEST_GENERATE, "c");
    Event *done = wait_for(worker, EVENT_DONE, running);
    assert_int_equal(done->reason, DONE_CANCELLED);
    drop(done);
    done = wait_for(worker, EVENT_DONE, waiting);
    assert_int_equal(done->reason, DONE_CANCELLED);
    assert_int_equal(done->usage.generated, 0);
    drop(done);
    provider_script_release(10);
    done = wait_for(worker, EVENT_DONE, later);
    assert_int_equal(done->reason, DONE_EOS);
    assert_int_equal(done->usage.generated, 3);
    drop(done);
    worker_stop(worker);
}

static void stopping_when_nothing_runs_harms_nothing(void **state)
{
    Worker *worker = start_script(SCRIPT);
    (void)state;

    worker_cancel(worker);
    drop(wait_for(worker, EVENT_OPENED, ask(worker, REQUEST_OPEN, "x")));
    worker_cancel(worker);
    Event *done = wait_for(worker, EVENT_DONE, ask(worker, REQUEST_GENERATE, "a"));
    assert_int_equal(done->reason, DONE_EOS);
    drop(done);
    worker_stop(worker);
}

static void plans_are_answered_during_a_reply(void **state)
{
    Worker *worker = start_script(SCRIPT);
    (void)state;

    drop(wait_for(worker, EVENT_OPENED, ask(worker, REQUEST_OPEN, "x")));
    provider_script_gate(true);
    uint64_t reply = ask(worker, REQUEST_GENERATE, "a");
    provider_script_release(2);
    drop(wait_for(worker, EVENT_TEXT, reply));
    /* The reply stands still at the gate. */
    uint64_t plan = ask(worker, REQUEST_PLAN, "a and more");
    Event *event = wait_for(worker, EVENT_PLAN, plan);
    assert_int_equal(event->answers, REQUEST_PLAN);
    assert_true(event->usage.prompt > 0);
    drop(event);
    provider_script_release(10);
    drop(wait_for(worker, EVENT_DONE, reply));
    worker_stop(worker);
}

static void other_requests_wait_until_the_reply_has_ended(void **state)
{
    Worker *worker = start_script(SCRIPT);
    (void)state;

    drop(wait_for(worker, EVENT_OPENED, ask(worker, REQUEST_OPEN, "x")));
    provider_script_gate(true);
    uint64_t reply = ask(worker, REQUEST_GENERATE, "a"), open = ask(worker, REQUEST_OPEN, "y");
    provider_script_release(100);
    Event *event = next(worker);
    while (event->kind != EVENT_DONE) {
        assert_int_equal(event->serial, reply);
        event_free(event);
        event = next(worker);
    }
    drop(event);
    drop(wait_for(worker, EVENT_OPENED, open));
    worker_stop(worker);
}

static void it_quits_at_any_moment(void **state)
{
    (void)state;
    for (int moment = 0; moment < 12; moment++) {
        Worker *worker = start_script(SCRIPT);
        provider_script_gate(true);
        ask(worker, REQUEST_OPEN, "x");
        ask(worker, REQUEST_GENERATE, "a");
        ask(worker, REQUEST_PLAN, "b");
        ask(worker, REQUEST_GENERATE, "c");
        provider_script_release(moment);
        for (int i = 0; i < moment; i++)
            drop(next(worker));
        worker_stop(worker);
    }
}

static void a_real_model_is_stopped_within_a_token(void **state)
{
    const TinySpec spec = { .kind = TINY_HF_F16, .chat = TINY_CHATML, .context = 8192, .seed = 5 };
    char dir[256];
    (void)state;

    snprintf(dir, sizeof dir, "%s", tiny_temp_dir());
    assert_true(tiny_model_write(dir, &spec));
    Worker *worker = start("local");
    Request *open = request_new(REQUEST_OPEN);
    open->model = xstrdup(dir);
    open->backend = xstrdup("cpu");
    open->threads = 2;
    drop(wait_for(worker, EVENT_OPENED, worker_ask(worker, open)));
    uint64_t reply = ask(worker, REQUEST_GENERATE, "Hello");
    for (int i = 0; i < 5; i++)
        drop(wait_for(worker, EVENT_TEXT, reply));
    drop(wait_for(worker, EVENT_PLAN, ask(worker, REQUEST_PLAN, "Hello again")));
    worker_cancel(worker);
    Event *done = wait_for(worker, EVENT_DONE, reply);
    assert_int_equal(done->reason, DONE_CANCELLED);
    assert_true(done->usage.generated >= 5 && done->usage.generated < 8000);
    drop(done);
    /* And in the middle of a reply the program may end. */
    ask(worker, REQUEST_GENERATE, "Hello");
    worker_wait(worker, PATIENCE_MS);
    worker_stop(worker);
    tiny_remove_dir(dir);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_gate, open_gate)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(events_carry_the_serial_of_what_they_answer),
        CASE(closing_the_model_ends_the_reply),
        CASE(the_descriptor_is_readable_when_events_wait),
        CASE(a_stop_ends_what_was_asked_before_and_nothing_after),
        CASE(stopping_when_nothing_runs_harms_nothing),
        CASE(plans_are_answered_during_a_reply),
        CASE(other_requests_wait_until_the_reply_has_ended),
        CASE(it_quits_at_any_moment),
        CASE(a_real_model_is_stopped_within_a_token),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("the worker", tests, NULL, NULL);
}
