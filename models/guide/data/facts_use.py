"""Rows about using kaiwa: keys, commands, conversations, settings."""
from .facts import CHANGE_JA, DELETE_JA, FIND_JA, SAVE_JA, SHOW_JA, STOP_JA, fact

CHAT_JA = '[会話|チャット|やりとり|やり取り|話|対話|履歴]'
OLD_JA = '[前の|以前の|昔の|古い|過去の|昨日の|先月の|この前の|こないだの|終わった]'
CHAT_EN = '[chat|conversation]'
OLD_EN = '[an old|a previous|an earlier|the last|my last|yesterday\'s|a saved|a past|the previous]'

fact('keys',
     '主なキーは次のとおりです。\nEnter 送信、^J か Alt-Enter 改行、Esc 返事を止める\nF1 ヘルプ、F2 '
     '会話の一覧、F3 システムプロンプト\nF5 やり直し、F8 書き出し、F10 終了\n'
     '全部のキーは F1 で見られます。',
     'F1 ヘルプ、F2 一覧、F3 システム、F5 やり直し、F8 書き出し、F10 終了、Esc 停止です。',
     'The main keys are:\nEnter sends, ^J or Alt-Enter makes a new line, Esc stops the reply\nF1 help, F2 '
     'conversations, F3 system prompt\n'
     'F5 retry, F8 export, F10 quit\nF1 shows all of them.',
     'F1 help, F2 list, F3 system prompt, F5 retry, F8 export, F10 quit, Esc stop.',
     how_ja=[(['キー[の一覧|の割り当て|操作|操作の一覧|ボードの使い方|バインド|]を',
     '[使える|全部の|すべての|主な]キーを', 'ショートカット[キー|の一覧|]を', '操作方法を'], SHOW_JA)],
     raw_ja=['[どんな|どの|何の]キーが[使えます|使える|あります|ある|効きます][か|の|]',
     '[キー操作|キー|ショートカット|操作方法|キーボード操作|キーの使い方|使えるキー|主なキー|'
     'ファンクションキー]'
             '[を教えて|は|を教えてください|が知りたい|一覧|を説明して|をまとめて|を並べて|の一覧を見せて|'
             'について教えて|を一覧にして]', '画面の[使い方|操作|キー][は|を教えて|がわからない]',
             '使い方を教えて[ください|]', '[基本的な|基本の]操作[を教えて|は]', 'どうやって[使う|操作する]の'],
     how_en=['[see|list|show|find|get] [all|the|all the|a list of|the list of] keys',
     '[learn|see|know] the [keys|shortcuts|key bindings|keyboard shortcuts|function keys]',
     'use [this program|kaiwa|the keyboard|this screen]'],
     raw_en=['[which|what] keys [are there|can i use|work here|do what|exist|does kaiwa have|should i know]',
     '[show|list|tell|give] me [all|the|all the|the main|the important] [keys|shortcuts|function keys|hotkeys|'
     'keyboard shortcuts]',
             '[what are|tell me about] the [keys|shortcuts|function keys|main keys|key bindings|hotkeys]',
             'keyboard [shortcuts|help|commands]', 'i want to know the keys',
             'where [is|can i find] [the list of keys|a list of keys|the key list|help on keys]'],
     weight=2)
fact('help', 'F1 を押すと、すべてのキーとコマンドの説明が出ます。チャットに /help と打っても見られます。',
     'F1 か /help です。',
     'Press F1: it explains every key and command. Typing /help works as well.', 'Press F1 or type /help.',
     how_ja=[(['ヘルプ[画面|]を', '説明[画面|書|]を', '使い方の説明を', '助けを'], SHOW_JA + ['読む/読み',
     '求める/求め'])],
     raw_ja=['ヘルプは[どこ|どのキー|ある|あります][ですか|か|の|]',
     '[どこで|どこに]説明[が読めます|が読める|があります|がある][か|の|]', 'マニュアルは[ありますか|ある|どこ]',
     '困ったときは[どうする|どこを見る|何を押す][の|んですか|]'],
     how_en=['[get|open|see|read|show|find] [the |]help[ screen| page|]', 'get help[ on the screen| here|]',
     '[open|read] the manual'],
     raw_en=['where is [the help|help|the manual]', 'is there [a manual|any help|a help screen|some help]',
     'which key [shows|opens|is|gives] [the |me |]help', 'help[ me|]'], weight=1.5)
fact('commands',
     'スラッシュで始まる行がコマンドです。よく使うものは次のとおりです。\n/new 新しい会話、/list 一覧、'
     '/search 検索\n/system システムプロンプト、/retry やり直し、/continue 続き\n/export 書き出し、/set '
     '設定、/model モデル\n'
     '全部は /help で見られます。',
     '/new、/list、/search、/system、/retry、/export、/set などで、全部は /help で見られます。',
     'A line that begins with a slash is a command. The usual ones are:\n/new, /list, /search\n/system, '
     '/retry, /continue\n/export, /set, /model\n/help explains all of them.',
     '/new, /list, /search, /system, /retry, /export, /set and more; see /help.',
     how_ja=[(['[スラッシュ|使える|全部の|チャットの|]コマンド[の一覧|]を', '[スラッシュ|チャット]コマンドを'],
     SHOW_JA)],
     raw_ja=[
     '[どんな|どの|何の|どういう][スラッシュ|]コマンドが[使えます|使える|ある|用意されている][の|んですか|]',
     '[スラッシュ|チャットの|]コマンド[を教えて|は|の一覧|一覧を見せて|には何がある|の種類は|について教えて|'
     'を全部教えて|を並べて|って何|とは]',
             'スラッシュで始まる[もの|命令|コマンド]は[何|]', '/ で何ができる[の|んですか|]'],
     how_en=['[see|list|show] [the|all|all the|all slash] commands', 'use slash commands'],
     raw_en=[
     '[which|what] [slash |]commands [are there|exist|can i use|does kaiwa have|do you know|are available]',
     '[list|show|tell] me [the|all|all the] [slash |]commands', 'what is a slash command',
     'what [can|do] i type after [the|a] slash', '[slash |]commands[ list|]',
             'tell me about [the |]slash commands'], weight=2)
fact('newline', '^J か Alt-Enter を押すと、送らずに改行できます。Enter だけだと送信されます。',
     '^J か Alt-Enter です。',
     'Press ^J or Alt-Enter for a new line. Enter alone sends the message.', 'Press ^J or Alt-Enter.',
     how_ja=[(['[メッセージ|文章|入力|文]の途中で', '送信せずに', '送らずに', 'メッセージの中で', '入力中に',
     '長い文で', ''], ['改行する/改行し', '行を変える/行を変え', '次の行に移る/次の行に移り',
     '新しい行を始める/新しい行を始め', '改行を入れる/改行を入れ']),
             (['[複数行|何行か|二行以上|数行]の[メッセージ|文章|文]を', '[複数行|二行以上]を'], ['書く/書き',
             '入力する/入力し', '打つ/打ち', '送る/送り'])],
     raw_ja=['改行[のキー|のしかた|方法|キー|の入れ方|][は|を教えて|が分からない|はどれ|]',
     'Enter を押すと送[られて|信されて]しまう[んだけど|のですが|]', '[改行|行替え]はどうやる[の|んですか|]'],
     how_en=['[insert|make|type|enter|add|start|begin|get|put in] a [new line|line break|newline|second line]',
     '[write|type|enter] [a message of|] [several|two|many|multiple] lines',
     'break [a|the] line[ without sending it|]', 'go to the next line'],
     raw_en=['which key [makes|gives|inserts|is] a [new line|line break|newline]',
     'enter sends [it|the message] but i want a new line', '[new line|line break|newline] key',
     'enter sends my message too [early|soon]'], weight=2)
