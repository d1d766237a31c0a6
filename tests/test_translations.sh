#!/bin/sh
# Every string of the sources is translated into every language of po/LINGUAS, well-formed and not fuzzy.
top=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
for tool in xgettext msgmerge msgfmt msgattrib; do
    command -v $tool >/dev/null || {
        echo "1..0 # SKIP no $tool"
        exit 0
    }
done
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0
failed=0

result() { # result NAME CODE: TAP, with the lines of $work/why when it failed
    n=$((n + 1))
    if [ "$2" = 0 ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        sed 's/^/# /' "$work/why"
        failed=1
    fi
}

languages=$(sed '/^#/d' "$top/po/LINGUAS")
keywords=$(sed -n 's/^XGETTEXT_OPTIONS = //p' "$top/po/Makevars")
echo "1..$(($(echo "$languages" | wc -w) * 2 + 1))"

# shellcheck disable=SC2086
xgettext -D "$top" -f "$top/po/POTFILES.in" $keywords -o "$work/all.pot" 2>"$work/why"
result 'strings can be extracted from the files of POTFILES.in' $?

for language in $languages; do
    msgfmt -c -o /dev/null "$top/po/$language.po" 2>"$work/why"
    result "$language.po is well-formed, formats included" $?
    msgmerge -q --no-fuzzy-matching "$top/po/$language.po" "$work/all.pot" -o "$work/$language.po" 2>/dev/null
    {
        msgattrib --untranslated --no-wrap "$work/$language.po"
        msgattrib --only-fuzzy --no-obsolete --no-wrap "$work/$language.po"
    } 2>/dev/null | grep -E '^(#:|msgid ")' | sed '/^msgid ""$/d' >"$work/why"
    [ ! -s "$work/why" ]
    result "$language.po translates every string" $?
done
exit $failed
