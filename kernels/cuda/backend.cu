/* The cuda backend: opening the device, timelines, and the verbs of the seam.
 *
 * Steps run one token ahead: when step() hands out a token, the device already evaluates it and
 * picks the next.  What ran ahead counts only when the next step() asks for the same; feed(),
 * rewind() and logits() forget it. */
#include "kernels/cuda/load.cuh"
#include "kernels/cuda/profile.cuh"
#include "kernels/cuda/timeline.cuh"
#include "kernels/sample.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CudaTimeline *timeline_of(Timeline *t)
{
    return (CudaTimeline *)t;
}
static CudaLoaded *loaded_of(const CudaTimeline *t)
{
    return (CudaLoaded *)t->base.loaded;
}
static CudaBackend *device_of(const CudaTimeline *t)
{
    return (CudaBackend *)t->base.loaded->backend;
}

/* ---- the device ---- */

static KStatus backend_open(const BackendOptions *options, Backend **out, const char **why)
{
    static char text[160]; /* says why in the ops' own storage, as kernels.h allows */
    int n = 0, driver = 0, runtime = 0;
    cudaError_t e = cudaGetDeviceCount(&n);
    if (e != cudaSuccess || n == 0) {
        cudaDriverGetVersion(&driver);
        cudaRuntimeGetVersion(&runtime);
        if (driver == 0)
            *why = "no NVIDIA driver";
        else if (e == cudaErrorInsufficientDriver) {
            snprintf(text, sizeof text, "the driver knows CUDA %d.%d, this program needs %d.%d",
                     driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
            *why = text;
        } else
            *why = e == cudaSuccess || e == cudaErrorNoDevice ? "no NVIDIA GPU"
                                                              : cuda_reason(e);
        return KS_UNSUPPORTED;
    }
    CudaBackend *b = (CudaBackend *)calloc(1, sizeof *b);
    if (!b)
        return KS_MEMORY;
    b->base.ops = &backend_cuda;
    b->device = options && options->device < n ? options->device : 0;
    b->memory_budget = options ? options->memory_budget : 0;
    b->tap = options && options->tap;
    const char *asked = options && options->decoder ? options->decoder : "auto";
    b->driver = strstr(asked, "graph")        ? DRIVER_GRAPH
                : strstr(asked, "persistent") ? DRIVER_PERSISTENT
                                              : DRIVER_AUTO;
    e = cudaSetDevice(b->device);
    if (e == cudaSuccess)
        e = cudaGetDeviceProperties(&b->prop, b->device);
    b->n_sms = b->prop.multiProcessorCount;
    b->shared_limit = (int)b->prop.sharedMemPerBlockOptin;
    b->pdl = b->prop.major >= 9 && !b->tap;
    b->wgmma = b->prop.major == 9 && !strstr(asked, "mma");
    if (e == cudaSuccess)
        e = forward_setup(b);
    if (e == cudaSuccess)
        e = cudaStreamCreateWithFlags(&b->stream, cudaStreamNonBlocking);
    if (e != cudaSuccess) {
        snprintf(text, sizeof text, "%s: %s", b->prop.name, cuda_reason(e));
        *why = text;
        free(b);
        return e == cudaErrorMemoryAllocation ? KS_MEMORY : KS_UNSUPPORTED;
    }
    *out = &b->base;
    return KS_OK;
}

static void backend_close(Backend *backend)
{
    CudaBackend *b = (CudaBackend *)backend;
    if (!b)
        return;
    cudaStreamDestroy(b->stream);
    free(b);
}

static void describe(const Backend *backend, char *out, size_t size)
{
    const CudaBackend *b = (const CudaBackend *)backend;
    snprintf(out, size, "%s, sm_%d%d, %d SMs, %s", b->prop.name, b->prop.major, b->prop.minor,
             b->n_sms, b->persistent ? "persistent" : "graph");
}

static const KFault *fault(const Backend *backend)
{
    return &((const CudaBackend *)backend)->fault;
}
static size_t weight_bytes(const Loaded *loaded)
{
    return ((const CudaLoaded *)loaded)->arena.bytes;
}

static size_t kv_held(const Loaded *loaded)
{
    return ((const CudaLoaded *)loaded)->kv_held;
}

static size_t free_bytes(const Backend *backend)
{
    size_t free = 0, total = 0;
    (void)backend;
    return cudaMemGetInfo(&free, &total) == cudaSuccess ? free : 0;
}

/* ---- timelines ---- */

static void timeline_close(Timeline *base)
{
    CudaTimeline *t = timeline_of(base);
    if (!t)
        return;
    cudaStreamSynchronize(device_of(t)->stream);
    if (t->kv)
        loaded_of(t)->kv_held -= cuda_kv_bytes(base->loaded, t->context);
    cudaFree(t->kv);
    cudaFree(t->all);
    cudaFree(t->dev_ids);
    cudaFree(t->dev_history);
    cudaFreeHost(t->host_logits);
    free(t->history);
    free(t->scratch.candidate);
    free(t->scratch.count);
    free(t);
}

static KStatus timeline_open(Loaded *loaded, int context, Timeline **out)
{
    CudaLoaded *m = (CudaLoaded *)loaded;
    CudaBackend *b = (CudaBackend *)loaded->backend;
    if (context < 1 || context > m->shape.max_context)
        return KS_CONTEXT;
    CudaTimeline *t = (CudaTimeline *)calloc(1, sizeof *t);
    if (!t)
        return KS_MEMORY;
    t->base.ops = loaded->ops, t->base.loaded = loaded, t->context = context;
    size_t bytes = cuda_kv_bytes(loaded, context);
    t->history = (int32_t *)malloc(((size_t)context + 1) * sizeof *t->history);
    t->scratch.candidate =
        (SampleCandidate *)malloc((size_t)m->shape.n_vocab * sizeof *t->scratch.candidate);
    t->scratch.count = (int32_t *)calloc((size_t)m->shape.n_vocab, sizeof *t->scratch.count);
    cudaError_t e = t->history && t->scratch.candidate && t->scratch.count
                        ? cudaSuccess
                        : cudaErrorMemoryAllocation;
    if (e == cudaSuccess)
        e = cudaMalloc((void **)&t->kv, bytes);
    if (e == cudaSuccess)
        m->kv_held += bytes;
    if (e == cudaSuccess) /* stale bits times a weight of zero must stay zero */
        e = cudaMemsetAsync(t->kv, 0, bytes, b->stream);
    if (e == cudaSuccess)
        e = cudaMalloc((void **)&t->dev_ids, (size_t)m->prefill_tokens * sizeof(int32_t));
    if (e == cudaSuccess)
        e = cudaMalloc((void **)&t->dev_history, ((size_t)context + 1) * sizeof(int32_t));
    if (e == cudaSuccess)
        e = cudaHostAlloc((void **)&t->host_logits, (size_t)m->shape.n_vocab * sizeof(float),
                          cudaHostAllocDefault);
    if (e != cudaSuccess) {
        timeline_close(&t->base);
        return cuda_status(b, e, "reserving the KV cache");
    }
    *out = &t->base;
    return KS_OK;
}

static size_t planes(const CudaTimeline *t)
{
    const ModelShape *s = &loaded_of(t)->shape;
    return (size_t)s->n_layers * 2 * s->n_kv_heads;
}

static size_t position_bytes(const CudaTimeline *t)
{
    return (size_t)loaded_of(t)->shape.head_dim * sizeof(__half);
}

static KStatus timeline_fork(Timeline *base, int keep, Timeline **out)
{
    CudaTimeline *t = timeline_of(base);
    if (keep < 0 || keep > t->length)
        return KS_RANGE;
    KStatus s = timeline_open(base->loaded, t->context, out);
    if (s != KS_OK)
        return s;
    CudaTimeline *n = timeline_of(*out);
    n->length = keep;
    memcpy(n->history, t->history, (size_t)keep * sizeof *t->history);
    if (!keep)
        return KS_OK;
    size_t pitch = (size_t)t->context * position_bytes(t);
    cudaError_t e = cudaMemcpy2DAsync(n->kv, pitch, t->kv, pitch, (size_t)keep * position_bytes(t),
                                      planes(t), cudaMemcpyDeviceToDevice, device_of(t)->stream);
    return cuda_status(device_of(t), e, "copying the KV cache");
}

static KStatus rewind_to(Timeline *base, int keep)
{
    CudaTimeline *t = timeline_of(base);
    if (keep < 0 || keep > t->length)
        return KS_RANGE;
    t->length = keep;
    t->pending = t->ahead = false;
    if (t->n_dev_history > keep)
        t->n_dev_history = keep;
    t->n_logits = 0;
    return KS_OK;
}

static int length(const Timeline *base)
{
    return ((const CudaTimeline *)base)->length;
}
static size_t saved_bytes(const Timeline *base, int n)
{
    const CudaTimeline *t = (const CudaTimeline *)base;
    return planes(t) * n * position_bytes(t);
}

static KStatus save(Timeline *base, int from, int n, void *out)
{
    CudaTimeline *t = timeline_of(base);
    if (from < 0 || n < 0 || from + n > t->length)
        return KS_RANGE;
    size_t row = position_bytes(t);
    cudaError_t e =
        n ? cudaMemcpy2DAsync(out, n * row, (char *)t->kv + from * row, t->context * row, n * row,
                              planes(t), cudaMemcpyDeviceToHost, device_of(t)->stream)
          : cudaSuccess;
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(device_of(t)->stream);
    return cuda_status(device_of(t), e, "saving the KV cache");
}

static KStatus restore(Timeline *base, int from, int n, const int32_t *ids, const void *in)
{
    CudaTimeline *t = timeline_of(base);
    if (from != t->length || n < 0)
        return KS_RANGE;
    if (from + n > t->context)
        return KS_CONTEXT;
    size_t row = position_bytes(t);
    cudaError_t e =
        n ? cudaMemcpy2DAsync((char *)t->kv + from * row, t->context * row, in, n * row, n * row,
                              planes(t), cudaMemcpyHostToDevice, device_of(t)->stream)
          : cudaSuccess;
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(device_of(t)->stream);
    if (e != cudaSuccess)
        return cuda_status(device_of(t), e, "restoring the KV cache");
    memcpy(t->history + from, ids, (size_t)n * sizeof *ids);
    t->length += n;
    t->pending = t->ahead = false;
    t->n_logits = 0;
    return KS_OK;
}

/* ---- evaluation ---- */

cudaError_t timeline_set_run(CudaTimeline *t, const int32_t *ids, int pos, int n)
{
    RunState run;
    memset(&run, 0, sizeof run);
    loaded_of(t)->owner = t;
    run.kv = t->kv, run.context = t->context, run.pos = pos, run.n = n, run.nan_layer = INT_MAX;
    for (int i = 0; i < n && i < DECODE_TOKENS; i++)
        run.ids[i] = ids[i];
    return forward_set_run(loaded_of(t), &run);
}

static KStatus nan_fault(CudaTimeline *t, int layer)
{
    CudaBackend *b = device_of(t);
    snprintf(b->fault.device, sizeof b->fault.device, "%s", b->prop.name);
    b->fault.code = 0;
    b->fault.layer = layer >= 0 && layer < loaded_of(t)->shape.n_layers ? layer : -1;
    snprintf(b->fault.what, sizeof b->fault.what, "activations that are not finite");
    return KS_NAN;
}

static KStatus finish(CudaTimeline *t, const char *what)
{
    CudaBackend *b = device_of(t);
    int layer = INT_MAX;
    cudaError_t e = cudaMemcpyAsync(&layer, &loaded_of(t)->run->nan_layer, sizeof layer,
                                    cudaMemcpyDeviceToHost, b->stream);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(b->stream);
    if (e != cudaSuccess)
        return cuda_status(b, e, what);
    return layer == INT_MAX ? KS_OK : nan_fault(t, layer);
}

static cudaError_t feed_batch(CudaTimeline *t, const int32_t *ids, int n, bool prefill)
{
    CudaLoaded *m = loaded_of(t);
    cudaError_t e = timeline_set_run(t, ids, t->length, n);
    if (e == cudaSuccess && prefill)
        e = cudaMemcpyAsync(t->dev_ids, ids, (size_t)n * sizeof *ids, cudaMemcpyHostToDevice,
                            device_of(t)->stream);
    if (e == cudaSuccess)
        e = prefill ? forward_prefill(m, t->dev_ids, n, t->length + n) : forward_core(m, n);
    return e;
}

static KStatus prepare_feed(CudaTimeline *t, const int32_t *ids, int n, Want want)
{
    const ModelShape *s = &loaded_of(t)->shape;
    if (n < 1)
        return KS_RANGE;
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= s->n_vocab)
            return KS_RANGE;
    t->pending = t->ahead = false;
    if (t->n_dev_history > t->length)
        t->n_dev_history = t->length;
    t->n_logits = 0;
    if (n > t->context - t->length)
        return KS_CONTEXT;
    if (want == WANT_ALL && (size_t)n > t->all_rows) {
        cudaFree(t->all);
        t->all = NULL, t->all_rows = 0;
        cudaError_t e = cudaMalloc((void **)&t->all, (size_t)n * s->n_vocab * sizeof(float));
        if (e != cudaSuccess)
            return cuda_status(device_of(t), e, "reserving logits");
        t->all_rows = n;
    }
    return KS_OK;
}

