/* The store: what is saved comes back, whatever happens to the file and to the programs around it. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "src/base/attributes.h"
#include "src/base/clock.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/store.h"

static char folder[64];
static char path[128]; /* of the database of the running test */
static int64_t now_us;

static int set_up(void **state)
{
    static int n;

    (void)state;
    snprintf(path, sizeof path, "%s/%d.db", folder, ++n);
    now_us = 1800000000000000;
    clock_set_virtual(&now_us);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clock_set_virtual(NULL);
    return 0;
}

static Store *must_open(void)
{
    Error err = ERROR_INIT;
    Store *store = store_open(path, &err);

    if (!store)
        fail_msg("%s", err.text);
    return store;
}

/* The open fails with one line that holds `part`. */
static void open_fails(Store *(*open_store)(const char *, Error *), ErrorKind kind,
                       const char *part)
{
    Error err = ERROR_INIT;
    Store *store = open_store(path, &err);

    assert_null(store);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_int_equal(err.kind, kind);
    assert_null(strchr(err.text, '\n'));
    assert_non_null(strstr(err.text, path));
}

/* With sqlite alone, as another program would. */
static void run_sql(const char *sql)
{
    sqlite3 *db;
    char *message = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

static int64_t ask_sql(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    int64_t number;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

static Conversation *start(Store *store, const char *title)
{
    Conversation *c = conversation_new();
    Error err = ERROR_INIT;

    c->title = xstrdup(title);
    assert_true(store_save_conversation(store, c, &err));
    return c;
}

/* Adds a message at the leaf, as the chat does. */
static Message *say(Store *store, Conversation *c, Role role, const char *text)
{
    Message *m = message_new(role);
    Message *parent = conversation_last(c);
    Error err = ERROR_INIT;

    m->parent_id = c->leaf;
    buf_puts(&m->text, text);
    if (!store_save_message(store, c, m, &err))
        fail_msg("%s", err.text);
    conversation_add(c, m);
    if (parent)
        parent->selected_child = m->id;
    c->leaf = m->id;
    return m;
}

static Conversation *load(Store *store, int64_t id)
{
    Error err = ERROR_INIT;
    Conversation *c = store_load(store, id, &err);

    if (!c)
        fail_msg("%s", err.text);
    return c;
}

static size_t hits_of(Store *store, const char *query)
{
    StoreHits hits;
    Error err = ERROR_INIT;
    size_t n;

    if (!store_search(store, str_from(query), 0, &hits, &err))
        fail_msg("%s: %s", query, err.text);
    n = hits.n;
    store_hits_release(&hits);
    return n;
}

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
    snprintf(deep, sizeof deep, "%s/a/b/c.db", folder);
    store = store_open(deep, &err);
    assert_non_null(store);
    conversation_free(start(store, "t"));
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(wal, sizeof wal, "%s-wal", deep);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(deep, sizeof deep, "%s/a/b", folder);
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

/* ---- search ---- */

typedef struct {
    const char *query;
    size_t hits;
} SearchCase;

static const char *const search_texts[] = {
    "東京都の天気を教えて。ラーメンも食べたい",
    "か゛っこうへ行く葛\xF3\xA0\x84\x80城市",
    "Hello, World! C++ and x86-64 \"OR\" NEAR(a, b)*",
    "ｶﾞｷﾞｸﾞ\n改行の　あと",
    "a b",
    "😀 emoji 👨‍👩‍👧",
    "100% _under_ -dash ^caret {col}: text:x",
};

static const SearchCase search_cases[] = {
    { "東京", 1 },       { "京都", 1 },
    { "東京都", 1 },     { "都", 1 },
    { "い", 1 },         { "東都", 0 },
    { "らーめん", 1 },   { "ﾗｰﾒﾝ", 1 },
    { "ラーメン", 1 },   { "がっこう", 1 },
    { "葛城市", 1 },     { "ガギグ", 1 },
    { "がぎぐ", 1 },     { "hello", 1 },
    { "ＨＥＬＬＯ", 1 }, { "hello,", 1 },
    { "c++", 1 },        { "x86-64", 1 },
    { "\"or\"", 1 },     { "near(a", 1 },
    { "b)*", 1 },        { "*", 1 },
    { "\"", 1 },         { "'", 0 },
    { "a b", 2 },        { "ab", 0 },
    { "😀", 1 },          { "👨‍👩‍👧", 1 },
    { "100%", 1 },       { "%", 1 },
    { "_", 1 },          { "__", 0 },
    { "-dash", 1 },      { "^caret", 1 },
    { "{col}:", 1 },     { "text:x", 1 },
    { "NOT hello", 0 },  { "東京 ラーメン", 1 },
    { "東京　天気", 1 }, { "東京 改行", 0 },
    { "行のあと", 0 },   { "", 0 },
    { " 　\n", 0 },
};

static void search_finds_words_of_any_length_and_obeys_no_operator(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(search_texts); i++)
        say(store, c, ROLE_USER, search_texts[i]);
    for (size_t i = 0; i < ARRAY_LEN(search_cases); i++) {
        size_t n = hits_of(store, search_cases[i].query);

        if (n != search_cases[i].hits)
            fail_msg("%s: %zu hits", search_cases[i].query, n);
    }
    conversation_free(c);
    store_close(store);
}

static void snippet_is(Store *store, const char *query, const char *hit, const char *start_of)
{
    StoreHits hits;
    Error err = ERROR_INIT;

    assert_true(store_search(store, str_from(query), 1, &hits, &err));
    assert_int_equal(hits.n, 1);
    assert_int_equal(hits.hit[0].hit_len, strlen(hit));
    assert_memory_equal(hits.hit[0].snippet + hits.hit[0].hit, hit, strlen(hit));
    assert_null(strpbrk(hits.hit[0].snippet, "\n\r\t\033"));
    if (strncmp(hits.hit[0].snippet, start_of, strlen(start_of)) != 0)
        fail_msg("%s", hits.hit[0].snippet);
    store_hits_release(&hits);
}

static void snippets_point_at_the_hit_in_the_text_as_written(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    Buf text = BUF_INIT;

    (void)state;
    say(store, c, ROLE_USER, "一行目\n\033[31mか゛っこう\tｶﾞｷﾞｸﾞのＷｏｒｌｄ");
    snippet_is(store, "がっ", "か゛っ", "一行目  [31mか゛");
    snippet_is(store, "ぎぐ", "ｷﾞｸﾞ", "…目  [31mか゛");
    snippet_is(store, "world", "Ｗｏｒｌｄ", "");
    for (int i = 0; i < 200; i++)
        buf_puts(&text, "長い文章");
    buf_puts(&text, "目印");
    for (int i = 0; i < 200; i++)
        buf_puts(&text, "が続く");
    say(store, c, ROLE_USER, buf_cstr(&text));
    snippet_is(store, "目印が", "目印が", "…長い文章");
    buf_release(&text);
    conversation_free(c);
    store_close(store);
}

static void long_queries_are_searched_whole(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    Buf text = BUF_INIT;

    (void)state;
    for (int i = 0; i < 300; i++)
        buf_printf(&text, "語%d", i);
    say(store, c, ROLE_USER, buf_cstr(&text));
    assert_int_equal(hits_of(store, buf_cstr(&text)), 1);
    buf_putc(&text, 'x');
    assert_int_equal(hits_of(store, buf_cstr(&text)), 0);
    buf_reset(&text);
    for (int i = 0; i < 299; i++)
        buf_printf(&text, "語%d ", i);
    assert_int_equal(hits_of(store, buf_cstr(&text)), 1);
    buf_puts(&text, "無い");
    assert_int_equal(hits_of(store, buf_cstr(&text)), 0);
    buf_release(&text);
    conversation_free(c);
    store_close(store);
}

static void search_follows_changes_of_a_message(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    Message *m;
    Error err = ERROR_INIT;

    (void)state;
    say(store, c, ROLE_USER, "質問");
    m = say(store, c, ROLE_ASSISTANT, "前半");
    m->status = MESSAGE_STOPPED;
    assert_true(store_save_message(store, c, m, &err));
    assert_int_equal(hits_of(store, "前半"), 1);
    m->status = MESSAGE_STREAMING; /* it goes on */
    buf_puts(&m->text, "後半");
    assert_true(store_save_message(store, c, m, &err));
    assert_int_equal(hits_of(store, "前半"), 0);
    m->status = MESSAGE_COMPLETE;
    assert_true(store_save_message(store, c, m, &err));
    assert_int_equal(hits_of(store, "前半後半"), 1);
    assert_true(store_save_message(store, c, m, &err));
    assert_int_equal(hits_of(store, "前半"), 1);
    store_close(store);
    run_sql("INSERT INTO search (search) VALUES ('integrity-check')");
    store = must_open();
    assert_int_equal(hits_of(store, "後半"), 1);
    conversation_free(c);
    store_close(store);
}

static void hits_come_newest_first_and_limited(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "題名");
    StoreHits hits;
    Error err = ERROR_INIT;

    (void)state;
    for (int i = 0; i < 10; i++)
        say(store, c, i % 2 ? ROLE_ASSISTANT : ROLE_USER, "同じ言葉");
    assert_true(store_search(store, STR("言葉"), 3, &hits, &err));
    assert_int_equal(hits.n, 3);
    assert_int_equal(hits.hit[0].message_id, c->leaf);
    assert_true(hits.hit[0].message_id > hits.hit[1].message_id);
    assert_int_equal(hits.hit[0].role, ROLE_ASSISTANT);
    assert_string_equal(hits.hit[0].title, "題名");
    assert_string_equal(hits.hit[0].uid, c->uid);
    assert_int_equal(hits.hit[0].conversation_id, c->id);
    store_hits_release(&hits);
    conversation_free(c);
    store_close(store);
}

