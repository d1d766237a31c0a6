/* The local provider: opens a model, reads prompts, and sends a reply out token by token.
 *
 * Everything here runs on the worker thread.  Plans may be asked for from inside generate,
 * through the sink's poll. */
#include "config.h"

#include "src/provider_local.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/local_model.h"
#include "src/prompt.h"
#include "src/stop_filter.h"

enum {
    MEASURABLE = 8,     /* tokens; fewer say little about the speed of reading */
    UNSETTLED = 4,      /* tokens at the end of a draft that its next letters may change */
    PREREAD_BATCH = 32, /* tokens; what is lost at most when something better comes */
};

typedef struct {
    Provider base; /* first */
    LocalModel model;
    double ms_a_token; /* of reading prompts; 0: not measured yet */
} LocalProvider;

/* Where the progress of a long call goes. */
typedef struct {
    const EventSink *sink;
    Phase phase;
    int percent; /* last reported */
} Reporter;

static double ms_since(int64_t start_us)
{
    return (double)(clock_mono_us() - start_us) / 1000.0;
}

static bool emit_failed(const EventSink *sink, const Error *err)
{
    Event *event = event_new(EVENT_FAILED);

    event->error = *err;
    sink->emit(sink->arg, event);
    return false;
}

static void poll(void *arg)
{
    Reporter *r = arg;

    r->sink->poll(r->sink->arg);
}

static void report(void *arg, int done, int total)
{
    Reporter *r = arg;
    int percent = total > 0 ? (int)(100.0 * done / total) : 0;

    if (percent != r->percent) {
        Event *event = event_new(EVENT_PROGRESS);

        r->percent = percent;
        event->phase = r->phase;
        event->done = done;
        event->total = total;
        r->sink->emit(r->sink->arg, event);
    }
    poll(r);
}

/* ---- opening ---- */

static Provider *local_open(const char *argument, Error *err)
{
    LocalProvider *p;

    if (*argument) {
        error_set(err, ERR_USAGE,
                  _("local:%s: the local provider takes no argument; models are named with -m"),
                  argument);
        return NULL;
    }
    p = xcalloc(1, sizeof *p);
    p->base.kind = &provider_local;
    return &p->base;
}

static void local_close_model(Provider *base)
{
    LocalProvider *p = (LocalProvider *)base;

    local_model_close(&p->model);
    p->ms_a_token = 0;
}

static void local_close(Provider *base)
{
    local_close_model(base);
    free(base);
}

static bool local_open_model(Provider *base, const Request *request, const EventSink *sink,
                             const atomic_bool *cancel)
{
    LocalProvider *p = (LocalProvider *)base;
    Reporter reporter = { sink, PHASE_LOAD, -1 };
    Progress progress = { cancel, report, &reporter, poll };
    int64_t start = clock_mono_us();
    Error err = ERROR_INIT;
    Buf path = BUF_INIT;
    bool good;

    /* A name that is not there leaves the open model as it is. */
    good = engine_locate(request->model, &path, &err);
    if (good) {
        local_close_model(base);
        good = local_model_open(&p->model, request, buf_cstr(&path), &progress, &err);
        if (!good)
            local_close_model(base);
    }
    if (good)
        sink->emit(sink->arg,
                   local_model_event(&p->model, request, buf_cstr(&path), ms_since(start)));
    buf_release(&path);
    return good || emit_failed(sink, &err);
}

/* ---- a reply ---- */

typedef struct {
    LocalProvider *p;
    const Request *request;
    const EventSink *sink;
    Progress progress;
    Reporter reporter;
    Prompt prompt;
    TextStream *stream;
    StopFilter filter;
    Buf text;      /* to be sent */
    Tokens unsent; /* ids whose text is still held back, or has none */
    Usage usage;
    Timing timing;
    int64_t start, read; /* when it began, when the prompt was read; microseconds */
    int32_t end_id;
    DoneReason reason;
} Run;

