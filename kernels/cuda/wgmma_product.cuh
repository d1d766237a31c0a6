/* The main loop of a product by wgmma: a ring of stages in shared memory, the warp that fills
 * it, and the warp groups that turn nibbles into fragments and multiply (prefill_wgmma.cu says
 * what for). */
#ifndef KERNELS_CUDA_WGMMA_PRODUCT_CUH
#define KERNELS_CUDA_WGMMA_PRODUCT_CUH

#include "kernels/cuda/prefill_wgmma.cuh"
#include "kernels/cuda/wgmma.cuh"

enum {
    MAX_STAGES = 8,
    MAX_SPLIT = 4,
    UNITS = 2,     /* of a warp group */
    UNIT_TILES = 4 /* blocks of 16 rows, one a warp */
};

/* A scale of 0 counts as this: sums are kept in units of it, and 1e5 of them stay finite. */
#define LEAST_SCALE 0x1p-60f

static __host__ __device__ inline size_t x_stage_bytes(int tokens)
{
    return (size_t)tokens * BLOCK_COLS * sizeof(__half);
}

static __host__ __device__ inline size_t stage_bytes(int groups, int tokens, int block_bytes)
{
    return x_stage_bytes(tokens) + (size_t)groups * UNITS * UNIT_TILES * block_bytes;
}

#if HOPPER_CODE
/* Which rows unit `i` of warp group `index` of the whole product is: a part, and its first row. */
static __device__ __forceinline__ int unit_of(const WgmmaCall &c, int index, int i, int *part)
{
    *part = i;
    if (c.epilogue == EPILOGUE_SILU)
        return index * UNIT_ROWS;
    int unit = index * UNITS + i;
    *part = 0;
    while (*part < c.n_parts - 1 && unit >= c.units[*part])
        unit -= c.units[(*part)++];
    return unit * UNIT_ROWS;
}

/* Where a block's stages and barriers lie. */
struct Ring {
    uint32_t x, weights, full, empty; /* addresses in shared memory */
    uint32_t x_bytes, weight_bytes;
    int stages, stage;
    uint32_t phase;

    __device__ __forceinline__ void next(void)
    {
        if (++stage == stages)
            stage = 0, phase ^= 1;
    }
    __device__ __forceinline__ uint32_t at_x(void) const
    {
        return x + stage * x_bytes;
    }
    __device__ __forceinline__ uint32_t at_weights(void) const
    {
        return weights + stage * weight_bytes;
    }
    __device__ __forceinline__ uint32_t at_full(void) const
    {
        return full + stage * 8;
    }
    __device__ __forceinline__ uint32_t at_empty(void) const
    {
        return empty + stage * 8;
    }
};

/* What tile of the product a block is at. */
struct Tile {
    int row, token; /* indices of tiles */
    int from, to;   /* its share of the columns, in blocks */
};

static __device__ __forceinline__ Tile tile_of(const WgmmaCall &c, int index, int rank)
{
    const int kb = c.part[0].k_blocks;
    Tile t;
    t.row = index / c.token_tiles, t.token = index % c.token_tiles;
    t.from = kb * rank / c.split, t.to = kb * (rank + 1) / c.split;
    return t;
}

/* ---- the producer ---- */

template <int GROUPS, int N> struct Producer {
    const uint8_t *tile; /* this lane's tile of weights */
    const uint8_t *x;    /* lanes 30 and 31: the columns of their half of a block */
    size_t x_step;
    int block_bytes, lane;

    __device__ __forceinline__ void start(const WgmmaCall &c, const Tile &t)
    {
        const int SLOTS = GROUPS * UNITS * UNIT_TILES;
        if (lane < SLOTS) {
            int part, row = unit_of(c, t.row * GROUPS + lane / (UNITS * UNIT_TILES),
                                    lane / UNIT_TILES % UNITS, &part);
            const DevLinear &w = c.part[part];
            int at = min(row / TILE_ROWS + lane % UNIT_TILES, w.tiles - 1);
            tile = w.blocks + (size_t)at * w.k_blocks * block_bytes;
        } else {
            x = c.x.x + ((size_t)(lane & 1) * WGMMA_TOKENS + (size_t)t.token * N) * SWIZZLE_ROW;
        }
    }

    __device__ __forceinline__ void weights(const Ring &r, int k)
    {
        const int SLOTS = GROUPS * UNITS * UNIT_TILES;
        if (lane == 0)
            barrier_expect(r.at_full(), r.x_bytes + r.weight_bytes);
        __syncwarp();
        if (lane < SLOTS)
            bulk_copy(r.at_weights() + lane * block_bytes, tile + (size_t)k * block_bytes,
                      block_bytes, r.at_full());
    }

    __device__ __forceinline__ void activations(const Ring &r, int k)
    {
        if (lane >= 30)
            bulk_copy(r.at_x() + (lane & 1) * (r.x_bytes / 2), x + (size_t)k * x_step,
                      r.x_bytes / 2, r.at_full());
    }
};

