/* Stopping a backend: while it loads, while it reads a prompt, while it decodes; what was done before
 * counts.  On the CPU and, where there is a GPU, on CUDA.
 *
 * The flag is set by another thread at moments that are spread over the call, and the time from then
 * until the call returns is what is judged. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/tiny_shape.h"

enum { PROMPT = 2000, TRIES = 4, LATEST_MS = 50 };

/* Instrumented code, and a machine that others share, are slow: only the order is judged then. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
static const double slack = 100;
#else
static const double slack = 10;
#endif

static const TinySpec spec = { .name = "to be stopped",
                               .n_layers = 8,
                               .hidden = 1024,
                               .n_heads = 8,
                               .head_dim = 128,
                               .intermediate = 2816,
                               .n_vocab = 3043,
                               .n_tokens = 3040,
                               .context = 2100,
                               .packing = TINY_GPTQ,
                               .group_size = 128,
                               .scale_type = DTYPE_F16,
                               .head_dtype = DTYPE_F16,
                               .untied = true };

typedef struct {
    TinyModel *model;
    const BackendOps *ops;
    Backend *backend;
    Loaded *loaded;
    Timeline *line;
    int prompt;       /* tokens */
    double latest_ms; /* until it must have stopped */
} Fixture;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- another thread stops ---- */

typedef struct {
    KCancel cancel;
    double after_ms, stopped_at;
    pthread_t thread;
} Stopper;

static void *stop_later(void *arg)
{
    Stopper *s = arg;
    struct timespec t = { (time_t)(s->after_ms / 1e3),
                          (long)((s->after_ms - 1e3 * (double)(time_t)(s->after_ms / 1e3)) * 1e6) };
    nanosleep(&t, NULL);
    s->stopped_at = now_ms();
    atomic_store(&s->cancel, true);
    return NULL;
}

static void stopper_start(Stopper *s, double after_ms)
{
    s->after_ms = after_ms;
    atomic_store(&s->cancel, false);
    assert_int_equal(pthread_create(&s->thread, NULL, stop_later, s), 0);
}

/* Milliseconds since the flag was set. */
static double stopper_end(Stopper *s)
{
    double now = now_ms();
    pthread_join(s->thread, NULL);
    return now - s->stopped_at;
}

/* ---- fixture ---- */

static int open_on(void **state, const char *name)
{
    const BackendOptions options = { .threads = 2 };
    Fixture *f = calloc(1, sizeof *f);
    const char *why = "";

    *state = f;
    f->ops = backend_find(name);
    if (!f->ops || f->ops->open(&options, &f->backend, &why) != KS_OK)
        return 0; /* skipped */
    f->model = tiny_new(&spec, 11);
    assert_int_equal(
        f->ops->load(f->backend, tiny_shape(f->model), tiny_weights(f->model), NULL, &f->loaded),
        KS_OK);
    assert_int_equal(f->ops->timeline_open(f->loaded, spec.context, &f->line), KS_OK);
    f->prompt = strcmp(name, "cpu") == 0 ? PROMPT / 5 : PROMPT;
    f->latest_ms = LATEST_MS * (strcmp(name, "cpu") == 0 ? slack : 1);
    return 0;
}

static int open_cpu(void **state)
{
    return open_on(state, "cpu");
}

static int open_cuda(void **state)
{
    return open_on(state, "cuda");
}

static int close_all(void **state)
{
    Fixture *f = *state;

    if (f->line)
        f->ops->timeline_close(f->line);
    if (f->loaded)
        f->ops->unload(f->loaded);
    if (f->backend)
        f->ops->close(f->backend);
    if (f->model)
        tiny_free(f->model);
    free(f);
    return 0;
}

static Fixture *fixture(void **state)
{
    Fixture *f = *state;
    if (!f->line)
        skip();
    return f;
}

static void fill_ids(int32_t *ids, int n)
{
    uint64_t seed = 3;
    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)tiny_random(&seed, (uint32_t)spec.n_tokens);
}

/* ---- loading ---- */

typedef struct {
    KCancel cancel;
    int calls, stop_at, last;
} Loading;

static void count_load(void *arg, int done, int total)
{
    Loading *l = arg;
    (void)total;
    l->last = done;
    if (++l->calls == l->stop_at)
        atomic_store(&l->cancel, true);
}

static void loading_stops_with_the_next_tensor(void **state)
{
    Fixture *f = fixture(state);
    Loading whole = { .stop_at = 0 };
    KCall call = { .cancel = &whole.cancel, .progress = count_load, .arg = &whole };
    Loaded *loaded = NULL;

    assert_int_equal(
        f->ops->load(f->backend, tiny_shape(f->model), tiny_weights(f->model), &call, &loaded),
        KS_OK);
    f->ops->unload(loaded);
    assert_true(whole.calls > 8);
    for (int at = 1; at < whole.calls; at += whole.calls / 6) {
        Loading l = { .stop_at = at };
        loaded = NULL;
        call = (KCall){ .cancel = &l.cancel, .progress = count_load, .arg = &l };
        assert_int_equal(
            f->ops->load(f->backend, tiny_shape(f->model), tiny_weights(f->model), &call, &loaded),
            KS_CANCELLED);
        assert_null(loaded);
        assert_true(l.calls <= at + 1);
    }
    /* the device is as good as before */
    int32_t ids[4] = { 1, 2, 3, 4 };
    assert_int_equal(f->ops->feed(f->line, ids, 4, WANT_LAST, NULL), KS_OK);
}

