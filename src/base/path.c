/* Where files live, by the XDG base directory specification (0.8), and whole-file reads and writes.
 */
#include "config.h"

#include "src/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/text.h"
#include "src/base/utf8.h"

#ifdef TEST_SMALL
enum { READ_CHUNK = 3 };
#else
enum { READ_CHUNK = 64 * 1024 };
#endif
enum { SAFE_NAME_MAX = 200 };

const char *path_env(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

const char *path_home(void)
{
    const char *home = path_env("HOME");
    const struct passwd *user;

    if (home)
        return home;
    user = getpwuid(getuid());
    return user && user->pw_dir && *user->pw_dir ? user->pw_dir : "/";
}

static void append_no_slash(Buf *out, const char *dir)
{
    Str s = str_from(dir);

    while (s.len > 1 && s.data[s.len - 1] == '/')
        s.len--;
    buf_append_str(out, s);
}

/* The specification: a relative path in these variables is to be ignored. */
static void xdg_dir(Buf *out, const char *variable, const char *below_home, const char *name)
{
    const char *dir = path_env(variable);

    if (dir && dir[0] == '/') {
        append_no_slash(out, dir);
    } else {
        append_no_slash(out, path_home());
        buf_puts(out, below_home);
    }
    buf_puts(out, name);
}

void path_data_dir(Buf *out)
{
    xdg_dir(out, "XDG_DATA_HOME", "/.local/share", "/kaiwa");
}

void path_config_dir(Buf *out)
{
    xdg_dir(out, "XDG_CONFIG_HOME", "/.config", "/kaiwa");
}

void path_state_dir(Buf *out)
{
    xdg_dir(out, "XDG_STATE_HOME", "/.local/state", "/kaiwa");
}

void path_cache_dir(Buf *out)
{
    xdg_dir(out, "XDG_CACHE_HOME", "/.cache", "/kaiwa");
}

/* As huggingface_hub resolves it: HF_HUB_CACHE, HF_HOME/hub, the XDG cache. */
void path_hf_cache(Buf *out)
{
    const char *hub = path_env("HF_HUB_CACHE"), *home = path_env("HF_HOME");

    if (hub) {
        append_no_slash(out, hub);
    } else if (home) {
        append_no_slash(out, home);
        buf_puts(out, "/hub");
    } else {
        xdg_dir(out, "XDG_CACHE_HOME", "/.cache", "/huggingface/hub");
    }
}

bool path_beside_program(Buf *out, const char *name)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    size_t before = out->len;

    if (n <= 0)
        return false;
    exe[n] = '\0';
    buf_append(out, exe, (size_t)(path_base(exe) - exe));
    buf_puts(out, name);
    if (path_is_dir(buf_cstr(out) + before))
        return true;
    buf_truncate(out, before);
    return false;
}

void path_package_models(Buf *out)
{
    if (!path_beside_program(out, "models"))
        buf_puts(out, PKGDATADIR "/models");
}

bool path_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool path_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

bool path_mkdirs(const char *dir, Error *err)
{
    char *path = xstrdup(dir);
    bool ok = true;

    for (char *at = path + 1; ok && *path; at++) {
        char c = *at;

        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        /* EEXIST of a file shows at the next component or at the end; a read-only or unreadable
         * parent that exists is no error. */
        if (mkdir(path, 0700) != 0 && !path_is_dir(path))
            ok = error_errno(err, _("cannot make the folder %s"), path);
        *at = c;
        if (c == '\0')
            break;
    }
    free(path);
    return ok;
}

void path_join(Buf *out, const char *dir, const char *name)
{
    buf_reset(out);
    buf_puts(out, dir);
    if (out->len && out->data[out->len - 1] != '/')
        buf_putc(out, '/');
    buf_puts(out, name);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool path_read_fd(int fd, size_t max, Buf *out, Error *err)
{
    size_t taken = 0;

    for (;;) {
        char chunk[READ_CHUNK];
        ssize_t n = read(fd, chunk, sizeof chunk);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, _("cannot read"));
        if (n == 0)
            return true;
        if ((size_t)n > max - taken)
            return error_set(err, ERR_FORMAT, _("longer than %zu bytes"), max);
        buf_append(out, chunk, (size_t)n);
        taken += (size_t)n;
        if (out->overflowed)
            return error_set(err, ERR_FORMAT, _("longer than %zu bytes"), out->max);
    }
}

