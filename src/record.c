/* Conversations to JSON and back.  Reading trusts nothing: types, ranges and links are checked,
 * so that a broken file is an error and never a broken tree. */
#include "config.h"

#include "src/record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/utf8.h"

static const char *const role_names[] = {
    [ROLE_SYSTEM] = "system", [ROLE_USER] = "user", [ROLE_ASSISTANT] = "assistant"
};

static const char *const title_by_names[] = { [TITLE_NONE] = "none",
                                              [TITLE_FIRST_WORDS] = "first_words",
                                              [TITLE_USER] = "user",
                                              [TITLE_MODEL] = "model" };

static int name_index(Str name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_c(name, names[i]))
            return (int)i;
    return -1;
}

const char *role_name(Role role)
{
    return role_names[role];
}

bool role_parse(Str name, Role *out)
{
    int i = name_index(name, role_names, ARRAY_LEN(role_names));

    if (i >= 0)
        *out = (Role)i;
    return i >= 0;
}

const char *title_by_name(TitleBy by)
{
    return title_by_names[by];
}

bool title_by_parse(Str name, TitleBy *out)
{
    int i = name_index(name, title_by_names, ARRAY_LEN(title_by_names));

    if (i >= 0)
        *out = (TitleBy)i;
    return i >= 0;
}

/* Writing */

json_t *record_str(Str text)
{
    json_t *value = json_stringn(text.len ? text.data : "", text.len);
    Buf valid = BUF_INIT;

    if (value)
        return value;
    utf8_append_valid(&valid, text);
    value = json_stringn(buf_cstr(&valid), valid.len);
    buf_release(&valid);
    return value;
}

json_t *record_cstr(const char *text)
{
    return text ? record_str(str_from(text)) : json_null();
}

static json_t *record_seed(uint64_t seed)
{
    char digits[24];

    if (seed <= (uint64_t)INT64_MAX)
        return json_integer((json_int_t)seed);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)seed);
    return json_string(digits);
}

json_t *record_sampling(const Sampling *s)
{
    json_t *object = json_object();

    json_object_set_new(object, "temperature", json_real(s->temperature));
    json_object_set_new(object, "top_k", json_integer(s->top_k));
    json_object_set_new(object, "top_p", json_real(s->top_p));
    json_object_set_new(object, "min_p", json_real(s->min_p));
    json_object_set_new(object, "repeat_penalty", json_real(s->repeat_penalty));
    json_object_set_new(object, "repeat_window", json_integer(s->repeat_window));
    json_object_set_new(object, "frequency_penalty", json_real(s->frequency_penalty));
    json_object_set_new(object, "presence_penalty", json_real(s->presence_penalty));
    json_object_set_new(object, "seed", record_seed(s->seed));
    return object;
}

json_t *record_message(const Message *m)
{
    json_t *object = json_object(), *ids = json_array();

    for (size_t i = 0; i < m->ids.n; i++)
        json_array_append_new(ids, json_integer(m->ids.ids[i]));
    json_object_set_new(object, "id", json_integer(m->id));
    json_object_set_new(object, "parent_id", json_integer(m->parent_id));
    json_object_set_new(object, "selected_child", json_integer(m->selected_child));
    json_object_set_new(object, "role", json_string(role_name(m->role)));
    json_object_set_new(object, "status", json_string(message_status_name(m->status)));
    json_object_set_new(object, "excluded", json_boolean(m->excluded));
    json_object_set_new(object, "text", record_str(buf_str(&m->text)));
    json_object_set_new(object, "created_ms", json_integer(m->created_ms));
    json_object_set_new(object, "updated_ms", json_integer(m->updated_ms));
    if (m->role == ROLE_ASSISTANT) {
        json_object_set_new(object, "thinking", record_str(buf_str(&m->thinking)));
        json_object_set_new(object, "system", record_cstr(m->system));
        json_object_set_new(object, "model", record_cstr(m->model));
        json_object_set_new(object, "sampling", record_sampling(&m->sampling));
        json_object_set(object, "ids", ids);
        json_object_set_new(object, "tokenizer_key", record_cstr(m->tokenizer_key));
        json_object_set_new(object, "end_id", json_integer(m->end_id));
        json_object_set_new(object, "n_reused", json_integer(m->n_reused));
        json_object_set_new(object, "n_computed", json_integer(m->n_computed));
        json_object_set_new(object, "first_ms", json_integer(m->first_ms));
        json_object_set_new(object, "total_ms", json_integer(m->total_ms));
    }
    json_decref(ids);
    return object;
}

