/* Qwen3, the dense ones: RMS norms on q and k, a head size of its own, no biases. */
#include "config.h"

#include "engine/arch.h"

const Arch arch_qwen3 = {
    .name = "qwen3",
    .model_type = "qwen3",
    .architecture = "Qwen3ForCausalLM",
    .gguf = "qwen3",
    .gguf_pairing = ROPE_HALF,
    .has_qk_norm = true,
    .window = WINDOW_SWITCHED,
    .defaults = { .vocab = 151936,
                  .hidden = 4096,
                  .intermediate = 22016,
                  .layers = 32,
                  .heads = 32,
                  .kv_heads = 32,
                  .head_dim = 128,
                  .max_positions = 32768,
                  .window = 4096,
                  .eps = 1e-6,
                  .theta = 10000 },
};
