/* What can be read off a chat_template without running it: which format it is, and the few
 * things in which templates of one format differ (BOS, default system prompt, spaces, where the
 * system prompt goes, Llama 3.1's dates).
 *
 * Templates are Jinja.  Only text outside of tags and string literals inside {{ }} and {% %} are
 * looked at, with a little of what stands around them. */
#include "config.h"

#include "engine/format.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/attributes.h"
#include "src/base/mem.h"

/* ---- which format ---- */

typedef struct {
    const char *signature;
    const char *also; /* must be there too; NULL: nothing */
    const char *never;
    const char *format;
} Signature;

/* The first that fits. */
static const Signature signatures[] = {
    { "<|im_start|>", NULL, NULL, "chatml" },
    { "<|start_header_id|>", NULL, NULL, "llama3" },
    { "<<SYS>>", "[INST]", NULL, "llama2" },
    { "[INST]", NULL, NULL, "mistral" },
    { "<|user|>", "eos_token", "<|end|>", "zephyr" },
};

static bool has(Str text, const char *needle)
{
    return str_find(text, str_from(needle)) >= 0;
}

const FormatRow *format_of_template(Str chat_template, const char **signature)
{
    for (size_t i = 0; i < ARRAY_LEN(signatures); i++) {
        const Signature *s = &signatures[i];
        if (!has(chat_template, s->signature) || (s->also && !has(chat_template, s->also)) ||
            (s->never && has(chat_template, s->never)))
            continue;
        *signature = s->signature;
        return format_row(str_from(s->format));
    }
    return NULL;
}

/* ---- string literals ---- */

typedef struct {
    Str source;
    size_t at;
    bool in_tag;
    Buf value;         /* of the literal found, escapes resolved */
    size_t start, end; /* its quotes in source */
} Literals;

static void skip_comment(Literals *l)
{
    ptrdiff_t end = str_find(str_from_offset(l->source, l->at), STR("#}"));
    l->at = end < 0 ? l->source.len : l->at + (size_t)end + 2;
}

static void read_literal(Literals *l)
{
    const char *s = l->source.data;
    char quote = s[l->at];
    buf_reset(&l->value);
    l->start = l->at++;
    while (l->at < l->source.len && s[l->at] != quote) {
        char c = s[l->at++];
        if (c != '\\' || l->at >= l->source.len) {
            buf_putc(&l->value, c);
            continue;
        }
        c = s[l->at++];
        if (c == 'n' || c == 't' || c == 'r')
            buf_putc(&l->value, c == 'n' ? '\n' : c == 't' ? '\t' : '\r');
        else
            buf_putc(&l->value, c);
    }
    if (l->at < l->source.len)
        l->at++;
    l->end = l->at;
}

/* What stands outside of tags up to the next one, which is entered; true when it is more than white
 * space. */
static bool read_outside(Literals *l)
{
    const char *s = l->source.data;
    l->start = l->at;
    while (l->at < l->source.len &&
           !(s[l->at] == '{' && l->at + 1 < l->source.len && strchr("{%#", s[l->at + 1])))
        l->at++;
    l->end = l->at;
    if (l->at < l->source.len && s[l->at + 1] != '#') {
        l->in_tag = true;
        l->at += 2;
    }
    buf_reset(&l->value);
    buf_append_str(&l->value, str_sub(l->source, l->start, l->end - l->start));
    return str_trim(buf_str(&l->value)).len > 0;
}

/* Goes to the next literal; false at the end. */
static bool next_literal(Literals *l)
{
    const char *s = l->source.data;
    while (l->at < l->source.len) {
        Str rest = str_from_offset(l->source, l->at);
        if (!l->in_tag && str_starts(rest, STR("{#"))) {
            skip_comment(l);
        } else if (!l->in_tag) {
            if (read_outside(l))
                return true;
        } else if (str_starts(rest, STR("}}")) || str_starts(rest, STR("%}"))) {
            l->in_tag = false;
            l->at += 2;
        } else if (s[l->at] == '\'' || s[l->at] == '"') {
            read_literal(l);
            return true;
        } else {
            l->at++;
        }
    }
    return false;
}

static Str before_literal(const Literals *l)
{
    return str_trim(str_sub(l->source, 0, l->start));
}

static Str after_literal(const Literals *l)
{
    return str_trim(str_from_offset(l->source, l->end));
}

/* The first literal that holds needle, or one that follows the words `before`. */
static bool find_literal(Str source, const char *needle, const char *before, Buf *out)
{
    Literals l = { .source = source, .value = BUF_INIT };
    bool found = false;
    while (!found && next_literal(&l))
        found = (!needle || has(buf_str(&l.value), needle)) &&
                (!before || str_ends(before_literal(&l), str_from(before)));
    if (found)
        buf_append_str(out, buf_str(&l.value));
    buf_release(&l.value);
    return found;
}

/* ---- the default system prompt ---- */

/* The literal holds the whole block of a system prompt. */
static Str block_content(Str literal, const char *pattern)
{
    Str whole = str_from(pattern), none = STR_NULL;
    ptrdiff_t text = str_find(whole, STR("{text}"));
    if (text < 0)
        return none;
    Str open = str_sub(whole, 0, (size_t)text),
        close = str_trim(str_from_offset(whole, (size_t)text + 6));
    ptrdiff_t from = str_find(literal, open);
    if (from < 0)
        return none;
    Str rest = str_from_offset(literal, (size_t)from + open.len);
    ptrdiff_t to = str_find(rest, close);
    return to > 0 ? str_sub(rest, 0, (size_t)to) : none;
}

