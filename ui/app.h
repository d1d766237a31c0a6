/* The running screen: what all views share.  UI thread only. */
#ifndef UI_APP_H
#define UI_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "src/chat.h"
#include "src/command.h"
#include "src/slash.h"
#include "ui/action.h"
#include "ui/grid.h"
#include "ui/screen.h"
#include "ui/theme.h"
#include "ui/view.h"

enum { PANE_FROM_COLS = 100, PANE_COLS = 30, SMALLEST_COLS = 20, SMALLEST_ROWS = 6 };

struct App {
    const ChatStart *start; /* borrowed, with chat, store, worker, options */
    Chat *chat;
    Store *store;
    Screen *screen;
    Theme theme;
    Grid grid;
    Keymap keymap;
    KeySequence typed;           /* start of a key sequence */
    View *chat_view, *list_view; /* always there */
    View *over;                  /* help, system prompt, …; NULL: none */
    View *focus;                 /* one of the three */
    Buf notice;                  /* one line in place of the hints, until the next key */
    bool notice_is_error;
    bool notice_is_new; /* made by the key that is being handled */
    Buf inserted;       /* what a command wants typed into the input box */
    bool quit_armed;
    bool quit;
    int exit_status;
    bool dirty, urgent; /* something is to be painted; at once */
    int64_t painted_us;
    uint64_t n_events;
    bool waits_first; /* the command line's message waits for the model */
};

/* Opens the named view over the transcript (or focuses the list); argument is the view's own. */
bool app_open_view(App *app, const char *name, Str argument);
/* Closes what is over the transcript; the chat has the focus. */
void app_close_view(App *app);
bool app_has_pane(const App *app); /* the list stands beside the transcript */
/* One line for the user, shown until the next key. */
void app_notice(App *app, const char *text);
void app_error(App *app, const Error *err);
/* In the bottom row if it fits there, else as a note. */
void app_say(App *app, Str text);
/* Several lines: at the end of the transcript, until something is sent or Esc. */
void app_note(App *app, Str text);
/* Runs a slash command; false: the line is none, *message is what to send. */
bool app_slash(App *app, Str line, Str *message, bool *done);
void app_quit(App *app);
/* Asks once more before leaving. */
void app_arm_quit(App *app, const char *key);
void app_redraw(App *app);
bool app_is_replying(const App *app); /* or reading the prompt: Esc stops it */
bool app_is_busy(const App *app);     /* or loading a model */
/* Opens a conversation; the present draft is saved first. */
bool app_open_conversation(App *app, int64_t id);
void app_new_conversation(App *app);
/* After anything that may have changed the conversation: views look again. */
void app_changed(App *app, unsigned changes);

#endif
