/* The table of views. */
#include "config.h"

#include "ui/view.h"

#include <string.h>

static const ViewKind *const table[] = { &view_chat, &view_list, &view_system, &view_help };

const ViewKind *const *view_table(size_t *n)
{
    *n = ARRAY_LEN(table);
    return table;
}

const ViewKind *view_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}
