/* Which backend a test runs on, and whether it can. */
#include "config.h"

#include "tests/other_backend.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/kernels.h"

const char *other_backend(const char *usual)
{
    const char *name = getenv("KAIWA_TEST_BACKEND");
    return name && *name ? name : usual;
}

bool backend_works(const char *name)
{
    const BackendOps *ops = backend_find(name);
    const BackendOptions options = { 0 };
    const char *why = "";
    Backend *backend;

    if (!ops || ops->open(&options, &backend, &why) != KS_OK) {
        printf("# no %s here: %s\n", name, ops ? why : "this build lacks it");
        return false;
    }
    ops->close(backend);
    return true;
}
