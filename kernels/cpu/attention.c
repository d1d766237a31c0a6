/* Attention of a batch over the cache, in pages of 256 positions.
 *
 * A page's result for a head (largest score, sum of weights, weighted values) depends on nothing
 * but the query and the page; pages are merged in ascending order.  So it does not matter who
 * computes which page: a long prompt shares out heads and tokens, a single token at a long context
 * shares out pages too, and both give the same bits. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "kernels/cpu/forward.h"

typedef struct {
    CpuTimeline *timeline;
    const CpuLoaded *loaded;
    const Isa *isa;
    int layer, n_tokens;
    int first_page, n_pages; /* that any token of the batch sees */
    int group;               /* heads of a KV head */
    int heads_an_item, tokens_an_item;
    int head_parts, token_parts; /* items of a KV head */
    bool by_page;                /* one token: an item is one page */
} AttnRun;

/* The queries of an item: n_heads heads from `head` for each of n_tokens tokens from `token`, token
 * by token. */
typedef struct {
    int kv_head, head, n_heads, token, n_tokens;
    int16_t *query; /* (n_tokens, n_heads, 2, head_dim), gathered */
    float *score, *page_value, *value;
} AttnItem;

KvBlock kv_block(const CpuLoaded *loaded, const KvPage *page, int layer, int kv_head)
{
    const ModelShape *shape = &loaded->shape;
    size_t index = (size_t)layer * (size_t)shape->n_kv_heads + (size_t)kv_head;
    uint8_t *memory = page->memory + index * loaded->block_bytes;
    KvBlock block;
    block.v = (int16_t *)memory;
    block.k = block.v + KV_PAGE * loaded->value_stride;
    block.k_scale = (float *)(block.k + KV_PAGE * (size_t)shape->head_dim);
    block.v_scale = block.k_scale + KV_PAGE;
    return block;
}

/* The visible part [*begin, *end) of a page for a position; false when there is none. */
static bool page_range(const AttnRun *run, int page, int position, int *begin, int *end)
{
    int window = run->loaded->shape.sliding_window, start = page * KV_PAGE;
    int first = window > 0 && position - window + 1 > 0 ? position - window + 1 : 0;
    *begin = first > start ? first - start : 0;
    *end = position + 1 - start < KV_PAGE ? position + 1 - start : KV_PAGE;
    return *begin < *end;
}

static AttnItem item_queries(const AttnRun *run, int item, int thread)
{
    const Scratch *scratch = &run->loaded->scratch;
    size_t score_size = (size_t)QUERIES_MAX * KV_PAGE,
           value_size = (size_t)QUERIES_MAX * run->loaded->value_stride;
    AttnItem it;
    it.token = item % run->token_parts * run->tokens_an_item;
    item /= run->token_parts;
    int part = item % run->head_parts * run->heads_an_item;
    it.kv_head = item / run->head_parts;
    it.head = it.kv_head * run->group + part;
    it.n_heads = run->group - part < run->heads_an_item ? run->group - part : run->heads_an_item;
    it.n_tokens = run->n_tokens - it.token < run->tokens_an_item ? run->n_tokens - it.token
                                                                 : run->tokens_an_item;
    it.score = scratch->score + (size_t)thread * score_size;
    it.page_value = scratch->value + (size_t)thread * 2 * value_size;
    it.value = it.page_value + value_size;
    size_t head_terms = 2 * (size_t)run->loaded->shape.head_dim,
           n_heads = (size_t)run->loaded->shape.n_heads;
    it.query = scratch->gathered + (size_t)thread * QUERIES_MAX * head_terms;
    for (int t = 0; t < it.n_tokens; t++) {
        const int16_t *from =
            scratch->query + ((size_t)(it.token + t) * n_heads + (size_t)it.head) * head_terms;
        size_t terms = (size_t)it.n_heads * head_terms;
        memcpy(it.query + (size_t)t * terms, from, terms * sizeof *from);
    }
    return it;
}

/* One page for the item's queries: page results in results[query] and it->page_value. */
static void attend_page(const AttnRun *run, const AttnItem *it, int page, AttnPage *results)
{
    const CpuLoaded *loaded = run->loaded;
    KvBlock kv = kv_block(loaded, run->timeline->pages[page], run->layer, it->kv_head);
    int low = KV_PAGE, high = 0, from = it->n_tokens, to = 0;
    float root = 1.0f / sqrtf((float)loaded->shape.head_dim);
    for (int q = 0; q < it->n_tokens * it->n_heads; q++) {
        int token = q / it->n_heads, head = it->head + q % it->n_heads;
        int position = run->timeline->length + it->token + token;
        AttnPage *result = &results[q];
        if (!page_range(run, page, position, &result->begin, &result->end))
            continue;
        size_t at = (size_t)(it->token + token) * (size_t)loaded->shape.n_heads + (size_t)head;
        result->query_scale = loaded->scratch.query_scale[at] * root;
        result->score = it->score + (size_t)q * KV_PAGE;
        low = result->begin < low ? result->begin : low;
        high = result->end > high ? result->end : high;
        from = token < from ? token : from;
        to = token + 1;
    }
    if (from >= to)
        return;
    int first_query = from * it->n_heads, n_queries = (to - from) * it->n_heads;
    size_t head_terms = 2 * (size_t)loaded->shape.head_dim;
    run->isa->scores(&kv, loaded->shape.head_dim, (high + 15) / 16,
                     it->query + (size_t)first_query * head_terms, n_queries,
                     it->score + (size_t)first_query * KV_PAGE);
    for (int q = from * it->n_heads; q < to * it->n_heads; q++) {
        AttnPage *result = &results[q];
        run->isa->weights(&kv, result);
        int first = result->begin / 16 * 16, last = (result->end + 15) / 16 * 16;
        for (int i = low; i < first; i++)
            result->score[i] = 0;
        for (int i = last; i < high; i++)
            result->score[i] = 0;
    }
    run->isa->values(&kv, (int)loaded->value_stride, low, high,
                     it->score + (size_t)first_query * KV_PAGE, n_queries,
                     it->page_value + (size_t)first_query * loaded->value_stride);
}

