/* The table of actions.  What an action does to a view is the view's; here is only which key asks
 * for it, and when. */
#include "config.h"

#include "ui/action.h"

#include "src/base/i18n.h"
#include "ui/app.h"

/* ---- when ------------------------------------------------------------------------------------ */

static bool has_note(const App *app)
{
    return view_chat_has_note(app->chat_view) && !app_is_replying(app);
}

static bool input_is_empty(const App *app)
{
    return view_chat_input_is_empty(app->chat_view);
}

static bool has_reply(const App *app)
{
    return conversation_last(chat_conversation(app->chat)) != NULL && !app_is_busy(app);
}

/* The message nearest to the end that has versions. */
static const Message *versioned(const App *app)
{
    const Conversation *conversation = chat_conversation(app->chat);
    size_t index;
    const Message *message = conversation_last(conversation);
    while (message && conversation_siblings(conversation, message, NULL, 0, &index) < 2)
        message = conversation_find(conversation, message->parent_id);
    return message;
}

static bool has_versions(const App *app)
{
    return !app_is_busy(app) && versioned(app) != NULL;
}

static bool has_store(const App *app)
{
    return app->store != NULL;
}

/* ---- what ------------------------------------------------------------------------------------ */

static void run_help(App *app)
{
    app_open_view(app, "help", STR(""));
}

static void run_list(App *app)
{
    app_open_view(app, "list", STR(""));
}

static void run_system(App *app)
{
    app_open_view(app, "system", STR(""));
}

static void run_close(App *app)
{
    app_close_view(app);
}

static void run_slash(App *app, const char *line)
{
    Str message;
    bool done;
    app_slash(app, str_from(line), &message, &done);
}

static void run_retry(App *app)
{
    Error err = ERROR_INIT;
    if (!chat_regenerate(app->chat, &err))
        app_error(app, &err);
    view_chat_bottom(app->chat_view);
}

static void run_continue(App *app)
{
    Error err = ERROR_INIT;
    if (!chat_continue(app->chat, &err))
        app_error(app, &err);
    view_chat_bottom(app->chat_view);
}

static void run_export(App *app)
{
    run_slash(app, "/export md");
}

static void run_new(App *app)
{
    app_new_conversation(app);
    app_close_view(app);
}

static void switch_version(App *app, int step)
{
    Error err = ERROR_INIT;
    const Message *message = versioned(app);
    if (message && !chat_switch(app->chat, message->id, step, &err) && err.kind != ERR_NONE)
        app_error(app, &err);
}

static void run_version_back(App *app)
{
    switch_version(app, -1);
}

static void run_version_on(App *app)
{
    switch_version(app, 1);
}

static void run_stop(App *app)
{
    chat_stop(app->chat);
}

static void run_dismiss(App *app)
{
    view_chat_note(app->chat_view, STR(""));
}

/* ^C: the nearest thing that can be given up. */
static void run_interrupt(App *app)
{
    if (app_is_replying(app))
        chat_stop(app->chat);
    else if (app->focus != app->chat_view)
        app_close_view(app);
    else if (!view_chat_input_is_empty(app->chat_view))
        view_chat_clear_input(app->chat_view);
    else
        app_arm_quit(app, "^C");
}

static void run_end(App *app)
{
    app_arm_quit(app, "^D");
}

static void run_quit(App *app)
{
    app_quit(app);
}

static void run_suspend(App *app)
{
    view_chat_save_draft(app->chat_view);
    app->screen->kind->suspend(app->screen);
    app_redraw(app);
}

static void run_repaint(App *app)
{
    app->screen->kind->repaint(app->screen);
    app_redraw(app);
}

static void run_complete(App *app)
{
    view_chat_complete(app->chat_view);
}

static void page(App *app, int pages)
{
    if (app->focus->kind == &view_system)
        view_system_page(app->focus, pages);
    else
        view_chat_page(app->chat_view, pages);
}

static void run_page_up(App *app)
{
    page(app, -1);
}

static void run_page_down(App *app)
{
    page(app, 1);
}

static void run_row_up(App *app)
{
    view_chat_scroll(app->chat_view, -1);
}

static void run_row_down(App *app)
{
    view_chat_scroll(app->chat_view, 1);
}

static void run_top(App *app)
{
    view_chat_top(app->chat_view);
}

static void run_bottom(App *app)
{
    view_chat_bottom(app->chat_view);
}

static void run_list_up(App *app)
{
    view_list_move(app->list_view, -1);
}

static void run_list_down(App *app)
{
    view_list_move(app->list_view, 1);
}

static void run_list_page_up(App *app)
{
    view_list_page(app->list_view, -1);
}

static void run_list_page_down(App *app)
{
    view_list_page(app->list_view, 1);
}

static void run_list_open(App *app)
{
    view_list_open_selected(app->list_view);
}

static void run_list_rename(App *app)
{
    view_list_rename(app->list_view);
}

static void run_list_delete(App *app)
{
    view_list_delete(app->list_view);
}

static void run_list_close(App *app)
{
    if (!view_list_clear_filter(app->list_view))
        app_close_view(app);
}

static void run_help_up(App *app)
{
    view_help_scroll(app->over, -1, false);
}

static void run_help_down(App *app)
{
    view_help_scroll(app->over, 1, false);
}