/* row: of the first logits in t->all.  What a prefill finds infinite may only be too much for fp16:
 * once more then, with room; these tokens alone, lest bits depend on what came before. */
static KStatus feed_some(CudaTimeline *t, const int32_t *ids, int n, bool prefill, Want want,
                         int row)
{
    CudaLoaded *m = loaded_of(t);
    KStatus s = KS_NAN;
    for (int wide = 0; s == KS_NAN && wide < (prefill && m->wgmma ? 2 : 1); wide++) {
        m->wide_h = wide;
        cudaError_t e = feed_batch(t, ids, n, prefill);
        if (e == cudaSuccess && want != WANT_NONE)
            e = want == WANT_LAST ? forward_head(m, n - 1, 1, m->logits)
                                  : forward_head(m, 0, n, t->all + (size_t)row * m->shape.n_vocab);
        s = e == cudaSuccess ? finish(t, "reading the prompt")
                             : cuda_status(device_of(t), e, "reading the prompt");
    }
    return s;
}

static KStatus feed(Timeline *base, const int32_t *ids, int n, Want want, const KCall *call)
{
    CudaTimeline *t = timeline_of(base);
    CudaLoaded *m = loaded_of(t);
    KStatus s = prepare_feed(t, ids, n, want);
    for (int done = 0; s == KS_OK && done < n;) {
        if (call && call->cancel && call->cancel->load())
            return KS_CANCELLED;
        bool prefill = m->can_prefill && n - done >= m->prefill_from;
        int most = prefill ? m->prefill_tokens : m->decode_tokens,
            k = n - done < most ? n - done : most;
        s = feed_some(t, ids + done, k, prefill,
                      want == WANT_LAST && done + k < n ? WANT_NONE : want, done);
        if (s != KS_OK)
            return s;
        memcpy(t->history + t->length, ids + done, (size_t)k * sizeof *ids);
        t->length += k;
        done += k;
        if (call && call->progress)
            call->progress(call->arg, done, n);
    }
    if (s == KS_OK)
        t->n_logits = want == WANT_ALL ? n : want == WANT_LAST ? 1 : 0;
    t->in_all = want == WANT_ALL;
    return s;
}

