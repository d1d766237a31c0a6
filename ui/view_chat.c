/* The conversation, the status line and the message that is typed. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/text.h"
#include "src/base/utf8.h"
#include "ui/app.h"
#include "ui/editor.h"
#include "ui/inputbox.h"
#include "ui/status.h"
#include "ui/transcript.h"
#include "ui/view.h"

enum {
    INPUT_ROWS_MAX = 10,
    DRAFT_AFTER_MS = 1500,
    HISTORY_LINES = 1000,
    WELCOME_COLS = 64,
    BEGUN_SLACK_MS = 2000
};

static const Str prompt = { "> ", 2 };

typedef struct {
    View view;
    Editor *editor;
    InputBox box;
    Transcript transcript;
    const Conversation
        *conversation; /* compared only: another pointer or id means another conversation */
    int64_t conversation_id;
    int64_t begun_ms; /* when it was first seen without a number */
    int64_t draft_us; /* when the draft is to be saved; 0: it is */
    int transcript_rows;
} ChatView;

static ChatView *chat_view(View *view)
{
    return (ChatView *)view;
}

static const ChatView *chat_view_const(const View *view)
{
    return (const ChatView *)view;
}

static void add_history(void *arg, Str text)
{
    editor_history_add(arg, text);
}

static View *open_chat(App *app, Str argument)
{
    Error err = ERROR_INIT;
    EditorOptions options = { .has_history = true };
    (void)argument;
    Editor *editor = editor_new(&options, &err);
    if (!editor) {
        app_error(app, &err);
        return NULL;
    }
    ChatView *self = xcalloc(1, sizeof *self);
    self->view = (View){ &view_chat, app };
    self->editor = editor;
    inputbox_init(&self->box, editor);
    transcript_init(&self->transcript);
    if (app->store && !store_history(app->store, HISTORY_LINES, add_history, editor, &err))
        app_error(app, &err);
    return &self->view;
}

static void close_chat(View *view)
{
    ChatView *self = chat_view(view);
    transcript_release(&self->transcript);
    inputbox_release(&self->box);
    editor_free(self->editor);
    free(self);
}

/* ---- the draft ------------------------------------------------------------------------------- */

void view_chat_save_draft(View *view)
{
    ChatView *self = chat_view(view);
    Error err = ERROR_INIT;
    self->draft_us = 0;
    const Conversation *conversation = chat_conversation(view->app->chat);
    if (str_eq(buf_str(&conversation->draft), editor_text(self->editor)))
        return;
    if (!chat_set_draft(view->app->chat, editor_text(self->editor), &err))
        app_error(view->app, &err);
}

/* The model may read what a message starts with; commands are none of its business. */
static void offer_draft(ChatView *self)
{
    App *app = self->view.app;
    bool wanted = options_flag(app->start->options, "pre-read");
    chat_draft_changed(app->chat, wanted ? slash_plain_text(editor_text(self->editor)) : STR_NULL);
}

static void note_typing(ChatView *self)
{
    offer_draft(self);
    const Conversation *conversation = chat_conversation(self->view.app->chat);
    bool changed = !str_eq(buf_str(&conversation->draft), editor_text(self->editor));
    self->draft_us = changed ? clock_mono_us() + DRAFT_AFTER_MS * 1000 : 0;
}

static int chat_deadline(const View *view)
{
    const ChatView *self = chat_view_const(view);
    if (self->draft_us == 0)
        return -1;
    int64_t left = self->draft_us - clock_mono_us();
    return left <= 0 ? 0 : (int)(left / 1000) + 1;
}

static void chat_view_tick(View *view)
{
    ChatView *self = chat_view(view);
    if (self->draft_us != 0 && clock_mono_us() >= self->draft_us)
        view_chat_save_draft(view);
}

void view_chat_sync(View *view)
{
    ChatView *self = chat_view(view);
    const Conversation *conversation = chat_conversation(view->app->chat);
    bool same_place = self->conversation == conversation;
    bool same = same_place && self->conversation_id == conversation->id;
    /* It got its number.  An earlier conversation may have been read into the same memory. */
    bool first_save = same_place && self->conversation_id == 0 &&
                      conversation->created_ms >= self->begun_ms - BEGUN_SLACK_MS;
    if (conversation->id == 0)
        self->begun_ms = clock_wall_ms();
    self->conversation = conversation;
    self->conversation_id = conversation->id;
    if (same || first_save)
        return;
    transcript_reset(&self->transcript);
    self->draft_us = 0;
    if (!str_eq(buf_str(&conversation->draft), editor_text(self->editor)))
        editor_set(self->editor, buf_str(&conversation->draft), false);
    offer_draft(self);
}

/* ---- sending --------------------------------------------------------------------------------- */

