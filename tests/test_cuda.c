/* The cuda backend against the float64 reference, over every format of the zoo (zoo.c): relative error of logits and
 * activations, equal bits however tokens are batched, rewinding, forks, saved caches, greedy and random sampling.
 *
 * Skips without a GPU.  `test_cuda NAME` tests the models whose names hold NAME, `test_cuda --few DRIVER NAME` only a few
 * tokens of them (for tools that slow the device down).  `test_cuda --speed DRIVER VARIANT...` (auto, graph, persistent, each with `, mma` for prompts by mma.sync on every card; plain, act-order, bias, bias+act-order) times decoding and prefill at the seed model's shape instead. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/kernels.h"
#include "tests/zoo.h"

#ifndef REFERENCE
#define REFERENCE "reference"
#endif

enum { PROMPT = 75 };
static const double LOGIT_BOUND = 2e-3;

static int n_tests, n_failed;

static void ok(bool good, const char *model, const char *what)
{
    printf("%sok %d - %s: %s\n", good ? "" : "not ", ++n_tests, model, what);
    n_failed += !good;
}

static double relative(const float *a, const float *b, int n)
{
    double num = 0, den = 0;
    for (int i = 0; i < n; i++) {
        if (isinf(a[i]) && isinf(b[i]))
            continue;
        double d = (double)a[i] - b[i];
        num += d * d, den += (double)b[i] * b[i];
    }
    return sqrt(num / den);
}

typedef struct {
    Backend *backend;
    Loaded *loaded;
    Timeline *line;
    const BackendOps *ops;
} Side;

static bool side_open(Side *s, const char *name, TinyModel *m, const char *driver, bool with_tap)
{
    BackendOptions options = { .threads = 2, .decoder = driver, .tap = with_tap };
    const char *why = "";
    s->ops = backend_find(name);
    KStatus status = s->ops->open(&options, &s->backend, &why);
    if (status == KS_OK)
        status = s->ops->load(s->backend, tiny_shape(m), tiny_weights(m), NULL, &s->loaded);
    if (status == KS_OK)
        status = s->ops->timeline_open(s->loaded, tiny_shape(m)->max_context, &s->line);
    if (status != KS_OK)
        printf("# %s: status %d, %s%s\n", name, status, why, s->backend ? s->ops->fault(s->backend)->what : "");
    return status == KS_OK;
}

static void side_close(Side *s)
{
    if (s->line)
        s->ops->timeline_close(s->line);
    if (s->loaded)
        s->ops->unload(s->loaded);
    if (s->backend)
        s->ops->close(s->backend);
}

static bool feed(Side *s, const int32_t *ids, int n, int batch, Want want)
{
    for (int i = 0; i < n; i += batch)
        if (s->ops->feed(s->line, ids + i, n - i < batch ? n - i : batch, want, NULL) != KS_OK) {
            const KFault *f = s->ops->fault(s->backend);
            printf("# feeding %d at %d: %s, layer %d\n", batch, i, f->what, f->layer);
            return false;
        }
    return true;
}

/* Feeds ids in batches of a size and leaves logits of the last token in out. */
static bool logits_after(Side *s, const int32_t *ids, int n, int batch, float *out)
{
    return s->ops->rewind(s->line, 0) == KS_OK && feed(s, ids, n, batch, WANT_LAST) && s->ops->logits(s->line, out) == KS_OK;
}

