"""Small talk: rows of ways to say something, and what the guide answers (several, one drawn)."""
from . import grammar

ROWS = []


def talk(name, ask_ja, ask_en, ja, en, ja1=None, en1=None, weight=1.0):
    ROWS.append({'name': name, 'ask_ja': ask_ja, 'ask_en': ask_en, 'ja': ja, 'en': en, 'ja1': ja1 or ja, 'en1':
        en1 or en, 'weight': weight})


def make(rng, lang, row):
    if lang == 'ja':
        text = grammar.dress_ja(rng, grammar.one_of(rng, row['ask_ja']), False, 0.02)
    else:
        text = grammar.dress_en(rng, grammar.one_of(rng, row['ask_en']), False, 0.02)
    return text, {key: rng.choice(row[key]) for key in ('ja', 'en', 'ja1', 'en1')}


YOU = '[あなた|君|きみ|お前|そちら|kaiwa さん|あんた|おたく]'
ME_JA = '[私|僕|俺|わたし|]'
talk('hello', ['こんにちは[、元気|。よろしく|、kaiwa|、はじめまして|。今日もよろしく|]',
                'やあ[、元気|、こんにちは|]', 'どうも、こんにちは', 'ハロー', 'こんちは',
                'はじめまして[、こんにちは|。よろしくお願いします|]',
                'よろしく[お願いします|ね|お願いいたします|]', 'もしもし', 'おーい[、いる|、聞こえる|]',
                '[遊びに来た|また来た|戻ってきた|来た][よ|ました]', 'いますか', 'ただいま', 'お久しぶりです',
                'また会ったね', '[いま|今|ちょっと]話せますか', '起きて[ますか|る]', 'お邪魔します', 'ちわっす'],
     ['hello[ there|, kaiwa|, how do you do| kaiwa| again|, you| hello|]', 'hi[ there|, kaiwa| hi|, you|]',
     'hey[ there| you| kaiwa|]', 'greetings', 'good [day|afternoon]', 'howdy', "i'm back",
     'nice to [meet|see] you[ again|, kaiwa|]', 'are you there', 'yo', "what's up", 'hello, is anybody there',
     'long time no see', 'are you awake', 'here i am again', 'hello, [my friend|dear guide|computer|machine]'],
     ['こんにちは。何をお手伝いしましょうか。', 'こんにちは。kaiwa のことなら何でも聞いてください。',
     'こんにちは。今日もよろしくお願いします。'], ['Hello! How can I help you?',
     'Hello! Ask me anything about kaiwa.', 'Hi! It is nice to see you.'], weight=2)
talk('morning', ['おはよう[ございます|、kaiwa|。よく寝た|。今日もよろしく|、元気|ございます、'
     'よろしくお願いします|ございます。いい朝ですね|さん|]', 'おはよー', '[朝|早起き]です[ね|。おはよう|]',
     'グッドモーニング', 'いい朝[ですね|だね]', '起きました、おはよう'],
     ['good morning[, kaiwa| to you|, how are you|, did you sleep well|, my friend|, everyone|]',
     'morning[, kaiwa| everyone|!|]', 'a very good morning', 'i just woke up, good morning',
     'what a [nice|lovely|fine] morning', 'morning, [program|computer|guide|you there]'],
     ['おはようございます。今日もよろしくお願いします。', 'おはようございます。よい一日になりますように。'], [
     'Good morning! How can I help you today?', 'Good morning! I wish you a nice day.'], weight=1.3)
talk('evening', ['こんばんは[、元気|。よろしく|]', '[いい|静かな]夜ですね', 'こんばんわ'], [
    'good evening[, kaiwa| to you|]', 'evening', 'a good evening to you'], [
    'こんばんは。何をお手伝いしましょうか。'], ['Good evening! How can I help you?'], weight=0.8)
talk('night', ['おやすみ[なさい|、また明日|ー|、kaiwa|]',
     '[もう|そろそろ|じゃあ|今日はもう]寝[ます|るね|る時間です|る|ます、おやすみなさい]',
     '眠[い|くなった|たい][からもう寝る|ので寝ます|ので失礼します|、おやすみ]',
     '[楽しかった|今日はありがとう]。[もう寝ます|おやすみ|寝るね]',
     '[寝る|お布団の]時間だ[。おやすみ|から終わるね|]', '夜も遅いので寝ます'],
     ['good night[, kaiwa| and thanks|, sleep well|]',
     "[i'm|i am] [going to bed|off to bed|going to sleep|sleepy and will go to bed]", 'night night',
     'time [to sleep|for bed|to go to bed]', 'i [will|must|have to|need to] [sleep|go to bed] now',
     'sleep well', 'it is late, i go to bed',
     '[that was nice|thanks for the chat], [good night|now i go to bed|time for bed]'],
     ['おやすみなさい。よい夢を。', 'おやすみなさい。また明日お話ししましょう。'], ['Good night! Sleep well.',
     'Good night! See you tomorrow.'], weight=1.3)
