/* Tokenizers by their behaviour, on vocabularies of a few dozen pieces written here. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "src/base/mem.h"
#include "tests/tokenizer_rig.h"

/* ---- small tokenizer.json files ---- */

#define ADDED(id, content, flags) "{\"id\":" #id ",\"content\":\"" content "\"" flags "}"
#define SPECIAL ",\"special\":true"
#define CONTROLS                                                                                   \
    ADDED(0, "<unk>", SPECIAL) "," ADDED(1, "<s>", SPECIAL) "," ADDED(2, "</s>", SPECIAL)
#define BYTES                                                                                      \
    "\"<0xE3>\":3,\"<0x81>\":4,\"<0x82>\":5,\"<0xFF>\":6,\"<0x0A>\":7,\"<0xF0>\":8,\"<0x9F>\":9,"  \
    "\"<0x99>\":10,"
#define PIECES                                                                                     \
    "\"<unk>\":0,\"<s>\":1,\"</s>\":2," BYTES                                                      \
    "\"\xE2\x96\x81\":11,\"a\":12,\"b\":13,\"c\":14,\"ab\":15,"                                    \
    "\"\xE2\x96\x81"                                                                               \
    "a\":16,\"\xE2\x96\x81\xE2\x96\x81\":17,\"\xE2\x96\x81"                                        \
    "ab\":18,\"bc\":19,\"<\":20,\"s\":21,\">\":22"
#define MERGES                                                                                     \
    "\"a b\",\"\xE2\x96\x81 a\",\"\xE2\x96\x81 ab\",\"\xE2\x96\x81 \xE2\x96\x81\",\"b c\""
#define MODEL(pieces, merges)                                                                      \
    "\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"fuse_unk\":true,\"byte_fallback\":"     \
    "true,"                                                                                        \
    "\"vocab\":{" pieces "},\"merges\":[" merges "]}"
#define LEGACY                                                                                     \
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":"    \
    "\"\xE2\x96\x81\"},"                                                                           \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xE2\x96\x81\"}]},"
#define SPM_DECODER                                                                                \
    "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{"         \
    "\"String\":\"\xE2\x96\x81\"},"                                                                \
    "\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"                          \
    "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},"
#define JSON(added, pipeline, model) "{\"added_tokens\":[" added "]," pipeline model "}"
#define LLAMA JSON(CONTROLS, LEGACY SPM_DECODER, MODEL(PIECES, MERGES))
#define METASPACE(scheme, split)                                                                   \
    JSON(CONTROLS,                                                                                 \
         "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\",\"prepend_"   \
         "scheme\":\"" scheme "\",\"split\":" split "}," SPM_DECODER,                              \
         MODEL(PIECES, MERGES))

static void is_ids(const Tokenizer *t, const char *text, bool special, const char *wanted)
{
    const char *got = ids_of(t, text, special);
    if (strcmp(got, wanted) != 0)
        fail_msg("\"%s\": got %s, wanted %s", text, got, wanted);
}

static void the_legacy_pipeline_puts_a_prefix_before_every_stretch(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(LLAMA, NULL);
    is_ids(t, "", false, "");
    is_ids(t, "ab", false, "18");
    is_ids(t, " ab", false, "11 18");
    is_ids(t, "  a", false, "17 16");
    is_ids(t, "a<s>a", true, "16 1 16");
    is_ids(t, "<s></s>", true, "1 2");
    assert_string_equal(tokenizer_kind(t), "spm");
    assert_true(tokenizer_strips_first_space(t));
    tokenizer_close(t);
}

