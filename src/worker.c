/* The worker thread: requests in, events out, a provider in between.
 *
 * While a reply is generated the provider calls back between tokens (the sink's poll): then the
 * inbox is looked at, plans are answered at once, CLOSE and QUIT stop the reply, and all else
 * waits in a list of the worker's own.  Reading ahead runs only while nothing waits, and ends as
 * soon as something does. */
#include "config.h"

#include "src/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"

struct Worker {
    /* UI thread only */
    pthread_t thread;
    MailItem *taken; /* events out of the mailbox, not yet given out */
    uint64_t last_serial;

    /* shared */
    Mailbox *inbox, *outbox;
    pthread_mutex_t lock; /* guards the next two */
    uint64_t running;     /* serial of the request that runs; 0: none */
    uint64_t cancelled;   /* requests up to this serial are to end */
    atomic_bool cancel;   /* stops what runs */

    /* worker thread only */
    Provider *provider;
    const Request *current;  /* whose events are being sent */
    MailItem *first, **last; /* requests that wait */
    bool quit;
};

/* ---- worker thread ---- */

static void send(void *arg, Event *event)
{
    Worker *w = arg;

    event->serial = w->current->serial;
    event->answers = w->current->kind;
    mailbox_push(w->outbox, &event->mail);
}

static void ignore_poll(void *arg)
{
    (void)arg;
}

static bool is_cancelled(Worker *w, const Request *request)
{
    pthread_mutex_lock(&w->lock);
    bool cancelled = request->serial <= w->cancelled;
    pthread_mutex_unlock(&w->lock);
    return cancelled;
}

static void answer_plan(Worker *w, const Request *plan)
{
    const EventSink sink = { send, ignore_poll, w };
    const Request *before = w->current;

    w->current = plan;
    w->provider->kind->plan(w->provider, plan, &sink);
    w->current = before;
}

static void append(Worker *w, Request *request)
{
    request->mail.next = NULL;
    *w->last = &request->mail;
    w->last = &request->mail.next;
}

/* Ends what was asked before `serial`. */
static void cancel_before(Worker *w, uint64_t serial)
{
    pthread_mutex_lock(&w->lock);
    if (w->cancelled < serial - 1)
        w->cancelled = serial - 1;
    if (w->running && w->running < serial)
        atomic_store(&w->cancel, true);
    pthread_mutex_unlock(&w->lock);
}

/* Moves what has come in to the list of what waits.  generating: the provider is in between two
 * tokens. */
static void drain(Worker *w, bool generating)
{
    MailItem *next, *item = mailbox_take(w->inbox);

    for (; item; item = next) {
        Request *request = (Request *)item;

        next = item->next;
        if (request->kind == REQUEST_PLAN && generating) {
            answer_plan(w, request);
            request_free(request);
            continue;
        }
        if (request->kind == REQUEST_QUIT || request->kind == REQUEST_CLOSE)
            cancel_before(w, request->serial);
        if (request->kind == REQUEST_QUIT)
            w->quit = true;
        append(w, request);
    }
}

static void poll_generating(void *arg)
{
    drain(arg, true);
}

static void poll_opening(void *arg)
{
    drain(arg, false);
}

/* Whatever has come is worth more than reading ahead. */
static void poll_prereading(void *arg)
{
    Worker *w = arg;

    drain(w, true);
    if (w->first)
        atomic_store(&w->cancel, true);
}

static void preread(Worker *w, const Request *request)
{
    const EventSink sink = { send, poll_prereading, w };

    if (w->provider->kind->preread && !w->first)
        w->provider->kind->preread(w->provider, request, &sink, &w->cancel);
}

static void send_ended(Worker *w, const Request *request)
{
    Event *event = event_new(request->kind == REQUEST_GENERATE ? EVENT_DONE : EVENT_FAILED);

    event->reason = DONE_CANCELLED;
    if (event->kind == EVENT_FAILED)
        error_set(&event->error, ERR_CANCELLED, "%s", _("stopped"));
    send(w, event);
}

