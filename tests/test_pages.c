/* The pages of the KV cache: taken as it fills, shared by forks, copied before one of them writes,
 * given back; and what happens where there are no more.  On the CPU: CUDA's cache has no pages. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tiny_rig.h"

enum { PAGE = 256 };

typedef struct {
    TinyModel *model;
    Rig rig;
    size_t page, own; /* bytes of a page; of what a timeline has beside its pages */
    int32_t *ids, *other;
} Bench;

static size_t held(const Bench *b)
{
    return b->rig.ops->kv_held(b->rig.loaded);
}

static int set_up(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    b->model = tiny_new(&zoo[ZOO_GPU], 1);
    *state = b;
    b->rig = rig_open(b->model, "cpu", NULL, 2, CONTEXT);
    b->own = held(b);
    b->page = b->rig.ops->kv_bytes(b->rig.loaded, 1);
    b->ids = random_ids(CONTEXT, b->rig.n_vocab, 8);
    b->other = random_ids(CONTEXT, b->rig.n_vocab, 9);
    return 0;
}

static int tear_down(void **state)
{
    Bench *b = *state;
    rig_close(&b->rig);
    tiny_free(b->model);
    free(b->ids);
    free(b->other);
    free(b);
    return 0;
}

static void feed(Bench *b, Timeline *t, const int32_t *ids, int n)
{
    KStatus status = b->rig.ops->feed(t, ids, n, WANT_LAST, NULL);
    if (status != KS_OK)
        fail_msg("feed: %d, %s", status, b->rig.ops->fault(b->rig.backend)->what);
}

static Timeline *fork_at(Bench *b, Timeline *t, int keep)
{
    Timeline *fork = NULL;
    assert_int_equal(b->rig.ops->timeline_fork(t, keep, &fork), KS_OK);
    assert_int_equal(b->rig.ops->length(fork), keep);
    return fork;
}

static float *logits_of(Bench *b, Timeline *t)
{
    float *out = malloc((size_t)b->rig.n_vocab * sizeof *out);
    assert_int_equal(b->rig.ops->logits(t, out), KS_OK);
    return out;
}

/* t's logits must be those of a timeline of its own that was fed the same: head, then tail. */
static void expect_fresh(Bench *b, Timeline *t, const int32_t *head, int n_head,
                         const int32_t *tail, int n_tail)
{
    Timeline *fresh = NULL;
    assert_int_equal(b->rig.ops->timeline_open(b->rig.loaded, CONTEXT, &fresh), KS_OK);
    float *got = logits_of(b, t);
    feed(b, fresh, head, n_head);
    feed(b, fresh, tail, n_tail);
    float *wanted = logits_of(b, fresh);
    assert_memory_equal(got, wanted, (size_t)b->rig.n_vocab * sizeof *got);
    b->rig.ops->timeline_close(fresh);
    free(got);
    free(wanted);
}

/* ---- tests ---- */

static void a_timeline_takes_pages_as_it_fills(void **state)
{
    Bench *b = *state;
    const BackendOps *ops = b->rig.ops;
    Timeline *t = b->rig.timeline;
    assert_int_equal(ops->kv_bytes(b->rig.loaded, PAGE), b->page);
    assert_int_equal(ops->kv_bytes(b->rig.loaded, PAGE + 1), 2 * b->page);
    assert_true(b->own < 2 * b->page || b->own < (size_t)b->rig.n_vocab * 64 + 65536);
    feed(b, t, b->ids, 1);
    assert_int_equal(held(b), b->own + b->page);
    feed(b, t, b->ids + 1, PAGE - 1);
    assert_int_equal(held(b), b->own + b->page);
    feed(b, t, b->ids + PAGE, 1);
    assert_int_equal(held(b), b->own + 2 * b->page);
    feed(b, t, b->ids + PAGE + 1, 400);
    assert_int_equal(held(b), b->own + 3 * b->page);
    assert_int_equal(ops->rewind(t, PAGE), KS_OK);
    assert_int_equal(held(b), b->own + b->page);
    assert_int_equal(ops->rewind(t, 0), KS_OK);
    assert_int_equal(held(b), b->own);
}

