/* The loop of programs without a screen: worker events in, text on standard output. */
#include "config.h"

#include "src/turn.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/base/i18n.h"
#include "src/interrupt.h"
#include "src/output.h"

typedef enum { GOING_ON, ENDED, FAILED } Step;

void turn_init(Turn *turn, ChatStart *start)
{
    *turn = (Turn){ .start = start, .with_chat = true, .show = true };
}

void turn_release(Turn *turn)
{
    buf_release(&turn->text);
    tokens_release(&turn->ids);
    tokens_release(&turn->prompt_ids);
}

static void turn_reset(Turn *turn)
{
    buf_reset(&turn->text);
    tokens_truncate(&turn->ids, 0);
    tokens_truncate(&turn->prompt_ids, 0);
    turn->usage = (Usage){ 0 };
    turn->timing = (Timing){ 0 };
    turn->reason = DONE_CANCELLED;
}

/* Progress goes to a terminal only, and never on one that the reply is being written to half way.
 */
static void clear_progress(Turn *turn)
{
    if (turn->has_progress)
        fputs("\r\033[K", stderr);
    turn->has_progress = false;
}

static void show_progress(Turn *turn, const Event *event)
{
    if (!isatty(STDERR_FILENO) || event->total <= 0 || turn->text.len)
        return;
    fputc('\r', stderr);
    if (event->phase == PHASE_LOAD)
        fprintf(stderr, _("loading the model: %d %%"), (int)(100.0 * event->done / event->total));
    else
        fprintf(stderr, _("reading the prompt: %d of %d tokens"), event->done, event->total);
    fflush(stderr);
    turn->has_progress = true;
}

static void stop(Turn *turn)
{
    if (turn->with_chat)
        chat_stop(turn->start->chat);
    else
        worker_cancel(turn->start->worker);
}

static void print_text(Turn *turn, Str text)
{
    clear_progress(turn);
    if (!turn->show || turn->pipe_closed || !text.len)
        return;
    if (output_text(text))
        return;
    turn->pipe_closed = errno == EPIPE;
    stop(turn);
}

static void take_text(Turn *turn, const Event *event)
{
    tokens_append(&turn->ids, event->ids.ids, event->ids.n);
    if (event->thinking)
        return;
    buf_append(&turn->text, event->text.data, event->text.len);
    print_text(turn, buf_str(&event->text));
}

static void take_done(Turn *turn, const Event *event)
{
    clear_progress(turn);
    tokens_append(&turn->ids, event->ids.ids, event->ids.n);
    tokens_append(&turn->prompt_ids, event->prompt_ids.ids, event->prompt_ids.n);
    if (event->text.len) {
        buf_append(&turn->text, event->text.data, event->text.len);
        print_text(turn, buf_str(&event->text));
    }
    turn->reason = event->reason;
    turn->usage = event->usage;
    turn->timing = event->timing;
    turn->timing.load = turn->load_ms;
}

/* awaited: OPEN or GENERATE.  Others' events (of PLAN) end nothing. */
static Step take_event(Turn *turn, const Event *event, RequestKind awaited, Error *err)
{
    switch (event->kind) {
    case EVENT_PROGRESS:
        show_progress(turn, event);
        break;
    case EVENT_OPENED:
        clear_progress(turn);
        turn->load_ms = event->model.load_ms;
        if (event->model.notice && *event->model.notice)
            fprintf(stderr, "kaiwa: %s\n", event->model.notice);
        return awaited == REQUEST_OPEN ? ENDED : GOING_ON;
    case EVENT_TEXT:
        take_text(turn, event);
        break;
    case EVENT_DONE:
        take_done(turn, event);
        return awaited == REQUEST_GENERATE ? ENDED : GOING_ON;
    case EVENT_FAILED:
        if (event->answers != awaited)
            break;
        clear_progress(turn);
        *err = event->error;
        return FAILED;
    case EVENT_STARTED:
    case EVENT_PLAN:
    case EVENT_CLOSED:
        break;
    }
    return GOING_ON;
}

static Step take_events(Turn *turn, RequestKind awaited, Error *err)
{
    Step step = GOING_ON;
    Event *event;

    while (step == GOING_ON && (event = worker_take(turn->start->worker))) {
        if (turn->with_chat || event->kind == EVENT_OPENED) {
            unsigned changed = chat_event(turn->start->chat, event);

            if (changed & CHAT_CHANGED_MODEL)
                start_model_changed(turn->start);
        }
        step = take_event(turn, event, awaited, err);
        event_free(event);
    }
    return step;
}

static bool wait_for(Turn *turn, RequestKind awaited, Error *err)
{
    bool stopped = false;
    Step step;

    while ((step = take_events(turn, awaited, err)) == GOING_ON) {
        int timeout = turn->with_chat ? chat_deadline_ms(turn->start->chat) : -1;

        if (interrupt_pending() && !stopped) {
            stopped = true;
            stop(turn);
            worker_cancel(turn->start->worker);
        }
        /* Once stopped, a signal that is still pending must not turn the wait into a busy loop. */
        if (stopped)
            worker_wait(turn->start->worker, timeout);
        else
            interrupt_wait(worker_fd(turn->start->worker), timeout);
        if (turn->with_chat)
            chat_tick(turn->start->chat);
    }
    return step == ENDED;
}

bool turn_wait_model(Turn *turn, Error *err)
{
    return wait_for(turn, REQUEST_OPEN, err);
}

bool turn_wait_reply(Turn *turn, Error *err)
{
    turn_reset(turn);
    return wait_for(turn, REQUEST_GENERATE, err);
}

/* Milliseconds with three digits after the point: more would be noise. */
static json_t *ms(double value)
{
    return json_real(round(value * 1000) / 1000);
}

void turn_put_stats(const Turn *turn, json_t *object)
{
    const Usage *usage = &turn->usage;
    const Timing *timing = &turn->timing;

    json_object_set_new(object, "usage",
                        json_pack("{s:i, s:i, s:i, s:i}", "prompt", usage->prompt, "reused",
                                  usage->reused, "computed", usage->computed, "generated",
                                  usage->generated));
    json_object_set_new(object, "ms",
                        json_pack("{s:o, s:o, s:o, s:o}", "load", ms(timing->load), "first",
                                  ms(timing->first), "prefill", ms(timing->prefill), "decode",
                                  ms(timing->decode)));
}

void turn_print_stats(const Turn *turn)
{
    json_t *object = json_object();
    char *line;

    turn_put_stats(turn, object);
    line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12));
    fprintf(stderr, "%s\n", line);
    free(line);
    json_decref(object);
}

bool turn_complaint(const Turn *turn, Error *err)
{
    if (turn->reason != DONE_CONTEXT)
        return false;
    error_set(err, ERR_CONTEXT,
              _("the context is full: %d tokens of prompt and %d of reply; give a larger "
                "--context, where the model allows it"),
              turn->usage.prompt, turn->usage.generated);
    return true;
}
