/* The inside of a Tokenizer, for the files that read one format each.
 *
 * A loader fills vocabulary, merges, added tokens and the steps of the pipeline, sets the kind
 * and what it knows of bos, eos and unk, and leaves the rest to tokenizer.c: applying
 * tokenizer_config.json, building tables, checking, hashing. */
#ifndef ENGINE_TOKENIZER_PARTS_H
#define ENGINE_TOKENIZER_PARTS_H

#include <jansson.h>

#include "engine/added.h"
#include "engine/bpe.h"
#include "engine/decode.h"
#include "engine/modelfile.h"
#include "engine/normalize.h"
#include "engine/pretokenize.h"
#include "engine/tokenizer.h"
#include "engine/vocab.h"

#define META_SYMBOL "\xE2\x96\x81" /* ▁ */

struct Tokenizer {
    char kind[32];
    char key[33];
    Vocab vocab;
    Bpe bpe;
    Added added;
    NormalSteps normal;
    PreSteps pre;
    DecodeSteps decode;
    int32_t bos, eos, unk; /* -1: none */
    bool adds_bos;
    /* Normalized added tokens are written as they are looked for (SentencePiece). */
    bool spells_literally;
    Buf chat_template;
};

/* How the tokenizer of a plain vocabulary is chosen: the name of its split, normal form and so
 * on. */
typedef struct {
    const char *name;           /* as tokenizer.ggml.pre writes it */
    const char *kind;           /* as tokenizer_kind */
    const char *rule;           /* split rule after which bytes are mapped; NULL: see `regexes` */
    const char *const *regexes; /* isolating splits one after another, NULL-terminated, or NULL */
    bool digits;                /* every \p{N} alone before the rule */
    bool nfc, ignore_merges, adds_bos;
} SplitKind;

/* ---- tokenizer_kinds.c ---- */
const SplitKind *split_kind_named(Str name); /* NULL: unknown */
/* For a vocabulary that does not say: by its size and tokens. */
const SplitKind *split_kind_guess(const Vocab *vocab);
/* Normalizer, pre-tokenizer and decoder of byte-level BPE. */
bool byte_level_setup(Tokenizer *t, const SplitKind *kind, Error *err);
/* The same of SentencePiece's BPE; prefix: where the text gets its ▁. */
typedef enum { PREFIX_NEVER, PREFIX_FIRST, PREFIX_EACH } PrefixRule;
void spm_setup(Tokenizer *t, PrefixRule prefix, bool squeeze_spaces);
/* A pattern from a regular expression: a known rule, else ICU's. */
bool pattern_from_regex(Pattern *out, Str regex, Error *err);
/* Llama 3's 256 control tokens, for its vocabulary without them. */
bool add_llama3_tokens(Tokenizer *t, Error *err);

/* ---- tokenizer_files.c ---- */
bool tokenizer_load_files(Tokenizer *t, const ModelFile *file, Error *err);
bool tokenizer_has_files(const ModelFile *file);

/* ---- one each ---- */
bool tokenizer_load_json(Tokenizer *t, const ModelFile *file, Error *err);
bool tokenizer_load_spm(Tokenizer *t, const ModelFile *file, Error *err);
bool tokenizer_load_gguf(Tokenizer *t, const ModelFile *file, Error *err);
/* pipeline of tokenizer.json: tokenizer_pipeline.c */
bool json_normalizer(Tokenizer *t, const json_t *value, Error *err);
bool json_pre_tokenizer(Tokenizer *t, const json_t *value, Error *err);
bool json_decoder(Tokenizer *t, const json_t *value, Error *err);

/* tokenizer_config.json and the small files beside it: further added tokens, bos, eos, unk, chat
 * template. */
bool tokenizer_apply_config(Tokenizer *t, const ModelFile *file, bool from_json, Error *err);

/* ---- tokenizer.c ---- */
Str json_str(const json_t *value); /* an empty Str unless it is a string */
/* Adds a token under its id, in the vocabulary too if it is not there.  Known spellings keep
 * their first entry and id. */
bool tokenizer_add_token(Tokenizer *t, AddedToken token, Error *err);

#endif
