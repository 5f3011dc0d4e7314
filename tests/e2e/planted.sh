#!/bin/bash
# planted.sh LLMC MODEL WORKDIR: --verify-passes finds mistakes. Each is planted into the work of one pass (--plant-bug,
# codegen/PlantBug.h); the compile must stop there, name pass, layer, value and op, and leave no model.so. Without
# the check the same compile goes through, so it is the check that found it.
set -u
llmc=$1 model=$2 work=$3
rm -rf "$work"
mkdir -p "$work/states"
export TMPDIR=$work/states # where compiled states stand while they run
failures=0
fail() { echo "$*"; failures=$((failures + 1)); }

# planted BUG WORDS OPTIONS...: an extended regular expression for the sentence
planted() {
  "$llmc" compile "$model" -o "$work/model.so" --cpu avx2 --plant-bug "$1" --verify-passes "${@:3}" \
    2>"$work/$1.txt"
  code=$?
  [ $code -eq 1 ] || fail "$1: exit code $code"
  tail -1 "$work/$1.txt" | grep -q -E "^llmc: error: .*--verify-passes: $2" || fail "$1: $(tail -1 "$work/$1.txt")"
  [ ! -e "$work/model.so" ] || fail "$1: left a model.so"
}
# again BUG PHASE LAYERS: what is left of the failure shows it by itself, without the other passes and layers.
again() {
  sed "s/; .*//" "$work/$1.txt" | tail -1 >"$work/$1.first"
  grep -q -F -- "--start-from $2 " "$work/model.so.failed/run.sh" || fail "$1: $(cat "$work/model.so.failed/run.sh")"
  [ "$3" = - ] || grep -q "count = $3 " "$work/model.so.failed/before.mlir" || fail "$1: not reduced to $3 layers"
  LLMC=$llmc "$work/model.so.failed/run.sh" 2>"$work/$1.again" && fail "$1: does not fail again"
  sed "s/; .*//" "$work/$1.again" | tail -1 | sed "s/^llmc: error: [^-]*//" >"$work/$1.second"
  sed "s/^llmc: error: [^-]*//" "$work/$1.first" | diff - "$work/$1.second" || fail "$1: fails otherwise"
}
changes="changes what the model computes:"
attention="'attended' of layer 0 \(lm.cached_attention\) is "
planted norm-weight "fuse-rmsnorm-matmul $changes 'q' of layer 0 \(lm.fused_linear\) is "
again norm-weight fuse 2
planted residual-twice "fuse-epilogue $changes 'h_attn' of layer 0 \(lm.fused_linear\) is "
planted rope-pairs "fuse-rope-attention $changes $attention"
planted softmax-scale "fuse-rope-attention $changes $attention"
planted unpack-zero-point "quantize $changes 'q' of layer 0 \(lm.fused_linear\) is " --quantize q4_0
planted pack-zero-point "quantize stores 'blk.0.attn_q.weight', row 0, columns 0 to 31 with an error of " --quantize q4_0
planted next-layer "lower-to-step $changes 'q' of layer 0 \(lm.fused_linear\) is "
again next-layer step 2
planted append-one-off "the code of model.so \(avx2\) $changes $attention"
again append-one-off llvm -
planted mixed-sequences "the code of model.so \(avx2\) $changes ${attention}[^ ]+ at sequence "
planted odd-rows "the code of model.so \(avx2\) $changes 'q' of layer 0 \(lm.fused_linear\) is "

# The same where all that kernels read is rounded to 8 bits, and budgets are the widest.
int8="--activations int8 --kv q8 --quantize q8_0"
planted append-one-off "the code of model.so \(avx2\) $changes $attention" $int8
planted mixed-sequences "the code of model.so \(avx2\) $changes ${attention}[^ ]+ at sequence " $int8
planted odd-rows "the code of model.so \(avx2\) $changes 'q' of layer 0 \(lm.fused_linear\) is " $int8

# Code that crashes, and a compiler that does: a failure like others.
crash="its code crashes behind '[^']+'( of layer 0)?: Segmentation fault;"
abort="the compiler crashes on it: Aborted: LLVM ERROR: planted;"
planted default-kernels-crash "what quantize has left cannot be run: $crash" --quantize q4_0
again default-kernels-crash quantize -
planted default-kernels-abort "what quantize has left cannot be run: $abort" --quantize q4_0
again default-kernels-abort quantize -
planted kernels-crash "model.so \(avx2\) cannot be run: $crash"
again kernels-crash llvm -
planted kernels-abort "the kernels of model.so cannot be compiled: $abort"
again kernels-abort llvm -
[ -z "$(ls "$work/states")" ] || fail "crashes leave $(ls "$work/states")"

"$llmc" compile "$model" -o "$work/model.so" --cpu avx2 --plant-bug norm-weight 2>"$work/unseen.txt" ||
  fail "without the check: $(cat "$work/unseen.txt")"
"$llmc" inspect "$work/model.so" --json | grep -q '"planted_bug": *"norm-weight"' || fail "the manifest does not name the mistake"
"$llmc" compile "$model" -o "$work/other.so" --plant-bug no-such-bug 2>"$work/unknown.txt" && fail "an unknown mistake is planted"
"$llmc" compile --help | grep -q plant && fail "--help speaks of planted bugs"
[ $failures -eq 0 ]
