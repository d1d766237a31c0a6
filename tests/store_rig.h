/* Databases for tests of the store. */
#ifndef TESTS_STORE_RIG_H
#define TESTS_STORE_RIG_H

#include "src/store.h"

extern char store_folder[64]; /* of all databases of the program */
extern char store_path[128];  /* of the database of the running test */
extern int64_t now_us;        /* what the clock says to the running test */

/* Around the group: the folder. */
int make_store_folder(void **state);
int remove_store_folder(void **state);
/* Around each test: a path at which there is nothing yet, and the clock. */
int set_up(void **state);
int tear_down(void **state);

Store *must_open(void);
/* The open fails with one line that holds `part`. */
void open_fails(Store *(*open_store)(const char *, Error *), ErrorKind kind, const char *part);

/* With sqlite alone, as another program would. */
void run_sql(const char *sql);
int64_t ask_sql(const char *sql);

/* A stored conversation without messages; the caller frees it. */
Conversation *start(Store *store, const char *title);
/* Adds a message at the leaf, as the chat does; it belongs to the conversation. */
Message *say(Store *store, Conversation *c, Role role, const char *text);
/* What the store has; the caller frees it. */
Conversation *load(Store *store, int64_t id);
size_t hits_of(Store *store, const char *query);

#endif
