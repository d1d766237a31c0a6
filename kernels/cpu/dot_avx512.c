/* The kernels for AVX-512 with VNNI: one vector is one tile's sixteen rows. */
#include "config.h"

#include <immintrin.h>

#include "kernels/cpu/pointwise.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    TOKENS = 4,      /* dense: of a batch at once */
    DENSE_ROWS = 4,  /* with TOKENS */
    SINGLE_ROWS = 8, /* with a single token */
    DENSE_SUMS = 16,
    PREFETCH = 6144, /* bytes ahead of a single token's codes */
    KV_AHEAD = 4096  /* and of keys and values */
};

/* ---- tiles ---- */

INLINE __m512 load_values(const uint8_t *vector, DType type)
{
    if (type == DTYPE_F16)
        return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)vector));
    if (type == DTYPE_F32)
        return _mm512_loadu_ps(vector);
    __m512i half = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)vector));
    return _mm512_castsi512_ps(_mm512_slli_epi32(half, 16));
}

INLINE __m512i broadcast_word(const void *from)
{
    int32_t word;
    memcpy(&word, from, sizeof word);
    return _mm512_set1_epi32(word);
}

/* One or two neighbouring tiles on their way through a batch. */
typedef struct {
    const Product *p;
    int tile, n; /* tokens */
    __m512 total[2][BATCH_MAX];
} TileRun;

/* What a block's group brings along, for each tile. */
typedef struct {
    __m512 scale[2], min[2];
    __m512i zero[2];
} Group;

INLINE Group load_group(const TileRun *run, int block, const int tiles)
{
    const Matrix *m = run->p->matrix;
    Group group = { 0 };
    int index = m->block_group ? m->block_group[block] : block;
    for (int i = 0; i < tiles; i++) {
        size_t at = ((size_t)(run->tile + i) * (size_t)m->n_groups + (size_t)index) * TILE_ROWS;
        group.scale[i] =
            load_values(m->scales + at * (m->scale_type == DTYPE_F32 ? 4 : 2), m->scale_type);
        if (m->offset == OFFSET_ZEROS)
            group.zero[i] = _mm512_cvtepu8_epi32(
                _mm_loadu_si128((const __m128i *)(const void *)(m->zeros + at)));
        if (m->offset == OFFSET_MINS)
            group.min[i] = load_values(m->mins + at * 2, DTYPE_F16);
    }
    return group;
}

/* What the loops are compiled for. */
typedef struct {
    MatrixKind kind;
    MatrixOffset offset;
    int tiles, n_codes; /* 4 * n_codes values a block */
} RunKind;

/* A block of a tile as vectors of bytes, each to be multiplied with a word of terms. */
INLINE void load_codes(const uint8_t *from, const RunKind kind, __m512i codes[8])
{
    const __m512i mask = _mm512_set1_epi8(15);
    if (kind.kind == MATRIX_Q8) {
        for (int j = 0; j < kind.n_codes; j++)
            codes[j] = _mm512_loadu_si512(from + j * 64);
        return;
    }
    for (int j = 0; j < kind.n_codes; j += 2) {
        __m512i word = _mm512_loadu_si512(from + j * 32);
        codes[j] = _mm512_and_si512(word, mask);
        codes[j + 1] = _mm512_and_si512(_mm512_srli_epi16(word, 4), mask);
    }
}

INLINE size_t block_bytes(const RunKind kind)
{
    return (size_t)kind.n_codes * (kind.kind == MATRIX_Q4 ? 32 : 64);
}

/* The sum with which the low terms of a block begin: minus the zero point times the sum of the
 * activations. */
INLINE __m512i first_sum(__m512i less_sum, __m512i zero, const RunKind kind)
{
    if (kind.offset == OFFSET_CONSTANT)
        return _mm512_slli_epi32(less_sum, kind.kind == MATRIX_Q4 ? 3 : 7);
    if (kind.offset == OFFSET_ZEROS)
        return _mm512_mullo_epi32(zero, less_sum);
    return _mm512_setzero_si512();
}

