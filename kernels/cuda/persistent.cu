/* All layers in one kernel that never drains the memory: one block an SM with three roles.
 *
 *   producer (2 lanes)   streams the SM's weights into a ring of shared memory with bulk copies, in
 *                        the order of their use and without regard to what the others do; bytes in
 *                        flight are capped, since a long queue would delay the exchanges.
 *   consumers (16 warps) quantise x and meet it with weights; warp w does the blocks k % 16 == w
 *                        and nothing else, so that no warp waits for another one.  Attention is
 *                        theirs too (attention_task.cuh).
 *   finishers (2 warps)  add the 16 sums of finished rows, apply norm, bias, SiLU and residual, and
 *                        publish (persistent_finish.cuh).
 *
 * SMs exchange results through global memory.  Each value has a place of its own for each layer,
 * emptied before the launch, is written once, and is polled until it is no longer EMPTY: no flags,
 * no fences, nothing to reset, and a token that was abandoned leaves nothing behind.  Every poll
 * gives up after seconds (trap), so nothing can hang. */
#include "kernels/cuda/persistent.cuh"

#include <limits.h>

#include "kernels/cuda/embedding.cuh"
#include "kernels/cuda/persistent_finish.cuh"
#include "kernels/cuda/persistent_room.cuh"

#if __CUDA_ARCH__ >= 900 || !defined(__CUDA_ARCH__)

/* ---- producer ---- */

static __device__ __forceinline__ void bulk_copy(void *to, const void *from, uint32_t bytes,
                                                 uint64_t *bar, uint64_t policy)
{
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
                 "[%0],[%1],%2,[%3],%4;" ::"r"(shared_address(to)),
                 "l"(from), "r"(bytes), "r"(shared_address(bar)), "l"(policy)
                 : "memory");
}

/* Two lanes, one for each tile of a pair. */
static __device__ void produce(const PersistentCall &c, const Room &room, uint8_t *ring, int lane)
{
    uint64_t policy; /* weights are read once: nothing else is to make room for them */
    asm volatile("createpolicy.fractional.L2::evict_first.b64 %0;" : "=l"(policy));
    const int bb = c.block_bytes, stage_bytes = 2 * STAGE_BLOCKS * bb;
    int dealt = 0, at = 0, count = 0, landed = 0, landed_at = 0;
    uint32_t parity = 1, landed_parity = 0;
    for (int l = 0; l < c.n_layers; l++)
        for (int ph = 0; ph < 4; ph++) {
            const int kb = c.phase[ph].k_blocks;
            const size_t tile_bytes = (size_t)kb * bb;
            for (int pair = first_pair(c, ph, dealt); pair < c.phase[ph].pairs; pair += gridDim.x) {
                int local = pair, matrix = matrix_of(c, ph, local);
                const uint8_t *a = room.layers[l].blocks[matrix] +
                                   (ph == 2 ? local : 2 * (size_t)local) * tile_bytes;
                const uint8_t *b =
                    ph == 2 ? room.layers[l].blocks[5] + local * tile_bytes : a + tile_bytes;
                for (int k = 0; k < kb; k += STAGE_BLOCKS, count++) {
                    const uint32_t bytes = min((int)STAGE_BLOCKS, kb - k) * bb;
                    const int cap = *room.waiting ? c.low : c.high;
                    for (; landed <= count - cap; landed++) {
                        bar_wait(room.full + landed_at, landed_parity);
                        if (++landed_at == c.ring)
                            landed_at = 0, landed_parity ^= 1;
                    }
                    bar_wait(room.empty + at, parity);
                    if (lane == 0)
                        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _,[%0],%1;" ::"r"(
                                         shared_address(room.full + at)),
                                     "r"(2 * bytes)
                                     : "memory");
                    __syncwarp(3);
                    bulk_copy(ring + (size_t)at * stage_bytes + lane * STAGE_BLOCKS * bb,
                              (lane ? b : a) + (size_t)k * bb, bytes, room.full + at, policy);
                    if (++at == c.ring)
                        at = 0, parity ^= 1;
                }
            }
        }
}

/* ---- consumers ---- */

static __device__ __forceinline__ bool some_empty(float4 v)
{
    return is_empty(v.x) || is_empty(v.y) || is_empty(v.z) || is_empty(v.w);
}

