"""Templates and how a question may be worded.

A template is text with alternatives in brackets, which may be nested, and names in braces:
"[how|where] do I {verb} it".  Names are looked up in the words given to expand(), then in LISTS.
Everything is drawn from one random.Random, so a seed decides the text.
"""
import functools
import re

LISTS = {}


@functools.lru_cache(maxsize=None)
def parse(template):
    """A template as a tuple of strings, ('any', choices) and ('name', name)."""
    node, at = _parse(template, 0, False)
    if at != len(template):
        raise ValueError('unbalanced template: ' + template)
    return node


def _parse(text, at, inside):
    choices, parts, plain = [], [], ''
    while at < len(text):
        c = text[at]
        if c in '[{' or (inside and c in '|]'):
            if plain:
                parts.append(plain)
                plain = ''
        if c == '[':
            node, at = _parse(text, at + 1, True)
            parts.append(node)
            continue
        if c == '{':
            end = text.index('}', at)
            parts.append(('name', text[at + 1:end]))
            at = end + 1
            continue
        if inside and c == '|':
            choices.append(tuple(parts))
            parts = []
        elif inside and c == ']':
            choices.append(tuple(parts))
            return ('any', choices), at + 1
        else:
            plain += c
        at += 1
    if inside:
        raise ValueError('unbalanced template: ' + text)
    if plain:
        parts.append(plain)
    return tuple(parts), at


def expand(rng, template, words=None):
    out = []
    _write(rng, parse(template), words or {}, out)
    return ''.join(out)


def _write(rng, parts, words, out):
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif part[0] == 'any':
            _write(rng, rng.choice(part[1]), words, out)
        else:
            value = words.get(part[1])
            if value is None:
                value = LISTS[part[1]]
            if not isinstance(value, str):
                value = rng.choice(value)
            _write(rng, parse(value), words, out)


def one_of(rng, templates, words=None):
    return expand(rng, rng.choice(templates), words)


# ---- how a Japanese question about doing something is put -------------------------------------

# After the dictionary form of a verb.
HOW_JA = [
    '[には|のには|ためには][どうすれば|どうしたら|何をすれば|どうやれば][いいですか|いいの|よいですか|'
    'よいでしょうか|'
    'いいんだろう|いいかな|よろしいですか|いい|いいんですか|いいのでしょう|いいのか]',
    '[方法|やり方|手順|しかた|仕方|コマンド|キー|操作|手段|手][は|って][何ですか|ありますか|ある|どんなもの|何|'
    'なに|あるの|あるかな|ないの|ありませんか|あったっけ|どうだっけ|ないですか|ないかな|]',
    '[方法|やり方|手順|しかた|コマンド|キー|操作|手段]を[教えて|おしえて|説明して|見せて|案内して|言って|'
    '示して|紹介して][ください|くれますか|もらえますか|ほしい|ほしいです|くれない|くれ|よ|ちょうだい|'
    'いただけますか|くださいませんか|もらえる|]',
    '[方法|やり方|手順|しかた|コマンド|キー|操作]が[知りたい|わからない|分からない|気になる|思い出せない]'
    '[です|んだけど|'
    'のですが|んですが|な|の|]',
    '[方法|やり方|手順|しかた]が[わかりません|分かりません|見つかりません|覚えられません]',
    'ことは[できますか|できる|可能ですか|できるの|できるかな|できるんでしょうか|できますでしょうか|無理ですか|'
    'できないの]',
    '[コマンド|キー|操作|手順|ボタン]は[何ですか|どれですか|どれ|なに|何だっけ|どれだっけ|何になりますか|'
    'どれになる]',
    '[とき|時|場合|際]は[どうする|何を押す|何と打つ|どうやる|どう操作する|何を使う][の|んですか|のですか|'
    'のでしょう|'
    'んだろう|んだっけ|のかな|]',
    '[とき|時|場合]に[押す|使う|打つ|入力する|必要な][キー|コマンド|もの]は[何|どれ|なに][ですか|]',
    '[には|なら][何を押せば|何と打てば|何を使えば|何と入力すれば|どこを見れば|どれを押せば]いい[ですか|の|'
    'んですか|'
    'んだろう|のでしょうか|]',
    'には', 'のってどうやるの', 'のはどうやるんですか', 'のは[どのキー|どのコマンド|どう][ですか|なの|]',
    '[方法|手順|やり方|しかた]', 'にあたって必要なことを[教えて|知りたい]', 'の手伝って[くれますか|]',
]
# After the stem of a verb, the part before -masu.
WANT_JA = [
    'たい[です|んだけど|のですが|んですが|な|と思っています|なあ|の|んだ|んですけど|んだが|]',
    'たい[んだけど|のですが|んですが|です。|。|から][、|][どうすればいいですか|どうやるの|方法はある|教えて|'
    'やり方は|何をすればいい|教えてください|手順は|どうしたらいい|]',
    'たい[とき|時|場合]は[どうする|何を押せばいい|どうすればいい|何と打てばいい][ですか|の|のですか|]',
    'たいときの[キー|操作|コマンド|やり方][は|を教えて|って何|]',
    'ます。[どうすれば|何をすれば]いいですか',
    '方を[教えて|おしえて|説明して|見せて|案内して][ください|くれますか|ほしい|もらえますか|]',
    '方[を|が]知りたい[です|のですが|んだけど|な|]',
    '方[は|って何|が分からない|がわかりません|が知りたい|は？]',
]
OPEN_JA = ['すみません、', 'あの、', 'ねえ、', 'ちょっと聞きたいんだけど、', '質問です。', 'すいません、',
           'えっと、',
           'ところで、', 'じゃあ、', '次に、', 'あと、', 'もしよければ、', 'なあ、', '教えてほしいんだけど、',
           'お聞きします。',
           'ちなみに、', 'それと、', '一つ質問。', 'こんにちは。', 'はじめて使います。', '困ってます。',
           'kaiwa で', 'kaiwa で、',
           'このプログラムで', 'ここで', 'この画面で', 'いま', '実は、', 'そういえば、', 'もしかして、',
           'さて、', 'では、']
