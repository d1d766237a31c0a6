# Fuzz targets.  tests/fuzz_NAME.t replays and mutates tests/fuzz/corpus/NAME in make check; with
# --enable-fuzzing `make fuzzers` builds the same for libFuzzer.  Of a long run the inputs that cover
# something new (libFuzzer's -set_cover_merge=1 -use_counters=0) are kept there as found-*, and what
# it said in tests/fuzz/logs.
FUZZ_PARTS = tests/fuzz/scratch.c tests/fuzz/use.c tests/fuzz/fuzz.h
FUZZ_REPLAY = tests/fuzz/replay.c $(FUZZ_PARTS)
FUZZERS = tests/fuzz/fuzz_text tests/fuzz/fuzz_gguf tests/fuzz/fuzz_safetensors tests/fuzz/fuzz_tokenizer \
	tests/fuzz/fuzz_spm tests/fuzz/fuzz_config tests/fuzz/fuzz_index
fuzzers: $(FUZZERS)
.PHONY: fuzzers
EXTRA_PROGRAMS += $(FUZZERS)

EXTRA_DIST += tests/fuzz/corpus tests/fuzz/logs

check_PROGRAMS += tests/fuzz_text.t
tests_fuzz_text_t_SOURCES = tests/fuzz/fuzz_text.c $(FUZZ_REPLAY)
tests_fuzz_text_t_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz_text.c $(FUZZ_PARTS)
tests_fuzz_fuzz_text_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_text_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz_gguf.t
tests_fuzz_gguf_t_SOURCES = tests/fuzz/fuzz_gguf.c $(FUZZ_REPLAY)
tests_fuzz_gguf_t_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_gguf_SOURCES = tests/fuzz/fuzz_gguf.c $(FUZZ_PARTS)
tests_fuzz_fuzz_gguf_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_gguf_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz_safetensors.t
tests_fuzz_safetensors_t_SOURCES = tests/fuzz/fuzz_safetensors.c $(FUZZ_REPLAY)
tests_fuzz_safetensors_t_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_safetensors_SOURCES = tests/fuzz/fuzz_safetensors.c $(FUZZ_PARTS)
tests_fuzz_fuzz_safetensors_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_safetensors_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz_tokenizer.t
tests_fuzz_tokenizer_t_SOURCES = tests/fuzz/fuzz_tokenizer.c $(FUZZ_REPLAY)
tests_fuzz_tokenizer_t_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_tokenizer_SOURCES = tests/fuzz/fuzz_tokenizer.c $(FUZZ_PARTS)
tests_fuzz_fuzz_tokenizer_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_tokenizer_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz_spm.t
tests_fuzz_spm_t_SOURCES = tests/fuzz/fuzz_spm.c $(FUZZ_REPLAY)
tests_fuzz_spm_t_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_spm_SOURCES = tests/fuzz/fuzz_spm.c $(FUZZ_PARTS)
tests_fuzz_fuzz_spm_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_spm_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz_config.t
tests_fuzz_config_t_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_REPLAY) $(TINY_MODEL)
tests_fuzz_config_t_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_PARTS) $(TINY_MODEL)
tests_fuzz_fuzz_config_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz_index.t
tests_fuzz_index_t_SOURCES = tests/fuzz/fuzz_index.c $(FUZZ_REPLAY) $(TINY_MODEL)
tests_fuzz_index_t_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_index_SOURCES = tests/fuzz/fuzz_index.c $(FUZZ_PARTS) $(TINY_MODEL)
tests_fuzz_fuzz_index_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_index_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
