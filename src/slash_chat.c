/* Slash commands on whole conversations: new, list, open, resume, rename, delete, undelete, fork,
 * search, import and export. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/export.h"
#include "src/import.h"
#include "src/slash_parts.h"

SlashResult slash_new(SlashContext *context, Str argument, Error *err)
{
    if (!start_new_conversation(context->start, err))
        return SLASH_NONE;
    if (argument.len && !chat_rename(context->start->chat, argument, err))
        return SLASH_NONE;
    slash_say(context, "%s", _("new conversation"));
    return SLASH_DONE;
}

SlashResult slash_list(SlashContext *context, Str argument, Error *err)
{
    Store *store = slash_store(context, err);
    StoreRows rows = { 0 };

    if (!store)
        return SLASH_NONE;
    if (!context->plain)
        return slash_view(context, "list", argument);
    if (!store_list(store, argument, false, 0, &rows, err))
        return SLASH_NONE;
    for (size_t i = 0; i < rows.n; i++) {
        buf_printf(context->out, "%" PRId64 "\t", rows.row[i].id);
        export_date(rows.row[i].updated_ms, context->out);
        buf_printf(context->out, "\t%s\n", rows.row[i].title);
    }
    if (!rows.n)
        slash_say(context, "%s", _("no conversation"));
    store_rows_release(&rows);
    return SLASH_DONE;
}

static SlashResult open_id(SlashContext *context, int64_t id, Error *err)
{
    const Conversation *conversation;

    if (!chat_open_conversation(context->start->chat, id, err))
        return SLASH_NONE;
    conversation = chat_conversation(context->start->chat);
    slash_say(context, _("opened: %s"),
              conversation->title ? conversation->title : _("(no title)"));
    return SLASH_DONE;
}

SlashResult slash_open(SlashContext *context, Str argument, Error *err)
{
    Store *store = slash_store(context, err);
    int64_t id;

    if (!store)
        return SLASH_NONE;
    if (!argument.len)
        return slash_list(context, argument, err);
    return store_resolve(store, argument, &id, err) ? open_id(context, id, err) : SLASH_NONE;
}

SlashResult slash_resume(SlashContext *context, Str argument, Error *err)
{
    Store *store = slash_store(context, err);
    int64_t here = chat_conversation(context->start->chat)->id, newest = 0;
    int64_t newest_ms = -1;
    StoreRows rows = { 0 };

    (void)argument;
    if (!store || !store_list(store, STR(""), false, 0, &rows, err))
        return SLASH_NONE;
    /* The list has pinned ones first; here it is the time that counts. */
    for (size_t i = 0; i < rows.n; i++) {
        if (rows.row[i].id == here || rows.row[i].updated_ms <= newest_ms)
            continue;
        newest = rows.row[i].id;
        newest_ms = rows.row[i].updated_ms;
    }
    store_rows_release(&rows);
    if (!newest)
        return slash_fail(err, "%s", _("/resume: there is no other conversation"));
    return open_id(context, newest, err);
}

SlashResult slash_rename(SlashContext *context, Str argument, Error *err)
{
    if (!argument.len)
        return slash_fail(err, "%s", _("/rename: a title is missing; write /rename TITLE"));
    if (!chat_rename(context->start->chat, argument, err))
        return SLASH_NONE;
    slash_say(context, "%s", _("renamed"));
    return SLASH_DONE;
}

SlashResult slash_delete(SlashContext *context, Str argument, Error *err)
{
    Store *store = slash_store(context, err);
    int64_t here = chat_conversation(context->start->chat)->id, id = here;

    if (!store || (argument.len && !store_resolve(store, argument, &id, err)))
        return SLASH_NONE;
    if (!id)
        return slash_fail(err, "%s",
                          _("/delete: this conversation is empty; there is nothing to delete"));
    chat_save_now(context->start->chat);
    /* First away from it, so that nothing writes to it afterwards. */
    if (id == here && !start_new_conversation(context->start, err))
        return SLASH_NONE;
    if (!store_delete(store, id, err))
        return SLASH_NONE;
    slash_say(context, _("deleted; /undelete %" PRId64 " brings it back"), id);
    return SLASH_DONE;
}

