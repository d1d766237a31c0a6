/* The screen.  ui_run shows a chat until the user leaves it. */
#ifndef UI_UI_H
#define UI_UI_H

#include "src/command.h"

/* Runs the screen on the terminal, or headless on a replay file when options say so (--headless
 * COLSxROWS --keys FILE). start is borrowed; its chat, store and worker are used until this
 * returns.  Returns an exit status; the terminal is restored on every way out. */
int ui_run(const ChatStart *start);

#endif
