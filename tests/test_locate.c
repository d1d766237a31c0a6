/* Finding models by path and by name, listing them, and what verify reports. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "src/base/path.h"
#include "tests/hostile.h"
#include "tests/model_files.h"
#include "tests/tiny_model.h"

static const TinySpec float_spec = { .kind = TINY_HF_F16 }, gguf_spec = { .kind = TINY_GGUF_Q8_0 };

static void put_dir(const char *name)
{
    Error err = ERROR_INIT;

    assert_true(path_mkdirs(in_dir(name), &err));
}

static void put_model(const char *name, const TinySpec *spec)
{
    put_dir(name);
    assert_true(tiny_model_write(in_dir(name), spec));
}

/* A home with a model of every kind of place. */
static int make_home(void **state)
{
    make_dir(state);
    setenv("XDG_DATA_HOME", in_dir("data"), 1);
    setenv("HF_HUB_CACHE", in_dir("hub"), 1);
    put_model("data/kaiwa/models/plain", &float_spec);
    put_model("data/kaiwa/models/acme/nested", &float_spec);
    put_model("elsewhere", &gguf_spec);
    if (symlink("../../../elsewhere/model.gguf", in_dir("data/kaiwa/models/linked.gguf")) != 0)
        return 1;
    put_dir("data/kaiwa/models/not-a-model/deep");
    /* A repository as huggingface_hub lays it out: two revisions, files that are links into blobs.
     */
    put_model("hub/models--acme--chat/blobs", &float_spec);
    put_dir("hub/models--acme--chat/snapshots/aaaa");
    put_dir("hub/models--acme--chat/snapshots/bbbb");
    put_dir("hub/models--acme--chat/refs");
    hostile_write(dir, "hub/models--acme--chat/refs/main", "'aaaa' 10:1");
    for (const char *const *name =
             (const char *const[]){ "config.json", "model.safetensors", "tokenizer.json",
                                    "tokenizer_config.json", "generation_config.json", NULL };
         *name; name++) {
        char target[200], link[200];
        snprintf(target, sizeof target, "../../blobs/%s", *name);
        snprintf(link, sizeof link, "hub/models--acme--chat/snapshots/aaaa/%s", *name);
        if (symlink(target, in_dir(link)) != 0)
            return 1;
    }
    put_model("hub/models--other--chat2/snapshots/cccc", &gguf_spec);
    put_dir("hub/models--acme--empty/snapshots/dddd");
    put_dir("hub/datasets--acme--data/snapshots/eeee");
    put_model("hub/models--acme--many/snapshots/ffff", &gguf_spec);
    hostile_write(dir, "hub/models--acme--many/snapshots/ffff/other.gguf", "'GGUF'");
    return 0;
}

static int drop_home(void **state)
{
    unsetenv("XDG_DATA_HOME");
    unsetenv("HF_HUB_CACHE");
    return drop_dir(state);
}

