"""Names of people: lists, and made-up ones without end, so that the model learns to copy a name
rather than to know it."""
SURNAMES = ('佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 林 斎藤 '
            '清水 山崎 森 池田 橋本 阿部 石川 山下 中島 '
            '石井 小川 前田 岡田 長谷川 藤田 後藤 近藤 村上 遠藤 青木 坂本 斉藤 福田 太田 西村 藤井 金子 岡本 '
            '藤原 三浦 中野 中川 原田 松田 竹内 小野 '
            '田村 中山 和田 石田 上田 森田 原 柴田 酒井 工藤 横山 宮崎 内田 高木 安藤 谷口 大野 丸山 今井 '
            '河野 藤本 村田 武田 上野 杉山 増田 平野 大塚 '
            '千葉 久保 松井 岩崎 桜井 野口 松尾 木下 菊地 野村 新井 渡部 杉本 古川 大西 島田 水野 桑原 望月 '
            '五味 榎本 黒田 秋山 浜田 吉川 川口 永井 大島 '
            '七瀬 一条 二宮 三好 四宮 五島 六角 八木 九条 十和田 早川 白石 星野 月島 雪村 風間 雨宮 花岡 草野 '
            '土屋 石原 岩田 川島 海野 湖山 沢田 谷川 峰岸 '
            '南 北川 東 西野 朝倉 昼間 夕凪 夜久 春日 夏目 秋元 冬木 赤坂 青山 黄川田 緑川 黒木 白井 金城 '
            '銀林 比嘉 島袋 大城 新垣 上原 玉城 仲村').split()
GIVEN = ('さくら ひなた ゆい あおい めい りん はな ゆず みお かえで ひまり すみれ つむぎ いろは こはる あかね '
         'みゆき のぞみ かおり まゆみ ゆうた けんた '
         'そうた はると ゆうき りく こうき だいち たくみ しょうた けいすけ まこと あきら ひろし たけし さとし '
         'なおき けんじ ゆうじ しんじ かずや 太郎 花子 次郎 '
         '一郎 健太 翔太 大輔 拓也 直樹 健 誠 明 浩 学 隆 翼 蓮 陽斗 結衣 陽菜 美咲 愛 葵 凛 桜 楓 美穂 由美 '
         '恵子 幸子 和子 真由美 直美 千尋 薫 忍 '
         '光 歩 遥 香織 詩織 沙織 智子 洋子 久美子 麻衣 彩 舞 奈々 菜摘 莉子 結菜 心春 紬 陽葵 湊 大和 悠真 '
         '颯太 樹 律 朝陽 新 奏 暖 碧').split()
KATAKANA = ('アンナ マリア エマ ソフィア オリビア リサ ケイト ジェーン サラ エミリー ハンナ ニーナ イリーナ '
            'ナターシャ クララ ローラ ジュリア ルーシー アリス '
            'クロエ レア カミーユ ジョン マイク トム ピーター ポール マーク デイビッド ダニエル アダム ベン '
            'ルーカス レオ マックス フェリックス オスカー ハンス '
            'ピエール ルイ アントワーヌ カルロス ミゲル ホセ パブロ ディエゴ マルコ ルカ アレックス イワン '
            'セルゲイ ミハイル リー ワン チェン キム パク ファン グエン '
            'アミール ラージ プリヤ アニル ファティマ オマル レイラ クワメ アビー ゾーイ').split()
