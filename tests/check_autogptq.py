#!/usr/bin/env python3
"""check_autogptq.py AUTO_GPTQ

What `kaiwa quantize` wrote, computed by AutoGPTQ's own code: its QuantLinear takes every packed matrix of the
bundled guide as the file has it, and the greedy ids must be those of tests/data/guide_reference.json wherever the margin decides.  AUTO_GPTQ is the folder of the package auto_gptq 0.7 (unpacked; nothing of it is built).
Needs torch and transformers; not part of `make check`.
"""
import importlib.util
import json
import pathlib
import sys

import torch

import make_guide_reference as reference

MARGIN = 0.02


def quant_linear(package):
    path = pathlib.Path(package) / 'nn_modules/qlinear/qlinear_cuda_old.py'
    spec = importlib.util.spec_from_file_location('qlinear', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.QuantLinear


def put_in(net, tensors, quantised, config):
    """Every matrix that the file has packed becomes a layer of AutoGPTQ's, its tensors as they are."""
    n = 0
    for name, old in list(net.named_modules()):
        if name + '.qweight' not in tensors:
            continue
        layer = quantised(config['bits'], config['group_size'], old.in_features, old.out_features,
                          name + '.bias' in tensors, weight_dtype=torch.float32)
        state = {part: torch.from_numpy(tensors[f'{name}.{part}'].copy()) for part in layer.state_dict()}
        layer.load_state_dict({part: t.float() if t.is_floating_point() else t for part, t in state.items()})
        parent, _, last = name.rpartition('.')
        setattr(net.get_submodule(parent), last, layer)
        n += 1
    return n


def compare(net, conversations):
    steps = wrong = 0
    for conversation in conversations:
        for turn in conversation['turns']:
            with torch.no_grad():
                logits = net(torch.tensor([turn['prompt_ids'] + turn['out']])).logits[0]
            best = logits[len(turn['prompt_ids']) - 1:-1].argmax(-1).tolist()
            steps += len(best)
            wrong += sum(a != b and m > MARGIN for a, b, m in zip(best, turn['out'], turn['margin']))
    return steps, wrong


def main():
    (path,) = reference.GUIDE.glob('*.safetensors')
    net = reference.load(path)
    n = put_in(net, reference.tensors_of(path), quant_linear(sys.argv[1]),
               json.loads((reference.GUIDE / 'quantize_config.json').read_text()))
    wanted = pathlib.Path(__file__).parent / 'data/guide_reference.json'
    steps, wrong = compare(net, json.loads(wanted.read_text())['conversations'])
    print(f'{n} matrices in AutoGPTQ: {steps} greedy steps, {wrong} wrong above a margin of {MARGIN}')
    sys.exit(wrong > 0 or n == 0)


if __name__ == '__main__':
    main()