/* One token's share of a block, added to total. at: of the token's scale and sums. */
INLINE void add_block(const __m512i codes[2][8], const Group *group, const Activations *x,
                      size_t at, const RunKind kind, __m512 *total[2])
{
    const int8_t *terms = x->terms + at * 8 * (size_t)kind.n_codes,
                 *low_terms = terms + 4 * kind.n_codes;
    __m512i high[2], low[2], less_sum = _mm512_set1_epi32(x->less_sum[at]);
    for (int i = 0; i < kind.tiles; i++) {
        high[i] = _mm512_setzero_si512();
        low[i] = first_sum(less_sum, group->zero[i], kind);
    }
#pragma GCC unroll 8
    for (int j = 0; j < kind.n_codes; j++) {
        __m512i high_term = broadcast_word(terms + 4 * j),
                low_term = broadcast_word(low_terms + 4 * j);
        for (int i = 0; i < kind.tiles; i++) {
            high[i] = _mm512_dpbusd_epi32(high[i], codes[i][j], high_term);
            low[i] = _mm512_dpbusd_epi32(low[i], codes[i][j], low_term);
        }
    }
    __m512 x_scale = _mm512_set1_ps(x->scale[at]);
    for (int i = 0; i < kind.tiles; i++) {
        __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high[i], 8), low[i]);
        *total[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum),
                                    _mm512_mul_ps(group->scale[i], x_scale), *total[i]);
        if (kind.offset == OFFSET_MINS)
            *total[i] =
                _mm512_fmadd_ps(group->min[i], _mm512_set1_ps(x->scaled_sum[at]), *total[i]);
    }
}

/* A batch: a block's codes stay in registers while the tokens pass. */
INLINE void run_batch(TileRun *run, const RunKind kind)
{
    const Product *p = run->p;
    const Matrix *m = p->matrix;
    size_t n = (size_t)run->n, tile_bytes = (size_t)m->form.n_blocks * block_bytes(kind);
    const uint8_t *from = m->codes + (size_t)run->tile * tile_bytes;
    for (int i = 0; i < kind.tiles; i++)
        for (size_t t = 0; t < n; t++)
            run->total[i][t] = _mm512_setzero_ps();
    for (int block = 0; block < m->form.n_blocks; block++, from += block_bytes(kind)) {
        Group group = load_group(run, block, kind.tiles);
        __m512i codes[2][8];
        for (int i = 0; i < kind.tiles; i++)
            load_codes(from + (size_t)i * tile_bytes, kind, codes[i]);
        for (size_t t = 0; t < n; t++) {
            __m512 *total[2] = { &run->total[0][t], &run->total[1][t] };
            add_block(codes, &group, p->quant, (size_t)block * n + t, kind, total);
        }
    }
    for (int i = 0; i < kind.tiles; i++)
        for (size_t t = 0; t < n; t++)
            _mm512_storeu_ps(p->out + t * p->out_stride + (size_t)(run->tile + i) * TILE_ROWS,
                             run->total[i][t]);
}

/* A single token.  One tile at a time, so that the codes are one stream that memory is asked for
 * ahead of its use, across the end of a tile too. */
INLINE void run_single(TileRun *run, const RunKind kind)
{
    const Product *p = run->p;
    const Matrix *m = p->matrix;
    const uint8_t *from =
        m->codes + (size_t)run->tile * (size_t)m->form.n_blocks * block_bytes(kind);
    __m512 sum = _mm512_setzero_ps(), *total[2] = { &sum, NULL };
    for (int block = 0; block < m->form.n_blocks; block++, from += block_bytes(kind)) {
        Group group = load_group(run, block, 1);
        __m512i codes[2][8];
        load_codes(from, kind, codes[0]);
        for (size_t line = 0; line < block_bytes(kind); line += 64)
            _mm_prefetch((const char *)from + PREFETCH + line, _MM_HINT_T0);
        add_block(codes, &group, p->quant, (size_t)block, kind, total);
    }
    _mm512_storeu_ps(p->out + (size_t)run->tile * TILE_ROWS, sum);
}

INLINE void run_kind(TileRun *run, const RunKind kind, const bool single)
{
    if (single)
        run_single(run, kind);
    else
        run_batch(run, kind);
}

