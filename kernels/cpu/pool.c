/* The thread pool.
 *
 * One atomic word, the ticket, holds the generation of the loop, its length and the next item.
 * Taking an item is one fetch-and-add; because all three come back together, a worker that wakes
 * late can never take an item of a loop that has ended, and nobody waits for workers that sleep.
 * Between loops workers spin for some microseconds, then sleep. */
#include "config.h"

#include "kernels/cpu/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { ITEM_BITS = 23, SPINS = 3000, MAX_THREADS = 256 };

#define ITEM_MASK (((uint64_t)1 << ITEM_BITS) - 1)

typedef struct {
    Pool *pool;
    pthread_t handle;
    int thread;
} PoolWorker;

struct Pool {
    _Alignas(64) _Atomic uint64_t ticket; /* generation | n | next item */
    _Alignas(64) atomic_int done;         /* items of this generation that are finished */
    _Alignas(64) _Atomic(PoolItem *) run;
    _Atomic(void *) arg;
    atomic_int sleepers;
    atomic_bool quit;
    int n_threads, n_workers;
    PoolWorker *workers; /* n_workers */
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static int ticket_n(uint64_t ticket)
{
    return (int)(ticket >> ITEM_BITS & ITEM_MASK);
}

static int ticket_item(uint64_t ticket)
{
    return (int)(ticket & ITEM_MASK);
}

/* Works on whatever loop there is until no item is left. */
static void take_items(Pool *pool, int thread)
{
    uint64_t ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
    while (ticket_item(ticket) < ticket_n(ticket)) {
        ticket = atomic_fetch_add_explicit(&pool->ticket, 1, memory_order_acq_rel);
        if (ticket_item(ticket) >= ticket_n(ticket))
            return;
        /* The loop cannot end before this item does, so run and arg are of its generation. */
        PoolItem *run = atomic_load_explicit(&pool->run, memory_order_relaxed);
        run(atomic_load_explicit(&pool->arg, memory_order_relaxed), ticket_item(ticket), thread);
        atomic_fetch_add_explicit(&pool->done, 1, memory_order_release);
        ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
    }
}

static bool has_work(Pool *pool)
{
    uint64_t ticket = atomic_load(&pool->ticket);
    return ticket_item(ticket) < ticket_n(ticket) || atomic_load(&pool->quit);
}

static void sleep_until_work(Pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!has_work(pool))
        pthread_cond_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

static void *worker_main(void *arg)
{
    PoolWorker *worker = arg;
    Pool *pool = worker->pool;
    while (!atomic_load_explicit(&pool->quit, memory_order_acquire)) {
        int spins = 0;
        while (!has_work(pool) && spins++ < SPINS)
            pause_briefly();
        if (!has_work(pool))
            sleep_until_work(pool);
        take_items(pool, worker->thread);
    }
    return NULL;
}

static void wake_sleepers(Pool *pool)
{
    if (atomic_load(&pool->sleepers) == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

Pool *pool_new(int threads)
{
    if (threads < 1 || threads > MAX_THREADS)
        return NULL;
    Pool *pool = aligned_alloc(64, (sizeof *pool + 63) / 64 * 64);
    if (!pool)
        return NULL;
    *pool = (Pool){ .n_threads = threads };
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    bool ok = pool->workers != NULL;
    for (int i = 0; ok && i < threads - 1; i++) {
        pool->workers[i] = (PoolWorker){ .pool = pool, .thread = i + 1 };
        ok = pthread_create(&pool->workers[i].handle, NULL, worker_main, &pool->workers[i]) == 0;
        pool->n_workers += ok;
    }
    if (ok)
        return pool;
    pool_free(pool);
    return NULL;
}

void pool_free(Pool *pool)
{
    if (!pool)
        return;
    atomic_store(&pool->quit, true);
    wake_sleepers(pool);
    for (int i = 0; i < pool->n_workers; i++)
        pthread_join(pool->workers[i].handle, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

int pool_threads(const Pool *pool)
{
    return pool->n_threads;
}

void pool_run(Pool *pool, int n, PoolItem *run, void *arg)
{
    if (pool->n_workers == 0 || n <= 1) {
        for (int i = 0; i < n; i++)
            run(arg, i, 0);
        return;
    }
    atomic_store_explicit(&pool->run, run, memory_order_relaxed);
    atomic_store_explicit(&pool->arg, arg, memory_order_relaxed);
    atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
    uint64_t generation =
        atomic_load_explicit(&pool->ticket, memory_order_relaxed) >> 2 * ITEM_BITS;
    atomic_store(&pool->ticket, (generation + 1) << 2 * ITEM_BITS | (uint64_t)n << ITEM_BITS);
    wake_sleepers(pool);
    take_items(pool, 0);
    for (int spins = 0; atomic_load_explicit(&pool->done, memory_order_acquire) < n; spins++) {
        if (spins < SPINS)
            pause_briefly();
        else
            sched_yield(); /* a worker was interrupted in the middle of an item */
    }
}
