/* What is sent to the worker: the path of a conversation as a request. */
#include "config.h"

#include <stdlib.h>

#include "src/base/mem.h"
#include "src/chat_parts.h"

static bool is_sent(const Message *message)
{
    return !message->excluded && (message->text.len || message->ids.n);
}

static void add_message(Request *request, const Message *message)
{
    RequestMessage *out = request_add(request, message->role, buf_str(&message->text));

    if (message->tokenizer_key && message->ids.n) {
        tokens_append(&out->ids, message->ids.ids, message->ids.n);
        out->tokenizer_key = xstrdup(message->tokenizer_key);
    }
}

Request *chat_request(const Chat *chat, RequestKind kind, const char *system, int64_t **sent)
{
    const Conversation *c = chat->conversation;
    Request *request = request_new(kind);
    size_t n = conversation_path(c, NULL, 0);
    Message **path = xcalloc(n + 1, sizeof *path);
    int64_t *ids = xcalloc(n + 2, sizeof *ids);
    Str prompt = system ? str_from(system) : buf_str(&c->system);
    bool in_window = chat->window_id == 0;

    conversation_path(c, path, n);
    if (prompt.len)
        request_add(request, ROLE_SYSTEM, prompt);
    for (size_t i = 0; i < n; i++) {
        bool starts = path[i]->id == chat->window_id;

        if (starts)
            in_window = true;
        if (in_window && chat->window_id && request->window_from == 0)
            request->window_from = request->n_messages;
        if (!is_sent(path[i]))
            continue;
        ids[request->n_messages] = path[i]->id;
        add_message(request, path[i]);
    }
    request->sampling = c->sampling;
    request->max_tokens = c->max_tokens;
    request->stop = xcalloc(chat->options.n_stop + 1, sizeof *request->stop);
    for (size_t i = 0; i < chat->options.n_stop; i++)
        request->stop[request->n_stop++] = xstrdup(chat->options.stop[i]);
    request->want_ids = chat->options.want_ids;
    free(path);
    if (sent)
        *sent = ids;
    else
        free(ids);
    return request;
}
