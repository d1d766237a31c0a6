/* Prefill attention on Hopper: two warp groups of 64 queries each, keys and values in tiles of 128
 * positions that a third group brings into wgmma's swizzle, online softmax in float (the scheme of
 * FlashAttention, arXiv 2307.08691 and 2407.08608).
 *
 * Few queries on a long context: the positions are dealt to several blocks in fixed slices,
 * counted from position 0, and a second kernel folds them in order. */
#include "kernels/cuda/attention_wgmma.cuh"
#include "kernels/cuda/wgmma.cuh"

#include <math.h>

enum {
    Q_GROUPS = 2,
    Q_ROWS = 64, /* of a warp group */
    KV_ROWS = 128,
    KV_STAGES = 2,
    FLASH_THREADS = (Q_GROUPS + 1) * 128
};

static __host__ __device__ inline size_t tile_bytes(int head_dim)
{
    return (size_t)KV_ROWS * head_dim * sizeof(__half);
}

#if HOPPER_CODE
static __device__ __forceinline__ float exp2_fast(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0,%1;" : "=f"(y) : "f"(x));
    return y;
}

static __device__ __forceinline__ uint32_t pack(float a, float b)
{
    half2 h = __floats2half2_rn(a, b);
    return *(uint32_t *)&h;
}

/* Addresses in shared memory: KV_STAGES tiles of K, as many of V, and their barriers. */
struct KvRing {
    uint32_t k, v, k_full, k_empty, v_full, v_empty;
};

/* The positions of a block: [begin, end), begin at a whole tile. */
struct Span {
    int begin, end;
};

static __device__ __forceinline__ Span span_of(const FlashCall &c, int q0)
{
    const int pos = c.attention.run->pos, window = c.attention.window;
    Span s;
    s.end = min(pos + q0 + Q_GROUPS * Q_ROWS, pos + c.attention.tokens);
    s.begin = window ? max(0, pos + q0 - window + 1) / KV_ROWS * KV_ROWS : 0;
    if (gridDim.z > 1) {
        s.begin = max(s.begin, (int)blockIdx.z * c.slice);
        s.end = min(s.end, (int)(blockIdx.z + 1) * c.slice);
    }
    return s;
}

/* One tile by 128 threads: [half of the head][position][128 bytes, swizzled]; positions from
 * `end` on repeat the last one, for nothing is read past what was written. */
template <int HD>
static __device__ __forceinline__ void fetch_tile(uint32_t to, const __half *from, int p0, int end)
{
    const int PIECES = HD / 8;
#pragma unroll
    for (int i = 0; i < KV_ROWS * PIECES / 128; i++) {
        const int at = i * 128 + threadIdx.x % 128, r = at / PIECES, piece = at % PIECES;
        const uint32_t shared =
            to + piece / 8 * (KV_ROWS * SWIZZLE_ROW) + swizzle_place((uint32_t)r, piece % 8 * 16);
        asm volatile("cp.async.cg.shared.global [%0],[%1],16;" ::"r"(shared),
                     "l"(from + (size_t)min(p0 + r, end - 1) * HD + piece * 8)
                     : "memory");
    }
    copy_commit();
}

static __device__ __forceinline__ void announce(uint32_t barrier)
{
    fence_async();
    barrier_arrive(barrier);
}

template <int HD>
static __device__ __forceinline__ void fetch_all(const KvRing &r, const __half *K, const __half *V,
                                                 Span s)
{
    const uint32_t bytes = (uint32_t)tile_bytes(HD);
    int stage = 0, before = 0;
    uint32_t phase = 0;
    for (int p0 = s.begin; p0 < s.end; p0 += KV_ROWS) {
        barrier_wait(r.k_empty + stage * 8, phase ^ 1);
        fetch_tile<HD>(r.k + stage * bytes, K, p0, s.end);
        if (p0 > s.begin) {
            copy_wait<1>();
            announce(r.v_full + before * 8);
        }
        barrier_wait(r.v_empty + stage * 8, phase ^ 1);
        fetch_tile<HD>(r.v + stage * bytes, V, p0, s.end);
        copy_wait<1>();
        announce(r.k_full + stage * 8);
        before = stage;
        if (++stage == KV_STAGES)
            stage = 0, phase ^= 1;
    }
    copy_wait<0>();
    if (s.begin < s.end)
        announce(r.v_full + before * 8);
}

