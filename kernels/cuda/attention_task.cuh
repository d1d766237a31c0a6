/* The arithmetic of decode attention, alike in both drivers.
 *
 * The positions of a kv head are dealt to a fixed count of slices, in chunks of 64; a task is one
 * (kv head, slice).  Eight warps take the even chunks of a slice and eight the odd ones, each warp
 * eight positions of a chunk, and each keeps a running maximum, sum and weighted sum of V of its
 * own; they are folded in the order of warps, then the slices in ascending order.  Chunks, warps
 * and slices depend on absolute positions alone, and what lies beyond a token's own position adds
 * exact zeros: results depend on neither the count of SMs, the tokens beside, nor the length of
 * the cache.
 *
 * 16 warps run a task.  HD: the size of a head, 0: any.  POLL: q, k, v and other slices' results
 * are read until they are no longer EMPTY (persistent.cu). */
#ifndef KERNELS_CUDA_ATTENTION_TASK_CUH
#define KERNELS_CUDA_ATTENTION_TASK_CUH

#include <math.h>

#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/delay.cuh"

enum {
    TASK_WARPS = ATTN_THREADS / 32,
    HALF_WARPS = TASK_WARPS / 2,
    WARP_POSITIONS = ATTN_CHUNK / HALF_WARPS, /* of a chunk */
    FOLD = 4,           /* columns (query heads of tokens) that share one read of K and V */
    MAX_POLLS = 4000000 /* seconds: something is broken */
};
static const uint32_t EMPTY = 0xffffffffu; /* a NaN that arithmetic does not give */

typedef struct {
    const float *qkv; /* [token][stride] */
    int stride;
    const float *q_norm, *k_norm;
    __half *K, *V; /* of the kv head */
    int head, slice, slices;
    int pos, n;
    float *partial; /* [slice][columns][head_dim + 2] of the kv head */
} AttentionTask;

/* Chunks are dealt in runs of four, so that a short conversation has one slice and nothing to
 * exchange. */
enum { RUN_CHUNKS = 4 };

/* Slices that `chunks` chunks fill. */
static __host__ __device__ inline int attention_used(int slices, int chunks)
{
    int runs = div_up(chunks, RUN_CHUNKS);
    return runs < slices ? runs : slices;
}

/* The i-th chunk of a slice; and, of `chunks` in all, how many it has. */
static __host__ __device__ inline int slice_chunk(int slice, int slices, int i)
{
    return (i / RUN_CHUNKS * slices + slice) * RUN_CHUNKS + i % RUN_CHUNKS;
}

static __host__ __device__ inline int slice_chunks(int slice, int slices, int chunks)
{
    int whole = chunks / (RUN_CHUNKS * slices),
        rest = chunks - whole * RUN_CHUNKS * slices - slice * RUN_CHUNKS;
    return whole * RUN_CHUNKS + (rest < 0 ? 0 : rest < RUN_CHUNKS ? rest : RUN_CHUNKS);
}

/* Times that a task goes over its chunks. */
static __host__ __device__ inline int attention_passes(const AttentionCall &c, int tokens)
{
    int columns = tokens * (c.n_heads / c.n_kv_heads);
    return columns == 1 ? 1 : div_up(columns, FOLD);
}

/* Floats of shared memory of a task: q; new k and v; work space, then what the warps found. */
static __host__ __device__ inline size_t task_floats(int columns, int tokens, int head_dim)
{
    return (size_t)(columns + tokens) * head_dim +
           (columns > 1 ? FOLD : 1) * TASK_WARPS * (head_dim + 2);
}

/* Lanes that share a position of K (16 values each), a power of two. */
static __host__ __device__ inline int lanes_a_position(int head_dim)
{
    int n = 32 / WARP_POSITIONS;
    while (n * 16 < head_dim)
        n *= 2;
    return n;
}

#ifdef __CUDACC__
static __device__ __forceinline__ void task_sync(void)
{
    asm volatile("bar.sync 1,%0;" ::"r"((int)ATTN_THREADS) : "memory");
}

static __device__ __forceinline__ float load_relaxed(const float *p)
{
    float v;
    delay();
    asm volatile("ld.relaxed.gpu.global.f32 %0,[%1];" : "=f"(v) : "l"(p) : "memory");
    return v;
}

