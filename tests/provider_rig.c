/* A provider asked directly, and a record of everything that it emits. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "src/base/mem.h"
#include "src/base/utf8.h"
#include "src/provider_script.h"
#include "tests/provider_rig.h"
#include "tests/tiny_model.h"

static void record_event(void *arg, Event *event)
{
    Record *r = arg;
    assert_true(r->n < MAX_EVENTS);
    r->event[r->n++] = event;
}

static void record_poll(void *arg)
{
    Record *r = arg;
    if (r->plan)
        r->provider->kind->plan(r->provider, r->plan, &r->sink);
    if (++r->polls == r->stop_at_poll)
        atomic_store(&r->cancel, true);
}

void forget(Record *r)
{
    for (size_t i = 0; i < r->n; i++)
        event_free(r->event[i]);
    r->n = 0;
    r->polls = 0;
    atomic_store(&r->cancel, false);
}

Event *find(const Record *r, EventKind kind)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->event[i]->kind == kind)
            return r->event[i];
    return NULL;
}

Event *last(const Record *r)
{
    return r->n ? r->event[r->n - 1] : NULL;
}

void join(const Record *r, Buf *text, Tokens *ids)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->event[i]->kind == EVENT_TEXT) {
            buf_append_str(text, buf_str(&r->event[i]->text));
            assert_true(utf8_valid(buf_str(&r->event[i]->text)));
        }
        if (r->event[i]->kind == EVENT_TEXT || r->event[i]->kind == EVENT_DONE)
            tokens_append(ids, r->event[i]->ids.ids, r->event[i]->ids.n);
    }
}

void record_init(Record *r, Provider *provider)
{
    r->provider = provider;
    r->sink = (EventSink){ record_event, record_poll, r };
}

int open_record(void **state, const char *spec)
{
    Record *r = calloc(1, sizeof *r);
    Error err = ERROR_INIT;
    record_init(r, provider_open(spec, &err));
    if (!r->provider)
        fail_msg("%s", err.text);
    *state = r;
    return 0;
}

int close_record(void **state)
{
    Record *r = *state;
    forget(r);
    provider_close(r->provider);
    if (r->dir[0])
        tiny_remove_dir(r->dir);
    free(r);
    provider_script_gate(false);
    return 0;
}

void open_model(Record *r, const char *path, int context)
{
    Request *request = request_new(REQUEST_OPEN);
    request->model = xstrdup(path);
    request->backend = xstrdup("cpu");
    request->threads = 1;
    request->context = context;
    if (!r->provider->kind->open_model(r->provider, request, &r->sink, &r->cancel))
        fail_msg("%s", last(r)->error.text);
    request_free(request);
}

Request *generate_request(const char *text, int max_tokens)
{
    Request *request = request_new(REQUEST_GENERATE);
    request->sampling = (Sampling){ .top_p = 1, .repeat_penalty = 1 };
    request->max_tokens = max_tokens;
    if (text)
        request_add(request, ROLE_USER, str_from(text));
    return request;
}

bool generate(Record *r, const Request *request)
{
    forget(r);
    return r->provider->kind->generate(r->provider, request, &r->sink, &r->cancel);
}
