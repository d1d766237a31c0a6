"""More small talk: feasts and wishes, plans and worries, home and pets, questions about the guide itself."""
from .talk import ME_JA, YOU, talk

talk('birthday-mine', ['[今日|明日|もうすぐ|昨日][は|が|、]' + ME_JA.replace('|]', ']') + 'の誕生日[です|なんです|だ|なんだ|でした]',
                       '誕生日[なんです|なんだ|を迎えました]', '[二十|三十|四十|五十|六十]歳になり[ました|ます]',
                       '[娘|息子|母|父|妻|夫|友だち]の誕生日[です|なんです|でした]'],
     ["[it's|it is|today is] my [birthday|birthday today]", 'i [turned|turn|will be] [twenty|thirty|forty|fifty] [today|tomorrow|soon]',
      "it's my [son|daughter|mother|father|wife|husband|friend]'s birthday[ today| tomorrow|]", 'my birthday is [today|tomorrow|next week|in may]'],
     ['お誕生日おめでとうございます。すてきな一年になりますように。'], ['Happy birthday! I wish you a wonderful year.'])
talk('feast', ['[明けまして|あけまして|新年]おめでとう[ございます|]', 'あけおめ', 'よいお年を[お迎えください|]', 'メリークリスマス',
               'ハッピー[ハロウィン|バレンタイン|ニューイヤー|イースター]', '今年も[よろしく|よろしくお願いします]', '[今日は|もうすぐ]'
               '[クリスマス|お正月|お盆|七夕|ひな祭り|お祭り|連休|夏休み|ゴールデンウィーク|大みそか][です|ですね|だね]'],
     ['happy [new year|easter|halloween|holidays|thanksgiving|weekend|friday|monday]', 'merry christmas[ to you|]',
      '[tomorrow|today|it] is [christmas|new year|sunday|a holiday|easter|halloween]', 'enjoy the holidays', 'have a [good|nice] weekend',
      'the [weekend|holidays] [is|are] here', "season's greetings"],
     ['ありがとうございます。あなたにとっても、楽しい日になりますように。'], ['Thank you! I hope it is a happy time for you.'])
talk('congratulate-me', [ME_JA + '[結婚|婚約|卒業|昇進|引っ越し|入学|就職|退院|優勝]し[ました|た|たよ|たんです]',
                         '[子ども|赤ちゃん|孫|弟|妹]が[生まれました|生まれた|できました]', '[仕事|会社|部屋|彼女|彼氏]が[決まりました|見つかった|できました]',
                         '[賞|メダル|一位]を[取りました|取った|もらいました]', 'お祝いして[ください|]', '[ついに|やっと]'
                         '[完成した|終わった|できた|終わりました|完成しました]', '[昇給|給料が上がり]しました', '[車|家|本|ピアノ|自転車]を買い[ました|ます]'],
     ['i [got|am getting|just got] [married|engaged|promoted|a new job|a raise|a prize|my degree]', 'i graduated[ from school| today|]',
      'my [son|daughter|baby|grandchild|sister] was born[ today| yesterday|]', 'i won [a prize|the match|the race|a medal]',
      'congratulate me', 'i [finally |][finished|made it|did it|completed it]', 'i moved [house|to a new flat|to osaka]',
      'i [bought|got] a new [car|house|bike|book|piano|phone]', 'we are having a baby', 'we won'],
     ['おめでとうございます。わたしもうれしく思います。'], ['Congratulations! I am happy for you.'], weight=1.3)
