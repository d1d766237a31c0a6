/* Plays a script: counting made-up tokens, and the gate that replays drive. */
#include "config.h"

#include "src/provider_script.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/utf8.h"
#include "src/script.h"

enum {
    SLICE_MS = 5, /* of waiting, between looks at the stop flag */
    SCRIPT_CONTEXT = 4096,
};

/* ---- the gate ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool closed;
    int released;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER };

void provider_script_gate(bool closed)
{
    pthread_mutex_lock(&gate.lock);
    gate.closed = closed;
    gate.released = 0;
    pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.lock);
}

void provider_script_release(int n)
{
    pthread_mutex_lock(&gate.lock);
    gate.released += n;
    pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.lock);
}

static bool gate_is_closed(void)
{
    pthread_mutex_lock(&gate.lock);
    bool closed = gate.closed;
    pthread_mutex_unlock(&gate.lock);
    return closed;
}

/* Waits a slice of real time at most; true when one event may pass. */
static bool gate_pass(void)
{
    struct timespec until;
    bool pass;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += SLICE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&gate.lock);
    if (gate.closed && gate.released == 0)
        pthread_cond_timedwait(&gate.opened, &gate.lock, &until);
    pass = !gate.closed || gate.released > 0;
    if (gate.closed && pass)
        gate.released--;
    pthread_mutex_unlock(&gate.lock);
    return pass;
}

/* ---- opening and closing ---- */

typedef struct {
    Provider base; /* first */
    char *path;
    Script script;
    size_t next; /* index of the `reply` that the next GENERATE plays */
    bool open;
    char *name;
    int context;
    Tokens cache; /* made-up tokens of the last prompt and reply */
} ScriptProvider;

static void script_close(Provider *base)
{
    ScriptProvider *p = (ScriptProvider *)base;

    script_release(&p->script);
    free(p->path);
    free(p->name);
    tokens_release(&p->cache);
    free(p);
}

static Provider *script_open(const char *argument, Error *err)
{
    ScriptProvider *p;

    if (!*argument) {
        error_set(err, ERR_USAGE, _("script: a file is needed; write script:FILE"));
        return NULL;
    }
    p = xcalloc(1, sizeof *p);
    p->base.kind = &provider_script;
    p->path = xstrdup(argument);
    p->context = SCRIPT_CONTEXT;
    if (!script_read(&p->script, argument, err)) {
        script_close(&p->base);
        return NULL;
    }
    while (p->script.step[p->next].kind != STEP_REPLY)
        p->next++;
    return &p->base;
}

/* ---- made-up tokens ---- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The next word (letters and digits of ASCII with the space before them) or character. */
static Str cut_token(Str *rest)
{
    size_t n = 0;
    Str token;

    if (rest->data[0] == ' ')
        n++;
    while (n < rest->len && is_word(rest->data[n]))
        n++;
    if (n == 0 || (n == 1 && rest->data[0] == ' ')) {
        n = 0;
        utf8_next(*rest, &n);
    }
    token = str_sub(*rest, 0, n);
    *rest = str_from_offset(*rest, n);
    return token;
}

static int32_t token_id(Str token)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < token.len; i++)
        hash = (hash ^ (unsigned char)token.data[i]) * 16777619u;
    return (int32_t)(hash >> 1);
}

static void count_text(Str text, Tokens *out)
{
    while (text.len)
        tokens_push(out, token_id(cut_token(&text)));
}

/* Roles are tokens too: three around each message, as in a real format. */
static void count_prompt(const Request *request, Tokens *out)
{
    for (size_t i = 0; i < request->n_messages; i++) {
        const RequestMessage *message = &request->message[i];

        if (i > 0 && i < request->window_from)
            continue;
        tokens_push(out, -1);
        tokens_push(out, -2 - (int32_t)message->role);
        count_text(str_from(message->text), out);
        if (!request->continue_last || i + 1 < request->n_messages)
            tokens_push(out, -9);
    }
    if (!request->continue_last) {
        tokens_push(out, -1);
        tokens_push(out, -2 - (int32_t)ROLE_ASSISTANT);
    }
}

static Usage count_usage(const ScriptProvider *p, const Tokens *prompt)
{
    size_t reused = tokens_common(p->cache.ids, p->cache.n, prompt->ids, prompt->n);

    if (prompt->n && reused >= prompt->n)
        reused = prompt->n - 1;
    return (Usage){
        .prompt = (int)prompt->n,
        .reused = (int)reused,
        .computed = (int)(prompt->n - reused),
        .context = p->context,
    };
}

/* ---- playing ---- */

typedef struct {
    ScriptProvider *p;
    const EventSink *sink;
    const atomic_bool *cancel;
    RequestKind answers;
    bool want_ids;
    Tokens prompt;
    Buf text; /* of the reply so far */
    Usage usage;
    Timing timing;
    bool has_timing;
    size_t window_from;
    int64_t start;
} Play;

static bool is_cancelled(const Play *play)
{
    return play->cancel && atomic_load(play->cancel);
}

