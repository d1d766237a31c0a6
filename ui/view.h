/* What can be shown, as rows of a table. */
#ifndef UI_VIEW_H
#define UI_VIEW_H

#include <stdbool.h>

#include "src/base/buf.h"
#include "ui/grid.h"
#include "ui/key.h"

typedef struct App App;
typedef struct View View;

typedef struct ViewKind {
    const char *name;  /* as in SLASH_VIEW */
    const char *title; /* N_() */
    unsigned context;  /* the IN_* bit of its actions */
    View *(*open)(App *app, Str argument);
    void (*close)(View *view);
    /* A key before the actions see it (questions, searches); false: not wanted. */
    bool (*key)(View *view, Key key);
    /* A key that no action wanted. */
    bool (*edit)(View *view, Key key);
    void (*event)(View *view, unsigned changes); /* ChatChange bits */
    /* Timers: milliseconds until tick wants to be called; -1: none. */
    int (*deadline_ms)(const View *view);
    void (*tick)(View *view);
    bool (*is_waiting)(const View *view); /* for an answer of the worker */
    void (*draw)(View *view, Grid *grid, Rect area);
    /* Where the cursor belongs after draw; false: nowhere. */
    bool (*cursor)(const View *view, int *row, int *col);
} ViewKind;

struct View {
    const ViewKind *kind; /* first member of every view */
    App *app;
};

const ViewKind *const *view_table(size_t *n);
const ViewKind *view_find(const char *name);

extern const ViewKind view_chat, view_list, view_system, view_help;

/* What actions do in a view (defined with the view). */
void view_chat_scroll(View *view, int rows);
void view_chat_page(View *view, int pages);
void view_chat_top(View *view);
void view_chat_bottom(View *view);
bool view_chat_input_is_empty(const View *view);
void view_chat_clear_input(View *view);
void view_chat_note(View *view, Str text);
bool view_chat_has_note(const View *view);
void view_chat_complete(View *view);
void view_chat_save_draft(View *view);
void view_chat_sync(View *view); /* another conversation is open */

void view_list_move(View *view, int rows);
void view_list_page(View *view, int pages);
void view_list_open_selected(View *view);
void view_list_rename(View *view);
void view_list_delete(View *view);
void view_list_reload(View *view);
void view_list_filter(View *view, Str filter);
/* Clears the filter; false when there was none. */
bool view_list_clear_filter(View *view);

void view_help_scroll(View *view, int rows, bool pages);

void view_system_page(View *view, int pages);

#endif
