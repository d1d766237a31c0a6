/* What the files of the CPU backend share: matrices as they lie in memory, activations, the KV
 * cache, and the table of kernels that each instruction set fills.  numerics.md at the top of the
 * tree states every rounding and every order.
 *
 * Tiles.  4-bit and 8-bit matrices are repacked at load (layout.c) into tiles of 16 rows; lane r of
 * a vector of sixteen 32-bit words belongs to row r of the tile.  Along k the tile is a list of
 * blocks (32 values, fewer only where groups ask for it; never across a group), and a block is a
 * list of units: a word a row, holding 8 nibbles or 4 bytes.  Which k a nibble belongs to is the
 * matrix's ActOrder; activations are written in that order, so the integer sums need no shuffles.
 * fp16, bf16 and fp32 matrices are used as they lie in the file, row by row. */
#ifndef KERNELS_CPU_CPU_H
#define KERNELS_CPU_CPU_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/pool.h"
#include "kernels/kernels.h"

enum {
    TILE_ROWS = 16,
    BLOCK_MAX = 32,
    KV_PAGE = 256,     /* positions a page of the cache */
    BATCH_MAX = 128,   /* tokens evaluated together */
    QUANT_MAX = 32512, /* 127 * 256: the largest quantised activation */
    ALIGNMENT = 64
};

static inline size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* ---- matrices ---- */

typedef enum { MATRIX_F32, MATRIX_F16, MATRIX_BF16, MATRIX_Q4, MATRIX_Q8 } MatrixKind;

/* What is taken from an unsigned weight before it is scaled. */
typedef enum {
    OFFSET_CONSTANT, /* 8 (4 bits) or 128 (8 bits) */
    OFFSET_ZEROS,    /* an integer a row and group */
    OFFSET_MINS      /* nothing; a float a row and group is added after scaling (Q4_1) */
} MatrixOffset;

/* In which order the k of a block are written for the kernels. */
typedef enum {
    ORDER_EVEN_ODD, /* of 8: 0 2 4 6 1 3 5 7 (a GPTQ word: low nibbles of its bytes, then high ones)
                     */
    ORDER_HALVES,   /* of 32: 0-3 16-19 4-7 20-23 ... (a GGUF block: low nibbles, then high ones) */
    ORDER_PLAIN,    /* as they are */
    ORDER_WORDS /* of 4: 0 2 1 3, and as 16-bit words instead of two bytes (8-bit weights on AVX2)
                 */
} ActOrder;

/* The form in which a matrix wants its activations. */
typedef struct {
    ActOrder order;
    int n_in, block, n_blocks;
    const int32_t *perm; /* [n_blocks * block] input of each place, -1: none; NULL: the inputs in
                            order, then none */
} ActForm;

typedef struct {
    const char *name;
    MatrixKind kind;
    MatrixOffset offset;
    DType scale_type; /* F16, BF16, F32 */
    int n_out, n_in, n_tiles, n_groups;
    ActForm form;
    const int32_t *block_group; /* [n_blocks]; NULL: block i belongs to group i */
    const uint8_t *codes;       /* [n_tiles][n_blocks][units][16] words */
    const uint8_t *scales;      /* [n_tiles][n_groups][16] of scale_type */
    const uint8_t *zeros;       /* OFFSET_ZEROS: [n_tiles][n_groups][16] bytes */
    const uint8_t *mins;        /* OFFSET_MINS: [n_tiles][n_groups][16] fp16 */
    const uint8_t *dense;       /* dense kinds: [n_out][n_in], borrowed, maybe unaligned */
    float *bias;                /* [n_tiles * 16], owned; NULL when absent or zero */
    int32_t *perm_owned, *block_group_owned;
} Matrix;

static inline bool matrix_is_dense(const Matrix *matrix)
{
    return matrix->kind < MATRIX_Q4;
}

/* ---- activations ---- */

/* Quantised activations of a batch in one form: x = scale * (256 * high + low), a scale for each
 * block.  Block by block and then token by token, because the kernels hold a block of weights and
 * walk along the tokens. */
typedef struct {
    ActForm form;
    int n_tokens;
    int8_t *terms; /* [n_blocks][n_tokens][2][block]: high terms, low terms; ORDER_WORDS: [block]
                      int16 */
    float *scale;  /* [n_blocks][n_tokens] */
    int32_t *less_sum; /* [n_blocks][n_tokens]: minus the sum of 256 * high + low */
    float *scaled_sum; /* [n_blocks][n_tokens]: that sum times scale */
} Activations;

