/* Messages in the database: rows to Message and back, system prompts and models that many rows
 * share. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/record.h"
#include "src/store_db.h"

/* The row that holds a value, after it was made sure that there is one. */
static int64_t found_row(Store *store, sqlite3_stmt *statement, Error *err)
{
    int64_t id = 0;

    if (statement && store_row(store, statement, err) == 1) {
        id = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return id;
}

int64_t prompt_row(Store *store, Str text, Error *err)
{
    sqlite3_stmt *statement;

    if (text.len == 0)
        return 0;
    statement = store_statement(store, "INSERT OR IGNORE INTO prompt (text) VALUES (?)", err);
    if (!statement)
        return 0;
    bind_str(statement, 1, text);
    if (!store_run(store, statement, err))
        return 0;
    statement = store_statement(store, "SELECT id FROM prompt WHERE text = ?", err);
    if (statement)
        bind_str(statement, 1, text);
    return found_row(store, statement, err);
}

int64_t model_row(Store *store, const char *name, const char *key, Error *err)
{
    sqlite3_stmt *statement;

    if (!name)
        return 0;
    statement = store_statement(store,
                                "INSERT INTO model (key, name, tokenizer_key) VALUES (?1, ?1, ?2) "
                                "ON CONFLICT (key) DO UPDATE SET tokenizer_key = "
                                "coalesce(excluded.tokenizer_key, tokenizer_key)",
                                err);
    if (!statement)
        return 0;
    bind_cstr(statement, 1, name);
    bind_cstr(statement, 2, key);
    if (!store_run(store, statement, err))
        return 0;
    statement = store_statement(store, "SELECT id FROM model WHERE key = ?", err);
    if (statement)
        bind_cstr(statement, 1, name);
    return found_row(store, statement, err);
}

/* Little-endian, whatever the machine. */
static void encode_ids(const Tokens *ids, Buf *out)
{
    for (size_t i = 0; i < ids->n; i++) {
        uint32_t id = (uint32_t)ids->ids[i];
        unsigned char bytes[4] = { (unsigned char)id, (unsigned char)(id >> 8),
                                   (unsigned char)(id >> 16), (unsigned char)(id >> 24) };

        buf_append(out, bytes, sizeof bytes);
    }
}

static void decode_ids(const unsigned char *bytes, size_t n, Tokens *out)
{
    for (size_t i = 0; i + 4 <= n; i += 4)
        tokens_push(out, (int32_t)((uint32_t)bytes[i] | (uint32_t)bytes[i + 1] << 8 |
                                   (uint32_t)bytes[i + 2] << 16 | (uint32_t)bytes[i + 3] << 24));
}

/* What belongs to a message and can change, as bound by bind_message. */
#define MUTABLE_COLUMNS                                                                            \
    "text, thinking, status, excluded, selected_child_id, system_id, model_id, params_json, seed," \
    " ids, tokenizer_key, end_id, n_reused, n_computed, first_ms, total_ms, updated_ms"
enum { N_MUTABLE = 17 };

typedef struct {
    Buf params, ids;
    int64_t system, model;
} Bound; /* alive while the statement runs */

static bool prepare_bound(Store *store, const Message *m, Bound *bound, Error *err)
{
    Error failed = ERROR_INIT;
    json_t *params;

    *bound = (Bound){ .params = BUF_INIT, .ids = BUF_INIT };
    if (m->role != ROLE_ASSISTANT)
        return true;
    params = record_sampling(&m->sampling);
    json_object_del(params, "seed"); /* a column of its own */
    record_print(params, false, &bound->params);
    json_decref(params);
    encode_ids(&m->ids, &bound->ids);
    bound->system = prompt_row(store, str_from(m->system), &failed);
    bound->model = model_row(store, m->model, m->tokenizer_key, &failed);
    if (failed.kind != ERR_NONE)
        *err = failed;
    return failed.kind == ERR_NONE;
}

static void release_bound(Bound *bound)
{
    buf_release(&bound->params);
    buf_release(&bound->ids);
}

static void bind_message(sqlite3_stmt *s, const Message *m, const Bound *bound)
{
    bind_str(s, 1, buf_str(&m->text));
    bind_str(s, 2, buf_str(&m->thinking));
    bind_cstr(s, 3, message_status_name(m->status));
    sqlite3_bind_int(s, 4, m->excluded);
    bind_id(s, 5, m->selected_child);
    bind_id(s, 6, bound->system);
    bind_id(s, 7, bound->model);
    if (m->role == ROLE_ASSISTANT) {
        bind_str(s, 8, buf_str(&bound->params));
        sqlite3_bind_int64(s, 9, (sqlite3_int64)m->sampling.seed);
        sqlite3_bind_blob64(s, 10, bound->ids.len ? bound->ids.data : "", bound->ids.len,
                            SQLITE_STATIC);
        bind_cstr(s, 11, m->tokenizer_key);
        if (m->end_id >= 0)
            sqlite3_bind_int(s, 12, m->end_id);
    }
    sqlite3_bind_int(s, 13, m->n_reused);
    sqlite3_bind_int(s, 14, m->n_computed);
    sqlite3_bind_int64(s, 15, m->first_ms);
    sqlite3_bind_int64(s, 16, m->total_ms);
    sqlite3_bind_int64(s, 17, m->updated_ms);
}

/* What search knows of a message: its text once it is whole. */
static Str indexed_text(MessageStatus status, Str text)
{
    return status == MESSAGE_STREAMING || text.len == 0 ? STR_NULL : text;
}

bool message_insert(Store *store, int64_t conversation, Message *m, Error *err)
{
    sqlite3_stmt *s = NULL;
    Bound bound;
    bool ok = prepare_bound(store, m, &bound, err);

    if (ok)
        s = store_statement(store,
                            "INSERT INTO message (" MUTABLE_COLUMNS
                            ", conversation_id, parent_id, role, created_ms) VALUES (?, ?, ?, ?, ?,"
                            " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                            err);
    if (s) {
        bind_message(s, m, &bound);
        sqlite3_bind_int64(s, N_MUTABLE + 1, conversation);
        bind_id(s, N_MUTABLE + 2, m->parent_id);
        bind_cstr(s, N_MUTABLE + 3, role_name(m->role));
        sqlite3_bind_int64(s, N_MUTABLE + 4, m->created_ms);
    }
    ok = ok && store_run(store, s, err);
    release_bound(&bound);
    if (!ok)
        return false;
    m->id = sqlite3_last_insert_rowid(store->db);
    return search_change(store, m->id, STR_NULL, indexed_text(m->status, buf_str(&m->text)), err);
}

static bool message_update(Store *store, int64_t conversation, const Message *m, Error *err)
{
    sqlite3_stmt *s = NULL;
    Bound bound;
    bool ok = prepare_bound(store, m, &bound, err);

    if (ok)
        s = store_statement(store,
                            "UPDATE message SET (" MUTABLE_COLUMNS ") = (?, ?, ?, ?, ?, ?, ?, ?, ?,"
                            " ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ? AND conversation_id = ?",
                            err);
    if (s) {
        bind_message(s, m, &bound);
        sqlite3_bind_int64(s, N_MUTABLE + 1, m->id);
        sqlite3_bind_int64(s, N_MUTABLE + 2, conversation);
    }
    ok = ok && store_run(store, s, err);
    release_bound(&bound);
    return ok;
}

/* Brings the search index from what the row holds now to what the message will hold. */
static bool update_search(Store *store, const Message *m, Error *err)
{
    sqlite3_stmt *s = store_statement(store, "SELECT status, text FROM message WHERE id = ?", err);
    MessageStatus old = MESSAGE_FAILED;
    Buf before = BUF_INIT;
    bool ok;
    int row;

    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, m->id);
    row = store_row(store, s, err);
    if (row == 1) {
        message_status_parse(column_str(s, 0), &old);
        buf_append_str(&before, column_str(s, 1));
        sqlite3_reset(s);
    }
    if (row == 0)
        error_set(err, ERR_NOT_FOUND, _("%s: the message is no longer there; open it again"),
                  store->path);
    ok = row == 1 && search_change(store, m->id, indexed_text(old, buf_str(&before)),
                                   indexed_text(m->status, buf_str(&m->text)), err);
    buf_release(&before);
    return ok;
}

/* The conversation now ends here, and the parent shows this child. */
static bool update_ends(Store *store, int64_t conversation, const Message *m, Error *err)
{
    sqlite3_stmt *s = store_statement(
        store, "UPDATE conversation SET leaf_id = ?, updated_ms = max(updated_ms, ?) WHERE id = ?",
        err);

    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, m->id);
    sqlite3_bind_int64(s, 2, m->updated_ms);
    sqlite3_bind_int64(s, 3, conversation);
    if (!store_run(store, s, err))
        return false;
    s = store_statement(store, "UPDATE message SET selected_child_id = ? WHERE id = ?", err);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, m->id);
    bind_id(s, 2, m->parent_id);
    return store_run(store, s, err);
}

