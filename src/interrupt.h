/* SIGINT, SIGTERM and SIGHUP for commands without a screen: they stop what runs, what came is kept,
 * and the exit status tells.  The signals are blocked except inside interrupt_wait, so none is
 * missed between a look and a wait. */
#ifndef SRC_INTERRUPT_H
#define SRC_INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>

/* Before threads are started: they inherit the blocked signals.  Those that were ignored stay so
 * (nohup). */
void interrupt_install(void);
/* For commands that compute on the main thread: the signals arrive at any time and set
 * interrupt_flag. */
void interrupt_unblock(void);
/* Waits for fd: 1 readable, 0 after timeout_ms (-1: never), -1 when a signal came. */
int interrupt_wait(int fd, int timeout_ms);
int interrupt_pending(void); /* the signal that came, or 0 */
void interrupt_clear(void);
const atomic_bool *interrupt_flag(void); /* true from a signal on until interrupt_clear */
int interrupt_status(void);              /* exit status for the pending signal: 130 for SIGINT */

#endif
