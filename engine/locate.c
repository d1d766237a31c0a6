/* Finds models by name: in the user's folder, in the package's, and in the Hugging Face cache
 * (models--ORG--NAME/snapshots/REVISION, where refs/main names the revision). */
#include "config.h"

#include "engine/engine.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/path.h"

enum { ENTRIES_MAX = 100000, REVISION_MAX = 256 };

/* What a folder holds that matters here. */
typedef struct {
    bool config, safetensors, tokenizer;
    char **gguf; /* sorted */
    size_t n_gguf, cap_gguf;
} Contents;

/* Everything that is there, also what cannot be used: looking for that by name should say what is
 * wrong with it. */
typedef struct {
    ModelEntry *entry;
    bool *usable;
    size_t n, cap, cap_usable;
} Found;

static bool ends_with(const char *name, const char *tail)
{
    return str_ends(str_from(name), str_from(tail));
}

/* ---- folders ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

/* Sorted names in a folder, hidden ones left out; nothing when there is no such folder. */
static char **names_in(const char *path, size_t *n)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    char **names = NULL;
    size_t cap = 0;

    *n = 0;
    while (dir && (entry = readdir(dir)) && *n < ENTRIES_MAX) {
        if (entry->d_name[0] == '.')
            continue;
        names = mem_grow(names, &cap, *n + 1, sizeof *names);
        names[(*n)++] = xstrdup(entry->d_name);
    }
    if (dir)
        closedir(dir);
    if (*n > 1)
        qsort(names, *n, sizeof *names, compare_names);
    return names;
}

static void contents_read(Contents *contents, const char *path)
{
    size_t n;
    char **names = names_in(path, &n);

    *contents = (Contents){ 0 };
    for (size_t i = 0; i < n; i++) {
        contents->config |= strcmp(names[i], "config.json") == 0;
        contents->tokenizer |= strncmp(names[i], "tokenizer.", 10) == 0;
        contents->safetensors |= ends_with(names[i], ".safetensors");
        if (!ends_with(names[i], ".gguf"))
            continue;
        contents->gguf = mem_grow(contents->gguf, &contents->cap_gguf, contents->n_gguf + 1,
                                  sizeof *contents->gguf);
        contents->gguf[contents->n_gguf++] = xstrdup(names[i]);
    }
    names_free(names, n);
}

static void contents_release(Contents *contents)
{
    names_free(contents->gguf, contents->n_gguf);
}

static void found_add(Found *found, const ModelEntry *entry, bool usable)
{
    found->entry = mem_grow(found->entry, &found->cap, found->n + 1, sizeof *found->entry);
    found->usable =
        mem_grow(found->usable, &found->cap_usable, found->n + 1, sizeof *found->usable);
    found->usable[found->n] = usable;
    found->entry[found->n++] =
        (ModelEntry){ xstrdup(entry->name), xstrdup(entry->path), xstrdup(entry->origin) };
}

static void found_release(Found *found)
{
    ModelList list = { found->entry, found->n };

    model_list_release(&list);
    free(found->usable);
    *found = (Found){ 0 };
}

/* A folder called `entry`; several GGUF files in it are models of their own.  False when it holds
 * no model. */
static bool add_folder(Found *found, const ModelEntry *entry, bool even_if_empty)
{
    Buf name = BUF_INIT, path = BUF_INIT;
    Contents contents;
    bool whole, is_model;

    contents_read(&contents, entry->path);
    whole = (contents.config && contents.safetensors) ||
            (!contents.safetensors && contents.n_gguf == 1);
    is_model = whole || contents.config || contents.tokenizer || contents.safetensors ||
               contents.n_gguf > 0;
    if (is_model || even_if_empty)
        found_add(found, entry, whole);
    for (size_t i = 0; !whole && i < contents.n_gguf; i++) {
        ModelEntry file = { NULL, NULL, entry->origin };
        buf_reset(&name);
        buf_printf(&name, "%s/%s", entry->name, contents.gguf[i]);
        path_join(&path, entry->path, contents.gguf[i]);
        file.name = name.data;
        file.path = path.data;
        found_add(found, &file, true);
    }
    contents_release(&contents);
    buf_release(&name);
    buf_release(&path);
    return is_model;
}

/* ---- places ---- */

