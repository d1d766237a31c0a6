/* The zoo, and a model of it on a backend.  Failures end the test that runs. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/tiny_rig.h"

/* What the fields left out mean: see TinySpec. */
const TinySpec zoo[N_ZOO] = {
    { .name = "f32",
      .hidden = 64,
      .n_heads = 4,
      .head_dim = 16,
      .intermediate = 160,
      .n_vocab = 131 },
    { .name = "f16 tied, grouped heads, odd rows",
      .hidden = 72,
      .n_heads = 6,
      .n_kv_heads = 2,
      .head_dim = 12,
      .intermediate = 100,
      .n_vocab = 77,
      .dtype = DTYPE_F16,
      .head_dtype = DTYPE_F16,
      .unaligned = true },
    { .name = "bf16 untied, bias, interleaved",
      .hidden = 96,
      .n_heads = 3,
      .n_kv_heads = 1,
      .head_dim = 32,
      .intermediate = 112,
      .n_vocab = 97,
      .dtype = DTYPE_BF16,
      .head_dtype = DTYPE_BF16,
      .untied = true,
      .bias = true,
      .interleaved = true },
    { .name = "q4_0, q8_0 head",
      .hidden = 96,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 24,
      .intermediate = 160,
      .n_vocab = 203,
      .dtype = DTYPE_Q4_0,
      .head_dtype = DTYPE_Q8_0,
      .interleaved = true,
      .unaligned = true },
    { .name = "q4_1, q8_0 head",
      .hidden = 64,
      .n_heads = 2,
      .head_dim = 32,
      .intermediate = 96,
      .n_vocab = 99,
      .dtype = DTYPE_Q4_1,
      .head_dtype = DTYPE_Q8_0 },
    { .name = "q8_0",
      .hidden = 64,
      .n_heads = 2,
      .n_kv_heads = 1,
      .head_dim = 32,
      .intermediate = 96,
      .n_vocab = 64,
      .dtype = DTYPE_Q8_0,
      .head_dtype = DTYPE_F16,
      .untied = true },
    { .name = "q4_0 everywhere",
      .hidden = 64,
      .n_heads = 2,
      .head_dim = 32,
      .intermediate = 96,
      .n_vocab = 64,
      .dtype = DTYPE_Q4_0,
      .head_dtype = DTYPE_Q4_0 },
    { .name = "gptq g128 sym",
      .hidden = 256,
      .n_heads = 8,
      .n_kv_heads = 2,
      .head_dim = 32,
      .intermediate = 384,
      .n_vocab = 321,
      .packing = TINY_GPTQ,
      .group_size = 128,
      .scale_type = DTYPE_F16,
      .head_dtype = DTYPE_F16,
      .untied = true,
      .unaligned = true },
    { .name = "gptq g128 act-order, bias",
      .hidden = 256,
      .n_heads = 4,
      .head_dim = 64,
      .intermediate = 384,
      .n_vocab = 111,
      .packing = TINY_GPTQ,
      .group_size = 128,
      .scale_type = DTYPE_F16,
      .act_order = true,
      .bias = true,
      .untied = true },
    { .name = "gptq g64 act-order of each its own",
      .hidden = 192,
      .n_heads = 3,
      .head_dim = 64,
      .intermediate = 320,
      .n_vocab = 100,
      .packing = TINY_GPTQ,
      .group_size = 64,
      .scale_type = DTYPE_F16,
      .act_order = true,
      .own_order = true,
      .asymmetric = true },
    { .name = "gptq g32 asym v1",
      .hidden = 96,
      .n_heads = 3,
      .n_kv_heads = 1,
      .head_dim = 32,
      .intermediate = 160,
      .n_vocab = 90,
      .packing = TINY_GPTQ,
      .group_size = 32,
      .scale_type = DTYPE_F16,
      .asymmetric = true },
    { .name = "gptq g32 asym v2, bf16 scales",
      .hidden = 96,
      .n_heads = 3,
      .head_dim = 32,
      .intermediate = 160,
      .n_vocab = 90,
      .packing = TINY_GPTQ,
      .group_size = 32,
      .scale_type = DTYPE_BF16,
      .asymmetric = true,
      .as_stored = true },
    { .name = "gptq g16",
      .hidden = 80,
      .n_heads = 5,
      .head_dim = 16,
      .intermediate = 112,
      .n_vocab = 90,
      .packing = TINY_GPTQ,
      .group_size = 16,
      .scale_type = DTYPE_F32,
      .asymmetric = true },
    { .name = "gptq one group",
      .hidden = 192,
      .n_heads = 3,
      .head_dim = 64,
      .intermediate = 264,
      .n_vocab = 90,
      .packing = TINY_GPTQ,
      .scale_type = DTYPE_F16 },
    { .name = "gptq g128 with a last group cut off",
      .hidden = 200,
      .n_heads = 5,
      .head_dim = 40,
      .intermediate = 328,
      .n_vocab = 90,
      .packing = TINY_GPTQ,
      .group_size = 128,
      .scale_type = DTYPE_F16,
      .asymmetric = true },
    { .name = "gptq g128 cut off, act-order",
      .hidden = 200,
      .n_heads = 5,
      .head_dim = 40,
      .intermediate = 328,
      .n_vocab = 90,
      .packing = TINY_GPTQ,
      .group_size = 128,
      .scale_type = DTYPE_F16,
      .act_order = true },
    { .name = "gptq odd groups of 20",
      .hidden = 80,
      .n_heads = 2,
      .head_dim = 40,
      .intermediate = 120,
      .n_vocab = 90,
      .packing = TINY_GPTQ,
      .group_size = 20,
      .scale_type = DTYPE_F16,
      .asymmetric = true },
    { .name = "awq g128",
      .hidden = 256,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 64,
      .intermediate = 384,
      .n_vocab = 90,
      .packing = TINY_AWQ,
      .group_size = 128,
      .scale_type = DTYPE_F16,
      .asymmetric = true,
      .unaligned = true },
    { .name = "awq g64, 24 outputs",
      .hidden = 64,
      .n_heads = 3,
      .n_kv_heads = 1,
      .head_dim = 24,
      .intermediate = 64,
      .n_vocab = 90,
      .packing = TINY_AWQ,
      .group_size = 64,
      .scale_type = DTYPE_F16,
      .asymmetric = true },
    { .name = "q/k norm",
      .hidden = 64,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 32,
      .intermediate = 96,
      .n_vocab = 80,
      .dtype = DTYPE_F16,
      .qk_norm = true },
    { .name = "partial rotary",
      .hidden = 64,
      .n_heads = 2,
      .head_dim = 32,
      .intermediate = 96,
      .n_vocab = 80,
      .dtype = DTYPE_F16,
      .rope_dims = 12 },
    { .name = "sliding window",
      .hidden = 64,
      .n_heads = 4,
      .n_kv_heads = 2,
      .head_dim = 16,
      .intermediate = 96,
      .n_vocab = 80,
      .dtype = DTYPE_F16,
      .sliding_window = 40 },
    { .name = "many heads of one KV head, head of 2",
      .hidden = 64,
      .n_heads = 34,
      .n_kv_heads = 1,
      .head_dim = 2,
      .intermediate = 64,
      .n_vocab = 80,
      .dtype = DTYPE_BF16 },
};

