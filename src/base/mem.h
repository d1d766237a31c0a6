/* Memory.  Small allocations (sizes the program chose) abort with a clear line when memory is out.
 * Sizes that a user or a file chose go through mem_try_*, which return NULL. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t n);
void *xreallocarray(void *p, size_t count, size_t size);
char *xstrdup(const char *s); /* NULL gives NULL */
char *xstrndup(const char *s, size_t n);

void *mem_try_alloc(size_t count, size_t size); /* zeroed; NULL on overflow or when out of memory */
bool mem_mul(size_t a, size_t b, size_t *out);  /* false on overflow */
bool mem_add(size_t a, size_t b, size_t *out);  /* false on overflow */

/* Grows `array` (of elements of `size`) so that it holds at least `want`; updates *cap. */
void *mem_grow(void *array, size_t *cap, size_t want, size_t size);

/* Tests: the n-th mem_try_alloc from now fails (0: never). */
void mem_fail_at(long n);

#endif