/* What a thread of a warp group keeps: rows r and r + 8. */
template <int HD> struct Queries {
    uint32_t q[HD / 16][4];
    float o[HD / 64][32], score[KV_ROWS / 2];
    float top[2], sum[2];
    int row[2]; /* tokens of this feed */

    __device__ __forceinline__ void load(const AttentionCall &c, int first, int head)
    {
        const int t = threadIdx.x % 4;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            row[i] = first + wgmma_row(threadIdx.x % 128, 2 * i);
            top[i] = -INFINITY, sum[i] = 0;
            const uint32_t *from =
                (const uint32_t *)(c.q16 + ((size_t)row[i] * c.n_heads + head) * HD) + t;
#pragma unroll
            for (int s = 0; s < HD / 16; s++) {
                q[s][i] = row[i] < c.tokens ? __ldcg(from + s * 8) : 0;
                q[s][i + 2] = row[i] < c.tokens ? __ldcg(from + s * 8 + 4) : 0;
            }
        }
#pragma unroll
        for (int h = 0; h < HD / 64; h++)
#pragma unroll
            for (int i = 0; i < 32; i++)
                o[h][i] = 0;
    }

    __device__ __forceinline__ void multiply_keys(uint32_t k)
    {
        wgmma_hold(score);
        wgmma_fence();
#pragma unroll
        for (int s = 0; s < HD / 16; s++)
            Product<KV_ROWS, false>::run(
                score, q[s], wgmma_descriptor(k + s / 4 * (KV_ROWS * SWIZZLE_ROW) + s % 4 * 32, 0),
                s > 0);
        wgmma_commit();
        wgmma_wait<0>();
        wgmma_hold(score);
    }

    /* p0: position of the tile */
    __device__ __forceinline__ void mask(int p0, int pos, int end, int window)
    {
#pragma unroll
        for (int i = 0; i < KV_ROWS / 2; i++) {
            int p = p0 + wgmma_column(threadIdx.x % 128, i), at = pos + row[i / 2 % 2];
            if (p > at || p >= end || (window && p <= at - window))
                score[i] = -INFINITY;
        }
    }

    __device__ __forceinline__ void softmax(void)
    {
        float keep[2], base[2];
#pragma unroll
        for (int r = 0; r < 2; r++) {
            float m = top[r];
#pragma unroll
            for (int j = 0; j < KV_ROWS / 8; j++)
                m = fmaxf(m, fmaxf(score[j * 4 + r * 2], score[j * 4 + r * 2 + 1]));
            m = fmaxf(m, __shfl_xor_sync(~0u, m, 1));
            m = fmaxf(m, __shfl_xor_sync(~0u, m, 2));
            base[r] = m == -INFINITY ? 0.f : m; /* nothing seen yet: all weights 0 */
            keep[r] = exp2_fast(top[r] - base[r]);
            top[r] = m;
            sum[r] *= keep[r];
        }
#pragma unroll
        for (int i = 0; i < KV_ROWS / 2; i++) {
            score[i] = exp2_fast(score[i] - base[i / 2 % 2]);
            sum[i / 2 % 2] += score[i];
        }
        if (__any_sync(~0u, keep[0] != 1.f || keep[1] != 1.f))
#pragma unroll
            for (int h = 0; h < HD / 64; h++)
#pragma unroll
                for (int i = 0; i < 32; i++)
                    o[h][i] *= keep[i / 2 % 2];
    }

    __device__ __forceinline__ void multiply_values(uint32_t v)
    {
        uint32_t p[KV_ROWS / 16][4];
#pragma unroll
        for (int i = 0; i < KV_ROWS / 4; i++) {
            p[i / 4][i % 4] = pack(score[i * 2], score[i * 2 + 1]);
            asm volatile("" : "+r"(p[i / 4][i % 4])::"memory");
        }
#pragma unroll
        for (int h = 0; h < HD / 64; h++)
            wgmma_hold(o[h]);
        wgmma_fence();
#pragma unroll
        for (int k = 0; k < KV_ROWS / 16; k++)
#pragma unroll
            for (int h = 0; h < HD / 64; h++)
                Product<64, true>::run(
                    o[h], p[k],
                    wgmma_descriptor(v + h * (KV_ROWS * SWIZZLE_ROW) + k * 16 * SWIZZLE_ROW, 1), 1);
        wgmma_commit();
        wgmma_wait<0>();
#pragma unroll
        for (int h = 0; h < HD / 64; h++)
            wgmma_hold(o[h]);
    }
};

static __device__ __forceinline__ void leave(uint32_t barrier)
{
    if (threadIdx.x % 32 == 0)
        barrier_arrive(barrier);
}

