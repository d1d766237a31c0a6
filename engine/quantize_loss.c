/* The loss at the end of a stream: final norm and head, a slice of the vocabulary at a time, with
 * sums that go on from slice to slice. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "engine/quantize_parts.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"

enum { SLICE = 2048, ROWS = 1024 };

/* Of one token: largest logit so far, sum of exponentials less it, logit of the token that came. */
typedef struct {
    double sum;
    float max, wanted;
} Likelihood;

typedef struct {
    Quantizer *q;
    const Linear *head;
    float *h;      /* (n, hidden), normed */
    int32_t *next; /* [n]: the token that came; -1: the window ends */
    Likelihood *seen;
    float *weights, *bias, *logits; /* (SLICE, hidden), [n_vocab], (ROWS, SLICE) */
    int n, row0, rows, from, width;
} LossRun;

static void row_item(void *arg, int item, int thread)
{
    LossRun *run = arg;
    const float *logits = run->logits + (int64_t)item * run->width;
    Likelihood *at = &run->seen[run->row0 + item];
    int next = run->next[run->row0 + item];
    float max = at->max;

    (void)thread;
    if (next < 0)
        return;
    for (int i = 0; i < run->width; i++)
        max = fmaxf(max, logits[i]);
    at->sum *= exp((double)at->max - (double)max);
    at->max = max;
    for (int i = 0; i < run->width; i++)
        at->sum += (double)expf(logits[i] - max);
    if (next >= run->from && next < run->from + run->width)
        at->wanted = logits[next - run->from];
}

static bool multiply_rows(LossRun *run)
{
    int64_t hidden = run->head->n_in;
    DenseProduct product = { .a = { run->h + run->row0 * hidden, hidden, 1 },
                             .b = { run->weights, 1, hidden },
                             .c = run->logits,
                             .c_row = run->width,
                             .m = run->rows,
                             .n = run->width,
                             .k = hidden };

    if (!dense_multiply(run->q->dense, &product))
        return false;
    for (int row = 0; run->bias && row < run->rows; row++)
        for (int i = 0; i < run->width; i++)
            run->logits[(int64_t)row * run->width + i] += run->bias[run->from + i];
    return true;
}

static bool slice(LossRun *run, Error *err)
{
    const Tensor *head = &run->head->dense;
    const DTypeInfo *info = dtype_info(head->dtype);
    const char *rows =
        (const char *)head->data + (int64_t)run->from * head->cols * info->block_bytes;

    info->to_float(rows, run->weights, run->width * head->cols);
    for (run->row0 = 0; run->row0 < run->n; run->row0 += ROWS) {
        run->rows = run->n - run->row0 < ROWS ? run->n - run->row0 : ROWS;
        if (!quantizer_goes_on(run->q, err))
            return false;
        if (!multiply_rows(run))
            return error_set(err, ERR_MEMORY, _("out of memory while measuring the loss"));
        dense_run(run->q->dense, run->rows, row_item, run);
    }
    return true;
}

/* What came after each token. */
static void note_next(LossRun *run, const Windows *text)
{
    for (int w = 0; w < text->n; w++)
        for (int i = text->start[w]; i < text->start[w + 1]; i++)
            run->next[i] = i + 1 < text->start[w + 1] ? text->ids[i + 1] : -1;
    for (int i = 0; i < run->n; i++)
        run->seen[i].max = -INFINITY;
}

static bool reserve(LossRun *run, Error *err)
{
    size_t hidden = (size_t)run->head->n_in, n = (size_t)run->n;

    run->h = mem_try_alloc(n, hidden * sizeof(float));
    run->next = mem_try_alloc(n, sizeof *run->next);
    run->seen = mem_try_alloc(n, sizeof *run->seen);
    run->weights = mem_try_alloc(SLICE, hidden * sizeof(float));
    run->logits = mem_try_alloc(ROWS, SLICE * sizeof(float));
    if (run->head->bias.data) {
        run->bias = mem_try_alloc((size_t)run->head->n_out, sizeof(float));
        if (run->bias)
            dtype_info(run->head->bias.dtype)
                ->to_float(run->head->bias.data, run->bias, run->head->n_out);
    }
    return (run->h && run->next && run->seen && run->weights && run->logits &&
            (run->bias || !run->head->bias.data)) ||
           error_set(err, ERR_MEMORY, _("out of memory while measuring the loss"));
}

static void norm_all(LossRun *run, const float *x)
{
    const Tensor *weight = &model_weights(run->q->model)->output_norm;
    float *floats = xcalloc((size_t)weight->cols, sizeof *floats);

    dtype_info(weight->dtype)->to_float(weight->data, floats, weight->cols);
    forward_norm(&run->q->forward, floats, x, run->n, run->h);
    free(floats);
}

static bool sum_up(const LossRun *run, double *nll, Error *err)
{
    double sum = 0;
    int n = 0;

    for (int i = 0; i < run->n; i++)
        if (run->next[i] >= 0) {
            sum += log(run->seen[i].sum) + (double)run->seen[i].max - (double)run->seen[i].wanted;
            n++;
        }
    *nll = sum / n;
    return isfinite(*nll) ||
           error_set(err, ERR_FORMAT, _("the loss is not finite; the model file may be damaged"));
}

bool quantize_loss(Quantizer *q, StreamName stream, double *nll, Error *err)
{
    const Windows *text = &q->windows[stream];
    LossRun run = { .q = q, .head = &model_weights(q->model)->head, .n = text->start[text->n] };
    bool ok = reserve(&run, err);

    if (ok) {
        note_next(&run, text);
        norm_all(&run, q->x[stream]);
    }
    for (; ok && run.from < run.head->n_out; run.from += SLICE) {
        run.width = run.head->n_out - run.from < SLICE ? (int)run.head->n_out - run.from : SLICE;
        ok = slice(&run, err);
    }
    ok = ok && sum_up(&run, nll, err);
    free(run.h);
    free(run.next);
    free(run.seen);
    free(run.weights);
    free(run.bias);
    free(run.logits);
    return ok;
}
