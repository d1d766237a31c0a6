/* Timelines: tokens, the pages of their KV cache, and what is kept beside them.
 *
 * A page holds 256 positions of all layers.  It is taken before the pass that first writes into it,
 * and given back when the last timeline rewinds past it.  Forked timelines share all their pages
 * and never write into a shared one: the pass that would gets a copy of it first.  The system is
 * the pool: a page is mapped, and resident as far as it was written. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/forward.h"

static size_t page_bytes(const CpuLoaded *loaded)
{
    return (size_t)loaded->shape.n_layers * (size_t)loaded->shape.n_kv_heads * loaded->block_bytes;
}

static int pages_of(int positions)
{
    return positions / KV_PAGE + (positions % KV_PAGE > 0);
}

static size_t hidden_bytes(const CpuTimeline *t)
{
    return (size_t)t->context * ((const CpuLoaded *)t->base.loaded)->scratch.hidden * sizeof(float);
}

static bool is_over_budget(const CpuLoaded *loaded, size_t bytes)
{
    size_t budget = ((const CpuBackend *)loaded->base.backend)->memory_budget;
    return budget && cpu_weight_bytes(&loaded->base) + loaded->kv_held + bytes > budget;
}

static KvPage *page_new(CpuLoaded *loaded)
{
    KvPage *page = is_over_budget(loaded, page_bytes(loaded)) ? NULL : calloc(1, sizeof *page);
    if (!page)
        return NULL;
    page->refs = 1;
    page->memory = region_map(page_bytes(loaded), false);
    if (page->memory) {
        loaded->kv_held += page_bytes(loaded);
        return page;
    }
    free(page);
    return NULL;
}

static void page_drop(CpuLoaded *loaded, KvPage *page)
{
    if (!page || --page->refs > 0)
        return;
    region_unmap(page->memory, page_bytes(loaded));
    loaded->kv_held -= page_bytes(loaded);
    free(page);
}

static void copy_values(int16_t *to, const int16_t *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
}

/* Copies the first n positions of a page. */
static void page_copy(const CpuLoaded *loaded, KvPage *to, const KvPage *from, int n)
{
    const ModelShape *shape = &loaded->shape;
    size_t chunks = ((size_t)n + 15) / 16;
    for (int layer = 0; layer < shape->n_layers; layer++)
        for (int head = 0; head < shape->n_kv_heads; head++) {
            KvBlock a = kv_block(loaded, to, layer, head), b = kv_block(loaded, from, layer, head);
            copy_values(a.k, b.k, chunks * 16 * (size_t)shape->head_dim);
            copy_values(a.v, b.v, (size_t)n * loaded->value_stride);
            memcpy(a.k_scale, b.k_scale, (size_t)n * sizeof(float));
            memcpy(a.v_scale, b.v_scale, (size_t)n * sizeof(float));
        }
}

static bool reserve(CpuTimeline *t, CpuLoaded *loaded)
{
    size_t n_vocab = (size_t)loaded->shape.n_vocab, layers = (size_t)loaded->shape.n_layers;
    const CpuBackend *backend = (const CpuBackend *)loaded->base.backend;
    size_t partials =
        (size_t)loaded->shape.n_heads * (size_t)t->n_pages * (2 + loaded->value_stride);
    size_t logits = (size_t)loaded->head.n_tiles * TILE_ROWS * LOGIT_ROWS * sizeof *t->logits;
    t->own_bytes = (size_t)t->context * sizeof *t->ids + logits + partials * sizeof *t->partial +
                   n_vocab * (sizeof *t->sample.candidate + sizeof *t->sample.count);
    loaded->kv_held += t->own_bytes;
    t->ids = malloc((size_t)t->context * sizeof *t->ids);
    t->pages = calloc((size_t)t->n_pages, sizeof(KvPage *));
    t->logits = aligned_alloc(ALIGNMENT, logits);
    t->hidden = region_map(hidden_bytes(t), false);
    t->partial = malloc(partials * sizeof *t->partial);
    t->sample.candidate = malloc(n_vocab * sizeof *t->sample.candidate);
    t->sample.count = calloc(n_vocab, sizeof *t->sample.count);
    if (backend->tap)
        t->taps = calloc(layers * 4 * (size_t)loaded->shape.hidden, sizeof *t->taps);
    return t->ids && t->pages && t->logits && t->hidden && t->partial && t->sample.candidate &&
           t->sample.count && (t->taps || !backend->tap);
}

