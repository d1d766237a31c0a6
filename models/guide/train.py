"""Trains the guide: data, model, optimiser, export.  models/guide/train runs this; --help lists its options."""
import argparse
import json
import math
import os
import sys
import time

import numpy
import torch
import torch.nn.functional as F

import bpe
import export
import model as llama
import prepare
from shape import SHAPE

HERE = os.path.dirname(os.path.abspath(__file__))
ASIDE = 0.1  # weight of tokens that are no reply


def arguments():
    parser = argparse.ArgumentParser(description='train the guide and write it as an fp16 directory')
    parser.add_argument('--out', default='guide-fp16', help='directory to write (default: %(default)s)')
    parser.add_argument('--conversations', type=int, default=800_000)
    parser.add_argument('--valid', type=int, default=3000, help='conversations that loss is measured on')
    parser.add_argument('--steps', type=int, default=5400)
    parser.add_argument('--tokens', type=int, default=65536, help='tokens in a step')
    parser.add_argument('--rate', type=float, default=1.5e-3, help='highest learning rate')
    parser.add_argument('--warmup', type=int, default=200)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--minutes', type=float, default=8,
                        help='end the schedule within this time of the start at the latest; 0: never')
    parser.add_argument('--hidden', type=int)
    parser.add_argument('--layers', type=int)
    parser.add_argument('--processes', type=int, default=os.cpu_count())
    parser.add_argument('--no-compile', action='store_true')
    parser.add_argument('--smoke', action='store_true', help='a few steps of everything, on any machine')
    args = parser.parse_args()
    if args.smoke:
        args.conversations, args.valid, args.steps, args.tokens, args.warmup = 600, 60, 4, 2048, 2
    return args


class Batches:
    """Rows in random order, without end; each step takes rows of one length."""

    def __init__(self, packed, tokens, seed, device):
        self.rows = {n: [torch.from_numpy(a.astype(numpy.int64 if i == 0 else numpy.uint8)).to(device)
                         for i, a in enumerate(arrays)] for n, arrays in packed.items()}
        self.tokens, self.rng, self.device = tokens, numpy.random.default_rng(seed), device
        self.share = {n: arrays[0].size for n, arrays in packed.items()}
        self.order = {n: [] for n in packed}

    def next(self):
        lengths = list(self.rows)
        total = sum(self.share.values())
        length = lengths[self.rng.choice(len(lengths), p=[self.share[n] / total for n in lengths])]
        wanted = max(1, self.tokens // length)
        while len(self.order[length]) < wanted:
            self.order[length] += list(self.rng.permutation(len(self.rows[length][0])))
        take, self.order[length] = self.order[length][:wanted], self.order[length][wanted:]
        index = torch.tensor(numpy.array(take), device=self.device)
        return [a[index] for a in self.rows[length]]


def inputs(ids, part):
    """Positions that start anew in each conversation, and who may see whom."""
    length = ids.shape[1]
    at = torch.arange(length, device=ids.device).expand_as(ids)
    begins = torch.ones_like(part, dtype=torch.bool)
    begins[:, 1:] = part[:, 1:] != part[:, :-1]
    start = torch.where(begins, at, torch.zeros_like(at)).cummax(1).values
    same = part[:, None, :, None] == part[:, None, None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
    return at - start, same & causal


def losses(net, ids, marks, part):
    """Loss of each next token [batch, length - 1], its mark, whether it counts, and whether it was the likeliest."""
    position, mask = inputs(ids, part)
    with torch.autocast(ids.device.type, dtype=torch.bfloat16):
        logits = net(ids, position, mask)
    logits, target = logits[:, :-1].float(), ids[:, 1:]
    each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction='none').view(target.shape)
    real = (part[:, 1:] > 0) & (part[:, 1:] == part[:, :-1])
    return each, marks[:, 1:], real, logits.detach().argmax(-1) == target


def measure(net, packed, tokens, device):
    """Mean loss over all tokens, over replies and over replies of a kind, and how many tokens are the likeliest."""
    total = torch.zeros(len(prepare.KINDS) + 1, 3, dtype=torch.float64)
    with torch.no_grad():
        for length, (ids, marks, part) in packed.items():
            rows = max(1, tokens // length)
            for at in range(0, len(ids), rows):
                some = [torch.from_numpy(a[at:at + rows].astype(t)).to(device)
                        for a, t in ((ids, numpy.int64), (marks, numpy.uint8), (part, numpy.uint8))]
                each, mark, real, best = losses(net, *some)
                for kind in range(len(prepare.KINDS) + 1):
                    here = real & (mark == kind)
                    total[kind] += torch.stack([each[here].sum(), best[here].sum(), here.sum()]).double().cpu()
    total = torch.cat([total.sum(0)[None], total[1:].sum(0)[None], total[1:]])
    names = ['all', 'replies'] + prepare.KINDS
    return {n: {'loss': float(t[0] / t[2]), 'likeliest': float(t[1] / t[2]), 'tokens': int(t[2])}
            for n, t in zip(names, total) if t[2] > 0}


def optimiser(net, rate):
    matrices = [p for p in net.parameters() if p.dim() == 2]
    others = [p for p in net.parameters() if p.dim() != 2]
    return torch.optim.AdamW([{'params': matrices, 'weight_decay': 0.1}, {'params': others, 'weight_decay': 0.0}],
                             lr=rate, betas=(0.9, 0.95), fused=next(net.parameters()).is_cuda)


def schedule(done, args):
    """The share of the highest rate after a share `done` of the training."""
    warm = args.warmup / args.steps
    if done < warm:
        return max(done / warm, 1e-3)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warm) / (1 - warm))))


