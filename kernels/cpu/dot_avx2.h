/* The kernels for AVX2 with FMA and F16C: a tile's sixteen rows are two vectors, and so are sixteen
 * lanes.  Compiled twice: dot_avx2.c and, with AVX-VNNI, dot_avxvnni.c include this after defining
 * ISA_TABLE and ISA_NAME, the table that it fills.
 *
 * 4-bit codes are at most 15 and terms at most 128 in magnitude, so up to eight results of maddubs
 * fit a 16-bit sum. 8-bit codes would overflow there; they are multiplied as 16-bit words with
 * whole activations (ORDER_WORDS).  AVX-VNNI multiplies and adds into 32 bits at once. */
#include <immintrin.h>

#include "kernels/cpu/pointwise.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    TOKENS = 2, /* dense: of a batch at once */
    DENSE_ROWS = 2,
    SINGLE_ROWS = 4, /* with a single token */
    DENSE_SUMS = 4,  /* of a step at most */
    PREFETCH = 6144  /* bytes ahead of a single token's codes */
};

/* ---- tiles ---- */

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

INLINE __m256i broadcast_word(const void *from)
{
    int32_t word;
    memcpy(&word, from, sizeof word);
    return _mm256_set1_epi32(word);
}

/* Half a tile, eight rows, on its way through a batch. */
typedef struct {
    const Product *p;
    int tile, half, n; /* n: tokens */
    __m256 total[BATCH_MAX];
} TileRun;

typedef struct {
    __m256 scale, min;
    __m256i zero;
} Group;

/* What the loops are compiled for. */
typedef struct {
    MatrixKind kind;
    MatrixOffset offset;
    int n_codes; /* a word of terms each: a block of 4 bits, half a block of 8 */
} RunKind;

INLINE Group load_group(const TileRun *run, int block, const int half)
{
    const Matrix *m = run->p->matrix;
    Group group = { .zero = _mm256_setzero_si256(), .min = _mm256_setzero_ps() };
    int index = m->block_group ? m->block_group[block] : block;
    size_t at = ((size_t)run->tile * (size_t)m->n_groups + (size_t)index) * TILE_ROWS;
    group.scale =
        load_values(m->scales + at * (m->scale_type == DTYPE_F32 ? 4 : 2), m->scale_type, half);
    if (m->offset == OFFSET_ZEROS) {
        __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(m->zeros + at + 8 * half));
        group.zero = _mm256_cvtepu8_epi32(bytes);
    }
    if (m->offset == OFFSET_MINS)
        group.min = load_values(m->mins + at * 2, DTYPE_F16, half);
    return group;
}

/* 4 bits: low and high nibbles of each word; 8 bits: even and odd bytes as 16-bit words. */
INLINE void load_codes(const uint8_t *from, MatrixKind kind, const int n_codes, __m256i codes[8])
{
    const __m256i mask = kind == MATRIX_Q4 ? _mm256_set1_epi8(15) : _mm256_set1_epi16(255);
    for (int j = 0; j < n_codes; j += 2) {
        __m256i word = load_bytes(from + j * 32);
        codes[j] = _mm256_and_si256(word, mask);
        codes[j + 1] = kind == MATRIX_Q4 ? _mm256_and_si256(_mm256_srli_epi16(word, 4), mask)
                                         : _mm256_srli_epi16(word, 8);
    }
}

/* sum + codes * terms, four bytes at a time: sums of 32 bits, or pairs of 16 bits for wide_sum. */
INLINE __m256i add_nibbles(__m256i sum, __m256i codes, __m256i terms)
{
#ifdef __AVXVNNI__
    return _mm256_dpbusd_avx_epi32(sum, codes, terms);
#else
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes, terms));
#endif
}

INLINE __m256i wide_sum(__m256i sum)
{
#ifdef __AVXVNNI__
    return sum;
#else
    return _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
#endif
}

/* sum + words * terms, in 32 bits. */
INLINE __m256i add_words(__m256i sum, __m256i words, __m256i terms)
{
#ifdef __AVXVNNI__
    return _mm256_dpwssd_avx_epi32(sum, words, terms);
#else
    return _mm256_add_epi32(sum, _mm256_madd_epi16(words, terms));
#endif
}

