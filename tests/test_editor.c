/* The editor through the real libedit: keys, motion, several lines, history, undo, paste, two at
 * once. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/base/text.h"
#include "src/base/utf8.h"
#include "ui/editor.h"
#include "ui/editor_keys.h"

/* libtinfo keeps what tgetent read for libedit. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:_nc_trim_sgr0\nleak:libtinfo\n";
}

static Editor *new_editor(bool one_line)
{
    Error err = ERROR_INIT;
    EditorOptions options = { .one_line = one_line, .has_history = true, .skip_user_file = true };
    Editor *editor = editor_new(&options, &err);
    assert_non_null(editor);
    return editor;
}

static void type(Editor *editor, const char *text)
{
    Str s = str_from(text);
    for (size_t pos = 0; pos < s.len;)
        editor_key(editor, (wchar_t)utf8_next(s, &pos));
}

static EditorResult press(Editor *editor, const char *names)
{
    EditorResult result = EDITOR_PASSED;
    Str rest = str_from(names);
    while (rest.len > 0) {
        ptrdiff_t blank = str_find(rest, STR(" "));
        size_t n = blank < 0 ? rest.len : (size_t)blank;
        Key key;
        assert_true(key_parse(str_sub(rest, 0, n), &key));
        result = editor_press(editor, key);
        rest = str_from_offset(rest, blank < 0 ? rest.len : n + 1);
    }
    return result;
}

/* The text with | at the cursor. */
static void expect(Editor *editor, const char *want)
{
    Buf got = BUF_INIT;
    buf_append_str(&got, editor_text(editor));
    assert_true(editor_cursor(editor) <= got.len);
    buf_insert(&got, editor_cursor(editor), STR("|"));
    assert_string_equal(buf_cstr(&got), want);
    buf_release(&got);
}

static void typed_text_is_there_at_once(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    type(editor, "こんにちは abc");
    expect(editor, "こんにちは abc|");
    press(editor, "Left Left Left Left");
    type(editor, "、");
    expect(editor, "こんにちは、| abc");
    editor_free(editor);
}

static void motion_and_deletion_go_by_grapheme(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    editor_set(editor, STR("葛\U000E0100👨‍👩‍👧ｶﾞ"), false);
    press(editor, "Left");
    expect(editor, "葛\U000E0100👨‍👩‍👧|ｶﾞ");
    press(editor, "^B");
    expect(editor, "葛\U000E0100|👨‍👩‍👧ｶﾞ");
    press(editor, "Delete");
    expect(editor, "葛\U000E0100|ｶﾞ");
    press(editor, "Backspace");
    expect(editor, "|ｶﾞ");
    press(editor, "Right");
    expect(editor, "ｶﾞ|");
    press(editor, "^H");
    expect(editor, "|");
    press(editor, "^D Backspace Left Right");
    expect(editor, "|");
    editor_free(editor);
}

static void words_are_japanese_words(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    editor_set(editor, STR("私は東京で hello world"), false);
    press(editor, "Alt-b");
    expect(editor, "私は東京で hello |world");
    press(editor, "Ctrl-Left Alt-b");
    expect(editor, "私は東京|で hello world");
    press(editor, "Alt-b");
    expect(editor, "私は|東京で hello world");
    press(editor, "Alt-f");
    expect(editor, "私は東京|で hello world");
    press(editor, "^W");
    expect(editor, "私は|で hello world");
    press(editor, "Alt-d Alt-d");
    expect(editor, "私は| world");
    press(editor, "^Y");
    expect(editor, "私は東京で hello| world");
    editor_free(editor);
}

static void kills_in_a_row_come_back_together(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    editor_set(editor, STR("one two three"), false);
    press(editor, "^W ^W");
    expect(editor, "one |");
    press(editor, "^A ^Y");
    expect(editor, "two three|one ");
    press(editor, "^U");
    expect(editor, "|one ");
    press(editor, "^K ^Y ^Y");
    expect(editor, "two threeone two threeone |");
    editor_free(editor);
}

