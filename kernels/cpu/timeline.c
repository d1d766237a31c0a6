/* Timelines: tokens, the pages of their KV cache, and what is kept beside them.
 *
 * A page holds 256 positions of all layers.  Forked timelines share whole pages and never write
 * into a shared one: rewinding into it gives the timeline a copy.  Memory is reserved when a
 * timeline is opened and becomes resident as it is written. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/forward.h"

static size_t page_bytes(const CpuLoaded *loaded)
{
    return (size_t)loaded->shape.n_layers * (size_t)loaded->shape.n_kv_heads * loaded->block_bytes;
}

static size_t hidden_bytes(const CpuTimeline *t)
{
    return (size_t)t->context * ((const CpuLoaded *)t->base.loaded)->scratch.hidden * sizeof(float);
}

static KvPage *page_new(const CpuLoaded *loaded)
{
    KvPage *page = calloc(1, sizeof *page);
    if (!page)
        return NULL;
    page->refs = 1;
    page->memory = region_map(page_bytes(loaded), false);
    if (page->memory)
        return page;
    free(page);
    return NULL;
}

static void page_drop(const CpuLoaded *loaded, KvPage *page)
{
    if (!page || --page->refs > 0)
        return;
    region_unmap(page->memory, page_bytes(loaded));
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

static bool reserve(CpuTimeline *t, const CpuLoaded *loaded)
{
    size_t n_vocab = (size_t)loaded->shape.n_vocab, layers = (size_t)loaded->shape.n_layers;
    const CpuBackend *backend = (const CpuBackend *)loaded->base.backend;
    size_t partials =
        (size_t)loaded->shape.n_heads * (size_t)t->n_pages * (2 + loaded->value_stride);
    t->ids = malloc((size_t)t->context * sizeof *t->ids);
    t->pages = calloc((size_t)t->n_pages, sizeof(KvPage *));
    t->logits = aligned_alloc(ALIGNMENT, (size_t)loaded->head.n_tiles * TILE_ROWS * LOGIT_ROWS *
                                             sizeof *t->logits);
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
    t->n_pages = (context + KV_PAGE - 1) / KV_PAGE;
    if (reserve(t, loaded))
        return t;
    timeline_close(&t->base);
    return NULL;
}

/* Gives every page from `first` on memory of its own. */
static bool fill_pages(CpuTimeline *t, int first)
{
    const CpuLoaded *loaded = (const CpuLoaded *)t->base.loaded;
    for (int i = first; i < t->n_pages; i++) {
        if (t->pages[i] && t->pages[i]->refs == 1)
            continue;
        KvPage *page = page_new(loaded);
        if (!page)
            return false;
        int used = t->length - i * KV_PAGE;
        if (t->pages[i] && used > 0)
            page_copy(loaded, page, t->pages[i], used < KV_PAGE ? used : KV_PAGE);
        page_drop(loaded, t->pages[i]);
        t->pages[i] = page;
    }
    return true;
}

static KStatus no_memory(Loaded *loaded)
{
    return cpu_fault((CpuBackend *)loaded->backend, KS_MEMORY, -1, "reserving the KV cache");
}

KStatus timeline_open(Loaded *loaded, int context, Timeline **out)
{
    if (context < 1)
        return cpu_fault((CpuBackend *)loaded->backend, KS_RANGE, -1,
                         "a context must hold a token");
    CpuTimeline *t = timeline_new((CpuLoaded *)loaded, context);
    if (!t)
        return no_memory(loaded);
    if (!fill_pages(t, 0)) {
        timeline_close(&t->base);
        return no_memory(loaded);
    }
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
    int whole = keep / KV_PAGE, shared = (keep + KV_PAGE - 1) / KV_PAGE;
    for (int i = 0; i < shared; i++) {
        t->pages[i] = from->pages[i];
        t->pages[i]->refs++;
    }
    if (!fill_pages(t, whole)) {
        timeline_close(&t->base);
        return no_memory(base->loaded);
    }
    *out = &t->base;
    return KS_OK;
}

void timeline_close(Timeline *base)
{
    CpuTimeline *t = (CpuTimeline *)base;
    if (!t)
        return;
    for (int i = 0; t->pages && i < t->n_pages; i++)
        page_drop((const CpuLoaded *)t->base.loaded, t->pages[i]);
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
    return fill_pages(t, keep / KV_PAGE) ? KS_OK : no_memory(base->loaded);
}

size_t timeline_kv_bytes(const Loaded *base, int context)
{
    const CpuLoaded *loaded = (const CpuLoaded *)base;
    size_t pages = ((size_t)context + KV_PAGE - 1) / KV_PAGE;
    return pages * page_bytes(loaded);
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
    if (status != KS_OK)
        return status;
    /* Only reads through the pointer: the direction is `in`. */
    move_positions(t, from, n, (uint8_t *)(uintptr_t)in, false);
    memcpy(t->ids + from, ids, (size_t)n * sizeof *ids);
    t->length = from + n;
    return KS_OK;
}
