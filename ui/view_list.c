/* Earlier conversations: beside the transcript where there is room, else over it.  What is typed
 * filters. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/text.h"
#include "ui/app.h"
#include "ui/editor.h"
#include "ui/inputbox.h"
#include "ui/view.h"

typedef enum { LIST_BROWSE, LIST_RENAME, LIST_DELETE } ListMode;

typedef struct {
    View view;
    Editor *filter, *title; /* title: made when first needed */
    InputBox filter_box, title_box;
    StoreRows rows;
    int64_t selected; /* id; survives another filter and new rows */
    size_t top;
    int list_rows; /* of the last draw */
    ListMode mode;
    bool stale; /* read the rows again before drawing */
} ListView;

static ListView *list_view(View *view)
{
    return (ListView *)view;
}

static View *open_list(App *app, Str argument)
{
    Error err = ERROR_INIT;
    EditorOptions options = { .one_line = true };
    Editor *filter = editor_new(&options, &err);
    if (!filter) {
        app_error(app, &err);
        return NULL;
    }
    ListView *self = xcalloc(1, sizeof *self);
    self->view = (View){ &view_list, app };
    self->filter = filter;
    self->stale = true;
    editor_set(filter, argument, false);
    inputbox_init(&self->filter_box, filter);
    return &self->view;
}