CLOSE_JA = ['お願いします。', 'よろしく。', '教えて。', '教えてください。', '助けて。', '知りたいです。',
            'お願い。', '頼む。',
            'よろしくお願いします。', '急いでます。', 'すみません。', '初心者です。']


# After the potential stem: 見られ, 書け, 保存でき.
CAN_JA = [
    'ます[か|でしょうか|かね|よね|か、教えてください]',
    'る[の|のかな|んですか|のですか|か知りたい|かな|んでしょうか|でしょうか|よね|か教えて]',
    'ない[の|ですか|かな|んですか|でしょうか]',
    'る[方法|やり方|場所|コマンド|キー|画面|所]は[ある|ありますか|どこ|どれ|何|どこですか|何ですか|]',
    'るように[したい|なりたい|するには|してほしい|したいです]', 'なくて困って[います|る|いるんですが]',
]
# After the te-form.
TE_JA = [
    '[ほしい|ほしいです|もらいたい|もらいたいです|ほしいんだけど|ほしいのですが|もらえますか|くれますか|'
    'くれる|ください|くれない]', 'みたい[です|んだけど|のですが|な|んですが|]',
    'おきたい[です|んだけど|のですが|]',
    'も[いい|大丈夫|問題ない|よい][ですか|の|のかな|でしょうか]',
    '[いる|いるところな]んだけど、うまくいかない[です|]', 'みるにはどうするの',
    'も分からなかった[です|んですが|]',
]
PLAN_JA = ['のに[必要な|使う|要る|便利な][こと|もの|コマンド|操作|キー|手順]は[何|何ですか|どれ|]',
           'つもり[です|なんだけど|なのですが|だ]',
           '[必要がある|必要があります|ことになった|予定です|ところです]',
           'んだったら[何をする|どうする|どのキー]の', '[すべ|手立て|術|裏技]は[ありますか|ないの|あるの|]',
           'なら[どうする|どうすればいい|何をする][の|んですか|]',
           'ときの[操作|キー|コマンド|手順|合図]を[教えて|知りたい|説明して][ください|です|]',
           'のは[難しいですか|簡単ですか|どうしたらいい|可能|何ていうコマンド]',
           '[ための|]一番[簡単な|速い|いい]方法は']
