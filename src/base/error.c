/* Errors as values.  What comes from files and models is made harmless here: the text of an error
 * is always one line of valid UTF-8 without control characters. */
#include "config.h"

#include "src/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/base/utf8.h"

enum { ROUGH_MAX = 2048 };

/* Bytes of `raw` (possibly cut within a character) into err->text. */
static void set_text(Error *err, const char *raw)
{
    Str s = str_from(raw);
    size_t len = 0;

    s.len = utf8_complete(s);
    for (size_t pos = 0; pos < s.len;) {
        unsigned cp = utf8_next(s, &pos);
        char bytes[4];
        size_t n;

        if (cp == '\n' || cp == '\t' || cp == '\r')
            cp = ' ';
        else if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0))
            cp = '?';
        n = utf8_encode(cp, bytes);
        if (len + n >= sizeof err->text)
            break;
        memcpy(err->text + len, bytes, n);
        len += n;
    }
    err->text[len] = '\0';
}

bool error_set(Error *err, ErrorKind kind, const char *format, ...)
{
    char raw[ROUGH_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    err->kind = kind;
    set_text(err, raw);
    return false;
}

/* Adds ": tail" to what stands in raw. */
static void add_tail(char raw[ROUGH_MAX], const char *tail)
{
    size_t len = strlen(raw);

    snprintf(raw + len, ROUGH_MAX - len, ": %s", tail);
}

bool error_note(Error *err, const char *format, ...)
{
    char raw[ROUGH_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    add_tail(raw, err->text);
    set_text(err, raw);
    return false;
}

bool error_errno(Error *err, const char *format, ...)
{
    int code = errno;
    char raw[ROUGH_MAX], why[128];
    va_list args;

    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    add_tail(raw, strerror_r(code, why, sizeof why));
    err->kind = code == ENOENT ? ERR_NOT_FOUND : code == ENOMEM ? ERR_MEMORY : ERR_SYSTEM;
    set_text(err, raw);
    errno = code;
    return false;
}
