/* The kernels for AVX-512 with VNNI: one vector is one tile's sixteen rows. */
#include "config.h"

#include <immintrin.h>

#include "kernels/cpu/pointwise.h"

#define INLINE static inline __attribute__((always_inline))

enum { TOKENS = 4, DENSE_ROWS = 4 };

/* ---- tiles -------------------------------------------------------------------------------------------------------- */

INLINE __m512 load_values(const uint8_t *vector, DType type)
{
    if (type == DTYPE_F16)
        return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)vector));
    if (type == DTYPE_F32)
        return _mm512_loadu_ps(vector);
    __m512i half = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)vector));
    return _mm512_castsi512_ps(_mm512_slli_epi32(half, 16));
}

INLINE __m512i broadcast_word(const int8_t *from)
{
    int32_t word;
    memcpy(&word, from, sizeof word);
    return _mm512_set1_epi32(word);
}

/* What a tile's kernel needs to know, out of the structs. */
typedef struct {
    const Matrix *m;
    const uint8_t *codes;
    const int8_t *terms; /* of the first token */
    size_t stride;
    int tile, token;
} Tile;

INLINE void end_block(const Tile *t, const Activations *x, int block, int i, __m512i sum, __m512 *total)
{
    const Matrix *m = t->m;
    int group = m->block_group ? m->block_group[block] : block;
    size_t at = ((size_t)t->tile * (size_t)m->n_groups + (size_t)group) * TILE_ROWS;
    size_t x_at = (size_t)(t->token + i) * (size_t)m->form.n_blocks + (size_t)block;
    __m512 scale = load_values(m->scales + at * (m->scale_type == DTYPE_F32 ? 4 : 2), m->scale_type);
    int32_t x_sum = x->sum[x_at];
    if (m->offset == OFFSET_CONSTANT)
        sum = _mm512_sub_epi32(sum, _mm512_set1_epi32(x_sum * (m->kind == MATRIX_Q4 ? 8 : 128)));
    if (m->offset == OFFSET_ZEROS) {
        __m512i zero = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(m->zeros + at)));
        sum = _mm512_sub_epi32(sum, _mm512_mullo_epi32(zero, _mm512_set1_epi32(x_sum)));
    }
    __m512 x_scale = _mm512_set1_ps(x->scale[x_at]);
    *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(scale, x_scale), *total);
    if (m->offset == OFFSET_MINS) {
        __m512 min = load_values(m->mins + at * 2, DTYPE_F16);
        *total = _mm512_fmadd_ps(min, _mm512_set1_ps((float)x_sum * x->scale[x_at]), *total);
    }
}

INLINE void q4_tile(const Tile *t, const Product *p, const int n)
{
    const Activations *x = p->quant;
    const __m512i mask = _mm512_set1_epi8(15);
    const uint8_t *codes = t->codes;
    const int8_t *terms = t->terms;
    int units = t->m->form.block / 8;
    __m512 total[TOKENS];
    for (int i = 0; i < n; i++)
        total[i] = _mm512_setzero_ps();
    for (int block = 0; block < t->m->form.n_blocks; block++) {
        __m512i high[TOKENS], low[TOKENS];
        for (int i = 0; i < n; i++)
            high[i] = low[i] = _mm512_setzero_si512();
        for (int u = 0; u < units; u++, codes += 64, terms += 8) {
            __m512i word = _mm512_loadu_si512(codes);
            __m512i first = _mm512_and_si512(word, mask);
            __m512i second = _mm512_and_si512(_mm512_srli_epi16(word, 4), mask);
            for (int i = 0; i < n; i++) {
                const int8_t *h = terms + (size_t)i * 2 * t->stride, *l = h + t->stride;
                high[i] = _mm512_dpbusd_epi32(high[i], first, broadcast_word(h));
                low[i] = _mm512_dpbusd_epi32(low[i], first, broadcast_word(l));
                high[i] = _mm512_dpbusd_epi32(high[i], second, broadcast_word(h + 4));
                low[i] = _mm512_dpbusd_epi32(low[i], second, broadcast_word(l + 4));
            }
        }
        for (int i = 0; i < n; i++)
            end_block(t, x, block, i, _mm512_add_epi32(_mm512_slli_epi32(high[i], 8), low[i]), &total[i]);
    }
    for (int i = 0; i < n; i++)
        _mm512_storeu_ps(p->out + (size_t)(t->token + i) * p->out_stride + (size_t)t->tile * TILE_ROWS, total[i]);
}

