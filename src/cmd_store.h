/* The commands on stored conversations: list, show, search, export, import, delete.
 * --json prints these, with the names of the C fields:
 *   list    an array of {"id", "uid", "title", "model", "pinned", "deleted", "n_messages",
 *           "created_ms", "updated_ms"}
 *   search  an array of {"conversation_id", "message_id", "uid", "title", "role", "snippet", "hit",
 *           "hit_len", "created_ms"}; hit and hit_len are bytes of the snippet
 *   show    one object, as export --format json writes it (record.h) */
#ifndef SRC_CMD_STORE_H
#define SRC_CMD_STORE_H

#include "src/command.h"

int cmd_list(CommandContext *context);
int cmd_show(CommandContext *context);
int cmd_search(CommandContext *context);
int cmd_export(CommandContext *context);
int cmd_import(CommandContext *context);
int cmd_delete(CommandContext *context);

#endif
