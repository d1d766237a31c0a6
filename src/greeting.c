/* The greeting of a first run: when it is due, and what it says.  The names of files are those of
 * the model's repository; its duplicate of the weights, model.safetensors, is left out. */
#include "config.h"

#include "src/greeting.h"

#include "src/base/i18n.h"
#include "src/base/log.h"
#include "src/chat.h"
#include "src/start.h"
#include "src/store.h"

static const char SHOWN[] = "greeted";

bool greeting_is_due(const ChatStart *start)
{
    Buf shown = BUF_INIT;
    bool was_shown = !start->store || store_get(start->store, SHOWN, &shown);

    buf_release(&shown);
    return !was_shown && !start->first_message && !options_flag(start->options, "private") &&
           !store_newest(start->store);
}

void greeting_was_shown(const ChatStart *start)
{
    Error err = ERROR_INIT;

    if (!store_set(start->store, SHOWN, STR("1"), &err))
        log_write(LOG_WARN, "greeting not marked as shown: %s", err.text);
}

/* Who answers until that model is there. */
static void write_present_model(const ChatStart *start, Buf *out)
{
    Buf model = BUF_INIT;

    if (!start_choose_model(start->options, start->store, &model))
        buf_printf(out, "\n%s\n", _("Until then no model is open and nobody answers."));
    else if (start_is_bundled(buf_cstr(&model)))
        buf_printf(out, "\n%s\n",
                   _("Until then a tiny bundled model answers: it knows kaiwa, and little else."));
    buf_release(&model);
}

void greeting_write(const ChatStart *start, Buf *out)
{
    buf_printf(out, "%s\n",
               _("Welcome to kaiwa.  Type a message and press Enter; /help explains the rest."));
    buf_printf(out, "%s\n\n",
               _("This greeting is no part of a conversation; /welcome repeats it."));
    buf_printf(out, "%s\n", _("kaiwa is made for this model (4 bits, 4.1 GB):"));
    buf_puts(out, "    huggingface.co/" START_MODEL "\n");
    buf_printf(out, "%s\n", _("To install it, save these files in one folder, such as ~/elyza:"));
    buf_puts(out, "    config.json  quantize_config.json  tokenizer.json\n"
                  "    tokenizer_config.json  special_tokens_map.json\n"
                  "    gptq_model-4bit-128g.safetensors\n");
    buf_printf(out, "%s\n", _("The tool hf fetches them at once:"));
    buf_puts(out, "    hf download " START_MODEL " \\\n"
                  "        --exclude model.safetensors --local-dir ~/elyza\n");
    buf_printf(out, "%s\n", _("Then"));
    buf_printf(out, "    kaiwa models add ~/elyza     %s\n", _("makes it known, as elyza"));
    buf_printf(out, "    kaiwa models verify elyza    %s\n", _("says whether anything is missing"));
    buf_printf(out, "    kaiwa -m elyza               %s\n",
               _("opens it, and from then on so does kaiwa"));
    write_present_model(start, out);
}
