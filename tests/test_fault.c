/* What becomes of a device's faults above the seam: a sentence, the partial reply kept, a smaller
 * context, another backend.  A scripted backend fails over the CPU and, where there is a GPU, over
 * CUDA. */
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
#include "tests/faulty.h"
#include "tests/provider_rig.h"
#include "tests/tiny_model.h"

static const Fault lost = { KS_DEVICE, 0, 719, "decoding: the device was lost" };
static Faults faults;

static int set_up(void **state, const char *inner)
{
    const TinySpec spec = { .kind = TINY_GPTQ_V1, .chat = TINY_CHATML, .context = 4096, .seed = 5 };
    const BackendOps *ops = backend_find(inner);
    const BackendOptions options = { .threads = 1 };
    Backend *backend = NULL;
    const char *why;

    open_record(state, "local");
    Record *r = *state;
    if (!ops || ops->open(&options, &backend, &why) != KS_OK)
        return 0; /* skipped: no directory */
    ops->close(backend);
    faults = (Faults){ .most_context = 0 };
    faulty_install(ops, &faults);
    snprintf(r->dir, sizeof r->dir, "%s", tiny_temp_dir());
    assert_true(tiny_model_write(r->dir, &spec));
    return 0;
}

static int on_cpu(void **state)
{
    return set_up(state, "cpu");
}

static int on_cuda(void **state)
{
    return set_up(state, "cuda");
}

static int tear_down(void **state)
{
    int status = close_record(state);

    faulty_remove();
    return status;
}

static Record *record_of(void **state)
{
    Record *r = *state;
    if (!r->dir[0])
        skip();
    return r;
}

/* backend NULL: auto. */
static bool try_open(Record *r, const char *backend, int context)
{
    Request *request = request_new(REQUEST_OPEN);

    forget(r);
    request->model = xstrdup(r->dir);
    request->backend = backend ? xstrdup(backend) : NULL;
    request->threads = 1;
    request->context = context;
    bool good = r->provider->kind->open_model(r->provider, request, &r->sink, &r->cancel);
    request_free(request);
    return good;
}

static bool says(const Record *r, const char *words)
{
    if (strstr(last(r)->error.text, words))
        return true;
    print_message("# \"%s\" is not in: %s\n", words, last(r)->error.text);
    return false;
}

/* The text and the ids of a reply of at most n tokens; whether it came to its end. */
static bool reply_to(Record *r, const char *question, int n, Buf *text, Tokens *ids)
{
    Request *request = generate_request(question, n);
    bool good = generate(r, request);

    join(r, text, ids);
    request_free(request);
    return good;
}

static void a_fault_in_mid_reply_keeps_what_had_come(void **state)
{
    Record *r = record_of(state);
    Buf whole = BUF_INIT, part = BUF_INIT;
    Tokens all = TOKENS_INIT, some = TOKENS_INIT;

    assert_true(try_open(r, "faulty", 0));
    assert_true(reply_to(r, "Hello", 12, &whole, &all));
    faults.step = lost;
    faults.step.after = 6;
    assert_false(reply_to(r, "Hello", 12, &part, &some));
    assert_int_equal(last(r)->kind, EVENT_FAILED);
    assert_int_equal(last(r)->error.kind, ERR_DEVICE);
    assert_true(says(r, "Faulty 9000") && says(r, "lost") && says(r, "719") &&
                says(r, "--backend cpu"));
    assert_int_equal(some.n, 6);
    assert_memory_equal(some.ids, all.ids, 6 * sizeof *some.ids);
    assert_true(part.len > 0 && part.len <= whole.len);
    assert_memory_equal(part.data, whole.data, part.len);
    /* it strikes once: the same question again gets the same answer, out of the same cache */
    faults.step.status = KS_OK;
    buf_reset(&part);
    tokens_truncate(&some, 0);
    assert_true(reply_to(r, "Hello", 12, &part, &some));
    assert_int_equal(last(r)->usage.computed, 1);
    assert_int_equal(some.n, all.n);
    assert_memory_equal(some.ids, all.ids, all.n * sizeof *all.ids);
    buf_release(&whole);
    buf_release(&part);
    tokens_release(&all);
    tokens_release(&some);
}

