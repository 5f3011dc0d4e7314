#!/bin/bash
# every_op_runs.sh LLMC COMPARE MLIR WORKDIR: the model of every_op.sh in the emulator, with the GPU's own kernels where there
# are some, against the CPU's default kernels, in three orders of threads and with all checks. Logits differ by no more than
# 0.001 standard deviations, as in device/sweep.
set -u
llmc=$1 compare=$2 source=$3 work=$4
ulimit -v 8388608
rm -rf "$work"
mkdir -p "$work"
export LLMC_PTXAS=none
fail() { echo "$*"; exit 1; }
compile() { "$llmc" compile "$source" -o "$work/$1.so" --random-weights --cache-dir "$work/cache" "${@:2}" || fail "$1 does not compile"; }

compile cpu --cpu avx2 --default-kernels
compile device --target cuda --activations f32
"$(dirname "$llmc")/llmc-compile" simt "$work/device.so" -o "$work/device.simt" --checks --cache-dir "$work/cache" ||
  fail "no code for the emulator"
difference=$("$compare" "$work/cpu.so" "$work/device.so" "$work/device.simt" 1 2 3) || fail "does not run"
echo "$difference"
# Zero would be default kernels on both sides.
awk -v x="$difference" 'BEGIN { exit !(x ~ /^[0-9.]+e[-+][0-9]+$/ && x > 0 && x <= 0.001) }' || fail "expected at most 0.001"
