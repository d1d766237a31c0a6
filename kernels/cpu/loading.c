/* Bringing a model into the CPU backend: matrices repacked into one region, norms as floats, room
 * for a batch.
 *
 * Dense matrices and the embedding stay where they are (a mapped file).  Everything is planned
 * first, so that the region is mapped once, in huge pages where the system gives them. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/cpu/forward.h"
#include "kernels/cpu/layout.h"

enum { HUGE_PAGE = 2 << 20, MATRICES_A_LAYER = 7 };

void *region_map(size_t bytes, bool huge)
{
    void *region = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        return NULL;
    if (huge && bytes >= 2 * (size_t)HUGE_PAGE)
        madvise(region, bytes, MADV_HUGEPAGE);
    return region;
}

void region_unmap(void *region, size_t bytes)
{
    if (region)
        munmap(region, bytes ? bytes : 1);
}

/* ---- plans ---- */

static bool same_form(const ActForm *a, const ActForm *b)
{
    if (a->order != b->order || a->n_in != b->n_in || a->block != b->block ||
        a->n_blocks != b->n_blocks)
        return false;
    if (a->perm == b->perm)
        return true;
    return a->perm && b->perm &&
           memcmp(a->perm, b->perm, (size_t)a->n_blocks * (size_t)a->block * sizeof *a->perm) == 0;
}

static MatrixInput plan_input(const Matrix *const *matrices, int n)
{
    MatrixInput input = { .n_matrices = n };
    for (int i = 0; i < n; i++) {
        input.matrix[i] = matrices[i];
        input.set[i] = -1;
        if (matrix_is_dense(matrices[i]))
            continue;
        for (int set = 0; set < input.n_sets; set++)
            if (same_form(&input.form[set], &matrices[i]->form))
                input.set[i] = set;
        if (input.set[i] >= 0)
            continue;
        input.set[i] = input.n_sets;
        input.form[input.n_sets++] = matrices[i]->form;
    }
    return input;
}

static void layer_matrices(CpuLayer *layer, Matrix *out[MATRICES_A_LAYER])
{
    Matrix *matrices[MATRICES_A_LAYER] = { &layer->q,    &layer->k,  &layer->v,   &layer->o,
                                           &layer->gate, &layer->up, &layer->down };
    memcpy(out, matrices, sizeof matrices);
}

static void layer_linears(const LayerWeights *weights, const Linear *out[MATRICES_A_LAYER])
{
    const Linear *linears[MATRICES_A_LAYER] = { &weights->q,   &weights->k,    &weights->v,
                                                &weights->o,   &weights->gate, &weights->up,
                                                &weights->down };
    memcpy(out, linears, sizeof linears);
}

/* Every matrix with its source, in one order; i from 0 to 7 * n_layers (the head). */
static Matrix *nth_matrix(CpuLoaded *loaded, const ModelWeights *weights, int i,
                          const Linear **linear)
{
    Matrix *matrices[MATRICES_A_LAYER];
    const Linear *linears[MATRICES_A_LAYER];
    if (i == MATRICES_A_LAYER * loaded->shape.n_layers) {
        *linear = &weights->head;
        return &loaded->head;
    }
    layer_matrices(&loaded->layers[i / MATRICES_A_LAYER], matrices);
    layer_linears(&weights->layers[i / MATRICES_A_LAYER], linears);
    *linear = linears[i % MATRICES_A_LAYER];
    return matrices[i % MATRICES_A_LAYER];
}

static int n_matrices(const CpuLoaded *loaded)
{
    return MATRICES_A_LAYER * loaded->shape.n_layers + 1;
}

static size_t tensor_bytes(const Tensor *tensor)
{
    const DTypeInfo *info = dtype_info(tensor->dtype);
    return (size_t)tensor->rows * (size_t)(tensor->cols / info->block) * (size_t)info->block_bytes;
}

