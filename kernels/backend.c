/* The table of backends that this build has.  A new device is one row here and a folder beside
 * cpu/. */
#include "config.h"

#include <string.h>

#include "kernels/kernels.h"

static const BackendOps *const backends[] = {
#ifdef HAVE_CUDA
    &backend_cuda,
#endif
    &backend_cpu,
    &backend_reference,
};

enum { N_BACKENDS = sizeof backends / sizeof *backends };

const BackendOps *const *backend_table(int *n)
{
    *n = N_BACKENDS;
    return backends;
}

const BackendOps *backend_find(const char *name)
{
    for (int i = 0; i < N_BACKENDS; i++)
        if (strcmp(backends[i]->name, name) == 0)
            return backends[i];
    return NULL;
}
