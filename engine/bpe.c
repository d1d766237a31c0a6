/* Merging: symbols are a doubly linked list in an array, possible merges a heap.  A merge
 * leaves old candidates of its neighbours in the heap; they are known as stale when they come
 * up, so each merge costs at most two pushes. */
#include "config.h"

#include "engine/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"
#include "src/base/utf8.h"

struct BpeSymbol {
    int32_t id; /* by rank: its token */
    uint32_t start,
        len; /* in the piece; by rank only len is used, as a mark: 0 is a merged symbol */
    int32_t prev, next; /* -1: none */
};

struct BpeCandidate {
    uint64_t order; /* smaller comes first: rank or inverted score, then position */
    uint32_t check; /* stale unless it still holds: the joined id (ranks) or length (scores) */
};

typedef struct BpeSymbol Symbol;
typedef struct BpeCandidate Candidate;

/* ---- the table of merges ---- */

void bpe_release(Bpe *bpe)
{
    free(bpe->merges);
    bpe->merges = NULL;
    bpe->n_slots = bpe->n_merges = 0;
}

static uint32_t pair_hash(uint64_t pair)
{
    pair ^= pair >> 29;
    pair *= 0x9E3779B97F4A7C15u;
    return (uint32_t)(pair >> 32);
}

static Merge *merge_slot(const Bpe *bpe, uint64_t pair)
{
    uint32_t mask = bpe->n_slots - 1, i = pair_hash(pair) & mask;
    while (bpe->merges[i].pair != UINT64_MAX && bpe->merges[i].pair != pair)
        i = (i + 1) & mask;
    return &bpe->merges[i];
}

static void resize_merges(Bpe *bpe, uint32_t n_slots)
{
    Merge *old = bpe->merges;
    uint32_t n_old = bpe->n_slots;
    bpe->n_slots = n_slots;
    bpe->merges = xreallocarray(NULL, bpe->n_slots, sizeof(*bpe->merges));
    for (uint32_t i = 0; i < bpe->n_slots; i++)
        bpe->merges[i].pair = UINT64_MAX;
    for (uint32_t i = 0; i < n_old; i++)
        if (old[i].pair != UINT64_MAX)
            *merge_slot(bpe, old[i].pair) = old[i];
    free(old);
}

void bpe_reserve(Bpe *bpe, size_t n)
{
    uint32_t n_slots = 1024;
    while (n_slots / 2 < n && n_slots < 1u << 24)
        n_slots *= 2;
    if (n_slots > bpe->n_slots)
        resize_merges(bpe, n_slots);
}

static uint64_t pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

void bpe_add_merge(Bpe *bpe, int32_t left, int32_t right, uint32_t rank, int32_t id)
{
    if ((uint64_t)bpe->n_merges * 2 >= bpe->n_slots)
        resize_merges(bpe, bpe->n_slots ? bpe->n_slots * 2 : 1024);
    uint64_t pair = pair_of(left, right);
    Merge *slot = merge_slot(bpe, pair);
    if (slot->pair == UINT64_MAX)
        bpe->n_merges++;
    *slot = (Merge){ pair, rank, id };
}

bool bpe_add_merge_text(Bpe *bpe, Str left, Str right, uint32_t rank)
{
    char small[256];
    size_t len = left.len + right.len;
    if (!left.len || !right.len || len > bpe->vocab->longest)
        return false;
    int32_t a = vocab_find(bpe->vocab, left), b = vocab_find(bpe->vocab, right);
    if (a < 0 || b < 0)
        return false;
    char *joined = len <= sizeof(small) ? small : xmalloc(len);
    memcpy(joined, left.data, left.len);
    memcpy(joined + left.len, right.data, right.len);
    int32_t id = vocab_find(bpe->vocab, str_of(joined, len));
    if (joined != small)
        free(joined);
    if (id < 0)
        return false;
    bpe_add_merge(bpe, a, b, rank, id);
    return true;
}

void bpe_finish(Bpe *bpe)
{
    for (int i = 0; i < 256; i++)
        bpe->bytes[i] = vocab_byte(bpe->vocab, (unsigned char)i);
    for (unsigned i = 0; i < ARRAY_LEN(bpe->chars); i++) {
        char text[4];
        bpe->chars[i] = vocab_find(bpe->vocab, str_of(text, utf8_encode(i, text)));
    }
    bpe->has_unused = false;
    for (int32_t i = 0; i < bpe->vocab->n; i++)
        bpe->has_unused |= bpe->vocab->types[i] == PIECE_UNUSED;
}

/* ---- the heap ---- */

/* Four children a node: half the depth of a binary heap, and siblings share a cache line. */
enum { HEAP_WAYS = 4 };

void bpe_scratch_release(BpeScratch *scratch)
{
    free(scratch->symbols);
    free(scratch->heap);
    free(scratch->split_at);
    *scratch = (BpeScratch){ 0 };
}

