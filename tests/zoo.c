/* The zoo, with macros for what most rows say. */
#include "config.h"

#include "tests/zoo.h"

#define SHAPE(width, all_heads, kv_heads, head, inner, vocab)                                      \
    .hidden = width, .n_heads = all_heads, .n_kv_heads = kv_heads, .head_dim = head,               \
    .intermediate = inner, .n_vocab = vocab
#define DENSE(linears, embedding) .dtype = linears, .head_dtype = embedding
#define GPTQ(group, scales) .packing = TINY_GPTQ, .group_size = group, .scale_type = scales
#define AWQ(group, scales) .packing = TINY_AWQ, .group_size = group, .scale_type = scales

/* For a GPU: one shape that is awkward in every way, and one that is plain.  The last three tokens
 * are none of the tokenizer's. */
#define ODD SHAPE(192, 3, 1, 64, 320, 331), .n_layers = 3, .n_tokens = 328, .unaligned = true
#define EVEN SHAPE(256, 4, 2, 64, 512, 512), .n_tokens = 509, .unaligned = true
#define GPTQ16(group) GPTQ(group, DTYPE_F16), .head_dtype = DTYPE_F16, .untied = true

const TinySpec zoo[N_ZOO] = {
    { "f32", SHAPE(64, 4, 0, 16, 160, 131) },
    { "f16 tied, grouped heads, odd rows", SHAPE(72, 6, 2, 12, 100, 77),
      DENSE(DTYPE_F16, DTYPE_F16), .unaligned = true },
    { "bf16 untied, bias, interleaved", SHAPE(96, 3, 1, 32, 112, 97), DENSE(DTYPE_BF16, DTYPE_BF16),
      .untied = true, .bias = true, .interleaved = true, .bias_type = DTYPE_F16 },
    { "q4_0, q8_0 head", SHAPE(96, 4, 2, 24, 160, 203), DENSE(DTYPE_Q4_0, DTYPE_Q8_0),
      .interleaved = true, .unaligned = true },
    { "q4_1, q8_0 head", SHAPE(64, 2, 0, 32, 96, 99), DENSE(DTYPE_Q4_1, DTYPE_Q8_0) },
    { "q8_0", SHAPE(64, 2, 1, 32, 96, 64), DENSE(DTYPE_Q8_0, DTYPE_F16), .untied = true },
    { "q4_0 everywhere", SHAPE(64, 2, 0, 32, 96, 64), DENSE(DTYPE_Q4_0, DTYPE_Q4_0) },
    { "gptq g128 sym", SHAPE(256, 8, 2, 32, 384, 321), GPTQ(128, DTYPE_F16),
      .head_dtype = DTYPE_F16, .untied = true, .unaligned = true },
    { "gptq g128 act-order, bias", SHAPE(256, 4, 0, 64, 384, 111), GPTQ(128, DTYPE_F16),
      .act_order = true, .bias = true, .untied = true, .bias_type = DTYPE_F16 },
    { "gptq g64 act-order of each its own", SHAPE(192, 3, 0, 64, 320, 100), GPTQ(64, DTYPE_F16),
      .act_order = true, .own_order = true, .asymmetric = true },
    { "gptq g32 asym v1", SHAPE(96, 3, 1, 32, 160, 90), GPTQ(32, DTYPE_F16), .asymmetric = true },
    { "gptq g32 asym v2, bf16 scales", SHAPE(96, 3, 0, 32, 160, 90), GPTQ(32, DTYPE_BF16),
      .asymmetric = true, .as_stored = true },
    { "gptq g16", SHAPE(80, 5, 0, 16, 112, 90), GPTQ(16, DTYPE_F32), .asymmetric = true },
    { "gptq one group", SHAPE(192, 3, 0, 64, 264, 90), GPTQ(0, DTYPE_F16) },
    { "gptq g128 with a last group cut off", SHAPE(200, 5, 0, 40, 328, 90), GPTQ(128, DTYPE_F16),
      .asymmetric = true },
    { "gptq g128 cut off, act-order", SHAPE(200, 5, 0, 40, 328, 90), GPTQ(128, DTYPE_F16),
      .act_order = true },
    { "gptq odd groups of 20", SHAPE(80, 2, 0, 40, 120, 90), GPTQ(20, DTYPE_F16),
      .asymmetric = true },
    { "awq g128", SHAPE(256, 4, 2, 64, 384, 90), AWQ(128, DTYPE_F16), .asymmetric = true,
      .unaligned = true },
    { "awq g64, 24 outputs", SHAPE(64, 3, 1, 24, 64, 90), AWQ(64, DTYPE_F16), .asymmetric = true },
    { "q/k norm", SHAPE(64, 4, 2, 32, 96, 80), DENSE(DTYPE_F16, DTYPE_F32), .qk_norm = true },
    { "partial rotary", SHAPE(64, 2, 0, 32, 96, 80), DENSE(DTYPE_F16, DTYPE_F32), .rope_dims = 12 },
    { "sliding window", SHAPE(64, 4, 2, 16, 96, 80), DENSE(DTYPE_F16, DTYPE_F32),
      .sliding_window = 40 },
    { "many heads of one KV head, head of 2", SHAPE(64, 34, 1, 2, 64, 80),
      DENSE(DTYPE_BF16, DTYPE_F32) },
    [ZOO_GPU] = { "gptq g128 sym, for a GPU", EVEN, GPTQ16(128) },
    { "gptq g128 sym, head_dim 128, bias", SHAPE(512, 4, 0, 128, 1376, 1043), .n_tokens = 1040,
      GPTQ16(128), .bias = true, .bias_type = DTYPE_F16 },
    { "gptq g128 act-order", EVEN, GPTQ16(128), .act_order = true, .input_order = true },
    { "gptq g64 act-order, own order a matrix", ODD, GPTQ16(64), .act_order = true,
      .own_order = true },
    { "gptq g64 asym v1", ODD, GPTQ16(64), .asymmetric = true },
    { "gptq g32 asym v2, act-order", ODD, GPTQ16(32), .asymmetric = true, .as_stored = true,
      .act_order = true, .input_order = true },
    { "gptq g16 asym v1", ODD, GPTQ16(16), .asymmetric = true },
    { "gptq one group, for a GPU", ODD, GPTQ16(0) },
    { "gptq g128, a last group of 64", ODD, GPTQ16(128), .asymmetric = true, .act_order = true,
      .input_order = true },
    { "awq g128, for a GPU", EVEN, AWQ(128, DTYPE_F16), .head_dtype = DTYPE_F16, .untied = true,
      .asymmetric = true },
    { "q4_0, tied", ODD, DENSE(DTYPE_Q4_0, DTYPE_Q8_0), .interleaved = true },
    { "q4_1, embedding q4_0", ODD, DENSE(DTYPE_Q4_1, DTYPE_Q4_0), .untied = true,
      .interleaved = true },
    { "q8_0, interleaved", ODD, DENSE(DTYPE_Q8_0, DTYPE_Q8_0), .untied = true,
      .interleaved = true },
    { "f16, tied", ODD, DENSE(DTYPE_F16, DTYPE_F16) },
    { "bf16, q and k norm", ODD, DENSE(DTYPE_BF16, DTYPE_BF16), .untied = true, .qk_norm = true },
    { "f32, window, biases", ODD, .untied = true, .sliding_window = 40, .bias = true },
    { "gptq g128, beyond fp16 before down", EVEN, GPTQ16(128), .loud = true },
};