fact('send', 'Enter を押すと送信されます。', 'Enter です。', 'Press Enter to send it.', 'Press Enter.',
     how_ja=[(['メッセージを', '書いた文を', '入力した文章を', '質問を'], ['送る/送り', '送信する/送信し',
     '渡す/渡し'])],
     raw_ja=['送信[キーは|は|はどのキー]'], how_en=['send [a|the|my] [message|question|text]',
     'submit [a|my] message'], raw_en=['which key sends [the|a|my] message'], weight=0.7)
fact('stop', 'Esc を押すと返事が止まります。そこまでに来た文は残り、/continue で続きを書かせることもできます。',
     'Esc を押します。',
     'Press Esc to stop the reply. What came is kept, and /continue makes it go on.', 'Press Esc to stop it.',
     how_ja=[(['[返事|返答|応答|回答|答え|生成|出力|モデルの返事|長い返事|いまの返事|書いている途中の返事|'
     '文章の生成]を[途中で|]', '[モデル|アシスタント]が[書く|話す|しゃべる|答える]のを'], STOP_JA)],
     raw_ja=['[返事|返答|話|答え|回答]が[長すぎる|長い|終わらない|止まらない|長くて困る][んだけど|のですが|'
     'です|からやめて|]',
     '[返事|返答|生成|出力]の[止め方|中断|停止|キャンセル|中止][は|を教えて|方法は|のキーは]',
             'もう[いい|十分|たくさん]、止め[て|たい]',
             'Esc[ キー|][は|って|を押すと]何[のキー|が起こる|になる|をする|]',
             '[返事|返答]の途中で Esc を押すと[どうなる|どうなります|何が起きる][か|の|]',
             'キャンセル[したい|するには|はどうする]'],
     how_en=['[stop|cancel|interrupt|abort|halt|end|break off|cut short] [the|a|this|its|the current] [reply|'
     'answer|response|output|generation|text]', 'make [it|the model] stop[ talking| writing|]',
     '[stop|interrupt] [the model|it|kaiwa] while it [is writing|is talking|writes|answers]'],
     raw_en=['[the|this|your] [reply|answer|response] is too long',
     'which key [stops|cancels|interrupts] [the|a] [reply|answer]',
     'what does [esc|escape|the esc key|the escape key] do',
     'what happens [if|when] i [press|hit] [esc|escape]',
             'it [does not|will not|won\'t] stop[ talking| writing|]', 'please stop', 'stop key',
             '[pressing|hitting] [esc|escape] while it [replies|writes|answers]'], weight=2.5)
fact('retry', 'F5 か /retry で、最後のメッセージに別の返事をもらえます。前の返事も版として残り、Alt-← と '
     'Alt-→ で行き来できます。', 'F5 か /retry です。',
     'Press F5 or type /retry for another reply to the last message. Earlier replies are kept as versions; '
     'Alt-Left and Alt-Right switch between them.', 'Press F5 or type /retry.',
     how_ja=[(['[返事|返答|答え|回答|最後の返事|いまの返事]を[もう一度|]', '同じ質問に[もう一度|]'], [
     'やり直す/やり直し', '作り直す/作り直し', '書き直してもらう/書き直してもらい',
     '答え直してもらう/答え直してもらい', '再生成する/再生成し', '生成し直す/生成し直し']),
             (['[別の|違う|ほかの|もう一つの]返事を', '[別の|違う]答えを'], ['もらう/もらい', '見る/見',
             '得る/得', '書かせる/書かせ', '出してもらう/出してもらい'])],
     raw_ja=[
     '[返事|答え|返答]が[よくない|気に入らない|変|おかしい|いまいち|不満][んだけど|です|ので別のがいい|]',
     '[やり直し|再生成|リトライ][は|のキーは|のしかた|を教えて|をしたい|方法は]',
     'もう一度答えて[もらうには|ほしい|もらいたい]', '[別の|違う]答えが[ほしい|見たい|いい][です|んだけど|]'],
     how_en=[
     '[get|have|see|ask for|request] [another|a different|a new|one more] [reply|answer|version|response]',
     '[retry|redo|regenerate|repeat] [the|a|the last|an] [reply|answer|response|question]',
     'make [it|the model] [answer|reply|try] again', 'let it answer [again|once more|anew]'],
     raw_en=["[i don't|i do not] like [this|the|that] [answer|reply]",
     'which key [retries|regenerates|gives another answer|makes a new answer]',
     'can [it|you|the model] [try|answer] again',
     'the [answer|reply] was [bad|wrong|not good|poor], [another one|try again|what now|again please]',
             'retry key', 'give me another [answer|reply|version]'], weight=2)
fact('versions', 'Alt-← で前の版、Alt-→ で次の版に移れます。F5 でやり直す前の返事も残っています。',
     'Alt-← と Alt-→ です。',
     'Alt-Left shows the version before, Alt-Right the next one. Replies from before a retry are kept.',
     'Use Alt-Left and Alt-Right.',
     how_ja=[(['[前の|以前の|やり直す前の|最初の][版|返事|バージョン]に', '[返事|メッセージ]の版を'], [
     '戻る/戻り', '切り替える/切り替え', '行き来する/行き来し', '戻す/戻し'])],
     how_en=['[see|go back to|get back|return to|switch to] [the reply before|an earlier version|the first '
     'version|the version before|the reply before the retry]', 'switch between versions[ of a reply|]'],
     raw_en=['is the old [reply|answer] [lost|gone|kept] after a retry'], raw_ja=[
     'やり直すと前の返事は[消える|消えますか|なくなるの|残る]'])
fact('continue', '/continue か ^X c で、止まった返事や途中で切れた返事の続きを書かせられます。',
     '/continue か ^X c です。',
     'Type /continue or press ^X c: the reply that was stopped or cut off goes on.',
     'Type /continue or press ^X c.',
     how_ja=[(['[止めた|切れた|止まった|途中までの|途中で終わった|中断した|終わっていない]返事の続きを',
     '[返事|返答|答え]の続きを', '続きを'], ['書かせる/書かせ', '書いてもらう/書いてもらい', 'もらう/もらい',
     '読む/読み', '出してもらう/出してもらい', '出す/出し', '生成する/生成し']),
             (['[止めた|止まった|切れた]返事を'], ['再開する/再開し', '続ける/続け', '続けさせる/続けさせ'])],
     raw_ja=['返事が[途中で|最後まで行かずに|]切れ[た|ちゃった|てしまった|ました][んだけど|のですが|。続きは|]',
     '途中で[終わった|止まった]返事[の続きは|はどうする|]'],
     how_en=['[continue|resume|finish|go on with|complete] [a|the|this|the stopped|an unfinished|the cut off|'
     'an interrupted] [reply|answer|response]',
     '[make|let] [it|the model|the reply|the answer] [continue|go on|finish|keep going]',
     'see the rest of [the|a|its] [reply|answer]'],
     raw_en=['the [reply|answer|text] [was cut off|stopped|is cut off|ended too soon|is incomplete|broke off]',
     'which command [continues|goes on with] a reply', '[keep going|go on] with [the|that] answer'], weight=1.5)
