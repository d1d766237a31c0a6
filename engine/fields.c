/* One reader for the two ways in which models state numbers.  JSON integers may be written as
 * 4096.0 and reals as 1; GGUF integers may have any width. */
#include "config.h"

#include "engine/fields.h"

#include <math.h>
#include <string.h>

#include "src/base/i18n.h"

static bool get_meta(const Fields *fields, const char *key, Meta *out)
{
    Buf name = BUF_INIT;
    bool found;

    buf_printf(&name, "%s.%s", fields->prefix, key);
    found = modelfile_meta(fields->file, buf_cstr(&name), out);
    buf_release(&name);
    return found;
}

static bool wrong_type(const Fields *fields, const char *key, const char *wanted)
{
    return error_set(fields->err, ERR_FORMAT, _("%s: %s should be %s"), fields->source, key,
                     wanted);
}

static const json_t *get_json(const Fields *fields, const char *key)
{
    const json_t *value = json_object_get(fields->object, key);

    return json_is_null(value) ? NULL : value;
}

/* An array counts as its only value. */
static bool same_everywhere(const Fields *fields, const char *key, Meta *meta)
{
    Meta first, other;

    if (meta->type != META_ARRAY)
        return true;
    if (meta->count == 0)
        return wrong_type(fields, key, _("a number"));
    modelfile_meta_at(meta, 0, &first);
    for (uint64_t i = 1; i < meta->count; i++) {
        modelfile_meta_at(meta, i, &other);
        if (first.type != META_INT || other.integer != first.integer)
            return error_set(fields->err, ERR_UNSUPPORTED,
                             _("%s: %s differs from layer to layer, which is not supported"),
                             fields->source, key);
    }
    *meta = first;
    return true;
}

bool field_int(const Fields *fields, const char *key, IntRange range, int *inout)
{
    const json_t *json = NULL;
    int64_t value;
    Meta meta;

    if (fields->object) {
        json = get_json(fields, key);
        if (!json)
            return true;
        if (json_is_real(json) && floor(json_real_value(json)) == json_real_value(json) &&
            fabs(json_real_value(json)) < 0x1p53)
            value = (int64_t)json_real_value(json);
        else if (json_is_integer(json))
            value = json_integer_value(json);
        else
            return wrong_type(fields, key, _("a whole number"));
    } else {
        if (!get_meta(fields, key, &meta))
            return true;
        if (!same_everywhere(fields, key, &meta))
            return false;
        if (meta.type != META_INT)
            return wrong_type(fields, key, _("a whole number"));
        value = meta.integer;
    }
    if (value < range.min || value > range.max)
        return error_set(fields->err, ERR_FORMAT, _("%s: %s is %lld; it should be %lld to %lld"),
                         fields->source, key, (long long)value, (long long)range.min,
                         (long long)range.max);
    *inout = (int)value;
    return true;
}

bool field_real(const Fields *fields, const char *key, RealRange range, double *inout)
{
    double value;
    Meta meta;

    if (fields->object) {
        const json_t *json = get_json(fields, key);
        if (!json)
            return true;
        if (!json_is_number(json))
            return wrong_type(fields, key, _("a number"));
        value = json_number_value(json);
    } else {
        if (!get_meta(fields, key, &meta))
            return true;
        if (meta.type != META_FLOAT && meta.type != META_INT)
            return wrong_type(fields, key, _("a number"));
        value = meta.type == META_INT ? (double)meta.integer : meta.real;
    }
    if (!(value >= range.min && value <= range.max))
        return error_set(fields->err, ERR_FORMAT, _("%s: %s is %g; it should be %g to %g"),
                         fields->source, key, value, range.min, range.max);
    *inout = value;
    return true;
}

bool field_bool(const Fields *fields, const char *key, bool *inout)
{
    Meta meta;

    if (fields->object) {
        const json_t *json = get_json(fields, key);
        if (!json)
            return true;
        if (!json_is_boolean(json))
            return wrong_type(fields, key, _("true or false"));
        *inout = json_is_true(json);
        return true;
    }
    if (!get_meta(fields, key, &meta))
        return true;
    if (meta.type != META_BOOL)
        return wrong_type(fields, key, _("true or false"));
    *inout = meta.boolean;
    return true;
}

bool field_string(const Fields *fields, const char *key, Str *inout)
{
    Meta meta;

    if (fields->object) {
        const json_t *json = get_json(fields, key);
        if (!json)
            return true;
        if (!json_is_string(json))
            return wrong_type(fields, key, _("a string"));
        *inout = str_of(json_string_value(json), json_string_length(json));
        return true;
    }
    if (!get_meta(fields, key, &meta))
        return true;
    if (meta.type != META_STRING)
        return wrong_type(fields, key, _("a string"));
    *inout = meta.string;
    return true;
}

bool field_has(const Fields *fields, const char *key)
{
    Meta meta;

    return fields->object ? get_json(fields, key) != NULL : get_meta(fields, key, &meta);
}
