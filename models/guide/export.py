"""Writes a trained model as a plain fp16 directory in Hugging Face's layout, in files below a size."""
import json
import os
import shutil

SHARD_BYTES = 14_000_000


def config(shape, n_vocab):
    return {'architectures': ['LlamaForCausalLM'], 'model_type': 'llama', 'vocab_size': n_vocab, **shape,
            'num_key_value_heads': shape['num_attention_heads'], 'hidden_act': 'silu', 'attention_bias': False,
            'mlp_bias': False, 'tie_word_embeddings': True, 'initializer_range': 0.02, 'bos_token_id': 1,
            'eos_token_id': 2, 'pad_token_id': None, 'rope_scaling': None, 'torch_dtype': 'float16',
            'use_cache': True, 'kaiwa': {'chat_format': 'elyza'}}


TOKENIZER_CONFIG = {'tokenizer_class': 'LlamaTokenizer', 'add_bos_token': True, 'add_eos_token': False,
                    'bos_token': '<s>', 'eos_token': '</s>', 'unk_token': '<unk>', 'pad_token': None,
                    'clean_up_tokenization_spaces': False, 'legacy': True, 'model_max_length': 2048}
GENERATION_CONFIG = {'bos_token_id': 1, 'eos_token_id': 2, 'do_sample': True, 'temperature': 0.2, 'top_p': 0.9,
                     'top_k': 50}


def write_json(path, data):
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(data, file, ensure_ascii=False, indent=2)
        file.write('\n')


def write_safetensors(path, tensors):
    """tensors: (name, fp16 numpy array) pairs."""
    header, at = {'__metadata__': {'format': 'pt'}}, 0
    for name, array in tensors:
        header[name] = {'dtype': 'F16', 'shape': list(array.shape), 'data_offsets': [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(len(text).to_bytes(8, 'little') + text)
        for _, array in tensors:
            file.write(array.tobytes())


def split(tensors):
    groups, room = [], 0
    for tensor in tensors:
        if tensor[1].nbytes > room:
            groups.append([])
            room = SHARD_BYTES
        groups[-1].append(tensor)
        room -= tensor[1].nbytes
    return groups


def write(out, model, tokenizer_path):
    os.makedirs(out, exist_ok=True)
    for name in os.listdir(out):
        if name.endswith('.safetensors') or name.endswith('.safetensors.index.json'):
            os.remove(os.path.join(out, name))
    tensors = [('model.' + name, p.detach().float().cpu().numpy().astype('float16'))
               for name, p in model.named_parameters()]
    groups = split(tensors)
    names = ['model.safetensors'] if len(groups) == 1 else \
        [f'model-{i + 1:05d}-of-{len(groups):05d}.safetensors' for i in range(len(groups))]
    for name, group in zip(names, groups):
        write_safetensors(os.path.join(out, name), group)
    if len(groups) > 1:
        write_json(os.path.join(out, 'model.safetensors.index.json'), {
            'metadata': {'total_size': sum(a.nbytes for _, a in tensors)},
            'weight_map': {t: name for name, group in zip(names, groups) for t, _ in group}})
    write_json(os.path.join(out, 'config.json'), config(model.shape, model.n_vocab))
    write_json(os.path.join(out, 'tokenizer_config.json'), TOKENIZER_CONFIG)
    write_json(os.path.join(out, 'generation_config.json'), GENERATION_CONFIG)
    shutil.copyfile(tokenizer_path, os.path.join(out, 'tokenizer.json'))
