/* The local provider, asked directly: the events of a reply in their order, usage to the token,
 * stop strings, the window over a long conversation, and plans. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/base/mem.h"
#include "src/base/utf8.h"
#include "src/stop_filter.h"
#include "tests/provider_rig.h"
#include "tests/tiny_model.h"

static int open_local(void **state, const TinySpec *spec, int context)
{
    open_record(state, "local");
    Record *r = *state;
    snprintf(r->dir, sizeof r->dir, "%s", tiny_temp_dir());
    assert_true(tiny_model_write(r->dir, spec));
    open_model(r, tiny_model_path(r->dir, spec), context);
    return 0;
}

static int open_chatml(void **state)
{
    const TinySpec spec = { .kind = TINY_HF_F16, .chat = TINY_CHATML, .seed = 5 };
    return open_local(state, &spec, 0);
}

static int open_small(void **state)
{
    const TinySpec spec = { .kind = TINY_HF_F16, .chat = TINY_LLAMA2, .seed = 5 };
    return open_local(state, &spec, 200);
}

/* Adds the reply that was recorded, as the chat would. */
static void add_reply(const Record *r, Request *request, const char *tokenizer_key)
{
    Buf text = BUF_INIT;
    Tokens ids = TOKENS_INIT;
    join(r, &text, &ids);
    RequestMessage *message = request_add(request, ROLE_ASSISTANT, buf_str(&text));
    message->ids = ids;
    message->tokenizer_key = xstrdup(tokenizer_key);
    buf_release(&text);
}

/* ---- a reply ---- */

static void opening_tells_what_the_model_is(void **state)
{
    Record *r = *state;
    const Event *opened = find(r, EVENT_OPENED);

    assert_non_null(opened);
    assert_string_equal(opened->model.chat_format, "chatml");
    assert_string_equal(opened->model.quant, "none");
    assert_int_equal(opened->model.context, 512);
    assert_int_equal(strlen(opened->model.tokenizer_key), 32);
    assert_true(strncmp(opened->model.backend, "cpu: ", 5) == 0);
    assert_int_equal(r->event[0]->kind, EVENT_PROGRESS);
    assert_int_equal(r->event[0]->phase, PHASE_LOAD);
}

static void a_reply_is_started_texts_and_done(void **state)
{
    Record *r = *state;
    Request *request = generate_request("Hello", 12);
    Buf text = BUF_INIT;
    Tokens ids = TOKENS_INIT;

    request->want_ids = true;
    assert_true(generate(r, request));
    const Event *started = r->event[0], *done = last(r);
    assert_int_equal(started->kind, EVENT_STARTED);
    assert_int_equal(started->usage.reused, 0);
    assert_int_equal(started->usage.computed, started->usage.prompt);
    assert_int_equal(started->usage.context, 512);
    assert_int_equal(done->kind, EVENT_DONE);
    assert_int_equal(done->reason, DONE_LENGTH);
    assert_int_equal(done->end_id, -1);
    assert_int_equal(done->usage.generated, 12);
    assert_int_equal(done->prompt_ids.n, done->usage.prompt);
    assert_true(done->timing.prefill > 0 && done->timing.first >= done->timing.prefill &&
                done->timing.decode > 0);
    join(r, &text, &ids);
    assert_int_equal(ids.n, 12);
    assert_true(text.len > 0);
    assert_true(r->polls >= 12 - 1);
    buf_release(&text);
    tokens_release(&ids);
    request_free(request);
}

static void three_turns_compute_only_what_is_new(void **state)
{
    Record *r = *state;
    char *key = xstrdup(find(r, EVENT_OPENED)->model.tokenizer_key);
    Request *request = generate_request("Hello", 6);
    int cached = 0;

    for (int turn = 0; turn < 3; turn++) {
        assert_true(generate(r, request));
        Usage usage = last(r)->usage;
        assert_int_equal(usage.reused, cached);
        assert_int_equal(usage.computed, usage.prompt - cached);
        cached = usage.prompt + usage.generated - 1;
        if (turn == 2) { /* the same once more: regenerate */
            assert_true(generate(r, request));
            assert_int_equal(last(r)->usage.computed, 1);
        }
        add_reply(r, request, key);
        request_add(request, ROLE_USER, STR("And then?"));
    }
    free(key);
    request_free(request);
}

static void ids_of_another_tokenizer_are_not_used(void **state)
{
    Record *r = *state;
    Request *request = generate_request("Hello", 1);
    RequestMessage *message = request_add(request, ROLE_ASSISTANT, STR("Yes"));
    int with_text;

    tokens_push(&message->ids, 5);
    tokens_push(&message->ids, 1 << 30);
    message->tokenizer_key = xstrdup("of another model");
    request_add(request, ROLE_USER, STR("So"));
    assert_true(generate(r, request));
    with_text = last(r)->usage.prompt;
    tokens_truncate(&request->message[1].ids, 0);
    assert_true(generate(r, request));
    assert_int_equal(last(r)->usage.prompt, with_text);
    request_free(request);
}

