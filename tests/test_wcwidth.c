/* The width function of the program is the one that ncurses and libedit call: when it changes its
 * mind about ambiguous characters, so do they. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include <curses.h>
#include <histedit.h>

#include <cmocka.h>

#include "src/base/text.h"

/* libtinfo keeps what it read of the terminal's description. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libtinfo\nleak:libncursesw\n";
}

static void the_program_asks_its_own_function(void **state)
{
    (void)state;
    text_set_ambiguous(2);
    assert_int_equal(wcwidth(L'①'), 2);
    text_set_ambiguous(1);
    assert_int_equal(wcwidth(L'①'), 1);
    assert_int_equal(wcwidth(L'日'), 2);
    assert_int_equal(wcwidth(0x1FAE8), 2); /* newer than the C library's table */
    assert_int_equal(wcwidth(0x3099), 0);
    assert_int_equal(wcwidth(0x7), -1);
    assert_int_equal(wcwidth(0), 0);
}

/* Column of ncurses' cursor after it wrote the text. */
static int curses_column(const wchar_t *text)
{
    FILE *null = fopen("/dev/null", "r+");
    assert_non_null(null);
    SCREEN *screen = newterm("xterm-256color", null, null);
    assert_non_null(screen);
    mvaddwstr(0, 0, text);
    int col = getcurx(stdscr);
    endwin();
    delscreen(screen);
    fclose(null);
    return col;
}

static void ncurses_calls_it(void **state)
{
    (void)state;
    text_set_ambiguous(1);
    assert_int_equal(curses_column(L"①※日"), 4);
    assert_int_equal(curses_column(L"\U0001FAE8"), 2);
    text_set_ambiguous(2);
    assert_int_equal(curses_column(L"①※日"), 6);
    text_set_ambiguous(1);
}

static const wchar_t *typed;

static int next_typed(EditLine *el, wchar_t *out)
{
    (void)el;
    *out = *typed ? *typed++ : L'\n';
    return 1;
}

static wchar_t *no_prompt(EditLine *el)
{
    static wchar_t empty[] = L"";
    (void)el;
    return empty;
}

/* How many columns libedit moves its cursor back over one ①. */
static int libedit_columns(void)
{
    struct winsize size = { .ws_row = 24, .ws_col = 80 };
    char bytes[4096];
    int master, slave, n, backs = 0;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    FILE *in = fdopen(slave, "r"), *out = fdopen(dup(slave), "w");
    assert_non_null(in);
    assert_non_null(out);
    EditLine *el = el_init("test", in, out, out);
    assert_non_null(el);
    el_wset(el, EL_PROMPT, no_prompt);
    el_wset(el, EL_EDITOR, L"emacs");
    el_wset(el, EL_GETCFN, next_typed);
    typed = L"aaaaaaaa①\x02\n"; /* far enough right that going back is backspaces */
    assert_non_null(el_wgets(el, &n));
    fputc('~', out); /* the pty hands over what was written when it likes: read up to here */
    fflush(out);
    ssize_t got = 0;
    for (bool more = true; more && (got = read(master, bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < got; i++) {
            backs += bytes[i] == '\b';
            more = more && bytes[i] != '~';
        }
    el_end(el);
    fclose(in);
    fclose(out);
    close(master);
    return backs;
}

static void libedit_calls_it(void **state)
{
    (void)state;
    text_set_ambiguous(1);
    assert_int_equal(libedit_columns(), 1);
    text_set_ambiguous(2);
    assert_int_equal(libedit_columns(), 2);
    text_set_ambiguous(1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_asks_its_own_function),
        cmocka_unit_test(ncurses_calls_it),
        cmocka_unit_test(libedit_calls_it),
    };
    setlocale(LC_ALL, "C.UTF-8");
    setenv("TERM", "xterm-256color", 1);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
