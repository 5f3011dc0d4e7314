#!/bin/bash
# structure.sh LLMC MODEL [OPTIONS...]: what a fully fused model looks like after the lowering to step: at most five
# dispatches a layer, and no kernel that would write a normed or rotated activation to a buffer.
#
# The arena holds what kernels write. A kernel's text says which op it computes; only these may stand in it:
#   embed, asked_rows, scale          rows as they are, or times a number
#   linear, fused_linear              a norm is the prologue of the matmul, its result a matmul's
#   cached_attention with rope_base   norms heads and rotates by itself; q and k reach it as the matmul wrote them
# Kernels of hidden rows do not count: they run only in steps that ask for these.
# The same check must refuse a model whose norms or rotations were left alone, or it would check nothing.
set -u
llmc=$1 model=$2
shift 2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# One line for each fault.
faults() { # FILE
  awk '
    /^ *step\.kernel @/ { kernel = /rows = hidden/ ? "" : $2; next }
    # The op that a kernel computes is the line before its step.return.
    kernel != "" && /lm\./ {
      match($0, /lm\.[a-z_0-9]+/); op = substr($0, RSTART, RLENGTH); kernels++
      if (op != "lm.embed" && op != "lm.asked_rows" && op != "lm.scale" && op != "lm.linear" && op != "lm.fused_linear" &&
          op != "lm.cached_attention")
        print "kernel " kernel " is a " op
      if (op == "lm.cached_attention" && $0 !~ /rope_base/)
        print "kernel " kernel " does not rotate by itself"
      if (op == "lm.fused_linear" && $0 ~ /norm = /) norms++
      if (op == "lm.cached_attention") attentions++
      kernel = ""
    }
    /^ *step\.dispatch @/ {
      dispatches++
      if (match($0, /layer = [0-9]+/)) count[substr($0, RSTART + 8, RLENGTH - 8)]++
    }
    END {
      for (layer in count) {
        layers++
        if (count[layer] > most) most = count[layer]
        if (count[layer] > 5) print "layer " layer " has " count[layer] " dispatches"
      }
      if (kernels == 0 || layers == 0 || norms == 0 || attentions == 0) print "nothing was found to check"
      printf "%d kernels, %d dispatches, %d layers of at most %d dispatches\n", kernels, dispatches, layers, most > "/dev/stderr"
    }' "$1"
}

"$llmc" compile "$model" --stop-after step -o "$work/step.mlir" "$@" || exit 1
found=$(faults "$work/step.mlir")
if [ -n "$found" ]; then
  printf '%s\n' "$found"
  exit 1
fi
for pass in fuse-rmsnorm-matmul fuse-rope-attention fuse-qkv; do
  "$llmc" compile "$model" --stop-after step -o "$work/step.mlir" "$@" --disable-pass $pass || exit 1
  [ -n "$(faults "$work/step.mlir" 2>/dev/null)" ] || { echo "without $pass nothing was found wrong"; exit 1; }
done
