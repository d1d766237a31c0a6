/* Directories of models: which files count, and one line for whatever is wrong with them
 * (formats.md 2.6). */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/base/path.h"
#include "tests/hostile.h"
#include "tests/model_files.h"
#include "tests/tiny_model.h"

#define T(type, shape, offsets)                                                                    \
    "{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define A T("F32", "[2]", "[0,8]")

static const struct {
    const char *name, *file, *recipe;
    ErrorKind kind;
    const char *words;
} bad_directories[] = {
    { "broken config", "config.json", "'{'", ERR_FORMAT, "config.json: line 1" },
    { "config with a key twice", "config.json", "'{\"a\":1,\"a\":2}'", ERR_FORMAT,
      "config.json: line 1: duplicate" },
    { "config that is a list", "config.json", "'[]'", ERR_FORMAT,
      "config.json: should hold a JSON object" },
    { "config with a NUL", "config.json", "'{\"a\":\"\\u0000\"}'", ERR_FORMAT,
      "config.json: line 1" },
    { "config that is not UTF-8", "config.json", "'{\"a\":\"' 255:1 '\"}'", ERR_FORMAT,
      "config.json: line 1" },
    { "empty config", "config.json", "", ERR_FORMAT, "config.json" },
    { "broken generation config", "generation_config.json", "'{,}'", ERR_FORMAT,
      "generation_config.json" },
    { "broken tokenizer config", "tokenizer_config.json", "'nul'", ERR_FORMAT,
      "tokenizer_config.json" },
    { "broken quantize config", "quantize_config.json", "'{\"bits\":4'", ERR_FORMAT,
      "quantize_config.json" },
    { "named weights with a path", "quantize_config.json",
      "'{\"bits\":4,\"model_file_base_name\":\"../../x\"}'", ERR_FORMAT, "not a plain file name" },
    { "quantization_config that is a list", "config.json", "'{\"quantization_config\":[1]}'",
      ERR_FORMAT, "should be an object" },
};

static void broken_json_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_directories / sizeof *bad_directories; i++) {
        hostile_write(dir, "config.json", "'{\"model_type\":\"llama\"}'");
        hostile_write(dir, "model.safetensors", "h'{\"a\":" A "}' z8");
        hostile_write(dir, bad_directories[i].file, bad_directories[i].recipe);
        expect_unopened(bad_directories[i].name, dir, bad_directories[i].kind,
                        bad_directories[i].words);
        unlink(in_dir(bad_directories[i].file));
    }
}

#define INDEX(map) "'{\"metadata\":{\"total_size\":8},\"weight_map\":" map "}'"

static const BadFile bad_indexes[] = {
    { "broken", "'{\"weight_map\":{'", ERR_FORMAT, "model.safetensors.index.json: line 1" },
    { "no map", "'{\"metadata\":{}}'", ERR_FORMAT, "weight_map" },
    { "empty map", INDEX("{}"), ERR_FORMAT, "weight_map" },
    { "a list for a map", INDEX("[]"), ERR_FORMAT, "weight_map" },
    { "a number for a file", INDEX("{\"a\":1}"), ERR_FORMAT, "should be a string" },
    { "parent folder", INDEX("{\"a\":\"../one.safetensors\"}"), ERR_FORMAT,
      "not a plain file name" },
    { "absolute", INDEX("{\"a\":\"/etc/one.safetensors\"}"), ERR_FORMAT, "not a plain file name" },
    { "below", INDEX("{\"a\":\"x/one.safetensors\"}"), ERR_FORMAT, "not a plain file name" },
    { "backslash", INDEX("{\"a\":\"x\\\\one.safetensors\"}"), ERR_FORMAT, "not a plain file name" },
    { "dots", INDEX("{\"a\":\"..\"}"), ERR_FORMAT, "not a plain file name" },
    { "empty name", INDEX("{\"a\":\"\"}"), ERR_FORMAT, "not a plain file name" },
    { "another kind of file", INDEX("{\"a\":\"one.bin\"}"), ERR_UNSUPPORTED,
      "not a safetensors file" },
    { "missing shard", INDEX("{\"a\":\"one.safetensors\",\"z\":\"gone.safetensors\"}"),
      ERR_NOT_FOUND, "1 of 2 weight files is missing: gone.safetensors" },
    { "tensor not in its shard", INDEX("{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\"}"),
      ERR_FORMAT, "no tensor b" },
    { "tensor in the other shard", INDEX("{\"a\":\"two.safetensors\",\"c\":\"one.safetensors\"}"),
      ERR_FORMAT, "tensor a is here" },
    { "tensor in both shards", INDEX("{\"a\":\"one.safetensors\",\"c\":\"three.safetensors\"}"),
      ERR_FORMAT, "tensor a is here" },
    { "key twice", INDEX("{\"a\":\"one.safetensors\",\"a\":\"one.safetensors\"}"), ERR_FORMAT,
      "duplicate" },
    { "total_size is text",
      "'{\"metadata\":{\"total_size\":\"8\"},\"weight_map\":{\"a\":\"one.safetensors\"}}'",
      ERR_FORMAT, "total_size" },
};