Rig rig_open(TinyModel *model, const char *backend, const char *isa, int threads, int context)
{
    Rig rig = { .ops = backend_find(backend), .n_vocab = tiny_shape(model)->n_vocab };
    BackendOptions options = { .threads = threads, .isa = isa, .tap = true };
    const char *why = "";
    assert_non_null(rig.ops);
    if (rig.ops->open(&options, &rig.backend, &why) == KS_UNSUPPORTED)
        return (Rig){ 0 };
    KStatus status =
        rig.ops->load(rig.backend, tiny_shape(model), tiny_weights(model), NULL, &rig.loaded);
    if (status != KS_OK)
        fail_msg("load: %s", rig.ops->fault(rig.backend)->what);
    assert_int_equal(rig.ops->timeline_open(rig.loaded, context, &rig.timeline), KS_OK);
    return rig;
}

void rig_close(Rig *rig)
{
    if (!rig->ops)
        return;
    rig->ops->timeline_close(rig->timeline);
    rig->ops->unload(rig->loaded);
    rig->ops->close(rig->backend);
}

void rig_feed(Rig *rig, const int32_t *ids, int n, Want want)
{
    KStatus status = rig->ops->feed(rig->timeline, ids, n, want, NULL);
    if (status != KS_OK)
        fail_msg("feed: %s", rig->ops->fault(rig->backend)->what);
}

/* Logits after the last of n tokens that are fed in pieces of `piece`. */
float *rig_logits(Rig *rig, const int32_t *ids, int n, int piece)
{
    float *out = malloc((size_t)rig->n_vocab * sizeof *out);
    assert_int_equal(rig->ops->rewind(rig->timeline, 0), KS_OK);
    for (int at = 0; at < n; at += piece)
        rig_feed(rig, ids + at, n - at < piece ? n - at : piece, WANT_LAST);
    assert_int_equal(rig->ops->logits(rig->timeline, out), KS_OK);
    return out;
}

int32_t *random_ids(int n, int n_vocab, uint64_t seed)
{
    int32_t *ids = malloc((size_t)n * sizeof *ids);
    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)tiny_random(&seed, (uint32_t)n_vocab);
    return ids;
}

double relative_error(const float *got, const float *want, int n)
{
    double difference = 0, norm = 0;
    for (int i = 0; i < n; i++) {
        difference += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
        norm += (double)want[i] * (double)want[i];
    }
    return sqrt(difference / norm);
}