static void line_keys_stay_on_their_line(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    type(editor, "一行目");
    press(editor, "^J");
    type(editor, "二行目です");
    press(editor, "Alt-Enter");
    type(editor, "三");
    press(editor, "Up ^A");
    expect(editor, "一行目\n|二行目です\n三");
    press(editor, "^E");
    expect(editor, "一行目\n二行目です|\n三");
    press(editor, "Left Left ^K");
    expect(editor, "一行目\n二行目|\n三");
    press(editor, "^K");
    expect(editor, "一行目\n二行目|三");
    press(editor, "^U");
    expect(editor, "一行目\n|三");
    press(editor, "Home Left Home End");
    expect(editor, "一行目|\n三");
    editor_free(editor);
}

static void up_and_down_follow_what_is_seen(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    editor_set_cols(editor, 10);
    editor_set(editor, STR("あいうえおかきくけこさし"), false); /* rows of five */
    expect(editor, "あいうえおかきくけこさし|");
    press(editor, "Up");
    expect(editor, "あいうえおかき|くけこさし");
    press(editor, "Up");
    expect(editor, "あい|うえおかきくけこさし");
    press(editor, "Down Down");
    expect(editor, "あいうえおかきくけこさし|");
    editor_set(editor, STR("長い行です\n短\n長い行です"), false);
    press(editor, "Up");
    expect(editor, "長い行です\n短|\n長い行です");
    press(editor, "Up"); /* the goal column is kept over the short line */
    expect(editor, "長い行です|\n短\n長い行です");
    editor_free(editor);
}

static void earlier_input_comes_back_and_the_draft_is_kept(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    editor_history_add(editor, STR("最初"));
    editor_history_add(editor, STR("二つ\n目"));
    editor_history_add(editor, STR("二つ\n目"));
    type(editor, "書きかけ");
    press(editor, "Up");
    expect(editor, "二つ\n目|");
    press(editor, "Up");
    expect(editor, "二|つ\n目"); /* first inside the text */
    press(editor, "Up");
    expect(editor, "最初|");
    press(editor, "Up");
    expect(editor, "最初|");
    press(editor, "Down");
    expect(editor, "二つ\n目|");
    press(editor, "Down");
    expect(editor, "書きかけ|");
    press(editor, "Down");
    expect(editor, "書きかけ|");
    editor_free(editor);
}

static void history_search_reads_japanese(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    editor_history_add(editor, STR("ラーメンの一覧"));
    editor_history_add(editor, STR("東京の天気"));
    editor_history_add(editor, STR("一番近い駅"));
    type(editor, "下書き");
    press(editor, "^R");
    assert_true(editor_search_prompt(editor).len > 0);
    type(editor, "一"); /* U+4E00, which ended libedit's own search */
    expect(editor, "一番近い駅|");
    press(editor, "^R");
    expect(editor, "ラーメンの一覧|");
    press(editor, "Backspace");
    type(editor, "らーめん");
    expect(editor, "ラーメンの一覧|");
    press(editor, "^G");
    expect(editor, "下書き|");
    assert_int_equal(editor_search_prompt(editor).len, 0);
    press(editor, "^R");
    type(editor, "天気");
    press(editor, "^A");
    expect(editor, "東京の天気|");
    press(editor, "Down Down Down");
    expect(editor, "下書き|");
    press(editor, "^R");
    type(editor, "東京");
    assert_int_equal(press(editor, "Enter"), EDITOR_ACCEPTED);
    expect(editor, "東京の天気|");
    editor_free(editor);
}

static void enter_keeps_the_text_until_it_is_set(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    type(editor, "送る");
    assert_int_equal(press(editor, "Enter"), EDITOR_ACCEPTED);
    expect(editor, "送る|");
    type(editor, "よ");
    expect(editor, "送るよ|");
    editor_set(editor, STR(""), false);
    expect(editor, "|");
    assert_true(editor_is_empty(editor));
    assert_int_equal(press(editor, "Enter"), EDITOR_ACCEPTED);
    type(editor, "次");
    expect(editor, "次|");
    editor_free(editor);
}

