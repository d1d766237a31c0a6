/* Validates GPTQ and AWQ tensors and describes them; unpacks nothing.
 *
 * Act-order is detected from each g_idx, never from the config: files exist whose config is wrong,
 * and whose g_idx is a placeholder of zeros. */
#include "config.h"

#include "engine/quant.h"

#include <string.h>
#include <strings.h>

#include "engine/fields.h"
#include "src/base/i18n.h"
#include "src/base/log.h"

enum { BITS = 4, PER_WORD = 8 };
#define ZEROS_V1 0x77777777u /* eight zero points of 8, stored less one */
#define ZEROS_V2 0x88888888u /* likewise, as they are */

static uint32_t word_at(const void *words, size_t i)
{
    uint32_t word;

    memcpy(&word, (const char *)words + 4 * i, sizeof word);
    return word;
}

/* ---- what the model says ---- */

static const char *text_of(const json_t *config, const char *key, const char *other)
{
    const char *value = json_string_value(json_object_get(config, key));

    return value ? value : json_string_value(json_object_get(config, other));
}

static bool refuse(const ModelFile *file, const char *what, Error *err)
{
    return error_set(
        err, ERR_UNSUPPORTED,
        _("%s: %.80s quantisation is not supported; supported are 4-bit GPTQ and 4-bit AWQ (GEMM)"),
        modelfile_path(file), what);
}

static bool read_packing(const ModelFile *file, const json_t *config, QuantSpec *out, Error *err)
{
    const char *method = text_of(config, "quant_method", "method");
    bool like_awq = json_object_get(config, "w_bit") || json_object_get(config, "q_group_size") ||
                    json_object_get(config, "zero_point");

    if (!method && !like_awq && !json_object_get(config, "bits"))
        return error_set(err, ERR_FORMAT,
                         _("%s: the quantisation config says neither its method nor its bits"),
                         modelfile_path(file));
    if (!method)
        method = like_awq ? "awq" : "gptq";
    if (strcasecmp(method, "gptq") == 0)
        out->packing = PACK_GPTQ;
    else if (strcasecmp(method, "awq") == 0)
        out->packing = PACK_AWQ;
    else
        return refuse(file, method, err);
    return true;
}

/* The layout's name stands under one of several keys. */
static bool read_layout(const ModelFile *file, const json_t *config, QuantSpec *out, Error *err)
{
    const char *format = text_of(config, "checkpoint_format", "format");
    const char *pack = json_string_value(json_object_get(config, "pack_dtype"));

    if (out->packing == PACK_AWQ && json_object_get(config, "version"))
        format = json_string_value(json_object_get(config, "version"));
    if (json_is_true(json_object_get(config, "is_marlin_format")))
        format = "marlin";
    if (pack && strcmp(pack, "int32") != 0)
        return refuse(file, pack, err);
    if (out->packing == PACK_AWQ) {
        out->zero_rule = ZERO_AS_STORED;
        if (json_is_false(json_object_get(config, "zero_point")))
            return refuse(file, "AWQ without zero points,", err);
        return !format || strcasecmp(format, "gemm") == 0 || refuse(file, format, err);
    }
    out->zero_rule =
        format && strcasecmp(format, "gptq_v2") == 0 ? ZERO_AS_STORED : ZERO_STORED_PLUS_ONE;
    return !format || strcasecmp(format, "gptq") == 0 || strcasecmp(format, "gptq_v2") == 0 ||
           refuse(file, format, err);
}

