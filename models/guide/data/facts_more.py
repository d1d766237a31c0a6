"""More of what the guide knows about kaiwa: quantising, memory, colours, texts from elsewhere, the options."""
from .facts import fact

fact('quantize', 'kaiwa quantize IN OUT で、fp16、bf16、fp32 のモデルから 4 ビットの GPTQ モデルを作れます。'
     '--calibration FILE で、使い方に近い文章を渡すとよくなります。', 'kaiwa quantize IN OUT です。',
     'Use kaiwa quantize IN OUT: it makes a 4-bit GPTQ model out of an fp16, bf16 or fp32 one. Give it text like '
     'yours with --calibration FILE.', 'Use kaiwa quantize IN OUT.',
     how_ja=[(['モデルを', '自分のモデルを', '重みを', 'fp16 のモデルを'],
              ['量子化する/量子化し', '4 ビットにする/4 ビットにし', '小さくする/小さくし', '縮める/縮め', '圧縮する/圧縮し',
               'GPTQ にする/GPTQ にし'])],
     raw_ja=['kaiwa quantize[は|って]何', '[GPTQ|4 ビット]のモデルを作[りたい|るには|れますか|れる]', '量子化[のコマンド|のやり方|の方法|のしかた|するコマンド|]'
             '[は|を教えて|はどれ]', '量子化[するには|したい|できますか|はどうやる]'],
     how_en=['[quantize|quantise|compress|shrink] [a|my|the|my own] model[ to 4 bits|]', 'make a [gptq|4-bit|smaller|quantized] model',
             'turn [a model|fp16 weights] into [4 bits|gptq]'],
     raw_en=['what does kaiwa quantize do', 'can [kaiwa|it|you] [quantize|quantise|compress|make 4-bit] models', 'which command quantizes'])
fact('memory', 'ELYZA (4 ビット) のファイルは 4.1 GB で、メモリは 8 GB ほどあると安心です。モデルごとの量は kaiwa inspect MODEL で分かります。',
     '8 GB ほどあると安心です。',
     'The ELYZA files are 4.1 GB; a machine with 8 GB of memory is comfortable. kaiwa inspect MODEL says what a model needs.',
     'About 8 GB for ELYZA; kaiwa inspect MODEL tells.',
     raw_ja=['[メモリ|RAM|メモリー]は[どれくらい|何 GB|いくら|何ギガ][必要|要る|要ります|必要です][か|の|]', '必要な[メモリ|RAM|スペック|動作環境|空き容量][は|を教えて|はどれくらい]',
             '[古い|小さな|普通の|メモリ 8 GB の]パソコンでも動[きます|く][か|の|]', 'どんな[パソコン|マシン|機械]が[必要|要ります][ですか|か|]', '[スペック|動作環境]を教えて'],
     raw_en=['how [much|many gb of] [ram|memory] [do i need|does it need|is needed|does elyza need]', 'what [computer|hardware|machine] do i need',
             'will it run on [my laptop|an old computer|8 gb of ram|a small machine]', '[system|hardware|memory] requirements', 'is 8 gb [enough|of memory enough]'])
fact('colours', '色をなくすには環境変数 NO_COLOR を設定します。色を変えるには kaiwa.conf の [theme default] に user = bold cyan のように書きます。',
     '環境変数 NO_COLOR か、kaiwa.conf の [theme default] です。',
     'Set the environment variable NO_COLOR for a screen without colours. To change them write lines such as user = bold cyan '
     'under [theme default] in kaiwa.conf.', 'Set NO_COLOR, or edit [theme default] in kaiwa.conf.',
     how_ja=[(['[画面の|文字の|]色を', '[画面の|]配色を', 'テーマを', 'カラーを'],
              ['変える/変え', '消す/消し', '変更する/変更し', 'なくす/なくし', 'オフにする/オフにし', '選ぶ/選び'])],
     raw_ja=['[白黒|モノクロ]で[使いたい|表示したい|使えますか]', '色が[見にくい|見づらい|きつい]', 'ダークモード[は|にしたい|はありますか|にするには]'],
     how_en=['[change|turn off|disable|switch off|remove|set|get rid of] [the |]colo[u|]rs', '[change|set|choose] the [theme|colo[u|]r scheme]',
             'use it without colo[u|]rs'],
     raw_en=['[is there|do you have] [a dark mode|themes|a theme]', 'no colo[u|]rs[ please|]', 'the colo[u|]rs are [ugly|hard to read]'], weight=0.8)
