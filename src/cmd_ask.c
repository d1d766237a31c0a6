/* `kaiwa ask`: one reply on standard output.
 *
 * Most questions go through a Chat, so that -c, -r and --save need nothing of their own.  --raw and
 * --ids bypass chat formats and conversations: they are requests of their own. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/utf8.h"
#include "src/cmd.h"
#include "src/input.h"
#include "src/interrupt.h"
#include "src/start.h"
#include "src/turn.h"

static bool is_direct(const Options *options)
{
    return options_flag(options, "raw") || options_flag(options, "ids");
}

static bool is_saved(const Options *options)
{
    return options_flag(options, "save") || options_flag(options, "continue") ||
           options_string(options, "resume");
}

static bool check_options(const Options *options, Error *err)
{
    if (is_direct(options) && is_saved(options))
        return error_set(err, ERR_USAGE, "%s",
                         _("--raw and --ids: not part of a conversation; leave out --save, "
                           "--continue and --resume"));
    if (options_is_given(options, "continue") && options_string(options, "resume"))
        return error_set(err, ERR_USAGE, "%s",
                         _("--continue and --resume: only one of them can be used"));
    return true;
}

static bool read_question(const CommandContext *context, Buf *text, Error *err)
{
    const char *word = context->n_args ? context->args[0] : "-";
    bool raw = is_direct(context->options);

    if (strcmp(word, "-") != 0) {
        buf_puts(text, word);
        return utf8_valid(buf_str(text)) ||
               error_set(
                   err, ERR_USAGE, "%s",
                   _("the text is not UTF-8; give it on standard input with --encoding NAME"));
    }
    if (!context->n_args && isatty(STDIN_FILENO))
        return error_set(
            err, ERR_USAGE, "%s",
            _("ask: a text is missing; write kaiwa ask TEXT, or - for standard input"));
    if (!input_read(STDIN_FILENO, options_string(context->options, "encoding"), text, err))
        return false;
    if (!raw)
        input_unify_lines(text);
    if (text->len && memchr(text->data, 0, text->len))
        return error_set(
            err, ERR_FORMAT, "%s",
            _("standard input: it holds a NUL character, which no message can; is it text?"));
    return true;
}

static bool check_question(const Options *options, const Buf *text, Error *err)
{
    Str left = str_trim(buf_str(text));

    if (left.len || options_flag(options, "raw"))
        return true;
    return error_set(err, ERR_USAGE, "%s", _("ask: the text is empty; write something"));
}

static Request *direct_request(const Options *options, const ModelSummary *model, const Buf *text,
                               Error *err)
{
    Request *request = request_new(REQUEST_GENERATE);
    char *const *stop;
    size_t n = options_list(options, "stop", &stop);

    request->raw = true;
    request->use_ids = options_flag(options, "ids");
    if (request->use_ids && !input_parse_ids(buf_str(text), &request->prompt_ids, err)) {
        request_free(request);
        return NULL;
    }
    if (!request->use_ids)
        request_add(request, ROLE_USER, buf_str(text));
    options_sampling(options, model && model->has_sampling ? &model->sampling : NULL,
                     &request->sampling);
    request->max_tokens = options_int(options, "max-tokens");
    request->want_ids = true;
    request->stop = n ? xcalloc(n, sizeof *request->stop) : NULL;
    for (request->n_stop = 0; request->n_stop < n; request->n_stop++)
        request->stop[request->n_stop] = xstrdup(stop[request->n_stop]);
    return request;
}

/* Sends the question and waits for the whole reply. */
static bool get_reply(Turn *turn, const Buf *text, Error *err)
{
    ChatStart *start = turn->start;
    Request *request;

    if (!start_open_model(start, NULL, err) || !turn_wait_model(turn, err))
        return false;
    if (!is_direct(start->options))
        return chat_send(start->chat, buf_str(text), err) && turn_wait_reply(turn, err);
    request = direct_request(start->options, chat_status(start->chat)->model, text, err);
    if (!request)
        return false;
    turn->with_chat = false;
    worker_ask(start->worker, request);
    return turn_wait_reply(turn, err);
}

static json_t *ids_array(const Tokens *ids)
{
    json_t *array = json_array();

    for (size_t i = 0; i < ids->n; i++)
        json_array_append_new(array, json_integer(ids->ids[i]));
    return array;
}

static void print_json(const Turn *turn)
{
    const Tokens *prompt = turn->with_chat ? chat_prompt_ids(turn->start->chat) : &turn->prompt_ids;
    json_t *object = json_object();
    Buf valid = BUF_INIT;
    char *line;

    utf8_append_valid(&valid, buf_str(&turn->text));
    json_object_set_new(object, "text", json_stringn(valid.data ? valid.data : "", valid.len));
    json_object_set_new(object, "ids", ids_array(&turn->ids));
    json_object_set_new(object, "prompt_ids", ids_array(prompt));
    json_object_set_new(object, "stop", json_string(done_reason_name(turn->reason)));
    turn_put_stats(turn, object);
    line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12));
    printf("%s\n", line);
    free(line);
    json_decref(object);
    buf_release(&valid);
}

static int finish(Turn *turn, const Options *options)
{
    Error err = ERROR_INIT;

    if (turn->pipe_closed)
        return EXIT_OK;
    if (options_flag(options, "json"))
        print_json(turn);
    else if (!turn->text.len || turn->text.data[turn->text.len - 1] != '\n')
        putchar('\n');
    fflush(stdout);
    if (options_flag(options, "stats"))
        turn_print_stats(turn);
    if (interrupt_pending())
        return interrupt_status();
    return turn_complaint(turn, &err) ? command_fail(&err) : EXIT_OK;
}

static int ask(CommandContext *context, const Buf *text)
{
    StartWants wants = { is_saved(context->options), options_flag(context->options, "json") };
    ChatStart start;
    Error err = ERROR_INIT;
    Turn turn;
    int status;

    interrupt_install();
    if (!start_begin(&start, context->options, &wants, &err))
        return command_fail(&err);
    turn_init(&turn, &start);
    turn.show = !options_flag(context->options, "json");
    if (start_choose_conversation(&start, &err) && get_reply(&turn, text, &err))
        status = finish(&turn, context->options);
    else
        status = interrupt_pending() ? interrupt_status() : command_fail(&err);
    turn_release(&turn);
    start_end(&start);
    return status;
}

int cmd_ask(CommandContext *context)
{
    Buf text = BUF_INIT;
    Error err = ERROR_INIT;
    int status;

    if (check_options(context->options, &err) && read_question(context, &text, &err) &&
        check_question(context->options, &text, &err))
        status = ask(context, &text);
    else
        status = command_fail(&err);
    buf_release(&text);
    return status;
}
