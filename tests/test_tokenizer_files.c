/* Tokenizers from SentencePiece's tokenizer.model and from GGUF metadata, written here byte by
 * byte. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tensor_writer.h"
#include "tests/tokenizer_rig.h"

#define SPACE "\xE2\x96\x81"

typedef struct {
    const char *piece;
    float score;
    int type; /* 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte */
} Row;

/* "ab" and "bc" compete in "abc"; "xy" is unused and only leads to "xyz". */
static const Row rows[] = {
    { "<unk>", 0, 2 },    { "<s>", 0, 3 },    { "</s>", 0, 3 }, { "<0x0A>", 0, 6 },
    { "<0xE3>", 0, 6 },   { "<0x81>", 0, 6 }, { SPACE, -9, 1 }, { "a", -9, 1 },
    { "b", -9, 1 },       { "c", -9, 1 },     { "bc", -1, 1 },  { "ab", -2, 1 },
    { SPACE "a", -3, 1 }, { "x", -9, 1 },     { "y", -9, 1 },   { "z", -9, 1 },
    { "xy", -1, 5 },      { "xyz", -4, 1 },   { "USER", 0, 4 }, { SPACE SPACE, -5, 1 },
    { "<0x82>", 0, 6 },
};

/* ---- SentencePiece ---- */

static void put_varint(Buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buf_putc(out, (char)(value | 0x80));
    buf_putc(out, (char)value);
}

static void put_number(Buf *out, int field, uint64_t value)
{
    put_varint(out, (uint64_t)field << 3);
    put_varint(out, value);
}

static void put_bytes(Buf *out, int field, Str bytes)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, bytes.len);
    buf_append_str(out, bytes);
}

typedef struct {
    int model_type; /* 1 unigram, 2 BPE */
    bool no_prefix, squeeze;
    const char *charsmap; /* NULL: none */
} ModelSpec;

static void put_model(Buf *out, const ModelSpec *spec)
{
    Buf part = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&part);
        put_bytes(&part, 1, str_from(rows[i].piece));
        put_varint(&part, 2 << 3 | 5);
        put_f32(&part, rows[i].score);
        put_number(&part, 3, (uint64_t)rows[i].type);
        put_bytes(out, 1, buf_str(&part));
    }
    buf_reset(&part);
    put_number(&part, 3, (uint64_t)spec->model_type);
    put_number(&part, 35, 1);
    put_bytes(out, 2, buf_str(&part));
    buf_reset(&part);
    put_bytes(&part, 1, STR("identity"));
    if (spec->charsmap)
        put_bytes(&part, 2, str_from(spec->charsmap));
    put_number(&part, 3, !spec->no_prefix);
    put_number(&part, 4, spec->squeeze);
    put_bytes(out, 3, buf_str(&part));
    buf_release(&part);
}

static Tokenizer *open_model(const ModelSpec *spec, const char *config, Error *err)
{
    Buf bytes = BUF_INIT;
    char *folder = folder_new();
    put_model(&bytes, spec);
    folder_write(folder, "tokenizer.model", bytes.data, bytes.len);
    if (config)
        folder_write_text(folder, "tokenizer_config.json", config);
    Tokenizer *t = tokenizer_at(folder, err);
    folder_remove(folder);
    buf_release(&bytes);
    return t;
}

static void check_ids(const Tokenizer *t, const char *text, bool special, const char *wanted)
{
    const char *got = ids_of(t, text, special);
    if (strcmp(got, wanted) != 0)
        fail_msg("\"%s\": got %s, wanted %s", text, got, wanted);
}

static void sentencepiece_merges_the_highest_score_first(void **state)
{
    (void)state;
    Error err = ERROR_INIT;
    Tokenizer *t = open_model(&(ModelSpec){ .model_type = 2 }, NULL, &err);
    if (!t)
        fail_msg("%s", err.text);
    check_ids(t, "abc", false, "12 10");
    check_ids(t, " ab", false, "19 11");
    check_ids(t, "\xE3\x81\x82\n", false, "6 4 5 20 3");
    check_ids(t, "xyz", false, "6 17");
    check_ids(t, "xy", false, "6 13 14"); /* unused pieces come apart again */
    check_ids(t, "aUSERa", false,
              "12 18 7"); /* user-defined pieces are whole and get no prefix after them */
    check_ids(t, "a\xC3\xA9\xC3\xA9", false, "12 0"); /* é has no bytes here; unknown ones fuse */
    check_ids(t, "a<s>a", true, "12 1 12");
    assert_int_equal(tokenizer_bos(t), 1);
    assert_true(tokenizer_adds_bos(t));
    tokenizer_close(t);
}

