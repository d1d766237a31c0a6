/* Models bound to their families: the same function from every format, and what is said of it. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>

#include <cmocka.h>

#include "src/base/path.h"
#include "tests/model_files.h"
#include "tests/tiny_model.h"

enum { PROMPT = 9 };
static const int32_t prompt[PROMPT] = { 1, 300, 301, 17, 420, 5, 333, 260, 500 };

/* Writes, binds and runs the prompt through the float64 reference. */
static void logits_of(const TinySpec *spec, float *out)
{
    const BackendOps *ops = backend_find("reference");
    BackendOptions options = { .threads = 1 };
    const char *why;
    Backend *backend;
    Loaded *loaded;
    Timeline *timeline;
    Error err = ERROR_INIT;
    Bound bound;

    assert_true(tiny_model_write(dir, spec));
    bound = bind_at(tiny_model_path(dir, spec), true, &err);
    if (!bound.model)
        print_message("# %s: %s\n", tiny_kind_name(spec->kind), err.text);
    assert_non_null(bound.model);
    assert_int_equal(ops->open(&options, &backend, &why), KS_OK);
    assert_int_equal(
        ops->load(backend, model_shape(bound.model), model_weights(bound.model), NULL, &loaded),
        KS_OK);
    assert_int_equal(ops->timeline_open(loaded, 32, &timeline), KS_OK);
    assert_int_equal(ops->feed(timeline, prompt, PROMPT, WANT_LAST, NULL), KS_OK);
    assert_int_equal(ops->logits(timeline, out), KS_OK);
    ops->timeline_close(timeline);
    ops->unload(loaded);
    ops->close(backend);
    unbind(&bound);
    tiny_remove_dir(dir);
}

static void every_format_is_the_same_function(void **state)
{
    enum { ALL = (1 << TINY_KINDS) - 1 };
#define K(kind) (1 << (kind))
    static const struct {
        const char *name;
        TinySpec spec;
        int kinds;
    } rows[] = {
        { "plain", { .seed = 1 }, ALL },
        { "biases, tied", { .seed = 2, .bias = true, .tied = true }, ALL },
        { "zero biases", { .seed = 2, .zero_bias = true }, ALL },
        { "asymmetric", { .seed = 3, .asymmetric = true }, ALL & ~K(TINY_GGUF_Q4_0) },
        { "groups of 16",
          { .seed = 4, .group_size = 16, .asymmetric = true },
          K(TINY_HF_F32) | K(TINY_HF_BF16) | K(TINY_GPTQ_V1) | K(TINY_GPTQ_V2) | K(TINY_AWQ) |
              K(TINY_GGUF_F16) },
        { "groups of 64", { .seed = 5, .group_size = 64 }, ALL },
        { "groups of 128 in 192",
          { .seed = 5, .group_size = 128, .hidden = 192, .intermediate = 64 },
          K(TINY_HF_F32) | K(TINY_GPTQ_V1) | K(TINY_GPTQ_V2) },
        { "one group a column",
          { .seed = 6, .group_size = -1, .asymmetric = true },
          ALL & ~K(TINY_GGUF_Q4_0) },
        { "act-order, biases",
          { .seed = 7, .act_order = true, .bias = true, .asymmetric = true },
          K(TINY_HF_F32) | K(TINY_HF_F16) | K(TINY_GPTQ_V1) | K(TINY_GPTQ_V2) | K(TINY_GGUF_F32) },
        { "no g_idx",
          { .seed = 8, .no_g_idx = true },
          K(TINY_HF_F32) | K(TINY_GPTQ_V1) | K(TINY_GPTQ_V2) },
        { "g_idx of zeros",
          { .seed = 8, .zero_g_idx = true },
          K(TINY_HF_F32) | K(TINY_GPTQ_V1) | K(TINY_GPTQ_V2) },
        { "shards, transformers 5, config in config",
          { .seed = 9, .sharded = true, .v5 = true, .config_in_json = true },
          ALL },
        { "mistral", { .seed = 10, .family = "mistral", .kv_heads = 4 }, ALL },
        { "qwen2", { .seed = 11, .family = "qwen2" }, ALL },
        { "qwen3", { .seed = 12, .family = "qwen3", .tied = true }, ALL },
    };
    static float first[1024], other[1024];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        TinySpec spec = rows[i].spec;
        int n = tiny_vocab_size(&spec);
        double spread = 0;
        assert_true(n <= 1024);
        logits_of(&spec, first);
        for (int t = 0; t < n; t++)
            spread = fmax(spread, fabs((double)first[t]));
        assert_true(spread > 1 && spread < 100);
        for (int kind = 1; kind < TINY_KINDS; kind++) {
            double worst = 0;
            if (!(rows[i].kinds & K(kind)))
                continue;
            spec.kind = (TinyKind)kind;
            logits_of(&spec, other);
            for (int t = 0; t < n; t++)
                worst = fmax(worst, fabs((double)first[t] - (double)other[t]));
            if (!(worst < 1e-5))
                print_message("# %s, %s: %g\n", rows[i].name, tiny_kind_name(spec.kind), worst);
            assert_true(worst < 1e-5);
        }
    }
}

