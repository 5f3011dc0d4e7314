#!/bin/sh
# expect_output.sh PATTERN COMMAND...: the command must succeed and print something that matches the pattern (grep -E).
pattern=$1
shift
output=$("$@") || { status=$?; printf '%s\n' "$output"; echo "$1: exit code $status" >&2; exit 1; }
printf '%s\n' "$output"
printf '%s\n' "$output" | grep -Eq -- "$pattern" || { echo "expected in the output: $pattern" >&2; exit 1; }
