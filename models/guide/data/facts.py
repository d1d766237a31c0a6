"""What the guide knows about kaiwa, as rows: ways to ask, and one answer in each language and length.

What is said here must be true of the program: the names of keys, commands and files are those of
ui/action.c, src/slash.c, src/command.c and the man pages.
"""
import re

from . import grammar

ROWS = []


def fact(name, ja, ja1, en, en1, how_ja=(), raw_ja=(), what_ja=(), how_en=(), raw_en=(), what_en=(), weight=1.0):
    """how_ja: (phrases, verbs); raw_*: whole questions; what_*: things asked for their meaning;
    how_en: verb phrases; ja1 and en1: the answer on one line."""
    ROWS.append({'name': name, 'answers': {'ja': ja, 'ja1': ja1, 'en': en, 'en1': en1}, 'how_ja': how_ja,
                 'raw_ja': raw_ja, 'what_ja': what_ja, 'how_en': how_en, 'raw_en': raw_en,
                 'what_en': what_en, 'weight': weight, 'about': None})


TYPED = re.compile(

                   r'\bF\d+|/[a-z]+(?![a-z/.])|\^[A-Z](?: [a-z])?|\bkaiwa -?[a-z]+(?: (?:add|verify))?|--[a-z]+|\bAlt-[A-Za-z]+'
                   r'|\bEsc\b|\bTab\b|\bPgUp\b')
ABOUT_JA = ['{x}[ キー|][は|って|とは]何[ですか|をするもの|だっけ|の役目|]',
            '{x}[は何を|って何を|で何が|は何が][する|できる|起こる|します|できます][の|か|んですか|]',
            '{x}の[説明|意味|使い方|働き|効果][は|を教えて|をお願い|が知りたい|]',
            '{x}を[押す|使う|打つ|入力する|試す]とどうな[る|るの|りますか]',
            '{x}は[いつ使う|どんなときに使う|何に使う|何のためにある][の|んですか|のでしょう|]']
ABOUT_EN = ["[what does|what will] {x} do", "[what is|what's|whats] {x}[ for|]", '[explain|describe] {x}',
            'what happens [when|if] i [press|type|use|enter|try|run] {x}',
            '[what is|tell me] the [meaning|purpose|use|effect] of {x}', 'when do i [use|need] {x}', '{x}?',
            'how do i use {x}', 'tell me about {x}']


def about(row):
    """The keys and commands that a row's short answer names: they may be asked about by name, if no row before
    names them."""
    if row['about'] is None:
        others = {t for other in ROWS[:ROWS.index(row)] for t in about(other)}
        row['about'] = [] if row['name'] in LISTING else \
            [t for t in dict.fromkeys(TYPED.findall(row['answers']['ja1'])) if t not in others]
    return row['about']


LISTING = ('keys', 'commands', 'send', 'temperature', 'elyza-where', 'start')


def ask_ja(rng, row):
    if about(row) and rng.random() < 0.12:
        return grammar.dress_ja(rng, grammar.one_of(rng, ABOUT_JA, {'x': row['about']}))
    ways = []
    if row['how_ja']:
        ways += ['how'] * 3
    if row['raw_ja']:
        ways += ['raw'] * (2 if len(row['raw_ja']) > 3 else 1)
    if row['what_ja']:
        ways += ['what'] * 2
    way = rng.choice(ways)
    if way == 'how':
        text = grammar.how_ja(rng, *rng.choice(row['how_ja']))
    elif way == 'raw':
        text = grammar.one_of(rng, row['raw_ja'])
    else:
        text = grammar.one_of(rng, grammar.ASK_WHAT_JA, {'x': row['what_ja']})
    return grammar.dress_ja(rng, text)


def ask_en(rng, row):
    if about(row) and rng.random() < 0.12:
        return grammar.dress_en(rng, grammar.one_of(rng, ABOUT_EN, {'x': row['about']}))
    ways = []
    if row['how_en']:
        ways += ['how'] * 3
    if row['raw_en']:
        ways += ['raw'] * (2 if len(row['raw_en']) > 3 else 1)
    if row['what_en']:
        ways += ['what'] * 2
    way = rng.choice(ways)
    if way == 'how':
        text = grammar.how_en(rng, row['how_en'])
    elif way == 'raw':
        text = grammar.one_of(rng, row['raw_en'])
    else:
        text = grammar.one_of(rng, grammar.ASK_WHAT_EN, {'x': row['what_en']})
    return grammar.dress_en(rng, text)


