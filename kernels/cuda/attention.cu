/* Decode attention as a kernel of its own (graph driver): a block a task of attention_task.cuh. The
 * last block of a head folds its slices. */
#include "kernels/cuda/attention_task.cuh"

template <int HD>
static __global__ void __launch_bounds__(ATTN_THREADS)
    k_attention(const __grid_constant__ AttentionCall c)
{
    extern __shared__ __align__(16) float shared[];
    __shared__ int last;
    pdl_launch();
    pdl_wait();
    const int hd = HD ? HD : c.head_dim, group = c.n_heads / c.n_kv_heads, head = blockIdx.x;
    AttentionTask t;
    t.qkv = c.qkv, t.stride = c.stride, t.q_norm = c.q_norm, t.k_norm = c.k_norm;
    t.head = head, t.slice = blockIdx.y, t.slices = gridDim.y;
    t.pos = c.run->pos, t.n = c.run->n;
    const int columns = t.n * group,
              used = attention_used(t.slices, div_up(t.pos + t.n, ATTN_CHUNK));
    if (t.slice >= used)
        return;
    const size_t plane = (size_t)c.run->context * hd;
    t.K = c.run->kv + ((size_t)c.layer * 2 * c.n_kv_heads + head) * plane;
    t.V = t.K + c.n_kv_heads * plane;
    t.partial = c.partial + (size_t)head * t.slices * DECODE_TOKENS * group * (hd + 2);
    const float *run = attend<false, HD>(c, t, shared);
    if (used > 1) {
        float *p = t.partial + (size_t)t.slice * columns * (hd + 2);
        for (int i = threadIdx.x; i < columns * (hd + 2); i += ATTN_THREADS)
            p[i] = run[i];
        __threadfence();
        __syncthreads();
        if (threadIdx.x == 0)
            last = atomicAdd(&c.arrived[head], 1) == used - 1;
        __syncthreads();
        if (!last)
            return;
        __threadfence();
        if (threadIdx.x == 0)
            c.arrived[head] = 0;
    }
    for (int i = threadIdx.x; i < columns * hd; i += ATTN_THREADS) {
        int j = i / hd, d = i % hd;
        float y = fold_slices<false>(used > 1 ? NULL : run, t.partial, columns, used, hd, j, d);
        c.out[(size_t)(j / group) * c.out_stride + (head * group + j % group) * hd + d] = y;
    }
}

typedef void (*AttentionKernel)(const AttentionCall);

static AttentionKernel kernel_of(int head_dim)
{
    return head_dim == 64 ? k_attention<64> : head_dim == 128 ? k_attention<128> : k_attention<0>;
}

size_t attention_partial_floats(int n_heads, int n_kv_heads, int head_dim)
{
    return (size_t)n_heads * attention_slices(n_kv_heads) * DECODE_TOKENS * (head_dim + 2);
}

size_t attention_shared_bytes(const AttentionCall *call, int tokens)
{
    return task_floats(tokens * (call->n_heads / call->n_kv_heads), call->head_dim) * sizeof(float);
}

cudaError_t attention_decode(const AttentionCall *call, int tokens, bool pdl, cudaStream_t stream)
{
    cudaLaunchAttribute attr = {};
    attr.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attr.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(call->n_kv_heads, attention_slices(call->n_kv_heads));
    config.blockDim = dim3(ATTN_THREADS);
    config.dynamicSmemBytes = attention_shared_bytes(call, tokens);
    config.stream = stream;
    config.attrs = &attr;
    config.numAttrs = pdl ? 1 : 0;
    return cudaLaunchKernelEx(&config, kernel_of(call->head_dim), *call);
}

cudaError_t attention_setup(int shared_limit)
{
    const int sizes[3] = { 64, 128, 0 };
    for (int i = 0; i < 3; i++) {
        const void *kernel = (const void *)kernel_of(sizes[i]);
        cudaError_t e = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                             shared_limit - 1024);
        if (e == cudaSuccess)
            e = prefer_shared(kernel);
        if (e != cudaSuccess)
            return e;
    }
    return cudaSuccess;
}
