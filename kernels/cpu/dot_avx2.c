/* The kernels for AVX2 with FMA and F16C: a tile's sixteen rows are two vectors, and so are sixteen lanes.
 *
 * 4-bit codes are at most 15 and terms at most 128 in magnitude, so up to eight results of maddubs fit a 16-bit sum.
 * 8-bit codes would overflow there; they are multiplied as 16-bit words with whole activations (ORDER_WORDS). */
#include "config.h"

#include <immintrin.h>

#include "kernels/cpu/pointwise.h"

#define INLINE static inline __attribute__((always_inline))

enum { TOKENS = 2, DENSE_ROWS = 2 };

/* ---- tiles -------------------------------------------------------------------------------------------------------- */

INLINE __m256i load_bytes(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

/* Eight values of a scale or min vector; half: 0 or 1. */
INLINE __m256 load_values(const uint8_t *vector, DType type, int half)
{
    if (type == DTYPE_F32)
        return _mm256_loadu_ps((const float *)(const void *)(vector + 32 * half));
    __m128i bits = _mm_loadu_si128((const __m128i *)(const void *)(vector + 16 * half));
    if (type == DTYPE_F16)
        return _mm256_cvtph_ps(bits);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

INLINE __m256i broadcast_word(const int8_t *from)
{
    int32_t word;
    memcpy(&word, from, sizeof word);
    return _mm256_set1_epi32(word);
}

typedef struct {
    const Matrix *m;
    const uint8_t *codes;
    const int8_t *terms; /* of the first token */
    size_t stride;
    int tile, token;
} Tile;

INLINE void end_block(const Tile *t, const Activations *x, int block, int i, __m256i sum[2], __m256 total[2])
{
    const Matrix *m = t->m;
    int group = m->block_group ? m->block_group[block] : block;
    size_t at = ((size_t)t->tile * (size_t)m->n_groups + (size_t)group) * TILE_ROWS;
    size_t x_at = (size_t)(t->token + i) * (size_t)m->form.n_blocks + (size_t)block;
    int32_t x_sum = x->sum[x_at];
    __m256 x_scale = _mm256_set1_ps(x->scale[x_at]);
    for (int half = 0; half < 2; half++) {
        __m256 scale = load_values(m->scales + at * (m->scale_type == DTYPE_F32 ? 4 : 2), m->scale_type, half);
        if (m->offset == OFFSET_CONSTANT)
            sum[half] = _mm256_sub_epi32(sum[half], _mm256_set1_epi32(x_sum * (m->kind == MATRIX_Q4 ? 8 : 128)));
        if (m->offset == OFFSET_ZEROS) {
            __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(m->zeros + at + 8 * half));
            __m256i product = _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), _mm256_set1_epi32(x_sum));
            sum[half] = _mm256_sub_epi32(sum[half], product);
        }
        total[half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[half]), _mm256_mul_ps(scale, x_scale), total[half]);
        if (m->offset == OFFSET_MINS) {
            __m256 min = load_values(m->mins + at * 2, DTYPE_F16, half);
            total[half] = _mm256_fmadd_ps(min, _mm256_set1_ps((float)x_sum * x->scale[x_at]), total[half]);
        }
    }
}

/* Adds up to four units (eight products a 16-bit lane) of one half tile to sums of 32 bits. */
INLINE void q4_units(const Tile *t, const uint8_t *codes, const int8_t *terms, int units, __m256i *high, __m256i *low,
                     const int n)
{
    const __m256i mask = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    __m256i high16[TOKENS], low16[TOKENS];
    for (int i = 0; i < n; i++)
        high16[i] = low16[i] = _mm256_setzero_si256();
    for (int u = 0; u < units; u++) {
        __m256i word = load_bytes(codes + u * 64);
        __m256i first = _mm256_and_si256(word, mask), second = _mm256_and_si256(_mm256_srli_epi16(word, 4), mask);
        for (int i = 0; i < n; i++) {
            const int8_t *h = terms + (size_t)i * 2 * t->stride + u * 8, *l = h + t->stride;
            high16[i] = _mm256_add_epi16(high16[i], _mm256_maddubs_epi16(first, broadcast_word(h)));
            low16[i] = _mm256_add_epi16(low16[i], _mm256_maddubs_epi16(first, broadcast_word(l)));
            high16[i] = _mm256_add_epi16(high16[i], _mm256_maddubs_epi16(second, broadcast_word(h + 4)));
            low16[i] = _mm256_add_epi16(low16[i], _mm256_maddubs_epi16(second, broadcast_word(l + 4)));
        }
    }
    for (int i = 0; i < n; i++) {
        high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(high16[i], ones));
        low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(low16[i], ones));
    }
}

