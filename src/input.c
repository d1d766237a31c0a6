/* Reading for commands: character sets are recognised once, here, and said aloud. */
#include "config.h"

#include "src/input.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/base/i18n.h"
#include "src/base/path.h"
#include "src/base/text.h"

enum { MAX_INPUT = 256 << 20 };

bool input_decode(Str bytes, const char *encoding, Buf *out, const char **recognised, Error *err)
{
    const char *used = NULL;

    if (!text_decode(bytes, encoding && *encoding ? encoding : NULL, out, &used, err))
        return false;
    if (recognised)
        *recognised = used;
    if (!(encoding && *encoding) && used && strcasecmp(used, "UTF-8") != 0)
        fprintf(stderr, _("kaiwa: the input is read as %s; --encoding NAME overrides this\n"),
                used);
    return true;
}

bool input_read(int fd, const char *encoding, Buf *out, Error *err)
{
    Buf bytes = BUF_INIT;
    bool good = path_read_fd(fd, MAX_INPUT, &bytes, err) &&
                input_decode(buf_str(&bytes), encoding, out, NULL, err);

    buf_release(&bytes);
    return good;
}

void input_unify_lines(Buf *text)
{
    size_t to = 0;

    for (size_t from = 0; from < text->len; from++)
        if (text->data[from] != '\r' || from + 1 == text->len || text->data[from + 1] != '\n')
            text->data[to++] = text->data[from];
    if (to && text->data[to - 1] == '\n')
        to--;
    buf_truncate(text, to);
}

static bool is_between(char c)
{
    return isspace((unsigned char)c) || c == ',' || c == '[' || c == ']';
}

bool input_parse_ids(Str text, Tokens *out, Error *err)
{
    size_t at = 0;

    while (at < text.len) {
        size_t end = at;
        long long id;

        if (is_between(text.data[at])) {
            at++;
            continue;
        }
        while (end < text.len && !is_between(text.data[end]))
            end++;
        if (!str_to_long(str_sub(text, at, end - at), &id) || id < 0 || id > INT32_MAX)
            return error_set(err, ERR_USAGE,
                             _("\"%.*s\" is not a token id; ids are whole numbers from 0 on"),
                             (int)(end - at < 40 ? end - at : 40), text.data + at);
        tokens_push(out, (int32_t)id);
        at = end;
    }
    return true;
}
