/* Values of options: checks, precedence and reading them out; and the parser of the command line.
 * The table is option_table.c; kaiwa.conf and the environment are option_file.c. */
#include "config.h"

#include "src/option.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/utf8.h"
#include "src/option_value.h"

typedef struct {
    OptionSource source;
    char *text;        /* NULL: unset */
    long long integer; /* INT; FLAG: 0 or 1 */
    double real;       /* REAL */
    char **items;      /* LIST */
    size_t n_items, cap_items;
} OptionValue;

struct Options {
    OptionValue *value; /* one a row of the table; rows of one name share the first */
    SectionLine *line;
    size_t n_lines, cap_lines;
};

typedef struct {
    long long integer;
    double real;
} Checked;

static const char *const YES[] = { "yes", "true", "on", "1" };
static const char *const NO[] = { "no", "false", "off", "0" };

static bool is_one_of(Str text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_c(text, words[i]))
            return true;
    return false;
}

static bool has_choice(const char *choices, Str text)
{
    Str rest = str_from(choices);

    while (rest.len) {
        ptrdiff_t bar = str_find(rest, STR("|"));
        size_t len = bar < 0 ? rest.len : (size_t)bar;

        if (str_eq(str_of(rest.data, len), text))
            return true;
        rest = str_from_offset(rest, bar < 0 ? rest.len : len + 1);
    }
    return false;
}

static bool check_number(const OptionRow *row, Str text, Checked *out, Error *err)
{
    bool is_int = row->type == OPTION_INT;

    if (is_int ? !str_to_long(text, &out->integer) : !str_to_double(text, &out->real))
        return error_set(err, ERR_USAGE,
                         is_int ? _("\"%.*s\" is not a whole number")
                                : _("\"%.*s\" is not a number"),
                         (int)(text.len < 40 ? text.len : 40), text.data);
    if (is_int)
        out->real = (double)out->integer;
    if (out->real >= row->min && out->real <= row->max)
        return true;
    if (row->max > 1e15)
        return error_set(err, ERR_USAGE, _("%.*s is out of range; it may be %.15g or more"),
                         (int)(text.len < 40 ? text.len : 40), text.data, row->min);
    return error_set(err, ERR_USAGE, _("%.*s is out of range; it may be %.15g to %.15g"),
                     (int)(text.len < 40 ? text.len : 40), text.data, row->min, row->max);
}

static bool check(const OptionRow *row, Str text, Checked *out, Error *err)
{
    *out = (Checked){ 0, 0 };
    if (!utf8_valid(text) || memchr(text.data ? text.data : "", 0, text.len))
        return error_set(err, ERR_USAGE, _("the value is not UTF-8 text"));
    switch (row->type) {
    case OPTION_FLAG:
        out->integer = is_one_of(text, YES, ARRAY_LEN(YES));
        if (!out->integer && !is_one_of(text, NO, ARRAY_LEN(NO)))
            return error_set(err, ERR_USAGE, _("\"%.*s\" is neither yes nor no"),
                             (int)(text.len < 40 ? text.len : 40), text.data);
        return true;
    case OPTION_CHOICE:
        if (!has_choice(row->choices, text))
            return error_set(err, ERR_USAGE, _("\"%.*s\" is unknown; it may be %s"),
                             (int)(text.len < 40 ? text.len : 40), text.data, row->choices);
        return true;
    case OPTION_INT:
    case OPTION_REAL:
        return check_number(row, text, out, err);
    case OPTION_STRING:
    case OPTION_LIST:
        break;
    }
    return true;
}

bool option_check(const OptionRow *row, Str text, Error *err)
{
    Checked checked;

    return check(row, text, &checked, err);
}

static OptionValue *value_of(const Options *options, const char *name)
{
    size_t n;
    const OptionRow *row = option_find(name);

    return row ? &options->value[row - option_table(&n)] : NULL;
}

static void clear_items(OptionValue *value)
{
    for (size_t i = 0; i < value->n_items; i++)
        free(value->items[i]);
    value->n_items = 0;
}

bool options_put(Options *options, const OptionRow *row, Str text, OptionSource source, Error *err)
{
    OptionValue *value = value_of(options, row->name);
    Checked checked;

    if (!check(row, text, &checked, err))
        return false;
    if (source < value->source)
        return true;
    if (row->type == OPTION_LIST) {
        if (source > value->source)
            clear_items(value);
        value->items =
            mem_grow(value->items, &value->cap_items, value->n_items + 1, sizeof *value->items);
        value->items[value->n_items++] = xstrndup(text.data ? text.data : "", text.len);
    }
    free(value->text);
    value->text = xstrndup(text.data ? text.data : "", text.len);
    value->integer = checked.integer;
    value->real = checked.real;
    value->source = source;
    return true;
}