INLINE void q4_tile(const Tile *t, const Product *p, const int n)
{
    const uint8_t *codes = t->codes;
    const int8_t *terms = t->terms;
    int units = t->m->form.block / 8;
    __m256 total[TOKENS][2];
    for (int i = 0; i < n; i++)
        total[i][0] = total[i][1] = _mm256_setzero_ps();
    for (int block = 0; block < t->m->form.n_blocks; block++) {
        __m256i sum[TOKENS][2];
        for (int half = 0; half < 2; half++) {
            __m256i high[TOKENS], low[TOKENS];
            for (int i = 0; i < n; i++)
                high[i] = low[i] = _mm256_setzero_si256();
            for (int u = 0; u < units; u += 4)
                q4_units(t, codes + u * 64 + 32 * half, terms + u * 8, units - u < 4 ? units - u : 4, high, low, n);
            for (int i = 0; i < n; i++)
                sum[i][half] = _mm256_add_epi32(_mm256_slli_epi32(high[i], 8), low[i]);
        }
        for (int i = 0; i < n; i++)
            end_block(t, p->quant, block, i, sum[i], total[i]);
        codes += units * 64;
        terms += units * 8;
    }
    for (int i = 0; i < n; i++)
        for (int half = 0; half < 2; half++)
            _mm256_storeu_ps(p->out + (size_t)(t->token + i) * p->out_stride + (size_t)t->tile * TILE_ROWS + 8 * half,
                             total[i][half]);
}

