/* Chat formats: how a conversation is written for a model.  A format is a row of a table
 * (formats.c) plus what the model's own chat_template says about it: BOS or none, a default
 * system prompt, where spaces stand.
 *
 * A conversation becomes a list of parts: text of the format, text of messages, and ids of
 * replies.  Runs of text are tokenised as one string, so that merges and prefix spaces come out
 * as if the whole had been rendered first; only text of the format may contain control tokens. */
#ifndef ENGINE_FORMAT_H
#define ENGINE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/engine.h"
#include "engine/modelfile.h"
#include "engine/tokenizer.h"
#include "src/base/buf.h"
#include "src/base/error.h"

enum {
    FORMAT_TRIM_SYSTEM = 1 << 0, /* white space at both ends goes, as Python's strip() */
    FORMAT_TRIM_USER = 1 << 1,
    FORMAT_TRIM_REPLY = 1 << 2,
    /* the system prompt goes into the last user message, else into the first */
    FORMAT_FOLD_LAST = 1 << 3,
    /* replies before the last user message lose what stands before </think> */
    FORMAT_STRIP_THINKING = 1 << 4,
    FORMAT_BOS_BY_MODEL = 1 << 5, /* begins as plain text does */
};

/* Patterns: {text} a message, {system} the system prompt, {bos} and {eos} control tokens
 * (nothing where the tokenizer has none); all else is text of the format. */
typedef struct {
    const char *name;
    const char *summary; /* N_() marked */
    const char *begin;   /* once, before all */
    /* a system prompt of its own; NULL: it goes into a user message through fold */
    const char *system;
    const char *no_system; /* instead of a missing system prompt; NULL: nothing */
    const char *fold;      /* {system} and {text} together, in the place of {text} in user */
    const char *user;
    const char *reply_open; /* the prompt ends with it */
    const char *text_open;  /* further, before a reply that is text */
    const char *text_close; /* after a reply that is text */
    const char *ids_close;  /* after a reply that is ids */
    unsigned flags;
    const char *stops[6]; /* tokens that end a reply */
} FormatRow;

const FormatRow *format_rows(size_t *n);
const FormatRow *format_row(Str name); /* NULL: there is none */

/* A row made fit for one model.  Strings are owned. */
typedef struct {
    const FormatRow *row;
    char *begin, *system, *no_system, *fold, *user, *reply_open, *text_open, *text_close,
        *ids_close;
    char *default_system; /* where a conversation has none; NULL: nothing */
    unsigned flags;
    char *bos, *eos; /* as the tokenizer spells them; "" where it has none */
    char *why;       /* translated */
} ChatFormat;

/* What the choice is made from. */
typedef struct {
    const char *wanted;   /* the user's choice; NULL: none */
    const json_t *config; /* config.json; NULL: none */
    const char *family;   /* "llama", "mistral", …; NULL: unknown */
    const Tokenizer *tokenizer;
} FormatChoice;

/* An unknown name is ERR_USAGE (wanted) or ERR_FORMAT (config.json). */
bool format_choose(ChatFormat *format, const FormatChoice *choice, Error *err);
/* A row with what a chat_template (or an empty Str) says; bos and eos as the tokenizer spells
 * them, or "". */
void format_make(ChatFormat *format, const FormatRow *row, Str chat_template, const char *bos,
                 const char *eos);
void format_release(ChatFormat *format);
/* Changes the format by what a chat_template says. */
void format_read_template(ChatFormat *format, Str chat_template);
/* The row that a chat_template belongs to, or NULL; *signature gets the substring that tells. */
const FormatRow *format_of_template(Str chat_template, const char **signature);
void format_set(char **pattern, const char *value); /* NULL too */

/* ---- rendering ---- */

typedef struct {
    size_t start, len;  /* in text */
    bool special;       /* text of the format */
    const int32_t *ids; /* borrowed from the message */
    size_t n_ids;       /* > 0: these ids instead of text */
} RenderPart;

typedef struct {
    Buf text;
    RenderPart *part;
    size_t n, cap;
} Rendering;

#define RENDERING_INIT                                                                             \
    {                                                                                              \
        BUF_INIT, NULL, 0, 0                                                                       \
    }

void format_render(const ChatFormat *format, const ChatMessage *messages, size_t n,
                   bool continue_last, Rendering *out);
bool rendering_encode(const Rendering *rendering, const Tokenizer *tokenizer, Tokens *out,
                      Error *err);
void rendering_release(Rendering *rendering);

#endif
