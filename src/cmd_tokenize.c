/* `kaiwa tokenize` and `kaiwa detokenize`: text to ids and back, with no weights loaded.  Both are
 * linear in what they read. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "src/base/i18n.h"
#include "src/base/path.h"
#include "src/base/utf8.h"
#include "src/cmd.h"
#include "src/input.h"
#include "src/start.h"

enum { MAX_INPUT = 1 << 30 };

static Engine *open_tokenizer(const Options *options, Error *err)
{
    EngineOptions wanted = { .without_weights = true };
    Buf path = BUF_INIT;
    Engine *engine = NULL;

    if (start_locate_model(options, &path, err)) {
        wanted.model = buf_cstr(&path);
        engine = engine_open(&wanted, NULL, err);
    }
    buf_release(&path);
    return engine;
}

/* Standard input as UTF-8.  Valid UTF-8 is left as it is, NULs and all: with -0 it would look like
 * UTF-16 now and then. */
static bool read_inputs(const Options *options, Buf *out, Error *err)
{
    const char *encoding = options_string(options, "encoding");
    Buf bytes = BUF_INIT;
    Str text;
    bool good = path_read_fd(STDIN_FILENO, MAX_INPUT, &bytes, err);

    text = buf_str(&bytes);
    if (good && !(encoding && *encoding) && utf8_valid(text) &&
        (options_flag(options, "null") || !memchr(text.data ? text.data : "", 0, text.len))) {
        if (str_starts(text, STR("\xEF\xBB\xBF")))
            buf_remove(&bytes, 0, 3);
        *out = bytes;
        return true;
    }
    good = good && input_decode(text, encoding, out, NULL, err);
    buf_release(&bytes);
    return good;
}

static bool write_out(const Buf *out)
{
    return !out->len || fwrite(out->data, 1, out->len, stdout) == out->len;
}

/* buf_printf would be half of the time for a megabyte of ids. */
static void put_id(Buf *out, int32_t id)
{
    char digits[12];
    size_t at = sizeof digits;
    unsigned rest = (unsigned)id;

    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10));
    buf_append(out, digits + at, sizeof digits - at);
}

static bool tokenize_one(const Engine *engine, Str text, bool special, Error *err)
{
    Tokens ids = TOKENS_INIT;
    Buf line = BUF_INIT;
    bool good = engine_tokenize(engine, text, special, &ids, err);

    for (size_t i = 0; i < ids.n; i++) {
        if (i)
            buf_putc(&line, ' ');
        put_id(&line, ids.ids[i]);
    }
    buf_putc(&line, '\n');
    if (good)
        write_out(&line);
    buf_release(&line);
    tokens_release(&ids);
    return good;
}

/* Cuts the next input, which ends in `end` or at the end of all. */
static bool next_input(Str *rest, char end, Str *input)
{
    const char *at;

    if (!rest->len)
        return false;
    at = memchr(rest->data, end, rest->len);
    *input = str_of(rest->data, at ? (size_t)(at - rest->data) : rest->len);
    *rest = str_from_offset(*rest, input->len + (at != NULL));
    return true;
}

static bool tokenize_all(const Engine *engine, const Options *options, Str rest, Error *err)
{
    bool special = options_flag(options, "special"), good = true;
    char end = options_flag(options, "null") ? '\0' : '\n';
    Str input;

    while (good && !ferror(stdout) && next_input(&rest, end, &input))
        good = tokenize_one(engine, input, special, err);
    return good;
}

static bool is_stdin(const CommandContext *context)
{
    return context->n_args == 0 || (context->n_args == 1 && strcmp(context->args[0], "-") == 0);
}

static bool check_word(const char *word, Error *err)
{
    return utf8_valid(str_from(word)) ||
           error_set(err, ERR_USAGE, "%s",
                     _("the text is not UTF-8; give it on standard input with --encoding NAME"));
}

int cmd_tokenize(CommandContext *context)
{
    Buf text = BUF_INIT;
    Error err = ERROR_INIT;
    Engine *engine = open_tokenizer(context->options, &err);
    bool good = engine != NULL;

    if (good && !is_stdin(context))
        good = check_word(context->args[0], &err) &&
               tokenize_one(engine, str_from(context->args[0]),
                            options_flag(context->options, "special"), &err);
    else if (good)
        good = read_inputs(context->options, &text, &err) &&
               tokenize_all(engine, context->options, buf_str(&text), &err);
    buf_release(&text);
    engine_close(engine);
    return good ? EXIT_OK : command_fail(&err);
}

static bool detokenize_one(const Engine *engine, const Options *options, Str text, Error *err)
{
    Tokens ids = TOKENS_INIT;
    Buf out = BUF_INIT;
    bool good =
        input_parse_ids(text, &ids, err) &&
        engine_detokenize(engine, ids.ids, ids.n, !options_flag(options, "special"), &out, err);

    if (options_flag(options, "null"))
        buf_putc(&out, '\0');
    if (good)
        write_out(&out);
    buf_release(&out);
    tokens_release(&ids);
    return good;
}

/* One line an output: a newline stands between them, so that the bytes of a single one are exact.
 */
static bool detokenize_all(const Engine *engine, const Options *options, Str rest, Error *err)
{
    bool good = true, first = true;
    Str line;

    for (; good && !ferror(stdout) && next_input(&rest, '\n', &line); first = false) {
        if (!first && !options_flag(options, "null"))
            putchar('\n');
        good = detokenize_one(engine, options, line, err);
    }
    return good;
}

static void join_words(const CommandContext *context, Buf *out)
{
    for (int i = 0; i < context->n_args; i++) {
        buf_puts(out, context->args[i]);
        buf_putc(out, ' ');
    }
}

int cmd_detokenize(CommandContext *context)
{
    Buf text = BUF_INIT;
    Error err = ERROR_INIT;
    Engine *engine = open_tokenizer(context->options, &err);
    bool good = engine != NULL;

    if (good && is_stdin(context)) {
        good = path_read_fd(STDIN_FILENO, MAX_INPUT, &text, &err) &&
               detokenize_all(engine, context->options, buf_str(&text), &err);
    } else if (good) {
        join_words(context, &text);
        good = detokenize_one(engine, context->options, buf_str(&text), &err);
    }
    if (good && isatty(STDOUT_FILENO))
        putchar('\n');
    buf_release(&text);
    engine_close(engine);
    return good ? EXIT_OK : command_fail(&err);
}
