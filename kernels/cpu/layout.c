/* Repacking of quantised weights into tiles, in parallel, once at load.
 *
 * A GPTQ word already holds eight k of one output, and a GGUF block already holds its nibbles in a
 * usable order, so both are moved in whole words.  Act-order is folded in here: columns are sorted
 * by group, each group is filled up to whole blocks, and the permutation goes to the activations.
 * AWQ and act-order are moved nibble by nibble. */
#include "config.h"

#include "kernels/cpu/layout.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/half.h"

enum { PACK_TILES = 16 }; /* tiles an item: 1 KB of each row of a GPTQ matrix */

static int divide_up(int64_t n, int64_t by)
{
    return (int)((n + by - 1) / by);
}

static uint32_t word_at(const void *base, size_t index)
{
    uint32_t word;
    memcpy(&word, (const uint8_t *)base + index * 4, sizeof word);
    return word;
}

static size_t scale_bytes(DType type)
{
    return type == DTYPE_F32 ? 4 : 2;
}

/* ---- planning ---- */

/* Integer sums run over the largest power of two up to 32 that divides the group; 8 is the least
 * that words allow. */
static int block_size(int group)
{
    int block = BLOCK_MAX;
    while (block > 8 && group % block != 0)
        block /= 2;
    return block;
}

static int group_of(const QuantSource *quant, int k)
{
    return quant->g_idx ? (int)(int32_t)word_at(quant->g_idx, (size_t)k) : k / quant->group_size;
}

static KStatus plan_permutation(const QuantSource *quant, Matrix *m)
{
    int block = m->form.block, n_blocks = 0;
    int32_t *next = calloc((size_t)quant->n_groups + 1,
                           sizeof *next); /* columns of a group, then its next place */
    if (!next)
        return KS_MEMORY;
    for (int k = 0; k < m->n_in; k++)
        next[group_of(quant, k)]++;
    for (int g = 0; g < quant->n_groups; g++)
        n_blocks += divide_up(next[g], block);
    m->form.n_blocks = n_blocks;
    m->perm_owned = malloc((size_t)n_blocks * (size_t)block * sizeof *m->perm_owned);
    m->block_group_owned = malloc((size_t)n_blocks * sizeof *m->block_group_owned);
    if (!m->perm_owned || !m->block_group_owned) {
        free(next);
        return KS_MEMORY;
    }
    for (int g = 0, at = 0; g < quant->n_groups; g++) {
        int blocks = divide_up(next[g], block);
        next[g] = at * block;
        for (int i = 0; i < blocks; i++)
            m->block_group_owned[at++] = g;
    }
    for (int i = 0; i < n_blocks * block; i++)
        m->perm_owned[i] = -1;
    for (int k = 0; k < m->n_in; k++)
        m->perm_owned[next[group_of(quant, k)]++] = k;
    free(next);
    m->form.perm = m->perm_owned;
    m->block_group = m->block_group_owned;
    return KS_OK;
}

static KStatus plan_groups(const QuantSource *quant, Matrix *m)
{
    m->form.block = block_size(quant->group_size);
    if (quant->g_idx || quant->group_size % m->form.block != 0)
        return plan_permutation(quant, m);
    m->form.n_blocks = divide_up(m->n_in, m->form.block);
    int blocks_a_group = quant->group_size / m->form.block;
    if (blocks_a_group == 1)
        return KS_OK;
    m->block_group_owned = malloc((size_t)m->form.n_blocks * sizeof *m->block_group_owned);
    if (!m->block_group_owned)
        return KS_MEMORY;
    for (int i = 0; i < m->form.n_blocks; i++)
        m->block_group_owned[i] = i / blocks_a_group;
    m->block_group = m->block_group_owned;
    return KS_OK;
}

static const int awq_nibble[8] = { 0, 4, 1, 5, 2, 6, 3, 7 }; /* of column j in its word */

static int packed_shift(const QuantSource *quant, int n)
{
    return 4 * (quant->packing == PACK_AWQ ? awq_nibble[n % 8] : n % 8);
}

/* The zero point of a group and output, 0 to 15. */
static int zero_point(const QuantSource *quant, int n_out, int group, int n)
{
    uint32_t word = word_at(quant->qzeros, (size_t)group * ((size_t)n_out / 8) + (size_t)n / 8);
    int stored = (int)(word >> packed_shift(quant, n) & 15);
    return quant->zero_rule == ZERO_STORED_PLUS_ONE ? (stored + 1) & 15 : stored;
}

