/* Tokenizers for tests: folders and files written in a temporary directory, opened, and asked. */
#ifndef TESTS_TOKENIZER_RIG_H
#define TESTS_TOKENIZER_RIG_H

#include "engine/tokenizer.h"

/* A new temporary directory; the caller frees it with folder_remove. */
char *folder_new(void);
void folder_remove(char *folder);
void folder_write(const char *folder, const char *name, const void *bytes, size_t n);
void folder_write_text(const char *folder, const char *name, const char *text);

/* A tokenizer of the folder or file at path, or NULL with err set. */
Tokenizer *tokenizer_at(const char *path, Error *err);
/* The same of a folder that holds this one tokenizer.json and tokenizer_config.json (NULL:
 * none); fails the test when it cannot be opened. */
Tokenizer *tokenizer_of_json(const char *json, const char *config);
/* The sentence of the error that opening it gives; fails the test when there is none. */
const char *error_of_json(const char *json);

/* Ids as "1 2 3" of a text; special: its control tokens count.  Valid until the next call. */
const char *ids_of(const Tokenizer *tokenizer, const char *text, bool special);
/* The same of spans: every second text, from the second on, is ours.  The list ends with NULL. */
const char *ids_of_spans(const Tokenizer *tokenizer, const char *const *texts);
const char *ids_as_text(const Tokens *ids);
/* The text of ids; the list ends with -1. */
const char *text_of(const Tokenizer *tokenizer, const int32_t *ids, bool skip_special);

#endif
