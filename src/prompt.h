/* From a request to the ids of its prompt, and which messages the model still sees.
 *
 * When prompt and reserve do not fit the context, whole oldest turns leave (never the system
 * prompt) until the prompt takes at most 60 % of it, so that the next turns can use the cache
 * again. */
#ifndef SRC_PROMPT_H
#define SRC_PROMPT_H

#include "engine/engine.h"
#include "src/provider.h"

typedef struct {
    Tokens ids;
    size_t window_from; /* index of the first message that is in it, system excepted; 0: all are */
} Prompt;

#define PROMPT_INIT                                                                                \
    {                                                                                              \
        TOKENS_INIT, 0                                                                             \
    }

/* ERR_CONTEXT, with the numbers and with ids filled, when the last turn alone is too long. */
bool prompt_build(const Engine *engine, int context, const Request *request, Prompt *out,
                  Error *err);
void prompt_release(Prompt *prompt);

#endif
