/* One frame: every visible view draws into the grid, then the screen shows it. */
#ifndef UI_FRAME_H
#define UI_FRAME_H

#include "ui/app.h"

void frame_paint(App *app);

#endif
