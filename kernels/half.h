/* Sixteen-bit floats from unaligned memory, without the processor's help.  Exact, subnormal numbers
 * included. */
#ifndef KERNELS_HALF_H
#define KERNELS_HALF_H

#include <stdint.h>
#include <string.h>

static inline float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* IEEE binary16: the exponent and mantissa are moved into place and scaled by 2^112, which also
 * makes subnormals right. */
static inline float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t rest = (uint32_t)(half & 0x7fff) << 13;
    if ((half & 0x7c00) == 0x7c00)
        return float_from_bits(sign | rest | 0x7f800000u);
    return float_from_bits(sign | bits_of_float(float_from_bits(rest) * 0x1p112f));
}

/* To the nearest, ties to even; too large becomes infinity. */
static inline uint16_t float_to_half(float value)
{
    uint32_t bits = bits_of_float(value), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
    if (rest > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (rest >= 0x477ff000) /* 65520: halfway to what would be the next number */
        return (uint16_t)(sign | 0x7c00);
    if (rest < 0x38800000) /* subnormal: the addition rounds at the right place */
        return (uint16_t)(sign | (bits_of_float(float_from_bits(rest) + 0.5f) - 0x3f000000));
    return (uint16_t)(sign | (rest - 0x38000000 + 0xfff + (rest >> 13 & 1)) >> 13);
}

static inline float half_load(const void *src)
{
    uint16_t half;
    memcpy(&half, src, sizeof half);
    return half_to_float(half);
}

static inline float bfloat_load(const void *src)
{
    uint16_t half;
    memcpy(&half, src, sizeof half);
    return float_from_bits((uint32_t)half << 16);
}

static inline float float_load(const void *src)
{
    float value;
    memcpy(&value, src, sizeof value);
    return value;
}

#endif
