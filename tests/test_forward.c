/* Whole forward passes on small random models: the CPU backend against the float64 reference over a
 * zoo of formats and shapes, the same bits over instruction sets, threads and splits, and
 * everything else that a timeline can do. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tiny_shape.h"

enum { CONTEXT = 700 };

/* What the fields left out mean: see TinySpec. */
static const TinySpec zoo[] = {
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

enum { N_ZOO = sizeof zoo / sizeof *zoo };

/* ---- a model on a backend ---- */

typedef struct {
    const BackendOps *ops;
    Backend *backend;
    Loaded *loaded;
    Timeline *timeline;
    int n_vocab;
} Rig;

static Rig rig_open(TinyModel *model, const char *backend, const char *isa, int threads,
                    int context)
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

static void rig_close(Rig *rig)
{
    if (!rig->ops)
        return;
    rig->ops->timeline_close(rig->timeline);
    rig->ops->unload(rig->loaded);
    rig->ops->close(rig->backend);
}

static void rig_feed(Rig *rig, const int32_t *ids, int n, Want want)
{
    KStatus status = rig->ops->feed(rig->timeline, ids, n, want, NULL);
    if (status != KS_OK)
        fail_msg("feed: %s", rig->ops->fault(rig->backend)->what);
}

/* Logits after the last of n tokens that are fed in pieces of `piece`. */
static float *rig_logits(Rig *rig, const int32_t *ids, int n, int piece)
{
    float *out = malloc((size_t)rig->n_vocab * sizeof *out);
    assert_int_equal(rig->ops->rewind(rig->timeline, 0), KS_OK);
    for (int at = 0; at < n; at += piece)
        rig_feed(rig, ids + at, n - at < piece ? n - at : piece, WANT_LAST);
    assert_int_equal(rig->ops->logits(rig->timeline, out), KS_OK);
    return out;
}

static int32_t *random_ids(int n, int n_vocab, uint64_t seed)
{
    int32_t *ids = malloc((size_t)n * sizeof *ids);
    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)tiny_random(&seed, (uint32_t)n_vocab);
    return ids;
}

static double relative_error(const float *got, const float *want, int n)
{
    double difference = 0, norm = 0;
    for (int i = 0; i < n; i++) {
        difference += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
        norm += (double)want[i] * (double)want[i];
    }
    return sqrt(difference / norm);
}

/* ---- tests ---- */

static void logits_stay_close_to_the_float64_reference(void **state)
{
    (void)state;
    for (int i = 0; i < N_ZOO; i++) {
        TinyModel *model = tiny_new(&zoo[i], 7 + (uint64_t)i);
        Rig cpu = rig_open(model, "cpu", NULL, 2, CONTEXT),
            reference = rig_open(model, "reference", NULL, 1, CONTEXT);
        int n = 70, n_vocab = cpu.n_vocab;
        int32_t *ids = random_ids(n, n_vocab, 3);
        float *got = malloc((size_t)n * (size_t)n_vocab * sizeof *got),
              *want = malloc((size_t)n * (size_t)n_vocab * sizeof *want);
        rig_feed(&cpu, ids, n, WANT_ALL);
        rig_feed(&reference, ids, n, WANT_ALL);
        assert_int_equal(cpu.ops->logits(cpu.timeline, got), KS_OK);
        assert_int_equal(reference.ops->logits(reference.timeline, want), KS_OK);
        double error = relative_error(got, want, n * n_vocab);
        print_message("# %-40s %.1e\n", zoo[i].name, error);
        if (!(error < 3e-4))
            fail_msg("%s: relative error %g", zoo[i].name, error);
        free(ids);
        free(got);
        free(want);
        rig_close(&cpu);
        rig_close(&reference);
        tiny_free(model);
    }
}

