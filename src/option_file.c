/* kaiwa.conf and the environment.  A line that cannot be used is a warning, never the end: a
 * setting from a newer kaiwa must not keep an older one from starting. */
#include "config.h"

#include "src/option.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/path.h"
#include "src/base/utf8.h"
#include "src/option_value.h"

enum { MAX_FILE = 4 << 20 };

typedef struct {
    Options *options;
    Buf *warnings;
    const char *path;
    int line;
    Buf section; /* "" before the first */
} Reader;

static void PRINTF_LIKE(2, 3) warn(Reader *reader, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_printf(reader->warnings, "%s:%d: %s\n", reader->path, reader->line, text);
}

/* A value: in double quotes with \n \t \" \\, or as it stands up to a # after white space. */
static bool read_value(Str text, Buf *out)
{
    size_t i;

    if (!text.len || text.data[0] != '"') {
        for (i = 0; i < text.len; i++)
            if (text.data[i] == '#' && (i == 0 || isspace((unsigned char)text.data[i - 1])))
                break;
        buf_append_str(out, str_trim(str_of(text.data, i)));
        return true;
    }
    for (i = 1; i < text.len && text.data[i] != '"'; i++) {
        char c = text.data[i];

        if (c == '\\' && i + 1 < text.len) {
            c = text.data[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        buf_putc(out, c);
    }
    if (i >= text.len)
        return false;
    text = str_trim(str_from_offset(text, i + 1));
    return text.len == 0 || text.data[0] == '#';
}

static void read_section(Reader *reader, Str line)
{
    ptrdiff_t end = str_find(line, STR("]"));
    Str name, after;

    buf_reset(&reader->section);
    if (end < 0) {
        warn(reader, _("a section's name ends in ]; what follows is left out"));
        buf_puts(&reader->section, "?");
        return;
    }
    name = str_trim(str_sub(line, 1, (size_t)end - 1));
    after = str_trim(str_from_offset(line, (size_t)end + 1));
    if (after.len && after.data[0] != '#')
        warn(reader, _("words after ] are left out"));
    if (!str_eq_c(name, "keys") && !str_starts(name, STR("theme ")) &&
        !str_starts(name, STR("persona "))) {
        warn(reader,
             _("[%.*s]: unknown section; there are [keys], [theme NAME] and [persona NAME]"),
             (int)(name.len < 60 ? name.len : 60), name.data);
        buf_puts(&reader->section, "?");
        return;
    }
    buf_append_str(&reader->section, name);
    /* A section without lines is a section too. */
    options_add_line(reader->options, buf_cstr(&reader->section), STR(""), STR(""));
}

/* The row of a name whose use has all these bits. */
static const OptionRow *setting(Str name, unsigned use)
{
    size_t n;
    const OptionRow *rows = option_table(&n);

    for (size_t i = 0; i < n; i++)
        if (str_eq_c(name, rows[i].name) && (rows[i].use & use) == use)
            return &rows[i];
    return NULL;
}

/* A persona may set whatever shapes a reply, but not name another persona. */
static const OptionRow *persona_setting(Str name)
{
    return str_eq_c(name, "persona") ? NULL : setting(name, OPTION_GENERATION | OPTION_IN_FILE);
}

static void read_setting(Reader *reader, Str name, Str value)
{
    bool is_persona = str_starts(buf_str(&reader->section), STR("persona "));
    const OptionRow *row = NULL;
    Error err = ERROR_INIT;

    if (str_eq_c(buf_str(&reader->section), "?"))
        return;
    if (is_persona || !reader->section.len) {
        row = is_persona ? persona_setting(name) : setting(name, OPTION_IN_FILE);
        if (!row) {
            warn(reader, _("%.*s: unknown setting"), (int)(name.len < 60 ? name.len : 60),
                 name.data);
            return;
        }
    }
    if (row && !(is_persona ? option_check(row, value, &err)
                            : options_put(reader->options, row, value, FROM_FILE, &err)))
        warn(reader, "%s: %s", row->name, err.text);
    else if (reader->section.len)
        options_add_line(reader->options, buf_cstr(&reader->section), name, value);
}

static void read_line(Reader *reader, Str line)
{
    ptrdiff_t equals;
    Buf value = BUF_INIT;

    line = str_trim(line);
    if (!line.len || line.data[0] == '#')
        return;
    if (line.data[0] == '[') {
        read_section(reader, line);
        return;
    }
    equals = str_find(line, STR("="));
    if (equals <= 0)
        warn(reader, _("not understood; a setting is written NAME = VALUE"));
    else if (!read_value(str_trim(str_from_offset(line, (size_t)equals + 1)), &value))
        warn(reader, _("a quotation mark is missing, or words follow the closing one"));
    else
        read_setting(reader, str_trim(str_sub(line, 0, (size_t)equals)), buf_str(&value));
    buf_release(&value);
}

static bool read_text(Options *options, const char *path, Str text, Buf *warnings, Error *err)
{
    Reader reader = { .options = options, .warnings = warnings, .path = path };
    Str line;

    if (!utf8_valid(text) || (text.len && memchr(text.data, 0, text.len)))
        return error_set(err, ERR_FORMAT, _("%s: not UTF-8 text; save it as UTF-8"), path);
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_from_offset(text, 3);
    while (str_line(&text, &line)) {
        reader.line++;
        read_line(&reader, line);
    }
    buf_release(&reader.section);
    return true;
}

bool options_read_file(Options *options, const char *path, Buf *warnings, Error *err)
{
    Buf usual = BUF_INIT, text = BUF_INIT;
    bool good = true;

    if (!path) {
        path_config_dir(&usual);
        buf_puts(&usual, "/kaiwa.conf");
        path = buf_cstr(&usual);
        if (!path_exists(path))
            goto done;
    }
    good = path_read_file(path, MAX_FILE, &text, err) &&
           read_text(options, path, buf_str(&text), warnings, err);
done:
    buf_release(&text);
    buf_release(&usual);
    return good;
}

void options_read_environment(Options *options, Buf *warnings)
{
    size_t n;
    const OptionRow *rows = option_table(&n);

    for (size_t i = 0; i < n; i++) {
        Buf name = BUF_INIT;
        const char *value;
        Error err = ERROR_INIT;

        buf_puts(&name, "KAIWA_");
        for (const char *c = rows[i].name; *c; c++)
            buf_putc(&name, *c == '-' ? '_' : (char)toupper((unsigned char)*c));
        value =
            rows[i].use & (OPTION_IN_FILE | OPTION_IN_ENVIRONMENT) ? getenv(buf_cstr(&name)) : NULL;
        if (value && *value &&
            !options_put(options, &rows[i], str_from(value), FROM_ENVIRONMENT, &err))
            buf_printf(warnings, "%s: %s\n", buf_cstr(&name), err.text);
        buf_release(&name);
    }
}

typedef struct {
    Options *options;
    Error *err;
    bool good;
} Persona;

static void apply_line(void *arg, Str name, Str value)
{
    Persona *persona = arg;
    const OptionRow *row = persona_setting(name);

    if (row && persona->good)
        persona->good = options_put(persona->options, row, value, FROM_FILE, persona->err);
}

bool options_apply_persona(Options *options, const char *name, Error *err)
{
    const char *names[64];
    size_t n = options_sections(options, "persona ", names, ARRAY_LEN(names));
    Persona persona = { options, err, true };
    Buf section = BUF_INIT, known = BUF_INIT;
    bool found = false;

    buf_printf(&section, "persona %s", name);
    for (size_t i = 0; i < n; i++) {
        found = found || strcmp(names[i], buf_cstr(&section)) == 0;
        buf_printf(&known, "%s%s", i ? ", " : "", names[i] + strlen("persona "));
    }
    if (found)
        options_section(options, buf_cstr(&section), apply_line, &persona);
    else if (n)
        error_set(err, ERR_USAGE, _("%s: no such persona; there are: %s"), name, buf_cstr(&known));
    else
        error_set(err, ERR_USAGE,
                  _("%s: no such persona; write a section [persona %s] in kaiwa.conf"), name, name);
    buf_release(&known);
    buf_release(&section);
    return found && persona.good;
}