bool store_save_message(Store *store, const Conversation *conversation, Message *message,
                        Error *err)
{
    bool is_new = message->id == 0, ok;

    if (!store_begin(store, err))
        return false;
    message->updated_ms = clock_wall_ms();
    if (message->created_ms == 0)
        message->created_ms = message->updated_ms;
    if (is_new)
        ok = message_insert(store, conversation->id, message, err) &&
             update_ends(store, conversation->id, message, err);
    else
        ok = update_search(store, message, err) &&
             message_update(store, conversation->id, message, err);
    ok = store_end(store, ok, err);
    if (!ok && is_new)
        message->id = 0;
    return ok;
}

/* Loading */

static void read_params(Str text, Sampling *sampling)
{
    Error ignored = ERROR_INIT;
    json_t *params = json_loadb(text.len ? text.data : "", text.len, 0, NULL);

    record_read_sampling(params, sampling, &ignored);
    json_decref(params);
}

/* A row that nobody has touched for a while is what a killed kaiwa left.  A time in the future
 * is a clock that was put back. */
static MessageStatus shown_status(Str name, int64_t updated_ms)
{
    MessageStatus status = MESSAGE_FAILED;
    int64_t age = clock_wall_ms() - updated_ms;

    message_status_parse(name, &status);
    if (status == MESSAGE_STREAMING && (age > STORE_STALE_MS || age < -STORE_STALE_MS))
        status = MESSAGE_STOPPED;
    return status;
}