template <int HD>
static __device__ __forceinline__ void attend_all(Queries<HD> &w, const FlashCall &c, KvRing r,
                                                  Span s)
{
    const uint32_t bytes = (uint32_t)tile_bytes(HD);
    const int pos = c.attention.run->pos, window = c.attention.window;
    const int first = pos + w.row[0] - wgmma_row(threadIdx.x % 128, 0); /* of the warp group */
    int stage = 0;
    uint32_t phase = 0;
#pragma unroll 1
    for (int p0 = s.begin; p0 < s.end; p0 += KV_ROWS) {
        barrier_wait(r.k_full + stage * 8, phase);
        w.multiply_keys(r.k + stage * bytes);
        leave(r.k_empty + stage * 8);
        if (p0 + KV_ROWS > min(first + 1, s.end) || (window && p0 <= first + Q_ROWS - 1 - window))
            w.mask(p0, pos, s.end, window);
        w.softmax();
        barrier_wait(r.v_full + stage * 8, phase);
        w.multiply_values(r.v + stage * bytes);
        leave(r.v_empty + stage * 8);
        if (++stage == KV_STAGES)
            stage = 0, phase ^= 1;
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
        w.sum[i] += __shfl_xor_sync(~0u, w.sum[i], 1);
        w.sum[i] += __shfl_xor_sync(~0u, w.sum[i], 2);
    }
}

/* Even columns lie in one 16-byte piece and odd ones in another (sixteen_place), so lanes swap with
 * their neighbours: an even lane then has two even columns, an odd one two odd ones. */
static __device__ __forceinline__ uint32_t swap_columns(uint32_t own)
{
    uint32_t other = __shfl_xor_sync(~0u, own, 1);
    return threadIdx.x & 1 ? __byte_perm(other, own, 0x7632) : __byte_perm(own, other, 0x5410);
}

/* Eight columns from 8 j on of one row: two halves of this lane. */
static __device__ __forceinline__ void store_x(const WgmmaX &x, int token, int column, int j,
                                               uint32_t v)
{
    const int t = threadIdx.x % 4;
    *(uint32_t *)(x.x + wgmma_x_place(column + j / 2 * 16 + (t & 1), token, WGMMA_TOKENS) +
                  2 * (j % 2 * 4 + (t & 2))) = v;
}

template <int HD>
static __device__ __forceinline__ void write_rows(const Queries<HD> &w, const FlashCall &c,
                                                  int head)
{
    const AttentionCall &a = c.attention;
    const int t = threadIdx.x % 4;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const float scale = gridDim.z > 1 ? 1.f : 1.f / w.sum[i];
        float *out = a.out + (size_t)w.row[i] * a.out_stride + head * HD + t * 2;
        if (gridDim.z > 1)
            out = flash_partial(c, blockIdx.z, head, w.row[i]) + t * 2;
#pragma unroll
        for (int j = 0; j < HD / 8; j++) {
            const float u = w.o[j / 8][j % 8 * 4 + 2 * i] * scale,
                        v = w.o[j / 8][j % 8 * 4 + 2 * i + 1] * scale;
            uint32_t both = swap_columns(pack(u, v));
            if (w.row[i] >= a.tokens)
                continue;
            if (gridDim.z == 1 && c.x.x)
                store_x(c.x, w.row[i], head * HD, j, both);
            else
                *(float2 *)(out + j * 8) = make_float2(u, v);
        }
        if (w.row[i] >= a.tokens || t)
            continue;
        if (gridDim.z > 1)
            out[HD] = w.top[i], out[HD + 1] = w.sum[i];
        else if (c.x.x && head == 0)
            c.x.scale[w.row[i]] = 1.f;
    }
}
#endif

template <int HD>
static __global__ void __launch_bounds__(FLASH_THREADS, 1)
    k_flash_wgmma(const __grid_constant__ FlashCall c)
{
#if HOPPER_CODE
    extern __shared__ __align__(1024) uint8_t raw[];
    const AttentionCall &a = c.attention;
    const int group = threadIdx.x / 128, head = blockIdx.x;
    const int q0 = (gridDim.y - 1 - blockIdx.y) * (Q_GROUPS * Q_ROWS); /* long ones first */
    const int groups = a.tokens - q0 > Q_ROWS ? Q_GROUPS : 1;          /* that have queries */
    KvRing r;
    r.k = shared_address(raw), r.v = r.k + KV_STAGES * (uint32_t)tile_bytes(HD);
    r.k_full = r.v + KV_STAGES * (uint32_t)tile_bytes(HD), r.k_empty = r.k_full + 32,
    r.v_full = r.k_full + 64, r.v_empty = r.k_full + 96;
    if (threadIdx.x == 0) {
        for (int i = 0; i < KV_STAGES; i++) {
            barrier_init(r.k_full + i * 8, 128), barrier_init(r.v_full + i * 8, 128);
            barrier_init(r.k_empty + i * 8, groups * 4),
                barrier_init(r.v_empty + i * 8, groups * 4);
        }
        barrier_init_done();
    }
    __syncthreads();
    pdl_launch();
    pdl_wait();
    const Span s = span_of(c, q0);
    if (group == Q_GROUPS) {
        registers_give<40>();
        const size_t plane = (size_t)a.run->context * HD;
        const int kv = head / (a.n_heads / a.n_kv_heads);
        const __half *K = a.run->kv + ((size_t)a.layer * 2 * a.n_kv_heads + kv) * plane;
        fetch_all<HD>(r, K, K + a.n_kv_heads * plane, s);
    } else {
        registers_take<232>();
        if (group < groups) {
            Queries<HD> w;
            w.load(a, q0 + group * Q_ROWS, head);
            attend_all<HD>(w, c, r, s);
            write_rows<HD>(w, c, head);
        }
    }
#endif
}