INLINE void q8_tile(const Tile *t, const Product *p, const int n)
{
    const Activations *x = p->quant;
    const uint8_t *codes = t->codes;
    const int8_t *terms = t->terms;
    int units = t->m->form.block / 4;
    __m512 total[TOKENS];
    for (int i = 0; i < n; i++)
        total[i] = _mm512_setzero_ps();
    for (int block = 0; block < t->m->form.n_blocks; block++) {
        __m512i high[TOKENS], low[TOKENS];
        for (int i = 0; i < n; i++)
            high[i] = low[i] = _mm512_setzero_si512();
        for (int u = 0; u < units; u++, codes += 64, terms += 4) {
            __m512i word = _mm512_loadu_si512(codes);
            for (int i = 0; i < n; i++) {
                const int8_t *h = terms + (size_t)i * 2 * t->stride;
                high[i] = _mm512_dpbusd_epi32(high[i], word, broadcast_word(h));
                low[i] = _mm512_dpbusd_epi32(low[i], word, broadcast_word(h + t->stride));
            }
        }
        for (int i = 0; i < n; i++)
            end_block(t, x, block, i, _mm512_add_epi32(_mm512_slli_epi32(high[i], 8), low[i]), &total[i]);
    }
    for (int i = 0; i < n; i++)
        _mm512_storeu_ps(p->out + (size_t)(t->token + i) * p->out_stride + (size_t)t->tile * TILE_ROWS, total[i]);
}

static Tile tile_at(const Product *p, int tile, int token)
{
    const Matrix *m = p->matrix;
    size_t places = (size_t)m->form.n_blocks * (size_t)m->form.block;
    size_t tile_bytes = places * TILE_ROWS / (m->kind == MATRIX_Q4 ? 2 : 1);
    return (Tile){.m = m,
                  .codes = m->codes + (size_t)tile * tile_bytes,
                  .terms = p->quant->terms + (size_t)token * p->quant->stride * 2,
                  .stride = p->quant->stride,
                  .tile = tile,
                  .token = token};
}

static void q4(const Product *p, int tile, int tile_end, int token, int token_end)
{
    for (; tile < tile_end; tile++) {
        int t = token;
        for (; t + TOKENS <= token_end; t += TOKENS) {
            Tile at = tile_at(p, tile, t);
            q4_tile(&at, p, TOKENS);
        }
        for (; t < token_end; t++) {
            Tile at = tile_at(p, tile, t);
            q4_tile(&at, p, 1);
        }
    }
}

static void q8(const Product *p, int tile, int tile_end, int token, int token_end)
{
    for (; tile < tile_end; tile++) {
        int t = token;
        for (; t + TOKENS <= token_end; t += TOKENS) {
            Tile at = tile_at(p, tile, t);
            q8_tile(&at, p, TOKENS);
        }
        for (; t < token_end; t++) {
            Tile at = tile_at(p, tile, t);
            q8_tile(&at, p, 1);
        }
    }
}

/* ---- dense -------------------------------------------------------------------------------------------------------- */

