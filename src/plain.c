/* The chat without a screen.  A line is a message, one that ends in a backslash goes on in the
 * next; slash commands work.  Replies and what commands show go to standard output, all else to
 * standard error. */
#include "config.h"

#include "src/plain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "src/base/i18n.h"
#include "src/base/path.h"
#include "src/base/text.h"
#include "src/base/utf8.h"
#include "src/chat.h"
#include "src/greeting.h"
#include "src/input.h"
#include "src/interrupt.h"
#include "src/output.h"
#include "src/slash.h"
#include "src/turn.h"

enum { MAX_MESSAGE = 64 << 20 };

typedef struct {
    ChatStart *start;
    Turn turn;
    const char *encoding; /* asked for, or recognised in an earlier line; NULL: UTF-8 so far */
    Buf bytes;            /* read but not used */
    size_t used;          /* of bytes */
    Buf attached;         /* by /file, goes in front of the next message */
    bool at_end, is_first, is_decoded, is_terminal, quit;
    int status;
} Plain;

static void complain(Plain *plain, const Error *err)
{
    int status = command_fail(err);

    plain->status = status == EXIT_USAGE ? EXIT_FAILED : status;
}

/* ---- input ---- */

static bool is_wide_encoding(const char *name)
{
    return name && (strncasecmp(name, "utf-16", 6) == 0 || strncasecmp(name, "utf-32", 6) == 0 ||
                    strncasecmp(name, "utf16", 5) == 0 || strncasecmp(name, "utf32", 5) == 0);
}

static bool has_wide_mark(Str s)
{
    return str_starts(s, STR("\xFF\xFE")) || str_starts(s, STR("\xFE\xFF"));
}

/* Lines cannot be found in UTF-16 before it is decoded: such input is read to its end first. */
static bool read_wide(Plain *plain, Error *err)
{
    Buf text = BUF_INIT;
    bool good = path_read_fd(STDIN_FILENO, MAX_MESSAGE, &plain->bytes, err) &&
                input_decode(buf_str(&plain->bytes), plain->encoding, &text, NULL, err);

    buf_release(&plain->bytes);
    plain->bytes = text;
    plain->at_end = plain->is_decoded = true;
    return good;
}

/* Reads more bytes; false at the end, on a signal and on an error. */
static bool read_more(Plain *plain, Error *err)
{
    char block[65536];
    ssize_t n;

    if (plain->at_end || interrupt_wait(STDIN_FILENO, -1) < 0)
        return false;
    n = read(STDIN_FILENO, block, sizeof block);
    if (n < 0)
        return error_errno(err, _("standard input"));
    plain->at_end = n == 0;
    buf_remove(&plain->bytes, 0, plain->used);
    plain->used = 0;
    buf_append(&plain->bytes, block, (size_t)n);
    if (plain->bytes.len > MAX_MESSAGE)
        return error_set(err, ERR_FORMAT,
                         _("standard input: a line of more than %d MB; is it text?"),
                         MAX_MESSAGE >> 20);
    if (!plain->is_first)
        return !plain->at_end;
    plain->is_first = false;
    if (is_wide_encoding(plain->encoding) || has_wide_mark(buf_str(&plain->bytes)))
        return read_wide(plain, err) && plain->bytes.len > 0;
    return !plain->at_end;
}

static bool decode_line(Plain *plain, Str line, Buf *out, Error *err)
{
    const char *recognised = NULL;

    if (plain->is_decoded ||
        (!plain->encoding && utf8_valid(line) && !str_starts(line, STR("\xEF\xBB\xBF")))) {
        buf_append_str(out, line);
        return true;
    }
    if (!input_decode(line, plain->encoding, out, &recognised, err))
        return false;
    if (!plain->encoding && recognised && strcasecmp(recognised, "UTF-8") != 0)
        plain->encoding = recognised;
    return true;
}

/* Appends one line, decoded and without its end.  False: there is none (err tells if something went
 * wrong). */
static bool read_line(Plain *plain, Buf *out, Error *err)
{
    Str rest, line;
    ptrdiff_t end;

    while ((end = str_find(rest = str_from_offset(buf_str(&plain->bytes), plain->used),
                           STR("\n"))) < 0)
        if (!read_more(plain, err))
            break;
    if (interrupt_pending() || err->kind != ERR_NONE)
        return false;
    rest = str_from_offset(buf_str(&plain->bytes), plain->used);
    if (!rest.len)
        return false;
    if (end < 0)
        end = str_find(rest, STR("\n"));
    line = end < 0 ? rest : str_of(rest.data, (size_t)end);
    plain->used += line.len + (end >= 0);
    if (str_ends(line, STR("\r")))
        line.len--;
    return decode_line(plain, line, out, err);
}

/* A message: a line and those that it goes on in. */
static bool read_message(Plain *plain, Buf *out, Error *err)
{
    buf_reset(out);
    do {
        if (out->len)
            out->data[out->len - 1] = '\n'; /* in the place of the backslash */
        if (plain->is_terminal)
            fputs(out->len ? "  " : "> ", stderr);
        if (!read_line(plain, out, err))
            return out->len > 0 && !interrupt_pending() && err->kind == ERR_NONE;
    } while (out->len && out->data[out->len - 1] == '\\');
    return true;
}

