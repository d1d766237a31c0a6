/* Measures the read rate of main memory.  Every thread reads a part of its own, which it has
 * written itself, so that the pages lie near it. */
#include "config.h"

#include "src/memory_rate.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/mem.h"

enum { N_PASSES = 5, MAX_THREADS = 1024 };

static const size_t LEAST_BYTES = (size_t)256 << 20, MOST_BYTES = (size_t)2 << 30;

typedef struct {
    uint64_t *words;
    size_t n;              /* multiple of 8 */
    uint64_t sum;          /* kept, so that the reads are not optimised away */
    pthread_mutex_t *gate; /* held until the barrier knows how many threads there are */
    pthread_barrier_t *barrier;
} Part;

/* Eight chains, so that the additions do not wait for each other. */
static uint64_t read_words(const uint64_t *words, size_t n)
{
    uint64_t sum[8] = { 0 };

    for (size_t i = 0; i < n; i += 8)
        for (int lane = 0; lane < 8; lane++)
            sum[lane] += words[i + (size_t)lane];
    return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

static void *run_part(void *arg)
{
    Part *part = arg;

    pthread_mutex_lock(part->gate);
    pthread_mutex_unlock(part->gate);
    memset(part->words, 1, part->n * sizeof *part->words);
    for (int pass = 0; pass < N_PASSES; pass++) {
        pthread_barrier_wait(part->barrier);
        part->sum += read_words(part->words, part->n);
        pthread_barrier_wait(part->barrier);
    }
    return NULL;
}

/* Four times the last cache, within what a quarter of the machine's memory allows. */
static size_t choose_bytes(void)
{
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE), pages = sysconf(_SC_AVPHYS_PAGES),
         page = sysconf(_SC_PAGESIZE);
    size_t bytes = cache > 0 ? 4 * (size_t)cache : LEAST_BYTES;
    size_t room = pages > 0 && page > 0 ? (size_t)pages * (size_t)page / 4 : MOST_BYTES;

    bytes = bytes < LEAST_BYTES ? LEAST_BYTES : bytes > MOST_BYTES ? MOST_BYTES : bytes;
    return bytes < room ? bytes : room;
}

/* Shortest pass in microseconds; the main thread only keeps time. */
static int64_t time_passes(pthread_barrier_t *barrier)
{
    int64_t best = INT64_MAX;

    for (int pass = 0; pass < N_PASSES; pass++) {
        int64_t start, took;

        pthread_barrier_wait(barrier);
        start = clock_mono_us();
        pthread_barrier_wait(barrier);
        took = clock_mono_us() - start;
        best = took < best ? took : best;
    }
    return best;
}

/* Starts up to n threads on parts of buffer; returns how many run. */
static int start_threads(int n, uint64_t *buffer, size_t words, pthread_t *ids, Part *parts)
{
    size_t each = words / (size_t)n & ~(size_t)7;
    pthread_mutex_t *gate = parts[0].gate;
    pthread_barrier_t *barrier = parts[0].barrier;
    int started = 0;

    pthread_mutex_lock(gate);
    for (; started < n; started++) {
        parts[started] = (Part){
            .words = buffer + (size_t)started * each, .n = each, .gate = gate, .barrier = barrier
        };
        if (pthread_create(&ids[started], NULL, run_part, &parts[started]) != 0)
            break;
    }
    pthread_barrier_init(barrier, NULL, (unsigned)started + 1);
    pthread_mutex_unlock(gate);
    return started;
}

double memory_rate(int threads)
{
    pthread_t ids[MAX_THREADS];
    Part parts[MAX_THREADS];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_barrier_t barrier;
    size_t words = choose_bytes() / sizeof(uint64_t);
    uint64_t *buffer = mem_try_alloc(words, sizeof *buffer);
    int64_t best;
    int started;

    if (!buffer)
        return 0;
    parts[0] = (Part){ .gate = &gate, .barrier = &barrier };
    started = start_threads(threads < 1             ? 1
                            : threads > MAX_THREADS ? MAX_THREADS
                                                    : threads,
                            buffer, words, ids, parts);
    best = time_passes(&barrier);
    for (int i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    pthread_barrier_destroy(&barrier);
    pthread_mutex_destroy(&gate);
    free(buffer);
    return started && best > 0
               ? (double)parts[0].n * started * sizeof(uint64_t) * 1e6 / (double)best
               : 0;
}
