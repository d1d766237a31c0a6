/* A model on a backend.  Failures end the test that runs. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/tiny_rig.h"

Rig rig_open(TinyModel *model, const char *backend, const char *isa, int threads, int context)
{
    Rig rig = { .ops = backend_find(backend), .n_vocab = tiny_shape(model)->n_vocab };
    BackendOptions options = { .threads = threads, .isa = isa, .tap = true };
    const char *why = "";
    assert_non_null(rig.ops);
    if (rig.ops->open(&options, &rig.backend, &why) == KS_UNSUPPORTED)
        return (Rig){ 0 };
    KStatus status =
        rig.ops->load(rig.backend, tiny_shape(model), tiny_weights(model), NULL, &rig.loaded);
    if (status != KS_OK)
        fail_msg("load: %s", rig.ops->fault(rig.backend)->what);
    assert_int_equal(rig.ops->timeline_open(rig.loaded, context, &rig.timeline), KS_OK);
    return rig;
}

void rig_close(Rig *rig)
{
    if (!rig->ops)
        return;
    rig->ops->timeline_close(rig->timeline);
    rig->ops->unload(rig->loaded);
    rig->ops->close(rig->backend);
}

void rig_feed(Rig *rig, const int32_t *ids, int n, Want want)
{
    KStatus status = rig->ops->feed(rig->timeline, ids, n, want, NULL);
    if (status != KS_OK)
        fail_msg("feed: %s", rig->ops->fault(rig->backend)->what);
}

/* Logits after the last of n tokens that are fed in pieces of `piece`. */
float *rig_logits(Rig *rig, const int32_t *ids, int n, int piece)
{
    float *out = malloc((size_t)rig->n_vocab * sizeof *out);
    assert_int_equal(rig->ops->rewind(rig->timeline, 0), KS_OK);
    for (int at = 0; at < n; at += piece)
        rig_feed(rig, ids + at, n - at < piece ? n - at : piece, WANT_LAST);
    assert_int_equal(rig->ops->logits(rig->timeline, out), KS_OK);
    return out;
}

int32_t *random_ids(int n, int n_vocab, uint64_t seed)
{
    int32_t *ids = malloc((size_t)n * sizeof *ids);
    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)tiny_random(&seed, (uint32_t)n_vocab);
    return ids;
}

double relative_error(const float *got, const float *want, int n)
{
    double difference = 0, norm = 0;
    for (int i = 0; i < n; i++) {
        if (isinf(want[i]) && got[i] == want[i])
            continue; /* an id past the tokenizer's size */
        difference += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
        norm += (double)want[i] * (double)want[i];
    }
    return sqrt(difference / norm);
}
