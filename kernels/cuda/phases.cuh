/* The arithmetic of a 4-bit linear layer for up to four tokens at once.
 *
 * x is quantised for each 128 columns in two terms of 8 bits, q1 + q2 / 128, and met by the nibbles
 * on the int8 tensor cores: token t is columns 2t and 2t + 1 of the mma, so lane % 4 is the token
 * whose sums a lane holds.  Sums within a group are integers; groups are added in float in the
 * order of a warp's blocks, then warps in order.  A token's numbers do not depend on the tokens
 * beside it. */
#ifndef KERNELS_CUDA_PHASES_CUH
#define KERNELS_CUDA_PHASES_CUH

#include "kernels/cuda/common.cuh"

enum { X_BLOCK_BYTES = 256 }; /* of 128 columns in two terms */

/* x of a phase in shared memory. */
struct XShared {
    uint8_t *q;   /* [k_block][token][256]: first terms, then second, in the order of the mma's B
                     fragments */
    int2 *sums;   /* [k_block][groups][token]: sums of both terms, for zero points */
    float *scale; /* [k_block][token] */
};

static __host__ __device__ inline size_t x_shared_bytes(int k_blocks, int group, int tokens)
{
    return ((size_t)k_blocks * tokens * (256 + 8 * (BLOCK_COLS / group) + 4) + 15) / 16 * 16;
}

static __device__ inline XShared x_shared(uint8_t *raw, int k_blocks, int group, int tokens)
{
    XShared x;
    x.q = raw;
    x.sums = (int2 *)(raw + (size_t)k_blocks * tokens * 256);
    x.scale = (float *)(x.sums + (size_t)k_blocks * tokens * (BLOCK_COLS / group));
    return x;
}

/* Blocks are dealt to SUM_WARPS sums, block k to sum k % SUM_WARPS, whatever the count of warps
 * that do the work; finished rows add the sums in order.  So every driver gives the same bits. */
enum {
    SUM_WARPS = 16,
    SIDE = 4 /* blocks that a warp quantises side by side, so that their latencies overlap */
};

/* Columns and norm weights depend on nothing: brought into L2 before the kernel in front has ended.
 */
static __device__ __forceinline__ void prefetch_columns(const float *norm, const int *perm,
                                                        int n_in, int k_blocks)
{
    for (int i = threadIdx.x * 32; i < k_blocks * BLOCK_COLS; i += LINEAR_THREADS * 32) {
        if (perm)
            prefetch_l2(perm + i);
        if (norm && i < n_in)
            prefetch_l2(norm + i);
    }
}

/* A warp's columns of x: which ones, and the norm's weights. */
struct XColumns {
    int4 col[SIDE];
    float4 norm[SIDE];
};

static __device__ __forceinline__ void load_columns(XColumns &c, int first, const float *norm,
                                                    const int *perm, int n_in, int k_blocks,
                                                    int lane)
{
#pragma unroll
    for (int j = 0; j < SIDE; j++) {
        int b = first + j * LINEAR_WARPS, k = b * BLOCK_COLS + lane * 4;
        c.col[j] = make_int4(-1, -1, -1, -1);
        if (b < k_blocks && perm)
            c.col[j] = __ldg((const int4 *)(perm + k));
        else if (b < k_blocks)
            c.col[j] = make_int4(k < n_in ? k : -1, k + 1 < n_in ? k + 1 : -1,
                                 k + 2 < n_in ? k + 2 : -1, k + 3 < n_in ? k + 3 : -1);
        int4 i = c.col[j];
        c.norm[j] =
            !norm ? make_float4(1, 1, 1, 1)
            : !perm && i.w >= 0
                ? __ldg((const float4 *)(norm + k))
                : make_float4(i.x >= 0 ? __ldg(norm + i.x) : 0, i.y >= 0 ? __ldg(norm + i.y) : 0,
                              i.z >= 0 ? __ldg(norm + i.z) : 0, i.w >= 0 ? __ldg(norm + i.w) : 0);
    }
}

/* One warp quantises N blocks of 128 columns of one token, STRIDE blocks apart: v[j] holds columns
 * 4 lane .. 4 lane + 3 of the j-th.  Rounds by adding 1.5 * 2^23; the largest magnitude is compared
 * as bits, so that NaN wins and spoils the scale. */
