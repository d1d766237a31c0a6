/* Tokenizers of real models: the vectors in shared/data and the references in shared/models,
 * where they are at hand (KAIWA_SHARED, KAIWA_TEST_MODELS). */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/tokenizer_rig.h"

static char path[1024];

static const char *shared_path(const char *rest)
{
    const char *shared = getenv("KAIWA_SHARED");
    snprintf(path, sizeof(path), "%s/%s", shared ? shared : "../shared", rest);
    return path;
}

static const char *model_path(const char *name)
{
    const char *models = getenv("KAIWA_TEST_MODELS"), *home = getenv("HOME");
    if (models)
        snprintf(path, sizeof(path), "%s/%s", models, name);
    else
        snprintf(path, sizeof(path), "%s/.cache/kaiwa-test-models/%s", home ? home : "", name);
    return path;
}

static bool read_file(const char *name, Buf *out)
{
    FILE *file = fopen(name, "rb");
    char part[4096];
    size_t n;
    if (!file)
        return false;
    while ((n = fread(part, 1, sizeof(part), file)) > 0)
        buf_append(out, part, n);
    fclose(file);
    return true;
}

static Tokenizer *open_or_fail(const char *where)
{
    Error err = ERROR_INIT;
    Tokenizer *t = tokenizer_at(where, &err);
    if (!t)
        fail_msg("%s", err.text);
    return t;
}

/* ---- vectors.inp and vectors.out ---- */

static Str next_record(Str *rest)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    ptrdiff_t at = str_find(*rest, str_from(mark));
    Str record = at < 0 ? *rest : str_sub(*rest, 0, (size_t)at);
    *rest = at < 0 ? STR_NULL : str_from_offset(*rest, (size_t)at + strlen(mark));
    return record;
}

static void check_record(const Tokenizer *t, Str text, Str wanted)
{
    Tokens ids = TOKENS_INIT;
    Error err = ERROR_INIT;
    assert_true(tokenizer_encode(t, &(TextSpan){ text, false }, 1, &ids, &err));
    if (!str_eq_c(str_trim(wanted), ids_as_text(&ids)))
        fail_msg("\"%.*s\": got %s, wanted %.*s", (int)text.len, text.data, ids_as_text(&ids),
                 (int)wanted.len, wanted.data);
    tokens_release(&ids);
}

static void check_vectors(const char *folder, const char *where)
{
    Buf texts = BUF_INIT, ids = BUF_INIT;
    char name[128];
    int n = 0;
    Tokenizer *t = open_or_fail(where);
    snprintf(name, sizeof(name), "data/tokenizers/%s/vectors.inp", folder);
    assert_true(read_file(shared_path(name), &texts));
    snprintf(name, sizeof(name), "data/tokenizers/%s/vectors.out", folder);
    assert_true(read_file(shared_path(name), &ids));
    Str text_rest = buf_str(&texts), ids_rest = buf_str(&ids), line;
    while (text_rest.len && str_line(&ids_rest, &line)) {
        check_record(t, next_record(&text_rest), line);
        n++;
    }
    assert_true(n >= 46);
    buf_release(&texts);
    buf_release(&ids);
    tokenizer_close(t);
}

static void llama2_vectors_from_tokenizer_json(void **state)
{
    (void)state;
    check_vectors("llama-2", shared_path("data/tokenizers/llama-2/tokenizer.json"));
}

static void llama2_vectors_from_tokenizer_model(void **state)
{
    (void)state;
    check_vectors("llama-2", shared_path("data/tokenizers/llama-2/tokenizer.model"));
}

static void llama2_vectors_from_gguf(void **state)
{
    (void)state;
    check_vectors("llama-2", shared_path("data/tokenizers/llama-2/vocab.gguf"));
}

static void gpt2_vectors_from_gguf(void **state)
{
    (void)state;
    check_vectors("gpt-2", shared_path("data/tokenizers/gpt-2/vocab.gguf"));
}

static void llama3_vectors_from_plain_files(void **state)
{
    (void)state;
    check_vectors("llama-3", shared_path("data/tokenizers/llama-3"));
    Tokenizer *t = open_or_fail(shared_path("data/tokenizers/llama-3"));
    assert_string_equal(tokenizer_kind(t), "bpe-llama3");
    assert_string_equal(ids_of(t, "<|eot_id|>", true), "128009");
    assert_int_equal(tokenizer_bos(t), 128000);
    tokenizer_close(t);
}