/* One copy of the loops for each kind of offset and size of block, so that they hold no question
 * with one answer. */
INLINE void run_offset(TileRun *run, RunKind kind, const bool single)
{
    switch (run->p->matrix->offset) {
    case OFFSET_CONSTANT:
        kind.offset = OFFSET_CONSTANT;
        run_kind(run, kind, single);
        break;
    case OFFSET_ZEROS:
        kind.offset = OFFSET_ZEROS;
        run_kind(run, kind, single);
        break;
    default:
        kind.offset = OFFSET_MINS;
        run_kind(run, kind, single);
    }
}

INLINE void run_q4(TileRun *run, const int tiles, const bool single)
{
    switch (run->p->matrix->form.block) {
    case 32:
        run_offset(run, (RunKind){ .kind = MATRIX_Q4, .tiles = tiles, .n_codes = 8 }, single);
        break;
    case 16:
        run_offset(run, (RunKind){ .kind = MATRIX_Q4, .tiles = tiles, .n_codes = 4 }, single);
        break;
    default:
        run_offset(run, (RunKind){ .kind = MATRIX_Q4, .tiles = tiles, .n_codes = 2 }, single);
    }
}

INLINE void run_q8(TileRun *run, const int tiles, const bool single)
{
    run_kind(
        run,
        (RunKind){ .kind = MATRIX_Q8, .offset = OFFSET_CONSTANT, .tiles = tiles, .n_codes = 8 },
        single);
}

static void q4(const Product *p, int tile, int tile_end, int n)
{
    TileRun run; /* large: nothing more is cleared than is used */
    run.p = p;
    run.n = n;
    run.tile = tile;
    for (; n == 1 && run.tile < tile_end; run.tile++)
        run_q4(&run, 1, true);
    for (; run.tile + 2 <= tile_end; run.tile += 2)
        run_q4(&run, 2, false);
    if (run.tile < tile_end)
        run_q4(&run, 1, false);
}

static void q8(const Product *p, int tile, int tile_end, int n)
{
    TileRun run;
    run.p = p;
    run.n = n;
    run.tile = tile;
    for (; n == 1 && run.tile < tile_end; run.tile++)
        run_q8(&run, 1, true);
    for (; run.tile + 2 <= tile_end; run.tile += 2)
        run_q8(&run, 2, false);
    if (run.tile < tile_end)
        run_q8(&run, 1, false);
}

/* ---- dense ---- */

typedef __m512 Lanes;

INLINE Lanes lanes_zero(void)
{
    return _mm512_setzero_ps();
}

