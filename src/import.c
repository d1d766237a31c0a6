/* Reading what export wrote.  Trusts nothing: a broken file is one error and changes nothing. */
#include "config.h"

#include "src/import.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/base/utf8.h"
#include "src/export.h"
#include "src/record.h"

static const size_t IMPORT_MAX = (size_t)256 << 20;

/* JSON */

static Conversation *read_json(Str bytes, Error *err)
{
    json_error_t where;
    json_t *object =
        json_loadb(bytes.data, bytes.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    Conversation *c = NULL;

    if (!object)
        error_set(err, ERR_FORMAT, _("line %d: not valid JSON: %s"), where.line, where.text);
    else if (!json_is_integer(json_object_get(object, "kaiwa")))
        error_set(err, ERR_FORMAT, _("not a conversation that kaiwa exported"));
    else if (json_integer_value(json_object_get(object, "kaiwa")) != 1)
        error_set(err, ERR_UNSUPPORTED, _("exported by a newer kaiwa; update kaiwa"));
    else
        c = record_read_conversation(object, err);
    json_decref(object);
    return c;
}

/* Markdown */

typedef struct {
    Conversation *conversation;
    Buf boundary, thinking;
    json_t *fields; /* of the front matter */
} Reader;

/* "2026-11-24T11:09:56.123Z" to milliseconds; 0 when it is anything else. */
static int64_t parse_time(Str text)
{
    char digits[32];
    struct tm when = { 0 };
    int ms = 0;
    const char *rest;

    if (text.len >= sizeof digits)
        return 0;
    memcpy(digits, text.len ? text.data : "", text.len);
    digits[text.len] = '\0';
    rest = strptime(digits, "%Y-%m-%dT%H:%M:%S", &when);
    if (!rest)
        return 0;
    if (*rest == '.' && strspn(rest + 1, "0123456789") == 3)
        ms = (rest[1] - '0') * 100 + (rest[2] - '0') * 10 + (rest[3] - '0');
    return (int64_t)timegm(&when) * 1000 + ms;
}

/* `name: JSON value` lines into one object, so that they are checked as in the JSON form. */
static bool read_front(Reader *reader, Str *rest, Error *err)
{
    Str line;
    int number = 1;

    str_line(rest, &line); /* --- */
    while (str_line(rest, &line) && !str_eq_c(line, "---")) {
        ptrdiff_t colon = str_find(line, STR(":"));
        Str name = str_sub(line, 0, colon < 0 ? 0 : (size_t)colon);
        Str text = colon < 0 ? line : str_trim(str_from_offset(line, (size_t)colon + 1));
        json_t *value =
            json_loadb(text.len ? text.data : "", text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        char *key = xstrndup(name.len ? name.data : "", name.len);

        number++;
        if (colon > 0 && value)
            json_object_set(reader->fields, key, value);
        free(key);
        json_decref(value);
        if (colon <= 0 || !value)
            return error_set(err, ERR_FORMAT, _("line %d: not `name: JSON value`"), number);
    }
    return true;
}

static void move_time(json_t *fields, const char *from, const char *to)
{
    const char *text = json_string_value(json_object_get(fields, from));
    int64_t ms = parse_time(str_from(text));

    if (ms > 0)
        json_object_set_new(fields, to, json_integer(ms));
}

static bool use_front(Reader *reader, Error *err)
{
    json_t *fields = reader->fields, *sampling = json_object(), *value;
    const char *boundary = json_string_value(json_object_get(fields, "boundary")), *name;
    json_t *known = record_sampling(&(Sampling)SAMPLING_INIT);

    if (json_integer_value(json_object_get(fields, "kaiwa")) == 1 && boundary && *boundary)
        buf_puts(&reader->boundary, boundary);
    json_object_foreach(known, name, value) if (json_object_get(fields, name))
        json_object_set(sampling, name, json_object_get(fields, name));
    json_decref(known);
    json_object_set_new(fields, "sampling", sampling);
    move_time(fields, "created", "created_ms");
    move_time(fields, "updated", "updated_ms");
    json_object_set_new(fields, "message", json_array());
    if (!reader->boundary.len)
        return error_set(err, ERR_FORMAT, _("the front matter names no boundary"));
    reader->conversation = record_read_conversation(fields, err);
    return reader->conversation != NULL;
}

/* <!-- BOUNDARY words -->: the words. */
static bool is_mark(const Reader *reader, Str line, Str *words)
{
    Str start = STR("<!-- "), end = STR(" -->");
    Str boundary = buf_str(&reader->boundary);

    line = str_trim(line);
    if (!str_starts(line, start) || !str_ends(line, end) || line.len < start.len + end.len)
        return false;
    line = str_sub(line, start.len, line.len - start.len - end.len);
    if (!str_starts(line, boundary) || line.len <= boundary.len || line.data[boundary.len] != ' ')
        return false;
    *words = str_trim(str_from_offset(line, boundary.len));
    return true;
}

static bool next_word(Str *rest, Str *word)
{
    size_t n = 0;

    *rest = str_trim(*rest);
    while (n < rest->len && rest->data[n] != ' ')
        n++;
    *word = str_sub(*rest, 0, n);
    *rest = str_from_offset(*rest, n);
    return n > 0;
}

static void read_attributes(Str words, Message *m)
{
    Str word;

    while (next_word(&words, &word)) {
        ptrdiff_t equals = str_find(word, STR("="));
        Str name = str_sub(word, 0, equals < 0 ? 0 : (size_t)equals);
        Str value = equals < 0 ? STR_NULL : str_from_offset(word, (size_t)equals + 1);

        if (str_eq_c(name, "created"))
            m->created_ms = m->updated_ms = parse_time(value);
        else if (str_eq_c(name, "status"))
            message_status_parse(value, &m->status);
        else if (str_eq_c(name, "excluded"))
            m->excluded = str_eq_c(value, "true");
    }
    if (m->status == MESSAGE_STREAMING)
        m->status = MESSAGE_STOPPED;
}

static void add_message(Reader *reader, Role role, Str words, Str text)
{
    Conversation *c = reader->conversation;
    Message *m = message_new(role), *last = conversation_last(c);

    read_attributes(words, m);
    buf_append_str(&m->text, text);
    if (role == ROLE_ASSISTANT) {
        m->system = c->system.len ? xstrdup(buf_cstr(&c->system)) : NULL;
        m->model = xstrdup(c->model);
        m->sampling = c->sampling;
        buf_append_str(&m->thinking, buf_str(&reader->thinking));
    }
    buf_reset(&reader->thinking);
    m->id = (int64_t)c->n_messages + 1;
    if (last) {
        m->parent_id = last->id;
        last->selected_child = m->id;
    }
    conversation_add(c, m);
    c->leaf = m->id;
}

/* What stands between two marks, without the heading and the empty lines that belong to the
 * form. */
static Str section_text(Str section)
{
    Str rest = section, line;

    if (str_starts(rest, STR("## ")))
        str_line(&rest, &line);
    if (str_starts(rest, STR("\n")))
        rest = str_from_offset(rest, 1);
    for (int i = 0; i < 2; i++)
        if (str_ends(rest, STR("\n")))
            rest.len--;
    return rest;
}

static bool take_section(Reader *reader, Str words, Str section, Error *err)
{
    Str kind, text = section_text(section);
    Role role;

    if (!next_word(&words, &kind))
        kind = STR_NULL;
    if (str_eq_c(kind, "thinking")) {
        buf_append_str(&reader->thinking, text);
        return true;
    }
    if (!role_parse(kind, &role) || role == ROLE_SYSTEM)
        return error_set(err, ERR_FORMAT, _("a message of “%.*s”, who is not known"),
                         (int)(kind.len > 40 ? 40 : kind.len), kind.len ? kind.data : "");
    add_message(reader, role, words, text);
    return true;
}

static bool read_sections(Reader *reader, Str rest, Error *err)
{
    Str line, words = STR_NULL, next = STR_NULL;
    const char *start = NULL; /* of the section that is being read */

    for (;;) {
        const char *here = rest.data;
        bool more = str_line(&rest, &line), mark = more && is_mark(reader, line, &next);

        if (more && !mark)
            continue;
        if (start && !take_section(reader, words, str_of(start, (size_t)(here - start)), err))
            return false;
        if (!more)
            return true;
        words = next;
        start = rest.data;
    }
}

static Conversation *read_md(Str bytes, Error *err)
{
    Reader reader = { .fields = json_object() };
    Conversation *c = NULL;

    if (read_front(&reader, &bytes, err) && use_front(&reader, err) &&
        read_sections(&reader, bytes, err)) {
        c = reader.conversation;
        reader.conversation = NULL;
    }
    conversation_free(reader.conversation);
    buf_release(&reader.boundary);
    buf_release(&reader.thinking);
    json_decref(reader.fields);
    return c;
}

/* Either */

/* A file that went through a program which writes CRLF everywhere. */
static void undo_crlf(Str bytes, Buf *out)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.data[i] != '\r' || i + 1 == bytes.len || bytes.data[i + 1] != '\n')
            buf_putc(out, bytes.data[i]);
}

