/* Prefill products on Hopper. The left operand is the weights: nibbles become halves in registers,
 * a warp's 16 rows being one block of the layout that decoding uses. The right operand is x,
 * brought to shared memory in wgmma's swizzle by bulk copies, because it lies so in memory
 * (wgmma_x_place).
 *
 * A block is one producer warp and one or two warp groups of 128 rows x 16 to 128 tokens. The
 * weights are q - zero, the sums are kept in units of the current group's scale and rescaled when
 * the next begins, so the only roundings are those of x and of the sums. */
#include "kernels/cuda/wgmma_finish.cuh"

#include <math.h>
#include <string.h>

#if HOPPER_CODE
template <int GROUPS, int N, WgmmaWeights KIND>
static __device__ __forceinline__ void consume_tiles(const WgmmaCall &c, Ring r, int first,
                                                     int step, int total, int rank)
{
    const int warp = threadIdx.x / 32;
    const uint32_t unit_bytes = UNIT_TILES * c.part[0].block_bytes,
                   slot = warp / 4 * UNITS * unit_bytes + warp % 4 * c.part[0].block_bytes;
    Consumer<N, KIND> s;
    s.lane = threadIdx.x % 32, s.zero = c.part[0].zero;
    pdl_wait();
    for (int i = first; i < total; i += step) {
        Tile t = tile_of(c, i, rank);
        consume<N, KIND>(s, r, t.to - t.from, slot, unit_bytes);
        if (c.split > 1)
            add_shares<GROUPS, N>(s.sum, r.x, c.split, rank);
        write_tile<GROUPS, N>(c, t, s.sum, rank);
    }
}
#endif

/* The last warp group produces (one warp of it); the others take its registers. */
static __host__ __device__ inline int block_threads(int groups)
{
    return (groups + 1) * 128;
}

template <int GROUPS, int N, WgmmaWeights KIND>
__global__ void __launch_bounds__(GROUPS * 128 + 128, GROUPS == 1 ? 2 : 1)
    k_wgmma(const __grid_constant__ WgmmaCall c)
{
#if HOPPER_CODE
    extern __shared__ __align__(1024) uint8_t raw[];
    const int warp = threadIdx.x / 32;
    Ring r;
    r.stages = c.stages, r.stage = 0, r.phase = 0;
    r.x_bytes = (uint32_t)x_stage_bytes(N);
    r.weight_bytes = GROUPS * UNITS * UNIT_TILES * c.part[0].block_bytes;
    r.x = shared_address(raw), r.weights = r.x + r.stages * r.x_bytes;
    r.full = r.weights + r.stages * r.weight_bytes, r.empty = r.full + MAX_STAGES * 8;
    if (threadIdx.x == 0) {
        for (int i = 0; i < r.stages; i++) {
            barrier_init(r.full + i * 8, 1);
            barrier_init(r.empty + i * 8, GROUPS * 4);
        }
        barrier_init_done();
    }
    __syncthreads();
    pdl_launch();
    const int rank = c.split > 1 ? (int)cluster_rank() : 0;
    const int first = c.first_tile + blockIdx.x / c.split, step = gridDim.x / c.split,
              total = c.end_tile;
    if (warp >= GROUPS * 4) {
        registers_give<24>();
        if (warp == GROUPS * 4)
            produce<GROUPS, N>(c, r, first, step, total, rank);
        if (c.split > 1) {
            cluster_sync();
            cluster_sync();
        }
    } else {
        registers_take<GROUPS == 1 ? 232 : 240>();
        consume_tiles<GROUPS, N, KIND>(c, r, first, step, total, rank);
    }
#endif
}

/* ---- x ---- */

/* Sixteen columns of one token, from the `at`-th in the matrix's order, times the norm's weights;
 * returns their sum of squares before that. */
static __device__ __forceinline__ float load_sixteen(const PrefillPrepare &c, int token, int at,
                                                     bool whole, float v[16])
{
    const float *src = c.src + (size_t)token * c.stride,
                *up = c.up ? c.up + (size_t)token * c.stride : NULL;
    float ss = 0;
#pragma unroll
    for (int q = 0; q < 4; q++) {
        int k[4];
        float *f = v + 4 * q;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int col = at + 4 * q + i;
            k[i] = c.perm ? __ldg(c.perm + col) : col < c.n_in ? col : -1;
            f[i] = 0;
        }
        if (whole && k[0] >= 0) {
            float4 u = __ldcg((const float4 *)(src + k[0]));
            f[0] = u.x, f[1] = u.y, f[2] = u.z, f[3] = u.w;
        } else if (!whole) {
#pragma unroll
            for (int i = 0; i < 4; i++)
                if (k[i] >= 0)
                    f[i] = __ldcg(src + k[i]);
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
            ss += f[i] * f[i];
            if (c.norm && k[i] >= 0)
                f[i] *= __ldg(c.norm + k[i]);
            if (up && k[i] >= 0)
                f[i] = __fdividef(f[i], 1.f + __expf(-f[i])) * __ldcg(up + k[i]);
        }
    }
    return ss;
}

