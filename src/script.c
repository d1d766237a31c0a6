/* Reads a script: a step a line, a table of steps. */
#include "config.h"

#include "src/script.h"

#include <stdio.h>
#include <stdlib.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"

enum { MAX_SCRIPT = 16 << 20 };

typedef struct {
    const char *name;
    int n_numbers;
    bool has_text; /* the rest of the line */
} StepRow;

static const StepRow step_rows[] = {
    [STEP_OPEN] = { "open", 0, true },         [STEP_REPLY] = { "reply", 0, false },
    [STEP_WINDOW] = { "window", 1, false },    [STEP_USAGE] = { "usage", 2, false },
    [STEP_TIMING] = { "timing", 3, false },    [STEP_PROGRESS] = { "progress", 2, false },
    [STEP_WAIT] = { "wait", 1, false },        [STEP_TEXT] = { "text", 0, true },
    [STEP_THINKING] = { "thinking", 0, true }, [STEP_STREAM] = { "stream", 1, true },
    [STEP_DONE] = { "done", 0, true },         [STEP_FAIL] = { "fail", 0, true },
};

Str script_word(Str *rest)
{
    size_t n = 0;
    Str word;

    *rest = str_trim(*rest);
    while (n < rest->len && rest->data[n] != ' ' && rest->data[n] != '\t')
        n++;
    word = str_sub(*rest, 0, n);
    *rest = str_from_offset(*rest, n);
    return word;
}

static void unescape(Str text, Buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c != '\\' || i + 1 >= text.len) {
            buf_putc(out, c);
            continue;
        }
        c = text.data[++i];
        buf_putc(out, c == 'n' ? '\n' : c == 't' ? '\t' : c == 's' ? ' ' : c);
    }
}

static bool read_step(Script *script, Str line, Error *err)
{
    Str rest = line, word = script_word(&rest);
    ScriptStep step = { .text = BUF_INIT };
    size_t kind = 0;

    while (kind < ARRAY_LEN(step_rows) && !str_eq_c(word, step_rows[kind].name))
        kind++;
    if (kind == ARRAY_LEN(step_rows))
        return error_set(err, ERR_FORMAT, _("there is no step \"%.*s\""), (int)word.len, word.data);
    step.kind = (StepKind)kind;
    for (int i = 0; i < step_rows[kind].n_numbers; i++) {
        long long number;

        if (!str_to_long(script_word(&rest), &number) || number < 0 || number > 1000000000)
            return error_set(err, ERR_FORMAT, _("\"%s\" takes %d numbers"), step_rows[kind].name,
                             step_rows[kind].n_numbers);
        step.number[i] = (int)number;
    }
    rest = str_trim(rest);
    if (rest.len && !step_rows[kind].has_text)
        return error_set(err, ERR_FORMAT, _("\"%s\" is followed by too much"),
                         step_rows[kind].name);
    unescape(rest, &step.text);
    script->step = mem_grow(script->step, &script->cap, script->n + 1, sizeof *script->step);
    script->step[script->n++] = step;
    return true;
}

static bool read_steps(Script *script, Str text, const char *path, Error *err)
{
    Str rest = text, line;
    bool replies = false;

    for (int number = 1; str_line(&rest, &line); number++) {
        line = str_trim(line);
        if (!line.len || line.data[0] == '#')
            continue;
        if (!read_step(script, line, err))
            return error_note(err, _("%s: line %d"), path, number);
        replies = replies || script->step[script->n - 1].kind == STEP_REPLY;
    }
    return replies || error_set(err, ERR_FORMAT, _("%s: the script has no reply"), path);
}

static bool read_file(const char *path, Buf *out, Error *err)
{
    FILE *file = fopen(path, "re");
    char block[4096];
    size_t n;
    bool good;

    if (!file)
        return error_errno(err, "%s", path);
    while (out->len < MAX_SCRIPT && (n = fread(block, 1, sizeof block, file)) > 0)
        buf_append(out, block, n);
    good = !ferror(file);
    if (!good)
        error_errno(err, "%s", path);
    fclose(file);
    return good;
}

bool script_read(Script *script, const char *path, Error *err)
{
    Buf text = BUF_INIT;
    bool good = read_file(path, &text, err) && read_steps(script, buf_str(&text), path, err);

    buf_release(&text);
    if (!good)
        script_release(script);
    return good;
}

void script_release(Script *script)
{
    for (size_t i = 0; i < script->n; i++)
        buf_release(&script->step[i].text);
    free(script->step);
    *script = (Script){ 0 };
}