static __device__ __forceinline__ void load_relaxed4(float4 &v, const float *p)
{
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

/* This warp's blocks of x, N at a time: waits for them, notes their squares, quantises them.  calm:
 * the wait will be long (for attention), so one lane polls first: the polls of all would crowd out
 * what they wait for. */
template <int GROUP, int TOKENS, int N>
static __device__ void take_x(const XShared &x, const float *src, int n_in, int k_blocks,
                              const float *norm, int tokens, bool calm, float ss[TOKENS])
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    if (calm && warp < k_blocks) {
        if (lane == 0)
            await(src + (size_t)warp * BLOCK_COLS);
        __syncwarp();
    }
#pragma unroll
    for (int t = 0; t < TOKENS; t++)
        ss[t] = 0;
    for (int first = warp; first < k_blocks; first += N * SUM_WARPS) {
        float4 weight[N];
        bool in[N];
#pragma unroll
        for (int j = 0; j < N; j++) {
            int b = first + j * SUM_WARPS, k = b * BLOCK_COLS + lane * 4;
            in[j] = b < k_blocks && k < n_in;
            weight[j] = norm && in[j] ? __ldg((const float4 *)(norm + k)) : make_float4(1, 1, 1, 1);
        }
#pragma unroll
        for (int t = 0; t < TOKENS; t++) {
            if (t >= tokens)
                break;
            const float *row = src + (size_t)t * n_in + lane * 4;
            float4 v[N];
#pragma unroll
            for (int j = 0; j < N; j++) {
                float e = in[j] ? __uint_as_float(EMPTY) : 0.f;
                v[j] = make_float4(e, e, e, e);
            }
            bool all;
            int tries = 0;
#pragma unroll 1
            do {
                all = true;
#pragma unroll
                for (int j = 0; j < N; j++)
                    if (some_empty(v[j]))
                        load_relaxed4(v[j], row + (size_t)(first + j * SUM_WARPS) * BLOCK_COLS);
#pragma unroll
                for (int j = 0; j < N; j++)
                    all = all && !some_empty(v[j]);
                if (++tries > MAX_POLLS)
                    __trap();
            } while (!__all_sync(~0u, all));
#pragma unroll
            for (int j = 0; j < N; j++) {
                ss[t] = add_squares(ss[t], v[j]);
                if (norm)
                    v[j] = times(v[j], weight[j]);
            }
            quantise_blocks<GROUP, N, SUM_WARPS>(x, first, k_blocks, t, tokens, lane, v);
        }
    }
}

/* Where the consumers are in the ring and among the slots. */
struct Place {
    int at;
    uint32_t parity, count[FINISHERS];
};

template <int GROUP, ZeroKind ZERO, int TOKENS>
static __device__ __forceinline__ void meet_pair(const PersistentCall &c, const Room &room,
                                                 const uint8_t *ring, const XShared &x,
                                                 int k_blocks, int tokens, int finisher, Place &p)
{
    typedef Weights<GROUP, ZERO> W;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, bb = c.block_bytes;
    const int token = TOKENS == 1 ? 0 : min(lane % 4, tokens - 1);
    float acc[2][2] = { { 0, 0 }, { 0, 0 } };
#pragma unroll 1
    for (int k0 = 0; k0 < k_blocks; k0 += SUM_WARPS) {
        const int stages = k_blocks - k0 > STAGE_BLOCKS ? 2 : 1, mine = warp / STAGE_BLOCKS,
                  k = k0 + warp;
        if (mine < stages) {
            int at = p.at + mine;
            uint32_t parity = p.parity;
            if (at >= c.ring)
                at -= c.ring, parity ^= 1;
            bar_wait(room.full + at, parity);
            if (k < k_blocks) {
                const uint8_t *block =
                    ring + ((size_t)at * 2 * STAGE_BLOCKS + warp % STAGE_BLOCKS) * bb;
                W cur[2];
                cur[0].load(block, lane);
                cur[1].load(block + STAGE_BLOCKS * bb, lane);
                uint32_t b[8];
#pragma unroll
                for (int i = 0; i < 8; i++)
                    b[i] = 0;
                if (lane < 8 * tokens) {
                    const uint4 *q = (const uint4 *)(x.q + (size_t)k * tokens * 256 + lane * 32);
                    uint4 u = q[0], v = q[1];
                    b[0] = u.x, b[1] = u.y, b[2] = u.z, b[3] = u.w, b[4] = v.x, b[5] = v.y,
                    b[6] = v.z, b[7] = v.w;
                }
                float sx = x.scale[k * tokens + token];
                const int2 *sums = x.sums + k * (BLOCK_COLS / GROUP) * tokens + token;
                block_dot<GROUP, ZERO>(acc[0], cur[0], b, sums, tokens, sx);
                block_dot<GROUP, ZERO>(acc[1], cur[1], b, sums, tokens, sx);
            }
            __syncwarp();
            if (lane == 0)
                bar_arrive(room.empty + at);
        }
        p.at += stages;
        if (p.at >= c.ring)
            p.at -= c.ring, p.parity ^= 1;
    }
    const uint32_t count = finisher ? p.count[1] : p.count[0];
    const int slot = slot_of(TOKENS, finisher, count);
    bar_wait(room.taken + slot, slot_parity(TOKENS, count) ^ 1);
    if (lane % 4 < TOKENS) {
        float *d = room.red + ((size_t)slot * SUM_WARPS + warp) * 32 * TOKENS + lane / 4 * TOKENS +
                   lane % 4;
        d[0] = acc[0][0], d[8 * TOKENS] = acc[0][1];
        d[16 * TOKENS] = acc[1][0], d[24 * TOKENS] = acc[1][1];
    }
    __syncwarp();
    if (lane == 0)
        bar_arrive(room.done + slot);
    p.count[0] += !finisher, p.count[1] += finisher;
}

