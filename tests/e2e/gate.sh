#!/bin/bash
# gate.sh LLMC FIXTURES WORKDIR: --verify-passes from outside.
#   1. it finds nothing wrong with models that are right, whatever they are compiled to;
#   2. model.so has the same bytes with it and without;
#   3. a tolerance that no pass can keep stops the compile: one sentence, and no model.so;
#   4. wrong options are refused.
set -u
llmc=$1 fixtures=$(realpath "$2") work=$3
rm -rf "$work"
mkdir -p "$work"
cd "$work" || exit 1
failures=0
fail() { echo "$*"; failures=$((failures + 1)); }

# verify SOURCE OPTIONS...: the table is in verify.txt
verify() {
  rm -f verified.so
  "$llmc" compile "$1" -o plain.so "${@:2}" 2>plain.txt || fail "$*: $(cat plain.txt)"
  "$llmc" compile "$1" -o verified.so --verify-passes "${@:2}" 2>verify.txt || fail "$*: $(tail -1 verify.txt)"
  [ -f verified.so ] || fail "$*: no verified.so"
  cmp verified.so plain.so || fail "$*: other bytes"
}
row() { grep -q -E "^$1 +[0-9]+ .* [0-9.e+-]+$" verify.txt || fail "no line '$1' in: $(cat verify.txt)"; }

verify "$fixtures/llama-gqa.gguf"
for pass in fuse-rmsnorm-matmul fuse-swiglu fuse-epilogue fuse-qkv fuse-rope-attention plan-kv-cache lower-to-step; do row $pass; done
grep -q -E "^import +the first reference" verify.txt || fail "import is not the reference"
grep -q -E "^quantize +left the module as it was" verify.txt || fail "quantize is said to do something"
# The f32 kernels of this machine's variants, and the same bits however tokens are cut.
row "model.so .avx2."
grep -q -E "^  the tokens cut otherwise +[0-9]+ +0 +0 +0 +0 +0 " verify.txt || fail "other bits: $(cat verify.txt)"

verify "$fixtures/llama-bf16.gguf" --cpu avx2
row pack-bf16
verify "$fixtures/llama-q8_0.gguf" --quantize q4_k --kv q8,f16 --cpu avx2 --dump-ir dump --dump-filter "quantize|pack-bf16"
row quantize
grep -q '"verified": ' dump/passes.json || fail "passes.json says nothing of it"
"$llmc" compile "$fixtures/llama-mixed.gguf" -o plain.so --verify-passes --verify-layers 1 --cpu avx2 --activations bf16 \
  2>verify.txt || fail "one layer: $(tail -1 verify.txt)"
row lower-to-step
verify dump/07-pack-bf16.mlir

# A text whose weights are not at hand.
"$llmc" import "$fixtures/deep-2.gguf" -o text.mlir && sed -i 's/deep-2[.]gguf/nowhere.gguf/' text.mlir
"$llmc" compile text.mlir -o random.so --random-weights --cpu avx2 --verify-passes --quantize q6_k 2>verify.txt ||
  fail "random weights: $(tail -1 verify.txt)"
row quantize
"$llmc" compile text.mlir -o again.so --random-weights --cpu avx2 --quantize q6_k && cmp random.so again.so ||
  fail "random weights differ"
"$llmc" inspect random.so --json | grep -q '"random_weights": *true' || fail "the manifest does not say that weights are random"
"$llmc" compile text.mlir -o none.so --cpu avx2 2>none.txt && fail "compiles without weights"

