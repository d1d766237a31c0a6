/* Messages and conversations in memory: the tree, the path that is shown, versions of a message.
 * Loops over links are bounded by the number of messages, so that a damaged file cannot make
 * them turn for ever. */
#include "config.h"

#include "src/conversation.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"
#include "src/base/text.h"
#include "src/base/utf8.h"

static const char *const status_names[] = {
    [MESSAGE_COMPLETE] = "complete", [MESSAGE_STREAMING] = "streaming",
    [MESSAGE_STOPPED] = "stopped",   [MESSAGE_LENGTH] = "length",
    [MESSAGE_CONTEXT] = "context",   [MESSAGE_FAILED] = "failed",
};

const char *message_status_name(MessageStatus status)
{
    return status_names[status];
}

bool message_status_parse(Str name, MessageStatus *out)
{
    for (size_t i = 0; i < ARRAY_LEN(status_names); i++)
        if (str_eq_c(name, status_names[i])) {
            *out = (MessageStatus)i;
            return true;
        }
    return false;
}

Conversation *conversation_new(void)
{
    Conversation *conversation = xcalloc(1, sizeof *conversation);

    conversation->sampling = (Sampling)SAMPLING_INIT;
    return conversation;
}

void conversation_free(Conversation *conversation)
{
    if (!conversation)
        return;
    for (size_t i = 0; i < conversation->n_messages; i++)
        message_free(conversation->message[i]);
    free(conversation->message);
    free(conversation->title);
    free(conversation->format);
    free(conversation->model);
    buf_release(&conversation->system);
    buf_release(&conversation->draft);
    free(conversation);
}

Message *message_new(Role role)
{
    Message *message = xcalloc(1, sizeof *message);

    message->role = role;
    message->end_id = -1;
    message->sampling = (Sampling)SAMPLING_INIT;
    return message;
}

void message_free(Message *message)
{
    if (!message)
        return;
    buf_release(&message->text);
    buf_release(&message->thinking);
    free(message->system);
    free(message->model);
    free(message->tokenizer_key);
    tokens_release(&message->ids);
    free(message);
}

Message *message_copy(const Message *message)
{
    Message *copy = message_new(message->role);

    *copy = *message;
    copy->text = copy->thinking = (Buf)BUF_INIT;
    buf_append_str(&copy->text, buf_str(&message->text));
    buf_append_str(&copy->thinking, buf_str(&message->thinking));
    copy->system = xstrdup(message->system);
    copy->model = xstrdup(message->model);
    copy->tokenizer_key = xstrdup(message->tokenizer_key);
    copy->ids = (Tokens)TOKENS_INIT;
    tokens_append(&copy->ids, message->ids.ids, message->ids.n);
    return copy;
}

