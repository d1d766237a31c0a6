/* How far a half-done run got, in OUT.partial: state.json, and the activations after the last layer
 * that is done.  Written after each layer so that at any moment what is there fits together. */
#ifndef ENGINE_QUANTIZE_STATE_H
#define ENGINE_QUANTIZE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"

/* Of the input and everything that the result depends on. */
typedef struct {
    uint64_t hash;
} Fingerprint;

void fingerprint_add(Fingerprint *print, const void *bytes, size_t n);

enum { STREAMS = 3 };

typedef struct {
    const char *dir; /* borrowed */
    Fingerprint print;
    int layers_done;        /* -1: nothing was begun */
    float *stream[STREAMS]; /* borrowed: activations */
    size_t n_values[STREAMS];
} QuantizeState;

/* Sets layers_done and reads the activations.  A directory that holds another run is an error. */
bool state_load(QuantizeState *state, Error *err);
bool state_save(QuantizeState *state, int layers_done, Error *err);
/* Nothing of it stays in dir, which may have another name by now. */
void state_remove(const QuantizeState *state, const char *dir);

#endif