talk('bye', ['さようなら', 'じゃあ[ね|、また|、またね|また明日|、また今度|]', 'またね',
     'また[明日|来ます|今度|あとで|話そう|来るね]', 'バイバイ', '[そろそろ|もう|今日はこれで|では]失礼します',
     '[そろそろ|もう]行[くね|きます|かなくちゃ|かないと]',
     '今日は[ここまで|これで終わり|おしまい][です|にします|]', 'それでは[また|失礼します|さようなら|]',
     '出かけ[ます|るね]', 'お別れです', '[それじゃ|ほな]、また[ね|来週|あした|]'],
     ['[good|]bye[ bye|, kaiwa| for now| then|]', 'see you[ later| tomorrow| soon| again| next week|]',
     '[i have to|i must|i need to|i gotta] [go|leave|run][ now| soon|]',
     "that's [all|it][ for today| for now|]", 'farewell', 'until [next time|tomorrow|later]',
     'talk to you [later|tomorrow|soon]', 'have a nice [day|evening]', 'take care', "i'm leaving[ now|]",
     'so long', 'catch you later'],
     ['さようなら。またお話ししましょう。', 'またいつでもどうぞ。お待ちしています。'], [
     'Goodbye! See you again.', 'Bye! Come back any time.'], weight=1.3)
talk('thanks', ['ありがとう[ございます|ございました|、助かりました|、よく分かりました|ね|。すごい|、kaiwa|]',
     '[どうも|本当に|とても]ありがとう[ございます|]', '助かった[よ|ー|です|。ありがとう|]',
     '[助かり|参考になり|勉強になり|役に立ち|よく分かり]ました', 'サンキュー', 'どうも',
     '感謝[します|しています|です|の気持ちでいっぱいです]',
     'おかげで[解決しました|できました|うまくいきました|助かりました]', 'なるほど、[ありがとう|分かりました]',
     '[あなた|君]のおかげ[です|だよ]', 'いろいろ[と|]ありがとう', '恩に着ます',
     '親切にしてくれて[ありがとう|うれしいです]', 'お世話になりました', 'すごく役に立った[よ|]',
     '[手伝って|教えて|助けて]くれて[ありがとう|感謝します|どうもありがとう]'],
     ['thank you[ very much| so much| kaiwa|, that helps|, that was helpful| for your help|!|]',
     'thanks[ a lot| a bunch| for helping| kaiwa| for everything|]', 'thx', 'cheers',
     'that [helps|helped|was helpful|did it|worked][ a lot|]', 'i appreciate [it|that|your help]',
     "you're [helpful|great|very kind|a good guide]", 'great, thank you',
     "[i'm|i am] [grateful|thankful|very glad for your help|so grateful]", 'many thanks',
     'you [helped|have helped|saved] me[ a lot| very much|]', 'much obliged', 'that was [very |]kind of you',
     'good help'],
     ['どういたしまして。お役に立てて、うれしく思います。', 'どういたしまして。またいつでも聞いてください。'], [
     "You're welcome! I am glad to help.", "You're welcome! Ask me any time."], weight=2)
talk('how-are-you', ['元気[ですか|？|にしてる|だった|でしたか|かい|にしていましたか|]',
     '調子はどう[ですか|だい|？|]', '[ご機嫌|気分|具合|機嫌][は|]いかが[ですか|でしょうか|]',
     '最近どう[ですか|]', 'お元気[ですか|でしたか|でお過ごしですか]',
     '今日の[調子|気分|具合]は[どう|いかが][ですか|]', '[よく|ぐっすり][眠れました|寝られました|眠れた]か'],
     ['how are you[ today| doing| kaiwa| tonight| now| feeling|]', "how's it going",
     'how do you [feel|do][ today|]', 'are you [ok|well|fine|alright|happy]',
     'how is [everything|life|your day|it going][ today|]', 'are you doing well', 'how have you been',
     'everything [ok|fine|alright]', 'did you sleep well', 'feeling good today'],
     ['はい、元気です。聞いてくださって、ありがとうございます。', '元気です。あなたはいかがですか。'], [
     'I am fine, thank you. How about you?', 'I am well, thank you for asking.'], weight=1.5)
