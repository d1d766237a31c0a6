#!/bin/sh
# The commands, as a script or a pipe sees them.
. "${abs_top_srcdir:?}/tests/tap.sh"
make_tiny=$abs_top_builddir/tests/make_tiny
model=$("$make_tiny" "$tmp/tiny" ends) || exit 1
japanese='日本語の文章です。'

# --- the command line -------------------------------------------------------------------------------

run --version
like "$out" '^kaiwa [0-9]' "--version says the version"
like "$out" '^backend: cpu: ' "--version says what the CPU backend uses"
like "$out" '^libraries: ICU [0-9.]+, SQLite [0-9.]+, jansson [0-9.]+$' "--version says the libraries"

if [ -d "$abs_top_builddir/locale/ja" ]; then
    # On a small system C.UTF-8 is the only locale.
    LC_ALL=C.UTF-8 run --lang ja --help
    like "$out" '^使い方: kaiwa ' "--lang ja helps in Japanese"
    LC_ALL=C.UTF-8 run ask --lang=en --help
    like "$out" '^Usage: kaiwa ask' "--lang en helps in English"
fi

run --tok
is "$status|$err" "2|kaiwa: --tok: unknown option; see kaiwa --help" "an unknown option is a usage error"
run ask -m "$model" one two
is "$status|$err" "2|kaiwa: two: a word too many for ask; put a text of several words in quotes" \
    "a word too many is a usage error"
run show
like "$status|$err" '^2\|kaiwa: show: a word is missing' "a missing word is a usage error"
run ask -m "$model" ''
like "$status|$err" '^2\|kaiwa: ask: the text is empty' "an empty question is a usage error"
if without_guide; then
    run ask hello
    one_line "ask says that there is no model"
    mkdir "$tmp/alone/models"
    "$make_tiny" "$tmp/alone/models/guide" ends >/dev/null
    run models
    is "$out" "guide	package	$tmp/alone/models/guide" "what lies beside the program is found"
    run ask --max-tokens 1 hello
    is "$status" 0 "a guide beside the program answers where no model was chosen"
    rm -r "$tmp/alone/models"
fi
run ask -m "$tmp/nothing-here" hello
one_line "ask says that this model is not there"
run list
is "$status|$out" "0|" "list of nothing prints nothing"

mkdir -p "$tmp/config/kaiwa"
printf 'top-p = 0.5\nnewer = 1\n' >"$tmp/config/kaiwa/kaiwa.conf"
run list
is "$status|$err" "0|kaiwa: $tmp/config/kaiwa/kaiwa.conf:2: newer: unknown setting" \
    "an unknown setting is a warning with its line"
rm "$tmp/config/kaiwa/kaiwa.conf"

run --completion bash
printf '%s\n' "$out" >"$tmp/completion"
if command -v bash >/dev/null; then
    bash -n "$tmp/completion"
    ok $? "bash understands its completions"
else
    ok 0 "bash understands its completions # SKIP no bash"
fi

# --- tokenize and detokenize ------------------------------------------------------------------------

run tokenize -m "$model" "$japanese"
ids=$out
like "$ids" '^[0-9]+( [0-9]+)+$' "tokenize prints one line of ids"
run detokenize -m "$model" $ids
is "$out" "$japanese" "detokenize gives the text back"
out=$(printf '%s\nhello\n\n' "$japanese" | "$KAIWA" tokenize -m "$model" - | "$KAIWA" detokenize -m "$model" -)
is "$out" "$(printf '%s\nhello' "$japanese")" "lines go there and back"
is "$(printf 'a\0b\nc\0' | "$KAIWA" tokenize -m "$model" -0 - | wc -l)" 2 "-0 takes texts that end in NUL"
is "$(printf 'a' | "$KAIWA" tokenize -m "$model" - | wc -l)" 1 "a last line needs no newline"
run tokenize -m "$model" 'x<|im_end|>'
plain=$out
run tokenize -m "$model" --special 'x<|im_end|>'
[ "$(printf '%s' "$plain" | wc -w)" -gt "$(printf '%s' "$out" | wc -w)" ]
ok $? "control tokens are parsed only with --special"
run detokenize -m "$model" 1 nonsense
like "$status|$err" '^2\|kaiwa: "nonsense" is not a token id' "detokenize refuses what is no id"
run detokenize -m "$model" 99999999
one_line "detokenize refuses an id outside the vocabulary" 2

