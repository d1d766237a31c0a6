/* The GGUF container: every rule of the format as a row (formats.md 4.2), and what good files say.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/hostile.h"
#include "tests/model_files.h"

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
        expect_unopened(bad_ggufs[i].name, in_dir("bad.gguf"), bad_ggufs[i].kind,
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(broken_gguf_files_are_refused, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(gguf_metadata_of_every_type_reads_back, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(gguf_versions_one_to_three_open, make_dir, drop_dir),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