/* Evaluates history[pos]. */
static cudaError_t launch_eval(CudaTimeline *t, int pos)
{
    cudaError_t e = timeline_set_run(t, t->history + pos, pos, 1);
    return e == cudaSuccess ? cudaGraphLaunch(loaded_of(t)->eval, device_of(t)->stream) : e;
}

/* The model's row of logits belongs to whoever ran last.  Makes it this timeline's again, by
 * evaluating the last token once more where another timeline ran, or where this one ran ahead. */
static cudaError_t regain_logits(CudaTimeline *t)
{
    if (t->in_all || (loaded_of(t)->owner == t && !t->ahead))
        return cudaSuccess;
    t->ahead = false;
    return launch_eval(t, t->length - 1);
}

/* After WANT_ALL: the last row becomes the model's. */
static cudaError_t last_row(CudaTimeline *t)
{
    CudaLoaded *m = loaded_of(t);
    size_t n = m->shape.n_vocab;
    cudaError_t e = cudaMemcpyAsync(m->logits, t->all + (t->n_logits - 1) * n, n * sizeof(float),
                                    cudaMemcpyDeviceToDevice, device_of(t)->stream);
    if (e == cudaSuccess)
        e = timeline_set_run(t, t->history + t->length - 1, t->length - 1, 1);
    t->in_all = false;
    t->n_logits = 1;
    return e;
}

