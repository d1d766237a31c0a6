/* One key press, whatever sent it: a terminal, or a replay file. */
#ifndef UI_KEY_H
#define UI_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"

/* Codes past Unicode; below them a code is a character: ^A is 1, Enter 13, Esc 27, Backspace
 * 127. */
enum {
    INPUT_FIRST = 0x200000,
    INPUT_UP = INPUT_FIRST,
    INPUT_DOWN,
    INPUT_LEFT,
    INPUT_RIGHT,
    INPUT_HOME,
    INPUT_END,
    INPUT_PAGE_UP,
    INPUT_PAGE_DOWN,
    INPUT_INSERT,
    INPUT_DELETE,
    INPUT_BACKTAB,
    INPUT_F1, /* to F12 */
    INPUT_F12 = INPUT_F1 + 11,
    INPUT_PASTE, /* screen_paste has the text */
    INPUT_RESIZE,
    INPUT_IGNORED, /* a late answer of the terminal, a mouse report */
    INPUT_LAST
};

enum { INPUT_ENTER = 13, INPUT_ESC = 27, INPUT_BACKSPACE = 127 };
enum { MOD_SHIFT = 1, MOD_ALT = 2, MOD_CTRL = 4 }; /* SHIFT and CTRL only with special codes */

typedef struct {
    unsigned code;
    unsigned mods;
} Key;

enum { KEYS_IN_SEQUENCE = 2 };

typedef struct {
    Key key[KEYS_IN_SEQUENCE];
    size_t n;
} KeySequence;

bool key_eq(Key a, Key b);
/* A name as in tables, replay files and [keys]: "a", "^X", "Enter", "F2", "Alt-b", "Ctrl-Home",
 * "Shift-Up". */
bool key_parse(Str name, Key *out);
/* Keys separated by blanks. */
bool key_parse_sequence(Str names, KeySequence *out);
void key_write(Key key, Buf *out);
/* True for a character that is typed into a text (no control, no modifier). */
bool key_is_text(Key key);

#endif