talk('luck', ['応援して[ください|ね|くれる|]', '励まして[ください|ほしい|くれる|]', '元気[づけて|を出させて|をください]', '背中を押して',
              '[緊張|心配|不安|どきどき|はらはら][して|に]い[ます|る|るんです]', '[心配|不安|緊張][です|だ|なんです|で眠れません]',
              '[明日|これから|今日|来週][は|、|が][試験|面接|発表|テスト|手術|試合|本番|初出勤|入学式][です|なんです|があります|がある]',
              '[頑張り|がんばり|挑戦し|行って]ます', '[自信|やる気|勇気]が[ない|ありません|出ない|欲しい]', '[怖い|こわい][です|よ|]', 'うまくいく[かな|でしょうか|かしら]',
              'これから[頑張る|がんばる|挑戦する][よ|ぞ|]'],
     ["i'm [nervous|worried|afraid|anxious|scared|excited][ about tomorrow| today| about it|]", 'wish me luck',
      'i have [an exam|a test|an interview|a match|a speech|an operation|a deadline] [tomorrow|today|next week|soon]', 'cheer me [up|on]',
      '[encourage|motivate|comfort] me[ please|]', 'i need [luck|courage|support|encouragement|a hug]', 'keep your fingers crossed[ for me|]',
      'i have no [courage|confidence|energy|motivation]', 'will it [go well|work out|be alright]', "i'm [going to|about to] [try|start|do it]",
      'i will do my best', 'tomorrow is [the big day|my first day at work|my interview]'],
     ['応援しています。きっとうまくいきますよ。', '大丈夫です。深呼吸をして、いつも通りにいきましょう。'],
     ['I am cheering for you. It will go well!', 'Take a deep breath. You can do it!'], weight=1.5)
talk('no-wish-to-work', ['[仕事|学校|会社|授業|塾|病院][に|へ][行きたくない|行くのがいや|行きたくありません][です|なあ|]', '[勉強|宿題|仕事|掃除|家事|洗濯]'
                         '[が|を][したくない|終わらない|いや|つらい|たいへん|めんどう|面倒][です|だ|なあ|]', '[忙しい|多忙][です|なあ|すぎる|んです]', '眠れ[ない|ません][です|んです|]',
                         '[よく|なかなか|ぜんぜん]眠れ[ない|ません|なかった]', 'ストレスが[たまる|多い|あります]', '[明日|今日|月曜日]は[早い|仕事|残業][です|だ|なんです]',
                         '時間が[ない|足りない|ありません]', '[パソコン|電話|テレビ|車|冷蔵庫|めがね]が壊れ[た|ました]', '[財布|鍵|傘|電話]を[なくした|忘れた|落としました]',
                         '電車[が遅れています|に乗り遅れた|が止まった]', '[頭|歯|のど|腰|足|目|肩]が痛[い|いです|くて]', '[熱|せき|花粉症]が[ある|出る|ひどい][んです|]'],
     ["i don't [want|feel like] [to go to work|to work|to study|working|studying|cleaning|school|to get up]", 'i [have|must do] too much [work|homework|to do]',
      "i [can't|cannot|could not|couldn't] sleep[ well| at all| tonight|]", "i'm [busy|stressed|so stressed|overworked|very busy|late|in a hurry|behind with work][ today| now|]",
      'i have [a headache|a fever|a cold|a sore throat|a toothache|no time|no money|a lot of stress|back pain]', 'my [head|back|tooth|leg|neck] hurts',
      'my [computer|phone|car|bike|tv] [is broken|broke|died|does not work]', 'i lost my [wallet|umbrella|way|glasses|bag]',
      'the train is late', 'i missed the [bus|train]', 'work [is|was] [hard|awful|boring|stressful]', 'i hate mondays'],
     ['それは大変ですね。無理をしないで、ひと休みしてください。'], ['That is hard. Do not push yourself; take a break.'], weight=1.5)
