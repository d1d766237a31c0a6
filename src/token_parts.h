/* Where the time of one generated token goes, seen from outside: the backend looks around before
 * every layer. */
#ifndef SRC_TOKEN_PARTS_H
#define SRC_TOKEN_PARTS_H

#include "engine/engine.h"

/* Milliseconds, medians over the tokens. */
typedef struct {
    double layers; /* all of them */
    double head;   /* last normalisation, head, choice of the next token */
    double rest;   /* until the first layer begins */
} TokenParts;

/* Generates `tokens` after what the session holds; its logits must follow.  *known is false when
 * the backend does not look around before each of at least two layers. */
bool token_parts(Session *session, int n_layers, int tokens, const atomic_bool *cancel,
                 TokenParts *out, bool *known, Error *err);

#endif
