/* A stack of snapshots: texts are small, and a snapshot cannot go wrong as an edit script can. */
#include "config.h"

#include "ui/undo.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"

enum { MAX_STEPS = 400, MAX_BYTES = 4 << 20, TYPED_AS_ONE = 20 };

static void drop_oldest(Undo *undo)
{
    undo->bytes -= undo->step[0].len;
    free(undo->step[0].text);
    memmove(undo->step, undo->step + 1, --undo->n * sizeof *undo->step);
}

void undo_reset(Undo *undo)
{
    while (undo->n > 0)
        drop_oldest(undo);
    undo->typed_run = 0;
}

void undo_release(Undo *undo)
{
    undo_reset(undo);
    free(undo->step);
    *undo = (Undo)UNDO_INIT;
}

UndoStep undo_step(Str text, size_t cursor)
{
    return (UndoStep){ xstrndup(text.len ? text.data : "", text.len), text.len, cursor };
}

void undo_note(Undo *undo, UndoStep before, Str after, bool typed)
{
    if (str_eq(str_of(before.text, before.len), after)) {
        free(before.text);
        if (!typed)
            undo->typed_run = 0;
        return;
    }
    bool joins = typed && undo->typed_run > 0 && undo->typed_run < TYPED_AS_ONE && undo->n > 0;
    undo->typed_run = !typed ? 0 : joins ? undo->typed_run + 1 : 1;
    if (joins) {
        free(before.text);
        return;
    }
    undo->step = mem_grow(undo->step, &undo->cap, undo->n + 1, sizeof *undo->step);
    undo->step[undo->n++] = before;
    undo->bytes += before.len;
    while (undo->n > MAX_STEPS || (undo->n > 1 && undo->bytes > MAX_BYTES))
        drop_oldest(undo);
}

bool undo_take(Undo *undo, UndoStep *out)
{
    if (undo->n == 0)
        return false;
    *out = undo->step[--undo->n];
    undo->bytes -= out->len;
    undo->typed_run = 0;
    return true;
}
