#!/bin/sh
# The vectors of shared/data through the program, and a megabyte of one character or of Japanese
# text in under a second of processor time each, opening included.
. "${abs_top_srcdir:-.}/tests/tap.sh"
tokenizers=${KAIWA_SHARED:-${abs_top_srcdir:-.}/../shared}/data/tokenizers
if [ ! -d "$tokenizers" ]; then
    echo "1..0 # SKIP no $tokenizers"
    exit 0
fi

vectors() { # vectors FOLDER PATH
    sed -z 's/\n__ggml_vocab_test__\n/\x00/g' "$tokenizers/$1/vectors.inp" |
        "$KAIWA" tokenize -m "$tokenizers/$2" -0 - >"$tmp/ids" 2>"$tmp/err"
    sed 's/^ *//; s/ *$//' "$tokenizers/$1/vectors.out" >"$tmp/wanted"
    lines=$(wc -l <"$tmp/wanted")
    if [ "$lines" -ge 46 ] && head -n "$lines" "$tmp/ids" | cmp -s - "$tmp/wanted"; then
        ok 0 "$2 gives the $1 vectors"
    else
        ok 1 "$2 gives the $1 vectors"
        head -n 1 "$tmp/err" | sed 's/^/# /'
        diff "$tmp/ids" "$tmp/wanted" | head -n 4 | sed 's/^/# /'
    fi
}

vectors llama-2 llama-2/tokenizer.json
vectors llama-2 llama-2/tokenizer.model
vectors llama-2 llama-2/vocab.gguf
vectors gpt-2 gpt-2/vocab.gguf
vectors llama-3 llama-3

megabyte() { # megabyte UNIT: it over and over, as standard output
    awk -v unit="$1" -v n="$size" 'BEGIN { while (length(s) < 4096) s = s unit
        for (size = 0; size < n; size += length(s)) printf "%s", s }'
}

# Processor time of finished children in milliseconds, from the output of `times`: other work on the
# machine does not count.
spent() {
    sed -n 2p "$1" | tr 'ms' '  ' | awk '{ printf "%d", 1000 * (60 * ($1 + $3) + $2 + $4) }'
}

# Sanitizers slow everything down several times; then only the result counts.
limit=1000
size=1048576
ldd "$KAIWA" 2>/dev/null | grep -q 'lib[at]san' && limit=60000
ldd "$KAIWA" 2>/dev/null | grep -q libtsan && size=131072 # one thread: there is nothing to find

quick() { # quick NAME UNIT PATH...
    name=$1
    megabyte "$2" >"$tmp/text"
    shift 2
    for path in "$@"; do
        times >"$tmp/before"
        "$KAIWA" tokenize -m "$tokenizers/$path" -0 - <"$tmp/text" >"$tmp/ids" 2>"$tmp/err"
        status=$?
        times >"$tmp/after"
        took=$(($(spent "$tmp/after") - $(spent "$tmp/before")))
        [ $status = 0 ] && [ "$(wc -w <"$tmp/ids")" -gt 1000 ] && [ $took -lt $limit ]
        ok $? "a megabyte of $name with $path ($took ms)"
    done
}

all='llama-2/tokenizer.json llama-2/tokenizer.model llama-2/vocab.gguf gpt-2/vocab.gguf llama-3'
quick "'a'" a $all
quick spaces ' ' $all
quick 'あ' 'あ' $all
quick '🙂' '🙂' $all
quick 'Japanese' '吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。' $all
done_testing
