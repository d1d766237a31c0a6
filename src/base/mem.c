/* Memory policy: small allocations abort with one clear line, large ones return NULL.
 *
 * The line goes to standard error (a log file while the screen is up); abort() then runs the
 * program's crash handler, which gives the terminal back. */
#include "config.h"

#include "src/base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/attributes.h"

#ifdef TEST_SMALL
enum { GROW_FIRST = 1 };
#else
enum { GROW_FIRST = 16 };
#endif

static atomic_long fail_in; /* 0: never; 1: the next mem_try_alloc fails */

static NO_RETURN void out_of_memory(void)
{
    static const char line[] = "kaiwa: out of memory\n";

    if (write(STDERR_FILENO, line, sizeof line - 1) < 0)
        abort();
    abort();
}

bool mem_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool mem_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

void *xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *xrealloc(void *p, size_t n)
{
    p = realloc(p, n ? n : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *xreallocarray(void *p, size_t count, size_t size)
{
    size_t n;

    if (!mem_mul(count, size, &n))
        out_of_memory();
    return xrealloc(p, n);
}

char *xstrdup(const char *s)
{
    return s ? xstrndup(s, strlen(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = xmalloc(len + 1);

    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

void mem_fail_at(long n)
{
    atomic_store(&fail_in, n);
}

void *mem_try_alloc(size_t count, size_t size)
{
    size_t n;

    if (atomic_load(&fail_in) > 0 && atomic_fetch_sub(&fail_in, 1) == 1)
        return NULL;
    /* calloc checks the product too, but PTRDIFF_MAX keeps pointer differences within it defined.
     */
    if (!mem_mul(count, size, &n) || n > PTRDIFF_MAX)
        return NULL;
    return calloc(count ? count : 1, size ? size : 1);
}

void *mem_grow(void *array, size_t *cap, size_t want, size_t size)
{
    size_t next = *cap ? *cap : GROW_FIRST;

    if (want <= *cap)
        return array;
    while (next < want)
        if (!mem_mul(next, 2, &next))
            out_of_memory();
    array = xreallocarray(array, next, size);
    *cap = next;
    return array;
}
