#!/bin/bash
# keyed.sh LLMC SOURCE WORKDIR: kernels over visible keys, in steps that are recorded for as many keys as the next power
# of two, where neither tokens nor keys reach the most blocks a launch may have.
set -u
llmc=$1 source=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
export XDG_CACHE_HOME="$work/cache"
ulimit -v 8388608
fail() { echo "$*"; exit 1; }

"$llmc" compile "$source" -o "$work/model.so" --target cpu,cuda --default-kernels --random-weights || fail "does not compile"
tokens=$(seq -s, 1 63),$(seq -s, 1 63),7,8
for device in cpu simt:checks=bounds; do
  "$llmc" logits "$work/model.so" --tokens $tokens --all --batch 16 --ctx 131 --device $device --json > "$work/${device%:*}.json" ||
    fail "no logits on $device"
done
cmp "$work/cpu.json" "$work/simt.json" || fail "other bits"
