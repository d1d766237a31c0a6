/* The title line and the status line, as text: pure functions of the chat. */
#ifndef UI_STATUS_H
#define UI_STATUS_H

#include "src/chat.h"
#include "ui/grid.h"

void status_draw_title(const Chat *chat, Grid *grid, Rect area);
void status_draw(const Chat *chat, Grid *grid, Rect area);
/* "[#####-----]", `cols` marks inside. */
void status_bar(Buf *out, double share, int cols);
/* Tells, in the last row's right corner, how many rows there are below an area. */
void status_draw_more(Grid *grid, Rect area, int rows);

#endif
