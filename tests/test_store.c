/* The store: what is saved comes back; lists, names, history and values. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "src/base/attributes.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "tests/store_rig.h"

/* ---- saving and loading ---- */

static void fill_reply(Message *m)
{
    buf_puts(&m->thinking, "hm\n");
    m->status = MESSAGE_LENGTH;
    m->excluded = true;
    m->system = xstrdup("be short");
    m->model = xstrdup("org/tiny");
    m->sampling = (Sampling){ 0.1, 0.95, 0.05, 1.1, 0.3, -0.7, 40, 64, UINT64_MAX };
    tokens_append(&m->ids, (int32_t[]){ 0, 1, INT32_MAX, 65536, 2 }, 5);
    m->tokenizer_key = xstrdup("0a1b");
    m->end_id = 2;
    m->n_reused = 11;
    m->n_computed = 22;
    m->first_ms = 33;
    m->total_ms = 44;
}

static void same_reply(const Message *a, const Message *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->parent_id, b->parent_id);
    assert_int_equal(a->role, b->role);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->excluded, b->excluded);
    assert_true(str_eq(buf_str(&a->text), buf_str(&b->text)));
    assert_true(str_eq(buf_str(&a->thinking), buf_str(&b->thinking)));
    assert_string_equal(a->system, b->system);
    assert_string_equal(a->model, b->model);
    assert_memory_equal(&a->sampling, &b->sampling, sizeof a->sampling);
    assert_int_equal(a->ids.n, b->ids.n);
    assert_memory_equal(a->ids.ids, b->ids.ids, a->ids.n * sizeof *a->ids.ids);
    assert_string_equal(a->tokenizer_key, b->tokenizer_key);
    assert_int_equal(a->end_id, b->end_id);
    assert_int_equal(a->n_reused, b->n_reused);
    assert_int_equal(a->n_computed, b->n_computed);
    assert_int_equal(a->first_ms, b->first_ms);
    assert_int_equal(a->total_ms, b->total_ms);
    assert_int_equal(a->created_ms, b->created_ms);
    assert_int_equal(a->updated_ms, b->updated_ms);
}

static void everything_comes_back_as_it_was(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "話 \"'; --"), *back;
    Message *reply;
    Error err = ERROR_INIT;

    (void)state;
    c->title_by = TITLE_MODEL;
    buf_puts(&c->system, "ゆっくり\n話す");
    c->sampling = (Sampling){ 0.7, 0.8, 0.01, 1.3, 0.1, 0.2, 30, 128, 12345 };
    c->max_tokens = 77;
    c->format = xstrdup("elyza");
    c->model = xstrdup("org/tiny");
    c->pinned = true;
    buf_puts(&c->draft, "　書きかけ ");
    say(store, c, ROLE_USER, "か\xE3\x82\x99 ①…～Ａ\r\n\t終わり ");
    reply = say(store, c, ROLE_ASSISTANT, "");
    buf_append(&reply->text, "a\0b", 3);
    fill_reply(reply);
    assert_true(store_save_message(store, c, reply, &err));
    assert_true(store_save_conversation(store, c, &err));
    store_close(store);

    store = must_open();
    back = load(store, c->id);
    assert_string_equal(back->uid, c->uid);
    assert_int_equal(strlen(back->uid), 32);
    assert_string_equal(back->title, c->title);
    assert_int_equal(back->title_by, TITLE_MODEL);
    assert_true(str_eq(buf_str(&back->system), buf_str(&c->system)));
    assert_memory_equal(&back->sampling, &c->sampling, sizeof c->sampling);
    assert_int_equal(back->max_tokens, 77);
    assert_string_equal(back->format, "elyza");
    assert_string_equal(back->model, "org/tiny");
    assert_true(back->pinned);
    assert_true(str_eq(buf_str(&back->draft), buf_str(&c->draft)));
    assert_int_equal(back->leaf, reply->id);
    assert_int_equal(back->created_ms, c->created_ms);
    assert_int_equal(back->deleted_ms, 0);
    assert_int_equal(back->n_messages, 2);
    assert_true(str_eq(buf_str(&back->message[0]->text), buf_str(&c->message[0]->text)));
    assert_int_equal(back->message[0]->selected_child, reply->id);
    same_reply(back->message[1], reply);
    conversation_free(back);
    conversation_free(c);
    store_close(store);
}

