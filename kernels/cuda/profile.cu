/* Where the time of a token goes on the device, and how fast its memory is read.
 *
 * The graph driver: a second graph of the same kernels with an event behind each of them (without
 * programmatic launches, which would begin a kernel before the one in front of it has ended).  The
 * persistent kernel: cycles that its first warp counts on every SM (note_clock), as shares of the
 * time that the kernel took.  Nothing of this runs, or is there, unless somebody asks. */
#include "kernels/cuda/profile.cuh"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/load.cuh"
#include "kernels/cuda/timeline.cuh"

enum { LAYER_PHASES = KPHASE_HEAD - KPHASE_QKV };

/* ---- the memory's rate ---- */

enum { READ_THREADS = 1024, READ_BLOCKS = 16 /* an SM */, READ_PASSES = 6 };
static const size_t READ_MOST = (size_t)2 << 30, READ_LEAST = (size_t)64 << 20;

/* The sum goes out only if it is one that it cannot be, so that the reads stay. */
static __global__ void __launch_bounds__(READ_THREADS)
    k_read(const uint4 *from, size_t n, unsigned *never)
{
    unsigned sum = 0;
    size_t i = (size_t)blockIdx.x * READ_THREADS + threadIdx.x;
    const size_t step = (size_t)gridDim.x * READ_THREADS;
#pragma unroll 4
    for (; i < n; i += step) {
        uint4 v;
        asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3},[%4];"
                     : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                     : "l"(from + i));
        sum |= v.x | v.y | v.z | v.w;
    }
    if (sum)
        *never = sum;
}

static cudaError_t time_read(CudaBackend *b, const uint4 *from, size_t bytes, cudaEvent_t at[2],
                             double *rate)
{
    for (int pass = 0; pass < READ_PASSES; pass++) {
        float ms = 0;
        TRY(cudaEventRecord(at[0], b->stream));
        k_read<<<b->n_sms * READ_BLOCKS, READ_THREADS, 0, b->stream>>>(from, bytes / sizeof *from,
                                                                       (unsigned *)from);
        TRY(cudaGetLastError());
        TRY(cudaEventRecord(at[1], b->stream));
        TRY(cudaEventSynchronize(at[1]));
        TRY(cudaEventElapsedTime(&ms, at[0], at[1]));
        if (ms > 0 && (double)bytes / ms * 1e3 > *rate)
            *rate = (double)bytes / ms * 1e3;
    }
    return cudaSuccess;
}

/* Of zeros much larger than the second cache.  No room: the rate stays 0. */
static cudaError_t read_rate(CudaBackend *b, double *rate)
{
    size_t room = 0, all = 0;
    cudaEvent_t at[2] = { NULL, NULL };
    uint4 *from = NULL;
    TRY(cudaMemGetInfo(&room, &all));
    size_t bytes = (room / 2 < READ_MOST ? room / 2 : READ_MOST) / READ_LEAST * READ_LEAST;
    *rate = 0;
    if (!bytes || cudaMalloc((void **)&from, bytes) != cudaSuccess) {
        cudaGetLastError();
        return cudaSuccess;
    }
    cudaError_t e = cudaMemsetAsync(from, 0, bytes, b->stream);
    for (int i = 0; e == cudaSuccess && i < 2; i++)
        e = cudaEventCreate(&at[i]);
    if (e == cudaSuccess)
        e = time_read(b, from, bytes, at, rate);
    for (int i = 0; i < 2; i++)
        if (at[i])
            cudaEventDestroy(at[i]);
    cudaFree(from);
    return e;
}

/* ---- phases ---- */

typedef struct {
    CudaLoaded *m;
    bool persistent;
    cudaGraphExec_t graph;
    PhaseMarks marks;
    int core_marks;             /* of the graph; two more follow: head, sampling */
    unsigned long long *clocks; /* [SM][N_CLOCKS], device */
    double ms[K_PHASES], exchange[K_PHASES], layers_ms, cache_bytes;
} Profiler;

static int core_marks_of(const Profiler *p)
{
    return 2 + (p->persistent ? 1 : LAYER_PHASES * p->m->shape.n_layers);
}

