/* Mistral 7B and its kin: Llama with a sliding window in version 0.1.  GGUF files of it call
 * themselves llama. */
#include "config.h"

#include "engine/arch.h"

const Arch arch_mistral = {
    .name = "mistral",
    .model_type = "mistral",
    .architecture = "MistralForCausalLM",
    .window = WINDOW_STATED,
    .defaults = { .vocab = 32000,
                  .hidden = 4096,
                  .intermediate = 14336,
                  .layers = 32,
                  .heads = 32,
                  .kv_heads = 8,
                  .max_positions = 131072,
                  .window = 4096,
                  .eps = 1e-6,
                  .theta = 10000 },
};
