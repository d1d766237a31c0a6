/* Databases for tests of the store: each test has a file of its own, under a clock that stands
 * still until the test moves it. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "src/base/clock.h"
#include "src/base/mem.h"
#include "tests/store_rig.h"

char store_folder[64];
char store_path[128];
int64_t now_us;

int make_store_folder(void **state)
{
    (void)state;
    snprintf(store_folder, sizeof store_folder, "/tmp/kaiwa-test-store-XXXXXX");
    return mkdtemp(store_folder) ? 0 : -1;
}

int remove_store_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", store_folder);
    return system(command);
}

int set_up(void **state)
{
    static int n;

    (void)state;
    snprintf(store_path, sizeof store_path, "%s/%d.db", store_folder, ++n);
    now_us = 1800000000000000;
    clock_set_virtual(&now_us);
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    clock_set_virtual(NULL);
    return 0;
}

Store *must_open(void)
{
    Error err = ERROR_INIT;
    Store *store = store_open(store_path, &err);

    if (!store)
        fail_msg("%s", err.text);
    return store;
}

/* The open fails with one line that holds `part`. */
void open_fails(Store *(*open_store)(const char *, Error *), ErrorKind kind, const char *part)
{
    Error err = ERROR_INIT;
    Store *store = open_store(store_path, &err);

    assert_null(store);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_int_equal(err.kind, kind);
    assert_null(strchr(err.text, '\n'));
    assert_non_null(strstr(err.text, store_path));
}

/* With sqlite alone, as another program would. */
void run_sql(const char *sql)
{
    sqlite3 *db;
    char *message = NULL;

    assert_int_equal(sqlite3_open(store_path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

int64_t ask_sql(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    int64_t number;

    assert_int_equal(sqlite3_open(store_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

Conversation *start(Store *store, const char *title)
{
    Conversation *c = conversation_new();
    Error err = ERROR_INIT;

    c->title = xstrdup(title);
    assert_true(store_save_conversation(store, c, &err));
    return c;
}

/* Adds a message at the leaf, as the chat does. */
Message *say(Store *store, Conversation *c, Role role, const char *text)
{
    Message *m = message_new(role);
    Message *parent = conversation_last(c);
    Error err = ERROR_INIT;

    m->parent_id = c->leaf;
    buf_puts(&m->text, text);
    if (!store_save_message(store, c, m, &err))
        fail_msg("%s", err.text);
    conversation_add(c, m);
    if (parent)
        parent->selected_child = m->id;
    c->leaf = m->id;
    return m;
}

Conversation *load(Store *store, int64_t id)
{
    Error err = ERROR_INIT;
    Conversation *c = store_load(store, id, &err);

    if (!c)
        fail_msg("%s", err.text);
    return c;
}

size_t hits_of(Store *store, const char *query)
{
    StoreHits hits;
    Error err = ERROR_INIT;
    size_t n;

    if (!store_search(store, str_from(query), 0, &hits, &err))
        fail_msg("%s: %s", query, err.text);
    n = hits.n;
    store_hits_release(&hits);
    return n;
}
