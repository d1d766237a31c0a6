/* Slash commands on single turns: retry, continue, edit, undo, stop, exclude and file. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/path.h"
#include "src/base/text.h"
#include "src/slash_parts.h"

enum { MAX_FILE = 16 << 20, PLAN_WAIT_MS = 10000 };

SlashResult slash_retry(SlashContext *context, Str argument, Error *err)
{
    Chat *chat = context->start->chat;
    Sampling sampling = chat_conversation(chat)->sampling;
    int max_tokens = chat_conversation(chat)->max_tokens;

    if (argument.len &&
        (!slash_apply_settings(argument, &sampling, &max_tokens, err) ||
         !chat_set_sampling(chat, &sampling, err) || !chat_set_max_tokens(chat, max_tokens, err)))
        return SLASH_NONE;
    return slash_done(chat_regenerate(chat, err));
}

SlashResult slash_continue(SlashContext *context, Str argument, Error *err)
{
    (void)argument;
    return slash_done(chat_continue(context->start->chat, err));
}

static Message *last_question(SlashContext *context)
{
    Message **path, *found = NULL;
    size_t n = slash_path(context, &path);

    while (n-- > 0 && !found)
        found = path[n]->role == ROLE_USER ? path[n] : NULL;
    free(path);
    return found;
}

SlashResult slash_edit(SlashContext *context, Str argument, Error *err)
{
    Str text = argument, number = slash_word(&text);
    Message *message;
    long long n;

    if (str_to_long(number, &n) && text.len) {
        message = slash_message(context, number, err);
        if (!message)
            return SLASH_NONE;
        if (message->role != ROLE_USER)
            return slash_fail(
                err, _("/edit: message %.*s is a reply; only your own messages can be edited"),
                (int)number.len, number.data);
    } else {
        text = argument;
        message = last_question(context);
    }
    if (!message)
        return slash_fail(err, "%s", _("/edit: there is no message to edit yet"));
    if (!text.len)
        return slash_fail(err, "%s",
                          _("/edit: the new text is missing; write /edit TEXT or /edit N TEXT"));
    return slash_done(chat_edit(context->start->chat, message->id, text, err));
}

SlashResult slash_undo(SlashContext *context, Str argument, Error *err)
{
    long long n = 1;

    if (argument.len && (!str_to_long(argument, &n) || n < 1 || n > 1000000))
        return slash_fail(err, "%s", _("/undo: how many questions? write a number from 1 on"));
    if (!chat_undo(context->start->chat, (int)n, err))
        return SLASH_NONE;
    slash_say(context, "%s", _("stepped back; nothing is deleted"));
    return SLASH_DONE;
}

SlashResult slash_stop(SlashContext *context, Str argument, Error *err)
{
    ChatState state = chat_status(context->start->chat)->state;

    (void)argument;
    if (state == CHAT_IDLE)
        return slash_fail(err, "%s", _("/stop: nothing is running"));
    chat_stop(context->start->chat);
    return SLASH_DONE;
}

SlashResult slash_exclude(SlashContext *context, Str argument, Error *err)
{
    Str rest = argument, number = slash_word(&rest);
    bool off = str_eq_c(rest, "off");
    Message *message;

    if (rest.len && !off)
        return slash_fail(err, "%s", _("/exclude: write /exclude N, or /exclude N off"));
    message = slash_message(context, number, err);
    if (!message || !chat_exclude(context->start->chat, message->id, !off, err))
        return SLASH_NONE;
    slash_say(context,
              off ? _("message %.*s is shown to the model again")
                  : _("message %.*s is kept from the model"),
              (int)number.len, number.data);
    return SLASH_DONE;
}

/* ---- /file ---- */

/* In the plain chat nothing else drives the events: the answer of PLAN is waited for here. */
static void wait_plan(SlashContext *context)
{
    int64_t end = clock_mono_us() + PLAN_WAIT_MS * 1000LL;
    unsigned changed = 0;

    while (!(changed & (CHAT_CHANGED_PLAN | CHAT_CHANGED_ERROR)) && clock_mono_us() < end) {
        Event *event = worker_take(context->start->worker);

        if (!event) {
            worker_wait(context->start->worker, 50);
            continue;
        }
        changed |= chat_event(context->start->chat, event);
        event_free(event);
    }
}

static void tell_size(SlashContext *context, const char *path, Str text)
{
    Chat *chat = context->start->chat;
    const ChatStatus *status = chat_status(chat);

    if (!status->model) {
        slash_say(context, _("%s: %zu bytes; without a model its tokens cannot be counted"), path,
                  text.len);
        return;
    }
    chat_plan(chat, NULL, text);
    if (!context->plain) {
        slash_say(context, _("%s: %zu bytes; its tokens are counted below"), path, text.len);
        return;
    }
    wait_plan(context);
    if (!status->plan_valid)
        slash_say(context, _("%s: %zu bytes"), path, text.len);
    else
        slash_say(context, _("%s: with it the prompt has %d tokens of %d, %d of them to be read"),
                  path, status->plan.prompt, status->context_size, status->plan.computed);
}

/* Fenced, so that the model sees where the file ends; a longer fence where the file has fences
 * itself. */
static void put_file(Buf *out, const char *path, Str text)
{
    int fence = 3, run = 0;

    for (size_t i = 0; i < text.len; i++) {
        run = text.data[i] == '`' ? run + 1 : 0;
        fence = run >= fence ? run + 1 : fence;
    }
    buf_printf(out, "%s\n", path_base(path));
    for (int i = 0; i < fence; i++)
        buf_putc(out, '`');
    buf_putc(out, '\n');
    buf_append_str(out, text);
    if (!str_ends(text, STR("\n")))
        buf_putc(out, '\n');
    for (int i = 0; i < fence; i++)
        buf_putc(out, '`');
    buf_putc(out, '\n');
}

static bool read_file(const char *path, const char *encoding, Buf *out, const char **used,
                      Error *err)
{
    Buf bytes = BUF_INIT, text = BUF_INIT;
    bool good = path_read_file(path, MAX_FILE, &bytes, err);

    if (good &&
        !text_decode(buf_str(&bytes), encoding && *encoding ? encoding : NULL, &text, used, err))
        good = error_note(err, "%s", path);
    if (good && memchr(text.data ? text.data : "", 0, text.len))
        good = error_set(err, ERR_FORMAT, _("%s: it holds a NUL character; is it text?"), path);
    text_clean_input(buf_str(&text), out);
    buf_release(&bytes);
    buf_release(&text);
    return good;
}

SlashResult slash_file(SlashContext *context, Str argument, Error *err)
{
    Buf path = BUF_INIT, text = BUF_INIT, draft = BUF_INIT;
    const char *used = NULL;
    bool good;

    if (!argument.len)
        return slash_fail(err, "%s", _("/file: a file is missing; write /file FILE"));
    slash_put_path(argument, &path);
    good = read_file(buf_cstr(&path), options_string(context->start->options, "encoding"), &text,
                     &used, err);
    if (good) {
        if (used && strcmp(used, "UTF-8") != 0)
            slash_say(context, _("%s: read as %s"), buf_cstr(&path), used);
        put_file(&draft, buf_cstr(&path), buf_str(&text));
        tell_size(context, buf_cstr(&path), buf_str(&draft));
        if (context->draft)
            buf_append_str(context->draft, buf_str(&draft));
        else
            good = chat_set_draft(context->start->chat, buf_str(&draft), err);
    }
    buf_release(&path);
    buf_release(&text);
    buf_release(&draft);
    return slash_done(good);
}
