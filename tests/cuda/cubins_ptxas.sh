#!/bin/bash
# cubins_ptxas.sh LLMC SOURCE WORKDIR PTXAS: machine code in model.so, by ptxas itself. Without it there is nothing to be
# said (77).
set -u
llmc=$1 source=$2 work=$3 ptxas=$4
[ -n "$ptxas" ] && [ -x "$ptxas" ] || { echo "no ptxas (see LLMC_PTXAS)"; exit 77; }
ulimit -v 8388608
rm -rf "$work"
mkdir -p "$work"
fail() { echo "$*"; exit 1; }
compile() { "$llmc" compile "$source" -o "$@" --target cuda --gpu-arch sm_90 --cache-dir "$work/cache"; }
count() { grep -a -o "$2" "$1" | wc -l; }
elfs() { LC_ALL=C grep -a -o -P '\x7fELF' "$1" | wc -l; }

compile "$work/none.so" --ptxas none || fail "does not compile"
"$llmc" compile "$source" -o "$work/real.so" --target cuda --gpu-arch sm_90 --ptxas "$ptxas" --no-cache || fail "does not compile with $ptxas"
compile "$work/again.so" --ptxas "$ptxas" && cmp "$work/real.so" "$work/again.so" || fail "other bytes the second time"
kernels=$(count "$work/none.so" '^\.target sm_90')
[ "$kernels" -gt 5 ] || fail "$kernels kernels"
[ "$(($(elfs "$work/real.so") - $(elfs "$work/none.so")))" = $((2 * kernels)) ] ||
  fail "expected machine code for sm_80 and sm_90 of $kernels kernels: $(elfs "$work/real.so") files in the file"
"$llmc" inspect "$work/real.so" | grep 'PTX, machine code by ptxas ' || fail "$("$llmc" inspect "$work/real.so")"
