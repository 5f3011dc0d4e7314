#!/bin/bash
# compile_counts.sh COMPILER STEM OPTIONS...: compiles layers whose matrices are much larger than their vectors, for counting
# what kernels load, and with as many columns as several blocks share out. STEM.so and STEM.checked.simt.
set -e
here=$(dirname "$0") compiler=$1 stem=$2
shift 2
. "$here/../cuda/shape.sh"
model 2 512 8 2 64 1024 1040 > "$stem.mlir"
sh "$here/compile.sh" "$compiler" "$stem.mlir" "$stem" checked --random-weights "$@"
