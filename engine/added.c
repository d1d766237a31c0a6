/* Added tokens: a trie in a hash table of (node, byte), so that long lists and long tokens cost
 * a step a byte. */
#include "config.h"

#include "engine/added.h"

#include <stdlib.h>
#include <string.h>

#include "engine/split.h"
#include "src/base/mem.h"

typedef struct {
    uint64_t key; /* node << 8 | byte; UINT64_MAX: free */
    uint32_t node;
} Edge;

typedef struct {
    int32_t item;  /* index of the token that ends here, or -1 */
    uint32_t free; /* leading bytes that need no mark */
} Node;

struct AddedTrie {
    Node *nodes;
    size_t n, cap;
    Edge *edges;
    size_t n_slots, n_edges; /* n_slots: a power of two */
    bool starts[256];        /* bytes that some token begins with */
};

static void trie_free(AddedTrie *trie)
{
    if (!trie)
        return;
    free(trie->nodes);
    free(trie->edges);
    free(trie);
}

void added_release(Added *added)
{
    trie_free(added->raw);
    trie_free(added->normal);
    free(added->items);
    free(added->by_id);
    *added = (Added){ 0 };
}

AddedToken *added_find(const Added *added, int32_t id)
{
    if (id < 0 || (size_t)id >= added->by_id_cap || !added->by_id[id])
        return NULL;
    return &added->items[added->by_id[id] - 1];
}

void added_push(Added *added, AddedToken token)
{
    if (added->n == added->cap)
        added->items = mem_grow(added->items, &added->cap, added->n + 1, sizeof(*added->items));
    size_t before = added->by_id_cap, id = (size_t)token.id;
    if (id >= before) {
        added->by_id = mem_grow(added->by_id, &added->by_id_cap, id + 1, sizeof(*added->by_id));
        memset(added->by_id + before, 0, (added->by_id_cap - before) * sizeof(*added->by_id));
    }
    added->items[added->n++] = token;
    added->by_id[id] = (uint32_t)added->n;
}

/* ---- the trie ---- */

static Edge *edge_slot(const AddedTrie *trie, uint64_t key)
{
    uint64_t hash = key * 0x9E3779B97F4A7C15u;
    size_t mask = trie->n_slots - 1, i = (size_t)(hash >> 32) & mask;
    while (trie->edges[i].key != UINT64_MAX && trie->edges[i].key != key)
        i = (i + 1) & mask;
    return &trie->edges[i];
}

static void grow_edges(AddedTrie *trie)
{
    Edge *old = trie->edges;
    size_t n_old = trie->n_slots;
    trie->n_slots = n_old ? n_old * 2 : 256;
    trie->edges = xreallocarray(NULL, trie->n_slots, sizeof(*trie->edges));
    for (size_t i = 0; i < trie->n_slots; i++)
        trie->edges[i].key = UINT64_MAX;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].key != UINT64_MAX)
            *edge_slot(trie, old[i].key) = old[i];
    free(old);
}

static uint32_t add_node(AddedTrie *trie)
{
    if (trie->n == trie->cap)
        trie->nodes = mem_grow(trie->nodes, &trie->cap, trie->n + 1, sizeof(*trie->nodes));
    trie->nodes[trie->n] = (Node){ -1, 0 };
    return (uint32_t)trie->n++;
}

static AddedTrie *trie_new(void)
{
    AddedTrie *trie = xcalloc(1, sizeof(*trie));
    add_node(trie);
    grow_edges(trie);
    return trie;
}

static uint32_t trie_step(const AddedTrie *trie, uint32_t node, unsigned char byte)
{
    const Edge *edge = edge_slot(trie, (uint64_t)node << 8 | byte);
    return edge->key == UINT64_MAX ? 0 : edge->node; /* nothing leads to the root */
}

void added_index(Added *added, size_t i, Str spelling, size_t n_free)
{
    AddedTrie **where = added->items[i].normalized ? &added->normal : &added->raw;
    if (spelling.len == 0)
        return;
    if (!*where)
        *where = trie_new();
    AddedTrie *trie = *where;
    trie->starts[(unsigned char)spelling.data[0]] = true;
    uint32_t node = 0;
    for (size_t k = 0; k < spelling.len; k++) {
        uint64_t key = (uint64_t)node << 8 | (unsigned char)spelling.data[k];
        if (edge_slot(trie, key)->key == UINT64_MAX) {
            if (trie->n_edges * 2 >= trie->n_slots)
                grow_edges(trie);
            *edge_slot(trie, key) = (Edge){ key, add_node(trie) };
            trie->n_edges++;
        }
        node = edge_slot(trie, key)->node;
    }
    if (trie->nodes[node].item < 0)
        trie->nodes[node] = (Node){ (int32_t)i, (uint32_t)n_free };
}

