/* Slash commands over a real chat whose replies come from a script: how lines are read, what every
 * command does, and what is refused. */
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
#include "src/base/path.h"
#include "src/chat.h"
#include "src/slash.h"
#include "src/start.h"

typedef struct {
    ChatStart start;
    Buf out, notice, view, argument, draft;
    SlashContext context;
    SlashResult result;
    Error err;
    char script[64], conf[64];
} World;

static void write_temporary(char path[64], const char *text)
{
    Error err = ERROR_INIT;
    int fd;

    snprintf(path, 64, "/tmp/kaiwa-test-slash-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_true(path_write_file(path, str_from(text), &err));
}

/* Takes events until nothing runs any more. */
static void settle(World *world)
{
    for (int i = 0; i < 1000 && chat_status(world->start.chat)->state != CHAT_IDLE; i++) {
        Event *event;

        worker_wait(world->start.worker, 10);
        while ((event = worker_take(world->start.worker))) {
            if (chat_event(world->start.chat, event) & CHAT_CHANGED_MODEL)
                start_model_changed(&world->start);
            event_free(event);
        }
    }
    assert_int_equal(chat_status(world->start.chat)->state, CHAT_IDLE);
}

static int set_up(void **state)
{
    World *world = calloc(1, sizeof *world);
    StartWants wants = { .save = true };
    Options *options = options_new();
    Buf provider = BUF_INIT, warnings = BUF_INIT;
    Error err = ERROR_INIT;

    write_temporary(world->script,
                    "open tiny 100\nreply\ntext first reply\nreply\ntext second reply\n");
    write_temporary(
        world->conf,
        "system = usual\n[persona cook]\nsystem = \xE6\x96\x99\xE7\x90\x86\ntemperature = 0.25\n"
        "max-tokens = 9\n");
    buf_printf(&provider, "script:%s", world->script);
    assert_true(options_set(options, "provider", buf_str(&provider), &err));
    assert_true(options_set(options, "private", STR("yes"), &err));
    assert_true(options_read_file(options, world->conf, &warnings, &err));
    assert_int_equal(warnings.len, 0);
    assert_true(start_begin(&world->start, options, &wants, &err));
    assert_true(start_choose_conversation(&world->start, &err));
    assert_true(start_open_model(&world->start, NULL, &err));
    settle(world);
    world->context = (SlashContext){ .start = &world->start,
                                     .out = &world->out,
                                     .notice = &world->notice,
                                     .view = &world->view,
                                     .argument = &world->argument,
                                     .draft = &world->draft,
                                     .plain = true };
    buf_release(&provider);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    World *world = *state;
    Options *options = world->start.options;

    start_end(&world->start);
    options_free(options);
    unlink(world->script);
    unlink(world->conf);
    buf_release(&world->out);
    buf_release(&world->notice);
    buf_release(&world->view);
    buf_release(&world->argument);
    buf_release(&world->draft);
    free(world);
    return 0;
}

/* Runs a command; its words are in out, notice and err. */
static SlashResult run(World *world, const char *line)
{
    Str message;

    buf_reset(&world->out);
    buf_reset(&world->notice);
    buf_reset(&world->view);
    buf_reset(&world->argument);
    world->err = (Error)ERROR_INIT;
    assert_true(slash_run(&world->context, str_from(line), &message, &world->result, &world->err));
    assert_int_equal(world->result == SLASH_NONE, world->err.kind != ERR_NONE);
    settle(world);
    return world->result;
}

static void fails(World *world, const char *line, const char *says)
{
    if (run(world, line) != SLASH_NONE || !strstr(world->err.text, says))
        fail_msg("%s: \"%s\", not \"%s\"", line, world->err.text, says);
}

static void say(World *world, const char *text)
{
    Error err = ERROR_INIT;

    assert_true(chat_send(world->start.chat, str_from(text), &err));
    settle(world);
}

static const Conversation *talk(const World *world)
{
    return chat_conversation(world->start.chat);
}

static size_t shown(const World *world)
{
    return conversation_path(talk(world), NULL, 0);
}

static const char *last_text(const World *world)
{
    return buf_cstr(&conversation_last(talk(world))->text);
}

static void only_a_line_that_begins_with_a_slash_is_a_command(void **state)
{
    static const struct {
        const char *line, *message; /* NULL: a command */
    } cases[] = {
        { "hello", "hello" },
        { " /help", " /help" },
        { "//help", "/help" },
        { "///", "//" },
        { "\xEF\xBC\x8F\xEF\xBC\x8Fx", "\xEF\xBC\x8Fx" },
        { "/\xEF\xBC\x8Fx", "\xEF\xBC\x8Fx" },
        { "", "" },
        { "/help", NULL },
        { "/nonsense", NULL },
        { "/", NULL },
        { "/ help", NULL },
        { "/usr/bin/env is a path", NULL },
    };
    World *world = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Str message;
        SlashResult result;
        Error err = ERROR_INIT;
        bool is_command =
            slash_run(&world->context, str_from(cases[i].line), &message, &result, &err);

        if (is_command != (cases[i].message == NULL))
            fail_msg("\"%s\"", cases[i].line);
        if (!is_command)
            assert_true(str_eq_c(message, cases[i].message));
    }
}

