# Fuzz targets.  tests/fuzz_NAME.t replays and mutates tests/fuzz/corpus/NAME in make check; with
# --enable-fuzzing `make fuzzers` builds the same for libFuzzer.
FUZZ_REPLAY = tests/fuzz/replay.c tests/fuzz/scratch.c tests/fuzz/fuzz.h
FUZZERS = tests/fuzz/fuzz_text tests/fuzz/fuzz_gguf tests/fuzz/fuzz_safetensors tests/fuzz/fuzz_tokenizer
fuzzers: $(FUZZERS)
.PHONY: fuzzers
EXTRA_PROGRAMS += $(FUZZERS)

EXTRA_DIST += tests/fuzz/corpus

check_PROGRAMS += tests/fuzz_text.t
tests_fuzz_text_t_SOURCES = tests/fuzz/fuzz_text.c $(FUZZ_REPLAY)
tests_fuzz_text_t_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz_text.c tests/fuzz/scratch.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_text_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_text_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz_gguf.t
tests_fuzz_gguf_t_SOURCES = tests/fuzz/fuzz_gguf.c $(FUZZ_REPLAY)
tests_fuzz_gguf_t_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_gguf_SOURCES = tests/fuzz/fuzz_gguf.c tests/fuzz/scratch.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_gguf_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_gguf_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz_safetensors.t
tests_fuzz_safetensors_t_SOURCES = tests/fuzz/fuzz_safetensors.c $(FUZZ_REPLAY)
tests_fuzz_safetensors_t_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_safetensors_SOURCES = tests/fuzz/fuzz_safetensors.c tests/fuzz/scratch.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_safetensors_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_safetensors_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz_tokenizer.t
tests_fuzz_tokenizer_t_SOURCES = tests/fuzz/fuzz_tokenizer.c $(FUZZ_REPLAY)
tests_fuzz_tokenizer_t_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_tokenizer_SOURCES = tests/fuzz/fuzz_tokenizer.c tests/fuzz/scratch.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_tokenizer_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_tokenizer_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