# --- ask --------------------------------------------------------------------------------------------

run ask -m "$model" --temperature 0 --max-tokens 12 --json "$japanese"
json=$out
like "$json" '^\{"text":".*","ids":\[[0-9,]+\],"prompt_ids":\[[0-9,]+\],"stop":"(eos|length)","usage":\{"prompt":[0-9]+,"reused":0,"computed":[0-9]+,"generated":[0-9]+\},"ms":\{"load":[0-9.]+,"first":[0-9.]+,"prefill":[0-9.]+,"decode":[0-9.]+\}\}$' \
    "ask --json prints the object"
is "$(array ids "$json" | wc -w)" "$(number generated "$json")" "ids are as many as were generated"
is "$(array prompt_ids "$json" | wc -w)" "$(number prompt "$json")" "prompt_ids are as many as the prompt has"
run ask -m "$model" --temperature 0 --max-tokens 12 --json "$japanese"
is "$(array ids "$out")" "$(array ids "$json")" "the same question has the same answer"
run ask -m "$model" --temperature 0 --max-tokens 12 "$japanese"
like "$json" "$(printf '"text":"%s"' "$out" | sed 's/[][\.*^$(){}?+|]/./g')" "the text of --json is what ask prints"

ids=$(array prompt_ids "$json")
run ask -m "$model" --temperature 0 --max-tokens 12 --json --ids "$ids"
is "$(array ids "$out")" "$(array ids "$json")" "--ids with the same prompt has the same answer"
run ask -m "$model" --temperature 0 --max-tokens 3 --json --raw "$japanese"
is "$(array prompt_ids "$out")" "1 $("$KAIWA" tokenize -m "$model" "$japanese")" "--raw is BOS and the text"
run ask -m "$model" --temperature 0 --max-tokens 3 --json --raw ''
is "$(array prompt_ids "$out")" "1" "--raw of nothing is BOS alone"
run ask -m "$model" --ids 99999999
one_line "an id outside the vocabulary is refused" 2
is "$("$KAIWA" list)" "" "ask keeps nothing by itself"
run ask -m "$model" --temperature 0 --max-tokens 5 --save "$japanese"
like "$("$KAIWA" list)" '日本語' "ask --save keeps the conversation"
run ask -c --temperature 0 --max-tokens 5 --json 'more'
[ "$(number prompt "$out")" -gt "$(number prompt "$json")" ]
ok $? "ask -c goes on with it, and with the model used last"

run ask -m "$model" --temperature 0 --max-tokens 12 --stats "$japanese"
like "$err" '^\{"usage":\{"prompt":[0-9]+,"reused":0,"computed":[0-9]+,"generated":[0-9]+\},"ms":\{"load":[0-9.]+,"first":[0-9.]+,"prefill":[0-9.]+,"decode":[0-9.]+\}\}$' \
    "--stats is one line of JSON on standard error"

first=$("$KAIWA" ask -m "$model" --temperature 0 --max-tokens 12 --json --raw a)
run ask -m "$model" --temperature 0 --max-tokens 12 --json --raw --stop "$(printf '%s' "$first" |
    sed 's/.*"text":"\(.*\)","ids.*/\1/' | cut -d' ' -f2 | head -c 12)" a
like "$out" '"stop":"stop"' "--stop ends the reply"

# --- character sets ---------------------------------------------------------------------------------

wanted=$("$KAIWA" ask -m "$model" --max-tokens 1 --json "$japanese")
for set in UTF-16LE UTF-16BE SHIFT_JIS EUC-JP ISO-2022-JP; do
    case $set in UTF-16LE) mark='\377\376' ;; UTF-16BE) mark='\376\377' ;; *) mark= ;; esac
    { printf "$mark"; printf '%s\r\n' "$japanese" | iconv -f UTF-8 -t "$set"; } >"$tmp/text"
    out=$("$KAIWA" ask -m "$model" --max-tokens 1 --json - <"$tmp/text" 2>"$tmp/err")
    is "$(array prompt_ids "$out")" "$(array prompt_ids "$wanted")" "ask - reads $set"
    like "$(cat "$tmp/err")" '^kaiwa: the input is read as' "ask - says that it read $set"
