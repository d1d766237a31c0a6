/* Shapes from config.json: defaults of each family, windows, rotary scaling. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "engine/rope.h"
#include "tests/hostile.h"
#include "tests/model_files.h"

static void configs_leave_out_what_the_family_defines(void **state)
{
    static const struct {
        const char *config;
        ModelShape shape;
        double theta;
    } rows[] = {
        { "{\"model_type\":\"llama\"}",
          { .n_layers = 32,
            .hidden = 4096,
            .n_heads = 32,
            .n_kv_heads = 32,
            .head_dim = 128,
            .intermediate = 11008,
            .n_vocab = 32000,
            .max_context = 2048,
            .rms_eps = 1e-6f,
            .rope_dims = 128,
            .rope_scale = 1 },
          10000 },
        { "{\"architectures\":[\"MistralForCausalLM\"],\"num_key_value_heads\":null,\"head_dim\":"
          "null}",
          { .n_layers = 32,
            .hidden = 4096,
            .n_heads = 32,
            .n_kv_heads = 32,
            .head_dim = 128,
            .intermediate = 14336,
            .n_vocab = 32000,
            .max_context = 131072,
            .rms_eps = 1e-6f,
            .rope_dims = 128,
            .rope_scale = 1,
            .sliding_window = 4096 },
          10000 },
        { "{\"model_type\":\"mistral\",\"sliding_window\":null,\"rope_theta\":1000000.0}",
          { .n_layers = 32,
            .hidden = 4096,
            .n_heads = 32,
            .n_kv_heads = 8,
            .head_dim = 128,
            .intermediate = 14336,
            .n_vocab = 32000,
            .max_context = 131072,
            .rms_eps = 1e-6f,
            .rope_dims = 128,
            .rope_scale = 1 },
          1000000 },
        /* The seed model, and Llama 3.2 as transformers 5 writes it. */
        { "{\"model_type\":\"llama\",\"hidden_size\":4096,\"num_key_value_heads\":32,\"vocab_"
          "size\":45043,"
          "\"rms_norm_eps\":1e-06,\"max_position_embeddings\":4096,\"rope_scaling\":null,\"rope_"
          "theta\":10000.0}",
          { .n_layers = 32,
            .hidden = 4096,
            .n_heads = 32,
            .n_kv_heads = 32,
            .head_dim = 128,
            .intermediate = 11008,
            .n_vocab = 45043,
            .max_context = 4096,
            .rms_eps = 1e-6f,
            .rope_dims = 128,
            .rope_scale = 1 },
          10000 },
        { "{\"model_type\":\"llama\",\"head_dim\":64,\"num_key_value_heads\":8,\"hidden_size\":"
          "2048,"
          "\"intermediate_size\":8192,\"num_hidden_layers\":16,\"max_position_embeddings\":131072,"
          "\"rms_norm_eps\":1e-5,"
          "\"vocab_size\":128256,\"rope_parameters\":{\"rope_type\":\"llama3\",\"rope_theta\":"
          "500000.0,\"factor\":32.0,"
          "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":"
          "8192},"
          "\"dtype\":\"bfloat16\"}",
          { .n_layers = 16,
            .hidden = 2048,
            .n_heads = 32,
            .n_kv_heads = 8,
            .head_dim = 64,
            .intermediate = 8192,
            .n_vocab = 128256,
            .max_context = 131072,
            .rms_eps = 1e-5f,
            .rope_dims = 64,
            .rope_scale = 1 },
          500000 },
        /* Qwen2.5 states a window that is off; Qwen3 a head size that is not hidden / heads. */
        { "{\"model_type\":\"qwen2\",\"hidden_size\":896,\"num_attention_heads\":14,\"num_key_"
          "value_heads\":2,"
          "\"sliding_window\":32768,\"use_sliding_window\":false,\"max_window_layers\":21,\"num_"
          "hidden_layers\":24}",
          { .n_layers = 24,
            .hidden = 896,
            .n_heads = 14,
            .n_kv_heads = 2,
            .head_dim = 64,
            .intermediate = 22016,
            .n_vocab = 151936,
            .max_context = 32768,
            .rms_eps = 1e-6f,
            .rope_dims = 64,
            .rope_scale = 1 },
          10000 },
        { "{\"model_type\":\"qwen2\",\"use_sliding_window\":true,\"sliding_window\":4096,\"max_"
          "window_layers\":20}",
          { .n_layers = 32,
            .hidden = 4096,
            .n_heads = 32,
            .n_kv_heads = 32,
            .head_dim = 128,
            .intermediate = 22016,
            .n_vocab = 151936,
            .max_context = 4096,
            .rms_eps = 1e-6f,
            .rope_dims = 128,
            .rope_scale = 1 },
          10000 },
        { "{\"model_type\":\"qwen2\",\"use_sliding_window\":true,\"sliding_window\":4096,\"max_"
          "window_layers\":0}",
          { .n_layers = 32,
            .hidden = 4096,
            .n_heads = 32,
            .n_kv_heads = 32,
            .head_dim = 128,
            .intermediate = 22016,
            .n_vocab = 151936,
            .max_context = 32768,
            .rms_eps = 1e-6f,
            .rope_dims = 128,
            .rope_scale = 1,
            .sliding_window = 4096 },
          10000 },
        { "{\"model_type\":\"qwen3\",\"hidden_size\":1024,\"num_attention_heads\":16,\"num_key_"
          "value_heads\":8,"
          "\"rope_theta\":1000000}",
          { .n_layers = 32,
            .hidden = 1024,
            .n_heads = 16,
            .n_kv_heads = 8,
            .head_dim = 128,
            .intermediate = 22016,
            .n_vocab = 151936,
            .max_context = 32768,
            .rms_eps = 1e-6f,
            .rope_dims = 128,
            .rope_scale = 1,
            .has_qk_norm = true },
          1000000 },
        { "{\"model_type\":\"llama\",\"partial_rotary_factor\":0.5}",
          { .n_layers = 32,
            .hidden = 4096,
            .n_heads = 32,
            .n_kv_heads = 32,
            .head_dim = 128,
            .intermediate = 11008,
            .n_vocab = 32000,
            .max_context = 2048,
            .rms_eps = 1e-6f,
            .rope_dims = 64,
            .rope_scale = 1 },
          10000 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const ModelShape *wanted = &rows[i].shape, *got;
        Error err = ERROR_INIT;
        Bound bound;
        hostile_put(in_dir("config.json"), str_from(rows[i].config));
        bound = bind_at(dir, false, &err);
        if (!bound.model)
            print_message("# %s: %s\n", rows[i].config, err.text);
        assert_non_null(bound.model);
        got = model_shape(bound.model);
        assert_int_equal(got->n_layers, wanted->n_layers);
        assert_int_equal(got->hidden, wanted->hidden);
        assert_int_equal(got->n_heads, wanted->n_heads);
        assert_int_equal(got->n_kv_heads, wanted->n_kv_heads);
        assert_int_equal(got->head_dim, wanted->head_dim);
        assert_int_equal(got->intermediate, wanted->intermediate);
        assert_int_equal(got->n_vocab, wanted->n_vocab);
        assert_int_equal(got->max_context, wanted->max_context);
        assert_int_equal(got->rope_dims, wanted->rope_dims);
        assert_int_equal(got->sliding_window, wanted->sliding_window);
        assert_int_equal(got->has_qk_norm, wanted->has_qk_norm);
        assert_int_equal(got->rope_pairing, ROPE_HALF);
        assert_true(got->rms_eps == wanted->rms_eps && got->rope_scale == wanted->rope_scale);
        assert_true(model_traits(bound.model)->rope_theta == rows[i].theta);
        assert_null(model_weights(bound.model));
        unbind(&bound);
    }
}