fact('edit', '/edit TEXT と打つと、最後のメッセージを書き直して、改めて返事をもらえます。/edit N TEXT なら N '
     '番のメッセージです。', '/edit TEXT です。',
     'Type /edit TEXT: your last message is written anew and answered again. /edit N TEXT changes message N.',
     'Type /edit TEXT.',
     how_ja=[(['[送った|最後の|自分の|さっきの|送信済みの]メッセージを', '[さっきの|送った]質問を'], [
     '書き直す/書き直し', '直す/直し', '編集する/編集し', '訂正する/訂正し', '修正する/修正し', '変える/変え'])],
     raw_ja=['[打ち間違えた|書き間違えた|間違えて送った][んだけど|のですが|メッセージを直したい|]'],
     how_en=['[edit|change|reword|rewrite|correct|fix] [my|the|a|my last|the last] [message|question]',
     'fix a [typo|mistake] in [my|the] [last |]message'],
     raw_en=['i made a [typo|mistake] in my [last |]message', 'can i [edit|change] what i [sent|wrote|said]'],
     weight=1)
fact('undo', '/undo で、質問とその返事を一つ戻せます。/undo 3 なら三つ戻ります。', '/undo です。',
     'Type /undo to step back by one question with its reply; /undo 3 steps back by three.', 'Type /undo.',
     how_ja=[(['[一つ前の質問まで|会話を一つ|質問を一つ|一手]'], ['戻る/戻り', '戻す/戻し', '取り消す/取り消し'])],
     how_en=['[undo|take back] [the last|my last|a] [question|message|turn]', 'step back[ by a question|]'],
     raw_en=['what does undo do'], raw_ja=['[最後の|]質問を[取り消したい|なかったことにしたい]'], weight=0.7)
fact('list', 'F2 を押すと会話の一覧が出ます。そこで開く、名前を変える、消すことができます。/list や、シェルで '
     'kaiwa list でも見られます。', 'F2 か /list です。',
     'Press F2 for the list of conversations: open, rename or delete them there. /list does the same, and '
     'kaiwa list in the shell.', 'Press F2 or type /list.',
     how_ja=[([CHAT_JA + 'の[一覧|リスト|目録]を',
     '[全部の|すべての|いままでの|今までの|これまでの|保存された|過去の]' + CHAT_JA + '[の一覧|]を'], SHOW_JA)],
     raw_ja=[CHAT_JA + 'の[一覧|リスト][は|はどこ|はどのキー|のキーは|を見せて|を開いて]',
     '[どんな|いくつ]会話が[残っている|ある|あります]',
     '[いままで|今まで]の会話は[どこ|どこで見られる][ですか|の|]'],
     how_en=['[see|list|show|view|open|display|browse] [the|all|my|the list of|a list of|all my|my old] '
     '[chats|conversations]', '[open|see|show] the list of [chats|conversations]',
     'get to my [chats|conversations]'],
     raw_en=['where [are|can i see] my [chats|conversations|old chats]',
     'which key [lists|shows|opens] [the|my|all] [chats|conversations|chat list]', '[conversation|chat] list',
     'which key [opens|shows] the [list|overview] of [chats|conversations]', 'what does F2 do'], weight=2)
fact('resume',
     'シェルで kaiwa -c と打つと、いちばん新しい会話の続きから始まります。kaiwa -r ID '
     'なら番号や題名で選べます。画面では F2 で一覧から開けます。', 'kaiwa -c で続きから始まります。',
     'Start kaiwa -c to go on with the newest conversation. kaiwa -r ID takes a number or a title, and F2 '
     'lets you choose from the list.', 'Start kaiwa -c.',
     how_ja=[([OLD_JA + CHAT_JA + '[の続き|]を',
     '[前回|昨日|この前|先日|先ほど|いちばん新しい会話|最後の会話|前の日]の続きを',
     '[終了した|閉じた|保存した|中断した]会話を', CHAT_JA + 'の続きを'],
              ['再開する/再開し', '始める/始め', '続ける/続け', 'する/し', 'やる/やり', '開く/開き',
              '話す/話し']),
             ([OLD_JA + CHAT_JA + 'に'], ['戻る/戻り', '帰る/帰り', '移る/移り'])],
     raw_ja=['[前回|昨日|この前|先週|おととい]の続き[から|を][話したい|始めたい|やりたい|再開したい|したい|'
     '話すには|始めるには][です|んだけど|]',
     '[一度|いったん]終了しても続き[ができます|ができる|から話せます|は話せる][か|の|]',
             '[会話|チャット]の[再開|続け方|続き][は|方法は|を教えて|のしかたは]', 'kaiwa -c[は|って|とは]何',
             '-c と -r の[違い|意味]は',
             '[閉じた|終わらせた]会話は[どうやって|どうすれば]続け[られます|られる][か|の|]',
             'resume[とは|の使い方|するには]'],
     how_en=['[resume|continue|go on with|carry on|return to|go back to|pick up|reopen|open] ' + OLD_EN + ' ' +
     CHAT_EN, '[continue|go on|resume] where i [stopped|left off|was|ended]', 'come back to ' + OLD_EN + ' ' +
     CHAT_EN, '[continue|resume] my [chat|conversation] [tomorrow|later|after a restart|the next day]',
             'keep talking in ' + OLD_EN + ' ' + CHAT_EN],
     raw_en=['[what is|what does] [kaiwa -c|-c|the -c option][ do|]',
     'what is the difference between -c and -r',
     'can i [continue|resume|go on] [later|tomorrow|after quitting|after a crash]',
     'i closed [kaiwa|the program|the window], can i go on',
             'is my conversation [lost|gone] after i quit', 'resuming a [chat|conversation]',
             'i quit [yesterday|before]; [how can i go on|where is my chat|how do i continue]'], weight=2.5)
fact('new', '^X n か /new で新しい会話を始められます。前の会話は保存されています。', '^X n か /new です。',
     'Press ^X n or type /new. The conversation before is kept.', 'Press ^X n or type /new.',
     how_ja=[(['新しい' + CHAT_JA + 'を', '別の話題で' + CHAT_JA + 'を', '最初から' + CHAT_JA + 'を'], [
     '始める/始め', '作る/作り', '開く/開き', '開始する/開始し', 'する/し'])],
     raw_ja=['[話題を変えたい|最初からやり直したい|まっさらな会話にしたい][です|んだけど|]'],
     how_en=['[start|begin|open|create|make] a [new|fresh|another|blank] ' + CHAT_EN,
     'start over[ with a new chat|]', 'start [from scratch|afresh]'],
     raw_en=['which key [starts|begins|opens] a new ' + CHAT_EN, 'new ' + CHAT_EN], weight=1.3)