_E_ROW = dict(zip('いきぎしちにびみり', 'えけげせてねべめれ'))


def forms_ja(verb, stem):
    """(potential stem, te-form) of a verb, given as dictionary form and the stem before -masu."""
    if verb.endswith('する'):
        return stem[:-1] + 'でき', stem + 'て'
    if verb.endswith('くる'):
        return stem[:-1] + 'こられ', stem + 'て'
    if verb == stem + 'る':
        return stem + 'られ', stem + 'て'
    root, last = stem[:-1], verb[-1]
    te = {'く': 'いて', 'ぐ': 'いで', 'す': 'して', 'う': 'って', 'つ': 'って', 'る': 'って', 'ぬ': 'んで',
        'ぶ': 'んで', 'む': 'んで'}[last]
    return root + _E_ROW[stem[-1]], root + te


def how_ja(rng, phrases, verbs):
    """phrases: what comes before the verb; verbs: 'dictionary form/stem' pairs."""
    verb, stem = rng.choice(verbs).split('/')
    phrase = expand(rng, rng.choice(phrases))
    r = rng.random()
    if r < 0.42:
        return phrase + verb + one_of(rng, HOW_JA)
    if r < 0.66:
        return phrase + stem + one_of(rng, WANT_JA)
    if r < 0.78:
        return phrase + verb + one_of(rng, PLAN_JA)
    potential, te = forms_ja(verb, stem)
    if r < 0.92:
        return rng.choice(('', '', '', 'どうすれば', 'どうやって', 'どうしたら', 'どうやったら')) + phrase.replace('を', rng.choice('がを')) + \
            potential + one_of(rng, CAN_JA)
    return phrase + te + one_of(rng, TE_JA)