REPO = 'dahara1/ELYZA-japanese-Llama-2-7b-fast-instruct-GPTQ'
GET_JA = ['入れる/入れ', 'インストールする/インストールし', '導入する/導入し', '用意する/用意し', '使う/使い',
          '手に入れる/手に入れ', '追加する/追加し',
          '使えるようにする/使えるようにし', 'セットアップする/セットアップし', '動かす/動かし', '始める/始め',
          '準備する/準備し']
FIND_JA = ['見つける/見つけ', '探す/探し', '検索する/検索し', 'さがす/さがし', '調べる/調べ',
    '探し出す/探し出し', '見つけ出す/見つけ出し']
SHOW_JA = ['見る/見', '表示する/表示し', '出す/出し', '開く/開き', '確認する/確認し', '一覧する/一覧し',
           '眺める/眺め', '知る/知り', '調べる/調べ',
           '呼び出す/呼び出し']
CHANGE_JA = ['変える/変え', '変更する/変更し', '設定する/設定し', '書き換える/書き換え', '編集する/編集し',
             '直す/直し', '決める/決め', '指定する/指定し',
             'いじる/いじり', '調整する/調整し']
SAVE_JA = ['保存する/保存し', '書き出す/書き出し', 'エクスポートする/エクスポートし', '出力する/出力し',
           'ファイルにする/ファイルにし', '取り出す/取り出し',
           'ファイルに書き出す/ファイルに書き出し', 'ファイルに保存する/ファイルに保存し', '残す/残し',
           '持ち出す/持ち出し']
STOP_JA = ['止める/止め', 'とめる/とめ', '中止する/中止し', '停止する/停止し', '中断する/中断し',
           '打ち切る/打ち切り', 'やめさせる/やめさせ', '終わらせる/終わらせ',
           'ストップする/ストップし', '遮る/遮り', '黙らせる/黙らせ']
DELETE_JA = ['消す/消し', '削除する/削除し', '捨てる/捨て', '消去する/消去し', '取り除く/取り除き']
ELYZA_JA = 'ELYZA[|のモデル|モデル|というモデル|の 7B|の大きなモデル|ちゃん]'
ELYZA_EN = '[the |]ELYZA[ model| 7B model| 7B|]'

# ---- the big model ----
fact('elyza-install',
     'まず次のコマンドで ELYZA を取ってきます。\nhf download ' + REPO + '\n次に kaiwa -m ' + REPO +
     ' で始めます。大きさは 4.1 GB です。', 'hf download ' + REPO + ' で入ります。',
     'First fetch ELYZA with this command:\nhf download ' + REPO + '\nThen start it with kaiwa -m ' + REPO +
     '. It is 4.1 GB in size.', 'Run hf download ' + REPO + ' to get it.',
     how_ja=[([ELYZA_JA + 'を', ELYZA_JA + 'を[この|自分の|うちの|私の][パソコン|PC|マシン|コンピューター]に',
     ELYZA_JA + 'を kaiwa で'], GET_JA),
             ([ELYZA_JA + 'を', 'ELYZA を[ハギングフェイス|Hugging Face|ネット|インターネット]から'],
              ['ダウンロードする/ダウンロードし', '落とす/落とし', '取る/取り', '取ってくる/取ってき',
              '取得する/取得し', '持ってくる/持ってき']),
             (['[大きな|大きい|もっと賢い|賢い|本物の|ちゃんとした|7B の|日本語の|もっといい|高性能な|よい]'
             'モデルを'], GET_JA)],
     raw_ja=[ELYZA_JA + '[は|って]どこで[手に入る|手に入ります|取れる|取れます|ダウンロードできる|'
     'ダウンロードできます|入手できる]',
             ELYZA_JA + 'の[入れ方|インストール方法|導入方法|ダウンロード方法|入手方法|使い方|導入手順|'
             'セットアップ|入手先|インストール手順|始め方|インストール]'
             '[は|を教えて|を教えてください|が知りたい|を説明して|が分かりません|って|をお願いします|]',
             '[どうすれば|どうやって|どうしたら|どのように]' + ELYZA_JA +
             'を[使えます|使える|入れられる|インストールできる|動かせる|導入する|入れる|始められる|'
             'ダウンロードする]',
             ELYZA_JA +
             'が[ほしい|欲しい|必要|使ってみたい|ない|見つからない|入っていない][です|んだけど|んですが|]',
             '[もっと賢い|別の|大きな]モデル[はある|を使うには|に替えたい|がほしい]',
             'ELYZA と話[したい|してみたい|すには][です|んだけど|]',
             'hf download[は|って|コマンドは][何と書く|どう使う|どう打つ]の',
             '[あなた|君]より賢いモデルは[ありますか|ある|どうやって入れる]',
             ELYZA_JA + 'の[ダウンロード|取得|インストール]に[使う|打つ|必要な|要る]コマンド[は|は何|を書いて|'
             'を教えて|を見せて]',
             '[いい|おすすめの|お勧めの]モデル[は|を教えて|はありますか|は何]'],
     how_en=[
     '[install|get|download|set up|use|fetch|add|obtain|try|run|have|load|start using|put in|bring in] ' +
     ELYZA_EN,
             '[install|get|download|set up|use|fetch] ' + ELYZA_EN +
             ' [on my computer|on this machine|from hugging face|from the net|on my pc|here]',
             '[install|get|download|use|run] [a|the] [bigger|better|larger|smarter|real|proper|japanese|big] '
             'model',
             'talk [to|with] ELYZA', '[make|get] ELYZA [work|running|going]'],
     raw_en=['where [can|do] i [get|find|download|obtain] ' + ELYZA_EN,
             '[the|a] command [to download|to fetch|to install|for downloading|for fetching|for getting] ' +
             ELYZA_EN,
             '[instructions|steps|guide|help] for [installing|getting|downloading] ' + ELYZA_EN,
             'i [want|need] ' + ELYZA_EN, 'ELYZA [installation|download|install|setup]',
             'which command [downloads|fetches|gets|installs] ' + ELYZA_EN,
             'i [do not|don\'t] have ELYZA[ yet|]',
             '[is there|do you know] a [better|bigger|smarter] model',
             'which model [should i use|do you recommend|is better|is good]',
             'what is the [exact|full|] command for [getting|downloading|fetching] ' + ELYZA_EN,
             'installing ELYZA: what do i do'],
     weight=4)