static void run_provider(Worker *w, const Request *request)
{
    const ProviderKind *kind = w->provider->kind;
    const EventSink opening = { send, poll_opening, w }, generating = { send, poll_generating, w };

    switch (request->kind) {
    case REQUEST_OPEN:
        kind->open_model(w->provider, request, &opening, &w->cancel);
        break;
    case REQUEST_GENERATE:
        kind->generate(w->provider, request, &generating, &w->cancel);
        break;
    case REQUEST_PLAN:
        answer_plan(w, request);
        break;
    case REQUEST_CLOSE:
        kind->close_model(w->provider);
        send(w, event_new(EVENT_CLOSED));
        break;
    case REQUEST_QUIT:
        w->quit = true;
        break;
    case REQUEST_PREREAD:
        preread(w, request);
        break;
    }
}

static void run(Worker *w, const Request *request)
{
    bool ends = request->kind != REQUEST_CLOSE && request->kind != REQUEST_QUIT;

    w->current = request;
    pthread_mutex_lock(&w->lock);
    w->running = request->serial;
    atomic_store(&w->cancel, false);
    pthread_mutex_unlock(&w->lock);
    if (!ends || !is_cancelled(w, request))
        run_provider(w, request);
    else if (request->kind != REQUEST_PREREAD)
        send_ended(w, request);
    pthread_mutex_lock(&w->lock);
    w->running = 0;
    pthread_mutex_unlock(&w->lock);
    w->current = NULL;
}

static Request *take_waiting(Worker *w)
{
    Request *request = (Request *)w->first;

    if (request && !(w->first = request->mail.next))
        w->last = &w->first;
    return request;
}

static void *work(void *arg)
{
    Worker *w = arg;

    while (!w->quit) {
        Request *request;

        drain(w, false);
        request = take_waiting(w);
        if (request)
            run(w, request);
        else
            mailbox_wait(w->inbox, -1);
        request_free(request);
    }
    w->provider->kind->close_model(w->provider);
    return NULL;
}

/* ---- UI thread ---- */

static bool start_thread(Worker *w, Error *err)
{
    sigset_t all, before;
    int failed;

    /* Signals are the UI thread's. */
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed ||
           error_set(err, ERR_SYSTEM, "%s", _("cannot start a thread; close other programs"));
}

static void release(Worker *w)
{
    provider_close(w->provider);
    mailbox_free(w->inbox);
    mailbox_free(w->outbox);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

Worker *worker_start(Provider *provider, Error *err)
{
    Worker *w = xcalloc(1, sizeof *w);

    w->provider = provider;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    w->inbox = mailbox_new(err);
    w->outbox = w->inbox ? mailbox_new(err) : NULL;
    if (w->outbox && start_thread(w, err))
        return w;
    release(w);
    return NULL;
}

static void free_requests(MailItem *item)
{
    for (MailItem *next; item; item = next) {
        next = item->next;
        request_free((Request *)item);
    }
}

static void free_events(MailItem *item)
{
    for (MailItem *next; item; item = next) {
        next = item->next;
        event_free((Event *)item);
    }
}

void worker_stop(Worker *w)
{
    if (!w)
        return;
    worker_cancel(w);
    worker_ask(w, request_new(REQUEST_QUIT));
    pthread_join(w->thread, NULL);
    free_requests(w->first);
    free_requests(mailbox_take(w->inbox));
    free_events(w->taken);
    free_events(mailbox_take(w->outbox));
    release(w);
}

uint64_t worker_ask(Worker *w, Request *request)
{
    uint64_t serial = ++w->last_serial;

    request->serial = serial;
    mailbox_push(w->inbox, &request->mail); /* the worker's from here on */
    return serial;
}

void worker_cancel(Worker *w)
{
    cancel_before(w, w->last_serial + 1);
}

int worker_fd(const Worker *w)
{
    return mailbox_fd(w->outbox);
}

Event *worker_take(Worker *w)
{
    Event *event;

    if (!w->taken)
        w->taken = mailbox_take(w->outbox);
    event = (Event *)w->taken;
    if (event)
        w->taken = event->mail.next;
    return event;
}

bool worker_wait(Worker *w, int timeout_ms)
{
    return w->taken || mailbox_wait(w->outbox, timeout_ms);
}
