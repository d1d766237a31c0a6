#!/usr/bin/env python3
"""Write a model of a billion random weights twice: OUT/q4_0.gguf and the directory OUT/gptq-g128.

usage: make_1b_model.py OUT [--seed N]

The shape is that of the small Llamas: 16 layers of 2048/8192, 32 heads of 64 on 8 of keys and values, 32,000 tokens, a head of
its own.  The GGUF file holds Q4_0 matrices, Q4_0 embeddings and a Q8_0 head; the directory 4 bits in groups of 128 and, as
such files do, embeddings and head in float16.  The tokenizer has invented pieces.  Takes about ten seconds; needs numpy and
gguf.  For measuring only: what such a model says means nothing.
"""
import argparse
import os
import sys

import gguf
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_seed_model as seed_model  # noqa: E402

HIDDEN, INTER, VOCAB, LAYERS, HEADS, KV_HEADS, HEAD, CONTEXT = 2048, 8192, 32000, 16, 32, 8, 64, 4096
KV = KV_HEADS * HEAD
# GGUF name, Hugging Face name, inputs, outputs
LINEARS = [('attn_q', 'self_attn.q_proj', HIDDEN, HIDDEN), ('attn_k', 'self_attn.k_proj', HIDDEN, KV),
           ('attn_v', 'self_attn.v_proj', HIDDEN, KV), ('attn_output', 'self_attn.o_proj', HIDDEN, HIDDEN),
           ('ffn_gate', 'mlp.gate_proj', HIDDEN, INTER), ('ffn_up', 'mlp.up_proj', HIDDEN, INTER),
           ('ffn_down', 'mlp.down_proj', INTER, HIDDEN)]


def blocks(rng, rows, cols, quant_bytes, size):
    """Blocks of 32 with a float16 scale and random quants: Q4_0 (16 bytes of quants) or Q8_0 (32)."""
    n = cols // 32
    out = np.empty((rows, n, 2 + quant_bytes), np.uint8)
    step = size / (4.6 if quant_bytes == 16 else 74)
    scale = (step * rng.uniform(0.7, 1.3, (rows, n))).astype(np.float16)
    out[:, :, :2] = scale.view(np.uint8).reshape(rows, n, 2)
    out[:, :, 2:] = np.frombuffer(rng.bytes(rows * n * quant_bytes), np.uint8).reshape(rows, n, quant_bytes)
    return out.reshape(rows, n * (2 + quant_bytes))


def write_gguf(path, seed):
    rng = np.random.default_rng(seed)
    q4, q8 = gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q8_0
    w = gguf.GGUFWriter(path, 'llama')
    w.add_name('random 1B')
    w.add_context_length(CONTEXT)
    w.add_embedding_length(HIDDEN)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(INTER)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV_HEADS)
    w.add_rope_dimension_count(HEAD)
    w.add_rope_freq_base(10000.0)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_vocab_size(VOCAB)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    w.add_quantization_version(2)
    pieces = seed_model.pieces()
    w.add_tokenizer_model('llama')
    w.add_token_list(pieces)
    w.add_token_scores([0.0] * 259 + [-float(i) for i in range(VOCAB - 259)])
    w.add_token_types([2, 3, 3] + [6] * 256 + [1] * (VOCAB - 259))
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_unk_token_id(0)
    w.add_add_bos_token(True)

    def norm():
        return (1 + 0.2 * rng.standard_normal(HIDDEN)).astype(np.float32)

    w.add_tensor('token_embd.weight', blocks(rng, VOCAB, HIDDEN, 16, 1.0), raw_dtype=q4)
    for layer in range(LAYERS):
        base = f'blk.{layer}.'
        w.add_tensor(base + 'attn_norm.weight', norm())
        w.add_tensor(base + 'ffn_norm.weight', norm())
        for name, _, k, n in LINEARS:
            w.add_tensor(f'{base}{name}.weight', blocks(rng, n, k, 16, 0.9 / np.sqrt(k)), raw_dtype=q4)
    w.add_tensor('output_norm.weight', norm())
    w.add_tensor('output.weight', blocks(rng, VOCAB, HIDDEN, 32, 3 / np.sqrt(HIDDEN)), raw_dtype=q8)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_gptq(out, seed):
    os.makedirs(out, exist_ok=True)
    args = argparse.Namespace(layers=LAYERS, act_order=False, bias=False, seed=seed)
    seed_model.write_weights(os.path.join(out, 'model.safetensors'), args)
    seed_model.write_tokenizer(out)
    seed_model.write_json(out, 'config.json', {
        'architectures': ['LlamaForCausalLM'], 'bos_token_id': 1, 'eos_token_id': 2, 'hidden_act': 'silu', 'hidden_size': HIDDEN,
        'intermediate_size': INTER, 'max_position_embeddings': CONTEXT, 'model_type': 'llama', 'num_attention_heads': HEADS,
        'num_hidden_layers': LAYERS, 'num_key_value_heads': KV_HEADS, 'head_dim': HEAD, 'rms_norm_eps': 1e-05,
        'rope_theta': 10000.0, 'tie_word_embeddings': False, 'torch_dtype': 'float16', 'vocab_size': VOCAB,
        'quantization_config': {'quant_method': 'gptq', 'bits': 4, 'group_size': 128, 'desc_act': False, 'sym': True}})
    seed_model.write_json(out, 'tokenizer_config.json', {
        'bos_token': '<s>', 'eos_token': '</s>', 'unk_token': '<unk>', 'tokenizer_class': 'LlamaTokenizer'})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('out')
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    seed_model.HIDDEN, seed_model.INTER, seed_model.VOCAB = HIDDEN, INTER, VOCAB
    seed_model.LINEARS = [(name, k, n) for _, name, k, n in LINEARS]
    os.makedirs(args.out, exist_ok=True)
    write_gguf(os.path.join(args.out, 'q4_0.gguf'), args.seed)
    write_gptq(os.path.join(args.out, 'gptq-g128'), args.seed)


if __name__ == '__main__':
    main()