static void test_numbers(const char *name, Side *gpu, Side *ref, TinyModel *m, const int32_t *ids)
{
    int v = tiny_shape(m)->n_vocab;
    float *a = malloc((size_t)v * 4), *b = malloc((size_t)v * 4), *c = malloc((size_t)v * 4);
    char text[160];
    bool fine = logits_after(ref, ids, PROMPT, PROMPT, b);
    const int batches[] = { 1, 2, 3, 4, 8, PROMPT };
    for (int i = 0; fine && i < 6; i++) {
        bool ran = logits_after(gpu, ids, PROMPT, batches[i], a);
        double e = ran ? relative(a, b, v) : 9;
        snprintf(text, sizeof text, "batches of %d, error of logits %.1e", batches[i], e);
        ok(ran && e < LOGIT_BOUND, name, text);
        if (i == 0)
            memcpy(c, a, (size_t)v * 4);
        else if (batches[i] <= 8)
            ok(memcmp(a, c, (size_t)v * 4) == 0, name, "the bits of one token at a time");
    }
    ok(fine, name, "the reference runs");
    double worst = 0;
    for (int layer = 0; layer < tiny_shape(m)->n_layers; layer++)
        for (int p = TAP_INPUT; p <= TAP_OUTPUT; p++)
            if (gpu->ops->tap(gpu->line, layer, (TapPoint)p, a) == KS_OK &&
                ref->ops->tap(ref->line, layer, (TapPoint)p, b) == KS_OK) {
                double e = relative(a, b, tiny_shape(m)->hidden);
                worst = e > worst || e != e ? e : worst;
            } else
                worst = 9;
    snprintf(text, sizeof text, "activations of each layer, worst %.1e", worst);
    ok(worst < 4e-3, name, text);
    free(a), free(b), free(c);
}

/* Logits after the first n tokens, for prompts of n in pieces as given (0 ends them): each against the reference's row. */
static void test_prompts(const char *name, Side *gpu, const float *rows, TinyModel *m, const int32_t *ids)
{
    static const int pieces[][4] = { { 9 }, { 10 }, { 15 }, { 16 }, { 17 }, { 31 }, { 33 }, { 50 }, { 63 }, { 64 }, { 65 },
                                     { 100 }, { 127 }, { 128 }, { 129 }, { 191 }, { 193 }, { 255 }, { 257 }, { 299 }, { 300 },
                                     { 100, 50 }, { 37, 200 }, { 1, 20, 1, 130 }, { 256, 44 }, { 64, 64, 64, 64 }, { 290, 9 } };
    size_t v = (size_t)tiny_shape(m)->n_vocab;
    float *x = malloc(v * 4), *y = malloc(v * 4);
    double worst = 0;
    bool ran = true, same = true;
    int at = 0;
    for (size_t i = 0; ran && i < sizeof pieces / sizeof *pieces; i++) {
        for (int again = 0; ran && again < 2; again++) {
            int n = 0;
            ran = gpu->ops->rewind(gpu->line, 0) == KS_OK;
            for (int k = 0; ran && k < 4 && pieces[i][k]; n += pieces[i][k++])
                ran = feed(gpu, ids + n, pieces[i][k], pieces[i][k], WANT_LAST);
            ran = ran && gpu->ops->logits(gpu->line, again ? y : x) == KS_OK;
            double e = ran ? relative(x, rows + (size_t)(n - 1) * v, (int)v) : 9;
            if (e > worst || e != e)
                worst = e, at = n;
        }
        same = same && memcmp(x, y, v * 4) == 0;
    }
    char text[160];
    snprintf(text, sizeof text, "prompts of 9 to 300 tokens, whole and in pieces, error of logits up to %.1e (%d tokens)", worst, at);
    ok(ran && worst < LOGIT_BOUND, name, text);
    ok(ran && same, name, "the same pieces give the same bits");
    free(x), free(y);
}

/* Prompts up to the whole context, by each way of reading them that this card has. */
static void test_prefill(const char *name, Side *ref, TinyModel *m)
{
    static const char *const driver[] = { "graph", "graph, mma" };
    enum { N = 300 };
    size_t v = (size_t)tiny_shape(m)->n_vocab;
    float *rows = malloc(N * v * 4), *all = malloc(N * v * 4);
    int32_t ids[N];
    uint64_t state = 99;
    for (int i = 0; i < N; i++)
        ids[i] = (int32_t)tiny_random(&state, (uint32_t)tiny_shape(m)->n_tokens);
    bool fine = ref->ops->rewind(ref->line, 0) == KS_OK && feed(ref, ids, N, N, WANT_ALL) && ref->ops->logits(ref->line, rows) == KS_OK;
    ok(fine, name, "the reference reads 300 tokens");
    for (int i = 0; fine && i < 2; i++) {
        Side gpu = { 0 };
        char text[160];
        printf("# %s: %s\n", name, driver[i]);
        if (!side_open(&gpu, "cuda", m, driver[i], false)) {
            ok(false, name, "opens for prompts");
            continue;
        }
        test_prompts(name, &gpu, rows, m, ids);
        bool ran = gpu.ops->rewind(gpu.line, 0) == KS_OK && feed(&gpu, ids, N, N, WANT_ALL) && gpu.ops->logits(gpu.line, all) == KS_OK;
        double e = ran ? relative(all, rows, (int)(N * v)) : 9;
        snprintf(text, sizeof text, "logits after each of 300 tokens, error %.1e", e);
        ok(ran && e < LOGIT_BOUND, name, text);
        side_close(&gpu);
    }
    free(rows), free(all);
}

