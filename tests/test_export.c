/* Files out and back in: nothing of a conversation is lost, and nothing broken comes in. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "src/base/attributes.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/base/utf8.h"
#include "src/export.h"
#include "src/import.h"
#include "src/record.h"
#include "src/store.h"

static Message *add(Conversation *c, int64_t parent, Role role, const char *text)
{
    Message *m = message_new(role), *before = conversation_find(c, parent);

    m->id = (int64_t)c->n_messages + 1;
    m->parent_id = parent;
    m->created_ms = m->updated_ms = 1800000000123 + m->id;
    buf_puts(&m->text, text);
    conversation_add(c, m);
    if (before)
        before->selected_child = m->id;
    c->leaf = m->id;
    return m;
}

static void fill_reply(Message *m)
{
    buf_puts(&m->thinking, "## hm\n\n");
    m->status = MESSAGE_CONTEXT;
    m->excluded = true;
    m->system = xstrdup("be short");
    m->model = xstrdup("org/tiny");
    m->sampling = (Sampling){ 0.1, 1.0 / 3, 0.05, 1.1, 0.3, -0.7, 40, 64, UINT64_MAX };
    tokens_append(&m->ids, (int32_t[]){ 0, 1, INT32_MAX, 65536, 2 }, 5);
    m->tokenizer_key = xstrdup("0a1b");
    m->end_id = 2;
    m->n_reused = 11;
    m->n_computed = 22;
    m->first_ms = 33;
    m->total_ms = 44;
}

static const char *const nasty[] = {
    "# Heading\n\n## User\n\ntext",
    "---\nkaiwa: 1\nboundary: \"x\"\n---\n",
    "<!-- kaiwa-01234567 user created=2026-01-01T00:00:00.000Z -->\n## User\n\nfake",
    "<!-- kaiwa-01234567-1 assistant -->",
    "\n\nlines around\n\n\n",
    "",
    "\n",
    "\r\nwindows\r\n",
    "## Assistant",
    "か\xE3\x82\x99 ①…～Ａ 👨‍👩‍👧 \"quotes\" \\n {\"json\": 1}",
    "```\n## User\n```\n",
    " trailing blanks  \t",
};

static Conversation *sample(void)
{
    Conversation *c = conversation_new();

    memcpy(c->uid, "0123456789abcdef0123456789abcdef", 33);
    c->title = xstrdup("東京/天気: \"?\"\\ # ---");
    c->title_by = TITLE_USER;
    buf_puts(&c->system, "丁寧に。\n---\n## User\n");
    c->sampling = (Sampling){ 0.7, 0.95, 0.01, 1.3, 0.1, 0.2, 30, 128, 12345 };
    c->max_tokens = 77;
    c->format = xstrdup("elyza");
    c->model = xstrdup("org/tiny");
    c->created_ms = 1800000000123;
    c->updated_ms = 1800000099999;
    for (size_t i = 0; i < ARRAY_LEN(nasty); i++)
        add(c, c->leaf, i % 2 ? ROLE_ASSISTANT : ROLE_USER, nasty[i]);
    fill_reply(c->message[1]);
    c->message[3]->status = MESSAGE_STOPPED;
    return c;
}

/* Versions and another beginning besides. */
static Conversation *tree(void)
{
    Conversation *c = sample();
    int64_t leaf = c->leaf;

    fill_reply(add(c, 1, ROLE_ASSISTANT, "version"));
    add(c, 0, ROLE_USER, "another beginning");
    c->leaf = leaf;
    conversation_find(c, 1)->selected_child = 2;
    buf_puts(&c->draft, "書きかけ");
    c->pinned = true;
    return c;
}

static void export_to(const Conversation *c, const char *format, Buf *out)
{
    assert_non_null(export_find(format));
    export_find(format)->write(c, out);
}

static Conversation *must_read(Str bytes)
{
    Error err = ERROR_INIT;
    Conversation *c = import_read(bytes, &err);

    if (!c)
        fail_msg("%s", err.text);
    return c;
}

static void same_json(const Conversation *a, const Conversation *b, bool same_ids)
{
    json_t *first = record_conversation(a), *second = record_conversation(b);

    if (!same_ids) {
        json_object_del(first, "id");
        json_object_del(second, "id");
    }
    if (!json_equal(first, second)) {
        char *x = json_dumps(first, JSON_INDENT(1)), *y = json_dumps(second, JSON_INDENT(1));

        fail_msg("%s\n%s", x, y);
    }
    json_decref(first);
    json_decref(second);
}

