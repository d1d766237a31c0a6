/* Motion and deletion by grapheme, by Japanese word, by logical line, and up and down by what is
 * seen. */
#include "config.h"

#include "ui/edit.h"

#include "src/base/text.h"
#include "ui/layout.h"

static size_t line_start(Str text, size_t pos)
{
    while (pos > 0 && text.data[pos - 1] != '\n')
        pos--;
    return pos;
}

static size_t line_end(Str text, size_t pos)
{
    while (pos < text.len && text.data[pos] != '\n')
        pos++;
    return pos;
}

static void move_to(const EditInput *in, size_t pos, EditResult *out)
{
    out->done = pos != in->cursor;
    out->cursor = pos;
}

static void delete_range(size_t from, size_t to, EditResult *out)
{
    out->done = to > from;
    out->from = out->cursor = from;
    out->to = to;
}

static void kill_range(const EditInput *in, size_t from, size_t to, EditResult *out)
{
    delete_range(from, to, out);
    out->is_kill = true;
    if (!out->done)
        return;
    if (!in->kill_grows)
        buf_reset(in->kill);
    buf_insert(in->kill, from < in->cursor ? 0 : in->kill->len, str_sub(in->text, from, to - from));
}

static void move_rows(const EditInput *in, int step, EditResult *out)
{
    Layout layout = LAYOUT_INIT;
    int col;
    layout_text(in->text, in->cols, LAYOUT_TAB, &layout);
    size_t row = layout_find(&layout, in->text, in->cursor, LAYOUT_TAB, &col);
    out->goal_col = in->goal_col >= 0 ? in->goal_col : col;
    bool edge = step < 0 ? row == 0 : row + 1 >= layout.n;
    if (!edge) {
        out->cursor = layout_byte_at(&layout, in->text, step < 0 ? row - 1 : row + 1, out->goal_col,
                                     LAYOUT_TAB);
        out->done = true;
    }
    layout_release(&layout);
}

/* Emacs' ^T: swaps the graphemes around the cursor; at the end of a line the two before it. */
static void transpose(const EditInput *in, EditResult *out)
{
    Str text = in->text;
    size_t middle = in->cursor;
    if (middle == line_end(text, middle) && middle > line_start(text, middle))
        middle = text_prev_grapheme(text, middle);
    if (middle == line_start(text, middle))
        return;
    size_t from = text_prev_grapheme(text, middle), to = text_next_grapheme(text, middle);
    out->done = true;
    out->from = from;
    out->to = out->cursor = to;
    buf_append_str(&out->insert, str_sub(text, middle, to - middle));
    buf_append_str(&out->insert, str_sub(text, from, middle - from));
}

static void insert_at_cursor(const EditInput *in, Str text, EditResult *out)
{
    buf_append_str(&out->insert, text);
    out->from = out->to = in->cursor;
    out->cursor = in->cursor + text.len;
    out->done = text.len > 0;
}

static void run_motion(const EditInput *in, EditOp op, EditResult *out)
{
    Str text = in->text;
    size_t cursor = in->cursor;
    switch (op) {
    case EDIT_LEFT:
        move_to(in, text_prev_grapheme(text, cursor), out);
        break;
    case EDIT_RIGHT:
        move_to(in, text_next_grapheme(text, cursor), out);
        break;
    case EDIT_UP:
        move_rows(in, -1, out);
        break;
    case EDIT_DOWN:
        move_rows(in, 1, out);
        break;
    case EDIT_LINE_START:
        move_to(in, line_start(text, cursor), out);
        break;
    case EDIT_LINE_END:
        move_to(in, line_end(text, cursor), out);
        break;
    case EDIT_TEXT_START:
        move_to(in, 0, out);
        break;
    case EDIT_TEXT_END:
        move_to(in, text.len, out);
        break;
    case EDIT_WORD_LEFT:
        move_to(in, text_prev_word(text, cursor), out);
        break;
    default:
        move_to(in, text_next_word(text, cursor), out);
        break;
    }
}

static void run_change(const EditInput *in, EditOp op, EditResult *out)
{
    Str text = in->text;
    size_t cursor = in->cursor, end;
    switch (op) {
    case EDIT_DELETE_LEFT:
        delete_range(text_prev_grapheme(text, cursor), cursor, out);
        break;
    case EDIT_DELETE_RIGHT:
        delete_range(cursor, text_next_grapheme(text, cursor), out);
        break;
    case EDIT_DELETE_WORD_LEFT:
        kill_range(in, text_prev_word(text, cursor), cursor, out);
        break;
    case EDIT_DELETE_WORD_RIGHT:
        kill_range(in, cursor, text_next_word(text, cursor), out);
        break;
    case EDIT_KILL_LINE: /* at the end of a line: the newline itself */
        end = line_end(text, cursor);
        kill_range(in, cursor, end == cursor && end < text.len ? end + 1 : end, out);
        break;
    case EDIT_KILL_START:
        kill_range(in, line_start(text, cursor), cursor, out);
        break;
    case EDIT_YANK:
        insert_at_cursor(in, buf_str(in->kill), out);
        break;
    case EDIT_TRANSPOSE:
        transpose(in, out);
        break;
    case EDIT_NEWLINE:
        insert_at_cursor(in, STR("\n"), out);
        break;
    default:
        break;
    }
}

void edit_run(const EditInput *in, EditOp op, EditResult *out)
{
    *out = (EditResult){ .from = in->cursor,
                         .to = in->cursor,
                         .insert = BUF_INIT,
                         .cursor = in->cursor,
                         .goal_col = -1 };
    if (op <= EDIT_WORD_RIGHT)
        run_motion(in, op, out);
    else
        run_change(in, op, out);
}