/* Numbers by Python's float64 from transformers' formulas. */
static void rotary_scaling_follows_transformers(void **state)
{
    static const struct {
        const char *config;
        int head_dim, positions, max_context;
        float scale;
        int index[6];
        double wanted[6];
    } rows[] = {
        { "{}",
          64,
          2048,
          2048,
          1,
          { 0, 1, 31 },
          { 1, 0.7498942093324559, 0.00013335214321633242 } },
        { "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":4.0}}",
          64,
          2048,
          8192,
          1,
          { 0, 31 },
          { 0.25, 0.000033338035804083105 } },
        { "{\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0}}",
          64,
          4096,
          4096,
          1,
          { 0, 1 },
          { 1, 0.7498942093324559 } },
        { "{\"rope_theta\":500000.0,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,"
          "\"low_freq_factor\":1.0,"
          "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192}}",
          64,
          131072,
          131072,
          1,
          { 0, 10, 15, 16, 17, 31 },
          { 1, 0.016560440080994446, 0.0013718935677611381, 0.0005248461609929547,
            0.0001785078127679964, 3.767322690173964e-07 } },
        { "{\"rope_parameters\":{\"rope_theta\":1000000.0,\"rope_type\":\"yarn\",\"factor\":4.0,"
          "\"original_max_position_embeddings\":32768}}",
          128,
          32768,
          131072,
          1.138629436111989f,
          { 0, 25, 30, 40, 63 },
          { 1, 0.004131738022518394, 0.0010643609812470017, 4.445698525097307e-05,
            3.102344401879299e-07 } },
        { "{\"rope_theta\":1000000.0,\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4.0,"
          "\"attention_factor\":1.5,"
          "\"original_max_position_embeddings\":32768}}",
          128,
          32768,
          131072,
          1.5f,
          { 0 },
          { 1 } },
        { "{\"max_position_embeddings\":131072,\"original_max_position_embeddings\":4096,\"rope_"
          "scaling\":{\"type\":"
          "\"longrope\",\"short_factor\":[2.0,4.0],\"long_factor\":[8.0,8.0]}}",
          4,
          131072,
          4096,
          1.1902380714238083f,
          { 0, 1 },
          { 0.5, 0.0025 } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *config = json_loads(rows[i].config, 0, NULL);
        Error err = ERROR_INIT;
        Fields fields = { .source = "config.json", .object = config, .err = &err };
        RopeBase base = { .head_dim = rows[i].head_dim,
                          .max_positions = rows[i].positions,
                          .theta = 10000 };
        Rope rope;
        bool ok = rope_read(&fields, &base, &rope);
        if (!ok)
            print_message("# %s: %s\n", rows[i].config, err.text);
        assert_true(ok);
        assert_int_equal(rope.dims, rows[i].head_dim);
        assert_int_equal(rope.max_context, rows[i].max_context);
        assert_true(fabsf(rope.scale - rows[i].scale) < 1e-6f);
        for (int k = 0; k < 6 && rows[i].wanted[k] != 0; k++) {
            double got = rope.inv_freq[rows[i].index[k]];
            if (fabs(got - rows[i].wanted[k]) > 1e-12 * rows[i].wanted[k])
                print_message("# %s: %d: %.17g\n", rows[i].config, rows[i].index[k], got);
            assert_true(fabs(got - rows[i].wanted[k]) <= 1e-12 * rows[i].wanted[k]);
        }
        rope_release(&rope);
        json_decref(config);
    }
}

