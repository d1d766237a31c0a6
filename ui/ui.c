/* The screen's one loop (architecture 6): waits, takes signals, events and keys, and paints.
 * Nothing else paints. */
#include "config.h"

#include "ui/ui.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/i18n.h"
#include "src/base/log.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/base/text.h"
#include "src/greeting.h"
#include "ui/app.h"
#include "ui/frame.h"
#include "ui/terminal.h"

enum { FRAME_US = 16667, PROBE_MS = 200, STOP_MS = 2000 };

/* ---- what views and actions call ------------------------------------------------------------- */

void app_redraw(App *app)
{
    app->dirty = app->urgent = true;
}

bool app_is_busy(const App *app)
{
    return chat_status(app->chat)->state != CHAT_IDLE;
}

bool app_is_replying(const App *app)
{
    ChatState state = chat_status(app->chat)->state;
    return state == CHAT_READING || state == CHAT_REPLYING;
}

bool app_has_pane(const App *app)
{
    return app->grid.cols >= PANE_FROM_COLS && app->store != NULL;
}

static void set_notice(App *app, const char *text, bool is_error)
{
    buf_reset(&app->notice);
    buf_puts(&app->notice, text);
    app->notice_is_error = is_error;
    app->notice_is_new = true;
    app_redraw(app);
}

void app_notice(App *app, const char *text)
{
    set_notice(app, text, false);
}

void app_error(App *app, const Error *err)
{
    log_write(LOG_WARN, "%s", err->text);
    set_notice(app, err->text, true);
}

void app_note(App *app, Str text)
{
    if (app->chat_view)
        view_chat_note(app->chat_view, text);
    app_redraw(app);
}

bool app_open_view(App *app, const char *name, Str argument)
{
    const ViewKind *kind = view_find(name);
    if (!kind)
        return false;
    if (kind == &view_list) {
        if (!app->list_view)
            return false;
        app_close_view(app);
        view_list_filter(app->list_view, argument);
        app->focus = app->list_view;
    } else if (kind == &view_chat) {
        app_close_view(app);
    } else {
        View *view = kind->open(app, argument);
        if (!view)
            return false;
        app_close_view(app);
        app->over = app->focus = view;
    }
    app_redraw(app);
    return true;
}

void app_close_view(App *app)
{
    View *over = app->over;
    app->over = NULL;
    app->focus = app->chat_view;
    if (over)
        over->kind->close(over);
    app_redraw(app);
}

void app_changed(App *app, unsigned changes)
{
    View *const views[] = { app->chat_view, app->list_view, app->over };
    if (changes == CHAT_CHANGED_NOTHING)
        return;
    app->dirty = true;
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        if (views[i] && views[i]->kind->event)
            views[i]->kind->event(views[i], changes);
    const Error *err = chat_error(app->chat);
    if ((changes & CHAT_CHANGED_ERROR) && err->kind != ERR_NONE && err->kind != ERR_CANCELLED)
        app_error(app, err);
}

bool app_open_conversation(App *app, int64_t id)
{
    Error err = ERROR_INIT;
    if (chat_conversation(app->chat)->id == id)
        return true;
    view_chat_save_draft(app->chat_view);
    bool good = chat_open_conversation(app->chat, id, &err);
    if (!good)
        app_error(app, &err);
    app_note(app, STR(""));
    app_changed(app, CHAT_CHANGED_PATH | CHAT_CHANGED_STATE);
    return good;
}

void app_new_conversation(App *app)
{
    Error err = ERROR_INIT;
    view_chat_save_draft(app->chat_view);
    if (!start_new_conversation((ChatStart *)app->start, &err))
        app_error(app, &err);
    app_note(app, STR(""));
    app_changed(app, CHAT_CHANGED_PATH | CHAT_CHANGED_STATE);
}

void app_say(App *app, Str text)
{
    while (text.len > 0 && text.data[text.len - 1] == '\n')
        text.len--;
    if (memchr(text.data, '\n', text.len) || text_cols(text) > 3 * (app->grid.cols - 2)) {
        app_note(app, text);
        return;
    }
    Buf words = BUF_INIT;
    buf_append_str(&words, text);
    app_notice(app, buf_cstr(&words));
    buf_release(&words);
}

