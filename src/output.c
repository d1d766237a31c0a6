/* Standard output for texts that others wrote. */
#include "config.h"

#include "src/output.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "src/base/utf8.h"

static bool is_control(unsigned cp)
{
    return (cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7F && cp < 0xA0);
}

static bool write_all(Str text)
{
    errno = 0;
    return !text.len || (fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0);
}

bool output_text(Str text)
{
    Buf safe = BUF_INIT;
    bool good;

    if (!isatty(STDOUT_FILENO))
        return write_all(text);
    for (size_t pos = 0; pos < text.len;) {
        unsigned cp = utf8_next(text, &pos);

        buf_put_utf8(&safe, is_control(cp) ? UTF8_REPLACEMENT : cp);
    }
    good = write_all(buf_str(&safe));
    buf_release(&safe);
    return good;
}