/* Sixteen weights; those past `mask` are 0 and not read. */
INLINE __m512 load_dense(const uint8_t *src, MatrixKind kind, __mmask16 mask)
{
    if (kind == MATRIX_F32)
        return mask == 0xffff ? _mm512_loadu_ps(src) : _mm512_maskz_loadu_ps(mask, src);
    __m256i half = mask == 0xffff ? _mm256_loadu_si256((const __m256i *)(const void *)src)
                                  : _mm256_maskz_loadu_epi16(mask, src);
    if (kind == MATRIX_F16)
        return _mm512_cvtph_ps(half);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/* The fold of fold_lanes: 8 apart, 4, 2, 1. */
INLINE float fold(Lanes lanes)
{
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* Sixteen columns for `rows` rows and n tokens; n_left: of the columns, the others are zero. */
INLINE void dense_step(const uint8_t *src, size_t row_bytes, const float *x, size_t x_stride,
                       int n_left, MatrixKind kind, const int rows, const int n,
                       Lanes sum[DENSE_SUMS])
{
    __mmask16 mask = (__mmask16)((1u << n_left) - 1);
    __m512 input[TOKENS];
    for (int i = 0; i < n; i++)
        input[i] = _mm512_loadu_ps(x + (size_t)i * x_stride);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        __m512 weight = load_dense(src + (size_t)r * row_bytes, kind, mask);
        for (int i = 0; i < n; i++)
            sum[r * n + i] = _mm512_fmadd_ps(weight, input[i], sum[r * n + i]);
    }
}

#include "kernels/cpu/dot_dense.h"

/* ---- attention ---- */

INLINE __m512i broadcast_pair(const int16_t *from)
{
    int32_t word;
    memcpy(&word, from, sizeof word);
    return _mm512_set1_epi32(word);
}

INLINE void chunk_scores(const int16_t *k, int head_dim, const int16_t *query, float *score,
                         const int n)
{
    __m512i high[4], low[4];
#pragma GCC unroll 4
    for (int q = 0; q < n; q++)
        high[q] = low[q] = _mm512_setzero_si512();
    for (int d = 0; d < head_dim; d += 2, k += 32) {
        __m512i keys = _mm512_loadu_si512(k);
        _mm_prefetch((const char *)k + KV_AHEAD, _MM_HINT_T0);
#pragma GCC unroll 4
        for (int q = 0; q < n; q++) {
            const int16_t *terms = query + (size_t)q * 2 * (size_t)head_dim + d;
            high[q] = _mm512_dpwssd_epi32(high[q], keys, broadcast_pair(terms));
            low[q] = _mm512_dpwssd_epi32(low[q], keys, broadcast_pair(terms + head_dim));
        }
    }
#pragma GCC unroll 4
    for (int q = 0; q < n; q++)
        _mm512_storeu_ps(score + (size_t)q * KV_PAGE,
                         _mm512_fmadd_ps(_mm512_cvtepi32_ps(high[q]), _mm512_set1_ps(256.0f),
                                         _mm512_cvtepi32_ps(low[q])));
}

static void scores(const KvBlock *kv, int head_dim, int n_chunks, const int16_t *query,
                   int n_queries, float *score)
{
    size_t head_terms = 2 * (size_t)head_dim;
    for (int q = 0; q < n_queries; q += 4, query += 4 * head_terms, score += 4 * KV_PAGE)
        for (int chunk = 0; chunk < n_chunks; chunk++) {
            const int16_t *k = kv->k + (size_t)chunk * 16 * (size_t)head_dim;
            float *out = score + chunk * 16;
            switch (n_queries - q) {
            case 1:
                chunk_scores(k, head_dim, query, out, 1);
                break;
            case 2:
                chunk_scores(k, head_dim, query, out, 2);
                break;
            case 3:
                chunk_scores(k, head_dim, query, out, 3);
                break;
            default:
                chunk_scores(k, head_dim, query, out, 4);
            }
        }
}

/* n vectors of values for `queries` queries. */
INLINE void value_vectors(const int16_t *v, size_t stride, int begin, int end, const float *score,
                          float *value, const int n, const int queries)
{
    __m512 sum[4][4];
    for (int q = 0; q < queries; q++)
        for (int j = 0; j < n; j++)
            sum[q][j] = _mm512_setzero_ps();
    for (int i = begin; i < end; i++) {
        const int16_t *row = v + (size_t)i * stride;
        for (int line = 0; line < n; line += 2)
            _mm_prefetch((const char *)(row + 16 * line) + KV_AHEAD, _MM_HINT_T0);
        for (int j = 0; j < n; j++) {
            __m256i half = _mm256_loadu_si256((const __m256i *)(const void *)(row + 16 * j));
            __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(half));
            for (int q = 0; q < queries; q++)
                sum[q][j] = _mm512_fmadd_ps(_mm512_set1_ps(score[(size_t)q * KV_PAGE + (size_t)i]),
                                            values, sum[q][j]);
        }
    }
    for (int q = 0; q < queries; q++)
        for (int j = 0; j < n; j++)
            _mm512_storeu_ps(value + (size_t)q * stride + 16 * j, sum[q][j]);
}

INLINE void value_rows(const KvBlock *kv, size_t stride, int begin, int end, const float *score,
                       float *value, const int queries)
{
    size_t d = 0;
    for (; d + 64 <= stride; d += 64)
        value_vectors(kv->v + d, stride, begin, end, score, value + d, 4, queries);
    for (; d < stride; d += 16)
        value_vectors(kv->v + d, stride, begin, end, score, value + d, 1, queries);
}