static void a_name_may_be_full_width_and_in_capitals(void **state)
{
    World *world = *state;

    assert_int_equal(run(world, "\xEF\xBC\x8F\xEF\xBD\x88\xEF\xBD\x85\xEF\xBD\x8C\xEF\xBD\x90"),
                     SLASH_DONE);
    assert_int_equal(run(world, "/HELP"), SLASH_DONE);
    /* An ideographic space parts name and argument. */
    assert_int_equal(run(world, "/rename\xE3\x80\x80\xE9\xA1\x8C\xE3\x80\x80"), SLASH_DONE);
    assert_string_equal(talk(world)->title, "\xE9\xA1\x8C");
}

static void unknown_commands_are_refused(void **state)
{
    World *world = *state;

    fails(world, "/nonsense a b", "/nonsense: unknown command; /help lists them");
    fails(world, "/", "unknown command");
    fails(world, "/usr/bin/env is a path", "unknown command");
    assert_int_equal(shown(world), 0);
}

static void help_shows_every_row(void **state)
{
    World *world = *state;
    size_t n;
    const SlashRow *rows = slash_table(&n);

    assert_int_equal(run(world, "/help"), SLASH_DONE);
    for (size_t i = 0; i < n; i++) {
        Buf name = BUF_INIT;

        buf_printf(&name, "/%s", rows[i].name);
        assert_non_null(strstr(buf_cstr(&world->out), buf_cstr(&name)));
        buf_release(&name);
    }
    assert_int_equal(run(world, "/help /set"), SLASH_DONE);
    assert_true(str_starts(buf_str(&world->out), STR("/set NAME VALUE")));
    fails(world, "/help nonsense", "no command nonsense");
}

static void on_the_screen_some_commands_open_a_view(void **state)
{
    static const char *const lines[][3] = {
        { "/help", "help", "commands" },
        { "/keys", "help", "keys" },
        { "/list tokyo", "list", "tokyo" },
        { "/system", "system", "" },
    };
    World *world = *state;

    world->context.plain = false;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        assert_int_equal(run(world, lines[i][0]), SLASH_VIEW);
        assert_string_equal(buf_cstr(&world->view), lines[i][1]);
        assert_string_equal(buf_cstr(&world->argument), lines[i][2]);
    }
}

static void set_changes_what_the_conversation_remembers(void **state)
{
    World *world = *state;

    assert_int_equal(run(world, "/set temperature 0.125"), SLASH_DONE);
    assert_int_equal(run(world, "/set top_k=3 max 17 seed = 12345678901"), SLASH_DONE);
    assert_true(talk(world)->sampling.temperature == 0.125);
    assert_int_equal(talk(world)->sampling.top_k, 3);
    assert_int_equal(talk(world)->max_tokens, 17);
    assert_true(talk(world)->sampling.seed == 12345678901);
    fails(world, "/set nonsense 1", "nonsense: unknown setting");
    fails(world, "/set top-k", "a value is missing");
    fails(world, "/set top-k x", "top-k: \"x\" is not a whole number");
    fails(world, "/set model x", "model: unknown setting");
    assert_int_equal(run(world, "/params"), SLASH_DONE);
    assert_non_null(strstr(buf_cstr(&world->out), "temperature 0.125\n"));
    assert_int_equal(run(world, "/params reset"), SLASH_DONE);
    assert_true(talk(world)->sampling.temperature == 0.6);
    assert_int_equal(talk(world)->max_tokens, 0);
}

