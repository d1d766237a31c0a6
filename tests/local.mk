# One block per test program.  check_PROGRAMS names end in .t; scripts end in .sh.
#   check_PROGRAMS += tests/test_NOUN.t
#   tests_test_NOUN_t_SOURCES = tests/test_NOUN.c
#   tests_test_NOUN_t_LDADD = $(TEST_LIBS)
# TEST_LIBS holds every archive of ours and every library, in link order (see Makefile.am).
# Shell tests:
#   dist_check_SCRIPTS += tests/test_NOUN.sh

check_PROGRAMS += tests/test_layout.t tests/test_grid.t tests/test_editor.t
tests_test_layout_t_SOURCES = tests/test_layout.c
tests_test_layout_t_LDADD = $(TEST_LIBS)
tests_test_grid_t_SOURCES = tests/test_grid.c
tests_test_grid_t_LDADD = $(TEST_LIBS)
tests_test_editor_t_SOURCES = tests/test_editor.c
tests_test_editor_t_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/test_forward.t tests/test_timeline.t
# Random models in memory
ZOO = tests/zoo.c tests/zoo.h tests/tiny_shape.c tests/tiny_shape.h
TINY_RIG = tests/tiny_rig.c tests/tiny_rig.h $(ZOO)
tests_test_forward_t_SOURCES = tests/test_forward.c $(TINY_RIG)
tests_test_forward_t_LDADD = $(TEST_LIBS)
tests_test_timeline_t_SOURCES = tests/test_timeline.c $(TINY_RIG)
tests_test_timeline_t_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/test_pages.t
tests_test_pages_t_SOURCES = tests/test_pages.c $(TINY_RIG)
tests_test_pages_t_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/test_base.t tests/test_strings.t tests/test_utf8.t tests/test_text.t \
	tests/test_mailbox.t tests/test_catalogue.t
tests_test_catalogue_t_SOURCES = tests/test_catalogue.c
tests_test_catalogue_t_LDADD = $(TEST_LIBS)
tests_test_base_t_SOURCES = tests/test_base.c
tests_test_base_t_LDADD = $(TEST_LIBS)
tests_test_strings_t_SOURCES = tests/test_strings.c
tests_test_strings_t_LDADD = $(TEST_LIBS)
tests_test_utf8_t_SOURCES = tests/test_utf8.c
tests_test_utf8_t_LDADD = $(TEST_LIBS)
tests_test_text_t_SOURCES = tests/test_text.c src/wcwidth.c
tests_test_text_t_LDADD = $(TEST_LIBS)
tests_test_mailbox_t_SOURCES = tests/test_mailbox.c
tests_test_mailbox_t_LDADD = $(TEST_LIBS)
dist_check_SCRIPTS += tests/test_guide.sh tests/test_style.sh tests/test_translations.sh

check_PROGRAMS += tests/test_option.t
tests_test_option_t_SOURCES = tests/test_option.c
tests_test_option_t_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/test_kernels.t tests/test_sample.t
tests_test_kernels_t_SOURCES = tests/test_kernels.c
tests_test_kernels_t_LDADD = $(TEST_LIBS)
tests_test_sample_t_SOURCES = tests/test_sample.c tests/tiny_shape.c tests/tiny_shape.h
tests_test_sample_t_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/test_wcwidth.t
tests_test_wcwidth_t_SOURCES = tests/test_wcwidth.c src/wcwidth.c
tests_test_wcwidth_t_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/test_keymap.t
tests_test_keymap_t_SOURCES = tests/test_keymap.c
tests_test_keymap_t_LDADD = $(TEST_LIBS)

# Small models on disk: add $(TINY_MODEL) to the sources of a test that includes tests/tiny_model.h.
TINY_MODEL = tests/tiny_model.c tests/tiny_model.h tests/tiny_files.c \
	tests/tiny_tokenizer.c tests/tiny_tokenizer.h tests/tensor_writer.c tests/tensor_writer.h

