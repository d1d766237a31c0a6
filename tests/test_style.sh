#!/bin/sh
# The laws of the source: who may include whom, and what nobody may call.
top=${abs_top_srcdir:-$(dirname "$0")/..}
n=0
failed=0

check() { # check NAME COMMAND...
    name=$1
    shift
    n=$((n + 1))
    if output=$("$@" 2>&1); then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        printf '%s\n' "$output" | sed 's/^/# /'
        failed=1
    fi
}

echo 1..2
check 'includes point downward' sh "$top/tests/check-includes" "$top"
check 'calls, lists and lines keep the rules' sh "$top/tests/lint" "$top"
exit $failed
