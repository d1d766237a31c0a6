/* Databases of older and newer versions, and of other programs. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "src/base/path.h"
#include "tests/store_rig.h"

static void version_one_files_are_brought_up_to_date(void **state)
{
    const char *top = getenv("abs_top_srcdir");
    Buf name = BUF_INIT, sql = BUF_INIT;
    Error err = ERROR_INIT;
    Store *store;
    Conversation *c;

    (void)state;
    buf_printf(&name, "%s/tests/data/store_v1.sql", top ? top : ".");
    assert_true(path_read_file(buf_cstr(&name), 1 << 20, &sql, &err));
    run_sql(buf_cstr(&sql));
    open_fails(store_open_readonly, ERR_UNSUPPORTED, "older kaiwa"); /* would need writing */
    store = must_open();
    c = load(store, 1);
    assert_string_equal(c->title, "東京の天気");
    assert_int_equal(c->title_by, TITLE_USER);
    assert_string_equal(buf_cstr(&c->system), "丁寧に答えてください。");
    assert_true(c->sampling.temperature == 0.25 && c->sampling.top_k == 7);
    assert_true(c->sampling.top_p == 0.9); /* not in that file: as everywhere */
    assert_int_equal(c->sampling.seed, 42);
    assert_int_equal(c->max_tokens, 99);
    assert_string_equal(buf_cstr(&c->draft), "もう少し");
    assert_int_equal(c->n_messages, 3);
    assert_int_equal(c->message[1]->ids.n, 2);
    assert_int_equal(c->message[1]->ids.ids[1], 6);
    assert_int_equal(c->message[2]->status, MESSAGE_STOPPED);
    assert_int_equal(hits_of(store, "東京"), 1);
    assert_int_equal(hits_of(store, "晴れ"), 1); /* also what a killed program had left */
    buf_reset(&name);
    assert_true(store_get(store, "last-model", &name));
    assert_string_equal(buf_cstr(&name), "/models/tiny");
    conversation_free(c);
    store_close(store);
    store = must_open(); /* and once only */
    assert_int_equal(hits_of(store, "東京"), 1);
    store_close(store);
    store = store_open_readonly(store_path, &err);
    assert_non_null(store);
    assert_int_equal(hits_of(store, "東京"), 1);
    store_close(store);
    buf_release(&name);
    buf_release(&sql);
}

static void a_failed_migration_changes_nothing(void **state)
{
    (void)state;
    /* Claims to be version 1 but has a table in the way of the next step. */
    run_sql("CREATE TABLE search (x); INSERT INTO search VALUES (1);"
            "PRAGMA application_id = 1801546103; PRAGMA user_version = 1");
    open_fails(store_open, ERR_SYSTEM, "search");
    assert_int_equal(ask_sql("SELECT x FROM search"), 1);
    assert_int_equal(ask_sql("SELECT user_version FROM pragma_user_version"), 1);
}

static void newer_files_are_left_alone(void **state)
{
    (void)state;
    store_close(must_open());
    run_sql("PRAGMA user_version = 999");
    open_fails(store_open, ERR_UNSUPPORTED, "newer kaiwa");
    open_fails(store_open_readonly, ERR_UNSUPPORTED, "newer kaiwa");
    assert_int_equal(ask_sql("SELECT user_version FROM pragma_user_version"), 999);
}

static void databases_of_other_programs_are_left_alone(void **state)
{
    (void)state;
    run_sql("CREATE TABLE bookmark (x)");
    open_fails(store_open, ERR_FORMAT, "another program");
    assert_int_equal(ask_sql("SELECT count(*) FROM sqlite_schema"), 1);
    run_sql("DROP TABLE bookmark; PRAGMA application_id = 7");
    open_fails(store_open, ERR_FORMAT, "another program");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(version_one_files_are_brought_up_to_date),
        TEST(a_failed_migration_changes_nothing),
        TEST(newer_files_are_left_alone),
        TEST(databases_of_other_programs_are_left_alone),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_store_folder, remove_store_folder);
}
