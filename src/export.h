/* Conversations as files: Markdown of the shown path (import reads it back), JSON of everything,
 * plain text for reading.  One table for the command, the slash command and their completions. */
#ifndef SRC_EXPORT_H
#define SRC_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/error.h"
#include "src/conversation.h"

typedef struct {
    const char *name; /* also the ending of file names */
    void (*write)(const Conversation *conversation, Buf *out);
} ExportFormat;

const ExportFormat *export_formats(size_t *n);
const ExportFormat *export_find(const char *name); /* NULL: unknown */
/* A name for a file in the current folder, from the title or else from the date; appends. */
void export_file_name(const Conversation *conversation, const ExportFormat *format, Buf *out);
/* format as in the table; path NULL: export_file_name, with a number where that file exists
 * already. used (may be NULL) gets the path. */
bool export_file(const Conversation *conversation, const char *format, const char *path, Buf *used,
                 Error *err);

/* "user", or "user" in the user's language: how text files and headings name a speaker. */
const char *export_role_title(Role role);
/* Local time in the locale's way; appends. */
void export_date(int64_t ms, Buf *out);

/* The first line of Markdown files, and the word that starts every mark of one. */
#define EXPORT_MD_START "---\nkaiwa: 1\n"

#endif
