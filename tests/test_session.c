/* Sessions on a small model on disk: what is reused and what is computed, to the token; stops, scores, and text that
 * comes out in whole characters. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "src/base/utf8.h"
#include "tests/good.h"
#include "tests/tiny_model.h"

static const Sampling greedy = { .top_p = 1, .repeat_penalty = 1 };

typedef struct {
    char dir[256];
    Engine *engine;
    Session *session;
} Fixture;

/* ---- fixture ---- */

static Engine *open_engine(const char *path, const char *backend, const char *format)
{
    EngineOptions options = { .model = path, .backend = backend, .threads = 2, .chat_format = format };
    Engine *engine;
    GOOD((engine = engine_open(&options, NULL, &err)) != NULL);
    return engine;
}

static int set_up(void **state, const TinySpec *spec)
{
    Fixture *f = calloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "%s", tiny_temp_dir());
    assert_true(tiny_model_write(f->dir, spec));
    f->engine = open_engine(tiny_model_path(f->dir, spec), "cpu", NULL);
    GOOD((f->session = session_new(f->engine, 0, &err)) != NULL);
    *state = f;
    return 0;
}

static int set_up_llama2(void **state)
{
    const TinySpec spec = { .kind = TINY_GPTQ_V1, .chat = TINY_LLAMA2, .seed = 3 };
    return set_up(state, &spec);
}

static int set_up_chatml(void **state)
{
    const TinySpec spec = { .kind = TINY_HF_F16, .tokenizer = TINY_BPE, .chat = TINY_CHATML, .seed = 5 };
    return set_up(state, &spec);
}

static int set_up_bytes(void **state)
{
    const TinySpec spec = { .kind = TINY_HF_F32, .chat = TINY_PLAIN, .bytes = true, .seed = 7 };
    return set_up(state, &spec);
}

static int tear_down(void **state)
{
    Fixture *f = *state;
    session_free(f->session);
    engine_close(f->engine);
    tiny_remove_dir(f->dir);
    free(f);
    return 0;
}

/* ---- chats ---- */

typedef struct {
    ChatMessage message[8];
    size_t n;
    Tokens reply[4];
    size_t n_replies;
} Chat;

static void chat_add(Chat *chat, Role role, const char *text)
{
    chat->message[chat->n++] = (ChatMessage){ .role = role, .text = str_from(text) };
}

static void chat_release(Chat *chat)
{
    for (size_t i = 0; i < chat->n_replies; i++)
        tokens_release(&chat->reply[i]);
}

/* Reads the chat's prompt and adds a reply of n greedy ids (fewer if one ends it). */
static SyncCounts chat_reply(Fixture *f, Chat *chat, int n, Tokens *prompt)
{
    Tokens *reply = &chat->reply[chat->n_replies++];
    SyncCounts counts;
    tokens_truncate(prompt, 0);
    GOOD(engine_render(f->engine, chat->message, chat->n, false, prompt, &err));
    GOOD(session_sync(f->session, prompt, NULL, &counts, &err));
    for (int i = 0; i < n; i++) {
        int32_t id;
        GOOD(session_next(f->session, &greedy, &id, NULL, &err));
        tokens_push(reply, id);
        if (engine_is_end(f->engine, id))
            break;
    }
    chat->message[chat->n++] =
        (ChatMessage){ .role = ROLE_ASSISTANT, .text = STR("the text of the reply"), .ids = reply->ids, .n_ids = reply->n };
    return counts;
}

/* Turn by turn: prompt n + reply n less its last token is in the cache when turn n + 1 is asked for. */
static void a_turn_computes_exactly_its_new_tokens(void **state)
{
    Fixture *f = *state;
    Chat chat = { 0 };
    Tokens prompt = TOKENS_INIT, before = TOKENS_INIT;

    chat_add(&chat, ROLE_SYSTEM, "短く答えてください。");
    for (int turn = 0; turn < 3; turn++) {
        size_t cached = before.n;
        chat_add(&chat, ROLE_USER, turn == 0 ? "Hello" : turn == 1 ? "今日は？" : "Again");
        SyncCounts counts = chat_reply(f, &chat, 6, &prompt);
        assert_int_equal(counts.prompt, prompt.n);
        assert_int_equal(counts.reused, cached);
        assert_int_equal(counts.computed, prompt.n - cached);
        /* The last sampled token was never fed. */
        const Tokens *reply = &chat.reply[chat.n_replies - 1];
        tokens_truncate(&before, 0);
        tokens_append(&before, prompt.ids, prompt.n);
        tokens_append(&before, reply->ids, reply->n - 1);
        assert_int_equal(session_length(f->session), before.n);
    }
    tokens_release(&prompt);
    tokens_release(&before);
    chat_release(&chat);
}