static CpuTimeline *timeline_new(CpuLoaded *loaded, int context)
{
    CpuTimeline *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->base = (Timeline){ .ops = loaded->base.ops, .loaded = &loaded->base };
    t->context = context;
    t->pending = -1;
    t->n_pages = pages_of(context);
    if (reserve(t, loaded))
        return t;
    timeline_close(&t->base);
    return NULL;
}

static KStatus no_memory(Loaded *loaded)
{
    return cpu_fault((CpuBackend *)loaded->backend, KS_MEMORY, -1, "reserving the KV cache");
}

KStatus timeline_make_room(CpuTimeline *t, int n)
{
    CpuLoaded *loaded = (CpuLoaded *)t->base.loaded;
    for (int i = t->length / KV_PAGE; i <= (t->length + n - 1) / KV_PAGE; i++) {
        if (t->pages[i] && t->pages[i]->refs == 1)
            continue;
        KvPage *page = page_new(loaded);
        if (!page)
            return no_memory(t->base.loaded);
        int used = t->length - i * KV_PAGE;
        if (t->pages[i] && used > 0)
            page_copy(loaded, page, t->pages[i], used);
        page_drop(loaded, t->pages[i]);
        t->pages[i] = page;
    }
    return KS_OK;
}

/* The whole context could be mapped beside what is held now: better told when a timeline is opened
 * than in the middle of a reply. */
static bool has_room(const CpuLoaded *loaded, int context)
{
    size_t bytes = timeline_kv_bytes(&loaded->base, context);
    void *trial = is_over_budget(loaded, bytes) ? NULL : region_map(bytes, false);
    region_unmap(trial, bytes);
    return trial != NULL;
}

KStatus timeline_open(Loaded *loaded, int context, Timeline **out)
{
    if (context < 1)
        return cpu_fault((CpuBackend *)loaded->backend, KS_RANGE, -1,
                         "a context must hold a token");
    CpuTimeline *t = NULL;
    if (has_room((CpuLoaded *)loaded, context))
        t = timeline_new((CpuLoaded *)loaded, context);
    if (!t)
        return no_memory(loaded);
    *out = &t->base;
    return KS_OK;
}

KStatus timeline_fork(Timeline *base, int keep, Timeline **out)
{
    CpuTimeline *from = (CpuTimeline *)base;
    if (keep < 0 || keep > from->length)
        return cpu_fault((CpuBackend *)base->loaded->backend, KS_RANGE, -1, "forking past the end");
    CpuTimeline *t = timeline_new((CpuLoaded *)base->loaded, from->context);
    if (!t)
        return no_memory(base->loaded);
    t->length = keep;
    memcpy(t->ids, from->ids, (size_t)keep * sizeof *t->ids);
    for (int i = 0; i < pages_of(keep); i++) {
        t->pages[i] = from->pages[i];
        t->pages[i]->refs++;
    }
    *out = &t->base;
    return KS_OK;
}

void timeline_close(Timeline *base)
{
    CpuTimeline *t = (CpuTimeline *)base;
    if (!t)
        return;
    CpuLoaded *loaded = (CpuLoaded *)base->loaded;
    for (int i = 0; t->pages && i < t->n_pages; i++)
        page_drop(loaded, t->pages[i]);
    loaded->kv_held -= t->own_bytes;
    region_unmap(t->hidden, hidden_bytes(t));
    free(t->ids);
    free(t->pages);
    free(t->logits);
    free(t->partial);
    free(t->taps);
    free(t->sample.candidate);
    free(t->sample.count);
    free(t);
}

KStatus timeline_rewind(Timeline *base, int keep)
{
    CpuTimeline *t = (CpuTimeline *)base;
    if (keep < 0 || keep > t->length)
        return cpu_fault((CpuBackend *)base->loaded->backend, KS_RANGE, -1,
                         "rewinding past the end");
    t->length = keep;
    t->pending = -1;
    t->have = WANT_NONE;
    for (int i = pages_of(keep); i < t->n_pages; i++) {
        page_drop((CpuLoaded *)base->loaded, t->pages[i]);
        t->pages[i] = NULL;
    }
    return KS_OK;
}

