/* Models: everything that src may see of the engine.
 *
 * Engine: a model, its tokenizer and its chat format on a backend; immutable once open.
 * Session: one mutable timeline on it: tokens, KV cache, logits, and the timelines that it left but
 * may come back to.  The caller states the whole prompt, the session decides what it can reuse.
 *
 * Threads: an Engine and its sessions are used by one thread at a time (kaiwa's worker).
 * engine_tokenize, engine_render, engine_token_bytes and the other functions that take a const
 * Engine only read and may be used while no session runs. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/error.h"
#include "src/base/role.h"
#include "src/base/sampling.h"
#include "src/base/tokens.h"

typedef struct Engine Engine;
typedef struct Session Session;

/* Told from inside long calls, on the calling thread.  cancel may be NULL, report may be NULL. */
typedef struct {
    const atomic_bool *cancel;
    void (*report)(void *arg, int done, int total);
    void *arg;
    /* While a prompt is read or a token evaluated, some times a second or more: a chance to look
     * after other things.  May ask session_plan, engine_tokenize and engine_render. */
    void (*poll)(void *arg);
} Progress;

/* ---- finding models -------------------------------------------------------------------------- */

typedef struct {
    char *name;   /* what to give to -m: ORG/NAME or a bare name */
    char *path;   /* directory or file */
    char *origin; /* "data", "package", "huggingface": where it was found */
} ModelEntry;

typedef struct {
    ModelEntry *entry;
    size_t n;
} ModelList;

/* MODEL (a directory; a .gguf file; ORG/NAME or a bare name, looked up in
 * $XDG_DATA_HOME/kaiwa/models, those that came with the program, the Hugging Face cache) to a
 * path.  Appends to out.  ERR_NOT_FOUND says where it looked. */
bool engine_locate(const char *model, Buf *out, Error *err);
bool engine_list_models(ModelList *out, Error *err);
void model_list_release(ModelList *list);
/* Checks sizes, headers, tokenizer and shapes without loading weights.  Appends one line a
 * finding to report (translated); false when the model cannot be used. */
bool engine_verify(const char *path, Buf *report, Error *err);

/* ---- opening --------------------------------------------------------------------------------- */

typedef struct {
    const char *model;       /* a path as engine_locate gives it */
    const char *backend;     /* NULL or "auto", "cpu", "cuda"; tests: "reference" */
    const char *isa;         /* NULL, "auto", "generic", "avx2", "avxvnni", "avx512" */
    const char *decoder;     /* of a GPU: NULL, "auto", "graph", "persistent" */
    int threads;             /* 0: one per physical core */
    const char *chat_format; /* NULL: by the model; else a name from engine_formats() */
    bool without_weights;    /* tokenizer, format and shapes only; no session can be made */
    /* with without_weights: the tensors are looked at all the same, so that engine_info knows
     * all */
    bool describe;
    /* bytes that the KV caches of a session may hold when it keeps those of other conversations and
     * branches; 0: it keeps none; -1: half of what is free */
    int64_t kv_budget;
    size_t memory_budget; /* tests: bytes that there are on the device; 0: all */
    bool tap;             /* tests: keep activations */
} EngineOptions;

Engine *engine_open(const EngineOptions *options, const Progress *progress, Error *err);
void engine_close(Engine *engine);

typedef struct {
    const char *family;       /* "llama" */
    const char *container;    /* "safetensors", "gguf" */
    const char *weights_file; /* base name of the (first) weight file; "" without weights */
    const char *quant;        /* "gptq", "awq", "none", or the main block type: "Q4_1" */
    int bits, group_size;     /* group_size -1: one group a column; 0: not grouped */
    bool act_order, symmetric, has_bias, tied;
    const char *zero_rule; /* "v1", "v2", "" */
    int n_layers, hidden, n_heads, n_kv_heads, head_dim, intermediate, n_vocab, max_context;
    double rope_theta;
    const char *rope_scaling; /* "none", "linear", "llama3", "yarn", … */
    const char *tokenizer;    /* "spm", "bpe-gpt2", "bpe-llama3", … */
    int n_tokens;
    int bos_id;    /* -1: none */
    bool adds_bos; /* before plain text */
    const char *chat_format, *chat_format_why;
    uint64_t file_bytes;
    /* weights that decoding one token reads (no embedding that is not the head); 0: not known */
    uint64_t token_bytes;
    uint64_t memory_bytes; /* weights + KV at 4096 or max_context, estimated */
    const char *backend;   /* as the backend describes itself; "" without weights */
    /* why a better backend was not taken although its device is there: it failed or has too little
     * memory; "" */
    const char *passed_over;
    /* hash of vocabulary, merges and added tokens, lower-case hexadecimal */
    const char *tokenizer_key;
} ModelInfo;

