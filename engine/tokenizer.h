/* Text to token ids and back: Llama's SentencePiece BPE and byte-level BPE, read from
 * tokenizer.json, tokenizer.model, GGUF metadata, or vocab.json/encoder.json +
 * merges.txt/vocab.bpe.  Immutable once open; any thread may use it.
 *
 * Encoding is O(n log n) in the length of the text whatever the text is. */
#ifndef ENGINE_TOKENIZER_H
#define ENGINE_TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/modelfile.h"
#include "src/base/buf.h"
#include "src/base/error.h"
#include "src/base/tokens.h"

typedef struct Tokenizer Tokenizer;

/* Reads what the directory or file holds, in the order tokenizer.json, tokenizer.model, vocab +
 * merges; GGUF: metadata. */
Tokenizer *tokenizer_open(const ModelFile *file, Error *err);
void tokenizer_close(Tokenizer *tokenizer);

const char *tokenizer_kind(
    const Tokenizer *tokenizer); /* "spm", "bpe-gpt2", "bpe-smollm", "bpe-llama3", "bpe-qwen2", … */
const char *tokenizer_key(
    const Tokenizer *tokenizer); /* hash of vocabulary, merges and added tokens, hexadecimal */
int tokenizer_size(const Tokenizer *tokenizer); /* largest id + 1 */

int32_t tokenizer_bos(const Tokenizer *tokenizer); /* -1 if none */
int32_t tokenizer_eos(const Tokenizer *tokenizer);
int32_t tokenizer_unk(const Tokenizer *tokenizer);
bool tokenizer_adds_bos(const Tokenizer *tokenizer); /* before plain text */
/* Id of a token by its exact spelling, or -1. */
int32_t tokenizer_find(const Tokenizer *tokenizer, Str spelling);
bool tokenizer_is_special(const Tokenizer *tokenizer, int32_t id); /* control token */
Str tokenizer_spelling(const Tokenizer *tokenizer, int32_t id);

/* A span of text to encode.  special: control tokens in it are recognised; else its text is text.
 */
typedef struct {
    Str text;
    bool special;
} TextSpan;

/* Encodes the spans as one text (merges and prefix-space rules run across their borders, control
 * tokens only from spans with special set).  No BOS is added. */
bool tokenizer_encode(const Tokenizer *tokenizer, const TextSpan *spans, size_t n, Tokens *out,
                      Error *err);

/* The raw bytes of one token as it adds to a stream: ▁ as a space, byte tokens as their byte,
 * byte-level BPE mapped back; control tokens give nothing unless with_special. */
void tokenizer_token_bytes(const Tokenizer *tokenizer, int32_t id, bool with_special, Buf *out);
/* True when the decoder drops one space at the start of a text (Llama). */
bool tokenizer_strips_first_space(const Tokenizer *tokenizer);
/* A whole list at once, as Hugging Face's decoder: invalid bytes become U+FFFD (byte fallback: one
 * each). */
bool tokenizer_decode(const Tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
                      Buf *out, Error *err);

/* The model's chat_template, or an empty Str. */
Str tokenizer_chat_template(const Tokenizer *tokenizer);

#endif
