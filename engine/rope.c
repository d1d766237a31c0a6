/* Reads how a model scales its rotary frequencies and computes them, in double precision
 * throughout. */
#include "config.h"

#include "engine/rope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/log.h"
#include "src/base/mem.h"

enum { CONTEXT_MAX = 1 << 30 };

/* Everything that any kind of scaling may state. */
typedef struct {
    const char *type;
    double theta, factor, partial;
    double attention_factor; /* 0: not stated */
    double low_freq, high_freq;
    double beta_fast, beta_slow;
    double mscale, mscale_all_dim; /* 0: not stated */
    bool truncate;
    int original;               /* 0: not stated */
    const json_t *short_factor; /* longrope, JSON */
    const FileTensor *divisors; /* GGUF: frequencies are divided by these */
    const RopeBase *base;
} RopeSpec;

static const RealRange positive = { 1e-9, 1e12 };

static bool bad(const Fields *fields, const char *what)
{
    return error_set(fields->err, ERR_FORMAT, "%s: %s", fields->source, what);
}

/* ---- kinds of scaling ---- */

static bool scale_none(const Fields *fields, const RopeSpec *spec, Rope *out)
{
    (void)fields;
    (void)spec;
    (void)out;
    return true;
}

/* A config.json states the length before scaling, GGUF the one that its makers mean. */
static int extended(const Fields *fields, const RopeSpec *spec, double positions)
{
    double wanted = floor(positions * spec->factor);

    if (!fields->object && (spec->original == 0 || wanted < spec->base->max_positions))
        return spec->base->max_positions;
    return wanted > CONTEXT_MAX ? CONTEXT_MAX : wanted < 1 ? 1 : (int)wanted;
}

static bool scale_linear(const Fields *fields, const RopeSpec *spec, Rope *out)
{
    double original = spec->original ? spec->original : spec->base->max_positions;

    for (int i = 0; i < out->dims / 2; i++)
        out->inv_freq[i] /= spec->factor;
    out->max_context = extended(fields, spec, original);
    return true;
}

static bool scale_llama3(const Fields *fields, const RopeSpec *spec, Rope *out)
{
    const double turn = 2 * M_PI;

    if (spec->original == 0 || spec->high_freq <= spec->low_freq)
        return bad(fields, _("llama3 rope scaling needs original_max_position_embeddings and "
                             "high_freq_factor above "
                             "low_freq_factor"));
    for (int i = 0; i < out->dims / 2; i++) {
        double frequency = out->inv_freq[i], wavelength = turn / frequency;
        double smooth =
            (spec->original / wavelength - spec->low_freq) / (spec->high_freq - spec->low_freq);
        if (wavelength > spec->original / spec->low_freq)
            out->inv_freq[i] = frequency / spec->factor;
        else if (wavelength >= spec->original / spec->high_freq)
            out->inv_freq[i] = (1 - smooth) * frequency / spec->factor + smooth * frequency;
    }
    return true;
}

static double yarn_mscale(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

/* The dimension at which a wave makes this many turns over the original length. */
static double yarn_dim(const RopeSpec *spec, const Rope *rope, double turns, double original)
{
    return rope->dims * log(original / (turns * 2 * M_PI)) / (2 * log(spec->theta));
}

static bool scale_yarn(const Fields *fields, const RopeSpec *spec, Rope *out)
{
    double original = spec->original ? spec->original : spec->base->max_positions;
    double low = yarn_dim(spec, out, spec->beta_fast, original);
    double high = yarn_dim(spec, out, spec->beta_slow, original);
    double attention = spec->attention_factor;

    if (spec->theta <= 1)
        return bad(fields, _("yarn rope scaling needs rope_theta above 1"));
    if (spec->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, out->dims - 1);
    if (high == low)
        high += 0.001;
    for (int i = 0; i < out->dims / 2; i++) {
        double ramp = fmin(fmax((i - low) / (high - low), 0), 1);
        out->inv_freq[i] = out->inv_freq[i] / spec->factor * ramp + out->inv_freq[i] * (1 - ramp);
    }
    if (attention == 0 && spec->mscale != 0 && spec->mscale_all_dim != 0)
        attention = yarn_mscale(spec->factor, spec->mscale) /
                    yarn_mscale(spec->factor, spec->mscale_all_dim);
    out->scale = (float)(attention != 0 ? attention : yarn_mscale(spec->factor, 1));
    out->max_context = extended(fields, spec, original);
    return true;
}

static bool longrope_factors(const Fields *fields, const RopeSpec *spec, Rope *out)
{
    size_t n = (size_t)out->dims / 2;

    if (spec->divisors) /* GGUF: divided already */
        return true;
    if (!json_is_array(spec->short_factor) || json_array_size(spec->short_factor) != n)
        return bad(fields,
                   _("longrope scaling needs one short_factor for each pair of dimensions"));
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(spec->short_factor, i);
        double divisor = json_is_number(value) ? json_number_value(value) : 0;
        if (!(divisor >= positive.min && divisor <= positive.max))
            return bad(fields, _("a short_factor of longrope scaling is not a positive number"));
        out->inv_freq[i] /= divisor;
    }
    return true;
}