Conversation *import_read(Str bytes, Error *err)
{
    Buf plain = BUF_INIT;
    Conversation *c = NULL;

    if (str_starts(bytes, STR("\xEF\xBB\xBF")))
        bytes = str_from_offset(bytes, 3);
    if (str_starts(bytes, STR("---\r\n"))) {
        undo_crlf(bytes, &plain);
        bytes = buf_str(&plain);
    }
    if (!utf8_valid(bytes))
        error_set(err, ERR_FORMAT, _("not UTF-8; export the conversation again"));
    else if (str_starts(str_trim(bytes), STR("{")))
        c = read_json(bytes, err);
    else if (str_starts(bytes, STR(EXPORT_MD_START)))
        c = read_md(bytes, err);
    else
        error_set(err, ERR_FORMAT, _("not a conversation that kaiwa exported as JSON or Markdown"));
    buf_release(&plain);
    return c;
}

bool import_file(Store *store, const char *path, int64_t *id, Error *err)
{
    Buf bytes = BUF_INIT;
    Conversation *c = NULL;
    bool ok = path_read_file(path, IMPORT_MAX, &bytes, err);

    if (ok) {
        c = import_read(buf_str(&bytes), err);
        ok =
            c != NULL || error_note(err, "%s", strcmp(path, "-") == 0 ? _("standard input") : path);
    }
    ok = ok && store_save_all(store, c, err);
    if (ok)
        *id = c->id;
    conversation_free(c);
    buf_release(&bytes);
    return ok;
}
