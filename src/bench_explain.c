/* Prints what a backend's clocks told of a token, in the formats of `bench`. */
#include "config.h"

#include "src/bench_explain.h"

#include <stdio.h>
#include <string.h>

#include "src/base/i18n.h"

static double limit_ms(const Explanation *e, double bytes)
{
    return e->read_rate > 0 ? bytes / e->read_rate * 1e3 : 0;
}

static TokenPhase sum_phases(const TokenProfile *profile)
{
    TokenPhase all = { .name = "all" };

    for (int i = 0; i < profile->n_phases; i++) {
        all.ms += profile->phase[i].ms;
        all.exchange_ms += profile->phase[i].exchange_ms;
        all.bytes += profile->phase[i].bytes;
    }
    return all;
}

static void print_table_row(const Explanation *e, const TokenPhase *phase, double all_ms)
{
    printf("%-10s %9.4f %5.1f %9.4f %9.1f", phase->name, phase->ms,
           all_ms > 0 ? phase->ms / all_ms * 100 : 0, phase->exchange_ms, phase->bytes / 1e6);
    if (e->read_rate > 0)
        printf(" %9.4f\n", limit_ms(e, phase->bytes));
    else
        printf(" %9s\n", "-");
}

static void print_table(const Explanation *e)
{
    const TokenProfile *profile = &e->profile;
    TokenPhase all = sum_phases(profile);
    double limit = limit_ms(e, all.bytes);

    printf(_("where the time of a token goes at depth %d; exchange is what of it is spent on "
             "waiting for other parts of the device\n"),
           e->depth);
    printf("%-10s %9s %5s %9s %9s %9s\n", "phase", "ms", "%", "exchange", "MB", "limit ms");
    for (int i = 0; i < profile->n_phases; i++)
        print_table_row(e, &profile->phase[i], all.ms);
    print_table_row(e, &all, all.ms);
    if (limit > 0 && e->token_ms > 0)
        printf(_("predicted by the memory's rate: %.4f ms; measured: %.4f ms, %.1f %% of the limit "
                 "(%.4f ms with the clocks running)\n"),
               limit, e->token_ms, limit / e->token_ms * 100, profile->ms);
    if (*profile->driver)
        printf(_("decoding: %s\n"), profile->driver);
}

static void print_csv_row(const Explanation *e, const TokenPhase *phase)
{
    printf("\"%s\",%d,%.5f,%.5f,%.0f,%.5f\n", phase->name, e->depth, phase->ms, phase->exchange_ms,
           phase->bytes, limit_ms(e, phase->bytes));
}

static void print_csv(const Explanation *e, bool first)
{
    TokenPhase all = sum_phases(&e->profile);

    if (first)
        printf("\nphase,depth,ms,exchange_ms,bytes,limit_ms\n");
    for (int i = 0; i < e->profile.n_phases; i++)
        print_csv_row(e, &e->profile.phase[i]);
    print_csv_row(e, &all);
}

static json_t *pack_phase(const Explanation *e, const TokenPhase *phase)
{
    return json_pack("{s:s, s:f, s:f, s:f, s:f}", "phase", phase->name, "ms", phase->ms,
                     "exchange_ms", phase->exchange_ms, "bytes", phase->bytes, "limit_ms",
                     limit_ms(e, phase->bytes));
}

static json_t *pack(const Explanation *e)
{
    TokenPhase all = sum_phases(&e->profile);
    double limit = limit_ms(e, all.bytes);
    json_t *phases = json_array();

    for (int i = 0; i < e->profile.n_phases; i++)
        json_array_append_new(phases, pack_phase(e, &e->profile.phase[i]));
    return json_pack("{s:s, s:i, s:o, s:f, s:f, s:f, s:o, s:s}", "test", "explain", "depth",
                     e->depth, "phases", phases, "token_ms", e->token_ms, "clocked_ms",
                     e->profile.ms, "limit_ms", limit, "limit_share",
                     limit > 0 && e->token_ms > 0 ? json_real(limit / e->token_ms) : json_null(),
                     "driver", e->profile.driver);
}

void explanation_print(const Explanation *explanation, const char *format, bool first, json_t *rows)
{
    if (strcmp(format, "json") == 0)
        json_array_append_new(rows, pack(explanation));
    else if (strcmp(format, "csv") == 0)
        print_csv(explanation, first);
    else
        print_table(explanation);
    fflush(stdout);
}
