/* The directory that quantising writes: OUT.partial until everything is in it, then renamed.
 *
 * All shapes are known beforehand, so the weights are one file of its final size from the start (a
 * disk that is too small says so at once), into which each tensor is written at its place. */
#ifndef ENGINE_QUANTIZE_OUTPUT_H
#define ENGINE_QUANTIZE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/modelfile.h"
#include "engine/quantize_solve.h"
#include "kernels/kernels.h"
#include "src/base/buf.h"
#include "src/base/error.h"

typedef struct {
    char *name;
    const char *dtype;
    int64_t dims[2]; /* dims[1] 0: a vector */
    uint64_t from, bytes;
} OutTensor;

typedef struct {
    const ModelFile *file;
    const ModelWeights *weights;
    const ModelShape *shape;
    const GptqSettings *settings;
    bool tied;
} OutputSpec;

typedef struct {
    OutputSpec spec;
    char *out, *partial; /* paths of the directories */
    char weights_name[64];
    int lock, fd;
    OutTensor *tensors;
    size_t n_tensors, cap_tensors;
    uint64_t data_from, end;
    bool made; /* the directory was made by this run */
} Output;

/* Whether OUT can be written at all: before anything is read. */
bool output_check(const char *out, Error *err);
/* Makes or opens OUT.partial, and holds its lock. */
bool output_open(Output *output, const char *out, const OutputSpec *spec, Error *err);
/* The weight file, and in it what is not quantised.  Not again when a run goes on. */
bool output_begin(Output *output, Error *err);
bool output_continue(Output *output, Error *err);
/* The four tensors of a quantised matrix; name: without a suffix. */
bool output_matrix(Output *output, const char *name, const GptqMatrix *matrix,
                   const Hessian *hessian, Error *err);
bool output_sync(Output *output, Error *err);
/* Configuration and tokenizer; then the new name. */
bool output_finish(Output *output, Error *err);
/* Removes what a run made that did not get as far as its first layer. */
void output_undo(Output *output);
void output_close(Output *output);

#endif
