/* Slash commands that show something: ctx, stats, help, keys, welcome; and quit. */
#include "config.h"

#include <stdlib.h>

#include "src/base/i18n.h"
#include "src/base/text.h"
#include "src/greeting.h"
#include "src/slash_parts.h"

enum { LINE_COLS = 36, NAME_COLS = 30 };

/* ---- /ctx ---- */

/* The beginning of a message in one line. */
static void put_start(Buf *out, Str text)
{
    Str cut;
    Buf line = BUF_INIT;

    for (size_t i = 0; i < text.len && i < 400; i++)
        buf_putc(&line, (unsigned char)text.data[i] < ' ' ? ' ' : text.data[i]);
    cut = text_cut(buf_str(&line), LINE_COLS, NULL);
    buf_append_str(out, cut);
    if (cut.len < line.len || text.len > line.len)
        buf_puts(out, "…");
    buf_release(&line);
}

static const char *mark_of(const Message *message, size_t index, const ChatStatus *status)
{
    if (message->excluded)
        return _("excluded");
    return index < status->window_from ? _("left the window") : "";
}

SlashResult slash_ctx(SlashContext *context, Str argument, Error *err)
{
    const Conversation *conversation = chat_conversation(context->start->chat);
    const ChatStatus *status = chat_status(context->start->chat);
    Message **path;
    size_t n = slash_path(context, &path);

    (void)argument;
    (void)err;
    buf_printf(context->out, _("context: %d of %d tokens\n"), status->context_used,
               status->context_size);
    if (conversation->system.len) {
        buf_printf(context->out, "-\t%s\t", _("system"));
        put_start(context->out, buf_str(&conversation->system));
        buf_putc(context->out, '\n');
    }
    for (size_t i = 0; i < n; i++) {
        const char *mark = mark_of(path[i], i, status);

        buf_printf(context->out, "%zu\t%s\t", i + 1,
                   path[i]->role == ROLE_USER ? _("you") : _("reply"));
        if (path[i]->ids.n)
            buf_printf(context->out, P_("%zu token\t", "%zu tokens\t", path[i]->ids.n),
                       path[i]->ids.n);
        if (*mark)
            buf_printf(context->out, "(%s)\t", mark);
        put_start(context->out, buf_str(&path[i]->text));
        buf_putc(context->out, '\n');
    }
    free(path);
    return SLASH_DONE;
}

/* ---- /stats ---- */

static const char *reason_words(DoneReason reason)
{
    switch (reason) {
    case DONE_LENGTH:
        return _("cut off: max-tokens");
    case DONE_CONTEXT:
        return _("cut off: the context is full");
    case DONE_CANCELLED:
        return _("stopped");
    default:
        return _("complete");
    }
}

SlashResult slash_stats(SlashContext *context, Str argument, Error *err)
{
    const ChatStatus *status = chat_status(context->start->chat);
    const Usage *usage = &status->usage;
    const Timing *timing = &status->timing;
    Buf *out = context->out;

    (void)argument;
    if (!usage->prompt)
        return slash_fail(err, "%s", _("/stats: there is no reply yet"));
    buf_printf(out, _("prompt: %d tokens, %d reused and %d computed\n"), usage->prompt,
               usage->reused, usage->computed);
    buf_printf(out, _("reply: %d tokens (%s)\n"), usage->generated, reason_words(status->reason));
    buf_printf(out, _("time: first token after %.0f ms, prompt %.0f ms, reply %.0f ms\n"),
               timing->first, timing->prefill, timing->decode);
    if (timing->prefill > 0 && usage->computed)
        buf_printf(out, _("reading: %.1f tokens/s\n"), usage->computed * 1000.0 / timing->prefill);
    if (status->tokens_per_second > 0)
        buf_printf(out, _("writing: %.1f tokens/s\n"), status->tokens_per_second);
    if (usage->kept)
        buf_printf(
            out,
            P_("%d other conversation or branch can go on without being read again; %.0f MiB "
               "in all\n",
               "%d other conversations and branches can go on without being read again; "
               "%.0f MiB in all\n",
               usage->kept),
            usage->kept, (double)usage->kept_bytes / (1024 * 1024));
    return SLASH_DONE;
}

/* ---- /help, /keys, /welcome, /quit ---- */

static void put_help(Buf *out, const SlashRow *row)
{
    Buf left = BUF_INIT;

    buf_printf(&left, "/%s%s%s", row->name, *row->synopsis ? " " : "",
               *row->synopsis ? _(row->synopsis) : "");
    buf_append_str(out, buf_str(&left));
    for (int cols = text_cols(buf_str(&left)); cols < NAME_COLS; cols++)
        buf_putc(out, ' ');
    buf_printf(out, " %s\n", _(row->help));
    buf_release(&left);
}

SlashResult slash_help(SlashContext *context, Str argument, Error *err)
{
    size_t n, shown = 0;
    const SlashRow *rows = slash_table(&n);

    if (!argument.len && !context->plain)
        return slash_view(context, "help", STR("commands"));
    if (str_starts(argument, STR("/")))
        argument = str_from_offset(argument, 1);
    for (size_t i = 0; i < n; i++) {
        if (argument.len && !str_eq_c(argument, rows[i].name))
            continue;
        put_help(context->out, &rows[i]);
        shown++;
    }
    if (!shown)
        return slash_fail(err, _("/help: there is no command %.*s"),
                          (int)(argument.len < 40 ? argument.len : 40), argument.data);
    return SLASH_DONE;
}

SlashResult slash_keys(SlashContext *context, Str argument, Error *err)
{
    (void)argument;
    (void)err;
    if (!context->plain)
        return slash_view(context, "help", STR("keys"));
    slash_say(context, "%s",
              _("keys belong to the screen: here a line is a message, a backslash at its end goes "
                "on in the next, "
                "^C stops a reply and ^D ends"));
    return SLASH_DONE;
}

SlashResult slash_welcome(SlashContext *context, Str argument, Error *err)
{
    (void)argument;
    (void)err;
    greeting_write(context->start, context->out);
    return SLASH_DONE;
}

SlashResult slash_quit(SlashContext *context, Str argument, Error *err)
{
    (void)context;
    (void)argument;
    (void)err;
    return SLASH_QUIT;
}
