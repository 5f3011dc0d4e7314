#!/bin/bash
# killed.sh LLMC MODEL WORKDIR: what a compile that was killed has left beside its output goes with the next compile to
# the same place. What belongs to one that is still at work stays, which then ends as it should.
set -u
llmc=$1 model=$2 work=$3
rm -rf "$work"
mkdir -p "$work/out"
cd "$work" || exit 1
failures=0
fail() { echo "$*"; failures=$((failures + 1)); }

# More files than so many, each with the lock of the compile that writes it: without the lock it would be a leftover.
begun() {
  [ "$(ls out | wc -l)" -gt "$1" ] || return 1
  for file in out/*.tmp; do
    grep -q ":$(stat -c %i "$file") " /proc/locks || return 1
  done
}
# begin: starts a compile in the background, and stops it when it has begun to write.
begin() {
  local before
  before=$(ls out | wc -l)
  "$(dirname "$llmc")/llmc-compile" compile "$model" -o out/model.so --cpu avx2 --no-cache 2>>begun.txt &
  compiler=$!
  for _ in $(seq 2000); do
    begun "$before" && break
    sleep 0.005
  done
  kill -STOP $compiler || fail "had ended before it was stopped"
}

begin
slow=$compiler theirs=$(ls out)
begin
kill -KILL $compiler
wait $compiler 2>/dev/null
[ "$(ls out | wc -l)" -eq 2 ] || fail "expected two unfinished files, found $(ls out)"
for _ in first second; do # the second replaces a file that is there
  "$llmc" compile "$model" -o out/model.so --cpu avx2 || fail "does not compile"
  [ "$(ls out | tr '\n' ' ')" = "model.so $theirs " ] || fail "expected model.so and $theirs, found $(ls out)"
done
cp out/model.so made.so
kill -CONT $slow
wait $slow || fail "the slow one: exit code $?: $(cat begun.txt)"
[ "$(ls out)" = model.so ] && cmp out/model.so made.so || fail "expected the same model.so alone, found $(ls out)"
[ $failures -eq 0 ]
