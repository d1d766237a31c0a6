/* Prefill products: a block of 128 rows x 128 tokens; the nibbles become exact halves (q - zero) in
 * registers, products are summed in float over a group and then scaled, so the only roundings are
 * those of x to fp16 and of the sums.
 *
 * The k order of an m16n8k16 fragment is free as long as both operands share it: lane % 4 = t takes
 * columns 4t .. 4t + 3 of each sixteen, which is how the blocks lie. */
#include "kernels/cuda/prefill.cuh"

#include <math.h>

enum {
    ROWS = 128,                /* of a block: 4 warps of two tiles */
    TOKENS = 128,              /* of a block: 2 warps of 64 */
    N_TILES = 8,               /* of 8 tokens a warp */
    X_STRIDE = BLOCK_COLS + 8, /* halves; keeps fragments off each other's banks */
    STAGES = 3,
    STAGE_HALVES = TOKENS * X_STRIDE
};

static __global__ void __launch_bounds__(256)
    k_prepare(const __grid_constant__ PrefillPrepare c, PrefillX x)
{
    __shared__ float share[8], peak[8];
    const int token = blockIdx.x, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const float *src = c.src + (size_t)token * c.stride,
                *up = c.up ? c.up + (size_t)token * c.stride : NULL;
    float ss = 0, top = 0;
    for (int k = threadIdx.x; k < c.n_in; k += 256) {
        float v = src[k];
        ss += v * v;
        if (c.norm)
            v *= c.norm[k];
        if (up)
            v = v / (1.f + __expf(-v)) * up[k];
        top = fmaxf(top, fabsf(v));
    }
    ss = warp_sum(ss), top = warp_max(top);
    if (lane == 0)
        share[warp] = ss, peak[warp] = top;
    __syncthreads();
    ss = 0, top = 0;
    for (int w = 0; w < 8; w++)
        ss += share[w], top = fmaxf(top, peak[w]);
    float rms = c.norm ? rsqrtf(ss / c.n_in + c.eps) : 1.f;
    if (threadIdx.x == 0 && !(isfinite(ss) && isfinite(top)))
        atomicMin(&c.run->nan_layer, c.layer);
    /* down to at most 4096 by a power of two */
    float down = 1.f;
    if (top * rms > 4096.f)
        down = exp2f(-ceilf(log2f(top * rms / 4096.f)));
    if (threadIdx.x == 0)
        x.scale[token] = 1.f / down;
    for (int i = threadIdx.x; i < c.k_blocks * BLOCK_COLS; i += 256) {
        int k = c.perm ? c.perm[i] : i < c.n_in ? i : -1;
        float v = 0;
        if (k >= 0) {
            v = src[k];
            if (c.norm)
                v *= c.norm[k];
            if (up)
                v = v / (1.f + __expf(-v)) * up[k];
            v *= rms * down;
        }
        x.x[(size_t)token * c.k_blocks * BLOCK_COLS + i] = __float2half_rn(v);
    }
}

static __device__ __forceinline__ void hmma(float c[4], const uint32_t a[4], uint2 b)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.x), "r"(b.y));
#else
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5},{%6},{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(b.x));
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5},{%6},{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[2]), "r"(a[3]), "r"(b.y));
#endif
}

static __device__ __forceinline__ uint32_t sub2(uint32_t a, half2 b)
{
    half2 r = __hsub2(*(half2 *)&a, b);
    return *(uint32_t *)&r;
}

/* Four nibbles (low halves of the bytes of v) of a row as two half2: q - zero, or for ZERO_MIN q *
 * scale + minimum. */
template <ZeroKind ZERO>
static __device__ __forceinline__ void expand(uint32_t v, half2 zero, half2 scale, uint32_t *lo,
                                              uint32_t *hi)
{
    *lo = sub2(__byte_perm(v, 0x64, 0x4140), ZERO == ZERO_MIN ? __float2half2_rn(1024.f) : zero);
    *hi = sub2(__byte_perm(v, 0x64, 0x4342), ZERO == ZERO_MIN ? __float2half2_rn(1024.f) : zero);
    if (ZERO == ZERO_MIN) {
        half2 a = __hfma2(*(half2 *)lo, scale, zero), b = __hfma2(*(half2 *)hi, scale, zero);
        *lo = *(uint32_t *)&a, *hi = *(uint32_t *)&b;
    }
}