/* The sizes that the shape asks of a matrix; 0 where only one is given. */
static bool sizes_fit(const CpuLoaded *loaded, int i, const Linear *linear)
{
    const ModelShape *s = &loaded->shape;
    int64_t heads = (int64_t)s->n_heads * s->head_dim, kv = (int64_t)s->n_kv_heads * s->head_dim;
    int64_t out[8] = { heads,           kv,        kv,        s->hidden, s->intermediate,
                       s->intermediate, s->hidden, s->n_vocab };
    int64_t in[8] = { s->hidden, s->hidden, s->hidden,       heads,
                      s->hidden, s->hidden, s->intermediate, s->hidden };
    int which = i == MATRICES_A_LAYER * s->n_layers ? 7 : i % MATRICES_A_LAYER;
    if (linear->n_out != out[which] || linear->n_in != in[which])
        return false;
    if (linear->quant.packing != PACK_NONE)
        return linear->quant.qweight && linear->quant.qzeros && linear->quant.scales;
    return linear->dense.data && linear->dense.rows == linear->n_out &&
           linear->dense.cols == linear->n_in;
}

static KStatus plan_matrices(CpuLoaded *loaded, const ModelWeights *weights)
{
    CpuBackend *backend = (CpuBackend *)loaded->base.backend;
    for (int i = 0; i < n_matrices(loaded); i++) {
        const Linear *linear;
        Matrix *matrix = nth_matrix(loaded, weights, i, &linear);
        const char *why = "the sizes do not fit the model";
        KStatus status = sizes_fit(loaded, i, linear)
                             ? matrix_plan(linear, backend->isa, matrix, &why)
                             : KS_UNSUPPORTED;
        if (status != KS_OK)
            return cpu_fault(backend, status, i / MATRICES_A_LAYER,
                             status == KS_MEMORY ? "loading weights" : why);
        loaded->packed_bytes += matrix_packed_bytes(matrix);
        if (matrix_is_dense(matrix) && linear->dense.data != weights->embedding.data)
            loaded->borrowed_bytes += tensor_bytes(&linear->dense);
    }
    loaded->borrowed_bytes += tensor_bytes(&weights->embedding);
    return KS_OK;
}

static void plan_inputs(CpuLoaded *loaded)
{
    for (int i = 0; i < loaded->shape.n_layers; i++) {
        CpuLayer *layer = &loaded->layers[i];
        layer->to_qkv = plan_input((const Matrix *[]){ &layer->q, &layer->k, &layer->v }, 3);
        layer->to_o = plan_input((const Matrix *[]){ &layer->o }, 1);
        layer->to_gate_up = plan_input((const Matrix *[]){ &layer->gate, &layer->up }, 2);
        layer->to_down = plan_input((const Matrix *[]){ &layer->down }, 1);
    }
    loaded->to_head = plan_input((const Matrix *[]){ &loaded->head }, 1);
}

/* ---- weights ---- */

static void report_copied(const KCall *call, const Linear *linear)
{
    const QuantSource *quant = &linear->quant;
    if (!call || !call->copied)
        return;
    if (quant->packing == PACK_NONE)
        call->copied(call->arg, linear->dense.data, tensor_bytes(&linear->dense));
    else
        call->copied(call->arg, quant->qweight,
                     (size_t)(linear->n_in / 8) * (size_t)linear->n_out * 4);
}

static KStatus pack_matrices(CpuLoaded *loaded, const ModelWeights *weights, const KCall *call)
{
    CpuBackend *backend = (CpuBackend *)loaded->base.backend;
    int total = n_matrices(loaded);
    loaded->packed = region_map(loaded->packed_bytes, true);
    if (!loaded->packed)
        return cpu_fault(backend, KS_MEMORY, -1, "loading weights");
    uint8_t *memory = loaded->packed;
    for (int i = 0; i < total; i++) {
        const Linear *linear;
        Matrix *matrix = nth_matrix(loaded, weights, i, &linear);
        if (call && call->cancel && atomic_load_explicit(call->cancel, memory_order_relaxed))
            return KS_CANCELLED;
        matrix_pack(matrix, linear, memory, backend->pool);
        memory += matrix_packed_bytes(matrix);
        bool is_embedding = linear->dense.data && linear->dense.data == weights->embedding.data;
        if (!matrix_is_dense(matrix) && !is_embedding)
            report_copied(call, linear);
        if (call && call->progress)
            call->progress(call->arg, i + 1, total);
    }
    return KS_OK;
}

