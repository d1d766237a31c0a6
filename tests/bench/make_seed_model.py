#!/usr/bin/env python3
"""Write a directory with random weights in the exact shape and layout of the model that kaiwa exists for.

usage: make_seed_model.py DIR [--act-order] [--bias] [--layers N] [--seed N]

The shape is that of dahara1/ELYZA-japanese-Llama-2-7b-fast-instruct-GPTQ: 32 layers of 4096/11008, 45,043 tokens, 4 bits in
groups of 128, 1187 tensors in one safetensors file of 4,110,411,240 bytes, I32 tensors before F16, each sorted by name, an F16
bias on all 224 quantised matrices (zero unless --bias).  The tokenizer has that size and pipeline, but invented pieces.
Takes about half a minute and needs numpy.  For measuring only: what such a model says means nothing.
"""
import argparse
import json
import os
import struct

import numpy as np

HIDDEN, INTER, VOCAB, GROUP = 4096, 11008, 45043, 128
LINEARS = [('self_attn.q_proj', HIDDEN, HIDDEN), ('self_attn.k_proj', HIDDEN, HIDDEN), ('self_attn.v_proj', HIDDEN, HIDDEN),
           ('self_attn.o_proj', HIDDEN, HIDDEN), ('mlp.gate_proj', HIDDEN, INTER), ('mlp.up_proj', HIDDEN, INTER),
           ('mlp.down_proj', INTER, HIDDEN)]


