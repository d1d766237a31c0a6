/* `kaiwa models`: what is installed, adding by a link, checking. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "src/base/i18n.h"
#include "src/base/path.h"
#include "src/cmd.h"

static void print_entry_json(json_t *rows, const ModelEntry *entry)
{
    json_array_append_new(rows, json_pack("{s:s?, s:s?, s:s?}", "name", entry->name, "path",
                                          entry->path, "origin", entry->origin));
}

/* Columns are parted by tabs, so that names with spaces stay whole for cut(1). */
static void print_models(const ModelList *list, bool as_json)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < list->n; i++) {
        const ModelEntry *entry = &list->entry[i];

        if (as_json)
            print_entry_json(rows, entry);
        else
            printf("%s\t%s\t%s\n", entry->name, entry->origin, entry->path);
    }
    if (as_json) {
        char *text = json_dumps(rows, JSON_INDENT(2));

        printf("%s\n", text ? text : "[]");
        free(text);
    }
    json_decref(rows);
}

static int list_models(const Options *options)
{
    ModelList list = { 0 };
    Error err = ERROR_INIT;
    Buf advice = BUF_INIT;

    if (!engine_list_models(&list, &err))
        return command_fail(&err);
    print_models(&list, options_flag(options, "json"));
    if (!list.n && isatty(STDERR_FILENO)) {
        start_no_model_write(&advice);
        fprintf(stderr, "kaiwa: %s\n", buf_cstr(&advice));
        buf_release(&advice);
    }
    model_list_release(&list);
    return EXIT_OK;
}

/* A link of the model's base name in the data directory.  The model is checked first: a link to
 * something else would be found again only when a chat is to start. */
static bool add_model(const char *path, Buf *link_path, Error *err)
{
    char absolute[PATH_MAX];
    Buf dir = BUF_INIT, report = BUF_INIT;
    bool good = false;

    if (!realpath(path, absolute)) {
        error_errno(err, "%s", path);
        goto done;
    }
    if (!engine_verify(absolute, &report, err))
        goto done;
    path_data_dir(&dir);
    buf_puts(&dir, "/models");
    if (!path_mkdirs(buf_cstr(&dir), err))
        goto done;
    path_join(link_path, buf_cstr(&dir), path_base(absolute));
    good = symlink(absolute, buf_cstr(link_path)) == 0;
    if (!good && errno == EEXIST)
        error_set(err, ERR_SYSTEM, _("%s: there is a model of that name; remove it first"),
                  buf_cstr(link_path));
    else if (!good)
        error_errno(err, "%s", buf_cstr(link_path));
done:
    buf_release(&dir);
    buf_release(&report);
    return good;
}

static int add(const char *path)
{
    Buf link_path = BUF_INIT;
    Error err = ERROR_INIT;
    bool good = add_model(path, &link_path, &err);

    if (good)
        printf("%s\n", path_base(buf_cstr(&link_path)));
    buf_release(&link_path);
    return good ? EXIT_OK : command_fail(&err);
}

static int verify(const char *model)
{
    Buf path = BUF_INIT, report = BUF_INIT;
    Error err = ERROR_INIT;
    bool good = engine_locate(model, &path, &err) && engine_verify(buf_cstr(&path), &report, &err);

    fputs(buf_cstr(&report), stdout);
    buf_release(&path);
    buf_release(&report);
    return good ? EXIT_OK : command_fail(&err);
}

int cmd_models(CommandContext *context)
{
    const char *verb = context->n_args ? context->args[0] : NULL;
    Error err = ERROR_INIT;

    if (!verb)
        return list_models(context->options);
    if (context->n_args == 2 && strcmp(verb, "add") == 0)
        return add(context->args[1]);
    if (context->n_args == 2 && strcmp(verb, "verify") == 0)
        return verify(context->args[1]);
    error_set(&err, ERR_USAGE, "%s",
              _("models: write kaiwa models, kaiwa models add PATH or kaiwa models verify NAME"));
    return command_fail(&err);
}