Options *options_new(void)
{
    size_t n;
    const OptionRow *rows = option_table(&n);
    Options *options = xcalloc(1, sizeof *options);
    Error err = ERROR_INIT;

    options->value = xcalloc(n, sizeof *options->value);
    for (size_t i = 0; i < n; i++)
        if (rows[i].initial && option_find(rows[i].name) == &rows[i])
            options_put(options, &rows[i], str_from(rows[i].initial), FROM_DEFAULT, &err);
    return options;
}

void options_free(Options *options)
{
    size_t n;

    if (!options)
        return;
    option_table(&n);
    for (size_t i = 0; i < n; i++) {
        clear_items(&options->value[i]);
        free(options->value[i].items);
        free(options->value[i].text);
    }
    for (size_t i = 0; i < options->n_lines; i++) {
        free(options->line[i].section);
        free(options->line[i].name);
        free(options->line[i].value);
    }
    free(options->line);
    free(options->value);
    free(options);
}

/* ---- the command line ---- */

static bool fits(const OptionRow *row, unsigned uses)
{
    return (row->use & (uses | OPTION_EVERYWHERE)) != 0;
}

/* The row of a long or short name that fits uses; else any of that name, so that the error can
 * tell. */
static const OptionRow *find_row(Str name, char letter, unsigned uses)
{
    size_t n;
    const OptionRow *rows = option_table(&n), *found = NULL;

    for (size_t i = 0; i < n; i++) {
        if (letter ? rows[i].letter != letter : !str_eq_c(name, rows[i].name))
            continue;
        if (fits(&rows[i], uses))
            return &rows[i];
        found = &rows[i];
    }
    return found;
}

typedef struct {
    Options *options; /* NULL: only walk over */
    unsigned uses;
    int argc, at; /* at: the word being read */
    char **argv;
} Parser;

static bool is_option_word(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

/* Takes the option's value from after = or from the next word. */
static bool take_value(Parser *parser, const char *inside, Str *value)
{
    if (inside) {
        *value = str_from(inside);
        return true;
    }
    if (parser->at + 1 >= parser->argc)
        return false;
    *value = str_from(parser->argv[++parser->at]);
    return true;
}

/* One option that the command takes; shown is how the user wrote it. */
static bool put_option(Parser *parser, const OptionRow *row, Str shown, const char *inside,
                       bool negated, Error *err)
{
    Str value = negated ? STR("no") : STR("yes");

    if (!fits(row, parser->uses))
        return error_set(err, ERR_USAGE, _("%.*s: this command does not take it; see kaiwa --help"),
                         (int)shown.len, shown.data);
    if (row->type == OPTION_FLAG && inside)
        value = str_from(inside);
    else if (row->type != OPTION_FLAG && !take_value(parser, inside, &value))
        return error_set(err, ERR_USAGE, _("%.*s: a value is missing; write %.*s %s"),
                         (int)shown.len, shown.data, (int)shown.len, shown.data, _(row->argument));
    if (!options_put(parser->options, row, value, FROM_COMMAND_LINE, err))
        return error_note(err, "%.*s", (int)shown.len, shown.data);
    return true;
}

static bool parse_long(Parser *parser, Error *err)
{
    const char *word = parser->argv[parser->at], *equals = strchr(word, '=');
    Str name = equals ? str_of(word + 2, (size_t)(equals - word - 2)) : str_from(word + 2);
    Str shown = str_of(word, name.len + 2);
    const OptionRow *row = find_row(name, 0, parser->uses);
    bool negated = false;

    if (!row && str_starts(name, STR("no-")) && !equals) {
        row = find_row(str_from_offset(name, 3), 0, parser->uses);
        negated = row && row->type == OPTION_FLAG;
        row = negated ? row : NULL;
    }
    if (!row)
        return error_set(err, ERR_USAGE, _("%.*s: unknown option; see kaiwa --help"),
                         (int)shown.len, shown.data);
    return put_option(parser, row, shown, equals ? equals + 1 : NULL, negated, err);
}

static bool parse_letters(Parser *parser, Error *err)
{
    const char *word = parser->argv[parser->at];

    for (const char *at = word + 1; *at; at++) {
        const OptionRow *row = find_row(STR_NULL, *at, parser->uses);
        char shown[3] = { '-', *at, '\0' };
        bool takes = row && row->type != OPTION_FLAG;

        /* A character of several bytes, or a letter that is no option: the whole word is shown. */
        if (!row)
            return error_set(err, ERR_USAGE, _("%s: unknown option; see kaiwa --help"),
                             at == word + 1 ? word : shown);
        if (!put_option(parser, row, str_from(shown), takes && at[1] ? at + 1 : NULL, false, err))
            return false;
        if (takes)
            break;
    }
    return true;
}

bool options_parse(Options *options, unsigned uses, int argc, char **argv, const char **rest,
                   int *n_rest, Error *err)
{
    Parser parser = { .options = options, .uses = uses, .argc = argc, .argv = argv };
    bool only_words = false;

    *n_rest = 0;
    for (parser.at = 1; parser.at < argc; parser.at++) {
        const char *word = argv[parser.at];

        if (only_words || !is_option_word(word))
            rest[(*n_rest)++] = word;
        else if (strcmp(word, "--") == 0)
            only_words = true;
        else if (!(word[1] == '-' ? parse_long(&parser, err) : parse_letters(&parser, err)))
            return false;
    }
    return true;
}

/* True when the word is an option whose value is the next word. */
static bool takes_next(const char *word)
{
    const OptionRow *row;

    if (word[1] == '-') {
        row = find_row(str_from(word + 2), 0, ~0u);
        return row && row->type != OPTION_FLAG;
    }
    for (const char *at = word + 1; *at; at++) {
        row = find_row(STR_NULL, *at, ~0u);
        if (row && row->type != OPTION_FLAG)
            return at[1] == '\0';
    }
    return false;
}

int options_first_word(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            return 0;
        if (!is_option_word(argv[i]))
            return i;
        i += takes_next(argv[i]);
    }
    return 0;
}

