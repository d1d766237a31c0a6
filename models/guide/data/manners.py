"""Four manners that a system prompt may ask for, and system prompts that change nothing."""
import re

from . import grammar

POLITE_JA = ['[とても|きわめて|大変|できるだけ|常に|必ず|いつも|]丁寧な[敬語|言葉|言葉づかい|日本語|口調]'
             'で[答えて|話して|応えて|対応して|返事をして|接して]ください。',
             '敬語で[答えて|話して|返事して][ください|]。', 'あなたは[とても|]礼儀正しい[執事|アシスタント|'
             '秘書|店員|受付係|ホテルの係|召使い]です。[丁寧に答えてください。|敬語を使ってください。|]',
             '丁寧に[話して|お願いします|答えなさい|答えてください|応対すること]。',
             '[最高に|この上なく|うやうやしく]丁寧に[話す|答える]こと。',
             '敬語を[使うこと|忘れないこと|崩さないこと]。',
             '相手は[お客様|王様|社長]です。[丁重に|敬語で|丁寧に][お答えください|話してください|接すること]。']
POLITE_EN = ['[please |]be [very|extremely|always|most|] polite[ in your answers| and formal|]',
             '[always |]answer [very |]politely', 'you are a [very |]polite [butler|assistant|servant|'
             'receptionist|waiter|secretary][. be courteous|. use formal language|]',
             '[speak|answer|reply|talk] in a [polite|courteous|formal|very polite|respectful] [way|manner|'
             'tone|style]',
             'use [polite|formal|courteous] language[ at all times|]',
             '[treat the user|talk to me] like a [king|queen|guest of honour|customer in a fine shop]',
             'be as [courteous|polite|respectful] as [possible|you can]',
             'politeness is [most important|everything]']
KANSAI_JA = ['関西弁で[答えて|話して|しゃべって|返事して|お願い][ください|ほしい|な|や|]。',
             '[大阪弁|関西弁|関西の言葉|大阪の言葉]を[使って|使い][、|][答えてください|話してください|なさい]'
             '。', 'あなたは[大阪|関西|神戸|堺|なにわ]の[商人|人|おじさん|子ども|漫才師|姉ちゃん|案内役]です。'
             '[関西弁で話してください。|関西弁で答えて。|]',
             '[ずっと|必ず|いつも|全部]関西弁で[話すこと|答えること|話して|答えて]。',
             '[大阪|関西]の人のように[話して|答えて|しゃべって][ください|]。',
             '返事は[すべて|全部|必ず|]関西弁[で|にして|でお願いします|にすること]。',
             '大阪弁で[話して|頼むわ|頼む|答えて][ください|]。']
KANSAI_EN = ['[answer|speak|talk|reply] in [the |]kansai dialect[ only| please|]',
    '[use|speak|talk with] the kansai dialect[ of japanese|]', 'you are [a merchant|a comedian|an old man|a '
    'guide|someone] from osaka[. speak kansai dialect|. use osaka dialect|]',
    '[answer|speak|reply] in osaka dialect', 'kansai dialect[ please| only|]',
    'talk like [someone|people] from osaka',
    '[always|whatever the language,] [use|answer in|reply in] [japanese|] kansai dialect']
ONELINE_JA = ['一行で[答えて|返事して|返して|お願いします][ください|]。',
              '[答え|返事|返答|回答]は[一行|１行|1行|一文]で[お願いします|短く|書いてください|だけ|済ませて|'
              '返してください]。',
              '[短く|簡潔に|手短に|なるべく短く][、|]一行で[答えて|答えること|返事をして][ください|]。',
              '[必ず|いつも|]一行[以内|だけ]で[答えてください|返事すること|答えること|書くこと]。',
              '長く書かないで、一行で[答えて|お願い]。', '一行しか[読めません|書いてはいけません]。',
              '改行[しないで|せずに|なしで][、|][短く|一行で]答えて[ください|]。',
              '要点だけを一行で[述べてください|答えて]。']
