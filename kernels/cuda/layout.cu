/* Repacks weights on the GPU: the file's bytes go up as they are, kernels put them into blocks
 * (common.cuh). Act-order, zero points, every group size and GGUF's block types are folded in here;
 * the decoder sees one layout. */
#include "kernels/cuda/layout.cuh"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- 4-bit sources: what is the nibble, scale and zero of (row, sorted column) ---- */

typedef struct {
    const uint8_t *qweight, *qzeros, *scales; /* device; GGUF: qweight holds the blocks */
    int n_out, n_in, group, zero_add;         /* zero_add: GPTQ v1 */
    DType scale_type;
    QuantPacking packing;
    DType block_type;           /* GGUF */
    const int *perm, *group_of; /* [k_blocks * 128] source column or -1; source group */
    const int *rows;            /* [n_out] source row; NULL: as they lie */
} Source;

static __device__ float source_float(const uint8_t *p, size_t i, DType type)
{
    switch (type) {
    case DTYPE_F32: {
        const uint8_t *b = p + 4 * i;
        return __uint_as_float(b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24);
    }
    case DTYPE_BF16: {
        const uint8_t *b = p + 2 * i;
        return __uint_as_float((uint32_t)(b[0] | b[1] << 8) << 16);
    }
    default: {
        const uint8_t *b = p + 2 * i;
        return __half2float(__ushort_as_half((unsigned short)(b[0] | b[1] << 8)));
    }
    }
}

static __device__ uint32_t source_word(const uint8_t *p, size_t i)
{
    return ((const uint32_t *)p)[i]; /* device copies are aligned */
}

static __device__ int awq_shift(int column)
{
    const int order[8] = { 0, 4, 1, 5, 2, 6, 3, 7 };
    return 4 * order[column & 7];
}

static __device__ int source_nibble(const Source &s, int n, int k)
{
    if (s.packing == PACK_GPTQ)
        return source_word(s.qweight, (size_t)(k / 8) * s.n_out + n) >> 4 * (k % 8) & 15;
    if (s.packing == PACK_AWQ)
        return source_word(s.qweight, (size_t)k * (s.n_out / 8) + n / 8) >> awq_shift(n) & 15;
    int bytes = s.block_type == DTYPE_Q4_0 ? 18 : 20, j = k % 32;
    const uint8_t *q = s.qweight + ((size_t)n * (s.n_in / 32) + k / 32) * bytes + bytes - 16;
    return j < 16 ? q[j] & 15 : q[j - 16] >> 4;
}

/* scale, and zero point (4-bit packings) or minimum (Q4_1) of row n in source group g */
static __device__ float source_scale(const Source &s, int n, int g, int *zero, float *minimum)
{
    if (s.packing != PACK_NONE) {
        uint32_t w = source_word(s.qzeros, (size_t)g * (s.n_out / 8) + n / 8);
        int z = w >> (s.packing == PACK_AWQ ? awq_shift(n) : 4 * (n % 8)) & 15;
        *zero = z + s.zero_add & 15;
        return source_float(s.scales, (size_t)g * s.n_out + n, s.scale_type);
    }
    int bytes = s.block_type == DTYPE_Q4_0 ? 18 : 20;
    const uint8_t *b = s.qweight + ((size_t)n * (s.n_in / 32) + g) * bytes;
    *zero = 8;
    *minimum = s.block_type == DTYPE_Q4_1 ? source_float(b + 2, 0, DTYPE_F16) : 0.f;
    return source_float(b, 0, DTYPE_F16);
}

