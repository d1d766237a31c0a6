/* The provider that plays a script. */
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

#include "src/provider_script.h"
#include "tests/provider_rig.h"

static const char SCRIPT[] = "# a script\n"
                             "open tiny 100\n"
                             "progress 1 2\n"
                             "\n"
                             "reply\n"
                             "text one \\\\ two\\n\n"
                             "text three\\s\n"
                             "done length\n"
                             "reply\n"
                             "window 3\n"
                             "usage 50 20\n"
                             "timing 7 6 100\n"
                             "progress 30 30\n"
                             "stream 0 a bc 日本\n"
                             "reply\n"
                             "text x\n"
                             "fail the device: gone; try again\n";

static int open_script_text(void **state, const char *text)
{
    char path[] = "/tmp/kaiwa-script-XXXXXX", spec[64];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    snprintf(spec, sizeof spec, "script:%s", path);
    open_record(state, spec);
    unlink(path);
    return 0;
}

static int open_script(void **state)
{
    return open_script_text(state, SCRIPT);
}

static void scripts_play_their_replies_in_order(void **state)
{
    Record *r = *state;
    Request *request = generate_request("Hello", 0);
    Buf text = BUF_INIT;
    Tokens ids = TOKENS_INIT;

    open_model(r, "any", 0);
    assert_string_equal(last(r)->model.name, "tiny");
    assert_int_equal(last(r)->model.context, 100);
    assert_true(generate(r, request));
    join(r, &text, &ids);
    assert_string_equal(buf_cstr(&text), "one \\ two\nthree ");
    assert_int_equal(last(r)->reason, DONE_LENGTH);
    assert_true(generate(r, request));
    assert_int_equal(r->event[0]->kind, EVENT_STARTED);
    assert_int_equal(r->event[0]->window_from, 3);
    assert_int_equal(r->event[0]->usage.computed, 30);
    assert_int_equal(r->n, 8); /* started, progress, "a", " bc", " ", 日, 本, done */
    assert_int_equal(last(r)->usage.generated, 5);
    assert_true(last(r)->timing.first == 7 && last(r)->timing.decode == 100);
    request_free(request);
    buf_release(&text);
    tokens_release(&ids);
}

static void scripts_count_tokens_as_a_session_would(void **state)
{
    Record *r = *state;
    Request *request = generate_request("Hello you", 0);

    open_model(r, "any", 0);
    assert_true(generate(r, request));
    Usage first = last(r)->usage;
    assert_int_equal(first.reused, 0);
    request_add(request, ROLE_ASSISTANT, STR("one \\ two\nthree "));
    request_add(request, ROLE_USER, STR("Next"));
    forget(r);
    assert_true(r->provider->kind->plan(r->provider, request, &r->sink));
    assert_int_equal(last(r)->usage.reused, first.prompt + first.generated - 1);
    request_free(request);
}

static void a_script_can_fail(void **state)
{
    Record *r = *state;
    Request *request = generate_request("Hello", 0);

    open_model(r, "any", 0);
    generate(r, request);
    generate(r, request);
    assert_false(generate(r, request));
    assert_string_equal(last(r)->error.text, "the device: gone; try again");
    assert_true(generate(r, request)); /* from the start again */
    assert_int_equal(last(r)->reason, DONE_LENGTH);
    request_free(request);
}

static void a_closed_gate_lets_through_what_is_released(void **state)
{
    Record *r = *state;
    Request *request = generate_request("Hello", 0);

    open_model(r, "any", 0);
    provider_script_gate(true);
    provider_script_release(2);
    r->stop_at_poll = 20;
    assert_true(generate(r, request));
    /* started and one text; then the stop, which passes by itself */
    assert_int_equal(r->n, 3);
    assert_int_equal(r->event[1]->kind, EVENT_TEXT);
    assert_int_equal(last(r)->reason, DONE_CANCELLED);
    request_free(request);
}

static void broken_scripts_are_refused_with_their_line(void **state)
{
    static const char *const wrong[] = {
        "open x\n",  "reply\nsing a song\n", "reply\nusage 1\n",
        "reply x\n", "reply\nwait -1\n",     "reply\nprogress 1 2 3\n",
        ""
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char path[] = "/tmp/kaiwa-script-XXXXXX", spec[64];
        Error err = ERROR_INIT;
        int fd = mkstemp(path);
        assert_int_equal(write(fd, wrong[i], strlen(wrong[i])), strlen(wrong[i]));
        close(fd);
        snprintf(spec, sizeof spec, "script:%s", path);
        assert_null(provider_open(spec, &err));
        assert_int_equal(err.kind, ERR_FORMAT);
        unlink(path);
    }
}

#define SCRIPT(test) cmocka_unit_test_setup_teardown(test, open_script, close_record)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPT(scripts_play_their_replies_in_order),
        SCRIPT(scripts_count_tokens_as_a_session_would),
        SCRIPT(a_script_can_fail),
        SCRIPT(a_closed_gate_lets_through_what_is_released),
        cmocka_unit_test(broken_scripts_are_refused_with_their_line),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("scripts", tests, NULL, NULL);
}
