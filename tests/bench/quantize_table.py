#!/usr/bin/env python3
"""Loss of SmolLM2-135M before and after 4-bit quantisation, by several ways, in one table.

Usage: quantize_table.py [--kaiwa PROGRAM] [--model DIR] [--group-size N] [--all] [-o FILE]

DIR is the fp16 directory smollm2-f16 of the test models.  The ways: rounding to nearest; GPTQ as
published (Frantar et al. 2022, the order of AutoGPTQ's gptq.py), written here in numpy with
Hessians, factorisations and solving in float64; `kaiwa quantize`.  All are calibrated with the same
windows of text (the built-in calibration text and this project's documents, four paragraphs of
five), and all losses are measured by the forward pass below, in float32 over the dequantised
weights, on the fifth paragraphs.  Exit status 1 when kaiwa is more than 1 % worse than the GPTQ of
this file or not better than rounding to nearest.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

TOP = pathlib.Path(__file__).resolve().parents[2]
TEXTS = ["src/calibration.txt", "README.md", "HACKING.md", "numerics.md", "man/kaiwa.1.in"]
WINDOW = 256
STEPS = [["q", "k", "v"], ["o"], ["gate", "up"], ["down"]]
NAMES = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
         "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}


# ---- files ----

def read_safetensors(path):
    data = np.memmap(path, np.uint8, "r")
    length = int(data[:8].view(np.uint64)[0])
    header = json.loads(bytes(data[8:8 + length]))
    header.pop("__metadata__", None)
    types = {"F16": np.float16, "F32": np.float32, "I32": np.int32}
    out = {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        out[name] = np.frombuffer(data[8 + length + a:8 + length + b].tobytes(), types[t["dtype"]]).reshape(t["shape"])
    return out


def dequantised(tensors, name):
    """A matrix (out, in) of AutoGPTQ's version 1."""
    words = tensors[name + ".qweight"].view(np.uint32)
    shifts = np.arange(0, 32, 4, dtype=np.uint32)
    codes = (words[:, None, :] >> shifts[None, :, None] & 15).reshape(-1, words.shape[1])
    zeros = tensors[name + ".qzeros"].view(np.uint32)
    zeros = (zeros[:, :, None] >> shifts & 15).reshape(zeros.shape[0], -1) + 1
    scales = tensors[name + ".scales"].astype(np.float32)
    group = tensors[name + ".g_idx"]
    return (scales[group] * (codes.astype(np.float32) - zeros[group].astype(np.float32))).T.copy()


# ---- the model ----

