/* The small operations, written once in plain C and compiled for each instruction set by the file
 * that includes this.
 *
 * Every product and sum is rounded by itself (-ffp-contract=off), and sums run in sixteen lanes
 * that are folded in one order, so the compiler may vectorise as it likes and the bits stay the
 * same. */
#ifndef KERNELS_CPU_POINTWISE_H
#define KERNELS_CPU_POINTWISE_H

#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/half.h"

/* 1.5 * 2^23: adding it rounds to the nearest integer, halves to even. */
#define ROUNDING 12582912.0f

/* The order of every fold: lanes 8 apart, then 4, 2, 1. */
static inline float fold_lanes(float lane[16])
{
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

/* e^x for x <= 88; relative error 2e-7; 0 below -87. */
static inline float exp_approx(float argument)
{
    float x = argument >= -87.0f ? argument : -87.0f;
    float whole = x * 1.44269504f + ROUNDING - ROUNDING;
    float f = x - whole * 0.693145752f; /* ln 2 in two parts: the first has 15 bits */
    f = f - whole * 1.42860677e-6f;
    float p = 1.9875691500e-4f; /* Cephes expf */
    p = p * f + 1.3981999507e-3f;
    p = p * f + 8.3334519073e-3f;
    p = p * f + 4.1665795894e-2f;
    p = p * f + 1.6666665459e-1f;
    p = p * f + 5.0000001201e-1f;
    p = p * f * f + f + 1.0f;
    int exponent = (int)whole;
    float power = float_from_bits((uint32_t)(exponent + 127) << 23);
    return argument >= -87.0f ? p * power : 0.0f;
}

static inline float pointwise_norm(const NormInput *in, float *out)
{
    float lane[16] = { 0 };
    int whole = in->n / 16 * 16;
    for (int i = 0; i < whole; i += 16)
        for (int j = 0; j < 16; j++)
            lane[j] += in->x[i + j] * in->x[i + j];
    for (int i = whole; i < in->n; i++)
        lane[i - whole] += in->x[i] * in->x[i];
    float sum = fold_lanes(lane);
    float factor = 1.0f / sqrtf(sum / (float)in->n + in->eps);
    for (int i = 0; i < in->n; i++)
        out[i] = in->x[i] * factor * in->weight[i];
    return sum;
}

static inline void pointwise_add(float *x, const float *y, int n)
{
    for (int i = 0; i < n; i++)
        x[i] += y[i];
}

static inline void pointwise_silu_mul(float *gate, const float *up, int n)
{
    for (int i = 0; i < n; i++) {
        float x = gate[i];
        float e = exp_approx(
            x > 0 ? -x : x); /* never overflows: silu(x) = x * (x > 0 ? 1 : e) / (1 + e) */
        gate[i] = x * (x > 0 ? 1.0f : e) / (1.0f + e) * up[i];
    }
}

/* ---- quantising ---- */

static inline uint32_t largest_bits(const float *x, int n)
{
    uint32_t largest = 0;
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

/* The scale of a block, and its inverse; both 0 where there is nothing to scale (or nothing
 * finite). */
static inline float block_scale(uint32_t largest, float *inverse)
{
    float max = float_from_bits(largest);
    if (!(max >= 1e-30f && max <= 3e38f)) {
        *inverse = 0;
        return 0;
    }
    *inverse = (float)QUANT_MAX / max;
    return max / (float)QUANT_MAX;
}

static inline int32_t quantise_value(float x, float inverse)
{
    float rounded = x * inverse + ROUNDING;
    return (int32_t)(bits_of_float(rounded) - 0x4b400000u);
}

static inline uint32_t pointwise_quantise_head(const float *x, int n, int16_t *to, float *scale)
{
    uint32_t largest = largest_bits(x, n);
    float inverse;
    *scale = block_scale(largest, &inverse);
    for (int i = 0; i < n; i++)
        to[i] = (int16_t)(inverse == 0 ? 0 : quantise_value(x[i], inverse));
    return largest;
}

/* Where place i of a block stands in the order. */
static inline int order_place(ActOrder order, int i)
{
    if (order == ORDER_EVEN_ODD)
        return (i & ~7) | (i & 1) << 2 | (i & 6) >> 1;
    if (order == ORDER_HALVES)
        return (i & ~31) | (i & 12) << 1 | (i & 16) >> 2 | (i & 3);
    if (order == ORDER_WORDS)
        return (i & ~3) | (i & 1) << 1 | (i & 2) >> 1;
    return i;
}

static inline void place_terms(const int32_t *value, int n, ActOrder order, int8_t *high,
                               int8_t *low)
{
    for (int i = 0; i < n; i++) {
        int place = order_place(order, i);
        int32_t top = (value[i] + 128) >> 8;
        high[place] = (int8_t)top;
        low[place] = (int8_t)(value[i] - top * 256);
    }
}

static inline void place_block(const int32_t *value, int n, ActOrder order, int8_t *high,
                               int8_t *low)
{
    if (order == ORDER_EVEN_ODD)
        place_terms(value, n, ORDER_EVEN_ODD, high, low);
    else if (order == ORDER_HALVES)
        place_terms(value, n, ORDER_HALVES, high, low);
    else
        place_terms(value, n, ORDER_PLAIN, high, low);
}

/* The inputs of a block, in place order, zero where there is none. */
static inline const float *block_inputs(const float *x, const ActForm *form, int block,
                                        float *buffer)
{
    int first = block * form->block, n = form->block;
    if (!form->perm && first + n <= form->n_in)
        return x + first;
    for (int i = 0; i < n; i++) {
        int32_t from = form->perm ? form->perm[first + i] : first + i;
        buffer[i] = from >= 0 && from < form->n_in ? x[from] : 0.0f;
    }
    return buffer;
}

/* One block of `size` values; size is a constant where it matters, for the compiler's sake. */
static inline uint32_t quantise_block(const float *input, int size, ActOrder order,
                                      const Activations *to, size_t at)
{
    int32_t value[BLOCK_MAX], sum = 0;
    int8_t *terms = to->terms + at * 2 * (size_t)size;
    uint32_t largest = largest_bits(input, size);
    float inverse, scale = block_scale(largest, &inverse);
    for (int i = 0; i < size; i++) {
        value[i] = inverse == 0 ? 0 : quantise_value(input[i], inverse);
        sum += value[i];
    }
    to->scale[at] = scale;
    to->less_sum[at] = -sum;
    to->scaled_sum[at] = (float)sum * scale;
    if (order != ORDER_WORDS) {
        place_block(value, size, order, terms, terms + size);
        return largest;
    }
    for (int i = 0; i < size; i++) {
        int16_t word = (int16_t)value[i];
        memcpy(terms + 2 * order_place(ORDER_WORDS, i), &word, sizeof word);
    }
    return largest;
}

static inline uint32_t pointwise_quantise(const float *x, const Activations *to, int token)
{
    const ActForm *form = &to->form;
    uint32_t worst = 0;
    for (int block = 0; block < form->n_blocks; block++) {
        float buffer[BLOCK_MAX];
        const float *input = block_inputs(x, form, block, buffer);
        size_t at = (size_t)block * (size_t)to->n_tokens + (size_t)token;
        uint32_t largest = form->block == 32
                               ? quantise_block(input, 32, form->order, to, at)
                               : quantise_block(input, form->block, form->order, to, at);
        worst = largest > worst ? largest : worst;
    }
    return worst;
}

/* ---- attention ---- */

static inline void pointwise_weights(const KvBlock *kv, AttnPage *page)
{
    float *score = page->score, lane[16], max;
    int first = page->begin / 16 * 16, last = (page->end + 15) / 16 * 16;
    for (int j = 0; j < 16; j++)
        lane[j] = -INFINITY;
    for (int i = first; i < last; i += 16)
        for (int j = 0; j < 16; j++) {
            float scaled = score[i + j] * (page->query_scale * kv->k_scale[i + j]);
            scaled = i + j >= page->begin && i + j < page->end ? scaled : -INFINITY;
            lane[j] = scaled > lane[j] ? scaled : lane[j];
            score[i + j] = scaled;
        }
    max = lane[0];
    for (int j = 0; j < 16; j++) {
        max = lane[j] > max ? lane[j] : max;
        lane[j] = 0;
    }
    for (int i = first; i < last; i += 16)
        for (int j = 0; j < 16; j++) {
            float weight = exp_approx(score[i + j] - max); /* 0 where not visible */
            lane[j] += weight;
            score[i + j] = weight * kv->v_scale[i + j];
        }
    page->max = max;
    page->sum = fold_lanes(lane);
}

static inline void pointwise_merge(AttnState *into, const AttnState *page, int n)
{
    float max = into->max > page->max ? into->max : page->max;
    float old = exp_approx(into->max - max), add = exp_approx(page->max - max);
    into->max = max;
    into->sum = into->sum * old + page->sum * add;
    for (int i = 0; i < n; i++)
        into->value[i] = into->value[i] * old + page->value[i] * add;
}

#endif
