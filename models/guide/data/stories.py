"""Short stories out of a grammar: who, where, what was wanted, what went wrong, who helped, the end."""
from . import grammar

ANIMALS = [('くま', 'bear'), ('あざらし', 'seal'), ('うさぎ', 'rabbit'), ('きつね', 'fox'), ('ねこ', 'cat'), (
           'いぬ', 'dog'), ('たぬき', 'raccoon dog'), ('りす', 'squirrel'), ('ふくろう', 'owl'), ('かめ',
           'turtle'), ('ぺんぎん', 'penguin'), ('くじら', 'whale'), ('ねずみ', 'mouse'), ('かえる', 'frog'), (
           'ぞう', 'elephant'), ('さる', 'monkey'),
           ('ひつじ', 'sheep'), ('うま', 'horse'), ('しか', 'deer'), ('つる', 'crane'), ('からす', 'crow'), (
           'おおかみ', 'wolf'), ('らいおん', 'lion'), ('いるか', 'dolphin'), ('あひる', 'duck'), ('はりねずみ',
           'hedgehog'), ('ロボット', 'robot'), ('ドラゴン', 'dragon')]
ALSO = {'くま': ['クマ', '熊', 'くまさん', 'くま'], 'あざらし': ['アザラシ', 'あざらし'], 'うさぎ': ['ウサギ',
        '兎', 'うさぎさん'], 'きつね': ['キツネ', '狐'], 'ねこ': ['ネコ', '猫', 'ねこ'], 'いぬ': ['イヌ', '犬',
        'いぬ'], 'たぬき': ['タヌキ'], 'りす': ['リス'], 'ふくろう': ['フクロウ'], 'かめ': ['カメ', '亀'],
        'ぺんぎん': ['ペンギン'], 'くじら': ['クジラ', '鯨'], 'ねずみ': ['ネズミ'],
        'かえる': ['カエル'], 'ぞう': ['ゾウ', '象'], 'さる': ['サル', '猿'], 'ひつじ': ['ヒツジ', '羊'],
        'うま': ['ウマ', '馬'], 'しか': ['シカ', '鹿'], 'つる': ['ツル', '鶴'], 'からす': ['カラス'],
        'おおかみ': ['オオカミ', '狼'], 'らいおん': ['ライオン'], 'いるか': ['イルカ'], 'あひる': ['アヒル'],
        'はりねずみ': ['ハリネズミ']}
PLACES = [('森', 'in the forest'), ('北の海', 'by the northern sea'), ('雪の山', 'on a snowy mountain'), (
    '静かな村', 'in a quiet village'), ('大きな川のそば', 'beside a wide river'), ('小さな島',
    'on a small island'), ('町の外れ', 'at the edge of a town'), ('氷の浜', 'on an icy beach'), ('古いお城',
    'in an old castle'), ('花の野原', 'in a field of flowers')]
WISHES = [('魚をつりたい', 'wanted to catch a fish'), ('星を近くで見たい',
    'wanted to see the stars from close by'), ('新しい歌を覚えたい', 'wanted to learn a new song'), (
    '友だちがほしい', 'wanted to find a friend'), ('海の向こうへ行きたい', 'wanted to cross the sea'), (
    'おいしいスープを作りたい', 'wanted to make a good soup'), ('なくした鍵を見つけたい',
    'wanted to find a lost key'), ('空を飛びたい', 'wanted to fly'), ('冬の家を建てたい',
    'wanted to build a house for the winter'), ('手紙を届けたい', 'wanted to deliver a letter')]
TROUBLES = [('強い風がふいて', 'But a strong wind blew, and'), ('雨がふり出して', 'But it began to rain, and'), (
    '道に迷って', 'But the way was lost, and'), ('夜になって', 'But night fell, and'), ('氷がわれて',
    'But the ice broke, and'), ('おなかがすいて', 'But hunger came, and'), ('橋がこわれて',
    'But the bridge was broken, and'), ('霧が深くて', 'But the fog was thick, and')]
