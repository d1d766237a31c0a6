#!/bin/sh
# What the README and the manual show is what the guide says.
if ! command -v python3 >/dev/null; then
    echo "1..0 # SKIP no python3"
    exit 0
fi
exec python3 "$abs_top_srcdir/tests/check-examples" "$abs_top_srcdir" "$KAIWA"
