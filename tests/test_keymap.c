/* Keys and actions: the table's own bindings, and those of [keys] in kaiwa.conf over them. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ui/action.h"

static const ActionRow *find(const Keymap *keymap, unsigned context, const char *keys, bool *prefix)
{
    KeySequence sequence;
    assert_true(key_parse_sequence(str_from(keys), &sequence));
    return keymap_find(keymap, context, &sequence, NULL, prefix);
}

static void expect(const Keymap *keymap, unsigned context, const char *keys, const char *name)
{
    bool prefix;
    const ActionRow *action = find(keymap, context, keys, &prefix);
    if (!name)
        assert_null(action);
    else if (!action || strcmp(action->name, name) != 0)
        fail_msg("%s is %s, not %s", keys, action ? action->name : "nothing", name);
}

static Keymap from_file(const char *text, Buf *warnings)
{
    char path[] = "/tmp/kaiwa-keys-XXXXXX";
    Error err = ERROR_INIT;
    Buf ignored = BUF_INIT;
    Keymap keymap;
    Options *options = options_new();
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    assert_true(options_read_file(options, path, &ignored, &err));
    keymap_init(&keymap, options, warnings);
    unlink(path);
    options_free(options);
    buf_release(&ignored);
    return keymap;
}

static void every_key_means_one_thing_in_a_view(void **state)
{
    Buf warnings = BUF_INIT;
    Keymap keymap;
    (void)state;
    keymap_init(&keymap, NULL, &warnings);
    assert_int_equal(warnings.len, 0);
    for (size_t i = 0; i < keymap.n; i++)
        for (size_t j = i + 1; j < keymap.n; j++) {
            const KeyBinding *a = &keymap.binding[i], *b = &keymap.binding[j];
            if (!(a->action->contexts & b->action->contexts))
                continue;
            if (a->action->available && b->action->available)
                continue;     /* never both at once */
            bool same = true; /* or one is the start of the other */
            for (size_t k = 0; k < a->keys.n && k < b->keys.n; k++)
                same = same && key_eq(a->keys.key[k], b->keys.key[k]);
            if (same)
                fail_msg("%s and %s share a key", a->action->name, b->action->name);
        }
    keymap_release(&keymap);
}

static void every_action_has_a_key_and_a_twin_for_its_function_key(void **state)
{
    Buf warnings = BUF_INIT;
    size_t n;
    const ActionRow *table = action_table(&n);
    Keymap keymap;
    (void)state;
    keymap_init(&keymap, NULL, &warnings);
    for (size_t i = 0; i < n; i++) {
        Buf names = BUF_INIT;
        keymap_names(&keymap, &table[i], &names);
        assert_true(names.len > 0);
        if (buf_cstr(&names)[0] == 'F')
            assert_true(str_find(buf_str(&names), STR(", ")) > 0);
        buf_release(&names);
    }
    keymap_release(&keymap);
}

static void the_same_key_differs_between_views(void **state)
{
    Buf warnings = BUF_INIT;
    Keymap keymap;
    bool prefix;
    (void)state;
    keymap_init(&keymap, NULL, &warnings);
    expect(&keymap, IN_CHAT, "F2", "list");
    expect(&keymap, IN_LIST, "F2", "list-close");
    expect(&keymap, IN_CHAT, "^X r", "retry");
    expect(&keymap, IN_LIST, "^X r", "list-rename");
    assert_null(find(&keymap, IN_CHAT, "^X", &prefix));
    assert_true(prefix);
    expect(&keymap, IN_CHAT, "a", NULL);
    keymap_release(&keymap);
}

static void the_users_keys_replace_the_tables(void **state)
{
    Buf warnings = BUF_INIT;
    Keymap keymap =
        from_file("[keys]\nretry = ^X ^R|F7\nquit =\nexport = Hyper-q\nfly = F9\n", &warnings);
    (void)state;
    expect(&keymap, IN_CHAT, "F5", NULL);
    expect(&keymap, IN_CHAT, "F7", "retry");
    expect(&keymap, IN_CHAT, "^X ^R", "retry");
    expect(&keymap, IN_CHAT, "F10", NULL);
    assert_true(str_find(buf_str(&warnings), STR("Hyper-q")) >= 0);
    assert_true(str_find(buf_str(&warnings), STR("fly")) >= 0);
    keymap_release(&keymap);
    buf_release(&warnings);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_means_one_thing_in_a_view),
        cmocka_unit_test(every_action_has_a_key_and_a_twin_for_its_function_key),
        cmocka_unit_test(the_same_key_differs_between_views),
        cmocka_unit_test(the_users_keys_replace_the_tables),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
