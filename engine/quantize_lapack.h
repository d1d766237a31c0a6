/* The two factorisations of LAPACK that quantising needs, opened at run time: a chat needs none, so
 * it neither starts slower for them nor requires the library. */
#ifndef ENGINE_QUANTIZE_LAPACK_H
#define ENGINE_QUANTIZE_LAPACK_H

#include <stdbool.h>

#include "src/base/error.h"

typedef struct {
    void *library;
    void (*potrf)(void); /* called through lapack_factor alone */
    void (*trtri)(void);
} Lapack;

bool lapack_open(Lapack *lapack, Error *err);
void lapack_close(Lapack *lapack);

/* a (n, n), symmetric, seen as columns: its lower triangle becomes the inverse of its lower
 * Cholesky factor.  Returns 0, or the number of the column where a was not positive definite. */
int lapack_inverse_factor(const Lapack *lapack, double *a, int n);

#endif
