#!/bin/bash
# every_op.sh LLMC MLIR WORKDIR [OPTIONS...]: PTX of a model that has every op of the dialect once (tests/ir/decompose.mlir).
# Its cached attention, which would append to the one cache a second time, is left out: all models in the fixtures have one.
set -u
mkdir -p "$3.source"
sed -e '/= lm\.cached_attention /d' -e 's/lm\.mul %a, %c /lm.mul %a, %a /' "$2" > "$3.source/model.mlir"
exec "$(dirname "$0")/ptx.sh" "$1" "$3.source/model.mlir" "$3" again --random-weights "${@:4}"
