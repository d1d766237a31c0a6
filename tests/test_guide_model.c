/* The bundled guide: conversations with it against what transformers answers on the same weights
 * (tests/data/guide_reference.json, made by tests/make_guide_reference.py), and its bits over instruction sets, threads
 * and splits. */
#include "config.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "src/base/buf.h"

#define MARGIN 0.02 /* a step with less between best and second says nothing */
#define LOGITS_HASH 0x3403b8c381b47d8fULL

enum { MAX_MESSAGES = 16 };

static json_t *reference;
static Buf guide = BUF_INIT;

static const char *string_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void add_ids(const json_t *list, Tokens *out)
{
    size_t i;
    json_t *id;

    json_array_foreach(list, i, id) tokens_push(out, (int32_t)json_integer_value(id));
}

/* NULL: this machine lacks the instruction set. */
static Engine *open_guide(const char *isa, int threads)
{
    EngineOptions options = {
        .model = buf_cstr(&guide), .backend = "cpu", .isa = isa, .threads = threads
    };
    Error err = ERROR_INIT;
    Engine *engine = engine_open(&options, NULL, &err);

    if (!engine && !isa)
        fail_msg("the guide does not open: %s", err.text);
    return engine;
}

static Session *begin_session(Engine *engine)
{
    Error err = ERROR_INIT;
    Session *session = session_new(engine, 0, &err);

    if (!session)
        fail_msg("%s", err.text);
    return session;
}

/* ---- conversations ---- */

typedef struct {
    Engine *engine;
    Session *session;
    ChatMessage message[MAX_MESSAGES];
    Tokens reply[MAX_MESSAGES]; /* ids of the messages that are replies, as recorded */
    size_t n;
    int steps, below;
} Talk;

/* As kaiwa goes on from a conversation: its own reply is part of the prompt as exactly its ids. */
static void add_reply(Talk *talk, const json_t *turn)
{
    Tokens *ids = &talk->reply[talk->n];

    add_ids(json_object_get(turn, "out"), ids);
    talk->message[talk->n++] = (ChatMessage){ .role = ROLE_ASSISTANT,
                                              .text = str_from(string_at(turn, "reply")),
                                              .ids = ids->ids,
                                              .n_ids = ids->n };
}

static void check_prompt(Talk *talk, const json_t *turn, Tokens *prompt)
{
    Tokens want = TOKENS_INIT;
    Error err = ERROR_INIT;

    assert_true(talk->n + 2 <= MAX_MESSAGES);
    talk->message[talk->n++] =
        (ChatMessage){ .role = ROLE_USER, .text = str_from(string_at(turn, "user")) };
    if (!engine_render(talk->engine, talk->message, talk->n, false, prompt, &err))
        fail_msg("%s", err.text);
    add_ids(json_object_get(turn, "prompt_ids"), &want);
    if (prompt->n != want.n || tokens_common(prompt->ids, prompt->n, want.ids, want.n) != want.n)
        fail_msg("%s: other ids of the prompt", string_at(turn, "user"));
    tokens_release(&want);
}

