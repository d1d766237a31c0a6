/* One chat: the conversation and its settings, and how both are kept in the store.  Turns and
 * the worker's events are in chat_reply.c, requests in chat_request.c. */
#include "config.h"

#include "src/chat.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/chat_parts.h"

enum { TITLE_COLS = 40, WATCH_MS = 1000 };

static const int64_t PROVISIONAL_ID = INT64_MAX;

void chat_news(Chat *chat, unsigned changes, const Error *err)
{
    chat->news |= changes;
    if (err) {
        chat->error = *err;
        chat->news |= CHAT_CHANGED_ERROR;
    }
}

bool chat_is_provisional(const Message *message)
{
    return message->id == PROVISIONAL_ID;
}

Chat *chat_new(const ChatOptions *options)
{
    Chat *chat = xcalloc(1, sizeof *chat);

    chat->options = *options;
    chat->conversation = conversation_new();
    return chat;
}

static void forget_model(Chat *chat)
{
    free(chat->model.name);
    free(chat->model.path);
    free(chat->model.quant);
    free(chat->model.backend);
    free(chat->model.chat_format);
    free(chat->model.tokenizer_key);
    free(chat->model.notice);
    chat->model = (ModelSummary){ 0 };
    chat->has_model = false;
    chat->status.model = NULL;
    chat->status.plan_valid = false;
}

void chat_free(Chat *chat)
{
    if (!chat)
        return;
    chat_save_now(chat);
    reply_release(&chat->reply);
    forget_model(chat);
    conversation_free(chat->conversation);
    tokens_release(&chat->prompt_ids);
    buf_release(&chat->preread.draft);
    free(chat);
}

const Conversation *chat_conversation(const Chat *chat)
{
    return chat->conversation;
}

const ChatStatus *chat_status(const Chat *chat)
{
    return &chat->status;
}

const Error *chat_error(const Chat *chat)
{
    return &chat->error;
}

const Tokens *chat_prompt_ids(const Chat *chat)
{
    return &chat->prompt_ids;
}

/* Saving */

/* What others wrote up to here is seen; what we write ourselves does not count for sqlite. */
static void note_version(Chat *chat)
{
    if (chat->options.store)
        chat->version = store_version(chat->options.store);
}

bool chat_save_settings(Chat *chat, Error *err)
{
    Conversation *c = chat->conversation;
    Message *last = conversation_last(c);
    int64_t leaf = c->leaf;
    bool ok;

    if (!chat->options.store || c->id == 0)
        return true;
    if (last && chat_is_provisional(last)) /* the row cannot point to what is not there */
        c->leaf = last->parent_id;
    else if (chat->reply.active && !reply_is_open(&chat->reply)) /* nothing has come yet */
        c->leaf = chat->reply.leaf_before;
    ok = store_save_conversation(chat->options.store, c, err);
    c->leaf = leaf;
    return ok;
}

static bool ensure_stored(Chat *chat, Error *err)
{
    return !chat->options.store || chat->conversation->id != 0 ||
           store_save_conversation(chat->options.store, chat->conversation, err);
}

bool chat_save_message(Chat *chat, Message *message, Error *err)
{
    Conversation *c = chat->conversation;
    Message *parent;
    bool ok;

    if (!chat->options.store) {
        message->updated_ms = clock_wall_ms();
        return true;
    }
    if (!chat_is_provisional(message))
        return store_save_message(chat->options.store, c, message, err);
    /* It is the last of the list and of the path, and stays so with its real id. */
    message->id = 0;
    ok = store_save_message(chat->options.store, c, message, err);
    if (!ok) {
        message->id = PROVISIONAL_ID;
        return false;
    }
    parent = conversation_find(c, message->parent_id);
    if (parent)
        parent->selected_child = message->id;
    c->leaf = message->id;
    return true;
}

/* Numbers and times for a message that no store keeps. */
static void number_message(Chat *chat, Message *message)
{
    const Conversation *c = chat->conversation;

    message->id = c->n_messages ? c->message[c->n_messages - 1]->id + 1 : 1;
    message->created_ms = message->updated_ms = clock_wall_ms();
}

static void link_message(Chat *chat, Message *message)
{
    Conversation *c = chat->conversation;
    Message *parent = conversation_find(c, message->parent_id);

    conversation_add(c, message);
    if (parent)
        parent->selected_child = message->id;
    c->leaf = message->id;
    if (message->updated_ms > c->updated_ms)
        c->updated_ms = message->updated_ms;
}

