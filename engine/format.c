/* Choosing a chat format for a model, and writing a conversation in it. */
#include "config.h"

#include "engine/format.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/utf8.h"

/* ---- making a row fit ---- */

void format_set(char **pattern, const char *value)
{
    free(*pattern);
    *pattern = xstrdup(value);
}

static char *spelling(const Tokenizer *tokenizer, int32_t id)
{
    Str s = id >= 0 ? tokenizer_spelling(tokenizer, id) : STR_NULL;
    return xstrndup(s.len ? s.data : "", s.len);
}

void format_make(ChatFormat *format, const FormatRow *row, Str chat_template, const char *bos,
                 const char *eos)
{
    *format = (ChatFormat){
        .row = row,
        .flags = row->flags,
        .begin = xstrdup(row->begin),
        .system = xstrdup(row->system),
        .no_system = xstrdup(row->no_system),
        .fold = xstrdup(row->fold),
        .user = xstrdup(row->user),
        .reply_open = xstrdup(row->reply_open),
        .text_open = xstrdup(row->text_open),
        .text_close = xstrdup(row->text_close),
        .ids_close = xstrdup(row->ids_close),
        .bos = xstrdup(bos),
        .eos = xstrdup(eos),
    };
    format_read_template(format, chat_template);
}

static void make_for(ChatFormat *format, const FormatRow *row, const Tokenizer *tokenizer)
{
    char *bos = spelling(tokenizer, tokenizer_bos(tokenizer)),
         *eos = spelling(tokenizer, tokenizer_eos(tokenizer));
    format_make(format, row, tokenizer_chat_template(tokenizer), bos, eos);
    if ((row->flags & FORMAT_BOS_BY_MODEL) && tokenizer_adds_bos(tokenizer))
        format_set(&format->begin, "{bos}");
    free(bos);
    free(eos);
}

void format_release(ChatFormat *format)
{
    char *owned[] = { format->begin,     format->system,     format->no_system,
                      format->fold,      format->user,       format->reply_open,
                      format->text_open, format->text_close, format->default_system,
                      format->ids_close, format->bos,        format->eos,
                      format->why };
    for (size_t i = 0; i < ARRAY_LEN(owned); i++)
        free(owned[i]);
    *format = (ChatFormat){ 0 };
}

/* ---- choosing ---- */