static bool scale_longrope(const Fields *fields, const RopeSpec *spec, Rope *out)
{
    double factor, attention = spec->attention_factor;

    if (spec->original < 2)
        return bad(fields, _("longrope scaling needs original_max_position_embeddings"));
    if (!longrope_factors(fields, spec, out))
        return false;
    factor = spec->factor > 1 ? spec->factor : (double)spec->base->max_positions / spec->original;
    if (attention == 0)
        attention = factor <= 1 ? 1 : sqrt(1 + log(factor) / log(spec->original));
    out->scale = (float)attention;
    if (spec->original < out->max_context)
        out->max_context = spec->original;
    log_write(LOG_INFO, "longrope: the short factors are used, up to %d positions",
              out->max_context);
    return true;
}

static const struct {
    const char *name; /* as configurations write it */
    const char *type;
    bool (*scale)(const Fields *, const RopeSpec *, Rope *);
    bool needs_factor;
} kinds[] = {
    { "default", "none", scale_none, false },          { "none", "none", scale_none, false },
    { "linear", "linear", scale_linear, true },        { "dynamic", "dynamic", scale_none, true },
    { "llama3", "llama3", scale_llama3, true },        { "yarn", "yarn", scale_yarn, true },
    { "longrope", "longrope", scale_longrope, false }, { "su", "longrope", scale_longrope, false },
};

/* ---- reading ---- */

/* The keys that old and new configurations share, from the object that holds them. */
static bool read_scaling(const Fields *f, RopeSpec *spec, Str *type)
{
    static const RealRange share = { 1e-3, 1 };

    if (!field_string(f, "type", type) || !field_string(f, "rope_type", type))
        return false;
    spec->short_factor = json_object_get(f->object, "short_factor");
    return field_real(f, "rope_theta", positive, &spec->theta) &&
           field_real(f, "factor", positive, &spec->factor) &&
           field_real(f, "partial_rotary_factor", share, &spec->partial) &&
           field_int(f, "original_max_position_embeddings", (IntRange){ 1, CONTEXT_MAX },
                     &spec->original) &&
           field_real(f, "low_freq_factor", positive, &spec->low_freq) &&
           field_real(f, "high_freq_factor", positive, &spec->high_freq) &&
           field_real(f, "beta_fast", positive, &spec->beta_fast) &&
           field_real(f, "beta_slow", positive, &spec->beta_slow) &&
           field_real(f, "mscale", (RealRange){ 0, 1e6 }, &spec->mscale) &&
           field_real(f, "mscale_all_dim", (RealRange){ 0, 1e6 }, &spec->mscale_all_dim) &&
           field_real(f, "attention_factor", positive, &spec->attention_factor) &&
           field_bool(f, "truncate", &spec->truncate);
}

static bool read_config(const Fields *f, RopeSpec *spec, Str *type)
{
    static const char *const keys[] = { "rope_scaling", "rope_parameters" };
    static const RealRange share = { 1e-3, 1 };

    if (!field_real(f, "rope_theta", positive, &spec->theta) ||
        !field_real(f, "partial_rotary_factor", share, &spec->partial) ||
        !field_int(f, "original_max_position_embeddings", (IntRange){ 1, CONTEXT_MAX },
                   &spec->original))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const json_t *object = json_object_get(f->object, keys[i]);
        Fields inner = { .source = f->source, .object = object, .err = f->err };
        if (!object || json_is_null(object))
            continue;
        if (!json_is_object(object))
            return error_set(f->err, ERR_FORMAT, _("%s: %s should be an object"), f->source,
                             keys[i]);
        if (json_object_get(object, "full_attention") ||
            json_object_get(object, "sliding_attention"))
            return error_set(f->err, ERR_UNSUPPORTED,
                             _("%s: %s differs from layer to layer, which is not supported"),
                             f->source, keys[i]);
        if (!read_scaling(&inner, spec, type))
            return false;
        if (type->len == 0 && json_object_get(object, "factor"))
            return error_set(f->err, ERR_FORMAT, _("%s: %s has no type"), f->source, keys[i]);
    }
    return true;
}

