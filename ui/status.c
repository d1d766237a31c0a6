/* What the model is doing, in one row; parts that do not fit are left out, the least important
 * first. */
#include "config.h"

#include "ui/status.h"

#include <stdio.h>

#include "src/base/i18n.h"
#include "src/base/text.h"

void status_bar(Buf *out, double share, int cols)
{
    int full = (int)(share * cols + 0.5);
    buf_putc(out, '[');
    for (int i = 0; i < cols; i++)
        buf_putc(out, i < full ? '#' : '-');
    buf_putc(out, ']');
}

void status_draw_more(Grid *grid, Rect area, int rows)
{
    char text[80];
    snprintf(text, sizeof text, P_(" v %d more row ", " v %d more rows ", rows), rows);
    int cols = text_cols(str_from(text));
    if (cols < area.cols)
        grid_text(grid, area, area.row + area.rows - 1, area.col + area.cols - cols, str_from(text),
                  STYLE_SELECTED);
}

static void draw_right(Grid *grid, Rect area, int from, Str text, Style style)
{
    int cols = text_cols(text);
    if (from + cols + 1 <= area.col + area.cols)
        grid_text(grid, area, area.row, area.col + area.cols - cols - 1, text, style);
}

void status_draw_title(const Chat *chat, Grid *grid, Rect area)
{
    const Conversation *conversation = chat_conversation(chat);
    const ChatStatus *status = chat_status(chat);
    Buf right = BUF_INIT;
    grid_fill(grid, area, STYLE_TITLE);
    if (status->model) {
        buf_printf(&right, "%s", status->model->name ? status->model->name : "?");
        if (status->model->quant && *status->model->quant)
            buf_printf(&right, " %s", status->model->quant);
    } else {
        buf_puts(&right, _("no model"));
    }
    if (area.cols >= 60) {
        buf_printf(&right, "  T%.1f", conversation->sampling.temperature);
        if (conversation->system.len > 0)
            buf_printf(&right, "  %s", _("system"));
    }
    const char *title = conversation->title ? conversation->title : _("New conversation");
    int right_cols = text_cols(buf_str(&right)), room = area.cols - 2;
    if (right_cols + 10 < room)
        room -= right_cols + 2;
    int col = grid_text_cut(grid, area, area.row, area.col + 1, room, str_from(title), STYLE_TITLE);
    draw_right(grid, area, col + 1, buf_str(&right), STYLE_TITLE);
    buf_release(&right);
}

typedef struct {
    Buf text[6];
    Style style[6];
    size_t n;
} Parts;

static Buf *part(Parts *parts, Style style)
{
    parts->style[parts->n] = style;
    parts->text[parts->n] = (Buf)BUF_INIT;
    return &parts->text[parts->n++];
}

static void put_progress(Buf *out, const char *what, const ChatStatus *status)
{
    double share =
        status->progress_total > 0 ? (double)status->progress_done / status->progress_total : 0;
    buf_puts(out, what);
    if (status->progress_total <= 0)
        return;
    buf_putc(out, ' ');
    status_bar(out, share, 10);
    buf_printf(out, " %d%%", (int)(share * 100));
}

static void put_state(Parts *parts, const ChatStatus *status)
{
    Buf *out = part(parts, STYLE_STATUS);
    switch (status->state) {
    case CHAT_LOADING:
        put_progress(out, _("loading the model"), status);
        break;
    case CHAT_READING:
        put_progress(out, _("reading the prompt"), status);
        break;
    case CHAT_REPLYING:
        buf_printf(out, P_("replying: %d token", "replying: %d tokens", status->usage.generated),
                   status->usage.generated);
        break;
    default:
        buf_puts(out, status->model ? _("ready") : _("no model"));
        break;
    }
}

static void put_context(Parts *parts, const ChatStatus *status)
{
    if (status->context_size <= 0)
        return;
    double share = (double)status->context_used / status->context_size;
    Buf *out = part(parts, share >= 0.9 ? STYLE_WARN : STYLE_STATUS);
    /* TRANSLATORS: how much of the model's context is used, in tokens; keep it short */
    buf_printf(out, _("ctx %d/%d"), status->context_used, status->context_size);
    buf_putc(out, ' ');
    status_bar(out, share, 10);
}

static void put_counts(Parts *parts, const ChatStatus *status)
{
    const Usage *usage = &status->usage;
    if (usage->reused == 0 && usage->computed == 0)
        return;
    /* TRANSLATORS: tokens of the prompt that were still in memory + tokens that had to be read */
    buf_printf(part(parts, STYLE_STATUS), _("reused %d + read %d"), usage->reused, usage->computed);
}

void status_draw(const Chat *chat, Grid *grid, Rect area)
{
    const ChatStatus *status = chat_status(chat);
    Parts parts = { .n = 0 };
    put_state(&parts, status);
    if (status->state != CHAT_LOADING && status->tokens_per_second > 0)
        /* TRANSLATORS: tokens per second */
        buf_printf(part(&parts, STYLE_STATUS), _("%.1f tok/s"), status->tokens_per_second);
    put_context(&parts, status);
    put_counts(&parts, status);
    if (status->state != CHAT_IDLE && status->state != CHAT_LOADING)
        buf_puts(part(&parts, STYLE_STATUS), _("Esc stops"));
    grid_fill(grid, area, STYLE_STATUS);
    int col = area.col + 1, right = area.col + area.cols - 1;
    for (size_t i = 0; i < parts.n; i++) {
        int cols = text_cols(buf_str(&parts.text[i]));
        bool fits = col + cols + (i ? 3 : 0) <= right;
        if (fits && i)
            col = grid_text(grid, area, area.row, col, STR(" | "), STYLE_STATUS);
        if (fits || i == 0)
            col = grid_text_cut(grid, area, area.row, col, right - col, buf_str(&parts.text[i]),
                                parts.style[i]);
        buf_release(&parts.text[i]);
    }
}