static bool read_numbers(const ModelFile *file, const json_t *config, QuantSpec *out, Error *err)
{
    const Fields f = {.source = _("the quantisation config"), .object = config, .err = err };
    const json_t *dynamic = json_object_get(config, "dynamic");
    int bits = BITS;

    if (!field_int(&f, "w_bit", (IntRange){ 1, 32 }, &bits) ||
        !field_int(&f, "bits", (IntRange){ 1, 32 }, &bits))
        return false;
    if (bits != BITS)
        return error_set(err, ERR_UNSUPPORTED,
                         _("%s: %d-bit weights are not supported; supported are 4-bit ones"),
                         modelfile_path(file), bits);
    if (!field_int(&f, "q_group_size", (IntRange){ -1, 1 << 20 }, &out->group_size) ||
        !field_int(&f, "group_size", (IntRange){ -1, 1 << 20 }, &out->group_size))
        return false;
    if (json_object_size(dynamic) > 0)
        out->group_size = 0;
    out->symmetric = true;
    if (out->packing == PACK_AWQ)
        out->symmetric = false;
    else if (!json_object_get(config, "sym"))
        log_write(
            LOG_WARN,
            "the quantisation config does not say whether it is symmetric: taken as symmetric");
    return field_bool(&f, "sym", &out->symmetric);
}

/* ---- what the zero points say ---- */

/* Whether every word of all qzeros is the same, and which. */
static bool zeros_constant(const ModelFile *file, uint32_t *value)
{
    bool any = false;

    for (size_t i = 0; i < modelfile_n_tensors(file); i++) {
        const FileTensor *tensor = modelfile_tensor_at(file, i);
        if (!str_ends(tensor->name, STR(".qzeros")) || tensor->kernel_dtype != DTYPE_I32)
            continue;
        for (size_t k = 0; k < tensor->bytes / 4; k++) {
            uint32_t word = word_at(tensor->data, k);
            if (any && word != *value)
                return false;
            *value = word;
            any = true;
        }
    }
    return any;
}

/* Symmetric quantisation has only zero points of 8, so the words tell the version that wrote them.
 * Asymmetric models are taken at their word: theirs may happen to look like anything. */
static void check_zeros(const ModelFile *file, QuantSpec *spec)
{
    bool stated = spec->symmetric, constant;
    uint32_t word = 0;

    if (modelfile_n_tensors(file) == 0)
        return;
    constant = zeros_constant(file, &word);
    if (stated && constant && spec->packing == PACK_GPTQ &&
        (word == ZEROS_V1 || word == ZEROS_V2)) {
        QuantZero found = word == ZEROS_V1 ? ZERO_STORED_PLUS_ONE : ZERO_AS_STORED;
        if (found != spec->zero_rule)
            log_write(LOG_WARN,
                      "%s: the zero points are those of GPTQ version %d, whatever its config says",
                      modelfile_path(file), found == ZERO_STORED_PLUS_ONE ? 1 : 2);
        spec->zero_rule = found;
    }
    spec->symmetric =
        constant && word == (spec->zero_rule == ZERO_STORED_PLUS_ONE ? ZEROS_V1 : ZEROS_V2);
}

bool quant_spec_read(const ModelFile *file, QuantSpec *out, Error *err)
{
    const json_t *config = modelfile_quant_config(file);

    *out = (QuantSpec){ .packing = PACK_NONE };
    if (!config)
        return true;
    if (!read_packing(file, config, out, err) || !read_layout(file, config, out, err) ||
        !read_numbers(file, config, out, err))
        return false;
    check_zeros(file, out);
    return true;
}

/* ---- one matrix ---- */

typedef struct {
    const ModelFile *file;
    const QuantSpec *spec;
    const char *prefix;
    Linear *linear;
    Error *err;
} Describe;

static bool bad(const Describe *d, ErrorKind kind, const char *suffix, const char *what)
{
    return error_set(d->err, kind, "%s%s: %s", d->prefix, suffix, what);
}

static const FileTensor *find(const Describe *d, const char *suffix)
{
    const FileTensor *tensor;
    Buf name = BUF_INIT;

    buf_printf(&name, "%s%s", d->prefix, suffix);
    tensor = modelfile_find(d->file, buf_cstr(&name));
    buf_release(&name);
    return tensor;
}

static bool has_dims(const FileTensor *tensor, int64_t rows, int64_t cols)
{
    return tensor->n_dims == 2 && tensor->dims[0] == rows && tensor->dims[1] == cols;
}