static const float *take_norm(float **next, const Tensor *tensor, int n)
{
    float *norm = *next;
    if (!tensor->data)
        return NULL;
    dtype_info(tensor->dtype)->to_float(tensor->data, norm, n);
    *next += n;
    return norm;
}

static bool norm_fits(const Tensor *tensor, int n, bool may_be_absent)
{
    if (!tensor->data)
        return may_be_absent;
    return tensor->rows * tensor->cols == n && dtype_info(tensor->dtype)->to_float &&
           n % dtype_info(tensor->dtype)->block == 0;
}

static KStatus load_norms(CpuLoaded *loaded, const ModelWeights *weights)
{
    const ModelShape *shape = &loaded->shape;
    CpuBackend *backend = (CpuBackend *)loaded->base.backend;
    size_t a_layer = 2 * ((size_t)shape->hidden + (size_t)shape->head_dim);
    loaded->norms =
        malloc((a_layer * (size_t)shape->n_layers + (size_t)shape->hidden) * sizeof *loaded->norms);
    if (!loaded->norms)
        return cpu_fault(backend, KS_MEMORY, -1, "loading weights");
    float *next = loaded->norms;
    for (int i = 0; i < shape->n_layers; i++) {
        const LayerWeights *from = &weights->layers[i];
        CpuLayer *layer = &loaded->layers[i];
        if (!norm_fits(&from->attn_norm, shape->hidden, false) ||
            !norm_fits(&from->ffn_norm, shape->hidden, false) ||
            !norm_fits(&from->q_norm, shape->head_dim, true) ||
            !norm_fits(&from->k_norm, shape->head_dim, true))
            return cpu_fault(backend, KS_UNSUPPORTED, i, "the norms do not fit the model");
        layer->attn_norm = take_norm(&next, &from->attn_norm, shape->hidden);
        layer->ffn_norm = take_norm(&next, &from->ffn_norm, shape->hidden);
        layer->q_norm =
            shape->has_qk_norm ? take_norm(&next, &from->q_norm, shape->head_dim) : NULL;
        layer->k_norm =
            shape->has_qk_norm ? take_norm(&next, &from->k_norm, shape->head_dim) : NULL;
    }
    if (!norm_fits(&weights->output_norm, shape->hidden, false))
        return cpu_fault(backend, KS_UNSUPPORTED, shape->n_layers,
                         "the norms do not fit the model");
    loaded->output_norm = take_norm(&next, &weights->output_norm, shape->hidden);
    return KS_OK;
}

/* ---- scratch ---- */

typedef struct {
    uint8_t *memory; /* NULL while measuring */
    size_t used;
} Carver;

static void *carve(Carver *carver, size_t bytes)
{
    void *at = carver->memory ? carver->memory + carver->used : NULL;
    carver->used += round_up(bytes, ALIGNMENT);
    return at;
}

static void widest_form(const MatrixInput *input, size_t *places, size_t *blocks, int *sets)
{
    for (int i = 0; i < input->n_sets; i++) {
        size_t n_blocks = (size_t)input->form[i].n_blocks,
               n_places = n_blocks * (size_t)input->form[i].block;
        *places = n_places > *places ? n_places : *places;
        *blocks = n_blocks > *blocks ? n_blocks : *blocks;
    }
    *sets = input->n_sets > *sets ? input->n_sets : *sets;
}