static void a_fork_takes_a_page_only_to_write(void **state)
{
    Bench *b = *state;
    feed(b, b->rig.timeline, b->ids, 300);
    size_t alone = held(b);
    Timeline *fork = fork_at(b, b->rig.timeline, 300);
    assert_int_equal(held(b), alone + b->own);
    feed(b, fork, b->other, 2); /* copies the second page; the first stays shared */
    assert_int_equal(held(b), alone + b->own + b->page);
    feed(b, b->rig.timeline, b->ids + 300, 2); /* has it for itself now */
    assert_int_equal(held(b), alone + b->own + b->page);
    expect_fresh(b, fork, b->ids, 300, b->other, 2);
    expect_fresh(b, b->rig.timeline, b->ids, 300, b->ids + 300, 2);
    b->rig.ops->timeline_close(fork);
    assert_int_equal(held(b), alone);
}

static void writing_changes_one_of_many_forks(void **state)
{
    Bench *b = *state;
    enum { N = 5 };
    Timeline *fork[N];
    feed(b, b->rig.timeline, b->ids, 400);
    /* At the middle of a page, at borders, and where nothing is kept. */
    static const int keep[N] = { 130, PAGE, PAGE - 1, 399, 0 };
    for (int i = 0; i < N; i++)
        fork[i] = fork_at(b, i % 2 ? fork[i - 1] : b->rig.timeline,
                          i % 2 && keep[i] > keep[i - 1] ? keep[i - 1] : keep[i]);
    for (int i = 0; i < N; i++)
        feed(b, fork[i], b->other + i, 40 + i);
    feed(b, b->rig.timeline, b->ids + 400, 3);
    for (int i = 0; i < N; i++) {
        int kept = b->rig.ops->length(fork[i]) - (40 + i);
        Timeline *whole = NULL;
        assert_int_equal(b->rig.ops->timeline_open(b->rig.loaded, CONTEXT, &whole), KS_OK);
        feed(b, whole, b->ids, 400);
        assert_int_equal(b->rig.ops->rewind(whole, kept), KS_OK);
        feed(b, whole, b->other + i, 40 + i);
        float *wanted = logits_of(b, whole), *got = logits_of(b, fork[i]);
        assert_memory_equal(got, wanted, (size_t)b->rig.n_vocab * sizeof *got);
        free(wanted);
        free(got);
        b->rig.ops->timeline_close(whole);
        b->rig.ops->timeline_close(fork[i]);
    }
    expect_fresh(b, b->rig.timeline, b->ids, 400, b->ids + 400, 3);
}

static void forks_step_over_the_border_of_a_page(void **state)
{
    Bench *b = *state;
    enum { STEPS = 20 };
    SampleSpec greedy = { .top_p = 1, .repeat_penalty = 1 };
    int32_t first[STEPS], second[STEPS];
    int n = 0;
    feed(b, b->rig.timeline, b->ids, PAGE - 8);
    Timeline *fork = fork_at(b, b->rig.timeline, PAGE - 9);
    feed(b, fork, b->ids + PAGE - 9, 1);
    assert_int_equal(b->rig.ops->rewind(b->rig.timeline, PAGE - 9), KS_OK);
    feed(b, b->rig.timeline, b->ids + PAGE - 9, 1);
    assert_int_equal(b->rig.ops->step(fork, &greedy, STEPS, first, &n, NULL), KS_OK);
    assert_int_equal(n, STEPS);
    assert_int_equal(b->rig.ops->step(b->rig.timeline, &greedy, STEPS, second, &n, NULL), KS_OK);
    assert_memory_equal(first, second, sizeof first);
    b->rig.ops->timeline_close(fork);
}

static void restoring_into_a_shared_page_leaves_the_other(void **state)
{
    Bench *b = *state;
    const BackendOps *ops = b->rig.ops;
    feed(b, b->rig.timeline, b->ids, 300);
    uint8_t *saved = malloc(ops->saved_bytes(b->rig.timeline, 100));
    assert_int_equal(ops->save(b->rig.timeline, 200, 100, saved), KS_OK);
    Timeline *fork = fork_at(b, b->rig.timeline, 200);
    /* The values of positions 200 to 299 at 200, under other names, over the border of a page. */
    assert_int_equal(ops->restore(fork, 200, 100, b->other, saved), KS_OK);
    memset(saved, 0, ops->saved_bytes(b->rig.timeline, 100));
    Timeline *second = fork_at(b, fork, 250);
    assert_int_equal(ops->restore(second, 250, 50, b->other, saved), KS_OK);
    feed(b, second, b->ids, 1);
    feed(b, fork, b->ids + 300, 1);
    feed(b, b->rig.timeline, b->ids + 300, 1);
    expect_fresh(b, fork, b->ids, 300, b->ids + 300, 1);
    expect_fresh(b, b->rig.timeline, b->ids, 300, b->ids + 300, 1);
    ops->timeline_close(second);
    ops->timeline_close(fork);
    free(saved);
}

