/* Vocab: the pieces of a tokenizer by id and by spelling.  Ids may have gaps; every spelling has
 * one id. */
#ifndef ENGINE_VOCAB_H
#define ENGINE_VOCAB_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/error.h"

/* Numbers as SentencePiece and GGUF write them; 0 is an id that no piece has. */
typedef enum {
    PIECE_GAP = 0,
    PIECE_NORMAL = 1,
    PIECE_UNKNOWN = 2,
    PIECE_CONTROL = 3,
    PIECE_USER = 4,
    PIECE_UNUSED = 5,
    PIECE_BYTE = 6
} PieceType;

#define VOCAB_MAX_IDS (1 << 22)

typedef struct VocabBlock VocabBlock;

typedef struct {
    uint32_t hash;
    int32_t id;       /* -1: free */
    const char *text; /* of the piece; its length stands before it, to be in the same cache line */
} VocabSlot;

typedef struct {
    Str *pieces; /* by id; an empty Str in gaps */
    unsigned char *types;
    float *scores; /* 0 where none was given */
    int32_t n;     /* largest id + 1 */
    size_t cap;    /* of pieces, types and scores */
    VocabSlot *slots;
    uint32_t n_slots, n_used; /* n_slots: a power of two */
    size_t longest;           /* bytes of the longest piece */
    VocabBlock *blocks;       /* the pieces' bytes */
} Vocab;

void vocab_release(Vocab *vocab);
/* Copies piece.  False, with a sentence, when the id is out of range or taken, or the spelling
 * has another id. */
bool vocab_add(Vocab *vocab, Str piece, int64_t id, PieceType type, float score, Error *err);
/* As vocab_add for lists that may hold a spelling twice (GGUF): the later id wins in vocab_find. */
bool vocab_add_again(Vocab *vocab, Str piece, int64_t id, PieceType type, float score, Error *err);
/* A copy of s that lives as long as the vocabulary. */
Str vocab_keep(Vocab *vocab, Str s);
int32_t vocab_find(const Vocab *vocab, Str piece);          /* id, or -1 */
int32_t vocab_byte(const Vocab *vocab, unsigned char byte); /* id of <0xXX>, or -1 */
bool vocab_has(const Vocab *vocab, int64_t id);
Str vocab_piece(const Vocab *vocab, int32_t id);

#endif
