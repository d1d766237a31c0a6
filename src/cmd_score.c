/* `kaiwa score`: log-probabilities of given texts, one JSON object a line in and out, in order.
 *
 * The session starts small and grows with the longest item, up to --context or the model's
 * maximum; items that share a beginning with the one before reuse its cache. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/cmd.h"
#include "src/input.h"
#include "src/interrupt.h"
#include "src/start.h"

enum { FIRST_CONTEXT = 512, MAX_LINE = 256 << 20 };

typedef struct {
    Engine *engine;
    Session *session;
    ModelInfo info;
    int max_context;
    long line;
} Scorer;

/* What one line asks for. */
typedef struct {
    Tokens ids;
    size_t from;
} Item;

static bool add_text(const Scorer *scorer, const json_t *object, const char *key, Item *item,
                     Error *err)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_string(value))
        return error_set(err, ERR_FORMAT, _("\"%s\" is missing or no string"), key);
    return engine_tokenize(scorer->engine,
                           str_of(json_string_value(value), json_string_length(value)), false,
                           &item->ids, err);
}

static bool read_pair(const Scorer *scorer, const json_t *object, Item *item, Error *err)
{
    int32_t bos = engine_bos(scorer->engine);
    const json_t *with_bos = json_object_get(object, "bos");

    if (with_bos && !json_is_boolean(with_bos))
        return error_set(err, ERR_FORMAT, "%s", _("\"bos\" is neither true nor false"));
    if (bos >= 0 && !json_is_false(with_bos))
        tokens_push(&item->ids, bos);
    if (!add_text(scorer, object, "context", item, err))
        return false;
    item->from = item->ids.n;
    return add_text(scorer, object, "continuation", item, err);
}

static bool read_ids(const Scorer *scorer, const json_t *object, Item *item, Error *err)
{
    const json_t *ids = json_object_get(object, "ids"), *from = json_object_get(object, "from");
    size_t i;
    json_t *id;

    if (!json_is_array(ids) || !json_is_integer(from))
        return error_set(err, ERR_FORMAT, "%s",
                         _("\"ids\" must be an array and \"from\" a whole number"));
    json_array_foreach((json_t *)ids, i, id)
    {
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) >= scorer->info.n_vocab)
            return error_set(err, ERR_FORMAT,
                             _("\"ids\": number %zu is not an id of this model, which has %d"),
                             i + 1, scorer->info.n_vocab);
        tokens_push(&item->ids, (int32_t)json_integer_value(id));
    }
    if (json_integer_value(from) < 1 || (uint64_t)json_integer_value(from) > item->ids.n)
        return error_set(err, ERR_FORMAT,
                         _("\"from\" must be 1 to %zu: what is scored has something before it"),
                         item->ids.n);
    item->from = (size_t)json_integer_value(from);
    return true;
}

/* What does not fit loses its beginning; at least one token is left to begin from. */
static void keep_tail(const Scorer *scorer, Item *item)
{
    size_t cut =
        item->ids.n > (size_t)scorer->max_context ? item->ids.n - (size_t)scorer->max_context : 0;

    if (!cut)
        return;
    memmove(item->ids.ids, item->ids.ids + cut, (item->ids.n - cut) * sizeof *item->ids.ids);
    tokens_truncate(&item->ids, item->ids.n - cut);
    item->from = item->from > cut ? item->from - cut : 1;
}

static bool read_item(const Scorer *scorer, Str line, Item *item, Error *err)
{
    json_error_t where;
    json_t *object = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, &where);
    bool good;

    if (!object)
        return error_set(err, ERR_FORMAT, _("not JSON: %s"), where.text);
    if (!json_is_object(object))
        good = error_set(err, ERR_FORMAT, "%s", _("not a JSON object"));
    else if (json_object_get(object, "ids"))
        good = read_ids(scorer, object, item, err);
    else
        good = read_pair(scorer, object, item, err);
    json_decref(object);
    if (good && item->from < 1 && item->ids.n > item->from)
        return error_set(err, ERR_FORMAT, "%s",
                         _("nothing precedes the continuation; give a context, or ids that start "
                           "with a token of your choice"));
    return good;
}

