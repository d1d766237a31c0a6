/* Tokens on a backend.  The caller states whole prompts; what is common with the cache of any
 * resident timeline (kvcache.c) is kept, the rest is computed.  `live.tokens` always says what the
 * live one's cache holds. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine_parts.h"
#include "engine/kvcache.h"
#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/base/mem.h"

enum { SCORE_CHUNK = 32 }; /* positions whose logits are held at once */

struct Session {
    Engine *engine;
    int context;
    KvLine live;     /* what is evaluated now */
    KvCache cache;   /* and what was left */
    int32_t pending; /* sampled, not evaluated; -1: none */
    bool has_logits; /* after the last token of the cache */
    float *logits;   /* [n_vocab], made when first asked for */
    float *chunk;    /* [SCORE_CHUNK][n_vocab], the same */
};

/* ---- making ---- */

/* Half of what is free leaves room for other programs, and for what the system caches. */
static size_t kv_budget(const Engine *engine)
{
    if (engine->kv_budget >= 0)
        return (size_t)engine->kv_budget;
    return engine->ops->free_bytes(engine->backend) / 2;
}

Session *session_new(Engine *engine, int context, Error *err)
{
    int max = engine->model ? model_shape(engine->model)->max_context : 0;
    Timeline *timeline = NULL;
    KStatus status;
    if (!engine->loaded) {
        error_set(err, ERR_USAGE, _("the model was opened without its weights"));
        return NULL;
    }
    if (context < 0 || context > max) {
        error_set(err, ERR_CONTEXT,
                  _("a context of %d tokens is not possible: the model was made for %d at most"),
                  context, max);
        return NULL;
    }
    context = context ? context : max;
    status = engine->ops->timeline_open(engine->loaded, context, &timeline);
    if (status != KS_OK) {
        engine_fault(engine, status, err);
        error_note(err, _("a context of %d tokens"), context);
        return NULL;
    }
    Session *session = xcalloc(1, sizeof *session);
    *session =
        (Session){ .engine = engine, .live.timeline = timeline, .context = context, .pending = -1 };
    kvcache_init(&session->cache, engine->ops, engine->loaded, kv_budget(engine));
    return session;
}

void session_free(Session *session)
{
    if (!session)
        return;
    session->engine->ops->timeline_close(session->live.timeline);
    kvcache_release(&session->cache);
    tokens_release(&session->live.tokens);
    free(session->logits);
    free(session->chunk);
    free(session);
}

int session_context(const Session *session)
{
    return session->context;
}

int session_length(const Session *session)
{
    return (int)session->live.tokens.n;
}

size_t session_resident(const Session *session, int *n_parked)
{
    *n_parked = (int)session->cache.n;
    return session->cache.ops->kv_held(session->cache.loaded);
}

static int n_vocab_of(const Session *session)
{
    return model_shape(session->engine->model)->n_vocab;
}

/* ---- evaluating ---- */

/* Leaves the first `keep` tokens in the cache. */
static bool rewind_to(Session *session, size_t keep, Error *err)
{
    session->pending = -1;
    session->has_logits = false;
    KStatus status = kvcache_rewind(&session->cache, &session->live, keep);
    return status == KS_OK || engine_fault(session->engine, status, err);
}

/* Leaves the longest beginning of the prompt that any timeline has in the cache of the live one. */
static bool select_line(Session *session, const Tokens *prompt, const SyncCounts *plan, Error *err)
{
    KvCache *cache = &session->cache;
    session->pending = -1;
    session->has_logits = false;
    KStatus status = kvcache_select(cache, &session->live, prompt, prompt->n - 1);
    if (status != KS_OK)
        return engine_fault(session->engine, status, err);
    kvcache_trim(cache, cache->ops->kv_bytes(cache->loaded, plan->computed));
    return true;
}

typedef struct {
    Session *session;
    const int32_t *ids;
    int start;       /* tokens in the cache before */
    int fed;         /* ids that an earlier try evaluated */
    int from, total; /* what progress is reported of */
    const Progress *progress;
} Feed;

