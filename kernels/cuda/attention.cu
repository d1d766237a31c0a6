/* Decode attention as a kernel of its own (graph driver): a block a task of attention_task.cuh. The
 * last block of a head folds its slices. */
#include "kernels/cuda/attention_task.cuh"

/* K and V straight out of the cache. */
struct GlobalRows {
    const __half *K, *V;
    int hd;

    __device__ __forceinline__ const __half *take(int kind, int chunk) const
    {
        return (kind ? V : K) + (size_t)chunk * ATTN_CHUNK * hd;
    }
    __device__ __forceinline__ void begin(int) const
    {
    }
    __device__ __forceinline__ void done(int) const
    {
    }
    __device__ __forceinline__ void next(int) const
    {
    }
};

static __device__ __forceinline__ void put(const AttentionCall &c, int head, int j, int d, float y)
{
    const int group = c.n_heads / c.n_kv_heads;
    c.out[(size_t)(j / group) * c.out_stride + (head * group + j % group) * c.head_dim + d] = y;
}

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
    GlobalRows rows = { t.K, t.V, hd };
    float *partial = t.partial + (size_t)t.slice * columns * (hd + 2);
    auto give = [&](int j, int d, float m, float l, float y) {
        if (used == 1) {
            put(c, head, j, d, __fdividef(y, l));
            return;
        }
        float *p = partial + (size_t)j * (hd + 2);
        if (d == 0)
            p[0] = m, p[1] = l;
        p[2 + d] = y;
    };
    if (columns == 1)
        attend<false, HD, 1>(c, t, shared, rows, give);
    else
        attend<false, HD, FOLD>(c, t, shared, rows, give);
    if (used == 1)
        return;
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
    for (int i = threadIdx.x; i < columns * hd; i += ATTN_THREADS)
        put(c, head, i / hd, i % hd,
            fold_slices<false>(-INFINITY, 0, 0, t.partial, columns, 0, used, hd, i / hd, i % hd));
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
    return task_floats(tokens * (call->n_heads / call->n_kv_heads), tokens, call->head_dim) *
           sizeof(float);
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
