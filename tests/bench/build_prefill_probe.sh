#!/bin/sh
# build_prefill_probe.sh FOLDER_OF_CONFIG_H OUTPUT: prefill_probe, for Hopper; run it from the top of the sources.
set -e
for file in kernels/cuda/prefill_wgmma.cu kernels/cuda/attention_wgmma.cu kernels/cuda/attention_prefill.cu \
    tests/bench/prefill_probe.cu; do
    objects="$objects $2-$(basename "$file" .cu).o"
    "${NVCC:-nvcc}" -std=c++17 -O3 -lineinfo -gencode=arch=compute_90a,code=sm_90a -I. -I"$1" -c "$file" \
        -o "$2-$(basename "$file" .cu).o"
done
# shellcheck disable=SC2086
"${NVCC:-nvcc}" -gencode=arch=compute_90a,code=sm_90a $objects -o "$2"
# shellcheck disable=SC2086
rm -f $objects
