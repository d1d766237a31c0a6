#!/usr/bin/env python3
"""generate.py FIRST COUNT: writes COUNT conversations as JSON lines, from random seeds FIRST, FIRST + 1, ...
The same numbers give the same text.  It reads no file."""
import json
import random
import sys

from data import conversation


def main():
    first, count = int(sys.argv[1]), int(sys.argv[2])
    for seed in range(first, first + count):
        made = conversation.make(random.Random(seed))
        json.dump(made, sys.stdout, ensure_ascii=False, separators=(',', ':'))
        sys.stdout.write('\n')


if __name__ == '__main__':
    main()
