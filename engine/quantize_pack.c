/* The grid that values are rounded to, and AutoGPTQ's layout of the result. */
#include "config.h"

#include "engine/quantize_solve.h"

#include <math.h>

#include "kernels/half.h"

enum { CODES = 15, MIDDLE = 8, PER_WORD = 8, DRAWN_OUT = -3, DRAWN_IN = 14 };
#define STEP 0.025f /* of the distance of the ends */

/* A code far outside would not fit an int. */
int gptq_code(GptqGrid grid, float value)
{
    float at = value / grid.scale;

    if (!(at > -64))
        return 0;
    if (at > 64)
        return CODES;
    int code = (int)lrintf(at) + grid.zero;
    return code < 0 ? 0 : code > CODES ? CODES : code;
}

/* low and high at the ends of the grid, 0 on it; symmetric: the zero point is 8.  A zero point of 0
 * is not used: version 1 would store -1, which its readers understand in two ways. */
static GptqGrid grid_between(float low, float high, bool symmetric)
{
    float scale = (high - low) / CODES;
    GptqGrid grid = { 0, symmetric ? MIDDLE : (int)lrintf(-low / scale) };

    if (grid.zero < 1) {
        grid.zero = 1;
        scale = high / (CODES - 1);
    }
    grid.scale = half_to_float(float_to_half(scale));
    if (grid.scale == 0)
        grid.scale = 0x1p-24f;
    return grid;
}

static double damage(const GptqGroup *group, GptqGrid grid)
{
    double sum = 0;

    for (int i = 0; i < group->n; i++) {
        float value = grid.scale * (float)(gptq_code(grid, group->w[i]) - grid.zero);
        double wrong = (double)(group->w[i] - value);
        sum += wrong * wrong * (group->weight ? (double)group->weight[i] : 1);
    }
    return sum;
}

/* The ends are drawn in or out where that does less damage: clipping the largest value may cost
 * less than rounding all others more coarsely, and a symmetric grid has one step more below 0. */
bool gptq_grid(const GptqGroup *group, bool symmetric, GptqGrid *out)
{
    float low = 0, high = 0;
    double least;

    for (int i = 0; i < group->n; i++) {
        low = fminf(low, group->w[i]);
        high = fmaxf(high, group->w[i]);
    }
    if (low == 0 && high == 0) {
        low = -1;
        high = 1;
    }
    if (symmetric) {
        high = fmaxf(high, -low);
        low = -high;
    }
    *out = grid_between(low, high, symmetric);
    if (!isfinite(out->scale))
        return false;
    least = damage(group, *out);
    for (int step = DRAWN_OUT; step <= DRAWN_IN; step++) {
        float by = 1 - (float)step * STEP;
        GptqGrid grid = grid_between(low * by, high * by, symmetric);
        double cost = damage(group, grid);
        if (cost < least && isfinite(grid.scale)) {
            least = cost;
            *out = grid;
        }
    }
    return true;
}

/* ---- packing ---- */

void gptq_pack_words(const GptqMatrix *m, const Hessian *hessian, uint32_t *qweight)
{
    for (int64_t k = 0; k < m->n_in; k += PER_WORD)
        for (int64_t n = 0; n < m->n_out; n++) {
            uint32_t word = 0;
            for (int i = 0; i < PER_WORD; i++)
                word |= (uint32_t)m->codes[n * m->n_in + hessian->place[k + i]] << 4 * i;
            qweight[k / PER_WORD * m->n_out + n] = word;
        }
}

/* Stored less one. */
void gptq_pack_zeros(const GptqMatrix *m, uint32_t *qzeros)
{
    for (int64_t g = 0; g < m->n_groups; g++)
        for (int64_t n = 0; n < m->n_out; n += PER_WORD) {
            uint32_t word = 0;
            for (int i = 0; i < PER_WORD; i++)
                word |= (uint32_t)(m->zeros[(n + i) * m->n_groups + g] - 1) << 4 * i;
            qzeros[(g * m->n_out + n) / PER_WORD] = word;
        }
}

void gptq_pack_scales(const GptqMatrix *m, uint16_t *scales)
{
    for (int64_t g = 0; g < m->n_groups; g++)
        for (int64_t n = 0; n < m->n_out; n++)
            scales[g * m->n_out + n] = m->scales[n * m->n_groups + g];
}

void gptq_pack_order(const GptqMatrix *m, const Hessian *hessian, int32_t *g_idx)
{
    for (int64_t k = 0; k < m->n_in; k++)
        g_idx[k] = hessian->place[k] / m->group_size;
}
