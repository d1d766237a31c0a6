/* Model files: what good ones hold, and one line for every way in which they can be broken
 * (formats.md 2.6, 2.7, 4.2). Every broken file must be refused in under a second and 200 MB. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/modelfile.h"
#include "src/base/clock.h"
#include "src/base/path.h"
#include "tests/hostile.h"
#include "tests/tensor_writer.h"
#include "tests/tiny_model.h"

enum { LIMIT_MS = 1000, LIMIT_KB = 200 * 1024 };

static char dir[4096];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "%s", tiny_temp_dir());
    return 0;
}

static int drop_dir(void **state)
{
    (void)state;
    tiny_remove_dir(dir);
    return 0;
}

static const char *in_dir(const char *name)
{
    static char path[8192];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* The sanitizers' own memory would count. */
static void check_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    assert_true(usage.ru_maxrss < LIMIT_KB);
#endif
}

/* Opening must fail with this kind, and one line that has these words. */
static void expect_refusal(const char *what, const char *path, ErrorKind kind, const char *words)
{
    Error err = ERROR_INIT;
    int64_t start = clock_mono_us();
    ModelFile *file = modelfile_open(path, true, &err);
    double took = (double)(clock_mono_us() - start) / 1000;

    if (file || err.kind != kind || !strstr(err.text, words) || strchr(err.text, '\n') ||
        took > LIMIT_MS)
        print_message("# %s: kind %d, %.0f ms: %s\n", what, (int)err.kind, took, err.text);
    assert_null(file);
    assert_int_equal(err.kind, kind);
    assert_non_null(strstr(err.text, words));
    assert_null(strchr(err.text, '\n'));
    assert_true(took <= LIMIT_MS);
}

/* ---- safetensors ---- */

typedef struct {
    const char *name, *recipe;
    ErrorKind kind;
    const char *words;
} BadFile;

#define T(type, shape, offsets)                                                                    \
    "{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define A T("F32", "[2]", "[0,8]")