/* What a warp keeps of a tile's block while it works on it. */
template <int GROUPS> struct TileRegs {
    uint4 w[2];
    uint32_t scale[GROUPS], zero[GROUPS];
};

template <int GROUPS, ZeroKind ZERO>
static __device__ __forceinline__ void load_tile(TileRegs<GROUPS> &r, const uint8_t *block,
                                                 int lane)
{
    r.w[0] = __ldg((const uint4 *)(block + lane * 16));
    r.w[1] = __ldg((const uint4 *)(block + 512 + lane * 16));
#pragma unroll
    for (int g = 0; g < GROUPS; g++) {
        r.scale[g] = __ldg((const uint32_t *)(block + NIBBLE_BYTES + g * 32 + lane / 4 * 4));
        const uint8_t *z = block + NIBBLE_BYTES + GROUPS * 32;
        r.zero[g] = ZERO == ZERO_EIGHT  ? 0x0808u
                    : ZERO == ZERO_BYTE ? __ldg((const uint16_t *)(z + g * 16 + lane / 4 * 2))
                                        : __ldg((const uint32_t *)(z + g * 32 + lane / 4 * 4));
    }
}

/* zero (or minimum) and scale of one row of a pair, doubled */
template <int GROUPS, ZeroKind ZERO>
static __device__ __forceinline__ void row_constants(const TileRegs<GROUPS> &r, int g, int row,
                                                     half2 *zero, half2 *scale)
{
    half2 s = *(const half2 *)&r.scale[g];
    *scale = row ? __high2half2(s) : __low2half2(s);
    if (ZERO == ZERO_MIN) {
        half2 m = *(const half2 *)&r.zero[g];
        *zero = row ? __high2half2(m) : __low2half2(m);
    } else {
        *zero = __float2half2_rn(1024.f + (float)(row ? r.zero[g] >> 8 & 255 : r.zero[g] & 255));
    }
}

template <int GROUP, ZeroKind ZERO>
__global__ void __launch_bounds__(256, 1) k_product(const __grid_constant__ DevLinear w, PrefillX x,
                                                    float *out, int stride, bool add, int tokens)
{
    extern __shared__ __align__(16) __half xs[];
    const int GROUPS = BLOCK_COLS / GROUP, STEPS = GROUP / 16; /* k16 steps a group */
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, wr = warp / 2, wt = warp % 2;
    const int t0 = blockIdx.y * TOKENS, tile0 = blockIdx.x * (ROWS / TILE_ROWS) + wr * 2,
              kb = w.k_blocks;
    const size_t tile_bytes = (size_t)kb * w.block_bytes;
    const uint8_t *tile[2];
#pragma unroll
    for (int i = 0; i < 2; i++)
        tile[i] = w.blocks + min(tile0 + i, w.tiles - 1) * tile_bytes;

    auto fetch = [&](int b) {
        __half *d = xs + (b % STAGES) * STAGE_HALVES;
        for (int i = threadIdx.x; i < TOKENS * (BLOCK_COLS / 8); i += 256) {
            int t = i / (BLOCK_COLS / 8), v = i % (BLOCK_COLS / 8);
            copy16(d + t * X_STRIDE + v * 8, x.x +
                                                 (size_t)min(t0 + t, tokens - 1) * kb * BLOCK_COLS +
                                                 b * BLOCK_COLS + v * 8);
        }
    };
#pragma unroll
    for (int b = 0; b < STAGES - 1; b++) {
        if (b < kb)
            fetch(b);
        copy_commit();
    }
    float acc[2][N_TILES][4];
#pragma unroll
    for (int i = 0; i < 2 * N_TILES * 4; i++)
        (&acc[0][0][0])[i] = 0;
    TileRegs<GROUPS> next[2], cur[2];
#pragma unroll
    for (int i = 0; i < 2; i++)
        load_tile<GROUPS, ZERO>(next[i], tile[i], lane);
    for (int b = 0; b < kb; b++) {
        copy_wait<STAGES - 2>();
        __syncthreads();
        if (b + STAGES - 1 < kb)
            fetch(b + STAGES - 1);
        copy_commit();
#pragma unroll
        for (int i = 0; i < 2; i++) {
            cur[i] = next[i];
            if (b + 1 < kb)
                load_tile<GROUPS, ZERO>(next[i], tile[i] + (size_t)(b + 1) * w.block_bytes, lane);
        }
        const __half *xb =
            xs + (b % STAGES) * STAGE_HALVES + (wt * 64 + lane / 4) * X_STRIDE + lane % 4 * 4;
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            float sum[2][N_TILES][4];
            half2 zero[2][2], scale[2][2];
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int r = 0; r < 2; r++)
                    row_constants<GROUPS, ZERO>(cur[i], g, r, &zero[i][r], &scale[i][r]);
            if (ZERO != ZERO_MIN)
#pragma unroll
                for (int i = 0; i < 2 * N_TILES * 4; i++)
                    (&sum[0][0][0])[i] = 0;
#pragma unroll
            for (int s = 0; s < STEPS; s++) {
                const int step = g * STEPS + s, m = step / 2,
                          half = step % 2; /* 32 columns m, sixteen `half` of them */
                uint32_t a[2][4];
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    uint4 q = cur[i].w[m / 2];
                    uint32_t r0 = (half ? q.z : q.x) >> (m & 1 ? 4 : 0) & 0x0f0f0f0fu;
                    uint32_t r8 = (half ? q.w : q.y) >> (m & 1 ? 4 : 0) & 0x0f0f0f0fu;
                    expand<ZERO>(r0, zero[i][0], scale[i][0], &a[i][0], &a[i][2]);
                    expand<ZERO>(r8, zero[i][1], scale[i][1], &a[i][1], &a[i][3]);
                }
#pragma unroll
                for (int n = 0; n < N_TILES; n++) {
                    uint2 f = *(const uint2 *)(xb + n * 8 * X_STRIDE + step * 16);
#pragma unroll
                    for (int i = 0; i < 2; i++)
                        hmma(ZERO == ZERO_MIN ? acc[i][n] : sum[i][n], a[i], f);
                }
            }
            if (ZERO != ZERO_MIN)
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    float s0 = __low2float(*(const half2 *)&cur[i].scale[g]),
                          s8 = __high2float(*(const half2 *)&cur[i].scale[g]);