static void close_list(View *view)
{
    ListView *self = list_view(view);
    inputbox_release(&self->filter_box);
    inputbox_release(&self->title_box);
    editor_free(self->filter);
    editor_free(self->title);
    store_rows_release(&self->rows);
    free(self);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static size_t selected_index(const ListView *self)
{
    for (size_t i = 0; i < self->rows.n; i++)
        if (self->rows.row[i].id == self->selected)
            return i;
    return 0;
}

static const StoreRow *selected_row(const ListView *self)
{
    return self->rows.n ? &self->rows.row[selected_index(self)] : NULL;
}

static void read_rows(ListView *self)
{
    App *app = self->view.app;
    Error err = ERROR_INIT;
    StoreRows rows = { NULL, 0 };
    self->stale = false;
    if (!app->store)
        return;
    size_t index = selected_index(self);
    if (!store_list(app->store, editor_text(self->filter), false, 0, &rows, &err)) {
        app_error(app, &err);
        return;
    }
    store_rows_release(&self->rows);
    self->rows = rows;
    for (size_t i = 0; i < rows.n; i++)
        if (rows.row[i].id == self->selected)
            return;
    if (index >= rows.n)
        index = rows.n ? rows.n - 1 : 0;
    self->selected = rows.n ? rows.row[index].id : 0;
}

void view_list_reload(View *view)
{
    list_view(view)->stale = true;
}

void view_list_filter(View *view, Str filter)
{
    ListView *self = list_view(view);
    self->stale = true;
    self->mode = LIST_BROWSE;
    if (!str_eq(filter, editor_text(self->filter)))
        editor_set(self->filter, filter, false);
}

static void refresh(ListView *self)
{
    if (self->stale || (self->view.app->store && store_changed(self->view.app->store)))
        read_rows(self);
}

/* ---- actions --------------------------------------------------------------------------------- */

void view_list_move(View *view, int rows)
{
    ListView *self = list_view(view);
    refresh(self);
    if (self->rows.n == 0)
        return;
    long at = (long)selected_index(self) + rows;
    if (at < 0)
        at = 0;
    if (at >= (long)self->rows.n)
        at = (long)self->rows.n - 1;
    self->selected = self->rows.row[at].id;
}

void view_list_page(View *view, int pages)
{
    ListView *self = list_view(view);
    view_list_move(view, pages * (self->list_rows > 1 ? self->list_rows - 1 : 1));
}

void view_list_open_selected(View *view)
{
    ListView *self = list_view(view);
    refresh(self);
    const StoreRow *row = selected_row(self);
    if (row && app_open_conversation(view->app, row->id))
        app_close_view(view->app);
}

bool view_list_clear_filter(View *view)
{
    ListView *self = list_view(view);
    if (editor_is_empty(self->filter))
        return false;
    editor_set(self->filter, STR(""), false);
    self->stale = true;
    return true;
}

void view_list_rename(View *view)
{
    ListView *self = list_view(view);
    Error err = ERROR_INIT;
    EditorOptions options = { .one_line = true };
    refresh(self);
    const StoreRow *row = selected_row(self);
    if (!row)
        return;
    if (!self->title) {
        self->title = editor_new(&options, &err);
        if (!self->title) {
            app_error(view->app, &err);
            return;
        }
        inputbox_init(&self->title_box, self->title);
    }
    editor_set(self->title, str_from(row->title), false);
    self->mode = LIST_RENAME;
}

void view_list_delete(View *view)
{
    ListView *self = list_view(view);
    refresh(self);
    const StoreRow *row = selected_row(self);
    if (!row)
        return;
    Buf words = BUF_INIT;
    Str title = text_cut(str_from(row->title), view->app->grid.cols / 2, NULL);
    buf_printf(&words, _("Delete “%.*s”?  y: yes, other keys: no"), (int)title.len, title.data);
    app_notice(view->app, buf_cstr(&words));
    self->mode = LIST_DELETE;
    buf_release(&words);
}

static bool rename_stored(Store *store, int64_t id, Str title, Error *err)
{
    Conversation *conversation = store_load(store, id, err);
    if (!conversation)
        return false;
    free(conversation->title);
    conversation->title = xstrndup(title.data, title.len);
    conversation->title_by = TITLE_USER;
    bool good = store_save_conversation(store, conversation, err);
    conversation_free(conversation);
    return good;
}

static void finish_rename(ListView *self)
{
    App *app = self->view.app;
    Error err = ERROR_INIT;
    Str title = str_trim(editor_text(self->title));
    const StoreRow *row = selected_row(self);
    self->mode = LIST_BROWSE;
    if (!row || title.len == 0)
        return;
    bool is_open = chat_conversation(app->chat)->id == row->id;
    if (!(is_open ? chat_rename(app->chat, title, &err)
                  : rename_stored(app->store, row->id, title, &err)))
        app_error(app, &err);
    self->stale = true;
}

static void finish_delete(ListView *self)
{
    App *app = self->view.app;
    Error err = ERROR_INIT;
    const StoreRow *row = selected_row(self);
    self->mode = LIST_BROWSE;
    if (!row)
        return;
    Buf words = BUF_INIT;
    buf_printf(&words, _("deleted “%s”; /undelete brings it back"), row->title);
    int64_t id = row->id;
    if (chat_conversation(app->chat)->id == id)
        app_new_conversation(app);
    if (store_delete(app->store, id, &err))
        app_notice(app, buf_cstr(&words));
    else
        app_error(app, &err);
    self->stale = true;
    buf_release(&words);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool is_yes(Key key)
{
    return key.mods == 0 &&
           (key.code == 'y' || key.code == 'Y' || key.code == 0xFF59 || key.code == 0xFF39);
}

static bool list_key(View *view, Key key)
{
    ListView *self = list_view(view);
    if (key.code == INPUT_RESIZE || key_eq(key, (Key){ 3, 0 }) || self->mode == LIST_BROWSE) {
        self->mode =
            self->mode == LIST_BROWSE || key.code == INPUT_RESIZE ? self->mode : LIST_BROWSE;
        return false;
    }
    if (self->mode == LIST_DELETE) {
        if (is_yes(key))
            finish_delete(self);
        self->mode = LIST_BROWSE;
        return true;
    }
    if (key_eq(key, (Key){ INPUT_ESC, 0 }))
        self->mode = LIST_BROWSE;
    else if (key.code == INPUT_PASTE)
        editor_insert(self->title, view->app->screen->kind->paste(view->app->screen));
    else if (editor_press(self->title, key) == EDITOR_ACCEPTED)
        finish_rename(self);
    return true;
}

static bool list_edit(View *view, Key key)
{
    ListView *self = list_view(view);
    self->stale = true;
    if (key.code == INPUT_PASTE) {
        editor_insert(self->filter, view->app->screen->kind->paste(view->app->screen));
        return true;
    }
    return editor_press(self->filter, key) != EDITOR_PASSED;
}

static void list_event(View *view, unsigned changes)
{
    if (changes & (CHAT_CHANGED_PATH | CHAT_ENDED))
        list_view(view)->stale = true;
}

/* ---- drawing --------------------------------------------------------------------------------- */

/* Today as a time, else as a day. */
static void write_when(int64_t ms, Buf *out)
{
    time_t when = (time_t)(ms / 1000), now = (time_t)(clock_wall_ms() / 1000);
    struct tm then, today;
    char text[32] = "";
    if (!localtime_r(&when, &then) || !localtime_r(&now, &today))
        return;
    bool same_day = then.tm_year == today.tm_year && then.tm_yday == today.tm_yday;
    strftime(text, sizeof text,
             same_day                        ? "%H:%M"
             : then.tm_year == today.tm_year ? "%m-%d"
                                             : "%Y-%m-%d",
             &then);
    buf_puts(out, text);
}

static void draw_row(const ListView *self, Grid *grid, Rect area, int row, const StoreRow *item)
{
    bool focused = self->view.app->focus == &self->view;
    bool is_open = chat_conversation(self->view.app->chat)->id == item->id;
    Style style = focused && item->id == self->selected ? STYLE_SELECTED : STYLE_TEXT;
    Rect line = { row, area.col, 1, area.cols };
    Buf when = BUF_INIT;
    grid_fill(grid, line, style);
    write_when(item->updated_ms, &when);
    int when_cols = text_cols(buf_str(&when));
    if (is_open)
        grid_text(grid, line, row, area.col, STR(">"), style);
    if (item->pinned)
        grid_text(grid, line, row, area.col + 1, STR("*"), style);
    grid_text_cut(grid, line, row, area.col + 2, area.cols - 4 - when_cols, str_from(item->title),
                  style);
    grid_text(grid, line, row, area.col + area.cols - when_cols - 1, buf_str(&when),
              style == STYLE_TEXT ? STYLE_MARK : style);
    buf_release(&when);
}

static void draw_question(ListView *self, Grid *grid, Rect line)
{
    if (self->mode == LIST_RENAME) {
        inputbox_draw(&self->title_box, grid, line, str_from(_("Title: ")), STYLE_PROMPT);
    } else if (self->view.app->focus == &self->view || !editor_is_empty(self->filter)) {
        inputbox_draw(&self->filter_box, grid, line, str_from(_("Filter: ")), STYLE_PROMPT);
    }
}

static void draw_list(View *view, Grid *grid, Rect area)
{
    ListView *self = list_view(view);
    refresh(self);
    Rect head = { area.row, area.col, 1, area.cols };
    Rect question = { area.row + area.rows - 1, area.col, 1, area.cols };
    grid_fill(grid, area, STYLE_TEXT);
    grid_text_cut(grid, area, area.row, area.col + 1, area.cols - 1, str_from(_("Conversations")),
                  STYLE_HEADING);
    int rows = question.row - head.row - 1;
    self->list_rows = rows;
    size_t selected = selected_index(self);
    if (selected < self->top)
        self->top = selected;
    if (rows > 0 && selected >= self->top + (size_t)rows)
        self->top = selected - (size_t)rows + 1;
    for (int i = 0; i < rows && self->top + (size_t)i < self->rows.n; i++)
        draw_row(self, grid, area, head.row + 1 + i, &self->rows.row[self->top + (size_t)i]);
    if (self->rows.n == 0 && rows > 0)
        grid_text_cut(
            grid, area, head.row + 1, area.col + 2, area.cols - 2,
            str_from(editor_is_empty(self->filter) ? _("none yet") : _("nothing matches")),
            STYLE_MARK);
    draw_question(self, grid, question);
}

static bool list_cursor(const View *view, int *row, int *col)
{
    const ListView *self = (const ListView *)view;
    const InputBox *box = self->mode == LIST_RENAME ? &self->title_box : &self->filter_box;
    *row = box->row;
    *col = box->col;
    return self->mode != LIST_DELETE;
}

const ViewKind view_list = {
    .name = "list",
    .title = N_("conversations"),
    .context = IN_LIST,
    .open = open_list,
    .close = close_list,
    .key = list_key,
    .edit = list_edit,
    .event = list_event,
    .draw = draw_list,
    .cursor = list_cursor,
};
