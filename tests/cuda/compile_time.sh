#!/bin/bash
# compile_time.sh LLMC WORKDIR: compiles kernels for cuda of a model of the shape of an 8B, without its weights, and prints
# what they take of a processor. 32 layers take as long as 2, and less than 15 seconds, which is the aim by the clock on
# two cores. What the clock shows depends on what else runs, and the time of processors hardly does; where nothing else runs the
# clock shows less than it.
set -u
llmc=$1 work=$2
rm -rf "$work"
mkdir -p "$work"
ulimit -v 8388608
fail() { echo "$*"; exit 1; }

. "$(dirname "$0")/shape.sh"

TIMEFORMAT='%U %S'
milliseconds() { # LAYERS: of a processor, whatever else it does; the phase llvm leaves PTX and packs no weights
  model "$1" 4096 32 8 128 14336 128256 > "$work/model$1.mlir"
  { time "$llmc" compile "$work/model$1.mlir" --random-weights --quantize q4_0 --target cuda --stop-after llvm \
    --dump-ir "$work/dump$1" --no-cache --ptxas none || echo failed; } 2>&1 | awk '{ print int(1000 * ($1 + $2)) }'
}
few=$(milliseconds 2) many=$(milliseconds 32)
[ "$(ls "$work/dump32/kernels/"*.ptx | wc -l)" = "$(ls "$work/dump2/kernels/"*.ptx | wc -l)" ] || fail "other kernels"
echo "2 layers: $few ms, 32 layers: $many ms"
[ "$few" -gt 100 ] && [ "$many" -lt $((few + few / 2 + 1000)) ] || fail "the time depends on the layers"
[ "$many" -lt 15000 ] || fail "more than 15 seconds"
