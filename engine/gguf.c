/* Reads GGUF files: metadata and the directory of tensors.  Nothing of the metadata is copied:
 * values and arrays stay in the mapping, found through an index.  Every length is checked against
 * what is left of the file before it is used. */
#include "config.h"

#include "engine/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/utf8.h"

enum { STRING_STRIDE = 16, TENSOR_NAME_MAX = 64, KEY_MAX = 65535, DIMS_MAX = 4 };
enum { ALIGNMENT_DEFAULT = 32, ALIGNMENT_MAX = 1 << 20 };
#define STRING_MAX ((uint64_t)1 << 30)
#define ARRAY_MAX  ((uint64_t)1 << 30)

enum {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES
};

/* Bytes of a value; 0: no fixed size. */
static const struct {
    MetaType type;
    unsigned bytes;
} value_types[GGUF_TYPES] = {
    [GGUF_U8] = { META_INT, 1 },        [GGUF_I8] = { META_INT, 1 },
    [GGUF_U16] = { META_INT, 2 },       [GGUF_I16] = { META_INT, 2 },
    [GGUF_U32] = { META_INT, 4 },       [GGUF_I32] = { META_INT, 4 },
    [GGUF_F32] = { META_FLOAT, 4 },     [GGUF_BOOL] = { META_BOOL, 1 },
    [GGUF_STRING] = { META_STRING, 0 }, [GGUF_ARRAY] = { META_ARRAY, 0 },
    [GGUF_U64] = { META_INT, 8 },       [GGUF_I64] = { META_INT, 8 },
    [GGUF_F64] = { META_FLOAT, 8 },
};

/* ggml's block types by number (ggml-common.h); holes have no name. */
static const struct {
    const char *name;
    unsigned block, bytes;
    int kernel_dtype;
} block_types[] = {
    [0] = { "F32", 1, 4, DTYPE_F32 },
    [1] = { "F16", 1, 2, DTYPE_F16 },
    [2] = { "Q4_0", 32, 18, DTYPE_Q4_0 },
    [3] = { "Q4_1", 32, 20, DTYPE_Q4_1 },
    [6] = { "Q5_0", 32, 22, -1 },
    [7] = { "Q5_1", 32, 24, -1 },
    [8] = { "Q8_0", 32, 34, DTYPE_Q8_0 },
    [9] = { "Q8_1", 32, 36, -1 },
    [10] = { "Q2_K", 256, 84, -1 },
    [11] = { "Q3_K", 256, 110, -1 },
    [12] = { "Q4_K", 256, 144, -1 },
    [13] = { "Q5_K", 256, 176, -1 },
    [14] = { "Q6_K", 256, 210, -1 },
    [15] = { "Q8_K", 256, 292, -1 },
    [16] = { "IQ2_XXS", 256, 66, -1 },
    [17] = { "IQ2_XS", 256, 74, -1 },
    [18] = { "IQ3_XXS", 256, 98, -1 },
    [19] = { "IQ1_S", 256, 50, -1 },
    [20] = { "IQ4_NL", 32, 18, -1 },
    [21] = { "IQ3_S", 256, 110, -1 },
    [22] = { "IQ2_S", 256, 82, -1 },
    [23] = { "IQ4_XS", 256, 136, -1 },
    [24] = { "I8", 1, 1, -1 },
    [25] = { "I16", 1, 2, -1 },
    [26] = { "I32", 1, 4, DTYPE_I32 },
    [27] = { "I64", 1, 8, -1 },
    [28] = { "F64", 1, 8, DTYPE_F64 },
    [29] = { "IQ1_M", 256, 56, -1 },
    [30] = { "BF16", 1, 2, DTYPE_BF16 },
    [34] = { "TQ1_0", 256, 54, -1 },
    [35] = { "TQ2_0", 256, 66, -1 },
    [39] = { "MXFP4", 32, 17, -1 },
};

/* An array in the file.  Strings differ in length: where every STRING_STRIDE-th begins is noted. */
typedef struct {
    const uint8_t *data;
    uint64_t count;
    int element;          /* GGUF type */
    unsigned count_bytes; /* of a string's length: 4 in version 1 */
    const uint8_t **marks;
} GgufArray;

typedef struct {
    Str key;
    Meta value;
} Entry;

struct Gguf {
    Entry *entries; /* sorted by key once all are read */
    size_t n, cap;
};

/* What is left to read. */
typedef struct {
    const uint8_t *at, *end;
    const Mapping *file;
    unsigned count_bytes; /* of counts and lengths: 4 in version 1, else 8 */
    Error *err;
} Cursor;