check_PROGRAMS += tests/test_format.t tests/test_reference.t
tests_test_format_t_SOURCES = tests/test_format.c
tests_test_format_t_LDADD = $(TEST_LIBS)
OTHER_BACKEND = tests/other_backend.c tests/other_backend.h
tests_test_reference_t_SOURCES = tests/test_reference.c $(OTHER_BACKEND)
tests_test_reference_t_LDADD = $(TEST_LIBS)

# Model files.
MODEL_FILES = tests/model_files.c tests/model_files.h tests/hostile.c tests/hostile.h $(TINY_MODEL)
check_PROGRAMS += tests/test_modelfile.t tests/test_safetensors.t tests/test_gguf.t tests/test_model.t \
	tests/test_refusal.t tests/test_shape.t tests/test_seed.t tests/test_locate.t
tests_test_modelfile_t_SOURCES = tests/test_modelfile.c $(MODEL_FILES)
tests_test_modelfile_t_LDADD = $(TEST_LIBS)
tests_test_safetensors_t_SOURCES = tests/test_safetensors.c $(MODEL_FILES)
tests_test_safetensors_t_LDADD = $(TEST_LIBS)
tests_test_gguf_t_SOURCES = tests/test_gguf.c $(MODEL_FILES)
tests_test_gguf_t_LDADD = $(TEST_LIBS)
tests_test_model_t_SOURCES = tests/test_model.c $(MODEL_FILES)
tests_test_model_t_LDADD = $(TEST_LIBS)
tests_test_refusal_t_SOURCES = tests/test_refusal.c $(MODEL_FILES)
tests_test_refusal_t_LDADD = $(TEST_LIBS)
tests_test_shape_t_SOURCES = tests/test_shape.c $(MODEL_FILES)
tests_test_shape_t_LDADD = $(TEST_LIBS)
tests_test_seed_t_SOURCES = tests/test_seed.c $(MODEL_FILES)
tests_test_seed_t_LDADD = $(TEST_LIBS)
tests_test_locate_t_SOURCES = tests/test_locate.c $(MODEL_FILES)
tests_test_locate_t_LDADD = $(TEST_LIBS)

# Providers: $(PROVIDER_RIG) records what one emits.
PROVIDER_RIG = tests/provider_rig.c tests/provider_rig.h $(TINY_MODEL)
check_PROGRAMS += tests/test_session.t tests/test_provider.t tests/test_provider_script.t \
	tests/test_worker.t
tests_test_session_t_SOURCES = tests/test_session.c tests/good.h $(TINY_MODEL)
tests_test_session_t_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/test_kvcache.t
tests_test_kvcache_t_SOURCES = tests/test_kvcache.c tests/good.h $(TINY_MODEL)
tests_test_kvcache_t_LDADD = $(TEST_LIBS)
tests_test_provider_t_SOURCES = tests/test_provider.c $(PROVIDER_RIG)
tests_test_provider_t_LDADD = $(TEST_LIBS)
tests_test_provider_script_t_SOURCES = tests/test_provider_script.c $(PROVIDER_RIG)
tests_test_provider_script_t_LDADD = $(TEST_LIBS)
tests_test_worker_t_SOURCES = tests/test_worker.c $(TINY_MODEL)
tests_test_worker_t_LDADD = $(TEST_LIBS)

# Commands and the plain chat, on small models that make_tiny writes.
noinst_PROGRAMS += tests/make_tiny
tests_make_tiny_SOURCES = tests/make_tiny.c $(TINY_MODEL)
tests_make_tiny_LDADD = $(OUR_LIBS) $(SYSTEM_LIBS)
check_PROGRAMS += tests/test_greeting.t
tests_test_greeting_t_SOURCES = tests/test_greeting.c
tests_test_greeting_t_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/test_slash.t
tests_test_slash_t_SOURCES = tests/test_slash.c
tests_test_slash_t_LDADD = $(TEST_LIBS)
dist_check_SCRIPTS += tests/test_cli.sh tests/test_plain.sh tests/test_man.sh
EXTRA_DIST += tests/tap.sh