static bool wrong_shape(const Describe *d, const char *suffix, const FileTensor *tensor,
                        int64_t rows, int64_t cols)
{
    return error_set(
        d->err, ERR_FORMAT, _("%s%s: its shape is %lld x %lld; it should be %lld x %lld"),
        d->prefix, suffix, (long long)tensor->dims[0],
        (long long)(tensor->n_dims == 2 ? tensor->dims[1] : 1), (long long)rows, (long long)cols);
}

/* The packed words.  A shape that fits another number of bits or the other packing is named as
 * such. */
static bool describe_words(const Describe *d)
{
    const FileTensor *words = find(d, ".qweight");
    int64_t n_in = d->linear->n_in, n_out = d->linear->n_out;
    bool awq = d->spec->packing == PACK_AWQ;
    static const int other_bits[] = { 2, 3, 8 };

    if (!words)
        return bad(d, ERR_NOT_FOUND, ".qweight", _("the tensor is missing"));
    if (words->kernel_dtype != DTYPE_I32)
        return bad(d, ERR_FORMAT, ".qweight", _("its type should be I32"));
    if (n_in % PER_WORD != 0 || n_out % PER_WORD != 0)
        return bad(d, ERR_UNSUPPORTED, ".qweight", _("its sizes are not multiples of 8"));
    d->linear->quant.qweight = words->data;
    if (has_dims(words, awq ? n_in : n_in / PER_WORD, awq ? n_out / PER_WORD : n_out))
        return true;
    if (has_dims(words, awq ? n_in / PER_WORD : n_in, awq ? n_out : n_out / PER_WORD))
        return bad(d, ERR_FORMAT, ".qweight",
                   awq ? _("it is packed as GPTQ does, though the config says AWQ")
                       : _("it is packed as AWQ does, though the config says GPTQ"));
    for (size_t i = 0; i < ARRAY_LEN(other_bits); i++)
        if (has_dims(words, awq ? n_in : n_in * other_bits[i] / 32,
                     awq ? n_out * other_bits[i] / 32 : n_out))
            return error_set(
                d->err, ERR_UNSUPPORTED,
                _("%s.qweight: %d-bit weights are not supported; supported are 4-bit ones"),
                d->prefix, other_bits[i]);
    return wrong_shape(d, ".qweight", words, awq ? n_in : n_in / PER_WORD,
                       awq ? n_out / PER_WORD : n_out);
}

/* The size of a group: as stated, else from the number of groups in the file. */
static bool describe_groups(const Describe *d, const FileTensor *scales)
{
    QuantSource *quant = &d->linear->quant;
    int64_t n_in = d->linear->n_in, groups = scales->dims[0], size = d->spec->group_size;

    if (size == -1)
        size = n_in;
    if (size == 0) {
        if (groups < 1 || n_in % groups != 0)
            return bad(d, ERR_FORMAT, ".scales", _("its groups do not divide the matrix evenly"));
        size = n_in / groups;
    }
    if (size > n_in)
        size = n_in;
    quant->group_size = (int)size;
    quant->n_groups = (int)((n_in + size - 1) / size);
    if (d->spec->packing == PACK_AWQ && n_in % size != 0)
        return bad(d, ERR_UNSUPPORTED, ".scales", _("its groups do not divide the matrix evenly"));
    return has_dims(scales, quant->n_groups, d->linear->n_out) ||
           wrong_shape(d, ".scales", scales, quant->n_groups, d->linear->n_out);
}

/* All exponent bits set: infinity or NaN.  No early exit, so that the loop is vectorised. */
static bool all_finite_16(const char *bytes, size_t n, uint16_t mask)
{
    unsigned found = 0;

    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, sizeof half);
        found |= (half & mask) == mask;
    }
    return found == 0;
}

static bool all_finite_32(const char *bytes, size_t n)
{
    unsigned found = 0;

    for (size_t i = 0; i < n; i++)
        found |= (word_at(bytes, i) & 0x7f800000u) == 0x7f800000u;
    return found == 0;
}