static void thousands_of_forks_leak_nothing(void **state)
{
    Bench *b = *state;
    enum { ALIVE = 12, ROUNDS = 3000 };
    Timeline *alive[ALIVE] = { NULL };
    uint64_t seed = 5;
    feed(b, b->rig.timeline, b->ids, 600);
    size_t before = held(b);
    for (int round = 0; round < ROUNDS; round++) {
        Timeline **slot = &alive[tiny_random(&seed, ALIVE)];
        Timeline *from = alive[tiny_random(&seed, ALIVE)];
        from = from && from != *slot ? from : b->rig.timeline;
        b->rig.ops->timeline_close(*slot);
        int length = b->rig.ops->length(from);
        *slot = fork_at(b, from, (int)tiny_random(&seed, (uint32_t)length + 1));
        if (round % 16 == 0 && b->rig.ops->length(*slot) < CONTEXT)
            feed(b, *slot, b->other, 1);
        if (round % 16 == 8)
            assert_int_equal(b->rig.ops->rewind(*slot, b->rig.ops->length(*slot) / 2), KS_OK);
    }
    assert_true(held(b) <= before + ALIVE * (b->own + 3 * b->page));
    for (int i = 0; i < ALIVE; i++)
        b->rig.ops->timeline_close(alive[i]);
    assert_int_equal(held(b), before);
    feed(b, b->rig.timeline, b->ids + 600, 1);
    expect_fresh(b, b->rig.timeline, b->ids, 600, b->ids + 600, 1);
}

/* Opens the model again where there is room for three pages. */
static void shrink(Bench *b)
{
    const BackendOps *ops = b->rig.ops;
    BackendOptions options = { .threads = 2, .tap = true }; /* as rig_open has it */
    const char *why;
    options.memory_budget = ops->weight_bytes(b->rig.loaded) + 2 * b->own + 3 * b->page;
    rig_close(&b->rig);
    assert_int_equal(ops->open(&options, &b->rig.backend, &why), KS_OK);
    assert_int_equal(ops->load(b->rig.backend, tiny_shape(b->model), tiny_weights(b->model), NULL,
                               &b->rig.loaded),
                     KS_OK);
    assert_int_equal(ops->timeline_open(b->rig.loaded, CONTEXT, &b->rig.timeline), KS_OK);
}

static void without_memory_a_timeline_stays_as_it_was(void **state)
{
    Bench *b = *state;
    const BackendOps *ops = b->rig.ops;
    Timeline *t, *fork, *third = NULL;
    shrink(b);
    t = b->rig.timeline;
    feed(b, t, b->ids, 600);
    fork = fork_at(b, t, 300);
    assert_int_equal(ops->feed(fork, b->other, 10, WANT_LAST, NULL), KS_MEMORY);
    assert_int_equal(ops->length(fork), 300);
    assert_true(strlen(ops->fault(b->rig.backend)->what) > 0);
    assert_int_equal(ops->timeline_open(b->rig.loaded, CONTEXT, &third), KS_MEMORY);
    assert_null(third);
    feed(b, t, b->ids + 600, 1); /* has what it needs */
    assert_int_equal(ops->rewind(t, PAGE), KS_OK);
    feed(b, fork, b->other, 10);
    ops->timeline_close(t);
    b->rig.timeline = fork;
    float *got = logits_of(b, fork);
    assert_int_equal(ops->rewind(fork, 0), KS_OK);
    feed(b, fork, b->ids, 600);
    assert_int_equal(ops->rewind(fork, 300), KS_OK);
    feed(b, fork, b->other, 10);
    float *wanted = logits_of(b, fork);
    assert_memory_equal(got, wanted, (size_t)b->rig.n_vocab * sizeof *got);
    free(got);
    free(wanted);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_timeline_takes_pages_as_it_fills),
        TEST(a_fork_takes_a_page_only_to_write),
        TEST(writing_changes_one_of_many_forks),
        TEST(forks_step_over_the_border_of_a_page),
        TEST(restoring_into_a_shared_page_leaves_the_other),
        TEST(thousands_of_forks_leak_nothing),
        TEST(without_memory_a_timeline_stays_as_it_was),
    };
    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
