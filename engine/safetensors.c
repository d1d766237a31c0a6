/* Reads the header of a safetensors file: eight bytes of length, then JSON of one fixed shape.
 *
 * The parser is written for that shape instead of building a JSON tree: memory stays proportional
 * to the number of tensors, and the format's own rules (plain integers, no key twice, no unknown
 * keys) are where the bytes are read. */
#include "config.h"

#include "engine/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/utf8.h"

enum { LENGTH_BYTES = 8, NAME_MAX_BYTES = 512, SHAPE_MAX = 8, METADATA_MAX = 4096 };
#define HEADER_MAX  ((uint64_t)100 * 1000 * 1000) /* the reference implementation's limit */
#define INTEGER_MAX (((uint64_t)1 << 48) - 1)     /* likewise */

typedef struct {
    const char *name;
    int bits;
    int kernel_dtype;
} SafetensorsType;

static const SafetensorsType types[] = {
    { "F16", 16, DTYPE_F16 }, { "BF16", 16, DTYPE_BF16 },
    { "F32", 32, DTYPE_F32 }, { "I32", 32, DTYPE_I32 },
    { "F64", 64, DTYPE_F64 }, { "BOOL", 8, -1 },
    { "F4", 4, -1 },          { "F6_E2M3", 6, -1 },
    { "F6_E3M2", 6, -1 },     { "U8", 8, -1 },
    { "I8", 8, -1 },          { "F8_E5M2", 8, -1 },
    { "F8_E4M3", 8, -1 },     { "F8_E8M0", 8, -1 },
    { "F8_E4M3FNUZ", 8, -1 }, { "F8_E5M2FNUZ", 8, -1 },
    { "I16", 16, -1 },        { "U16", 16, -1 },
    { "U32", 32, -1 },        { "C64", 64, -1 },
    { "I64", 64, -1 },        { "U64", 64, -1 },
};

typedef struct {
    const char *at, *end;
    const Mapping *file;
    TensorTable *table;
    Buf text; /* a string with escapes, decoded */
    Error *err;
} Header;

static bool fail(Header *h, const char *what)
{
    return error_set(h->err, ERR_FORMAT, _("%s: the header is broken at byte %zu: %s"),
                     h->file->name, (size_t)(h->at - (const char *)h->file->data), what);
}

static void skip_space(Header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == '\r' || *h->at == '\t'))
        h->at++;
}

static bool take(Header *h, char c)
{
    skip_space(h);
    if (h->at >= h->end || *h->at != c)
        return false;
    h->at++;
    return true;
}

static bool hex4(Header *h, unsigned *out)
{
    unsigned value = 0;

    if (h->end - h->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = *h->at++;
        value <<= 4;
        if (c >= '0' && c <= '9')
            value += (unsigned)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            value += (unsigned)((c | 32) - 'a') + 10;
        else
            return false;
    }
    *out = value;
    return true;
}

/* After a backslash. */
static bool take_escape(Header *h)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    unsigned cp, low;
    const char *which;

    if (h->at >= h->end)
        return false;
    if (*h->at != 'u') {
        which = memchr(from, *h->at, sizeof from - 1);
        if (!which)
            return false;
        h->at++;
        buf_putc(&h->text, to[which - from]);
        return true;
    }
    h->at++;
    if (!hex4(h, &cp) || cp == 0)
        return false;
    if (cp >= 0xD800 && cp < 0xDC00) {
        if (h->end - h->at < 2 || h->at[0] != '\\' || h->at[1] != 'u')
            return false;
        h->at += 2;
        if (!hex4(h, &low) || low < 0xDC00 || low > 0xDFFF)
            return false;
        cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
    } else if (cp >= 0xDC00 && cp < 0xE000) {
        return false;
    }
    buf_put_utf8(&h->text, cp);
    return true;
}

/* A string, borrowed from the mapping where it has no escapes, else in h->text until the next one.
 */
static bool take_string(Header *h, Str *out)
{
    const char *start;
    bool escaped = false;

    if (!take(h, '"'))
        return fail(h, _("a string should stand here"));
    start = h->at;
    while (h->at < h->end && *h->at != '"') {
        if ((unsigned char)*h->at < 0x20)
            return fail(h, _("a control character within a string"));
        if (*h->at != '\\') {
            if (escaped)
                buf_putc(&h->text, *h->at);
            h->at++;
            continue;
        }
        if (!escaped) {
            buf_reset(&h->text);
            buf_append(&h->text, start, (size_t)(h->at - start));
            escaped = true;
        }
        h->at++;
        if (!take_escape(h))
            return fail(h, _("a bad escape within a string"));
    }
    if (h->at >= h->end)
        return fail(h, _("a string does not end"));
    *out = escaped ? buf_str(&h->text) : str_of(start, (size_t)(h->at - start));
    h->at++;
    return true;
}

