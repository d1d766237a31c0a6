/* Where the options become a store, a worker, a conversation and a model. */
#include "config.h"

#include "src/start.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "src/base/i18n.h"
#include "src/base/log.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/chat.h"
#include "src/provider_script.h"

static const char LAST_MODEL[] = "last-model";

/* ---- the model ---- */

static void write_how_to_install(Buf *out)
{
    buf_printf(out, "%s\n",
               _("no model is installed yet; this fetches one into the cache of Hugging Face, "
                 "where kaiwa finds it:"));
    buf_puts(out, "    hf download " START_MODEL " --exclude model.safetensors\n");
    buf_printf(out, "%s\n", _("and this starts it:"));
    buf_puts(out, "    kaiwa -m " START_MODEL);
}

void start_no_model_write(Buf *out)
{
    ModelList list = { 0 };
    Error ignored = ERROR_INIT;

    if (!engine_list_models(&list, &ignored) || !list.n) {
        write_how_to_install(out);
    } else {
        buf_puts(out, _("no model is chosen yet; kaiwa -m NAME opens one of these:"));
        for (size_t i = 0; i < list.n; i++)
            buf_printf(out, "\n    %s", list.entry[i].name);
    }
    model_list_release(&list);
}

bool start_no_model(Error *err)
{
    Buf why = BUF_INIT;

    start_no_model_write(&why);
    error_set(err, ERR_NOT_FOUND, "%s", buf_cstr(&why));
    buf_release(&why);
    return false;
}

static bool get_last_model(Store *store, Buf *out)
{
    size_t before = out->len;

    if (store && store_get(store, LAST_MODEL, out) && path_exists(buf_cstr(out) + before))
        return true;
    buf_truncate(out, before); /* it was moved or deleted */
    return false;
}

/* A private chat has a store of its own that remembers nothing: the usual one is asked, and left as
 * it is. */
static bool get_last_model_unwritten(const Options *options, Buf *out)
{
    Error ignored = ERROR_INIT;
    Store *store = store_open_readonly(options_string(options, "db"), &ignored);
    bool found = get_last_model(store, out);

    if (store)
        store_close(store);
    return found;
}

bool start_bundled(Buf *out)
{
    size_t before = out->len;

    path_package_models(out);
    buf_puts(out, "/guide");
    if (path_exists(buf_cstr(out) + before))
        return true;
    buf_truncate(out, before);
    return false;
}

bool start_choose_model(const Options *options, Store *store, Buf *out)
{
    const char *model = options_string(options, "model"),
               *provider = options_string(options, "provider");

    if (model && *model) {
        buf_puts(out, model);
        return true;
    }
    if (strncmp(provider, "script", 6) == 0) {
        buf_puts(out, "script");
        return true;
    }
    if (store && !options_flag(options, "private") ? get_last_model(store, out)
                                                   : get_last_model_unwritten(options, out))
        return true;
    return start_bundled(out);
}

/* It is named by its real path once it was the last one used. */
bool start_is_bundled(const char *model)
{
    char real[PATH_MAX];
    Buf guide = BUF_INIT;
    bool is;

    is = start_bundled(&guide) &&
         (strcmp(model, buf_cstr(&guide)) == 0 ||
          (realpath(buf_cstr(&guide), real) && strcmp(model, real) == 0));
    buf_release(&guide);
    return is;
}

bool start_locate_model(const Options *options, Buf *path, Error *err)
{
    Buf model = BUF_INIT;
    bool good =
        start_choose_model(options, NULL, &model) ||
        error_set(err, ERR_NOT_FOUND, "%s",
                  _("no model: none is named and none was used before; name one with -m MODEL"));

    good = good && engine_locate(buf_cstr(&model), path, err);
    buf_release(&model);
    return good;
}

bool start_open_model(ChatStart *start, const char *model, Error *err)
{
    const Options *options = start->options;
    const char *format = options_string(options, "chat-format");
    Buf chosen = BUF_INIT;
    Request *open;

    if (model) {
        buf_puts(&chosen, model);
    } else if (!start_choose_model(options, start->store, &chosen)) {
        buf_release(&chosen); /* it has held places that were looked at */
        return start_no_model(err);
    }
    open = request_new(REQUEST_OPEN);
    open->model = buf_take(&chosen);
    open->backend = xstrdup(options_string(options, "backend"));
    open->isa = xstrdup(options_string(options, "isa"));
    open->decoder = xstrdup(options_string(options, "decoder"));
    open->chat_format = format && *format ? xstrdup(format) : NULL;
    open->threads = options_int(options, "threads");
    open->context = options_int(options, "context");
    open->kv_budget = options_int(options, "kv-budget");
    chat_open_model(start->chat, open);
    request_free(open);
    return true;
}