/* A CUDA block for each (tile, k_block); 128 threads. */
static __global__ void k_repack(Source s, uint8_t *out, int k_blocks, int block_bytes,
                                ZeroKind zero_kind)
{
    const int tile = blockIdx.y, kb = blockIdx.x, groups = BLOCK_COLS / s.group;
    uint8_t *block = out + ((size_t)tile * k_blocks + kb) * block_bytes;
    __shared__ uint32_t nibbles[NIBBLE_BYTES / 4];
    for (int i = threadIdx.x; i < NIBBLE_BYTES / 4; i += blockDim.x)
        nibbles[i] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < TILE_ROWS * BLOCK_COLS; i += blockDim.x) {
        int row = i % TILE_ROWS, col = i / TILE_ROWS, n = tile * TILE_ROWS + row,
            at = kb * BLOCK_COLS + col;
        int k = s.perm ? s.perm[at] : at < s.n_in ? at : -1;
        if (s.rows && n < s.n_out)
            n = s.rows[n];
        int q = n < s.n_out && k >= 0 ? source_nibble(s, n, k) : 8;
        int byte, shift;
        q4_place(row, col, &byte, &shift);
        atomicOr(&nibbles[byte / 4], (uint32_t)q << (8 * (byte % 4) + shift));
    }
    __syncthreads();
    for (int i = threadIdx.x; i < NIBBLE_BYTES / 4; i += blockDim.x)
        ((uint32_t *)block)[i] = nibbles[i];
    for (int i = threadIdx.x; i < groups * TILE_ROWS; i += blockDim.x) {
        int g = i / TILE_ROWS, row = i % TILE_ROWS, n = tile * TILE_ROWS + row;
        int at = kb * BLOCK_COLS + g * s.group, slot = g * TILE_ROWS + row % 8 * 2 + (row >= 8);
        int from = s.group_of[at], zero = 8;
        if (s.rows && n < s.n_out)
            n = s.rows[n];
        float minimum = 0, scale = 0;
        if (n < s.n_out && from >= 0)
            scale = source_scale(s, n, from, &zero, &minimum);
        uint8_t *extra = block + NIBBLE_BYTES + groups * TILE_ROWS * 2;
        ((__half *)(block + NIBBLE_BYTES))[slot] = __float2half_rn(scale);
        if (zero_kind == ZERO_BYTE)
            extra[slot] = (uint8_t)zero;
        else if (zero_kind == ZERO_MIN)
            ((__half *)extra)[slot] = __float2half_rn(minimum);
    }
}

static __global__ void k_to_float(const uint8_t *src, float *dst, size_t n, DType type,
                                  const int *order)
{
    for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n;
         i += (size_t)gridDim.x * blockDim.x)
        dst[i] = source_float(src, order ? order[i] : i, type);
}

/* Q8_0 to int8 rows and scales; rows padded to `ld`. */
static __global__ void k_split_q8(const uint8_t *src, int8_t *q, __half *scale, int n_out, int n_in,
                                  int ld)
{
    size_t total = (size_t)n_out * ld;
    for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < total;
         i += (size_t)gridDim.x * blockDim.x) {
        size_t n = i / ld;
        int k = (int)(i % ld);
        const uint8_t *b = src + (n * (n_in / 32) + k / 32) * 34;
        q[i] = k < n_in ? (int8_t)b[2 + k % 32] : 0;
        if (k % 32 == 0)
            scale[n * (ld / 32) + k / 32] = __ushort_as_half((unsigned short)(b[0] | b[1] << 8));
    }
}

/* ---- device memory ---- */

cudaError_t arena_alloc(DevArena *arena, void **out, size_t bytes)
{
    *out = NULL;
    if (arena->n == arena->cap) {
        size_t cap = arena->cap ? 2 * arena->cap : 64;
        void **p = (void **)realloc(arena->ptr, cap * sizeof *p);
        if (!p)
            return cudaErrorMemoryAllocation;
        arena->ptr = p, arena->cap = cap;
    }
    cudaError_t e = cudaMalloc(out, bytes ? bytes : 16);
    if (e == cudaSuccess) {
        arena->ptr[arena->n++] = *out;
        arena->bytes += bytes;
    }
    return e;
}

void arena_free(DevArena *arena)
{
    for (size_t i = 0; i < arena->n; i++)
        cudaFree(arena->ptr[i]);
    free(arena->ptr);
    memset(arena, 0, sizeof *arena);
}

static cudaError_t scratch(Layout *l, int slot, size_t bytes, void **out)
{
    if (l->scratch_bytes[slot] < bytes) {
        /* nothing may still read the old one */
        cudaError_t e = cudaStreamSynchronize(l->stream);
        if (e != cudaSuccess)
            return e;
        cudaFree(l->scratch[slot]);
        l->scratch[slot] = NULL, l->scratch_bytes[slot] = 0;
        e = cudaMalloc(&l->scratch[slot], bytes);
        if (e != cudaSuccess)
            return e;
        l->scratch_bytes[slot] = bytes;
    }
    *out = l->scratch[slot];
    return cudaSuccess;
}