/* ---- prompts ---- */

static double time_prompt(Fixture *f, const int32_t *ids)
{
    double start = now_ms();

    assert_int_equal(f->ops->rewind(f->line, 0), KS_OK);
    assert_int_equal(f->ops->feed(f->line, ids, f->prompt, WANT_LAST, NULL), KS_OK);
    return now_ms() - start;
}

static void a_prompt_stops_at_any_moment_and_can_go_on(void **state)
{
    Fixture *f = fixture(state);
    static int32_t ids[PROMPT];
    size_t bytes = (size_t)spec.n_vocab * sizeof(float);
    float *whole = malloc(bytes), *parts = malloc(bytes);
    double all_ms, worst = 0;
    int stopped = 0;

    fill_ids(ids, PROMPT);
    time_prompt(f, ids); /* warm */
    all_ms = time_prompt(f, ids);
    assert_int_equal(f->ops->logits(f->line, whole), KS_OK);
    for (int i = 0; i < TRIES; i++) {
        Stopper s = { .stopped_at = 0 };
        KCall call = { .cancel = &s.cancel };
        assert_int_equal(f->ops->rewind(f->line, 0), KS_OK);
        stopper_start(&s, all_ms * (i + 0.5) / (TRIES + 1));
        KStatus status = f->ops->feed(f->line, ids, f->prompt, WANT_LAST, &call);
        double late = stopper_end(&s);
        int kept = f->ops->length(f->line);
        if (status == KS_CANCELLED) {
            stopped++;
            worst = late > worst ? late : worst;
            assert_true(kept < f->prompt);
            status = f->ops->feed(f->line, ids + kept, f->prompt - kept, WANT_LAST, NULL);
        }
        assert_int_equal(status, KS_OK);
        assert_int_equal(f->ops->length(f->line), f->prompt);
        assert_int_equal(f->ops->logits(f->line, parts), KS_OK);
        if (strcmp(f->ops->name, "cpu") == 0)
            assert_memory_equal(whole, parts, bytes);
    }
    print_message("# %s: a prompt of %.1f ms stops %.2f ms after it was told to\n", f->ops->name,
                  all_ms, worst);
    assert_true(stopped > 0);
    assert_true(worst < f->latest_ms);
    free(whole);
    free(parts);
}

/* ---- decoding ---- */

static void decoding_stops_within_a_token_and_can_go_on(void **state)
{
    enum { MANY = 400, FROM = 16 };
    static const SampleSpec greedy = { .top_p = 1, .repeat_penalty = 1 };
    Fixture *f = fixture(state);
    int32_t prompt[FROM], whole[MANY], parts[MANY];
    double token_ms, worst = 0;
    int n, stopped = 0;

    fill_ids(prompt, FROM);
    for (int i = 0; i < 2; i++) {
        double start = now_ms();
        assert_int_equal(f->ops->rewind(f->line, 0), KS_OK);
        assert_int_equal(f->ops->feed(f->line, prompt, FROM, WANT_LAST, NULL), KS_OK);
        assert_int_equal(f->ops->step(f->line, &greedy, MANY, whole, &n, NULL), KS_OK);
        assert_int_equal(n, MANY);
        token_ms = (now_ms() - start) / MANY;
    }
    for (int i = 0; i < TRIES; i++) {
        Stopper s = { .stopped_at = 0 };
        KCall call = { .cancel = &s.cancel };
        int got = 0, rest = 0;
        assert_int_equal(f->ops->rewind(f->line, 0), KS_OK);
        assert_int_equal(f->ops->feed(f->line, prompt, FROM, WANT_LAST, NULL), KS_OK);
        stopper_start(&s, token_ms * MANY * (i + 0.5) / (TRIES + 1));
        KStatus status = f->ops->step(f->line, &greedy, MANY, parts, &got, &call);
        double late = stopper_end(&s);
        if (status == KS_CANCELLED) {
            stopped++;
            worst = late > worst ? late : worst;
            assert_true(got < MANY && f->ops->length(f->line) == FROM + (got ? got - 1 : 0));
            status = f->ops->step(f->line, &greedy, MANY - got, parts + got, &rest, NULL);
        }
        assert_int_equal(status, KS_OK);
        assert_int_equal(got + rest, MANY);
        assert_memory_equal(whole, parts, sizeof whole);
    }
    print_message("# %s: tokens of %.2f ms; stops %.2f ms after it was told to\n", f->ops->name,
                  token_ms, worst);
    assert_true(stopped > 0);
    /* one token, and what the machine's scheduler adds */
    assert_true(worst < 2 * token_ms * slack + 10 * slack);
}

#define ON(backend, test)                                                                          \
    {                                                                                              \
#backend ": " #test, test, open_##backend, close_all, NULL                                 \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(cpu, loading_stops_with_the_next_tensor),
        ON(cpu, a_prompt_stops_at_any_moment_and_can_go_on),
        ON(cpu, decoding_stops_within_a_token_and_can_go_on),
        ON(cuda, loading_stops_with_the_next_tensor),
        ON(cuda, a_prompt_stops_at_any_moment_and_can_go_on),
        ON(cuda, decoding_stops_within_a_token_and_can_go_on),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("stops", tests, NULL, NULL);
}
