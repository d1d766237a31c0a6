/* Signals as values.  The handler only stores which one came. */
#include "config.h"

#include "src/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "src/base/attributes.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

static volatile sig_atomic_t pending;
static atomic_bool flag;

static void on_signal(int signo)
{
    pending = signo;
    atomic_store(&flag, true);
}

static void fill(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaddset(set, signals[i]);
}

void interrupt_install(void)
{
    struct sigaction action = { .sa_handler = on_signal }, old;
    sigset_t set;

    fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

void interrupt_unblock(void)
{
    sigset_t set;

    fill(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int interrupt_wait(int fd, int timeout_ms)
{
    struct pollfd poll_fd = { fd, POLLIN, 0 };
    struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
    sigset_t set;
    int n;

    pthread_sigmask(SIG_SETMASK, NULL, &set);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigdelset(&set, signals[i]);
    do
        n = ppoll(&poll_fd, 1, timeout_ms < 0 ? NULL : &timeout, &set);
    while (n < 0 && errno == EINTR && !pending);
    return n < 0 ? -1 : n > 0;
}

int interrupt_pending(void)
{
    return pending;
}

void interrupt_clear(void)
{
    pending = 0;
    atomic_store(&flag, false);
}

const atomic_bool *interrupt_flag(void)
{
    return &flag;
}

int interrupt_status(void)
{
    return pending ? 128 + pending : 0;
}
