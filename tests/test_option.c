/* Options: where a value comes from, how the command line is read, what is refused, and that the
 * tables are whole. */
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

#include "src/base/attributes.h"
#include "src/base/path.h"
#include "src/command.h"
#include "src/help.h"
#include "src/option.h"

typedef struct {
    Options *options;
    const char *rest[16];
    int n_rest;
    Error err;
} Parsed;

/* Parses up to 7 words, NULL at the end. */
static bool parse(Parsed *parsed, unsigned uses, const char *const *words)
{
    char *argv[9] = { (char *)"kaiwa" };
    int argc = 1;

    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    *parsed = (Parsed){ .options = options_new() };
    return options_parse(parsed->options, uses, argc, argv, parsed->rest, &parsed->n_rest,
                         &parsed->err);
}

static const char *write_file(const char *text)
{
    static char path[] = "/tmp/kaiwa-test-option-XXXXXX";
    Error err = ERROR_INIT;
    int fd;

    snprintf(path + strlen(path) - 6, 7, "XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_true(path_write_file(path, str_from(text), &err));
    return path;
}

static Options *read_file(const char *text, Buf *warnings)
{
    const char *path = write_file(text);
    Options *options = options_new();
    Error err = ERROR_INIT;
    bool good = options_read_file(options, path, warnings, &err);

    unlink(path);
    assert_true(good);
    return options;
}

static void long_and_short_options_take_values_in_every_way(void **state)
{
    static const char *const lines[][4] = {
        { "--model", "a b", NULL }, { "--model=a b", NULL }, { "-m", "a b", NULL },
        { "-ma b", NULL },          { "-cma b", NULL },
    };
    Parsed parsed;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        assert_true(parse(&parsed, OPTION_MODEL | OPTION_GENERATION, lines[i]));
        assert_string_equal(options_string(parsed.options, "model"), "a b");
        assert_int_equal(parsed.n_rest, 0);
        options_free(parsed.options);
    }
}

static void words_stand_anywhere_and_a_double_dash_ends_options(void **state)
{
    static const char *const line[] = { "one", "--plain", "-", "--", "--model", "-c", NULL };
    Parsed parsed;

    (void)state;
    assert_true(parse(&parsed, OPTION_CHAT | OPTION_GENERATION, line));
    assert_true(options_flag(parsed.options, "plain"));
    assert_false(options_flag(parsed.options, "continue"));
    assert_int_equal(parsed.n_rest, 4);
    assert_string_equal(parsed.rest[0], "one");
    assert_string_equal(parsed.rest[1], "-");
    assert_string_equal(parsed.rest[2], "--model");
    assert_string_equal(parsed.rest[3], "-c");
    options_free(parsed.options);
}

static void a_flag_can_be_taken_back(void **state)
{
    static const char *const line[] = { "--plain", "--no-plain", NULL };
    static const char *const valued[] = { "--plain=no", NULL };
    Parsed parsed;

    (void)state;
    assert_true(parse(&parsed, OPTION_CHAT, line));
    assert_false(options_flag(parsed.options, "plain"));
    assert_true(options_is_set(parsed.options, "plain"));
    options_free(parsed.options);
    assert_true(parse(&parsed, OPTION_CHAT, valued));
    assert_false(options_flag(parsed.options, "plain"));
    options_free(parsed.options);
}

static void what_is_wrong_is_said_in_one_sentence(void **state)
{
    static const struct {
        const char *line[3];
        const char *says;
    } cases[] = {
        { { "--tok", NULL }, "--tok: unknown option; see kaiwa --help" },
        { { "--tok=3", NULL }, "--tok: unknown option; see kaiwa --help" },
        { { "--no-model", NULL }, "--no-model: unknown option; see kaiwa --help" },
        { { "-x", NULL }, "-x: unknown option; see kaiwa --help" },
        { { "-\xE3\x81\x82", NULL }, "-\xE3\x81\x82: unknown option; see kaiwa --help" },
        { { "--model", NULL }, "--model: a value is missing; write --model MODEL" },
        { { "--top-p", "2", NULL }, "--top-p: 2 is out of range; it may be 0 to 1" },
        { { "--top-p", "nan", NULL }, "--top-p: \"nan\" is not a number" },
        { { "--top-k", "1.5", NULL }, "--top-k: \"1.5\" is not a whole number" },
        { { "--temperature=", NULL }, "--temperature: \"\" is not a number" },
        { { "--seed", "-1", NULL }, "--seed: -1 is out of range; it may be 0 or more" },
        { { "--backend", "tpu", NULL }, "--backend: \"tpu\" is unknown; it may be auto|cpu|cuda" },
        { { "--backend", "cpu|cuda", NULL },
          "--backend: \"cpu|cuda\" is unknown; it may be auto|cpu|cuda" },
        { { "--stats=maybe", NULL }, "--stats: \"maybe\" is neither yes nor no" },
        { { "--raw", NULL }, "--raw: this command does not take it; see kaiwa --help" },
        { { "--system", "\xFF", NULL }, "--system: the value is not UTF-8 text" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Parsed parsed;

        if (parse(&parsed, OPTION_MODEL | OPTION_GENERATION, cases[i].line) ||
            strcmp(parsed.err.text, cases[i].says) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].line[0], parsed.err.text, cases[i].says);
        assert_int_equal(parsed.err.kind, ERR_USAGE);
        options_free(parsed.options);
    }
}