INLINE void q8_tile(const Tile *t, const Product *p, const int n)
{
    const uint8_t *codes = t->codes;
    const int8_t *terms = t->terms;
    const __m256i mask = _mm256_set1_epi16(255);
    int units = t->m->form.block / 4;
    __m256 total[TOKENS][2];
    for (int i = 0; i < n; i++)
        total[i][0] = total[i][1] = _mm256_setzero_ps();
    for (int block = 0; block < t->m->form.n_blocks; block++) {
        __m256i sum[TOKENS][2];
        for (int i = 0; i < n; i++)
            sum[i][0] = sum[i][1] = _mm256_setzero_si256();
        for (int u = 0; u < units; u++, codes += 64, terms += 8)
            for (int half = 0; half < 2; half++) {
                __m256i word = load_bytes(codes + 32 * half);
                __m256i even = _mm256_and_si256(word, mask), odd = _mm256_srli_epi16(word, 8);
                for (int i = 0; i < n; i++) {
                    const int8_t *x = terms + (size_t)i * 2 * t->stride;
                    __m256i product = _mm256_add_epi32(_mm256_madd_epi16(even, broadcast_word(x)),
                                                       _mm256_madd_epi16(odd, broadcast_word(x + 4)));
                    sum[i][half] = _mm256_add_epi32(sum[i][half], product);
                }
            }
        for (int i = 0; i < n; i++)
            end_block(t, p->quant, block, i, sum[i], total[i]);
    }
    for (int i = 0; i < n; i++)
        for (int half = 0; half < 2; half++)
            _mm256_storeu_ps(p->out + (size_t)(t->token + i) * p->out_stride + (size_t)t->tile * TILE_ROWS + 8 * half,
                             total[i][half]);
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

typedef struct {
    __m256 half[2];
} Lanes;

INLINE Lanes load_dense(const uint8_t *src, MatrixKind kind)
{
    DType type = kind == MATRIX_F32 ? DTYPE_F32 : kind == MATRIX_F16 ? DTYPE_F16 : DTYPE_BF16;
    return (Lanes){{load_values(src, type, 0), load_values(src, type, 1)}};
}

/* The last n_left weights of a row, then zeros. */
INLINE Lanes load_dense_end(const uint8_t *src, MatrixKind kind, int n_left)
{
    uint8_t buffer[64] = {0};
    memcpy(buffer, src, (size_t)n_left * (kind == MATRIX_F32 ? 4 : 2));
    return load_dense(buffer, kind);
}

/* The fold of fold_lanes: 8 apart, 4, 2, 1. */
INLINE float fold(Lanes lanes)
{
    __m256 eight = _mm256_add_ps(lanes.half[0], lanes.half[1]);
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
    Lanes sum[DENSE_ROWS][TOKENS];
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < n; i++)
            sum[r][i].half[0] = sum[r][i].half[1] = _mm256_setzero_ps();
    for (int k = 0; k < m->n_in; k += 16)
        for (int r = 0; r < rows; r++) {
            const uint8_t *at = src + (size_t)r * row_bytes + (size_t)k * size;
            Lanes weight = m->n_in - k < 16 ? load_dense_end(at, kind, m->n_in - k) : load_dense(at, kind);
            for (int i = 0; i < n; i++)
                for (int half = 0; half < 2; half++) {
                    __m256 input = _mm256_loadu_ps(x + (size_t)i * p->dense_stride + k + 8 * half);
                    sum[r][i].half[half] = _mm256_fmadd_ps(weight.half[half], input, sum[r][i].half[half]);
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

INLINE __m256i broadcast_pair(const int16_t *from)
{
    int32_t word;
    memcpy(&word, from, sizeof word);
    return _mm256_set1_epi32(word);
}

/* Half a chunk: eight positions. */
INLINE void half_scores(const int16_t *k, int head_dim, const int16_t *query, float *score, const int n)
{
    __m256i high[2], low[2];
    for (int q = 0; q < n; q++)
        high[q] = low[q] = _mm256_setzero_si256();
    for (int d = 0; d < head_dim; d += 2, k += 32) {
        __m256i keys = load_bytes(k);
        for (int q = 0; q < n; q++) {
            const int16_t *terms = query + (size_t)q * 2 * (size_t)head_dim + d;
            high[q] = _mm256_add_epi32(high[q], _mm256_madd_epi16(keys, broadcast_pair(terms)));
            low[q] = _mm256_add_epi32(low[q], _mm256_madd_epi16(keys, broadcast_pair(terms + head_dim)));
        }
    }
    for (int q = 0; q < n; q++)
        _mm256_storeu_ps(score + (size_t)q * KV_PAGE, _mm256_fmadd_ps(_mm256_cvtepi32_ps(high[q]), _mm256_set1_ps(256.0f),
                                                                      _mm256_cvtepi32_ps(low[q])));
}

static void scores(const KvBlock *kv, int head_dim, int n_chunks, const int16_t *query, int n_queries, float *score)
{
    for (int i = 0; i < 2 * n_chunks; i++) {
        const int16_t *k = kv->k + (size_t)(i / 2) * 16 * (size_t)head_dim + i % 2 * 16;
        int q = 0;
        for (; q + 2 <= n_queries; q += 2)
            half_scores(k, head_dim, query + (size_t)q * 2 * (size_t)head_dim, score + (size_t)q * KV_PAGE + i * 8, 2);
        for (; q < n_queries; q++)
            half_scores(k, head_dim, query + (size_t)q * 2 * (size_t)head_dim, score + (size_t)q * KV_PAGE + i * 8, 1);
    }
}

/* n vectors of eight values for `queries` queries. */
INLINE void value_vectors(const int16_t *v, size_t stride, int begin, int end, const float *score, float *value,
                          const int n, const int queries)
{
    __m256 sum[2][4];
    for (int q = 0; q < queries; q++)
        for (int j = 0; j < n; j++)
            sum[q][j] = _mm256_setzero_ps();
    for (int i = begin; i < end; i++) {
        const int16_t *row = v + (size_t)i * stride;
        for (int j = 0; j < n; j++) {
            __m128i half = _mm_loadu_si128((const __m128i *)(const void *)(row + 8 * j));
            __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(half));
            for (int q = 0; q < queries; q++)
                sum[q][j] = _mm256_fmadd_ps(_mm256_set1_ps(score[(size_t)q * KV_PAGE + (size_t)i]), values, sum[q][j]);
        }
    }
    for (int q = 0; q < queries; q++)
        for (int j = 0; j < n; j++)
            _mm256_storeu_ps(value + (size_t)q * stride + 8 * j, sum[q][j]);
}

static void values(const KvBlock *kv, int value_stride, int begin, int end, const float *score, int n_queries,
                   float *value)
{
    size_t stride = (size_t)value_stride;
    int q = 0;
    for (; q + 2 <= n_queries; q += 2, score += 2 * KV_PAGE, value += 2 * stride) {
        size_t d = 0;
        for (; d + 32 <= stride; d += 32)
            value_vectors(kv->v + d, stride, begin, end, score, value + d, 4, 2);
        for (; d < stride; d += 8)
            value_vectors(kv->v + d, stride, begin, end, score, value + d, 1, 2);
    }
    for (; q < n_queries; q++, score += KV_PAGE, value += stride)
        for (size_t d = 0; d < stride; d += 8)
            value_vectors(kv->v + d, stride, begin, end, score, value + d, 1, 1);
}

const Isa isa_avx2 = {
    .name = "avx2",
    .q8_order = ORDER_WORDS,
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
