/* Decode attention: chunks of 64 fixed positions, one task each (kv head, chunk).  The task that holds the new positions also
 * writes their k and v.  The last task of a head folds the chunks in ascending order, so results depend on nothing but the
 * numbers: not on the count of SMs, the tokens beside, or the length of the cache. */
#include "kernels/cuda/attention.cuh"

#include <math.h>

enum { ATTN_WARPS = ATTN_THREADS / 32, FOLD = 4 };

static __host__ __device__ inline int lanes_a_position(int head_dim)
{
    int n = 1;
    while (n * 16 < head_dim)
        n *= 2;
    return n;
}

/* One warp: a head's vector out of qkv, normed and rotated, times `scale`, into dst (shared). */
static __device__ void load_head(const AttentionCall &c, const float *src, const float *norm, int pos, float scale,
                                 float *dst, int lane)
{
    float ss = 0;
    for (int d = lane; d < c.head_dim; d += 32) {
        float v = __ldcg(src + d);
        dst[d] = v;
        ss += v * v;
    }
    float r = norm ? rsqrtf(warp_sum(ss) / c.head_dim + c.eps) : 1.f;
    if (norm)
        for (int d = lane; d < c.head_dim; d += 32)
            dst[d] *= r * norm[d];
    __syncwarp();
    const int half = c.rope_dims / 2;
    for (int i = lane; i < half; i += 32) {
        int a = c.interleaved ? 2 * i : i, b = c.interleaved ? 2 * i + 1 : i + half;
        float2 cs = c.rope[(size_t)pos * half + i];
        float x = dst[a], y = dst[b];
        dst[a] = x * cs.x - y * cs.y;
        dst[b] = y * cs.x + x * cs.y;
    }
    __syncwarp();
    if (scale != 1.f) {
        for (int d = lane; d < c.head_dim; d += 32)
            dst[d] *= scale;
        __syncwarp();
    }
}

/* k and v of the new tokens that fall into [p0, p1). */
static __device__ void append(const AttentionCall &c, int head, int p0, int p1, int pos, int n, __half *K, __half *V,
                              float *scratch)
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, hd = c.head_dim;
    float *tmp = scratch + warp * hd;
    for (int t = warp; t < n; t += ATTN_WARPS) {
        int p = pos + t;
        if (p < p0 || p >= p1)
            continue;
        const float *row = c.qkv + (size_t)t * c.stride + c.n_heads * hd;
        load_head(c, row + head * hd, c.k_norm, p, 1.f, tmp, lane);
        const float *v = row + (c.n_kv_heads + head) * hd;
        for (int d = lane; d < hd; d += 32) {
            K[(size_t)p * hd + d] = __float2half_rn(tmp[d]);
            V[(size_t)p * hd + d] = __float2half_rn(__ldcg(v + d));
        }
    }
}

static __device__ __forceinline__ void half8(const __half *p, float f[8])
{
    uint4 u = *(const uint4 *)p;
    const half2 *h = (const half2 *)&u;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float2 v = __half22float2(h[i]);
        f[2 * i] = v.x, f[2 * i + 1] = v.y;
    }
}

/* s[j][i]: q_j . k_i for the chunk's positions, or -inf where token j may not look. */
static __device__ void scores(const AttentionCall &c, const float *q, float *s, int p0, int p1, int pos, int columns, int group,
                              const __half *K)
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, hd = c.head_dim, lpp = lanes_a_position(hd);
    const int l = lane % lpp, per_warp = 32 / lpp;
    for (int i = warp * per_warp + lane / lpp; i < ATTN_CHUNK; i += ATTN_WARPS * per_warp) {
        int p = p0 + i;
        float k[2][8];
#pragma unroll
        for (int v = 0; v < 2; v++) {
            int d = (v * lpp + l) * 8;
            if (p < p1 && d < hd)
                half8(K + (size_t)p * hd + d, k[v]);
            else
                for (int e = 0; e < 8; e++)
                    k[v][e] = 0;
        }
        for (int j = 0; j < columns; j++) {
            float dot = 0;
#pragma unroll
            for (int v = 0; v < 2; v++) {
                int d = (v * lpp + l) * 8;
                if (d < hd)
#pragma unroll
                    for (int e = 0; e < 8; e++)
                        dot += q[j * hd + d + e] * k[v][e];
            }
            for (int o = lpp / 2; o; o >>= 1)
                dot += __shfl_xor_sync(~0u, dot, o);
            int at = pos + j / group;
            bool seen = p < p1 && p <= at && (!c.window || p > at - c.window);
            if (l == 0)
                s[j * ATTN_CHUNK + i] = seen ? dot : -INFINITY;
        }
    }
}