ENGLISH = ('Anna Maria Emma Sophia Olivia Lisa Kate Jane Sarah Emily Hannah Nina Irina Natasha Clara Laura '
           'Julia Lucy Alice Chloe Lea '
           'Camille John Mike Tom Peter Paul Mark David Daniel Adam Ben Lucas Leo Max Felix Oscar Hans Pierre '
           'Louis Antoine Carlos '
           'Miguel Jose Pablo Diego Marco Luca Alex Ivan Sergei Mikhail Lee Wang Chen Kim Park Nguyen Amir '
           'Raj Priya Anil Fatima Omar '
           'Layla Kwame Abby Zoe Grace Ella Mia Ava Ruby Rose Violet Daisy Iris Stella Nora Ida Elsa Greta '
           'Astrid Ingrid Freya Sven '
           'Lars Olaf Erik Nils Bjorn Tuula Aino Mikko Jari Piotr Agnes Zofia Marek Jan Pavel Milos Eva Petra '
           'Tibor Bela Istvan Andrei '
           'Elena Dimitri Nikos Yannis Eleni Kostas Ahmed Yusuf Hassan Aisha Zainab Ravi Sunita Deepak Meera '
           'Arjun Kavya Sanjay Mei Ling '
           'Jun Hao Xin Yuki Haruka Kenji Sakura Taro Hanako Akira Naomi Sora Ren Aoi Riku Hana Yui Takeshi '
           'Satoshi Emi Ryan Kevin Brian '
           'Scott Greg Jeff Steve Bill Bob Jim Joe Jack Harry George Charles Henry Edward Arthur Frank Walter '
           'Martin Simon Nathan Ethan '
           'Noah Liam Mason Logan Owen Dylan Caleb Isaac Samuel Joseph Victor Hugo Jasper Miles Ivy Hazel '
           'Willow Autumn Summer April June '
           'Smith Johnson Brown Taylor Miller Wilson Moore Clark Lewis Walker Young King Wright Hill Green '
           'Baker Nelson Carter Cooper').split()
KANJI_FIRST = ('高大小中上下山川田森林石岩松竹杉桜梅藤原野村木本西東南北青白黒赤金銀'
               '水火土日月星空海江浜島谷沢坂岡宮寺古新長広永安平和吉福佐久保加瀬戸津')
KANJI_LAST = '田川山野村本原木島崎井口沢谷岡浦瀬橋林森葉塚宮尾倉藤部間屋城坂戸津見内上下池水越堀永松江'
KANJI_GIVEN = ('美優愛彩香奈菜花結衣陽葵翔太大輝悠真蓮湊颯樹健介拓也直人和之雅彦'
               '智秀明浩一郎二三恵子幸江真由里佳紀理沙織千夏春秋冬音詩歌心咲希望光')
KANA = 'あいうえおかきくけこさしすせそたちつてとなにのはひふほまみむめもやゆよらりるれろわ'
KATA = ('アイウエオカキクケコサシスセソタチツテトナニノハヒフホマミム'
        'メモヤユヨラリルレロワガギグゴザジズダデドバビブベボパピプペポ')
ONSETS = 'b c d f g h j k l m n p r s t v w z br ch cl dr fl gr kr pl sh st th tr sl ph'.split()
VOWELS = 'a e i o u a e i o ai ea ie ee oo ia'.split()
CODAS = ['', '', '', 'n', 'r', 'l', 's', 'm', 'k', 't', 'd', 'nd', 'ck', 'ss', 'x', 'th']


ROMAJI = ('a i u e o ka ki ku ke ko sa shi su se so ta chi tsu te to na ni nu ne no ha hi fu he ho ma mi mu me mo ya yu '
          'yo ra ri ru re ro wa ga gi gu ge go za ji zu ze zo da de do ba bi bu be bo kya kyo sho shu cho ryo ryu ju '
          'jo hyo gyo chu n tsu ken jun shin').split()
