#!/bin/sh
# The manual pages: well formed, in both languages, and naming what the program knows.
n=0
ok() { # ok STATUS NAME
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
pages="kaiwa.1 kaiwa.conf.5 ja/kaiwa.1 ja/kaiwa.conf.5"
dir=$abs_top_builddir/man

if command -v mandoc >/dev/null; then
    for page in $pages; do
        # Pages that are not installed yet cannot be referred to.  Matters of style are for English:
        # mandoc takes the end of a Japanese title for a delimiter.
        case $page in ja/*) level=warning ;; *) level=style ;; esac
        said=$(mandoc -Tlint -W $level "$dir/$page" 2>&1 |
            grep -v 'mandoc.db\|referenced manual not found')
        [ -z "$said" ] || echo "$said" | sed 's/^/# /'
        [ -z "$said" ]
        ok $? "mandoc has nothing to say about $page"
    done
else
    for page in $pages; do
        n=$((n + 1))
        echo "ok $n - mandoc has nothing to say about $page # SKIP no mandoc"
    done
fi

for page in $pages; do
    ! grep -q '^@' "$dir/$page"
    ok $? "every list of $page is filled in"
done

missing=
for word in $("$KAIWA" --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE '[a-z][a-z-]+'); do
    grep -q "^\.It .*Fl Fl $word\( \|\$\)" "$dir/kaiwa.1" || missing="$missing $word"
done
[ -z "$missing" ]
ok $? "every option of kaiwa --help is in kaiwa(1)$missing"

[ "${KAIWA_LANGUAGES:-en ja}" = en ] ||
    { grep -q 'モデル' "$dir/ja/kaiwa.1" && ! grep -q '^talk on the screen' "$dir/ja/kaiwa.1"; }
ok $? "the lists of the Japanese page are in Japanese"
echo "1..$n"
