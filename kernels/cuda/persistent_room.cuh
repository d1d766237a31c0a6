/* The shared memory of the persistent kernel, its barriers, and how work is dealt to SMs. */
#ifndef KERNELS_CUDA_PERSISTENT_ROOM_CUH
#define KERNELS_CUDA_PERSISTENT_ROOM_CUH

#include "kernels/cuda/attention_task.cuh"
#include "kernels/cuda/persistent.cuh"
#include "kernels/cuda/phases.cuh"

enum {
    FINISHERS = 2,
    CONSUMERS = SUM_WARPS * 32,
    THREADS = (SUM_WARPS + FINISHERS + 1) * 32,
    STAGE_BLOCKS = 8, /* of each of two tiles: a stage of the ring */
    MAX_RING = 16,
    MAX_SLOTS = 4
};

/* Finished pairs that may wait for the finishers.  Each finisher has slots of its own: a barrier's
 * parity tells only its last two uses apart, so whoever waits on it must wait for every one. */
static __host__ __device__ constexpr int slots_of(int tokens)
{
    return tokens > 1 ? 2 : 4;
}

static __device__ __forceinline__ int slot_of(int tokens, int finisher, uint32_t count)
{
    return finisher * (slots_of(tokens) / FINISHERS) + count % (slots_of(tokens) / FINISHERS);
}

static __device__ __forceinline__ uint32_t slot_parity(int tokens, uint32_t count)
{
    return count / (slots_of(tokens) / FINISHERS) & 1;
}

static_assert((int)CONSUMERS == (int)ATTN_THREADS, "attention runs on the consumers");

/* Shared memory behind the ring. */
struct Room {
    uint8_t *x;
    float *red;   /* [slots][16 sums][32 rows][tokens] */
    float *share; /* [16][tokens]: sums of squares */
    float *held;  /* [pairs of o here][32][tokens]: the residual stream of this SM's rows */
    PersistentLayer *layers;
    uint64_t *full, *empty, *done, *taken;
    volatile int *waiting;
    RunState *run; /* a copy */
};

static __host__ __device__ inline size_t room_floats(int tokens, int held_pairs)
{
    return (size_t)tokens * (slots_of(tokens) * SUM_WARPS * 32 + SUM_WARPS + held_pairs * 32);
}

static __host__ __device__ inline size_t room_bytes(int tokens, int held_pairs, int n_layers)
{
    return room_floats(tokens, held_pairs) * sizeof(float) + n_layers * sizeof(PersistentLayer) +
           (2 * MAX_RING + 2 * MAX_SLOTS) * sizeof(uint64_t) + 16 + sizeof(RunState);
}

#if __CUDA_ARCH__ >= 900 || !defined(__CUDA_ARCH__)

static __device__ Room room_of(uint8_t *raw, const PersistentCall &c, int tokens, int held_pairs)
{
    Room r;
    r.x = raw + (size_t)c.ring * 2 * STAGE_BLOCKS * c.block_bytes;
    r.red = (float *)(r.x + c.x_bytes);
    r.share = r.red + slots_of(tokens) * SUM_WARPS * 32 * tokens;
    r.held = r.share + SUM_WARPS * tokens;
    r.layers = (PersistentLayer *)(r.red + room_floats(tokens, held_pairs));
    r.full = (uint64_t *)(r.layers + c.n_layers);
    r.empty = r.full + MAX_RING, r.done = r.empty + MAX_RING, r.taken = r.done + MAX_SLOTS;
    r.waiting = (volatile int *)(r.taken + MAX_SLOTS);
    r.run = (RunState *)(r.taken + MAX_SLOTS + 2);
    return r;
}

static __device__ __forceinline__ uint32_t shared_address(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}

static __device__ __forceinline__ void bar_init(uint64_t *bar, int count)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0],%1;" ::"r"(shared_address(bar)), "r"(count)
                 : "memory");
}

static __device__ __forceinline__ void bar_arrive(uint64_t *bar)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _,[%0];" ::"r"(shared_address(bar)) : "memory");
}

static __device__ __forceinline__ void bar_wait(uint64_t *bar, uint32_t parity)
{
#pragma unroll 1 /* code that is out of the instruction cache costs more than the branch */
    for (int tries = 0; tries < MAX_POLLS; tries++) {
        uint32_t ok;
        asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 "
                     "p,[%1],%2;\nselp.u32 %0,1,0,p;\n}"
                     : "=r"(ok)
                     : "r"(shared_address(bar)), "r"(parity)
                     : "memory");
        if (ok)
            return;
    }
    __trap();
}

static __device__ __forceinline__ void publish(float *p, float v)
{
    uint32_t u = __float_as_uint(v);
    if (u == EMPTY)
        u = 0x7fffffffu; /* still a NaN */
    asm volatile("st.relaxed.gpu.global.u32 [%0],%1;" ::"l"(p), "r"(u) : "memory");
}

/* First pair of a phase for this SM; the wide phases go on dealing where the last one ended, o and
 * down always start at SM 0, so that a row's residual stays in one SM. */
static __device__ __forceinline__ int first_pair(const PersistentCall &c, int phase, int &dealt)
{
    const int sm = blockIdx.x, n = gridDim.x;
    if (phase & 1)
        return sm;
    int r = sm - dealt;
    dealt = (dealt + c.phase[phase].pairs) % n;
    return r < 0 ? r + n : r;
}

/* Matrix and pair within it of a phase's pair. */
static __device__ __forceinline__ int matrix_of(const PersistentCall &c, int phase, int &pair)
{
    if (phase == 0) {
        int part = pair < c.part_pairs[0] ? 0 : pair < c.part_pairs[1] ? 1 : 2;
        pair -= part == 0 ? 0 : c.part_pairs[part - 1];
        return part;
    }
    return phase == 1 ? 3 : phase == 2 ? 4 : 6;
}

static __device__ __forceinline__ float *exchange_at(const PersistentCall &c, int layer, int kind,
                                                     int tokens)
{
    return c.exchange.base + ((size_t)layer * c.exchange.layer_floats + kind) * tokens;
}
#endif

#endif