/* Turns scores into weights; m and l of each column. */
static __device__ void soften(float *s, float2 *ml, int columns)
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (int j = warp; j < columns; j += ATTN_WARPS) {
        float a = s[j * ATTN_CHUNK + lane], b = s[j * ATTN_CHUNK + lane + 32];
        float m = warp_max(fmaxf(a, b));
        a = m == -INFINITY ? 0.f : expf(a - m);
        b = m == -INFINITY ? 0.f : expf(b - m);
        s[j * ATTN_CHUNK + lane] = a, s[j * ATTN_CHUNK + lane + 32] = b;
        float l = warp_sum(a + b);
        if (lane == 0)
            ml[j] = make_float2(m, l);
    }
}

/* partial[j] = weights . V */
static __device__ void weigh(const AttentionCall &c, const float *s, const float2 *ml, int p0, int p1, int columns,
                             const __half *V, float *sums, float *partial)
{
    const int hd = c.head_dim, vectors = hd / 8, parts = ATTN_THREADS / vectors;
    const int v = threadIdx.x % vectors, part = threadIdx.x / vectors;
    for (int j0 = 0; j0 < columns; j0 += FOLD) {
        float acc[FOLD][8];
#pragma unroll
        for (int j = 0; j < FOLD; j++)
#pragma unroll
            for (int e = 0; e < 8; e++)
                acc[j][e] = 0;
        if (part < parts)
            for (int i = part; i < p1 - p0; i += parts) {
                float f[8];
                half8(V + (size_t)(p0 + i) * hd + v * 8, f);
#pragma unroll
                for (int j = 0; j < FOLD; j++) {
                    float w = j0 + j < columns ? s[(j0 + j) * ATTN_CHUNK + i] : 0.f;
#pragma unroll
                    for (int e = 0; e < 8; e++)
                        acc[j][e] += w * f[e];
                }
            }
        for (int j = 0; j < FOLD && j0 + j < columns; j++) {
            __syncthreads();
            if (part < parts)
#pragma unroll
                for (int e = 0; e < 8; e++)
                    sums[part * hd + v * 8 + e] = acc[j][e];
            __syncthreads();
            float *out = partial + (size_t)(j0 + j) * (hd + 2);
            for (int d = threadIdx.x; d < hd; d += ATTN_THREADS) {
                float y = 0;
                for (int q = 0; q < parts; q++)
                    y += sums[q * hd + d];
                out[2 + d] = y;
            }
            if (threadIdx.x == 0)
                out[0] = ml[j0 + j].x, out[1] = ml[j0 + j].y;
        }
    }
    __syncthreads();
}

/* Folds the chunks of a kv head in ascending order. */
static __device__ void fold(const AttentionCall &c, int head, int chunks, int columns, int stride, int group)
{
    const int hd = c.head_dim;
    for (int i = threadIdx.x; i < columns * hd; i += ATTN_THREADS) {
        int j = i / hd, d = i % hd;
        const float *p = c.partial + ((size_t)head * chunks * stride + j) * (hd + 2);
        size_t step = (size_t)stride * (hd + 2);
        float m = -INFINITY, l = 0, y = 0;
        for (int k = 0; k < chunks; k++)
            m = fmaxf(m, __ldcg(p + k * step));
#pragma unroll 4
        for (int k = 0; k < chunks; k++) {
            float w = expf(__ldcg(p + k * step) - m);
            l += w * __ldcg(p + k * step + 1);
            y += w * __ldcg(p + k * step + 2 + d);
        }
        c.out[(size_t)(j / group) * c.out_stride + (head * group + j % group) * hd + d] = y / l;
    }
}

