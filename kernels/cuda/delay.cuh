/* Random delays for tests.  Built with -DKAIWA_DELAYS, the persistent kernel dawdles before each
 * value that it publishes, each poll and each wait, so that warps and SMs meet in orders which a
 * quiet card hardly shows; no bit may change. */
#ifndef KERNELS_CUDA_DELAY_CUH
#define KERNELS_CUDA_DELAY_CUH

/* One time in four up to a microsecond, one in 512 thirty. */
static __device__ __forceinline__ void delay(void)
{
#if defined(KAIWA_DELAYS) && __CUDA_ARCH__ >= 700
    unsigned r = (unsigned)clock64() ^ (blockIdx.x * 2654435761u + threadIdx.x / 32 * 40503u);
    r = (r ^ r >> 15) * 0x2c1b3c6du;
    r = (r ^ r >> 12) * 0x297a2d39u;
    r ^= r >> 15;
    if (r % 4 == 0)
        __nanosleep(r % 512 == 0 ? 30000 : r >> 22);
#endif
}

#endif
