/* The commands on stored conversations.  What is read from the database goes to a terminal only
 * without control characters; files and pipes get it as it is. */
#include "config.h"

#include "src/cmd_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "src/base/i18n.h"
#include "src/base/path.h"
#include "src/base/text.h"
#include "src/base/utf8.h"
#include "src/export.h"
#include "src/import.h"
#include "src/record.h"
#include "src/store.h"

enum { MODEL_COLS = 24, ROLE_COLS = 10, SEARCH_LIMIT = 100 };

static const char *database(const CommandContext *context)
{
    return options_string(context->options, "db");
}

static bool wants_json(const CommandContext *context)
{
    return options_flag(context->options, "json");
}

/* For reading.  A file of an older kaiwa is brought up to date, which needs writing. */
static Store *open_for_reading(const CommandContext *context, Error *err)
{
    Store *store = store_open_readonly(database(context), err);

    if (!store && err->kind == ERR_UNSUPPORTED)
        store = store_open(database(context), err);
    return store;
}

/* A new user has no database yet: that is an empty list and no error. */
static Store *open_if_there(const CommandContext *context, Error *err)
{
    Error failed = ERROR_INIT;
    Store *store = open_for_reading(context, &failed);

    if (!store && failed.kind == ERR_NOT_FOUND && !database(context))
        store = store_open(":memory:", &failed);
    if (!store)
        *err = failed;
    return store;
}

static void print_buf(const Buf *text)
{
    fwrite(buf_cstr(text), 1, text->len, stdout);
}

/* A terminal would obey control characters that a model or an import has put into a text. */
static void print_text(Str text)
{
    Buf out = BUF_INIT;

    if (!isatty(STDOUT_FILENO)) {
        fwrite(text.len ? text.data : "", 1, text.len, stdout);
        return;
    }
    for (size_t pos = 0; pos < text.len;) {
        unsigned cp = utf8_next(text, &pos);

        if ((cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7F && cp < 0xA0))
            cp = UTF8_REPLACEMENT;
        buf_put_utf8(&out, cp);
    }
    print_buf(&out);
    buf_release(&out);
}

static void print_json(json_t *value)
{
    Buf out = BUF_INIT;

    record_print(value, true, &out);
    buf_putc(&out, '\n');
    print_buf(&out);
    buf_release(&out);
    json_decref(value);
}

/* Columns of the terminal; 0: standard output is none, nothing is cut. */
static int terminal_cols(void)
{
    struct winsize size;
    const char *told = path_env("COLUMNS");
    long long cols;

    if (!isatty(STDOUT_FILENO))
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return told && str_to_long(str_from(told), &cols) && cols > 0 && cols < 10000 ? (int)cols : 80;
}

/* One line: what would break it or the terminal becomes a space. */
static void put_cell(Str text, Buf *out)
{
    for (size_t pos = 0; pos < text.len;) {
        unsigned cp = utf8_next(text, &pos);

        if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0x2028 || cp == 0x2029)
            cp = ' ';
        buf_put_utf8(out, cp);
    }
}

/* Appends text, cut and filled up to cols columns. */
static void put_column(Str text, int cols, Buf *out)
{
    Buf cell = BUF_INIT;
    int used;

    put_cell(text, &cell);
    buf_append_str(out, text_cut(buf_str(&cell), cols, &used));
    for (; used < cols; used++)
        buf_putc(out, ' ');
    buf_release(&cell);
}

/* Ends a line, cut to the terminal's width. */
static void print_row(Buf *line, int cols)
{
    Str shown = cols ? text_cut(buf_str(line), cols, NULL) : buf_str(line);

    while (shown.len && shown.data[shown.len - 1] == ' ')
        shown.len--;
    fwrite(shown.len ? shown.data : "", 1, shown.len, stdout);
    putchar('\n');
    buf_reset(line);
}

/* list */

static json_t *row_json(const StoreRow *row)
{
    json_t *object = json_object();

    json_object_set_new(object, "id", json_integer(row->id));
    json_object_set_new(object, "uid", json_string(row->uid));
    json_object_set_new(object, "title", record_cstr(row->title));
    json_object_set_new(object, "model", record_cstr(row->model));
    json_object_set_new(object, "pinned", json_boolean(row->pinned));
    json_object_set_new(object, "deleted", json_boolean(row->deleted));
    json_object_set_new(object, "n_messages", json_integer(row->n_messages));
    json_object_set_new(object, "created_ms", json_integer(row->created_ms));
    json_object_set_new(object, "updated_ms", json_integer(row->updated_ms));
    return object;
}

static int widest_model(const StoreRows *rows)
{
    int widest = 0;

    for (size_t i = 0; i < rows->n; i++) {
        int cols = text_cols(str_from(rows->row[i].model));

        widest = cols > widest ? cols : widest;
    }
    return widest > MODEL_COLS ? MODEL_COLS : widest;
}

static int widest_id(const StoreRows *rows)
{
    int widest = 1;
    char digits[24];

    for (size_t i = 0; i < rows->n; i++) {
        int cols = snprintf(digits, sizeof digits, "%" PRId64, rows->row[i].id);

        widest = cols > widest ? cols : widest;
    }
    return widest;
}

static void print_rows(const StoreRows *rows)
{
    int cols = terminal_cols(), model = widest_model(rows), id = widest_id(rows);
    Buf line = BUF_INIT;

    for (size_t i = 0; i < rows->n; i++) {
        const StoreRow *row = &rows->row[i];

        buf_printf(&line, "%*" PRId64 "%s ", id, row->id, row->pinned ? "*" : " ");
        export_date(row->updated_ms, &line);
        buf_printf(&line, "  %4d  ", row->n_messages);
        if (model) {
            put_column(str_from(row->model), model, &line);
            buf_puts(&line, "  ");
        }
        put_cell(str_from(*row->title ? row->title : _("(no title)")), &line);
        print_row(&line, cols);
    }
    buf_release(&line);
}

