/* The store on files that are damaged, locked, read-only, not there, or on a full disk. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "src/base/path.h"
#include "tests/store_rig.h"

static void write_bytes(long at, const void *bytes, size_t n)
{
    int fd = open(store_path, O_WRONLY | O_CREAT, 0600);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static void files_that_are_no_database_are_refused(void **state)
{
    (void)state;
    write_bytes(0, "This is a letter to my aunt, and long enough to be taken for a file.", 68);
    open_fails(store_open, ERR_FORMAT, "not a database");
    open_fails(store_open_readonly, ERR_FORMAT, "not a database");
}

static void an_empty_file_becomes_a_database(void **state)
{
    (void)state;
    write_bytes(0, "", 0);
    store_close(must_open());
}

static void damaged_databases_give_one_line(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    struct stat st;
    int opened = 0;

    (void)state;
    for (int i = 0; i < 60; i++)
        say(store, c, i % 2 ? ROLE_ASSISTANT : ROLE_USER,
            "何かの言葉がここにある。Some words here.");
    conversation_free(c);
    store_close(store);
    assert_int_equal(stat(store_path, &st), 0);
    for (long at = 0; at < st.st_size; at += 1777) {
        unsigned char before[64], junk[64];
        int fd = open(store_path, O_RDONLY);
        Error err = ERROR_INIT;

        assert_true(pread(fd, before, sizeof before, at) > 0);
        close(fd);
        memset(junk, (int)(at % 251), sizeof junk);
        write_bytes(at, junk, sizeof junk);
        store = store_open(store_path, &err);
        if (store) {
            StoreRows rows = { NULL, 0 };
            StoreHits hits = { NULL, 0 };

            opened++;
            conversation_free(store_load(store, 1, &err));
            if (store_list(store, STR(""), false, 0, &rows, &err))
                store_rows_release(&rows);
            if (store_search(store, STR("言葉"), 0, &hits, &err))
                store_hits_release(&hits);
        }
        assert_null(strchr(err.text, '\n'));
        store_close(store);
        write_bytes(at, before, sizeof before);
    }
    assert_true(opened > 0);
}

static void truncated_databases_give_one_line(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    struct stat st;
    int n_failed = 0;

    (void)state;
    for (int i = 0; i < 60; i++)
        say(store, c, ROLE_USER, "何かの言葉がここにある。Some words here.");
    conversation_free(c);
    store_close(store);
    assert_int_equal(stat(store_path, &st), 0);
    for (long size = st.st_size - 1000; size > 0; size -= 9000) {
        Error err = ERROR_INIT;

        assert_int_equal(truncate(store_path, size), 0);
        store = store_open(store_path, &err);
        c = store ? store_load(store, 1, &err) : NULL;
        /* What was cut off may be nothing that is needed; then all is there. */
        assert_true(c ? c->n_messages == 60 : err.kind != ERR_NONE);
        n_failed += c == NULL;
        conversation_free(c);
        assert_null(strchr(err.text, '\n'));
        store_close(store);
    }
    assert_true(n_failed > 0);
}

static void links_that_go_round_are_survived(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t"), *back;
    StoreRows rows;
    Error err = ERROR_INIT;

    (void)state;
    say(store, c, ROLE_USER, "a");
    say(store, c, ROLE_ASSISTANT, "b");
    store_close(store);
    run_sql("UPDATE message SET parent_id = 2 WHERE id = 1; UPDATE message SET ids = x'0102',"
            "params_json = '{\"temperature\":\"x\",[', selected_child_id = 2");
    store = must_open();
    assert_true(store_list(store, STR(""), false, 0, &rows, &err));
    assert_int_equal(rows.n, 1);
    store_rows_release(&rows);
    back = load(store, c->id);
    assert_int_equal(conversation_path(back, NULL, 0), 2);
    assert_int_equal(back->message[1]->ids.n, 0);
    conversation_free(back);
    conversation_free(c);
    store_close(store);
}

/* Permissions do not bind root: become nobody for a while. */
static bool drop_rights(void)
{
    return geteuid() != 0 || seteuid(65534) == 0;
}

static void regain_rights(void)
{
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    prctl(PR_SET_DUMPABLE, 1); /* the leak checker wants to look at us */
}

static void a_read_only_file_is_refused_for_writing_and_can_be_read(void **state)
{
    Store *store = must_open();
    Error err = ERROR_INIT;

    (void)state;
    conversation_free(start(store, "t"));
    store_close(store);
    assert_int_equal(chmod(store_path, 0444), 0);
    assert_int_equal(chmod(store_folder, 0777), 0);
    assert_true(drop_rights());
    open_fails(store_open, ERR_SYSTEM, "--db");
    store = store_open_readonly(store_path, &err);
    assert_non_null(store);
    assert_int_equal(store_newest(store), 1);
    store_close(store);
    regain_rights();
}