SlashResult slash_undelete(SlashContext *context, Str argument, Error *err)
{
    Store *store = slash_store(context, err);
    StoreRows rows = { 0 };
    long long id = 0;

    if (!store)
        return SLASH_NONE;
    if (argument.len && (!str_to_long(argument, &id) || id < 1))
        return slash_fail(
            err, "%s", _("/undelete: the number of a conversation is needed, as /delete told it"));
    if (!argument.len) {
        if (!store_list(store, STR(""), true, 1, &rows, err))
            return SLASH_NONE;
        id = rows.n ? rows.row[0].id : 0;
        store_rows_release(&rows);
        if (!id)
            return slash_fail(err, "%s", _("/undelete: nothing is deleted"));
    }
    return store_undelete(store, id, err) ? open_id(context, id, err) : SLASH_NONE;
}

SlashResult slash_fork(SlashContext *context, Str argument, Error *err)
{
    const Message *message = NULL;

    if (argument.len && !(message = slash_message(context, argument, err)))
        return SLASH_NONE;
    if (!chat_fork(context->start->chat, message ? message->id : 0, err))
        return SLASH_NONE;
    slash_say(context, "%s", _("this is a copy; the conversation before stays as it was"));
    return SLASH_DONE;
}

SlashResult slash_search(SlashContext *context, Str argument, Error *err)
{
    Store *store = slash_store(context, err);
    StoreHits hits = { 0 };

    if (!store)
        return SLASH_NONE;
    if (!argument.len)
        return slash_fail(err, "%s", _("/search: a text is missing; write /search TEXT"));
    if (!store_search(store, argument, 50, &hits, err))
        return SLASH_NONE;
    for (size_t i = 0; i < hits.n; i++)
        buf_printf(context->out, "%" PRId64 "\t%s\t%s\n", hits.hit[i].conversation_id,
                   hits.hit[i].title, hits.hit[i].snippet);
    if (!hits.n)
        slash_say(context, "%s", _("nothing found"));
    store_hits_release(&hits);
    return SLASH_DONE;
}

SlashResult slash_import(SlashContext *context, Str argument, Error *err)
{
    Store *store = slash_store(context, err);
    Buf path = BUF_INIT;
    int64_t id;
    bool good;

    if (!store)
        return SLASH_NONE;
    if (!argument.len)
        return slash_fail(err, "%s", _("/import: a file is missing; write /import FILE"));
    slash_put_path(argument, &path);
    good = import_file(store, buf_cstr(&path), &id, err);
    buf_release(&path);
    return good ? open_id(context, id, err) : SLASH_NONE;
}

/* The format by a word, else by the ending of the file's name, else Markdown. */
static const char *choose_format(Str *argument)
{
    Str rest = *argument, word = slash_word(&rest);
    size_t n;
    const ExportFormat *formats = export_formats(&n);
    const char *chosen = "md";

    for (size_t i = 0; i < n; i++) {
        Buf ending = BUF_INIT;

        buf_printf(&ending, ".%s", formats[i].name);
        if (str_ends(*argument, buf_str(&ending)))
            chosen = formats[i].name;
        buf_release(&ending);
    }
    for (size_t i = 0; i < n; i++) {
        if (!str_eq_c(word, formats[i].name))
            continue;
        *argument = rest;
        return formats[i].name;
    }
    return chosen;
}

SlashResult slash_export(SlashContext *context, Str argument, Error *err)
{
    const Conversation *conversation = chat_conversation(context->start->chat);
    const char *format = choose_format(&argument);
    Buf path = BUF_INIT, used = BUF_INIT;
    bool good;

    if (!conversation->n_messages)
        return slash_fail(err, "%s",
                          _("/export: this conversation is empty; there is nothing to write"));
    if (context->plain && str_eq_c(argument, "-")) {
        export_find(format)->write(conversation, context->out);
        return SLASH_DONE;
    }
    slash_put_path(argument, &path);
    good = export_file(conversation, format, argument.len ? buf_cstr(&path) : NULL, &used, err);
    if (good)
        slash_say(context, _("written: %s"), buf_cstr(&used));
    buf_release(&path);
    buf_release(&used);
    return slash_done(good);
}
