"""A conversation as token ids, exactly as kaiwa's chat format `elyza` writes it (engine/formats.c): a turn is
<s>[INST] TEXT [/INST] with a space at the end, then the reply's own ids and </s>; the system prompt stands
inside of the first message."""
from bpe import BOS, EOS, SPACE


def prompt_text(system, user):
    if system is not None:
        user = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + user
    return '[INST] ' + user + ' [/INST] '


def reply_ids(tokenizer, reply):
    """What the model is to generate: no space is prepended, since the prompt ends with one."""
    return tokenizer.encode_spelt(reply.replace(' ', SPACE))


def render(tokenizer, system, turns):
    """turns: (user, reply) pairs; a reply of None leaves the prompt open.  Returns (ids, is_reply)."""
    ids, is_reply = [], []
    for i, (user, reply) in enumerate(turns):
        part = [BOS] + tokenizer.encode(prompt_text(system if i == 0 else None, user))
        ids += part
        is_reply += [0] * len(part)
        if reply is not None:
            part = reply_ids(tokenizer, reply) + [EOS]
            ids += part
            is_reply += [1] * len(part)
    return ids, is_reply
