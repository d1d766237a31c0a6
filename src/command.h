/* The commands of `kaiwa COMMAND …`: one table for dispatch, --help, completions and the man page. */
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
    const char *synopsis; /* "[TEXT | -]" */
    const char *help;     /* N_(one sentence) */
    unsigned uses;        /* OptionUse bits it takes besides OPTION_EVERYWHERE */
    int min_args, max_args; /* -1: any */
    int (*run)(CommandContext *); /* exit status; has printed its error */
} CommandRow;

const CommandRow *command_table(size_t *n);
const CommandRow *command_find(const char *name);

/* Prints "kaiwa: text" on stderr and returns the exit status that fits the kind. */
int command_fail(const Error *err);

/* ---- starting a chat: what `kaiwa`, `kaiwa chat` and `ask` share ------------------------------------------------- */

struct Chat;
struct Store;
struct Worker;

typedef struct ChatStart {
    Options *options;
    struct Store *store;
    struct Worker *worker;
    struct Chat *chat;
    const char *first_message; /* TEXT of the command line, sent at once; NULL */
    const char *notice;        /* said once when the chat opens, translated (no model at hand, …); NULL */
} ChatStart;

#endif
