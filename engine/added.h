/* Tokens that are found in the text before it is split and merged: control tokens and
 * user-defined ones. As Hugging Face's added_vocabulary.rs: leftmost, then longest. */
#ifndef ENGINE_ADDED_H
#define ENGINE_ADDED_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"

/* Longer ones are refused or, in formats that list pieces only, not looked for: the search costs
 * their length at every place of a text. */
#define ADDED_MAX_LEN 1024

typedef struct {
    Str content; /* as it stands in the text; borrowed from the vocabulary */
    Str shown;   /* what it decodes to: content in its normal form where it is matched in that */
    int32_t id;
    bool special;        /* a control token: only where the text is marked as ours */
    bool normalized;     /* looked for after normalisation */
    bool single_word;    /* only where no word character touches it */
    bool lstrip, rstrip; /* takes the white space beside it along */
} AddedToken;

typedef struct AddedTrie AddedTrie;

typedef struct {
    AddedToken *items;
    size_t n, cap;
    uint32_t *by_id; /* index + 1 of the token with an id; 0: none */
    size_t by_id_cap;
    AddedTrie *raw, *normal; /* before and after normalisation; NULL when empty */
} Added;

typedef struct {
    int32_t id; /* -1: text */
    size_t start, end;
} AddedSplit;

typedef struct {
    AddedSplit *items;
    size_t n, cap;
} AddedSplits;

void added_release(Added *added);
AddedToken *added_find(const Added *added, int32_t id); /* NULL: not an added token */
void added_push(Added *added, AddedToken token); /* the caller has seen that it is not there yet */
/* Puts item i into its trie under the spelling to look for; n_free leading bytes of it came from
 * the normalizer and may be matched by anybody's text.  Among equal spellings the first wins. */
void added_index(Added *added, size_t i, Str spelling, size_t n_free);

/* Cuts text at the tokens.  marks: one byte for each of text, 1 where control tokens count.  A
 * control token written wholly in unmarked text stays text; one that is partly marked is not
 * looked at. */
void added_split(const Added *added, const AddedTrie *trie, Str text, const char *marks,
                 AddedSplits *out);

#endif
