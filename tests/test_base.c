/* Errors, memory, tokens, files, the log, the clocks and the locale. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/base/error.h"
#include "src/base/i18n.h"
#include "src/base/log.h"
#include "src/base/mem.h"
#include "src/base/path.h"
#include "src/base/tokens.h"
#include "src/base/utf8.h"

static char folder[] = "/tmp/kaiwa-test-base.XXXXXX";

static void in_folder(Buf *path, const char *name)
{
    path_join(path, folder, name);
}

/* Errors */

static void an_error_is_one_harmless_line(void **state)
{
    Error err = ERROR_INIT;

    (void)state;
    assert_false(error_set(&err, ERR_FORMAT, "%s",
                           "a\nb\x1B[2Jc\xC2\x9B"
                           "d\xFF"));
    assert_string_equal(err.text, "a b?[2Jc?d\xEF\xBF\xBD");
    assert_false(error_note(&err, "file %d", 7));
    assert_string_equal(err.text, "file 7: a b?[2Jc?d\xEF\xBF\xBD");
    assert_int_equal(err.kind, ERR_FORMAT);
}

static void an_error_is_cut_at_a_character(void **state)
{
    Error err = ERROR_INIT;
    Buf text = BUF_INIT;

    (void)state;
    for (int i = 0; i < 2000; i++)
        buf_puts(&text, "日");
    for (int shift = 0; shift < 3; shift++) {
        error_set(&err, ERR_SYSTEM, "%.*s%s", shift, "ab", buf_cstr(&text));
        assert_true(strlen(err.text) > sizeof err.text - 4);
        assert_true(utf8_valid(str_from(err.text)));
        assert_null(strstr(err.text, "\xEF\xBF\xBD"));
    }
    buf_release(&text);
}

static void an_error_may_quote_itself(void **state)
{
    Error err = ERROR_INIT;

    (void)state;
    error_set(&err, ERR_DEVICE, "inner");
    error_set(&err, ERR_SYSTEM, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
}

static void errno_chooses_the_kind(void **state)
{
    static const struct {
        int code;
        ErrorKind kind;
    } rows[] = { { ENOENT, ERR_NOT_FOUND }, { ENOMEM, ERR_MEMORY }, { EACCES, ERR_SYSTEM } };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        Error err = ERROR_INIT;

        errno = rows[i].code;
        assert_false(error_errno(&err, "open %s", "x"));
        assert_int_equal(err.kind, rows[i].kind);
        assert_int_equal(strncmp(err.text, "open x: ", 8), 0);
        assert_int_equal(errno, rows[i].code);
    }
}

/* Memory and tokens */

static void sizes_that_overflow_are_refused(void **state)
{
    size_t n;

    (void)state;
    assert_false(mem_mul(SIZE_MAX, 2, &n));
    assert_true(mem_mul(3, 4, &n) && n == 12);
    assert_false(mem_add(SIZE_MAX, 1, &n));
    assert_true(mem_add(1, 2, &n) && n == 3);
    assert_null(mem_try_alloc(SIZE_MAX, 2));
    assert_null(mem_try_alloc(SIZE_MAX / 2 + 2, 1));
}

static void the_chosen_allocation_fails(void **state)
{
    void *a, *b;

    (void)state;
    mem_fail_at(2);
    a = mem_try_alloc(1, 1);
    b = mem_try_alloc(1, 1);
    assert_non_null(a);
    assert_null(b);
    b = mem_try_alloc(3, 1);
    assert_non_null(b);
    assert_int_equal(((char *)b)[2], 0);
    free(a);
    free(b);
    mem_fail_at(1);
    mem_fail_at(0);
    a = mem_try_alloc(0, 8);
    assert_non_null(a);
    free(a);
}

