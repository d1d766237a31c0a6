/* A growing list of token ids. */
#ifndef BASE_TOKENS_H
#define BASE_TOKENS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int32_t *ids;
    size_t n, cap;
} Tokens;

#define TOKENS_INIT                                                                                \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

void tokens_push(Tokens *t, int32_t id);
void tokens_append(Tokens *t, const int32_t *ids, size_t n);
void tokens_truncate(Tokens *t, size_t n);
void tokens_release(Tokens *t);
size_t tokens_common(const int32_t *a, size_t na, const int32_t *b,
                     size_t nb); /* length of the common prefix */

#endif
