/* Private to store*.c: the open database, its statements, and what the parts of the store share.
 * The one place that includes sqlite3.h. */
#ifndef SRC_STORE_DB_H
#define SRC_STORE_DB_H

#include <sqlite3.h>

#include "src/store.h"

enum { STORE_STATEMENTS = 64, STORE_BUSY_MS = 2000, STORE_STALE_MS = 5000 };

struct Store {
    sqlite3 *db;
    char *path;
    bool readonly;
    int depth;    /* of nested store_begin */
    bool doomed;  /* an inner part of the transaction failed */
    int64_t seen; /* data_version at the last store_changed */
    struct {
        const char *sql; /* a literal: compared by address */
        sqlite3_stmt *statement;
    } cached[STORE_STATEMENTS];
    size_t n_cached;
};

/* Says what sqlite's last error means for the user; always false. */
bool store_fail(Store *store, Error *err);

/* A prepared statement, kept for the next time; ready to bind.  sql is a string literal.  NULL:
 * failed. One that gave its last row through store_row, or failed, is reset; else the caller
 * resets it. */
sqlite3_stmt *store_statement(Store *store, const char *sql, Error *err);
bool store_run(Store *store, sqlite3_stmt *statement, Error *err); /* no rows wanted */
int store_row(Store *store, sqlite3_stmt *statement,
              Error *err);                                  /* 1 a row, 0 no more, -1 failed */
bool store_exec(Store *store, const char *sql, Error *err); /* uncached, several statements */
/* One number, or `otherwise` when there is no row or it fails. */
int64_t store_number(Store *store, const char *sql, int64_t otherwise);

void bind_id(sqlite3_stmt *statement, int column, int64_t id); /* 0 becomes NULL */
void bind_str(sqlite3_stmt *statement, int column, Str text);  /* borrowed until the next bind */
void bind_cstr(sqlite3_stmt *statement, int column, const char *text); /* NULL becomes NULL */
Str column_str(sqlite3_stmt *statement, int column);
char *column_copy(sqlite3_stmt *statement, int column); /* NULL for NULL */

/* Transactions nest; the outermost one writes.  store_end undoes everything unless ok, and returns
 * whether it is done. */
bool store_begin(Store *store, Error *err);
bool store_end(Store *store, bool ok, Error *err);

/* store_schema.c: creates or migrates.  False also for files of a newer kaiwa or another
 * program. */
bool store_migrate(Store *store, Error *err);
/* The schema is the present one; for files that are only read. */
bool store_check_schema(Store *store, Error *err);

/* store_search.c.  What is in the index of a message: NULL data: nothing.  Without a change
 * nothing is written. */
bool search_change(Store *store, int64_t message, Str before, Str after, Error *err);
bool search_rebuild(Store *store, Error *err);

/* store_message.c */
bool message_insert(Store *store, int64_t conversation, Message *message, Error *err);
bool messages_load(Store *store, Conversation *conversation, Error *err);
/* Rows that were left streaming by a kaiwa that is gone become stopped, and can be found. */
bool messages_recover(Store *store, Error *err);
int64_t prompt_row(Store *store, Str text, Error *err); /* 0: none or failed */
int64_t model_row(Store *store, const char *name, const char *key,
                  Error *err); /* 0: none or failed */

#endif