static void a_new_message_is_leaf_and_selected_at_once(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t"), *back;

    (void)state;
    say(store, c, ROLE_USER, "a");
    say(store, c, ROLE_ASSISTANT, "b");
    /* Killed here: the conversation itself was never saved again. */
    back = load(store, c->id);
    assert_int_equal(back->leaf, c->leaf);
    assert_int_equal(back->message[0]->selected_child, c->leaf);
    conversation_free(back);
    conversation_free(c);
    store_close(store);
}

static void first_messages_can_have_versions(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t"), *back;
    size_t index;

    (void)state;
    say(store, c, ROLE_USER, "a");
    c->leaf = 0;
    say(store, c, ROLE_USER, "b");
    assert_int_equal(ask_sql("SELECT count(*) FROM message WHERE parent_id IS NULL"), 2);
    back = load(store, c->id);
    assert_int_equal(conversation_siblings(back, back->message[1], NULL, 0, &index), 2);
    assert_int_equal(index, 1);
    conversation_free(back);
    conversation_free(c);
    store_close(store);
}

static void prompts_and_models_are_kept_once(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    Error err = ERROR_INIT;

    (void)state;
    say(store, c, ROLE_USER, "a");
    for (int i = 0; i < 5; i++) {
        Message *m = say(store, c, ROLE_ASSISTANT, "b");

        m->system = xstrdup("long system prompt");
        m->model = xstrdup("tiny");
        m->tokenizer_key = i == 3 ? NULL : xstrdup("k");
        assert_true(store_save_message(store, c, m, &err));
    }
    assert_int_equal(ask_sql("SELECT count(*) FROM prompt"), 1);
    assert_int_equal(ask_sql("SELECT count(*) FROM model"), 1);
    assert_int_equal(ask_sql("SELECT count(*) FROM model WHERE tokenizer_key = 'k'"), 1);
    conversation_free(c);
    store_close(store);
}

static void files_and_folders_are_private(void **state)
{
    Error err = ERROR_INIT;
    Store *store;
    struct stat st;
    char deep[160], wal[176];

    (void)state;
    snprintf(deep, sizeof deep, "%s/a/b/c.db", store_folder);
    store = store_open(deep, &err);
    assert_non_null(store);
    conversation_free(start(store, "t"));
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(wal, sizeof wal, "%s-wal", deep);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(deep, sizeof deep, "%s/a/b", store_folder);
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    store_close(store);
}