static bool generate(Side *s, const SampleSpec *spec, int n, int max, int32_t *out)
{
    for (int done = 0; done < n;) {
        int got = 0;
        if (s->ops->step(s->line, spec, n - done < max ? n - done : max, out + done, &got, NULL) != KS_OK || !got)
            return false;
        done += got;
    }
    return true;
}

static void test_steps(const char *name, Side *gpu, TinyModel *m, const int32_t *ids)
{
    SampleSpec greedy = { .top_p = 1, .repeat_penalty = 1 }, random = greedy;
    random.temperature = 0.9f, random.top_k = 40, random.top_p = 0.95f, random.repeat_penalty = 1.1f, random.seed = 7;
    int32_t a[40], b[40], fed[PROMPT + 40];
    int v = tiny_shape(m)->n_vocab;
    float *x = malloc((size_t)v * 4), *y = malloc((size_t)v * 4);
    memcpy(fed, ids, PROMPT * 4);
    bool fine = logits_after(gpu, ids, PROMPT, 4, x) && generate(gpu, &greedy, 40, 1, a);
    memcpy(fed + PROMPT, a, sizeof a);
    ok(fine && gpu->ops->length(gpu->line) == PROMPT + 39, name, "the last sampled token is not in the cache");
    fine = fine && gpu->ops->logits(gpu->line, x) == KS_OK;
    ok(fine && logits_after(gpu, fed, PROMPT + 39, 1, y) && memcmp(x, y, (size_t)v * 4) == 0, name,
       "steps leave the logits that feeding leaves");
    ok(logits_after(gpu, ids, PROMPT, 4, y) && generate(gpu, &greedy, 40, 7, b) && memcmp(a, b, sizeof a) == 0, name,
       "greedy ids do not depend on tokens a call");
    Timeline *fork = NULL;
    fine = gpu->ops->timeline_fork(gpu->line, PROMPT, &fork) == KS_OK;
    Side other = *gpu;
    other.line = fork;
    ok(fine && feed(&other, a, 5, 1, WANT_LAST) && gpu->ops->logits(fork, x) == KS_OK && logits_after(gpu, fed, PROMPT + 5, 1, y) &&
           memcmp(x, y, (size_t)v * 4) == 0, name, "a fork goes on as its origin");
    /* two timelines in turn: the one that ran ahead must not lose its place */
    fine = logits_after(gpu, ids, PROMPT, 4, y);
    int32_t c[40];
    for (int i = 0; fine && i < 20; i++)
        fine = generate(gpu, &greedy, 1, 1, c + i) && generate(&other, &greedy, 1, 1, b + i);
    ok(fine && memcmp(a, c, 20 * 4) == 0, name, "timelines take turns");
    gpu->ops->timeline_close(fork);

    fine = logits_after(gpu, ids, PROMPT, 4, x) && generate(gpu, &random, 30, 1, a);
    fine = fine && logits_after(gpu, ids, PROMPT, 4, x) && generate(gpu, &random, 30, 30, b);
    ok(fine && memcmp(a, b, 30 * 4) == 0, name, "the same seed draws the same tokens");
    size_t bytes = gpu->ops->saved_bytes(gpu->line, 20);
    char *saved = malloc(bytes);
    fine = logits_after(gpu, ids, 30, 30, x) && gpu->ops->save(gpu->line, 5, 20, saved) == KS_OK &&
           gpu->ops->rewind(gpu->line, 5) == KS_OK && gpu->ops->restore(gpu->line, 5, 20, ids + 5, saved) == KS_OK &&
           feed(gpu, ids + 25, 5, 1, WANT_LAST) && gpu->ops->logits(gpu->line, x) == KS_OK;
    fine = fine && logits_after(gpu, ids, 30, 30, y);
    ok(fine && relative(x, y, v) < LOGIT_BOUND, name, "a saved cache is restored");
    free(saved), free(x), free(y);
}

