#!/usr/bin/env python3
"""Write a directory with random weights in the exact shape and layout of the model that kaiwa exists for.

usage: make_seed_model.py DIR [--act-order] [--bias] [--layers N] [--seed N]
       make_seed_model.py FILE.gguf --gguf q4_0|q4_1 [--layers N] [--seed N]

The shape is that of dahara1/ELYZA-japanese-Llama-2-7b-fast-instruct-GPTQ: 32 layers of 4096/11008, 45,043 tokens, 4 bits in
groups of 128, 1187 tensors in one safetensors file of 4,110,411,240 bytes, I32 tensors before F16, each sorted by name, an F16
bias on all 224 quantised matrices (zero unless --bias).  The tokenizer has that size and pipeline, but invented pieces.
With --gguf the same shape in blocks of 32, embedding and head in F16.  Needs numpy; tensors are made side by side, so it takes
half a minute on two cores and seconds on many.  For measuring only: what such a model says means nothing.
"""
import argparse
import concurrent.futures
import json
import os
import struct

import numpy as np

HIDDEN, INTER, VOCAB, GROUP = 4096, 11008, 45043, 128
LINEARS = [('self_attn.q_proj', HIDDEN, HIDDEN), ('self_attn.k_proj', HIDDEN, HIDDEN), ('self_attn.v_proj', HIDDEN, HIDDEN),
           ('self_attn.o_proj', HIDDEN, HIDDEN), ('mlp.gate_proj', HIDDEN, INTER), ('mlp.up_proj', HIDDEN, INTER),
           ('mlp.down_proj', INTER, HIDDEN)]


def random_of(*seed):
    return np.random.Generator(np.random.SFC64(seed))


def normal(mean, size):
    def make(rng, shape):
        out = rng.standard_normal(shape, dtype=np.float32)
        out *= size
        out += mean
        return out.astype(np.float16)
    return make


def words(rng, shape):
    """Eight nibbles each.  0 becomes 8, so that the weights' mean is 0: else each layer would add to one same direction
    until the scores of attention are in the hundreds, and the model would measure nothing but rounding."""
    out = rng.integers(0, 2**32, shape, dtype=np.uint32)
    some = out | out >> 1
    some |= some >> 2
    out |= (~some & 0x11111111) << 3
    return out


def tensors(args):
    """(name, dtype, shape, make) of every tensor; make(rng, shape) gives the array."""
    out = []
    for layer in range(args.layers):
        base = f'model.layers.{layer}.'
        for at, (name, k, n) in enumerate(LINEARS):
            groups = k // GROUP
            scale = 0.9 / np.sqrt(k) / 4.6
            # q, k and v see one input, and so do gate and up: act-order files have one order for each
            key = 0 if name[-6] in 'qkv' and 'self' in name else 4 if 'gate' in name or 'up' in name else at

            def order(rng, shape, k=k, seed=(args.seed, layer, key)):
                groups_of = (np.arange(k) // GROUP).astype(np.int32)
                return random_of(1, *seed).permutation(groups_of) if args.act_order else groups_of

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


def write_side_by_side(path, header, todo, seed):
    """todo: (offset behind the header, shape, make); each tensor has random numbers of its own, so the order does not matter."""
    with open(path, 'wb') as f:
        f.write(header)
    fd = os.open(path, os.O_WRONLY)

    def put(i):
        at, shape, make = todo[i]
        data = memoryview(np.ascontiguousarray(make(random_of(0, seed, i), shape))).cast('B')
        at += len(header)
        while len(data):
            n = os.pwrite(fd, data, at)
            data, at = data[n:], at + n

    # a few at once: the largest takes a gigabyte while it is made
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 16)) as pool:
        list(pool.map(put, sorted(range(len(todo)), key=lambda i: -int(np.prod(todo[i][1])))))
    os.close(fd)


def write_weights(path, args):
    header = {'__metadata__': {'format': 'pt', 'auto_gptq_version': '0.4.2', 'gptq_bits': '4', 'gptq_group_size': str(GROUP),
                               'gptq_desc_act': str(args.act_order), 'gptq_damp_percent': '0.01'}}
    todo, at = [], 0
    for name, dtype, shape, make in tensors(args):
        size = int(np.prod(shape)) * (4 if dtype == 'I32' else 2)
        header[name] = {'dtype': dtype, 'shape': list(shape), 'data_offsets': [at, at + size]}
        todo.append((at, shape, make))
        at += size
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    write_side_by_side(path, struct.pack('<Q', len(text)) + text, todo, args.seed)


# ---- GGUF

GGUF_TYPES = {'f32': 0, 'f16': 1, 'q4_0': 2, 'q4_1': 3}
GGUF_NAMES = {'self_attn.q_proj': 'attn_q', 'self_attn.k_proj': 'attn_k', 'self_attn.v_proj': 'attn_v',
              'self_attn.o_proj': 'attn_output', 'mlp.gate_proj': 'ffn_gate', 'mlp.up_proj': 'ffn_up', 'mlp.down_proj': 'ffn_down'}


