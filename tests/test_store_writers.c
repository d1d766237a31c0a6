/* The store between programs: replies that were being written, killed writers, and two at once. */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/store_rig.h"

/* ---- replies that were being written ---- */

static void streaming_rows_age(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t"), *back;
    Message *m;
    Error err = ERROR_INIT;

    (void)state;
    say(store, c, ROLE_USER, "a");
    m = say(store, c, ROLE_ASSISTANT, "half");
    m->status = MESSAGE_STREAMING;
    assert_true(store_save_message(store, c, m, &err));
    now_us += 4900000;
    back = load(store, c->id);
    assert_int_equal(back->message[1]->status, MESSAGE_STREAMING);
    conversation_free(back);
    now_us += 200000;
    back = load(store, c->id);
    assert_int_equal(back->message[1]->status, MESSAGE_STOPPED);
    assert_string_equal(buf_cstr(&back->message[1]->text), "half");
    conversation_free(back);
    now_us -= 60000000; /* the clock was put back */
    back = load(store, c->id);
    assert_int_equal(back->message[1]->status, MESSAGE_STOPPED);
    conversation_free(back);
    conversation_free(c);
    store_close(store);
}

static void opening_stops_old_streams_and_leaves_young_ones(void **state)
{
    Store *store = must_open(), *other;
    Conversation *c = start(store, "t");
    Message *m;
    Error err = ERROR_INIT;

    (void)state;
    say(store, c, ROLE_USER, "a");
    m = say(store, c, ROLE_ASSISTANT, "");
    m->status = MESSAGE_STREAMING;
    buf_puts(&m->text, "未完の返事");
    assert_true(store_save_message(store, c, m, &err));
    other = must_open();
    assert_int_equal(ask_sql("SELECT count(*) FROM message WHERE status = 'streaming'"), 1);
    assert_int_equal(hits_of(store, "未完"), 0);
    store_close(other);

    now_us += 6000000;
    other = must_open();
    assert_int_equal(ask_sql("SELECT count(*) FROM message WHERE status = 'stopped'"), 1);
    assert_int_equal(hits_of(other, "未完"), 1);
    /* Its writer was only slow: it goes on, and nothing is found twice or lost. */
    buf_puts(&m->text, "が完成");
    m->status = MESSAGE_COMPLETE;
    assert_true(store_save_message(store, c, m, &err));
    assert_int_equal(hits_of(other, "返事が完成"), 1);
    assert_int_equal(hits_of(other, "未完"), 1);
    store_close(other);
    conversation_free(c);
    store_close(store);
}

static void a_killed_writer_loses_nothing_saved(void **state)
{
    int status;
    pid_t child;
    Store *store;
    Conversation *back;

    (void)state;
    child = fork();
    if (child == 0) {
        Conversation *c;
        Message *m;
        Error err = ERROR_INIT;

        store = must_open();
        c = start(store, "t");
        say(store, c, ROLE_USER, "a");
        m = say(store, c, ROLE_ASSISTANT, "partial");
        m->status = MESSAGE_STREAMING;
        if (store_save_message(store, c, m, &err))
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    now_us += 6000000;
    store = must_open();
    back = load(store, store_newest(store));
    assert_int_equal(back->n_messages, 2);
    assert_string_equal(buf_cstr(&conversation_last(back)->text), "partial");
    assert_int_equal(conversation_last(back)->status, MESSAGE_STOPPED);
    conversation_free(back);
    store_close(store);
}

/* ---- two programs ---- */

static void changes_of_another_program_are_noticed(void **state)
{
    Store *store = must_open(), *other = must_open();
    Conversation *c = start(store, "t");

    (void)state;
    assert_false(store_changed(store)); /* its own do not count */
    assert_true(store_changed(other));
    assert_false(store_changed(other));
    say(other, c, ROLE_USER, "from there");
    assert_true(store_changed(store));
    assert_false(store_changed(store));
    assert_int_equal(hits_of(store, "there"), 1);
    conversation_free(c);
    store_close(other);
    store_close(store);
}

static void two_writers_take_turns(void **state)
{
    int status, n = 0;
    pid_t child[2];
    Store *store = must_open();
    Conversation *c = start(store, "t"), *back;

    (void)state;
    store_close(store);
    for (int k = 0; k < 2; k++) {
        child[k] = fork();
        if (child[k] == 0) {
            store = must_open();
            for (int i = 0; i < 50; i++)
                say(store, c, ROLE_USER, "並んで");
            _exit(0);
        }
    }
    for (int k = 0; k < 2; k++) {
        assert_int_equal(waitpid(child[k], &status, 0), child[k]);
        n += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    assert_int_equal(n, 2);
    store = must_open();
    back = load(store, c->id);
    assert_int_equal(back->n_messages, 100);
    assert_int_equal(hits_of(store, "並んで"), 100);
    conversation_free(back);
    conversation_free(c);
    store_close(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streaming_rows_age),
        TEST(opening_stops_old_streams_and_leaves_young_ones),
        TEST(a_killed_writer_loses_nothing_saved),
        TEST(changes_of_another_program_are_noticed),
        TEST(two_writers_take_turns),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_store_folder, remove_store_folder);
}
