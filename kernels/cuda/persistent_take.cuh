/* How consumers of the persistent kernel take x: await what other SMs publish, bring it into
 * act-order, quantise it into shared memory.  A warp takes the blocks k % 16 == warp, no others. */
#ifndef KERNELS_CUDA_PERSISTENT_TAKE_CUH
#define KERNELS_CUDA_PERSISTENT_TAKE_CUH

#include "kernels/cuda/persistent_room.cuh"

#if __CUDA_ARCH__ >= 900 || !defined(__CUDA_ARCH__)

static __device__ __forceinline__ bool some_empty(float4 v)
{
    return is_empty(v.x) || is_empty(v.y) || is_empty(v.z) || is_empty(v.w);
}

static __device__ __forceinline__ void load_relaxed4(float4 &v, const float *p)
{
    delay();
    asm volatile("ld.relaxed.gpu.global.v4.f32 {%0,%1,%2,%3},[%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "l"(p)
                 : "memory");
}

/* Until all four values are there. */
static __device__ __forceinline__ void await(const float *p)
{
    float4 v;
#pragma unroll 1
    for (int tries = 0; tries < MAX_POLLS; tries++) {
        load_relaxed4(v, p);
        if (!some_empty(v))
            return;
    }
    __trap();
}

/* Polls TOKENS rows of this warp's blocks first, first + 16, ...  in: whether a lane's columns are
 * there at all. */
template <int TOKENS, int N>
static __device__ __forceinline__ void await_x(float4 v[TOKENS][N], const float *row, int stride,
                                               const bool in[N], int tokens)
{
    bool all;
    int tries = 0;
#pragma unroll
    for (int t = 0; t < TOKENS; t++)
#pragma unroll
        for (int j = 0; j < N; j++) {
            float e = in[j] && t < tokens ? __uint_as_float(EMPTY) : 0.f;
            v[t][j] = make_float4(e, e, e, e);
        }
#pragma unroll 1
    do {
        all = true;
#pragma unroll
        for (int t = 0; t < TOKENS; t++)
#pragma unroll
            for (int j = 0; j < N; j++)
                if (some_empty(v[t][j]))
                    load_relaxed4(v[t][j], row + (size_t)t * stride + j * SUM_WARPS * BLOCK_COLS);
#pragma unroll
        for (int t = 0; t < TOKENS; t++)
#pragma unroll
            for (int j = 0; j < N; j++)
                all = all && !some_empty(v[t][j]);
        all = __all_sync(~0u, all);
        if (++tries > MAX_POLLS)
            __trap();
    } while (!all);
}

/* Brings a warp's blocks `first`, first + 16, ... of N into act-order: `value` says which value of
 * x lies where; all warps' blocks as they were published meet in shared memory. */
template <int N>
static __device__ __forceinline__ void order_x(float4 v[N], float *line, int first, int n_in,
                                               const int4 value[N])
{
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int j = 0; j < N; j++) {
        const int k = (first + j * SUM_WARPS) * BLOCK_COLS + lane * 4;
        if (k < n_in)
            *(float4 *)(line + k) = v[j];
    }
    task_sync();
#pragma unroll
    for (int j = 0; j < N; j++)
        v[j] = make_float4(
            value[j].x < 0 ? 0.f : line[value[j].x], value[j].y < 0 ? 0.f : line[value[j].y],
            value[j].z < 0 ? 0.f : line[value[j].z], value[j].w < 0 ? 0.f : line[value[j].w]);
}

/* take_x of one token for a phase with an act-order, out of values that lie as they were made. */
template <int GROUP, int N>
static __device__ __noinline__ void take_ordered_x(const float *src, int n_in, int k_blocks,
                                                   const float *norm, const int *order)
{
    const PersistentCall &c = room_of<1>().call;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const XShared x = x_shared(shared_at(c.x_at), c.x_blocks, GROUP, 1);
    float4 v[1][N], weight[N];
    int4 value[N];
    bool in[N];
#pragma unroll
    for (int j = 0; j < N; j++) {
        const int b = warp + j * SUM_WARPS, k = b * BLOCK_COLS + lane * 4;
        in[j] = k < n_in;
        value[j] = b < k_blocks ? __ldg((const int4 *)(order + k)) : make_int4(-1, -1, -1, -1);
        weight[j] = norm && in[j] ? __ldg((const float4 *)(norm + k)) : make_float4(1, 1, 1, 1);
    }
    await_x<1, N>(v, src + (size_t)warp * BLOCK_COLS + lane * 4, n_in, in, 1);
    task_sync(); /* all have read the line, and met the x, of the phase before */
    order_x<N>(v[0], (float *)shared_at(c.line_at), warp, n_in, value);
    float ss = 0;
#pragma unroll
    for (int j = 0; j < N; j++) {
        ss = add_squares(ss, v[0][j]);
        if (norm)
            v[0][j] = times(v[0][j], weight[j]);
    }
    quantise_blocks<GROUP, N, SUM_WARPS>(x, warp, k_blocks, 0, 1, lane, v[0]);
    if (norm) {
        float s = warp_sum(ss);
        if (lane == 0)
            room_of<1>().share[warp] = s;
    }
    __syncwarp();
}

/* This warp's blocks of x ([token][stride]), N at a time: waits for them, notes their squares,
 * quantises them.  calm: the wait will be long (for attention), so one lane polls first.  sync: x
 * may take the place of a line that others still read. */
template <int GROUP, int TOKENS, int N, bool NORM>
static __device__ __noinline__ void take_x(const float *src, int stride, int n_in, int k_blocks,
                                           const float *norm, int tokens, bool calm, bool sync)
{
    const PersistentCall &c = room_of<TOKENS>().call;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const XShared x = x_shared(shared_at(c.x_at), c.x_blocks, GROUP, tokens);
    if (calm && warp < k_blocks) {
        if (lane == 0)
            await(src + (size_t)warp * BLOCK_COLS);
        __syncwarp();
    }
    float ss[TOKENS];
#pragma unroll
    for (int t = 0; t < TOKENS; t++)
        ss[t] = 0;
#pragma unroll 1
    for (int first = warp; first < k_blocks; first += N * SUM_WARPS) {
        float4 weight[N], v[TOKENS][N];
        bool in[N];
#pragma unroll
        for (int j = 0; j < N; j++) {
            int b = first + j * SUM_WARPS, k = b * BLOCK_COLS + lane * 4;
            in[j] = b < k_blocks && k < n_in;
            if (NORM)
                weight[j] = in[j] ? __ldg((const float4 *)(norm + k)) : make_float4(1, 1, 1, 1);
        }
        await_x<TOKENS, N>(v, src + (size_t)first * BLOCK_COLS + lane * 4, stride, in, tokens);
        if (sync)
            task_sync();
        sync = false;
#pragma unroll
        for (int t = 0; t < TOKENS; t++) {
            if (t >= tokens)
                break;
#pragma unroll
            for (int j = 0; j < N; j++) {
                ss[t] = add_squares(ss[t], v[t][j]);
                if (NORM)
                    v[t][j] = times(v[t][j], weight[j]);
            }
            quantise_blocks<GROUP, N, SUM_WARPS>(x, first, k_blocks, t, tokens, lane, v[t]);
        }
    }
    if (sync) /* a warp without blocks */
        task_sync();
    if (NORM)
#pragma unroll
        for (int t = 0; t < TOKENS; t++) {
            float s = warp_sum(ss[t]);
            if (lane == 0)
                room_of<TOKENS>().share[warp * TOKENS + t] = s;
        }
    __syncwarp();
}

#endif

#endif
