/* The objects behind a chat - store, provider, worker, chat - made from the options and taken down
 * again. */
#ifndef SRC_START_H
#define SRC_START_H

#include "src/command.h"

typedef struct {
    bool save;     /* the chat is kept in the store; else the store only remembers the last model */
    bool want_ids; /* ask --json */
} StartWants;

/* The model that kaiwa is made for, as Hugging Face names it. */
#define START_MODEL "dahara1/ELYZA-japanese-Llama-2-7b-fast-instruct-GPTQ"

/* On failure nothing is left open. */
bool start_begin(ChatStart *start, Options *options, const StartWants *wants, Error *err);
void start_end(ChatStart *start);
/* -c, -r or a new conversation.  What was given on the command line overrides what a conversation
 * remembers. */
bool start_choose_conversation(ChatStart *start, Error *err);
/* The path of the guide, the small model that comes with the program; appends.  False: it is not
 * installed. */
bool start_bundled(Buf *out);
/* A model that start_choose_model named is the bundled guide. */
bool start_is_bundled(const char *model);
/* The engine's path of the model that a command without a chat is to use. */
bool start_locate_model(const Options *options, Buf *path, Error *err);

#endif
