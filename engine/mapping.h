/* Whole files mapped read-only, and a registry that tells a SIGBUS handler which of them an address
 * belongs to. */
#ifndef ENGINE_MAPPING_H
#define ENGINE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"

typedef struct {
    const uint8_t *data;
    size_t bytes;
    char *path;
    const char *name; /* base name of path, for sentences */
    int slot;         /* in the registry; -1 when that is full */
} Mapping;

/* Regular files only; symbolic links are followed.  An empty file is ERR_FORMAT. */
bool mapping_open(Mapping *mapping, const char *path, Error *err);
void mapping_close(Mapping *mapping); /* fine on a zeroed Mapping */
/* Path of the open mapping that holds the address, or NULL.  Async-signal-safe. */
const char *mapping_path_at(const void *address);

#endif