/* The cache's contents are known also while it fills: plans may be asked for in between. */
static void note_fed(Feed *feed, int done)
{
    Session *session = feed->session;
    int have = (int)session->live.tokens.n - feed->start;
    if (done > have)
        tokens_append(&session->live.tokens, feed->ids + have, (size_t)(done - have));
}

static void report_fed(void *arg, int done, int total)
{
    Feed *feed = arg;
    (void)total;
    done += feed->fed;
    note_fed(feed, done);
    engine_report((void *)feed->progress, feed->from + done, feed->total);
}

static void poll_fed(void *arg)
{
    Feed *feed = arg;
    if (feed->progress && feed->progress->poll)
        feed->progress->poll(feed->progress->arg);
}

/* Evaluates the n ids.  Where memory is out, timelines that were left are given up one after the
 * other; logits of all tokens have to come from one call. */
static KStatus feed_or_evict(Feed *feed, int n, Want want, const KCall *call)
{
    Session *session = feed->session;
    const BackendOps *ops = session->engine->ops;
    feed->fed = 0;
    for (;;) {
        KStatus status =
            ops->feed(session->live.timeline, feed->ids + feed->fed, n - feed->fed, want, call);
        if (status != KS_MEMORY || !kvcache_evict(&session->cache))
            return status;
        if (want == WANT_ALL && ops->rewind(session->live.timeline, feed->start) != KS_OK)
            return status;
        feed->fed = ops->length(session->live.timeline) - feed->start;
    }
}

static bool feed_tokens(Feed *feed, int n, Want want, Error *err)
{
    Session *session = feed->session;
    const BackendOps *ops = session->engine->ops;
    KCall call = {
        .cancel = feed->progress ? feed->progress->cancel : NULL,
        .progress = report_fed,
        .poll = poll_fed,
        .arg = feed,
    };
    feed->start = (int)session->live.tokens.n;
    session->pending = -1;
    session->has_logits = false;
    KStatus status = feed_or_evict(feed, n, want, &call);
    if (status == KS_OK) {
        note_fed(feed, n);
        session->has_logits = want != WANT_NONE;
        return true;
    }
    /* What was computed stays. */
    int length = ops->length(session->live.timeline);
    note_fed(feed, length - feed->start);
    tokens_truncate(&session->live.tokens, (size_t)length);
    return engine_fault(session->engine, status, err);
}

static bool check_prompt(const Session *session, const Tokens *ids, size_t room, Error *err)
{
    int n_vocab = n_vocab_of(session);
    if (ids->n == 0)
        return error_set(err, ERR_USAGE, _("the prompt is empty"));
    if (ids->n > room)
        return error_set(err, ERR_CONTEXT, _("%zu tokens do not fit the context of %d"), ids->n,
                         session->context);
    for (size_t i = 0; i < ids->n; i++)
        if (ids->ids[i] < 0 || ids->ids[i] >= n_vocab)
            return error_set(err, ERR_USAGE, _("token id %d is outside the vocabulary (0 to %d)"),
                             ids->ids[i], n_vocab - 1);
    return true;
}

static size_t common_prefix(const Session *session, const Tokens *ids)
{
    return tokens_common(session->live.tokens.ids, session->live.tokens.n, ids->ids, ids->n);
}

SyncCounts session_plan(const Session *session, const Tokens *prompt)
{
    size_t reused = common_prefix(session, prompt),
           parked = kvcache_common(&session->cache, prompt);
    reused = parked > reused ? parked : reused;
    if (prompt->n && reused > prompt->n - 1)
        reused = prompt->n - 1;
    return (SyncCounts){ (int)prompt->n, (int)reused, (int)(prompt->n - reused) };
}

