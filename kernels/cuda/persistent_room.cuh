/* The shared memory of the persistent kernel, its barriers, and how work is dealt to SMs. */
#ifndef KERNELS_CUDA_PERSISTENT_ROOM_CUH
#define KERNELS_CUDA_PERSISTENT_ROOM_CUH

#include "kernels/cuda/attention_task.cuh"
#include "kernels/cuda/persistent.cuh"
#include "kernels/cuda/phases.cuh"

enum {
    FINISHERS = 2,
    CONSUMERS = SUM_WARPS * 32,
    PRODUCERS = 2, /* one for each tile of a pair */
    THREADS = (SUM_WARPS + FINISHERS + PRODUCERS) * 32,
    STAGE_BLOCKS = 8,            /* of each of two tiles: a stage of the ring */
    LINE_BLOCKS = 5 * SUM_WARPS, /* the longest input that readers bring into act-order */
    WINDOW = 2 * SUM_WARPS,      /* blocks of x that several tokens of a long phase take at once */
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

/* Where a consumer is in the ring and among the slots. */
struct Place {
    int at;
    uint32_t parity, count[FINISHERS];
};

/* Where a consumer is in the layers.  Kept in shared memory, since registers do not live through
 * calls: the compiler would keep them in local memory, which the L1 that is left beside so much
 * shared memory does not hold (a look into it costs as much as a poll). */
struct __align__(16) Walk
{
    Place place;
    volatile int step, dealt, pair;
};

/* The first part of shared memory, at places known to the compiler (a pointer to each would cost
 * the loops their registers).  Behind it lie the layers, the residual stream of this SM's rows
 * ([pairs of o here][32][tokens]), x (which attention uses too), and the ring. */
template <int TOKENS> struct __align__(128) Room
{
    PersistentCall call; /* copies: functions that are not inlined find the call here */
    RunState run;
    uint64_t full[MAX_RING], empty[MAX_RING], done[MAX_SLOTS], taken[MAX_SLOTS];
    volatile int waiting;
    Walk walk[SUM_WARPS];
    int tokens;
    int stamp;                       /* low word of the clock at the last note_clock */
    float share[SUM_WARPS * TOKENS]; /* sums of squares */
    __align__(
        16) float red[slots_of(TOKENS) * SUM_WARPS * 32 * TOKENS]; /* [slot][sum][row][token] */
};

static __host__ __device__ inline size_t room_bytes(int tokens, int held_pairs, int n_layers)
{
    size_t n = (tokens > 1 ? sizeof(Room<DECODE_TOKENS>) : sizeof(Room<1>)) +
               n_layers * sizeof(PersistentLayer) +
               (size_t)held_pairs * 32 * tokens * sizeof(float);
    return (n + 127) / 128 * 128;
}

/* Whether a phase takes its x in windows: several tokens of many columns, met by one pair an SM. */
static __host__ __device__ inline bool in_windows(const PersistentCall &c, int phase, int tokens,
                                                  int n_sms)
{
    return tokens > 1 && phase % 2 && c.phase[phase].k_blocks > WINDOW &&
           c.phase[phase].pairs <= n_sms;
}

#if __CUDA_ARCH__ >= 900 || !defined(__CUDA_ARCH__)

template <int TOKENS> static __device__ __forceinline__ Room<TOKENS> &room_of(void)
{
    extern __shared__ __align__(128) uint8_t raw[];
    return *(Room<TOKENS> *)raw;
}

template <int TOKENS>
static __device__ __forceinline__ PersistentLayer &layer_of(const PersistentCall &c, int layer)
{
    return ((PersistentLayer *)(&room_of<TOKENS>() + 1))[layer];
}

template <int TOKENS> static __device__ __forceinline__ float *held_of(const PersistentCall &c)
{
    return (float *)&layer_of<TOKENS>(c, c.n_layers);
}

/* x_at, ring_at: of a call. */
static __device__ __forceinline__ uint8_t *shared_at(int offset)
{
    extern __shared__ __align__(128) uint8_t raw[];
    return raw + offset;
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

/* Arrives, and lets the barrier wait for bytes that a copy brings. */
static __device__ __forceinline__ void bar_expect(uint64_t *bar, uint32_t bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _,[%0],%1;" ::"r"(shared_address(bar)),
                 "r"(bytes)
                 : "memory");
}

static __device__ __forceinline__ void bar_wait(uint64_t *bar, uint32_t parity)
{
    delay();
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
    delay();
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

/* This SM's attention tasks are this one, and every gridDim.x-th below.  Negative: none. */
static __device__ __forceinline__ int last_task(const AttentionCall &a, int slices, int chunks)
{
    const int tasks = a.n_kv_heads * attention_used(slices, chunks), sm = blockIdx.x;
    return sm >= tasks ? -1 : sm + (tasks - 1 - sm) / (int)gridDim.x * (int)gridDim.x;
}

/* The cycles since the last note belong to `which`.  Costs a branch where nobody asks. */
template <int TOKENS> static __device__ __forceinline__ void note_clock(int which)
{
    Room<TOKENS> &room = room_of<TOKENS>();
    if (room.call.clocks && threadIdx.x == 0) {
        const int now = clock();
        room.call.clocks[(size_t)blockIdx.x * N_CLOCKS + which] += (unsigned)(now - room.stamp);
        room.stamp = now;
    }
}

static __device__ __forceinline__ float *exchange_at(const PersistentCall &c, int layer, int kind,
                                                     int tokens)
{
    return c.exchange.base + ((size_t)layer * c.exchange.layer_floats + kind) * tokens;
}
#endif

#endif
