/* Models from files on CUDA against the CPU backend: activations of every layer, logits, log-probabilities and greedy ids.
 *
 * The models are the folders and .gguf files of $KAIWA_TEST_MODELS (any model may be added there) and the guide of this
 * tree.  Skips without a GPU; $KAIWA_TEST_BACKEND names another backend to compare.  What was measured is printed. */
#include "config.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "tests/good.h"
#include "tests/other_backend.h"

#define MARGIN 0.02      /* a step with less between best and second says nothing */
#define LOGIT_ERROR 2e-3 /* norm of the difference over norm */
/* what one layer adds is smaller than what is rounded on its way */
#define TAP_ERROR 6e-3
#define SCORE_ERROR 3e-3 /* mean absolute difference of log-probabilities */

enum { MAX_MODELS = 64, N_PROMPT = 300, N_REPLY = 96, N_POINTS = 4 };

typedef struct {
    char *path, *test;
    Engine *engine[2]; /* CPU, CUDA */
    Session *session[2];
    ModelInfo info;
    int wrong;
} Case;

static Case cases[MAX_MODELS];
static size_t n_cases;

static const Sampling greedy = { .temperature = 0, .top_p = 1, .repeat_penalty = 1 };

/* ---- finding models ---- */

static void add_case(const char *folder, const char *name)
{
    Buf path = BUF_INIT, test = BUF_INIT;
    struct stat st;

    buf_printf(&path, "%s/%s", folder, name);
    buf_printf(&test, "%s computes on CUDA what it does on the CPU", name);
    bool is_model = stat(buf_cstr(&path), &st) == 0 && name[0] != '.';
    if (is_model && S_ISDIR(st.st_mode)) {
        Buf config = BUF_INIT;
        buf_printf(&config, "%s/config.json", buf_cstr(&path));
        is_model = stat(buf_cstr(&config), &st) == 0;
        buf_release(&config);
    } else {
        is_model = is_model && strstr(name, ".gguf");
    }
    if (is_model && n_cases < MAX_MODELS)
        cases[n_cases++] = (Case){ .path = buf_take(&path), .test = buf_take(&test) };
    buf_release(&path);
    buf_release(&test);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const Case *)a)->path, ((const Case *)b)->path);
}

static void find_cases(void)
{
    const char *models = getenv("KAIWA_TEST_MODELS"), *top = getenv("abs_top_srcdir");
    DIR *dir = models ? opendir(models) : NULL;
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        add_case(models, entry->d_name);
    if (dir)
        closedir(dir);
    qsort(cases, n_cases, sizeof *cases, by_path);
    if (top) {
        Buf folder = BUF_INIT;
        buf_printf(&folder, "%s/models", top);
        add_case(buf_cstr(&folder), "guide");
        buf_release(&folder);
    }
}

/* ---- comparing ---- */

typedef struct {
    double difference, norm;
} Distance;

static void distance_add(Distance *d, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double difference = (double)a[i] - (double)b[i];
        if (!isfinite(a[i]) && !isfinite(b[i]))
            continue; /* logits of ids that are none */
        d->difference += difference * difference;
        d->norm += (double)b[i] * b[i];
    }
}

static double relative(Distance d)
{
    return d.norm > 0 ? sqrt(d.difference / d.norm) : d.difference > 0 ? INFINITY : 0;
}

static void check_below(Case *c, const char *what, double error, double bound)
{
    print_message("# %s: %s: %.2g\n", strrchr(c->path, '/') + 1, what, error);
    c->wrong += !(error <= bound);
}

static void add_logits(Case *c, Distance *d)
{
    const float *logits[2];
    int n[2];

    for (int i = 0; i < 2; i++)
        GOOD(logits[i] = session_logits(c->session[i], &n[i], &err));
    assert_int_equal(n[0], n[1]);
    distance_add(d, logits[1], logits[0], (size_t)n[0]);
}

/* Where something was furthest off. */
typedef struct {
    double error;
    size_t tokens;
    int layer, point;
} Worst;

static void worst_take(Worst *worst, Worst other)
{
    if (!(other.error <= worst->error))
        *worst = other;
}

static void add_taps(Case *c, size_t tokens, Worst *worst)
{
    size_t n = (size_t)c->info.hidden;
    float *values[2] = { calloc(n, sizeof(float)), calloc(n, sizeof(float)) };

    assert_true(values[0] && values[1]);
    for (int layer = 0; layer < c->info.n_layers; layer++) {
        for (int point = 0; point < N_POINTS; point++) {
            Distance d = { 0 };
            for (int i = 0; i < 2; i++)
                GOOD(session_tap(c->session[i], layer, point, values[i], &err));
            distance_add(&d, values[1], values[0], n);
            worst_take(worst, (Worst){ relative(d), tokens, layer, point });
        }
    }
    free(values[0]);
    free(values[1]);
}

/* ---- prompts ---- */

/* Text where the tokenizer makes something of it, then ids of the whole vocabulary. */
static void make_prompt(Case *c, Tokens *out)
{
    static const char text[] =
        "クマが海辺に行ってアザラシと友達になり、最終的には家に帰るというプロットの短編小説を書いて"
        "ください。 Explain in one sentence why the sky is blue.";
    uint32_t state = 12345;

    if (engine_bos(c->engine[0]) >= 0)
        tokens_push(out, engine_bos(c->engine[0]));
    GOOD(engine_tokenize(c->engine[0], str_from(text), false, out, &err));
    while (out->n < N_PROMPT) {
        state = state * 1664525 + 1013904223;
        tokens_push(out, (int32_t)((state >> 8) % (uint32_t)c->info.n_tokens));
    }
    tokens_truncate(out, N_PROMPT);
}