LETTERS = 'eeeeeaaaaaiiiiooooonnnnrrrrttttlllsssddhhmmcuuukkgpbvyfwzjxq'
# Pieces of the vocabulary that no list of names holds are copied too: any characters, the rarer ones as bytes.
KANJI_ANY = ('亜阿哀愛悪安暗案以伊位依偉囲意威尉惟維為医井域育一壱逸芋員院飲印因引羽雨宇鵜右有又由遊勇優裕雄祐悠'
             '郁運雲永映栄英瑛詠衛影鋭益円園延沿遠塩縁演艶央応往旺横王翁岡沖荻憶乙温音化花歌加果河夏家嘉霞賀雅'
             '芽我界海絵快開恵貝外街岳学楽額潟葛鎌茅萱刈甘柑寛幹環観貫関丸岩眼岸紀貴基喜希樹規輝騎亀菊吉橘客'
             '弓久求宮究休旧牛巨魚京恭教橋郷響享暁業局曲極玉桐琴勤欣錦近吟銀九駒具空遇熊栗桑群薫軍郡君訓啓慶'
             '敬景桂渓継結計恵芸鯨月健兼建憲賢謙剣堅絹犬見研県元源玄弦原現古湖胡虎五伍護悟呉後御鯉光功広孔宏幸'
             '康弘孝江浩港紅鴻黄綱高晃豪国克黒今根佐左沙嵯砂彩菜才裁歳財坂阪榊咲作桜笹札雑三山参讃産賛残仕史司'
             '四士始志思詞至詩資寺滋治磁示慈時鹿式軸七室実柴芝舎写車若寂守朱珠種寿樹周宗秋修愁洲舟集住充十重'
             '従淑祝春駿純潤順準初緒女序昌将章祥松湘翔彰菖鐘丈乗常城譲植織職色信真新森深慎紳心神臣晋進親仁尋'
             '須図吹水翠推瑞穂数杉菅雛寸瀬世成征星晴正清盛聖誠青静斉石赤積節雪千川仙泉浅専船善禅曽草荘倉双'
             '想蒼湊総造像足速孫尊多太打代大台醍鷹滝沢辰達谷竹丹淡旦団暖男知智地池竹築秩茶中仲忠昼柱宙著朝潮蝶'
             '長鳥張直津椎通塚槻辻蔦坪鶴庭定貞汀逓程笛鉄天展典伝殿田登都冬刀島東桃棟燈藤瞳道童銅徳独栃徹苗凪那'
             '内奈鍋楠南二虹入乃能波羽馬梅博白柏函箱畑八鉢発鳩塙隼半繁飛比斐樋尾美弥彦菱必姫百氷俵表豹評票苗浜'
             '不富冨布敷扶普武舞部風福淵仏物文平兵米碧別片編辺保歩穂甫輔芳宝方望邦峰朋法萌豊房北牧睦堀本凡麻舞'
             '槙幕柾又末万満巳岬光稔民夢霧務娘名明鳴盟綿面茂孟木目門紋也野矢役薬柳靖由佑祐友湧融雄夕予余与葉遥'
             '陽養洋吉淀羅来頼嵐藍蘭梨里理莉李立律隆竜龍良亮涼稜遼両力緑琳林倫臨玲礼麗令零嶺歴恋蓮連廉呂路露'
             '朗郎浪楼六和倭鷲亘')
KANA_ANY = KANA + 'がぎぐげござじずぜぞだでどばびぶべぼぱぴぷぺぽんんー'
KATA_ANY = KATA + 'ゲゴゼゾヅヌネロヴペ'
SMALL_KANA = ('きゃ きゅ きょ しゃ しゅ しょ ちゃ ちゅ ちょ にゃ ひょ みゃ りゃ りゅ りょ じゅ じょ ぎょ っか っき っこ っぺ った '
              'んの んじ').split()
SMALL_KATA = ('キャ キュ シャ シュ ショ チャ チュ チェ ティ ディ ファ フィ フェ ウィ ウェ ヴィ ジェ ジュ ジョ リュ ニュ ミュ '
              'ッタ ッド ッチ ッキ ンド ント ンス ーン ール ード ート').split()


def splice(rng, words):
    """The beginning of one and the end of another."""
    a, b = rng.choice(words), rng.choice(words)
    return a[:rng.randrange(1, len(a) + 1)] + b[rng.randrange(len(b)):].lower()