fact('elyza-files',
     '必要なファイルは次のとおりです。\ngptq_model-4bit-128g.safetensors\nconfig.json\nquantize_config.json\nt'
     'okenizer.json\n'
     'あれば tokenizer_config.json と special_tokens_map.json も一緒に置いてください。',
     'gptq_model-4bit-128g.safetensors、config.json、tokenizer.json などです。',
     'These files are needed:\ngptq_model-4bit-128g.safetensors\nconfig.json\nquantize_config.json\ntokenizer.'
     'json\n'
     'Keep tokenizer_config.json and special_tokens_map.json with them.',
     'gptq_model-4bit-128g.safetensors, config.json, quantize_config.json and tokenizer.json.',
     raw_ja=[ELYZA_JA + '[の|に必要な|に要る|を動かすのに必要な|で使う]ファイル[は|名は|の名前は|の一覧は|'
     'って][何ですか|どれですか|何|どれ|全部で何個|なに|]',
             ELYZA_JA + '[の|に必要な|に要る]ファイル[名|の名前|の一覧|]を[教えて|全部教えて|並べて|挙げて|'
             '列挙して|書いて|一覧にして][ください|ほしい|くれますか|]',
             '[どの|どんな|何という]ファイルが[必要|要る|いる|あればいい|揃っていればいい][ですか|の|んですか|'
             ']',
             ELYZA_JA + 'は[どの|どんな]ファイルで[できていますか|できている|構成されていますか]',
             'モデルのフォルダーに[は|]何が入って[いますか|いる|いればいい|いるべき]',
             '[必要な|要る]ファイルを[正確に|全部|すべて|一つずつ][教えて|知りたい|挙げて]',
             'ELYZA のフォルダーの[中身|内容][は|を教えて]',
             'ELYZA を[動かす|使う]には[どの|どんな|何の]ファイルが[必要|要る|いる][ですか|の|]',
             'モデルに必要なファイル[は|を教えて|の名前]'],
     raw_en=[
     '[which|what] files [do i need|are needed|are required|must i have|should be there] [for|to run|to use] ' +
     ELYZA_EN,
             '[list|name|tell me|show me|give me] [the|all|all the|the exact] [files|file names] [of|for|that '
             'belong to|needed for|in] ' + ELYZA_EN,
             '[what|which] files [make up|are in|belong to|come with|are part of|does] ' + ELYZA_EN +
             '[| have| need]',
             '[what|which] are the [exact|] [files|file names] of ' + ELYZA_EN, 'exact file names[ of ELYZA|]',
             "what's [inside|in] the [model|ELYZA] [folder|directory]",
             '[what|which] files are [necessary|missing] for [ELYZA|the model]',
             '[what|which] file holds the weights of ELYZA',
             'what does the [ELYZA|model] [folder|directory] contain'],
     weight=3)