static const BadFile bad_safetensors[] = {
    { "empty", "", ERR_FORMAT, "empty" },
    { "shorter than its length", "z7", ERR_FORMAT, "too short" },
    { "header length 2^63", "9223372036854775808:8 '{}'", ERR_FORMAT, "not a safetensors file" },
    { "header length 2^64 - 1", "18446744073709551615:8 '{}'", ERR_FORMAT,
      "not a safetensors file" },
    { "header length over the cap", "100000001:8 '{}'", ERR_FORMAT, "not a safetensors file" },
    { "header past the end", "100:8 '{}'", ERR_FORMAT, "truncated" },
    { "header of nothing", "0:8", ERR_FORMAT, "begin with {" },
    { "header of blanks", "h'   '", ERR_FORMAT, "begin with {" },
    { "blank before the header", "h' {}'", ERR_FORMAT, "begin with {" },
    { "an array", "h'[]'", ERR_FORMAT, "begin with {" },
    { "not UTF-8", "9:8 '{\"' 255:1 '\":{}}  '", ERR_FORMAT, "UTF-8" },
    { "no end", "h'{'", ERR_FORMAT, "string" },
    { "after the end", "h'{}x'", ERR_FORMAT, "follows its end" },
    { "newline after the end", "2:8 '{}' 10:1", ERR_FORMAT, "bytes follow" },
    { "zero byte padding", "4:8 '{}' z2", ERR_FORMAT, "follows its end" },
    { "trailing comma", "h'{\"a\":" A ",}' z8", ERR_FORMAT, "string" },
    { "no colon", "h'{\"a\" " A "}' z8", ERR_FORMAT, "colon" },
    { "unfinished string", "h'{\"a'", ERR_FORMAT, "does not end" },
    { "control character in a name", "8:8 '{\"a' 7:1 '\":{}}'", ERR_FORMAT, "control character" },
    { "NUL in a name", "h'{\"a\\u0000\":" A "}' z8", ERR_FORMAT, "bad escape" },
    { "lone surrogate", "h'{\"a\\ud800\":" A "}' z8", ERR_FORMAT, "bad escape" },
    { "bad escape", "h'{\"a\\q\":" A "}' z8", ERR_FORMAT, "bad escape" },
    { "empty name", "h'{\"\":" A "}' z8", ERR_FORMAT, "empty or too long" },
    { "name of 1000 bytes", "1057:8 '{\"' r1000'n' '\":" A "}' z9", ERR_FORMAT,
      "empty or too long" },
    { "the same tensor twice", "h'{\"a\":" A ",\"a\":" T("F32", "[2]", "[8,16]") "}' z16",
      ERR_FORMAT, "a is there twice" },
    { "twice, once escaped", "h'{\"a\":" A ",\"\\u0061\":" T("F32", "[2]", "[8,16]") "}' z16",
      ERR_FORMAT, "a is there twice" },
    { "metadata twice", "h'{\"__metadata__\":{},\"__metadata__\":{}}'", ERR_FORMAT,
      "__metadata__ is there twice" },
    { "metadata key twice", "h'{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}'", ERR_FORMAT,
      "key of __metadata__" },
    { "metadata with a number", "h'{\"__metadata__\":{\"a\":1}}'", ERR_FORMAT, "string" },
    { "metadata as a list", "h'{\"__metadata__\":[]}'", ERR_FORMAT, "object of strings" },
    { "a tensor that is a list", "h'{\"a\":[]}'", ERR_FORMAT, "description" },
    { "unknown type", "h'{\"a\":" T("F33", "[2]", "[0,8]") "}' z8", ERR_UNSUPPORTED,
      "unknown type F33" },
    { "type in lower case", "h'{\"a\":" T("f32", "[2]", "[0,8]") "}' z8", ERR_UNSUPPORTED,
      "unknown type f32" },
    { "no type", "h'{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}' z8", ERR_FORMAT,
      "needs dtype" },
    { "no shape", "h'{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}' z8", ERR_FORMAT,
      "needs dtype" },
    { "no offsets", "h'{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}' z8", ERR_FORMAT, "needs dtype" },
    { "one offset", "h'{\"a\":" T("F32", "[2]", "[8]") "}' z8", ERR_FORMAT, "needs dtype" },
    { "three offsets", "h'{\"a\":" T("F32", "[2]", "[0,8,8]") "}' z8", ERR_FORMAT, "too long" },
    { "key twice",
      "h'{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}' z8",
      ERR_FORMAT, "twice" },
    { "unknown key",
      "h'{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}' z8", ERR_FORMAT,
      "unknown key" },
    { "exponent", "h'{\"a\":" T("F32", "[2]", "[0,8e0]") "}' z8", ERR_FORMAT, "whole number" },
    { "real", "h'{\"a\":" T("F32", "[2.0]", "[0,8]") "}' z8", ERR_FORMAT, "whole number" },
    { "negative", "h'{\"a\":" T("F32", "[-2]", "[0,8]") "}' z8", ERR_FORMAT, "whole number" },
    { "negative zero", "h'{\"a\":" T("F32", "[2]", "[-0,8]") "}' z8", ERR_FORMAT, "whole number" },
    { "leading zero", "h'{\"a\":" T("F32", "[02]", "[0,8]") "}' z8", ERR_FORMAT, "whole number" },
    { "number as text", "h'{\"a\":" T("F32", "[\"2\"]", "[0,8]") "}' z8", ERR_FORMAT,
      "whole number" },
    { "2^48", "h'{\"a\":" T("F32", "[281474976710656]", "[0,8]") "}' z8", ERR_FORMAT,
      "whole number" },
    { "2^64 + 2", "h'{\"a\":" T("F32", "[18446744073709551618]", "[0,8]") "}' z8", ERR_FORMAT,
      "whole number" },
    { "nine dimensions", "h'{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}' z8", ERR_FORMAT,
      "too long" },
    { "product overflows",
      "h'{\"a\":" T("F32", "[281474976710655,281474976710655]", "[0,8]") "}' z8", ERR_FORMAT,
      "impossible" },
    { "bits overflow", "h'{\"a\":" T("F64", "[281474976710655,32767]", "[0,8]") "}' z8", ERR_FORMAT,
      "impossible" },
    { "half a byte", "h'{\"a\":" T("F4", "[3]", "[0,2]") "}' z2", ERR_FORMAT, "impossible" },
    { "shape and size differ", "h'{\"a\":" T("F32", "[3]", "[0,8]") "}' z8", ERR_FORMAT,
      "do not match" },
    { "scalar of eight bytes", "h'{\"a\":" T("F32", "[]", "[0,8]") "}' z8", ERR_FORMAT,
      "do not match" },
    { "ends before it begins", "h'{\"a\":" T("F32", "[2]", "[8,0]") "}' z8", ERR_FORMAT,
      "ends before" },
    { "past the end", "h'{\"a\":" A "}' z7", ERR_FORMAT, "truncated" },
    { "far past the end", "h'{\"a\":" T("U8", "[281474976710655]", "[0,281474976710655]") "}' z8",
      ERR_FORMAT, "truncated" },
    { "bytes after the last", "h'{\"a\":" A "}' z9", ERR_FORMAT, "follow the last" },
    { "hole at the beginning", "h'{\"a\":" T("F32", "[2]", "[8,16]") "}' z16", ERR_FORMAT, "hole" },
    { "hole in between", "h'{\"a\":" A ",\"b\":" T("F32", "[2]", "[12,20]") "}' z20", ERR_FORMAT,
      "hole" },
    { "overlap", "h'{\"a\":" A ",\"b\":" T("F32", "[2]", "[4,12]") "}' z12", ERR_FORMAT,
      "overlaps" },
    { "the same bytes twice", "h'{\"a\":" A ",\"b\":" A "}' z8", ERR_FORMAT, "overlaps" },
    { "no tensors", "h'{}'", ERR_FORMAT, "no tensors" },
};