static bool is_plain_greedy(const SampleSpec *spec)
{
    return spec->temperature <= 0 && !sample_has_penalty(spec);
}

/* Starts picking from the model's logits; n_history tokens are before the new one. */
static cudaError_t launch_pick(CudaTimeline *t, const SampleSpec *spec, int n_history)
{
    CudaLoaded *m = loaded_of(t);
    cudaStream_t stream = device_of(t)->stream;
    if (is_plain_greedy(spec))
        return forward_argmax(m);
    cudaError_t e = cudaSuccess;
    if (sample_has_penalty(spec) && t->n_dev_history < n_history) {
        size_t n = (size_t)(n_history - t->n_dev_history);
        e = cudaMemcpyAsync(t->dev_history + t->n_dev_history, t->history + t->n_dev_history,
                            n * sizeof(int32_t), cudaMemcpyHostToDevice, stream);
        t->n_dev_history = n_history;
    }
    SampleCall call = { m->logits, m->shape.n_tokens, t->dev_history, n_history,    *spec,
                        m->count,  m->penalised,      m->run,         m->dev_result };
    return e == cudaSuccess ? sample_launch(&call, stream) : e;
}

/* Candidates beyond what the kernel sorts: the same definition on the host. */
static KStatus pick_on_host(CudaTimeline *t, const SampleSpec *spec, int32_t *id)
{
    CudaLoaded *m = loaded_of(t);
    CudaBackend *b = device_of(t);
    cudaError_t e =
        cudaMemcpyAsync(t->host_logits, m->logits, (size_t)m->shape.n_tokens * sizeof(float),
                        cudaMemcpyDeviceToHost, b->stream);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(b->stream);
    if (e != cudaSuccess)
        return cuda_status(b, e, "decoding");
    *id = sample_pick(t->host_logits, m->shape.n_tokens, t->history, t->length, spec,
                      (uint64_t)t->length, &t->scratch);
    return *id < 0 ? nan_fault(t, -1) : KS_OK;
}