Message *chat_add(Chat *chat, Message *message, Error *err)
{
    bool is_reply = message->role == ROLE_ASSISTANT, ok = true;

    if (!chat->options.store)
        number_message(chat, message);
    else
        ok = ensure_stored(chat, err) &&
             store_save_message(chat->options.store, chat->conversation, message, err);
    if (!ok && !is_reply) {
        message_free(message);
        return NULL;
    }
    if (!ok) { /* generated text is never thrown away: saving is tried again */
        number_message(chat, message);
        message->id = PROVISIONAL_ID;
    }
    link_message(chat, message);
    return message;
}

void chat_save_now(Chat *chat)
{
    Conversation *c = chat->conversation;
    Message *last;
    Error err = ERROR_INIT;

    reply_interrupt(chat);
    last = conversation_last(c);
    if (chat->options.store && last && chat_is_provisional(last) &&
        !chat_save_message(chat, last, &err))
        chat_news(chat, 0, &err);
    /* Something typed but never sent is kept too, in a conversation of its own. */
    if (c->id == 0 && c->n_messages == 0 && str_trim(buf_str(&c->draft)).len &&
        !ensure_stored(chat, &err))
        chat_news(chat, 0, &err);
}

/* The model */

static void copy_model(Chat *chat, const ModelSummary *model)
{
    forget_model(chat);
    chat->model = *model;
    chat->model.name = xstrdup(model->name);
    chat->model.path = xstrdup(model->path);
    chat->model.quant = xstrdup(model->quant);
    chat->model.backend = xstrdup(model->backend);
    chat->model.chat_format = xstrdup(model->chat_format);
    chat->model.tokenizer_key = xstrdup(model->tokenizer_key);
    chat->model.notice = xstrdup(model->notice);
    chat->has_model = true;
    chat->status.model = &chat->model;
    chat->status.context_size = model->context;
}

void chat_open_model(Chat *chat, const Request *open)
{
    Request *request = request_new(REQUEST_OPEN);

    reply_interrupt(chat);
    if (chat->open_serial)
        worker_cancel(chat->options.worker);
    forget_model(chat);
    request->model = xstrdup(open->model);
    request->backend = xstrdup(open->backend);
    request->isa = xstrdup(open->isa);
    request->decoder = xstrdup(open->decoder);
    request->chat_format = xstrdup(open->chat_format);
    request->threads = open->threads;
    request->context = open->context;
    request->kv_budget = open->kv_budget;
    chat->open_serial = worker_ask(chat->options.worker, request);
    chat->status.state = CHAT_LOADING;
    chat->status.progress_done = chat->status.progress_total = 0;
    chat_news(chat, CHAT_CHANGED_STATE | CHAT_CHANGED_MODEL, NULL);
}

static unsigned model_event(Chat *chat, const Event *event)
{
    if (event->kind == EVENT_PROGRESS) {
        chat->status.progress_done = event->done;
        chat->status.progress_total = event->total;
        return CHAT_CHANGED_STATE;
    }
    if (event->kind != EVENT_OPENED && event->kind != EVENT_FAILED)
        return CHAT_CHANGED_NOTHING;
    chat->open_serial = 0;
    chat->status.state = CHAT_IDLE;
    if (event->kind == EVENT_OPENED) {
        copy_model(chat, &event->model);
        reply_ask_held(chat);
    } else {
        chat_news(chat, 0, &event->error);
        reply_drop_held(chat);
    }
    return CHAT_CHANGED_STATE | CHAT_CHANGED_MODEL;
}

/* Conversations */

static void show_conversation(Chat *chat, Conversation *conversation)
{
    conversation_free(chat->conversation);
    chat->conversation = conversation;
    chat->window_id = 0;
    chat->plan_serial = 0;
    chat->preread.due_us = 0;
    buf_reset(&chat->preread.draft);
    chat->error = (Error)ERROR_INIT;
    chat->status.usage = (Usage){ 0 };
    chat->status.timing = (Timing){ 0 };
    chat->status.tokens_per_second = 0;
    chat->status.context_used = 0;
    chat->status.plan_valid = false;
    chat_update_window(chat);
    note_version(chat);
    chat_news(chat, CHAT_CHANGED_PATH | CHAT_CHANGED_STATE, NULL);
}

