#!/usr/bin/env python3
"""Keeps the held-out questions apart from the training data.

apart.py HELDOUT < conversations > kept   drops conversations with a question that is too near to a held-out one
apart.py --check HELDOUT < kept           fails unless every question is far enough, and says how far the nearest is

Near: the edit distance over the longer length is under 0.3, after NFKC and case folding.  Held-out questions are
the last messages of their rows: those that are judged.
"""
import collections
import json
import sys
import unicodedata

try:
    import numpy
except ImportError:  # slower, and the same
    numpy = None

LEAST = 0.3
BINS = 96


def fold(text):
    return unicodedata.normalize('NFKC', text).casefold().strip()


def distance(a, b):
    """Levenshtein, by Myers' bit vectors."""
    if not a or not b:
        return max(len(a), len(b))
    at = collections.defaultdict(int)
    for i, c in enumerate(a):
        at[c] |= 1 << i
    mask, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    plus, minus, score = mask, 0, len(a)
    for c in b:
        eq = at[c] if c in at else 0
        x = eq | minus
        d0 = ((((eq & plus) + plus) ^ plus) | eq) & mask
        up = minus | (~(d0 | plus) & mask)
        down = d0 & plus
        if up & last:
            score += 1
        elif down & last:
            score -= 1
        up = (up << 1 | 1) & mask
        down = (down << 1) & mask
        plus = down | (~(x | up) & mask)
        minus = up & x
    return score


def nearest_plain(questions, heldout, limit=LEAST):
    """As nearest(), without numpy."""
    out = []
    counted = [(h, collections.Counter(h)) for h in heldout]
    for q in questions:
        here, least = collections.Counter(q), limit
        for h, count in counted:
            longer = max(len(q), len(h))
            if abs(len(q) - len(h)) >= least * longer:
                continue
            common = sum(min(n, here[c]) for c, n in count.items())
            if longer - common < least * longer:
                least = min(least, distance(h, q) / longer)
        out.append(least)
    return out


def bag(texts):
    counts = numpy.zeros((len(texts), BINS), dtype=numpy.int8)
    for i, text in enumerate(texts):
        for c in text:
            counts[i, ord(c) * 7 % 9973 % BINS] += counts[i, ord(c) * 7 % 9973 % BINS] < 100
    return counts


def nearest(questions, heldout, limit=LEAST):
    """For each question the least normalised distance to a held-out one, where that is under limit; else limit."""
    if numpy is None:
        return nearest_plain(questions, heldout, limit)
    out = numpy.full(len(questions), limit)
    bags, lengths = bag(questions), numpy.array([len(q) for q in questions])
    for h in heldout:
        longer = numpy.maximum(lengths, len(h))
        some = numpy.flatnonzero(numpy.abs(lengths - len(h)) < limit * longer)
        gap = bags[some].astype(numpy.int16) - bag([h])[0]
        bound = numpy.maximum(numpy.clip(gap, 0, None).sum(1), numpy.clip(-gap, 0, None).sum(1))
        for i in some[bound < limit * longer[some]]:
            d = distance(h, questions[i]) / max(len(h), len(questions[i]))
            out[i] = min(out[i], d)
    return out


def main():
    check = sys.argv[1] == '--check'
    with open(sys.argv[-1], encoding='utf-8') as file:
        heldout = [fold(json.loads(line)['turns'][-1]) for line in file]
    lines = sys.stdin.readlines()
    asked = [[fold(turn[0]) for turn in json.loads(line)['turns']] for line in lines]
    questions = sorted({q for a in asked for q in a})
    limit = 0.45 if check else LEAST
    found = dict(zip(questions, nearest(questions, heldout, limit)))
    if check:
        least = min(found.values(), default=1)
        under = sum(d < LEAST for d in found.values())
        print(f'{len(questions)} different questions, {len(heldout)} held out: {under} nearer than {LEAST}, '
              f'the nearest at {least:.3f}{" or more" if least == limit else ""}')
        sys.exit(int(under > 0))
    kept = 0
    for line, a in zip(lines, asked):
        if all(found[q] >= LEAST for q in a):
            sys.stdout.write(line)
            kept += 1
    near = [q for q in questions if found[q] < LEAST]
    print(f'{kept} of {len(lines)} conversations kept; {len(near)} of {len(questions)} questions were too near',
          file=sys.stderr)
    if '--show' in sys.argv:
        for q in near:
            print('   ', q, file=sys.stderr)


if __name__ == '__main__':
    main()
