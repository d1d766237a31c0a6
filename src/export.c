/* Writing conversations as files.
 * Markdown: front matter of `name: JSON value` lines (which is YAML too), then for each message
 * a line <!-- BOUNDARY role attributes -->, a heading for people, an empty line, the text as it
 * is, and an empty line.  BOUNDARY stands in the front matter and occurs in no message, so a
 * message may hold anything, headings and marks of other exports too. */
#include "config.h"

#include "src/export.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/record.h"

const char *export_role_title(Role role)
{
    static const char *const titles[] = { [ROLE_SYSTEM] = N_("System prompt"),
                                          [ROLE_USER] = N_("User"),
                                          [ROLE_ASSISTANT] = N_("Assistant") };

    return _(titles[role]);
}

void export_date(int64_t ms, Buf *out)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm when;
    char text[128];

    /* TRANSLATORS: a date and time for strftime. */
    if (localtime_r(&seconds, &when) && strftime(text, sizeof text, _("%Y-%m-%d %H:%M"), &when))
        buf_puts(out, text);
}

/* Messages of the path; the caller frees the list. */
static Message **path_of(const Conversation *c, size_t *n)
{
    Message **path;

    *n = conversation_path(c, NULL, 0);
    path = xcalloc(*n + 1, sizeof *path);
    conversation_path(c, path, *n);
    return path;
}

/* Markdown */

/* For machines: UTC with milliseconds. */
static void put_time(int64_t ms, Buf *out)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm when;
    char text[64];

    if (gmtime_r(&seconds, &when) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &when))
        buf_printf(out, "%s.%03dZ", text, (int)(ms % 1000));
}

static void put_field(const char *name, json_t *value, Buf *out)
{
    if (!json_is_null(value)) {
        buf_printf(out, "%s: ", name);
        record_print(value, false, out);
        buf_putc(out, '\n');
    }
    json_decref(value);
}

static void put_sampling(const Sampling *sampling, Buf *out)
{
    json_t *object = record_sampling(sampling), *value;
    const char *name;

    json_object_foreach(object, name, value) put_field(name, json_incref(value), out);
    json_decref(object);
}

static bool occurs(const Conversation *c, Str word)
{
    for (size_t i = 0; i < c->n_messages; i++)
        if (str_find(buf_str(&c->message[i]->text), word) >= 0 ||
            str_find(buf_str(&c->message[i]->thinking), word) >= 0)
            return true;
    return false;
}

/* Equal for equal conversations, so that exports can be compared. */
static void make_boundary(const Conversation *c, Buf *out)
{
    for (unsigned try = 0;; try++) {
        buf_reset(out);
        buf_printf(out, "kaiwa-%.8s%s", c->uid, c->uid[0] ? "" : "message");
        if (try)
            buf_printf(out, "-%u", try);
        if (!occurs(c, buf_str(out)))
            return;
    }
}

static void put_section(const Buf *boundary, const char *kind, const char *attributes,
                        const char *heading, Str text, Buf *out)
{
    buf_printf(out, "<!-- %s %s%s -->\n## %s\n\n", buf_cstr(boundary), kind, attributes, heading);
    buf_append_str(out, text);
    buf_puts(out, "\n\n");
}

static void put_message(const Buf *boundary, const Message *m, Buf *out)
{
    Buf attributes = BUF_INIT;

    if (m->thinking.len)
        put_section(boundary, "thinking", "", _("Thinking"), buf_str(&m->thinking), out);
    buf_puts(&attributes, " created=");
    put_time(m->created_ms, &attributes);
    if (m->status != MESSAGE_COMPLETE)
        buf_printf(&attributes, " status=%s", message_status_name(m->status));
    if (m->excluded)
        buf_puts(&attributes, " excluded=true");
    put_section(boundary, role_name(m->role), buf_cstr(&attributes), export_role_title(m->role),
                buf_str(&m->text), out);
    buf_release(&attributes);
}

static void write_md(const Conversation *c, Buf *out)
{
    Buf boundary = BUF_INIT, when = BUF_INIT;
    size_t n;
    Message **path = path_of(c, &n);

    make_boundary(c, &boundary);
    buf_puts(out, EXPORT_MD_START);
    put_field("boundary", record_str(buf_str(&boundary)), out);
    put_field("title", record_cstr(c->title), out);
    put_field("title_by", record_cstr(title_by_name(c->title_by)), out);
    put_time(c->created_ms, &when);
    put_field("created", record_str(buf_str(&when)), out);
    buf_reset(&when);
    put_time(c->updated_ms, &when);
    put_field("updated", record_str(buf_str(&when)), out);
    put_field("model", record_cstr(c->model), out);
    put_field("format", record_cstr(c->format), out);
    put_field("system", record_str(buf_str(&c->system)), out);
    put_sampling(&c->sampling, out);
    put_field("max_tokens", json_integer(c->max_tokens), out);
    buf_puts(out, "---\n\n");
    if (c->title && !strpbrk(c->title, "\r\n"))
        buf_printf(out, "# %s\n\n", c->title);
    for (size_t i = 0; i < n; i++)
        put_message(&boundary, path[i], out);
    free(path);
    buf_release(&boundary);
    buf_release(&when);
}

