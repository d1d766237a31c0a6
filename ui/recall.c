/* The input history in memory; the store keeps it between runs. */
#include "config.h"

#include "ui/recall.h"

#include <stdlib.h>

#include "src/base/mem.h"
#include "src/base/text.h"

void recall_release(Recall *recall)
{
    for (size_t i = 0; i < recall->n; i++)
        free(recall->line[i]);
    free(recall->line);
    buf_release(&recall->draft);
    *recall = (Recall){ .n = 0 };
}

bool recall_add(Recall *recall, Str text)
{
    bool at_draft = recall->at == recall->n;
    if (text.len == 0 || (recall->n > 0 && str_eq_c(text, recall->line[recall->n - 1])))
        return false;
    recall->line = mem_grow(recall->line, &recall->cap, recall->n + 1, sizeof *recall->line);
    recall->line[recall->n++] = xstrndup(text.data, text.len);
    if (at_draft)
        recall->at = recall->n;
    return true;
}

static void keep_draft(Recall *recall, Str present)
{
    if (recall->at != recall->n)
        return;
    buf_reset(&recall->draft);
    buf_append_str(&recall->draft, present);
}

bool recall_move(Recall *recall, int step, Str present, Str *out)
{
    if (step < 0 ? recall->at == 0 : recall->at >= recall->n)
        return false;
    keep_draft(recall, present);
    recall->at = step < 0 ? recall->at - 1 : recall->at + 1;
    *out = recall->at == recall->n ? buf_str(&recall->draft) : str_from(recall->line[recall->at]);
    return true;
}

void recall_jump(Recall *recall, size_t index, Str present)
{
    keep_draft(recall, present);
    recall->at = index;
}

size_t recall_find(const Recall *recall, Str query, size_t below)
{
    Buf wanted = BUF_INIT, line = BUF_INIT;
    size_t found = recall->n;
    text_fold(query, &wanted);
    while (found == recall->n && below > 0) {
        buf_reset(&line);
        text_fold(str_from(recall->line[--below]), &line);
        if (str_find(buf_str(&line), buf_str(&wanted)) >= 0)
            found = below;
    }
    buf_release(&wanted);
    buf_release(&line);
    return found;
}