static void a_prefix_scheme_decides_where_metaspace_prepends(void **state)
{
    (void)state;
    static const struct {
        const char *json, *start, *after;
    } cases[] = {
        { METASPACE("first", "false"), "18", "18 1 15" },
        { METASPACE("always", "false"), "18", "18 1 18" },
        { METASPACE("never", "false"), "15", "15 1 15" },
        { METASPACE("first", "true"), "18", "18 1 15" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Tokenizer *t = tokenizer_of_json(cases[i].json, NULL);
        is_ids(t, "ab", true, cases[i].start);
        is_ids(t, "ab<s>ab", true, cases[i].after);
        is_ids(t, " ab", true, "18");
        tokenizer_close(t);
    }
}

static void control_tokens_in_somebodys_text_are_text(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(LLAMA, NULL);
    is_ids(t, "<s>", false, "11 20 21 22");
    is_ids(t, "<s>", true, "1");
    /* Texts alternate: somebody's, ours, somebody's, … */
    assert_string_equal(ids_of_spans(t, (const char *const[]){ "<s>", "<s>", "<s>", NULL }),
                        "11 20 21 22 1 11 20 21 22");
    assert_string_equal(ids_of_spans(t, (const char *const[]){ "<", "s>", NULL }), "11 20 21 22");
    assert_string_equal(ids_of_spans(t, (const char *const[]){ "", "<s", ">", NULL }),
                        "11 20 21 22");
    assert_string_equal(ids_of_spans(t, (const char *const[]){ "<", "<s>", NULL }), "11 20 1");
    tokenizer_close(t);
}

static void somebodys_text_cannot_swallow_a_control_token(void **state)
{
    (void)state;
    Tokenizer *t =
        tokenizer_of_json(JSON(CONTROLS "," ADDED(23, "a<s>", "") "," ADDED(24, "b<s>", SPECIAL),
                               LEGACY SPM_DECODER, MODEL(PIECES, MERGES)),
                          NULL);
    assert_string_equal(ids_of_spans(t, (const char *const[]){ "a", "<s>", NULL }), "16 1");
    assert_string_equal(ids_of_spans(t, (const char *const[]){ "b", "<s>", NULL }), "11 13 1");
    is_ids(t, "a<s>", false, "23");
    is_ids(t, "b<s>", true, "24");
    tokenizer_close(t);
}

static void spans_are_encoded_as_one_text(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(LLAMA, NULL);
    assert_string_equal(ids_of_spans(t, (const char *const[]){ "a", "b", NULL }), "18");
    assert_string_equal(ids_of_spans(t, (const char *const[]){ "", "a", "b c", NULL }), "18 11 14");
    assert_string_equal(ids_of_spans(t, (const char *const[]){ "", "", "", NULL }), "");
    tokenizer_close(t);
}

static void characters_without_a_token_become_bytes_or_one_unknown(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(LLAMA, NULL);
    is_ids(t, "\xE3\x81\x82", false, "11 3 4 5");
    is_ids(t, "\n", false, "11 7");
    is_ids(t,
           "a\xC3\xA9\xC3\xA9"
           "b",
           false, "16 0 13"); /* é: 0xC3 has no token; unknown ones fuse */
    tokenizer_close(t);
}

static void invalid_input_counts_as_replacement_characters(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(LLAMA, NULL);
    char valid[64];
    snprintf(valid, sizeof(valid), "%s",
             ids_of(t,
                    "a\xEF\xBF\xBD"
                    "b",
                    false));
    is_ids(t,
           "a\xFF"
           "b",
           false, valid);
    is_ids(t,
           "a\xE3\x81"
           "b",
           false, valid);
    tokenizer_close(t);
}

static void decoding_joins_bytes_and_drops_one_space(void **state)
{
    (void)state;
    static const struct {
        int32_t ids[8];
        const char *text;
    } cases[] = {
        { { 18, -1 }, "ab" },
        { { 17, 16, -1 }, "  a" },
        { { 1, 18, -1 }, "ab" },
        { { 11, 3, 4, 5, 18, -1 }, "\xE3\x81\x82 ab" },
        { { 16, 3, 4, 12, -1 },
          "a\xEF\xBF\xBD\xEF\xBF\xBD"
          "a" }, /* each byte of a broken run */
        { { 16, 3, 4, 5, 6, -1 }, "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { { -1 }, "" },
    };
    Tokenizer *t = tokenizer_of_json(LLAMA, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(text_of(t, cases[i].ids, true), cases[i].text);
    assert_string_equal(text_of(t, (const int32_t[]){ 1, 18, -1 }, false), "<s> ab");
    tokenizer_close(t);
}

static void one_tokens_bytes_are_raw(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(LLAMA, NULL);
    Buf out = BUF_INIT;
    tokenizer_token_bytes(t, 18, false, &out);
    tokenizer_token_bytes(t, 3, false, &out);
    tokenizer_token_bytes(t, 1, false, &out);
    tokenizer_token_bytes(t, 2, true, &out);
    tokenizer_token_bytes(t, 4000, true, &out);
    assert_string_equal(buf_cstr(&out), " ab\xE3</s>");
    buf_release(&out);
    tokenizer_close(t);
}

static void ids_outside_the_vocabulary_are_an_error(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(LLAMA, NULL);
    Buf out = BUF_INIT;
    Error err = ERROR_INIT;
    assert_false(tokenizer_decode(t, (const int32_t[]){ 23 }, 1, true, &out, &err));
    assert_non_null(strstr(err.text, "23"));
    assert_false(tokenizer_decode(t, (const int32_t[]){ -1 }, 1, true, &out, &err));
    buf_release(&out);
    tokenizer_close(t);
}

static void added_tokens_take_white_space_and_want_word_borders(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(
        JSON(CONTROLS "," ADDED(23, "[l]", ",\"lstrip\":true") "," ADDED(
                 24, "[r]",
                 ",\"rstrip\":true") "," ADDED(25, "ab",
                                               ",\"single_word\":true") "," ADDED(26, "[l]x", ""),
             SPM_DECODER, MODEL(PIECES, MERGES)),
        NULL);
    is_ids(t, "a \n [l] b", false, "12 23 0 13"); /* no normalizer: a space has no token */
    is_ids(t,
           "a [r] \xE3\x80\x80"
           "b",
           false, "12 0 24 13");
    is_ids(t, "ab", false, "15"); /* the vocabulary's own piece became the added token: same id */
    is_ids(t, "aab", false, "12 15");
    is_ids(t, "[l]x", false, "26"); /* the longest wins */
    tokenizer_close(t);
}

static void normalized_added_tokens_match_the_normal_form(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(JSON(CONTROLS "," ADDED(23, "c c", ",\"normalized\":true"),
                                          LEGACY SPM_DECODER, MODEL(PIECES, MERGES)),
                                     NULL);
    is_ids(t, "a c c", false, "16 23");
    is_ids(t, "c c", false, "23");
    is_ids(t, "ac c", false, "16 14 11 14"); /* its normal form begins with ▁ */
    assert_string_equal(text_of(t, (const int32_t[]){ 16, 23, -1 }, true), "a c c");
    tokenizer_close(t);
}

/* ---- byte-level BPE ---- */

#define WORDS                                                                                      \
    "\"a\":0,\"b\":1,\"\xC4\xA0\":2,\"\xC4\xA0"                                                    \
    "a\":3,\"ab\":4,\"'\":5,\"''\":6,\"1\":7,\"11\":8,\"\xC3\xA3\":9,\"\xC4\x82\":10,"             \
    "\"<e>\":11,\"\xC4\x8A\":12"
#define WORD_MERGES "\"\xC4\xA0 a\",\"a b\",\"' '\",\"1 1\""
#define BYTE_JSON(normalizer, pre)                                                                 \
    "{\"added_tokens\":[" ADDED(                                                                   \
        11, "<e>",                                                                                 \
        SPECIAL) "]," normalizer                                                                   \
                 "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" pre                \
                 "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}]},"       \
                 "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":"     \
                 "{" WORDS "},\"merges\":[" WORD_MERGES "]}}"

static void byte_level_pieces_keep_words_and_spaces(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(BYTE_JSON("", ""), NULL);
    is_ids(t, "ab ab", false, "4 3 1");
    is_ids(t, "  a", false, "2 3");
    is_ids(t, "11", false, "8");
    is_ids(t, "<e>a", true, "11 0");
    assert_string_equal(tokenizer_kind(t), "bpe-gpt2");
    assert_false(tokenizer_strips_first_space(t));
    assert_string_equal(text_of(t, (const int32_t[]){ 4, 3, 12, 9, 11, -1 }, true),
                        "ab a\n\xEF\xBF\xBD");
    tokenizer_close(t);
}

static void bytes_without_a_token_vanish_before_merging(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(BYTE_JSON("", ""), NULL);
    is_ids(t, "'\x06'", false, "6");
    is_ids(t, "\x06", false, "");
    tokenizer_close(t);
}

static void digits_are_split_where_the_file_says(void **state)
{
    (void)state;
    Tokenizer *t =
        tokenizer_of_json(BYTE_JSON("", "{\"type\":\"Digits\",\"individual_digits\":true},"), NULL);
    is_ids(t, "11", false, "7 7");
    assert_string_equal(tokenizer_kind(t), "bpe-smollm");
    tokenizer_close(t);
}

static void nfc_composes_before_splitting(void **state)
{
    (void)state;
    Tokenizer *plain = tokenizer_of_json(BYTE_JSON("", ""), NULL);
    Tokenizer *nfc = tokenizer_of_json(BYTE_JSON("\"normalizer\":{\"type\":\"NFC\"},", ""), NULL);
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "%s",
             ids_of(plain,
                    "a\xE3\x81\x8C"
                    "b",
                    false));
    is_ids(nfc,
           "a\xE3\x81\x8B\xE3\x82\x99"
           "b",
           false, wanted);
    is_ids(nfc, "a<e>b", true, "0 11 1");
    tokenizer_close(plain);
    tokenizer_close(nfc);
}

/* ---- what the files beside it say ---- */

static void the_configuration_names_bos_and_template(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(
        LLAMA, "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"</s>\",\"add_bos_token\":true,"
               "\"chat_template\":[{\"name\":\"tool\",\"template\":\"T\"},"
               "{\"name\":\"default\",\"template\":\"D\"}]}");
    assert_int_equal(tokenizer_bos(t), 1);
    assert_int_equal(tokenizer_eos(t), 2);
    assert_int_equal(tokenizer_unk(t), 0);
    assert_true(tokenizer_adds_bos(t));
    assert_true(str_eq_c(tokenizer_chat_template(t), "D"));
    tokenizer_close(t);
    t = tokenizer_of_json(LLAMA, "{\"bos_token\":null,\"add_bos_token\":true,\"model_max_length\":"
                                 "1000000000000000019884624838656}");
    assert_int_equal(tokenizer_bos(t), -1);
    assert_false(tokenizer_adds_bos(t));
    tokenizer_close(t);
}

static void a_template_processor_adds_bos_unless_told_otherwise(void **state)
{
    (void)state;
    const char *json =
        JSON(CONTROLS,
             LEGACY SPM_DECODER "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{"
                                "\"SpecialToken\":{\"id\":\"<s>\"}},"
                                "{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{"
                                "\"id\":\"<s>\",\"ids\":[1]}}},",
             MODEL(PIECES, MERGES));
    Tokenizer *t = tokenizer_of_json(json, NULL);
    assert_true(tokenizer_adds_bos(t));
    assert_int_equal(tokenizer_bos(t), 1);
    tokenizer_close(t);
    t = tokenizer_of_json(json, "{\"add_bos_token\":false}");
    assert_false(tokenizer_adds_bos(t));
    tokenizer_close(t);
}

static void the_key_follows_vocabulary_merges_and_added_tokens(void **state)
{
    (void)state;
    const char *const others[] = {
        JSON(CONTROLS, LEGACY SPM_DECODER, MODEL(PIECES ",\"x\":23", MERGES)),
        JSON(CONTROLS, LEGACY SPM_DECODER,
             MODEL(PIECES, MERGES ",\"a bc\"")) /* names no piece: the same key */,
        JSON(CONTROLS, LEGACY SPM_DECODER, MODEL(PIECES, "\"b c\",\"a b\"")),
        JSON(CONTROLS "," ADDED(20, "<", ""), LEGACY SPM_DECODER, MODEL(PIECES, MERGES)),
    };
    Tokenizer *t = tokenizer_of_json(LLAMA, NULL);
    assert_int_equal(strlen(tokenizer_key(t)), 32);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        Tokenizer *other = tokenizer_of_json(others[i], NULL);
        assert_int_equal(strcmp(tokenizer_key(t), tokenizer_key(other)) == 0, i == 1);
        tokenizer_close(other);
    }
    tokenizer_close(t);
}

static void merges_are_pairs_or_strings(void **state)
{
    (void)state;
    Tokenizer *one = tokenizer_of_json(LLAMA, NULL);
    Tokenizer *two = tokenizer_of_json(
        JSON(CONTROLS, LEGACY SPM_DECODER,
             MODEL(PIECES, "[\"a\",\"b\"],\"\xE2\x96\x81 a\",[\"\xE2\x96\x81\",\"ab\"],"
                           "\"\xE2\x96\x81 \xE2\x96\x81\",\"b c\"")),
        NULL);
    assert_string_equal(tokenizer_key(one), tokenizer_key(two));
    tokenizer_close(one);
    tokenizer_close(two);
}

/* ---- broken files ---- */

static void broken_files_give_one_clear_line(void **state)
{
    (void)state;
    static const struct {
        const char *json, *wanted;
    } cases[] = {
        { "{", "not valid JSON" },
        { "[]", "not a JSON object" },
        { "{}", "no model" },
        { "{\"model\":{\"type\":\"Unigram\"}}", "Unigram" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":[]}}", "model.vocab" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"b\"},\"merges\":[]}}", "\"a\"" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "-1" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999999},\"merges\":[]}}",
          "99999999999" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1,\"b\":1},\"merges\":[]}}",
          "two tokens" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1,\"a\":2},\"merges\":[]}}", "duplicate" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\ud800\":1},\"merges\":[]}}",
          "not valid JSON" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1},\"merges\":[[\"a\"]]}}", "entry 0" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1},\"merges\":3}}", "model.merges" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1},\"merges\":[],\"end_of_word_suffix\":"
          "\"</w>\"}}",
          "end_of_word_suffix" },
        { JSON(ADDED(-5, "x", ""), "", MODEL(PIECES, MERGES)), "-5" },
        { JSON(ADDED(12, "x", ""), "", MODEL(PIECES, MERGES)), "12" },
        { JSON("{\"id\":3}", "", MODEL(PIECES, MERGES)), "entry 0" },
        { JSON("", "\"normalizer\":{\"type\":\"Nmt\"},", MODEL(PIECES, MERGES)),
          "normalizer: step \"Nmt\"" },
        { JSON("", "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},", MODEL(PIECES, MERGES)),
          "BertPreTokenizer" },
        { JSON("",
               "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":"
               "\"Isolated\"},",
               MODEL(PIECES, MERGES)),
          "\"(\"" },
        { JSON("", "\"decoder\":{\"type\":\"CTC\"},", MODEL(PIECES, MERGES)), "CTC" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *text = error_of_json(cases[i].json);
        if (!strstr(text, cases[i].wanted) || strchr(text, '\n'))
            fail_msg("%.120s: got \"%s\", wanted \"%s\"", cases[i].json, text, cases[i].wanted);
    }
}