def tensors(args):
    """(name, dtype, shape, make) of every tensor; make(rng) gives the array."""
    out = []

    def normal(mean, size):
        return lambda rng, shape: (mean + size * rng.standard_normal(shape, dtype=np.float32)).astype(np.float16)

    def words(rng, shape):
        return rng.integers(0, 2**32, shape, dtype=np.uint32)

    for layer in range(args.layers):
        base = f'model.layers.{layer}.'
        # q, k and v see one input, and so do gate and up: act-order files have one order for each
        orders = {}
        for name, k, n in LINEARS:
            groups = k // GROUP
            scale = 0.9 / np.sqrt(k) / 4.6
            key = 'qkv' if name[-6] in 'qkv' and 'self' in name else 'gu' if 'gate' in name or 'up' in name else name

            def order(rng, shape, k=k, key=key, orders=orders):
                if not args.act_order:
                    return (np.arange(k) // GROUP).astype(np.int32)
                if key not in orders:
                    orders[key] = rng.permutation(np.arange(k) // GROUP).astype(np.int32)
                return orders[key]

            p = base + name
            out += [(p + '.qweight', 'I32', (k // 8, n), words),
                    (p + '.qzeros', 'I32', (groups, n // 8), lambda rng, shape: np.full(shape, 0x77777777, np.uint32)),
                    (p + '.scales', 'F16', (groups, n),
                     lambda rng, shape, s=scale: (s * rng.uniform(0.7, 1.3, shape)).astype(np.float16)),
                    (p + '.g_idx', 'I32', (k,), order),
                    (p + '.bias', 'F16', (n,), normal(0, 0.05) if args.bias else lambda rng, shape: np.zeros(shape, np.float16))]
        out += [(base + 'input_layernorm.weight', 'F16', (HIDDEN,), normal(1, 0.2)),
                (base + 'post_attention_layernorm.weight', 'F16', (HIDDEN,), normal(1, 0.2))]
    out += [('model.norm.weight', 'F16', (HIDDEN,), normal(1, 0.2)),
            ('model.embed_tokens.weight', 'F16', (VOCAB, HIDDEN), normal(0, 1)),
            ('lm_head.weight', 'F16', (VOCAB, HIDDEN), normal(0, 3 / np.sqrt(HIDDEN)))]
    return sorted(out, key=lambda t: (t[1] != 'I32', t[0]))


def write_weights(path, args):
    rng = np.random.default_rng(args.seed)
    todo = tensors(args)
    header = {'__metadata__': {'format': 'pt', 'auto_gptq_version': '0.4.2', 'gptq_bits': '4', 'gptq_group_size': str(GROUP),
                               'gptq_desc_act': str(args.act_order), 'gptq_damp_percent': '0.01'}}
    at = 0
    for name, dtype, shape, _ in todo:
        size = int(np.prod(shape)) * (4 if dtype == 'I32' else 2)
        header[name] = {'dtype': dtype, 'shape': list(shape), 'data_offsets': [at, at + size]}
        at += size
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        for name, dtype, shape, make in todo:
            make(rng, shape).tofile(f)


def pieces():
    """45,043 different pieces: Llama's special tokens and bytes, then characters and invented syllables."""
    vocab = ['<unk>', '<s>', '</s>'] + [f'<0x{b:02X}>' for b in range(256)]
    vocab += ['▁'] + [chr(c) for c in range(0x21, 0x7f)]
    vocab += [chr(c) for c in range(0x3041, 0x3097)] + [chr(c) for c in range(0x30a1, 0x30fb)] + list('、。「」！？ー・')
    vocab += [chr(c) for c in range(0x4e00, 0x9fa6)]
    seen = set(vocab)
    kana = [chr(c) for c in range(0x3041, 0x3094)]
    for a in kana:
        for b in kana:
            for c in ' ' + ''.join(kana[:10]):
                if len(vocab) == VOCAB:
                    return vocab
                piece = (a + b + c).strip()
                if piece not in seen:
                    seen.add(piece)
                    vocab.append(piece)
    raise AssertionError('too few pieces')


def write_tokenizer(out):
    special = [{'id': i, 'content': c, 'single_word': False, 'lstrip': False, 'rstrip': False, 'normalized': False,
                'special': True} for i, c in enumerate(('<unk>', '<s>', '</s>'))]
    tokenizer = {
        'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': special,
        'normalizer': {'type': 'Sequence', 'normalizers': [
            {'type': 'Prepend', 'prepend': '▁'}, {'type': 'Replace', 'pattern': {'String': ' '}, 'content': '▁'}]},
        'pre_tokenizer': None,
        'post_processor': {'type': 'TemplateProcessing',
                           'single': [{'SpecialToken': {'id': '<s>', 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}}],
                           'pair': [{'Sequence': {'id': 'A', 'type_id': 0}}, {'Sequence': {'id': 'B', 'type_id': 1}}],
                           'special_tokens': {'<s>': {'id': '<s>', 'ids': [1], 'tokens': ['<s>']}}},
        'decoder': {'type': 'Sequence', 'decoders': [
            {'type': 'Replace', 'pattern': {'String': '▁'}, 'content': ' '}, {'type': 'ByteFallback'}, {'type': 'Fuse'},
            {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 0}]},
        'model': {'type': 'BPE', 'dropout': None, 'unk_token': '<unk>', 'continuing_subword_prefix': None,
                  'end_of_word_suffix': None, 'fuse_unk': True, 'byte_fallback': True,
                  'vocab': {p: i for i, p in enumerate(pieces())}, 'merges': []}}
    with open(os.path.join(out, 'tokenizer.json'), 'w', encoding='utf-8') as f:
        json.dump(tokenizer, f, ensure_ascii=False)


def write_json(out, name, value):
    with open(os.path.join(out, name), 'w', encoding='utf-8') as f:
        json.dump(value, f, indent=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('dir')
    parser.add_argument('--act-order', action='store_true')
    parser.add_argument('--bias', action='store_true', help='biases that are not zero')
    parser.add_argument('--layers', type=int, default=32)
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    os.makedirs(args.dir, exist_ok=True)
    write_weights(os.path.join(args.dir, 'gptq_model-4bit-128g.safetensors'), args)
    write_tokenizer(args.dir)
    write_json(args.dir, 'config.json', {
        'architectures': ['LlamaForCausalLM'], 'bos_token_id': 1, 'eos_token_id': 2, 'hidden_act': 'silu',
        'hidden_size': HIDDEN, 'initializer_range': 0.02, 'intermediate_size': INTER, 'max_position_embeddings': 4096,
        'model_type': 'llama', 'num_attention_heads': 32, 'num_hidden_layers': args.layers, 'num_key_value_heads': 32,
        'pad_token_id': 0, 'pretraining_tp': 1, 'rms_norm_eps': 1e-06, 'rope_scaling': None, 'tie_word_embeddings': False,
        'torch_dtype': 'float16', 'transformers_version': '4.32.1', 'use_cache': True, 'vocab_size': VOCAB})
    write_json(args.dir, 'quantize_config.json', {
        'bits': 4, 'group_size': GROUP, 'damp_percent': 0.01, 'desc_act': args.act_order, 'sym': True, 'true_sequential': True,
        'model_name_or_path': None, 'model_file_base_name': None})
    write_json(args.dir, 'tokenizer_config.json', {
        'bos_token': '<s>', 'eos_token': '</s>', 'unk_token': '<unk>', 'legacy': False, 'pad_token': None,
        'tokenizer_class': 'LlamaTokenizer', 'clean_up_tokenization_spaces': False})


if __name__ == '__main__':
    main()
