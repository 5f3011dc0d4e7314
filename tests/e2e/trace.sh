#!/bin/bash
# trace.sh LLMC MODEL.gguf REFERENCE WORKDIR: what MODEL computes is layer by layer what the committed trace says, which
# tests/support/trace_transformers.py made of the same file; as the passes leave it and as the frontend wrote it; from
# GGUF and from text. A weight that is wrong in one layer is found there.
set -u
llmc=$1 model=$(realpath "$2") reference=$(realpath "$3") work=$4
rm -rf "$work"
mkdir -p "$work"
cd "$work" || exit 1
failures=0
fail() { echo "$*"; failures=$((failures + 1)); }
trace() { "$llmc" logits "$1.so" --tokens 1,5,9,2,77,31,100 --all --json --trace "$1" --trace-values > "$1.json" || fail "trace $1"; }
# Sums in another order through a few layers: 2e-5 standard deviations are seen.
agrees() { "$llmc" compare-trace "$1" "$2" --tolerance 1e-4 > "$2.txt" || fail "$2 is not $1: $(cat "$2.txt")"; }
has() { for value in "${@:2}"; do grep -q -E "^$value " "$1.txt" || fail "$1 has no $value: $(cat "$1.txt")"; done; }

fused="embedded 0[.]q 0[.]new_k 0[.]new_v 0[.]attended 0[.]h_attn 0[.]gated 1[.]h_next logits"
"$llmc" compile "$model" -o fused.so --activations f32 --cpu native || fail compile
trace fused
agrees "$reference" fused
has fused $fused

plain=$(for pass in fuse-rmsnorm-matmul fuse-swiglu fuse-epilogue fuse-qkv fuse-rope-attention; do echo --disable-pass $pass; done)
"$llmc" compile "$model" -o plain.so --activations f32 --cpu native $plain || fail "compile without fusions"
trace plain
agrees "$reference" plain
has plain $fused 0[.]attn_in 0[.]gate 0[.]up 0[.]activated 0[.]mlp_out 1[.]attn_out 1[.]mlp_in

"$llmc" import "$model" -o text.mlir && "$llmc" compile text.mlir -o text.so --activations f32 --cpu native || fail "compile text"
trace text
agrees fused text
has text $fused
grep -q '"location":"text.mlir:[0-9]' text/trace.json || fail "the places are no lines of the text"

# Layer 1 reads the gains of layer 0's norm: all before it agrees.
sed '0,/blk[.]{i}[.]ffn_norm[.]weight/s//blk.0.ffn_norm.weight/' text.mlir > wrong.mlir
cmp -s text.mlir wrong.mlir && fail "nothing was changed"
"$llmc" compile wrong.mlir -o wrong.so --activations f32 --cpu native || fail "compile wrong"
trace wrong
"$llmc" compare-trace "$reference" wrong > wrong.txt 2> wrong.err && fail "a wrong weight is not seen"
grep -q "the first: '1[.]gated' differs" wrong.err || fail "wrong place: $(cat wrong.err)"
[ $failures -eq 0 ]
