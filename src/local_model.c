/* Opening a model for the local provider: how large its context gets, what takes over where a
 * device has no room, and what the user is told of it. */
#include "config.h"

#include "src/local_model.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"

enum {
    AUTO_CONTEXT = 8192,   /* tokens, unless the model has less or the user says */
    SMALLEST_CONTEXT = 512 /* before giving up for want of memory */
};

void local_model_close(LocalModel *m)
{
    session_free(m->session);
    engine_close(m->engine);
    *m = (LocalModel){ .engine = NULL };
}

static int auto_context(const Engine *engine)
{
    ModelInfo info;

    engine_info(engine, &info);
    return info.max_context < AUTO_CONTEXT ? info.max_context : AUTO_CONTEXT;
}

/* Without a wish: as much as the model has up to a limit, and less where memory is short. */
static Session *open_session(Engine *engine, int wanted, Error *err)
{
    int context;
    Error failed = ERROR_INIT;
    Session *session;

    if (wanted)
        return session_new(engine, wanted, err);
    context = auto_context(engine);
    while (!(session = session_new(engine, context, &failed)) && failed.kind == ERR_MEMORY &&
           context / 2 >= SMALLEST_CONTEXT)
        context /= 2;
    if (!session)
        *err = failed;
    return session;
}

/* "Q4_1", or "gptq 4 bit". */
static char *quant_text(const ModelInfo *info)
{
    Buf text = BUF_INIT;

    buf_puts(&text, info->quant);
    if (info->bits > 0 && info->group_size != 0)
        buf_printf(&text, _(" %d bit"), info->bits);
    return buf_take(&text);
}

/* What the screen calls a model: the last part of a path, ORG/NAME as it is. */
static const char *short_name(const char *model)
{
    const char *slash = strrchr(model, '/');

    return slash && slash[1] && (model[0] == '/' || model[0] == '.') ? slash + 1 : model;
}

/* What was not as one would have expected. */
static char *opened_notice(const LocalModel *m, const Request *request)
{
    int context = session_context(m->session);
    Buf text = BUF_INIT;
    ModelInfo info;

    engine_info(m->engine, &info);
    if (!request->context && context < auto_context(m->engine))
        buf_printf(&text,
                   _("the context is %d tokens instead of %d: there is no memory for more; close "
                     "other programs or take a smaller model"),
                   context, auto_context(m->engine));
    if (m->fell_back || *info.passed_over) {
        buf_puts(&text, text.len ? "; " : "");
        buf_printf(&text, _("running on %s, because of this: %s"), info.backend,
                   m->fell_back ? m->fallback.text : info.passed_over);
    }
    return buf_take(&text);
}

Event *local_model_event(const LocalModel *m, const Request *request, const char *path,
                         double load_ms)
{
    Event *event = event_new(EVENT_OPENED);
    ModelInfo info;

    engine_info(m->engine, &info);
    event->model = (ModelSummary){
        .name = xstrdup(short_name(request->model)),
        .path = xstrdup(path),
        .quant = quant_text(&info),
        .backend = xstrdup(info.backend),
        .chat_format = xstrdup(info.chat_format),
        .tokenizer_key = xstrdup(info.tokenizer_key),
        .context = session_context(m->session),
        .n_vocab = info.n_vocab,
        .notice = opened_notice(m, request),
        .load_ms = load_ms,
        .sampling = SAMPLING_INIT,
    };
    event->model.has_sampling = engine_default_sampling(m->engine, &event->model.sampling);
    return event;
}

static bool is_free_choice(const char *backend)
{
    return !backend || !*backend || strcmp(backend, "auto") == 0;
}

bool local_model_open(LocalModel *m, const Request *request, const char *path,
                      const Progress *progress, Error *err)
{
    EngineOptions options = {
        .model = path,
        .backend = request->backend,
        .isa = request->isa,
        .decoder = request->decoder,
        .threads = request->threads,
        .chat_format = request->chat_format,
        .kv_budget = request->kv_budget < 0 ? -1 : (int64_t)request->kv_budget * 1024 * 1024,
    };

    ModelInfo info;

    m->fell_back = false;
    m->engine = engine_open(&options, progress, err);
    if (!m->engine)
        return false;
    m->session = open_session(m->engine, request->context, err);
    engine_info(m->engine, &info);
    if (m->session || err->kind != ERR_MEMORY || !is_free_choice(request->backend) ||
        strncmp(info.backend, "cpu", 3) == 0)
        return m->session != NULL;
    /* The device holds the weights, but no context: the host may. */
    m->fell_back = true;
    m->fallback = *err;
    *err = (Error)ERROR_INIT;
    engine_close(m->engine);
    options.backend = "cpu";
    m->engine = engine_open(&options, progress, err);
    if (m->engine)
        m->session = open_session(m->engine, request->context, err);
    return m->session != NULL;
}