static bool zeros_are_eight(const QuantSource *quant, int n_out)
{
    uint32_t expected = quant->zero_rule == ZERO_STORED_PLUS_ONE ? 0x77777777u : 0x88888888u;
    size_t n = (size_t)quant->n_groups * ((size_t)n_out / 8);
    for (size_t i = 0; i < n; i++)
        if (word_at(quant->qzeros, i) != expected)
            return false;
    return true;
}

static KStatus plan_quant(const Linear *linear, Matrix *m, const char **why)
{
    const QuantSource *quant = &linear->quant;
    if (quant->bits != 4 || linear->n_out % 8 != 0 || linear->n_in % 8 != 0 ||
        quant->group_size < 1) {
        *why = "only 4-bit weights with sizes that are multiples of 8 are supported";
        return KS_UNSUPPORTED;
    }
    m->kind = MATRIX_Q4;
    m->form.order = ORDER_EVEN_ODD;
    m->scale_type = quant->scale_type;
    m->n_groups = quant->n_groups;
    m->offset = zeros_are_eight(quant, m->n_out) ? OFFSET_CONSTANT : OFFSET_ZEROS;
    return plan_groups(quant, m);
}

static KStatus plan_blocks(const Tensor *tensor, const Isa *isa, Matrix *m, const char **why)
{
    if (tensor->cols % 32 != 0) {
        *why = "rows of block formats must be multiples of 32";
        return KS_UNSUPPORTED;
    }
    m->kind = tensor->dtype == DTYPE_Q8_0 ? MATRIX_Q8 : MATRIX_Q4;
    m->offset = tensor->dtype == DTYPE_Q4_1 ? OFFSET_MINS : OFFSET_CONSTANT;
    m->scale_type = DTYPE_F16;
    m->form.order = tensor->dtype == DTYPE_Q8_0 ? isa->q8_order : ORDER_HALVES;
    m->form.block = 32;
    m->form.n_blocks = m->n_groups = (int)(tensor->cols / 32);
    return KS_OK;
}

static KStatus plan_bias(const Tensor *bias, Matrix *m)
{
    if (!bias->data)
        return KS_OK;
    m->bias = calloc((size_t)m->n_tiles * TILE_ROWS, sizeof *m->bias);
    if (!m->bias)
        return KS_MEMORY;
    dtype_info(bias->dtype)->to_float(bias->data, m->bias, m->n_out);
    for (int i = 0; i < m->n_out; i++)
        if (m->bias[i] != 0)
            return KS_OK;
    free(m->bias);
    m->bias = NULL;
    return KS_OK;
}

KStatus matrix_plan(const Linear *linear, const Isa *isa, Matrix *matrix, const char **why)
{
    *matrix =
        (Matrix){ .name = linear->name, .n_out = (int)linear->n_out, .n_in = (int)linear->n_in };
    matrix->n_tiles = divide_up(linear->n_out, TILE_ROWS);
    matrix->form.n_in = matrix->n_in;
    KStatus status = plan_bias(&linear->bias, matrix);
    if (status != KS_OK)
        return status;
    if (linear->quant.packing != PACK_NONE)
        return plan_quant(linear, matrix, why);
    matrix->dense = linear->dense.data;
    switch (linear->dense.dtype) {
    case DTYPE_F32:
        matrix->kind = MATRIX_F32;
        return KS_OK;
    case DTYPE_F16:
        matrix->kind = MATRIX_F16;
        return KS_OK;
    case DTYPE_BF16:
        matrix->kind = MATRIX_BF16;
        return KS_OK;
    case DTYPE_Q4_0:
    case DTYPE_Q4_1:
    case DTYPE_Q8_0:
        return plan_blocks(&linear->dense, isa, matrix, why);
    default:
        *why = "matrices of this number format are not supported";
        return KS_UNSUPPORTED;
    }
}

void matrix_release(Matrix *matrix)
{
    free(matrix->bias);
    free(matrix->perm_owned);
    free(matrix->block_group_owned);
    *matrix = (Matrix){ 0 };
}

/* ---- memory ---- */

typedef struct {
    size_t codes, scales, zeros, mins;
} PackedSizes;

static size_t tile_code_bytes(const Matrix *m)
{
    size_t values = (size_t)m->form.n_blocks * (size_t)m->form.block;
    return values * TILE_ROWS / (m->kind == MATRIX_Q4 ? 2 : 1);
}