static void the_first_word_is_found_past_values(void **state)
{
    static const struct {
        const char *line[5];
        int first;
    } cases[] = {
        { { "list", NULL }, 1 },
        { { "-m", "list", "show", NULL }, 3 },
        { { "--model=x", "list", NULL }, 2 },
        { { "-c", "list", NULL }, 2 },
        { { "--", "list", NULL }, 0 },
        { { "-mx", "ask", NULL }, 2 },
        { { "-", "ask", NULL }, 1 },
        { { "-cm", "ask", NULL }, 0 },
        { { "--unknown", "ask", NULL }, 2 },
        { { "--system", "ask", NULL }, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *argv[6] = { (char *)"kaiwa" };
        int argc = 1;

        for (; cases[i].line[argc - 1]; argc++)
            argv[argc] = (char *)cases[i].line[argc - 1];
        assert_int_equal(options_first_word(argc, argv), cases[i].first);
    }
}

static void the_command_line_wins_over_environment_over_file(void **state)
{
    static const char *const line[] = { "--top-p", "0.3", NULL };
    Buf warnings = BUF_INIT;
    Parsed parsed;
    Error err = ERROR_INIT;
    const char *path =
        write_file("top-p = 0.1\ntop-k = 11\ntemperature = 0.11\nstop = a\nstop = b\n");

    (void)state;
    assert_true(parse(&parsed, OPTION_GENERATION, line));
    setenv("KAIWA_TOP_P", "0.2", 1);
    setenv("KAIWA_TOP_K", "22", 1);
    options_read_environment(parsed.options, &warnings);
    unsetenv("KAIWA_TOP_P");
    unsetenv("KAIWA_TOP_K");
    assert_true(options_read_file(parsed.options, path, &warnings, &err));
    unlink(path);
    assert_int_equal(warnings.len, 0);
    assert_true(options_real(parsed.options, "top-p") == 0.3);
    assert_int_equal(options_int(parsed.options, "top-k"), 22);
    assert_true(options_real(parsed.options, "temperature") == 0.11);
    assert_true(options_real(parsed.options, "min-p") == 0);
    assert_true(options_is_given(parsed.options, "top-p"));
    assert_false(options_is_given(parsed.options, "top-k"));
    options_free(parsed.options);
}

static void a_stronger_list_replaces_a_weaker_one(void **state)
{
    static const char *const line[] = { "--stop", "x", "--stop=y", NULL };
    Buf warnings = BUF_INIT;
    Parsed parsed;
    char *const *items;
    Options *options = read_file("stop = a\nstop = b\n", &warnings);

    (void)state;
    assert_int_equal(options_list(options, "stop", &items), 2);
    assert_string_equal(items[1], "b");
    assert_true(options_set(options, "stop", STR("c"), &(Error)ERROR_INIT));
    assert_int_equal(options_list(options, "stop", &items), 1);
    options_free(options);
    assert_true(parse(&parsed, OPTION_GENERATION, line));
    assert_int_equal(options_list(parsed.options, "stop", &items), 2);
    assert_string_equal(items[0], "x");
    assert_string_equal(items[1], "y");
    options_free(parsed.options);
    buf_release(&warnings);
}

static void a_file_keeps_quotes_comments_and_marks(void **state)
{
    Buf warnings = BUF_INIT;
    Options *options =
        read_file("\xEF\xBB\xBF# kaiwa\r\n"
                  "  system =  \"  \xE7\xB0\xA1\xE6\xBD\x94\xE3\x81\xAB # \\\"x\\\"\\n\"  # why\r\n"
                  "model = a#b # c\n\n"
                  "plain = yes\n",
                  &warnings);

    (void)state;
    assert_string_equal(buf_cstr(&warnings), "");
    assert_string_equal(options_string(options, "system"),
                        "  \xE7\xB0\xA1\xE6\xBD\x94\xE3\x81\xAB # \"x\"\n");
    assert_string_equal(options_string(options, "model"), "a#b");
    assert_true(options_flag(options, "plain"));
    options_free(options);
}

static void lines_that_cannot_be_used_are_warnings_with_their_number(void **state)
{
    Buf warnings = BUF_INIT;
    Options *options =
        read_file("# one\nnewer = 1\ntop-p = 7\nnonsense\nresume = 3\n[colours]\nx = 1\n"
                  "[persona cook]\nplain = yes\ntop-p = 0.5\nsystem = \"open\n",
                  &warnings);
    static const char *const expected[] = {
        ":2: newer: unknown setting",
        ":3: top-p: 7 is out of range; it may be 0 to 1",
        ":4: not understood; a setting is written NAME = VALUE",
        ":5: resume: unknown setting",
        ":6: [colours]: unknown section; there are [keys], [theme NAME] and [persona NAME]",
        ":9: plain: unknown setting",
        ":11: a quotation mark is missing, or words follow the closing one",
    };
    Str rest = buf_str(&warnings), line;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_true(str_line(&rest, &line));
        if (!str_ends(line, str_from(expected[i])))
            fail_msg("\"%.*s\" does not end in \"%s\"", (int)line.len, line.data, expected[i]);
    }
    assert_int_equal(rest.len, 0);
    options_free(options);
    buf_release(&warnings);
}