static void broken_safetensors_files_are_refused(void **state)
{
    (void)state;
    hostile_write(dir, "config.json", "'{\"model_type\":\"llama\"}'");
    for (size_t i = 0; i < sizeof bad_safetensors / sizeof *bad_safetensors; i++) {
        const BadFile *row = &bad_safetensors[i];
        hostile_write(dir, "model.safetensors", row->recipe);
        expect_refusal(row->name, dir, row->kind, row->words);
    }
    check_memory();
}

static void odd_but_legal_safetensors_files_open(void **state)
{
    static const struct {
        const char *name, *recipe;
        size_t n;
    } rows[] = {
        { "padding", "h'{\"a\":" A "}     ' z8", 1 },
        { "white space",
          "h'{ \"a\" :\t{ \"shape\" : [ 2 ] , \"data_offsets\" : [ 0 , 8 ] , \"dtype\" : \"F32\" } "
          "}' z8",
          1 },
        { "unordered, odd offsets",
          "h'{\"b\":" T("F32", "[2]", "[1,9]") ",\"a\":" T("U8", "[1]", "[0,1]") "}' z9", 2 },
        { "scalar", "h'{\"a\":" T("F32", "[]", "[0,4]") "}' z4", 1 },
        { "empty tensor", "h'{\"a\":" A ",\"b\":" T("F32", "[0,5]", "[8,8]") "}' z8", 2 },
        { "empty tensor in between",
          "h'{\"a\":" A ",\"b\":" T("I8", "[0]", "[8,8]") ",\"c\":" T("I8", "[1]", "[8,9]") "}' z9",
          3 },
        { "metadata last", "h'{\"a\":" A ",\"__metadata__\":{\"format\":\"pt\"}}' z8", 1 },
        { "escapes in a name", "h'{\"\\u3042\\ud83d\\ude00\\/\":" A "}' z8", 1 },
        { "packed half bytes", "h'{\"a\":" T("F4", "[4]", "[0,2]") "}' z2", 1 },
    };
    (void)state;
    hostile_write(dir, "config.json", "'{\"model_type\":\"llama\"}'");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Error err = ERROR_INIT;
        ModelFile *file;
        hostile_write(dir, "model.safetensors", rows[i].recipe);
        file = modelfile_open(dir, true, &err);
        if (!file)
            print_message("# %s: %s\n", rows[i].name, err.text);
        assert_non_null(file);
        assert_int_equal(modelfile_n_tensors(file), rows[i].n);
        modelfile_close(file);
    }
    hostile_write(dir, "model.safetensors", "h'{\"\\u3042\\ud83d\\ude00\\/\":" A "}' z8");
    ModelFile *file = modelfile_open(dir, true, &(Error)ERROR_INIT);
    assert_non_null(modelfile_find(file, "あ😀/"));
    assert_null(modelfile_find(file, "あ"));
    modelfile_close(file);
}

