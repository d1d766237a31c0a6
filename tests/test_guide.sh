#!/bin/sh
# The guide's training data, tokenizer and held-out questions, as far as they can be checked without training.
if ! command -v python3 >/dev/null; then
    echo "1..0 # SKIP no python3"
    exit 0
fi
PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1 exec python3 "$abs_top_srcdir/models/guide/check_data" \
    "$abs_top_builddir/man/kaiwa.1" "$KAIWA"
