/* The end of a tile of a product by wgmma: shares of a cluster added, biases, the residual
 * stream or SiLU, and the write. */
#ifndef KERNELS_CUDA_WGMMA_FINISH_CUH
#define KERNELS_CUDA_WGMMA_FINISH_CUH

#include "kernels/cuda/wgmma_product.cuh"

#if HOPPER_CODE
/* Adds the sums of the blocks of a cluster in order of rank.  The eight tokens j belong to rank j %
 * split, in whose ring (which nobody uses any more) the others leave theirs.  split: 2 or 4. */
template <int GROUPS, int N>
static __device__ __forceinline__ void add_shares(float (&sum)[UNITS][N / 2], uint32_t ring,
                                                  int split, int rank)
{
    const int PER = 4 * UNITS;
    const uint32_t STRIDE = GROUPS * 128 * 4, shift = split / 2,
                   share = ((N / 8 + split - 1) >> shift) * PER * STRIDE; /* bytes of a rank's */
    const uint32_t mine = ring + threadIdx.x * 4;
    cluster_sync();
#pragma unroll
    for (int j = 0; j < N / 8; j++) {
        const int owner = j & (split - 1);
        if (owner == rank)
            continue;
        uint32_t to = cluster_address(mine + rank * share + (j >> shift) * PER * STRIDE, owner);
#pragma unroll
        for (int i = 0; i < PER; i++)
            cluster_store(to + i * STRIDE, sum[i / 4][j * 4 + i % 4]);
    }
    cluster_sync();
#pragma unroll
    for (int j = 0; j < N / 8; j++) {
        if ((j & (split - 1)) != rank)
            continue;
        float total[PER];
#pragma unroll
        for (int i = 0; i < PER; i++)
            total[i] = 0;
#pragma unroll 1
        for (int q = 0; q < split; q++) {
            const uint32_t from = mine + q * share + (j >> shift) * PER * STRIDE;
            float v[PER];
#pragma unroll
            for (int i = 0; i < PER; i++)
                v[i] = __uint_as_float(shared_word(from + i * STRIDE));
#pragma unroll
            for (int i = 0; i < PER; i++) /* what lies at our own place is not ours */
                total[i] += q == rank ? sum[i / 4][j * 4 + i % 4] : v[i];
        }
#pragma unroll
        for (int i = 0; i < PER; i++)
            sum[i / 4][j * 4 + i % 4] = total[i];
    }
}

/* Where a thread's sums go: rows r and r + 8 of each unit, tokens token + 8 j and one further. */
struct Target {
    uint32_t at[UNITS][2]; /* bytes from out; for the first token */
    bool valid[UNITS][2];
    float bias[UNITS][2];
    uint32_t step; /* bytes a token */
    int token, tokens;
    uint32_t eights; /* bit j: the tokens of j are ours to write */
};

static __device__ __forceinline__ void find_target(const WgmmaCall &c, int index, Target &o)
{
    o.step = (uint32_t)c.stride * 4, o.tokens = c.tokens;
#pragma unroll
    for (int i = 0; i < UNITS; i++)
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int part, row = unit_of(c, index, i, &part) + wgmma_row(threadIdx.x % 128, 2 * h);
            const DevLinear &w = c.part[part];
            o.valid[i][h] = row < w.n_out;
            o.bias[i][h] = w.bias && o.valid[i][h] ? __ldg(w.bias + row) : 0.f;
            o.at[i][h] = (uint32_t)(row + (c.epilogue == EPILOGUE_SILU ? 0 : c.offset[part])) * 4 +
                         (uint32_t)o.token * o.step;
        }
}

static __device__ __forceinline__ bool is_ours(const Target &o, int j, int i)
{
    return (o.eights >> j & 1) && o.token + j * 8 + (i & 1) < o.tokens;
}

static __device__ __forceinline__ float *target_of(float *out, const Target &o, int u, int j, int i)
{
    return (float *)((char *)out + (o.at[u][i / 2] + (uint32_t)(j * 8 + (i & 1)) * o.step));
}

