/* Pieces by id and by spelling: arrays by id, one hash table, and blocks of memory that hold the
 * bytes. Opening a tokenizer adds hundreds of thousands of pieces and encoding looks up
 * millions, so nothing here allocates for each piece. */
#include "config.h"

#include "engine/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"

enum { BLOCK_SIZE = 1 << 18, FIRST_SLOTS = 1 << 10 };

struct VocabBlock {
    VocabBlock *next;
    size_t used, size;
    char bytes[];
};

void vocab_release(Vocab *vocab)
{
    while (vocab->blocks) {
        VocabBlock *next = vocab->blocks->next;
        free(vocab->blocks);
        vocab->blocks = next;
    }
    free(vocab->pieces);
    free(vocab->types);
    free(vocab->scores);
    free(vocab->slots);
    *vocab = (Vocab){ 0 };
}

static uint32_t hash_bytes(Str s)
{
    const uint64_t k = 0x9E3779B97F4A7C15u;
    uint64_t h = s.len * k, word;
    const char *p = s.data;
    size_t left = s.len;
    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * k;
        h ^= h >> 32;
    }
    word = 0;
    if (left)
        memcpy(&word, p, left);
    h = (h ^ word) * k;
    h ^= h >> 29;
    h *= k;
    return (uint32_t)(h >> 32);
}

/* The bytes of s after their length and before a NUL. */
Str vocab_keep(Vocab *vocab, Str s)
{
    VocabBlock *block = vocab->blocks;
    uint32_t len = (uint32_t)s.len;
    size_t need = sizeof(len) + s.len + 1;
    if (!block || block->size - block->used < need) {
        size_t size = need > BLOCK_SIZE ? need : BLOCK_SIZE;
        block = xmalloc(sizeof(*block) + size);
        *block = (VocabBlock){ .next = vocab->blocks, .size = size };
        vocab->blocks = block;
    }
    char *at = block->bytes + block->used;
    memcpy(at, &len, sizeof(len));
    at += sizeof(len);
    if (s.len)
        memcpy(at, s.data, s.len);
    at[s.len] = '\0';
    block->used += need;
    return str_of(at, s.len);
}

static bool slot_holds(const VocabSlot *slot, Str piece, uint32_t hash)
{
    uint32_t len;
    if (slot->hash != hash)
        return false;
    memcpy(&len, slot->text - sizeof(len), sizeof(len));
    return len == piece.len && (len == 0 || memcmp(slot->text, piece.data, len) == 0);
}

/* The slot that holds the spelling, or the free one where it belongs. */
static VocabSlot *find_slot(const Vocab *vocab, Str piece, uint32_t hash)
{
    uint32_t mask = vocab->n_slots - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        VocabSlot *slot = &vocab->slots[i];
        if (slot->id < 0)
            return slot;
        if (slot_holds(slot, piece, hash))
            return slot;
    }
}

static void grow_slots(Vocab *vocab)
{
    VocabSlot *old = vocab->slots;
    uint32_t n_old = vocab->n_slots;
    vocab->n_slots = n_old ? n_old * 2 : FIRST_SLOTS;
    vocab->slots = xreallocarray(NULL, vocab->n_slots, sizeof(*vocab->slots));
    for (uint32_t i = 0; i < vocab->n_slots; i++)
        vocab->slots[i] = (VocabSlot){ 0, -1, NULL };
    uint32_t mask = vocab->n_slots - 1;
    for (uint32_t i = 0; i < n_old; i++) {
        if (old[i].id < 0)
            continue;
        uint32_t at = old[i].hash & mask;
        while (vocab->slots[at].id >= 0)
            at = (at + 1) & mask;
        vocab->slots[at] = old[i];
    }
    free(old);
}

static void grow_ids(Vocab *vocab, size_t want)
{
    if (want <= vocab->cap)
        return;
    size_t cap = vocab->cap ? vocab->cap : 1024;
    while (cap < want)
        cap *= 2;
    vocab->pieces = xreallocarray(vocab->pieces, cap, sizeof(*vocab->pieces));
    vocab->types = xreallocarray(vocab->types, cap, sizeof(*vocab->types));
    vocab->scores = xreallocarray(vocab->scores, cap, sizeof(*vocab->scores));
    for (size_t i = vocab->cap; i < cap; i++) {
        vocab->pieces[i] = STR_NULL;
        vocab->types[i] = PIECE_GAP;
        vocab->scores[i] = 0;
    }
    vocab->cap = cap;
}

static bool add(Vocab *vocab, Str piece, int64_t id, PieceType type, float score, bool again,
                Error *err)
{
    if (id < 0 || id >= VOCAB_MAX_IDS)
        return error_set(err, ERR_FORMAT, _("token \"%.*s\" has id %lld, outside 0 to %d"),
                         (int)(piece.len > 80 ? 80 : piece.len), piece.len ? piece.data : "",
                         (long long)id, VOCAB_MAX_IDS - 1);
    if (id < vocab->n && vocab->types[id] != PIECE_GAP)
        return error_set(err, ERR_FORMAT, _("two tokens have id %lld"), (long long)id);
    if ((uint64_t)vocab->n_used * 2 >= vocab->n_slots)
        grow_slots(vocab);
    uint32_t hash = hash_bytes(piece);
    VocabSlot *slot = find_slot(vocab, piece, hash);
    if (slot->id >= 0 && !again)
        return error_set(err, ERR_FORMAT, _("token \"%.*s\" has two ids, %d and %lld"),
                         (int)(piece.len > 80 ? 80 : piece.len), piece.len ? piece.data : "",
                         slot->id, (long long)id);
    grow_ids(vocab, (size_t)id + 1);
    if (slot->id < 0)
        vocab->n_used++;
    vocab->pieces[id] = vocab_keep(vocab, piece);
    vocab->types[id] = (unsigned char)type;
    vocab->scores[id] = score;
    if (id >= vocab->n)
        vocab->n = (int32_t)id + 1;
    if (piece.len > vocab->longest)
        vocab->longest = piece.len;
    *slot = (VocabSlot){ hash, (int32_t)id, vocab->pieces[id].data };
    return true;
}

bool vocab_add(Vocab *vocab, Str piece, int64_t id, PieceType type, float score, Error *err)
{
    return add(vocab, piece, id, type, score, false, err);
}

bool vocab_add_again(Vocab *vocab, Str piece, int64_t id, PieceType type, float score, Error *err)
{
    return add(vocab, piece, id, type, score, true, err);
}

int32_t vocab_find(const Vocab *vocab, Str piece)
{
    if (!vocab->n_slots || piece.len > vocab->longest || !piece.data)
        return -1;
    return find_slot(vocab, piece, hash_bytes(piece))->id;
}

int32_t vocab_byte(const Vocab *vocab, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";
    const char piece[6] = { '<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>' };
    return vocab_find(vocab, str_of(piece, sizeof(piece)));
}

bool vocab_has(const Vocab *vocab, int64_t id)
{
    return id >= 0 && id < vocab->n && vocab->types[id] != PIECE_GAP;
}

Str vocab_piece(const Vocab *vocab, int32_t id)
{
    return vocab_has(vocab, id) ? vocab->pieces[id] : STR_NULL;
}
