"""Whole conversations: a system prompt or none, one to six turns, a name that may be told and asked for."""
import re

from . import facts, facts_more, facts_use, grammar, manners, names, stories, sums, talk, talk_more, topics

assert facts_use and facts_more and talk_more
_JAPANESE = re.compile(r'[\u3041-\u30ff\u4e00-\u9fff]')
KINDS = [('fact', 40), ('topic', 15), ('talk', 26), ('sum', 14), ('story', 6), ('recall', 7)]
EARLIER = 'earlier'  # the kind of a reply in a manner that is no longer asked for
AGAIN_JA = ['もう一度[言って|教えて|お願いします|説明して][ください|]', '[今の|いまの]をもう一度',
    'え[、何て|？もう一回]', '聞き逃しました。もう一度[お願いします|]']
AGAIN_EN = ['[say|tell me|repeat] that again[ please|]', 'once more[ please|]', 'pardon[, what was that|]',
    'can you repeat that', 'again please']


def pick(rng, rows):
    return rng.choices(rows, [r['weight'] for r in rows])[0]


def name_of(rng, lang):
    return names.japanese(rng) if lang == 'ja' and rng.random() < 0.95 else names.english(rng)


def honorific(name):
    return name if re.search(r'(さん|ちゃん|くん|君|様)$', name) else name + 'さん'


def fill(templates, name):
    out = {}
    for lang in ('ja', 'en'):
        out[lang] = [t.replace('{n}さん', honorific(name)).replace('{n}', name) for t in templates[lang]]
    return out


def tell_name(rng, lang, name):
    shown = name
    if lang == 'ja':
        if rng.random() < 0.12 and not re.search('[A-Za-z ]', name):
            shown = name + rng.choice(('ちゃん', 'さん', 'くん'))
            name = shown
        text = rng.choice(names.BEFORE_JA) + grammar.one_of(rng, names.TELL_JA, {'n': shown})
        after = rng.choice(names.AFTER_JA)
        text = text + after if text[-1] in '。！' else text.rstrip('。') + after
        if rng.random() < 0.2:
            text = text.rstrip('。') + rng.choice(('', '！', '!'))
    else:
        text = rng.choice(names.BEFORE_EN) + grammar.one_of(rng, names.TELL_EN, {'n': shown}) + rng.choice(names.
            AFTER_EN)
        if rng.random() < 0.75:
            text = text[0].upper() + text[1:]
            text = re.sub(r'\bi\b(?=[ \'])', 'I', text) + rng.choice(('.', '.', '!', ''))
        elif rng.random() < 0.35:
            text = text.lower()
            name = name.lower()
    greet = fill(names.GREET, name)
    return text, {k: rng.choice(greet[k[:2]]) for k in ('ja', 'en', 'ja1', 'en1')}, name


def ask_name(rng, lang, name):
    if lang == 'ja':
        text = grammar.dress_ja(rng, grammar.one_of(rng, names.RECALL_JA), rng.random() < 0.5, 0.02)
    else:
        text = grammar.dress_en(rng, grammar.one_of(rng, names.RECALL_EN), rng.random() < 0.5, 0.02)
    replies = fill(names.REPLY_RECALL, name) if name else names.UNKNOWN
    return text, {k: rng.choice(replies[k[:2]]) for k in ('ja', 'en', 'ja1', 'en1')}


def turn(rng, lang, kind, name):
    if kind == 'fact':
        row = pick(rng, facts.ROWS)
        return (facts.ask_ja if lang == 'ja' else facts.ask_en)(rng, row), row['answers']
    if kind == 'topic':
        return topics.make(rng, lang)
    if kind == 'talk':
        return talk.make(rng, lang, pick(rng, talk.ROWS))
    if kind == 'sum':
        return sums.make(rng, lang)
    if kind == 'story':
        return stories.make(rng, lang)
    return ask_name(rng, lang, name)


def make(rng):
    """{'system': text or None, 'turns': [(question, reply, kind)]}"""
    manner = rng.choices(('none', 'plain', 'polite', 'kansai', 'oneline', 'english'), (46, 10, 11, 11, 11, 11))[
        0]
    lang = rng.choice(('ja', 'en'))
    prompt_lang = lang if rng.random() < 0.75 else rng.choice(('ja', 'en'))
    system = None if manner == 'none' else manners.prompt(rng, manner, prompt_lang)
    n = rng.choices((1, 2, 3, 4, 5, 6), (34, 18, 20, 14, 8, 6))[0]
    if rng.random() < 0.04:
        n = rng.randrange(8, 25)
    tells = rng.randrange(n) if n > 1 and rng.random() < 0.5 else -1
    if n > 2 and tells >= 0 and rng.random() < 0.6:
        tells = 0
    asks = n - 1 if tells >= 0 and tells < n - 1 and rng.random() < 0.6 else -1
    # The system prompt may have been another one while the first replies were written; those are no examples.
    switch = rng.randrange(1, n) if n > 1 and rng.random() < 0.22 else 0
    before = rng.choice([m for m in ('plain', 'polite', 'kansai', 'oneline', 'english') if m != manner])
    turns, name = [], None
    for i in range(n):
        now = lang if rng.random() < 0.95 else ('en' if lang == 'ja' else 'ja')
        if i == tells or (n == 1 and rng.random() < 0.02):
            kind = 'tell'
            text, answers, name = tell_name(rng, now, name_of(rng, now))
        elif i == asks:
            kind = 'recall'
            text, answers = ask_name(rng, now, name)
        elif turns and rng.random() < 0.02:
            kind = 'again'
            text = grammar.dress_ja(rng, grammar.one_of(rng, AGAIN_JA)) if now == 'ja' else grammar.dress_en(rng,
                grammar.one_of(rng, AGAIN_EN))
            text, answers = text, last
        else:
            kind = rng.choices([k for k, _ in KINDS], [w for _, w in KINDS])[0]
            text, answers = turn(rng, now, kind, name)
        last = answers
        reply = manners.answer(rng, manner if i >= switch else before, now, answers)
        if i < switch:
            kind = EARLIER
        elif manner == 'english' and _JAPANESE.search(reply) and not name:
            raise AssertionError(reply)
        text = re.sub(r' {2,}', ' ', text).strip()
        turns.append((text, reply, kind))
    return {'system': system, 'manner': manner, 'turns': turns}