template <int GROUP, int N, int STRIDE>
static __device__ __forceinline__ void quantise_blocks(const XShared &x, int first, int k_blocks,
                                                       int token, int tokens, int lane,
                                                       const float4 v[N])
{
    const int lanes = GROUP / 4; /* that share a group */
    const float ROUND = 12582912.f;
    uint32_t m[N], p1[N], p2[N];
    int s1[N], s2[N];
#pragma unroll
    for (int j = 0; j < N; j++)
        m[j] = max(max(__float_as_uint(fabsf(v[j].x)), __float_as_uint(fabsf(v[j].y))),
                   max(__float_as_uint(fabsf(v[j].z)), __float_as_uint(fabsf(v[j].w))));
#pragma unroll
    for (int j = 0; j < N; j++)
        m[j] = warp_max_bits(m[j]);
#pragma unroll
    for (int j = 0; j < N; j++) {
        const float f[4] = { v[j].x, v[j].y, v[j].z, v[j].w };
        float peak = __uint_as_float(m[j]), inv = peak > 0 ? __fdividef(127.f, peak) : 0.f;
        int q1[4], q2[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float y = f[i] * inv, b = __fadd_rn(y, ROUND);
            q1[i] = __float_as_int(b);
            q2[i] = __float_as_int(__fmaf_rn(__fsub_rn(y, __fsub_rn(b, ROUND)), 128.f, ROUND));
        }
        p1[j] = __byte_perm(__byte_perm(q1[0], q1[1], 0x0040), __byte_perm(q1[2], q1[3], 0x0040),
                            0x5410);
        p2[j] = __byte_perm(__byte_perm(q2[0], q2[1], 0x0040), __byte_perm(q2[2], q2[3], 0x0040),
                            0x5410);
        s1[j] = __dp4a((int)p1[j], 0x01010101, 0);
        s2[j] = __dp4a((int)p2[j], 0x01010101, 0);
    }
#pragma unroll
    for (int j = 0; j < N; j++) {
        if (lanes == 32) {
            s1[j] = warp_sum_int(s1[j]);
            s2[j] = warp_sum_int(s2[j]);
        } else
#pragma unroll
            for (int o = 1; o < lanes; o <<= 1) {
                s1[j] += __shfl_xor_sync(~0u, s1[j], o);
                s2[j] += __shfl_xor_sync(~0u, s2[j], o);
            }
    }
#pragma unroll
    for (int j = 0; j < N; j++) {
        int b = first + j * STRIDE;
        if (b >= k_blocks)
            continue;
        uint32_t *d =
            (uint32_t *)(x.q + ((size_t)b * tokens + token) * 256 + lane % 4 * 32 + lane / 4 * 4);
        d[0] = p1[j];
        d[32] = p2[j];
        if (lane % lanes == 0)
            x.sums[((size_t)b * (BLOCK_COLS / GROUP) + lane / lanes) * tokens + token] =
                make_int2(s1[j], s2[j]);
        if (lane == 0)
            x.scale[(size_t)b * tokens + token] = __uint_as_float(m[j]) * (1.f / (127.f * 128.f));
    }
}

static __device__ __forceinline__ float add_squares(float ss, float4 v)
{
    return __fmaf_rn(v.x, v.x, __fmaf_rn(v.y, v.y, __fmaf_rn(v.z, v.z, __fmaf_rn(v.w, v.w, ss))));
}

static __device__ __forceinline__ float4 times(float4 a, float4 b)
{
    return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w);
}

/* The whole x of a phase: all warps of the block.  ss gets this warp's two shares of each token's
 * sum of squares (for the norm): those of sums warp and warp + LINEAR_WARPS. */
template <int GROUP>
static __device__ void quantise_x(const XShared &x, const float *src, int n_in, int stride,
                                  const float *norm, const int *perm, int k_blocks, int tokens,
                                  float ss[DECODE_TOKENS][2])
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const bool whole = !perm && stride % 4 == 0;
#pragma unroll
    for (int t = 0; t < DECODE_TOKENS; t++)
        ss[t][0] = ss[t][1] = 0;
    for (int first = warp; first < k_blocks; first += SIDE * LINEAR_WARPS) {
        XColumns c;
        load_columns(c, first, norm, perm, n_in, k_blocks, lane);
#pragma unroll
        for (int t = 0; t < DECODE_TOKENS; t++) {
            if (t >= tokens)
                break;
            const float *row = src + (size_t)t * stride;
            float4 v[SIDE];
            /* __ldcg: another kernel has just written it, so not through the read-only path */
#pragma unroll
            for (int j = 0; j < SIDE; j++) {
                int4 i = c.col[j];
                if (whole && i.w >= 0)
                    v[j] = __ldcg((const float4 *)(row + i.x));
                else
                    v[j] = make_float4(
                        i.x >= 0 ? __ldcg(row + i.x) : 0, i.y >= 0 ? __ldcg(row + i.y) : 0,
                        i.z >= 0 ? __ldcg(row + i.z) : 0, i.w >= 0 ? __ldcg(row + i.w) : 0);
            }
#pragma unroll
            for (int j = 0; j < SIDE; j++) {
                ss[t][j % 2] = add_squares(ss[t][j % 2], v[j]);
                v[j] = times(v[j], c.norm[j]);
            }
            quantise_blocks<GROUP, SIDE, LINEAR_WARPS>(x, first, k_blocks, t, tokens, lane, v);
        }
    }
}

