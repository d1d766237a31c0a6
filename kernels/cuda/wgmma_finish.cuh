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

/* A tile's tokens and what a thread adds to its rows r and r + 8 of each unit. */
struct Target {
    bool valid[UNITS][2];
    float bias[UNITS][2];
    int token, tokens; /* the thread's first; of the call */
    uint32_t eights;   /* bit j: the eight tokens j are ours to write */
};

static __device__ __forceinline__ void find_target(const WgmmaCall &c, int index, Target &o)
{
    o.tokens = c.tokens;
#pragma unroll
    for (int i = 0; i < UNITS; i++)
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int part, row = unit_of(c, index, i, &part) + wgmma_row(threadIdx.x % 128, 2 * h);
            const DevLinear &w = c.part[part];
            o.valid[i][h] = row < w.n_out;
            o.bias[i][h] = w.bias && o.valid[i][h] ? __ldg(w.bias + row) : 0.f;
        }
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

static __device__ __forceinline__ bool is_ours(const Target &o, int j, int i)
{
    return (o.eights >> j & 1) && o.token + j * 8 + (i & 1) < o.tokens;
}

/* Value i of eight tokens j, in bytes from the thread's first. */
static __device__ __forceinline__ uint32_t place_of(int j, int i, uint32_t step)
{
    return (uint32_t)(j * 8 + (i & 1)) * step + (uint32_t)(i / 2) * 32;
}

/* Bit j: token first + 8 j is there and ours to write. */
static __device__ __forceinline__ uint32_t mine_of(const Target &o, int first)
{
    const int n = o.tokens > first ? min((o.tokens - first + 7) / 8, 31) : 0;
    return o.eights & ((1u << n) - 1);
}

/* From rows r, r + 8 (i & 2) of tokens t, t + 1 (i & 1) to four rows of one token: turn_token and
 * turn_row say of which. */
static __device__ __forceinline__ float4 turn_rows(float v0, float v1, float v2, float v3)
{
    const bool upper = threadIdx.x & 8, odd = threadIdx.x & 4;
    const float a = __shfl_xor_sync(~0u, upper ? v0 : v2, 8),
                b = __shfl_xor_sync(~0u, upper ? v1 : v3, 8);
    const float w0 = upper ? a : v0, w1 = upper ? b : v1, w2 = upper ? v2 : a, w3 = upper ? v3 : b;
    const float x = __shfl_xor_sync(~0u, odd ? w0 : w1, 4),
                y = __shfl_xor_sync(~0u, odd ? w2 : w3, 4);
    return odd ? make_float4(x, w1, y, w3) : make_float4(w0, x, w2, y);
}

static __device__ __forceinline__ int turn_token(int lane)
{
    return lane % 4 * 2 + lane / 4 % 2;
}

static __device__ __forceinline__ int turn_row(int lane)
{
    return lane / 8 % 2 * 8 + lane / 16 * 4;
}

/* Four floats of which `left` are there; at once where they are aligned. */
static __device__ __forceinline__ float4 load_four(const float *from, int left, bool aligned)
{
    if (aligned && left >= 4)
        return __ldcg((const float4 *)from);
    float4 v = make_float4(0, 0, 0, 0);
    if (left > 0)
        v.x = __ldcg(from);
    if (left > 1)
        v.y = __ldcg(from + 1);
    if (left > 2)
        v.z = __ldcg(from + 2);
    if (left > 3)
        v.w = __ldcg(from + 3);
    return v;
}

static __device__ __forceinline__ void store_four(float *to, float4 v, int left, bool aligned)
{
    if (aligned && left >= 4) {
        *(float4 *)to = v;
        return;
    }
    if (left > 0)
        to[0] = v.x;
    if (left > 1)
        to[1] = v.y;
    if (left > 2)
        to[2] = v.z;
    if (left > 3)
        to[3] = v.w;
}

/* Unit u to out, added to what is there where ADD.  JS times eight tokens are read before the first
 * is needed. */