ASK_WHAT_JA = [
    '{x}[は|って|とは][何ですか|何|なに|なんですか|何のこと|どういうもの|どんなもの|何なの|なんだろう|'
    '何でしょうか|'
    'どういう意味|どういうこと|]',
    '{x}[って|とは]どういう[意味|もの|こと|仕組み][ですか|なの|でしょうか|]',
    '{x}について[教えて|説明して|知りたい|詳しく|話して|聞かせて][ください|です|ほしい|くれますか|]',
    '{x}の[意味|説明|仕組み|役割|こと|働き|目的][は|を教えて|が知りたい|って何|を説明して|をやさしく説明して]',
    '{x}[が|の意味が|って]よく[分からない|わからない|分かりません|わかりません][です|んだけど|のですが|]',
    '{x}を[簡単に|やさしく|短く|わかりやすく|ひとことで|]説明[して|してください|してほしい|できますか|'
    'してくれる|お願いします]',
    '{x}は[何のためにある|何に使う|何の役に立つ|どう働く|なぜ要る|何をする]の[ですか|でしょうか|かな|]',
    '{x}という[の|言葉|もの][は|が][何ですか|分かりません|気になります|何を指すの]', '{x}？', '{x}とは',
    '{x}って？',
]
ASK_WHAT_EN = [
    "[what is|what's|whats|what exactly is|so what is] {x}", '[explain|describe|define] {x}[ to me| for me|]',
    '[tell me|could you tell me|can you tell me|please tell me] [about|what] {x}[ is|]',
    'what does {x} [mean|do|stand for]', 'what do you mean by {x}', "[i don't|i do not] understand {x}",
    "[what is|what's] [the purpose|the point|the meaning|the idea|the use] of {x}",
    '[can|could|would] you [explain|describe] {x}[ in simple words| simply| briefly| to a beginner|]',
    'what is {x} [for|good for|used for|about]', 'how does {x} work', 'why [is there|do i need] {x}',
    '{x}?', 'i want to [know|learn|understand] [about|what] {x}[ is|]',
    'give me a [short|simple] explanation of {x}',
    'i keep [reading|hearing|seeing] [about|of] {x}', 'in [plain|simple] [words|terms], what is {x}',
]
HOW_EN = [
    'how [do|can|would|should|could|may|might|does] [i|you|one|we|someone] {v}', 'how to {v}',
    '[i want to|i would like to|i need to|i have to|i wish to|i wanna|i am trying to] {v}',
    "[i'd like to|i'd love to|i'm trying to|let me|help me|please help me] {v}",
    '[is there|do you know|do you have] [a|any|some] way to {v}', 'can [i|you|kaiwa|one|we] {v}',
    '[what is|whats|what is] the [way|command|key|easiest way|right way|best way|shortcut] to {v}',
    '[which|what] [key|command|option|button] [do i need to|should i press to|do i use to|must i use to|will '
    'let me|lets me] {v}',
    'what [do|should|must|can] i [press|type|do|enter|use|run] to {v}', '[tell|show|teach] me how to {v}',
    '[could|can|would] you [tell|show|explain to] me how to {v}', 'is it possible to {v}',
    'the [command|key] to {v}',
    "[i don't|i do not] know how to {v}", 'how is it possible to {v}', "what's the command if i want to {v}",
    '[what|which] steps [do i need|are needed] to {v}', '{v}[ please|, how|]', 'where do i go to {v}',
    'does kaiwa let me {v}', 'i cannot figure out how to {v}', 'in kaiwa, how do i {v}',
    'what if i want to {v}',
    'is there [a|some] [command|key|option|trick] [to|that lets me] {v}', 'please explain how to {v}',
    'any idea how to {v}', 'would it be possible to {v}', 'what [command|key] will {v}', 'i forgot how to {v}',
    'when i want to {v}, what [do i do|should i press|key is it|is the command]', 'remind me how to {v}',
]
# {g}: the verb with -ing.
GERUND_EN = [
    '[is there|do you know|do you have|does kaiwa have] [some|a|any|no] way of {g}', '[what|how] about {g}',
    '[tell me|teach me|talk to me] about {g}',
    '[instructions|help|steps|advice|a hint|tips] [for|on|with] {g}[ please|]',
    '[i have trouble|i need help|i am having a hard time|i have difficulty] {g}',
    '[what is|what would be|describe|explain] the [best way|procedure|method|right way|usual way] of {g}',
    '{g}[: how|, how is it done|, how do i do that|, please]',
    'i am [interested in|thinking of|thinking about|wondering about|stuck with] {g}',
    '[which|what] [key|command|option|shortcut] is [for|used for|meant for|responsible for] {g}',
    'the [command|key|shortcut|option] for {g}', 'how [does one|do people|do you] go about {g}',
    'is {g} [possible|allowed|hard|easy|supported|something you can do]', 'where do i start with {g}',
    'can you help me with {g}',
]
_DOUBLE = set('get put set stop quit let begin cut run rub step plan'.split())


def gerund(phrase):
    first, _, rest = phrase.partition(' ')
    if first in _DOUBLE:
        first += first[-1]
    elif first.endswith('e') and not first.endswith(('ee', 'oe', 'ye')) and first != 'be':
        first = first[:-1]
    return first + 'ing' + (' ' + rest if rest else '')


def how_en(rng, phrases):
    v = expand(rng, rng.choice(phrases))
    if rng.random() < 0.2:
        return one_of(rng, GERUND_EN, {'g': gerund(v)})
    return one_of(rng, HOW_EN, {'v': v})


OPEN_EN = ['hey, ', 'hi, ', 'hello, ', 'excuse me, ', 'so, ', 'quick question: ', 'please: ', 'ok, ', 'and ',
           'one more thing: ',
           'sorry, ', 'well, ', 'now, ', 'by the way, ', 'i am new here. ', 'just wondering, ',
           'another question: ',
           'i was wondering: ', 'thanks. ', 'good. ', 'um, ', 'yes, but ', 'alright, ', 'next: ',
           'a question: ']
CLOSE_EN = [' please', ', please', ' thanks', '? thanks', ', thank you', ' exactly', ' in kaiwa', ' here',
            ' now', ' in this program',
            ' again', ', can you help', ' on this screen', ', do you know', ' in the terminal', ' with kaiwa',
            ' right now',
            ' today', ', i am a beginner', ' in here']


# ---- what people do to a sentence when they type it -------------------------------------------