void layout_release(Layout *l)
{
    for (int i = 0; i < 4; i++)
        cudaFree(l->scratch[i]);
    memset(l, 0, sizeof *l);
}

static size_t tensor_bytes(const Tensor *t)
{
    const DTypeInfo *info = dtype_info(t->dtype);
    return (size_t)t->rows * (size_t)(t->cols / info->block) * (size_t)info->block_bytes;
}

/* order: on the device, or NULL */
static cudaError_t layout_floats(Layout *l, const Tensor *in, const int *order, const float **out)
{
    *out = NULL;
    if (!in->data)
        return cudaSuccess;
    if (in->dtype != DTYPE_F32 && in->dtype != DTYPE_F16 && in->dtype != DTYPE_BF16) {
        l->why = "a norm or bias in a block format";
        return cudaErrorNotSupported;
    }
    size_t n = (size_t)in->rows * (size_t)in->cols;
    void *raw, *dst;
    cudaError_t e = scratch(l, 0, tensor_bytes(in), &raw);
    if (e == cudaSuccess)
        e = arena_alloc(l->arena, &dst, n * sizeof(float));
    if (e == cudaSuccess)
        e = uploader_copy(l->up, raw, in->data, tensor_bytes(in));
    if (e != cudaSuccess)
        return e;
    k_to_float<<<div_up((long)n, 256) < 1024 ? div_up((long)n, 256) : 1024, 256, 0, l->stream>>>(
        (const uint8_t *)raw, (float *)dst, n, in->dtype, order);
    *out = (const float *)dst;
    return cudaGetLastError();
}

cudaError_t layout_float(Layout *l, const Tensor *in, const float **out)
{
    return layout_floats(l, in, NULL, out);
}

/* ---- order of columns ---- */

/* Sorts columns by group (stable), each group padded to whole multiples of `group`; fills perm (or
 * says that it is not needed) and group_of.  Returns the padded length. */
static int order_columns(const QuantSource *q, int n_in, int group, int **perm, int **group_of)
{
    int G = q->n_groups, *count = (int *)calloc((size_t)G + 1, sizeof *count),
        *of = (int *)malloc((size_t)n_in * sizeof *of);
    for (int k = 0; k < n_in; k++) {
        if (q->g_idx)
            memcpy(&of[k], (const char *)q->g_idx + 4 * (size_t)k, 4);
        else
            of[k] = k / q->group_size;
        count[of[k]]++;
    }
    int *start = (int *)malloc(((size_t)G + 1) * sizeof *start), total = 0;
    for (int g = 0; g < G; g++) {
        start[g] = total;
        total += div_up(count[g], group) * group;
    }
    int padded = div_up(total, BLOCK_COLS) * BLOCK_COLS;
    *perm = (int *)malloc((size_t)padded * sizeof **perm);
    *group_of = (int *)malloc((size_t)padded * sizeof **group_of);
    for (int i = 0; i < padded; i++)
        (*perm)[i] = (*group_of)[i] = -1;
    for (int g = 0; g < G; g++)
        for (int i = start[g]; i < start[g] + div_up(count[g], group) * group; i++)
            (*group_of)[i] = g;
    for (int k = 0; k < n_in; k++)
        (*perm)[start[of[k]]++] = k;
    bool identity = true;
    for (int i = 0; i < padded && identity; i++)
        identity = (*perm)[i] == (i < n_in ? i : -1);
    if (identity) {
        free(*perm);
        *perm = NULL;
    }
    free(count), free(of), free(start);
    return padded;
}

static cudaError_t upload_ints(Layout *l, const int *src, int n, const int **out)
{
    void *dst;
    cudaError_t e = arena_alloc(l->arena, &dst, (size_t)n * sizeof(int));
    if (e == cudaSuccess)
        e = uploader_copy(l->up, dst, src, (size_t)n * sizeof(int));
    *out = (const int *)dst;
    return e;
}

static bool zeros_all_eight(const QuantSource *q, size_t words)
{
    uint32_t want = q->zero_rule == ZERO_STORED_PLUS_ONE ? 0x77777777u : 0x88888888u, w;
    for (size_t i = 0; i < words; i++) {
        memcpy(&w, (const char *)q->qzeros + 4 * i, 4);
        if (w != want)
            return false;
    }
    return true;
}

