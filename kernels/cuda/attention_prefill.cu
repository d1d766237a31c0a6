/* Prefill attention: 64 queries of a head a block, keys and values in tiles of 64 positions, online
 * softmax in float, products on the fp16 tensor cores (the scheme of FlashAttention-2, arXiv
 * 2307.08691). */
#include "kernels/cuda/attention_task.cuh"

#include <math.h>

enum { Q_ROWS = 64, KV_ROWS = 64 };

/* One warp a head of a token: rope; q to fp16 (scaled for base-2 softmax), k and v to the cache. */
static __global__ void __launch_bounds__(128) k_rope(const __grid_constant__ AttentionCall c)
{
    extern __shared__ float shared[];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, hd = c.head_dim;
    const int heads = c.n_heads + 2 * c.n_kv_heads, unit = blockIdx.x * 4 + warp;
    pdl_launch();
    pdl_wait();
    if (unit >= c.tokens * heads)
        return;
    int token = unit / heads, h = unit % heads, pos = c.run->pos + token;
    const bool is_q = h < c.n_heads, is_v = h >= c.n_heads + c.n_kv_heads;
    float *v = shared + warp * hd;
    load_head<false, 0>(c, c.qkv + (size_t)token * c.stride + h * hd,
                        is_q   ? c.q_norm
                        : is_v ? NULL
                               : c.k_norm,
                        pos, is_q ? rsqrtf((float)hd) * 1.44269504088896f : 1.f, !is_v, v, lane);
    const size_t plane = (size_t)c.run->context * hd;
    __half *dst = is_q ? c.q16 + ((size_t)token * c.n_heads + h) * hd
                       : c.run->kv + ((size_t)c.layer * 2 * c.n_kv_heads + h - c.n_heads) * plane +
                             (size_t)pos * hd;
    for (int d = lane; d < hd; d += 32)
        dst[d] = __float2half_rn(v[d]);
}

#if __CUDA_ARCH__ >= 800 || !defined(__CUDA_ARCH__)
static __device__ __forceinline__ void hmma16(float c[4], const uint32_t a[4], uint32_t b0,
                                              uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#else
static __device__ __forceinline__ void hmma16(float c[4], const uint32_t a[4], uint32_t b0,
                                              uint32_t b1)
{
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5},{%6},{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(b0));
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5},{%6},{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[2]), "r"(a[3]), "r"(b1));
}
#endif

static __device__ __forceinline__ uint32_t pack(float a, float b)
{
    half2 h = __floats2half2_rn(a, b);
    return *(uint32_t *)&h;
}

static __device__ __forceinline__ void load_v(uint32_t r[4], const __half *p)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"((uint32_t)__cvta_generic_to_shared(p)));
}

template <int HD> static __device__ void load_tile(__half *dst, const __half *src, int p0, int p1)
{
    for (int i = threadIdx.x; i < KV_ROWS * HD / 8; i += 128) {
        int r = i / (HD / 8), v = i % (HD / 8);
        uint4 u = make_uint4(0, 0, 0, 0);
        if (p0 + r < p1)
            u = *(const uint4 *)(src + (size_t)(p0 + r) * HD + v * 8);
        *(uint4 *)(dst + r * (HD + 8) + v * 8) = u;
    }
}

