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
for replay in chat views small; do
    for size in 80x24 40x12; do
        # small changes its size itself
        [ $replay = small ] && [ $size = 40x12 ] && continue
        for lang in en ja; do
            name=$replay.$size.$lang
            n=$((n + 1))
            rm -rf "$scratch/home"
            mkdir -p "$scratch/home"
            (
                cd "$scratch/home" &&
                    HOME=$scratch/home XDG_DATA_HOME=$scratch/home/data XDG_CONFIG_HOME=$scratch/home/config \
                        XDG_STATE_HOME=$scratch/home/state XDG_CACHE_HOME=$scratch/home/cache \
                        LC_ALL=C.UTF-8 LANGUAGE=$lang TZ=UTC \
                        "$KAIWA" --headless $size --keys "$screens/$replay.replay" -m script \
                        --provider "script:$screens/chat.script" --ambiguous-width 1
                echo "exit=$?"
            ) >"$scratch/got" 2>"$scratch/errors" </dev/null
            # The way to resume holds a random name.
            sed 's/\(kaiwa -r \)[0-9a-f]*/\1UID/' "$scratch/got" >"$scratch/screen"
            [ -n "${UPDATE_SCREENS:-}" ] && cp "$scratch/screen" "$screens/$name.txt"
            if diff "$screens/$name.txt" "$scratch/screen" >"$scratch/diff" 2>&1 && [ ! -s "$scratch/errors" ]; then
                echo "ok $n - $name"
            else
                echo "not ok $n - $name"
                sed 's/^/# /' "$scratch/diff" "$scratch/errors"
                bad=1
            fi
        done
    done
done
echo "1..$n"
exit $bad