/* This SM's attention tasks of a layer.  Slices above 0 first: slice 0 waits for them. */
static __device__ __forceinline__ void attend_all(const PersistentCall &c, const Room &room,
                                                  int layer, int tokens)
{
    const AttentionCall &a = c.attention;
    const int hd = a.head_dim, group = a.n_heads / a.n_kv_heads, columns = tokens * group;
    const int pos = room.run->pos,
              used = attention_used(c.slices, div_up(pos + tokens, ATTN_CHUNK)),
              tasks = a.n_kv_heads * used;
    if (blockIdx.x >= tasks)
        return;
    const size_t plane = (size_t)room.run->context * hd;
    for (int task = blockIdx.x + (tasks - 1 - blockIdx.x) / gridDim.x * gridDim.x; task >= 0;
         task -= gridDim.x) {
        AttentionTask t;
        t.head = task % a.n_kv_heads, t.slice = task / a.n_kv_heads, t.slices = c.slices;
        t.qkv = exchange_at(c, layer, c.exchange.qkv, tokens), t.stride = a.stride;
        t.q_norm = room.layers[layer].q_norm, t.k_norm = room.layers[layer].k_norm;
        t.K = room.run->kv + ((size_t)layer * 2 * a.n_kv_heads + t.head) * plane;
        t.V = t.K + a.n_kv_heads * plane;
        t.pos = pos, t.n = tokens;
        float *partial = exchange_at(c, layer, c.exchange.partial, tokens) +
                         (size_t)t.head * c.slices * columns * (hd + 2);
        task_sync(); /* the room of x is free */
        const float *run = hd == 64 ? attend<true, 64>(a, t, (float *)room.x)
                                    : attend<true, 128>(a, t, (float *)room.x);
        if (t.slice) {
            for (int i = threadIdx.x; i < columns * (hd + 2); i += CONSUMERS)
                publish(partial + (size_t)t.slice * columns * (hd + 2) + i, run[i]);
        } else {
            const int *place = room.layers[layer].place[1];
            float *out = exchange_at(c, layer, c.exchange.attn, tokens);
            for (int i = threadIdx.x; i < columns * hd; i += CONSUMERS) {
                int j = i / hd, d = i % hd, n = (t.head * group + j % group) * hd + d;
                int to = place ? __ldg(place + n) : n;
                float y = fold_slices<true>(run, partial, columns, used, hd, j, d);
                publish(out + (size_t)(j / group) * c.phase[1].n_in + to, y);
            }
        }
        task_sync();
    }
}

static __device__ __forceinline__ void prefetch(const void *p)
{
    asm volatile("prefetch.global.L2 [%0];" ::"l"(p));
}

/* What this SM's attention will read of the cache, and where its result goes, is asked for while q,
 * k and v are being made. */