/* Lays the parts out from memory; with a null pointer it only measures. */
static size_t lay_out_scratch(const CpuLoaded *loaded, Scratch *s, uint8_t *memory)
{
    const ModelShape *shape = &loaded->shape;
    size_t n = (size_t)s->batch,
           threads = (size_t)pool_threads(((CpuBackend *)loaded->base.backend)->pool);
    size_t places = 0, blocks = 0, head_terms = 2 * (size_t)shape->head_dim;
    int sets = 0;
    Carver next = { .memory = memory };
    for (int i = 0; i < shape->n_layers; i++) {
        widest_form(&loaded->layers[i].to_qkv, &places, &blocks, &sets);
        widest_form(&loaded->layers[i].to_o, &places, &blocks, &sets);
        widest_form(&loaded->layers[i].to_gate_up, &places, &blocks, &sets);
        widest_form(&loaded->layers[i].to_down, &places, &blocks, &sets);
    }
    widest_form(&loaded->to_head, &places, &blocks, &sets);
    s->x = carve(&next, n * s->hidden * sizeof(float));
    s->h = carve(&next, n * s->hidden * sizeof(float));
    s->delta = carve(&next, n * s->hidden * sizeof(float));
    s->q = carve(&next, n * s->heads * sizeof(float));
    s->k = carve(&next, n * s->kv * sizeof(float));
    s->v = carve(&next, n * s->kv * sizeof(float));
    s->attn = carve(&next, n * s->heads * sizeof(float));
    s->gate = carve(&next, n * s->inner * sizeof(float));
    s->up = carve(&next, n * s->inner * sizeof(float));
    s->cosine = carve(&next, n * (size_t)shape->rope_dims / 2 * sizeof(float));
    s->sine = carve(&next, n * (size_t)shape->rope_dims / 2 * sizeof(float));
    s->query = carve(&next, n * (size_t)shape->n_heads * head_terms * sizeof(int16_t));
    s->query_scale = carve(&next, n * (size_t)shape->n_heads * sizeof(float));
    s->gathered = carve(&next, threads * QUERIES_MAX * head_terms * sizeof(int16_t));
    s->score = carve(&next, threads * QUERIES_MAX * KV_PAGE * sizeof(float));
    s->value = carve(&next, threads * 2 * QUERIES_MAX * loaded->value_stride * sizeof(float));
    for (int i = 0; i < sets; i++) {
        s->act[i].terms = carve(&next, n * places * 2);
        s->act[i].scale = carve(&next, n * blocks * sizeof(float));
        s->act[i].less_sum = carve(&next, n * blocks * sizeof(int32_t));
        s->act[i].scaled_sum = carve(&next, n * blocks * sizeof(float));
    }
    return next.used;
}

static KStatus make_scratch(CpuLoaded *loaded)
{
    const ModelShape *shape = &loaded->shape;
    Scratch *s = &loaded->scratch;
    s->batch = BATCH_MAX;
    s->hidden = round_up((size_t)shape->hidden, TILE_ROWS);
    s->heads = round_up((size_t)shape->n_heads * (size_t)shape->head_dim, TILE_ROWS);
    s->kv = round_up((size_t)shape->n_kv_heads * (size_t)shape->head_dim, TILE_ROWS);
    s->inner = round_up((size_t)shape->intermediate, TILE_ROWS);
    Scratch measured = *s;
    s->bytes = lay_out_scratch(loaded, &measured, NULL);
    s->memory = region_map(s->bytes, false);
    if (!s->memory)
        return cpu_fault((CpuBackend *)loaded->base.backend, KS_MEMORY, -1,
                         "reserving room for a batch");
    lay_out_scratch(loaded, s, s->memory);
    return KS_OK;
}

/* ---- load ---- */

static const char *refusal(const ModelShape *s)
{
    if (s->n_layers < 1 || s->hidden < 1 || s->intermediate < 1 || s->n_vocab < 1 ||
        s->max_context < 1)
        return "the model has no layers, rows or positions";
    if (s->head_dim < 2 || s->head_dim > 512 || s->head_dim % 2 != 0)
        return "the size of a head must be even and at most 512";
    if (s->n_kv_heads < 1 || s->n_heads < 1 || s->n_heads % s->n_kv_heads != 0)
        return "the number of heads must be a multiple of the number of key and value heads";
    if (s->rope_dims < 0 || s->rope_dims % 2 != 0 || s->rope_dims > s->head_dim)
        return "the rotated part of a head must be even and fit it";
    return NULL;
}