/* {% set system_message = 'literal' %} */
static bool is_assigned(const Literals *l)
{
    Str before = before_literal(l), after = after_literal(l);
    if (!str_ends(before, STR("=")) ||
        !(str_starts(after, STR("%}")) || str_starts(after, STR("-%}"))))
        return false;
    before = str_trim(str_sub(before, 0, before.len - 1));
    return str_ends(before, STR("system_message")) || str_ends(before, STR("system_prompt"));
}

static void read_default_system(ChatFormat *format, Str source)
{
    Literals l = { .source = source, .value = BUF_INIT };
    while (!format->default_system && next_literal(&l)) {
        Str literal = buf_str(&l.value), found = STR_NULL;
        if (format->row->system)
            found = block_content(literal, format->row->system);
        if (!found.len && is_assigned(&l))
            found = literal;
        if (found.len)
            format->default_system = xstrndup(found.data, found.len);
    }
    buf_release(&l.value);
}

/* ---- what differs within a format ---- */

static void read_chatml(ChatFormat *format, Str source)
{
    if (has(source, "bos_token"))
        format_set(&format->begin, "{bos}");
    if (has(source, "split('</think>')") || has(source, "split(\"</think>\")"))
        format->flags |= FORMAT_STRIP_THINKING;
}

/* Llama 3.1 and later say two dates in front of the system prompt.  Where a template would take
 * today's date, the one it falls back on is used: a conversation must render the same ids
 * tomorrow. */
static void read_llama3(ChatFormat *format, Str source)
{
    static const char OPEN[] = "<|start_header_id|>system<|end_header_id|>\n\n";
    Buf dates = BUF_INIT, date = BUF_INIT, block = BUF_INIT;
    if (!has(source, "bos_token"))
        format_set(&format->begin, "");
    if (find_literal(source, "Cutting Knowledge Date", NULL, &dates)) {
        if (!find_literal(source, " 20", "date_string =", &date))
            buf_puts(&date, "26 Jul 2024");
        buf_printf(&block, "%s%sToday Date: %s\n\n", OPEN, buf_cstr(&dates), buf_cstr(&date));
        buf_puts(&block, "{text}<|eot_id|>");
        format_set(&format->system, buf_cstr(&block));
        buf_truncate(&block, block.len - strlen("{text}<|eot_id|>"));
        buf_puts(&block, "<|eot_id|>");
        format_set(&format->no_system, buf_cstr(&block));
    }
    buf_release(&dates);
    buf_release(&date);
    buf_release(&block);
}

/* The tag as a literal writes it, with the spaces on both sides. */
static void put_tag(Str source, const char *tag, const char *otherwise, Buf *out)
{
    Buf literal = BUF_INIT;
    if (find_literal(source, tag, NULL, &literal)) {
        Str s = buf_str(&literal);
        size_t from = (size_t)str_find(s, str_from(tag)), to = from + strlen(tag);
        while (from > 0 && s.data[from - 1] == ' ')
            from--;
        while (to < s.len && s.data[to] == ' ')
            to++;
        buf_append_str(out, str_sub(s, from, to - from));
    } else {
        buf_puts(out, otherwise);
    }
    buf_release(&literal);
}

static void read_mistral_spaces(ChatFormat *format, Str source)
{
    Literals l = { .source = source, .value = BUF_INIT };
    while (next_literal(&l)) {
        Str before = before_literal(&l), after = after_literal(&l);
        if (!str_eq_c(buf_str(&l.value), " "))
            continue;
        if (str_starts(after, STR("+ message")))
            format_set(&format->text_open, " ");
        if (str_ends(before, STR("eos_token +"))) {
            format_set(&format->text_close, "{eos} ");
            format_set(&format->ids_close, "{eos} ");
        }
    }
    buf_release(&l.value);
}

static void read_mistral(ChatFormat *format, Str source)
{
    Buf user = BUF_INIT;
    put_tag(source, "[INST]", "[INST] ", &user);
    buf_puts(&user, "{text}");
    put_tag(source, "[/INST]", " [/INST]", &user);
    format_set(&format->user, buf_cstr(&user));
    buf_release(&user);
    read_mistral_spaces(format, source);
    if (has(source, "[SYSTEM_PROMPT]"))
        format_set(&format->system, "[SYSTEM_PROMPT]{text}[/SYSTEM_PROMPT]");
    if (has(source, "loop.last and system_message"))
        format->flags |= FORMAT_FOLD_LAST;
    if (has(source, "trim + eos_token"))
        format->flags |= FORMAT_TRIM_REPLY;
}

typedef struct {
    const char *format;
    void (*read)(ChatFormat *format, Str source);
} Reader;

static const Reader readers[] = {
    { "chatml", read_chatml },
    { "llama3", read_llama3 },
    { "mistral", read_mistral },
};

void format_read_template(ChatFormat *format, Str chat_template)
{
    const char *signature;
    if (format_of_template(chat_template, &signature) != format->row)
        return;
    read_default_system(format, chat_template);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        if (strcmp(readers[i].format, format->row->name) == 0)
            readers[i].read(format, chat_template);
}
