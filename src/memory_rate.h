/* How fast this machine reads memory: the yardstick of `bench`. */
#ifndef SRC_MEMORY_RATE_H
#define SRC_MEMORY_RATE_H

/* Bytes a second that `threads` threads read together from a buffer larger than the caches; the
 * best of several passes. 0: there is no memory for it. */
double memory_rate(int threads);

#endif
