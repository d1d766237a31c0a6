/* Real models against what transformers answers ($KAIWA_SHARED/models/reference): ids of texts and chats, greedy ids by
 * feeding the reference's own, log-probabilities, logits; and the float64 backend against float64 logits.
 *
 * One test a model, skipped where model or reference is absent (a failure when CI=true).  What was measured is printed. */
#include "config.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "tests/other_backend.h"

#define MARGIN        0.02 /* a step with less between best and second says nothing */
#define SCORE_ERROR   2e-3 /* mean absolute difference of log-probabilities, a model */
#define LOGIT_ERROR   2e-3 /* of the 20 best logits: norm of the difference over norm */
#define FLOAT64_ERROR 1e-5

enum { MAX_MODELS = 64 };

typedef struct {
    char *name, *test;
    char *path; /* NULL: the model is not there */
    json_t *reference;
    Engine *engine, *elyza;
    Session *session;
    int wrong; /* things that differ */
} Case;

static Case cases[MAX_MODELS];
static size_t n_cases;

/* ---- finding models ---- */

static char *text_of(const char *a, const char *between, const char *b)
{
    Buf text = BUF_INIT;
    buf_puts(&text, a);
    buf_puts(&text, between);
    buf_puts(&text, b);
    return buf_take(&text);
}

static void find_model(Case *c, const char *models)
{
    const char *file;
    json_t *sum;

    const char *name = c->name;
    json_object_foreach (json_object_get(c->reference, "files"), file, sum)
        if (strstr(file, ".gguf"))
            name = file;
    c->path = text_of(models, "/", name);
    if (access(c->path, R_OK) == 0)
        return;
    free(c->path);
    c->path = NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const Case *)a)->name, ((const Case *)b)->name);
}

static void find_cases(void)
{
    const char *shared = getenv("KAIWA_SHARED"), *models = getenv("KAIWA_TEST_MODELS");
    struct dirent *entry;
    DIR *dir;

    char *folder = text_of(shared ? shared : "../shared", "", "/models/reference");
    dir = models ? opendir(folder) : NULL;
    while (dir && n_cases < MAX_MODELS && (entry = readdir(dir))) {
        Case *c = &cases[n_cases];
        char *dot = strrchr(entry->d_name, '.');

        if (!dot || strcmp(dot, ".json") != 0)
            continue;
        char *path = text_of(folder, "/", entry->d_name);
        *dot = '\0';
        c->name = text_of(entry->d_name, "", "");
        c->reference = json_load_file(path, 0, NULL);
        find_model(c, models);
        c->test = text_of(c->name, " ", "answers as its reference");
        n_cases++;
        free(path);
    }
    if (dir)
        closedir(dir);
    free(folder);
    qsort(cases, n_cases, sizeof *cases, by_name);
}

/* ---- small helpers ---- */

static Str str_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return str_of(json_string_value(value), json_string_length(value));
}

static void add_ids(const json_t *list, Tokens *out)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        tokens_push(out, (int32_t)json_integer_value(json_array_get(list, i)));
}

static void check_ids(Case *c, const char *what, Str name, const Tokens *got, const json_t *wanted)
{
    Tokens want = TOKENS_INIT;
    add_ids(wanted, &want);
    size_t same = tokens_common(got->ids, got->n, want.ids, want.n);
    if (same != got->n || same != want.n) {
        c->wrong++;
        print_message("# %s: %s of \"%.*s\" differ at %zu: %zu ids instead of %zu\n", c->name, what,
                      name.len < 60 ? (int)name.len : 60, name.data, same, got->n, want.n);
    }
    tokens_release(&want);
}

static void check_good(Case *c, bool good, const Error *err)
{
    if (!good) {
        c->wrong++;
        print_message("# %s: %s\n", c->name, err->text);
    }
}

static Engine *open_engine(const Case *c, const char *backend, const char *format, bool without_weights)
{
    EngineOptions options = {
        .model = c->path,
        .backend = backend,
        .chat_format = format,
        .without_weights = without_weights,
    };
    Error err = ERROR_INIT;
    Engine *engine = engine_open(&options, NULL, &err);
    if (!engine)
        fail_msg("%s: %s", c->name, err.text);
    return engine;
}

/* ---- text and ids ---- */

