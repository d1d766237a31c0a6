/* The failing backend: a copy of another one's table with some of its verbs replaced. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "tests/faulty.h"

static const BackendOps *inner;
static BackendOps faulty;
static Faults *faults;
static KFault told; /* layer -2: the other backend's own */

static bool strikes(Fault *fault)
{
    if (fault->status == KS_OK || fault->after-- > 0)
        return false;
    told = (KFault){ .code = fault->code, .layer = -1 };
    snprintf(told.device, sizeof told.device, "Faulty 9000");
    snprintf(told.what, sizeof told.what, "%s", fault->what);
    return true;
}

static KStatus faulty_load(Backend *backend, const ModelShape *shape, const ModelWeights *weights,
                           const KCall *call, Loaded **out)
{
    told.layer = -2;
    return strikes(&faults->load) ? faults->load.status
                                  : inner->load(backend, shape, weights, call, out);
}

static KStatus faulty_timeline_open(Loaded *loaded, int context, Timeline **out)
{
    Fault fault = { KS_MEMORY, 0, 2, "reserving the KV cache" };

    told.layer = -2;
    if (faults->most_context && context > faults->most_context && strikes(&fault))
        return KS_MEMORY;
    return inner->timeline_open(loaded, context, out);
}

static KStatus faulty_feed(Timeline *line, const int32_t *ids, int n, Want want, const KCall *call)
{
    told.layer = -2;
    return strikes(&faults->feed) ? faults->feed.status : inner->feed(line, ids, n, want, call);
}

static KStatus faulty_step(Timeline *line, const SampleSpec *spec, int max, int32_t *ids, int *n,
                           const KCall *call)
{
    told.layer = -2;
    *n = 0;
    return strikes(&faults->step) ? faults->step.status
                                  : inner->step(line, spec, max, ids, n, call);
}

static const KFault *faulty_fault(const Backend *backend)
{
    return told.layer == -2 ? inner->fault(backend) : &told;
}

void faulty_install(const BackendOps *over, Faults *wanted)
{
    inner = over;
    faults = wanted;
    faulty = *inner;
    faulty.name = "faulty";
    faulty.load = faulty_load;
    faulty.timeline_open = faulty_timeline_open;
    faulty.feed = faulty_feed;
    faulty.step = faulty_step;
    faulty.fault = faulty_fault;
    backend_put_first(&faulty);
}

void faulty_remove(void)
{
    backend_put_first(NULL);
}
