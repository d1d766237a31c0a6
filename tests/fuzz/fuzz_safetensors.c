/* A safetensors file of any content in a model directory: opened, walked and read through. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char config[] = "{\"model_type\": \"llama\"}";

    scratch_file("config.json", (const uint8_t *)config, sizeof config - 1);
    scratch_file("model.safetensors", data, size);
    return fuzz_model(scratch_folder());
}
