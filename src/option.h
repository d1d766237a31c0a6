/* Options: one table for the command line, the environment, kaiwa.conf, --help, F1, completions and
 * the man pages. Precedence: command line, environment (KAIWA_NAME), file, default.  Together with
 * base/path.c the only reader of the environment. */
#ifndef SRC_OPTION_H
#define SRC_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/error.h"
#include "src/base/sampling.h"

typedef enum {
    OPTION_FLAG,
    OPTION_INT,
    OPTION_REAL,
    OPTION_STRING,
    OPTION_CHOICE,
    OPTION_LIST
} OptionType;

typedef enum { /* which commands take it; an option in the file may be any */
               OPTION_EVERYWHERE = 1 << 0,
               OPTION_CHAT = 1 << 1,
               OPTION_ASK = 1 << 2,
               OPTION_GENERATION = 1 << 3, /* chat, ask: sampling and model */
               OPTION_MODEL = 1 << 4,      /* whatever opens a model */
               OPTION_TOKENIZE = 1 << 5,
               OPTION_BENCH = 1 << 6,
               OPTION_ROWS = 1 << 7, /* list, show, search, inspect: --json */
               OPTION_EXPORT = 1 << 8,
               OPTION_IN_FILE = 1 << 9,         /* may stand in kaiwa.conf and in the environment */
               OPTION_IN_ENVIRONMENT = 1 << 10, /* in the environment only */
               OPTION_SERVICE =
                   1 << 11, /* for tests and packagers: not in --help, but in the man page */
               OPTION_QUANTIZE = 1 << 12
} OptionUse;

typedef struct {
    const char *name; /* "top-p": --top-p, KAIWA_TOP_P, top-p = … */
    char letter;      /* 'm' for -m; 0: none */
    OptionType type;
    const char *initial;  /* default as text; NULL: unset */
    double min, max;      /* INT, REAL */
    const char *choices;  /* CHOICE: "auto|cpu|cuda" */
    const char *argument; /* N_("FILE"); NULL for flags */
    const char *help;     /* N_(one sentence) */
    unsigned use;         /* OptionUse bits */
} OptionRow;

const OptionRow *option_table(size_t *n);
/* The first row of that name: export and bench have a format each. */
const OptionRow *option_find(const char *name);

typedef struct Options Options;

Options *options_new(void); /* defaults only */
void options_free(Options *options);
/* kaiwa.conf: `name = value`, # comments, sections [keys], [theme NAME], [persona NAME].  path
 * NULL: the default file, which need not be there.  Unknown names are warnings with their line,
 * appended to warnings (one a line, translated). */
bool options_read_file(Options *options, const char *path, Buf *warnings, Error *err);
void options_read_environment(Options *options, Buf *warnings);
/* Parses argv[1..] for a command's uses; what is no option is moved to rest (borrowed, *n_rest).
 * "--" ends options. */
bool options_parse(Options *options, unsigned uses, int argc, char **argv, const char **rest,
                   int *n_rest, Error *err);
/* The first word of argv[1..] that is neither an option nor an option's value, before any "--"; 0:
 * none. */
int options_first_word(int argc, char **argv);
/* One setting by name, checked as on the command line (used by /set). */
bool options_set(Options *options, const char *name, Str value, Error *err);

bool options_is_set(const Options *options,
                    const char *name); /* by command line, environment or file */
bool options_is_given(const Options *options,
                      const char *name); /* by the command line or options_set */
const char *options_string(const Options *options, const char *name); /* NULL: unset */
bool options_flag(const Options *options, const char *name);
int options_int(const Options *options, const char *name);
double options_real(const Options *options, const char *name);
size_t options_list(const Options *options, const char *name,
                    char *const **items); /* repeated --stop */
/* Lines of a section of the file: [keys] etc.; each(name, value). */
void options_section(const Options *options, const char *section,
                     void (*each)(void *arg, Str name, Str value), void *arg);
/* Names of the sections that start with prefix, e.g. "persona ". */
size_t options_sections(const Options *options, const char *prefix, const char **names, size_t cap);
/* Puts the lines of [persona NAME] in the place of the file's settings: environment and command
 * line stay stronger. ERR_USAGE names the personas that there are. */
bool options_apply_persona(Options *options, const char *name, Error *err);
/* Sampling out of the options over the model's defaults (for those not set). */
void options_sampling(const Options *options, const Sampling *model_defaults, Sampling *out);
/* Overrides what options_is_given: the rest of *sampling stays. */
void options_sampling_given(const Options *options, Sampling *sampling);

#endif