static void configured_tokens_never_rename_a_piece(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(
        LLAMA, "{\"added_tokens_decoder\":{\"12\":{\"content\":\"[X]\",\"special\":true},"
               "\"23\":{\"content\":\"[Y]\",\"special\":true}}}");
    assert_true(str_eq_c(tokenizer_spelling(t, 12), "a"));
    assert_int_equal(tokenizer_find(t, STR("[X]")), -1);
    is_ids(t, "a[Y]", true, "16 23");
    tokenizer_close(t);
}

static void gaps_in_the_ids_are_no_tokens(void **state)
{
    (void)state;
    Tokenizer *t = tokenizer_of_json(
        JSON("", LEGACY SPM_DECODER, MODEL("\"\xE2\x96\x81\":0,\"a\":9", "")), NULL);
    assert_int_equal(tokenizer_size(t), 10);
    assert_int_equal(tokenizer_spelling(t, 5).len, 0);
    assert_string_equal(text_of(t, (const int32_t[]){ 5, 9, -1 }, true), "a");
    assert_int_equal(tokenizer_find(t, STR("a")), 9);
    assert_int_equal(tokenizer_find(t, STR("b")), -1);
    tokenizer_close(t);
}

/* ---- plain files ---- */

static void plain_vocabulary_and_merges_are_byte_level(void **state)
{
    (void)state;
    Error err = ERROR_INIT;
    char *folder = folder_new();
    folder_write_text(folder, "vocab.json", "{\"<|endoftext|>\":13," WORDS "}");
    folder_write_text(folder, "merges.txt", "#version: 0.2\n\xC4\xA0 a\na b\n' '\n1 1\nno merge\n");
    folder_write_text(folder, "chat_template.jinja", "{{ x }}");
    Tokenizer *t = tokenizer_at(folder, &err);
    if (!t)
        fail_msg("%s", err.text);
    is_ids(t, "ab ab11", false, "4 3 1 8");
    is_ids(t, "<|endoftext|>", true, "13");
    assert_int_equal(tokenizer_eos(t), 13);
    assert_true(str_eq_c(tokenizer_chat_template(t), "{{ x }}"));
    tokenizer_close(t);
    folder_remove(folder);
}