static void check_tokenize(Case *c)
{
    size_t i;
    json_t *item;

    json_array_foreach (json_object_get(c->reference, "tokenize"), i, item) {
        Str text = str_at(item, "text");
        for (int special = 0; special < 2; special++) {
            const json_t *ids = json_object_get(item, special ? "ids_special" : "ids");
            Tokens got = TOKENS_INIT;
            Error err = ERROR_INIT;
            if (!ids)
                ids = json_object_get(item, "ids");
            check_good(c, engine_tokenize(c->engine, text, special, &got, &err), &err);
            check_ids(c, special ? "ids with control tokens" : "ids", text, &got, ids);
            tokens_release(&got);
        }
    }
}

static Role role_of(const char *name)
{
    return strcmp(name, "system") == 0 ? ROLE_SYSTEM : strcmp(name, "user") == 0 ? ROLE_USER : ROLE_ASSISTANT;
}

static void check_chat(Case *c, const json_t *item)
{
    const json_t *list = json_object_get(item, "messages");
    Str name = str_at(item, "name");
    ChatMessage messages[16];
    size_t n = json_array_size(list);
    Tokens got = TOKENS_INIT;
    Error err = ERROR_INIT;

    assert_true(n <= 16);
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_array_get(list, i);
        messages[i] = (ChatMessage){ .role = role_of(json_string_value(json_object_get(m, "role"))),
                                     .text = str_at(m, "content") };
    }
    if (str_ends(name, STR("-elyza")) && !c->elyza)
        c->elyza = open_engine(c, NULL, "elyza", true);
    check_good(c, engine_render(str_ends(name, STR("-elyza")) ? c->elyza : c->engine, messages, n, false, &got, &err),
               &err);
    check_ids(c, "prompt ids", name, &got, json_object_get(item, "ids"));
    tokens_release(&got);
}

static void check_text(Case *c, const json_t *item)
{
    Tokens got = TOKENS_INIT;
    Error err = ERROR_INIT;
    if (engine_bos(c->engine) >= 0)
        tokens_push(&got, engine_bos(c->engine));
    check_good(c, engine_tokenize(c->engine, str_at(item, "text"), false, &got, &err), &err);
    check_ids(c, "prompt ids", str_at(item, "name"), &got, json_object_get(item, "ids"));
    tokens_release(&got);
}

static void check_stops(Case *c)
{
    Tokens got = TOKENS_INIT;
    const json_t *wanted = json_object_get(c->reference, "stop_ids");
    for (int32_t id = 0; id < 100000; id++)
        if (engine_is_end(c->engine, id))
            tokens_push(&got, id);
    check_ids(c, "end ids", STR("stop_ids"), &got, wanted);
    tokens_release(&got);
}

/* The text of a reply, streamed; a character that is cut at the end is U+FFFD. */
static void check_reply(Case *c, const json_t *item)
{
    const json_t *stop = json_object_get(item, "stop_at"), *out = json_object_get(item, "out");
    size_t n = json_is_integer(stop) ? (size_t)json_integer_value(stop) : json_array_size(out);
    Str wanted = str_at(item, "reply");
    TextStream *stream = text_stream_new(c->engine);
    Buf text = BUF_INIT;

    for (size_t i = 0; i < n; i++)
        text_stream_push(stream, (int32_t)json_integer_value(json_array_get(out, i)), &text);
    text_stream_flush(stream, &text);
    if (json_object_get(item, "reply") && !str_eq(buf_str(&text), wanted)) {
        c->wrong++;
        print_message("# %s: reply of \"%s\" differs\n", c->name, json_string_value(json_object_get(item, "name")));
    }
    text_stream_free(stream);
    buf_release(&text);
}

/* ---- greedy ids ---- */

typedef struct {
    int steps, wrong, below, wrong_below;
} Greedy;

