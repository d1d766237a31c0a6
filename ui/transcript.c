/* Blocks of rows: one for each message (its rule, its label, its text, a blank) and one for the
 * note. */
#include "config.h"

#include "ui/transcript.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"
#include "src/base/text.h"
#include "ui/status.h"

enum { INDENT = 2 };

void transcript_init(Transcript *transcript)
{
    *transcript = (Transcript){ .follow = true, .cols = 80, .height = 20 };
}

static void forget_rows(Transcript *transcript)
{
    for (size_t i = 0; i < transcript->n_rows; i++)
        layout_cache_release(&transcript->rows[i].cache);
    transcript->n_rows = 0;
}

void transcript_release(Transcript *transcript)
{
    forget_rows(transcript);
    free(transcript->rows);
    free(transcript->path);
    buf_release(&transcript->note);
    layout_cache_release(&transcript->note_rows);
}

void transcript_reset(Transcript *transcript)
{
    forget_rows(transcript);
    transcript->n_path = 0;
    transcript->follow = true;
}

void transcript_set_note(Transcript *transcript, Str text)
{
    while (text.len > 0 && text.data[text.len - 1] == '\n')
        text.len--;
    buf_reset(&transcript->note);
    buf_append_str(&transcript->note, text);
    layout_cache_reset(&transcript->note_rows);
}

/* ---- rows of blocks -------------------------------------------------------------------------- */

static LayoutCache *rows_of(Transcript *transcript, int64_t message)
{
    size_t low = 0, high = transcript->n_rows;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (transcript->rows[middle].message < message)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < transcript->n_rows && transcript->rows[low].message == message)
        return &transcript->rows[low].cache;
    transcript->rows = mem_grow(transcript->rows, &transcript->cap_rows, transcript->n_rows + 1,
                                sizeof *transcript->rows);
    for (size_t i = transcript->n_rows; i > low; i--)
        transcript->rows[i] = transcript->rows[i - 1];
    transcript->n_rows++;
    transcript->rows[low] = (TranscriptRows){ .message = message };
    return &transcript->rows[low].cache;
}

static size_t n_blocks(const Transcript *transcript)
{
    return transcript->n_path + (transcript->note.len > 0);
}

/* Shown text of a block: replies often begin or end in blank lines, which are kept in the store and
 * left out here. */
static Str block_text(const Transcript *transcript, size_t block)
{
    if (block >= transcript->n_path)
        return buf_str(&transcript->note);
    Str text = buf_str(&transcript->path[block]->text);
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' '))
        text.len--;
    return text;
}

static const Layout *block_layout(Transcript *transcript, size_t block)
{
    bool is_note = block >= transcript->n_path;
    LayoutCache *cache =
        is_note ? &transcript->note_rows : rows_of(transcript, transcript->path[block]->id);
    return layout_cache_update(cache, block_text(transcript, block), transcript->cols - INDENT,
                               LAYOUT_TAB);
}

static bool has_rule(const Transcript *transcript, size_t block)
{
    return block > 0 && block < transcript->n_path &&
           block == chat_status(transcript->chat)->window_from;
}

/* Rows above a block's text. */
static int head_rows(const Transcript *transcript, size_t block)
{
    return (block < transcript->n_path) + has_rule(transcript, block);
}

/* What happened to a message, in words; NULL: nothing special. */
static const char *status_words(const Message *message)
{
    switch (message->status) {
    case MESSAGE_STOPPED:
        return _("stopped");
    case MESSAGE_LENGTH:
        return _("cut off: max-tokens");
    case MESSAGE_CONTEXT:
        return _("cut off: the context is full");
    case MESSAGE_FAILED:
        return _("failed");
    default:
        return NULL;
    }
}

/* Rows below a block's text: what became of a reply, and a blank before the next block. */
static int tail_rows(const Transcript *transcript, size_t block)
{
    bool has_words = block < transcript->n_path && status_words(transcript->path[block]);
    return has_words + (block + 1 < n_blocks(transcript));
}

static int text_rows(Transcript *transcript, size_t block)
{
    return (int)block_layout(transcript, block)->n;
}

static int block_rows(Transcript *transcript, size_t block)
{
    return head_rows(transcript, block) + text_rows(transcript, block) +
           tail_rows(transcript, block);
}