/* ---- speed ---- */

static double best_ms(Store *store, const char *query, size_t limit, size_t *n)
{
    double best = 1e9;

    for (int i = 0; i < 7; i++) {
        StoreHits hits;
        Error err = ERROR_INIT;
        int64_t start_us, us;

        clock_set_virtual(NULL);
        start_us = clock_mono_us();
        assert_true(store_search(store, str_from(query), limit, &hits, &err));
        us = clock_mono_us() - start_us;
        clock_set_virtual(&now_us);
        *n = hits.n;
        store_hits_release(&hits);
        if ((double)us / 1000 < best)
            best = (double)us / 1000;
    }
    return best;
}

/* Sentences of common and rare words in an order that repeats late. */
static void make_text(unsigned i, Buf *out)
{
    static const char *const words[] = { "東京", "の",   "天気", "は",   "晴れ", "です", "明日",
                                         "雨",   "料理", "本",   "読む", "私",   "日本", "model" };
    unsigned seed = i * 2654435761u;

    buf_reset(out);
    for (int k = 0; k < 40; k++) {
        seed = seed * 1664525u + 1013904223u;
        buf_puts(out, words[(seed >> 16) % ARRAY_LEN(words)]);
        if (k % 9 == 8)
            buf_puts(out, "。");
    }
    if (i % 5000 == 4999)
        buf_puts(out, "珍しい単語");
}

