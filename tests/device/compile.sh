#!/bin/sh
# compile.sh COMPILER SOURCE STEM OPTIONS...: STEM.so for cpu and cuda; STEM.so.simt and STEM.checked.simt for the emulator.
set -e
ulimit -v 8388608
compiler=$1 source=$2 stem=$3
shift 3
"$compiler" compile "$source" -o "$stem.so" --target cpu,cuda --cache-dir "$stem.cache" "$@"
"$compiler" simt "$stem.so" -o "$stem.so.simt" --cache-dir "$stem.cache"
"$compiler" simt "$stem.so" -o "$stem.checked.simt" --checks --cache-dir "$stem.cache"
