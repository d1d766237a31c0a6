/* For tests: a call of ours that must succeed, with the name err for its last argument. */
#ifndef TESTS_GOOD_H
#define TESTS_GOOD_H

#include "src/base/error.h"

#define GOOD(call)                                                                                 \
    do {                                                                                           \
        Error err = ERROR_INIT;                                                                    \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

#endif
