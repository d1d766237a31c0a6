/* The store's file: opening, errors in words, statements, transactions, small values and input
 * history. Conversations are in store_conversation.c, messages in store_message.c, search in
 * store_search.c. */
#include "config.h"

#include "src/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/base/text.h"
#include "src/store_db.h"

enum { HISTORY_KEPT = 5000 };

bool store_fail(Store *store, Error *err)
{
    const char *path = store->path;

    switch (sqlite3_errcode(store->db) & 0xFF) {
    case SQLITE_NOTADB:
        return error_set(err, ERR_FORMAT,
                         _("%s: not a database of kaiwa; name another file with --db"), path);
    case SQLITE_CORRUPT:
        return error_set(err, ERR_FORMAT,
                         _("%s: the database is damaged; put a copy of it in its place, or move it "
                           "away to start anew"),
                         path);
    case SQLITE_READONLY:
        return error_set(err, ERR_SYSTEM,
                         _("%s: the database may not be written; make the file and its folder "
                           "writable, or name another file with --db"),
                         path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(err, ERR_SYSTEM,
                         _("%s: another program holds the database; try again when it has ended"),
                         path);
    case SQLITE_FULL:
        return error_set(err, ERR_SYSTEM, _("%s: no space is left; make room and try again"), path);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return error_set(
            err, ERR_SYSTEM,
            _("%s: cannot open the database; check that the file and its folder may be "
              "read and written, or name another file with --db"),
            path);
    case SQLITE_NOMEM:
        return error_set(err, ERR_MEMORY, _("%s: memory is out; end other programs"), path);
    case SQLITE_TOOBIG:
        return error_set(err, ERR_UNSUPPORTED, _("%s: the text is too long to be stored"), path);
    case SQLITE_IOERR:
        return error_set(err, ERR_SYSTEM, _("%s: reading or writing failed: %s; check the disk"),
                         path, sqlite3_errmsg(store->db));
    default:
        return error_set(err, ERR_SYSTEM, _("%s: the database said: %s; try again"), path,
                         sqlite3_errmsg(store->db));
    }
}

/* Statements */

static sqlite3_stmt *ready(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return statement;
}

sqlite3_stmt *store_statement(Store *store, const char *sql, Error *err)
{
    sqlite3_stmt *statement = NULL;

    for (size_t i = 0; i < store->n_cached; i++)
        if (store->cached[i].sql == sql)
            return ready(store->cached[i].statement);
    if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK) {
        store_fail(store, err);
        return NULL;
    }
    if (store->n_cached == STORE_STATEMENTS) {
        sqlite3_finalize(store->cached[--store->n_cached].statement);
    }
    store->cached[store->n_cached].sql = sql;
    store->cached[store->n_cached++].statement = statement;
    return statement;
}

int store_row(Store *store, sqlite3_stmt *statement, Error *err)
{
    int code = sqlite3_step(statement);

    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE)
        store_fail(store, err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code == SQLITE_DONE ? 0 : -1;
}

bool store_run(Store *store, sqlite3_stmt *statement, Error *err)
{
    int row;

    if (!statement)
        return false;
    do
        row = store_row(store, statement, err);
    while (row == 1);
    return row == 0;
}

bool store_exec(Store *store, const char *sql, Error *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK || store_fail(store, err);
}

