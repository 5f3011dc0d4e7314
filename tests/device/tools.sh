#!/bin/bash
# tools.sh LLMC SOURCE WORKDIR: traces, profiles, benchmarks and the gate with code that runs on a device.
set -u
llmc=$1 source=$2 work=$3 device=${LLMC_DEVICE:-simt}
rm -rf "$work"
mkdir -p "$work"
export XDG_CACHE_HOME="$work/cache"
. "$(dirname "$0")/require.sh"
require_device "$llmc"
limit_memory 8388608
fail() { echo "$*"; exit 1; }

"$llmc" compile "$source" -o "$work/model.so" --target cpu,cuda --activations f32 || fail "does not compile"

for side in cpu "$device"; do
  "$llmc" logits "$work/model.so" --tokens 3,1,4,1,5 --all --device $side --trace "$work/$side" --trace-values > /dev/null ||
    fail "no trace on $side"
done
"$llmc" compare-trace "$work/cpu" "$work/$device" --tolerance 0.001 > "$work/compared" || fail "$(cat "$work/compared")"
[ "$(grep -cE '^[01]\.(attended|h_attn|gated|h_next) ' "$work/compared")" = 8 ] || fail "expected four values of each layer: $(cat "$work/compared")"
"$llmc" logits "$work/model.so" --tokens 3,1,4,2,5 --all --device "$device" --trace "$work/other" --trace-values > /dev/null
! "$llmc" compare-trace "$work/cpu" "$work/other" --tolerance 0.001 > /dev/null 2>&1 || fail "other tokens gave the same trace"

"$llmc" run "$work/model.so" --tokens 1,2,3 -n 4 --device "$device" --profile="$work/profile.json" 2> "$work/profile" > /dev/null ||
  fail "no profile: $(cat "$work/profile")"
grep -q '"phases":\[{' "$work/profile.json" || fail "no phases in the profile"
"$llmc" bench "$work/model.so" --device "$device" -p 4 -n 2 -r 1 --json > "$work/bench.json" || fail "no benchmark"
grep -q "\"device\":\"$device" "$work/bench.json" || fail "$(cat "$work/bench.json")"
"$llmc" bench "$work/model.so" --device "$device" -p 4 -n 0 -r 1 | grep -q '^device    .*not known' || fail "expected no claim of a device"

[ "$device" = simt ] || exit 0 # what follows is of the emulator
# Ctrl-C, whenever it comes, leaves nothing of the code that is made for a run.
mkdir "$work/tmp"
for delay in 0.02 0.05 0.1 0.2 0.4; do
  TMPDIR=$work/tmp timeout -s INT $delay "$llmc" run "$work/model.so" --device simt --tokens 1,2,3 -n 2 > /dev/null 2>&1
  [ -z "$(ls "$work/tmp")" ] || fail "an interrupt after $delay s left $(ls "$work/tmp"/*)"
done
mkdir "$work/a,b" # names of files may have what options are split at
TMPDIR=$work/a,b "$llmc" logits "$work/model.so" --device "simt:counts=$work/a,b/counts,seed=3" --tokens 1 > /dev/null &&
  grep -q "^kernel.*memory" "$work/a,b/counts" || fail "no counts"
TMPDIR=$work/none "$llmc" logits "$work/model.so" --device simt --tokens 1 > "$work/out" 2> "$work/err" && fail "a folder in no folder"
grep -qx "llmc: error: TMPDIR=$work/none: cannot make a folder: No such file or directory" "$work/err" || fail "$(cat "$work/err")"
"$llmc" logits "$work/model.so" --device "simt:counts=$work/none/counts" --tokens 1 > "$work/out" 2> "$work/err" && fail "counts went nowhere"
grep -qx "llmc: error: $work/none/counts: cannot be written: No such file or directory" "$work/err" && [ ! -s "$work/out" ] || fail "$(cat "$work/err")"
# Nothing is written over what is read.
refused() { # WORDS COMMAND...
  local words=$1
  shift
  "$@" > "$work/out" 2> "$work/err" && fail "not refused: $*"
  grep -qF -- "$words" "$work/err" && [ "$(wc -l < "$work/err")" = 1 ] || fail "$*: $(cat "$work/err")"
}
cp "$work/model.so" "$work/kept.so"
refused "model.so: counts cannot be written to it, it is also read as" \
  "$llmc" logits "$work/model.so" --device "simt:counts=$work/model.so" --tokens 1
refused "/dev/full: cannot be written: No space left on device" \
  "$llmc" logits "$work/model.so" --device simt:counts=/dev/full --tokens 1
