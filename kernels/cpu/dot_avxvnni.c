/* The kernels for AVX2 with AVX-VNNI, which Intel's processors for desktops and laptops have since
 * 2021 while they lack AVX-512: those of dot_avx2.h, with products and sums in one instruction. */
#include "config.h"

#ifndef __AVXVNNI__
#error "compile this file with -mavxvnni"
#endif

#define ISA_TABLE isa_avxvnni
#define ISA_NAME "avxvnni"
#include "kernels/cpu/dot_avx2.h"