/* Divisors in a tensor (Llama 3.1), linear and YaRN keys. */
static void gguf_rotary_keys_are_read(void **state)
{
#define PAIRS                                                                                      \
    "s'general.architecture' 8:4 s'llama' s'llama.block_count' 4:4 1:4 s'llama.embedding_length' " \
    "4:4 16:4 s'llama.attention.head_count' 4:4 4:4 s'llama.feed_forward_length' 4:4 8:4 "         \
    "s'llama.attention.layer_norm_rms_epsilon' 6:4 925353388:4 s'llama.vocab_size' 4:4 2:4 "       \
    "s'llama.context_length' 4:4 4096:4 s'llama.rope.freq_base' 6:4 1176256512:4 "
    static const struct {
        const char *recipe, *type;
        double wanted[2];
        double scale;
        int max_context;
    } rows[] = {
        { "'GGUF' 3:4 1:8 9:8 " PAIRS "s'a' 1:4 1:8 0:4 0:8 p z4", "none", { 1, 0.01 }, 1, 4096 },
        { "'GGUF' 3:4 1:8 9:8 " PAIRS
          "s'rope_freqs.weight' 1:4 2:8 0:4 0:8 p 1073741824:4 1065353216:4",
          "llama3",
          { 0.5, 0.01 },
          1,
          4096 },
        { "'GGUF' 3:4 1:8 10:8 " PAIRS
          "s'llama.rope.scale_linear' 6:4 1082130432:4 s'a' 1:4 1:8 0:4 0:8 p z4",
          "linear",
          { 0.25, 0.0025 },
          1,
          4096 },
        { "'GGUF' 3:4 1:8 12:8 " PAIRS
          "s'llama.rope.scaling.type' 8:4 s'linear' s'llama.rope.scaling.factor' 6:4 "
          "1082130432:4 s'llama.rope.scaling.original_context_length' 4:4 4096:4 s'a' 1:4 1:8 0:4 "
          "0:8 p z4",
          "linear",
          { 0.25, 0.0025 },
          1,
          16384 },
        { "'GGUF' 3:4 1:8 12:8 " PAIRS
          "s'llama.rope.scaling.type' 8:4 s'yarn' s'llama.rope.scaling.factor' 6:4 "
          "1082130432:4 s'llama.rope.scaling.original_context_length' 4:4 1024:4 s'a' 1:4 1:8 0:4 "
          "0:8 p z4",
          "yarn",
          { 1, 0.00625 },
          1.1386294361119891,
          4096 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Error err = ERROR_INIT;
        const ModelShape *shape;
        Bound bound;
        hostile_write(dir, "rope.gguf", rows[i].recipe);
        bound = bind_at(in_dir("rope.gguf"), false, &err);
        if (!bound.model)
            print_message("# %zu: %s\n", i, err.text);
        assert_non_null(bound.model);
        shape = model_shape(bound.model);
        assert_string_equal(model_traits(bound.model)->rope_scaling, rows[i].type);
        for (int k = 0; k < 2; k++) {
            if (fabs(shape->rope_inv_freq[k] - rows[i].wanted[k]) > 1e-9)
                print_message("# %zu: %d: %.17g\n", i, k, shape->rope_inv_freq[k]);
            assert_true(fabs(shape->rope_inv_freq[k] - rows[i].wanted[k]) <= 1e-9);
        }
        assert_true(fabs((double)shape->rope_scale - rows[i].scale) < 1e-6);
        assert_int_equal(shape->max_context, rows[i].max_context);
        assert_int_equal(shape->rope_pairing, ROPE_INTERLEAVED);
        unbind(&bound);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(configs_leave_out_what_the_family_defines, make_dir,
                                        drop_dir),
        cmocka_unit_test(rotary_scaling_follows_transformers),
        cmocka_unit_test_setup_teardown(gguf_rotary_keys_are_read, make_dir, drop_dir),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
