/* One reply for a program without a screen: waits for the worker's events, prints the text as it
 * comes, collects the numbers.  Used by ask and the plain chat. */
#ifndef SRC_TURN_H
#define SRC_TURN_H

#include <jansson.h>

#include "src/chat.h"
#include "src/command.h"

typedef struct {
    ChatStart *start;
    bool with_chat; /* events belong to start->chat; else to a request that went straight to the
                       worker */
    bool show;      /* print the text */
    /* What came, of the last reply: */
    Buf text;
    Tokens ids, prompt_ids;
    DoneReason reason;
    Usage usage;
    Timing timing;
    double load_ms;    /* of the model that is open */
    bool pipe_closed;  /* nobody reads standard output any more */
    bool has_progress; /* a progress line stands on the terminal */
} Turn;

void turn_init(Turn *turn, ChatStart *start);
void turn_release(Turn *turn);
/* Waits until the model that was asked for is open. */
bool turn_wait_model(Turn *turn, Error *err);
/* Waits for the end of a reply that was asked for.  A signal or a closed pipe stops it: reason is
 * DONE_CANCELLED then. False: it failed. */
bool turn_wait_reply(Turn *turn, Error *err);
/* {"usage":{…},"ms":{…}} put into object. */
void turn_put_stats(const Turn *turn, json_t *object);
/* The line of --stats on standard error. */
void turn_print_stats(const Turn *turn);
/* Why a reply that is over is not whole, as a sentence for standard error; false: it is. */
bool turn_complaint(const Turn *turn, Error *err);

#endif
