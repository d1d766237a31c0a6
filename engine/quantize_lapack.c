/* LAPACK's dpotrf and dtrtri by Fortran's rules: every argument a pointer, matrices by columns, the
 * lengths of character arguments at the end. */
#include "config.h"

#include "engine/quantize_lapack.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/log.h"

typedef void Factor(const char *uplo, const int *n, double *a, const int *lda, int *info,
                    size_t uplo_len);
typedef void Invert(const char *uplo, const char *diag, const int *n, double *a, const int *lda,
                    int *info, size_t uplo_len, size_t diag_len);
typedef void SetThreads(int n);

/* The same interface; the first is some ten times as fast on matrices of several thousand. */
static const char *const libraries[] = { "libopenblas.so.0", "liblapack.so.3" };

static bool open_library(Lapack *lapack, const char *name)
{
    void *set;

    lapack->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!lapack->library)
        return false;
    *(void **)&lapack->potrf = dlsym(lapack->library, "dpotrf_");
    *(void **)&lapack->trtri = dlsym(lapack->library, "dtrtri_");
    if (!lapack->potrf || !lapack->trtri) {
        lapack_close(lapack);
        return false;
    }
    /* Its sums would depend on the number of its threads. */
    set = dlsym(lapack->library, "openblas_set_num_threads");
    if (set) {
        SetThreads *set_threads;
        memcpy(&set_threads, &set, sizeof set_threads);
        set_threads(1);
    }
    log_write(LOG_INFO, "factorisations by %s", name);
    return true;
}

bool lapack_open(Lapack *lapack, Error *err)
{
    *lapack = (Lapack){ 0 };
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++)
        if (open_library(lapack, libraries[i]))
            return true;
    return error_set(err, ERR_NOT_FOUND,
                     _("liblapack.so.3: not found; quantising needs LAPACK (on Debian: apt-get "
                       "install liblapack3)"));
}

void lapack_close(Lapack *lapack)
{
    if (lapack->library)
        dlclose(lapack->library);
    *lapack = (Lapack){ 0 };
}

int lapack_inverse_factor(const Lapack *lapack, double *a, int n)
{
    Factor *factor;
    Invert *invert;
    int info = 0;

    memcpy(&factor, &lapack->potrf, sizeof factor);
    memcpy(&invert, &lapack->trtri, sizeof invert);
    factor("L", &n, a, &n, &info, 1);
    if (info == 0)
        invert("L", "N", &n, a, &n, &info, 1, 1);
    return info;
}