int64_t store_number(Store *store, const char *sql, int64_t otherwise)
{
    Error ignored = ERROR_INIT;
    sqlite3_stmt *statement = store_statement(store, sql, &ignored);

    if (statement && store_row(store, statement, &ignored) == 1) {
        otherwise = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return otherwise;
}

void bind_id(sqlite3_stmt *statement, int column, int64_t id)
{
    if (id)
        sqlite3_bind_int64(statement, column, id);
}

void bind_str(sqlite3_stmt *statement, int column, Str text)
{
    sqlite3_bind_text64(statement, column, text.len ? text.data : "", text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

void bind_cstr(sqlite3_stmt *statement, int column, const char *text)
{
    if (text)
        bind_str(statement, column, str_from(text));
}

Str column_str(sqlite3_stmt *statement, int column)
{
    const char *data = (const char *)sqlite3_column_text(statement, column);

    return str_of(data, data ? (size_t)sqlite3_column_bytes(statement, column) : 0);
}

char *column_copy(sqlite3_stmt *statement, int column)
{
    Str text = column_str(statement, column);

    return text.data ? xstrndup(text.data, text.len) : NULL;
}

/* IMMEDIATE: the lock is waited for here and not in the middle, where sqlite could not wait. */
bool store_begin(Store *store, Error *err)
{
    if (store->depth == 0) {
        if (!store_run(store, store_statement(store, "BEGIN IMMEDIATE", err), err))
            return false;
        store->doomed = false;
    }
    store->depth++;
    return true;
}

bool store_end(Store *store, bool ok, Error *err)
{
    Error ignored = ERROR_INIT;

    if (!ok)
        store->doomed = true;
    if (--store->depth > 0)
        return ok;
    if (!store->doomed && store_run(store, store_statement(store, "COMMIT", err), err))
        return true;
    if (!sqlite3_get_autocommit(store->db))
        store_run(store, store_statement(store, "ROLLBACK", &ignored), &ignored);
    return false;
}

/* Opening */

static void fold_function(sqlite3_context *context, int n, sqlite3_value **values)
{
    const char *data = (const char *)sqlite3_value_text(values[0]);
    Buf out = BUF_INIT;

    (void)n;
    text_fold(str_of(data, data ? (size_t)sqlite3_value_bytes(values[0]) : 0), &out);
    sqlite3_result_text64(context, buf_cstr(&out), out.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    buf_release(&out);
}

/* Made before sqlite sees it, so that it is never readable for others, not even for a moment;
 * sqlite gives its side files the same mode. */
static bool create_private(const char *path, Error *err)
{
    Buf dir = BUF_INIT;
    const char *slash = strrchr(path, '/');
    bool ok = true;
    int fd;

    if (path_exists(path))
        return true;
    if (slash && slash != path) {
        buf_append(&dir, path, (size_t)(slash - path));
        ok = path_mkdirs(buf_cstr(&dir), err);
    }
    buf_release(&dir);
    if (!ok)
        return false;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, _("cannot create the database %s"), path);
    close(fd);
    return true;
}

static Store *store_new(const char *path)
{
    Store *store = xcalloc(1, sizeof *store);
    Buf name = BUF_INIT;

    if (path) {
        buf_puts(&name, path);
    } else {
        path_data_dir(&name);
        buf_puts(&name, "/kaiwa.db");
    }
    store->path = buf_take(&name);
    return store;
}

static bool connect_to(Store *store, const char *name, int flags, Error *err)
{
    if (sqlite3_open_v2(name, &store->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                        NULL) != SQLITE_OK) {
        if (store->db)
            return store_fail(store, err);
        return error_set(err, ERR_MEMORY, _("%s: memory is out; end other programs"), store->path);
    }
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_create_function_v2(store->db, "text_fold", 1,
                               SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
                               fold_function, NULL, NULL, NULL);
    return store_exec(store, "PRAGMA foreign_keys = ON", err);
}

static void disconnect(Store *store)
{
    for (size_t i = 0; i < store->n_cached; i++)
        sqlite3_finalize(store->cached[i].statement);
    store->n_cached = 0;
    sqlite3_close(store->db);
    store->db = NULL;
}

/* A file that opens for reading only must not be found out in the middle of a chat. */
static bool prepare_writing(Store *store, Error *err)
{
    if (sqlite3_db_readonly(store->db, "main") == 1)
        return error_set(err, ERR_SYSTEM,
                         _("%s: the database may not be written; make the file and its folder "
                           "writable, or name another file with --db"),
                         store->path);
    return store_exec(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", err) &&
           store_migrate(store, err) && messages_recover(store, err);
}

Store *store_open(const char *path, Error *err)
{
    Store *store = store_new(path);

    if ((strcmp(store->path, ":memory:") == 0 || create_private(store->path, err)) &&
        connect_to(store, store->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err) &&
        prepare_writing(store, err)) {
        store_changed(store);
        return store;
    }
    store_close(store);
    return NULL;
}

/* "file:PATH?immutable=1": for a folder that sqlite cannot put its side files in. */
static void immutable_name(const char *path, Buf *out)
{
    buf_puts(out, "file:");
    for (; *path; path++) {
        if (strchr("%?#", *path) || (unsigned char)*path < 0x20)
            buf_printf(out, "%%%02X", (unsigned char)*path);
        else
            buf_putc(out, *path);
    }
    buf_puts(out, "?immutable=1");
}

/* Nothing waits in the write-ahead log, so the main file alone is the whole truth. */
static bool is_settled(const char *path)
{
    Buf wal = BUF_INIT;
    struct stat st;
    bool settled;

    buf_printf(&wal, "%s-wal", path);
    settled = stat(buf_cstr(&wal), &st) != 0 || st.st_size == 0;
    buf_release(&wal);
    return settled;
}

static bool open_readonly(Store *store, Error *err)
{
    Buf name = BUF_INIT;
    bool ok =
        connect_to(store, store->path, SQLITE_OPEN_READONLY, err) && store_check_schema(store, err);
    int code = sqlite3_errcode(store->db) & 0xFF;

    /* sqlite could not make or use the side files that it needs for reading beside a writer. */
    if (!ok && (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && is_settled(store->path)) {
        disconnect(store);
        immutable_name(store->path, &name);
        ok = connect_to(store, buf_cstr(&name), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err) &&
             store_check_schema(store, err);
        buf_release(&name);
    }
    return ok;
}

Store *store_open_readonly(const char *path, Error *err)
{
    Store *store = store_new(path);
    struct stat st;

    store->readonly = true;
    if (stat(store->path, &st) != 0 && errno == ENOENT)
        error_set(err, ERR_NOT_FOUND,
                  _("%s: there is no database yet; it is made with the first conversation"),
                  store->path);
    else if (stat(store->path, &st) != 0)
        error_errno(err, _("cannot open the database %s"), store->path);
    else if (open_readonly(store, err)) {
        store_changed(store);
        return store;
    }
    store_close(store);
    return NULL;
}

void store_close(Store *store)
{
    if (!store)
        return;
    disconnect(store);
    free(store->path);
    free(store);
}

int64_t store_version(Store *store)
{
    return store_number(store, "PRAGMA data_version", 0);
}

bool store_changed(Store *store)
{
    int64_t before = store->seen;

    store->seen = store_version(store);
    return store->seen != before;
}

/* Input history and named values */

bool store_history_add(Store *store, Str text, Error *err)
{
    sqlite3_stmt *statement;
    bool ok;

    if (text.len == 0)
        return true;
    if (!store_begin(store, err))
        return false;
    /* What is typed again moves to the end. */
    statement = store_statement(store, "DELETE FROM history WHERE text = ?", err);
    if (statement)
        bind_str(statement, 1, text);
    ok = store_run(store, statement, err);
    statement =
        ok ? store_statement(store, "INSERT INTO history (text, created_ms) VALUES (?, ?)", err)
           : NULL;
    if (statement) {
        bind_str(statement, 1, text);
        sqlite3_bind_int64(statement, 2, clock_wall_ms());
    }
    ok = ok && store_run(store, statement, err);
    statement = ok ? store_statement(store,
                                     "DELETE FROM history WHERE id <= (SELECT id FROM history "
                                     "ORDER BY id DESC LIMIT 1 OFFSET ?)",
                                     err)
                   : NULL;
    if (statement)
        sqlite3_bind_int(statement, 1, HISTORY_KEPT);
    ok = ok && store_run(store, statement, err);
    return store_end(store, ok, err);
}

bool store_history(Store *store, size_t limit, void (*each)(void *arg, Str text), void *arg,
                   Error *err)
{
    sqlite3_stmt *statement = store_statement(
        store,
        "SELECT text FROM (SELECT id, text FROM history ORDER BY id DESC LIMIT ?) ORDER BY id",
        err);
    int row;

    if (!statement)
        return false;
    sqlite3_bind_int64(statement, 1, limit ? (int64_t)limit : -1);
    while ((row = store_row(store, statement, err)) == 1)
        each(arg, column_str(statement, 0));
    return row == 0;
}

bool store_set(Store *store, const char *name, Str value, Error *err)
{
    sqlite3_stmt *statement =
        store_statement(store,
                        "INSERT INTO value (name, value) VALUES (?, ?) "
                        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                        err);

    if (!statement)
        return false;
    bind_cstr(statement, 1, name);
    bind_str(statement, 2, value);
    return store_run(store, statement, err);
}

bool store_get(Store *store, const char *name, Buf *out)
{
    Error ignored = ERROR_INIT;
    sqlite3_stmt *statement =
        store_statement(store, "SELECT value FROM value WHERE name = ?", &ignored);
    bool found;

    if (!statement)
        return false;
    bind_cstr(statement, 1, name);
    found = store_row(store, statement, &ignored) == 1;
    if (found)
        buf_append_str(out, column_str(statement, 0));
    sqlite3_reset(statement);
    return found;
}

const char *store_library_version(void)
{
    return sqlite3_libversion();
}