static void searching_many_messages_does_not_read_them_all(void **state)
{
    static const struct {
        const char *query;
        size_t limit;
    } queries[] = { { "珍しい単語", 10 }, { "珍し", 10 }, { "珍", 10 },          { "東京", 10 },
                    { "の", 10 },         { "m", 10 },    { "東京 珍しい", 10 }, { "無い語", 10 } };
    const char *size = getenv("KAIWA_TEST_ROWS");
    unsigned n_rows = size ? (unsigned)strtoul(size, NULL, 10) : 20000;
    Store *store = must_open();
    Conversation *c = conversation_new();
    Buf text = BUF_INIT;
    Error err = ERROR_INIT;

    (void)state;
    for (unsigned i = 0; i < n_rows; i++) {
        Message *m = message_new(i % 2 ? ROLE_ASSISTANT : ROLE_USER);

        make_text(i, &text);
        buf_append_str(&m->text, buf_str(&text));
        m->id = (int64_t)i + 1;
        m->parent_id = i;
        conversation_add(c, m);
        c->leaf = m->id;
    }
    assert_true(store_save_all(store, c, &err));
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        size_t n;
        double ms = best_ms(store, queries[i].query, queries[i].limit, &n);

        printf("# %u messages, %s: %zu hits, %.3f ms\n", n_rows, queries[i].query, n, ms);
        assert_int_equal(n > 0, strcmp(queries[i].query, "無い語") != 0);
        /* Fifty times what it takes; a scan of the texts would be far beyond that. */
        assert_true(ms < 50);
    }
    buf_release(&text);
    conversation_free(c);
    store_close(store);
}

