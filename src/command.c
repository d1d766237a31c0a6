/* The table of commands, and the way from argv to one of them. */
#include "config.h"

#include "src/command.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/log.h"
#include "src/base/mem.h"
#include "src/base/text.h"
#include "src/cmd.h"
#include "src/cmd_store.h"
#include "src/help.h"

static const CommandRow commands[] = {
    { .name = "chat",
      .synopsis = N_("[TEXT]"),
      .help = N_(
          "talk on the screen; TEXT is sent as the first message (this is what kaiwa alone does)"),
      .uses = OPTION_CHAT | OPTION_GENERATION | OPTION_MODEL,
      .max_args = 1,
      .run = cmd_chat },
    { .name = "ask",
      .synopsis = N_("[TEXT | -]"),
      .help = N_("print one reply to TEXT or to standard input"),
      .uses = OPTION_ASK | OPTION_GENERATION | OPTION_MODEL,
      .max_args = 1,
      .run = cmd_ask },
    { .name = "list",
      .synopsis = N_("[FILTER]"),
      .help = N_("list the conversations, newest first"),
      .uses = OPTION_ROWS,
      .max_args = 1,
      .run = cmd_list },
    { .name = "show",
      .synopsis = N_("ID"),
      .help = N_("print a conversation"),
      .uses = OPTION_ROWS,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_show },
    { .name = "search",
      .synopsis = N_("TEXT"),
      .help = N_("find the messages that contain all words of TEXT"),
      .uses = OPTION_ROWS,
      .min_args = 1,
      .max_args = -1,
      .run = cmd_search },
    { .name = "export",
      .synopsis = N_("ID"),
      .help = N_("write a conversation as Markdown, JSON or text"),
      .uses = OPTION_EXPORT,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_export },
    { .name = "import",
      .synopsis = N_("FILE"),
      .help = N_("take in a conversation that export wrote as JSON or Markdown"),
      .min_args = 1,
      .max_args = 1,
      .run = cmd_import },
    { .name = "delete",
      .synopsis = N_("ID"),
      .help = N_("delete a conversation; /undelete brings it back"),
      .min_args = 1,
      .max_args = 1,
      .run = cmd_delete },
    { .name = "models",
      .synopsis = N_("[add PATH | verify NAME]"),
      .help = N_("list the models that are installed, add one or check one"),
      .uses = OPTION_ROWS,
      .max_args = 2,
      .run = cmd_models },
    { .name = "inspect",
      .synopsis = N_("[MODEL]"),
      .help = N_("show what a model is made of"),
      .uses = OPTION_ROWS | OPTION_MODEL,
      .max_args = 1,
      .run = cmd_inspect },
    { .name = "tokenize",
      .synopsis = N_("[TEXT | -]"),
      .help = N_("print the token ids of TEXT, or of each line of standard input"),
      .uses = OPTION_TOKENIZE,
      .max_args = 1,
      .run = cmd_tokenize },
    { .name = "detokenize",
      .synopsis = N_("[ID... | -]"),
      .help = N_("print the text of token ids"),
      .uses = OPTION_TOKENIZE,
      .max_args = -1,
      .run = cmd_detokenize },
    { .name = "score",
      .synopsis = N_("[FILE | -]"),
      .help = N_("print how likely a model finds given texts; JSON lines in and out"),
      .uses = OPTION_MODEL,
      .max_args = 1,
      .run = cmd_score },
    { .name = "quantize",
      .synopsis = N_("IN OUT"),
      .help = N_("make a 4-bit GPTQ model, the directory OUT, of the fp16, bf16 or fp32 one IN"),
      .uses = OPTION_QUANTIZE,
      .min_args = 2,
      .max_args = 2,
      .run = cmd_quantize },
    { .name = "bench",
      .synopsis = "",
      .help = N_("measure how fast a model runs on this machine"),
      .uses = OPTION_BENCH | OPTION_MODEL,
      .run = cmd_bench },
};

const CommandRow *command_table(size_t *n)
{
    *n = ARRAY_LEN(commands);
    return commands;
}

