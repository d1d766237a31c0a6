/* A chat for tests: a real worker and a real store around a provider that the test plays. */
#ifndef TESTS_CHAT_RIG_H
#define TESTS_CHAT_RIG_H

#include <pthread.h>

#include "src/chat.h"

typedef enum { CUE_TEXT, CUE_THINKING, CUE_HELD, CUE_END, CUE_FAIL } CueKind;

typedef struct {
    CueKind kind;
    const char *text; /* CUE_FAIL: the error */
    int32_t id;
    DoneReason reason;
    ErrorKind error;
} Cue;

typedef struct {
    Provider base; /* first */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    Cue cue[64]; /* guarded by lock, as all below */
    size_t n_cues, next;
    bool open_fails, open_waits;
    size_t window_from;
    const char *key;
    Buf asked; /* the last request in words */
    Sampling sampling;
    size_t n_ids; /* of the last reply in the request */
} Puppet;

typedef struct {
    Puppet *puppet;
    Worker *worker;
    Store *store;
    Chat *chat;
    unsigned changes; /* all that happened since the last look */
    char path[64];
    int64_t now_us;
} Stage;

/* Around each test: *state is its Stage, with a model open and the clock standing still. */
int set_up(void **state);
int set_up_private(void **state); /* without a store */
int tear_down(void **state);

/* A new chat on the same stage; chat_free the old one first. */
void open_chat(Stage *s);
/* Asks for a model; the second waits until it is there or has failed. */
void ask_model(Stage *s, const char *name);
void open_model(Stage *s, const char *name);

/* Takes one event of the worker, if there is one. */
bool has_news(Stage *s);
/* Until all of `changes` has been seen. */
void wait_for(Stage *s, unsigned changes);

/* What the puppet does next; all but the first wait until the chat has seen it. */
void cue(Stage *s, Cue next);
void give_text(Stage *s, const char *text, int32_t id);
void give_end(Stage *s, DoneReason reason);
void give_reply(Stage *s, const char *text);
/* The last request in words; only while the puppet waits or has ended. */
const char *asked(Stage *s);

void send_text(Stage *s, const char *text);
/* The last message of the path, as "a:text/status". */
void last_is(Stage *s, const char *expected);
/* The last message as the store has it. */
void stored_last_is(Stage *s, const char *text, MessageStatus status);
/* It was not done, and err says why; err is then as new. */
void refused(bool done, Error *err);

#endif
