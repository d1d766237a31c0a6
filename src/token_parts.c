/* Times the parts of a token by the moments at which the backend calls back. */
#include "config.h"

#include "src/token_parts.h"

#include <stdlib.h>

#include "src/base/clock.h"
#include "src/base/mem.h"

typedef struct {
    int64_t first, last; /* before the first and the last layer; microseconds */
    int n;
} Moments;

static void note_layer(void *arg)
{
    Moments *m = arg;

    m->last = clock_mono_us();
    if (m->n++ == 0)
        m->first = m->last;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median_ms(double *us, int n)
{
    qsort(us, (size_t)n, sizeof *us, compare);
    return (n % 2 ? us[n / 2] : (us[n / 2 - 1] + us[n / 2]) / 2) / 1000;
}

bool token_parts(Session *session, int n_layers, int tokens, const atomic_bool *cancel,
                 TokenParts *out, bool *known, Error *err)
{
    const Sampling greedy = { .top_p = 1, .repeat_penalty = 1 };
    double *part = xcalloc((size_t)tokens * 3, sizeof *part);
    double *layers = part, *head = part + tokens, *rest = part + 2 * tokens;
    bool good = true;

    *known = n_layers >= 2;
    /* The first token is chosen from logits that are there already. */
    for (int i = -1; good && *known && i < tokens; i++) {
        Moments m = { .n = 0 };
        const Progress progress = { .cancel = cancel, .arg = &m, .poll = note_layer };
        int64_t start = clock_mono_us(), end;
        int32_t id;

        good = session_next(session, &greedy, &id, &progress, err);
        end = clock_mono_us();
        if (i < 0)
            continue;
        *known = m.n == n_layers;
        layers[i] = (double)(m.last - m.first) * n_layers / (n_layers - 1);
        head[i] = (double)(end - m.first) - layers[i];
        rest[i] = (double)(m.first - start);
    }
    if (good && *known)
        *out = (TokenParts){ median_ms(layers, tokens), median_ms(head, tokens),
                             median_ms(rest, tokens) };
    free(part);
    return good;
}