static void a_stop_string_ends_the_reply_before_it(void **state)
{
    Record *r = *state;
    Request *request = generate_request("Hello", 30);
    Buf text = BUF_INIT, cut = BUF_INIT;
    Tokens ids = TOKENS_INIT, cut_ids = TOKENS_INIT;

    assert_true(generate(r, request));
    join(r, &text, &ids);
    size_t from = utf8_floor(buf_str(&text), text.len / 2),
           to = utf8_floor(buf_str(&text), text.len / 2 + 9);
    Str stop = str_sub(buf_str(&text), from, to - from);
    request->stop = xcalloc(2, sizeof *request->stop);
    request->stop[0] = xstrdup("never said");
    request->stop[1] = xstrndup(stop.data, stop.len);
    request->n_stop = 2;
    assert_true(generate(r, request));
    join(r, &cut, &cut_ids);
    assert_int_equal(last(r)->reason, DONE_STOP);
    assert_true(
        str_eq(buf_str(&cut), str_sub(buf_str(&text), 0, (size_t)str_find(buf_str(&text), stop))));
    assert_int_equal(tokens_common(ids.ids, ids.n, cut_ids.ids, cut_ids.n), cut_ids.n);
    assert_true(cut_ids.n < ids.n);
    assert_int_equal(last(r)->usage.generated, cut_ids.n);
    buf_release(&text);
    buf_release(&cut);
    tokens_release(&ids);
    tokens_release(&cut_ids);
    request_free(request);
}

static void a_stopped_reply_keeps_what_came_and_goes_on(void **state)
{
    Record *r = *state;
    char *key = xstrdup(find(r, EVENT_OPENED)->model.tokenizer_key);
    Request *whole = generate_request("Hello", 16), *part = generate_request("Hello", 16);
    Buf text = BUF_INIT, joined = BUF_INIT;
    Tokens ids = TOKENS_INIT, joined_ids = TOKENS_INIT;

    assert_true(generate(r, whole));
    join(r, &text, &ids);
    r->stop_at_poll = 6;
    assert_true(generate(r, part));
    assert_int_equal(last(r)->reason, DONE_CANCELLED);
    assert_true(last(r)->usage.generated < 16);
    join(r, &joined, &joined_ids);
    r->stop_at_poll = 0;
    add_reply(r, part, key);
    part->continue_last = true;
    part->max_tokens = 16 - (int)joined_ids.n;
    assert_true(generate(r, part));
    /* All but the last token of the part is in the cache. */
    assert_int_equal(last(r)->usage.computed, 1);
    join(r, &joined, &joined_ids);
    assert_int_equal(joined_ids.n, ids.n);
    assert_memory_equal(joined_ids.ids, ids.ids, ids.n * sizeof(int32_t));
    assert_string_equal(buf_cstr(&joined), buf_cstr(&text));
    buf_release(&text);
    buf_release(&joined);
    tokens_release(&ids);
    tokens_release(&joined_ids);
    free(key);
    request_free(whole);
    request_free(part);
}

static void raw_text_and_ids_are_the_prompt_as_they_are(void **state)
{
    Record *r = *state;
    Request *raw = generate_request("Hello", 4), *ids = generate_request(NULL, 4);

    raw->raw = raw->want_ids = true;
    assert_true(generate(r, raw));
    tokens_append(&ids->prompt_ids, last(r)->prompt_ids.ids, last(r)->prompt_ids.n);
    assert_true(ids->prompt_ids.n > 0);
    ids->use_ids = ids->want_ids = true;
    assert_true(generate(r, ids));
    assert_int_equal(last(r)->usage.computed, 1);
    assert_int_equal(last(r)->prompt_ids.n, ids->prompt_ids.n);
    ids->prompt_ids.ids[0] = 1 << 30;
    assert_false(generate(r, ids));
    assert_int_equal(last(r)->kind, EVENT_FAILED);
    assert_int_equal(last(r)->error.kind, ERR_USAGE);
    request_free(raw);
    request_free(ids);
}

/* ---- the window ---- */

static const char LONG_TEXT[] = "This is a sentence. This is a sentence. ";

static void add_turns(Request *request, int n)
{
    for (int i = 0; i < n; i++) {
        request_add(request, ROLE_USER, str_from(LONG_TEXT));
        request_add(request, ROLE_ASSISTANT, STR("Yes."));
    }
    request_add(request, ROLE_USER, STR("So?"));
}

