/* What the driver's errors mean for whoever uses the program. */
#include "kernels/cuda/load.cuh"

const char *cuda_reason(cudaError_t e)
{
    static const struct {
        cudaError_t error;
        const char *reason;
    } table[] = {
        { cudaErrorDevicesUnavailable, "another process has the card for itself" },
        { cudaErrorDeviceAlreadyInUse, "another process has the card for itself" },
        { cudaErrorNoKernelImageForDevice, "this build has no code for the card" },
        { cudaErrorSystemDriverMismatch, "the driver's parts are of different versions" },
        { cudaErrorCompatNotSupportedOnDevice, "the driver does not fit the card" },
        { cudaErrorECCUncorrectable, "the card's memory is damaged" },
        { cudaErrorLaunchTimeout, "a kernel ran longer than the driver allows" },
        { cudaErrorLaunchFailure, "a kernel failed" },
        { cudaErrorIllegalAddress, "a kernel failed (address)" },
        { cudaErrorMisalignedAddress, "a kernel failed (alignment)" },
        { cudaErrorIllegalInstruction, "a kernel failed (instruction)" },
        { cudaErrorDeviceUninitialized, "the card was lost" },
        { cudaErrorSystemNotReady, "the card is not ready" },
        { cudaErrorUnknown, "the card was lost" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].error == e)
            return table[i].reason;
    return cudaGetErrorString(e);
}
