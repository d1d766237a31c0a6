#!/bin/sh
# The chat on the screen of a terminal, turn by turn (chat_pty.py), on the bundled guide or else a test
# model.  KAIWA_TEST_BACKEND: cpu or cuda; KAIWA_CHAT_MODEL: another model.
set -u
KAIWA=${KAIWA:-$PWD/kaiwa}
src=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
models=${KAIWA_TEST_MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/kaiwa-test-models}
backend=${KAIWA_TEST_BACKEND:-cpu}
skip() {
    if [ "${CI:-}" = true ] && [ "$backend" = cpu ]; then
        echo "1..1"
        echo "not ok 1 - $1"
    else
        echo "1..0 # SKIP $1"
    fi
    exit 0
}

command -v python3 >/dev/null || skip "no python3"
if [ "$backend" = cuda ] && ! "$KAIWA" --version | grep -q 'sm_[0-9]'; then
    why=$("$KAIWA" --version | sed -n 's/^backend: cuda: //p')
    skip "no GPU: ${why:-this build has no CUDA}"
fi
if [ -z "${KAIWA_CHAT_MODEL:-}" ]; then
    for model in "$src"/models/guide/*.safetensors "$models/smollm2-gptq-g64-sym/model.safetensors" \
        "$models/smollm2-gptq-g64-sym"/*.safetensors; do
        if [ -r "$model" ]; then
            KAIWA_CHAT_MODEL=$(dirname "$model")
            break
        fi
    done
fi
[ -n "${KAIWA_CHAT_MODEL:-}" ] || skip "no test model in $models"
[ "$backend" = cuda ] || set -- --threads 1 "$@"
# Instrumented code is slow.
[ -z "${KAIWA_SANITIZER:-}" ] || set -- --patience 600 "$@"
PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1 exec python3 "$src/tests/chat_pty.py" "$KAIWA" "$KAIWA_CHAT_MODEL" \
    --backend "$backend" "$@"