static __device__ __forceinline__ bool is_empty(float v)
{
    return __float_as_uint(v) == EMPTY;
}

/* N floats, `step` apart, of which the first `n` are wanted. */
template <bool POLL, int N>
static __device__ __forceinline__ void fetch(float v[N], const float *p, size_t step, int n)
{
#pragma unroll
    for (int i = 0; i < N; i++)
        v[i] = i >= n ? 0.f : POLL ? load_relaxed(p + i * step) : __ldcg(p + i * step);
#pragma unroll 1
    for (int tries = 0; POLL; tries++) {
        bool all = true;
#pragma unroll
        for (int i = 0; i < N; i++)
            if (is_empty(v[i])) {
                v[i] = load_relaxed(p + i * step);
                all = all && !is_empty(v[i]);
            }
        if (all)
            return;
        if (tries > MAX_POLLS)
            __trap();
    }
}

/* One warp: a head's vector out of qkv, normed and (turn) rotated, times `scale`, into dst
 * (shared). */
template <bool POLL, int HD>
static __device__ void load_head(const AttentionCall &c, const float *src, const float *norm,
                                 int pos, float scale, bool turn, float *dst, int lane)
{
    const int half = turn ? c.rope_dims / 2 : 0, hd = HD ? HD : c.head_dim;
    float2 first = lane < half ? __ldg(c.rope + (size_t)pos * half + lane) : make_float2(1, 0);
    float2 second =
        lane + 32 < half ? __ldg(c.rope + (size_t)pos * half + lane + 32) : make_float2(1, 0);
    float ss = 0;
    for (int d0 = 0; d0 < hd; d0 += 128) {
        float v[4];
        fetch<POLL, 4>(v, src + d0 + lane, 32, min(4, (hd - d0 - lane + 31) / 32));
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (d0 + lane + 32 * i < hd) {
                dst[d0 + lane + 32 * i] = v[i];
                ss = __fmaf_rn(v[i], v[i], ss);
            }
    }
    if (norm) {
        float r = rsqrtf(__fadd_rn(__fdiv_rn(warp_sum(ss), (float)hd), c.eps));
        for (int d = lane; d < hd; d += 32)
            dst[d] *= __fmul_rn(r, __ldg(norm + d));
    }
    __syncwarp();
    for (int i = lane; i < half; i += 32) {
        int a = c.interleaved ? 2 * i : i, b = c.interleaved ? 2 * i + 1 : i + half;
        float2 cs = i == lane        ? first
                    : i == lane + 32 ? second
                                     : __ldg(c.rope + (size_t)pos * half + i);
        float x = dst[a], y = dst[b];
        dst[a] = __fmaf_rn(x, cs.x, -__fmul_rn(y, cs.y));
        dst[b] = __fmaf_rn(y, cs.x, __fmul_rn(x, cs.y));
    }
    __syncwarp();
    if (scale != 1.f) {
        for (int d = lane; d < hd; d += 32)
            dst[d] *= scale;
        __syncwarp();
    }
}

/* q of all columns into shared memory; k and v of the new positions into `fresh` ([token][k,
 * v][head_dim], shared), and those that lie in this slice into the cache. */
template <bool POLL, int HD>
static __device__ __forceinline__ void take_heads(const AttentionCall &c, const AttentionTask &t,
                                                  float *q, __half *fresh, float *tmp, int columns)
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, hd = HD ? HD : c.head_dim,
              group = c.n_heads / c.n_kv_heads;
    const float scale = rsqrtf((float)hd);
#pragma unroll 1
    for (int u = warp; u < columns + 2 * t.n; u += TASK_WARPS) {
        const bool is_q = u < columns;
        const int token = is_q ? u / group : (u - columns) / 2, p = t.pos + token;
        const bool is_k = !is_q && (u - columns) % 2 == 0;
        const int head =
            is_q ? t.head * group + u % group : c.n_heads + (is_k ? 0 : c.n_kv_heads) + t.head;
        if (!is_q && p / (ATTN_CHUNK * RUN_CHUNKS) % t.slices != t.slice)
            continue;
        float *to = is_q ? q + u * hd : tmp + warp * hd;
        load_head<POLL, HD>(c, t.qkv + (size_t)token * t.stride + head * hd,
                            is_q   ? t.q_norm
                            : is_k ? t.k_norm
                                   : NULL,
                            p, is_q ? scale : 1.f, is_q || is_k, to, lane);
        if (is_q)
            continue;
        __half *cache = (is_k ? t.K : t.V) + (size_t)p * hd, *copy = fresh + (u - columns) * hd;
        for (int d = lane; d < hd; d += 32)
            cache[d] = copy[d] = __float2half_rn(to[d]);
    }
}

