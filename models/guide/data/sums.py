"""Small sums: 0 to 20 plus 0 to 20, and differences that are not negative, asked in many ways."""
from . import grammar

ONES = ('zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen '
    'sixteen seventeen eighteen nineteen twenty').split()
KANJI = '零 一 二 三 四 五 六 七 八 九 十 十一 十二 十三 十四 十五 十六 十七 十八 十九 二十'.split()
KANA = ('ぜろ いち に さん よん ご ろく なな はち きゅう じゅう じゅういち じゅうに じゅうさん じゅうよん '
    'じゅうご じゅうろく じゅうなな じゅうはち じゅうきゅう にじゅう').split()
WIDE = str.maketrans('0123456789', '０１２３４５６７８９')

ADD_JA = ['{a}[+|＋| + ]{b}[は|=|＝| = |]',
          '{a}[+|＋| + ]{b}[の答え|の和|の計算結果|の合計][は|を教えて|は何|はいくつ|を求めて]',
          '{a}[+|＋| + ]{b}[はいくつ|を計算して|は何|っていくつ|はいくら|を計算してください|の計算をして|'
          'の答え合わせをして]',
          '{a}[たす|足す|プラス]{b}[は|はいくつ|は何|って|っていくつ|の答えは|はいくら|、わかる|を計算して|'
          'はいくつになりますか|をお願い|の計算できる]', '{a}と{b}[を足すと|をたすと|を足したら|の合計は|'
          'の和は|を合わせると|を合わせたら|を合計すると|を足し算すると][いくつ|何|どうなる|いくつになる|'
          'いくら|'
          'いくつですか|]',
          '{a}に{b}[を足すと|をたすと|を加えると|を足したら|を加えたら|を足した数は|を加えた数は|を足して|'
          'を加えて][いくつ|何|どうなる|いくつになりますか|いくつですか|]', '{a}より{b}大きい数は',
          '{b}を{a}に[足す|加える]と[いくつ|何に|どう]なる',
          '[足し算|計算][です|をお願い|の問題]。{a}[+|と]{b}は',
          '{a}と{b}を[足して|合計して|合わせて|足し算して]', '{a}と{b}を[一緒に|全部]すると']
SUB_JA = ['{a}[-|－|−| - ]{b}[は|=|＝| = |]',
          '{a}[-|－|−| - ]{b}[の答え|の差|の計算結果][は|を教えて|は何|はいくつ|を求めて]',
          '{a}[-|－|−| - ]{b}[はいくつ|を計算して|は何|っていくつ|はいくら]',
          '{a}[ひく|引く|マイナス]{b}[は|はいくつ|は何|って|っていくつ|の答えは|はいくら|、わかる|を計算して|'
          'はいくつになりますか|をお願い]', '{a}から{b}[を引くと|をひくと|を引いたら|を取ると|を取り去ると|'
          'を引いた数は|を引いて|減らすと|を引いた差は|を引いた残りは|を除くと][いくつ|何|どうなる|'
          'いくつになる|'
          'いくつ残る|]',
          '{a}と{b}の[差|違い]は[いくつ|]', '{a}より{b}小さい数は',
          '[引き算|計算][です|をお願い|の問題]。{a}[-|ひく|引く]{b}は', '{a}は{b}より[いくつ|どれだけ]大きい']
