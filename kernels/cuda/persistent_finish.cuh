/* The finishers of the persistent kernel: two warps that add the consumers' sums of finished rows,
 * apply norm, bias, SiLU and residual, and publish the values for the other SMs. */
#ifndef KERNELS_CUDA_PERSISTENT_FINISH_CUH
#define KERNELS_CUDA_PERSISTENT_FINISH_CUH

#include "kernels/cuda/persistent_room.cuh"

#if __CUDA_ARCH__ >= 900 || !defined(__CUDA_ARCH__)

struct Finish {
    int layer, phase, tokens;
    float scale[DECODE_TOKENS]; /* 1 / rms */
};

/* Publishes row `lane` of a pair whose sums are in y. */
template <int TOKENS>
static __device__ void finish_pair(const PersistentCall &c, const Finish &f, int pair, float *held,
                                   const float y[TOKENS], float bias, int n, bool in, int place)
{
    const int lane = threadIdx.x % 32, ph = f.phase;
    const bool last = f.layer == c.n_layers - 1;
#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
        if (t >= f.tokens)
            break;
        float v = finish_row(y[t], f.scale[t], bias);
        if (ph == 2) {
            float up = __shfl_down_sync(~0u, v, TILE_ROWS);
            v = silu_times(v, up);
            if (lane < TILE_ROWS && in)
                publish(exchange_at(c, f.layer, c.exchange.h, f.tokens) +
                            (size_t)t * c.phase[3].n_in + place,
                        v);
        } else if (ph == 0) {
            if (in)
                publish(exchange_at(c, f.layer, c.exchange.qkv, f.tokens) +
                            (size_t)t * c.attention.stride + place,
                        v);
        } else if (in) {
            const int hidden = c.phase[0].n_in;
            float *mine = held + lane * TOKENS + t;
            v = __fadd_rn(f.layer == 0 && ph == 1 ? __ldcg(c.x + (size_t)t * hidden + n) : *mine,
                          v);
            *mine = v;
            if (ph == 3 && last)
                c.x[(size_t)t * hidden + n] = v;
            else
                publish(exchange_at(c, f.layer, ph == 1 ? c.exchange.x_ffn : c.exchange.x_attn,
                                    f.tokens) +
                            (size_t)t * hidden + place,
                        v);
        }
    }
}

template <int TOKENS> static __device__ void read_scales(const PersistentCall &c, Finish &f)
{
    const Room<TOKENS> &room = room_of<TOKENS>();
#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
        if (t >= f.tokens)
            break;
        float s = 0;
#pragma unroll
        for (int w = 0; w < SUM_WARPS; w++)
            s += room.share[w * TOKENS + t];
        if (!isfinite(s) && threadIdx.x % 32 == 0)
            atomicMin(&c.run->nan_layer, f.layer);
        f.scale[t] = inverse_rms(s, c.phase[0].n_in, c.eps);
    }
}

template <int TOKENS>
static __device__ __forceinline__ void add_sums(float y[TOKENS], const float *s)
{
    if constexpr (TOKENS == 4) {
        const float4 v = *(const float4 *)s;
        y[0] += v.x, y[1] += v.y, y[2] += v.z, y[3] += v.w;
    } else {
#pragma unroll
        for (int t = 0; t < TOKENS; t++)
            y[t] += s[t];
    }
}

template <int TOKENS> static __device__ void finish(const PersistentCall &c, int me, int tokens)
{
    Room<TOKENS> &room = room_of<TOKENS>();
    const int lane = threadIdx.x % 32;
    int dealt = 0;
    uint32_t count = 0;
    Finish f;
    f.tokens = tokens;
    for (f.layer = 0; f.layer < c.n_layers; f.layer++)
        for (f.phase = 0; f.phase < 4; f.phase++) {
            const int ph = f.phase;
            const PersistentLayer &layer = layer_of<TOKENS>(c, f.layer);
            const int next = f.layer + 1 < c.n_layers ? f.layer + 1 : f.layer;
            const int *places = ph == 0 || c.line_at ? NULL
                                : ph == 1            ? layer.place[2]
                                : ph == 2            ? layer.place[3]
                                                     : layer_of<TOKENS>(c, next).place[0];
            int ordinal = 0;
            bool fresh = true;
            const int start = first_pair(c, ph, dealt), rows = ph == 2 ? TILE_ROWS : 32,
                      most = c.phase[ph == 2 ? 3 : 0].n_in - 1;
            for (int pair = start; places && pair < c.phase[ph].pairs;
                 pair += gridDim.x) /* all at once: they are cold */
                prefetch_l2(places + min(pair * rows + lane, most));
            for (int pair = start; pair < c.phase[ph].pairs; pair += gridDim.x, ordinal++) {
                if (ordinal % FINISHERS != me)
                    continue;
                int local = pair, matrix = matrix_of(c, ph, local);
                bool upper = ph == 2 && lane >= TILE_ROWS;
                int n = ph == 2 ? local * TILE_ROWS + lane % TILE_ROWS : local * 32 + lane;
                bool in = n < c.n_out[matrix];
                const float *biases = layer.bias[matrix + upper];
                float bias = biases && in ? __ldg(biases + n) : 0.f;
                int place = ph == 0        ? n + (matrix == 0   ? 0
                                                  : matrix == 1 ? c.n_out[0]
                                                                : c.n_out[0] + c.n_out[1])
                            : places && in ? __ldg(places + n)
                                           : n;
                const int slot = slot_of(TOKENS, me, count);
                bar_wait(room.done + slot, slot_parity(TOKENS, count));
                count++;
                if (fresh && ph % 2 == 0)
                    read_scales<TOKENS>(c, f);
                if (fresh && ph % 2)
#pragma unroll
                    for (int t = 0; t < TOKENS; t++)
                        f.scale[t] = 1.f;
                fresh = false;
                float y[TOKENS];
#pragma unroll
                for (int t = 0; t < TOKENS; t++)
                    y[t] = 0;
                const float *red =
                    room.red + (size_t)slot * SUM_WARPS * 32 * TOKENS + lane * TOKENS;
#pragma unroll
                for (int w = 0; w < SUM_WARPS; w++)
                    add_sums<TOKENS>(y, red + w * 32 * TOKENS);
                __syncwarp();
                if (lane == 0)
                    bar_arrive(room.taken + slot);
                finish_pair<TOKENS>(c, f, pair, held_of<TOKENS>(c) + ordinal * 32 * TOKENS, y, bias,
                                    n, in, place);
            }
        }
}

#endif

#endif
