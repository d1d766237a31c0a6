/* Where the time of a token goes on the CPU: what each phase took by the calling thread's clock,
 * and the bytes that it has to read. */
#include "config.h"

#include <string.h>
#include <time.h>

#include "kernels/cpu/forward.h"

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

void phase_note(PhaseClock *clock, KPhaseKind phase)
{
    double now = now_ms();

    clock->ms[phase] += now - clock->last;
    clock->last = now;
}

static double matrix_bytes(const Matrix *m)
{
    double rows = (double)m->n_tiles * TILE_ROWS, groups = rows * m->n_groups;
    double codes = rows * m->form.n_blocks * m->form.block;
    double scales = groups * dtype_info(m->scale_type)->block_bytes;

    switch (m->kind) {
    case MATRIX_F32:
        return (double)m->n_out * m->n_in * 4;
    case MATRIX_F16:
    case MATRIX_BF16:
        return (double)m->n_out * m->n_in * 2;
    case MATRIX_Q4:
        codes /= 2;
        break;
    case MATRIX_Q8:
        break;
    }
    return codes + scales + (m->zeros ? groups : 0) + (m->mins ? groups * 2 : 0);
}

static double input_bytes(const MatrixInput *input)
{
    double bytes = 0;

    for (int i = 0; i < input->n_matrices; i++)
        bytes += matrix_bytes(input->matrix[i]);
    return bytes;
}

/* cache_bytes: of the keys and values that a token looks at. */
static void count_bytes(const CpuLoaded *loaded, double cache_bytes, double bytes[K_PHASES])
{
    for (int i = 0; i < loaded->shape.n_layers; i++) {
        const CpuLayer *layer = &loaded->layers[i];

        bytes[KPHASE_QKV] += input_bytes(&layer->to_qkv);
        bytes[KPHASE_O] += input_bytes(&layer->to_o);
        bytes[KPHASE_GATE_UP] += input_bytes(&layer->to_gate_up);
        bytes[KPHASE_DOWN] += input_bytes(&layer->to_down);
    }
    bytes[KPHASE_ATTENTION] = cache_bytes;
    bytes[KPHASE_HEAD] = input_bytes(&loaded->to_head);
}

KStatus cpu_profile(Timeline *timeline, int tokens, KProfile *out)
{
    static const SampleSpec greedy = { .top_p = 1, .repeat_penalty = 1 };
    const CpuTimeline *t = (const CpuTimeline *)timeline;
    CpuBackend *backend = (CpuBackend *)timeline->loaded->backend;
    PhaseClock clock = { 0 };
    double bytes[K_PHASES] = { 0 }, start = 0, cache = 0;
    KStatus status = KS_OK;

    memset(out, 0, sizeof *out);
    /* The first token is chosen from logits that are there already. */
    for (int i = -1; tokens > 0 && status == KS_OK && i < tokens; i++) {
        int32_t id;
        int n;

        if (i == 0) {
            backend->clock = &clock;
            start = clock.last = now_ms();
        }
        status = timeline->ops->step(timeline, &greedy, 1, &id, &n, NULL);
        if (i >= 0)
            cache += (double)timeline_saved_bytes(timeline, t->length) / tokens;
    }
    backend->clock = NULL;
    if (tokens <= 0 || status != KS_OK)
        return status;
    out->ms = (now_ms() - start) / tokens;
    count_bytes((const CpuLoaded *)timeline->loaded, cache, bytes);
    out->n_phases = K_PHASES;
    for (int i = 0; i < K_PHASES; i++)
        out->phase[i] = (KPhase){ k_phase_name[i], clock.ms[i] / tokens, 0, bytes[i] };
    return KS_OK;
}