/* Names under which a shell or the system hands over a stream: reading a pipe there is meant. */
static bool names_stream(const char *path)
{
    return strncmp(path, "/dev/fd/", 8) == 0 || strcmp(path, "/dev/stdin") == 0 ||
           strncmp(path, "/proc/self/fd/", 14) == 0;
}

/* O_NONBLOCK, so that a named pipe without a writer is refused and not waited for. */
static int open_regular(const char *path, Error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (names_stream(path) ? 0 : O_NONBLOCK));
    struct stat st;

    if (fd < 0) {
        error_errno(err, _("cannot open %s"), path);
        return -1;
    }
    if (fstat(fd, &st) != 0) {
        error_errno(err, _("cannot read %s"), path);
    } else if (S_ISDIR(st.st_mode)) {
        error_set(err, ERR_SYSTEM, _("cannot read %s: it is a folder"), path);
    } else if (!S_ISREG(st.st_mode) && !names_stream(path)) {
        error_set(err, ERR_SYSTEM, _("cannot read %s: it is not a regular file"), path);
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

bool path_read_file(const char *path, size_t max, Buf *out, Error *err)
{
    int fd;
    bool ok;

    if (strcmp(path, "-") == 0)
        return path_read_fd(STDIN_FILENO, max, out, err) || error_note(err, _("standard input"));
    fd = open_regular(path, err);
    if (fd < 0)
        return false;
    ok = path_read_fd(fd, max, out, err) || error_note(err, "%s", path);
    close(fd);
    return ok;
}

static bool write_all(int fd, Str bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.data, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes = str_from_offset(bytes, (size_t)n);
    }
    return true;
}

/* Devices and pipes are written to as they are; there is nothing to rename over. */
static bool write_stream(const char *path, Str bytes, Error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    bool ok = fd >= 0 && write_all(fd, bytes);

    if (fd >= 0 && close(fd) != 0)
        ok = false;
    return ok || error_errno(err, _("cannot write %s"), path);
}

/* Opens a new file beside path; name gets its path. */
static int open_beside(const char *path, mode_t mode, Buf *name)
{
    for (int try = 0; try < 100; try++) {
        int fd;

        buf_reset(name);
        buf_printf(name, "%s.%ld-%d.tmp", path, (long)getpid(), try);
        fd = open(buf_cstr(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static bool write_beside(const char *path, Str bytes, const struct stat *old, Error *err)
{
    Buf name = BUF_INIT;
    int fd = open_beside(path, old ? 0600 : 0666, &name), code;
    bool ok = fd >= 0;

    if (ok) {
        ok = write_all(fd, bytes) && (!old || fchmod(fd, old->st_mode & 07777) == 0) &&
             fsync(fd) == 0;
        code = errno;
        ok = close(fd) == 0 && ok;
        errno = ok ? 0 : code;
        ok = ok && rename(buf_cstr(&name), path) == 0;
        code = errno;
        if (!ok)
            unlink(buf_cstr(&name));
        errno = code;
    }
    if (!ok)
        error_errno(err, _("cannot write %s"), path);
    buf_release(&name);
    return ok;
}

bool path_write_file(const char *path, Str bytes, Error *err)
{
    struct stat st;
    char *target;
    bool ok;

    if (stat(path, &st) != 0)
        return write_beside(path, bytes, NULL, err);
    if (S_ISDIR(st.st_mode))
        return error_set(err, ERR_SYSTEM, _("cannot write %s: it is a folder"), path);
    if (!S_ISREG(st.st_mode))
        return write_stream(path, bytes, err);
    /* A link stays a link: its target is what gets replaced. */
    target = realpath(path, NULL);
    ok = write_beside(target ? target : path, bytes, &st, err);
    free(target);
    return ok;
}

void path_safe_name(Str title, Buf *out)
{
    Buf clean = BUF_INIT;
    size_t len = 0;
    Str s;

    title = str_trim(title);
    for (size_t pos = 0; pos < title.len;) {
        unsigned cp = utf8_next(title, &pos);
        bool bad =
            cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == '/' || cp == 0x2028 || cp == 0x2029;

        buf_put_utf8(&clean, bad || (clean.len == 0 && cp == '.') ? '_' : cp);
    }
    s = buf_str(&clean);
    while (len < s.len) {
        size_t next = text_next_grapheme(s, len);

        if (next > SAFE_NAME_MAX)
            break;
        len = next;
    }
    if (len == 0 && s.len) /* one endless grapheme: cut at a character */
        len = utf8_floor(s, SAFE_NAME_MAX);
    buf_append_str(out, len ? str_sub(s, 0, len) : STR("untitled"));
    buf_release(&clean);
}