static bool is_blank_text(Str text)
{
    for (size_t pos = 0; pos < text.len;) {
        unsigned cp = utf8_next(text, &pos);
        if (cp != ' ' && cp != '\n' && cp != '\t' && cp != 0x3000)
            return false;
    }
    return true;
}

static void accepted(ChatView *self, Str text)
{
    App *app = self->view.app;
    Error err = ERROR_INIT;
    editor_history_add(self->editor, text);
    if (app->store && !store_history_add(app->store, text, &err))
        app_error(app, &err);
    view_chat_sync(
        &self->view); /* a command may have opened another conversation, with a draft of its own */
    if (str_eq(text, editor_text(self->editor)))
        editor_set(self->editor, STR(""), false);
    if (app->inserted.len > 0)
        editor_insert(self->editor, buf_str(&app->inserted));
    buf_reset(&app->inserted);
    offer_draft(self);
    view_chat_save_draft(&self->view);
    transcript_bottom(&self->transcript);
}

static void send_input(ChatView *self)
{
    App *app = self->view.app;
    Buf text = BUF_INIT;
    Str message;
    bool done = false;
    Error err = ERROR_INIT;
    buf_append_str(&text, editor_text(self->editor));
    if (is_blank_text(buf_str(&text))) {
        buf_release(&text);
        return;
    }
    if (app_slash(app, buf_str(&text), &message, &done)) {
        if (done)
            accepted(self, buf_str(&text));
    } else {
        Buf clean = BUF_INIT;
        text_clean_input(message, &clean);
        if (chat_send(app->chat, buf_str(&clean), &err)) {
            transcript_set_note(&self->transcript, STR(""));
            accepted(self, buf_str(&text));
        } else {
            app_error(app, &err); /* what was typed stays */
        }
        buf_release(&clean);
    }
    buf_release(&text);
}

/* ---- completion of commands ------------------------------------------------------------------ */

/* Longest common start of the lines of list, in whole graphemes. */
static Str common_start(Str list)
{
    Str line, common = STR_NULL;
    bool first = true;
    while (str_line(&list, &line)) {
        if (first) {
            common = line;
            first = false;
            continue;
        }
        size_t at = 0;
        while (at < common.len && at < line.len && common.data[at] == line.data[at])
            at++;
        while (at > 0 && at < common.len && ((unsigned char)common.data[at] & 0xC0) == 0x80)
            at--;
        common.len = at;
    }
    return common;
}

