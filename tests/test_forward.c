/* Whole forward passes on small random models: the CPU backend against the float64 reference over a
 * zoo of formats and shapes, the same bits over instruction sets, threads and splits, and
 * everything else that a timeline can do. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tiny_rig.h"

#define LOGITS_HASH 0x2e04fa4f05941f5dULL

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
                                        { "avxvnni", 1, 1000 }, { "avxvnni", 2, 1 },
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

/* FNV-1a over the bits. */
static uint64_t add_hash(uint64_t hash, const float *values, int n)
{
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        hash = (hash ^ bits) * 0x100000001b3ULL;
    }
    return hash;
}

/* One number for the arithmetic of the zoo's small rows.  It changes when any rounding does (numerics.md);
 * whoever means to change one commits the new number with the reason. */
static void logits_have_the_committed_bits(void **state)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    (void)state;
    for (int i = 0; i < ZOO_GPU; i++) {
        TinyModel *model = tiny_new(&zoo[i], 7 + (uint64_t)i);
        Rig rig = rig_open(model, "cpu", NULL, 2, CONTEXT);
        int32_t *ids = random_ids(300, rig.n_vocab, 11);
        float *logits = rig_logits(&rig, ids, 300, 300);
        hash = add_hash(hash, logits, rig.n_vocab);
        free(logits);
        free(ids);
        rig_close(&rig);
        tiny_free(model);
    }
    if (hash != LOGITS_HASH)
        fail_msg("the hash is 0x%016llx", (unsigned long long)hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_stay_close_to_the_float64_reference),
        cmocka_unit_test(every_layer_stays_close_to_the_reference),
        cmocka_unit_test(bits_do_not_depend_on_instruction_set_threads_or_split),
        cmocka_unit_test(logits_have_the_committed_bits),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