static KStatus load_all(CpuLoaded *loaded, const ModelWeights *weights, const KCall *call)
{
    CpuBackend *backend = (CpuBackend *)loaded->base.backend;
    const ModelShape *shape = &loaded->shape;
    size_t angles = (size_t)shape->rope_dims / 2;
    loaded->layers = calloc((size_t)shape->n_layers, sizeof *loaded->layers);
    loaded->inv_freq = malloc((angles + 1) * sizeof *loaded->inv_freq);
    if (!loaded->layers || !loaded->inv_freq)
        return cpu_fault(backend, KS_MEMORY, -1, "loading weights");
    if (angles)
        memcpy(loaded->inv_freq, shape->rope_inv_freq, angles * sizeof *loaded->inv_freq);
    loaded->shape.rope_inv_freq = loaded->inv_freq;
    loaded->value_stride = round_up((size_t)shape->head_dim, 16);
    loaded->block_bytes =
        KV_PAGE * (((size_t)shape->head_dim + loaded->value_stride) * 2 + 2 * sizeof(float));
    loaded->block_bytes = round_up(loaded->block_bytes, ALIGNMENT);
    KStatus status = plan_matrices(loaded, weights);
    if (status == KS_OK)
        status = load_norms(loaded, weights);
    if (status == KS_OK)
        status = pack_matrices(loaded, weights, call);
    if (status != KS_OK)
        return status;
    plan_inputs(loaded);
    return make_scratch(loaded);
}

KStatus cpu_load(Backend *base, const ModelShape *shape, const ModelWeights *weights,
                 const KCall *call, Loaded **out)
{
    CpuBackend *backend = (CpuBackend *)base;
    const char *why = refusal(shape);
    const DTypeInfo *info = dtype_info(weights->embedding.dtype);
    if (!why && (!weights->embedding.data || weights->embedding.rows != shape->n_vocab ||
                 weights->embedding.cols != shape->hidden || !info->to_float ||
                 shape->hidden % info->block != 0))
        why = "the embedding does not fit the model";
    if (why)
        return cpu_fault(backend, KS_UNSUPPORTED, -1, why);
    CpuLoaded *loaded = calloc(1, sizeof *loaded);
    if (!loaded)
        return cpu_fault(backend, KS_MEMORY, -1, "loading weights");
    loaded->base = (Loaded){ .ops = base->ops, .backend = base };
    loaded->shape = *shape;
    loaded->embedding = weights->embedding;
    KStatus status = load_all(loaded, weights, call);
    if (status == KS_OK)
        *out = &loaded->base;
    else
        cpu_unload(&loaded->base);
    return status;
}

void cpu_unload(Loaded *base)
{
    CpuLoaded *loaded = (CpuLoaded *)base;
    Matrix *matrices[MATRICES_A_LAYER];
    if (!loaded)
        return;
    for (int i = 0; loaded->layers && i < loaded->shape.n_layers; i++) {
        layer_matrices(&loaded->layers[i], matrices);
        for (int j = 0; j < MATRICES_A_LAYER; j++)
            matrix_release(matrices[j]);
    }
    matrix_release(&loaded->head);
    region_unmap(loaded->packed, loaded->packed_bytes);
    region_unmap(loaded->scratch.memory, loaded->scratch.bytes);
    free(loaded->norms);
    free(loaded->inv_freq);
    free(loaded->layers);
    free(loaded);
}

size_t cpu_weight_bytes(const Loaded *base)
{
    const CpuLoaded *loaded = (const CpuLoaded *)base;
    return loaded->packed_bytes + loaded->borrowed_bytes;
}
