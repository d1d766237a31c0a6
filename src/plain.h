/* The chat without a screen: for pipes, simple terminals and screen readers. */
#ifndef SRC_PLAIN_H
#define SRC_PLAIN_H

#include "src/command.h"

/* One message a line until the input ends; replies on standard output.  why: what brought this mode
 * about, said to a person at a terminal; may be NULL.  Returns an exit status; start is borrowed.
 */
int plain_run(ChatStart *start, const char *why);

#endif
