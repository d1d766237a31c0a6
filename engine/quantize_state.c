/* Activations go to a file whose name has the number of layers, then state.json is replaced, then
 * the file before goes: whenever the machine stops, state.json names a whole file. */
#include "config.h"

#include "engine/quantize_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/i18n.h"
#include "src/base/path.h"

enum { STATE_VERSION = 1, STATE_MAX = 1 << 16 };

#define STATE_FILE "state.json"

/* FNV-1a */
void fingerprint_add(Fingerprint *print, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;

    if (!print->hash)
        print->hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        print->hash = (print->hash ^ at[i]) * 0x100000001b3u;
}

static void activations_path(const char *dir, int layers_done, Buf *path)
{
    char name[40];

    snprintf(name, sizeof name, "activations-%d", layers_done);
    path_join(path, dir, name);
}

/* ---- activations ---- */

static bool transfer(int fd, bool writing, void *bytes, size_t n)
{
    char *at = bytes;

    while (n) {
        size_t piece = n < (size_t)1 << 30 ? n : (size_t)1 << 30;
        ssize_t done = writing ? write(fd, at, piece) : read(fd, at, piece);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            errno = done == 0 ? EIO : errno;
            return false;
        }
        at += done;
        n -= (size_t)done;
    }
    return true;
}

static bool transfer_all(const QuantizeState *state, int fd, bool writing)
{
    for (int i = 0; i < STREAMS; i++)
        if (!transfer(fd, writing, state->stream[i], state->n_values[i] * sizeof(float)))
            return false;
    return !writing || fsync(fd) == 0;
}

static bool access_activations(const QuantizeState *state, int layers_done, bool writing,
                               Error *err)
{
    Buf path = BUF_INIT;
    int fd;
    bool ok;

    activations_path(state->dir, layers_done, &path);
    fd = open(buf_cstr(&path), (writing ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY) | O_CLOEXEC,
              0600);
    ok = fd >= 0 && transfer_all(state, fd, writing);
    if (fd >= 0)
        ok = close(fd) == 0 && ok;
    if (!ok && writing) {
        error_errno(err, _("cannot write %s"), buf_cstr(&path));
        unlink(buf_cstr(&path));
    } else if (!ok) {
        error_errno(err, _("cannot read %s; remove the directory and begin again"),
                    buf_cstr(&path));
    }
    buf_release(&path);
    return ok;
}

/* ---- state.json ---- */

static bool other_run(const QuantizeState *state, Error *err)
{
    return error_set(err, ERR_SYSTEM,
                     _("%s: holds a half-done run of another input or other settings; remove it to "
                       "begin anew"),
                     state->dir);
}

static bool read_state(QuantizeState *state, const char *path, Error *err)
{
    Buf text = BUF_INIT;
    json_t *json;
    const char *print;
    char wanted[17];
    bool ok;

    if (!path_read_file(path, STATE_MAX, &text, err))
        return false;
    json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    buf_release(&text);
    print = json_string_value(json_object_get(json, "run"));
    snprintf(wanted, sizeof wanted, "%016" PRIx64, state->print.hash);
    ok = json_integer_value(json_object_get(json, "version")) == STATE_VERSION && print &&
         strcmp(print, wanted) == 0 && json_is_integer(json_object_get(json, "layers_done"));
    state->layers_done = (int)json_integer_value(json_object_get(json, "layers_done"));
    json_decref(json);
    return (ok && state->layers_done >= 0) || other_run(state, err);
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    int n = 0;

    while (dir && (entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n == 0;
}

bool state_load(QuantizeState *state, Error *err)
{
    Buf path = BUF_INIT;
    bool ok;

    state->layers_done = -1;
    path_join(&path, state->dir, STATE_FILE);
    if (path_exists(buf_cstr(&path)))
        ok = read_state(state, buf_cstr(&path), err) &&
             access_activations(state, state->layers_done, false, err);
    else
        ok = is_empty(state->dir) || other_run(state, err);
    buf_release(&path);
    return ok;
}

bool state_save(QuantizeState *state, int layers_done, Error *err)
{
    Buf path = BUF_INIT, text = BUF_INIT;
    bool ok;

    if (!access_activations(state, layers_done, true, err))
        return false;
    buf_printf(&text, "{\"version\":%d,\"run\":\"%016" PRIx64 "\",\"layers_done\":%d}\n",
               STATE_VERSION, state->print.hash, layers_done);
    path_join(&path, state->dir, STATE_FILE);
    ok = path_write_file(buf_cstr(&path), buf_str(&text), err);
    if (ok && state->layers_done >= 0 && state->layers_done != layers_done) {
        activations_path(state->dir, state->layers_done, &path);
        unlink(buf_cstr(&path));
    }
    if (ok)
        state->layers_done = layers_done;
    buf_release(&path);
    buf_release(&text);
    return ok;
}

void state_remove(const QuantizeState *state, const char *dir)
{
    Buf path = BUF_INIT;

    path_join(&path, dir, STATE_FILE);
    unlink(buf_cstr(&path));
    activations_path(dir, state->layers_done, &path);
    unlink(buf_cstr(&path));
    buf_release(&path);
}