/* Sixteen weights; those past `mask` are 0 and not read. */
INLINE __m512 load_dense(const uint8_t *src, MatrixKind kind, __mmask16 mask)
{
    if (kind == MATRIX_F32)
        return _mm512_maskz_loadu_ps(mask, src);
    __m256i half = _mm256_maskz_loadu_epi16(mask, src);
    if (kind == MATRIX_F16)
        return _mm512_cvtph_ps(half);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/* The fold of fold_lanes: 8 apart, 4, 2, 1. */
INLINE float fold(__m512 lanes)
{
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

INLINE void dense_block(const Product *p, int row, int token, MatrixKind kind, const int rows, const int n)
{
    const Matrix *m = p->matrix;
    size_t size = kind == MATRIX_F32 ? 4 : 2, row_bytes = (size_t)m->n_in * size;
    const uint8_t *src = m->dense + (size_t)row * row_bytes;
    const float *x = p->dense + (size_t)token * p->dense_stride;
    __m512 sum[DENSE_ROWS][TOKENS];
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < n; i++)
            sum[r][i] = _mm512_setzero_ps();
    for (int k = 0; k < m->n_in; k += 16) {
        __mmask16 mask = m->n_in - k < 16 ? (__mmask16)((1u << (m->n_in - k)) - 1) : 0xffff;
        __m512 input[TOKENS];
        for (int i = 0; i < n; i++)
            input[i] = _mm512_loadu_ps(x + (size_t)i * p->dense_stride + k);
        for (int r = 0; r < rows; r++) {
            __m512 weight = load_dense(src + (size_t)r * row_bytes + (size_t)k * size, kind, mask);
            for (int i = 0; i < n; i++)
                sum[r][i] = _mm512_fmadd_ps(weight, input[i], sum[r][i]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < n; i++)
            p->out[(size_t)(token + i) * p->out_stride + (size_t)(row + r)] = fold(sum[r][i]);
}

INLINE void dense_rows(const Product *p, int row, int row_end, int token, int token_end, MatrixKind kind)
{
    for (; row + DENSE_ROWS <= row_end; row += DENSE_ROWS) {
        int t = token;
        for (; t + TOKENS <= token_end; t += TOKENS)
            dense_block(p, row, t, kind, DENSE_ROWS, TOKENS);
        for (; t < token_end; t++)
            dense_block(p, row, t, kind, DENSE_ROWS, 1);
    }
    for (; row < row_end; row++)
        for (int t = token; t < token_end; t++)
            dense_block(p, row, t, kind, 1, 1);
}

static void dense(const Product *p, int tile, int tile_end, int token, int token_end)
{
    int row = tile * TILE_ROWS, row_end = tile_end * TILE_ROWS;
    for (int r = p->matrix->n_out; r < row_end; r++)
        for (int t = token; t < token_end; t++)
            p->out[(size_t)t * p->out_stride + (size_t)r] = 0;
    if (row_end > p->matrix->n_out)
        row_end = p->matrix->n_out;
    if (p->matrix->kind == MATRIX_F32)
        dense_rows(p, row, row_end, token, token_end, MATRIX_F32);
    else if (p->matrix->kind == MATRIX_F16)
        dense_rows(p, row, row_end, token, token_end, MATRIX_F16);
    else
        dense_rows(p, row, row_end, token, token_end, MATRIX_BF16);
}

/* ---- attention ---------------------------------------------------------------------------------------------------- */

INLINE __m512i broadcast_pair(const int16_t *from)
{
    int32_t word;
    memcpy(&word, from, sizeof word);
    return _mm512_set1_epi32(word);
}

INLINE void chunk_scores(const int16_t *k, int head_dim, const int16_t *query, float *score, const int n)
{
    __m512i high[4], low[4];
    for (int q = 0; q < n; q++)
        high[q] = low[q] = _mm512_setzero_si512();
    for (int d = 0; d < head_dim; d += 2, k += 32) {
        __m512i keys = _mm512_loadu_si512(k);
        for (int q = 0; q < n; q++) {
            const int16_t *terms = query + (size_t)q * 2 * (size_t)head_dim + d;
            high[q] = _mm512_dpwssd_epi32(high[q], keys, broadcast_pair(terms));
            low[q] = _mm512_dpwssd_epi32(low[q], keys, broadcast_pair(terms + head_dim));
        }
    }
    for (int q = 0; q < n; q++)
        _mm512_storeu_ps(score + (size_t)q * KV_PAGE, _mm512_fmadd_ps(_mm512_cvtepi32_ps(high[q]), _mm512_set1_ps(256.0f),
                                                                      _mm512_cvtepi32_ps(low[q])));
}

static void scores(const KvBlock *kv, int head_dim, int n_chunks, const int16_t *query, int n_queries, float *score)
{
    for (int chunk = 0; chunk < n_chunks; chunk++) {
        const int16_t *k = kv->k + (size_t)chunk * 16 * (size_t)head_dim;
        int q = 0;
        for (; q + 4 <= n_queries; q += 4)
            chunk_scores(k, head_dim, query + (size_t)q * 2 * (size_t)head_dim, score + (size_t)q * KV_PAGE + chunk * 16, 4);
        for (; q < n_queries; q++)
            chunk_scores(k, head_dim, query + (size_t)q * 2 * (size_t)head_dim, score + (size_t)q * KV_PAGE + chunk * 16, 1);
    }
}

/* n vectors of values for `queries` queries. */
INLINE void value_vectors(const int16_t *v, size_t stride, int begin, int end, const float *score, float *value,
                          const int n, const int queries)
{
    __m512 sum[4][4];
    for (int q = 0; q < queries; q++)
        for (int j = 0; j < n; j++)
            sum[q][j] = _mm512_setzero_ps();
    for (int i = begin; i < end; i++) {
        const int16_t *row = v + (size_t)i * stride;
        for (int j = 0; j < n; j++) {
            __m256i half = _mm256_loadu_si256((const __m256i *)(const void *)(row + 16 * j));
            __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(half));
            for (int q = 0; q < queries; q++)
                sum[q][j] = _mm512_fmadd_ps(_mm512_set1_ps(score[(size_t)q * KV_PAGE + (size_t)i]), values, sum[q][j]);
        }
    }
    for (int q = 0; q < queries; q++)
        for (int j = 0; j < n; j++)
            _mm512_storeu_ps(value + (size_t)q * stride + 16 * j, sum[q][j]);
}

static void values(const KvBlock *kv, int value_stride, int begin, int end, const float *score, int n_queries,
                   float *value)
{
    size_t stride = (size_t)value_stride;
    int q = 0;
    for (; q + 4 <= n_queries; q += 4, score += 4 * KV_PAGE, value += 4 * stride) {
        size_t d = 0;
        for (; d + 64 <= stride; d += 64)
            value_vectors(kv->v + d, stride, begin, end, score, value + d, 4, 4);
        for (; d < stride; d += 16)
            value_vectors(kv->v + d, stride, begin, end, score, value + d, 1, 4);
    }
    for (; q < n_queries; q++, score += KV_PAGE, value += stride) {
        size_t d = 0;
        for (; d + 64 <= stride; d += 64)
            value_vectors(kv->v + d, stride, begin, end, score, value + d, 4, 1);
        for (; d < stride; d += 16)
            value_vectors(kv->v + d, stride, begin, end, score, value + d, 1, 1);
    }
}

const Isa isa_avx512 = {
    .name = "avx512",
    .q8_order = ORDER_PLAIN,
    .q4 = q4,
    .q8 = q8,
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
};
