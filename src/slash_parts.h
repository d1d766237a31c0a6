/* The run functions of the slash table and what they share.  Private to slash.c and slash_*.c. */
#ifndef SRC_SLASH_PARTS_H
#define SRC_SLASH_PARTS_H

#include "src/base/attributes.h"
#include "src/chat.h"
#include "src/slash.h"

SlashResult slash_new(SlashContext *, Str argument, Error *);
SlashResult slash_list(SlashContext *, Str argument, Error *);
SlashResult slash_open(SlashContext *, Str argument, Error *);
SlashResult slash_resume(SlashContext *, Str argument, Error *);
SlashResult slash_rename(SlashContext *, Str argument, Error *);
SlashResult slash_delete(SlashContext *, Str argument, Error *);
SlashResult slash_undelete(SlashContext *, Str argument, Error *);
SlashResult slash_fork(SlashContext *, Str argument, Error *);
SlashResult slash_search(SlashContext *, Str argument, Error *);
SlashResult slash_import(SlashContext *, Str argument, Error *);
SlashResult slash_export(SlashContext *, Str argument, Error *);

SlashResult slash_retry(SlashContext *, Str argument, Error *);
SlashResult slash_continue(SlashContext *, Str argument, Error *);
SlashResult slash_edit(SlashContext *, Str argument, Error *);
SlashResult slash_undo(SlashContext *, Str argument, Error *);
SlashResult slash_stop(SlashContext *, Str argument, Error *);
SlashResult slash_exclude(SlashContext *, Str argument, Error *);
SlashResult slash_file(SlashContext *, Str argument, Error *);

SlashResult slash_system(SlashContext *, Str argument, Error *);
SlashResult slash_persona(SlashContext *, Str argument, Error *);
SlashResult slash_set(SlashContext *, Str argument, Error *);
SlashResult slash_params(SlashContext *, Str argument, Error *);
SlashResult slash_model(SlashContext *, Str argument, Error *);

SlashResult slash_ctx(SlashContext *, Str argument, Error *);
SlashResult slash_stats(SlashContext *, Str argument, Error *);
SlashResult slash_help(SlashContext *, Str argument, Error *);
SlashResult slash_keys(SlashContext *, Str argument, Error *);
SlashResult slash_welcome(SlashContext *, Str argument, Error *);
SlashResult slash_quit(SlashContext *, Str argument, Error *);

/* A confirmation, one line. */
void slash_say(SlashContext *context, const char *format, ...) PRINTF_LIKE(2, 3);
/* A failure: err is set (or was). */
SlashResult slash_fail(Error *err, const char *format, ...) PRINTF_LIKE(2, 3);
SlashResult slash_done(bool good);
SlashResult slash_view(SlashContext *context, const char *view, Str argument);
/* White space as people type it: also U+3000. */
Str slash_trim(Str s);
/* Cuts the first word off *rest. */
Str slash_word(Str *rest);
/* A file's name as a person writes it: ~/x is in the home folder; appends. */
void slash_put_path(Str name, Buf *out);
/* The store; NULL with err set where nothing is saved. */
Store *slash_store(SlashContext *context, Error *err);
/* Message number n (from 1) of the shown path; NULL with err set. */
Message *slash_message(SlashContext *context, Str number, Error *err);
/* Number of messages shown. */
size_t slash_path(SlashContext *context, Message ***out); /* caller frees *out */
/* Names that /set takes, with their long options; for completion. */
const char *const *slash_settings(size_t *n);
/* NAME VALUE or NAME=VALUE pairs into sampling and max_tokens. */
bool slash_apply_settings(Str pairs, Sampling *sampling, int *max_tokens, Error *err);

#endif
