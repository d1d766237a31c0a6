/* Conversations as JSON, with the names of the C fields: what the JSON export holds, what --json
 * prints, and the sampling that is kept in the database.  Numbers are written so that they read
 * back equal. */
#ifndef SRC_RECORD_H
#define SRC_RECORD_H

#include <jansson.h>

#include "src/base/error.h"
#include "src/conversation.h"

json_t *record_str(Str text);          /* a string; invalid UTF-8 becomes U+FFFD */
json_t *record_cstr(const char *text); /* NULL becomes null */
/* A seed that does not fit JSON's integers everywhere is a string of digits. */
json_t *record_sampling(const Sampling *sampling);
/* Fields that are absent keep what *sampling holds. */
bool record_read_sampling(const json_t *object, Sampling *sampling, Error *err);

json_t *record_message(const Message *message);
/* All of it: the whole tree, ids, counters. */
json_t *record_conversation(const Conversation *conversation);
/* Checks everything; NULL with ERR_FORMAT.  Ids are those of the file. */
Conversation *record_read_conversation(const json_t *object, Error *err);

const char *role_name(Role role); /* "system", "user", "assistant" */
bool role_parse(Str name, Role *out);
const char *title_by_name(TitleBy by);
bool title_by_parse(Str name, TitleBy *out);

/* Appends; indented for people, or on one line. */
void record_print(const json_t *value, bool indent, Buf *out);

#endif