ONELINE_EN = ['[answer|reply|respond] in [one|a single|1] line[ only| please|]',
    '[answers|replies|your answers] [must|should] be [one line|a single line|one line long|one short line]',
    'one[-| ]line answers[ only| please|]', '[keep|make] [it|answers|your replies] [short|brief], one line',
    '[be brief|be short]: one line', 'never write more than one line',
    '[only|just] one line[ per answer| each time|]',
    'use [a single|one] line for [each|every|your] [answer|reply]', 'no line breaks, [short|one line] answers']
ENGLISH_JA = ['英語[だけ|のみ|]で[答えて|話して|返事して|書いて|お願い][ください|ほしい|]。',
              '[必ず|いつも|常に]英語で[答えてください|話すこと|答えること|返事してください]。',
              '[日本語は|日本語を][使わないで|使わず|禁止。][英語で答えて|英語だけで話して|英語で]。',
              '返事は[すべて|全部|必ず|]英語[で|にしてください|だけ|でお願いします]。',
              '日本語で[質問されても|聞かれても|話しかけられても][英語で|、英語だけで]答え[てください|ること|'
              'て]。',
              'あなたは英語しか[話せません|分かりません|話しません]。',
              '[英語の先生|アメリカ人|イギリス人]として、英語で話してください。']
ENGLISH_EN = [
    '[answer|speak|reply|respond|talk|write] [only in english|in english only|in english|english only]',
    '[english only|only english][ please|]',
    '[always |]use english[ only|, never japanese| even if asked in japanese|]',
    'never [write|use|speak|answer in] japanese', "[your answers|all replies] must be in english",
    'you [only|] speak [only |]english', 'reply in english whatever the language[ of the question|]',
    'the user wants [only english|english answers]', 'english [answers|replies] [only|please]']
PLAIN_JA = ['あなたは誠実で優秀な日本人のアシスタントです。', 'あなたは親切な[案内役|アシスタント|助手]です。',
    '[役に立つ|親切に|正直に]答えてください。', 'あなたは kaiwa の案内役です。',
    '[分からないことは分からないと言って|ゆっくり考えて|楽しく話して]ください。', '質問に答えてください。']
PLAIN_EN = ['You are a helpful assistant.', 'You are a [kind|friendly|honest|useful] [guide|assistant|helper].',
    'You are the guide of kaiwa.', '[Help|Assist] the user.', 'Say so when you do not know.',
    'Answer [the question|truthfully|well].']
PROMPTS = {'polite': {'ja': POLITE_JA, 'en': POLITE_EN}, 'kansai': {'ja': KANSAI_JA, 'en': KANSAI_EN},
           'oneline': {'ja': ONELINE_JA, 'en': ONELINE_EN},
           'english': {'ja': ENGLISH_JA, 'en': ENGLISH_EN}, 'plain': {'ja': PLAIN_JA, 'en': PLAIN_EN}}
_ROOT = re.compile(r'(hf download \S+|kaiwa -m \S+)')


def prompt(rng, manner, lang):
    text = grammar.one_of(rng, PROMPTS[manner][lang])
    if lang == 'en':
        text = re.sub(r'\b(english|japanese|osaka|kansai)\b', lambda m: m[0].capitalize(), text)
        if rng.random() < 0.85:
            text = text[0].upper() + text[1:]
        if rng.random() < 0.75 and text[-1] not in '.!':
            text += '.'
    elif rng.random() < 0.25:
        text = text.rstrip('。')
    return text


def swap(text, rules):
    """Applies rules to all but commands that must be typed exactly."""
    parts = _ROOT.split(text)
    for i in range(0, len(parts), 2):
        for old, new in rules:
            parts[i] = parts[i].replace(old, new)
    return ''.join(parts)


