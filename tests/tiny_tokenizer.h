/* The tokenizers of tiny models: a few hundred tokens with all 256 bytes, English and Japanese
 * pieces. */
#ifndef TESTS_TINY_TOKENIZER_H
#define TESTS_TINY_TOKENIZER_H

#include <jansson.h>

#include "tests/tensor_writer.h"
#include "tests/tiny_model.h"

typedef enum {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 3,
    TOKEN_BYTE = 6
} TokenType; /* as in GGUF */

typedef struct {
    char **piece; /* as tokenizer.json writes it */
    TokenType *type;
    int n;
    char **merge; /* "a b", best first */
    int n_merges;
    int bos, eos, unk;         /* -1: none */
    const char *chat_template; /* NULL: none */
} TinyVocab;

void tiny_vocab_init(TinyVocab *vocab, const TinySpec *spec);
void tiny_vocab_release(TinyVocab *vocab);
/* tokenizer.json, tokenizer_config.json, special_tokens_map.json. */
bool tiny_vocab_write(const TinyVocab *vocab, const TinySpec *spec, const char *dir);
void tiny_vocab_meta(const TinyVocab *vocab, const TinySpec *spec, TensorWriter *writer);
/* Takes the value over; false when it is NULL or the file cannot be written. */
bool tiny_json_write(const char *dir, const char *name, json_t *json);
/* Whether the token is text that may be shown: neither control, unknown nor a byte that is not
 * ASCII text. */
bool tiny_vocab_readable(const TinyVocab *vocab, int id);

#endif
