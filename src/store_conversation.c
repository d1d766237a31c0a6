/* Conversations in the database: saving, loading, lists, names, copies. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/text.h"
#include "src/record.h"
#include "src/store_db.h"

enum { UID_PREFIX_MIN = 4 };

static bool make_uid(char uid[33], Error *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return error_errno(err, _("no random numbers"));
    for (size_t i = 0; i < sizeof bytes; i++) {
        uid[2 * i] = digits[bytes[i] >> 4];
        uid[2 * i + 1] = digits[bytes[i] & 15];
    }
    uid[32] = '\0';
    return true;
}

/* Saving */

typedef struct {
    Buf params;
    int64_t system, model;
} Bound; /* alive while the statement runs */

static bool prepare_bound(Store *store, const Conversation *c, Bound *bound, Error *err)
{
    Error failed = ERROR_INIT;
    json_t *params = record_sampling(&c->sampling);

    json_object_set_new(params, "max_tokens", json_integer(c->max_tokens));
    bound->params = (Buf)BUF_INIT;
    record_print(params, false, &bound->params);
    json_decref(params);
    bound->system = prompt_row(store, buf_str(&c->system), &failed);
    bound->model = model_row(store, c->model, NULL, &failed);
    if (failed.kind != ERR_NONE)
        *err = failed;
    return failed.kind == ERR_NONE;
}

static void bind_conversation(sqlite3_stmt *s, const Conversation *c, const Bound *bound)
{
    bind_cstr(s, 1, c->title);
    bind_cstr(s, 2, title_by_name(c->title_by));
    bind_id(s, 3, bound->system);
    bind_str(s, 4, buf_str(&bound->params));
    bind_cstr(s, 5, c->format);
    bind_id(s, 6, bound->model);
    bind_id(s, 7, c->leaf);
    sqlite3_bind_int(s, 8, c->pinned);
    bind_str(s, 9, buf_str(&c->draft));
    sqlite3_bind_int64(s, 10, c->created_ms);
    sqlite3_bind_int64(s, 11, c->updated_ms);
}

static bool save_row(Store *store, const Conversation *c, Error *err)
{
    sqlite3_stmt *s = NULL;
    Bound bound;
    bool ok = prepare_bound(store, c, &bound, err);

    if (ok && c->id == 0)
        s = store_statement(store,
                            "INSERT INTO conversation (title, title_by, system_id, params_json,"
                            " format, model_id, leaf_id, pinned, draft, created_ms, updated_ms,"
                            " uid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                            err);
    else if (ok)
        s = store_statement(store,
                            "UPDATE conversation SET (title, title_by, system_id, params_json,"
                            " format, model_id, leaf_id, pinned, draft, created_ms, updated_ms)"
                            " = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?",
                            err);
    if (s) {
        bind_conversation(s, c, &bound);
        if (c->id == 0)
            bind_cstr(s, 12, c->uid);
        else
            sqlite3_bind_int64(s, 12, c->id);
    }
    ok = ok && store_run(store, s, err);
    buf_release(&bound.params);
    if (ok && c->id && sqlite3_changes(store->db) == 0)
        return error_set(err, ERR_NOT_FOUND, _("conversation %lld is not in the database"),
                         (long long)c->id);
    return ok;
}

bool store_save_conversation(Store *store, Conversation *conversation, Error *err)
{
    bool is_new = conversation->id == 0, ok;
    int64_t now = clock_wall_ms();

    if (is_new && !conversation->uid[0] && !make_uid(conversation->uid, err))
        return false;
    if (conversation->created_ms == 0)
        conversation->created_ms = now;
    if (conversation->updated_ms == 0)
        conversation->updated_ms = conversation->created_ms;
    if (!store_begin(store, err))
        return false;
    ok = save_row(store, conversation, err);
    if (ok && is_new)
        conversation->id = sqlite3_last_insert_rowid(store->db);
    ok = store_end(store, ok, err);
    if (!ok && is_new)
        conversation->id = 0;
    return ok;
}

static bool uid_is_free(Store *store, const char *uid)
{
    Error ignored = ERROR_INIT;
    sqlite3_stmt *s = store_statement(store, "SELECT 1 FROM conversation WHERE uid = ?", &ignored);
    bool is_free;

    if (!s)
        return false;
    bind_cstr(s, 1, uid);
    is_free = store_row(store, s, &ignored) == 0;
    sqlite3_reset(s);
    return is_free;
}

typedef struct {
    int64_t from, to;
} Renumbered;

/* map is in order of the old ids, as messages are. */
static int64_t renumber(const Renumbered *map, size_t n, int64_t id)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (map[middle].from < id)
            low = middle + 1;
        else
            high = middle;
    }
    return id && low < n && map[low].from == id ? map[low].to : 0;
}

