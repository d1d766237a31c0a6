/* `kaiwa` and `kaiwa chat`: gathers what a chat needs and hands it to the screen, or to the plain
 * chat where there can be no screen. */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "src/base/i18n.h"
#include "src/base/path.h"
#include "src/cmd.h"
#include "src/greeting.h"
#include "src/interrupt.h"
#include "src/plain.h"
#include "src/start.h"

/* Why this chat has no screen, for a person; NULL: it has one. */
static const char *why_plain(const CommandContext *context)
{
    const char *term = path_env("TERM");

    if (options_string(context->options, "headless"))
        return context->screen ? NULL : "--headless";
    if (options_flag(context->options, "plain"))
        return "--plain";
    if (!context->screen || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return _("no terminal");
    if (!term || strcmp(term, "dumb") == 0)
        return "TERM=dumb";
    return path_env("ACCESSIBLE") ? "ACCESSIBLE" : NULL;
}

static bool open_chat(ChatStart *start, Error *err)
{
    Buf model = BUF_INIT;
    bool good = start_choose_conversation(start, err);

    if (good && start_choose_model(start->options, start->store, &model))
        good = start_open_model(start, buf_cstr(&model), err);
    else if (good)
        start_no_model_write(&start->notice);
    buf_release(&model);
    return good;
}

/* In a plain chat only where a person reads it: a script wants to see what went wrong, no more. */
static bool greets(const ChatStart *start, const char *plain)
{
    return greeting_is_due(start) && (!plain || (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)));
}

int cmd_chat(CommandContext *context)
{
    const char *plain = why_plain(context);
    StartWants wants = { .save = true };
    ChatStart start;
    Error err = ERROR_INIT;
    int status;

    if (options_is_given(context->options, "continue") &&
        options_string(context->options, "resume")) {
        error_set(&err, ERR_USAGE, "%s",
                  _("--continue and --resume: only one of them can be used"));
        return command_fail(&err);
    }
    if (plain)
        interrupt_install();
    if (!start_begin(&start, context->options, &wants, &err))
        return command_fail(&err);
    start.first_message = context->n_args ? context->args[0] : NULL;
    if (!open_chat(&start, &err)) {
        status = command_fail(&err);
    } else {
        start.greets = greets(&start, plain);
        status = plain ? plain_run(&start, plain) : context->screen(&start);
    }
    start_end(&start);
    return status;
}