/* A warp a head of a token: folds the pieces of positions in order. */
template <int HD>
static __global__ void __launch_bounds__(128)
    k_fold_slices(const __grid_constant__ FlashCall c, int slices)
{
#if HOPPER_CODE
    const AttentionCall &a = c.attention;
    const int unit = blockIdx.x * 4 + threadIdx.x / 32, lane = threadIdx.x % 32;
    pdl_launch();
    pdl_wait();
    if (unit >= a.tokens * a.n_heads)
        return;
    const int token = unit / a.n_heads, head = unit % a.n_heads;
    float top = -INFINITY, sum = 0, o[HD / 32];
    for (int z = 0; z < slices; z++)
        top = fmaxf(top, __ldcg(flash_partial(c, z, head, token) + HD));
#pragma unroll
    for (int i = 0; i < HD / 32; i++)
        o[i] = 0;
    for (int z = 0; z < slices; z++) {
        const float *p = flash_partial(c, z, head, token);
        const float f = exp2_fast(__ldcg(p + HD) - top);
        sum += __ldcg(p + HD + 1) * f;
#pragma unroll
        for (int i = 0; i < HD / 32; i++)
            o[i] += __ldcg(p + i * 32 + lane) * f;
    }
#pragma unroll
    for (int i = 0; i < HD / 32; i++) {
        const int column = head * HD + i * 32 + lane;
        if (c.x.x)
            *(__half *)(c.x.x + wgmma_x_place(column, token, WGMMA_TOKENS)) =
                __float2half_rn(o[i] / sum);
        else
            a.out[(size_t)token * a.out_stride + column] = o[i] / sum;
    }
    if (c.x.x && head == 0 && lane == 0)
        c.x.scale[token] = 1.f;
#endif
}

static cudaError_t launch(const void *kernel, dim3 grid, int threads, size_t shared, bool pdl,
                          cudaStream_t stream, void **args)
{
    cudaLaunchAttribute attr = {};
    attr.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attr.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = grid, config.blockDim = dim3(threads), config.dynamicSmemBytes = shared,
    config.stream = stream, config.attrs = &attr, config.numAttrs = pdl ? 1 : 0;
    return cudaLaunchKernelExC(&config, kernel, args);
}

static size_t flash_shared(int head_dim)
{
    return 2 * KV_STAGES * tile_bytes(head_dim) + 128;
}

cudaError_t flash_attention(const FlashCall *call, int n_sms, bool pdl, cudaStream_t stream)
{
    FlashCall c = *call;
    const AttentionCall *a = &c.attention;
    cudaError_t e = c.roped ? cudaSuccess : attention_rope(a, pdl, stream);
    if (e != cudaSuccess)
        return e;
    const bool wide = a->head_dim == 128;
    const int tiles = div_up(a->tokens, Q_GROUPS * Q_ROWS);
    int slices = 1;
    if (a->tokens <= SLICED_TOKENS && a->n_heads < n_sms)
        slices = div_up(c.positions, c.slice);
    void *args[] = { &c, &slices };
    e = launch(wide ? (const void *)k_flash_wgmma<128> : (const void *)k_flash_wgmma<64>,
               dim3(a->n_heads, tiles, slices), FLASH_THREADS, flash_shared(a->head_dim), pdl,
               stream, args);
    if (e != cudaSuccess || slices == 1)
        return e;
    return launch(wide ? (const void *)k_fold_slices<128> : (const void *)k_fold_slices<64>,
                  dim3(div_up((long)a->tokens * a->n_heads, 4)), 128, 0, pdl, stream, args);
}

cudaError_t flash_setup(int shared_limit)
{
    if (flash_shared(128) > (size_t)shared_limit)
        return cudaErrorInvalidConfiguration;
    const void *kernels[2] = { (const void *)k_flash_wgmma<64>, (const void *)k_flash_wgmma<128> };
    for (int i = 0; i < 2; i++) {
        cudaError_t e = cudaFuncSetAttribute(
            kernels[i], cudaFuncAttributeMaxDynamicSharedMemorySize, (int)flash_shared(64 << i));
        if (e == cudaSuccess)
            e = prefer_shared(kernels[i]);
        if (e != cudaSuccess)
            return e;
    }
    return cudaSuccess;
}
