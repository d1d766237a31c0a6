/* Parked timelines of a session: which prompt resumes which, what is worth parking, what goes when
 * memory is short.  How pages are shared is the backend's matter. */
#include "config.h"

#include "engine/kvcache.h"

#include <stdlib.h>

#include "src/base/mem.h"

enum {
    PARKED_MAX = 64,      /* timelines; each has some memory beside its pages */
    WORTH_GENERATED = 16, /* sampled tokens that make a tail worth keeping */
    WORTH_READ = 256      /* tokens that were only read */
};

void kvcache_init(KvCache *cache, const BackendOps *ops, Loaded *loaded, size_t budget)
{
    *cache = (KvCache){ .ops = ops, .loaded = loaded, .budget = budget };
}

static void line_close(const KvCache *cache, KvLine *line)
{
    cache->ops->timeline_close(line->timeline);
    tokens_release(&line->tokens);
}

void kvcache_release(KvCache *cache)
{
    while (kvcache_evict(cache))
        continue;
    free(cache->parked);
    cache->parked = NULL;
    cache->cap = 0;
}

static KvLine take_out(KvCache *cache, size_t i)
{
    KvLine line = cache->parked[i];

    cache->n--;
    for (; i < cache->n; i++)
        cache->parked[i] = cache->parked[i + 1];
    return line;
}

bool kvcache_evict(KvCache *cache)
{
    if (!cache->n)
        return false;
    KvLine oldest = take_out(cache, 0);
    line_close(cache, &oldest);
    return true;
}

void kvcache_trim(KvCache *cache, size_t more)
{
    while (cache->n && cache->ops->kv_held(cache->loaded) + more > cache->budget)
        kvcache_evict(cache);
}

static void park(KvCache *cache, KvLine line)
{
    if (cache->n == PARKED_MAX)
        kvcache_evict(cache);
    cache->parked = mem_grow(cache->parked, &cache->cap, cache->n + 1, sizeof *cache->parked);
    cache->parked[cache->n++] = line;
}

static size_t common(const KvLine *line, const Tokens *prompt)
{
    return tokens_common(line->tokens.ids, line->tokens.n, prompt->ids, prompt->n);
}

size_t kvcache_common(const KvCache *cache, const Tokens *prompt)
{
    size_t best = 0;

    for (size_t i = 0; i < cache->n; i++) {
        size_t n = common(&cache->parked[i], prompt);
        best = n > best ? n : best;
    }
    return best;
}

KStatus kvcache_rewind(const KvCache *cache, KvLine *line, size_t keep)
{
    if (keep == line->tokens.n)
        return KS_OK;
    KStatus status = cache->ops->rewind(line->timeline, (int)keep);
    if (status != KS_OK)
        return status;
    tokens_truncate(&line->tokens, keep);
    line->generated = keep < line->generated ? keep : line->generated;
    return KS_OK;
}

/* Whether what stands after `keep` should be had again without computing it.  Drafts that were read
 * ahead and then changed are not: they would push out conversations. */
static bool is_worth(const KvCache *cache, const KvLine *line, size_t keep)
{
    size_t generated = line->generated > keep ? line->generated - keep : 0;

    return cache->budget && (generated >= WORTH_GENERATED || line->tokens.n - keep >= WORTH_READ);
}

/* Cuts a line to its first `keep` tokens; the whole of it is parked where that is worth it.  A fork
 * for which there is no memory is no error: then the tail is lost. */
static KStatus cut(KvCache *cache, KvLine *line, size_t keep)
{
    KvLine head = { 0 };

    if (!is_worth(cache, line, keep) ||
        cache->ops->timeline_fork(line->timeline, (int)keep, &head.timeline) != KS_OK)
        return kvcache_rewind(cache, line, keep);
    tokens_append(&head.tokens, line->tokens.ids, keep);
    head.generated = keep < line->generated ? keep : line->generated;
    park(cache, *line);
    *line = head;
    return KS_OK;
}

/* Parks a line unless others hold it, or all but a little of it. */
static void leave(KvCache *cache, KvLine *line, const KvLine *next)
{
    size_t elsewhere = kvcache_common(cache, &line->tokens), there = common(next, &line->tokens);

    elsewhere = there > elsewhere ? there : elsewhere;
    if (is_worth(cache, line, elsewhere))
        park(cache, *line);
    else
        line_close(cache, line);
}

/* Closes parked lines that are the beginning of the live one. */
static void drop_contained(KvCache *cache, const KvLine *live)
{
    for (size_t i = cache->n; i-- > 0;)
        if (common(&cache->parked[i], &live->tokens) == cache->parked[i].tokens.n) {
            KvLine line = take_out(cache, i);
            line_close(cache, &line);
        }
}

KStatus kvcache_select(KvCache *cache, KvLine *live, const Tokens *prompt, size_t limit)
{
    Tokens wanted = { .ids = prompt->ids, .n = limit };
    size_t best = common(live, &wanted), at = SIZE_MAX;

    drop_contained(cache, live);
    for (size_t i = 0; i < cache->n; i++) {
        size_t n = common(&cache->parked[i], &wanted);
        if (n > best) {
            best = n;
            at = i;
        }
    }
    if (at == SIZE_MAX)
        return cut(cache, live, best);
    KvLine next = take_out(cache, at);
    KStatus status = cut(cache, &next, best);
    if (status != KS_OK) {
        line_close(cache, &next);
        return status;
    }
    leave(cache, live, &next);
    *live = next;
    return KS_OK;
}
