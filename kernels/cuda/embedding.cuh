/* One value of an embedding, in whatever form it lies. */
#ifndef KERNELS_CUDA_EMBEDDING_CUH
#define KERNELS_CUDA_EMBEDDING_CUH

#include "kernels/cuda/common.cuh"

static __device__ float embedding_value(const DevLinear &e, int row, int col)
{
    if (e.blocks) {
        const uint8_t *b =
            e.blocks + ((size_t)(row / TILE_ROWS) * e.k_blocks + col / BLOCK_COLS) * e.block_bytes;
        int byte, shift, g = col % BLOCK_COLS / e.group, groups = BLOCK_COLS / e.group,
                         r = row % TILE_ROWS;
        int slot = g * TILE_ROWS + r % 8 * 2 + (r >= 8);
        q4_place(r, col % BLOCK_COLS, &byte, &shift);
        int q = b[byte] >> shift & 15;
        float s = __half2float(((const __half *)(b + NIBBLE_BYTES))[slot]);
        const uint8_t *extra = b + NIBBLE_BYTES + groups * TILE_ROWS * 2;
        if (e.zero == ZERO_MIN)
            return q * s + __half2float(((const __half *)extra)[slot]);
        return (q - (e.zero == ZERO_BYTE ? extra[slot] : 8)) * s;
    }
    size_t ld = (size_t)div_up(e.n_in, 32) * 32, i = (size_t)row * ld + col;
    switch (e.dtype) {
    case DTYPE_F32:
        return ((const float *)e.dense)[i];
    case DTYPE_F16:
        return __half2float(((const __half *)e.dense)[i]);
    case DTYPE_BF16:
        return __bfloat162float(((const __nv_bfloat16 *)e.dense)[i]);
    default:
        return ((const int8_t *)e.dense)[i] *
               __half2float(e.q8_scale[(size_t)row * (ld / 32) + col / 32]);
    }
}

#endif