bool options_set(Options *options, const char *name, Str value, Error *err)
{
    const OptionRow *row = option_find(name);

    if (!row)
        return error_set(err, ERR_USAGE, _("%s: unknown setting"), name);
    if (!options_put(options, row, value, FROM_COMMAND_LINE, err))
        return error_note(err, "%s", name);
    return true;
}

/* ---- reading values ---- */

bool options_is_set(const Options *options, const char *name)
{
    const OptionValue *value = value_of(options, name);

    return value && value->source > FROM_DEFAULT;
}

const char *options_string(const Options *options, const char *name)
{
    const OptionValue *value = value_of(options, name);

    return value ? value->text : NULL;
}

bool options_flag(const Options *options, const char *name)
{
    const OptionValue *value = value_of(options, name);

    return value && value->integer != 0;
}

int options_int(const Options *options, const char *name)
{
    const OptionValue *value = value_of(options, name);
    long long n = value ? value->integer : 0;

    return n > INT_MAX ? INT_MAX : n < INT_MIN ? INT_MIN : (int)n;
}

double options_real(const Options *options, const char *name)
{
    const OptionValue *value = value_of(options, name);

    return value ? value->real : 0;
}

size_t options_list(const Options *options, const char *name, char *const **items)
{
    const OptionValue *value = value_of(options, name);

    *items = value ? value->items : NULL;
    return value ? value->n_items : 0;
}

void options_add_line(Options *options, const char *section, Str name, Str value)
{
    options->line =
        mem_grow(options->line, &options->cap_lines, options->n_lines + 1, sizeof *options->line);
    options->line[options->n_lines++] = (SectionLine){
        .section = xstrdup(section),
        .name = xstrndup(name.data, name.len),
        .value = xstrndup(value.data ? value.data : "", value.len),
    };
}

void options_section(const Options *options, const char *section,
                     void (*each)(void *arg, Str name, Str value), void *arg)
{
    for (size_t i = 0; i < options->n_lines; i++)
        if (strcmp(options->line[i].section, section) == 0 && *options->line[i].name)
            each(arg, str_from(options->line[i].name), str_from(options->line[i].value));
}

static bool is_listed(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

size_t options_sections(const Options *options, const char *prefix, const char **names, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < options->n_lines && n < cap; i++) {
        const char *section = options->line[i].section;

        if (strncmp(section, prefix, strlen(prefix)) == 0 && !is_listed(names, n, section))
            names[n++] = section;
    }
    return n;
}

bool options_is_given(const Options *options, const char *name)
{
    const OptionValue *value = value_of(options, name);

    return value && value->source >= FROM_COMMAND_LINE;
}

/* Copies the sampling settings whose source is at least `from`. */
static void copy_sampling(const Options *options, OptionSource from, Sampling *out)
{
    const struct {
        const char *name;
        double *real;
        int *integer;
    } fields[] = {
        { "temperature", &out->temperature, NULL },
        { "top-p", &out->top_p, NULL },
        { "min-p", &out->min_p, NULL },
        { "repeat-penalty", &out->repeat_penalty, NULL },
        { "frequency-penalty", &out->frequency_penalty, NULL },
        { "presence-penalty", &out->presence_penalty, NULL },
        { "top-k", NULL, &out->top_k },
        { "repeat-window", NULL, &out->repeat_window },
    };
    const OptionValue *seed = value_of(options, "seed");

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const OptionValue *value = value_of(options, fields[i].name);

        if (value->source < from)
            continue;
        if (fields[i].real)
            *fields[i].real = value->real;
        else
            *fields[i].integer = (int)value->integer;
    }
    if (seed->source >= from)
        out->seed = (uint64_t)seed->integer;
}

void options_sampling(const Options *options, const Sampling *model_defaults, Sampling *out)
{
    *out = model_defaults ? *model_defaults : (Sampling)SAMPLING_INIT;
    copy_sampling(options, FROM_FILE, out);
}

void options_sampling_given(const Options *options, Sampling *sampling)
{
    copy_sampling(options, FROM_COMMAND_LINE, sampling);
}