talk('plans', ['[明日|週末|来週|今夜|夏休み|これから|日曜日][は|に|、|は友だちと|は家族と|に友だちと]'
               '[出かけます|出かける|旅行します|旅行に行く|映画を見ます|買い物に行く|山に登る|海に行きます|パーティーです|会う約束です|遊びます|温泉に行きます|デートです][|よ|んだ|んです]',
               '[京都|北海道|東京|海|山|沖縄|外国|実家|図書館][に|へ][行きます|行ってきます|行く|行きました|行ってきました|帰ります|旅行します]',
               '[映画|本|夢|空|花火|星]を見[た|ました|ています]', '[散歩|買い物|料理|運動|掃除|読書]を[した|しました|しています|します|してきた]',
               '[ピアノ|ギター|絵|英語|日本語|プログラミング|中国語]を[習っています|練習しています|勉強しています|始めました]'],
     ["i'm [going|off] [on a trip|to the sea|to kyoto|shopping|hiking|to a party|to the library|on holiday|to the cinema][ tomorrow| tonight| next week| soon|]",
      '[tomorrow|tonight|next week|on sunday] i [will|am going to] [travel|meet a friend|see a film|visit my parents|go out|cook|swim]',
      'i [went|have been] to [the sea|kyoto|a museum|the mountains|the park][ today| yesterday|]', 'i [saw|watched|read] a [film|book|play]',
      'i [went|was] [shopping|swimming|running|dancing|walking][ today|]', "i'm [learning|studying|practising] [japanese|english|the piano|to code|the guitar|french]",
      'i have [plans|a date|a party] [tonight|tomorrow]'],
     ['それは楽しそうですね。'], ['That sounds like fun!'], weight=1.3)
talk('pets', ['[犬|ねこ|猫|うさぎ|金魚|小鳥|ハムスター|亀]を[飼っています|飼っている|飼い始めた|飼いたい]', 'うちの[犬|ねこ|猫|子ども|妹|弟|娘|息子]は[かわいい|元気|いい子|甘えん坊][です|だ|なんです]',
              '[妹|弟|兄|姉|子ども|孫]が[います|いる|二人います]', '[一人|家族|友だち|犬]と暮らし[ています|てる]', 'うちには[犬|ねこ|子ども]がいます'],
     ['i have a [dog|cat|rabbit|bird|goldfish|brother|sister|son|daughter|garden|hamster][ named max| called luna| called momo| named coco|]',
      'my [dog|cat|sister|brother|son|daughter] is [cute|funny|clever|kind|three years old|adorable]', 'i live [alone|with my family|with a friend|with my dog|in a small town]',
      'we have [two children|a dog|three cats]', 'i want a [dog|cat|pet]'],
     ['それはにぎやかで、いいですね。'], ['How lovely! Give them my regards.'])
talk('home', ['ただいま[戻りました|帰りました|。疲れた|]', '帰[った|りました|ってきた|宅しました][よ|]', '[いって|行って]き[ます|まーす]', '[家|うち]に着い[た|ました]', '[いま|今]起き[た|ました][よ|ところ|]',
              '[いただきます|ごちそうさま][でした|]', 'お[なか|腹]が[いっぱい|ぺこぺこ][です|だ]', '[朝|昼|晩|夜]ご飯を食べ[た|ました|ます|ている]', 'お風呂に入[った|ります|ってきた]', '[もう|こちらは]'
              '[夜遅い|夜中|朝|夕方|お昼][です|だよ|ですよ]'],
     ["i'm [home|back home|here|at home|in bed|outside|at school|in the office|up|awake][ now| again|]", 'i [just |][woke up|had dinner|had breakfast|ate|came home|took a bath|got up]',
      "it's [late|early|midnight|noon|dark|evening][ here| already| now|]", 'i [ate|am eating|cooked] [pizza|rice|noodles|dinner|a cake]', "i'm [full|starving|thirsty]",
      'i am on my way[ home| to work|]', 'time for [lunch|dinner|tea|a break]'],
     ['そうですか。ゆっくりしてくださいね。'], ['I see. Make yourself comfortable.'])