static cudaError_t capture_clocked(Profiler *p)
{
    CudaLoaded *m = p->m;
    CudaBackend *b = backend_of(p->m);
    const bool pdl = b->pdl;
    b->pdl = false;
    m->marks = &p->marks;
    m->plan[1].clocks = p->clocks;
    cudaError_t e = forward_capture_core(m, 1, p->persistent, &p->graph);
    m->plan[1].clocks = NULL;
    m->marks = NULL;
    b->pdl = pdl;
    p->core_marks = p->marks.n;
    if (e == cudaSuccess && p->core_marks != core_marks_of(p))
        return cudaErrorInvalidValue; /* a phase without its mark: times would lie */
    return e;
}

static cudaError_t profiler_open(Profiler *p, CudaLoaded *m)
{
    memset(p, 0, sizeof *p);
    p->m = m, p->persistent = m->persistent[1];
    CudaBackend *b = backend_of(p->m);
    const int n = 4 + LAYER_PHASES * m->shape.n_layers;
    const size_t clock_bytes = (size_t)b->n_sms * N_CLOCKS * sizeof *p->clocks;
    p->marks.event = (cudaEvent_t *)calloc((size_t)n, sizeof *p->marks.event);
    if (!p->marks.event)
        return cudaErrorMemoryAllocation;
    for (p->marks.room = 0; p->marks.room < n; p->marks.room++)
        TRY(cudaEventCreate(&p->marks.event[p->marks.room]));
    TRY(cudaMalloc((void **)&p->clocks, clock_bytes));
    TRY(cudaMemsetAsync(p->clocks, 0, clock_bytes, b->stream));
    return capture_clocked(p);
}

static void profiler_close(Profiler *p)
{
    for (int i = 0; p->marks.event && i < p->marks.room; i++)
        cudaEventDestroy(p->marks.event[i]);
    free(p->marks.event);
    if (p->graph)
        cudaGraphExecDestroy(p->graph);
    cudaFree(p->clocks);
}

/* Phase of the time between marks i and i + 1; K_PHASES: all layers, by one kernel. */
static int phase_of(const Profiler *p, int i)
{
    if (i == 0)
        return KPHASE_INPUT;
    if (i >= p->core_marks - 1)
        return i == p->core_marks - 1 ? KPHASE_HEAD : KPHASE_SAMPLING;
    return p->persistent ? K_PHASES : KPHASE_QKV + (i - 1) % LAYER_PHASES;
}

static cudaError_t add_times(Profiler *p)
{
    for (int i = 0; i + 1 < p->marks.n; i++) {
        float ms = 0;
        TRY(cudaEventElapsedTime(&ms, p->marks.event[i], p->marks.event[i + 1]));
        const int phase = phase_of(p, i);
        *(phase == K_PHASES ? &p->layers_ms : &p->ms[phase]) += ms;
    }
    return cudaSuccess;
}

/* Evaluates the pending token of t, whose place it fills, and picks the next one. */
static cudaError_t run_token(Profiler *p, CudaTimeline *t, int32_t *id)
{
    CudaLoaded *m = p->m;
    cudaStream_t stream = backend_of(p->m)->stream;
    TRY(timeline_set_run(t, t->history + t->length, t->length, 1));
    TRY(cudaGraphLaunch(p->graph, stream));
    TRY(forward_head(m, 0, 1, m->logits));
    m->marks = &p->marks;
    p->marks.n = p->core_marks;
    cudaError_t e = forward_mark(m);
    if (e == cudaSuccess)
        e = forward_argmax(m);
    if (e == cudaSuccess)
        e = forward_mark(m);
    m->marks = NULL;
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(stream);
    *id = m->result->id;
    return e == cudaSuccess ? add_times(p) : e;
}

/* Shares the time of all layers out by the cycles that SMs counted. */
static cudaError_t share_out(Profiler *p)
{
    const int n = backend_of(p->m)->n_sms;
    double cycles[N_CLOCKS] = { 0 }, all = 0;
    if (!p->persistent)
        return cudaSuccess;
    unsigned long long *host = (unsigned long long *)malloc((size_t)n * N_CLOCKS * sizeof *host);
    if (!host)
        return cudaErrorMemoryAllocation;
    cudaError_t e =
        cudaMemcpy(host, p->clocks, (size_t)n * N_CLOCKS * sizeof *host, cudaMemcpyDeviceToHost);
    for (int i = 0; e == cudaSuccess && i < n * N_CLOCKS; i++)
        cycles[i % N_CLOCKS] += (double)host[i], all += (double)host[i];
    free(host);
    const double each = all > 0 ? p->layers_ms / all : 0;
    const int phase[4] = { KPHASE_QKV, KPHASE_O, KPHASE_GATE_UP, KPHASE_DOWN };
    for (int i = 0; i < 4; i++) {
        p->exchange[phase[i]] = cycles[CLOCK_TAKE + i] * each;
        p->ms[phase[i]] = (cycles[CLOCK_TAKE + i] + cycles[CLOCK_MEET + i]) * each;
    }
    p->exchange[KPHASE_ATTENTION] = cycles[CLOCK_HEADS] * each;
    p->ms[KPHASE_ATTENTION] = (cycles[CLOCK_HEADS] + cycles[CLOCK_ATTEND]) * each;
    return e;
}

