/* Maps model files.  A file that shrinks while it is mapped raises SIGBUS on access; the handler
 * belongs to the program, here is only the registry it asks.  The registry holds copies of the
 * paths in static memory, so that a handler never follows a pointer that another thread frees. */
#include "config.h"

#include "engine/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"

enum { N_SLOTS = 128, SLOT_PATH = 512 };

typedef struct {
    atomic_bool taken;
    atomic_uintptr_t start; /* 0: nothing to see; written last */
    atomic_uintptr_t end;
    char path[SLOT_PATH];
} Slot;

static Slot slots[N_SLOTS];

static int slot_take(const Mapping *mapping)
{
    size_t len = strlen(mapping->path);

    for (int i = 0; i < N_SLOTS; i++) {
        bool expected = false;
        if (!atomic_compare_exchange_strong(&slots[i].taken, &expected, true))
            continue;
        if (len >= SLOT_PATH)
            len = SLOT_PATH - 1;
        memcpy(slots[i].path, mapping->path, len);
        slots[i].path[len] = '\0';
        atomic_store(&slots[i].end, (uintptr_t)mapping->data + mapping->bytes);
        atomic_store(&slots[i].start, (uintptr_t)mapping->data);
        return i;
    }
    return -1;
}

const char *mapping_path_at(const void *address)
{
    uintptr_t at = (uintptr_t)address;

    for (int i = 0; i < N_SLOTS; i++) {
        uintptr_t start = atomic_load(&slots[i].start);
        if (start != 0 && at >= start && at < atomic_load(&slots[i].end))
            return slots[i].path;
    }
    return NULL;
}

static bool map_fd(Mapping *mapping, int fd, Error *err)
{
    struct stat info;
    void *data;

    if (fstat(fd, &info) != 0)
        return error_errno(err, "%s", mapping->path);
    if (!S_ISREG(info.st_mode))
        return error_set(err, ERR_FORMAT, _("%s: not a regular file"), mapping->path);
    if (info.st_size <= 0)
        return error_set(err, ERR_FORMAT, _("%s: the file is empty"), mapping->path);
    if ((uint64_t)info.st_size > PTRDIFF_MAX)
        return error_set(err, ERR_UNSUPPORTED, _("%s: the file is too large to map"),
                         mapping->path);
    data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return error_errno(err, "%s", mapping->path);
    mapping->data = data;
    mapping->bytes = (size_t)info.st_size;
    return true;
}

bool mapping_open(Mapping *mapping, const char *path, Error *err)
{
    /* Without O_NONBLOCK, opening a named pipe would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok;

    *mapping = (Mapping){ .slot = -1 };
    if (fd < 0)
        return error_errno(err, "%s", path);
    mapping->path = xstrdup(path);
    mapping->name = path_base(mapping->path);
    ok = map_fd(mapping, fd, err);
    close(fd);
    if (ok)
        mapping->slot = slot_take(mapping);
    else
        mapping_close(mapping);
    return ok;
}

void mapping_close(Mapping *mapping)
{
    if (mapping->data) {
        if (mapping->slot >= 0) {
            atomic_store(&slots[mapping->slot].start, 0);
            atomic_store(&slots[mapping->slot].taken, false);
        }
        munmap((void *)mapping->data, mapping->bytes);
    }
    free(mapping->path);
    *mapping = (Mapping){ .slot = -1 };
}