json_t *record_conversation(const Conversation *c)
{
    json_t *object = json_object(), *messages = json_array();

    for (size_t i = 0; i < c->n_messages; i++)
        json_array_append_new(messages, record_message(c->message[i]));
    json_object_set_new(object, "id", json_integer(c->id));
    json_object_set_new(object, "uid", json_string(c->uid));
    json_object_set_new(object, "title", record_cstr(c->title));
    json_object_set_new(object, "title_by", json_string(title_by_name(c->title_by)));
    json_object_set_new(object, "system", record_str(buf_str(&c->system)));
    json_object_set_new(object, "sampling", record_sampling(&c->sampling));
    json_object_set_new(object, "max_tokens", json_integer(c->max_tokens));
    json_object_set_new(object, "format", record_cstr(c->format));
    json_object_set_new(object, "model", record_cstr(c->model));
    json_object_set_new(object, "pinned", json_boolean(c->pinned));
    json_object_set_new(object, "draft", record_str(buf_str(&c->draft)));
    json_object_set_new(object, "created_ms", json_integer(c->created_ms));
    json_object_set_new(object, "updated_ms", json_integer(c->updated_ms));
    json_object_set_new(object, "leaf", json_integer(c->leaf));
    json_object_set_new(object, "message", messages);
    return object;
}

/* Fewest digits with which a number reads back equal. */
static int digits_needed(double value)
{
    for (int digits = 6; digits < 17; digits++) {
        char text[40];
        double back;

        snprintf(text, sizeof text, "%.*g", digits, value);
        if (str_to_double(str_from(text), &back) && back == value)
            return digits;
    }
    return 17;
}

static int max_digits(const json_t *value)
{
    int most = json_is_real(value) ? digits_needed(json_real_value(value)) : 6;
    const char *key;
    json_t *child;
    size_t i;

    json_object_foreach((json_t *)value, key, child)
    {
        int digits = max_digits(child);

        most = digits > most ? digits : most;
    }
    json_array_foreach(value, i, child)
    {
        int digits = json_is_integer(child) ? 6 : max_digits(child);

        most = digits > most ? digits : most;
    }
    return most;
}

static int print_chunk(const char *bytes, size_t n, void *out)
{
    buf_append(out, bytes, n);
    return 0;
}

void record_print(const json_t *value, bool indent, Buf *out)
{
    json_dump_callback(value, print_chunk, out,
                       JSON_ENCODE_ANY | JSON_REAL_PRECISION(max_digits(value)) |
                           (indent ? JSON_INDENT(1) : JSON_COMPACT));
}

/* Reading: each reader returns false with err set when the field is there but wrong; an absent
 * field or null leaves *out alone. */

