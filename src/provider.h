/* Something that turns a request into a stream of events: the local engine, or a script for
 * tests and demonstrations.
 *
 * All calls are made on the worker thread and may block. */
#ifndef SRC_PROVIDER_H
#define SRC_PROVIDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/error.h"
#include "src/base/mailbox.h"
#include "src/base/role.h"
#include "src/base/sampling.h"
#include "src/base/tokens.h"

/* ---- requests (UI thread -> worker); whoever holds one frees it ------------------------------ */

typedef enum {
    REQUEST_OPEN,
    REQUEST_GENERATE,
    REQUEST_PLAN,
    REQUEST_CLOSE,
    REQUEST_QUIT,
    REQUEST_PREREAD /* answered by no event; gives way to every other request */
} RequestKind;

typedef struct {
    Role role;
    char *text; /* owned */
    Tokens ids; /* replies with a matching tokenizer_key; else empty */
    /* that ids belong to; NULL: none.  Ids of another tokenizer are ignored. */
    char *tokenizer_key;
} RequestMessage;

typedef struct Request {
    MailItem mail; /* first */
    RequestKind kind;
    uint64_t serial; /* copied into every event that answers it */

    /* OPEN */
    char *model;                       /* as the user names it; located by the provider */
    char *backend, *isa, *decoder, *chat_format; /* NULL: automatic */
    int threads, context;              /* 0: automatic */
    int kv_budget; /* MiB for the caches of all conversations; 0: one conversation, -1: automatic */

    /* GENERATE, PLAN, PREREAD (the last message is a draft) */
    RequestMessage *message; /* system first if any; owned */
    size_t n_messages;
    /* messages before this index (system excepted) have left the window earlier */
    size_t window_from;
    bool continue_last; /* the last message is a partial reply to go on with */
    bool raw;           /* no chat format: BOS where the model wants it, then message[0].text */
    bool use_ids;       /* prompt_ids are the prompt as they are */
    Tokens prompt_ids;
    Sampling sampling;
    int max_tokens; /* 0: until the context is full */
    char **stop;    /* stop strings; owned */
    size_t n_stop;
    bool want_ids; /* DONE carries the prompt's ids */
} Request;

Request *request_new(RequestKind kind);
void request_free(Request *request);
/* Appends a message (copies). */
RequestMessage *request_add(Request *request, Role role, Str text);

/* ---- events (worker -> UI thread) ------------------------------------------------------------ */

typedef enum {
    EVENT_OPENED,   /* the model is ready */
    EVENT_PROGRESS, /* loading or reading the prompt */
    EVENT_STARTED,  /* the prompt is being read: counts are known */
    EVENT_TEXT,     /* whole characters of the reply, and the ids so far */
    EVENT_DONE,     /* the reply ended */
    EVENT_PLAN,     /* answer to PLAN */
    EVENT_CLOSED,
    EVENT_FAILED /* OPEN, GENERATE or PLAN failed; error says why */
} EventKind;

typedef enum { DONE_EOS, DONE_STOP, DONE_LENGTH, DONE_CONTEXT, DONE_CANCELLED } DoneReason;
/* "eos", "stop", "length", "context", "cancelled" */
const char *done_reason_name(DoneReason reason);

typedef enum { PHASE_LOAD, PHASE_PREFILL } Phase;

typedef struct {
    int prompt, reused, computed, generated;
    int context; /* the session's size */
    /* DONE: conversations and branches that are kept beside this one; bytes of all caches */
    int kept;
    size_t kept_bytes;
} Usage;

typedef struct {
    /* milliseconds: loading; request to first token; reading the prompt; the rest */
    double load, first, prefill, decode;
} Timing;

/* What the screen and scripts want to know of an open model. */
typedef struct {
    char *name, *path, *quant, *backend, *chat_format, *tokenizer_key; /* owned */
    int context, n_vocab;
    char *notice; /* owned: what the user should know of how it was opened; "" or NULL: nothing */
    double load_ms;
    Sampling sampling; /* the model's own defaults */
    bool has_sampling;
} ModelSummary;

typedef struct Event {
    MailItem mail; /* first */
    EventKind kind;
    uint64_t serial;
    RequestKind answers;
    Phase phase;     /* PROGRESS */
    int done, total; /* PROGRESS */
    Buf text;        /* TEXT */
    bool thinking;   /* TEXT */
    /* TEXT: ids of this piece (also held-back ones); DONE: ids not yet sent */
    Tokens ids;
    Tokens prompt_ids; /* DONE, if asked for */
    int32_t end_id;    /* DONE: -1 none */
    DoneReason reason; /* DONE */
    /* STARTED, TEXT (generated so far), DONE; PLAN: prompt = total, computed = to be recomputed */
    Usage usage;
    Timing timing;      /* DONE; PLAN: prefill = estimated ms */
    size_t window_from; /* STARTED: first message index still in the window (0: all are) */
    ModelSummary model; /* OPENED */
    Error error;        /* FAILED */
} Event;

Event *event_new(EventKind kind);
void event_free(Event *event);

/* Where a provider puts its events, and how it lets others in while it works. */
typedef struct {
    void (*emit)(void *arg, Event *event); /* takes ownership */
    /* called between tokens and between layers: answers PLAN, sees QUIT */
    void (*poll)(void *arg);
    void *arg;
} EventSink;

/* ---- providers ------------------------------------------------------------------------------- */

typedef struct Provider Provider;
typedef struct ProviderKind {
    const char *name;
    Provider *(*open)(const char *argument, Error *err);
    void (*close)(Provider *);
    /* Each emits its own events, FAILED included, and returns false when it failed.  cancel
     * stops it early. */
    bool (*open_model)(Provider *, const Request *, const EventSink *, const atomic_bool *cancel);
    bool (*generate)(Provider *, const Request *, const EventSink *, const atomic_bool *cancel);
    bool (*plan)(Provider *, const Request *, const EventSink *);
    void (*close_model)(Provider *);
    /* Reads the part of the prompt that stays when its last message, which is still being typed,
     * grows.  Emits nothing and fails silently: generating afterwards tells.  NULL: not possible.
     */
    void (*preread)(Provider *, const Request *, const EventSink *, const atomic_bool *cancel);
} ProviderKind;

struct Provider {
    const ProviderKind *kind; /* first member of every provider */
};

/* spec: "local", or "script:FILE".  The table is in provider.c. */
Provider *provider_open(const char *spec, Error *err);
void provider_close(Provider *provider);

#endif
