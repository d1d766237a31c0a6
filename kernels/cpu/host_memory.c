/* How much memory the system could still give to this process: what it calls available, and less
 * where a control group allows less (a container sees the whole machine's memory otherwise). */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cpu/forward.h"

/* The number at the start of a file, or SIZE_MAX where there is none ("max"). */
static size_t number_in(const char *path)
{
    FILE *file = fopen(path, "re");
    unsigned long long n = 0;
    if (!file)
        return SIZE_MAX;
    bool good = fscanf(file, "%llu", &n) == 1 && n < SIZE_MAX;
    fclose(file);
    return good ? (size_t)n : SIZE_MAX;
}

static size_t system_available(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    unsigned long long kib = 0;
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "MemAvailable: %llu kB", &kib) == 1;
    if (file)
        fclose(file);
    if (found)
        return (size_t)kib * 1024;
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages / 2 * (size_t)size : 0;
}

size_t host_free_bytes(void)
{
    /* Control groups, version 2 and 1, as a container sees its own. */
    static const char *const groups[][2] = {
        { "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current" },
        { "/sys/fs/cgroup/memory/memory.limit_in_bytes",
          "/sys/fs/cgroup/memory/memory.usage_in_bytes" },
    };
    size_t least = system_available();
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        size_t limit = number_in(groups[i][0]), used = number_in(groups[i][1]);
        if (limit == SIZE_MAX || used == SIZE_MAX)
            continue;
        size_t left = limit > used ? limit - used : 0;
        least = left < least ? left : least;
    }
    return least;
}