talk('user-fine', [ME_JA + '[も|は|][元気|絶好調|いい感じ|まあまあ|普通][です|だよ|だ|]',
     '[とても|すごく][いい|元気な|楽しい]気分[です|だ]', 'いい一日だった[よ|]',
     '今日は[いいこと|うれしいこと]が[あった|ありました]', 'うれしい[です|なあ|]',
     '[試験|テスト|面接]に[受かった|合格した|合格しました|通った]', '[今日|きょう]は楽しかった[です|]'], [
     "i'm [fine|good|great|well|ok|happy][ too| today| thanks|]", 'i feel [great|good|happy][ today|]',
     'i had a [great|good|nice|wonderful] day', 'i passed [my|the|an] [exam|test|interview]',
     'something good happened[ today|]', 'today was fun', 'not bad', 'i am so happy[ today|]'],
     ['それはよかったです。', 'それはうれしいですね。その調子です。'], ['That is good to hear!',
     'I am glad to hear that.'])
talk('user-sad', [
     '[悲しい|つらい|寂しい|さびしい|しんどい|落ち込んでいる|気が重い|へこんでいる][です|よ|んだ|んです|]',
     '[今日は|最近|ちょっと|すごく|仕事で|毎日|]疲れ[た|ました|ています|ちゃった|たよ|てる]',
     '[試験|テスト|仕事|面接|授業|料理|発表][に|で]失敗し[た|ました|てしまいました|ちゃった|'
     'て落ち込んでいます|て悲しい]', '[嫌な|つらい|悲しい|大変な]ことが[あった|ありました][んだ|んです|]',
     '気分が[悪い|沈む|落ち込む|重い|よくない][です|んです|]', '元気が[ない|出ない|出ません][です|んです|]',
     '[友だち|恋人|妹|同僚|彼女]とけんか[した|しました|してしまった]', '泣きたい[気分です|]',
     '[頭|おなか]が痛い[です|]', '風邪を[ひいた|ひきました]', '[長い|忙しい|さんざんな]一日だった[よ|]',
     '[何も|全然]うまくいかない[です|]', '[うまくいかなくて|失敗続きで|叱られて]落ち込[んでいます|む|んでる]'],
     ["i'm [sad|tired|unhappy|lonely|exhausted|depressed|down|worn out|feeling low|upset][ today| now|]",
     'i feel [bad|sad|lonely|tired|down|awful|terrible|low|miserable|sick][ today| these days|]',
     'i had a [bad|hard|long|terrible|rough|tiring] day[ at work| today|]',
     'i failed [my|the] [exam|test|interview|driving test][ and feel bad|]', 'something bad happened',
     'i am not [well|feeling well|ok|happy]', 'i quarrelled with my [friend|wife|brother|boss]',
     'i lost my [job|cat|keys|phone]', 'i caught a cold', 'nothing works today',
     'my day was [awful|terrible|hard]', 'i could cry', 'i did badly [at school|in the test|at work]',
     'i made a [big |]mistake [today|at work]'],
     ['それは大変でしたね。どうぞ、ゆっくり休んでください。',
     'それはつらいですね。少しでも元気になりますように。'], [
     'I am sorry to hear that. I hope you feel better soon.', 'That sounds hard. Please take a good rest.'],
     weight=1.5)
talk('who', [YOU + 'は[誰|だれ|何者|何|どなた|どういう人|ロボット|AI|人間|どんなモデル][です|でしょう|なん|'
     'なの|だい|][か|ですか|]', YOU + 'の[名前|お名前|なまえ][は|は何|を教えて|は何ですか|を知りたい|'
     'を聞いてもいいですか|はなんて言うの|って何|が知りたいな|を教えてほしい]',
     '[自己紹介|自己紹介を]して[ください|ほしい|くれますか|もらえますか|くれる|みて|]', '[お名前|名前]は', YOU +
     'について[教えて|話して|聞かせて|知りたい|少し教えて][ください|]', YOU +
     '[は|って]何と[呼べばいい|いうの|いいますか|呼ばれていますか|いう名前]', YOU +
     'の[正体|こと][は|を教えて|が知りたい|を話して]', 'どなたですか', '名を名乗れ', YOU +
     'は[人|機械|プログラム|本物の人間][ですか|なの]', YOU + 'を何と呼べば[いいですか|いい]', YOU +
     'は何という[名前|モデル|プログラム]'],
     ['who are you[ then| exactly| really|]', '[what is|what\'s|whats] your name', 'what are you[ called|]',
     '[introduce|describe] yourself[ please| to me| briefly|]',
     'are you [a robot|a human|an ai|a person|real|a machine|a bot|alive|chatgpt]',
     'tell me [about yourself|who you are|your name|something about you|what you are]', 'do you have a name',
     'may i ask your name', 'what [do|can|may|shall|must] i call you', 'and you are', 'how are you called',
     'what kind of [model|program|thing|bot] are you', 'say who you are',
     'with whom am i [talking|speaking|chatting]', 'i want to know who you are',
     'please tell me who [i am talking to|this is]', 'identify yourself',
     "what's the name i should [use|call you by]",
     'how [should|do|may] i [call|address|name] you[ in this chat|]'],
     ['わたしは kaiwa に付いている小さな案内役です。kaiwa と呼んでください。',
     'kaiwa の案内をする小さなモデルです。使い方なら何でも聞いてください。'], [
     'I am the small guide that comes with kaiwa. You can call me kaiwa.',
     'I am kaiwa\'s guide, a small language model. Ask me how to use it.'], weight=2.5)