/* ---- versions ---- */

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
    store = store_open_readonly(path, &err);
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

/* ---- files that are not as they should be ---- */

static void write_bytes(long at, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

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
    assert_int_equal(stat(path, &st), 0);
    for (long at = 0; at < st.st_size; at += 1777) {
        unsigned char before[64], junk[64];
        int fd = open(path, O_RDONLY);
        Error err = ERROR_INIT;

        assert_true(pread(fd, before, sizeof before, at) > 0);
        close(fd);
        memset(junk, (int)(at % 251), sizeof junk);
        write_bytes(at, junk, sizeof junk);
        store = store_open(path, &err);
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
    assert_int_equal(stat(path, &st), 0);
    for (long size = st.st_size - 1000; size > 0; size -= 9000) {
        Error err = ERROR_INIT;

        assert_int_equal(truncate(path, size), 0);
        store = store_open(path, &err);
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
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_true(drop_rights());
    open_fails(store_open, ERR_SYSTEM, "--db");
    store = store_open_readonly(path, &err);
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
    snprintf(sub, sizeof sub, "%s/100%%? #", folder);
    assert_int_equal(mkdir(sub, 0755), 0);
    snprintf(path, sizeof path, "%s/100%%? #/x.db", folder);
    store = must_open();
    conversation_free(start(store, "t"));
    store_close(store);
    snprintf(sub, sizeof sub, "%s-shm", path);
    unlink(sub);
    snprintf(sub, sizeof sub, "%s-wal", path);
    unlink(sub);
    snprintf(sub, sizeof sub, "%s/100%%? #", folder);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(chmod(sub, 0555), 0);
    assert_true(drop_rights());
    open_fails(store_open, ERR_SYSTEM, "--db");
    store = store_open_readonly(path, &err);
    if (!store)
        fail_msg("%s", err.text);
    assert_true(store_list(store, STR(""), false, 0, &rows, &err));
    assert_int_equal(rows.n, 1);
    store_rows_release(&rows);
    store_close(store);
    snprintf(path, sizeof path, "%s/100%%? #/new.db", folder);
    open_fails(store_open, ERR_SYSTEM, "cannot create");
    regain_rights();
    assert_int_equal(chmod(sub, 0755), 0);
}

static void a_missing_file_is_not_made_by_reading(void **state)
{
    (void)state;
    open_fails(store_open_readonly, ERR_NOT_FOUND, "no database yet");
    assert_false(path_exists(path));
}

static void a_folder_in_its_place_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    open_fails(store_open, ERR_SYSTEM, "--db");
}

static void reading_only_never_writes(void **state)
{
    Store *store = must_open();
    Conversation *c = start(store, "t");
    Error err = ERROR_INIT;

    (void)state;
    store_close(store);
    store = store_open_readonly(path, &err);
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
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
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
        TEST(streaming_rows_age),
        TEST(opening_stops_old_streams_and_leaves_young_ones),
        TEST(a_killed_writer_loses_nothing_saved),
        TEST(lists_are_pinned_first_then_newest),
        TEST(deleting_is_undone_whole),
        TEST(names_are_ids_uids_or_titles),
        TEST(a_fork_copies_the_path),
        TEST(search_finds_words_of_any_length_and_obeys_no_operator),
        TEST(snippets_point_at_the_hit_in_the_text_as_written),
        TEST(long_queries_are_searched_whole),
        TEST(search_follows_changes_of_a_message),
        TEST(hits_come_newest_first_and_limited),
        TEST(searching_many_messages_does_not_read_them_all),
        TEST(version_one_files_are_brought_up_to_date),
        TEST(a_failed_migration_changes_nothing),
        TEST(newer_files_are_left_alone),
        TEST(databases_of_other_programs_are_left_alone),
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
        TEST(changes_of_another_program_are_noticed),
        TEST(two_writers_take_turns),
        TEST(history_is_oldest_first_without_repeats),
        TEST(values_are_kept_by_name),
        TEST(a_private_store_touches_no_disk),
    };
    char command[128];
    int failed;

    snprintf(folder, sizeof folder, "/tmp/kaiwa-test-store-XXXXXX");
    if (!mkdtemp(folder))
        return 99;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        return 99;
    return failed;
}