/* The id that follows the model's logits; picked: the kernels have been launched. */
static KStatus pick(CudaTimeline *t, const SampleSpec *spec, bool picked, int32_t *id)
{
    CudaLoaded *m = loaded_of(t);
    CudaBackend *b = device_of(t);
    if (!sample_on_device(spec))
        return pick_on_host(t, spec, id);
    cudaError_t e = picked ? cudaSuccess : launch_pick(t, spec, t->length);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(b->stream);
    if (e != cudaSuccess)
        return cuda_status(b, e, "decoding");
    *id = m->result->id;
    if (*id == -2)
        return pick_on_host(t, spec, id);
    return *id < 0 ? nan_fault(t, m->result->nan_layer) : KS_OK;
}

static bool same_spec(const SampleSpec *a, const SampleSpec *b)
{
    return a->temperature == b->temperature && a->top_k == b->top_k && a->top_p == b->top_p &&
           a->min_p == b->min_p && a->repeat_penalty == b->repeat_penalty &&
           a->frequency_penalty == b->frequency_penalty &&
           a->presence_penalty == b->presence_penalty && a->repeat_window == b->repeat_window &&
           a->seed == b->seed;
}

static bool is_end(const SampleSpec *spec, int32_t id)
{
    for (int i = 0; i < spec->n_end_ids; i++)
        if (spec->end_ids[i] == id)
            return true;
    return false;
}

/* Goes on with the pending token before the next step asks: run->ids and run->pos stand for it
 * already. */
