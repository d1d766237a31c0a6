/* What the targets do with a model's file that opened: everything that trusts what was read. */
#include "config.h"

#include <stdlib.h>

#include "engine/tokenizer.h"
#include "tests/fuzz/fuzz.h"

void use_tensors(const ModelFile *file)
{
    static volatile unsigned sink;

    for (size_t i = 0; i < modelfile_n_tensors(file); i++) {
        const FileTensor *tensor = modelfile_tensor_at(file, i);
        const uint8_t *bytes = tensor->data;

        if (tensor->bytes) /* what the table promises must be mapped */
            sink += bytes[0] + bytes[tensor->bytes - 1];
    }
}

static void encode_and_decode(const Tokenizer *tokenizer)
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

void use_tokenizer(const ModelFile *file)
{
    Error err = ERROR_INIT;
    Tokenizer *tokenizer = tokenizer_open(file, &err);

    if (tokenizer)
        encode_and_decode(tokenizer);
    tokenizer_close(tokenizer);
}

int fuzz_model(const char *path)
{
    Error err = ERROR_INIT;
    ModelFile *file = modelfile_open(path, true, &err);

    if (file)
        use_tensors(file);
    modelfile_close(file);
    return 0;
}

int fuzz_vocabulary(const char *path)
{
    Error err = ERROR_INIT;
    ModelFile *file = modelfile_open(path, false, &err);

    if (file)
        use_tokenizer(file);
    modelfile_close(file);
    return 0;
}
