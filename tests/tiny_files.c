/* Folders for tests, and their removal. */
#include "config.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/tiny_model.h"

const char *tiny_temp_dir(void)
{
    static char path[4096];
    const char *base = getenv("TMPDIR");

    snprintf(path, sizeof path, "%s/tiny-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(path) ? path : NULL;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

void tiny_remove_dir(const char *dir)
{
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
