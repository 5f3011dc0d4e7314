#!/bin/bash
# ptxas_shape.sh PTXAS LLMC WORKDIR "HIDDEN HEADS KV_HEADS HEAD_DIM FFN VOCAB" OPTIONS...: assembles the kernels of a model of
# this shape, compiled with these options and without its weights, and fails where one spills. Without ptxas there is
# nothing to be said (77).
set -u
ptxas=$1 llmc=$2 work=$3 shape=$4
shift 4
[ -n "$ptxas" ] && [ -x "$ptxas" ] || { echo "no ptxas (see LLMC_PTXAS)"; exit 77; }
here=$(dirname "$0")
. "$here/shape.sh"
ulimit -v 8388608
rm -rf "$work"
mkdir -p "$work"
model 1 $shape > "$work/model.mlir"
"$llmc" compile "$work/model.mlir" --random-weights --target cuda --stop-after llvm --dump-ir "$work/dump" --no-cache \
  --ptxas none "$@" || { echo "does not compile"; exit 1; }
"$here/ptxas.sh" "$ptxas" "$work/dump/kernels"
