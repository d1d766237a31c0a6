/* The table of chat formats.  A new one is a row here and its signature in format_template.c. */
#include "config.h"

#include "engine/format.h"

#include "src/base/attributes.h"
#include "src/base/i18n.h"

static const FormatRow rows[] = {
    { .name = "llama2",
      .summary = N_("Llama 2 as Meta writes it: [INST] and [/INST]"),
      .begin = "",
      .fold = "<<SYS>>\n{system}\n<</SYS>>\n\n{text}",
      .user = "{bos}[INST] {text} [/INST]",
      .reply_open = "",
      .text_open = " ",
      .text_close = " {eos}",
      .ids_close = "{eos}",
      .flags = FORMAT_TRIM_USER | FORMAT_TRIM_REPLY,
      .stops = { "</s>" } },
    { .name = "elyza",
      .summary = N_("ELYZA's Llama 2: a space after the last [/INST], messages as they are"),
      .begin = "",
      .fold = "<<SYS>>\n{system}\n<</SYS>>\n\n{text}",
      .user = "{bos}[INST] {text} [/INST]",
      .reply_open = " ",
      .text_open = "",
      .text_close = " {eos}",
      .ids_close = "{eos}",
      .flags = FORMAT_TRIM_REPLY,
      .stops = { "</s>" } },
    { .name = "chatml",
      .summary = N_("ChatML: <|im_start|> and <|im_end|> (SmolLM2, Qwen)"),
      .begin = "",
      .system = "<|im_start|>system\n{text}<|im_end|>\n",
      .user = "<|im_start|>user\n{text}<|im_end|>\n",
      .reply_open = "<|im_start|>assistant\n",
      .text_open = "",
      .text_close = "<|im_end|>\n",
      .ids_close = "<|im_end|>\n",
      .stops = { "<|im_end|>", "<|endoftext|>" } },
    { .name = "llama3",
      .summary = N_("Llama 3: <|start_header_id|> and <|eot_id|>"),
      .begin = "{bos}",
      .system = "<|start_header_id|>system<|end_header_id|>\n\n{text}<|eot_id|>",
      .user = "<|start_header_id|>user<|end_header_id|>\n\n{text}<|eot_id|>",
      .reply_open = "<|start_header_id|>assistant<|end_header_id|>\n\n",
      .text_open = "",
      .text_close = "<|eot_id|>",
      .ids_close = "<|eot_id|>",
      .flags = FORMAT_TRIM_SYSTEM | FORMAT_TRIM_USER | FORMAT_TRIM_REPLY,
      .stops = { "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>" } },
    { .name = "mistral",
      .summary = N_("Mistral: [INST] and [/INST], one BOS"),
      .begin = "{bos}",
      .fold = "{system}\n\n{text}",
      .user = "[INST] {text} [/INST]",
      .reply_open = "",
      .text_open = "",
      .text_close = "{eos}",
      .ids_close = "{eos}",
      .stops = { "</s>" } },
    { .name = "zephyr",
      .summary = N_("Zephyr: <|user|> and <|assistant|> (TinyLlama)"),
      .begin = "",
      .system = "<|system|>\n{text}{eos}\n",
      .user = "<|user|>\n{text}{eos}\n",
      .reply_open = "<|assistant|>\n",
      .text_open = "",
      .text_close = "{eos}\n",
      .ids_close = "{eos}\n",
      .stops = { "</s>" } },
    { .name = "plain",
      .summary = N_("no markup: the texts one after another, with empty lines between"),
      .begin = "",
      .system = "{text}\n\n",
      .user = "{text}\n\n",
      .reply_open = "",
      .text_open = "",
      .text_close = "\n\n",
      .ids_close = "\n\n",
      .flags = FORMAT_BOS_BY_MODEL },
};

const FormatRow *format_rows(size_t *n)
{
    *n = ARRAY_LEN(rows);
    return rows;
}

const FormatRow *format_row(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq_c(name, rows[i].name))
            return &rows[i];
    return NULL;
}