template <int N, int JS, bool ADD>
static __device__ __forceinline__ void write_unit(const WgmmaCall &c, const Target &o, int index,
                                                  int u, const float (&v)[N / 2])
{
    const int lane = threadIdx.x % 32;
    int part, row = unit_of(c, index, u, &part) + threadIdx.x % 128 / 32 * 16 + turn_row(lane);
    const int first = o.token - lane % 4 * 2 + turn_token(lane), left = c.part[part].n_out - row,
              at = c.epilogue == EPILOGUE_SILU ? 0 : c.offset[part];
    const uint32_t ours = mine_of(o, first);
    const bool aligned = (c.stride | at) % 4 == 0;
    const size_t step = (size_t)8 * c.stride;
    float *to = c.out + (size_t)first * c.stride + at + row;
#pragma unroll
    for (int j0 = 0; j0 < N / 8; j0 += JS) {
        float4 old[JS];
        float *from = to;
#pragma unroll
        for (int k = 0; ADD && k < JS; k++, from += step)
            if (ours >> (j0 + k) & 1)
                old[k] = load_four(from, left, aligned);
#pragma unroll
        for (int k = 0; k < JS; k++, to += step) {
            const int j = j0 + k;
            float4 w = turn_rows(v[j * 4], v[j * 4 + 1], v[j * 4 + 2], v[j * 4 + 3]);
            if (ADD)
                w.x += old[k].x, w.y += old[k].y, w.z += old[k].z, w.w += old[k].w;
            if (ours >> j & 1)
                store_four(to, w, left, aligned);
        }
    }
}

/* The same, each value by itself: for tiles of 128 tokens, whose sums leave no registers to turn
 * them in (measured: 10 % of a product faster so, where tiles of 64 are 5 % slower). */
template <int N, bool ADD>
static __device__ __forceinline__ void write_each(const WgmmaCall &c, const Target &o, int index,
                                                  int u, const float (&v)[N / 2])
{
    const int JS = N / 8 < 8 ? N / 8 : 8;
    int part, row = unit_of(c, index, u, &part) + wgmma_row(threadIdx.x % 128, 0);
    const uint32_t step = (uint32_t)c.stride * 4;
    char *to =
        (char *)c.out + ((uint32_t)(row + (c.epilogue == EPILOGUE_SILU ? 0 : c.offset[part])) * 4 +
                         (uint32_t)o.token * step);
#pragma unroll
    for (int j0 = 0; j0 < N / 8; j0 += JS) {
        float old[JS * 4];
#pragma unroll
        for (int k = 0; ADD && k < JS * 4; k++) {
            old[k] = 0;
            if (o.valid[u][k % 4 / 2] && is_ours(o, j0 + k / 4, k % 4))
                old[k] = __ldcg((const float *)(to + place_of(j0 + k / 4, k % 4, step)));
        }
#pragma unroll
        for (int k = 0; k < JS * 4; k++)
            if (o.valid[u][k % 4 / 2] && is_ours(o, j0 + k / 4, k % 4))
                *(float *)(to + place_of(j0 + k / 4, k % 4, step)) =
                    v[j0 * 4 + k] + (ADD ? old[k] : 0.f);
    }
}

/* Sixteen columns of eight tokens, of which `low` and `high` are transposed eights: four columns of
 * one token for a lane, from column lane % 2 * 8 + lane % 4 / 2 * 4 on. */
static __device__ __forceinline__ uint2 four_columns(uint32_t low, uint32_t high)
{
    const bool odd = threadIdx.x & 1;
    const uint32_t other = __shfl_xor_sync(~0u, odd ? low : high, 1);
    return odd ? make_uint2(other, high) : make_uint2(low, other);
}

/* q, k or v of one head: rotated, q to q16 (scaled for base-2 softmax), k and v to the cache.
 * Unit 0 holds dimensions 0 to 63, unit 1 the others, so a thread has both of each pair. */
