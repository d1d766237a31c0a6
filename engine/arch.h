/* Model families, mostly as data: how one names itself, what its defaults are, and which flags its
 * forward pass needs. A family is a row in arch/NAME.c and a line in arch.c's table. */
#ifndef ENGINE_ARCH_H
#define ENGINE_ARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/modelfile.h"
#include "engine/rope.h"
#include "kernels/kernels.h"
#include "src/base/error.h"

/* What may limit how far a token looks back. */
typedef enum {
    WINDOW_NEVER,   /* config.json's sliding_window is ignored */
    WINDOW_STATED,  /* sliding_window, on every layer */
    WINDOW_SWITCHED /* only with use_sliding_window, from max_window_layers on */
} WindowRule;

typedef struct {
    const char *name;         /* "llama" */
    const char *model_type;   /* config.json */
    const char *architecture; /* config.json, where model_type is missing */
    const char *gguf;         /* general.architecture, or NULL */
    RopePairing gguf_pairing; /* llama.cpp permutes the rows of q and k for some families */
    bool has_qk_norm;
    bool needs_qkv_bias;
    WindowRule window;
    /* transformers' defaults for keys that config.json leaves out; head_dim 0: hidden / heads;
     * kv_heads 0: heads */
    struct {
        int vocab, hidden, intermediate, layers, heads, kv_heads, head_dim, max_positions, window;
        double eps, theta;
    } defaults;
} Arch;

extern const Arch arch_llama, arch_mistral, arch_qwen2, arch_qwen3;

/* A model's numbers as its configuration states them, checked for sense. */
typedef struct {
    const Arch *arch;
    int layers, hidden, heads, kv_heads, head_dim, intermediate;
    int vocab; /* 0: not stated (GGUF) */
    int window;
    int max_context;
    double eps;
    bool tied; /* stated; GGUF: decided by what is there */
    Rope rope; /* owned */
} ArchShape;

bool arch_read(const ModelFile *file, ArchShape *out, Error *err);
void arch_shape_release(ArchShape *shape);

/* Names of tensors, without ".weight". */
typedef enum {
    W_EMBEDDING,
    W_OUTPUT_NORM,
    W_HEAD,
    W_ATTN_NORM,
    W_Q,
    W_K,
    W_V,
    W_O,
    W_Q_NORM,
    W_K_NORM,
    W_FFN_NORM,
    W_GATE,
    W_UP,
    W_DOWN,
    W_COUNT
} WeightName;
/* Appends to out; layer is used by names that have one. */
void arch_tensor_name(WeightName which, Container container, int layer, Buf *out);

#endif
