#!/bin/sh
# compile.sh COMPILER SOURCE STEM plain+checked|checked OPTIONS...: STEM.so for cuda and one kind of CPU; for the emulator
# STEM.checked.simt and, with "plain", STEM.so.simt.
set -e
ulimit -v 8388608
export LLMC_PTXAS=none # the same code wherever this runs
compiler=$1 source=$2 stem=$3 code=$4
shift 4
cache=$(dirname "$stem")/cache # models of one shape share their kernels
"$compiler" compile "$source" -o "$stem.so" --target cpu,cuda --cpu avx2 --cache-dir "$cache" "$@"
[ "$code" = checked ] || "$compiler" simt "$stem.so" -o "$stem.so.simt" --cache-dir "$cache"
"$compiler" simt "$stem.so" -o "$stem.checked.simt" --checks --cache-dir "$cache"
