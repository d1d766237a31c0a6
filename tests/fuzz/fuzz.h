/* One fuzz target a file.  With clang and --enable-fuzzing libFuzzer drives it; else replay.c runs its
 * corpus and a fixed series of mutations of it, so that every build and sanitizer does. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "engine/modelfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the bytes to a file of this name in a folder of this process, which goes at exit.
 * Returns the path, valid until the next call. */
const char *scratch_file(const char *name, const uint8_t *data, size_t size);
/* The folder itself. */
const char *scratch_folder(void);

/* Reads the ends of every tensor. */
void use_tensors(const ModelFile *file);
/* Encodes and decodes with the file's tokenizer, if it has one that opens. */
void use_tokenizer(const ModelFile *file);
/* Opens a model for its tensors, or anything for its tokenizer, and uses that; returns 0. */
int fuzz_model(const char *path);
int fuzz_vocabulary(const char *path);

#endif