/* What one matrix is multiplied with and where its rows go. */
typedef struct {
    const Matrix *matrix;
    const Activations *quant; /* tiles */
    const float
        *dense; /* dense kinds: [tokens][dense_stride], zero from n_in to the next multiple of 16 */
    size_t dense_stride;
    float *out; /* [tokens][out_stride]; whole tiles are written */
    size_t out_stride;
} Product;

/* ---- attention ---- */

/* One layer and KV head of one page.  Values are 16-bit integers, a scale for each position. */
typedef struct {
    int16_t *k;     /* [KV_PAGE / 16][head_dim / 2][16 positions][2] */
    int16_t *v;     /* [KV_PAGE][value_stride] */
    float *k_scale; /* [KV_PAGE] */
    float *v_scale; /* [KV_PAGE] */
} KvBlock;

/* What one head of one token gathered so far: largest score, sum of weights, weighted sum of
 * values. */
typedef struct {
    float max, sum;
    float *value; /* [value_stride] */
} AttnState;

/* A page of scores on its way to weights. */
typedef struct {
    float *score;      /* [KV_PAGE] in: integer products; out: weights times v_scale */
    int begin, end;    /* visible positions of the page */
    float query_scale; /* of the quantised query, times 1 / sqrt(head_dim) */
    float max, sum;    /* out */
} AttnPage;

/* ---- kernels of an instruction set ---- */

typedef struct {
    const float *x, *weight;
    int n;
    float eps;
} NormInput;

typedef struct {
    const char *name;
    ActOrder q8_order;
    /* Rows [16 * tile, 16 * tile_end) of a product for n tokens, n <= BATCH_MAX. */
    void (*q4)(const Product *p, int tile, int tile_end, int n);
    void (*q8)(const Product *p, int tile, int tile_end, int n);
    void (*dense)(const Product *p, int tile, int tile_end, int n);
    /* Quantises one token; returns the largest magnitude's bits (above 0x7f7fffff: not finite). */
    uint32_t (*quantise)(const float *x, const Activations *to, int token);
    /* n values to integers of at most QUANT_MAX and one scale; the same return value. */
    uint32_t (*quantise_head)(const float *x, int n, int16_t *to, float *scale);
    /* Writes x / rms(x) * weight; returns the sum of squares. */
    float (*norm)(const NormInput *in, float *out);
    void (*add)(float *x, const float *y, int n);
    void (*silu_mul)(float *gate, const float *up, int n); /* gate = silu(gate) * up */
    /* Products of n_queries queries with the first n_chunks * 16 keys of a block.  query:
     * [n_queries][2][head_dim] high and low terms as 16-bit integers; score: [n_queries][KV_PAGE].
     */
    void (*scores)(const KvBlock *kv, int head_dim, int n_chunks, const int16_t *query,
                   int n_queries, float *score);
    void (*weights)(const KvBlock *kv, AttnPage *page);
    /* value[query] = sum over [begin, end) of score[query][position] * v[position]. */
    void (*values)(const KvBlock *kv, int value_stride, int begin, int end, const float *score,
                   int n_queries, float *value);
    void (*merge)(AttnState *into, const AttnState *page, int n);
    /* float32 products (dense.c): c [rows][cols] = sum over k of a [k][rows] times b [k][cols],
     * packed. */
    int product_rows, product_cols;
    void (*product)(const float *a, const float *b, int k, float *c);
    void (*subtract)(float *y, const float *x, float factor, int n); /* y -= factor * x */
} Isa;

extern const Isa isa_generic;
extern const Isa isa_avx2;
extern const Isa isa_avxvnni;
extern const Isa isa_avx512;

/* dense_NAME.c */
enum {
    PRODUCT_ROWS_GENERIC = 4,
    PRODUCT_COLS_GENERIC = 8,
    PRODUCT_ROWS_AVX2 = 6,
    PRODUCT_COLS_AVX2 = 16,
    PRODUCT_ROWS_AVX512 = 12,
    PRODUCT_COLS_AVX512 = 32
};
void product_generic(const float *a, const float *b, int k, float *c);
void product_avx2(const float *a, const float *b, int k, float *c);
void product_avx512(const float *a, const float *b, int k, float *c);
void subtract_generic(float *y, const float *x, float factor, int n);
void subtract_avx2(float *y, const float *x, float factor, int n);
void subtract_avx512(float *y, const float *x, float factor, int n);

/* backend.c: the set of that name, or with NULL or "auto" the best that the processor has; NULL and
 * a reason in *why when there is none.  wanted threads 0: one a physical core. */
const Isa *cpu_choose_isa(const char *wanted, const char **why);
int cpu_count_threads(int wanted);

#endif