fact('search',
     '/search TEXT と打つと、すべての会話から探せます。シェルでは kaiwa search TEXT です。一文字でも、'
     'かなの種類や全角半角が違っても見つかります。', '/search TEXT か kaiwa search TEXT です。',
     'Type /search TEXT to search all conversations, or kaiwa search TEXT in the shell. One character is '
     'enough, and kana and width do not matter.', 'Use /search TEXT or kaiwa search TEXT.',
     how_ja=[([OLD_JA + CHAT_JA + '[の中|]から[言葉|単語|文|キーワード|メッセージ|特定の語|ある文|話題|]を',
     '[言葉|単語|キーワード|文字列|メッセージ|過去の発言|前に書いたこと|昔書いた文|ある言葉]を', CHAT_JA +
     '[の中身|の内容|]を', '[全部の|すべての]会話を'], FIND_JA)],
     raw_ja=['[会話|履歴|チャット|過去ログ|メッセージ]の[検索|探し方|検索方法|検索のしかた][は|を教えて|'
     'ができますか|はできる|がしたい|したい|]', '検索[機能|]は[ありますか|ある|どこ|どう使う|どうやる][の|]',
     'あの[話|会話|メッセージ]は[どこ|どの会話]だったかな',
             '[前に|昔|以前]「[旅行|料理|猫|仕事|東京|天気|本|映画]」[と書いた|の話をした|について話した]'
             '[会話|メッセージ|所]を[探して|見つけたい|探したい|知りたい]',
             '[どこか|昔の会話]に書いた[はずの|]言葉を[探したい|見つけたい]'],
     how_en=['[search|look through|search through|search in] [my|the|all|all my|old|my old|past] [chats|'
     'conversations|messages|history]', '[find|look for|search for|look up] [a|an old|some|that|one] [message|'
     'word|text|phrase|topic] [in my chats|in old chats|from last week|i wrote|in all conversations|again|]',
             '[find|look up] what i [said|wrote|asked] [before|about cats|about travel|last month|about work|'
             'about music]'],
     raw_en=['is there [a|any|some] [search|way of searching|search function|search command]',
     'which command [searches|finds|looks for] [old messages|text|words|messages]',
     '[searching|search] [old chats|conversations|messages|for a word]',
             'i [wrote|talked|chatted|asked] about [music|trains|my job|cats|cooking|tokyo|dogs|books] [once|'
             'before|last week|some time ago], where is [it|that]', 'i am looking for an old message',
             'where did i [write|say|mention] [that|it]'], weight=2.5)
fact('export',
     '画面では F8 で Markdown のファイルに書き出せます。/export md FILE なら名前を選べ、形式は md、json、txt '
     'です。シェルでは kaiwa export 3 -o plan.md のように番号で書き出せます。',
     'F8 か /export md FILE、シェルでは kaiwa export ID -o FILE です。',
     'Press F8 to write the conversation to a Markdown file. /export md FILE chooses the name; formats are '
     'md, json and txt. In the shell it is, for example, kaiwa export 3 -o plan.md.',
     'Press F8, type /export md FILE, or run kaiwa export ID -o FILE.',
     how_ja=[(['[この|今の|いまの|]' + CHAT_JA +
     'を[ファイルに|Markdown で|テキストで|JSON で|Markdown のファイルに|外に|]', CHAT_JA +
     'の[内容|記録|ログ|全文]を', '[番号|会話]の[ 2 |5番|１|7]を'], SAVE_JA)],
     raw_ja=['[書き出し|エクスポート|出力][は|のキーは|の方法は|を教えて|したい|のしかたは|はどうする|'
     'の形式は|コマンドは]',
     '[会話|この会話]を[Markdown|json|テキスト|PDF|文書]に[したい|できる|できますか|するには]',
     '[会話|記録]を[人に渡したい|ほかで使いたい|ブログに載せたい|友だちに見せたい]',
             'F8[ キー|][は|って]何', 'シェルから会話を[書き出す|保存する|ファイルにする][コマンド|には]',
             '[番号|会話][ |の番号 ][1|2|4|5|6|7|8|12]の会話を[ファイル|notes.md|memo.txt|a.md|'
             'ファイルに名前をつけて]に[書き出す|保存する]コマンド'],
     how_en=['[export|save|write out|store|output] [a|the|this|my] ' + CHAT_EN +
     '[ to a file| as markdown| as text| as json| into a file| to disk|]',
     '[get|write|put|save|turn] [the|a|this|my] ' + CHAT_EN +
     ' [into a file|to a markdown file|as a text file|out of kaiwa|into markdown]',
     'export[ from the shell| a chat by its number|]'],
     raw_en=['which key [exports|saves|writes] [the|a|this] ' + CHAT_EN, '[what does|what is] F8[ do|]',
     'can i [export|save] [it|this|the chat] as [markdown|json|text|a file]', 'which formats can [i|it] export',
     '[export|exporting] [a chat|to markdown|as json]',
             '[the|a] shell command that [exports|writes out|saves] [a conversation|conversation 5|'
             'conversation 2|chat 7|number 4] [as a file|to a file|as notes.md|to memo.txt|into a.md|]'], weight
             =2.5)
fact('import', 'kaiwa import FILE か /import FILE で、JSON か Markdown で書き出した会話を取り込めます。',
     'kaiwa import FILE か /import FILE です。',
     'Use kaiwa import FILE or /import FILE: it takes in a conversation that was exported as JSON or Markdown.',
     'Use kaiwa import FILE or /import FILE.',
     how_ja=[(['[書き出した|エクスポートした|ファイルの|別のパソコンの|ほかの人の]会話を',
     '[JSON|Markdown]の会話を'], ['取り込む/取り込み', 'インポートする/インポートし', '読み込む/読み込み',
     '戻す/戻し', '入れる/入れ'])],
     raw_ja=['インポートは[できますか|できる|どうする]'], how_en=[
     '[import|load|take in|read in] [a|an exported|my exported] [chat|conversation|file]'], raw_en=[
     'can i import a [chat|conversation]'])
fact('rename', '/rename TITLE で題名をつけられます。F2 の一覧では Alt-r です。', '/rename TITLE です。',
     'Type /rename TITLE; in the list (F2) the key is Alt-r.', 'Type /rename TITLE.',
     how_ja=[([CHAT_JA + 'の[名前|題名|タイトル]を', CHAT_JA + 'に[名前|題名|タイトル]を'], ['変える/変え',
     'つける/つけ', '変更する/変更し', '直す/直し', '付け直す/付け直し'])],
     how_en=['[rename|name] [a|the|this] ' + CHAT_EN,
     '[change|set|give] [the|a] title[ of a chat| to a conversation|]'], raw_en=['can a ' + CHAT_EN +
     ' have a [title|name]'], raw_ja=['会話に題名は[つけられる|つけられますか]'])
fact('delete', '/delete で今の会話を、/delete ID で別の会話を消せます。F2 の一覧では Alt-d です。間違えたら '
     '/undelete で戻せます。', '/delete です。',
     'Type /delete for this conversation or /delete ID for another; in the list (F2) the key is Alt-d. '
     '/undelete brings it back.', 'Type /delete.',
     how_ja=[([CHAT_JA + 'を', '[いらない|古い|要らない|不要な|この|一つの]会話を', '履歴を'], DELETE_JA)],
     raw_ja=['[会話|履歴]の[消し方|削除][は|方法は|を教えて]'],
     how_en=['[delete|remove|erase|get rid of|throw away] [a|this|the|an old|my|the current] ' + CHAT_EN],
     raw_en=['which command [deletes|removes] a ' + CHAT_EN], weight=1.3)
