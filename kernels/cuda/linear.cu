/* Linear layers for one to four tokens: 4-bit weights on the int8 tensor cores (phases.cuh), dense
 * weights in float.
 *
 * Each warp has a ring of its own in shared memory, filled in the background.  Its first stages are
 * asked for before pdl_wait: weights depend on nothing, so the memory is busy while the kernel in
 * front ends. */
#include "kernels/cuda/linear.cuh"
#include "kernels/cuda/phases.cuh"

#include <limits.h>

/* Of a warp's ring; a stage is a block of each of two tiles.  Cards with little shared memory take
 * two. */
enum { STAGES = 4, FEW_STAGES = 2 };

static __host__ __device__ inline size_t ring_bytes(int block_bytes, int stages)
{
    return (size_t)LINEAR_WARPS * stages * 2 * block_bytes;
}

static __host__ __device__ inline int sum_floats(int tokens)
{
    return SUM_WARPS * 32 * tokens;
}

static __host__ __device__ inline int call_pairs(const LinearCall &c, int part)
{
    return c.epilogue == EPILOGUE_SILU ? c.part[0].tiles : c.part[part].tiles / 2;
}

/* Where the two tiles of pair `pair` of a part lie. */
static __device__ __forceinline__ void pair_tiles(const LinearCall &c, int part, int pair,
                                                  const uint8_t *tile[2])
{
    const DevLinear &a = c.part[part];
    size_t bytes = (size_t)a.k_blocks * a.block_bytes;
    if (c.epilogue == EPILOGUE_SILU) {
        tile[0] = c.part[0].blocks + pair * bytes;
        tile[1] = c.part[1].blocks + pair * bytes;
    } else {
        tile[0] = a.blocks + 2 * (size_t)pair * bytes;
        tile[1] = tile[0] + bytes;
    }
}

static __device__ float epilogue_value(const float *red, int row, int token, int tokens)
{
    float y = 0;
#pragma unroll
    for (int w = 0; w < SUM_WARPS; w++)
        y += red[(w * 32 + row) * tokens + token];
    return y;
}

/* 1 / rms of a token, out of the shares of the sum of squares; notes the first layer that is not
 * finite. */
static __device__ float finish_norm(const LinearCall &c, const float *share, int token)
{
    float s = 0;
#pragma unroll
    for (int w = 0; w < SUM_WARPS; w++)
        s += share[w * DECODE_TOKENS + token];
    if (!isfinite(s) && blockIdx.x == 0 && c.run)
        atomicMin(&c.run->nan_layer, c.layer);
    return inverse_rms(s, c.part[0].n_in, c.eps);
}

static __device__ void epilogue(const LinearCall &c, int part, int pair, const float *red,
                                const float *share, int tokens)
{
    const int token = threadIdx.x / 32, row = threadIdx.x % 32;
    if (token >= tokens)
        return;
    float *out = c.out + (size_t)token * c.out_stride + c.out_offset[part];
    float scale = share ? finish_norm(c, share, token) : 1.f;
    if (c.epilogue == EPILOGUE_SILU) {
        int n = pair * TILE_ROWS + row;
        if (row >= TILE_ROWS || n >= c.part[0].n_out)
            return;
        float g = finish_row(epilogue_value(red, row, token, tokens), scale,
                             c.part[0].bias ? c.part[0].bias[n] : 0.f);
        float u = finish_row(epilogue_value(red, row + TILE_ROWS, token, tokens), scale,
                             c.part[1].bias ? c.part[1].bias[n] : 0.f);
        out[n] = silu_times(g, u);
        return;
    }
    int n = pair * 32 + row;
    if (n >= c.part[part].n_out)
        return;
    float y = finish_row(epilogue_value(red, row, token, tokens), scale,
                         c.part[part].bias ? c.part[part].bias[n] : 0.f);
    out[n] = c.epilogue == EPILOGUE_ADD ? __fadd_rn(out[n], y) : y;
}

