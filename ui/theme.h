/* What is drawn, by name, and how each name looks.  Meaning never hangs on colour alone: every
 * style also differs by an attribute or by the words around it. */
#ifndef UI_THEME_H
#define UI_THEME_H

#include <stdbool.h>

#include "src/base/buf.h"
#include "src/base/error.h"

typedef enum {
    STYLE_TEXT,
    STYLE_TITLE, /* first line of the screen, and of a view */
    STYLE_STATUS,
    STYLE_HINT,
    STYLE_USER, /* who speaks */
    STYLE_ASSISTANT,
    STYLE_MARK, /* stopped, [2/3], times */
    STYLE_RULE, /* what the model no longer sees ends here */
    STYLE_NOTICE,
    STYLE_ERROR,
    STYLE_PROMPT,
    STYLE_INPUT,
    STYLE_SELECTED,
    STYLE_FRAME,
    STYLE_HEADING,
    STYLE_WARN, /* context nearly full */
    STYLE_COUNT
} Style;

enum { LOOK_BOLD = 1, LOOK_DIM = 2, LOOK_REVERSE = 4, LOOK_UNDERLINE = 8 };

typedef struct {
    const char *name;    /* as in [theme NAME] of kaiwa.conf */
    signed char fg, bg;  /* 0 to 15; -1: the terminal's own */
    unsigned attributes; /* LOOK_* */
} Look;

typedef struct {
    Look look[STYLE_COUNT];
} Theme;

void theme_init(Theme *theme);
/* One line of a theme: `title = white on blue bold`.  Words: colours (also "bright-red",
 * "default"), on, bold, dim, reverse, underline. */
bool theme_set(Theme *theme, Str name, Str value, Error *err);
/* Keeps attributes, drops colours (NO_COLOR, terminals without). */
void theme_drop_colours(Theme *theme);

#endif