done
printf '\357\273\277%s\n' "$japanese" >"$tmp/text"
out=$("$KAIWA" ask -m "$model" --max-tokens 1 --json - <"$tmp/text")
is "$(array prompt_ids "$out")" "$(array prompt_ids "$wanted")" "a mark at the beginning of UTF-8 is dropped"
printf '%s' "$japanese" | iconv -f UTF-8 -t EUC-JP >"$tmp/text"
out=$("$KAIWA" ask -m "$model" --max-tokens 1 --json --encoding EUC-JP - <"$tmp/text" 2>"$tmp/err")
is "$(array prompt_ids "$out")|$(cat "$tmp/err")" "$(array prompt_ids "$wanted")|" "--encoding is not said aloud"
printf 'a\0b' >"$tmp/text"
out=$("$KAIWA" ask -m "$model" --encoding UTF-8 - <"$tmp/text" 2>"$tmp/err")
status=$? err=$(cat "$tmp/err")
one_line "a NUL character is refused"
out=$("$KAIWA" ask -m "$model" --encoding NO-SUCH - <"$tmp/text" 2>"$tmp/err")
status=$? err=$(cat "$tmp/err")
one_line "an unknown character set is refused" 2

# --- ends -------------------------------------------------------------------------------------------

long=$("$make_tiny" "$tmp/long" context=512)
is "$("$KAIWA" ask -m "$long" --raw a 2>"$tmp/err" | head -c 1 | wc -c)|$(cat "$tmp/err")" "1|" "a closed pipe is silent"
if [ -e /dev/full ]; then
    for words in "ask -m $long --raw --max-tokens 4 a" --help; do
        err=$("$KAIWA" $words 2>&1 >/dev/full)
        status=$?
        one_line "a full disk is an error of ${words%% *}"
    done
else
    ok 0 "a full disk is an error of ask # SKIP no /dev/full"
    ok 0 "a full disk is an error of --help # SKIP no /dev/full"
fi
run ask -m "$long" --raw --temperature 0 --context 32 a
one_line "a full context fails with one line"
[ -n "$out" ]
ok $? "and what came before is printed"
run ask -m "$long" --temperature 0 --context 32 \
    'a question that is much longer than the context has room for, word upon word upon word'
one_line "a prompt that does not fit is refused with one line"

# The reply would take seconds: it is interrupted once its first bytes are there.
interrupt() { # interrupt SIGNAL OPTION...
    signal=$1
    shift
    : >"$tmp/out"
    "$KAIWA" ask -m "$long" "$@" >"$tmp/out" 2>"$tmp/err" &
    pid=$!
    tries=0
    while [ ! -s "$tmp/out" ] && [ $tries -lt 200 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
    kill -"$signal" $pid
    wait $pid
    status=$?
}
# A shell ignores SIGINT for what it runs in the background; a subshell with a trap does not help, TERM does.
interrupt TERM --raw --max-tokens 0 --isa generic --threads 1 a
case $status in 143 | 1) ok 0 "SIGTERM stops a reply" ;; *) is "$status" 143 "SIGTERM stops a reply" ;; esac

# --- bad input --------------------------------------------------------------------------------------