template <int GROUP, ZeroKind ZERO>
__global__ void __launch_bounds__(LINEAR_THREADS, 2) k_linear(const __grid_constant__ LinearCall c)
{
    extern __shared__ __align__(16) uint8_t raw[];
    __shared__ float share[SUM_WARPS * DECODE_TOKENS];
    typedef Weights<GROUP, ZERO> W;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int k_blocks = c.part[0].k_blocks, block_bytes = c.part[0].block_bytes;
    const int p1 = call_pairs(c, 0),
              p2 = c.epilogue == EPILOGUE_SILU || c.n_parts < 2 ? p1 : p1 + call_pairs(c, 1);
    const int total = c.epilogue == EPILOGUE_SILU || c.n_parts < 3 ? p2 : p2 + call_pairs(c, 2);
    const bool two_x = c.epilogue == EPILOGUE_SILU && c.part[0].perm != c.part[1].perm;

    /* the warp's blocks in order: (pair, k) flattened, asked for STAGES - 1 ahead of their use */
    const int stages = c.stages;
    uint8_t *ring = raw + (size_t)warp * stages * 2 * block_bytes;
    int ask_pair = blockIdx.x, ask_k = warp, ask_stage = 0;
    auto ask = [&]() {
        while (ask_pair < total &&
               ask_k >= k_blocks) { /* its first sum, then its second, then the next pair */
            bool second = ask_k % SUM_WARPS >= LINEAR_WARPS;
            ask_pair += second ? gridDim.x : 0;
            ask_k = second ? warp : warp + LINEAR_WARPS;
        }
        if (ask_pair < total) {
            int part = ask_pair < p1 ? 0 : ask_pair < p2 ? 1 : 2;
            const uint8_t *tile[2];
            pair_tiles(c, part, ask_pair - (part == 0 ? 0 : part == 1 ? p1 : p2), tile);
            uint8_t *to = ring + (size_t)ask_stage * 2 * block_bytes;
            size_t at = (size_t)ask_k * block_bytes;
            for (int i = lane * 16; i < block_bytes; i += 512) {
                copy16(to + i, tile[0] + at + i);
                copy16(to + block_bytes + i, tile[1] + at + i);
            }
            ask_k += SUM_WARPS;
        }
        copy_commit(); /* also when there was nothing: copy_wait counts */
        ask_stage = ask_stage + 1 == stages ? 0 : ask_stage + 1;
    };
    for (int i = 0; i < stages - 1; i++)
        ask();
    prefetch_columns(c.norm,
                     c.part[blockIdx.x < p1   ? 0
                            : blockIdx.x < p2 ? 1
                                              : 2]
                         .perm,
                     c.part[0].n_in, k_blocks);
    pdl_launch();
    pdl_wait();

    const int tokens = c.tokens ? c.tokens : c.run->n;
    const int token = min(lane % 4, tokens - 1);
    XShared x[2];
    float *red = (float *)(raw + ring_bytes(block_bytes, stages));
    uint8_t *x_raw = (uint8_t *)(red + 2 * sum_floats(tokens));
    x[0] = x_shared(x_raw, k_blocks, GROUP, tokens);
    x[1] = x_shared(x_raw + (two_x ? x_shared_bytes(k_blocks, GROUP, tokens) : 0), k_blocks, GROUP,
                    tokens);
    int have = -1, turn = 0, stage = 0; /* have: part whose order of columns x is in */
    for (int pair = blockIdx.x; pair < total; pair += gridDim.x, turn ^= 1) {
        int part = pair < p1 ? 0 : pair < p2 ? 1 : 2, first = part == 0 ? 0 : part == 1 ? p1 : p2;
        if (have < 0 || c.part[have].perm != c.part[part].perm) {
            float ss[DECODE_TOKENS][2];
            if (have >= 0)
                __syncthreads();
            quantise_x<GROUP>(x[0], c.x, c.part[0].n_in, c.x_stride, c.norm, c.part[part].perm,
                              k_blocks, tokens, ss);
            if (c.norm)
#pragma unroll
                for (int i = 0; i < 2 * DECODE_TOKENS; i++) {
                    float s = warp_sum(ss[i / 2][i % 2]);
                    if (lane == 0)
                        share[(warp + i % 2 * LINEAR_WARPS) * DECODE_TOKENS + i / 2] = s;
                }
            if (two_x)
                quantise_x<GROUP>(x[1], c.x, c.part[0].n_in, c.x_stride, c.norm, c.part[1].perm,
                                  k_blocks, tokens, ss);
            __syncwarp(); /* a warp meets only blocks that it quantised itself */
            have = part;
        }
#pragma unroll 1
        for (int sum = warp; sum < SUM_WARPS; sum += LINEAR_WARPS) {
            float acc[2][2] = { { 0, 0 }, { 0, 0 } };
            for (int k = sum; k < k_blocks; k += SUM_WARPS) {
                if (stages == STAGES)
                    copy_wait<STAGES - 2>();
                else
                    copy_wait<FEW_STAGES - 2>();
                __syncwarp(); /* all lanes' copies are there, and all are done with the stage that
                                 is asked for next */
                W cur[2];
                cur[0].load(ring + (size_t)stage * 2 * block_bytes, lane);
                cur[1].load(ring + ((size_t)stage * 2 + 1) * block_bytes, lane);
                stage = stage + 1 == stages ? 0 : stage + 1;
                ask();
#pragma unroll
                for (int t = 0; t < 2; t++) {
                    if (t == 0 || two_x) {
                        Fragments<GROUP> f;
                        f.load(x[t], k, tokens, tokens, token, lane);
                        block_dot<GROUP, ZERO>(acc[t], cur[t], f.b, f.sums, f.scale);
                        if (t == 0 && !two_x)
                            block_dot<GROUP, ZERO>(acc[1], cur[1], f.b, f.sums, f.scale);
                    }
                }
            }
            if (lane % 4 < tokens) {
                float *d = red + turn * sum_floats(tokens) + sum * 32 * tokens + lane % 4;
                int r = lane / 4;
                d[r * tokens] = acc[0][0], d[(r + 8) * tokens] = acc[0][1];
                d[(r + 16) * tokens] = acc[1][0], d[(r + 24) * tokens] = acc[1][1];
            }
        }
        __syncthreads();
        epilogue(c, part, pair - first, red + turn * sum_floats(tokens), c.norm ? share : NULL,
                 tokens);
    }
}

