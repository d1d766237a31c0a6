/* Turns: asking for a reply, taking it in as it comes, and its end, good or bad.
 * A reply becomes a message at its first text.  Until then nothing of the conversation changes,
 * so that a reply that never came leaves no trace but an error. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/chat_parts.h"

void reply_release(Reply *reply)
{
    request_free(reply->held);
    tokens_release(&reply->early);
    free(reply->sent);
    *reply = (Reply){ .active = false };
}

/* A seed that a person can type again. */
static uint64_t random_seed(void)
{
    uint32_t seed = 0;

    while (seed == 0)
        if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
            seed = (uint32_t)clock_mono_us();
    return seed;
}

/* Asking */

static void ask(Chat *chat, Request *request)
{
    Reply *reply = &chat->reply;

    reply->asked_us = clock_mono_us();
    reply->serial = worker_ask(chat->options.worker, request);
    chat->status.state = CHAT_READING;
    chat->status.progress_done = chat->status.progress_total = 0;
}

/* continues: the last message of the path is to grow; else a reply to it begins. */
static void start_reply(Chat *chat, bool continues, int64_t leaf_before)
{
    Reply *reply = &chat->reply;
    Request *request;

    reply_release(reply);
    request = chat_request(chat, REQUEST_GENERATE, NULL, &reply->sent);
    reply->n_sent = request->n_messages;
    request->continue_last = continues;
    if (request->sampling.seed == 0)
        request->sampling.seed = random_seed();
    reply->active = true;
    reply->sampling = request->sampling;
    reply->leaf_before = leaf_before;
    reply->continues = continues;
    if (continues) {
        reply->message = conversation_last(chat->conversation);
        reply->before = reply->message->status;
    }
    chat->error = (Error)ERROR_INIT;
    chat->status.usage = (Usage){ .context = chat->status.context_size };
    chat->status.timing = (Timing){ 0 };
    chat->status.tokens_per_second = 0;
    tokens_truncate(&chat->prompt_ids, 0);
    if (chat->open_serial)
        reply->held = request;
    else
        ask(chat, request);
    chat_news(chat, CHAT_CHANGED_STATE, NULL);
}

void reply_ask_held(Chat *chat)
{
    Request *request = chat->reply.held;

    chat->reply.held = NULL;
    if (request)
        ask(chat, request);
}

/* Nothing came: what was shown before is shown again. */
static void show_before(Chat *chat)
{
    if (chat->conversation->leaf != chat->reply.leaf_before) {
        chat->conversation->leaf = chat->reply.leaf_before;
        chat_news(chat, CHAT_CHANGED_PATH, NULL);
    }
}

void reply_drop_held(Chat *chat)
{
    if (!chat->reply.held)
        return;
    show_before(chat);
    reply_release(&chat->reply);
    chat_news(chat, CHAT_CHANGED_STATE | CHAT_ENDED, NULL);
}

/* The message is safe already; a title that cannot be saved waits for the next time. */
static void reply_to_new(Chat *chat)
{
    Error failed = ERROR_INIT;
    bool saved = chat_save_settings(chat, &failed);

    start_reply(chat, false, chat->conversation->leaf);
    chat_news(chat, CHAT_CHANGED_PATH, saved ? NULL : &failed);
}

bool chat_send(Chat *chat, Str text, Error *err)
{
    Conversation *c = chat->conversation;
    Message *message;

    if (!chat_can_start(chat, err))
        return false;
    if (str_trim(text).len == 0)
        return error_set(err, ERR_USAGE, _("the message is empty; write something first"));
    message = message_new(ROLE_USER);
    message->parent_id = c->leaf;
    buf_append_str(&message->text, text);
    message = chat_add(chat, message, err);
    if (!message)
        return false;
    buf_reset(&c->draft);
    chat_draft_changed(chat, STR_NULL);
    chat_make_title(chat);
    if (chat->has_model) {
        free(c->model);
        c->model = xstrdup(chat->model.name);
    }
    reply_to_new(chat);
    return true;
}

