/* A safetensors file of any content in a model directory: opened, walked and read through. */
#include "config.h"

#include "engine/modelfile.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char config[] = "{\"model_type\": \"llama\"}";
    static volatile unsigned sink;
    Error err = ERROR_INIT;
    ModelFile *file;

    scratch_file("config.json", (const uint8_t *)config, sizeof config - 1);
    scratch_file("model.safetensors", data, size);
    file = modelfile_open(scratch_folder(), true, &err);
    if (!file)
        return 0;
    for (size_t i = 0; i < modelfile_n_tensors(file); i++) {
        const FileTensor *tensor = modelfile_tensor_at(file, i);
        const uint8_t *bytes = tensor->data;

        if (tensor->bytes)
            sink += bytes[0] + bytes[tensor->bytes - 1];
    }
    modelfile_close(file);
    return 0;
}
