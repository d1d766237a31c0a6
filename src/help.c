/* --help, --version and completions out of the tables of commands and options. */
#include "config.h"

#include "src/help.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "src/base/i18n.h"
#include "src/base/text.h"
#include "src/store.h"

enum { LEFT_COLS = 28, TEXT_COLS = 50 };

/* ---- --help ---- */

static void put_spaces(Buf *out, int n)
{
    for (int i = 0; i < n; i++)
        buf_putc(out, ' ');
}

/* How much of text fits in TEXT_COLS: whole words where there are spaces, else whole characters. */
static size_t line_bytes(Str text)
{
    size_t fits = text_cut(text, TEXT_COLS, NULL).len;
    ptrdiff_t space = str_rfind(str_of(text.data, fits), STR(" "));

    if (fits == text.len || text.data[fits] == ' ')
        return fits;
    /* In Japanese the last space may be far back: then the line is cut between two characters. */
    return space > 0 && fits - (size_t)space < 24 ? (size_t)space : fits;
}

static void put_row(Buf *out, const char *left, const char *help)
{
    Str rest = str_from(help);
    int cols = text_cols(str_from(left));

    buf_printf(out, "  %s", left);
    if (cols > LEFT_COLS - 2) {
        buf_putc(out, '\n');
        cols = -2;
    }
    while (rest.len) {
        size_t n = line_bytes(rest);

        put_spaces(out, LEFT_COLS - cols);
        cols = -2;
        buf_append(out, rest.data, n);
        buf_putc(out, '\n');
        rest = str_trim(str_from_offset(rest, n));
    }
}

static void put_option(Buf *out, const OptionRow *row)
{
    Buf left = BUF_INIT, help = BUF_INIT;

    if (row->letter)
        buf_printf(&left, "-%c, ", row->letter);
    buf_printf(&left, "--%s", row->name);
    if (row->argument)
        buf_printf(&left, " %s", _(row->argument));
    buf_puts(&help, _(row->help));
    if (row->initial && strcmp(row->initial, "0") != 0 && strcmp(row->initial, "auto") != 0)
        /* TRANSLATORS: after the help of an option, e.g. " (64)": what holds when it is not given.
         */
        buf_printf(&help, _(" (%s)"), row->initial);
    put_row(out, buf_cstr(&left), buf_cstr(&help));
    buf_release(&left);
    buf_release(&help);
}

/* Options whose use has one of `with` and none of `without`. */
static void put_options(Buf *out, unsigned with, unsigned without)
{
    size_t n;
    const OptionRow *rows = option_table(&n);

    for (size_t i = 0; i < n; i++)
        if (rows[i].use & with && !(rows[i].use & (without | OPTION_SERVICE)))
            put_option(out, &rows[i]);
}

static void put_program(Buf *out)
{
    size_t n;
    const CommandRow *rows = command_table(&n);

    buf_puts(out, _("Usage: kaiwa [OPTION]... [TEXT]\n"
                    "       kaiwa COMMAND [OPTION]... [WORD]...\n"
                    "Talk with a language model in the terminal.\n"));
    buf_puts(out, _("\nCommands (kaiwa COMMAND --help tells more; kaiwa -- TEXT where TEXT is such "
                    "a word):\n"));
    for (size_t i = 0; i < n; i++) {
        Buf left = BUF_INIT;

        buf_printf(&left, "%s%s%s", rows[i].name, *rows[i].synopsis ? " " : "",
                   *rows[i].synopsis ? _(rows[i].synopsis) : "");
        put_row(out, buf_cstr(&left), _(rows[i].help));
        buf_release(&left);
    }
    buf_puts(out, _("\nOptions of the chat:\n"));
    put_options(out, OPTION_CHAT | OPTION_GENERATION | OPTION_MODEL, OPTION_EVERYWHERE);
}

void help_write(const CommandRow *row, Buf *out)
{
    if (!row) {
        put_program(out);
    } else {
        buf_printf(out, _("Usage: kaiwa %s [OPTION]... %s\n"), row->name,
                   *row->synopsis ? _(row->synopsis) : "");
        put_row(out, "", _(row->help));
        if (row->uses) {
            buf_puts(out, _("\nOptions:\n"));
            put_options(out, row->uses, OPTION_EVERYWHERE);
        }
    }
    buf_puts(out, _("\nOptions of every command:\n"));
    put_options(out, OPTION_EVERYWHERE, 0);
    buf_puts(out, _("\nSee kaiwa(1) and kaiwa.conf(5).\n"));
}

/* ---- --version ---- */

void help_version(Buf *out)
{
    Buf backends = BUF_INIT;
    Str rest, line;

    buf_printf(out, "kaiwa %s\n", VERSION);
    engine_describe_backends(&backends);
    rest = buf_str(&backends);
    while (str_line(&rest, &line))
        buf_printf(out, _("backend: %.*s\n"), (int)line.len, line.data);
    buf_printf(out, _("libraries: ICU %s, SQLite %s, jansson %s\n"), text_library_version(),
               store_library_version(), jansson_version_str());
    buf_release(&backends);
}

/* ---- completions ---- */

static void put_words(Buf *out, unsigned uses)
{
    size_t n;
    const OptionRow *rows = option_table(&n);

    for (size_t i = 0; i < n; i++)
        if (rows[i].use & (uses | OPTION_EVERYWHERE) && !(rows[i].use & OPTION_SERVICE))
            buf_printf(out, " --%s", rows[i].name);
}

static unsigned chat_uses(void)
{
    return command_find("chat")->uses;
}

/* Each option once, for values: format has two sets of choices, which are joined. */
static bool is_first(const OptionRow *row)
{
    return option_find(row->name) == row;
}

