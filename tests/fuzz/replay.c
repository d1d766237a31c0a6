/* Runs a fuzz target over its corpus, then over mutations of it that are the same on every machine.
 *
 * Usage: fuzz_NAME.t            tests/fuzz/corpus/NAME and its mutations, as TAP
 *        fuzz_NAME.t FILE...    these files once, to look into a crash */
#include "config.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/path.h"
#include "tests/fuzz/fuzz.h"

enum { MUTATIONS = 400, FILE_MAX = 1 << 20 };

static uint32_t seed = 1;

static uint32_t next(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return below ? (seed >> 8) % below : 0;
}

/* One to eight changes of the kinds that break parsers: bits, bytes, cuts, repeats, big numbers. */
static void mutate(Buf *b)
{
    static const char magic[] = { 0, 1, 0x7F, (char)0x80, (char)0xFF, '"', '{', '[', '\\', '-' };

    for (uint32_t n = 1 + next(8); n-- > 0 && b->len;) {
        uint32_t at = next((uint32_t)b->len), len = next(16);

        switch (next(6)) {
        case 0:
            b->data[at] = (char)(b->data[at] ^ (1 << next(8)));
            break;
        case 1:
            b->data[at] = magic[next(sizeof magic)];
            break;
        case 2:
            buf_remove(b, at, len);
            break;
        case 3: {
            Buf copy = BUF_INIT;

            buf_append_str(&copy, str_sub(buf_str(b), at, len));
            buf_insert(b, next((uint32_t)b->len), buf_str(&copy));
            buf_release(&copy);
            break;
        }
        case 4:
            for (size_t i = at; i < at + 8u && i < b->len; i++)
                b->data[i] = (char)(next(2) ? 0xFF : 0);
            break;
        default:
            if (next(8) == 0)
                buf_truncate(b, at);
            break;
        }
    }
}

/* A copy of exactly the right size lets the sanitizer see a read beyond it. */
static void run(Str bytes)
{
    uint8_t *copy = malloc(bytes.len ? bytes.len : 1);

    if (!copy)
        abort();
    if (bytes.len)
        memcpy(copy, bytes.data, bytes.len);
    LLVMFuzzerTestOneInput(copy, bytes.len);
    free(copy);
}

static bool read_seed(const char *path, Buf *out)
{
    Error err = ERROR_INIT;

    if (path_read_file(path, FILE_MAX, out, &err))
        return true;
    fprintf(stderr, "%s\n", err.text);
    return false;
}

static int run_corpus(const char *folder, const char *name)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort), inputs = 0, seeds = 0;
    Buf path = BUF_INIT, original = BUF_INIT, changed = BUF_INIT;

    for (int i = 0; i < n; i++) {
        buf_reset(&original);
        path_join(&path, folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && read_seed(buf_cstr(&path), &original)) {
            /* What a long run has found covers much by being many: it is run as it is. */
            bool was_found = str_starts(str_from(entries[i]->d_name), STR("found-"));

            seeds++;
            run(buf_str(&original));
            for (int round = was_found ? MUTATIONS : 0; round < MUTATIONS; round++, inputs++) {
                buf_reset(&changed);
                buf_append_str(&changed, buf_str(&original));
                mutate(&changed);
                run(buf_str(&changed));
            }
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    buf_release(&path);
    buf_release(&original);
    buf_release(&changed);
    printf("1..1\n%s 1 - %s survives %d seeds and %d mutations\n", seeds ? "ok" : "not ok", name,
           seeds, inputs);
    return seeds ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *top = getenv("abs_top_srcdir"), *base = path_base(argv[0]);
    char name[64], folder[4096];

    for (int i = 1; i < argc; i++) {
        Buf bytes = BUF_INIT;

        if (read_seed(argv[i], &bytes))
            run(buf_str(&bytes));
        buf_release(&bytes);
    }
    if (argc > 1)
        return 0;
    if (strncmp(base, "fuzz_", 5) == 0)
        base += 5;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(base, "."), base);
    snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", top ? top : ".", name);
    return run_corpus(folder, name);
}