def gguf_string(text):
    data = text.encode()
    return struct.pack('<Q', len(data)) + data


def gguf_value(value):
    if isinstance(value, bool):
        return struct.pack('<I?', 7, value)
    if isinstance(value, int):
        return struct.pack('<II', 4, value)
    if isinstance(value, float):
        return struct.pack('<If', 6, value)
    if isinstance(value, str):
        return struct.pack('<I', 8) + gguf_string(value)
    items = [gguf_value(v) for v in value]
    return struct.pack('<I', 9) + items[0][:4] + struct.pack('<Q', len(items)) + b''.join(i[4:] for i in items)


def gguf_blocks(kind, size):
    """Rows of blocks of 32: a scale, for q4_1 a minimum, 16 bytes of quants."""
    head = 2 if kind == 'q4_0' else 4

    def make(rng, shape):
        rows, n = shape[0], shape[1] // 32
        out = np.empty((rows, n, head + 16), np.uint8)
        scale = (size / 4.6 * rng.uniform(0.7, 1.3, (rows, n))).astype(np.float16)
        out[:, :, :2] = scale.view(np.uint8).reshape(rows, n, 2)
        if head == 4:
            out[:, :, 2:4] = (scale * np.float16(-7.5)).view(np.uint8).reshape(rows, n, 2)
        out[:, :, head:] = words(rng, (rows, n, 4)).view(np.uint8).reshape(rows, n, 16)
        return out
    return make


def gguf_tensors(args):
    """(name, type, shape, bytes, make)."""
    def norm(rng, shape):
        return normal(1, 0.2)(rng, shape).astype(np.float32)

    per_block = 18 if args.gguf == 'q4_0' else 20
    out = [('token_embd.weight', 'f16', (VOCAB, HIDDEN), VOCAB * HIDDEN * 2, normal(0, 1)),
           ('output.weight', 'f16', (VOCAB, HIDDEN), VOCAB * HIDDEN * 2, normal(0, 3 / np.sqrt(HIDDEN))),
           ('output_norm.weight', 'f32', (HIDDEN,), HIDDEN * 4, norm)]
    for layer in range(args.layers):
        out += [(f'blk.{layer}.{name}.weight', 'f32', (HIDDEN,), HIDDEN * 4, norm) for name in ('attn_norm', 'ffn_norm')]
        out += [(f'blk.{layer}.{GGUF_NAMES[name]}.weight', args.gguf, (n, k), n * k // 32 * per_block,
                 gguf_blocks(args.gguf, 0.9 / np.sqrt(k))) for name, k, n in LINEARS]
    return out


def write_gguf(path, args):
    values = {'general.architecture': 'llama', 'general.name': 'random weights', 'general.alignment': 32,
              'llama.context_length': 4096, 'llama.embedding_length': HIDDEN, 'llama.block_count': args.layers,
              'llama.feed_forward_length': INTER, 'llama.attention.head_count': 32, 'llama.attention.head_count_kv': 32,
              'llama.rope.dimension_count': HIDDEN // 32, 'llama.rope.freq_base': 10000.0,
              'llama.attention.layer_norm_rms_epsilon': 1e-6, 'llama.vocab_size': VOCAB, 'general.quantization_version': 2,
              'tokenizer.ggml.model': 'llama', 'tokenizer.ggml.tokens': pieces(),
              'tokenizer.ggml.scores': [0.0] * 259 + [-float(i) for i in range(VOCAB - 259)],
              'tokenizer.ggml.token_type': [2, 3, 3] + [6] * 256 + [1] * (VOCAB - 259),
              'tokenizer.ggml.bos_token_id': 1, 'tokenizer.ggml.eos_token_id': 2, 'tokenizer.ggml.unknown_token_id': 0,
              'tokenizer.ggml.add_bos_token': True}
    tensors_of = gguf_tensors(args)
    header = struct.pack('<4sIQQ', b'GGUF', 3, len(tensors_of), len(values))
    header += b''.join(gguf_string(k) + gguf_value(v) for k, v in values.items())
    todo, at = [], 0
    for name, kind, shape, size, make in tensors_of:
        header += gguf_string(name) + struct.pack('<I', len(shape)) + struct.pack(f'<{len(shape)}Q', *reversed(shape))
        header += struct.pack('<IQ', GGUF_TYPES[kind], at)
        todo.append((at, shape, make))
        at += (size + 31) // 32 * 32
    header += b'\0' * (-len(header) % 32)
    write_side_by_side(path, header, todo, args.seed)


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
    parser.add_argument('--gguf', choices=('q4_0', 'q4_1'), help='a GGUF file of such blocks instead')
    args = parser.parse_args()
    if args.gguf:
        write_gguf(args.dir, args)
        return
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