HELPS = [('いっしょに火をおこし', 'together they made a fire'), ('背中に乗せて運び',
    'one carried the other on its back'), ('歌を歌ってはげまし', 'a song gave them courage'), (
    'おにぎりを半分こにし', 'they shared their last bread'), ('一晩中歩いて道を探し',
    'they walked all night to find the way'), ('木の枝で舟を作り', 'they made a boat of branches'), (
    '星を見て方角を知り', 'the stars told them the way'), ('力を合わせて岩を動かし',
    'they moved the rock with joined strength')]
ENDS = [('それからは毎日いっしょに遊びました。', 'From that day on they played together every day.'), (
    '二人は朝日を見て笑いました。', 'They saw the sun rise and laughed.'), ('いまでも二人は仲よしです。',
    'They are still friends today.'), ('そして、あたたかいお茶を飲みました。', 'And then they drank warm tea.'), (
    '願いは、かなったのです。', 'The wish had come true.'), ('村のみんなが二人をほめました。',
    'All the village praised them.'), ('その夜は、ぐっすりねむりました。', 'That night they slept soundly.')]
STORY_JA = '[お話|物語|おはなし|ストーリー|話|昔話|童話|小話|小さなお話|短編]'
TELL_JA = ('[して|聞かせて|作って|話して|書いて|語って|考えて|ひとつ聞かせて|作ってみて|してみて][ください|ほしい|'
           'ほしいです|くれる|くれますか|くれない|ちょうだい|もらえますか|もらえる|よ|くれませんか|]')
KIND_JA = '[短い|短めの|かわいい|楽しい|やさしい|面白い|寝る前の|子ども向けの|ちょっとした|冒険の|心が温まる|]'
ASK_ONE_JA = [KIND_JA + '{x}[の|が出てくる|が主人公の|についての]' + STORY_JA + 'を' + TELL_JA, '{x}の' +
              STORY_JA + '[が聞きたい|が読みたい|をお願い|をお願いします|がいい|をどうぞ][です|な|]',
              '{x}が[出る|登場する|活躍する|旅をする]' + STORY_JA + '[を' + TELL_JA +
              '|がいいな|が聞きたいです|は]',
              STORY_JA + 'を' + TELL_JA + '。{x}の', '{x}を[主役|主人公]にした' + STORY_JA + '[を' + TELL_JA +
              '|が聞きたい|が読みたいな]']
ASK_TWO_JA = [KIND_JA + '{x}と{y}[の|が出てくる|が仲よくなる|が出会う|の友情の]' + STORY_JA + 'を' + TELL_JA,
    '{x}と{y}の' + STORY_JA + '[が聞きたい|が読みたい|をお願いします|がいい][です|な|]', '{x}が{y}に会う' +
    STORY_JA + '[を' + TELL_JA + '|がいい|が聞きたい]', '{x}と{y}の[出てくる|]' + STORY_JA + '[を' + TELL_JA +
    '|]']
ASK_NONE_JA = [KIND_JA + STORY_JA + 'を' + TELL_JA, '[何か|なにか|ひとつ|一つ]' + KIND_JA + STORY_JA + 'を' +
    TELL_JA, STORY_JA + '[が聞きたい|が読みたい|をお願いします|して][です|な|]', '動物の' + STORY_JA + 'を' +
    TELL_JA]
STORY_EN = '[story|tale|short story|bedtime story|little story|fairy tale|little tale|short tale]'
TELL_EN = ('[tell me|write|write me|make up|i want to hear|i would like|please tell me|can you tell me|'
           'could you tell|give me|do you know|invent|let me hear|i want|read me|let us have|may i have]')