static bool make_room(Scorer *scorer, size_t n, Error *err)
{
    int context = scorer->session ? session_context(scorer->session) : FIRST_CONTEXT / 2;

    if (scorer->session && (size_t)context >= n)
        return true;
    while (context < scorer->max_context && (size_t)context < n)
        context *= 2;
    session_free(scorer->session);
    scorer->session = session_new(
        scorer->engine, context < scorer->max_context ? context : scorer->max_context, err);
    return scorer->session != NULL;
}

static void print_scores(const Item *item, const TokenScore *scores)
{
    size_t n = item->ids.n - item->from;
    json_t *object = json_object(), *logprobs = json_array(), *best = json_array();
    double sum = 0;
    bool greedy = true;
    char *line;

    for (size_t i = 0; i < n; i++) {
        sum += scores[i].logprob;
        greedy = greedy && scores[i].best == item->ids.ids[item->from + i];
        json_array_append_new(logprobs, json_real(scores[i].logprob));
        json_array_append_new(best, json_integer(scores[i].best));
    }
    json_object_set_new(object, "logprob", json_real(sum));
    json_object_set_new(object, "tokens", json_integer((json_int_t)n));
    json_object_set_new(object, "greedy", json_boolean(greedy));
    json_object_set_new(object, "logprobs", logprobs);
    json_object_set_new(object, "best", best);
    line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    printf("%s\n", line);
    free(line);
    json_decref(object);
}

static bool score_line(Scorer *scorer, Str line, Error *err)
{
    Progress progress = { .cancel = interrupt_flag() };
    Item item = { TOKENS_INIT, 0 };
    TokenScore *scores = NULL;
    bool good = read_item(scorer, line, &item, err);

    if (good) {
        keep_tail(scorer, &item);
        scores = xcalloc(item.ids.n - item.from + 1, sizeof *scores);
        good = item.ids.n == item.from ||
               (make_room(scorer, item.ids.n, err) &&
                session_score(scorer->session, &item.ids, item.from, scores, &progress, err));
    }
    if (good)
        print_scores(&item, scores);
    free(scores);
    tokens_release(&item.ids);
    return good || error_note(err, _("line %ld"), scorer->line);
}

static bool score_file(Scorer *scorer, FILE *file, Error *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    bool good = true;

    while (good && !ferror(stdout) && !interrupt_pending() &&
           (n = getline(&line, &cap, file)) >= 0) {
        Str text = str_trim(str_of(line, (size_t)n));

        scorer->line++;
        if (scorer->line == 1 && str_starts(text, STR("\xEF\xBB\xBF")))
            text = str_from_offset(text, 3);
        if (!text.len)
            continue;
        good = score_line(scorer, text, err);
        if (good)
            fflush(stdout);
    }
    if (good && ferror(file) && !interrupt_pending())
        good = error_errno(err, _("reading the input"));
    free(line);
    return good;
}

static bool open_scorer(Scorer *scorer, const Options *options, Error *err)
{
    EngineOptions wanted = { .backend = options_string(options, "backend"),
                             .isa = options_string(options, "isa"),
                             .decoder = options_string(options, "decoder"),
                             .threads = options_int(options, "threads") };
    Progress progress = { .cancel = interrupt_flag() };
    int context = options_int(options, "context");
    Buf path = BUF_INIT;

    if (start_locate_model(options, &path, err)) {
        wanted.model = buf_cstr(&path);
        scorer->engine = engine_open(&wanted, &progress, err);
    }
    buf_release(&path);
    if (!scorer->engine)
        return false;
    engine_info(scorer->engine, &scorer->info);
    scorer->max_context =
        context > 0 && context < scorer->info.max_context ? context : scorer->info.max_context;
    return scorer->max_context >= 2 ||
           error_set(err, ERR_USAGE, "%s", _("--context: scoring needs at least 2 tokens"));
}

int cmd_score(CommandContext *context)
{
    const char *path = context->n_args ? context->args[0] : "-";
    bool is_stdin = strcmp(path, "-") == 0;
    Scorer scorer = { 0 };
    Error err = ERROR_INIT;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    bool good;

    if (!file) {
        error_errno(&err, "%s", path);
        return command_fail(&err);
    }
    interrupt_install();
    interrupt_unblock();
    good = open_scorer(&scorer, context->options, &err) && score_file(&scorer, file, &err);
    session_free(scorer.session);
    engine_close(scorer.engine);
    if (!is_stdin)
        fclose(file);
    if (interrupt_pending())
        return interrupt_status();
    return good ? EXIT_OK : command_fail(&err);
}
