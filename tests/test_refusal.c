/* Well-formed files that are no model kaiwa can run: each is refused by name. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/hostile.h"
#include "tests/model_files.h"
#include "tests/tiny_model.h"

static void configurations_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *edit;
        ErrorKind kind;
        const char *words;
    } rows[] = {
        { "{\"model_type\":\"gemma\"}", ERR_UNSUPPORTED, "\"gemma\"" },
        { "{\"model_type\":\"mixtral\"}", ERR_UNSUPPORTED, "\"mixtral\"" },
        { "{\"model_type\":null}", ERR_FORMAT, "model_type" },
        { "{\"model_type\":null,\"architectures\":[\"FalconForCausalLM\"]}", ERR_UNSUPPORTED,
          "FalconForCausalLM" },
        { "{\"hidden_act\":\"gelu\"}", ERR_UNSUPPORTED, "gelu" },
        { "{\"hidden_size\":\"64\"}", ERR_FORMAT, "hidden_size" },
        { "{\"hidden_size\":0}", ERR_FORMAT, "hidden_size" },
        { "{\"hidden_size\":-64}", ERR_FORMAT, "hidden_size" },
        { "{\"hidden_size\":64.5}", ERR_FORMAT, "hidden_size" },
        { "{\"hidden_size\":9223372036854775807}", ERR_FORMAT, "hidden_size" },
        { "{\"hidden_size\":128,\"head_dim\":null}", ERR_FORMAT, "128" },
        { "{\"hidden_size\":66,\"head_dim\":null}", ERR_FORMAT, "not a multiple" },
        { "{\"num_hidden_layers\":0}", ERR_FORMAT, "num_hidden_layers" },
        { "{\"num_hidden_layers\":3}", ERR_NOT_FOUND, "model.layers.2.input_layernorm.weight" },
        { "{\"num_hidden_layers\":1000}", ERR_FORMAT, "1000 layers" },
        { "{\"num_hidden_layers\":1000000000}", ERR_FORMAT, "num_hidden_layers" },
        { "{\"num_attention_heads\":3,\"num_key_value_heads\":2}", ERR_FORMAT, "share" },
        { "{\"num_key_value_heads\":4}", ERR_FORMAT, "k_proj" },
        { "{\"num_key_value_heads\":0}", ERR_FORMAT, "num_key_value_heads" },
        { "{\"head_dim\":32}", ERR_FORMAT, "q_proj" },
        { "{\"head_dim\":15}", ERR_FORMAT, "15 dimensions" },
        { "{\"intermediate_size\":120}", ERR_FORMAT, "gate_proj" },
        { "{\"vocab_size\":100}", ERR_FORMAT, "embed_tokens" },
        { "{\"vocab_size\":1000000000}", ERR_FORMAT, "vocab_size" },
        { "{\"rms_norm_eps\":\"1e-5\"}", ERR_FORMAT, "rms_norm_eps" },
        { "{\"rms_norm_eps\":-1}", ERR_FORMAT, "rms_norm_eps" },
        { "{\"max_position_embeddings\":0}", ERR_FORMAT, "max_position_embeddings" },
        { "{\"tie_word_embeddings\":1}", ERR_FORMAT, "tie_word_embeddings" },
        { "{\"rope_theta\":0}", ERR_FORMAT, "rope_theta" },
        { "{\"rope_scaling\":\"linear\"}", ERR_FORMAT, "rope_scaling" },
        { "{\"rope_scaling\":{\"factor\":2}}", ERR_FORMAT, "no type" },
        { "{\"rope_scaling\":{\"type\":\"linear\"}}", ERR_FORMAT, "needs a factor" },
        { "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":-2}}", ERR_FORMAT, "factor" },
        { "{\"rope_scaling\":{\"type\":\"mrope\",\"factor\":2}}", ERR_UNSUPPORTED, "mrope" },
        { "{\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8}}", ERR_FORMAT, "llama3" },
        { "{\"rope_scaling\":{\"rope_type\":\"longrope\",\"short_factor\":[1]}}", ERR_FORMAT,
          "longrope" },
        { "{\"quantization_config\":{\"quant_method\":\"bitsandbytes\",\"bits\":4}}",
          ERR_UNSUPPORTED, "bitsandbytes" },
    };
    TinySpec spec = { .kind = TINY_HF_F16 };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(tiny_model_write(dir, &spec));
        edit_json("config.json", rows[i].edit);
        expect_unbound(rows[i].edit, dir, rows[i].kind, rows[i].words);
        tiny_remove_dir(dir);
    }
}

static void other_quantisations_are_refused_by_name(void **state)
{
    static const struct {
        TinyKind kind;
        const char *edit;
        ErrorKind error;
        const char *words;
    } rows[] = {
        { TINY_GPTQ_V1, "{\"bits\":8}", ERR_UNSUPPORTED, "8-bit" },
        { TINY_GPTQ_V1, "{\"bits\":3}", ERR_UNSUPPORTED, "3-bit" },
        { TINY_GPTQ_V1, "{\"bits\":2}", ERR_UNSUPPORTED, "2-bit" },
        { TINY_GPTQ_V1, "{\"bits\":\"4\"}", ERR_FORMAT, "bits" },
        { TINY_GPTQ_V1, "{\"quant_method\":\"marlin\"}", ERR_UNSUPPORTED, "marlin" },
        { TINY_GPTQ_V1, "{\"checkpoint_format\":\"marlin\"}", ERR_UNSUPPORTED, "marlin" },
        { TINY_GPTQ_V1, "{\"is_marlin_format\":true}", ERR_UNSUPPORTED, "marlin" },
        { TINY_GPTQ_V1, "{\"checkpoint_format\":\"exllama\"}", ERR_UNSUPPORTED, "exllama" },
        { TINY_GPTQ_V1, "{\"pack_dtype\":\"int8\"}", ERR_UNSUPPORTED, "int8" },
        { TINY_GPTQ_V1, "{\"quant_method\":\"compressed-tensors\"}", ERR_UNSUPPORTED,
          "compressed-tensors" },
        { TINY_GPTQ_V1, "{\"quant_method\":null,\"bits\":null,\"checkpoint_format\":null}",
          ERR_FORMAT, "neither" },
        { TINY_GPTQ_V1, "{\"group_size\":64}", ERR_FORMAT, "scales" },
        { TINY_GPTQ_V1, "{\"group_size\":-2}", ERR_FORMAT, "group_size" },
        { TINY_GPTQ_V1, "{\"group_size\":\"32\"}", ERR_FORMAT, "group_size" },
        { TINY_GPTQ_V1, "{\"quant_method\":\"awq\",\"checkpoint_format\":null}", ERR_FORMAT,
          "as GPTQ does" },
        { TINY_AWQ, "{\"version\":\"gemv\"}", ERR_UNSUPPORTED, "gemv" },
        { TINY_AWQ, "{\"version\":\"GEMV_FAST\"}", ERR_UNSUPPORTED, "GEMV_FAST" },
        { TINY_AWQ, "{\"version\":\"marlin\"}", ERR_UNSUPPORTED, "marlin" },
        { TINY_AWQ, "{\"zero_point\":false}", ERR_UNSUPPORTED, "without zero points" },
        { TINY_AWQ, "{\"quant_method\":\"gptq\",\"version\":null}", ERR_FORMAT, "as AWQ does" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        TinySpec spec = { .kind = rows[i].kind };
        assert_true(tiny_model_write(dir, &spec));
        edit_json(rows[i].kind == TINY_AWQ ? "quant_config.json" : "quantize_config.json",
                  rows[i].edit);
        expect_unbound(rows[i].edit, dir, rows[i].error, rows[i].words);
        tiny_remove_dir(dir);
    }
}

static void packed_tensors_that_do_not_fit_are_refused(void **state)
{
    static const uint8_t nan_half[] = { 0x01, 0x7c }, negative[] = { 0xff, 0xff, 0xff, 0xff },
                         two[] = { 2, 0, 0, 0 };
    static const struct {
        const char *from, *to; /* in the header */
        const char *tensor;    /* whose data is overwritten at the end by: */
        const void *data;
        size_t offset, bytes;
        ErrorKind kind;
        const char *words;
    } rows[] = {
        { "q_proj.qweight", "q_proj.qweighx", NULL, NULL, 0, 0, ERR_NOT_FOUND,
          "q_proj.qweight: the tensor is missing" },
        { "q_proj.scales", "q_proj.scalex", NULL, NULL, 0, 0, ERR_NOT_FOUND,
          "q_proj.scales: the tensor is missing" },
        { "q_proj.qzeros", "q_proj.qzerox", NULL, NULL, 0, 0, ERR_NOT_FOUND,
          "q_proj.qzeros: the tensor is missing" },
        { "\"model.norm.weight", "\"model.nurm.weight", NULL, NULL, 0, 0, ERR_NOT_FOUND,
          "model.norm.weight is missing" },
        { "embed_tokens.weight", "embed_tokenx.weight", NULL, NULL, 0, 0, ERR_NOT_FOUND,
          "embed_tokens.weight is missing" },
        { "\"lm_head.weight", "\"lm_heat.weight", NULL, NULL, 0, 0, ERR_NOT_FOUND, "lm_head" },
        { "I32\",\"shape\":[8,64]", "F32\",\"shape\":[8,64]", NULL, NULL, 0, 0, ERR_FORMAT, "I32" },
        { "\"I32\",\"shape\":[64]", "\"F32\",\"shape\":[64]", NULL, NULL, 0, 0, ERR_FORMAT,
          "g_idx: its type should be I32" },
        { "F16\",\"shape\":[2,64]", "I16\",\"shape\":[2,64]", NULL, NULL, 0, 0, ERR_UNSUPPORTED,
          "scales: its type" },
        { "F16\",\"shape\":[2,64]", "F16\",\"shape\":[64,2]", NULL, NULL, 0, 0, ERR_FORMAT,
          "scales: its shape" },
        { "I32\",\"shape\":[2,8]", "I32\",\"shape\":[8,2]", NULL, NULL, 0, 0, ERR_FORMAT,
          "qzeros: its shape" },
        { "I32\",\"shape\":[8,64]", "I32\",\"shape\":[64,8]", NULL, NULL, 0, 0, ERR_FORMAT,
          "packed as AWQ" },
        { NULL, NULL, "model.layers.1.mlp.up_proj.scales", nan_half, 10, 2, ERR_FORMAT,
          "up_proj.scales: it holds" },
        { NULL, NULL, "model.layers.1.mlp.up_proj.g_idx", negative, 4, 4, ERR_FORMAT,
          "g_idx: row 1 is in group -1 of 2" },
        { NULL, NULL, "model.layers.1.mlp.up_proj.g_idx", two, 252, 4, ERR_FORMAT,
          "g_idx: row 63 is in group 2 of 2" },
    };
    TinySpec spec = { .kind = TINY_GPTQ_V1, .act_order = true };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(tiny_model_write(dir, &spec));
        if (rows[i].from)
            edit_bytes("model.safetensors", rows[i].from, rows[i].to);
        else
            edit_tensor(rows[i].tensor, rows[i].offset, rows[i].data, rows[i].bytes);
        expect_unbound(rows[i].words, dir, rows[i].kind, rows[i].words);
        tiny_remove_dir(dir);
    }
    assert_true(tiny_model_write(dir, &spec));
    assert_int_equal(unlink(in_dir("quantize_config.json")), 0);
    expect_unbound("no quantize_config.json", dir, ERR_FORMAT, "quantize_config.json is missing");
}