bool session_sync(Session *session, const Tokens *prompt, const Progress *progress,
                  SyncCounts *counts, Error *err)
{
    SyncCounts plan = session_plan(session, prompt);
    Feed feed = {
        .session = session,
        .ids = prompt->ids + plan.reused,
        .total = plan.computed,
        .progress = progress,
    };
    if (counts)
        *counts = plan;
    return check_prompt(session, prompt, (size_t)session->context, err) &&
           select_line(session, prompt, &plan, err) &&
           feed_tokens(&feed, plan.computed, WANT_LAST, err);
}

/* ---- the next token ---- */

static SampleSpec sample_spec(const Session *session, const Sampling *s)
{
    return (SampleSpec){
        .temperature = (float)s->temperature,
        .top_k = s->top_k,
        .top_p = (float)s->top_p,
        .min_p = (float)s->min_p,
        .repeat_penalty = (float)s->repeat_penalty,
        .frequency_penalty = (float)s->frequency_penalty,
        .presence_penalty = (float)s->presence_penalty,
        .repeat_window = s->repeat_window,
        .seed = s->seed,
        .end_ids = session->engine->end_ids.ids,
        .n_end_ids = (int)session->engine->end_ids.n,
    };
}

bool session_next(Session *session, const Sampling *sampling, int32_t *id, const Progress *progress,
                  Error *err)
{
    const BackendOps *ops = session->engine->ops;
    SampleSpec spec = sample_spec(session, sampling);
    KCall call = { .cancel = progress ? progress->cancel : NULL };
    if (progress) {
        call.poll = progress->poll;
        call.arg = progress->arg;
    }
    int n = 0;
    if (session->pending < 0 && !session->has_logits)
        return error_set(err, ERR_USAGE, _("there is no prompt to go on from"));
    if (session->pending >= 0 && (int)session->live.tokens.n >= session->context)
        return error_set(err, ERR_CONTEXT,
                         _("the context of %d tokens is full; take a larger --context"),
                         session->context);
    KStatus status;
    do
        status = ops->step(session->live.timeline, &spec, 1, id, &n, &call);
    while (status == KS_MEMORY && kvcache_evict(&session->cache));
    if (session->pending >= 0 &&
        ops->length(session->live.timeline) > (int)session->live.tokens.n) {
        tokens_push(&session->live.tokens, session->pending);
        session->pending = -1;
        session->has_logits = true;
        session->live.generated = session->live.tokens.n;
    }
    kvcache_trim(&session->cache, 0);
    if (status != KS_OK || n != 1)
        return engine_fault(session->engine, status == KS_OK ? KS_DEVICE : status, err);
    session->pending = *id;
    return true;
}

const float *session_logits(Session *session, int *n, Error *err)
{
    int n_vocab = n_vocab_of(session);
    if (!session->has_logits) {
        error_set(err, ERR_USAGE, _("there is no prompt to go on from"));
        return NULL;
    }
    if (!session->logits)
        session->logits = xcalloc((size_t)n_vocab, sizeof *session->logits);
    KStatus status = session->engine->ops->logits(session->live.timeline, session->logits);
    if (status != KS_OK) {
        engine_fault(session->engine, status, err);
        return NULL;
    }
    *n = n_vocab;
    return session->logits;
}

bool session_tap(Session *session, int layer, int point, float *out, Error *err)
{
    KStatus status = session->engine->ops->tap(session->live.timeline, layer, (TapPoint)point, out);
    return status == KS_OK || engine_fault(session->engine, status, err);
}

/* What profiling generated leaves the cache again. */
static bool drop_profiled(Session *session, Error *err)
{
    KStatus status =
        session->engine->ops->rewind(session->live.timeline, (int)session->live.tokens.n);
    session->pending = -1;
    session->has_logits = false;
    return status == KS_OK || engine_fault(session->engine, status, err);
}

static void take_profile(const KProfile *from, TokenProfile *out)
{
    _Static_assert(K_PHASES <= ARRAY_LEN(out->phase), "room for all phases");
    *out =
        (TokenProfile){ .read_rate = from->read_rate, .ms = from->ms, .n_phases = from->n_phases };
    snprintf(out->driver, sizeof out->driver, "%s", from->driver);
    for (int i = 0; i < from->n_phases; i++) {
        const KPhase *p = &from->phase[i];
        out->phase[i] = (TokenPhase){ p->name, p->ms, p->exchange_ms, p->bytes };
    }
}

