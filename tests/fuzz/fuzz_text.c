/* Text in any encoding: decoding, folding, cleaning, cutting and stepping must agree with each
 * other. */
#include "config.h"

#include <stdlib.h>

#include "src/base/text.h"
#include "src/base/utf8.h"
#include "tests/fuzz/fuzz.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void step_both_ways(Str s)
{
    size_t forward = 0, back = 0, n = 0;

    for (size_t pos = 0; pos < s.len; forward++) {
        size_t next = text_next_grapheme(s, pos);

        require(next > pos && next <= s.len);
        pos = next;
    }
    for (size_t pos = s.len; pos > 0; back++) {
        size_t prev = text_prev_grapheme(s, pos);

        require(prev < pos);
        pos = prev;
    }
    require(forward == back);
    for (size_t pos = 0; pos < s.len; n++) {
        size_t next = text_next_word(s, pos);

        require(next > pos && n < s.len);
        pos = next;
    }
    for (size_t pos = s.len; pos > 0;) {
        size_t prev = text_prev_word(s, pos);

        require(prev < pos);
        pos = prev;
    }
}

static void cut_at_every_width(Str s)
{
    int total = text_cols(s);

    for (int cols = 0; cols < 12; cols++) {
        int used;
        Str head = text_cut(s, cols, &used);

        require(used <= cols && used <= total && head.len <= s.len);
        require(text_cols(head) == used);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str s = str_of((const char *)data, size < 2048 ? size : 2048);
    Buf out = BUF_INIT, valid = BUF_INIT;
    Error err = ERROR_INIT;
    const char *used;

    if (text_decode(s, NULL, &out, &used, &err))
        require(used && utf8_valid(buf_str(&out)));
    buf_reset(&out);
    text_fold(s, &out);
    require(utf8_valid(buf_str(&out)));
    buf_reset(&out);
    text_clean_input(s, &out);
    require(utf8_valid(buf_str(&out)) && str_find(buf_str(&out), STR("\x1B")) < 0);
    utf8_append_valid(&valid, s);
    require(utf8_count(s) == utf8_count(buf_str(&valid)));
    step_both_ways(buf_str(&valid));
    cut_at_every_width(buf_str(&valid));
    for (size_t pos = 0; pos < s.len;) /* invalid bytes only need to be survived */
        pos = text_next_grapheme(s, pos);
    text_cols(s);
    buf_release(&out);
    buf_release(&valid);
    return 0;
}