dist_check_SCRIPTS += tests/test_screens.sh tests/test_tmux.sh tests/test_chat_pty.sh
EXTRA_DIST += tests/chat_pty.py tests/terminal.py
EXTRA_DIST += tests/screens
# After a change that is meant: look at `git diff tests/screens` before committing.
update-screens: kaiwa$(EXEEXT)
	@$(AM_TESTS_ENVIRONMENT) UPDATE_SCREENS=1; export UPDATE_SCREENS; \
	  $(SHELL) $(srcdir)/tests/test_screens.sh && $(SHELL) $(srcdir)/tests/test_tmux.sh && \
	  $(srcdir)/tests/check-examples --update $(srcdir) kaiwa$(EXEEXT)
.PHONY: update-screens

check_PROGRAMS += tests/test_conversation.t tests/test_export.t
tests_test_conversation_t_SOURCES = tests/test_conversation.c
tests_test_conversation_t_LDADD = $(TEST_LIBS)
tests_test_export_t_SOURCES = tests/test_export.c
tests_test_export_t_LDADD = $(TEST_LIBS)

# The store: $(STORE_RIG) makes a database for each test.
STORE_RIG = tests/store_rig.c tests/store_rig.h
check_PROGRAMS += tests/test_store.t tests/test_store_search.t tests/test_store_writers.t \
	tests/test_store_migrate.t tests/test_store_files.t
tests_test_store_t_SOURCES = tests/test_store.c $(STORE_RIG)
tests_test_store_t_LDADD = $(TEST_LIBS)
tests_test_store_search_t_SOURCES = tests/test_store_search.c $(STORE_RIG)
tests_test_store_search_t_LDADD = $(TEST_LIBS)
tests_test_store_writers_t_SOURCES = tests/test_store_writers.c $(STORE_RIG)
tests_test_store_writers_t_LDADD = $(TEST_LIBS)
tests_test_store_migrate_t_SOURCES = tests/test_store_migrate.c $(STORE_RIG)
tests_test_store_migrate_t_LDADD = $(TEST_LIBS)
tests_test_store_files_t_SOURCES = tests/test_store_files.c $(STORE_RIG)
tests_test_store_files_t_LDADD = $(TEST_LIBS)
EXTRA_DIST += tests/data/store_v1.sql

# The chat: $(CHAT_RIG) plays its provider.
CHAT_RIG = tests/chat_rig.c tests/chat_rig.h
check_PROGRAMS += tests/test_chat.t tests/test_chat_tree.t tests/test_chat_model.t \
	tests/test_chat_store.t
tests_test_chat_t_SOURCES = tests/test_chat.c $(CHAT_RIG)
tests_test_chat_t_LDADD = $(TEST_LIBS)
tests_test_chat_tree_t_SOURCES = tests/test_chat_tree.c $(CHAT_RIG)
tests_test_chat_tree_t_LDADD = $(TEST_LIBS)
tests_test_chat_model_t_SOURCES = tests/test_chat_model.c $(CHAT_RIG)
tests_test_chat_model_t_LDADD = $(TEST_LIBS)
tests_test_chat_store_t_SOURCES = tests/test_chat_store.c $(CHAT_RIG)
tests_test_chat_store_t_LDADD = $(TEST_LIBS)

# Tokenizers: $(TOKENIZER_RIG) opens what a test writes.
TOKENIZER_RIG = tests/tokenizer_rig.c tests/tokenizer_rig.h
check_PROGRAMS += tests/test_tokenizer.t tests/test_tokenizer_files.t tests/test_tokenizer_vectors.t \
	tests/test_split.t
tests_test_tokenizer_t_SOURCES = tests/test_tokenizer.c $(TOKENIZER_RIG)
tests_test_tokenizer_t_LDADD = $(TEST_LIBS)
tests_test_tokenizer_files_t_SOURCES = tests/test_tokenizer_files.c $(TOKENIZER_RIG) \
	tests/tensor_writer.c tests/tensor_writer.h