static PackedSizes packed_sizes(const Matrix *m)
{
    size_t groups = (size_t)m->n_tiles * (size_t)m->n_groups * TILE_ROWS;
    PackedSizes sizes = { 0 };
    if (matrix_is_dense(m))
        return sizes;
    sizes.codes = round_up((size_t)m->n_tiles * tile_code_bytes(m), ALIGNMENT);
    sizes.scales = round_up(groups * scale_bytes(m->scale_type), ALIGNMENT);
    sizes.zeros = m->offset == OFFSET_ZEROS ? round_up(groups, ALIGNMENT) : 0;
    sizes.mins = m->offset == OFFSET_MINS ? round_up(groups * 2, ALIGNMENT) : 0;
    return sizes;
}

size_t matrix_packed_bytes(const Matrix *matrix)
{
    PackedSizes sizes = packed_sizes(matrix);
    return sizes.codes + sizes.scales + sizes.zeros + sizes.mins;
}

/* ---- packing ---- */

/* The places of a matrix that one item fills. */
typedef struct {
    const Matrix *matrix;
    const Linear *linear;
    uint8_t *codes, *scales, *zeros, *mins;
} Packing;

static int valid_rows(const Matrix *m, int tile)
{
    int left = m->n_out - tile * TILE_ROWS;
    return left < TILE_ROWS ? left : TILE_ROWS;
}

/* GPTQ without act-order: sixteen neighbouring words are a unit. */
static void pack_gptq_words(const Packing *p, int tile, int tile_end)
{
    const Matrix *m = p->matrix;
    const uint8_t *source = p->linear->quant.qweight;
    size_t row_bytes = (size_t)m->n_out * 4, tile_bytes = tile_code_bytes(m);
    int units = m->form.n_blocks * m->form.block / 8, valid = m->n_in / 8;
    for (int u = 0; u < units; u++)
        for (int t = tile; t < tile_end; t++) {
            uint8_t *to = p->codes + (size_t)t * tile_bytes + (size_t)u * 64;
            size_t rows = (size_t)valid_rows(m, t);
            if (u < valid)
                memcpy(to, source + (size_t)u * row_bytes + (size_t)t * 64, rows * 4);
            if (u >= valid || rows < TILE_ROWS)
                memset(u < valid ? to + rows * 4 : to, 0, u < valid ? 64 - rows * 4 : 64);
        }
}

/* Adds one k of GPTQ rows to a unit: nibble j of every lane. */
static void add_gptq_nibbles(const QuantSource *quant, const Matrix *m, int tile, int k, int j,
                             uint32_t unit[16])
{
    int rows = valid_rows(m, tile), shift = 4 * (k % 8);
    const uint8_t *source =
        (const uint8_t *)quant->qweight + ((size_t)(k / 8) * (size_t)m->n_out) * 4;
    for (int r = 0; r < rows; r++)
        unit[r] |= (word_at(source, (size_t)tile * TILE_ROWS + (size_t)r) >> shift & 15) << 4 * j;
}

static void add_awq_nibbles(const QuantSource *quant, const Matrix *m, int tile, int k, int j,
                            uint32_t unit[16])
{
    int rows = valid_rows(m, tile);
    size_t words = (size_t)m->n_out / 8, first = (size_t)k * words + (size_t)tile * 2;
    for (int r = 0; r < rows; r += 8) {
        uint32_t word = word_at(quant->qweight, first + (size_t)r / 8);
        for (int i = 0; i < 8; i++)
            unit[r + i] |= (word >> 4 * awq_nibble[i] & 15) << 4 * j;
    }
}

static void pack_nibbles(const Packing *p, int tile, int tile_end)
{
    const Matrix *m = p->matrix;
    const QuantSource *quant = &p->linear->quant;
    int units = m->form.n_blocks * m->form.block / 8;
    for (int t = tile; t < tile_end; t++)
        for (int u = 0; u < units; u++) {
            uint32_t unit[TILE_ROWS] = { 0 };
            for (int j = 0; j < 8; j++) {
                int k = m->form.perm ? m->form.perm[8 * u + j] : 8 * u + j;
                if (k < 0 || k >= m->n_in)
                    continue;
                if (quant->packing == PACK_AWQ)
                    add_awq_nibbles(quant, m, t, k, j, unit);
                else
                    add_gptq_nibbles(quant, m, t, k, j, unit);
            }
            memcpy(p->codes + (size_t)t * tile_code_bytes(m) + (size_t)u * 64, unit, sizeof unit);
        }
}

