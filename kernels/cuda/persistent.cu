/* All layers in one kernel that never drains the memory: one block an SM with three roles.
 *
 *   producers (2 lanes)  stream the SM's weights and the cached K and V of its attention tasks into
 *                        a ring of shared memory with bulk copies, in the order of their use and
 *                        without regard to what the others do; bytes in flight are capped, since a
 *                        long queue would delay the exchanges.
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
#include "kernels/cuda/persistent_feed.cuh"
#include "kernels/cuda/persistent_finish.cuh"
#include "kernels/cuda/persistent_take.cuh"
#include "kernels/cuda/persistent_room.cuh"

#if __CUDA_ARCH__ >= 900 || !defined(__CUDA_ARCH__)

/* What the loops over weights need of the call (which they find in shared memory: each use would
 * read it again). */
struct Ring {
    int stages, block_bytes, own_block; /* the last: where this warp's block lies in a stage */
    const uint8_t *base;
};

static __device__ __forceinline__ Ring ring_of(const PersistentCall &c)
{
    const int warp = threadIdx.x / 32;
    return { c.ring, c.block_bytes, warp % STAGE_BLOCKS * c.block_bytes, shared_at(c.ring_at) };
}

/* threadIdx.x, read anew: the compiler does not keep it, or places made of it, through a call. */
static __device__ __forceinline__ int thread_now(void)
{
    int t;
    asm volatile("mov.u32 %0,%%tid.x;" : "=r"(t));
    return t;
}

template <int TOKENS> static __device__ __forceinline__ Walk &walk_of(void)
{
    return room_of<TOKENS>().walk[thread_now() / 32];
}

template <int TOKENS> static __device__ __forceinline__ Place &place_of(void)
{
    return walk_of<TOKENS>().place;
}

/* Stages of blocks k0 .. k0 + 15. */
static __device__ __forceinline__ int stages_from(int k0, int k_blocks)
{
    return k_blocks - k0 > STAGE_BLOCKS ? 2 : k_blocks > k0 ? 1 : 0;
}

/* Blocks k0 .. k0 + 15 of a pair, one a warp (there: it has one); f: fragments of x of its block.
 * Stages of the ring take eight blocks each of two tiles. */
template <int GROUP, ZeroKind ZERO, int TOKENS>
static __device__ __forceinline__ void meet_round(const Ring &ring, const Fragments<GROUP> &f,
                                                  bool there, int stages, Place &p, float acc[2][2])
{
    Room<TOKENS> &room = room_of<TOKENS>();
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, mine = warp / STAGE_BLOCKS;
    if (mine < stages) {
        int at = p.at + mine;
        uint32_t parity = p.parity;
        if (at >= ring.stages)
            at -= ring.stages, parity ^= 1;
        bar_wait(room.full + at, parity);
        if (there) {
            const uint8_t *block =
                ring.base + at * 2 * STAGE_BLOCKS * ring.block_bytes + ring.own_block;
            Weights<GROUP, ZERO> cur[2];
            cur[0].load(block, lane);
            cur[1].load(block + STAGE_BLOCKS * ring.block_bytes, lane);
            block_dot<GROUP, ZERO>(acc[0], cur[0], f.b, f.sums, f.scale);
            block_dot<GROUP, ZERO>(acc[1], cur[1], f.b, f.sums, f.scale);
        }
        __syncwarp();
        if (lane == 0)
            bar_arrive(room.empty + at);
    }
    p.at += stages;
    if (p.at >= ring.stages)
        p.at -= ring.stages, p.parity ^= 1;
}