void chat_new_conversation(Chat *chat)
{
    chat_save_now(chat);
    show_conversation(chat, conversation_new());
}

bool chat_open_conversation(Chat *chat, int64_t id, Error *err)
{
    Conversation *conversation;

    if (!chat->options.store)
        return error_set(err, ERR_USAGE, _("nothing is stored; start kaiwa without --private"));
    chat_save_now(chat);
    conversation = store_load(chat->options.store, id, err);
    if (conversation)
        show_conversation(chat, conversation);
    return conversation != NULL;
}

bool chat_rename(Chat *chat, Str title, Error *err)
{
    Conversation *c = chat->conversation;

    title = str_trim(title);
    if (title.len == 0)
        return error_set(err, ERR_USAGE, _("a title is missing; write it after the command"));
    free(c->title);
    c->title = xstrndup(title.data, title.len);
    c->title_by = TITLE_USER;
    return ensure_stored(chat, err) && chat_save_settings(chat, err);
}

bool chat_fork(Chat *chat, int64_t up_to_message, Error *err)
{
    Conversation *fork;

    chat_save_now(chat);
    if (!conversation_last(chat->conversation))
        return error_set(err, ERR_USAGE, _("there is nothing to copy yet"));
    fork = conversation_fork(chat->conversation, up_to_message);
    if (chat->options.store && !store_save_all(chat->options.store, fork, err)) {
        conversation_free(fork);
        return false;
    }
    show_conversation(chat, fork);
    return true;
}

/* Settings */

bool chat_set_system(Chat *chat, Str text, Error *err)
{
    buf_reset(&chat->conversation->system);
    buf_append_str(&chat->conversation->system, text);
    chat->status.plan_valid = false;
    return chat_save_settings(chat, err);
}

bool chat_set_sampling(Chat *chat, const Sampling *sampling, Error *err)
{
    chat->conversation->sampling = *sampling;
    return chat_save_settings(chat, err);
}

bool chat_set_max_tokens(Chat *chat, int max_tokens, Error *err)
{
    if (max_tokens < 0)
        return error_set(err, ERR_USAGE, _("max-tokens: %d is below 0; 0 means no limit"),
                         max_tokens);
    chat->conversation->max_tokens = max_tokens;
    return chat_save_settings(chat, err);
}

bool chat_set_draft(Chat *chat, Str text, Error *err)
{
    if (str_eq(text, buf_str(&chat->conversation->draft)))
        return true;
    buf_reset(&chat->conversation->draft);
    buf_append_str(&chat->conversation->draft, text);
    return chat_save_settings(chat, err);
}

bool chat_set_pinned(Chat *chat, bool pinned, Error *err)
{
    chat->conversation->pinned = pinned;
    return chat_save_settings(chat, err);
}

/* Plans */

void chat_plan(Chat *chat, const char *system, Str draft)
{
    Request *request;

    chat->status.plan_valid = false;
    chat->plan_serial = 0;
    if (!chat->has_model)
        return;
    request = chat_request(chat, REQUEST_PLAN, system, NULL);
    if (draft.len)
        request_add(request, ROLE_USER, draft);
    if (request->n_messages)
        chat->plan_serial = worker_ask(chat->options.worker, request);
    else
        request_free(request);
}

static unsigned plan_event(Chat *chat, const Event *event)
{
    chat->plan_serial = 0;
    chat->status.plan_valid = event->kind == EVENT_PLAN;
    if (event->kind == EVENT_PLAN) {
        chat->status.plan = event->usage;
        chat->status.plan_ms = event->timing.prefill;
    }
    return CHAT_CHANGED_PLAN;
}

/* Other programs on the same file */

bool chat_is_foreign(const Chat *chat, const Message *message)
{
    return message && message->status == MESSAGE_STREAMING && message != chat->reply.message;
}

static bool same_state(const Conversation *a, const Conversation *b)
{
    const Message *last_a = conversation_last(a), *last_b = conversation_last(b);

    return a->updated_ms == b->updated_ms && a->leaf == b->leaf && a->n_messages == b->n_messages &&
           str_eq(buf_str(&a->system), buf_str(&b->system)) &&
           (!last_a || !last_b ||
            (last_a->updated_ms == last_b->updated_ms && last_a->status == last_b->status));
}

