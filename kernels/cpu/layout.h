/* From weights as files hold them to matrices as the kernels read them (see cpu.h for the tiles).
 */
#ifndef KERNELS_CPU_LAYOUT_H
#define KERNELS_CPU_LAYOUT_H

#include "kernels/cpu/cpu.h"

/* Describes the matrix and finds its sizes; allocates permutations and the bias.  KS_UNSUPPORTED
 * with *why, KS_MEMORY. */
KStatus matrix_plan(const Linear *linear, const Isa *isa, Matrix *matrix, const char **why);
/* Bytes of packed memory that the planned matrix needs, a multiple of ALIGNMENT; 0 for dense ones.
 */
size_t matrix_packed_bytes(const Matrix *matrix);
/* Packs into memory (ALIGNMENT-aligned), with all threads of the pool. */
void matrix_pack(Matrix *matrix, const Linear *linear, uint8_t *memory, Pool *pool);
/* Frees what matrix_plan allocated; the packed memory is the caller's. */
void matrix_release(Matrix *matrix);

#endif