static void a_read_only_folder_is_refused_for_writing_and_can_be_read(void **state)
{
    char sub[160];
    Store *store;
    Error err = ERROR_INIT;
    StoreRows rows;

    (void)state;
    snprintf(sub, sizeof sub, "%s/100%%? #", store_folder);
    assert_int_equal(mkdir(sub, 0755), 0);
    snprintf(store_path, sizeof store_path, "%s/100%%? #/x.db", store_folder);
    store = must_open();
    conversation_free(start(store, "t"));
    store_close(store);
    snprintf(sub, sizeof sub, "%s-shm", store_path);
    unlink(sub);
    snprintf(sub, sizeof sub, "%s-wal", store_path);
    unlink(sub);
    snprintf(sub, sizeof sub, "%s/100%%? #", store_folder);
    assert_int_equal(chmod(store_path, 0666), 0);
    assert_int_equal(chmod(sub, 0555), 0);
    assert_true(drop_rights());
    open_fails(store_open, ERR_SYSTEM, "--db");
    store = store_open_readonly(store_path, &err);
    if (!store)
        fail_msg("%s", err.text);
    assert_true(store_list(store, STR(""), false, 0, &rows, &err));
    assert_int_equal(rows.n, 1);
    store_rows_release(&rows);
    store_close(store);
    snprintf(store_path, sizeof store_path, "%s/100%%? #/new.db", store_folder);
    open_fails(store_open, ERR_SYSTEM, "cannot create");
    regain_rights();
    assert_int_equal(chmod(sub, 0755), 0);
}

static void a_missing_file_is_not_made_by_reading(void **state)
{
    (void)state;
    open_fails(store_open_readonly, ERR_NOT_FOUND, "no database yet");
    assert_false(path_exists(store_path));
}

static void a_folder_in_its_place_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(mkdir(store_path, 0700), 0);
    open_fails(store_open, ERR_SYSTEM, "--db");
}

static void reading_only_never_writes(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    Error err = ERROR_INIT;

    (void)state;
    store_close(store);
    store = store_open_readonly(store_path, &err);
    assert_non_null(store);
    assert_false(store_delete(store, c->id, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    assert_false(store_save_conversation(store, c, &err));
    assert_false(store_set(store, "a", STR("b"), &err));
    store_close(store);
    conversation_free(c);
}

static void a_locked_database_is_said_to_be_locked(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    sqlite3 *db;
    Error err = ERROR_INIT;

    (void)state;
    assert_int_equal(sqlite3_open(store_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_false(store_save_conversation(store, c, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    assert_non_null(strstr(err.text, "another program"));
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_true(store_save_conversation(store, c, &err)); /* and goes on afterwards */
    sqlite3_close(db);
    conversation_free(c);
    store_close(store);
}

static void a_full_disk_loses_nothing_that_was_saved(void **state)
{
    int status;
    pid_t child;
    Store *store = must_open();
    Conversation *c = start(store, "t"), *back;

    (void)state;
    say(store, c, ROLE_USER, "kept");
    store_close(store);
    child = fork();
    if (child == 0) {
        struct rlimit limit = { 300000, 300000 };
        Buf big = BUF_INIT;
        Message *m = message_new(ROLE_ASSISTANT);
        Error err = ERROR_INIT;
        bool refused;

        for (int i = 0; i < 400000; i++)
            buf_putc(&big, 'x');
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        store = must_open();
        m->parent_id = c->leaf;
        buf_append_str(&m->text, buf_str(&big));
        refused = !store_save_message(store, c, m, &err) && m->id == 0 && err.kind == ERR_SYSTEM;
        buf_reset(&m->text);
        buf_puts(&m->text, "small");
        refused = refused && store_save_message(store, c, m, &err);
        _exit(refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    store = must_open();
    back = load(store, c->id);
    assert_int_equal(back->n_messages, 2);
    assert_string_equal(buf_cstr(&back->message[0]->text), "kept");
    assert_string_equal(buf_cstr(&back->message[1]->text), "small");
    conversation_free(back);
    conversation_free(c);
    store_close(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_that_are_no_database_are_refused),
        TEST(an_empty_file_becomes_a_database),
        TEST(damaged_databases_give_one_line),
        TEST(truncated_databases_give_one_line),
        TEST(links_that_go_round_are_survived),
        TEST(a_read_only_file_is_refused_for_writing_and_can_be_read),
        TEST(a_read_only_folder_is_refused_for_writing_and_can_be_read),
        TEST(a_missing_file_is_not_made_by_reading),
        TEST(a_folder_in_its_place_is_an_error),
        TEST(reading_only_never_writes),
        TEST(a_locked_database_is_said_to_be_locked),
        TEST(a_full_disk_loses_nothing_that_was_saved),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_store_folder, remove_store_folder);
}