/* Columns a scale in our blocks for a source group of any size; 0 if it cannot be. */
static int block_group(int group_size, int n_in)
{
    if (group_size == 16 || group_size == 32 || group_size == 64)
        return group_size;
    return group_size % BLOCK_COLS == 0 || group_size >= n_in ? BLOCK_COLS : 0;
}

static cudaError_t repack(Layout *l, Source *s, const int *perm, const int *group_of, int padded,
                          ZeroKind zero, DevLinear *out)
{
    const int *dev_perm = NULL, *dev_group = NULL;
    cudaError_t e = perm ? upload_ints(l, perm, padded, &dev_perm) : cudaSuccess;
    void *tmp;
    if (e == cudaSuccess)
        e = scratch(l, 3, (size_t)padded * sizeof(int), &tmp);
    if (e == cudaSuccess)
        e = uploader_copy(l->up, tmp, group_of, (size_t)padded * sizeof(int));
    if (e != cudaSuccess)
        return e;
    dev_group = (const int *)tmp;
    s->perm = dev_perm, s->group_of = dev_group;
    out->tiles = div_up(s->n_out, 2 * TILE_ROWS) * 2;
    out->k_blocks = padded / BLOCK_COLS;
    out->group = s->group, out->zero = zero, out->perm = dev_perm;
    out->block_bytes = q4_block_bytes(s->group, zero);
    void *blocks;
    e = arena_alloc(l->arena, &blocks, (size_t)out->tiles * out->k_blocks * out->block_bytes);
    if (e != cudaSuccess)
        return e;
    out->blocks = (const uint8_t *)blocks;
    k_repack<<<dim3(out->k_blocks, out->tiles), 128, 0, l->stream>>>(
        *s, (uint8_t *)blocks, out->k_blocks, out->block_bytes, zero);
    return cudaGetLastError();
}

int *layout_order(const Linear *in)
{
    if (in->quant.packing == PACK_NONE || !in->quant.g_idx)
        return NULL;
    const int n = (int)in->n_in, group = block_group(in->quant.group_size, n);
    if (!group)
        return NULL;
    int *perm, *group_of, padded = order_columns(&in->quant, n, group, &perm, &group_of);
    free(group_of);
    for (int i = 0; perm && i < n; i++)
        if (padded < n || perm[i] < 0) {
            free(perm);
            return NULL;
        }
    return perm;
}

static cudaError_t layout_packed(Layout *l, const Linear *in, const int *rows, DevLinear *out)
{
    const QuantSource *q = &in->quant;
    Source s = {};
    s.rows = rows;
    s.n_out = (int)in->n_out, s.n_in = (int)in->n_in, s.packing = q->packing,
    s.scale_type = q->scale_type;
    s.zero_add = q->zero_rule == ZERO_STORED_PLUS_ONE;
    s.group = block_group(q->group_size, s.n_in);
    if (q->bits != 4 || !s.group) {
        l->why = "a group size other than 16, 32, 64, a multiple of 128 or -1";
        return cudaErrorNotSupported;
    }
    int *perm, *group_of, padded = order_columns(q, s.n_in, s.group, &perm, &group_of);
    size_t words = (size_t)s.n_in * s.n_out / 8, zwords = (size_t)q->n_groups * s.n_out / 8;
    size_t scale_bytes = (size_t)q->n_groups * s.n_out * (q->scale_type == DTYPE_F32 ? 4 : 2);
    void *w, *z, *sc;
    cudaError_t e = scratch(l, 0, words * 4, &w);
    if (e == cudaSuccess)
        e = scratch(l, 1, zwords * 4, &z);
    if (e == cudaSuccess)
        e = scratch(l, 2, scale_bytes, &sc);
    if (e == cudaSuccess)
        e = uploader_copy(l->up, w, q->qweight, words * 4);
    if (e == cudaSuccess)
        e = uploader_copy(l->up, z, q->qzeros, zwords * 4);
    if (e == cudaSuccess)
        e = uploader_copy(l->up, sc, q->scales, scale_bytes);
    if (e == cudaSuccess) {
        s.qweight = (const uint8_t *)w, s.qzeros = (const uint8_t *)z,
        s.scales = (const uint8_t *)sc;
        e = repack(l, &s, perm, group_of, padded,
                   zeros_all_eight(q, zwords) ? ZERO_EIGHT : ZERO_BYTE, out);
    }
    free(perm), free(group_of);
    return e;
}