/* gpu was opened with the persistent driver (where it can take the model): the graph driver must give its bits, for one to four
 * tokens at once and over `n` greedy tokens. */
static void test_drivers(const char *name, Side *gpu, TinyModel *m, const int32_t *ids, int prompt, int n)
{
    Side graph = { 0 };
    char text[200];
    gpu->ops->describe(gpu->backend, text, sizeof text);
    printf("# %s: %s\n", name, text);
    if (!strstr(text, "persistent"))
        return;
    size_t bytes = (size_t)tiny_shape(m)->n_vocab * sizeof(float);
    float *x = malloc(bytes), *y = malloc(bytes);
    int32_t *a = malloc((size_t)n * 4), *b = malloc((size_t)n * 4);
    bool fine = side_open(&graph, "cuda", m, "graph", false);
    for (int batch = 1; batch <= 4; batch++) {
        bool same = fine && logits_after(gpu, ids, prompt, batch, x) && logits_after(&graph, ids, prompt, 1, y);
        snprintf(text, sizeof text, "graph and persistent driver, equal bits in batches of %d (%.1e)", batch,
                 same ? relative(x, y, tiny_shape(m)->n_vocab) : 9);
        ok(same && memcmp(x, y, bytes) == 0, name, text);
    }
    SampleSpec greedy = { .top_p = 1, .repeat_penalty = 1 };
    fine = fine && logits_after(gpu, ids, prompt, 1, x) && generate(gpu, &greedy, n, 1, a) &&
           logits_after(&graph, ids, prompt, 1, y) && generate(&graph, &greedy, n, 1, b);
    int same = 0;
    while (fine && same < n && a[same] == b[same])
        same++;
    fine = fine && gpu->ops->logits(gpu->line, x) == KS_OK && graph.ops->logits(graph.line, y) == KS_OK;
    snprintf(text, sizeof text, "graph and persistent driver give the same %d tokens (%d)", n, same);
    ok(fine && same == n && memcmp(x, y, bytes) == 0, name, text);
    side_close(&graph);
    free(x), free(y), free(a), free(b);
}

static void test_long(void)
{
    static const TinySpec spec = { .name = "2,000 tokens", .n_layers = 4, .hidden = 1024, .n_heads = 8, .head_dim = 128,
                                   .intermediate = 2816, .n_vocab = 3043, .n_tokens = 3040, .context = 2100, .packing = TINY_GPTQ,
                                   .group_size = 128, .scale_type = DTYPE_F16, .act_order = true, .input_order = true, .bias = true,
                                   .bias_type = DTYPE_F16, .head_dtype = DTYPE_F16, .untied = true };
    TinyModel *m = tiny_new(&spec, 21);
    Side gpu = { 0 };
    int32_t ids[9] = { 5, 7, 11, 13, 17, 19, 23, 29, 31 };
    if (side_open(&gpu, "cuda", m, "persistent", false))
        test_drivers(spec.name, &gpu, m, ids, 9, 2000);
    else
        ok(false, spec.name, "opens");
    side_close(&gpu);
    tiny_free(m);
}

