/* The program's own wcwidth().  Shared ncurses and libedit resolve the symbol here, so that they
 * and the program measure every character alike (text.h).  It must be an object of the program
 * itself: an archive member would only be linked if something of ours called it. */
#include "config.h"

#include <wchar.h>

#include "src/base/text.h"

int wcwidth(wchar_t wc)
{
    return wc == L'\0' ? 0 : text_width((unsigned)wc); /* POSIX: the null character takes none */
}
