/* A growing list of token ids. */
#include "config.h"

#include "src/base/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"

void tokens_push(Tokens *t, int32_t id)
{
    t->ids = mem_grow(t->ids, &t->cap, t->n + 1, sizeof *t->ids);
    t->ids[t->n++] = id;
}

void tokens_append(Tokens *t, const int32_t *ids, size_t n)
{
    if (n == 0)
        return;
    t->ids = mem_grow(t->ids, &t->cap, t->n + n, sizeof *t->ids);
    memcpy(t->ids + t->n, ids, n * sizeof *ids);
    t->n += n;
}

void tokens_truncate(Tokens *t, size_t n)
{
    if (n < t->n)
        t->n = n;
}

void tokens_release(Tokens *t)
{
    free(t->ids);
    *t = (Tokens)TOKENS_INIT;
}

size_t tokens_common(const int32_t *a, size_t na, const int32_t *b, size_t nb)
{
    size_t n = 0, max = na < nb ? na : nb;

    while (n < max && a[n] == b[n])
        n++;
    return n;
}