static void whole_oldest_turns_leave_until_it_is_sixty_percent_full(void **state)
{
    Record *r = *state;
    Request *request = generate_request(NULL, 4);

    request_add(request, ROLE_SYSTEM, STR("Brief"));
    add_turns(request, 40);
    assert_true(generate(r, request));
    Usage usage = r->event[0]->usage;
    size_t from = r->event[0]->window_from;
    assert_true(from > 1 && from < request->n_messages);
    assert_int_equal(request->message[from].role, ROLE_USER);
    assert_true(usage.prompt <= 200 * 6 / 10);
    /* One turn more would not have fitted. */
    request->window_from = from - 2;
    request->max_tokens = 1;
    forget(r);
    Request *plan = generate_request(NULL, 1);
    request_add(plan, ROLE_SYSTEM, STR("Brief"));
    for (size_t i = from - 2; i < request->n_messages; i++)
        request_add(plan, request->message[i].role, str_from(request->message[i].text));
    assert_true(r->provider->kind->plan(r->provider, plan, &r->sink));
    assert_true(last(r)->usage.prompt > 200 * 6 / 10);
    request_free(plan);
    request_free(request);
}

static void the_window_stays_where_it_was_while_it_fits(void **state)
{
    Record *r = *state;
    Request *request = generate_request(NULL, 4);
    size_t from;
    int cached;

    request_add(request, ROLE_SYSTEM, STR("Brief"));
    add_turns(request, 40);
    assert_true(generate(r, request));
    from = r->event[0]->window_from;
    cached = last(r)->usage.prompt;
    request->window_from = from;
    request_add(request, ROLE_ASSISTANT, STR("No."));
    request_add(request, ROLE_USER, STR("Oh."));
    assert_true(generate(r, request));
    assert_int_equal(r->event[0]->window_from, from);
    assert_true(r->event[0]->usage.reused >= cached);
    request_free(request);
}

static void a_message_that_cannot_fit_is_refused_with_numbers(void **state)
{
    Record *r = *state;
    Request *request = generate_request(NULL, 4);
    Buf text = BUF_INIT;

    for (int i = 0; i < 40; i++)
        buf_puts(&text, LONG_TEXT);
    add_turns(request, 2);
    request_add(request, ROLE_ASSISTANT, STR("Go on."));
    request_add(request, ROLE_USER, buf_str(&text));
    assert_false(generate(r, request));
    assert_int_equal(r->n, 1);
    assert_int_equal(last(r)->error.kind, ERR_CONTEXT);
    assert_non_null(strstr(last(r)->error.text, "200"));
    /* A plan says how long it would be. */
    forget(r);
    assert_true(r->provider->kind->plan(r->provider, request, &r->sink));
    assert_true(last(r)->usage.prompt > 200);
    assert_int_equal(last(r)->usage.context, 200);
    request_free(request);
    buf_release(&text);
}

static void a_reply_that_fills_the_context_says_so_and_can_go_on_in_it(void **state)
{
    Record *r = *state;
    char *key = xstrdup(find(r, EVENT_OPENED)->model.tokenizer_key);
    Request *request = generate_request(NULL, 0);

    add_turns(request, 2);
    assert_true(generate(r, request));
    assert_int_equal(last(r)->reason, DONE_CONTEXT);
    assert_int_equal(last(r)->usage.prompt + last(r)->usage.generated, 200 + 1);
    add_reply(r, request, key);
    request->continue_last = true;
    assert_true(generate(r, request));
    assert_true(r->event[0]->window_from > 0);
    assert_true(last(r)->usage.generated > 10);
    free(key);
    request_free(request);
}

/* ---- plans ---- */

static void a_plan_is_what_generating_then_does(void **state)
{
    Record *r = *state;
    Request *first = generate_request("Hello there", 4), *second = generate_request("Hello you", 4);

    assert_true(generate(r, first));
    forget(r);
    assert_true(r->provider->kind->plan(r->provider, second, &r->sink));
    Usage planned = last(r)->usage;
    assert_int_equal(last(r)->kind, EVENT_PLAN);
    assert_true(planned.reused > 0 && planned.computed > 0);
    assert_true(generate(r, second));
    assert_int_equal(last(r)->usage.reused, planned.reused);
    assert_int_equal(last(r)->usage.prompt, planned.prompt);
    request_free(first);
    request_free(second);
}

static void plans_may_be_asked_for_during_a_reply(void **state)
{
    Record *r = *state;
    Request *request = generate_request("Hello", 6), *plan = generate_request("Hello", 6);
    int plans = 0;

    r->plan = plan;
    assert_true(generate(r, request));
    r->plan = NULL;
    for (size_t i = 0; i < r->n; i++) {
        plans += r->event[i]->kind == EVENT_PLAN;
        if (r->event[i]->kind == EVENT_PLAN)
            assert_int_equal(r->event[i]->usage.prompt, last(r)->usage.prompt);
    }
    assert_true(plans >= 5);
    assert_int_equal(last(r)->usage.generated, 6);
    request_free(request);
    request_free(plan);
}

