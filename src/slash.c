/* The table of slash commands, the parser of a line, and completion.  What the commands do is in
 * slash_*.c. */
#include "config.h"

#include "src/slash.h"

#include <ctype.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/base/text.h"
#include "src/export.h"
#include "src/slash_parts.h"

static const SlashRow commands[] = {
    { "new", N_("[TITLE]"), N_("begin a new conversation"), true, slash_new },
    { "list", N_("[FILTER]"), N_("show the conversations, newest first"), true, slash_list },
    { "open", N_("ID|TITLE"), N_("open a conversation"), true, slash_open },
    { "resume", "", N_("open the conversation before this one"), true, slash_resume },
    { "rename", N_("TITLE"), N_("give this conversation a title"), true, slash_rename },
    { "delete", N_("[ID]"), N_("delete this conversation, or another; /undelete brings it back"),
      true, slash_delete },
    { "undelete", N_("[ID]"), N_("bring back what was deleted last, or another"), true,
      slash_undelete },
    { "fork", N_("[N]"), N_("copy this conversation up to message N, and open the copy"), true,
      slash_fork },
    { "search", N_("TEXT"), N_("find messages in all conversations"), true, slash_search },
    { "import", N_("FILE"), N_("take in a conversation that was exported as JSON or Markdown"),
      true, slash_import },
    { "export", N_("[md|json|txt] [FILE]"), N_("write this conversation to a file"), true,
      slash_export },
    { "retry", N_("[NAME=VALUE...]"), N_("reply again; the replies before are kept as versions"),
      false, slash_retry },
    { "continue", "", N_("go on with a reply that was stopped or ran out"), false, slash_continue },
    { "edit", N_("[N] TEXT"),
      N_("write your last message, or message N, anew and have it answered"), false, slash_edit },
    { "undo", N_("[N]"), N_("step back by N questions with their replies"), false, slash_undo },
    { "stop", "", N_("stop the reply"), true, slash_stop },
    { "exclude", N_("N [off]"), N_("keep message N from the model, or show it again"), false,
      slash_exclude },
    { "file", N_("FILE"), N_("put a file into your next message, and tell its size in tokens"),
      true, slash_file },
    { "system", N_("[TEXT|show|reset]"),
      N_("change the system prompt, show it, or go back to the usual one"), true, slash_system },
    { "persona", N_("[NAME]"),
      N_("take the settings of [persona NAME] in kaiwa.conf, or list them"), true, slash_persona },
    { "set", N_("NAME VALUE"),
      N_("change a setting of this conversation: temperature, top-p, seed, ..."), true, slash_set },
    { "params", N_("[reset]"),
      N_("show the settings of this conversation, or go back to the usual ones"), true,
      slash_params },
    { "model", N_("[MODEL]"), N_("open another model, or show what there is"), true, slash_model },
    { "ctx", "", N_("show what the model sees of this conversation"), true, slash_ctx },
    { "stats", "", N_("show counts and times of the last reply"), true, slash_stats },
    { "help", N_("[COMMAND]"), N_("explain the commands"), true, slash_help },
    { "keys", "", N_("show the keys"), true, slash_keys },
    { "welcome", "", N_("show the greeting again: how to install the model that kaiwa is made for"),
      true, slash_welcome },
    { "quit", "", N_("save and leave"), true, slash_quit },
};

const SlashRow *slash_table(size_t *n)
{
    *n = ARRAY_LEN(commands);
    return commands;
}

/* ---- for the commands ---- */

void slash_say(SlashContext *context, const char *format, ...)
{
    Buf *to = context->notice ? context->notice : context->out;
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) >= 0)
        buf_puts(to, text);
    va_end(args);
    buf_putc(to, '\n');
    free(text);
}

SlashResult slash_fail(Error *err, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) >= 0)
        error_set(err, ERR_USAGE, "%s", text);
    va_end(args);
    free(text);
    return SLASH_NONE;
}

SlashResult slash_done(bool good)
{
    return good ? SLASH_DONE : SLASH_NONE;
}

SlashResult slash_view(SlashContext *context, const char *view, Str argument)
{
    buf_puts(context->view, view);
    buf_append_str(context->argument, argument);
    return SLASH_VIEW;
}

static const Str IDEOGRAPHIC_SPACE = { "\xE3\x80\x80", 3 };