ASK_ONE_EN = [TELL_EN + ' a[ nice| funny| cute| sweet| lovely|] ' + STORY_EN +
    ' [about|of|with|involving|where you meet|starring] [a|the|some|one] {x}', '[a|one|another] ' + STORY_EN +
    ' [about|with|of] a {x}[ please| would be nice|]', 'what happened to the {x}? ' + TELL_EN + ' a ' + STORY_EN,
    TELL_EN + ' [something short|a few lines] about a[ little| brave| clever| lonely| small|] {x}', '{x} ' +
    STORY_EN + '[ please|]']
ASK_TWO_EN = [TELL_EN + ' a ' + STORY_EN + ' [about|of|with|in which there are] a {x} and a {y}', 'a ' +
    STORY_EN + ' [about|with|of] [a|the] {x} and [a|the] {y}[ please|]', TELL_EN + ' how the {x} met the {y}',
    'let a {x} meet a {y}[ in a ' + STORY_EN + '|]', 'the {x} and the {y}[, a ' + STORY_EN + '|]', TELL_EN +
    ' a ' + STORY_EN + ' where a {x} [meets|helps|finds|visits] a {y}']
ASK_NONE_EN = [TELL_EN + ' a[ nice| funny| cute|] ' + STORY_EN, '[a|another|one more] ' + STORY_EN +
    '[ please|]', TELL_EN + ' a ' + STORY_EN + ' [about animals|before i sleep|for my child|to cheer me up]',
    'i am bored, tell me something']


def make(rng, lang):
    """(question, answers)"""
    n = rng.choices((0, 1, 2), (2, 4, 5))[0]
    hero, friend = rng.sample(ANIMALS, 2)
    if rng.random() < 0.16:
        hero, friend, n = ANIMALS[0], ANIMALS[1], 2
        if rng.random() < 0.2:
            hero, friend = friend, hero
    if lang == 'ja':
        words = {'x': rng.choice(ALSO.get(hero[0], [hero[0]]) + [hero[0]]), 'y': rng.choice(ALSO.get(friend[0], [
            friend[0]]) + [friend[0]])}
        text = grammar.dress_ja(rng, grammar.one_of(rng, (ASK_NONE_JA, ASK_ONE_JA, ASK_TWO_JA)[n], words), rng.
            random() < 0.5)
    else:
        text = grammar.one_of(rng, (ASK_NONE_EN, ASK_ONE_EN, ASK_TWO_EN)[n], {'x': hero[1], 'y': friend[1]})
        for vowel in 'aeiou':
            text = text.replace(' a ' + vowel, ' an ' + vowel)
        text = grammar.dress_en(rng, text, rng.random() < 0.5)
    return text, tell(rng, hero, friend)


def article(word):
    return ('an ' if word[0] in 'aeiou' else 'a ') + word


def tell(rng, hero, friend):
    place, wish, trouble, help_, end = (rng.choice(x) for x in (PLACES, WISHES, TROUBLES, HELPS, ENDS))
    x, y = hero[0], friend[0]
    ja = (

          f'むかし、{place[0]}に、{wish[0]}と思っている{x}がいました。ある日、{x}は{y}に出会いました。「いっしょに行こう」と{y}が言いました。\n'


          f'ところが、{trouble[0]}、二人は困ってしまいました。それでも二人は{help_[0]}、とうとうやりとげました。{end[0]}')
    ja1 = f'{wish[0]}{x}は{y}と出会い、二人で力を合わせて願いをかなえました。'
    x, y = hero[1], friend[1]
    en = (

          f'Once upon a time, {place[1]}, there lived {article(x)} who {wish[1]}. One day the {x} met {article(y)}. "Let us go together," said the {y}.\n'
          f'{trouble[1]} they were in trouble. Still, {help_[1]}, and in the end it went well. {end[1]}')
    en1 = f'{article(x).capitalize()} {wish[1]}, met {article(y)}, and together they made it come true.'
    return {'ja': ja, 'ja1': ja1, 'en': en, 'en1': en1}
