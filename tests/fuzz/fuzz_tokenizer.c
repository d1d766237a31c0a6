/* A tokenizer.json of any content: whatever opens must encode and decode without harm. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_vocabulary(scratch_file("tokenizer.json", data, size));
}