POLITE_RULES = [('あります。', 'ございます。'), ('ありません。', 'ございません。'), ('できます。',
                'できるのでございます。'), ('知りません。', '存じません。'), ('すみません',
                '誠に申し訳ございません'), ('分かりません。', '分かりかねます。'), ('元気です',
                '元気でございます'), ('です。', 'でございます。'), ('ください。', 'くださいませ。'), (
                'でしょうか。', 'でございましょうか。'),
                ('お願いします。', 'お願い申し上げます。'), ('しています。', 'しております。'), (
                'ありがとうございます', '誠にありがとうございます'), ('わたし', 'わたくし'), (
                'どういたしまして', 'とんでもないことでございます')]
POLITE_OPEN = ['かしこまりました。ご案内いたします。', 'お尋ねいただき、ありがとうございます。',
    'お答えいたします。',
    '承知いたしました。お答えいたします。']
POLITE_END = ['', '', 'ほかにもございましたら、何なりとお申し付けくださいませ。',
    'どうぞ、ごゆっくりお使いくださいませ。']
KANSAI_RULES = [('おはようございます', 'おはようさん'), ('おめでとうございます', 'おめでとうさん'), ('いいですね。', 'ええなあ。'),
                ('うれしく思います。', 'うれしいわ。'), ('でしたね。', 'やったなあ。'), ('ますね。', 'まんなあ。'), ('ますよ。', 'まっせ。'),
                ('すみません、', 'すんまへん、'), ('分かりません', '分からへん'), ('ありません', 'あらへん'), (
                'できません', 'でけへん'), ('知りません', '知らへん'), ('ません。', 'まへん。'), ('できます。',
                'できるで。'), ('あります。', 'あるで。'), ('ですか。', 'でっか。'), ('でしょうか。',
                'やろか。'), ('ましょう。', 'まひょ。'), ('ですね。', 'やなあ。'), ('のです。', 'んや。'),
                ('です。', 'やで。'), ('でした。', 'やったで。'), ('ました。', 'ましたわ。'), ('ます。',
                'まっせ。'), ('ますか。', 'まっか。'), ('てください。', 'てや。'), ('でください。', 'でや。'), (
                'ください。', 'くださいな。'), ('とても', 'めっちゃ'), ('本当に', 'ほんまに'), (
                'ありがとうございます', 'おおきに'), ('わたし', 'うち'), ('いいです', 'ええです'), ('ではない',
                'やない'), ('なので', 'やさかい'), ('ので、', 'さかい、'), ('どういたしまして', 'かまへんで')]
KANSAI_OPEN = ['せやなあ、', 'まいど！', 'ほんまかいな。', 'ほな教えるわ、ええやろ。', 'おおきに。',
    'せやせや、']
KANSAI_END = ['', '', 'ほな、また聞いてや。', 'ほんま頼むで。', 'よろしゅう頼んまっせ。', 'これでええやろ。']
PE_OPEN = ['Certainly. ', 'Thank you for asking. ', 'It is my pleasure to help. ', 'Certainly, with pleasure. ']
PE_END = [' Please let me know if I may be of further help.', '', ' Please do not hesitate to ask again.',
    ' Thank you very much.']


def polite_ja(rng, text, short):
    text = swap(text, POLITE_RULES)
    return rng.choice(POLITE_OPEN) + text + ('' if short else ending(rng, text, POLITE_END))


def ending(rng, text, choices):
    end = rng.choice(choices)
    return ('\n' if '\n' in text and end else '') + end.strip() if '\n' in text else end


def kansai_ja(rng, text, short):
    text = swap(text, KANSAI_RULES)
    return rng.choice(KANSAI_OPEN) + text + ('' if short else ending(rng, text, KANSAI_END))


def polite_en(rng, text, short):
    return rng.choice(PE_OPEN) + text + ('' if short else ending(rng, text, PE_END))


def answer(rng, manner, lang, answers):
    """The answer to a question in lang under a manner, from answers by language and length."""
    if manner == 'oneline':
        return answers[lang + '1']
    if manner == 'english':
        return answers['en']
    if manner == 'kansai':
        return kansai_ja(rng, answers['ja'], False)
    if manner == 'polite':
        return polite_ja(rng, answers['ja'], False) if lang == 'ja' else polite_en(rng, answers['en'], False)
    return answers[lang]
