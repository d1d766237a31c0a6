/* `kaiwa bench`: tokens a second of reading prompts and of generating, at given depths of the
 * context, with the machine and the share of its memory rate beside them: generating is reading all
 * weights once a token. */
#include "config.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "src/base/attributes.h"
#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/base/text.h"
#include "src/bench_explain.h"
#include "src/cmd.h"
#include "src/interrupt.h"
#include "src/memory_rate.h"
#include "src/start.h"

enum { MAX_SIZES = 32 };

typedef struct {
    int at[MAX_SIZES];
    size_t n;
} Sizes;

typedef struct {
    Engine *engine;
    Session *session;
    ModelInfo info;
    Sizes prompts, depths;
    int generate, repeat, threads;
    const char *format;
    char cpu[128];
    double memory_rate; /* bytes a second, at the start; 0: not measured */
    double *seconds;    /* repeat of them, of the row being measured */
    double *rates;      /* the memory's, before each of them and after the last */
    json_t *rows;
    bool explain;
    size_t n_explained;
    Explanation explained[MAX_SIZES]; /* at each depth */
} Bench;

typedef struct {
    bool is_prompt;
    int depth, tokens;
    double median, least, most; /* tokens a second */
    double share;               /* of the memory rate; < 0: not known */
} Row;

static bool read_sizes(const Options *options, const char *name, int least, Sizes *out, Error *err)
{
    Str rest = str_from(options_string(options, name));

    out->n = 0;
    while (rest.len) {
        ptrdiff_t comma = str_find(rest, STR(","));
        Str word = str_trim(str_of(rest.data, comma < 0 ? rest.len : (size_t)comma));
        long long value;

        if (!str_to_long(word, &value) || value < least || value > 100000000 || out->n == MAX_SIZES)
            return error_set(err, ERR_USAGE,
                             _("--%s: \"%.*s\" is not a list of whole numbers from %d on; write "
                               "for example 128,512"),
                             name, (int)(rest.len < 40 ? rest.len : 40), rest.data, least);
        out->at[out->n++] = (int)value;
        rest = str_from_offset(rest, comma < 0 ? rest.len : (size_t)comma + 1);
    }
    return true;
}

/* ---- the machine ---- */

static void read_cpu_name(Bench *bench)
{
    Buf text = BUF_INIT;
    Error ignored = ERROR_INIT;
    Str rest, line;

    snprintf(bench->cpu, sizeof bench->cpu, "?");
    if (path_read_file("/proc/cpuinfo", 4 << 20, &text, &ignored)) {
        rest = buf_str(&text);
        while (str_line(&rest, &line)) {
            ptrdiff_t colon = str_find(line, STR(":"));

            if (!str_starts(line, STR("model name")) || colon < 0)
                continue;
            line = str_trim(str_from_offset(line, (size_t)colon + 1));
            snprintf(bench->cpu, sizeof bench->cpu, "%.*s", (int)line.len, line.data);
            break;
        }
    }
    buf_release(&text);
}

/* The backend says how many threads it took: "avx2, 2 threads". */
static int backend_threads(const char *description)
{
    const char *at = strstr(description, " thread");
    long long n;

    if (!at)
        return 0;
    while (at > description && at[-1] >= '0' && at[-1] <= '9')
        at--;
    return str_to_long(str_of(at, strspn(at, "0123456789")), &n) && n > 0 && n < 4096 ? (int)n : 0;
}

static bool is_cpu(const Bench *bench)
{
    return bench->threads > 0;
}

/* Bytes a second; 0: not known.  A GPU measures its own memory. */
static double device_rate(const Bench *bench)
{
    TokenProfile profile = { .n_phases = 0 };
    Error ignored = ERROR_INIT;

    if (is_cpu(bench))
        return memory_rate(bench->threads);
    return session_profile(bench->session, 0, &profile, &ignored) ? profile.read_rate : 0;
}

