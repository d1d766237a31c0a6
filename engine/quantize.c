/* A quantising run from the first check to the last rename. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/quantize_parts.h"
#include "engine/quantize_text.h"
#include "engine/tokenizer.h"
#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"

enum { SAMPLES = 128, SAMPLE_TOKENS = 512 };

bool quantizer_goes_on(const Quantizer *q, Error *err)
{
    return !q->progress || !q->progress->cancel || !atomic_load(q->progress->cancel) ||
           error_set(err, ERR_CANCELLED, "%s", _("stopped"));
}

/* ---- the input ---- */

/* Words of eight weights along the inputs, words of eight zero points along the outputs. */
static bool check_linear(const Linear *linear, Error *err)
{
    if (linear->n_in % 8 == 0 && linear->n_out % 8 == 0)
        return true;
    return error_set(err, ERR_UNSUPPORTED,
                     _("%s: %lld x %lld cannot be packed; both must be multiples of 8"),
                     linear->name, (long long)linear->n_out, (long long)linear->n_in);
}

static bool check_linears(const Quantizer *q, Error *err)
{
    for (int i = 0; i < model_shape(q->model)->n_layers; i++) {
        const LayerWeights *w = &model_weights(q->model)->layers[i];
        if (!check_linear(&w->q, err) || !check_linear(&w->k, err) || !check_linear(&w->o, err) ||
            !check_linear(&w->gate, err) || !check_linear(&w->down, err))
            return false;
    }
    return true;
}

static bool open_model(Quantizer *q, const QuantizeOptions *options, Tokenizer **tokenizer,
                       Error *err)
{
    q->file = modelfile_open(options->model, true, err);
    if (!q->file)
        return false;
    if (modelfile_container(q->file) != CONTAINER_SAFETENSORS)
        return error_set(err, ERR_UNSUPPORTED,
                         _("%s: a GGUF file cannot be quantised; give a directory with fp16, bf16 "
                           "or fp32 safetensors"),
                         options->model);
    if (modelfile_quant_config(q->file))
        return error_set(err, ERR_UNSUPPORTED,
                         _("%s: is quantised already; give the fp16, bf16 or fp32 model"),
                         options->model);
    *tokenizer = tokenizer_open(q->file, err);
    if (!*tokenizer)
        return false;
    q->model = model_bind(q->file, tokenizer_size(*tokenizer), true, err);
    return q->model && check_linears(q, err);
}

static bool make_windows(Quantizer *q, const QuantizeOptions *options, const Tokenizer *tokenizer,
                         Error *err)
{
    const ModelShape *shape = model_shape(q->model);
    TextSpec spec = { .calibration = options->calibration,
                      .heldout = options->heldout,
                      .special = options->special,
                      .samples = options->samples > 0 ? options->samples : SAMPLES,
                      .length = options->sample_tokens > 0 ? options->sample_tokens : SAMPLE_TOKENS,
                      .n_vocab = shape->n_vocab };

    if (spec.length > shape->max_context)
        spec.length = shape->max_context;
    if (spec.length < WINDOW_MIN)
        return error_set(err, ERR_USAGE, _("samples of %d tokens are too short; take at least %d"),
                         spec.length, WINDOW_MIN);
    if (!windows_make(tokenizer, &spec, &q->windows[STREAM_CALIBRATION], &q->windows[STREAM_AFTER],
                      err))
        return false;
    q->windows[STREAM_BEFORE] = q->windows[STREAM_AFTER];
    return true;
}

static int n_tokens(const Quantizer *q, int stream)
{
    return q->windows[stream].start[q->windows[stream].n];
}

static int longest_window(const Quantizer *q)
{
    int longest = 0;

    for (int i = 0; i < STREAMS; i++)
        for (int w = 0; w < q->windows[i].n; w++) {
            int n = q->windows[i].start[w + 1] - q->windows[i].start[w];
            longest = n > longest ? n : longest;
        }
    return longest;
}

/* ---- what the run works with ---- */

static bool reserve(Quantizer *q, const QuantizeOptions *options, Error *err)
{
    const ModelShape *s = model_shape(q->model);
    const char *why;
    bool ok = true;

    q->dense = dense_new(options->isa, options->threads, &why);
    if (!q->dense)
        return error_set(err, ERR_UNSUPPORTED, _("cpu: %s"), why);
    if (!forward_init(&q->forward, q->dense, s, longest_window(q), err))
        return false;
    for (int i = 0; i < STREAMS; i++) {
        q->x[i] = mem_try_alloc((size_t)n_tokens(q, i), (size_t)s->hidden * sizeof(float));
        ok = ok && q->x[i];
    }
    q->attn = mem_try_alloc((size_t)n_tokens(q, STREAM_CALIBRATION),
                            (size_t)s->n_heads * (size_t)s->head_dim * sizeof(float));
    return (ok && q->attn) ||
           error_set(err, ERR_MEMORY,
                     _("out of memory: the activations of %d tokens do not fit; take fewer or "
                       "shorter --samples"),
                     n_tokens(q, STREAM_CALIBRATION));
}

static void embed(Quantizer *q)
{
    const Tensor *embedding = &model_weights(q->model)->embedding;
    const DTypeInfo *info = dtype_info(embedding->dtype);

    for (int i = 0; i < STREAMS; i++)
        for (int t = 0; t < n_tokens(q, i); t++) {
            const char *row = (const char *)embedding->data +
                              (int64_t)q->windows[i].ids[t] * embedding->cols * info->block_bytes;
            info->to_float(row, q->x[i] + (int64_t)t * embedding->cols, embedding->cols);
        }
}

