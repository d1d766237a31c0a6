/* Holding back what could begin a stop string. */
#include "config.h"

#include "src/stop_filter.h"

#include <string.h>

void stop_filter_init(StopFilter *filter, char *const *stop, size_t n)
{
    *filter = (StopFilter){ .stop = stop, .n = n };
}

void stop_filter_release(StopFilter *filter)
{
    buf_release(&filter->held);
}

/* The first byte of the earliest complete stop string, or -1. */
static ptrdiff_t find_stop(const StopFilter *filter)
{
    ptrdiff_t first = -1;

    for (size_t i = 0; i < filter->n; i++) {
        Str stop = str_from(filter->stop[i]);
        ptrdiff_t at = stop.len ? str_find(buf_str(&filter->held), stop) : -1;

        if (at >= 0 && (first < 0 || at < first))
            first = at;
    }
    return first;
}

/* Length of the longest end of s that begins the stop string without being all of it. */
static size_t begun(Str s, Str stop)
{
    size_t n = stop.len ? stop.len - 1 : 0;

    n = n < s.len ? n : s.len;
    while (n && memcmp(s.data + s.len - n, stop.data, n) != 0)
        n--;
    return n;
}

bool stop_filter_push(StopFilter *filter, Str text, Buf *out)
{
    size_t keep = 0, sure;
    ptrdiff_t at;

    buf_append_str(&filter->held, text);
    at = find_stop(filter);
    if (at >= 0) {
        buf_append_str(out, str_sub(buf_str(&filter->held), 0, (size_t)at));
        buf_reset(&filter->held);
        return true;
    }
    for (size_t i = 0; i < filter->n; i++) {
        size_t n = begun(buf_str(&filter->held), str_from(filter->stop[i]));

        keep = n > keep ? n : keep;
    }
    sure = filter->held.len - keep;
    buf_append_str(out, str_sub(buf_str(&filter->held), 0, sure));
    buf_remove(&filter->held, 0, sure);
    return false;
}

void stop_filter_flush(StopFilter *filter, Buf *out)
{
    buf_append_str(out, buf_str(&filter->held));
    buf_reset(&filter->held);
}