ADD_EN = ['[what is|what\'s|whats|how much is|calculate|compute|solve|work out|find|tell me|give me|do you '
          'know|say|what does] {a}[ + |+| plus | and ]{b}[ make| equal|]',
          '{a}[ + |+| plus ]{b}[ =|=| is| equals| makes|]', 'add {a} [and|to|with] {b}', 'add {b} to {a}',
          '[the |what is the |find the |]sum of {a} and {b}',
          '[what do you get when you|what happens if i|what do i get if i|what comes out when i] add {a} [and|'
          'to|with] {b}', 'how much [do|does|would|will] {a} and {b} [make|give|add up to|come to]',
          '{a} and {b} [together|makes|make what|in total|combined|altogether|added up]',
          '[can|could] you [add|sum] {a} and {b}', 'what number is {b} more than {a}',
          'i need the [sum|total] of {a} and {b}',
          'put {a} and {b} together', 'if i add {b} to {a}, what is [it|the result|the answer]',
          '[please |]check [my sum|this]: {a} + {b}',
          'my [teacher|homework|son|exercise] [asks|says]: {a} + {b}', 'increase {a} by {b}',
          '{a} [plus|and] {b}, [what is it|please|how much|what is the answer|quick]']
SUB_EN = ["[what is|what's|whats|how much is|calculate|compute|solve|work out|find|tell me|give me|do you "
          "know|say] {a}[ - |-| minus | take away | less ]{b}", '{a}[ - |-| minus ]{b}[ =|=| is| equals|]',
          'subtract {b} from {a}', '[take|remove] {b} from {a}[, what is left| and what is left|]',
          '[the |what is the |find the |]difference [between|of] {a} and {b}',
          '[what do you get when you|what happens if i|what do i get if i] [subtract|take|take away] {b} from '
          '{a}', '{a} [without|reduced by|less] {b}', 'what number is {b} less than {a}',
          'what [remains|is left] [of {a} after taking {b} away|when {b} is taken from {a}|if i take {b} from '
          '{a}]', 'if i [take|subtract] {b} from {a}, what [is it|remains|is the result]',
          'my [teacher|homework|exercise] [asks|says]: {a} - {b}', 'decrease {a} by {b}',
          '{a} minus {b}, [what is it|please|how much|what is the answer|quick]', 'take {b} off {a}',
          'how much more is {a} than {b}']
THING_JA = [('みかん', '個'), ('りんご', '個'), ('あめ', '個'), ('あめ', 'つ'), ('えんぴつ', '本'), ('鉛筆',
            '本'), ('本', '冊'), ('ノート', '冊'), ('花', '本'), ('魚', '匹'), ('猫', '匹'), ('犬', '匹'), (
            '鳥', '羽'), ('切手', '枚'), ('カード', '枚'), ('紙', '枚'), ('いちご', '個'), ('卵', '個'),
            ('ボール', '個'), ('石', '個'), ('車', '台'), ('自転車', '台'), ('人', '人'), ('生徒', '人'), (
            'パン', '個'), ('ビー玉', '個'), ('シール', '枚'), ('バナナ', '本'), ('ケーキ', '個'), ('お客さん',
            '人'), ('チョコ', '個'), ('風船', '個'), ('皿', '枚'), ('箱', '箱'), ('お菓子', '個'), ('折り紙',
            '枚'), ('客', '人'), ('うさぎ', '羽'), ('椅子', '脚')]
STORY_ADD_JA = ['{t}が{a}{c}[あります|あって|ある]。[そこに|あとから|さらに|もう]{b}{c}[増えました|増えると|'
                '来ました|足しました|もらいました|買いました]。[全部で|合わせて|みんなで|合計][何{c}|いくつ|'
                '何{c}ですか|何{c}になる|何{c}でしょう]',
                '{t}を{a}{c}持っています。{b}{c}[もらいました|買いました|拾いました|見つけました]。[全部で|'
                'いま|今|合わせて][何{c}|何{c}ですか|何{c}ある|いくつありますか|何{c}になりますか]',
                '[朝|昨日|きのう|午前]に{t}を{a}{c}、[昼|今日|きょう|午後]に{b}{c}[買った|見た|数えた|食べた|'
                '使った|読んだ]。[合計|全部で|合わせて][は|何{c}|何{c}ですか|いくつになる|何{c}でしょうか]',
                '{t}{a}{c}と{t}{b}{c}を[合わせる|足す|一緒にする]と[何{c}|いくつ][ですか|になりますか|]',
                '[母|父|姉|兄|友だち|先生|私|弟]は{t}を{a}{c}、[妹|弟|祖母|祖父|隣の人|僕]'
                'は{b}{c}[持っています|持っている|集めた|食べた]。[二人で|合わせて|合計で][何{c}|いくつ]'
                '[ですか|になる|'
                ']',
                '{t}が{a}{c}と、[別の|ほかの|新しい]{t}が{b}{c}。[全部で|合計は|みんなで]何{c}[ですか|かな|'
                'でしょう|]', '[箱|かご|袋|部屋|庭|教室|棚]に{t}が{a}{c}。{b}{c}[入れると|増えると|来ると|'
                '加えると]何{c}[になりますか|になる|かな|]']