void view_chat_complete(View *view)
{
    ChatView *self = chat_view(view);
    App *app = view->app;
    Buf list = BUF_INIT, words = BUF_INIT;
    SlashContext context = { .start = (ChatStart *)app->start };
    Str text = editor_text(self->editor), line;
    slash_complete(&context, text, &list);
    Str rest = buf_str(&list), common = common_start(rest);
    size_t n = 0;
    while (str_line(&rest, &line)) {
        buf_printf(&words, n++ ? "  %.*s" : "%.*s", (int)line.len, line.data);
    }
    if (n > 0) {
        /* A candidate stands for the word under the cursor: what follows the last blank. */
        ptrdiff_t blank = str_rfind(text, STR(" "));
        size_t from = blank < 0 ? 0 : (size_t)blank + 1;
        Buf word = BUF_INIT;
        buf_append_str(&word, common);
        if (n == 1)
            buf_putc(&word, ' ');
        if (word.len >= text.len - from)
            editor_replace(self->editor, from, text.len, buf_str(&word));
        buf_release(&word);
    }
    if (n > 1)
        app_say(app, buf_str(&words));
    buf_release(&words);
    buf_release(&list);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool take_result(ChatView *self, EditorResult result)
{
    if (result == EDITOR_ACCEPTED)
        send_input(self);
    else if (result == EDITOR_DONE)
        note_typing(self);
    return result != EDITOR_PASSED;
}

/* While the history is searched, every key belongs to the search. */
static bool chat_key(View *view, Key key)
{
    ChatView *self = chat_view(view);
    if (editor_search_prompt(self->editor).len == 0 || key.code == INPUT_RESIZE)
        return false;
    if (key.code == INPUT_ESC && key.mods == 0) {
        editor_key(self->editor, 0x07); /* Esc alone would wait for a second half */
        return true;
    }
    return take_result(self, editor_press(self->editor, key));
}

static bool chat_edit_key(View *view, Key key)
{
    ChatView *self = chat_view(view);
    if (key.code == INPUT_PASTE) {
        editor_insert(self->editor, view->app->screen->kind->paste(view->app->screen));
        note_typing(self);
        return true;
    }
    if (key.code == INPUT_ESC && key.mods == 0 && !editor_is_vi(self->editor))
        return true;
    return take_result(self, editor_press(self->editor, key));
}

static void chat_view_event(View *view, unsigned changes)
{
    if (changes & (CHAT_CHANGED_PATH | CHAT_CHANGED_STATE | CHAT_ENDED))
        view_chat_sync(view);
}

/* ---- drawing --------------------------------------------------------------------------------- */

static void draw_welcome(const App *app, Grid *grid, Rect area)
{
    Buf text = BUF_INIT;
    Layout layout = LAYOUT_INIT;
    int cols = area.cols - 4 < WELCOME_COLS ? area.cols - 4 : WELCOME_COLS;
    buf_puts(&text, _("Type a message and press Enter.  ^J begins a new line, F1 shows all keys, "
                      "/help all commands."));
    buf_puts(&text, "\n\n");
    if (!chat_status(app->chat)->model && !app_is_busy(app))
        buf_puts(&text, _("No model is open."));
    else if (!app->store || options_flag(app->start->options, "private"))
        buf_puts(&text, _("Nothing of this chat is saved."));
    else
        buf_puts(&text, _("Everything is saved as you go; F2 lists earlier conversations."));
    layout_text(buf_str(&text), cols, LAYOUT_TAB, &layout);
    for (size_t i = 0; i < layout.n && (int)i < area.rows; i++) {
        LayoutRow row = layout.row[i];
        grid_text(grid, area, area.row + (int)i + (area.rows > 8), area.col + 2,
                  str_sub(buf_str(&text), row.from, row.to - row.from), STYLE_MARK);
    }
    layout_release(&layout);
    buf_release(&text);
}

static void draw_chat(View *view, Grid *grid, Rect area)
{
    ChatView *self = chat_view(view);
    int wanted = inputbox_rows(&self->box, prompt, area.cols);
    int most = area.rows / 3 < INPUT_ROWS_MAX ? area.rows / 3 : INPUT_ROWS_MAX;
    int input_rows = wanted < most ? wanted : most;
    if (input_rows < 1)
        input_rows = 1;
    Rect input = { area.row + area.rows - input_rows, area.col, input_rows, area.cols };
    Rect status = { input.row - 1, area.col, 1, area.cols };
    Rect text = { area.row, area.col + 1, status.row - area.row, area.cols - 2 };
    self->transcript_rows = text.rows;
    transcript_update(&self->transcript, view->app->chat, text.cols, text.rows);
    if (self->transcript.n_path == 0 && self->transcript.note.len == 0)
        draw_welcome(view->app, grid, text);
    transcript_draw(&self->transcript, grid, text);
    status_draw(view->app->chat, grid, status);
    inputbox_draw(&self->box, grid, input, prompt, STYLE_PROMPT);
}

static bool chat_cursor(const View *view, int *row, int *col)
{
    const ChatView *self = chat_view_const(view);
    *row = self->box.row;
    *col = self->box.col;
    return true;
}

/* ---- what actions ask for -------------------------------------------------------------------- */

void view_chat_scroll(View *view, int rows)
{
    transcript_scroll(&chat_view(view)->transcript, rows);
}

void view_chat_page(View *view, int pages)
{
    int rows = chat_view(view)->transcript_rows - 2;
    transcript_scroll(&chat_view(view)->transcript, pages * (rows < 1 ? 1 : rows));
}

void view_chat_top(View *view)
{
    transcript_top(&chat_view(view)->transcript);
}

void view_chat_bottom(View *view)
{
    transcript_bottom(&chat_view(view)->transcript);
}

bool view_chat_input_is_empty(const View *view)
{
    return editor_is_empty(chat_view_const(view)->editor);
}

void view_chat_clear_input(View *view)
{
    ChatView *self = chat_view(view);
    Buf text = BUF_INIT;
    buf_append_str(&text, editor_text(self->editor));
    editor_history_add(self->editor, buf_str(&text));
    editor_set(self->editor, STR(""), true);
    note_typing(self);
    buf_release(&text);
}

void view_chat_note(View *view, Str text)
{
    transcript_set_note(&chat_view(view)->transcript, text);
    if (text.len > 0)
        transcript_read_note(&chat_view(view)->transcript);
}

bool view_chat_has_note(const View *view)
{
    return chat_view_const(view)->transcript.note.len > 0;
}

const ViewKind view_chat = {
    .name = "chat",
    .title = N_("conversation"),
    .context = IN_CHAT,
    .open = open_chat,
    .close = close_chat,
    .key = chat_key,
    .edit = chat_edit_key,
    .event = chat_view_event,
    .deadline_ms = chat_deadline,
    .tick = chat_view_tick,
    .draw = draw_chat,
    .cursor = chat_cursor,
};
