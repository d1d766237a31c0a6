/* The kernels for AVX2: see dot_avx2.h. */
#include "config.h"

#define ISA_TABLE isa_avx2
#define ISA_NAME "avx2"
#include "kernels/cpu/dot_avx2.h"