static cudaError_t layout_gguf4(Layout *l, const Linear *in, DevLinear *out)
{
    Source s = {};
    s.n_out = (int)in->n_out, s.n_in = (int)in->n_in, s.packing = PACK_NONE, s.group = 32;
    s.block_type = in->dense.dtype;
    QuantSource plain = {};
    plain.group_size = 32, plain.n_groups = s.n_in / 32;
    int *perm, *group_of, padded = order_columns(&plain, s.n_in, 32, &perm, &group_of);
    void *raw;
    cudaError_t e = scratch(l, 0, tensor_bytes(&in->dense), &raw);
    if (e == cudaSuccess)
        e = uploader_copy(l->up, raw, in->dense.data, tensor_bytes(&in->dense));
    if (e == cudaSuccess) {
        s.qweight = (const uint8_t *)raw;
        e = repack(l, &s, perm, group_of, padded,
                   s.block_type == DTYPE_Q4_0 ? ZERO_EIGHT : ZERO_MIN, out);
    }
    free(perm), free(group_of);
    return e;
}

static cudaError_t layout_dense(Layout *l, const Linear *in, DevLinear *out)
{
    const Tensor *t = &in->dense;
    size_t ld = (size_t)div_up((long)t->cols, 32) * 32;
    out->dtype = t->dtype;
    void *dst, *raw;
    cudaError_t e;
    if (t->dtype == DTYPE_Q8_0) {
        void *scale;
        e = scratch(l, 0, tensor_bytes(t), &raw);
        if (e == cudaSuccess)
            e = uploader_copy(l->up, raw, t->data, tensor_bytes(t));
        if (e == cudaSuccess)
            e = arena_alloc(l->arena, &dst, (size_t)t->rows * ld);
        if (e == cudaSuccess)
            e = arena_alloc(l->arena, &scale, (size_t)t->rows * (ld / 32) * 2);
        if (e != cudaSuccess)
            return e;
        k_split_q8<<<2048, 256, 0, l->stream>>>((const uint8_t *)raw, (int8_t *)dst,
                                                (__half *)scale, (int)t->rows, (int)t->cols,
                                                (int)ld);
        out->dense = dst, out->q8_scale = (const __half *)scale;
        return cudaGetLastError();
    }
    if (t->dtype != DTYPE_F32 && t->dtype != DTYPE_F16 && t->dtype != DTYPE_BF16) {
        l->why = "a tensor type that the GPU backend does not read";
        return cudaErrorNotSupported;
    }
    size_t value = t->dtype == DTYPE_F32 ? 4 : 2, row = (size_t)t->cols * value;
    e = arena_alloc(l->arena, &dst, (size_t)t->rows * ld * value);
    if (e != cudaSuccess)
        return e;
    out->dense = dst;
    if (ld == (size_t)t->cols)
        return uploader_copy(l->up, dst, t->data, (size_t)t->rows * row);
    e = scratch(l, 0, (size_t)t->rows * row, &raw);
    if (e == cudaSuccess)
        e = uploader_copy(l->up, raw, t->data, (size_t)t->rows * row);
    if (e == cudaSuccess)
        e = cudaMemsetAsync(dst, 0, (size_t)t->rows * ld * value, l->stream);
    if (e == cudaSuccess)
        e = cudaMemcpy2DAsync(dst, ld * value, raw, row, row, (size_t)t->rows,
                              cudaMemcpyDeviceToDevice, l->stream);
    return e;
}

cudaError_t layout_linear(Layout *l, const Linear *in, const int *rows, DevLinear *out)
{
    const int *order = NULL; /* rows on the device */
    memset(out, 0, sizeof *out);
    out->n_out = (int)in->n_out, out->n_in = (int)in->n_in;
    cudaError_t e = rows ? upload_ints(l, rows, out->n_out, &order) : cudaSuccess;
    if (e == cudaSuccess)
        e = layout_floats(l, &in->bias, order, &out->bias);
    if (e != cudaSuccess)
        return e;
    if (in->quant.packing != PACK_NONE)
        return layout_packed(l, in, order, out);
    if (rows) {
        l->why = "rows out of order in a matrix that is not packed";
        return cudaErrorNotSupported;
    }
    if (in->dense.dtype == DTYPE_Q4_0 || in->dense.dtype == DTYPE_Q4_1)
        return layout_gguf4(l, in, out);
    return layout_dense(l, in, out);
}