static void run_release(Run *run)
{
    prompt_release(&run->prompt);
    text_stream_free(run->stream);
    stop_filter_release(&run->filter);
    buf_release(&run->text);
    tokens_release(&run->unsent);
}

static bool is_ours(const Engine *engine, const char *tokenizer_key)
{
    ModelInfo info;

    engine_info(engine, &info);
    return tokenizer_key && strcmp(tokenizer_key, info.tokenizer_key) == 0;
}

/* A reply that goes on, and raw text, are not the start of a text: the stream is told what came
 * before. */
static bool prime_stream(Run *run, Error *err)
{
    const Request *request = run->request;
    const RequestMessage *last =
        request->n_messages ? &request->message[request->n_messages - 1] : NULL;
    bool goes_on = request->continue_last && last && last->role == ROLE_ASSISTANT;
    Tokens before = TOKENS_INIT;
    Buf ignored = BUF_INIT;
    bool good = true;

    if (request->use_ids || !(goes_on || request->raw) || !last)
        return true;
    if (goes_on && last->ids.n && is_ours(run->p->model.engine, last->tokenizer_key))
        tokens_append(&before, last->ids.ids, last->ids.n);
    else
        good = engine_tokenize(run->p->model.engine, str_from(last->text), false, &before, err);
    for (size_t i = 0; i < before.n; i++)
        text_stream_push(run->stream, before.ids[i], &ignored);
    tokens_release(&before);
    buf_release(&ignored);
    return good;
}

static void emit_started(Run *run, SyncCounts counts)
{
    Event *event = event_new(EVENT_STARTED);

    run->usage = (Usage){
        .prompt = counts.prompt,
        .reused = counts.reused,
        .computed = counts.computed,
        .context = session_context(run->p->model.session),
    };
    event->usage = run->usage;
    event->window_from = run->prompt.window_from;
    run->sink->emit(run->sink->arg, event);
}

static void emit_text(Run *run)
{
    Event *event;

    if (!run->text.len)
        return;
    event = event_new(EVENT_TEXT);
    event->text = run->text;
    run->text = (Buf)BUF_INIT;
    event->ids = run->unsent;
    run->unsent = (Tokens)TOKENS_INIT;
    event->usage = run->usage;
    run->sink->emit(run->sink->arg, event);
}

static void emit_done(Run *run)
{
    Event *event = event_new(EVENT_DONE);

    run->timing.decode = (double)(clock_mono_us() - run->read) / 1000.0;
    event->ids = run->unsent;
    run->unsent = (Tokens)TOKENS_INIT;
    if (run->request->want_ids)
        tokens_append(&event->prompt_ids, run->prompt.ids.ids, run->prompt.ids.n);
    event->end_id = run->end_id;
    event->reason = run->reason;
    run->usage.kept_bytes = session_resident(run->p->model.session, &run->usage.kept);
    event->usage = run->usage;
    event->timing = run->timing;
    run->sink->emit(run->sink->arg, event);
}

static void note_speed(LocalProvider *p, int computed, double ms)
{
    if (computed >= MEASURABLE && ms > 0)
        p->ms_a_token = p->ms_a_token > 0 ? (p->ms_a_token + ms / computed) / 2 : ms / computed;
}

static bool read_prompt(Run *run, Error *err)
{
    LocalProvider *p = run->p;
    int64_t start = clock_mono_us();
    SyncCounts counts = session_plan(p->model.session, &run->prompt.ids);
    bool good;

    emit_started(run, counts);
    good = session_sync(p->model.session, &run->prompt.ids, &run->progress, &counts, err);
    run->read = clock_mono_us();
    run->timing.prefill = (double)(run->read - start) / 1000.0;
    if (good)
        note_speed(p, counts.computed, run->timing.prefill);
    return good;
}

