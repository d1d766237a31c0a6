/* Decoders: a list of pieces back to text.  A list of steps, as tokenizer.json's Sequence. */
#ifndef ENGINE_DECODE_H
#define ENGINE_DECODE_H

#include <stdbool.h>

#include "engine/pretokenize.h"
#include "src/base/buf.h"

typedef enum {
    DECODE_REPLACE,       /* from by content, in every piece */
    DECODE_BYTE_FALLBACK, /* runs of <0xXX> to the bytes; if they are not UTF-8, U+FFFD for each */
    DECODE_FUSE,          /* all pieces become one */
    DECODE_STRIP, /* up to `start` times content off the front of every piece, `stop` off its end */
    DECODE_BYTE_LEVEL, /* GPT-2's characters to bytes; what is not UTF-8 becomes U+FFFD */
    DECODE_METASPACE,  /* from to spaces; dropped in the first piece where `prefix` */
    DECODE_SPACES      /* a space between pieces */
} DecodeKind;

typedef struct {
    DecodeKind kind;
    char *from, *content; /* UTF-8 */
    size_t start, stop;
    bool prefix;
} DecodeStep;

typedef struct {
    DecodeStep *items;
    size_t n, cap;
} DecodeSteps;

void decode_steps_release(DecodeSteps *steps);
DecodeStep *decode_steps_push(DecodeSteps *steps, DecodeKind kind, const char *from,
                              const char *content);
bool decode_has(const DecodeSteps *steps, DecodeKind kind);
bool decode_strips_first_space(const DecodeSteps *steps);

/* pieces in, text out; uses pieces and spare up. */
void decode_pieces(const DecodeSteps *steps, Pieces *pieces, Pieces *spare, Buf *out);
/* The bytes of one piece amid others: no stripping, invalid UTF-8 as it is. */
void decode_one(const DecodeSteps *steps, Str piece, Buf *out);
/* The byte that a piece of the form <0xXX> stands for, or -1. */
int byte_piece(Str piece);

#endif
