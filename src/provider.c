/* Requests and events as objects, and the table of providers. */
#include "config.h"

#include "src/provider.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/provider_local.h"
#include "src/provider_script.h"

/* ---- requests ---- */

Request *request_new(RequestKind kind)
{
    Request *request = xcalloc(1, sizeof *request);

    request->kind = kind;
    request->sampling = (Sampling)SAMPLING_INIT;
    return request;
}

static void message_release(RequestMessage *message)
{
    free(message->text);
    free(message->tokenizer_key);
    tokens_release(&message->ids);
}

void request_free(Request *request)
{
    if (!request)
        return;
    for (size_t i = 0; i < request->n_messages; i++)
        message_release(&request->message[i]);
    for (size_t i = 0; i < request->n_stop; i++)
        free(request->stop[i]);
    free(request->message);
    free(request->stop);
    free(request->model);
    free(request->backend);
    free(request->isa);
    free(request->decoder);
    free(request->chat_format);
    tokens_release(&request->prompt_ids);
    free(request);
}

RequestMessage *request_add(Request *request, Role role, Str text)
{
    RequestMessage *message;

    request->message =
        xreallocarray(request->message, request->n_messages + 1, sizeof *request->message);
    message = &request->message[request->n_messages++];
    *message =
        (RequestMessage){ .role = role, .text = xstrndup(text.len ? text.data : "", text.len) };
    return message;
}

/* ---- events ---- */

const char *done_reason_name(DoneReason reason)
{
    static const char *const names[] = {
        [DONE_EOS] = "eos",         [DONE_STOP] = "stop",           [DONE_LENGTH] = "length",
        [DONE_CONTEXT] = "context", [DONE_CANCELLED] = "cancelled",
    };

    return names[reason];
}

Event *event_new(EventKind kind)
{
    Event *event = xcalloc(1, sizeof *event);

    event->kind = kind;
    event->end_id = -1;
    return event;
}

void event_free(Event *event)
{
    if (!event)
        return;
    buf_release(&event->text);
    tokens_release(&event->ids);
    tokens_release(&event->prompt_ids);
    free(event->model.name);
    free(event->model.path);
    free(event->model.quant);
    free(event->model.backend);
    free(event->model.chat_format);
    free(event->model.tokenizer_key);
    free(event->model.notice);
    free(event);
}

/* ---- providers ---- */

static const ProviderKind *const kinds[] = { &provider_local, &provider_script };

Provider *provider_open(const char *spec, Error *err)
{
    const char *colon = strchr(spec, ':');
    Str name = str_of(spec, colon ? (size_t)(colon - spec) : strlen(spec));

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq_c(name, kinds[i]->name))
            return kinds[i]->open(colon ? colon + 1 : "", err);
    error_set(err, ERR_USAGE, _("%s: there is no such provider; there are local and script:FILE"),
              spec);
    return NULL;
}

void provider_close(Provider *provider)
{
    if (provider)
        provider->kind->close(provider);
}