static void a_folder_without_a_tokenizer_says_what_is_wanted(void **state)
{
    (void)state;
    Error err = ERROR_INIT;
    char *folder = folder_new();
    folder_write_text(folder, "config.json", "{}");
    assert_null(tokenizer_at(folder, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "tokenizer.json"));
    folder_remove(folder);
}

/* ---- size ---- */

static void a_megabyte_of_one_character_takes_no_square_of_time(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__ /* many times slower; a square would show all the same */
    enum { SIZE = 1 << 17 };
#else
    enum { SIZE = 1 << 20 };
#endif
    Tokenizer *tokenizers[] = { tokenizer_of_json(LLAMA, NULL),
                                tokenizer_of_json(BYTE_JSON("", ""), NULL) };
    char *text = xmalloc(SIZE);
    for (const char *c = "ab 1\n'"; *c; c++) {
        memset(text, *c, SIZE);
        for (size_t i = 0; i < ARRAY_LEN(tokenizers); i++) {
            Tokens ids = TOKENS_INIT;
            Error err = ERROR_INIT;
            clock_t start = clock();
            assert_true(tokenizer_encode(tokenizers[i], &(TextSpan){ str_of(text, SIZE), false }, 1,
                                         &ids, &err));
            assert_true(ids.n > 0);
            assert_true(clock() - start < 20 * CLOCKS_PER_SEC); /* a square would take hours */
            tokens_release(&ids);
        }
    }
    free(text);
    for (size_t i = 0; i < ARRAY_LEN(tokenizers); i++)
        tokenizer_close(tokenizers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_legacy_pipeline_puts_a_prefix_before_every_stretch),
        cmocka_unit_test(a_prefix_scheme_decides_where_metaspace_prepends),
        cmocka_unit_test(control_tokens_in_somebodys_text_are_text),
        cmocka_unit_test(somebodys_text_cannot_swallow_a_control_token),
        cmocka_unit_test(spans_are_encoded_as_one_text),
        cmocka_unit_test(characters_without_a_token_become_bytes_or_one_unknown),
        cmocka_unit_test(invalid_input_counts_as_replacement_characters),
        cmocka_unit_test(decoding_joins_bytes_and_drops_one_space),
        cmocka_unit_test(one_tokens_bytes_are_raw),
        cmocka_unit_test(ids_outside_the_vocabulary_are_an_error),
        cmocka_unit_test(added_tokens_take_white_space_and_want_word_borders),
        cmocka_unit_test(normalized_added_tokens_match_the_normal_form),
        cmocka_unit_test(byte_level_pieces_keep_words_and_spaces),
        cmocka_unit_test(bytes_without_a_token_vanish_before_merging),
        cmocka_unit_test(digits_are_split_where_the_file_says),
        cmocka_unit_test(nfc_composes_before_splitting),
        cmocka_unit_test(the_configuration_names_bos_and_template),
        cmocka_unit_test(a_template_processor_adds_bos_unless_told_otherwise),
        cmocka_unit_test(the_key_follows_vocabulary_merges_and_added_tokens),
        cmocka_unit_test(merges_are_pairs_or_strings),
        cmocka_unit_test(broken_files_give_one_clear_line),
        cmocka_unit_test(configured_tokens_never_rename_a_piece),
        cmocka_unit_test(gaps_in_the_ids_are_no_tokens),
        cmocka_unit_test(plain_vocabulary_and_merges_are_byte_level),
        cmocka_unit_test(a_folder_without_a_tokenizer_says_what_is_wanted),
        cmocka_unit_test(a_megabyte_of_one_character_takes_no_square_of_time),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
