#!/bin/sh
# The chat without a screen: lines in, replies out, counts that must be exact, and what stays after the end.
. "${abs_top_srcdir:?}/tests/tap.sh"
make_tiny=$abs_top_builddir/tests/make_tiny
model=$("$make_tiny" "$tmp/tiny" ends) || exit 1
unset TERM

chat() { # chat OPTION...: standard input is the conversation
    out=$("$KAIWA" chat --plain -m "$model" --temperature 0 --max-tokens 8 "$@" 2>"$tmp/err")
    status=$?
    err=$(cat "$tmp/err")
    stats=$(printf '%s\n' "$err" | grep '^{"usage"')
}

turn() { # turn N: the N-th line of --stats
    printf '%s\n' "$stats" | sed -n "$1p"
}

# Turn N must reuse all that turn N-1 left in the cache: its prompt and its reply less the last token.
follows() { # follows N NAME
    before=$(turn $(($1 - 1)))
    now=$(turn "$1")
    left=$(($(number prompt "$before") + $(number generated "$before") - 1))
    is "$(number reused "$now")|$(number computed "$now")" "$left|$(($(number prompt "$now") - left))" "$2"
}

chat --stats --db "$tmp/three.db" <<EOF
日本の首都はどこですか。
And of France?
三つ目の質問です。
EOF
is "$status" 0 "the chat ends with its input"
is "$(printf '%s\n' "$stats" | wc -l)" 3 "--stats prints a line a turn"
is "$(number reused "$(turn 1)")" 0 "the first turn reuses nothing"
follows 2 "turn 2 computes exactly what is new"
follows 3 "turn 3 computes exactly what is new"
like "$("$KAIWA" list --db "$tmp/three.db")" '日本の首都' "the conversation is kept, under its first words"

chat --stats --private <<EOF
hello
/retry
EOF
is "$(number computed "$(turn 2)")|$(number prompt "$(turn 2)")" "1|$(number prompt "$(turn 1)")" \
    "another reply computes one token"
chat --stats --private <<EOF
hello
second
/undo
third
EOF
[ "$(number reused "$(turn 3)")" -ge "$(number reused "$(turn 2)")" ]
ok $? "after a step back the first turn is still reused"

# How far two system prompts are the same is told by the prompts themselves.
prompt_ids() { # prompt_ids SYSTEM
    array prompt_ids "$("$KAIWA" ask -m "$model" --max-tokens 1 --json --system "$1" hello)"
}
prompt_ids '日本語 one' | tr ' ' '\n' >"$tmp/a"
prompt_ids '日本語 two' | tr ' ' '\n' >"$tmp/b"
same=$(paste "$tmp/a" "$tmp/b" | awk '$1 != $2 { exit } { n++ } END { print n + 0 }')
[ "$same" -gt 1 ] && [ "$same" -lt "$(wc -l <"$tmp/a")" ]
ok $? "the two prompts share a beginning"
chat --stats --private --system '日本語 one' <<EOF
hello
/system 日本語 two
/retry
EOF
is "$(number reused "$(turn 2)")" "$same" "a changed system prompt computes from the first changed token on"

# --- what stays ---------------------------------------------------------------------------------------

one=$("$KAIWA" ask -m "$model" --temperature 0 --max-tokens 8 --json --save --db "$tmp/ids.db" '一つ目')
two=$("$KAIWA" ask -m "$model" --temperature 0 --max-tokens 8 --json -c --db "$tmp/ids.db" 'two')
set -- $(array ids "$one")
eval "last=\${$#}"
reply=$(array ids "$one")
case $one in *'"stop":"eos"'*) reply=${reply% "$last"} ;; esac
case "$(array prompt_ids "$two") " in
    "$(array prompt_ids "$one") $reply "*) ok 0 "a resumed conversation renders the ids that were generated" ;;
    *) ok 1 "a resumed conversation renders the ids that were generated" ;;
esac
chat -r '一つ目' --db "$tmp/ids.db" --stats <<EOF
three
EOF
is "$status" 0 "-r takes a title"
is "$("$KAIWA" list --db "$tmp/ids.db" | wc -l)" 1 "and goes on with the same conversation"
chat -r nothing-like-it --db "$tmp/ids.db" </dev/null
one_line "-r says what it does not find"
chat -c --db "$tmp/empty.db" </dev/null
one_line "-c says that there is nothing yet"

# --- lines ----------------------------------------------------------------------------------------------

chat --db "$tmp/lines.db" <<EOF
first\\
second

//not a command
／ｈｅｌｐ　set
/nonsense
/rename 改名した会話
/quit
never sent
EOF
is "$status" 1 "a line that failed makes the status 1"
like "$err" '^kaiwa: /nonsense: unknown command' "an unknown command never goes to the model"
like "$out" '^/set NAME VALUE' "a full-width command works"
is "$("$KAIWA" list --db "$tmp/lines.db" | grep -c '改名した会話')" 1 "/rename gives the title"
shown=$("$KAIWA" show --db "$tmp/lines.db" '改名した会話')
like "$shown" '^first$' "a backslash at the end of a line"
like "$shown" '^second$' "goes on in the next one"
like "$shown" '/not a command' "two slashes begin a text with one"
printf '%s\n' "$shown" | grep -q 'never sent'
is "$?" 1 "/quit ends the chat"