bool gguf_is(const Mapping *file)
{
    return file->bytes >= 4 && memcmp(file->data, "GGUF", 4) == 0;
}

static uint64_t integer_at(const uint8_t *bytes, unsigned n)
{
    uint64_t value = 0;

    for (unsigned i = n; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static bool broken(Cursor *c, const char *what)
{
    return error_set(c->err, ERR_FORMAT, _("%s: broken at byte %zu: %s"), c->file->name,
                     (size_t)(c->at - c->file->data), what);
}

static bool take_integer(Cursor *c, unsigned bytes, uint64_t *out)
{
    *out = 0;
    if ((size_t)(c->end - c->at) < bytes)
        return error_set(c->err, ERR_FORMAT,
                         _("%s: the file ends within its header; it is truncated"), c->file->name);
    *out = integer_at(c->at, bytes);
    c->at += bytes;
    return true;
}

static bool take_string(Cursor *c, uint64_t max, Str *out)
{
    uint64_t len;

    if (!take_integer(c, c->count_bytes, &len))
        return false;
    if (len > max)
        return broken(c, _("a string is too long"));
    if (len > (uint64_t)(c->end - c->at))
        return broken(c, _("a string reaches past the end of the file"));
    *out = str_of((const char *)c->at, (size_t)len);
    c->at += len;
    return true;
}

/* ---- metadata ---- */

static int64_t sign_extend(uint64_t value, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;

    return (int64_t)(value << shift) >> shift;
}

/* A value of fixed size.  The caller has checked that it is there and, for BOOL and U64, that it is
 * in range. */
static void read_fixed(int type, const uint8_t *at, Meta *out)
{
    unsigned bytes = value_types[type].bytes;
    uint64_t value = integer_at(at, bytes);
    float single;

    *out = (Meta){ .type = value_types[type].type, .raw_type = type };
    switch (type) {
    case GGUF_F32:
        memcpy(&single, at, sizeof single);
        out->real = (double)single;
        break;
    case GGUF_F64:
        memcpy(&out->real, at, sizeof out->real);
        break;
    case GGUF_BOOL:
        out->boolean = value != 0;
        break;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        out->integer = sign_extend(value, bytes);
        break;
    default:
        out->integer = (int64_t)value;
    }
}

static bool check_fixed(Cursor *c, int type, const uint8_t *at)
{
    if (type == GGUF_BOOL && *at > 1)
        return broken(c, _("a truth value is neither 0 nor 1"));
    if (type == GGUF_U64 && integer_at(at, 8) > INT64_MAX)
        return broken(c, _("a number is too large"));
    return true;
}

static bool take_string_elements(Cursor *c, GgufArray *array)
{
    Str s;

    array->marks = mem_try_alloc((size_t)(array->count / STRING_STRIDE) + 1, sizeof *array->marks);
    if (!array->marks)
        return error_set(c->err, ERR_MEMORY, _("%s: not enough memory for its metadata"),
                         c->file->name);
    for (uint64_t i = 0; i < array->count; i++) {
        if (i % STRING_STRIDE == 0)
            array->marks[i / STRING_STRIDE] = c->at;
        if (!take_string(c, STRING_MAX, &s))
            return false;
    }
    return true;
}

static bool take_elements(Cursor *c, GgufArray *array)
{
    unsigned bytes =
        array->element == GGUF_STRING ? c->count_bytes : value_types[array->element].bytes;

    if (array->count > ARRAY_MAX || array->count > (uint64_t)(c->end - c->at) / bytes)
        return broken(c, _("an array reaches past the end of the file"));
    if (array->element == GGUF_STRING)
        return take_string_elements(c, array);
    if (array->element == GGUF_BOOL || array->element == GGUF_U64)
        for (uint64_t i = 0; i < array->count; i++)
            if (!check_fixed(c, array->element, array->data + i * bytes))
                return false;
    c->at += array->count * bytes;
    return true;
}

static bool take_array(Cursor *c, Meta *out)
{
    uint64_t element, count;
    GgufArray *array;

    if (!take_integer(c, 4, &element) || !take_integer(c, c->count_bytes, &count))
        return false;
    if (element >= GGUF_TYPES)
        return broken(c, _("an array has elements of an unknown type"));
    if (element == GGUF_ARRAY)
        return broken(c, _("an array of arrays"));
    array = xcalloc(1, sizeof *array);
    *array = (GgufArray){
        .data = c->at, .count = count, .element = (int)element, .count_bytes = c->count_bytes
    };
    *out = (Meta){ .type = META_ARRAY,
                   .element = value_types[element].type,
                   .count = count,
                   .array = array,
                   .raw_type = (int)element };
    return take_elements(c, array);
}

static bool take_value(Cursor *c, int type, Meta *out)
{
    unsigned bytes = value_types[type].bytes;

    if (type == GGUF_ARRAY)
        return take_array(c, out);
    if (type == GGUF_STRING) {
        *out = (Meta){ .type = META_STRING, .raw_type = type };
        return take_string(c, STRING_MAX, &out->string);
    }
    if ((size_t)(c->end - c->at) < bytes)
        return broken(c, _("the file ends within a value; it is truncated"));
    if (!check_fixed(c, type, c->at))
        return false;
    read_fixed(type, c->at, out);
    c->at += bytes;
    return true;
}

static bool take_entry(Cursor *c, Gguf *gguf)
{
    Entry *entry;
    uint64_t type;
    Str key;

    if (!take_string(c, KEY_MAX, &key))
        return false;
    if (key.len == 0 || !utf8_valid(key) || memchr(key.data, '\0', key.len))
        return broken(c, _("a key is empty or not text"));
    if (!take_integer(c, 4, &type))
        return false;
    if (type >= GGUF_TYPES)
        return error_set(c->err, ERR_FORMAT, _("%s: key %.*s has the unknown type %llu"),
                         c->file->name, (int)(key.len < 100 ? key.len : 100), key.data,
                         (unsigned long long)type);
    gguf->entries = mem_grow(gguf->entries, &gguf->cap, gguf->n + 1, sizeof *gguf->entries);
    entry = &gguf->entries[gguf->n++];
    *entry = (Entry){ .key = key };
    if (!take_value(c, (int)type, &entry->value))
        return error_note(c->err, _("key %.*s"), (int)(key.len < 100 ? key.len : 100), key.data);
    return true;
}

static int compare_entries(const void *a, const void *b)
{
    return str_cmp(((const Entry *)a)->key, ((const Entry *)b)->key);
}

static bool take_metadata(Cursor *c, Gguf *gguf, uint64_t n)
{
    /* A key of one byte, its type and a value of one byte. */
    if (n > (uint64_t)(c->end - c->at) / (c->count_bytes + 1 + 4 + 1))
        return broken(c, _("more metadata than the file has room for"));
    for (uint64_t i = 0; i < n; i++)
        if (!take_entry(c, gguf))
            return false;
    if (gguf->n > 1)
        qsort(gguf->entries, gguf->n, sizeof *gguf->entries, compare_entries);
    for (size_t i = 1; i < gguf->n; i++) {
        Str key = gguf->entries[i].key;
        if (str_eq(key, gguf->entries[i - 1].key))
            return error_set(c->err, ERR_FORMAT, _("%s: key %.*s is there twice"), c->file->name,
                             (int)(key.len < 100 ? key.len : 100), key.data);
    }
    return true;
}

bool gguf_meta(const Gguf *gguf, Str key, Meta *out)
{
    Entry wanted = { .key = key };
    const Entry *entry =
        gguf->n ? bsearch(&wanted, gguf->entries, gguf->n, sizeof *gguf->entries, compare_entries)
                : NULL;

    if (entry)
        *out = entry->value;
    return entry != NULL;
}

void gguf_meta_at(const Meta *meta, uint64_t i, Meta *out)
{
    const GgufArray *array = meta->array;
    const uint8_t *at;

    if (array->element != GGUF_STRING) {
        read_fixed(array->element, array->data + i * value_types[array->element].bytes, out);
        return;
    }
    at = array->marks[i / STRING_STRIDE];
    for (uint64_t skip = i % STRING_STRIDE; skip > 0; skip--)
        at += array->count_bytes + integer_at(at, array->count_bytes);
    *out = (Meta){ .type = META_STRING, .raw_type = GGUF_STRING };
    out->string =
        str_of((const char *)at + array->count_bytes, (size_t)integer_at(at, array->count_bytes));
}

static bool check_key(Cursor *c, const Gguf *gguf, const char *key, MetaType element,
                      uint64_t *count)
{
    Meta meta;

    if (!gguf_meta(gguf, str_from(key), &meta))
        return true;
    if (meta.type != META_ARRAY ||
        (meta.count > 0 &&
         (meta.element != element || (element == META_FLOAT && meta.raw_type != GGUF_F32))))
        return error_set(c->err, ERR_FORMAT, _("%s: key %s is not an array of the right type"),
                         c->file->name, key);
    if (count && *count != UINT64_MAX && meta.count != *count)
        return error_set(c->err, ERR_FORMAT, _("%s: key %s has %llu entries for %llu tokens"),
                         c->file->name, key, (unsigned long long)meta.count,
                         (unsigned long long)*count);
    if (count)
        *count = meta.count;
    return true;
}

/* The vocabulary's arrays are read side by side: they must be of the right type and of one length.
 */
static bool check_vocabulary(Cursor *c, const Gguf *gguf)
{
    uint64_t n = UINT64_MAX;

    return check_key(c, gguf, "tokenizer.ggml.tokens", META_STRING, &n) &&
           check_key(c, gguf, "tokenizer.ggml.scores", META_FLOAT, &n) &&
           check_key(c, gguf, "tokenizer.ggml.token_type", META_INT, &n) &&
           check_key(c, gguf, "tokenizer.ggml.merges", META_STRING, NULL);
}

static bool read_alignment(Cursor *c, const Gguf *gguf, uint64_t *out)
{
    Meta meta;

    *out = ALIGNMENT_DEFAULT;
    if (!gguf_meta(gguf, STR("general.alignment"), &meta))
        return true;
    if (meta.type != META_INT || meta.integer < 1 || meta.integer > ALIGNMENT_MAX ||
        (meta.integer & (meta.integer - 1)) != 0)
        return error_set(c->err, ERR_FORMAT,
                         _("%s: general.alignment is not a power of two up to %d"), c->file->name,
                         ALIGNMENT_MAX);
    *out = (uint64_t)meta.integer;
    return true;
}

static bool check_split(Cursor *c, const Gguf *gguf)
{
    Meta meta;

    if (!gguf_meta(gguf, STR("split.count"), &meta) || meta.type != META_INT || meta.integer < 2)
        return true;
    return error_set(
        c->err, ERR_UNSUPPORTED,
        _("%s: one of %lld parts of a split GGUF file; join them with llama-gguf-split --merge"),
        c->file->name, (long long)meta.integer);
}

/* ---- tensors ---- */

static bool bad_tensor(Cursor *c, const FileTensor *tensor, const char *what)
{
    return error_set(c->err, ERR_FORMAT, _("%s: tensor %.*s: %s"), c->file->name,
                     (int)tensor->name.len, tensor->name.data, what);
}

static bool take_dims(Cursor *c, FileTensor *tensor)
{
    uint64_t n, dim;

    if (!take_integer(c, 4, &n))
        return false;
    if (n > DIMS_MAX)
        return bad_tensor(c, tensor, _("it has more than 4 dimensions"));
    tensor->n_dims = (int)n;
    for (int i = 0; i < tensor->n_dims; i++) {
        if (!take_integer(c, c->count_bytes, &dim))
            return false;
        if (dim == 0 || dim > INT64_MAX)
            return bad_tensor(c, tensor, _("its shape is impossible"));
        tensor->dims[tensor->n_dims - 1 - i] = (int64_t)dim;
    }
    return true;
}

static bool take_block_type(Cursor *c, FileTensor *tensor)
{
    uint64_t type, count, row;

    if (!take_integer(c, 4, &type))
        return false;
    if (type >= ARRAY_LEN(block_types) || !block_types[type].name)
        return error_set(c->err, ERR_UNSUPPORTED, _("%s: tensor %.*s has the unknown type %llu"),
                         c->file->name, (int)tensor->name.len, tensor->name.data,
                         (unsigned long long)type);
    tensor->dtype = block_types[type].name;
    tensor->kernel_dtype = block_types[type].kernel_dtype;
    row = tensor->n_dims ? (uint64_t)tensor->dims[tensor->n_dims - 1] : 1;
    if (row % block_types[type].block != 0)
        return bad_tensor(c, tensor, _("its rows are not whole blocks"));
    if (!tensor_count(tensor, &count) ||
        __builtin_mul_overflow(count / block_types[type].block, (uint64_t)block_types[type].bytes,
                               &tensor->bytes) ||
        tensor->bytes > INT64_MAX)
        return bad_tensor(c, tensor, _("its shape is impossible"));
    return true;
}

/* Offsets are kept in `data` as if the data began at address 0: where it begins is known only after
 * the directory. */
static bool take_tensor(Cursor *c, TensorTable *table, uint64_t alignment)
{
    FileTensor *tensor = tensor_table_add(table, c->file->name, c->err);
    uint64_t offset;

    if (!tensor || !take_string(c, TENSOR_NAME_MAX - 1, &tensor->name))
        return false;
    if (tensor->name.len == 0 || !utf8_valid(tensor->name) ||
        memchr(tensor->name.data, '\0', tensor->name.len))
        return broken(c, _("a tensor's name is empty or not text"));
    if (!take_dims(c, tensor) || !take_block_type(c, tensor) || !take_integer(c, 8, &offset))
        return false;
    if (offset % alignment != 0)
        return bad_tensor(c, tensor, _("its offset is not a multiple of the alignment"));
    if (offset > c->file->bytes)
        return bad_tensor(
            c, tensor, _("its data reaches past the end of the file; the file may be truncated"));
    tensor->data = (const void *)(uintptr_t)offset;
    return true;
}

static bool place_tensors(Cursor *c, TensorTable *table, size_t from, uint64_t alignment)
{
    uint64_t begin = ((uint64_t)(c->at - c->file->data) + alignment - 1) / alignment * alignment;
    uint64_t room = begin < c->file->bytes ? c->file->bytes - begin : 0;
    TensorSpan span = { .from = from, .start = c->file->data, .gapless = false };
    const FileTensor *at;

    for (size_t i = from; i < table->n; i++) {
        FileTensor *tensor = &table->tensors[i];
        uint64_t offset = (uint64_t)(uintptr_t)tensor->data;
        if (offset > room || tensor->bytes > room - offset)
            return bad_tensor(
                c, tensor,
                _("its data reaches past the end of the file; the file may be truncated"));
        tensor->data = c->file->data + begin + offset;
    }
    if (!tensor_table_check_ranges(table, &span, &at))
        return bad_tensor(c, at, _("its data overlaps another tensor's"));
    return true;
}

static bool take_tensors(Cursor *c, const Gguf *gguf, TensorTable *table, uint64_t n)
{
    size_t from = table->n;
    uint64_t alignment;

    if (!read_alignment(c, gguf, &alignment))
        return false;
    /* Name length, a name of one byte, number of dimensions, type, offset. */
    if (n > (uint64_t)(c->end - c->at) / (c->count_bytes + 1 + 4 + 4 + 8))
        return broken(c, _("more tensors than the file has room for"));
    for (uint64_t i = 0; i < n; i++)
        if (!take_tensor(c, table, alignment))
            return false;
    return place_tensors(c, table, from, alignment) &&
           tensor_table_finish(table, c->file->name, c->err);
}

/* ---- the file ---- */

static bool take_version(Cursor *c)
{
    uint64_t version;

    c->at += 4;
    if (!take_integer(c, 4, &version))
        return false;
    if (version != 0 && (version & 0xFFFF) == 0)
        return error_set(c->err, ERR_UNSUPPORTED,
                         _("%s: a big-endian GGUF file; convert it with gguf_convert_endian.py"),
                         c->file->name);
    if (version < 1 || version > 3)
        return error_set(c->err, ERR_UNSUPPORTED,
                         _("%s: GGUF version %llu is not known; known are 1 to 3"), c->file->name,
                         (unsigned long long)version);
    c->count_bytes = version == 1 ? 4 : 8;
    return true;
}

static bool read_all(Cursor *c, Gguf *gguf, TensorTable *table)
{
    uint64_t n_tensors, n_entries;

    return take_version(c) && take_integer(c, c->count_bytes, &n_tensors) &&
           take_integer(c, c->count_bytes, &n_entries) && take_metadata(c, gguf, n_entries) &&
           check_split(c, gguf) && check_vocabulary(c, gguf) &&
           take_tensors(c, gguf, table, n_tensors);
}

Gguf *gguf_read(const Mapping *file, TensorTable *table, Error *err)
{
    Cursor c = { file->data, file->data + file->bytes, file, 8, err };
    Gguf *gguf;

    if (!gguf_is(file)) {
        error_set(err, ERR_FORMAT, _("%s: not a GGUF file"), file->name);
        return NULL;
    }
    gguf = xcalloc(1, sizeof *gguf);
    if (read_all(&c, gguf, table))
        return gguf;
    gguf_free(gguf);
    return NULL;
}

void gguf_free(Gguf *gguf)
{
    if (!gguf)
        return;
    for (size_t i = 0; i < gguf->n; i++) {
        const GgufArray *array = gguf->entries[i].value.array;
        if (gguf->entries[i].value.type != META_ARRAY)
            continue;
        if (array)
            free(array->marks);
        free((void *)array);
    }
    free(gguf->entries);
    free(gguf);
}