const CommandRow *command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int command_fail(const Error *err)
{
    fflush(stdout);
    if (err->kind == ERR_CANCELLED)
        return EXIT_INTERRUPTED;
    fprintf(stderr, "kaiwa: %s\n", err->text);
    return err->kind == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

/* Standard output may be a file on a full disk, or a pipe whose reader is gone.  The latter is no
 * error to speak of: whoever closed it wanted no more. */
static int finish_output(int status)
{
    struct pollfd out = { STDOUT_FILENO, POLLOUT, 0 };
    Error err = ERROR_INIT;

    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    /* The write that failed may have been an earlier one: then only the descriptor can tell. */
    if (errno == EPIPE || (poll(&out, 1, 0) == 1 && out.revents & POLLERR))
        return status == EXIT_FAILED ? EXIT_OK : status;
    if (errno)
        error_errno(&err, _("standard output"));
    else
        error_set(&err, ERR_SYSTEM, "%s",
                  _("standard output cannot be written; is the disk full?"));
    return command_fail(&err);
}

static void print_warnings(const Buf *warnings)
{
    Str rest = buf_str(warnings), line;

    while (str_line(&rest, &line))
        fprintf(stderr, "kaiwa: %.*s\n", (int)line.len, line.data);
}

/* A file that cannot be read is an error only where somebody named it. */
static bool read_settings(Options *options, Error *err)
{
    Buf warnings = BUF_INIT;
    bool good;

    options_read_environment(options, &warnings);
    good = options_read_file(options, options_string(options, "config"), &warnings, err);
    print_warnings(&warnings);
    buf_release(&warnings);
    return good;
}

static bool apply_language(const Options *options, Error *err)
{
    const char *lang = options_string(options, "lang");

    if (!lang)
        return true;
    setenv("LANGUAGE", lang, 1);
    return i18n_init(err);
}

/* What holds for every command and must stand before its first word. */
static bool apply_settings(Options *options, Error *err)
{
    static const char *const levels[] = { "error", "warn", "info", "debug" };
    const char *log = options_string(options, "log"), *persona = options_string(options, "persona");
    LogLevel level = LOG_INFO;

    if (!apply_language(options, err))
        return false;
    text_set_ambiguous(strcmp(options_string(options, "ambiguous-width"), "2") == 0 ? 2 : 1);
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (strcmp(options_string(options, "log-level"), levels[i]) == 0)
            level = (LogLevel)i;
    if (log && !log_open(log, level, err))
        return false;
    return !persona || options_apply_persona(options, persona, err);
}

static bool check_words(const CommandRow *row, const char *const *words, int n, Error *err)
{
    if (row->max_args >= 0 && n > row->max_args)
        return error_set(err, ERR_USAGE,
                         _("%s: a word too many for %s; put a text of several words in quotes"),
                         words[row->max_args], row->name);
    if (n < row->min_args)
        return error_set(err, ERR_USAGE, _("%s: a word is missing; write kaiwa %s %s"), row->name,
                         row->name, _(row->synopsis));
    return true;
}

/* --help, --version and --completion need no settings but the language, and win over everything
 * else. */
static bool tell_about(const Options *options, const CommandRow *named)
{
    const char *shell = options_string(options, "completion");
    Buf out = BUF_INIT;

    if (options_flag(options, "help"))
        help_write(named, &out);
    else if (options_flag(options, "version"))
        help_version(&out);
    else if (shell)
        help_completion(shell, &out);
    else
        return false;
    fputs(buf_cstr(&out), stdout);
    buf_release(&out);
    return true;
}

static int run(CommandContext *context, const CommandRow *named, int argc, char **argv)
{
    const CommandRow *row = named ? named : command_find("chat");
    Error err = ERROR_INIT;

    if (!options_parse(context->options, row->uses, argc, argv, context->args, &context->n_args,
                       &err) ||
        !apply_language(context->options, &err))
        return command_fail(&err);
    if (tell_about(context->options, named))
        return EXIT_OK;
    if (!check_words(row, context->args, context->n_args, &err) ||
        !read_settings(context->options, &err) || !apply_settings(context->options, &err))
        return command_fail(&err);
    return row->run(context);
}

int command_main(int argc, char **argv, int (*screen)(const struct ChatStart *start))
{
    char **words = xcalloc((size_t)argc + 1, sizeof *words);
    int first = options_first_word(argc, argv), n = 0, status;
    const CommandRow *named = first ? command_find(argv[first]) : NULL;
    CommandContext context = { .options = options_new(), .screen = screen };

    for (int i = 0; i < argc; i++)
        if (i != first || !named || i == 0)
            words[n++] = argv[i];
    context.args = xcalloc((size_t)argc + 1, sizeof *context.args);
    status = finish_output(run(&context, named, n, words));
    log_close();
    options_free(context.options);
    free(context.args);
    free(words);
    return status;
}
