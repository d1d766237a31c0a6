/* A small assembler for bad files. */
#include "config.h"

#include "tests/hostile.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/path.h"
#include "tests/tensor_writer.h"

static void fail(const char *recipe, const char *at)
{
    fprintf(stderr, "recipe \"%.60s\": not understood at \"%.20s\"\n", recipe, at);
    exit(99);
}

/* The text between quotes at *at, which is moved past it. */
static Str quoted(const char *recipe, const char **at)
{
    const char *start = *at + 1, *end = **at == '\'' ? strchr(start, '\'') : NULL;

    if (!end)
        fail(recipe, *at);
    *at = end + 1;
    return str_of(start, (size_t)(end - start));
}

static long long number(const char **at)
{
    char *end;
    /* Large unsigned numbers are written as such. */
    long long value = **at == '-' ? strtoll(*at, &end, 10) : (long long)strtoull(*at, &end, 10);

    *at = end;
    return value;
}

static void item(const char *recipe, const char **at, Buf *out)
{
    char what = **at;
    long long n;
    Str text;

    if (what == '\'') {
        buf_append_str(out, quoted(recipe, at));
    } else if (what == 's' || what == 'h') {
        ++*at;
        n = **at == '\'' ? 8 : number(at);
        put_string(out, quoted(recipe, at), (int)n);
    } else if (what == 'z') {
        ++*at;
        for (n = number(at); n > 0; n--)
            buf_putc(out, 0);
    } else if (what == 'p') {
        ++*at;
        while (out->len % 32 != 0)
            buf_putc(out, 0);
    } else if (what == 'r') {
        ++*at;
        n = number(at);
        for (text = quoted(recipe, at); n > 0; n--)
            buf_append_str(out, text);
    } else if (what == '-' || (what >= '0' && what <= '9')) {
        n = number(at);
        if (**at != ':')
            fail(recipe, *at);
        ++*at;
        put_int(out, (uint64_t)n, (int)number(at));
    } else {
        fail(recipe, *at);
    }
}

void hostile_assemble(const char *recipe, Buf *out)
{
    const char *at = recipe;

    while (*at)
        if (*at == ' ')
            at++;
        else
            item(recipe, &at, out);
}

/* Without the care that path_write_file takes: a test writes hundreds. */
void hostile_put(const char *path, Str bytes)
{
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(bytes.data ? bytes.data : "", 1, bytes.len, file) != bytes.len ||
        fclose(file) != 0) {
        perror(path);
        exit(99);
    }
}

void hostile_write(const char *dir, const char *name, const char *recipe)
{
    Buf bytes = BUF_INIT, path = BUF_INIT;

    hostile_assemble(recipe, &bytes);
    path_join(&path, dir, name);
    hostile_put(buf_cstr(&path), buf_str(&bytes));
    buf_release(&bytes);
    buf_release(&path);
}
