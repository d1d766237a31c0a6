/* The table of options: what every one is called, holds and means.  Nothing else knows their names
 * but the code that reads a setting; --help, completions, kaiwa.conf and the man pages come from
 * here.  Defaults that depend on the model (sampling) are told in words. */
#include "config.h"

#include "src/option.h"

#include <string.h>

#include "src/base/attributes.h"
#include "src/base/i18n.h"

#define ANYWHERE (OPTION_EVERYWHERE | OPTION_IN_FILE)
#define MODELS (OPTION_MODEL | OPTION_IN_FILE)
#define REPLIES (OPTION_GENERATION | OPTION_IN_FILE)

/* TRANSLATORS: arguments of options, as in --model MODEL. */
#define ARG_FILE N_("FILE")
#define ARG_NUMBER N_("N")
#define ARG_REAL N_("X")
#define ARG_TEXT N_("TEXT")
#define ARG_NAME N_("NAME")

static const OptionRow options[] = {
    { .name = "model", .letter = 'm', .type = OPTION_STRING, .argument = N_("MODEL"),
      .help = N_("the model: a directory, a .gguf file, ORG/NAME or a bare name"),
      .use = MODELS | OPTION_TOKENIZE },
    { .name = "continue", .letter = 'c', .type = OPTION_FLAG,
      .help = N_("go on with the newest conversation"), .use = OPTION_GENERATION },
    { .name = "resume", .letter = 'r', .type = OPTION_STRING, .argument = N_("ID"),
      .help = N_("go on with a conversation: its number, the start of its uid, or its title"),
      .use = OPTION_GENERATION },
    { .name = "system", .letter = 's', .type = OPTION_STRING, .argument = ARG_TEXT,
      .help = N_("system prompt of a new conversation"), .use = REPLIES },
    { .name = "persona", .letter = 'p', .type = OPTION_STRING, .argument = ARG_NAME,
      .help = N_("start with the settings of [persona NAME] in kaiwa.conf"), .use = REPLIES },
    { .name = "temperature", .letter = 't', .type = OPTION_REAL, .initial = "0.6", .min = 0, .max = 100,
      .argument = ARG_REAL, .help = N_("0 always takes the likeliest token; higher is more varied"),
      .use = REPLIES },
    { .name = "top-k", .type = OPTION_INT, .initial = "50", .min = 0, .max = 1000000000,
      .argument = ARG_NUMBER, .help = N_("choose among the N likeliest tokens; 0 for all"), .use = REPLIES },
    { .name = "top-p", .type = OPTION_REAL, .initial = "0.9", .min = 0, .max = 1, .argument = ARG_REAL,
      .help = N_("choose among the likeliest tokens that add up to X; 1 for all"), .use = REPLIES },
    { .name = "min-p", .type = OPTION_REAL, .initial = "0", .min = 0, .max = 1, .argument = ARG_REAL,
      .help = N_("drop tokens less likely than X times the likeliest"), .use = REPLIES },
    { .name = "repeat-penalty", .type = OPTION_REAL, .initial = "1", .min = 0.01, .max = 100,
      .argument = ARG_REAL, .help = N_("make tokens that occurred less likely; 1 for off"), .use = REPLIES },
    { .name = "frequency-penalty", .type = OPTION_REAL, .initial = "0", .min = -100, .max = 100,
      .argument = ARG_REAL, .help = N_("taken off the logit for each time a token occurred"),
      .use = REPLIES },
    { .name = "presence-penalty", .type = OPTION_REAL, .initial = "0", .min = -100, .max = 100,
      .argument = ARG_REAL, .help = N_("taken off the logit of every token that occurred"),
      .use = REPLIES },
    { .name = "repeat-window", .type = OPTION_INT, .initial = "0", .min = 0, .max = 1000000000,
      .argument = ARG_NUMBER, .help = N_("how many last tokens the penalties look at; 0 for all"),
      .use = REPLIES },
    { .name = "seed", .type = OPTION_INT, .initial = "0", .min = 0, .max = 9223372036854775807.0,
      .argument = ARG_NUMBER, .help = N_("start of the random numbers; 0 for a new one each reply"),
      .use = REPLIES },
    { .name = "max-tokens", .letter = 'n', .type = OPTION_INT, .initial = "0", .min = 0,
      .max = 1000000000, .argument = ARG_NUMBER,
      .help = N_("longest reply; 0 for as long as the context lasts"), .use = REPLIES },
    { .name = "stop", .type = OPTION_LIST, .argument = ARG_TEXT,
      .help = N_("end a reply where it says TEXT; may be given several times"), .use = REPLIES },
    { .name = "raw", .type = OPTION_FLAG,
      .help = N_("no chat format: the text as it is, after BOS where the model wants it"),
      .use = OPTION_ASK },
    { .name = "ids", .type = OPTION_FLAG, .help = N_("the text is token ids, used as they are"),
      .use = OPTION_ASK },
    { .name = "save", .type = OPTION_FLAG, .help = N_("keep the question and the reply"),
      .use = OPTION_ASK },
    { .name = "json", .type = OPTION_FLAG, .help = N_("print JSON"),
      .use = OPTION_ASK | OPTION_ROWS },
    { .name = "stats", .type = OPTION_FLAG,
      .help = N_("one line of JSON with counts and times on standard error after each reply"),
      .use = REPLIES },
    { .name = "special", .type = OPTION_FLAG,
      .help = N_("control tokens written in the text are control tokens"), .use = OPTION_TOKENIZE },
    { .name = "null", .letter = '0', .type = OPTION_FLAG,
      .help = N_("inputs (tokenize) or outputs (detokenize) end in NUL instead of a newline"),
      .use = OPTION_TOKENIZE },
    { .name = "encoding", .type = OPTION_STRING, .argument = ARG_NAME,
      .help = N_("character set of the input, where it is not to be recognised"),
      .use = OPTION_ASK | OPTION_CHAT | OPTION_TOKENIZE | OPTION_IN_FILE },
    { .name = "format", .type = OPTION_CHOICE, .initial = "md", .choices = "md|json|txt",
      .argument = N_("FORMAT"), .help = N_("what to write: md, json or txt"), .use = OPTION_EXPORT },
    { .name = "output", .letter = 'o', .type = OPTION_STRING, .argument = ARG_FILE,
      .help = N_("write to FILE instead of standard output"), .use = OPTION_EXPORT },
    { .name = "prompt", .type = OPTION_STRING, .initial = "128,512", .argument = N_("N,..."),
      .help = N_("lengths of prompts to read"), .use = OPTION_BENCH },
    { .name = "generate", .type = OPTION_INT, .initial = "64", .min = 0, .max = 1000000,
      .argument = ARG_NUMBER, .help = N_("how many tokens to generate; 0 for none"),
      .use = OPTION_BENCH },
    { .name = "depth", .type = OPTION_STRING, .initial = "0,512", .argument = N_("N,..."),
      .help = N_("how many tokens are in the context before"), .use = OPTION_BENCH },
    { .name = "repeat", .type = OPTION_INT, .initial = "5", .min = 1, .max = 10000,
      .argument = ARG_NUMBER, .help = N_("how often to measure"), .use = OPTION_BENCH },
    { .name = "format", .type = OPTION_CHOICE, .initial = "table", .choices = "table|csv|json",
      .argument = N_("FORMAT"), .help = N_("what to print: table, csv or json"), .use = OPTION_BENCH },
    { .name = "plain", .type = OPTION_FLAG,
      .help = N_("no screen: one message a line, replies on standard output"),
      .use = OPTION_CHAT | OPTION_IN_FILE },
    { .name = "private", .type = OPTION_FLAG, .help = N_("keep nothing on disk"),
      .use = OPTION_CHAT | OPTION_IN_FILE },
    { .name = "ambiguous-width", .type = OPTION_CHOICE, .initial = "1", .choices = "1|2",
      .argument = "1|2", .help = N_("columns that the terminal gives to characters of ambiguous width"),
      .use = OPTION_CHAT | OPTION_IN_FILE },
    { .name = "context", .type = OPTION_INT, .initial = "0", .min = 0, .max = 1000000000,
      .argument = ARG_NUMBER, .help = N_("size of the context in tokens; 0 for automatic"), .use = MODELS },
    { .name = "chat-format", .type = OPTION_STRING, .argument = ARG_NAME,
      .help = N_("how a conversation becomes a prompt, where the model is not to decide"), .use = MODELS },
    { .name = "threads", .type = OPTION_INT, .initial = "0", .min = 0, .max = 1024,
      .argument = ARG_NUMBER, .help = N_("threads on the CPU; 0 for one for each core"), .use = MODELS },
    { .name = "isa", .type = OPTION_CHOICE, .initial = "auto", .choices = "auto|generic|avx2|avx512",
      .argument = ARG_NAME, .help = N_("instruction set: auto, generic, avx2 or avx512"), .use = MODELS },
    { .name = "backend", .type = OPTION_CHOICE, .initial = "auto", .choices = "auto|cpu|cuda",
      .argument = ARG_NAME, .help = N_("where to compute: auto, cpu or cuda"), .use = ANYWHERE },
    { .name = "db", .type = OPTION_STRING, .argument = ARG_FILE,
      .help = N_("the file that holds the conversations"), .use = ANYWHERE },
    { .name = "config", .type = OPTION_STRING, .argument = ARG_FILE,
      .help = N_("read FILE instead of the usual kaiwa.conf"),
      .use = OPTION_EVERYWHERE | OPTION_IN_ENVIRONMENT },
    { .name = "lang", .type = OPTION_STRING, .argument = "ja|en",
      .help = N_("language of kaiwa's own words"), .use = ANYWHERE },
    { .name = "log", .type = OPTION_STRING, .argument = ARG_FILE,
      .help = N_("write a log for diagnosis"), .use = ANYWHERE },
    { .name = "log-level", .type = OPTION_CHOICE, .initial = "info", .choices = "error|warn|info|debug",
      .argument = ARG_NAME, .help = N_("what the log holds: error, warn, info or debug"),
      .use = ANYWHERE },
    { .name = "help", .letter = 'h', .type = OPTION_FLAG, .help = N_("show help and end"),
      .use = OPTION_EVERYWHERE },
    { .name = "version", .letter = 'V', .type = OPTION_FLAG,
      .help = N_("show the version, what was built in and what this machine uses, and end"),
      .use = OPTION_EVERYWHERE },
    { .name = "completion", .type = OPTION_CHOICE, .choices = "bash|zsh|fish", .argument = N_("SHELL"),
      .help = N_("print completions for bash, zsh or fish, and end"), .use = OPTION_EVERYWHERE },
    { .name = "provider", .type = OPTION_STRING, .initial = "local", .argument = ARG_NAME,
      .help = N_("where replies come from: local, or script:FILE"),
      .use = OPTION_GENERATION | OPTION_IN_ENVIRONMENT | OPTION_SERVICE },
    { .name = "headless", .type = OPTION_STRING, .argument = N_("COLUMNSxROWS"),
      .help = N_("draw the screen into memory, for tests"), .use = OPTION_CHAT | OPTION_SERVICE },
    { .name = "keys", .type = OPTION_STRING, .argument = ARG_FILE,
      .help = N_("keys and events for --headless"), .use = OPTION_CHAT | OPTION_SERVICE },
};

const OptionRow *option_table(size_t *n)
{
    *n = ARRAY_LEN(options);
    return options;
}

const OptionRow *option_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}