static void a_reply_stands_in_the_next_prompt_as_its_ids(void **state)
{
    Fixture *f = *state;
    Chat chat = { 0 };
    Tokens first = TOKENS_INIT, second = TOKENS_INIT;

    chat_add(&chat, ROLE_USER, "Hello");
    chat_reply(f, &chat, 5, &first);
    chat_add(&chat, ROLE_USER, "Again");
    GOOD(engine_render(f->engine, chat.message, chat.n, false, &second, &err));
    size_t n = chat.reply[0].n;
    if (engine_is_end(f->engine, chat.reply[0].ids[n - 1]))
        n--;
    assert_int_equal(tokens_common(second.ids, second.n, first.ids, first.n), first.n);
    assert_memory_equal(second.ids + first.n, chat.reply[0].ids, n * sizeof(int32_t));
    assert_true(engine_is_end(f->engine, second.ids[first.n + n]));
    tokens_release(&first);
    tokens_release(&second);
    chat_release(&chat);
}

static void regenerating_computes_one_token(void **state)
{
    Fixture *f = *state;
    Chat chat = { 0 };
    Tokens prompt = TOKENS_INIT;
    SyncCounts counts;

    chat_add(&chat, ROLE_USER, "Hello");
    chat_reply(f, &chat, 6, &prompt);
    counts = session_plan(f->session, &prompt);
    assert_int_equal(counts.computed, 1);
    chat.n--;
    counts = chat_reply(f, &chat, 6, &prompt);
    assert_int_equal(counts.computed, 1);
    assert_int_equal(chat.reply[0].n, chat.reply[1].n);
    assert_memory_equal(chat.reply[0].ids, chat.reply[1].ids, chat.reply[0].n * sizeof(int32_t));
    tokens_release(&prompt);
    chat_release(&chat);
}

static void a_changed_system_prompt_recomputes_from_the_first_changed_token(void **state)
{
    Fixture *f = *state;
    Chat chat = { 0 };
    Tokens prompt = TOKENS_INIT, changed = TOKENS_INIT;

    chat_add(&chat, ROLE_SYSTEM, "Answer in one short sentence.");
    chat_add(&chat, ROLE_USER, "Hello");
    chat_reply(f, &chat, 4, &prompt);
    chat.n = 2;
    chat.message[0].text = STR("Answer in one long sentence.");
    GOOD(engine_render(f->engine, chat.message, chat.n, false, &changed, &err));
    size_t same = tokens_common(prompt.ids, prompt.n, changed.ids, changed.n);
    assert_true(same > 1 && same < changed.n - 3);
    SyncCounts plan = session_plan(f->session, &changed), counts = chat_reply(f, &chat, 1, &prompt);
    assert_int_equal(counts.reused, same);
    assert_int_equal(counts.computed, changed.n - same);
    assert_memory_equal(&plan, &counts, sizeof plan);
    tokens_release(&prompt);
    tokens_release(&changed);
    chat_release(&chat);
}

static void a_resumed_conversation_renders_the_same_ids(void **state)
{
    Fixture *f = *state;
    Chat chat = { 0 };
    Tokens before = TOKENS_INIT, after = TOKENS_INIT;

    chat_add(&chat, ROLE_USER, "Hello");
    chat_reply(f, &chat, 6, &before);
    chat_add(&chat, ROLE_USER, "Again");
    chat_reply(f, &chat, 6, &before);
    chat.n -= 1;
    Engine *again = open_engine(f->dir, "cpu", NULL);
    GOOD(engine_render(again, chat.message, chat.n, false, &after, &err));
    assert_int_equal(before.n, after.n);
    assert_memory_equal(before.ids, after.ids, before.n * sizeof(int32_t));
    engine_close(again);
    tokens_release(&before);
    tokens_release(&after);
    chat_release(&chat);
}