static __device__ void prefetch_cache(const PersistentCall &c, const Room &room, int layer,
                                      int tokens)
{
    const AttentionCall &a = c.attention;
    const int hd = a.head_dim, pos = room.run->pos, chunks = div_up(pos + tokens, ATTN_CHUNK);
    const int tasks = a.n_kv_heads * attention_used(c.slices, chunks);
    const size_t plane = (size_t)room.run->context * hd;
    for (int task = blockIdx.x; task < tasks; task += gridDim.x) {
        const int head = task % a.n_kv_heads, slice = task / a.n_kv_heads;
        const __half *K = room.run->kv + ((size_t)layer * 2 * a.n_kv_heads + head) * plane,
                     *V = K + a.n_kv_heads * plane;
        /* a warp a chunk at a time: 64 positions of K and of V are contiguous */
        for (int i = threadIdx.x / 32; i < 2 * TILE_CHUNKS; i += SUM_WARPS) {
            const int chunk = slice_chunk(slice, c.slices, i / 2);
            const int bytes =
                min((int)ATTN_CHUNK, pos - chunk * ATTN_CHUNK) * hd * (int)sizeof(__half);
            const char *from = (const char *)((i & 1 ? V : K) + (size_t)chunk * ATTN_CHUNK * hd);
            for (int at = threadIdx.x % 32 * 128; at < bytes; at += 32 * 128)
                prefetch(from + at);
        }
        const int *place = room.layers[layer].place[1];
        const int group = a.n_heads / a.n_kv_heads;
        if (place && slice == 0)
            for (int i = threadIdx.x * 8; i < group * hd; i += CONSUMERS * 8)
                prefetch(place + head * group * hd + i);
    }
}

template <int GROUP, ZeroKind ZERO, int TOKENS>
static __device__ void consume(const PersistentCall &c, const Room &room, const uint8_t *ring,
                               int tokens)
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    Place p = { 0, 0, { 0, 0 } };
    int dealt = 0;
#pragma unroll 1
    for (int step = 0; step < 4 * c.n_layers; step++) {
        const int l = step / 4, ph = step % 4, kb = c.phase[ph].k_blocks, n_in = c.phase[ph].n_in;
        if (warp == 0 && lane == 0)
            *room.waiting = 1;
        if (ph == 1)
            attend_all(c, room, l, tokens);
        int pair = first_pair(c, ph, dealt);
        if (pair >= c.phase[ph].pairs)
            continue;
        const float *src = ph == 0 ? (l ? exchange_at(c, l - 1, c.exchange.x_attn, tokens) : c.x0)
                                   : exchange_at(c, l,
                                                 ph == 1   ? c.exchange.attn
                                                 : ph == 2 ? c.exchange.x_ffn
                                                           : c.exchange.h,
                                                 tokens);
        const float *norm = ph % 2 ? NULL : room.layers[l].norm[ph / 2];
        /* one layout for all phases: a fast warp writes its blocks while another one still reads
         * those of the phase before */
        XShared x = x_shared(room.x, c.most_blocks, GROUP, tokens);
        /* measured: one token of a short conversation is faster without */
        const bool calm = ph == 1 && (TOKENS > 1 || room.run->pos >= 1024);
        float ss[TOKENS];
        if (kb <= 2 * SUM_WARPS)
            take_x<GROUP, TOKENS, 2>(x, src, n_in, kb, norm, tokens, calm, ss);
        else
            take_x<GROUP, TOKENS, 6>(x, src, n_in, kb, norm, tokens, calm, ss);
        if (warp == 0 && lane == 0)
            *room.waiting = 0;
        if (norm)
#pragma unroll
            for (int t = 0; t < TOKENS; t++) {
                float s = warp_sum(ss[t]);
                if (lane == 0)
                    room.share[warp * TOKENS + t] = s;
            }
        __syncwarp();
        if (ph == 0)
            prefetch_cache(c, room, l, tokens);
        for (int ordinal = 0; pair < c.phase[ph].pairs; pair += gridDim.x, ordinal++)
            meet_pair<GROUP, ZERO, TOKENS>(c, room, ring, x, kb, tokens, ordinal % FINISHERS, p);
    }
}
#endif