static void a_file_in_another_character_set_is_an_error(void **state)
{
    static const char *const texts[] = { "system = \x93\xFA\x96\x7B\n", "system = \xC0\xAF\n" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *path = write_file(texts[i]);
        Options *options = options_new();
        Buf warnings = BUF_INIT;
        Error err = ERROR_INIT;

        assert_false(options_read_file(options, path, &warnings, &err));
        assert_non_null(strstr(err.text, "not UTF-8 text; save it as UTF-8"));
        unlink(path);
        options_free(options);
    }
}

static void a_missing_file_matters_only_when_it_was_named(void **state)
{
    Options *options = options_new();
    Buf warnings = BUF_INIT;
    Error err = ERROR_INIT;

    (void)state;
    setenv("XDG_CONFIG_HOME", "/tmp/kaiwa-no-such-folder", 1);
    assert_true(options_read_file(options, NULL, &warnings, &err));
    assert_false(options_read_file(options, "/tmp/kaiwa-no-such-folder/x", &warnings, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    unsetenv("XDG_CONFIG_HOME");
    options_free(options);
}

static void count_lines(void *arg, Str name, Str value)
{
    Buf *out = arg;

    buf_printf(out, "%.*s=%.*s;", (int)name.len, name.data, (int)value.len, value.data);
}

static void sections_are_kept_for_those_who_know_them(void **state)
{
    Buf warnings = BUF_INIT, lines = BUF_INIT;
    Options *options = read_file(
        "[keys]\nF5 = retry\n^X r = retry\n[theme dark]\nuser = blue\n[persona a b]\n", &warnings);
    const char *names[4];

    (void)state;
    assert_string_equal(buf_cstr(&warnings), "");
    options_section(options, "keys", count_lines, &lines);
    assert_string_equal(buf_cstr(&lines), "F5=retry;^X r=retry;");
    assert_int_equal(options_sections(options, "theme ", names, 4), 1);
    assert_string_equal(names[0], "theme dark");
    assert_int_equal(options_sections(options, "persona ", names, 4), 1);
    assert_string_equal(names[0], "persona a b");
    options_free(options);
    buf_release(&lines);
}

static void a_persona_stands_between_file_and_command_line(void **state)
{
    Buf warnings = BUF_INIT;
    Options *options =
        read_file("top-p = 0.1\ntop-k = 5\n[persona cook]\ntop-p = 0.2\ntemperature = 0.4\n"
                  "system = \xE6\x96\x99\xE7\x90\x86\xE4\xBA\xBA\n",
                  &warnings);
    Error err = ERROR_INIT;
    Sampling sampling;

    (void)state;
    assert_true(options_set(options, "temperature", STR("0.9"), &err));
    assert_false(options_apply_persona(options, "poet", &err));
    assert_string_equal(err.text, "poet: no such persona; there are: cook");
    assert_true(options_apply_persona(options, "cook", &err));
    options_sampling(options, NULL, &sampling);
    assert_true(sampling.top_p == 0.2 && sampling.top_k == 5 && sampling.temperature == 0.9);
    assert_string_equal(options_string(options, "system"), "\xE6\x96\x99\xE7\x90\x86\xE4\xBA\xBA");
    options_free(options);
}

static void sampling_starts_from_what_the_model_says(void **state)
{
    Options *options = options_new();
    Sampling model = { .temperature = 0.2,
                       .top_p = 0.8,
                       .top_k = 7,
                       .repeat_penalty = 1.1,
                       .seed = 9 },
             out;
    Error err = ERROR_INIT;

    (void)state;
    assert_true(options_set(options, "top-k", STR("3"), &err));
    assert_true(options_set(options, "seed", STR("9223372036854775807"), &err));
    options_sampling(options, &model, &out);
    assert_true(out.temperature == 0.2 && out.top_p == 0.8 && out.repeat_penalty == 1.1);
    assert_int_equal(out.top_k, 3);
    assert_true(out.seed == 9223372036854775807ull);
    options_sampling(options, NULL, &out);
    assert_true(out.temperature == 0.6 && out.top_p == 0.9);
    out = model;
    out.top_k = 1;
    options_sampling_given(options, &out);
    assert_int_equal(out.top_k, 3);
    assert_true(out.temperature == 0.2);
    options_free(options);
}

static void every_row_is_whole_and_its_default_passes_its_own_check(void **state)
{
    size_t n;
    const OptionRow *rows = option_table(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        Options *options = options_new();
        Error err = ERROR_INIT;

        assert_non_null(rows[i].help);
        assert_true(rows[i].use != 0);
        assert_int_equal(rows[i].type == OPTION_FLAG, rows[i].argument == NULL);
        assert_int_equal(rows[i].type == OPTION_CHOICE, rows[i].choices != NULL);
        if (rows[i].initial && option_find(rows[i].name) == &rows[i])
            assert_true(options_set(options, rows[i].name, str_from(rows[i].initial), &err));
        for (size_t j = 0; j < i; j++) {
            assert_false(rows[i].letter && rows[i].letter == rows[j].letter);
            /* Two rows of a name must never both fit one command. */
            if (strcmp(rows[i].name, rows[j].name) == 0)
                assert_int_equal(rows[i].use & rows[j].use, 0);
        }
        options_free(options);
    }
}

static void help_names_every_option_of_a_command_and_fits_the_terminal(void **state)
{
    size_t n, n_options;
    const CommandRow *commands = command_table(&n);
    const OptionRow *options = option_table(&n_options);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        Buf help = BUF_INIT;
        Str rest, line;

        help_write(&commands[i], &help);
        for (size_t j = 0; j < n_options; j++) {
            bool fits = options[j].use & (commands[i].uses | OPTION_EVERYWHERE) &&
                        !(options[j].use & OPTION_SERVICE);
            Buf name = BUF_INIT;

            buf_printf(&name, "--%s", options[j].name);
            if (fits && !strstr(buf_cstr(&help), buf_cstr(&name)))
                fail_msg("kaiwa %s --help lacks %s", commands[i].name, buf_cstr(&name));
            buf_release(&name);
        }
        rest = buf_str(&help);
        while (str_line(&rest, &line))
            if (line.len > 80)
                fail_msg("a line of %zu columns: %.*s", line.len, (int)line.len, line.data);
        buf_release(&help);
    }
}

static void completions_name_every_command_and_option(void **state)
{
    static const char *const shells[] = { "bash", "zsh", "fish" };
    size_t n, n_options;
    const CommandRow *commands = command_table(&n);
    const OptionRow *options = option_table(&n_options);

    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(shells); s++) {
        Buf out = BUF_INIT;

        help_completion(shells[s], &out);
        for (size_t i = 0; i < n; i++)
            assert_non_null(strstr(buf_cstr(&out), commands[i].name));
        for (size_t i = 0; i < n_options; i++)
            assert_true(options[i].use & OPTION_SERVICE || strstr(buf_cstr(&out), options[i].name));
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_and_short_options_take_values_in_every_way),
        cmocka_unit_test(words_stand_anywhere_and_a_double_dash_ends_options),
        cmocka_unit_test(a_flag_can_be_taken_back),
        cmocka_unit_test(what_is_wrong_is_said_in_one_sentence),
        cmocka_unit_test(the_first_word_is_found_past_values),
        cmocka_unit_test(the_command_line_wins_over_environment_over_file),
        cmocka_unit_test(a_stronger_list_replaces_a_weaker_one),
        cmocka_unit_test(a_file_keeps_quotes_comments_and_marks),
        cmocka_unit_test(lines_that_cannot_be_used_are_warnings_with_their_number),
        cmocka_unit_test(a_file_in_another_character_set_is_an_error),
        cmocka_unit_test(a_missing_file_matters_only_when_it_was_named),
        cmocka_unit_test(sections_are_kept_for_those_who_know_them),
        cmocka_unit_test(a_persona_stands_between_file_and_command_line),
        cmocka_unit_test(sampling_starts_from_what_the_model_says),
        cmocka_unit_test(every_row_is_whole_and_its_default_passes_its_own_check),
        cmocka_unit_test(help_names_every_option_of_a_command_and_fits_the_terminal),
        cmocka_unit_test(completions_name_every_command_and_option),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
