/* How to choose a token: what a person sets and a conversation remembers.  The arithmetic is
 * kernels/sample.h. */
#ifndef BASE_SAMPLING_H
#define BASE_SAMPLING_H

#include <stdint.h>

typedef struct Sampling {
    double temperature, top_p, min_p, repeat_penalty, frequency_penalty, presence_penalty;
    int top_k, repeat_window;
    uint64_t seed;
} Sampling;

#define SAMPLING_INIT                                                                              \
    {                                                                                              \
        0.6, 0.9, 0.0, 1.0, 0.0, 0.0, 50, 0, 0                                                     \
    }

#endif
