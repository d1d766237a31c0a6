/* One chat in progress: a conversation, its store and the worker, tied together.  The screen,
 * --plain and ask all drive this object; it draws and prints nothing.
 *
 * UI thread only.  Functions that start a reply return at once; what happens comes through
 * chat_event. */
#ifndef SRC_CHAT_H
#define SRC_CHAT_H

#include "src/conversation.h"
#include "src/provider.h"
#include "src/store.h"
#include "src/worker.h"

typedef struct Chat Chat;

typedef enum { CHAT_IDLE, CHAT_LOADING, CHAT_READING, CHAT_REPLYING } ChatState;

/* What chat_event and chat_tick changed. */
typedef enum {
    CHAT_CHANGED_NOTHING = 0,
    CHAT_CHANGED_STATE = 1,
    CHAT_CHANGED_TEXT = 2, /* the last message grew */
    CHAT_CHANGED_PATH = 4, /* other messages than before are shown */
    CHAT_CHANGED_MODEL = 8,
    CHAT_CHANGED_PLAN = 16,
    CHAT_CHANGED_ERROR = 32, /* chat_error has news */
    CHAT_ENDED = 64          /* a reply ended, well or badly */
} ChatChange;

typedef struct {
    ChatState state;
    Usage usage;       /* of the running or last reply */
    Timing timing;     /* of the last reply */
    DoneReason reason; /* of the last reply */
    int progress_done, progress_total;
    /* Over the last second while replying; the mean of the last reply when idle. */
    double tokens_per_second;
    int context_used, context_size;
    /* Path index (system not counted) of the first message that the model still sees. */
    size_t window_from;
    const ModelSummary *model; /* NULL: none open */
    Usage plan;                /* of the last chat_plan that was answered */
    double plan_ms;
    bool plan_valid;
} ChatStatus;

typedef struct {
    Store *store;      /* borrowed; NULL: nothing is saved */
    Worker *worker;    /* borrowed */
    char *const *stop; /* --stop; borrowed */
    size_t n_stop;
    bool want_ids; /* ask --json */
} ChatOptions;

Chat *chat_new(const ChatOptions *options);
void chat_free(Chat *chat); /* saves what is unsaved */

const Conversation *chat_conversation(const Chat *chat);
const ChatStatus *chat_status(const Chat *chat);
/* Of the last thing that failed; kind ERR_NONE: nothing. */
const Error *chat_error(const Chat *chat);

/* The model.  Fields of request as in REQUEST_OPEN; the strings are copied. */
void chat_open_model(Chat *chat, const Request *open);

/* Conversations.  All stop a running reply first and keep what came. */
void chat_new_conversation(Chat *chat);
bool chat_open_conversation(Chat *chat, int64_t id, Error *err);
bool chat_rename(Chat *chat, Str title, Error *err);
bool chat_fork(Chat *chat, int64_t up_to_message, Error *err); /* and opens the copy */

/* Turns.  False with ERR_USAGE when it cannot be done now (a reply is running, no model, nothing
 * to repeat). */
bool chat_send(Chat *chat, Str text, Error *err);
void chat_stop(Chat *chat);
bool chat_regenerate(Chat *chat, Error *err); /* the last reply, as a sibling */
bool chat_continue(Chat *chat, Error *err);   /* a reply that was stopped or ran out */
/* A user message anew: as a sibling, followed by a fresh reply. */
bool chat_edit(Chat *chat, int64_t message, Str text, Error *err);
bool chat_undo(Chat *chat, int pairs, Error *err); /* steps the leaf back; nothing is deleted */
bool chat_redo(Chat *chat, Error *err);            /* shows again what undo took from view */
/* As conversation_switch.  False with err untouched: there is no further version. */
bool chat_switch(Chat *chat, int64_t message, int step, Error *err);
bool chat_exclude(Chat *chat, int64_t message, bool excluded, Error *err);

/* Settings of the conversation; saved at once if it is stored, else with its first message. */
bool chat_set_system(Chat *chat, Str text, Error *err);
bool chat_set_sampling(Chat *chat, const Sampling *sampling, Error *err);
bool chat_set_max_tokens(Chat *chat, int max_tokens, Error *err);
bool chat_set_draft(Chat *chat, Str text, Error *err);
bool chat_set_pinned(Chat *chat, bool pinned, Error *err);

/* Asks what the prompt would cost with another system prompt (NULL: the present one) and a draft
 * (may be empty). */
void chat_plan(Chat *chat, const char *system, Str draft);

/* What is in the input box now, every time that it may have changed; empty where it is not to be
 * read ahead.  When it has stayed the same for 300 ms and nothing runs, the model reads the prompt
 * up to there, so that sending it has less to compute. */
void chat_draft_changed(Chat *chat, Str draft);

/* Events, with the prompt's ids for ask --json.  Does not free the event. */
unsigned chat_event(Chat *chat, const Event *event);
/* Once in a while (deadline in chat_deadline_ms, -1: none): autosave, reading ahead. */
unsigned chat_tick(Chat *chat);
int chat_deadline_ms(const Chat *chat);
/* Ends a running reply, keeps what came, and writes everything unsaved: the program is about to
 * end. */
void chat_save_now(Chat *chat);
/* Ids of the last prompt (want_ids); those of the last reply are in its message.  Borrowed. */
const Tokens *chat_prompt_ids(const Chat *chat);

#endif