static void count_greedy(const Case *c, const json_t *item, Greedy *count)
{
    const json_t *out = json_object_get(item, "out"), *margins = json_object_get(item, "margin");
    Tokens ids = TOKENS_INIT;
    TokenScore scores[256];
    Error err = ERROR_INIT;
    size_t n = json_array_size(out);

    add_ids(json_object_get(item, "ids"), &ids);
    size_t from = ids.n;
    add_ids(out, &ids);
    assert_true(n <= 256);
    if (!session_score(c->session, &ids, from, scores, NULL, &err))
        fail_msg("%s: %s", c->name, err.text);
    for (size_t i = 0; i < n; i++) {
        bool below = json_number_value(json_array_get(margins, i)) <= MARGIN, same = scores[i].best == ids.ids[from + i];
        count->steps++;
        count->below += below;
        count->wrong += !same && !below;
        count->wrong_below += !same && below;
        if (!same && !below)
            print_message("# %s: %s, step %zu: %d instead of %d\n", c->name,
                          json_string_value(json_object_get(item, "name")), i, scores[i].best, ids.ids[from + i]);
    }
    tokens_release(&ids);
}

/* Under a sanitizer one chat of a model of real size must do, and two of those models; the tiny ones
 * show races as well. */
static bool is_slow(const Case *c)
{
    return getenv("KAIWA_SANITIZER") && strncmp(c->name, "tiny", 4) != 0;
}

static bool is_left_out(const Case *c)
{
    const char *sanitizer = getenv("KAIWA_SANITIZER");

    if (!is_slow(c))
        return false;
    return strcmp(sanitizer, "thread") == 0 ||
           (!strstr(c->name, "gguf") && !strstr(c->name, "actorder"));
}

static void check_greedy(Case *c)
{
    Greedy count = { 0 };
    size_t i;
    int chats = 0;
    json_t *item;

    json_array_foreach (json_object_get(c->reference, "greedy"), i, item) {
        bool is_chat = json_object_get(item, "messages") != NULL;
        if (is_chat)
            check_chat(c, item);
        else
            check_text(c, item);
        check_reply(c, item);
        if (!is_slow(c) || (is_chat && !chats++))
            count_greedy(c, item, &count);
    }
    print_message("# %s: greedy: %d steps, %d wrong; %d margins of at most %g, there %d differ\n", c->name, count.steps,
                  count.wrong, count.below, MARGIN, count.wrong_below);
    c->wrong += count.wrong;
}

/* ---- log-probabilities and logits ---- */

static void check_scores(Case *c)
{
    double sum = 0, largest = 0;
    int n = 0;
    size_t i, k;
    json_t *item, *value;

    json_array_foreach (json_object_get(c->reference, "score"), i, item) {
        Tokens ids = TOKENS_INIT;
        TokenScore scores[256];
        Error err = ERROR_INIT;
        size_t from = (size_t)json_integer_value(json_object_get(item, "from"));

        if (is_slow(c) && i > 2)
            break;
        add_ids(json_object_get(item, "ids"), &ids);
        if (!session_score(c->session, &ids, from, scores, NULL, &err))
            fail_msg("%s: %s", c->name, err.text);
        json_array_foreach (json_object_get(item, "logprobs"), k, value) {
            double error = fabs(scores[k].logprob - json_number_value(value));
            sum += error;
            largest = error > largest ? error : largest;
            n++;
        }
        tokens_release(&ids);
    }
    print_message("# %s: log-probabilities: %d, mean absolute error %.2g, largest %.2g\n", c->name, n, sum / n, largest);
    c->wrong += !(n > 0 && sum / n <= SCORE_ERROR);
}

static void check_logits(Case *c)
{
    double difference = 0, norm = 0, largest = 0;
    size_t i, k;
    json_t *item, *id;

    json_array_foreach (json_object_get(c->reference, "logits"), i, item) {
        Tokens ids = TOKENS_INIT;
        Error err = ERROR_INIT;
        int n;
        const float *logits = NULL;

        add_ids(json_object_get(item, "ids"), &ids);
        if (!session_sync(c->session, &ids, NULL, NULL, &err) || !(logits = session_logits(c->session, &n, &err)))
            fail_msg("%s: %s", c->name, err.text);
        json_array_foreach (json_object_get(item, "top_ids"), k, id) {
            double wanted = json_number_value(json_array_get(json_object_get(item, "top_logits"), k)),
                   error = logits[json_integer_value(id)] - wanted;
            difference += error * error;
            norm += wanted * wanted;
            largest = fabs(error) > largest ? fabs(error) : largest;
        }
        tokens_release(&ids);
    }
    print_message("# %s: best logits: relative error %.2g, largest %.2g\n", c->name, sqrt(difference / norm), largest);
    c->wrong += !(norm > 0 && sqrt(difference / norm) <= LOGIT_ERROR);
}