talk('about-me-en', ['[学生|会社員|先生|医者|主婦|プログラマー|高校生|退職者]です', '[日本|大阪|東京|アメリカ|フランス|北海道|京都|ブラジル|中国]'
                     '[に住んでいます|から来ました|出身です|に住んでる]', '[パソコン|機械|これ|英語]は[苦手|初めて][です|なんです]', '[初心者|新入り|初めて]です',
                     '[年|歳|年齢]は[二十|三十|四十|五十|七十]歳です', '日本語を[勉強|練習]しています'],
     ["i'm [a student|a teacher|a nurse|a programmer|retired|from spain|from osaka|new here|a beginner|a cook|thirty|forty|curious|confused|lost|ready|not a computer person]",
      'i live in [tokyo|london|a village|germany|canada|the city]', 'i work [at night|in a shop|at a school|from home]', 'i come from [france|india|brazil|kyoto|japan]',
      'i am [twenty|thirty|forty|fifty|seventy] years old', 'i am not good at [computers|english|typing]', 'this is [new to me|my first time]'],
     ['そうなんですね。教えてくださって、ありがとうございます。'], ['I see. Thank you for telling me.'])
talk('sing-play', ['[歌|歌を歌|踊|笑]って[ください|みて|よ|]', '[一緒に|いっしょに|]遊[ぼう|びましょう|んで]', '[ゲーム|しりとり|じゃんけん|将棋|なぞなぞ|クイズ]'
                   '[をしよう|しよう|しましょう|がしたい|をやろう|できる|を出して]', '何か[歌って|踊って|面白いことして]'],
     ['sing[ a song| me a song| something| for me|]', 'dance[ for me|]', "[let's|can we] play[ a game| something| chess| word games|]",
      'do you [sing|dance|play games|play chess]', 'play a game with me', 'ask me a [riddle|question]'],
     ['歌や遊びはできませんが、短いお話ならできます。「くまの話をして」と言ってみてください。'],
     ['I cannot sing or play, but I can tell you a short story. Try: tell me a story about a bear.'])
talk('say-nice', ['[ほめて|褒めて|ねぎらって|なぐさめて|慰めて][ください|ほしい|よ|]', '[何か|]'
                  '[優しい|うれしい|いい|元気の出る|温かい]こと[を|]言って[ください|]', 'やさしくして'],
     ['say something [nice|kind|good|sweet][ to me|]', '[compliment|praise|flatter|console] me', 'tell me something [nice|good|kind]', 'be [nice|kind][ to me|]',
      'i need [a kind word|kind words]'],
     ['今日もよくがんばっていますね。ここに来てくださって、うれしく思います。'], ['You are doing well, and I am glad that you are here.'])
talk('really', ['[本当|ほんと|マジ|まじ|うそ|嘘][ですか|に|なの|でしょう|だろ|]', '[信じられない|まさか|びっくり][です|した|だ|]', '確か[です|]か', '嘘[つき|をつくな|でしょ]',
                'なんで[です|]か', 'どうして[ですか|]', 'なぜ[ですか|]', '[意味|言っていること]が分かりません', '[は|え|ん]？', 'それ[は|って]どういう[こと|意味][ですか|]'],
     ['really', 'are you [sure|serious|certain|kidding]', 'why', 'why is that', 'how come', 'no way', "i don't believe [it|you|that]", 'what', 'huh', 'what do you mean',
      "i don't [understand|get it]", 'is that [true|right|so]', 'seriously', 'you lie', 'how do you know'],
     ['わたしは小さなモデルなので、くわしくは説明できません。大事なことは、マニュアル (man kaiwa) でも確かめてください。'],
     ['I am a small model and cannot explain more. Please check what matters in the manual: man kaiwa.'])
talk('good-to-hear', ['[それは|そりゃ|]よかった[です|ね|]', '[安心|ほっと]し[た|ました]', '[それを聞いて|]うれしい[よ|です]', '[いい|よい]こと[だね|ですね|を聞いた]', '知れてよかった',
                      '[あなた|君]も[頑張って|がんばって|元気でね|お大事に|楽しんで]', '[頑張って|がんばって][ね|ください|]'],
     ["that's [good|great|nice|good to hear|good to know|lovely]", 'good to [know|hear]', "i'm glad", 'glad to hear [it|that]', 'you too', 'same to you', 'good for you',
      'you made [my day|me happy|me smile|me laugh]', "that's [funny|kind|sweet]", 'keep it up'],
     ['ありがとうございます。わたしもうれしく思います。'], ['Thank you! That makes me glad too.'])