STORY_SUB_JA = ['{t}が{a}{c}[あります|あって|ある|いた|あった]。{b}{c}[食べました|使いました|あげました|'
                '減りました|なくしました|売れました|食べたら|あげたら|使うと|取ると]。[残りは|あとは|残るのは]'
                '[何{c}|'
                'いくつ|何{c}ですか|何{c}になる|何{c}でしょう]', '{t}を{a}{c}持っていて、{b}{c}[あげた|'
                'なくした|使った|食べた|売った|落とした][ら|。残りは|。いま][何{c}|いくつ][残りますか|残る|'
                'ですか|]',
                '{t}{a}{c}のうち{b}{c}[が減ると|を使うと|をあげると|が帰ると|を除くと|を食べると][残りは|]'
                '何{c}[ですか|残りますか|残る|]', '[箱|かご|袋|部屋|庭|教室|棚]の{t}{a}{c}から{b}{c}[取ったら|'
                '出したら|減ったら|いなくなったら]、[何{c}残る|残りは何{c}|あと何{c}][ですか|の|でしょうか|]',
                '{t}が{a}{c}いる。{b}{c}[去った|帰った|逃げた|出て行った][ら|。残りは]何{c}[残る|ですか|'
                'になる|]']
THING_EN = ('apples pears coins books pencils cards stamps dogs cats ducks cows shells stones cookies cakes '
    'sweets balls cups keys flowers trees cars bikes tickets letters eggs oranges lemons plums nuts shirts '
    'socks hats chairs lamps frogs sheep toys stickers buttons candies pens').split()
WHO_EN = ['tom', 'my sister', 'my brother', 'the teacher', 'a farmer', 'anna', 'a boy', 'a girl', 'my mother',
    'he', 'she', 'the shop', 'our neighbour']
STORY_ADD_EN = ['[i have|there are|i got|{w} has|we have|i see|i own] {a} {t}[ and|.| and then|, and] [i get|'
                '{b2} come|i buy|i find|{w} gives me|i receive|i add] {b} more[ {t}|]. how many [{t} |][are '
                'there|do i '
                'have|is that|are there now|do i have now|in total|altogether|are there together]',
                'if [i have|{w} has|there are|i buy|we find] {a} {t} and [get|buy|find|add|receive] {b} [more|'
                'others|other {t}], how many [{t} |][are there|is that|do i have|does that make|are there in '
                'all]',
                '{a} {t} [and|plus] {b} {t}, how many [is that|altogether|in total|{t} are there|together]',
                '[i saw|i ate|i bought|i counted|{w} counted|{w} sold|i read|we picked] {a} {t} [yesterday|on '
                'monday|in the morning|last week|before lunch] and {b} [today|on tuesday|in the evening|this '
                'week|'
                'after lunch|on sunday]. [how many in total|what is the total|how many is that|how many '
                'altogether|'
                'what\'s the sum]',
                '[one|the first] [box|bag|basket|shelf|room] [has|holds] {a} {t}, [the other|another|the '
                'second] {b}. how many [together|{t} in all|in total|are there]',
                '{w} has {a} {t} and i have {b}. how many [do we have|together|have we got|is that together]',
                '[i pay|it costs|one ticket costs|the bread costs|one costs] {a} [dollars|euros|pounds|coins] '
                'and [the other|the second|the milk|another] {b}. [what is the total|how much together|what '
                'do i pay|'
                'how much is it|how much is that in all]',
                '[i walked|she ran|we drove|i swam] {a} [km|miles|metres] and then {b}. how far [is that|in '
                'total|altogether|did i go]',
                'there were {a} {t} and {b} [joined|came|arrived|were added]. how many now']