template <int HD>
static __global__ void __launch_bounds__(128) k_flash(const __grid_constant__ AttentionCall c)
{
    extern __shared__ __align__(16) __half tiles[];
    __half *ks = tiles, *vs = tiles + KV_ROWS * (HD + 8);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, t = lane % 4, r = lane / 4;
    const int head = blockIdx.y, kv = head / (c.n_heads / c.n_kv_heads), pos = c.run->pos;
    const int q0 = (gridDim.x - 1 - blockIdx.x) * Q_ROWS; /* long ones first */
    const int row[2] = { q0 + warp * 16 + r, q0 + warp * 16 + r + 8 };
    const size_t plane = (size_t)c.run->context * HD;
    const __half *K = c.run->kv + ((size_t)c.layer * 2 * c.n_kv_heads + kv) * plane,
                 *V = K + c.n_kv_heads * plane;
    uint32_t q[HD / 16][4];
#pragma unroll
    for (int s = 0; s < HD / 16; s++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
            uint2 u = make_uint2(0, 0);
            if (row[i] < c.tokens)
                u = *(const uint2 *)(c.q16 + ((size_t)row[i] * c.n_heads + head) * HD + s * 16 +
                                     t * 4);
            q[s][i] = u.x, q[s][i + 2] = u.y;
        }
    float o[HD / 8][4], m[2] = { -INFINITY, -INFINITY }, l[2] = { 0, 0 };
#pragma unroll
    for (int i = 0; i < HD / 2; i++)
        (&o[0][0])[i] = 0;
    const int end = min(pos + q0 + Q_ROWS, pos + c.tokens);
    int begin = c.window ? max(0, pos + q0 - c.window + 1) / KV_ROWS * KV_ROWS : 0;
    for (int p0 = begin; p0 < end; p0 += KV_ROWS) {
        __syncthreads();
        load_tile<HD>(ks, K, p0, end);
        load_tile<HD>(vs, V, p0, end);
        __syncthreads();
        float s[KV_ROWS / 8][4];
#pragma unroll
        for (int j = 0; j < KV_ROWS / 8; j++) {
            s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0;
#pragma unroll
            for (int k = 0; k < HD / 16; k++) {
                uint2 b = *(const uint2 *)(ks + (j * 8 + r) * (HD + 8) + k * 16 + t * 4);
                hmma16(s[j], q[k], b.x, b.y);
            }
        }
        float top[2] = { m[0], m[1] };
#pragma unroll
        for (int j = 0; j < KV_ROWS / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int p = p0 + j * 8 + t * 2 + (e & 1), at = pos + row[e >> 1];
                if (p > at || p >= end || (c.window && p <= at - c.window))
                    s[j][e] = -INFINITY;
                top[e >> 1] = fmaxf(top[e >> 1], s[j][e]);
            }
        float keep[2];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            top[i] = fmaxf(top[i], __shfl_xor_sync(~0u, top[i], 1));
            top[i] = fmaxf(top[i], __shfl_xor_sync(~0u, top[i], 2));
            keep[i] = m[i] == -INFINITY ? 0.f : exp2f(m[i] - top[i]);
            m[i] = top[i];
            l[i] *= keep[i];
        }
#pragma unroll
        for (int d = 0; d < HD / 8; d++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                o[d][e] *= keep[e >> 1];
#pragma unroll
        for (int j = 0; j < KV_ROWS / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                s[j][e] = m[e >> 1] == -INFINITY ? 0.f : exp2f(s[j][e] - m[e >> 1]);
                l[e >> 1] += s[j][e];
            }
#pragma unroll
        for (int k = 0; k < KV_ROWS / 16; k++) {
            uint32_t a[4] = { pack(s[2 * k][0], s[2 * k][1]), pack(s[2 * k][2], s[2 * k][3]),
                              pack(s[2 * k + 1][0], s[2 * k + 1][1]),
                              pack(s[2 * k + 1][2], s[2 * k + 1][3]) };
#pragma unroll
            for (int d = 0; d < HD / 16; d++) {
                uint32_t b[4];
                load_v(b, vs + (k * 16 + (lane / 8 & 1) * 8 + lane % 8) * (HD + 8) + d * 16 +
                              lane / 16 * 8);
                hmma16(o[2 * d], a, b[0], b[1]);
                hmma16(o[2 * d + 1], a, b[2], b[3]);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
        l[i] += __shfl_xor_sync(~0u, l[i], 1);
        l[i] += __shfl_xor_sync(~0u, l[i], 2);
        if (row[i] >= c.tokens)
            continue;
        float *out = c.out + (size_t)row[i] * c.out_stride + head * HD;
#pragma unroll
        for (int d = 0; d < HD / 8; d++)
            *(float2 *)(out + d * 8 + t * 2) =
                make_float2(o[d][2 * i] / l[i], o[d][2 * i + 1] / l[i]);
    }
}

bool attention_can_prefill(int head_dim)
{
    return head_dim == 64 || head_dim == 128;
}

cudaError_t attention_rope(const AttentionCall *call, bool pdl, cudaStream_t stream)
{
    int heads = call->n_heads + 2 * call->n_kv_heads;
    cudaLaunchAttribute attr = {};
    attr.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attr.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(div_up((long)call->tokens * heads, 4));
    config.blockDim = dim3(128);
    config.dynamicSmemBytes = 4 * call->head_dim * sizeof(float);
    config.stream = stream;
    config.attrs = &attr;
    config.numAttrs = pdl ? 1 : 0;
    return cudaLaunchKernelEx(&config, k_rope, *call);
}

cudaError_t attention_prefill(const AttentionCall *call, cudaStream_t stream)
{
    cudaError_t e = attention_rope(call, false, stream);
    if (e != cudaSuccess)
        return e;
    dim3 grid(div_up(call->tokens, Q_ROWS), call->n_heads);
    size_t shared = 2 * (size_t)KV_ROWS * (call->head_dim + 8) * sizeof(__half);
    if (call->head_dim == 64)
        k_flash<64><<<grid, 128, shared, stream>>>(*call);
    else
        k_flash<128><<<grid, 128, shared, stream>>>(*call);
    return cudaGetLastError();
}