/* Moves a place; stops at both ends.  Returns the rows it could not go. */
static int move_place(Transcript *transcript, TranscriptPlace *place, int rows)
{
    for (; rows < 0; rows++) {
        if (place->row > 0) {
            place->row--;
        } else if (place->block > 0) {
            place->block--;
            place->row = block_rows(transcript, place->block) - 1;
        } else {
            return rows;
        }
    }
    for (; rows > 0; rows--) {
        if (place->row + 1 < block_rows(transcript, place->block)) {
            place->row++;
        } else if (place->block + 1 < n_blocks(transcript)) {
            place->block++;
            place->row = 0;
        } else {
            return rows;
        }
    }
    return 0;
}

/* The first row of a screen that ends with the last row. */
static TranscriptPlace last_page(Transcript *transcript)
{
    TranscriptPlace place = { 0, 0 };
    if (n_blocks(transcript) == 0)
        return place;
    place.block = n_blocks(transcript) - 1;
    place.row = block_rows(transcript, place.block) - 1;
    move_place(transcript, &place, 1 - transcript->height);
    return place;
}

/* ---- the place that is held ------------------------------------------------------------------ */

static bool is_before(TranscriptPlace a, TranscriptPlace b)
{
    return a.block < b.block || (a.block == b.block && a.row < b.row);
}

/* The first row to show.  Never so far down that rows stay empty: a held place that a larger window
 * would leave in the middle is shown from the last page, and held on to. */
static TranscriptPlace anchored_place(Transcript *transcript)
{
    TranscriptPlace last = last_page(transcript), place = { 0, 0 };
    while (place.block < transcript->n_path &&
           transcript->path[place.block]->id != transcript->anchor_message)
        place.block++;
    if (transcript->follow || place.block >= n_blocks(transcript))
        return last;
    int head = head_rows(transcript, place.block);
    place.row = transcript->anchor_row;
    if (transcript->anchor_part == PART_TEXT)
        place.row = head + (int)layout_find(block_layout(transcript, place.block),
                                            block_text(transcript, place.block),
                                            transcript->anchor_byte, LAYOUT_TAB, NULL);
    else if (transcript->anchor_part == PART_TAIL)
        place.row += head + text_rows(transcript, place.block);
    if (place.row >= block_rows(transcript, place.block))
        place.row = block_rows(transcript, place.block) - 1;
    return is_before(last, place) ? last : place;
}

static void hold_place(Transcript *transcript, TranscriptPlace place)
{
    int row = place.row - head_rows(transcript, place.block);
    int n = text_rows(transcript, place.block);
    bool is_message = place.block < transcript->n_path;
    transcript->follow = false;
    transcript->anchor_message = is_message ? transcript->path[place.block]->id : 0;
    transcript->anchor_part = row < 0 ? PART_HEAD : row < n ? PART_TEXT : PART_TAIL;
    transcript->anchor_row = row < 0 ? place.row : row - n;
    if (transcript->anchor_part == PART_TEXT)
        transcript->anchor_byte = block_layout(transcript, place.block)->row[row].from;
}

void transcript_scroll(Transcript *transcript, int rows)
{
    if (n_blocks(transcript) == 0)
        return;
    TranscriptPlace place = anchored_place(transcript), last = last_page(transcript);
    if (rows > 0 && transcript->follow)
        return;
    move_place(transcript, &place, rows);
    if (is_before(place, last))
        hold_place(transcript, place);
    else
        transcript->follow = true;
}

void transcript_top(Transcript *transcript)
{
    TranscriptPlace first = { 0, 0 };
    if (n_blocks(transcript) > 0 && is_before(first, last_page(transcript)))
        hold_place(transcript, first);
}

void transcript_read_note(Transcript *transcript)
{
    hold_place(transcript, (TranscriptPlace){ transcript->n_path, 0 });
}

void transcript_bottom(Transcript *transcript)
{
    transcript->follow = true;
}

void transcript_update(Transcript *transcript, const Chat *chat, int cols, int height)
{
    const Conversation *conversation = chat_conversation(chat);
    transcript->chat = chat;
    transcript->cols = cols < INDENT + 2 ? INDENT + 2 : cols;
    transcript->height = height < 1 ? 1 : height;
    transcript->n_path = conversation_path(conversation, NULL, 0);
    transcript->path = mem_grow(transcript->path, &transcript->cap_path, transcript->n_path + 1,
                                sizeof(Message *));
    conversation_path(conversation, transcript->path, transcript->n_path);
    /* A message that could not be stored yet has the highest number until it gets its own. */
    if (transcript->n_rows > 0 && transcript->n_path > 0) {
        TranscriptRows *last = &transcript->rows[transcript->n_rows - 1];
        if (last->message > transcript->path[transcript->n_path - 1]->id)
            layout_cache_reset(&last->cache);
    }
}

/* ---- drawing --------------------------------------------------------------------------------- */

