/* An index of safetensors files of any content, beside two good files: what opens is read
 * through. */
#include "config.h"

#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "tests/tiny_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const TinySpec spec = { .kind = TINY_HF_F16, .seed = 3, .layers = 1, .sharded = true };
    static bool made;

    if (!made && !tiny_model_write(scratch_folder(), &spec))
        abort();
    made = true;
    scratch_file("model.safetensors.index.json", data, size);
    return fuzz_model(scratch_folder());
}
