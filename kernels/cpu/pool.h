/* A few threads that share loops.
 *
 * pool_run cuts [0, n) into single items, which the caller and the workers take one by one; it
 * returns when all are done. Which thread takes which item is left to chance, so an item's result
 * must not depend on it.  One caller at a time. */
#ifndef KERNELS_CPU_POOL_H
#define KERNELS_CPU_POOL_H

typedef struct Pool Pool;

/* thread: 0 for the caller, up to threads - 1: for scratch memory. */
typedef void PoolItem(void *arg, int item, int thread);

/* threads >= 1, the caller included.  NULL when out of memory or threads. */
Pool *pool_new(int threads);
void pool_free(Pool *pool);
int pool_threads(const Pool *pool);
/* 0 <= n <= POOL_MAX_ITEMS. */
void pool_run(Pool *pool, int n, PoolItem *run, void *arg);

enum { POOL_MAX_ITEMS = (1 << 22) - 1 };

#endif
