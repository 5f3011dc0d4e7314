#!/bin/bash
# dump.sh LLMC SOURCE WORKDIR [OPTIONS...]: what --dump-ir writes, and that a compile may start from it.
#   1. model.so has the same bytes with dumps and without;
#   2. every file that passes.json and kernels.json name is there, and no other;
#   3. nothing in the IR is without a place in the source, and instructions say which line of the emitted kernels
#      they are from;
#   4. a compile that starts from the dump of a phase makes the same bytes, for every phase, and from a copy of the
#      file elsewhere.
set -u
llmc=$1 source=$2 work=$3
shift 3
rm -rf "$work"
mkdir -p "$work"
failures=0
fail() { echo "$*"; failures=$((failures + 1)); }

# Kernels are kept between the compiles; the one with dumps makes its own.
"$llmc" compile "$source" -o "$work/plain.so" "$@" || exit 1
"$llmc" compile "$source" -o "$work/dumped.so" --no-cache --dump-ir "$work/dump" "$@" || exit 1
cmp "$work/plain.so" "$work/dumped.so" || fail "dumps change the result"

dump=$work/dump
{
  sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$dump/passes.json"
  sed -n 's/^ *"\(assembly\|llvm_ir\)": "\(.*\)",\{0,1\}$/\2/p' "$dump/kernels.json"
  echo kernels.json
  echo passes.json
} | sort >"$work/named"
(cd "$dump" && find . -type f | sed 's/^..//') | sort >"$work/found"
diff "$work/named" "$work/found" || fail "the files of the dump are not those that its tables name"
grep -q '"complete": true' "$dump/passes.json" || fail "passes.json says that the dump is not complete"
grep -q '"random_weights": ' "$dump/passes.json" || fail "passes.json does not say whether weights are random"
[ "$(sed -n 's/^ *"ms": \([0-9]*\)[.].*/\1/p' "$dump/passes.json" | head -1)" -ge 1 ] || fail "reading the model takes no time"
for pass in import quantize plan-kv-cache lower-to-step emit-kernels convert-arith-to-llvm optimize-llvm-ir; do
  grep -q "\"name\": \"$pass\"" "$dump/passes.json" || fail "passes.json does not list $pass"
done
grep -q '"kind": "applied"' "$dump/passes.json" && grep -q '"fused": [1-9]' "$dump/passes.json" ||
  fail "passes.json does not say what passes have done"