fact('elyza-where',
     'hf download を使えば Hugging Face のキャッシュに入り、kaiwa はそこから見つけます。自分で置くなら '
     '~/.local/share/kaiwa/models の下に'
     'フォルダーを作るか、kaiwa models add PATH で登録してください。',
     'Hugging Face のキャッシュか ~/.local/share/kaiwa/models に置きます。',
     'With hf download they go into the cache of Hugging Face, where kaiwa finds them. To place them '
     'yourself, put the folder into '
     '~/.local/share/kaiwa/models, or register it with kaiwa models add PATH.',
     'Into the Hugging Face cache or into ~/.local/share/kaiwa/models.',
     how_ja=[([ELYZA_JA + 'の[ファイル|フォルダー|]を',
     '[ダウンロードした|取ってきた|落とした|手元の|大きな|]モデルの[ファイル|フォルダー]を'],
              ['置く/置き', '入れておく/入れておき', '配置する/配置し', 'コピーする/コピーし'])],
     raw_ja=[ELYZA_JA + '[の|の大きな|]ファイルは[どこ|どのフォルダー|どの場所|どのディレクトリー|'
     'どこのフォルダー][に|へ][置く|置けばいい|入れる|入れればいい|置いたらいい|'
             '入れたらいい|コピーする|配置する][ですか|の|んですか|のですか|のでしょうか|]',
             '[モデル|ELYZA|ダウンロードしたモデル|落としたファイル]は[どこ|どのフォルダー|どの場所]に[置く|'
             '置けばいい|入れる|入れればいい|保存する|置いておく][ですか|の|んですか|]',
             '[モデル|ELYZA]の[置き場所|置き場|保存先|場所|格納場所][は|はどこ|を教えて|はどこですか|'
             'が知りたい|]',
             'kaiwa は[モデル|ELYZA]を[どこで|どこから|どのフォルダーから|どこに]探[す|します|しに行く][か|の|'
             ']',
             'モデルは[どこ|どのフォルダー]に[あります|ある|入っています][か|の|]',
             '[どこに|どのフォルダーに]モデルを[置く|入れる|コピーする][の|んですか|]'],
     how_en=[
     '[place|put|store|keep|copy] the [ELYZA|model] [files|folder] [myself|by hand|in the right place|]'],
     raw_en=['where [do|should|must|can] [i|we] [put|place|copy|store|keep|save|move] [the|my|] [ELYZA|model|'
     'downloaded|ELYZA model|weight] [files|folder|file|directory]',
             'where [do|should|must] [the|] [ELYZA|model|downloaded] files [go|be|live|belong]',
             '[which|what|into which|in which] [folder|directory|place|location] [do|should|must] [the|] '
             '[ELYZA|model] files [go into|go in|go|be in|belong to|be put]',
             'where does kaiwa [look for|search for|find|expect|keep] [models|ELYZA|the model|its models]',
             "[what is|what's] the [location|folder|directory|path|place] [of|for] [models|the model|the "
             "ELYZA files|model files]",
             'where are [models|the models|the model files] [kept|stored|located]',
             'where to put [ELYZA|the model|models]'],
     weight=3)