static __device__ __forceinline__ void half8(uint4 u, float f[8])
{
    const half2 *h = (const half2 *)&u;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float2 v = __half22float2(h[i]);
        f[2 * i] = v.x, f[2 * i + 1] = v.y;
    }
}

/* (m, l, y) takes in (m2, l2, y2). */
static __device__ __forceinline__ void merge(float &m, float &l, float &y, float m2, float l2,
                                             float y2)
{
    if (m2 == -INFINITY)
        return;
    float top = fmaxf(m, m2), a = m == -INFINITY ? 0.f : __expf(m - top), b = __expf(m2 - top);
    l = __fmaf_rn(l, a, __fmul_rn(l2, b));
    y = __fmaf_rn(y, a, __fmul_rn(y2, b));
    m = top;
}

/* What a warp has found for a column: greatest score, sum of weights, weighted sum of V (its lane's
 * eight dimensions). */
struct Found {
    float m, l, y[8];
};

/* Where a warp is: its positions p0 .. p0 + 7 of a chunk. */
struct Spot {
    int p0, pos, end, hd, lpp;
    const __half *fresh;
};

/* Eight values of position r of the spot: of the cache's rows (that of p0 comes first), or new. */
static __device__ __forceinline__ uint4 row_part(const Spot &s, const __half *rows, int kind, int r,
                                                 int d)
{
    const int p = s.p0 + r;
    const __half *row =
        p < s.pos ? rows + (size_t)r * s.hd : s.fresh + (size_t)(2 * (p - s.pos) + kind) * s.hd;
    return p < s.end && d < s.hd ? *(const uint4 *)(row + d) : make_uint4(0, 0, 0, 0);
}

/* One column's scores against a lane's part of a position of K, over all lanes that share it. */
static __device__ __forceinline__ float score(const Spot &s, const float k[2][8], const float *q,
                                              int l)
{
    float dot = 0;
#pragma unroll
    for (int v = 0; v < 2; v++) {
        const int d = (v * s.lpp + l) * 8;
        if (d < s.hd) {
            float4 a = *(const float4 *)(q + d), b = *(const float4 *)(q + d + 4);
            dot = __fmaf_rn(a.x, k[v][0], dot), dot = __fmaf_rn(a.y, k[v][1], dot);
            dot = __fmaf_rn(a.z, k[v][2], dot), dot = __fmaf_rn(a.w, k[v][3], dot);
            dot = __fmaf_rn(b.x, k[v][4], dot), dot = __fmaf_rn(b.y, k[v][5], dot);
            dot = __fmaf_rn(b.z, k[v][6], dot), dot = __fmaf_rn(b.w, k[v][7], dot);
        }
    }
    for (int o = s.lpp / 2; o; o >>= 1)
        dot = __fadd_rn(dot, __shfl_xor_sync(~0u, dot, o));
    return dot;
}

/* Turns a column's scores into weights and brings f's sums to the new greatest score.  A lane holds
 * positions lane / lpp + u * (32 / lpp). */
template <int PASSES>
static __device__ __forceinline__ void soften(const Spot &s, Found &f, float w[PASSES])
{
    float top = f.m;
#pragma unroll
    for (int u = 0; u < PASSES; u++)
        top = fmaxf(top, w[u]);
    for (int o = s.lpp; o < 32; o <<= 1)
        top = fmaxf(top, __shfl_xor_sync(~0u, top, o));
    float sum = 0;
#pragma unroll
    for (int u = 0; u < PASSES; u++) {
        w[u] = w[u] == -INFINITY ? 0.f : __expf(__fsub_rn(w[u], top));
        sum = __fadd_rn(sum, w[u]);
    }
    for (int o = s.lpp; o < 32; o <<= 1)
        sum = __fadd_rn(sum, __shfl_xor_sync(~0u, sum, o));
    const float old = f.m == -INFINITY ? 0.f : __expf(__fsub_rn(f.m, top));
    f.l = __fmaf_rn(f.l, old, sum);
#pragma unroll
    for (int e = 0; e < 8; e++)
        f.y[e] = __fmul_rn(f.y[e], old);
    f.m = top;
}