static void run_help_page_up(App *app)
{
    view_help_scroll(app->over, -1, true);
}

static void run_help_page_down(App *app)
{
    view_help_scroll(app->over, 1, true);
}

static const ActionRow table[] = {
    { "stop", IN_CHAT, "Esc", N_("stop the reply; what came is kept"), N_("stop"), app_is_replying,
      run_stop },
    { "dismiss", IN_CHAT, "Esc", N_("put away what a command said"), N_("put away"), has_note,
      run_dismiss },
    { "help", IN_CHAT | IN_LIST | IN_SYSTEM, "F1|^X h", N_("show this help"), N_("help"), NULL,
      run_help },
    { "list", IN_CHAT | IN_SYSTEM, "F2|^X l", N_("conversations: open, rename, delete"), N_("list"),
      has_store, run_list },
    { "system", IN_CHAT | IN_LIST, "F3|^X s", N_("edit the system prompt"), N_("system"), NULL,
      run_system },
    { "retry", IN_CHAT, "F5|^X r", N_("another reply to the last message"), N_("retry"), has_reply,
      run_retry },
    { "continue", IN_CHAT, "^X c", N_("go on with a reply that was cut off"), NULL, has_reply,
      run_continue },
    { "export", IN_CHAT, "F8|^X o", N_("write the conversation to a Markdown file"), N_("export"),
      has_reply, run_export },
    { "new", IN_CHAT | IN_LIST, "^X n", N_("begin a new conversation"), NULL, NULL, run_new },
    { "version-back", IN_CHAT, "Alt-Left|^X <", N_("the version before, of a reply or message"),
      NULL, has_versions, run_version_back },
    { "version-on", IN_CHAT, "Alt-Right|^X >", N_("the next version"), NULL, has_versions,
      run_version_on },
    { "page-up", IN_CHAT | IN_SYSTEM, "PgUp", N_("scroll the conversation back a page"), NULL, NULL,
      run_page_up },
    { "page-down", IN_CHAT | IN_SYSTEM, "PgDn", N_("scroll on a page"), NULL, NULL, run_page_down },
    { "row-up", IN_CHAT, "Shift-Up|Shift-PgUp", N_("scroll back a row"), NULL, NULL, run_row_up },
    { "row-down", IN_CHAT, "Shift-Down|Shift-PgDn", N_("scroll on a row"), NULL, NULL,
      run_row_down },
    { "top", IN_CHAT, "Alt-<|Ctrl-Home", N_("start of the conversation"), NULL, NULL, run_top },
    { "bottom", IN_CHAT, "Alt->|Ctrl-End", N_("end of the conversation, and stay there"), NULL,
      NULL, run_bottom },
    { "complete", IN_CHAT, "Tab", N_("complete a command"), NULL, NULL, run_complete },
    { "interrupt", IN_ALL, "^C", N_("stop the reply; else clear the input; else quit"), NULL, NULL,
      run_interrupt },
    { "end", IN_CHAT, "^D", N_("quit, when the input is empty"), NULL, input_is_empty, run_end },
    { "quit", IN_ALL, "F10|^X q", N_("save and quit"), N_("quit"), NULL, run_quit },
    { "suspend", IN_ALL, "^Z", N_("back to the shell for a while (fg returns)"), NULL, NULL,
      run_suspend },
    { "repaint", IN_ALL, "^L", N_("draw the screen anew"), NULL, NULL, run_repaint },

    { "list-open", IN_LIST, "Enter", N_("open the conversation"), N_("open"), NULL, run_list_open },
    { "list-rename", IN_LIST, "Alt-r|^X r", N_("rename it"), N_("rename"), NULL, run_list_rename },
    { "list-delete", IN_LIST, "Alt-d|Delete|^X d", N_("delete it (/undelete brings it back)"),
      N_("delete"), NULL, run_list_delete },
    { "list-up", IN_LIST, "Up|^P", N_("the one above"), NULL, NULL, run_list_up },
    { "list-down", IN_LIST, "Down|^N", N_("the one below"), NULL, NULL, run_list_down },
    { "list-page-up", IN_LIST, "PgUp", N_("a page up"), NULL, NULL, run_list_page_up },
    { "list-page-down", IN_LIST, "PgDn", N_("a page down"), NULL, NULL, run_list_page_down },
    { "list-close", IN_LIST, "Esc|F2|^X l", N_("clear the filter; back to the chat"), N_("back"),
      NULL, run_list_close },

    { "system-close", IN_SYSTEM, "Esc|F3|^X s", N_("leave the system prompt as it was"),
      N_("cancel"), NULL, run_close },

    { "help-up", IN_HELP, "Up|^P|k", N_("a row up"), NULL, NULL, run_help_up },
    { "help-down", IN_HELP, "Down|^N|j|Enter", N_("a row down"), NULL, NULL, run_help_down },
    { "help-page-up", IN_HELP, "PgUp|b", N_("a page up"), NULL, NULL, run_help_page_up },
    { "help-page-down", IN_HELP, "PgDn|Space", N_("a page down"), NULL, NULL, run_help_page_down },
    { "help-close", IN_HELP, "Esc|F1|q|^X h", N_("back"), N_("back"), NULL, run_close },
};

const ActionRow *action_table(size_t *n)
{
    *n = ARRAY_LEN(table);
    return table;
}