/* Weights depend on nothing: the first stages of them are asked for before the kernel in front has
 * ended. */
template <int GROUPS, int N>
static __device__ __forceinline__ void produce(const WgmmaCall &c, Ring r, int first, int step,
                                               int total, int rank)
{
    Producer<GROUPS, N> p;
    p.lane = threadIdx.x % 32, p.block_bytes = c.part[0].block_bytes;
    p.tile = p.x = NULL, p.x_step = (size_t)2 * WGMMA_TOKENS * SWIZZLE_ROW;
    bool begun = false;
    for (int i = first; i < total; i += step) {
        Tile t = tile_of(c, i, rank);
        p.start(c, t);
        int k = t.from;
        if (!begun) {
            Ring at = r;
            for (; k < t.to && k - t.from < r.stages; k++, r.next())
                p.weights(r, k);
            pdl_wait();
            for (int j = t.from; j < k; j++, at.next())
                p.activations(at, j);
            begun = true;
        }
        for (; k < t.to; k++, r.next()) {
            barrier_wait(r.at_empty(), r.phase ^ 1);
            p.weights(r, k);
            p.activations(r, k);
        }
    }
}

/* ---- the consumers ---- */

static __device__ __forceinline__ uint4 shared_vector(uint32_t address)
{
    uint4 v;
    asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3},[%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "r"(address)
                 : "memory");
    return v;
}

static __device__ __forceinline__ uint32_t shared_word(uint32_t address)
{
    uint32_t v;
    asm volatile("ld.shared.u32 %0,[%1];" : "=r"(v) : "r"(address) : "memory");
    return v;
}

static __device__ __forceinline__ uint32_t shared_short(uint32_t address)
{
    uint16_t v;
    asm volatile("ld.shared.u16 %0,[%1];" : "=h"(v) : "r"(address) : "memory");
    return v;
}

static __device__ __forceinline__ half2 as_half2(uint32_t v)
{
    return *(half2 *)&v;
}

static __device__ __forceinline__ uint32_t as_word(half2 v)
{
    return *(uint32_t *)&v;
}

/* What turns 1024 + q, and 1024 + 16 q, into q - zero. */
struct Shift {
    half2 low, high;
};

static __device__ __forceinline__ Shift shift_of(uint32_t zero)
{
    Shift s;
    s.low = as_half2(low_zero_bits(zero) * 0x10001u);
    s.high = as_half2(high_zero_bits(zero) * 0x10001u);
    return s;
}

/* Two of a row's columns: those nibbles of v that the mask leaves. */
static __device__ __forceinline__ uint32_t two_weights(uint32_t v, bool high, const Shift &s)
{
    const uint32_t mask = high ? 0x00f000f0u : 0x000f000fu;
    uint32_t w; /* (v & mask) | 1024 in both halves, in one instruction */
    asm("lop3.b32 %0,%1,%2,%3,0xea;" : "=r"(w) : "r"(v), "r"(mask), "r"(0x64006400u));
    half2 h = as_half2(w);
    return as_word(high ? __hfma2(h, __float2half2_rn(1.f / 16), s.high) : __hsub2(h, s.low));
}

/* A warp group's sums, and the weights that it is about to multiply.  It works on one unit at a
 * time, a batch of up to 64 columns: while the tensor cores have a batch of one unit, the sums of
 * the other are rescaled and its next fragments made. */