/* Weights that a token reads.  Of an embedding that is no head only one row is looked up. */
static double token_bytes(const ModelInfo *info)
{
    double embedding = (double)info->n_vocab * info->hidden * 2;

    if (info->token_bytes)
        return (double)info->token_bytes;
    return (double)info->file_bytes -
           (info->tied || embedding > (double)info->file_bytes ? 0 : embedding);
}

/* ---- measuring ---- */

/* Ids that a text could have, from a fixed generator: spread over the vocabulary, away from its
 * control tokens. */
static void fill_ids(const Bench *bench, int n, Tokens *out)
{
    uint32_t state = 12345;
    uint32_t low = bench->info.n_tokens > 1024 ? 512 : 0,
             range = (uint32_t)bench->info.n_tokens - low;

    tokens_truncate(out, 0);
    for (int i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        tokens_push(out, (int32_t)(low + (state >> 8) % range));
    }
}

/* Brings the cache to the first depth ids; at depth 0 to one other id, so that nothing of ids can
 * be reused. */
static bool go_to(Bench *bench, const Tokens *ids, int depth, const Progress *progress, Error *err)
{
    int32_t other = ids->ids[0] == 0;
    Tokens prefix = { depth ? ids->ids : &other, depth ? (size_t)depth : 1, 0 };
    SyncCounts counts;

    return session_sync(bench->session, &prefix, progress, &counts, err);
}

static bool time_prompt(Bench *bench, const Tokens *ids, int depth, double *seconds, Error *err)
{
    Progress progress = { .cancel = interrupt_flag() };
    SyncCounts counts;
    int64_t start;

    if (!go_to(bench, ids, depth, &progress, err))
        return false;
    start = clock_mono_us();
    if (!session_sync(bench->session, ids, &progress, &counts, err))
        return false;
    *seconds = (double)(clock_mono_us() - start) / 1e6;
    return true;
}

static bool time_generate(Bench *bench, const Tokens *ids, int depth, double *seconds, Error *err)
{
    Progress progress = { .cancel = interrupt_flag() };
    Sampling greedy = { .top_p = 1, .repeat_penalty = 1 };
    int64_t start = 0;
    int32_t id;

    if (!go_to(bench, ids, depth, &progress, err))
        return false;
    /* The first token is chosen from logits that are there already: one more than is timed. */
    for (int i = 0; i <= bench->generate; i++) {
        if (!session_next(bench->session, &greedy, &id, &progress, err))
            return false;
        if (i == 0)
            start = clock_mono_us();
    }
    *seconds = (double)(clock_mono_us() - start) / 1e6;
    return true;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Sorts. */
static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Each run against the memory's rate right before and after it: on a machine that others share, the
 * rate of some seconds ago says little. */
static double median_share(const Bench *bench, int tokens)
{
    double share, *shares = xcalloc((size_t)bench->repeat, sizeof *shares);

    for (int i = 0; i < bench->repeat; i++)
        shares[i] = 2 * tokens * token_bytes(&bench->info) / bench->seconds[i] /
                    (bench->rates[i] + bench->rates[i + 1]);
    share = median(shares, bench->repeat);
    free(shares);
    return share;
}

static void summarise(Bench *bench, Row *row)
{
    int n = bench->repeat;

    row->share = -1;
    if (!row->is_prompt && bench->memory_rate > 0)
        row->share = median_share(bench, row->tokens);
    row->median = row->tokens / median(bench->seconds, n);
    row->least = row->tokens / bench->seconds[n - 1];
    row->most = row->tokens / bench->seconds[0];
}

/* ---- printing ---- */

static void print_head(const Bench *bench)
{
    if (strcmp(bench->format, "csv") == 0) {
        printf("test,depth,tokens,median_tokens_per_s,min_tokens_per_s,max_tokens_per_s,memory_"
               "share\n");
    } else if (strcmp(bench->format, "table") == 0) {
        printf(_("machine: %s; %s\n"), bench->cpu, bench->info.backend);
        if (bench->memory_rate > 0 && is_cpu(bench))
            printf(_("memory:  %.1f GB/s, read by %d threads; a token reads %.0f MB of weights\n"),
                   bench->memory_rate / 1e9, bench->threads, token_bytes(&bench->info) / 1e6);
        else if (bench->memory_rate > 0)
            printf(_("memory:  %.1f GB/s on the device; a token reads %.0f MB of weights\n"),
                   bench->memory_rate / 1e9, token_bytes(&bench->info) / 1e6);
        printf(_("%-10s %7s %7s %10s %21s %8s\n"), "test", "depth", "tokens", "tokens/s",
               "min - max", "memory");
    }
    fflush(stdout);
}

static void print_row(Bench *bench, const Row *row)
{
    const char *test = row->is_prompt ? "prompt" : "generate";

    if (strcmp(bench->format, "csv") == 0) {
        printf("%s,%d,%d,%.3f,%.3f,%.3f,", test, row->depth, row->tokens, row->median, row->least,
               row->most);
        printf(row->share >= 0 ? "%.4f\n" : "\n", row->share);
    } else if (strcmp(bench->format, "table") == 0) {
        printf("%-10s %7d %7d %10.2f %10.2f %10.2f", test, row->depth, row->tokens, row->median,
               row->least, row->most);
        printf(row->share >= 0 ? " %6.0f %%\n" : "\n", row->share * 100);
    } else {
        json_array_append_new(
            bench->rows, json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:o}", "test", test, "depth",
                                   row->depth, "tokens", row->tokens, "median", row->median, "min",
                                   row->least, "max", row->most, "memory_share",
                                   row->share >= 0 ? json_real(row->share) : json_null()));
    }
    fflush(stdout);
}

