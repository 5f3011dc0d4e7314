#!/bin/bash
# refusals.sh LLMC SOURCE WORKDIR: what a compile for devices refuses, and with which words.
set -u
llmc=$1 source=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
failures=0

refused() { # STATUS WORDS OPTIONS...
  local expected=$1 words=$2
  shift 2
  "$llmc" compile "$source" -o "$work/model.so" "$@" 2> "$work/stderr"
  local status=$?
  [ $status = "$expected" ] && [ "$(wc -l < "$work/stderr")" = 1 ] && grep -qF -- "$words" "$work/stderr" ||
    { echo "options $*: status $status, expected $expected and: $words"; cat "$work/stderr"; failures=$((failures + 1)); }
  [ ! -e "$work/model.so" ] || { echo "options $*: left a model"; failures=$((failures + 1)); }
}

refused 2 "--target: expected some of cpu, cuda but got 'gpu'" --target gpu
refused 2 "--target: expected some of cpu, cuda but got ''" --target cuda,
refused 2 "--target: names cuda twice" --target cuda,cuda
refused 2 "--gpu-arch: names sm_90 twice" --target cuda --gpu-arch sm_90,sm_86,sm_90
refused 2 "--gpu-arch: expected some of sm_80, sm_86," --target cuda --gpu-arch sm_75
refused 2 "but got 'sm_90b'" --target cpu,cuda --gpu-arch sm_90,sm_90b
for list in "" sm_80,,sm_90 sm_90, ,; do
  refused 2 "sm_121a but got ''" --target cuda --gpu-arch "$list"
done
refused 2 "--gpu-arch: belongs to --target cuda, which is not given" --gpu-arch ""
refused 2 "--gpu-arch: belongs to --target cuda, which is not given" --gpu-arch sm_90
refused 2 "--cpu: belongs to --target cpu, which is not given" --target cuda --cpu avx2
refused 2 "--fast: belongs to --target cpu, which is not given" --target cuda --fast
refused 2 "--count-loads: belongs to --target cpu, which is not given" --target cuda --count-loads
refused 2 "--tune: belongs to --target cpu, which is not given" --target cuda --tune native
refused 2 "--verify-device: belongs to --verify-passes, which is not given" --target cpu,cuda --verify-device
refused 2 "--verify-device: belongs to --target cuda, which is not given" --verify-passes --verify-device
refused 2 "--verify-device: runs whole models, not what --verify-layers leaves of one" --target cpu,cuda --verify-passes \
  --verify-device --verify-layers 1
refused 2 "--ptxas: belongs to --target cuda, which is not given" --ptxas none
LLMC_PTXAS=/nonexistent refused 2 "LLMC_PTXAS: expected a program or none but got '/nonexistent'" --target cuda
refused 2 "--activations: kernels for cuda multiply in f32, f16 or bf16, not in int8" --target cuda --activations int8
refused 2 "--portable-bits: kernels for cuda sum in another order than those for CPUs" --target cpu,cuda --portable-bits
refused 2 "--verify-passes: checks code for the CPU: add cpu to --target" --target cuda --verify-passes
[ $failures -eq 0 ]