template <int N>
static __device__ __forceinline__ void write_head(const WgmmaCall &c, const Target &o, int index,
                                                  const float (&sum)[UNITS][N / 2])
{
    const int HD = UNITS * UNIT_ROWS;
    const AttentionCall &a = c.attention;
    int part, head = unit_of(c, index, 0, &part) / HD;
    const int pos = a.run->pos, d = wgmma_row(threadIdx.x % 128, 0), lane = threadIdx.x % 32,
              first = o.token - lane % 4 * 2 + lane / 4; /* the token that this lane writes */
    if (head >= (part ? a.n_kv_heads : a.n_heads))
        return;
    const size_t plane = (size_t)a.run->context * HD;
    const float scale = part ? 1.f : rsqrtf((float)HD) * 1.44269504088896f;
    const int step = part ? HD : a.n_heads * HD; /* halves a token */
    __half *to = part ? a.run->kv +
                            (((size_t)a.layer * 2 + part - 1) * a.n_kv_heads + head) * plane +
                            (size_t)pos * HD
                      : a.q16 + head * HD;
    const uint32_t ours = mine_of(o, first);
    to += (size_t)first * step + threadIdx.x % 128 / 32 * 16 + lane % 2 * 8 + lane % 4 / 2 * 4;
#pragma unroll
    for (int j = 0; j < N / 8; j++) {
        uint32_t w[UNITS][2];
#pragma unroll
        for (int h = 0; h < 2; h++) { /* rows r and r + 8 */
            float v[UNITS][2];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                const int t = o.token + j * 8 + i;
                float2 turn = make_float2(1, 0);
                if (part < 2 && t < o.tokens)
                    turn = __ldg(a.rope + (size_t)(pos + t) * (HD / 2) + d + h * 8);
                const float x = sum[0][j * 4 + h * 2 + i], y = sum[1][j * 4 + h * 2 + i];
                v[0][i] = (x * turn.x - y * turn.y) * scale;
                v[1][i] = (y * turn.x + x * turn.y) * scale;
            }
#pragma unroll
            for (int u = 0; u < UNITS; u++)
                w[u][h] = transpose_eight(as_word(__floats2half2_rn(v[u][0], v[u][1])));
        }
#pragma unroll
        for (int u = 0; u < UNITS; u++) {
            const uint2 four = four_columns(w[u][0], w[u][1]);
            if (ours >> j & 1)
                *(uint2 *)(to + u * UNIT_ROWS) = four;
        }
        to += (size_t)8 * step;
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
    const uint32_t ours = mine_of(o, first + lane / 4);
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
        if (ours >> j & 1)
            *(uint2 *)(to + j * SWIZZLE_ATOM) = four;
    }
}

template <int GROUPS, int N>
static __device__ __forceinline__ void write_tile(const WgmmaCall &c, const Tile &t,
                                                  float (&sum)[UNITS][N / 2], int rank)
{
    const int JS = N / 8 < 4 ? N / 8 : 4;
    int index = t.row * GROUPS + threadIdx.x / 128;
    Target o;
    o.token = t.token * N + threadIdx.x % 4 * 2;
    not_before(index), not_before(o.token); /* addresses: the registers are full until here */
    o.eights = c.split == 1 ? ~0u : (c.split == 2 ? 0x55555555u : 0x11111111u) << rank;
    find_target(c, index, o);
    finish_sums<N>(c, o, sum);
    if (c.rope)
        write_head<N>(c, o, index, sum);
    else if (c.to.x)
        write_x<N>(c, o, index, sum[0]);
    else if (c.epilogue == EPILOGUE_ADD)
#pragma unroll
        for (int u = 0; u < UNITS; u++)
            if (N == 128)
                write_each<N, true>(c, o, index, u, sum[u]);
            else
                write_unit<N, JS, true>(c, o, index, u, sum[u]);
    else
#pragma unroll
        for (int u = 0; u < UNITS; u++)
            if (u && c.epilogue == EPILOGUE_SILU)
                break;
            else if (N == 128)
                write_each<N, false>(c, o, index, u, sum[u]);
            else
                write_unit<N, 1, false>(c, o, index, u, sum[u]);
}
#endif

#endif
