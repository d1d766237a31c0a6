"""What the guide does not know: hundreds of topics, asked in many ways; one kind of answer."""
from . import grammar
from .facts import REPO
from . import names, topics_en, topics_ja

NOUNS_JA, PEOPLE_JA, PLACES_JA = topics_ja.NOUNS, topics_ja.PEOPLE, topics_ja.PLACES
FOODS_JA, TASKS_JA = topics_ja.FOODS, topics_ja.TASKS
grammar.LISTS.update({'nj': NOUNS_JA, 'pj': PEOPLE_JA, 'lj': PLACES_JA, 'fj': FOODS_JA, 'tj': TASKS_JA,
                      'ne': topics_en.NOUNS, 'pe': topics_en.PEOPLE, 'le': topics_en.PLACES, 'fe': topics_en.
                      FOODS, 'te': topics_en.TASKS})
PLEASE = ('[ください|くれますか|もらえますか|ほしい|ほしいです|くれる|'
          'くれない|いただけますか|もらいたいんだけど|ちょうだい|]')
ASK_JA = [
    '{nj}[とは|って|は]何[ですか|なの|でしょうか|]',
    '{nj}について[教えて|説明して|話して|詳しく教えて|語って|解説して|分かりやすく説明して]' + PLEASE,
    '{nj}の[仕組み|歴史|意味|原因|特徴|理由|種類|始まり|定義|利点|欠点|未来]' +
    '[は|を教えて|を説明して|について教えて|とは|が知りたいです|が分かりません|をまとめて|を三つ挙げて|'
    'を簡単に解説して]',
    '[なぜ|どうして|なんで]{nj}は[起こる|生まれた|できる|大切な|増えている|なくならない|難しい][の|のですか|'
    'んですか]', '{nj}を[中学生|子ども|初心者|小学生]にも[わかるように|分かるように]説明して' + PLEASE,
    '{nj}と{nj}の[違い|関係|共通点][は|を教えて|は何ですか|が知りたい]',
    '{nj}は[いつ|どこで|誰が|どうやって][始まった|できた|作った|見つけた|決まった][の|のですか|んですか]',
    '{nj}の[本|勉強法|作り方|始め方|選び方|直し方|やり方|おすすめ|コツ|費用|値段]' +
    '[は|を教えて|を紹介して|が知りたい|について助言して|を詳しく]',
    '{nj}[に|で]一番[有名な|大きい|古い|人気の|大事な]のは[何|どれ|誰][ですか|だと思う|]',
    '{nj}で気をつけることは[何|なに][ですか|でしょう|]',
    '{nj}[が|は][起きた|広まった|終わった|変わった][理由|年|わけ]を[教えて|説明して|挙げて]' + PLEASE,
    '{pj}[は|って][誰|どんな人|何をした人|いつの人][ですか|なの|]', '{pj}について[教えて|知りたい|話して]' +
    PLEASE, '{pj}の[作品|一番有名な曲|代表作|功績|生涯|名言]' + '[は|を教えて|を挙げて|は何ですか]',
    '{pj}はいつ[生まれた|亡くなった|活躍した][の|んですか|のですか]',
    '{lj}の[首都|人口|名物|観光地|天気|歴史|面積|名所|言葉|通貨]' +
    '[は|を教えて|はどこ|はどれくらい|を紹介して|は何ですか|はどのくらいですか]',
    '{lj}[に|へ][旅行|行き][たい|するなら][どこがいい|んだけど|です|おすすめは]',
    '{lj}で[おすすめの|訪れたい|見るべき|冬に行きたい|子どもと行ける][場所|店|観光名所|宿|所]を[教えて|'
    '紹介して|いくつか挙げて]' + PLEASE, '{lj}まで[どうやって行く|何時間|いくら][の|かかる|ですか|]',
    '{fj}の[作り方|レシピ|カロリー|材料|コツ|おいしい店]' +
    '[は|を教えて|が知りたい|を詳しく教えて|を知りたいんだけど]',
    '[おいしい|簡単な|本格的な|安くて早い]{fj}を作[りたい|るには|ってみたい][です|んだけど|]',
    '{fj}[は|と{fj}はどちらが]体に[いい|悪い][ですか|の|]',
    '[今夜|今日|明日]の[献立|夕食|お弁当|晩ごはん]を[考えて|決めて|一緒に考えて]' + PLEASE, '{tj}', '{tj}' ,
    '{tj}[お願いします|よろしく|]', '[明日|今日|週末|来週]の[天気|予定|運勢|株価|ニュース|円相場|試合結果][は|'
    'を教えて|はどう|はどうなると思いますか]',
    '[昨日|今日|先週|昨夜]の[試合|選挙|レース|ドラマ][は|の結果は][どう|誰が勝った|どうなった][の|ですか|]',
    '[いま|今]何時[ですか|]', '今日は何[日|曜日][ですか|]', '{nj}をどう思[いますか|う|われますか]',
    '{nj}について[意見|感想]を聞かせて' + PLEASE,
    '[人生|幸せ|愛|宇宙の果て|死んだ後|未来|平和]とは何[ですか|だと思いますか|でしょう]',
    '「[猫|平和|ありがとう|約束|自由|海|勉強]」を[英語|フランス語|中国語|韓国語|ドイツ語]に[訳して|翻訳して|'
    'すると]' + PLEASE,
    '[次の|この][英文|文章|詩|英語|メール]を[訳して|要約して|直して|添削して|和訳して]' + PLEASE +
    '：[The cat sat on the mat.|I like apples very much.|Time flies like an arrow.|Practice makes perfect.|We '
    'will meet again soon.|]', '[腰|頭|肩|ひざ|歯|のど|目|胃]が[痛い|重い|だるい|つらい][のですが、|ときは|'
    'んだけど][何が効きますか|どうすればいい|どんな薬がいい|治し方は|よい体操は]',
    '[東京|大阪|京都]から[東京|福岡|札幌]まで[何キロ|何時間][ですか|]',
    '[おすすめの|最近の|面白い|泣ける][映画|本|音楽|漫画|ゲーム|アニメ|小説]を[教えて|紹介して|選んで]' + PLEASE,
    '[円周率|光の速さ|地球の重さ|太陽までの距離|富士山の高さ|月の大きさ|海の深さ]は[どのくらい|いくつ|何]'
    '[ですか|]',
    '[1234かける5678|二次方程式の解|83÷7|17の平方根|微分の問題|3×9|72割る8]を[計算して|求めて|教えて|解いて]' +
    PLEASE,
]
ASK_EN = [
    '[what is|what are|explain|describe|tell me about|teach me about|what do you know about|give me '
    'information on|write about|talk about] {ne}', '[explain|could you explain|can you explain|please explain|'
    'tell me] how {ne} [work|works|came about|developed|affects us]', '[what caused|what were the causes of|'
    'who invented|who discovered|who started|when was|what came after|what led to|why is there] {ne}',
    'the [history|meaning|causes|future|importance|definition|dangers|benefits] of {ne}',
    'give me [the history|an overview|a summary|three facts|a short introduction|the main ideas|a lesson] [of|'
    'about|on] {ne}', 'why [is|are|do we need|do people like] {ne}[ important| so popular| difficult|]',
    '[what is the difference between|compare] {ne} and {ne}',
    'how [do|can|should] i [learn|study|start with|get better at|understand|invest in|choose] {ne}',
    'what do you think [of|about] {ne}',
    '[should i|is it wise to] [buy|study|invest in|try|worry about] {ne}[ or {ne}|]',
    'who [is|was|were] {pe}', 'tell me about {pe}', '[when|where] was {pe} born',
    'what [did|is] {pe} [do|famous for|write|compose|invent|discover]',
    'list [the works|the achievements] of {pe}', 'who [wrote|composed|painted|directed|sang|built|won|'
    'invented|founded|designed] [the first novel|that famous opera|the last world cup|the sistine chapel|'
    'hamlet|the ninth symphony|the eiffel tower|the telephone|the starry night|the election|the race|the '
    'match last night|the magic flute]',
    '[what is|tell me] the [capital|population|currency|language|size|climate|flag|president] of {le}',
    'where is {le}', '[what|which] [sights|places|cities|museums|beaches] [should i see|are worth visiting|'
    'can i visit|are there] [in|on a trip to|when travelling to] {le}',
    '[plan|suggest] a [trip|holiday|weekend] [to|in] {le}',
    'how [far|far away|long is the flight] [is it to|is|to] {le}',
    'is {le} [expensive|safe|beautiful|worth a visit]',
    'best [time to visit|food in|hotels in|restaurants in] {le}',
    '[give me|i need|do you have|find me|share] a[ good| simple| quick|] recipe for {fe}[ tonight| please|]',
    'how [do i|can i|to] [cook|make|bake|prepare] {fe}', '[is|are] {fe} healthy',
    'how many calories [has|does] {fe}[ have|]', 'what [wine|sauce] goes with {fe}', '{te}', '{te}',
    '{te}[ for me| please|]', "[what's|what is|how is|tell me] the [weather|temperature|news|stock price|"
    "exchange rate|time] [tomorrow|today|now|in london|in tokyo|this week]",
    'what time is it', "what's today's date", 'what day is [it|today]',
    'who [won|lost] [yesterday|the game|the match|the election|the race|last night]',
    'how [far|big|old|hot|heavy|deep|high|fast] [is|away is] [the moon|the sun|mars|jupiter|saturn|the earth|'
    'everest|the ocean|light|the universe|a blue whale]', '[translate|please translate|how do you say] [\'the '
    'cat is black\'|\'good luck\'|\'see you tomorrow\'|\'i am hungry\'|\'thank you\'|\'where is the '
    'station\'|this sentence|the word freedom] [into|in|to] [german|french|spanish|chinese|latin|italian|'
    'russian|korean]',
    '[what can i do about|how do i cure|what helps against|which medicine helps with] [a headache|back pain|a '
    'cold|a cough|insomnia|a toothache|a fever|stress|an allergy|a stiff neck|hiccups|sunburn]',
    '[recommend|suggest] [a|some] [book|film|movie|song|game|restaurant|podcast|series|present for my mother|'
    'laptop|hotel]', 'what is the meaning of life', 'is there [life on mars|a god|life after death]',
    '[what is|calculate|solve] [123 times 456|the square root of 17|83 divided by 7|this equation|the '
    'integral of x|6 times 7|72 divided by 8|pi to ten digits]',
    '[will|when will] [it rain tomorrow|the world end|prices rise|robots rule|the train arrive|my package '
    'come]', 'how much does [a car|a house|a trip to mars|gold|a horse|a laptop] cost',
    'what [happened|was going on] in [1066|1789|1945|1492|1969|rome|1914|china in 1911]',
    'which [planet|animal|river|country|mountain|element|language] is the [biggest|longest|fastest|oldest|'
    'smallest|heaviest|hardest]',
]
ANSWERS = {
    'ja': ['すみません、それは分かりません。わたしは kaiwa に付いている小さなモデルで、kaiwa '
    'の使い方のほかはほとんど知りません。何でも話したいときは ELYZA を入れてください。\nhf download ' + REPO,
           'それにはお答えできません。わたしは kaiwa の小さなモデルなので、知っていることが少ないのです。'
           'ELYZA を入れると答えられます。\nhf download ' + REPO],
    'ja1': ['小さなモデルなので分かりません。ELYZA を入れると答えられます。'],
    'en': ['I am sorry, I do not know that. I am only a tiny model that comes with kaiwa and knows little '
    'else. To talk about anything, install ELYZA:\nhf download ' + REPO,
           'I cannot answer that. I am a tiny model, kaiwa\'s guide, and know very little. A bigger model '
           'such as ELYZA can help you:\nhf download ' + REPO],
    'en1': ['I am only a tiny model and do not know that; install ELYZA for such questions.'],
}


