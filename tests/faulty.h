/* A backend that fails when it is told to: all else is done by another one. */
#ifndef TESTS_FAULTY_H
#define TESTS_FAULTY_H

#include "kernels/kernels.h"

/* After `after` calls that are carried out, one fails so. */
typedef struct {
    KStatus status; /* KS_OK: never */
    int after, code;
    const char *what;
} Fault;

typedef struct {
    Fault load, feed, step;
    int most_context; /* longer timelines find no memory; 0: as the other backend */
} Faults;

/* "faulty", the first backend of the table, over inner.  The faults are the caller's and may change
 * at any time. */
void faulty_install(const BackendOps *inner, Faults *faults);
void faulty_remove(void);

#endif
