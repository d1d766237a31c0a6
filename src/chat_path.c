/* Turns that only change which messages are shown or sent: undo, redo, versions, leaving out. */
#include "config.h"

#include "src/base/i18n.h"
#include "src/chat_parts.h"

static bool path_moved(Chat *chat, Error *err)
{
    chat_update_window(chat);
    chat_news(chat, CHAT_CHANGED_PATH, NULL);
    return chat_save_settings(chat, err);
}

bool chat_undo(Chat *chat, int pairs, Error *err)
{
    Conversation *c = chat->conversation;
    Message *last = conversation_last(c);

    if (!chat_check_idle(chat, err))
        return false;
    if (!last || pairs < 1)
        return error_set(err, ERR_USAGE, _("there is nothing to undo"));
    for (; pairs > 0 && last; pairs--) {
        while (last && last->role != ROLE_USER)
            last = conversation_find(c, last->parent_id);
        if (last)
            last = conversation_find(c, last->parent_id);
    }
    c->leaf = last ? last->id : 0;
    return path_moved(chat, err);
}

bool chat_redo(Chat *chat, Error *err)
{
    Conversation *c = chat->conversation;
    const Message *last = conversation_last(c), *next = NULL;

    if (!chat_check_idle(chat, err))
        return false;
    for (size_t i = c->n_messages; i > 0 && !next && !last; i--)
        if (c->message[i - 1]->parent_id == 0)
            next = c->message[i - 1];
    if (last)
        next = last;
    if (!next)
        return error_set(err, ERR_USAGE, _("there is nothing to bring back"));
    conversation_show(c, next);
    if (last && c->leaf == last->id)
        return error_set(err, ERR_USAGE, _("there is nothing to bring back"));
    return path_moved(chat, err);
}

static Message *find_message(Chat *chat, int64_t id, Error *err)
{
    Message *message = conversation_find(chat->conversation, id);

    if (!message)
        error_set(err, ERR_NOT_FOUND, _("there is no message %lld in this conversation"),
                  (long long)id);
    return message;
}

bool chat_switch(Chat *chat, int64_t message, int step, Error *err)
{
    Conversation *c = chat->conversation;
    Message *from, *parent;

    if (!chat_check_idle(chat, err))
        return false;
    from = find_message(chat, message, err);
    if (!from || !conversation_switch(c, from, step))
        return false;
    parent = conversation_find(c, from->parent_id);
    return (!parent || chat_save_message(chat, parent, err)) && path_moved(chat, err);
}

bool chat_exclude(Chat *chat, int64_t message, bool excluded, Error *err)
{
    Message *target = find_message(chat, message, err);

    if (!target)
        return false;
    if (chat_is_foreign(chat, target) || target == chat->reply.message)
        return error_set(err, ERR_USAGE,
                         _("this reply is still being written; wait until it ends"));
    target->excluded = excluded;
    chat_news(chat, CHAT_CHANGED_TEXT, NULL);
    return chat_save_message(chat, target, err);
}