/* Takes one sampled id; true when the reply is over. */
static bool take_id(Run *run, int32_t id)
{
    Buf piece = BUF_INIT;
    bool stopped;

    if (run->usage.generated++ == 0)
        run->timing.first = ms_since(run->start);
    tokens_push(&run->unsent, id);
    if (engine_is_end(run->p->model.engine, id)) {
        run->end_id = id;
        run->reason = DONE_EOS;
        return true;
    }
    text_stream_push(run->stream, id, &piece);
    stopped = stop_filter_push(&run->filter, buf_str(&piece), &run->text);
    buf_release(&piece);
    if (stopped) {
        run->reason = DONE_STOP;
        return true;
    }
    emit_text(run);
    run->reason = DONE_LENGTH;
    return run->request->max_tokens > 0 && run->usage.generated >= run->request->max_tokens;
}

/* What was held back comes out, unless it stood behind a stop string. */
static void finish_text(Run *run)
{
    Buf piece = BUF_INIT;

    if (run->reason != DONE_STOP) {
        text_stream_flush(run->stream, &piece);
        if (!stop_filter_push(&run->filter, buf_str(&piece), &run->text))
            stop_filter_flush(&run->filter, &run->text);
        else
            run->reason = DONE_STOP;
    }
    buf_release(&piece);
    emit_text(run);
}

static bool is_cancelled(const Run *run)
{
    return run->progress.cancel && atomic_load(run->progress.cancel);
}

/* False on an error other than being stopped or reaching the end of the context. */
static bool reply(Run *run, Error *err)
{
    Error ended = ERROR_INIT;
    int32_t id;

    while (!is_cancelled(run)) {
        if (!session_next(run->p->model.session, &run->request->sampling, &id, &run->progress,
                          &ended)) {
            if (ended.kind != ERR_CONTEXT && ended.kind != ERR_CANCELLED) {
                *err = ended;
                return false;
            }
            run->reason = ended.kind == ERR_CONTEXT ? DONE_CONTEXT : DONE_CANCELLED;
            return true;
        }
        if (take_id(run, id))
            return true;
        run->sink->poll(run->sink->arg);
    }
    run->reason = DONE_CANCELLED;
    return true;
}

static bool run_all(Run *run, Error *err)
{
    LocalProvider *p = run->p;
    Error failed = ERROR_INIT;
    bool good;

    if (!p->model.session)
        return error_set(err, ERR_USAGE, _("no model is open; choose one"));
    run->stream = text_stream_new(p->model.engine);
    if (!prompt_build(p->model.engine, session_context(p->model.session), run->request,
                      &run->prompt, err) ||
        !prime_stream(run, err))
        return false;
    if (!read_prompt(run, &failed)) {
        if (failed.kind != ERR_CANCELLED) {
            *err = failed;
            return false;
        }
        run->reason = DONE_CANCELLED;
        return true;
    }
    good = reply(run, err);
    finish_text(run);
    return good;
}

static bool local_generate(Provider *base, const Request *request, const EventSink *sink,
                           const atomic_bool *cancel)
{
    Run run = {
        .p = (LocalProvider *)base,
        .request = request,
        .sink = sink,
        .reporter = { sink, PHASE_PREFILL, -1 },
        .start = clock_mono_us(),
        .end_id = -1,
    };
    Error err = ERROR_INIT;
    bool good;

    run.read = run.start;
    run.progress = (Progress){ cancel, report, &run.reporter, poll };
    stop_filter_init(&run.filter, request->stop, request->n_stop);
    good = run_all(&run, &err);
    if (good)
        emit_done(&run);
    run_release(&run);
    return good || emit_failed(sink, &err);
}

/* ---- plans ---- */

static bool plan_prompt(LocalProvider *p, const Request *request, Prompt *prompt, Error *err)
{
    if (!p->model.session)
        return error_set(err, ERR_USAGE, _("no model is open; choose one"));
    return prompt_build(p->model.engine, session_context(p->model.session), request, prompt, err);
}

