/* The pipeline of tokenizer.json: normalizer, pre-tokenizer and decoder, each a table of types.
 * Whatever is not in a table is refused by its name: leaving a step out would give other ids
 * without a word. */
#include "config.h"

#include <string.h>

#include "engine/tokenizer_parts.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"

enum { MAX_NESTING = 16 };

typedef bool (*ReadFn)(Tokenizer *t, const json_t *value, Error *err);

typedef struct {
    const char *type;
    ReadFn read;
} StepType;

static Str member(const json_t *value, const char *key)
{
    return json_str(json_object_get(value, key));
}

static bool flag_or(const json_t *value, const char *key, bool otherwise)
{
    const json_t *flag = json_object_get(value, key);
    return json_is_boolean(flag) ? json_is_true(flag) : otherwise;
}

/* Reads a step, or the steps of a Sequence whose list is called `list`. */
static bool read_steps(Tokenizer *t, const json_t *value, const StepType *types, size_t n,
                       const char *list, int depth, Error *err)
{
    Str type = member(value, "type");
    if (!value || json_is_null(value))
        return true;
    if (!type.data)
        return error_set(err, ERR_FORMAT, _("a step without a type"));
    if (str_eq_c(type, "Sequence")) {
        const json_t *steps = json_object_get(value, list);
        if (!json_is_array(steps) || depth >= MAX_NESTING)
            return error_set(err, ERR_FORMAT,
                             _("a Sequence without a list of steps, or nested too deeply"));
        for (size_t i = 0; i < json_array_size(steps); i++)
            if (!read_steps(t, json_array_get(steps, i), types, n, list, depth + 1, err))
                return false;
        return true;
    }
    for (size_t i = 0; i < n; i++)
        if (str_eq_c(type, types[i].type))
            return types[i].read
                       ? types[i].read(t, value, err) || error_note(err, "%s", types[i].type)
                       : true;
    return error_set(err, ERR_UNSUPPORTED, _("step \"%.60s\" is not supported"), type.data);
}

/* {"String": "x"}, {"Regex": "x"} or "x". */
static bool read_pattern(const json_t *value, Pattern *out, Error *err)
{
    Str regex = member(value, "Regex"),
        literal = json_is_string(value) ? json_str(value) : member(value, "String");
    if (regex.data)
        return pattern_from_regex(out, regex, err);
    if (!literal.len)
        return error_set(err, ERR_FORMAT, _("its pattern is missing or empty"));
    *out = (Pattern){ .literal = xstrndup(literal.data, literal.len), .literal_len = literal.len };
    return true;
}

/* ---- normalizers ---- */

static bool normal_prepend(Tokenizer *t, const json_t *value, Error *err)
{
    Str text = member(value, "prepend");
    if (!text.data)
        return error_set(err, ERR_FORMAT, _("what to prepend is missing"));
    normal_steps_push(&t->normal, NORMAL_PREPEND, text);
    return true;
}

static bool normal_replace(Tokenizer *t, const json_t *value, Error *err)
{
    Str content = member(value, "content");
    if (!content.data)
        return error_set(err, ERR_FORMAT, _("its content is missing"));
    NormalStep *step = normal_steps_push(&t->normal, NORMAL_REPLACE, content);
    return read_pattern(json_object_get(value, "pattern"), &step->pattern, err);
}

static bool normal_form(Tokenizer *t, const json_t *value, Error *err)
{
    static const char *const names[] = {
        [FORM_NFC] = "NFC", [FORM_NFD] = "NFD", [FORM_NFKC] = "NFKC", [FORM_NFKD] = "NFKD"
    };
    (void)err;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_c(member(value, "type"), names[i]))
            normal_steps_push(&t->normal, NORMAL_FORM, STR(""))->form = (NormalForm)i;
    return true;
}

static bool normal_strip(Tokenizer *t, const json_t *value, Error *err)
{
    (void)err;
    NormalStep *step = normal_steps_push(&t->normal, NORMAL_STRIP, STR(""));
    step->left = flag_or(value, "strip_left", true);
    step->right = flag_or(value, "strip_right", true);
    return true;
}

