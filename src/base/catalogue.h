/* Message catalogues (.mo files; GNU gettext manual, "The Format of GNU MO Files"), read without
 * gettext: newer C libraries look up no translation at all where the only UTF-8 locale is C.UTF-8,
 * which is what a small system has.  Fill one before any thread runs; look-ups change nothing. */
#ifndef BASE_CATALOGUE_H
#define BASE_CATALOGUE_H

#include "src/base/buf.h"

typedef struct {
    Buf bytes;        /* the file */
    int n;            /* messages; 0: empty */
    bool single_form; /* one form for every number, as in Japanese; else one and many */
} Catalogue;

#define CATALOGUE_INIT                                                                             \
    {                                                                                              \
        .bytes = BUF_INIT                                                                          \
    }

/* Reads FOLDER/LANGUAGE/LC_MESSAGES/DOMAIN.mo for the first of `languages` (as in $LANGUAGE:
 * "ja_JP:ja") that there is; none wanted ("en", "C") or none found leaves it empty. */
void catalogue_load(Catalogue *catalogue, const char *folder, const char *languages,
                    const char *domain);
void catalogue_release(Catalogue *catalogue);
/* Borrowed; NULL when there is no translation.  n: which form. */
const char *catalogue_find(const Catalogue *catalogue, const char *id);
const char *catalogue_find_plural(const Catalogue *catalogue, const char *id, unsigned long n);

#endif
