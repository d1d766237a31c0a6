/* Conversations that stay resident: which prompt resumes which, to the token and to the bit; what is
 * worth keeping; what goes when the budget is used up or memory is out. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "tests/good.h"
#include "tests/tiny_model.h"

enum { REPLY = 24, CONTEXT = 1024, PAGE = 256 };

typedef struct {
    char dir[256];
    const char *path;
    Engine *engine;
    Session *session;
} Fixture;

static const Sampling greedy = { .top_p = 1, .repeat_penalty = 1 };

/* Opens the fixture's model with these budgets, in the place of what is open. */
static void open_with(Fixture *f, int64_t kv_budget, size_t memory_budget)
{
    EngineOptions options = { .model = f->path,
                              .backend = "cpu",
                              .threads = 2,
                              .kv_budget = kv_budget,
                              .memory_budget = memory_budget };
    session_free(f->session);
    engine_close(f->engine);
    GOOD((f->engine = engine_open(&options, NULL, &err)) != NULL);
    GOOD((f->session = session_new(f->engine, CONTEXT, &err)) != NULL);
}

static int set_up(void **state)
{
    static const TinySpec spec = {
        .kind = TINY_HF_F16, .chat = TINY_PLAIN, .context = CONTEXT, .seed = 3
    };
    Fixture *f = calloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "%s", tiny_temp_dir());
    assert_true(tiny_model_write(f->dir, &spec));
    f->path = f->dir;
    open_with(f, -1, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;
    session_free(f->session);
    engine_close(f->engine);
    tiny_remove_dir(f->dir);
    free(f);
    return 0;
}

/* ---- conversations: lists of ids ---- */

static int n_vocab(const Fixture *f)
{
    ModelInfo info;
    engine_info(f->engine, &info);
    return info.n_vocab;
}

/* n ids that no other `name` has at its start. */
static void say(const Fixture *f, Tokens *text, int name, int n)
{
    uint64_t seed = (uint64_t)name * 7919 + text->n;
    for (int i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        tokens_push(text, i ? (int32_t)((seed >> 33) % (uint64_t)n_vocab(f)) : name);
    }
}

/* The text and a reply of n ids, which is appended. */
static SyncCounts answer_with(Fixture *f, Tokens *text, int n, const Sampling *sampling)
{
    SyncCounts counts;
    int32_t id;
    GOOD(session_sync(f->session, text, NULL, &counts, &err));
    for (int i = 0; i < n; i++) {
        GOOD(session_next(f->session, sampling, &id, NULL, &err));
        tokens_push(text, id);
    }
    return counts;
}

static SyncCounts answer(Fixture *f, Tokens *text)
{
    return answer_with(f, text, REPLY, &greedy);
}

static int kept(const Fixture *f)
{
    int n;
    session_resident(f->session, &n);
    return n;
}

static size_t resident(const Fixture *f)
{
    int n;
    return session_resident(f->session, &n);
}

/* Logits after text are those of a session that saw nothing else. */
static void expect_cold_bits(Fixture *f, const Tokens *text)
{
    EngineOptions options = { .model = f->path, .backend = "cpu", .threads = 1 };
    Engine *engine;
    Session *session;
    const float *warm, *cold;
    int n;
    GOOD(session_sync(f->session, text, NULL, NULL, &err));
    GOOD((warm = session_logits(f->session, &n, &err)) != NULL);
    GOOD((engine = engine_open(&options, NULL, &err)) != NULL);
    GOOD((session = session_new(engine, CONTEXT, &err)) != NULL);
    GOOD(session_sync(session, text, NULL, NULL, &err));
    GOOD((cold = session_logits(session, &n, &err)) != NULL);
    assert_memory_equal(warm, cold, (size_t)n * sizeof *warm);
    session_free(session);
    engine_close(engine);
}

/* ---- tests ---- */

static void a_conversation_that_was_left_goes_on_where_it_was(void **state)
{
    Fixture *f = *state;
    Tokens a = TOKENS_INIT, b = TOKENS_INIT;
    say(f, &a, 1, 300);
    say(f, &b, 2, 40);
    assert_int_equal(answer(f, &a).computed, 300);
    assert_int_equal(answer(f, &b).computed, 40);
    assert_int_equal(kept(f), 1);
    for (int turn = 0; turn < 3; turn++) {
        say(f, &a, 3, 5);
        assert_int_equal(session_plan(f->session, &a).computed, 6);
        assert_int_equal(answer(f, &a).computed, 6); /* and the last token of the reply */
        say(f, &b, 4, 7);
        assert_int_equal(answer(f, &b).computed, 8);
        assert_int_equal(kept(f), 1);
    }
    expect_cold_bits(f, &a);
    expect_cold_bits(f, &b);
    tokens_release(&a);
    tokens_release(&b);
}