fact('copy', '端末の選択がそのまま使えます。マウスで文字を選んでコピーしてください。会話全体は F8 か /export でファイルに書き出せます。',
     '端末でマウスで選ぶか、F8 で書き出します。',
     'Select text with the mouse as in any terminal; kaiwa does not take the mouse. F8 or /export writes the whole conversation to a file.',
     'Select it with the mouse, or export with F8.',
     how_ja=[(['[文字|文章|返事|返答|テキスト]を', '[画面の|]一部を', 'クリップボードに'], ['コピーする/コピーし', '選択する/選択し', '写し取る/写し取り'])],
     raw_ja=['マウスは[使えます|使える|効きます][か|の|]', 'コピペ[したい|できますか|の方法は]', 'コピー[アンドペースト|と貼り付け]は[できますか|できる]'],
     how_en=['copy [text|a reply|an answer|something|the reply]', 'select text', '[copy|put] a reply [to|into] the clipboard'],
     raw_en=['can i use [the|a] mouse', 'does the mouse work', 'copy and paste', 'is there mouse support'], weight=0.8)
fact('encoding', 'kaiwa ask - に渡す文字は Shift_JIS、EUC-JP、ISO-2022-JP、UTF-16 なら自動で見分けます。違うときは --encoding NAME で指定してください。',
     '自動で見分けます。--encoding NAME で指定もできます。',
     'Input of kaiwa ask - in Shift_JIS, EUC-JP, ISO-2022-JP or UTF-16 is recognised by itself; --encoding NAME overrides it.',
     'They are recognised; --encoding NAME overrides.',
     how_ja=[(['[Shift_JIS|EUC-JP|UTF-16|シフト JIS]の[ファイル|文章|テキスト]を', '文字コードを'], ['読む/読み', '使う/使い', '指定する/指定し', '渡す/渡し'])],
     raw_ja=['文字化け[する|します|しました]', '文字コードは[何|どれ|何が使える][ですか|]', '[Shift_JIS|EUC-JP|SJIS|UTF-16]は[使えます|読めます|大丈夫です]か'],
     how_en=['read a [shift_jis|euc-jp|utf-16|shift-jis] [file|text]', 'set the [encoding|character set]'],
     raw_en=['which [encodings|character sets] [are|does it] [supported|understand|known]', 'the text is garbled', 'does it read [shift_jis|euc-jp|utf-16]'], weight=0.7)
fact('stdin', 'kaiwa ask - と打つと、質問を標準入力から読みます。例: kaiwa ask - < memo.txt', 'kaiwa ask - です。',
     'kaiwa ask - reads the question from standard input, for example kaiwa ask - < memo.txt.', 'Use kaiwa ask -.',
     how_ja=[(['[標準入力|パイプ|ファイル]から質問を', '[パイプ|ファイル|標準入力]の[中身|内容]を'], ['読ませる/読ませ', '渡す/渡し', '送る/送り'])],
     raw_ja=['標準入力[から|は|も]読め[ます|る]か', 'パイプ[で|から|に]つなげ[ますか|る|たい]'],
     how_en=['[pipe|feed|send] [text|a file|a question] into [kaiwa|it]', 'read [the question|a question|text] from [standard input|stdin|a pipe]'],
     raw_en=['does [it|kaiwa] read [standard input|stdin|from a pipe]', 'can i pipe [text|a file] into it', 'is there a [pipe|filter] mode'], weight=0.8)
fact('plain', 'kaiwa --plain なら画面を使わず、一行が一つのメッセージになり、返事は標準出力に出ます。スクリーンリーダーにも向いています。',
     'kaiwa --plain です。',
     'kaiwa --plain runs without a screen: one message a line, replies on standard output. It suits screen readers too.', 'Use kaiwa --plain.',
     how_ja=[(['画面なしで', '[スクリーンリーダー|音声読み上げ]で', 'ふつうの行の形で'], ['使う/使い', '話す/話し', '動かす/動かし'])],
     raw_ja=['スクリーンリーダー[は|で][使えます|動きます]か', '画面を使わない[モード|方法][は|はありますか]'],
     how_en=['use [it|kaiwa] without [the screen|curses|a screen]', 'use [it|kaiwa] with a screen reader'],
     raw_en=['does it work with [screen readers|a screen reader|a dumb terminal]', 'is there a plain mode', 'what does --plain do'], weight=0.6)
