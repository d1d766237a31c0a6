/* A thread-safe list with a wake descriptor: how the UI thread and the worker talk.
 *
 * Items embed MailItem first.  After a push the sender has forgotten the item.  A burst costs one
 * byte on the pipe. The reader drains the pipe first, then takes the whole list. */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <stdbool.h>

#include "src/base/error.h"

typedef struct MailItem {
    struct MailItem *next;
} MailItem;

typedef struct Mailbox Mailbox;

Mailbox *mailbox_new(Error *err);
void mailbox_free(Mailbox *box); /* the caller has taken and freed what was inside */
void mailbox_push(Mailbox *box, MailItem *item); /* takes ownership */
MailItem *mailbox_take(Mailbox *box); /* all waiting items, oldest first, linked by next; or NULL */
int mailbox_fd(const Mailbox *box);   /* readable when items wait */
bool mailbox_wait(Mailbox *box, int timeout_ms); /* true when items wait; -1: for ever */

#endif