KANJI = sorted({c for word in NOUNS_JA + PEOPLE_JA + PLACES_JA + FOODS_JA for c in word if '\u4e00' <= c <= '\u9fff'})


def unheard_ja(rng):
    """A word that no list has: what is unknown is to be told from what is known, also where it was never seen."""
    r = rng.random()
    if r < 0.2:
        return ''.join(rng.choice(names.KATA) + rng.choice(('', 'ー', 'ン', '')) for _ in range(rng.choice((2, 3, 4))))
    if r < 0.3:
        return ''.join(chr(rng.randrange(0x4e00, 0x9fa0)) for _ in range(2))
    return ''.join(rng.choice(KANJI) for _ in range(rng.choice((2, 2, 3, 4))))


def unheard_en(rng):
    word = names.made_up_english(rng)
    return rng.choice(('', 'the ', 'a ', '')) + (word if rng.random() < 0.3 else word.lower()) + rng.choice(('', '', 's', 'ism', 'ology'))


def make(rng, lang):
    """(question, answers)"""
    words = {}
    if lang == 'ja':
        if rng.random() < 0.25:
            words = {key: unheard_ja(rng) for key in ('nj', 'pj', 'lj', 'fj')}
        text = grammar.dress_ja(rng, grammar.one_of(rng, ASK_JA, words))
    else:
        if rng.random() < 0.25:
            words = {key: unheard_en(rng) for key in ('ne', 'pe', 'le', 'fe')}
        text = grammar.dress_en(rng, grammar.one_of(rng, ASK_EN, words))
    return text, {key: rng.choice(value) for key, value in ANSWERS.items()}
