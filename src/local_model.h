/* The model that the local provider has open. */
#ifndef SRC_LOCAL_MODEL_H
#define SRC_LOCAL_MODEL_H

#include "engine/engine.h"
#include "src/provider.h"

/* Zero: none. */
typedef struct {
    Engine *engine;
    Session *session;
    bool fell_back; /* to the CPU, since no context did fit elsewhere: */
    Error fallback;
} LocalModel;

/* Opens what request asks for, at path.  What was opened when it fails is for local_model_close. */
bool local_model_open(LocalModel *model, const Request *request, const char *path,
                      const Progress *progress, Error *err);
void local_model_close(LocalModel *model);
/* EVENT_OPENED. */
Event *local_model_event(const LocalModel *model, const Request *request, const char *path,
                         double load_ms);

#endif