/* Parents come before children; what points forward (selected_child, leaf) follows in a second
 * pass. */
static bool insert_all(Store *store, Conversation *c, Renumbered *map, Error *err)
{
    int64_t leaf = c->leaf;

    c->leaf = 0;
    if (!store_save_conversation(store, c, err))
        return false;
    for (size_t i = 0; i < c->n_messages; i++) {
        Message *m = c->message[i];
        int64_t selected = m->selected_child;

        map[i].from = m->id;
        m->parent_id = renumber(map, i, m->parent_id);
        m->selected_child = 0;
        if (!message_insert(store, c->id, m, err))
            return false;
        map[i].to = m->id;
        m->selected_child = selected;
    }
    for (size_t i = 0; i < c->n_messages; i++) {
        sqlite3_stmt *s =
            store_statement(store, "UPDATE message SET selected_child_id = ? WHERE id = ?", err);

        c->message[i]->selected_child = renumber(map, c->n_messages, c->message[i]->selected_child);
        if (!s)
            return false;
        bind_id(s, 1, c->message[i]->selected_child);
        sqlite3_bind_int64(s, 2, c->message[i]->id);
        if (!store_run(store, s, err))
            return false;
    }
    c->leaf = renumber(map, c->n_messages, leaf);
    return store_save_conversation(store, c, err);
}

bool store_save_all(Store *store, Conversation *conversation, Error *err)
{
    Renumbered *map = xcalloc(conversation->n_messages + 1, sizeof *map);
    int64_t now = clock_wall_ms();
    bool ok;

    conversation->id = 0;
    if (conversation->uid[0] && !uid_is_free(store, conversation->uid))
        conversation->uid[0] = '\0';
    for (size_t i = 0; i < conversation->n_messages; i++) {
        Message *m = conversation->message[i];

        m->created_ms = m->created_ms ? m->created_ms : now;
        m->updated_ms = m->updated_ms ? m->updated_ms : m->created_ms;
    }
    if (!store_begin(store, err)) {
        free(map);
        return false;
    }
    ok = store_end(store, insert_all(store, conversation, map, err), err);
    free(map);
    return ok;
}

int64_t store_fork(Store *store, int64_t conversation, int64_t up_to_message, Error *err)
{
    Conversation *original = store_load(store, conversation, err), *fork;
    int64_t id = 0;

    if (!original)
        return 0;
    fork = conversation_fork(original, up_to_message);
    if (store_save_all(store, fork, err))
        id = fork->id;
    conversation_free(fork);
    conversation_free(original);
    return id;
}

/* Loading */

static void conversation_of_row(sqlite3_stmt *s, Conversation *c)
{
    Str uid = column_str(s, 0);
    Error ignored = ERROR_INIT;
    Str params = column_str(s, 4);
    json_t *object = json_loadb(params.len ? params.data : "", params.len, 0, NULL);

    if (uid.len < sizeof c->uid)
        memcpy(c->uid, uid.len ? uid.data : "", uid.len);
    c->title = column_copy(s, 1);
    title_by_parse(column_str(s, 2), &c->title_by);
    buf_append_str(&c->system, column_str(s, 3));
    record_read_sampling(object, &c->sampling, &ignored);
    if (json_is_integer(json_object_get(object, "max_tokens")))
        c->max_tokens = (int)json_integer_value(json_object_get(object, "max_tokens"));
    json_decref(object);
    c->format = column_copy(s, 5);
    c->model = column_copy(s, 6);
    c->leaf = sqlite3_column_int64(s, 7);
    c->pinned = sqlite3_column_int(s, 8) != 0;
    buf_append_str(&c->draft, column_str(s, 9));
    c->created_ms = sqlite3_column_int64(s, 10);
    c->updated_ms = sqlite3_column_int64(s, 11);
    c->deleted_ms = sqlite3_column_int64(s, 12);
}