bool app_slash(App *app, Str line, Str *message, bool *done)
{
    Error err = ERROR_INIT;
    SlashResult result = SLASH_NONE;
    Buf out = BUF_INIT, notice = BUF_INIT, view = BUF_INIT, argument = BUF_INIT;
    SlashContext context = { .start = (ChatStart *)app->start,
                             .out = &out,
                             .notice = &notice,
                             .view = &view,
                             .argument = &argument,
                             .draft = &app->inserted };
    bool is_command = slash_run(&context, line, message, &result, &err);
    if (result == SLASH_VIEW && !view_find(buf_cstr(&view))) {
        context.plain = true; /* there is no such view (yet): it is told in words */
        slash_run(&context, line, message, &result, &err);
    }
    if (is_command) {
        *done = result != SLASH_NONE;
        if (result == SLASH_NONE)
            app_error(app, &err);
        else if (result == SLASH_VIEW)
            app_open_view(app, buf_cstr(&view), buf_str(&argument));
        else if (result == SLASH_QUIT)
            app_quit(app);
        if (result == SLASH_DONE || out.len > 0)
            app_note(app, buf_str(&out));
        if (notice.len > 0)
            app_say(app, buf_str(&notice));
        app_changed(app, CHAT_CHANGED_PATH | CHAT_CHANGED_STATE);
        if (app->list_view)
            view_list_reload(app->list_view);
    }
    buf_release(&out);
    buf_release(&notice);
    buf_release(&view);
    buf_release(&argument);
    return is_command;
}

void app_quit(App *app)
{
    app->quit = true;
}