/* Place of the first message whose id is not below. */
static size_t lower_bound(const Conversation *conversation, int64_t id)
{
    size_t low = 0, high = conversation->n_messages;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (conversation->message[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

Message *conversation_find(const Conversation *conversation, int64_t id)
{
    size_t at = lower_bound(conversation, id);

    if (id <= 0 || at == conversation->n_messages || conversation->message[at]->id != id)
        return NULL;
    return conversation->message[at];
}

void conversation_add(Conversation *conversation, Message *message)
{
    size_t at = lower_bound(conversation, message->id);

    conversation->message = mem_grow(conversation->message, &conversation->cap,
                                     conversation->n_messages + 1, sizeof *conversation->message);
    memmove(conversation->message + at + 1, conversation->message + at,
            (conversation->n_messages - at) * sizeof *conversation->message);
    conversation->message[at] = message;
    conversation->n_messages++;
}

size_t conversation_path(const Conversation *conversation, Message **out, size_t cap)
{
    Message *message = conversation_find(conversation, conversation->leaf);
    size_t n = 0;

    for (Message *m = message; m && n < conversation->n_messages;
         m = conversation_find(conversation, m->parent_id))
        n++;
    for (size_t i = n; i > 0; i--) {
        if (i <= cap)
            out[i - 1] = message;
        message = conversation_find(conversation, message->parent_id);
    }
    return n;
}

Message *conversation_last(const Conversation *conversation)
{
    return conversation_find(conversation, conversation->leaf);
}

size_t conversation_siblings(const Conversation *conversation, const Message *message,
                             Message **out, size_t cap, size_t *index)
{
    size_t n = 0;

    *index = 0;
    for (size_t i = 0; i < conversation->n_messages; i++) {
        Message *other = conversation->message[i];

        if (other->parent_id != message->parent_id || other->role != message->role)
            continue;
        if (other->id == message->id)
            *index = n;
        if (n < cap)
            out[n] = other;
        n++;
    }
    return n;
}

/* The child that is shown after a message: the one shown last, or else the newest; NULL: none. */
static Message *shown_child(const Conversation *conversation, const Message *message)
{
    Message *child = conversation_find(conversation, message->selected_child);

    if (child && child->parent_id == message->id)
        return child;
    for (size_t i = conversation->n_messages; i > 0; i--)
        if (conversation->message[i - 1]->parent_id == message->id)
            return conversation->message[i - 1];
    return NULL;
}

void conversation_show(Conversation *conversation, const Message *message)
{
    Message *parent = conversation_find(conversation, message->parent_id);

    if (parent)
        parent->selected_child = message->id;
    for (size_t steps = 0; steps < conversation->n_messages; steps++) {
        const Message *child = shown_child(conversation, message);

        if (!child)
            break;
        message = child;
    }
    conversation->leaf = message->id;
}

bool conversation_switch(Conversation *conversation, const Message *message, int step)
{
    size_t index, n = conversation_siblings(conversation, message, NULL, 0, &index);
    Message **siblings = xcalloc(n + 1, sizeof *siblings);
    long long wanted = (long long)index + step;
    bool found = wanted >= 0 && wanted < (long long)n;

    conversation_siblings(conversation, message, siblings, n, &index);
    if (found)
        conversation_show(conversation, siblings[wanted]);
    free(siblings);
    return found;
}

Conversation *conversation_fork(const Conversation *conversation, int64_t up_to)
{
    Conversation *fork = conversation_new();
    size_t n = conversation_path(conversation, NULL, 0);
    Message **path = xcalloc(n + 1, sizeof *path);
    int64_t parent = 0;

    conversation_path(conversation, path, n);
    fork->title = xstrdup(conversation->title);
    fork->title_by = conversation->title_by;
    buf_append_str(&fork->system, buf_str(&conversation->system));
    fork->sampling = conversation->sampling;
    fork->max_tokens = conversation->max_tokens;
    fork->format = xstrdup(conversation->format);
    fork->model = xstrdup(conversation->model);
    for (size_t i = 0; i < n; i++) {
        Message *copy = message_copy(path[i]);

        if (copy->status == MESSAGE_STREAMING)
            copy->status = MESSAGE_STOPPED;
        copy->id = (int64_t)i + 1;
        copy->parent_id = parent;
        copy->selected_child = 0;
        if (parent)
            fork->message[i - 1]->selected_child = copy->id;
        conversation_add(fork, copy);
        fork->leaf = parent = copy->id;
        if (path[i]->id == up_to)
            break;
    }
    free(path);
    return fork;
}

/* The first line with something on it. */
static Str first_words(Str text)
{
    Str line = STR_NULL;

    while (str_line(&text, &line)) {
        line = str_trim(line);
        if (line.len)
            break;
    }
    return line;
}

/* Runs of white space and control characters become one space. */
static void append_plain(Str line, Buf *out)
{
    bool gap = false;

    for (size_t pos = 0; pos < line.len;) {
        unsigned cp = utf8_next(line, &pos);

        if (cp <= 0x20 || (cp >= 0x7F && cp <= 0xA0) || cp == 0x3000) {
            gap = out->len > 0;
            continue;
        }
        if (gap)
            buf_putc(out, ' ');
        gap = false;
        buf_put_utf8(out, cp);
    }
}

void conversation_make_title(const Conversation *conversation, int cols, Buf *out)
{
    Buf words = BUF_INIT;
    size_t n = conversation_path(conversation, NULL, 0);
    Message **path = xcalloc(n + 1, sizeof *path);

    conversation_path(conversation, path, n);
    for (size_t i = 0; i < n && words.len == 0; i++)
        if (path[i]->role == ROLE_USER)
            append_plain(first_words(buf_str(&path[i]->text)), &words);
    if (text_cols(buf_str(&words)) <= cols) {
        buf_append_str(out, buf_str(&words));
    } else {
        Str ellipsis = STR("…");

        buf_append_str(out, str_trim(text_cut(buf_str(&words), cols - text_cols(ellipsis), NULL)));
        buf_append_str(out, ellipsis);
    }
    buf_release(&words);
    free(path);
}