STORY_SUB_EN = ['[i have|there are|i had|{w} has|{w} had|we had|i own] {a} {t}[ and|.| and then|, but|, and] '
                '[i lose|i give away|i eat|{w} takes|i sell|i drop|we use|i break] {b}[ of them|]. how many '
                '[{t} |]'
                '[are left|do i have left|remain|do i keep|are there now|are still there]',
                'if [i have|{w} has|there are|i had] {a} {t} and [lose|give away|use|sell|eat|take away|'
                'remove|drop] {b}[ of them|], how many [{t} |][are left|remain|do i keep|stay|are there]',
                '{a} {t}, {b} [are gone|go away|fall down|get lost|are eaten|are sold|leave|fly away]. how '
                'many [are left|remain|stay]', '[a|the|one] [box|bag|basket|bus|room|shelf] [has|holds|'
                'contains] {a} {t}. [i take out|i remove|after taking|we take away] {b}[ of them|]. how many '
                '[stay|are '
                'left|remain|are inside|are still inside]', 'after [losing|selling|giving away|eating|using] '
                '{b} of my {a} {t}, how many [are left|do i have|remain]',
                'out of {a} {t} {b} [are broken|are gone|are missing|were sold], how many [are left|are fine|'
                'remain]', 'there were {a} {t} and {b} [left|went home|disappeared|were taken]. how many [now|'
                'are left|remain]']


# Stories put together of a scene, what happens, and a question.
PLACE_JA = '[公園|庭|電車|バス|池|木の上|教室|店|机の上|箱の中|冷蔵庫|牧場|駅|川|屋根の上|部屋|船|かごの中|会場|島]'
WHO_JA = '[私|姉|太郎|花子|先生|友だち|おじいさん|弟|母|彼|この店|うちの会社]'
TOTAL_JA = ('[全部で|合わせて|合計|みんなで|あわせると|トータルで|総数は|合計すると|今は|いまは|結局|][何{c}|'
            'いくつ]'
            '[ですか|になる|になりますか|かな|でしょう|か教えて|か計算して|か答えて|になった|になりましたか|'
            'だろう|でしょうか|]')
LEFT_JA = ('[残りは|あと|残ったのは|残るのは|まだ|今は|いまは|結局|][何{c}|いくつ]'
           '[残る|残っている|残りますか|残っていますか|ですか|かな|でしょう|か教えて|か計算して|か答えて|'
           'だろう|]')
