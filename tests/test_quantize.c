/* Quantising: the products, the solver, and whole runs over small models, judged by what kaiwa reads back. */
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
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "engine/quantize_solve.h"
#include "kernels/cpu/dense.h"
#include "kernels/half.h"
#include "src/base/attributes.h"
#include "src/base/path.h"
#include "src/calibration.h"
#include "tests/tiny_model.h"

static const char heldout[] =
    "夏の夜、窓を開けると遠くで雷が鳴った。The lamp went out, and we waited for the rain "
    "to begin. 朝になると庭の木はみな濡れて光っていた。";

/* ---- numbers ---- */

static uint32_t dice = 1;

static float next_value(void)
{
    dice = dice * 1664525 + 1013904223;
    return (float)((double)(dice >> 8) / (1 << 24) - 0.5);
}

static float *values(int64_t n)
{
    float *out = malloc((size_t)n * sizeof *out);

    for (int64_t i = 0; i < n; i++)
        out[i] = next_value();
    return out;
}

static Dense *open_dense(const char *isa, int threads)
{
    const char *why;
    Dense *dense = dense_new(isa, threads, &why);

    if (!dense)
        skip(); /* this processor lacks the set */
    return dense;
}

static void halves_are_rounded_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x10000; i++) {
        float value = half_to_float((uint16_t)i);
        if (!isnan(value))
            assert_int_equal(float_to_half(value), i);
    }
    for (uint32_t i = 0; i < 0x7bff; i++) {
        float low = half_to_float((uint16_t)i), high = half_to_float((uint16_t)(i + 1));
        float middle = (low + high) / 2;
        assert_int_equal(float_to_half(middle), i % 2 ? i + 1 : i);
        assert_int_equal(float_to_half(nextafterf(middle, high)), i + 1);
        assert_int_equal(float_to_half(nextafterf(middle, low)), i);
    }
    assert_int_equal(float_to_half(65519.9f), 0x7bff);
    assert_int_equal(float_to_half(65520), 0x7c00);
}

/* c starts at 1 everywhere; the second half of the call's rows of a is read through strides. */
static void check_product(Dense *dense, int m, int n, int k)
{
    float *a = values((int64_t)m * k), *b = values((int64_t)n * k), *c = values((int64_t)m * n);
    DenseProduct product = {
        .a = { a, k, 1 }, .b = { b, 1, k }, .c = c, .c_row = n, .m = m, .n = n, .k = k
    };

    assert_true(dense_multiply(dense, &product));
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int x = 0; x < k; x++)
                sum += (double)a[i * k + x] * (double)b[j * k + x];
            assert_true(fabs(sum - (double)c[i * n + j]) < 1e-4);
        }
    product.store = DENSE_SUBTRACT;
    dense_multiply_here(dense, &product, 0);
    for (int64_t i = 0; i < (int64_t)m * n; i++)
        assert_true(fabsf(c[i]) < 1e-4f);
    free(a);
    free(b);
    free(c);
}

static void check_gram(Dense *dense, int rows, int n)
{
    float *x = values((int64_t)rows * n);
    double *h = calloc((size_t)n * (size_t)n, sizeof *h);

    assert_true(dense_gram(dense, x, rows, n, h));
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int t = 0; t < rows; t++)
                sum += (double)x[t * n + i] * (double)x[t * n + j];
            assert_true(fabs((j <= i ? sum : 0) - h[i * n + j]) < 1e-4);
        }
    free(x);
    free(h);
}

static void check_set(const char *isa)
{
    static const int shapes[][3] = { { 1, 1, 1 },   { 3, 5, 7 },      { 97, 33, 257 },
                                     { 12, 32, 8 }, { 100, 530, 40 }, { 200, 17, 600 } };
    Dense *dense = open_dense(isa, 3);

    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        check_product(dense, shapes[i][0], shapes[i][1], shapes[i][2]);
    check_gram(dense, 300, 130);
    check_gram(dense, 1, 3);
    dense_free(dense);
}

static void generic_products_are_those_of_plain_loops(void **state)
{
    (void)state;
    check_set("generic");
}

static void avx2_products_are_those_of_plain_loops(void **state)
{
    (void)state;
    check_set("avx2");
}

static void avx512_products_are_those_of_plain_loops(void **state)
{
    (void)state;
    check_set("avx512");
}