grep -L 'kernel .* for ' "$dump"/kernels/*.s | grep -v '/llmc\.' && fail "a kernel's assembly does not say which it is"
grep -q '"code_bytes": [1-9]' "$dump/kernels.json" || fail "no kernel has code"
grep -q '"stack_bytes": [1-9]' "$dump/kernels.json" || fail "no kernel has a stack frame"
grep -A1 '"location": ""' "$dump/kernels.json" && fail "a kernel does not say where it is from"

"$llmc" inspect "$work/plain.so" --json >"$work/facts" # one line
hash=$(sed 's/.*"head_hash":"\([0-9a-f]*\)".*/\1/' "$work/facts")
[ ${#hash} -eq 16 ] && grep -q "\"head_hash\": \"$hash\"" "$dump/passes.json" ||
  fail "passes.json does not say which model.so was made: expected $hash"

grep -q '"name":"quantize","options":"[^"]*"' "$work/facts" && grep -q '"name":"plan-kv-cache","options":"[^"]*type=' "$work/facts" ||
  fail "the manifest does not say the options of passes"

places=0
for file in "$dump"/[0-9]*.mlir; do
  grep -q '^module attributes {llmc.dump' "$file" || continue
  grep -Hn 'loc(unknown)\|loc("-"' "$file" && fail "an op of $(basename "$file") has no place"
  places=$((places + $(grep -c ' loc(' "$file")))
done
[ $places -gt 100 ] || fail "only $places places were found to check"

# Every function of assembly names lines of the emitted kernels, and only lines of that function.
emitted=$(cd "$dump" && ls *-emit-kernels.mlir)
grep -q '^#loc[0-9]* = loc("[^"]*[.][^"]*"' "$dump/$emitted" || # tensors and files have a dot in their names
  fail "$emitted does not say where kernels are from"
awk -v emitted="$emitted" '
  FNR == 1 { ++files }
  files == 1 { # the function of each line
    if (match($0, /^  (llvm\.)?func.* @[^(]*\(/)) { name = substr($0, RSTART, RLENGTH - 1); sub(/.*@/, "", name); gsub(/"/, "", name) }
    functionOf[FNR] = /^  /? name : ""
    next
  }
  FNR == 1 { label = "" }
  /^[^\t# .][^:]*:/ { label = substr($0, 1, index($0, ":") - 1); gsub(/"/, "", label) }
  /^\t\.type\t.*@function/ { ++functions }
  /^\t\.file\t[0-9]/ && index($0, "\"" emitted "\"") == 0 { print FILENAME ": another file: " $0; ++bad }
  /^\t\.loc\t/ {
    if (label != counted) { counted = label; ++told }
    if ($3 > 0 && functionOf[$3] != label) { print FILENAME ": " label ": line " $3 " is of " functionOf[$3]; ++bad }
    lines += $3 > 0
  }
  END {
    print lines " lines of " told " functions"
    exit bad > 0 || told != functions || lines < 10 * functions
  }' "$dump/$emitted" "$dump"/kernels/*.s || fail "lines of assembly are not those of the emitted kernels"
grep -L "!DILocation(line: [1-9]" "$dump"/kernels/*.ll | grep . && fail "LLVM IR without lines"
grep -L "loc(\"$emitted\":[1-9]" "$dump"/*-convert-*.mlir "$dump"/*-llmc-check-lowered.mlir | grep . &&
  fail "lowered kernels do not say where they are from"
grep -l '\.cfi_\|\.debug_' "$dump"/kernels/*.s && fail "assembly has what the object does not"

starts=0
restart() { # FOLDER FILE PHASE [OPTIONS...]
  local folder=$1 file=$2 phase=$3
  shift 3
  starts=$((starts + 1))
  (cd "$folder" && "$llmc" compile "$file" -o "$work/restarted.so" "$@") &&
    cmp "$work/plain.so" "$work/restarted.so" || fail "started from $file, the phase $phase: not the same bytes"
  rm -f "$work/restarted.so"
}
# "start_from" of each element of passes.json stands behind its "file".
sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p; s/^ *"start_from": "\(.*\)",\{0,1\}$/= \1/p' "$dump/passes.json" |
  awk '$1 == "=" { print $2, file; next } { file = $1 }' >"$work/starts"
mkdir -p "$work/other place/deep"
while read -r phase file; do
  restart . "$dump/$file" "$phase" --start-from "$phase"
  # A copy is not where the dump was made, so that the way to the weights is another; each reader of dumps once.
  case $phase in fuse | llvm)
    cp "$dump/$file" "$work/other place/deep/"
    restart "$work/other place" "deep/$file" "$phase" ;;
  esac
done <"$work/starts"
[ $starts -ge 7 ] || fail "only $starts restarts"

# Dumps of a compile that starts late are as good.
file=$(awk '$1 == "plan" { print $2 }' "$work/starts")
"$llmc" compile "$dump/$file" -o "$work/again.so" --no-cache --dump-ir "$work/dump2" || fail "no dump of a restart"
cmp "$work/plain.so" "$work/again.so" || fail "dumps change the result of a restart"
file=$(sed -n 's/^ *"file": "\(.*lower-to-step.mlir\)",\{0,1\}$/\1/p' "$work/dump2/passes.json")
restart . "$work/dump2/$file" llvm

echo "$starts restarts, $places places, $failures failures"
rm -rf "$work"
[ $failures -eq 0 ]
