/* Measures the read rate of main memory.  Every thread reads a part of its own, which it has
 * written itself, so that the pages lie near it.  The best of several passes counts, half of which
 * ask for memory ahead of its use: the limit must be what the machine can do, or a share of it says
 * nothing. */
#include "config.h"

#include "src/memory_rate.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "src/base/clock.h"

enum {
    N_PASSES = 8,
    MAX_THREADS = 1024,
    AHEAD = 6144, /* bytes */
    HUGE_PAGE = 2 << 20
};

static const size_t LEAST_BYTES = (size_t)256 << 20, MOST_BYTES = (size_t)2 << 30;

typedef uint64_t Line __attribute__((vector_size(64)));

typedef struct {
    Line *lines;
    size_t n;              /* multiple of 2 */
    uint64_t sum;          /* kept, so that the reads are not optimised away */
    pthread_mutex_t *gate; /* held until the barrier knows how many threads there are */
    pthread_barrier_t *barrier;
} Part;

/* Two chains of wide additions, which do not wait for each other.  The last prefetches lie past the
 * end, which is harmless: they never fault. */
static uint64_t read_lines(const Line *lines, size_t n, size_t ahead)
{
    Line even = { 0 }, odd = { 0 };
    uint64_t total = 0;

    for (size_t i = 0; i < n; i += 2) {
        __builtin_prefetch((const char *)(lines + i) + ahead);
        __builtin_prefetch((const char *)(lines + i + 1) + ahead);
        even += lines[i];
        odd += lines[i + 1];
    }
    even += odd;
    for (size_t i = 0; i < sizeof even / sizeof even[0]; i++)
        total += even[i];
    return total;
}

static void *run_part(void *arg)
{
    Part *part = arg;

    pthread_mutex_lock(part->gate);
    pthread_mutex_unlock(part->gate);
    memset(part->lines, 1, part->n * sizeof *part->lines);
    for (int pass = 0; pass < N_PASSES; pass++) {
        pthread_barrier_wait(part->barrier);
        part->sum += read_lines(part->lines, part->n, pass % 2 ? AHEAD : 0);
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
    bytes = (bytes < room ? bytes : room) / HUGE_PAGE * HUGE_PAGE;
    return bytes > 0 ? bytes : HUGE_PAGE;
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
static int start_threads(int n, Line *buffer, size_t lines, pthread_t *ids, Part *parts)
{
    size_t each = lines / (size_t)n & ~(size_t)1;
    pthread_mutex_t *gate = parts[0].gate;
    pthread_barrier_t *barrier = parts[0].barrier;
    int started = 0;

    pthread_mutex_lock(gate);
    for (; started < n; started++) {
        parts[started] = (Part){
            .lines = buffer + (size_t)started * each, .n = each, .gate = gate, .barrier = barrier
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
    size_t bytes = choose_bytes();
    Line *buffer = aligned_alloc(HUGE_PAGE, bytes);
    int64_t best;
    int started;

    if (!buffer)
        return 0;
#ifdef MADV_HUGEPAGE
    madvise(buffer, bytes, MADV_HUGEPAGE);
#endif
    parts[0] = (Part){ .gate = &gate, .barrier = &barrier };
    started = start_threads(threads < 1             ? 1
                            : threads > MAX_THREADS ? MAX_THREADS
                                                    : threads,
                            buffer, bytes / sizeof *buffer, ids, parts);
    best = time_passes(&barrier);
    for (int i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    pthread_barrier_destroy(&barrier);
    pthread_mutex_destroy(&gate);
    free(buffer);
    return started && best > 0
               ? (double)parts[0].n * started * sizeof(Line) * 1e6 / (double)best
               : 0;
}
