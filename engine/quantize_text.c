/* A text is cut into windows of equal length, each as if it were a text of its own: with BOS where
 * the model wants it. */
#include "config.h"

#include "engine/quantize_text.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"

enum { HELDOUT_EVERY = 8 };

typedef struct {
    const Tokens *ids;
    int32_t bos; /* -1: none */
    int body;    /* tokens of a window without BOS */
    int n;       /* windows that the text has */
} Cutter;

static bool encode(const Tokenizer *tokenizer, const TextSpec *spec, Str text, Tokens *out,
                   Error *err)
{
    TextSpan span = { text, spec->special };

    if (!tokenizer_encode(tokenizer, &span, 1, out, err))
        return false;
    if (out->n > (size_t)1 << 30)
        return error_set(err, ERR_UNSUPPORTED, _("the text is too long: %zu tokens"), out->n);
    for (size_t i = 0; i < out->n; i++)
        if (out->ids[i] < 0 || out->ids[i] >= spec->n_vocab)
            return error_set(err, ERR_FORMAT,
                             _("the text has token %d, for which the model has no weights"),
                             out->ids[i]);
    return true;
}

static Cutter cutter_of(const Tokenizer *tokenizer, const TextSpec *spec, const Tokens *ids)
{
    Cutter c = { .ids = ids, .bos = tokenizer_adds_bos(tokenizer) ? tokenizer_bos(tokenizer) : -1 };

    c.body = spec->length - (c.bos >= 0);
    return c;
}

/* A last window that is too short for anything is dropped. */
static void count(Cutter *c)
{
    int n = (int)c->ids->n;

    c->n = n / c->body + (n % c->body >= WINDOW_MIN);
}

static void windows_init(Windows *w, int most, int length)
{
    *w = (Windows){ 0 };
    w->start = xcalloc((size_t)most + 1, sizeof *w->start);
    w->ids = xcalloc((size_t)most * (size_t)length + 1, sizeof *w->ids);
}

static void push(const Cutter *c, int which, Windows *w)
{
    int from = which * c->body, n = (int)c->ids->n - from, at = w->start[w->n];

    if (n > c->body)
        n = c->body;
    if (c->bos >= 0)
        w->ids[at++] = c->bos;
    memcpy(w->ids + at, c->ids->ids + from, (size_t)n * sizeof *w->ids);
    w->start[++w->n] = at + n;
}

/* Window i of `wanted` out of all. */
static int pick(const Cutter *c, int i, int wanted)
{
    return (int)((int64_t)i * c->n / wanted);
}

static void take(const Cutter *c, int wanted, int length, Windows *out)
{
    if (wanted > c->n)
        wanted = c->n;
    windows_init(out, wanted, length);
    for (int i = 0; i < wanted; i++)
        push(c, pick(c, i, wanted), out);
}

static void take_both(const Cutter *c, const TextSpec *spec, Windows *calibration, Windows *heldout)
{
    int aside = spec->samples / (HELDOUT_EVERY - 1), wanted;

    wanted = spec->samples + (aside > 0 ? aside : 1);
    if (wanted > c->n)
        wanted = c->n;
    windows_init(calibration, wanted, spec->length);
    windows_init(heldout, wanted, spec->length);
    for (int i = 0; i < wanted; i++) {
        bool last = i == wanted - 1 && heldout->n == 0;
        push(c, pick(c, i, wanted),
             last || i % HELDOUT_EVERY == HELDOUT_EVERY - 1 ? heldout : calibration);
    }
}

static bool too_short(const char *what, size_t n, Error *err)
{
    return error_set(err, ERR_USAGE, _("%s: only %zu tokens; give at least %d, better %d"), what, n,
                     4 * WINDOW_MIN, 16384);
}

/* All of a text of its own. */
static void take_all(const Tokenizer *tokenizer, const TextSpec *spec, const Tokens *text,
                     Windows *out)
{
    Cutter c = cutter_of(tokenizer, spec, text);

    count(&c);
    take(&c, spec->samples, spec->length, out);
}

static bool long_enough(const TextSpec *spec, const Tokens *text, const Tokens *other, Error *err)
{
    if (text->n < 4 * WINDOW_MIN)
        return too_short(_("the calibration text"), text->n, err);
    return !spec->heldout.len || other->n >= WINDOW_MIN ||
           too_short(_("the held-out text"), other->n, err);
}

/* One window for each at least. */
static void share(const Tokenizer *tokenizer, const TextSpec *spec, const Tokens *text,
                  Windows *calibration, Windows *heldout)
{
    Cutter c = cutter_of(tokenizer, spec, text);

    if (c.body > (int)text->n / 2)
        c.body = (int)text->n / 2;
    count(&c);
    take_both(&c, spec, calibration, heldout);
}

bool windows_make(const Tokenizer *tokenizer, const TextSpec *spec, Windows *calibration,
                  Windows *heldout, Error *err)
{
    Tokens text = TOKENS_INIT, other = TOKENS_INIT;
    bool ok = encode(tokenizer, spec, spec->calibration, &text, err) &&
              encode(tokenizer, spec, spec->heldout, &other, err) &&
              long_enough(spec, &text, &other, err);

    if (ok && spec->heldout.len) {
        take_all(tokenizer, spec, &text, calibration);
        take_all(tokenizer, spec, &other, heldout);
    } else if (ok) {
        share(tokenizer, spec, &text, calibration, heldout);
    }
    tokens_release(&text);
    tokens_release(&other);
    return ok;
}

void windows_release(Windows *windows)
{
    free(windows->ids);
    free(windows->start);
    *windows = (Windows){ 0 };
}