/* Puts an event out, waiting at the gate; false when stopped instead. */
static bool send(Play *play, Event *event)
{
    while (!is_cancelled(play) && !gate_pass())
        play->sink->poll(play->sink->arg);
    if (is_cancelled(play)) {
        event_free(event);
        return false;
    }
    play->sink->emit(play->sink->arg, event);
    play->sink->poll(play->sink->arg);
    return true;
}

static bool wait_ms(Play *play, int ms)
{
    while (ms > 0 && !is_cancelled(play) && !gate_is_closed()) {
        int slice = ms < SLICE_MS ? ms : SLICE_MS;
        struct timespec time = { 0, slice * 1000000L };

        nanosleep(&time, NULL);
        play->sink->poll(play->sink->arg);
        ms -= slice;
    }
    return !is_cancelled(play);
}

static bool send_text(Play *play, Str text, bool thinking)
{
    Event *event = event_new(EVENT_TEXT);
    Tokens tokens = TOKENS_INIT;

    count_text(text, &tokens);
    play->usage.generated += (int)tokens.n;
    tokens_release(&tokens);
    if (!play->text.len && !play->has_timing)
        play->timing.first = (double)(clock_mono_us() - play->start) / 1000.0;
    buf_append_str(&play->text, text);
    buf_append_str(&event->text, text);
    event->thinking = thinking;
    event->usage = play->usage;
    return send(play, event);
}

static bool send_stream(Play *play, Str text, int ms)
{
    bool good = true;

    while (good && text.len)
        good = send_text(play, cut_token(&text), false) && wait_ms(play, ms);
    return good;
}

static bool send_progress(Play *play, const ScriptStep *step)
{
    Event *event = event_new(EVENT_PROGRESS);

    event->phase = play->answers == REQUEST_OPEN ? PHASE_LOAD : PHASE_PREFILL;
    event->done = step->number[0];
    event->total = step->number[1];
    return send(play, event);
}

/* The steps that take their time.  False when stopped. */
static bool play_step(Play *play, const ScriptStep *step)
{
    Str text = buf_str(&step->text);

    switch (step->kind) {
    case STEP_PROGRESS:
        return send_progress(play, step);
    case STEP_WAIT:
        return wait_ms(play, step->number[0]);
    case STEP_TEXT:
        return send_text(play, text, false);
    case STEP_THINKING:
        return send_text(play, text, true);
    case STEP_STREAM:
        return send_stream(play, text, step->number[0]);
    default:
        return true;
    }
}

static bool send_failed(Play *play, ErrorKind kind, const char *text)
{
    Event *event = event_new(EVENT_FAILED);

    error_set(&event->error, kind, "%s", text);
    if (kind == ERR_CANCELLED)
        play->sink->emit(play->sink->arg, event);
    else if (!send(play, event))
        return send_failed(play, ERR_CANCELLED, _("stopped"));
    return false;
}

/* ---- OPEN ---- */

static void read_name(ScriptProvider *p, Str text)
{
    Str name = script_word(&text);
    long long context;

    free(p->name);
    p->name = xstrndup(name.len ? name.data : "script", name.len ? name.len : strlen("script"));
    if (str_to_long(str_trim(text), &context) && context > 0 && context < 1 << 24)
        p->context = (int)context;
}

static Event *opened_event(const ScriptProvider *p, double load_ms)
{
    Event *event = event_new(EVENT_OPENED);

    event->model = (ModelSummary){
        .name = xstrdup(p->name ? p->name : "script"),
        .path = xstrdup(p->path),
        .quant = xstrdup(""),
        .backend = xstrdup("script"),
        .chat_format = xstrdup("script"),
        .tokenizer_key = xstrdup("script"),
        .context = p->context,
        .n_vocab = 1,
        .load_ms = load_ms,
        .sampling = SAMPLING_INIT,
    };
    return event;
}

static bool script_open_model(Provider *base, const Request *request, const EventSink *sink,
                              const atomic_bool *cancel)
{
    ScriptProvider *p = (ScriptProvider *)base;
    Play play = {
        .p = p, .sink = sink, .cancel = cancel, .answers = REQUEST_OPEN, .start = clock_mono_us()
    };

    p->open = false;
    tokens_truncate(&p->cache, 0);
    for (size_t i = 0; i < p->script.n && p->script.step[i].kind != STEP_REPLY; i++) {
        const ScriptStep *step = &p->script.step[i];

        if (step->kind == STEP_OPEN)
            read_name(p, buf_str(&step->text));
        if (step->kind == STEP_FAIL)
            return send_failed(&play, ERR_NOT_FOUND, buf_cstr(&step->text));
        if (!play_step(&play, step))
            return send_failed(&play, ERR_CANCELLED, _("stopped"));
    }
    if (request->context > 0)
        p->context = request->context;
    if (!send(&play, opened_event(p, (double)(clock_mono_us() - play.start) / 1000.0)))
        return send_failed(&play, ERR_CANCELLED, _("stopped"));
    p->open = true;
    return true;
}

static void script_close_model(Provider *base)
{
    ((ScriptProvider *)base)->open = false;
}