/* ---- bytes ---- */

static double linear_bytes(const DevLinear *w)
{
    double bytes = w->bias ? w->n_out * 4. : 0;
    if (w->blocks)
        return bytes + (double)w->tiles * w->k_blocks * w->block_bytes;
    const double n = (double)w->n_out * w->n_in;
    if (w->q8_scale)
        return bytes + n + n / 32 * 2;
    return bytes + n / dtype_info(w->dtype)->block * dtype_info(w->dtype)->block_bytes;
}

static void count_bytes(const CudaLoaded *m, double bytes[K_PHASES])
{
    for (int i = 0; i < m->shape.n_layers; i++) {
        const DevLayer *l = &m->layers[i];
        bytes[KPHASE_QKV] += linear_bytes(&l->q) + linear_bytes(&l->k) + linear_bytes(&l->v);
        bytes[KPHASE_O] += linear_bytes(&l->o);
        bytes[KPHASE_GATE_UP] += linear_bytes(&l->gate) + linear_bytes(&l->up);
        bytes[KPHASE_DOWN] += linear_bytes(&l->down);
    }
    bytes[KPHASE_HEAD] = linear_bytes(&m->head);
}

static void fill(const Profiler *p, int tokens, KProfile *out)
{
    double bytes[K_PHASES] = { 0 };
    count_bytes(p->m, bytes);
    bytes[KPHASE_ATTENTION] = p->cache_bytes / tokens;
    out->n_phases = K_PHASES;
    for (int i = 0; i < K_PHASES; i++) {
        out->phase[i].name = k_phase_name[i];
        out->phase[i].ms = p->ms[i] / tokens;
        out->phase[i].exchange_ms = p->exchange[i] / tokens;
        out->phase[i].bytes = bytes[i];
        out->ms += p->ms[i] / tokens;
    }
    snprintf(out->driver, sizeof out->driver, "%s (%s)", p->persistent ? "persistent" : "graph",
             p->m->driver_why);
}

static cudaError_t run_tokens(Profiler *p, CudaTimeline *t, int tokens)
{
    cudaError_t e = profiler_open(p, (CudaLoaded *)t->base.loaded);
    for (int i = 0; e == cudaSuccess && i < tokens; i++) {
        int32_t id = 0;
        p->cache_bytes += (double)t->base.ops->saved_bytes(&t->base, t->length + 1);
        e = run_token(p, t, &id);
        t->length++;
        t->history[t->length] = id < 0 ? 0 : id;
    }
    return e == cudaSuccess ? share_out(p) : e;
}

KStatus cuda_profile(Timeline *base, int tokens, KProfile *out)
{
    static const SampleSpec greedy = { 0, 0, 1.f, 0, 1.f, 0, 0, 0, 0, NULL, 0 };
    CudaTimeline *t = (CudaTimeline *)base;
    CudaBackend *b = (CudaBackend *)base->loaded->backend;
    int32_t first;
    int n = 0;
    memset(out, 0, sizeof *out);
    cudaError_t e = read_rate(b, &out->read_rate);
    if (e != cudaSuccess || tokens < 1)
        return cuda_status(b, e, "measuring the memory");
    if (t->context - t->length < tokens)
        return KS_CONTEXT;
    /* chosen from logits that are there already; what follows is timed */
    KStatus s = base->ops->step(base, &greedy, 1, &first, &n, NULL);
    if (s != KS_OK)
        return s;
    Profiler p;
    e = run_tokens(&p, t, tokens);
    if (e == cudaSuccess)
        fill(&p, tokens, out);
    profiler_close(&p);
    t->pending = true, t->ahead = false, t->in_all = false, t->n_logits = 1;
    return cuda_status(b, e, "timing a token");
}
