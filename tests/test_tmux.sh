#!/bin/sh
# The real screen on a real model, in a terminal that tmux plays: turns, stop, resize, system prompt,
# export, quit and resume, signals.  In English and Japanese.  UPDATE_SCREENS=1 rewrites the expected
# screens in tests/screens.
set -u
KAIWA=${KAIWA:-$PWD/kaiwa}
src=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
models=${KAIWA_TEST_MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/kaiwa-test-models}
model=$models/SmolLM2-135M-Instruct.Q4_1.gguf
skip() {
    if [ "${CI:-}" = true ]; then
        echo "1..1"
        echo "not ok 1 - $1"
    else
        echo "1..0 # SKIP $1"
    fi
    exit 0
}
command -v tmux >/dev/null || skip "no tmux"
[ -r "$model" ] || skip "no test model $model"

scratch=$(mktemp -d) || exit 1
socket=kaiwa$$
T() { tmux -L "$socket" -f /dev/null "$@" 2>/dev/null; }
cleanup() {
    T kill-server
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

n=0
bad=0
ok() { # ok NAME: passes when the last command did
    if [ $? -eq 0 ]; then
        n=$((n + 1))
        echo "ok $n - $lang: $1"
    else
        n=$((n + 1))
        bad=1
        echo "not ok $n - $lang: $1"
        T capture-pane -p -t k | sed 's/^/#   /'
    fi
}

# word MSGID: how the program says it in the language of this round
word() {
    [ "$lang" = en ] && { printf '%s' "$1"; return; }
    awk -v want="msgid \"$1\"" '$0 == want { hit = 1; next }
        hit && /^msgstr/ { sub(/^msgstr(\[0\])? "/, ""); sub(/"$/, ""); print; exit }' \
        "$src/po/$lang.po" >"$scratch/word"
    if [ -s "$scratch/word" ]; then tr -d '\n' <"$scratch/word"; else printf '%s' "$1"; fi
}

# start COLSxROWS ARGS...: the program in a fresh terminal
start() {
    size=$1
    shift
    T kill-session -t k
    rm -f "$scratch/pid"
    cat >"$scratch/run.sh" <<EOF
ulimit -c 0
stty -a >"$scratch/modes.before"
sh -c 'echo \$\$ >"$scratch/pid"; exec "\$@"' sh "$KAIWA" -m "$model" --temperature 0 --seed 1 \
    --backend cpu --threads 1 $*
status=\$?
stty -a >"$scratch/modes.after"
echo "exit=\$status"
cat >/dev/null
EOF
    # A server whose last session was just killed may be on its way out, and takes nobody any more.
    tries=0
    until open_terminal "$size"; do
        tries=$((tries + 1))
        [ $tries -lt 50 ] || return 1
        sleep 0.1
    done
}

open_terminal() { # open_terminal COLSxROWS: run.sh in a new session
    T new-session -d -s k -x "${1%x*}" -y "${1#*x}" \
        env HOME="$scratch/home" XDG_DATA_HOME="$scratch/home/data" XDG_STATE_HOME="$scratch/home/state" \
        XDG_CONFIG_HOME="$scratch/home/config" XDG_CACHE_HOME="$scratch/home/cache" \
        LC_ALL=C.UTF-8 LANGUAGE="$lang" TZ=UTC TERM=screen-256color sh -c "cd $scratch/home; sh $scratch/run.sh"
}

screen() { T capture-pane -p -t k; }

# Tenths of a second; instrumented code is slow.
patience=600
[ -z "${KAIWA_SANITIZER:-}" ] || patience=3000
# One language will do where races are looked for.
[ "${KAIWA_SANITIZER:-}" != thread ] || KAIWA_LANGUAGES=en

# until_shown REGEX: waits with patience; shows what was wanted when it fails
until_shown() {
    tries=0
    while ! screen | grep -q -- "$1"; do
        tries=$((tries + 1))
        if [ $tries -gt $patience ]; then
            echo "# waited for: $1"
            return 1
        fi
        sleep 0.1
    done
}
until_gone() {
    tries=0
    while screen | grep -q -- "$1"; do
        tries=$((tries + 1))
        [ $tries -gt $patience ] && return 1
        sleep 0.1
    done
}
type_text() { T send-keys -t k -l -- "$1"; }
key() { T send-keys -t k "$@"; }
say() { # say TEXT: types it and waits until it stands in the input box, then sends it
    type_text "$1"
    until_shown "^> .*$1" && key Enter
}
cursor() { T display-message -p -t k '#{cursor_y},#{cursor_x}'; }

# compare NAME: the screen against tests/screens/NAME.txt, times and speeds left out.  It may take a
# moment to get there: what is waited for above can stand on a screen that is still being drawn.
compare() {
    [ -z "${UPDATE_SCREENS:-}" ] || sleep 2
    tries=0
    while :; do
        screen | sed 's/[0-2][0-9]:[0-5][0-9]/HH:MM/g; s/| [0-9][0-9]*\.[0-9] /| N /; s/ *$//' >"$scratch/got"
        if [ -n "${UPDATE_SCREENS:-}" ]; then
            cp "$scratch/got" "$src/tests/screens/$1.txt"
        fi
        diff "$src/tests/screens/$1.txt" "$scratch/got" >"$scratch/diff" && return
        tries=$((tries + 1))
        [ $tries -gt $((patience / 20)) ] && break
        sleep 0.1
    done
    sed 's/^/# /' "$scratch/diff"
    return 1
}

# The terminal is as it was: no alternate screen, a visible cursor, cooked modes, no mouse.
restored() {
    [ "$(T display-message -p -t k '#{alternate_on}#{cursor_flag}#{keypad_flag}#{keypad_cursor_flag}#{mouse_any_flag}')" = 01000 ] &&
        cmp -s "$scratch/modes.before" "$scratch/modes.after"
}

story='Tell me a very long story about the sea'

for lang in ${KAIWA_LANGUAGES:-en ja}; do
    mkdir -p "$scratch/home"
    ready=$(word ready)

    start 80x24
    until_shown "$ready"
    ok "the chat opens and the model gets ready"

    say 'What is the capital of France?'
    until_shown Paris && until_shown "$ready" # in this order: ready again, when the whole reply is there
    ok "a first turn is answered"
    say 'And of Italy?'
    until_shown Rome && until_shown "$ready"
    ok "a second turn is answered"
    compare "tmux-80x24.$lang"
    ok "80x24 looks as it should"
    T resize-window -t k -x 40 -y 12
    until_shown "^> *$"
    compare "tmux-40x12.$lang"
    ok "40x12 looks as it should"
    T resize-window -t k -x 80 -y 24

    say "$story"
    until_shown "$(word 'replying: %d token' | sed 's/%d.*//')[0-9]\{1,\}" # a reply has begun
    type_text '東京'
    until_shown '> 東京'
    [ "$(cursor)" = 22,6 ]
    ok "one types while a reply runs, with the cursor at the insertion point"
    T resize-window -t k -x 40 -y 12 && until_shown '> 東京' &&
        T resize-window -t k -x 20 -y 5 && until_shown "$(word 'window too small' | cut -c1-12)" &&
        T resize-window -t k -x 80 -y 24 && until_shown '> 東京'
    ok "the window changes its size while a reply runs, down to 20x5"
    key Enter
    until_shown '> 東京'
    ok "what is sent while a reply runs stays in the input box"
    key Escape
    until_shown "$(word stopped)"
    ok "Esc stops the reply and keeps it"
    key C-c
    until_gone '> 東京'
    ok "^C empties the input box"

    key F3
    until_shown "$(word 'System prompt')"
    type_text 'Answer in one word.'
    # "the next reply re-reads 12 of 34 tokens"
    until_shown "$(word 'the next reply re-reads %d of %d tokens (about %.1f s)' |
        sed 's/%[0-9$]*d/[0-9][0-9]*/g; s/ *(.*//; s/ *（.*//')"
    ok "the system prompt's cost is told before it is changed"
    key Enter
    until_gone "$(word 'System prompt')"
    key F8
    until_shown '\.md'
    cat "$scratch"/home/*.md 2>/dev/null | grep -q 'Paris'
    ok "the conversation is exported as Markdown"
    say '/set max 30' # what the model makes of the story so far may be endless
    until_shown '^> *$'
    say 'And of Spain?'
    until_shown '^   And of Spain' && until_shown "$ready"
    key C-c
    key C-c
    until_shown 'exit=0'
    ok "it quits with status 0"
    restored
    ok "the terminal is as it was"
    uid=$(screen | sed -n 's/.*kaiwa -r \([0-9a-f]*\).*/\1/p')
    [ -n "$uid" ]
    ok "it says how to go on"

    start 80x24 -r "$uid"
    until_shown "$ready" && key M-\< && until_shown 'capital of France'
    ok "the conversation is there when it is resumed"
    key C-c
    key C-c
    until_shown 'exit=0'

    if [ $lang = en ]; then
        start 80x24
        until_shown "$ready"
        kill -s SEGV "$(cat "$scratch/pid")"
        until_shown 'exit=' && restored
        ok "a crash restores the terminal"
    fi

    for signal in TERM HUP KILL; do
        start 80x24
        until_shown "$ready"
        say "$story"
        until_shown "$(word 'replying: %d token' | sed 's/%d.*//')[0-9]\{1,\}"
        # KILL loses at most what came since the last save, about a second ago.
        [ $signal = KILL ] && sleep 2.5
        kill -s $signal "$(cat "$scratch/pid")"
        until_shown 'exit='
        if [ $signal != KILL ]; then
            restored
            ok "SIG$signal restores the terminal"
        fi
        # A younger unfinished reply would belong to another kaiwa that still runs.
        [ $signal = KILL ] && sleep 6
        start 80x24 -c
        until_shown "$(word stopped)" && screen | grep -q 'once\|sea\|story\|long'
        ok "SIG$signal: the partial reply is there on resume"
        key C-c
        key C-c
        until_shown 'exit=0'
    done
    T kill-server
    rm -rf "$scratch/home"
done
echo "1..$n"
exit $bad
