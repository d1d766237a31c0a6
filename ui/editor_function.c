/* What an editor's keys do to its line: motion and change through edit.c, undo, earlier input, its
 * search.  Runs on the editor's thread when a key asks for it, on the UI thread otherwise; never on
 * both at once. */
#include "config.h"

#include "ui/editor_parts.h"

#include <stdlib.h>

#include "src/base/i18n.h"
#include "src/base/text.h"

void editor_replace_all(Editor *editor, Str text)
{
    editor_sync(editor);
    editor_change(editor, 0, editor->text.len, text, text.len);
}

/* ---- undo and history ------------------------------------------------------------------------ */

static bool run_undo(Editor *editor)
{
    UndoStep step;
    if (!undo_take(&editor->undo, &step))
        return false;
    editor_sync(editor);
    editor_change(editor, 0, editor->text.len, str_of(step.text, step.len), step.cursor);
    free(step.text);
    editor->undoing = true;
    return true;
}

static bool history_move(Editor *editor, int step)
{
    Str line;
    if (!editor->options.has_history ||
        !recall_move(&editor->recall, step, buf_str(&editor->text), &line))
        return false;
    editor_replace_all(editor, line);
    return true;
}

static void search_show(Editor *editor, bool failed)
{
    buf_reset(&editor->search_prompt);
    /* TRANSLATORS: in front of the input while the history is searched backwards */
    buf_printf(&editor->search_prompt,
               failed ? _("not in the history “%s”: ") : _("history “%s”: "),
               buf_cstr(&editor->query));
}

/* The next place to look below, after a key in a search.  False: the key ends the search. */
static bool search_key(Editor *editor, wchar_t wc, size_t at, size_t *below)
{
    size_t n = editor->recall.n;
    Str query = buf_str(&editor->query);
    *below = at;
    if (wc == 0x12)
        return true;
    if (wc == 0x7F || wc == 0x08) {
        buf_truncate(&editor->query, text_prev_grapheme(query, query.len));
        *below = n;
        return true;
    }
    if (wc < 0x20)
        return false;
    buf_put_utf8(&editor->query, (unsigned)wc);
    *below = at < n ? at + 1 : n;
    return true;
}

/* ^R: reads keys until one ends the search.  Written straight on, as libedit's own functions are:
 * el_wgetc hands control back to the screen.  (libedit's own search ends at 一, U+4E00: it looks at
 * the low byte alone.) */
static bool run_search(Editor *editor)
{
    editor_sync(editor);
    UndoStep before = undo_step(buf_str(&editor->text), editor->cursor);
    size_t n = editor->recall.n, at = n, below;
    bool failed = false;
    wchar_t wc = 0;
    buf_reset(&editor->query);
    for (;;) {
        search_show(editor, failed);
        if (!editor_read(editor, &wc) || !search_key(editor, wc, at, &below))
            break;
        size_t found =
            editor->query.len ? recall_find(&editor->recall, buf_str(&editor->query), below) : n;
        failed = found == n && editor->query.len > 0;
        if (found < n) {
            at = found;
            editor_replace_all(editor, str_from(editor->recall.line[at]));
        }
    }
    buf_reset(&editor->search_prompt);
    if (wc == 0x07 || wc == 0x1B) {
        editor_sync(editor);
        editor_change(editor, 0, editor->text.len, str_of(before.text, before.len), before.cursor);
    } else if (at < n) {
        recall_jump(&editor->recall, at, str_of(before.text, before.len));
    }
    free(before.text);
    editor->accepted = wc == '\r';
    return true;
}

/* ---- one operation --------------------------------------------------------------------------- */

static bool run_edit(Editor *editor, EditOp op)
{
    editor_sync(editor);
    if (op == EDIT_NEWLINE && editor->options.one_line)
        return false;
    EditInput in = { buf_str(&editor->text), editor->cursor, editor->cols,
                     editor->goal_col,       &editor->kill,  editor->last_was_kill };
    EditResult out;
    edit_run(&in, op, &out);
    if (out.done) {
        editor_change(editor, out.from, out.to, buf_str(&out.insert), out.cursor);
        editor->goal_kept = out.goal_col >= 0;
        editor->goal_col = out.goal_col;
        editor->kill_kept = out.is_kill;
    } else if (op == EDIT_UP || op == EDIT_DOWN) {
        out.done = history_move(editor, op == EDIT_UP ? -1 : 1);
    }
    buf_release(&out.insert);
    return out.done;
}

bool editor_run(Editor *editor, EditOp op)
{
    switch (op) {
    case EDIT_UNDO:
        return run_undo(editor);
    case EDIT_SEARCH:
        return editor->options.has_history ? run_search(editor) : false;
    case EDIT_ACCEPT:
        editor->accepted = true;
        return true;
    default:
        return run_edit(editor, op);
    }
}

/* ---- one key --------------------------------------------------------------------------------- */

UndoStep editor_step_begin(Editor *editor)
{
    editor_sync(editor);
    editor->goal_kept = editor->kill_kept = editor->accepted = editor->undoing = false;
    return undo_step(buf_str(&editor->text), editor->cursor);
}

EditorResult editor_step_end(Editor *editor, UndoStep before, bool typed)
{
    editor_sync(editor);
    if (editor->undoing)
        free(before.text);
    else
        undo_note(&editor->undo, before, buf_str(&editor->text), typed);
    if (!editor->goal_kept)
        editor->goal_col = -1;
    editor->last_was_kill = editor->kill_kept;
    return editor->accepted ? EDITOR_ACCEPTED : EDITOR_DONE;
}
