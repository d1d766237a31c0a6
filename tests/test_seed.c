/* The seed model: a file with its exact inventory, sparse, must bind as it is and fast. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/hostile.h"
#include "tests/model_files.h"

/* The header of gptq_model-4bit-128g.safetensors as AutoGPTQ 0.4 wrote it: all I32 tensors, then
 * F16, each sorted as text; 224 biases; six keys of metadata. */
typedef struct {
    Buf header;
    uint64_t at;
    uint64_t *scales; /* offset and bytes of each, to be filled */
    size_t n_scales;
} Seed;

static void seed_tensor(Seed *seed, const char *name, const char *dtype, int64_t rows, int64_t cols)
{
    uint64_t bytes = (uint64_t)(rows ? rows : 1) * (uint64_t)cols * (dtype[0] == 'I' ? 4 : 2);

    buf_printf(&seed->header, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", name, dtype);
    if (rows)
        buf_printf(&seed->header, "%lld,", (long long)rows);
    buf_printf(&seed->header, "%lld],\"data_offsets\":[%llu,%llu]}", (long long)cols,
               (unsigned long long)seed->at, (unsigned long long)(seed->at + bytes));
    if (strstr(name, "qzeros")) {
        seed->scales[2 * seed->n_scales] = seed->at;
        seed->scales[2 * seed->n_scales++ + 1] = bytes;
    }
    seed->at += bytes;
}

typedef struct {
    char name[80];
    const char *dtype;
    int64_t rows, cols;
} SeedTensor;

static int compare_seed(const void *a, const void *b)
{
    const SeedTensor *x = a, *y = b;
    int type = (x->dtype[0] == 'F') - (y->dtype[0] == 'F');

    return type ? type : strcmp(x->name, y->name);
}

static size_t seed_inventory(SeedTensor *t)
{
    static const struct {
        const char *name;
        int64_t in, out;
    } linears[] = { { "mlp.down_proj", 11008, 4096 },   { "mlp.gate_proj", 4096, 11008 },
                    { "mlp.up_proj", 4096, 11008 },     { "self_attn.k_proj", 4096, 4096 },
                    { "self_attn.o_proj", 4096, 4096 }, { "self_attn.q_proj", 4096, 4096 },
                    { "self_attn.v_proj", 4096, 4096 } };
    size_t n = 0;

#define ADD(type, r, c, ...)                                                                       \
    do {                                                                                           \
        t[n] = (SeedTensor){ .dtype = type, .rows = r, .cols = c };                                \
        snprintf(t[n++].name, sizeof t->name, __VA_ARGS__);                                        \
    } while (0)
    ADD("F16", 45043, 4096, "lm_head.weight");
    ADD("F16", 45043, 4096, "model.embed_tokens.weight");
    ADD("F16", 0, 4096, "model.norm.weight");
    for (int i = 0; i < 32; i++) {
        ADD("F16", 0, 4096, "model.layers.%d.input_layernorm.weight", i);
        ADD("F16", 0, 4096, "model.layers.%d.post_attention_layernorm.weight", i);
        for (size_t k = 0; k < sizeof linears / sizeof *linears; k++) {
            int64_t in = linears[k].in, out = linears[k].out;
            ADD("I32", in / 8, out, "model.layers.%d.%s.qweight", i, linears[k].name);
            ADD("I32", in / 128, out / 8, "model.layers.%d.%s.qzeros", i, linears[k].name);
            ADD("F16", in / 128, out, "model.layers.%d.%s.scales", i, linears[k].name);
            ADD("I32", 0, in, "model.layers.%d.%s.g_idx", i, linears[k].name);
            ADD("F16", 0, out, "model.layers.%d.%s.bias", i, linears[k].name);
        }
    }
    qsort(t, n, sizeof *t, compare_seed);
    return n;
}

/* A sparse file of 4.11 GB: only the header and the zero points are there. */
static void write_seed(const char *path)
{
    static SeedTensor tensors[1200];
    Seed seed = { .scales = calloc(448, sizeof(uint64_t)) };
    size_t n = seed_inventory(tensors);
    uint64_t length;
    char *zeros;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(n, 1187);
    buf_puts(
        &seed.header,
        "{\"__metadata__\":{\"format\":\"pt\",\"auto_gptq_version\":\"0.4.2\",\"gptq_bits\":\"4\","
        "\"gptq_group_size\":\"128\",\"gptq_desc_act\":\"False\",\"gptq_damp_percent\":\"0.01\"}");
    for (size_t i = 0; i < n; i++)
        seed_tensor(&seed, tensors[i].name, tensors[i].dtype, tensors[i].rows, tensors[i].cols);
    buf_putc(&seed.header, '}');
    while (seed.header.len % 8)
        buf_putc(&seed.header, ' ');
    length = seed.header.len;
    assert_int_equal(8 + length, 132584);
    assert_int_equal(8 + length + seed.at, 4110411240u);
    assert_int_equal(pwrite(fd, &length, 8, 0), 8);
    assert_int_equal(pwrite(fd, seed.header.data, length, 8), (ssize_t)length);
    assert_int_equal(ftruncate(fd, (off_t)(8 + length + seed.at)), 0);
    zeros = malloc(1 << 20);
    memset(zeros, 0x77, 1 << 20);
    for (size_t i = 0; i < seed.n_scales; i++)
        assert_int_equal(
            pwrite(fd, zeros, seed.scales[2 * i + 1], (off_t)(8 + length + seed.scales[2 * i])),
            (ssize_t)seed.scales[2 * i + 1]);
    free(zeros);
    free(seed.scales);
    close(fd);
    buf_release(&seed.header);
}

static void the_seed_model_binds_as_it_is(void **state)
{
    Error err = ERROR_INIT;
    double start;
    double took;
    Bound bound;
    (void)state;
    write_seed(in_dir("gptq_model-4bit-128g.safetensors"));
    char first[8200];
    snprintf(first, sizeof first, "%s", in_dir("gptq_model-4bit-128g.safetensors"));
    assert_int_equal(link(first, in_dir("model.safetensors")), 0);
    hostile_write(
        dir, "config.json",
        "'{\"_name_or_path\":\"x\",\"architectures\":[\"LlamaForCausalLM\"],\"bos_token_id\":1,"
        "\"eos_token_id\":2,"
        "\"hidden_act\":\"silu\",\"hidden_size\":4096,\"initializer_range\":0.02,\"intermediate_"
        "size\":11008,"
        "\"max_position_embeddings\":4096,\"model_type\":\"llama\",\"num_attention_heads\":32,"
        "\"num_hidden_layers\":32,\"num_key_value_heads\":32,\"pad_token_id\":0,\"pretraining_tp\":"
        "1,"
        "\"rms_norm_eps\":1e-06,\"rope_scaling\":null,\"tie_word_embeddings\":false,\"torch_"
        "dtype\":\"float16\","
        "\"transformers_version\":\"4.32.1\",\"use_cache\":true,\"vocab_size\":45043}'");
    hostile_write(
        dir, "quantize_config.json",
        "'{\"bits\":4,\"group_size\":128,\"damp_percent\":0.01,\"desc_act\":false,\"sym\":true,"
        "\"true_sequential\":true,\"model_name_or_path\":null,\"model_file_base_name\":null}'");
    /* The first time reads the file, the second finds it in memory. */
    for (int i = 0; i < 2; i++) {
        start = processor_ms();
        bound = bind_at(dir, true, &err);
        took = (processor_ms() - start) / 1e3;
        if (!bound.model)
            print_message("# %s\n", err.text);
        assert_non_null(bound.model);
        print_message("# %.3f s from opening to bound\n", took);
        if (i == 0)
            unbind(&bound);
    }
    assert_true(took < 5 * LIMIT_MS / 1e3);
    assert_int_equal(modelfile_n_tensors(bound.file), 1187);
    assert_int_equal(modelfile_bytes(bound.file), 4110411240u);
    assert_string_equal(modelfile_weights_name(bound.file), "gptq_model-4bit-128g.safetensors");
    assert_string_equal(model_traits(bound.model)->zero_rule, "v1");
    assert_int_equal(model_traits(bound.model)->group_size, 128);
    assert_true(model_traits(bound.model)->symmetric);
    assert_false(model_traits(bound.model)->act_order);
    /* Zeros all of them here, and so dropped. */
    assert_false(model_traits(bound.model)->has_bias);
    assert_null(model_weights(bound.model)->layers[31].down.bias.data);
    assert_int_equal(model_weights(bound.model)->layers[31].down.quant.n_groups, 86);
    assert_int_equal(model_weights(bound.model)->head.n_out, 45043);
    unbind(&bound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_seed_model_binds_as_it_is, make_dir, drop_dir),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
