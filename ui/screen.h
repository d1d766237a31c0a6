/* Where a grid is shown and keys come from: a terminal through curses, or a replay file and memory.
 *
 * UI thread only; one screen at a time. */
#ifndef UI_SCREEN_H
#define UI_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/error.h"
#include "ui/grid.h"
#include "ui/key.h"
#include "ui/theme.h"

typedef struct Screen Screen;

typedef struct {
    const Theme *theme; /* borrowed */
    bool has_sync;      /* the terminal knows synchronized output */
    int rows, cols;     /* headless: first size */
    const char *replay; /* headless: the file with keys and events */
} ScreenOptions;

/* What the loop waits for. */
typedef struct {
    int worker_fd, signal_fd; /* -1: none */
    int timeout_ms;           /* -1: for ever */
    bool is_idle;             /* no request is being worked on */
    bool is_settled;          /* and no timer is about to act */
    uint64_t n_events;        /* provider's events taken so far */
} ScreenWait;

typedef enum {
    SCREEN_WOKE,
    SCREEN_PAINT, /* show the present state now, whatever the frame cap says */
    SCREEN_END    /* no input will come any more */
} ScreenWake;

typedef struct ScreenKind {
    const char *name;
    Screen *(*open)(const ScreenOptions *options, Error *err);
    void (*close)(Screen *screen); /* the terminal is as it was before; NULL is fine */
    void (*size)(const Screen *screen, int *rows, int *cols);
    /* Shows the grid; then the cursor is at (row, col), or hidden when row < 0. */
    void (*show)(Screen *screen, const Grid *grid, int row, int col);
    ScreenWake (*wait)(Screen *screen, const ScreenWait *wait, Error *err);
    bool (*key)(Screen *screen, Key *key); /* next waiting key; false: none */
    Str (*paste)(const Screen *screen);    /* text of the last INPUT_PASTE */
    void (*repaint)(Screen *screen);       /* the next show draws everything anew */
    void (*bell)(Screen *screen);
    void (*suspend)(Screen *screen); /* stops the process; returns when it goes on */
} ScreenKind;

struct Screen {
    const ScreenKind *kind; /* first member of every screen */
};

extern const ScreenKind screen_curses, screen_headless;

#endif
