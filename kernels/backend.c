/* The table of backends that this build has.  A new device is one row here and a folder beside
 * cpu/. */
#include "config.h"

#include <string.h>

#include "kernels/kernels.h"

/* The first row is free for backend_put_first. */
static const BackendOps *backends[] = {
    NULL,
#ifdef HAVE_CUDA
    &backend_cuda,
#endif
    &backend_cpu,
    &backend_reference,
};

enum { N_BACKENDS = sizeof backends / sizeof *backends };

const char *const k_phase_name[K_PHASES] = { "input",    "q, k, v", "attention", "o",
                                             "gate, up", "down",    "head",      "sampling" };

void backend_put_first(const BackendOps *ops)
{
    backends[0] = ops;
}

const BackendOps *const *backend_table(int *n)
{
    int first = backends[0] == NULL;

    *n = N_BACKENDS - first;
    return backends + first;
}

const BackendOps *backend_find(const char *name)
{
    int n;
    const BackendOps *const *table = backend_table(&n);

    for (int i = 0; i < n; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}