static const json_t *field(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

static bool wrong(const char *name, Error *err)
{
    return error_set(err, ERR_FORMAT, _("the field \"%s\" does not hold what it should"), name);
}

static bool read_int(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *out,
                     Error *err)
{
    const json_t *value = field(object, name);

    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return wrong(name, err);
    *out = json_integer_value(value);
    return true;
}

static bool read_small(const json_t *object, const char *name, int min, int *out, Error *err)
{
    int64_t wide = *out;
    bool ok = read_int(object, name, min, INT32_MAX, &wide, err);

    *out = (int)wide;
    return ok;
}

static bool read_bool(const json_t *object, const char *name, bool *out, Error *err)
{
    const json_t *value = field(object, name);

    if (value && !json_is_boolean(value))
        return wrong(name, err);
    *out = value ? json_is_true(value) : *out;
    return true;
}

static bool read_buf(const json_t *object, const char *name, Buf *out, Error *err)
{
    const json_t *value = field(object, name);

    if (value && !json_is_string(value))
        return wrong(name, err);
    if (value)
        buf_append(out, json_string_value(value), json_string_length(value));
    return true;
}

/* Without NULs: these become C strings. */
static bool read_cstr(const json_t *object, const char *name, char **out, Error *err)
{
    const json_t *value = field(object, name);

    if (!value)
        return true;
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
        return wrong(name, err);
    free(*out);
    *out = xstrdup(json_string_value(value));
    return true;
}

static bool read_real(const json_t *object, const char *name, double min, double max, double *out,
                      Error *err)
{
    const json_t *value = field(object, name);
    double number = value ? json_number_value(value) : 0;

    if (!value)
        return true;
    if (!json_is_number(value) || !isfinite(number) || number < min || number > max)
        return wrong(name, err);
    *out = number;
    return true;
}

static bool read_seed(const json_t *object, uint64_t *out, Error *err)
{
    const json_t *value = field(object, "seed");
    const char *text = json_string_value(value);
    char *end;

    if (!value)
        return true;
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *out = (uint64_t)json_integer_value(value);
        return true;
    }
    if (!text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 20 || !*text)
        return wrong("seed", err);
    *out = strtoull(text, &end, 10);
    return true;
}

bool record_read_sampling(const json_t *object, Sampling *s, Error *err)
{
    return read_real(object, "temperature", 0, 1e6, &s->temperature, err) &&
           read_small(object, "top_k", 0, &s->top_k, err) &&
           read_real(object, "top_p", 0, 1, &s->top_p, err) &&
           read_real(object, "min_p", 0, 1, &s->min_p, err) &&
           read_real(object, "repeat_penalty", 0, 1e6, &s->repeat_penalty, err) &&
           read_small(object, "repeat_window", -1, &s->repeat_window, err) &&
           read_real(object, "frequency_penalty", -1e6, 1e6, &s->frequency_penalty, err) &&
           read_real(object, "presence_penalty", -1e6, 1e6, &s->presence_penalty, err) &&
           read_seed(object, &s->seed, err);
}

static bool read_ids(const json_t *object, Tokens *out, Error *err)
{
    const json_t *value = field(object, "ids");
    json_t *id;
    size_t i;

    if (value && !json_is_array(value))
        return wrong("ids", err);
    json_array_foreach(value, i, id)
    {
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return wrong("ids", err);
        tokens_push(out, (int32_t)json_integer_value(id));
    }
    return true;
}

static bool read_names(const json_t *object, Message *m, Error *err)
{
    const char *role = json_string_value(field(object, "role"));
    const char *status = json_string_value(field(object, "status"));

    if (!role_parse(str_from(role), &m->role) || m->role == ROLE_SYSTEM)
        return wrong("role", err);
    if (status && !message_status_parse(str_from(status), &m->status))
        return wrong("status", err);
    /* Whoever was writing it is not writing this copy. */
    if (m->status == MESSAGE_STREAMING)
        m->status = MESSAGE_STOPPED;
    return true;
}

static bool read_reply(const json_t *object, Message *m, Error *err)
{
    const json_t *sampling = field(object, "sampling");
    int end_id = -1;

    if (!read_buf(object, "thinking", &m->thinking, err) ||
        !read_cstr(object, "system", &m->system, err) ||
        !read_cstr(object, "model", &m->model, err) || !read_ids(object, &m->ids, err) ||
        !read_cstr(object, "tokenizer_key", &m->tokenizer_key, err) ||
        !read_small(object, "end_id", -1, &end_id, err) ||
        !read_small(object, "n_reused", 0, &m->n_reused, err) ||
        !read_small(object, "n_computed", 0, &m->n_computed, err) ||
        !read_int(object, "first_ms", 0, INT64_MAX, &m->first_ms, err) ||
        !read_int(object, "total_ms", 0, INT64_MAX, &m->total_ms, err))
        return false;
    m->end_id = end_id;
    if (sampling && !json_is_object(sampling))
        return wrong("sampling", err);
    return !sampling || record_read_sampling(sampling, &m->sampling, err);
}