/* The ends of rows, alike in all drivers. */
static __device__ __forceinline__ float inverse_rms(float squares, int n, float eps)
{
    return rsqrtf(__fadd_rn(__fdiv_rn(squares, (float)n), eps));
}

static __device__ __forceinline__ float finish_row(float y, float scale, float bias)
{
    return __fmaf_rn(y, scale, bias);
}

static __device__ __forceinline__ float silu_times(float g, float u)
{
    return __fmul_rn(__fdividef(g, __fadd_rn(1.f, __expf(-g))), u);
}

static __device__ __forceinline__ void imma(int c[4], uint32_t a0, uint32_t a1, uint32_t a2,
                                            uint32_t a3, uint32_t b0, uint32_t b1)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
                 "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#else /* sm_75: the same product in four pieces of m8n8k16 */
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 {%0,%1},{%2},{%3},{%0,%1};"
                 : "+r"(c[0]), "+r"(c[1])
                 : "r"(a0), "r"(b0));
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 {%0,%1},{%2},{%3},{%0,%1};"
                 : "+r"(c[2]), "+r"(c[3])
                 : "r"(a1), "r"(b0));
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 {%0,%1},{%2},{%3},{%0,%1};"
                 : "+r"(c[0]), "+r"(c[1])
                 : "r"(a2), "r"(b1));
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 {%0,%1},{%2},{%3},{%0,%1};"
                 : "+r"(c[2]), "+r"(c[3])
                 : "r"(a3), "r"(b1));
#endif
}

/* A block of weights in a warp's registers, out of shared memory. */
template <int GROUP, ZeroKind ZERO> struct Weights {
    static const int GROUPS = BLOCK_COLS / GROUP;
    uint4 w[2];
    uint32_t scale[GROUPS]; /* rows r, r + 8 as half2 */
    uint32_t zero[ZERO == ZERO_EIGHT ? 1 : GROUPS];

    __device__ __forceinline__ void load(const uint8_t *block, int lane)
    {
        w[0] = *(const uint4 *)(block + lane * 16);
        w[1] = *(const uint4 *)(block + 512 + lane * 16);
        const uint8_t *s = block + NIBBLE_BYTES + lane / 4 * 4;
#pragma unroll
        for (int g = 0; g < GROUPS; g++)
            scale[g] = *(const uint32_t *)(s + g * 32);
        const uint8_t *z =
            block + NIBBLE_BYTES + GROUPS * 32 + lane / 4 * (ZERO == ZERO_BYTE ? 2 : 4);
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            if (ZERO == ZERO_BYTE)
                zero[g] = *(const uint16_t *)(z + g * 16);
            else if (ZERO == ZERO_MIN)
                zero[g] = *(const uint32_t *)(z + g * 32);
        }
    }
};

/* Adds one group's integer sums (times 1 << shift) to the float sums of rows r and r + 8. */
template <int GROUP, ZeroKind ZERO>
static __device__ __forceinline__ void add_group(float acc[2], const Weights<GROUP, ZERO> &w, int g,
                                                 const int c[4], float unit, float sx, int2 sums)
{
    float2 s = __half22float2(*(const half2 *)&w.scale[g]);
    acc[0] = __fmaf_rn((float)(c[0] * 128 + c[1]), s.x * (sx * unit), acc[0]);
    acc[1] = __fmaf_rn((float)(c[2] * 128 + c[3]), s.y * (sx * unit), acc[1]);
    if (ZERO == ZERO_MIN) {
        float2 m = __half22float2(*(const half2 *)&w.zero[g]);
        float xsum = (float)(sums.x * 128 + sums.y) * sx;
        acc[0] = __fmaf_rn(xsum, m.x, acc[0]);
        acc[1] = __fmaf_rn(xsum, m.y, acc[1]);
    }
}

