/* The walk of plain products (fp16, bf16, fp32) over rows and tokens.  Included by each instruction
 * set after its TOKENS, DENSE_ROWS, SINGLE_ROWS, DENSE_SUMS, INLINE, Lanes (sixteen sums),
 * lanes_zero, fold and dense_step. */

INLINE void dense_block(const Product *p, int row, int token, MatrixKind kind, const int rows,
                        const int n)
{
    const Matrix *m = p->matrix;
    size_t size = kind == MATRIX_F32 ? 4 : 2, row_bytes = (size_t)m->n_in * size;
    const uint8_t *src = m->dense + (size_t)row * row_bytes;
    const float *x = p->dense + (size_t)token * p->dense_stride;
    Lanes sum[DENSE_SUMS];
    for (int i = 0; i < rows * n; i++)
        sum[i] = lanes_zero();
    int k = 0;
    for (; k + 16 <= m->n_in; k += 16, src += 16 * size) {
        if (n == 1) /* the same place in the next rows */
            for (int r = 0; r < rows; r++)
                _mm_prefetch((const char *)src + (size_t)(rows + r) * row_bytes, _MM_HINT_T1);
        dense_step(src, row_bytes, x + k, p->dense_stride, 16, kind, rows, n, sum);
    }
    if (k < m->n_in)
        dense_step(src, row_bytes, x + k, p->dense_stride, m->n_in - k, kind, rows, n, sum);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < n; i++)
            p->out[(size_t)(token + i) * p->out_stride + (size_t)(row + r)] = fold(sum[r * n + i]);
}

INLINE void dense_rows(const Product *p, int row, int row_end, int n, MatrixKind kind)
{
    for (; row + SINGLE_ROWS <= row_end && n == 1; row += SINGLE_ROWS)
        dense_block(p, row, 0, kind, SINGLE_ROWS, 1);
    for (; row + DENSE_ROWS <= row_end; row += DENSE_ROWS) {
        int t = 0;
        for (; t + TOKENS <= n; t += TOKENS)
            dense_block(p, row, t, kind, DENSE_ROWS, TOKENS);
        for (; t < n; t++)
            dense_block(p, row, t, kind, DENSE_ROWS, 1);
    }
    for (; row < row_end; row++)
        for (int t = 0; t < n; t++)
            dense_block(p, row, t, kind, 1, 1);
}

static void dense(const Product *p, int tile, int tile_end, int n)
{
    int row = tile * TILE_ROWS, row_end = tile_end * TILE_ROWS;
    for (int r = p->matrix->n_out; r < row_end; r++)
        for (int t = 0; t < n; t++)
            p->out[(size_t)t * p->out_stride + (size_t)r] = 0;
    if (row_end > p->matrix->n_out)
        row_end = p->matrix->n_out;
    if (p->matrix->kind == MATRIX_F32)
        dense_rows(p, row, row_end, n, MATRIX_F32);
    else if (p->matrix->kind == MATRIX_F16)
        dense_rows(p, row, row_end, n, MATRIX_F16);
    else
        dense_rows(p, row, row_end, n, MATRIX_BF16);
}
