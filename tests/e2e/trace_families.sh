#!/bin/bash
# trace_families.sh LLMC PYTHON SCRIPT FOLDER WORKDIR TOLERANCE NAME...: the models of a folder agree with transformers
# layer by layer. Exits with 77 where there is no transformers.
set -u
llmc=$1 python=$2 script=$3 families=$4 work=$5 tolerance=$6
shift 6
"$python" -c 'import torch, transformers, gguf' 2>/dev/null || { echo "no transformers: nothing was tested"; exit 77; }
rm -rf "$work"
mkdir -p "$work"
cd "$work" || exit 1
failures=0
fail() { echo "$*"; failures=$((failures + 1)); }
tokens=$(seq -s, 3 9 84)
for name in "$@"; do
  "$llmc" compile "$families/$name" -o "$name.so" --activations f32 --cpu native &&
    "$llmc" logits "$name.so" --tokens "$tokens" --all --json --trace "$name" --trace-values >"$name.json" &&
    "$python" "$script" "$families/$name" "$name.ref" --tokens "$tokens" || { fail "$name"; continue; }
  "$llmc" compare-trace "$name.ref" "$name" --tolerance "$tolerance" >"$name.txt" || fail "$name: $(cat "$name.txt")"
  values=$(grep -cE '^([0-9]+[.])?[a-z_]+ +[0-9]+ ' "$name.txt")
  [ "$values" -ge 14 ] || fail "$name: only $values values: $(cat "$name.txt")"
  echo "$name: $values values, the largest difference $(awk '$2 ~ /^[0-9]+$/ && $3 > most { most = $3 } END { print most }' "$name.txt")"
done
[ $failures -eq 0 ]