bool chat_regenerate(Chat *chat, Error *err)
{
    Conversation *c = chat->conversation;
    int64_t leaf;
    Message *last;

    if (!chat_can_start(chat, err))
        return false;
    leaf = c->leaf;
    last = conversation_last(c);
    if (last && last->role == ROLE_ASSISTANT)
        last = conversation_find(c, last->parent_id);
    if (!last)
        return error_set(err, ERR_USAGE, _("there is no message to reply to yet"));
    if (last->excluded)
        return error_set(err, ERR_USAGE,
                         _("the message to reply to is left out; take it in again first"));
    if (c->leaf != last->id)
        chat_news(chat, CHAT_CHANGED_PATH, NULL);
    c->leaf = last->id;
    start_reply(chat, false, leaf);
    return true;
}

bool chat_continue(Chat *chat, Error *err)
{
    Message *last;

    if (!chat_can_start(chat, err))
        return false;
    last = conversation_last(chat->conversation);
    if (!last || last->role != ROLE_ASSISTANT)
        return error_set(err, ERR_USAGE, _("there is no reply to go on with"));
    if (last->status == MESSAGE_COMPLETE)
        return error_set(err, ERR_USAGE,
                         _("the reply is complete; there is nothing to go on with"));
    if (last->excluded)
        return error_set(err, ERR_USAGE, _("the reply is left out; take it in again first"));
    start_reply(chat, true, chat->conversation->leaf);
    return true;
}

bool chat_edit(Chat *chat, int64_t message, Str text, Error *err)
{
    Conversation *c = chat->conversation;
    const Message *old;
    Message *edited;

    if (!chat_can_start(chat, err))
        return false;
    old = conversation_find(c, message);
    if (!old || old->role != ROLE_USER)
        return error_set(err, ERR_USAGE, _("only messages of your own can be edited"));
    if (str_trim(text).len == 0)
        return error_set(err, ERR_USAGE, _("the message is empty; write something first"));
    edited = message_new(ROLE_USER);
    edited->parent_id = old->parent_id;
    buf_append_str(&edited->text, text);
    edited = chat_add(chat, edited, err);
    if (!edited)
        return false;
    if (edited->parent_id == 0)
        chat_make_title(chat);
    chat_update_window(chat);
    reply_to_new(chat);
    return true;
}

/* Taking in */

static bool is_key(const Chat *chat, const char *key)
{
    return key && chat->model.tokenizer_key && strcmp(key, chat->model.tokenizer_key) == 0;
}