static void put_choices(Buf *out, const OptionRow *row)
{
    size_t n;
    const OptionRow *rows = option_table(&n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, row->name) == 0 && rows[i].choices)
            for (const char *c = rows[i].choices - 1; c; c = strchr(c + 1, '|'))
                buf_printf(out, " %.*s", (int)strcspn(c + 1, "|"), c + 1);
}

static bool is_file(const OptionRow *row)
{
    return row->argument && strcmp(row->argument, "FILE") == 0;
}

static void complete_bash(Buf *out)
{
    size_t n, n_commands;
    const OptionRow *rows = option_table(&n);
    const CommandRow *commands = command_table(&n_commands);

    buf_puts(out,
             "# bash completion for kaiwa: kaiwa --completion bash > "
             "~/.local/share/bash-completion/completions/kaiwa\n"
             "_kaiwa() {\n"
             "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\n"
             "    COMPREPLY=()\n"
             "    case $prev in\n");
    for (size_t i = 0; i < n; i++) {
        if (rows[i].choices && is_first(&rows[i])) {
            buf_printf(out, "    --%s) COMPREPLY=($(compgen -W \"", rows[i].name);
            put_choices(out, &rows[i]);
            buf_puts(out, "\" -- \"$cur\")); return;;\n");
        } else if (is_file(&rows[i])) {
            buf_printf(out, "    --%s) COMPREPLY=($(compgen -f -- \"$cur\")); return;;\n",
                       rows[i].name);
        }
    }
    buf_puts(out, "    --model|-m|inspect|verify) COMPREPLY=($(compgen -W \"$(kaiwa models "
                  "2>/dev/null | cut -f1)\" -- \"$cur\")"
                  " $(compgen -f -- \"$cur\")); return;;\n"
                  "    add|import|score) COMPREPLY=($(compgen -f -- \"$cur\")); return;;\n"
                  "    models) words=\"add verify\";;\n"
                  "    esac\n"
                  "    case $cur in\n"
                  "    -*)\n"
                  "        case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < n_commands; i++) {
        buf_printf(out, "        %s) words=\"", commands[i].name);
        put_words(out, commands[i].uses);
        buf_puts(out, "\";;\n");
    }
    buf_puts(out, "        *) words=\"");
    put_words(out, chat_uses());
    buf_puts(out, "\";;\n        esac;;\n    *)\n        [ \"$COMP_CWORD\" = 1 ] && words=\"");
    for (size_t i = 0; i < n_commands; i++)
        buf_printf(out, "%s%s", i ? " " : "", commands[i].name);
    buf_puts(out, "\";;\n    esac\n    COMPREPLY+=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
                  "complete -o default -F _kaiwa kaiwa\n");
}

/* Text inside '...' of a shell. */
static void put_quoted(Buf *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'')
            buf_puts(out, "'\\''");
        else if (strchr(special, *text))
            buf_printf(out, "\\%c", *text);
        else
            buf_putc(out, *text);
    }
}

static void complete_zsh(Buf *out)
{
    size_t n, n_commands;
    const OptionRow *rows = option_table(&n);
    const CommandRow *commands = command_table(&n_commands);

    buf_puts(out, "#compdef kaiwa\n_kaiwa_commands() {\n    local -a commands=(\n");
    for (size_t i = 0; i < n_commands; i++) {
        buf_printf(out, "        '%s:", commands[i].name);
        put_quoted(out, _(commands[i].help), ":");
        buf_puts(out, "'\n");
    }
    buf_puts(out, "    )\n    _describe command commands\n}\n_arguments \\\n");
    for (size_t i = 0; i < n; i++) {
        if (rows[i].use & OPTION_SERVICE || !is_first(&rows[i]))
            continue;
        buf_printf(out, "    '--%s%s[", rows[i].name, rows[i].argument ? "=" : "");
        put_quoted(out, _(rows[i].help), "[]:");
        buf_puts(out, "]");
        if (rows[i].argument) {
            buf_printf(out, ":%s:", rows[i].name);
            if (rows[i].choices) {
                buf_puts(out, "(");
                put_choices(out, &rows[i]);
                buf_puts(out, ")");
            } else if (is_file(&rows[i]) || rows[i].letter == 'm') {
                buf_puts(out, "_files");
            }
        }
        buf_puts(out, "' \\\n");
    }
    buf_puts(out, "    '1:command:_kaiwa_commands' '*::words:_files'\n");
}

static void complete_fish(Buf *out)
{
    size_t n, n_commands;
    const OptionRow *rows = option_table(&n);
    const CommandRow *commands = command_table(&n_commands);

    for (size_t i = 0; i < n_commands; i++) {
        buf_printf(out, "complete -c kaiwa -n __fish_use_subcommand -a %s -d '", commands[i].name);
        put_quoted(out, _(commands[i].help), "\\");
        buf_puts(out, "'\n");
    }
    for (size_t i = 0; i < n; i++) {
        if (rows[i].use & OPTION_SERVICE || !is_first(&rows[i]))
            continue;
        buf_printf(out, "complete -c kaiwa -l %s", rows[i].name);
        if (rows[i].letter)
            buf_printf(out, " -s %c", rows[i].letter);
        if (rows[i].argument)
            buf_puts(out, is_file(&rows[i]) || rows[i].letter == 'm' ? " -r" : " -x");
        if (rows[i].choices) {
            buf_puts(out, " -a '");
            put_choices(out, &rows[i]);
            buf_puts(out, "'");
        }
        buf_puts(out, " -d '");
        put_quoted(out, _(rows[i].help), "\\");
        buf_puts(out, "'\n");
    }
}

void help_completion(const char *shell, Buf *out)
{
    if (strcmp(shell, "bash") == 0)
        complete_bash(out);
    else if (strcmp(shell, "zsh") == 0)
        complete_zsh(out);
    else
        complete_fish(out);
}