/* JSON */

static void write_json(const Conversation *c, Buf *out)
{
    json_t *inner = record_conversation(c), *object = json_object();

    json_object_set_new(object, "kaiwa",
                        json_integer(1)); /* first, so that a person sees what it is */
    json_object_update(object, inner);
    record_print(object, true, out);
    buf_putc(out, '\n');
    json_decref(object);
    json_decref(inner);
}

/* Text */

static void put_paragraph(Str text, Buf *out)
{
    buf_append_str(out, text);
    while (out->len && out->data[out->len - 1] == '\n')
        buf_truncate(out, out->len - 1);
    buf_puts(out, "\n\n");
}

/* What a reader must know of a reply that is not whole. */
static const char *status_note(MessageStatus status)
{
    static const char *const notes[] = {
        [MESSAGE_COMPLETE] = "",
        [MESSAGE_STREAMING] = N_(" (being written)"),
        [MESSAGE_STOPPED] = N_(" (stopped)"),
        [MESSAGE_LENGTH] = N_(" (longest length reached)"),
        [MESSAGE_CONTEXT] = N_(" (the context was full)"),
        [MESSAGE_FAILED] = N_(" (failed)"),
    };

    return *notes[status] ? _(notes[status]) : "";
}

static void write_txt(const Conversation *c, Buf *out)
{
    size_t n;
    Message **path = path_of(c, &n);

    if (c->title)
        buf_printf(out, "%s\n", c->title);
    export_date(c->created_ms, out);
    if (c->model)
        buf_printf(out, "  %s", c->model);
    buf_puts(out, "\n\n");
    if (c->system.len) {
        buf_printf(out, "[%s]\n", export_role_title(ROLE_SYSTEM));
        put_paragraph(buf_str(&c->system), out);
    }
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "[%s]%s\n", export_role_title(path[i]->role), status_note(path[i]->status));
        put_paragraph(buf_str(&path[i]->text), out);
    }
    while (out->len > 1 && out->data[out->len - 2] == '\n')
        buf_truncate(out, out->len - 1);
    free(path);
}

/* The table and files */

static const ExportFormat formats[] = {
    { "md", write_md },
    { "json", write_json },
    { "txt", write_txt },
};

const ExportFormat *export_formats(size_t *n)
{
    *n = ARRAY_LEN(formats);
    return formats;
}

const ExportFormat *export_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

/* The name without its ending. */
static void stem(const Conversation *c, Buf *out)
{
    Str title = str_trim(str_from(c->title));

    if (title.len) {
        path_safe_name(title, out);
        return;
    }
    put_time(c->created_ms, out);
    buf_truncate(out, out->len > 10 ? 10 : out->len);
    buf_printf(out, "-%lld", (long long)c->id);
}

void export_file_name(const Conversation *c, const ExportFormat *format, Buf *out)
{
    stem(c, out);
    buf_printf(out, ".%s", format->name);
}

/* Somebody else's file, or an older export, is never written over unasked. */
static void free_name(const Conversation *c, const ExportFormat *format, Buf *out)
{
    export_file_name(c, format, out);
    for (int i = 2; path_exists(buf_cstr(out)); i++) {
        buf_reset(out);
        stem(c, out);
        buf_printf(out, " (%d).%s", i, format->name);
    }
}

bool export_file(const Conversation *c, const char *name, const char *path, Buf *used, Error *err)
{
    const ExportFormat *format = export_find(name);
    Buf text = BUF_INIT, chosen = BUF_INIT;
    bool ok;

    if (!format)
        return error_set(err, ERR_USAGE, _("%s: there is no such format; choose md, json or txt"),
                         name);
    if (path)
        buf_puts(&chosen, path);
    else
        free_name(c, format, &chosen);
    format->write(c, &text);
    ok = path_write_file(buf_cstr(&chosen), buf_str(&text), err);
    if (ok && used)
        buf_append_str(used, buf_str(&chosen));
    buf_release(&text);
    buf_release(&chosen);
    return ok;
}