static bool fail_unknown(const char *name, ErrorKind kind, Error *err)
{
    Buf names = BUF_INIT;
    size_t n;
    const FormatRow *row = format_rows(&n);
    for (size_t i = 0; i < n; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", row[i].name);
    error_set(err, kind, _("%s: there is no such chat format; there are %s"), name,
              buf_cstr(&names));
    buf_release(&names);
    return false;
}

/* Tokens that only one format's models have. */
typedef struct {
    const char *token, *other;
    const char *format;
} VocabularyRule;

static const VocabularyRule vocabulary_rules[] = {
    { "<|im_start|>", "<|im_end|>", "chatml" },
    { "<|start_header_id|>", "<|eot_id|>", "llama3" },
    { "[INST]", "[/INST]", "mistral" },
};

static bool is_control(const Tokenizer *tokenizer, const char *token)
{
    int32_t id = tokenizer_find(tokenizer, str_from(token));
    return id >= 0 && tokenizer_is_special(tokenizer, id);
}

static const FormatRow *by_vocabulary(const Tokenizer *tokenizer, Buf *why)
{
    for (size_t i = 0; i < ARRAY_LEN(vocabulary_rules); i++) {
        const VocabularyRule *rule = &vocabulary_rules[i];
        if (!is_control(tokenizer, rule->token) || !is_control(tokenizer, rule->other))
            continue;
        buf_printf(why, _("its vocabulary has %s"), rule->token);
        return format_row(str_from(rule->format));
    }
    return NULL;
}

/* ELYZA's -fast models: Llama 2 with 13,043 or 12,581 more tokens. */
static bool is_elyza(int n_tokens)
{
    return n_tokens == 45043 || n_tokens == 44581;
}

static const FormatRow *by_family(const FormatChoice *choice, Buf *why)
{
    const char *family = choice->family ? choice->family : "";
    int n_tokens = tokenizer_size(choice->tokenizer);
    const json_t *rows = json_object_get(choice->config, "vocab_size");
    if (!is_elyza(n_tokens) && json_is_integer(rows) && is_elyza((int)json_integer_value(rows)))
        n_tokens = (int)json_integer_value(rows);
    if (strcmp(family, "llama") == 0 && is_elyza(n_tokens)) {
        buf_printf(why, _("a Llama without a chat_template and with %d tokens"), n_tokens);
        return format_row(STR("elyza"));
    }
    if (strcmp(family, "llama") == 0) {
        buf_puts(why, _("a Llama without a chat_template"));
        return format_row(STR("llama2"));
    }
    if (strcmp(family, "mistral") == 0) {
        buf_puts(why, _("a Mistral without a chat_template"));
        return format_row(STR("mistral"));
    }
    return NULL;
}

static const FormatRow *by_model(const FormatChoice *choice, Buf *why)
{
    Str chat_template = tokenizer_chat_template(choice->tokenizer);
    const char *signature;
    const FormatRow *row = NULL;
    if (chat_template.len && (row = format_of_template(chat_template, &signature)) != NULL) {
        buf_printf(why, _("its chat_template has %s"), signature);
        return row;
    }
    if (chat_template.len)
        buf_puts(why, _("its chat_template is none that kaiwa knows; "));
    if ((row = by_vocabulary(choice->tokenizer, why)) != NULL)
        return row;
    if (!chat_template.len && (row = by_family(choice, why)) != NULL)
        return row;
    buf_puts(why, _("nothing in the model says which; choose one with --chat-format"));
    return format_row(STR("plain"));
}

static const FormatRow *choose_row(const FormatChoice *choice, Buf *why, Error *err)
{
    const FormatRow *row;
    const char *named =
        json_string_value(json_object_get(json_object_get(choice->config, "kaiwa"), "chat_format"));
    if (choice->wanted) {
        row = format_row(str_from(choice->wanted));
        buf_puts(why, _("it was asked for"));
        return row || fail_unknown(choice->wanted, ERR_USAGE, err) ? row : NULL;
    }
    if (named) {
        row = format_row(str_from(named));
        buf_puts(why, _("config.json names it"));
        if (!row && !fail_unknown(named, ERR_FORMAT, err))
            error_note(err, "config.json");
        return row;
    }
    return by_model(choice, why);
}

bool format_choose(ChatFormat *format, const FormatChoice *choice, Error *err)
{
    Buf why = BUF_INIT;
    const FormatRow *row = choose_row(choice, &why, err);
    *format = (ChatFormat){ 0 };
    if (row) {
        make_for(format, row, choice->tokenizer);
        format->why = buf_take(&why);
    }
    buf_release(&why);
    return row != NULL;
}

/* ---- writing parts ---- */

static void put_part(Rendering *out, Str text, bool special)
{
    if (!text.len)
        return;
    out->part = mem_grow(out->part, &out->cap, out->n + 1, sizeof *out->part);
    out->part[out->n++] =
        (RenderPart){ .start = out->text.len, .len = text.len, .special = special };
    buf_append_str(&out->text, text);
}

static void put_ids(Rendering *out, const int32_t *ids, size_t n)
{
    if (!n)
        return;
    out->part = mem_grow(out->part, &out->cap, out->n + 1, sizeof *out->part);
    out->part[out->n++] = (RenderPart){ .start = out->text.len, .ids = ids, .n_ids = n };
}

/* What the names in a pattern stand for. */
typedef struct {
    Str text, system;
} Values;

static void put_pattern(const ChatFormat *format, const char *pattern, Values values,
                        Rendering *out)
{
    const struct {
        Str name, value;
        bool special;
    } names[] = {
        { STR("{text}"), values.text, false },
        { STR("{system}"), values.system, false },
        { STR("{bos}"), str_from(format->bos), true },
        { STR("{eos}"), str_from(format->eos), true },
    };
    Str rest = str_from(pattern);
    size_t plain = 0;
    while (plain < rest.len) {
        size_t i = 0;
        while (i < ARRAY_LEN(names) && !str_starts(str_from_offset(rest, plain), names[i].name))
            i++;
        if (i == ARRAY_LEN(names)) {
            plain++;
            continue;
        }
        put_part(out, str_sub(rest, 0, plain), true);
        put_part(out, names[i].value, names[i].special);
        rest = str_from_offset(rest, plain + names[i].name.len);
        plain = 0;
    }
    put_part(out, rest, true);
}

/* ---- trimming ---- */

/* What Python's str.strip() takes away (str.isspace). */
static bool is_space(unsigned c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

static Str trim_start(Str s)
{
    size_t at = 0, next = 0;
    while (at < s.len && is_space(utf8_next(s, &next)))
        at = next;
    return str_from_offset(s, at);
}

static Str trim_end(Str s)
{
    size_t end = 0;
    for (size_t at = 0; at < s.len;)
        if (!is_space(utf8_next(s, &at)))
            end = at;
    return str_sub(s, 0, end);
}

static Str trim_if(bool wanted, Str s)
{
    return wanted ? trim_end(trim_start(s)) : s;
}

/* Takes white space off the end of what was written from part `from` on. */
static void trim_written(Rendering *out, size_t from)
{
    while (out->n > from) {
        RenderPart *last = &out->part[out->n - 1];
        last->len = trim_end(str_sub(buf_str(&out->text), last->start, last->len)).len;
        buf_truncate(&out->text, last->start + last->len);
        if (last->len)
            return;
        out->n--;
    }
}

/* ---- conversations ---- */

typedef struct {
    const ChatFormat *format;
    const ChatMessage *message;
    size_t n;
    size_t last_user; /* index; n: none */
    Str system;       /* waits for a user message */
    bool system_waits;
    Rendering *out;
} Writer;

static void put(Writer *w, const char *pattern, Str text)
{
    put_pattern(w->format, pattern, (Values){ .text = text }, w->out);
}

static void put_system(Writer *w, Str text)
{
    text = trim_if(w->format->flags & FORMAT_TRIM_SYSTEM, text);
    if (w->format->system) {
        put(w, w->format->system, text);
        return;
    }
    w->system = text;
    w->system_waits = true;
}

/* A format that has no place for the system prompt of its own puts it into a user message. */
static void put_user(Writer *w, size_t i)
{
    const ChatFormat *format = w->format;
    Str text = w->message[i].text;
    bool trim = format->flags & FORMAT_TRIM_USER,
         fold = w->system_waits && (!(format->flags & FORMAT_FOLD_LAST) || i == w->last_user);
    if (!fold) {
        put(w, format->user, trim_if(trim, text));
        return;
    }
    Str whole = str_from(format->user);
    size_t at = (size_t)str_find(whole, STR("{text}"));
    char *open = xstrndup(whole.data, at);
    put(w, open, STR_NULL);
    free(open);
    size_t from = w->out->n;
    put_pattern(format, format->fold, (Values){ .text = text, .system = w->system }, w->out);
    if (trim)
        trim_written(w->out, from);
    put(w, format->user + at + strlen("{text}"), STR_NULL);
    w->system_waits = false;
}

/* Thoughts of earlier turns are not shown to the model again. */
static bool strip_thinking(const Writer *w, size_t i, Str *text)
{
    static const char END[] = "</think>";
    ptrdiff_t at = str_rfind(*text, STR("</think>"));
    if (!(w->format->flags & FORMAT_STRIP_THINKING) || at < 0 || w->last_user == w->n ||
        i > w->last_user)
        return false;
    *text = str_from_offset(*text, (size_t)at + strlen(END));
    while (text->len && text->data[0] == '\n')
        *text = str_from_offset(*text, 1);
    return true;
}

static void put_reply(Writer *w, size_t i, bool open_end)
{
    const ChatFormat *format = w->format;
    const ChatMessage *message = &w->message[i];
    bool trim = format->flags & FORMAT_TRIM_REPLY;
    Str text = message->text;
    bool changed = strip_thinking(w, i, &text);
    put(w, format->reply_open, STR_NULL);
    if (message->ids && !changed) {
        put_ids(w->out, message->ids, message->n_ids);
        if (!open_end)
            put(w, format->ids_close, STR_NULL);
        return;
    }
    put(w, format->text_open, STR_NULL);
    put_part(w->out, open_end && trim ? trim_start(text) : trim_if(trim, text), false);
    if (!open_end)
        put(w, format->text_close, STR_NULL);
}

static size_t find_last_user(const ChatMessage *messages, size_t n)
{
    for (size_t i = n; i > 0; i--)
        if (messages[i - 1].role == ROLE_USER)
            return i - 1;
    return n;
}

static void put_start(Writer *w)
{
    const ChatFormat *format = w->format;
    put(w, format->begin, STR_NULL);
    if (w->n && w->message[0].role == ROLE_SYSTEM)
        return;
    if (format->default_system)
        put_system(w, str_from(format->default_system));
    else if (format->no_system)
        put(w, format->no_system, STR_NULL);
}

void format_render(const ChatFormat *format, const ChatMessage *messages, size_t n,
                   bool continue_last, Rendering *out)
{
    Writer w = { .format = format,
                 .message = messages,
                 .n = n,
                 .last_user = find_last_user(messages, n),
                 .out = out };
    bool goes_on = continue_last && n && messages[n - 1].role == ROLE_ASSISTANT;
    put_start(&w);
    for (size_t i = 0; i < n; i++) {
        if (messages[i].role == ROLE_SYSTEM)
            put_system(&w, messages[i].text);
        else if (messages[i].role == ROLE_USER)
            put_user(&w, i);
        else
            put_reply(&w, i, goes_on && i + 1 == n);
    }
    if (!goes_on)
        put(&w, format->reply_open, STR_NULL);
}

/* ---- to ids ---- */

bool rendering_encode(const Rendering *rendering, const Tokenizer *tokenizer, Tokens *out,
                      Error *err)
{
    TextSpan *span = xcalloc(rendering->n + 1, sizeof *span);
    size_t n = 0, before = out->n;
    bool good = true;
    for (size_t i = 0; good && i <= rendering->n; i++) {
        const RenderPart *part = i < rendering->n ? &rendering->part[i] : NULL;
        if (part && !part->n_ids) {
            span[n++] = (TextSpan){ str_sub(buf_str(&rendering->text), part->start, part->len),
                                    part->special };
            continue;
        }
        good = n == 0 || tokenizer_encode(tokenizer, span, n, out, err);
        n = 0;
        if (good && part)
            tokens_append(out, part->ids, part->n_ids);
    }
    free(span);
    if (!good)
        tokens_truncate(out, before);
    return good;
}

void rendering_release(Rendering *rendering)
{
    buf_release(&rendering->text);
    free(rendering->part);
    *rendering = (Rendering)RENDERING_INIT;
}