def any_english(rng):
    r = rng.random()
    if r < 0.35:
        name = ''.join(rng.choice(ROMAJI) for _ in range(rng.choice((2, 2, 3, 3, 4))))
    elif r < 0.7:
        name = splice(rng, ENGLISH)
    else:
        name = ''.join(rng.choice(LETTERS) for _ in range(rng.choice((3, 4, 5, 6, 7, 8, 10))))
    return name.capitalize()


def any_japanese(rng):
    r = rng.random()
    if r < 0.35:
        return ''.join(rng.choice(KANJI_ANY) for _ in range(rng.choice((1, 2, 2, 2, 3, 3, 4))))
    if r < 0.43:
        return ''.join(chr(rng.randrange(0x4e00, 0x9fa1)) for _ in range(rng.choice((1, 2, 2, 3))))
    if r < 0.5:
        return splice(rng, SURNAMES) + rng.choice(GIVEN)
    kana, small = (KANA_ANY, SMALL_KANA) if r < 0.75 else (KATA_ANY, SMALL_KATA)
    first = rng.choice(KANA if r < 0.75 else KATA)
    return first + ''.join(rng.choice(small) if rng.random() < 0.3 else rng.choice(kana)
                           for _ in range(rng.choice((1, 2, 2, 3, 4, 5))))


def made_up_english(rng):
    name = ''.join(rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(rng.choice((1, 2, 2, 3)))) + rng.choice(
        CODAS)
    return name.capitalize()


def english(rng):
    if rng.random() < 0.45:
        return any_english(rng) + (' ' + any_english(rng) if rng.random() < 0.12 else '')
    r = rng.random()
    if r < 0.45:
        return rng.choice(ENGLISH)
    if r < 0.5:
        return rng.choice(ENGLISH) + ' ' + made_up_english(rng)
    return made_up_english(rng)


def japanese(rng):
    if rng.random() < 0.45:
        return any_japanese(rng)
    r = rng.random()
    if r < 0.16:
        return rng.choice(SURNAMES)
    if r < 0.3:
        return rng.choice(GIVEN)
    if r < 0.4:
        return rng.choice(SURNAMES) + rng.choice(GIVEN)
    if r < 0.48:
        return rng.choice(KATAKANA)
    if r < 0.62:
        return rng.choice(KANJI_FIRST) + rng.choice(('', '', '々', rng.choice(KANJI_LAST))) + rng.choice(
            KANJI_LAST)
    if r < 0.7:
        return ''.join(rng.choice(KANJI_GIVEN) for _ in range(rng.choice((1, 2, 2, 3))))
    if r < 0.85:
        return ''.join(rng.choice(KANA) for _ in range(rng.choice((2, 3, 3, 4)))) + rng.choice(('', '', 'ん',
            'こ', 'ー'))
    if r < 0.88:
        return rng.choice(KANA) + rng.choice(('', '', 'っ', rng.choice(KANA))) + \
            rng.choice(('くん', 'ちゃん', 'ちん', 'やん', 'ぴょん', 'りん', 'たん', 'ぽん', 'ち', 'っち', 'んちゃん', 'ーちゃん', 'さん'))
    if r < 0.95:
        return rng.choice(KATA) + rng.choice(('', 'ー', 'ッ', 'ン')) + ''.join(rng.choice(KATA) for _ in range(
            rng.choice((1, 2, 3)))) + rng.choice(('', 'ス', 'ン', 'ー', 'ル'))
    return english(rng)


# ---- telling and asking ----