template <int GROUP, ZeroKind ZERO, int TOKENS>
static __global__ void __launch_bounds__(THREADS, 1)
    k_persistent(const __grid_constant__ PersistentCall c, int tokens)
{
#if __CUDA_ARCH__ >= 900
    extern __shared__ __align__(128) uint8_t ring[];
    const int held_pairs = div_up(c.phase[1].pairs, gridDim.x), warp = threadIdx.x / 32,
              lane = threadIdx.x % 32;
    const Room room = room_of(ring, c, TOKENS, held_pairs);
    if (threadIdx.x == 0) {
        for (int i = 0; i < c.ring; i++) {
            bar_init(room.full + i, 1);
            bar_init(room.empty + i, STAGE_BLOCKS);
        }
        for (int i = 0; i < MAX_SLOTS; i++) {
            bar_init(room.done + i, SUM_WARPS);
            bar_init(room.taken + i, 1);
        }
        *room.waiting = 0;
        *room.run = *c.run;
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    for (int i = threadIdx.x; i < c.n_layers * (int)(sizeof(PersistentLayer) / 8); i += THREADS)
        ((uint64_t *)room.layers)[i] = ((const uint64_t *)c.layers)[i];
    __syncthreads();
    if (TOKENS == 1)
        tokens = 1;
    if (warp < SUM_WARPS)
        consume<GROUP, ZERO, TOKENS>(c, room, ring, tokens);
    else if (warp < SUM_WARPS + FINISHERS)
        finish<TOKENS>(c, room, warp - SUM_WARPS, tokens);
    else if (lane < 2)
        produce(c, room, ring, lane);
#endif
}

static __global__ void __launch_bounds__(256)
    k_begin(const __grid_constant__ PersistentCall c, const __grid_constant__ DevLinear embedding,
            int tokens)
{
    const size_t n = (size_t)c.exchange.layer_floats * tokens * c.n_layers / 4;
    for (size_t i = blockIdx.x * 256 + threadIdx.x; i < n; i += (size_t)gridDim.x * 256)
        ((uint4 *)c.exchange.base)[i] = make_uint4(EMPTY, EMPTY, EMPTY, EMPTY);
    const int hidden = c.phase[0].n_in, *place = c.layers[0].place[0];
    for (int i = blockIdx.x * 256 + threadIdx.x; i < tokens * hidden; i += gridDim.x * 256) {
        int t = i / hidden, k = i % hidden;
        float v = embedding_value(embedding, c.run->ids[t], k);
        c.x[i] = v;
        c.x0[t * hidden + (place ? place[k] : k)] = v;
    }
}

typedef void (*PersistentKernel)(const PersistentCall, int);

static PersistentKernel kernel_of(const PersistentCall *c, int tokens)
{
#define ROW(g, t)                                                                                  \
    {                                                                                              \
        k_persistent<g, ZERO_EIGHT, t>, k_persistent<g, ZERO_BYTE, t>,                             \
            k_persistent<g, ZERO_MIN, t>                                                           \
    }
    static PersistentKernel const table[2][3][3] = { { ROW(32, 1), ROW(64, 1), ROW(128, 1) },
                                                     { ROW(32, 4), ROW(64, 4), ROW(128, 4) } };
#undef ROW
    return table[tokens > 1][c->group / 64][c->zero];
}

size_t persistent_plan(PersistentCall *call, int tokens, int n_sms, int shared_limit)
{
    const int room_for = tokens > 1 ? DECODE_TOKENS : 1,
              stage = 2 * STAGE_BLOCKS * call->block_bytes;
    const AttentionCall *a = &call->attention;
    size_t x = task_floats(tokens * (a->n_heads / a->n_kv_heads), a->head_dim) * sizeof(float);
    call->most_blocks = 0;
    for (int ph = 0; ph < 4; ph++)
        call->most_blocks = call->phase[ph].k_blocks > call->most_blocks ? call->phase[ph].k_blocks
                                                                         : call->most_blocks;
    size_t of_x = x_shared_bytes(call->most_blocks, call->group, tokens);
    x = of_x > x ? of_x : x;
    call->x_bytes = (int)((x + 127) / 128 * 128);
    size_t fixed =
        call->x_bytes + room_bytes(room_for, div_up(call->phase[1].pairs, n_sms), call->n_layers);
    if (fixed + 4 * stage > (size_t)shared_limit)
        return 0;
    int ring = (int)((shared_limit - fixed) / stage);
    call->ring = ring < MAX_RING ? ring : MAX_RING;
    call->low = 2;
    call->high = call->ring - 1 < 5 ? call->ring - 1 : 5;
    return fixed + (size_t)call->ring * stage;
}

bool persistent_possible(const PersistentCall *call, int device, int tokens, size_t shared,
                         int shared_limit)
{
    const void *kernel = (const void *)kernel_of(call, tokens);
    int cooperative = 0, blocks = 0;
    return cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, device) ==
               cudaSuccess &&
           cooperative &&
           cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                shared_limit) == cudaSuccess &&
           prefer_shared(kernel) == cudaSuccess &&
           cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, THREADS, shared) ==
               cudaSuccess &&
           blocks >= 1;
}

cudaError_t persistent_begin(const PersistentCall *call, const DevLinear *embedding, int tokens,
                             cudaStream_t stream)
{
    k_begin<<<512, 256, 0, stream>>>(*call, *embedding, tokens);
    return cudaGetLastError();
}

cudaError_t persistent_launch(const PersistentCall *call, int tokens, int n_sms, size_t shared,
                              cudaStream_t stream)
{
    PersistentCall copy = *call;
    void *args[] = { &copy, &tokens };
    return cudaLaunchCooperativeKernel((const void *)kernel_of(call, tokens), dim3(n_sms),
                                       dim3(THREADS), args, shared, stream);
}