static void values(const KvBlock *kv, int value_stride, int begin, int end, const float *score,
                   int n_queries, float *value)
{
    size_t stride = (size_t)value_stride;
    for (int q = 0; q < n_queries; q += 4, score += 4 * KV_PAGE, value += 4 * stride)
        switch (n_queries - q) {
        case 1:
            value_rows(kv, stride, begin, end, score, value, 1);
            break;
        case 2:
            value_rows(kv, stride, begin, end, score, value, 2);
            break;
        case 3:
            value_rows(kv, stride, begin, end, score, value, 3);
            break;
        default:
            value_rows(kv, stride, begin, end, score, value, 4);
        }
}

/* ---- quantising ---- */

/* 32 terms of 8 bits into the order of a block. */
INLINE __m256i place_bytes(__m256i terms, ActOrder order)
{
    const __m256i even_odd = _mm256_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15,
                                              0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
    if (order == ORDER_EVEN_ODD)
        return _mm256_shuffle_epi8(terms, even_odd);
    if (order == ORDER_HALVES)
        return _mm256_permutevar8x32_epi32(terms, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    return terms;
}

INLINE __m256i narrow(__m512i first, __m512i second)
{
    return _mm256_set_m128i(_mm512_cvtepi32_epi8(second), _mm512_cvtepi32_epi8(first));
}

/* quantise_block of pointwise.h for 32 values. */
INLINE uint32_t quantise_32(const float *input, const Activations *to, size_t at)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff), half = _mm512_set1_epi32(128);
    __m512 a = _mm512_loadu_ps(input), b = _mm512_loadu_ps(input + 16);
    __m512i bits = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(a), magnitude),
                                    _mm512_and_si512(_mm512_castps_si512(b), magnitude));
    uint32_t largest = (uint32_t)_mm512_reduce_max_epu32(bits);
    float inverse, scale = block_scale(largest, &inverse);
    __mmask16 keep = inverse == 0 ? 0 : 0xffff;
    __m512 factor = _mm512_set1_ps(inverse);
    __m512i p = _mm512_maskz_cvtps_epi32(keep, _mm512_mul_ps(a, factor));
    __m512i q = _mm512_maskz_cvtps_epi32(keep, _mm512_mul_ps(b, factor));
    __m512i p_high = _mm512_srai_epi32(_mm512_add_epi32(p, half), 8);
    __m512i q_high = _mm512_srai_epi32(_mm512_add_epi32(q, half), 8);
    __m256i high = place_bytes(narrow(p_high, q_high), to->form.order);
    __m256i low =
        place_bytes(narrow(p, q), to->form.order); /* q - 256 * high: the lowest byte of q */
    int32_t sum = _mm512_reduce_add_epi32(_mm512_add_epi32(p, q));
    _mm256_storeu_si256((__m256i *)(void *)(to->terms + at * 64), high);
    _mm256_storeu_si256((__m256i *)(void *)(to->terms + at * 64 + 32), low);
    to->scale[at] = scale;
    to->less_sum[at] = -sum;
    to->scaled_sum[at] = (float)sum * scale;
    return largest;
}

static uint32_t quantise(const float *x, const Activations *to, int token)
{
    uint32_t worst = 0;
    if (to->form.block != 32)
        return pointwise_quantise(x, to, token);
    for (int block = 0; block < to->form.n_blocks; block++) {
        float buffer[BLOCK_MAX];
        const float *input = block_inputs(x, &to->form, block, buffer);
        uint32_t largest =
            quantise_32(input, to, (size_t)block * (size_t)to->n_tokens + (size_t)token);
        worst = largest > worst ? largest : worst;
    }
    return worst;
}

const Isa isa_avx512 = {
    .name = "avx512",
    .q8_order = ORDER_PLAIN,
    .q4 = q4,
    .q8 = q8,
    .dense = dense,
    .quantise = quantise,
    .quantise_head = pointwise_quantise_head,
    .norm = pointwise_norm,
    .add = pointwise_add,
    .silu_mul = pointwise_silu_mul,
    .scores = scores,
    .weights = pointwise_weights,
    .values = values,
    .merge = pointwise_merge,
    .product_rows = PRODUCT_ROWS_AVX512,
    .product_cols = PRODUCT_COLS_AVX512,
    .product = product_avx512,
    .subtract = subtract_avx512,
};