static void sentencepiece_follows_its_normalizer_and_configuration(void **state)
{
    (void)state;
    static const struct {
        ModelSpec spec;
        const char *config, *text, *wanted;
    } cases[] = {
        { { .model_type = 2, .no_prefix = true }, NULL, "a<s>a", "7 1 7" },
        { { .model_type = 2, .squeeze = true }, NULL, "  a  b  ", "12 6 8" },
        { { .model_type = 2 }, "{\"legacy\":false}", "a<s>a", "12 1 7" },
        { { .model_type = 2 }, "{\"legacy\":false}", "<s>a", "1 7" },
        { { .model_type = 2 }, "{\"add_prefix_space\":false}", "a", "7" },
        { { .model_type = 2 },
          "{\"added_tokens_decoder\":{\"21\":{\"content\":\"[P]\",\"special\":true}}}",
          "a[P]",
          "12 21" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Error err = ERROR_INIT;
        Tokenizer *t = open_model(&cases[i].spec, cases[i].config, &err);
        if (!t)
            fail_msg("%s", err.text);
        check_ids(t, cases[i].text, true, cases[i].wanted);
        tokenizer_close(t);
    }
}

static void other_sentencepiece_models_are_refused_by_name(void **state)
{
    (void)state;
    Error err = ERROR_INIT;
    assert_null(open_model(&(ModelSpec){ .model_type = 1 }, NULL, &err));
    assert_non_null(strstr(err.text, "unigram"));
    assert_null(open_model(&(ModelSpec){ .model_type = 2, .charsmap = "map" }, NULL, &err));
    assert_non_null(strstr(err.text, "normalization"));
}

static void a_tiktoken_file_is_known_for_what_it_is(void **state)
{
    (void)state;
    Error err = ERROR_INIT;
    char *folder = folder_new();
    folder_write_text(folder, "tokenizer.model", "IQ== 0\nIg== 1\n");
    assert_null(tokenizer_at(folder, &err));
    assert_int_equal(err.kind, ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "tiktoken"));
    folder_remove(folder);
}

static void every_truncation_of_a_model_is_an_error_or_a_shorter_model(void **state)
{
    (void)state;
    Buf bytes = BUF_INIT;
    char *folder = folder_new();
    put_model(&bytes, &(ModelSpec){ .model_type = 2 });
    for (size_t n = 0; n < bytes.len; n++) {
        Error err = ERROR_INIT;
        folder_write(folder, "tokenizer.model", bytes.data, n);
        Tokenizer *t = tokenizer_at(folder, &err);
        assert_true(t || (err.kind != ERR_NONE && !strchr(err.text, '\n')));
        tokenizer_close(t);
    }
    folder_remove(folder);
    buf_release(&bytes);
}

/* ---- GGUF ---- */

typedef struct {
    const char *model, *pre;   /* pre: NULL for none */
    bool equal_scores, merges; /* merges: prefer "ab" to "bc" */
    bool no_prefix;
    int short_by;    /* so many scores too few */
    uint32_t scores; /* their GGUF type, 0 for F32 */
    uint32_t bos;    /* 0: not given */
} MetaSpec;

static void put_gguf_lists(TensorWriter *writer, const MetaSpec *spec)
{
    static const char *const merges[] = { "a b", SPACE " a", "b c" };
    size_t n = ARRAY_LEN(rows);
    meta_array(writer, "tokenizer.ggml.tokens", 8, n);
    for (size_t i = 0; i < n; i++)
        put_string(&writer->meta, str_from(rows[i].piece), 8);
    n -= (size_t)spec->short_by;
    meta_array(writer, "tokenizer.ggml.scores", spec->scores ? spec->scores : 6, n);
    for (size_t i = 0; i < n; i++)
        put_f32(&writer->meta, spec->equal_scores ? -1000 : rows[i].score);
    meta_array(writer, "tokenizer.ggml.token_type", 5, ARRAY_LEN(rows));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        put_int(&writer->meta, (uint64_t)rows[i].type, 4);
    if (!spec->merges)
        return;
    meta_array(writer, "tokenizer.ggml.merges", 8, ARRAY_LEN(merges));
    for (size_t i = 0; i < ARRAY_LEN(merges); i++)
        put_string(&writer->meta, str_from(merges[i]), 8);
}