static void pack_group_data(const Packing *p, int tile, int tile_end)
{
    const Matrix *m = p->matrix;
    const QuantSource *quant = &p->linear->quant;
    size_t size = scale_bytes(m->scale_type);
    for (int t = tile; t < tile_end; t++)
        for (int g = 0; g < m->n_groups; g++) {
            int rows = valid_rows(m, t);
            size_t at = ((size_t)t * (size_t)m->n_groups + (size_t)g) * TILE_ROWS;
            size_t from = (size_t)g * (size_t)m->n_out + (size_t)t * TILE_ROWS;
            memset(p->scales + at * size, 0, TILE_ROWS * size);
            memcpy(p->scales + at * size, (const uint8_t *)quant->scales + from * size,
                   (size_t)rows * size);
            for (int r = 0; p->zeros && r < TILE_ROWS; r++)
                p->zeros[at + (size_t)r] =
                    (uint8_t)(r < rows ? zero_point(quant, m->n_out, g, t * TILE_ROWS + r) : 0);
        }
}

/* GGUF blocks of one row: d, (m,) codes. */
static void pack_block_row(const Packing *p, int tile, int lane, const uint8_t *row)
{
    const Matrix *m = p->matrix;
    const DTypeInfo *info = dtype_info(p->linear->dense.dtype);
    int head = p->mins ? 4 : 2, units = (info->block_bytes - head) / 4;
    uint32_t flip = m->kind == MATRIX_Q8 ? 0x80808080u : 0;
    uint8_t *codes = p->codes + (size_t)tile * tile_code_bytes(m) + (size_t)lane * 4;
    size_t at = (size_t)tile * (size_t)m->n_groups * TILE_ROWS + (size_t)lane;
    for (int block = 0; block < m->form.n_blocks;
         block++, row += info->block_bytes, at += TILE_ROWS) {
        memcpy(p->scales + at * 2, row, 2);
        if (p->mins)
            memcpy(p->mins + at * 2, row + 2, 2);
        for (int u = 0; u < units; u++, codes += 64) {
            uint32_t word = word_at(row + head, (size_t)u) ^ flip;
            memcpy(codes, &word, sizeof word);
        }
    }
}

static void clear_block_row(const Packing *p, int tile, int lane)
{
    const Matrix *m = p->matrix;
    size_t units = tile_code_bytes(m) / 64,
           at = (size_t)tile * (size_t)m->n_groups * TILE_ROWS + (size_t)lane;
    for (size_t u = 0; u < units; u++)
        memset(p->codes + (size_t)tile * tile_code_bytes(m) + u * 64 + (size_t)lane * 4, 0, 4);
    for (int g = 0; g < m->n_groups; g++, at += TILE_ROWS) {
        memset(p->scales + at * 2, 0, 2);
        if (p->mins)
            memset(p->mins + at * 2, 0, 2);
    }
}

static void pack_blocks(const Packing *p, int tile, int tile_end)
{
    const Tensor *tensor = &p->linear->dense;
    const DTypeInfo *info = dtype_info(tensor->dtype);
    size_t row_bytes = (size_t)(tensor->cols / info->block) * (size_t)info->block_bytes;
    for (int t = tile; t < tile_end; t++)
        for (int lane = 0; lane < TILE_ROWS; lane++) {
            if (lane < valid_rows(p->matrix, t))
                pack_block_row(p, t, lane,
                               (const uint8_t *)tensor->data +
                                   (size_t)(t * TILE_ROWS + lane) * row_bytes);
            else
                clear_block_row(p, t, lane);
        }
}

static void pack_item(void *arg, int item, int thread)
{
    const Packing *p = arg;
    const Matrix *m = p->matrix;
    int tile = item * PACK_TILES;
    int tile_end = tile + PACK_TILES < m->n_tiles ? tile + PACK_TILES : m->n_tiles;
    (void)thread;
    if (p->linear->quant.packing == PACK_NONE) {
        pack_blocks(p, tile, tile_end);
        return;
    }
    if (p->linear->quant.packing == PACK_GPTQ && !m->form.perm)
        pack_gptq_words(p, tile, tile_end);
    else
        pack_nibbles(p, tile, tile_end);
    pack_group_data(p, tile, tile_end);
}

void matrix_pack(Matrix *matrix, const Linear *linear, uint8_t *memory, Pool *pool)
{
    PackedSizes sizes = packed_sizes(matrix);
    if (sizes.codes == 0)
        return;
    Packing packing = {
        .matrix = matrix, .linear = linear, .codes = memory, .scales = memory + sizes.codes
    };
    packing.zeros = sizes.zeros ? packing.scales + sizes.scales : NULL;
    packing.mins = sizes.mins ? packing.scales + sizes.scales : NULL;
    pool_run(pool, divide_up(matrix->n_tiles, PACK_TILES), pack_item, &packing);
    matrix->codes = packing.codes;
    matrix->scales = packing.scales;
    matrix->zeros = packing.zeros;
    matrix->mins = packing.mins;
}