SCENES_JA = {
    False: [PLACE_JA + 'に{t}が{a}{c}[いて、|いる。|いました。|あって、|あります。|いたところへ、|]'
            '[あとから|そこへ|さらに|次に|新しく|また|もう|][{t}が|]{b}{c}[来た。|やって来た。|増えた。|'
            '加わった。|入ってきた。|'
            '届いた。|生まれた。|来ました。|増えたら、|来ると、|足すと、|加わると、]' + TOTAL_JA,
            WHO_JA +
            'は{t}を{a}{c}[持っている。|買った。|集めた。|拾った。|もらった。|作った。|見た。|買い、|もらい、]'
            '[さらに|次の日に|そのあと|別の店で|もう|また|今日は|あとで|]{b}{c}[買った。|もらった。|見つけた。'
            '|買い足した。|'
            '作った。|集めた。|手に入れた。|もらうと、|買うと、]' + TOTAL_JA,
            '[月曜|昨日|きのう|朝|午前|先週|一日目|行き]は{t}{a}{c}、[火曜|今日|きょう|夜|午後|今週|二日目|'
            '帰り]は{t}{b}{c}[でした。|だった。|'
            'です。|。]' + TOTAL_JA,
            '{t}{a}{c}[に|と]{b}{c}[を加えた|を足した|を合わせた][数は|合計は|ら|時の数は]' + TOTAL_JA],
    True: [PLACE_JA + 'に{t}が{a}{c}[いて、|いる。|いました。|あって、|あります。|]'
           '[そのうち|そこから|次に|しばらくして|途中で|]{b}{c}[いなくなった。|降りた。|出て行った。|'
           '飛んで行った。|売れた。|割れた。|'
           'こわれた。|食べられた。|逃げた。|帰った。|降りたら、|帰ったら、|減ると、|取り出すと、|'
           'いなくなると、]' + LEFT_JA,
           WHO_JA + 'は{t}を{a}{c}[持っている。|持っていた。|買った。|作った。|もらった。|持っていて、]'
           '[そのうち|友だちに|妹に|次の日に|途中で|うっかり|]{b}{c}[食べた。|あげた。|なくした。|使った。|'
           '売った。|落とした。|配った。|捨てた。|'
           'あげたら、|食べたら、|使うと、|なくすと、]' + LEFT_JA,
           '{t}{a}{c}から{b}{c}[を引いた|が減った|を取った|を食べた|を使った|を渡した][数は|残りは|ら|'
           '時の残りは]' + LEFT_JA],
}
HEAD_JA = '[||||算数の問題です。|計算してください。|クイズです。|宿題です。|暗算で答えて。|問題：|これを解いて。]'
PLACE_EN = ('[in the garden|on the table|in a tree|on the roof|on the lake|on a wall|in the kitchen|in a '
            'field|on the street|in the box|'
            'in my bag|on the shelf|at the station|on a bus|in the room|on the farm|in the river|at the party]')
TOTAL_EN = ['how many [{t} |][are there|are there now|in all|is that|altogether|do we have|are we talking '
            'about|does that make]',
            "[what is|what's|tell me|give me|find|work out] the [total|sum|whole number|total number]",
            '[count|add up] [them all|all {t}|everything]'
            '[ for me|]', '[total|together|altogether|in sum|all in all]', 'what do i end up with',
            'how many is that in total']
LEFT_EN = ['how many [{t} |][are left|remain|stay|does that leave|do i still have|are still there|is that now|'
           'are left over]',
           '[what is|what\'s] left', 'what remains', 'how many now', '[tell me|give me|find] the rest',
           'what number is left over']
SCENES_EN = {
    False: ['[there are|i see|we count|i count|there were|you see|they saw] {a} {t} ' + PLACE_EN +
    '[.|,| and] {b} [more |others |new ones |]'
            '[arrive|join them|come along|appear|are added|come in|show up|are delivered|came later|joined|'
            'were added|turned up]. {q}',
            '[i|we|she|he|they|{w}] [bought|found|picked|made|got|read|counted|collected|caught|painted] {a} '
            '{t} [on monday|yesterday|in may|'
            'at first|in the morning|last week|] and [then |]{b} [more |other ones |][on friday|today|in june|'
            'later|in the evening|this week|after that].'
            ' {q}', '{w} [has|owns|holds|brings|carries] {a} {t}, [and |]{w2} [has|owns|holds|brings|carries] '
            '{b}[ more|]. {q}',
            '{a} {t} here[ and|,] {b} {t} there. {q}',
            '[one|the first] [thing|book|meal|ride|trip|bag] [costs|takes|weighs|needs] {a} '
            '[dollars|minutes|kilos|coins|hours|euros], [the other|another|the second|the next] {b}. {q}',
            '{a} {t} [meet|join|are put with|stand beside] {b} {t}. {q}'],
    True: ['[there are|i see|we count|i count|there were|you see|they saw] {a} {t} ' + PLACE_EN +
    '[.|,| and|, but] {b} [of them |]'
           '[fly off|leave|run away|melt|break|vanish|go home|are sold|are stolen|fall down|burst|sink|went '
           'away|disappeared|were eaten]. {q}',
           '[i|we|she|he|they|{w}] [had|bought|found|made|got|owned|kept|baked] {a} {t}[,| and|, but|.] [i|we|'
           'she|he|they] [lost|gave away|sold|ate|'
           'broke|used|dropped|threw away|lent out] {b}[ of them|]. {q}',
           '[from|out of|of] {a} {t} [i|we|she|he|they|{w}] [take|use|eat|sell|lose|give away|throw away] '
           '{b}. {q}',
           '{a} {t} [without|minus|less|but not] {b} of them. {q}',
           '{w} [has|owns] {a} {t} and gives {b} to {w2}. {q}'],
}
HEAD_EN = '[||||math problem: |a quiz: |homework: |please solve this: |can you work this out: |here is a puzzle: ]'