/* One token at a time, few tokens, and whole prompts: each has kernels of its own. */
static void check_prompts(Case *c, const Tokens *prompt)
{
    static const size_t ends[] = { 1, 2, 5, 13, 14, 64, 65, 200, N_PROMPT };
    static const char *const points[N_POINTS] = { "input", "attention", "feed-forward", "output" };
    Worst logits = { 0 }, tap = { 0 };

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        Tokens part = { prompt->ids, ends[i], 0 };
        Distance d = { 0 };
        for (int k = 0; k < 2; k++)
            GOOD(session_sync(c->session[k], &part, NULL, NULL, &err));
        add_logits(c, &d);
        worst_take(&logits, (Worst){ relative(d), ends[i], 0, 0 });
        add_taps(c, ends[i], &tap);
    }
    print_message("# %s: furthest: %s of layer %d after %zu tokens; logits after %zu\n",
                  strrchr(c->path, '/') + 1, points[tap.point], tap.layer, tap.tokens,
                  logits.tokens);
    check_below(c, "activations, relative error", tap.error, TAP_ERROR);
    check_below(c, "logits, relative error", logits.error, LOGIT_ERROR);
}

static double margin_of(const float *logits, int n, int32_t best)
{
    float second = -INFINITY;
    for (int i = 0; i < n; i++)
        if (i != best && logits[i] > second)
            second = logits[i];
    return (double)logits[best] - (double)second;
}

/* The CPU's reply, with how much the best of each step is ahead; both go on with the CPU's ids. */
static void make_reply(Case *c, Tokens *all, double *margin)
{
    for (int i = 0; i < N_REPLY; i++) {
        const float *logits;
        int32_t id;
        int n;
        GOOD(session_next(c->session[0], &greedy, &id, NULL, &err));
        GOOD(logits = session_logits(c->session[0], &n, &err));
        margin[i] = margin_of(logits, n, id);
        tokens_push(all, id);
    }
}

static void check_reply(Case *c, const Tokens *prompt)
{
    Tokens all = TOKENS_INIT;
    double margin[N_REPLY], sum = 0;
    TokenScore scores[2][N_REPLY];
    int differ = 0, close_ones = 0, same = 0;

    tokens_append(&all, prompt->ids, 64);
    for (int k = 0; k < 2; k++)
        GOOD(session_sync(c->session[k], &all, NULL, NULL, &err));
    size_t from = all.n;
    make_reply(c, &all, margin);
    /* CUDA on its own, until a step where nothing decides */
    for (bool decided = true; same < N_REPLY && decided; same += decided) {
        int32_t id;
        GOOD(session_next(c->session[1], &greedy, &id, NULL, &err));
        decided = id == all.ids[from + (size_t)same];
        differ += !decided && margin[same] > MARGIN;
    }
    for (int k = 0; k < 2; k++)
        GOOD(session_score(c->session[k], &all, from, scores[k], NULL, &err));
    for (int i = 0; i < N_REPLY; i++) {
        sum += fabs(scores[1][i].logprob - scores[0][i].logprob);
        close_ones += margin[i] <= MARGIN;
        differ += scores[1][i].best != all.ids[from + (size_t)i] && margin[i] > MARGIN;
    }
    print_message("# %s: greedy: %d of %d alike on its own; %d margins of at most %g; %d wrong\n",
                  strrchr(c->path, '/') + 1, same, N_REPLY, close_ones, MARGIN, differ);
    c->wrong += differ;
    check_below(c, "log-probabilities, mean absolute error", sum / N_REPLY, SCORE_ERROR);
    tokens_release(&all);
}

/* ---- running ---- */

static const char *backend_name(void)
{
    return other_backend("cuda");
}

static void open_pair(Case *c, bool with_tap)
{
    for (int k = 0; k < 2; k++) {
        const EngineOptions options = { .model = c->path,
                                        .backend = k ? backend_name() : "cpu",
                                        .tap = with_tap };
        GOOD(c->engine[k] = engine_open(&options, NULL, &err));
        GOOD(c->session[k] = session_new(c->engine[k], N_PROMPT + N_REPLY + 4, &err));
    }
    engine_info(c->engine[0], &c->info);
}

static void close_pair(Case *c)
{
    for (int k = 0; k < 2; k++) {
        session_free(c->session[k]);
        engine_close(c->engine[k]);
        c->session[k] = NULL;
        c->engine[k] = NULL;
    }
}

static void check_model(void **state)
{
    Case *c = *state;
    Tokens prompt = TOKENS_INIT;

    if (!backend_works(backend_name()))
        skip();
    open_pair(c, true);
    make_prompt(c, &prompt);
    check_prompts(c, &prompt);
    close_pair(c);
    open_pair(c, false); /* without activations: the drivers and launches that people get */
    check_reply(c, &prompt);
    tokens_release(&prompt);
    assert_int_equal(c->wrong, 0);
}

static int close_model(void **state)
{
    close_pair(*state);
    return 0;
}

static void no_models(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    static struct CMUnitTest tests[MAX_MODELS];
    const struct CMUnitTest none[] = { cmocka_unit_test(no_models) };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    find_cases();
    if (!n_cases)
        return cmocka_run_group_tests_name("models on CUDA", none, NULL, NULL);
    for (size_t i = 0; i < n_cases; i++)
        tests[i] = (struct CMUnitTest){ cases[i].test, check_model, NULL, close_model, &cases[i] };
    int failed = _cmocka_run_group_tests("models on CUDA", tests, n_cases, NULL, NULL);
    for (size_t i = 0; i < n_cases; i++) {
        free(cases[i].path);
        free(cases[i].test);
    }
    return failed;
}
