/* Llama 1 to 3 and what was built on them: Code Llama, SmolLM2, ELYZA, Swallow, TinyLlama, … */
#include "config.h"

#include "engine/arch.h"

const Arch arch_llama = {
    .name = "llama",
    .model_type = "llama",
    .architecture = "LlamaForCausalLM",
    .gguf = "llama",
    .gguf_pairing = ROPE_INTERLEAVED,
    .window = WINDOW_NEVER,
    .defaults = { .vocab = 32000,
                  .hidden = 4096,
                  .intermediate = 11008,
                  .layers = 32,
                  .heads = 32,
                  .max_positions = 2048,
                  .eps = 1e-6,
                  .theta = 10000 },
};