static __global__ void __launch_bounds__(ATTN_THREADS) k_attention(const __grid_constant__ AttentionCall c)
{
    extern __shared__ __align__(16) float shared[];
    __shared__ int last;
    const int hd = c.head_dim, group = c.n_heads / c.n_kv_heads, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    pdl_launch();
    pdl_wait();
    const int pos = c.run->pos, n = c.run->n, columns = n * group, stride = DECODE_TOKENS * group;
    const int chunks = div_up(pos + n, ATTN_CHUNK);
    float *q = shared, *s = q + stride * hd, *sums = s + stride * ATTN_CHUNK;
    float2 *ml = (float2 *)(sums + ATTN_THREADS * 8);
    const size_t plane = (size_t)c.run->context * hd;
    __half *base = c.run->kv + (size_t)c.layer * 2 * c.n_kv_heads * plane;
    const float scale = rsqrtf((float)hd);
    for (int task = blockIdx.x; task < chunks * c.n_kv_heads; task += gridDim.x) {
        int head = task % c.n_kv_heads, chunk = chunks - 1 - task / c.n_kv_heads; /* the one that must append first */
        int p0 = chunk * ATTN_CHUNK, p1 = min(p0 + ATTN_CHUNK, pos + n);
        __half *K = base + head * plane, *V = base + (c.n_kv_heads + head) * plane;
        for (int j = warp; j < columns; j += ATTN_WARPS)
            load_head(c, c.qkv + (size_t)(j / group) * c.stride + (head * group + j % group) * hd, c.q_norm, pos + j / group,
                      scale, q + j * hd, lane);
        if (p1 > pos)
            append(c, head, p0, p1, pos, n, K, V, sums);
        __syncthreads();
        scores(c, q, s, p0, p1, pos, columns, group, K);
        __syncthreads();
        soften(s, ml, columns);
        __syncthreads();
        weigh(c, s, ml, p0, p1, columns, V, sums, c.partial + ((size_t)head * chunks + chunk) * stride * (hd + 2));
        __threadfence();
        __syncthreads();
        if (threadIdx.x == 0)
            last = atomicAdd(&c.arrived[head], 1) == chunks - 1;
        __syncthreads();
        if (last) {
            __threadfence();
            fold(c, head, chunks, columns, stride, group);
            if (threadIdx.x == 0)
                c.arrived[head] = 0;
        }
        __syncthreads();
    }
}

static size_t decode_shared(const AttentionCall *c)
{
    size_t columns = (size_t)DECODE_TOKENS * (c->n_heads / c->n_kv_heads);
    return (columns * c->head_dim + columns * ATTN_CHUNK + ATTN_THREADS * 8 + 2 * columns) * sizeof(float);
}

size_t attention_partial_floats(int n_heads, int head_dim, int context)
{
    return (size_t)n_heads * DECODE_TOKENS * div_up(context, ATTN_CHUNK) * (head_dim + 2);
}

cudaError_t attention_decode(const AttentionCall *call, int n_sms, bool pdl, cudaStream_t stream)
{
    cudaLaunchAttribute attr = {};
    attr.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attr.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(8 * n_sms);
    config.blockDim = dim3(ATTN_THREADS);
    config.dynamicSmemBytes = decode_shared(call);
    config.stream = stream;
    config.attrs = &attr;
    config.numAttrs = pdl ? 1 : 0;
    return cudaLaunchKernelEx(&config, k_attention, *call);
}

cudaError_t attention_setup(int shared_limit)
{
    cudaError_t e = cudaFuncSetAttribute((const void *)k_attention, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                         shared_limit - 1024);
    return e == cudaSuccess ? prefer_shared((const void *)k_attention) : e;
}