int cmd_list(CommandContext *context)
{
    Error err = ERROR_INIT;
    Str filter = context->n_args ? str_from(context->args[0]) : STR_NULL;
    Store *store = open_if_there(context, &err);
    StoreRows rows = { NULL, 0 };
    bool ok = store && store_list(store, filter, false, 0, &rows, &err);

    if (ok && wants_json(context)) {
        json_t *array = json_array();

        for (size_t i = 0; i < rows.n; i++)
            json_array_append_new(array, row_json(&rows.row[i]));
        print_json(array);
    } else if (ok) {
        print_rows(&rows);
    }
    store_rows_release(&rows);
    store_close(store);
    return ok ? EXIT_OK : command_fail(&err);
}

/* show, export */

static Conversation *load_named(Store *store, const char *name, Error *err)
{
    int64_t id;

    if (!store || !store_resolve(store, str_from(name), &id, err))
        return NULL;
    return store_load(store, id, err);
}

int cmd_show(CommandContext *context)
{
    Error err = ERROR_INIT;
    Store *store = open_for_reading(context, &err);
    Conversation *c = load_named(store, context->args[0], &err);
    Buf text = BUF_INIT;

    store_close(store);
    if (!c)
        return command_fail(&err);
    export_find(wants_json(context) ? "json" : "txt")->write(c, &text);
    print_text(buf_str(&text));
    buf_release(&text);
    conversation_free(c);
    return EXIT_OK;
}

int cmd_export(CommandContext *context)
{
    Error err = ERROR_INIT;
    const char *format = options_string(context->options, "format");
    const char *path = options_string(context->options, "output");
    Store *store = open_for_reading(context, &err);
    Conversation *c = load_named(store, context->args[0], &err);
    Buf text = BUF_INIT;
    bool ok = c != NULL;

    store_close(store);
    if (ok && path && strcmp(path, "-") != 0) {
        ok = export_file(c, format, path, NULL, &err);
    } else if (ok) {
        export_find(format)->write(c, &text);
        print_buf(&text);
    }
    buf_release(&text);
    conversation_free(c);
    return ok ? EXIT_OK : command_fail(&err);
}

/* search */

static json_t *hit_json(const StoreHit *hit)
{
    json_t *object = json_object();

    json_object_set_new(object, "conversation_id", json_integer(hit->conversation_id));
    json_object_set_new(object, "message_id", json_integer(hit->message_id));
    json_object_set_new(object, "uid", json_string(hit->uid));
    json_object_set_new(object, "title", record_cstr(hit->title));
    json_object_set_new(object, "role", json_string(role_name(hit->role)));
    json_object_set_new(object, "snippet", record_cstr(hit->snippet));
    json_object_set_new(object, "hit", json_integer((json_int_t)hit->hit));
    json_object_set_new(object, "hit_len", json_integer((json_int_t)hit->hit_len));
    json_object_set_new(object, "created_ms", json_integer(hit->created_ms));
    return object;
}

static void print_hits(const StoreHits *hits)
{
    int cols = terminal_cols();
    Buf line = BUF_INIT;

    for (size_t i = 0; i < hits->n; i++) {
        const StoreHit *hit = &hits->hit[i];

        buf_printf(&line, "%" PRId64 "  ", hit->conversation_id);
        export_date(hit->created_ms, &line);
        buf_puts(&line, "  ");
        put_column(str_from(export_role_title(hit->role)), ROLE_COLS, &line);
        buf_puts(&line, "  ");
        put_cell(str_from(hit->snippet), &line);
        print_row(&line, cols);
    }
    buf_release(&line);
}

int cmd_search(CommandContext *context)
{
    Error err = ERROR_INIT;
    Store *store = open_if_there(context, &err);
    StoreHits hits = { NULL, 0 };
    Buf query = BUF_INIT;
    bool ok;

    for (int i = 0; i < context->n_args; i++)
        buf_printf(&query, "%s%s", i ? " " : "", context->args[i]);
    ok = store && store_search(store, buf_str(&query), SEARCH_LIMIT, &hits, &err);
    if (ok && wants_json(context)) {
        json_t *array = json_array();

        for (size_t i = 0; i < hits.n; i++)
            json_array_append_new(array, hit_json(&hits.hit[i]));
        print_json(array);
    } else if (ok) {
        print_hits(&hits);
    }
    buf_release(&query);
    store_hits_release(&hits);
    store_close(store);
    return ok ? EXIT_OK : command_fail(&err);
}

/* import, delete */

int cmd_import(CommandContext *context)
{
    Error err = ERROR_INIT;
    Store *store = store_open(database(context), &err);
    int64_t id = 0;
    bool ok = store && import_file(store, context->args[0], &id, &err);

    store_close(store);
    if (!ok)
        return command_fail(&err);
    printf("%" PRId64 "\n", id);
    return EXIT_OK;
}

int cmd_delete(CommandContext *context)
{
    Error err = ERROR_INIT;
    Store *store = open_for_reading(context, &err);
    int64_t id;
    bool ok = store && store_resolve(store, str_from(context->args[0]), &id, &err);

    store_close(store);
    store = ok ? store_open(database(context), &err) : NULL;
    ok = store && store_delete(store, id, &err);
    store_close(store);
    if (!ok)
        return command_fail(&err);
    fprintf(stderr, _("kaiwa: conversation %lld is deleted; /undelete in a chat brings it back\n"),
            (long long)id);
    return EXIT_OK;
}