static void plans_may_be_asked_for_between_layers_of_a_prompt(void **state)
{
    Record *r = *state;
    Request *request = generate_request("Hello Hello Hello Hello", 1),
            *plan = generate_request("Hello", 1);
    int plans = 0;

    r->plan = plan;
    assert_true(generate(r, request));
    r->plan = NULL;
    for (size_t i = 0; i < r->n; i++)
        plans += r->event[i]->kind == EVENT_PLAN;
    assert_true(plans >= 2); /* two layers, one token */
    request_free(request);
    request_free(plan);
}

static void without_a_model_everything_is_refused(void **state)
{
    Record *r = *state;
    Request *request = generate_request("Hello", 6), *open = request_new(REQUEST_OPEN);

    assert_false(generate(r, request));
    assert_int_equal(last(r)->error.kind, ERR_USAGE);
    assert_false(r->provider->kind->plan(r->provider, request, &r->sink));
    open->model = xstrdup("/nonexistent/model");
    assert_false(r->provider->kind->open_model(r->provider, open, &r->sink, &r->cancel));
    assert_int_equal(last(r)->kind, EVENT_FAILED);
    assert_true(last(r)->error.text[0] != '\0');
    request_free(request);
    request_free(open);
}

static void unknown_providers_are_named(void **state)
{
    static const char *const wrong[] = { "cloud",  "cloud:x", "local:x",
                                         "script", "script:", "script:/nonexistent" };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Error err = ERROR_INIT;
        assert_null(provider_open(wrong[i], &err));
        assert_true(err.kind != ERR_NONE && err.text[0]);
    }
}

/* ---- stop strings ---- */

/* Text in pieces of one byte comes out as the whole would: all before the first stop. */
static void check_stop(const char *text, char *const *stops, size_t n, const char *wanted,
                       bool stopped)
{
    StopFilter filter;
    Buf out = BUF_INIT;
    bool found = false;

    stop_filter_init(&filter, stops, n);
    for (size_t i = 0; text[i] && !found; i++)
        found = stop_filter_push(&filter, str_of(text + i, 1), &out);
    if (!found)
        stop_filter_flush(&filter, &out);
    assert_int_equal(found, stopped);
    assert_string_equal(buf_cstr(&out), wanted);
    stop_filter_release(&filter);
    buf_release(&out);
}

static void stop_strings_are_found_across_pieces(void **state)
{
    char *const stops[] = { "", "\n\n", "ababc", "終" };
    (void)state;
    check_stop("one\ntwo\n", stops, 4, "one\ntwo\n", false);
    check_stop("one\n\ntwo", stops, 4, "one", true);
    check_stop("abababc!", stops, 4, "ab", true);
    check_stop("ababab", stops, 4, "ababab", false);
    check_stop("始終", stops, 4, "始", true);
    check_stop("終", stops, 4, "", true);
    check_stop("text", stops, 0, "text", false);
}

static int open_empty(void **state)
{
    return open_record(state, "local");
}

#define CHATML(test) cmocka_unit_test_setup_teardown(test, open_chatml, close_record)
#define SMALL(test)  cmocka_unit_test_setup_teardown(test, open_small, close_record)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHATML(opening_tells_what_the_model_is),
        CHATML(a_reply_is_started_texts_and_done),
        CHATML(three_turns_compute_only_what_is_new),
        CHATML(ids_of_another_tokenizer_are_not_used),
        CHATML(a_stop_string_ends_the_reply_before_it),
        CHATML(a_stopped_reply_keeps_what_came_and_goes_on),
        CHATML(raw_text_and_ids_are_the_prompt_as_they_are),
        SMALL(whole_oldest_turns_leave_until_it_is_sixty_percent_full),
        SMALL(the_window_stays_where_it_was_while_it_fits),
        SMALL(a_message_that_cannot_fit_is_refused_with_numbers),
        SMALL(a_reply_that_fills_the_context_says_so_and_can_go_on_in_it),
        CHATML(a_plan_is_what_generating_then_does),
        CHATML(plans_may_be_asked_for_during_a_reply),
        CHATML(plans_may_be_asked_for_between_layers_of_a_prompt),
        cmocka_unit_test_setup_teardown(without_a_model_everything_is_refused, open_empty,
                                        close_record),
        cmocka_unit_test(unknown_providers_are_named),
        cmocka_unit_test(stop_strings_are_found_across_pieces),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("providers", tests, NULL, NULL);
}
