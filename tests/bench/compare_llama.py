#!/usr/bin/env python3
"""Compare kaiwa with llama.cpp's llama-bench on this machine's CPU, in turn, as ratios.

usage: compare_llama.py [--kaiwa PROGRAM] [--llama-bench PROGRAM] [--pairs N] [--threads N] [--deep-1b] [--only NAME]
                        [--output FILE]

Builds llama-bench once from the source package llama-cpp-python on PyPI (needs pip, cmake and a C++ compiler), makes the model
of a billion random weights once (make_1b_model.py; needs numpy and gguf), both in ${XDG_CACHE_HOME:-~/.cache}/kaiwa-bench.
SmolLM2-135M-Instruct.Q4_1.gguf comes from KAIWA_TEST_MODELS, where ./check puts it.  Then, for each pair, each program runs
each test once after a short warming up, one program at a time; kaiwa goes first in even pairs, llama.cpp in odd ones.  A row
is the median of the pairs' ratios with their least and most, and the ratio of each program's best.  A second table says what
loading takes from the page cache.  Ends with 1 when a median is below its bar.
"""
import argparse
import csv
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CACHE = os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'kaiwa-bench')
MODELS = os.environ.get('KAIWA_TEST_MODELS') or os.path.join(os.path.dirname(CACHE), 'kaiwa-test-models')
PACKAGE, VERSION = 'llama-cpp-python', '0.3.36'
PROMPT, DEPTH, WARM, CONSTANT_MB = 512, 2000, 16, 64
CMAKE = ['-DCMAKE_BUILD_TYPE=Release', '-DBUILD_SHARED_LIBS=OFF', '-DGGML_NATIVE=ON', '-DLLAMA_CURL=OFF', '-DLLAMA_OPENSSL=OFF',
         '-DLLAMA_BUILD_TESTS=OFF', '-DLLAMA_BUILD_EXAMPLES=OFF', '-DLLAMA_BUILD_SERVER=OFF', '-DLLAMA_BUILD_TOOLS=ON']

# What must be reached: decode and prefill as ratios to llama.cpp, deep as kaiwa's slow-down over llama.cpp's, share of the rate
# of the memory that kaiwa bench measures.
CASES = [
    {'name': 'smollm2', 'title': 'SmolLM2-135M Q4_1', 'kaiwa': 'SmolLM2-135M-Instruct.Q4_1.gguf',
     'llama': 'SmolLM2-135M-Instruct.Q4_1.gguf', 'generate': 64, 'bars': {'decode': 1.0, 'prefill': 1.0, 'deep': 1.0}},
    {'name': 'q4_0', 'title': 'random 1B, Q4_0', 'kaiwa': 'q4_0.gguf', 'llama': 'q4_0.gguf', 'generate': 32,
     'bars': {'decode': 1.0, 'prefill': 0.6, 'share': 0.75}},
    {'name': 'gptq', 'title': 'random 1B, GPTQ g128 (llama.cpp: Q4_0)', 'kaiwa': 'gptq-g128', 'llama': 'q4_0.gguf', 'generate': 32,
     'bars': {'decode': 1.0, 'prefill': 0.6, 'share': 0.75}},
]
LABELS = {'decode': 'decode, tokens/s', 'prefill': f'prefill {PROMPT}, tokens/s', 'deep': f'decode at depth {DEPTH} / at 0',
          'share': 'share of the memory rate'}


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f'{os.path.basename(command[0])}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}')
    return done.stdout


def build_llama():
    """The program, built once."""
    folder = os.path.join(CACHE, f'llama-{VERSION}')
    program = os.path.join(folder, 'build', 'bin', 'llama-bench')
    if os.path.exists(program):
        return program
    os.makedirs(folder, exist_ok=True)
    say(f'building llama-bench of {PACKAGE} {VERSION}')
    run([sys.executable, '-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--no-binary', ':all:',
         f'{PACKAGE}=={VERSION}', '-d', folder])
    archive = next(name for name in os.listdir(folder) if name.endswith('.tar.gz'))
    with tarfile.open(os.path.join(folder, archive)) as tar:
        tar.extractall(folder, filter='data')
    source = os.path.join(folder, archive[:-len('.tar.gz')], 'vendor', 'llama.cpp')
    run(['cmake', '-S', source, '-B', os.path.join(folder, 'build')] + CMAKE)
    run(['nice', '-n', '10', 'cmake', '--build', os.path.join(folder, 'build'), '--target', 'llama-bench', '--parallel', '2'])
    return program


