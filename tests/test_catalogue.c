/* Catalogues read without gettext, and files that are none. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "src/base/buf.h"
#include "src/base/catalogue.h"
#include "src/base/path.h"

static char folder[] = "/tmp/kaiwa-test-catalogue-XXXXXX";

typedef struct {
    const char *id, *text;
    size_t id_len, text_len;
} Message;

#define MESSAGE(id, text)                                                                          \
    {                                                                                              \
        id, text, sizeof(id) - 1, sizeof(text) - 1                                                 \
    }

static const Message japanese[] = {
    MESSAGE("", "Plural-Forms: nplurals=1; plural=0;\n"),
    MESSAGE("%d cat\0%d cats", "猫%d匹"),
    MESSAGE("ready", "待機中"),
    MESSAGE("untranslated", ""),
};
static const Message german[] = {
    MESSAGE("", "Plural-Forms: nplurals=2; plural=(n != 1);\n"),
    MESSAGE("%d cat\0%d cats", "%d Katze\0%d Katzen"),
};

static void put_word(Buf *out, size_t value)
{
    uint32_t word = (uint32_t)value;
    buf_append(out, (const char *)&word, sizeof word);
}

static void assemble(const Message *messages, size_t n, Buf *out)
{
    size_t at = 28 + 16 * n;
    const size_t head[] = { 0x950412de, 0, n, 28, 28 + 8 * n, 0, 0 };
    for (size_t i = 0; i < 7; i++)
        put_word(out, head[i]);
    for (int which = 0; which < 2; which++)
        for (size_t i = 0; i < n; i++) {
            size_t len = which ? messages[i].text_len : messages[i].id_len;
            put_word(out, len);
            put_word(out, at);
            at += len + 1;
        }
    for (size_t i = 0; i < n; i++)
        buf_append(out, messages[i].id, messages[i].id_len + 1);
    for (size_t i = 0; i < n; i++)
        buf_append(out, messages[i].text, messages[i].text_len + 1);
}

static void put_catalogue(const char *language, Str bytes)
{
    Buf path = BUF_INIT;
    Error err = ERROR_INIT;
    buf_printf(&path, "%s/%s", folder, language);
    mkdir(buf_cstr(&path), 0700);
    buf_puts(&path, "/LC_MESSAGES");
    mkdir(buf_cstr(&path), 0700);
    buf_puts(&path, "/x.mo");
    assert_true(path_write_file(buf_cstr(&path), bytes, &err));
    buf_release(&path);
}

static void the_first_language_that_there_is_is_read(void **state)
{
    static const struct {
        const char *languages, *ready;
    } rows[] = {
        { "ja", "待機中" },
        { "ja_JP", "待機中" },
        { "ja_JP.UTF-8", "待機中" },
        { "ja.UTF-8@x", "待機中" },
        { "xx:ja", "待機中" },
        { "::ja", "待機中" },
        { "en:ja", NULL },
        { "en_US.UTF-8:ja", NULL },
        { "C.UTF-8:ja", NULL },
        { "xx", NULL },
        { "", NULL },
        { "../ja", NULL },
        { "eno:ja", "待機中" },
    };
    Catalogue c = CATALOGUE_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        catalogue_load(&c, folder, rows[i].languages, "x");
        const char *ready = catalogue_find(&c, "ready");
        if (!ready != !rows[i].ready || (ready && strcmp(ready, rows[i].ready) != 0))
            fail_msg("\"%s\": %s", rows[i].languages, ready ? ready : "nothing");
    }
    catalogue_release(&c);
}

static void forms_follow_the_number(void **state)
{
    Catalogue c = CATALOGUE_INIT;
    (void)state;
    catalogue_load(&c, folder, "ja", "x");
    assert_string_equal(catalogue_find_plural(&c, "%d cat", 1), "猫%d匹");
    assert_string_equal(catalogue_find_plural(&c, "%d cat", 2), "猫%d匹");
    assert_null(catalogue_find(&c, "untranslated"));
    assert_null(catalogue_find(&c, "read"));
    assert_null(catalogue_find(&c, "ready "));
    catalogue_load(&c, folder, "de", "x");
    assert_string_equal(catalogue_find_plural(&c, "%d cat", 1), "%d Katze");
    assert_string_equal(catalogue_find_plural(&c, "%d cat", 0), "%d Katzen");
    assert_null(catalogue_find_plural(&c, "%d dog", 2));
    catalogue_release(&c);
    assert_null(catalogue_find(&c, "ready"));
}

static void a_file_that_is_not_whole_is_not_used(void **state)
{
    Buf good = BUF_INIT, bad = BUF_INIT;
    Catalogue c = CATALOGUE_INIT;
    (void)state;
    assemble(japanese, 4, &good);
    for (size_t len = 0; len < good.len; len++) {
        put_catalogue("bad", str_of(good.data, len));
        catalogue_load(&c, folder, "bad", "x");
        if (c.n)
            fail_msg("%zu of %zu bytes are taken", len, good.len);
    }
    /* Every byte of the head and the tables in turn: whatever it says, nothing is read outside. */
    for (size_t at = 0; at < 28 + 16 * 4; at++) {
        buf_reset(&bad);
        buf_append(&bad, good.data, good.len);
        bad.data[at] = (char)0xff;
        put_catalogue("bad", buf_str(&bad));
        catalogue_load(&c, folder, "bad", "x");
        catalogue_find(&c, "ready");
        catalogue_find_plural(&c, "%d cat", 7);
    }
    catalogue_release(&c);
    buf_release(&good);
    buf_release(&bad);
}

static int make_folder(void **state)
{
    Buf bytes = BUF_INIT;
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    assemble(japanese, 4, &bytes);
    put_catalogue("ja", buf_str(&bytes));
    buf_reset(&bytes);
    assemble(german, 2, &bytes);
    put_catalogue("de", buf_str(&bytes));
    buf_release(&bytes);
    return 0;
}

static int drop_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_language_that_there_is_is_read),
        cmocka_unit_test(forms_follow_the_number),
        cmocka_unit_test(a_file_that_is_not_whole_is_not_used),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