Str slash_trim(Str s)
{
    size_t before;

    do {
        before = s.len;
        s = str_trim(s);
        if (str_starts(s, IDEOGRAPHIC_SPACE))
            s = str_from_offset(s, IDEOGRAPHIC_SPACE.len);
        if (str_ends(s, IDEOGRAPHIC_SPACE))
            s.len -= IDEOGRAPHIC_SPACE.len;
    } while (s.len != before);
    return s;
}

Str slash_word(Str *rest)
{
    Str s = slash_trim(*rest);
    size_t at = 0;

    while (at < s.len && !isspace((unsigned char)s.data[at]) &&
           !str_starts(str_from_offset(s, at), IDEOGRAPHIC_SPACE))
        at++;
    *rest = slash_trim(str_from_offset(s, at));
    return str_of(s.data, at);
}

Store *slash_store(SlashContext *context, Error *err)
{
    if (!context->start->store)
        error_set(err, ERR_USAGE, "%s",
                  _("nothing is saved in this chat; start kaiwa with a database"));
    return context->start->store;
}

size_t slash_path(SlashContext *context, Message ***out)
{
    const Conversation *conversation = chat_conversation(context->start->chat);
    size_t n = conversation_path(conversation, NULL, 0);

    *out = xcalloc(n + 1, sizeof **out);
    return conversation_path(conversation, *out, n);
}

Message *slash_message(SlashContext *context, Str number, Error *err)
{
    Message **path, *message = NULL;
    size_t n = slash_path(context, &path);
    long long at;

    if (str_to_long(number, &at) && at >= 1 && (size_t)at <= n)
        message = path[at - 1];
    else
        error_set(err, ERR_USAGE, _("%.*s: no such message; /ctx numbers them, 1 to %zu"),
                  (int)(number.len < 40 ? number.len : 40), number.data, n);
    free(path);
    return message;
}

void slash_put_path(Str name, Buf *out)
{
    if (str_starts(name, STR("~/")) && path_home()) {
        buf_puts(out, path_home());
        name = str_from_offset(name, 1);
    }
    buf_append_str(out, name);
}

/* ---- a line ---- */

/* Cuts a slash off, also a full-width one. */
static bool take_slash(Str *line)
{
    static const Str WIDE = { "\xEF\xBC\x8F", 3 };
    Str slash = str_starts(*line, WIDE) ? WIDE : STR("/");

    if (!str_starts(*line, slash))
        return false;
    *line = str_from_offset(*line, slash.len);
    return true;
}

/* The command's name as the table has it: half-width, lower-case. */
static void normal_name(Str word, Buf *out)
{
    text_nfkc(word, out);
    for (size_t i = 0; i < out->len; i++)
        out->data[i] = (char)tolower((unsigned char)out->data[i]);
}

static const SlashRow *find(const Buf *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (str_eq_c(buf_str(name), commands[i].name))
            return &commands[i];
    return NULL;
}

static bool is_replying(const SlashContext *context)
{
    ChatState state = chat_status(context->start->chat)->state;

    return state == CHAT_READING || state == CHAT_REPLYING;
}

static SlashResult run(SlashContext *context, Str word, Str argument, Error *err)
{
    Buf name = BUF_INIT;
    const SlashRow *row;
    SlashResult result;

    normal_name(word, &name);
    row = find(&name);
    if (!row)
        result = slash_fail(
            err, _("/%.*s: unknown command; /help lists them, and // begins a text with a slash"),
            (int)text_cut(word, 40, NULL).len, word.data);
    else if (!row->while_replying && is_replying(context))
        result = slash_fail(err, _("/%s: a reply is being written; stop it first"), row->name);
    else
        result = row->run(context, argument, err);
    if (row && result == SLASH_NONE && err->kind == ERR_NONE)
        slash_fail(err, _("/%s: it did not work"), row->name);
    buf_release(&name);
    return result;
}

Str slash_plain_text(Str line)
{
    Str rest = line, second;

    if (!take_slash(&rest))
        return line;
    second = rest;
    return take_slash(&second) ? rest : STR_NULL;
}

bool slash_run(SlashContext *context, Str line, Str *message, SlashResult *result, Error *err)
{
    Str rest = line, word;

    *message = slash_plain_text(line);
    *result = SLASH_NONE;
    if (!line.len || message->len)
        return false;
    take_slash(&rest);
    /* "/ text": a slash alone is no command either. */
    word = rest.len && !isspace((unsigned char)rest.data[0]) ? slash_word(&rest) : STR_NULL;
    *result = run(context, word, slash_trim(rest), err);
    return true;
}

/* ---- completion ---- */

typedef struct {
    const SlashContext *context;
    Str start; /* what the candidate must begin with */
    Buf *out;
} Completion;

