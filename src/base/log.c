/* The log file.  One line an entry: time, level, text with control characters escaped. */
#include "config.h"

#include "src/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/utf8.h"

static const char *const level_names[] = { "error", "warn", "info", "debug" };

enum { LINE_MAX_BYTES = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards fd */
static int fd = -1;
static atomic_int log_level = -1; /* -1: closed */

bool log_open(const char *path, LogLevel level, Error *err)
{
    /* O_APPEND: two programs may share the file, each line is one write. */
    int opened = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (opened < 0)
        return error_errno(err, _("cannot open the log file %s"), path);
    log_close();
    pthread_mutex_lock(&lock);
    fd = opened;
    atomic_store(&log_level, (int)level);
    pthread_mutex_unlock(&lock);
    return true;
}

void log_close(void)
{
    pthread_mutex_lock(&lock);
    atomic_store(&log_level, -1);
    if (fd >= 0)
        close(fd);
    fd = -1;
    pthread_mutex_unlock(&lock);
}

static void put_time(Buf *out)
{
    int64_t ms = clock_wall_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    char text[32];

    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    buf_printf(out, "%s.%03dZ", text, (int)(ms % 1000));
}

static void put_escaped(Buf *out, Str s)
{
    for (size_t pos = 0; pos < s.len;) {
        unsigned cp = utf8_next(s, &pos);

        if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0))
            buf_printf(out, "\\x%02x", cp);
        else
            buf_put_utf8(out, cp);
    }
}

void log_write(LogLevel level, const char *format, ...)
{
    char raw[LINE_MAX_BYTES];
    Buf line = BUF_INIT;
    va_list args;
    Str text;

    if ((int)level > atomic_load(&log_level))
        return;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    put_time(&line);
    buf_printf(&line, " %-5s ", level_names[level]);
    text = str_from(raw);
    text.len = utf8_complete(text);
    put_escaped(&line, text);
    buf_putc(&line, '\n');
    pthread_mutex_lock(&lock);
    if (fd >= 0)
        while (write(fd, line.data, line.len) < 0 && errno == EINTR)
            ;
    pthread_mutex_unlock(&lock);
    buf_release(&line);
}