static bool load_row(Store *store, Conversation *c, Error *err)
{
    sqlite3_stmt *s = store_statement(
        store,
        "SELECT c.uid, c.title, c.title_by, prompt.text, c.params_json, c.format, model.name,"
        " c.leaf_id, c.pinned, c.draft, c.created_ms, c.updated_ms, c.deleted_ms"
        " FROM conversation c LEFT JOIN prompt ON prompt.id = c.system_id"
        " LEFT JOIN model ON model.id = c.model_id WHERE c.id = ?",
        err);
    int row;

    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, c->id);
    row = store_row(store, s, err);
    if (row == 0)
        return error_set(err, ERR_NOT_FOUND,
                         _("there is no conversation %lld; kaiwa list shows those there are"),
                         (long long)c->id);
    if (row == 1) {
        conversation_of_row(s, c);
        sqlite3_reset(s);
    }
    return row == 1;
}

Conversation *store_load(Store *store, int64_t id, Error *err)
{
    Conversation *c = conversation_new();
    bool own = sqlite3_get_autocommit(store->db) != 0, ok;

    c->id = id;
    /* One view of both tables, however many write. */
    ok = !own || store_run(store, store_statement(store, "BEGIN", err), err);
    if (ok) {
        ok = load_row(store, c, err) && messages_load(store, c, err);
        if (own)
            ok = store_run(store, store_statement(store, "COMMIT", err), err) && ok;
    }
    if (ok)
        return c;
    conversation_free(c);
    return NULL;
}

static bool set_deleted(Store *store, int64_t id, int64_t when, Error *err)
{
    sqlite3_stmt *s = store_statement(store,
                                      "UPDATE conversation SET deleted_ms = ?1 WHERE id = ?2 AND "
                                      "(deleted_ms IS NULL) = (?1 NOTNULL)",
                                      err);

    if (!s)
        return false;
    bind_id(s, 1, when);
    sqlite3_bind_int64(s, 2, id);
    if (!store_run(store, s, err))
        return false;
    if (sqlite3_changes(store->db) == 0)
        return error_set(err, ERR_NOT_FOUND,
                         when ? _("there is no conversation %lld; kaiwa list shows those there are")
                              : _("there is no deleted conversation %lld"),
                         (long long)id);
    return true;
}

bool store_delete(Store *store, int64_t id, Error *err)
{
    return set_deleted(store, id, clock_wall_ms(), err);
}

bool store_undelete(Store *store, int64_t id, Error *err)
{
    return set_deleted(store, id, 0, err);
}

/* Lists and names */

static void row_of_statement(sqlite3_stmt *s, StoreRow *row)
{
    Str uid = column_str(s, 1);

    *row = (StoreRow){ .id = sqlite3_column_int64(s, 0) };
    if (uid.len < sizeof row->uid)
        memcpy(row->uid, uid.len ? uid.data : "", uid.len);
    row->title = column_copy(s, 2);
    row->model = column_copy(s, 3);
    row->pinned = sqlite3_column_int(s, 4) != 0;
    row->deleted = sqlite3_column_type(s, 5) != SQLITE_NULL;
    row->created_ms = sqlite3_column_int64(s, 6);
    row->updated_ms = sqlite3_column_int64(s, 7);
    row->n_messages = sqlite3_column_int(s, 8);
}

bool store_list(Store *store, Str filter, bool deleted, size_t limit, StoreRows *out, Error *err)
{
    sqlite3_stmt *s = store_statement(
        store,
        /* The inner query picks the rows; only for those is the path walked.  UNION and not
         * UNION ALL: links that go round in a damaged file come to an end. */
        "SELECT c.id, c.uid, coalesce(c.title, ''), model.name, c.pinned, c.deleted_ms,"
        " c.created_ms, c.updated_ms, (WITH RECURSIVE path (id) AS (SELECT c.leaf_id WHERE "
        "c.leaf_id"
        " NOTNULL UNION SELECT m.parent_id FROM path JOIN message m ON m.id = path.id WHERE"
        " m.parent_id NOTNULL) SELECT count(*) FROM path) FROM (SELECT * FROM conversation WHERE"
        " (deleted_ms NOTNULL) = ?1 AND (?2 = '' OR instr(text_fold(coalesce(title, '')), ?2))"
        " ORDER BY pinned DESC, updated_ms DESC, id DESC LIMIT ?3) c"
        " LEFT JOIN model ON model.id = c.model_id"
        " ORDER BY c.pinned DESC, c.updated_ms DESC, c.id DESC",
        err);
    Buf folded = BUF_INIT;
    size_t cap = 0;
    int row;

    *out = (StoreRows){ NULL, 0 };
    if (!s)
        return false;
    text_fold(str_trim(filter), &folded);
    sqlite3_bind_int(s, 1, deleted);
    bind_str(s, 2, buf_str(&folded));
    sqlite3_bind_int64(s, 3, limit ? (int64_t)limit : -1);
    while ((row = store_row(store, s, err)) == 1) {
        out->row = mem_grow(out->row, &cap, out->n + 1, sizeof *out->row);
        row_of_statement(s, &out->row[out->n++]);
    }
    buf_release(&folded);
    if (row < 0)
        store_rows_release(out);
    return row == 0;
}

