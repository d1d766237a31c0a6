/* The steps of a decoder, with the results of Hugging Face's decoders (byte_fallback.rs,
 * byte_level.rs, metaspace.rs, strip.rs). */
#include "config.h"

#include "engine/decode.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/mem.h"
#include "src/base/utf8.h"

void decode_steps_release(DecodeSteps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        free(steps->items[i].from);
        free(steps->items[i].content);
    }
    free(steps->items);
    *steps = (DecodeSteps){ 0 };
}

DecodeStep *decode_steps_push(DecodeSteps *steps, DecodeKind kind, const char *from,
                              const char *content)
{
    if (steps->n == steps->cap)
        steps->items = mem_grow(steps->items, &steps->cap, steps->n + 1, sizeof(*steps->items));
    DecodeStep *step = &steps->items[steps->n++];
    *step = (DecodeStep){ .kind = kind, .from = xstrdup(from), .content = xstrdup(content) };
    return step;
}

bool decode_has(const DecodeSteps *steps, DecodeKind kind)
{
    for (size_t i = 0; i < steps->n; i++)
        if (steps->items[i].kind == kind)
            return true;
    return false;
}

bool decode_strips_first_space(const DecodeSteps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        const DecodeStep *step = &steps->items[i];
        if (step->kind == DECODE_STRIP && step->start > 0 && strcmp(step->content, " ") == 0)
            return true;
        if (step->kind == DECODE_METASPACE && step->prefix)
            return true;
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int byte_piece(Str piece)
{
    if (piece.len != 6 || !str_starts(piece, STR("<0x")) || piece.data[5] != '>')
        return -1;
    int high = hex_digit(piece.data[3]), low = hex_digit(piece.data[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static void replace_all(Str s, Str from, Str to, Buf *out)
{
    while (from.len && s.len) {
        ptrdiff_t at = str_find(s, from);
        if (at < 0)
            break;
        buf_append(out, s.data, (size_t)at);
        buf_append_str(out, to);
        s = str_from_offset(s, (size_t)at + from.len);
    }
    buf_append_str(out, s);
}

/* GPT-2's characters to bytes; a piece with any other character stands for its own bytes. */
static void byte_level_bytes(Str s, Buf *out)
{
    size_t before = out->len;
    for (size_t at = 0; at < s.len;) {
        int byte = byte_level_byte(utf8_next(s, &at));
        if (byte < 0) {
            buf_truncate(out, before);
            buf_append_str(out, s);
            return;
        }
        buf_putc(out, (char)byte);
    }
}

static Str piece_str(const Pieces *pieces, size_t i)
{
    return str_of(pieces->text.data + pieces->items[i].start,
                  pieces->items[i].end - pieces->items[i].start);
}

/* ---- the steps ---- */

static void flush_bytes(const Buf *bytes, Pieces *out)
{
    size_t start = out->text.len;
    if (utf8_valid(buf_str(bytes)))
        buf_append_str(&out->text, buf_str(bytes));
    else
        for (size_t i = 0; i < bytes->len; i++)
            buf_put_utf8(&out->text, UTF8_REPLACEMENT);
    pieces_push(out, start, out->text.len);
}

static void step_byte_fallback(const Pieces *in, Pieces *out)
{
    Buf bytes = BUF_INIT;
    for (size_t i = 0; i < in->n; i++) {
        Str s = piece_str(in, i);
        int byte = byte_piece(s);
        if (byte >= 0) {
            buf_putc(&bytes, (char)byte);
            continue;
        }
        flush_bytes(&bytes, out);
        buf_reset(&bytes);
        size_t start = out->text.len;
        buf_append_str(&out->text, s);
        pieces_push(out, start, out->text.len);
    }
    flush_bytes(&bytes, out);
    buf_release(&bytes);
}

static Str strip(const DecodeStep *step, Str s)
{
    Str content = str_from(step->content);
    for (size_t i = 0; i < step->start && content.len && str_starts(s, content); i++)
        s = str_from_offset(s, content.len);
    for (size_t i = 0; i < step->stop && content.len && str_ends(s, content); i++)
        s = str_sub(s, 0, s.len - content.len);
    return s;
}

static void step_each(const DecodeStep *step, const Pieces *in, Pieces *out)
{
    for (size_t i = 0; i < in->n; i++) {
        Str s = piece_str(in, i);
        size_t start = out->text.len;
        if (step->kind == DECODE_REPLACE)
            replace_all(s, str_from(step->from), str_from(step->content), &out->text);
        else if (step->kind == DECODE_METASPACE)
            replace_all(s, str_from(step->from), i == 0 && step->prefix ? STR("") : STR(" "),
                        &out->text);
        else if (step->kind == DECODE_STRIP)
            buf_append_str(&out->text, strip(step, s));
        pieces_push(out, start, out->text.len);
    }
}

static void step_join(const DecodeStep *step, const Pieces *in, Pieces *out)
{
    Buf bytes = BUF_INIT;
    for (size_t i = 0; i < in->n; i++) {
        if (step->kind == DECODE_SPACES && i > 0)
            buf_putc(&bytes, ' ');
        if (step->kind == DECODE_BYTE_LEVEL)
            byte_level_bytes(piece_str(in, i), &bytes);
        else
            buf_append_str(&bytes, piece_str(in, i));
    }
    utf8_append_valid(&out->text, buf_str(&bytes));
    pieces_push(out, 0, out->text.len);
    buf_release(&bytes);
}

void decode_pieces(const DecodeSteps *steps, Pieces *pieces, Pieces *spare, Buf *out)
{
    for (size_t i = 0; i < steps->n; i++) {
        const DecodeStep *step = &steps->items[i];
        pieces_reset(spare);
        switch (step->kind) {
        case DECODE_BYTE_FALLBACK:
            step_byte_fallback(pieces, spare);
            break;
        case DECODE_FUSE:
        case DECODE_BYTE_LEVEL:
        case DECODE_SPACES:
            step_join(step, pieces, spare);
            break;
        default:
            step_each(step, pieces, spare);
        }
        Pieces swap = *pieces;
        *pieces = *spare;
        *spare = swap;
    }
    for (size_t i = 0; i < pieces->n; i++)
        utf8_append_valid(out, piece_str(pieces, i));
}

void decode_one(const DecodeSteps *steps, Str piece, Buf *out)
{
    int byte = decode_has(steps, DECODE_BYTE_FALLBACK) ? byte_piece(piece) : -1;
    if (byte >= 0) {
        buf_putc(out, (char)byte);
        return;
    }
    if (decode_has(steps, DECODE_BYTE_LEVEL)) {
        byte_level_bytes(piece, out);
        return;
    }
    Buf text = BUF_INIT, next = BUF_INIT;
    buf_append_str(&text, piece);
    for (size_t i = 0; i < steps->n; i++) {
        const DecodeStep *step = &steps->items[i];
        if (step->kind != DECODE_REPLACE && step->kind != DECODE_METASPACE)
            continue;
        buf_reset(&next);
        replace_all(buf_str(&text), str_from(step->from),
                    step->kind == DECODE_METASPACE ? STR(" ") : str_from(step->content), &next);
        Buf swap = text;
        text = next;
        next = swap;
    }
    buf_append_str(out, buf_str(&text));
    buf_release(&text);
    buf_release(&next);
}
