/* Slash commands on what shapes replies: system, persona, set, params and model.
 *
 * A value is checked by the row of the option table that it belongs to, so that --top-p,
 * top-p = ... and /set top-p never differ. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "src/base/attributes.h"
#include "src/base/i18n.h"
#include "src/slash_parts.h"

/* ---- /system ---- */

static void show_system(SlashContext *context)
{
    const Conversation *conversation = chat_conversation(context->start->chat);

    if (conversation->system.len)
        buf_printf(context->out, "%s\n", buf_cstr(&conversation->system));
    else
        slash_say(context, "%s", _("no system prompt"));
}

SlashResult slash_system(SlashContext *context, Str argument, Error *err)
{
    const char *usual = options_string(context->start->options, "system");

    if (!argument.len && !context->plain)
        return slash_view(context, "system", argument);
    if (!argument.len || str_eq_c(argument, "show")) {
        show_system(context);
        return SLASH_DONE;
    }
    if (str_eq_c(argument, "reset"))
        argument = str_from(usual);
    if (!chat_set_system(context->start->chat, argument, err))
        return SLASH_NONE;
    slash_say(context, "%s",
              argument.len ? _("system prompt changed") : _("system prompt removed"));
    return SLASH_DONE;
}

/* ---- /set and /params ---- */

typedef struct {
    const char *name, *option;
} SettingName;

/* What other programs call them. */
static const SettingName aliases[] = {
    { "temp", "temperature" },
    { "repeat", "repeat-penalty" },
    { "max", "max-tokens" },
};

static const char *const settings[] = {
    "temperature",
    "top-k",
    "top-p",
    "min-p",
    "repeat-penalty",
    "frequency-penalty",
    "presence-penalty",
    "repeat-window",
    "seed",
    "max-tokens",
};

const char *const *slash_settings(size_t *n)
{
    *n = ARRAY_LEN(settings);
    return settings;
}

static const char *option_of(Str name)
{
    char plain[32];

    if (name.len >= sizeof plain)
        return NULL;
    for (size_t i = 0; i < name.len; i++)
        plain[i] = name.data[i] == '_' ? '-' : name.data[i];
    plain[name.len] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (strcmp(settings[i], plain) == 0)
            return settings[i];
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
        if (strcmp(aliases[i].name, plain) == 0)
            return aliases[i].option;
    return NULL;
}

/* One value, through an option set of its own. */
static bool apply_setting(Str name, Str value, Sampling *sampling, int *max_tokens, Error *err)
{
    const char *option = option_of(name);
    Options *scratch;
    bool good;

    if (!option)
        return error_set(err, ERR_USAGE, _("%.*s: unknown setting; /params shows them all"),
                         (int)(name.len < 40 ? name.len : 40), name.data);
    if (!value.len)
        return error_set(err, ERR_USAGE, _("%s: a value is missing; write /set %s VALUE"), option,
                         option);
    scratch = options_new();
    good = options_set(scratch, option, value, err);
    if (good) {
        options_sampling_given(scratch, sampling);
        if (options_is_given(scratch, "max-tokens"))
            *max_tokens = options_int(scratch, "max-tokens");
    }
    options_free(scratch);
    return good;
}

bool slash_apply_settings(Str pairs, Sampling *sampling, int *max_tokens, Error *err)
{
    while (pairs.len) {
        Str word = slash_word(&pairs), value;
        ptrdiff_t equals = str_find(word, STR("="));

        if (equals >= 0) {
            value = str_from_offset(word, (size_t)equals + 1);
            word.len = (size_t)equals;
        } else {
            value = slash_word(&pairs);
            if (str_eq_c(value, "="))
                value = slash_word(&pairs);
        }
        if (!apply_setting(word, value, sampling, max_tokens, err))
            return false;
    }
    return true;
}

static bool save_settings(SlashContext *context, const Sampling *sampling, int max_tokens,
                          Error *err)
{
    return chat_set_sampling(context->start->chat, sampling, err) &&
           chat_set_max_tokens(context->start->chat, max_tokens, err);
}

static void show_settings(SlashContext *context)
{
    const Conversation *conversation = chat_conversation(context->start->chat);
    const Sampling *sampling = &conversation->sampling;
    Buf *out = context->out;

    buf_printf(out, "temperature %g\n", sampling->temperature);
    buf_printf(out, "top-k %d\n", sampling->top_k);
    buf_printf(out, "top-p %g\n", sampling->top_p);
    buf_printf(out, "min-p %g\n", sampling->min_p);
    buf_printf(out, "repeat-penalty %g\n", sampling->repeat_penalty);
    buf_printf(out, "frequency-penalty %g\n", sampling->frequency_penalty);
    buf_printf(out, "presence-penalty %g\n", sampling->presence_penalty);
    buf_printf(out, "repeat-window %d\n", sampling->repeat_window);
    buf_printf(out, "seed %" PRIu64 "\n", sampling->seed);
    buf_printf(out, "max-tokens %d\n", conversation->max_tokens);
}