static void a_fault_while_a_prompt_is_read_leaves_no_reply(void **state)
{
    Record *r = record_of(state);
    Buf text = BUF_INIT;
    Tokens ids = TOKENS_INIT;

    assert_true(try_open(r, "faulty", 0));
    faults.feed = lost;
    assert_false(reply_to(r, "Hello", 12, &text, &ids));
    assert_int_equal(last(r)->error.kind, ERR_DEVICE);
    assert_int_equal(ids.n, 0);
    faults.feed.status = KS_OK;
    assert_true(reply_to(r, "Hello", 12, &text, &ids));
    assert_int_equal(ids.n, 12);
    buf_release(&text);
    tokens_release(&ids);
}

static void a_device_without_memory_is_an_error_that_says_what_to_do(void **state)
{
    Record *r = record_of(state);

    faults.load = (Fault){ KS_MEMORY, 0, 2, "layers.3.down: out of memory" };
    assert_false(try_open(r, "faulty", 0));
    assert_int_equal(last(r)->error.kind, ERR_MEMORY);
    assert_true(says(r, "Faulty 9000") && says(r, "layers.3.down") && says(r, "--context"));
    faults.load.status = KS_OK;
    assert_true(try_open(r, "faulty", 0));
}

static void another_backend_takes_over_where_the_choice_is_free(void **state)
{
    static const KStatus status[] = { KS_MEMORY, KS_DEVICE };
    Record *r = record_of(state);

    for (size_t i = 0; i < sizeof status / sizeof *status; i++) {
        faults.load = (Fault){ status[i], 0, 2, "loading weights" };
        assert_true(try_open(r, NULL, 0));
        const Event *opened = last(r);
        assert_int_equal(opened->kind, EVENT_OPENED);
        assert_non_null(strstr(opened->model.notice, "Faulty 9000"));
        assert_non_null(strstr(opened->model.notice, opened->model.backend));
    }
    faults.load.status = KS_OK;
    assert_true(try_open(r, NULL, 0));
    assert_string_equal(last(r)->model.notice, "");
}

static void a_context_without_room_shrinks_and_says_so(void **state)
{
    Record *r = record_of(state);

    faults.most_context = 1500;
    assert_true(try_open(r, "faulty", 0));
    assert_int_equal(last(r)->model.context, 1024);
    assert_non_null(strstr(last(r)->model.notice, "1024"));
    assert_non_null(strstr(last(r)->model.notice, "4096"));
    /* what was asked for is not made smaller */
    assert_false(try_open(r, "faulty", 2000));
    assert_int_equal(last(r)->error.kind, ERR_MEMORY);
    assert_true(says(r, "2000"));
    faults.most_context = 300; /* nor is a context that is of no use */
    assert_false(try_open(r, "faulty", 0));
    assert_int_equal(last(r)->error.kind, ERR_MEMORY);
    faults.most_context = 0;
    assert_true(try_open(r, "faulty", 0));
    assert_int_equal(last(r)->model.context, 4096);
    assert_string_equal(last(r)->model.notice, "");
}

#define OVER(backend, test)                                                                        \
    {                                                                                              \
        "over " #backend ": " #test, test, on_##backend, tear_down, NULL                           \
    }
#define ALL(backend)                                                                               \
    OVER(backend, a_fault_in_mid_reply_keeps_what_had_come),                                       \
        OVER(backend, a_fault_while_a_prompt_is_read_leaves_no_reply),                             \
        OVER(backend, a_device_without_memory_is_an_error_that_says_what_to_do),                   \
        OVER(backend, another_backend_takes_over_where_the_choice_is_free),                        \
        OVER(backend, a_context_without_room_shrinks_and_says_so)

int main(void)
{
    const struct CMUnitTest tests[] = { ALL(cpu), ALL(cuda) };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("faults of a device", tests, NULL, NULL);
}
