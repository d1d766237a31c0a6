/* The kernels in portable C: what the others must equal bit for bit.
 *
 * fmaf is part of the definition; without the instruction it is a slow library call, and that is
 * accepted here. */
#include "config.h"

#include "kernels/cpu/pointwise.h"

/* One row lane of a scale or min vector: 16 values of a type. */
static float lane_value(const uint8_t *vector, DType type, int lane)
{
    if (type == DTYPE_F16)
        return half_load(vector + 2 * lane);
    if (type == DTYPE_BF16)
        return bfloat_load(vector + 2 * lane);
    return float_load(vector + 4 * lane);
}

static size_t type_bytes(DType type)
{
    return type == DTYPE_F32 ? 4 : 2;
}

/* sum[r] += product of one unit's words with eight activations, in the matrix's order */
static void q4_unit(const uint8_t *unit, const int32_t *value, int32_t sum[TILE_ROWS])
{
    for (int r = 0; r < TILE_ROWS; r++) {
        int32_t total = 0;
        for (int j = 0; j < 4; j++) {
            int byte = unit[4 * r + j];
            total += (byte & 15) * value[j] + (byte >> 4) * value[4 + j];
        }
        sum[r] += total;
    }
}

static void q8_unit(const uint8_t *unit, const int32_t *value, int32_t sum[TILE_ROWS])
{
    for (int r = 0; r < TILE_ROWS; r++)
        for (int j = 0; j < 4; j++)
            sum[r] += unit[4 * r + j] * value[j];
}

/* Where a block's group data lies. */
static size_t group_at(const Matrix *m, int tile, int block)
{
    int group = m->block_group ? m->block_group[block] : block;
    return ((size_t)tile * (size_t)m->n_groups + (size_t)group) * TILE_ROWS;
}

static void add_block(const Product *p, int tile, int block, size_t x_at, const int32_t *sum,
                      float *total)
{
    const Matrix *m = p->matrix;
    size_t at = group_at(m, tile, block);
    const uint8_t *scales = m->scales + at * type_bytes(m->scale_type);
    float x_scale = p->quant->scale[x_at], scaled_sum = p->quant->scaled_sum[x_at];
    int32_t less_sum = p->quant->less_sum[x_at], constant = m->kind == MATRIX_Q4 ? 8 : 128;
    for (int r = 0; r < TILE_ROWS; r++) {
        int32_t zero = m->offset == OFFSET_CONSTANT ? constant : 0;
        if (m->offset == OFFSET_ZEROS)
            zero = m->zeros[at + (size_t)r];
        total[r] = fmaf((float)(sum[r] + zero * less_sum),
                        lane_value(scales, m->scale_type, r) * x_scale, total[r]);
        if (m->offset == OFFSET_MINS)
            total[r] = fmaf(half_load(m->mins + 2 * (at + (size_t)r)), scaled_sum, total[r]);
    }
}

static void tile_product(const Product *p, int tile, int token, float *total)
{
    const Matrix *m = p->matrix;
    const Activations *x = p->quant;
    int size = m->form.block, per_unit = m->kind == MATRIX_Q4 ? 8 : 4;
    size_t tile_units = (size_t)m->form.n_blocks * (size_t)(size / per_unit);
    const uint8_t *unit = m->codes + (size_t)tile * tile_units * 64;
    for (int block = 0; block < m->form.n_blocks; block++) {
        size_t x_at = (size_t)block * (size_t)x->n_tokens + (size_t)token;
        const int8_t *high = x->terms + x_at * 2 * (size_t)size, *low = high + size;
        int32_t sum[TILE_ROWS] = { 0 };
        for (int place = 0; place < size; place += per_unit, unit += 64) {
            int32_t value[8];
            for (int j = 0; j < per_unit; j++)
                value[j] = 256 * high[place + j] + low[place + j];
            if (m->kind == MATRIX_Q4)
                q4_unit(unit, value, sum);
            else
                q8_unit(unit, value, sum);
        }
        add_block(p, tile, block, x_at, sum, total);
    }
}