def number(rng, n, lang):
    r = rng.random()
    if lang == 'ja':
        return (str(n) if r < 0.55 else str(n).translate(WIDE) if r < 0.72 else KANJI[n] if r < 0.9 else KANA[n])
    return str(n) if r < 0.62 else ONES[n]


TOO_BIG = {'ja': 'そんなに大きな数の計算はできません。二けたまでの足し算と引き算ならできます。',
           'ja1': '二けたまでの足し算と引き算ならできます。',
           'en': 'Those numbers are too big for me. I add and subtract numbers of up to two digits.',
           'en1': 'I add and subtract numbers of up to two digits.'}


def make(rng, lang):
    """(question, answers)"""
    minus = rng.random() < 0.42
    most = rng.choices((21, 100, 1000), (72, 24, 4))[0]
    a, b = rng.randrange(most), rng.randrange(most)
    if minus and b > a:
        a, b = b, a
    result = a - b if minus else a + b
    words = {'a': str(a), 'b': str(b)} if max(a, b) > 20 else {'a': number(rng, a, lang), 'b': number(rng, b, lang)}
    if lang == 'ja' and words['a'].isdigit() != words['b'].isdigit():
        words = {'a': str(a), 'b': str(b)}
    if rng.random() < 0.42:
        text = in_story(rng, lang, minus, words)
    else:
        text = grammar.one_of(rng, (SUB_JA if minus else ADD_JA) if lang == 'ja' else (SUB_EN if minus else
            ADD_EN), words)
    text = (grammar.dress_ja if lang == 'ja' else grammar.dress_en)(rng, text, rng.random() < 0.6, 0)
    if max(a, b) > 99:
        return text, TOO_BIG
    term = f'{a} {"-" if minus else "+"} {b} = {result}'
    return text, {'ja': f'{term} です。', 'ja1': f'{term} です。', 'en': f'{term}.', 'en1': f'{term}.'}


def in_story(rng, lang, minus, words):
    scene = rng.random() < 0.6
    if lang == 'ja':
        thing, counter = rng.choice(THING_JA)
        words = dict(words, t=thing, c=counter)
        if scene:
            return grammar.one_of(rng, ['{h}' + t for t in SCENES_JA[minus]], dict(words, h=HEAD_JA))
        return grammar.one_of(rng, STORY_SUB_JA if minus else STORY_ADD_JA, words)
    who, other = rng.sample(WHO_EN, 2)
    words = dict(words, t=rng.choice(THING_EN), w=who, w2=other, b2='there', q=LEFT_EN if minus else TOTAL_EN, h
        =HEAD_EN)
    if scene:
        return grammar.one_of(rng, ['{h}' + t for t in SCENES_EN[minus]], words)
    return grammar.one_of(rng, STORY_SUB_EN if minus else STORY_ADD_EN, words)