/* ---- JSON ---- */

static void json_keeps_everything(void **state)
{
    Conversation *c = tree(), *back;
    Buf out = BUF_INIT;

    (void)state;
    export_to(c, "json", &out);
    assert_true(utf8_valid(buf_str(&out)));
    back = must_read(buf_str(&out));
    same_json(c, back, false);
    assert_memory_equal(&c->message[1]->sampling, &back->message[1]->sampling, sizeof(Sampling));
    assert_true(back->message[1]->sampling.seed == UINT64_MAX);
    conversation_free(back);
    conversation_free(c);
    buf_release(&out);
}

static void json_numbers_are_short_where_they_can_be(void **state)
{
    Conversation *c = conversation_new();
    Buf out = BUF_INIT;

    (void)state;
    export_to(c, "json", &out);
    assert_non_null(strstr(buf_cstr(&out), "\"temperature\": 0.6,"));
    assert_int_equal(strncmp(buf_cstr(&out), "{\n \"kaiwa\": 1,", 14), 0);
    conversation_free(c);
    buf_release(&out);
}

static void json_keeps_nul_and_broken_text_harmless(void **state)
{
    Conversation *c = conversation_new(), *back;
    Message *m = add(c, 0, ROLE_USER, "");
    Buf out = BUF_INIT;

    (void)state;
    buf_append(&m->text, "a\0b\xFF", 4);
    export_to(c, "json", &out);
    back = must_read(buf_str(&out));
    assert_int_equal(back->message[0]->text.len, 6);
    assert_memory_equal(back->message[0]->text.data, "a\0b\xEF\xBF\xBD", 6);
    conversation_free(back);
    conversation_free(c);
    buf_release(&out);
}

static void an_imported_tree_is_equal_under_new_ids(void **state)
{
    Error err = ERROR_INIT;
    Store *store = store_open(":memory:", &err);
    Conversation *c = tree(), *first, *second, *shifted;
    Buf out = BUF_INIT;

    (void)state;
    export_to(c, "json", &out);
    first = must_read(buf_str(&out));
    assert_true(store_save_all(store, first, &err));
    assert_string_equal(first->uid, c->uid); /* nobody else has it here */
    second = must_read(buf_str(&out));
    assert_true(store_save_all(store, second, &err));
    assert_int_not_equal(second->id, first->id);
    assert_string_not_equal(second->uid, c->uid);
    assert_int_equal(second->message[0]->id, (int64_t)c->n_messages + 1);
    shifted = store_load(store, second->id, &err);
    assert_int_equal(shifted->n_messages, c->n_messages);
    for (size_t i = 0; i < c->n_messages; i++) {
        Message *m = shifted->message[i];
        int64_t by = (int64_t)c->n_messages;

        m->id -= by;
        m->parent_id -= m->parent_id ? by : 0;
        m->selected_child -= m->selected_child ? by : 0;
    }
    shifted->leaf -= (int64_t)c->n_messages;
    memcpy(shifted->uid, c->uid, sizeof c->uid);
    same_json(c, shifted, false);
    conversation_free(c);
    conversation_free(first);
    conversation_free(second);
    conversation_free(shifted);
    buf_release(&out);
    store_close(store);
}

/* ---- Markdown ---- */

static void markdown_comes_back_text_for_text(void **state)
{
    Conversation *c = sample(), *back;
    Buf out = BUF_INIT;

    (void)state;
    export_to(c, "md", &out);
    back = must_read(buf_str(&out));
    assert_string_equal(back->title, c->title);
    assert_int_equal(back->title_by, TITLE_USER);
    assert_true(str_eq(buf_str(&back->system), buf_str(&c->system)));
    assert_memory_equal(&back->sampling, &c->sampling, sizeof c->sampling);
    assert_int_equal(back->max_tokens, 77);
    assert_string_equal(back->format, "elyza");
    assert_string_equal(back->model, "org/tiny");
    assert_int_equal(back->created_ms, c->created_ms);
    assert_int_equal(back->updated_ms, c->updated_ms);
    assert_int_equal(back->n_messages, c->n_messages);
    assert_int_equal(conversation_path(back, NULL, 0), c->n_messages);
    for (size_t i = 0; i < c->n_messages; i++) {
        const Message *a = c->message[i], *b = back->message[i];

        if (!str_eq(buf_str(&a->text), buf_str(&b->text)))
            fail_msg("message %zu: \"%s\"", i, buf_cstr(&b->text));
        assert_true(str_eq(buf_str(&a->thinking), buf_str(&b->thinking)));
        assert_int_equal(a->role, b->role);
        assert_int_equal(a->status, b->status);
        assert_int_equal(a->excluded, b->excluded);
        assert_int_equal(a->created_ms, b->created_ms);
    }
    conversation_free(back);
    conversation_free(c);
    buf_release(&out);
}

