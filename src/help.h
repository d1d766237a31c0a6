/* --help, --version and the shells' completions, written from the tables. */
#ifndef SRC_HELP_H
#define SRC_HELP_H

#include "src/command.h"

/* row NULL: the program as a whole. */
void help_write(const CommandRow *row, Buf *out);
void help_version(Buf *out);
/* shell: "bash", "zsh" or "fish". */
void help_completion(const char *shell, Buf *out);

#endif