static void the_file_is_wal_with_foreign_keys(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    Message *m = message_new(ROLE_USER);
    Error err = ERROR_INIT;

    (void)state;
    assert_int_equal(ask_sql("SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    m->parent_id = 4711; /* is not there */
    assert_false(store_save_message(store, c, m, &err));
    assert_int_equal(m->id, 0);
    assert_int_equal(ask_sql("SELECT count(*) FROM message"), 0);
    message_free(m);
    say(store, c, ROLE_USER, "goes on");
    conversation_free(c);
    store_close(store);
}

/* ---- lists and names ---- */

static void lists_are_pinned_first_then_newest(void **state)
{
    Store *store = must_open();
    const char *titles[] = { "ラーメンの店", "天気", "Weather", NULL };
    Conversation *c[4];
    StoreRows rows;
    Error err = ERROR_INIT;

    (void)state;
    for (int i = 0; i < 4; i++) {
        c[i] = start(store, titles[i]);
        now_us += 1000000;
        for (int k = 0; k < i; k++)
            say(store, c[i], k % 2 ? ROLE_ASSISTANT : ROLE_USER, "x");
        c[i]->updated_ms = now_us / 1000;
        c[i]->pinned = i == 1;
        assert_true(store_save_conversation(store, c[i], &err));
    }
    c[3]->leaf = c[3]->message[1]->id; /* one undone: not on the path */
    assert_true(store_save_conversation(store, c[3], &err));
    assert_true(store_list(store, STR(""), false, 0, &rows, &err));
    assert_int_equal(rows.n, 4);
    assert_int_equal(rows.row[0].id, c[1]->id);
    assert_true(rows.row[0].pinned);
    assert_int_equal(rows.row[1].id, c[3]->id);
    assert_string_equal(rows.row[1].title, "");
    assert_int_equal(rows.row[1].n_messages, 2);
    assert_int_equal(rows.row[2].n_messages, 2);
    assert_int_equal(rows.row[3].n_messages, 0);
    store_rows_release(&rows);
    assert_true(store_list(store, STR(""), false, 2, &rows, &err));
    assert_int_equal(rows.n, 2);
    store_rows_release(&rows);
    assert_true(store_list(store, STR(" ﾗｰﾒﾝ "), false, 0, &rows, &err));
    assert_int_equal(rows.n, 1);
    assert_string_equal(rows.row[0].title, "ラーメンの店");
    store_rows_release(&rows);
    assert_true(store_list(store, STR("%' OR 1=1 --"), false, 0, &rows, &err));
    assert_int_equal(rows.n, 0);
    store_rows_release(&rows);
    assert_int_equal(store_newest(store), c[3]->id);
    for (int i = 0; i < 4; i++)
        conversation_free(c[i]);
    store_close(store);
}

static void deleting_is_undone_whole(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    StoreRows rows;
    Error err = ERROR_INIT;
    int64_t id;

    (void)state;
    say(store, c, ROLE_USER, "消える言葉");
    assert_true(store_delete(store, c->id, &err));
    assert_int_equal(store_newest(store), 0);
    assert_int_equal(hits_of(store, "消える"), 0);
    assert_false(store_resolve(store, STR("t"), &id, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_false(store_delete(store, c->id, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_true(store_list(store, STR(""), true, 0, &rows, &err));
    assert_int_equal(rows.n, 1);
    assert_true(rows.row[0].deleted);
    store_rows_release(&rows);
    assert_true(store_undelete(store, c->id, &err));
    assert_false(store_undelete(store, c->id, &err));
    assert_int_equal(hits_of(store, "消える"), 1);
    assert_int_equal(store_newest(store), c->id);
    assert_false(store_delete(store, 999, &err));
    conversation_free(c);
    store_close(store);
}

static void names_are_ids_uids_or_titles(void **state)
{
    Store *store = must_open();
    Conversation *a = start(store, "東京の天気"), *b = start(store, "大阪の天気"), *c;
    char name[40];
    Error err = ERROR_INIT;
    int64_t id = 0;

    (void)state;
    snprintf(name, sizeof name, "%lld", (long long)b->id);
    assert_true(store_resolve(store, str_from(name), &id, &err));
    assert_int_equal(id, b->id);
    assert_true(store_resolve(store, str_of(a->uid, 12), &id, &err));
    assert_int_equal(id, a->id);
    assert_false(store_resolve(store, str_of(a->uid, 3), &id, &err));
    assert_true(store_resolve(store, STR("東京の天気"), &id, &err));
    assert_int_equal(id, a->id);
    assert_true(store_resolve(store, STR(" 大阪 "), &id, &err));
    assert_int_equal(id, b->id);
    err = (Error)ERROR_INIT;
    assert_false(store_resolve(store, STR("天気"), &id, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    c = start(store, "天気"); /* an exact title is stronger than parts of others */
    assert_true(store_resolve(store, STR("天気"), &id, &err));
    assert_int_equal(id, c->id);
    err = (Error)ERROR_INIT;
    assert_false(store_resolve(store, STR(""), &id, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_false(store_resolve(store, STR("%"), &id, &err));
    assert_false(store_resolve(store, STR("' OR 1=1 --"), &id, &err));
    assert_false(store_resolve(store, STR("99999999999999999999999999"), &id, &err));
    assert_false(store_resolve(store, STR("0"), &id, &err));
    assert_false(store_resolve(store, STR("-1"), &id, &err));
    conversation_free(a);
    conversation_free(b);
    conversation_free(c);
    store_close(store);
}

static void a_fork_copies_the_path(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t"), *copy;
    Message *reply;
    Error err = ERROR_INIT;
    int64_t id, question;

    (void)state;
    question = say(store, c, ROLE_USER, "問い")->id;
    say(store, c, ROLE_ASSISTANT, "別の答え");
    c->leaf = question;
    reply = say(store, c, ROLE_ASSISTANT, "答え");
    fill_reply(reply);
    assert_true(store_save_message(store, c, reply, &err));
    say(store, c, ROLE_USER, "次");
    id = store_fork(store, c->id, reply->id, &err);
    assert_true(id > 0 && id != c->id);
    copy = load(store, id);
    assert_string_not_equal(copy->uid, c->uid);
    assert_int_equal(copy->n_messages, 2);
    assert_int_equal(copy->leaf, copy->message[1]->id);
    assert_int_equal(copy->message[1]->parent_id, copy->message[0]->id);
    assert_int_equal(copy->message[0]->selected_child, copy->message[1]->id);
    assert_int_equal(copy->message[1]->ids.n, 5);
    assert_int_equal(copy->message[1]->created_ms, reply->created_ms);
    conversation_free(copy);
    id = store_fork(store, c->id, 0, &err);
    copy = load(store, id);
    assert_int_equal(copy->n_messages, 3);
    conversation_free(copy);
    assert_int_equal(hits_of(store, "問い"), 3);
    assert_int_equal(store_fork(store, 999, 0, &err), 0);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    conversation_free(c);
    store_close(store);
}

/* ---- small things ---- */

static void join(void *arg, Str text)
{
    buf_append_str(arg, text);
    buf_putc(arg, '|');
}

static void history_is_oldest_first_without_repeats(void **state)
{
    Store *store = must_open();
    const char *lines[] = { "a", "b\nc", "", "a", "日本" };
    Buf all = BUF_INIT;
    Error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_true(store_history_add(store, str_from(lines[i]), &err));
    assert_true(store_history(store, 0, join, &all, &err));
    assert_string_equal(buf_cstr(&all), "b\nc|a|日本|");
    buf_reset(&all);
    assert_true(store_history(store, 2, join, &all, &err));
    assert_string_equal(buf_cstr(&all), "a|日本|");
    buf_release(&all);
    store_close(store);
}

static void values_are_kept_by_name(void **state)
{
    Store *store = must_open();
    Buf value = BUF_INIT;
    Error err = ERROR_INIT;

    (void)state;
    assert_false(store_get(store, "last-model", &value));
    assert_true(store_set(store, "last-model", STR("a"), &err));
    assert_true(store_set(store, "last-model", STR("日本"), &err));
    assert_true(store_set(store, "other", STR(""), &err));
    assert_true(store_get(store, "last-model", &value));
    assert_string_equal(buf_cstr(&value), "日本");
    buf_reset(&value);
    assert_true(store_get(store, "other", &value));
    assert_int_equal(value.len, 0);
    buf_release(&value);
    store_close(store);
}

static void a_private_store_touches_no_disk(void **state)
{
    Error err = ERROR_INIT;
    Store *store = store_open(":memory:", &err);
    Conversation *c;

    (void)state;
    assert_non_null(store);
    c = start(store, "t");
    say(store, c, ROLE_USER, "内緒");
    assert_int_equal(hits_of(store, "内緒"), 1);
    assert_false(path_exists(":memory:"));
    conversation_free(c);
    store_close(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_comes_back_as_it_was),
        TEST(a_new_message_is_leaf_and_selected_at_once),
        TEST(first_messages_can_have_versions),
        TEST(prompts_and_models_are_kept_once),
        TEST(files_and_folders_are_private),
        TEST(the_file_is_wal_with_foreign_keys),
        TEST(lists_are_pinned_first_then_newest),
        TEST(deleting_is_undone_whole),
        TEST(names_are_ids_uids_or_titles),
        TEST(a_fork_copies_the_path),
        TEST(history_is_oldest_first_without_repeats),
        TEST(values_are_kept_by_name),
        TEST(a_private_store_touches_no_disk),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_store_folder, remove_store_folder);
}