/* This warp's positions of all its chunks, for COLUMNS columns of q from j0 on.  rows.take gives
 * where a chunk's rows of K (0) or V (1) lie, rows.done gives them back. */
template <int HD, int COLUMNS, class Rows>
static __device__ __forceinline__ void attend_chunks(const AttentionCall &c, const AttentionTask &t,
                                                     const float *q, Spot s, int j0, int columns,
                                                     Rows &rows, Found f[COLUMNS])
{
    enum { PASSES = HD == 64 ? 1 : HD == 128 ? 2 : 4, V_PASSES = 2 * PASSES };
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, half = warp / HALF_WARPS,
              first = warp % HALF_WARPS * WARP_POSITIONS;
    const int group = c.n_heads / c.n_kv_heads, width = 2 * s.lpp, per_pass = 32 / width;
    const int mine = slice_chunks(t.slice, t.slices, div_up(s.end, ATTN_CHUNK));
#pragma unroll
    for (int j = 0; j < COLUMNS; j++) {
        f[j].m = -INFINITY, f[j].l = 0;
#pragma unroll
        for (int e = 0; e < 8; e++)
            f[j].y[e] = 0;
    }
    rows.begin(mine);
#pragma unroll 1
    for (int i = 0; i < mine; i += 2) {
        const int chunk = slice_chunk(t.slice, t.slices, i + half);
        if (i + half < mine) {
            s.p0 = chunk * ATTN_CHUNK + first;
            const __half *at = rows.take(0, chunk) + first * s.hd;
            float w[COLUMNS][PASSES];
#pragma unroll
            for (int u = 0; u < PASSES; u++) {
                const int r = u * (32 / s.lpp) + lane / s.lpp, p = s.p0 + r;
                float k[2][8];
                if (u * (32 / s.lpp) < WARP_POSITIONS)
#pragma unroll
                    for (int v = 0; v < 2; v++)
                        half8(row_part(s, at, 0, r, (v * s.lpp + lane % s.lpp) * 8), k[v]);
#pragma unroll
                for (int j = 0; j < COLUMNS; j++) {
                    w[j][u] = -INFINITY;
                    if (j0 + j >= columns || u * (32 / s.lpp) >= WARP_POSITIONS)
                        continue;
                    const float dot = score(s, k, q + (j0 + j) * s.hd, lane % s.lpp);
                    const int last = s.pos + (j0 + j) / group;
                    if (p <= last && (!c.window || p > last - c.window))
                        w[j][u] = dot;
                }
            }
#pragma unroll
            for (int j = 0; j < COLUMNS; j++)
                if (j0 + j < columns)
                    soften<PASSES>(s, f[j], w[j]);
            rows.done(0);
            at = rows.take(1, chunk) + first * s.hd;
#pragma unroll
            for (int u = 0; u < V_PASSES; u++) {
                if (u * per_pass >= WARP_POSITIONS)
                    break;
                float v[8];
                half8(row_part(s, at, 1, u * per_pass + lane / width, lane % width * 8), v);
#pragma unroll
                for (int j = 0; j < COLUMNS; j++) {
                    if (j0 + j >= columns)
                        break;
                    const float weight =
                        __shfl_sync(~0u, w[j][u / 2], (u % 2 * per_pass + lane / width) * s.lpp);
#pragma unroll
                    for (int e = 0; e < 8; e++)
                        f[j].y[e] = __fmaf_rn(weight, v[e], f[j].y[e]);
                }
            }
            rows.done(1);
        }
        rows.next(min(2, mine - i));
    }
}

