/* Tests that can run on another backend: $KAIWA_TEST_BACKEND names it. */
#ifndef TESTS_OTHER_BACKEND_H
#define TESTS_OTHER_BACKEND_H

#include <stdbool.h>

/* The backend that the test is about: the environment's, else usual. */
const char *other_backend(const char *usual);
/* Whether this build has it and this machine can run it; says why not. */
bool backend_works(const char *name);

#endif
