"""The guide's tokenizer: byte-pair merges over characters with byte fallback, in the shape of Llama 2's
tokenizer.json (Prepend and Replace, no pre_tokenizer), trained and applied here without other libraries.

Training counts pairs inside of pieces only: runs of one script, each digit alone.  No merge then ever
crosses from one piece into the next, so encoding piece by piece equals encoding the whole text.
"""
import collections
import functools
import json
import re

SPACE = '\u2581'
SPECIALS = ['<unk>', '<s>', '</s>']
BOS, EOS = 1, 2
FIRST_BYTE = len(SPECIALS)
LONGEST = 12  # characters in a merged token
PIECE = re.compile('\u2581?[A-Za-z\u00c0-\u024f]+|[\u4e00-\u9fff\u3005]+|[\u3041-\u3096]+|'
                   '[\u30a1-\u30fa\u30fc]+'
                   '|\u2581?[!-/:-@\\[-`{-~]+|.', re.S)


def spell(text):
    return SPACE + text.replace(' ', SPACE)


def pieces(text):
    return PIECE.findall(text)


def train(texts, size, rarest=4):
    """texts: an iterable of whole segments.  Returns (tokens in order of id, merges)."""
    counts = collections.Counter()
    for text in texts:
        counts.update(pieces(spell(text)))
    chars = collections.Counter()
    for piece, n in counts.items():
        for c in piece:
            chars[c] += n
    chars = sorted(c for c, n in chars.items() if n >= rarest and c != '\n')
    known = set(chars)
    words = [[list(p), n] for p, n in sorted(counts.items()) if len(p) > 1 and known.issuperset(p)]
    merged, merges = [], []
    pairs, where = collections.Counter(), collections.defaultdict(set)
    for i, (symbols, n) in enumerate(words):
        for pair in zip(symbols, symbols[1:]):
            pairs[pair] += n
            where[pair].add(i)
    wanted = size - FIRST_BYTE - 256 - len(chars)
    while len(merged) < wanted and pairs:
        best = max(pairs.items(), key=lambda item: (item[1], item[0]))[0]
        if pairs[best] < 2:
            break
        token = best[0] + best[1]
        if len(token) > LONGEST or token in known:
            del pairs[best]
            continue
        merges.append(best)
        merged.append(token)
        known.add(token)
        for i in sorted(where.pop(best)):
            _merge_word(words[i], i, best, pairs, where)
        del pairs[best]
    return SPECIALS + ['<0x%02X>' % b for b in range(256)] + merged + chars, merges


def _merge_word(word, i, pair, pairs, where):
    symbols, n = word
    for old in zip(symbols, symbols[1:]):
        if old in pairs:
            pairs[old] -= n
    out, at = [], 0
    while at < len(symbols):
        if at + 1 < len(symbols) and symbols[at] == pair[0] and symbols[at + 1] == pair[1]:
            out.append(pair[0] + pair[1])
            at += 2
        else:
            out.append(symbols[at])
            at += 1
    word[0] = out
    for new in zip(out, out[1:]):
        if len(new[0]) + len(new[1]) <= LONGEST:
            pairs[new] += n
            where[new].add(i)


def save(path, tokens, merges):
    special = [{'id': i, 'content': t, 'single_word': False, 'lstrip': False, 'rstrip': False, 'normalized':
                False,
                'special': True} for i, t in enumerate(SPECIALS)]
    bos = {'SpecialToken': {'id': '<s>', 'type_id': 0}}
    text = {'Sequence': {'id': 'A', 'type_id': 0}}
    other = [{'SpecialToken': {'id': '<s>', 'type_id': 1}}, {'Sequence': {'id': 'B', 'type_id': 1}}]
    data = {
        'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': special,
        'normalizer': {'type': 'Sequence', 'normalizers': [
            {'type': 'Prepend', 'prepend': SPACE},
            {'type': 'Replace', 'pattern': {'String': ' '}, 'content': SPACE}]},
        'pre_tokenizer': None,
        'post_processor': {'type': 'TemplateProcessing', 'single': [bos, text], 'pair': [bos, text] + other,
                           'special_tokens': {'<s>': {'id': '<s>', 'ids': [BOS], 'tokens': ['<s>']}}},
        'decoder': {'type': 'Sequence', 'decoders': [
            {'type': 'Replace', 'pattern': {'String': SPACE}, 'content': ' '}, {'type': 'ByteFallback'},
            {'type': 'Fuse'}, {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 0}]},
        'model': {'type': 'BPE', 'dropout': None, 'unk_token': '<unk>', 'continuing_subword_prefix': None,
                  'end_of_word_suffix': None, 'fuse_unk': True, 'byte_fallback': True,
                  'vocab': {t: i for i, t in enumerate(tokens)}, 'merges': ['%s %s' % m for m in merges]},
    }
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(data, file, ensure_ascii=False, indent=0)
        file.write('\n')


class Tokenizer:
    def __init__(self, path):
        with open(path, encoding='utf-8') as file:
            model = json.load(file)['model']
        self.ids = model['vocab']
        self.tokens = [t for t, _ in sorted(self.ids.items(), key=lambda item: item[1])]
        self.ranks = {tuple(m.split(' ')): i for i, m in enumerate(model['merges'])}
        self.size = len(self.tokens)
        self.encode_piece = functools.lru_cache(maxsize=1 << 18)(self._encode_piece)

    def _encode_piece(self, piece):
        symbols = list(piece)
        while len(symbols) > 1:
            rank, at = min((self.ranks.get(p, 1 << 30), i) for i, p in enumerate(zip(symbols, symbols[1:])))
            if rank == 1 << 30:
                break
            symbols[at:at + 2] = [symbols[at] + symbols[at + 1]]
        ids = []
        for s in symbols:
            if s in self.ids:
                ids.append(self.ids[s])
            else:
                ids.extend(FIRST_BYTE + b for b in s.encode())
        return tuple(ids)

    def encode_spelt(self, text):
        ids = []
        for piece in pieces(text):
            ids.extend(self.encode_piece(piece))
        return ids

    def encode(self, text):
        """A segment after a control token: with the space that Llama's pipeline prepends."""
        return self.encode_spelt(spell(text)) if text else []

    def decode(self, ids):
        out = b''
        for i in ids:
            if i >= FIRST_BYTE + 256:
                out += self.tokens[i].replace(SPACE, ' ').encode()
            elif i >= FIRST_BYTE:
                out += bytes([i - FIRST_BYTE])
        return out.decode('utf-8', 'replace')