static cudaError_t run_ahead(CudaTimeline *t, const SampleSpec *spec)
{
    cudaError_t e = cudaGraphLaunch(loaded_of(t)->eval, device_of(t)->stream);
    if (e == cudaSuccess)
        e = launch_pick(t, spec, t->length + 1);
    t->ahead = e == cudaSuccess;
    t->ahead_spec = *spec;
    return e;
}

static KStatus step_once(CudaTimeline *t, const SampleSpec *spec, int32_t *id)
{
    CudaLoaded *m = loaded_of(t);
    bool evaluated = false, picked = false;
    cudaError_t e = cudaSuccess;
    if (t->pending) {
        if (t->length >= t->context)
            return KS_CONTEXT;
        picked = t->ahead && m->owner == t && same_spec(spec, &t->ahead_spec);
        if (!picked)
            e = launch_eval(t, t->length);
        t->length++;
        t->pending = t->ahead = t->in_all = false;
        t->n_logits = 1;
        evaluated = true;
    } else if (!t->n_logits) {
        return KS_RANGE;
    } else {
        e = t->in_all ? last_row(t) : regain_logits(t);
    }
    if (e != cudaSuccess)
        return cuda_status(device_of(t), e, "decoding");
    KStatus s = pick(t, spec, picked, id);
    if (s != KS_OK || t->length >= t->context)
        return s;
    t->history[t->length] = *id;
    t->pending = true;
    if (evaluated && m->result->id == *id && sample_on_device(spec) && t->length + 1 < t->context &&
        !is_end(spec, *id))
        return cuda_status(device_of(t), run_ahead(t, spec), "decoding");
    return KS_OK;
}

static KStatus step(Timeline *base, const SampleSpec *spec, int max, int32_t *ids, int *n,
                    const KCall *call)
{
    CudaTimeline *t = timeline_of(base);
    *n = 0;
    while (*n < max) {
        if (call && call->cancel && call->cancel->load())
            return KS_CANCELLED;
        KStatus s = step_once(t, spec, &ids[*n]);
        if (s != KS_OK)
            return s;
        if (is_end(spec, ids[(*n)++]))
            break;
    }
    return KS_OK;
}

static KStatus logits(Timeline *base, float *out)
{
    CudaTimeline *t = timeline_of(base);
    CudaLoaded *m = loaded_of(t);
    CudaBackend *b = device_of(t);
    const ModelShape *s = &m->shape;
    if (!t->n_logits)
        return KS_RANGE;
    cudaError_t e = regain_logits(t);
    if (e != cudaSuccess)
        return cuda_status(b, e, "reading logits");
    const float *src = t->in_all ? t->all : m->logits;
    e = cudaMemcpyAsync(out, src, (size_t)t->n_logits * s->n_vocab * sizeof(float),
                        cudaMemcpyDeviceToHost, b->stream);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(b->stream);
    for (int r = 0; r < t->n_logits; r++)
        for (int i = s->n_tokens; i < s->n_vocab; i++)
            out[(size_t)r * s->n_vocab + i] = -INFINITY;
    return cuda_status(b, e, "reading logits");
}

static KStatus tap(Timeline *base, int layer, TapPoint point, float *out)
{
    CudaTimeline *t = timeline_of(base);
    CudaLoaded *m = loaded_of(t);
    if (!m->taps || layer < 0 || layer >= m->shape.n_layers)
        return KS_UNSUPPORTED;
    size_t n = m->shape.hidden;
    cudaError_t e = cudaStreamSynchronize(device_of(t)->stream);
    if (e == cudaSuccess)
        e = cudaMemcpy(out, m->taps + ((size_t)layer * 4 + point) * n, n * sizeof(float),
                       cudaMemcpyDeviceToHost);
    return cuda_status(device_of(t), e, "reading activations");
}

extern "C" const BackendOps backend_cuda = {
    "cuda",         backend_open,  backend_close, describe,   cuda_load,     cuda_unload,
    weight_bytes,   cuda_kv_bytes, kv_held,       free_bytes, timeline_open, timeline_fork,
    timeline_close, feed,          step,          logits,     rewind_to,     length,
    saved_bytes,    save,          restore,       tap,        cuda_profile,  fault,
};