INLINE __m256i nibble_sum(const __m256i codes[8], const int8_t *high_terms, const int8_t *low_terms,
                          const int n_codes)
{
    __m256i high = _mm256_setzero_si256(), low = high;
#pragma GCC unroll 8
    for (int j = 0; j < n_codes; j++) {
        high = add_nibbles(high, codes[j], broadcast_word(high_terms + 4 * j));
        low = add_nibbles(low, codes[j], broadcast_word(low_terms + 4 * j));
    }
    return _mm256_add_epi32(_mm256_slli_epi32(wide_sum(high), 8), wide_sum(low));
}

INLINE __m256i word_sum(const __m256i codes[8], const int8_t *terms, const int n_codes)
{
    __m256i sum = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int j = 0; j < n_codes; j++)
        sum = add_words(sum, codes[j], broadcast_word(terms + 4 * j));
    return sum;
}

/* Minus the zero point times the sum of the activations. */
INLINE __m256i offset_sum(__m256i less_sum, const Group *group, const RunKind kind)
{
    if (kind.offset == OFFSET_CONSTANT)
        return _mm256_slli_epi32(less_sum, kind.kind == MATRIX_Q4 ? 3 : 7);
    if (kind.offset == OFFSET_ZEROS)
        return _mm256_mullo_epi32(group->zero, less_sum);
    return _mm256_setzero_si256();
}

INLINE __m256 end_block(const Activations *x, const Group *group, size_t at, __m256i sum,
                        __m256 total, const RunKind kind)
{
    __m256 scale = _mm256_mul_ps(group->scale, _mm256_set1_ps(x->scale[at]));
    sum = _mm256_add_epi32(sum, offset_sum(_mm256_set1_epi32(x->less_sum[at]), group, kind));
    total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, total);
    if (kind.offset == OFFSET_MINS)
        total = _mm256_fmadd_ps(group->min, _mm256_set1_ps(x->scaled_sum[at]), total);
    return total;
}

/* A block for every token; 4-bit codes stay in registers while the tokens pass. */
INLINE void run_block(TileRun *run, const uint8_t *from, int block, const RunKind kind)
{
    const Activations *x = run->p->quant;
    Group group = load_group(run, block, run->half);
    size_t at = (size_t)block * (size_t)x->n_tokens, size = (size_t)x->form.block;
    __m256i codes[8], rest[8];
    load_codes(from, kind.kind, kind.n_codes, codes);
    if (kind.kind == MATRIX_Q8)
        load_codes(from + kind.n_codes * 32, kind.kind, kind.n_codes, rest);
    for (int t = 0; t < run->n; t++) {
        const int8_t *terms = x->terms + (at + (size_t)t) * 2 * size;
        __m256i sum;
        if (kind.kind == MATRIX_Q4)
            sum = nibble_sum(codes, terms, terms + size, kind.n_codes);
        else
            sum = _mm256_add_epi32(word_sum(codes, terms, kind.n_codes),
                                   word_sum(rest, terms + size, kind.n_codes));
        run->total[t] = end_block(x, &group, at + (size_t)t, sum, run->total[t], kind);
    }
}

INLINE void run_matrix(TileRun *run, const RunKind kind)
{
    const Product *p = run->p;
    const Matrix *m = p->matrix;
    size_t block_bytes = (size_t)m->form.block * (kind.kind == MATRIX_Q4 ? 8 : 16);
    for (run->half = 0; run->half < 2; run->half++) {
        const uint8_t *from =
            m->codes + (size_t)run->tile * (size_t)m->form.n_blocks * block_bytes + 32 * run->half;
        for (int t = 0; t < run->n; t++)
            run->total[t] = _mm256_setzero_ps();
        for (int block = 0; block < m->form.n_blocks; block++, from += block_bytes)
            run_block(run, from, block, kind);
        for (int t = 0; t < run->n; t++)
            _mm256_storeu_ps(p->out + (size_t)t * p->out_stride + (size_t)run->tile * TILE_ROWS +
                                 8 * run->half,
                             run->total[t]);
    }
}

/* A block of 4 bits for one token, both halves of the tile at once: the codes are one stream. */
INLINE void nibble_sums(const uint8_t *from, const int8_t *high_terms, const int8_t *low_terms,
                        const int n_codes, __m256i sum[2])
{
    const __m256i mask = _mm256_set1_epi8(15);
    __m256i high[2], low[2];
    high[0] = high[1] = low[0] = low[1] = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int j = 0; j < n_codes; j++) {
        __m256i high_term = broadcast_word(high_terms + 4 * j),
                low_term = broadcast_word(low_terms + 4 * j);
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            __m256i word = load_bytes(from + j / 2 * 64 + 32 * half);
            __m256i codes = _mm256_and_si256(j % 2 ? _mm256_srli_epi16(word, 4) : word, mask);
            high[half] = add_nibbles(high[half], codes, high_term);
            low[half] = add_nibbles(low[half], codes, low_term);
        }
    }
    for (int half = 0; half < 2; half++)
        sum[half] =
            _mm256_add_epi32(_mm256_slli_epi32(wide_sum(high[half]), 8), wide_sum(low[half]));
}

