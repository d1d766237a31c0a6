/* Products of matrices with a batch, shared out over the pool by rows; biases and the residual
 * stream. */
#include "config.h"

#include "kernels/cpu/forward.h"

typedef struct {
    const Isa *isa;
    const LinearJob *job;
    int threads, tiles_an_item, items_a_thread;
    int first_item[4]; /* of each product, and the end */
} LinearRun;

Product linear_product(const MatrixInput *input, int i, const Activations *act, const float *dense,
                       size_t stride)
{
    Product product = { .matrix = input->matrix[i] };
    if (input->set[i] >= 0) {
        product.quant = &act[input->set[i]];
    } else {
        product.dense = dense;
        product.dense_stride = stride;
    }
    return product;
}

static void finish_rows(const LinearRun *run, const Product *p, int tile, int tile_end)
{
    const LinearJob *job = run->job;
    size_t row = (size_t)tile * TILE_ROWS;
    int n = (tile_end - tile) * TILE_ROWS;
    for (int t = 0; t < job->n_tokens; t++) {
        float *out = p->out + (size_t)t * p->out_stride + row;
        if (p->matrix->bias)
            run->isa->add(out, p->matrix->bias + row, n);
        if (job->add_to)
            run->isa->add(job->add_to + (size_t)t * job->add_stride + row, out, n);
    }
}

/* Items are taken in turn.  Threads that keep pace then each walk along a part of its own, so what
 * a kernel asked for beyond the end of its item is where it goes next. */
static int place_item(const LinearRun *run, int item)
{
    if (item >= run->items_a_thread * run->threads)
        return item;
    return item % run->threads * run->items_a_thread + item / run->threads;
}

static void linear_item(void *arg, int item, int thread)
{
    const LinearRun *run = arg;
    int which = 0;
    (void)thread;
    item = place_item(run, item);
    while (item >= run->first_item[which + 1])
        which++;
    const Product *p = &run->job->product[which];
    int tile = (item - run->first_item[which]) * run->tiles_an_item,
        tile_end = tile + run->tiles_an_item;
    if (tile_end > p->matrix->n_tiles)
        tile_end = p->matrix->n_tiles;
    if (p->matrix->kind == MATRIX_Q4)
        run->isa->q4(p, tile, tile_end, run->job->n_tokens);
    else if (p->matrix->kind == MATRIX_Q8)
        run->isa->q8(p, tile, tile_end, run->job->n_tokens);
    else
        run->isa->dense(p, tile, tile_end, run->job->n_tokens);
    finish_rows(run, p, tile, tile_end);
}

void linear_run(const CpuBackend *backend, const LinearJob *job)
{
    int threads = pool_threads(backend->pool), tiles = 0;
    LinearRun run = { .isa = backend->isa, .job = job, .threads = threads };
    for (int i = 0; i < job->n_products; i++)
        tiles += job->product[i].matrix->n_tiles;
    run.tiles_an_item = threads == 1 ? tiles : tiles / (threads * 8);
    if (run.tiles_an_item < 1)
        run.tiles_an_item = 1;
    if (run.tiles_an_item > 16)
        run.tiles_an_item = 16;
    for (int i = 0; i < job->n_products; i++)
        run.first_item[i + 1] =
            run.first_item[i] +
            (job->product[i].matrix->n_tiles + run.tiles_an_item - 1) / run.tiles_an_item;
    run.items_a_thread = run.first_item[job->n_products] / threads;
    pool_run(backend->pool, run.first_item[job->n_products], linear_item, &run);
}
