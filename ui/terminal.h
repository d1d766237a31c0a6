/* The terminal outside curses: what must happen even when the program dies, and questions that only
 * the terminal can answer. */
#ifndef UI_TERMINAL_H
#define UI_TERMINAL_H

#include <stdbool.h>

/* Saves the terminal's modes and installs handlers for crashes: they restore the terminal, then let
 * the former handler or default action go on.  Call before curses starts. */
void terminal_guard(void);
/* The terminal is curses' now (restore on a crash), or is its own again. */
void terminal_guard_on(void);
void terminal_guard_off(void);

/* SIGTERM, SIGHUP, SIGINT, SIGQUIT as bytes on a pipe.  terminal_signals_open returns the end to
 * poll, -1 on failure. */
int terminal_signals_open(void);
void terminal_signals_close(void);
int terminal_signal_take(void); /* next signal that came, 0: none */

/* Standard error goes to a file (the log) while curses draws, so that no library writes over the
 * screen. */
void terminal_stderr_away(const char *path); /* NULL: nowhere */
void terminal_stderr_back(void);

/* Columns that the terminal gives an ambiguous character: 1 or 2; 0 when it does not say within
 * timeout_ms. `supports_sync` (may be NULL) gets whether it knows synchronized output (mode
 * 2026). */
int terminal_probe_ambiguous(int timeout_ms, bool *supports_sync);

#endif