static void offer(const Completion *completion, Str word)
{
    if (!word.len || !str_starts(word, completion->start) || str_find(word, STR(" ")) >= 0 ||
        str_find(word, STR("\n")) >= 0)
        return;
    buf_append_str(completion->out, word);
    buf_putc(completion->out, '\n');
}

static void offer_words(const Completion *completion, const char *words)
{
    Str rest = str_from(words);

    while (rest.len)
        offer(completion, slash_word(&rest));
}

static void complete_command(const Completion *completion, bool with_slash)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        Buf word = BUF_INIT;

        buf_printf(&word, "%s%s", with_slash ? "/" : "", commands[i].name);
        offer(completion, buf_str(&word));
        buf_release(&word);
    }
}

static void complete_setting(const Completion *completion)
{
    size_t n;
    const char *const *names = slash_settings(&n);

    for (size_t i = 0; i < n; i++)
        offer(completion, str_from(names[i]));
}

static void complete_persona(const Completion *completion)
{
    const char *names[64];
    size_t n =
        options_sections(completion->context->start->options, "persona ", names, ARRAY_LEN(names));

    for (size_t i = 0; i < n; i++)
        offer(completion, str_from(names[i] + strlen("persona ")));
}

static void complete_model(const Completion *completion)
{
    ModelList list = { 0 };
    Error ignored = ERROR_INIT;

    if (engine_list_models(&list, &ignored))
        for (size_t i = 0; i < list.n; i++)
            offer(completion, str_from(list.entry[i].name));
    model_list_release(&list);
}

static void complete_title(const Completion *completion)
{
    StoreRows rows = { 0 };
    Error ignored = ERROR_INIT;

    if (!completion->context->start->store ||
        !store_list(completion->context->start->store, STR(""), false, 100, &rows, &ignored))
        return;
    for (size_t i = 0; i < rows.n; i++)
        offer(completion, str_from(rows.row[i].title));
    store_rows_release(&rows);
}

static void complete_file(const Completion *completion)
{
    ptrdiff_t slash = str_rfind(completion->start, STR("/"));
    Str dir_part = str_of(completion->start.data, slash < 0 ? 0 : (size_t)slash + 1);
    Buf dir = BUF_INIT;
    struct dirent *entry;
    DIR *stream;

    buf_append_str(&dir, dir_part.len ? dir_part : STR("."));
    stream = opendir(buf_cstr(&dir));
    while (stream && (entry = readdir(stream))) {
        Buf word = BUF_INIT;

        buf_append_str(&word, dir_part);
        buf_puts(&word, entry->d_name);
        /* Hidden files only for those who ask for them. */
        if (entry->d_name[0] != '.' || completion->start.len > dir_part.len)
            offer(completion, buf_str(&word));
        buf_release(&word);
    }
    if (stream)
        closedir(stream);
    buf_release(&dir);
}

static void complete_format(const Completion *completion)
{
    size_t n;
    const ExportFormat *formats = export_formats(&n);

    for (size_t i = 0; i < n; i++)
        offer(completion, str_from(formats[i].name));
}

static void complete_argument(const Completion *completion, const Buf *name)
{
    const char *command = buf_cstr(name);

    if (strcmp(command, "help") == 0)
        complete_command(completion, false);
    else if (strcmp(command, "set") == 0 || strcmp(command, "retry") == 0)
        complete_setting(completion);
    else if (strcmp(command, "persona") == 0)
        complete_persona(completion);
    else if (strcmp(command, "model") == 0)
        complete_model(completion);
    else if (strcmp(command, "open") == 0)
        complete_title(completion);
    else if (strcmp(command, "file") == 0 || strcmp(command, "import") == 0)
        complete_file(completion);
    else if (strcmp(command, "export") == 0)
        complete_format(completion);
    else if (strcmp(command, "system") == 0)
        offer_words(completion, "show reset");
    else if (strcmp(command, "params") == 0)
        offer_words(completion, "reset");
}

void slash_complete(const SlashContext *context, Str line, Buf *out)
{
    ptrdiff_t blank = str_rfind(line, STR(" "));
    Completion completion = { context, line, out };
    Str rest = line;
    Buf name = BUF_INIT;

    if (blank < 0) {
        complete_command(&completion, true);
    } else if (take_slash(&rest)) {
        completion.start = str_from_offset(line, (size_t)blank + 1);
        normal_name(slash_word(&rest), &name);
        complete_argument(&completion, &name);
    }
    buf_release(&name);
}
