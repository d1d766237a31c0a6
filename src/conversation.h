/* Messages and conversations in memory: pure data, no I/O.  A conversation is a tree:
 * regenerating a reply or editing a message makes a sibling; the path from a root to `leaf` is
 * what is shown and sent.
 * UI thread only. */
#ifndef SRC_CONVERSATION_H
#define SRC_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/role.h"
#include "src/base/sampling.h"
#include "src/base/tokens.h"

typedef enum {
    MESSAGE_COMPLETE,
    MESSAGE_STREAMING,
    MESSAGE_STOPPED, /* by the user, or found half written */
    MESSAGE_LENGTH,  /* max-tokens */
    MESSAGE_CONTEXT, /* the context is full; can be continued after turns have left */
    MESSAGE_FAILED
} MessageStatus;

const char *message_status_name(MessageStatus status); /* as stored: "complete", "streaming", … */
bool message_status_parse(Str name, MessageStatus *out);

typedef struct Message {
    int64_t id;             /* store's row; > 0 always: given when the message is added */
    int64_t parent_id;      /* 0: first message */
    int64_t selected_child; /* last shown child; 0 none */
    Role role;              /* ROLE_USER or ROLE_ASSISTANT */
    MessageStatus status;
    bool excluded;       /* not sent to the model */
    Buf text, thinking;  /* UTF-8, exactly as typed or generated */
    char *system;        /* replies: the system prompt they were made under; NULL: none */
    char *model;         /* replies: model's name; NULL unknown */
    Sampling sampling;   /* replies */
    Tokens ids;          /* replies: generated ids, the end token included if one came */
    char *tokenizer_key; /* that ids belong to; NULL: no ids */
    int32_t end_id;      /* -1: none */
    int n_reused, n_computed;
    int64_t first_ms, total_ms;
    int64_t created_ms, updated_ms;
} Message;

typedef enum { TITLE_NONE, TITLE_FIRST_WORDS, TITLE_USER, TITLE_MODEL } TitleBy;

typedef struct Conversation {
    int64_t id;   /* 0: not yet in the store */
    char uid[33]; /* random, lower-case hexadecimal; "" before it is stored */
    char *title;  /* NULL: none yet */
    TitleBy title_by;
    Buf system; /* current system prompt; empty: none */
    Sampling sampling;
    int max_tokens; /* 0: until the context is full */
    char *format;   /* override of the chat format; NULL */
    char *model;    /* name of the model last used; NULL */
    bool pinned;
    Buf draft; /* typed but not sent */
    int64_t created_ms, updated_ms, deleted_ms;
    Message **message; /* all of the tree, by id ascending */
    size_t n_messages, cap;
    int64_t leaf; /* id of the last message of the path; 0: empty */
} Conversation;

Conversation *conversation_new(void);
void conversation_free(Conversation *conversation);
Message *message_new(Role role);
void message_free(Message *message);
Message *message_copy(const Message *message); /* ids and links as they are */

Message *conversation_find(const Conversation *conversation, int64_t id); /* NULL if absent */
/* Takes ownership.  message->id and parent_id are set. */
void conversation_add(Conversation *conversation, Message *message);
/* The path root..leaf.  Fills up to cap pointers (borrowed) and returns its length; call with
 * cap 0 for the length. */
size_t conversation_path(const Conversation *conversation, Message **out, size_t cap);
Message *conversation_last(const Conversation *conversation); /* at the leaf; NULL when empty */
/* Siblings of a message (equal parent and role), in order of id; *index gets its place. */
size_t conversation_siblings(const Conversation *conversation, const Message *message,
                             Message **out, size_t cap, size_t *index);
/* Shows the step-th next (+) or previous (-) version of a message: follows selected_child down to a
 * leaf.  False at the end.  Step 0 shows the message itself with what came after it. */
bool conversation_switch(Conversation *conversation, const Message *message, int step);
/* Shows a message of this conversation: its parent selects it, and the leaf becomes the last
 * message that was shown below it. */
void conversation_show(Conversation *conversation, const Message *message);
/* A copy of the path up to a message (0: all of it) that is not in the store; its messages are
 * numbered from 1.  Sampling, system prompt, title, format and model come along; pin and draft
 * do not. */
Conversation *conversation_fork(const Conversation *conversation, int64_t up_to);
/* A title out of the first user message, cut at `cols` columns; appends. */
void conversation_make_title(const Conversation *conversation, int cols, Buf *out);

#endif
