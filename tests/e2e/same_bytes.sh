#!/bin/sh
# same_bytes.sh LLMC SOURCE FIRST.so SECOND.so OPTIONS...: compiles once more; both files must be equal in every byte.
llmc=$1 source=$2 first=$3 second=$4
shift 4
rm -f "$second"
"$llmc" compile "$source" -o "$second" "$@" && [ -s "$second" ] && cmp "$first" "$second"
