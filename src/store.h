/* Conversations in one sqlite file: WAL, one connection, owned by the UI thread.  Messages are
 * never deleted; deleting a conversation only marks it. */
#ifndef SRC_STORE_H
#define SRC_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/error.h"
#include "src/conversation.h"

typedef struct Store Store;

/* path NULL: the default file in the data directory; ":memory:" for private use.  Creates
 * directories (0700) and file (0600), runs migrations.  Corrupt, read-only and newer databases
 * are errors that say what to do. */
Store *store_open(const char *path, Error *err);
void store_close(Store *store);
/* Opens for reading only; nothing is created or migrated. */
Store *store_open_readonly(const char *path, Error *err);

/* First call inserts (sets id, uid); later calls update the row (title, system, sampling, leaf,
 * …). */
bool store_save_conversation(Store *store, Conversation *conversation, Error *err);
/* Inserts (id 0: sets id) or updates one message of a stored conversation; sets updated_ms.  In
 * the same transaction a new message becomes the row's leaf and its parent's selected child: the
 * caller does the same in memory. */
bool store_save_message(Store *store, const Conversation *conversation, Message *message,
                        Error *err);
/* Stores a conversation that came from elsewhere, with all its messages, as a new one in one
 * transaction. Message ids and links become those of the rows; the uid stays if nobody has it. */
bool store_save_all(Store *store, Conversation *conversation, Error *err);
/* Whole conversation with all messages.  A streaming row that nobody has saved for 5 s comes
 * back as stopped; one that is still streaming belongs to another running kaiwa. */
Conversation *store_load(Store *store, int64_t id, Error *err);
/* Soft delete and its undo. */
bool store_delete(Store *store, int64_t id, Error *err);
bool store_undelete(Store *store, int64_t id, Error *err);
/* Copies the path up to a message (0: the whole path) into a new conversation; returns its id, 0
 * on error. */
int64_t store_fork(Store *store, int64_t conversation, int64_t up_to_message, Error *err);

typedef struct {
    int64_t id;
    char uid[33];
    char *title; /* never NULL */
    char *model; /* may be NULL */
    bool pinned, deleted;
    int n_messages; /* on the shown path */
    int64_t created_ms, updated_ms;
} StoreRow;

typedef struct {
    StoreRow *row;
    size_t n;
} StoreRows;

/* Newest first, pinned before all.  filter (may be empty) is matched in folded titles.  limit 0:
 * all. */
bool store_list(Store *store, Str filter, bool deleted, size_t limit, StoreRows *out, Error *err);
void store_rows_release(StoreRows *rows);

typedef struct {
    int64_t conversation_id, message_id;
    char uid[33];
    char *title;
    Role role;
    char *snippet;       /* part of the message around the first hit, one line */
    size_t hit, hit_len; /* bytes of the hit within snippet */
    int64_t created_ms;
} StoreHit;

typedef struct {
    StoreHit *hit;
    size_t n;
} StoreHits;

/* Full text, newest first: each white-space separated word of the query must occur (folded).
 * limit 0: all. */
bool store_search(Store *store, Str query, size_t limit, StoreHits *out, Error *err);
void store_hits_release(StoreHits *hits);

/* A row id, a unique prefix (>= 4) of a uid, or a title (or a part of it that is in no other) to
 * an id. ERR_NOT_FOUND; ERR_USAGE when ambiguous. */
bool store_resolve(Store *store, Str text, int64_t *id, Error *err);
int64_t store_newest(Store *store); /* 0: none */
/* True when another program changed the file since the last call (PRAGMA data_version). */
bool store_changed(Store *store);
/* The number behind store_changed, for those who keep their own: equal while nobody else writes. */
int64_t store_version(Store *store);

/* Input history (the newest `limit`, 0 for all, oldest first) and small named values (last
 * model, …). */
bool store_history_add(Store *store, Str text, Error *err);
bool store_history(Store *store, size_t limit, void (*each)(void *arg, Str text), void *arg,
                   Error *err);
bool store_set(Store *store, const char *name, Str value, Error *err);
bool store_get(Store *store, const char *name, Buf *out); /* false: not set */

/* Version of sqlite; static. */
const char *store_library_version(void);

#endif