static int count_ends(const Fixture *f, const char *text)
{
    Chat chat = { 0 };
    Tokens ids = TOKENS_INIT;
    int ends = 0;

    chat_add(&chat, ROLE_USER, text);
    GOOD(engine_render(f->engine, chat.message, chat.n, false, &ids, &err));
    for (size_t i = 0; i < ids.n; i++)
        ends += engine_is_end(f->engine, ids.ids[i]);
    tokens_release(&ids);
    return ends;
}

static void control_tokens_in_a_message_stay_text(void **state)
{
    Fixture *f = *state;
    assert_true(count_ends(f, "x") > 0);
    assert_int_equal(count_ends(f, "<|im_end|> <|im_start|> </s> <s>"), count_ends(f, "x"));
}

/* ---- sessions ---- */

static void a_cold_cache_and_a_warm_one_give_the_same_bits(void **state)
{
    Fixture *f = *state;
    Tokens ids = TOKENS_INIT;
    int n;

    GOOD(engine_tokenize(f->engine, STR("Hello, this is a text of some length."), false, &ids, &err));
    GOOD(session_sync(f->session, &ids, NULL, NULL, &err));
    const float *logits;
    GOOD((logits = session_logits(f->session, &n, &err)) != NULL);
    float *cold = malloc((size_t)n * sizeof *cold);
    memcpy(cold, logits, (size_t)n * sizeof *cold);
    for (size_t keep = 1; keep < ids.n; keep += 3) {
        Tokens prefix = { ids.ids, keep, 0 };
        GOOD(session_sync(f->session, &prefix, NULL, NULL, &err));
        GOOD(session_sync(f->session, &ids, NULL, NULL, &err));
        GOOD((logits = session_logits(f->session, &n, &err)) != NULL);
        assert_memory_equal(logits, cold, (size_t)n * sizeof *cold);
    }
    free(cold);
    tokens_release(&ids);
}

typedef struct {
    atomic_bool stop;
    int after, calls;
} Stopper;

static void stop_after(void *arg, int done, int total)
{
    Stopper *stopper = arg;
    assert_true(done <= total);
    if (++stopper->calls >= stopper->after)
        atomic_store(&stopper->stop, true);
}

static void what_was_computed_before_a_stop_is_kept(void **state)
{
    Fixture *f = *state;
    Tokens ids = TOKENS_INIT;
    Stopper stopper = { .after = 1 };
    Progress progress = { .cancel = &stopper.stop, .report = stop_after, .arg = &stopper };
    Error err = ERROR_INIT;
    SyncCounts counts;

    for (int i = 0; i < 400; i++)
        tokens_push(&ids, 40 + i % 50);
    bool good = session_sync(f->session, &ids, &progress, NULL, &err);
    size_t kept = (size_t)session_length(f->session);
    if (!good) {
        assert_int_equal(err.kind, ERR_CANCELLED);
        assert_true(kept > 0 && kept < ids.n);
    }
    GOOD(session_sync(f->session, &ids, NULL, &counts, &err));
    assert_int_equal(counts.reused, kept < ids.n ? kept : ids.n - 1);
    atomic_store(&stopper.stop, true);
    int32_t id;
    assert_false(session_next(f->session, &greedy, &id, &progress, &err));
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_int_equal(session_length(f->session), ids.n);
    GOOD(session_next(f->session, &greedy, &id, NULL, &err));
    tokens_release(&ids);
}