/* ---- matching ---- */

typedef struct {
    const Added *added;
    const AddedTrie *trie;
    Str text;
    const char *marks;
} Search;

/* 1: all of text[start..end) is marked, 0: none of it, -1: some of it. */
static int marked(const Search *s, size_t start, size_t end)
{
    for (size_t i = start + 1; i < end; i++)
        if (s->marks[i] != s->marks[start])
            return -1;
    return s->marks[start];
}

/* Whether a control token that counts begins at `at`. */
static bool control_at(const Search *s, size_t at)
{
    uint32_t node = 0;
    for (size_t i = at; i < s->text.len; i++) {
        node = trie_step(s->trie, node, (unsigned char)s->text.data[i]);
        if (!node || s->marks[i] != 1)
            return false;
        int32_t item = s->trie->nodes[node].item;
        if (item >= 0 && s->added->items[item].special)
            return true;
    }
    return false;
}

/* A user-defined token that reaches from somebody's text into ours must not swallow a control
 * token of ours. */
static bool hides_control(const Search *s, size_t start, size_t end)
{
    if (marked(s, start, end) >= 0)
        return false;
    for (size_t i = start + 1; i < end; i++)
        if (control_at(s, i))
            return true;
    return false;
}

static bool acceptable(const Search *s, const Node *node, size_t start, size_t end)
{
    if (!s->added->items[node->item].special)
        return !hides_control(s, start, end);
    return marked(s, start + node->free, end) >= 0;
}

/* The longest token at `start`: its item, and its end; -1 when there is none. */
static int32_t longest_at(const Search *s, size_t start, size_t *end)
{
    uint32_t node = 0;
    int32_t best = -1;
    for (size_t i = start; i < s->text.len; i++) {
        node = trie_step(s->trie, node, (unsigned char)s->text.data[i]);
        if (!node)
            break;
        const Node *at = &s->trie->nodes[node];
        if (at->item >= 0 && acceptable(s, at, start, i + 1)) {
            best = at->item;
            *end = i + 1;
        }
    }
    return best;
}

static bool word_before(Str text, size_t at)
{
    size_t len;
    return at > 0 && char_is_word(char_before(text, at, &len));
}

static bool word_after(Str text, size_t at)
{
    size_t len;
    return at < text.len && char_is_word(char_at(text, at, &len));
}

static size_t skip_space(Str text, size_t at)
{
    size_t len;
    while (at < text.len && (char_class(char_at(text, at, &len)) & CHAR_SPACE))
        at += len;
    return at;
}

static size_t skip_space_back(Str text, size_t at, size_t least)
{
    size_t len;
    while (at > least && (char_class(char_before(text, at, &len)) & CHAR_SPACE))
        at -= len;
    return at < least ? least : at;
}

static void push_split(AddedSplits *out, int32_t id, size_t start, size_t end)
{
    if (out->n == out->cap)
        out->items = mem_grow(out->items, &out->cap, out->n + 1, sizeof(*out->items));
    out->items[out->n++] = (AddedSplit){ id, start, end };
}

/* Whether the match counts: not a control token in somebody's text, nor part of a word where it
 * must not be. */
static bool counts(const Search *s, const AddedToken *token, size_t start, size_t end)
{
    if (token->special && !s->marks[end - 1])
        return false;
    return !token->single_word || (!word_before(s->text, start) && !word_after(s->text, end));
}

void added_split(const Added *added, const AddedTrie *trie, Str text, const char *marks,
                 AddedSplits *out)
{
    const Search search = { added, trie, text, marks };
    size_t from = 0;
    out->n = 0;
    for (size_t at = 0; trie && at < text.len;) {
        size_t end = at;
        int32_t item =
            trie->starts[(unsigned char)text.data[at]] ? longest_at(&search, at, &end) : -1;
        if (item < 0) {
            at++;
            continue;
        }
        const AddedToken *token = &added->items[item];
        size_t start = at;
        at = end;
        if (!counts(&search, token, start, end))
            continue;
        if (token->lstrip && start > from)
            start = skip_space_back(text, start, from);
        if (token->rstrip)
            end = skip_space(text, end);
        if (from < start)
            push_split(out, -1, from, start);
        push_split(out, token->id, start, end);
        from = end;
    }
    if (from < text.len)
        push_split(out, -1, from, text.len);
}