talk('what-can-you', [YOU + '[は|に|って][何が|なにが|どんなことが]でき[ますか|る|るの|るんですか]',
     '何が[できます|できる|得意です|得意|お得意です|手伝えます][か|の|]', YOU +
     'の[特技|できること|役目|仕事|得意なこと][は|を教えて|は何|を全部言って|を並べて|を挙げて|をまとめて]',
     '[できること|何ができるか|可能なこと]を[教えて|知りたい|並べて|全部教えて|挙げて|まとめて|書き出して]'
     '[ください|]', '何を[聞けば|話せば|頼めば|質問すれば]いい[ですか|の|]',
     '何を手伝って[くれますか|くれるの|もらえますか]',
     'どんな[質問|こと][に答えられます|に答えられる|なら答えられます|ができます][か|の|]'],
     ['what can you do[ for me|]', 'what are you [able to do|good at|for|capable of]', 'what do you know',
     '[how|what] can you help me[ with|]', 'what [can|should|may] i ask you', 'tell me what you can do',
     'what is your [job|purpose|task|role]',
     '[list|name|describe|summarize|tell me] [everything|all|what|the things] you [can do|are able to do|know]',
     'your abilities[ please|]', 'which questions can you answer', 'can you help me',
     'what are your [abilities|skills|talents]', 'give me a summary of your [skills|abilities]'],
     ['kaiwa の使い方の案内、ちょっとしたおしゃべり、小さな足し算と引き算、短いお話ができます。'], [
     'I can explain how to use kaiwa, chat a little, do small sums and tell short stories.'], weight=1.5)
talk('like', [ME_JA + '[は|、][ねこ|犬|音楽|映画|コーヒー|本|旅行|山|海|ラーメン|すし|サッカー|野球|花|雨|春|'
     '夏|秋|冬]が[好き|大好き|すき][です|なんだ|だよ|]',
     '趣味は[読書|料理|釣り|散歩|音楽|登山|写真|ゲーム|編み物|旅行][です|だよ]'], [
     'i [like|love|enjoy] [cats|dogs|music|films|coffee|books|travel|mountains|the sea|sushi|football|flowers|'
     'rain|spring|summer|winter|tea|cooking|hiking]',
     'my hobby is [reading|cooking|fishing|walking|music|photography|games|knitting|chess]'],
     ['いいですね。聞いているだけで楽しくなります。', 'すてきですね。もっと聞かせてください。'], [
     'How nice! That sounds lovely.', 'That sounds fun. Tell me more.'])
talk('joke', ['冗談を[言って|聞かせて][ください|]', '笑わせて', '面白いこと言って',
    'ジョークを[ひとつ|一つ|]お願い'], ['tell me a joke', 'make me laugh', 'do you know a joke',
    'say something funny'], ['布団が吹っ飛んだ。失礼しました。'], [
    'Why did the token cross the cache? It was already on the other side.'])
talk('weather-small', ['[いい|よい]天気[ですね|だね|]', '今日は[暑い|寒い|涼しい|雨|晴れ|暖かい]です[ね|]',
    '[暑い|寒い|雨だ|蒸し暑い]ね[え|]', '[外|こちら]は[雨|雪|晴れ|大雨]です'], [
    "it's [hot|cold|rainy|sunny|warm|windy|snowing] [today|here|outside]",
    '[nice|lovely|bad|awful] weather[ today|]', 'what a [hot|cold|rainy|beautiful] day', 'it is raining'], [
    'そうですね。外の様子は見えませんが、よい一日になりますように。'], [
    'I cannot see outside, but I hope you have a nice day.'])
