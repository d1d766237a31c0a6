/* The CPU backend's row of the table: opening, feeding, stepping.  The arithmetic is in forward.c
 * and below it. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "kernels/cpu/forward.h"

/* ---- the machine ---- */

/* __builtin_cpu_supports looks at cpuid and, for the wide registers, at XGETBV. */
static bool has_generic(void)
{
    return true;
}

static bool has_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

#ifdef HAVE_AVXVNNI
/* Leaf 7.1 of cpuid; __builtin_cpu_supports of older compilers does not know it. */
static bool has_avxvnni(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
#endif

static bool has_avx512(void)
{
#if defined(__x86_64__)
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

typedef struct {
    const Isa *isa;
    bool (*supported)(void);
} IsaRow;

/* Best first. */
static const IsaRow isas[] = {
#if defined(__x86_64__)
    { &isa_avx512, has_avx512 },
#ifdef HAVE_AVXVNNI
    { &isa_avxvnni, has_avxvnni },
#endif
    { &isa_avx2, has_avx2 },
#endif
    { &isa_generic, has_generic },
};

const Isa *cpu_choose_isa(const char *wanted, const char **why)
{
    bool any = !wanted || strcmp(wanted, "auto") == 0;
    *why = "there is no such instruction set";
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        if (!any && strcmp(wanted, isas[i].isa->name) != 0)
            continue;
        if (isas[i].supported())
            return isas[i].isa;
        *why = "this processor does not have that instruction set";
    }
    return NULL;
}

/* Threads of one core share what the kernels need, so one thread a physical core. */
static int physical_cores(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int cores = 0;
    for (long i = 0; i < online; i++) {
        char path[96];
        int first = (int)i;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/topology/thread_siblings_list",
                 i);
        FILE *file = fopen(path, "re");
        if (file) {
            if (fscanf(file, "%d", &first) != 1)
                first = (int)i;
            fclose(file);
        }
        cores += first == (int)i;
    }
    return cores > 0 ? cores : 1;
}

int cpu_count_threads(int wanted)
{
    int threads = wanted > 0 ? wanted : physical_cores();
    return threads < 256 ? threads : 256;
}

static KStatus cpu_open(const BackendOptions *options, Backend **out, const char **why)
{
    const Isa *isa = cpu_choose_isa(options->isa, why);
    if (!isa)
        return KS_UNSUPPORTED;
    CpuBackend *backend = calloc(1, sizeof *backend);
    if (!backend)
        return KS_MEMORY;
    backend->base.ops = &backend_cpu;
    backend->isa = isa;
    backend->tap = options->tap;
    backend->memory_budget = options->memory_budget;
    backend->pool = pool_new(cpu_count_threads(options->threads));
    if (!backend->pool) {
        free(backend);
        *why = "no threads could be started";
        return KS_MEMORY;
    }
    *out = &backend->base;
    return KS_OK;
}

static size_t cpu_free_bytes(const Backend *base)
{
    (void)base;
    return host_free_bytes();
}

static void cpu_close(Backend *base)
{
    CpuBackend *backend = (CpuBackend *)base;
    if (!backend)
        return;
    pool_free(backend->pool);
    free(backend);
}

static void cpu_describe(const Backend *base, char *out, size_t size)
{
    const CpuBackend *backend = (const CpuBackend *)base;
    int threads = pool_threads(backend->pool);
    snprintf(out, size, "cpu: %s, %d thread%s", backend->isa->name, threads,
             threads == 1 ? "" : "s");
}

static const KFault *cpu_last_fault(const Backend *base)
{
    return &((const CpuBackend *)base)->fault;
}

/* ---- feeding ---- */

static CpuBackend *backend_of(const CpuTimeline *t)
{
    return (CpuBackend *)t->base.loaded->backend;
}

static const ModelShape *shape_of(const CpuTimeline *t)
{
    return &((const CpuLoaded *)t->base.loaded)->shape;
}

static KStatus check_feed(const CpuTimeline *t, const int32_t *ids, int n)
{
    if (n < 1)
        return cpu_fault(backend_of(t), KS_RANGE, -1, "feeding no tokens");
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= shape_of(t)->n_vocab)
            return cpu_fault(backend_of(t), KS_RANGE, -1, "a token outside the vocabulary");
    if (n > t->context - t->length)
        return cpu_fault(backend_of(t), KS_CONTEXT, -1, "more tokens than the context holds");
    return KS_OK;
}

static KStatus cpu_feed(Timeline *base, const int32_t *ids, int n, Want want, const KCall *call)
{
    CpuTimeline *t = (CpuTimeline *)base;
    int batch = ((CpuLoaded *)base->loaded)->scratch.batch;
    t->pending = -1;
    KStatus status = check_feed(t, ids, n);
    if (status != KS_OK)
        return status;
    t->have = WANT_NONE;
    t->n_all = 0;
    for (int done = 0; done < n;) {
        int now = n - done < batch ? n - done : batch;
        Want wanted = want == WANT_ALL || done + now == n ? want : WANT_NONE;
        status = forward_batch(t, ids + done, now, wanted, call);
        if (status != KS_OK)
            return status;
        done += now;
        if (call && call->progress)
            call->progress(call->arg, done, n);
    }
    t->have = want;
    return KS_OK;
}

static int n_tokens_of(const ModelShape *shape)
{
    return shape->n_tokens > 0 && shape->n_tokens < shape->n_vocab ? shape->n_tokens
                                                                   : shape->n_vocab;
}