bool json_normalizer(Tokenizer *t, const json_t *value, Error *err)
{
    static const StepType types[] = {
        { "Prepend", normal_prepend }, { "Replace", normal_replace }, { "NFC", normal_form },
        { "NFD", normal_form },        { "NFKC", normal_form },       { "NFKD", normal_form },
        { "Strip", normal_strip },
    };
    return read_steps(t, value, types, ARRAY_LEN(types), "normalizers", 0, err) ||
           error_note(err, "normalizer");
}

/* ---- pre-tokenizers ---- */

static PreStep *push_split(Tokenizer *t, const char *rule, SplitBehavior behavior)
{
    PreStep *step = pre_steps_push(&t->pre, PRE_SPLIT);
    step->pattern.rule = rule ? split_rule_named(rule) : NULL;
    step->behavior = behavior;
    return step;
}

static bool read_behavior(Str name, SplitBehavior *out, Error *err)
{
    static const char *const names[] = {
        [SPLIT_REMOVED] = "Removed",
        [SPLIT_ISOLATED] = "Isolated",
        [SPLIT_WITH_PREVIOUS] = "MergedWithPrevious",
        [SPLIT_WITH_NEXT] = "MergedWithNext",
        [SPLIT_CONTIGUOUS] = "Contiguous",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq_c(name, names[i])) {
            *out = (SplitBehavior)i;
            return true;
        }
    }
    return error_set(err, ERR_UNSUPPORTED, _("behavior \"%.40s\" is not supported"),
                     name.data ? name.data : "");
}

static bool pre_byte_level(Tokenizer *t, const json_t *value, Error *err)
{
    (void)err;
    if (flag_or(value, "add_prefix_space", true))
        pre_steps_push(&t->pre, PRE_PREFIX_SPACE);
    if (flag_or(value, "use_regex", true))
        push_split(t, "gpt2", SPLIT_ISOLATED);
    pre_steps_push(&t->pre, PRE_BYTES);
    return true;
}

static bool pre_digits(Tokenizer *t, const json_t *value, Error *err)
{
    (void)err;
    push_split(t, "digit",
               flag_or(value, "individual_digits", false) ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS);
    return true;
}

static bool pre_split(Tokenizer *t, const json_t *value, Error *err)
{
    PreStep *step = push_split(t, NULL, SPLIT_ISOLATED);
    step->invert = flag_or(value, "invert", false);
    return read_behavior(member(value, "behavior"), &step->behavior, err) &&
           read_pattern(json_object_get(value, "pattern"), &step->pattern, err);
}

static bool pre_punctuation(Tokenizer *t, const json_t *value, Error *err)
{
    PreStep *step = push_split(t, "punctuation", SPLIT_ISOLATED);
    Str behavior = member(value, "behavior");
    return !behavior.data || read_behavior(behavior, &step->behavior, err);
}

static bool pre_whitespace(Tokenizer *t, const json_t *value, Error *err)
{
    (void)value;
    (void)err;
    push_split(t, "words-or-symbols", SPLIT_REMOVED)->invert = true;
    return true;
}

static bool pre_whitespace_split(Tokenizer *t, const json_t *value, Error *err)
{
    (void)value;
    (void)err;
    push_split(t, "space", SPLIT_REMOVED);
    return true;
}

/* prepend_scheme, or the older add_prefix_space. */
static bool read_scheme(const json_t *value, PrependScheme *out, Error *err)
{
    Str scheme = member(value, "prepend_scheme");
    if (!scheme.data)
        *out = flag_or(value, "add_prefix_space", true) ? PREPEND_ALWAYS : PREPEND_NEVER;
    else if (str_eq_c(scheme, "always"))
        *out = PREPEND_ALWAYS;
    else if (str_eq_c(scheme, "first"))
        *out = PREPEND_FIRST;
    else if (str_eq_c(scheme, "never"))
        *out = PREPEND_NEVER;
    else
        return error_set(err, ERR_UNSUPPORTED, _("prepend_scheme \"%.40s\" is not supported"),
                         scheme.data);
    return true;
}

static Str read_replacement(const json_t *value)
{
    Str mark = member(value, "replacement");
    return mark.len ? mark : STR(META_SYMBOL);
}