static bool read_gguf(const Fields *f, RopeSpec *spec, Str *type)
{
    double log_factor = 0.1, yarn_attention = 1;
    int dims = spec->base->head_dim;

    spec->factor = 0;
    if (!field_real(f, "rope.freq_base", positive, &spec->theta) ||
        !field_int(f, "rope.dimension_count", (IntRange){ 2, spec->base->head_dim }, &dims) ||
        !field_real(f, "rope.scale_linear", positive, &spec->factor))
        return false;
    spec->partial = (double)dims / spec->base->head_dim;
    if (spec->factor != 0 && spec->factor != 1)
        *type = STR("linear");
    if (!field_string(f, "rope.scaling.type", type) ||
        !field_real(f, "rope.scaling.factor", (RealRange){ 0, 1e9 }, &spec->factor) ||
        !field_int(f, "rope.scaling.original_context_length", (IntRange){ 1, CONTEXT_MAX },
                   &spec->original) ||
        !field_real(f, "rope.scaling.attn_factor", positive, &spec->attention_factor) ||
        !field_real(f, "rope.scaling.yarn_attn_factor", positive, &yarn_attention) ||
        !field_real(f, "rope.scaling.yarn_beta_fast", positive, &spec->beta_fast) ||
        !field_real(f, "rope.scaling.yarn_beta_slow", positive, &spec->beta_slow) ||
        !field_real(f, "rope.scaling.yarn_log_multiplier", (RealRange){ 0, 1e3 }, &log_factor))
        return false;
    if (spec->factor == 0)
        spec->factor = 1;
    /* llama.cpp multiplies what is stated with YaRN's own factor, Hugging Face replaces it. */
    if (str_eq_c(*type, "yarn"))
        spec->attention_factor =
            (spec->attention_factor != 0 ? spec->attention_factor : yarn_attention) *
            yarn_mscale(spec->factor, 1);
    spec->divisors = modelfile_find(
        f->file, str_eq_c(*type, "longrope") ? "rope_factors_short.weight" : "rope_freqs.weight");
    return true;
}

static bool divide(const Fields *fields, const FileTensor *divisors, Rope *out)
{
    const char *bytes = divisors->data;

    if (divisors->kernel_dtype != DTYPE_F32 || divisors->n_dims != 1 ||
        divisors->dims[0] != out->dims / 2)
        return error_set(fields->err, ERR_FORMAT, _("%s: tensor %.*s should be F32 with %d values"),
                         fields->source, (int)divisors->name.len, divisors->name.data,
                         out->dims / 2);
    for (int i = 0; i < out->dims / 2; i++) {
        float value;
        memcpy(&value, bytes + 4 * (size_t)i, sizeof value);
        if (!(value >= positive.min && value <= positive.max))
            return error_set(fields->err, ERR_FORMAT,
                             _("%s: tensor %.*s holds a value that is not positive"),
                             fields->source, (int)divisors->name.len, divisors->name.data);
        out->inv_freq[i] /= (double)value;
    }
    return true;
}

static bool compute(const Fields *fields, const RopeSpec *spec, Str type, Rope *out)
{
    int dims = (int)(spec->base->head_dim * spec->partial + 1e-6);
    size_t kind = 0;

    while (type.len && kind < ARRAY_LEN(kinds) && !str_eq_c(type, kinds[kind].name))
        kind++;
    if (kind == ARRAY_LEN(kinds))
        return error_set(fields->err, ERR_UNSUPPORTED,
                         _("%s: rope scaling \"%.*s\" is not supported"), fields->source,
                         (int)(type.len < 40 ? type.len : 40), type.data);
    if (kinds[kind].needs_factor && spec->factor == 0)
        return error_set(fields->err, ERR_FORMAT, _("%s: %s rope scaling needs a factor"),
                         fields->source, kinds[kind].type);
    dims -= dims % 2;
    if (dims < 2)
        return bad(fields, _("no dimension of a head is rotated"));
    *out = (Rope){ .type = kinds[kind].type,
                   .theta = spec->theta,
                   .dims = dims,
                   .scale = 1,
                   .max_context = spec->base->max_positions };
    out->inv_freq = xreallocarray(NULL, (size_t)dims / 2, sizeof *out->inv_freq);
    for (int i = 0; i < dims / 2; i++)
        out->inv_freq[i] = pow(spec->theta, -2.0 * i / dims);
    if ((spec->divisors && !divide(fields, spec->divisors, out)) ||
        !kinds[kind].scale(fields, spec, out)) {
        rope_release(out);
        return false;
    }
    /* Llama 3.1's scaling comes as divisors in GGUF, with no type. */
    if (spec->divisors && strcmp(out->type, "none") == 0)
        out->type = "llama3";
    return true;
}

bool rope_read(const Fields *fields, const RopeBase *base, Rope *out)
{
    RopeSpec spec = { .theta = base->theta,
                      .partial = 1,
                      .low_freq = 1,
                      .high_freq = 4,
                      .beta_fast = 32,
                      .beta_slow = 1,
                      .truncate = true,
                      .base = base };
    Str type = STR_NULL;

    return (fields->object ? read_config(fields, &spec, &type) : read_gguf(fields, &spec, &type)) &&
           compute(fields, &spec, type, out);
}

void rope_release(Rope *rope)
{
    free(rope->inv_freq);
    *rope = (Rope){ 0 };
}