fact('models-add',
     'kaiwa models add PATH と打ってください。PATH はモデルのフォルダーか .gguf ファイルです。'
     '~/.local/share/kaiwa/models にリンクができ、名前で開けるようになります。',
     'kaiwa models add PATH で登録できます。',
     'Use kaiwa models add PATH, where PATH is a model folder or a .gguf file. It puts a link into '
     '~/.local/share/kaiwa/models, and '
     'you can open the model by its name.', 'Use kaiwa models add PATH.',
     how_ja=[(['[手元の|別の|自分の|ローカルの|新しい|持っている|ディスクにある|ほかの|ダウンロード済みの|]'
     'モデル[のフォルダー|]を[kaiwa に|名前で|]',
               '[.gguf|GGUF|gguf][ ファイル|のモデル|のファイル]を',
               '[自分の|モデルの|ある]フォルダーをモデルとして', 'kaiwa にモデルを'],
              ['登録する/登録し', '追加する/追加し', '加える/加え', '名前で開く/名前で開き', '教える/教え',
              '認識させる/認識させ', 'リンクする/リンクし',
               '足す/足し'])],
     raw_ja=['kaiwa models add[は|って|とは|コマンドは]何[をするコマンド|をする|][ですか|]',
     'models add [の使い方|とは|を説明して|って何]',
             'モデルの[追加|登録][は|方法は|のコマンドは|のしかた|コマンドを教えて]',
             '別のフォルダーにあるモデルを使いたい[です|んだけど|]',
             'kaiwa に[モデル|フォルダー]の場所を[教える|伝える|知らせる]には'],
     how_en=['[add|register|link|install] [a|my|another|my own|a local|an existing|a new] model[ folder| '
     'directory| file|]',
             '[add|register|link] a [gguf|.gguf] file', '[tell kaiwa about|make kaiwa know|make kaiwa find|'
             'make kaiwa see] [my|a|the] [model|folder|model folder|directory]',
             'use a model [that is already on my disk|from another folder|that i already have|i downloaded '
             'before]', 'give a model a name',
             'add a model [under|with|by] a name'],
     raw_en=['what does kaiwa models add do', '[what is|explain] models add[ for|]',
     'which command [adds|registers|links] a model',
             'i [have|already have|own] a model [on disk|in a folder|folder here|file|on my drive], [what now|'
             'how do i use it|what do i do with it|how does kaiwa find it]',
             'my model is in [another|a different] [folder|directory|place]'],
     weight=2.5)
fact('models-verify',
     'kaiwa models verify NAME と打ってください。大きさ、ヘッダー、トークナイザー、形を調べて、'
     '足りないものがあれば教えてくれます。',
     'kaiwa models verify NAME で調べられます。',
     'Use kaiwa models verify NAME. It checks sizes, headers, tokenizer and shapes, and says what is missing.',
     'Use kaiwa models verify NAME.',
     how_ja=[(['モデル[のファイル|]が[壊れていないか|揃っているか|そろっているか|正しいか|完全か|足りているか|'
     '無事か|全部あるか|ちゃんと入ったか|欠けていないか]',
               '[入れた|ダウンロードした|]モデルを', 'ファイルの[欠け|不足|破損|抜け]を',
               '[ELYZA|モデル]が[正しく|ちゃんと|全部]入ったか'],
              ['確認する/確認し', '調べる/調べ', '検査する/検査し', '確かめる/確かめ',
              'チェックする/チェックし', '検証する/検証し', '点検する/点検し'])],
     raw_ja=['kaiwa models verify[は|って|とは]何[をするコマンド|をする|][ですか|]',
     'models verify [の使い方|とは|を説明して|って何]',
             'モデルの[検証|確認|検査|点検][は|方法は|のしかた|コマンドは|コマンドを教えて]',
             'モデルが壊れ[ている|た]かも[しれない|しれません|]',
             '足りないファイルが[あるか|ないか]知りたい[です|]',
             'ダウンロードが[完全|成功した|ちゃんと終わった]か[知りたい|調べたい|確かめたい]',
             'モデルの状態を[確かめる|調べる|検査する]コマンド'],
     how_en=['[check|verify|test|validate|make sure|find out|see] [whether|if|that] [a|the|my] [model|'
     'download] is [complete|ok|intact|not broken|fine|all there|correct|whole|valid]',
             '[check|verify|test|validate|inspect] [a|the|my] [model|download|files of a model|model files|'
             'model for errors]',
             '[see|find out|know|check] [what is|what files are|which files are|if something is|if any file '
             'is] missing'],
     raw_en=['what does kaiwa models verify do', '[what is|explain] models verify[ for|]',
     'which command [checks|verifies|validates] a model',
             'is my [model|download] [complete|ok|broken|damaged|intact]',
             'are [all the files|the files of my model] there',
             '[my|the] [model|download] [may|might] be [broken|incomplete|damaged|corrupt]',
             'i think a file is missing'],
     weight=2.5)