static void tokens_are_compared_from_the_start(void **state)
{
    Tokens t = TOKENS_INIT;
    static const int32_t more[] = { 7, 8, 9 };

    (void)state;
    for (int32_t i = 0; i < 1000; i++)
        tokens_push(&t, i);
    tokens_truncate(&t, 2);
    tokens_truncate(&t, 5);
    tokens_append(&t, more, 3);
    tokens_append(&t, NULL, 0);
    assert_int_equal(t.n, 5);
    assert_int_equal(t.ids[4], 9);
    assert_int_equal(tokens_common(t.ids, t.n, (const int32_t[]){ 0, 1, 7, 1 }, 4), 3);
    assert_int_equal(tokens_common(t.ids, t.n, t.ids, 2), 2);
    assert_int_equal(tokens_common(t.ids, 0, t.ids, 2), 0);
    tokens_release(&t);
}

/* Files */

static void folders_follow_the_xdg_rules(void **state)
{
    static const struct {
        const char *variable;
        void (*dir)(Buf *);
        const char *set, *unset;
    } rows[] = {
        { "XDG_DATA_HOME", path_data_dir, "/x/kaiwa", "/home/me/.local/share/kaiwa" },
        { "XDG_CONFIG_HOME", path_config_dir, "/x/kaiwa", "/home/me/.config/kaiwa" },
        { "XDG_STATE_HOME", path_state_dir, "/x/kaiwa", "/home/me/.local/state/kaiwa" },
        { "XDG_CACHE_HOME", path_cache_dir, "/x/kaiwa", "/home/me/.cache/kaiwa" },
        { "HF_HUB_CACHE", path_hf_cache, "/x", "/home/me/.cache/huggingface/hub" },
        { "HF_HOME", path_hf_cache, "/x/hub", "/home/me/.cache/huggingface/hub" },
    };

    (void)state;
    setenv("HOME", "/home/me/", 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static const char *const values[] = { NULL, "", "/x/", "relative" };

        for (size_t v = 0; v < 4; v++) {
            Buf dir = BUF_INIT;

            if (values[v])
                setenv(rows[i].variable, values[v], 1);
            else
                unsetenv(rows[i].variable);
            rows[i].dir(&dir);
            if (v < 3 || rows[i].variable[0] == 'X') /* XDG: a relative path is ignored */
                assert_string_equal(buf_cstr(&dir), v == 2 ? rows[i].set : rows[i].unset);
            buf_release(&dir);
        }
        unsetenv(rows[i].variable);
    }
    unsetenv("HOME");
    assert_int_equal(path_home()[0], '/');
    assert_null(path_env("HOME"));
    setenv("HOME", folder, 1);
}

