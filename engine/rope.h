/* Rotary position embedding: inverse frequencies with a model's scaling folded in. */
#ifndef ENGINE_ROPE_H
#define ENGINE_ROPE_H

#include <stdbool.h>

#include "engine/fields.h"
#include "src/base/error.h"

typedef struct {
    const char *type; /* "none", "linear", "dynamic", "llama3", "yarn", "longrope" */
    double theta;
    int dims;         /* of a head that are rotated; even */
    double *inv_freq; /* [dims / 2], owned */
    float scale;      /* factor on cos and sin */
    int max_context;  /* positions that these frequencies serve */
} Rope;

/* What scaling starts from. */
typedef struct {
    int head_dim;
    int max_positions; /* as the model states it */
    double theta;      /* default */
} RopeBase;

/* fields: config.json, with rope_theta, rope_scaling and partial_rotary_factor, or transformers 5's
 * rope_parameters; or GGUF, with ARCH.rope.* keys and the tensors rope_freqs.weight and
 * rope_factors_short.weight.
 *
 * dynamic scaling changes nothing up to max_positions, and longrope's short factors hold up to the
 * original length: both are used as such, with max_context set accordingly. Source: transformers,
 * modeling_rope_utils.py; llama.cpp, llama-model.cpp and ggml's rope_yarn. */
bool rope_read(const Fields *fields, const RopeBase *base, Rope *out);
void rope_release(Rope *rope);

#endif
