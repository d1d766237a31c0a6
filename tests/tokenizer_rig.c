/* Tokenizers for tests: see the header. */
#include "config.h"

#include "tests/tokenizer_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/base/mem.h"

char *folder_new(void)
{
    char *folder = xstrdup("/tmp/kaiwa-tokenizer-XXXXXX");
    if (!mkdtemp(folder))
        fail_msg("no temporary directory");
    return folder;
}

void folder_remove(char *folder)
{
    static const char *const names[] = { "tokenizer.json",      "tokenizer_config.json",
                                         "tokenizer.model",     "special_tokens_map.json",
                                         "added_tokens.json",   "vocab.json",
                                         "merges.txt",          "config.json",
                                         "chat_template.jinja", "vocab.gguf" };
    char path[256];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    if (rmdir(folder) != 0)
        print_error("%s is not empty\n", folder);
    free(folder);
}

void folder_write(const char *folder, const char *name, const void *bytes, size_t n)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

void folder_write_text(const char *folder, const char *name, const char *text)
{
    folder_write(folder, name, text, strlen(text));
}

Tokenizer *tokenizer_at(const char *path, Error *err)
{
    ModelFile *file = modelfile_open(path, false, err);
    Tokenizer *tokenizer = file ? tokenizer_open(file, err) : NULL;
    modelfile_close(file);
    return tokenizer;
}

static Tokenizer *open_json(const char *json, const char *config, Error *err)
{
    char *folder = folder_new();
    folder_write_text(folder, "tokenizer.json", json);
    if (config)
        folder_write_text(folder, "tokenizer_config.json", config);
    Tokenizer *tokenizer = tokenizer_at(folder, err);
    folder_remove(folder);
    return tokenizer;
}

Tokenizer *tokenizer_of_json(const char *json, const char *config)
{
    Error err = ERROR_INIT;
    Tokenizer *tokenizer = open_json(json, config, &err);
    if (!tokenizer)
        fail_msg("%s", err.text);
    return tokenizer;
}

const char *error_of_json(const char *json)
{
    static Error err;
    err = (Error)ERROR_INIT;
    Tokenizer *tokenizer = open_json(json, NULL, &err);
    if (tokenizer)
        fail_msg("opened: %.200s", json);
    return err.text;
}

const char *ids_as_text(const Tokens *ids)
{
    static Buf out = BUF_INIT;
    buf_reset(&out);
    for (size_t i = 0; i < ids->n; i++)
        buf_printf(&out, i ? " %d" : "%d", ids->ids[i]);
    return buf_cstr(&out);
}

static const char *encode(const Tokenizer *tokenizer, const TextSpan *spans, size_t n)
{
    Tokens ids = TOKENS_INIT;
    Error err = ERROR_INIT;
    if (!tokenizer_encode(tokenizer, spans, n, &ids, &err))
        fail_msg("%s", err.text);
    const char *text = ids_as_text(&ids);
    tokens_release(&ids);
    return text;
}

const char *ids_of(const Tokenizer *tokenizer, const char *text, bool special)
{
    return encode(tokenizer, &(TextSpan){ str_from(text), special }, 1);
}

const char *ids_of_spans(const Tokenizer *tokenizer, const char *const *texts)
{
    TextSpan spans[16];
    size_t n = 0;
    for (; texts[n]; n++)
        spans[n] = (TextSpan){ str_from(texts[n]), n % 2 == 1 };
    return encode(tokenizer, spans, n);
}

const char *text_of(const Tokenizer *tokenizer, const int32_t *ids, bool skip_special)
{
    static Buf out = BUF_INIT;
    Error err = ERROR_INIT;
    size_t n = 0;
    while (ids[n] >= 0)
        n++;
    buf_reset(&out);
    if (!tokenizer_decode(tokenizer, ids, n, skip_special, &out, &err))
        fail_msg("%s", err.text);
    return buf_cstr(&out);
}