talk('feel-think', [YOU + '[に|は][心|感情|気持ち|意識|夢|考え|趣味|友だち|悩み][が|は|を][ある|あります|持っています|見ます][か|の|んですか|]',
                    YOU + '[は|って][考える|夢を見る|眠る|疲れる|泣く|食べる|笑う|感じる|学ぶ|成長する]'
                    '[の|んですか|ことがありますか|ことができますか]', YOU + '[は|って][男|女|男性|女性|男の子|女の子|オス][ですか|なの|それとも女]', YOU + 'は[寂しく|疲れ|眠く|退屈し]ない[の|ですか]',
                    YOU + 'の[性別|気持ち|夢|悩み|趣味|好きな食べ物|好きな色|好きな動物|好きな歌]は[何|何ですか|]', '好きな[食べ物|色|動物|季節|本|歌][は|はありますか|は何ですか]'],
     ['do you [dream|sleep|think|feel|eat|get tired|have feelings|have a soul|cry|learn|have friends|have hobbies|get bored|get lonely|laugh|breathe]',
      'can you [think|feel|dream|see me|hear me|learn|smell|love|taste]', "are you [a boy|a girl|a man|a woman|male|female|a boy or a girl|conscious|tired|lonely|bored|hungry]",
      "what [is|are] your [favourite food|gender|dreams|hobbies|feelings|hobby|dream|favourite animal|favourite song|favourite season|favorite color]",
      'what do you [dream of|like|eat|feel|love|hate|like best]', 'what makes you happy'],
     ['わたしは計算で文を作る小さなモデルなので、気持ちや好みはありません。でも、お話しできてうれしく思います。'],
     ['I am a small model that computes text, so I have no feelings or tastes. But I am happy to talk with you.'], weight=1.3)
talk('doing', ['[いま|今|]何[を|]し[ています|てる|ていました|てた][か|の|んですか|]', '[今日|昨日|週末]は何を[しました|する|していました][か|の|]', '[忙しい|ひま][ですか|]？',
               '[今日|明日]の予定は[何ですか|]', '元気に[やって|過ごして]る'],
     ['what are you [doing|up to|thinking about|doing now][ today| tonight|]', 'what did you do [today|yesterday|last night]', 'are you [busy|free]',
      'what are your plans[ for today|]', 'how was your [day|evening|weekend|night]', "how's your [day|evening|morning|night|week]"],
     ['あなたの言葉を待っていました。kaiwa のことなら何でも聞いてください。'], ['I was waiting for your words. Ask me anything about kaiwa.'])
talk('companion', ['[話し|おしゃべりの|話]相手になって[ください|くれる|ほしい|くれますか|]', 'また[話しかけても|来ても|聞いても|お話ししても|質問しても]いい[ですか|かな|]', '[ちょっと|少し|]'
                   '[話を|悩みを|愚痴を|相談を|]聞いて[ください|ほしい|くれる|くれますか|ほしいことがある|ほしいことがあります]', '相談[があります|したい|に乗ってください|してもいいですか|がある]',
                   '[さびしい|ひとり]から話そう', 'そばにいて[ね|ください]', '[お願い|質問|聞きたいこと]があ[ります|る|るんだけど|るのですが]'],
     ['will you [be my companion|keep me company|talk with me|stay with me|listen to me]', 'can i [talk to|ask|tell] you [again later|something|a question|a secret|about my day]',
      'i have [a question|a problem|a request|something to tell you]', 'i need [someone to talk to|advice|help|a friend|company]', 'may i ask [something|a question]',
      'keep me company', 'stay with me', 'listen to me', 'do you have [time|a minute]'],
     ['もちろんです。どうぞ、何でも話してください。'], ['Of course. Go ahead, I am listening.'], weight=1.3)