static void llama2_prompts_are_as_the_original_encodes_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *ids;
    } cases[] = {
        { "[INST] Hi [/INST]", "518 25580 29962 6324 518 29914 25580 29962" },
        { "\n", "29871 13" },
        { "### 応答:\n", "835 29871 232 194 159 234 176 151 29901 13" },
        { "[INST] <<SYS>>\nあなたは誠実で優秀な日本人のアシスタントです。\n<</SYS>>\n\n"
          "伊勢神宮は何県？ [/INST] ",
          "518 25580 29962 3532 14816 29903 6778 13 30641 30371 30366 30449 235 173 163 31525 "
          "30499 232 135 "
          "173 31701 30371 30325 30346 30313 30199 30310 30373 30255 30369 30203 30279 30499 30427 "
          "30267 13 "
          "29966 829 14816 29903 6778 13 13 31308 232 142 165 30648 31004 30449 31502 31108 30882 "
          "518 29914 "
          "25580 29962 29871" },
    };
    static const char *const sources[] = { "tokenizer.json", "tokenizer.model", "vocab.gguf" };
    for (size_t k = 0; k < ARRAY_LEN(sources); k++) {
        char name[128];
        snprintf(name, sizeof(name), "data/tokenizers/llama-2/%s", sources[k]);
        Tokenizer *t = open_or_fail(shared_path(name));
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
            assert_string_equal(ids_of(t, cases[i].text, false), cases[i].ids);
        tokenizer_close(t);
    }
}

/* ---- shared/models/reference ---- */

static void check_ids(const Tokenizer *t, const char *text, bool special, const json_t *wanted,
                      int32_t bos)
{
    Buf ids = BUF_INIT;
    for (size_t i = bos >= 0 ? 1 : 0; i < json_array_size(wanted); i++)
        buf_printf(&ids, "%s%d", ids.len ? " " : "",
                   (int)json_integer_value(json_array_get(wanted, i)));
    const char *got = ids_of(t, text, special);
    if (strcmp(got, buf_cstr(&ids)) != 0)
        fail_msg("\"%s\": got %s, wanted %s", text, got, buf_cstr(&ids));
    if (bos >= 0)
        assert_int_equal(json_integer_value(json_array_get(wanted, 0)), bos);
    buf_release(&ids);
}

static void check_reference(const char *name, const char *model)
{
    char file[128];
    snprintf(file, sizeof(file), "models/reference/%s.json", name);
    json_t *reference = json_load_file(shared_path(file), 0, NULL);
    if (!reference)
        fail_msg("no %s", path);
    Tokenizer *t = open_or_fail(model_path(model));
    const json_t *list = json_object_get(reference, "tokenize");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i), *special = json_object_get(one, "ids_special");
        const char *text = json_string_value(json_object_get(one, "text"));
        check_ids(t, text, false, json_object_get(one, "ids"), -1);
        check_ids(t, text, true, special ? special : json_object_get(one, "ids"), -1);
    }
    const json_t *greedy = json_object_get(reference, "greedy");
    for (size_t i = 0; i < json_array_size(greedy); i++) {
        const json_t *one = json_array_get(greedy, i);
        bool chat = json_object_get(one, "messages") != NULL;
        check_ids(t, json_string_value(json_object_get(one, "text")), true,
                  json_object_get(one, "ids"),
                  !chat && tokenizer_adds_bos(t) ? tokenizer_bos(t) : -1);
    }
    assert_true(json_array_size(list) > 20 && json_array_size(greedy) > 10);
    json_decref(reference);
    tokenizer_close(t);
}

static void references_of_directories(void **state)
{
    (void)state;
    check_reference("tiny-llama2-f32", "tiny-llama2-f32");
    check_reference("tiny-llama2-gptq", "tiny-llama2-gptq");
    check_reference("smollm2-f16", "smollm2-f16");
    check_reference("smollm2-bf16", "smollm2-bf16");
}

static void references_of_gguf(void **state)
{
    (void)state;
    check_reference("smollm2-gguf", "SmolLM2-135M-Instruct.Q4_1.gguf");
}

int main(void)
{
    const struct CMUnitTest vectors[] = {
        cmocka_unit_test(llama2_vectors_from_tokenizer_json),
        cmocka_unit_test(llama2_vectors_from_tokenizer_model),
        cmocka_unit_test(llama2_vectors_from_gguf),
        cmocka_unit_test(gpt2_vectors_from_gguf),
        cmocka_unit_test(llama3_vectors_from_plain_files),
        cmocka_unit_test(llama2_prompts_are_as_the_original_encodes_them),
    };
    const struct CMUnitTest references[] = {
        cmocka_unit_test(references_of_directories),
        cmocka_unit_test(references_of_gguf),
    };
    if (access(shared_path("data/tokenizers"), R_OK) != 0) {
        printf("1..0 # SKIP no %s\n", path);
        return 0;
    }
    /* One plan for all: the references are left out when their models are not here. */
    struct CMUnitTest tests[ARRAY_LEN(vectors) + ARRAY_LEN(references)];
    size_t n = ARRAY_LEN(vectors);
    memcpy(tests, vectors, sizeof(vectors));
    if (access(model_path("SmolLM2-135M-Instruct.Q4_1.gguf"), R_OK) == 0 &&
        access(model_path("tiny-llama2-gptq"), R_OK) == 0) {
        memcpy(tests + n, references, sizeof(references));
        n += ARRAY_LEN(references);
    } else {
        printf("# no test models: their references are left out\n");
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("tokenizer vectors", tests, n, NULL, NULL);
}
