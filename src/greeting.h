/* What the program itself says to somebody who opens it for the first time.  It is shown beside the
 * conversation: never a message of it, and never seen by a model. */
#ifndef SRC_GREETING_H
#define SRC_GREETING_H

#include "src/command.h"

/* No conversation was ever kept here, and the greeting was not shown yet.  A private chat has a
 * store of its own that would forget it, and a chat that opens with a message has begun already. */
bool greeting_is_due(const ChatStart *start);
/* Appends it, translated: how to begin, and how to install the model that kaiwa is made for. */
void greeting_write(const ChatStart *start, Buf *out);
/* It stood before somebody's eyes: once is enough. */
void greeting_was_shown(const ChatStart *start);

#endif
