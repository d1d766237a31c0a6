/* A provider asked directly, and a record of everything that it emits. */
#ifndef TESTS_PROVIDER_RIG_H
#define TESTS_PROVIDER_RIG_H

#include "src/provider.h"

enum { MAX_EVENTS = 2000 };

/* Everything that a provider emits. */
typedef struct {
    Provider *provider;
    Event *event[MAX_EVENTS];
    size_t n;
    int polls, stop_at_poll; /* 0: never */
    const Request *plan;     /* asked for at every poll */
    atomic_bool cancel;
    EventSink sink;
    char dir[256];
} Record;

/* Records what a provider emits; the provider stays the caller's. */
void record_init(Record *r, Provider *provider);
/* A provider by its specification as a Record in *state; fails the test when there is none. */
int open_record(void **state, const char *spec);
int close_record(void **state);
void open_model(Record *r, const char *path, int context);

/* A greedy request; text NULL: without a message.  The caller frees it. */
Request *generate_request(const char *text, int max_tokens);
/* Forgets what was recorded, and records what becomes of the request. */
bool generate(Record *r, const Request *request);
void forget(Record *r);

/* The first event of a kind, and the last of all; NULL: there is none. */
Event *find(const Record *r, EventKind kind);
Event *last(const Record *r);
/* Adds the text and the ids of the reply; each piece of text must be whole characters. */
void join(const Record *r, Buf *text, Tokens *ids);

#endif
