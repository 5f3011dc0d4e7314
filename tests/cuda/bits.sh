#!/bin/bash
# bits.sh LLMC SOURCE WORKDIR [EMULATOR TOKENS OPTIONS...]: default kernels compute the same bits on the CPU and on a
# device (LLMC_DEVICE; unless it is set the EMULATOR, by default with all checks), for one token and for many, or for the TOKENS
# that are given. OPTIONS are those of `llmc logits`. A text gets random weights.
set -u
llmc=$1 source=$2 work=$3 device=${LLMC_DEVICE:-${4:-simt:checks=bounds+races}}
lists=(7 1,2,3,77,15 "$(seq -s, 9 -1 1),$(seq -s, 10 35)")
[ $# -lt 5 ] || lists=("$5")
options=("${@:6}")
weights=()
case $source in *.mlir) weights=(--random-weights) ;; esac
rm -rf "$work"
mkdir -p "$work"
export XDG_CACHE_HOME="$work/cache"
. "$(dirname "$0")/../device/require.sh"
require_device "$llmc"
limit_memory 8388608
fail() { echo "$*"; exit 1; }

"$llmc" compile "$source" -o "$work/model.so" --target cpu,cuda --default-kernels "${weights[@]}" || fail "does not compile"
logits() { # DEVICE TOKENS
  "$llmc" logits "$work/model.so" --tokens "$2" --all --device "$1" "${options[@]}" --json || fail "no logits on $1"
}
for tokens in "${lists[@]}"; do
  logits cpu "$tokens" > "$work/cpu.json"
  logits "$device" "$tokens" > "$work/device.json"
  cmp "$work/cpu.json" "$work/device.json" || fail "other bits for the tokens $tokens"
done
# The comparison can fail.
logits "$device" 8 > "$work/other.json"
! cmp -s "$work/device.json" "$work/other.json" || fail "another token gave the same logits"
