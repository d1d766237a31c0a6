/* One layer, matrix after matrix in the order of the data ("true sequential"): what a matrix is
 * calibrated with has gone through the quantised matrices before it, in its own layer too. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "engine/arch.h"
#include "engine/quantize_parts.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"

static const WeightName names[L_COUNT] = {
    [L_Q] = W_Q,       [L_K] = W_K,   [L_V] = W_V,       [L_O] = W_O,
    [L_GATE] = W_GATE, [L_UP] = W_UP, [L_DOWN] = W_DOWN,
};

typedef struct {
    Quantizer *q;
    int layer;
    LayerFloats floats;
    Hessian hessian; /* of the step at hand */
    Error *err;
} LayerRun;

/* What a step is calibrated with: adds the inputs of a batch to the Hessian. */
typedef bool Gather(LayerRun *run, const Batch *batch);

static const Windows *text_of(const LayerRun *run)
{
    return &run->q->windows[STREAM_CALIBRATION];
}

static float *rows_at(const LayerRun *run, const Batch *batch)
{
    return run->q->x[STREAM_CALIBRATION] + batch->at * model_shape(run->q->model)->hidden;
}

static bool no_memory(const LayerRun *run)
{
    return error_set(run->err, ERR_MEMORY, _("out of memory in layer %d; close other programs"),
                     run->layer);
}

/* ---- matrices ---- */

static bool solve(LayerRun *run, LayerMatrix which)
{
    Quantizer *q = run->q;
    GptqWork work = { q->dense, &run->hessian, &q->settings,
                      q->progress ? q->progress->cancel : NULL };
    GptqMatrix matrix = { 0 };
    Buf name = BUF_INIT;
    bool ok;

    arch_tensor_name(names[which], CONTAINER_SAFETENSORS, run->layer, &name);
    ok = gptq_solve(&work, run->floats.matrix[which], run->floats.n_out[which], &matrix, run->err);
    if (!ok && run->err->kind != ERR_CANCELLED)
        error_note(run->err, "%s", buf_cstr(&name));
    ok = ok && output_matrix(&q->output, buf_cstr(&name), &matrix, &run->hessian, run->err);
    gptq_release(&matrix);
    buf_release(&name);
    if (ok && q->progress && q->progress->report)
        q->progress->report(q->progress->arg, run->layer * L_COUNT + (int)which + 1,
                            model_shape(q->model)->n_layers * L_COUNT);
    return ok;
}

/* Matrices [first, last] have the same inputs and so one Hessian. */
static bool step(LayerRun *run, LayerMatrix first, LayerMatrix last, Gather *gather)
{
    const Windows *text = text_of(run);
    Quantizer *q = run->q;
    Batch batch;
    bool ok = hessian_init(&run->hessian, run->floats.n_in[first], run->err);

    for (int from = 0; ok && forward_next(&q->forward, text, from, &batch); from = batch.to)
        ok = quantizer_goes_on(q, run->err) && (gather(run, &batch) || no_memory(run));
    ok = ok && (hessian_prepare(&run->hessian, text->start[text->n], &q->settings, &q->lapack,
                                run->err) ||
                error_note(run->err, _("layer %d"), run->layer));
    for (int i = (int)first; ok && i <= (int)last; i++)
        ok = quantizer_goes_on(q, run->err) && solve(run, (LayerMatrix)i);
    hessian_release(&run->hessian);
    return ok;
}

/* ---- the steps ---- */

static bool gather_rows(LayerRun *run, const float *rows, int n)
{
    return dense_gram(run->q->dense, rows, n, run->hessian.n, run->hessian.h);
}

static bool gather_qkv(LayerRun *run, const Batch *batch)
{
    Forward *f = &run->q->forward;

    forward_norm(f, run->floats.attn_norm, rows_at(run, batch), batch->n, f->h);
    return gather_rows(run, f->h, batch->n);
}

static bool gather_o(LayerRun *run, const Batch *batch)
{
    float *attn = run->q->attn + batch->at * run->floats.n_in[L_O];

    return forward_attention(&run->q->forward, &run->floats, batch, rows_at(run, batch), attn) &&
           gather_rows(run, attn, batch->n);
}

static bool gather_gate_up(LayerRun *run, const Batch *batch)
{
    Forward *f = &run->q->forward;

    forward_norm(f, run->floats.ffn_norm, rows_at(run, batch), batch->n, f->h);
    return gather_rows(run, f->h, batch->n);
}

static bool gather_down(LayerRun *run, const Batch *batch)
{
    const float *inner;

    return forward_inner(&run->q->forward, &run->floats, rows_at(run, batch), batch->n, &inner) &&
           gather_rows(run, inner, batch->n);
}

static bool add_attention(LayerRun *run)
{
    const Windows *text = text_of(run);

    return forward_add(&run->q->forward, &run->floats, L_O, run->q->attn, text->start[text->n],
                       run->q->x[STREAM_CALIBRATION]) ||
           no_memory(run);
}

/* The inner activations are computed again rather than kept: they are the widest ones. */
static bool add_inner(LayerRun *run)
{
    Forward *f = &run->q->forward;
    const float *inner;
    Batch batch;

    for (int from = 0; forward_next(f, text_of(run), from, &batch); from = batch.to)
        if (!forward_inner(f, &run->floats, rows_at(run, &batch), batch.n, &inner) ||
            !forward_add(f, &run->floats, L_DOWN, inner, batch.n, rows_at(run, &batch)))
            return no_memory(run);
    return true;
}

static bool follow(LayerRun *run, StreamName stream)
{
    Quantizer *q = run->q;
    const Windows *text = &q->windows[stream];
    float *attn =
        mem_try_alloc((size_t)q->forward.chunk * sizeof *attn, (size_t)run->floats.n_in[L_O]);
    bool ok = attn && forward_layer(&q->forward, &run->floats, text, q->x[stream], attn);

    free(attn);
    return (ok || no_memory(run)) && quantizer_goes_on(q, run->err);
}

bool quantize_layer(Quantizer *q, int layer, Error *err)
{
    LayerRun run = { .q = q, .layer = layer, .err = err };
    bool ok = layer_floats_init(&run.floats, &model_weights(q->model)->layers[layer], err) &&
              follow(&run, STREAM_BEFORE) && step(&run, L_Q, L_V, gather_qkv) &&
              step(&run, L_O, L_O, gather_o) && add_attention(&run) &&
              step(&run, L_GATE, L_UP, gather_gate_up) && step(&run, L_DOWN, L_DOWN, gather_down) &&
              add_inner(&run) && follow(&run, STREAM_AFTER);

    layer_floats_release(&run.floats);
    return ok;
}
