/* The two containers, as plainly as they can be written.  GGUF version 1 differs in the width of
 * counts. */
#include "config.h"

#include "tests/tensor_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"

enum { ALIGNMENT = 32 };

void put_int(Buf *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_putc(out, (char)(value >> 8 * i & 255));
}

void put_f32(Buf *out, float value)
{
    buf_append(out, &value, sizeof value);
}

void put_bf16(Buf *out, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_int(out, bits >> 16, 2);
}

void put_f16(Buf *out, float value)
{
    uint32_t bits;
    int exponent;

    memcpy(&bits, &value, sizeof bits);
    exponent = (int)(bits >> 23 & 255) - 127;
    if (value == 0)
        put_int(out, bits >> 16 & 0x8000, 2);
    else if (exponent >= -14)
        put_int(out, (bits >> 16 & 0x8000) | (uint32_t)(exponent + 15) << 10 | (bits >> 13 & 0x3ff),
                2);
    else
        put_int(out, (bits >> 16 & 0x8000) | ((bits & 0x7fffff) | 0x800000) >> (-exponent - 1), 2);
}

void put_float(Buf *out, const char *dtype, float value)
{
    if (strcmp(dtype, "F32") == 0)
        put_f32(out, value);
    else if (strcmp(dtype, "F16") == 0)
        put_f16(out, value);
    else
        put_bf16(out, value);
}

void put_string(Buf *out, Str value, int count_bytes)
{
    put_int(out, value.len, count_bytes);
    buf_append_str(out, value);
}

WriterTensor *writer_add(TensorWriter *writer, const char *name, const char *dtype, int64_t rows,
                         int64_t cols)
{
    WriterTensor *tensor;

    writer->tensors =
        mem_grow(writer->tensors, &writer->cap, writer->n + 1, sizeof *writer->tensors);
    tensor = &writer->tensors[writer->n++];
    *tensor = (WriterTensor){ .name = xstrdup(name), .dtype = dtype, .n_dims = rows ? 2 : 1 };
    tensor->dims[0] = rows ? rows : cols;
    tensor->dims[1] = cols;
    return tensor;
}

void writer_release(TensorWriter *writer)
{
    for (size_t i = 0; i < writer->n; i++) {
        free(writer->tensors[i].name);
        buf_release(&writer->tensors[i].data);
    }
    free(writer->tensors);
    buf_release(&writer->meta);
    *writer = (TensorWriter){ 0 };
}

/* Releases bytes. */
static bool write_file(const char *path, Buf *bytes)
{
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(buf_cstr(bytes), 1, bytes->len, file) == bytes->len;

    if (file && fclose(file) != 0)
        ok = false;
    buf_release(bytes);
    return ok;
}

bool writer_safetensors(const TensorWriter *writer, size_t from, size_t n, const char *path)
{
    Buf header = BUF_INIT, file = BUF_INIT;
    size_t at = 0;

    buf_puts(&header, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = from; i < n; i++) {
        const WriterTensor *t = &writer->tensors[i];
        buf_printf(&header, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->name, t->dtype);
        for (int d = 0; d < t->n_dims; d++)
            buf_printf(&header, "%s%lld", d ? "," : "", (long long)t->dims[d]);
        buf_printf(&header, "],\"data_offsets\":[%zu,%zu]}", at, at + t->data.len);
        at += t->data.len;
    }
    buf_putc(&header, '}');
    while (header.len % 8 != 0)
        buf_putc(&header, ' ');
    put_int(&file, header.len, 8);
    buf_append_str(&file, buf_str(&header));
    for (size_t i = from; i < n; i++)
        buf_append_str(&file, buf_str(&writer->tensors[i].data));
    buf_release(&header);
    return write_file(path, &file);
}

static int width(const TensorWriter *writer)
{
    return writer->narrow ? 4 : 8;
}

static void pad(Buf *out)
{
    while (out->len % ALIGNMENT != 0)
        buf_putc(out, 0);
}

static uint32_t type_number(const char *dtype)
{
    static const struct {
        const char *name;
        uint32_t number;
    } rows[] = { { "F32", 0 },  { "F16", 1 },  { "BF16", 30 }, { "Q4_0", 2 },
                 { "Q4_1", 3 }, { "Q8_0", 8 }, { "Q6_K", 14 }, { "I32", 26 } };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, dtype) == 0)
            return rows[i].number;
    return 99;
}

bool writer_gguf(const TensorWriter *writer, uint32_t version, const char *path)
{
    int count_bytes = width(writer);
    Buf file = BUF_INIT;
    uint64_t at = 0;

    buf_puts(&file, "GGUF");
    put_int(&file, version, 4);
    put_int(&file, writer->n, count_bytes);
    put_int(&file, writer->n_meta, count_bytes);
    buf_append_str(&file, buf_str(&writer->meta));
    for (size_t i = 0; i < writer->n; i++) {
        const WriterTensor *t = &writer->tensors[i];
        put_string(&file, str_from(t->name), count_bytes);
        put_int(&file, (uint64_t)t->n_dims, 4);
        for (int d = t->n_dims - 1; d >= 0; d--)
            put_int(&file, (uint64_t)t->dims[d], count_bytes);
        put_int(&file, type_number(t->dtype), 4);
        put_int(&file, at, 8);
        at += (t->data.len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    for (size_t i = 0; i < writer->n; i++) {
        pad(&file);
        buf_append_str(&file, buf_str(&writer->tensors[i].data));
    }
    pad(&file);
    return write_file(path, &file);
}

static void meta_key(TensorWriter *writer, const char *key, uint32_t type)
{
    writer->n_meta++;
    put_string(&writer->meta, str_from(key), width(writer));
    put_int(&writer->meta, type, 4);
}

void meta_u32(TensorWriter *writer, const char *key, uint32_t value)
{
    meta_key(writer, key, 4);
    put_int(&writer->meta, value, 4);
}

void meta_f32(TensorWriter *writer, const char *key, float value)
{
    meta_key(writer, key, 6);
    put_f32(&writer->meta, value);
}

void meta_bool(TensorWriter *writer, const char *key, bool value)
{
    meta_key(writer, key, 7);
    put_int(&writer->meta, value, 1);
}

void meta_string(TensorWriter *writer, const char *key, const char *value)
{
    meta_key(writer, key, 8);
    put_string(&writer->meta, str_from(value), width(writer));
}

void meta_array(TensorWriter *writer, const char *key, uint32_t type, uint64_t count)
{
    meta_key(writer, key, 9);
    put_int(&writer->meta, type, 4);
    put_int(&writer->meta, count, width(writer));
}