# refused EXIT WORDS OPTIONS...
refused() {
  rm -f refused.so
  "$llmc" compile "$fixtures/llama-gqa.gguf" -o refused.so --cpu avx2 "${@:3}" 2>refused.txt
  code=$?
  [ $code -eq "$1" ] || fail "${*:3}: exit code $code"
  tail -1 refused.txt | grep -q -F -- "$2" || fail "${*:3}: $(cat refused.txt)"
  [ ! -e refused.so ] || fail "${*:3}: left a file"
}
refused 1 "lower-to-step changes what the model computes: 'attended' of layer 0 (lm.cached_attention) is " --verify-passes=1e-12
for word in x -1 0 1e9 1e; do refused 2 "--verify-passes: expected a number above 0 but got '$word'" --verify-passes=$word; done
refused 2 "a value of this option is written --verify-passes=0.1 (see" --verify-passes 0.1
refused 2 "--output: is given more than once (see" -o other.so
refused 2 "--verify-layers: belongs to --verify-passes" --verify-layers 1
rm -rf refused.so.failed
TMPDIR=$PWD/none refused 1 "error: --verify-passes: $PWD/none/llmc-state: cannot write: No such file or directory" --verify-passes
[ "$(wc -l < refused.txt)" = 1 ] && [ ! -e refused.so.failed ] || fail "a pass is blamed for a missing folder: $(cat refused.txt)"
for list in 0 1025 x 3- 1-0 1,1 0,,1 99999999999999999999 0-99999999999; do
  refused 2 "--verify-layers: expected a number of layers from 1 to 1024, or a rising list like 0-1,15,31, but got '$list'" \
    --verify-passes --verify-layers $list
done
refused 1 "--verify-layers: names layer 2, but the model has 2 layers, counted from 0" --verify-passes --verify-layers 0,2
grep -q '^pass ' refused.txt && fail "a table of nothing: $(cat refused.txt)"

# Some layers, which keep their numbers, and what is left of a failure looks at the same ones.
deep() { "$llmc" compile "$fixtures/deep-80.gguf" -o deep.so --activations f32 --cpu avx2 --verify-layers "$@" 2>deep.txt; }
deep 1,40-41,79 --verify-passes || fail "some layers: $(tail -1 deep.txt)"
deep 40-40,79 --verify-passes=1e-12 && fail "some layers: a tolerance of 1e-12 is kept"
tail -1 deep.txt | grep -q "lower-to-step changes what the model computes: 'attended' of layer 40 (lm.cached_attention)" ||
  fail "some layers: $(tail -1 deep.txt)"
grep -q -- "--verify-layers 40-40" deep.so.failed/run.sh || fail "$(cat deep.so.failed/run.sh)"
LLMC=$llmc deep.so.failed/run.sh 2>again.txt && fail "layer 40 does not fail again"
grep -q "'attended' of layer 40 " again.txt || fail "layer 40 fails otherwise: $(cat again.txt)"
# So does what is left of a failure of model.so; a program, which has all layers, is not cut.
"$llmc" compile "$fixtures/deep-2.gguf" -o late.so --activations f32 --cpu avx2 --verify-passes --verify-layers 1-1 \
  --plant-bug append-one-off --dump-ir late 2>late.txt && fail "a mistake in the kernels of layer 1 is not seen"
found="model.so (avx2) changes what the model computes: 'attended' of layer 1 (lm.cached_attention)"
tail -1 late.txt | grep -q -F "$found" || fail "layer 1: $(tail -1 late.txt)"
LLMC=$llmc late.so.failed/run.sh 2>again.txt && fail "layer 1 does not fail again"
tail -1 again.txt | grep -q -F "$found" || fail "layer 1 fails otherwise: $(tail -1 again.txt)"
"$llmc" compile late/*-lower-to-step.mlir -o late.so --verify-passes --verify-layers 1-1 2>late.txt && fail "cuts a program"
tail -1 late.txt | grep -q -F "error: --verify-layers: a step program is compiled with all of its layers" || fail "$(tail -1 late.txt)"
[ ! -e late.so ] || fail "left a file"
"$llmc" compile late/*-lower-to-step.mlir -o late.so --verify-passes --verify-layers 2 2>late.txt ||
  fail "all layers of a program: $(tail -1 late.txt)"
[ $failures -eq 0 ]
