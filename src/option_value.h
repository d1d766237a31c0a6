/* What option.c and option_file.c share: where a value came from, and the lines of the file's
 * sections. Private to these two. */
#ifndef SRC_OPTION_VALUE_H
#define SRC_OPTION_VALUE_H

#include "src/option.h"

/* A later one wins over an earlier one, whatever order they are read in. */
typedef enum { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_COMMAND_LINE } OptionSource;

typedef struct {
    char *section, *name, *value; /* owned */
} SectionLine;

/* Checks text against row and keeps it unless a stronger source has spoken. */
bool options_put(Options *options, const OptionRow *row, Str text, OptionSource source, Error *err);
/* Only the check. */
bool option_check(const OptionRow *row, Str text, Error *err);
void options_add_line(Options *options, const char *section, Str name, Str value);

#endif
