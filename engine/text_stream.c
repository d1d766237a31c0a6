/* Ids to text while they come: bytes are held back until they are whole characters. */
#include "config.h"

#include <stdlib.h>

#include "engine/engine_parts.h"
#include "src/base/mem.h"
#include "src/base/utf8.h"

struct TextStream {
    const Engine *engine;
    Buf held;     /* an incomplete character */
    bool started; /* a first space was let through or dropped */
};

TextStream *text_stream_new(const Engine *engine)
{
    TextStream *stream = xcalloc(1, sizeof *stream);
    stream->engine = engine;
    return stream;
}

void text_stream_free(TextStream *stream)
{
    if (!stream)
        return;
    buf_release(&stream->held);
    free(stream);
}

void text_stream_reset(TextStream *stream)
{
    buf_reset(&stream->held);
    stream->started = false;
}

/* Decoders with byte fallback (Llama's) write U+FFFD for each byte of an invalid run, byte-level
 * ones for each maximal piece. */
static void put_text(const TextStream *stream, Str bytes, Buf *out)
{
    bool each_byte = tokenizer_find(stream->engine->tokenizer, STR("<0x00>")) >= 0;
    if (!each_byte) {
        utf8_append_valid(out, bytes);
        return;
    }
    for (size_t at = 0; at < bytes.len;) {
        size_t from = at;
        bool valid;
        utf8_next_checked(bytes, &at, &valid);
        if (valid)
            buf_append_str(out, str_sub(bytes, from, at - from));
        else
            for (; from < at; from++)
                buf_put_utf8(out, UTF8_REPLACEMENT);
    }
}

void text_stream_push(TextStream *stream, int32_t id, Buf *out)
{
    const Tokenizer *tokenizer = stream->engine->tokenizer;
    size_t before = stream->held.len;
    tokenizer_token_bytes(tokenizer, id, false, &stream->held);
    if (!stream->started && stream->held.len > before) {
        stream->started = true;
        if (tokenizer_strips_first_space(tokenizer) && stream->held.data[0] == ' ')
            buf_remove(&stream->held, 0, 1);
    }
    size_t whole = utf8_complete(buf_str(&stream->held));
    put_text(stream, str_sub(buf_str(&stream->held), 0, whole), out);
    buf_remove(&stream->held, 0, whole);
}

void text_stream_flush(TextStream *stream, Buf *out)
{
    put_text(stream, buf_str(&stream->held), out);
    buf_reset(&stream->held);
}