/* Digits alone: no sign, point, exponent or leading zero. */
static bool take_integer(Header *h, uint64_t *out)
{
    const char *start;
    uint64_t value = 0;

    skip_space(h);
    start = h->at;
    while (h->at < h->end && *h->at >= '0' && *h->at <= '9' && value <= INTEGER_MAX)
        value = value * 10 + (uint64_t)(*h->at++ - '0');
    if (h->at == start || (h->at - start > 1 && *start == '0') || value > INTEGER_MAX ||
        (h->at < h->end && memchr(".eE+-", *h->at, 5))) {
        h->at = start;
        return fail(h, _("a whole number below 2^48 should stand here"));
    }
    *out = value;
    return true;
}

/* [n, n, ...] with at most max entries. */
static bool take_integers(Header *h, uint64_t *out, int max, int *n)
{
    *n = 0;
    if (!take(h, '['))
        return fail(h, _("a list should stand here"));
    if (take(h, ']'))
        return true;
    do {
        if (*n >= max)
            return fail(h, _("a list is too long"));
        if (!take_integer(h, &out[(*n)++]))
            return false;
    } while (take(h, ','));
    return take(h, ']') || fail(h, _("a list does not end"));
}

static bool take_type(Header *h, FileTensor *tensor, int *bits)
{
    Str name;

    if (!take_string(h, &name))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!str_eq_c(name, types[i].name))
            continue;
        tensor->dtype = types[i].name;
        tensor->kernel_dtype = types[i].kernel_dtype;
        *bits = types[i].bits;
        return true;
    }
    return error_set(h->err, ERR_UNSUPPORTED, _("%s: tensor %.*s has the unknown type %.*s"),
                     h->file->name, (int)tensor->name.len, tensor->name.data,
                     (int)(name.len < 40 ? name.len : 40), name.data);
}

static bool bad_tensor(Header *h, const FileTensor *tensor, const char *what)
{
    return error_set(h->err, ERR_FORMAT, _("%s: tensor %.*s: %s"), h->file->name,
                     (int)tensor->name.len, tensor->name.data, what);
}

/* Sizes of one tensor against each other and against the file. */
static bool place_tensor(Header *h, FileTensor *tensor, int bits, const uint64_t offsets[2])
{
    uint64_t room = h->file->bytes - (uint64_t)(h->end - (const char *)h->file->data), count, total;

    if (offsets[1] < offsets[0])
        return bad_tensor(h, tensor, _("its data ends before it begins"));
    if (offsets[1] > room)
        return bad_tensor(
            h, tensor, _("its data reaches past the end of the file; the file may be truncated"));
    if (!tensor_count(tensor, &count) || __builtin_mul_overflow(count, (uint64_t)bits, &total) ||
        total % 8 != 0)
        return bad_tensor(h, tensor, _("its shape is impossible"));
    tensor->bytes = offsets[1] - offsets[0];
    if (total / 8 != tensor->bytes)
        return bad_tensor(h, tensor, _("its shape and type do not match the size of its data"));
    tensor->data = h->end + offsets[0];
    return true;
}

/* {"dtype":…,"shape":…,"data_offsets":…} in any order, each exactly once. */
static bool take_tensor(Header *h, Str name)
{
    enum { HAS_TYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };
    uint64_t dims[SHAPE_MAX], offsets[2];
    int seen = 0, bits = 0, n = 0;
    FileTensor *tensor = tensor_table_add(h->table, h->file->name, h->err);

    if (!tensor)
        return false;
    tensor->name = name;
    if (!take(h, '{'))
        return fail(h, _("the description of a tensor should stand here"));
    do {
        Str key;
        int bit;
        if (!take_string(h, &key))
            return false;
        bit = str_eq_c(key, "dtype")          ? HAS_TYPE
              : str_eq_c(key, "shape")        ? HAS_SHAPE
              : str_eq_c(key, "data_offsets") ? HAS_OFFSETS
                                              : 0;
        if (bit == 0 || (seen & bit))
            return bad_tensor(
                h, tensor, bit ? _("a key is there twice") : _("unknown key in its description"));
        seen |= bit;
        if (!take(h, ':'))
            return fail(h, _("a colon should stand here"));
        if (bit == HAS_TYPE && !take_type(h, tensor, &bits))
            return false;
        if (bit == HAS_SHAPE && !take_integers(h, dims, SHAPE_MAX, &tensor->n_dims))
            return false;
        if (bit == HAS_OFFSETS && !take_integers(h, offsets, 2, &n))
            return false;
    } while (take(h, ','));
    if (!take(h, '}'))
        return fail(h, _("the description of a tensor does not end"));
    if (seen != HAS_ALL || n != 2)
        return bad_tensor(h, tensor, _("its description needs dtype, shape and two data_offsets"));
    for (int i = 0; i < tensor->n_dims; i++)
        tensor->dims[i] = (int64_t)dims[i];
    return place_tensor(h, tensor, bits, offsets);
}

