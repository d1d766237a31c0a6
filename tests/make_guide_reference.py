#!/usr/bin/env python3
"""make_guide_reference.py > tests/data/guide_reference.json

What the bundled guide must answer: conversations with it as Hugging Face transformers computes them in float32, the
likeliest token each time, on the weights that its 4-bit file means, (q - zero) * scale.  Needs torch, transformers,
tokenizers and numpy; shares no code with kaiwa or with models/guide.  To be run again when the guide changes.
"""
import hashlib
import json
import pathlib
import sys

import numpy
import tokenizers
import torch
import transformers

GUIDE = pathlib.Path(__file__).resolve().parents[1] / 'models/guide'
LONGEST = 160  # tokens of a reply
CONVERSATIONS = [
    ('a newcomer, in Japanese', None, [
        'はじめまして、直美と申します。', 'ELYZA のモデルはどこで手に入りますか。', '6たす7は？', '返答を止めるには？',
        'わたしの名前を覚えていますか。']),
    ('a newcomer, in English', None, [
        'Hi there! My name is Laura.', 'How do I get the ELYZA model?', 'What is 14 minus 5?', 'Why are replies so slow?',
        'What is my name?']),
    ('Kansai dialect', '関西弁で話してください。', ['こんにちは。', 'KV キャッシュって何？']),
    ('one line', 'Answer in one line.', ['What is a system prompt?', 'How do I search my conversations?']),
    ('English only', '英語だけで答えてください。', ['会話を書き出すには？']),
    ('stories', None, ['くまとあざらしの話をして', 'Tell me a story about a fox and an owl.']),
    ('what it does not know', None, ['フランス革命はいつ始まりましたか。', 'Write a sorting function in C.']),
]


def tensors_of(path):
    data = numpy.fromfile(path, numpy.uint8)
    length = int(data[:8].view(numpy.uint64)[0])
    header = json.loads(data[8:8 + length].tobytes())
    header.pop('__metadata__', None)
    types = {'F16': numpy.float16, 'F32': numpy.float32, 'I32': numpy.int32}
    return {name: data[8 + length + t['data_offsets'][0]:8 + length + t['data_offsets'][1]]
            .view(types[t['dtype']]).reshape(t['shape']) for name, t in header.items()}


def dequantised(tensors, name):
    """A matrix [out, in] of AutoGPTQ's version 1: eight 4-bit numbers a word, zero points stored less one."""
    def unpack(words):
        return numpy.stack([words.view(numpy.uint32) >> shift & 15 for shift in range(0, 32, 4)], -1).astype(numpy.float32)

    words = tensors[name + '.qweight']
    codes = unpack(words).transpose(0, 2, 1).reshape(-1, words.shape[1])
    zeros = unpack(tensors[name + '.qzeros']).reshape(len(tensors[name + '.qzeros']), -1) + 1
    group = tensors[name + '.g_idx']
    return ((codes - zeros[group]) * tensors[name + '.scales'].astype(numpy.float32)[group]).T


def weights(path):
    tensors, out = tensors_of(path), {}
    for name, tensor in tensors.items():
        base, _, part = name.rpartition('.')
        if part == 'qweight':
            out[base + '.weight'] = dequantised(tensors, base)
        elif part == 'weight':
            out[name] = tensor.astype(numpy.float32)
    return {name: torch.from_numpy(numpy.ascontiguousarray(array)) for name, array in out.items()}


def load(path):
    config = json.loads((GUIDE / 'config.json').read_text())
    config.pop('quantization_config')
    net = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config)).float().eval()
    missing, unexpected = net.load_state_dict(weights(path), strict=False)
    assert missing == ['lm_head.weight'] and not unexpected, (missing, unexpected)
    net.tie_weights()
    return net


def reply(net, prompt):
    """(ids, margin of each: the best logit less the second one)"""
    ids, margins, past, given = [], [], None, prompt
    with torch.no_grad():
        while len(ids) < LONGEST and ids[-1:] != [2]:
            done = net(torch.tensor([given]), past_key_values=past, use_cache=True)
            past = done.past_key_values
            best = torch.topk(done.logits[0, -1], 2)
            ids.append(int(best.indices[0]))
            margins.append(round(float(best.values[0] - best.values[1]), 4))
            given = ids[-1:]
    return ids, margins


def converse(net, tokenizer, name, system, questions):
    ids, turns = [], []
    for i, question in enumerate(questions):
        text = f'<<SYS>>\n{system}\n<</SYS>>\n\n{question}' if system and i == 0 else question
        ids = ids + [1] + tokenizer.encode(f'[INST] {text} [/INST] ', add_special_tokens=False).ids
        out, margins = reply(net, ids)
        said = out[:-1] if out[-1] == 2 else out
        turns.append({'user': question, 'reply': tokenizer.decode(said), 'prompt_ids': ids, 'out': out, 'margin': margins})
        ids = ids + out
    return {'name': name, 'system': system, 'turns': turns}


def main():
    (path,) = GUIDE.glob('*.safetensors')
    net, tokenizer = load(path), tokenizers.Tokenizer.from_file(str(GUIDE / 'tokenizer.json'))
    made = [converse(net, tokenizer, *row) for row in CONVERSATIONS]
    head = {'weights_sha256': hashlib.sha256(path.read_bytes()).hexdigest(), 'transformers': transformers.__version__,
            'torch': torch.__version__.split('+')[0]}
    lines = [json.dumps(c, ensure_ascii=False).replace('"turns": [{', '"turns": [\n{').replace('}, {"user"', '},\n{"user"')
             for c in made]
    sys.stdout.write(json.dumps(head)[:-1] + ', "conversations": [\n' + ',\n'.join(lines) + '\n]}\n')


if __name__ == '__main__':
    main()