I_JA = '[私|僕|俺|わたし|ぼく|おれ|あたし|うち|自分|わたくし]'
TELL_JA = [I_JA + 'は{n}[です|だ|だよ|といいます|と申します|っていうの|という者です]。', I_JA + 'は{n}です。', I_JA + 'の名前は{n}です。',
           I_JA + 'の名は{n}[です|といいます]。', I_JA + '[、|が|こそ]{n}です。',
           '{n}です。', '{n}といいます。', '{n}と申します。', '私は{n}です。', '僕は{n}です。', '俺は{n}だ。',
           'わたしの名前は{n}です。', '名前は{n}です。',
           '{n}と呼んでください。', '{n}って呼んで。', '{n}だよ。', '{n}っていうんだ。',
           '私の名前は{n}といいます。', 'ぼく、{n}。', '{n}と言います。',
           '「{n}」と呼んでね。', 'みんな{n}と呼びます。', '友だちには{n}って呼ばれてる。',
           'わたし、{n}っていいます。', '{n}って言うんだけど。', '{n}と名乗っています。',
           'あだ名は{n}です。', '[私|僕|俺|わたし]のことは{n}と呼んで[ください|ね|くれ|ほしい]。',
           '家では{n}と呼ばれています。', '[私|僕|俺|うち|あたし]、{n}です。', '{n}でーす。',
           'こちらは{n}です。', '[学生|会社員|先生|医者|主婦|料理人|アメリカ人|フランス人|中国人|大阪]'
           'の{n}[です|といいます|と申します]。']
BEFORE_JA = ['', '', '', 'はじめまして。', 'こんにちは。', 'はじめまして、', 'こんにちは、', 'どうも、',
             'おはようございます。', 'こんばんは。', 'やあ、', 'よろしく、', 'ねえ、', 'あ、',
             'はじめまして！', '自己紹介します。', 'お邪魔します。']
AFTER_JA = ['', '', '', '', 'よろしく。', 'よろしくお願いします。', 'よろしくね。', '覚えておいてください。',
    '覚えてね。', 'お世話になります。', '初めて使います。', 'よろしくお願いいたします。', '仲よくしてね。']
RECALL_JA = ['[私|僕|俺|わたし|ぼく|あたし|わたくし|自分|うち][の名前|の名][は|って|を][何|なに|何でしたか|'
             '何だっけ|覚えてる|覚えていますか|何でしょう|言える|教えて|言ってみて|分かる|分かりますか|'
             'お分かりですか|当てて|]',
             '[私|僕|俺|わたし|ぼく|あたし]は[誰|だれ][です|でした|だった|だっけ|でしょう|だと思う][か|]',
             '[私|僕|俺|わたし|ぼく]の[名字|苗字|姓|呼び名|あだ名|氏名|下の名前|ニックネーム|呼び方][は|って|'
             'を][何|何だっけ|覚えてる|言って|教えて|何でしたか|当ててみて|]',
             '[さっき|最初に|前に|先ほど|はじめに|冒頭で|この会話で][言った|伝えた|教えた|名乗った|話した|'
             'お伝えした|聞いた][私の|僕の|俺の|]名前[は|は何|を覚えてる|をもう一度|を言って|を言ってみて|、'
             '覚えていますか|は何でしたか|を繰り返して|をどうぞ]',
             '名前、[覚えてる|覚えてますか|忘れてない|言える|忘れた]', '[私|僕|俺|わたし|ぼく]のこと[、|を|]'
             '[何と呼びますか|何て呼ぶ|どう呼べばいいか分かる|覚えてる|何と呼ぶんだっけ|名前で呼んで|'
             '名前で呼んでみて]',
             '[いま|今|ここで]話している[相手|人|の][は誰|の名前は|の名前を言って|は誰ですか|の名は]',
             '[私|僕|俺]に名前で[挨拶して|呼びかけて|あいさつしてください]',
             '[クイズ|問題|テスト][です|]。[私|僕|俺|わたし]の名前は[何|何でしょう|]',
             '[ちゃんと|まだ][私|僕|俺|わたし]の名前[を|][覚えて|記憶して][いますか|る|くれてる]',
             '[私|僕|俺|わたし]が[誰|だれ]か[分かる|わかりますか|覚えてる|言ってみて|教えて|知ってる]',
             '[私|僕|わたし]は何と[名乗りました|言いました|いう名前でした|呼ばれています|呼ばれてる][か|っけ|]']
