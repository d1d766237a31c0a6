/* The folder in which file formats are fuzzed. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/base/path.h"
#include "tests/fuzz/fuzz.h"

static char folder[] = "/tmp/kaiwa-fuzz.XXXXXX";
static bool made;

static void remove_folder(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        perror(folder);
}

const char *scratch_folder(void)
{
    if (!made) {
        if (!mkdtemp(folder))
            abort();
        made = true;
        atexit(remove_folder);
    }
    return folder;
}

const char *scratch_file(const char *name, const uint8_t *data, size_t size)
{
    static char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
    file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
    return path;
}