/* Ids that no token has are never the answer. */
static void mask_logits(const ModelShape *shape, float *row)
{
    for (int i = n_tokens_of(shape); i < shape->n_vocab; i++)
        row[i] = -INFINITY;
}

static KStatus copy_all_logits(CpuTimeline *t, float *out)
{
    CpuLoaded *loaded = (CpuLoaded *)t->base.loaded;
    size_t n_vocab = (size_t)loaded->shape.n_vocab,
           padded = (size_t)loaded->head.n_tiles * TILE_ROWS;
    for (int row = 0; row < t->n_all; row += LOGIT_ROWS) {
        const float *hidden = t->hidden + (size_t)row * loaded->scratch.hidden;
        int now = t->n_all - row < LOGIT_ROWS ? t->n_all - row : LOGIT_ROWS;
        KStatus status = forward_head(loaded, hidden, loaded->scratch.hidden, now, t->logits);
        if (status != KS_OK)
            return status;
        for (int i = 0; i < now; i++, out += n_vocab) {
            memcpy(out, t->logits + (size_t)i * padded, n_vocab * sizeof *out);
            mask_logits(&loaded->shape, out);
        }
    }
    return KS_OK;
}

static KStatus cpu_logits(Timeline *base, float *out)
{
    CpuTimeline *t = (CpuTimeline *)base;
    if (t->have == WANT_NONE)
        return cpu_fault(backend_of(t), KS_RANGE, -1, "there are no logits");
    if (t->have == WANT_ALL)
        return copy_all_logits(t, out);
    memcpy(out, t->logits, (size_t)shape_of(t)->n_vocab * sizeof *out);
    mask_logits(shape_of(t), out);
    return KS_OK;
}

/* ---- stepping ---- */

static bool is_end(const SampleSpec *spec, int32_t id)
{
    for (int i = 0; i < spec->n_end_ids; i++)
        if (spec->end_ids[i] == id)
            return true;
    return false;
}

/* Leaves the logits after the last token in t->logits. */
static KStatus last_logits(CpuTimeline *t, const KCall *call)
{
    CpuLoaded *loaded = (CpuLoaded *)t->base.loaded;
    if (t->pending >= 0) {
        int32_t id = t->pending;
        if (t->length >= t->context)
            return cpu_fault(backend_of(t), KS_CONTEXT, -1, "the context is full");
        KStatus status = forward_batch(t, &id, 1, WANT_LAST, call);
        if (status != KS_OK)
            return status;
        t->pending = -1;
        t->have = WANT_LAST;
        return KS_OK;
    }
    if (t->have == WANT_NONE)
        return cpu_fault(backend_of(t), KS_RANGE, -1, "there are no logits to sample from");
    if (t->have == WANT_ALL) {
        const float *row = t->hidden + (size_t)(t->n_all - 1) * loaded->scratch.hidden;
        KStatus status = forward_head(loaded, row, loaded->scratch.hidden, 1, t->logits);
        if (status != KS_OK)
            return status;
    }
    t->have = WANT_LAST;
    return KS_OK;
}

static KStatus cpu_step(Timeline *base, const SampleSpec *spec, int max, int32_t *ids, int *n,
                        const KCall *call)
{
    CpuTimeline *t = (CpuTimeline *)base;
    const ModelShape *shape = shape_of(t);
    int n_tokens = n_tokens_of(shape);
    *n = 0;
    while (*n < max) {
        if (call && call->cancel && atomic_load_explicit(call->cancel, memory_order_relaxed))
            return KS_CANCELLED;
        KStatus status = last_logits(t, call);
        if (status != KS_OK)
            return status;
        int32_t id = sample_pick(t->logits, n_tokens, t->ids, t->length, spec, (uint64_t)t->length,
                                 &t->sample);
        if (id < 0)
            return cpu_fault(backend_of(t), KS_NAN, shape->n_layers, "logits are not finite");
        phase_done(backend_of(t), KPHASE_SAMPLING);
        t->pending = id;
        ids[(*n)++] = id;
        if (is_end(spec, id))
            break;
    }
    return KS_OK;
}

static int cpu_length(const Timeline *base)
{
    return ((const CpuTimeline *)base)->length;
}

static KStatus cpu_tap(Timeline *base, int layer, TapPoint point, float *out)
{
    CpuTimeline *t = (CpuTimeline *)base;
    size_t hidden = (size_t)shape_of(t)->hidden;
    if (!t->taps || layer < 0 || layer >= shape_of(t)->n_layers)
        return cpu_fault(backend_of(t), t->taps ? KS_RANGE : KS_UNSUPPORTED, layer,
                         "no activations were kept");
    memcpy(out, t->taps + ((size_t)layer * 4 + (size_t)point) * hidden, hidden * sizeof *out);
    return KS_OK;
}

const BackendOps backend_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .describe = cpu_describe,
    .load = cpu_load,
    .unload = cpu_unload,
    .weight_bytes = cpu_weight_bytes,
    .kv_bytes = timeline_kv_bytes,
    .kv_held = timeline_kv_held,
    .free_bytes = cpu_free_bytes,
    .timeline_open = timeline_open,
    .timeline_fork = timeline_fork,
    .timeline_close = timeline_close,
    .feed = cpu_feed,
    .step = cpu_step,
    .logits = cpu_logits,
    .rewind = timeline_rewind,
    .length = cpu_length,
    .saved_bytes = timeline_saved_bytes,
    .save = timeline_save,
    .restore = timeline_restore,
    .tap = cpu_tap,
    .profile = cpu_profile,
    .fault = cpu_last_fault,
};
