/* Slash commands: /new, /system, /retry …  One table for the screen, --plain, help and completion.
 * A line that starts with // is a message that starts with one slash; full-width ／ is accepted; an
 * unknown command never goes to the model. */
#ifndef SRC_SLASH_H
#define SRC_SLASH_H

#include "src/base/buf.h"
#include "src/base/error.h"
#include "src/command.h"

typedef enum { SLASH_NONE, SLASH_DONE, SLASH_QUIT, SLASH_VIEW } SlashResult;

typedef struct {
    ChatStart *start; /* chat, store, options */
    Buf *out;         /* what to show the user, translated lines */
    Buf *notice;      /* confirmations ("title changed"), translated lines; NULL: they go to out */
    Buf *view;     /* SLASH_VIEW: name of a view the screen should open ("list", "system", "help",
                      "search"); in --plain the commands print instead: plain is true */
    Buf *argument; /* SLASH_VIEW: its argument */
    Buf *draft;    /* /file: text for the input box, or to stand in front of the next message; NULL:
                      chat_set_draft */
    bool plain;
} SlashContext;

typedef struct {
    const char *name;     /* "system" */
    const char *synopsis; /* "[TEXT|show|reset]" */
    const char *help;     /* N_() */
    bool while_replying;  /* may run during a reply */
    SlashResult (*run)(SlashContext *, Str argument,
                       Error *err); /* SLASH_NONE with err set: failed */
} SlashRow;

const SlashRow *slash_table(size_t *n);
/* True when the line is a command (then *result and err tell what came of it); false: it is a
 * message, and *message is its text (with // made /). */
bool slash_run(SlashContext *context, Str line, Str *message, SlashResult *result, Error *err);
/* What of a line would be sent; empty: the line is a command.  Runs nothing. */
Str slash_plain_text(Str line);
/* Completions of a line's first word or argument: appends candidates, one a line. */
void slash_complete(const SlashContext *context, Str line, Buf *out);

#endif