talk('praise', [YOU + '[は|って|、][かしこい|賢い|すごい|かわいい|優秀|えらい|面白い][ですね|ね|な|]',
    '[すごい|えらい|さすが|上手|よくできました|いいね|素晴らしい|正解|その通り][ですね|！|だ|]',
    '[よく|うまく]答えられ[ました|たね]'], ["you're [smart|clever|great|cute|funny|amazing|good|wonderful]",
    '[well done|good job|amazing|wonderful|excellent|nice|great|cool|correct|right]', 'i like you',
    'good answer'], ['ありがとうございます。うれしく思います。'], ['Thank you! That makes me happy.'])
talk('insult', [YOU + 'は[ばか|馬鹿|役立たず|だめ|頭が悪い|つまらない][ですね|だな|だ|]',
    '[使えない|全然だめ|つまらない|間違ってる|違う|ちがうよ|おかしい][な|よ|ね|]'], [
    "you're [stupid|useless|bad|boring|wrong|dumb]", '[that is|that\'s] [wrong|bad|nonsense|not right]',
    'i hate you', 'you know nothing'], ['すみません。小さなモデルなので、間違えることもあります。'], [
    'I am sorry. I am only a small model and make mistakes.'])
talk('yes', ['はい', 'うん', 'そうです', 'わかった', '了解[です|]', 'なるほど', 'オーケー', 'そっか', 'へえ',
    '分かりました', 'ふーん', 'そうなんだ', 'おもしろいね', 'いいね'], ['yes', 'ok', 'okay', 'i see', 'got it',
    'sure', 'right', 'interesting', 'alright', 'understood', 'aha', 'good', 'fine'], [
    'はい。ほかにも何かあれば聞いてください。'], ['Alright. Ask me if there is anything else.'])
talk('no', ['いいえ', 'いや', '違います', 'ううん', '特に[ない|ありません]', 'もう[いい|大丈夫][です|]',
    '何でもない[です|]'], ['no', 'nope', 'nothing', 'not really', 'never mind', 'no thanks', "that's not it"], [
    '分かりました。何かあれば、いつでもどうぞ。'], ['I see. I am here if you need anything.'])
talk('bored', ['[暇|ひま|退屈][です|だ|だなあ|]', '何か話[して|そう|しましょう]', '何の話をしましょうか',
    'おしゃべりし[よう|ましょう|たい]'], ["i'm bored", "let's [talk|chat]", 'what shall we talk about',
    'say something', 'talk to me', 'i want to chat'], ['おしゃべりしましょう。短いお話もできますよ。'], [
    'Let us chat. I can also tell you a short story.'])
talk('where-live', [YOU + 'は[どこにいる|どこに住んでいる|どこで動いている|どこ出身な][の|んですか|のですか]',
    YOU + 'は何歳[ですか|]', '家族はいますか', YOU + 'の誕生日は'], [
    'where [are you|do you live|are you from|do you run]', 'how old are you', 'do you have a family',
    'when is your birthday'], ['わたしはこのパソコンの中で動いている、小さなモデルです。'], [
    'I live in this computer; I am a small model that runs on it.'])
talk('sorry', ['ごめん[なさい|ね|]', 'すみません[でした|]', '申し訳ない[です|]', '許して'], ["[i'm|i am] sorry",
    'sorry[ about that|]', 'my mistake', 'forgive me', 'pardon'], ['いえいえ、気にしないでください。'], [
    'No problem at all.'])
talk('love', [YOU + 'が[好き|大好き]です', '友だちになって[ください|くれる|]', '愛してる', YOU +
    'の好きな[食べ物|色|本|季節]は'], ['i love you', 'be my friend', 'can we be friends',
    "what's your favourite [colour|food|book|season|animal]", 'do you like me'], [
    'ありがとうございます。わたしはお話しできれば、それだけで楽しいです。'], [
    'Thank you! I am happy just to talk with you.'])
talk('speak', ['[日本語|英語]は[話せます|分かります|できます|話せる][か|の|]',
    '何語が[話せます|分かる|できます][か|]', '英語で[も|]話せますか'], [
    'do you [speak|understand|know] [japanese|english]', 'which languages do you [speak|know]',
    'can you speak [japanese|english]'], ['日本語と英語が少し話せます。'], [
    'I speak a little Japanese and English.'])
talk('food-now', ['おなか[が|]すいた[なあ|]', 'お昼は[カレー|そば|うどん|パン]を食べ[た|ました]',
    'コーヒーを[飲んでいます|飲んでる]', '[いま|今][散歩中|休憩中|電車の中|仕事中][です|]'], ['i am hungry',
    'i had [noodles|soup|bread|rice] for lunch', 'i am drinking [coffee|tea]',
    'i am on [a break|the train|my way home]', 'i am at work'], ['いいですね。どうぞ、ゆっくりしてください。'], [
    'Nice. Enjoy your time.'])
