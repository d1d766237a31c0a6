/* Errors as values: a kind for code to branch on and one finished sentence for a person.
 *
 * Functions that can fail take `Error *err` last and return false (or NULL).  The text is a
 * translated clause of the form "what: why; what to do", without a leading program name or a
 * final full stop.  err is never NULL and is left untouched on success, so calls chain with &&. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

#include "src/base/attributes.h"

typedef enum {
    ERR_NONE,
    ERR_USAGE,       /* the user's words are off; exit status 2 */
    ERR_SYSTEM,      /* the operating system said no */
    ERR_FORMAT,      /* a file does not hold what it should */
    ERR_UNSUPPORTED, /* well formed, but kaiwa cannot do it */
    ERR_MEMORY,      /* a large allocation failed */
    ERR_NOT_FOUND,   /* a model, conversation or file is not there */
    ERR_DEVICE,      /* the GPU failed */
    ERR_CONTEXT,     /* the prompt or reply does not fit the context */
    ERR_CANCELLED,   /* the user stopped it; text may be empty */
    ERR_NETWORK
} ErrorKind;

typedef struct {
    ErrorKind kind;
    char text[480]; /* UTF-8, cut at a character's border */
} Error;

#define ERROR_INIT                                                                                 \
    {                                                                                              \
        ERR_NONE, ""                                                                               \
    }

/* Sets kind and text; always returns false, so that `return error_set(...)` reads well. */
bool error_set(Error *err, ErrorKind kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* Prefixes the text with "context: "; keeps the kind; always returns false. */
bool error_note(Error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* ERR_SYSTEM with ": " and strerror(errno) appended; ENOENT becomes ERR_NOT_FOUND, ENOMEM
 * ERR_MEMORY. */
bool error_errno(Error *err, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
