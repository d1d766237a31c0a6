/* The weight file: a safetensors header for what will be there, and tensors at their places. */
#include "config.h"

#include "engine/quantize_output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/arch.h"
#include "engine/quantize_config.h"
#include "kernels/half.h"
#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"

enum { PIECE_VALUES = 1 << 16, PER_WORD = 8 };

/* ---- the directories ---- */

static bool is_empty_dir(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    int n = 0;

    if (!dir)
        return false;
    while ((entry = readdir(dir)))
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return n == 0;
}

bool output_check(const char *out, Error *err)
{
    struct stat st;

    if (!*out)
        return error_set(err, ERR_USAGE, _("the name of the directory to write is empty"));
    if (lstat(out, &st) != 0)
        return errno == ENOENT || error_errno(err, "%s", out);
    return is_empty_dir(out) ||
           error_set(err, ERR_SYSTEM, _("%s: is there already; remove it or name another"), out);
}

static bool take_lock(Output *o, Error *err)
{
    o->made = mkdir(o->partial, 0777) == 0;
    if (!o->made && errno != EEXIST)
        return error_errno(err, _("cannot make %s"), o->partial);
    o->lock = open(o->partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (o->lock < 0)
        return error_errno(err, "%s", o->partial);
    if (flock(o->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return true;
    return error_set(err, ERR_SYSTEM, _("%s: another kaiwa is at work on it"), o->partial);
}

bool output_open(Output *o, const char *out, const OutputSpec *spec, Error *err)
{
    Buf partial = BUF_INIT;
    size_t len = strlen(out);
    char base[48];

    *o = (Output){ .spec = *spec, .lock = -1, .fd = -1 };
    while (len > 1 && out[len - 1] == '/')
        len--;
    o->out = xstrndup(out, len);
    buf_printf(&partial, "%s.partial", o->out);
    o->partial = buf_take(&partial);
    quantize_base_name(spec->settings, base, sizeof base);
    snprintf(o->weights_name, sizeof o->weights_name, "%s.safetensors", base);
    return take_lock(o, err);
}

static void path_inside(const Output *o, const char *name, Buf *path)
{
    path_join(path, o->partial, name);
}

/* ---- what the file will hold ---- */

static void add(Output *o, const char *name, const char *dtype, int64_t rows, int64_t cols)
{
    OutTensor *t;
    int width = strcmp(dtype, "F16") == 0 ? 2 : 4;

    o->tensors = mem_grow(o->tensors, &o->cap_tensors, o->n_tensors + 1, sizeof *o->tensors);
    t = &o->tensors[o->n_tensors++];
    *t = (OutTensor){ .name = xstrdup(name), .dtype = dtype, .dims = { rows, cols } };
    t->from = o->end;
    t->bytes = (uint64_t)rows * (uint64_t)(cols ? cols : 1) * (unsigned)width;
    o->end += t->bytes;
}

/* A name of the family with a suffix. */
static const char *name_of(WeightName which, int layer, const char *suffix, Buf *name)
{
    buf_reset(name);
    arch_tensor_name(which, CONTAINER_SAFETENSORS, layer, name);
    buf_puts(name, suffix);
    return buf_cstr(name);
}

static void add_bias(Output *o, WeightName which, int layer, int64_t n, Buf *name)
{
    if (modelfile_find(o->spec.file, name_of(which, layer, ".bias", name)))
        add(o, buf_cstr(name), "F16", n, 0);
}

static void add_linear(Output *o, WeightName which, int layer, const Linear *linear, Buf *name)
{
    int64_t size = o->spec.settings->group_size, n_groups;

    if (size < 0 || size > linear->n_in)
        size = linear->n_in;
    n_groups = (linear->n_in + size - 1) / size;
    add(o, name_of(which, layer, ".qweight", name), "I32", linear->n_in / PER_WORD, linear->n_out);
    add(o, name_of(which, layer, ".qzeros", name), "I32", n_groups, linear->n_out / PER_WORD);
    add(o, name_of(which, layer, ".scales", name), "F16", n_groups, linear->n_out);
    add(o, name_of(which, layer, ".g_idx", name), "I32", linear->n_in, 0);
    add_bias(o, which, layer, linear->n_out, name);
}

static void add_layer(Output *o, int layer, Buf *name)
{
    const LayerWeights *w = &o->spec.weights->layers[layer];
    const struct {
        WeightName which;
        const Linear *linear;
    } linears[] = { { W_Q, &w->q },       { W_K, &w->k },   { W_V, &w->v },      { W_O, &w->o },
                    { W_GATE, &w->gate }, { W_UP, &w->up }, { W_DOWN, &w->down } };
    int64_t hidden = o->spec.shape->hidden;

    add(o, name_of(W_ATTN_NORM, layer, ".weight", name), "F16", hidden, 0);
    for (size_t i = 0; i < ARRAY_LEN(linears); i++)
        add_linear(o, linears[i].which, layer, linears[i].linear, name);
    if (w->q_norm.data)
        add(o, name_of(W_Q_NORM, layer, ".weight", name), "F16", w->q_norm.cols, 0);
    if (w->k_norm.data)
        add(o, name_of(W_K_NORM, layer, ".weight", name), "F16", w->k_norm.cols, 0);
    add(o, name_of(W_FFN_NORM, layer, ".weight", name), "F16", hidden, 0);
}

static void plan(Output *o)
{
    const ModelShape *s = o->spec.shape;
    Buf name = BUF_INIT;

    add(o, name_of(W_EMBEDDING, 0, ".weight", &name), "F16", s->n_vocab, s->hidden);
    for (int i = 0; i < s->n_layers; i++)
        add_layer(o, i, &name);
    add(o, name_of(W_OUTPUT_NORM, 0, ".weight", &name), "F16", s->hidden, 0);
    if (!o->spec.tied) {
        add(o, name_of(W_HEAD, 0, ".weight", &name), "F16", s->n_vocab, s->hidden);
        add_bias(o, W_HEAD, 0, s->n_vocab, &name);
    }
    buf_release(&name);
}

static void put_header(const Output *o, Buf *out)
{
    const GptqSettings *settings = o->spec.settings;
    uint64_t length;

    buf_append(out, &(uint64_t){ 0 }, sizeof(uint64_t));
    buf_printf(out,
               "{\"__metadata__\":{\"format\":\"pt\",\"gptq_bits\":\"%d\",\"gptq_group_size\":"
               "\"%d\",\"gptq_desc_act\":\"%s\",\"gptq_damp_percent\":\"%g\"}",
               settings->bits, settings->group_size, settings->act_order ? "True" : "False",
               settings->damp);
    for (size_t i = 0; i < o->n_tensors; i++) {
        const OutTensor *t = &o->tensors[i];
        buf_printf(out, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%lld", t->name, t->dtype,
                   (long long)t->dims[0]);
        if (t->dims[1])
            buf_printf(out, ",%lld", (long long)t->dims[1]);
        buf_printf(out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)t->from,
                   (unsigned long long)(t->from + t->bytes));
    }
    buf_putc(out, '}');
    while (out->len % 8 != 0)
        buf_putc(out, ' ');
    length = out->len - sizeof length;
    memcpy(out->data, &length, sizeof length);
}

/* ---- writing ---- */

static bool cannot_write(const Output *o, Error *err)
{
    return error_errno(err, _("cannot write %s/%s"), o->partial, o->weights_name);
}

static bool write_at(Output *o, uint64_t at, const void *bytes, size_t n, Error *err)
{
    const char *from = bytes;

    while (n) {
        ssize_t done = pwrite(o->fd, from, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return cannot_write(o, err);
        from += done;
        at += (uint64_t)done;
        n -= (size_t)done;
    }
    return true;
}

static const OutTensor *find(const Output *o, const char *name)
{
    for (size_t i = 0; i < o->n_tensors; i++)
        if (strcmp(o->tensors[i].name, name) == 0)
            return &o->tensors[i];
    return NULL;
}

static bool write_tensor(Output *o, const char *name, const void *bytes, Error *err)
{
    const OutTensor *t = find(o, name);

    return write_at(o, o->data_from + t->from, bytes, (size_t)t->bytes, err);
}

/* Values as binary16; what does not fit is no model that 16 bits can hold. */
static bool to_halves(const char *name, const float *from, size_t n, uint16_t *to, Error *err)
{
    bool bad = false;

    for (size_t i = 0; i < n; i++) {
        to[i] = float_to_half(from[i]);
        bad |= (to[i] & 0x7c00) == 0x7c00;
    }
    return !bad || error_set(err, ERR_UNSUPPORTED,
                             _("%s: it holds values too large for 16 bits, or no numbers"), name);
}

/* A tensor of the input; of a tied model the embedding may go by the head's name. */
static bool find_source(const Output *o, const OutTensor *t, Tensor *out)
{
    const FileTensor *source = modelfile_find(o->spec.file, t->name);
    const DTypeInfo *info;

    if (t == o->tensors) {
        *out = o->spec.weights->embedding;
        return true;
    }
    if (!source || source->kernel_dtype < 0)
        return false;
    info = dtype_info((DType)source->kernel_dtype);
    *out = (Tensor){ .dtype = (DType)source->kernel_dtype, .data = source->data };
    return info->to_float && source->bytes == t->bytes / 2 * (unsigned)info->block_bytes;
}

/* In pieces: it may be large. */
static bool copy_tensor(Output *o, const OutTensor *t, Error *err)
{
    uint64_t total = t->bytes / 2;
    const DTypeInfo *info;
    Tensor source;
    float *floats;
    uint16_t *halves;
    bool ok = true;

    if (!find_source(o, t, &source))
        return error_set(err, ERR_UNSUPPORTED,
                         _("%s: the tensor is of a type that cannot be copied"), t->name);
    info = dtype_info(source.dtype);
    floats = xreallocarray(NULL, PIECE_VALUES, sizeof *floats);
    halves = xreallocarray(NULL, PIECE_VALUES, sizeof *halves);
    for (uint64_t i = 0; ok && i < total; i += PIECE_VALUES) {
        size_t n = (size_t)(total - i < PIECE_VALUES ? total - i : PIECE_VALUES);
        info->to_float((const char *)source.data + i * (unsigned)info->block_bytes, floats,
                       (int64_t)n);
        ok = to_halves(t->name, floats, n, halves, err) &&
             write_at(o, o->data_from + t->from + 2 * i, halves, 2 * n, err);
    }
    free(floats);
    free(halves);
    return ok;
}

static bool open_weights(Output *o, int flags, Error *err)
{
    Buf path = BUF_INIT;

    path_inside(o, o->weights_name, &path);
    o->fd = open(buf_cstr(&path), flags | O_CLOEXEC, 0666);
    buf_release(&path);
    return o->fd >= 0 || cannot_write(o, err);
}

bool output_begin(Output *o, Error *err)
{
    Buf header = BUF_INIT;
    bool ok;

    plan(o);
    put_header(o, &header);
    o->data_from = header.len;
    ok = open_weights(o, O_RDWR | O_CREAT | O_TRUNC, err);
    if (ok) {
        errno = posix_fallocate(o->fd, 0, (off_t)(o->data_from + o->end));
        ok = errno == 0 || cannot_write(o, err);
    }
    ok = ok && write_at(o, 0, header.data, header.len, err);
    /* Packed tensors are the quantiser's. */
    for (size_t i = 0; ok && i < o->n_tensors; i++) {
        Str name = str_from(o->tensors[i].name);
        if (str_ends(name, STR(".weight")) || str_ends(name, STR(".bias")))
            ok = copy_tensor(o, &o->tensors[i], err);
    }
    buf_release(&header);
    return ok && output_sync(o, err);
}

bool output_continue(Output *o, Error *err)
{
    Buf header = BUF_INIT;
    struct stat st;
    bool ok;

    plan(o);
    put_header(o, &header);
    o->data_from = header.len;
    buf_release(&header);
    ok = open_weights(o, O_RDWR, err) && (fstat(o->fd, &st) == 0 || cannot_write(o, err));
    if (ok && (uint64_t)st.st_size != o->data_from + o->end)
        ok = error_set(err, ERR_FORMAT, _("%s: is damaged; remove it and begin again"), o->partial);
    return ok;
}

bool output_sync(Output *o, Error *err)
{
    return fdatasync(o->fd) == 0 || cannot_write(o, err);
}

/* ---- a quantised matrix ---- */

static bool write_suffix(Output *o, Buf *name, size_t prefix, const char *suffix, const void *bytes,
                         Error *err)
{
    buf_truncate(name, prefix);
    buf_puts(name, suffix);
    return write_tensor(o, buf_cstr(name), bytes, err);
}

bool output_matrix(Output *o, const char *name, const GptqMatrix *m, const Hessian *hessian,
                   Error *err)
{
    size_t words = (size_t)m->n_in / PER_WORD * (size_t)m->n_out;
    size_t groups = (size_t)m->n_groups * (size_t)m->n_out;
    uint32_t *qweight = mem_try_alloc(words, sizeof *qweight);
    uint32_t *qzeros = mem_try_alloc(groups / PER_WORD, sizeof *qzeros);
    uint16_t *scales = mem_try_alloc(groups, sizeof *scales);
    int32_t *g_idx = mem_try_alloc((size_t)m->n_in, sizeof *g_idx);
    Buf full = BUF_INIT;
    size_t prefix;
    bool ok = qweight && qzeros && scales && g_idx;

    buf_puts(&full, name);
    prefix = full.len;
    if (ok) {
        gptq_pack_words(m, hessian, qweight);
        gptq_pack_zeros(m, qzeros);
        gptq_pack_scales(m, scales);
        gptq_pack_order(m, hessian, g_idx);
        ok = write_suffix(o, &full, prefix, ".qweight", qweight, err) &&
             write_suffix(o, &full, prefix, ".qzeros", qzeros, err) &&
             write_suffix(o, &full, prefix, ".scales", scales, err) &&
             write_suffix(o, &full, prefix, ".g_idx", g_idx, err);
    } else {
        error_set(err, ERR_MEMORY, _("out of memory: %s"), name);
    }
    buf_release(&full);
    free(qweight);
    free(qzeros);
    free(scales);
    free(g_idx);
    return ok;
}

/* ---- the end ---- */

static bool sync_parent(const Output *o)
{
    const char *base = path_base(o->out);
    char *parent = base == o->out ? xstrdup(".") : xstrndup(o->out, (size_t)(base - o->out));
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd); /* a file system that cannot do this has no later moment for it either */
        close(fd);
    }
    free(parent);
    return true;
}

bool output_finish(Output *o, Error *err)
{
    if (!quantize_write_configs(o->spec.file, o->spec.settings, o->partial, err) ||
        !output_sync(o, err))
        return false;
    fsync(o->lock);
    if (rename(o->partial, o->out) != 0)
        return error_errno(err, _("cannot rename %s to %s"), o->partial, o->out);
    return sync_parent(o);
}

void output_undo(Output *o)
{
    Buf path = BUF_INIT;

    if (o->made) {
        path_inside(o, o->weights_name, &path);
        unlink(buf_cstr(&path));
        rmdir(o->partial);
    }
    buf_release(&path);
}

void output_close(Output *o)
{
    for (size_t i = 0; i < o->n_tensors; i++)
        free(o->tensors[i].name);
    free(o->tensors);
    free(o->out);
    free(o->partial);
    if (o->fd >= 0)
        close(o->fd);
    if (o->lock >= 0)
        close(o->lock);
    *o = (Output){ .lock = -1, .fd = -1 };
}
