/* A GGUF file of any content: opened, walked and read through, with its tokenizer, shape and chat
 * format. */
#include "config.h"

#include "engine/engine.h"
#include "tests/fuzz/fuzz.h"

static void open_and_use(const char *path, bool need_weights)
{
    Error err = ERROR_INIT;
    ModelFile *file = modelfile_open(path, need_weights, &err);

    if (file) {
        use_tensors(file);
        use_tokenizer(file);
    }
    modelfile_close(file);
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