static void every_layer_stays_close_to_the_reference(void **state)
{
    (void)state;
    TinyModel *model = tiny_new(&zoo[8], 5);
    Rig cpu = rig_open(model, "cpu", NULL, 1, CONTEXT),
        reference = rig_open(model, "reference", NULL, 1, CONTEXT);
    int hidden = tiny_shape(model)->hidden;
    int32_t *ids = random_ids(9, cpu.n_vocab, 3);
    float *got = malloc((size_t)hidden * sizeof *got),
          *want = malloc((size_t)hidden * sizeof *want);
    rig_feed(&cpu, ids, 9, WANT_NONE);
    rig_feed(&reference, ids, 9, WANT_NONE);
    for (int layer = 0; layer < tiny_shape(model)->n_layers; layer++)
        for (TapPoint point = TAP_INPUT; point <= TAP_OUTPUT; point++) {
            assert_int_equal(cpu.ops->tap(cpu.timeline, layer, point, got), KS_OK);
            assert_int_equal(reference.ops->tap(reference.timeline, layer, point, want), KS_OK);
            assert_true(relative_error(got, want, hidden) < 3e-4);
        }
    assert_int_equal(cpu.ops->tap(cpu.timeline, 2, TAP_INPUT, got), KS_RANGE);
    free(ids);
    free(got);
    free(want);
    rig_close(&cpu);
    rig_close(&reference);
    tiny_free(model);
}

typedef struct {
    const char *isa;
    int threads, piece;
} Variant;

static void bits_do_not_depend_on_instruction_set_threads_or_split(void **state)
{
    static const Variant variants[] = { { "generic", 1, 1000 }, { "generic", 2, 7 },
                                        { "avx2", 1, 1000 },    { "avx2", 3, 5 },
                                        { "avx512", 1, 1000 },  { "avx512", 2, 1 },
                                        { "avx512", 3, 13 },    { "avx512", 2, 64 } };
    (void)state;
    for (int i = 0; i < N_ZOO; i++) {
        TinyModel *model = tiny_new(&zoo[i], 7 + (uint64_t)i);
        int n = i == 1 || i == 21 || i == 22 ? 530 : 45;
        int32_t *ids = random_ids(n, tiny_shape(model)->n_vocab, 11);
        float *expected = NULL;
        for (size_t j = 0; j < sizeof variants / sizeof *variants; j++) {
            Rig rig = rig_open(model, "cpu", variants[j].isa, variants[j].threads, CONTEXT);
            if (!rig.ops)
                continue;
            float *logits = rig_logits(&rig, ids, n, variants[j].piece);
            if (expected && memcmp(expected, logits, (size_t)rig.n_vocab * sizeof *logits) != 0)
                fail_msg("%s: %s, %d threads, pieces of %d: other bits", zoo[i].name,
                         variants[j].isa, variants[j].threads, variants[j].piece);
            rig_close(&rig);
            if (expected)
                free(logits);
            else
                expected = logits;
        }
        free(expected);
        free(ids);
        tiny_free(model);
    }
}

static void all_logits_are_those_of_each_token(void **state)
{
    (void)state;
    TinyModel *model = tiny_new(&zoo[3], 1);
    Rig rig = rig_open(model, "cpu", NULL, 2, CONTEXT);
    size_t n_vocab = (size_t)rig.n_vocab;
    int32_t *ids = random_ids(150, rig.n_vocab, 8);
    float *all = malloc(150 * n_vocab * sizeof *all), *one = malloc(n_vocab * sizeof *one);
    rig_feed(&rig, ids, 150, WANT_ALL);
    assert_int_equal(rig.ops->logits(rig.timeline, all), KS_OK);
    assert_int_equal(rig.ops->rewind(rig.timeline, 0), KS_OK);
    assert_int_equal(rig.ops->logits(rig.timeline, one), KS_RANGE);
    for (int i = 0; i < 150; i++) {
        rig_feed(&rig, ids + i, 1, WANT_LAST);
        assert_int_equal(rig.ops->logits(rig.timeline, one), KS_OK);
        assert_memory_equal(one, all + (size_t)i * n_vocab, n_vocab * sizeof *one);
    }
    free(ids);
    free(all);
    free(one);
    rig_close(&rig);
    tiny_free(model);
}

static void a_rewound_timeline_computes_the_same(void **state)
{
    (void)state;
    TinyModel *model = tiny_new(&zoo[10], 1);
    Rig rig = rig_open(model, "cpu", NULL, 2, CONTEXT);
    int32_t *ids = random_ids(300, rig.n_vocab, 8), *other = random_ids(300, rig.n_vocab, 9);
    float *cold = rig_logits(&rig, ids, 300, 300),
          *warm = malloc((size_t)rig.n_vocab * sizeof *warm);
    assert_int_equal(rig.ops->rewind(rig.timeline, 20), KS_OK);
    rig_feed(&rig, other, 280, WANT_NONE);
    assert_int_equal(rig.ops->rewind(rig.timeline, 20), KS_OK);
    assert_int_equal(rig.ops->length(rig.timeline), 20);
    rig_feed(&rig, ids + 20, 280, WANT_LAST);
    assert_int_equal(rig.ops->logits(rig.timeline, warm), KS_OK);
    assert_memory_equal(warm, cold, (size_t)rig.n_vocab * sizeof *cold);
    assert_int_equal(rig.ops->rewind(rig.timeline, 301), KS_RANGE);
    free(ids);
    free(other);
    free(cold);
    free(warm);
    rig_close(&rig);
    tiny_free(model);
}