static void without_a_budget_only_one_conversation_is_kept(void **state)
{
    Fixture *f = *state;
    Tokens a = TOKENS_INIT, b = TOKENS_INIT;
    open_with(f, 0, 0);
    say(f, &a, 1, 300);
    say(f, &b, 2, 40);
    answer(f, &a);
    answer(f, &b);
    assert_int_equal(kept(f), 0);
    assert_int_equal(answer(f, &a).reused, 0);
    expect_cold_bits(f, &a);
    tokens_release(&a);
    tokens_release(&b);
}

static void the_branch_before_an_edit_stays(void **state)
{
    Fixture *f = *state;
    Tokens first = TOKENS_INIT, edited = TOKENS_INIT, other = TOKENS_INIT;
    say(f, &first, 1, 290);
    tokens_append(&edited, first.ids, 270);
    tokens_append(&other, first.ids, first.n);
    answer(f, &first);
    size_t before = resident(f);
    say(f, &edited, 5, 30);
    assert_int_equal(answer(f, &edited).reused, 270);
    assert_int_equal(kept(f), 1);
    /* The first page is shared; the second, and a little beside the pages, are not. */
    size_t page = before;
    open_with(f, -1, 0);
    page = (page - resident(f)) / 2;
    size_t own = resident(f);
    Tokens again = TOKENS_INIT;
    tokens_append(&again, first.ids, 290);
    answer(f, &again);
    tokens_truncate(&edited, 300);
    answer(f, &edited);
    assert_int_equal(resident(f), 2 * own + 3 * page);
    say(f, &first, 6, 4);
    assert_int_equal(answer(f, &first).computed, 5);
    say(f, &edited, 6, 4);
    assert_int_equal(answer(f, &edited).computed, 5);
    expect_cold_bits(f, &first);
    expect_cold_bits(f, &edited);
    tokens_release(&first);
    tokens_release(&edited);
    tokens_release(&other);
    tokens_release(&again);
}

static void a_reply_stays_when_it_is_made_again(void **state)
{
    Fixture *f = *state;
    Tokens first = TOKENS_INIT, second = TOKENS_INIT;
    Sampling warm = greedy;
    warm.temperature = 5;
    warm.seed = 11;
    say(f, &first, 1, 50);
    tokens_append(&second, first.ids, 50);
    answer(f, &first);
    assert_int_equal(answer_with(f, &second, REPLY, &warm).computed, 1);
    assert_true(tokens_common(first.ids, first.n, second.ids, second.n) < first.n - 16);
    say(f, &first, 2, 3);
    assert_int_equal(answer(f, &first).computed, 4);
    say(f, &second, 2, 3);
    assert_int_equal(answer(f, &second).computed, 4);
    expect_cold_bits(f, &second);
    tokens_release(&first);
    tokens_release(&second);
}

static void drafts_that_change_are_not_kept(void **state)
{
    Fixture *f = *state;
    Tokens text = TOKENS_INIT;
    SyncCounts counts;
    say(f, &text, 1, 60);
    answer(f, &text);
    size_t answered = text.n;
    for (int draft = 0; draft < 10; draft++) {
        tokens_truncate(&text, answered);
        say(f, &text, 10 + draft, 40);
        GOOD(session_sync(f->session, &text, NULL, &counts, &err));
        assert_int_equal(counts.computed, draft ? 40 : 41);
        assert_int_equal(kept(f), 0);
    }
    tokens_release(&text);
}

static void the_start_of_a_longer_conversation_is_not_kept_beside_it(void **state)
{
    Fixture *f = *state;
    Tokens a = TOKENS_INIT, b = TOKENS_INIT, longer = TOKENS_INIT;
    say(f, &a, 1, 30);
    answer(f, &a);
    tokens_append(&longer, a.ids, a.n - 4); /* branches off so near the end that nothing is lost */
    say(f, &longer, 3, 20);
    answer(f, &longer);
    assert_int_equal(kept(f), 0);
    say(f, &b, 2, 20);
    answer(f, &b);
    assert_int_equal(kept(f), 1);
    tokens_truncate(&longer, longer.n - 1);
    say(f, &longer, 4, 20);
    answer(f, &longer);
    assert_int_equal(kept(f), 1); /* b alone */
    tokens_release(&a);
    tokens_release(&b);
    tokens_release(&longer);
}