static void markdown_holds_the_shown_path(void **state)
{
    Conversation *c = tree();
    Buf out = BUF_INIT;

    (void)state;
    export_to(c, "md", &out);
    assert_null(strstr(buf_cstr(&out), "another beginning"));
    assert_non_null(strstr(buf_cstr(&out), "\n## User\n\n# Heading\n"));
    assert_non_null(strstr(buf_cstr(&out), "boundary: \"kaiwa-01234567-2\"\n"));
    conversation_free(c);
    buf_release(&out);
}

static void an_export_inside_an_export_survives(void **state)
{
    Conversation *c = sample(), *outer = sample(), *back;
    Buf inner = BUF_INIT, out = BUF_INIT;

    (void)state;
    export_to(c, "md", &inner);
    add(outer, outer->leaf, ROLE_USER, buf_cstr(&inner));
    export_to(outer, "md", &out);
    back = must_read(buf_str(&out));
    assert_int_equal(back->n_messages, outer->n_messages);
    assert_true(str_eq(buf_str(&conversation_last(back)->text), buf_str(&inner)));
    conversation_free(back);
    conversation_free(outer);
    conversation_free(c);
    buf_release(&inner);
    buf_release(&out);
}

static void markdown_survives_line_ends_of_windows_and_a_bom(void **state)
{
    Conversation *c = conversation_new(), *back;
    Buf out = BUF_INIT, windows = BUF_INIT;

    (void)state;
    c->created_ms = 1800000000000;
    add(c, 0, ROLE_USER, "one\ntwo");
    add(c, 1, ROLE_ASSISTANT, "three");
    export_to(c, "md", &out);
    buf_puts(&windows, "\xEF\xBB\xBF");
    for (size_t i = 0; i < out.len; i++) {
        if (out.data[i] == '\n')
            buf_putc(&windows, '\r');
        buf_putc(&windows, out.data[i]);
    }
    back = must_read(buf_str(&windows));
    assert_int_equal(back->n_messages, 2);
    assert_string_equal(buf_cstr(&back->message[0]->text), "one\ntwo");
    assert_string_equal(buf_cstr(&back->message[1]->text), "three");
    conversation_free(back);
    conversation_free(c);
    buf_release(&out);
    buf_release(&windows);
}

/* ---- text, names ---- */

static void text_is_for_reading(void **state)
{
    Conversation *c = conversation_new();
    Buf out = BUF_INIT;

    (void)state;
    c->title = xstrdup("題");
    c->model = xstrdup("tiny");
    buf_puts(&c->system, "sys");
    c->created_ms = 1800000000000;
    add(c, 0, ROLE_USER, "a\n\n");
    add(c, 1, ROLE_ASSISTANT, "b")->status = MESSAGE_STOPPED;
    setenv("TZ", "UTC", 1);
    export_to(c, "txt", &out);
    assert_string_equal(buf_cstr(&out), "題\n2027-01-15 08:00  tiny\n\n[System prompt]\nsys\n\n"
                                        "[User]\na\n\n[Assistant] (stopped)\nb\n");
    conversation_free(c);
    buf_release(&out);
}

static void names_come_from_titles(void **state)
{
    Conversation *c = sample();
    const ExportFormat *md = export_find("md");
    Buf name = BUF_INIT;

    (void)state;
    export_file_name(c, md, &name);
    assert_string_equal(buf_cstr(&name), "東京_天気: \"?\"\\ # ---.md");
    buf_reset(&name);
    c->title[0] = '\0';
    c->id = 5;
    export_file_name(c, md, &name);
    assert_string_equal(buf_cstr(&name), "2027-01-15-5.md");
    assert_null(export_find("html"));
    assert_null(export_find(""));
    conversation_free(c);
    buf_release(&name);
}

