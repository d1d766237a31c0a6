/* Makes the manual pages: copies a page, and puts the rows of the program's tables in the place of
 * its @lists@, so that no page can lack an option or describe one that is gone.
 *
 * Usage: man-reference PAGE.in > PAGE, with LANGUAGE=ja for the Japanese ones.  Runs at build time
 * only. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/path.h"
#include "src/command.h"
#include "src/slash.h"
#include "ui/action.h"
#include "ui/editor_keys.h"
#include "ui/theme.h"

enum { LINE_BYTES = 78 };

static void put_escaped(Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\\')
            fputs("\\e", stdout);
        else
            putchar(text.data[i]);
    }
}

/* Text as roff likes it: lines that are not too long, none of which begins with a dot. */
static void put_line(const char *words)
{
    Str text = str_from(words);

    while (text.len) {
        size_t n = text.len;

        if (n > LINE_BYTES) {
            ptrdiff_t blank = str_rfind(str_of(text.data, LINE_BYTES), STR(" "));

            if (blank <= 0)
                blank = str_find(text, STR(" "));
            n = blank > 0 ? (size_t)blank : n;
        }
        if (*text.data == '.' || *text.data == '\'')
            fputs("\\&", stdout);
        put_escaped(str_of(text.data, n));
        putchar('\n');
        text = str_from_offset(text, n < text.len ? n + 1 : n);
    }
}

