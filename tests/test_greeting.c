/* When the greeting of a first run is due, what it names, and that no conversation holds it. */
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

#include "src/base/path.h"
#include "src/chat.h"
#include "src/greeting.h"
#include "src/start.h"
#include "src/store.h"

typedef struct {
    ChatStart start;
    Options *options;
    char folder[64], db[96], script[96];
} World;

static void option(World *world, const char *name, const char *value)
{
    Error err = ERROR_INIT;

    assert_true(options_set(world->options, name, str_from(value), &err));
}

static void begin(World *world)
{
    StartWants wants = { .save = true };
    Error err = ERROR_INIT;

    assert_true(start_begin(&world->start, world->options, &wants, &err));
    assert_true(start_choose_conversation(&world->start, &err));
}

/* The program is left and opened once more. */
static void begin_again(World *world)
{
    start_end(&world->start);
    begin(world);
}

static int set_up(void **state)
{
    World *world = calloc(1, sizeof *world);
    char provider[128];
    Error err = ERROR_INIT;

    snprintf(world->folder, sizeof world->folder, "/tmp/kaiwa-greeting-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->db, sizeof world->db, "%s/kaiwa.db", world->folder);
    snprintf(world->script, sizeof world->script, "%s/script", world->folder);
    snprintf(provider, sizeof provider, "script:%s", world->script);
    assert_true(path_write_file(world->script, STR("open tiny 100\nreply\ntext yes\n"), &err));
    world->options = options_new();
    option(world, "db", world->db);
    option(world, "provider", provider);
    begin(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    World *world = *state;
    char command[96];

    start_end(&world->start);
    options_free(world->options);
    snprintf(command, sizeof command, "rm -rf %s", world->folder);
    assert_int_equal(system(command), 0);
    free(world);
    return 0;
}

static bool says(const World *world, const char *words)
{
    Buf text = BUF_INIT;
    bool found;

    greeting_write(&world->start, &text);
    found = strstr(buf_cstr(&text), words) != NULL;
    buf_release(&text);
    return found;
}

static void a_first_run_is_greeted_until_it_was_seen(void **state)
{
    World *world = *state;

    assert_true(greeting_is_due(&world->start));
    begin_again(world); /* it could not be shown */
    assert_true(greeting_is_due(&world->start));
    greeting_was_shown(&world->start);
    assert_false(greeting_is_due(&world->start));
    begin_again(world);
    assert_false(greeting_is_due(&world->start));
}

static void whoever_has_a_conversation_is_no_newcomer(void **state)
{
    World *world = *state;
    Error err = ERROR_INIT;

    assert_true(chat_set_draft(world->start.chat, STR("half a thought"), &err));
    chat_save_now(world->start.chat);
    assert_true(store_newest(world->start.store) != 0);
    assert_false(greeting_is_due(&world->start));
}

static void a_chat_that_opens_with_a_message_is_not_held_up(void **state)
{
    World *world = *state;

    world->start.first_message = "hello";
    assert_false(greeting_is_due(&world->start));
    world->start.first_message = NULL;
    assert_true(greeting_is_due(&world->start));
}

static void a_private_chat_is_not_greeted_each_time(void **state)
{
    World *world = *state;

    option(world, "private", "yes");
    begin_again(world);
    assert_false(greeting_is_due(&world->start));
}

static void it_is_no_part_of_the_conversation(void **state)
{
    World *world = *state;

    assert_true(says(world, "Welcome"));
    greeting_was_shown(&world->start);
    chat_save_now(world->start.chat);
    assert_int_equal(chat_conversation(world->start.chat)->n_messages, 0);
    assert_true(store_newest(world->start.store) == 0);
}

static void it_names_every_file_and_step(void **state)
{
    static const char *const words[] = {
        "config.json",
        "quantize_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "gptq_model-4bit-128g.safetensors",
        START_MODEL,
        "kaiwa models add",
        "kaiwa models verify",
        "kaiwa -m",
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!says(*state, words[i]))
            fail_msg("%s is missing", words[i]);
}

static void it_says_who_answers_until_then(void **state)
{
    World *world = *state;

    Buf guide = BUF_INIT;
    bool bundled = start_bundled(&guide);

    if (bundled) {
        option(world, "model", buf_cstr(&guide));
        assert_true(says(world, "tiny bundled model"));
    }
    option(world, "model", "/somewhere/else");
    assert_false(says(world, "Until then"));
    option(world, "model", "");
    option(world, "provider", "local");
    assert_int_equal(says(world, "no model is open"), !bundled);
    assert_int_equal(says(world, "tiny bundled model"), bundled);
    buf_release(&guide);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_first_run_is_greeted_until_it_was_seen),
        TEST(whoever_has_a_conversation_is_no_newcomer),
        TEST(a_chat_that_opens_with_a_message_is_not_held_up),
        TEST(a_private_chat_is_not_greeted_each_time),
        TEST(it_is_no_part_of_the_conversation),
        TEST(it_names_every_file_and_step),
        TEST(it_says_who_answers_until_then),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