/* The same of 8 bits: even and odd bytes as words. */
INLINE void word_sums(const uint8_t *from, const int8_t *terms, __m256i sum[2])
{
    const __m256i mask = _mm256_set1_epi16(255);
    sum[0] = sum[1] = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        __m256i even_term = broadcast_word(terms + 8 * j),
                odd_term = broadcast_word(terms + 8 * j + 4);
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            __m256i word = load_bytes(from + j * 64 + 32 * half);
            __m256i even = _mm256_and_si256(word, mask), odd = _mm256_srli_epi16(word, 8);
            sum[half] = add_words(sum[half], even, even_term);
            sum[half] = add_words(sum[half], odd, odd_term);
        }
    }
}

/* A single token: memory is asked for ahead of its use, across the end of a tile too. */
INLINE void run_single(TileRun *run, const RunKind kind)
{
    const Product *p = run->p;
    const Matrix *m = p->matrix;
    const Activations *x = p->quant;
    size_t size = (size_t)m->form.block, block_bytes = size * (kind.kind == MATRIX_Q4 ? 8 : 16);
    const uint8_t *from = m->codes + (size_t)run->tile * (size_t)m->form.n_blocks * block_bytes;
    __m256 total[2] = { _mm256_setzero_ps(), _mm256_setzero_ps() };
    for (int block = 0; block < m->form.n_blocks; block++, from += block_bytes) {
        size_t at = (size_t)block;
        const int8_t *terms = x->terms + at * 2 * size;
        __m256i sum[2];
        for (size_t line = 0; line < block_bytes; line += 64)
            _mm_prefetch((const char *)from + PREFETCH + line, _MM_HINT_T0);
        if (kind.kind == MATRIX_Q4)
            nibble_sums(from, terms, terms + size, kind.n_codes, sum);
        else
            word_sums(from, terms, sum);
        for (int half = 0; half < 2; half++) {
            Group group = load_group(run, block, half);
            total[half] = end_block(x, &group, at, sum[half], total[half], kind);
        }
    }
    float *out = p->out + (size_t)run->tile * TILE_ROWS;
    _mm256_storeu_ps(out, total[0]);
    _mm256_storeu_ps(out + 8, total[1]);
}

INLINE void run_kind(TileRun *run, const RunKind kind)
{
    if (run->n == 1)
        run_single(run, kind);
    else
        run_matrix(run, kind);
}

/* The same for each kind of offset, so that the loops hold no question that has one answer. */
INLINE void run_offset(TileRun *run, RunKind kind)
{
    switch (run->p->matrix->offset) {
    case OFFSET_CONSTANT:
        kind.offset = OFFSET_CONSTANT;
        run_kind(run, kind);
        break;
    case OFFSET_ZEROS:
        kind.offset = OFFSET_ZEROS;
        run_kind(run, kind);
        break;
    default:
        kind.offset = OFFSET_MINS;
        run_kind(run, kind);
    }
}

static void q4(const Product *p, int tile, int tile_end, int n)
{
    TileRun run; /* large: nothing more is cleared than is used */
    run.p = p;
    run.n = n;
    for (run.tile = tile; run.tile < tile_end; run.tile++) {
        if (p->matrix->form.block == 32)
            run_offset(&run, (RunKind){ .kind = MATRIX_Q4, .n_codes = 8 });
        else if (p->matrix->form.block == 16)
            run_offset(&run, (RunKind){ .kind = MATRIX_Q4, .n_codes = 4 });
        else
            run_offset(&run, (RunKind){ .kind = MATRIX_Q4, .n_codes = 2 });
    }
}

static void q8(const Product *p, int tile, int tile_end, int n)
{
    TileRun run;
    run.p = p;
    run.n = n;
    for (run.tile = tile; run.tile < tile_end; run.tile++)
        run_kind(&run, (RunKind){ .kind = MATRIX_Q8, .offset = OFFSET_CONSTANT, .n_codes = 8 });
}

/* ---- dense ---- */

typedef struct {
    __m256 half[2];
} Lanes;

INLINE Lanes lanes_zero(void)
{
    return (Lanes){ { _mm256_setzero_ps(), _mm256_setzero_ps() } };
}