/* Headers at the size limits: time and memory stay small. */
static void huge_headers_are_cheap(void **state)
{
    Buf recipe = BUF_INIT, header = BUF_INIT;
    Error err = ERROR_INIT;
    int64_t start;

    (void)state;
    hostile_write(dir, "config.json", "'{\"model_type\":\"llama\"}'");
    hostile_write(dir, "model.safetensors", "50000000:8 '{\"' r49999998'a'");
    expect_refusal("a name of 50 MB", dir, ERR_FORMAT, "does not end");
    hostile_write(dir, "model.safetensors", "2000000:8 r2000000'{'");
    expect_refusal("two million braces", dir, ERR_FORMAT, "string");
    hostile_write(dir, "config.json", "'{\"a\":' r1000000'['");
    expect_refusal("deep config.json", dir, ERR_FORMAT, "config.json");
    hostile_write(dir, "config.json", "'{\"a\":[' r340000'[],' '[]]}'");
    expect_refusal("wide config.json", dir, ERR_FORMAT, "string");
    hostile_write(dir, "config.json", "r3000000' '");
    expect_refusal("config.json of 3 MB", dir, ERR_FORMAT, "config.json");
    hostile_write(dir, "config.json", "'{\"model_type\":\"llama\"}'");
    /* 200,000 tensors, sorted the wrong way. */
    buf_putc(&header, '{');
    for (int i = 200000; i > 0; i--)
        buf_printf(&header, "%s\"t%d\":" T("U8", "[0]", "[0,0]"), i < 200000 ? "," : "", i);
    buf_putc(&header, '}');
    buf_printf(&recipe, "h'%s'", buf_cstr(&header));
    hostile_write(dir, "model.safetensors", buf_cstr(&recipe));
    start = clock_mono_us();
    modelfile_close(modelfile_open(dir, true, &err));
    assert_int_equal(err.kind, ERR_NONE);
    assert_true((clock_mono_us() - start) / 1000 < LIMIT_MS);
    buf_release(&recipe);
    buf_release(&header);
    check_memory();
}

