/* A ModelFile bound to a family: every tensor found, checked against the shape, and described for a
 * backend. */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include <stdbool.h>

#include "engine/modelfile.h"
#include "kernels/kernels.h"
#include "src/base/error.h"

typedef struct Model Model;

/* What the engine wants to know beyond ModelShape. */
typedef struct {
    const char *family;   /* arch row's name */
    const char *quant;    /* "gptq", "awq", "none" or the block type most linears have */
    int bits, group_size; /* 0: not grouped; -1: one group */
    bool act_order, symmetric, has_bias, tied;
    const char *zero_rule; /* "v1", "v2", "" */
    double rope_theta;
    const char *rope_scaling;
} ModelTraits;

/* file is borrowed and must outlive the model.  n_tokens: the tokenizer's size.  with_weights
 * false: only the shape is read. */
Model *model_bind(const ModelFile *file, int n_tokens, bool with_weights, Error *err);
void model_free(Model *model);
const ModelShape *model_shape(const Model *model);
const ModelWeights *model_weights(const Model *model); /* NULL without weights */
const ModelTraits *model_traits(const Model *model);

#endif
