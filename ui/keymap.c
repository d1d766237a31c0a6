/* From key sequences to actions, with the user's own bindings over the table's. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "ui/action.h"

#include "src/base/i18n.h"
#include "src/base/mem.h"

static void bind(Keymap *keymap, const KeySequence *keys, const ActionRow *action)
{
    keymap->binding =
        mem_grow(keymap->binding, &keymap->cap, keymap->n + 1, sizeof *keymap->binding);
    keymap->binding[keymap->n++] = (KeyBinding){ *keys, action };
}

static void unbind(Keymap *keymap, const ActionRow *action)
{
    size_t kept = 0;
    for (size_t i = 0; i < keymap->n; i++)
        if (keymap->binding[i].action != action)
            keymap->binding[kept++] = keymap->binding[i];
    keymap->n = kept;
}

/* False when one of the sequences is no key. */
static bool bind_all(Keymap *keymap, Str keys, const ActionRow *action)
{
    bool good = true;
    while (keys.len > 0) {
        ptrdiff_t bar = str_find(keys, STR("|"));
        size_t n = bar < 0 ? keys.len : (size_t)bar;
        KeySequence sequence;
        if (key_parse_sequence(str_sub(keys, 0, n), &sequence))
            bind(keymap, &sequence, action);
        else
            good = false;
        keys = str_from_offset(keys, bar < 0 ? n : n + 1);
    }
    return good;
}

typedef struct {
    Keymap *keymap;
    Buf *warnings;
} UserKeys;

static void bind_user(void *arg, Str name, Str value)
{
    UserKeys *user = arg;
    size_t n;
    const ActionRow *table = action_table(&n);
    bool known = false;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq_c(name, table[i].name))
            continue;
        known = true;
        unbind(user->keymap, &table[i]);
        if (!bind_all(user->keymap, str_trim(value), &table[i]))
            buf_printf(user->warnings, _("[keys] %.*s: “%.*s” is no key; see kaiwa.conf(5)\n"),
                       (int)name.len, name.data, (int)value.len, value.data);
    }
    if (!known)
        buf_printf(user->warnings, _("[keys]: there is no action “%.*s”; F1 shows them\n"),
                   (int)name.len, name.data);
}

void keymap_init(Keymap *keymap, const Options *options, Buf *warnings)
{
    size_t n;
    const ActionRow *table = action_table(&n);
    *keymap = (Keymap){ NULL, 0, 0 };
    for (size_t i = 0; i < n; i++)
        bind_all(keymap, str_from(table[i].keys), &table[i]);
    UserKeys user = { keymap, warnings };
    if (options)
        options_section(options, "keys", bind_user, &user);
}

void keymap_release(Keymap *keymap)
{
    free(keymap->binding);
    *keymap = (Keymap){ NULL, 0, 0 };
}

static bool starts_with(const KeySequence *keys, const KeySequence *start)
{
    bool same = keys->n >= start->n;
    for (size_t i = 0; same && i < start->n; i++)
        same = key_eq(keys->key[i], start->key[i]);
    return same;
}

const ActionRow *keymap_find(const Keymap *keymap, unsigned context, const KeySequence *keys,
                             const App *app, bool *is_prefix)
{
    const ActionRow *found = NULL, *available = NULL;
    *is_prefix = false;
    for (size_t i = 0; i < keymap->n; i++) {
        const KeyBinding *binding = &keymap->binding[i];
        const ActionRow *action = binding->action;
        if (!(action->contexts & context) || !starts_with(&binding->keys, keys))
            continue;
        if (binding->keys.n > keys->n) {
            *is_prefix = true;
            continue;
        }
        found = action; /* the last one: the user's are behind the table's */
        if (!app || !action->available || action->available(app))
            available = action;
    }
    return available ? available : found;
}

static void write_sequence(const KeySequence *keys, Buf *out)
{
    for (size_t i = 0; i < keys->n; i++) {
        if (i)
            buf_putc(out, ' ');
        key_write(keys->key[i], out);
    }
}

void keymap_names(const Keymap *keymap, const ActionRow *action, Buf *out)
{
    bool first = true;
    for (size_t i = 0; i < keymap->n; i++) {
        if (keymap->binding[i].action != action)
            continue;
        if (!first)
            buf_puts(out, ", ");
        first = false;
        write_sequence(&keymap->binding[i].keys, out);
    }
}

void keymap_first_name(const Keymap *keymap, const ActionRow *action, Buf *out)
{
    for (size_t i = 0; i < keymap->n; i++)
        if (keymap->binding[i].action == action) {
            write_sequence(&keymap->binding[i].keys, out);
            return;
        }
}
