/* Normalizers: what happens to a text before it is split.  A list of steps, as tokenizer.json's
 * Sequence. */
#ifndef ENGINE_NORMALIZE_H
#define ENGINE_NORMALIZE_H

#include <stdbool.h>

#include "engine/split.h"
#include "src/base/buf.h"
#include "src/base/error.h"

/* A text with one mark for each byte: 1 where control tokens may be recognised. */
typedef struct {
    Buf bytes, marks;
} MarkedText;

typedef enum {
    NORMAL_PREPEND,       /* content before every text that is not empty */
    NORMAL_PREPEND_FIRST, /* the same, only where the whole input begins */
    NORMAL_REPLACE,       /* pattern by content */
    NORMAL_FORM,
    NORMAL_STRIP, /* white space at the ends */
    NORMAL_SPACES /* SentencePiece: runs of spaces become one, none at the ends */
} NormalKind;

typedef struct {
    NormalKind kind;
    Pattern pattern;
    char *content;
    size_t content_len;
    NormalForm form;
    bool left, right;
} NormalStep;

typedef struct {
    NormalStep *items;
    size_t n, cap;
} NormalSteps;

void normal_steps_release(NormalSteps *steps);
NormalStep *normal_steps_push(NormalSteps *steps, NormalKind kind, Str content);

/* Runs all steps over text in place; spare is working memory. */
bool normalize(const NormalSteps *steps, bool at_start, MarkedText *text, MarkedText *spare,
               Error *err);
/* How many bytes of a text's normal form the steps put before it. */
size_t normal_prefix_len(const NormalSteps *steps);
void marked_text_release(MarkedText *text);

#endif
