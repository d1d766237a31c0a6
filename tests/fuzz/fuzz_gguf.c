/* A GGUF file of any content: opened, walked and read through, with its tokenizer, shape and chat
 * format. */
#include "config.h"

#include "engine/engine.h"
#include "engine/modelfile.h"
#include "engine/tokenizer.h"
#include "tests/fuzz/fuzz.h"

static unsigned touch(const ModelFile *file)
{
    unsigned sum = 0;

    for (size_t i = 0; i < modelfile_n_tensors(file); i++) {
        const FileTensor *tensor = modelfile_tensor_at(file, i);
        const uint8_t *bytes = tensor->data;

        if (tensor->bytes) /* what the table promises must be mapped */
            sum += bytes[0] + bytes[tensor->bytes - 1];
    }
    return sum;
}

static void open_and_use(const char *path, bool need_weights)
{
    static volatile unsigned sink;
    Error err = ERROR_INIT;
    ModelFile *file = modelfile_open(path, need_weights, &err);
    Tokenizer *tokenizer;

    if (!file)
        return;
    sink = touch(file);
    tokenizer = tokenizer_open(file, &err);
    if (tokenizer) {
        TextSpan span = { STR("Hello 日本\n<s>"), true };
        Tokens ids = TOKENS_INIT;

        tokenizer_encode(tokenizer, &span, 1, &ids, &err);
        tokens_release(&ids);
    }
    tokenizer_close(tokenizer);
    modelfile_close(file);
    (void)sink;
}

static void describe(const char *path)
{
    const EngineOptions options = {
        .model = path, .backend = "cpu", .without_weights = true, .describe = true
    };
    const ChatMessage message = { .role = ROLE_USER, .text = STR("Hello <s>") };
    Error err = ERROR_INIT;
    Engine *engine = engine_open(&options, NULL, &err);
    Tokens ids = TOKENS_INIT;
    ModelInfo info;

    if (engine) {
        engine_info(engine, &info);
        engine_render(engine, &message, 1, false, &ids, &err);
    }
    tokens_release(&ids);
    engine_close(engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = scratch_file("model.gguf", data, size);

    open_and_use(path, true);
    open_and_use(path, false);
    describe(path);
    return 0;
}