/* A block a token, a thread sixteen columns: RMS norm or SiLU, and x in fp16 where wgmma wants
 * it. */
static __global__ void __launch_bounds__(256)
    k_prepare_wgmma(const __grid_constant__ PrefillPrepare c, WgmmaX x)
{
    __shared__ float share[8], peak[8];
    const int token = blockIdx.x, warp = threadIdx.x / 32, n = c.k_blocks * (BLOCK_COLS / 16);
    const bool whole = !c.perm && c.n_in % 4 == 0 && c.stride % 4 == 0;
    float v[16], ss = 0, top = 0;
    pdl_launch();
    pdl_wait();
    for (int s = threadIdx.x; s < n; s += 256) {
        ss += load_sixteen(c, token, s * 16, whole, v);
#pragma unroll
        for (int i = 0; i < 16; i++)
            top = fmaxf(top, fabsf(v[i]));
    }
    ss = warp_sum(ss), top = warp_max(top);
    if (threadIdx.x % 32 == 0)
        share[warp] = ss, peak[warp] = top;
    __syncthreads();
    ss = 0, top = 0;
    for (int w = 0; w < 8; w++)
        ss += share[w], top = fmaxf(top, peak[w]);
    float rms = c.norm ? rsqrtf(ss / c.n_in + c.eps) : 1.f, down = 1.f;
    if (threadIdx.x == 0 && !(isfinite(ss) && isfinite(top)))
        atomicMin(&c.run->nan_layer, c.layer);
    if (top * rms > 4096.f) /* down to at most that by a power of two */
        down = exp2f(-ceilf(log2f(top * rms / 4096.f)));
    if (threadIdx.x == 0)
        x.scale[token] = 1.f / down;
    for (int s = threadIdx.x; s < n; s += 256) {
        if (n > 256) /* else they are still at hand */
            load_sixteen(c, token, s * 16, whole, v);
        uint32_t w[8];
#pragma unroll
        for (int i = 0; i < 8; i++) { /* even columns, then odd ones */
            const int a = i % 4 * 4 + i / 4;
            half2 h = __floats2half2_rn(v[a] * (rms * down), v[a + 2] * (rms * down));
            w[i] = *(uint32_t *)&h;
        }
        *(uint4 *)(x.x + wgmma_x_place(s * 16, token, WGMMA_TOKENS)) =
            make_uint4(w[0], w[1], w[2], w[3]);
        *(uint4 *)(x.x + wgmma_x_place(s * 16 + 1, token, WGMMA_TOKENS)) =
            make_uint4(w[4], w[5], w[6], w[7]);
    }
}

/* ---- launching ---- */

typedef void (*WgmmaKernel)(const WgmmaCall);

/* Costs in nanoseconds, fitted to what each way to cut took at the seed's shapes on an H100 (460
 * products, tests/bench/results-cuda.md; 7 % off on average). */
static const struct {
    int groups, tokens;
    double alone, pair, end; /* 128 columns with one block or two on an SM, and a tile besides */
    WgmmaKernel kernel[N_WEIGHTS];
} table[] = {
#define ROW(g, n, alone, pair, end)                                                                \
    {                                                                                              \
        g, n, alone, pair, end,                                                                    \
        {                                                                                          \
            k_wgmma<g, n, WEIGHTS_128>, k_wgmma<g, n, WEIGHTS_64>, k_wgmma<g, n, WEIGHTS_32>,      \
                k_wgmma<g, n, WEIGHTS_16>, k_wgmma<g, n, WEIGHTS_MINIMUM>                          \
        }                                                                                          \
    }
    ROW(2, 128, 1495, 0, 9150),  ROW(1, 128, 1430, 1716, 8730), ROW(2, 64, 1227, 0, 3770),
    ROW(1, 64, 789, 1060, 2690), ROW(1, 32, 650, 864, 850),     ROW(1, 16, 603, 789, 0),
#undef ROW
};
enum { N_SHAPES = sizeof table / sizeof *table };
static const double cost_of_launch = 2150, cost_of_second = 757, cost_of_split = 3550;

static int shared_limit_of_block;