static void set_text(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

/* What is known of a reply when its first text has come. */
static void describe(Chat *chat, Message *message)
{
    const Buf *system = &chat->conversation->system;

    set_text(&message->system, system->len ? buf_cstr(system) : NULL);
    set_text(&message->model, chat->model.name);
    message->sampling = chat->reply.sampling;
    message->end_id = -1;
    message->n_reused = chat->status.usage.reused;
    message->n_computed = chat->status.usage.computed;
}

static void save_reply(Chat *chat)
{
    Reply *reply = &chat->reply;
    Error err = ERROR_INIT;

    reply->saved_us = clock_mono_us();
    reply->unsaved = !chat_save_message(chat, reply->message, &err);
    if (reply->unsaved)
        chat_news(chat, 0, &err);
}

/* A reply that goes on has ids only as long as all of it comes from one tokenizer. */
static void open_continued(Chat *chat)
{
    Reply *reply = &chat->reply;
    Message *message = reply->message;

    describe(chat, message);
    reply->without_ids =
        message->text.len && (!message->ids.n || !is_key(chat, message->tokenizer_key));
    if (reply->without_ids) {
        tokens_truncate(&message->ids, 0);
        set_text(&message->tokenizer_key, NULL);
    } else {
        set_text(&message->tokenizer_key, chat->model.tokenizer_key);
    }
    message->status = MESSAGE_STREAMING;
}

/* The first text is here: the reply becomes a message. */
static void open_reply(Chat *chat, Str text, bool thinking)
{
    Reply *reply = &chat->reply;
    Message *message;
    Error err = ERROR_INIT;

    if (reply->continues) {
        open_continued(chat);
        message = reply->message;
        buf_append_str(thinking ? &message->thinking : &message->text, text);
        if (!reply->without_ids)
            tokens_append(&message->ids, reply->early.ids, reply->early.n);
        save_reply(chat);
        return;
    }
    message = message_new(ROLE_ASSISTANT);
    message->parent_id = chat->conversation->leaf;
    message->status = MESSAGE_STREAMING;
    describe(chat, message);
    set_text(&message->tokenizer_key, chat->model.tokenizer_key);
    buf_append_str(thinking ? &message->thinking : &message->text, text);
    tokens_append(&message->ids, reply->early.ids, reply->early.n);
    reply->message = chat_add(chat, message, &err);
    reply->saved_us = clock_mono_us();
    if (err.kind != ERR_NONE) {
        reply->unsaved = true;
        chat_news(chat, 0, &err);
    }
    chat_news(chat, CHAT_CHANGED_PATH, NULL);
}

/* Ids a second between now and the oldest sample of the last second. */
static void update_rate(Chat *chat, int generated)
{
    Reply *reply = &chat->reply;
    int64_t now = clock_mono_us();
    size_t first = reply->n_rate > RATE_SAMPLES ? reply->n_rate - RATE_SAMPLES : 0;
    const RateSample *oldest;

    reply->rate[reply->n_rate++ % RATE_SAMPLES] = (RateSample){ now, generated };
    if (reply->n_rate > RATE_SAMPLES)
        first = reply->n_rate - RATE_SAMPLES;
    while (first + 2 < reply->n_rate && now - reply->rate[first % RATE_SAMPLES].us > 1000000)
        first++;
    oldest = &reply->rate[first % RATE_SAMPLES];
    if (now > oldest->us)
        chat->status.tokens_per_second =
            (double)(generated - oldest->generated) * 1e6 / (double)(now - oldest->us);
}

static void take_usage(Chat *chat, const Usage *usage)
{
    chat->status.usage = *usage;
    if (usage->context)
        chat->status.context_size = usage->context;
    chat->status.context_used = usage->prompt + usage->generated;
}

static void take_started(Chat *chat, const Event *event)
{
    const Reply *reply = &chat->reply;
    size_t from = event->window_from;

    take_usage(chat, &event->usage);
    if (from > 0 && from < reply->n_sent && reply->sent[from] &&
        !(from == 1 && reply->sent[0] == 0)) {
        chat->window_id = reply->sent[from];
        chat_update_window(chat);
    }
}

bool reply_is_open(const Reply *reply)
{
    return reply->message && (!reply->continues || reply->message->status == MESSAGE_STREAMING);
}

static unsigned take_text(Chat *chat, const Event *event)
{
    Reply *reply = &chat->reply;
    Str text = buf_str(&event->text);

    chat->status.state = CHAT_REPLYING;
    if (event->usage.prompt)
        take_usage(chat, &event->usage);
    update_rate(chat, chat->status.usage.generated);
    if (!reply_is_open(reply)) {
        tokens_append(&reply->early, event->ids.ids, event->ids.n);
        if (text.len == 0)
            return CHAT_CHANGED_STATE;
        open_reply(chat, text, event->thinking);
        return CHAT_CHANGED_STATE | CHAT_CHANGED_TEXT;
    }
    buf_append_str(event->thinking ? &reply->message->thinking : &reply->message->text, text);
    if (!reply->without_ids)
        tokens_append(&reply->message->ids, event->ids.ids, event->ids.n);
    if (clock_mono_us() - reply->saved_us >= SAVE_EVERY_US)
        save_reply(chat);
    return CHAT_CHANGED_STATE | CHAT_CHANGED_TEXT;
}

/* The end */

static MessageStatus status_of(DoneReason reason)
{
    static const MessageStatus status[] = {
        [DONE_EOS] = MESSAGE_COMPLETE,      [DONE_STOP] = MESSAGE_COMPLETE,
        [DONE_LENGTH] = MESSAGE_LENGTH,     [DONE_CONTEXT] = MESSAGE_CONTEXT,
        [DONE_CANCELLED] = MESSAGE_STOPPED,
    };

    return status[reason];
}

static void end_reply(Chat *chat, MessageStatus status)
{
    Reply *reply = &chat->reply;
    Message *message = reply->message;

    if (reply_is_open(reply)) {
        message->status = status;
        if (chat->status.timing.first > 0 || chat->status.timing.decode > 0) {
            message->first_ms = llround(chat->status.timing.first);
            message->total_ms = llround(chat->status.timing.first + chat->status.timing.decode);
        } else {
            message->total_ms = (clock_mono_us() - reply->asked_us) / 1000;
        }
        save_reply(chat);
        chat->conversation->updated_ms = message->updated_ms;
    } else {
        show_before(chat);
    }
    reply_release(reply);
    chat->status.state = chat->open_serial ? CHAT_LOADING : CHAT_IDLE;
    chat_news(chat, CHAT_CHANGED_STATE | CHAT_CHANGED_TEXT | CHAT_ENDED, NULL);
}

static void take_last_ids(Chat *chat, const Event *event)
{
    Reply *reply = &chat->reply;
    Tokens *ids = &reply->message->ids;

    reply->message->end_id = event->end_id;
    if (reply->without_ids)
        return;
    tokens_append(ids, event->ids.ids, event->ids.n);
    if (event->end_id >= 0 && (ids->n == 0 || ids->ids[ids->n - 1] != event->end_id))
        tokens_push(ids, event->end_id);
}

static void take_done(Chat *chat, const Event *event)
{
    Reply *reply = &chat->reply;
    double rest = event->timing.decode;

    if (event->usage.prompt)
        take_usage(chat, &event->usage);
    chat->status.timing = event->timing;
    chat->status.reason = event->reason;
    if (event->usage.generated > 1 && rest > 0)
        chat->status.tokens_per_second = (event->usage.generated - 1) * 1000.0 / rest;
    tokens_append(&chat->prompt_ids, event->prompt_ids.ids, event->prompt_ids.n);
    /* An empty reply is a reply too, when that is what the model had to say. */
    if (!reply_is_open(reply) && event->reason != DONE_CANCELLED &&
        (event->reason != DONE_CONTEXT || reply->early.n + event->ids.n))
        open_reply(chat, STR_NULL, false);
    if (reply_is_open(reply)) {
        take_last_ids(chat, event);
        reply->message->n_reused = chat->status.usage.reused;
        reply->message->n_computed = chat->status.usage.computed;
    }
    end_reply(chat, status_of(event->reason));
}

unsigned reply_event(Chat *chat, const Event *event)
{
    switch (event->kind) {
    case EVENT_PROGRESS:
        chat->status.progress_done = event->done;
        chat->status.progress_total = event->total;
        return CHAT_CHANGED_STATE;
    case EVENT_STARTED:
        take_started(chat, event);
        return CHAT_CHANGED_STATE;
    case EVENT_TEXT:
        return take_text(chat, event);
    case EVENT_DONE:
        take_done(chat, event);
        return CHAT_ENDED;
    case EVENT_FAILED:
        chat_news(chat, 0, &event->error);
        end_reply(chat, MESSAGE_FAILED);
        return CHAT_ENDED;
    case EVENT_OPENED:
    case EVENT_PLAN:
    case EVENT_CLOSED:
        break;
    }
    return CHAT_CHANGED_NOTHING;
}

void reply_interrupt(Chat *chat)
{
    Reply *reply = &chat->reply;

    if (!reply->active)
        return;
    if (reply->serial)
        worker_cancel(chat->options.worker);
    chat->status.reason = DONE_CANCELLED;
    end_reply(chat, MESSAGE_STOPPED);
}

void chat_stop(Chat *chat)
{
    if (chat->reply.held)
        reply_drop_held(chat);
    else if (chat->reply.active || chat->open_serial)
        worker_cancel(chat->options.worker);
}

unsigned reply_tick(Chat *chat)
{
    Reply *reply = &chat->reply;

    if (!reply_is_open(reply) || clock_mono_us() - reply->saved_us < SAVE_EVERY_US)
        return CHAT_CHANGED_NOTHING;
    /* Also when nothing has come: the time in the row tells others that this reply is alive. */
    save_reply(chat);
    update_rate(chat, chat->status.usage.generated);
    return CHAT_CHANGED_STATE;
}