/* ---- the solver ---- */

static bool grid_of(const float *w, int n, bool symmetric, GptqGrid *out)
{
    const GptqGroup group = { w, NULL, n };

    return gptq_grid(&group, symmetric, out);
}

enum { ROWS = 40, COLS = 200, SAMPLES = 600 };

typedef struct {
    Dense *dense;
    Lapack lapack;
    Hessian hessian;
    double *h; /* as it was before it was prepared */
    float *w;
} Problem;

static void set_problem(Problem *p, const GptqSettings *settings, bool correlated)
{
    float *x = values((int64_t)SAMPLES * COLS);
    Error err = ERROR_INIT;

    if (!lapack_open(&p->lapack, &err))
        skip();
    p->dense = open_dense(NULL, 2);
    for (int t = 0; correlated && t < SAMPLES; t++)
        for (int i = 1; i < COLS; i++)
            x[t * COLS + i] += 0.9f * x[t * COLS + i - 1];
    for (int t = 0; t < SAMPLES; t++)
        x[t * COLS + 77] = 0;
    assert_true(hessian_init(&p->hessian, COLS, &err));
    if (correlated)
        assert_true(dense_gram(p->dense, x, SAMPLES, COLS, p->hessian.h));
    for (int i = 0; !correlated && i < COLS; i++)
        p->hessian.h[i * COLS + i] = i == 77 ? 0 : 1;
    p->h = malloc(COLS * COLS * sizeof *p->h);
    memcpy(p->h, p->hessian.h, COLS * COLS * sizeof *p->h);
    p->w = values((int64_t)ROWS * COLS);
    if (!hessian_prepare(&p->hessian, SAMPLES, settings, &p->lapack, &err))
        fail_msg("%s", err.text);
    free(x);
}

static void end_problem(Problem *p)
{
    hessian_release(&p->hessian);
    lapack_close(&p->lapack);
    dense_free(p->dense);
    free(p->h);
    free(p->w);
}

/* Sum over rows of d H d. */
static double damage(const Problem *p, const float *w, const float *to)
{
    double sum = 0;

    for (int row = 0; row < ROWS; row++)
        for (int i = 0; i < COLS; i++)
            for (int j = 0; j <= i; j++) {
                double a = (double)w[row * COLS + i] - (double)to[row * COLS + i];
                double b = (double)w[row * COLS + j] - (double)to[row * COLS + j];
                sum += a * b * p->h[i * COLS + j] * (i == j ? 1 : 2);
            }
    return sum;
}

static void round_to_nearest(const float *w, const GptqSettings *settings, float *out)
{
    int size = settings->group_size;

    for (int row = 0; row < ROWS; row++)
        for (int i = 0; i < COLS; i++) {
            GptqGrid grid;
            int from = i / size * size;
            float copy[COLS];
            for (int k = from; k < COLS; k++)
                copy[k] = k == 77 ? 0 : w[row * COLS + k];
            assert_true(grid_of(copy + from, from + size < COLS ? size : COLS - from,
                                settings->symmetric, &grid));
            out[row * COLS + i] = grid.scale * (float)(gptq_code(grid, copy[i]) - grid.zero);
        }
}

static void inputs_that_have_nothing_in_common_are_rounded_to_nearest(void **state)
{
    const GptqSettings settings = { .bits = 4, .group_size = 32, .symmetric = true, .damp = 0.01 };
    Problem p;
    GptqMatrix matrix;
    Error err = ERROR_INIT;
    float *nearest = values(ROWS * COLS);

    (void)state;
    set_problem(&p, &settings, false);
    round_to_nearest(p.w, &settings, nearest);
    GptqWork work = { p.dense, &p.hessian, &settings, NULL };
    assert_true(gptq_solve(&work, p.w, ROWS, &matrix, &err));
    assert_memory_equal(p.w, nearest, ROWS * COLS * sizeof *nearest);
    assert_int_equal(matrix.n_groups, 7); /* the last one is shorter */
    gptq_release(&matrix);
    free(nearest);
    end_problem(&p);
}