/* More tokens than one pass takes, against the same tokens fed four at a time. */
static void test_long_prompt(void)
{
    static const TinySpec spec = { .name = "1,500 tokens at once", .n_layers = 3, .hidden = 1024, .n_heads = 8, .n_kv_heads = 2,
                                   .head_dim = 128, .intermediate = 2816, .n_vocab = 3043, .n_tokens = 3040, .context = 2100,
                                   .packing = TINY_GPTQ, .group_size = 128, .scale_type = DTYPE_F16, .head_dtype = DTYPE_F16,
                                   .untied = true };
    enum { N = 1500 };
    static const int pieces[][2] = { { 1500, 0 }, { 1000, 500 }, { 1450, 50 }, { 20, 1480 } };
    TinyModel *m = tiny_new(&spec, 22);
    Side gpu = { 0 };
    int v = spec.n_vocab;
    float *x = malloc((size_t)v * 4), *y = malloc((size_t)v * 4);
    static int32_t ids[N];
    uint64_t state = 5;
    for (int i = 0; i < N; i++)
        ids[i] = (int32_t)tiny_random(&state, (uint32_t)spec.n_tokens);
    bool fine = side_open(&gpu, "cuda", m, "graph", false) && logits_after(&gpu, ids, N, 4, y);
    for (int i = 0; i < 4; i++) {
        bool ran = fine && gpu.ops->rewind(gpu.line, 0) == KS_OK && feed(&gpu, ids, pieces[i][0], N, WANT_LAST) &&
                   (!pieces[i][1] || feed(&gpu, ids + pieces[i][0], pieces[i][1], N, WANT_LAST)) &&
                   gpu.ops->logits(gpu.line, x) == KS_OK;
        char text[100];
        double e = ran ? relative(x, y, v) : 9;
        snprintf(text, sizeof text, "%d tokens, then %d: error of logits against decoding %.1e", pieces[i][0], pieces[i][1], e);
        ok(ran && e < LOGIT_BOUND, spec.name, text);
    }
    side_close(&gpu);
    free(x), free(y);
    tiny_free(m);
}

static void test_model(const TinySpec *spec, uint64_t seed)
{
    TinyModel *m = tiny_new(spec, seed);
    Side gpu = { 0 }, ref = { 0 };
    uint64_t state = seed;
    int32_t ids[PROMPT];
    for (int i = 0; i < PROMPT; i++)
        ids[i] = (int32_t)tiny_random(&state, (uint32_t)tiny_shape(m)->n_tokens);
    if (side_open(&gpu, "cuda", m, NULL, true) && side_open(&ref, REFERENCE, m, NULL, true)) {
        test_numbers(spec->name, &gpu, &ref, m, ids);
        side_close(&gpu);
        memset(&gpu, 0, sizeof gpu);
        test_prefill(spec->name, &ref, m);
        if (side_open(&gpu, "cuda", m, "persistent", false)) {
            test_drivers(spec->name, &gpu, m, ids, PROMPT, 40);
            test_steps(spec->name, &gpu, m, ids);
        } else {
            ok(false, spec->name, "opens again");
        }
    } else
        ok(false, spec->name, "opens");
    side_close(&gpu);
    side_close(&ref);
    tiny_free(m);
}

