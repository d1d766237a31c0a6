/* What a timeline can do beside computing: rewind, fork, save, restore, step, cancel, refuse. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tiny_rig.h"

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
