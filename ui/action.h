/* What keys can do, as rows of a table: dispatch, the hint line, F1 and the [keys] section of
 * kaiwa.conf use the same rows. */
#ifndef UI_ACTION_H
#define UI_ACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "src/option.h"
#include "ui/key.h"

typedef struct App App;

enum { /* where an action can be used */
       IN_CHAT = 1,
       IN_LIST = 2,
       IN_SYSTEM = 4,
       IN_HELP = 8,
       IN_ALL = IN_CHAT | IN_LIST | IN_SYSTEM | IN_HELP
};

typedef struct {
    const char *name; /* as in [keys] */
    unsigned contexts;
    const char *keys; /* sequences separated by | : "F2|^X l" */
    const char *help; /* N_() */
    const char *hint; /* N_(): in the hint line; NULL: not there */
    bool (*available)(
        const App *app); /* NULL: always; not available: the key goes on to the editor */
    void (*run)(App *app);
} ActionRow;

const ActionRow *action_table(size_t *n);

typedef struct {
    KeySequence keys;
    const ActionRow *action;
} KeyBinding;

typedef struct {
    KeyBinding *binding;
    size_t n, cap;
} Keymap;

/* The table's keys, then [keys] of the options over them: `NAME = KEYS` (KEYS empty: none).
 * Complaints, one a line, are appended to warnings. */
void keymap_init(Keymap *keymap, const Options *options, Buf *warnings);
void keymap_release(Keymap *keymap);
/* The action that keys stand for in a context; of several the one that is available now (app NULL:
 * is not asked), else any.  *is_prefix: a longer sequence starts so. */
const ActionRow *keymap_find(const Keymap *keymap, unsigned context, const KeySequence *keys,
                             const App *app, bool *is_prefix);
/* Appends the keys bound to an action, separated by blanks. */
void keymap_names(const Keymap *keymap, const ActionRow *action, Buf *out);
/* The first of them alone: for hints. */
void keymap_first_name(const Keymap *keymap, const ActionRow *action, Buf *out);

#endif