template <typename T>
__global__ void k_dense(const __grid_constant__ LinearCall c, int first, int ld);

typedef void (*LinearKernel)(const LinearCall);

static LinearKernel linear_kernel(int group, ZeroKind zero)
{
#define ROW(g)                                                                                     \
    {                                                                                              \
        k_linear<g, ZERO_EIGHT>, k_linear<g, ZERO_BYTE>, k_linear<g, ZERO_MIN>                     \
    }
    static LinearKernel const table[4][3] = { ROW(16), ROW(32), ROW(64), ROW(128) };
#undef ROW
    return table[group == 16 ? 0 : group == 32 ? 1 : group == 64 ? 2 : 3][zero];
}

bool linear_is_fusible(const LinearCall *call)
{
    const DevLinear *a = &call->part[0];
    if (!a->blocks)
        return false;
    for (int p = 1; p < call->n_parts; p++) {
        const DevLinear *b = &call->part[p];
        if (!b->blocks || b->group != a->group || b->zero != a->zero ||
            b->k_blocks != a->k_blocks || b->n_in != a->n_in)
            return false;
    }
    return true;
}

static size_t shared_bytes(const LinearCall *call, int tokens, int stages)
{
    const DevLinear *a = &call->part[0];
    size_t one = x_shared_bytes(a->k_blocks, a->group, tokens);
    bool two = call->epilogue == EPILOGUE_SILU && a->perm != call->part[1].perm;
    return ring_bytes(a->block_bytes, stages) + 2 * sum_floats(tokens) * sizeof(float) +
           (two ? 2 * one : one);
}