/* ---- directories ---- */

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
        expect_refusal(bad_directories[i].name, dir, bad_directories[i].kind,
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
        expect_refusal(bad_indexes[i].name, dir, bad_indexes[i].kind, bad_indexes[i].words);
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
    expect_refusal("empty", dir, ERR_NOT_FOUND, "no config.json");
    hostile_write(dir, "config.json", "'{\"model_type\":\"llama\"}'");
    expect_refusal("config alone", dir, ERR_NOT_FOUND, "no weight file");
    hostile_write(dir, "pytorch_model.bin", "'PK'");
    expect_refusal("pickle", dir, ERR_UNSUPPORTED, "PyTorch pickle");
    hostile_write(dir, "model-00001-of-00002.safetensors", "h'{\"a\":" A "}' z8");
    expect_refusal("shards without an index", dir, ERR_NOT_FOUND, "index");
    expect_refusal("nothing", in_dir("gone"), ERR_NOT_FOUND, "gone");
    expect_refusal("a text file", in_dir("config.json"), ERR_UNSUPPORTED, "not a model");
    assert_int_equal(mkfifo(in_dir("pipe.gguf"), 0600), 0);
    expect_refusal("a pipe", in_dir("pipe.gguf"), ERR_FORMAT, "not a regular file");
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

/* ---- GGUF ---- */

#define HEAD(tensors, pairs) "'GGUF' 3:4 " tensors ":8 " pairs ":8 "
#define KEY(name, type) "s'" name "' " type ":4 "
#define TENSOR(name, dims, type, offset) "s'" name "' " dims " " type ":4 " offset ":8 "

static const BadFile bad_ggufs[] = {
    { "magic alone", "'GGUF'", ERR_FORMAT, "truncated" },
    { "another magic", "'GGML' 3:4 z100", ERR_FORMAT, "not a GGUF file" },
    { "version 0", "'GGUF' 0:4 z16", ERR_UNSUPPORTED, "version 0" },
    { "version 4", "'GGUF' 4:4 z16", ERR_UNSUPPORTED, "version 4" },
    { "big endian", "'GGUF' 50331648:4 z16", ERR_UNSUPPORTED, "big-endian" },
    { "header cut off", "'GGUF' 3:4 1:8", ERR_FORMAT, "truncated" },
    { "2^63 pairs", HEAD("0", "9223372036854775808"), ERR_FORMAT, "more metadata" },
    { "2^64 - 1 pairs", HEAD("0", "18446744073709551615"), ERR_FORMAT, "more metadata" },
    { "two pairs of one", HEAD("0", "2") KEY("a", "4") "1:4", ERR_FORMAT, "" },
    { "2^63 tensors", HEAD("9223372036854775808", "0"), ERR_FORMAT, "more tensors" },
    { "2^64 - 1 tensors", HEAD("18446744073709551615", "0"), ERR_FORMAT, "more tensors" },
    { "key of 2^63 bytes", HEAD("0", "1") "9223372036854775808:8 z8", ERR_FORMAT, "too long" },
    { "key past the end", HEAD("0", "1") "100:8 z8", ERR_FORMAT, "past the end" },
    { "key of 70,000 bytes", HEAD("0", "1") "70000:8 r70000'k' 4:4 1:4", ERR_FORMAT, "too long" },
    { "empty key", HEAD("0", "1") "s'' 4:4 1:4", ERR_FORMAT, "empty or not text" },
    { "NUL in a key", HEAD("0", "1") "2:8 'a' 0:1 4:4 1:4", ERR_FORMAT, "empty or not text" },
    { "key that is not UTF-8", HEAD("0", "1") "1:8 255:1 4:4 1:4", ERR_FORMAT,
      "empty or not text" },
    { "key twice", HEAD("0", "2") KEY("a", "4") "1:4 " KEY("a", "4") "1:4", ERR_FORMAT,
      "a is there twice" },
    { "type 13", HEAD("0", "1") KEY("a", "13") "z8", ERR_FORMAT, "unknown type 13" },
    { "type 2^32 - 1", HEAD("0", "1") KEY("a", "4294967295") "z8", ERR_FORMAT, "unknown type" },
    { "value cut off", HEAD("0", "1") KEY("a", "10") "z4", ERR_FORMAT, "truncated" },
    { "truth of 2", HEAD("0", "1") KEY("a", "7") "2:1 z8", ERR_FORMAT, "neither 0 nor 1" },
    { "truth of 2 in an array", HEAD("0", "1") KEY("a", "9") "7:4 2:8 1:1 2:1", ERR_FORMAT,
      "neither 0 nor 1" },
    { "u64 of 2^63", HEAD("0", "1") KEY("a", "10") "9223372036854775808:8", ERR_FORMAT,
      "too large" },
    { "string of 2^63 bytes", HEAD("0", "1") KEY("a", "8") "9223372036854775808:8", ERR_FORMAT,
      "too long" },
    { "string past the end", HEAD("0", "1") KEY("a", "8") "9:8 z8", ERR_FORMAT, "past the end" },
    { "array of 2^63", HEAD("0", "1") KEY("a", "9") "4:4 9223372036854775808:8", ERR_FORMAT,
      "array" },
    { "array of 2^62 u32: bytes overflow", HEAD("0", "1") KEY("a", "9") "4:4 4611686018427387904:8",
      ERR_FORMAT, "array" },
    { "array past the end", HEAD("0", "1") KEY("a", "9") "4:4 3:8 z8", ERR_FORMAT, "array" },
    { "array of 2^29 empty strings", HEAD("0", "1") KEY("a", "9") "8:4 536870912:8 z64", ERR_FORMAT,
      "array" },
    { "string in an array past the end", HEAD("0", "1") KEY("a", "9") "8:4 1:8 9:8 z4", ERR_FORMAT,
      "past the end" },
    { "array of arrays", HEAD("0", "1") KEY("a", "9") "9:4 1:8 4:4 1:8 1:4", ERR_FORMAT,
      "array of arrays" },
    { "array of type 13", HEAD("0", "1") KEY("a", "9") "13:4 1:8 1:4", ERR_FORMAT, "unknown type" },
    { "alignment 0", HEAD("0", "1") KEY("general.alignment", "4") "0:4", ERR_FORMAT,
      "general.alignment" },
    { "alignment 24", HEAD("0", "1") KEY("general.alignment", "4") "24:4", ERR_FORMAT,
      "general.alignment" },
    { "alignment 2^31", HEAD("0", "1") KEY("general.alignment", "4") "2147483648:4", ERR_FORMAT,
      "general.alignment" },
    { "alignment as text", HEAD("0", "1") KEY("general.alignment", "8") "s'32'", ERR_FORMAT,
      "general.alignment" },
    { "one of three parts", HEAD("0", "1") KEY("split.count", "2") "3:2", ERR_UNSUPPORTED,
      "one of 3 parts" },
    { "tokens as numbers", HEAD("0", "1") KEY("tokenizer.ggml.tokens", "9") "4:4 1:8 1:4",
      ERR_FORMAT, "right type" },
    { "scores as bytes",
      HEAD("0", "2") KEY("tokenizer.ggml.tokens", "9") "8:4 1:8 s'a' " KEY("tokenizer.ggml.scores",
                                                                           "9") "0:4 1:8 1:1",
      ERR_FORMAT, "right type" },
    { "scores as doubles", HEAD("0", "1") KEY("tokenizer.ggml.scores", "9") "12:4 1:8 z8",
      ERR_FORMAT, "right type" },
    { "too few scores",
      HEAD("0", "2") KEY("tokenizer.ggml.tokens",
                         "9") "8:4 2:8 s'a' s'b' " KEY("tokenizer.ggml.scores", "9") "6:4 1:8 z4",
      ERR_FORMAT, "1 entries for 2 tokens" },
    { "types as floats", HEAD("0", "1") KEY("tokenizer.ggml.token_type", "9") "6:4 1:8 z4",
      ERR_FORMAT, "right type" },
    { "too many types",
      HEAD("0", "2") KEY("tokenizer.ggml.tokens",
                         "9") "8:4 1:8 s'a' " KEY("tokenizer.ggml.token_type", "9") "5:4 2:8 z8",
      ERR_FORMAT, "2 entries for 1 tokens" },
    { "merges as numbers", HEAD("0", "1") KEY("tokenizer.ggml.merges", "9") "4:4 1:8 1:4",
      ERR_FORMAT, "right type" },
    { "tokens that are no array", HEAD("0", "1") KEY("tokenizer.ggml.tokens", "8") "s'a'",
      ERR_FORMAT, "right type" },
    { "tensor name of 64 bytes", HEAD("1", "0") "64:8 r64'n' 1:4 1:8 0:4 0:8 p z32", ERR_FORMAT,
      "too long" },
    { "empty tensor name", HEAD("1", "0") TENSOR("", "1:4 1:8", "0", "0") "z8 p z32", ERR_FORMAT,
      "empty or not text" },
    { "NUL in a tensor name", HEAD("1", "0") "2:8 'a' 0:1 1:4 1:8 0:4 0:8 p z32", ERR_FORMAT,
      "empty or not text" },
    { "tensor twice",
      HEAD("2", "0") TENSOR("a", "1:4 1:8", "0", "0") TENSOR("a", "1:4 1:8", "0", "32") "p z64",
      ERR_FORMAT, "a is there twice" },
    { "five dimensions", HEAD("1", "0") TENSOR("a", "5:4 1:8 1:8 1:8 1:8 1:8", "0", "0") "p z32",
      ERR_FORMAT, "more than 4" },
    { "2^32 - 1 dimensions", HEAD("1", "0") TENSOR("a", "4294967295:4 1:8", "0", "0") "p z32",
      ERR_FORMAT, "more than 4" },
    { "a dimension of 0", HEAD("1", "0") TENSOR("a", "2:4 0:8 1:8", "0", "0") "p z32", ERR_FORMAT,
      "impossible" },
    { "a dimension of 2^63",
      HEAD("1", "0") TENSOR("a", "1:4 9223372036854775808:8", "0", "0") "p z32", ERR_FORMAT,
      "impossible" },
    { "product overflows",
      HEAD("1", "0") TENSOR("a", "2:4 4294967296:8 4294967296:8", "0", "0") "p z32", ERR_FORMAT,
      "impossible" },
    { "bytes overflow",
      HEAD("1", "0") TENSOR("a", "2:4 4294967296:8 1073741824:8", "0", "0") "p z32", ERR_FORMAT,
      "impossible" },
    { "type hole 4", HEAD("1", "0") TENSOR("a", "1:4 32:8", "4", "0") "p z32", ERR_UNSUPPORTED,
      "unknown type 4" },
    { "type hole 31", HEAD("1", "0") TENSOR("a", "1:4 32:8", "31", "0") "p z32", ERR_UNSUPPORTED,
      "unknown type 31" },
    { "type 2^32 - 1", HEAD("1", "0") TENSOR("a", "1:4 32:8", "4294967295", "0") "p z32",
      ERR_UNSUPPORTED, "unknown type" },
    { "rows that are no whole blocks", HEAD("1", "0") TENSOR("a", "2:4 48:8 2:8", "2", "0") "p z64",
      ERR_FORMAT, "whole blocks" },
    { "offset off the alignment", HEAD("1", "0") TENSOR("a", "1:4 1:8", "0", "4") "p z32",
      ERR_FORMAT, "alignment" },
    { "offset 2^64 - 32",
      HEAD("1", "0") TENSOR("a", "1:4 1:8", "0", "18446744073709551584") "p z32", ERR_FORMAT,
      "truncated" },
    { "offset at the end", HEAD("1", "0") TENSOR("a", "1:4 1:8", "0", "32") "p z32", ERR_FORMAT,
      "truncated" },
    { "data cut off", HEAD("1", "0") TENSOR("a", "1:4 8:8", "0", "0") "p z31", ERR_FORMAT,
      "truncated" },
    { "no data at all", HEAD("1", "0") TENSOR("a", "1:4 8:8", "0", "0"), ERR_FORMAT, "truncated" },
    { "overlap",
      HEAD("2", "0") TENSOR("a", "1:4 16:8", "0", "0") TENSOR("b", "1:4 8:8", "0", "32") "p z64",
      ERR_FORMAT, "overlaps" },
    { "the same bytes twice",
      HEAD("2", "0") TENSOR("a", "1:4 8:8", "0", "0") TENSOR("b", "1:4 8:8", "0", "0") "p z32",
      ERR_FORMAT, "overlaps" },
    { "a vocabulary alone", HEAD("0", "1") KEY("a", "4") "1:4", ERR_FORMAT, "no tensors" },
};

static void broken_gguf_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_ggufs / sizeof *bad_ggufs; i++) {
        hostile_write(dir, "bad.gguf", bad_ggufs[i].recipe);
        expect_refusal(bad_ggufs[i].name, in_dir("bad.gguf"), bad_ggufs[i].kind,
                       bad_ggufs[i].words);
    }
    check_memory();
}