fact('undelete', '/undelete と打つと、最後に消した会話が戻ります。/undelete ID で選ぶこともできます。',
     '/undelete で戻せます。',
     'Type /undelete: the conversation that was deleted last comes back. /undelete ID brings back another.',
     'Type /undelete to bring it back.',
     how_ja=[(['[消した|消してしまった|削除した|間違えて消した|うっかり消した|捨てた|さっき消した]' + CHAT_JA +
     'を', '削除を'], ['戻す/戻し', '復元する/復元し', '取り戻す/取り戻し', '元に戻す/元に戻し',
     '復活させる/復活させ', '取り消す/取り消し', '救い出す/救い出し'])],
     raw_ja=['[間違えて|うっかり|誤って|つい]' + CHAT_JA + 'を[消し|削除し][ちゃった|てしまった|ました|'
     'てしまいました|た][んだけど|。戻せる|。どうしよう|のですが|。助けて|]',
     '[消した|削除した]会話は[戻せます|戻る|戻せる|復元できます|もう戻りません][か|の|]'],
     how_en=[
     '[undelete|restore|recover|get back|bring back|rescue|save] [a|the|my|a deleted|the deleted|an erased] ' +
     CHAT_EN, 'undo [a|the] [deletion|delete]'],
     raw_en=['i [accidentally |just |wrongly |]deleted [a|my|the|the wrong] ' + CHAT_EN +
     '[, can i get it back|, help|, what now| by mistake|, is it gone|]',
     'can [a deleted chat|deleted conversations|a deleted conversation] be [restored|brought back|recovered|'
     'undeleted]',
             'is a deleted ' + CHAT_EN + ' [lost|gone|gone for good|lost forever]'], weight=2)
fact('fork', '/fork で今の会話を写し、その写しを開けます。/fork N なら N 番のメッセージまでです。',
     '/fork です。',
     'Type /fork: it copies this conversation and opens the copy. /fork N copies up to message N.',
     'Type /fork.',
     how_ja=[([CHAT_JA + 'を[途中から|]'], ['分ける/分け', '枝分かれさせる/枝分かれさせ', '複製する/複製し',
     'コピーする/コピーし', '分岐させる/分岐させ'])], how_en=[
     '[fork|branch|copy|duplicate|split] [a|the|this] ' + CHAT_EN], raw_en=['what does fork do'], raw_ja=[
     '会話の[分岐|コピー][は|方法は]'])
fact('system-prompt',
     'システムプロンプトは、会話の初めにモデルへ渡す指示で、ふるまいや話し方を決めます。F3 で編集でき、'
     '/system TEXT でも変えられます。始めるときは kaiwa -s TEXT です。',
     'モデルのふるまいを決める指示で、F3 か /system TEXT で変えられます。',
     'The system prompt is an instruction to the model at the beginning of a conversation; it decides how the '
     'model behaves. Edit it with F3 or /system TEXT, or start with kaiwa -s TEXT.',
     'It tells the model how to behave; change it with F3 or /system TEXT.',
     how_ja=[(['システムプロンプトを', 'システム プロンプトを', 'システムプロンプト[の中身|の内容|の文|]を',
     '[モデル|アシスタント|返事]の[性格|ふるまい|口調|話し方|態度|役割]を',
     'モデルへの[指示|命令|最初の指示]を'], CHANGE_JA),
             (['システムプロンプトを', 'システムプロンプトの[編集画面|画面|編集]を',
             '[システムプロンプトの|]編集画面を'], SHOW_JA)],
     what_ja=['システムプロンプト', 'システム プロンプト', 'system prompt', 'システムプロンプト[というもの|]'],
     raw_ja=['F3[ キー|][は|って]何', '[関西弁|丁寧語|英語|短い文]で話させ[たい|るには|られますか]',
     'システムプロンプト[は|の]どこで[変える|編集する|書く][の|んですか|]',
     'システムプロンプトの[使い方|書き方|変え方|例][は|を教えて]'],
     what_en=['[a|the] system prompt', 'system prompts', 'the system prompt'],
     how_en=['[change|edit|set|write|see|show|modify|replace|alter] the system prompt',
     '[change|set|decide] how [the model|it] [behaves|talks|answers|speaks]',
     'give [the model|it] [a role|instructions|a character]',
     'make [it|the model] speak [politely|like a pirate|in kansai dialect|only english]'],
     raw_en=['which key [opens|edits|changes|shows] the system prompt', 'what does F3 do',
     'where [do|can] i [edit|change|write|see] the system prompt', 'system prompt key',
     'where is the system prompt'], weight=3)
fact('quit', 'F10 か ^X q で保存して終わります。/quit でも、入力が空のときの ^D でも終われます。',
     'F10 か /quit です。',
     'Press F10 or ^X q; everything is saved. /quit works too, and ^D when the input is empty.',
     'Press F10 or type /quit.',
     how_ja=[(['kaiwa を', 'プログラムを', 'この画面を', 'チャットを', 'アプリを', 'ここから', ''], [
     '終了する/終了し', '終わる/終わり', '閉じる/閉じ', '抜ける/抜け', 'やめる/やめ', '終える/終え', '出る/出'])],
     raw_ja=['終了[のキー|キー|方法|のしかた|][は|はどれ|を教えて|]',
     '[終わり方|閉じ方|抜け方][は|が分からない|を教えて]', 'kaiwa の[終わり方|終了方法|閉じ方][は|を教えて]',
     'F10[は|って]何'],
     how_en=['[quit|exit|leave|close|end|get out of|stop] [kaiwa|the program|this program|the chat|here|this '
     'app|the screen]', '[quit|exit|get out|leave]'],
     raw_en=['which key [quits|exits|closes|ends] [kaiwa|the program|it]', 'what does F10 do',
     '[quit|exit] key', 'let me out[ of here|]', 'i want out'], weight=2)
fact('where-data', '会話は ~/.local/share/kaiwa/kaiwa.db という一つのファイルに保存されます。',
     '~/.local/share/kaiwa/kaiwa.db です。',
     'Conversations are kept in one file, ~/.local/share/kaiwa/kaiwa.db.', 'In ~/.local/share/kaiwa/kaiwa.db.',
     raw_ja=['[会話|履歴|メッセージ|チャット|データ|話した内容|やりとり|会話の記録]は[どこ|どのファイル|'
     'どのフォルダー|どんなファイル|どこのファイル]に[保存されます|保存される|ある|あります|残ります|残る|'
     '入っています|置かれる|保管されています][か|の|]',
             '[会話|履歴|データ|メッセージ|記録]の[保存先|保存場所|ファイル|置き場所|データベース][は|はどこ|'
             'を教えて|が知りたい|]', '[会話|話した内容|履歴]は保存され[ますか|る|るの|ているの]',
             'kaiwa.db[は|って]何', 'バックアップするファイルは[どれ|]',
             '[どこ|どのファイル]に[会話|履歴|メッセージ]が[保存|記録]され[ます|る|てい][か|の|るの|]'],
     how_en=['[find|back up|copy] [the|my] [saved chats|conversations file|database|chat database]'],
     raw_en=['where [are|does it keep|are all] [my|the|my old] [chats|conversations|messages|data] [saved|'
     'stored|kept|]', 'where does [kaiwa|it|the program] [save|store|keep|put|write] [my chats|my '
     'conversations|conversations|its data|messages|everything|the chats|what i say]',
             '[which|what] file [holds|contains|keeps|has] [my|the] [chats|conversations|messages|history]',
             'are [my chats|conversations|my messages] saved', 'what is kaiwa.db',
             'in [which|what] file are [chats|conversations|messages] [kept|stored|saved]',
             'location of [my chats|the database|saved conversations]'], weight=1.5)
