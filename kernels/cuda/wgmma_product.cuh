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
            bulk_copy(r.weights + r.stage * r.weight_bytes + lane * block_bytes,
                      tile + (size_t)k * block_bytes, block_bytes, r.at_full());
    }

    __device__ __forceinline__ void activations(const Ring &r, int k)
    {
        if (lane >= 30)
            bulk_copy(r.x + r.stage * r.x_bytes + (lane & 1) * (r.x_bytes / 2),
                      x + (size_t)k * x_step, r.x_bytes / 2, r.at_full());
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

/* A warp's block of weights; scales of rows r and r + 8 when one group fills the block. */
struct Block {
    uint4 w[2];
    uint32_t zero;  /* of both rows, a byte each */
    uint32_t scale; /* of both rows, halves */
};

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
template <bool HIGH>
static __device__ __forceinline__ uint32_t two_weights(uint32_t v, const Shift &s)
{
    const uint32_t mask = HIGH ? 0x00f000f0u : 0x000f000fu;
    uint32_t w; /* (v & mask) | 1024 in both halves, in one instruction */
    asm("lop3.b32 %0,%1,%2,%3,0xea;" : "=r"(w) : "r"(v), "r"(mask), "r"(0x64006400u));
    half2 h = as_half2(w);
    return as_word(HIGH ? __hfma2(h, __float2half2_rn(1.f / 16), s.high) : __hsub2(h, s.low));
}

template <bool HIGH>
static __device__ __forceinline__ void fragment(uint32_t (&a)[4], uint32_t upper, uint32_t lower,
                                                const Shift (&s)[2])
{
    a[0] = two_weights<HIGH>(upper, s[0]);
    a[1] = two_weights<HIGH>(lower, s[1]);
    a[2] = two_weights<HIGH>(upper >> 8, s[0]);
    a[3] = two_weights<HIGH>(lower >> 8, s[1]);
}

template <int N, WgmmaWeights KIND> struct Consumer {
    static const bool EXACT = KIND == WEIGHTS_EXACT;
    float sum[UNITS][N / 2];
    Block block[UNITS];
    uint32_t a[2][2][UNITS][4]; /* [batch % 2][step of a batch] */
    float unit[UNITS][2];       /* what sums are multiples of: rows r, r + 8 */
    uint32_t place[UNITS];      /* of the current blocks in shared memory */
    uint32_t group_shift;       /* a group is 16 << group_shift columns */
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
    }

    /* weights: of the warp's first tile in a stage */
    __device__ __forceinline__ void load(uint32_t weights, uint32_t unit_bytes)
    {
#pragma unroll
        for (int i = 0; i < UNITS; i++) {
            place[i] = weights + i * unit_bytes;
            block[i].w[0] = shared_vector(place[i] + lane * 16);
            block[i].w[1] = shared_vector(place[i] + 512 + lane * 16);
            if (KIND == WEIGHTS_ANY)
                continue;
            block[i].scale = shared_word(place[i] + NIBBLE_BYTES + lane / 4 * 4);
            block[i].zero = zero == ZERO_BYTE
                                ? shared_short(place[i] + NIBBLE_BYTES + 32 + lane / 4 * 2)
                                : 0x0808u;
        }
    }

    /* For scales in fp16, w = (q - zero) * scale, or q * scale + minimum: what belongs to a
     * step. */
    __device__ __forceinline__ void find_scales(int i, int step, Shift (&s)[2], half2 (&scale)[2],
                                                half2 (&least)[2])
    {
        const uint32_t g = (uint32_t)step >> group_shift, groups = 8u >> group_shift;
        const uint32_t at = place[i] + NIBBLE_BYTES, extra = at + groups * 32;
        half2 both = as_half2(shared_word(at + g * 32 + lane / 4 * 4));
        scale[0] = __low2half2(both), scale[1] = __high2half2(both);
        least[0] = least[1] = __float2half2_rn(0.f);
        uint32_t z = 0x0808u;
        if (zero == ZERO_BYTE)
            z = shared_short(extra + g * 16 + lane / 4 * 2);
        if (zero == ZERO_MIN) {
            both = as_half2(shared_word(extra + g * 32 + lane / 4 * 4));
            least[0] = __low2half2(both), least[1] = __high2half2(both);
            z = 0;
        }
        s[0] = shift_of(z & 255), s[1] = shift_of(z >> 8);
    }

    /* Steps 2 BATCH and 2 BATCH + 1 of the block, sixteen columns each. */
    template <int BATCH> __device__ __forceinline__ void expand(void)
    {
#pragma unroll
        for (int i = 0; i < UNITS; i++) {
            uint4 q = block[i].w[BATCH / 2];
            Shift s[2];
            half2 scale[2], least[2];
            if (KIND != WEIGHTS_ANY) {
                s[0] = shift_of(block[i].zero & 255), s[1] = shift_of(block[i].zero >> 8);
                scale[0] = __low2half2(as_half2(block[i].scale));
                scale[1] = __high2half2(as_half2(block[i].scale));
            }
#pragma unroll
            for (int h = 0; h < 2; h++) {
                uint32_t(&f)[4] = a[BATCH % 2][h][i];
                if (KIND == WEIGHTS_ANY)
                    find_scales(i, BATCH * 2 + h, s, scale, least);
                fragment<BATCH % 2>(f, h ? q.z : q.x, h ? q.w : q.y, s);
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    half2 w = as_half2(f[j]);
                    if (KIND == WEIGHTS_ANY)
                        f[j] = as_word(__hfma2(w, scale[j % 2], least[j % 2]));
                    else if (KIND == WEIGHTS_SCALED)
                        f[j] = as_word(__hmul2(w, scale[j % 2]));
                }
            }
        }
    }

    /* Sums to units of the new block's scales. */
    __device__ __forceinline__ void rescale(void)
    {
#pragma unroll
        for (int i = 0; i < UNITS; i++) {
            const float2 both = __half22float2(as_half2(block[i].scale));
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
    }

    __device__ __forceinline__ void hold(void)
    {
#pragma unroll
        for (int i = 0; i < UNITS; i++)
            wgmma_hold(sum[i]);
    }

    /* x: the stage's activations */
    template <int BATCH> __device__ __forceinline__ void issue(uint32_t x)
    {
#pragma unroll
        for (int i = 0; i < UNITS * 8; i++)
            asm volatile("" : "+r"((&a[BATCH % 2][0][0][0])[i])::"memory");
        wgmma_fence();
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int step = BATCH * 2 + h;
            uint64_t b = wgmma_descriptor(x + step / 4 * (N * SWIZZLE_ROW) + step % 4 * 32, 0);
#pragma unroll
            for (int i = 0; i < UNITS; i++)
                Product<N, false>::run(sum[i], a[BATCH % 2][h][i], b, 1);
        }
        wgmma_commit();
    }
};

