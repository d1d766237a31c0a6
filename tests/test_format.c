/* Chat formats: which one a template belongs to, what is read off it, and the prompts that come out, against renderings
 * of real templates ($KAIWA_SHARED/data/templates) and small ones of our own. */
#include "config.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/format.h"
#include "src/base/mem.h"

enum { MAX_MESSAGES = 16 };

/* ---- helpers ---- */

/* The rendering as text; ids appear as <12>. */
static void render_text(const ChatFormat *format, const ChatMessage *messages, size_t n, bool continue_last, Buf *out)
{
    Rendering rendering = RENDERING_INIT;
    format_render(format, messages, n, continue_last, &rendering);
    for (size_t i = 0; i < rendering.n; i++) {
        const RenderPart *part = &rendering.part[i];
        buf_append_str(out, str_sub(buf_str(&rendering.text), part->start, part->n_ids ? 0 : part->len));
        for (size_t k = 0; k < part->n_ids; k++)
            buf_printf(out, "<%d>", part->ids[k]);
    }
    rendering_release(&rendering);
}

static void check_text(const char *name, const char *chat_template, const ChatMessage *messages, size_t n,
                       bool continue_last, const char *wanted)
{
    ChatFormat format;
    Buf text = BUF_INIT;
    format_make(&format, format_row(str_from(name)), str_from(chat_template), "<s>", "</s>");
    render_text(&format, messages, n, continue_last, &text);
    assert_string_equal(buf_cstr(&text), wanted);
    buf_release(&text);
    format_release(&format);
}

#define SYSTEM(s) { .role = ROLE_SYSTEM, .text = { "" s, sizeof(s) - 1 } }
#define USER(s)   { .role = ROLE_USER, .text = { "" s, sizeof(s) - 1 } }
#define REPLY(s)  { .role = ROLE_ASSISTANT, .text = { "" s, sizeof(s) - 1 } }

/* ---- formats without a template ---- */

static const ChatMessage talk[] = { SYSTEM("Be brief."), USER(" Hi \n"), REPLY(" Hello. "), USER("Bye\xE3\x80\x80") };

static void llama2_folds_the_system_prompt_and_trims_the_whole(void **state)
{
    (void)state;
    check_text("llama2", "", talk, 4, false,
               "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi [/INST] Hello. </s><s>[INST] Bye [/INST]");
    check_text("llama2", "", talk + 1, 3, false, "<s>[INST] Hi [/INST] Hello. </s><s>[INST] Bye [/INST]");
}

static void elyza_keeps_messages_as_they_are_and_ends_with_a_space(void **state)
{
    (void)state;
    check_text("elyza", "", talk, 4, false,
               "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi \n [/INST] Hello. </s><s>[INST] Bye\xE3\x80\x80 [/INST] ");
}

