/* The safetensors container: every rule of the format as a row (formats.md 2.7). */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/hostile.h"
#include "tests/model_files.h"

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
        expect_unopened(row->name, dir, row->kind, row->words);
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
    double start;

    (void)state;
    hostile_write(dir, "config.json", "'{\"model_type\":\"llama\"}'");
    hostile_write(dir, "model.safetensors", "50000000:8 '{\"' r49999998'a'");
    expect_unopened("a name of 50 MB", dir, ERR_FORMAT, "does not end");
    hostile_write(dir, "model.safetensors", "2000000:8 r2000000'{'");
    expect_unopened("two million braces", dir, ERR_FORMAT, "string");
    hostile_write(dir, "config.json", "'{\"a\":' r1000000'['");
    expect_unopened("deep config.json", dir, ERR_FORMAT, "config.json");
    hostile_write(dir, "config.json", "'{\"a\":[' r340000'[],' '[]]}'");
    expect_unopened("wide config.json", dir, ERR_FORMAT, "string");
    hostile_write(dir, "config.json", "r3000000' '");
    expect_unopened("config.json of 3 MB", dir, ERR_FORMAT, "config.json");
    hostile_write(dir, "config.json", "'{\"model_type\":\"llama\"}'");
    /* 200,000 tensors, sorted the wrong way. */
    buf_putc(&header, '{');
    for (int i = 200000; i > 0; i--)
        buf_printf(&header, "%s\"t%d\":" T("U8", "[0]", "[0,0]"), i < 200000 ? "," : "", i);
    buf_putc(&header, '}');
    buf_printf(&recipe, "h'%s'", buf_cstr(&header));
    hostile_write(dir, "model.safetensors", buf_cstr(&recipe));
    start = processor_ms();
    modelfile_close(modelfile_open(dir, true, &err));
    assert_int_equal(err.kind, ERR_NONE);
    assert_true(processor_ms() - start < LIMIT_MS);
    buf_release(&recipe);
    buf_release(&header);
    check_memory();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(broken_safetensors_files_are_refused, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(odd_but_legal_safetensors_files_open, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(huge_headers_are_cheap, make_dir, drop_dir),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