static void gguf_metadata_of_every_type_reads_back(void **state)
{
    static const struct {
        const char *key;
        MetaType type;
        int64_t integer;
        double real;
    } rows[] = {
        { "u8", META_INT, 200, 0 },
        { "i8", META_INT, -3, 0 },
        { "u16", META_INT, 60000, 0 },
        { "i16", META_INT, -300, 0 },
        { "u32", META_INT, 4000000000, 0 },
        { "i32", META_INT, -5, 0 },
        { "f32", META_FLOAT, 0, 0.5 },
        { "u64", META_INT, 1099511627776, 0 },
        { "i64", META_INT, -1099511627776, 0 },
        { "f64", META_FLOAT, 0, -2.25 },
    };
    Buf recipe = BUF_INIT;
    Error err = ERROR_INIT;
    Meta meta, element;
    (void)state;
    buf_puts(
        &recipe,
        HEAD("1", "14")
            KEY("u8", "0") "200:1 " KEY("i8", "1") "-3:1 " KEY("u16", "2") "60000:2 " KEY("i16", "3") "-300:2 " KEY("u32", "4") "4000000000:4 " KEY(
                "i32",
                "5") "-5:4 " KEY("f32",
                                 "6") "1056964608:4 " KEY("yes",
                                                          "7") "1:1 " KEY("text",
                                                                          "8") "s'日本' " KEY("u64",
                                                                                              "10") "1099511627776:"
                                                                                                    "8 " KEY("i64", "11") "-1099511627776:8 " KEY(
                                                                                                        "f64",
                                                                                                        "12") "13835621005235585024:8 ");
    buf_puts(&recipe, KEY("numbers", "9") "3:4 3:8 1:2 -2:2 3:2 " KEY("strings", "9") "8:4 40:8 ");
    for (int i = 0; i < 40; i++)
        buf_printf(&recipe, "s'%.*s%d' ", i % 5, "-----", i);
    buf_puts(&recipe, TENSOR("a", "2:4 3:8 2:8", "1", "0") "p z12");
    hostile_write(dir, "good.gguf", buf_cstr(&recipe));
    ModelFile *file = modelfile_open(in_dir("good.gguf"), true, &err);
    if (!file)
        print_message("# %s\n", err.text);
    assert_non_null(file);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(modelfile_meta(file, rows[i].key, &meta));
        assert_int_equal(meta.type, rows[i].type);
        if (meta.type == META_INT)
            assert_true(meta.integer == rows[i].integer);
        else
            assert_true(meta.real == rows[i].real);
    }
    assert_true(modelfile_meta(file, "yes", &meta) && meta.type == META_BOOL && meta.boolean);
    assert_true(modelfile_meta(file, "text", &meta) && str_eq_c(meta.string, "日本"));
    assert_true(modelfile_meta(file, "numbers", &meta) && meta.count == 3 &&
                meta.element == META_INT);
    modelfile_meta_at(&meta, 1, &element);
    assert_true(element.integer == -2);
    assert_true(modelfile_meta(file, "strings", &meta) && meta.count == 40);
    for (int i = 39; i >= 0; i--) {
        char wanted[20];
        snprintf(wanted, sizeof wanted, "%.*s%d", i % 5, "-----", i);
        modelfile_meta_at(&meta, (uint64_t)i, &element);
        assert_true(str_eq_c(element.string, wanted));
    }
    assert_false(modelfile_meta(file, "absent", &meta));
    const FileTensor *tensor = modelfile_find(file, "a");
    assert_true(tensor && tensor->n_dims == 2 && tensor->dims[0] == 2 && tensor->dims[1] == 3 &&
                tensor->bytes == 12);
    modelfile_close(file);
    buf_release(&recipe);
}