/* A prompt that is too long is an answer too: its length says so. */
static bool local_plan(Provider *base, const Request *request, const EventSink *sink)
{
    LocalProvider *p = (LocalProvider *)base;
    Prompt prompt = PROMPT_INIT;
    Error err = ERROR_INIT;
    bool good = plan_prompt(p, request, &prompt, &err) || (err.kind == ERR_CONTEXT && prompt.ids.n);

    if (good) {
        Event *event = event_new(EVENT_PLAN);
        SyncCounts counts = session_plan(p->model.session, &prompt.ids);

        event->usage = (Usage){
            .prompt = counts.prompt,
            .reused = counts.reused,
            .computed = counts.computed,
            .context = session_context(p->model.session),
        };
        event->timing.prefill = counts.computed * p->ms_a_token;
        event->window_from = prompt.window_from;
        sink->emit(sink->arg, event);
    }
    prompt_release(&prompt);
    return good || emit_failed(sink, &err);
}

/* ---- reading ahead ---- */

/* The prompt of the request with more text at its end. */
static bool build_longer(LocalProvider *p, const Request *request, Prompt *out, Error *err)
{
    Request longer = *request;
    size_t n = request->n_messages;
    Buf text = BUF_INIT;
    bool good;

    longer.message = xcalloc(n, sizeof *longer.message);
    memcpy(longer.message, request->message, n * sizeof *longer.message);
    buf_printf(&text, "%s x", request->message[n - 1].text);
    longer.message[n - 1].text = (char *)buf_cstr(&text);
    good = prompt_build(p->model.engine, session_context(p->model.session), &longer, out, err);
    free(longer.message);
    buf_release(&text);
    return good;
}

/* How much of the prompt stays when the draft at its end grows: the format's words behind the draft
 * do not, nor does its last word perhaps.  0 too when messages would leave the window. */
static size_t settled(LocalProvider *p, const Request *request, Prompt *prompt)
{
    Prompt longer = PROMPT_INIT;
    Error ignored = ERROR_INIT;
    size_t n = 0;

    if (prompt_build(p->model.engine, session_context(p->model.session), request, prompt,
                     &ignored) &&
        build_longer(p, request, &longer, &ignored) && prompt->window_from == longer.window_from)
        n = tokens_common(prompt->ids.ids, prompt->ids.n, longer.ids.ids, longer.ids.n);
    prompt_release(&longer);
    return n > UNSETTLED ? n - UNSETTLED : 0;
}

/* In small batches, because one that is stopped half way is lost. */
static void local_preread(Provider *base, const Request *request, const EventSink *sink,
                          const atomic_bool *cancel)
{
    LocalProvider *p = (LocalProvider *)base;
    Reporter reporter = { sink, PHASE_PREFILL, -1 };
    Progress progress = { .cancel = cancel, .arg = &reporter, .poll = poll };
    Prompt prompt = PROMPT_INIT;
    Error ignored = ERROR_INIT;
    size_t n = p->model.session && request->n_messages ? settled(p, request, &prompt) : 0, at;
    bool good = n > 0;

    prompt.ids.n = good ? n : prompt.ids.n;
    at = good ? (size_t)session_plan(p->model.session, &prompt.ids).reused : 0;
    if (at + 1 == n && (size_t)session_length(p->model.session) >= n)
        at = n; /* all but the last is surely there: nothing to win */
    while (good && at < n && !atomic_load(cancel)) {
        Tokens part = prompt.ids;
        SyncCounts counts;
        int64_t start = clock_mono_us();

        at = part.n = at + PREREAD_BATCH < n ? at + PREREAD_BATCH : n;
        good = session_sync(p->model.session, &part, &progress, &counts, &ignored);
        if (good)
            note_speed(p, counts.computed, ms_since(start));
    }
    prompt_release(&prompt);
}

const ProviderKind provider_local = {
    .name = "local",
    .open = local_open,
    .close = local_close,
    .open_model = local_open_model,
    .generate = local_generate,
    .plan = local_plan,
    .close_model = local_close_model,
    .preread = local_preread,
};
