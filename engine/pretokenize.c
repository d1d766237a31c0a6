/* The steps of a pre-tokenizer.  Steps that only cut leave the text as it is; the others write a
 * new one. */
#include "config.h"

#include "engine/pretokenize.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"

void pre_steps_release(PreSteps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        pattern_release(&steps->items[i].pattern);
        free(steps->items[i].mark);
    }
    free(steps->items);
    *steps = (PreSteps){ 0 };
}

PreStep *pre_steps_push(PreSteps *steps, PreKind kind)
{
    if (steps->n == steps->cap)
        steps->items = mem_grow(steps->items, &steps->cap, steps->n + 1, sizeof(*steps->items));
    PreStep *step = &steps->items[steps->n++];
    *step = (PreStep){ .kind = kind };
    return step;
}

void pieces_release(Pieces *pieces)
{
    buf_release(&pieces->text);
    free(pieces->items);
    *pieces = (Pieces){ .text = BUF_INIT };
}

void pieces_reset(Pieces *pieces)
{
    buf_reset(&pieces->text);
    pieces->n = 0;
}

void pieces_push(Pieces *pieces, size_t start, size_t end)
{
    if (start == end)
        return;
    if (pieces->n == pieces->cap)
        pieces->items =
            mem_grow(pieces->items, &pieces->cap, pieces->n + 1, sizeof(*pieces->items));
    pieces->items[pieces->n++] = (Piece){ start, end };
}

/* ---- bytes as characters ---- */

