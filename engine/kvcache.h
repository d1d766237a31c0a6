/* Which timelines of a session stay resident: the live one, and those that were left but are worth
 * coming back to (another conversation, the reply before it was made again, the branch before a
 * message was edited).  A prompt then starts from the longest prefix that any of them holds.
 *
 * Forks share their pages, so a branch costs what it does not have in common with the others.  The
 * least recently used go first when all together hold more than the budget, or when the device has
 * no memory left.  Belongs to one session and its thread. */
#ifndef ENGINE_KVCACHE_H
#define ENGINE_KVCACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/kernels.h"
#include "src/base/tokens.h"

/* A timeline, the tokens in its cache, and how many of these up to the last that was sampled here:
 * what was read only is cheaper to have again. */
typedef struct {
    Timeline *timeline;
    Tokens tokens;
    size_t generated;
} KvLine;

typedef struct {
    const BackendOps *ops;
    Loaded *loaded;
    size_t budget;  /* bytes of all timelines; 0: only the live one is kept */
    KvLine *parked; /* least recently used first */
    size_t n, cap;
} KvCache;

void kvcache_init(KvCache *cache, const BackendOps *ops, Loaded *loaded, size_t budget);
void kvcache_release(KvCache *cache);

/* The longest common prefix of prompt and any parked timeline. */
size_t kvcache_common(const KvCache *cache, const Tokens *prompt);
/* Makes *live hold a prefix of the prompt's first `limit` tokens, the longest that it or a parked
 * timeline has.  What is lost by that is parked if it is worth its memory. */
KStatus kvcache_select(KvCache *cache, KvLine *live, const Tokens *prompt, size_t limit);
/* Leaves the first `keep` tokens in the line. */
KStatus kvcache_rewind(const KvCache *cache, KvLine *line, size_t keep);
/* Closes parked timelines until the budget holds with `more` bytes. */
void kvcache_trim(KvCache *cache, size_t more);
/* Closes the parked timeline that was used longest ago; false when there is none. */
bool kvcache_evict(KvCache *cache);

#endif