size_t timeline_kv_bytes(const Loaded *base, int context)
{
    const CpuLoaded *loaded = (const CpuLoaded *)base;
    return (size_t)pages_of(context) * page_bytes(loaded);
}

size_t timeline_kv_held(const Loaded *base)
{
    return ((const CpuLoaded *)base)->kv_held;
}

/* ---- saving: by position, layer and head: k, v, their scales ---- */

static size_t head_bytes(const CpuLoaded *loaded)
{
    return 2 * (size_t)loaded->shape.head_dim * sizeof(int16_t) + 2 * sizeof(float);
}

size_t timeline_saved_bytes(const Timeline *base, int n)
{
    const CpuLoaded *loaded = (const CpuLoaded *)base->loaded;
    return (size_t)n * (size_t)loaded->shape.n_layers * (size_t)loaded->shape.n_kv_heads *
           head_bytes(loaded);
}

/* Moves one head of one position out of (or into) its block. */
static void move_head(const CpuLoaded *loaded, const KvBlock *block, int place, uint8_t *bytes,
                      bool out)
{
    size_t head_dim = (size_t)loaded->shape.head_dim, size = head_dim * sizeof(int16_t);
    int16_t *k = block->k + (size_t)(place / 16) * 16 * head_dim + (size_t)(place % 16) * 2;
    uint8_t *parts[3] = { (uint8_t *)(block->v + (size_t)place * loaded->value_stride),
                          (uint8_t *)(block->k_scale + place),
                          (uint8_t *)(block->v_scale + place) };
    size_t sizes[3] = { size, sizeof(float), sizeof(float) };
    for (size_t d = 0; d < head_dim; d += 2, bytes += 4)
        memcpy(out ? bytes : (uint8_t *)(k + d / 2 * 32), out ? (uint8_t *)(k + d / 2 * 32) : bytes,
               4);
    for (int i = 0; i < 3; bytes += sizes[i], i++)
        memcpy(out ? bytes : parts[i], out ? parts[i] : bytes, sizes[i]);
}

static void move_positions(CpuTimeline *t, int from, int n, uint8_t *bytes, bool out)
{
    const CpuLoaded *loaded = (const CpuLoaded *)t->base.loaded;
    for (int position = from; position < from + n; position++)
        for (int layer = 0; layer < loaded->shape.n_layers; layer++)
            for (int head = 0; head < loaded->shape.n_kv_heads;
                 head++, bytes += head_bytes(loaded)) {
                KvBlock block = kv_block(loaded, t->pages[position / KV_PAGE], layer, head);
                move_head(loaded, &block, position % KV_PAGE, bytes, out);
            }
}

KStatus timeline_save(Timeline *base, int from, int n, void *out)
{
    CpuTimeline *t = (CpuTimeline *)base;
    if (from < 0 || n < 0 || from > t->length || n > t->length - from)
        return cpu_fault((CpuBackend *)base->loaded->backend, KS_RANGE, -1,
                         "saving positions that are not there");
    move_positions(t, from, n, out, true);
    return KS_OK;
}

KStatus timeline_restore(Timeline *base, int from, int n, const int32_t *ids, const void *in)
{
    CpuTimeline *t = (CpuTimeline *)base;
    CpuBackend *backend = (CpuBackend *)base->loaded->backend;
    const ModelShape *shape = &((const CpuLoaded *)base->loaded)->shape;
    if (from < 0 || n < 0 || from > t->length)
        return cpu_fault(backend, KS_RANGE, -1, "restoring after a gap");
    if (n > t->context - from)
        return cpu_fault(backend, KS_CONTEXT, -1, "restoring more tokens than the context holds");
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= shape->n_vocab)
            return cpu_fault(backend, KS_RANGE, -1, "a token outside the vocabulary");
    KStatus status = timeline_rewind(base, from);
    if (status == KS_OK)
        status = timeline_make_room(t, n);
    if (status != KS_OK)
        return status;
    /* Only reads through the pointer: the direction is `in`. */
    move_positions(t, from, n, (uint8_t *)(uintptr_t)in, false);
    memcpy(t->ids + from, ids, (size_t)n * sizeof *ids);
    t->length = from + n;
    return KS_OK;
}