static void other_formats_write_their_own_marks(void **state)
{
    (void)state;
    check_text("chatml", "", talk, 4, false,
               "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi \n<|im_end|>\n<|im_start|>assistant\n"
               " Hello. <|im_end|>\n<|im_start|>user\nBye\xE3\x80\x80<|im_end|>\n<|im_start|>assistant\n");
    check_text("llama3", "", talk, 4, false,
               "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user"
               "<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>"
               "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
    check_text("mistral", "", talk, 4, false,
               "<s>[INST] Be brief.\n\n Hi \n [/INST] Hello. </s>[INST] Bye\xE3\x80\x80 [/INST]");
    check_text("plain", "", talk, 4, false, "Be brief.\n\n Hi \n\n\n Hello. \n\nBye\xE3\x80\x80\n\n");
}

static void an_empty_system_prompt_is_not_a_missing_one(void **state)
{
    static const ChatMessage empty[] = { SYSTEM(""), USER("a") };
    static const char TEMPLATE[] = "{% if messages[0]['role'] != 'system' %}"
                                   "{{ '<|im_start|>system\nYou are a \\'helper\\'.<|im_end|>\n' }}{% endif %}";
    (void)state;
    check_text("chatml", TEMPLATE, empty, 2, false,
               "<|im_start|>system\n<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n");
    check_text("chatml", TEMPLATE, empty + 1, 1, false,
               "<|im_start|>system\nYou are a 'helper'.<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n");
    check_text("llama2", "", empty, 2, false, "<s>[INST] <<SYS>>\n\n<</SYS>>\n\na [/INST]");
}

static void text_outside_of_tags_is_read_too(void **state)
{
    static const ChatMessage user[] = { USER("a") };
    (void)state;
    check_text("chatml", "{# it's #}{% if not system %}<|im_start|>system\nOutside.<|im_end|>\n{% endif %}", user, 1,
               false, "<|im_start|>system\nOutside.<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n");
    check_text("mistral", "{{ bos_token }}[INST] {{ message.content }}[/INST] {{ reply }}", user, 1, false,
               "<s>[INST] a[/INST] ");
}

static void stored_ids_stand_for_the_reply_and_its_spaces(void **state)
{
    static const int32_t ids[] = { 7, 8 };
    const ChatMessage messages[] = { USER("a"), { ROLE_ASSISTANT, STR("text"), ids, 2 }, USER("b") };
    (void)state;
    check_text("llama2", "", messages, 3, false, "<s>[INST] a [/INST]<7><8></s><s>[INST] b [/INST]");
    check_text("elyza", "", messages, 3, false, "<s>[INST] a [/INST] <7><8></s><s>[INST] b [/INST] ");
    check_text("chatml", "", messages, 3, false,
               "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<7><8><|im_end|>\n<|im_start|>user\nb<|im_end|>\n"
               "<|im_start|>assistant\n");
}

static void a_partial_reply_goes_on_without_an_end(void **state)
{
    static const int32_t ids[] = { 7 };
    const ChatMessage text[] = { USER("a"), REPLY(" To be ") }, stored[] = { USER("a"), { ROLE_ASSISTANT, STR("x"), ids, 1 } };
    (void)state;
    check_text("llama2", "", text, 2, true, "<s>[INST] a [/INST] To be ");
    check_text("llama2", "", stored, 2, true, "<s>[INST] a [/INST]<7>");
    check_text("chatml", "", text, 2, true, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n To be ");
}

static void thoughts_of_earlier_turns_are_left_out_where_the_template_does(void **state)
{
    static const int32_t ids[] = { 7 };
    const ChatMessage messages[] = { USER("a"),
                                     { ROLE_ASSISTANT, STR("<think>\nhm\n</think>\n\nyes"), ids, 1 },
                                     USER("b"),
                                     { ROLE_ASSISTANT, STR("no thought"), ids, 1 },
                                     USER("c") };
    (void)state;
    check_text("chatml", "{{ '<|im_start|>' }}{{ content.split('</think>')[-1] }}", messages, 5, false,
               "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n<|im_start|>user\nb<|im_end|>\n"
               "<|im_start|>assistant\n<7><|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n");
}

static void later_system_messages_are_not_lost(void **state)
{
    static const ChatMessage messages[] = { USER("a"), REPLY("b"), SYSTEM("new"), USER("c") };
    (void)state;
    check_text("llama2", "", messages, 4, false,
               "<s>[INST] a [/INST] b </s><s>[INST] <<SYS>>\nnew\n<</SYS>>\n\nc [/INST]");
}

/* ---- real templates ---- */

typedef struct {
    const char *file, *why;
    int line; /* of templates.jsonl; 0: any */
} Exception;

/* Templates that look like a format of ours and write something else. */
static const Exception exceptions[] = {
    { NULL, "writes the system prompt without marks", 1 },
    { NULL, "opens replies without a line feed", 16 },
    { NULL, "ends user messages without eos", 10 },
    { "HuggingFaceTB-SmolLM3-3B.jinja", "has metadata of its own; not a family of ours", 0 },
};

static const Exception *find_exception(const json_t *item)
{
    const char *file = json_string_value(json_object_get(item, "template_file"));
    int line = (int)json_integer_value(json_object_get(item, "line"));
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if ((exceptions[i].file && strcmp(file, exceptions[i].file) == 0) || (line && exceptions[i].line == line))
            return &exceptions[i];
    return NULL;
}

static const char *shared(void)
{
    const char *folder = getenv("KAIWA_SHARED");
    return folder ? folder : "../shared";
}

static bool read_file(const char *name, Buf *out)
{
    char path[1024], block[4096];
    size_t n;
    snprintf(path, sizeof path, "%s/data/templates/%s", shared(), name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        buf_append(out, block, n);
    fclose(file);
    return true;
}

/* The template of a rendering: a file, or the only value in a line of templates.jsonl. */
static void find_template(const json_t *item, Buf *out)
{
    const char *file = json_string_value(json_object_get(item, "template_file")), *key;
    json_int_t wanted = json_integer_value(json_object_get(item, "line"));
    Buf all = BUF_INIT;
    Str rest, line;
    json_t *value;

    if (!wanted) {
        assert_true(read_file(file, out));
        return;
    }
    assert_true(read_file("templates.jsonl", &all));
    rest = buf_str(&all);
    for (json_int_t i = 1; str_line(&rest, &line); i++) {
        if (i != wanted)
            continue;
        json_t *object = json_loadb(line.data, line.len, 0, NULL);
        json_object_foreach (object, key, value)
            buf_append(out, json_string_value(value), json_string_length(value));
        json_decref(object);
    }
    buf_release(&all);
}

static size_t read_messages(const json_t *list, ChatMessage *messages)
{
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        const char *role = json_string_value(json_object_get(item, "role"));
        const json_t *text = json_object_get(item, "content");
        assert_true(i < MAX_MESSAGES);
        messages[i] = (ChatMessage){
            .role = strcmp(role, "system") == 0 ? ROLE_SYSTEM : strcmp(role, "user") == 0 ? ROLE_USER : ROLE_ASSISTANT,
            .text = { json_string_value(text), json_string_length(text) },
        };
    }
    return json_array_size(list);
}

/* Where a template asks for today's date, ours is the one that it falls back on. */
static void fix_date(const json_t *item, Buf *text)
{
    static const char NOW[] = "Today Date: 26 Jul 2026", OURS[] = "Today Date: 26 Jul 2024";
    ptrdiff_t at = json_object_get(item, "now") ? str_find(buf_str(text), str_from(NOW)) : -1;
    if (at >= 0)
        memcpy(text->data + at, OURS, strlen(OURS));
}

/* 1: equal, 0: not ours, -1: differs. */
static int compare_rendering(const json_t *item)
{
    Buf source = BUF_INIT, got = BUF_INIT, wanted = BUF_INIT;
    const char *signature;
    ChatMessage messages[MAX_MESSAGES];
    ChatFormat format;
    int result = 0;

    find_template(item, &source);
    const FormatRow *row = format_of_template(buf_str(&source), &signature);
    if (row && json_is_string(json_object_get(item, "expected")) && !find_exception(item) &&
        json_is_true(json_object_get(item, "add_generation_prompt"))) {
        size_t n = read_messages(json_object_get(item, "messages"), messages);
        format_make(&format, row, buf_str(&source), json_string_value(json_object_get(item, "bos_token")),
                    json_string_value(json_object_get(item, "eos_token")));
        render_text(&format, messages, n, false, &got);
        buf_puts(&wanted, json_string_value(json_object_get(item, "expected")));
        fix_date(item, &wanted);
        result = str_eq(buf_str(&got), buf_str(&wanted)) ? 1 : -1;
        if (result < 0)
            print_message("# %s, line %d, %s:\n# got    %s\n# wanted %s\n", row->name,
                          (int)json_integer_value(json_object_get(item, "line")),
                          json_string_value(json_object_get(item, "conversation")), buf_cstr(&got), buf_cstr(&wanted));
        format_release(&format);
    }
    buf_release(&source);
    buf_release(&got);
    buf_release(&wanted);
    return result;
}

static void real_templates_render_as_jinja_renders_them(void **state)
{
    Buf all = BUF_INIT;
    Str rest, line;
    int equal = 0, differ = 0;

    (void)state;
    if (!read_file("rendered.jsonl", &all)) {
        const char *ci = getenv("CI");
        if (ci && strcmp(ci, "true") == 0)
            fail_msg("KAIWA_SHARED says where templates are");
        skip();
    }
    rest = buf_str(&all);
    while (str_line(&rest, &line)) {
        json_t *item = json_loadb(line.data, line.len, 0, NULL);
        int result;
        assert_non_null(item);
        result = compare_rendering(item);
        equal += result > 0;
        differ += result < 0;
        json_decref(item);
    }
    print_message("# %d renderings equal, %d differ\n", equal, differ);
    assert_int_equal(differ, 0);
    assert_true(equal >= 60);
    buf_release(&all);
}

static void hostile_templates_are_read_without_harm(void **state)
{
    static const char *const templates[] = {
        "{{ '<|im_start|>system\n", "{{ \"<|im_start|>\\", "{# <|im_start|>", "{{'<|im_start|>system\n<|im_end|>'",
        "[INST]", "{{ '[INST]' }}{{ '[/INST] ", "{{'<|start_header_id|>Cutting Knowledge Date'", "{{ '' }}<<SYS>>[INST]",
        "{% set system_message = '<|im_start|>' %}", "{{ ' ' + message}}[INST]{{eos_token + ' '",
    };
    (void)state;
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        const char *signature;
        const FormatRow *row = format_of_template(str_from(templates[i]), &signature);
        ChatFormat format;
        Buf text = BUF_INIT;
        assert_non_null(row);
        format_make(&format, row, str_from(templates[i]), "<s>", "</s>");
        render_text(&format, talk, 4, false, &text);
        assert_true(str_find(buf_str(&text), STR("Hello.")) > 0);
        buf_release(&text);
        format_release(&format);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llama2_folds_the_system_prompt_and_trims_the_whole),
        cmocka_unit_test(elyza_keeps_messages_as_they_are_and_ends_with_a_space),
        cmocka_unit_test(other_formats_write_their_own_marks),
        cmocka_unit_test(an_empty_system_prompt_is_not_a_missing_one),
        cmocka_unit_test(text_outside_of_tags_is_read_too),
        cmocka_unit_test(stored_ids_stand_for_the_reply_and_its_spaces),
        cmocka_unit_test(a_partial_reply_goes_on_without_an_end),
        cmocka_unit_test(thoughts_of_earlier_turns_are_left_out_where_the_template_does),
        cmocka_unit_test(later_system_messages_are_not_lost),
        cmocka_unit_test(real_templates_render_as_jinja_renders_them),
        cmocka_unit_test(hostile_templates_are_read_without_harm),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("chat formats", tests, NULL, NULL);
}