fact('config', '設定ファイルは ~/.config/kaiwa/kaiwa.conf です。一行に「名前 = 値」と書きます。説明は man '
     'kaiwa.conf にあります。', '~/.config/kaiwa/kaiwa.conf です。',
     'Settings are in ~/.config/kaiwa/kaiwa.conf, one NAME = VALUE on each line. See man kaiwa.conf.',
     'In ~/.config/kaiwa/kaiwa.conf.',
     what_ja=['kaiwa.conf', '設定ファイル'],
     how_ja=[(['[いつもの|既定の|最初の|標準の|デフォルトの]設定を', '設定ファイルを'], CHANGE_JA)],
     raw_ja=['設定[ファイル|][は|って]どこ[に|の場所に|][ありますか|ある|あるの|書く|書きます|置く|]',
     '設定[ファイル|]の[場所|ありか|書き方|書式|置き場所][は|を教えて|が知りたい|]',
     '設定を[保存|書いて|固定]しておく[には|場所は|ファイルは]', '設定ファイルの[名前|パス|ありか][は|]'],
     what_en=['kaiwa.conf', '[the|a] [config|settings|configuration] file'],
     how_en=['[change|edit|set] [the|my] [default settings|configuration|config|settings for good]',
     'configure kaiwa'],
     raw_en=['where [is|do i find|can i find|lies|lives] the [config|configuration|settings|config file|'
     'settings file|configuration file]',
     'where are [the|my|all] [settings|preferences|options] [kept|stored|saved|written|]',
     'which file [has|holds|contains] the [settings|configuration|options]',
     'where do i [write|put] [my|the] settings',
             'path of the [config|configuration|settings] file'], weight=1.5)
fact('temperature', '温度は返事のばらつきです。低いほどいつも同じような返事に、'
     '高いほど変化のある返事になります。/set temperature 0.2 のように変えられます。',
     '/set temperature 0.2 のように変えます。',
     'Temperature decides how varied replies are: low means steady, high means more random. Change it with '
     '/set temperature 0.2, for example.', 'Type /set temperature 0.2, for example.',
     what_ja=['温度', 'temperature', 'テンパラチャー', '温度[という設定|の設定|]'], how_ja=[(['温度[の設定|]を',
     'temperature を', '返事のばらつきを', '返事の[ランダムさ|多様さ|でたらめさ]を'], CHANGE_JA + [
     '下げる/下げ', '上げる/上げ', '低くする/低くし', '高くする/高くし', '減らす/減らし'])],
     raw_ja=['[いつも|毎回]同じ返事に[したい|するには|してほしい]',
     '返事が[毎回違う|ばらばら|でたらめすぎる|安定しない][んだけど|のですが|のはなぜ|]',
     '温度を[0|0.2|0.5|1|ゼロ]にする[には|コマンド]'],
     what_en=['temperature', 'the temperature', 'the temperature setting'], how_en=[
     '[change|set|lower|raise|reduce|increase|turn down] the temperature',
     'make [replies|answers|it] [more|less] [random|varied|creative|steady|predictable]',
     'get [less|more] [random|varied|creative] [answers|replies]',
     'get the same answer [every time|each time|always]'],
     raw_en=['which setting [changes|makes] the [randomness|answers vary]',
     'the [answers|replies] are too [random|wild|different|boring]', 'how random are the replies'], weight=1.5)
fact('set', '/set NAME VALUE でこの会話の設定を変えられます。たとえば /set top-p 0.9 です。今の設定は /params '
     'で見られます。', '/set NAME VALUE です。',
     'Type /set NAME VALUE, for example /set top-p 0.9. /params shows the settings of this conversation.',
     'Type /set NAME VALUE.',
     how_ja=[(['[この会話の|サンプリングの|チャット中に|いまの][設定|パラメーター]を', 'top-p を', 'top-k を',
     'シードを', '返事の長さの上限を'], CHANGE_JA)],
     how_en=['[change|set] [a setting|the settings of this chat|top-p|top-k|the seed|a parameter]',
     '[see|show] [the|my|current] settings[ of this chat|]'], raw_en=['what does /set do',
     'which settings are there'], raw_ja=['/set[は|って|の使い方]', '今の設定を見たい'])
fact('context', 'コンテキストはモデルが一度に見られるトークンの数です。いっぱいになると、'
     '古いやりとりから順に窓の外に出ます。システムプロンプトは残ります。/ctx で中身が見られます。',
     'モデルが一度に見られる量です。/ctx で見られます。',
     'The context is how many tokens the model sees at once. When it is full, the oldest turns leave it; the '
     'system prompt stays. /ctx shows what is in it.', 'It is what the model sees at once; /ctx shows it.',
     what_ja=['コンテキスト', '文脈の長さ', 'ctx', '状態行の ctx'], raw_ja=[
     'コンテキストが[いっぱいに|満杯に|足りなく][なると|なったら][どうなる|どうなります|どうする][か|の|]',
     '会話が長くなると[どうなります|どうなる|忘れます|忘れる][か|の|]',
     'モデルは[何を|どこまで]見て[いますか|いるの]'],
     what_en=['the context', 'the context window', 'ctx', 'context length'], raw_en=[
     'what happens when the context is full', 'what if [the|a|my] conversation gets too long',
     'what does the model [see|remember]', 'how long can a ' + CHAT_EN + ' be',
     'do you forget [the beginning|old messages]'], weight=1.3)
fact('offline', 'いいえ、何も外には送られません。モデルはこのパソコンの上で動き、ネットワークは要りません。'
     '会話もこのパソコンにだけ保存されます。', '何も外には送られません。全部このパソコンの中です。',
     'Nothing leaves your computer. The model runs on this machine, works offline, and conversations are kept '
     'here only.', 'Nothing is sent anywhere; it all stays on this machine.',
     raw_ja=['[会話|入力した内容|打った文章|データ|個人情報|書いたこと|メッセージ|質問]は[どこかに|外部に|'
     '外に|ネットに|インターネットに|会社に|誰かに]送[られます|信されます|られる|られたり|信される|られない|'
     'られていますか|られませんか][か|の|しませんか|]',
             '[インターネット|ネット|オフライン|回線|Wi-Fi|ネットワーク][は|に|がなくても|で|の接続は|なしで]'
             '[必要ですか|つながっていますか|動きますか|動く|使えますか|要りますか|使える|いりますか|]',
             '[プライバシー|秘密|個人情報]は[守られます|大丈夫です|守られる|大丈夫|安全です][か|]',
             '[誰か|会社|他人]に[読まれ|見られ|聞かれ]ませんか',
             '情報が[漏れ|流出し][る心配|る恐れ|ない|ません][は|か|はありませんか|]',
             '[安全|安心]に使え[ますか|る|るの]'],
     raw_en=['[is|are] [anything|my data|my messages|what i type|my chats|my words|something] sent [anywhere|'
     'to a server|to the internet|to someone|over the network|out]', '[does|do] [it|kaiwa|you] [need|use|'
     'require|connect to] [the internet|a network|a connection|the net|the cloud]',
     '[is|are] [it|this|my data|my chats|kaiwa|everything] [private|safe|secure|local|offline]',
             'can [anybody|someone|a company|others|anyone] read [my chats|this|what i write|my messages]',
             'does [it|kaiwa] [work|run] [offline|without internet|without a network|locally]',
             'do you [send|share|upload|leak|collect] [my data|anything|my messages|what i write]',
             'where does my data go',
             '[do|does] [my words|what i write|the text|this chat] [leave|go out of] [this machine|the '
             'computer|my pc]'], weight=1.5)