fact('models-list',
     'kaiwa models と打つと、入っているモデルの名前、出どころ、場所が並びます。チャット中なら /model '
     'で見られます。',
     'kaiwa models で一覧が出ます。',
     'Type kaiwa models: it lists name, origin and path of what is installed. In the chat, /model shows them.',
     'kaiwa models lists them.',
     how_ja=[(['[入っている|インストール済みの|使える|持っている|登録した]モデル[の一覧|のリスト|]を',
     'どのモデルが[ある|入っている|使える]か'], SHOW_JA)],
     raw_ja=['[どの|どんな|何の]モデルが[入っています|入っている|使えます|使える|あります|'
     'インストールされている][か|の|]', 'モデルの[一覧|リスト][は|を見せて|を出して|が見たい]'],
     how_en=['[list|see|show|view|display] [the|all|my|all my|the installed|installed|available] models',
     'see which models [are installed|i have|are there]'],
     raw_en=['[which|what] models [are installed|do i have|are available|are there|can i use|exist here]',
     'which command [lists|shows] [my|the|the installed|all] models',
             'is there a list of [installed|my|available] models', 'list of [installed |]models'], weight=1.3)
fact('model-switch',
     'チャット中は /model MODEL、始めるときは kaiwa -m MODEL です。MODEL はフォルダー、.gguf ファイル、'
     'または名前です。次からは最後に使ったモデルが開きます。',
     '/model MODEL か kaiwa -m MODEL で替えられます。',
     'Type /model MODEL in the chat, or start with kaiwa -m MODEL. MODEL is a folder, a .gguf file or a name. '
     'The model used last opens next time.',
     'Type /model MODEL, or start kaiwa -m MODEL.',
     how_ja=[(['[別の|ほかの|違う]モデル[に|へ]'], ['切り替える/切り替え', '替える/替え', '変える/変え',
     '交換する/交換し', '乗り換える/乗り換え']),
             (['[使う|開く]モデルを', '[起動|開始]するときのモデルを'], ['選ぶ/選び', '指定する/指定し',
             '変更する/変更し', '変える/変え'])],
     raw_ja=['モデルの[切り替え|変更|選び方|替え方|指定][は|を教えて|方法は]', '-m [は何|とは|オプションは何]'],
     how_en=['[switch|change|go] to another model',
     '[switch|change|choose|select|pick] [the|a different|another] model', 'open [another|a different] model',
             'start kaiwa with [a certain|another|a different] model'],
     raw_en=['what does [-m|the -m option] do',
     'can i [change|switch] [the model|models] [while chatting|in the chat|during a chat]'])
fact('formats',
     'Hugging Face のフォルダーなら GPTQ 4 ビット、AWQ 4 ビット、fp16、bf16、fp32 の safetensors。GGUF なら '
     'F32、F16、BF16、Q4_0、Q4_1、Q8_0 が読めます。'
     'Llama、Mistral、Qwen、SmolLM2、ELYZA などの系列です。',
     'GPTQ、AWQ、fp16 などの safetensors と GGUF が読めます。',
     'Hugging Face folders with GPTQ 4-bit, AWQ 4-bit, fp16, bf16 or fp32 safetensors, and GGUF files with '
     'F32, F16, BF16, Q4_0, Q4_1 or Q8_0. '
     'Families are Llama, Mistral, Qwen, SmolLM2 and ELYZA.',
     'GPTQ, AWQ and fp16 safetensors folders, and GGUF files.',
     raw_ja=['[kaiwa|このプログラム]は[どんな|どの|何の]モデル[の形式|の種類|形式|ファイル|]が[読めます|'
     '使えます|開けます|動きます|読める|使える|開ける|動く][か|の|]',
             '[対応|サポート][している|する][モデル|形式|モデルの形式|ファイル形式|フォーマット][は|を教えて|'
             'って何|一覧|が知りたい]',
             'GGUF[は|って|ファイルは|形式は|も][使えます|読めます|開けます|使える|読める|動く][か|の|]',
             'AWQ[は|も][使えます|読めます|使える][か|の|]',
             '[どの|どんな]形式に対応[していますか|している|してるの]',
             'モデルの[形式|種類|フォーマット][は何|は|は何が使える|を教えて]',
             '[Llama|Mistral|Qwen|Llama 3|fp16|bf16][は|も|のモデルは][使えます|動きます|動く|読めます][か|の|'
             ']'],
     raw_en=['[which|what] [models|model formats|formats|file formats|model files|kinds of models|model types|'
     'types of files|sorts of model] [can|does] kaiwa [read|open|load|run|support|use|understand]',
             '[which|what] [models|formats|file formats|model files] are [supported|possible|readable|allowed]',
             '[can|does] kaiwa [read|open|load|run|use|support] [gguf|awq|gptq|llama 3|qwen|mistral|fp16|'
             'safetensors|gguf files|awq models]',
             '[supported|possible] [formats|models|model formats|file types]',
             'is [gguf|awq|gptq|bf16|qwen] supported', 'what [kind|type|sort] of model[s|] [can|may] i use'],
     weight=1.5)
