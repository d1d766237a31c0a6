/* The small files beside the quantised weights. */
#ifndef ENGINE_QUANTIZE_CONFIG_H
#define ENGINE_QUANTIZE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/modelfile.h"
#include "engine/quantize_solve.h"
#include "src/base/error.h"

/* "gptq_model-4bit-128g": what AutoGPTQ calls the weight file. */
void quantize_base_name(const GptqSettings *settings, char *out, size_t size);
/* quantize_config.json, config.json that says the same, and what else belongs to a model, into dir.
 */
bool quantize_write_configs(const ModelFile *file, const GptqSettings *settings, const char *dir,
                            Error *err);

#endif