static void print_explanations(const Bench *bench)
{
    for (size_t d = 0; d < bench->n_explained; d++)
        explanation_print(&bench->explained[d], bench->format, d == 0, bench->rows);
}

static void print_json(Bench *bench)
{
    json_t *object = json_pack("{s:{s:s, s:s, s:i, s:f}, s:{s:s, s:s, s:f, s:f}, s:O}", "machine",
                               "cpu", bench->cpu, "backend", bench->info.backend, "threads",
                               bench->threads, "memory_bytes_per_s", bench->memory_rate, "model",
                               "weights_file", bench->info.weights_file, "quant", bench->info.quant,
                               "token_bytes", token_bytes(&bench->info), "memory_bytes",
                               (double)bench->info.memory_bytes, "rows", bench->rows);
    char *text = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(8));

    printf("%s\n", text ? text : "{}");
    free(text);
    json_decref(object);
}

/* ---- the run ---- */

static void note_rate(Bench *bench, const Row *row, int i)
{
    if (!row->is_prompt && bench->memory_rate > 0)
        bench->rates[i] = device_rate(bench);
}

static bool measure(Bench *bench, Row row, double *median_rate, Error *err)
{
    Tokens ids = TOKENS_INIT;
    bool good = true;

    fill_ids(bench, row.depth + row.tokens, &ids);
    for (int i = 0; good && i < bench->repeat; i++) {
        note_rate(bench, &row, i);
        good = row.is_prompt ? time_prompt(bench, &ids, row.depth, &bench->seconds[i], err)
                             : time_generate(bench, &ids, row.depth, &bench->seconds[i], err);
    }
    note_rate(bench, &row, bench->repeat);
    if (good) {
        summarise(bench, &row);
        print_row(bench, &row);
        *median_rate = row.median;
    }
    tokens_release(&ids);
    return good;
}

static bool explain_depth(Bench *bench, int depth, double token_ms, Error *err)
{
    Progress progress = { .cancel = interrupt_flag() };
    Explanation *e = &bench->explained[bench->n_explained];
    Error failed = ERROR_INIT;
    Tokens ids = TOKENS_INIT;
    bool good;

    fill_ids(bench, depth + 1, &ids);
    good = go_to(bench, &ids, depth, &progress, err);
    tokens_release(&ids);
    if (!good)
        return false;
    *e = (Explanation){ .depth = depth, .token_ms = token_ms, .read_rate = device_rate(bench) };
    if (session_profile(bench->session, bench->generate, &e->profile, &failed)) {
        bench->n_explained++;
        return true;
    }
    if (failed.kind == ERR_UNSUPPORTED)
        return true;
    *err = failed;
    return false;
}

