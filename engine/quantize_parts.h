/* What the files of a quantising run share. */
#ifndef ENGINE_QUANTIZE_PARTS_H
#define ENGINE_QUANTIZE_PARTS_H

#include "engine/engine.h"
#include "engine/model.h"
#include "engine/quantize_forward.h"
#include "engine/quantize_output.h"
#include "engine/quantize_solve.h"
#include "engine/quantize_state.h"

/* The texts on their way through the layers: the calibration text and the held-out one through
 * quantised layers, the held-out one through the original ones. */
typedef enum { STREAM_CALIBRATION, STREAM_AFTER, STREAM_BEFORE } StreamName;

typedef struct {
    const Progress *progress;
    ModelFile *file;
    Model *model;
    GptqSettings settings;
    Lapack lapack;
    Dense *dense;
    Forward forward;
    Windows windows[STREAMS]; /* STREAM_BEFORE: a borrowed copy of STREAM_AFTER's */
    float *x[STREAMS];        /* (tokens, hidden) */
    float *attn;              /* (calibration tokens, heads * head_dim) */
    Output output;
    QuantizeState state;
} Quantizer;

/* ERR_CANCELLED once the caller wants no more. */
bool quantizer_goes_on(const Quantizer *q, Error *err);
/* Quantises a layer and takes all streams through it. */
bool quantize_layer(Quantizer *q, int layer, Error *err);
/* Mean negative log-likelihood of a token given those before it in its window. */
bool quantize_loss(Quantizer *q, StreamName stream, double *nll, Error *err);

#endif