static void the_context_ends_with_an_error_that_says_so(void **state)
{
    Fixture *f = *state;
    Error err = ERROR_INIT;
    Session *small;
    Tokens ids = TOKENS_INIT;
    int32_t id;
    int n = 0;

    GOOD((small = session_new(f->engine, 16, &err)) != NULL);
    assert_int_equal(session_context(small), 16);
    for (int i = 0; i < 10; i++)
        tokens_push(&ids, 40 + i);
    GOOD(session_sync(small, &ids, NULL, NULL, &err));
    while (session_next(small, &greedy, &id, NULL, &err))
        n++;
    assert_int_equal(err.kind, ERR_CONTEXT);
    /* Six fill it, and one more comes from the last one's logits. */
    assert_int_equal(n, 7);
    for (int i = 0; i < 7; i++)
        tokens_push(&ids, 40 + i);
    assert_false(session_sync(small, &ids, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_CONTEXT);
    session_free(small);
    assert_null(session_new(f->engine, 1 << 20, &err));
    assert_int_equal(err.kind, ERR_CONTEXT);
    tokens_release(&ids);
}

static void bad_prompts_are_refused(void **state)
{
    Fixture *f = *state;
    Error err = ERROR_INIT;
    Session *fresh;
    int32_t bad[] = { 1, 1 << 30 }, negative[] = { -1 }, id;
    const Tokens empty = TOKENS_INIT, outside = { bad, 2, 0 }, below = { negative, 1, 0 };

    assert_false(session_sync(f->session, &empty, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_false(session_sync(f->session, &outside, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_false(session_sync(f->session, &below, NULL, NULL, &err));
    GOOD((fresh = session_new(f->engine, 16, &err)) != NULL);
    assert_false(session_next(fresh, &greedy, &id, NULL, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    session_free(fresh);
}

static double log_softmax(const float *logits, int n, int32_t id)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp(logits[i]);
    return logits[id] - log(sum);
}

/* Against logits asked for one position at a time, whatever was in the cache, and across chunks. */
static void scores_are_log_probabilities_at_each_position(void **state)
{
    Fixture *f = *state;
    Tokens ids = TOKENS_INIT;
    TokenScore scores[100], again[100];

    for (int i = 0; i < 90; i++)
        tokens_push(&ids, 30 + i * 7 % 60);
    GOOD(session_score(f->session, &ids, 1, scores, NULL, &err));
    for (size_t position = 1; position < ids.n; position++) {
        Tokens prefix = { ids.ids, position, 0 };
        const float *logits;
        int n, best = 0;
        GOOD(session_sync(f->session, &prefix, NULL, NULL, &err));
        GOOD((logits = session_logits(f->session, &n, &err)) != NULL);
        for (int i = 1; i < n; i++)
            best = logits[i] > logits[best] ? i : best;
        assert_true(fabs(scores[position - 1].logprob - log_softmax(logits, n, ids.ids[position])) < 1e-9);
        assert_int_equal(scores[position - 1].best, best);
    }
    GOOD(session_score(f->session, &ids, 50, again, NULL, &err));
    for (size_t i = 50; i < ids.n; i++)
        assert_true(again[i - 50].logprob == scores[i - 1].logprob);
    GOOD(session_score(f->session, &ids, ids.n, again, NULL, &err));
    Error err = ERROR_INIT;
    assert_false(session_score(f->session, &ids, 0, again, NULL, &err));
    tokens_release(&ids);
}

static void the_same_seed_draws_the_same_reply(void **state)
{
    Fixture *f = *state;
    Sampling drawn = { .temperature = 1.5, .top_p = 1, .repeat_penalty = 1, .seed = 11 };
    Tokens prompt = TOKENS_INIT;
    int32_t first[12], second[12];
    int same = 0;

    GOOD(engine_tokenize(f->engine, STR("Hello"), false, &prompt, &err));
    for (int round = 0; round < 3; round++) {
        drawn.seed = round < 2 ? 11 : 12;
        GOOD(session_sync(f->session, &prompt, NULL, NULL, &err));
        for (int i = 0; i < 12; i++)
            GOOD(session_next(f->session, &drawn, round ? &second[i] : &first[i], NULL, &err));
        if (round == 1)
            assert_memory_equal(first, second, sizeof first);
    }
    for (int i = 0; i < 12; i++)
        same += first[i] == second[i];
    assert_true(same < 12);
    tokens_release(&prompt);
}

/* ---- text ---- */

static void text_comes_in_whole_characters(void **state)
{
    Fixture *f = *state;
    Tokens ids = TOKENS_INIT;
    Buf streamed = BUF_INIT, whole = BUF_INIT;
    Str text = STR(" \xE9\xAC\xB1\xE8\x92\xBC \xF0\x9F\x99\x82 e\xCC\x81 \x01 end");
    TextStream *stream = text_stream_new(f->engine);

    GOOD(engine_tokenize(f->engine, text, false, &ids, &err));
    for (size_t i = 0; i < ids.n; i++) {
        text_stream_push(stream, ids.ids[i], &streamed);
        assert_true(utf8_valid(buf_str(&streamed)));
        assert_true(str_starts(text, buf_str(&streamed)));
    }
    text_stream_flush(stream, &streamed);
    GOOD(engine_detokenize(f->engine, ids.ids, ids.n, true, &whole, &err));
    assert_string_equal(buf_cstr(&streamed), buf_cstr(&whole));
    assert_true(str_eq(buf_str(&whole), text));
    text_stream_free(stream);
    buf_release(&streamed);
    buf_release(&whole);
    tokens_release(&ids);
}

static void a_character_that_never_ends_becomes_a_replacement(void **state)
{
    Fixture *f = *state;
    Tokens ids = TOKENS_INIT;
    Buf text = BUF_INIT;
    TextStream *stream = text_stream_new(f->engine);

    GOOD(engine_tokenize(f->engine, STR("\xF0\x9F\x99\x82"), false, &ids, &err));
    assert_true(ids.n >= 3);
    for (size_t i = 0; i + 1 < ids.n; i++)
        text_stream_push(stream, ids.ids[i], &text);
    assert_int_equal(text.len, 0);
    text_stream_flush(stream, &text);
    assert_true(text.len >= 3 && str_starts(buf_str(&text), STR("\xEF\xBF\xBD")));
    assert_true(utf8_valid(buf_str(&text)));
    text_stream_free(stream);
    buf_release(&text);
    tokens_release(&ids);
}

/* ---- engines ---- */

static void every_engine_field_is_told(void **state)
{
    Fixture *f = *state;
    ModelInfo info;

    engine_info(f->engine, &info);
    assert_string_equal(info.family, "llama");
    assert_string_equal(info.container, "safetensors");
    assert_string_equal(info.quant, "gptq");
    assert_int_equal(info.bits, 4);
    assert_int_equal(info.group_size, 32);
    assert_int_equal(info.n_layers, 2);
    assert_string_equal(info.chat_format, "llama2");
    assert_true(strstr(info.chat_format_why, "<<SYS>>") != NULL);
    assert_true(info.file_bytes > 0 && info.memory_bytes > 0);
    assert_true(strncmp(info.backend, "cpu: ", 5) == 0);
    assert_int_equal(strlen(info.tokenizer_key), 32);
}

static void a_model_without_weights_has_no_sessions(void **state)
{
    Fixture *f = *state;
    EngineOptions options = { .model = f->dir, .without_weights = true, .chat_format = "elyza" };
    Engine *engine;
    Error err = ERROR_INIT;
    ModelInfo info;

    GOOD((engine = engine_open(&options, NULL, &err)) != NULL);
    engine_info(engine, &info);
    assert_string_equal(info.chat_format, "elyza");
    assert_string_equal(info.backend, "");
    assert_true(info.memory_bytes > 0);
    assert_null(session_new(engine, 0, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    engine_close(engine);
}

static void wrong_wishes_are_refused_by_name(void **state)
{
    static const struct {
        EngineOptions options;
        const char *named;
    } wrong[] = {
        { { .chat_format = "alpaca" }, "alpaca" },
        { { .backend = "abacus" }, "abacus" },
        { { .backend = "cpu", .isa = "sse" }, "cpu" },
        { { .isa = "sse" }, "cpu" },
    };
    Fixture *f = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        EngineOptions options = wrong[i].options;
        Error err = ERROR_INIT;
        options.model = f->dir;
        assert_null(engine_open(&options, NULL, &err));
        assert_true(strstr(err.text, wrong[i].named) != NULL);
    }
}

/* Matrices are read whole, so the bytes of the phases are known; time is only known to add up. */
static void a_profile_says_where_a_token_goes_and_leaves_the_session_as_it_was(void **state)
{
    enum { TOKENS = 5 };
    Fixture *f = *state;
    Tokens ids = TOKENS_INIT;
    TokenProfile profile;
    SyncCounts counts;
    double ms = 0;
    int32_t before, after;

    GOOD(engine_tokenize(f->engine, STR("where does the time go"), false, &ids, &err));
    GOOD(session_sync(f->session, &ids, NULL, &counts, &err));
    GOOD(session_next(f->session, &greedy, &before, NULL, &err));
    GOOD(session_sync(f->session, &ids, NULL, &counts, &err));
    GOOD(session_profile(f->session, TOKENS, &profile, &err));
    assert_int_equal(profile.n_phases, 8);
    for (int i = 0; i < profile.n_phases; i++) {
        const TokenPhase *phase = &profile.phase[i];
        bool reads = strcmp(phase->name, "input") != 0 && strcmp(phase->name, "sampling") != 0;
        assert_true(phase->ms >= 0);
        assert_true((phase->bytes > 0) == reads);
        ms += phase->ms;
    }
    assert_true(fabs(ms - profile.ms) < 0.1 * profile.ms);
    assert_int_equal(session_length(f->session), (int)ids.n);
    GOOD(session_sync(f->session, &ids, NULL, &counts, &err));
    assert_int_equal(counts.computed, 1);
    GOOD(session_next(f->session, &greedy, &after, NULL, &err));
    assert_int_equal(before, after);
    tokens_release(&ids);
}

static void a_profile_needs_clocks_and_a_prompt(void **state)
{
    Fixture *f = *state;
    TokenProfile profile;
    Error err = ERROR_INIT;
    Engine *engine = open_engine(f->dir, "reference", NULL);
    Session *session;

    assert_false(session_profile(f->session, 3, &profile, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    GOOD(session_profile(f->session, 0, &profile, &err));
    assert_int_equal(profile.n_phases, 0);
    GOOD((session = session_new(engine, 0, &err)) != NULL);
    assert_false(session_profile(session, 0, &profile, &err));
    assert_int_equal(err.kind, ERR_UNSUPPORTED);
    session_free(session);
    engine_close(engine);
}

#define LLAMA2(test) cmocka_unit_test_setup_teardown(test, set_up_llama2, tear_down)
#define CHATML(test) { "with ChatML, " #test, test, set_up_chatml, tear_down, NULL }
#define BYTES(test)  cmocka_unit_test_setup_teardown(test, set_up_bytes, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LLAMA2(a_turn_computes_exactly_its_new_tokens),
        CHATML(a_turn_computes_exactly_its_new_tokens),
        LLAMA2(a_reply_stands_in_the_next_prompt_as_its_ids),
        CHATML(a_reply_stands_in_the_next_prompt_as_its_ids),
        LLAMA2(regenerating_computes_one_token),
        LLAMA2(a_changed_system_prompt_recomputes_from_the_first_changed_token),
        CHATML(a_changed_system_prompt_recomputes_from_the_first_changed_token),
        LLAMA2(a_resumed_conversation_renders_the_same_ids),
        CHATML(a_resumed_conversation_renders_the_same_ids),
        LLAMA2(control_tokens_in_a_message_stay_text),
        CHATML(control_tokens_in_a_message_stay_text),
        LLAMA2(a_cold_cache_and_a_warm_one_give_the_same_bits),
        LLAMA2(what_was_computed_before_a_stop_is_kept),
        LLAMA2(the_context_ends_with_an_error_that_says_so),
        LLAMA2(bad_prompts_are_refused),
        LLAMA2(scores_are_log_probabilities_at_each_position),
        CHATML(the_same_seed_draws_the_same_reply),
        BYTES(text_comes_in_whole_characters),
        CHATML(text_comes_in_whole_characters),
        BYTES(a_character_that_never_ends_becomes_a_replacement),
        LLAMA2(every_engine_field_is_told),
        LLAMA2(a_model_without_weights_has_no_sessions),
        LLAMA2(wrong_wishes_are_refused_by_name),
        LLAMA2(a_profile_says_where_a_token_goes_and_leaves_the_session_as_it_was),
        LLAMA2(a_profile_needs_clocks_and_a_prompt),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