/* Takes over what another kaiwa did to this conversation.  The object stays the same for its
 * borrowers. */
static unsigned refresh(Chat *chat)
{
    Conversation *c = chat->conversation, *now;
    Message *last = conversation_last(c);
    Error ignored = ERROR_INIT;
    Conversation swap;
    int64_t before = chat->version;
    bool same;

    if (!chat->options.store || c->id == 0 || chat->reply.active ||
        (last && chat_is_provisional(last)))
        return CHAT_CHANGED_NOTHING;
    note_version(chat);
    if (chat->version == before && !chat_is_foreign(chat, last))
        return CHAT_CHANGED_NOTHING;
    now = store_load(chat->options.store, c->id, &ignored);
    if (!now)
        return CHAT_CHANGED_NOTHING;
    same = same_state(c, now);
    if (!same) {
        swap = *c;
        *c = *now;
        *now = swap;
        chat_update_window(chat);
    }
    conversation_free(now);
    return same ? CHAT_CHANGED_NOTHING : CHAT_CHANGED_PATH | CHAT_CHANGED_TEXT;
}

/* Events and time */

static unsigned take_news(Chat *chat, unsigned changes)
{
    changes |= chat->news;
    chat->news = CHAT_CHANGED_NOTHING;
    return changes;
}

unsigned chat_event(Chat *chat, const Event *event)
{
    unsigned changes = CHAT_CHANGED_NOTHING;

    if (event->serial && event->serial == chat->open_serial)
        changes = model_event(chat, event);
    else if (event->serial && event->serial == chat->plan_serial)
        changes = plan_event(chat, event);
    else if (chat->reply.active && event->serial && event->serial == chat->reply.serial)
        changes = reply_event(chat, event);
    return take_news(chat, changes);
}

unsigned chat_tick(Chat *chat)
{
    unsigned changes = chat->reply.active ? reply_tick(chat) : refresh(chat);

    preread_tick(chat);
    return take_news(chat, changes);
}

int chat_deadline_ms(const Chat *chat)
{
    int64_t left;

    if (chat->news)
        return 0;
    if (chat->reply.active && reply_is_open(&chat->reply)) {
        left = chat->reply.saved_us + SAVE_EVERY_US - clock_mono_us();
        return left <= 0 ? 0 : (int)((left + 999) / 1000);
    }
    if (!chat->reply.active && chat_is_foreign(chat, conversation_last(chat->conversation)))
        return WATCH_MS; /* soon enough for a draft too */
    return preread_deadline_ms(chat);
}

void chat_update_window(Chat *chat)
{
    const Conversation *c = chat->conversation;
    size_t n = conversation_path(c, NULL, 0);
    Message **path = xcalloc(n + 1, sizeof *path);
    size_t i = 0;

    conversation_path(c, path, n);
    while (i < n && path[i]->id != chat->window_id)
        i++;
    if (i == n) /* another path: what has left the window of the old one says nothing about it */
        chat->window_id = 0;
    chat->status.window_from = i == n ? 0 : i;
    free(path);
}

/* Shared by the functions that start a reply */

bool chat_check_idle(const Chat *chat, Error *err)
{
    if (chat->reply.active)
        return error_set(err, ERR_USAGE, _("a reply is being written; stop it first"));
    return true;
}

bool chat_can_start(Chat *chat, Error *err)
{
    Message *last;

    if (!chat_check_idle(chat, err))
        return false;
    if (!chat->has_model && !chat->open_serial)
        return error_set(err, ERR_USAGE, _("no model is open; choose one first"));
    chat->news |= refresh(chat);
    last = conversation_last(chat->conversation);
    if (chat_is_foreign(chat, last))
        return error_set(err, ERR_USAGE,
                         _("another kaiwa is writing a reply here; wait until it ends"));
    if (last && chat_is_provisional(last))
        return chat_save_message(chat, last, err);
    return true;
}

void chat_make_title(Chat *chat)
{
    Conversation *c = chat->conversation;
    Buf title = BUF_INIT;

    if (c->title_by != TITLE_NONE && c->title_by != TITLE_FIRST_WORDS)
        return;
    conversation_make_title(c, TITLE_COLS, &title);
    if (title.len) {
        free(c->title);
        c->title = buf_take(&title);
        c->title_by = TITLE_FIRST_WORDS;
    }
    buf_release(&title);
}