static void the_budget_lets_the_oldest_go(void **state)
{
    Fixture *f = *state;
    enum { N = 4 };
    Tokens text[N] = { TOKENS_INIT };
    size_t own = resident(f);
    say(f, &text[0], 1, 100);
    answer(f, &text[0]);
    size_t page = resident(f) - own;
    open_with(f, (int64_t)(3 * (own + page)), 0);
    tokens_truncate(&text[0], 100);
    for (int i = 0; i < N; i++) {
        if (i)
            say(f, &text[i], i + 1, 100);
        answer(f, &text[i]);
        assert_true(resident(f) <= 3 * (own + page));
    }
    assert_int_equal(kept(f), 2);
    assert_int_equal(session_plan(f->session, &text[0]).reused, 0);
    assert_true(session_plan(f->session, &text[1]).reused > 100);
    /* What was used last is what stays. */
    say(f, &text[1], 9, 3);
    answer(f, &text[1]);
    answer(f, &text[0]);
    assert_int_equal(session_plan(f->session, &text[2]).reused, 0);
    assert_true(session_plan(f->session, &text[1]).reused > 100);
    assert_true(session_plan(f->session, &text[3]).reused > 100);
    /* A conversation that grows over the budget is alone in the end. */
    tokens_truncate(&text[0], 100);
    say(f, &text[0], 7, 2 * PAGE + 80);
    answer(f, &text[0]);
    assert_int_equal(kept(f), 0);
    for (int i = 0; i < N; i++)
        tokens_release(&text[i]);
}

static void a_long_reply_pushes_others_out_while_it_grows(void **state)
{
    Fixture *f = *state;
    Tokens a = TOKENS_INIT, b = TOKENS_INIT;
    size_t own = resident(f);
    say(f, &a, 1, 100);
    answer(f, &a);
    size_t page = resident(f) - own;
    open_with(f, (int64_t)(2 * (own + page)), 0);
    tokens_truncate(&a, 100);
    answer(f, &a);
    say(f, &b, 2, PAGE - 10);
    answer_with(f, &b, 8, &greedy);
    assert_int_equal(kept(f), 1);
    answer_with(f, &b, 8, &greedy);
    assert_int_equal(kept(f), 0);
    assert_true(resident(f) <= 2 * (own + page));
    tokens_release(&a);
    tokens_release(&b);
}

static void without_memory_others_make_room(void **state)
{
    Fixture *f = *state;
    enum { N = 8 };
    Tokens text[N] = { TOKENS_INIT };
    ModelInfo info;
    size_t own = resident(f), page;
    say(f, &text[0], 1, 100);
    answer(f, &text[0]);
    page = resident(f) - own;
    engine_info(f->engine, &info); /* memory_bytes: weights and the cache of the whole context */
    open_with(f, INT64_MAX, (size_t)info.memory_bytes + 2 * own);
    tokens_truncate(&text[0], 100);
    for (int i = 0; i < N; i++) {
        if (i)
            say(f, &text[i], i + 1, 250);
        answer(f, &text[i]); /* each takes two pages but the first, of four */
        assert_true(kept(f) <= 2 && resident(f) <= 4 * page + 2 * own);
    }
    assert_true(session_plan(f->session, &text[N - 1]).reused > 200);
    expect_cold_bits(f, &text[N - 1]);
    /* Logits of all tokens come from one call, also when it had to be begun again. */
    TokenScore score[300], cold[300];
    Tokens last = TOKENS_INIT;
    say(f, &last, 20, 700);
    answer_with(f, &text[1], 2, &greedy);
    GOOD(session_score(f->session, &last, 400, score, NULL, &err));
    open_with(f, 0, 0);
    GOOD(session_score(f->session, &last, 400, cold, NULL, &err));
    for (int i = 0; i < 300; i++) {
        assert_true(score[i].logprob == cold[i].logprob);
        assert_int_equal(score[i].best, cold[i].best);
    }
    tokens_release(&last);
    for (int i = 0; i < N; i++)
        tokens_release(&text[i]);
}

static void a_context_that_does_not_fit_is_refused_at_once(void **state)
{
    Fixture *f = *state;
    ModelInfo info;
    Error err = ERROR_INIT;
    engine_info(f->engine, &info);
    EngineOptions options = { .model = f->path,
                              .backend = "cpu",
                              .threads = 1,
                              .memory_budget = (size_t)info.memory_bytes - 1 };
    Engine *engine = engine_open(&options, NULL, &err);
    assert_non_null(engine);
    assert_null(session_new(engine, CONTEXT, &err));
    assert_int_equal(err.kind, ERR_MEMORY);
    err = (Error)ERROR_INIT;
    Session *session = session_new(engine, CONTEXT / 2, &err);
    assert_non_null(session);
    session_free(session);
    engine_close(engine);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_conversation_that_was_left_goes_on_where_it_was),
        TEST(without_a_budget_only_one_conversation_is_kept),
        TEST(the_branch_before_an_edit_stays),
        TEST(a_reply_stays_when_it_is_made_again),
        TEST(drafts_that_change_are_not_kept),
        TEST(the_start_of_a_longer_conversation_is_not_kept_beside_it),
        TEST(the_budget_lets_the_oldest_go),
        TEST(a_long_reply_pushes_others_out_while_it_grows),
        TEST(without_memory_others_make_room),
        TEST(a_context_that_does_not_fit_is_refused_at_once),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("resident conversations", tests, NULL, NULL);
}
