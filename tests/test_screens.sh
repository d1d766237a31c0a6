#!/bin/sh
# Whole screens, drawn into memory by replays (tests/screens/*.replay) of the scripted model, compared
# with what eyes have once looked at.  UPDATE_SCREENS=1 rewrites the expected ones.
set -u
KAIWA=${KAIWA:-$PWD/kaiwa}
src=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
screens=$src/tests/screens
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

n=0
bad=0

# at_home LANGUAGE ARGS...: kaiwa for somebody who lives in $scratch/home
at_home() {
    (
        cd "$scratch/home" || exit
        unset HF_HOME HF_HUB_CACHE
        lang=$1
        shift
        HOME=$scratch/home XDG_DATA_HOME=$scratch/home/data XDG_CONFIG_HOME=$scratch/home/config \
            XDG_STATE_HOME=$scratch/home/state XDG_CACHE_HOME=$scratch/home/cache \
            LC_ALL=C.UTF-8 LANGUAGE=$lang TZ=UTC "$KAIWA" "$@"
        echo "exit=$?"
    ) </dev/null
}

# new_home [HOME]: an empty one, or a copy
new_home() {
    rm -rf "$scratch/home"
    if [ $# = 0 ]; then mkdir -p "$scratch/home"; else cp -r "$1" "$scratch/home"; fi
}

# check REPLAY SIZE ARGS...: in both languages, for somebody who has been here before; with
# first=yes for a newcomer.  A replay may be another in each language.
check() {
    replay=$1
    size=$2
    shift 2
    for lang in ${KAIWA_LANGUAGES:-en ja}; do
        name=$replay.$size.$lang
        n=$((n + 1))
        if [ "$first" = yes ]; then new_home; else new_home "$scratch/greeted"; fi
        keys=$screens/$replay.replay
        [ -r "$keys" ] || keys=$screens/$replay.$lang.replay
        at_home "$lang" --headless "$size" --keys "$keys" "$@" >"$scratch/got" 2>"$scratch/errors"
        # The way to resume holds a random name; a model that runs has a speed.
        sed 's/\(kaiwa -r \)[0-9a-f]*/\1UID/; s/| [0-9][0-9]*\.[0-9] /| N /' "$scratch/got" >"$scratch/screen"
        [ -n "${UPDATE_SCREENS:-}" ] && cp "$scratch/screen" "$screens/$name.txt"
        if diff "$screens/$name.txt" "$scratch/screen" >"$scratch/diff" 2>&1 &&
            [ ! -s "$scratch/errors" ]; then
            echo "ok $n - $name"
        else
            echo "not ok $n - $name"
            sed 's/^/# /' "$scratch/diff" "$scratch/errors"
            bad=1
        fi
    done
}

# Whoever has opened the chat once was greeted.
new_home
echo 'screen only' >"$scratch/only.replay"
at_home en --headless 80x24 --keys "$scratch/only.replay" --provider local >"$scratch/got" 2>"$scratch/errors"
cp -r "$scratch/home" "$scratch/greeted"

# without_guide: $KAIWA becomes a copy that no guide lies beside; false where one is installed.
without_guide() {
    mkdir "$scratch/alone"
    cp "$KAIWA" "$scratch/alone/kaiwa" || return
    ln -s "$(dirname "$KAIWA")/locale" "$scratch/alone/locale"
    KAIWA=$scratch/alone/kaiwa
    new_home
    ! at_home en models | grep -q "	package	"
}

first=yes
check greeting 80x24 -m script --provider "script:$screens/chat.script" --ambiguous-width 1
# The bundled guide itself, as a newcomer finds it; README.md and the manual quote from this.
check guide 80x24 --backend cpu --temperature 0 --seed 1 --ambiguous-width 1
first=no
for size in 80x24 40x12; do
    check chat $size -m script --provider "script:$screens/chat.script" --ambiguous-width 1
    check views $size -m script --provider "script:$screens/chat.script" --ambiguous-width 1
done
check small 80x24 -m script --provider "script:$screens/chat.script" --ambiguous-width 1
check wide 44x14 -m script --provider "script:$screens/chat.script" --ambiguous-width 2
check failure 60x14 -m script --provider "script:$screens/failure.script" --ambiguous-width 1
if without_guide; then
    first=yes
    check newcomer 44x14 --provider local --ambiguous-width 2
    first=no
    check nomodel 60x16 --provider local --ambiguous-width 1
fi
echo "1..$n"
exit $bad