# ---- speed ----
fact('slow',
     '一文字出すたびに、モデルの重みを全部メモリから読むからです。GPU がなければ CPU で計算し、'
     'メモリの速さで決まります。会話が長いときは最初の読み込みにも時間がかかります。'
     '速さは kaiwa bench で測れます。', 'CPU では、一語ごとに重みを全部メモリから読むからです。',
     'For every token all weights of the model are read from memory. Without a GPU the CPU does the work, and '
     'the speed of the memory decides. '
     'A long conversation also takes time to read at first. kaiwa bench measures it.',
     'Every token reads all weights from memory, and a CPU is slower than a GPU.',
     raw_ja=['[なぜ|どうして|なんで|なぜか|何で][返事|返答|応答|答え|回答|返信|出力|モデル|文字|レス]'
     'が[こんなに|とても|すごく|やたら|]遅い[のですか|の|んですか|のでしょう|のか教えて|んだろう|]',
             '[返事|返答|応答|答え|回答|出力|動作|生成|文字の出方|モデル]が[遅い|おそい|のろい|重い|鈍い|'
             'もたつく|ゆっくりすぎる|遅すぎる|時間がかかる|なかなか来ない][のはなぜ|理由は|原因は|'
             'のはどうして|'
             'んだけど|です|のですが|'
             'んだけどなんで|のは何が原因|わけは|]',
             '[返事|返答|応答|答え]に時間がかかる[のはなぜ|理由は|のはどうして|原因を教えて|んだけど]',
             '[もっと|]速く[したい|するには|ならない|できますか|動かしたい|なりませんか][です|んだけど|]',
             '[返事|返答|応答|動作|生成]を[速く|早く][するには|したい|できる|してほしい]',
             '[遅さ|のろさ|遅いこと]の[原因|理由][は|は何ですか|を教えて|が知りたい]',
             'スピードが[出ない|遅い|気になる][んですが|理由は|]',
             'GPU が[ない|無い]と遅い[ですか|の|のでしょうか]', '速度を上げる[方法|には|コツ][は|を教えて|]'],
     how_en=[
     '[make|get] [it|kaiwa|replies|the replies|answers|the model|the answers] [faster|quicker|to be faster]',
     'speed [it|kaiwa|things|the replies] up'],
     raw_en=['why [is|are] [it|kaiwa|the reply|the replies|the answer|the answers|this|the model|everything|'
     'your replies|responses|a reply|the output] [so |very |that |]slow',
             'why do [replies|answers|responses|the words] [take so long|come so slowly|take forever|need so '
             'much time]',
             'why does [it|a reply|an answer|the answer|each word|kaiwa] take so [long|much time]',
             "[it's|it is|this is|kaiwa is|the model is|the replies are|the answers are|everything is] [too|"
             "so|very|really|terribly] slow[, why|, what can i do| here|]",
             '[what makes|what is making|what causes] [it|the replies|the model|kaiwa|the answer] [so |]slow',
             "[what is|what's] the [reason|cause] [for|of] [the|this|such] [slow reply|slow replies|slow "
             "speed|slowness|delay|waiting]",
             'the words come out [slowly|very slowly|one by one|so slowly]',
             'reply speed is [bad|low|poor|slow]', 'do i need a gpu', 'is it slow without a gpu',
             'i have to wait [long|ages|too long] for [a reply|an answer|every word]'],
     weight=3)
fact('kv-cache',
     'KV キャッシュは、それまでの会話のトークンについて計算した結果（キーと値）を取っておく場所です。'
     'おかげで次の返事では新しいトークンだけを計算すればよく、速くなります。',
     'KV キャッシュは計算済みのトークンの結果を取っておき、新しい所だけ計算する仕組みです。',
     'The KV cache keeps what the model has already computed for the tokens of the conversation, their keys '
     'and values. '
     'So for the next reply only new tokens have to be computed again, which saves time.',
     'It keeps what was computed for earlier tokens, so only new ones are computed.',
     what_ja=['[KV|kv|ＫＶ|K V|Key-Value|キーバリュー|KV の][キャッシュ| キャッシュ|cache| cache]',
     '[キャッシュ|cache]', 'KV [キャッシュ|cache]', '[モデルの|]KV キャッシュ[の中身|]'],
     raw_ja=['KV キャッシュがあると[なぜ速い|何がいい|何が変わる|どう違う|得なの][のですか|の|]',
     '[前に|一度]計算したものは[取って|残して]おくの'],
     what_en=['[the|a] [kv|KV|key-value|key value|k v] cache', '[the|] kv cache', '[the|] cache', 'kv-cache'],
     raw_en=['why does the kv cache [make it faster|help|matter|save time]',
     'what [is kept|is stored|lies|sits] in the kv cache',
     '[does|do] the kv cache [make it faster|help|save time]',
             'is earlier work [kept|reused|cached]'], weight=3)
