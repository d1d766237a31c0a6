/* Where things lie for Hopper's wgmma, checked without a GPU: a product is worked out by following
 * nibbles, fragments, swizzle and sums as the PTX ISA describes them. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/cuda/places.cuh"
#include "kernels/half.h"

enum { ROWS = 16, COLUMNS = 128, TOKENS = 24, CAPACITY = 64, BLOCK_BYTES = 1024 };

static uint32_t state = 1;

static int random_below(int n)
{
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (uint32_t)n);
}

/* Fragment of a lane for sixteen columns, as whole numbers: a[register][half], by the masks that the
 * kernel uses. */
static void fragment(const uint8_t *block, int lane, int step, int a[4][2])
{
    const int high = step / 2 % 2, half = step % 2;
    for (int reg = 0; reg < 4; reg++) {
        uint32_t v;
        memcpy(&v, block + step / 4 * 512 + lane * 16 + (half * 2 + reg % 2) * 4, 4);
        v >>= reg < 2 ? 0 : 8;
        uint32_t pair = v & (high ? 0x00f000f0u : 0x000f000fu);
        a[reg][0] = (int)(pair & 0xffff) >> (high ? 4 : 0);
        a[reg][1] = (int)(pair >> 16) >> (high ? 4 : 0);
    }
}

/* Element (n, k) of a right operand as the matrix unit finds it: k runs along a row of 128 bytes (or
 * down the rows, TRANSPOSED), and the swizzle is on the bits of the address. */
static int operand(const int16_t *shared, uint64_t descriptor, int n, int k, int transposed)
{
    const uint32_t start = (uint32_t)(descriptor & 0x3fff) << 4,
                   stride = (uint32_t)(descriptor >> 32 & 0x3fff) << 4;
    uint32_t at = transposed ? (uint32_t)k / 8 * stride + (uint32_t)k % 8 * 128 + (uint32_t)n * 2
                             : (uint32_t)n / 8 * stride + (uint32_t)n % 8 * 128 + (uint32_t)k * 2;
    at += start;
    at ^= (at >> 7 & 7) << 4;
    assert_int_equal(descriptor >> 62, 1);
    return shared[at / 2];
}

static void nibbles_meet_their_own_columns_of_x(void **unused)
{
    (void)unused;
    static uint8_t block[BLOCK_BYTES];
    static int q[ROWS][COLUMNS], x[TOKENS][COLUMNS], sum[ROWS][TOKENS];
    static int16_t placed[COLUMNS / 64 * CAPACITY * 64], shared[2 * TOKENS * 64];
    for (int r = 0; r < ROWS; r++)
        for (int k = 0; k < COLUMNS; k++) {
            int byte, shift;
            q4_place(r, k, &byte, &shift);
            q[r][k] = random_below(16);
            block[byte] |= (uint8_t)(q[r][k] << shift);
        }
    for (int t = 0; t < TOKENS; t++)
        for (int k = 0; k < COLUMNS; k++) {
            x[t][k] = random_below(2000) - 1000;
            placed[wgmma_x_place(k, t + 8, CAPACITY) / 2] = (int16_t)x[t][k];
        }
    /* the tile of tokens from the eighth on, as two copies bring it in */
    for (int half = 0; half < 2; half++)
        memcpy(shared + half * TOKENS * 64, placed + (half * CAPACITY + 8) * 64, TOKENS * 128);
    for (int step = 0; step < COLUMNS / 16; step++) {
        uint64_t d = wgmma_descriptor((uint32_t)(step / 4 * TOKENS * 128 + step % 4 * 32), 0);
        for (int lane = 0; lane < 32; lane++) {
            int a[4][2];
            fragment(block, lane, step, a);
            for (int reg = 0; reg < 4; reg++)
                for (int h = 0; h < 2; h++)
                    for (int t = 0; t < TOKENS; t++)
                        sum[lane / 4 + reg % 2 * 8][t] +=
                            a[reg][h] * operand(shared, d, t, reg / 2 * 8 + lane % 4 * 2 + h, 0);
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int t = 0; t < TOKENS; t++) {
            int want = 0;
            for (int k = 0; k < COLUMNS; k++)
                want += q[r][k] * x[t][k];
            assert_int_equal(sum[r][t], want);
        }
}

/* [k][n] with the n along the rows: the values of attention. */
static void the_values_of_attention_are_read_down_the_rows(void **unused)
{
    (void)unused;
    enum { K = 48, N = 64 };
    static int16_t shared[K * N];
    for (int k = 0; k < K; k++)
        for (int n = 0; n < N; n++)
            shared[swizzle_place((uint32_t)k, (uint32_t)n * 2) / 2] = (int16_t)(k * N + n);
    for (int first = 0; first < K; first += 16)
        for (int k = 0; k < 16; k++)
            for (int n = 0; n < N; n++)
                assert_int_equal(operand(shared, wgmma_descriptor((uint32_t)first * 128, 1), n, k, 1),
                                 (first + k) * N + n);
}

static void every_place_of_x_is_used_once(void **unused)
{
    (void)unused;
    static uint8_t seen[4 * CAPACITY * 64];
    for (int t = 0; t < CAPACITY; t++)
        for (int k = 0; k < 256; k++) {
            size_t at = wgmma_x_place(k, t, CAPACITY);
            assert_true(at % 2 == 0 && at / 2 < sizeof seen);
            assert_int_equal(seen[at / 2]++, 0);
        }
}

/* A thread that has two neighbouring columns swaps with its neighbour and stores two halves at once:
 * those of attention's output. */
static void lanes_swap_columns_with_their_neighbours(void **unused)
{
    (void)unused;
    for (int column = 0; column < 64; column += 16)
        for (int j = 0; j < 2; j++)
            for (int t = 0; t < 4; t++)
                for (int h = 0; h < 2; h++) {
                    /* even lanes keep even columns: their own, then their neighbour's */
                    int c = column + j * 8 + (t / 2 * 2 + h) * 2 + t % 2;
                    size_t at = wgmma_x_place(column + t % 2, 5, CAPACITY) +
                                (size_t)(2 * (j * 4 + t / 2 * 2) + 2 * h);
                    assert_int_equal(at, wgmma_x_place(c, 5, CAPACITY));
                }
}

static void every_sum_has_one_register(void **unused)
{
    (void)unused;
    static uint8_t seen[64][32];
    for (int t = 0; t < 128; t++)
        for (int i = 0; i < 16; i++) {
            assert_true(wgmma_row(t, i) < 64 && wgmma_column(t, i) < 32);
            assert_int_equal(seen[wgmma_row(t, i)][wgmma_column(t, i)]++, 0);
        }
    /* the PTX ISA's figure: thread 5, element 6 */
    assert_int_equal(wgmma_row(5, 6), 9);
    assert_int_equal(wgmma_column(5, 6), 10);
}

static void zero_points_are_exact(void **unused)
{
    (void)unused;
    for (uint32_t z = 0; z < 32; z++) {
        assert_true(half_to_float((uint16_t)low_zero_bits(z)) == 1024.f + (float)z);
        assert_true(half_to_float((uint16_t)high_zero_bits(z)) == -64.f - (float)z);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nibbles_meet_their_own_columns_of_x),
        cmocka_unit_test(the_values_of_attention_are_read_down_the_rows),
        cmocka_unit_test(every_place_of_x_is_used_once),
        cmocka_unit_test(lanes_swap_columns_with_their_neighbours),
        cmocka_unit_test(every_sum_has_one_register),
        cmocka_unit_test(zero_points_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
