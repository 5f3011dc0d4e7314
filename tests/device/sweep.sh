#!/bin/bash
# sweep.sh LLMC COMPARE FIXTURES FAMILIES WORKDIR [I/N | NAME...]: models of the tests in the emulator against the CPU, with
# the GPU's own kernels and with --default-kernels, checked for bounds and races, in three orders of threads. All of
# them, or only every N-th from the I-th on, or those of these names, which are what it prints. FAMILIES holds the
# Hugging Face directories that the build has put together.
#
# A line for each model: the largest difference of logits in standard deviations, of both ways, or what went wrong.
# It must not be more than 0.001.
set -u
llmc=$(realpath "$1") compare=$(realpath "$2") fixtures=$(realpath "$3") families=$4 work=$5
shift 5
rm -rf "$work"
mkdir -p "$work"
families=$(realpath "$families")
cd "$work" || exit 1
export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$PWD/cache}
ulimit -v 8388608

models() { # NAME SOURCE
  local file folder
  for file in "$fixtures"/*.gguf; do echo "$(basename "$file" .gguf) $file"; done
  for folder in "$families"/*/; do echo "hf-$(basename "$folder") $folder"; done
  for folder in "$fixtures"/hf/*/; do echo "$(basename "$folder")-directory $folder"; done
  for file in "$fixtures"/families/*/model.gguf; do echo "gguf-$(basename "$(dirname "$file")") $file"; done
  for file in "$fixtures"/../e2e/graph/*.mlir; do echo "graph-$(basename "$file" .mlir) $file"; done
}

# difference OPTIONS...: of the model in $source. The CPU's side is always its own kernels.
difference() {
  "$llmc" compile "$source" -o device.so --target cuda --ptxas none --activations f32 "$@" &&
    "$(dirname "$llmc")/llmc-compile" simt device.so -o device.simt --checks --cache-dir "$XDG_CACHE_HOME/simt" &&
    timeout 120 "$compare" cpu.so device.so device.simt 1 2 3
}
attempt() { difference "$@" 2> words.txt || echo "$(tail -1 words.txt | cut -c1-200)!"; }

part=0 parts=1
case ${1:-} in [0-9]*/[0-9]*) part=${1%/*} parts=${1#*/}; shift ;; esac
place=0 number=0 failures=0
while read -r name source; do
  place=$((place + 1))
  [ $((place % parts)) = $((part % parts)) ] || continue
  [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
  number=$((number + 1))
  if ! "$llmc" compile "$source" -o cpu.so --cpu avx2 --activations f32 2> words.txt; then
    own=$(tail -1 words.txt)! default=
  else
    own=$(attempt) default=$(attempt --default-kernels)
  fi
  verdict=
  for found in "$own" "$default"; do
    awk -v x="$found" 'BEGIN { exit !(x ~ /^[0-9.]+e[-+][0-9]+$/ && x <= 0.001) }' || verdict=" <-- wrong"
  done
  [ -z "$verdict" ] || failures=$((failures + 1))
  printf '%-28s own %-9s default %-9s%s\n' "$name" "$own" "$default" "$verdict"
done < <(models)
echo "$number models, $failures wrong"
[ "$number" -gt 0 ] && [ $failures -eq 0 ] && { [ $# = 0 ] || [ $number -eq $# ]; }
