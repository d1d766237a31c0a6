/* The run functions of the command table, one file each (cmd_NAME.c); the commands on stored
 * conversations are in cmd_store.h.  Each prints its own errors and returns an exit status. */
#ifndef SRC_CMD_H
#define SRC_CMD_H

#include "src/command.h"

int cmd_chat(CommandContext *context);
int cmd_ask(CommandContext *context);
int cmd_tokenize(CommandContext *context);
int cmd_detokenize(CommandContext *context);
int cmd_score(CommandContext *context);
int cmd_inspect(CommandContext *context);
int cmd_bench(CommandContext *context);
int cmd_models(CommandContext *context);
int cmd_quantize(CommandContext *context);

#endif
