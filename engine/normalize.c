/* The steps of a normalizer.  Each writes a new text and its marks; what a step invents carries
 * the mark of what it stands for, so that no step turns somebody's text into ours. */
#include "config.h"

#include "engine/normalize.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"

void normal_steps_release(NormalSteps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        pattern_release(&steps->items[i].pattern);
        free(steps->items[i].content);
    }
    free(steps->items);
    *steps = (NormalSteps){ 0 };
}

NormalStep *normal_steps_push(NormalSteps *steps, NormalKind kind, Str content)
{
    if (steps->n == steps->cap)
        steps->items = mem_grow(steps->items, &steps->cap, steps->n + 1, sizeof(*steps->items));
    NormalStep *step = &steps->items[steps->n++];
    *step = (NormalStep){ .kind = kind,
                          .content = xstrndup(content.data ? content.data : "", content.len),
                          .content_len = content.len };
    return step;
}

void marked_text_release(MarkedText *text)
{
    buf_release(&text->bytes);
    buf_release(&text->marks);
}

static void put(MarkedText *out, const char *bytes, size_t n, char mark)
{
    buf_append(&out->bytes, bytes, n);
    buf_reserve(&out->marks, n);
    for (size_t i = 0; i < n; i++)
        buf_putc(&out->marks, mark);
}

static void copy(MarkedText *out, const MarkedText *in, size_t start, size_t end)
{
    buf_append(&out->bytes, in->bytes.data + start, end - start);
    buf_append(&out->marks, in->marks.data + start, end - start);
}

static bool replace(const NormalStep *step, const MarkedText *in, MarkedText *out, Error *err)
{
    Matches matches = { 0 };
    PatternRun *run = pattern_run_new(&step->pattern, buf_str(&in->bytes), err);
    bool ok = run && pattern_run_find(run, 0, in->bytes.len, &matches, err);
    size_t at = 0;
    for (size_t i = 0; ok && i < matches.n; i++) {
        const Match *match = &matches.items[i];
        char mark = 1;
        for (size_t k = match->start; k < match->end; k++)
            mark = in->marks.data[k] ? mark : 0;
        copy(out, in, at, match->start);
        put(out, step->content, step->content_len, mark);
        at = match->end;
    }
    if (ok)
        copy(out, in, at, in->bytes.len);
    free(matches.items);
    pattern_run_free(run);
    return ok;
}

static void strip(const NormalStep *step, const MarkedText *in, MarkedText *out)
{
    Str s = buf_str(&in->bytes);
    size_t start = 0, end = s.len, len;
    while (step->left && start < end && (char_class(char_at(s, start, &len)) & CHAR_SPACE))
        start += len;
    while (step->right && end > start && (char_class(char_before(s, end, &len)) & CHAR_SPACE))
        end -= len;
    copy(out, in, start, end);
}

static void squeeze_spaces(const MarkedText *in, MarkedText *out)
{
    size_t n = in->bytes.len;
    while (n && in->bytes.data[n - 1] == ' ')
        n--;
    for (size_t i = 0; i < n; i++) {
        bool space = in->bytes.data[i] == ' ';
        if (space && (out->bytes.len == 0 || in->bytes.data[i - 1] == ' '))
            continue;
        copy(out, in, i, i + 1);
    }
}

static bool run_step(const NormalStep *step, const MarkedText *in, bool at_start, MarkedText *out,
                     Error *err)
{
    switch (step->kind) {
    case NORMAL_PREPEND:
    case NORMAL_PREPEND_FIRST:
        if (in->bytes.len && (at_start || step->kind == NORMAL_PREPEND))
            put(out, step->content, step->content_len, in->marks.data[0]);
        copy(out, in, 0, in->bytes.len);
        return true;
    case NORMAL_REPLACE:
        return replace(step, in, out, err);
    case NORMAL_FORM:
        return text_normalize(step->form, buf_str(&in->bytes), in->marks.data, &out->bytes,
                              &out->marks, err);
    case NORMAL_STRIP:
        strip(step, in, out);
        return true;
    case NORMAL_SPACES:
        squeeze_spaces(in, out);
        return true;
    }
    return false;
}

bool normalize(const NormalSteps *steps, bool at_start, MarkedText *text, MarkedText *spare,
               Error *err)
{
    for (size_t i = 0; i < steps->n && text->bytes.len; i++) {
        buf_reset(&spare->bytes);
        buf_reset(&spare->marks);
        if (!run_step(&steps->items[i], text, at_start, spare, err))
            return false;
        MarkedText swap = *text;
        *text = *spare;
        *spare = swap;
    }
    return true;
}

size_t normal_prefix_len(const NormalSteps *steps)
{
    size_t n = 0;
    for (size_t i = 0; i < steps->n; i++)
        if (steps->items[i].kind == NORMAL_PREPEND || steps->items[i].kind == NORMAL_PREPEND_FIRST)
            n += steps->items[i].content_len;
    return n;
}