static void gguf_block_types_without_a_kernel_are_named(void **state)
{
    (void)state;
    hostile_write(
        dir, "q4k.gguf",
        "'GGUF' 3:4 1:8 7:8 s'general.architecture' 8:4 s'llama' s'llama.block_count' 4:4 1:4 "
        "s'llama.embedding_length' 4:4 256:4 s'llama.attention.head_count' 4:4 4:4 "
        "s'llama.feed_forward_length' 4:4 256:4 s'llama.attention.layer_norm_rms_epsilon' 6:4 "
        "925353388:4 "
        "s'llama.vocab_size' 4:4 2:4 s'token_embd.weight' 2:4 256:8 2:8 12:4 0:8 p z288");
    expect_unbound("Q4_K", in_dir("q4k.gguf"), ERR_UNSUPPORTED,
                   "tensor token_embd.weight is Q4_K, which is not supported; take a file in Q4_0");
}

static void gguf_keys_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *pairs, *words;
        ErrorKind kind;
    } rows[] = {
        { "0:8", "general.architecture is missing", ERR_FORMAT },
        { "1:8 s'general.architecture' 8:4 s'falcon'", "\"falcon\"", ERR_UNSUPPORTED },
        { "1:8 s'general.architecture' 8:4 s'llama'", "llama.block_count is missing", ERR_FORMAT },
        { "6:8 s'general.architecture' 8:4 s'llama' s'llama.block_count' 6:4 1:4 "
          "s'llama.embedding_length' 4:4 64:4 "
          "s'llama.attention.head_count' 4:4 4:4 s'llama.feed_forward_length' 4:4 64:4 "
          "s'llama.attention.layer_norm_rms_epsilon' 6:4 925353388:4",
          "block_count should be", ERR_FORMAT },
        { "7:8 s'general.architecture' 8:4 s'llama' s'llama.block_count' 10:4 1:8 "
          "s'llama.embedding_length' 4:4 64:4 "
          "s'llama.attention.head_count' 4:4 4:4 s'llama.feed_forward_length' 4:4 64:4 "
          "s'llama.attention.layer_norm_rms_epsilon' 6:4 925353388:4 s'llama.expert_count' 4:4 8:4",
          "experts", ERR_UNSUPPORTED },
        { "7:8 s'general.architecture' 8:4 s'llama' s'llama.block_count' 3:4 1:2 "
          "s'llama.embedding_length' 11:4 64:8 "
          "s'llama.attention.head_count' 0:4 4:1 s'llama.feed_forward_length' 4:4 64:4 "
          "s'llama.attention.layer_norm_rms_epsilon' 6:4 925353388:4 "
          "s'llama.attention.head_count_kv' 9:4 5:4 2:8 4:4 2:4",
          "differs from layer to layer", ERR_UNSUPPORTED },
        { "6:8 s'general.architecture' 8:4 s'llama' s'llama.block_count' 3:4 1:2 "
          "s'llama.embedding_length' 11:4 64:8 "
          "s'llama.attention.head_count' 0:4 4:1 s'llama.feed_forward_length' 4:4 64:4 "
          "s'llama.attention.layer_norm_rms_epsilon' 6:4 925353388:4",
          "size of the vocabulary", ERR_FORMAT },
    };
    Buf recipe = BUF_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_reset(&recipe);
        buf_printf(&recipe, "'GGUF' 3:4 1:8 %s s'token_embd.weight' 1:4 1:8 0:4 0:8 p z4",
                   rows[i].pairs);
        hostile_write(dir, "keys.gguf", buf_cstr(&recipe));
        expect_unbound(rows[i].words, in_dir("keys.gguf"), rows[i].kind, rows[i].words);
    }
    buf_release(&recipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(configurations_that_do_not_fit_are_refused, make_dir,
                                        drop_dir),
        cmocka_unit_test_setup_teardown(other_quantisations_are_refused_by_name, make_dir,
                                        drop_dir),
        cmocka_unit_test_setup_teardown(packed_tensors_that_do_not_fit_are_refused, make_dir,
                                        drop_dir),
        cmocka_unit_test_setup_teardown(gguf_block_types_without_a_kernel_are_named, make_dir,
                                        drop_dir),
        cmocka_unit_test_setup_teardown(gguf_keys_that_do_not_fit_are_refused, make_dir, drop_dir),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