INLINE Lanes load_dense(const uint8_t *src, MatrixKind kind)
{
    DType type = kind == MATRIX_F32 ? DTYPE_F32 : kind == MATRIX_F16 ? DTYPE_F16 : DTYPE_BF16;
    return (Lanes){ { load_values(src, type, 0), load_values(src, type, 1) } };
}

/* The last n_left weights of a row, then zeros. */
INLINE Lanes load_dense_end(const uint8_t *src, MatrixKind kind, int n_left)
{
    uint8_t buffer[64] = { 0 };
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

/* Sixteen columns for `rows` rows and n tokens; n_left: of the columns, the others are zero. */
INLINE void dense_step(const uint8_t *src, size_t row_bytes, const float *x, size_t x_stride,
                       int n_left, MatrixKind kind, const int rows, const int n,
                       Lanes sum[DENSE_SUMS])
{
    for (int r = 0; r < rows; r++) {
        const uint8_t *at = src + (size_t)r * row_bytes;
        Lanes weight = n_left < 16 ? load_dense_end(at, kind, n_left) : load_dense(at, kind);
        for (int i = 0; i < n; i++)
            for (int half = 0; half < 2; half++) {
                __m256 input = _mm256_loadu_ps(x + (size_t)i * x_stride + 8 * half);
                sum[r * n + i].half[half] =
                    _mm256_fmadd_ps(weight.half[half], input, sum[r * n + i].half[half]);
            }
    }
}

#include "kernels/cpu/dot_dense.h"

/* ---- attention ---- */

INLINE __m256i broadcast_pair(const int16_t *from)
{
    int32_t word;
    memcpy(&word, from, sizeof word);
    return _mm256_set1_epi32(word);
}

/* Half a chunk: eight positions. */
INLINE void half_scores(const int16_t *k, int head_dim, const int16_t *query, float *score,
                        const int n)
{
    __m256i high[2], low[2];
    for (int q = 0; q < n; q++)
        high[q] = low[q] = _mm256_setzero_si256();
    for (int d = 0; d < head_dim; d += 2, k += 32) {
        __m256i keys = load_bytes(k);
        for (int q = 0; q < n; q++) {
            const int16_t *terms = query + (size_t)q * 2 * (size_t)head_dim + d;
            high[q] = add_words(high[q], keys, broadcast_pair(terms));
            low[q] = add_words(low[q], keys, broadcast_pair(terms + head_dim));
        }
    }
    for (int q = 0; q < n; q++)
        _mm256_storeu_ps(score + (size_t)q * KV_PAGE,
                         _mm256_fmadd_ps(_mm256_cvtepi32_ps(high[q]), _mm256_set1_ps(256.0f),
                                         _mm256_cvtepi32_ps(low[q])));
}

static void scores(const KvBlock *kv, int head_dim, int n_chunks, const int16_t *query,
                   int n_queries, float *score)
{
    for (int i = 0; i < 2 * n_chunks; i++) {
        const int16_t *k = kv->k + (size_t)(i / 2) * 16 * (size_t)head_dim + i % 2 * 16;
        int q = 0;
        for (; q + 2 <= n_queries; q += 2)
            half_scores(k, head_dim, query + (size_t)q * 2 * (size_t)head_dim,
                        score + (size_t)q * KV_PAGE + i * 8, 2);
        for (; q < n_queries; q++)
            half_scores(k, head_dim, query + (size_t)q * 2 * (size_t)head_dim,
                        score + (size_t)q * KV_PAGE + i * 8, 1);
    }
}

/* n vectors of eight values for `queries` queries. */
INLINE void value_vectors(const int16_t *v, size_t stride, int begin, int end, const float *score,
                          float *value, const int n, const int queries)
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
                sum[q][j] = _mm256_fmadd_ps(_mm256_set1_ps(score[(size_t)q * KV_PAGE + (size_t)i]),
                                            values, sum[q][j]);
        }
    }
    for (int q = 0; q < queries; q++)
        for (int j = 0; j < n; j++)
            _mm256_storeu_ps(value + (size_t)q * stride + 8 * j, sum[q][j]);
}

static void values(const KvBlock *kv, int value_stride, int begin, int end, const float *score,
                   int n_queries, float *value)
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

const Isa ISA_TABLE = {
    .name = ISA_NAME,
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
    .product_rows = PRODUCT_ROWS_AVX2,
    .product_cols = PRODUCT_COLS_AVX2,
    .product = product_avx2,
    .subtract = subtract_avx2,
};
