/* Packed 4-bit weights: what a model says about them, and a checked description of each matrix for
 * the backends. Layouts: AutoGPTQ (nn_modules/qlinear), GPTQModel (quantization/config.py), AutoAWQ
 * (modules/linear/gemm.py). */
#ifndef ENGINE_QUANT_H
#define ENGINE_QUANT_H

#include <stdbool.h>

#include "engine/modelfile.h"
#include "kernels/kernels.h"
#include "src/base/error.h"

typedef struct {
    QuantPacking packing; /* PACK_NONE: the model says nothing of quantisation */
    int group_size; /* -1: one group a column; 0: not stated, or differs by module: each matrix's
                       shape decides */
    bool symmetric; /* every zero point is 8: as found if there are packed matrices, else as stated
                     */
    QuantZero zero_rule;
} QuantSpec;

/* Reads the quantisation config and refuses what is not 4-bit GPTQ or AWQ GEMM by its name.  Looks
 * at all zero points of the file: where a symmetric model's contradict its stated format version,
 * they win, with a warning in the log. */
bool quant_spec_read(const ModelFile *file, QuantSpec *out, Error *err);

/* Describes the matrix whose tensors are called prefix.qweight and so on; *linear has n_out and
 * n_in and gets quant. All of qzeros, scales and g_idx is checked; qweight is not touched. */
bool quant_describe(const ModelFile *file, const QuantSpec *spec, const char *prefix,
                    Linear *linear, Error *err);

#endif