/* A macro's argument: in quotes, where a quotation mark is written twice. */
static void put_word(const char *text)
{
    fputs(" \"", stdout);
    for (; *text; text++) {
        if (*text == '"')
            fputs("\\(dq", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
    }
    putchar('"');
}

static void put_item(const char *macro, const char *name, const char *synopsis)
{
    printf(".It %s", macro);
    put_word(name);
    if (synopsis && *synopsis) {
        fputs(" Ar", stdout);
        put_word(_(synopsis));
    }
    putchar('\n');
}

static void begin_list(const char *width)
{
    printf(".Bl -tag -width %s\n", width);
}

static void end_list(void)
{
    puts(".El");
}

static void put_range(const OptionRow *row)
{
    if (row->type != OPTION_INT && row->type != OPTION_REAL)
        return;
    if (row->max > 1e8)
        printf(_("It is %g or more.\n"), row->min);
    else
        printf(_("It is %g to %g.\n"), row->min, row->max);
}

static void put_option(const OptionRow *row)
{
    fputs(".It ", stdout);
    if (row->letter)
        printf("Fl %c , ", row->letter);
    printf("Fl Fl %s", row->name);
    if (row->argument) {
        fputs(" Ar", stdout);
        put_word(_(row->argument));
    }
    putchar('\n');
    put_line(_(row->help));
    if (row->initial) {
        puts(".Pp");
        printf(_("Default: %s.\n"), row->initial);
    }
    put_range(row);
}

static void put_options(unsigned with, unsigned without)
{
    size_t n;
    const OptionRow *rows = option_table(&n);

    begin_list("Ds");
    for (size_t i = 0; i < n; i++)
        if (rows[i].use & with && !(rows[i].use & without))
            put_option(&rows[i]);
    end_list();
}

/* Options that stand in no list of their own yet: those of scripts and pipes. */
static void list_tool_options(void)
{
    put_options(OPTION_ASK | OPTION_TOKENIZE | OPTION_BENCH | OPTION_ROWS | OPTION_EXPORT |
                    OPTION_QUANTIZE,
                OPTION_EVERYWHERE | OPTION_CHAT | OPTION_GENERATION | OPTION_MODEL |
                    OPTION_SERVICE);
}

static void list_chat_options(void)
{
    put_options(OPTION_CHAT | OPTION_GENERATION | OPTION_MODEL, OPTION_EVERYWHERE | OPTION_SERVICE);
}

static void list_common_options(void)
{
    put_options(OPTION_EVERYWHERE, OPTION_SERVICE);
}

static void list_service_options(void)
{
    put_options(OPTION_SERVICE, 0);
}

static void list_settings(void)
{
    size_t n;
    const OptionRow *rows = option_table(&n);

    begin_list("Ds");
    for (size_t i = 0; i < n; i++) {
        if (!(rows[i].use & OPTION_IN_FILE))
            continue;
        put_item("Ic", rows[i].name, rows[i].argument ? rows[i].argument : "yes|no");
        put_line(_(rows[i].help));
        if (rows[i].initial) {
            puts(".Pp");
            printf(_("Default: %s.\n"), rows[i].initial);
        }
        put_range(&rows[i]);
    }
    end_list();
}

static void list_commands(void)
{
    size_t n;
    const CommandRow *rows = command_table(&n);

    begin_list("Ds");
    for (size_t i = 0; i < n; i++) {
        put_item("Cm", rows[i].name, rows[i].synopsis);
        put_line(_(rows[i].help));
    }
    end_list();
}

static void list_slash(void)
{
    size_t n;
    const SlashRow *rows = slash_table(&n);

    begin_list("Ds");
    for (size_t i = 0; i < n; i++) {
        Buf name = BUF_INIT;

        buf_printf(&name, "/%s", rows[i].name);
        put_item("Ic", buf_cstr(&name), rows[i].synopsis);
        put_line(_(rows[i].help));
        buf_release(&name);
    }
    end_list();
}

/* "F1, ^X h: help" out of "F1|^X h". */
static void put_keys(const char *keys, char between, const char *help)
{
    Buf line = BUF_INIT;

    for (const char *c = keys; *c; c++) {
        if (*c == between && c[1])
            buf_puts(&line, ", ");
        else
            buf_putc(&line, *c);
    }
    buf_printf(&line, "%s%s", *keys ? ": " : "", help);
    put_line(buf_cstr(&line));
    buf_release(&line);
}

static void list_keys(void)
{
    size_t n;
    const ActionRow *rows = action_table(&n);

    begin_list("Ds");
    for (size_t i = 0; i < n; i++) {
        put_item("Ic", rows[i].name, NULL);
        put_keys(rows[i].keys, '|', _(rows[i].help));
    }
    end_list();
}

static void list_editing(void)
{
    size_t n;
    const EditorFunction *rows = editor_functions(&n);

    begin_list("Ds");
    for (size_t i = 0; i < n; i++) {
        put_item("Ic", rows[i].name, NULL);
        put_keys(rows[i].keys, ' ', _(rows[i].help));
    }
    end_list();
}

static void list_styles(void)
{
    Theme theme;

    theme_init(&theme);
    fputs(".Li", stdout);
    for (int i = 0; i < STYLE_COUNT; i++)
        printf(" %s%s", theme.look[i].name, i + 1 < STYLE_COUNT ? " ," : "\n");
}

static const struct {
    const char *mark;
    void (*list)(void);
} lists[] = {
    { "@chat-options@", list_chat_options },
    { "@tool-options@", list_tool_options },
    { "@common-options@", list_common_options },
    { "@service-options@", list_service_options },
    { "@settings@", list_settings },
    { "@commands@", list_commands },
    { "@slash@", list_slash },
    { "@keys@", list_keys },
    { "@editing@", list_editing },
    { "@styles@", list_styles },
};

static void put_page(Str page)
{
    Str line;

    while (str_line(&page, &line)) {
        void (*list)(void) = NULL;

        for (size_t i = 0; i < ARRAY_LEN(lists); i++)
            if (str_eq_c(line, lists[i].mark))
                list = lists[i].list;
        if (list)
            list();
        else
            printf("%.*s\n", (int)line.len, line.data);
    }
}

int main(int argc, char **argv)
{
    Buf page = BUF_INIT;
    Error err = ERROR_INIT;

    if (argc != 2 || !i18n_init(&err) || !path_read_file(argv[1], 1 << 20, &page, &err)) {
        fprintf(stderr, "man-reference: %s\n", argc == 2 ? err.text : "one page is needed");
        return 1;
    }
    put_page(buf_str(&page));
    buf_release(&page);
    return fflush(stdout) == 0 ? 0 : 1;
}