/* A pair's sums of this warp, for the finisher. */
template <int TOKENS>
static __device__ __forceinline__ void give_sums(const float acc[2][2], int finisher, Place &p)
{
    Room<TOKENS> &room = room_of<TOKENS>();
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
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

/* All pairs of a phase of at most 32 blocks a row: the fragments stay in registers. */
template <int GROUP, ZeroKind ZERO, int TOKENS>
static __device__ __noinline__ void meet_short(int pair, int phase, int tokens)
{
    Place p = place_of<TOKENS>();
    const PersistentCall &c = room_of<TOKENS>().call;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int token = TOKENS == 1 ? 0 : min(lane % 4, tokens - 1);
    const int pairs = c.phase[phase].pairs, k_blocks = c.phase[phase].k_blocks;
    const int first = stages_from(0, k_blocks), second = stages_from(SUM_WARPS, k_blocks);
    const XShared x = x_shared(shared_at(c.x_at), c.x_blocks, GROUP, tokens);
    const Ring ring = ring_of(c);
    Fragments<GROUP> f, g;
    f.load(x, warp, warp < k_blocks ? tokens : 0, tokens, token, lane);
    g.load(x, SUM_WARPS + warp, SUM_WARPS + warp < k_blocks ? tokens : 0, tokens, token, lane);
#pragma unroll 1
    for (int ordinal = 0; pair < pairs; pair += gridDim.x, ordinal++) {
        float acc[2][2] = { { 0, 0 }, { 0, 0 } };
        meet_round<GROUP, ZERO, TOKENS>(ring, f, warp < k_blocks, first, p, acc);
        meet_round<GROUP, ZERO, TOKENS>(ring, g, SUM_WARPS + warp < k_blocks, second, p, acc);
        give_sums<TOKENS>(acc, ordinal % FINISHERS, p);
    }
    place_of<TOKENS>() = p;
}

template <int GROUP, ZeroKind ZERO, int TOKENS>
static __device__ __noinline__ void meet_long(int pair, int phase, int tokens)
{
    Place p = place_of<TOKENS>();
    const PersistentCall &c = room_of<TOKENS>().call;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int token = TOKENS == 1 ? 0 : min(lane % 4, tokens - 1);
    const int pairs = c.phase[phase].pairs, k_blocks = c.phase[phase].k_blocks;
    const XShared x = x_shared(shared_at(c.x_at), c.x_blocks, GROUP, tokens);
    const Ring ring = ring_of(c);
#pragma unroll 1
    for (int ordinal = 0; pair < pairs; pair += gridDim.x, ordinal++) {
        float acc[2][2] = { { 0, 0 }, { 0, 0 } };
#pragma unroll 1
        for (int k0 = 0; k0 < k_blocks; k0 += SUM_WARPS) {
            const int k = k0 + warp;
            Fragments<GROUP> f;
            f.load(x, k, k < k_blocks ? tokens : 0, tokens, token, lane);
            meet_round<GROUP, ZERO, TOKENS>(ring, f, k < k_blocks, stages_from(k0, k_blocks), p,
                                            acc);
        }
        give_sums<TOKENS>(acc, ordinal % FINISHERS, p);
    }
    place_of<TOKENS>() = p;
}

/* Takes and meets x of a phase of one pair an SM in windows: several tokens of the
 * longest phase would take the ring's place. */
template <int GROUP, ZeroKind ZERO, int TOKENS>
static __device__ __noinline__ void meet_windows(const float *src, int phase, int tokens, bool calm)
{
    Room<TOKENS> &room = room_of<TOKENS>();
    const PersistentCall &c = room.call;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, token = min(lane % 4, tokens - 1);
    const int k_blocks = c.phase[phase].k_blocks, n_in = c.phase[phase].n_in;
    const XShared x = x_shared(shared_at(c.x_at), c.x_blocks, GROUP, tokens);
    const Ring ring = ring_of(c);
    Place p = place_of<TOKENS>();
    float acc[2][2] = { { 0, 0 }, { 0, 0 } };
#pragma unroll 1
    for (int k0 = 0; k0 < k_blocks; k0 += WINDOW) {
        const int n = min((int)WINDOW, k_blocks - k0), from = k0 * BLOCK_COLS;
        take_x<GROUP, TOKENS, 2, false>(src + from, n_in, n_in - from, n, NULL, tokens, calm,
                                        false);
        if (threadIdx.x == 0)
            room.waiting = 0;
        calm = false;
#pragma unroll 1
        for (int k = warp; k < WINDOW; k += SUM_WARPS) {
            Fragments<GROUP> f;
            f.load(x, k, k < n ? tokens : 0, tokens, token, lane);
            meet_round<GROUP, ZERO, TOKENS>(ring, f, k < n, stages_from(k - warp, n), p, acc);
        }
        __syncwarp(); /* all lanes have read what the next window covers */
    }
    give_sums<TOKENS>(acc, 0, p);
    place_of<TOKENS>() = p;
}

/* K and V out of the ring: even chunks of a slice go to the first half of the warps, odd ones to
 * the second. */
template <int TOKENS> struct RingRows {
    const PersistentCall &c;
    int at;
    uint32_t parity;
    int mine; /* chunks left of this pass */

    __device__ __forceinline__ int stage(int kind, uint32_t &of) const
    {
        int s = at + kind * min(2, mine) + threadIdx.x / 32 / HALF_WARPS;
        of = parity;
        if (s >= c.ring)
            s -= c.ring, of ^= 1;
        return s;
    }
    __device__ __forceinline__ void begin(int chunks)
    {
        note_clock<TOKENS>(CLOCK_HEADS);
        mine = chunks;
    }
    __device__ __forceinline__ const __half *take(int kind, int)
    {
        uint32_t of;
        const int s = stage(kind, of);
        bar_wait(room_of<TOKENS>().full + s, of);
        return (const __half *)(shared_at(c.ring_at) +
                                (size_t)s * 2 * STAGE_BLOCKS * c.block_bytes);
    }
    __device__ __forceinline__ void done(int kind) const
    {
        uint32_t of;
        const int s = stage(kind, of);
        __syncwarp();
        if (threadIdx.x % 32 == 0)
            bar_arrive(room_of<TOKENS>().empty + s);
    }
    __device__ __forceinline__ void next(int chunks)
    {
        at += 2 * chunks, mine -= chunks;
        if (at >= c.ring)
            at -= c.ring, parity ^= 1;
    }
};

/* This SM's attention tasks of a layer.  Slices above 0 first: slice 0 waits for them.  Not
 * inlined: it would take the registers of the loops over weights. */
template <int HD, int COLUMNS, int ROOM_TOKENS>
static __device__ __noinline__ void attend_all(int layer, int tokens)
{
    const Room<ROOM_TOKENS> &room = room_of<ROOM_TOKENS>();
    const PersistentCall &c = room.call;
    const AttentionCall &a = c.attention;
    RingRows<ROOM_TOKENS> rows = { c, place_of<ROOM_TOKENS>().at, place_of<ROOM_TOKENS>().parity,
                                   0 };
    const int group = a.n_heads / a.n_kv_heads, columns = tokens * group;
    const int pos = room.run.pos, chunks = div_up(pos + tokens, ATTN_CHUNK),
              used = attention_used(c.slices, chunks);
    const size_t plane = (size_t)room.run.context * HD;
#pragma unroll 1
    for (int task = last_task(a, c.slices, chunks); task >= 0; task -= gridDim.x) {
        AttentionTask t;
        t.head = task % a.n_kv_heads, t.slice = task / a.n_kv_heads, t.slices = c.slices;
        t.qkv = exchange_at(c, layer, c.exchange.qkv, tokens), t.stride = a.stride;
        t.q_norm = layer_of<ROOM_TOKENS>(c, layer).q_norm,
        t.k_norm = layer_of<ROOM_TOKENS>(c, layer).k_norm;
        t.K = room.run.kv + ((size_t)layer * 2 * a.n_kv_heads + t.head) * plane;
        t.V = t.K + a.n_kv_heads * plane;
        t.pos = pos, t.n = tokens;
        float *partial = exchange_at(c, layer, c.exchange.partial, tokens) +
                         (size_t)t.head * c.slices * columns * (HD + 2);
        const int *order = c.line_at ? NULL : layer_of<ROOM_TOKENS>(c, layer).place[1];
        float *out = exchange_at(c, layer, c.exchange.attn, tokens);
        task_sync(); /* the room of x is free */
        attend<true, HD, COLUMNS>(
            a, t, (float *)shared_at(c.x_at), rows, [&](int j, int d, float m, float l, float y) {
                if (t.slice) {
                    float *to = partial + ((size_t)t.slice * columns + j) * (HD + 2);
                    if (d == 0)
                        publish(to, m), publish(to + 1, l);
                    publish(to + 2 + d, y);
                    return;
                }
                const int n = (t.head * group + j % group) * HD + d,
                          to = order ? __ldg(order + n) : n;
                publish(out + (size_t)(j / group) * c.phase[1].n_in + to,
                        fold_slices<true>(m, l, y, partial, columns, 1, used, HD, j, d));
            });
        task_sync();
        note_clock<ROOM_TOKENS>(CLOCK_ATTEND);
    }
    Place &place = place_of<ROOM_TOKENS>();
    place.at = rows.at, place.parity = rows.parity;
}

/* x of a phase by the variant that suits its length.  All phases share one layout of x: a fast warp
 * writes its blocks while another one still reads those of the phase before. */
template <int GROUP, int TOKENS>
static __device__ __forceinline__ void take_phase(const PersistentCall &c, const float *src,
                                                  int n_in, int kb, const float *norm,
                                                  const int *order, int tokens, bool calm)
{
    const bool is_short = kb <= 2 * SUM_WARPS;
    if (order) {
        if (is_short)
            take_ordered_x<GROUP, 2>(src, n_in, kb, norm, order);
        else
            take_ordered_x<GROUP, LINE_BLOCKS / SUM_WARPS>(src, n_in, kb, norm, order);
        return;
    }
    const bool sync = TOKENS == 1 && c.line_at;
    if (is_short && norm)
        take_x<GROUP, TOKENS, 2, true>(src, n_in, n_in, kb, norm, tokens, calm, sync);
    else if (is_short)
        take_x<GROUP, TOKENS, 2, false>(src, n_in, n_in, kb, norm, tokens, calm, sync);
    else if (norm)
        take_x<GROUP, TOKENS, TOKENS == 1 ? 3 : 2, true>(src, n_in, n_in, kb, norm, tokens, calm,
                                                         sync);
    else
        take_x<GROUP, TOKENS, TOKENS == 1 ? 6 : 3, false>(src, n_in, n_in, kb, norm, tokens, calm,
                                                          sync);
}

/* Attention of a layer, where this SM has tasks. */
template <int TOKENS> static __device__ __forceinline__ void attend_layer(int layer, int tokens)
{
    const Room<TOKENS> &room = room_of<TOKENS>();
    const AttentionCall &a = room.call.attention;
    if (last_task(a, room.call.slices, div_up(room.run.pos + tokens, ATTN_CHUNK)) < 0)
        return;
    const bool small = a.head_dim == 64;
    if (TOKENS == 1 && a.n_heads == a.n_kv_heads) {
        if (small)
            attend_all<64, 1, TOKENS>(layer, tokens);
        else
            attend_all<128, 1, TOKENS>(layer, tokens);
    } else if (small)
        attend_all<64, FOLD, TOKENS>(layer, tokens);
    else
        attend_all<128, FOLD, TOKENS>(layer, tokens);
}

/* Where a phase's x is published. */
template <int TOKENS>
static __device__ __forceinline__ const float *source_of(int layer, int phase, int tokens)
{
    const PersistentCall &c = room_of<TOKENS>().call;
    if (phase == 0)
        return layer ? exchange_at(c, layer - 1, c.exchange.x_attn, tokens) : c.x0;
    return exchange_at(c, layer,
                       phase == 1   ? c.exchange.attn
                       : phase == 2 ? c.exchange.x_ffn
                                    : c.exchange.h,
                       tokens);
}

/* x of the phase, then its weights. */
template <int GROUP, ZeroKind ZERO, int TOKENS>
static __device__ __forceinline__ void meet_phase(int layer, int ph, int tokens)
{
    Room<TOKENS> &room = room_of<TOKENS>();
    const PersistentCall &c = room.call;
    const float *src = source_of<TOKENS>(layer, ph, tokens);
    /* measured: one token of a short conversation is faster without */
    const bool calm = ph == 1 && (TOKENS > 1 || room.run.pos >= 1024);
    if (TOKENS > 1 && in_windows(c, ph, tokens, gridDim.x)) {
        meet_windows<GROUP, ZERO, TOKENS>(src, ph, tokens, calm);
        return;
    }
    const PersistentLayer &l = layer_of<TOKENS>(c, layer);
    take_phase<GROUP, TOKENS>(c, src, c.phase[ph].n_in, c.phase[ph].k_blocks,
                              ph % 2 ? (const float *)NULL : l.norm[ph / 2],
                              TOKENS == 1 && c.line_at ? l.value[ph] : (const int *)NULL, tokens,
                              calm);
    const Walk &walk = walk_of<TOKENS>();
    const int phase = (walk.step - 1) % 4;
    note_clock<TOKENS>(CLOCK_TAKE + phase);
    if (thread_now() == 0)
        room.waiting = 0;
    if (c.phase[phase].k_blocks <= 2 * SUM_WARPS)
        meet_short<GROUP, ZERO, TOKENS>(walk.pair, phase, TOKENS == 1 ? 1 : room.tokens);
    else
        meet_long<GROUP, ZERO, TOKENS>(walk.pair, phase, TOKENS == 1 ? 1 : room.tokens);
    note_clock<TOKENS>(CLOCK_MEET + (walk_of<TOKENS>().step - 1) % 4);
}

template <int GROUP, ZeroKind ZERO, int TOKENS> static __device__ void consume(void)
{
    Room<TOKENS> &room = room_of<TOKENS>();
    const PersistentCall &c = room.call;
    place_of<TOKENS>() = {};
    walk_of<TOKENS>().step = walk_of<TOKENS>().dealt = 0;
    __syncwarp();
#pragma unroll 1
    for (;;) {
        int step = walk_of<TOKENS>().step;
        if (step >= 4 * c.n_layers)
            return;
        if (thread_now() == 0)
            room.waiting = 1;
        if (step % 4 == 1)
            attend_layer<TOKENS>(step / 4, TOKENS == 1 ? 1 : room.tokens);
        Walk &walk = walk_of<TOKENS>();
        step = walk.step;
        int dealt = walk.dealt;
        const int pair = first_pair(c, step % 4, dealt);
        __syncwarp(); /* all lanes have read what is written now, the same by all */
        walk.step = step + 1, walk.dealt = dealt, walk.pair = pair;
        if (pair < c.phase[step % 4].pairs)
            meet_phase<GROUP, ZERO, TOKENS>(step / 4, step % 4, TOKENS == 1 ? 1 : room.tokens);
    }
}
#endif

template <int GROUP, ZeroKind ZERO, int TOKENS>
static __global__ void __launch_bounds__(THREADS, 1)
    k_persistent(const __grid_constant__ PersistentCall c, int tokens)
{
#if __CUDA_ARCH__ >= 900
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    Room<TOKENS> &room = room_of<TOKENS>();
    if (threadIdx.x == 0) {
#pragma unroll 1
        for (int i = 0; i < c.ring; i++) {
            bar_init(room.full + i, PRODUCERS);
            bar_init(room.empty + i, STAGE_BLOCKS);
        }
#pragma unroll 1
        for (int i = 0; i < MAX_SLOTS; i++) {
            bar_init(room.done + i, SUM_WARPS);
            bar_init(room.taken + i, 1);
        }
        room.waiting = 0;
        room.tokens = tokens;
        room.stamp = clock();
        room.run = *c.run;
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    static_assert(sizeof(PersistentCall) % 8 == 0 && sizeof(PersistentLayer) % 8 == 0, "words");
    for (int i = threadIdx.x; i < (int)sizeof(PersistentCall) / 8; i += THREADS)
        ((uint64_t *)&room.call)[i] = ((const uint64_t *)&c)[i];
    for (int i = threadIdx.x; i < c.n_layers * (int)(sizeof(PersistentLayer) / 8); i += THREADS)
        ((uint64_t *)&layer_of<TOKENS>(c, 0))[i] = ((const uint64_t *)c.layers)[i];
    __syncthreads();
    if (TOKENS == 1)
        tokens = 1;
    if (warp < SUM_WARPS)
        consume<GROUP, ZERO, TOKENS>();
    else if (warp < SUM_WARPS + FINISHERS)
        finish<TOKENS>(c, warp - SUM_WARPS, tokens);
    else if (lane == 0)
        produce<TOKENS>(c, tokens, warp - SUM_WARPS - FINISHERS);
#endif
}

static __global__ void __launch_bounds__(256)
    k_begin(const __grid_constant__ PersistentCall c, const __grid_constant__ DevLinear embedding,
            int tokens)
{
    const size_t n = (size_t)c.exchange.layer_floats * tokens * c.n_layers / 4;
    for (size_t i = blockIdx.x * 256 + threadIdx.x; i < n; i += (size_t)gridDim.x * 256)
        ((uint4 *)c.exchange.base)[i] = make_uint4(EMPTY, EMPTY, EMPTY, EMPTY);
    const int hidden = c.phase[0].n_in, *place = c.line_at ? NULL : c.layers[0].place[0];
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

/* Shared memory up to the ring where x has room for `blocks` blocks; 0: no room for a ring. */
static size_t place_ring(PersistentCall *c, int blocks, int tokens, int n_sms, int shared_limit)
{
    const AttentionCall *a = &c->attention;
    const int room_for = tokens > 1 ? DECODE_TOKENS : 1, stage = 2 * STAGE_BLOCKS * c->block_bytes;
    const size_t x = x_shared_bytes(blocks, c->group, tokens),
                 task = sizeof(float) *
                        task_floats(tokens * (a->n_heads / a->n_kv_heads), tokens, a->head_dim);
    c->x_blocks = blocks;
    c->x_at = (int)room_bytes(room_for, div_up(c->phase[1].pairs, n_sms), c->n_layers);
    c->ring_at = c->x_at + (int)(((x > task ? x : task) + 127) / 128 * 128);
    return c->ring_at + 4 * stage <= shared_limit ? (size_t)c->ring_at : 0;
}

size_t persistent_plan(PersistentCall *call, int tokens, int n_sms, int shared_limit)
{
    const int stage = 2 * STAGE_BLOCKS * call->block_bytes;
    int most = 0;
    size_t fixed = 0;
    for (int ph = 0; ph < 4; ph++) {
        int blocks = in_windows(*call, ph, tokens, n_sms) ? (int)WINDOW : call->phase[ph].k_blocks;
        most = blocks > most ? blocks : most;
    }
    /* one token is brought into act-order by those who read it; several by those who made them */
    if (tokens == 1 && call->line_floats && call->line_blocks <= LINE_BLOCKS) {
        int end = call->line_blocks + div_up(call->line_floats * (int)sizeof(float), X_BLOCK_BYTES);
        fixed = place_ring(call, end > most ? end : most, tokens, n_sms, shared_limit);
        call->line_at = fixed ? call->x_at + call->line_blocks * X_BLOCK_BYTES : 0;
    }
    if (!fixed)
        fixed = place_ring(call, most, tokens, n_sms, shared_limit);
    if (!fixed)
        return 0;
    int ring = (int)((shared_limit - fixed) / stage);
    call->ring = ring < MAX_RING ? ring : MAX_RING;
    call->low =
        2; /* measured, as is the other one: fewer starve the stream, more delay the polls */
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
