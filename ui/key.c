/* Names of keys, both ways. */
#include "config.h"

#include "ui/key.h"

#include "src/base/utf8.h"

static const struct {
    const char *name;
    unsigned code;
} special[] = {
    { "Enter", INPUT_ENTER },
    { "Esc", INPUT_ESC },
    { "Tab", '\t' },
    { "Space", ' ' },
    { "Backspace", INPUT_BACKSPACE },
    { "Up", INPUT_UP },
    { "Down", INPUT_DOWN },
    { "Left", INPUT_LEFT },
    { "Right", INPUT_RIGHT },
    { "Home", INPUT_HOME },
    { "End", INPUT_END },
    { "PgUp", INPUT_PAGE_UP },
    { "PgDn", INPUT_PAGE_DOWN },
    { "Insert", INPUT_INSERT },
    { "Delete", INPUT_DELETE },
    { "Shift-Tab", INPUT_BACKTAB },
    { "Resize", INPUT_RESIZE },
};

static const struct {
    const char *prefix;
    unsigned mod;
} modifier[] = {
    { "Shift-", MOD_SHIFT },
    { "Alt-", MOD_ALT },
    { "Ctrl-", MOD_CTRL },
};

bool key_eq(Key a, Key b)
{
    return a.code == b.code && a.mods == b.mods;
}

static bool code_parse(Str name, unsigned *code)
{
    long long number = 0;
    for (size_t i = 0; i < ARRAY_LEN(special); i++)
        if (str_eq_c(name, special[i].name)) {
            *code = special[i].code;
            return true;
        }
    if (name.len >= 2 && name.data[0] == 'F' && str_to_long(str_from_offset(name, 1), &number) &&
        number >= 1 && number <= 12) {
        *code = INPUT_F1 + (unsigned)number - 1;
        return true;
    }
    if (name.len == 2 && name.data[0] == '^') {
        unsigned char c = (unsigned char)name.data[1];
        *code = c == '?' ? INPUT_BACKSPACE : c & 0x1Fu;
        return c == '?' || (c >= '@' && c <= '_') || (c >= 'a' && c <= 'z');
    }
    size_t pos = 0;
    if (name.len == 0)
        return false;
    *code = utf8_next(name, &pos);
    return pos == name.len;
}

bool key_parse(Str name, Key *out)
{
    Key key = { 0, 0 };
    bool more = !str_eq_c(name, "Shift-Tab");
    while (more) {
        more = false;
        for (size_t i = 0; i < ARRAY_LEN(modifier); i++) {
            Str prefix = str_from(modifier[i].prefix);
            if (name.len > prefix.len && str_starts(name, prefix)) {
                key.mods |= modifier[i].mod;
                name = str_from_offset(name, prefix.len);
                more = true;
            }
        }
    }
    if (!code_parse(name, &key.code))
        return false;
    *out = key;
    return true;
}

bool key_parse_sequence(Str names, KeySequence *out)
{
    KeySequence sequence = { .n = 0 };
    names = str_trim(names);
    while (names.len > 0) {
        size_t end = 0;
        while (end < names.len && names.data[end] != ' ')
            end++;
        if (sequence.n == KEYS_IN_SEQUENCE ||
            !key_parse(str_sub(names, 0, end), &sequence.key[sequence.n]))
            return false;
        sequence.n++;
        names = str_trim(str_from_offset(names, end));
    }
    if (sequence.n == 0)
        return false;
    *out = sequence;
    return true;
}

void key_write(Key key, Buf *out)
{
    if (key.mods & MOD_CTRL)
        buf_puts(out, "Ctrl-");
    if (key.mods & MOD_ALT)
        buf_puts(out, "Alt-");
    if (key.mods & MOD_SHIFT)
        buf_puts(out, "Shift-");
    for (size_t i = 0; i < ARRAY_LEN(special); i++)
        if (special[i].code == key.code) {
            buf_puts(out, special[i].name);
            return;
        }
    if (key.code >= INPUT_F1 && key.code <= INPUT_F12)
        buf_printf(out, "F%u", key.code - INPUT_F1 + 1);
    else if (key.code < 0x20)
        buf_printf(out, "^%c", (char)(key.code + 0x40));
    else
        buf_put_utf8(out, key.code);
}

bool key_is_text(Key key)
{
    return key.mods == 0 && key.code >= 0x20 && key.code != INPUT_BACKSPACE &&
           key.code < INPUT_FIRST;
}
