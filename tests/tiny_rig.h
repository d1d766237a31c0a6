/* A small random model on a backend, and what tests do with one. */
#ifndef TESTS_TINY_RIG_H
#define TESTS_TINY_RIG_H

#include "tests/zoo.h"

enum { CONTEXT = 700 };

/* A model on a backend, with one timeline. */
typedef struct {
    const BackendOps *ops;
    Backend *backend;
    Loaded *loaded;
    Timeline *timeline;
    int n_vocab;
} Rig;

/* ops is NULL when this machine lacks the instruction set. */
Rig rig_open(TinyModel *model, const char *backend, const char *isa, int threads, int context);
void rig_close(Rig *rig);
void rig_feed(Rig *rig, const int32_t *ids, int n, Want want);
/* Logits after the last of n tokens that are fed from the start in pieces of `piece`; the caller's
 * to free. */
float *rig_logits(Rig *rig, const int32_t *ids, int n, int piece);
/* The caller's to free. */
int32_t *random_ids(int n, int n_vocab, uint64_t seed);
/* Norm of the difference over norm. */
double relative_error(const float *got, const float *want, int n);

#endif
