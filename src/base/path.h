/* Where files live (XDG), and small file helpers.  Together with src/option.c the only reader of
 * the environment. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>

#include "src/base/buf.h"
#include "src/base/error.h"

/* Each appends to out, without a trailing slash. */
void path_data_dir(Buf *out);   /* $XDG_DATA_HOME/kaiwa or ~/.local/share/kaiwa */
void path_config_dir(Buf *out); /* $XDG_CONFIG_HOME/kaiwa or ~/.config/kaiwa */
void path_state_dir(Buf *out);  /* $XDG_STATE_HOME/kaiwa or ~/.local/state/kaiwa */
void path_cache_dir(Buf *out);  /* $XDG_CACHE_HOME/kaiwa or ~/.cache/kaiwa */
void path_hf_cache(Buf *out);   /* $HF_HUB_CACHE, $HF_HOME/hub, or ~/.cache/huggingface/hub */
/* The folder NAME beside the running program, which is how a build tree holds what an installed
 * program has under its prefix; false, appending nothing, where there is none. */
bool path_beside_program(Buf *out, const char *name);
/* Models that came with the program: in the build tree, or PKGDATADIR/models. */
void path_package_models(Buf *out);
const char *path_home(void);
const char *path_env(const char *name); /* getenv, or NULL when empty */

bool path_mkdirs(const char *dir, Error *err); /* mode 0700 */
bool path_is_dir(const char *path);
bool path_exists(const char *path);
void path_join(Buf *out, const char *dir, const char *name); /* replaces out's content */
const char *path_base(const char *path);
/* A regular file (or stream with path "-") whole, at most max bytes. */
bool path_read_file(const char *path, size_t max, Buf *out, Error *err);
/* Writes to a new file beside it and renames, so that a reader never sees half a file. */
bool path_write_file(const char *path, Str bytes, Error *err);
bool path_read_fd(int fd, size_t max, Buf *out, Error *err);
/* A title as a file name: '/', NUL and controls replaced, at most 200 bytes at a grapheme's border,
 * never empty. */
void path_safe_name(Str title, Buf *out);

#endif