def typo(rng, text):
    if len(text) < 6:
        return text
    at = rng.randrange(1, len(text) - 2)
    kind = rng.randrange(3)
    if kind == 0:
        return text[:at] + text[at + 1:]
    if kind == 1:
        return text[:at] + text[at] + text[at:]
    return text[:at] + text[at + 1] + text[at] + text[at + 2:]


FILL_JA = ['ちょっと', '実際', 'なんか', 'えーと', 'できれば', '普通に', '具体的に', '正確に', '簡単に',
           'すぐに', '今', '一応', 'やっぱり', 'まあ', '本当に', 'さっと', '自分で', 'とりあえず', 'たとえば',
           '一度',
           'あとで', '急に', 'ふと', '改めて', '念のため', 'そもそも', '結局', 'いつでも', '毎回', 'たまに',
           'うまく', 'ちゃんと', 'だいたい', 'つまり', 'きちんと']
FILL_EN = ('really actually maybe somehow possibly exactly just quickly simply perhaps honestly kindly '
           'directly properly easily again now '
           'please then still ever usually normally basically myself right first indeed at-all of-course '
           'for-once if-possible in-general').split()
_JOINT = re.compile('[をはにでが、]')
_NUMBER = re.compile(
    r'\d|\b(zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty)\b')


def fill(rng, text, japanese):
    """The same with a word more that says little, or one less."""
    if japanese:
        joints = [m.end() for m in _JOINT.finditer(text)] or [0]
        at = rng.choice(joints + [0])
        return text[:at] + rng.choice(FILL_JA) + text[at:]
    words = text.split(' ')
    at = rng.randrange(len(words) + (len(words) < 4))
    if rng.random() < 0.3 and len(words) > 5 and not _NUMBER.search(text):
        return ' '.join(words[:at] + words[at + 1:])
    return ' '.join(words[:at] + [rng.choice(FILL_EN).replace('-', ' ')] + words[at:])


WIDE = str.maketrans('0123456789+-=?!', '０１２３４５６７８９＋－＝？！')
_GAP = re.compile(r'(?<=[\u3040-\u9fff]) (?=[A-Za-z0-9/])|(?<=[A-Za-z0-9]) (?=[\u3040-\u9fff])')


def dress_ja(rng, text, frame=True, typos=0.04):
    if frame and rng.random() < 0.15:
        text = fill(rng, text, True)
    if frame and rng.random() < 0.25:
        text = rng.choice(OPEN_JA) + text
    if text[-1] not in '。！？!?':
        r = rng.random()
        if r < 0.62:
            asks = re.search(r'(か|の|は|何|なに|って|どれ|ある|かな|っけ|だろう|でしょう|い)$', text)
            text += rng.choice('？？？?。') if asks else rng.choice('。。。！？')
    if frame and rng.random() < 0.08:
        text = (text if text[-1] in '。！？!?' else text + '。') + rng.choice(CLOSE_JA)
    if rng.random() < 0.3:
        text = _GAP.sub('', text)
    if rng.random() < 0.05:
        text = text.replace('、', '')
    if rng.random() < typos:
        text = typo(rng, text)
    return text


def dress_en(rng, text, frame=True, typos=0.04):
    text = text.strip()
    if frame and rng.random() < 0.15:
        text = fill(rng, text, False)
    if frame and rng.random() < 0.2:
        text = rng.choice(OPEN_EN) + text
    if frame and rng.random() < 0.15 and text[-1] not in '?.!':
        text += rng.choice(CLOSE_EN)
    r = rng.random()
    if text[-1] not in '?.!' and r < 0.72:
        asks = re.search(r'\b(how|what|which|is|are|can|could|do|does|where|why|who|would|will|any|may)\b', text)
        text += rng.choice('???.') if asks else rng.choice('...!')
    if rng.random() < 0.75:
        text = text[0].upper() + text[1:]
        text = re.sub(r'([.?!:] )([a-z])', lambda m: m[1] + m[2].upper(), text)
        text = re.sub(r"\bi\b(?=[ ',?.!]|$)", 'I', text)
    elif rng.random() < 0.2:
        text = re.sub(r'\byou\b', 'u', text)
    if rng.random() < 0.1:
        text = text.replace("'", '')
    if rng.random() < typos:
        text = typo(rng, text)
    return text