def model(name):
    if name.startswith('SmolLM2'):
        path = os.path.join(MODELS, name)
    else:
        path = os.path.join(CACHE, '1b', name)
        if not os.path.exists(path):
            say('making the model of a billion random weights')
            run([sys.executable, os.path.join(HERE, 'make_1b_model.py'), os.path.join(CACHE, '1b')])
    if not os.path.exists(path):
        sys.exit(f'{name}: not in {MODELS}; run ./check once, or set KAIWA_TEST_MODELS')
    return path


def kaiwa_rates(args, case, deep):
    """decode, prefill, share, and decode at the depth."""
    def bench(prompts, depth):
        text = run([args.kaiwa, 'bench', '-m', model(case['kaiwa']), '--backend', 'cpu', '--threads', str(args.threads),
                    '--prompt', prompts, '--generate', str(case['generate']), '--depth', str(depth), '--repeat', '1',
                    '--format', 'json'])
        out = json.loads(text)
        rates = {(row['test'], row['tokens']): row['median'] for row in out['rows']}
        share = [row['memory_share'] for row in out['rows'] if row['test'] == 'generate'][0]
        return rates, share

    rates, share = bench(f'{WARM},{PROMPT}', 0)
    got = {'decode': rates['generate', case['generate']], 'prefill': rates['prompt', PROMPT], 'share': share}
    if deep:
        rates, _ = bench(str(WARM), DEPTH)
        got['deep'] = rates['generate', case['generate']]
    return got


def llama_rates(args, case, deep):
    def bench(prompt, depth):
        # Without its own warming up, which reads the whole prompt once more: a short test comes first instead.
        text = run([args.llama_bench, '-m', model(case['llama']), '-t', str(args.threads), '-p', prompt, '-n',
                    str(case['generate']), '-d', str(depth), '-r', '1', '--no-warmup', '-o', 'csv'])
        rows = csv.DictReader(io.StringIO(text))
        return {(int(row['n_prompt']), int(row['n_gen'])): float(row['avg_ts']) for row in rows}

    rates = bench(f'{WARM},{PROMPT}', 0)
    got = {'decode': rates[0, case['generate']], 'prefill': rates[PROMPT, 0]}
    if deep:
        got['deep'] = bench(str(WARM), DEPTH)[0, case['generate']]
    return got


def measure(args, cases):
    pairs = {case['name']: [] for case in cases}
    for number in range(args.pairs):
        theirs = {}  # of this pair: two cases may compare with the same file
        for case in cases:
            deep, key = 'deep' in case['bars'], case['llama']
            if number % 2 and key not in theirs:
                theirs[key] = llama_rates(args, case, deep)
            kaiwa = kaiwa_rates(args, case, deep)
            if key not in theirs:
                theirs[key] = llama_rates(args, case, deep)
            llama = theirs[key]
            pairs[case['name']].append((kaiwa, llama))
            say(f"pair {number + 1} {case['name']}: kaiwa {short(kaiwa)}; llama.cpp {short(llama)}")
    return pairs


def load_once(args, path):
    """Milliseconds of loading and to the first token, and the peak of the resident memory in MB."""
    command = [args.kaiwa, 'ask', '-m', path, '--backend', 'cpu', '--threads', str(args.threads), '--context', '512', '-n', '1',
               '--stats', 'Hello']
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        text = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
    if status != 0:
        sys.exit(f'kaiwa ask: {text}')
    ms = json.loads(re.search(r'^{.*}$', text, re.M).group(0))['ms']
    return ms['load'], ms['first'], usage.ru_maxrss * 1024 / 1e6


def loading(args, cases):
    """The rows of the second table; the constant covers tokenizer, cache and program."""
    rows, missed = [], 0
    for case in cases:
        path = model(case['kaiwa'])
        files = [os.path.join(path, name) for name in os.listdir(path)] if os.path.isdir(path) else [path]
        size = sum(os.path.getsize(name) for name in files if name.endswith(('.safetensors', '.gguf'))) / 1e6
        runs = [load_once(args, path) for _ in range(args.pairs)]
        load, first, peak = (statistics.median(column) for column in zip(*runs))
        quickest = min(run[0] for run in runs)
        most = size * 1.05 + CONSTANT_MB
        missed += peak > most
        rows.append(f"| {case['title'].split(' (')[0]} | {size:.0f} | {load:.0f} | {quickest:.0f} | {first:.0f} | {peak:.0f} | "
                    f"{most:.0f} | {'kept' if peak <= most else 'exceeded'} |")
    return rows, missed


def short(rates):
    return ', '.join(f'{key} {value:.3g}' for key, value in rates.items())