static bool pre_metaspace(Tokenizer *t, const json_t *value, Error *err)
{
    Str mark = read_replacement(value);
    PreStep *step = pre_steps_push(&t->pre, PRE_METASPACE);
    step->mark = xstrndup(mark.data, mark.len);
    if (!read_scheme(value, &step->scheme, err))
        return false;
    if (flag_or(value, "split", true)) {
        step = push_split(t, NULL, SPLIT_WITH_NEXT);
        step->pattern =
            (Pattern){ .literal = xstrndup(mark.data, mark.len), .literal_len = mark.len };
    }
    return true;
}

bool json_pre_tokenizer(Tokenizer *t, const json_t *value, Error *err)
{
    static const StepType types[] = {
        { "ByteLevel", pre_byte_level },
        { "Digits", pre_digits },
        { "Split", pre_split },
        { "Metaspace", pre_metaspace },
        { "Punctuation", pre_punctuation },
        { "Whitespace", pre_whitespace },
        { "WhitespaceSplit", pre_whitespace_split },
    };
    return read_steps(t, value, types, ARRAY_LEN(types), "pretokenizers", 0, err) ||
           error_note(err, "pre_tokenizer");
}

/* ---- decoders ---- */

static bool decode_replace(Tokenizer *t, const json_t *value, Error *err)
{
    const json_t *pattern = json_object_get(value, "pattern");
    Str from = json_is_string(pattern) ? json_str(pattern) : member(pattern, "String"),
        to = member(value, "content");
    if (!from.len || !to.data)
        return error_set(err, ERR_UNSUPPORTED, _("only a fixed text can be replaced"));
    decode_steps_push(&t->decode, DECODE_REPLACE, from.data, to.data);
    return true;
}

static bool decode_byte_fallback(Tokenizer *t, const json_t *value, Error *err)
{
    (void)value;
    (void)err;
    decode_steps_push(&t->decode, DECODE_BYTE_FALLBACK, NULL, NULL);
    return true;
}

static bool decode_fuse(Tokenizer *t, const json_t *value, Error *err)
{
    (void)value;
    (void)err;
    decode_steps_push(&t->decode, DECODE_FUSE, NULL, NULL);
    return true;
}

static bool decode_byte_level(Tokenizer *t, const json_t *value, Error *err)
{
    (void)value;
    (void)err;
    decode_steps_push(&t->decode, DECODE_BYTE_LEVEL, NULL, NULL);
    return true;
}

static bool decode_strip(Tokenizer *t, const json_t *value, Error *err)
{
    const json_t *start = json_object_get(value, "start"), *stop = json_object_get(value, "stop");
    Str content = member(value, "content");
    if (!content.len || json_integer_value(start) < 0 || json_integer_value(stop) < 0)
        return error_set(err, ERR_FORMAT, _("what to strip is missing"));
    DecodeStep *step = decode_steps_push(&t->decode, DECODE_STRIP, NULL, content.data);
    step->start = (size_t)json_integer_value(start);
    step->stop = (size_t)json_integer_value(stop);
    return true;
}

static bool decode_metaspace(Tokenizer *t, const json_t *value, Error *err)
{
    PrependScheme scheme = PREPEND_ALWAYS;
    if (!read_scheme(value, &scheme, err))
        return false;
    decode_steps_push(&t->decode, DECODE_METASPACE, read_replacement(value).data, " ")->prefix =
        scheme != PREPEND_NEVER;
    return true;
}

bool json_decoder(Tokenizer *t, const json_t *value, Error *err)
{
    static const StepType types[] = {
        { "Replace", decode_replace }, { "ByteFallback", decode_byte_fallback },
        { "Fuse", decode_fuse },       { "ByteLevel", decode_byte_level },
        { "Strip", decode_strip },     { "Metaspace", decode_metaspace },
    };
    if (!value || json_is_null(value)) {
        decode_steps_push(&t->decode, DECODE_SPACES, NULL, NULL);
        return true;
    }
    return read_steps(t, value, types, ARRAY_LEN(types), "decoders", 0, err) ||
           error_note(err, "decoder");
}