static int stages_of(const LinearCall *call, int tokens, int shared_limit)
{
    for (int stages = STAGES; stages >= FEW_STAGES; stages -= STAGES - FEW_STAGES)
        if (shared_bytes(call, tokens, stages) + SUM_WARPS * DECODE_TOKENS * sizeof(float) <=
            (size_t)shared_limit)
            return stages;
    return 0;
}

bool linear_fits(const LinearCall *call, int tokens, int shared_limit)
{
    return stages_of(call, tokens, shared_limit) > 0;
}

cudaError_t linear_setup(int shared_limit)
{
    for (int g = 16; g <= 128; g *= 2)
        for (int z = ZERO_EIGHT; z <= ZERO_MIN; z++) {
            cudaFuncAttributes attr;
            cudaError_t e =
                cudaFuncGetAttributes(&attr, (const void *)linear_kernel(g, (ZeroKind)z));
            if (e == cudaSuccess)
                e = cudaFuncSetAttribute((const void *)linear_kernel(g, (ZeroKind)z),
                                         cudaFuncAttributeMaxDynamicSharedMemorySize,
                                         shared_limit - (int)attr.sharedSizeBytes);
            if (e == cudaSuccess)
                e = prefer_shared((const void *)linear_kernel(g, (ZeroKind)z));
            if (e != cudaSuccess)
                return e;
        }
    const void *dense[] = { (const void *)k_dense<float>, (const void *)k_dense<__half>,
                            (const void *)k_dense<__nv_bfloat16>, (const void *)k_dense<int8_t> };
    for (int i = 0; i < 4; i++) {
        cudaError_t e = prefer_shared(dense[i]);
        if (e != cudaSuccess)
            return e;
    }
    return cudaSuccess;
}

cudaError_t linear_quantised(const LinearCall *given, int n_sms, int shared_limit, bool pdl,
                             cudaStream_t stream)
{
    LinearCall copy = *given, *call = &copy;
    const int tokens = copy.tokens ? copy.tokens : DECODE_TOKENS;
    copy.stages = stages_of(given, tokens, shared_limit);
    if (!copy.stages)
        return cudaErrorInvalidConfiguration;
    int pairs = 0;
    for (int p = 0; p < (call->epilogue == EPILOGUE_SILU ? 1 : call->n_parts); p++)
        pairs += call_pairs(*call, p);
    cudaLaunchAttribute attr = {};
    attr.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attr.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(pairs < n_sms ? pairs : n_sms);
    config.blockDim = dim3(LINEAR_THREADS);
    config.dynamicSmemBytes = shared_bytes(call, tokens, copy.stages);
    config.stream = stream;
    config.attrs = &attr;
    config.numAttrs = pdl ? 1 : 0;
    return cudaLaunchKernelEx(&config, linear_kernel(call->part[0].group, call->part[0].zero),
                              *call);
}

static __device__ __forceinline__ uint4 load_weights(const uint8_t *p)
{
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3},[%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(p));
    return v;
}

/* ---- dense weights ---- */

static __device__ __forceinline__ void load8(const float *p, float w[8])
{
    float4 a = __ldg((const float4 *)p), b = __ldg((const float4 *)p + 1);
    w[0] = a.x, w[1] = a.y, w[2] = a.z, w[3] = a.w, w[4] = b.x, w[5] = b.y, w[6] = b.z, w[7] = b.w;
}

static __device__ __forceinline__ void load8(const __half *p, float w[8])
{
    uint4 u = load_weights((const uint8_t *)p);
    const half2 *h = (const half2 *)&u;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float2 f = __half22float2(h[i]);
        w[2 * i] = f.x, w[2 * i + 1] = f.y;
    }
}

static __device__ __forceinline__ void load8(const __nv_bfloat16 *p, float w[8])
{
    uint4 u = load_weights((const uint8_t *)p);
    const uint32_t *v = (const uint32_t *)&u;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        w[2 * i] = __uint_as_float(v[i] << 16);
        w[2 * i + 1] = __uint_as_float(v[i] & 0xffff0000u);
    }
}

