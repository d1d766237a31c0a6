/* Qwen 1.5, 2 and 2.5: biases on q, k and v; a sliding window that is off unless switched on. */
#include "config.h"

#include "engine/arch.h"

const Arch arch_qwen2 = {
    .name = "qwen2",
    .model_type = "qwen2",
    .architecture = "Qwen2ForCausalLM",
    .gguf = "qwen2",
    .gguf_pairing = ROPE_HALF,
    .needs_qkv_bias = true,
    .window = WINDOW_SWITCHED,
    .defaults = { .vocab = 151936,
                  .hidden = 4096,
                  .intermediate = 22016,
                  .layers = 32,
                  .heads = 32,
                  .kv_heads = 32,
                  .max_positions = 32768,
                  .window = 4096,
                  .eps = 1e-6,
                  .theta = 10000 },
};