static void write_output(const AttnRun *run, int token, int head, const AttnState *state)
{
    const Scratch *scratch = &run->loaded->scratch;
    int head_dim = run->loaded->shape.head_dim;
    float *out = scratch->attn + (size_t)token * scratch->heads + (size_t)head * (size_t)head_dim;
    float factor = 1.0f / state->sum;
    for (int d = 0; d < head_dim; d++)
        out[d] = state->value[d] * factor;
}

/* Adds a page's result to what was gathered; the first page is taken as it is. */
static void gather(const AttnRun *run, AttnState *state, const AttnPage *result, float *value,
                   bool first)
{
    size_t stride = run->loaded->value_stride;
    AttnState page = { .max = result->max, .sum = result->sum, .value = value };
    if (!first) {
        run->isa->merge(state, &page, (int)stride);
        return;
    }
    state->max = page.max;
    state->sum = page.sum;
    memcpy(state->value, value, stride * sizeof *value);
}

static void attention_item(void *arg, int item, int thread)
{
    const AttnRun *run = arg;
    AttnItem it = item_queries(run, item, thread);
    size_t stride = run->loaded->value_stride;
    int n_queries = it.n_heads * it.n_tokens;
    AttnState state[QUERIES_MAX] = { { 0 } };
    for (int q = 0; q < n_queries; q++)
        state[q].value = it.value + (size_t)q * stride;
    for (int page = run->first_page; page < run->first_page + run->n_pages; page++) {
        AttnPage results[QUERIES_MAX] = { { 0 } };
        attend_page(run, &it, page, results);
        for (int q = 0; q < n_queries; q++)
            if (results[q].score)
                gather(run, &state[q], &results[q], it.page_value + (size_t)q * stride,
                       state[q].sum == 0);
    }
    for (int q = 0; q < n_queries; q++)
        write_output(run, it.token + q / it.n_heads, it.head + q % it.n_heads, &state[q]);
}

static float *partial_of(const AttnRun *run, int head, int page)
{
    size_t size = 2 + run->loaded->value_stride;
    return run->timeline->partial +
           ((size_t)head * (size_t)run->timeline->n_pages + (size_t)page) * size;
}

static void attention_page_item(void *arg, int item, int thread)
{
    const AttnRun *run = arg;
    int page = run->first_page + item % run->n_pages;
    AttnItem it = item_queries(run, item / run->n_pages, thread);
    AttnPage results[QUERIES_MAX] = { { 0 } };
    attend_page(run, &it, page, results);
    for (int q = 0; q < it.n_heads; q++) {
        float *partial = partial_of(run, it.head + q, page);
        partial[0] = results[q].max;
        partial[1] = results[q].sum;
        memcpy(partial + 2, it.page_value + (size_t)q * run->loaded->value_stride,
               run->loaded->value_stride * sizeof *partial);
    }
}

static void merge_item(void *arg, int head, int thread)
{
    const AttnRun *run = arg;
    size_t value_size = (size_t)QUERIES_MAX * run->loaded->value_stride;
    AttnState state = { .value = run->loaded->scratch.value + (size_t)thread * 2 * value_size };
    for (int page = run->first_page; page < run->first_page + run->n_pages; page++) {
        float *partial = partial_of(run, head, page);
        AttnPage result = { .max = partial[0], .sum = partial[1] };
        gather(run, &state, &result, partial + 2, page == run->first_page);
    }
    write_output(run, 0, head, &state);
}

void attention_run(CpuTimeline *timeline, int layer, int n_tokens)
{
    const CpuLoaded *loaded = (const CpuLoaded *)timeline->base.loaded;
    const CpuBackend *backend = (const CpuBackend *)loaded->base.backend;
    const ModelShape *shape = &loaded->shape;
    AttnRun run = { .timeline = timeline,
                    .loaded = loaded,
                    .isa = backend->isa,
                    .layer = layer,
                    .n_tokens = n_tokens };
    int oldest = shape->sliding_window > 0 ? timeline->length - shape->sliding_window + 1 : 0;
    run.first_page = oldest > 0 ? oldest / KV_PAGE : 0;
    run.n_pages = (timeline->length + n_tokens - 1) / KV_PAGE + 1 - run.first_page;
    run.group = shape->n_heads / shape->n_kv_heads;
    run.heads_an_item = run.group < QUERIES_MAX ? run.group : QUERIES_MAX;
    run.tokens_an_item = QUERIES_MAX / run.heads_an_item;
    run.head_parts = (run.group + run.heads_an_item - 1) / run.heads_an_item;
    run.token_parts = (n_tokens + run.tokens_an_item - 1) / run.tokens_an_item;
    int items = shape->n_kv_heads * run.head_parts * run.token_parts;
    run.by_page = n_tokens == 1 && run.n_pages > 1 && items < 4 * pool_threads(backend->pool);
    if (!run.by_page) {
        pool_run(backend->pool, items, attention_item, &run);
        return;
    }
    pool_run(backend->pool, items * run.n_pages, attention_page_item, &run);
    pool_run(backend->pool, shape->n_heads, merge_item, &run);
}