static bool same_sampling(const Sampling *a, const Sampling *b)
{
    return a->temperature == b->temperature && a->top_p == b->top_p && a->min_p == b->min_p &&
           a->repeat_penalty == b->repeat_penalty && a->frequency_penalty == b->frequency_penalty &&
           a->presence_penalty == b->presence_penalty && a->top_k == b->top_k &&
           a->repeat_window == b->repeat_window && a->seed == b->seed;
}

static void remember_model(ChatStart *start, const char *path)
{
    char absolute[PATH_MAX];
    Buf last = BUF_INIT;
    Error err = ERROR_INIT;

    if (!start->store || !path || options_flag(start->options, "private") ||
        !realpath(path, absolute))
        return;
    store_get(start->store, LAST_MODEL, &last);
    if (strcmp(buf_cstr(&last), absolute) != 0 &&
        !store_set(start->store, LAST_MODEL, str_from(absolute), &err))
        log_write(LOG_WARN, "last model not kept: %s", err.text);
    buf_release(&last);
}

void start_model_changed(ChatStart *start)
{
    const ModelSummary *model = chat_status(start->chat)->model;
    const Conversation *conversation = chat_conversation(start->chat);
    Sampling before, after;
    Error err = ERROR_INIT;

    if (!model)
        return;
    remember_model(start, model->path);
    options_sampling(start->options, NULL, &before);
    if (conversation->n_messages || !model->has_sampling ||
        !same_sampling(&before, &conversation->sampling))
        return;
    options_sampling(start->options, &model->sampling, &after);
    if (!chat_set_sampling(start->chat, &after, &err))
        log_write(LOG_WARN, "sampling of the model not taken: %s", err.text);
}

/* ---- the conversation ---- */

bool start_new_conversation(ChatStart *start, Error *err)
{
    const ModelSummary *model = chat_status(start->chat)->model;
    const char *system = options_string(start->options, "system");
    Sampling sampling;

    options_sampling(start->options, model && model->has_sampling ? &model->sampling : NULL,
                     &sampling);
    chat_new_conversation(start->chat);
    return (!system || !*system || chat_set_system(start->chat, str_from(system), err)) &&
           chat_set_sampling(start->chat, &sampling, err) &&
           chat_set_max_tokens(start->chat, options_int(start->options, "max-tokens"), err);
}

/* An opened conversation keeps its settings, but for what was asked for just now. */
static bool override_settings(ChatStart *start, Error *err)
{
    const Options *options = start->options;
    const Conversation *conversation = chat_conversation(start->chat);
    Sampling sampling = conversation->sampling;

    options_sampling_given(options, &sampling);
    if (options_is_given(options, "system") &&
        !chat_set_system(start->chat, str_from(options_string(options, "system")), err))
        return false;
    if (!same_sampling(&sampling, &conversation->sampling) &&
        !chat_set_sampling(start->chat, &sampling, err))
        return false;
    return !options_is_given(options, "max-tokens") ||
           chat_set_max_tokens(start->chat, options_int(options, "max-tokens"), err);
}

bool start_choose_conversation(ChatStart *start, Error *err)
{
    const char *resume = options_string(start->options, "resume");
    int64_t id = 0;

    if (resume) {
        if (!store_resolve(start->store, str_from(resume), &id, err))
            return false;
    } else if (options_flag(start->options, "continue")) {
        id = store_newest(start->store);
        if (!id)
            return error_set(err, ERR_NOT_FOUND, "%s",
                             _("--continue: there is no conversation yet; start one without it"));
    }
    if (!id)
        return start_new_conversation(start, err);
    return chat_open_conversation(start->chat, id, err) && override_settings(start, err);
}

/* ---- all together ---- */

static bool open_store(ChatStart *start, const StartWants *wants, Error *err)
{
    const char *path = options_string(start->options, "db");
    Error ignored = ERROR_INIT;

    if (options_flag(start->options, "private"))
        path = ":memory:";
    start->store = store_open(path, wants->save ? err : &ignored);
    return start->store || !wants->save;
}

bool start_begin(ChatStart *start, Options *options, const StartWants *wants, Error *err)
{
    ChatOptions chat = { .want_ids = wants->want_ids };
    char *const *stop;
    Provider *provider;

    *start = (ChatStart){ .options = options };
    if (!open_store(start, wants, err))
        return false;
    if (options_string(options, "headless"))
        provider_script_gate(true); /* a replay lets every event through */
    provider = provider_open(options_string(options, "provider"), err);
    start->worker = provider ? worker_start(provider, err) : NULL;
    if (!start->worker) {
        start_end(start);
        return false;
    }
    chat.store = wants->save ? start->store : NULL;
    chat.worker = start->worker;
    chat.n_stop = options_list(options, "stop", &stop);
    chat.stop = stop;
    start->chat = chat_new(&chat);
    return true;
}

void start_end(ChatStart *start)
{
    if (start->chat)
        chat_free(start->chat);
    if (start->worker)
        worker_stop(start->worker);
    if (start->store)
        store_close(start->store);
    buf_release(&start->notice);
    *start = (ChatStart){ .options = start->options };
}