template <int N, WgmmaWeights KIND> struct Consumer {
    static const bool EXACT = KIND != WEIGHTS_MINIMUM;
    static const int SPAN = EXACT ? 8 >> KIND : 2; /* steps of sixteen columns in a group */
    static const int STEPS = SPAN < 4 ? SPAN : 4;  /* in a batch */
    static const int BATCHES = 8 / STEPS * UNITS;  /* in a block of columns */
    float sum[UNITS][N / 2];
    uint4 w[UNITS];          /* nibbles of 64 columns */
    uint32_t a[2][STEPS][4]; /* fragments, [batch % 2] */
    float unit[UNITS][2];    /* what sums are multiples of: rows r, r + 8 */
    ZeroKind zero;
    int lane;

    __device__ __forceinline__ void clear(void)
    {
#pragma unroll
        for (int i = 0; i < UNITS; i++) {
            unit[i][0] = unit[i][1] = LEAST_SCALE;
#pragma unroll
            for (int j = 0; j < N / 2; j++)
                sum[i][j] = 0;
        }
        hold(); /* registers of their own from here on */
    }

    __device__ __forceinline__ void hold(void)
    {
#pragma unroll
        for (int i = 0; i < UNITS; i++)
            wgmma_hold(sum[i]);
    }

    /* Sums to units of the new group's scales. */
    __device__ __forceinline__ void rescale(int i, uint32_t scales)
    {
        const float2 both = __half22float2(as_half2(scales));
        float s[2] = { both.x, both.y }, f[2];
#pragma unroll
        for (int r = 0; r < 2; r++) {
            s[r] = s[r] == 0.f ? LEAST_SCALE : s[r];
            f[r] = __fdividef(unit[i][r], s[r]);
            unit[i][r] = s[r];
        }
#pragma unroll
        for (int j = 0; j < N / 2; j++)
            sum[i][j] *= f[j / 2 % 2];
    }

    /* Fragments of a batch of unit i from step `first` of the block on; its scales and zeros lie
     * at `place`. */
    __device__ __forceinline__ void expand(int i, int first, uint32_t place)
    {
        const int GROUPS = 8 / SPAN, g = first / SPAN;
        const uint32_t scales = shared_word(place + g * 32 + lane / 4 * 4),
                       extra = place + GROUPS * 32;
        uint32_t z = EXACT ? 0x0808u : 0;
        half2 scale[2], least[2];
        if (EXACT && zero == ZERO_BYTE)
            z = shared_short(extra + g * 16 + lane / 4 * 2);
        if (!EXACT) {
            const uint32_t both = shared_word(extra + g * 32 + lane / 4 * 4);
            scale[0] = __low2half2(as_half2(scales)), scale[1] = __high2half2(as_half2(scales));
            least[0] = __low2half2(as_half2(both)), least[1] = __high2half2(as_half2(both));
        } else if (first % SPAN == 0)
            rescale(i, scales);
        const Shift shift[2] = { shift_of(z & 255), shift_of(z >> 8) };
#pragma unroll
        for (int h = 0; h < STEPS; h++) {
            const int step = first + h;
            const uint4 q = w[i];
#pragma unroll
            for (int j = 0; j < 4; j++) { /* rows r, r + 8; then the odd columns */
                uint32_t v = step % 2 ? (j % 2 ? q.w : q.z) : (j % 2 ? q.y : q.x);
                uint32_t f = two_weights(j / 2 ? v >> 8 : v, step / 2 % 2, shift[j % 2]);
                if (!EXACT)
                    f = as_word(__hfma2(as_half2(f), scale[j % 2], least[j % 2]));
                a[i][h][j] = f;
            }
        }
    }

    /* Batch n of a block: the group's scales, and fragments.  tile: the warp's first of a stage */
    __device__ __forceinline__ void prepare(int n, uint32_t tile, uint32_t unit_bytes)
    {
        const int i = n % UNITS, first = n / UNITS * STEPS;
        const uint32_t place = tile + i * unit_bytes;
        if (first % 4 == 0)
            w[i] = shared_vector(place + first / 4 * (NIBBLE_BYTES / 2) + lane * 16);
        expand(i, first, place + NIBBLE_BYTES);
    }

    /* x: the stage's activations */
    __device__ __forceinline__ void issue(int n, uint32_t x)
    {
        const int i = n % UNITS;
#pragma unroll
        for (int j = 0; j < STEPS * 4; j++)
            asm volatile("" : "+r"((&a[i][0][0])[j])::"memory");
        wgmma_hold(sum[i]);
        wgmma_fence();
#pragma unroll
        for (int h = 0; h < STEPS; h++) {
            const int step = n / UNITS * STEPS + h;
            uint64_t b = wgmma_descriptor(x + step / 4 * (N * SWIZZLE_ROW) + step % 4 * 32, 0);
            Product<N, false>::run(sum[i], a[i][h], b, 1);
        }
        wgmma_commit();
    }
};

