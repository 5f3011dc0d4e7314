#!/bin/bash
# slow_matmuls.sh LLMC FIXTURES WORKDIR: matmuls that a GPU runs by their decomposition are told of where a model is compiled
# and where it is inspected.
set -u
llmc=$1 fixtures=$2 work=$3
ulimit -v 8388608
export LLMC_PTXAS=none
rm -rf "$work"
mkdir -p "$work"
fail() { echo "$*"; exit 1; }
compile() { # FIXTURE OPTIONS...: words on stderr
  "$llmc" compile "$fixtures/$1.gguf" -o "$work/model.so" --target cpu,cuda --cpu avx2 --cache-dir "$work/cache" "${@:2}" 2> "$work/words" ||
    fail "$1 does not compile: $(cat "$work/words")"
}
told() { "$llmc" inspect "$work/model.so" | grep 'without a kernel of their own'; }

compile llama-q4_k_m
line=$(cat "$work/words")
[[ "$line" =~ ^'llmc: cuda: '([0-9]+)' matmuls have no kernel of their own ('(.*)'): they run by their decomposition, right but slowly'$ ]] ||
  fail "expected a note: $line"
total=${BASH_REMATCH[1]} schemes=${BASH_REMATCH[2]}
[[ "$schemes" == *q4_k* && "$schemes" == *q6_k* ]] || fail "expected q4_k and q6_k: $schemes"
sum=$(echo "$schemes" | tr ',' '\n' | awk '{ n += $2 } END { print n }')
[ "$sum" = "$total" ] && [ "$total" -gt 4 ] || fail "$total matmuls, but $sum by scheme"
[ "$(told)" = "             $total matmuls without a kernel of their own, which is slow ($schemes)" ] || fail "inspect: $(told)"

for quiet in "llama-q8_0" "llama-bf16" "llama-q4_k_m --default-kernels"; do
  compile $quiet
  [ ! -s "$work/words" ] && ! told || fail "$quiet: $(cat "$work/words")"
done