static void folders_are_made_with_their_parents(void **state)
{
    Buf path = BUF_INIT;
    Error err = ERROR_INIT;
    struct stat st;

    (void)state;
    in_folder(&path, "a/b//c/");
    assert_true(path_mkdirs(buf_cstr(&path), &err));
    assert_true(path_mkdirs(buf_cstr(&path), &err));
    assert_true(path_is_dir(buf_cstr(&path)));
    assert_int_equal(stat(buf_cstr(&path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    in_folder(&path, "file");
    assert_true(path_write_file(buf_cstr(&path), STR("x"), &err));
    assert_false(path_is_dir(buf_cstr(&path)));
    in_folder(&path, "file/below");
    assert_false(path_mkdirs(buf_cstr(&path), &err));
    assert_non_null(strstr(err.text, "/file"));
    buf_release(&path);
}

static void files_are_written_whole_and_read_back(void **state)
{
    Buf path = BUF_INIT, out = BUF_INIT, link_path = BUF_INIT;
    Error err = ERROR_INIT;
    struct stat st;

    (void)state;
    in_folder(&path, "whole");
    assert_true(path_write_file(buf_cstr(&path), STR("a\0b"), &err));
    assert_int_equal(chmod(buf_cstr(&path), 0640), 0);
    in_folder(&link_path, "link");
    assert_int_equal(symlink("whole", buf_cstr(&link_path)), 0);
    assert_true(path_write_file(buf_cstr(&link_path), STR("second"), &err));
    assert_int_equal(lstat(buf_cstr(&link_path), &st), 0);
    assert_true(S_ISLNK(st.st_mode)); /* a link stays one */
    assert_int_equal(stat(buf_cstr(&path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_true(path_read_file(buf_cstr(&path), 6, &out, &err));
    assert_string_equal(buf_cstr(&out), "second");
    assert_false(path_read_file(buf_cstr(&path), 5, &out, &err));
    assert_int_equal(err.kind, ERR_FORMAT);
    assert_true(path_write_file("/dev/null", STR("gone"), &err));
    buf_release(&path);
    buf_release(&out);
    buf_release(&link_path);
}

static void what_is_not_a_file_is_refused_in_words(void **state)
{
    Buf path = BUF_INIT, out = BUF_INIT;
    Error err = ERROR_INIT;

    (void)state;
    in_folder(&path, "missing");
    assert_false(path_read_file(buf_cstr(&path), 10, &out, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_false(path_read_file(folder, 10, &out, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    assert_false(path_write_file(folder, STR("x"), &err));
    in_folder(&path, "pipe");
    assert_int_equal(mkfifo(buf_cstr(&path), 0600), 0);
    assert_false(
        path_read_file(buf_cstr(&path), 10, &out, &err)); /* and does not wait for a writer */
    in_folder(&path, "no/such/folder");
    assert_false(path_write_file(buf_cstr(&path), STR("x"), &err));
    assert_int_equal(out.len, 0);
    buf_release(&path);
    buf_release(&out);
}

static void a_stream_is_read_to_its_end(void **state)
{
    int fds[2];
    char name[32];
    Buf out = BUF_INIT;
    Error err = ERROR_INIT;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "piped", 5), 5);
    close(fds[1]);
    snprintf(name, sizeof name, "/dev/fd/%d", fds[0]);
    assert_true(path_read_file(name, 100, &out, &err));
    assert_string_equal(buf_cstr(&out), "piped");
    close(fds[0]);
    buf_release(&out);
}

static void titles_become_file_names(void **state)
{
    static const struct {
        const char *title, *name;
    } rows[] = {
        { "京都旅行の計画", "京都旅行の計画" },
        { "a/b\nc", "a_b_c" },
        { "  ", "untitled" },
        { "", "untitled" },
        { "../etc", "_._etc" },
        { ".", "_" },
        { "x\xFFy", "x\xEF\xBF\xBDy" },
    };
    Buf title = BUF_INIT, name = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_reset(&name);
        path_safe_name(str_from(rows[i].title), &name);
        assert_string_equal(buf_cstr(&name), rows[i].name);
    }
    for (int i = 0; i < 100; i++)
        buf_puts(&title, "か\xE3\x82\x99");
    buf_reset(&name);
    path_safe_name(buf_str(&title), &name);
    assert_int_equal(name.len, 198); /* whole graphemes of six bytes */
    buf_reset(&title);
    buf_puts(&title, "e");
    for (int i = 0; i < 300; i++)
        buf_puts(&title, "\xCC\x81");
    buf_reset(&name);
    path_safe_name(buf_str(&title), &name);
    assert_int_equal(name.len, 199);
    assert_string_equal(path_base("/a/b"), "b");
    assert_string_equal(path_base("b"), "b");
    buf_release(&title);
    buf_release(&name);
}

/* Log, clocks, locale */

static void the_log_escapes_and_keeps_its_level(void **state)
{
    Buf path = BUF_INIT, text = BUF_INIT;
    Error err = ERROR_INIT;
    int64_t now = INT64_C(1700000000123000);

    (void)state;
    log_write(LOG_ERROR, "nobody hears this");
    clock_set_virtual(&now);
    in_folder(&path, "log");
    assert_true(log_open(buf_cstr(&path), LOG_INFO, &err));
    log_write(LOG_DEBUG, "too fine");
    log_write(LOG_WARN, "日本\n\x1B[%d", 5);
    log_close();
    log_write(LOG_ERROR, "too late");
    clock_set_virtual(NULL);
    assert_true(path_read_file(buf_cstr(&path), 4096, &text, &err));
    assert_string_equal(buf_cstr(&text), "2023-11-14T22:13:20.123Z warn  日本\\x0a\\x1b[5\n");
    in_folder(&path, "no/log");
    assert_false(log_open(buf_cstr(&path), LOG_INFO, &err));
    buf_release(&path);
    buf_release(&text);
}

static void both_clocks_can_be_stopped(void **state)
{
    int64_t now = 5000, start;

    (void)state;
    clock_set_virtual(&now);
    assert_int_equal(clock_mono_us(), 5000);
    assert_int_equal(clock_wall_ms(), 5);
    now = 9000;
    assert_int_equal(clock_wall_ms(), 9);
    clock_set_virtual(NULL);
    start = clock_mono_us();
    assert_true(clock_mono_us() >= start);
    assert_true(clock_wall_ms() > INT64_C(1600000000000));
}

static bool locale_works(const char *all, const char *lang, Error *err)
{
    unsetenv("LANGUAGE");
    unsetenv("LC_ALL");
    unsetenv("LANG");
    unsetenv("LC_CTYPE");
    unsetenv("LC_MESSAGES");
    if (all)
        setenv("LC_ALL", all, 1);
    if (lang)
        setenv("LANG", lang, 1);
    return i18n_init(err);
}

static void the_locale_is_utf8_or_an_error(void **state)
{
    static const struct {
        const char *all, *lang;
        bool ok;
    } rows[] = {
        { NULL, NULL, true },
        { "C", NULL, true },
        { "POSIX", "ja_JP.eucJP", true },
        { NULL, "C.UTF-8", true },
        { NULL, "ja_JP.utf8", true },
        { NULL, "xx_XX.UTF-8", true },
        { NULL, "ja_JP.eucJP", false },
        { "ja_JP.SJIS", "C.UTF-8", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Error err = ERROR_INIT;
        bool ok = locale_works(rows[i].all, rows[i].lang, &err);

        if (ok != rows[i].ok)
            fail_msg("row %zu: %s", i, err.text);
        if (ok) {
            assert_int_equal(MB_CUR_MAX, 6);
            assert_string_equal(setlocale(LC_NUMERIC, NULL), "C");
        } else {
            assert_int_equal(err.kind, ERR_USAGE);
        }
    }
}

static void a_language_without_its_locale_is_still_chosen(void **state)
{
    Error err = ERROR_INIT;

    (void)state;
    assert_true(locale_works(NULL, "xx_YY.UTF-8", &err));
    assert_string_equal(getenv("LANGUAGE"), "xx_YY");
    assert_true(locale_works("C.UTF-8", NULL, &err));
    assert_null(getenv("LANGUAGE"));
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    setenv("HOME", folder, 1);
    return 0;
}

static int remove_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_is_one_harmless_line),
        cmocka_unit_test(an_error_is_cut_at_a_character),
        cmocka_unit_test(an_error_may_quote_itself),
        cmocka_unit_test(errno_chooses_the_kind),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(the_chosen_allocation_fails),
        cmocka_unit_test(tokens_are_compared_from_the_start),
        cmocka_unit_test(folders_follow_the_xdg_rules),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(files_are_written_whole_and_read_back),
        cmocka_unit_test(what_is_not_a_file_is_refused_in_words),
        cmocka_unit_test(a_stream_is_read_to_its_end),
        cmocka_unit_test(titles_become_file_names),
        cmocka_unit_test(the_log_escapes_and_keeps_its_level),
        cmocka_unit_test(both_clocks_can_be_stopped),
        cmocka_unit_test(the_locale_is_utf8_or_an_error),
        cmocka_unit_test(a_language_without_its_locale_is_still_chosen),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
