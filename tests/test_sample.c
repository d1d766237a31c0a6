/* Sampling against a naive implementation in double: sort everything, apply the filters as they are
 * defined, draw. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/sample.h"
#include "tests/tiny_shape.h"

enum { MAX_VOCAB = 400, MAX_HISTORY = 60 };

static const SampleSpec plain = { .temperature = 1, .top_p = 1, .repeat_penalty = 1 };

typedef struct {
    float logits[MAX_VOCAB];
    int32_t history[MAX_HISTORY];
    int n_tokens, n_history;
    SampleSpec spec;
    uint64_t position;
} Case;

static SampleCandidate candidates[MAX_VOCAB];
static int32_t counts[MAX_VOCAB];

static int32_t pick(const Case *c)
{
    SampleScratch scratch = { .candidate = candidates, .count = counts };
    int32_t id = sample_pick(c->logits, c->n_tokens, c->history, c->n_history, &c->spec,
                             c->position, &scratch);
    for (int i = 0; i < MAX_VOCAB; i++)
        assert_int_equal(counts[i], 0);
    return id;
}

/* ---- the naive one ---- */

typedef struct {
    double logit;
    int id;
} Naive;

static int naive_order(const void *a, const void *b)
{
    const Naive *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->id - y->id;
}

static double naive_logit(const Case *c, int id)
{
    int begin = c->spec.repeat_window > 0 && c->spec.repeat_window < c->n_history
                    ? c->n_history - c->spec.repeat_window
                    : 0;
    int count = 0;
    for (int i = begin; i < c->n_history; i++)
        count += c->history[i] == id;
    float logit = c->logits[id];
    if (count == 0)
        return (double)logit;
    /* rounded to float as the definition does, so that ties are ties for both */
    logit = logit < 0 ? logit * c->spec.repeat_penalty : logit / c->spec.repeat_penalty;
    logit = logit - (float)count * c->spec.frequency_penalty;
    return (double)(logit - c->spec.presence_penalty);
}

/* The id, and how near the decisions were to going the other way (as a share of the total). */
static int naive_pick(const Case *c, double *margin)
{
    static Naive order[MAX_VOCAB];
    static double weight[MAX_VOCAB];
    int n = c->n_tokens, kept = 0;
    double total = 0, before = 0, sum = 0;
    *margin = 1;
    for (int i = 0; i < n; i++)
        order[i] = (Naive){ naive_logit(c, i), i };
    qsort(order, (size_t)n, sizeof *order, naive_order);
    if (c->spec.temperature <= 0)
        return order[0].id;
    if (c->spec.top_k > 0 && c->spec.top_k < n)
        n = c->spec.top_k;
    for (int i = 0; i < n; i++)
        total += weight[i] = exp((order[i].logit - order[0].logit) / (double)c->spec.temperature);
    for (int i = 0; i < n; i++) {
        double cut = c->spec.top_p < 1 ? before / total - (double)c->spec.top_p : -1;
        double small = c->spec.min_p > 0 ? weight[i] - (double)c->spec.min_p : 1;
        if (i > 0) {
            *margin = fmin(*margin, fmin(fabs(cut), fabs(small)));
            if (cut >= 0 || small < 0)
                break;
        }
        before += weight[i];
        kept++;
    }
    double target = sample_random(c->spec.seed, c->position) * before;
    for (int i = 0; i < kept; i++) {
        sum += weight[i];
        *margin = fmin(*margin, fabs(sum - target) / before);
        if (sum > target)
            return order[i].id;
    }
    return order[kept - 1].id;
}

static float uniform(uint64_t *random)
{
    return (float)tiny_random(random, 1u << 24) / (float)(1 << 24);
}

static void random_case(Case *c, uint64_t *random)
{
    float spread = tiny_random(random, 2) ? 30.0f * uniform(random) : 4.0f;
    bool coarse = tiny_random(random, 4) == 0; /* many ties */
    c->n_tokens = 1 + (int)tiny_random(random, tiny_random(random, 2) ? MAX_VOCAB : 12);
    c->n_history = (int)tiny_random(random, MAX_HISTORY + 1);
    for (int i = 0; i < c->n_tokens; i++) {
        c->logits[i] = spread * (uniform(random) - 0.5f);
        if (coarse)
            c->logits[i] = floorf(c->logits[i]);
        if (tiny_random(random, 50) == 0)
            c->logits[i] = -INFINITY;
    }
    c->logits[tiny_random(random, (uint32_t)c->n_tokens)] = 0;
    for (int i = 0; i < c->n_history; i++)
        c->history[i] =
            (int32_t)tiny_random(random, (uint32_t)c->n_tokens + 3); /* some past the tokenizer */
    c->spec = plain;
    c->spec.temperature = tiny_random(random, 8) ? 0.05f + 2 * uniform(random) : 0;
    if (tiny_random(random, 2))
        c->spec.top_k = (int)tiny_random(random, 60);
    if (tiny_random(random, 2))
        c->spec.top_p = uniform(random);
    if (tiny_random(random, 3) == 0)
        c->spec.min_p = uniform(random) * uniform(random);
    if (tiny_random(random, 3) == 0)
        c->spec.repeat_penalty = 0.7f + uniform(random);
    if (tiny_random(random, 3) == 0) {
        c->spec.frequency_penalty = 2 * uniform(random) - 0.5f;
        c->spec.presence_penalty = 2 * uniform(random) - 0.5f;
    }
    c->spec.repeat_window = (int)tiny_random(random, 3) * 10;
    c->spec.seed = tiny_random(random, 1u << 31);
    c->position = tiny_random(random, 4096);
}