REPLY_RECALL = {'ja': ['{n}さんです。', 'お名前は{n}さんです。', '{n}さんですね。覚えています。'], 'en': [
    'Your name is {n}.', 'You are {n}.', 'You told me that your name is {n}.']}
TELL_EN = ['my name is [mr|mrs|ms|dr]. {n}', "i'm {n}", 'i am {n}', 'my name is {n}', "my name's {n}", 'call me {n}', 'you can call me {n}',
           'this is {n}', "the name is {n}", "the name's {n}", 'people call me {n}',
           'my friends call me {n}', 'everyone calls me {n}', 'please call me {n}', '{n} here', "it's {n}",
           '{n} is my name', "i'm called {n}", 'they call me {n}', 'i go by {n}',
           'my nickname is {n}', 'let me introduce myself, i am {n}', 'i am [mr|mrs|ms|dr|professor]. {n}',
           'my name is {n}, [from|i live in] [london|paris|osaka|india|brazil|canada|spain|texas|rome|kenya]',
           '{n} speaking', 'let me introduce myself: {n}', 'here is {n}', 'at work they call me {n}',
           'i was named {n}', 'just call me {n}', 'i am [a|the] [teacher|student|cook|nurse|farmer] {n}']
BEFORE_EN = ['', '', '', 'hi, ', 'hello, ', 'hello! ', 'hey, ', 'good morning, ', 'good evening, ',
    'hi there, ', 'hi! ', 'nice to meet you, ', 'greetings, ', 'well, ']
AFTER_EN = ['', '', '', '', ', nice to meet you', '. nice to meet you', ' and i am new here', '. remember that',
    ', pleased to meet you', '. how are you?', ', please remember it', ', by the way',
    '. i just installed kaiwa']
RECALL_EN = ["[what is|what's|whats|what was] my [name|nickname|surname|first name|last name]",
             '[do|can|could|would|will] you [still |][remember|recall|say|tell me|repeat|know|guess] my name',
             'who am i', 'what did i say my name [was|is]',
             '[what|which] name did i [give|tell|say|mention]', 'how am i called', 'what am i called',
             'what should you call me',
             '[tell me|say|repeat|give me|spell out] my name[ again| please| once more|]', 'my name is[ what|]',
             'have you forgotten my name', 'do you know who i am',
             'do you know who you are [talking|speaking] to', 'remember [me|my name|who i am]',
             'what do [people|my friends|they] call me',
             '[greet me|say hello|say goodbye|address me] by [my |]name',
             '[i told you|i gave you|i said|i mentioned] my name [earlier|before|at the start|a moment ago], '
             'what [is|was] it', '[can|could] you address me by name', 'which name did i introduce myself with',
             'who is [talking|speaking|writing] to you',
             "[let's|let us] [test|check] your memory, what is my name",
             'name the person [you are talking to|who writes this]', 'how do i want to be called',
             'did you [catch|keep|note|get] my name',
             '[are you sure|do you recall] [who i am|what i am called|what my name was]',
             "i forgot, what's my name", 'use my name in [a|your] [greeting|reply|sentence]']
UNKNOWN = {'ja': ['まだお名前を聞いていません。何とお呼びすればいいですか。'], 'en': [
    "You have not told me your name yet. What may I call you?"]}
GREET = {'ja': ['はじめまして、{n}さん。よろしくお願いします。', '{n}さんですね。よろしくお願いします。',
         'こんにちは、{n}さん。どうぞよろしくお願いします。'],
         'en': ['Nice to meet you, {n}.', 'Hello, {n}. Nice to meet you.',
         'Pleased to meet you, {n}. How can I help you?']}