fact('private', 'kaiwa --private で始めると、ディスクに何も残しません。', 'kaiwa --private です。',
     'Start kaiwa --private: nothing is kept on disk.', 'Start kaiwa --private.',
     how_ja=[(['[履歴|記録|会話]を[残さずに|保存せずに]', '何も保存せずに', 'ディスクに残さずに'], ['話す/話し',
     'チャットする/チャットし', '使う/使い']), (['[記録|履歴]を'], ['残さないようにする/残さないようにし'])],
     how_en=['chat without [saving|keeping] [anything|it|the conversation]',
     '[keep nothing|save nothing|leave no traces][ on disk|]', 'have a private [chat|conversation]'], raw_en=[
     'is there a private mode', 'incognito mode'], raw_ja=['プライベートモードは[ある|ありますか]'])
fact('ask', 'kaiwa ask "質問" と打つと、返事を一つ標準出力に書きます。kaiwa ask - < memo.txt '
     'のようにパイプでも使え、--json もあります。', 'kaiwa ask "質問" です。',
     'Use kaiwa ask "question": it prints one reply. In a pipe use kaiwa ask - < memo.txt, and --json prints '
     'JSON.', 'Use kaiwa ask "question".',
     how_ja=[(['[シェル|スクリプト|コマンドライン|端末|パイプ|コマンド][から|で]', '画面を開かずに',
     '[シェル|スクリプト]の中から一つだけ', '一回だけ'], ['質問する/質問し', '使う/使い', '聞く/聞き',
     '返事をもらう/返事をもらい', '答えをもらう/答えをもらい', '答えを得る/答えを得'])],
     raw_ja=['[kaiwa ask|ask][は|って|とは|コマンドは]何',
     'パイプ[で使えます|で使える|に対応していますか|でつなげます][か|の|]',
     'JSON で[返事|出力|結果]が[ほしい|出せます|もらえます][か|]',
     'ファイルの中身を質問として渡[したい|すには]'],
     how_en=['[use|call|run] kaiwa [in|from] [a script|the shell|a pipe|the command line]',
     '[ask|put] [one|a single|a quick] question [from the shell|without the screen|in a script|on the command '
     'line]',
     'get [one|a single|just one] [reply|answer] [in a script|from the shell|in a pipe|without the screen]',
     'get [json|the answer as json]', 'ask about a file'],
     raw_en=['[what is|what does] kaiwa ask[ do|]',
     '[does|can] kaiwa [work|be used] in [a pipe|pipes|scripts|a shell script]',
     'is there a [command line|non interactive|scripting] mode',
     'which command [prints|gives] [one reply|a single answer]'], weight=2)
fact('file', '/file FILE と打つと、ファイルの中身が次のメッセージに入り、トークン数が表示されます。',
     '/file FILE です。',
     'Type /file FILE: it puts the file into your next message and tells its size in tokens.',
     'Type /file FILE.',
     how_ja=[(['[ファイル|文書|資料|テキストファイル]を[メッセージに|会話に|モデルに|]'], ['添付する/添付し',
     '付ける/付け', '読ませる/読ませ', '渡す/渡し', '見せる/見せ'])], how_en=[
     '[attach|send|add|include|show it] a [file|document|text file]', 'put a file into [my message|the chat]'],
     raw_en=['can [i attach files|it read a file|the model read a file]'], raw_ja=[
     'ファイルは[読めますか|添付できますか|渡せる]'])
fact('persona', 'kaiwa.conf の [persona NAME] に書いた設定を、/persona NAME か kaiwa -p NAME で使えます。',
     '/persona NAME です。',
     'Write [persona NAME] in kaiwa.conf, and take its settings with /persona NAME or kaiwa -p NAME.',
     'Type /persona NAME.',
     what_ja=['ペルソナ', 'persona'], what_en=['a persona', 'personas'], how_en=[
     '[use|make|write|define] a persona'], how_ja=[(['ペルソナを'], ['使う/使い', '作る/作り',
     '切り替える/切り替え'])])
fact('language', '画面の言葉は --lang ja か --lang en で選べます。設定ファイルには lang = ja と書きます。'
     '指定がなければ LANG に従います。', '--lang ja か --lang en で選べます。',
     'Choose the language of the screen with --lang ja or --lang en, or write lang = en in kaiwa.conf. '
     'Otherwise LANG decides.', 'Use --lang ja or --lang en.',
     how_ja=[(['画面[の言語|の表示|の言葉|]を[日本語に|英語に|]', '表示言語を', 'メニューの言葉を'], [
     '変える/変え', '切り替える/切り替え', '設定する/設定し', 'する/し'])], how_en=[
     '[change|set|switch] the language[ of the screen| of kaiwa| to english| to japanese|]',
     'see the screen in [english|japanese]'],
     raw_en=['can the [screen|menus|interface] be in [english|japanese]'], raw_ja=[
     '画面は[英語|日本語]にできますか'])
fact('token', 'トークンはモデルが読み書きする単位で、文字や単語のかけらです。'
     '文章はトークンの番号に直してからモデルに渡されます。', 'モデルが読み書きする文字や単語のかけらです。',
     'A token is the unit that the model reads and writes: a character, a word or a piece of one. Text '
     'becomes token numbers first.', 'A token is a piece of text, the unit that the model reads and writes.',
     what_ja=['トークン', 'token', 'トークナイザー', 'トークン数'], what_en=['a token', 'tokens', 'token',
     'a tokenizer'], raw_ja=['文章が何トークンか[数えたい|知りたい|調べるには]'], raw_en=[
     'how many tokens does a text have'], weight=1.3)
fact('gptq',
     'GPTQ は重みを 4 ビットに縮める方法です。ファイルが小さくなり、メモリから読む量が減るので速く動きます。',
     '重みを 4 ビットに縮めて、小さく速くする方法です。',
     'GPTQ is a way of storing the weights in 4 bits. Files get small, and less is read from memory, so it '
     'runs faster.', 'It stores the weights in 4 bits, which is small and fast.',
     what_ja=['GPTQ', '量子化', '4 ビット量子化', '4ビット', 'モデルの量子化'], what_en=['gptq', 'quantization',
     '4-bit', 'quantisation', 'a quantized model', '4 bit quantization'], weight=1.2)
fact('prefill', '返事の前に、モデルは新しく書かれた部分を読んで計算します。長い文章や長い会話では、'
     'そこに時間がかかります。読んだ結果は KV キャッシュに残ります。', '返事の前に新しい部分を読む計算です。',
     'Before a reply the model reads what is new and computes it. A long text takes some time there; the '
     'result is kept in the KV cache.', 'It is the reading of what is new before a reply.',
     what_ja=['先読み', 'プリフィル', 'prefill', '読み込みの進み具合'], raw_ja=[
     '[最初の一文字|返事の初め|最初の言葉]が出るまで[待たされる|長い|時間がかかる][のはなぜ|んだけど|理由は|]'],
     what_en=['prefill', 'the reading phase'], raw_en=['why does the first word take [so |]long',
     'why is there a pause before the [reply|answer]'])
