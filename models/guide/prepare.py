"""Training data as arrays: generated in shards by processes of their own, held-out questions kept apart by another
process, then encoded and packed into rows.  What comes out depends on seeds only, not on the number of processes."""
import json
import multiprocessing
import os
import subprocess
import sys

import numpy

import bpe
import chat
from data.conversation import EARLIER

HERE = os.path.dirname(os.path.abspath(__file__))
SHARD = 5000  # conversations
VALID_SEED = 20_000_000
SHORT, LONG = 512, 2048  # tokens in a row; the latter is the context that the model is made for
KINDS = ['fact', 'topic', 'talk', 'sum', 'story', 'recall', 'tell', 'again']


def python(*args, stdin=None):
    return subprocess.run([sys.executable] + list(args), input=stdin, stdout=subprocess.PIPE, check=True,
                          cwd=HERE).stdout


def generated(first, count):
    """Conversations whose questions are far from the held-out ones, and (before, after) of their number."""
    raw = python('generate.py', str(first), str(count))
    kept = python('apart.py', 'heldout.jsonl', stdin=raw)
    return [json.loads(line) for line in kept.decode().splitlines()], count


def encode(tokenizer, made):
    """(ids, kind of each reply token + 1, 0 elsewhere), cut after the last turn that fits."""
    ids, marks = [], []
    for i, (user, reply, kind) in enumerate(made['turns']):
        part, is_reply = chat.render(tokenizer, made['system'] if i == 0 else None, [(user, reply)])
        if len(ids) + len(part) > LONG:
            break
        ids += part
        marks += [0 if kind == EARLIER else flag * (KINDS.index(kind) + 1) for flag in is_reply]
    return numpy.array(ids, dtype=numpy.uint16), numpy.array(marks, dtype=numpy.uint8)


def shard(first_count):
    tokenizer = bpe.Tokenizer(os.path.join(HERE, 'tokenizer.json'))
    made, count = generated(*first_count)
    return [encode(tokenizer, m) for m in made], count


def conversations(first, count, processes):
    jobs = [(at, min(SHARD, first + count - at)) for at in range(first, first + count, SHARD)]
    with multiprocessing.get_context('spawn').Pool(processes) as pool:
        parts = pool.map(shard, jobs, chunksize=1)
    made = [c for part, _ in parts for c in part if len(c[0])]
    return made, sum(n for _, n in parts) - len(made)


def pack(made, length, rng):
    """Rows of whole conversations, filled first-fit in random order: ids, marks and the number of the conversation
    within its row (0: filling), each [rows, length]."""
    order = rng.permutation(len(made))
    rows, room, open_rows = [], [], []
    for c in order:
        n = len(made[c][0])
        for slot, r in enumerate(open_rows):
            if room[r] >= n:
                rows[r].append(c)
                room[r] -= n
                if room[r] < 24:
                    open_rows.pop(slot)
                break
        else:
            rows.append([c])
            room.append(length - n)
            open_rows.append(len(rows) - 1)
            if len(open_rows) > 32:
                open_rows.pop(0)
    ids = numpy.zeros((len(rows), length), dtype=numpy.uint16)
    marks = numpy.zeros((len(rows), length), dtype=numpy.uint8)
    part = numpy.zeros((len(rows), length), dtype=numpy.uint8)
    for r, row in enumerate(rows):
        at = 0
        for k, c in enumerate(row):
            n = len(made[c][0])
            ids[r, at:at + n], marks[r, at:at + n], part[r, at:at + n] = made[c][0], made[c][1], k + 1
            at += n
    return ids, marks, part


def packed(made, seed):
    """{length: rows}"""
    rng = numpy.random.default_rng(seed)
    by_length = {SHORT: [c for c in made if len(c[0]) <= SHORT], LONG: [c for c in made if len(c[0]) > SHORT]}
    return {length: pack(some, length, rng) for length, some in by_length.items() if some}