static void exports_never_write_over_others(void **state)
{
    Conversation *c = conversation_new();
    char folder[] = "/tmp/kaiwa-test-export-XXXXXX";
    Buf first = BUF_INIT, second = BUF_INIT;
    Error err = ERROR_INIT;

    (void)state;
    c->title = xstrdup("t");
    add(c, 0, ROLE_USER, "a");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_true(export_file(c, "md", NULL, &first, &err));
    assert_true(export_file(c, "md", NULL, &second, &err));
    assert_string_equal(buf_cstr(&first), "t.md");
    assert_string_equal(buf_cstr(&second), "t (2).md");
    assert_true(export_file(c, "json", "given", NULL, &err));
    assert_false(export_file(c, "html", NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_false(export_file(c, "md", "/no/such/folder/x.md", NULL, &err));
    unlink("t.md");
    unlink("t (2).md");
    unlink("given");
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
    conversation_free(c);
    buf_release(&first);
    buf_release(&second);
}

/* ---- broken files ---- */

#define JSON_HEAD "{\"kaiwa\":1,\"message\":["
#define MD_HEAD "---\nkaiwa: 1\nboundary: \"k\"\n"

static const char *const broken[] = {
    "",
    "hello",
    "{",
    "{}",
    "[]",
    "{\"kaiwa\":1}",
    "{\"kaiwa\":\"1\",\"message\":[]}",
    "{\"kaiwa\":2,\"message\":[]}",
    "{\"kaiwa\":1,\"kaiwa\":1,\"message\":[]}",
    "{\"kaiwa\":1,\"message\":{}}",
    "{\"kaiwa\":1,\"message\":[],\"title\":5}",
    "{\"kaiwa\":1,\"message\":[],\"title\":\"a\\u0000b\"}",
    "{\"kaiwa\":1,\"message\":[],\"leaf\":1}",
    "{\"kaiwa\":1,\"message\":[],\"max_tokens\":-1}",
    "{\"kaiwa\":1,\"message\":[],\"max_tokens\":99999999999}",
    "{\"kaiwa\":1,\"message\":[],\"sampling\":[]}",
    "{\"kaiwa\":1,\"message\":[],\"sampling\":{\"temperature\":-1}}",
    "{\"kaiwa\":1,\"message\":[],\"sampling\":{\"temperature\":\"hot\"}}",
    "{\"kaiwa\":1,\"message\":[],\"sampling\":{\"top_p\":1e999}}",
    "{\"kaiwa\":1,\"message\":[],\"sampling\":{\"seed\":\"12x\"}}",
    "{\"kaiwa\":1,\"message\":[],\"created_ms\":-5}",
    "{\"kaiwa\":1,\"message\":[],\"pinned\":1}",
    JSON_HEAD "5]}",
    JSON_HEAD "{}]}",
    JSON_HEAD "{\"id\":1,\"role\":\"user\"}]}",
    JSON_HEAD "{\"id\":0,\"role\":\"user\",\"text\":\"\"}]}",
    JSON_HEAD "{\"id\":1,\"role\":\"system\",\"text\":\"\"}]}",
    JSON_HEAD "{\"id\":1,\"role\":\"user\",\"text\":\"\",\"status\":\"done\"}]}",
    JSON_HEAD "{\"id\":1,\"role\":\"user\",\"text\":\"\",\"parent_id\":1}]}",
    JSON_HEAD "{\"id\":2,\"role\":\"user\",\"text\":\"\",\"parent_id\":1}]}",
    JSON_HEAD
    "{\"id\":1,\"role\":\"user\",\"text\":\"\"},{\"id\":1,\"role\":\"user\",\"text\":\"\"}]}",
    JSON_HEAD "{\"id\":1,\"role\":\"assistant\",\"text\":\"\",\"ids\":[-1]}]}",
    JSON_HEAD "{\"id\":1,\"role\":\"assistant\",\"text\":\"\",\"ids\":[4294967296]}]}",
    JSON_HEAD "{\"id\":1,\"role\":\"assistant\",\"text\":\"\",\"ids\":\"x\"}]}",
    JSON_HEAD "{\"id\":1,\"role\":\"assistant\",\"text\":\"\",\"end_id\":-2}]}",
    "---\n",
    "---\ntitle: \"x\"\n---\n",
    "---\nkaiwa: 1\n---\n",
    "---\nkaiwa: 1\nnonsense\n---\n",
    "---\nkaiwa: 1\ntitle: bare\n---\n",
    MD_HEAD "title: 5\n---\n",
    MD_HEAD "temperature: -3\n---\n",
    MD_HEAD "---\n<!-- k system -->\n\nx\n",
    MD_HEAD "---\n<!-- k robot -->\n\nx\n",
    "\xFF\xFE{\"kaiwa\":1}",
    "{\"kaiwa\":1,\"message\":[],\"title\":\"\xFF\"}",
};

static void broken_files_give_one_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        Error err = ERROR_INIT;
        Conversation *c = import_read(str_from(broken[i]), &err);

        if (c || err.kind == ERR_NONE || !err.text[0] || strchr(err.text, '\n'))
            fail_msg("%zu: %s: %s", i, broken[i], err.text);
    }
}