static int draw_words(Grid *grid, Rect area, int row, int col, const char *words, Style style)
{
    return grid_text(grid, area, row, col + 2, str_from(words), style);
}

static void draw_label(Transcript *transcript, Grid *grid, Rect area, int row,
                       const Message *message)
{
    const Conversation *conversation = chat_conversation(transcript->chat);
    bool is_user = message->role == ROLE_USER;
    Str who = str_from(is_user ? _("You") : _("Assistant"));
    int col = grid_text(grid, area, row, area.col, who, is_user ? STYLE_USER : STYLE_ASSISTANT);
    char text[64];
    time_t when = (time_t)(message->created_ms / 1000);
    struct tm tm;
    if (localtime_r(&when, &tm)) {
        strftime(text, sizeof text, "%H:%M", &tm);
        col = draw_words(grid, area, row, col, text, STYLE_MARK);
    }
    size_t index = 0, n = conversation_siblings(conversation, message, NULL, 0, &index);
    if (n > 1) {
        snprintf(text, sizeof text, "[%zu/%zu]", index + 1, n);
        col = draw_words(grid, area, row, col, text, STYLE_MARK);
    }
    if (message->excluded)
        col = draw_words(grid, area, row, col, _("not sent"), STYLE_MARK);
    if (message->thinking.len > 0 && message->text.len == 0 && message->status == MESSAGE_STREAMING)
        draw_words(grid, area, row, col, _("thinking"), STYLE_MARK);
}

static void draw_status(Grid *grid, Rect area, int row, const char *words)
{
    Buf text = BUF_INIT;
    buf_printf(&text, "-- %s --", words);
    grid_text_cut(grid, area, row, area.col + INDENT, area.cols - INDENT, buf_str(&text),
                  STYLE_NOTICE);
    buf_release(&text);
}

static void draw_rule(Grid *grid, Rect area, int row)
{
    Buf line = BUF_INIT;
    /* TRANSLATORS: a line across the conversation; what stands above it has left the model's
     * context */
    const char *words = _("above this line is no longer seen by the model");
    int free_cols = area.cols - text_cols(str_from(words)) - 2;
    for (int i = 0; i < free_cols / 2; i++)
        buf_putc(&line, '-');
    buf_printf(&line, free_cols >= 4 ? " %s " : "%s", words);
    for (int i = 0; i < free_cols - free_cols / 2; i++)
        buf_putc(&line, '-');
    grid_text_cut(grid, area, row, area.col, area.cols, buf_str(&line), STYLE_RULE);
    buf_release(&line);
}

static void draw_place(Transcript *transcript, Grid *grid, Rect area, int row,
                       TranscriptPlace place)
{
    int at = place.row, head = head_rows(transcript, place.block);
    const Layout *layout = block_layout(transcript, place.block);
    if (at < head) {
        if (at == 0 && has_rule(transcript, place.block))
            draw_rule(grid, area, row);
        else
            draw_label(transcript, grid, area, row, transcript->path[place.block]);
        return;
    }
    if ((size_t)(at - head) >= layout->n) {
        bool is_message = place.block < transcript->n_path;
        const char *words = is_message ? status_words(transcript->path[place.block]) : NULL;
        if (words && (size_t)(at - head) == layout->n)
            draw_status(grid, area, row, words);
        return;
    }
    LayoutRow line = layout->row[at - head];
    Str text = str_sub(block_text(transcript, place.block), line.from, line.to - line.from);
    bool is_note = place.block >= transcript->n_path;
    grid_text_tabs(grid, area, row, area.col + INDENT, text, LAYOUT_TAB,
                   is_note ? STYLE_NOTICE : STYLE_TEXT);
}

/* How many rows there are below a place, without counting past what can be said in the mark. */
static int rows_below(Transcript *transcript, TranscriptPlace place)
{
    int rows = block_rows(transcript, place.block) - 1 - place.row;
    for (size_t block = place.block + 1; block < n_blocks(transcript); block++)
        rows += block_rows(transcript, block);
    return rows;
}

void transcript_draw(Transcript *transcript, Grid *grid, Rect area)
{
    if (n_blocks(transcript) == 0 || area.rows < 1)
        return;
    TranscriptPlace place = anchored_place(transcript);
    for (int row = 0; row < area.rows; row++) {
        draw_place(transcript, grid, area, area.row + row, place);
        if (row + 1 == area.rows)
            break;
        if (move_place(transcript, &place, 1) != 0)
            return;
    }
    int below = rows_below(transcript, place);
    if (!transcript->follow && below > 0)
        status_draw_more(grid, area, below);
}