cp -r "$tmp/tiny" "$tmp/broken"
head -c 1000 "$tmp/tiny/model.safetensors" >"$tmp/broken/model.safetensors"
run ask -m "$tmp/broken" hello
one_line "a truncated weight file"
cp "$tmp/tiny/model.safetensors" "$tmp/broken/model.safetensors"
head -c 100000 "$tmp/tiny/model.safetensors" >"$tmp/broken/model.safetensors"
run ask -m "$tmp/broken" hello
one_line "a weight file that ends within its tensors"
run models verify "$tmp/broken"
one_line "models verify finds it"
rm "$tmp/broken/model.safetensors"
run ask -m "$tmp/broken" hello
one_line "no weight file"
sharded=$("$make_tiny" "$tmp/sharded" sharded)
rm "$sharded"/*00002-of*
run ask -m "$sharded" hello
one_line "a missing shard"
cp "$tmp/tiny/model.safetensors" "$tmp/broken/"
sed 's/"hidden_size": *64/"hidden_size": 128/' "$tmp/tiny/config.json" >"$tmp/broken/config.json"
run ask -m "$tmp/broken" hello
one_line "shapes that do not fit config.json"
printf '{"model_type": ' >"$tmp/broken/config.json"
run ask -m "$tmp/broken" hello
one_line "a config.json that is no JSON"
sed 's/"model_type": *"llama"/"quantization_config": {"quant_method": "hqq"}, "model_type": "llama"/' \
    "$tmp/tiny/config.json" >"$tmp/broken/config.json"
run ask -m "$tmp/broken" hello
one_line "an unknown quantisation"
cp "$tmp/tiny/config.json" "$tmp/broken/"
head -c 500 "$tmp/tiny/tokenizer.json" >"$tmp/broken/tokenizer.json"
run tokenize -m "$tmp/broken" hello
one_line "a truncated tokenizer"
gguf=$("$make_tiny" "$tmp/gguf" gguf)
head -c 5000 "$gguf" >"$tmp/short.gguf"
run ask -m "$tmp/short.gguf" hello
one_line "a truncated GGUF file"
head -c 3 "$gguf" >"$tmp/short.gguf"
run inspect "$tmp/short.gguf"
one_line "a GGUF file of three bytes"

head -c 4000 /dev/zero | tr '\0' 'x' >"$tmp/bad.db"
run list --db "$tmp/bad.db"
one_line "a database that is none"
run chat --plain --db "$tmp/bad.db" -m "$model"
one_line "the chat says so too"
run ask --db "$tmp/bad.db" -m "$model" --max-tokens 1 hello
is "$status" 0 "ask that saves nothing does not mind"
# Root may write everywhere: then somebody else tries, where the program can be reached by others.
other=
[ "$(id -u)" = 0 ] && other="setpriv --reuid=65534 --regid=65534 --clear-groups"
chmod 711 "$tmp"
mkdir "$tmp/ro"
run ask --db "$tmp/ro/kaiwa.db" --save -m "$model" --max-tokens 1 hello
rm -f "$tmp/ro/kaiwa.db-wal" "$tmp/ro/kaiwa.db-shm"
chmod 444 "$tmp/ro/kaiwa.db"
chmod 555 "$tmp/ro"
if $other "$KAIWA" --version >/dev/null 2>&1; then
    out=$($other "$KAIWA" chat --plain --db "$tmp/ro/kaiwa.db" -m "$model" 2>"$tmp/err" </dev/null)
    status=$? err=$(cat "$tmp/err")
    one_line "a database that may not be written"
else
    ok 0 "a database that may not be written # SKIP root may write everywhere"
fi
chmod 755 "$tmp/ro"
if command -v sqlite3 >/dev/null; then
    run ask --db "$tmp/new.db" --save -m "$model" --max-tokens 1 hello
    sqlite3 "$tmp/new.db" 'PRAGMA user_version = 9999'
    run list --db "$tmp/new.db"
    one_line "a database of a newer kaiwa"
else
    ok 0 "a database of a newer kaiwa # SKIP no sqlite3"
fi

# --- score, inspect, models, bench --------------------------------------------------------------------

out=$(printf '%s\n' '{"context":"hello","continuation":" 日本"}' '' '{"ids":[1,276,315],"from":1}' |
    "$KAIWA" score -m "$model" -)
like "$(printf '%s\n' "$out" | head -n 1)" \
    '^\{"logprob":-[0-9.]+,"tokens":[1-9][0-9]*,"greedy":(true|false),"logprobs":\[-[-0-9.,e]+\],"best":\[[0-9,]+\]\}$' \
    "score prints the object"
is "$(printf '%s\n' "$out" | wc -l)|$(number tokens "$(printf '%s\n' "$out" | tail -n 1)")" "2|2" \
    "one line for each, in order"
together=$(printf '%s\n' '{"context":"hello","continuation":" world"}' | "$KAIWA" score -m "$model")
apart=$(printf '{"ids":[1,%s,%s],"from":%d}\n' "$("$KAIWA" tokenize -m "$model" hello | tr ' ' ',')" \
    "$("$KAIWA" tokenize -m "$model" ' world' | tr ' ' ',')" \
    $(($("$KAIWA" tokenize -m "$model" hello | wc -w) + 1)) | "$KAIWA" score -m "$model")
is "$together" "$apart" "texts are encoded apart, with BOS before the context"
for line in '{' '[]' '{"context":"a"}' '{"ids":[1,2],"from":0}' '{"ids":[1,99999999],"from":1}' \
    '{"context":"","continuation":"a","bos":false}' '{"context":"a","continuation":"b","bos":1}'; do
    out=$(printf '%s\n' "$line" | "$KAIWA" score -m "$model" 2>"$tmp/err")
    status=$? err=$(cat "$tmp/err")
    one_line "score refuses $line"
    like "$err" '^kaiwa: line 1: ' "and names the line"
done
words=$(i=0; while [ $i -lt 600 ]; do printf '%s,' $((300 + i % 50)); i=$((i + 1)); done)
tail=$(printf '{"ids":[1,%s300],"from":590}\n' "$words" | "$KAIWA" score -m "$model" --context 64)
is "$(number tokens "$tail")" 12 "score keeps the tail of what is too long"

run inspect "$model" --json
like "$out" '"family": "llama"' "inspect --json says the family"
like "$out" '"chat_format": "chatml"' "inspect --json says the chat format"
run inspect "$("$make_tiny" "$tmp/gptq" gptq)"
like "$out" '^group size +32$' "inspect shows the group size"

run models add "$tmp/tiny"
is "$status|$out" "0|tiny" "models add says the name"
run models
like "$out" "^tiny	data	$tmp/data/kaiwa/models/tiny\$" "models lists it"
run ask -m tiny --max-tokens 1 hello
is "$status" 0 "it can be named"
run models verify tiny
is "$status" 0 "models verify is content"
run models add "$tmp/broken"
one_line "models add refuses what is broken"
run models remove tiny
is "$status" 2 "models knows no other verb"

run bench -m "$model" --prompt 8,16 --generate 4 --depth 0,8 --repeat 2 --format csv
is "$(printf '%s\n' "$out" | wc -l)" 7 "bench prints a row a test and depth"
like "$out" '^generate,8,4,[0-9.]+,[0-9.]+,[0-9.]+,[0-9.]*$' "bench --format csv has numbers"
run bench -m "$model" --prompt 8 --generate 4 --depth 0 --repeat 1
like "$out" '^machine: .*threads?' "bench says the machine"
run bench -m "$model" --prompt 8 --generate 4 --depth 0,64 --repeat 1 --explain
is "$(printf '%s\n' "$out" | grep -cE '^(input|q, k, v|attention|o|gate, up|down|head|sampling|all) +[0-9.]+ +[0-9.]+ +0\.0000 +[0-9.]+ +[0-9.]+$')" \
    18 "bench --explain says where a token goes, at each depth"
like "$out" '^predicted by the memory.s rate: [0-9.]+ ms; measured: [0-9.]+ ms, [0-9.]+ % of the limit' \
    "bench --explain holds the token against the memory's limit"
run bench -m "$model" --prompt 8 --generate 4 --depth 0 --repeat 1 --explain --format json
like "$out" '^ *"limit_ms": [0-9.e-]+,?$' "the parts of a token are numbers"
run bench -m "$model" --prompt 8 --generate 4 --depth 0 --repeat 1 --explain --format csv
like "$out" '^"gate, up",0,[0-9.]+,0\.00000,[1-9][0-9]*,[0-9.]+$' "bench --explain --format csv has a line a phase"
run bench -m "$model" --prompt x
is "$status" 2 "bench refuses sizes that are none"
run bench -m "$model" --depth 100000
is "$status" 2 "bench refuses a depth beyond the model"

# --- a real model -------------------------------------------------------------------------------------

real=${KAIWA_TEST_MODELS:-/nonexistent}/smollm2-f16
if [ -d "$real" ]; then
    run ask -m "$real" --temperature 0 'What is the capital of France?'
    is "$status|$out" "0|The capital of France is Paris." "a real model knows Paris"
    out=$(head -c 1000000 /dev/zero | tr '\0' a | { time -p "$KAIWA" tokenize -m "$real" - >/dev/null; } 2>&1)
    # processor time: the machine may be busy; instrumented code is slower
    limit=1000
    [ -z "${KAIWA_SANITIZER:-}" ] || limit=20000
    took=$(printf '%s\n' "$out" | awk '/^(user|sys)/ { t += $2 } END { print int(t * 1000) }')
    [ "$took" -lt "$limit" ]
    ok $? "a megabyte of one character takes less than a second"
else
    ok 0 "a real model knows Paris # SKIP no test models"
    ok 0 "a megabyte of one character takes less than a second # SKIP no test models"
fi
done_testing
