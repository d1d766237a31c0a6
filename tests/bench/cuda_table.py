#!/usr/bin/env python3
"""Measure the CUDA backend on random weights of the seed's exact shape, whole program, and print the table with its bars.

usage: cuda_table.py [--kaiwa PROGRAM] [--models DIR] [--commit ID] [--quick] [--limit SECONDS] [--no-append] [--output FILE]

Without --kaiwa the program is built first (./start, which needs nvcc).  With it the machine may lack everything but the
driver, Python and numpy.  The models (make_seed_model.py: five of about 4 GB, one at a time) are written to --models, by
default to memory (/dev/shm), and removed.  Decoding is greedy, speculation none.  The table is added to results-cuda.md with
the card, the driver, the commit and the command; the newest section stands first.  --limit: what has not begun by then is left
out, and said so.  Ends with 1 when a bar is missed or something could not be measured.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
RESULTS = os.path.join(HERE, 'results-cuda.md')
KV_4096 = 2 * 32 * 4096 * 4096 * 2
STEPS, PREFILLS = (1, 2, 4, 8), (128, 512, 2048)
# name of the file or directory: what it is called in the table, options of make_seed_model.py
MODELS = {'plain': ('plain', []), 'act-order': ('act-order', ['--act-order']), 'bias': ('biases', ['--bias']),
          'q4_0.gguf': ('Q4_0 of GGUF', ['--gguf', 'q4_0']), 'q4_1.gguf': ('Q4_1 of GGUF', ['--gguf', 'q4_1'])}


def say(text):
    print(text, file=sys.stderr, flush=True)


class Table:
    """Rows of (what, measured, bar, ratio to the bar, good); good None: nothing is asked."""

    def __init__(self):
        self.rows, self.notes, self.failed = [], [], False

    def add(self, what, text, value=None, bar=None, bar_text=None, least=True):
        ratio = None
        if bar and value:
            ratio = value / bar if least else bar / value
            self.failed |= ratio < 1
        self.rows.append((what, text, bar_text or '', '' if ratio is None else f'{ratio:.2f}'))
        say(f'  {what}: {text}' + (f'  (bar {bar_text}: {ratio:.2f})' if ratio is not None else ''))

    def miss(self, what, why):
        self.failed = True
        self.rows.append((what, f'not measured: {why}', '', ''))
        say(f'  {what}: not measured: {why}')

    def text(self):
        head = ('what', 'measured', 'at least', 'measured / bar')
        lines = ['| ' + ' | '.join(r) + ' |' for r in [head, ('---',) * 4, *self.rows]]
        return '\n'.join(lines)


class Runner:
    def __init__(self, args):
        self.args, self.begun = args, time.monotonic()
        self.models = tempfile.mkdtemp(prefix='kaiwa-table-', dir=args.models)
        self.made = set()

    def left(self):
        return self.args.limit - (time.monotonic() - self.begun)

    def run(self, *command, seconds=240):
        if self.left() < 3:
            raise RuntimeError('no time was left')
        try:
            done = subprocess.run([self.args.kaiwa, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=min(seconds, self.left()), check=False)
        except subprocess.TimeoutExpired as e:
            raise RuntimeError(f'{command[0]} took longer than {e.timeout:.0f} s') from None
        if done.returncode != 0:
            raise RuntimeError((done.stderr.strip().splitlines() or [f'status {done.returncode}'])[-1][:200])
        return done.stdout

    def bench(self, model, driver='auto', prompts='1', generate=64, depths='0', repeat=5, explain=True):
        out = self.run('bench', '-m', model, '--backend', 'cuda', '--decoder', driver, '--prompt', prompts, '--depth', depths,
                       '--generate', str(generate), '--repeat', str(repeat), '--format', 'json',
                       *(['--explain'] if explain else []))
        return json.loads(out)

    def model(self, name):
        """Made when first asked for; nothing else runs then, since nothing may disturb what is measured."""
        path = os.path.join(self.models, name)
        if name not in self.made:
            begun = time.monotonic()
            options = MODELS[name][1] + (['--layers', str(self.args.layers)] if self.args.layers else [])
            done = subprocess.run([sys.executable, os.path.join(HERE, 'make_seed_model.py'), path, *options],
                                  stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f'{name} could not be made: {(done.stderr.strip().splitlines() or ["?"])[-1][:200]}')
            self.made.add(name)
            say(f'{name}: made in {time.monotonic() - begun:.1f} s')
        return path

    def drop(self, name):
        path = os.path.join(self.models, name)
        shutil.rmtree(path, ignore_errors=True)
        if os.path.exists(path):
            os.remove(path)

    def close(self):
        shutil.rmtree(self.models, ignore_errors=True)


def row_of(result, test, depth, tokens=None):
    return next(r for r in result['rows']
                if r['test'] == test and r['depth'] == depth and (tokens is None or r['tokens'] == tokens))


def nvidia(query):
    try:
        out = subprocess.run(['nvidia-smi', f'--query-gpu={query}', '--format=csv,noheader,nounits'], stdout=subprocess.PIPE,
                             text=True, check=True)
        return [w.strip() for w in out.stdout.splitlines()[0].split(',')]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return ['?'] * len(query.split(','))


# ---- the parts of the table

def measure_plain(r, t, card):
    """Decode, steps, prefill and the second turn by the driver that is chosen; what decode is held against is returned."""
    model = r.model('plain')
    result = r.bench(model, prompts='50', depths='16,2048', repeat=3 if r.args.quick else 5)
    rate, token_bytes = result['machine']['memory_bytes_per_s'], result['model']['token_bytes']
    t.add('read rate of the memory, same process', f'{rate / 1e12:.2f} TB/s; a token reads {token_bytes / 1e9:.2f} GB of weights')
    decode = {}
    for depth, bar in ((16, 0.65), (2048, 0.60)):
        row, why = row_of(result, 'generate', depth), row_of(result, 'explain', depth)
        decode[depth] = row['median']
        share = row['median'] * token_bytes / rate if depth == 16 else why['limit_share']
        limit = 'of the read rate' if depth == 16 else 'of its own limit'
        t.add(f'decode at context {depth}', f'{row["median"]:.0f} tok/s, {share:.1%} {limit} (predicted '
              f'{why["limit_ms"]:.3f} ms, actual {why["token_ms"]:.3f} ms); {why["driver"]}', share, bar, f'{bar:.0%}')
        t.notes.append(explain_text(why))
    steps = r.bench(model, prompts=','.join(map(str, STEPS)), generate=0, depths='16', repeat=15, explain=False)
    ms = {n: 1e3 * n / row_of(steps, 'prompt', 16, n)['median'] for n in STEPS}
    t.add('a step of 1 / 2 / 4 / 8 tokens', ' / '.join(f'{ms[n]:.3f}' for n in STEPS) + ' ms')
    t.add('a step of 4 over one of 1', f'{ms[4] / ms[1]:.2f}', ms[4] / ms[1], 1.1, '1.10 at most', least=False)
    t.add('a step of 8 over one of 1', f'{ms[8] / ms[1]:.2f}', ms[8] / ms[1], 1.4, '1.40 at most', least=False)
    prefill = r.bench(model, prompts=','.join(map(str, PREFILLS)), generate=0, depths='0', repeat=5, explain=False)
    for n, bar in zip(PREFILLS, (15e3, 35e3, 40e3)):
        speed = row_of(prefill, 'prompt', 0, n)['median']
        of_h200 = 'H200' in card
        t.add(f'prefill of {n}', f'{speed / 1e3:.1f}k tok/s, {1e3 * n / speed:.2f} ms', speed, bar if of_h200 else None,
              f'{bar / 1e3:.0f}k' + ('' if of_h200 else ' (of an H200)'))
    second = r.bench(model, prompts='50', generate=0, depths='2000', repeat=9, explain=False)
    one = 50e3 / row_of(second, 'prompt', 2000, 50)['median']
    t.add('second turn, 50 new on 2,000 cached: until the first token', f'{one:.2f} ms', one, 8 if 'H200' in card else None,
          '8 ms at most' + ('' if 'H200' in card else ' (of an H200)'), least=False)
    return decode, rate, token_bytes, result['model']['memory_bytes']


def explain_text(why):
    phases = ', '.join(f'{p["phase"]} {p["ms"]:.3f}' + (f' ({p["exchange_ms"]:.3f} waiting)' if p['exchange_ms'] > 0 else '')
                       for p in why['phases'])
    return f'At context {why["depth"]}, ms by the clocks: {phases}; {why["clocked_ms"]:.3f} in all with them running.'


def measure_drivers(r, t):
    model = r.model('plain')
    for driver in ('persistent', 'graph'):
        result = r.bench(model, driver, depths='16,2048', repeat=3)
        t.add(f'decode at 16 / 2048, {driver} driver', ' / '.join(
            f'{row_of(result, "generate", d)["median"]:.0f}' for d in (16, 2048)) + ' tok/s')
        if driver == 'graph':
            t.notes.append('Graph driver. ' + explain_text(row_of(result, 'explain', 16)))


def measure_load(r, t):
    model, best = r.model('plain'), None
    for _ in range(3):
        start = time.monotonic()
        out = json.loads(r.run('ask', '-m', model, '--backend', 'cuda', '--raw', '--json', '-t', '0', '-n', '1', 'a'))
        took = time.monotonic() - start
        ms = out['ms']['load'] + out['ms']['first']
        best = (ms, took) if best is None or ms < best[0] else best
    t.add('load, file in the page cache, until the first token', f'{best[0] / 1e3:.2f} s (the whole process {best[1]:.2f} s)',
          best[0], 1200, '1.2 s at most', least=False)


def measure_memory(r, t, reserved):
    """reserved: what the program asked for: weights, work space and 4096 positions; the rest is the driver's own."""
    model = r.model('plain')
    before = float(nvidia('memory.used')[0])
    peak, stop = [before], threading.Event()

    def watch():
        while not stop.is_set():
            peak[0] = max(peak[0], float(nvidia('memory.used')[0]))
            stop.wait(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        r.run('ask', '-m', model, '--backend', 'cuda', '--context', '4096', '--raw', '-t', '0', '-n', '1500', 'a')
    finally:
        stop.set()
        watcher.join()
    weights = os.path.getsize(os.path.join(model, 'gptq_model-4bit-128g.safetensors'))
    used = (peak[0] - before) * 2**20
    work, own = reserved - weights - KV_4096, used - reserved
    t.add('GPU memory at context 4096', f'{used / 1e6:.0f} MB: weights as in the file {weights / 1e6:.0f}, KV {KV_4096 / 1e6:.0f}, '
          f'layout and work space {work / 1e6:.0f}, code and context of the driver, buffers {own / 1e6:.0f}',
          max(work + own, 1e6), 500e6, '500 MB beside weights and KV at most', least=False)


def measure_variant(r, t, name, title, decode):
    result = r.bench(r.model(name), depths='16,2048', repeat=3 if r.args.quick else 5)
    both = {d: row_of(result, 'generate', d)['median'] for d in (16, 2048)}
    ratio = both[16] / decode[16]
    t.add(f'decode, {title}', f'{both[16]:.0f} / {both[2048]:.0f} tok/s at 16 / 2048, {ratio:.3f} of the plain one', ratio, 0.98,
          '0.98')


def measure_blocks(r, t, name, title, decode, rate, token_bytes):
    result = r.bench(r.model(name), depths='16', repeat=3 if r.args.quick else 5)
    row, why = row_of(result, 'generate', 16), row_of(result, 'explain', 16)
    # what the device reads, not what the file holds: the two differ in layout
    share, plain = why['limit_share'], decode[16] * token_bytes / rate
    driver = why['driver'].split(' ')[0]
    t.add(f'decode, {title}', f'{row["median"]:.0f} tok/s, {share:.1%} of the read rate; {driver}', share / plain, 0.8,
          "0.80 of GPTQ's share")


def attempt(t, what, function, *args):
    try:
        return function(*args)
    except (RuntimeError, StopIteration, KeyError, ValueError, OSError) as e:
        t.miss(what, str(e) or type(e).__name__)
        return None


def measure(r, t, card):
    found = attempt(t, 'decode, steps, prefill', measure_plain, r, t, card)
    attempt(t, 'load', measure_load, r, t)
    if found:
        attempt(t, 'GPU memory', measure_memory, r, t, found[3])
    attempt(t, 'both drivers', measure_drivers, r, t)
    r.drop('plain')
    for name, (title, _) in list(MODELS.items())[1:]:
        if not found:
            t.miss(title, 'the plain model was not measured')
        elif name.endswith('.gguf'):
            attempt(t, title, measure_blocks, r, t, name, title, *found[:3])
        else:
            attempt(t, title, measure_variant, r, t, name, title, found[0])
        r.drop(name)


def append(path, section):
    """Newest first: before the first section."""
    text = ''
    if os.path.exists(path):
        with open(path, encoding='utf-8') as f:
            text = f.read()
    at = text.find('\n## ')
    at = len(text) if at < 0 else at + 1
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text[:at] + section + '\n' + text[at:])


