/* Times of a token, phase by phase, and the rate at which the device's memory is read. */
#ifndef KERNELS_CUDA_PROFILE_CUH
#define KERNELS_CUDA_PROFILE_CUH

#include "kernels/kernels.h"

KStatus cuda_profile(Timeline *timeline, int tokens, KProfile *out);

#endif
