/* The default looks, and the reader of one theme line.  The terminal's own background is never
 * painted over. */
#include "config.h"

#include "ui/theme.h"

#include "src/base/i18n.h"

static const Look default_look[STYLE_COUNT] = {
    [STYLE_TEXT] = { "text", -1, -1, 0 },
    [STYLE_TITLE] = { "title", -1, -1, LOOK_REVERSE },
    [STYLE_STATUS] = { "status", -1, -1, LOOK_REVERSE },
    [STYLE_HINT] = { "hint", -1, -1, LOOK_DIM },
    [STYLE_USER] = { "user", 6, -1, LOOK_BOLD },
    [STYLE_ASSISTANT] = { "assistant", 2, -1, LOOK_BOLD },
    [STYLE_MARK] = { "mark", -1, -1, LOOK_DIM },
    [STYLE_RULE] = { "rule", 3, -1, 0 },
    [STYLE_NOTICE] = { "notice", 3, -1, 0 },
    [STYLE_ERROR] = { "error", 1, -1, LOOK_BOLD },
    [STYLE_PROMPT] = { "prompt", -1, -1, LOOK_BOLD },
    [STYLE_INPUT] = { "input", -1, -1, 0 },
    [STYLE_SELECTED] = { "selected", -1, -1, LOOK_REVERSE },
    [STYLE_FRAME] = { "frame", -1, -1, LOOK_DIM },
    [STYLE_HEADING] = { "heading", -1, -1, LOOK_BOLD },
    [STYLE_WARN] = { "warn", 1, -1, LOOK_BOLD | LOOK_REVERSE },
};

static const char *const colour_name[] = { "black", "red",     "green", "yellow",
                                           "blue",  "magenta", "cyan",  "white" };

static const struct {
    const char *name;
    unsigned attribute;
} attribute_name[] = {
    { "bold", LOOK_BOLD },
    { "dim", LOOK_DIM },
    { "reverse", LOOK_REVERSE },
    { "underline", LOOK_UNDERLINE },
};

void theme_init(Theme *theme)
{
    for (int i = 0; i < STYLE_COUNT; i++)
        theme->look[i] = default_look[i];
}

void theme_drop_colours(Theme *theme)
{
    for (int i = 0; i < STYLE_COUNT; i++)
        theme->look[i].fg = theme->look[i].bg = -1;
}

/* -2: not a colour. */
static int colour_parse(Str word)
{
    int bright = 0;
    if (str_eq_c(word, "default"))
        return -1;
    if (str_starts(word, STR("bright-"))) {
        bright = 8;
        word = str_from_offset(word, 7);
    }
    for (size_t i = 0; i < ARRAY_LEN(colour_name); i++)
        if (str_eq_c(word, colour_name[i]))
            return (int)i + bright;
    return -2;
}

static bool look_word(Look *look, Str word, bool *background)
{
    if (str_eq_c(word, "on")) {
        *background = true;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(attribute_name); i++)
        if (str_eq_c(word, attribute_name[i].name)) {
            look->attributes |= attribute_name[i].attribute;
            return true;
        }
    int colour = colour_parse(word);
    if (colour == -2)
        return false;
    if (*background)
        look->bg = (signed char)colour;
    else
        look->fg = (signed char)colour;
    return true;
}

bool theme_set(Theme *theme, Str name, Str value, Error *err)
{
    for (int i = 0; i < STYLE_COUNT; i++) {
        if (!str_eq_c(name, default_look[i].name))
            continue;
        Look look = { default_look[i].name, -1, -1, 0 };
        bool background = false;
        Str rest = str_trim(value);
        while (rest.len > 0) {
            size_t end = 0;
            while (end < rest.len && rest.data[end] != ' ' && rest.data[end] != '\t')
                end++;
            Str word = str_sub(rest, 0, end);
            if (!look_word(&look, word, &background))
                return error_set(err, ERR_USAGE,
                                 _("theme: “%.*s” is no colour or attribute; see kaiwa.conf(5)"),
                                 (int)word.len, word.data);
            rest = str_trim(str_from_offset(rest, end));
        }
        theme->look[i] = look;
        return true;
    }
    return error_set(err, ERR_USAGE, _("theme: there is no style “%.*s”; see kaiwa.conf(5)"),
                     (int)name.len, name.data);
}