/* Files are known by name, size and time: reading them whole to compare would take as long as a
 * layer. */
static bool take_fingerprint(Quantizer *q, Error *err)
{
    Fingerprint *print = &q->state.print;
    Buf text = BUF_INIT, path = BUF_INIT;
    bool ok = modelfile_read(q->file, "config.json", 1 << 20, &text, err);
    struct stat st = { 0 };

    for (size_t i = 0; ok && i < modelfile_n_files(q->file); i++) {
        WeightFile part = modelfile_file_at(q->file, i);
        if (path_is_dir(modelfile_path(q->file)))
            path_join(&path, modelfile_path(q->file), part.name);
        else
            buf_puts(&path, modelfile_path(q->file));
        if (stat(buf_cstr(&path), &st) != 0)
            ok = error_errno(err, "%s", buf_cstr(&path));
        buf_printf(&text, "\n%s %llu %lld.%09ld", part.name, (unsigned long long)part.bytes,
                   (long long)st.st_mtim.tv_sec, (long)st.st_mtim.tv_nsec);
    }
    buf_printf(&text, "\n%d %d %d %d %g\n", q->settings.bits, q->settings.group_size,
               q->settings.act_order, q->settings.symmetric, q->settings.damp);
    fingerprint_add(print, text.data, text.len);
    for (int i = 0; i < STREAMS; i++) {
        const Windows *w = &q->windows[i];
        fingerprint_add(print, w->start, (size_t)(w->n + 1) * sizeof *w->start);
        fingerprint_add(print, w->ids, (size_t)n_tokens(q, i) * sizeof *w->ids);
    }
    buf_release(&text);
    buf_release(&path);
    return ok;
}

/* ---- the run ---- */

static bool begin(Quantizer *q, const QuantizeOptions *options, QuantizeResult *result, Error *err)
{
    OutputSpec spec = { .file = q->file,
                        .weights = model_weights(q->model),
                        .shape = model_shape(q->model),
                        .settings = &q->settings,
                        .tied = model_traits(q->model)->tied };
    bool ok;

    if (!take_fingerprint(q, err) || !output_open(&q->output, options->out, &spec, err))
        return false;
    q->state.dir = q->output.partial;
    for (int i = 0; i < STREAMS; i++) {
        q->state.stream[i] = q->x[i];
        q->state.n_values[i] = (size_t)n_tokens(q, i) * (size_t)spec.shape->hidden;
    }
    if (!state_load(&q->state, err))
        return false;
    if (q->state.layers_done > spec.shape->n_layers)
        return error_set(err, ERR_FORMAT, _("%s: is damaged; remove it and begin again"),
                         q->output.partial);
    if (q->state.layers_done >= 0) {
        result->resumed = q->state.layers_done;
        return output_continue(&q->output, err);
    }
    embed(q);
    ok = output_begin(&q->output, err) && state_save(&q->state, 0, err);
    if (!ok)
        output_undo(&q->output);
    return ok;
}

static bool work(Quantizer *q, QuantizeResult *result, Error *err)
{
    int n_layers = model_shape(q->model)->n_layers;

    result->n_layers = n_layers;
    result->calibration_tokens = n_tokens(q, STREAM_CALIBRATION);
    result->heldout_tokens = n_tokens(q, STREAM_AFTER) - q->windows[STREAM_AFTER].n;
    result->threads = dense_threads(q->dense);
    if (q->progress && q->progress->report)
        q->progress->report(q->progress->arg, q->state.layers_done * L_COUNT, n_layers * L_COUNT);
    for (int i = q->state.layers_done; i < n_layers; i++)
        if (!quantizer_goes_on(q, err) || !quantize_layer(q, i, err) ||
            !output_sync(&q->output, err) || !state_save(&q->state, i + 1, err))
            return false;
    if (!quantize_loss(q, STREAM_BEFORE, &result->nll_before, err) ||
        !quantize_loss(q, STREAM_AFTER, &result->nll_after, err) || !output_finish(&q->output, err))
        return false;
    state_remove(&q->state, q->output.out);
    return true;
}

static void release(Quantizer *q)
{
    output_close(&q->output);
    for (int i = 0; i < STREAMS; i++)
        free(q->x[i]);
    free(q->attn);
    forward_release(&q->forward);
    dense_free(q->dense);
    windows_release(&q->windows[STREAM_CALIBRATION]);
    windows_release(&q->windows[STREAM_AFTER]);
    lapack_close(&q->lapack);
    model_free(q->model);
    modelfile_close(q->file);
}

bool engine_quantize(const QuantizeOptions *options, const Progress *progress,
                     QuantizeResult *result, Error *err)
{
    Quantizer q = { .progress = progress,
                    .settings = { .bits = 4,
                                  .group_size = options->group_size,
                                  .act_order = options->act_order,
                                  .symmetric = !options->asymmetric,
                                  .damp = 0.01 },
                    .output = { .lock = -1, .fd = -1 } };
    Tokenizer *tokenizer = NULL;
    bool ok;

    *result = (QuantizeResult){ 0 };
    ok = output_check(options->out, err) && lapack_open(&q.lapack, err) &&
         open_model(&q, options, &tokenizer, err) && make_windows(&q, options, tokenizer, err);
    tokenizer_close(tokenizer);
    ok =
        ok && reserve(&q, options, err) && begin(&q, options, result, err) && work(&q, result, err);
    result->layers_done = q.state.layers_done;
    release(&q);
    return ok;
}