refused "model.so: cannot be written, it is also read as" "$llmc-compile" simt "$work/model.so" -o "$work/model.so"
refused "/dev/null: is there and not a regular file" "$llmc-compile" simt "$work/model.so" -o /dev/null
echo q8_0 > "$work/rules"
refused "rules: cannot be written, it is also read as" "$llmc" compile "$source" --quantize "@$work/rules" -o "$work/rules"
cmp "$work/model.so" "$work/kept.so" && [ "$(cat "$work/rules")" = q8_0 ] || fail "something was written over"
# A cached model stays where only its code for the emulator is damaged.
cached() { find "$XDG_CACHE_HOME/llmc" -maxdepth 1 -name '*.so' -printf '%f %i\n'; }
"$llmc" logits "$source" --device simt --tokens 1 > /dev/null 2>&1 && models=$(cached) && [ -n "$models" ] || fail "no model in the cache"
echo damaged > "$work/damaged"
for file in damaged none; do
  "$llmc" logits "$source" --device "simt:code=$work/$file" --tokens 1 > "$work/out" 2> "$work/err" && fail "$file: runs"
  grep -q "^llmc: error: $work/$file: " "$work/err" && [ "$(cached)" = "$models" ] || fail "$file: $(cat "$work/err")"
done
# One step is long here: the bar of a prompt moves within it. (Bare machines have no terminals to be made.)
ids=$(seq -s, 1 200)
if script -qec true /dev/null > /dev/null 2>&1; then
  TERM=xterm script -qec "'$llmc' logits '$work/model.so' --device simt:checks=bounds+races --tokens $ids" /dev/null > "$work/terminal" ||
    fail "$(cat "$work/terminal")"
  grep -aoE 'prompt [^%]*[1-9][0-9]? %' "$work/terminal" | grep -v '100 %' > "$work/shown" ||
    fail "the bar does not move: $(cat "$work/terminal")"
fi
"$llmc" logits "$work/model.so" --device simt --tokens "$ids" > "$work/silent" 2>&1 && [ "$(wc -l < "$work/silent")" -lt 20 ] || fail "$(cat "$work/silent")"
XDG_CACHE_HOME="$work/untouched" "$llmc" logits "$work/model.so" --device simt --no-cache --tokens 1 > /dev/null && [ ! -e "$work/untouched" ] ||
  fail "--no-cache keeps something"
# By default the device's program rounds less than the CPU's, which multiplies int8; a budget is of what it rounds to itself.
verify() { # WHERE OPTIONS...: the row of the table whose budget the device's program has
  local options=(--cpu avx2 --target cpu,cuda "${@:2}")
  rm -rf "$work/dump"
  "$llmc" compile "$source" -o "$work/verified.mlir" "${options[@]}" --stop-after plan --dump-ir "$work/dump" &&
    "$llmc" compile "$source" -o "$work/plain.so" "${options[@]}" || fail "${*:2}: does not compile"
  "$llmc" compile "$work"/dump/*-plan-kv-cache.mlir -o "$work/verified.so" --verify-passes --verify-device 2> "$work/gate" ||
    fail "${*:2}: $(cat "$work/gate")"
  cmp "$work/plain.so" "$work/verified.so" || fail "${*:2}: the gate changes the bytes"
  awk -v where="$1" 'index($0, where) == 1 { wanted = $(NF - 2) } /^model.so \(simt\)/ { values = $3; found = $(NF - 2) }
    END { exit !(values > 10 && found == wanted) }' "$work/gate" || fail "${*:2}: $(cat "$work/gate")"
}
verify lower-to-step
verify "model.so (avx2) " --activations bf16
# What is left of a failure looks at the device again.
changed="--verify-passes: lower-to-step changes what the model computes"
"$llmc" compile "$work"/dump/*-plan-kv-cache.mlir -o "$work/planted.so" --plant-bug next-layer --verify-passes --verify-device \
  2> "$work/words" && fail "a mistake is not seen"
grep -qF -- "$changed" "$work/words" && grep -q -- " --verify-device" "$work/planted.so.failed/run.sh" || fail "$(cat "$work/words")"
LLMC=$llmc "$work/planted.so.failed/run.sh" 2> "$work/words" && fail "does not fail again"
grep -qF -- "$changed" "$work/words" || fail "fails otherwise: $(cat "$work/words")"
"$llmc" compile "$source" -o "$work/cpu.mlir" --stop-after plan --dump-ir "$work/dump.cpu" || fail "no dump"
"$llmc" compile "$work"/dump.cpu/*-plan-kv-cache.mlir -o "$work/none.so" --verify-passes --verify-device 2> "$work/words" &&
  fail "verifies a device without a program"
grep -q "^llmc: error: --verify-device: .*-plan-kv-cache.mlir is of a compile without --target cuda$" "$work/words" || fail "$(cat "$work/words")"
