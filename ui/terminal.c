/* Signals, the crash guard, standard error, and the width probe.  Nothing here knows curses. */
#include "config.h"

#include "ui/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "src/base/attributes.h"
#include "src/base/buf.h"
#include "src/base/clock.h"

/* ---- crashes --------------------------------------------------------------------------------- */

static const int crash_signals[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL };

/* Process-wide by nature: one terminal, one set of signal handlers. */
static struct {
    volatile sig_atomic_t is_on; /* curses has the terminal */
    bool is_installed;
    bool has_modes;
    struct termios modes;
    struct sigaction former[ARRAY_LEN(crash_signals)];
    int pipe[2];
    struct sigaction former_end[4];
    bool has_pipe;
    int saved_stderr; /* 0: not moved */
} terminal;

/* Undoes whatever the screen may have switched on: synchronized output, bracketed paste, mouse
 * reports, colours, a hidden cursor, application keys, the alternate screen. */
static const char restore_text[] =
    "\033[?2026l\033[?2004l\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[m\033(B"
    "\033[?25h\033[?1l\033>\033[?1049l\r";

static void restore_now(void)
{
    if (!terminal.is_on)
        return;
    terminal.is_on = 0;
    ssize_t n = write(STDOUT_FILENO, restore_text, sizeof restore_text - 1);
    (void)n;
    if (terminal.has_modes)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.modes);
    if (terminal.saved_stderr > 0)
        dup2(terminal.saved_stderr, STDERR_FILENO);
}

/* Only async-signal-safe calls.  Then the handler that was there before goes on (it may name the
 * file that shrank), or the default action. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    restore_now();
    for (size_t i = 0; i < ARRAY_LEN(crash_signals); i++) {
        if (crash_signals[i] != number)
            continue;
        const struct sigaction *former = &terminal.former[i];
        if ((former->sa_flags & SA_SIGINFO) && former->sa_sigaction) {
            former->sa_sigaction(number, info, context);
            return;
        }
    }
    signal(number, SIG_DFL);
    raise(number);
}

void terminal_guard(void)
{
    terminal.has_modes = tcgetattr(STDIN_FILENO, &terminal.modes) == 0;
    if (terminal.is_installed)
        return;
    terminal.is_installed = true;
    static char stack[64 * 1024];
    stack_t alternative = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    stack_t present = { .ss_flags = SS_DISABLE };
    if (sigaltstack(NULL, &present) == 0 && (present.ss_flags & SS_DISABLE))
        sigaltstack(&alternative, NULL);
    for (size_t i = 0; i < ARRAY_LEN(crash_signals); i++)
        sigaction(crash_signals[i], &action, &terminal.former[i]);
}

void terminal_guard_on(void)
{
    terminal.is_on = 1;
}

void terminal_guard_off(void)
{
    terminal.is_on = 0;
}

/* ---- signals that end the program ------------------------------------------------------------ */

static const int end_signals[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };

static void on_end(int number)
{
    int saved = errno;
    char byte = (char)number;
    ssize_t n = write(terminal.pipe[1], &byte, 1);
    (void)n;
    errno = saved;
}

int terminal_signals_open(void)
{
    if (terminal.has_pipe)
        return terminal.pipe[0];
    if (pipe2(terminal.pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    terminal.has_pipe = true;
    struct sigaction action = { .sa_handler = on_end, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(end_signals); i++)
        sigaction(end_signals[i], &action, &terminal.former_end[i]);
    return terminal.pipe[0];
}

void terminal_signals_close(void)
{
    if (!terminal.has_pipe)
        return;
    for (size_t i = 0; i < ARRAY_LEN(end_signals); i++)
        sigaction(end_signals[i], &terminal.former_end[i], NULL);
    close(terminal.pipe[0]);
    close(terminal.pipe[1]);
    terminal.has_pipe = false;
}

int terminal_signal_take(void)
{
    char byte = 0;
    return terminal.has_pipe && read(terminal.pipe[0], &byte, 1) == 1 ? byte : 0;
}

/* ---- standard error -------------------------------------------------------------------------- */

void terminal_stderr_away(const char *path)
{
    if (terminal.saved_stderr > 0)
        return;
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    terminal.saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (terminal.saved_stderr > 0)
        dup2(fd, STDERR_FILENO);
    close(fd);
}

void terminal_stderr_back(void)
{
    if (terminal.saved_stderr <= 0)
        return;
    dup2(terminal.saved_stderr, STDERR_FILENO);
    close(terminal.saved_stderr);
    terminal.saved_stderr = 0;
}

/* ---- questions to the terminal --------------------------------------------------------------- */

/* "\033[row;colR" anywhere in s; 0: not there (yet). */
static int find_column(Str s)
{
    for (size_t i = 0; i + 1 < s.len; i++) {
        if (s.data[i] != '\033' || s.data[i + 1] != '[')
            continue;
        int row = 0, col = 0;
        size_t at = i + 2;
        while (at < s.len && s.data[at] >= '0' && s.data[at] <= '9' && row < 10000)
            row = row * 10 + (s.data[at++] - '0');
        if (at >= s.len || s.data[at++] != ';')
            continue;
        while (at < s.len && s.data[at] >= '0' && s.data[at] <= '9' && col < 10000)
            col = col * 10 + (s.data[at++] - '0');
        if (at < s.len && s.data[at] == 'R')
            return col;
    }
    return 0;
}

/* The last question is one that every terminal answers, so the wait is short where the others are
 * not known. */
static void ask(int fd, int timeout_ms, Buf *answer)
{
    static const char question[] = "\r\xE2\x80\xA6\033[6n\033[?2026$p";
    ssize_t n = write(fd, question, sizeof question - 1);
    int64_t end = clock_mono_us() + (int64_t)timeout_ms * 1000;
    while (n > 0) {
        int64_t left = (end - clock_mono_us() + 999) / 1000;
        struct pollfd in = { fd, POLLIN, 0 };
        char bytes[128];
        if (left <= 0 || poll(&in, 1, (int)left) <= 0)
            break;
        n = read(fd, bytes, sizeof bytes);
        if (n > 0)
            buf_append(answer, bytes, (size_t)n);
        bool has_column = find_column(buf_str(answer)) > 0;
        bool has_mode = str_find(buf_str(answer), STR("$y")) >= 0;
        if (has_column && has_mode)
            break;
        if (has_column && end > clock_mono_us() + 30000)
            end = clock_mono_us() +
                  30000; /* it is fast; what it has not said by then it does not know */
    }
}

int terminal_probe_ambiguous(int timeout_ms, bool *supports_sync)
{
    struct termios saved, raw;
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (supports_sync)
        *supports_sync = false;
    if (fd < 0)
        return 0;
    if (tcgetattr(fd, &saved) != 0) {
        close(fd);
        return 0;
    }
    raw = saved;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(fd, TCSANOW, &raw);
    Buf answer = BUF_INIT;
    buf_init_max(&answer, 4096);
    ask(fd, timeout_ms, &answer);
    ssize_t n = write(fd, "\r\033[K", 4);
    (void)n;
    tcsetattr(fd, TCSANOW, &saved);
    close(fd);
    int col = find_column(buf_str(&answer));
    Str mode = buf_str(&answer);
    ptrdiff_t at = str_find(mode, STR("[?2026;"));
    if (supports_sync && at >= 0)
        *supports_sync = str_starts(str_from_offset(mode, (size_t)at + 7), STR("1")) ||
                         str_starts(str_from_offset(mode, (size_t)at + 7), STR("2"));
    buf_release(&answer);
    return col == 3 ? 2 : col == 2 ? 1 : 0;
}
