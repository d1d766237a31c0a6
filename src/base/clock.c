/* The two clocks, and the virtual one that replays and tests put in their place. */
#include "config.h"

#include "src/base/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

static _Atomic(const int64_t *) virtual_us;

/* A test steps its clock with a plain store while other threads look at it: one aligned word, which
 * may be seen a moment late.  ThreadSanitizer would call every such test a race. */
__attribute__((noinline, no_sanitize_thread)) static int64_t peek(const int64_t *clock)
{
    return *(const volatile int64_t *)clock;
}

static int64_t read_us(clockid_t id)
{
    const int64_t *fake = atomic_load(&virtual_us);
    struct timespec now;

    if (fake)
        return peek(fake);
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

void clock_set_virtual(const int64_t *now_us)
{
    atomic_store(&virtual_us, now_us);
}
