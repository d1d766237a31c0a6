# Sourced by shell tests: TAP, a folder of its own, and a kaiwa that knows nothing of this machine's.
n_tests=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/kaiwa-test-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/home"
export HOME="$tmp/home" XDG_DATA_HOME="$tmp/data" XDG_CONFIG_HOME="$tmp/config"
export XDG_STATE_HOME="$tmp/state" XDG_CACHE_HOME="$tmp/cache" HF_HUB_CACHE="$tmp/hub"
unset HF_HOME ACCESSIBLE KAIWA_MODEL KAIWA_DB KAIWA_PROVIDER
# Leaks of what main holds at its end are no concern of these tests; errors are.
export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"

ok() { # ok STATUS NAME
    n_tests=$((n_tests + 1))
    if [ "$1" = 0 ]; then echo "ok $n_tests - $2"; else echo "not ok $n_tests - $2"; fi
}

is() { # is GOT WANTED NAME
    if [ "$1" = "$2" ]; then
        ok 0 "$3"
    else
        ok 1 "$3"
        printf '%s\n' "got: $1" "wanted: $2" | sed 's/^/#   /'
    fi
}

like() { # like TEXT REGEX NAME: a line of TEXT matches the extended regular expression
    if printf '%s\n' "$1" | grep -qE -- "$2"; then
        ok 0 "$3"
    else
        ok 1 "$3"
        printf '%s\n' "got: $1" "wanted: $2" | sed 's/^/#   /'
    fi
}

# Runs kaiwa; its status, standard output and standard error are in $status, $out and $err.
run() {
    out=$("$KAIWA" "$@" 2>"$tmp/err")
    status=$?
    err=$(cat "$tmp/err")
}

one_line() { # one_line NAME [STATUS]: it failed with exit 1, or STATUS, and one line from kaiwa
    if [ "$status" = "${2:-1}" ] && [ "$(printf '%s\n' "$err" | wc -l)" = 1 ] &&
        [ "${err#kaiwa: }" != "$err" ]; then
        ok 0 "$1"
    else
        ok 1 "$1"
        printf '%s\n' "status $status" "$err" | sed 's/^/#   /'
    fi
}

number() { # number KEY JSON: the first number of that key
    printf '%s\n' "$2" | sed -n 's/.*"'"$1"'":\([0-9]*\).*/\1/p' | head -n 1
}

array() { # array KEY JSON: an array of numbers, between spaces
    printf '%s\n' "$2" | sed -n 's/.*"'"$1"'":\[\([^]]*\)\].*/\1/p' | tr ',' ' '
}

# without_guide: $KAIWA becomes a copy that no guide lies beside; false where one is installed.
without_guide() {
    mkdir -p "$tmp/alone"
    cp "$KAIWA" "$tmp/alone/kaiwa" || return
    ln -s "$(dirname "$KAIWA")/locale" "$tmp/alone/locale"
    KAIWA=$tmp/alone/kaiwa
    ! "$KAIWA" models | grep -q "	package	"
}

done_testing() {
    echo "1..$n_tests"
}
