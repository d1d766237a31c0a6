/* Pre-tokenizers: a text is cut into the pieces inside which merging happens.  A list of steps,
 * as tokenizer.json's. */
#ifndef ENGINE_PRETOKENIZE_H
#define ENGINE_PRETOKENIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/split.h"
#include "src/base/buf.h"
#include "src/base/error.h"

typedef enum {
    PRE_SPLIT,        /* at a pattern */
    PRE_PREFIX_SPACE, /* a space before every piece that does not begin with one */
    PRE_BYTES,        /* GPT-2's printable characters for bytes */
    PRE_METASPACE     /* ▁ for spaces, and before the piece as the scheme says */
} PreKind;

typedef enum {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_WITH_PREVIOUS,
    SPLIT_WITH_NEXT,
    SPLIT_CONTIGUOUS
} SplitBehavior;
typedef enum { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER } PrependScheme;

typedef struct {
    PreKind kind;
    Pattern pattern;
    SplitBehavior behavior;
    bool invert; /* the pattern is what stays, the rest the delimiter */
    PrependScheme scheme;
    char *mark; /* Metaspace's replacement, UTF-8 */
} PreStep;

typedef struct {
    PreStep *items;
    size_t n, cap;
} PreSteps;

typedef struct {
    size_t start, end;
} Piece;

/* A text and the pieces that it is cut into; none is empty. */
typedef struct {
    Buf text;
    Piece *items;
    size_t n, cap;
} Pieces;

void pre_steps_release(PreSteps *steps);
PreStep *pre_steps_push(PreSteps *steps, PreKind kind);

void pieces_release(Pieces *pieces);
void pieces_reset(Pieces *pieces);
void pieces_push(Pieces *pieces, size_t start, size_t end); /* empty ones are left out */
/* Runs all steps over pieces in place; at_start: the first piece begins the whole input. */
bool pretokenize(const PreSteps *steps, bool at_start, Pieces *pieces, Pieces *spare, Error *err);

/* Byte-level BPE: the character that stands for a byte, appended; and back: the byte, or -1. */
void byte_level_put(unsigned char byte, Buf *out);
int byte_level_byte(unsigned cp);

#endif
