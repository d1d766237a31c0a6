/* An editor's text in a few rows: wrapped, scrolled so that the cursor is seen, with the cursor's
 * place on the screen. */
#ifndef UI_INPUTBOX_H
#define UI_INPUTBOX_H

#include <stdbool.h>

#include "ui/editor.h"
#include "ui/grid.h"
#include "ui/layout.h"

typedef struct {
    Editor *editor; /* owned by whoever owns the box */
    Layout layout;
    int top;      /* first row shown */
    int row, col; /* of the cursor on the screen, after inputbox_draw */
} InputBox;

void inputbox_init(InputBox *box, Editor *editor);
void inputbox_release(InputBox *box); /* not the editor */
/* Rows the text takes in `cols` columns, the prompt included. */
int inputbox_rows(InputBox *box, Str prompt, int cols);
void inputbox_draw(InputBox *box, Grid *grid, Rect area, Str prompt, Style prompt_style);

#endif