class Model:
    def __init__(self, directory):
        self.config = json.loads((directory / "config.json").read_text())
        (path,) = directory.glob("*.safetensors")
        tensors = read_safetensors(path)
        self.layers = []
        for i in range(self.config["num_hidden_layers"]):
            prefix = f"model.layers.{i}."
            layer = {}
            for key, name in NAMES.items():
                if prefix + name + ".qweight" in tensors:
                    layer[key] = dequantised(tensors, prefix + name)
                else:
                    layer[key] = tensors[prefix + name + ".weight"].astype(np.float32)
            layer["norm1"] = tensors[prefix + "input_layernorm.weight"].astype(np.float32)
            layer["norm2"] = tensors[prefix + "post_attention_layernorm.weight"].astype(np.float32)
            self.layers.append(layer)
        self.embedding = tensors["model.embed_tokens.weight"].astype(np.float32)
        self.norm = tensors["model.norm.weight"].astype(np.float32)
        self.heads, self.kv_heads = self.config["num_attention_heads"], self.config["num_key_value_heads"]
        self.size = self.config["hidden_size"] // self.heads
        self.eps = self.config["rms_norm_eps"]
        rope = self.config.get("rope_theta") or self.config["rope_parameters"]["rope_theta"]
        angles = np.outer(np.arange(WINDOW), rope ** (-np.arange(0, self.size, 2) / self.size))
        self.cos, self.sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def normed(self, x, weight):
        return x / np.sqrt(np.mean(x.astype(np.float64) ** 2, -1, keepdims=True) + self.eps).astype(np.float32) * weight

    def rotated(self, x):  # (tokens, heads, size)
        half = self.size // 2
        cos, sin = self.cos[:len(x), None], self.sin[:len(x), None]
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * cos - b * sin, a * sin + b * cos], -1)

    def attention(self, layer, x):
        h, n = self.normed(x, layer["norm1"]), len(x)
        q = self.rotated((h @ layer["q"].T).reshape(n, self.heads, self.size))
        k = self.rotated((h @ layer["k"].T).reshape(n, self.kv_heads, self.size))
        v = (h @ layer["v"].T).reshape(n, self.kv_heads, self.size)
        k, v = (np.repeat(t, self.heads // self.kv_heads, 1) for t in (k, v))
        scores = np.matmul(q.transpose(1, 0, 2), k.transpose(1, 2, 0)) / np.float32(np.sqrt(self.size))
        scores[:, np.triu(np.ones((n, n), bool), 1)] = -np.inf
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        return np.matmul(scores, v.transpose(1, 0, 2)).transpose(1, 0, 2).reshape(n, -1)

    def inner(self, layer, x):
        h = self.normed(x, layer["norm2"])
        gate = h @ layer["gate"].T
        return gate / (1 + np.exp(-gate)) * (h @ layer["up"].T)

    def loss(self, windows):
        total = count = 0
        for ids in windows:
            x = self.embedding[ids]
            for layer in self.layers:
                x = x + self.attention(layer, x) @ layer["o"].T
                x = x + self.inner(layer, x) @ layer["down"].T
            logits = (self.normed(x, self.norm) @ self.embedding.T)[:-1].astype(np.float64)
            top = logits.max(-1)
            total += np.sum(np.log(np.sum(np.exp(logits - top[:, None]), -1)) + top
                            - logits[np.arange(len(ids) - 1), ids[1:]])
            count += len(ids) - 1
        return total / count, count


# ---- rounding ----

def grid(w):  # (out, group), symmetric: one scale a row
    scale = np.abs(w).max(1) * 2 / 15
    scale[scale == 0] = 1
    return scale.astype(np.float16).astype(np.float64)


def rounded(w, scale):
    return np.clip(np.rint(w / scale), -8, 7) * scale


def to_nearest(w, size):
    out = w.astype(np.float64)
    for i in range(0, w.shape[1], size):
        out[:, i:i + size] = rounded(out[:, i:i + size], grid(out[:, i:i + size])[:, None])
    return out.astype(np.float32)


def gptq(w, h, size, act_order, block=128, damp=0.01):
    w, h, n = w.astype(np.float64), h.copy(), len(h)
    dead = np.diag(h) == 0
    h[dead, dead] = 1
    w[:, dead] = 0
    order = np.argsort(-np.diag(h), kind="stable") if act_order else np.arange(n)
    w, h = w[:, order], h[np.ix_(order, order)]
    h[np.arange(n), np.arange(n)] += damp * np.mean(np.diag(h))
    factor = np.linalg.cholesky(np.linalg.inv(h)).T
    out = np.zeros_like(w)
    for a in range(0, n, block):
        b = min(a + block, n)
        wrong = np.zeros((len(w), b - a))
        for i in range(a, b):
            if i % size == 0:
                scale = grid(w[:, i:i + size])
            out[:, i] = rounded(w[:, i], scale)
            wrong[:, i - a] = (w[:, i] - out[:, i]) / factor[i, i]
            w[:, i:b] -= np.outer(wrong[:, i - a], factor[i, i:b])
        w[:, b:] -= wrong @ factor[a:b, b:]
    return out[:, np.argsort(order)].astype(np.float32)


def quantised(directory, windows, size, act_order):
    model = Model(directory)
    xs = [model.embedding[ids] for ids in windows]
    for layer in model.layers:
        for step in STEPS:
            inputs = {"q": lambda x: model.normed(x, layer["norm1"]), "o": lambda x: model.attention(layer, x),
                      "gate": lambda x: model.normed(x, layer["norm2"]), "down": lambda x: model.inner(layer, x)}[step[0]]
            rows = [inputs(x) for x in xs]
            h = sum(r.T @ r for r in (r.astype(np.float64) for r in rows))
            for key in step:
                layer[key] = gptq(layer[key], h, size, act_order)
            if step[0] in ("o", "down"):
                xs = [x + r @ layer[step[0]].T for x, r in zip(xs, rows)]
    return model


# ---- texts ----

def split_texts():
    """Four paragraphs of five, and the fifth ones."""
    parts = []
    for name in TEXTS:
        text = (TOP / name).read_text(encoding="utf-8")
        breaks = "\n.Ss " if name.endswith(".in") else "\n\n"
        parts += [p for p in text.split(breaks) if p.strip()]
    return ("\n\n".join(p for i, p in enumerate(parts) if i % 5 != 4),
            "\n\n".join(p for i, p in enumerate(parts) if i % 5 == 4))


def windows_of(args, text, most):
    """As kaiwa quantize takes them: evenly from all of the text."""
    ids = subprocess.run([args.kaiwa, "tokenize", "-m", args.model, "-0", "-"], input=text.encode() + b"\0",
                         stdout=subprocess.PIPE, check=True).stdout.split()
    ids = np.array(ids, np.int64)
    windows = [ids[i:i + WINDOW] for i in range(0, len(ids), WINDOW)]
    windows = [w for w in windows if len(w) >= 16]
    return [windows[i * len(windows) // most] for i in range(most)] if most < len(windows) else windows


def run_kaiwa(args, work, name, extra):
    out = os.path.join(work, name)
    for i, text in enumerate(split_texts()):
        pathlib.Path(work, f"text{i}").write_text(text, encoding="utf-8")
    done = subprocess.run([args.kaiwa, "quantize", str(args.model), out, "--json", "--group-size", str(args.group_size),
                           "--calibration", os.path.join(work, "text0"), "--heldout", os.path.join(work, "text1"),
                           "--samples", str(args.samples), "--sample-tokens", str(WINDOW)] + extra,
                          stdout=subprocess.PIPE, check=True)
    return pathlib.Path(out), json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cache = os.environ.get("KAIWA_TEST_MODELS", os.path.expanduser("~/.cache/kaiwa-test-models"))
    parser.add_argument("--kaiwa", default=str(TOP / "build/kaiwa"))
    parser.add_argument("--model", type=pathlib.Path, default=pathlib.Path(cache) / "smollm2-f16")
    parser.add_argument("--group-size", type=int, default=64)
    parser.add_argument("--samples", type=int, default=64, help="windows to calibrate with")
    parser.add_argument("--all", action="store_true", help="numpy's GPTQ with act-order too")
    parser.add_argument("-o", "--output", help="write the table there too")
    args = parser.parse_args()
    calibration, heldout = (windows_of(args, text, args.samples) for text in split_texts())
    rows, losses = [], {}

    def add(name, model, seconds=None, own=None):
        losses[name], count = model.loss(heldout)
        rows.append((name, losses[name], seconds, own))
        print(f"{name}: {losses[name]:.4f}", file=sys.stderr, flush=True)
        return count

    count = add("original, fp16", Model(args.model))
    model = Model(args.model)
    for layer in model.layers:
        for key in NAMES:
            layer[key] = to_nearest(layer[key], args.group_size)
    add("round to nearest", model)
    pairs = []
    for label, extra, with_numpy in [("symmetric", [], True), ("symmetric, act-order", ["--act-order"], args.all),
                                     ("asymmetric", ["--asym"], False)]:
        mine, theirs = f"kaiwa quantize, {label}", f"numpy float64 GPTQ, {label}"
        if with_numpy:
            began = time.time()
            add(theirs, quantised(args.model, calibration, args.group_size, bool(extra)), time.time() - began)
            pairs.append((mine, theirs))
        with tempfile.TemporaryDirectory() as work:
            out, report = run_kaiwa(args, work, "out", extra)
            add(mine, Model(out), report["seconds"], report["after"]["nll"])

    base = losses["original, fp16"]
    lines = [f"SmolLM2-135M, 4 bits, groups of {args.group_size}; calibrated with {len(calibration)} windows of up to "
             f"{WINDOW} tokens ({sum(map(len, calibration))} tokens), loss on {count} held-out tokens.", "",
             "| weights | loss a token | perplexity | over the original | kaiwa's own figure | seconds |",
             "| --- | --- | --- | --- | --- | --- |"]
    for name, loss, seconds, own in rows:
        lines.append(f"| {name} | {loss:.4f} | {np.exp(loss):.3f} | {100 * (loss / base - 1):+.2f} % | "
                     f"{'' if own is None else format(own, '.4f')} | {'' if seconds is None else format(seconds, '.0f')} |")
    lines.append("")
    good = True
    for mine, theirs in pairs:
        worse, better = losses[mine] / losses[theirs] - 1, losses[mine] < losses["round to nearest"]
        good = good and worse <= 0.01 and better
        lines.append(f"{mine}: {100 * worse:+.2f} % against the numpy one (at most +1 %), "
                     f"{'better' if better else 'NOT better'} than rounding to nearest.")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if args.output:
        pathlib.Path(args.output).write_text(text, encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