static void scan_models(Found *found, const char *root, const char *origin,
                        const char *organisation)
{
    size_t n;
    char **names = names_in(root, &n);
    Buf path = BUF_INIT, name = BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        ModelEntry entry = { NULL, NULL, (char *)origin };
        path_join(&path, root, names[i]);
        buf_reset(&name);
        buf_printf(&name, "%s%s%s", organisation ? organisation : "", organisation ? "/" : "",
                   names[i]);
        entry.path = path.data;
        if (path_is_dir(entry.path)) {
            entry.name = name.data;
            /* A folder of an organisation has models one level below. */
            if (!add_folder(found, &entry, false) && !organisation)
                scan_models(found, entry.path, origin, names[i]);
        } else if (ends_with(names[i], ".gguf")) {
            buf_truncate(&name, name.len - 5);
            entry.name = name.data;
            found_add(found, &entry, true);
        }
    }
    names_free(names, n);
    buf_release(&path);
    buf_release(&name);
}

/* The newest of the folders in `snapshots`. */
static bool newest_snapshot(const char *snapshots, Buf *out)
{
    size_t n;
    char **names = names_in(snapshots, &n);
    struct timespec newest = { 0, 0 };
    Buf path = BUF_INIT;
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        struct stat info;
        path_join(&path, snapshots, names[i]);
        if (stat(buf_cstr(&path), &info) != 0 || !S_ISDIR(info.st_mode))
            continue;
        if (any &&
            (info.st_mtim.tv_sec < newest.tv_sec ||
             (info.st_mtim.tv_sec == newest.tv_sec && info.st_mtim.tv_nsec <= newest.tv_nsec)))
            continue;
        any = true;
        newest = info.st_mtim;
        buf_reset(out);
        buf_append_str(out, buf_str(&path));
    }
    buf_release(&path);
    names_free(names, n);
    return any;
}

/* The revision of a repository in the cache: the one that refs/main names, else the newest.
 * Replaces out. */
static bool find_snapshot(const char *repository, Buf *out)
{
    Buf path = BUF_INIT, text = BUF_INIT;
    Error ignored = ERROR_INIT;
    Str revision;
    bool found = false;

    path_join(&path, repository, "refs/main");
    if (path_read_file(buf_cstr(&path), REVISION_MAX, &text, &ignored)) {
        revision = str_trim(buf_str(&text));
        if (revision.len > 0 && revision.data[0] != '.' &&
            !memchr(revision.data, '/', revision.len)) {
            path_join(&path, repository, "snapshots/");
            buf_append_str(&path, revision);
            found = path_is_dir(buf_cstr(&path));
            buf_reset(out);
            buf_append_str(out, buf_str(&path));
        }
    }
    if (!found) {
        path_join(&path, repository, "snapshots");
        found = newest_snapshot(buf_cstr(&path), out);
    }
    buf_release(&path);
    buf_release(&text);
    return found;
}

static void scan_cache(Found *found, const char *root)
{
    static const char prefix[] = "models--";
    size_t n;
    char **names = names_in(root, &n);
    Buf path = BUF_INIT, name = BUF_INIT, snapshot = BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        ModelEntry entry = { NULL, NULL, "huggingface" };
        const char *rest = names[i] + sizeof prefix - 1, *cut;
        if (strncmp(names[i], prefix, sizeof prefix - 1) != 0)
            continue;
        path_join(&path, root, names[i]);
        if (!find_snapshot(buf_cstr(&path), &snapshot))
            continue;
        cut = strstr(rest, "--");
        buf_reset(&name);
        if (cut)
            buf_printf(&name, "%.*s/%s", (int)(cut - rest), rest, cut + 2);
        else
            buf_puts(&name, rest);
        entry.name = name.data;
        entry.path = snapshot.data;
        add_folder(found, &entry, true);
    }
    names_free(names, n);
    buf_release(&path);
    buf_release(&name);
    buf_release(&snapshot);
}

/* The three places, in the order in which they count. */
typedef struct {
    Buf data, package, cache;
} Places;

static void places_init(Places *places)
{
    *places = (Places){ BUF_INIT, BUF_INIT, BUF_INIT };
    path_data_dir(&places->data);
    buf_puts(&places->data, "/models");
    path_package_models(&places->package);
    path_hf_cache(&places->cache);
}