static Message *message_of_row(sqlite3_stmt *s)
{
    Role role = ROLE_USER;
    Message *m;
    const void *ids;

    role_parse(column_str(s, 2), &role);
    m = message_new(role);
    m->id = sqlite3_column_int64(s, 0);
    m->parent_id = sqlite3_column_int64(s, 1);
    buf_append_str(&m->text, column_str(s, 3));
    buf_append_str(&m->thinking, column_str(s, 4));
    m->updated_ms = sqlite3_column_int64(s, 19);
    m->created_ms = sqlite3_column_int64(s, 18);
    m->status = shown_status(column_str(s, 5), m->updated_ms);
    m->excluded = sqlite3_column_int(s, 6) != 0;
    m->selected_child = sqlite3_column_int64(s, 7);
    m->system = column_copy(s, 8);
    m->model = column_copy(s, 9);
    if (sqlite3_column_type(s, 10) != SQLITE_NULL)
        read_params(column_str(s, 10), &m->sampling);
    m->sampling.seed = (uint64_t)sqlite3_column_int64(s, 11);
    ids = sqlite3_column_blob(s, 12);
    decode_ids(ids, ids ? (size_t)sqlite3_column_bytes(s, 12) : 0, &m->ids);
    m->tokenizer_key = column_copy(s, 13);
    m->end_id = sqlite3_column_type(s, 20) == SQLITE_NULL ? -1 : sqlite3_column_int(s, 20);
    m->n_reused = sqlite3_column_int(s, 14);
    m->n_computed = sqlite3_column_int(s, 15);
    m->first_ms = sqlite3_column_int64(s, 16);
    m->total_ms = sqlite3_column_int64(s, 17);
    return m;
}

bool messages_load(Store *store, Conversation *conversation, Error *err)
{
    sqlite3_stmt *s = store_statement(
        store,
        "SELECT m.id, m.parent_id, m.role, m.text, m.thinking, m.status, m.excluded,"
        " m.selected_child_id, prompt.text, model.name, m.params_json, m.seed, m.ids,"
        " m.tokenizer_key, m.n_reused, m.n_computed, m.first_ms, m.total_ms, m.created_ms,"
        " m.updated_ms, m.end_id FROM message m LEFT JOIN prompt ON prompt.id = m.system_id"
        " LEFT JOIN model ON model.id = m.model_id WHERE m.conversation_id = ? ORDER BY m.id",
        err);
    int row;

    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, conversation->id);
    while ((row = store_row(store, s, err)) == 1)
        conversation_add(conversation, message_of_row(s));
    return row == 0;
}

/* One stale row; 0: none. */
static int64_t stale_row(Store *store, Buf *text, Error *err)
{
    int64_t now = clock_wall_ms(), id = 0;
    sqlite3_stmt *s = store_statement(store,
                                      "SELECT id, text FROM message WHERE status = 'streaming' AND "
                                      "updated_ms NOT BETWEEN ? AND ? LIMIT 1",
                                      err);

    if (!s)
        return 0;
    sqlite3_bind_int64(s, 1, now - STORE_STALE_MS);
    sqlite3_bind_int64(s, 2, now + STORE_STALE_MS);
    if (store_row(store, s, err) == 1) {
        id = sqlite3_column_int64(s, 0);
        buf_reset(text);
        buf_append_str(text, column_str(s, 1));
        sqlite3_reset(s);
    }
    return id;
}

static bool stop_row(Store *store, int64_t id, Str text, Error *err)
{
    sqlite3_stmt *s =
        store_statement(store, "UPDATE message SET status = 'stopped' WHERE id = ?", err);

    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, id);
    return store_run(store, s, err) &&
           search_change(store, id, STR_NULL, indexed_text(MESSAGE_STOPPED, text), err);
}

/* Should its writer be alive after all, its next save only goes on from here. */
bool messages_recover(Store *store, Error *err)
{
    Error failed = ERROR_INIT;
    Buf text = BUF_INIT;
    bool ok = true;
    int64_t id = stale_row(store, &text, &failed);

    if (id && store_begin(store, &failed)) {
        while (ok && (id = stale_row(store, &text, &failed)))
            ok = stop_row(store, id, buf_str(&text), &failed);
        store_end(store, ok, &failed);
    }
    buf_release(&text);
    if (failed.kind != ERR_NONE)
        *err = failed;
    return failed.kind == ERR_NONE;
}