static __device__ __forceinline__ float silu(float g, float u)
{
    return __fdividef(g, 1.f + __expf(-g)) * u;
}

/* Sums to values: the scale of x, the bias. */
template <int N>
static __device__ __forceinline__ void finish_sums(const WgmmaCall &c, const Target &o,
                                                   float (&sum)[UNITS][N / 2])
{
#pragma unroll
    for (int j = 0; j < N / 8; j++) {
        float2 scale = __ldcg((const float2 *)(c.x.scale + o.token) + j * 4);
#pragma unroll
        for (int u = 0; u < UNITS; u++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                sum[u][j * 4 + i] =
                    sum[u][j * 4 + i] * (i & 1 ? scale.y : scale.x) + o.bias[u][i / 2];
    }
    if (c.epilogue == EPILOGUE_SILU)
#pragma unroll
        for (int i = 0; i < N / 2; i++)
            sum[0][i] = silu(sum[0][i], sum[1][i]);
}

/* Adds the residual stream: JS times eight tokens are read before the first is needed. */
template <int N, int JS>
static __device__ __forceinline__ void add_old(float *out, const Target &o,
                                               float (&sum)[UNITS][N / 2])
{
#pragma unroll
    for (int j0 = 0; j0 < N / 8; j0 += JS) {
        float old[UNITS][JS * 4];
#pragma unroll
        for (int u = 0; u < UNITS; u++)
#pragma unroll
            for (int k = 0; k < JS * 4; k++) {
                old[u][k] = 0;
                if (o.valid[u][k % 4 / 2] && is_ours(o, j0 + k / 4, k % 4))
                    old[u][k] = __ldcg(target_of(out, o, u, j0 + k / 4, k % 4));
            }
#pragma unroll
        for (int u = 0; u < UNITS; u++)
#pragma unroll
            for (int k = 0; k < JS * 4; k++)
                sum[u][j0 * 4 + k] += old[u][k];
    }
}

/* q, k or v of one head: rotated, q to q16 (scaled for base-2 softmax), k and v to the cache.
 * Unit 0 holds dimensions 0 to 63, unit 1 the others, so a thread has both of each pair. */
template <int N>
static __device__ __forceinline__ void write_head(const WgmmaCall &c, const Target &o, int index,
                                                  float (&sum)[UNITS][N / 2])
{
    const int HD = UNITS * UNIT_ROWS;
    const AttentionCall &a = c.attention;
    int part, head = unit_of(c, index, 0, &part) / HD;
    const int pos = a.run->pos, d = wgmma_row(threadIdx.x % 128, 0);
    if (head >= (part ? a.n_kv_heads : a.n_heads))
        return;
    const size_t plane = (size_t)a.run->context * HD;
    const float scale = part ? 1.f : rsqrtf((float)HD) * 1.44269504088896f;
    const int step = part ? HD : a.n_heads * HD; /* halves a token */
    __half *to = part ? a.run->kv +
                            (((size_t)a.layer * 2 + part - 1) * a.n_kv_heads + head) * plane +
                            (size_t)pos * HD
                      : a.q16 + head * HD;
#pragma unroll
    for (int i = 0; i < N / 2; i++) {
        const int t = o.token + i / 4 * 8 + (i & 1), at = d + (i & 2) * 4;
        if (!is_ours(o, i / 4, i))
            continue;
        float2 turn = make_float2(1, 0);
        if (part < 2)
            turn = __ldg(a.rope + (size_t)(pos + t) * (HD / 2) + at);
        const float x = sum[0][i], y = sum[1][i];
        __half *row = to + (size_t)t * step + at;
        row[0] = __float2half_rn((x * turn.x - y * turn.y) * scale);
        row[HD / 2] = __float2half_rn((y * turn.x + x * turn.y) * scale);
    }
}

/* Lane q of four has elements 0 to 3, two of `low` and two of `high`; it gets the q-th of each of
 * the four, in their order. */
static __device__ __forceinline__ uint2 transpose_four(uint32_t low, uint32_t high)
{
    const bool upper = threadIdx.x & 2, odd = threadIdx.x & 1;
    uint32_t own = upper ? high : low, other = __shfl_xor_sync(~0u, upper ? low : high, 2);
    const uint32_t a = upper ? other : own, b = upper ? own : other; /* of lanes odd, odd + 2 */
    own = __byte_perm(a, b, odd ? 0x7632 : 0x5410);
    other = __shfl_xor_sync(~0u, __byte_perm(a, b, odd ? 0x5410 : 0x7632), 1);
    const uint32_t even = odd ? other : own, next = odd ? own : other;
    return make_uint2(__byte_perm(even, next, 0x5410), __byte_perm(even, next, 0x7632));
}

/* The x of the product that follows: a warp has sixteen columns of it, of which a lane writes four
 * even or odd ones of a token in eight. */
template <int N>
static __device__ __forceinline__ void write_x(const WgmmaCall &c, const Target &o, int index,
                                               const float (&v)[N / 2])
{
    const int lane = threadIdx.x % 32, q = lane % 4,
              column = index * UNIT_ROWS + threadIdx.x % 128 / 32 * 16,
              first = o.token - q * 2; /* of the tile */
    uint8_t *to =
        c.to.x + wgmma_x_place(column + q % 2, first + lane / 4, WGMMA_TOKENS) + q / 2 * 8;
    if (index == 0 && threadIdx.x % 128 < N && first + (int)threadIdx.x % 128 < o.tokens)
        c.to.scale[first + threadIdx.x % 128] = NARROW_SCALE;
    if (column >= c.part[0].n_out)
        return;
#pragma unroll
    for (int j = 0; j < N / 8; j++) {
        uint32_t w[2];
#pragma unroll
        for (int h = 0; h < 2; h++) { /* rows r and r + 8 */
            const float down = o.valid[0][h] ? 1 / NARROW_SCALE : 0.f;
            half2 both = __floats2half2_rn(v[j * 4 + h * 2] * down, v[j * 4 + h * 2 + 1] * down);
            w[h] = transpose_eight(as_word(both));
        }
        const uint2 four = transpose_four(w[0], w[1]);
        if ((o.eights >> j & 1) && first + j * 8 + lane / 4 < o.tokens)
            *(uint2 *)(to + j * SWIZZLE_ATOM) = four;
    }
}

template <int GROUPS, int N>
static __device__ __forceinline__ void write_tile(const WgmmaCall &c, const Tile &t,
                                                  float (&sum)[UNITS][N / 2], int rank)
{
    Target o;
    o.token = t.token * N + threadIdx.x % 4 * 2;
    o.eights = c.split == 1 ? ~0u : (c.split == 2 ? 0x55555555u : 0x11111111u) << rank;
    find_target(c, t.row * GROUPS + threadIdx.x / 128, o);
    finish_sums<N>(c, o, sum);
    if (c.rope) {
        write_head<N>(c, o, t.row * GROUPS + threadIdx.x / 128, sum);
        return;
    }
    if (c.to.x) {
        write_x<N>(c, o, t.row * GROUPS + threadIdx.x / 128, sum[0]);
        return;
    }
    if (c.epilogue == EPILOGUE_ADD)
        add_old<N, N >= 32 ? 4 : 2>(c.out, o, sum);
#pragma unroll
    for (int u = 0; u < UNITS; u++) {
        if (u && c.epilogue == EPILOGUE_SILU)
            break;
#pragma unroll
        for (int k = 0; k < N / 2; k++)
            if (o.valid[u][k % 4 / 2] && is_ours(o, k / 4, k % 4))
                *target_of(c.out, o, u, k / 4, k % 4) = sum[u][k];
    }
}
#endif

#endif
