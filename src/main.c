/* Start and end of the program: locale, signals that concern the whole process, then command.c. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "src/base/i18n.h"
#include "src/command.h"
#include "ui/ui.h"

/* Translated beforehand: gettext must not be called from a signal handler. */
static const char *bus_why;

static void write_all(const char *text)
{
    ssize_t n = write(STDERR_FILENO, text, strlen(text));

    (void)n;
}

/* A mapped model file that became shorter while it was read.  The screen installs a handler of its
 * own that restores the terminal first. */
static void on_bus_error(int signo, siginfo_t *info, void *unused)
{
    const char *path = engine_mapped_file(info->si_addr);

    (void)unused;
    if (!path) {
        signal(signo, SIG_DFL);
        raise(signo);
        return;
    }
    write_all("kaiwa: ");
    write_all(path);
    write_all(bus_why);
    _exit(EXIT_FAILED);
}

static void set_signals(void)
{
    struct sigaction action = { .sa_sigaction = on_bus_error,
                                .sa_flags = SA_SIGINFO | SA_RESETHAND };

    bus_why = _(": the file became shorter while it was in use; fetch it again\n");
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
    /* Writing to a closed pipe is an error that is looked at, so that what is unsaved gets saved.
     */
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    Error err = ERROR_INIT;

    if (!i18n_init(&err))
        return command_fail(&err);
    set_signals();
    return command_main(argc, argv, ui_run);
}