static void tiles(const Product *p, int tile, int tile_end, int n)
{
    for (; tile < tile_end; tile++)
        for (int t = 0; t < n; t++) {
            float total[TILE_ROWS] = { 0 };
            tile_product(p, tile, t, total);
            memcpy(p->out + (size_t)t * p->out_stride + (size_t)tile * TILE_ROWS, total,
                   sizeof total);
        }
}

/* ---- dense ---- */

static void load_dense(MatrixKind kind, const uint8_t *src, int n, float out[16])
{
    for (int i = 0; i < 16; i++)
        out[i] = 0;
    for (int i = 0; i < n; i++)
        out[i] = lane_value(src,
                            kind == MATRIX_F32   ? DTYPE_F32
                            : kind == MATRIX_F16 ? DTYPE_F16
                                                 : DTYPE_BF16,
                            i);
}

static float dense_row(const Matrix *m, int row, const float *x)
{
    size_t bytes = m->kind == MATRIX_F32 ? 4 : 2;
    const uint8_t *src = m->dense + (size_t)row * (size_t)m->n_in * bytes;
    float lane[16] = { 0 }, weight[16];
    for (int k = 0; k < m->n_in; k += 16) {
        load_dense(m->kind, src + (size_t)k * bytes, m->n_in - k < 16 ? m->n_in - k : 16, weight);
        for (int i = 0; i < 16; i++)
            lane[i] = fmaf(weight[i], x[k + i], lane[i]);
    }
    return fold_lanes(lane);
}

static void dense(const Product *p, int tile, int tile_end, int n)
{
    for (int row = tile * TILE_ROWS; row < tile_end * TILE_ROWS; row++)
        for (int t = 0; t < n; t++) {
            float value = row < p->matrix->n_out
                              ? dense_row(p->matrix, row, p->dense + (size_t)t * p->dense_stride)
                              : 0;
            p->out[(size_t)t * p->out_stride + (size_t)row] = value;
        }
}

/* ---- attention ---- */

static void scores(const KvBlock *kv, int head_dim, int n_chunks, const int16_t *query,
                   int n_queries, float *score)
{
    for (int q = 0; q < n_queries; q++) {
        const int16_t *high = query + (size_t)q * 2 * (size_t)head_dim, *low = high + head_dim;
        for (int i = 0; i < n_chunks * 16; i++) {
            const int16_t *k =
                kv->k + (size_t)(i / 16) * 16 * (size_t)head_dim + (size_t)(i % 16) * 2;
            int32_t high_sum = 0, low_sum = 0;
            for (int d = 0; d < head_dim; d++) {
                int32_t value = k[(size_t)(d / 2) * 32 + (size_t)(d % 2)];
                high_sum += high[d] * value;
                low_sum += low[d] * value;
            }
            score[(size_t)q * KV_PAGE + (size_t)i] = fmaf((float)high_sum, 256.0f, (float)low_sum);
        }
    }
}

static void values(const KvBlock *kv, int value_stride, int begin, int end, const float *score,
                   int n_queries, float *value)
{
    for (int q = 0; q < n_queries; q++) {
        float *out = value + (size_t)q * (size_t)value_stride;
        memset(out, 0, (size_t)value_stride * sizeof *out);
        for (int i = begin; i < end; i++) {
            const int16_t *v = kv->v + (size_t)i * (size_t)value_stride;
            for (int d = 0; d < value_stride; d++)
                out[d] = fmaf(score[(size_t)q * KV_PAGE + (size_t)i], (float)v[d], out[d]);
        }
    }
}

const Isa isa_generic = {
    .name = "generic",
    .q8_order = ORDER_PLAIN,
    .q4 = tiles,
    .q8 = tiles,
    .dense = dense,
    .quantise = pointwise_quantise,
    .quantise_head = pointwise_quantise_head,
    .norm = pointwise_norm,
    .add = pointwise_add,
    .silu_mul = pointwise_silu_mul,
    .scores = scores,
    .weights = pointwise_weights,
    .values = values,
    .merge = pointwise_merge,
    .product_rows = PRODUCT_ROWS_GENERIC,
    .product_cols = PRODUCT_COLS_GENERIC,
    .product = product_generic,
    .subtract = subtract_generic,
};