static __device__ __forceinline__ void release(const Ring &r)
{
    if (threadIdx.x % 32 == 0)
        barrier_arrive(r.at_empty());
}

/* Columns `from` to `to` of a tile: sums, in units of s.unit.  r moves on. */
template <int N, WgmmaWeights KIND>
static __device__ __forceinline__ void consume(Consumer<N, KIND> &s, Ring &r, int blocks,
                                               uint32_t slot, uint32_t unit_bytes)
{
    const bool EXACT = KIND == WEIGHTS_EXACT;
    s.clear();
    barrier_wait(r.at_full(), r.phase);
    s.load(r.weights + r.stage * r.weight_bytes + slot, unit_bytes);
    s.template expand<0>();
    Ring last = r;
#pragma unroll 1
    for (int k = 0; k < blocks; k++) {
        const uint32_t x = r.x + r.stage * r.x_bytes;
        if (EXACT) {
            s.rescale();
            s.hold();
        }
        s.template issue<0>(x);
        if (!EXACT) {
            wgmma_wait<1>();
            if (k)
                release(last);
        }
        s.template expand<1>();
        s.template issue<1>(x);
        wgmma_wait<1>();
        s.template expand<2>();
        s.template issue<2>(x);
        wgmma_wait<1>();
        s.template expand<3>();
        s.template issue<3>(x);
        wgmma_wait<1>();
        last = r;
        r.next();
        if (k + 1 < blocks) {
            barrier_wait(r.at_full(), r.phase);
            s.load(r.weights + r.stage * r.weight_bytes + slot, unit_bytes);
            s.template expand<0>();
        }
        if (EXACT) {
            wgmma_wait<0>();
            s.hold();
            release(last);
        }
    }
    if (!EXACT) {
        wgmma_wait<0>();
        s.hold();
        release(last);
    } else
#pragma unroll
        for (int i = 0; i < UNITS; i++)
#pragma unroll
            for (int j = 0; j < N / 2; j++)
                s.sum[i][j] *= s.unit[i][j / 2 % 2];
}
#endif

#endif
