/* An index of safetensors files of any content, beside two good files: what opens is read
 * through. */
#include "config.h"

#include <stdlib.h>

#include "engine/modelfile.h"
#include "tests/fuzz/fuzz.h"
#include "tests/tiny_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const TinySpec spec = { .kind = TINY_HF_F16, .seed = 3, .layers = 1, .sharded = true };
    static volatile unsigned sink;
    static bool made;
    Error err = ERROR_INIT;
    ModelFile *file;

    if (!made && !tiny_model_write(scratch_folder(), &spec))
        abort();
    made = true;
    scratch_file("model.safetensors.index.json", data, size);
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