static void places_release(Places *places)
{
    buf_release(&places->data);
    buf_release(&places->package);
    buf_release(&places->cache);
}

static void scan_all(Found *found, const Places *places)
{
    scan_models(found, buf_cstr(&places->data), "data", NULL);
    scan_models(found, buf_cstr(&places->package), "package", NULL);
    scan_cache(found, buf_cstr(&places->cache));
}

bool engine_list_models(ModelList *out, Error *err)
{
    Found found = { 0 };
    Places places;
    size_t n = 0;

    (void)err;
    places_init(&places);
    scan_all(&found, &places);
    places_release(&places);
    for (size_t i = 0; i < found.n; i++) {
        ModelEntry kept = found.entry[i];
        if (!found.usable[i])
            continue;
        found.entry[i] = found.entry[n];
        found.entry[n++] = kept;
    }
    /* The ones that cannot be used now stand at the end. */
    for (size_t i = n; i < found.n; i++) {
        free(found.entry[i].name);
        free(found.entry[i].path);
        free(found.entry[i].origin);
    }
    free(found.usable);
    *out = (ModelList){ found.entry, n };
    return true;
}

void model_list_release(ModelList *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->entry[i].name);
        free(list->entry[i].path);
        free(list->entry[i].origin);
    }
    free(list->entry);
    *list = (ModelList){ NULL, 0 };
}

/* ---- by name ---- */

/* A path as it stands; a repository of the cache means its revision. */
static bool take_path(const char *model, Buf *out)
{
    Buf inner = BUF_INIT;

    if (!path_exists(model))
        return false;
    path_join(&inner, model, "snapshots");
    if (path_is_dir(buf_cstr(&inner)) && find_snapshot(model, &inner))
        buf_append_str(out, buf_str(&inner));
    else
        buf_puts(out, model);
    buf_release(&inner);
    return true;
}

/* ORG/NAME or NAME, with or without ".gguf". */
static bool is_called(const ModelEntry *entry, const char *model, bool whole)
{
    const char *name = whole ? entry->name : path_base(entry->name);
    size_t len = strlen(name);

    if (strncmp(name, model, len) != 0)
        return false;
    return model[len] == '\0' ||
           (strcmp(model + len, ".gguf") == 0 && ends_with(entry->path, ".gguf"));
}

/* The full name first; then a bare name, which must mean one model only within the first place that
 * has it. */
static const ModelEntry *look_up(const Found *found, const char *model, Error *err)
{
    const ModelEntry *match = NULL;

    for (size_t i = 0; i < found->n; i++)
        if (is_called(&found->entry[i], model, true))
            return &found->entry[i];
    for (size_t i = 0; i < found->n; i++) {
        const ModelEntry *entry = &found->entry[i];
        if (!is_called(entry, model, false) || (match && strcmp(match->origin, entry->origin) != 0))
            continue;
        if (match) {
            error_set(err, ERR_USAGE, _("%s: this name means %s and %s; say which"), model,
                      match->name, entry->name);
            return NULL;
        }
        match = entry;
    }
    return match;
}

bool engine_locate(const char *model, Buf *out, Error *err)
{
    Found found = { 0 };
    const ModelEntry *entry;
    Error why = ERROR_INIT;
    Places places;
    bool ok;

    if (!*model)
        return error_set(err, ERR_USAGE, _("the name of the model is empty"));
    if (take_path(model, out))
        return true;
    if (*model == '/' || strncmp(model, "./", 2) == 0 || strncmp(model, "../", 3) == 0)
        return error_set(err, ERR_NOT_FOUND, _("%s: no such file or folder"), model);
    places_init(&places);
    scan_all(&found, &places);
    entry = look_up(&found, model, &why);
    ok = entry != NULL;
    if (ok)
        buf_puts(out, entry->path);
    else if (why.kind != ERR_NONE)
        *err = why;
    else
        error_set(
            err, ERR_NOT_FOUND,
            _("%.100s: no such model; looked for a file, and in %s, %s and %s; see `kaiwa models`"),
            model, buf_cstr(&places.data), buf_cstr(&places.package), buf_cstr(&places.cache));
    found_release(&found);
    places_release(&places);
    return ok;
}
