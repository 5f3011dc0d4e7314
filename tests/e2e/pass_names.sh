#!/bin/bash
# pass_names.sh LLMC MODEL NAME...: an unknown --disable-pass ends with exit code 2 and a sentence that lists exactly the
# given names, in any order, so that a new pass cannot be forgotten by the tests; nothing is written.
set -u
llmc=$1 model=$2
shift 2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
message=$("$llmc" compile "$model" -o "$work/model.so" --disable-pass fuse-everything 2>&1)
status=$?
echo "$message"
[ $status -eq 2 ] || { echo "exit code $status, expected 2"; exit 1; }
[ -z "$(ls -A "$work")" ] || { echo "left behind: $(ls -A "$work")"; exit 1; }
listed=$(sed -n "s/.*expected one of \(.*\) but got 'fuse-everything'.*/\1/p" <<<"$message" | sed 's/, /\n/g' | sort)
[ -n "$listed" ] && [ "$listed" = "$(printf '%s\n' "$@" | sort)" ] || { echo "expected the names: $*"; exit 1; }