static void heap_push(BpeScratch *s, Candidate c)
{
    if (s->heap_n == s->heap_cap)
        s->heap = mem_grow(s->heap, &s->heap_cap, s->heap_n + 1, sizeof(*s->heap));
    size_t i = s->heap_n++;
    while (i > 0 && s->heap[(i - 1) / HEAP_WAYS].order > c.order) {
        s->heap[i] = s->heap[(i - 1) / HEAP_WAYS];
        i = (i - 1) / HEAP_WAYS;
    }
    s->heap[i] = c;
}

static void heap_sift(Candidate *heap, size_t n, size_t i, Candidate c)
{
    for (;;) {
        size_t first = HEAP_WAYS * i + 1, child = first;
        if (first >= n)
            break;
        for (size_t k = first + 1; k < first + HEAP_WAYS && k < n; k++)
            child = heap[k].order < heap[child].order ? k : child;
        if (heap[child].order >= c.order)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = c;
}

static Candidate heap_pop(BpeScratch *s)
{
    Candidate top = s->heap[0], last = s->heap[--s->heap_n];
    if (s->heap_n)
        heap_sift(s->heap, s->heap_n, 0, last);
    return top;
}

/* ---- symbols ---- */

static void add_symbol(BpeScratch *s, size_t *n, int32_t id, uint32_t start, uint32_t len)
{
    if (*n == s->symbols_cap)
        s->symbols = mem_grow(s->symbols, &s->symbols_cap, *n + 1, sizeof(*s->symbols));
    int32_t at = (int32_t)*n;
    s->symbols[at] = (Symbol){ id, start, len, at - 1, at + 1 };
    ++*n;
}

static uint32_t char_len(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* Byte tokens of a character; false, with nothing added, when one of them is missing. */
static bool add_bytes(const Bpe *bpe, BpeScratch *s, size_t *n, Str c)
{
    if (!bpe->byte_fallback)
        return false;
    for (size_t i = 0; i < c.len; i++)
        if (bpe->bytes[(unsigned char)c.data[i]] < 0)
            return false;
    for (size_t i = 0; i < c.len; i++)
        add_symbol(s, n, bpe->bytes[(unsigned char)c.data[i]], 0, 1);
    return true;
}

static int32_t char_id(const Bpe *bpe, Str c)
{
    unsigned char lead = (unsigned char)c.data[0];
    if (c.len == 1 && lead < 0x80)
        return bpe->chars[lead];
    if (c.len == 2 && lead < 0xC8)
        return bpe->chars[(lead & 0x1F) << 6 | (c.data[1] & 0x3F)];
    return vocab_find(bpe->vocab, c);
}

/* Characters to ids, as Hugging Face's merge_word, which lets byte tokens overtake a pending
 * unknown token. */
static size_t symbols_by_rank(const Bpe *bpe, BpeScratch *s, Str piece)
{
    size_t n = 0;
    bool pending = false;
    for (size_t at = 0; at < piece.len;) {
        Str c = str_sub(piece, at, char_len((unsigned char)piece.data[at]));
        at += c.len;
        int32_t id = char_id(bpe, c);
        if (id >= 0) {
            if (pending)
                add_symbol(s, &n, bpe->unknown, 0, 1);
            pending = false;
            add_symbol(s, &n, id, 0, 1);
        } else if (!add_bytes(bpe, s, &n, c) && bpe->unknown >= 0) {
            if (pending && !bpe->fuse_unknown)
                add_symbol(s, &n, bpe->unknown, 0, 1);
            pending = true;
        }
    }
    if (pending)
        add_symbol(s, &n, bpe->unknown, 0, 1);
    if (n)
        s->symbols[n - 1].next = -1;
    return n;
}

static size_t symbols_by_score(BpeScratch *s, Str piece)
{
    size_t n = 0;
    for (size_t at = 0; at < piece.len;) {
        uint32_t len = char_len((unsigned char)piece.data[at]);
        if (len > piece.len - at)
            len = (uint32_t)(piece.len - at);
        add_symbol(s, &n, -1, (uint32_t)at, len);
        at += len;
    }
    if (n)
        s->symbols[n - 1].next = -1;
    return n;
}

/* ---- candidates ---- */

static bool candidate_by_rank(const Bpe *bpe, const BpeScratch *s, int32_t left, Candidate *out)
{
    const Symbol *a = &s->symbols[left];
    const Merge *merge = merge_slot(bpe, pair_of(a->id, s->symbols[a->next].id));
    if (merge->pair == UINT64_MAX)
        return false;
    *out = (Candidate){ (uint64_t)merge->rank << 32 | (uint32_t)left, (uint32_t)merge->id };
    return true;
}

/* Floats as unsigned numbers in descending order. */
static uint32_t score_order(float score)
{
    uint32_t bits;
    score += 0.0f; /* -0 is 0 */
    memcpy(&bits, &score, sizeof(bits));
    return ~(bits & 0x80000000u ? ~bits : bits | 0x80000000u);
}

static bool mergeable(unsigned char type)
{
    return type == PIECE_NORMAL || type == PIECE_USER || type == PIECE_UNUSED;
}

static bool candidate_by_score(const Bpe *bpe, BpeScratch *s, Str piece, int32_t left,
                               Candidate *out)
{
    const Symbol *a = &s->symbols[left], *b = &s->symbols[a->next];
    uint32_t len = a->len + b->len;
    int32_t id = vocab_find(bpe->vocab, str_of(piece.data + a->start, len));
    if (id < 0 || !mergeable(bpe->vocab->types[id]))
        return false;
    if (bpe->vocab->types[id] == PIECE_UNUSED)
        s->split_at[id] = a->len;
    *out = (Candidate){ (uint64_t)score_order(bpe->vocab->scores[id]) << 32 | (uint32_t)left, len };
    return true;
}

static void push_candidate(const Bpe *bpe, BpeScratch *s, Str piece, int32_t left)
{
    Candidate c;
    if (left < 0 || s->symbols[left].next < 0)
        return;
    if (bpe->by_score ? candidate_by_score(bpe, s, piece, left, &c)
                      : candidate_by_rank(bpe, s, left, &c))
        heap_push(s, c);
}

/* Whether the candidate still describes its place; *id gets the joined token (ranks). */
static bool still_holds(const Bpe *bpe, const BpeScratch *s, Candidate c, int32_t *id)
{
    const Symbol *a = &s->symbols[(uint32_t)c.order];
    if (a->len == 0 || a->next < 0)
        return false;
    const Symbol *b = &s->symbols[a->next];
    *id = -1;
    if (bpe->by_score)
        return a->len + b->len == c.check;
    const Merge *merge = merge_slot(bpe, pair_of(a->id, b->id));
    *id = (int32_t)c.check;
    return merge->pair != UINT64_MAX && merge->id == *id;
}

static void merge_all(const Bpe *bpe, BpeScratch *s, Str piece, size_t n)
{
    Candidate c;
    s->heap_n = 0;
    for (size_t i = 0; i + 1 < n; i++)
        push_candidate(bpe, s, piece, (int32_t)i);
    while (s->heap_n) {
        int32_t id;
        c = heap_pop(s);
        if (!still_holds(bpe, s, c, &id))
            continue;
        int32_t left = (int32_t)(uint32_t)c.order;
        Symbol *a = &s->symbols[left], *b = &s->symbols[a->next];
        a->id = id;
        a->len += b->len;
        a->next = b->next;
        b->len = 0;
        if (a->next >= 0)
            s->symbols[a->next].prev = left;
        push_candidate(bpe, s, piece, a->prev);
        push_candidate(bpe, s, piece, left);
    }
}

/* ---- what comes out ---- */

/* A symbol of the score rule: its token, else its bytes, else the unknown token once for a run
 * of them. */
static void emit_text(const Bpe *bpe, Str text, bool *after_unknown, Tokens *out)
{
    int32_t id = vocab_find(bpe->vocab, text);
    if (id >= 0 && mergeable(bpe->vocab->types[id])) {
        tokens_push(out, id);
        *after_unknown = false;
        return;
    }
    bool bytes = bpe->byte_fallback;
    for (size_t i = 0; bytes && i < text.len; i++)
        bytes = bpe->bytes[(unsigned char)text.data[i]] >= 0;
    for (size_t i = 0; bytes && i < text.len; i++)
        tokens_push(out, bpe->bytes[(unsigned char)text.data[i]]);
    if (!bytes && bpe->unknown >= 0 && !*after_unknown)
        tokens_push(out, bpe->unknown);
    *after_unknown = !bytes;
}

/* Unused pieces may be made on the way to longer ones, but come out as the halves they were made
 * of. */
static void emit_symbol(const Bpe *bpe, const BpeScratch *s, Str text, bool *after_unknown,
                        Tokens *out)
{
    while (bpe->has_unused) {
        int32_t id = vocab_find(bpe->vocab, text);
        if (id < 0 || bpe->vocab->types[id] != PIECE_UNUSED || !s->split_at[id])
            break;
        emit_symbol(bpe, s, str_sub(text, 0, s->split_at[id]), after_unknown, out);
        text = str_from_offset(text, s->split_at[id]);
    }
    emit_text(bpe, text, after_unknown, out);
}

void bpe_encode(const Bpe *bpe, BpeScratch *scratch, Str piece, Tokens *out)
{
    if (piece.len == 0)
        return;
    if (bpe->ignore_merges) {
        int32_t id = vocab_find(bpe->vocab, piece);
        if (id >= 0) {
            tokens_push(out, id);
            return;
        }
    }
    if (bpe->by_score && bpe->has_unused && !scratch->split_at)
        scratch->split_at = xcalloc((size_t)bpe->vocab->n, sizeof(*scratch->split_at));
    size_t n =
        bpe->by_score ? symbols_by_score(scratch, piece) : symbols_by_rank(bpe, scratch, piece);
    if (n > 1 && (bpe->by_score || bpe->n_merges))
        merge_all(bpe, scratch, piece, n);
    bool after_unknown = false;
    for (int32_t i = n ? 0 : -1; i >= 0; i = scratch->symbols[i].next) {
        const Symbol *symbol = &scratch->symbols[i];
        if (bpe->by_score)
            emit_symbol(bpe, scratch, str_sub(piece, symbol->start, symbol->len), &after_unknown,
                        out);
        else
            tokens_push(out, symbol->id);
    }
}