static Tokenizer *open_gguf(const MetaSpec *spec, Error *err)
{
    char *folder = folder_new(), path[256];
    TensorWriter writer = { 0 };
    snprintf(path, sizeof(path), "%s/vocab.gguf", folder);
    meta_string(&writer, "tokenizer.ggml.model", spec->model);
    if (spec->pre)
        meta_string(&writer, "tokenizer.ggml.pre", spec->pre);
    if (spec->no_prefix)
        meta_bool(&writer, "tokenizer.ggml.add_space_prefix", false);
    if (spec->bos)
        meta_u32(&writer, "tokenizer.ggml.bos_token_id", spec->bos);
    meta_string(&writer, "tokenizer.chat_template", "{{ t }}");
    put_gguf_lists(&writer, spec);
    assert_true(writer_gguf(&writer, 3, path));
    Tokenizer *t = tokenizer_at(path, err);
    writer_release(&writer);
    folder_remove(folder);
    return t;
}

static void gguf_merges_by_scores_merges_or_ids(void **state)
{
    (void)state;
    static const struct {
        MetaSpec spec;
        const char *text, *wanted;
    } cases[] = {
        { { .model = "llama" }, "abc", "12 10" },
        { { .model = "llama", .merges = true }, "abc", "12 10" }, /* real scores win */
        { { .model = "llama", .equal_scores = true, .merges = true }, "babc", "6 8 11 9" },
        { { .model = "llama", .equal_scores = true }, "babc", "6 8 7 10" }, /* the lower id first */
        { { .model = "llama" }, "a<s>a", "12 1 12" },
        { { .model = "llama", .no_prefix = true }, "a<s>a", "7 1 7" },
        { { .model = "llama" },
          "aUSERa",
          "12 18 12" }, /* a prefix after every token found in the text */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Error err = ERROR_INIT;
        Tokenizer *t = open_gguf(&cases[i].spec, &err);
        if (!t)
            fail_msg("%s", err.text);
        check_ids(t, cases[i].text, true, cases[i].wanted);
        assert_true(str_eq_c(tokenizer_chat_template(t), "{{ t }}"));
        tokenizer_close(t);
    }
}

static void gguf_lists_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const struct {
        MetaSpec spec;
        const char *wanted;
    } cases[] = {
        { { .model = "llama", .short_by = 1 }, "tokenizer.ggml.scores" },
        { { .model = "llama", .scores = 4 }, "tokenizer.ggml.scores" },
        { { .model = "llama", .bos = 4000 }, "4000" },
        { { .model = "bert" }, "bert" },
        { { .model = "gpt2" }, "merges" },
        { { .model = "gpt2", .merges = true, .pre = "no-such" }, "no-such" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Error err = ERROR_INIT;
        Tokenizer *t = open_gguf(&cases[i].spec, &err);
        assert_null(t);
        if (!strstr(err.text, cases[i].wanted) || strchr(err.text, '\n'))
            fail_msg("got \"%s\", wanted \"%s\"", err.text, cases[i].wanted);
    }
}

static void gguf_names_its_split(void **state)
{
    (void)state;
    static const struct {
        const char *pre, *kind;
        bool adds_bos;
    } cases[] = {
        { "gpt-2", "bpe-gpt2", false },
        { "smollm", "bpe-smollm", false },
        { "starcoder", "bpe-smollm", false },
        { "llama-bpe", "bpe-llama3", true },
        { "llama3", "bpe-llama3", true },
        { "llama-v3", "bpe-llama3", true },
        { "qwen2", "bpe-qwen2", false },
        { "default", "bpe-gpt2", false },
        { NULL, "bpe-gpt2", false },
        { "falcon", "bpe-falcon", false },
        { "deepseek-llm", "bpe-deepseek", false },
        { "tekken", "bpe-tekken", false },
        { "gpt-4o", "bpe-gpt4o", false },
        { "deepseek-v3", "bpe-deepseek", false },
        { "bloom", "bpe-bloom", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Error err = ERROR_INIT;
        Tokenizer *t = open_gguf(
            &(MetaSpec){ .model = "gpt2", .merges = true, .pre = cases[i].pre, .bos = 1 }, &err);
        if (!t)
            fail_msg("%s", err.text);
        assert_string_equal(tokenizer_kind(t), cases[i].kind);
        assert_int_equal(tokenizer_adds_bos(t), cases[i].adds_bos);
        check_ids(t, "ab", false, "11");
        tokenizer_close(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentencepiece_merges_the_highest_score_first),
        cmocka_unit_test(sentencepiece_follows_its_normalizer_and_configuration),
        cmocka_unit_test(other_sentencepiece_models_are_refused_by_name),
        cmocka_unit_test(a_tiktoken_file_is_known_for_what_it_is),
        cmocka_unit_test(every_truncation_of_a_model_is_an_error_or_a_shorter_model),
        cmocka_unit_test(gguf_merges_by_scores_merges_or_ids),
        cmocka_unit_test(gguf_lists_that_do_not_fit_are_refused),
        cmocka_unit_test(gguf_names_its_split),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