void app_arm_quit(App *app, const char *key)
{
    if (app->quit_armed) {
        app_quit(app);
        return;
    }
    Buf words = BUF_INIT;
    buf_printf(&words, _("press %s again to quit; everything is saved"), key);
    app_notice(app, buf_cstr(&words));
    app->quit_armed = true;
    buf_release(&words);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* False: neither an action nor the start of one. */
static bool run_action(App *app, Key key)
{
    bool is_prefix, was_started = app->typed.n > 0;
    app->typed.key[app->typed.n++] = key;
    const ActionRow *action =
        keymap_find(&app->keymap, app->focus->kind->context, &app->typed, app, &is_prefix);
    if (!action && is_prefix && app->typed.n < KEYS_IN_SEQUENCE) {
        Buf words = BUF_INIT;
        key_write(key, &words);
        buf_puts(&words, " -");
        app_notice(app, buf_cstr(&words));
        buf_release(&words);
        return true;
    }
    KeySequence typed = app->typed;
    app->typed.n = 0;
    if (action && (!action->available || action->available(app))) {
        action->run(app);
        return true;
    }
    if (!was_started)
        return false;
    Buf words = BUF_INIT;
    for (size_t i = 0; i < typed.n; i++) {
        key_write(typed.key[i], &words);
        buf_putc(&words, ' ');
    }
    buf_puts(&words, action ? _("is not possible now") : _("is no key; F1 shows all"));
    app_notice(app, buf_cstr(&words));
    buf_release(&words);
    return true;
}

static void take_key(App *app, Key key)
{
    bool was_armed = app->quit_armed;
    if (key.code == INPUT_IGNORED)
        return;
    app_redraw(app);
    if (key.code == INPUT_RESIZE)
        return;
    app->notice_is_new = false;
    bool has_view_taken =
        app->typed.n == 0 && app->focus->kind->key && app->focus->kind->key(app->focus, key);
    if (!has_view_taken && !run_action(app, key) && app->focus->kind->edit)
        app->focus->kind->edit(app->focus, key);
    if (!app->notice_is_new)
        buf_reset(&app->notice);
    if (was_armed)
        app->quit_armed = false;
}

static void take_keys(App *app)
{
    Key key;
    while (!app->quit && app->screen->kind->key(app->screen, &key))
        take_key(app, key);
}

/* ---- events, signals, timers ----------------------------------------------------------------- */

static void send_first(App *app)
{
    Error err = ERROR_INIT;
    const ChatStatus *status = chat_status(app->chat);
    if (!app->waits_first || status->state != CHAT_IDLE)
        return;
    app->waits_first = false;
    if (!chat_send(app->chat, str_from(app->start->first_message), &err)) {
        app_error(app, &err);
        return;
    }
    app_changed(app, CHAT_CHANGED_PATH | CHAT_CHANGED_STATE);
}

static void take_events(App *app)
{
    Event *event;
    while ((event = worker_take(app->start->worker)) != NULL) {
        unsigned changes = chat_event(app->chat, event);
        if (changes & CHAT_CHANGED_MODEL)
            start_model_changed((ChatStart *)app->start);
        if (event->kind == EVENT_OPENED && event->model.notice && *event->model.notice)
            app_notice(app, event->model.notice);
        app->n_events += event->kind != EVENT_PLAN; /* which no gate holds back */
        event_free(event);
        app_changed(app, changes);
    }
    app_changed(app, chat_tick(app->chat));
    send_first(app);
}

static void take_signals(App *app)
{
    int number;
    while ((number = terminal_signal_take()) != 0) {
        app->exit_status = EXIT_INTERRUPTED;
        app_quit(app);
    }
}

static void take_timers(App *app)
{
    View *const views[] = { app->chat_view, app->list_view, app->over };
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        if (views[i] && views[i]->kind->tick)
            views[i]->kind->tick(views[i]);
}

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

static int timers_ms(const App *app)
{
    const View *const views[] = { app->chat_view, app->list_view, app->over };
    int ms = chat_deadline_ms(app->chat);
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        if (views[i] && views[i]->kind->deadline_ms)
            ms = sooner(ms, views[i]->kind->deadline_ms(views[i]));
    return ms;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static int frame_ms(const App *app)
{
    if (!app->dirty)
        return -1;
    int64_t left = app->painted_us + FRAME_US - clock_mono_us();
    return app->urgent || left <= 0 ? 0 : (int)((left + 999) / 1000);
}

static void paint(App *app, bool now)
{
    if (!app->dirty || (!now && frame_ms(app) > 0))
        return;
    frame_paint(app);
    app->painted_us = clock_mono_us();
    app->dirty = app->urgent = false;
}

static bool is_settled(const View *view)
{
    return !view || ((!view->kind->deadline_ms || view->kind->deadline_ms(view) < 0) &&
                     (!view->kind->is_waiting || !view->kind->is_waiting(view)));
}

static ScreenWake wait_for_input(App *app, int signal_fd)
{
    Error err = ERROR_INIT;
    ScreenWait wait = {
        .worker_fd = worker_fd(app->start->worker),
        .signal_fd = signal_fd,
        .timeout_ms = sooner(frame_ms(app), timers_ms(app)),
        .is_idle = !app_is_busy(app) && !app->waits_first,
        .is_settled = !app_is_busy(app) && !app->waits_first && is_settled(app->over),
        .n_events = app->n_events,
    };
    ScreenWake wake = app->screen->kind->wait(app->screen, &wait, &err);
    if (err.kind != ERR_NONE) {
        app->exit_status = command_fail(&err);
        return SCREEN_END;
    }
    return wake;
}

static void run_loop(App *app, int signal_fd)
{
    bool now = false;
    app_redraw(app);
    while (!app->quit) {
        paint(app, now);
        ScreenWake wake = wait_for_input(app, signal_fd);
        now = wake == SCREEN_PAINT;
        if (now)
            app->dirty = true;
        if (wake == SCREEN_END)
            app_quit(app);
        take_signals(app);
        take_events(app);
        take_timers(app);
        take_keys(app);
    }
}

/* Stops what runs, waits until it has (so that the reply is stored as stopped, with all of its
 * text), saves. */
static void shut_down(App *app)
{
    view_chat_save_draft(app->chat_view);
    if (app_is_busy(app)) {
        int64_t end = clock_mono_us() + STOP_MS * 1000;
        chat_stop(app->chat);
        worker_cancel(app->start->worker);
        while (app_is_busy(app) && clock_mono_us() < end &&
               worker_wait(app->start->worker, STOP_MS))
            take_events(app);
    }
    chat_save_now(app->chat);
}

/* ---- start and end --------------------------------------------------------------------------- */

static void say_how_to_resume(const App *app)
{
    const Conversation *conversation = chat_conversation(app->chat);
    if (!app->store || !conversation->uid[0] || conversation->n_messages == 0 ||
        options_flag(app->start->options, "private"))
        return;
    Buf text = BUF_INIT;
    buf_printf(&text, _("To go on with this conversation: kaiwa -r %.8s"), conversation->uid);
    buf_putc(&text, '\n');
    fputs(buf_cstr(&text), stdout);
    fflush(stdout);
    buf_release(&text);
}

static void add_theme_line(void *arg, Str name, Str value)
{
    App *app = arg;
    Error err = ERROR_INIT;
    if (!theme_set(&app->theme, name, value, &err))
        log_write(LOG_WARN, "%s", err.text);
}

static bool parse_size(const char *text, ScreenOptions *out, Error *err)
{
    Str s = str_from(text);
    ptrdiff_t x = str_find(s, STR("x"));
    long long cols = 0, rows = 0;
    if (x < 0 || !str_to_long(str_sub(s, 0, (size_t)x), &cols) ||
        !str_to_long(str_from_offset(s, (size_t)x + 1), &rows) || cols < 1 || rows < 1 ||
        cols > 1000 || rows > 1000)
        return error_set(err, ERR_USAGE, _("--headless: “%s” is no size; write COLUMNSxROWS"),
                         text);
    out->cols = (int)cols;
    out->rows = (int)rows;
    return true;
}

/* auto: asks the terminal; before curses starts, so that the answer cannot be taken for keys. */
static void choose_width(const Options *options, bool is_terminal, bool *has_sync)
{
    const char *width = options_string(options, "ambiguous-width");
    if (width && strcmp(width, "auto") != 0)
        text_set_ambiguous(strcmp(width, "2") == 0 ? 2 : 1);
    else
        text_set_ambiguous(is_terminal ? terminal_probe_ambiguous(PROBE_MS, has_sync) : 1);
}

static bool open_screen(App *app, Error *err)
{
    const Options *options = app->start->options;
    const char *headless = options_string(options, "headless");
    ScreenOptions wanted = { .theme = &app->theme, .replay = options_string(options, "keys") };
    if (headless && !parse_size(headless, &wanted, err))
        return false;
    choose_width(options, !headless, &wanted.has_sync);
    if (!headless) {
        Buf path = BUF_INIT;
        Error ignored = ERROR_INIT;
        path_state_dir(&path);
        bool has_dir = path_mkdirs(buf_cstr(&path), &ignored);
        buf_puts(&path, "/stderr.log");
        fflush(stderr);
        terminal_stderr_away(has_dir ? buf_cstr(&path) : NULL);
        buf_release(&path);
    }
    const ScreenKind *kind = headless ? &screen_headless : &screen_curses;
    app->screen = kind->open(&wanted, err);
    if (!app->screen)
        terminal_stderr_back();
    return app->screen != NULL;
}

static bool open_views(App *app, Error *err)
{
    app->chat_view = view_chat.open(app, STR(""));
    if (app->chat_view && app->store)
        app->list_view = view_list.open(app, STR(""));
    app->focus = app->chat_view;
    if (!app->chat_view || (app->store && !app->list_view))
        return error_set(err, ERR_SYSTEM, "%s",
                         app->notice.len ? buf_cstr(&app->notice)
                                         : _("cannot start the line editor"));
    return true;
}

static void app_release(App *app)
{
    View *const views[] = { app->over, app->list_view, app->chat_view };
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        if (views[i])
            views[i]->kind->close(views[i]);
    if (app->screen)
        app->screen->kind->close(app->screen);
    keymap_release(&app->keymap);
    grid_release(&app->grid);
    buf_release(&app->notice);
    buf_release(&app->inserted);
}

/* What was wrong with the keys' settings, then the greeting or why there is no model. */
static void say_first(App *app, Buf *words)
{
    const ChatStart *start = app->start;
    if (start->greets)
        greeting_write(start, words);
    else
        buf_append_str(words, buf_str(&start->notice));
    app_note(app, buf_str(words));
    if (start->greets)
        greeting_was_shown(start);
}

int ui_run(const ChatStart *start)
{
    Error err = ERROR_INIT;
    Buf warnings = BUF_INIT;
    App app = { .start = start,
                .chat = start->chat,
                .store = start->store,
                .waits_first = start->first_message != NULL };
    theme_init(&app.theme);
    options_section(start->options, "theme default", add_theme_line, &app);
    keymap_init(&app.keymap, start->options, &warnings);
    grid_init(&app.grid);
    int signal_fd = terminal_signals_open();
    bool good = open_screen(&app, &err) && open_views(&app, &err);
    if (good) {
        app_changed(&app, CHAT_CHANGED_PATH | CHAT_CHANGED_STATE);
        say_first(&app, &warnings);
        run_loop(&app, signal_fd);
        shut_down(&app);
    }
    app_release(&app);
    terminal_signals_close();
    buf_release(&warnings);
    if (!good)
        return command_fail(&err);
    say_how_to_resume(&app);
    return app.exit_status;
}