static __device__ __forceinline__ void load8(const int8_t *p, float w[8])
{
    uint2 u = __ldg((const uint2 *)p);
    const int8_t *b = (const int8_t *)&u;
#pragma unroll
    for (int i = 0; i < 8; i++)
        w[i] = b[i];
}

/* A warp a row; lanes take 8 columns every 256 in order, then fold in a fixed tree.  x in shared
 * memory, one token after the other in registers.  Rows of n_in % 8 != 0 were padded with zeros at
 * load (stride `ld`). */
template <typename T>
__global__ void __launch_bounds__(256)
    k_dense(const __grid_constant__ LinearCall c, int first, int ld)
{
    extern __shared__ __align__(16) float xs[];
    const DevLinear &a = c.part[0];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int tokens = (c.tokens ? c.tokens : c.run->n) - first;
    tokens = min(tokens, (int)DECODE_TOKENS);
    for (int i = threadIdx.x; i < tokens * ld; i += blockDim.x) {
        int t = i / ld, k = i % ld;
        xs[i] = k < a.n_in ? c.x[(size_t)(first + t) * c.x_stride + k] : 0.f;
    }
    __syncthreads();
    for (int n = blockIdx.x * 8 + warp; n < a.n_out; n += gridDim.x * 8) {
        const T *row = (const T *)a.dense + (size_t)n * ld;
        float acc[DECODE_TOKENS] = { 0, 0, 0, 0 };
#pragma unroll 4
        for (int k = lane * 8; k < ld; k += 256) {
            float w[8];
            load8(row + k, w);
            if (sizeof(T) == 1) {
                float s = __half2float(a.q8_scale[(size_t)n * (ld / 32) + k / 32]);
#pragma unroll
                for (int i = 0; i < 8; i++)
                    w[i] *= s;
            }
#pragma unroll
            for (int t = 0; t < DECODE_TOKENS; t++) {
                if (t >= tokens)
                    break;
                const float4 *x4 = (const float4 *)(xs + t * ld + k);
                float4 u = x4[0], v = x4[1];
                acc[t] += w[0] * u.x + w[1] * u.y + w[2] * u.z + w[3] * u.w + w[4] * v.x +
                          w[5] * v.y + w[6] * v.z + w[7] * v.w;
            }
        }
#pragma unroll
        for (int t = 0; t < DECODE_TOKENS; t++) {
            if (t >= tokens)
                break;
            float y = warp_sum(acc[t]);
            if (lane == 0) {
                float *out = c.out + (size_t)(first + t) * c.out_stride + c.out_offset[0] + n;
                y += a.bias ? a.bias[n] : 0.f;
                *out = c.epilogue == EPILOGUE_ADD ? *out + y : y;
            }
        }
    }
}

cudaError_t linear_dense(const LinearCall *call, int n_sms, cudaStream_t stream)
{
    const DevLinear *a = &call->part[0];
    int tokens = call->tokens ? call->tokens : DECODE_TOKENS, ld = div_up(a->n_in, 32) * 32;
    int grid = div_up(a->n_out, 8);
    if (grid > n_sms * 8)
        grid = n_sms * 8;
    for (int first = 0; first < tokens; first += DECODE_TOKENS) {
        int n = tokens - first < DECODE_TOKENS ? tokens - first : DECODE_TOKENS;
        size_t shared = (size_t)n * ld * sizeof(float);
        void (*kernel)(const LinearCall, int, int) = a->dtype == DTYPE_F32   ? k_dense<float>
                                                     : a->dtype == DTYPE_F16 ? k_dense<__half>
                                                     : a->dtype == DTYPE_BF16
                                                         ? k_dense<__nv_bfloat16>
                                                         : k_dense<int8_t>;
        if (shared > 48 * 1024) {
            cudaError_t e = cudaFuncSetAttribute(
                (const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared);
            if (e != cudaSuccess)
                return e;
        }
        kernel<<<grid, 256, shared, stream>>>(*call, first, ld);
        cudaError_t e = cudaGetLastError();
        if (e != cudaSuccess)
            return e;
    }
    return cudaSuccess;
}