fact('length', '返事の長さは -n N か /set max N で、N トークンまでにできます。途中で切れたら /continue で続きを書かせます。', '/set max N です。',
     'Limit a reply with -n N, or with /set max N in the chat; N counts tokens. /continue goes on where one was cut off.', 'Use -n N or /set max N.',
     how_ja=[(['[返事|返答]の長さを', '[返事|返答]を'], ['短くする/短くし', '制限する/制限し', '決める/決め', '長くする/長くし'])],
     raw_ja=['[返事|返答]が[長すぎる|長い|長すぎます]', '[返事|返答]の最大の長さ[は|を変えたい]'],
     how_en=['[limit|set|change|shorten] the [length of replies|reply length|maximum length]', 'get [shorter|longer] [replies|answers]'],
     raw_en=['[replies|answers] are too [long|short]', 'how long can [a reply|replies] be'], weight=0.7)
fact('threads', '--threads N で CPU のスレッド数を決められます。0 なら一つのコアに一つずつです。', '--threads N です。',
     '--threads N sets how many threads the CPU uses; 0 means one for each core.', 'Use --threads N.',
     how_ja=[(['[CPU の|]スレッド[の|]数を', '使うコアの数を'], ['決める/決め', '変える/変え', '減らす/減らし'])],
     raw_ja=['CPU を[全部使う|何コア使う|いくつ使う][の|のですか|]'],
     how_en=['[set|change|limit] the [number of threads|threads|cores]', 'use [fewer|more|all] [cores|threads]'],
     raw_en=['how many [threads|cores] does it use'], weight=0.5)
fact('windows', 'kaiwa は Linux の端末で動きます。Windows では動きません。', 'Linux で動きます。',
     'kaiwa runs in a terminal on Linux. It does not run on Windows.', 'It runs on Linux.',
     raw_ja=['[Windows|ウィンドウズ|Mac|スマホ]で[も|][動きます|使えます|動く][か|の|]', '[対応|動作する|使える] OS は[何|どれ][ですか|]', 'どの OS で動[きます|く][か|の|]', 'Linux で動きますか'],
     raw_en=['does it [run|work] on [windows|mac|macos|my phone|linux]', 'which [operating systems|os|systems] [are supported|does it run on]',
             'is there a [windows|mac] version'], weight=0.7)
fact('keys-change', 'キーの割り当ては kaiwa.conf の [keys] に retry = F5|^X r のように書きます。入力の編集のキーは ~/.editrc です。', 'kaiwa.conf の [keys] に書きます。',
     'Write lines such as retry = F5|^X r under [keys] in kaiwa.conf. Keys of line editing stand in ~/.editrc.', 'Edit [keys] in kaiwa.conf.',
     how_ja=[(['キー[の割り当て|の設定|バインド|]を', 'ショートカットを'], ['変える/変え', '変更する/変更し', '割り当てる/割り当て', 'カスタマイズする/カスタマイズし'])],
     raw_ja=['[vi|emacs|Emacs|vim]の[キー|操作]は[使えます|使える][か|の|]', 'キーは変えられますか'],
     how_en=['[change|remap|rebind|customize|configure] [a key|keys|the keys|key bindings|shortcuts]'],
     raw_en=['can i [change|remap] the keys', 'does it have [vi|emacs|vim] keys'], weight=0.6)
fact('who-made', 'kaiwa は C で書かれた自由なソフトで、モデルの計算も自前です。わたし自身はその付属の小さなモデルです。', 'C で書かれた自由なソフトです。',
     'kaiwa is free software written in C, with a decoder of its own. I am the tiny model that comes with it.', 'It is free software, written in C.',
     raw_ja=['kaiwa は[何|どの言語|何の言語]で書かれ[ています|ている|てる][か|の|]', 'kaiwa を[作った|開発した]のは[誰|だれ][ですか|]', 'ソースコードは[ありますか|公開されていますか]'],
     raw_en=['what is kaiwa written in', 'who [made|wrote|developed|created] kaiwa', 'in which language is [kaiwa|it] written', 'is the source [open|available]'], weight=0.6)
