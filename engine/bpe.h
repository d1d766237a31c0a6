/* Byte-pair encoding of one piece of text in O(n log n): a heap with lazy deletion over a linked
 * list.
 *
 * Two rules of merging:
 * - ranks (tokenizer.json, GPT-2, GGUF merges): pairs of ids in a table, lowest rank first, then
 *   leftmost.  As Hugging Face tokenizers, models/bpe: characters without a token become byte
 *   tokens or the unknown token before merging.
 * - scores (SentencePiece): neighbours whose joined text is a piece, highest score first, then
 *   leftmost.  As sentencepiece, bpe_model.cc: what is left over becomes byte tokens or the
 *   unknown token after merging. */
#ifndef ENGINE_BPE_H
#define ENGINE_BPE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/vocab.h"
#include "src/base/buf.h"
#include "src/base/tokens.h"

typedef struct {
    uint64_t pair; /* left id << 32 | right id; UINT64_MAX: free */
    uint32_t rank;
    int32_t id; /* of the joined piece */
} Merge;

typedef struct {
    const Vocab *vocab;
    bool by_score;
    bool byte_fallback, fuse_unknown, ignore_merges;
    bool has_unused; /* some piece has type PIECE_UNUSED */
    int32_t unknown; /* -1: characters without a token vanish */
    Merge *merges;
    uint32_t n_slots, n_merges; /* n_slots: a power of two */
    int32_t chars[512]; /* ids of the characters below U+0200, or -1: all of byte-level text */
    int32_t bytes[256]; /* ids of byte tokens, or -1 */
} Bpe;

/* Working memory, reused from piece to piece.  Zeroed at first; one a thread. */
typedef struct {
    struct BpeSymbol *symbols;
    size_t symbols_cap;
    struct BpeCandidate *heap;
    size_t heap_n, heap_cap;
    uint32_t *split_at; /* by id: where the two halves of an unused piece meet */
} BpeScratch;

void bpe_release(Bpe *bpe);
/* Room for n merges, so that the table need not grow. */
void bpe_reserve(Bpe *bpe, size_t n);
/* The merge of two pieces by their ids.  A pair that is there already gets the new rank. */
void bpe_add_merge(Bpe *bpe, int32_t left, int32_t right, uint32_t rank, int32_t id);
/* The same by spelling; false when left, right or the joined piece is not in the vocabulary
 * (nothing is added). */
bool bpe_add_merge_text(Bpe *bpe, Str left, Str right, uint32_t rank);
/* Call when vocabulary and merges are complete. */
void bpe_finish(Bpe *bpe);
/* piece: valid UTF-8, below 1 GiB. */
void bpe_encode(const Bpe *bpe, BpeScratch *scratch, Str piece, Tokens *out);
void bpe_scratch_release(BpeScratch *scratch);

#endif
