#!/usr/bin/env python3
"""make_tokenizer.py OUT [SIZE]: trains tokenizer.json on generated conversations.  Its result is committed, so that
training the model does not need to make it anew; the same numbers give the same file."""
import random
import sys

import bpe
import chat
from data import conversation

SEEDS = range(10_000_000, 10_040_000)  # apart from those of training
# Characters that are in the vocabulary however rare: ASCII, kana, full-width signs and digits.
ALWAYS = ''.join(map(chr, range(0x21, 0x7f))) + ''.join(map(chr, range(0x3041, 0x3097))) + \
    ''.join(map(chr, range(0x30a1, 0x30fd))) + '、。「」『』・…！？：；（）＋－＝０１２３４５６７８９〜'


def segments():
    for seed in SEEDS:
        made = conversation.make(random.Random(seed))
        for i, (user, reply, _) in enumerate(made['turns']):
            yield chat.prompt_text(made['system'] if i == 0 else None, user)
            yield reply
    for _ in range(4):
        for c in ALWAYS:
            yield c


def main():
    out, size = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5120
    tokens, merges = bpe.train(segments(), size)
    bpe.save(out, tokens, merges)
    print(f'{len(tokens)} tokens, {len(merges)} merges')


if __name__ == '__main__':
    main()
