#!/bin/bash
# by_hand.sh LLMC MODEL.gguf MODEL.mlir WORKDIR: a model written by hand over the tensors of a GGUF file computes, to the
# last bit, what the GGUF file itself does. The text names "smollm2.gguf" beside it.
set -eu
llmc=$1 gguf=$2 text=$3 work=$4
rm -rf "$work"
mkdir -p "$work"
cp "$text" "$work/model.mlir"
ln -s "$gguf" "$work/smollm2.gguf"
"$llmc" compile "$work/model.mlir" -o "$work/by-hand.so"
"$llmc" compile "$gguf" -o "$work/imported.so"
for model in by-hand imported; do
  "$llmc" logits "$work/$model.so" --tokens 504,3575,282,4649,314,7042,30 --all --json >"$work/$model.json"
done
[ "$(wc -c <"$work/by-hand.json")" -gt 1000000 ] || { echo "the logits are missing"; exit 1; }
cmp "$work/by-hand.json" "$work/imported.json"
