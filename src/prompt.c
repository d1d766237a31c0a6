/* Rendering a request, and the window over a conversation that has become too long. */
#include "config.h"

#include "src/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"

void prompt_release(Prompt *prompt)
{
    tokens_release(&prompt->ids);
}

/* ---- rendering ---- */

typedef struct {
    const Engine *engine;
    const Request *request;
    ChatMessage *message; /* all of the request's */
    ChatMessage *shown;   /* room for those in the window */
    size_t first;         /* 1 when message 0 is the system prompt */
    Prompt *out;
} Builder;

static ChatMessage convert(const RequestMessage *message, const char *tokenizer_key)
{
    ChatMessage out = { .role = message->role, .text = str_from(message->text) };

    if (message->ids.n && message->tokenizer_key &&
        strcmp(message->tokenizer_key, tokenizer_key) == 0) {
        out.ids = message->ids.ids;
        out.n_ids = message->ids.n;
    }
    return out;
}

static void builder_init(Builder *b, const Engine *engine, const Request *request, Prompt *out)
{
    ModelInfo info;

    engine_info(engine, &info);
    *b = (Builder){
        .engine = engine,
        .request = request,
        .message = xcalloc(request->n_messages + 1, sizeof *b->message),
        .shown = xcalloc(request->n_messages + 1, sizeof *b->shown),
        .first = request->n_messages && request->message[0].role == ROLE_SYSTEM,
        .out = out,
    };
    for (size_t i = 0; i < request->n_messages; i++)
        b->message[i] = convert(&request->message[i], info.tokenizer_key);
}

static void builder_release(Builder *b)
{
    free(b->message);
    free(b->shown);
}

/* The prompt with messages from `from` on. */
static bool render(Builder *b, size_t from, Error *err)
{
    size_t n = 0;

    if (b->first)
        b->shown[n++] = b->message[0];
    for (size_t i = from; i < b->request->n_messages; i++)
        b->shown[n++] = b->message[i];
    tokens_truncate(&b->out->ids, 0);
    b->out->window_from = from > b->first ? from : 0;
    return engine_render(b->engine, b->shown, n, b->request->continue_last, &b->out->ids, err);
}

/* ---- the window ---- */

/* Starts of turns after `from`: user messages.  starts has room for all. */
static size_t find_turns(const Builder *b, size_t from, size_t *starts)
{
    size_t n = 0;

    for (size_t i = from + 1; i < b->request->n_messages; i++)
        if (b->message[i].role == ROLE_USER)
            starts[n++] = i;
    return n;
}

/* Drops the fewest turns that bring the prompt down to `most` tokens; the last turn stays. */
static bool drop_turns(Builder *b, size_t from, size_t most, Error *err)
{
    size_t *starts = xcalloc(b->request->n_messages + 1, sizeof *starts);
    size_t n = find_turns(b, from, starts), low = 0, high = n ? n - 1 : 0;
    bool good = true;

    while (good && low < high) {
        size_t middle = (low + high) / 2;

        good = render(b, starts[middle], err);
        if (b->out->ids.n <= most)
            high = middle;
        else
            low = middle + 1;
    }
    if (good && n)
        good = render(b, starts[low], err);
    free(starts);
    return good;
}

static size_t start_of_window(const Builder *b)
{
    size_t from = b->request->window_from > b->first ? b->request->window_from : b->first,
           last = b->request->n_messages;

    while (last > b->first && b->message[last - 1].role != ROLE_USER)
        last--;
    last = last > b->first ? last - 1 : b->first;
    return from < last ? from : last;
}

static int reserve_for_reply(int context, int max_tokens)
{
    int quarter = context / 4;

    return max_tokens > 0 && max_tokens < quarter ? max_tokens : quarter;
}

static bool build_chat(Builder *b, int context, Error *err)
{
    size_t from = start_of_window(b), room = (size_t)context,
           reserve = (size_t)reserve_for_reply(context, b->request->max_tokens);

    if (!render(b, from, err))
        return false;
    if (b->out->ids.n + reserve > room && !drop_turns(b, from, room * 6 / 10, err))
        return false;
    if (b->out->ids.n < room)
        return true;
    return error_set(
        err, ERR_CONTEXT,
        _("the message does not fit: with the system prompt it takes %zu tokens, and the "
          "context holds %d; shorten it, or take a larger --context"),
        b->out->ids.n, context);
}

static bool build_raw(const Engine *engine, const Request *request, Tokens *out, Error *err)
{
    int32_t bos = engine_bos(engine);

    if (bos >= 0)
        tokens_push(out, bos);
    return engine_tokenize(engine, str_from(request->n_messages ? request->message[0].text : ""),
                           false, out, err);
}

bool prompt_build(const Engine *engine, int context, const Request *request, Prompt *out,
                  Error *err)
{
    bool good = true;

    if (request->use_ids) {
        tokens_append(&out->ids, request->prompt_ids.ids, request->prompt_ids.n);
    } else if (request->raw) {
        good = build_raw(engine, request, &out->ids, err);
    } else {
        Builder b;

        builder_init(&b, engine, request, out);
        good = build_chat(&b, context, err);
        builder_release(&b);
        return good;
    }
    if (good && !out->ids.n)
        return error_set(err, ERR_USAGE, _("the prompt is empty; give a text"));
    if (good && out->ids.n > (size_t)context)
        return error_set(
            err, ERR_CONTEXT,
            _("the prompt does not fit: it takes %zu tokens, and the context holds %d; shorten it, "
              "or take a larger --context"),
            out->ids.n, context);
    return good;
}
