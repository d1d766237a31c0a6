/* `kaiwa quantize`: a model of 16 or 32 bits becomes one of 4 bits, and the loss on a text that
 * took no part in it is told before and after. */
#include "config.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/path.h"
#include "src/calibration.h"
#include "src/cmd.h"
#include "src/input.h"
#include "src/interrupt.h"

enum { TEXT_MAX = 256 << 20, BAR_COLS = 30, STEPS_LAYER = 7 };

typedef struct {
    bool shown;
    int first; /* steps that an earlier run had done; -1: not known yet */
    int64_t since_us;
} Bar;

/* ---- progress ---- */

static void clear_bar(Bar *bar)
{
    if (bar->shown)
        fputs("\r\033[K", stderr);
    bar->shown = false;
}

static void put_time_left(const Bar *bar, int done, int total)
{
    double seconds = (double)(clock_mono_us() - bar->since_us) / 1e6;

    if (done <= bar->first)
        return;
    seconds *= (double)(total - done) / (done - bar->first);
    fprintf(stderr, _(", %d:%02d left"), (int)(seconds / 60), (int)seconds % 60);
}

static void show_progress(void *arg, int done, int total)
{
    Bar *bar = arg;
    int filled = (int)((int64_t)BAR_COLS * done / total);

    if (!isatty(STDERR_FILENO))
        return;
    if (bar->first < 0) {
        bar->first = done;
        bar->since_us = clock_mono_us();
    }
    fputs("\r\033[K[", stderr);
    for (int i = 0; i < BAR_COLS; i++)
        fputc(i < filled ? '#' : '-', stderr);
    fprintf(stderr, _("] layer %d of %d"),
            done < total ? done / STEPS_LAYER + 1 : total / STEPS_LAYER, total / STEPS_LAYER);
    put_time_left(bar, done, total);
    fflush(stderr);
    bar->shown = true;
}

/* ---- texts ---- */

static bool read_text(const Options *options, const char *name, Buf *out, Error *err)
{
    const char *path = options_string(options, name);
    Buf bytes = BUF_INIT;
    bool good;

    if (!path)
        return true;
    good = path_read_file(path, TEXT_MAX, &bytes, err) &&
           input_decode(buf_str(&bytes), options_string(options, "encoding"), out, NULL, err);
    buf_release(&bytes);
    if (!good)
        return error_note(err, "--%s", name);
    return out->len || error_set(err, ERR_USAGE, _("--%s: %s: the text is empty"), name, path);
}

/* ---- what comes out ---- */

static void print_json(const char *out, const QuantizeResult *r, double seconds)
{
    json_t *object =
        json_pack("{s:s, s:i, s:i, s:i, s:i, s:{s:f, s:f}, s:{s:f, s:f}, s:f}", "out", out,
                  "layers", r->n_layers, "resumed", r->resumed, "calibration_tokens",
                  r->calibration_tokens, "heldout_tokens", r->heldout_tokens, "before", "nll",
                  r->nll_before, "perplexity", exp(r->nll_before), "after", "nll", r->nll_after,
                  "perplexity", exp(r->nll_after), "seconds", seconds);
    char *line = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;

    if (line)
        printf("%s\n", line);
    free(line);
    json_decref(object);
}

static void print_lines(const char *out, const QuantizeResult *r, double seconds)
{
    printf(_("calibrated with %d tokens, loss measured on %d others\n"), r->calibration_tokens,
           r->heldout_tokens);
    printf(_("before: %.4f a token, perplexity %.3f\n"), r->nll_before, exp(r->nll_before));
    printf(_("after:  %.4f a token, perplexity %.3f (loss %+.2f %%)\n"), r->nll_after,
           exp(r->nll_after), 100 * (r->nll_after / r->nll_before - 1));
    printf(_("%s: written in %.0f s\n"), out, seconds);
}

/* ---- the command ---- */

static bool check_rule(const Options *options, bool *asymmetric, Error *err)
{
    bool sym = options_flag(options, "sym"), asym = options_flag(options, "asym");

    *asymmetric = asym || !sym;
    if (options_is_given(options, "sym") && sym && asym)
        return error_set(err, ERR_USAGE, "%s", _("--sym and --asym: give one of them"));
    return true;
}

static bool run(CommandContext *context, Bar *bar, QuantizeResult *result, Error *err)
{
    const Options *options = context->options;
    Progress progress = { .cancel = interrupt_flag(), .report = show_progress, .arg = bar };
    Buf path = BUF_INIT, calibration = BUF_INIT, heldout = BUF_INIT;
    QuantizeOptions wanted = { .out = context->args[1],
                               .act_order = options_flag(options, "act-order"),
                               .special = options_flag(options, "special"),
                               .samples = options_int(options, "samples"),
                               .sample_tokens = options_int(options, "sample-tokens"),
                               .isa = options_string(options, "isa"),
                               .threads = options_int(options, "threads") };
    long long group;
    bool good;

    str_to_long(str_from(options_string(options, "group-size")), &group);
    wanted.group_size = (int)group;
    good = check_rule(options, &wanted.asymmetric, err) &&
           read_text(options, "calibration", &calibration, err) &&
           read_text(options, "heldout", &heldout, err) &&
           engine_locate(context->args[0], &path, err);
    if (good) {
        wanted.model = buf_cstr(&path);
        wanted.calibration = calibration.len ? buf_str(&calibration) : str_from(calibration_text);
        wanted.heldout = buf_str(&heldout);
        good = engine_quantize(&wanted, &progress, result, err);
    }
    buf_release(&path);
    buf_release(&calibration);
    buf_release(&heldout);
    return good;
}

int cmd_quantize(CommandContext *context)
{
    int64_t since_us = clock_mono_us();
    const char *out = context->args[1];
    QuantizeResult result = { 0 };
    Bar bar = { .first = -1 };
    Error err = ERROR_INIT;
    double seconds;
    bool good;

    interrupt_install();
    interrupt_unblock();
    good = run(context, &bar, &result, &err);
    clear_bar(&bar);
    seconds = (double)(clock_mono_us() - since_us) / 1e6;
    if (!good && result.n_layers)
        fprintf(stderr, _("kaiwa: %d of %d layers are done; the same command goes on from there\n"),
                result.layers_done, result.n_layers);
    if (!good && err.kind == ERR_CANCELLED)
        return interrupt_status();
    if (!good)
        return command_fail(&err);
    if (options_flag(context->options, "json"))
        print_json(out, &result, seconds);
    else
        print_lines(out, &result, seconds);
    return EXIT_OK;
}