static void traits_say_what_the_files_hold(void **state)
{
    static const struct {
        TinySpec spec;
        const char *quant, *zero_rule;
        int bits, group_size;
        bool act_order, symmetric, has_bias, tied;
    } rows[] = {
        { { .kind = TINY_HF_F32 }, "none", "", 32, 0, false, false, false, false },
        { { .kind = TINY_HF_BF16, .tied = true }, "none", "", 16, 0, false, false, false, true },
        { { .kind = TINY_GPTQ_V1 }, "gptq", "v1", 4, 32, false, true, false, false },
        { { .kind = TINY_GPTQ_V2, .asymmetric = true, .bias = true },
          "gptq",
          "v2",
          4,
          32,
          false,
          false,
          true,
          false },
        { { .kind = TINY_GPTQ_V1, .act_order = true, .zero_bias = true },
          "gptq",
          "v1",
          4,
          32,
          true,
          true,
          false,
          false },
        { { .kind = TINY_GPTQ_V1, .group_size = -1 },
          "gptq",
          "v1",
          4,
          -1,
          false,
          true,
          false,
          false },
        { { .kind = TINY_GPTQ_V1, .zero_g_idx = true },
          "gptq",
          "v1",
          4,
          32,
          false,
          true,
          false,
          false },
        { { .kind = TINY_AWQ, .asymmetric = true }, "awq", "", 4, 32, false, false, false, false },
        { { .kind = TINY_GGUF_Q4_1, .tied = true }, "Q4_1", "", 4, 32, false, false, false, true },
        { { .kind = TINY_GGUF_Q8_0 }, "Q8_0", "", 8, 32, false, true, false, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Error err = ERROR_INIT;
        const ModelTraits *t;
        Bound bound;
        assert_true(tiny_model_write(dir, &rows[i].spec));
        bound = bind_at(tiny_model_path(dir, &rows[i].spec), true, &err);
        assert_non_null(bound.model);
        t = model_traits(bound.model);
        assert_string_equal(t->quant, rows[i].quant);
        assert_string_equal(t->zero_rule, rows[i].zero_rule);
        assert_int_equal(t->bits, rows[i].bits);
        assert_int_equal(t->group_size, rows[i].group_size);
        assert_int_equal(t->act_order, rows[i].act_order);
        assert_int_equal(t->symmetric, rows[i].symmetric);
        assert_int_equal(t->has_bias, rows[i].has_bias);
        assert_int_equal(t->tied, rows[i].tied);
        unbind(&bound);
        tiny_remove_dir(dir);
    }
}

static void wrong_zero_flags_are_corrected_for_symmetric_models(void **state)
{
    static const struct {
        TinySpec spec;
        const char *edit, *rule;
    } rows[] = {
        { { .kind = TINY_GPTQ_V1 }, "{\"checkpoint_format\":\"gptq_v2\"}", "v1" },
        { { .kind = TINY_GPTQ_V2 }, "{\"checkpoint_format\":\"gptq\"}", "v2" },
        { { .kind = TINY_GPTQ_V2 }, "{\"checkpoint_format\":null,\"sym\":null}", "v2" },
        /* Asymmetric files are taken at their word. */
        { { .kind = TINY_GPTQ_V2, .asymmetric = true }, "{\"checkpoint_format\":\"gptq\"}", "v1" },
        { { .kind = TINY_GPTQ_V1 }, "{\"checkpoint_format\":\"gptq_v2\",\"sym\":false}", "v2" },
        { { .kind = TINY_GPTQ_V2 }, "{\"checkpoint_format\":null,\"format\":\"gptq_v2\"}", "v2" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Error err = ERROR_INIT;
        Bound bound;
        assert_true(tiny_model_write(dir, &rows[i].spec));
        edit_json("quantize_config.json", rows[i].edit);
        bound = bind_at(dir, true, &err);
        assert_non_null(bound.model);
        assert_string_equal(model_traits(bound.model)->zero_rule, rows[i].rule);
        assert_int_equal(model_weights(bound.model)->layers[0].q.quant.zero_rule,
                         rows[i].rule[1] == '1' ? ZERO_STORED_PLUS_ONE : ZERO_AS_STORED);
        unbind(&bound);
        tiny_remove_dir(dir);
    }
}

static void a_tokenizer_larger_or_smaller_than_the_embedding_is_bounded(void **state)
{
    static const int rows[][2] = { { 0, 620 }, { 600, 600 }, { 620, 620 }, { 700, 620 } };
    TinySpec spec = { .kind = TINY_HF_F16 };
    Error err = ERROR_INIT;
    (void)state;
    assert_int_equal(tiny_vocab_size(&spec), 620);
    assert_true(tiny_model_write(dir, &spec));
    ModelFile *file = modelfile_open(dir, true, &err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Model *model = model_bind(file, rows[i][0], true, &err);
        assert_non_null(model);
        assert_int_equal(model_shape(model)->n_vocab, 620);
        assert_int_equal(model_shape(model)->n_tokens, rows[i][1]);
        model_free(model);
    }
    modelfile_close(file);
}

static void the_test_models_bind_where_they_are_at_hand(void **state)
{
    static const struct {
        const char *name, *quant, *zero_rule;
        int group_size;
        bool act_order, symmetric, has_bias, tied;
    } rows[] = {
        { "SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1", "", 32, false, false, false, true },
        { "smollm2-f16", "none", "", 0, false, false, false, true },
        { "smollm2-bf16", "none", "", 0, false, false, false, true },
        { "smollm2-gptq-g64-sym", "gptq", "v1", 64, false, true, false, true },
        { "smollm2-gptq-g64-actorder", "gptq", "v1", 64, true, true, false, true },
        { "smollm2-gptq-g32-asym-v1", "gptq", "v1", 32, false, false, false, true },
        { "smollm2-gptq-g64-asym-v2", "gptq", "v2", 64, false, false, false, true },
        { "smollm2-gptq-g-1-sym", "gptq", "v1", -1, false, true, false, true },
        { "smollm2-gptq-g64-bias", "gptq", "v1", 64, false, true, true, true },
        { "tiny-llama2-f32", "none", "", 0, false, false, false, false },
        { "tiny-llama2-gptq", "gptq", "v1", 128, true, true, true, false },
    };
    const char *where = getenv("KAIWA_TEST_MODELS"), *home = getenv("HOME");
    int n = 0;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Error err = ERROR_INIT;
        const ModelTraits *t;
        char path[4096];
        Bound bound;
        if (where)
            snprintf(path, sizeof path, "%s/%s", where, rows[i].name);
        else
            snprintf(path, sizeof path, "%s/.cache/kaiwa-test-models/%s", home ? home : "",
                     rows[i].name);
        if (!path_exists(path))
            continue;
        n++;
        bound = bind_at(path, true, &err);
        if (!bound.model)
            print_message("# %s: %s\n", rows[i].name, err.text);
        assert_non_null(bound.model);
        t = model_traits(bound.model);
        assert_string_equal(t->quant, rows[i].quant);
        assert_string_equal(t->zero_rule, rows[i].zero_rule);
        assert_int_equal(t->group_size, rows[i].group_size);
        assert_int_equal(t->act_order, rows[i].act_order);
        assert_int_equal(t->symmetric, rows[i].symmetric);
        assert_int_equal(t->has_bias, rows[i].has_bias);
        assert_int_equal(t->tied, rows[i].tied);
        unbind(&bound);
    }
    print_message("# %d of %zu models\n", n, sizeof rows / sizeof *rows);
    if (n == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_format_is_the_same_function, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(traits_say_what_the_files_hold, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(wrong_zero_flags_are_corrected_for_symmetric_models,
                                        make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(a_tokenizer_larger_or_smaller_than_the_embedding_is_bounded,
                                        make_dir, drop_dir),
        cmocka_unit_test(the_test_models_bind_where_they_are_at_hand),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
