/* A locked list and a pipe that holds one byte exactly while items wait.
 *
 * The byte is written and drained under the lock, so the descriptor never lies: readable means that
 * mailbox_take returns something, and no wake-up is lost. */
#include "config.h"

#include "src/base/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"

struct Mailbox {
    pthread_mutex_t lock; /* guards head, tail and the byte in the pipe */
    MailItem *head;
    MailItem **tail;
    int wake[2];
};

Mailbox *mailbox_new(Error *err)
{
    Mailbox *box = xcalloc(1, sizeof *box);

    if (pipe2(box->wake, O_NONBLOCK | O_CLOEXEC) != 0) {
        error_errno(err, _("cannot make a pipe between threads"));
        free(box);
        return NULL;
    }
    pthread_mutex_init(&box->lock, NULL);
    box->tail = &box->head;
    return box;
}

void mailbox_free(Mailbox *box)
{
    if (!box)
        return;
    close(box->wake[0]);
    close(box->wake[1]);
    pthread_mutex_destroy(&box->lock);
    free(box);
}

void mailbox_push(Mailbox *box, MailItem *item)
{
    item->next = NULL;
    pthread_mutex_lock(&box->lock);
    /* A pipe that holds at most one byte cannot be full; only a signal can get in between. */
    if (!box->head)
        while (write(box->wake[1], "", 1) < 0 && errno == EINTR)
            ;
    *box->tail = item;
    box->tail = &item->next;
    pthread_mutex_unlock(&box->lock);
}

MailItem *mailbox_take(Mailbox *box)
{
    MailItem *items;
    char byte;

    pthread_mutex_lock(&box->lock);
    items = box->head;
    if (items)
        while (read(box->wake[0], &byte, 1) < 0 && errno == EINTR)
            ;
    box->head = NULL;
    box->tail = &box->head;
    pthread_mutex_unlock(&box->lock);
    return items;
}

int mailbox_fd(const Mailbox *box)
{
    return box->wake[0];
}

/* Real time: a virtual clock must not stretch a wait. */
static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool mailbox_wait(Mailbox *box, int timeout_ms)
{
    struct pollfd fd = { box->wake[0], POLLIN, 0 };
    int64_t end = now_ms() + timeout_ms;
    int left = timeout_ms;

    for (;;) {
        int n = poll(&fd, 1, left);

        if (n >= 0 || errno != EINTR)
            return n > 0;
        if (timeout_ms >= 0) {
            int64_t rest = end - now_ms();

            left = rest > 0 ? (int)rest : 0;
        }
    }
}