static int compare_keys(const void *a, const void *b)
{
    return str_cmp(*(const Str *)a, *(const Str *)b);
}

/* {"key":"value", …}: nothing in it is needed, but a file that breaks the rule is not what it says.
 */
static bool take_metadata(Header *h)
{
    Str *keys = NULL, value;
    size_t n = 0, cap = 0;
    TensorTable kept = { 0 };
    bool ok = take(h, '{') || fail(h, _("__metadata__ should be an object of strings"));

    if (ok && take(h, '}'))
        return true;
    while (ok) {
        keys = mem_grow(keys, &cap, n + 1, sizeof *keys);
        ok = take_string(h, &keys[n]);
        if (!ok)
            break;
        keys[n] = tensor_table_keep(&kept, keys[n]);
        n++;
        ok = (take(h, ':') || fail(h, _("a colon should stand here"))) && take_string(h, &value);
        if (ok && n > METADATA_MAX)
            ok = fail(h, _("__metadata__ has too many keys"));
        if (!ok || !take(h, ','))
            break;
    }
    ok = ok && (take(h, '}') || fail(h, _("__metadata__ should be an object of strings")));
    if (ok)
        qsort(keys, n, sizeof *keys, compare_keys);
    for (size_t i = 1; ok && i < n; i++)
        if (str_eq(keys[i], keys[i - 1]))
            ok = fail(h, _("a key of __metadata__ is there twice"));
    tensor_table_release(&kept);
    free(keys);
    return ok;
}

static bool take_member(Header *h, bool *has_metadata)
{
    Str name;

    if (!take_string(h, &name))
        return false;
    if (str_eq_c(name, "__metadata__")) {
        if (*has_metadata)
            return fail(h, _("__metadata__ is there twice"));
        *has_metadata = true;
        return (take(h, ':') || fail(h, _("a colon should stand here"))) && take_metadata(h);
    }
    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return fail(h, _("a tensor's name is empty or too long"));
    if (name.data == h->text.data)
        name = tensor_table_keep(h->table, name);
    return (take(h, ':') || fail(h, _("a colon should stand here"))) && take_tensor(h, name);
}

static bool read_members(Header *h)
{
    bool has_metadata = false;

    if (h->at >= h->end || *h->at != '{')
        return fail(h, _("it should begin with {"));
    h->at++;
    if (!take(h, '}')) {
        do {
            if (!take_member(h, &has_metadata))
                return false;
        } while (take(h, ','));
        if (!take(h, '}'))
            return fail(h, _("a comma or the end should stand here"));
    }
    while (h->at < h->end && *h->at == ' ')
        h->at++;
    return h->at == h->end || fail(h, _("something follows its end"));
}

static uint64_t read_length(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

bool safetensors_read(const Mapping *file, TensorTable *table, Error *err)
{
    Header h = { .file = file, .table = table, .err = err };
    TensorSpan span = { .from = table->n, .gapless = true };
    const FileTensor *at;
    uint64_t length;
    bool ok;

    if (file->bytes < LENGTH_BYTES)
        return error_set(err, ERR_FORMAT, _("%s: too short for a safetensors file"), file->name);
    length = read_length(file->data);
    if (length > HEADER_MAX)
        return error_set(err, ERR_FORMAT, _("%s: not a safetensors file (a header of %llu bytes)"),
                         file->name, (unsigned long long)length);
    if (length > file->bytes - LENGTH_BYTES)
        return error_set(err, ERR_FORMAT, _("%s: the file ends within its header; it is truncated"),
                         file->name);
    h.at = (const char *)file->data + LENGTH_BYTES;
    h.end = h.at + length;
    if (!utf8_valid(str_of(h.at, (size_t)length)))
        return error_set(err, ERR_FORMAT, _("%s: the header is not valid UTF-8"), file->name);
    ok = read_members(&h);
    buf_release(&h.text);
    if (!ok)
        return false;
    span.start = (const uint8_t *)h.end;
    span.end = file->data + file->bytes;
    if (tensor_table_check_ranges(table, &span, &at))
        return true;
    if (at)
        return error_set(err, ERR_FORMAT,
                         _("%s: the data of tensor %.*s overlaps another or leaves a hole"),
                         file->name, (int)at->name.len, at->name.data);
    return error_set(err, ERR_FORMAT, _("%s: bytes follow the last tensor's data"), file->name);
}
