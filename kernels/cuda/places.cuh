/* Where things lie on the GPU, as arithmetic that the host can run too (tests/test_cuda_places.c):
 * nibbles in a block of weights, x in the swizzle of Hopper's wgmma, sums in its registers. */
#ifndef KERNELS_CUDA_PLACES_CUH
#define KERNELS_CUDA_PLACES_CUH

#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#define ANYWHERE static inline __host__ __device__
#else
#define ANYWHERE static inline
#endif

/* Place of nibble (row, col) of a block: byte offset and shift. */
ANYWHERE void q4_place(int row, int col, int *byte, int *shift)
{
    int m = col / 32, half = col / 16 % 2, t = col / 4 % 4, i = col % 4;
    int lane = row % 8 * 4 + t, word = half * 2 + (row >= 8);
    *byte = m / 2 * 512 + lane * 16 + word * 4 + i;
    *shift = m & 1 ? 4 : 0;
}

enum {
    SWIZZLE_ROW = 128,  /* bytes of a row of the 128-byte swizzle: 64 halves */
    SWIZZLE_ATOM = 1024 /* eight such rows, after which the pattern repeats */
};

/* Bytes of a 128-byte row in the swizzle: 16-byte piece c of row r lies at piece c ^ (r % 8). */
ANYWHERE uint32_t swizzle_place(uint32_t row, uint32_t byte)
{
    return row * SWIZZLE_ROW + (byte ^ (row & 7) << 4);
}

/* The k order of a sixteen of columns: the even ones, then the odd ones.  A word of eight nibbles
 * (four columns of two sixteens) then gives fragments by masks alone: its bytes 0 and 2 are
 * neighbours in k, and so are 1 and 3. */
ANYWHERE int sixteen_place(int column)
{
    return (column & 1) * 8 + column / 2;
}

/* x of a product by wgmma: halves, [k / 64][token of capacity][64 of k], each row swizzled.  So a
 * tile of tokens is one run of bytes for each 64 columns, and a bulk copy brings it in ready. */
ANYWHERE size_t wgmma_x_place(int column, int token, int capacity)
{
    uint32_t k = (uint32_t)(column / 16 * 16 + sixteen_place(column % 16));
    return (size_t)(k / 64) * (size_t)capacity * SWIZZLE_ROW + (size_t)(token / 8) * SWIZZLE_ATOM +
           swizzle_place((uint32_t)token % 8, k % 64 * 2);
}

/* Row and column of element `i` of thread `t` (0..127) of a warp group's m64 x n sums. */
ANYWHERE int wgmma_row(int t, int i)
{
    return t / 32 * 16 + t % 32 / 4 + (i & 2) * 4;
}

ANYWHERE int wgmma_column(int t, int i)
{
    return i / 4 * 8 + t % 4 * 2 + (i & 1);
}

/* Descriptor of a right operand in shared memory in the 128-byte swizzle, whose first atom starts
 * at `shared`, or 32 bytes further for each sixteen of k.  Eight rows every 1024 bytes.
 * [n][64 of k]: the other stride does not count.  [k][64 of n], TRANSPOSED: n is 64, so again one
 * stride counts, whichever it is called. */
ANYWHERE uint64_t wgmma_descriptor(uint32_t shared, int transposed)
{
    const uint64_t atom = SWIZZLE_ATOM >> 4;
    return (uint64_t)(shared >> 4 & 0x3fff) | (transposed ? atom : 1) << 16 | atom << 32 |
           1ull << 62;
}

/* Nibbles become halves by masks: 1024 + q in the low ones, 1024 + 16 q in the high ones.  What
 * turns the first into q - zero is taken away; what turns a sixteenth of the second into it is
 * added.  Bits of a half; zero up to 31. */
ANYWHERE uint32_t low_zero_bits(uint32_t zero)
{
    return 0x6400 + zero; /* 1024 + zero */
}

ANYWHERE uint32_t high_zero_bits(uint32_t zero)
{
    return 0xd400 + zero * 16; /* -(64 + zero) */
}

#endif