static int largest(const Sizes *sizes)
{
    int most = 0;

    for (size_t i = 0; i < sizes->n; i++)
        most = sizes->at[i] > most ? sizes->at[i] : most;
    return most;
}

static bool run_depth(Bench *bench, int depth, Error *err)
{
    Row row = { .is_prompt = true, .depth = depth };
    double rate = 0;

    for (size_t p = 0; p < bench->prompts.n; p++) {
        row.tokens = bench->prompts.at[p];
        if (!measure(bench, row, &rate, err))
            return false;
    }
    if (!bench->generate)
        return true;
    row = (Row){ .depth = depth, .tokens = bench->generate };
    return measure(bench, row, &rate, err) &&
           (!bench->explain || explain_depth(bench, depth, rate > 0 ? 1e3 / rate : 0, err));
}

static bool run_rows(Bench *bench, Error *err)
{
    for (size_t d = 0; d < bench->depths.n; d++)
        if (!run_depth(bench, bench->depths.at[d], err))
            return false;
    print_explanations(bench);
    if (bench->explain && bench->generate && !bench->n_explained)
        fprintf(stderr, "kaiwa: %s\n",
                _("--explain: this backend does not tell where the time goes"));
    return true;
}

static bool open_bench(Bench *bench, const Options *options, Error *err)
{
    EngineOptions wanted = { .backend = options_string(options, "backend"),
                             .isa = options_string(options, "isa"),
                             .decoder = options_string(options, "decoder"),
                             .threads = options_int(options, "threads") };
    Progress progress = { .cancel = interrupt_flag() };
    Buf path = BUF_INIT;
    int most, need;

    if (start_locate_model(options, &path, err)) {
        wanted.model = buf_cstr(&path);
        bench->engine = engine_open(&wanted, &progress, err);
    }
    buf_release(&path);
    if (!bench->engine)
        return false;
    engine_info(bench->engine, &bench->info);
    most = largest(&bench->prompts) > bench->generate + 1 ? largest(&bench->prompts)
                                                          : bench->generate + 1;
    need = largest(&bench->depths) + most + 1;
    if (need > bench->info.max_context)
        return error_set(err, ERR_USAGE,
                         _("--depth: with the longest test %d tokens are needed, the model's "
                           "context has %d; ask for less"),
                         need, bench->info.max_context);
    bench->session = session_new(bench->engine, need, err);
    bench->threads = backend_threads(bench->info.backend);
    bench->memory_rate = bench->session ? device_rate(bench) : 0;
    return bench->session != NULL;
}

int cmd_bench(CommandContext *context)
{
    const Options *options = context->options;
    Bench bench = { .generate = options_int(options, "generate"),
                    .repeat = options_int(options, "repeat"),
                    .explain = options_flag(options, "explain"),
                    .format = options_is_set(options, "format") ? options_string(options, "format")
                                                                : "table" };
    Error err = ERROR_INIT;
    bool good;

    if (!read_sizes(options, "prompt", 1, &bench.prompts, &err) ||
        !read_sizes(options, "depth", 0, &bench.depths, &err))
        return command_fail(&err);
    interrupt_install();
    interrupt_unblock();
    read_cpu_name(&bench);
    bench.seconds = xcalloc((size_t)bench.repeat, sizeof *bench.seconds);
    bench.rates = xcalloc((size_t)bench.repeat + 1, sizeof *bench.rates);
    bench.rows = json_array();
    good = open_bench(&bench, options, &err);
    if (good) {
        print_head(&bench);
        good = run_rows(&bench, &err);
        if (good && strcmp(bench.format, "json") == 0)
            print_json(&bench);
    }
    json_decref(bench.rows);
    free(bench.seconds);
    free(bench.rates);
    session_free(bench.session);
    engine_close(bench.engine);
    if (interrupt_pending())
        return interrupt_status();
    return good ? EXIT_OK : command_fail(&err);
}