static void undo_goes_back_step_by_step(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    type(editor, "abc");
    press(editor, "^W");
    editor_insert(editor, STR("貼り付け"));
    expect(editor, "貼り付け|");
    press(editor, "^_");
    expect(editor, "|");
    press(editor, "^_");
    expect(editor, "abc|");
    press(editor, "^_");
    expect(editor, "|");
    press(editor, "^_");
    expect(editor, "|");
    type(editor, "x");
    editor_set(editor, STR(""), true); /* ^C in the screen */
    press(editor, "^_");
    expect(editor, "x|");
    editor_free(editor);
}

static void a_paste_is_one_clean_insertion(void **state)
{
    Editor *editor = new_editor(false), *line = new_editor(true);
    Buf big = BUF_INIT;
    (void)state;
    editor_insert(editor, STR("か\u3099\r\nb\rc\033[31m\x01"));
    expect(editor, "が\nb\nc[31m|");
    press(editor, "^_");
    expect(editor, "|");
    for (int i = 0; i < 20000; i++)
        buf_puts(&big, "あ");
    editor_insert(editor, buf_str(&big));
    assert_int_equal(editor_text(editor).len, big.len);
    press(editor, "Left Backspace");
    type(editor, "x");
    assert_int_equal(editor_cursor(editor), big.len - 6 + 1);
    editor_insert(line, STR("a\nb\tc"));
    assert_null(memchr(editor_text(line).data, '\n', editor_text(line).len));
    buf_release(&big);
    editor_free(line);
    editor_free(editor);
}

static void keys_of_several_characters_work(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    editor_key(editor, 0x1B); /* an arrow as the terminal sends it, byte by byte */
    editor_key(editor, '[');
    expect(editor, "|");
    editor_key(editor, 'D');
    expect(editor, "|");
    type(editor, "ab");
    type(editor, "\033[D");
    expect(editor, "a|b");
    press(editor, "^V");
    editor_key(editor, 0x02); /* quoted: inserted, not a motion */
    assert_int_equal(editor_text(editor).len, 3);
    press(editor, "Backspace");
    expect(editor, "a|b");
    press(editor, "^T");
    expect(editor, "ba|");
    press(editor, "Alt-4");
    type(editor, "x"); /* libedit's numeric argument */
    expect(editor, "baxxxx|");
    editor_free(editor);
}

static void latin_letters_and_rare_planes_are_typed(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    type(editor, "éÿßñ𠮷😀");
    expect(editor, "éÿßñ𠮷😀|");
    editor_free(editor);
}

static void two_editors_keep_out_of_each_others_way(void **state)
{
    Editor *a = new_editor(false), *b = new_editor(true);
    (void)state;
    for (int i = 0; i < 20; i++) {
        type(a, "あ");
        type(b, "b");
        press(a, i % 2 ? "Left" : "^V");
        press(b, "^B");
        if (i % 2 == 0)
            type(a, "い");
    }
    assert_int_equal(utf8_count(editor_text(a)), 30);
    assert_int_equal(utf8_count(editor_text(b)), 20);
    editor_free(a);
    press(b, "^E");
    assert_int_equal(editor_cursor(b), 20);
    editor_free(b);
}

static void unknown_keys_are_passed_on(void **state)
{
    Editor *editor = new_editor(false);
    (void)state;
    assert_int_equal(press(editor, "F3"), EDITOR_PASSED);
    assert_int_equal(press(editor, "PgUp"), EDITOR_PASSED);
    assert_int_equal(press(editor, "Shift-Up"), EDITOR_PASSED);
    expect(editor, "|");
    editor_free(editor);
}

