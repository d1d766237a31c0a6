# The program without a screen.  One line a file:
#   libprogram_a_SOURCES += src/NAME.c src/NAME.h
libprogram_a_SOURCES += src/cmd.h
libprogram_a_SOURCES += src/command.c src/command.h
libprogram_a_SOURCES += src/greeting.c src/greeting.h
libprogram_a_SOURCES += src/help.c src/help.h
libprogram_a_SOURCES += src/option.c src/option.h
libprogram_a_SOURCES += src/option_file.c
libprogram_a_SOURCES += src/option_table.c src/option_value.h
libprogram_a_SOURCES += src/cmd_ask.c
libprogram_a_SOURCES += src/cmd_bench.c
libprogram_a_SOURCES += src/cmd_chat.c
libprogram_a_SOURCES += src/cmd_inspect.c
libprogram_a_SOURCES += src/cmd_models.c
libprogram_a_SOURCES += src/cmd_quantize.c
libprogram_a_SOURCES += src/cmd_score.c
libprogram_a_SOURCES += src/cmd_tokenize.c
libprogram_a_SOURCES += src/input.c src/input.h
libprogram_a_SOURCES += src/interrupt.c src/interrupt.h
libprogram_a_SOURCES += src/memory_rate.c src/memory_rate.h
libprogram_a_SOURCES += src/plain.c src/plain.h
libprogram_a_SOURCES += src/start.c src/start.h
libprogram_a_SOURCES += src/bench_explain.c src/bench_explain.h
libprogram_a_SOURCES += src/turn.c src/turn.h
libprogram_a_SOURCES += src/slash.c src/slash.h
libprogram_a_SOURCES += src/slash_chat.c
libprogram_a_SOURCES += src/slash_parts.h
libprogram_a_SOURCES += src/slash_settings.c
libprogram_a_SOURCES += src/slash_show.c
libprogram_a_SOURCES += src/slash_turn.c
libprogram_a_SOURCES += src/prompt.c src/prompt.h
libprogram_a_SOURCES += src/provider.c src/provider.h
libprogram_a_SOURCES += src/provider_local.c src/provider_local.h
libprogram_a_SOURCES += src/local_model.c src/local_model.h
libprogram_a_SOURCES += src/provider_script.c src/provider_script.h
libprogram_a_SOURCES += src/script.c src/script.h
libprogram_a_SOURCES += src/stop_filter.c src/stop_filter.h
libprogram_a_SOURCES += src/worker.c src/worker.h
libprogram_a_SOURCES += src/chat.c src/chat.h
libprogram_a_SOURCES += src/chat_preread.c
libprogram_a_SOURCES += src/conversation.c src/conversation.h
libprogram_a_SOURCES += src/record.c src/record.h
libprogram_a_SOURCES += src/store.c src/store.h src/store_db.h
libprogram_a_SOURCES += src/store_conversation.c
libprogram_a_SOURCES += src/store_message.c
libprogram_a_SOURCES += src/store_schema.c
libprogram_a_SOURCES += src/store_search.c
libprogram_a_SOURCES += src/chat_parts.h src/chat_path.c src/chat_reply.c src/chat_request.c
libprogram_a_SOURCES += src/cmd_store.c src/cmd_store.h
libprogram_a_SOURCES += src/export.c src/export.h
libprogram_a_SOURCES += src/import.c src/import.h
libprogram_a_SOURCES += src/output.c src/output.h

# The text of calibration.txt as a string.
libprogram_a_SOURCES += src/calibration.h
nodist_libprogram_a_SOURCES = src/calibration.c
BUILT_SOURCES = src/calibration.c
CLEANFILES += src/calibration.c
EXTRA_DIST += src/calibration.txt
src/calibration.c: $(srcdir)/src/calibration.txt
	$(AM_V_GEN)$(MKDIR_P) src && { echo '#include "src/calibration.h"' && \
	  echo 'const char calibration_text[] =' && \
	  sed 's/[\\"]/\\&/g; s/.*/    "&\\n"/' $(srcdir)/src/calibration.txt && echo '    ;'; } >$@.tmp && \
	  mv $@.tmp $@