static __device__ __forceinline__ void release(uint32_t empty)
{
    if (threadIdx.x % 32 == 0)
        barrier_arrive(empty);
}

/* Batches `from` to the last of a block, each followed by the making of the next. */
template <int N, WgmmaWeights KIND>
static __device__ __forceinline__ void consume_batches(Consumer<N, KIND> &s, int from, uint32_t x,
                                                       uint32_t tile, uint32_t unit_bytes)
{
#pragma unroll
    for (int n = from; n < s.BATCHES; n++) {
        s.issue(n, x);
        wgmma_wait<1>(); /* the batch before, of the other unit, is done */
        wgmma_hold(s.sum[(n + 1) % UNITS]);
        if (n + 1 < s.BATCHES)
            s.prepare(n + 1, tile, unit_bytes);
    }
}

/* The sums over `blocks` of 128 columns of a tile, in units of s.unit.  r moves on.  ptxas
 * overlaps products only where it sees in one turn of a loop both a batch and the wait before its
 * sums are read.  Where sums are rescaled once a block, the loop therefore turns around while the
 * first batch is under way, whose sums are not read; */
template <int N, WgmmaWeights KIND>
static __device__ __forceinline__ void consume_ahead(Consumer<N, KIND> &s, Ring &r, int blocks,
                                                     uint32_t slot, uint32_t unit_bytes)
{
    uint32_t x = r.at_x(), tile = r.at_weights() + slot;
    barrier_wait(r.at_full(), r.phase);
    s.prepare(0, tile, unit_bytes);
    s.prepare(1, tile, unit_bytes);
    s.issue(0, x);
#pragma unroll 1
    for (int k = 1; k < blocks; k++) {
        consume_batches(s, 1, x, tile, unit_bytes);
        const uint32_t done = r.at_empty();
        r.next();
        x = r.at_x(), tile = r.at_weights() + slot;
        barrier_wait(r.at_full(), r.phase);
        s.prepare(0, tile, unit_bytes);
        s.issue(0, x);
        wgmma_wait<1>();
        wgmma_hold(s.sum[1]);
        release(done);
        s.prepare(1, tile, unit_bytes);
    }
    consume_batches(s, 1, x, tile, unit_bytes);
    wgmma_wait<0>();
    s.hold();
    release(r.at_empty());
    r.next();
}

/* where they are rescaled more often, it turns around when none is. */
template <int N, WgmmaWeights KIND>
static __device__ __forceinline__ void consume_whole(Consumer<N, KIND> &s, Ring &r, int blocks,
                                                     uint32_t slot, uint32_t unit_bytes)
{
    barrier_wait(r.at_full(), r.phase);
    s.prepare(0, r.at_weights() + slot, unit_bytes);
#pragma unroll 1
    for (int k = 0; k < blocks; k++) {
        consume_batches(s, 0, r.at_x(), r.at_weights() + slot, unit_bytes);
        const uint32_t done = r.at_empty();
        r.next();
        if (k + 1 < blocks) {
            barrier_wait(r.at_full(), r.phase);
            s.prepare(0, r.at_weights() + slot, unit_bytes);
        }
        wgmma_wait<0>();
        s.hold();
        release(done);
    }
}

template <int N, WgmmaWeights KIND>
static __device__ __forceinline__ void consume(Consumer<N, KIND> &s, Ring &r, int blocks,
                                               uint32_t slot, uint32_t unit_bytes)
{
    s.clear();
    if (KIND == WEIGHTS_128 || KIND == WEIGHTS_MINIMUM)
        consume_ahead(s, r, blocks, slot, unit_bytes);
    else
        consume_whole(s, r, blocks, slot, unit_bytes);
    if (s.EXACT)
#pragma unroll
        for (int i = 0; i < UNITS; i++)
#pragma unroll
            for (int j = 0; j < N / 2; j++)
                s.sum[i][j] *= s.unit[i][j / 2 % 2];
}
#endif

#endif
