#!/bin/sh
# kaiwa quantize, as a script or a pipe sees it.
. "${abs_top_srcdir:?}/tests/tap.sh"
model=$("$abs_top_builddir/tests/make_tiny" "$tmp/tiny") || exit 1
{ cat "$abs_top_srcdir/src/calibration.txt" && printf '%s\n' 'まだ続きがあります。'; } >"$tmp/text"

run quantize "$model" "$tmp/out" --group-size 32 --samples 8 --sample-tokens 64 --json
case $err in *liblapack*)
    echo "1..0 # SKIP no LAPACK"
    exit 0
    ;;
esac
like "$status|$out" '^0\|\{"out":"[^"]*","layers":2,"resumed":0,"calibration_tokens":[0-9]+,"heldout_tokens":[0-9]+,"before":\{"nll":[0-9.]+,"perplexity":[0-9.]+\},"after":\{"nll":[0-9.]+,"perplexity":[0-9.]+\},"seconds":[0-9.]+\}$' \
    "quantize --json prints the losses"
is "$err" "" "and nothing else"
is "$(ls "$tmp/out")" "config.json
generation_config.json
gptq_model-4bit-32g.safetensors
quantize_config.json
special_tokens_map.json
tokenizer.json
tokenizer_config.json" "the directory has what a model needs, and nothing of the work"
like "$(tr -d ' \n' <"$tmp/out/quantize_config.json")" \
    '^\{"bits":4,"group_size":32,"damp_percent":0.01,"desc_act":false,"static_groups":false,"sym":true,"true_sequential":true,"model_name_or_path":null,"model_file_base_name":"gptq_model-4bit-32g"\}$' \
    "quantize_config.json has the keys that AutoGPTQ knows"
like "$(tr -d ' \n' <"$tmp/out/config.json")" '"quantization_config":\{[^}]*"quant_method":"gptq"' \
    "config.json says that the model is quantised"
run models verify "$tmp/out"
is "$status" 0 "models verify has nothing against it"
run ask -m "$tmp/out" -t 0 -n 4 hello
is "$status" 0 "ask answers with it"

sum=$(cat "$tmp/out"/* | cksum)
run quantize "$model" "$tmp/out" --group-size 32
one_line "what is there is not overwritten"
is "$(cat "$tmp/out"/* | cksum)" "$sum" "and not touched"
run quantize "$model" "$tmp/act" --group-size -1 --act-order --asym --calibration "$tmp/text" --heldout "$tmp/text"
like "$out" '^after: .*\(loss [+-][0-9.]+ %\)$' "an asymmetric model of one group a column can be asked for, and texts of one's own"
like "$(cat "$tmp/act/quantize_config.json")" '"desc_act": true' "and says that it has act-order"
iconv -f UTF-8 -t UTF-16 "$tmp/text" >"$tmp/text16" 2>/dev/null
run quantize "$model" "$tmp/act16" --group-size -1 --act-order --asym --calibration "$tmp/text16" --heldout "$tmp/text" --threads 1
cmp -s "$tmp/act/gptq_model-4bit--1g.safetensors" "$tmp/act16/gptq_model-4bit--1g.safetensors"
ok $? "text in UTF-16 and another number of threads give the same file"

run quantize "$model"
is "$status" 2 "a name is needed for what is written"
run quantize "$model" "$tmp/new" --bits 3
like "$status|$err" '^2\|.*--bits: "3" is unknown' "other numbers of bits are refused"
run quantize "$model" "$tmp/new" --group-size 48
is "$status" 2 "other groups are refused"
run quantize "$model" "$tmp/new" --sym --asym
is "$status" 2 "so is --sym with --asym"
run quantize "$model" "$tmp/new" --calibration "$tmp/none"
one_line "a calibration text that is not there is an error"
: >"$tmp/empty"
run quantize "$model" "$tmp/new" --calibration "$tmp/empty"
like "$status|$err" '^2\|kaiwa: .*is empty' "an empty one too"
run quantize "$tmp/out" "$tmp/new"
one_line "a quantised model is refused"
run quantize "$tmp/none" "$tmp/new"
one_line "a model that is not there is an error"
[ ! -e "$tmp/new" ] && [ ! -e "$tmp/new.partial" ]
ok $? "none of these left anything behind"
done_testing
