/* A tokenizer.model of any content (SentencePiece, or lines of base64 and rank): whatever opens
 * must encode and decode without harm. */
#include "config.h"

#include <stdlib.h>

#include "engine/tokenizer.h"
#include "tests/fuzz/fuzz.h"

static void use(const Tokenizer *tokenizer)
{
    const TextSpan spans[] = {
        { STR_NULL, false },
        { STR("Hello  world\n日本語 か\xE3\x82\x99 \xFF\xE6\x97 <s>[INST]"), true },
        { STR(" aaaaaaaaaaaaaaaa123"), false },
    };
    Tokens ids = TOKENS_INIT;
    Error err = ERROR_INIT;
    Buf text = BUF_INIT;

    if (tokenizer_encode(tokenizer, spans, 3, &ids, &err)) {
        for (size_t i = 0; i < ids.n; i++) {
            if (ids.ids[i] < 0 || ids.ids[i] >= tokenizer_size(tokenizer))
                abort();
            tokenizer_token_bytes(tokenizer, ids.ids[i], true, &text);
        }
        tokenizer_decode(tokenizer, ids.ids, ids.n, true, &text, &err);
    }
    for (int32_t id = -1; id < tokenizer_size(tokenizer) && id < 300; id++)
        tokenizer_token_bytes(tokenizer, id, false, &text);
    buf_release(&text);
    tokens_release(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = scratch_file("tokenizer.model", data, size);
    Error err = ERROR_INIT;
    ModelFile *file = modelfile_open(path, false, &err);
    Tokenizer *tokenizer;

    if (!file)
        return 0;
    tokenizer = tokenizer_open(file, &err);
    if (tokenizer)
        use(tokenizer);
    tokenizer_close(tokenizer);
    modelfile_close(file);
    return 0;
}
