/* Windows of tokens out of a text: what is quantised with, and what the loss is measured on. */
#ifndef ENGINE_QUANTIZE_TEXT_H
#define ENGINE_QUANTIZE_TEXT_H

#include <stdbool.h>

#include "engine/quantize_forward.h"
#include "engine/tokenizer.h"
#include "src/base/buf.h"
#include "src/base/error.h"

enum { WINDOW_MIN = 16 };

typedef struct {
    Str calibration, heldout; /* heldout empty: every eighth window of calibration */
    bool special;             /* control tokens in the texts are control tokens */
    int samples;              /* windows at most */
    int length;               /* tokens of one, BOS included */
    int n_vocab;
} TextSpec;

/* Where there are more windows than are wanted, they are taken evenly from all of the text. */
bool windows_make(const Tokenizer *tokenizer, const TextSpec *spec, Windows *calibration,
                  Windows *heldout, Error *err);
void windows_release(Windows *windows);

#endif