/* Greedy ids one after the other, as far as the margins of the reference say which is right. */
static void check_turn(Talk *talk, const json_t *turn)
{
    const json_t *out = json_object_get(turn, "out"), *margins = json_object_get(turn, "margin");
    static const Sampling greedy = { .temperature = 0, .repeat_penalty = 1, .top_p = 1 };
    Tokens prompt = TOKENS_INIT;
    Error err = ERROR_INIT;

    check_prompt(talk, turn, &prompt);
    if (!session_sync(talk->session, &prompt, NULL, NULL, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < json_array_size(out); i++) {
        int32_t id, want = (int32_t)json_integer_value(json_array_get(out, i));
        bool below = json_number_value(json_array_get(margins, i)) <= MARGIN;

        if (!session_next(talk->session, &greedy, &id, NULL, &err))
            fail_msg("%s", err.text);
        talk->steps++;
        talk->below += below;
        if (id != want && !below)
            fail_msg("%s: step %zu: %d instead of %d", string_at(turn, "user"), i, id, want);
        if (id != want)
            break; /* from here on it is another reply */
    }
    tokens_release(&prompt);
    add_reply(talk, turn);
}

static void check_reply_text(Engine *engine, const json_t *turn)
{
    const json_t *out = json_object_get(turn, "out");
    TextStream *stream = text_stream_new(engine);
    Buf text = BUF_INIT;

    for (size_t i = 0; i < json_array_size(out); i++) {
        int32_t id = (int32_t)json_integer_value(json_array_get(out, i));

        if (!engine_is_end(engine, id))
            text_stream_push(stream, id, &text);
    }
    text_stream_flush(stream, &text);
    assert_string_equal(buf_cstr(&text), string_at(turn, "reply"));
    text_stream_free(stream);
    buf_release(&text);
}

static void it_answers_as_transformers_computes_it(void **state)
{
    Engine *engine = open_guide(NULL, 0);
    Session *session = begin_session(engine);
    size_t i, k;
    json_t *conversation, *turn;

    (void)state;
    json_array_foreach(json_object_get(reference, "conversations"), i, conversation)
    {
        const char *system = string_at(conversation, "system");
        Talk talk = { .engine = engine, .session = session };

        if (system)
            talk.message[talk.n++] = (ChatMessage){ .role = ROLE_SYSTEM, .text = str_from(system) };
        json_array_foreach(json_object_get(conversation, "turns"), k, turn)
        {
            check_turn(&talk, turn);
            check_reply_text(engine, turn);
        }
        print_message("# %s: %zu turns, %d steps, %d of them with a margin of at most %g\n",
                      string_at(conversation, "name"),
                      json_array_size(json_object_get(conversation, "turns")), talk.steps,
                      talk.below, MARGIN);
        assert_true(talk.steps > 2 * talk.below);
        for (size_t m = 0; m < talk.n; m++)
            tokens_release(&talk.reply[m]);
    }
    assert_true(i > 0);
    session_free(session);
    engine_close(engine);
}

/* ---- bits ---- */

/* FNV-1a */
static uint64_t add_bytes(uint64_t hash, const void *data, size_t n)
{
    const unsigned char *byte = data;

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3ULL;
    return hash;
}

/* Logits after the longest recorded prompt of each conversation, fed in pieces. */
static uint64_t hash_of(Session *session, size_t piece)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    size_t i;
    json_t *conversation;

    json_array_foreach(json_object_get(reference, "conversations"), i, conversation)
    {
        const json_t *turns = json_object_get(conversation, "turns"),
                     *last = json_array_get(turns, json_array_size(turns) - 1);
        Tokens prompt = TOKENS_INIT;
        Error err = ERROR_INIT;
        const float *logits;
        int n;

        add_ids(json_object_get(last, "prompt_ids"), &prompt);
        for (size_t at = 0; at < prompt.n;) {
            at = prompt.n - at < piece ? prompt.n : at + piece;
            Tokens some = { prompt.ids, at, 0 };
            if (!session_sync(session, &some, NULL, NULL, &err))
                fail_msg("%s", err.text);
        }
        logits = session_logits(session, &n, &err);
        assert_non_null(logits);
        hash = add_bytes(hash, logits, (size_t)n * sizeof *logits);
        tokens_release(&prompt);
    }
    return hash;
}

static void its_logits_have_the_committed_bits_everywhere(void **state)
{
    static const struct {
        const char *isa;
        int threads;
        size_t piece;
        bool quick; /* under a sanitizer too */
    } ways[] = { { "generic", 2, 2048, false }, { "avx2", 1, 2048, true },
                 { "avx2", 3, 7, true },        { "avxvnni", 2, 64, true },
                 { "avx512", 1, 1, false },     { "avx512", 2, 2048, true } };
    int n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        Engine *engine = ways[i].quick || !getenv("KAIWA_SANITIZER")
                             ? open_guide(ways[i].isa, ways[i].threads)
                             : NULL;
        if (!engine)
            continue;
        Session *session = begin_session(engine);
        uint64_t hash = hash_of(session, ways[i].piece);
        if (hash != LOGITS_HASH)
            fail_msg("%s, %d threads, pieces of %zu: the hash is 0x%016llxULL", ways[i].isa,
                     ways[i].threads, ways[i].piece, (unsigned long long)hash);
        session_free(session);
        engine_close(engine);
        n++;
    }
    print_message("# %d of %zu ways on this machine\n", n, sizeof ways / sizeof *ways);
    assert_true(n > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_answers_as_transformers_computes_it),
        cmocka_unit_test(its_logits_have_the_committed_bits_everywhere),
    };
    const char *top = getenv("abs_top_srcdir");
    Buf path = BUF_INIT;
    int failed;

    buf_printf(&guide, "%s/models/guide", top ? top : ".");
    buf_printf(&path, "%s/tests/data/guide_reference.json", top ? top : ".");
    reference = json_load_file(buf_cstr(&path), 0, NULL);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(reference);
    buf_release(&path);
    buf_release(&guide);
    return failed;
}
