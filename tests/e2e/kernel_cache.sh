#!/bin/bash
# kernel_cache.sh LLMC SOURCE WORKDIR: compiles with a cache of kernels: cold, warm, by four processes at once, with
# damaged entries and after a compile that was killed. The bytes are always those of a compile without a cache.
set -u
llmc=$1 source=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
failures=0
check() { # WHAT COMMAND...
  local what=$1
  shift
  "$@" || { echo "failed: $what"; failures=$((failures + 1)); }
}
compile() { "$llmc" compile "$source" -o "$work/$1" "${@:2}" 2>>"$work/stderr"; }
objects() { ls "$work/cache" | grep -c '\.o$'; }

check "no cache" compile reference.so --no-cache
check "cold" compile cold.so --cache-dir "$work/cache"
check "cold bytes" cmp "$work/reference.so" "$work/cold.so"
count=$(objects)
check "entries" [ "$count" -gt 10 ]
touch "$work/before-warm"
check "warm" compile warm.so --cache-dir "$work/cache"
check "warm bytes" cmp "$work/reference.so" "$work/warm.so"
check "every entry was used" [ -z "$(find "$work/cache" -name '*.o' ! -newer "$work/before-warm")" ]
check "no entry was added" [ "$(objects)" = "$count" ]
check "another variant list shares entries" compile one.so --cache-dir "$work/cache" --cpu avx2
check "nothing new for it" [ "$(objects)" = "$count" ]

# Half of an entry, an entry of zeros, a killed writer's file.
victims=$(ls "$work/cache"/*.o | head -2)
set -- $victims
truncate -s 100 "$1"
head -c "$(stat -c %s "$2")" /dev/zero > "$work/zeros" && cp "$work/zeros" "$2"
check "damaged" compile damaged.so --cache-dir "$work/cache"
check "damaged bytes" cmp "$work/reference.so" "$work/damaged.so"

rm -rf "$work/cache"
pids=()
for i in 1 2 3 4; do
  compile "parallel$i.so" --cache-dir "$work/cache" &
  pids+=($!)
done
# One of them is killed in the middle.
"$llmc" compile "$source" -o "$work/killed.so" --cache-dir "$work/cache" 2>/dev/null &
victim=$!
sleep 0.5
kill -9 $victim 2>/dev/null
wait $victim 2>/dev/null
for i in 1 2 3 4; do
  check "parallel $i" wait "${pids[$((i - 1))]}"
  check "parallel bytes $i" cmp "$work/reference.so" "$work/parallel$i.so"
done
check "after the killed one" compile after.so --cache-dir "$work/cache"
check "bytes after the killed one" cmp "$work/reference.so" "$work/after.so"

: > "$work/file"
check "a cache that cannot be made" compile nowhere.so --cache-dir "$work/file/cache"
check "its bytes" cmp "$work/reference.so" "$work/nowhere.so"
[ $failures -eq 0 ] || cat "$work/stderr"
rm -rf "$work"
echo "$failures failures"
[ $failures -eq 0 ]