static void system_is_set_shown_and_reset(void **state)
{
    World *world = *state;

    assert_string_equal(buf_cstr(&talk(world)->system), "usual");
    assert_int_equal(run(world, "/system two\nlines"), SLASH_DONE);
    assert_string_equal(buf_cstr(&talk(world)->system), "two\nlines");
    assert_int_equal(run(world, "/system show"), SLASH_DONE);
    assert_string_equal(buf_cstr(&world->out), "two\nlines\n");
    assert_int_equal(run(world, "/system reset"), SLASH_DONE);
    assert_string_equal(buf_cstr(&talk(world)->system), "usual");
}

static void a_persona_brings_its_settings(void **state)
{
    World *world = *state;

    assert_int_equal(run(world, "/persona"), SLASH_DONE);
    assert_string_equal(buf_cstr(&world->out), "cook\n");
    assert_int_equal(run(world, "/persona cook"), SLASH_DONE);
    assert_string_equal(buf_cstr(&talk(world)->system), "\xE6\x96\x99\xE7\x90\x86");
    assert_true(talk(world)->sampling.temperature == 0.25);
    assert_int_equal(talk(world)->max_tokens, 9);
    fails(world, "/persona poet", "poet: no such persona");
}

static void retry_edit_and_undo_keep_what_was_there(void **state)
{
    World *world = *state;

    fails(world, "/retry", "");
    fails(world, "/edit new", "no message to edit yet");
    say(world, "one");
    assert_string_equal(last_text(world), "first reply");
    assert_int_equal(run(world, "/retry temp=0.5"), SLASH_DONE);
    assert_string_equal(last_text(world), "second reply");
    assert_true(talk(world)->sampling.temperature == 0.5);
    assert_int_equal(shown(world), 2);
    assert_int_equal(talk(world)->n_messages, 3);
    assert_int_equal(run(world, "/edit another question"), SLASH_DONE);
    assert_int_equal(shown(world), 2);
    assert_int_equal(talk(world)->n_messages, 5);
    fails(world, "/edit 2 text", "message 2 is a reply");
    fails(world, "/edit 3 text", "3: no such message");
    assert_int_equal(run(world, "/undo"), SLASH_DONE);
    assert_int_equal(shown(world), 0);
    assert_int_equal(talk(world)->n_messages, 5);
    fails(world, "/undo x", "write a number");
    fails(world, "/stop", "nothing is running");
}

static void messages_can_be_kept_from_the_model(void **state)
{
    World *world = *state;
    Message *path[2];

    say(world, "one");
    assert_int_equal(run(world, "/exclude 2"), SLASH_DONE);
    conversation_path(talk(world), path, 2);
    assert_true(path[1]->excluded);
    assert_int_equal(run(world, "/ctx"), SLASH_DONE);
    assert_non_null(strstr(buf_cstr(&world->out), "(excluded)"));
    assert_int_equal(run(world, "/exclude 2 off"), SLASH_DONE);
    conversation_path(talk(world), path, 2);
    assert_false(path[1]->excluded);
    fails(world, "/exclude", "no such message");
    fails(world, "/exclude 2 nonsense", "write /exclude N");
}

static void conversations_are_left_found_and_opened(void **state)
{
    World *world = *state;
    int64_t first;
    Buf line = BUF_INIT;

    fails(world, "/resume", "there is no other conversation");
    fails(world, "/delete", "this conversation is empty");
    say(world, "tokyo");
    first = talk(world)->id;
    assert_true(first > 0);
    assert_int_equal(run(world, "/new other"), SLASH_DONE);
    assert_string_equal(buf_cstr(&talk(world)->system), "usual");
    say(world, "kyoto");
    assert_int_not_equal(talk(world)->id, first);
    assert_int_equal(run(world, "/list"), SLASH_DONE);
    assert_non_null(strstr(buf_cstr(&world->out), "\tother\n"));
    assert_non_null(strstr(buf_cstr(&world->out), "\ttokyo\n"));
    assert_int_equal(run(world, "/search tokyo"), SLASH_DONE);
    assert_non_null(strstr(buf_cstr(&world->out), "tokyo"));
    assert_int_equal(run(world, "/resume"), SLASH_DONE);
    assert_int_equal(talk(world)->id, first);
    assert_int_equal(run(world, "/open other"), SLASH_DONE);
    buf_printf(&line, "/open %lld", (long long)first);
    assert_int_equal(run(world, buf_cstr(&line)), SLASH_DONE);
    assert_int_equal(talk(world)->id, first);
    fails(world, "/open nonsense", "");
    assert_int_equal(run(world, "/fork 1"), SLASH_DONE);
    assert_int_not_equal(talk(world)->id, first);
    assert_int_equal(shown(world), 1);
    buf_release(&line);
}

