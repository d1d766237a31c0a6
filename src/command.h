/* The commands of `kaiwa COMMAND …`: one table for dispatch, --help, completions and the man page.
 */
#ifndef SRC_COMMAND_H
#define SRC_COMMAND_H

#include "src/option.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

struct ChatStart;

/* What main gives every command. */
typedef struct CommandContext {
    Options *options;
    const char **args; /* what was no option, without the command's name */
    int n_args;
    /* Opens the screen; NULL in builds and tests without one.  main.c sets it to ui_run. */
    int (*screen)(const struct ChatStart *start);
} CommandContext;

typedef struct {
    const char *name;
    const char *synopsis;         /* "[TEXT | -]" */
    const char *help;             /* N_(one sentence) */
    unsigned uses;                /* OptionUse bits it takes besides OPTION_EVERYWHERE */
    int min_args, max_args;       /* -1: any */
    int (*run)(CommandContext *); /* exit status; has printed its error */
} CommandRow;

const CommandRow *command_table(size_t *n);
const CommandRow *command_find(const char *name);

/* The whole program but for locale and signals: options, choice of the command, its run.  Returns
 * the exit status. */
int command_main(int argc, char **argv, int (*screen)(const struct ChatStart *start));

/* Prints "kaiwa: text" on stderr and returns the exit status that fits the kind. */
int command_fail(const Error *err);

/* ---- starting a chat: what `kaiwa`, `kaiwa chat` and `ask` share
 * ------------------------------------------------- */

struct Chat;
struct Store;
struct Worker;

typedef struct ChatStart {
    Options *options;
    struct Store *store;
    struct Worker *worker;
    struct Chat *chat;
    const char *first_message; /* TEXT of the command line, sent at once; NULL */
    Buf notice;                /* said when the chat opens, translated (no model at hand, …) */
    bool greets;               /* the greeting (src/greeting.h) is said in its place */
} ChatStart;

/* A new conversation with the system prompt, persona, sampling and length of the options (what /new
 * and its key do). */
bool start_new_conversation(ChatStart *start, Error *err);
/* Asks for a model by name (NULL: the one that start_choose_model names). */
bool start_open_model(ChatStart *start, const char *model, Error *err);
/* To be called whenever chat_event reports CHAT_CHANGED_MODEL: sampling of a conversation that has
 * not begun follows the model's own defaults, and the model becomes the last one used. */
void start_model_changed(ChatStart *start);
/* --model (also from environment or file), the model last used, or the bundled guide; appends.
 * False: there is none. */
bool start_choose_model(const Options *options, struct Store *store, Buf *out);
/* What to tell somebody for whom no model opens: which there are, or the one way to get one.
 * Translated; appends. */
void start_no_model_write(Buf *out);
/* The same as an error; false. */
bool start_no_model(Error *err);

#endif