/* ---- the float64 pass ---- */

static double largest_error(Case *c, Session *session, const json_t *item)
{
    const json_t *pick = json_object_get(item, "pick"), *rows = json_object_get(item, "logits");
    Tokens all = TOKENS_INIT;
    double largest = 0;

    add_ids(json_object_get(item, "ids"), &all);
    for (size_t position = 0; position < all.n; position++) {
        Tokens prefix = { all.ids, position + 1, 0 };
        const json_t *row = json_array_get(rows, position);
        Error err = ERROR_INIT;
        const float *logits = NULL;
        int n;

        if (!session_sync(session, &prefix, NULL, NULL, &err) || !(logits = session_logits(session, &n, &err)))
            fail_msg("%s: %s", c->name, err.text);
        for (size_t i = 0; i < json_array_size(pick); i++) {
            double error = fabs(logits[json_integer_value(json_array_get(pick, i))] -
                                json_number_value(json_array_get(row, i)));
            largest = error > largest ? error : largest;
        }
    }
    tokens_release(&all);
    return largest;
}

static void check_float64(Case *c)
{
    const json_t *list = json_object_get(c->reference, "float64");
    Error err = ERROR_INIT;
    double largest = 0;
    size_t i;
    json_t *item;

    if (!list)
        return;
    Engine *engine = open_engine(c, "reference", NULL, false);
    Session *session = session_new(engine, 0, &err);
    if (!session)
        fail_msg("%s: %s", c->name, err.text);
    json_array_foreach (list, i, item) {
        double error = largest_error(c, session, item);
        largest = error > largest ? error : largest;
    }
    print_message("# %s: float64 pass: largest error %.2g\n", c->name, largest);
    c->wrong += !(largest <= FLOAT64_ERROR);
    session_free(session);
    engine_close(engine);
}

/* ---- running ---- */

static void check_model(void **state)
{
    Case *c = *state;
    const char *backend = other_backend("cpu");
    const char *sanitizer = getenv("KAIWA_SANITIZER");
    Error err = ERROR_INIT;

    if (!c->reference)
        fail_msg("%s: the reference cannot be read", c->name);
    if (!c->path) {
        const char *ci = getenv("CI");
        if (ci && strcmp(ci, "true") == 0)
            fail_msg("%s: the model is not there", c->name);
        skip();
    }
    if (is_left_out(c) || !backend_works(backend))
        skip();
    c->engine = open_engine(c, backend, NULL, false);
    c->session = session_new(c->engine, 1024, &err);
    if (!c->session)
        fail_msg("%s: %s", c->name, err.text);
    check_tokenize(c);
    check_stops(c);
    check_greedy(c);
    check_scores(c);
    check_logits(c);
    /* One thread, and very slow under the sanitizer that looks for races between threads. */
    if (!sanitizer || strcmp(sanitizer, "thread") != 0)
        check_float64(c);
    assert_int_equal(c->wrong, 0);
}

static int close_model(void **state)
{
    Case *c = *state;
    session_free(c->session);
    engine_close(c->engine);
    engine_close(c->elyza);
    return 0;
}

static void nothing_to_compare_with(void **state)
{
    const char *ci = getenv("CI");
    (void)state;
    if (ci && strcmp(ci, "true") == 0)
        fail_msg("KAIWA_SHARED and KAIWA_TEST_MODELS say where references and models are");
    skip();
}

static void release_cases(void)
{
    for (size_t i = 0; i < n_cases; i++) {
        json_decref(cases[i].reference);
        free(cases[i].name);
        free(cases[i].test);
        free(cases[i].path);
    }
}

int main(void)
{
    static struct CMUnitTest tests[MAX_MODELS];
    int failed;
    const struct CMUnitTest none[] = { cmocka_unit_test(nothing_to_compare_with) };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    find_cases();
    if (!n_cases)
        return cmocka_run_group_tests_name("reference", none, NULL, NULL);
    for (size_t i = 0; i < n_cases; i++)
        tests[i] = (struct CMUnitTest){ cases[i].test, check_model, NULL, close_model, &cases[i] };
    failed = _cmocka_run_group_tests("reference", tests, n_cases, NULL, NULL);
    release_cases();
    return failed;
}
