/* What the CUDA files share: the device's view of a model, sizes of tiles, and small helpers.
 *
 * Four-bit weights lie in blocks of 16 rows x 128 columns (Q4_BLOCK): 1024 bytes of nibbles in the
 * order in which a warp's lanes feed mma.m16n8k32, then the scales of each group for the rows r and
 * r + 8 side by side, then zeros or minima. Columns are sorted by group (act-order is folded in
 * here), padded to a multiple of 128 with columns that meet x = 0. */
#ifndef KERNELS_CUDA_COMMON_CUH
#define KERNELS_CUDA_COMMON_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <stdint.h>

#include "kernels/cuda/places.cuh"
#include "kernels/kernels.h"

enum {
    TILE_ROWS = 16,
    BLOCK_COLS = 128,    /* columns of a block; one scale of x each */
    NIBBLE_BYTES = 1024, /* of a block */
    DECODE_TOKENS = 4,   /* at once: two columns of an mma each */
    LINEAR_WARPS = 8,
    LINEAR_THREADS = LINEAR_WARPS * 32,
    ATTN_CHUNK = 64, /* positions; fixed, so that rounding depends on nothing else */
    ATTN_THREADS = 512,
    PREFILL_TOKENS = 512, /* at once */
    PREFILL_FROM = 17     /* tokens from which matrix products beat decode steps of four */
};

typedef enum { ZERO_EIGHT, ZERO_BYTE, ZERO_MIN } ZeroKind;

/* One matrix on the device. */
typedef struct {
    int n_out, n_in;
    /* 4-bit */
    const uint8_t *blocks; /* [tiles][k_blocks][block_bytes]; NULL when dense */
    int tiles, k_blocks, block_bytes;
    int group; /* columns a scale: 16, 32, 64 or 128 */
    ZeroKind zero;
    const int *perm; /* [k_blocks * 128]: column of x, or -1; NULL: as it is */
    /* dense */
    DType dtype;
    const void *dense;      /* rows of n_in; Q8_0: int8 rows */
    const __half *q8_scale; /* Q8_0: [n_out][n_in / 32] */
    const float *bias;      /* NULL: none */
} DevLinear;

typedef struct {
    const float *attn_norm, *ffn_norm, *q_norm, *k_norm; /* q_norm, k_norm may be NULL */
    DevLinear q, k, v, o, gate, up, down;
} DevLayer;

/* Varying data of a launch: in device memory, so that a captured graph is never patched. */
typedef struct {
    __half *kv; /* of the timeline: [layer][K, V][kv head][context][head_dim] */
    int context;
    int pos; /* position of ids[0] */
    int n;   /* tokens of this launch */
    int ids[DECODE_TOKENS];
    int nan_layer; /* first layer with a value that is not finite; INT_MAX: none */
} RunState;

static inline __host__ __device__ int div_up(long a, long b)
{
    return (int)((a + b - 1) / b);
}

static inline __host__ __device__ int q4_block_bytes(int group, ZeroKind zero)
{
    int groups = BLOCK_COLS / group;
    return NIBBLE_BYTES + groups * TILE_ROWS * (zero == ZERO_EIGHT ? 2 : zero == ZERO_BYTE ? 3 : 4);
}

#ifdef __CUDACC__
/* Programmatic dependent launch: a kernel may start before the one in front has ended, and must
 * call pdl_wait in every thread before it reads what that one wrote (and before it ends, so that
 * completion is transitive). */
static __device__ __forceinline__ void pdl_wait(void)
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

static __device__ __forceinline__ void pdl_launch(void)
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/* 16 bytes from global to shared memory in the background (before sm_80: at once). */
static __device__ __forceinline__ void copy16(void *shared, const void *global)
{
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "cp.async.cg.shared.global [%0],[%1],16;" ::"r"((uint32_t)__cvta_generic_to_shared(shared)),
        "l"(global));
#else
    *(uint4 *)shared = *(const uint4 *)global;
#endif
}

static __device__ __forceinline__ void copy_commit(void)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/* Until at most N of this thread's commits are under way. */
template <int N> static __device__ __forceinline__ void copy_wait(void)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

static __device__ __forceinline__ void prefetch_l2(const void *p)
{
    asm volatile("prefetch.global.L2 [%0];" ::"l"(p));
}

/* One split of L1 and shared memory for all decode kernels: an SM must run dry before it changes
 * it. */
static inline cudaError_t prefer_shared(const void *kernel)
{
    return cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                                cudaSharedmemCarveoutMaxShared);
}

static __device__ __forceinline__ float warp_sum(float v)
{
    for (int o = 16; o; o >>= 1)
        v += __shfl_xor_sync(~0u, v, o);
    return v;
}

static __device__ __forceinline__ float warp_max(float v)
{
    for (int o = 16; o; o >>= 1)
        v = fmaxf(v, __shfl_xor_sync(~0u, v, o));
    return v;
}

static __device__ __forceinline__ uint32_t warp_max_bits(uint32_t v)
{
#if __CUDA_ARCH__ >= 800
    return __reduce_max_sync(~0u, v);
#else
    for (int o = 16; o; o >>= 1)
        v = max(v, __shfl_xor_sync(~0u, v, o));
    return v;
#endif
}

static __device__ __forceinline__ int warp_sum_int(int v)
{
#if __CUDA_ARCH__ >= 800
    return __reduce_add_sync(~0u, v);
#else
    for (int o = 16; o; o >>= 1)
        v += __shfl_xor_sync(~0u, v, o);
    return v;
#endif
}
#endif

#endif
