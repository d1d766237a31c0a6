/* The arithmetic of decode attention, alike in both drivers.
 *
 * The positions of a kv head are dealt to a fixed count of slices, in chunks of 64; a task is one
 * (kv head, slice).  A slice is worked off in tiles of eight of its chunks, and the slices are
 * folded in ascending order.  Chunks, tiles and slices depend on absolute positions alone, and what
 * lies beyond a token's own position adds exact zeros: results depend on neither the count of SMs,
 * the tokens beside, nor the length of the cache.
 *
 * 16 warps run a task.  HD: the size of a head, 0: any.  POLL: q, k, v and other slices' results
 * are read until they are no longer EMPTY (persistent.cu). */
#ifndef KERNELS_CUDA_ATTENTION_TASK_CUH
#define KERNELS_CUDA_ATTENTION_TASK_CUH

#include <math.h>

#include "kernels/cuda/attention.cuh"

enum {
    TASK_WARPS = ATTN_THREADS / 32,
    TILE_CHUNKS = 8,
    TILE_POSITIONS = TILE_CHUNKS * ATTN_CHUNK,
    FOLD = 4,           /* columns (query heads of tokens) that share one read of V */
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

/* Floats of shared memory of a task. */
static __host__ __device__ inline size_t task_floats(int columns, int head_dim)
{
    return (size_t)columns * (head_dim + TILE_POSITIONS + 2 + head_dim + 2) +
           (columns > 1 ? FOLD : 1) * TASK_WARPS * head_dim + 8;
}

static __host__ __device__ inline int lanes_a_position(int head_dim)
{
    int n = 1;
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

/* One warp: a head's vector out of qkv, normed and rotated, times `scale`, into dst (shared). */
template <bool POLL, int HD>
static __device__ void load_head(const AttentionCall &c, const float *src, const float *norm,
                                 int pos, float scale, float *dst, int lane)
{
    const int half = c.rope_dims / 2, hd = HD ? HD : c.head_dim;
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

/* q of all columns into shared memory; k and v of the new positions that lie in this slice into the
 * cache. */
template <bool POLL, int HD>
static __device__ void take_heads(const AttentionCall &c, const AttentionTask &t, float *q,
                                  float *tmp, int columns)
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, hd = HD ? HD : c.head_dim,
              group = c.n_heads / c.n_kv_heads;
    const float scale = rsqrtf((float)hd);
    for (int u = warp; u < columns + 2 * t.n; u += TASK_WARPS) {
        if (u < columns) {
            int token = u / group;
            load_head<POLL, HD>(
                c, t.qkv + (size_t)token * t.stride + (t.head * group + u % group) * hd, t.q_norm,
                t.pos + token, scale, q + u * hd, lane);
            continue;
        }
        int token = (u - columns) / 2, p = t.pos + token;
        if (p / (ATTN_CHUNK * RUN_CHUNKS) % t.slices != t.slice)
            continue;
        const float *k = t.qkv + (size_t)token * t.stride + (c.n_heads + t.head) * hd,
                    *v = k + c.n_kv_heads * hd;
        if ((u - columns) % 2 == 0) {
            load_head<POLL, HD>(c, k, t.k_norm, p, 1.f, tmp + warp * hd, lane);
            for (int d = lane; d < hd; d += 32)
                t.K[(size_t)p * hd + d] = __float2half_rn(tmp[warp * hd + d]);
        } else {
            for (int d0 = lane; d0 < hd; d0 += 128) {
                float f[4];
                int count = min(4, (hd - d0 + 31) / 32);
                fetch<POLL, 4>(f, v + d0, 32, count);
#pragma unroll
                for (int i = 0; i < 4; i++)
                    if (i < count)
                        t.V[(size_t)p * hd + d0 + 32 * i] = __float2half_rn(f[i]);
            }
        }
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

/* Where position i of a tile lies in the sequence. */
static __device__ __forceinline__ int tile_position(const AttentionTask &t, int tile, int i)
{
    return slice_chunk(t.slice, t.slices, tile * TILE_CHUNKS + i / ATTN_CHUNK) * ATTN_CHUNK +
           i % ATTN_CHUNK;
}

/* s[j][i]: q_j . k_i for the tile's positions, or -inf where token j may not look. */
template <int HD>
static __device__ void scores(const AttentionCall &c, const AttentionTask &t, const float *q,
                              float *s, int tile, int total, int columns)
{
    enum { SIDE_BY_SIDE = 4 };
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, hd = HD ? HD : c.head_dim,
              lpp = lanes_a_position(hd);
    const int l = lane % lpp, step = TASK_WARPS * (32 / lpp), end = t.pos + t.n,
              group = c.n_heads / c.n_kv_heads;
    for (int i0 = warp * (32 / lpp) + lane / lpp; i0 - lane / lpp < total;
         i0 += SIDE_BY_SIDE * step) {
        uint4 raw[SIDE_BY_SIDE][2];
#pragma unroll
        for (int u = 0; u < SIDE_BY_SIDE; u++) {
            int i = i0 + u * step, p = tile_position(t, tile, i);
#pragma unroll
            for (int v = 0; v < 2; v++) {
                int d = (v * lpp + l) * 8;
                raw[u][v] = i < total && p < end && d < hd
                                ? *(const uint4 *)(t.K + (size_t)p * hd + d)
                                : make_uint4(0, 0, 0, 0);
            }
        }
#pragma unroll
        for (int u = 0; u < SIDE_BY_SIDE; u++) {
            int i = i0 + u * step, p = tile_position(t, tile, i);
            if (i - lane / lpp >= total) /* a whole warp at once */
                break;
            float k[2][8];
            half8(raw[u][0], k[0]), half8(raw[u][1], k[1]);
            for (int j = 0; j < columns; j++) {
                float dot = 0;
#pragma unroll
                for (int v = 0; v < 2; v++) {
                    int d = (v * lpp + l) * 8;
                    if (d < hd) {
                        const float4 *x = (const float4 *)(q + j * hd + d);
                        float4 a = x[0], b = x[1];
                        dot = __fmaf_rn(a.x, k[v][0], dot), dot = __fmaf_rn(a.y, k[v][1], dot);
                        dot = __fmaf_rn(a.z, k[v][2], dot), dot = __fmaf_rn(a.w, k[v][3], dot);
                        dot = __fmaf_rn(b.x, k[v][4], dot), dot = __fmaf_rn(b.y, k[v][5], dot);
                        dot = __fmaf_rn(b.z, k[v][6], dot), dot = __fmaf_rn(b.w, k[v][7], dot);
                    }
                }
                for (int o = lpp / 2; o; o >>= 1)
                    dot += __shfl_xor_sync(~0u, dot, o);
                int at = t.pos + j / group;
                bool seen = p <= at && (!c.window || p > at - c.window);
                if (l == 0 && i < total)
                    s[j * TILE_POSITIONS + i] = seen ? dot : -INFINITY;
            }
        }
    }
}

/* Turns scores into weights; greatest score and sum of weights of each column. */
static __device__ void soften(float *s, float2 *ml, int total, int columns)
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (int j = warp; j < columns; j += TASK_WARPS) {
        float *row = s + j * TILE_POSITIONS, m = -INFINITY, l = 0;
        for (int i = lane; i < total; i += 32)
            m = fmaxf(m, row[i]);
        m = warp_max(m);
        for (int i = lane; i < total; i += 32) {
            float w = m == -INFINITY ? 0.f : __expf(row[i] - m);
            row[i] = w;
            l += w;
        }
        l = warp_sum(l);
        if (lane == 0)
            ml[j] = make_float2(m, l);
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

/* run[j] takes in weights . V of a tile, for COLUMNS columns from j0 on. */
template <int COLUMNS, int HD>
static __device__ void weigh(const AttentionCall &c, const AttentionTask &t, const float *s,
                             const float2 *ml, int tile, int total, int j0, int columns,
                             float *sums, float *run)
{
    enum { SIDE_BY_SIDE = 4 };
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, hd = HD ? HD : c.head_dim,
              width = 2 * lanes_a_position(hd);
    const int v = lane % width, per_warp = 32 / width, step = TASK_WARPS * per_warp,
              end = t.pos + t.n;
    float acc[COLUMNS][8];
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
#pragma unroll
        for (int e = 0; e < 8; e++)
            acc[j][e] = 0;
    for (int i0 = warp * per_warp + lane / width; i0 < total; i0 += SIDE_BY_SIDE * step) {
        uint4 raw[SIDE_BY_SIDE];
#pragma unroll
        for (int u = 0; u < SIDE_BY_SIDE; u++) {
            int i = i0 + u * step, p = tile_position(t, tile, i);
            raw[u] = i < total && p < end && v * 8 < hd
                         ? *(const uint4 *)(t.V + (size_t)p * hd + v * 8)
                         : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int u = 0; u < SIDE_BY_SIDE; u++) {
            int i = i0 + u * step;
            float f[8];
            half8(raw[u], f);
#pragma unroll
            for (int j = 0; j < COLUMNS; j++) {
                float w = i < total && j0 + j < columns ? s[(j0 + j) * TILE_POSITIONS + i] : 0.f;
#pragma unroll
                for (int e = 0; e < 8; e++)
                    acc[j][e] = __fmaf_rn(w, f[e], acc[j][e]);
            }
        }
    }
#pragma unroll
    for (int j = 0; j < COLUMNS; j++) {
#pragma unroll
        for (int e = 0; e < 8; e++)
            for (int o = width; o < 32; o *= 2)
                acc[j][e] += __shfl_xor_sync(~0u, acc[j][e], o);
        if (lane < width && v * 8 < hd) {
            float4 *d = (float4 *)(sums + (j * TASK_WARPS + warp) * hd + v * 8);
            d[0] = make_float4(acc[j][0], acc[j][1], acc[j][2], acc[j][3]);
            d[1] = make_float4(acc[j][4], acc[j][5], acc[j][6], acc[j][7]);
        }
    }
    task_sync();
    for (int i = threadIdx.x; i < COLUMNS * hd; i += ATTN_THREADS) {
        int j = i / hd, d = i % hd;
        if (j0 + j >= columns)
            break;
        float y2 = 0;
#pragma unroll
        for (int w = 0; w < TASK_WARPS; w++)
            y2 += sums[(j * TASK_WARPS + w) * hd + d];
        float *r = run + (j0 + j) * (hd + 2), m = r[0], l = r[1], y = r[2 + d];
        merge(m, l, y, ml[j0 + j].x, ml[j0 + j].y, y2);
        r[2 + d] = y;
    }
    task_sync();
    for (int j = threadIdx.x; j < COLUMNS && j0 + j < columns; j += ATTN_THREADS) {
        float *r = run + (j0 + j) * (hd + 2), m = r[0], l = r[1], y = 0;
        merge(m, l, y, ml[j0 + j].x, ml[j0 + j].y, 0.f);
        r[0] = m, r[1] = l;
    }
}

/* All of a task: leaves greatest score, sum and weighted sum of V of each column in run (shared),
 * and returns it. */
template <bool POLL, int HD>
static __device__ const float *attend(const AttentionCall &c, const AttentionTask &t, float *shared)
{
    const int hd = HD ? HD : c.head_dim, columns = t.n * (c.n_heads / c.n_kv_heads),
              chunks = div_up(t.pos + t.n, ATTN_CHUNK);
    float *q = shared, *s = q + columns * hd, *run = s + columns * TILE_POSITIONS;
    float2 *ml = (float2 *)(run + (columns * (hd + 2) + 1) / 2 * 2);
    float *sums = (float *)(ml + columns);
    sums += (4 - (sums - shared) % 4) % 4;
    for (int i = threadIdx.x; i < columns * (hd + 2); i += ATTN_THREADS)
        run[i] = i % (hd + 2) == 0 ? -INFINITY : 0.f;
    take_heads<POLL, HD>(c, t, q, sums, columns);
    task_sync();
    const int mine = slice_chunks(t.slice, t.slices, chunks);
    for (int tile = 0; tile * TILE_CHUNKS < mine; tile++) {
        int total = min(mine - tile * TILE_CHUNKS, (int)TILE_CHUNKS) * ATTN_CHUNK;
        scores<HD>(c, t, q, s, tile, total, columns);
        task_sync();
        soften(s, ml, total, columns);
        task_sync();
        if (columns == 1)
            weigh<1, HD>(c, t, s, ml, tile, total, 0, columns, sums, run);
        else
            for (int j0 = 0; j0 < columns; j0 += FOLD)
                weigh<FOLD, HD>(c, t, s, ml, tile, total, j0, columns, sums, run);
        task_sync();
    }
    return run;
}

/* The head's result of column j, dimension d: its slices in ascending order.  own: slice 0's, or
 * NULL: read it too. */
template <bool POLL>
static __device__ float fold_slices(const float *own, const float *partial, int columns, int slices,
                                    int hd, int j, int d)
{
    enum { SIDE_BY_SIDE = 4 };
    const size_t step = (size_t)columns * (hd + 2);
    const float *p = partial + (size_t)j * (hd + 2);
    float m = -INFINITY, l = 0, y = 0;
    if (own)
        merge(m, l, y, own[j * (hd + 2)], own[j * (hd + 2) + 1], own[j * (hd + 2) + 2 + d]);
    for (int s = own ? 1 : 0; s < slices; s += SIDE_BY_SIDE) {
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