static void gguf_versions_one_to_three_open(void **state)
{
    static const char *const recipes[] = {
        "'GGUF' 1:4 1:4 1:4 s4'k' 8:4 s4'v' s4'a' 2:4 32:4 2:4 2:4 0:8 p z36",
        "'GGUF' 2:4 1:8 1:8 s'k' 8:4 s'v' s'a' 2:4 32:8 2:8 2:4 0:8 p z36",
        "'GGUF' 3:4 1:8 1:8 s'k' 8:4 s'v' s'a' 2:4 32:8 2:8 2:4 0:8 p z36",
    };
    (void)state;
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        Meta meta;
        hostile_write(dir, "v.gguf", recipes[i]);
        ModelFile *file = modelfile_open(in_dir("v.gguf"), true, &(Error)ERROR_INIT);
        assert_non_null(file);
        assert_true(modelfile_meta(file, "k", &meta) && str_eq_c(meta.string, "v"));
        assert_int_equal(modelfile_find(file, "a")->kernel_dtype, DTYPE_Q4_0);
        assert_int_equal(modelfile_find(file, "a")->dims[0], 2);
        modelfile_close(file);
    }
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
    expect_refusal("two", dir, ERR_UNSUPPORTED, "2 GGUF files");
}

/* ---- any damage ---- */

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
        cmocka_unit_test_setup_teardown(broken_safetensors_files_are_refused, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(odd_but_legal_safetensors_files_open, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(huge_headers_are_cheap, make_dir, drop_dir),
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
        cmocka_unit_test_setup_teardown(broken_gguf_files_are_refused, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(gguf_metadata_of_every_type_reads_back, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(gguf_versions_one_to_three_open, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(a_folder_with_one_gguf_is_that_file, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(damaged_files_never_crash, make_dir, drop_dir),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