fact('reuse',
     '状態行の「再利用」は KV キャッシュにあってもう計算しなくてよいトークンの数、'
     '「読み」は新しく計算したトークンの数です。',
     '再利用はキャッシュにあった数、読みは新しく計算した数です。',
     'In the status line, reused counts the tokens that were in the KV cache already, and read counts those '
     'that had to be computed.',
     'Reused tokens were in the cache; the others had to be computed.',
     what_ja=['[状態行|画面の下|下の行]の[再利用|読み|数字|「再利用」]', '再利用'], raw_ja=[
     '再利用と読みの[違い|意味]は[何|]', '下に出る数字は[何|なに][ですか|]', 'status の数字の意味は'],
     what_en=['reused', 'the status line', 'the word reused', 'reused and read', 'the number after reused'],
     raw_en=['what do the numbers [at the bottom|in the status line|below] mean'])
fact('bench',
     'kaiwa bench と打ってください。一秒に何トークン読み、何トークン書けるか、'
     'メモリの速さの何割に届いているかが出ます。',
     'kaiwa bench で測れます。', 'Use kaiwa bench. It prints how many tokens a second are read and written, '
     'and what share of the memory speed is reached.',
     'kaiwa bench measures it.',
     how_ja=[(['[速さ|速度|スピード|性能|処理速度|生成速度|このパソコンの速さ]を',
     '[毎秒何トークン|一秒に何トークン|どれくらい速い|どのくらいの速さ]か'],
              ['測る/測り', '計る/計り', '測定する/測定し', '知る/知り', '調べる/調べ', '計測する/計測し',
              '確かめる/確かめ'])],
     raw_ja=['[kaiwa bench|bench|ベンチ|ベンチマーク][は|って|とは|コマンドは]何[ですか|]',
     'ベンチマーク[したい|を取りたい|のやり方|をするには]',
             '[一秒|毎秒][に|]何トークン[出ます|出る|出せる|書けます][か|の|]'],
     how_en=['[measure|test|benchmark|check|find out|see] [the|my|its] [speed|performance|rate]',
     '[measure|see|find out|check] how [fast|quick] [it|kaiwa|the model|my machine] [is|runs]',
             'run a benchmark', '[measure|see] [the|] tokens per second'],
     raw_en=['[what is|what does] kaiwa bench[ do|]',
     'how many tokens [per|a|each] second [do i get|does it make|can it do|are written]',
     'is there a [benchmark|speed test]',
             'which command [measures|shows|prints] [the speed|how fast it is|the performance]'], weight=1.5)
fact('gpu',
     'はい。NVIDIA の GPU があれば、CUDA で計算します。CUDA Toolkit と GPU があれば ./start が自動で CUDA '
     '用に組み立てます。--backend cuda か cpu で選べます。',
     'NVIDIA の GPU が使えます。--backend cuda で選べます。',
     'Yes. On an NVIDIA GPU kaiwa uses its own CUDA kernels; ./start builds them when there is a GPU and the '
     'CUDA Toolkit. Choose with --backend cuda or cpu.',
     'Yes, NVIDIA GPUs, with --backend cuda.',
     how_ja=[(['GPU を', 'グラボを', 'CUDA を', 'NVIDIA の GPU を'], ['使う/使い', '有効にする/有効にし',
     '使わせる/使わせ', '活かす/活かし', '利用する/利用し'])],
     raw_ja=['GPU[は|って]使え[ますか|る|るの|ませんか]', 'GPU に対応していますか',
     '[グラフィックボード|CUDA]は使え[ますか|る|るの]', 'GPU と CPU の選び方は'],
     how_en=['use [the|my|a] [gpu|nvidia card|graphics card]', 'run [it|kaiwa] on [the|my|a] gpu',
     '[enable|turn on|use] cuda', 'choose between cpu and gpu'],
     raw_en=['[does|can] kaiwa [use|support|run on] [a gpu|my gpu|cuda|gpus|nvidia cards]',
     'is [cuda|my gpu|a gpu] [supported|used]', 'which gpus work'])