def value_of(key, kaiwa, llama):
    if key == 'share':
        return kaiwa['share']
    if key == 'deep':
        return kaiwa['deep'] / kaiwa['decode'] / (llama['deep'] / llama['decode'])
    return kaiwa[key] / llama[key]


def best_ratio(key, pairs):
    """Of the best run of each: what disturbs both least."""
    def best(rates):
        return max(rates)
    if key == 'share':
        return best(k['share'] for k, _ in pairs)
    if key == 'deep':
        ours = best(k['deep'] for k, _ in pairs) / best(k['decode'] for k, _ in pairs)
        return ours / (best(m['deep'] for _, m in pairs) / best(m['decode'] for _, m in pairs))
    return best(k[key] for k, _ in pairs) / best(m[key] for _, m in pairs)


def cells(key, pairs):
    """The two programs' own medians, as text."""
    def text(values):
        return f'{statistics.median(values):.3g}'
    if key == 'share':
        return text([k['share'] for k, _ in pairs]), '–'
    if key == 'deep':
        return text([k['deep'] / k['decode'] for k, _ in pairs]), text([m['deep'] / m['decode'] for _, m in pairs])
    return text([k[key] for k, _ in pairs]), text([m[key] for _, m in pairs])


def report(args, cases, pairs, before):
    cpu = next((line.split(':', 1)[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), '?')
    version = run([args.kaiwa, '--version'])
    units = next((line.strip() for line in version.splitlines() if 'cpu:' in line), '')
    command = ['tests/bench/compare_llama.py', '--pairs', str(args.pairs), '--threads', str(args.threads)]
    lines = ['# kaiwa and llama.cpp on one CPU', '',
             f'Machine: {cpu}, {args.threads} threads; kaiwa {args.commit}, {units}; llama.cpp of {PACKAGE} {VERSION}, '
             f'-DGGML_NATIVE=ON, its default settings.', '',
             f'Command: `{" ".join(command)}`. {args.pairs} pairs, in turn; a ratio is the median of the pairs\' ratios, with the '
             'least and the most; rates are medians too, and the last ratio is that of the best runs. '
             f'Load of the machine before and after (1 minute): {before:.1f}, {os.getloadavg()[0]:.1f}; a quiet machine has '
             f'0 before and {args.threads} after.', '',
             '| model | what | kaiwa | llama.cpp | ratio | least – most | best / best | bar | |',
             '| --- | --- | ---: | ---: | ---: | --- | ---: | ---: | --- |']
    missed = 0
    for case in cases:
        for key, bar in case['bars'].items():
            got = [value_of(key, k, m) for k, m in pairs[case['name']]]
            middle = statistics.median(got)
            ok = middle >= bar
            missed += not ok
            ours, theirs = cells(key, pairs[case['name']])
            lines.append(f"| {case['title']} | {LABELS[key]} | {ours} | {theirs} | {middle:.2f} | {min(got):.2f} – {max(got):.2f} | "
                         f"{best_ratio(key, pairs[case['name']]):.2f} | {bar:.2f} | {'reached' if ok else 'missed'} |")
    rows, exceeded = loading(args, cases)
    lines += ['', f'Loading from the page cache, medians of {args.pairs}, a context of 512; the peak of a run may be the weights, a '
              f'twentieth more and {CONSTANT_MB} MB.', '',
              '| model | file, MB | load, ms | quickest | then first token, ms | peak, MB | most | |',
              '| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |'] + rows
    return '\n'.join(lines) + '\n', missed + exceeded


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--kaiwa', default=os.path.join(TOP, 'build', 'kaiwa'))
    parser.add_argument('--llama-bench', help='a program that is there already')
    parser.add_argument('--pairs', type=int, default=7)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--deep-1b', action='store_true', help='the depth with the larger model too; takes long')
    parser.add_argument('--only', choices=[case['name'] for case in CASES], help='one model')
    parser.add_argument('--output', help='write the table there too')
    args = parser.parse_args()
    args.llama_bench = args.llama_bench or build_llama()
    cases = [case for case in CASES if args.only in (None, case['name'])]
    if args.deep_1b:
        for case in cases:
            case['bars']['deep'] = 1.0
    before = os.getloadavg()[0]
    git = ['git', '-C', TOP, 'rev-parse', '--short=12', 'HEAD']
    args.commit = subprocess.run(git, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    text, missed = report(args, cases, measure(args, cases), before)
    print(text, end='')
    if args.output:
        with open(args.output, 'w', encoding='utf-8') as f:
            f.write(text)
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
