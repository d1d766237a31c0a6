/* Prefill kernels of Hopper alone, without a model: first against double on the host, with a map of
 * where errors lie, then the time of every plan at the shape of the model that kaiwa exists for.
 *
 *   prefill_probe check | flash | time [TOKENS...] | flashtime
 *
 * Built by hand (tests/bench/build_prefill_probe.sh); needs nothing but the driver. */
#include "kernels/cuda/attention_wgmma.cuh"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vector>

#define CHECK(call)                                                                                \
    do {                                                                                           \
        cudaError_t e_ = (call);                                                                   \
        if (e_ != cudaSuccess) {                                                                   \
            printf("%s:%d %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(e_));           \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static cudaDeviceProp prop;
static cudaStream_t stream;
static int failures;

/* ---- random weights that host and device agree about ---- */

static __host__ __device__ inline uint32_t mix(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t x = a * 0x9e3779b1u ^ b * 0x85ebca6bu ^ c * 0xc2b2ae35u;
    x ^= x >> 15, x *= 0x2c1b3c6du, x ^= x >> 12, x *= 0x297a2d39u, x ^= x >> 15;
    return x;
}

struct Weights {
    uint32_t seed;
    int n_out, n_in, group;
    ZeroKind zero;
};

static __host__ __device__ inline int nibble_of(const Weights &w, int row, int col)
{
    return row < w.n_out ? (int)(mix(w.seed, (uint32_t)row, (uint32_t)col) >> 28) : 8;
}

static __host__ __device__ inline float scale_of(const Weights &w, int row, int g)
{
    if (row >= w.n_out)
        return 0;
    uint32_t r = mix(w.seed + 1, (uint32_t)row, (uint32_t)g);
    float s = 0.005f * (0.5f + (float)(r >> 16) / 65536.f);
    return r % 97 == 0 ? 0.f : r % 89 == 0 ? -s : s; /* a few zeros and negative ones */
}

static __host__ __device__ inline int zero_of(const Weights &w, int row, int g)
{
    return w.zero == ZERO_BYTE ? (int)(mix(w.seed + 2, (uint32_t)row, (uint32_t)g) % 17) : 8;
}

static __global__ void k_fill(Weights w, uint8_t *out, int k_blocks, int block_bytes)
{
    uint8_t *b = out + ((size_t)blockIdx.y * k_blocks + blockIdx.x) * block_bytes;
    const int groups = BLOCK_COLS / w.group, row0 = blockIdx.y * TILE_ROWS;
    __shared__ uint32_t word[NIBBLE_BYTES / 4];
    for (int i = threadIdx.x; i < NIBBLE_BYTES / 4; i += blockDim.x)
        word[i] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < TILE_ROWS * BLOCK_COLS; i += blockDim.x) {
        int byte, shift, r = i / BLOCK_COLS, c = i % BLOCK_COLS;
        q4_place(r, c, &byte, &shift);
        atomicOr(&word[byte / 4], (uint32_t)nibble_of(w, row0 + r, blockIdx.x * BLOCK_COLS + c)
                                      << (byte % 4 * 8 + shift));
    }
    __syncthreads();
    for (int i = threadIdx.x; i < NIBBLE_BYTES / 4; i += blockDim.x)
        ((uint32_t *)b)[i] = word[i];
    for (int i = threadIdx.x; i < groups * TILE_ROWS; i += blockDim.x) {
        int g = i / TILE_ROWS, r = i % TILE_ROWS, slot = g * TILE_ROWS + r % 8 * 2 + (r >= 8),
            at = blockIdx.x * groups + g;
        uint8_t *extra = b + NIBBLE_BYTES + groups * TILE_ROWS * 2;
        float s = scale_of(w, row0 + r, at);
        ((__half *)(b + NIBBLE_BYTES))[slot] = __float2half_rn(s);
        if (w.zero == ZERO_BYTE)
            extra[slot] = (uint8_t)zero_of(w, row0 + r, at);
        else if (w.zero == ZERO_MIN)
            ((__half *)extra)[slot] = __float2half_rn(-7.3f * s);
    }
}

static DevLinear make_linear(const Weights &w, const float *bias)
{
    DevLinear l;
    memset(&l, 0, sizeof l);
    l.n_out = w.n_out, l.n_in = w.n_in, l.group = w.group, l.zero = w.zero, l.bias = bias;
    l.tiles = div_up(w.n_out, 2 * TILE_ROWS) * 2, l.k_blocks = div_up(w.n_in, BLOCK_COLS);
    l.block_bytes = q4_block_bytes(w.group, w.zero);
    uint8_t *p;
    CHECK(cudaMalloc((void **)&p, (size_t)l.tiles * l.k_blocks * l.block_bytes));
    k_fill<<<dim3(l.k_blocks, l.tiles), 128, 0, stream>>>(w, p, l.k_blocks, l.block_bytes);
    CHECK(cudaGetLastError());
    l.blocks = p;
    return l;
}

static double weight_of(const Weights &w, int row, int col)
{
    int g = col / w.group;
    double s = __half2float(__float2half_rn(scale_of(w, row, g))), q = nibble_of(w, row, col);
    if (w.zero == ZERO_MIN)
        return q * s + __half2float(__float2half_rn(-7.3f * scale_of(w, row, g)));
    return (q - zero_of(w, row, g)) * s;
}

static float noise(uint32_t seed, uint32_t a, uint32_t b)
{
    return (float)(mix(seed, a, b) >> 8) / 8388608.f - 1.f;
}

template <typename T> static T *device_copy(const std::vector<T> &v)
{
    T *p;
    CHECK(cudaMalloc((void **)&p, v.size() * sizeof(T)));
    CHECK(cudaMemcpy(p, v.data(), v.size() * sizeof(T), cudaMemcpyHostToDevice));
    return p;
}

static WgmmaX make_x(int k_blocks)
{
    WgmmaX x;
    CHECK(cudaMalloc((void **)&x.x, (size_t)k_blocks * BLOCK_COLS * WGMMA_TOKENS * 2));
    CHECK(cudaMalloc((void **)&x.scale, WGMMA_TOKENS * 4));
    CHECK(cudaMemset(x.x, 0xff, (size_t)k_blocks * BLOCK_COLS * WGMMA_TOKENS * 2));
    CHECK(cudaMemset(x.scale, 0, WGMMA_TOKENS * 4));
    return x;
}

/* ---- products ---- */

enum { T_MAX = 300, IN = 640, N_IN = 616, STRIDE = 608 };

struct Case {
    int group;
    ZeroKind zero;
    std::vector<double> want[3]; /* of the parts: [token][row], without bias */
    DevLinear part[3];
    Weights w[3];
    std::vector<float> bias[3];
};

static const int part_rows[3] = { 313, 64, 313 - 128 };
static std::vector<float> src(T_MAX *N_IN);
static float *dev_src;
static RunState *run;

static Case make_case(int group, ZeroKind zero)
{
    Case c;
    c.group = group, c.zero = zero;
    std::vector<double> row(N_IN);
    for (int p = 0; p < 3; p++) {
        c.w[p] = { 100u * group + 10u * zero + p, part_rows[p], N_IN, group, zero };
        for (int r = 0; r < part_rows[p]; r++)
            c.bias[p].push_back(noise(77, p, r));
        c.part[p] = make_linear(c.w[p], device_copy(c.bias[p]));
        c.want[p].resize((size_t)T_MAX * part_rows[p]);
        for (int r = 0; r < part_rows[p]; r++) {
            for (int k = 0; k < N_IN; k++)
                row[k] = weight_of(c.w[p], r, k);
            for (int t = 0; t < T_MAX; t++) {
                double s = 0;
                for (int k = 0; k < N_IN; k++)
                    s += row[k] * src[(size_t)t * N_IN + k];
                c.want[p][(size_t)t * part_rows[p] + r] = s;
            }
        }
    }
    return c;
}

/* Which units of 64 rows and eights of tokens are wrong, and the first wrong element. */
static void map_errors(const std::vector<double> &want, const std::vector<float> &got, int rows,
                       int tokens)
{
    double size = 0;
    for (double v : want)
        size += v * v;
    size = sqrt(size / want.size());
    int shown = 0;
    printf("#   bad elements, a line for 16 rows, a number for 8 tokens:\n");
    for (int r0 = 0; r0 < rows; r0 += 16) {
        printf("#   %4d:", r0);
        for (int t0 = 0; t0 < tokens; t0 += 8) {
            int bad = 0;
            for (int r = r0; r < r0 + 16 && r < rows; r++)
                for (int t = t0; t < t0 + 8 && t < tokens; t++)
                    bad += !(fabs(got[(size_t)t * rows + r] - want[(size_t)t * rows + r]) <
                             0.02 * size);
            printf(" %d", bad);
        }
        printf("\n");
    }
    for (int r = 0; r < rows; r++)
        for (int t = 0; t < tokens && shown < 6; t++) {
            double w = want[(size_t)t * rows + r], g = got[(size_t)t * rows + r];
            if (!(fabs(g - w) < 0.02 * size))
                printf("#   row %d token %d: want %g, got %g\n", r, t, w, g), shown++;
        }
}

static bool report(const char *name, const std::vector<double> &want, const std::vector<float> &got,
                   int rows, int tokens, double bound)
{
    double num = 0, den = 0;
    for (size_t i = 0; i < (size_t)rows * tokens; i++) {
        double d = got[i] - want[i];
        num += d * d, den += want[i] * want[i];
    }
    double e = sqrt(num / den);
    if (e < bound)
        return true;
    failures++;
    printf("not ok %s: error %.2e\n", name, e);
    if (failures <= 6)
        map_errors(want, got, rows, tokens);
    return false;
}

static double worst_error;
static int products;

/* After EPILOGUE_SILU: the same, written as x of the product that follows. */
enum { EPILOGUE_X = EPILOGUE_SILU + 1 };

static void check_call(Case &c, const WgmmaPlan &plan, int end, int tokens, WgmmaX x)
{
    const Epilogue epilogue = end == EPILOGUE_X ? EPILOGUE_SILU : (Epilogue)end;
    const int rows_all = epilogue == EPILOGUE_STORE ? STRIDE : 320;
    WgmmaCall call;
    memset(&call, 0, sizeof call);
    call.n_parts = epilogue == EPILOGUE_STORE ? 3 : epilogue == EPILOGUE_SILU ? 2 : 1;
    for (int p = 0; p < call.n_parts; p++)
        call.part[p] = c.part[p];
    DevLinear up;
    if (epilogue == EPILOGUE_SILU) { /* gate against itself */
        up = c.part[0], call.part[1] = up;
    }
    const int offsets[3] = { 1, 330, 400 };
    for (int p = 0; p < 3; p++)
        call.offset[p] = epilogue == EPILOGUE_STORE ? offsets[p] : 0;
    std::vector<float> out((size_t)WGMMA_TOKENS * rows_all);
    for (size_t i = 0; i < out.size(); i++)
        out[i] = epilogue == EPILOGUE_ADD ? noise(5, (uint32_t)i, 1) : -12345.f;
    std::vector<float> before = out;
    static float *dev;
    if (!dev)
        CHECK(cudaMalloc((void **)&dev, (size_t)WGMMA_TOKENS * STRIDE * 4));
    CHECK(cudaMemcpy(dev, out.data(), out.size() * 4, cudaMemcpyHostToDevice));
    call.epilogue = epilogue, call.x = x, call.out = dev, call.stride = rows_all,
    call.tokens = tokens;
    static WgmmaX to;
    if (!to.x)
        to = make_x(3);
    if (end == EPILOGUE_X)
        call.to = to;
    char name[200];
    snprintf(name, sizeof name,
             "group %d zero %d, %d x %d split %d tail %d, epilogue %d, %d tokens", c.group, c.zero,
             plan.groups * 128, plan.tokens, plan.split, plan.tail, end, tokens);
    /* few SMs: blocks then have several tiles, and tiles a tail */
    cudaError_t e = wgmma_linear(&call, &plan, 4, false, stream);
    if (e == cudaErrorInvalidConfiguration) /* a build with fewer shapes */
        return;
    products++;
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(stream);
    if (e != cudaSuccess) {
        printf("not ok %s: %s\n", name, cudaGetErrorString(e));
        exit(1);
    }
    CHECK(cudaMemcpy(out.data(), dev, out.size() * 4, cudaMemcpyDeviceToHost));
    if (end == EPILOGUE_X) { /* to out, the columns past the last too */
        std::vector<__half> halves((size_t)3 * BLOCK_COLS * WGMMA_TOKENS);
        std::vector<float> scale(tokens);
        CHECK(cudaMemcpy(halves.data(), to.x, halves.size() * 2, cudaMemcpyDeviceToHost));
        CHECK(cudaMemcpy(scale.data(), to.scale, tokens * 4, cudaMemcpyDeviceToHost));
        for (int t = 0; t < tokens; t++)
            for (int r = 0; r < rows_all; r++) {
                const float v =
                    __half2float(halves[wgmma_x_place(r, t, WGMMA_TOKENS) / 2]) * scale[t];
                if (r < part_rows[0] || v != 0)
                    out[(size_t)t * rows_all + r] = v;
            }
    }
    std::vector<char> ours(out.size(), 0);
    bool fine = true;
    for (int p = 0; p < (epilogue == EPILOGUE_STORE ? 3 : 1); p++) {
        const int rows = part_rows[p];
        std::vector<double> want((size_t)rows * tokens);
        std::vector<float> got(want.size());
        for (int t = 0; t < tokens; t++)
            for (int r = 0; r < rows; r++) {
                size_t i = (size_t)t * rows + r, at = (size_t)t * rows_all + call.offset[p] + r;
                double y = c.want[p][(size_t)t * rows + r] + c.bias[p][r];
                want[i] = epilogue == EPILOGUE_SILU  ? y / (1 + exp(-y)) * y
                          : epilogue == EPILOGUE_ADD ? y + before[at]
                                                     : y;
                got[i] = out[at], ours[at] = 1;
                if (end == EPILOGUE_X && fabs(want[i]) > NARROW_SCALE * 65000) /* too much */
                    want[i] = 0, got[i] = isfinite(got[i]) && fabs(got[i]) < NARROW_SCALE * 65000;
            }
        /* what fp16 holds of large tokens is where large terms cancel: rounded weights show */
        fine = report(name, want, got, rows, tokens,
                      end == EPILOGUE_X && c.zero == ZERO_MIN ? 1e-2 : 1e-3) &&
               fine;
        double num = 0, den = 0;
        for (size_t i = 0; i < want.size(); i++)
            num += (got[i] - want[i]) * (got[i] - want[i]), den += want[i] * want[i];
        worst_error = fmax(worst_error, sqrt(num / den));
    }
    size_t touched = 0;
    for (size_t i = 0; i < out.size(); i++)
        touched += !ours[i] && memcmp(&out[i], &before[i], 4);
    if (touched) {
        printf("not ok %s: %zu elements that are not ours were written\n", name, touched);
        failures++;
    }
}

static PrefillPrepare prepare_call(int tokens, const float *from, int n_in, int k_blocks)
{
    PrefillPrepare p;
    memset(&p, 0, sizeof p);
    p.src = from, p.stride = p.n_in = n_in, p.tokens = tokens, p.k_blocks = k_blocks, p.run = run;
    return p;
}

/* x in fp16, each column where it belongs; with a norm, an order of columns, and values that fp16
 * cannot hold. */
static void check_prepare(bool norm, bool perm, bool up, float big)
{
    const int kb = IN / BLOCK_COLS, tokens = 21;
    std::vector<float> s((size_t)tokens * N_IN), weight(N_IN), second(s.size());
    std::vector<int> order(IN);
    for (size_t i = 0; i < s.size(); i++)
        s[i] = noise(9, (uint32_t)i, 2) * big, second[i] = noise(10, (uint32_t)i, 2);
    for (int k = 0; k < N_IN; k++)
        weight[k] = 1 + 0.3f * noise(11, k, 3);
    for (int k = 0; k < IN; k++)
        order[k] = (int)((k * 37u + 11) % IN) < N_IN ? (int)((k * 37u + 11) % IN) : -1;
    PrefillPrepare p = prepare_call(tokens, device_copy(s), N_IN, kb);
    p.norm = norm ? device_copy(weight) : NULL, p.perm = perm ? device_copy(order) : NULL,
    p.up = up ? device_copy(second) : NULL, p.eps = 1e-6f;
    WgmmaX x = make_x(kb);
    CHECK(wgmma_prepare(&p, &x, false, stream));
    CHECK(cudaStreamSynchronize(stream));
    std::vector<__half> got((size_t)IN * WGMMA_TOKENS);
    std::vector<float> scale(tokens);
    CHECK(cudaMemcpy(got.data(), x.x, got.size() * 2, cudaMemcpyDeviceToHost));
    CHECK(cudaMemcpy(scale.data(), x.scale, tokens * 4, cudaMemcpyDeviceToHost));
    int bad = 0;
    for (int t = 0; t < tokens; t++) {
        double ss = 0;
        for (int k = 0; k < N_IN; k++)
            ss += (double)s[t * N_IN + k] * s[t * N_IN + k];
        for (int i = 0; i < IN; i++) {
            int k = perm ? order[i] : i < N_IN ? i : -1;
            double want = 0;
            if (k >= 0) {
                want = s[t * N_IN + k];
                if (norm)
                    want *= weight[k] / sqrt(ss / N_IN + 1e-6);
                if (up)
                    want = want / (1 + exp(-want)) * second[t * N_IN + k];
            }
            double have =
                __half2float(got[wgmma_x_place(i, t, WGMMA_TOKENS) / 2]) * (double)scale[t];
            if (!(fabs(have - want) <= 1e-3 * fabs(want) + 2e-6 * fmax(1, big)) && bad++ < 5)
                printf("#   token %d column %d: want %g, got %g (scale %g)\n", t, i, want, have,
                       scale[t]);
        }
    }
    printf("%sok prepare%s%s%s, values to %g: %d wrong\n", bad ? "not " : "", norm ? ", norm" : "",
           perm ? ", order" : "", up ? ", SiLU" : "", big, bad);
    failures += bad > 0;
}

/* q, k and v with rope at the end of the product, against the product and attention_rope: the same
 * halves but for the last bit. */
static void check_rope(int heads, int kv_heads, int tokens, int pos, const WgmmaPlan &plan,
                       WgmmaX x)
{
    const int hd = 128, context = 512, stride = (heads + 2 * kv_heads) * hd;
    std::vector<float2> rope((size_t)context * hd / 2);
    for (size_t i = 0; i < rope.size(); i++)
        rope[i] = make_float2(cosf(0.37f * i), sinf(0.37f * i));
    WgmmaCall call;
    memset(&call, 0, sizeof call);
    const int rows[3] = { heads * hd, kv_heads * hd, kv_heads * hd };
    for (int p = 0; p < 3; p++) {
        Weights w = { 500u + p, rows[p], N_IN, 128, ZERO_EIGHT };
        std::vector<float> bias(rows[p]);
        for (int r = 0; r < rows[p]; r++)
            bias[r] = noise(78, p, r);
        call.part[p] = make_linear(w, device_copy(bias)),
        call.offset[p] = p ? call.offset[p - 1] + rows[p - 1] : 0;
    }
    call.n_parts = 3, call.epilogue = EPILOGUE_STORE, call.x = x, call.stride = stride,
    call.tokens = tokens;
    CHECK(cudaMalloc((void **)&call.out, (size_t)WGMMA_TOKENS * stride * 4));
    AttentionCall &a = call.attention;
    a.n_heads = heads, a.n_kv_heads = kv_heads, a.head_dim = a.rope_dims = hd, a.qkv = call.out,
    a.stride = stride, a.rope = device_copy(rope), a.run = run, a.tokens = tokens, a.layer = 1;
    const size_t q_halves = (size_t)tokens * heads * hd,
                 kv_halves = (size_t)2 * 2 * kv_heads * context * hd;
    std::vector<__half> q[2], kv[2];
    for (int way = 0; way < 2; way++) {
        RunState r;
        memset(&r, 0, sizeof r);
        r.context = context, r.pos = pos;
        CHECK(cudaMalloc((void **)&a.q16, q_halves * 2));
        CHECK(cudaMalloc((void **)&r.kv, kv_halves * 2));
        CHECK(cudaMemset(a.q16, 0x11, q_halves * 2));
        CHECK(cudaMemset(r.kv, 0x11, kv_halves * 2));
        CHECK(cudaMemcpy(run, &r, sizeof r, cudaMemcpyHostToDevice));
        call.rope = way;
        CHECK(wgmma_linear(&call, &plan, 4, false, stream));
        if (!way)
            CHECK(attention_rope(&a, false, stream));
        CHECK(cudaStreamSynchronize(stream));
        q[way].resize(q_halves), kv[way].resize(kv_halves);
        CHECK(cudaMemcpy(q[way].data(), a.q16, q_halves * 2, cudaMemcpyDeviceToHost));
        CHECK(cudaMemcpy(kv[way].data(), r.kv, kv_halves * 2, cudaMemcpyDeviceToHost));
    }
    int bad = 0;
    double num = 0, den = 0;
    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < (part ? kv_halves : q_halves); i++) {
            float u = __half2float((part ? kv : q)[0][i]), v = __half2float((part ? kv : q)[1][i]);
            num += (u - v) * (u - v), den += u * u;
            if (!(fabsf(u - v) <= 2e-3f * fabsf(u) + 1e-4f) && bad++ < 5)
                printf("#   %s %zu: want %g, got %g\n", part ? "cache" : "q", i, u, v);
        }
    failures += bad > 0;
    printf("%sok rope at the end of the product, %d/%d heads, %d tokens at %d, %d x %d /%d: %d "
           "wrong, difference %.1e\n",
           bad ? "not " : "", heads, kv_heads, tokens, pos, plan.groups * 128, plan.tokens,
           plan.split, bad, sqrt(num / den));
    CHECK(cudaMemset(run, 0, sizeof *run));
}

static const int shapes[][2] = {
    { 1, 16 }, { 1, 32 }, { 1, 64 }, { 2, 64 }, { 1, 128 }, { 2, 128 }
};

static void check_all(void)
{
    check_prepare(false, false, false, 1);
    check_prepare(true, false, false, 3);
    check_prepare(true, true, false, 3);
    check_prepare(false, true, true, 300);
    check_prepare(false, false, false, 1e6f);
    for (int t = 0; t < T_MAX; t++)
        for (int k = 0; k < N_IN; k++)
            src[(size_t)t * N_IN + k] = noise(1, t, k) * (t % 7 == 3 ? 9000.f : 1.f);
    dev_src = device_copy(src);
    WgmmaX x = make_x(IN / BLOCK_COLS);
    PrefillPrepare p = prepare_call(T_MAX, dev_src, N_IN, IN / BLOCK_COLS);
    CHECK(wgmma_prepare(&p, &x, false, stream));
    /* what x became is what the products are compared on */
    std::vector<__half> xs((size_t)IN * WGMMA_TOKENS);
    std::vector<float> scale(T_MAX);
    CHECK(cudaStreamSynchronize(stream));
    CHECK(cudaMemcpy(xs.data(), x.x, xs.size() * 2, cudaMemcpyDeviceToHost));
    CHECK(cudaMemcpy(scale.data(), x.scale, T_MAX * 4, cudaMemcpyDeviceToHost));
    for (int t = 0; t < T_MAX; t++)
        for (int k = 0; k < N_IN; k++)
            src[(size_t)t * N_IN + k] =
                __half2float(xs[wgmma_x_place(k, t, WGMMA_TOKENS) / 2]) * scale[t];
    check_rope(3, 1, 50, 20, { 1, 64, 2, 1, 0 }, x);
    check_rope(4, 4, 200, 7, { 2, 128, 1, 1, 0 }, x);
    check_rope(5, 2, 130, 0, { 2, 128, 1, 2, 0 }, x);
    struct {
        int group;
        ZeroKind zero;
    } kinds[] = { { 128, ZERO_EIGHT }, { 128, ZERO_BYTE }, { 32, ZERO_EIGHT },
                  { 32, ZERO_MIN },    { 64, ZERO_BYTE },  { 16, ZERO_BYTE } };
    const int counts[] = { 1, 9, 16, 17, 50, 64, 65, 127, 128, 130, 200, 256, 300 };
    for (auto &kind : kinds) {
        Case c = make_case(kind.group, kind.zero);
        for (auto &s : shapes) {
            int before = failures;
            products = 0;
            worst_error = 0;
            for (int split : { 1, 2, 4, 9, 25 }) /* 8 (tail - 1) + split */
                for (int e = EPILOGUE_STORE; e <= EPILOGUE_X; e++)
                    for (int t : counts) {
                        if (kind.group != 128 && t != 50 && t != 130)
                            continue;
                        WgmmaPlan plan = { s[0], s[1], split % 8, split / 8 + 1, 0 };
                        check_call(c, plan, e, t, x);
                    }
            printf("%sok group %d zero %d, %d x %d: %d products, worst error %.1e\n",
                   failures > before ? "not " : "", kind.group, kind.zero, s[0] * 128, s[1],
                   products, worst_error);
            fflush(stdout);
        }
        for (int i = 0; i < 3; i++)
            cudaFree((void *)c.part[i].blocks);
    }
}

/* ---- attention ---- */

struct Attention {
    int heads, kv_heads, hd, context, pos, tokens, window;
    bool x;
};

static void check_flash(const Attention &s)
{
    const int stride = (s.heads + 2 * s.kv_heads) * s.hd, half = s.hd / 2;
    const size_t plane = (size_t)s.context * s.hd;
    std::vector<float> qkv((size_t)s.tokens * stride);
    for (size_t i = 0; i < qkv.size(); i++)
        qkv[i] = 2.5f * noise(21, (uint32_t)i, 4);
    std::vector<__half> kv(2 * s.kv_heads * plane);
    for (size_t i = 0; i < kv.size(); i++)
        kv[i] = __float2half_rn((int)(i / s.hd % s.context) < s.pos ? 2 * noise(22, (uint32_t)i, 5)
                                                                    : 0);
    std::vector<float2> rope((size_t)s.context * half);
    for (int p = 0; p < s.context; p++)
        for (int i = 0; i < half; i++) {
            double a = p * pow(10000.0, -2.0 * i / s.hd);
            rope[(size_t)p * half + i] = make_float2((float)cos(a), (float)sin(a));
        }
    FlashCall f;
    memset(&f, 0, sizeof f);
    AttentionCall &a = f.attention;
    a.n_heads = s.heads, a.n_kv_heads = s.kv_heads, a.head_dim = s.hd, a.qkv = device_copy(qkv),
    a.stride = stride, a.rope = device_copy(rope), a.rope_dims = s.hd, a.window = s.window,
    a.out_stride = s.heads * s.hd, a.run = run, a.tokens = s.tokens;
    __half *dev_kv = device_copy(kv);
    std::vector<float> out((size_t)WGMMA_TOKENS * a.out_stride, NAN);
    a.out = device_copy(out);
    CHECK(cudaMalloc((void **)&a.q16, (size_t)s.tokens * a.out_stride * 2));
    f.slice = flash_slice(s.context), f.positions = s.pos + s.tokens;
    CHECK(cudaMalloc((void **)&f.partial, flash_partial_floats(s.heads, s.hd, s.context) * 4));
    CHECK(cudaMemset(f.partial, 0xff, flash_partial_floats(s.heads, s.hd, s.context) * 4));
    if (s.x)
        f.x = make_x(div_up(a.out_stride, BLOCK_COLS));
    RunState r;
    memset(&r, 0, sizeof r);
    r.kv = dev_kv, r.context = s.context, r.pos = s.pos;
    CHECK(cudaMemcpy(run, &r, sizeof r, cudaMemcpyHostToDevice));
    CHECK(flash_attention(&f, prop.multiProcessorCount, false, stream));
    cudaError_t e = cudaStreamSynchronize(stream);
    char name[200];
    snprintf(name, sizeof name, "attention %d/%d heads of %d, %d tokens at %d, window %d%s",
             s.heads, s.kv_heads, s.hd, s.tokens, s.pos, s.window, s.x ? ", to x" : "");
    if (e != cudaSuccess) {
        printf("not ok %s: %s\n", name, cudaGetErrorString(e));
        exit(1);
    }
    std::vector<__half> q16((size_t)s.tokens * a.out_stride);
    CHECK(cudaMemcpy(q16.data(), a.q16, q16.size() * 2, cudaMemcpyDeviceToHost));
    CHECK(cudaMemcpy(kv.data(), dev_kv, kv.size() * 2, cudaMemcpyDeviceToHost));
    std::vector<float> got((size_t)s.tokens * a.out_stride);
    if (s.x) {
        std::vector<__half> x((size_t)div_up(a.out_stride, BLOCK_COLS) * BLOCK_COLS * WGMMA_TOKENS);
        CHECK(cudaMemcpy(x.data(), f.x.x, x.size() * 2, cudaMemcpyDeviceToHost));
        std::vector<float> scale(s.tokens);
        CHECK(cudaMemcpy(scale.data(), f.x.scale, s.tokens * 4, cudaMemcpyDeviceToHost));
        for (int t = 0; t < s.tokens; t++)
            for (int i = 0; i < a.out_stride; i++)
                got[(size_t)t * a.out_stride + i] =
                    __half2float(x[wgmma_x_place(i, t, WGMMA_TOKENS) / 2]) * scale[t];
    } else {
        CHECK(cudaMemcpy(got.data(), a.out, got.size() * 4, cudaMemcpyDeviceToHost));
    }
    /* against double, for some tokens and heads; rows: dimensions of all heads checked */
    std::vector<double> want;
    std::vector<float> have;
    int checked = 0;
    for (int t = 0; t<s.tokens; t += s.tokens> 40 ? 7 : 1, checked++)
        for (int h = 0; h<s.heads; h += s.heads> 4 ? 5 : 1) {
            const int kvh = h / (s.heads / s.kv_heads), at = s.pos + t,
                      from = s.window && at - s.window + 1 > 0 ? at - s.window + 1 : 0;
            std::vector<double> w(at + 1), o(s.hd, 0);
            double top = -1e30, sum = 0;
            for (int p = from; p <= at; p++) {
                double d = 0;
                for (int i = 0; i < s.hd; i++)
                    d += (double)__half2float(q16[((size_t)t * s.heads + h) * s.hd + i]) *
                         __half2float(kv[kvh * plane + (size_t)p * s.hd + i]);
                w[p] = d, top = fmax(top, d);
            }
            for (int p = from; p <= at; p++) {
                w[p] = exp2(w[p] - top), sum += w[p];
                for (int i = 0; i < s.hd; i++)
                    o[i] +=
                        w[p] * __half2float(kv[(s.kv_heads + kvh) * plane + (size_t)p * s.hd + i]);
            }
            for (int i = 0; i < s.hd; i++) {
                want.push_back(o[i] / sum);
                have.push_back(got[(size_t)t * a.out_stride + h * s.hd + i]);
            }
        }
    if (report(name, want, have, (int)(want.size() / checked), checked, 2e-3))
        printf("ok %s\n", name);
    fflush(stdout);
    cudaFree(a.qkv), cudaFree((void *)a.rope), cudaFree(dev_kv), cudaFree(a.out), cudaFree(a.q16),
        cudaFree(f.partial), cudaFree(f.x.x), cudaFree(f.x.scale);
}

/* ---- time ---- */

static bool is_built(const WgmmaCall *call, const WgmmaPlan *plan)
{
    return wgmma_linear(call, plan, prop.multiProcessorCount, false, stream) !=
           cudaErrorInvalidConfiguration;
}

static float time_of(void (*go)(void *, int), void *arg, int runs)
{
    cudaEvent_t from, to;
    CHECK(cudaEventCreate(&from));
    CHECK(cudaEventCreate(&to));
    go(arg, 0), go(arg, 1);
    float best = 1e9f;
    for (int i = 0; i < 3; i++) {
        CHECK(cudaEventRecord(from, stream));
        for (int k = 0; k < runs; k++)
            go(arg, k);
        CHECK(cudaEventRecord(to, stream));
        CHECK(cudaEventSynchronize(to));
        float ms;
        CHECK(cudaEventElapsedTime(&ms, from, to));
        best = fminf(best, ms / runs);
    }
    return best * 1e3f;
}

struct Product {
    WgmmaCall call[2]; /* two sets of weights in turn, so that L2 does not keep them */
    WgmmaPlan plan;
};

static void go_product(void *arg, int i)
{
    Product *p = (Product *)arg;
    CHECK(wgmma_linear(&p->call[i % 2], &p->plan, prop.multiProcessorCount, true, stream));
}

struct Shape {
    const char *name;
    int parts, rows, n_in;
    Epilogue epilogue;
};
static const Shape seed[4] = { { "qkv", 3, 4096, 4096, EPILOGUE_STORE },
                               { "o", 1, 4096, 4096, EPILOGUE_ADD },
                               { "gate+up", 2, 11008, 4096, EPILOGUE_SILU },
                               { "down", 1, 4096, 11008, EPILOGUE_ADD } };

static void time_tokens(WgmmaCall calls[4][2], int tokens)
{
    double sum = 0, best_sum = 0;
    for (int m = 0; m < 4; m++) {
        Product p;
        const double flop = 2.0 * seed[m].parts * seed[m].rows * seed[m].n_in * tokens;
        for (int i = 0; i < 2; i++)
            p.call[i] = calls[m][i], p.call[i].tokens = tokens;
        p.plan = wgmma_plan(&p.call[0], prop.multiProcessorCount);
        const WgmmaPlan chosen = p.plan;
        float chosen_us = time_of(go_product, &p, 10), best = chosen_us;
        WgmmaPlan best_plan = chosen;
        printf("%4d %-7s chosen %d x %-3d /%d+%d: %7.1f us %5.0f TFLOP/s |", tokens, seed[m].name,
               chosen.groups * 128, chosen.tokens, chosen.split, chosen.tail, chosen_us,
               flop / chosen_us * 1e-6);
        for (auto &s : shapes) {
            if (s[1] > 2 * tokens || (tokens >= 256 && s[1] < 64) || (tokens > 64 && s[1] < 32))
                continue;
            for (int cut : { 1, 2, 4, 9, 25 }) {
                if ((tokens >= 1024 && cut > 1 && cut < 8) || (tokens < 256 && cut > 8))
                    continue;
                p.plan = { s[0], s[1], cut % 8, cut / 8 + 1, 0 };
                if (!is_built(&p.call[0], &p.plan))
                    continue;
                float us = time_of(go_product, &p, 6);
                printf(" %dx%d/%d+%d %.1f", s[0] * 128, s[1], p.plan.split, p.plan.tail, us);
                if (us < best)
                    best = us, best_plan = p.plan;
            }
        }
        printf(" | best %dx%d/%d+%d %.1f\n", best_plan.groups * 128, best_plan.tokens,
               best_plan.split, best_plan.tail, best);
        fflush(stdout);
        sum += chosen_us, best_sum += best;
    }
    printf("%4d tokens: products of 32 layers %.2f ms as chosen, %.2f at best: %.0f, %.0f tok/s\n",
           tokens, sum * 32e-3, best_sum * 32e-3, tokens / (sum * 32e-6),
           tokens / (best_sum * 32e-6));
}

static void time_all(int n, const int *tokens)
{
    static WgmmaCall calls[4][2];
    WgmmaX x = make_x(86);
    float *out;
    CHECK(cudaMalloc((void **)&out, (size_t)WGMMA_TOKENS * 12288 * 4));
    CHECK(cudaMemset(out, 0, (size_t)WGMMA_TOKENS * 12288 * 4));
    std::vector<__half> random((size_t)86 * BLOCK_COLS * WGMMA_TOKENS);
    for (size_t i = 0; i < random.size(); i++)
        random[i] = __float2half_rn(noise(31, (uint32_t)i, 6));
    CHECK(cudaMemcpy(x.x, random.data(), random.size() * 2, cudaMemcpyHostToDevice));
    std::vector<float> ones(WGMMA_TOKENS, 1e-3f);
    CHECK(cudaMemcpy(x.scale, ones.data(), ones.size() * 4, cudaMemcpyHostToDevice));
    for (int m = 0; m < 4; m++)
        for (int i = 0; i < 2; i++) {
            WgmmaCall &c = calls[m][i];
            memset(&c, 0, sizeof c);
            c.n_parts = seed[m].parts, c.epilogue = seed[m].epilogue, c.x = x, c.out = out;
            c.stride = seed[m].epilogue == EPILOGUE_STORE ? 12288 : seed[m].rows;
            for (int p = 0; p < c.n_parts; p++) {
                Weights w = { 1000u + m * 10 + i * 3 + p, seed[m].rows, seed[m].n_in, 128,
                              ZERO_EIGHT };
                c.part[p] = make_linear(w, NULL), c.offset[p] = p * seed[m].rows;
            }
        }
    CHECK(cudaStreamSynchronize(stream));
    for (int i = 0; i < n; i++)
        time_tokens(calls, tokens[i]);
    /* what stands between the products */
    float *fp;
    CHECK(cudaMalloc((void **)&fp, (size_t)WGMMA_TOKENS * 11008 * 4));
    CHECK(cudaMemset(fp, 0x3c, (size_t)WGMMA_TOKENS * 11008 * 4));
    struct Both {
        PrefillPrepare p;
        WgmmaX x;
    } both;
    both.x = x;
    for (int t : { 64, 1024 })
        for (int k : { 4096, 11008 }) {
            both.p = prepare_call(t, fp, k, k / 128);
            float us = time_of(
                [](void *arg, int) {
                    Both *b = (Both *)arg;
                    CHECK(wgmma_prepare(&b->p, &b->x, true, stream));
                },
                &both, 20);
            printf("prepare %4d x %5d: %.1f us\n", t, k, us);
        }
}

static void go_flash(void *arg, int)
{
    CHECK(flash_attention((FlashCall *)arg, prop.multiProcessorCount, true, stream));
}

static void go_rope(void *arg, int)
{
    CHECK(attention_rope(&((FlashCall *)arg)->attention, true, stream));
}

static void go_plain(void *arg, int)
{
    CHECK(attention_prefill(&((FlashCall *)arg)->attention, stream));
}

static void time_flash(int pos, int tokens)
{
    const int heads = 32, hd = 128, context = 4096;
    FlashCall f;
    memset(&f, 0, sizeof f);
    AttentionCall &a = f.attention;
    a.n_heads = a.n_kv_heads = heads, a.head_dim = a.rope_dims = hd, a.stride = 3 * heads * hd,
    a.out_stride = heads * hd, a.run = run, a.tokens = tokens;
    static std::vector<float> qkv((size_t)1024 * a.stride);
    static std::vector<__half> kv((size_t)2 * heads * context * hd);
    static bool filled;
    for (size_t i = 0; !filled && i < qkv.size(); i++)
        qkv[i] = noise(41, (uint32_t)i, 7);
    for (size_t i = 0; !filled && i < kv.size(); i++)
        kv[i] = __float2half_rn(noise(42, (uint32_t)i, 8));
    filled = true;
    std::vector<float2> rope((size_t)context * hd / 2, make_float2(0.6f, 0.8f));
    a.qkv = device_copy(qkv), a.rope = device_copy(rope);
    __half *dev_kv = device_copy(kv);
    CHECK(cudaMalloc((void **)&a.q16, (size_t)1024 * heads * hd * 2));
    CHECK(cudaMalloc((void **)&a.out, (size_t)1024 * heads * hd * 4));
    CHECK(cudaMalloc((void **)&f.partial, flash_partial_floats(heads, hd, context) * 4));
    f.x = make_x(heads), f.slice = flash_slice(context), f.positions = pos + tokens;
    RunState r;
    memset(&r, 0, sizeof r);
    r.kv = dev_kv, r.context = context, r.pos = pos;
    CHECK(cudaMemcpy(run, &r, sizeof r, cudaMemcpyHostToDevice));
    float rope_us = time_of(go_rope, &f, 10), us = time_of(go_flash, &f, 10) - rope_us,
          plain = time_of(go_plain, &f, 5) - rope_us;
    double flop = 4.0 * heads * hd * ((double)tokens * pos + 0.5 * tokens * (tokens + 1));
    printf("attention of %4d at %4d: wgmma %.1f us (%.0f TFLOP/s), mma.sync %.1f us (%.0f), rope "
           "%.1f us\n",
           tokens, pos, us, flop / us * 1e-6, plain, flop / plain * 1e-6, rope_us);
    cudaFree(a.qkv), cudaFree((void *)a.rope), cudaFree(dev_kv), cudaFree(a.q16), cudaFree(a.out),
        cudaFree(f.partial), cudaFree(f.x.x), cudaFree(f.x.scale);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "check";
    CHECK(cudaGetDeviceProperties(&prop, 0));
    CHECK(cudaStreamCreate(&stream));
    CHECK(wgmma_setup((int)prop.sharedMemPerBlockOptin));
    CHECK(flash_setup((int)prop.sharedMemPerBlockOptin));
    CHECK(cudaMalloc((void **)&run, sizeof *run));
    CHECK(cudaMemset(run, 0, sizeof *run));
    printf("# %s, %d SMs, %s\n", prop.name, prop.multiProcessorCount, what);
    fflush(stdout);
    if (!strcmp(what, "check")) {
        check_all();
    } else if (!strcmp(what, "flash")) {
        const Attention rows[] = {
            { 2, 2, 128, 1024, 0, 64, 0, false },    { 2, 2, 128, 1024, 0, 9, 0, false },
            { 2, 2, 64, 1024, 0, 64, 0, false },     { 2, 2, 128, 1024, 0, 130, 0, false },
            { 4, 2, 64, 1024, 3, 200, 0, false },    { 4, 1, 128, 1024, 100, 300, 0, true },
            { 2, 2, 128, 2048, 1000, 50, 0, false }, { 3, 1, 64, 2048, 1900, 77, 0, true },
            { 4, 4, 128, 4096, 2000, 50, 0, true },  { 2, 2, 128, 2048, 700, 128, 100, false },
            { 2, 2, 64, 1024, 0, 300, 40, false },   { 8, 2, 128, 2048, 777, 1024, 0, true },
            { 2, 1, 128, 640, 500, 140, 0, true },
        };
        for (auto &r : rows)
            check_flash(r);
    } else if (!strcmp(what, "time")) {
        int tokens[16] = { 16, 32, 50, 64, 128, 256, 512, 1024 }, n = 8;
        if (argc > 2)
            for (n = 0; n < 16 && n + 2 < argc; n++)
                tokens[n] = atoi(argv[n + 2]);
        time_all(n, tokens);
    } else {
        time_flash(0, 1024), time_flash(1024, 1024), time_flash(0, 512), time_flash(0, 128),
            time_flash(2000, 50), time_flash(500, 50);
    }
    printf("# %s: %d failures\n", what, failures);
    return failures != 0;
}