/* ---- speed ----------------------------------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void speed(const char *driver, const char *variant)
{
    const bool act_order = strstr(variant, "act-order"), bias = strstr(variant, "bias");
    const TinySpec spec = { .name = "seed", .n_layers = 32, .hidden = 4096, .n_heads = 32, .head_dim = 128, .intermediate = 11008,
                            .n_vocab = 45043, .n_tokens = 45040, .context = 4096, .packing = TINY_GPTQ, .group_size = 128,
                            .scale_type = DTYPE_F16, .act_order = act_order, .input_order = true, .bias = bias,
                            .bias_type = DTYPE_F16, .head_dtype = DTYPE_F16, .untied = true };
    TinyModel *m = tiny_new(&spec, 5);
    Side gpu = { 0 };
    double t = now();
    if (!side_open(&gpu, "cuda", m, driver, false))
        exit(1);
    char text[200];
    gpu.ops->describe(gpu.backend, text, sizeof text);
    printf("%s, %s: load %.2f s, %.2f GB\n", text, variant, now() - t, gpu.ops->weight_bytes(gpu.loaded) / 1e9);
    SampleSpec greedy = { .top_p = 1, .repeat_penalty = 1 };
    static int32_t ids[4096], out[256];
    uint64_t state = 3;
    for (int i = 0; i < 4096; i++)
        ids[i] = (int32_t)tiny_random(&state, 45000);
    const int depth[] = { 16, 512, 2048, 3500 };
    for (int d = 0; d < 4; d++) {
        gpu.ops->rewind(gpu.line, 0);
        if (!feed(&gpu, ids, depth[d], depth[d], WANT_LAST))
            exit(1);
        generate(&gpu, &greedy, 8, 1, out);
        t = now();
        generate(&gpu, &greedy, 192, 1, out);
        printf("decode at %4d: %.1f tok/s\n", depth[d], 192 / (now() - t));
    }
    for (int n = 1; n <= 8; n *= 2) {
        gpu.ops->rewind(gpu.line, 16);
        feed(&gpu, ids, n, n, WANT_LAST);
        t = now();
        for (int i = 0; i < 50; i++)
            feed(&gpu, ids, n, n, WANT_LAST);
        printf("a step of %d: %.3f ms\n", n, (now() - t) / 50 * 1e3);
    }
    const int prompt[] = { 17, 32, 64, 128, 512, 2048 };
    for (int p = 0; p < 6; p++) {
        double best = 1e9;
        for (int i = 0; i < 4; i++) {
            gpu.ops->rewind(gpu.line, 0);
            t = now();
            gpu.ops->feed(gpu.line, ids, prompt[p], WANT_LAST, NULL);
            best = now() - t < best ? now() - t : best;
        }
        printf("prefill %4d: %.0f tok/s, %.2f ms\n", prompt[p], prompt[p] / best, best * 1e3);
    }
    gpu.ops->rewind(gpu.line, 2000);
    for (int i = 0; i < 2; i++) {
        gpu.ops->rewind(gpu.line, 2000);
        t = now();
        gpu.ops->feed(gpu.line, ids, 50, WANT_LAST, NULL);
        generate(&gpu, &greedy, 1, 1, out);
    }
    printf("second turn, 50 on 2000: %.2f ms\n", (now() - t) * 1e3);
    side_close(&gpu);
    tiny_free(m);
}

/* A few tokens of the models whose names hold `part`, by one driver, alone and together. */
static void test_few(const char *driver, const char *part)
{
    enum { FEW = 8 };
    const int32_t ids[FEW] = { 1, 2, 3, 5, 7, 11, 13, 17 };
    for (int i = ZOO_GPU; i < N_ZOO; i++) {
        if (!strstr(zoo[i].name, part))
            continue;
        TinyModel *m = tiny_new(&zoo[i], 1 + (uint64_t)(i - ZOO_GPU));
        const size_t bytes = (size_t)tiny_shape(m)->n_vocab * sizeof(float);
        float *x = malloc(bytes), *y = malloc(bytes);
        Side gpu = { 0 };
        ok(side_open(&gpu, "cuda", m, driver, false) && logits_after(&gpu, ids, FEW, 1, x) &&
               logits_after(&gpu, ids, FEW, 4, y) && memcmp(x, y, bytes) == 0,
           zoo[i].name, "four tokens at once give the bits of one at a time");
        side_close(&gpu);
        tiny_free(m);
        free(x), free(y);
    }
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    const BackendOps *ops = backend_find("cuda");
    Backend *backend = NULL;
    const char *why = "this build has no CUDA";
    if (!ops || ops->open(&(BackendOptions){ 0 }, &backend, &why) != KS_OK) {
        printf("1..0 # SKIP no GPU: %s\n", why);
        return 0;
    }
    ops->close(backend);
    if (argc > 1 && strcmp(argv[1], "--speed") == 0) {
        for (int i = 3; i < argc; i++)
            speed(argv[2], argv[i]);
        return 0;
    }
    if (argc > 3 && strcmp(argv[1], "--few") == 0) {
        test_few(argv[2], argv[3]);
        printf("1..%d\n", n_tests);
        return n_failed != 0;
    }
    for (int i = ZOO_GPU; i < N_ZOO; i++)
        if (argc < 2 || strstr(zoo[i].name, argv[1]))
            test_model(&zoo[i], 1 + (uint64_t)(i - ZOO_GPU));
    if (argc < 2 || strstr("2,000 tokens", argv[1]))
        test_long();
    if (argc < 2 || strstr("1,500 tokens at once", argv[1]))
        test_long_prompt();
    printf("1..%d\n", n_tests);
    return n_failed != 0;
}