bool session_profile(Session *session, int tokens, TokenProfile *out, Error *err)
{
    const BackendOps *ops = session->engine->ops;
    KProfile profile = { 0 };
    if (!ops->profile)
        return error_set(err, ERR_UNSUPPORTED, _("%s: this backend keeps no clocks"), ops->name);
    if (tokens > 0 && !session->has_logits)
        return error_set(err, ERR_USAGE, _("there is no prompt to go on from"));
    if (tokens > 0 && (size_t)session->context < session->live.tokens.n + (size_t)tokens)
        return error_set(err, ERR_CONTEXT, _("%zu tokens do not fit the context of %d"),
                         session->live.tokens.n + (size_t)tokens, session->context);
    KStatus status = ops->profile(session->live.timeline, tokens, &profile);
    if (status != KS_OK) {
        Error ignored = ERROR_INIT; /* what is told is why it ended */
        engine_fault(session->engine, status, err);
        drop_profiled(session, &ignored);
        return false;
    }
    take_profile(&profile, out);
    return tokens <= 0 || drop_profiled(session, err);
}

/* ---- scoring ---- */

/* log softmax(logits)[id] in double, and the best id. */
static TokenScore score_row(const float *logits, int n, int32_t id)
{
    double sum = 0;
    int best = 0;
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    for (int i = 0; i < n; i++)
        sum += exp((double)logits[i] - logits[best]);
    return (TokenScore){ (double)logits[id] - logits[best] - log(sum), best };
}

static bool score_chunks(Feed *feed, size_t n, TokenScore *scores, Error *err)
{
    Session *session = feed->session;
    int n_vocab = n_vocab_of(session);
    if (!session->chunk)
        session->chunk =
            mem_try_alloc((size_t)SCORE_CHUNK * (size_t)n_vocab, sizeof *session->chunk);
    if (!session->chunk)
        return error_set(err, ERR_MEMORY, _("out of memory for scoring; close other programs"));
    for (size_t done = 0; done < n;) {
        int now = n - done < SCORE_CHUNK ? (int)(n - done) : SCORE_CHUNK;
        if (!feed_tokens(feed, now, WANT_ALL, err))
            return false;
        KStatus status = session->engine->ops->logits(session->live.timeline, session->chunk);
        if (status != KS_OK)
            return engine_fault(session->engine, status, err);
        for (int i = 0; i < now; i++)
            scores[done + (size_t)i] =
                score_row(session->chunk + (size_t)i * (size_t)n_vocab, n_vocab, feed->ids[i + 1]);
        done += (size_t)now;
        feed->ids += now;
        feed->from += now;
    }
    /* Those logits are of several tokens. */
    session->has_logits = false;
    return true;
}

bool session_score(Session *session, const Tokens *ids, size_t from, TokenScore *scores,
                   const Progress *progress, Error *err)
{
    if (from < 1 || from > ids->n)
        return error_set(err, ERR_USAGE, _("nothing stands before the first token to be scored"));
    if (!check_prompt(session, ids, (size_t)session->context + 1, err))
        return false;
    if (from == ids->n)
        return true;
    /* The token at from - 1 is evaluated in any case: its logits score the first one. */
    size_t keep = common_prefix(session, ids);
    keep = keep < from - 1 ? keep : from - 1;
    Feed feed = {
        .session = session,
        .ids = ids->ids + keep,
        .total = (int)(ids->n - 1 - keep),
        .progress = progress,
    };
    if (!rewind_to(session, keep, err))
        return false;
    int before = (int)(from - 1 - keep);
    if (before > 0) {
        if (!feed_tokens(&feed, before, WANT_NONE, err))
            return false;
        feed.ids += before;
        feed.from += before;
    }
    return score_chunks(&feed, ids->n - from, scores, err);
}
