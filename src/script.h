/* The files that provider_script plays; the format stands in provider_script.h. */
#ifndef SRC_SCRIPT_H
#define SRC_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/error.h"

typedef enum {
    STEP_OPEN,
    STEP_REPLY,
    STEP_WINDOW,
    STEP_USAGE,
    STEP_TIMING,
    STEP_PROGRESS,
    STEP_WAIT,
    STEP_TEXT,
    STEP_THINKING,
    STEP_STREAM,
    STEP_DONE,
    STEP_FAIL
} StepKind;

typedef struct {
    StepKind kind;
    int number[3];
    Buf text;
} ScriptStep;

typedef struct {
    ScriptStep *step;
    size_t n, cap;
} Script;

/* At least one step is STEP_REPLY.  Errors name the line. */
bool script_read(Script *script, const char *path, Error *err);
void script_release(Script *script);
/* Cuts the next word off *rest. */
Str script_word(Str *rest);

#endif