/* A lane's part of 128 columns of x, for the tokens of an mma. */
template <int GROUP> struct Fragments {
    static const int GROUPS = BLOCK_COLS / GROUP;
    uint32_t b[8];
    int2 sums[GROUPS];
    float scale;

    /* token: whose sums this lane holds; wanted: tokens, or 0 for nothing but zeros */
    __device__ __forceinline__ void load(const XShared &x, int k, int wanted, int tokens, int token,
                                         int lane)
    {
        uint4 u = make_uint4(0, 0, 0, 0), v = u;
        if (lane < 8 * wanted) {
            const uint4 *q = (const uint4 *)(x.q + (size_t)k * tokens * 256 + lane * 32);
            u = q[0], v = q[1];
        }
        b[0] = u.x, b[1] = u.y, b[2] = u.z, b[3] = u.w, b[4] = v.x, b[5] = v.y, b[6] = v.z,
        b[7] = v.w;
        scale = wanted ? x.scale[(size_t)k * tokens + token] : 0.f;
#pragma unroll
        for (int g = 0; g < GROUPS; g++)
            sums[g] = wanted ? x.sums[((size_t)k * GROUPS + g) * tokens + token] : make_int2(0, 0);
    }
};

/* 16 rows x 128 columns against the tokens whose fragments are in b. */
template <int GROUP, ZeroKind ZERO>
static __device__ __forceinline__ void block_dot(float acc[2], const Weights<GROUP, ZERO> &w,
                                                 const uint32_t b[8],
                                                 const int2 s[BLOCK_COLS / GROUP], float sx)
{
    const int GROUPS = BLOCK_COLS / GROUP;
    const uint32_t LOW = 0x0f0f0f0f, HIGH = 0xf0f0f0f0;
    int start[GROUPS][4]; /* - zero * sum of x */
#pragma unroll
    for (int g = 0; g < GROUPS; g++) {
        int z0 = 8, z1 = 8;
        if (ZERO == ZERO_BYTE)
            z0 = w.zero[g] & 255, z1 = w.zero[g] >> 8;
        else if (ZERO == ZERO_MIN)
            z0 = z1 = 0;
        start[g][0] = -z0 * s[g].x, start[g][1] = -z0 * s[g].y;
        start[g][2] = -z1 * s[g].x, start[g][3] = -z1 * s[g].y;
    }
    if (GROUP >= 64) {
        const int HALVES = GROUP / 64; /* of the block that share a group */
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            int lo[4] = { start[g][0], start[g][1], start[g][2], start[g][3] },
                hi[4] = { 0, 0, 0, 0 };
#pragma unroll
            for (int p = g * HALVES; p < (g + 1) * HALVES; p++) {
                uint4 q = w.w[p];
                imma(lo, q.x & LOW, q.y & LOW, q.z & LOW, q.w & LOW, b[4 * p], b[4 * p + 1]);
                imma(hi, q.x & HIGH, q.y & HIGH, q.z & HIGH, q.w & HIGH, b[4 * p + 2],
                     b[4 * p + 3]);
            }
            int c[4];
#pragma unroll
            for (int i = 0; i < 4; i++)
                c[i] = lo[i] * 16 + hi[i];
            add_group<GROUP, ZERO>(acc, w, g, c, 1.f / 16, sx, s[g]);
        }
    } else {
#pragma unroll
        for (int m = 0; m < 4; m++) { /* 32 columns each */
            uint4 q = w.w[m / 2];
            uint32_t mask = LOW;
            int sh = m & 1 ? 4 : 0;
            uint32_t a0 = q.x >> sh & mask, a1 = q.y >> sh & mask, a2 = q.z >> sh & mask,
                     a3 = q.w >> sh & mask;
            if (GROUP == 32) {
                int c[4] = { start[m][0], start[m][1], start[m][2], start[m][3] };
                imma(c, a0, a1, a2, a3, b[2 * m], b[2 * m + 1]);
                add_group<GROUP, ZERO>(acc, w, m, c, 1.f, sx, s[m]);
            } else {
                const int g = 2 * m % GROUPS, h = (2 * m + 1) % GROUPS;
                int c[4] = { start[g][0], start[g][1], start[g][2], start[g][3] };
                imma(c, a0, a1, a2, a3, b[2 * m], 0);
                add_group<GROUP, ZERO>(acc, w, g, c, 1.f, sx, s[g]);
                int d[4] = { start[h][0], start[h][1], start[h][2], start[h][3] };
                imma(d, a0, a1, a2, a3, 0, b[2 * m + 1]);
                add_group<GROUP, ZERO>(acc, w, h, d, 1.f, sx, s[h]);
            }
        }
    }
}

#endif