def commit_of():
    done = subprocess.run(['git', '-C', TOP, 'rev-parse', '--short', 'HEAD'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False)
    return done.stdout.strip() or 'unknown'


def build():
    say('building (./start)')
    if subprocess.run([os.path.join(TOP, 'start'), '--version'], stdout=sys.stderr, check=False).returncode != 0:
        sys.exit('cuda_table.py: the build failed')
    return os.path.join(TOP, 'build', 'kaiwa')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--kaiwa')
    parser.add_argument('--models', default='/dev/shm' if os.path.isdir('/dev/shm') else None)
    parser.add_argument('--commit')
    parser.add_argument('--layers', type=int, help='to try this script: models of so many layers')
    parser.add_argument('--quick', action='store_true', help='fewer repetitions')
    parser.add_argument('--limit', type=float, default=1200, help='seconds')
    parser.add_argument('--no-append', action='store_true')
    parser.add_argument('--output', default=RESULTS)
    args = parser.parse_args()
    args.kaiwa = os.path.abspath(args.kaiwa) if args.kaiwa else build()
    version = subprocess.run([args.kaiwa, '--version'], stdout=subprocess.PIPE, text=True, check=False).stdout
    if 'sm_' not in version:
        print('skipped: ' + next((line for line in version.splitlines() if 'cuda' in line), 'this build has no CUDA'))
        return 0
    card, driver = nvidia('name,driver_version')
    t, r = Table(), Runner(args)
    try:
        measure(r, t, card)
    finally:
        r.close()
    seconds = time.monotonic() - r.begun
    section = (f'## {card}, driver {driver}, commit {args.commit or commit_of()}\n\n{t.text()}\n\n' +
               '\n\n'.join(t.notes) + f'\n\nCommand: `tests/bench/cuda_table.py{" --quick" if args.quick else ""}`; '
               f'{seconds:.0f} s with making the models. Whole program, greedy, speculation none.\n')
    print(section)
    if not args.no_append:
        append(args.output, section)
    return int(t.failed)


if __name__ == '__main__':
    sys.exit(main())