SlashResult slash_set(SlashContext *context, Str argument, Error *err)
{
    const Conversation *conversation = chat_conversation(context->start->chat);
    Sampling sampling = conversation->sampling;
    int max_tokens = conversation->max_tokens;

    if (!argument.len) {
        show_settings(context);
        return SLASH_DONE;
    }
    if (!slash_apply_settings(argument, &sampling, &max_tokens, err) ||
        !save_settings(context, &sampling, max_tokens, err))
        return SLASH_NONE;
    slash_say(context, _("set: %.*s"), (int)argument.len, argument.data);
    return SLASH_DONE;
}

SlashResult slash_params(SlashContext *context, Str argument, Error *err)
{
    const ModelSummary *model = chat_status(context->start->chat)->model;
    const Options *options = context->start->options;
    Sampling sampling;

    if (argument.len && !str_eq_c(argument, "reset"))
        return slash_fail(err, "%s", _("/params: write /params or /params reset"));
    if (argument.len) {
        options_sampling(options, model && model->has_sampling ? &model->sampling : NULL,
                         &sampling);
        if (!save_settings(context, &sampling, options_int(options, "max-tokens"), err))
            return SLASH_NONE;
    }
    show_settings(context);
    return SLASH_DONE;
}

/* ---- /persona ---- */

typedef struct {
    SlashContext *context;
    Sampling sampling;
    int max_tokens;
    Error *err;
    bool good;
} Persona;

static void take_line(void *arg, Str name, Str value)
{
    Persona *persona = arg;

    if (!persona->good)
        return;
    if (str_eq_c(name, "system"))
        persona->good = chat_set_system(persona->context->start->chat, value, persona->err);
    else if (option_of(name))
        persona->good =
            apply_setting(name, value, &persona->sampling, &persona->max_tokens, persona->err);
}

static void list_personas(SlashContext *context)
{
    const char *names[64];
    size_t n = options_sections(context->start->options, "persona ", names, ARRAY_LEN(names));

    for (size_t i = 0; i < n; i++)
        buf_printf(context->out, "%s\n", names[i] + strlen("persona "));
    if (!n)
        slash_say(context, "%s", _("no persona; write sections [persona NAME] in kaiwa.conf"));
}

SlashResult slash_persona(SlashContext *context, Str argument, Error *err)
{
    const Conversation *conversation = chat_conversation(context->start->chat);
    Persona persona = { context, conversation->sampling, conversation->max_tokens, err, true };
    const char *names[64];
    size_t n = options_sections(context->start->options, "persona ", names, ARRAY_LEN(names));
    const char *section = NULL;

    if (!argument.len) {
        list_personas(context);
        return SLASH_DONE;
    }
    for (size_t i = 0; i < n; i++)
        if (str_eq_c(argument, names[i] + strlen("persona ")))
            section = names[i];
    if (!section)
        return slash_fail(err, _("%.*s: no such persona; /persona lists them"),
                          (int)(argument.len < 60 ? argument.len : 60), argument.data);
    options_section(context->start->options, section, take_line, &persona);
    if (!persona.good || !save_settings(context, &persona.sampling, persona.max_tokens, err))
        return SLASH_NONE;
    slash_say(context, _("persona: %.*s"), (int)argument.len, argument.data);
    return SLASH_DONE;
}

/* ---- /model ---- */

static SlashResult show_models(SlashContext *context, Error *err)
{
    const ModelSummary *model = chat_status(context->start->chat)->model;
    ModelList list = { 0 };

    if (model)
        buf_printf(context->out, _("open: %s (%s, %s)\n"), model->name ? model->name : "?",
                   model->quant ? model->quant : "?", model->backend ? model->backend : "?");
    if (!engine_list_models(&list, err))
        return SLASH_NONE;
    for (size_t i = 0; i < list.n; i++)
        buf_printf(context->out, "%s\n", list.entry[i].name);
    if (!list.n && !model)
        start_no_model_write(context->out);
    buf_putc(context->out, '\n');
    model_list_release(&list);
    return SLASH_DONE;
}

SlashResult slash_model(SlashContext *context, Str argument, Error *err)
{
    Buf name = BUF_INIT, path = BUF_INIT;
    bool good;

    if (!argument.len)
        return show_models(context, err);
    buf_append_str(&name, argument);
    /* Looked up here already: a misspelt name must not close the model that is open. */
    good = strncmp(options_string(context->start->options, "provider"), "local", 5) != 0 ||
           engine_locate(buf_cstr(&name), &path, err);
    good = good && start_open_model(context->start, buf_cstr(&name), err);
    buf_release(&name);
    buf_release(&path);
    return slash_done(good);
}
