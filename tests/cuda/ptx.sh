#!/bin/bash
# ptx.sh LLMC SOURCE WORKDIR once|again OPTIONS...: compiles for CUDA alone and for two architectures. Every kernel has
# PTX with entries, for the architecture it names, that needs no other module and no 64-bit float; with `again` two more
# compiles give the same bytes.
set -u
llmc=$1 source=$2 work=$3 again=$4
shift 4
ulimit -v 8388608
export LLMC_PTXAS=none # what it says of this PTX is a test of its own
rm -rf "$work"
mkdir -p "$work"
fail() { echo "$*"; exit 1; }

"$llmc" compile "$source" -o "$work/model.so" --target cuda --gpu-arch sm_90 --dump-ir "$work/dump" --no-cache "$@" ||
  fail "does not compile"
count=0
for ptx in "$work"/dump/kernels/*.ptx; do
  grep -q '^\.visible \.entry' "$ptx" || fail "$ptx: expected an entry"
  grep -q '^\.target sm_80$' "$ptx" || fail "$ptx: expected code for sm_80"
  ! grep -n '\.extern' "$ptx" || fail "$ptx: needs another module"
  ! grep -nE '\.f64|__nv_' "$ptx" || fail "$ptx: computes in f64 or calls libdevice"
  # Without .rn an assembler may fuse a product with a sum, in one kernel and not in another.
  ! grep -nE '\b(add|sub|mul|fma|div|sqrt|rcp)\.(f32|b?f16(x2)?)\b|\.approx|\.ftz' "$ptx" ||
    fail "$ptx: computes what each assembler may round otherwise"
  ! grep -nE '^\s*(@%p[0-9]+ )?(ld|st)\.[a-z]' "$ptx" | grep -vE '\.(global|shared|param|local)\b' ||
    fail "$ptx: does not say which memory it reads or writes"
  [ -s "${ptx%.ptx}.ll" ] || fail "$ptx: expected its LLVM IR beside it"
  ! grep -nE 'target-(cpu|features)' "${ptx%.ptx}.ll" || fail "$ptx: is made for another machine"
  count=$((count + 1))
done
# Each entry was emitted as a kernel of the gpu dialect, and nothing of that was left by its lowering.
entries=$(cat "$work"/dump/kernels/*.ptx | grep -c '^\.visible \.entry')
functions=$(cat "$work"/dump/*-emit-kernels.mlir | grep -cE '^ +gpu\.func @.* kernel attributes \{known_block_size')
[ "$functions" = "$entries" ] || fail "$functions kernels of the gpu dialect, $entries entries in PTX"
lowered=$(ls "$work"/dump/*-llmc-check-lowered.mlir) || fail "no dump of lowered kernels"
! grep -nE '\bgpu\.' "$lowered" || fail "ops of the gpu dialect were not lowered"
[ "$(grep -cE '^ +llvm\.func @.*\{nvvm\.kernel' "$lowered")" = "$entries" ] || fail "expected $entries lowered kernels"

kernels=$("$llmc" inspect "$work/model.so" --json | grep -o '"devices":\[.*' | grep -o '"kernels":\[[^]]*\]' | head -1 |
  tr ',' '\n' | wc -l)
[ "$count" -gt 5 ] && [ "$count" = "$kernels" ] || fail "$count files of PTX, $kernels kernels in model.so"
[ "$(strings -n 8 "$work/model.so" | grep -c '^\.target sm_90')" = "$count" ] || fail "expected PTX for sm_90 of each kernel"

# A dense layer in a step of one token: norm and q, k, v; attention in two, which norm heads and rotate as well; output;
# gate and up; down.
"$llmc" inspect "$work/model.so" --json > "$work/facts.json"
launches=$(grep -oE '"launches_per_layer":[0-9.]+' "$work/facts.json" | cut -d: -f2)
grep -qE '"layers":0[,}]' "$work/facts.json" || # ops by themselves
  awk "BEGIN { exit !(${launches:-0} > 1 && ${launches:-0} <= 6) }" ||
  fail "${launches:-no} launches a layer, expected at most 6"

[ "$again" = once ] && { echo "$count kernels"; exit 0; }
"$llmc" compile "$source" -o "$work/again.so" --target cuda --gpu-arch sm_90 --cache-dir "$work/cache" "$@" &&
  cmp "$work/model.so" "$work/again.so" || fail "a compile without dumps gives other bytes"
"$llmc" compile "$source" -o "$work/again.so" --target cuda --gpu-arch sm_90 --cache-dir "$work/cache" "$@" &&
  cmp "$work/model.so" "$work/again.so" || fail "a compile from the cache gives other bytes"
echo "$count kernels"
