/* Writes a small model for shell tests.  Usage: make_tiny DIR [WORD...], where words are gguf,
 * gptq, llama2, ends, sharded and context=N; prints what to give to -m. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "tests/tiny_model.h"

static bool read_word(TinySpec *spec, const char *word)
{
    long long n;

    if (strcmp(word, "gguf") == 0)
        spec->kind = TINY_GGUF_Q4_1;
    else if (strcmp(word, "gptq") == 0)
        spec->kind = TINY_GPTQ_V1;
    else if (strcmp(word, "llama2") == 0)
        spec->chat = TINY_LLAMA2;
    else if (strcmp(word, "ends") == 0)
        spec->ends = true;
    else if (strcmp(word, "sharded") == 0)
        spec->sharded = true;
    else if (strncmp(word, "context=", 8) == 0 && str_to_long(str_from(word + 8), &n))
        spec->context = (int)n;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    TinySpec spec = { .seed = 7 };

    for (int i = 2; i < argc; i++)
        if (!read_word(&spec, argv[i]))
            return 2;
    if (argc < 2 || !tiny_model_write(argv[1], &spec))
        return 1;
    puts(tiny_model_path(argv[1], &spec));
    return 0;
}