tests_test_tokenizer_files_t_LDADD = $(TEST_LIBS)
tests_test_tokenizer_vectors_t_SOURCES = tests/test_tokenizer_vectors.c $(TOKENIZER_RIG)
tests_test_tokenizer_vectors_t_LDADD = $(TEST_LIBS)
tests_test_split_t_SOURCES = tests/test_split.c
tests_test_split_t_LDADD = $(TEST_LIBS)
dist_check_SCRIPTS += tests/test_tokenizer_vectors.sh

# What make check-gpu runs, the last and the scripts on the GPU instead of the CPU.  Without a GPU they
# skip.
GPU_TESTS = tests/test_cuda.t tests/test_cuda_models.t tests/test_stop.t tests/test_fault.t \
	tests/test_reference.t
GPU_SHELL_TESTS = tests/test_chat_pty.sh
check_PROGRAMS += tests/test_cuda.t tests/test_cuda_models.t
tests_test_cuda_models_t_SOURCES = tests/test_cuda_models.c tests/good.h $(OTHER_BACKEND)
tests_test_cuda_models_t_LDADD = $(TEST_LIBS)
tests_test_cuda_t_SOURCES = tests/test_cuda.c $(ZOO)
tests_test_cuda_t_LDADD = $(TEST_LIBS)
if HAVE_CUDA
# The same with a kernel that dawdles at random (kernels/cuda/delay.cuh); make check-gpu builds and runs it.
EXTRA_PROGRAMS += tests/test_cuda_delays.t
tests_test_cuda_delays_t_SOURCES = tests/test_cuda.c $(ZOO)
tests_test_cuda_delays_t_LDADD = kernels/cuda/persistent_delays.$(OBJEXT) $(TEST_LIBS)
endif
# Where things lie on the GPU: needs none.
check_PROGRAMS += tests/test_cuda_places.t
tests_test_cuda_places_t_SOURCES = tests/test_cuda_places.c
tests_test_cuda_places_t_LDADD = $(TEST_LIBS)

# Stops, and faults of a device: on the CPU, and on CUDA where there is a GPU.
check_PROGRAMS += tests/test_stop.t tests/test_fault.t
tests_test_stop_t_SOURCES = tests/test_stop.c tests/tiny_shape.c tests/tiny_shape.h
tests_test_stop_t_LDADD = $(TEST_LIBS)
tests_test_fault_t_SOURCES = tests/test_fault.c tests/faulty.c tests/faulty.h $(PROVIDER_RIG)
tests_test_fault_t_LDADD = $(TEST_LIBS)

# Reading ahead while a message is typed.
check_PROGRAMS += tests/test_preread.t
tests_test_preread_t_SOURCES = tests/test_preread.c $(PROVIDER_RIG)
tests_test_preread_t_LDADD = $(TEST_LIBS)

# What a run keeps in memory.
check_PROGRAMS += tests/test_memory.t
tests_test_memory_t_SOURCES = tests/test_memory.c
tests_test_memory_t_LDADD = $(TEST_LIBS)

# Quantising small models.
check_PROGRAMS += tests/test_quantize.t
tests_test_quantize_t_SOURCES = tests/test_quantize.c $(TINY_MODEL)
tests_test_quantize_t_LDADD = $(TEST_LIBS)
dist_check_SCRIPTS += tests/test_quantize.sh

# Weights of the seed model's shape, for measuring.
EXTRA_DIST += tests/bench/make_seed_model.py tests/bench/results-cuda.md tests/bench/cuda_table.py \
	tests/bench/compare_llama.py tests/bench/make_1b_model.py tests/bench/results-cpu.md \
	tests/bench/quantize_table.py tests/bench/results-quantize.md

# The guide itself, against what transformers computes.
check_PROGRAMS += tests/test_guide_model.t
tests_test_guide_model_t_SOURCES = tests/test_guide_model.c
tests_test_guide_model_t_LDADD = $(TEST_LIBS)
EXTRA_DIST += tests/data/guide_reference.json tests/make_guide_reference.py tests/check_autogptq.py
# What documents show is its output; update-screens renews it there.
dist_check_SCRIPTS += tests/test_examples.sh
EXTRA_DIST += tests/check-examples
EXTRA_DIST += tests/bench/prefill_probe.cu tests/bench/build_prefill_probe.sh