/* ---- GENERATE ---- */

static size_t next_reply(const ScriptProvider *p, size_t after)
{
    for (size_t i = 1; i <= p->script.n; i++)
        if (p->script.step[(after + i) % p->script.n].kind == STEP_REPLY)
            return (after + i) % p->script.n;
    return after;
}

/* What STARTED and DONE report stands before them in the reply. */
static void read_numbers(Play *play, size_t from)
{
    const ScriptProvider *p = play->p;

    for (size_t i = from; i < p->script.n && p->script.step[i].kind != STEP_REPLY; i++) {
        const int *number = p->script.step[i].number;

        if (p->script.step[i].kind == STEP_WINDOW)
            play->window_from = (size_t)number[0];
        if (p->script.step[i].kind == STEP_USAGE) {
            play->usage.prompt = number[0];
            play->usage.reused = number[1] < number[0] ? number[1] : number[0];
            play->usage.computed = play->usage.prompt - play->usage.reused;
        }
        if (p->script.step[i].kind == STEP_TIMING) {
            play->timing =
                (Timing){ .first = number[0], .prefill = number[1], .decode = number[2] };
            play->has_timing = true;
        }
    }
}

static DoneReason reason_of(Str name)
{
    for (int i = DONE_EOS; i <= DONE_CANCELLED; i++)
        if (str_eq_c(name, done_reason_name((DoneReason)i)))
            return (DoneReason)i;
    return DONE_EOS;
}

/* The last token of a reply is not in the cache, as in a real session. */
static void fill_cache(Play *play)
{
    ScriptProvider *p = play->p;

    tokens_truncate(&p->cache, 0);
    tokens_append(&p->cache, play->prompt.ids, play->prompt.n);
    count_text(buf_str(&play->text), &p->cache);
    if (p->cache.n > play->prompt.n)
        tokens_truncate(&p->cache, p->cache.n - 1);
}

static bool finish(Play *play, DoneReason reason)
{
    Event *event = event_new(EVENT_DONE);

    fill_cache(play);
    if (!play->has_timing)
        play->timing.decode = (double)(clock_mono_us() - play->start) / 1000.0 - play->timing.first;
    event->usage = play->usage;
    event->timing = play->timing;
    event->reason = reason;
    if (play->want_ids)
        tokens_append(&event->prompt_ids, play->prompt.ids, play->prompt.n);
    if (reason == DONE_CANCELLED) {
        play->sink->emit(play->sink->arg, event);
        return true;
    }
    return send(play, event) || finish(play, DONE_CANCELLED);
}

static bool play_reply(Play *play, size_t from)
{
    const ScriptProvider *p = play->p;
    Event *started = event_new(EVENT_STARTED);

    read_numbers(play, from);
    started->usage = play->usage;
    started->window_from = play->window_from;
    if (!send(play, started))
        return finish(play, DONE_CANCELLED);
    for (size_t i = from; i < p->script.n && p->script.step[i].kind != STEP_REPLY; i++) {
        const ScriptStep *step = &p->script.step[i];

        if (step->kind == STEP_FAIL)
            return send_failed(play, ERR_DEVICE, buf_cstr(&step->text));
        if (step->kind == STEP_DONE)
            return finish(play, reason_of(buf_str(&step->text)));
        if (!play_step(play, step))
            return finish(play, DONE_CANCELLED);
    }
    return finish(play, DONE_EOS);
}

static bool script_generate(Provider *base, const Request *request, const EventSink *sink,
                            const atomic_bool *cancel)
{
    ScriptProvider *p = (ScriptProvider *)base;
    Play play = {
        .p = p,
        .sink = sink,
        .cancel = cancel,
        .answers = REQUEST_GENERATE,
        .want_ids = request->want_ids,
        .window_from = request->window_from,
        .start = clock_mono_us(),
    };
    size_t reply = p->next;
    bool good;

    if (!p->open)
        return send_failed(&play, ERR_USAGE, _("no model is open; choose one"));
    p->next = next_reply(p, p->next);
    count_prompt(request, &play.prompt);
    play.usage = count_usage(p, &play.prompt);
    good = play_reply(&play, reply + 1);
    tokens_release(&play.prompt);
    buf_release(&play.text);
    return good;
}

static bool script_plan(Provider *base, const Request *request, const EventSink *sink)
{
    ScriptProvider *p = (ScriptProvider *)base;
    Tokens prompt = TOKENS_INIT;
    Event *event = event_new(p->open ? EVENT_PLAN : EVENT_FAILED);

    if (p->open) {
        count_prompt(request, &prompt);
        event->usage = count_usage(p, &prompt);
        event->timing.prefill = event->usage.computed;
        tokens_release(&prompt);
    } else {
        error_set(&event->error, ERR_USAGE, _("no model is open; choose one"));
    }
    sink->emit(sink->arg, event);
    return p->open;
}

const ProviderKind provider_script = {
    .name = "script",
    .open = script_open,
    .close = script_close,
    .open_model = script_open_model,
    .generate = script_generate,
    .plan = script_plan,
    .close_model = script_close_model,
};
