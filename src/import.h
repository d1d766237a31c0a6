/* Files that export wrote, back into conversations. */
#ifndef SRC_IMPORT_H
#define SRC_IMPORT_H

#include "src/base/buf.h"
#include "src/base/error.h"
#include "src/conversation.h"
#include "src/store.h"

/* JSON or Markdown, recognised by its beginning.  NULL with ERR_FORMAT when it is neither or
 * broken.  Message ids are the file's or count from 1: it is not in a store yet. */
Conversation *import_read(Str bytes, Error *err);
/* Reads a file ("-": standard input) and stores it as a new conversation; *id gets its number. */
bool import_file(Store *store, const char *path, int64_t *id, Error *err);

#endif