/* The bytes that GPT-2's table shows as themselves; the others follow from U+0100 in order. */
static bool shown_as_itself(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/* How many bytes below this one are not shown as themselves. */
static unsigned hidden_below(unsigned byte)
{
    if (byte < 0x21)
        return byte;
    return byte < 0xA1 ? 0x21 + (byte - 0x7F) : 0x21 + (0xA1 - 0x7F);
}

void byte_level_put(unsigned char byte, Buf *out)
{
    unsigned cp = shown_as_itself(byte) ? byte : 0x100 + hidden_below(byte);
    if (cp < 0x80) {
        buf_putc(out, (char)cp);
        return;
    }
    buf_putc(out, (char)(0xC0 | cp >> 6));
    buf_putc(out, (char)(0x80 | (cp & 0x3F)));
}

int byte_level_byte(unsigned cp)
{
    if (cp < 0x100)
        return shown_as_itself(cp) ? (int)cp : -1;
    unsigned nth = cp - 0x100;
    if (nth < 0x21)
        return (int)nth;
    if (nth < 0x21 + (0xA1 - 0x7F))
        return (int)(nth - 0x21 + 0x7F);
    return nth == 0x21 + (0xA1 - 0x7F) ? 0xAD : -1;
}

/* ---- cutting ---- */

typedef struct {
    size_t start, end;
    bool match;
} Part;

typedef struct {
    Part *items;
    size_t n, cap;
} Parts;

static void parts_push(Parts *parts, size_t start, size_t end, bool match)
{
    if (start == end)
        return;
    if (parts->n == parts->cap)
        parts->items = mem_grow(parts->items, &parts->cap, parts->n + 1, sizeof(*parts->items));
    parts->items[parts->n++] = (Part){ start, end, match };
}

static void parts_of(const Matches *matches, Piece piece, bool invert, Parts *out)
{
    size_t at = piece.start;
    out->n = 0;
    for (size_t i = 0; i < matches->n; i++) {
        parts_push(out, at, matches->items[i].start, invert);
        parts_push(out, matches->items[i].start, matches->items[i].end, !invert);
        at = matches->items[i].end;
    }
    parts_push(out, at, piece.end, invert);
}

/* As Hugging Face's NormalizedString::split. */
static void cut_contiguous(const Parts *parts, Pieces *out)
{
    size_t start = parts->n ? parts->items[0].start : 0;
    for (size_t i = 0; i < parts->n; i++) {
        bool last = i + 1 == parts->n;
        if (!last && parts->items[i + 1].match == parts->items[i].match)
            continue;
        pieces_push(out, start, parts->items[i].end);
        start = parts->items[i].end;
    }
}

static void cut_with_previous(const Parts *parts, Pieces *out)
{
    bool previous = false;
    size_t first = out->n;
    for (size_t i = 0; i < parts->n; i++) {
        const Part *part = &parts->items[i];
        if (part->match && !previous && out->n > first)
            out->items[out->n - 1].end = part->end;
        else
            pieces_push(out, part->start, part->end);
        previous = part->match;
    }
}

/* A delimiter joins what follows it; of several in a row only the last does. */
static void cut_with_next(const Parts *parts, Pieces *out)
{
    for (size_t i = 0; i < parts->n; i++) {
        const Part *part = &parts->items[i];
        bool joins = part->match && i + 1 < parts->n && !parts->items[i + 1].match;
        pieces_push(out, part->start, joins ? parts->items[i + 1].end : part->end);
        i += joins;
    }
}

static void cut_each(const Parts *parts, bool keep_matches, Pieces *out)
{
    for (size_t i = 0; i < parts->n; i++)
        if (keep_matches || !parts->items[i].match)
            pieces_push(out, parts->items[i].start, parts->items[i].end);
}

static void cut(const Parts *parts, SplitBehavior behavior, Pieces *out)
{
    switch (behavior) {
    case SPLIT_REMOVED:
    case SPLIT_ISOLATED:
        cut_each(parts, behavior == SPLIT_ISOLATED, out);
        break;
    case SPLIT_WITH_PREVIOUS:
        cut_with_previous(parts, out);
        break;
    case SPLIT_WITH_NEXT:
        cut_with_next(parts, out);
        break;
    case SPLIT_CONTIGUOUS:
        cut_contiguous(parts, out);
        break;
    }
}

static bool step_split(const PreStep *step, Pieces *in, Pieces *out, Error *err)
{
    Matches matches = { 0 };
    Parts parts = { 0 };
    PatternRun *run = pattern_run_new(&step->pattern, buf_str(&in->text), err);
    bool ok = run != NULL;
    for (size_t i = 0; ok && i < in->n; i++) {
        Piece piece = in->items[i];
        ok = pattern_run_find(run, piece.start, piece.end, &matches, err);
        if (!ok)
            break;
        parts_of(&matches, piece, step->invert, &parts);
        cut(&parts, step->behavior, out);
    }
    pattern_run_free(run);
    free(matches.items);
    free(parts.items);
    Buf text = in->text;
    in->text = out->text;
    out->text = text;
    return ok;
}

/* ---- rewriting ---- */

static Str piece_str(const Pieces *pieces, size_t i)
{
    return str_of(pieces->text.data + pieces->items[i].start,
                  pieces->items[i].end - pieces->items[i].start);
}

static void step_prefix_space(const Pieces *in, Pieces *out)
{
    for (size_t i = 0; i < in->n; i++) {
        Str s = piece_str(in, i);
        size_t start = out->text.len;
        if (s.data[0] != ' ')
            buf_putc(&out->text, ' ');
        buf_append_str(&out->text, s);
        pieces_push(out, start, out->text.len);
    }
}

static void step_bytes(const Pieces *in, Pieces *out)
{
    buf_reserve(&out->text, in->text.len + in->text.len / 4);
    for (size_t i = 0; i < in->n; i++) {
        Str s = piece_str(in, i);
        size_t start = out->text.len;
        for (size_t k = 0; k < s.len; k++)
            byte_level_put((unsigned char)s.data[k], &out->text);
        pieces_push(out, start, out->text.len);
    }
}

static void step_metaspace(const PreStep *step, const Pieces *in, bool at_start, Pieces *out)
{
    Str mark = str_from(step->mark);
    for (size_t i = 0; i < in->n; i++) {
        Str s = piece_str(in, i);
        size_t start = out->text.len;
        bool wanted =
            step->scheme == PREPEND_ALWAYS || (step->scheme == PREPEND_FIRST && at_start && i == 0);
        if (wanted && s.data[0] != ' ' && !str_starts(s, mark))
            buf_append_str(&out->text, mark);
        for (size_t k = 0; k < s.len; k++) {
            if (s.data[k] == ' ')
                buf_append_str(&out->text, mark);
            else
                buf_putc(&out->text, s.data[k]);
        }
        pieces_push(out, start, out->text.len);
    }
}

bool pretokenize(const PreSteps *steps, bool at_start, Pieces *pieces, Pieces *spare, Error *err)
{
    for (size_t i = 0; i < steps->n; i++) {
        const PreStep *step = &steps->items[i];
        pieces_reset(spare);
        if (step->kind == PRE_SPLIT && !step_split(step, pieces, spare, err))
            return false;
        if (step->kind == PRE_PREFIX_SPACE)
            step_prefix_space(pieces, spare);
        if (step->kind == PRE_BYTES)
            step_bytes(pieces, spare);
        if (step->kind == PRE_METASPACE)
            step_metaspace(step, pieces, at_start, spare);
        Pieces swap = *pieces;
        *pieces = *spare;
        *spare = swap;
    }
    return true;
}
