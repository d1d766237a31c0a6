/* The schema, as a list of migrations.  Rows of the list never change once released: a new
 * schema is a new row at the end, with a stored file of the version before it in tests/data.
 * user_version counts them. */
#include "config.h"

#include <stdlib.h>

#include "src/base/i18n.h"
#include "src/store_db.h"

/* "kaiw": tells this file from other programs' databases. */
enum { APPLICATION_ID = 0x6B616977 };

static const char first_schema[] =
    "CREATE TABLE prompt (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
    "CREATE TABLE model (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " tokenizer_key TEXT);"
    "CREATE TABLE conversation (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, title TEXT,"
    " title_by TEXT NOT NULL DEFAULT 'none', system_id INTEGER REFERENCES prompt (id),"
    " params_json TEXT, format TEXT, model_id INTEGER REFERENCES model (id),"
    " leaf_id INTEGER REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED,"
    " pinned INTEGER NOT NULL DEFAULT 0, draft TEXT NOT NULL DEFAULT '',"
    " created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, deleted_ms INTEGER);"
    "CREATE TABLE message (id INTEGER PRIMARY KEY,"
    " conversation_id INTEGER NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,"
    " parent_id INTEGER REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED,"
    " role TEXT NOT NULL CHECK (role IN ('user', 'assistant')), text TEXT NOT NULL,"
    " thinking TEXT NOT NULL DEFAULT '', status TEXT NOT NULL CHECK (status IN"
    " ('streaming', 'complete', 'stopped', 'length', 'context', 'failed')),"
    " excluded INTEGER NOT NULL DEFAULT 0,"
    " selected_child_id INTEGER REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED,"
    " system_id INTEGER REFERENCES prompt (id), model_id INTEGER REFERENCES model (id),"
    " params_json TEXT, seed INTEGER, ids BLOB, tokenizer_key TEXT, end_id INTEGER,"
    " n_reused INTEGER NOT NULL DEFAULT 0, n_computed INTEGER NOT NULL DEFAULT 0,"
    " first_ms INTEGER NOT NULL DEFAULT 0, total_ms INTEGER NOT NULL DEFAULT 0,"
    " created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL);"
    "CREATE INDEX message_conversation ON message (conversation_id);"
    "CREATE INDEX message_parent ON message (parent_id);"
    "CREATE INDEX message_streaming ON message (updated_ms) WHERE status = 'streaming';"
    "CREATE TABLE history (id INTEGER PRIMARY KEY, text TEXT NOT NULL, created_ms INTEGER NOT "
    "NULL);"
    "CREATE INDEX history_text ON history (text);"
    "CREATE TABLE value (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;";

/* Tokens are written in [0-9a-z] (store_search.c), four characters for each of the text: the
 * prefix index answers queries of one character.  Nothing is ranked, so the sizes of columns are
 * not kept. */
static const char search_schema[] =
    "CREATE VIRTUAL TABLE search USING fts5 (text, content = '', columnsize = 0, prefix = 4,"
    " tokenize = 'ascii');";

typedef struct {
    const char *sql;
    bool (*run)(Store *store, Error *err); /* after sql; NULL: nothing more */
} Migration;

static const Migration migrations[] = {
    { .sql = first_schema },
    { .sql = search_schema, .run = search_rebuild },
};

/* What the file says of itself.  False: it is not for this program. */
static bool read_version(Store *store, int *version, Error *err)
{
    sqlite3_stmt *statement;
    int known = (int)ARRAY_LEN(migrations), application = 0, objects = 0;

    statement = store_statement(store,
                                "SELECT user_version, application_id, (SELECT count(*) FROM "
                                "sqlite_schema) FROM pragma_user_version, pragma_application_id",
                                err);
    if (!statement || store_row(store, statement, err) != 1)
        return false;
    *version = sqlite3_column_int(statement, 0);
    application = sqlite3_column_int(statement, 1);
    objects = sqlite3_column_int(statement, 2);
    sqlite3_reset(statement);
    if (application != APPLICATION_ID && (application || objects))
        return error_set(err, ERR_FORMAT,
                         _("%s: a database of another program; name another file with --db"),
                         store->path);
    if (*version > known)
        return error_set(err, ERR_UNSUPPORTED,
                         _("%s: written by a newer kaiwa (database version %d, this one knows %d); "
                           "update kaiwa, or name another file with --db"),
                         store->path, *version, known);
    if (*version < 0)
        return error_set(err, ERR_FORMAT,
                         _("%s: the database is damaged; put a copy of it in its place, or move it "
                           "away to start anew"),
                         store->path);
    return true;
}

static bool migrate_from(Store *store, int version, Error *err)
{
    Buf sql = BUF_INIT;
    bool ok = true;

    for (size_t i = (size_t)version; ok && i < ARRAY_LEN(migrations); i++)
        ok = store_exec(store, migrations[i].sql, err) &&
             (!migrations[i].run || migrations[i].run(store, err));
    buf_printf(&sql, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
               (int)ARRAY_LEN(migrations));
    ok = ok && store_exec(store, buf_cstr(&sql), err);
    buf_release(&sql);
    return ok;
}

bool store_migrate(Store *store, Error *err)
{
    int version;
    bool ok;

    if (!read_version(store, &version, err))
        return false;
    if (version == (int)ARRAY_LEN(migrations))
        return true;
    if (!store_begin(store, err))
        return false;
    /* Again, now that nobody else can write: another kaiwa may just have done it. */
    ok = read_version(store, &version, err) && migrate_from(store, version, err);
    return store_end(store, ok, err);
}

bool store_check_schema(Store *store, Error *err)
{
    int version;

    if (!read_version(store, &version, err))
        return false;
    if (version < (int)ARRAY_LEN(migrations))
        return error_set(err, ERR_UNSUPPORTED,
                         _("%s: written by an older kaiwa; start kaiwa once so that it brings the "
                           "database up to date"),
                         store->path);
    return true;
}
