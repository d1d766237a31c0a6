/* Reading ahead: a draft that has stayed the same for a moment goes to the worker, which reads what
 * will not change any more.  No event answers; sending finds the work done. */
#include "config.h"

#include "src/base/clock.h"
#include "src/base/text.h"
#include "src/chat_parts.h"

enum { PAUSE_US = 300000 };

void chat_draft_changed(Chat *chat, Str draft)
{
    Preread *p = &chat->preread;

    if (str_eq(draft, buf_str(&p->draft)))
        return;
    buf_reset(&p->draft);
    buf_append_str(&p->draft, draft);
    p->due_us = str_trim(draft).len ? clock_mono_us() + PAUSE_US : 0;
}

/* While something runs the draft waits: the end of what runs wakes the loop. */
static bool is_possible(const Chat *chat)
{
    return chat->preread.due_us && chat->has_model && !chat->open_serial && !chat->reply.active &&
           !chat_is_foreign(chat, conversation_last(chat->conversation));
}

void preread_tick(Chat *chat)
{
    Preread *p = &chat->preread;
    Buf clean = BUF_INIT;
    Request *request;

    if (!is_possible(chat) || clock_mono_us() < p->due_us)
        return;
    p->due_us = 0;
    text_clean_input(buf_str(&p->draft), &clean);
    request = chat_request(chat, REQUEST_PREREAD, NULL, NULL);
    request_add(request, ROLE_USER, buf_str(&clean));
    worker_ask(chat->options.worker, request);
    buf_release(&clean);
}

int preread_deadline_ms(const Chat *chat)
{
    int64_t left;

    if (!is_possible(chat))
        return -1;
    left = chat->preread.due_us - clock_mono_us();
    return left <= 0 ? 0 : (int)((left + 999) / 1000);
}