static void a_hundred_thousand_random_cases_agree_with_the_naive_one(void **state)
{
    uint64_t random = 20261124;
    int near = 0;
    (void)state;
    for (int i = 0; i < 100000; i++) {
        Case c;
        double margin;
        random_case(&c, &random);
        int32_t got = pick(&c), want = naive_pick(&c, &margin);
        if (got == want)
            continue;
        near++;
        if (margin > 1e-6)
            fail_msg("case %d: %d, not %d (margin %g)", i, got, want, margin);
    }
    assert_true(near < 20);
}

static void temperature_zero_is_the_lowest_of_the_best(void **state)
{
    Case c = { .logits = { 1, 3, 3, 2 }, .n_tokens = 4, .spec = plain };
    (void)state;
    c.spec.temperature = 0;
    assert_int_equal(pick(&c), 1);
    c.n_history = 1;
    c.history[0] = 1;
    c.spec.repeat_penalty = 1.1f;
    assert_int_equal(pick(&c), 2);
}

static void penalties_follow_hugging_face(void **state)
{
    SampleSpec spec = plain;
    (void)state;
    spec.repeat_penalty = 2;
    assert_true(sample_penalise(4, 3, &spec) == 2);
    assert_true(sample_penalise(-4, 3, &spec) == -8);
    assert_true(sample_penalise(0, 3, &spec) == 0);
    assert_true(sample_penalise(4, 0, &spec) == 4);
    spec.frequency_penalty = 0.5f;
    spec.presence_penalty = 0.25f;
    assert_true(sample_penalise(4, 3, &spec) == 0.25f);
}

static void logits_that_are_not_numbers_are_refused(void **state)
{
    Case c = { .logits = { 1, NAN, 3 }, .n_tokens = 3, .spec = plain };
    (void)state;
    assert_int_equal(pick(&c), -1);
    c.logits[1] = INFINITY;
    assert_int_equal(pick(&c), -1);
    c.logits[1] = -INFINITY;
    assert_true(pick(&c) >= 0);
    c.logits[0] = c.logits[2] = -INFINITY;
    assert_int_equal(pick(&c), 0);
}

static void what_penalties_wipe_out_falls_back_to_the_best_raw_logit(void **state)
{
    Case c = {
        .logits = { 1, 2 }, .history = { 0, 1 }, .n_tokens = 2, .n_history = 2, .spec = plain
    };
    (void)state;
    c.spec.presence_penalty = INFINITY;
    assert_int_equal(pick(&c), 1);
}

static void a_tiny_temperature_is_greedy(void **state)
{
    Case c = { .logits = { 1, 2, 1.999f }, .n_tokens = 3, .spec = plain };
    (void)state;
    c.spec.temperature = 1e-40f;
    assert_int_equal(pick(&c), 1);
}

static void draws_follow_the_distribution(void **state)
{
    Case c = { .logits = { 0, 0.693147f, 1.098612f },
               .n_tokens = 3,
               .spec = plain }; /* 1 : 2 : 3 */
    int seen[3] = { 0 };
    (void)state;
    for (int i = 0; i < 60000; i++) {
        c.position = (uint64_t)i;
        seen[pick(&c)]++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(seen[i], 10000 * (i + 1) - 500, 10000 * (i + 1) + 500);
}

static void randoms_depend_on_seed_and_position_alone(void **state)
{
    (void)state;
    assert_true(sample_random(1, 2) == sample_random(1, 2));
    assert_true(sample_random(1, 2) != sample_random(1, 3));
    assert_true(sample_random(1, 2) != sample_random(2, 2));
    assert_true(sample_random(1, 2) != sample_random(2, 1));
    for (uint64_t i = 0; i < 1000; i++)
        assert_true(sample_random(0, i) >= 0 && sample_random(0, i) < 1);
}

static void weights_are_powers_of_two_to_seven_digits(void **state)
{
    (void)state;
    for (int i = 0; i <= 3300; i++) {
        float y = -(float)i / 100;
        double want = exp2((double)y);
        assert_true(fabs((double)sample_exp2(y) - want) <= 3e-7 * want);
        double weight = sample_weight(y, 0, 1);
        assert_true(weight == floor(weight) &&
                    fabs(weight - want * SAMPLE_ONE) <= 0.5 + 3e-7 * want * SAMPLE_ONE);
    }
    assert_true(sample_weight(-40, 0, 1) == 0 && sample_weight(-INFINITY, 0, 1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_thousand_random_cases_agree_with_the_naive_one),
        cmocka_unit_test(temperature_zero_is_the_lowest_of_the_best),
        cmocka_unit_test(penalties_follow_hugging_face),
        cmocka_unit_test(logits_that_are_not_numbers_are_refused),
        cmocka_unit_test(what_penalties_wipe_out_falls_back_to_the_best_raw_logit),
        cmocka_unit_test(a_tiny_temperature_is_greedy),
        cmocka_unit_test(draws_follow_the_distribution),
        cmocka_unit_test(randoms_depend_on_seed_and_position_alone),
        cmocka_unit_test(weights_are_powers_of_two_to_seven_digits),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
