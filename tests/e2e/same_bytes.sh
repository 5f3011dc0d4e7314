#!/bin/bash
# same_bytes.sh LLMC SOURCE FIRST.so WORKDIR OPTIONS...: compiles the source of FIRST.so again: once more, in another
# folder under another name, with dumps of the IR, with times printed and from a copy of the source elsewhere. Every
# byte must be the same each time.
set -u
llmc=$1 source=$2 first=$3 work=$4
shift 4
rm -rf "$work"
mkdir -p "$work/here" "$work/else where"
failures=0 compared=0

same() { # RESULT SOURCE OPTIONS...
  local result=$1 from=$2
  shift 2
  compared=$((compared + 1))
  "$llmc" compile "$from" -o "$result" "$@" 2>"$work/stderr" && [ -s "$result" ] && cmp "$first" "$result" ||
    { echo "$result: not the same bytes (options $*)"; cat "$work/stderr"; failures=$((failures + 1)); }
}

same "$work/here/again.so" "$source" "$@" --no-cache
same "$work/else where/other name.so" "$source" "$@"
same "$work/here/dumped.so" "$source" "$@" --dump-ir "$work/dumps" --no-cache
[ -n "$(ls -A "$work/dumps")" ] || { echo "--dump-ir wrote nothing"; failures=$((failures + 1)); }
same "$work/here/timed.so" "$source" "$@" --times -v
(cd "$work/here" && "$llmc" compile "$source" -o relative.so "$@") && cmp "$first" "$work/here/relative.so" ||
  { echo "a relative output path: not the same bytes"; failures=$((failures + 1)); }
cp "$source" "$work/else where/"
same "$work/here/from-copy.so" "$work/else where/$(basename "$source")" "$@"
# The comparison can fail: other options, other bytes.
"$llmc" compile "$source" -o "$work/here/different.so" "$@" --disable-pass fuse-qkv
! cmp -s "$first" "$work/here/different.so" || { echo "another graph gave the same bytes"; failures=$((failures + 1)); }

echo "$compared compiles compared, $failures failures"
rm -rf "$work"
[ $failures -eq 0 ] && [ $compared -eq 5 ]