#pragma unroll
                    for (int n = 0; n < N_TILES; n++) {
                        acc[i][n][0] += sum[i][n][0] * s0, acc[i][n][1] += sum[i][n][1] * s0;
                        acc[i][n][2] += sum[i][n][2] * s8, acc[i][n][3] += sum[i][n][3] * s8;
                    }
                }
        }
    }
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int n = 0; n < N_TILES; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int row = (tile0 + i) * TILE_ROWS + lane / 4 + (e >= 2 ? 8 : 0);
                int t = t0 + wt * 64 + n * 8 + lane % 4 * 2 + (e & 1);
                if (row < w.n_out && t < tokens) {
                    float y = acc[i][n][e] * x.scale[t] + (w.bias ? w.bias[row] : 0.f);
                    float *o = out + (size_t)t * stride + row;
                    *o = add ? *o + y : y;
                }
            }
}

typedef void (*Product)(const DevLinear, PrefillX, float *, int, bool, int);

static Product product(int group, ZeroKind zero)
{
#define ROW(g)                                                                                     \
    {                                                                                              \
        k_product<g, ZERO_EIGHT>, k_product<g, ZERO_BYTE>, k_product<g, ZERO_MIN>                  \
    }
    static Product const table[4][3] = { ROW(16), ROW(32), ROW(64), ROW(128) };
#undef ROW
    return table[group == 16 ? 0 : group == 32 ? 1 : group == 64 ? 2 : 3][zero];
}

cudaError_t prefill_setup(void)
{
    for (int g = 16; g <= 128; g *= 2)
        for (int z = ZERO_EIGHT; z <= ZERO_MIN; z++) {
            cudaError_t e = cudaFuncSetAttribute((const void *)product(g, (ZeroKind)z),
                                                 cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                 STAGES * STAGE_HALVES * 2);
            if (e != cudaSuccess)
                return e;
        }
    return cudaSuccess;
}

cudaError_t prefill_prepare(const PrefillPrepare *call, const PrefillX *x, cudaStream_t stream)
{
    k_prepare<<<call->tokens, 256, 0, stream>>>(*call, *x);
    return cudaGetLastError();
}

cudaError_t prefill_linear(const DevLinear *w, const PrefillX *x, float *out, int stride, bool add,
                           int tokens, cudaStream_t stream)
{
    dim3 grid(div_up(w->tiles * TILE_ROWS, ROWS), div_up(tokens, TOKENS));
    product(w->group, w->zero)<<<grid, 256, STAGES * STAGE_HALVES * 2, stream>>>(
        *w, *x, out, stride, add, tokens);
    return cudaGetLastError();
}
