/* Everything that needs Unicode data, through ICU: width, graphemes, words, folding, character
 * sets. The one place in the program that decides how many columns a character takes.
 *
 * All offsets are bytes into UTF-8.  Invalid UTF-8 is measured as U+FFFD a piece.  Functions may be
 * used from any thread; text_set_ambiguous is called once before threads start (tests may call it
 * again). */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/error.h"

/* Version of ICU, as "72.1"; static. */
const char *text_library_version(void);

/* Columns of East Asian Ambiguous characters: 1 (default) or 2. */
void text_set_ambiguous(int cols);
int text_ambiguous(void);

/* Columns of one code point in a terminal: -1 control, 0 combining or format, 1 or 2.  This is what
 * the interposed wcwidth() returns, so ncurses and libedit agree with it. */
int text_width(unsigned cp);

/* Columns of one grapheme cluster as the screen draws it (sum over what is really sent to the
 * terminal). */
int text_cluster_cols(Str cluster);
/* Appends what the screen sends for one cluster: of an emoji sequence only its first emoji
 * (terminals and ncurses disagree about the rest), no format characters or emoji selectors, at most
 * 4 marks on a character, a mark without a base on a space, "^X" for controls, a space for a tab,
 * U+FFFD for C1 and invalid bytes.  The sum of text_width over it is text_cluster_cols; it may be
 * empty (0 columns). */
void text_cluster_shown(Str cluster, Buf *out);
/* Columns of s; control characters count as they are drawn (tab is 1 here; layout.c expands it). */
int text_cols(Str s);
/* Longest prefix of whole graphemes that takes at most `cols` columns; *used gets its columns (may
 * be NULL). */
Str text_cut(Str s, int cols, int *used);

/* Border of the grapheme that starts at / ends at pos (pos itself at the ends). */
size_t text_next_grapheme(Str s, size_t pos);
size_t text_prev_grapheme(Str s, size_t pos);
/* Word motion with ICU's Japanese dictionary: end of the word at or after pos; start of the word
 * before pos. Segments that are not words (space, punctuation) are skipped, as in Emacs. */
size_t text_next_word(Str s, size_t pos);
size_t text_prev_word(Str s, size_t pos);

/* Search key: NFKC_Casefold, katakana to hiragana, variation selectors dropped. */
void text_fold(Str s, Buf *out);
/* NFKC of one command word, so that full-width ／ｈｅｌｐ works. */
void text_nfkc(Str s, Buf *out);
/* Pasted or typed text made harmless: CRLF and CR to LF, kana + U+3099/309A composed, C0 but \t and
 * \n, ESC and a leading U+FEFF dropped. */
void text_clean_input(Str s, Buf *out);

/* Input bytes to UTF-8.  encoding NULL or "auto": a BOM, valid UTF-8, UTF-16, Shift_JIS, EUC-JP and
 * ISO-2022-JP are recognised; *used gets the (static) name of what was taken.  A leading BOM is
 * dropped.  Unknown encoding names and bytes that do not fit are errors. */
bool text_decode(Str bytes, const char *encoding, Buf *out, const char **used, Error *err);

#endif
