/* What engine.c, session.c and text_stream.c know of an Engine; nobody else. */
#ifndef ENGINE_ENGINE_PARTS_H
#define ENGINE_ENGINE_PARTS_H

#include "engine/engine.h"
#include "engine/format.h"
#include "engine/model.h"
#include "engine/modelfile.h"
#include "engine/tokenizer.h"
#include "kernels/kernels.h"

struct Engine {
    ModelFile *file;
    Tokenizer *tokenizer;
    Model *model; /* NULL: a tokenizer alone */
    ChatFormat format;
    Tokens end_ids;
    const BackendOps *ops; /* NULL without weights */
    Backend *backend;
    Loaded *loaded;
    int64_t kv_budget; /* as EngineOptions */
    char backend_text[128];
    char passed_over[sizeof((Error *)0)->text]; /* see ModelInfo */
};

/* The sentence for what a backend's call came to; KS_OK is a mistake.  Always returns false. */
bool engine_fault(const Engine *engine, KStatus status, Error *err);
/* For KCall.progress and .arg. */
void engine_report(void *progress, int done, int total);
KCall engine_call(const Progress *progress);

#endif