static void forks_share_the_past_and_part_afterwards(void **state)
{
    (void)state;
    TinyModel *model = tiny_new(&zoo[1], 1);
    Rig rig = rig_open(model, "cpu", NULL, 1, CONTEXT);
    int32_t *ids = random_ids(600, rig.n_vocab, 8), *other = random_ids(600, rig.n_vocab, 9);
    float *expected = rig_logits(&rig, ids, 600, 600),
          *got = malloc((size_t)rig.n_vocab * sizeof *got);
    Timeline *first = rig.timeline, *fork = NULL;
    assert_int_equal(rig.ops->timeline_fork(first, 601, &fork), KS_RANGE);
    assert_int_equal(rig.ops->timeline_fork(first, 400, &fork), KS_OK);
    assert_int_equal(rig.ops->length(fork), 400);
    rig.timeline = fork;
    rig_feed(&rig, other, 200, WANT_NONE); /* writes beside the shared pages */
    assert_int_equal(rig.ops->rewind(fork, 100), KS_OK);
    rig_feed(&rig, other, 300, WANT_NONE); /* would write into a shared page */
    rig.timeline = first;
    assert_int_equal(rig.ops->rewind(first, 599), KS_OK);
    rig_feed(&rig, ids + 599, 1, WANT_LAST);
    assert_int_equal(rig.ops->logits(first, got), KS_OK);
    assert_memory_equal(got, expected, (size_t)rig.n_vocab * sizeof *got);
    rig.ops->timeline_close(first);
    rig.timeline = fork;
    assert_int_equal(rig.ops->rewind(fork, 100), KS_OK);
    rig_feed(&rig, ids + 100, 500, WANT_LAST);
    assert_int_equal(rig.ops->logits(fork, got), KS_OK);
    assert_memory_equal(got, expected, (size_t)rig.n_vocab * sizeof *got);
    free(ids);
    free(other);
    free(expected);
    free(got);
    rig_close(&rig);
    tiny_free(model);
}

static void saved_positions_come_back(void **state)
{
    static const char *const names[] = { "cpu", "reference" };
    (void)state;
    for (int i = 0; i < 2; i++) {
        TinyModel *model = tiny_new(&zoo[2], 1);
        Rig rig = rig_open(model, names[i], NULL, 2, CONTEXT);
        int n = i == 0 ? 300 : 30;
        int32_t *ids = random_ids(n, rig.n_vocab, 8);
        float *expected = rig_logits(&rig, ids, n, n),
              *got = malloc((size_t)rig.n_vocab * sizeof *got);
        uint8_t *saved = malloc(rig.ops->saved_bytes(rig.timeline, n - 11));
        assert_int_equal(rig.ops->save(rig.timeline, 0, n + 1, saved), KS_RANGE);
        assert_int_equal(rig.ops->save(rig.timeline, 10, n - 11, saved), KS_OK);
        Timeline *fresh;
        assert_int_equal(rig.ops->timeline_open(rig.loaded, n, &fresh), KS_OK);
        rig.ops->timeline_close(rig.timeline);
        rig.timeline = fresh;
        rig_feed(&rig, ids, 10, WANT_NONE);
        assert_int_equal(rig.ops->restore(fresh, 11, n - 11, ids + 10, saved), KS_RANGE);
        assert_int_equal(rig.ops->restore(fresh, 10, n, ids + 10, saved), KS_CONTEXT);
        assert_int_equal(rig.ops->restore(fresh, 10, n - 11, ids + 10, saved), KS_OK);
        assert_int_equal(rig.ops->length(fresh), n - 1);
        rig_feed(&rig, ids + n - 1, 1, WANT_LAST);
        assert_int_equal(rig.ops->logits(fresh, got), KS_OK);
        assert_memory_equal(got, expected, (size_t)rig.n_vocab * sizeof *got);
        free(saved);
        free(ids);
        free(expected);
        free(got);
        rig_close(&rig);
        tiny_free(model);
    }
}