/* ---- replies ---- */

static void wait_reply(Plain *plain)
{
    Turn *turn = &plain->turn;
    const Options *options = plain->start->options;
    Error err = ERROR_INIT;

    if (!turn_wait_reply(turn, &err)) {
        if (!interrupt_pending())
            complain(plain, &err);
        return;
    }
    if (turn->pipe_closed)
        return;
    if (!turn->text.len || turn->text.data[turn->text.len - 1] != '\n')
        putchar('\n');
    fflush(stdout);
    if (options_flag(options, "stats"))
        turn_print_stats(turn);
    if (turn_complaint(turn, &err))
        complain(plain, &err);
}

static void wait_model(Plain *plain)
{
    Error err = ERROR_INIT;

    if (!turn_wait_model(&plain->turn, &err) && !interrupt_pending())
        complain(plain, &err);
}

/* Whatever a command or a message started is waited for. */
static void wait_idle(Plain *plain)
{
    const ChatStatus *status = chat_status(plain->start->chat);

    while (status->state != CHAT_IDLE)
        if (status->state == CHAT_LOADING)
            wait_model(plain);
        else
            wait_reply(plain);
}

static void send_message(Plain *plain, Str text)
{
    Error err = ERROR_INIT;
    Buf whole = BUF_INIT;

    if (!str_trim(text).len)
        return;
    buf_append_str(&whole, buf_str(&plain->attached));
    buf_append_str(&whole, text);
    if (!chat_status(plain->start->chat)->model)
        start_no_model(&err);
    else if (chat_send(plain->start->chat, buf_str(&whole), &err))
        buf_reset(&plain->attached);
    if (err.kind == ERR_NONE)
        wait_idle(plain);
    else
        complain(plain, &err);
    buf_release(&whole);
}

static void take_line(Plain *plain, Str line)
{
    Buf out = BUF_INIT, notice = BUF_INIT, view = BUF_INIT, argument = BUF_INIT;
    SlashContext context = { .start = plain->start,
                             .out = &out,
                             .notice = &notice,
                             .view = &view,
                             .argument = &argument,
                             .draft = &plain->attached,
                             .plain = true };
    SlashResult result = SLASH_NONE;
    Error err = ERROR_INIT;
    Str message = line;

    if (!slash_run(&context, line, &message, &result, &err)) {
        send_message(plain, message);
    } else {
        if (!output_text(buf_str(&out)) && errno == EPIPE)
            plain->turn.pipe_closed = true;
        fputs(buf_cstr(&notice), stderr);
        if (result == SLASH_NONE)
            complain(plain, &err);
        plain->quit = result == SLASH_QUIT;
        wait_idle(plain);
    }
    buf_release(&out);
    buf_release(&notice);
    buf_release(&view);
    buf_release(&argument);
}

/* ^C stops the reply and no more; at the prompt, or as another signal, it ends the program. */
static bool is_ending(Plain *plain, bool was_replying)
{
    if (plain->turn.pipe_closed || plain->quit)
        return true;
    if (!interrupt_pending())
        return false;
    if (interrupt_status() == EXIT_INTERRUPTED && was_replying && plain->is_terminal) {
        interrupt_clear();
        return false;
    }
    plain->status = interrupt_status();
    return true;
}

static void run_lines(Plain *plain)
{
    Buf line = BUF_INIT;
    Error err = ERROR_INIT;
    bool more = true;

    while (more && !is_ending(plain, true)) {
        more = read_message(plain, &line, &err);
        if (more)
            take_line(plain, buf_str(&line));
        else
            is_ending(plain, false);
    }
    if (err.kind != ERR_NONE)
        complain(plain, &err);
    buf_release(&line);
}

static void say_first(const ChatStart *start)
{
    Buf greeting = BUF_INIT;

    if (start->greets) {
        greeting_write(start, &greeting);
        fprintf(stderr, "\n%s\n", buf_cstr(&greeting));
        greeting_was_shown(start);
    } else if (start->notice.len) {
        fprintf(stderr, "kaiwa: %s\n", buf_cstr(&start->notice));
    }
    buf_release(&greeting);
}

int plain_run(ChatStart *start, const char *why)
{
    Plain plain = { .start = start,
                    .encoding = options_string(start->options, "encoding"),
                    .is_first = true,
                    .is_terminal = isatty(STDIN_FILENO) };

    turn_init(&plain.turn, start);
    if (plain.encoding && !*plain.encoding)
        plain.encoding = NULL;
    if (plain.is_terminal && why)
        fprintf(stderr,
                _("Plain chat (%s): one message a line, /help lists the commands, ^D ends.\n"),
                why);
    say_first(start);
    wait_idle(&plain);
    /* A model that was asked for and cannot be had: no message would be answered. */
    if (plain.status == EXIT_OK) {
        if (start->first_message && !interrupt_pending())
            send_message(&plain, str_from(start->first_message));
        run_lines(&plain);
    }
    if (plain.is_terminal && plain.status == EXIT_OK && !plain.quit)
        fputc('\n', stderr);
    chat_save_now(start->chat);
    turn_release(&plain.turn);
    buf_release(&plain.bytes);
    buf_release(&plain.attached);
    return plain.status;
}