static Message *read_message(const json_t *object, Error *err)
{
    Message *m = message_new(ROLE_USER);

    if (!json_is_object(object))
        wrong("message", err);
    else if (!field(object, "id") || !read_int(object, "id", 1, INT64_MAX, &m->id, err))
        wrong("id", err);
    else if (!field(object, "text"))
        wrong("text", err);
    else if (read_names(object, m, err) &&
             /* A parent is always older than its child, so there can be no circles. */
             read_int(object, "parent_id", 0, m->id - 1, &m->parent_id, err) &&
             read_int(object, "selected_child", 0, INT64_MAX, &m->selected_child, err) &&
             read_bool(object, "excluded", &m->excluded, err) &&
             read_buf(object, "text", &m->text, err) &&
             read_int(object, "created_ms", 0, INT64_MAX, &m->created_ms, err) &&
             read_int(object, "updated_ms", 0, INT64_MAX, &m->updated_ms, err) &&
             (m->role != ROLE_ASSISTANT || read_reply(object, m, err)))
        return m;
    message_free(m);
    return NULL;
}

static bool check_links(Conversation *c, Error *err)
{
    for (size_t i = 0; i < c->n_messages; i++) {
        Message *m = c->message[i];
        const Message *child = conversation_find(c, m->selected_child);

        if (m->parent_id && !conversation_find(c, m->parent_id))
            return wrong("parent_id", err);
        if (!child || child->parent_id != m->id)
            m->selected_child = 0;
    }
    if (c->leaf && !conversation_find(c, c->leaf))
        return wrong("leaf", err);
    return true;
}

static bool read_messages(const json_t *object, Conversation *c, Error *err)
{
    const json_t *value = field(object, "message");
    json_t *item;
    size_t i;

    if (!json_is_array(value))
        return wrong("message", err);
    json_array_foreach(value, i, item)
    {
        Message *m = read_message(item, err);

        if (!m)
            return error_note(err, _("message %zu"), i + 1);
        if (conversation_find(c, m->id)) {
            message_free(m);
            return error_set(err, ERR_FORMAT, _("message %zu: its id occurs twice"), i + 1);
        }
        conversation_add(c, m);
    }
    return check_links(c, err);
}

static bool read_head(const json_t *object, Conversation *c, Error *err)
{
    const json_t *sampling = field(object, "sampling");
    const char *uid = json_string_value(field(object, "uid"));
    const char *by = json_string_value(field(object, "title_by"));

    if (uid && strlen(uid) == sizeof c->uid - 1 && strspn(uid, "0123456789abcdef") == strlen(uid))
        memcpy(c->uid, uid, sizeof c->uid);
    if (by && !title_by_parse(str_from(by), &c->title_by))
        return wrong("title_by", err);
    if (sampling && !json_is_object(sampling))
        return wrong("sampling", err);
    return read_cstr(object, "title", &c->title, err) &&
           read_buf(object, "system", &c->system, err) &&
           (!sampling || record_read_sampling(sampling, &c->sampling, err)) &&
           read_small(object, "max_tokens", 0, &c->max_tokens, err) &&
           read_cstr(object, "format", &c->format, err) &&
           read_cstr(object, "model", &c->model, err) &&
           read_bool(object, "pinned", &c->pinned, err) &&
           read_buf(object, "draft", &c->draft, err) &&
           read_int(object, "created_ms", 0, INT64_MAX, &c->created_ms, err) &&
           read_int(object, "updated_ms", 0, INT64_MAX, &c->updated_ms, err) &&
           read_int(object, "leaf", 0, INT64_MAX, &c->leaf, err);
}

Conversation *record_read_conversation(const json_t *object, Error *err)
{
    Conversation *c = conversation_new();

    if (read_head(object, c, err) && read_messages(object, c, err))
        return c;
    conversation_free(c);
    return NULL;
}