static void check_damage(const GptqSettings *settings)
{
    Problem p;
    GptqMatrix matrix;
    Error err = ERROR_INIT;
    float *nearest = values(ROWS * COLS), *before = values(ROWS * COLS);
    double mine, theirs;

    set_problem(&p, settings, true);
    memcpy(before, p.w, ROWS * COLS * sizeof *before);
    round_to_nearest(before, settings, nearest);
    GptqWork work = { p.dense, &p.hessian, settings, NULL };
    assert_true(gptq_solve(&work, p.w, ROWS, &matrix, &err));
    mine = damage(&p, before, p.w);
    theirs = damage(&p, before, nearest);
    print_message("# group %d, act-order %d: %.4g, to nearest %.4g\n", settings->group_size,
                  settings->act_order, mine, theirs);
    assert_true(mine < 0.5 * theirs);
    gptq_release(&matrix);
    free(nearest);
    free(before);
    end_problem(&p);
}

static void what_was_rounded_wrong_is_made_good_by_others(void **state)
{
    static const GptqSettings cases[] = {
        { .bits = 4, .group_size = 32, .symmetric = true, .damp = 0.01 },
        { .bits = 4, .group_size = 128, .symmetric = true, .damp = 0.01 },
        { .bits = 4, .group_size = 64, .symmetric = false, .damp = 0.01 },
        { .bits = 4, .group_size = COLS, .symmetric = true, .act_order = true, .damp = 0.01 },
        { .bits = 4, .group_size = 16, .symmetric = false, .act_order = true, .damp = 0.01 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_damage(&cases[i]);
}

static void the_order_is_by_falling_weight_of_the_inputs(void **state)
{
    const GptqSettings settings = {
        .bits = 4, .group_size = 32, .symmetric = true, .act_order = true, .damp = 0.01
    };
    Problem p;

    (void)state;
    set_problem(&p, &settings, true);
    for (int i = 0; i < COLS; i++) {
        assert_int_equal(p.hessian.place[p.hessian.order[i]], i);
        if (i)
            assert_true(p.hessian.diag[p.hessian.order[i]] <=
                        p.hessian.diag[p.hessian.order[i - 1]]);
    }
    assert_true(p.hessian.dead[77] && !p.hessian.dead[76]);
    end_problem(&p);
}

static void a_grid_is_drawn_in_where_that_costs_less(void **state)
{
    float w[64];
    const float cost[64] = { 1e-6f };
    GptqGroup group = { w, NULL, 64 };
    GptqGrid all, few;

    (void)state;
    for (int i = 0; i < 64; i++)
        w[i] = next_value();
    w[0] = -1.2f;
    assert_true(gptq_grid(&group, true, &all));
    group.weight = cost; /* nothing but the outlier counts */
    assert_true(gptq_grid(&group, true, &few));
    assert_true(all.scale < 1.2f * 2 / 15 * 0.99f);
    assert_true(fabsf(few.scale * (float)(gptq_code(few, -1.2f) - 8) + 1.2f) < 0.02f);
}

static void an_asymmetric_grid_never_has_a_zero_point_of_0(void **state)
{
    const float positive[] = { 0.5f, 1, 1.5f, 2 }, negative[] = { -1, -2 }, none[] = { 0, 0 };
    GptqGrid grid;

    (void)state;
    assert_true(grid_of(positive, 4, false, &grid));
    assert_int_equal(grid.zero, 1);
    assert_true(fabsf(grid.scale * (float)(gptq_code(grid, 2) - grid.zero) - 2) < 0.1f);
    assert_true(grid_of(negative, 2, false, &grid));
    assert_int_equal(grid.zero, 15);
    assert_true(grid_of(none, 2, false, &grid));
    assert_true(grid.scale > 0);
    assert_int_equal(gptq_code(grid, 0), grid.zero);
    assert_false(grid_of((const float[]){ 1e30f }, 1, true, &grid));
    assert_true(grid_of((const float[]){ 1e-30f }, 1, true, &grid));
    assert_int_equal(gptq_code(grid, 1e30f), 15);
}

/* ---- whole runs ---- */

typedef struct {
    char dir[256], in[300], out[300];
} Folder;

static int set_up(void **state)
{
    Folder *f = calloc(1, sizeof *f);

    snprintf(f->dir, sizeof f->dir, "%s", tiny_temp_dir());
    snprintf(f->in, sizeof f->in, "%s/in", f->dir);
    snprintf(f->out, sizeof f->out, "%s/out", f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Folder *f = *state;

    tiny_remove_dir(f->dir);
    free(f);
    return 0;
}

static QuantizeOptions options_of(const Folder *f)
{
    return (QuantizeOptions){ .model = f->in,
                              .out = f->out,
                              .group_size = 32,
                              .calibration = str_from(calibration_text),
                              .heldout = STR_NULL,
                              .samples = 12,
                              .sample_tokens = 96,
                              .threads = 2 };
}

static void need_lapack(void)
{
    Error err = ERROR_INIT;
    Lapack lapack;

    if (!lapack_open(&lapack, &err))
        skip();
    lapack_close(&lapack);
}

static void quantize(const QuantizeOptions *options, QuantizeResult *result)
{
    Error err = ERROR_INIT;

    if (!engine_quantize(options, NULL, result, &err))
        fail_msg("%s", err.text);
}

/* The mean loss of heldout as the engine finds it. */
static double engine_loss(const char *path, ModelInfo *info)
{
    const EngineOptions options = { .model = path, .backend = "cpu", .threads = 2 };
    Error err = ERROR_INIT;
    Engine *engine = engine_open(&options, NULL, &err);
    Session *session;
    Tokens ids = TOKENS_INIT;
    TokenScore *scores;
    double sum = 0;

    if (!engine)
        fail_msg("%s", err.text);
    engine_info(engine, info);
    session = session_new(engine, 0, &err);
    if (info->adds_bos)
        tokens_push(&ids, engine_bos(engine));
    assert_true(engine_tokenize(engine, str_from(heldout), false, &ids, &err));
    scores = calloc(ids.n, sizeof *scores);
    assert_true(session_score(session, &ids, 1, scores, NULL, &err));
    for (size_t i = 0; i + 1 < ids.n; i++)
        sum -= scores[i].logprob;
    sum /= (double)(ids.n - 1);
    free(scores);
    tokens_release(&ids);
    session_free(session);
    engine_close(engine);
    return sum;
}

typedef struct {
    TinySpec spec;
    int group_size;
    bool act_order, asymmetric;
} Case;

/* The engine finds the losses that the run reported: so the file holds what the solver decided. */
static void check_case(const Folder *f, const Case *c)
{
    QuantizeOptions options = options_of(f);
    QuantizeResult result;
    ModelInfo info;
    double before, after;

    tiny_remove_dir(f->in);
    tiny_remove_dir(f->out);
    assert_true(tiny_model_write(f->in, &c->spec));
    options.heldout = str_from(heldout);
    options.sample_tokens = 256;
    options.group_size = c->group_size;
    options.act_order = c->act_order;
    options.asymmetric = c->asymmetric;
    quantize(&options, &result);
    before = engine_loss(f->in, &info);
    assert_string_equal(info.quant, "none");
    after = engine_loss(f->out, &info);
    print_message("# %s, group %d: %.4f and %.4f, by the engine %.4f and %.4f\n", info.family,
                  c->group_size, result.nll_before, result.nll_after, before, after);
    assert_true(fabs(before - result.nll_before) < 2e-3);
    assert_true(fabs(after - result.nll_after) < 2e-3);
    assert_true(fabs(after - before) < 0.15 * before);
    assert_string_equal(info.quant, "gptq");
    assert_string_equal(info.zero_rule, "v1");
    assert_int_equal(info.group_size, c->group_size);
    assert_int_equal(info.symmetric, !c->asymmetric);
    assert_int_equal(info.tied, c->spec.tied);
    assert_int_equal(info.has_bias, c->spec.bias || (c->spec.family && *c->spec.family == 'q' &&
                                                     strcmp(c->spec.family, "qwen2") == 0));
    if (c->act_order && c->group_size > 0)
        assert_true(info.act_order);
}

static void kaiwa_reads_what_was_quantised(void **state)
{
    static const Case cases[] = {
        { { .kind = TINY_HF_F32, .seed = 1 }, 32, false, false },
        { { .kind = TINY_HF_F16, .seed = 2 }, 16, true, false },
        { { .kind = TINY_HF_BF16, .seed = 3, .tied = true }, 64, false, true },
        { { .kind = TINY_HF_F32, .seed = 4, .bias = true, .sharded = true }, 128, false, false },
        { { .kind = TINY_HF_F32, .seed = 5, .heads = 8, .kv_heads = 2 }, -1, true, true },
        { { .kind = TINY_HF_F32, .seed = 6, .family = "qwen2" }, 32, true, true },
        { { .kind = TINY_HF_F32, .seed = 7, .family = "qwen3", .tokenizer = TINY_BPE },
          16,
          false,
          true },
        { { .kind = TINY_HF_F16, .seed = 8, .family = "mistral", .v5 = true }, 32, false, false },
        { { .kind = TINY_HF_F16,
            .seed = 9,
            .hidden = 96,
            .heads = 6,
            .kv_heads = 3,
            .intermediate = 200,
            .group_size = 8 },
          32,
          true,
          false },
    };

    need_lapack();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_case(*state, &cases[i]);
}

/* ---- going on, and not ---- */

typedef struct {
    atomic_bool cancel;
    int after;
} Stopper;

static void stop_after(void *arg, int done, int total)
{
    Stopper *stopper = arg;

    (void)total;
    if (done >= stopper->after)
        atomic_store(&stopper->cancel, true);
}

static void same_file(const char *a, const char *b)
{
    Error err = ERROR_INIT;
    Buf x = BUF_INIT, y = BUF_INIT;

    assert_true(path_read_file(a, 1 << 28, &x, &err));
    assert_true(path_read_file(b, 1 << 28, &y, &err));
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    buf_release(&x);
    buf_release(&y);
}

static int same_dirs(const char *a, const char *b)
{
    DIR *dir = opendir(a);
    const struct dirent *entry;
    int n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        char x[600], y[600];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(x, sizeof x, "%s/%s", a, entry->d_name);
        snprintf(y, sizeof y, "%s/%s", b, entry->d_name);
        same_file(x, y);
        n++;
    }
    closedir(dir);
    return n;
}

static void an_interrupted_run_goes_on_to_the_same_bytes(void **state)
{
    const Folder *f = *state;
    const TinySpec spec = { .kind = TINY_HF_F16, .layers = 3, .seed = 11 };
    static const int stops[] = { 0, 3, 7, 11, 14, 18, 21 };
    QuantizeOptions options = options_of(f);
    QuantizeResult result;
    char other[310];
    int n_files;

    need_lapack();
    assert_true(tiny_model_write(f->in, &spec));
    options.act_order = true;
    quantize(&options, &result);
    snprintf(other, sizeof other, "%s-2", f->out);
    for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
        Stopper stopper = { .after = stops[i] };
        Progress progress = { .cancel = &stopper.cancel, .report = stop_after, .arg = &stopper };
        Error err = ERROR_INIT;
        int done;

        options.out = other;
        options.threads = 1 + (int)i % 3;
        assert_false(engine_quantize(&options, &progress, &result, &err));
        assert_int_equal(err.kind, ERR_CANCELLED);
        assert_false(path_exists(other));
        done = result.layers_done;
        assert_true(done <= stops[i] / 7 && done >= (stops[i] - 1) / 7);
        quantize(&options, &result);
        assert_int_equal(result.resumed, done);
        n_files = same_dirs(f->out, other);
        assert_int_equal(n_files, same_dirs(other, f->out));
        tiny_remove_dir(other);
    }
}

static void refused(const QuantizeOptions *options, ErrorKind kind, const char *part)
{
    Error err = ERROR_INIT;
    QuantizeResult result;

    assert_false(engine_quantize(options, NULL, &result, &err));
    if (err.kind != kind || !strstr(err.text, part))
        fail_msg("%d: %s", err.kind, err.text);
}

static void what_is_there_is_not_overwritten(void **state)
{
    const Folder *f = *state;
    const TinySpec spec = { .kind = TINY_HF_F32, .seed = 12 };
    QuantizeOptions options = options_of(f);
    Stopper stopper = { .after = 8 };
    Progress progress = { .cancel = &stopper.cancel, .report = stop_after, .arg = &stopper };
    Error err = ERROR_INIT;
    QuantizeResult result;
    char path[700];

    need_lapack();
    assert_true(tiny_model_write(f->in, &spec));
    assert_true(path_mkdirs(f->out, &err)); /* empty: nothing is lost */
    assert_false(engine_quantize(&options, &progress, &result, &err));
    assert_int_equal(result.layers_done, 1);
    options.group_size = 64;
    refused(&options, ERR_SYSTEM, "other settings");
    options.group_size = 32;
    options.sample_tokens--;
    refused(&options, ERR_SYSTEM, "other settings");
    options.sample_tokens++;
    quantize(&options, &result);
    assert_int_equal(result.resumed, 1);
    refused(&options, ERR_SYSTEM, "is there already");
    snprintf(path, sizeof path, "%s/foreign.partial", f->dir);
    assert_true(path_mkdirs(path, &err));
    snprintf(path, sizeof path, "%s/foreign.partial/letter", f->dir);
    assert_true(path_write_file(path, STR("dear"), &err));
    snprintf(path, sizeof path, "%s/foreign", f->dir);
    options.out = path;
    refused(&options, ERR_SYSTEM, "other settings");
    options.out = "";
    refused(&options, ERR_USAGE, "empty");
}

static void bad_input_is_refused_with_a_reason(void **state)
{
    const Folder *f = *state;
    const TinySpec quantised = { .kind = TINY_GPTQ_V1, .seed = 13 },
                   gguf = { .kind = TINY_GGUF_F16, .seed = 13 },
                   good = { .kind = TINY_HF_F32, .seed = 13 };
    QuantizeOptions options = options_of(f);
    char path[400];

    need_lapack();
    refused(&options, ERR_NOT_FOUND, "");
    assert_true(tiny_model_write(f->in, &quantised));
    refused(&options, ERR_UNSUPPORTED, "already");
    tiny_remove_dir(f->in);
    assert_true(tiny_model_write(f->in, &gguf));
    refused(&options, ERR_UNSUPPORTED, "GGUF");
    tiny_remove_dir(f->in);
    assert_true(tiny_model_write(f->in, &good));
    options.calibration = STR("short");
    refused(&options, ERR_USAGE, "only");
    options = options_of(f);
    options.sample_tokens = 4;
    refused(&options, ERR_USAGE, "too short");
    options = options_of(f);
    snprintf(path, sizeof path, "%s/no/such/folder", f->dir);
    options.out = path;
    refused(&options, ERR_NOT_FOUND, "cannot make");
    snprintf(path, sizeof path, "%s.partial", f->out);
    assert_false(path_exists(path));
}

/* A run over a model that has something else than numbers in the middle of its file. */
static void a_damaged_model_is_refused(void **state)
{
    const Folder *f = *state;
    const TinySpec spec = { .kind = TINY_HF_F32, .seed = 14 };
    QuantizeOptions options = options_of(f);
    Error err = ERROR_INIT;
    QuantizeResult result;
    char path[400];
    unsigned char bad[4096];
    FILE *file;

    need_lapack();
    assert_true(tiny_model_write(f->in, &spec));
    snprintf(path, sizeof path, "%s/model.safetensors", f->in);
    memset(bad, 0x7f, sizeof bad);
    file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    fseek(file, ftell(file) / 2, SEEK_SET);
    assert_int_equal(fwrite(bad, 1, sizeof bad, file), sizeof bad);
    fclose(file);
    assert_false(engine_quantize(&options, NULL, &result, &err));
    assert_true(err.kind == ERR_FORMAT || err.kind == ERR_UNSUPPORTED);
    assert_false(path_exists(f->out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_are_rounded_to_nearest_even),
        cmocka_unit_test(generic_products_are_those_of_plain_loops),
        cmocka_unit_test(avx2_products_are_those_of_plain_loops),
        cmocka_unit_test(avx512_products_are_those_of_plain_loops),
        cmocka_unit_test(inputs_that_have_nothing_in_common_are_rounded_to_nearest),
        cmocka_unit_test(what_was_rounded_wrong_is_made_good_by_others),
        cmocka_unit_test(the_order_is_by_falling_weight_of_the_inputs),
        cmocka_unit_test(a_grid_is_drawn_in_where_that_costs_less),
        cmocka_unit_test(an_asymmetric_grid_never_has_a_zero_point_of_0),
        cmocka_unit_test_setup_teardown(kaiwa_reads_what_was_quantised, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_interrupted_run_goes_on_to_the_same_bytes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_there_is_not_overwritten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_model_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_input_is_refused_with_a_reason, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