/* One line for each backend of this build that users may choose, with what it would use on this
 * machine: "cpu: avx2, 2 threads" (in English). */
void engine_describe_backends(Buf *out);
/* Path of the mapped model file that holds an address, or NULL; for a SIGBUS handler:
 * async-signal-safe. */
const char *engine_mapped_file(const void *address);

/* Pointers are borrowed from the engine. */
void engine_info(const Engine *engine, ModelInfo *out);
/* Default sampling of the model's generation_config.json; false where it has none. */
bool engine_default_sampling(const Engine *engine, Sampling *inout);

/* ---- text and ids ---------------------------------------------------------------------------- */

/* No BOS.  special: control tokens written in text become their ids; else they are text. */
bool engine_tokenize(const Engine *engine, Str text, bool special, Tokens *out, Error *err);
/* The bytes that a list of ids stands for, as the model's decoder joins them (byte fallback,
 * prefix space).  Ids outside the vocabulary are an error. skip_special: leave out control
 * tokens. */
bool engine_detokenize(const Engine *engine, const int32_t *ids, size_t n, bool skip_special,
                       Buf *out, Error *err);
bool engine_is_end(const Engine *engine, int32_t id); /* eos, bos, and the format's stop tokens */
const int32_t *engine_end_ids(const Engine *engine, size_t *n);
/* to put before plain text; -1 where the model wants none */
int32_t engine_bos(const Engine *engine);

/* ---- chat formats ---------------------------------------------------------------------------- */

typedef struct {
    Role role;
    Str text;
    /* A reply that this tokenizer generated (tokenizer_key matches): exactly its ids, the end
     * token included if one came.  n_ids 0: tokenise the text. */
    const int32_t *ids;
    size_t n_ids;
} ChatMessage;

typedef struct {
    const char *name, *summary; /* summary is translated */
} ChatFormatName;

const ChatFormatName *engine_formats(size_t *n);
/* The prompt of a conversation that ends with a user message (the generation prompt is added),
 * or with a partial assistant message to be continued when `continue_last`.  Literal control
 * strings in messages never become control tokens. */
bool engine_render(const Engine *engine, const ChatMessage *messages, size_t n, bool continue_last,
                   Tokens *out, Error *err);

/* ---- sessions -------------------------------------------------------------------------------- */

typedef struct {
    int prompt; /* tokens wanted */
    /* common prefix with what is in the cache, of the live timeline or of one that was left (at
     * most prompt - 1: the last is needed for its logits) */
    int reused;
    int computed; /* prompt - reused */
} SyncCounts;

/* context 0: the model's maximum.  ERR_MEMORY when it does not fit. */
Session *session_new(Engine *engine, int context, Error *err);
void session_free(Session *session);
int session_context(const Session *session);
int session_length(const Session *session); /* tokens in the cache of the live timeline */
/* Bytes of the caches of all its timelines; how many there are beside the live one. */
size_t session_resident(const Session *session, int *n_parked);
/* What session_sync would do, without doing it. */
SyncCounts session_plan(const Session *session, const Tokens *prompt);
/* Makes the cache hold exactly prompt and the logits follow it.  ERR_CONTEXT when it is longer
 * than the context, ERR_CANCELLED with what was computed kept for the next call. */
bool session_sync(Session *session, const Tokens *prompt, const Progress *progress,
                  SyncCounts *counts, Error *err);