static void the_users_file_binds_keys(void **state)
{
    char dir[] = "/tmp/kaiwa-editrc-XXXXXX";
    Buf path = BUF_INIT;
    (void)state;
    assert_non_null(mkdtemp(dir));
    buf_printf(&path, "%s/.editrc", dir);
    FILE *file = fopen(buf_cstr(&path), "w");
    assert_non_null(file);
    fputs("kaiwa:bind ^G kaiwa-word-left\nother:bind ^B kaiwa-undo\n", file);
    fclose(file);
    setenv("HOME", dir, 1);
    Error err = ERROR_INIT;
    EditorOptions options = { .has_history = true };
    Editor *editor = editor_new(&options, &err);
    assert_non_null(editor);
    type(editor, "ab cd");
    press(editor, "^G ^B");
    expect(editor, "ab| cd");
    editor_free(editor);

    file = fopen(buf_cstr(&path), "w");
    assert_non_null(file);
    fputs("kaiwa:bind -v\n", file);
    fclose(file);
    editor = editor_new(&options, &err);
    assert_non_null(editor);
    assert_true(editor_is_vi(editor));
    type(editor, "日本 語");
    press(editor, "Left Left Backspace"); /* ours work in insert mode */
    expect(editor, "日| 語");
    press(editor, "Esc");
    type(editor, "0x"); /* vi: first column, delete a character */
    expect(editor, "| 語");
    assert_int_equal(press(editor, "Enter"), EDITOR_ACCEPTED);
    editor_free(editor);
    unlink(buf_cstr(&path));
    rmdir(dir);
    buf_release(&path);
}

static void every_function_in_the_help_is_bound(void **state)
{
    Editor *editor = new_editor(false);
    size_t n;
    const EditorFunction *function = editor_functions(&n);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        Str keys = str_from(function[i].keys);
        Key key;
        while (editor_next_key(&keys, &key)) {
            assert_int_equal(editor_key_op(key), function[i].op);
            assert_int_not_equal(editor_press(editor, key), EDITOR_PASSED);
            if (editor_search_prompt(editor).len > 0)
                press(editor, "^G");
        }
        assert_int_equal(keys.len, 0);
    }
    editor_free(editor);
}

static void names_of_keys_are_read_and_written(void **state)
{
    static const char *const names[] = { "^X",        "Enter",     "Esc",       "F1",
                                         "F12",       "Alt-b",     "Ctrl-Left", "Shift-Up",
                                         "Alt-Enter", "Shift-Tab", "PgDn",      "a",
                                         "あ",        "Backspace", "Tab",       "Space" };
    static const char *const bad[] = { "", "F13", "F0", "ab", "Hyper-x", "^", "^1" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        Key key;
        Buf name = BUF_INIT;
        assert_true(key_parse(str_from(names[i]), &key));
        key_write(key, &name);
        assert_string_equal(buf_cstr(&name), names[i]);
        buf_release(&name);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Key key;
        if (strcmp(bad[i], "^") != 0)
            assert_false(key_parse(str_from(bad[i]), &key));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_text_is_there_at_once),
        cmocka_unit_test(motion_and_deletion_go_by_grapheme),
        cmocka_unit_test(words_are_japanese_words),
        cmocka_unit_test(kills_in_a_row_come_back_together),
        cmocka_unit_test(line_keys_stay_on_their_line),
        cmocka_unit_test(up_and_down_follow_what_is_seen),
        cmocka_unit_test(earlier_input_comes_back_and_the_draft_is_kept),
        cmocka_unit_test(history_search_reads_japanese),
        cmocka_unit_test(enter_keeps_the_text_until_it_is_set),
        cmocka_unit_test(undo_goes_back_step_by_step),
        cmocka_unit_test(a_paste_is_one_clean_insertion),
        cmocka_unit_test(keys_of_several_characters_work),
        cmocka_unit_test(latin_letters_and_rare_planes_are_typed),
        cmocka_unit_test(two_editors_keep_out_of_each_others_way),
        cmocka_unit_test(unknown_keys_are_passed_on),
        cmocka_unit_test(the_users_file_binds_keys),
        cmocka_unit_test(every_function_in_the_help_is_bound),
        cmocka_unit_test(names_of_keys_are_read_and_written),
    };
    setlocale(LC_ALL, "C.UTF-8");
    setenv("TERM", "xterm-256color", 1);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