fact('about-kaiwa', 'kaiwa は端末で動くチャットプログラムです。自分のパソコンの上でモデルを動かして話せます。'
     '会話は保存され、検索や書き出しもできます。', '端末で言語モデルと話すプログラムです。',
     'kaiwa is a chat program for the terminal. It runs a language model on your own machine; conversations '
     'are saved, can be searched and exported.', 'kaiwa is a chat with a language model in your terminal.',
     what_ja=['kaiwa', 'このプログラム', 'この kaiwa', 'kaiwa というプログラム', 'このソフト'], what_en=[
     'kaiwa', 'this program', 'this', 'this software'], raw_ja=['kaiwa で[は|]何ができ[ますか|る|るの]',
     'kaiwa の[特徴|機能|長所][は|を教えて]'],
     raw_en=['what [can|does] [kaiwa|this program] do', 'what are the features of kaiwa'], weight=1.5)
fact('licence',
     'kaiwa は MIT ライセンスの自由なソフトで、無料で使えます。モデルのライセンスはモデルごとに違います。',
     'MIT ライセンスで、無料です。',
     'kaiwa is free software under the MIT licence and costs nothing. A model has a licence of its own.',
     'It is free, under the MIT licence.',
     raw_ja=['[kaiwa|これ|このプログラム][は|って][無料|ただ|タダ|有料|オープンソース|フリー][ですか|'
     'で使えますか|なの|で使えるの|ソフトですか|]', 'ライセンスは[何ですか|何|どうなっていますか|]',
     '[お金|料金|費用]は[かかりますか|かかる|要りますか|いくら]', 'kaiwa のライセンス[は|を教えて]',
     '商用で使え[ますか|る]'],
     raw_en=['is [kaiwa|it|this|this program] [free|free software|open source|free of charge|gratis]',
     '[what is|which is|what about] the [license|licence]', 'does [it|kaiwa] cost [anything|money|something]',
     'how much does [kaiwa|it] cost', 'do i have to pay[ for it| for kaiwa|]',
     'what licence [does kaiwa have|is kaiwa under]'], weight=1)
fact('start', '端末で ./start と打つと、足りないものを入れ、組み立てて、チャットを開きます。入れた後は kaiwa '
     'だけで始まります。', './start か kaiwa と打ちます。', 'Type ./start in the terminal: it installs what '
     'is missing, builds, and opens the chat. Once installed, kaiwa alone starts it.',
     'Type ./start, or kaiwa once it is installed.',
     how_ja=[(['kaiwa を', 'このプログラムを'], ['起動する/起動し', '始める/始め', '組み立てる/組み立て',
     'ビルドする/ビルドし', 'インストールする/インストールし'])], how_en=[
     '[start|build|install|launch|run|compile] [kaiwa|this program]'], raw_en=['what does ./start do'], raw_ja=[
     './start[は|って]何'])
fact('scroll',
     'PgUp と PgDn で会話を上下に動かせます。Shift-↑ と Shift-↓ なら一行ずつ、Alt-< で先頭、Alt-> で末尾です。',
     'PgUp と PgDn です。', 'PgUp and PgDn scroll the conversation, Shift-Up and Shift-Down by a row; Alt-< '
     'goes to the start and Alt-> to the end.', 'Use PgUp and PgDn.',
     how_ja=[(['[画面|会話|表示]を[上に|下に|]', '[上|前]の方を'], ['スクロールする/スクロールし',
     '動かす/動かし', '送る/送り', '見る/見'])], how_en=['scroll[ up| down| back| the chat|]',
     '[see|read] [earlier messages|what is above|the top of the chat]'], raw_en=['which keys scroll'], raw_ja=[
     'スクロールは[どうやる|どのキー|できる]'])
fact('complete', 'Tab でコマンドを補完できます。', 'Tab です。', 'Tab completes a command.', 'Press Tab.',
    how_ja=[(['コマンド[の名前|]を'], ['補完する/補完し', '途中から埋める/途中から埋め'])], how_en=[
    '[complete|autocomplete] a command'], raw_en=['is there [tab |]completion'], raw_ja=[
    '補完は[できますか|ある]'], weight=0.6)
fact('stats', '/stats で、最後の返事のトークン数と時間が見られます。', '/stats です。',
    '/stats shows counts and times of the last reply.', 'Type /stats.', how_ja=[([
    '[最後の返事|返事]の[時間|トークン数|統計]を'], SHOW_JA)], how_en=[
    'see [how long the reply took|the statistics|the times of the last reply]'], raw_en=[
    'what does /stats show'], raw_ja=['返事に何秒かかったか知りたい'], weight=0.7)
fact('exclude', '/exclude N で N 番のメッセージをモデルから隠せます。/exclude N off で戻ります。番号は /ctx '
     'で分かります。', '/exclude N です。',
     '/exclude N keeps message N from the model, and /exclude N off shows it again; /ctx gives the numbers.',
     'Type /exclude N.',
     how_ja=[(['[あるメッセージ|一つのメッセージ|メッセージ]をモデルから'], ['隠す/隠し', '外す/外し'])], how_en
     =['[hide|exclude] a message[ from the model|]'], raw_en=['what does exclude do'], raw_ja=[
     '特定のメッセージをモデルに見せたくない'], weight=0.6)
fact('inspect', 'kaiwa inspect MODEL で、モデルの系列、形、量子化、チャット形式、必要なメモリが分かります。',
     'kaiwa inspect MODEL です。',
     'kaiwa inspect MODEL shows family, shape, quantisation, chat format and the memory needed.',
     'Use kaiwa inspect MODEL.',
     how_ja=[(['モデルの[中身|構造|情報|詳細|形|必要なメモリ]を'], SHOW_JA)], how_en=[
     '[see|inspect|show] [what a model is made of|the details of a model|how much memory a model needs]'],
     raw_en=['how much memory does a model need'], raw_ja=['モデルに必要なメモリは[どれくらい|]'], weight=0.8)
fact('welcome', '/welcome と打つと、最初の案内がもう一度出ます。ELYZA の入れ方が書いてあります。',
     '/welcome です。',
     'Type /welcome: it repeats the greeting of the first start, which tells how to install ELYZA.',
     'Type /welcome.',
     how_ja=[(['[最初の|初回の|起動時の]案内を[もう一度|]', '[最初の|初めの][挨拶|メッセージ]を[もう一度|]'],
     SHOW_JA)], raw_ja=['最初に出た[案内|説明]が消えた'],
     how_en=['see the [greeting|welcome|first message] again', 'repeat the [greeting|welcome text]'], raw_en=[
     'the [greeting|welcome text] is gone'], weight=0.6)
fact('thinking-off', '/new で会話を改めるか、/undo で一つ戻ってみてください。F3 '
     'でシステムプロンプトを短くはっきり書くのも効きます。',
     '/new で改めるか、F3 で指示をはっきり書いてください。',
     'Begin anew with /new, or step back with /undo. A short and clear system prompt (F3) helps as well.',
     'Begin anew with /new, or write a clearer system prompt with F3.',
     raw_ja=['[モデル|返事]が[変なことを言う|おかしくなった|同じことを繰り返す|話を聞かない|脱線する]',
     '返事の質を[上げたい|よくするには]'], raw_en=[
     'the model [repeats itself|talks nonsense|does not listen|goes astray]',
     'how can i get better [replies|answers]'], weight=0.8)