/* Column j, dimension d of what all warps have found. */
static __device__ __forceinline__ void fold_warps(const float *found, int hd, int j, int columns,
                                                  int d, float &m, float &l, float &y)
{
    const float *at = found + (size_t)j * (hd + 2);
    const int step = columns * (hd + 2);
    m = -INFINITY, l = 0, y = 0;
#pragma unroll
    for (int w = 0; w < TASK_WARPS; w++)
        m = fmaxf(m, at[w * step]);
#pragma unroll
    for (int w = 0; w < TASK_WARPS; w++) {
        const float of = at[w * step], a = of == -INFINITY ? 0.f : __expf(__fsub_rn(of, m));
        l = __fmaf_rn(at[w * step + 1], a, l);
        y = __fmaf_rn(at[w * step + 2 + d], a, y);
    }
}

/* All of a task; COLUMNS: 1 where it has one column, else FOLD.  give(column, dimension, m, l, y)
 * is called once for each, by some thread: greatest score, sum and weighted sum of V. */
template <bool POLL, int HD, int COLUMNS, class Rows, class Give>
static __device__ __forceinline__ void attend(const AttentionCall &c, const AttentionTask &t,
                                              float *shared, Rows &rows, Give give)
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, hd = HD ? HD : c.head_dim,
              columns = t.n * (c.n_heads / c.n_kv_heads);
    float *q = shared, *found = q + (columns + t.n) * hd;
    __half *fresh = (__half *)(q + columns * hd);
    const int lpp = HD ? lanes_a_position(HD) : lanes_a_position(hd), width = 2 * lpp;
    const Spot spot = { 0, t.pos, t.pos + t.n, hd, lpp, fresh };
    take_heads<POLL, HD>(c, t, q, fresh, found, columns);
    task_sync();
#pragma unroll 1
    for (int j0 = 0; j0 < columns; j0 += COLUMNS) {
        Found f[COLUMNS];
        attend_chunks<HD, COLUMNS>(c, t, q, spot, j0, columns, rows, f);
        if (j0)
            task_sync(); /* all have read what was found before */
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) {
#pragma unroll
            for (int e = 0; e < 8; e++)
                for (int o = width; o < 32; o *= 2)
                    f[j].y[e] = __fadd_rn(f[j].y[e], __shfl_xor_sync(~0u, f[j].y[e], o));
            float *to = found + ((size_t)warp * COLUMNS + j) * (hd + 2);
            if (lane == 0)
                *(float2 *)to = make_float2(f[j].m, f[j].l);
            if (lane < width && lane * 8 < hd)
#pragma unroll
                for (int e = 0; e < 8; e += 2)
                    *(float2 *)(to + 2 + lane * 8 + e) = make_float2(f[j].y[e], f[j].y[e + 1]);
        }
        task_sync();
#pragma unroll 1
        for (int i = threadIdx.x; i < min(COLUMNS, columns - j0) * hd; i += ATTN_THREADS) {
            float m, l, y;
            fold_warps(found, hd, i / hd, COLUMNS, i % hd, m, l, y);
            give(j0 + i / hd, i % hd, m, l, y);
        }
    }
}

/* The head's result of column j, dimension d: (m, l, y) of the slices before `first`, then the
 * others in ascending order. */
template <bool POLL>
static __device__ float fold_slices(float m, float l, float y, const float *partial, int columns,
                                    int first, int slices, int hd, int j, int d)
{
    enum { SIDE_BY_SIDE = 4 };
    const size_t step = (size_t)columns * (hd + 2);
    const float *p = partial + (size_t)j * (hd + 2);
#pragma unroll 1
    for (int s = first; s < slices; s += SIDE_BY_SIDE) {
        float ms[SIDE_BY_SIDE], ls[SIDE_BY_SIDE], ys[SIDE_BY_SIDE];
        int n = min(slices - s, (int)SIDE_BY_SIDE);
        fetch<POLL, SIDE_BY_SIDE>(ms, p + s * step, step, n);
        fetch<POLL, SIDE_BY_SIDE>(ls, p + s * step + 1, step, n);
        fetch<POLL, SIDE_BY_SIDE>(ys, p + s * step + 2 + d, step, n);
#pragma unroll
        for (int i = 0; i < SIDE_BY_SIDE; i++)
            if (i < n)
                merge(m, l, y, ms[i], ls[i], ys[i]);
    }
    return __fdividef(y, l);
}
#endif

#endif