static void names_lead_to_paths(void **state)
{
    static const struct {
        const char *name, *path; /* below dir; NULL: not found */
    } rows[] = {
        { "plain", "data/kaiwa/models/plain" },
        { "acme/nested", "data/kaiwa/models/acme/nested" },
        { "nested", "data/kaiwa/models/acme/nested" },
        { "linked", "data/kaiwa/models/linked.gguf" },
        { "linked.gguf", "data/kaiwa/models/linked.gguf" },
        { "acme/chat", "hub/models--acme--chat/snapshots/aaaa" },
        { "chat", "hub/models--acme--chat/snapshots/aaaa" },
        { "other/chat2", "hub/models--other--chat2/snapshots/cccc" },
        { "acme/many/other.gguf", "hub/models--acme--many/snapshots/ffff/other.gguf" },
        { "acme/empty", "hub/models--acme--empty/snapshots/dddd" },
        { "acme/many", "hub/models--acme--many/snapshots/ffff" },
        { "not-a-model", NULL },
        { "acme/gone", NULL },
        { "../elsewhere-not", NULL },
        { "/nowhere/at/all", NULL },
        { "plai", NULL },
        { "", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Error err = ERROR_INIT;
        Buf path = BUF_INIT;
        bool found = engine_locate(rows[i].name, &path, &err);
        if (found != (rows[i].path != NULL))
            print_message("# %s: %s%s\n", rows[i].name, buf_cstr(&path), err.text);
        assert_int_equal(found, rows[i].path != NULL);
        if (found)
            assert_string_equal(buf_cstr(&path), in_dir(rows[i].path));
        else
            assert_true(err.kind == ERR_NOT_FOUND || err.kind == ERR_USAGE);
        buf_release(&path);
    }
}

static void paths_are_taken_as_they_are(void **state)
{
    Error err = ERROR_INIT;
    Buf path = BUF_INIT;
    (void)state;
    assert_true(engine_locate(in_dir("elsewhere/model.gguf"), &path, &err));
    assert_string_equal(buf_cstr(&path), in_dir("elsewhere/model.gguf"));
    buf_reset(&path);
    /* A repository of the cache means its revision. */
    assert_true(engine_locate(in_dir("hub/models--acme--chat"), &path, &err));
    assert_string_equal(buf_cstr(&path), in_dir("hub/models--acme--chat/snapshots/aaaa"));
    buf_release(&path);
}

static void the_newest_revision_counts_where_none_is_named(void **state)
{
    struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
    Error err = ERROR_INIT;
    Buf path = BUF_INIT;
    (void)state;
    assert_int_equal(unlink(in_dir("hub/models--acme--chat/refs/main")), 0);
    assert_int_equal(utimensat(AT_FDCWD, in_dir("hub/models--acme--chat/snapshots/aaaa"), old, 0),
                     0);
    assert_true(engine_locate("acme/chat", &path, &err));
    assert_string_equal(buf_cstr(&path), in_dir("hub/models--acme--chat/snapshots/bbbb"));
    buf_reset(&path);
    /* A reference that points out of the folder is not followed. */
    hostile_write(dir, "hub/models--acme--chat/refs/main", "'../../../elsewhere'");
    assert_true(engine_locate("acme/chat", &path, &err));
    assert_string_equal(buf_cstr(&path), in_dir("hub/models--acme--chat/snapshots/bbbb"));
    buf_release(&path);
}

static void a_name_of_two_models_is_refused(void **state)
{
    Error err = ERROR_INIT;
    Buf path = BUF_INIT;
    (void)state;
    put_model("hub/models--third--chat/snapshots/abab", &gguf_spec);
    assert_false(engine_locate("chat", &path, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.text, "acme/chat"));
    assert_non_null(strstr(err.text, "third/chat"));
    buf_release(&path);
}

static void a_missing_model_says_where_was_looked(void **state)
{
    Error err = ERROR_INIT;
    Buf path = BUF_INIT;
    (void)state;
    assert_false(engine_locate("gone", &path, &err));
    assert_non_null(strstr(err.text, in_dir("data/kaiwa/models")));
    assert_non_null(strstr(err.text, in_dir("hub")));
    buf_release(&path);
}

static void the_list_has_what_can_be_used(void **state)
{
    static const char *const wanted[][2] = { { "acme/nested", "data" },
                                             { "linked", "data" },
                                             { "plain", "data" },
                                             { "acme/chat", "huggingface" },
                                             { "acme/many/model.gguf", "huggingface" },
                                             { "acme/many/other.gguf", "huggingface" },
                                             { "other/chat2", "huggingface" } };
    Error err = ERROR_INIT;
    ModelList list;
    (void)state;
    assert_true(engine_list_models(&list, &err));
    for (size_t i = 0; i < list.n; i++)
        if (i >= sizeof wanted / sizeof *wanted || strcmp(list.entry[i].name, wanted[i][0]) != 0)
            print_message("# %zu: %s\n", i, list.entry[i].name);
    assert_int_equal(list.n, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < list.n; i++) {
        assert_string_equal(list.entry[i].name, wanted[i][0]);
        assert_string_equal(list.entry[i].origin, wanted[i][1]);
        assert_true(path_exists(list.entry[i].path));
    }
    model_list_release(&list);
}

static void verify_reports_files_tokenizer_and_shape(void **state)
{
    TinySpec spec = { .kind = TINY_GPTQ_V1, .sharded = false, .act_order = true, .bias = true };
    Error err = ERROR_INIT;
    Buf report = BUF_INIT;
    (void)state;
    put_model("good", &spec);
    assert_true(engine_verify(in_dir("good"), &report, &err));
    assert_non_null(strstr(buf_cstr(&report), "model.safetensors: "));
    assert_non_null(strstr(buf_cstr(&report), "tensors\n"));
    assert_non_null(strstr(buf_cstr(&report), "tokenizer: "));
    assert_non_null(strstr(buf_cstr(&report), "620 tokens"));
    assert_non_null(strstr(buf_cstr(&report), "shape: llama, 2 layers of 64"));
    assert_non_null(
        strstr(buf_cstr(&report), "gptq, 4 bits, groups of 32, act-order, with biases"));
    assert_int_equal(buf_cstr(&report)[report.len - 1], '\n');
    buf_release(&report);
}

static void verify_goes_on_after_a_fault(void **state)
{
    TinySpec spec = { .kind = TINY_HF_F16 };
    Error err = ERROR_INIT;
    Buf report = BUF_INIT;
    (void)state;
    put_model("bad", &spec);
    unlink(in_dir("bad/generation_config.json"));
    hostile_write(dir, "bad/tokenizer.json", "'{'");
    hostile_write(dir, "bad/config.json", "'{\"model_type\":\"llama\"}'");
    assert_false(engine_verify(in_dir("bad"), &report, &err));
    assert_non_null(strstr(err.text, "tokenizer.json"));
    assert_non_null(strstr(buf_cstr(&report), "weights: "));
    assert_non_null(strstr(buf_cstr(&report), "generation_config.json: missing"));
    buf_reset(&report);
    hostile_write(dir, "bad/model.safetensors", "h'{'");
    err = (Error)ERROR_INIT;
    assert_false(engine_verify(in_dir("bad"), &report, &err));
    assert_int_equal(err.kind, ERR_FORMAT);
    buf_release(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_lead_to_paths, make_home, drop_home),
        cmocka_unit_test_setup_teardown(paths_are_taken_as_they_are, make_home, drop_home),
        cmocka_unit_test_setup_teardown(the_newest_revision_counts_where_none_is_named, make_home,
                                        drop_home),
        cmocka_unit_test_setup_teardown(a_name_of_two_models_is_refused, make_home, drop_home),
        cmocka_unit_test_setup_teardown(a_missing_model_says_where_was_looked, make_home,
                                        drop_home),
        cmocka_unit_test_setup_teardown(the_list_has_what_can_be_used, make_home, drop_home),
        cmocka_unit_test_setup_teardown(verify_reports_files_tokenizer_and_shape, make_home,
                                        drop_home),
        cmocka_unit_test_setup_teardown(verify_goes_on_after_a_fault, make_home, drop_home),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