static void stepping_samples_and_evaluates(void **state)
{
    (void)state;
    TinySpec spec = zoo[3];
    spec.n_tokens = 150; /* of 203 rows */
    TinyModel *model = tiny_new(&spec, 1);
    Rig rig = rig_open(model, "cpu", NULL, 2, 40);
    SampleSpec greedy = { .top_p = 1, .repeat_penalty = 1 };
    int32_t *ids = random_ids(20, 150, 8), out[64];
    float *logits = malloc((size_t)rig.n_vocab * sizeof *logits);
    int n = 0;
    assert_int_equal(rig.ops->step(rig.timeline, &greedy, 1, out, &n, NULL), KS_RANGE);
    rig_feed(&rig, ids, 20, WANT_LAST);
    assert_int_equal(rig.ops->step(rig.timeline, &greedy, 12, out, &n, NULL), KS_OK);
    assert_int_equal(n, 12);
    assert_int_equal(rig.ops->length(rig.timeline), 31); /* the last one is pending */
    assert_int_equal(rig.ops->rewind(rig.timeline, 19), KS_OK);
    rig_feed(&rig, ids + 19, 1, WANT_LAST);
    for (int i = 0; i < 12; i++) {
        int32_t best = 0;
        assert_int_equal(rig.ops->logits(rig.timeline, logits), KS_OK);
        for (int id = 0; id < rig.n_vocab; id++)
            best = logits[id] > logits[best] ? id : best;
        assert_true(logits[150] == -INFINITY && logits[202] == -INFINITY);
        assert_int_equal(out[i], best);
        rig_feed(&rig, &best, 1, WANT_LAST);
    }
    assert_int_equal(rig.ops->step(rig.timeline, &greedy, 30, out, &n, NULL), KS_CONTEXT);
    assert_int_equal(n, 9); /* 32 + 8 evaluated, and one that does not fit */
    greedy.end_ids = &out[4];
    greedy.n_end_ids = 1;
    int32_t end = out[4], again[64];
    assert_int_equal(rig.ops->rewind(rig.timeline, 31), KS_OK);
    rig_feed(&rig, &(int32_t){ 0 }, 1, WANT_LAST);
    greedy.end_ids = &end;
    assert_int_equal(rig.ops->step(rig.timeline, &greedy, 3, again, &n, NULL), KS_OK);
    end = again[1];
    assert_int_equal(rig.ops->rewind(rig.timeline, 31), KS_OK);
    rig_feed(&rig, &(int32_t){ 0 }, 1, WANT_LAST);
    assert_int_equal(rig.ops->step(rig.timeline, &greedy, 8, again, &n, NULL), KS_OK);
    assert_int_equal(again[n - 1], end);
    assert_true(n <= 2);
    free(ids);
    free(logits);
    rig_close(&rig);
    tiny_free(model);
}

typedef struct {
    KCancel cancel;
    int done, calls;
} Stopper;

static void stop_after_second_batch(void *arg, int done, int total)
{
    Stopper *stopper = arg;
    assert_true(done <= total);
    stopper->done = done;
    if (++stopper->calls == 2)
        atomic_store(&stopper->cancel, true);
}

static void a_cancelled_feed_keeps_whole_batches(void **state)
{
    (void)state;
    TinyModel *model = tiny_new(&zoo[0], 1);
    Rig rig = rig_open(model, "cpu", NULL, 2, CONTEXT);
    int32_t *ids = random_ids(600, rig.n_vocab, 8);
    float *expected = rig_logits(&rig, ids, 600, 600),
          *got = malloc((size_t)rig.n_vocab * sizeof *got);
    Stopper stopper = { .done = 0 };
    KCall call = { .cancel = &stopper.cancel,
                   .progress = stop_after_second_batch,
                   .arg = &stopper };
    assert_int_equal(rig.ops->rewind(rig.timeline, 0), KS_OK);
    assert_int_equal(rig.ops->feed(rig.timeline, ids, 600, WANT_LAST, &call), KS_CANCELLED);
    assert_int_equal(rig.ops->length(rig.timeline), stopper.done);
    assert_true(stopper.done > 0 && stopper.done < 600);
    rig_feed(&rig, ids + stopper.done, 600 - stopper.done, WANT_LAST);
    assert_int_equal(rig.ops->logits(rig.timeline, got), KS_OK);
    assert_memory_equal(got, expected, (size_t)rig.n_vocab * sizeof *got);
    free(ids);
    free(expected);
    free(got);
    rig_close(&rig);
    tiny_free(model);
}