static void broken_indexes_are_refused(void **state)
{
    (void)state;
    hostile_write(dir, "config.json", "'{\"model_type\":\"llama\"}'");
    hostile_write(dir, "one.safetensors", "h'{\"a\":" A "}' z8");
    hostile_write(dir, "two.safetensors", "h'{\"c\":" A "}' z8");
    hostile_write(dir, "three.safetensors",
                  "h'{\"a\":" A ",\"c\":" T("F32", "[2]", "[8,16]") "}' z16");
    for (size_t i = 0; i < sizeof bad_indexes / sizeof *bad_indexes; i++) {
        hostile_write(dir, "model.safetensors.index.json", bad_indexes[i].recipe);
        expect_unopened(bad_indexes[i].name, dir, bad_indexes[i].kind, bad_indexes[i].words);
    }
    /* A total_size that lies is no reason: it is wrong in many honest files, and nothing depends on
     * it. */
    hostile_write(dir, "model.safetensors.index.json",
                  INDEX("{\"a\":\"one.safetensors\",\"c\":\"two.safetensors\"}"));
    ModelFile *file = modelfile_open(dir, true, &(Error)ERROR_INIT);
    assert_non_null(file);
    assert_int_equal(modelfile_n_files(file), 2);
    assert_int_equal(modelfile_file_at(file, 1).n_tensors, 1);
    modelfile_close(file);
}