def compiled(net, device, args):
    if args.no_compile or device.type != 'cuda':
        return net
    try:
        ids = torch.ones(1, 64, dtype=torch.int64, device=device)
        losses(torch.compile(net), ids, ids, ids)[0].mean().backward()
        net.zero_grad(set_to_none=True)
        torch._dynamo.reset()
        return torch.compile(net, dynamic=False)
    except Exception as why:  # no compiler on this machine: slower, and as good
        print(f'torch.compile does not work here ({type(why).__name__}); going on without', flush=True)
        net.zero_grad(set_to_none=True)
        torch._dynamo.reset()
        return net


def fit(net, fast, batches, args, started):
    """Returns (tokens seen, seconds)."""
    adam = optimiser(net, args.rate)
    begin, seen, step, done, running = time.time(), 0, 0, 0.0, None
    budget = args.minutes * 60 - (begin - started)
    while done < 1:
        for group in adam.param_groups:
            group['lr'] = args.rate * schedule(done, args)
        ids, marks, part = batches.next()
        each, mark, real, _ = losses(fast, ids, marks, part)
        weight = torch.where(mark > 0, 1.0, ASIDE) * real
        loss = (each * weight).sum() / weight.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        adam.zero_grad(set_to_none=True)
        seen += ids.numel()
        step += 1
        done = step / args.steps
        if args.minutes:
            done = max(done, (time.time() - begin) / budget)
        if step % max(1, args.steps // 100) == 0 or step < 5 or done >= 1:
            now = loss.item()
            running = now if running is None else 0.7 * running + 0.3 * now
            print(

                  f'step {step} of {args.steps}, loss {running:.4f}, {seen / (time.time() - begin):.0f} tokens/s, '
                  f'{time.time() - started:.0f} s', flush=True)
    return seen, time.time() - begin


def main():
    started = time.time()
    args = arguments()
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision('high')
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    shape = dict(SHAPE)
    if args.hidden:
        shape.update(hidden_size=args.hidden, intermediate_size=(args.hidden * 8 // 3 + 127) // 128 * 128,
                     num_attention_heads=args.hidden // 64)
    if args.layers:
        shape.update(num_hidden_layers=args.layers)
    tokenizer_path = os.path.join(HERE, 'tokenizer.json')
    n_vocab = bpe.Tokenizer(tokenizer_path).size

    made, dropped = prepare.conversations(0, args.conversations, args.processes)
    valid, _ = prepare.conversations(prepare.VALID_SEED, args.valid, args.processes)
    rows, valid_rows = prepare.packed(made, args.seed), prepare.packed(valid, args.seed)
    tokens = sum(len(c[0]) for c in made)
    print(f'{len(made)} conversations, {tokens} tokens, {dropped} dropped near held-out questions, '
          f'{time.time() - started:.0f} s', flush=True)

    net = llama.Llama(shape, n_vocab).to(device)
    fast = compiled(net, device, args)
    params = sum(p.numel() for p in net.parameters())
    before = measure(net, valid_rows, args.tokens // 2, device)
    print(f'{params} parameters; loss before {before["all"]["loss"]:.4f}', flush=True)
    seen, seconds = fit(net, fast, Batches(rows, args.tokens, args.seed, device), args, started)
    after = measure(net, valid_rows, args.tokens // 2, device)
    for kind, figures in after.items():
        print(
            f'{kind:8} loss {figures["loss"]:.4f}, likeliest {figures["likeliest"]:.4f} of {figures["tokens"]}')
    export.write(args.out, net, tokenizer_path)
    report = {'parameters': params, 'shape': shape, 'vocabulary': n_vocab, 'conversations': len(made),
              'dropped': dropped, 'data_tokens': tokens, 'seen_tokens': seen, 'seconds': round(seconds),
              'total_seconds': round(time.time() - started), 'device': torch.cuda.get_device_name(0)
              if device.type == 'cuda' else 'CPU', 'torch': torch.__version__, 'seed': args.seed,
              'steps': args.steps, 'before': before, 'after': after}
    export.write_json(os.path.join(args.out, 'training.json'), report)
    print(f'wrote {args.out}; {time.time() - started:.0f} s in all', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
