/* Translation marks.  Every string that a user can read goes through _() or N_() + _(). */
#ifndef BASE_I18N_H
#define BASE_I18N_H

#include "config.h"

#if ENABLE_NLS
/* Borrowed, for as long as the program runs: the translation, or the text itself. */
const char *i18n_text(const char *text) __attribute__((format_arg(1)));
const char *i18n_plural(const char *one, const char *many, unsigned long n)
    __attribute__((format_arg(1), format_arg(2)));
#define _(s) i18n_text(s)
#define P_(one, many, n) i18n_plural(one, many, (unsigned long)(n))
#else
#define _(s) (s)
#define P_(one, many, n) ((n) == 1 ? (one) : (many))
#endif
#define N_(s) s

/* Sets the locale and the text domain; an explicit locale whose charset is not UTF-8 is an error
 * that says what to set; unset, C and POSIX become C.UTF-8.  LC_NUMERIC stays "C". */
#include <stdbool.h>
#include "src/base/error.h"
bool i18n_init(Error *err);

#endif
