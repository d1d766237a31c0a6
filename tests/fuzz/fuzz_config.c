/* The small JSON files of a model directory: the first byte says which, the rest is its content.
 * All else in the directory is a good model.  What opens is asked for all that it knows, and used. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "src/base/attributes.h"
#include "src/base/buf.h"
#include "src/base/path.h"
#include "tests/fuzz/fuzz.h"
#include "tests/tiny_model.h"

static const struct {
    uint8_t letter;
    const char *name;
} files[] = {
    { 'c', "config.json" },
    { 'q', "quantize_config.json" },
    { 't', "tokenizer_config.json" },
    { 'g', "generation_config.json" },
    { 's', "special_tokens_map.json" },
};

static void write_file(const char *name, Str content)
{
    scratch_file(name, (const uint8_t *)content.data, content.len);
}

/* The good model, made once; what its file of this name holds. */
static Buf *good_content(size_t at)
{
    static Buf content[ARRAY_LEN(files)];
    static bool made;
    const TinySpec spec = { .kind = TINY_GPTQ_V1, .seed = 3, .context = 64 };
    Error err = ERROR_INIT;
    Buf path = BUF_INIT;

    if (!made && !tiny_model_write(scratch_folder(), &spec))
        abort();
    for (size_t i = 0; !made && i < ARRAY_LEN(files); i++) {
        path_join(&path, scratch_folder(), files[i].name);
        if (!path_read_file(buf_cstr(&path), 1 << 20, &content[i], &err))
            abort();
    }
    made = true;
    buf_release(&path);
    return &content[at];
}

static void use(const Engine *engine)
{
    const ChatMessage messages[] = { { .role = ROLE_SYSTEM, .text = STR("Be brief.") },
                                     { .role = ROLE_USER, .text = STR("Hello <s> 日本") } };
    Tokens ids = TOKENS_INIT;
    Sampling sampling = SAMPLING_INIT;
    Error err = ERROR_INIT;
    ModelInfo info;
    Buf text = BUF_INIT;

    engine_info(engine, &info);
    engine_default_sampling(engine, &sampling);
    if (engine_render(engine, messages, 2, false, &ids, &err))
        engine_detokenize(engine, ids.ids, ids.n, false, &text, &err);
    for (size_t i = 0; i < ids.n; i++)
        if (ids.ids[i] < 0 || ids.ids[i] >= info.n_tokens)
            abort();
    buf_release(&text);
    tokens_release(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const EngineOptions options = {
        .model = scratch_folder(), .backend = "cpu", .without_weights = true, .describe = true
    };
    Error err = ERROR_INIT;
    Engine *engine;
    size_t at = 0;

    while (size && at < ARRAY_LEN(files) && files[at].letter != data[0])
        at++;
    if (!size || at == ARRAY_LEN(files))
        return 0;
    good_content(at);
    write_file(files[at].name, str_of((const char *)data + 1, size - 1));
    engine = engine_open(&options, NULL, &err);
    if (engine)
        use(engine);
    engine_close(engine);
    write_file(files[at].name, buf_str(good_content(at)));
    return 0;
}
