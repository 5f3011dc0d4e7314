#!/bin/bash
# gate_sweep.sh LLMC FIXTURES FAMILIES WORKDIR [few | all | FILE]: --verify-passes over models and options, each of which
# must come out within its budgets. `all` is every model of the tests, each way of compiling it; `few` a part of that
# for ctest. FILE has cases of its own, a line each: a name, the source, options. FAMILIES holds the Hugging Face
# directories that the build has put together.
#
# WORKDIR/results.tsv then has a line for each comparison: the case and the columns of the table of --verify-passes;
# WORKDIR/summary.txt for each kind of comparison the largest errors and the largest part of a budget that was used.
set -u
llmc=$(realpath "$1") fixtures=$(realpath "$2") families=$(realpath "$3") work=$4 which=${5:-all}
[ -f "$which" ] && which=$(realpath "$which")
mkdir -p "$work"
cd "$work" || exit 1
export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$work/cache}
rm -rf results.tsv summary.txt failed.txt dump model.so*
touch results.tsv failed.txt

passes="fuse-rmsnorm-matmul fuse-swiglu fuse-epilogue fuse-qkv fuse-rope-attention"
without_fusions=$(printf ' --disable-pass %s' $passes)
context() { # frequencies of these depend on it
  case $1 in
  phi3) echo "--ctx 320" ;;
  rope-dynamic) echo "--ctx 300" ;;
  esac
}
add() { echo "$@"; } # NAME SOURCE OPTIONS...

# What ctest takes: passes left out, the decompositions, types of activations and caches, a list of them, and families
# with something that the others have not.
few_cases() {
  add granite-int8 "$families/granite" --quantize q8_0 --kv q8,f16 --disable-pass fuse-qkv --cpu avx2
  add llama-mixed-default-kernels "$fixtures/llama-mixed.gguf" --default-kernels --kv bf16 --cpu avx2
  add qwen2-window-f16 "$families/qwen2-window" --activations f16 --disable-pass fuse-rope-attention --cpu avx2
}

all_cases() {
  few_cases
  for folder in "$families"/*/; do
    name=$(basename "$folder")
    add "hf-$name" "$folder" $(context "$name")
    add "hf-$name-int8-without-fusions" "$folder" $(context "$name") --quantize q8_0 --cpu native $without_fusions
  done
  for source in "$fixtures/llama-gqa.gguf" "$fixtures/llama-mixed.gguf" "$families/qwen3" "$families/phi4-mini"; do
    name=$(basename "$source" .gguf)
    for pass in $passes; do add "$name-without-$pass" "$source" --disable-pass $pass --cpu native; done
    for case in f32:bf16 f32:q8,f16,f32 f16:f16 f16:q8 bf16:f32 bf16:bf16 int8:f32 int8:q8 int8:bf16,f16; do
      more=
      [ "${case%:*}-$name" = int8-llama-mixed ] || [ "${case%:*}" != int8 ] || more="--quantize q8_0"
      add "$name-$case" "$source" --activations "${case%:*}" --kv "${case#*:}" --cpu native $more
    done
    for kv in f32 f16,q8 q8; do add "$name-default-kernels-$kv" "$source" --default-kernels --kv $kv --cpu native; done
  done
  for file in "$fixtures"/*.gguf; do
    name=$(basename "$file" .gguf)
    add "$name" "$file"
    add "$name-default-kernels" "$file" --default-kernels --cpu native
  done
  for name in llama-bf16 llama-f16 llama-mha; do add "hf-$name" "$fixtures/hf/$name"; done
  for scheme in f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q4_k q6_k int8; do
    for source in "$families/llama3" "$fixtures/llama-f16.gguf"; do
      add "$(basename "$source" .gguf)-to-$scheme" "$source" --quantize $scheme --cpu native
    done
  done
  for file in "$fixtures"/families/*/model.gguf; do
    name=$(basename "$(dirname "$file")")
    add "gguf-$name" "$file" $(context "$name") --cpu native
  done
  for file in "$fixtures"/../e2e/graph/*.mlir; do
    add "graph-$(basename "$file" .mlir)" "$file" --cpu native
  done
}

case $which in few | all) ${which}_cases >cases.txt ;; *) cp "$which" cases.txt ;; esac
number=0 failures=0 total=$(wc -l <cases.txt)
while read -r name source options; do
  number=$((number + 1))
  # shellcheck disable=SC2086
  if ! "$llmc" compile "$source" -o model.so --verify-passes $options >words.txt 2>&1 </dev/null; then
    failures=$((failures + 1))
    echo "$name: $(tail -1 words.txt)" | tee -a failed.txt
  fi
  awk -v of="$name" 'BEGIN { OFS = "\t" }
    { comparison = substr($0, 1, 26); sub(/ +$/, "", comparison); n = split(substr($0, 27), f, " ") }
    n >= 8 && f[1] ~ /^[0-9]+$/ { print of, comparison, f[1], f[2], f[3], f[4], f[5], f[6], f[7] }' words.txt >>results.tsv
  [ -t 1 ] && printf '\r%d of %d' "$number" "$total"
done <cases.txt
rm -f model.so
awk -F '\t' '
  { ++n[$2]; used = $9; sub("%", "", used)
    if ($4 > max[$2] + 0) { max[$2] = $4 } if ($5 > mean[$2] + 0) mean[$2] = $5; if ($6 > logits[$2] + 0) logits[$2] = $6
    if (used + 0 >= most[$2] + 0) { most[$2] = used; where[$2] = $1 } }
  END { for (c in n) printf "%-26s %5d times  max %-9s mean %-9s logits %-9s used %s%% (%s)\n", c, n[c], max[c], mean[c], logits[c], most[c], where[c] }
  ' results.tsv | sort >summary.txt
cat summary.txt
echo "$number cases, $failures beyond their budgets"
[ "$number" -gt 0 ] && [ "$failures" -eq 0 ] && [ -s results.tsv ]