static size_t barrier_bytes(void)
{
    return 2 * MAX_STAGES * sizeof(uint64_t);
}

static int stages_of(const WgmmaPlan *plan, int block_bytes)
{
    /* one warp group: two blocks an SM, each with a kilobyte that the system takes */
    size_t room = plan->groups == 1 ? (size_t)(shared_limit_of_block - 1024) / 2
                                    : (size_t)shared_limit_of_block;
    int n = (int)((room - barrier_bytes()) / stage_bytes(plan->groups, plan->tokens, block_bytes));
    if (plan->stages && plan->stages < n)
        n = plan->stages;
    return n < MAX_STAGES ? n : MAX_STAGES;
}

static WgmmaKernel kernel_of(const WgmmaPlan *plan, const DevLinear *w)
{
    const int kind = w->zero == ZERO_MIN ? (w->group == 32 ? WEIGHTS_MINIMUM : N_WEIGHTS)
                     : w->group == 128   ? WEIGHTS_128
                     : w->group == 64    ? WEIGHTS_64
                     : w->group == 32    ? WEIGHTS_32
                                         : WEIGHTS_16;
    for (int i = 0; i < N_SHAPES && kind < N_WEIGHTS; i++)
        if (table[i].groups == plan->groups && table[i].tokens == plan->tokens)
            return table[i].kernel[kind];
    return NULL;
}

static int units_of(const DevLinear *w)
{
    return div_up((long)w->tiles * TILE_ROWS, UNIT_ROWS);
}

static int warp_groups_of(const WgmmaCall *c)
{
    if (c->epilogue == EPILOGUE_SILU)
        return units_of(&c->part[0]);
    int units = 0;
    for (int p = 0; p < c->n_parts; p++)
        units += units_of(&c->part[p]);
    return div_up(units, UNITS);
}

bool wgmma_is_fusible(const WgmmaCall *call)
{
    const DevLinear *a = &call->part[0];
    for (int p = 0; p < call->n_parts; p++) {
        const DevLinear *b = &call->part[p];
        if (!b->blocks || b->group != a->group || b->zero != a->zero || b->perm != a->perm ||
            b->k_blocks != a->k_blocks || b->n_in != a->n_in)
            return false;
    }
    return call->epilogue != EPILOGUE_SILU || a->n_out == call->part[1].n_out;
}

bool wgmma_can_rope(const WgmmaCall *call)
{
    const AttentionCall *a = &call->attention;
    return a->head_dim == UNITS * UNIT_ROWS && a->rope_dims == a->head_dim && !a->interleaved &&
           !a->q_norm && !a->k_norm && wgmma_is_fusible(call);
}

/* Blocks of a kernel that are on an SM at once. */
static int resident(int groups)
{
    return groups == 1 ? 2 : 1;
}

/* Time of `tiles` tiles of shape i, each shared by `split` blocks: rounds over the SMs.  Clusters
 * of four do not fill the processors of a GPU to the last, 7/8 of them is what is counted on. */
static double cost_of_tiles(int i, long tiles, int split, int k_blocks, int n_sms)
{
    const long sms = split < 4 ? n_sms : n_sms * 7 / 8 / split * split, blocks = tiles * split,
               room = sms * resident(table[i].groups), rest = blocks % room;
    const double end = table[i].end + (split > 1 ? cost_of_split : 0),
                 full = resident(table[i].groups) > 1 ? table[i].pair : table[i].alone;
    const int k = div_up(k_blocks, split);
    return blocks / room * (k * full + end) +
           (rest ? k * (rest <= sms ? table[i].alone : full) + end : 0);
}

static long tiles_of(const WgmmaCall *call, const WgmmaPlan *p)
{
    return (long)div_up(warp_groups_of(call), p->groups) * div_up(call->tokens, p->tokens);
}

static double plan_cost(const WgmmaCall *call, int i, const WgmmaPlan *p, int n_sms)
{
    const int kb = call->part[0].k_blocks;
    long tiles = tiles_of(call, p), rest = p->tail > 1 ? tiles % n_sms : 0;
    double cost = cost_of_launch + cost_of_tiles(i, tiles - rest, p->split, kb, n_sms);
    return rest ? cost + cost_of_second + cost_of_tiles(i, rest, p->tail, kb, n_sms) : cost;
}

/* A matter of the shapes and the number of SMs alone: how a product is cut decides its last
 * bits. */