printf '日本語です。\n' | iconv -f UTF-8 -t SHIFT_JIS | chat --db "$tmp/sjis.db"
like "$("$KAIWA" show --db "$tmp/sjis.db" 1)" '日本語です。' "Shift_JIS lines are recognised"
{ printf '\377\376'; printf '日本語です。\nmore\n' | iconv -f UTF-8 -t UTF-16LE; } | chat --db "$tmp/u16.db"
like "$("$KAIWA" show --db "$tmp/u16.db" 1)" '日本語です。' "UTF-16 is recognised"

printf 'contents\n' >"$tmp/file.txt"
chat --db "$tmp/file.db" <<EOF
/file $tmp/file.txt
what is in it?
EOF
like "$err" "^$tmp/file.txt: with it the prompt has [0-9]+ tokens of 512" "/file tells the size in tokens"
shown=$("$KAIWA" show --db "$tmp/file.db" 1)
like "$shown" '^contents$' "and goes into the next message"
chat --db "$tmp/file.db" 'as an argument' </dev/null
like "$("$KAIWA" list --db "$tmp/file.db")" 'as an argument' "a text on the command line is the first message"

cat >"$tmp/conf" <<EOF
[persona cook]
system = "料理人です。"
temperature = 0.3
EOF
chat --config "$tmp/conf" --private <<EOF
/persona
/persona cook
/system show
/params
/set temp 0.25 top_k=7
/params
/set top-p 9
/stats
EOF
like "$out" '^cook$' "/persona lists"
like "$out" '^料理人です。$' "/persona sets the system prompt"
like "$out" '^temperature 0.3$' "and the settings"
like "$out" '^temperature 0.25$' "/set takes short names"
like "$out" '^top-k 7$' "and pairs"
like "$err" '^kaiwa: top-p: 9 is out of range' "/set checks"
like "$err" '^kaiwa: /stats: there is no reply yet' "/stats needs a reply"

chat --db "$tmp/move.db" <<EOF
one
/new other
two
/resume
/export json $tmp/one.json
/delete
/list
/undelete
/fork 1
/ctx
EOF
like "$out" '	other$' "/list lists"
like "$out" '^1	you	' "/ctx numbers the messages"
is "$("$KAIWA" list --db "$tmp/move.db" | wc -l)" 3 "a fork is a conversation of its own"
[ -s "$tmp/one.json" ]
ok $? "/export writes the file"
chat --db "$tmp/imported.db" <<EOF
/import $tmp/one.json
EOF
is "$("$KAIWA" list --db "$tmp/imported.db" | wc -l)" 1 "/import takes it in"

# --- ends ------------------------------------------------------------------------------------------------

if without_guide; then
    out=$(echo hello | "$KAIWA" chat --plain --db "$tmp/none.db" 2>"$tmp/err")
    status=$? err=$(cat "$tmp/err")
    is "$status|$out" "1|" "without a model a message fails"
    like "$err" 'no model is installed yet' "and the chat shows the way to get one"
    printf '%s\n' "$err" | grep -q Welcome
    is "$?" 1 "in a pipe nobody is greeted"
fi
out=$(echo /welcome | "$KAIWA" chat --plain --db "$tmp/none.db" 2>/dev/null)
like "$out" '^    kaiwa models add ' "/welcome tells how to install the model"
if ! "$KAIWA" models | grep -q "	package	"; then
    out=$("$make_tiny" "$tmp/known" >/dev/null && mkdir -p "$tmp/d/kaiwa/models" && ln -s "$tmp/known" "$tmp/d/kaiwa/models/known" &&
        echo hello | XDG_DATA_HOME=$tmp/d "$KAIWA" chat --plain --db "$tmp/none.db" 2>&1)
    like "$out" '^ *known$' "where models are installed they are named"
fi
out=$("$KAIWA" chat --plain -m "$tmp/nothing" --private </dev/null 2>"$tmp/err")
status=$? err=$(cat "$tmp/err")
one_line "a model that is not there ends the chat"

long=$("$make_tiny" "$tmp/long") || exit 1
echo hello | "$KAIWA" chat --plain -m "$long" --isa generic --threads 1 --private 2>"$tmp/err" | head -c 1 >"$tmp/out"
is "$(wc -c <"$tmp/out")|$(cat "$tmp/err")" "1|" "a closed pipe is silent"

# A reply under way when the program is told to end, or is killed, is there afterwards.
signals='TERM HUP KILL'
# Under nohup HUP is ignored, and whatever is started inherits that.
sh -c 'kill -HUP $$; exit 3' 2>/dev/null
[ $? = 3 ] && signals='TERM KILL'
for signal in $signals; do
    : >"$tmp/out"
    mkfifo "$tmp/in.$signal"
    "$KAIWA" chat --plain -m "$long" --isa generic --threads 1 --temperature 0 --db "$tmp/$signal.db" \
        <"$tmp/in.$signal" >"$tmp/out" 2>"$tmp/err" &
    pid=$!
    exec 9>"$tmp/in.$signal"
    echo hello >&9
    tries=0
    while [ ! -s "$tmp/out" ] && [ $tries -lt 500 ]; do
        sleep 0.01
        tries=$((tries + 1))
    done
    kill -$signal $pid
    wait $pid 2>/dev/null
    exec 9>&-
    # A killed one has what came with the first token, or was saved since: about once a second.
    saved=$("$KAIWA" show --db "$tmp/$signal.db" 1 --json | sed -n 's/^ *"text": "\(.*\)",$/\1/p' | sed -n 2p)
    [ -n "$saved" ] && [ "$(printf '%s' "$saved" | head -c 1 | od -An -tx1)" = "$(head -c 1 "$tmp/out" | od -An -tx1)" ]
    ok $? "after SIG$signal the partial reply is there"
done
done_testing