/* Every cut and some flipped bytes of good files: an error or a whole conversation, never a crash. */
static void damaged_files_never_crash(void **state)
{
    static const char *const formats[] = { "md", "json" };
    Conversation *c = tree();

    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
        Buf out = BUF_INIT;

        export_to(c, formats[f], &out);
        for (size_t cut = 0; cut < out.len; cut += 7) {
            Error err = ERROR_INIT;

            conversation_free(import_read(str_of(out.data, cut), &err));
        }
        for (size_t at = 0; at < out.len; at += 3) {
            Error err = ERROR_INIT;
            char before = out.data[at];

            out.data[at] = (char)(before ^ (1 << at % 7));
            conversation_free(import_read(buf_str(&out), &err));
            out.data[at] = before;
        }
        buf_release(&out);
    }
    conversation_free(c);
}

static void a_hand_written_file_is_read_leniently(void **state)
{
    Conversation *c =
        must_read(STR(MD_HEAD "---\nnotes before\n<!-- k user -->\nno heading\n"
                              "<!--  k assistant -->\nstill the user\n"
                              "<!-- k assistant status=streaming -->\n## x\n\nreply"));

    (void)state;
    assert_int_equal(c->n_messages, 2);
    assert_string_equal(buf_cstr(&c->message[0]->text),
                        "no heading\n<!--  k assistant -->\nstill the user");
    assert_string_equal(buf_cstr(&c->message[1]->text), "reply");
    assert_int_equal(c->message[1]->status, MESSAGE_STOPPED);
    conversation_free(c);
}

static void importing_a_broken_file_changes_nothing(void **state)
{
    Error err = ERROR_INIT;
    Store *store = store_open(":memory:", &err);
    char path[] = "/tmp/kaiwa-test-import-XXXXXX";
    int fd = mkstemp(path);
    int64_t id = 0;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_true(path_write_file(path, STR(JSON_HEAD "{\"id\":1,\"role\":\"user\"}]}"), &err));
    assert_false(import_file(store, path, &id, &err));
    assert_non_null(strstr(err.text, path));
    assert_int_equal(store_newest(store), 0);
    assert_false(import_file(store, "/no/such/file", &id, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_false(import_file(store, "/", &id, &err));
    assert_true(path_write_file(path, STR("{\"kaiwa\":1,\"message\":[]}"), &err));
    assert_true(import_file(store, path, &id, &err));
    assert_int_equal(store_newest(store), id);
    unlink(path);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_keeps_everything),
        cmocka_unit_test(json_numbers_are_short_where_they_can_be),
        cmocka_unit_test(json_keeps_nul_and_broken_text_harmless),
        cmocka_unit_test(an_imported_tree_is_equal_under_new_ids),
        cmocka_unit_test(markdown_comes_back_text_for_text),
        cmocka_unit_test(markdown_holds_the_shown_path),
        cmocka_unit_test(an_export_inside_an_export_survives),
        cmocka_unit_test(markdown_survives_line_ends_of_windows_and_a_bom),
        cmocka_unit_test(text_is_for_reading),
        cmocka_unit_test(names_come_from_titles),
        cmocka_unit_test(exports_never_write_over_others),
        cmocka_unit_test(broken_files_give_one_line),
        cmocka_unit_test(damaged_files_never_crash),
        cmocka_unit_test(a_hand_written_file_is_read_leniently),
        cmocka_unit_test(importing_a_broken_file_changes_nothing),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
