/* Small deterministic models on disk, whole with tokenizer and configuration, for tests of
 * everything above the kernels.
 *
 * A spec's weights are a function of seed, sizes and quantisation alone and exact in every kind:
 * the GPTQ, AWQ, float and GGUF files of one spec are the same function, so logits may be compared
 * across kinds.  Unless `bytes` is set, byte tokens and control tokens are never the greedy choice:
 * replies are readable text of Japanese and English pieces. */
#ifndef TESTS_TINY_MODEL_H
#define TESTS_TINY_MODEL_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    TINY_HF_F32,
    TINY_HF_F16,
    TINY_HF_BF16,
    TINY_GPTQ_V1,
    TINY_GPTQ_V2,
    TINY_AWQ,
    TINY_GGUF_F32,
    TINY_GGUF_F16,
    TINY_GGUF_Q4_0, /* symmetric, groups that are multiples of 32, no act_order */
    TINY_GGUF_Q4_1, /* likewise, asymmetric as well */
    TINY_GGUF_Q8_0, /* likewise */
    TINY_KINDS
} TinyKind;

typedef enum {
    TINY_SPM, /* tokenizer.json as Llama-2's: prefix space, byte fallback */
    TINY_BPE  /* byte-level BPE with GPT-2's split */
} TinyTokenizer;

typedef enum {
    TINY_CHATML, /* <|im_start|>, <|im_end|> as control tokens; eos is <|im_end|>; no default system
                    prompt */
    TINY_LLAMA2, /* a Llama-2 chat_template; eos is </s> */
    TINY_PLAIN   /* no chat_template */
} TinyChat;

/* Zero is the plain choice everywhere. */
typedef struct {
    TinyKind kind;
    TinyTokenizer tokenizer;
    TinyChat chat;
    const char *family;  /* NULL: "llama"; "mistral", "qwen2", "qwen3" */
    int layers, hidden;  /* 0: 2, 64 */
    int heads, kv_heads; /* 0: 4, 2; the head size is hidden / heads */
    int intermediate;    /* 0: 128 */
    int context;         /* max_position_embeddings; 0: 512 */
    int group_size;      /* 0: 32; -1: one group a column */
    bool asymmetric;     /* zero points 1 to 14 instead of 8 */
    bool act_order;      /* a g_idx of its own for each matrix */
    bool no_g_idx;       /* leaves g_idx out (not with act_order) */
    bool zero_g_idx;     /* g_idx is all 0 (not with act_order) */
    bool bias;           /* on every linear of the layers; qwen2 has them on q, k and v anyway */
    bool zero_bias;      /* an all-zero bias on every linear of the layers */
    bool tied, sharded;  /* sharded: two safetensors files and an index */
    bool bytes;          /* byte tokens may be generated */
    bool ends; /* control tokens may be generated: replies end by themselves sooner or later */
    bool config_in_json; /* GPTQ, AWQ: quantization_config in config.json instead of a file of its
                            own */
    bool v5;             /* config.json as transformers 5 writes it */
    uint64_t seed;
    const char *chat_template; /* NULL: chat's own */
} TinySpec;

/* Writes the model into dir, which is made if it is not there.  GGUF kinds write dir/model.gguf,
 * and nothing else.  False (and a line on stderr) when the spec contradicts itself or the disk is
 * full. */
bool tiny_model_write(const char *dir, const TinySpec *spec);
/* dir, or dir/model.gguf for GGUF kinds: what to give to modelfile_open and engine_open.  In static
 * storage. */
const char *tiny_model_path(const char *dir, const TinySpec *spec);
/* Name of a kind, for messages: "gptq-v1". */
const char *tiny_kind_name(TinyKind kind);
/* Rows of the embedding: all tokens of the tokenizer. */
int tiny_vocab_size(const TinySpec *spec);

/* A fresh folder under $TMPDIR or /tmp, in static storage until the next call; and its removal with
 * all it holds. */
const char *tiny_temp_dir(void);
void tiny_remove_dir(const char *dir);

#endif