/* Which of the files present holds the weights. */
static void the_right_weight_file_is_taken(void **state)
{
    static const struct {
        const char *present, *quantize, *taken; /* NULL: refused */
    } rows[] = {
        { "model", NULL, "model.safetensors" },
        { "gptq_model-4bit-128g model", NULL, "gptq_model-4bit-128g.safetensors" },
        { "gptq_model-4bit-128g model", "'{\"bits\":4}'", "gptq_model-4bit-128g.safetensors" },
        { "gptq_model-4bit-128g model", "'{\"bits\":4,\"model_file_base_name\":null}'",
          "gptq_model-4bit-128g.safetensors" },
        { "gptq_model-4bit-128g model", "'{\"bits\":4,\"model_file_base_name\":\"model\"}'",
          "model.safetensors" },
        { "gptq_model-4bit-128g other",
          "'{\"bits\":4,\"model_file_base_name\":\"other.safetensors\"}'", "other.safetensors" },
        { "gptq_model-4bit-128g model", "'{\"bits\":4,\"model_file_base_name\":\"gone\"}'",
          "gptq_model-4bit-128g.safetensors" },
        { "gptq_model-3bit gptq_model-4bit-128g", NULL, "gptq_model-3bit.safetensors" },
        { "model.int4 adapter", NULL, "model.int4.safetensors" },
        { "pytorch", NULL, "pytorch.safetensors" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char names[200], *rest = names, *name;
        Error err = ERROR_INIT;
        ModelFile *file;
        tiny_remove_dir(dir);
        assert_true(path_mkdirs(dir, &err));
        hostile_write(dir, "config.json", "'{\"model_type\":\"llama\"}'");
        if (rows[i].quantize)
            hostile_write(dir, "quantize_config.json", rows[i].quantize);
        snprintf(names, sizeof names, "%s", rows[i].present);
        while ((name = strsep(&rest, " "))) {
            char base[100];
            snprintf(base, sizeof base, "%s.safetensors", name);
            hostile_write(dir, base, "h'{\"a\":" A "}' z8");
        }
        file = modelfile_open(dir, true, &err);
        assert_non_null(file);
        assert_string_equal(modelfile_weights_name(file), rows[i].taken);
        modelfile_close(file);
    }
}

static void directories_without_weights_say_what_is_wanted(void **state)
{
    Error err = ERROR_INIT;
    (void)state;
    expect_unopened("empty", dir, ERR_NOT_FOUND, "no config.json");
    hostile_write(dir, "config.json", "'{\"model_type\":\"llama\"}'");
    expect_unopened("config alone", dir, ERR_NOT_FOUND, "no weight file");
    hostile_write(dir, "pytorch_model.bin", "'PK'");
    expect_unopened("pickle", dir, ERR_UNSUPPORTED, "PyTorch pickle");
    hostile_write(dir, "model-00001-of-00002.safetensors", "h'{\"a\":" A "}' z8");
    expect_unopened("shards without an index", dir, ERR_NOT_FOUND, "index");
    expect_unopened("nothing", in_dir("gone"), ERR_NOT_FOUND, "gone");
    expect_unopened("a text file", in_dir("config.json"), ERR_UNSUPPORTED, "not a model");
    assert_int_equal(mkfifo(in_dir("pipe.gguf"), 0600), 0);
    expect_unopened("a pipe", in_dir("pipe.gguf"), ERR_FORMAT, "not a regular file");
    unlink(in_dir("pipe.gguf"));
    ModelFile *file = modelfile_open(dir, false, &err);
    assert_non_null(file);
    assert_int_equal(modelfile_container(file), CONTAINER_NONE);
    modelfile_close(file);
}

static void symbolic_links_are_followed(void **state)
{
    TinySpec spec = { .kind = TINY_HF_F16 };
    char blobs[4200];
    (void)state;
    snprintf(blobs, sizeof blobs, "%s/blobs", dir);
    assert_true(tiny_model_write(blobs, &spec));
    assert_int_equal(mkdir(in_dir("snapshot"), 0700), 0);
    assert_int_equal(symlink("../blobs/model.safetensors", in_dir("snapshot/model.safetensors")),
                     0);
    assert_int_equal(symlink("../blobs/config.json", in_dir("snapshot/config.json")), 0);
    ModelFile *file = modelfile_open(in_dir("snapshot"), true, &(Error)ERROR_INIT);
    assert_non_null(file);
    const FileTensor *tensor = modelfile_find(file, "model.norm.weight");
    assert_non_null(tensor);
    assert_string_equal(modelfile_at(tensor->data), in_dir("snapshot/model.safetensors"));
    const void *address = tensor->data;
    modelfile_close(file);
    assert_null(modelfile_at(address));
}

/* transformers writes 1e30 as a whole number of 31 digits for "no limit". */
static void numbers_beyond_64_bits_do_not_spoil_a_config(void **state)
{
    (void)state;
    hostile_write(dir, "tokenizer.json", "'{}'");
    hostile_write(
        dir, "tokenizer_config.json",
        "'{\"model_max_length\":1000000000000000019884624838656,\"add_bos_token\":true}'");
    ModelFile *file = modelfile_open(dir, false, &(Error)ERROR_INIT);
    assert_non_null(file);
    assert_true(json_is_true(json_object_get(modelfile_tokenizer_config(file), "add_bos_token")));
    modelfile_close(file);
}

static void a_tokenizer_alone_opens_by_its_own_name(void **state)
{
    Buf text = BUF_INIT;
    Error err = ERROR_INIT;
    (void)state;
    hostile_write(dir, "tokenizer.json", "'{\"a\":1}'");
    hostile_write(dir, "tokenizer.model", "'spm'");
    hostile_write(dir, "vocab.json", "'{}'");
    hostile_write(dir, "mine.json", "'{\"mine\":1}'");
    ModelFile *file = modelfile_open(in_dir("tokenizer.model"), false, &err);
    assert_non_null(file);
    assert_true(modelfile_has(file, "tokenizer.model"));
    assert_false(modelfile_has(file, "tokenizer.json"));
    assert_false(modelfile_has(file, "vocab.json"));
    modelfile_close(file);
    file = modelfile_open(in_dir("mine.json"), false, &err);
    assert_non_null(file);
    assert_true(modelfile_read(file, "tokenizer.json", 100, &text, &err));
    assert_string_equal(buf_cstr(&text), "{\"mine\":1}");
    assert_false(modelfile_read(file, "../tokenizer.json", 100, &text, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    modelfile_close(file);
    buf_release(&text);
}

static void a_folder_with_one_gguf_is_that_file(void **state)
{
    (void)state;
    hostile_write(dir, "one.gguf", "'GGUF' 3:4 1:8 0:8 s'a' 1:4 1:8 0:4 0:8 p z4");
    ModelFile *file = modelfile_open(dir, true, &(Error)ERROR_INIT);
    assert_non_null(file);
    assert_int_equal(modelfile_container(file), CONTAINER_GGUF);
    assert_string_equal(modelfile_weights_name(file), "one.gguf");
    modelfile_close(file);
    hostile_write(dir, "two.gguf", "'GGUF'");
    expect_unopened("two", dir, ERR_UNSUPPORTED, "2 GGUF files");
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Truncates a good file everywhere near its header and flips bytes in it: it opens or is refused,
 * nothing else. */
static void damage(const char *path, size_t header)
{
    Buf good = BUF_INIT, bad = BUF_INIT;
    uint64_t random = 7;
    Error err = ERROR_INIT;

    assert_true(path_read_file(path, 1 << 24, &good, &err));
    for (int round = 0; round < 600; round++) {
        size_t len = round < 200 ? (size_t)(next_random(&random) % (header + 64)) : good.len;
        buf_reset(&bad);
        buf_append(&bad, good.data, len < good.len ? len : good.len);
        for (int flips = round < 200 ? 0 : 1 + round % 4; flips > 0; flips--)
            bad.data[next_random(&random) % header] ^= (char)(1 << next_random(&random) % 8);
        hostile_put(path, buf_str(&bad));
        Error why = ERROR_INIT;
        ModelFile *file = modelfile_open(path, true, &why);
        assert_true(file ? why.kind == ERR_NONE
                         : why.kind != ERR_NONE && *why.text && !strchr(why.text, '\n'));
        if (round < 200 && len < good.len)
            assert_null(file);
        modelfile_close(file);
    }
    buf_release(&good);
    buf_release(&bad);
}

static void damaged_files_never_crash(void **state)
{
    TinySpec gptq = { .kind = TINY_GPTQ_V1 }, gguf = { .kind = TINY_GGUF_Q4_0 };
    (void)state;
    assert_true(tiny_model_write(dir, &gptq));
    damage(in_dir("model.safetensors"), 4000);
    assert_true(tiny_model_write(dir, &gguf));
    damage(in_dir("model.gguf"), 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(broken_json_files_are_refused, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(broken_indexes_are_refused, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(the_right_weight_file_is_taken, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(directories_without_weights_say_what_is_wanted, make_dir,
                                        drop_dir),
        cmocka_unit_test_setup_teardown(symbolic_links_are_followed, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(numbers_beyond_64_bits_do_not_spoil_a_config, make_dir,
                                        drop_dir),
        cmocka_unit_test_setup_teardown(a_tokenizer_alone_opens_by_its_own_name, make_dir,
                                        drop_dir),
        cmocka_unit_test_setup_teardown(a_folder_with_one_gguf_is_that_file, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(damaged_files_never_crash, make_dir, drop_dir),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
