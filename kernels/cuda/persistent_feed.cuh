/* The producers of the persistent kernel: a lane for each tile of a pair, which fills the ring with
 * weights and with the cached K and V of this SM's attention tasks, in the order of their use. */
#ifndef KERNELS_CUDA_PERSISTENT_FEED_CUH
#define KERNELS_CUDA_PERSISTENT_FEED_CUH

#include "kernels/cuda/persistent_room.cuh"

#if __CUDA_ARCH__ >= 900 || !defined(__CUDA_ARCH__)

static __device__ __forceinline__ void bulk_copy(void *to, const void *from, uint32_t bytes,
                                                 uint64_t *bar, uint64_t policy)
{
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
                 "[%0],[%1],%2,[%3],%4;" ::"r"(shared_address(to)),
                 "l"(from), "r"(bytes), "r"(shared_address(bar)), "l"(policy)
                 : "memory");
}

/* Where a producer is in the ring. */
struct Feed {
    int at, count, landed, landed_at;
    uint32_t parity, landed_parity;
    uint64_t policy;
};

/* Its part of the next stage: `bytes` from `from`, to `offset` of the stage. */
template <int TOKENS>
static __device__ __forceinline__ void feed_stage(const PersistentCall &c, Feed &f, int offset,
                                                  const void *from, uint32_t bytes)
{
    Room<TOKENS> &room = room_of<TOKENS>();
    const int cap = room.waiting ? c.low : c.high;
#pragma unroll 1
    for (; f.landed <= f.count - cap; f.landed++) {
        bar_wait(room.full + f.landed_at, f.landed_parity);
        if (++f.landed_at == c.ring)
            f.landed_at = 0, f.landed_parity ^= 1;
    }
    bar_wait(room.empty + f.at, f.parity);
    if (bytes) {
        bar_expect(room.full + f.at, bytes);
        bulk_copy(shared_at(c.ring_at) + (size_t)f.at * 2 * STAGE_BLOCKS * c.block_bytes + offset,
                  from, bytes, room.full + f.at, f.policy);
    } else {
        bar_arrive(room.full + f.at);
    }
    f.count++;
    if (++f.at == c.ring)
        f.at = 0, f.parity ^= 1;
}

/* The cached rows of K and V that this SM's attention tasks read: a stage a chunk, each producer
 * half of it, in the order of attend_chunks. */
template <int TOKENS>
static __device__ __forceinline__ void feed_cache(const PersistentCall &c, Feed &f, int layer,
                                                  int tokens, int me)
{
    const RunState &run = room_of<TOKENS>().run;
    const AttentionCall &a = c.attention;
    const int pos = run.pos, chunks = div_up(pos + tokens, ATTN_CHUNK),
              passes = attention_passes(a, tokens), row = a.head_dim * (int)sizeof(__half);
    const size_t plane = (size_t)run.context * a.head_dim;
#pragma unroll 1
    for (int task = last_task(a, c.slices, chunks); task >= 0; task -= gridDim.x) {
        const int head = task % a.n_kv_heads, slice = task / a.n_kv_heads,
                  mine = slice_chunks(slice, c.slices, chunks);
        const __half *K = run.kv + ((size_t)layer * 2 * a.n_kv_heads + head) * plane,
                     *V = K + a.n_kv_heads * plane;
#pragma unroll 1
        for (int i = 0; i < passes * 2 * ((mine + 1) / 2 * 2); i++) {
            /* i counts: pass, pair of chunks, K or V, chunk of the pair */
            const int j = i % (2 * ((mine + 1) / 2 * 2)), which = j / 4 * 2 + j % 2;
            if (which >= mine)
                continue;
            const int chunk = slice_chunk(slice, c.slices, which);
            const int rows = max(0, min((int)ATTN_CHUNK, pos - chunk * ATTN_CHUNK)),
                      from = me ? rows / 2 : 0, n = me ? rows - rows / 2 : rows / 2;
            feed_stage<TOKENS>(
                c, f, from * row,
                (const char *)((j & 2 ? V : K) + (size_t)chunk * ATTN_CHUNK * a.head_dim) +
                    from * row,
                n * row);
        }
    }
}

/* One lane for each tile of a pair. */
template <int TOKENS> static __device__ void produce(const PersistentCall &c, int tokens, int me)
{
    Feed f = { 0, 0, 0, 0, 1, 0, 0 };
    /* weights are read once: nothing else is to make room for them */
    asm volatile("createpolicy.fractional.L2::evict_first.b64 %0;" : "=l"(f.policy));
    const int bb = c.block_bytes;
    int dealt = 0;
#pragma unroll 1
    for (int step = 0; step < 4 * c.n_layers; step++) {
        const int l = step / 4, ph = step % 4, kb = c.phase[ph].k_blocks;
        const size_t tile_bytes = (size_t)kb * bb;
        if (ph == 1)
            feed_cache<TOKENS>(c, f, l, tokens, me);
#pragma unroll 1
        for (int pair = first_pair(c, ph, dealt); pair < c.phase[ph].pairs; pair += gridDim.x) {
            int local = pair, matrix = matrix_of(c, ph, local);
            const uint8_t *tile = layer_of<TOKENS>(c, l).blocks[ph == 2 ? matrix + me : matrix] +
                                  (ph == 2 ? local : 2 * (size_t)local + me) * tile_bytes;
#pragma unroll 1
            for (int k = 0; k < kb; k += STAGE_BLOCKS)
                feed_stage<TOKENS>(c, f, me * STAGE_BLOCKS * bb, tile + (size_t)k * bb,
                                   min((int)STAGE_BLOCKS, kb - k) * bb);
        }
    }
}

#endif

#endif
