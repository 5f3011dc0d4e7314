#!/bin/bash
# dump_dies.sh LLMC MODEL WORKDIR: of a compile that dies, --dump-ir leaves what was made until then: passes.json lists it
# and says that it is not all, other commands read it, and the next dump in the same folder removes it.
set -u
llmc=$1 model=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
cd "$work" || exit 1
failures=0
fail() { echo "$*"; failures=$((failures + 1)); }

# left WHAT FOLDER PASS...: the folder holds the files that its table names, among them those of the passes.
left() {
  local what=$1 dump=$2
  grep -q '"complete": false' "$dump/passes.json" || fail "$what: passes.json does not say that it is not all"
  sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$dump/passes.json" | sort >named
  (cd "$dump" && ls | grep '[.]mlir') >found
  # The last one may have been about to be named.
  [ -z "$(comm -23 named found)" ] && [ "$(comm -13 named found | wc -l)" -le 1 ] ||
    fail "$what: the files are not those that passes.json names: $(diff named found)"
  for pass in "${@:3}"; do grep -q -- "-$pass[.]mlir$" found || fail "$what: no file of $pass"; done
  "$llmc" explore "$dump" -o report.html || fail "$what: cannot be explored"
}
# cleared WHAT FOLDER: a dump of one pass is all that the folder holds then.
cleared() {
  "$llmc" compile "$model" --stop-after fuse -o fused.mlir --dump-ir "$2" --dump-filter '^fuse-qkv$' || fail "$1: no new dump"
  [ "$(cd "$2" && find . -type f | sed 's/[0-9]*-//' | sort | tr '\n' ' ')" = "./fuse-qkv.mlir ./kernels.json ./passes.json " ] ||
    fail "$1: left in the folder: $(cd "$2" && find . -type f)"
}

# The backend gives up.
"$llmc" compile "$model" -o model.so --cpu avx2 --no-cache --dump-ir aborted --plant-bug kernels-abort 2>aborted.txt && fail "does not die"
left aborted aborted import fuse-rmsnorm-matmul lower-to-step
cleared aborted aborted

# Somebody kills it while kernels are lowered.
"$(dirname "$llmc")/llmc-compile" compile "$model" -o model.so --no-cache --dump-ir killed 2>killed.txt &
compiler=$!
for _ in $(seq 2000); do
  [ -e killed/10-*.mlir ] && break
  sleep 0.005
done
kill -KILL $compiler
wait $compiler 2>/dev/null && fail "had ended before it was killed"
left killed killed import lower-to-step emit-kernels
: >killed/passes.json.1a2b-3-4.tmp # what may be there by chance
: >killed/kernels/k.avx2.ll.1a2b-3-4.tmp
cleared killed killed
[ $failures -eq 0 ]