void store_rows_release(StoreRows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        free(rows->row[i].title);
        free(rows->row[i].model);
    }
    free(rows->row);
    *rows = (StoreRows){ NULL, 0 };
}

int64_t store_newest(Store *store)
{
    return store_number(store,
                        "SELECT id FROM conversation WHERE deleted_ms IS NULL "
                        "ORDER BY updated_ms DESC, id DESC LIMIT 1",
                        0);
}

/* Runs a query that names conversations.  1: exactly one, 0: none, -1: failed or several. */
static int only_match(Store *store, sqlite3_stmt *s, Str text, int64_t *id, Error *err)
{
    Buf several = BUF_INIT;
    int n = 0, row;

    while ((row = store_row(store, s, err)) == 1) {
        if (++n == 1)
            *id = sqlite3_column_int64(s, 0);
        if (n <= 5)
            buf_printf(&several, "%s%lld", n == 1 ? "" : ", ",
                       (long long)sqlite3_column_int64(s, 0));
    }
    if (n > 5)
        buf_puts(&several, ", …");
    if (row == 0 && n > 1) {
        error_set(err, ERR_USAGE,
                  _("%.*s: several conversations are meant (%s); give the number of one"),
                  (int)(text.len > 100 ? 100 : text.len), text.data, buf_cstr(&several));
        row = -1;
    }
    buf_release(&several);
    return row < 0 ? -1 : n;
}

static bool looks_like_uid(Str text)
{
    size_t i = 0;

    while (i < text.len && text.data[i] && strchr("0123456789abcdef", text.data[i]))
        i++;
    return i == text.len && text.len >= UID_PREFIX_MIN && text.len <= 32;
}

static int match_uid(Store *store, Str text, int64_t *id, Error *err)
{
    sqlite3_stmt *s = store_statement(store,
                                      "SELECT id FROM conversation WHERE deleted_ms IS NULL AND "
                                      "uid >= ?1 AND uid < ?1 || 'g' ORDER BY id",
                                      err);

    if (!s)
        return -1;
    bind_str(s, 1, text);
    return only_match(store, s, text, id, err);
}

/* Ever looser ways for a title to be meant. */
static const char *const title_queries[] = {
    "SELECT id FROM conversation WHERE deleted_ms IS NULL AND title = ?1 ORDER BY id",
    "SELECT id FROM conversation WHERE deleted_ms IS NULL AND text_fold(title) = text_fold(?1) "
    "ORDER BY id",
    "SELECT id FROM conversation WHERE deleted_ms IS NULL AND instr(text_fold(title), "
    "text_fold(?1)) "
    "ORDER BY id",
};

static int match_title(Store *store, Str text, int64_t *id, Error *err)
{
    int found = 0;

    for (size_t i = 0; found == 0 && i < ARRAY_LEN(title_queries); i++) {
        sqlite3_stmt *s = store_statement(store, title_queries[i], err);

        if (!s)
            return -1;
        bind_str(s, 1, text);
        found = only_match(store, s, text, id, err);
    }
    return found;
}

static int match_id(Store *store, Str text, int64_t *id, Error *err)
{
    sqlite3_stmt *s;
    long long number;

    if (!str_to_long(text, &number) || number <= 0)
        return 0;
    s = store_statement(store, "SELECT id FROM conversation WHERE deleted_ms IS NULL AND id = ?",
                        err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, number);
    return only_match(store, s, text, id, err);
}

bool store_resolve(Store *store, Str text, int64_t *id, Error *err)
{
    int found = 0;

    text = str_trim(text);
    if (text.len)
        found = match_id(store, text, id, err);
    if (found == 0 && looks_like_uid(text))
        found = match_uid(store, text, id, err);
    if (found == 0 && text.len)
        found = match_title(store, text, id, err);
    if (found == 0)
        return error_set(err, ERR_NOT_FOUND,
                         _("%.*s: there is no such conversation; kaiwa list shows those there are"),
                         (int)(text.len > 100 ? 100 : text.len), text.len ? text.data : "");
    return found == 1;
}
