#!/bin/bash
# bits.sh LLMC SOURCE WORKDIR: default kernels compute the same bits on the CPU and in the emulator of a GPU, for one token
# and for many; the model's own kernels for the CPU, which sum in another order, nearly the same.
set -u
llmc=$1 source=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
export XDG_CACHE_HOME="$work/cache"
ulimit -v 8388608
fail() { echo "$*"; exit 1; }

"$llmc" compile "$source" -o "$work/model.so" --target cpu,cuda --default-kernels || fail "does not compile"
for tokens in 7 1,2,3,77,15 9,8,7,6,5,4,3,2,1,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35; do
  for device in cpu simt; do
    "$llmc" logits "$work/model.so" --tokens $tokens --all --device $device --json > "$work/$device.json" ||
      fail "no logits on $device"
  done
  cmp "$work/cpu.json" "$work/simt.json" || fail "other bits for the tokens $tokens"
done
# The comparison can fail.
"$llmc" logits "$work/model.so" --tokens 8 --all --device simt --json > "$work/other.json"
! cmp -s "$work/simt.json" "$work/other.json" || fail "another token gave the same logits"