/* Samples the next token.  The token is evaluated by the following call, so the last one of a
 * reply never is.  ERR_CONTEXT when the context is full.  *id may be an end id: see
 * engine_is_end. */
bool session_next(Session *session, const Sampling *sampling, int32_t *id, const Progress *progress,
                  Error *err);
/* Logits after the last synced or evaluated token: n_vocab floats, borrowed until the next call. */
const float *session_logits(Session *session, int *n, Error *err);

typedef struct {
    double logprob; /* natural logarithm */
    int32_t best;   /* most likely id at this position */
} TokenScore;
/* Scores ids[from..n) given what precedes each (from >= 1).  Reuses the cached prefix.  scores:
 * n - from entries. */
bool session_score(Session *session, const Tokens *ids, size_t from, TokenScore *scores,
                   const Progress *progress, Error *err);

/* One kind of work of a token, over all layers. */
typedef struct {
    const char *name;       /* "q, k, v" */
    double ms, exchange_ms; /* exchange_ms is a part of ms: waiting for other parts of the device */
    double bytes;           /* that it reads */
} TokenPhase;

typedef struct {
    double read_rate; /* bytes a second that the device's memory was just seen to give; 0: not
                         known */
    double ms;        /* a token while the clocks run */
    int n_phases;
    TokenPhase phase[12];
    char driver[192]; /* how tokens are decoded and why; "": there is one way only */
} TokenProfile;

/* Where the time of a token goes, by the device's own clocks, over `tokens` of them after what the
 * session holds; afterwards it holds what it held, without logits.  0 tokens: read_rate alone.
 * ERR_UNSUPPORTED: the backend keeps no clocks. */
bool session_profile(Session *session, int tokens, TokenProfile *out, Error *err);

/* Tests: activations of the last token of the last evaluation; point: 0 input, 1 attention, 2
 * feed-forward, 3 output. */
bool session_tap(Session *session, int layer, int point, float *out, Error *err);

/* ---- quantising ------------------------------------------------------------------------------ */

typedef struct {
    const char *model; /* a path as engine_locate gives it: a directory of fp16, bf16 or fp32 */
    const char *out;   /* the directory to write; must not be there */
    int group_size;    /* -1: one group for all inputs */
    bool act_order, asymmetric;
    Str calibration; /* UTF-8 text */
    Str heldout;     /* empty: a part of calibration is set aside */
    bool special;    /* control tokens written in the texts are control tokens */
    /* windows of the text that are used, and tokens of one; 0: 128, 512 */
    int samples, sample_tokens;
    const char *isa; /* as EngineOptions */
    int threads;
} QuantizeOptions;

typedef struct {
    int n_layers, layers_done;
    int resumed; /* layers that an earlier run had done */
    int calibration_tokens;
    int heldout_tokens; /* those whose likelihood was measured */
    int threads;
    double nll_before, nll_after; /* mean of a token, natural logarithm */
} QuantizeResult;

/* 4-bit GPTQ of a model, in the layout of AutoGPTQ.  The files stand in OUT.partial until all is
 * done; after an error or ERR_CANCELLED the same call goes on with the layer that was not
 * finished (result->layers_done are).  The result does not depend on the number of threads.
 * progress: seven steps a layer. */
bool engine_quantize(const QuantizeOptions *options, const Progress *progress,
                     QuantizeResult *result, Error *err);

/* ---- streaming text -------------------------------------------------------------------------- */

/* Turns ids into text one at a time: whole UTF-8 characters only, byte-fallback runs joined, the
 * first prefix space dropped where the tokenizer's decoder does so at the start of a reply. */
typedef struct TextStream TextStream;
TextStream *text_stream_new(const Engine *engine);
void text_stream_free(TextStream *stream);
void text_stream_reset(TextStream *stream);
/* Appends what became complete to out. */
void text_stream_push(TextStream *stream, int32_t id, Buf *out);
/* The end of the reply: held bytes come out, invalid ones as U+FFFD. */
void text_stream_flush(TextStream *stream, Buf *out);

#endif
