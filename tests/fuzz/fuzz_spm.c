/* A tokenizer.model of any content (SentencePiece, or lines of base64 and rank): whatever opens
 * must encode and decode without harm. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_vocabulary(scratch_file("tokenizer.model", data, size));
}