WgmmaPlan wgmma_plan(const WgmmaCall *call, int n_sms)
{
    static const int cuts[][2] = { { 1, 1 }, { 2, 1 }, { 4, 1 }, { 1, 2 }, { 1, 4 } };
    const DevLinear *a = &call->part[0];
    WgmmaPlan best;
    double least = INFINITY;
    memset(&best, 0, sizeof best);
    for (int i = 0; i < N_SHAPES * 5; i++) {
        const int *cut = cuts[i % 5];
        WgmmaPlan p = { table[i / 5].groups, table[i / 5].tokens, cut[0], cut[1], 0 };
        if ((cut[1] > 1 && tiles_of(call, &p) < n_sms) || stages_of(&p, a->block_bytes) < 2)
            continue;
        double cost = plan_cost(call, i / 5, &p, n_sms);
        if (cost < least)
            least = cost, best = p;
    }
    return best;
}

static cudaError_t launch(const void *kernel, int grid, int threads, size_t shared, int cluster,
                          bool pdl, cudaStream_t stream, void **args)
{
    cudaLaunchAttribute attr[2] = {};
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(grid), config.blockDim = dim3(threads), config.dynamicSmemBytes = shared,
    config.stream = stream, config.attrs = attr;
    if (pdl) {
        attr[config.numAttrs].id = cudaLaunchAttributeProgrammaticStreamSerialization;
        attr[config.numAttrs++].val.programmaticStreamSerializationAllowed = 1;
    }
    if (cluster > 1) {
        attr[config.numAttrs].id = cudaLaunchAttributeClusterDimension;
        attr[config.numAttrs].val.clusterDim.x = cluster;
        attr[config.numAttrs].val.clusterDim.y = attr[config.numAttrs].val.clusterDim.z = 1;
        config.numAttrs++;
    }
    return cudaLaunchKernelExC(&config, kernel, args);
}

/* Tiles c->first_tile to c->end_tile. */
static cudaError_t launch_tiles(WgmmaCall *c, const WgmmaPlan *plan, int n_sms, bool pdl,
                                cudaStream_t stream)
{
    /* a split tile leaves its sums in the ring, so no tile may follow it in the same block */
    const int tiles = c->end_tile - c->first_tile, most = n_sms * resident(plan->groups),
              grid = c->split > 1   ? tiles * c->split
                     : tiles < most ? tiles
                                    : most;
    size_t shared = c->stages * stage_bytes(plan->groups, plan->tokens, c->part[0].block_bytes) +
                    barrier_bytes();
    void *args[] = { c };
    return launch((const void *)kernel_of(plan, &c->part[0]), grid, block_threads(plan->groups),
                  shared, c->split, pdl, stream, args);
}

cudaError_t wgmma_linear(const WgmmaCall *call, const WgmmaPlan *plan, int n_sms, bool pdl,
                         cudaStream_t stream)
{
    WgmmaCall c = *call;
    c.stages = stages_of(plan, c.part[0].block_bytes);
    if (!kernel_of(plan, &c.part[0]) || c.stages < 2 ||
        (double)c.stride * WGMMA_TOKENS * 4 > UINT32_MAX)
        return cudaErrorInvalidConfiguration;
    for (int p = 0; p < c.n_parts; p++)
        c.units[p] = units_of(&c.part[p]);
    c.token_tiles = div_up(c.tokens, plan->tokens);
    const int tiles = (int)tiles_of(&c, plan), rest = plan->tail > 1 ? tiles % n_sms : 0;
    cudaError_t e = cudaSuccess;
    c.end_tile = tiles - rest, c.split = plan->split;
    if (c.end_tile)
        e = launch_tiles(&c, plan, n_sms, pdl, stream);
    c.first_tile = c.end_tile, c.end_tile = tiles, c.split = plan->tail;
    return e == cudaSuccess && rest ? launch_tiles(&c, plan, n_sms, pdl, stream) : e;
}

cudaError_t wgmma_prepare(const PrefillPrepare *call, const WgmmaX *x, bool pdl,
                          cudaStream_t stream)
{
    void *args[] = { (void *)call, (void *)x };
    return launch((const void *)k_prepare_wgmma, call->tokens, 256, 0, 1, pdl, stream, args);
}

cudaError_t wgmma_setup(int shared_limit)
{
    shared_limit_of_block = shared_limit;
    for (int i = 0; i < N_WEIGHTS * N_SHAPES; i++) {
        const void *kernel = (const void *)table[i / N_WEIGHTS].kernel[i % N_WEIGHTS];
        cudaError_t e =
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_limit);
        if (e == cudaSuccess)
            e = prefer_shared(kernel);
        if (e != cudaSuccess)
            return e;
    }
    return prefer_shared((const void *)k_prepare_wgmma);
}