static bool describe_scales(const Describe *d)
{
    const FileTensor *scales = find(d, ".scales");
    bool finite;

    if (!scales)
        return bad(d, ERR_NOT_FOUND, ".scales", _("the tensor is missing"));
    if (scales->kernel_dtype != DTYPE_F16 && scales->kernel_dtype != DTYPE_BF16 &&
        scales->kernel_dtype != DTYPE_F32)
        return bad(d, ERR_UNSUPPORTED, ".scales", _("its type should be F16, BF16 or F32"));
    if (scales->n_dims != 2)
        return bad(d, ERR_FORMAT, ".scales", _("it should have two dimensions"));
    if (!describe_groups(d, scales))
        return false;
    if (scales->kernel_dtype == DTYPE_F32)
        finite = all_finite_32(scales->data, scales->bytes / 4);
    else
        finite = all_finite_16(scales->data, scales->bytes / 2,
                               scales->kernel_dtype == DTYPE_F16 ? 0x7c00 : 0x7f80);
    if (!finite)
        return bad(d, ERR_FORMAT, ".scales", _("it holds infinite values or no numbers"));
    d->linear->quant.scale_type = (DType)scales->kernel_dtype;
    d->linear->quant.scales = scales->data;
    return true;
}

static bool describe_zeros(const Describe *d)
{
    const FileTensor *zeros = find(d, ".qzeros");
    const QuantSource *quant = &d->linear->quant;

    if (!zeros)
        return bad(d, ERR_NOT_FOUND, ".qzeros", _("the tensor is missing"));
    if (zeros->kernel_dtype != DTYPE_I32)
        return bad(d, ERR_FORMAT, ".qzeros", _("its type should be I32"));
    if (!has_dims(zeros, quant->n_groups, d->linear->n_out / PER_WORD))
        return wrong_shape(d, ".qzeros", zeros, quant->n_groups, d->linear->n_out / PER_WORD);
    d->linear->quant.qzeros = zeros->data;
    return true;
}

/* Which group each input row belongs to.  Left out (NULL) where that is simply k / group_size. */
static bool describe_order(const Describe *d)
{
    const FileTensor *order = find(d, ".g_idx");
    QuantSource *quant = &d->linear->quant;
    bool plain = true, zero = true;

    if (!order || d->spec->packing == PACK_AWQ)
        return true;
    if (order->kernel_dtype != DTYPE_I32)
        return bad(d, ERR_FORMAT, ".g_idx", _("its type should be I32"));
    if (order->n_dims != 1 || order->dims[0] != d->linear->n_in)
        return error_set(d->err, ERR_FORMAT, _("%s.g_idx: it should have %lld entries"), d->prefix,
                         (long long)d->linear->n_in);
    for (int k = 0; k < (int)d->linear->n_in; k++) {
        uint32_t group = word_at(order->data, (size_t)k);
        if (group >= (uint32_t)quant->n_groups)
            return error_set(d->err, ERR_FORMAT, _("%s.g_idx: row %d is in group %d of %d"),
                             d->prefix, k, (int)(int32_t)group, quant->n_groups);
        plain = plain && group == (uint32_t)(k / quant->group_size);
        zero = zero && group == 0;
    }
    if (!plain && !zero)
        quant->g_idx = order->data;
    return true;
}

bool quant_describe(const ModelFile *file, const QuantSpec *spec, const char *prefix,
                    Linear *linear, Error *err)
{
    const Describe d = { file, spec, prefix, linear, err };

    if (spec->packing == PACK_NONE)
        return error_set(err, ERR_FORMAT,
                         _("%s.qweight: packed weights, but quantize_config.json is missing and "
                           "config.json has no "
                           "quantization_config"),
                         prefix);
    linear->quant =
        (QuantSource){ .packing = spec->packing, .bits = BITS, .zero_rule = spec->zero_rule };
    return describe_words(&d) && describe_scales(&d) && describe_zeros(&d) && describe_order(&d);
}