static void what_is_deleted_can_be_brought_back(void **state)
{
    World *world = *state;
    int64_t id;

    fails(world, "/undelete", "nothing is deleted");
    say(world, "tokyo");
    id = talk(world)->id;
    assert_int_equal(run(world, "/delete"), SLASH_DONE);
    assert_int_equal(talk(world)->n_messages, 0);
    assert_int_equal(run(world, "/list"), SLASH_DONE);
    assert_int_equal(world->out.len, 0);
    assert_int_equal(run(world, "/undelete"), SLASH_DONE);
    assert_int_equal(talk(world)->id, id);
    assert_int_equal(shown(world), 2);
    fails(world, "/undelete x", "the number of a conversation is needed");
}

static void a_file_goes_into_the_next_message_with_its_size(void **state)
{
    World *world = *state;
    char path[64];
    Buf line = BUF_INIT;

    write_temporary(path, "one ```two``` three\n");
    buf_printf(&line, "/file %s", path);
    assert_int_equal(run(world, buf_cstr(&line)), SLASH_DONE);
    assert_non_null(strstr(buf_cstr(&world->notice), "the prompt has"));
    assert_non_null(strstr(buf_cstr(&world->draft), "\n````\none ```two``` three\n````\n"));
    unlink(path);
    fails(world, buf_cstr(&line), "No such file");
    fails(world, "/file", "a file is missing");
    fails(world, "/file /tmp", "");
    buf_release(&line);
}

static void export_and_import_keep_the_conversation(void **state)
{
    World *world = *state;
    char path[64];
    Buf line = BUF_INIT;
    int64_t id;

    say(world, "tokyo");
    id = talk(world)->id;
    write_temporary(path, "");
    unlink(path);
    buf_printf(&line, "/export json %s", path);
    assert_int_equal(run(world, buf_cstr(&line)), SLASH_DONE);
    fails(world, "/export nonsense/ x/y", "");
    buf_reset(&line);
    buf_printf(&line, "/import %s", path);
    assert_int_equal(run(world, buf_cstr(&line)), SLASH_DONE);
    assert_int_not_equal(talk(world)->id, id);
    assert_int_equal(shown(world), 2);
    assert_string_equal(last_text(world), "first reply");
    unlink(path);
    fails(world, buf_cstr(&line), "");
    buf_release(&line);
}

static void completions(World *world, const char *line, const char *wanted)
{
    Buf out = BUF_INIT;

    slash_complete(&world->context, str_from(line), &out);
    if (strcmp(buf_cstr(&out), wanted) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", line, buf_cstr(&out), wanted);
    buf_release(&out);
}

static void names_and_arguments_are_completed(void **state)
{
    World *world = *state;

    completions(world, "/und", "/undelete\n/undo\n");
    completions(world, "/stat", "/stats\n");
    completions(world, "/nonsense", "");
    completions(world, "hello", "");
    completions(world, "/set top", "top-k\ntop-p\n");
    completions(world, "/persona ", "cook\n");
    completions(world, "/export m", "md\n");
    completions(world, "/help und", "undelete\nundo\n");
    completions(world, "/system r", "reset\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(only_a_line_that_begins_with_a_slash_is_a_command),
        TEST(a_name_may_be_full_width_and_in_capitals),
        TEST(unknown_commands_are_refused),
        TEST(help_shows_every_row),
        TEST(on_the_screen_some_commands_open_a_view),
        TEST(set_changes_what_the_conversation_remembers),
        TEST(system_is_set_shown_and_reset),
        TEST(a_persona_brings_its_settings),
        TEST(retry_edit_and_undo_keep_what_was_there),
        TEST(messages_can_be_kept_from_the_model),
        TEST(conversations_are_left_found_and_opened),
        TEST(what_is_deleted_can_be_brought_back),
        TEST(a_file_goes_into_the_next_message_with_its_size),
        TEST(export_and_import_keep_the_conversation),
        TEST(names_and_arguments_are_completed),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