static void bad_calls_are_refused(void **state)
{
    (void)state;
    TinyModel *model = tiny_new(&zoo[0], 1);
    Rig rig = rig_open(model, "cpu", NULL, 1, 16);
    int32_t ids[17] = { 0 }, bad[] = { -1 }, past[] = { rig.n_vocab };
    assert_int_equal(rig.ops->feed(rig.timeline, ids, 0, WANT_LAST, NULL), KS_RANGE);
    assert_int_equal(rig.ops->feed(rig.timeline, bad, 1, WANT_LAST, NULL), KS_RANGE);
    assert_int_equal(rig.ops->feed(rig.timeline, past, 1, WANT_LAST, NULL), KS_RANGE);
    assert_int_equal(rig.ops->feed(rig.timeline, ids, 17, WANT_LAST, NULL), KS_CONTEXT);
    assert_int_equal(rig.ops->length(rig.timeline), 0);
    rig_feed(&rig, ids, 16, WANT_LAST);
    assert_int_equal(rig.ops->feed(rig.timeline, ids, 1, WANT_LAST, NULL), KS_CONTEXT);
    BackendOptions options = { .isa = "mmx" };
    Backend *none = NULL;
    const char *why = NULL;
    assert_int_equal(rig.ops->open(&options, &none, &why), KS_UNSUPPORTED);
    assert_non_null(why);
    rig_close(&rig);
    tiny_free(model);
}

static void numbers_that_are_not_finite_name_their_layer(void **state)
{
    static const char *const names[] = { "cpu", "reference" };
    (void)state;
    for (int quantised = 0; quantised < 2; quantised++)
        for (int i = 0; i < 2; i++)
            for (int layer = 0; layer < 3; layer++) {
                TinySpec spec = zoo[quantised ? 10 : 0];
                spec.n_layers = 3;
                TinyModel *model = tiny_new(&spec, 1);
                float *weight = (float *)(uintptr_t)tiny_layers(model)[layer].ffn_norm.data;
                uint16_t nan = 0x7e00;
                memcpy((uint8_t *)weight + 10, &nan, 2); /* fp16 */
                Rig rig = rig_open(model, names[i], NULL, 2, 16);
                int32_t ids[3] = { 1, 2, 3 };
                assert_int_equal(rig.ops->feed(rig.timeline, ids, 3, WANT_LAST, NULL), KS_NAN);
                assert_int_equal(rig.ops->fault(rig.backend)->layer, layer);
                assert_int_equal(rig.ops->length(rig.timeline), 0);
                rig_close(&rig);
                tiny_free(model);
            }
}

static void a_matrix_that_does_not_fit_is_refused_by_name(void **state)
{
    (void)state;
    TinyModel *model = tiny_new(&zoo[0], 1);
    tiny_layers(model)[1].up.n_out--;
    BackendOptions options = { .threads = 1 };
    const BackendOps *ops = backend_find("cpu");
    Backend *backend;
    Loaded *loaded = NULL;
    const char *why;
    assert_int_equal(ops->open(&options, &backend, &why), KS_OK);
    assert_int_equal(ops->load(backend, tiny_shape(model), tiny_weights(model), NULL, &loaded),
                     KS_UNSUPPORTED);
    assert_int_equal(ops->fault(backend)->layer, 1);
    assert_null(loaded);
    ops->close(backend);
    tiny_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_stay_close_to_the_float64_reference),
        cmocka_unit_test(every_layer_stays_close_to_the_reference),
        cmocka_unit_test(bits_do_not_depend_on_instruction_set_threads_or_split),
        cmocka_unit_test(all_logits_are_those_of_each_token),
        cmocka_unit_test(a_rewound_timeline_computes_the_same),
        cmocka_unit_test(forks_share_the_past_and_part_afterwards),
        cmocka_unit_test(saved_positions_come_back),
        cmocka_unit_test(stepping_samples_and_evaluates),
        cmocka_unit_test(a_cancelled_feed_keeps_whole_batches),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(numbers_that_are_not_finite_name_their_layer),
        cmocka_unit_test(a_matrix_that_does_not_fit_is_refused_by_name),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
